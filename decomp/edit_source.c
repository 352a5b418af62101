// edit_source.c -- the source of a unit in the recording less all other units
#include "edit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/lin.h>
#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

void emg_edit_filter_free(emg_edit_filter *filter) {
  free(filter->filter);
  *filter = (emg_edit_filter){0};
}

void emg_edit_workspace_free(emg_edit_workspace *w) {
  emg_prepared_free(&w->prepared);
  emg_signal_free(&w->residual);
  emg_units_free(&w->units);
  free(w->covariance);
  free(w->system);
  free(w->views);
  free(w->places);
  emg_spike_picker_free(&w->picker);
  *w = (emg_edit_workspace){0};
}

// The window of an action potential and the delays of the extension are those of the decomposer.
static emg_status create_workspace(const emg_editor *editor, emg_edit_workspace *w,
                                   emg_error *err) {
  const double half_window_ms = 20;
  const struct emg_config_decompose *keys = &editor->config->decompose;
  const emg_recording *rec = editor->rec;
  int64_t n = rec->data.n_cols, edge = (int64_t)(keys->edge_s * rec->rate_hz);

  emg_init();
  w->half_window = (int64_t)lround(half_window_ms * rec->rate_hz / 1000);
  w->refractory = emg_refractory_samples(keys, rec->rate_hz);
  w->n_delays = (int)(2 * w->half_window) + 1;
  EMG_TRY(
      emg_prepare(rec, editor->config, editor->monitor, 2 * w->half_window + 1, &w->prepared, err));
  EMG_TRY(emg_choose_taps(keys, w->prepared.signal.n_channels, rec->rate_hz, &w->n_taps, err));
  if (w->n_taps > 2 * w->half_window) {
    w->n_taps = (int)(2 * w->half_window);
  }
  w->n_dimensions = w->n_taps * w->prepared.signal.n_channels;
  w->search = emg_spans_over(edge, n - edge, (int64_t)(keys->search_s * rec->rate_hz));
  w->whole = emg_spans_over(0, n, n);
  w->units.half_window = w->half_window;
  size_t n_dimensions = (size_t)w->n_dimensions;
  EMG_TRY(emg_signal_copy(&w->prepared.signal, &w->residual, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_dimensions, sizeof(double), &w->covariance, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_dimensions, sizeof(double), &w->system, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * (size_t)w->n_delays, sizeof(double), &w->views, err));
  return emg_spike_picker_create(n, w->refractory, &w->picker, err);
}

static emg_status make_ready(emg_editor *editor, emg_error *err) {
  if (editor->is_ready) {
    return EMG_OK;
  }
  if (!editor->rec) {
    return emg_fail(err, EMG_ERR_ARG, "this operation needs the recording that was decomposed");
  }
  emg_status status = create_workspace(editor, &editor->w, err);
  if (status != EMG_OK) {
    emg_edit_workspace_free(&editor->w);
  }
  editor->is_ready = status == EMG_OK;
  return status;
}

// --- all units together ---

// A ridge of 1e-4 of the largest eigenvalue, found by power iteration, keeps the directions that
// hold nothing but rounding from being amplified.
static emg_status add_ridge(int n, double *covariance, emg_error *err) {
  const int n_iterations = 30;
  const double share = 1e-4;
  double *v, length = 0;

  EMG_TRY(emg_alloc(2 * (size_t)n, sizeof *v, &v, err));
  double *next = v + n;
  for (int i = 0; i < n; i++) {
    v[i] = 1 / sqrt(n);
  }
  for (int k = 0; k < n_iterations; k++) {
    emg_dgemm(0, 0, n, 1, n, 1, covariance, n, v, 1, 0, next, 1);
    length = 0;
    for (int i = 0; i < n; i++) {
      length += next[i] * next[i];
    }
    length = sqrt(length);
    for (int i = 0; i < n && length > 0; i++) {
      v[i] = next[i] / length;
    }
  }
  free(v);
  if (!(length > 0) || !isfinite(length)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "nothing is left of the recording when its units are subtracted; is it the one "
                    "that was decomposed?");
  }
  for (ptrdiff_t i = 0; i < n; i++) {
    covariance[i * n + i] += share * length;
  }
  return EMG_OK;
}

static emg_status reserve_places(emg_edit_workspace *w, const emg_spikes *trains, emg_error *err) {
  int64_t most = 1;

  for (int u = 0; u < trains->n_units; u++) {
    most = emg_spikes_count(trains, u) > most ? emg_spikes_count(trains, u) : most;
  }
  if (most > w->n_places) {
    free(w->places);
    w->places = NULL;
    w->n_places = 0;
    EMG_TRY(emg_alloc((size_t)most, sizeof *w->places, &w->places, err));
    w->n_places = most;
  }
  return EMG_OK;
}

// Each train at the centre of energy of its average, where the window of action potentials is.
static emg_status place_units(emg_edit_workspace *w, const emg_spikes *trains, emg_error *err) {
  emg_units_free(&w->units);
  w->units.half_window = w->half_window;
  for (int u = 0; u < trains->n_units; u++) {
    int64_t n = emg_spikes_count(trains, u), shift = 0;
    const int64_t *spikes = emg_spikes_of(trains, u);
    EMG_TRY(emg_centre_of_energy(&w->prepared.signal, spikes, n, w->half_window, &shift, err));
    for (int64_t i = 0; i < n; i++) {
      w->places[i] = spikes[i] + shift;
    }
    EMG_TRY(emg_units_add(&w->units, w->residual.n_channels, w->places, n, err));
  }
  return EMG_OK;
}

emg_status emg_edit_fit(emg_editor *editor, const emg_spikes *trains, emg_error *err) {
  const int n_sweeps = 4;
  emg_edit_workspace *w = &editor->w;

  EMG_TRY(make_ready(editor, err));
  w->trains = trains;
  const emg_signal *x = &w->prepared.signal;
  memcpy(w->residual.rows, x->rows, (size_t)x->n_samples * (size_t)x->n_channels * sizeof *x->rows);
  EMG_TRY(reserve_places(w, trains, err));
  EMG_TRY(place_units(w, trains, err));
  EMG_TRY(emg_units_fit(&w->residual, &w->units, n_sweeps, err));
  EMG_TRY(emg_extended_covariance(&w->residual, w->n_taps, &w->search, w->covariance, err));
  return add_ridge(w->n_dimensions, w->covariance, err);
}

// --- one unit ---

// Mean of xe so many samples after the spikes, for each delay; `x` holds the unit's own signal.
static void average_views(emg_edit_workspace *w, const int64_t *spikes, int64_t n) {
  for (int delay = 0; delay < w->n_delays; delay++) {
    double *view = w->views + (ptrdiff_t)delay * w->n_dimensions;
    for (int64_t i = 0; i < n; i++) {
      w->places[i] = spikes[i] + delay;
    }
    emg_extended_gather(&w->residual, w->n_taps, w->places, n, view);
    for (int d = 0; d < w->n_dimensions; d++) {
      view[d] /= (double)n;
    }
  }
}

// f = C^-1 b / (b' C^-1 b) at the delay where b' C^-1 b, the squared distance of the unit from the
// rest, is largest (Capon 1969).
static emg_status best_filter(emg_edit_workspace *w, emg_edit_filter *out, emg_error *err) {
  size_t n = (size_t)w->n_dimensions, n_views = n * (size_t)w->n_delays;
  double *solved, most = 0;
  int best = 0;

  EMG_TRY(emg_alloc_aligned(n_views, sizeof *solved, &solved, err));
  memcpy(solved, w->views, n_views * sizeof *solved);
  memcpy(w->system, w->covariance, n * n * sizeof *w->system);
  emg_status status = emg_solve_spd(w->n_dimensions, w->system, w->n_delays, solved, err);
  for (int delay = 0; delay < w->n_delays && status == EMG_OK; delay++) {
    double power = 0;
    for (size_t d = 0; d < n; d++) {
      power += w->views[(size_t)delay * n + d] * solved[(size_t)delay * n + d];
    }
    if (power > most) {
      most = power;
      best = delay;
    }
  }
  out->delay = best;
  for (size_t d = 0; d < n && most > 0; d++) {
    out->filter[d] = (float)(solved[(size_t)best * n + d] / most);
  }
  free(solved);
  return status;
}

static int compare_floats(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// Standard deviation from the median magnitude, which few large values do not move.
static double spread_of(const float *y, int64_t n) {
  enum { MOST = 8192 };
  float magnitudes[MOST];
  int64_t step = n / MOST + 1;
  int count = 0;

  for (int64_t i = 0; i < n; i += step) {
    magnitudes[count++] = fabsf(y[i]);
  }
  qsort(magnitudes, (size_t)count, sizeof *magnitudes, compare_floats);
  return count > 0 ? magnitudes[count / 2] / 0.6745 : 0;
}

static emg_status apply_filter(emg_edit_workspace *w, const emg_edit_filter *f, float *y,
                               emg_error *err) {
  return emg_extended_filter(&w->residual, w->n_taps, &w->whole, f->filter, 1, y,
                             w->residual.n_samples, err);
}

// The spikes of a range, and what the signal looks like at them.
static emg_status view_range(emg_edit_workspace *w, int unit, int64_t begin, int64_t end,
                             emg_error *err) {
  const int64_t least = 2, *train = emg_spikes_of(w->trains, unit);
  int64_t n = emg_spikes_count(w->trains, unit), first = 0;

  while (first < n && train[first] < begin) {
    first++;
  }
  while (n > first && train[n - 1] >= end) {
    n--;
  }
  if (n - first < least) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "unit %d has %lld spikes in the range, and a filter needs %lld; widen the range", unit,
        (long long)(n - first), (long long)least);
  }
  average_views(w, train + first, n - first);
  return EMG_OK;
}

emg_status emg_edit_source(emg_editor *editor, int unit, int64_t begin, int64_t end,
                           emg_edit_filter *out, float *y, emg_error *err) {
  emg_edit_workspace *w = &editor->w;
  size_t n_samples = (size_t)w->residual.n_samples;
  emg_status status;

  *out = (emg_edit_filter){0};
  EMG_TRY(emg_alloc_aligned((size_t)w->n_dimensions, sizeof(float), &out->filter, err));
  emg_unit_put(&w->residual, &w->units, unit, 1);
  status = view_range(w, unit, begin, end, err);
  status = status == EMG_OK ? best_filter(w, out, err) : status;
  emg_unit_put(&w->residual, &w->units, unit, -1);
  EMG_TRY_DONE(status);

  // first what is left, for its size; then with the unit's own signal
  EMG_TRY_DONE(apply_filter(w, out, y, err));
  out->noise = spread_of(y, w->residual.n_samples);
  emg_unit_put(&w->residual, &w->units, unit, 1);
  status = apply_filter(w, out, y, err);
  emg_unit_put(&w->residual, &w->units, unit, -1);
  size_t delay = (size_t)out->delay < n_samples ? (size_t)out->delay : n_samples;
  memmove(y, y + delay, (n_samples - delay) * sizeof *y);
  memset(y + n_samples - delay, 0, delay * sizeof *y);

done:
  if (status != EMG_OK) {
    emg_edit_filter_free(out);
  }
  return status;
}

emg_status emg_edit_current_source(emg_editor *editor, int unit, float **y, emg_error *err) {
  const emg_decomposition *d = editor->d;
  size_t n = (size_t)d->spikes.n_samples;
  emg_edit_filter filter;

  EMG_TRY(make_ready(editor, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof **y, y, err));
  if (d->source.n_rows > 0) {
    memcpy(*y, emg_row2f(&d->source, unit), n * sizeof **y);
    return EMG_OK;
  }
  emg_status status = emg_edit_fit(editor, &d->spikes, err);
  if (status == EMG_OK) {
    status = emg_edit_source(editor, unit, 0, INT64_MAX, &filter, *y, err);
  }
  if (status == EMG_OK) {
    emg_edit_filter_free(&filter);
  } else {
    free(*y);
    *y = NULL;
  }
  return status;
}

// --- figures ---

static void set_figures(const emg_editor *editor, const float *y, double noise, int unit,
                        emg_decomposition *d) {
  const int64_t *train = emg_spikes_of(&d->spikes, unit), n = emg_spikes_count(&d->spikes, unit);
  emg_source_quality quality =
      emg_source_quality_of(y, d->spikes.n_samples, train, n, editor->w.refractory);
  emg_interval_stats intervals = emg_intervals_of(train, NULL, n, d->spikes.rate_hz);

  d->sil[unit] = quality.sil;
  d->pnr_db[unit] = quality.pnr_db;
  d->isi_cov[unit] = intervals.cov;
  d->rate_hz[unit] = intervals.mean_s > 0 ? 1 / intervals.mean_s : 0;
  if (d->detectability) {
    d->detectability[unit] = noise > 0 ? 1 / noise : 0;
  }
}

// The average of one unit takes the place of the one it had.
static emg_status set_average(const emg_editor *editor, int unit, emg_decomposition *d,
                              emg_error *err) {
  emg_muap_bank average;
  int64_t offsets[] = {0, emg_spikes_count(&d->spikes, unit)};
  const emg_spikes train = {.n_units = 1,
                            .offsets = offsets,
                            .samples = d->spikes.samples + d->spikes.offsets[unit],
                            .rate_hz = d->spikes.rate_hz,
                            .n_samples = d->spikes.n_samples};

  if (d->muaps.n_units == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_muap_bank_create(1, d->muaps.n_channels, d->muaps.n_taps, d->muaps.origin,
                               d->muaps.rate_hz, &average, err));
  emg_average_recording(editor->rec, &train, &average);
  memcpy(emg_muap_row(&d->muaps, unit, 0), average.data,
         (size_t)average.n_channels * (size_t)average.n_taps * sizeof *average.data);
  emg_muap_bank_free(&average);
  return EMG_OK;
}

emg_status emg_edit_measure(emg_editor *editor, emg_decomposition *d, int unit, emg_error *err) {
  size_t n = (size_t)d->spikes.n_samples;
  emg_edit_filter filter = {0};
  float *y;
  emg_status status;

  EMG_TRY(emg_alloc_aligned(n, sizeof *y, &y, err));
  EMG_TRY_DONE(emg_edit_source(editor, unit, 0, INT64_MAX, &filter, y, err));
  set_figures(editor, y, filter.noise, unit, d);
  if (d->source.n_rows > 0) {
    memcpy(emg_row2f(&d->source, unit), y, n * sizeof *y);
  }
  EMG_TRY_DONE(set_average(editor, unit, d, err));

done:
  emg_edit_filter_free(&filter);
  free(y);
  return status;
}
