// guided.c -- what a guide adds to the joint model: trains, shapes of action potentials, a verdict
#include "guided_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

static emg_guided_signal show(const emg_guided *g, const emg_signal *residual,
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
  emg_guided_signal shown = show(g, residual, units);
  emg_spikes trains = {0};
  emg_status status;

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
  emg_guided_signal shown = show(g, residual, units);
  size_t size = muap_size(residual, units);
  emg_guided_unit *views = NULL;
  float *muaps = NULL;
  emg_status status;

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
  emg_guided_signal shown = show(g, residual, units);
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
