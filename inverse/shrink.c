// shrink.c -- estimates of action potentials shrunk towards fitted ones
//
// James & Stein 1961, with the fit as the point that is shrunk to: an average over few spikes is
// noisy, the fit is biased, and their distance says which of the two weighs more. Nothing is tuned.
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/lin.h"

// Share of the mean squared distance, in variances of one spike, that noise does not explain.
static double weight_of(double distance2, double n_spikes) {
  double bias2 = fmax(0, distance2 - 1 / n_spikes);
  return bias2 / (bias2 + 1 / n_spikes);
}

double emg_shrink(int n_window, int n_channels, const double *variance, double n_spikes,
                  const float *estimate, const float *model, float *shrunk) {
  const ptrdiff_t n = (ptrdiff_t)n_window * n_channels;
  double distance2 = 0;

  for (ptrdiff_t row = 0; row < n; row += n_channels) {
    for (int c = 0; c < n_channels; c++) {
      double d = (double)estimate[row + c] - model[row + c];
      distance2 += variance[c] > 0 ? d * d / variance[c] / (double)n : 0;
    }
  }
  double weight = weight_of(distance2, n_spikes);
  for (ptrdiff_t i = 0; i < n; i++) {
    shrunk[i] = (float)(model[i] + weight * ((double)estimate[i] - model[i]));
  }
  return weight;
}

// --- templates of filters ---

// Whitened components of the blocks that end at rows first, first + step, ...
static void whiten(const emg_metric *metric, int n_window, int first, int step, int n,
                   const float *potential, float *blocks, float *out) {
  for (int i = 0; i < n; i++) {
    emg_metric_block(metric, n_window, first + i * step, potential,
                     blocks + (ptrdiff_t)i * metric->n_dimensions);
  }
  emg_sgemm(0, 1, n, metric->rank, metric->n_dimensions, 1, blocks, metric->n_dimensions,
            metric->vectors, metric->n_dimensions, 0, out, metric->rank);
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < metric->rank; k++) {
      out[(ptrdiff_t)i * metric->rank + k] /= (float)sqrt(metric->values[k]);
    }
  }
}

static double dot(int n, const float *a, const float *b) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += (double)a[i] * b[i];
  }
  return sum;
}

// The block in which the estimate answers a filter of the model most. Where the model is wrong, as
// it may be where waves end, it does not, however visible the model itself is.
static int most_visible(int n, int rank, const float *estimate, const float *model) {
  int best = 0;
  double largest = -INFINITY;

  for (int i = 0; i < n; i++) {
    const float *e = estimate + (ptrdiff_t)i * rank, *m = model + (ptrdiff_t)i * rank;
    double length2 = dot(rank, m, m);
    double height = length2 > 0 ? dot(rank, e, m) / sqrt(length2) : 0;
    if (height > largest) {
      largest = height;
      best = i;
    }
  }
  return best;
}

// Mixes the two whitened blocks in place of `model` and turns them into a filter.
static void make_filter(const emg_metric *metric, double n_spikes, const float *estimate,
                        float *model, float *filter, emg_template *out) {
  const int rank = metric->rank;
  double ee = dot(rank, estimate, estimate), mm = dot(rank, model, model);
  double em = dot(rank, estimate, model);

  out->cosine = ee > 0 && mm > 0 ? em / sqrt(ee * mm) : 0;
  out->weight = weight_of(fmax(ee - 2 * em + mm, 0) / rank, n_spikes);
  for (int k = 0; k < rank; k++) {
    model[k] += (float)out->weight * (estimate[k] - model[k]);
  }
  double length = sqrt(dot(rank, model, model));
  out->height = length;
  for (int k = 0; k < rank; k++) {
    model[k] = length > 0 ? (float)(model[k] / (length * sqrt(metric->values[k]))) : 0;
  }
  emg_sgemm(0, 0, 1, metric->n_dimensions, rank, 1, model, rank, metric->vectors,
            metric->n_dimensions, 0, filter, metric->n_dimensions);
}

emg_status emg_template_create(const emg_metric *metric, int n_window, int origin,
                               const float *estimate, const float *model, double n_spikes,
                               float *filter, emg_template *out, emg_error *err) {
  // whole blocks only, ending at every other row: an estimate cut short is nothing like a signal
  const int step = 2, first = metric->n_taps - 1, n = (n_window - 1 - first) / step + 1;
  float *blocks = NULL, *of_model = NULL, *of_estimate = NULL;
  emg_status status;

  *out = (emg_template){0};
  if (n_window < metric->n_taps) {
    return emg_fail(err, EMG_ERR_ARG,
                    "action potentials of %d samples are shorter than filters of %d", n_window,
                    metric->n_taps);
  }
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)n * (size_t)metric->n_dimensions, sizeof *blocks, &blocks, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)n * (size_t)metric->rank, sizeof *of_model, &of_model, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)n * (size_t)metric->rank, sizeof *of_estimate, &of_estimate, err));
  whiten(metric, n_window, first, step, n, model, blocks, of_model);
  whiten(metric, n_window, first, step, n, estimate, blocks, of_estimate);
  ptrdiff_t best = most_visible(n, metric->rank, of_estimate, of_model);
  out->delay = first + (int)best * step - origin;
  make_filter(metric, n_spikes, of_estimate + best * metric->rank, of_model + best * metric->rank,
              filter, out);
done:
  free(blocks);
  free(of_model);
  free(of_estimate);
  return status;
}
