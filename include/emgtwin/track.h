// track.h -- the same motor units in two recordings of the same electrodes
#ifndef EMG_TRACK_H
#define EMG_TRACK_H

#include <stdbool.h>

#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  double similarity_min;  // of action potentials, from which two units may be one
  double roa_min;         // the same for the agreement of trains found by transferred filters
  double max_lag_ms;      // the two may be so far apart in time
} emg_track_options;
// 0.8 (Martinez-Valdes et al. 2017), 0.3, 5 ms.
emg_track_options emg_track_defaults(void);

// A unit of the first decomposition and its partner in the second; without a partner, figures of
// the one it comes closest to (-1 if there is none).
typedef struct {
  int a, b;           // b -1: no partner
  double similarity;  // of their action potentials over channels and time, -1 to 1
  double contrast;    // the same after what is alike in all units has been taken out
  double margin;      // contrast less the best of either with any other unit
  double lag_ms;      // of b behind a
  // Rate of agreement of the partner's train with the one a's filter finds in the second recording,
  // and the reverse in the first; the larger one, -1 if neither could be had.
  double roa;
} emg_track_pair;

typedef struct {
  int n_a, n_b, n_matched;
  int n_channels;                 // that are usable in both
  emg_track_pair *pairs;          // n_a, in the order of a
  double *similarity, *contrast;  // [n_a][n_b]
  // The most that two units of one recording reach, which are different units for certain.
  double chance_similarity, chance_contrast;
} emg_track_result;

// Match units one-to-one (Hungarian) so that the sum of contrast and agreement is largest. A pair
// is made of units that are alike and each other's closest by contrast, or whose trains agree.
//
// Similarity is the normalised cross-correlation of the spike-triggered averages, above 20 Hz, from
// 5 ms before to 25 ms after the spike, over all channels usable in both files. Potentials of
// neighbouring units are alike on the skin, so contrast is the same after the channels have been
// whitened by their covariance over the action potentials of both files.
//
// `recording_a`, `recording_b` may be NULL: then no filters are transferred. Swapping the two gives
// the same pairs. EMG_ERR_DATA if the two are not of the same electrodes (rate, channels) or a
// recording is not that of its decomposition. Same bits at any thread count.
emg_status emg_track(const emg_decomposition *a, const emg_decomposition *b,
                     const emg_recording *recording_a, const emg_recording *recording_b,
                     const emg_track_options *options, const emg_monitor *monitor,
                     emg_track_result *out, emg_error *err);
void emg_track_free(emg_track_result *result);

#ifdef __cplusplus
}
#endif
#endif
