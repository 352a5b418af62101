// parts_priv.h -- which part of a recording is decomposed: a window in time, grids together or each
// alone
#ifndef EMG_DECOMP_PARTS_PRIV_H
#define EMG_DECOMP_PARTS_PRIV_H

#include <stdint.h>

#include <emgtwin/decompose.h>

// Samples begin .. end - 1 of a recording are those from decompose.from_s to .to_s.
// EMG_ERR_CONFIG if the window begins after the end.
emg_status emg_window_of(const struct emg_config_decompose *config, double rate_hz,
                         int64_t n_samples, int64_t *begin, int64_t *end, emg_error *err);
// A view of the samples from decompose.from_s to decompose.to_s: shares everything with `rec`, so
// it is not freed. EMG_ERR_CONFIG if the window begins after the end.
emg_status emg_window_cut(const emg_recording *rec, const struct emg_config_decompose *config,
                          emg_recording *out, int64_t *begin, emg_error *err);
// Spikes and sources of a window that begins at sample `begin` in samples of the whole recording.
emg_status emg_window_restore(int64_t begin, int64_t n_samples, emg_decomposition *d,
                              emg_error *err);

// Run a method on all channels or, with decompose.groups each, on each grid alone; units that
// several grids see are kept once, with the grid where their silhouette is highest.
emg_status emg_run_grids(const emg_decompose_method *method, const emg_recording *rec,
                         const emg_config *config, const emg_monitor *monitor,
                         emg_decomposition *out, emg_error *err);

#endif
