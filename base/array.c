// array.c -- allocation of arrays and tables
#include <emgtwin/array.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static emg_status fail_memory(emg_error *err, size_t count, size_t size) {
  return emg_fail(err, EMG_ERR_MEMORY,
                  "cannot allocate %.1f MiB; shorten the recording or use fewer channels",
                  (double)count * (double)size / 1048576.0);
}

// Bytes of a block, false if no object can be that large.
static bool block_bytes(size_t count, size_t size, size_t *bytes) {
  return !__builtin_mul_overflow(count, size, bytes) && *bytes <= PTRDIFF_MAX - ALIGNMENT;
}

emg_status emg_alloc(size_t count, size_t size, void *out_pointer, emg_error *err) {
  void *memory = NULL;
  size_t bytes;

  if (!block_bytes(count, size, &bytes)) {
    return fail_memory(err, count, size);
  }
  if (bytes > 0) {
    memory = calloc(count, size);
    if (!memory) {
      return fail_memory(err, count, size);
    }
  }
  memcpy(out_pointer, &memory, sizeof memory);
  return EMG_OK;
}

emg_status emg_alloc_aligned(size_t count, size_t size, void *out_pointer, emg_error *err) {
  void *memory = NULL;
  size_t bytes;

  if (!block_bytes(count, size, &bytes)) {
    return fail_memory(err, count, size);
  }
  if (bytes > 0) {
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memory = aligned_alloc(ALIGNMENT, bytes);
    if (!memory) {
      return fail_memory(err, count, size);
    }
    memset(memory, 0, bytes);
  }
  memcpy(out_pointer, &memory, sizeof memory);
  return EMG_OK;
}

// Rows padded to whole cache lines; the same for float and double.
static emg_status allocate_rows(int n_rows, int64_t n_cols, size_t size, ptrdiff_t *stride,
                                void *out_pointer, emg_error *err) {
  const int64_t per_line = (int64_t)(ALIGNMENT / size);

  if (n_rows < 0 || n_cols < 0) {
    return emg_fail(err, EMG_ERR_ARG, "an array cannot have %d rows and %lld columns", n_rows,
                    (long long)n_cols);
  }
  if (n_cols > INT64_MAX - per_line) {
    return fail_memory(err, (size_t)n_cols, size);
  }
  int64_t padded = (n_cols + per_line - 1) / per_line * per_line;
  size_t count;
  if (__builtin_mul_overflow((size_t)n_rows, (size_t)padded, &count)) {
    return fail_memory(err, (size_t)padded, size);
  }
  *stride = (ptrdiff_t)padded;
  return emg_alloc_aligned(count, size, out_pointer, err);
}

emg_status emg_array2f_create(int n_rows, int64_t n_cols, emg_array2f *out, emg_error *err) {
  *out = (emg_array2f){0};
  EMG_TRY(allocate_rows(n_rows, n_cols, sizeof(float), &out->stride, &out->data, err));
  out->n_rows = n_rows;
  out->n_cols = n_cols;
  return EMG_OK;
}

emg_status emg_array2d_create(int n_rows, int64_t n_cols, emg_array2d *out, emg_error *err) {
  *out = (emg_array2d){0};
  EMG_TRY(allocate_rows(n_rows, n_cols, sizeof(double), &out->stride, &out->data, err));
  out->n_rows = n_rows;
  out->n_cols = n_cols;
  return EMG_OK;
}

void emg_array2f_free(emg_array2f *a) {
  free(a->data);
  *a = (emg_array2f){0};
}

void emg_array2d_free(emg_array2d *a) {
  free(a->data);
  *a = (emg_array2d){0};
}

emg_status emg_table_add(emg_table *table, const char *name, const char *unit, const double *values,
                         int n_rows, emg_error *err) {
  if (table->n_columns > 0 && n_rows != table->n_rows) {
    return emg_fail(err, EMG_ERR_ARG, "column %s has %d rows, the table %d", name, n_rows,
                    table->n_rows);
  }
  if (table->n_columns == table->capacity) {
    int capacity = table->capacity ? 2 * table->capacity : 16;
    emg_column *columns = realloc(table->columns, (size_t)capacity * sizeof *columns);
    if (!columns) {
      return fail_memory(err, (size_t)capacity, sizeof *columns);
    }
    table->columns = columns;
    table->capacity = capacity;
  }
  emg_column *column = &table->columns[table->n_columns];
  EMG_TRY(emg_alloc((size_t)n_rows, sizeof(double), &column->values, err));
  if (n_rows > 0) {
    memcpy(column->values, values, (size_t)n_rows * sizeof(double));
  }
  snprintf(column->name, sizeof column->name, "%s", name);
  snprintf(column->unit, sizeof column->unit, "%s", unit);
  table->n_rows = n_rows;
  table->n_columns++;
  return EMG_OK;
}

const double *emg_table_get(const emg_table *table, const char *name) {
  for (int i = 0; i < table->n_columns; i++) {
    if (strcmp(table->columns[i].name, name) == 0) {
      return table->columns[i].values;
    }
  }
  return NULL;
}

void emg_table_free(emg_table *table) {
  for (int i = 0; i < table->n_columns; i++) {
    free(table->columns[i].values);
  }
  free(table->columns);
  *table = (emg_table){0};
}
