// decompose.h -- recording to spike trains
#ifndef EMG_DECOMPOSE_H
#define EMG_DECOMPOSE_H

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

// One decomposition method: a row in a table, so that adding one is one file and one row.
typedef struct {
  const char *name, *doc;
  emg_status (*run)(const emg_recording *rec, const emg_config *config, const emg_monitor *monitor,
                    emg_decomposition *out, emg_error *err);
} emg_decompose_method;
const emg_decompose_method *emg_decompose_methods(int *n);

// The decompose section of a configuration for a kind of recording, over whatever is in it:
// "surface" (the defaults: band 20-500 Hz of order 2) or "intramuscular" (100-4400 Hz of order 3;
// Negro et al. 2016). EMG_ERR_ARG names the kinds.
emg_status emg_decompose_set_kind(const char *kind, emg_config *config, emg_error *err);

// The decompose section for a first look: one search and one pass of the joint model.
void emg_decompose_set_quick(emg_config *config);

// Decompose `rec` with the method of that name ("ckc"; EMG_ERR_ARG names those there are). Channels
// not EMG_CHANNEL_GOOD, and those found flat, broken, saturated, noisy or copies, are left out,
// with the reason in the log and in out->channels. Of the recording, decompose.from_s to to_s is
// used; spikes are samples of the whole. Several grids (emg_channel.group) are decomposed as one
// or, with decompose.groups each, one by one. EMG_ERR_DATA if fewer than 2 channels or less than 1
// s are left, EMG_ERR_CONFIG for keys that do not suit the recording, EMG_ERR_INTERRUPTED. A
// recording without detectable units gives n_units 0. Units come in order of their first spike; a
// spike is where the unit's action potential begins (docs/decomposition.md). Same bits at any
// thread count.
emg_status emg_decompose(const char *method, const emg_recording *rec, const emg_config *config,
                         const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

// Silhouette over peaks only (Negro et al. 2016): squared heights of the source at its spikes
// against those of its other peaks, local maxima at least `refractory_samples` from each other and
// from every spike; (between - within) / max(between, within) of the mean squared distances of the
// spikes to either class mean, 0..1. Pulse-to-noise ratio (Holobar et al. 2014): 10 log10 of the
// mean square of the source at the spikes over that at all other samples, at most 200. Both are 0
// if undefined (fewer than 2 spikes or other peaks; no memory), never NaN for a finite source.
typedef struct {
  double sil, pnr_db;
} emg_source_quality;
emg_source_quality emg_source_quality_of(const float *source, int64_t n_samples,
                                         const int64_t *spikes, int64_t n_spikes,
                                         int64_t refractory_samples);

#ifdef __cplusplus
}
#endif
#endif
