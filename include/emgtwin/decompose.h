// decompose.h -- recording to spike trains
#ifndef EMG_DECOMPOSE_H
#define EMG_DECOMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>
#include <emgtwin/stream.h>

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

// Row of the table; EMG_ERR_ARG names those there are.
emg_status emg_decompose_find(const char *name, const emg_decompose_method **method,
                              emg_error *err);

// --- recordings longer than memory ---

// Whether the working set of a recording, or of the part from decompose.from_s to .to_s, stays
// within decompose.memory_mib.
bool emg_decompose_fits(const emg_config *config, const emg_stream *stream);

// Where an interrupted run can go on.
typedef struct {
  const char *path;          // file that is written after every block
  bool resume;               // go on from that file; without it the run starts anew
  const char *input_sha256;  // of the recording, to refuse the checkpoint of another one; may be
                             // NULL
} emg_checkpoint;

// Decompose a recording of any length within config->decompose.memory_mib. One that fits is read
// whole, see emg_decompose. A longer one is searched for units in parts of it, and these are
// followed through all of it, block by block (docs/decomposition.md): a unit keeps its action
// potential while it is silent and follows slow changes of it. Figures are those over the whole
// recording; sources are not kept. Errors as emg_decompose and emg_stream_read, and EMG_ERR_CONFIG
// if memory_mib is too little for any block or keep_source is set. Same bits at any thread count.
//
// `checkpoint` may be NULL. A run that fails or is interrupted leaves the file, and one that goes
// on from it ends in the same bits as one that was never interrupted; EMG_ERR_DATA: the file is
// damaged or of another recording, EMG_ERR_CONFIG: of another configuration. It stays after
// success: remove it when the result is safe.
emg_status emg_decompose_stream(const char *method, emg_stream *stream, const emg_config *config,
                                const emg_checkpoint *checkpoint, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err);

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
