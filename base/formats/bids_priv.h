// bids_priv.h -- what the bids*.c share
#ifndef EMG_BIDS_PRIV_H
#define EMG_BIDS_PRIV_H

#include <limits.h>

#include "formats_priv.h"

#define EMG_BIDS_JSON_MAX (1 << 20)  // bytes of a sidecar

bool emg_path_join(char to[PATH_MAX], const char *folder, const char *name);  // false: too long
void emg_path_folder(const char *path, char folder[PATH_MAX]);
const char *emg_path_name(const char *path);

// Name of a recording of this modality: *_emg.edf or *_emg.bdf.
bool emg_bids_is_recording(const char *name);
// All entities ("sub-01_task-x", `length` bytes) are among those of `recording`; those that start
// with `except` are free.
bool emg_bids_applies(const char *name, size_t length, const char *recording, const char *except);
// The sidecar of a recording in the level-th of the folders above it that have one (inheritance
// principle). `extra`: an entity that the sidecar must have beside those of the recording.
bool emg_bids_sidecar(const char *path, int level, const char *suffix, const char *extra,
                      char found[PATH_MAX]);
// Root of the data set, which holds dataset_description.json.
bool emg_bids_root(const char *path, char root[PATH_MAX]);
// Number in the *_emg.json of a recording, 0 if none.
double emg_bids_number(const char *path, const char *key);
// The recording a path means: itself, or the only one in a folder.
emg_status emg_bids_resolve(const char *path, char recording[PATH_MAX], emg_error *err);
// Spike trains of a recording from the derivatives of its data set; none is no error.
emg_status emg_bids_labels(const char *path, emg_recording *out, emg_error *err);

#endif
