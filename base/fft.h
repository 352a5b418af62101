// fft.h -- the only caller of FFTW. ESTIMATE plans only: the same bits on every run.
#ifndef EMG_BASE_FFT_H
#define EMG_BASE_FFT_H

#include <complex.h>

#include <emgtwin/status.h>

// Forward transforms of n_rows rows of n real values to as many of n/2+1 complex ones, unscaled:
// X_k = SUM x_j e^{-2pi i jk/n}. One plan serves all rows.
emg_status emg_fft_forward(int n, int n_rows, const double *x, double complex *spectra,
                           emg_error *err);
// Inverse of the above, scaled by 1/n, so that the round trip is the identity. `spectrum` is kept.
emg_status emg_fft_inverse(int n, const double complex *spectrum, double *x, emg_error *err);
// Smallest n' >= n with small prime factors.
int emg_fft_good_size(int n);

#endif
