// unit_filters.c -- a filter for each unit from its action potential, and how it answers to others
#include "joint_priv.h"

#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <base/lin.h>
#include <emgtwin/array.h>

// Room of one thread: the action potential as the extended vector sees it pass, a row a sample.
typedef struct {
  int n_rows, n_dimensions;
  float *views;   // [n_rows][D]
  float *images;  // [n_rows][D], views times the inverse covariance; or [n_rows][J], answers
} passage;

static emg_status passages_create(const emg_joint *j, int n, passage *out, emg_error *err) {
  int n_rows = (int)(2 * j->units->half_window) + j->n_taps - 1;
  size_t n_dimensions = (size_t)j->n_taps * (size_t)j->residual->n_channels;
  size_t n_columns = n_dimensions > (size_t)j->units->n ? n_dimensions : (size_t)j->units->n;

  for (int i = 0; i < n; i++) {
    out[i].n_rows = n_rows;
    out[i].n_dimensions = (int)n_dimensions;
    EMG_TRY(emg_alloc_aligned((size_t)n_rows * n_dimensions, sizeof(float), &out[i].views, err));
    EMG_TRY(emg_alloc_aligned((size_t)n_rows * n_columns, sizeof(float), &out[i].images, err));
  }
  return EMG_OK;
}

static void passages_free(int n, passage *passages) {
  for (int i = 0; passages && i < n; i++) {
    free(passages[i].views);
    free(passages[i].images);
  }
  free(passages);
}

// Row i: the last n_taps samples of the action potential up to its sample i, zeros around it.
static void look_at(const emg_joint *j, int unit, passage *p) {
  int n_channels = j->residual->n_channels, length = (int)(2 * j->units->half_window);
  const float *muap = j->units->items[unit].muap;

  for (int row = 0; row < p->n_rows; row++) {
    int first = row - j->n_taps + 1;
    int begin = first > 0 ? first : 0, end = row + 1 < length ? row + 1 : length;
    float *view = p->views + (ptrdiff_t)row * p->n_dimensions;
    memset(view, 0, (size_t)p->n_dimensions * sizeof *view);
    memcpy(view + (ptrdiff_t)(begin - first) * n_channels, muap + (ptrdiff_t)begin * n_channels,
           (size_t)(end - begin) * (size_t)n_channels * sizeof *view);
  }
}

static double dot(int n, const float *a, const float *b) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += (double)a[i] * b[i];
  }
  return sum;
}

// The filter that answers most to the unit against all that is not explained (Capon 1969):
// f = C^-1 b / (b' C^-1 b) for the view b in which b' C^-1 b is largest. A known delay is looked at
// with its neighbours only.
static void best_filter(emg_joint *j, const emg_whitener *inverse, int unit, passage *p) {
  const int around = 2;
  emg_unit *u = &j->units->items[unit];
  int half = (int)j->units->half_window, n = p->n_dimensions;
  int first = j->n_taps - 1, last = 2 * half, best = first;
  double most = 0;

  if (u->has_delay) {
    int known = (int)u->delay + half;
    first = known - around > first ? known - around : first;
    last = known + around + 1 < last ? known + around + 1 : last;
  }
  const float *views = p->views + (ptrdiff_t)first * n;
  emg_sgemm(0, 0, last - first, n, n, 1, views, n, inverse->inverse, n, 0, p->images, n);
  for (int row = first; row < last; row++) {
    ptrdiff_t at = (ptrdiff_t)(row - first) * n;
    double power = dot(n, views + at, p->images + at);
    if (power > most) {
      most = power;
      best = row;
    }
  }
  const float *image = p->images + (ptrdiff_t)(best - first) * n;
  for (ptrdiff_t d = 0; d < n; d++) {
    j->filters[d * j->units->n + unit] = most > 0 ? image[d] / (float)most : 0;
  }
  u->delay = best - half;
  u->has_delay = true;
}

// responses[i][unit]: what filter i makes of the unit's action potential, at -reach .. reach
// samples from where filter i would peak at a spike of its own at the same instant.
static void respond(const emg_joint *j, int unit, passage *p) {
  int n_units = j->units->n, half = (int)j->units->half_window;

  emg_sgemm(0, 0, p->n_rows, n_units, p->n_dimensions, 1, p->views, p->n_dimensions, j->filters,
            n_units, 0, p->images, n_units);
  for (int i = 0; i < n_units; i++) {
    float *response = emg_joint_response(j, i, unit);
    int64_t shift = j->reach - half - j->units->items[i].delay;
    memset(response, 0, (size_t)(2 * j->reach + 1) * sizeof *response);
    for (int row = 0; row < p->n_rows; row++) {
      response[row + shift] = p->images[(ptrdiff_t)row * n_units + i];
    }
  }
}

emg_status emg_joint_filters(emg_joint *j, const emg_whitener *inverse, emg_error *err) {
  int n_threads = omp_get_max_threads();
  passage *passages;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n_threads, sizeof *passages, &passages, err));
  EMG_TRY_DONE(passages_create(j, n_threads, passages, err));
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
  for (int u = 0; u < j->units->n; u++) {
    look_at(j, u, &passages[omp_get_thread_num()]);
    best_filter(j, inverse, u, &passages[omp_get_thread_num()]);
  }
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
  for (int u = 0; u < j->units->n; u++) {
    look_at(j, u, &passages[omp_get_thread_num()]);
    respond(j, u, &passages[omp_get_thread_num()]);
  }

done:
  passages_free(n_threads, passages);
  return status;
}
