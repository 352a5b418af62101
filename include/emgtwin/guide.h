// guide.h -- a decomposition guided by knowledge of what action potentials can be
//
// The joint model finds units in a recording; a guide, such as a forward model (docs/inversion.md),
// may propose trains of its own, give the action potentials a likelier shape than their
// least-squares estimate, and reject units that no action potential explains.
#ifndef EMG_GUIDE_H
#define EMG_GUIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>
#include <emgtwin/spikes.h>

#ifdef __cplusplus
extern "C" {
#endif

// What the decomposer shows its guide; valid during a call. Channels are the usable ones, filtered
// and scaled, in the decomposer's order.
typedef struct {
  int n_channels;
  const int *channel;  // of the recording, for each
  const float *scale;  // for each: shown = recorded * scale
  int64_t n_samples, n_margin;
  double rate_hz;
  const float *rows;  // [sample][channel], without all units; n_margin rows of 0 before and after
  int n_window, origin;  // action potentials are [n_window][channel], a spike at row `origin`
  int n_taps;            // delayed copies of a search
} emg_guided_signal;

// What a guide remembers of a unit from call to call.
enum { EMG_GUIDE_NOTES = 24 };
typedef struct {
  bool is_set;
  double value[EMG_GUIDE_NOTES];
} emg_guide_note;

typedef struct {
  int64_t n_spikes;
  const int64_t *spikes;  // ascending
  float *muap;            // [n_window][channel]: least squares before `shape`, shaped after
  emg_guide_note *note;
} emg_guided_unit;

// Called by one thread at a time. An error ends the decomposition. NULL: nothing is proposed,
// shaped or rejected.
typedef struct {
  void *self;
  // Trains found in what is left, spikes as in action potentials; `out` is freed by the caller.
  emg_status (*propose)(void *self, const emg_guided_signal *residual, int round, emg_spikes *out,
                        emg_error *err);
  // A likelier shape of each action potential.
  emg_status (*shape)(void *self, const emg_guided_signal *residual, int n, emg_guided_unit *units,
                      emg_error *err);
  // The units in the end, with their least-squares action potentials: which are to be reported. The
  // last call; those that are kept come in the order of the result.
  emg_status (*judge)(void *self, const emg_guided_signal *residual, int n, emg_guided_unit *units,
                      bool *is_kept, emg_error *err);
} emg_guide;

// --- for guides ---

// covariance[D][D] of the extended vector, the last n_taps samples of all channels in order of
// time, D = n_taps * n_channels values.
emg_status emg_guided_covariance(const emg_guided_signal *signal, int n_taps, double *covariance,
                                 emg_error *err);

// Peaks of a source that are spikes, where they are in the source; free(spikes).
typedef struct {
  int64_t n_spikes, *spikes;
  double sil, isi_cov, pnr_db;
  double detectability;  // mean height over the root mean square of the rest of the source
} emg_guided_train;
// Of filters[n][D]. out[n] is zeroed by the caller; on an error some of it may be filled.
emg_status emg_guided_detect(const emg_guided_signal *signal, const emg_config *config, int n_taps,
                             int n, const float *filters, emg_guided_train *out, emg_error *err);

// emg_decompose with method "ckc" and a guide. All grids are decomposed as one. Errors as
// emg_decompose, and those of the guide.
emg_status emg_decompose_guided(const emg_recording *rec, const emg_config *config,
                                const emg_guide *guide, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err);

// --- searches of another kind ---

// Something that finds units in the recording by itself: no joint model, nothing is subtracted, and
// what it finds is not judged. Called by one thread at a time; an error ends the decomposition.
typedef struct {
  void *self;
  // Trains of one search, spikes in the middle of action potentials, the best first. They are freed
  // by the caller, on errors too: free(spikes) of each, then free(*trains).
  emg_status (*search)(void *self, const emg_guided_signal *signal, int round,
                       emg_guided_train **trains, int *n, emg_error *err);
  // Which trains became units, in the order of the result; all searches' trains are numbered from
  // 0. The last call.
  emg_status (*report)(void *self, int n_units, const int *number, emg_error *err);
} emg_searcher;

// The trains of n_rounds searches but those that agree with an earlier one by more than
// decompose.duplicate_agreement. out->round says which search found a unit first. Errors as
// emg_decompose, and those of the searcher.
emg_status emg_decompose_searched(const emg_recording *rec, const emg_config *config, int n_rounds,
                                  const emg_searcher *searcher, const emg_monitor *monitor,
                                  emg_decomposition *out, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
