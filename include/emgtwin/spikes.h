// spikes.h -- discharge times of motor units, as flat ragged arrays
#ifndef EMG_SPIKES_H
#define EMG_SPIKES_H

#include <stdint.h>

#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Unit u has samples[offsets[u]] .. samples[offsets[u + 1] - 1], sample indices of the recording
// from 0, ascending.
typedef struct {
  int n_units;
  int64_t *offsets;   // n_units + 1
  int64_t *samples;   // offsets[n_units]
  double rate_hz;     // sampling rate of the indices
  int64_t n_samples;  // length of the recording, 0 if unknown
} emg_spikes;

static inline int64_t emg_spikes_count(const emg_spikes *s, int unit) {
  return s->offsets[unit + 1] - s->offsets[unit];
}
static inline const int64_t *emg_spikes_of(const emg_spikes *s, int unit) {
  return s->samples + s->offsets[unit];
}

// Allocate for given counts per unit; offsets filled, samples zero.
emg_status emg_spikes_create(int n_units, const int64_t *counts, double rate_hz, int64_t n_samples,
                             emg_spikes *out, emg_error *err);
emg_status emg_spikes_copy(const emg_spikes *from, emg_spikes *out, emg_error *err);
// The discharges from from_s on and before to_s (0: the end), at the same samples.
emg_status emg_spikes_between(const emg_spikes *from, double from_s, double to_s, emg_spikes *out,
                              emg_error *err);
// The same in place; on failure nothing changes.
emg_status emg_spikes_keep(emg_spikes *spikes, double from_s, double to_s, emg_error *err);
void emg_spikes_free(emg_spikes *s);
// EMG_ERR_DATA if offsets are not monotone, a sample is outside the recording or not ascending.
emg_status emg_spikes_check(const emg_spikes *s, emg_error *err);

// Statistics of one train. Intervals longer than 0.25 s are pauses and are left out of the CoV.
typedef struct {
  double rate_hz;  // 1 / mean interval, 0 if fewer than 2 intervals count
  double isi_cov;  // standard deviation / mean of the intervals, NaN never: 0 if undefined
} emg_train_stats;
emg_train_stats emg_spikes_stats(const emg_spikes *s, int unit);

#ifdef __cplusplus
}
#endif
#endif
