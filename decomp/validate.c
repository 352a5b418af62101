// validate.c -- does a train show in data it was not made from?
#include "ckc_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>

#include "plausible_priv.h"

// A filter f = C^-1 SUM xe(s) of n instants answers to each of them with xe(s)' C^-1 xe(s), about
// the rank of C, whatever they are: heights of sqrt(rank / n) standard deviations that any instants
// of noise would have. The shorter the recording and the more its dimensions, the better such a
// train looks. In the source of the other half of its spikes nothing of this is left.

// Sum of xe at every second spike, from spike `half` on, into column `column` of
// sums[D][n_columns].
static void sum_half(const emg_signal *x, int n_taps, const emg_candidate *candidate, int half,
                     int64_t *spikes, double *sum, float *sums, int column, int n_columns) {
  int64_t n = 0;

  for (int64_t i = half; i < candidate->n_spikes; i += 2) {
    spikes[n++] = candidate->spikes[i];
  }
  emg_extended_gather(x, n_taps, spikes, n, sum);
  for (ptrdiff_t d = 0; d < (ptrdiff_t)n_taps * x->n_channels; d++) {
    sums[d * n_columns + column] = n > 0 ? (float)(sum[d] / (double)n) : 0;
  }
}

// Silhouette of the spikes left out of a half, the others and what surrounds them blanked; 0 if
// they do not stand out of what is around them, where that is asked.
static emg_status judge_half(const emg_candidate *candidate, int half, double rate_hz,
                             int64_t refractory, double contrast_least, int64_t *spikes, float *y,
                             int64_t n_samples, double *sil, emg_error *err) {
  double contrast = contrast_least;
  int64_t n = 0;

  for (int64_t i = 0; i < candidate->n_spikes; i++) {
    int64_t at = candidate->spikes[i];
    if (i % 2 != half) {
      spikes[n++] = at;
      continue;
    }
    int64_t first = at - refractory + 1 > 0 ? at - refractory + 1 : 0;
    int64_t last = at + refractory < n_samples ? at + refractory : n_samples;
    memset(y + first, 0, (size_t)(last - first) * sizeof *y);
  }
  if (contrast_least > 0) {
    EMG_TRY(emg_local_contrast(y, n_samples, spikes, n, rate_hz, &contrast, err));
  }
  *sil = contrast < contrast_least ? 0
                                   : emg_source_quality_of(y, n_samples, spikes, n, refractory).sil;
  return EMG_OK;
}

// Contrast that the spikes left out must have, in standard deviations of what surrounds them.
// Trains that a search of noise ends with reach 3.5 by 100 spikes and 4.3 by 30.
static double choose_contrast_least(int64_t n_spikes) {
  const double of_many = 3.5, spikes_few = 30;
  return of_many * sqrt(1 + spikes_few / (double)n_spikes);
}

emg_status emg_validate(const emg_signal *x, const emg_whitener *whitener,
                        const struct emg_config_decompose *config, bool is_last_word,
                        int n_candidates, const emg_candidate *candidates, double *sil,
                        emg_error *err) {
  int n_columns = 2 * n_candidates;
  size_t n_values = (size_t)whitener->n_dimensions * (size_t)n_columns;
  emg_spans whole = emg_spans_over(0, x->n_samples, x->n_samples);
  int64_t refractory = emg_refractory_samples(config, x->rate_hz);
  float *sums = NULL, *filters = NULL, *sources = NULL;
  double *sum = NULL;
  int64_t *spikes = NULL;
  bool *is_artefact = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n_candidates, sizeof *is_artefact, &is_artefact, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_values, sizeof *sums, &sums, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_values, sizeof *filters, &filters, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)x->n_samples * (size_t)n_columns, sizeof *sources, &sources, err));
  EMG_TRY_DONE(emg_alloc((size_t)whitener->n_dimensions, sizeof *sum, &sum, err));
  EMG_TRY_DONE(emg_alloc((size_t)(x->n_samples / refractory + 1), sizeof *spikes, &spikes, err));

  for (int column = 0; column < n_columns; column++) {
    sum_half(x, whitener->n_taps, &candidates[column / 2], column % 2, spikes, sum, sums, column,
             n_columns);
  }
  for (int i = 0; i < n_candidates && is_last_word; i++) {
    EMG_TRY_DONE(emg_is_artefact(sums + 2 * i, whitener->n_taps, x->n_channels, n_columns,
                                 candidates[i].spikes, candidates[i].n_spikes, x->rate_hz,
                                 &is_artefact[i], err));
  }
  emg_whitener_apply(whitener, n_columns, sums, filters);
  emg_whitener_normalise(whitener, n_columns, filters, sums);
  EMG_TRY_DONE(emg_extended_filter(x, whitener->n_taps, &whole, filters, n_columns, sources,
                                   x->n_samples, err));
  memset(sil, 0, (size_t)n_candidates * sizeof *sil);
  for (int column = 0; column < n_columns; column++) {
    const emg_candidate *candidate = &candidates[column / 2];
    double contrast_least = is_last_word ? choose_contrast_least(candidate->n_spikes) : 0, half_sil;
    EMG_TRY_DONE(judge_half(candidate, column % 2, x->rate_hz, refractory, contrast_least, spikes,
                            sources + column * x->n_samples, x->n_samples, &half_sil, err));
    sil[column / 2] += is_artefact[column / 2] ? 0 : 0.5 * half_sil;
  }

done:
  free(sums);
  free(filters);
  free(sources);
  free(sum);
  free(spikes);
  free(is_artefact);
  return status;
}
