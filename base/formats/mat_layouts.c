// mat_layouts.c -- what the arrays of a MATLAB file mean: which layout, and DEMUSE and flexemg
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "formats_priv.h"
#include "mat_layouts_priv.h"

enum { CHANNELS_MAX = 65536, SAMPLES_MAX = INT_MAX };

// --- shared ---

emg_status emg_mat_read_rate(const emg_mat *m, const emg_read_options *options, double *rate_hz,
                             emg_error *err) {
  double stated = 0;

  if (m && !emg_mat_scalar(m, &stated)) {
    return emg_fail(err, EMG_ERR_DATA, "the sampling rate (%s) is not a single number", m->name);
  }
  return emg_settle_rate(stated, options, rate_hz, err);
}

// Layouts that need not state a unit: counts, unless they do or the user gives a scale.
void emg_mat_scale_counts(emg_recording *out, const emg_mat *unit,
                          const emg_read_options *options) {
  double scale = options ? options->scale_uv : 0;

  emg_mat_text(unit, out->source_units, sizeof out->source_units);
  double stated = emg_uv_per_unit(out->source_units);
  out->is_physical = stated > 0 || scale > 0;
  if (!out->is_physical) {
    emg_recording_note(out, "the file states no unit: values are as stored, not uV");
    return;
  }
  if (!(stated > 0)) {
    emg_recording_note(out, "the file states no unit: %g uV per count as given", scale);
  }
  scale = stated > 0 ? stated : scale;
  for (int c = 0; c < out->data.n_rows && out->data.n_cols > 0; c++) {
    float *row = emg_row2f(&out->data, c);
    for (int64_t i = 0; i < out->data.n_cols; i++) {
      row[i] = (float)(row[i] * scale);
    }
  }
}

static int compare_samples(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Spike trains from arrays of MATLAB's 1-based samples, one array per unit.
emg_status emg_mat_read_trains(const emg_mat *const *trains, int n_units, double rate_hz,
                               int64_t n_samples, emg_recording *out, emg_error *err) {
  int64_t *counts;
  int n_repaired = 0;

  EMG_TRY(emg_alloc((size_t)n_units + 1, sizeof *counts, &counts, err));
  for (int u = 0; u < n_units; u++) {
    counts[u] = trains[u]->kind == MAT_NUMERIC ? emg_mat_count(trains[u]) : 0;
  }
  emg_status status = emg_spikes_create(n_units, counts, rate_hz, n_samples, &out->labels, err);
  free(counts);
  EMG_TRY(status);

  // offsets are built again, for doubled samples are dropped
  int64_t to = 0;
  for (int u = 0; u < n_units; u++) {
    int64_t n = emg_spikes_count(&out->labels, u), first = to;
    int64_t *samples = out->labels.samples + out->labels.offsets[u];
    bool is_sorted = true;

    for (int64_t i = 0; i < n; i++) {
      double value = emg_mat_value(trains[u], i);
      if (!(value >= 1 && value < 9e15) || value != floor(value)) {
        return emg_fail(err, EMG_ERR_DATA, "unit %d discharges at sample %g; samples count from 1",
                        u + 1, value);
      }
      samples[i] = (int64_t)value - 1;
      is_sorted = is_sorted && (i == 0 || samples[i] > samples[i - 1]);
    }
    if (!is_sorted) {
      qsort(samples, (size_t)n, sizeof *samples, compare_samples);
      n_repaired++;
    }
    out->labels.offsets[u] = to;
    for (int64_t i = 0; i < n; i++) {
      if (to == first || samples[i] > out->labels.samples[to - 1]) {
        out->labels.samples[to++] = samples[i];
      }
    }
  }
  out->labels.offsets[n_units] = to;
  if (n_repaired > 0) {
    emg_recording_note(out, "discharges of %d units were out of order or doubled: put in order",
                       n_repaired);
  }
  return emg_spikes_check(&out->labels, err);
}

static emg_status read_train_cells(const emg_mat *cells, double rate_hz, int64_t n_samples,
                                   emg_recording *out, emg_error *err) {
  const emg_mat **trains;
  int64_t n = cells->kind == MAT_CELL ? emg_mat_count(cells) : cells->kind == MAT_NUMERIC;

  if (n > EMG_MAT_UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "the file lists %lld units; at most %d are read",
                    (long long)n, EMG_MAT_UNITS_MAX);
  }
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *trains, &trains, err));
  for (int64_t u = 0; u < n; u++) {
    trains[u] = emg_mat_cell(cells, u);
  }
  emg_status status = emg_mat_read_trains(trains, (int)n, rate_hz, n_samples, out, err);
  free(trains);
  return status;
}

emg_status emg_mat_check_size(int64_t n_channels, int64_t n_samples, emg_error *err) {
  if (n_channels > CHANNELS_MAX || n_samples > SAMPLES_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "%lld channels of %lld samples are more than are read",
                    (long long)n_channels, (long long)n_samples);
  }
  return EMG_OK;
}

void emg_mat_name_aux(emg_recording *out, int a, const char *name, const char *units) {
  snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name, "%.47s", name);
  snprintf(out->aux_channels[a].units, sizeof out->aux_channels[a].units, "%.15s", units);
}

// --- DEMUSE (Holobar): SIG cells of the grid, discharges in MUPulses ---

// Channels with a signal and their common length; 0 channels if there is no SIG.
static emg_status measure_sig(const emg_mat *sig, int *n_channels, int64_t *n_samples,
                              emg_error *err) {
  *n_channels = 0;
  *n_samples = 0;
  for (int64_t i = 0; sig && i < emg_mat_count(sig); i++) {
    const emg_mat *cell = emg_mat_cell(sig, i);
    int64_t n = cell->kind == MAT_NUMERIC ? emg_mat_count(cell) : 0;
    if (n == 0) {
      continue;
    }
    if (*n_channels > 0 && n != *n_samples) {
      return emg_fail(err, EMG_ERR_DATA, "the signals of SIG have %lld and %lld samples",
                      (long long)*n_samples, (long long)n);
    }
    *n_samples = n;
    ++*n_channels;
  }
  return emg_mat_check_size(*n_channels, *n_samples, err);
}

static void read_sig(const emg_mat *sig, const emg_mat *discarded, double pitch_mm,
                     emg_recording *out) {
  bool has_marks = emg_mat_is_numeric(discarded) && emg_mat_count(discarded) == emg_mat_count(sig);
  int c = 0;

  // row by row, as the grid is read
  for (int64_t row = 0; row < sig->n_rows; row++) {
    for (int64_t column = 0; column < sig->n_columns; column++) {
      int64_t i = row + column * sig->n_rows;
      const emg_mat *cell = emg_mat_cell(sig, i);
      if (cell->kind != MAT_NUMERIC || emg_mat_count(cell) == 0) {
        continue;
      }
      emg_mat_floats(cell, 0, 1, out->data.n_cols, emg_row2f(&out->data, c));
      emg_channel *channel = &out->channels[c++];
      channel->row = (int)row;
      channel->column = (int)column;
      if (pitch_mm > 0) {
        channel->x_mm = pitch_mm * (double)column;
        channel->y_mm = pitch_mm * (double)row;
        channel->z_mm = 0;
      }
      if (has_marks && emg_mat_value(discarded, i) == 1) {
        channel->state = EMG_CHANNEL_MARKED;
      }
    }
  }
}

static emg_status read_demuse(const emg_mat_file *file, const emg_read_options *options,
                              emg_recording *out, emg_error *err) {
  const emg_mat *sig = emg_mat_find(file, "SIG"), *pulses = emg_mat_find(file, "MUPulses");
  const emg_mat *force = emg_mat_find(file, "ref_signal");
  double rate_hz, pitch_mm = 0;
  int n_channels;
  int64_t n_samples;

  sig = sig && sig->kind == MAT_CELL ? sig : NULL;
  EMG_TRY(emg_mat_read_rate(emg_mat_find(file, "fsamp"), options, &rate_hz, err));
  EMG_TRY(measure_sig(sig, &n_channels, &n_samples, err));
  if (n_channels == 0 && emg_mat_is_numeric(force)) {
    n_samples = emg_mat_count(force);
    EMG_TRY(emg_mat_check_size(0, n_samples, err));
  }
  EMG_TRY(emg_recording_create(n_channels, n_samples, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (DEMUSE)");
  if (n_channels > 0) {
    if (!emg_mat_scalar(emg_mat_find(file, "IED"), &pitch_mm) || !(pitch_mm > 0)) {
      emg_recording_note(out, "no inter-electrode distance (IED) in the file");
      pitch_mm = 0;
    }
    read_sig(sig, emg_mat_find(file, "discardChannelsVec"), pitch_mm, out);
    out->pitch_mm = pitch_mm > 0 ? pitch_mm : NAN;
    emg_mat_scale_counts(out, emg_mat_find(file, "SIG_units"), options);
  }
  if (emg_mat_is_numeric(force) && n_samples > 0 && emg_mat_count(force) == n_samples) {
    EMG_TRY(emg_recording_add_aux(out, 1, err));
    emg_mat_floats(force, 0, 1, n_samples, emg_row2f(&out->aux, 0));
    emg_mat_name_aux(out, 0, "ref_signal", "");
  } else if (emg_mat_is_numeric(force) && emg_mat_count(force) > 0) {
    emg_recording_note(out, "ref_signal has another length than the EMG and was left out");
  }
  return pulses ? read_train_cells(pulses, rate_hz, n_samples, out, err) : EMG_OK;
}

// --- flexemg (Moin et al. 2018): raw counts [sample][channel], p.lsbmV the step in mV ---

static emg_status read_flexemg(const emg_mat_file *file, const emg_read_options *options,
                               emg_recording *out, emg_error *err) {
  const emg_mat *raw = emg_mat_find(file, "raw"), *p = emg_mat_find(file, "p");
  double rate_hz, step_mv;

  if (!emg_mat_scalar(emg_mat_field(p, 0, "lsbmV"), &step_mv) || !(step_mv > 0)) {
    return emg_fail(err, EMG_ERR_DATA, "p.lsbmV, the step of the converter, is not a number");
  }
  EMG_TRY(emg_mat_check_size(raw->n_columns, raw->n_rows, err));
  if (!options || (options->rate_hz == 0 && !options->allow_no_rate)) {
    return emg_fail(
        err, EMG_ERR_DATA,
        "flexemg files do not state their sampling rate; give it with --rate \"1000 Hz\" "
        "(that of the published recordings)");
  }
  EMG_TRY(emg_mat_read_rate(NULL, options, &rate_hz, err));
  EMG_TRY(emg_recording_create((int)raw->n_columns, raw->n_rows, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (flexemg)");
  snprintf(out->source_units, sizeof out->source_units, "mV");

  // an AC-coupled amplifier and an unsigned converter: each channel rests somewhere near the middle
  // of the range, which means nothing and is taken away
  for (int c = 0; c < out->data.n_rows && out->data.n_cols > 0; c++) {
    float *row = emg_row2f(&out->data, c);
    double mean = 0;
    emg_mat_floats(raw, c * raw->n_rows, 1, raw->n_rows, row);
    for (int64_t i = 0; i < raw->n_rows; i++) {
      mean += row[i] / (double)raw->n_rows;
    }
    for (int64_t i = 0; i < raw->n_rows; i++) {
      row[i] = (float)((row[i] - mean) * step_mv * 1e3);
    }
  }
  emg_recording_note(out, "the mean of each channel, the rest level of its converter, was removed");
  if (!options || !options->map) {
    emg_recording_note(out, "the file does not say where its %d channels are; give a grid map",
                       out->data.n_rows);
  }
  return EMG_OK;
}

// --- which layout ---

typedef struct {
  const char *name;
  emg_status (*read)(const emg_mat_file *file, const emg_read_options *options, emg_recording *out,
                     emg_error *err);
} layout;

static const layout *find_layout(const emg_mat_file *file) {
  static const layout demuse = {"DEMUSE", read_demuse}, otbiolab = {"OTBiolab+", emg_mat_read_otb},
                      muedit = {"MUedit", emg_mat_read_muedit}, flexemg = {"flexemg", read_flexemg};

  if (emg_mat_find(file, "SIG") || emg_mat_find(file, "MUPulses")) {
    return &demuse;
  }
  if (emg_mat_field(emg_mat_find(file, "signal"), 0, "data")) {
    return &muedit;
  }
  if (emg_mat_find(file, "Data") && emg_mat_find(file, "Description")) {
    return &otbiolab;
  }
  if (emg_mat_is_numeric(emg_mat_find(file, "raw")) &&
      emg_mat_field(emg_mat_find(file, "p"), 0, "lsbmV")) {
    return &flexemg;
  }
  return NULL;
}

static emg_status fail_unknown(const emg_mat_file *file, emg_error *err) {
  char what[240];
  size_t used = 0;

  what[0] = '\0';
  for (int i = 0; i < file->n && used < 160; i++) {
    const emg_mat *m = &file->variables[i];
    used +=
        (size_t)snprintf(what + used, sizeof what - used, "%s%s (%lld x %lld)", i > 0 ? ", " : "",
                         m->name, (long long)m->n_rows, (long long)m->n_columns);
  }
  return emg_fail(
      err, EMG_ERR_DATA,
      "a MATLAB file of no known layout (DEMUSE, OTBiolab+, MUedit, flexemg); it holds %s",
      file->n > 0 ? what : "no variables");
}

bool emg_mat_probe(const emg_probe *probe) {
  // version 1 in the byte order of the writer; a file cut within the header is known by its text
  const unsigned char *b = probe->bytes;
  bool is_version_1 = probe->n_bytes >= 128 && ((b[126] == 'I' && b[127] == 'M' && b[125] == 1) ||
                                                (b[126] == 'M' && b[127] == 'I' && b[124] == 1));

  return !probe->is_folder &&
         (is_version_1 || (probe->n_bytes >= 6 && memcmp(b, "MATLAB", 6) == 0 &&
                           !(probe->n_bytes >= 10 && memcmp(b, "MATLAB 7.3", 10) == 0)));
}

emg_status emg_mat_read_recording(const char *path, const emg_read_options *options,
                                  emg_recording *out, emg_error *err) {
  emg_mat_file file;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY(emg_mat_read(path, &file, err));
  const layout *known = find_layout(&file);
  emg_status status = known ? known->read(&file, options, out, err) : fail_unknown(&file, err);
  emg_mat_free(&file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}
