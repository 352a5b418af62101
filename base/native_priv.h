// native_priv.h -- what the readers and writers of the native file share (private to base)
#ifndef EMG_BASE_NATIVE_PRIV_H
#define EMG_BASE_NATIVE_PRIV_H

#include <emgtwin/file.h>

#include "h5.h"

enum { EMG_NATIVE_CHANNELS_MAX = 65536, EMG_NATIVE_UNITS_MAX = 1 << 20 };

// Name the file in what is wrong with it.
emg_status emg_native_in_file(emg_status status, const char *path, emg_error *err);
// An HDF5 file of ours that was written to its end.
emg_status emg_native_open(const char *path, emg_h5 **file, emg_error *err);

// <group>/spike_samples and <group>/spike_offsets, checked.
emg_status emg_native_read_trains(emg_h5 *file, const char *group, emg_spikes *out, emg_error *err);
// Action potentials of so many units; an empty bank if there is no such dataset.
emg_status emg_native_read_muaps(emg_h5 *file, const char *path, int n_units, emg_muap_bank *out,
                                 emg_error *err);
// A two-dimensional dataset; empty if there is none.
emg_status emg_native_read_rows(emg_h5 *file, const char *path, emg_array2f *out, emg_error *err);

emg_status emg_native_write_trains(emg_h5 *file, const char *group, const emg_spikes *spikes,
                                   emg_error *err);
emg_status emg_native_write_muaps(emg_h5 *file, const char *path, const emg_muap_bank *bank,
                                  int threads, emg_error *err);
emg_status emg_native_write_rows(emg_h5 *file, const char *path, const emg_array2f *a, int threads,
                                 emg_error *err);
emg_status emg_native_write_vector(emg_h5 *file, const char *path, const double *values, int n,
                                   emg_error *err);
// One dataset per column; EMG_ERR_DATA unless it has n_rows rows, empty if there is no such group.
emg_status emg_native_write_table(emg_h5 *file, const char *group, const emg_table *table,
                                  emg_error *err);
emg_status emg_native_read_table(emg_h5 *file, const char *group, int n_rows, emg_table *out,
                                 emg_error *err);
// /parameters and /conductor (inversion.c).
emg_status emg_native_write_inversion(emg_h5 *file, const emg_inversion *inversion, emg_error *err);
// /units, /filters and /edit (native_units_write.c).
emg_status emg_native_write_units(emg_h5 *file, const emg_decomposition *d, int threads,
                                  emg_error *err);

#endif
