// extended.c -- products with the extended recording, which is never formed
#include "ckc_priv.h"

#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/array.h>

// Rows of xe that are R samples apart do not overlap: taken at every R-th sample from phase p on,
// they are a matrix in the memory of the recording itself, D columns with rows R M floats apart. A
// block is R such products.
enum { BLOCK = 1024 };

static const float *extended_row(const emg_signal *x, int n_taps, int64_t sample) {
  return emg_signal_row(x, sample - n_taps + 1);
}

// One source would make these products of a matrix and a vector, bound by memory. With the filter
// as R rows of M channels and with y delayed R times it is products of matrices again: u(s, k) =
// f_k' x(s) and y(t) = SUM_k u(t - R + 1 + k, k); backwards alike.
enum { PART = 256, TAPS_MOST = 64 };

static void filter_alone(const emg_signal *x, int n_taps, int64_t at, int n_rows,
                         const float *filter, float *y) {
  float u[(PART + TAPS_MOST) * TAPS_MOST];

  for (int first = 0; first < n_rows; first += PART) {
    int n = n_rows - first < PART ? n_rows - first : PART;
    emg_sgemm(0, 1, n + n_taps - 1, n_taps, x->n_channels, 1, extended_row(x, n_taps, at + first),
              x->n_channels, filter, x->n_channels, 0, u, n_taps);
    for (int row = 0; row < n; row++) {
      float sum = 0;
      for (int k = 0; k < n_taps; k++) {
        sum += u[(row + k) * n_taps + k];
      }
      y[first + row] = sum;
    }
  }
}

static void correlate_alone(const emg_signal *x, int n_taps, int64_t at, int n_rows, const float *g,
                            float *sums) {
  float delayed[(PART + TAPS_MOST) * TAPS_MOST];

  for (int first = 0; first < n_rows; first += PART) {
    int n = n_rows - first < PART ? n_rows - first : PART;
    for (int row = 0; row < n + n_taps - 1; row++) {
      for (int k = 0; k < n_taps; k++) {
        delayed[row * n_taps + k] = row >= k && row - k < n ? g[first + row - k] : 0;
      }
    }
    emg_sgemm(1, 0, n_taps, x->n_channels, n + n_taps - 1, 1, delayed, n_taps,
              extended_row(x, n_taps, at + first), x->n_channels, 1, sums, x->n_channels);
  }
}

// y[n_rows][n_sources] = filters' xe from sample `at` on.
static void filter_block(const emg_signal *x, int n_taps, int64_t at, int n_rows,
                         const float *filters, int n_sources, float *y) {
  int n_dimensions = n_taps * x->n_channels;

  if (n_sources == 1 && n_taps <= TAPS_MOST) {
    filter_alone(x, n_taps, at, n_rows, filters, y);
    return;
  }
  for (int phase = 0; phase < n_taps && phase < n_rows; phase++) {
    int n = (n_rows - phase + n_taps - 1) / n_taps;
    emg_sgemm(0, 0, n, n_sources, n_dimensions, 1, extended_row(x, n_taps, at + phase),
              n_dimensions, filters, n_sources, 0, y + (ptrdiff_t)phase * n_sources,
              n_taps * n_sources);
  }
}

// sums[D][n_sources] += SUM xe(t) g(t)' over the block; g has n_sources values a row.
static void correlate_block(const emg_signal *x, int n_taps, int64_t at, int n_rows, const float *g,
                            int n_sources, float *sums) {
  int n_dimensions = n_taps * x->n_channels;

  if (n_sources == 1 && n_taps <= TAPS_MOST) {
    correlate_alone(x, n_taps, at, n_rows, g, sums);
    return;
  }
  for (int phase = 0; phase < n_taps && phase < n_rows; phase++) {
    int n = (n_rows - phase + n_taps - 1) / n_taps;
    emg_sgemm(1, 0, n_dimensions, n_sources, n, 1, extended_row(x, n_taps, at + phase),
              n_dimensions, g + (ptrdiff_t)phase * n_sources, n_taps * n_sources, 1, sums,
              n_sources);
  }
}

static int block_rows(const emg_spans *spans, int s, int64_t at) {
  return spans->end[s] - at < BLOCK ? (int)(spans->end[s] - at) : BLOCK;
}

// --- sources ---

// [n_rows][n_sources] to rows of samples, in tiles that stay in cache.
static void transpose(const float *block, int n_rows, int n_sources, float *y, int64_t stride) {
  enum { TILE = 16 };
  for (int first = 0; first < n_rows; first += TILE) {
    int last = first + TILE < n_rows ? first + TILE : n_rows;
    for (int source = 0; source < n_sources; source++) {
      for (int row = first; row < last; row++) {
        y[source * stride + row] = block[(ptrdiff_t)row * n_sources + source];
      }
    }
  }
}

emg_status emg_extended_filter(const emg_signal *x, int n_taps, const emg_spans *spans,
                               const float *filters, int n_sources, float *y, int64_t stride,
                               emg_error *err) {
  size_t block_size = (size_t)BLOCK * (size_t)n_sources;
  float *blocks;

  EMG_TRY(emg_alloc_aligned(EMG_SPANS * block_size, sizeof *blocks, &blocks, err));
#pragma omp parallel for schedule(dynamic)
  for (int s = 0; s < EMG_SPANS; s++) {
    float *block = blocks + (size_t)s * block_size;
    for (int64_t at = spans->begin[s]; at < spans->end[s]; at += BLOCK) {
      int n_rows = block_rows(spans, s, at);
      filter_block(x, n_taps, at, n_rows, filters, n_sources, block);
      transpose(block, n_rows, n_sources, y + spans->place[s] + (at - spans->begin[s]), stride);
    }
  }
  free(blocks);
  return EMG_OK;
}

// --- contrast sweep ---

emg_status emg_sweep_create(int n_dimensions, int n_sources_most, emg_sweep *out, emg_error *err) {
  size_t n_sources = (size_t)n_sources_most;
  emg_status status;

  *out = (emg_sweep){.n_dimensions = n_dimensions, .n_sources_most = n_sources_most};
  EMG_TRY_DONE(emg_alloc_aligned(EMG_SPANS * (size_t)n_dimensions * n_sources, sizeof(float),
                                 &out->sums, err));
  EMG_TRY_DONE(emg_alloc_aligned(EMG_SPANS * n_sources, sizeof(double), &out->slopes, err));
  EMG_TRY_DONE(
      emg_alloc_aligned(EMG_SPANS * (size_t)BLOCK * n_sources, sizeof(float), &out->blocks, err));

done:
  if (status != EMG_OK) {
    emg_sweep_free(out);
  }
  return status;
}

void emg_sweep_free(emg_sweep *sweep) {
  free(sweep->sums);
  free(sweep->slopes);
  free(sweep->blocks);
  *sweep = (emg_sweep){0};
}

// Add the pieces' sums in order and divide by the number of samples.
static void reduce(const emg_sweep *sweep, int n_sources, double n_samples, float *means,
                   double *slopes) {
  ptrdiff_t n = (ptrdiff_t)sweep->n_dimensions * n_sources;

#pragma omp parallel for schedule(static)
  for (ptrdiff_t i = 0; i < n; i++) {
    double sum = 0;
    for (int s = 0; s < EMG_SPANS; s++) {
      sum += sweep->sums[s * n + i];
    }
    means[i] = (float)(sum / n_samples);
  }
  for (int i = 0; i < n_sources; i++) {
    double sum = 0;
    for (int s = 0; s < EMG_SPANS; s++) {
      sum += sweep->slopes[s * n_sources + i];
    }
    slopes[i] = sum / n_samples;
  }
}

void emg_extended_contrast(const emg_signal *x, int n_taps, const emg_spans *spans,
                           const float *filters, int n_sources, emg_contrast_fn contrast,
                           float level, emg_sweep *sweep, float *means, double *slopes) {
  ptrdiff_t n = (ptrdiff_t)sweep->n_dimensions * n_sources;

  memset(sweep->sums, 0, EMG_SPANS * (size_t)n * sizeof(float));
  memset(sweep->slopes, 0, EMG_SPANS * (size_t)n_sources * sizeof(double));
#pragma omp parallel for schedule(dynamic)
  for (int s = 0; s < EMG_SPANS; s++) {
    float *block = sweep->blocks + (ptrdiff_t)s * BLOCK * n_sources;
    for (int64_t at = spans->begin[s]; at < spans->end[s]; at += BLOCK) {
      int n_rows = block_rows(spans, s, at);
      filter_block(x, n_taps, at, n_rows, filters, n_sources, block);
      contrast(block, n_rows, n_sources, level, sweep->slopes + (ptrdiff_t)s * n_sources);
      correlate_block(x, n_taps, at, n_rows, block, n_sources, sweep->sums + s * n);
    }
  }
  reduce(sweep, n_sources, (double)spans->place[EMG_SPANS], means, slopes);
}

// --- sums ---

EMG_KERNEL static void add_row(const float *row, int n, double *sum) {
  for (int i = 0; i < n; i++) {
    sum[i] += row[i];
  }
}

void emg_extended_gather(const emg_signal *x, int n_taps, const int64_t *spikes, int64_t n_spikes,
                         double *sum) {
  int n_dimensions = n_taps * x->n_channels;

  memset(sum, 0, (size_t)n_dimensions * sizeof *sum);
  for (int64_t i = 0; i < n_spikes; i++) {
    add_row(extended_row(x, n_taps, spikes[i]), n_dimensions, sum);
  }
}

emg_status emg_extended_lags(const emg_signal *x, int n_taps, const emg_spans *spans, float *means,
                             emg_error *err) {
  emg_sweep sweep;
  double *slopes;

  EMG_TRY(emg_alloc((size_t)x->n_channels, sizeof *slopes, &slopes, err));
  emg_status status = emg_sweep_create(n_taps * x->n_channels, x->n_channels, &sweep, err);
  if (status == EMG_OK) {
    ptrdiff_t n = (ptrdiff_t)sweep.n_dimensions * x->n_channels;
#pragma omp parallel for schedule(dynamic)
    for (int s = 0; s < EMG_SPANS; s++) {
      for (int64_t at = spans->begin[s]; at < spans->end[s]; at += BLOCK) {
        correlate_block(x, n_taps, at, block_rows(spans, s, at), emg_signal_row(x, at),
                        x->n_channels, sweep.sums + s * n);
      }
    }
    reduce(&sweep, x->n_channels, (double)spans->place[EMG_SPANS], means, slopes);
    emg_sweep_free(&sweep);
  }
  free(slopes);
  return status;
}
