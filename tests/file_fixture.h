// file_fixture.h -- files for the tests of readers: a folder, edited copies, expected refusals
#ifndef EMG_FILE_FIXTURE_H
#define EMG_FILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <emgtwin/file.h>

static char fixture_folder[64];

static inline int make_fixture_folder(void **state) {
  (void)state;
  snprintf(fixture_folder, sizeof fixture_folder, "/tmp/emg_test_XXXXXX");
  return mkdtemp(fixture_folder) ? 0 : -1;
}

static inline int remove_fixture_folder(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", fixture_folder);
  return system(command);
}

// Path in the folder; one of four that are in use at a time.
static inline const char *fixture_path(const char *name) {
  static char paths[4][192];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", fixture_folder, name);
  return path;
}

// Whole file, malloc'ed with room for 64 bytes more; a missing file fails the test.
static inline char *fixture_slurp(const char *path, size_t *n) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fail_msg("cannot open %s", path);
  }
  fseek(file, 0, SEEK_END);
  *n = (size_t)ftell(file);
  rewind(file);
  char *bytes = calloc(*n + 64, 1);
  assert_int_equal(fread(bytes, 1, *n, file), *n);
  fclose(file);
  return bytes;
}

static inline const char *fixture_write(const char *name, const void *bytes, size_t n) {
  const char *path = fixture_path(name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  fclose(file);
  return path;
}

static inline emg_recording read_or_die(const char *path, const emg_read_options *options) {
  emg_recording rec;
  emg_error err = {0};
  if (emg_recording_read(path, options, &rec, &err) != EMG_OK) {
    fail_msg("%s: %s", path, emg_error_message(&err));
  }
  return rec;
}

static inline bool has_note(const emg_recording *rec, const char *fragment) {
  for (int i = 0; i < rec->n_notes; i++) {
    if (strstr(rec->notes[i], fragment)) {
      return true;
    }
  }
  return false;
}

// The file is refused with this status, a sentence with this in it, and nothing to free.
static inline void refuse_with(const char *path, const emg_read_options *options,
                               emg_status expected, const char *fragment) {
  emg_recording rec;
  emg_error err = {0};
  emg_status status = emg_recording_read(path, options, &rec, &err);
  if (status != expected || !strstr(emg_error_message(&err), fragment)) {
    fail_msg("%s: status %d and '%s', not %d and '%s'", path, status, emg_error_message(&err),
             expected, fragment);
  }
  assert_null(rec.data.data);
  assert_null(rec.channels);
}

static inline void refuse(const char *path, const char *fragment) {
  refuse_with(path, NULL, EMG_ERR_DATA, fragment);
}

#endif
