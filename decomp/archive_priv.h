// archive_priv.h -- checkpoints: numbers in HDF5 with a digest over all of them (private to decomp)
#ifndef EMG_DECOMP_ARCHIVE_PRIV_H
#define EMG_DECOMP_ARCHIVE_PRIV_H

#include <stdint.h>

#include <base/h5.h>
#include <base/sha256.h>

typedef struct {
  emg_h5 *file;
  emg_sha256 sha;
} emg_archive;

// A row of n numbers, which also goes into the digest; 0 numbers are left out.
emg_status emg_archive_put(emg_archive *a, const char *path, emg_h5_type type, int64_t n,
                           const void *data, emg_error *err);
emg_status emg_archive_get(emg_archive *a, const char *path, emg_h5_type type, int64_t n,
                           void *data, emg_error *err);
// The text at a path must be the one expected: `status` with `message`, and how to start anew.
emg_status emg_archive_expect(emg_archive *a, const char *path, const char *expected,
                              emg_status status, const char *message, emg_error *err);
// Close the digest: write it, or compare it with the one in the file.
emg_status emg_archive_seal(emg_archive *a, emg_error *err);
emg_status emg_archive_verify(emg_archive *a, emg_error *err);

#endif
