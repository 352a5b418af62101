// openhdemg.c -- what files of openhdemg hold: tables to write, and the recording they make
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "openhdemg_priv.h"

// --- tables to write ---

const char *const emg_openhdemg_table_names[EMG_OPENHDEMG_TABLES] = {
    "RAW_SIGNAL", "REF_SIGNAL", "ACCURACY", "IPTS", "BINARY_MUS_FIRING", "EXTRAS"};

static bool has_sil(const emg_export *e) {
  for (int u = 0; u < e->spikes.n_units; u++) {
    if (!isfinite(emg_export_sil(e, u))) {
      return false;
    }
  }
  return e->spikes.n_units > 0;
}

void emg_openhdemg_shape(const emg_export *e, emg_openhdemg_table table, int64_t *n_rows,
                         int *n_columns) {
  int n_units = e->spikes.n_units;
  bool has_sources = n_units > 0 && emg_export_source(e, 0);
  const struct {
    int64_t n_rows;
    int n_columns;
  } shapes[EMG_OPENHDEMG_TABLES] = {{e->n_samples, e->rec->data.n_rows},
                                    {e->n_aux > 0 ? e->n_samples : 0, e->n_aux > 0 ? e->n_aux : 1},
                                    {has_sil(e) ? n_units : 0, 1},
                                    {has_sources ? e->n_samples : 0, n_units},
                                    {n_units > 0 ? e->n_samples : 0, n_units},
                                    {0, 1}};

  *n_rows = shapes[table].n_rows;
  *n_columns = shapes[table].n_columns;
}

void emg_openhdemg_row(const emg_export *e, emg_openhdemg_table table, int64_t row, int64_t *next,
                       double *values) {
  double scale = emg_export_scale(e);
  const emg_spikes *s = &e->spikes;

  switch (table) {
    case EMG_TABLE_RAW:
      for (int c = 0; c < e->rec->data.n_rows; c++) {
        values[c] = scale * emg_row2f(&e->rec->data, c)[row];
      }
      return;
    case EMG_TABLE_REF:
      for (int a = 0; a < e->n_aux; a++) {
        values[a] = e->aux[a].values[row];
      }
      return;
    case EMG_TABLE_ACCURACY:
      values[0] = emg_export_sil(e, (int)row);
      return;
    case EMG_TABLE_IPTS:
      for (int u = 0; u < s->n_units; u++) {
        values[u] = emg_export_source(e, u)[row];
      }
      return;
    case EMG_TABLE_FIRING:
      for (int u = 0; u < s->n_units; u++) {
        bool fires = next[u] < emg_spikes_count(s, u) && emg_spikes_of(s, u)[next[u]] == row;
        values[u] = fires;
        next[u] += fires;
      }
      return;
    default:
      return;
  }
}

void emg_openhdemg_note(const emg_export *e) {
  int64_t n_rows;
  int n_columns;

  if (!e->rec->is_physical) {
    emg_export_note(e, "the unit of the samples is not known; openhdemg takes them for mV");
  }
  if (!isfinite(e->rec->pitch_mm)) {
    emg_export_note(e, "the inter-electrode distance is not known; set emgfile[\"IED\"]");
  }
  if (e->n_aux == 0) {
    emg_export_note(e, "there is no force or other reference: REF_SIGNAL is empty");
  }
  emg_openhdemg_shape(e, EMG_TABLE_IPTS, &n_rows, &n_columns);
  if (e->spikes.n_units > 0 && n_rows == 0) {
    emg_export_note(e, "no sources were kept (decompose.keep_source): IPTS is empty");
  }
  emg_openhdemg_shape(e, EMG_TABLE_ACCURACY, &n_rows, &n_columns);
  if (e->spikes.n_units > 0 && n_rows == 0) {
    emg_export_note(e, "the units have no SIL: ACCURACY is empty");
  }
}

// --- what was read ---

emg_openhdemg_file emg_openhdemg_start(const emg_read_options *options) {
  double uv = options && options->scale_uv > 0 ? options->scale_uv : 1e3;
  return (emg_openhdemg_file){.pitch_mm = NAN, .raw.scale = uv, .ref.scale = 1};
}

void emg_openhdemg_free(emg_openhdemg_file *file) {
  free(file->raw.values);
  free(file->ref.values);
  free(file->counts);
  free(file->pulses);
  free(file->channels);
  *file = (emg_openhdemg_file){0};
}

// Room for one element more than n.
static emg_status grow(void *array, size_t n, size_t *capacity, size_t size, emg_error *err) {
  void **place = array;

  if (n < *capacity) {
    return EMG_OK;
  }
  size_t wanted = 2 * *capacity + 4096;
  void *grown = wanted > SIZE_MAX / size ? NULL : realloc(*place, wanted * size);
  if (!grown) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for %zu numbers", wanted);
  }
  *place = grown;
  *capacity = wanted;
  return EMG_OK;
}

emg_status emg_openhdemg_add(emg_openhdemg_matrix *m, double value, size_t n, emg_error *err) {
  EMG_TRY(grow(&m->values, n, &m->capacity, sizeof *m->values, err));
  m->values[n] = (float)(m->scale * value);
  return EMG_OK;
}

emg_status emg_openhdemg_add_unit(emg_openhdemg_file *file, emg_error *err) {
  if (file->n_units == EMG_OPENHDEMG_UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "MUPULSES has more than %d units", EMG_OPENHDEMG_UNITS_MAX);
  }
  if (!file->counts) {
    EMG_TRY(emg_alloc(EMG_OPENHDEMG_UNITS_MAX, sizeof *file->counts, &file->counts, err));
  }
  file->n_units++;
  return EMG_OK;
}

emg_status emg_openhdemg_add_pulse(emg_openhdemg_file *file, double sample, emg_error *err) {
  if (!(sample >= 0 && sample < 9e15) || sample != floor(sample)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "unit %d of MUPULSES discharges at sample %g; samples count "
                    "from 0",
                    file->n_units - 1, sample);
  }
  EMG_TRY(grow(&file->pulses, file->n_pulses, &file->capacity, sizeof *file->pulses, err));
  file->pulses[file->n_pulses++] = sample;
  file->counts[file->n_units - 1]++;
  return EMG_OK;
}

// --- the recording ---

static int compare_samples(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static emg_status make_labels(const emg_openhdemg_file *file, int64_t n_samples, emg_recording *out,
                              emg_error *err) {
  const double *from = file->pulses;
  int64_t to = 0;
  int n_repaired = 0;

  if (file->n_units == 0) {
    return EMG_OK;
  }
  EMG_TRY(
      emg_spikes_create(file->n_units, file->counts, out->rate_hz, n_samples, &out->labels, err));
  emg_spikes *s = &out->labels;
  for (int u = 0; u < file->n_units; u++) {
    int64_t n = file->counts[u], first = to;
    int64_t *samples = s->samples + to;  // what was dropped before leaves room
    for (int64_t i = 0; i < n; i++) {
      samples[i] = (int64_t)*from++;
    }
    qsort(samples, (size_t)n, sizeof *samples, compare_samples);
    for (int64_t i = 0; i < n; i++) {
      if (to == first || samples[i] > s->samples[to - 1]) {
        s->samples[to++] = samples[i];
      }
    }
    n_repaired += to - first < n;
    s->offsets[u] = first;
  }
  s->offsets[file->n_units] = to;
  if (n_repaired > 0) {
    emg_recording_note(out, "discharges of %d units came twice and count once", n_repaired);
  }
  return emg_spikes_check(s, err);
}

static emg_status make_aux(const emg_openhdemg_matrix *ref, emg_recording *out, emg_error *err) {
  if (ref->n_rows == 0 || ref->n_columns == 0) {
    return EMG_OK;
  }
  if (ref->n_rows != out->data.n_cols) {
    emg_recording_note(out, "REF_SIGNAL has %lld samples, the EMG %lld: left out",
                       (long long)ref->n_rows, (long long)out->data.n_cols);
    return EMG_OK;
  }
  EMG_TRY(emg_recording_add_aux(out, ref->n_columns, err));
  for (int a = 0; a < ref->n_columns; a++) {
    float *row = emg_row2f(&out->aux, a);
    for (int64_t i = 0; i < ref->n_rows; i++) {
      row[i] = ref->values[i * ref->n_columns + a];
    }
    snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name,
             ref->n_columns > 1 ? "REF_SIGNAL %d" : "REF_SIGNAL", a);
  }
  return EMG_OK;
}

emg_status emg_openhdemg_finish(const emg_openhdemg_file *file, const char *format,
                                const emg_read_options *options, emg_recording *out,
                                emg_error *err) {
  const emg_openhdemg_matrix *raw = &file->raw;
  int64_t n_samples = raw->n_rows > 0 ? raw->n_rows : file->ref.n_rows;
  double rate_hz;

  EMG_TRY(emg_settle_rate(file->rate_hz, options, &rate_hz, err));
  if (n_samples == 0 && file->length > 0 && file->length < INT32_MAX) {
    n_samples = (int64_t)file->length;
  }
  EMG_TRY(emg_recording_create(raw->n_rows > 0 ? raw->n_columns : 0, n_samples, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "%s", format);
  for (int c = 0; c < out->data.n_rows; c++) {
    float *row = emg_row2f(&out->data, c);
    for (int64_t i = 0; i < n_samples; i++) {
      row[i] = raw->values[i * raw->n_columns + c];
    }
  }
  snprintf(out->source_units, sizeof out->source_units, "mV");
  EMG_TRY(make_aux(&file->ref, out, err));
  if (file->channels) {
    emg_json_cursor c = emg_json_at(file->channels);
    emg_channels_read(&c, out);
    emg_grid_pitch(out);
  } else if (out->data.n_rows > 0) {
    emg_recording_note(out, "the file does not say where its channels are; give a grid map");
  }
  if (!(out->pitch_mm > 0) && file->pitch_mm > 0) {
    out->pitch_mm = file->pitch_mm;
  }
  return make_labels(file, n_samples, out, err);
}
