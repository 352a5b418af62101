// guided.c -- what a guide adds to the joint model: trains, shapes of action potentials, a verdict
#include "guided_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

emg_guided_signal emg_guided_show(const emg_guided *g, const emg_signal *residual,
                                  const emg_units *units) {
  return (emg_guided_signal){.n_channels = residual->n_channels,
                             .channel = g->prepared->channel,
                             .scale = g->prepared->scale,
                             .n_samples = residual->n_samples,
                             .n_margin = residual->margin,
                             .rate_hz = residual->rate_hz,
                             .rows = residual->rows,
                             .n_window = (int)(2 * units->half_window),
                             .origin = (int)units->half_window,
                             .n_taps = g->n_taps};
}

static size_t muap_size(const emg_signal *residual, const emg_units *units) {
  return (size_t)(2 * units->half_window) * (size_t)residual->n_channels;
}

emg_status emg_guided_propose(const emg_guided *g, const emg_signal *residual, emg_units *units,
                              int round, emg_error *err) {
  emg_guided_signal shown = emg_guided_show(g, residual, units);
  emg_spikes trains = {0};
  emg_status status = EMG_OK;

  if (!g->guide->propose) {
    return EMG_OK;
  }
  EMG_TRY_DONE(g->guide->propose(g->guide->self, &shown, round, &trains, err));
  for (int i = 0; i < trains.n_units; i++) {
    const int64_t *train = emg_spikes_of(&trains, i);
    int64_t n = emg_spikes_count(&trains, i);
    bool is_known;
    EMG_TRY_DONE(
        emg_is_known(units, train, n, residual->rate_hz, g->agreement_max, &is_known, err));
    if (!is_known) {
      EMG_TRY_DONE(emg_units_add(units, residual->n_channels, train, n, err));
      units->items[units->n - 1].round = round;
    }
  }

done:
  emg_spikes_free(&trains);
  return status;
}

// Views of all units; their action potentials are copied to muaps[n][size] if that is given.
static void view_units(const emg_units *units, size_t size, float *muaps, emg_guided_unit *views) {
  for (int u = 0; u < units->n; u++) {
    emg_unit *unit = &units->items[u];
    float *muap = unit->muap;
    if (muaps) {
      muap = muaps + (size_t)u * size;
      memcpy(muap, unit->muap, size * sizeof *muap);
    }
    views[u] = (emg_guided_unit){
        .n_spikes = unit->n_spikes, .spikes = unit->spikes, .muap = muap, .note = &unit->note};
  }
}

emg_status emg_guided_shape(const emg_guided *g, emg_signal *residual, emg_units *units,
                            emg_error *err) {
  emg_guided_signal shown = emg_guided_show(g, residual, units);
  size_t size = muap_size(residual, units);
  emg_guided_unit *views = NULL;
  float *muaps = NULL;
  emg_status status;

  if (!g->guide->shape) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_alloc((size_t)units->n, sizeof *views, &views, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)units->n * size, sizeof *muaps, &muaps, err));
  view_units(units, size, muaps, views);
  EMG_TRY_DONE(g->guide->shape(g->guide->self, &shown, units->n, views, err));
  for (int u = 0; u < units->n; u++) {
    emg_unit_put(residual, units, u, 1);
    memcpy(units->items[u].muap, views[u].muap, size * sizeof *muaps);
    emg_unit_put(residual, units, u, -1);
  }

done:
  free(views);
  free(muaps);
  return status;
}

emg_status emg_guided_judge(const emg_guided *g, emg_signal *residual, emg_units *units,
                            emg_error *err) {
  emg_guided_signal shown = emg_guided_show(g, residual, units);
  emg_guided_unit *views = NULL;
  bool *is_kept = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)units->n, sizeof *views, &views, err));
  EMG_TRY_DONE(emg_alloc((size_t)units->n, sizeof *is_kept, &is_kept, err));
  view_units(units, 0, NULL, views);
  EMG_TRY_DONE(g->guide->judge(g->guide->self, &shown, units->n, views, is_kept, err));
  for (int u = units->n - 1; u >= 0; u--) {
    if (!is_kept[u]) {
      emg_unit_put(residual, units, u, 1);
      emg_units_remove(units, u);
    }
  }

done:
  free(views);
  free(is_kept);
  return status;
}

// --- for guides ---

static emg_signal signal_of(const emg_guided_signal *shown) {
  return (emg_signal){.n_channels = shown->n_channels,
                      .n_samples = shown->n_samples,
                      .margin = shown->n_margin,
                      .rate_hz = shown->rate_hz,
                      .rows = (float *)shown->rows};
}

emg_status emg_guided_covariance(const emg_guided_signal *shown, int n_taps, double *covariance,
                                 emg_error *err) {
  emg_signal signal = signal_of(shown);
  emg_spans whole = emg_spans_over(0, signal.n_samples, signal.n_samples);

  return emg_extended_covariance(&signal, n_taps, &whole, covariance, err);
}

// Spikes against the rest of the source, by power.
static void measure(const float *y, int64_t n_samples, emg_guided_train *train) {
  const double most_db = 200;
  double height = 0, power = 0, of_spikes = 0, n = (double)train->n_spikes;

  for (int64_t i = 0; i < n_samples; i++) {
    power += (double)y[i] * y[i];
  }
  for (int64_t i = 0; i < train->n_spikes; i++) {
    double peak = y[train->spikes[i]];
    height += peak / n;
    of_spikes += peak * peak;
  }
  double rest = fmax(power - of_spikes, 0) / fmax((double)n_samples - n, 1);
  if (train->n_spikes > 0 && height > 0) {
    train->pnr_db = rest > 0 ? fmin(10 * log10(of_spikes / n / rest), most_db) : most_db;
    train->detectability = rest > 0 ? height / sqrt(rest) : INFINITY;
  }
}

static emg_status pick(const emg_guided_signal *shown, emg_spike_picker *picker, const float *y,
                       int64_t *spikes, emg_guided_train *out, emg_error *err) {
  out->n_spikes = emg_pick_spikes(picker, y, shown->n_samples, spikes, &out->sil);
  out->isi_cov = emg_intervals_of(spikes, NULL, out->n_spikes, shown->rate_hz).cov;
  EMG_TRY(emg_alloc((size_t)out->n_spikes, sizeof *out->spikes, &out->spikes, err));
  if (out->n_spikes > 0) {
    memcpy(out->spikes, spikes, (size_t)out->n_spikes * sizeof *spikes);
  }
  measure(y, shown->n_samples, out);
  return EMG_OK;
}

emg_status emg_guided_detect(const emg_guided_signal *shown, const emg_config *config, int n_taps,
                             int n, const float *filters, emg_guided_train *out, emg_error *err) {
  emg_signal signal = signal_of(shown);
  emg_spans whole = emg_spans_over(0, signal.n_samples, signal.n_samples);
  ptrdiff_t n_dimensions = (ptrdiff_t)n_taps * signal.n_channels;
  emg_spike_picker picker = {0};
  float *columns = NULL, *sources = NULL;
  int64_t *spikes = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned((size_t)(n_dimensions * n), sizeof *columns, &columns, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)(signal.n_samples * n), sizeof *sources, &sources, err));
  EMG_TRY_DONE(emg_spike_picker_create(
      signal.n_samples, emg_refractory_samples(&config->decompose, signal.rate_hz), &picker, err));
  EMG_TRY_DONE(emg_alloc((size_t)emg_spike_picker_capacity(&picker), sizeof *spikes, &spikes, err));
  for (ptrdiff_t d = 0; d < n_dimensions; d++) {
    for (int i = 0; i < n; i++) {
      columns[d * n + i] = filters[i * n_dimensions + d];
    }
  }
  EMG_TRY_DONE(
      emg_extended_filter(&signal, n_taps, &whole, columns, n, sources, signal.n_samples, err));
  for (int i = 0; i < n; i++) {
    EMG_TRY_DONE(pick(shown, &picker, sources + i * signal.n_samples, spikes, &out[i], err));
  }

done:
  free(columns);
  free(sources);
  free(spikes);
  emg_spike_picker_free(&picker);
  return status;
}
