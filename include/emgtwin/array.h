// array.h -- two-dimensional arrays as views: row-major, time last
#ifndef EMG_ARRAY_H
#define EMG_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// n_rows x n_cols, row r starts at data + r * stride. Signals are float, geometry double.
typedef struct {
  int n_rows;
  int64_t n_cols;
  ptrdiff_t stride;
  float *data;
} emg_array2f;

typedef struct {
  int n_rows;
  int64_t n_cols;
  ptrdiff_t stride;
  double *data;
} emg_array2d;

static inline float *emg_row2f(const emg_array2f *a, int row) {
  return a->data + row * a->stride;
}
static inline double *emg_row2d(const emg_array2d *a, int row) {
  return a->data + row * a->stride;
}

// Zeroed, each row aligned to 64 bytes. Fails with EMG_ERR_ARG for negative sizes, EMG_ERR_MEMORY.
emg_status emg_array2f_create(int n_rows, int64_t n_cols, emg_array2f *out, emg_error *err);
emg_status emg_array2d_create(int n_rows, int64_t n_cols, emg_array2d *out, emg_error *err);
void emg_array2f_free(emg_array2f *a);
void emg_array2d_free(emg_array2d *a);

// calloc/realloc with an overflow check and an error that names the size; *out = NULL for count 0.
emg_status emg_alloc(size_t count, size_t size, void *out_pointer, emg_error *err);
// 64-byte aligned and zeroed; free() it.
emg_status emg_alloc_aligned(size_t count, size_t size, void *out_pointer, emg_error *err);

// Named columns of equal length: motor-unit parameters in a file, result tables.
typedef struct {
  char name[48];   // "depth_mm"
  char unit[16];   // "mm"
  double *values;  // n_rows
} emg_column;

typedef struct {
  int n_rows, n_columns, capacity;
  emg_column *columns;
} emg_table;

// Append a column of n_rows values (copied); the first column sets n_rows.
emg_status emg_table_add(emg_table *table, const char *name, const char *unit, const double *values,
                         int n_rows, emg_error *err);
// Values of a column, NULL if there is none of that name.
const double *emg_table_get(const emg_table *table, const char *name);
void emg_table_free(emg_table *table);

#ifdef __cplusplus
}
#endif
#endif
