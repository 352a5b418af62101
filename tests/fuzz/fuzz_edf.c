// fuzz_edf.c -- the reader of EDF and BDF
#include "base/formats.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  const emg_read_options options = {.allow_no_emg = true};
  char path[64];
  emg_recording rec;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  // with and without what the user may add
  if (emg_edf_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  if (emg_recording_read(path, NULL, &rec, &err) == EMG_OK) {
    fuzz_blocks(path, NULL, &rec);
    emg_recording_free(&rec);
  }
  close(fd);
  return 0;
}
