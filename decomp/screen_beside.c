// screen_beside.c -- channels unusable beside the others: weak, large, copies, noise, lost contacts
#include "screen_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/lin.h>
#include <emgtwin/array.h>

#include "source_priv.h"

// What all comparisons share: the filtered channels in rows, their covariance and its inverse.
typedef struct {
  const emg_array2f *x;
  const int *order;  // channel of each row
  int64_t begin, end;
  emg_screening *screening;
  double *covariance;  // [row][row]
  double *inverse;     // [row][row]
} comparison;

static int is_row_usable(const comparison *c, int row) {
  return emg_is_usable(c->screening, c->order[row]);
}

static emg_channel_finding *row_finding(const comparison *c, int row) {
  return &c->screening->finding[c->order[row]];
}

// covariance[row][row]: rows in parts and time in blocks of a fixed size, summed in double
// precision.
static emg_status measure_covariance(comparison *c, emg_error *err) {
  enum { ROWS = 32, BLOCK = 4096 };
  const emg_array2f *x = c->x;
  int n = x->n_rows;
  float *part;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *part, &part, err));
#pragma omp parallel for schedule(dynamic)
  for (int row = 0; row < n; row += ROWS) {
    int n_rows = n - row < ROWS ? n - row : ROWS;
    ptrdiff_t place = (ptrdiff_t)row * n;
    for (int64_t at = c->begin; at < c->end; at += BLOCK) {
      int length = c->end - at < BLOCK ? (int)(c->end - at) : BLOCK;
      emg_sgemm(0, 1, n_rows, n, length, 1, emg_row2f(x, row) + at, (int)x->stride, x->data + at,
                (int)x->stride, 0, part + place, n);
      for (ptrdiff_t i = place; i < place + (ptrdiff_t)n_rows * n; i++) {
        c->covariance[i] += (double)part[i] / (double)(c->end - c->begin);
      }
    }
  }
  free(part);
  return EMG_OK;
}

// --- copies ---

// Bridged electrodes and repeated columns: what is left of one after the other is below 1.5 %.
static void screen_copies(const comparison *c) {
  const double least = 1 - 1e-4;
  int n = c->x->n_rows;

  for (int row = 0; row < n; row++) {
    for (int first = 0; first < row && is_row_usable(c, row); first++) {
      double size = sqrt(c->covariance[(ptrdiff_t)row * n + row] *
                         c->covariance[(ptrdiff_t)first * n + first]);
      if (is_row_usable(c, first) &&
          fabs(c->covariance[(ptrdiff_t)row * n + first]) > least * size) {
        emg_channel_finding *f = row_finding(c, row);
        f->state = EMG_CHANNEL_DUPLICATE;
        snprintf(f->why, sizeof f->why, "a copy of channel %d", c->order[first] + 1);
      }
    }
  }
}

// --- what the others say of a channel ---

// inverse = covariance^-1 over the usable rows, the others apart from them.
static emg_status invert(comparison *c, emg_error *err) {
  int n = c->x->n_rows;
  double *copy;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *copy, &copy, err));
  memset(c->inverse, 0, (size_t)n * (size_t)n * sizeof *c->inverse);
  for (int a = 0; a < n; a++) {
    for (int b = 0; b < n; b++) {
      bool is_beside = a == b || (is_row_usable(c, a) && is_row_usable(c, b));
      copy[(ptrdiff_t)a * n + b] = is_beside ? c->covariance[(ptrdiff_t)a * n + b] : 0;
    }
    double *diagonal = &copy[(ptrdiff_t)a * n + a];
    *diagonal = *diagonal > 0 && is_row_usable(c, a) ? *diagonal * (1 + 1e-6) : 1;
    c->inverse[(ptrdiff_t)a * n + a] = 1;
  }
  emg_status status = emg_solve_spd(n, copy, n, c->inverse, err);
  free(copy);
  return status;
}

// --- lost contacts ---

// Every row beside its prediction from the others, in windows of 0.25 s; [row][window].
typedef struct {
  int64_t n_windows, length;
  float *follows;                  // correlation of the row with its prediction
  float *predicted, *rest, *size;  // root mean squares of prediction, row - prediction, row
} windows;

static void windows_free(windows *w) {
  free(w->follows);
  free(w->predicted);
  free(w->rest);
  free(w->size);
}

static emg_status windows_create(const comparison *c, double rate_hz, windows *w, emg_error *err) {
  const double window_s = 0.25;
  size_t n_values;
  emg_status status;

  *w = (windows){.length = (int64_t)fmax(window_s * rate_hz, 8)};
  w->n_windows = (c->end - c->begin) / w->length;
  n_values = (size_t)w->n_windows * (size_t)c->x->n_rows;
  EMG_TRY_DONE(emg_alloc(n_values, sizeof(float), &w->follows, err));
  EMG_TRY_DONE(emg_alloc(n_values, sizeof(float), &w->predicted, err));
  EMG_TRY_DONE(emg_alloc(n_values, sizeof(float), &w->rest, err));
  EMG_TRY_DONE(emg_alloc(n_values, sizeof(float), &w->size, err));

done:
  if (status != EMG_OK) {
    windows_free(w);
  }
  return status;
}

// What is left of a row after its prediction, (C^-1 x)_r / (C^-1)_rr, of all rows in one product.
static emg_status measure_windows(const comparison *c, windows *w, emg_error *err) {
  int n = c->x->n_rows, n_failed = 0;
  float *weights;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *weights, &weights, err));
  for (int a = 0; a < n; a++) {
    for (int b = 0; b < n; b++) {
      weights[(ptrdiff_t)a * n + b] =
          (float)(c->inverse[(ptrdiff_t)a * n + b] / c->inverse[(ptrdiff_t)a * n + a]);
    }
  }
#pragma omp parallel reduction(+ : n_failed)
  {
    float *rest = NULL;
    n_failed = emg_alloc((size_t)n * (size_t)w->length, sizeof *rest, &rest, NULL) != EMG_OK;
#pragma omp for schedule(static)
    for (int64_t window = 0; window < w->n_windows; window++) {
      const float *x = c->x->data + c->begin + window * w->length;
      if (n_failed > 0) {
        continue;
      }
      emg_sgemm(0, 0, n, (int)w->length, n, 1, weights, n, x, (int)c->x->stride, 0, rest,
                (int)w->length);
      for (int row = 0; row < n; row++) {
        const float *is = x + row * c->x->stride, *left = rest + row * w->length;
        double size = 0, remains = 0, foretold = 0, product = 0;
        for (int64_t i = 0; i < w->length; i++) {
          double prediction = (double)is[i] - left[i];
          size += (double)is[i] * is[i];
          remains += (double)left[i] * left[i];
          foretold += prediction * prediction;
          product += prediction * is[i];
        }
        ptrdiff_t at = row * w->n_windows + window;
        w->follows[at] = size > 0 && foretold > 0 ? (float)(product / sqrt(size * foretold)) : 0;
        w->predicted[at] = (float)sqrt(foretold / (double)w->length);
        w->rest[at] = (float)sqrt(remains / (double)w->length);
        w->size[at] = (float)sqrt(size / (double)w->length);
      }
    }
    free(rest);
  }
  free(weights);
  return n_failed > 0
             ? emg_fail(err, EMG_ERR_MEMORY, "there is no memory to compare %d channels", n)
             : EMG_OK;
}

// Median over the usable rows of one window.
static float median_row(const comparison *c, const windows *w, const float *values, int64_t window,
                        float *scratch) {
  int n = 0;

  for (int row = 0; row < c->x->n_rows; row++) {
    if (is_row_usable(c, row)) {
      scratch[n++] = values[row * w->n_windows + window];
    }
  }
  return emg_median(scratch, n);
}

// Median over the windows in which the usual row follows its prediction.
static float median_window(const windows *w, const float *values, const float *usual_follows,
                           float telling, float *scratch) {
  int64_t n = 0;

  for (int64_t i = 0; i < w->n_windows; i++) {
    if (usual_follows[i] > telling) {
      scratch[n++] = values[i];
    }
  }
  return emg_median(scratch, n);
}

// A row that follows its prediction as others do, but at times not at all while there is much to
// follow, has lost contact; one that at times holds far more than the others do, and they know
// nothing of it, has a bad one. Both for more than 2 % of the time.
static void judge_contacts(const comparison *c, const windows *w, float *scratch) {
  const float telling = 0.7F, follows_least = 0.6F, lost_most = 0.3F, enough = 0.5F, burst = 5;
  const double share_most = 0.02;
  float *usual_follows = scratch, *usual_size = usual_follows + w->n_windows,
        *sorted = usual_size + w->n_windows;

  for (int64_t i = 0; i < w->n_windows; i++) {
    usual_follows[i] = median_row(c, w, w->follows, i, sorted);
    usual_size[i] = median_row(c, w, w->size, i, sorted);
  }
  for (int row = 0; row < c->x->n_rows; row++) {
    const float *follows = w->follows + row * w->n_windows;
    const float *predicted = w->predicted + row * w->n_windows;
    const float *rest = w->rest + row * w->n_windows;
    float usual = median_window(w, follows, usual_follows, telling, sorted);
    float usually_predicted = median_window(w, predicted, usual_follows, telling, sorted);
    float usual_rest = median_window(w, rest, usual_follows, -1, sorted);
    int64_t n_telling = 0, n_lost = 0, n_burst = 0;
    for (int64_t i = 0; i < w->n_windows; i++) {
      bool is_telling = usual > follows_least && usual_follows[i] > telling &&
                        predicted[i] > enough * usually_predicted;
      n_telling += is_telling;
      n_lost += is_telling && follows[i] < lost_most;
      n_burst += rest[i] > burst * usual_size[i] && rest[i] > 2 * burst * usual_rest;
    }
    emg_channel_finding *f = row_finding(c, row);
    if (!is_row_usable(c, row)) {
      continue;
    }
    if (n_burst >= 2 && (double)n_burst > share_most * (double)w->n_windows) {
      f->state = EMG_CHANNEL_INTERMITTENT;
      snprintf(f->why, sizeof f->why,
               "bursts that its neighbours do not show for %.1f %% of the time",
               100.0 * (double)n_burst / (double)w->n_windows);
    } else if (n_lost >= 2 && (double)n_lost > share_most * (double)n_telling) {
      f->state = EMG_CHANNEL_INTERMITTENT;
      snprintf(f->why, sizeof f->why,
               "does not show what its neighbours do for %.1f %% of the time",
               100.0 * (double)n_lost / (double)n_telling);
    }
  }
}

static emg_status screen_contacts(const comparison *c, double rate_hz, emg_error *err) {
  windows w;
  float *scratch = NULL;
  int64_t longest;
  emg_status status;

  EMG_TRY(windows_create(c, rate_hz, &w, err));
  longest = w.n_windows > c->x->n_rows ? w.n_windows : c->x->n_rows;
  EMG_TRY_DONE(emg_alloc((size_t)(2 * w.n_windows + longest), sizeof *scratch, &scratch, err));
  EMG_TRY_DONE(measure_windows(c, &w, err));
  judge_contacts(c, &w, scratch);

done:
  free(scratch);
  windows_free(&w);
  return status;
}

// --- noise ---

// The best linear combination of the others leaves 1 / (C^-1)_cc of a channel's variance. A channel
// of which more than half is left, several times more than usual, is noise; so is one as large as
// others of which hardly anything is explained where most of the usual channel is.
static emg_status screen_unexplained(const comparison *c, emg_error *err) {
  const double times_usual = 6, share_least = 0.5;                         // of the rms
  const double part_least = 0.9, usual_part_most = 0.5, size_least = 0.5;  // of the variance
  emg_screening *s = c->screening;
  int n = c->x->n_rows;
  double *left, *part, *usual_left, *usual_part, *usual_rms;

  EMG_TRY(emg_alloc(5 * (size_t)s->n, sizeof *left, &left, err));
  part = left + s->n;
  usual_left = part + s->n;
  usual_part = usual_left + s->n;
  usual_rms = usual_part + s->n;
  for (int row = 0; row < n; row++) {
    double variance = c->covariance[(ptrdiff_t)row * n + row];
    double rest = 1 / c->inverse[(ptrdiff_t)row * n + row];
    left[c->order[row]] = sqrt(rest);
    part[c->order[row]] = variance > 0 ? rest / variance : 1;
  }
  emg_find_usual(s, left, usual_left);
  emg_find_usual(s, part, usual_part);
  emg_find_usual(s, s->rms, usual_rms);
  for (int i = 0; i < s->n; i++) {
    bool is_mostly_noise = left[i] > times_usual * usual_left[i] && sqrt(part[i]) > share_least;
    bool is_alone = part[i] > part_least && usual_part[i] < usual_part_most &&
                    s->rms[i] > size_least * usual_rms[i];
    if (emg_is_usable(s, i) && (is_mostly_noise || is_alone)) {
      s->finding[i].state = EMG_CHANNEL_NOISY;
      snprintf(s->finding[i].why, sizeof s->finding[i].why,
               "%.0f %% of it is unrelated to other channels", 100 * sqrt(part[i]));
    }
  }
  free(left);
  return EMG_OK;
}

// --- all together ---

emg_status emg_screen_filtered(const emg_array2f *filtered, const int *order, int64_t edge,
                               double rate_hz, emg_screening *s, emg_error *err) {
  size_t n = (size_t)filtered->n_rows;
  comparison c = {
      .x = filtered, .order = order, .begin = edge, .end = filtered->n_cols - edge, .screening = s};
  double *usual = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc(n * n, sizeof *c.covariance, &c.covariance, err));
  EMG_TRY_DONE(emg_alloc(n * n, sizeof *c.inverse, &c.inverse, err));
  EMG_TRY_DONE(emg_alloc((size_t)s->n, sizeof *usual, &usual, err));
  EMG_TRY_DONE(measure_covariance(&c, err));
  for (size_t row = 0; row < n; row++) {
    s->rms[order[row]] = sqrt(c.covariance[row * n + row]);
  }
  emg_find_usual(s, s->rms, usual);
  emg_screen_by_size(s, usual, 0.01, 20);
  screen_copies(&c);
  EMG_TRY_DONE(emg_check_enough(s, err));
  EMG_TRY_DONE(invert(&c, err));
  EMG_TRY_DONE(screen_contacts(&c, rate_hz, err));
  EMG_TRY_DONE(emg_check_enough(s, err));
  EMG_TRY_DONE(invert(&c, err));
  EMG_TRY_DONE(screen_unexplained(&c, err));
  EMG_TRY_DONE(emg_check_enough(s, err));

done:
  free(c.covariance);
  free(c.inverse);
  free(usual);
  return status;
}
