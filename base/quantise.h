// quantise.h -- samples as 16-bit integers: the step of a converter, or one that loses nothing
#ifndef EMG_BASE_QUANTISE_H
#define EMG_BASE_QUANTISE_H

#include <stdbool.h>

#include <emgtwin/array.h>

#include "row_store.h"

// What the form in which a recording is kept depends on, of one row.
typedef struct {
  float top;  // largest magnitude
  bool is_finite, is_zero;
  double noise;  // standard deviation
} emg_row_look;
emg_row_look emg_row_look_at(const float *row, int64_t n);

// Step of a 16-bit copy of a recording, and whether it may be used: the values are multiples of the
// step (they come from a converter), or the step is so far below the noise of every channel that it
// adds less than 0.03 % to its power. Everything else is kept as float.
typedef struct {
  bool is_int16;
  double step;
} emg_quantisation;
// `looks`: one per row, or NULL, and they are taken here. EMG_ERR_IO: rows on disk cannot be read.
emg_status emg_quantise(const emg_row_store *data, const emg_row_look *looks, emg_quantisation *out,
                        emg_error *err);

// The step of the converter that all values are multiples of, in at most 16 bits; 0 if there is
// none.
double emg_converter_step(const emg_array2f *data);

#endif
