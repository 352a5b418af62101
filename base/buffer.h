// buffer.h -- bytes that grow: files are put together here before they are written (internal)
//
// Every call after a failed allocation does nothing; emg_buffer_check reports it.
#ifndef EMG_BASE_BUFFER_H
#define EMG_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

// Start from {0}.
typedef struct {
  char *bytes;
  size_t n, capacity;
  bool has_failed;
} emg_buffer;

void emg_buffer_add(emg_buffer *b, const void *bytes, size_t n);
void emg_buffer_text(emg_buffer *b, const char *text);
// Integers; numbers with a decimal point go through base/number.h, for printf follows the locale.
void emg_buffer_print(emg_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Room for n more bytes, counted as filled; NULL if there is none.
char *emg_buffer_room(emg_buffer *b, size_t n);
// EMG_ERR_MEMORY if something was lost.
emg_status emg_buffer_check(const emg_buffer *b, emg_error *err);
void emg_buffer_free(emg_buffer *b);

#endif
