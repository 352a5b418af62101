// whitener.c -- covariance of the extended recording and its regularised inverse
#include "ckc_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/array.h>

// C[j][i] = E{x(t - (R-1-j)) x(t - (R-1-i))'} depends on j - i alone: the lag covariance of i - j
// samples, whose block [R-1-lag] of `lags` is E{x(t - lag) x(t)'}.
static void fill_toeplitz(int n_taps, int n_channels, const float *lags, double *covariance) {
  ptrdiff_t n = (ptrdiff_t)n_taps * n_channels;

#pragma omp parallel for schedule(static)
  for (int j = 0; j < n_taps; j++) {
    for (int i = j; i < n_taps; i++) {
      const float *block = lags + (ptrdiff_t)(n_taps - 1 - (i - j)) * n_channels * n_channels;
      for (int p = 0; p < n_channels; p++) {
        for (int q = 0; q < n_channels; q++) {
          double value = block[p * n_channels + q];
          if (i == j) {  // the lag 0 is symmetric up to rounding
            value = 0.5 * (value + block[q * n_channels + p]);
          }
          covariance[(j * n_channels + p) * n + i * n_channels + q] = value;
          covariance[(i * n_channels + q) * n + j * n_channels + p] = value;
        }
      }
    }
  }
}

// Rows of a fixed size, so that the threads do not change the bits.
enum { ROWS = 128 };

// c[n_rows][n] = op(a) b, with `depth` terms; a[n_rows][depth] or, transposed, a[depth][n_rows].
static void product(int transpose_a, int n_rows, int n, int depth, const float *a, const float *b,
                    float *c) {
#pragma omp parallel for schedule(dynamic)
  for (int first = 0; first < n_rows; first += ROWS) {
    int rows = n_rows - first < ROWS ? n_rows - first : ROWS;
    const float *part = transpose_a ? a + first : a + (ptrdiff_t)first * depth;
    emg_sgemm(transpose_a, 0, rows, n, depth, 1, part, transpose_a ? n_rows : depth, b, n, 0,
              c + (ptrdiff_t)first * n, n);
  }
}

// Inverse from the eigenvalues above the mean of the lower half, which are taken for noise
// (Negro et al. 2016). `vectors` has one eigenvector a row, ascending.
static emg_status invert(emg_whitener *w, const double *vectors, const double *values,
                         emg_error *err) {
  int n = w->n_dimensions;
  double floor = 0;
  float *scaled;

  for (int i = 0; i < n / 2; i++) {
    floor += values[i] / (n / 2);
  }
  floor = fmax(floor, 1e-9 * values[n - 1]);
  int first = n - 1;
  while (first > 0 && values[first - 1] > floor) {
    first--;
  }
  if (!(values[n - 1] > 0) || !isfinite(values[n - 1])) {
    return emg_fail(
        err, EMG_ERR_DATA,
        "the filtered recording has no variance; check the channels and decompose.band_*");
  }
  w->rank = n - first;
  EMG_TRY(emg_alloc_aligned((size_t)w->rank * (size_t)n, sizeof *scaled, &scaled, err));
  for (int i = 0; i < w->rank; i++) {
    double scale = 1 / sqrt(values[first + i]);
    const double *vector = vectors + (ptrdiff_t)(first + i) * n;
    for (int j = 0; j < n; j++) {
      scaled[(ptrdiff_t)i * n + j] = (float)(vector[j] * scale);
    }
  }
  product(1, n, n, w->rank, scaled, scaled, w->inverse);
  free(scaled);
  return EMG_OK;
}

emg_status emg_extended_covariance(const emg_signal *x, int n_taps, const emg_spans *spans,
                                   double *covariance, emg_error *err) {
  float *lags;

  EMG_TRY(emg_alloc_aligned((size_t)n_taps * (size_t)x->n_channels * (size_t)x->n_channels,
                            sizeof *lags, &lags, err));
  emg_status status = emg_extended_lags(x, n_taps, spans, lags, err);
  if (status == EMG_OK) {
    fill_toeplitz(n_taps, x->n_channels, lags, covariance);
  }
  free(lags);
  return status;
}

emg_status emg_whitener_create(const emg_signal *x, int n_taps, const emg_spans *spans,
                               emg_whitener *out, emg_error *err) {
  int n = n_taps * x->n_channels;
  size_t n_square = (size_t)n * (size_t)n;
  double *matrix = NULL, *values = NULL;
  emg_status status;

  *out = (emg_whitener){.n_taps = n_taps, .n_dimensions = n};
  EMG_TRY_DONE(emg_alloc_aligned(n_square, sizeof *matrix, &matrix, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n, sizeof *values, &values, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_square, sizeof(float), &out->covariance, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_square, sizeof(float), &out->inverse, err));

  EMG_TRY_DONE(emg_extended_covariance(x, n_taps, spans, matrix, err));
  for (size_t i = 0; i < n_square; i++) {
    out->covariance[i] = (float)matrix[i];
  }
  EMG_TRY_DONE(emg_eigen_symmetric(n, matrix, values, err));
  EMG_TRY_DONE(invert(out, matrix, values, err));

done:
  free(matrix);
  free(values);
  if (status != EMG_OK) {
    emg_whitener_free(out);
  }
  return status;
}

// In several sums, which run side by side.
EMG_KERNEL static double dot(int n, const double *a, const double *b) {
  enum { SIDE_BY_SIDE = 16 };
  double sums[SIDE_BY_SIDE] = {0}, sum = 0;
  int i = 0;

  for (; i + SIDE_BY_SIDE <= n; i += SIDE_BY_SIDE) {
    for (int k = 0; k < SIDE_BY_SIDE; k++) {
      sums[k] += a[i + k] * b[i + k];
    }
  }
  for (; i < n; i++) {
    sum += a[i] * b[i];
  }
  for (int k = 0; k < SIDE_BY_SIDE; k++) {
    sum += sums[k];
  }
  return sum;
}

double emg_largest_eigenvalue(int n, const double *matrix, double *scratch) {
  const int iterations = 12;
  double *vector = scratch, *image = scratch + n, norm = 0;

  for (int i = 0; i < n; i++) {
    vector[i] = 1;
  }
  for (int k = 0; k < iterations; k++) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
      image[i] = dot(n, matrix + (ptrdiff_t)i * n, vector);
    }
    norm = sqrt(dot(n, image, image));
    for (int i = 0; i < n; i++) {
      vector[i] = norm > 0 ? image[i] / norm : 0;
    }
  }
  return norm;
}

emg_status emg_whitener_create_ridge(const emg_signal *x, int n_taps, const emg_spans *spans,
                                     double ridge, emg_whitener *out, emg_error *err) {
  int n = n_taps * x->n_channels;
  size_t n_square = (size_t)n * (size_t)n;
  double *matrix = NULL, *vectors = NULL;
  emg_status status;

  *out = (emg_whitener){.n_taps = n_taps, .n_dimensions = n, .rank = n};
  EMG_TRY_DONE(emg_alloc_aligned(n_square, sizeof *matrix, &matrix, err));
  EMG_TRY_DONE(emg_alloc_aligned(2 * (size_t)n, sizeof *vectors, &vectors, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_square, sizeof(float), &out->inverse, err));

  // taken from pieces of a recording, the block Toeplitz matrix may lack a little to be positive
  for (status = EMG_ERR_DATA; status == EMG_ERR_DATA && ridge < 1; ridge *= 10) {
    EMG_TRY_DONE(emg_extended_covariance(x, n_taps, spans, matrix, err));
    double load = ridge * emg_largest_eigenvalue(n, matrix, vectors);
    for (int i = 0; i < n; i++) {
      matrix[(ptrdiff_t)i * n + i] += load;
    }
    status = emg_invert_spd(n, matrix, ridge < 0.1 ? NULL : err);
  }
  EMG_TRY_DONE(status);
  for (size_t i = 0; i < n_square; i++) {
    out->inverse[i] = (float)matrix[i];
  }

done:
  free(matrix);
  free(vectors);
  if (status != EMG_OK) {
    emg_whitener_free(out);
  }
  return status;
}

void emg_whitener_free(emg_whitener *whitener) {
  free(whitener->covariance);
  free(whitener->inverse);
  *whitener = (emg_whitener){0};
}

void emg_whitener_apply(const emg_whitener *whitener, int n, const float *in, float *out) {
  product(0, whitener->n_dimensions, n, whitener->n_dimensions, whitener->inverse, in, out);
}

void emg_whitener_normalise(const emg_whitener *whitener, int n_sources, float *filters,
                            float *scratch) {
  int n = whitener->n_dimensions;

  product(0, n, n_sources, n, whitener->covariance, filters, scratch);
  for (int source = 0; source < n_sources; source++) {
    double variance = 0;
    for (ptrdiff_t i = source; i < (ptrdiff_t)n * n_sources; i += n_sources) {
      variance += (double)filters[i] * scratch[i];
    }
    float scale = variance > 0 && isfinite(variance) ? (float)(1 / sqrt(variance)) : 0;
    for (ptrdiff_t i = source; i < (ptrdiff_t)n * n_sources; i += n_sources) {
      filters[i] = scale > 0 ? filters[i] * scale : 0;
    }
  }
}
