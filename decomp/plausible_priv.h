// plausible_priv.h -- is it a motor unit? what a train that is none fails at
#ifndef EMG_DECOMP_PLAUSIBLE_PRIV_H
#define EMG_DECOMP_PLAUSIBLE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

// Median height of the source at the spikes over the standard deviation of the source around them,
// 4 to 12 ms from a spike and from any other and without its mean at each offset, robust against
// the spikes of other units. The source should be made from other spikes than these. Bursts of
// noise, as of a tremor, peak at 2.5 to 3.2 of what surrounds the peak, however far they stand
// above the pauses between the bursts; units have 4 and more. 0 if there are too few samples to
// tell.
emg_status emg_local_contrast(const float *source, int64_t n_samples, const int64_t *spikes,
                              int64_t n_spikes, double rate_hz, double *contrast, emg_error *err);

// Whether a train is that of a machine or a heart: an average [row][channel], `stride` values from
// one to the next, of which 95 % of the energy is the same in all of at least 8 channels, and
// intervals that are more regular than those of any motor neuron (most within 3 % of their median)
// or longer (0.25 s).
emg_status emg_is_artefact(const float *average, int64_t n_rows, int n_channels, ptrdiff_t stride,
                           const int64_t *spikes, int64_t n_spikes, double rate_hz,
                           bool *is_artefact, emg_error *err);

#endif
