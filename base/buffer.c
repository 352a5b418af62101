// buffer.c -- bytes that grow
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *emg_buffer_room(emg_buffer *b, size_t n) {
  if (b->has_failed) {
    return NULL;
  }
  if (n > b->capacity - b->n) {
    size_t capacity = b->n + n < 2 * b->capacity ? 2 * b->capacity : b->n + n + 256;
    char *grown = realloc(b->bytes, capacity);
    if (!grown) {
      b->has_failed = true;
      return NULL;
    }
    b->bytes = grown;
    b->capacity = capacity;
  }
  b->n += n;
  return b->bytes + b->n - n;
}

void emg_buffer_add(emg_buffer *b, const void *bytes, size_t n) {
  char *to = n > 0 ? emg_buffer_room(b, n) : NULL;

  if (to) {
    memcpy(to, bytes, n);
  }
}

void emg_buffer_text(emg_buffer *b, const char *text) {
  emg_buffer_add(b, text, strlen(text));
}

void emg_buffer_print(emg_buffer *b, const char *format, ...) {
  char line[512];
  va_list args;

  va_start(args, format);
  int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n < 0 || n >= (int)sizeof line) {
    b->has_failed = true;
  } else {
    emg_buffer_add(b, line, (size_t)n);
  }
}

emg_status emg_buffer_check(const emg_buffer *b, emg_error *err) {
  return b->has_failed
             ? emg_fail(err, EMG_ERR_MEMORY,
                        "out of memory after %zu bytes of output; convert a shorter part", b->n)
             : EMG_OK;
}

void emg_buffer_free(emg_buffer *b) {
  free(b->bytes);
  *b = (emg_buffer){0};
}
