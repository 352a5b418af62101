// table.c -- columns of numbers and texts that become CSV and HDF5
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <emgtwin/array.h>

static emg_status add_column(emg_result_table *table, const char *name, emg_result_column **out,
                             emg_error *err) {
  if (table->n_columns == table->capacity) {
    int capacity = table->capacity ? 2 * table->capacity : 16;
    emg_result_column *grown = realloc(table->columns, (size_t)capacity * sizeof *grown);
    if (!grown) {
      return emg_fail(err, EMG_ERR_MEMORY, "not enough memory for the tables");
    }
    table->columns = grown;
    table->capacity = capacity;
  }
  *out = &table->columns[table->n_columns++];
  memset(*out, 0, sizeof **out);
  snprintf((*out)->name, sizeof(*out)->name, "%s", name);
  return EMG_OK;
}

emg_status emg_result_numbers(emg_result_table *table, const char *name, double **out,
                              emg_error *err) {
  emg_result_column *column;

  EMG_TRY(add_column(table, name, &column, err));
  EMG_TRY(emg_alloc((size_t)table->n_rows + 1, sizeof(double), &column->numbers, err));
  for (int i = 0; i < table->n_rows; i++) {
    column->numbers[i] = NAN;
  }
  *out = column->numbers;
  return EMG_OK;
}

emg_status emg_result_texts(emg_result_table *table, const char *name, size_t width, char **out,
                            emg_error *err) {
  emg_result_column *column;

  EMG_TRY(add_column(table, name, &column, err));
  column->width = width;
  EMG_TRY(emg_alloc((size_t)table->n_rows + 1, width, &column->texts, err));
  *out = column->texts;
  return EMG_OK;
}

void emg_result_table_free(emg_result_table *table) {
  for (int i = 0; i < table->n_columns; i++) {
    free(table->columns[i].numbers);
    free(table->columns[i].texts);
  }
  free(table->columns);
  *table = (emg_result_table){0};
}

static void add_field(const char *text, emg_buffer *out) {
  bool is_quoted = strpbrk(text, ",\"\r\n") != NULL;

  emg_buffer_text(out, is_quoted ? "\"" : "");
  for (; *text; text++) {
    emg_buffer_text(out, *text == '"' ? "\"" : "");
    emg_buffer_add(out, text, 1);
  }
  emg_buffer_text(out, is_quoted ? "\"" : "");
}

void emg_result_csv(const emg_result_table *table, emg_buffer *out) {
  for (int i = 0; i < table->n_columns; i++) {
    emg_buffer_text(out, i ? "," : "");
    add_field(table->columns[i].name, out);
  }
  emg_buffer_text(out, "\n");
  for (int row = 0; row < table->n_rows; row++) {
    for (int i = 0; i < table->n_columns; i++) {
      const emg_result_column *column = &table->columns[i];
      emg_buffer_text(out, i ? "," : "");
      if (column->texts) {
        add_field(column->texts + (size_t)row * column->width, out);
      } else if (isfinite(column->numbers[row])) {
        emg_buffer_text(out, emg_number_format(column->numbers[row]).text);
      }
    }
    emg_buffer_text(out, "\n");
  }
}

emg_status emg_result_h5(const emg_result_table *table, emg_h5 *file, const char *group,
                         emg_error *err) {
  const int64_t n = table->n_rows;

  for (int i = 0; i < table->n_columns; i++) {
    const emg_result_column *column = &table->columns[i];
    char path[160];
    snprintf(path, sizeof path, "%s/%s", group, column->name);
    if (column->texts) {
      EMG_TRY(emg_h5_write_names(file, path, table->n_rows, column->width, column->width,
                                 column->texts, err));
    } else {
      EMG_TRY(emg_h5_write(file, path, EMG_H5_F64, 1, &n, 0, column->numbers, 0, err));
    }
  }
  return EMG_OK;
}
