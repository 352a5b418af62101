// mat_layouts.c -- what the arrays of a MATLAB file mean: DEMUSE, OTBiolab+, MUedit, flexemg
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/array.h>

#include "formats_priv.h"
#include "mat.h"

enum { CHANNELS_MAX = 65536, UNITS_MAX = 4096, SAMPLES_MAX = INT_MAX, OTB_DELAY = 8 };

// --- shared ---

static emg_status read_rate(const emg_mat *m, const emg_read_options *options, double *rate_hz,
                            emg_error *err) {
  double stated = 0;

  if (m && !emg_mat_scalar(m, &stated)) {
    return emg_fail(err, EMG_ERR_DATA, "the sampling rate (%s) is not a single number", m->name);
  }
  return emg_settle_rate(stated, options, rate_hz, err);
}

// Layouts that state no unit: counts, unless the user gives a scale.
static void scale_counts(emg_recording *out, const emg_read_options *options) {
  double scale = options ? options->scale_uv : 0;

  out->is_physical = scale > 0;
  if (!(scale > 0)) {
    emg_recording_note(out, "the file states no unit: values are as stored, not uV");
    return;
  }
  emg_recording_note(out, "the file states no unit: %g uV per count as given", scale);
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
static emg_status read_trains(const emg_mat *const *trains, int n_units, double rate_hz,
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

  if (n > UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "the file lists %lld units; at most %d are read",
                    (long long)n, UNITS_MAX);
  }
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *trains, &trains, err));
  for (int64_t u = 0; u < n; u++) {
    trains[u] = emg_mat_cell(cells, u);
  }
  emg_status status = read_trains(trains, (int)n, rate_hz, n_samples, out, err);
  free(trains);
  return status;
}

static emg_status check_size(int64_t n_channels, int64_t n_samples, emg_error *err) {
  if (n_channels > CHANNELS_MAX || n_samples > SAMPLES_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "%lld channels of %lld samples are more than are read",
                    (long long)n_channels, (long long)n_samples);
  }
  return EMG_OK;
}

static void name_aux(emg_recording *out, int a, const char *name, const char *units) {
  snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name, "%.47s", name);
  snprintf(out->aux_channels[a].units, sizeof out->aux_channels[a].units, "%.15s", units);
}

static bool is_numeric(const emg_mat *m) {
  return m && m->kind == MAT_NUMERIC;
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
  return check_size(*n_channels, *n_samples, err);
}

static void read_sig(const emg_mat *sig, const emg_mat *discarded, double pitch_mm,
                     emg_recording *out) {
  bool has_marks = is_numeric(discarded) && emg_mat_count(discarded) == emg_mat_count(sig);
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
  EMG_TRY(read_rate(emg_mat_find(file, "fsamp"), options, &rate_hz, err));
  EMG_TRY(measure_sig(sig, &n_channels, &n_samples, err));
  if (n_channels == 0 && is_numeric(force)) {
    n_samples = emg_mat_count(force);
    EMG_TRY(check_size(0, n_samples, err));
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
    scale_counts(out, options);
  }
  if (is_numeric(force) && n_samples > 0 && emg_mat_count(force) == n_samples) {
    EMG_TRY(emg_recording_add_aux(out, 1, err));
    emg_mat_floats(force, 0, 1, n_samples, emg_row2f(&out->aux, 0));
    name_aux(out, 0, "ref_signal", "");
  } else if (is_numeric(force) && emg_mat_count(force) > 0) {
    emg_recording_note(out, "ref_signal has another length than the EMG and was left out");
  }
  return pulses ? read_train_cells(pulses, rate_hz, n_samples, out, err) : EMG_OK;
}

// --- OTBiolab+ export: columns of Data, told apart by their texts ---

typedef enum { COLUMN_EMG, COLUMN_AUX, COLUMN_FIRING, COLUMN_IGNORED } otb_column;

static bool mentions(const char *text, const char *word) {
  return strcasestr(text, word) != NULL;
}

static otb_column otb_kind(const char *text) {
  if (mentions(text, "decomposition of")) {
    return COLUMN_FIRING;
  }
  if (mentions(text, "source for decomposition")) {
    return COLUMN_IGNORED;
  }
  if (mentions(text, "acquired data") || mentions(text, "performed path") ||
      mentions(text, "requested path") || mentions(text, "auxiliary") || mentions(text, "force") ||
      mentions(text, "trigger") || mentions(text, "quaternion") || mentions(text, "buffer") ||
      mentions(text, "ramp") || mentions(text, "control")) {
    return COLUMN_AUX;
  }
  return COLUMN_EMG;
}

// Unit in brackets at the end of a column's text, "" if there is none.
static void otb_unit(const char *text, char unit[16]) {
  const char *open = strrchr(text, '['), *close = open ? strchr(open, ']') : NULL;

  unit[0] = '\0';
  if (close) {
    emg_label_copy(unit, 16, open + 1, (size_t)(close - open) - 1);
  }
}

// Grid code ("GR08MM1305": 8 mm, 13 rows, 5 columns) in a column's text; its distance in mm, 0 if
// none.
static double otb_grid(const char *text, char group[32]) {
  for (const char *at = text; *at; at++) {
    int pitch_mm, rows, columns, length = 0;
    if ((strncmp(at, "GR", 2) == 0 || strncmp(at, "HD", 2) == 0) &&
        sscanf(at + 2, "%2dMM%2d%2d%n", &pitch_mm, &rows, &columns, &length) == 3 && length > 0) {
      snprintf(group, 32, "%.*s", length + 2, at);
      return pitch_mm;
    }
  }
  return 0;
}

typedef struct {
  const emg_mat *data, *texts;
  int n[COLUMN_IGNORED + 1];
  bool is_physical;
} otb;

static void otb_text(const otb *o, int64_t column, char text[200]) {
  emg_mat_text(emg_mat_cell(o->texts, column), text, 200);
}

static void otb_emg_column(const otb *o, int64_t column, int c, emg_recording *out) {
  char text[200], unit[16];
  emg_channel *channel = &out->channels[c];
  float *row = emg_row2f(&out->data, c);

  otb_text(o, column, text);
  otb_unit(text, unit);
  emg_label_copy(channel->name, sizeof channel->name, text, strcspn(text, "["));
  double pitch_mm = otb_grid(text, channel->group);
  if (pitch_mm > 0) {
    out->pitch_mm = pitch_mm;
  }
  emg_mat_floats(o->data, column * o->data->n_rows, 1, o->data->n_rows, row);
  if (o->is_physical) {
    double uv = emg_uv_per_unit(unit);
    for (int64_t i = 0; i < out->data.n_cols; i++) {
      row[i] = (float)(row[i] * uv);
    }
    snprintf(out->source_units, sizeof out->source_units, "%s", unit);
  }
}

// Discharges of a 0/1 column; the program writes them late by its extension factor.
static emg_status otb_firings(const otb *o, emg_recording *out, emg_error *err) {
  int64_t *counts;
  int u = 0;

  EMG_TRY(emg_alloc((size_t)o->n[COLUMN_FIRING] + 1, sizeof *counts, &counts, err));
  for (int pass = 0; pass < 2; pass++) {
    u = 0;
    for (int64_t k = 0; k < o->data->n_columns; k++) {
      char text[200];
      otb_text(o, k, text);
      if (otb_kind(text) != COLUMN_FIRING) {
        continue;
      }
      int64_t n = 0;
      for (int64_t i = OTB_DELAY; i < o->data->n_rows; i++) {
        if (emg_mat_value(o->data, k * o->data->n_rows + i) > 0.5) {
          if (pass == 1) {
            out->labels.samples[out->labels.offsets[u] + n] = i - OTB_DELAY;
          }
          n++;
        }
      }
      counts[u++] = n;
    }
    emg_status status =
        pass == 0 ? emg_spikes_create(u, counts, out->rate_hz, o->data->n_rows, &out->labels, err)
                  : EMG_OK;
    if (status != EMG_OK) {
      free(counts);
      return status;
    }
  }
  free(counts);
  emg_recording_note(out, "discharges of OTBiolab+ moved %d samples earlier, its delay", OTB_DELAY);
  return EMG_OK;
}

static void otb_count(otb *o) {
  char text[200], unit[16];

  o->is_physical = true;
  for (int64_t k = 0; k < o->data->n_columns; k++) {
    otb_text(o, k, text);
    otb_unit(text, unit);
    otb_column kind = otb_kind(text);
    o->n[kind]++;
    o->is_physical = o->is_physical && (kind != COLUMN_EMG || emg_uv_per_unit(unit) > 0);
  }
}

static emg_status read_otb(const emg_mat_file *file, const emg_read_options *options,
                           emg_recording *out, emg_error *err) {
  const emg_mat *cells = emg_mat_find(file, "Data");
  otb o = {.data = emg_mat_cell(cells, 0), .texts = emg_mat_find(file, "Description")};
  double rate_hz;
  int c = 0, a = 0;

  if (!is_numeric(o.data) || emg_mat_count(o.data) == 0) {
    return emg_fail(err, EMG_ERR_DATA, "Data of the OTBiolab+ export holds no numbers");
  }
  EMG_TRY(check_size(o.data->n_columns, o.data->n_rows, err));
  if (!o.texts || emg_mat_count(o.texts) < o.data->n_columns) {
    return emg_fail(err, EMG_ERR_DATA, "Description has %lld texts for %lld columns of Data",
                    (long long)(o.texts ? emg_mat_count(o.texts) : 0),
                    (long long)o.data->n_columns);
  }
  EMG_TRY(read_rate(emg_mat_find(file, "SamplingFrequency"), options, &rate_hz, err));
  otb_count(&o);
  EMG_TRY(emg_recording_create(o.n[COLUMN_EMG], o.data->n_rows, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (OTBiolab+)");
  if (o.n[COLUMN_AUX] > 0) {
    EMG_TRY(emg_recording_add_aux(out, o.n[COLUMN_AUX], err));
  }
  for (int64_t k = 0; k < o.data->n_columns; k++) {
    char text[200], unit[16], name[48];
    otb_text(&o, k, text);
    otb_column kind = otb_kind(text);
    if (kind == COLUMN_EMG) {
      otb_emg_column(&o, k, c++, out);
    } else if (kind == COLUMN_AUX) {
      otb_unit(text, unit);
      emg_label_copy(name, sizeof name, text, strcspn(text, "["));
      name_aux(out, a, name, unit);
      emg_mat_floats(o.data, k * o.data->n_rows, 1, o.data->n_rows, emg_row2f(&out->aux, a++));
    }
  }
  if (o.n[COLUMN_EMG] > 0 && !o.is_physical) {
    scale_counts(out, options);
  }
  if (cells->kind == MAT_CELL && emg_mat_count(cells) > 1) {
    emg_recording_note(out, "only the first of %lld recordings in Data was read",
                       (long long)emg_mat_count(cells));
  }
  return o.n[COLUMN_FIRING] > 0 ? otb_firings(&o, out, err) : EMG_OK;
}

// --- MUedit: structure `signal` ---

// Grid g: its channels in the order of data, with row and column from 1 in coordinates{g}.
static void muedit_grid(const emg_mat *signal, int64_t g, int first, int n, emg_recording *out) {
  const emg_mat *coordinates = emg_mat_cell(emg_mat_field(signal, 0, "coordinates"), g);
  const emg_mat *mask = emg_mat_cell(emg_mat_field(signal, 0, "EMGmask"), g);
  const emg_mat *distance = emg_mat_field(signal, 0, "IED");
  char group[32] = "";
  double pitch_mm = 0;

  emg_mat_text(emg_mat_cell(emg_mat_field(signal, 0, "gridname"), g), group, sizeof group);
  if (is_numeric(distance) && g < emg_mat_count(distance)) {
    pitch_mm = emg_mat_value(distance, g);
    out->pitch_mm = g == 0 && pitch_mm > 0 ? pitch_mm : out->pitch_mm;
  }
  for (int k = 0; k < n; k++) {
    emg_channel *channel = &out->channels[first + k];
    double row = emg_mat_value(coordinates, k), column = emg_mat_value(coordinates, k + n);
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
    if (is_numeric(mask) && emg_mat_count(mask) == n && emg_mat_value(mask, k) == 1) {
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
    if (!is_numeric(grid) || grid->n_columns != 2 || grid->n_rows > out->data.n_rows - first) {
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
  int n_aux = is_numeric(aux) && aux->n_columns == n_samples ? (int)aux->n_rows : 0, n = n_aux;

  for (int k = 0; k < 2; k++) {
    const emg_mat *m = emg_mat_field(signal, 0, vectors[k]);
    n += is_numeric(m) && emg_mat_count(m) == n_samples;
  }
  if (n == 0 || n_samples == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_recording_add_aux(out, n, err));
  for (int k = 0; k < n_aux; k++) {
    char name[48];
    emg_mat_text(emg_mat_cell(names, k), name, sizeof name);
    name_aux(out, k, name[0] ? name : "auxiliary", "");
    emg_mat_floats(aux, k, aux->n_rows, n_samples, emg_row2f(&out->aux, k));
  }
  n = n_aux;
  for (int k = 0; k < 2; k++) {
    const emg_mat *m = emg_mat_field(signal, 0, vectors[k]);
    if (is_numeric(m) && emg_mat_count(m) == n_samples) {
      name_aux(out, n, vectors[k], "");
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
  EMG_TRY(emg_alloc(UNITS_MAX, sizeof *trains, &trains, err));
  for (int64_t row = 0; row < cells->n_rows; row++) {
    for (int64_t column = 0; column < cells->n_columns; column++) {
      const emg_mat *cell = emg_mat_cell(cells, row + column * cells->n_rows);
      int64_t n_inside = cell->kind == MAT_CELL ? emg_mat_count(cell) : 1;
      for (int64_t k = 0; k < n_inside && n < UNITS_MAX; k++) {
        const emg_mat *train = emg_mat_cell(cell, k);
        if (is_numeric(train) && emg_mat_count(train) > 0) {
          trains[n++] = train;
        }
      }
    }
  }
  emg_status status = read_trains(trains, n, out->rate_hz, out->data.n_cols, out, err);
  free(trains);
  return status;
}

static emg_status read_muedit(const emg_mat_file *file, const emg_read_options *options,
                              emg_recording *out, emg_error *err) {
  const emg_mat *signal = emg_mat_find(file, "signal"), *data = emg_mat_field(signal, 0, "data");
  double rate_hz;

  if (!is_numeric(data)) {
    return emg_fail(err, EMG_ERR_DATA, "signal.data of the MUedit file holds no numbers");
  }
  EMG_TRY(check_size(data->n_rows, data->n_columns, err));
  EMG_TRY(read_rate(emg_mat_field(signal, 0, "fsamp"), options, &rate_hz, err));
  EMG_TRY(emg_recording_create((int)data->n_rows, data->n_columns, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (MUedit)");
  for (int c = 0; c < out->data.n_rows && out->data.n_cols > 0; c++) {
    emg_mat_floats(data, c, data->n_rows, data->n_columns, emg_row2f(&out->data, c));
  }
  scale_counts(out, options);
  EMG_TRY(muedit_channels(signal, out, err));
  EMG_TRY(muedit_aux(signal, out, err));
  return muedit_labels(file, signal, out, err);
}

// --- flexemg (Moin et al. 2018): raw counts [sample][channel], p.lsbmV the step in mV ---

static emg_status read_flexemg(const emg_mat_file *file, const emg_read_options *options,
                               emg_recording *out, emg_error *err) {
  const emg_mat *raw = emg_mat_find(file, "raw"), *p = emg_mat_find(file, "p");
  double rate_hz, step_mv;

  if (!emg_mat_scalar(emg_mat_field(p, 0, "lsbmV"), &step_mv) || !(step_mv > 0)) {
    return emg_fail(err, EMG_ERR_DATA, "p.lsbmV, the step of the converter, is not a number");
  }
  EMG_TRY(check_size(raw->n_columns, raw->n_rows, err));
  if (!options || options->rate_hz == 0) {
    return emg_fail(
        err, EMG_ERR_DATA,
        "flexemg files do not state their sampling rate; give it with --rate \"1000 Hz\" "
        "(that of the published recordings)");
  }
  EMG_TRY(read_rate(NULL, options, &rate_hz, err));
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
  static const layout demuse = {"DEMUSE", read_demuse}, otbiolab = {"OTBiolab+", read_otb},
                      muedit = {"MUedit", read_muedit}, flexemg = {"flexemg", read_flexemg};

  if (emg_mat_find(file, "SIG") || emg_mat_find(file, "MUPulses")) {
    return &demuse;
  }
  if (emg_mat_field(emg_mat_find(file, "signal"), 0, "data")) {
    return &muedit;
  }
  if (emg_mat_find(file, "Data") && emg_mat_find(file, "Description")) {
    return &otbiolab;
  }
  if (is_numeric(emg_mat_find(file, "raw")) && emg_mat_field(emg_mat_find(file, "p"), 0, "lsbmV")) {
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
