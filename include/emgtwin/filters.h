// filters.h -- separation filters of a decomposition, and their use on new data as it arrives
#ifndef EMG_FILTERS_H
#define EMG_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// What turns channels into sources: y_u(t) = SUM_l SUM_c weights[u][l][c] x_c(t - n_taps + 1 + l),
// x in uV after a causal Butterworth band-pass (order 2) and notch, so that nothing waits for the
// future. A source has height 1 at a discharge; a peak above `threshold[u]` is one, and the unit's
// discharge time (as in the decomposition it was learned from) is `delay[u]` samples before it.
typedef struct {
  int n_units, n_taps, n_channels;  // n_units 0: none
  int n_channels_recorded;          // channels a recording must have
  double rate_hz;
  double band_low_hz, band_high_hz, notch_hz;  // 0: none
  double refractory_ms;
  int32_t *channel;                         // [n_channels] ascending, of the recording
  float *weights;                           // [n_units][n_taps][n_channels], per uV
  double *threshold;                        // [n_units], between the centroids
  double *spike_centroid, *noise_centroid;  // [n_units] mean height of discharges, of other peaks
  int32_t *delay;                           // [n_units] samples
} emg_filters;
void emg_filters_free(emg_filters *filters);
// Room for filters, all 0.
emg_status emg_filters_create(int n_units, int n_taps, int n_channels, emg_filters *out,
                              emg_error *err);
// `from` may hold none.
emg_status emg_filters_copy(const emg_filters *from, emg_filters *out, emg_error *err);

// Learn the filters of known spike trains from the recording they were found in:
// f = (C + ridge)^-1 E{xe | spike}, centroids and threshold from the peaks it makes. Channels that
// are unusable are left out. Units with too few spikes to learn from get weights of 0, which never
// fire. Same bits at any thread count.
emg_status emg_filters_learn(const emg_recording *rec, const emg_spikes *spikes,
                             const emg_config *config, const emg_monitor *monitor, emg_filters *out,
                             emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
