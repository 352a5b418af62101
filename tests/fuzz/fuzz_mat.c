// fuzz_mat.c -- the reader of MATLAB files, as recording and as grid map
#include <string.h>

#include "base/formats.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  char path[64];
  const emg_read_options options = {
      .rate_hz = 2048, .allow_no_emg = true, .scale_uv = 2, .map = path};
  emg_recording rec;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  if (emg_mat_read_recording(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  if (emg_recording_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  close(fd);
  return 0;
}
