// split.c -- units that hold the spikes of two, and pairs of units that are one
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/lin.h>
#include <emgtwin/array.h>

#include "ckc_priv.h"
#include "match_priv.h"

// What is left of the signal at a unit's spikes, in the strongest directions of the residual, each
// of unit variance: noise if the unit is one, two clusters if its spikes are those of two.
typedef struct {
  int n_taps, n_directions;
  float *directions;  // [n_directions][D]
} spike_view;

enum { DIRECTIONS = 150 };

static emg_status view_create(const emg_signal *residual, int n_taps, const emg_spans *spans,
                              spike_view *out, emg_error *err) {
  int n = n_taps * residual->n_channels;
  double *vectors = NULL, *values = NULL;
  emg_status status;

  *out = (spike_view){.n_taps = n_taps, .n_directions = n < DIRECTIONS ? n : DIRECTIONS};
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n * (size_t)n, sizeof *vectors, &vectors, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *values, &values, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)out->n_directions * (size_t)n, sizeof(float),
                                 &out->directions, err));
  EMG_TRY_DONE(emg_extended_covariance(residual, n_taps, spans, vectors, err));
  EMG_TRY_DONE(emg_eigen_symmetric(n, vectors, values, err));
  for (int i = 0; i < out->n_directions; i++) {
    int from = n - 1 - i;
    double scale = values[from] > 1e-12 * values[n - 1] ? 1 / sqrt(values[from]) : 0;
    for (int d = 0; d < n; d++) {
      out->directions[(ptrdiff_t)i * n + d] = (float)(scale * vectors[(ptrdiff_t)from * n + d]);
    }
  }

done:
  free(vectors);
  free(values);
  return status;
}

// The unit's spikes seen: points[n][n_directions], centred; spikes too near the ends are zeros.
static emg_status look_at_spikes(const emg_signal *residual, const spike_view *view,
                                 const emg_unit *unit, float **points, emg_error *err) {
  int n = (int)unit->n_spikes, k = view->n_directions, n_channels = residual->n_channels;
  int n_dimensions = view->n_taps * n_channels;
  float *windows;

  EMG_TRY(emg_alloc_aligned((size_t)n * (size_t)n_dimensions, sizeof *windows, &windows, err));
  emg_status status = emg_alloc_aligned((size_t)n * (size_t)k, sizeof **points, points, err);
  for (int i = 0; i < n && status == EMG_OK; i++) {
    int64_t last = unit->spikes[i] + unit->delay;
    if (last - view->n_taps + 1 >= 0 && last < residual->n_samples) {
      memcpy(windows + (ptrdiff_t)i * n_dimensions,
             emg_signal_row(residual, last - view->n_taps + 1),
             (size_t)n_dimensions * sizeof *windows);
    }
  }
  if (status == EMG_OK) {
    emg_sgemm(0, 1, n, k, n_dimensions, 1, windows, n_dimensions, view->directions, n_dimensions, 0,
              *points, k);
    for (int d = 0; d < k; d++) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += (*points)[(ptrdiff_t)i * k + d];
      }
      for (int i = 0; i < n; i++) {
        (*points)[(ptrdiff_t)i * k + d] -= (float)(sum / n);
      }
    }
  }
  free(windows);
  return status;
}

// --- two clusters ---

typedef struct {
  double value;
  int spike;
} score;

static int compare_scores(const void *a, const void *b) {
  double x = ((const score *)a)->value, y = ((const score *)b)->value;
  return (x < y) - (x > y);
}

typedef struct {
  int n;
  score *scores;
  double *values;
  bool *is_first;
  int64_t *part[2];
  int64_t n_part[2];
} division;

static void division_free(division *d) {
  free(d->scores);
  free(d->values);
  free(d->is_first);
  free(d->part[0]);
  free(d->part[1]);
}

static emg_status division_create(division *d, int n, emg_error *err) {
  d->n = n;
  EMG_TRY(emg_alloc((size_t)n, sizeof *d->scores, &d->scores, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *d->values, &d->values, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *d->is_first, &d->is_first, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *d->part[0], &d->part[0], err));
  return emg_alloc((size_t)n, sizeof *d->part[1], &d->part[1], err);
}

// Divide the spikes in two by their places along one direction.
static void divide(division *d, const emg_unit *unit, const float *points, int k,
                   const double *direction) {
  for (int i = 0; i < d->n; i++) {
    double value = 0;
    for (int c = 0; c < k; c++) {
      value += points[(ptrdiff_t)i * k + c] * direction[c];
    }
    d->scores[i] = (score){value, i};
  }
  qsort(d->scores, (size_t)d->n, sizeof *d->scores, compare_scores);
  for (int i = 0; i < d->n; i++) {
    d->values[i] = d->scores[i].value;
  }
  int64_t n_first = emg_two_classes(d->values, d->n);
  for (int i = 0; i < d->n; i++) {
    d->is_first[d->scores[i].spike] = i < n_first;
  }
  d->n_part[0] = d->n_part[1] = 0;
  for (int i = 0; i < d->n; i++) {
    int part = d->is_first[i] ? 0 : 1;
    d->part[part][d->n_part[part]++] = unit->spikes[i];
  }
}

static double mean_cov(const division *d, double rate_hz) {
  double a = emg_intervals_of(d->part[0], NULL, d->n_part[0], rate_hz).cov;
  double b = emg_intervals_of(d->part[1], NULL, d->n_part[1], rate_hz).cov;
  return a > 0 && b > 0 ? 0.5 * (a + b) : INFINITY;
}

static bool is_big_enough(const division *d, const struct emg_config_decompose *config) {
  return d->n_part[0] >= config->spikes_min && d->n_part[1] >= config->spikes_min;
}

// Principal directions of the points, largest variance last (as rows).
static emg_status principal_directions(const float *points, int n, int k, double *vectors,
                                       double *values, emg_error *err) {
  for (int a = 0; a < k; a++) {
    for (int b = 0; b <= a; b++) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += (double)points[(ptrdiff_t)i * k + a] * points[(ptrdiff_t)i * k + b];
      }
      vectors[a * k + b] = vectors[b * k + a] = sum;
    }
  }
  return emg_eigen_symmetric(k, vectors, values, err);
}

// Whether the unit's spikes are those of two units, and which are whose: one direction stands out,
// or one of the first three makes both trains much more regular.
static emg_status find_division(const emg_signal *residual, const spike_view *view,
                                const struct emg_config_decompose *config, const emg_unit *unit,
                                division *d, bool *is_two, emg_error *err) {
  const double much_more_regular = 0.85;
  int k = view->n_directions, n = (int)unit->n_spikes;
  float *points = NULL;
  double *vectors = NULL, *values = NULL;
  emg_status status;

  *is_two = false;
  EMG_TRY_DONE(look_at_spikes(residual, view, unit, &points, err));
  EMG_TRY_DONE(emg_alloc((size_t)k * (size_t)k, sizeof *vectors, &vectors, err));
  EMG_TRY_DONE(emg_alloc((size_t)k, sizeof *values, &values, err));
  EMG_TRY_DONE(principal_directions(points, n, k, vectors, values, err));
  divide(d, unit, points, k, vectors + (ptrdiff_t)(k - 1) * k);
  if (values[k - 1] > config->split_gap * values[k - 2] && is_big_enough(d, config)) {
    *is_two = true;
    goto done;
  }
  int best = 0;
  double least = much_more_regular * unit->intervals.cov;
  for (int c = 1; c <= 3 && c <= k; c++) {
    divide(d, unit, points, k, vectors + (ptrdiff_t)(k - c) * k);
    double cov = mean_cov(d, residual->rate_hz);
    if (is_big_enough(d, config) && cov < least) {
      least = cov;
      best = c;
    }
  }
  if (best > 0) {
    divide(d, unit, points, k, vectors + (ptrdiff_t)(k - best) * k);
    *is_two = true;
  }

done:
  free(points);
  free(vectors);
  free(values);
  return status;
}

// The unit keeps the first part; the second becomes a unit with the same action potential, which
// the next fit moves apart.
static emg_status split_unit(emg_units *units, int i, int n_channels, const division *d,
                             emg_error *err) {
  size_t n_values = (size_t)(2 * units->half_window) * (size_t)n_channels;

  EMG_TRY(emg_units_add(units, n_channels, d->part[1], d->n_part[1], err));
  emg_unit *unit = &units->items[i], *other = &units->items[units->n - 1];
  memcpy(other->muap, unit->muap, n_values * sizeof *unit->muap);
  other->round = unit->round;
  other->delay = unit->delay;
  other->has_delay = unit->has_delay;
  unit->n_spikes = d->n_part[0];
  memcpy(unit->spikes, d->part[0], (size_t)d->n_part[0] * sizeof *unit->spikes);
  return EMG_OK;
}

emg_status emg_units_split(emg_signal *residual, emg_units *units,
                           const struct emg_config_decompose *config, int n_taps,
                           const emg_spans *spans, int *n_split, emg_error *err) {
  const double sil_least = 0.6;
  int n_before = units->n;
  spike_view view = {0};
  emg_status status = EMG_OK;

  *n_split = 0;
  for (int i = 0; i < n_before; i++) {
    division d = {0};
    const emg_unit *unit = &units->items[i];
    bool is_two = false;
    if (unit->is_whole || unit->intervals.cov <= config->split_isi_cov_min ||
        unit->sil <= sil_least || unit->n_spikes < 2 * config->spikes_min) {
      continue;
    }
    if (!view.directions) {
      EMG_TRY_DONE(view_create(residual, n_taps, spans, &view, err));
    }
    status = division_create(&d, (int)unit->n_spikes, err);
    if (status == EMG_OK) {
      status = find_division(residual, &view, config, unit, &d, &is_two, err);
    }
    if (status == EMG_OK && is_two) {
      status = split_unit(units, i, residual->n_channels, &d, err);
      (*n_split)++;
    }
    division_free(&d);
    EMG_TRY_DONE(status);
  }

done:
  free(view.directions);
  return status;
}

// --- two units that are one ---

// Largest cosine of two action potentials within a few samples of each other.
static double similarity(const emg_units *units, int n_channels, int a, int b, int64_t *shift) {
  const int64_t most = 8;
  int64_t half = units->half_window;
  const float *x = units->items[a].muap, *y = units->items[b].muap;
  double xx = 0, yy = 0, best = -1;

  for (int64_t i = 0; i < 2 * half * n_channels; i++) {
    xx += (double)x[i] * x[i];
    yy += (double)y[i] * y[i];
  }
  for (int64_t by = -most; by <= most; by++) {
    double xy = 0;
    for (int64_t i = most * n_channels; i < (2 * half - most) * n_channels; i++) {
      xy += (double)x[i] * y[i - by * n_channels];
    }
    if (xy > best * sqrt(xx * yy)) {
      best = xx * yy > 0 ? xy / sqrt(xx * yy) : 0;
      *shift = by;
    }
  }
  return best;
}

static int compare_samples(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Both trains as one, that of `b` moved by `shift`; spikes within 3 samples of one another are one.
// `out` holds n_a + n_b; returns their number.
static int64_t unite(const emg_unit *a, const emg_unit *b, int64_t shift, int64_t n_samples,
                     int64_t *out) {
  int64_t n = 0, n_kept = 0;

  memcpy(out, a->spikes, (size_t)a->n_spikes * sizeof *out);
  n = a->n_spikes;
  for (int64_t i = 0; i < b->n_spikes; i++) {
    int64_t spike = b->spikes[i] + shift;
    if (spike >= 0 && spike < n_samples) {
      out[n++] = spike;
    }
  }
  qsort(out, (size_t)n, sizeof *out, compare_samples);
  for (int64_t i = 0; i < n; i++) {
    if (n_kept == 0 || out[i] - out[n_kept - 1] > 3) {
      out[n_kept++] = out[i];
    }
  }
  return n_kept;
}

// A unit's train has hardly any interval below 15 ms and is more regular than either part.
static bool is_one_train(const int64_t *spikes, int64_t n, const emg_unit *a, const emg_unit *b,
                         double rate_hz) {
  const double short_s = 0.015, short_share = 0.02, more_regular = 0.9;
  int64_t n_short = 0;

  for (int64_t i = 1; i < n; i++) {
    n_short += (double)(spikes[i] - spikes[i - 1]) < short_s * rate_hz;
  }
  double cov = emg_intervals_of(spikes, NULL, n, rate_hz).cov;
  return (double)n_short < short_share * (double)n && cov > 0 &&
         cov < more_regular * fmin(a->intervals.cov, b->intervals.cov);
}

// Unit `a` becomes both if they are one train.
static emg_status try_merge(emg_signal *residual, emg_units *units, int a, int b, int64_t shift,
                            bool *is_merged, emg_error *err) {
  emg_unit *first = &units->items[a], *second = &units->items[b];
  int64_t *united;

  EMG_TRY(emg_alloc((size_t)(first->n_spikes + second->n_spikes), sizeof *united, &united, err));
  int64_t n = unite(first, second, shift, residual->n_samples, united);
  *is_merged = is_one_train(united, n, first, second, residual->rate_hz);
  if (!*is_merged) {
    free(united);
    return EMG_OK;
  }
  emg_unit_put(residual, units, a, 1);
  emg_unit_put(residual, units, b, 1);
  free(first->spikes);
  first->spikes = united;
  first->n_spikes = n;
  first->intervals = emg_intervals_of(united, NULL, n, residual->rate_hz);
  first->is_whole = true;
  emg_unit_put(residual, units, a, -1);
  emg_units_remove(units, b);
  return EMG_OK;
}

emg_status emg_units_merge(emg_signal *residual, emg_units *units,
                           const struct emg_config_decompose *config, int *n_merged,
                           emg_error *err) {
  *n_merged = 0;
  for (int a = 0; a < units->n; a++) {
    for (int b = a + 1; b < units->n; b++) {
      int64_t shift = 0;
      bool is_merged = false;
      if (similarity(units, residual->n_channels, a, b, &shift) < config->merge_similarity) {
        continue;
      }
      EMG_TRY(try_merge(residual, units, a, b, shift, &is_merged, err));
      *n_merged += is_merged;
      b -= is_merged;
    }
  }
  return EMG_OK;
}
