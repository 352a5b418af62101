// custom_csv.c -- tables for openhdemg's reader of custom CSV: RAW_SIGNAL_i, MUPULSES_i, REF_SIGNAL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "formats_priv.h"
#include "openhdemg_priv.h"

enum { CSV_BYTES_MAX = 1 << 30 };

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

// Columns whose name starts so: their number.
static int find_columns(const emg_tsv *table, const char *name, int *columns) {
  int n = 0;

  for (int k = 0; k < table->n_columns; k++) {
    if (starts_with(table->cells[k], name)) {
      columns[n++] = k;
    }
  }
  return n;
}

// Signals: rows down to the first empty cell, for shorter columns end in empty ones.
static emg_status read_signals(const emg_tsv *table, const int *columns, int n,
                               emg_openhdemg_matrix *m, emg_error *err) {
  size_t count = 0;

  m->n_columns = n;
  for (int i = 0; n > 0 && i < table->n_rows; i++) {
    for (int k = 0; k < n; k++) {
      const char *cell = emg_tsv_cell(table, i, columns[k]);
      double value = NAN;
      if (k == 0 && cell[0] == '\0') {
        return EMG_OK;
      }
      if (cell[0] && strcmp(cell, "nan") != 0 && !emg_tsv_number(cell, &value)) {
        return emg_fail_at(err, EMG_ERR_DATA, "", i + 2, 0, "a sample that is no number");
      }
      EMG_TRY(emg_openhdemg_add(m, value, count++, err));
    }
    m->n_rows++;
  }
  return EMG_OK;
}

static emg_status read_pulses(const emg_tsv *table, const int *columns, int n,
                              emg_openhdemg_file *file, emg_error *err) {
  for (int k = 0; k < n; k++) {
    EMG_TRY(emg_openhdemg_add_unit(file, err));
    for (int i = 0; i < table->n_rows; i++) {
      const char *cell = emg_tsv_cell(table, i, columns[k]);
      double value;
      if (cell[0] == '\0') {
        break;
      }
      if (!emg_tsv_number(cell, &value)) {
        return emg_fail_at(err, EMG_ERR_DATA, "", i + 2, 0, "a discharge that is no number");
      }
      EMG_TRY(emg_openhdemg_add_pulse(file, value, err));
    }
  }
  return EMG_OK;
}

bool emg_custom_csv_probe(const emg_probe *probe) {
  const char *text = (const char *)probe->bytes;
  size_t length = strcspn(text, "\r\n");
  const char *raw = strstr(text, "RAW_SIGNAL"), *pulses = strstr(text, "MUPULSES");

  return !probe->is_folder && memchr(text, ',', length) && !memchr(text, '\0', length) &&
         ((raw && raw < text + length) || (pulses && pulses < text + length));
}

emg_status emg_custom_csv_read(const char *path, const emg_read_options *options,
                               emg_recording *out, emg_error *err) {
  emg_openhdemg_file file = emg_openhdemg_start(options);
  emg_tsv table = {0};
  char *bytes;
  size_t n_bytes;
  int *columns = NULL, n;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY_DONE(emg_slurp(path, CSV_BYTES_MAX, &bytes, &n_bytes, err));
  EMG_TRY_DONE(emg_tsv_parse(bytes, n_bytes, ',', &table, err));
  EMG_TRY_DONE(emg_alloc((size_t)table.n_columns, sizeof *columns, &columns, err));
  n = find_columns(&table, "RAW_SIGNAL", columns);
  EMG_TRY_DONE(read_signals(&table, columns, n, &file.raw, err));
  n = find_columns(&table, "REF_SIGNAL", columns);
  EMG_TRY_DONE(read_signals(&table, columns, n, &file.ref, err));
  n = find_columns(&table, "MUPULSES", columns);
  EMG_TRY_DONE(read_pulses(&table, columns, n, &file, err));
  status = emg_openhdemg_finish(&file, "openhdemg CSV", options, out, err);
done:
  emg_tsv_free(&table);
  free(columns);
  emg_openhdemg_free(&file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}
