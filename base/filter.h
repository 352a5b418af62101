// filter.h -- IIR and FIR filters on one row of samples
#ifndef EMG_BASE_FILTER_H
#define EMG_BASE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/status.h>

// Cascade of second-order sections b0 b1 b2 / 1 a1 a2.
#define EMG_SECTIONS_MAX 16
typedef struct {
  int n_sections;
  double b[EMG_SECTIONS_MAX][3], a[EMG_SECTIONS_MAX][2];
} emg_filter;

// Butterworth designs by bilinear transform, cut-offs at -3 dB, order 1..8 (per edge). Appends to
// `filter` (start from {0}). EMG_ERR_CONFIG if a cut-off is not inside (0, rate/2).
emg_status emg_filter_highpass(emg_filter *filter, int order, double cutoff_hz, double rate_hz,
                               emg_error *err);
emg_status emg_filter_lowpass(emg_filter *filter, int order, double cutoff_hz, double rate_hz,
                              emg_error *err);
// Both, of 2nd order, as in an amplifier (`sensor.bandpass_*`); an edge of 0 is left out.
emg_status emg_filter_amplifier(emg_filter *filter, double low_hz, double high_hz, double rate_hz,
                                emg_error *err);
// Second-order notch with the given quality factor (Bristow-Johnson cookbook form).
emg_status emg_filter_notch(emg_filter *filter, double centre_hz, double quality, double rate_hz,
                            emg_error *err);

// What the decomposer puts every channel through, forwards and backwards: the band and the notches
// that the configuration asks for. EMG_ERR_CONFIG if the band is empty at this rate.
emg_status emg_filter_decomposer(const struct emg_config_decompose *config, double rate_hz,
                                 emg_filter *filter, emg_error *err);

// In place, from rest.
void emg_filter_causal(const emg_filter *filter, int64_t n, float *x);
// In place, forwards and backwards: no phase. Ends are extended by odd reflection and the state is
// started at its steady value (Gustafsson 1996 solves more; this is what filtfilt does).
emg_status emg_filter_zero_phase(const emg_filter *filter, int64_t n, float *x, emg_error *err);
// The same for interleaved channels that come in blocks: rows[n][n_channels] in place, going on
// from `state`, which holds emg_filter_state_size values. Cutting the rows in blocks changes no
// bit.
void emg_filter_rows(const emg_filter *filter, int n_channels, int64_t n, double *state,
                     float *rows);
size_t emg_filter_state_size(const emg_filter *filter, int n_channels);
// The state as if `row` had come for ever, so that an offset makes no step.
void emg_filter_rows_start(const emg_filter *filter, int n_channels, const float *row,
                           double *state);
// |H| at a frequency, for tests and design.
double emg_filter_gain(const emg_filter *filter, double frequency_hz, double rate_hz);

// Linear-phase low-pass for decimation by `factor`: Kaiser window, pass band to 0.8 of the new
// Nyquist frequency, 80 dB down from 1.2 of it (aliases stay above 0.8). n_taps odd, unit gain at
// zero. malloc'ed.
emg_status emg_fir_decimator(int factor, int *n_taps, double **taps, emg_error *err);

#endif
