// mat73.c -- MUedit recordings saved with -v7.3, which are HDF5
//
// Arrays are stored transposed, text as numbers, cell arrays as references to objects elsewhere in
// the file.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/h5.h"
#include "formats_priv.h"

enum { CHANNELS_MAX = 65536, CELLS_MAX = 4096, NUMBERS_MAX = 1 << 24 };

typedef char cell_path[EMG_H5_PATH_MAX];

// Numbers of a small array, in the order of MATLAB; `rows` is MATLAB's first dimension. An empty
// array has none.
typedef struct {
  int64_t n, rows;
  double *values;
} numbers;

static emg_status read_numbers(emg_h5 *file, const char *path, numbers *out, emg_error *err) {
  int rank;
  int64_t dims[EMG_H5_RANK_MAX];
  double is_empty = 0;

  *out = (numbers){0};
  if (emg_h5_attribute(file, path, "MATLAB_empty", &is_empty) && is_empty != 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_shape(file, path, &rank, dims, err));
  out->n = 1;
  out->rows = rank > 0 ? dims[rank - 1] : 1;
  for (int i = 0; i < rank; i++) {
    out->n *= dims[i];
  }
  if (out->n > NUMBERS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld numbers, more than are read", path,
                    (long long)out->n);
  }
  EMG_TRY(emg_alloc((size_t)out->n + 1, sizeof *out->values, &out->values, err));
  return emg_h5_read(file, path, EMG_H5_F64, rank, dims, 0, out->values, err);
}

static double read_scalar(emg_h5 *file, const char *path) {
  numbers m = {0};
  double value = 0;

  if (emg_h5_has(file, path) && read_numbers(file, path, &m, NULL) == EMG_OK && m.n >= 1) {
    value = m.values[0];
  }
  free(m.values);
  return value;
}

static void read_label(emg_h5 *file, const char *path, char *text, size_t size) {
  numbers m = {0};
  char copy[128];
  size_t n = 0;

  if (read_numbers(file, path, &m, NULL) == EMG_OK) {
    for (; n < sizeof copy && (int64_t)n < m.n; n++) {
      copy[n] = m.values[n] >= 32 && m.values[n] < 127 ? (char)m.values[n] : '?';
    }
  }
  free(m.values);
  emg_label_copy(text, size, copy, n);
}

// References of a cell array; none if it is absent.
static emg_status read_cells(emg_h5 *file, const char *path, int *n, cell_path **cells,
                             emg_error *err) {
  double is_empty = 0;

  *n = 0;
  *cells = NULL;
  if (!emg_h5_has(file, path) ||
      (emg_h5_attribute(file, path, "MATLAB_empty", &is_empty) && is_empty != 0)) {
    return EMG_OK;
  }
  return emg_h5_references(file, path, CELLS_MAX, n, cells, err);
}

// uV in a number of the file: stated by programs that say so, else by the user.
static double settle_unit(emg_h5 *file, const emg_read_options *options, emg_recording *out) {
  double uv = 0;

  if (emg_h5_has(file, "signal/units")) {
    read_label(file, "signal/units", out->source_units, sizeof out->source_units);
    uv = emg_uv_per_unit(out->source_units);
  }
  if (uv == 0 && options) {
    uv = options->scale_uv;
  }
  out->is_physical = uv > 0;
  if (!out->is_physical) {
    emg_recording_note(out, "the file states no unit: values are as stored, not uV");
  }
  return uv > 0 ? uv : 1;
}

static emg_status read_data(emg_h5 *file, const emg_read_options *options, emg_recording *out,
                            emg_error *err) {
  int64_t dims[] = {-1, -1};
  double rate_hz;
  float *samples;

  EMG_TRY(emg_h5_expect(file, "signal/data", 2, dims, err));
  if (dims[1] > CHANNELS_MAX || dims[0] > INT32_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "signal.data has %lld channels of %lld samples",
                    (long long)dims[1], (long long)dims[0]);
  }
  EMG_TRY(emg_settle_rate(read_scalar(file, "signal/fsamp"), options, &rate_hz, err));
  EMG_TRY(emg_recording_create((int)dims[1], dims[0], rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 7.3 (MUedit)");
  EMG_TRY(emg_alloc((size_t)dims[0] * (size_t)dims[1], sizeof *samples, &samples, err));
  emg_status status = emg_h5_read(file, "signal/data", EMG_H5_F32, 2, dims, 0, samples, err);
  double scale = settle_unit(file, options, out);
  for (int c = 0; status == EMG_OK && c < out->data.n_rows && dims[0] > 0; c++) {
    float *row = emg_row2f(&out->data, c);
    for (int64_t i = 0; i < dims[0]; i++) {
      row[i] = (float)(samples[i * dims[1] + c] * scale);
    }
  }
  free(samples);
  return status;
}

// One grid: row and column from 1 of its channels, which follow those of the grids before.
static emg_status read_grid(emg_h5 *file, const char *path, const char *mask_path,
                            const char *name_path, double pitch_mm, int *first, emg_recording *out,
                            emg_error *err) {
  numbers places, mask = {0};
  char group[32] = "";

  emg_status status = read_numbers(file, path, &places, err);
  int64_t n = places.rows;
  if (status == EMG_OK && (places.n != 2 * n || n > out->data.n_rows - *first)) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "signal.coordinates does not give row and column of at most %d channels",
                      out->data.n_rows - *first);
  }
  if (status == EMG_OK && mask_path) {
    status = read_numbers(file, mask_path, &mask, err);
  }
  if (name_path) {
    read_label(file, name_path, group, sizeof group);
  }
  for (int64_t k = 0; status == EMG_OK && k < n; k++) {
    emg_channel *channel = &out->channels[*first + k];
    double row = places.values[k], column = places.values[k + n];
    memcpy(channel->group, group, sizeof group);
    if (row >= 1 && column >= 1 && row < CHANNELS_MAX && column < CHANNELS_MAX) {
      channel->row = (int)row - 1;
      channel->column = (int)column - 1;
    }
    if (channel->row >= 0 && pitch_mm > 0) {
      channel->x_mm = pitch_mm * channel->column;
      channel->y_mm = pitch_mm * channel->row;
      channel->z_mm = 0;
    }
    if (mask.n == n && mask.values[k] == 1) {
      channel->state = EMG_CHANNEL_MARKED;
    }
  }
  *first += (int)n;
  free(places.values);
  free(mask.values);
  return status;
}

static emg_status read_grids(emg_h5 *file, emg_recording *out, emg_error *err) {
  cell_path *grids = NULL, *masks = NULL, *names = NULL;
  numbers distance = {0};
  int n_grids, n_masks, n_names, first = 0;
  emg_status status;

  EMG_TRY_DONE(read_cells(file, "signal/coordinates", &n_grids, &grids, err));
  EMG_TRY_DONE(read_cells(file, "signal/EMGmask", &n_masks, &masks, err));
  EMG_TRY_DONE(read_cells(file, "signal/gridname", &n_names, &names, err));
  if (emg_h5_has(file, "signal/IED")) {
    EMG_TRY_DONE(read_numbers(file, "signal/IED", &distance, err));
  }
  for (int g = 0; g < n_grids; g++) {
    double pitch_mm = g < distance.n ? distance.values[g] : 0;
    EMG_TRY_DONE(read_grid(file, grids[g], g < n_masks ? masks[g] : NULL,
                           g < n_names ? names[g] : NULL, pitch_mm, &first, out, err));
    out->pitch_mm = g == 0 && pitch_mm > 0 ? pitch_mm : out->pitch_mm;
  }
  if (n_grids == 0) {
    emg_recording_note(out, "no electrode coordinates in the file");
  }
  status = EMG_OK;
done:
  free(grids);
  free(masks);
  free(names);
  free(distance.values);
  return status;
}

// Auxiliary signals, C x T as the EMG, and their names.
static emg_status read_aux(emg_h5 *file, emg_recording *out, emg_error *err) {
  cell_path *names = NULL;
  int n_names = 0, rank;
  int64_t dims[EMG_H5_RANK_MAX];
  float *samples = NULL;
  double is_empty = 0;
  emg_status status;

  if (!emg_h5_has(file, "signal/auxiliary") ||
      (emg_h5_attribute(file, "signal/auxiliary", "MATLAB_empty", &is_empty) && is_empty != 0) ||
      emg_h5_shape(file, "signal/auxiliary", &rank, dims, NULL) != EMG_OK || rank != 2 ||
      dims[0] != out->data.n_cols || dims[1] < 1 || dims[1] > CHANNELS_MAX || dims[0] == 0) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_recording_add_aux(out, (int)dims[1], err));
  EMG_TRY_DONE(emg_alloc((size_t)dims[0] * (size_t)dims[1], sizeof *samples, &samples, err));
  EMG_TRY_DONE(emg_h5_read(file, "signal/auxiliary", EMG_H5_F32, 2, dims, 0, samples, err));
  status = read_cells(file, "signal/auxiliaryname", &n_names, &names, err);
  for (int a = 0; status == EMG_OK && a < out->aux.n_rows; a++) {
    float *row = emg_row2f(&out->aux, a);
    for (int64_t i = 0; i < dims[0]; i++) {
      row[i] = samples[i * dims[1] + a];
    }
    snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name, "auxiliary");
    if (a < n_names) {
      read_label(file, names[a], out->aux_channels[a].name, sizeof out->aux_channels[a].name);
    }
  }
done:
  free(samples);
  free(names);
  return status;
}

static int compare_numbers(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Make ascending samples from 0 of MATLAB's from 1; false if one is none. A doubled one is kept
// once.
static bool to_samples(numbers *m) {
  int64_t n = 0;

  qsort(m->values, (size_t)m->n, sizeof *m->values, compare_numbers);
  for (int64_t i = 0; i < m->n; i++) {
    double value = m->values[i];
    if (!(value >= 1 && value < 9e15) || value != floor(value)) {
      return false;
    }
    if (n == 0 || m->values[n - 1] != value - 1) {
      m->values[n++] = value - 1;
    }
  }
  m->n = n;
  return true;
}

// Discharge times, edited ones first: a cell per grid and unit, column by column, empty where a
// grid has fewer units than another. Read grid by grid.
static emg_status read_labels(emg_h5 *file, emg_recording *out, emg_error *err) {
  cell_path *cells = NULL;
  numbers *trains = NULL;
  int64_t *counts = NULL;
  const char *path = emg_h5_has(file, "edition/Dischargetimes") ? "edition/Dischargetimes"
                                                                : "signal/Dischargetimes";
  double stated = read_scalar(file, "signal/ngrid");
  int n_cells, n = 0;
  emg_status status;

  EMG_TRY_DONE(read_cells(file, path, &n_cells, &cells, err));
  int n_grids = stated >= 1 && stated <= n_cells && n_cells % (int)stated == 0 ? (int)stated : 1;
  int n_columns = n_cells / n_grids;
  EMG_TRY_DONE(emg_alloc((size_t)n_cells + 1, sizeof *trains, &trains, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_cells + 1, sizeof *counts, &counts, err));
  for (int i = 0; i < n_cells; i++) {
    int cell = i / n_columns + i % n_columns * n_grids;
    status = read_numbers(file, cells[cell], &trains[n], err);
    if (status != EMG_OK) {
      n++;
      goto done;
    }
    if (trains[n].n == 0) {
      free(trains[n].values);
      trains[n].values = NULL;
      continue;
    }
    if (!to_samples(&trains[n])) {
      status =
          emg_fail(err, EMG_ERR_DATA, "a discharge time of unit %d is no sample from 1", n + 1);
      n++;
      goto done;
    }
    counts[n] = trains[n].n;
    n++;
  }
  EMG_TRY_DONE(emg_spikes_create(n, counts, out->rate_hz, out->data.n_cols, &out->labels, err));
  for (int u = 0; u < n; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      out->labels.samples[out->labels.offsets[u] + i] = (int64_t)trains[u].values[i];
    }
  }
  status = emg_spikes_check(&out->labels, err);
done:
  for (int u = 0; trains && u < n; u++) {
    free(trains[u].values);
  }
  free(trains);
  free(counts);
  free(cells);
  return status;
}

bool emg_mat73_probe(const emg_probe *probe) {
  return !probe->is_folder && probe->n_bytes >= 10 && memcmp(probe->bytes, "MATLAB 7.3", 10) == 0;
}

emg_status emg_mat73_read(const char *path, const emg_read_options *options, emg_recording *out,
                          emg_error *err) {
  emg_h5 *file;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY(emg_h5_open(path, &file, err));
  if (!emg_h5_has(file, "signal/data")) {
    status =
        emg_fail(err, EMG_ERR_DATA,
                 "a MATLAB 7.3 file without signal.data of MUedit; other layouts are read from "
                 "version 5 files: save it with save -v7");
    goto done;
  }
  EMG_TRY_DONE(read_data(file, options, out, err));
  EMG_TRY_DONE(read_grids(file, out, err));
  EMG_TRY_DONE(read_aux(file, out, err));
  status = read_labels(file, out, err);
done:
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}
