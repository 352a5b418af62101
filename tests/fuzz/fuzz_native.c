// fuzz_native.c -- every reader of the native HDF5 file
#include <emgtwin/file.h>

#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  const emg_read_options options = {.rate_hz = 2048, .allow_no_emg = true};
  char path[64], *yaml;
  emg_recording rec;
  emg_truth truth;
  emg_decomposition decomposition;
  emg_spikes spikes;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  if (emg_recording_read(path, &options, &rec, &err) == EMG_OK) {
    fuzz_blocks(path, &options, &rec);
    emg_recording_free(&rec);
  }
  if (emg_file_read_truth(path, &truth, &err) == EMG_OK) {
    emg_truth_free(&truth);
  }
  if (emg_file_read_decomposition(path, &decomposition, &err) == EMG_OK) {
    emg_decomposition_free(&decomposition);
  }
  if (emg_spikes_read(path, true, &spikes, &err) == EMG_OK) {
    emg_spikes_free(&spikes);
  }
  if (emg_file_read_config(path, &yaml, &err) == EMG_OK) {
    free(yaml);
  }
  close(fd);
  return 0;
}
