// online_adapt.c -- filters that follow action potentials which change over minutes
#include "online_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/lin.h>
#include <emgtwin/array.h>

// What learning does once, f = (C + ridge)^-1 b, goes on with forgetting (after Glaser & Holobar
// 2019, Chen et al. 2020): the lag covariances that make C, and of each unit the mean b of xe where
// its source peaks. The filter of one unit at a time is solved for again by conjugate gradients
// from where it is, one step after every HOP samples, so that no batch costs much more than
// another.
//
// Everything happens at multiples of HOP samples and at discharges, which do not depend on the
// batches.
enum { HOP = EMG_ONLINE_HOP, STEPS = 10 };

static const double covariance_s = 60;  // time over which covariances are forgotten
static const double warm_up_s = 20;     // nothing is changed before
// An average b of n discharges adds a variance of rows / (n q) of its own to a source of variance
// 1 / q, whatever it averages; forgetting over this many times rows / q keeps that at a thirtieth.
// Few STEPS of the solver hold back as well: what they leave out is mostly such noise.
static const double forgetting = 15;
static const double discharges_least = 30;  // since the start, for a filter to change
static const double heights = 60;           // over which the height of discharges is forgotten
// A unit whose other peaks reach more than this share of its discharges' height decides wrongly too
// often to learn from what it decides: it stays as it is.
static const double noise_share_most = 0.3;
static const double ridge = 1e-5;  // as in learning, of the largest eigenvalue

struct emg_online_adapter {
  int n_taps, n_channels, n_dimensions;
  int64_t n_hops;
  double covariance_hops, warm_up_hops;
  float *lags;           // [n_taps][M][M]: E{x(t - lag) x(t)'}
  float *means;          // [n_units][D] b
  double *n_discharges;  // [n_units]
  float *weight;         // [n_units] of a new discharge in b
  int n_means;           // units whose b is known
  double largest;        // eigenvalue of C
  float *largest_vector;
  // the unit at work: solution, residual, direction and C direction, [D] each
  int unit, step;
  double residual_norm;
  float *solution, *residual, *direction, *image;
};

void emg_online_adapter_free(emg_online_adapter *a) {
  if (!a) {
    return;
  }
  free(a->lags);
  free(a->means);
  free(a->n_discharges);
  free(a->weight);
  free(a->largest_vector);
  free(a->solution);
  free(a->residual);
  free(a->direction);
  free(a->image);
  free(a);
}

emg_status emg_online_adapter_create(const emg_filters *f, emg_online_adapter **out,
                                     emg_error *err) {
  size_t n = (size_t)f->n_taps * (size_t)f->n_channels, n_units = (size_t)f->n_units;
  emg_online_adapter *a;
  emg_status status;

  EMG_TRY(emg_alloc(1, sizeof *a, &a, err));
  *a = (emg_online_adapter){.n_taps = f->n_taps,
                            .n_channels = f->n_channels,
                            .n_dimensions = (int)n,
                            .covariance_hops = covariance_s * f->rate_hz / HOP,
                            .warm_up_hops = warm_up_s * f->rate_hz / HOP,
                            .unit = -1};
  EMG_TRY_DONE(emg_alloc_aligned(n * (size_t)f->n_channels, sizeof(float), &a->lags, err));
  EMG_TRY_DONE(emg_alloc_aligned(n * n_units, sizeof(float), &a->means, err));
  EMG_TRY_DONE(emg_alloc(n_units, sizeof(double), &a->n_discharges, err));
  EMG_TRY_DONE(emg_alloc(n_units, sizeof(float), &a->weight, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof(float), &a->largest_vector, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof(float), &a->solution, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof(float), &a->residual, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof(float), &a->direction, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof(float), &a->image, err));
  for (size_t i = 0; i < n; i++) {
    a->largest_vector[i] = i % 3 ? 1 : -0.5F;
  }
  *out = a;

done:
  if (status != EMG_OK) {
    emg_online_adapter_free(a);
  }
  return status;
}

// --- products ---

static double dot(int n, const float *a, const float *b) {
  double sum = 0;

  for (int i = 0; i < n; i++) {
    sum += (double)a[i] * b[i];
  }
  return sum;
}

// to = C from. Block j, i of C is the covariance at lag i - j (whitener.c), so with vectors as rows
// of channels each lag takes one product for all pairs of rows, and one for the transposed ones.
static void multiply(const emg_online_adapter *a, const float *from, float *to) {
  int m = a->n_channels, r = a->n_taps;

  memset(to, 0, (size_t)a->n_dimensions * sizeof *to);
  for (int lag = 0; lag < r; lag++) {
    const float *block = a->lags + (ptrdiff_t)lag * m * m;
    float share = lag == 0 ? 0.5F : 1;  // lag 0 is symmetric up to rounding
    emg_sgemm(0, 1, r - lag, m, m, share, from + (ptrdiff_t)lag * m, m, block, m, 1, to, m);
    emg_sgemm(0, 0, r - lag, m, m, share, from, m, block, m, 1, to + (ptrdiff_t)lag * m, m);
  }
}

static void multiply_ridged(const emg_online_adapter *a, const float *from, float *to) {
  float level = (float)(ridge * a->largest);

  multiply(a, from, to);
  for (int i = 0; i < a->n_dimensions; i++) {
    to[i] += level * from[i];
  }
}

// --- what is forgotten ---

// x: the newest HOP rows, with the rows they look back on before them.
static void update_covariance(emg_online_adapter *a, const float *x) {
  int m = a->n_channels;
  double weight = fmax(1 / (double)(a->n_hops + 1), 1 / a->covariance_hops);

  for (int lag = 0; lag < a->n_taps; lag++) {
    emg_sgemm(1, 0, m, m, HOP, (float)(weight / HOP), x - (ptrdiff_t)lag * m, m, x, m,
              (float)(1 - weight), a->lags + (ptrdiff_t)lag * m * m, m);
  }
}

// The b that belongs to the filter there is: C f / (f' C f).
static void derive_mean(emg_online_adapter *a, int u, const float *filter) {
  float *mean = a->means + (ptrdiff_t)u * a->n_dimensions;

  multiply_ridged(a, filter, mean);
  double variance = dot(a->n_dimensions, filter, mean);
  for (int i = 0; i < a->n_dimensions; i++) {
    mean[i] = variance > 0 ? (float)(mean[i] / variance) : 0;
  }
  a->weight[u] =
      variance > 0 ? (float)fmin(1 / (forgetting * a->n_dimensions * variance), 0.02) : 0;
}

void emg_online_adapt_discharge(emg_online *o, int u, const float *x, double height) {
  emg_online_adapter *a = o->adapter;
  emg_filters *f = &o->filters;

  if (f->noise_centroid[u] > noise_share_most * f->spike_centroid[u]) {
    return;
  }
  f->spike_centroid[u] += (height - f->spike_centroid[u]) / heights;
  f->threshold[u] = (f->spike_centroid[u] + f->noise_centroid[u]) / 2;
  if (u < a->n_means) {
    float *mean = a->means + (ptrdiff_t)u * a->n_dimensions;
    for (int i = 0; i < a->n_dimensions; i++) {
      mean[i] += a->weight[u] * (x[i] - mean[i]);
    }
    a->n_discharges[u]++;
  }
}

// --- one unit after the other ---

// One step of power iteration: covariances change slowly.
static void update_largest(emg_online_adapter *a) {
  multiply(a, a->largest_vector, a->image);
  double norm = sqrt(dot(a->n_dimensions, a->image, a->image));

  a->largest = norm / fmax(sqrt(dot(a->n_dimensions, a->largest_vector, a->largest_vector)), 1e-30);
  for (int i = 0; i < a->n_dimensions && norm > 0; i++) {
    a->largest_vector[i] = (float)(a->image[i] / norm);
  }
}

// The next unit with discharges enough; the solution starts from its filter, scaled as C^-1 b is.
static void begin_unit(emg_online *o) {
  emg_online_adapter *a = o->adapter;
  int n_units = o->filters.n_units, n = a->n_dimensions, tried = 0;

  update_largest(a);
  do {
    a->unit = (a->unit + 1) % n_units;
  } while (a->n_discharges[a->unit] < discharges_least && ++tried < n_units);
  a->step = tried < n_units ? 1 : 0;
  if (a->step == 0) {
    return;
  }
  const float *filter = o->weights + (ptrdiff_t)a->unit * o->n_padded;
  const float *mean = a->means + (ptrdiff_t)a->unit * n;
  multiply_ridged(a, filter, a->image);
  double variance = dot(n, filter, a->image);
  double scale = variance > 0 ? dot(n, filter, mean) / variance : 0;
  for (int i = 0; i < n; i++) {
    a->solution[i] = (float)(scale * filter[i]);
    a->residual[i] = (float)(mean[i] - scale * a->image[i]);
    a->direction[i] = a->residual[i];
  }
  a->residual_norm = dot(n, a->residual, a->residual);
}

// Conjugate gradients (Hestenes & Stiefel 1952).
static void step_unit(emg_online_adapter *a) {
  int n = a->n_dimensions;

  multiply_ridged(a, a->direction, a->image);
  double curvature = dot(n, a->direction, a->image);
  double length = curvature > 0 ? a->residual_norm / curvature : 0;
  for (int i = 0; i < n; i++) {
    a->solution[i] += (float)(length * a->direction[i]);
    a->residual[i] -= (float)(length * a->image[i]);
  }
  double norm = dot(n, a->residual, a->residual);
  double keep = a->residual_norm > 0 ? norm / a->residual_norm : 0;
  for (int i = 0; i < n; i++) {
    a->direction[i] = (float)(a->residual[i] + keep * a->direction[i]);
  }
  a->residual_norm = norm;
  a->step++;
}

// The solution, scaled to answer with 1, becomes the unit's filter.
static void finish_unit(emg_online *o) {
  emg_online_adapter *a = o->adapter;
  int n = a->n_dimensions;
  double power = dot(n, a->means + (ptrdiff_t)a->unit * n, a->solution);

  a->step = 0;
  if (!(power > 0) || !isfinite(1 / power)) {
    return;
  }
  float *filter = o->weights + (ptrdiff_t)a->unit * o->n_padded;
  for (int i = 0; i < n; i++) {
    filter[i] = (float)(a->solution[i] / power);
  }
  memcpy(o->filters.weights + (ptrdiff_t)a->unit * n, filter, (size_t)n * sizeof *filter);
}

void emg_online_adapt_hop(emg_online *o, const float *x) {
  emg_online_adapter *a = o->adapter;

  update_covariance(a, x);
  a->n_hops++;
  if ((double)a->n_hops < a->warm_up_hops) {
    return;
  }
  if (a->n_means < o->filters.n_units) {
    update_largest(a);
    derive_mean(a, a->n_means, o->weights + (ptrdiff_t)a->n_means * o->n_padded);
    a->n_means++;
  } else if (a->step == 0) {
    begin_unit(o);
  } else if (a->step <= STEPS) {
    step_unit(a);
  } else {
    finish_unit(o);
  }
}
