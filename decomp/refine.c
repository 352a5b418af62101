// refine.c -- from filter to spikes to filter, while the spikes stand out better
#include "ckc_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <emgtwin/array.h>

#include "source_priv.h"

// Sources that still improve are kept side by side: source `alive[i]` is column i of `now` and
// `sums` and row i of `sources`.
typedef struct {
  const emg_signal *x;
  const emg_whitener *whitener;
  const emg_spans *spans;
  int spikes_min, n_sources, n_alive, n_threads;
  int *alive;
  bool *has_stopped;
  float *now, *sums, *scratch;  // [D][n_alive]
  float *sources;               // [n_alive][n_places]
  emg_spike_picker *pickers;    // [thread]
  int64_t *spikes;              // [thread][capacity]
  double *gathered;             // [thread][D]
} refinement;

static void refinement_free(refinement *r) {
  for (int t = 0; r->pickers && t < r->n_threads; t++) {
    emg_spike_picker_free(&r->pickers[t]);
  }
  free(r->alive);
  free(r->has_stopped);
  free(r->now);
  free(r->sums);
  free(r->scratch);
  free(r->sources);
  free(r->pickers);
  free(r->spikes);
  free(r->gathered);
}

int64_t emg_refractory_samples(const struct emg_config_decompose *config, double rate_hz) {
  int64_t samples = (int64_t)lround(config->refractory_ms * rate_hz / 1000);
  return samples > 1 ? samples : 1;
}

static emg_status refinement_create(refinement *r, const struct emg_config_decompose *config,
                                    emg_error *err) {
  size_t n_sources = (size_t)r->n_sources, n_places = (size_t)r->spans->place[EMG_SPANS];
  size_t n_dimensions = (size_t)r->whitener->n_dimensions, n_threads = (size_t)r->n_threads;

  EMG_TRY(emg_alloc(n_sources, sizeof *r->alive, &r->alive, err));
  EMG_TRY(emg_alloc(n_sources, sizeof *r->has_stopped, &r->has_stopped, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_sources, sizeof(float), &r->now, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_sources, sizeof(float), &r->sums, err));
  EMG_TRY(emg_alloc_aligned(n_dimensions * n_sources, sizeof(float), &r->scratch, err));
  EMG_TRY(emg_alloc_aligned(n_places * n_sources, sizeof(float), &r->sources, err));
  EMG_TRY(emg_alloc(n_threads, sizeof *r->pickers, &r->pickers, err));
  EMG_TRY(emg_alloc(n_threads * n_dimensions, sizeof *r->gathered, &r->gathered, err));
  for (int t = 0; t < r->n_threads; t++) {
    EMG_TRY(emg_spike_picker_create(
        (int64_t)n_places, emg_refractory_samples(config, r->x->rate_hz), &r->pickers[t], err));
  }
  size_t capacity = (size_t)emg_spike_picker_capacity(&r->pickers[0]);
  return emg_alloc(n_threads * capacity, sizeof *r->spikes, &r->spikes, err);
}

// The sign of a source is free: turn it so that its large values are positive, as spikes are.
static void turn_upwards(const refinement *r, int i) {
  int64_t n = r->spans->place[EMG_SPANS];
  float *y = r->sources + (ptrdiff_t)i * n;
  double third = 0;

  for (int64_t t = 0; t < n; t++) {
    third += (double)y[t] * y[t] * y[t];
  }
  if (third < 0) {
    for (int64_t t = 0; t < n; t++) {
      y[t] = -y[t];
    }
    for (ptrdiff_t d = 0; d < r->whitener->n_dimensions; d++) {
      r->now[d * r->n_alive + i] *= -1;
    }
  }
}

// Keep this pass of a source in its candidate and its filter, and sum what it looks like.
static void keep_pass(const refinement *r, int i, const int64_t *places, int64_t n_spikes,
                      double sil, float *filters, emg_candidate *candidate) {
  double *sum = r->gathered + (ptrdiff_t)omp_get_thread_num() * r->whitener->n_dimensions;

  memcpy(candidate->spikes, places, (size_t)n_spikes * sizeof *places);
  emg_spans_to_samples(r->spans, n_spikes, candidate->spikes);
  candidate->n_spikes = n_spikes;
  candidate->sil = sil;
  candidate->intervals = emg_intervals_of(candidate->spikes, places, n_spikes, r->x->rate_hz);
  emg_extended_gather(r->x, r->whitener->n_taps, candidate->spikes, n_spikes, sum);
  for (ptrdiff_t d = 0; d < r->whitener->n_dimensions; d++) {
    filters[d * r->n_sources + r->alive[i]] = r->now[d * r->n_alive + i];
    r->sums[d * r->n_alive + i] = (float)(sum[d] / (double)n_spikes);
  }
}

// Spikes of all live sources. The first average replaces what the search left in any case.
static void one_pass(refinement *r, int pass, float *filters, emg_candidate *candidates) {
  int64_t n = r->spans->place[EMG_SPANS];
  int64_t capacity = emg_spike_picker_capacity(&r->pickers[0]);

#pragma omp parallel for schedule(dynamic) num_threads(r->n_threads)
  for (int i = 0; i < r->n_alive; i++) {
    emg_candidate *candidate = &candidates[r->alive[i]];
    int64_t *places = r->spikes + omp_get_thread_num() * capacity;
    double sil;

    if (pass == 0) {
      turn_upwards(r, i);
    }
    int64_t n_spikes = emg_pick_spikes(&r->pickers[omp_get_thread_num()],
                                       r->sources + (ptrdiff_t)i * n, n, places, &sil);
    bool is_better = sil > candidate->sil + 1e-4 || pass == 1;
    r->has_stopped[i] = n_spikes < r->spikes_min || !is_better;
    if (!r->has_stopped[i]) {
      keep_pass(r, i, places, n_spikes, sil, filters, candidate);
    }
  }
}

// Close the gaps left by sources that stopped.
static void drop_stopped(refinement *r) {
  int n_left = 0;
  for (int i = 0; i < r->n_alive; i++) {
    if (!r->has_stopped[i]) {
      for (ptrdiff_t d = 0; d < r->whitener->n_dimensions; d++) {
        r->scratch[d * r->n_sources + n_left] = r->sums[d * r->n_alive + i];
      }
      r->alive[n_left++] = r->alive[i];
    }
  }
  for (ptrdiff_t d = 0; d < r->whitener->n_dimensions; d++) {
    memcpy(r->sums + d * n_left, r->scratch + d * r->n_sources, (size_t)n_left * sizeof(float));
  }
  r->n_alive = n_left;
}

emg_status emg_refine(const emg_signal *x, const emg_whitener *whitener, const emg_spans *spans,
                      const struct emg_config_decompose *config, int n_passes, int n_sources,
                      float *filters, emg_candidate *candidates, emg_error *err) {
  refinement r = {.x = x,
                  .whitener = whitener,
                  .spans = spans,
                  .spikes_min = config->spikes_min,
                  .n_sources = n_sources,
                  .n_alive = n_sources,
                  .n_threads = omp_get_max_threads()};
  emg_status status;

  EMG_TRY_DONE(refinement_create(&r, config, err));
  memcpy(r.now, filters, (size_t)whitener->n_dimensions * (size_t)n_sources * sizeof(float));
  for (int i = 0; i < n_sources; i++) {
    r.alive[i] = i;
    EMG_TRY_DONE(emg_alloc((size_t)emg_spike_picker_capacity(&r.pickers[0]), sizeof(int64_t),
                           &candidates[i].spikes, err));
  }
  for (int pass = 0; pass <= n_passes && r.n_alive > 0; pass++) {
    EMG_TRY_DONE(emg_extended_filter(x, whitener->n_taps, spans, r.now, r.n_alive, r.sources,
                                     spans->place[EMG_SPANS], err));
    one_pass(&r, pass, filters, candidates);
    drop_stopped(&r);
    if (r.n_alive > 0) {
      emg_whitener_apply(whitener, r.n_alive, r.sums, r.now);
      emg_whitener_normalise(whitener, r.n_alive, r.now, r.scratch);
    }
  }

done:
  refinement_free(&r);
  return status;
}

void emg_candidates_free(int n, emg_candidate *candidates) {
  for (int i = 0; candidates && i < n; i++) {
    free(candidates[i].spikes);
    candidates[i] = (emg_candidate){0};
  }
}
