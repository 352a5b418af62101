// number.h -- numbers as text, the same in every locale (internal)
#ifndef EMG_BASE_NUMBER_H
#define EMG_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

// A decimal number at the start of `text` ("-1.5e3"; no blanks, hexadecimal, inf or nan): its
// value, which is infinite if it is too large, and in `end` where it ends. False if there is none.
bool emg_number_scan(const char *text, const char **end, double *value);

// Shortest decimal text that reads back to the same double.
typedef struct {
  char text[32];
} emg_number;
emg_number emg_number_format(double value);
// Nine digits: every float reads back to itself, and it takes a tenth of the time.
emg_number emg_number_format_float(double value);

#endif
