// joint.c -- the joint model: action potentials, filters and spikes of all units in turn
#include "joint_priv.h"

#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <emgtwin/array.h>
#include <emgtwin/decompose.h>

// Scratch for one unit after the other.
typedef struct {
  emg_detector detector;
  int64_t *old_places, *places, *changed;
  float *source;  // with the unit's own signal
} scratch;

void emg_joint_free(emg_joint *j) {
  free(j->filters);
  free(j->responses);
  free(j->sources);
}

emg_status emg_joint_create(emg_joint *j, emg_error *err) {
  size_t n = (size_t)j->units->n,
         n_dimensions = (size_t)j->n_taps * (size_t)j->residual->n_channels;

  j->reach = 2 * j->units->half_window + j->n_taps;
  j->length = j->residual->n_samples + 2 * j->units->half_window;
  EMG_TRY(emg_alloc_aligned(n_dimensions * n, sizeof *j->filters, &j->filters, err));
  EMG_TRY(emg_alloc_aligned(n * n * (size_t)(2 * j->reach + 1), sizeof *j->responses, &j->responses,
                            err));
  return emg_alloc_aligned(n * (size_t)j->length, sizeof *j->sources, &j->sources, err);
}

static void scratch_free(scratch *s) {
  emg_detector_free(&s->detector);
  free(s->old_places);
  free(s->places);
  free(s->changed);
  free(s->source);
}

static emg_status scratch_create(const emg_joint *j, scratch *s, emg_error *err) {
  int64_t refractory = emg_refractory_samples(j->config, j->residual->rate_hz);

  size_t capacity = (size_t)(j->length / refractory + 1);

  for (int u = 0; u < j->units->n; u++) {
    capacity = (size_t)j->units->items[u].n_spikes > capacity ? (size_t)j->units->items[u].n_spikes
                                                              : capacity;
  }
  EMG_TRY(emg_detector_create(j->length, refractory, &s->detector, err));
  EMG_TRY(emg_alloc(capacity, sizeof *s->old_places, &s->old_places, err));
  EMG_TRY(emg_alloc(capacity, sizeof *s->places, &s->places, err));
  EMG_TRY(emg_alloc(2 * capacity, sizeof *s->changed, &s->changed, err));
  return emg_alloc_aligned((size_t)j->length, sizeof *s->source, &s->source, err);
}

// --- one unit ---

// source += sign * response at every spike, as far as it lies inside.
EMG_KERNEL static void add_responses(const float *response, int64_t reach, const int64_t *spikes,
                                     int64_t n_spikes, int64_t offset, int64_t length, float sign,
                                     float *source) {
  for (int64_t k = 0; k < n_spikes; k++) {
    int64_t begin = spikes[k] + offset - reach;
    int64_t first = begin < 0 ? -begin : 0;
    int64_t last = begin + 2 * reach + 1 > length ? length - begin : 2 * reach + 1;
    float *to = source + begin;
    for (int64_t i = first; i < last; i++) {
      to[i] += sign * response[i];
    }
  }
}

int64_t emg_train_difference(const int64_t *a, int64_t n_a, const int64_t *b, int64_t n_b,
                             int64_t *out) {
  int64_t n = 0, k = 0;

  for (int64_t i = 0; i < n_a; i++) {
    while (k < n_b && b[k] < a[i]) {
      k++;
    }
    if (k == n_b || b[k] != a[i]) {
      out[n++] = a[i];
    }
  }
  return n;
}

void emg_joint_respond(emg_joint *j, int unit, const int64_t *spikes, int64_t n_spikes,
                       float sign) {
  const int64_t worth_threads = 2048;

#pragma omp parallel for schedule(static) if (n_spikes * j->units->n > worth_threads)
  for (int i = 0; i < j->units->n; i++) {
    int64_t offset = j->units->items[i].delay + j->units->half_window;
    add_responses(emg_joint_response(j, i, unit), j->reach, spikes, n_spikes, offset, j->length,
                  sign, j->sources + (ptrdiff_t)i * j->length);
  }
}

void emg_joint_put(emg_joint *j, int unit, const int64_t *spikes, int64_t n_spikes, float sign) {
  if (n_spikes > 0) {
    emg_unit_put_at(j->residual, j->units, unit, spikes, n_spikes, sign);
    emg_joint_respond(j, unit, spikes, n_spikes, sign);
  }
}

void emg_joint_complete(const emg_joint *j, int unit, float *source) {
  const emg_unit *u = &j->units->items[unit];

  memcpy(source, j->sources + (ptrdiff_t)unit * j->length, (size_t)j->length * sizeof *source);
  add_responses(emg_joint_response(j, unit, unit), j->reach, u->spikes, u->n_spikes,
                u->delay + j->units->half_window, j->length, 1, source);
}

// Peaks of the source, as spikes of the recording.
static int64_t detect_spikes(emg_joint *j, const emg_unit *u, scratch *s) {
  int64_t offset = u->delay + j->units->half_window, n_kept = 0;
  for (int64_t k = 0; k < u->n_spikes; k++) {
    s->old_places[k] = u->spikes[k] + offset;
  }
  int64_t n = emg_detect(&s->detector, s->source, j->length, u->noise_variance,
                         j->residual->rate_hz, s->old_places, u->n_spikes, s->places);

  for (int64_t k = 0; k < n; k++) {
    int64_t spike = s->places[k] - offset;
    if (spike >= 0 && spike < j->residual->n_samples) {
      s->places[n_kept++] = spike;
    }
  }
  return n_kept;
}

// Spikes of one unit anew from the residual and its own signal; what changed goes into or out of
// the residual at once, so that the next units see it.
static emg_status redetect(emg_joint *j, int unit, scratch *s, emg_error *err) {
  const int64_t spikes_least = 5;
  emg_unit *u = &j->units->items[unit];
  float *source = j->sources + (ptrdiff_t)unit * j->length;
  int64_t *spikes;

  u->noise_variance = emg_noise_variance(source, j->length, s->source);
  emg_joint_complete(j, unit, s->source);
  int64_t n = detect_spikes(j, u, s);
  if (n < spikes_least) {
    return EMG_OK;
  }
  int64_t n_gone = emg_train_difference(u->spikes, u->n_spikes, s->places, n, s->changed);
  emg_joint_put(j, unit, s->changed, n_gone, 1);
  int64_t n_new = emg_train_difference(s->places, n, u->spikes, u->n_spikes, s->changed);
  emg_joint_put(j, unit, s->changed, n_new, -1);
  EMG_TRY(emg_alloc((size_t)n, sizeof *spikes, &spikes, err));
  memcpy(spikes, s->places, (size_t)n * sizeof *spikes);
  free(u->spikes);
  u->spikes = spikes;
  u->n_spikes = n;
  return EMG_OK;
}

// --- figures ---

// Figures of a unit from its completed source, which is kept if asked for.
static emg_status measure(emg_joint *j, int unit, bool keeps_source, scratch *s, emg_error *err) {
  emg_unit *u = &j->units->items[unit];
  int64_t n = j->residual->n_samples, offset = u->delay + j->units->half_window;

  emg_joint_complete(j, unit, s->source);
  // laid so that the source peaks at the spikes; samples that the delay moves in are 0
  int64_t from = offset > 0 ? offset : 0;
  int64_t n_kept = j->length - from < n ? j->length - from : n;
  memmove(s->source, s->source + from, (size_t)n_kept * sizeof(float));
  memset(s->source + n_kept, 0, (size_t)(j->length - n_kept) * sizeof(float));
  emg_source_quality quality =
      emg_source_quality_of(s->source, n, u->spikes, u->n_spikes, s->detector.refractory);
  u->sil = quality.sil;
  u->pnr_db = quality.pnr_db;
  u->intervals = emg_intervals_of(u->spikes, NULL, u->n_spikes, j->residual->rate_hz);
  if (keeps_source) {
    if (!u->source) {
      EMG_TRY(emg_alloc((size_t)n, sizeof *u->source, &u->source, err));
    }
    memcpy(u->source, s->source, (size_t)n * sizeof *u->source);
  }
  return EMG_OK;
}

// --- all units ---

// Filters of all units from their action potentials against what is not explained.
static emg_status update_filters(emg_joint *j, const emg_spans *covariance_spans, emg_error *err) {
  emg_whitener inverse;

  EMG_TRY(emg_whitener_create_ridge(j->residual, j->n_taps, covariance_spans,
                                    j->config->joint_ridge, &inverse, err));
  emg_status status = emg_joint_filters(j, &inverse, err);
  emg_whitener_free(&inverse);
  return status;
}

static emg_status update_spikes(emg_joint *j, scratch *s, emg_error *err) {
  emg_spans all = emg_spans_over(-j->units->half_window,
                                 j->residual->n_samples + j->units->half_window, INT64_MAX);

  EMG_TRY(emg_extended_filter(j->residual, j->n_taps, &all, j->filters, j->units->n, j->sources,
                              j->length, err));
  for (int u = 0; u < j->units->n; u++) {
    EMG_TRY(redetect(j, u, s, err));
  }
  return emg_joint_exchange(j, err);
}

emg_status emg_joint_iterate(emg_signal *residual, emg_units *units,
                             const struct emg_config_decompose *config, int n_taps,
                             const emg_spans *covariance_spans, int n_iterations,
                             bool keeps_sources, emg_error *err) {
  emg_joint j = {.residual = residual, .units = units, .config = config, .n_taps = n_taps};
  const int sweeps = 2, filters_last = 3;  // the residual hardly changes from one pass to the next
  scratch s = {0};
  emg_status status;

  if (units->n == 0) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_joint_create(&j, err));
  EMG_TRY_DONE(scratch_create(&j, &s, err));
  for (int i = 0; i < n_iterations; i++) {
    if (i % filters_last == 0) {
      EMG_TRY_DONE(update_filters(&j, covariance_spans, err));
    }
    EMG_TRY_DONE(update_spikes(&j, &s, err));
    for (int u = 0; i == n_iterations - 1 && u < units->n; u++) {
      EMG_TRY_DONE(measure(&j, u, keeps_sources, &s, err));
    }
    EMG_TRY_DONE(emg_units_fit(residual, units, sweeps, err));
  }

done:
  emg_joint_free(&j);
  scratch_free(&s);
  return status;
}
