// reestimate.c -- filters of all units from their action potentials, and their spikes once more
#include "ckc_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>

// A unit's filter and what it makes of the unit's own action potential.
typedef struct {
  int64_t delay;    // the source peaks so many samples after the spike
  float *filter;    // [D], the source has height 1 at a spike
  float *response;  // [n_response], first value half_window samples before the spike
  int64_t n_response;
} unit_filter;

// Room to work on one group of units at a time, so that memory does not grow with their number.
enum { GROUP = 16 };
typedef struct {
  emg_signal *residual;
  const emg_whitener *whitener;
  emg_units *units;
  emg_spans whole;
  emg_signal wave;  // one action potential, with margins
  int n_delays;
  float *views, *filters;  // [D][n_delays]: the action potential in xe at each delay; times C^-1
  float *group_filters;    // [D][GROUP]
  float *sources;          // [GROUP][n_samples]
  unit_filter parts[GROUP];
  emg_spike_picker picker;
  int64_t *spikes;
} reestimation;

static void reestimation_free(reestimation *r) {
  emg_signal_free(&r->wave);
  free(r->views);
  free(r->filters);
  free(r->group_filters);
  free(r->sources);
  for (int i = 0; i < GROUP; i++) {
    free(r->parts[i].filter);
    free(r->parts[i].response);
  }
  emg_spike_picker_free(&r->picker);
  free(r->spikes);
}

static emg_status reestimation_create(reestimation *r, int64_t refractory, emg_error *err) {
  const emg_signal *x = r->residual;
  size_t n_dimensions = (size_t)r->whitener->n_dimensions, n_delays = (size_t)r->n_delays;
  int64_t length = 2 * r->units->half_window, n_taps = r->whitener->n_taps;

  EMG_TRY(emg_signal_create(x->n_channels, length, n_taps, x->rate_hz, &r->wave, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_delays, sizeof(float), &r->views, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_delays, sizeof(float), &r->filters, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * GROUP, sizeof(float), &r->group_filters, err));
  EMG_TRY(emg_alloc_aligned((size_t)x->n_samples * GROUP, sizeof(float), &r->sources, err));
  for (int i = 0; i < GROUP; i++) {
    r->parts[i].n_response = length + n_taps - 1;
    EMG_TRY(emg_alloc_aligned(n_dimensions, sizeof(float), &r->parts[i].filter, err));
    EMG_TRY(emg_alloc_aligned((size_t)r->parts[i].n_response, sizeof(float), &r->parts[i].response,
                              err));
  }
  EMG_TRY(emg_spike_picker_create(x->n_samples, refractory, &r->picker, err));
  return emg_alloc((size_t)emg_spike_picker_capacity(&r->picker), sizeof *r->spikes, &r->spikes,
                   err);
}

// The filter that answers most to the action potential b(d), d samples into it, against all else:
// f = C^-1 b / (b' C^-1 b), at the delay where b' C^-1 b is largest (Capon 1969).
static void best_filter(reestimation *r, const emg_unit *unit, unit_filter *part) {
  int n_taps = r->whitener->n_taps, n_dimensions = r->whitener->n_dimensions;
  int64_t length = r->wave.n_samples;
  double most = 0;
  int best = 0;

  memcpy(r->wave.rows, unit->muap,
         (size_t)length * (size_t)r->wave.n_channels * sizeof *unit->muap);
  for (int i = 0; i < r->n_delays; i++) {
    const float *view = emg_signal_row(&r->wave, i);
    for (ptrdiff_t d = 0; d < n_dimensions; d++) {
      r->views[d * r->n_delays + i] = view[d];
    }
  }
  emg_whitener_apply(r->whitener, r->n_delays, r->views, r->filters);
  for (int i = 0; i < r->n_delays; i++) {
    double power = 0;
    for (ptrdiff_t at = i; at < (ptrdiff_t)n_dimensions * r->n_delays; at += r->n_delays) {
      power += (double)r->views[at] * r->filters[at];
    }
    if (power > most) {
      most = power;
      best = i;
    }
  }
  part->delay = best + n_taps - 1 - r->units->half_window;
  for (ptrdiff_t d = 0; d < n_dimensions; d++) {
    part->filter[d] = most > 0 ? r->filters[d * r->n_delays + best] / (float)most : 0;
  }
  for (int64_t t = 0; t < part->n_response; t++) {
    const float *view = emg_signal_row(&r->wave, t - n_taps + 1);
    double sum = 0;
    for (int d = 0; d < n_dimensions; d++) {
      sum += (double)part->filter[d] * view[d];
    }
    part->response[t] = (float)sum;
  }
}

// y of the residual becomes y of the residual and the unit's own signal, its peaks moved to the
// spikes.
static void complete_source(const reestimation *r, const emg_unit *unit, const unit_filter *part,
                            float *y) {
  int64_t n = r->residual->n_samples;

  for (int64_t i = 0; i < unit->n_spikes; i++) {
    int64_t begin = unit->spikes[i] - r->units->half_window;
    for (int64_t t = 0; t < part->n_response; t++) {
      if (begin + t >= 0 && begin + t < n) {
        y[begin + t] += part->response[t];
      }
    }
  }
  int64_t by = llabs(part->delay) < n ? part->delay : 0;
  size_t n_kept = (size_t)(n - llabs(by));
  if (by >= 0) {
    memmove(y, y + by, n_kept * sizeof *y);
    memset(y + n_kept, 0, (size_t)by * sizeof *y);
  } else {
    memmove(y - by, y, n_kept * sizeof *y);
    memset(y, 0, (size_t)-by * sizeof *y);
  }
}

// Spikes of a completed source replace the unit's, and its figures with them.
static emg_status adopt_spikes(reestimation *r, int i, const float *y, emg_error *err) {
  emg_unit *unit = &r->units->items[i];
  int64_t n = r->residual->n_samples, *spikes;
  double sil;

  int64_t n_spikes = emg_pick_spikes(&r->picker, y, n, r->spikes, &sil);
  if (n_spikes >= 2) {
    EMG_TRY(emg_alloc((size_t)n_spikes, sizeof *spikes, &spikes, err));
    memcpy(spikes, r->spikes, (size_t)n_spikes * sizeof *spikes);
    emg_unit_put(r->residual, r->units, i, 1);
    free(unit->spikes);
    unit->spikes = spikes;
    unit->n_spikes = n_spikes;
    emg_unit_put(r->residual, r->units, i, -1);
  }
  emg_source_quality quality =
      emg_source_quality_of(y, n, unit->spikes, unit->n_spikes, r->picker.refractory);
  unit->sil = quality.sil;
  unit->pnr_db = quality.pnr_db;
  unit->intervals = emg_intervals_of(unit->spikes, NULL, unit->n_spikes, r->residual->rate_hz);
  return EMG_OK;
}

static emg_status keep_source(emg_unit *unit, const float *y, int64_t n, emg_error *err) {
  if (!unit->source) {
    EMG_TRY(emg_alloc((size_t)n, sizeof *y, &unit->source, err));
  }
  memcpy(unit->source, y, (size_t)n * sizeof *y);
  return EMG_OK;
}

static emg_status reestimate_group(reestimation *r, int first, int n, bool keep_sources,
                                   emg_error *err) {
  int64_t n_samples = r->residual->n_samples;

  for (int i = 0; i < n; i++) {
    best_filter(r, &r->units->items[first + i], &r->parts[i]);
    for (ptrdiff_t d = 0; d < r->whitener->n_dimensions; d++) {
      r->group_filters[d * n + i] = r->parts[i].filter[d];
    }
  }
  EMG_TRY(emg_extended_filter(r->residual, r->whitener->n_taps, &r->whole, r->group_filters, n,
                              r->sources, n_samples, err));
  for (int i = 0; i < n; i++) {
    float *y = r->sources + i * n_samples;
    complete_source(r, &r->units->items[first + i], &r->parts[i], y);
    EMG_TRY(adopt_spikes(r, first + i, y, err));
    if (keep_sources) {
      EMG_TRY(keep_source(&r->units->items[first + i], y, n_samples, err));
    }
  }
  return EMG_OK;
}

emg_status emg_reestimate(emg_signal *residual, const emg_whitener *whitener,
                          const struct emg_config_decompose *config, emg_units *units,
                          bool keep_sources, emg_error *err) {
  reestimation r = {.residual = residual,
                    .whitener = whitener,
                    .units = units,
                    .whole = emg_spans_over(0, residual->n_samples, residual->n_samples),
                    .n_delays = (int)(2 * units->half_window) - whitener->n_taps + 1};
  emg_status status;

  if (r.n_delays < 1) {
    r.n_delays = 1;
  }
  EMG_TRY_DONE(reestimation_create(&r, emg_refractory_samples(config, residual->rate_hz), err));
  for (int first = 0; first < units->n; first += GROUP) {
    int n = units->n - first < GROUP ? units->n - first : GROUP;
    EMG_TRY_DONE(reestimate_group(&r, first, n, keep_sources, err));
  }
  EMG_TRY_DONE(emg_units_fit(residual, units, 2, err));

done:
  reestimation_free(&r);
  return status;
}
