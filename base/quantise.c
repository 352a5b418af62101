// quantise.c -- samples as 16-bit integers: the step of a converter, or one that loses nothing
#include "quantise.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS_IN_NOISE = 20, INT16_LIMIT = 32767, SAMPLES_LOOKED_AT = 4096 };

static int compare_floats(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// Standard deviation of the noise: median of the sixth differences, in which a band-limited signal
// has vanished (their gain for white noise is sqrt(924)). 0 for a flat channel.
static double noise_of(const float *row, int64_t n) {
  float differences[SAMPLES_LOOKED_AT];
  int64_t step = n / SAMPLES_LOOKED_AT + 1;
  int count = 0;

  for (int64_t i = 6; i < n && count < SAMPLES_LOOKED_AT; i += step) {
    differences[count++] = fabsf(row[i] + row[i - 6] - 6 * (row[i - 1] + row[i - 5]) +
                                 15 * (row[i - 2] + row[i - 4]) - 20 * row[i - 3]);
  }
  if (count == 0) {
    return 0;
  }
  qsort(differences, (size_t)count, sizeof *differences, compare_floats);
  return differences[count / 2] / 0.6745 / sqrt(924);
}

emg_row_look emg_row_look_at(const float *row, int64_t n) {
  emg_row_look look = {.is_finite = true};

  for (int64_t i = 0; i < n && look.is_finite; i++) {
    look.is_finite = isfinite(row[i]);
    look.top = fmaxf(look.top, fabsf(row[i]));
  }
  look.is_zero = look.is_finite && look.top == 0;
  look.noise = look.is_finite ? noise_of(row, n) : 0;
  return look;
}

// The candidate for the step of a converter: the smallest difference of neighbours, made exact by
// the largest value. 0 if there is none.
static emg_status find_candidate(const emg_row_store *data, double top, double *step,
                                 emg_error *err) {
  float start[SAMPLES_LOOKED_AT];
  int64_t n = data->n_cols < SAMPLES_LOOKED_AT ? data->n_cols : SAMPLES_LOOKED_AT;
  double least = INFINITY;

  *step = 0;
  for (int c = 0; c < data->n_rows; c++) {
    if (!emg_row_store_get(data, c, 0, n, EMG_H5_F32, 1, start)) {
      return emg_row_store_fail_read(data, err);
    }
    for (int64_t i = 1; i < n; i++) {
      double difference = fabs((double)start[i] - start[i - 1]);
      least = difference > 1e-6 * top && difference < least ? difference : least;
    }
  }
  if (isfinite(least) && !(top / least > INT16_LIMIT + 0.5)) {
    *step = top / round(top / least);
  }
  return EMG_OK;
}

typedef enum { STEPS_ALL, STEPS_NOT_ALL, STEPS_UNREADABLE } step_finding;

static step_finding look_for_steps(const emg_row_store *data, int row, double step) {
  float piece[SAMPLES_LOOKED_AT];

  for (int64_t begin = 0; begin < data->n_cols; begin += SAMPLES_LOOKED_AT) {
    int64_t n = data->n_cols - begin;
    n = n < SAMPLES_LOOKED_AT ? n : SAMPLES_LOOKED_AT;
    if (!emg_row_store_get(data, row, begin, n, EMG_H5_F32, 1, piece)) {
      return STEPS_UNREADABLE;
    }
    for (int64_t i = 0; i < n; i++) {
      if (fabs(piece[i] - round(piece[i] / step) * step) > 4e-7 * fabs((double)piece[i])) {
        return STEPS_NOT_ALL;
      }
    }
  }
  return STEPS_ALL;
}

// Whether all values are multiples of the step; rows are left out once one is known that is not.
static emg_status check_steps(const emg_row_store *data, double step, bool *are_steps,
                              emg_error *err) {
  step_finding found = STEPS_ALL;

#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < data->n_rows; c++) {
    step_finding so_far;
#pragma omp atomic read
    so_far = found;
    step_finding own = so_far == STEPS_ALL ? look_for_steps(data, c, step) : STEPS_ALL;
    if (own != STEPS_ALL) {
#pragma omp atomic write
      found = own;
    }
  }
  *are_steps = found == STEPS_ALL;
  return found == STEPS_UNREADABLE ? emg_row_store_fail_read(data, err) : EMG_OK;
}

double emg_converter_step(const emg_array2f *data) {
  const emg_row_store view = emg_row_store_view2f(data);
  double top = 0, step = 0;
  bool are_steps = false;

  for (int c = 0; c < data->n_rows; c++) {
    emg_row_look look = emg_row_look_at(emg_row2f(data, c), data->n_cols);
    if (!look.is_finite) {
      return 0;
    }
    top = fmax(top, look.top);
  }
  // rows in memory can always be read
  if (top > 0 && find_candidate(&view, top, &step, NULL) == EMG_OK && step > 0) {
    check_steps(&view, step, &are_steps, NULL);
  }
  return are_steps ? step : 0;
}

static emg_status choose(const emg_row_store *data, const emg_row_look *looks,
                         emg_quantisation *out, emg_error *err) {
  float top = 0;
  double step;
  bool are_steps = false;

  for (int c = 0; c < data->n_rows; c++) {
    top = looks[c].is_finite ? fmaxf(top, looks[c].top) : NAN;
    if (!looks[c].is_finite) {
      break;
    }
  }
  if (!(top > 0)) {
    *out = (emg_quantisation){top == 0, 1};
    return EMG_OK;
  }
  EMG_TRY(find_candidate(data, top, &step, err));
  if (step > 0) {
    EMG_TRY(check_steps(data, step, &are_steps, err));
  }
  if (are_steps) {
    *out = (emg_quantisation){true, step};
    return EMG_OK;
  }
  // a power of two, so that stored * scale is exact
  *out = (emg_quantisation){true, exp2(ceil(log2((double)top / INT16_LIMIT)))};
  for (int c = 0; c < data->n_rows; c++) {
    if (looks[c].noise < STEPS_IN_NOISE * out->step && !looks[c].is_zero) {
      *out = (emg_quantisation){false, 1};
      return EMG_OK;
    }
  }
  return EMG_OK;
}

static emg_status take_looks(const emg_row_store *data, emg_row_look *looks, emg_error *err) {
  float *row;

  EMG_TRY(emg_alloc((size_t)data->n_cols, sizeof *row, &row, err));
  for (int c = 0; c < data->n_rows; c++) {
    if (!emg_row_store_get(data, c, 0, data->n_cols, EMG_H5_F32, 1, row)) {
      free(row);
      return emg_row_store_fail_read(data, err);
    }
    looks[c] = emg_row_look_at(row, data->n_cols);
  }
  free(row);
  return EMG_OK;
}

emg_status emg_quantise(const emg_row_store *data, const emg_row_look *looks, emg_quantisation *out,
                        emg_error *err) {
  emg_row_look *own;
  emg_status status = EMG_OK;

  if (looks) {
    return choose(data, looks, out, err);
  }
  EMG_TRY(emg_alloc((size_t)data->n_rows, sizeof *own, &own, err));
  EMG_TRY_DONE(take_looks(data, own, err));
  status = choose(data, own, out, err);
done:
  free(own);
  return status;
}
