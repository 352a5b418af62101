// edit_fixture.h -- a small recording with known units, and a decomposition of it to edit
#ifndef EMG_EDIT_FIXTURE_H
#define EMG_EDIT_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// Units with action potentials of their own shape, place and conduction along the channels, firing
// at 10 to 14 Hz, in white noise 20 dB below.
enum { N_UNITS = 4, N_CHANNELS = 12, N_SAMPLES = 2048 * 6, N_TAPS = 40, ORIGIN = 20 };
static const double rate_hz = 2048;

typedef struct {
  emg_recording rec;
  emg_decomposition d;  // the true trains, with sources and averages, not yet measured
  emg_config config;
} subject;

static inline double action_potential(int unit, int channel, int tap) {
  double centre = 1 + 3.1 * unit, spread = 1.6 + 0.4 * unit;
  double weight = exp(-0.5 * pow((channel - centre) / spread, 2));
  double width = 2.5 + 0.5 * unit, at = 12 + 0.7 * fabs(channel - centre);
  double t = (tap - at) / width;
  return 100 * weight * (1 - t * t + 0.6 * t * (unit % 2 ? 1 : -1)) * exp(-0.5 * t * t);
}

static inline int64_t plant(emg_recording *rec, int unit, int64_t *times) {
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, (uint32_t)unit, 0);
  double interval = rate_hz / (10 + 1.3 * unit), at = interval * (0.3 + emg_rng_uniform(&rng));
  int64_t n = 0;

  for (; at < N_SAMPLES - N_TAPS; at += fmax(interval * (1 + 0.15 * emg_rng_gaussian(&rng)), 50)) {
    times[n++] = (int64_t)at;
    for (int c = 0; c < N_CHANNELS; c++) {
      for (int t = 0; t < N_TAPS; t++) {
        emg_row2f(&rec->data, c)[times[n - 1] + t] += (float)action_potential(unit, c, t);
      }
    }
  }
  return n;
}

static inline void add_noise(emg_recording *rec) {
  double power = 0;

  for (int c = 0; c < N_CHANNELS; c++) {
    for (int64_t i = 0; i < N_SAMPLES; i++) {
      power += pow(emg_row2f(&rec->data, c)[i], 2) / N_CHANNELS / N_SAMPLES;
    }
  }
  for (int c = 0; c < N_CHANNELS; c++) {
    emg_rng rng = emg_rng_stream(4, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int64_t i = 0; i < N_SAMPLES; i++) {
      emg_row2f(&rec->data, c)[i] += (float)(0.1 * sqrt(power) * emg_rng_gaussian(&rng));
    }
  }
}

static inline double *unknown(int n) {
  double *values;

  assert_int_equal(emg_alloc((size_t)n, sizeof *values, &values, NULL), EMG_OK);
  for (int i = 0; i < n; i++) {
    values[i] = 0.5 + 0.01 * i;
  }
  return values;
}

static inline subject make_subject(void) {
  static int64_t times[N_UNITS][N_SAMPLES];
  int64_t counts[N_UNITS];
  subject s = {0};

  emg_config_defaults(&s.config);
  s.config.decompose.extension = 8;
  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &s.rec, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    counts[u] = plant(&s.rec, u, times[u]);
  }
  add_noise(&s.rec);
  emg_decomposition *d = &s.d;
  assert_int_equal(emg_spikes_create(N_UNITS, counts, rate_hz, N_SAMPLES, &d->spikes, NULL),
                   EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    memcpy(d->spikes.samples + d->spikes.offsets[u], times[u], (size_t)counts[u] * sizeof(int64_t));
  }
  d->sil = unknown(N_UNITS);
  d->pnr_db = unknown(N_UNITS);
  d->isi_cov = unknown(N_UNITS);
  d->rate_hz = unknown(N_UNITS);
  d->detectability = unknown(N_UNITS);
  assert_int_equal(emg_array2f_create(N_UNITS, N_SAMPLES, &d->source, NULL), EMG_OK);
  assert_int_equal(emg_muap_bank_create(N_UNITS, N_CHANNELS, 60, ORIGIN, rate_hz, &d->muaps, NULL),
                   EMG_OK);
  return s;
}

static inline void free_subject(subject *s) {
  emg_recording_free(&s->rec);
  emg_decomposition_free(&s->d);
}

static inline emg_editor *open_editor(subject *s) {
  emg_editor *editor;
  emg_error err = {0};

  if (emg_editor_create(&s->d, &s->rec, &s->config, NULL, &editor, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return editor;
}

// Operations as words, for example "merge 0 2 undo"; EMG_OK or what the first refused one gives.
static inline emg_status try_edit(subject *s, const char *text, emg_edit_change *change,
                                  emg_error *err) {
  char copy[256];
  const char *words[32];
  int n = 0;
  emg_editor *editor = open_editor(s);
  emg_status status = EMG_OK;

  snprintf(copy, sizeof copy, "%s", text);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
    words[n++] = word;
  }
  for (int at = 0, n_used; at < n && status == EMG_OK; at += n_used) {
    emg_edit_operations list;
    status = emg_edit_parse(n - at, words + at, &s->d, &n_used, &list, err);
    for (int i = 0; status == EMG_OK && i < list.n; i++) {
      status = emg_edit(editor, &list.items[i], change, err);
    }
    emg_edit_operations_free(&list);
  }
  emg_editor_free(editor);
  return status;
}

static inline emg_edit_change edit(subject *s, const char *text) {
  emg_edit_change change = {0};
  emg_error err = {0};

  if (try_edit(s, text, &change, &err) != EMG_OK) {
    fail_msg("%s: %s", text, emg_error_message(&err));
  }
  return change;
}

// Figures and sources of all units as editing makes them, as if they had come that way.
static inline void measure(subject *s) {
  edit(s, "re-estimate all keep");
  emg_edit_log_free(&s->d.edits);
  free(s->d.flags);
  free(s->d.locked);
  s->d.flags = NULL;
  s->d.locked = NULL;
}

// A copy of everything but the log.
static inline emg_decomposition copy_of(const emg_decomposition *d) {
  const emg_decomposition *from[64];
  int row[64];
  emg_decomposition copy;

  for (int u = 0; u < d->spikes.n_units; u++) {
    from[u] = d;
    row[u] = u;
  }
  assert_int_equal(emg_decomposition_gather(d->spikes.n_units, from, row, d, &copy, NULL), EMG_OK);
  return copy;
}

static inline void assert_same_train(const emg_spikes *a, int unit, const emg_spikes *b,
                                     int other) {
  assert_int_equal(emg_spikes_count(a, unit), emg_spikes_count(b, other));
  assert_memory_equal(emg_spikes_of(a, unit), emg_spikes_of(b, other),
                      (size_t)emg_spikes_count(a, unit) * sizeof(int64_t));
}

static inline void assert_same_unit(const emg_decomposition *a, int u, const emg_decomposition *b,
                                    int v) {
  const double *const x[] = {a->sil, a->pnr_db, a->isi_cov, a->rate_hz, a->detectability};
  const double *const y[] = {b->sil, b->pnr_db, b->isi_cov, b->rate_hz, b->detectability};

  assert_same_train(&a->spikes, u, &b->spikes, v);
  for (int k = 0; k < 5; k++) {
    assert_memory_equal(&x[k][u], &y[k][v], sizeof(double));
  }
  assert_memory_equal(emg_row2f(&a->source, u), emg_row2f(&b->source, v),
                      N_SAMPLES * sizeof(float));
  assert_memory_equal(emg_muap_row(&a->muaps, u, 0), emg_muap_row(&b->muaps, v, 0),
                      (size_t)a->muaps.n_channels * (size_t)a->muaps.n_taps * sizeof(float));
  size_t n_weights = (size_t)a->filters.n_taps * (size_t)a->filters.n_channels;
  if (a->filters.n_units > 0) {
    assert_memory_equal(a->filters.weights + (size_t)u * n_weights,
                        b->filters.weights + (size_t)v * n_weights, n_weights * sizeof(float));
    assert_memory_equal(&a->filters.threshold[u], &b->filters.threshold[v], sizeof(double));
    assert_int_equal(a->filters.delay[u], b->filters.delay[v]);
  }
  assert_int_equal(a->flags ? a->flags[u] : 0, b->flags ? b->flags[v] : 0);
  assert_int_equal(a->locked ? a->locked[u] : 0, b->locked ? b->locked[v] : 0);
}

static inline void assert_same(const emg_decomposition *a, const emg_decomposition *b) {
  assert_int_equal(a->spikes.n_units, b->spikes.n_units);
  assert_int_equal(a->flags == NULL, b->flags == NULL);
  assert_int_equal(a->locked == NULL, b->locked == NULL);
  for (int u = 0; u < a->spikes.n_units; u++) {
    assert_same_unit(a, u, b, u);
  }
}

// Another train for one unit; everything else stays.
static inline void set_train(subject *s, int unit, int64_t n, const int64_t *samples) {
  const emg_spikes *old = &s->d.spikes;
  int64_t counts[64];
  emg_spikes made;

  for (int u = 0; u < old->n_units; u++) {
    counts[u] = u == unit ? n : emg_spikes_count(old, u);
  }
  assert_int_equal(
      emg_spikes_create(old->n_units, counts, old->rate_hz, old->n_samples, &made, NULL), EMG_OK);
  for (int u = 0; u < old->n_units; u++) {
    memcpy(made.samples + made.offsets[u], u == unit ? samples : emg_spikes_of(old, u),
           (size_t)counts[u] * sizeof *samples);
  }
  emg_spikes_free(&s->d.spikes);
  s->d.spikes = made;
}

// The train of a unit with a false spike 12 ms after every 20th spike; returns how many.
static inline int64_t add_outliers(subject *s, int unit) {
  static int64_t samples[N_SAMPLES];
  int64_t n = 0, n_spikes = emg_spikes_count(&s->d.spikes, unit);

  for (int64_t i = 0; i < n_spikes; i++) {
    samples[n++] = emg_spikes_of(&s->d.spikes, unit)[i];
    if (i % 20 == 10) {
      samples[n] = samples[n - 1] + 25;
      n++;
    }
  }
  set_train(s, unit, n, samples);
  return n - n_spikes;
}

// The train of a unit without every `every`-th spike, from the second on.
static inline void drop_spikes(subject *s, int unit, int every) {
  static int64_t samples[N_SAMPLES];
  int64_t n = 0;

  for (int64_t i = 0; i < emg_spikes_count(&s->d.spikes, unit); i++) {
    if (i % every != 1) {
      samples[n++] = emg_spikes_of(&s->d.spikes, unit)[i];
    }
  }
  set_train(s, unit, n, samples);
}

// Rate of agreement of two trains at 0.5 ms and their best lag.
static inline double agreement(const emg_spikes *a, int unit, const emg_spikes *b, int other) {
  emg_score_options options;
  emg_score_result result;
  int64_t offsets[2][2] = {{0, emg_spikes_count(a, unit)}, {0, emg_spikes_count(b, other)}};
  emg_spikes x = *a, y = *b;
  double roa = 0;

  x.n_units = y.n_units = 1;
  x.samples += a->offsets[unit];
  y.samples += b->offsets[other];
  x.offsets = offsets[0];
  y.offsets = offsets[1];
  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&x, &y, &options, &result, NULL), EMG_OK);
  if (result.n_matched == 1) {
    roa = result.pairs[0].roa;
  }
  emg_score_free(&result);
  return roa;
}

#endif
