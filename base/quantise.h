// quantise.h -- samples as 16-bit integers: the step of a converter, or one that loses nothing
#ifndef EMG_BASE_QUANTISE_H
#define EMG_BASE_QUANTISE_H

#include <stdbool.h>

#include <emgtwin/array.h>

// Step of a 16-bit copy of a recording, and whether it may be used: the values are multiples of the
// step (they come from a converter), or the step is so far below the noise of every channel that it
// adds less than 0.03 % to its power. Everything else is kept as float.
typedef struct {
  bool is_int16;
  double step;
} emg_quantisation;
emg_quantisation emg_quantise(const emg_array2f *data);

// The step of the converter that all values are multiples of, in at most 16 bits; 0 if there is
// none.
double emg_converter_step(const emg_array2f *data);

#endif
