// mains_priv.h -- interference of the mains: found as lines of the spectrum, removed as sinusoids
#ifndef EMG_DECOMP_MAINS_PRIV_H
#define EMG_DECOMP_MAINS_PRIV_H

#include <stdint.h>

#include <emgtwin/array.h>
#include <emgtwin/status.h>

enum { EMG_LINES_MAX = 128 };
typedef struct {
  double fundamental_hz;  // as measured, near 50 or 60; 0: there is no mains interference
  int n_lines;
  int harmonic[EMG_LINES_MAX];  // 1 for the fundamental; ascending
} emg_mains;

// Lines at common multiples of a frequency near 50 or near 60 Hz, up to `high_hz`, that stand out
// of the spectrum around them in the mean over channels: at least 6 standard deviations and twice
// the power. The rows should have no mean; rows of zeros are passed over. Same result for rows in
// the same order at any thread count.
emg_status emg_mains_find(const emg_array2f *x, double rate_hz, double high_hz, emg_mains *out,
                          emg_error *err);

// Subtract the lines from all rows: sinusoids whose amplitude and phase follow the row over 1 s.
emg_status emg_mains_remove(const emg_mains *mains, double rate_hz, emg_array2f *x, emg_error *err);

#endif
