// archive.c -- numbers of a checkpoint in and out of HDF5, with a digest over all of them
#include "archive_priv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

emg_status emg_archive_put(emg_archive *a, const char *path, emg_h5_type type, int64_t n,
                           const void *data, emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  emg_sha256_add(&a->sha, data, (size_t)n * emg_h5_size(type));
  return emg_h5_write(a->file, path, type, 1, &n, 0, data, 0, err);
}

emg_status emg_archive_get(emg_archive *a, const char *path, emg_h5_type type, int64_t n,
                           void *data, emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(a->file, path, 1, &n, err));
  EMG_TRY(emg_h5_read(a->file, path, type, 1, &n, 0, data, err));
  emg_sha256_add(&a->sha, data, (size_t)n * emg_h5_size(type));
  return EMG_OK;
}

emg_status emg_archive_expect(emg_archive *a, const char *path, const char *expected,
                              emg_status status, const char *message, emg_error *err) {
  char *text;

  EMG_TRY(emg_h5_read_text(a->file, path, &text, err));
  bool is_same = strcmp(text, expected) == 0;
  free(text);
  return is_same ? EMG_OK : emg_fail(err, status, "%s; leave --resume out to start anew", message);
}

emg_status emg_archive_seal(emg_archive *a, emg_error *err) {
  char digest[65];

  emg_sha256_finish(&a->sha, digest);
  return emg_h5_write_text(a->file, "digest", digest, err);
}

emg_status emg_archive_verify(emg_archive *a, emg_error *err) {
  char digest[65];

  emg_sha256_finish(&a->sha, digest);
  return emg_archive_expect(a, "digest", digest, EMG_ERR_DATA, "the checkpoint is damaged", err);
}
