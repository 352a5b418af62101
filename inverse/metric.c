// metric.c -- the covariance of the extended vector as a metric of action potentials
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lin.h"

// Eigenvalues from the mean of the lower half on are kept (Negro et al. 2016); all of them if they
// are all the same, but for rounding.
static int count_kept(int n, const double *ascending) {
  double mean = 0;
  for (int i = 0; i < n / 2; i++) {
    mean += ascending[i] / (n / 2);
  }
  double least = fmax((1 - 1e-9) * mean, 1e-7 * ascending[n - 1]);
  int dropped = 0;
  while (dropped < n - 1 && !(ascending[dropped] >= least)) {
    dropped++;
  }
  return n - dropped;
}

emg_status emg_metric_create(int n_taps, int n_channels, double *covariance, emg_metric *out,
                             emg_error *err) {
  const int n = n_taps * n_channels;
  double *ascending = NULL;
  emg_status status;

  *out = (emg_metric){.n_taps = n_taps, .n_channels = n_channels, .n_dimensions = n};
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *ascending, &ascending, err));
  EMG_TRY_DONE(emg_eigen_symmetric(n, covariance, ascending, err));
  if (!(ascending[n - 1] > 0) || !isfinite(ascending[n - 1])) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the covariance of %d channels is 0 or no number; is the recording silent?",
                      n_channels);
    goto done;
  }
  out->rank = count_kept(n, ascending);
  EMG_TRY_DONE(emg_alloc((size_t)out->rank, sizeof *out->values, &out->values, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)out->rank * (size_t)n, sizeof *out->vectors, &out->vectors, err));
  for (int k = 0; k < out->rank; k++) {
    const double *vector = covariance + (ptrdiff_t)(n - 1 - k) * n;
    out->values[k] = ascending[n - 1 - k];
    for (int i = 0; i < n; i++) {
      out->vectors[(ptrdiff_t)k * n + i] = (float)vector[i];
    }
  }
done:
  free(ascending);
  if (status != EMG_OK) {
    emg_metric_free(out);
  }
  return status;
}

void emg_metric_free(emg_metric *metric) {
  free(metric->vectors);
  free(metric->values);
  *metric = (emg_metric){0};
}

int emg_metric_blocks(const emg_metric *metric, int n_window) {
  return n_window / metric->n_taps;
}

void emg_metric_project(const emg_metric *metric, int n_window, int n, const float *potentials,
                        float *room, float *out) {
  const int n_blocks = emg_metric_blocks(metric, n_window);
  const int first = (n_window - n_blocks * metric->n_taps) / 2;
  const size_t size = (size_t)n_blocks * (size_t)metric->n_dimensions;

  for (int i = 0; i < n; i++) {
    const float *rows = potentials + ((ptrdiff_t)i * n_window + first) * metric->n_channels;
    memcpy(room + (size_t)i * size, rows, size * sizeof *room);
  }
  emg_sgemm(0, 1, n * n_blocks, metric->rank, metric->n_dimensions, 1, room, metric->n_dimensions,
            metric->vectors, metric->n_dimensions, 0, out, metric->rank);
}

void emg_metric_block(const emg_metric *metric, int n_window, int last, const float *potential,
                      float *block) {
  const int first = last - metric->n_taps + 1, n_channels = metric->n_channels;
  const int begin = first > 0 ? first : 0, end = last < n_window ? last + 1 : n_window;

  memset(block, 0, (size_t)metric->n_dimensions * sizeof *block);
  if (begin < end) {
    memcpy(block + (ptrdiff_t)(begin - first) * n_channels,
           potential + (ptrdiff_t)begin * n_channels,
           (size_t)(end - begin) * (size_t)n_channels * sizeof *block);
  }
}
