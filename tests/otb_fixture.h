// otb_fixture.h -- tar archives and descriptions of recordings for the tests of their readers
#ifndef EMG_OTB_FIXTURE_H
#define EMG_OTB_FIXTURE_H

#include <math.h>
#include <stdarg.h>

#include "file_fixture.h"

// Bytes that grow; also a text.
typedef struct {
  char *bytes;
  size_t n;
} pile;

static inline void pile_add(pile *p, const void *bytes, size_t n) {
  p->bytes = realloc(p->bytes, p->n + n + 1);
  assert_non_null(p->bytes);
  memcpy(p->bytes + p->n, bytes, n);
  p->n += n;
  p->bytes[p->n] = '\0';
}

static inline void __attribute__((format(printf, 2, 3)))
pile_print(pile *p, const char *format, ...) {
  char text[4096];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  assert_true(n >= 0 && n < (int)sizeof text);
  pile_add(p, text, (size_t)n);
}

static inline void pile_free(pile *p) {
  free(p->bytes);
  *p = (pile){0};
}

// Set the checksum of the header at `at`.
static inline void tar_sign(char *header) {
  unsigned sum = 0;
  memset(header + 148, ' ', 8);
  for (int i = 0; i < 512; i++) {
    sum += (unsigned char)header[i];
  }
  snprintf(header + 148, 8, "%06o", sum);
}

// Header of a member of any type that claims a size, without its bytes.
static inline void tar_header(pile *tar, const char *name, char type, unsigned long long size) {
  char header[512] = "";
  snprintf(header, 100, "%s", name);
  memcpy(header + 100, "0000644", 8);
  snprintf(header + 124, 12, "%011llo", size & 077777777777ULL);
  header[156] = type;
  memcpy(header + 257, "ustar\00000", 8);
  tar_sign(header);
  pile_add(tar, header, sizeof header);
}

static inline void tar_pad(pile *tar) {
  const char zeros[512] = "";
  pile_add(tar, zeros, (512 - tar->n % 512) % 512);
}

static inline void tar_add(pile *tar, const char *name, const void *bytes, size_t n) {
  tar_header(tar, name, '0', n);
  pile_add(tar, bytes, n);
  tar_pad(tar);
}

static inline void tar_add_text(pile *tar, const char *name, const char *text) {
  tar_add(tar, name, text, strlen(text));
}

// The archive as a file; the pile is freed.
static inline const char *tar_write(pile *tar, const char *name) {
  const char zeros[1024] = "";
  pile_add(tar, zeros, sizeof zeros);
  const char *path = fixture_write(name, tar->bytes, tar->n);
  pile_free(tar);
  return path;
}

// A seed of the fuzz target, written by Python.
static inline const char *otb_seed(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, EMG_SOURCE "/tests/fuzz/corpus/otb/%s", name);
  return path;
}

#endif
