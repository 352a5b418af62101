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

// Decompose `rec` with the method of that name ("ckc"). Channels not EMG_CHANNEL_GOOD, and those
// found flat, saturated or noisy, are left out; a recording with too few usable channels or samples
// gives EMG_ERR_DATA, one without detectable units gives n_units 0. Same bits at any thread count.
emg_status emg_decompose(const char *method, const emg_recording *rec, const emg_config *config,
                         const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

// Silhouette over peaks only (Negro et al. 2016): peaks of the source are split in two classes by
// height squared, sil = (between - within) / max(between, within) of the high class. 0..1.
// Pulse-to-noise ratio (Holobar et al. 2014): 10 log10 of the mean square of the source at the
// spikes over that elsewhere.
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
