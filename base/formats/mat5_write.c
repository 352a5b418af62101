// mat5_write.c -- writing MATLAB version 5 files, little-endian and uncompressed
#include "mat5_write.h"

#include <string.h>

enum { MI_INT8 = 1, MI_UINT16 = 4, MI_INT32 = 5, MI_UINT32 = 6, MI_SINGLE = 7, MI_DOUBLE = 9 };
enum { MI_MATRIX = 14 };
enum { MX_CELL = 1, MX_CHAR = 4, MX_DOUBLE = 6, MX_SINGLE = 7 };
enum { HEADER_TEXT = 116, ELEMENT_MAX = INT32_MAX };

static void put_u32(emg_buffer *out, uint32_t value) {
  emg_buffer_add(out, &value, sizeof value);
}

static void pad(emg_buffer *out) {
  emg_buffer_add(out, "\0\0\0\0\0\0\0", (8 - out->n % 8) % 8);
}

static void put_element(emg_buffer *out, uint32_t type, const void *bytes, size_t n) {
  put_u32(out, type);
  put_u32(out, (uint32_t)n);
  emg_buffer_add(out, bytes, n);
  pad(out);
}

void emg_mat5_start(emg_buffer *out) {
  static const char end[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x01, 'I', 'M'};

  emg_buffer_print(out, "%-*s", HEADER_TEXT, "MATLAB 5.0 MAT-file, written by emgtwin");
  emg_buffer_add(out, end, sizeof end);
}

// Tag, flags, dimensions and name of an array; the tag's length follows at the end.
static size_t begin_array(emg_buffer *out, uint32_t class, const char *name, int64_t n_rows,
                          int64_t n_columns) {
  size_t begin = out->n;
  const uint32_t flags[] = {class, 0};
  const int32_t dims[] = {(int32_t)n_rows, (int32_t)n_columns};

  put_u32(out, MI_MATRIX);
  put_u32(out, 0);
  put_element(out, MI_UINT32, flags, sizeof flags);
  put_element(out, MI_INT32, dims, sizeof dims);
  put_element(out, MI_INT8, name, strlen(name));
  return begin;
}

static void end_array(emg_buffer *out, size_t begin) {
  pad(out);
  uint32_t length = (uint32_t)(out->n - begin - 8);
  if (!out->has_failed) {
    memcpy(out->bytes + begin + 4, &length, sizeof length);
  }
}

void emg_mat5_doubles(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns,
                      const double *values) {
  size_t begin = begin_array(out, MX_DOUBLE, name, n_rows, n_columns);

  put_element(out, MI_DOUBLE, values, (size_t)(n_rows * n_columns) * sizeof *values);
  end_array(out, begin);
}

void emg_mat5_integers(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns,
                       const int32_t *values) {
  size_t begin = begin_array(out, MX_DOUBLE, name, n_rows, n_columns);

  put_element(out, MI_INT32, values, (size_t)(n_rows * n_columns) * sizeof *values);
  end_array(out, begin);
}

void emg_mat5_number(emg_buffer *out, const char *name, double value) {
  emg_mat5_doubles(out, name, 1, 1, &value);
}

void emg_mat5_text(emg_buffer *out, const char *name, const char *text) {
  size_t n = strlen(text);
  size_t begin = begin_array(out, MX_CHAR, name, n > 0, (int64_t)n);

  put_u32(out, MI_UINT16);
  put_u32(out, (uint32_t)(2 * n));
  for (size_t i = 0; i < n; i++) {
    uint16_t code = (unsigned char)text[i] < 0x80 ? (unsigned char)text[i] : '?';
    emg_buffer_add(out, &code, sizeof code);
  }
  end_array(out, begin);
}

float *emg_mat5_singles(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns) {
  size_t begin = begin_array(out, MX_SINGLE, name, n_rows, n_columns);
  size_t n_bytes = (size_t)(n_rows * n_columns) * sizeof(float);

  put_u32(out, MI_SINGLE);
  put_u32(out, (uint32_t)n_bytes);
  size_t at = out->n;
  emg_buffer_room(out, n_bytes);
  end_array(out, begin);
  return out->has_failed ? NULL : (float *)(void *)(out->bytes + at);
}

size_t emg_mat5_begin_cells(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns) {
  return begin_array(out, MX_CELL, name, n_rows, n_columns);
}

emg_status emg_mat5_end(emg_buffer *out, size_t begin, const char *name, emg_error *err) {
  EMG_TRY(emg_buffer_check(out, err));
  if (out->n - begin > ELEMENT_MAX) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s takes %.1f GB, more than a variable of MATLAB 5 holds (2 GB); convert to "
                    "muedit, which is MATLAB 7.3, or a shorter part",
                    name, (double)(out->n - begin) / 1e9);
  }
  end_array(out, begin);
  return EMG_OK;
}
