// quantise.c -- samples as 16-bit integers: the step of a converter, or one that loses nothing
#include "base/quantise.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS_IN_NOISE = 20, INT16_LIMIT = 32767, SAMPLES_LOOKED_AT = 4096 };

// Largest magnitude; NAN if some value is not finite.
static double largest(const emg_array2f *data) {
  float top = 0;

  for (int c = 0; c < data->n_rows; c++) {
    const float *row = emg_row2f(data, c);
    for (int64_t i = 0; i < data->n_cols; i++) {
      if (!isfinite(row[i])) {
        return NAN;
      }
      top = fmaxf(top, fabsf(row[i]));
    }
  }
  return top;
}

// The step of a converter, if all values are multiples of one; 0 otherwise. The smallest difference
// of neighbours is the candidate, the largest value makes it exact.
double emg_converter_step(const emg_array2f *data) {
  double top = largest(data), step = INFINITY;

  if (!(top > 0)) {
    return 0;
  }
  for (int c = 0; c < data->n_rows; c++) {
    const float *row = emg_row2f(data, c);
    for (int64_t i = 1; i < data->n_cols && i < SAMPLES_LOOKED_AT; i++) {
      double difference = fabs((double)row[i] - row[i - 1]);
      step = difference > 1e-6 * top && difference < step ? difference : step;
    }
  }
  if (!isfinite(step) || top / step > INT16_LIMIT + 0.5) {
    return 0;
  }
  step = top / round(top / step);
  for (int c = 0; c < data->n_rows; c++) {
    const float *row = emg_row2f(data, c);
    for (int64_t i = 0; i < data->n_cols; i++) {
      if (fabs(row[i] - round(row[i] / step) * step) > 4e-7 * fabs((double)row[i])) {
        return 0;
      }
    }
  }
  return step;
}

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

static bool is_zero(const float *row, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (row[i] != 0) {
      return false;
    }
  }
  return true;
}

emg_quantisation emg_quantise(const emg_array2f *data) {
  double top = largest(data);

  if (!(top > 0)) {
    return (emg_quantisation){top == 0, 1};
  }
  double converter_step = emg_converter_step(data);
  if (converter_step > 0) {
    return (emg_quantisation){true, converter_step};
  }
  // a power of two, so that stored * scale is exact
  double step = exp2(ceil(log2(top / INT16_LIMIT)));
  for (int c = 0; c < data->n_rows; c++) {
    const float *row = emg_row2f(data, c);
    if (noise_of(row, data->n_cols) < STEPS_IN_NOISE * step && !is_zero(row, data->n_cols)) {
      return (emg_quantisation){false, 1};
    }
  }
  return (emg_quantisation){true, step};
}
