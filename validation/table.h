// table.h -- columns of numbers and texts that become CSV and HDF5 (private to validation)
#ifndef EMG_VALIDATION_TABLE_H
#define EMG_VALIDATION_TABLE_H

#include <stdbool.h>

#include <base/buffer.h>
#include <base/h5.h>
#include <emgtwin/status.h>

typedef struct {
  char name[96];
  double *numbers;  // NULL for texts
  char *texts;      // n_rows of `width` bytes
  size_t width;
} emg_result_column;

// Start from {.n_rows = ...}.
typedef struct {
  int n_rows, n_columns, capacity;
  emg_result_column *columns;
} emg_result_table;

// A new column, all NAN or all empty. The pointer holds until the table is freed.
emg_status emg_result_numbers(emg_result_table *table, const char *name, double **out,
                              emg_error *err);
emg_status emg_result_texts(emg_result_table *table, const char *name, size_t width, char **out,
                            emg_error *err);
void emg_result_table_free(emg_result_table *table);

// RFC 4180 with a heading and "\n"; NAN and what is not finite are empty fields.
void emg_result_csv(const emg_result_table *table, emg_buffer *out);
// One dataset per column in `group`.
emg_status emg_result_h5(const emg_result_table *table, emg_h5 *file, const char *group,
                         emg_error *err);

#endif
