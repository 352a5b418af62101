// mat_layouts_priv.h -- what the layouts of MATLAB files share
#ifndef EMG_MAT_LAYOUTS_PRIV_H
#define EMG_MAT_LAYOUTS_PRIV_H

#include <emgtwin/recording.h>

#include "mat_priv.h"

#define EMG_MAT_UNITS_MAX 4096

static inline bool emg_mat_is_numeric(const emg_mat *m) {
  return m && m->kind == MAT_NUMERIC;
}

// Sampling rate from a scalar (NULL: not stated) and the user.
emg_status emg_mat_read_rate(const emg_mat *m, const emg_read_options *options, double *rate_hz,
                             emg_error *err);
// Refuse more channels or samples than a recording can have.
emg_status emg_mat_check_size(int64_t n_channels, int64_t n_samples, emg_error *err);
// Layouts that need not state a unit (`unit` NULL or no voltage): as stored, unless the user gives
// a scale; noted either way.
void emg_mat_scale_counts(emg_recording *out, const emg_mat *unit, const emg_read_options *options);
// Labels from arrays of MATLAB's 1-based samples, one array per unit.
emg_status emg_mat_read_trains(const emg_mat *const *trains, int n_units, double rate_hz,
                               int64_t n_samples, emg_recording *out, emg_error *err);
void emg_mat_name_aux(emg_recording *out, int a, const char *name, const char *units);

emg_status emg_mat_read_otb(const emg_mat_file *file, const emg_read_options *options,
                            emg_recording *out, emg_error *err);
emg_status emg_mat_read_muedit(const emg_mat_file *file, const emg_read_options *options,
                               emg_recording *out, emg_error *err);

#endif
