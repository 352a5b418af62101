// statistics.c -- quantiles, and intervals by bootstrap over repetitions
#include "benchmark_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/rng.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Linear between order statistics (Hyndman & Fan 1996, definition 7).
double emg_benchmark_quantile(double *values, int n, double part) {
  int n_known = 0;

  for (int i = 0; i < n; i++) {
    if (isfinite(values[i])) {
      values[n_known++] = values[i];
    }
  }
  if (n_known == 0) {
    return NAN;
  }
  qsort(values, (size_t)n_known, sizeof *values, compare);
  double at = part * (n_known - 1);
  int below = (int)at, above = below + 1 < n_known ? below + 1 : below;
  return values[below] + (at - below) * (values[above] - values[below]);
}

// Percentile intervals (Efron & Tibshirani 1993, chapter 13).
emg_status emg_benchmark_bootstrap(int n, int n_resamplings, uint64_t seed, uint32_t entity,
                                   emg_benchmark_statistic statistic, void *user,
                                   emg_benchmark_estimate *out, emg_error *err) {
  double *values = NULL;
  int *which = NULL;
  emg_status status;

  *out = (emg_benchmark_estimate){n, NAN, NAN, NAN};
  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *which, &which, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_resamplings, sizeof *values, &values, err));
  for (int i = 0; i < n; i++) {
    which[i] = i;
  }
  out->value = statistic(which, n, user);
  int n_known = 0;
  for (int b = 0; b < n_resamplings; b++) {
    emg_rng rng = emg_rng_stream(seed, EMG_RNG_BOOTSTRAP, entity, (uint32_t)b);
    for (int i = 0; i < n; i++) {
      which[i] = (int)emg_rng_below(&rng, (uint32_t)n);
    }
    double value = statistic(which, n, user);
    if (isfinite(value)) {
      values[n_known++] = value;
    }
  }
  out->low = emg_benchmark_quantile(values, n_known, 0.05);
  out->high = emg_benchmark_quantile(values, n_known, 0.95);

done:
  free(which);
  free(values);
  return status;
}
