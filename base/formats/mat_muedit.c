// mat_muedit.c -- MUedit recordings in MATLAB 5 files: structure `signal`
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "formats_priv.h"
#include "mat_layouts_priv.h"

enum { ROWS_MAX = 65536 };  // of a grid

// Grid g: its channels in the order of data, with row and column from 1 in coordinates{g}.
static void muedit_grid(const emg_mat *signal, int64_t g, int first, int n, emg_recording *out) {
  const emg_mat *coordinates = emg_mat_cell(emg_mat_field(signal, 0, "coordinates"), g);
  const emg_mat *mask = emg_mat_cell(emg_mat_field(signal, 0, "EMGmask"), g);
  const emg_mat *distance = emg_mat_field(signal, 0, "IED");
  char group[32] = "";
  double pitch_mm = 0;

  emg_mat_text(emg_mat_cell(emg_mat_field(signal, 0, "gridname"), g), group, sizeof group);
  if (emg_mat_is_numeric(distance) && g < emg_mat_count(distance)) {
    pitch_mm = emg_mat_value(distance, g);
    out->pitch_mm = g == 0 && pitch_mm > 0 ? pitch_mm : out->pitch_mm;
  }
  for (int k = 0; k < n; k++) {
    emg_channel *channel = &out->channels[first + k];
    double row = emg_mat_value(coordinates, k), column = emg_mat_value(coordinates, k + n);
    memcpy(channel->group, group, sizeof group);
    if (row >= 1 && column >= 1 && row < ROWS_MAX && column < ROWS_MAX) {
      channel->row = (int)row - 1;
      channel->column = (int)column - 1;
    }
    if (channel->row >= 0 && pitch_mm > 0) {
      channel->x_mm = pitch_mm * channel->column;
      channel->y_mm = pitch_mm * channel->row;
      channel->z_mm = 0;
    }
    if (emg_mat_is_numeric(mask) && emg_mat_count(mask) == n && emg_mat_value(mask, k) == 1) {
      channel->state = EMG_CHANNEL_MARKED;
    }
  }
}

static emg_status muedit_channels(const emg_mat *signal, emg_recording *out, emg_error *err) {
  const emg_mat *coordinates = emg_mat_field(signal, 0, "coordinates");
  int first = 0;

  if (!coordinates || coordinates->kind != MAT_CELL) {
    emg_recording_note(out, "no electrode coordinates in the file");
    return EMG_OK;
  }
  for (int64_t g = 0; g < emg_mat_count(coordinates); g++) {
    const emg_mat *grid = emg_mat_cell(coordinates, g);
    if (!emg_mat_is_numeric(grid) || grid->n_columns != 2 ||
        grid->n_rows > out->data.n_rows - first) {
      return emg_fail(err, EMG_ERR_DATA,
                      "coordinates{%lld} of signal does not give row and column of at most %d "
                      "channels",
                      (long long)g + 1, out->data.n_rows - first);
    }
    muedit_grid(signal, g, first, (int)grid->n_rows, out);
    first += (int)grid->n_rows;
  }
  return EMG_OK;
}

static emg_status muedit_aux(const emg_mat *signal, emg_recording *out, emg_error *err) {
  static const char *const vectors[] = {"path", "target"};
  const emg_mat *aux = emg_mat_field(signal, 0, "auxiliary");
  const emg_mat *names = emg_mat_field(signal, 0, "auxiliaryname");
  int64_t n_samples = out->data.n_cols;
  int n_aux = emg_mat_is_numeric(aux) && aux->n_columns == n_samples ? (int)aux->n_rows : 0,
      n = n_aux;

  for (int k = 0; k < 2; k++) {
    const emg_mat *m = emg_mat_field(signal, 0, vectors[k]);
    n += emg_mat_is_numeric(m) && emg_mat_count(m) == n_samples;
  }
  if (n == 0 || n_samples == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_recording_add_aux(out, n, err));
  for (int k = 0; k < n_aux; k++) {
    char name[48];
    emg_mat_text(emg_mat_cell(names, k), name, sizeof name);
    emg_mat_name_aux(out, k, name[0] ? name : "auxiliary", "");
    emg_mat_floats(aux, k, aux->n_rows, n_samples, emg_row2f(&out->aux, k));
  }
  n = n_aux;
  for (int k = 0; k < 2; k++) {
    const emg_mat *m = emg_mat_field(signal, 0, vectors[k]);
    if (emg_mat_is_numeric(m) && emg_mat_count(m) == n_samples) {
      emg_mat_name_aux(out, n, vectors[k], "");
      emg_mat_floats(m, 0, 1, n_samples, emg_row2f(&out->aux, n++));
    }
  }
  return EMG_OK;
}

// Discharges, edited ones first: a cell per grid and unit, or cells of units within cells of grids.
static emg_status muedit_labels(const emg_mat_file *file, const emg_mat *signal, emg_recording *out,
                                emg_error *err) {
  const emg_mat *cells = emg_mat_field(emg_mat_find(file, "edition"), 0, "Dischargetimes");
  const emg_mat **trains;
  int n = 0;

  if (!cells || cells->kind != MAT_CELL) {
    cells = emg_mat_field(signal, 0, "Dischargetimes");
  }
  if (!cells || cells->kind != MAT_CELL) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc(EMG_MAT_UNITS_MAX, sizeof *trains, &trains, err));
  for (int64_t row = 0; row < cells->n_rows; row++) {
    for (int64_t column = 0; column < cells->n_columns; column++) {
      const emg_mat *cell = emg_mat_cell(cells, row + column * cells->n_rows);
      int64_t n_inside = cell->kind == MAT_CELL ? emg_mat_count(cell) : 1;
      for (int64_t k = 0; k < n_inside && n < EMG_MAT_UNITS_MAX; k++) {
        const emg_mat *train = emg_mat_cell(cell, k);
        if (emg_mat_is_numeric(train) && emg_mat_count(train) > 0) {
          trains[n++] = train;
        }
      }
    }
  }
  emg_status status = emg_mat_read_trains(trains, n, out->rate_hz, out->data.n_cols, out, err);
  free(trains);
  return status;
}

emg_status emg_mat_read_muedit(const emg_mat_file *file, const emg_read_options *options,
                               emg_recording *out, emg_error *err) {
  const emg_mat *signal = emg_mat_find(file, "signal"), *data = emg_mat_field(signal, 0, "data");
  double rate_hz;

  if (!emg_mat_is_numeric(data)) {
    return emg_fail(err, EMG_ERR_DATA, "signal.data of the MUedit file holds no numbers");
  }
  EMG_TRY(emg_mat_check_size(data->n_rows, data->n_columns, err));
  EMG_TRY(emg_mat_read_rate(emg_mat_field(signal, 0, "fsamp"), options, &rate_hz, err));
  EMG_TRY(emg_recording_create((int)data->n_rows, data->n_columns, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (MUedit)");
  for (int c = 0; c < out->data.n_rows && out->data.n_cols > 0; c++) {
    emg_mat_floats(data, c, data->n_rows, data->n_columns, emg_row2f(&out->data, c));
  }
  emg_mat_scale_counts(out, emg_mat_field(signal, 0, "units"), options);
  EMG_TRY(muedit_channels(signal, out, err));
  EMG_TRY(muedit_aux(signal, out, err));
  return muedit_labels(file, signal, out, err);
}
