// source_priv.h -- spikes of a source: peaks, two classes, silhouette
#ifndef EMG_DECOMP_SOURCE_PRIV_H
#define EMG_DECOMP_SOURCE_PRIV_H

#include <stdint.h>

#include <emgtwin/status.h>

// Scratch of one thread for sources of up to n_most samples.
typedef struct {
  int64_t n_most, refractory;  // samples
  int64_t n_peaks;             // of the last source: local maxima above 0, `refractory` apart
  uint64_t *maxima, *sorted;   // height and place packed in one sortable number
  int32_t *rank_in_slot;       // peak held by each slot of `refractory` samples, -1 if none
  int64_t *place;              // of each peak, highest first
  float *height;
  double *squares;  // of the heights
} emg_spike_picker;

emg_status emg_spike_picker_create(int64_t n_most, int64_t refractory, emg_spike_picker *out,
                                   emg_error *err);
void emg_spike_picker_free(emg_spike_picker *picker);

// Room needed for the spikes of one source.
int64_t emg_spike_picker_capacity(const emg_spike_picker *picker);

// Find the peaks of y|y|, highest first and at least `refractory` samples apart, split their
// heights in the two classes with least squared distance, and call the high class spikes, without
// heights beyond mean + 3 sd, which are artefacts. Returns their number, ascending in `spikes`;
// `sil` is their silhouette. 0 spikes if there are fewer than 5 peaks.
int64_t emg_pick_spikes(emg_spike_picker *picker, const float *y, int64_t n_samples,
                        int64_t *spikes, double *sil);

// How many of n values, sorted and descending, make up the high class when two classes are to have
// the least squared distance to their means; 1 .. n - 1.
int64_t emg_two_classes(const double *descending, int64_t n);

// The upper median of n values, which are moved about; 0 if there are none.
float emg_median(float *values, int64_t n);

// Peaks alone, into picker->place and ->height; returns their number.
int64_t emg_find_peaks(emg_spike_picker *picker, const float *y, int64_t n_samples);

// Intervals below 0.4 s; longer ones are pauses. All 0 if fewer than 2 intervals count.
typedef struct {
  double mean_s, cov;
  double coverage;  // share of the time from first to last spike that lies in them
} emg_interval_stats;
// `places`, if not NULL, are where the spikes lie in the pieces of recording looked at, laid end to
// end: intervals across a gap between pieces do not count.
emg_interval_stats emg_intervals_of(const int64_t *spikes, const int64_t *places, int64_t n_spikes,
                                    double rate_hz);

#endif
