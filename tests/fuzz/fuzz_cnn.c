// fuzz_cnn.c -- the reader of networks, and use of what it takes
#include <emgtwin/cnn.h>

#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}

static void use(const emg_cnn *net) {
  enum { SAMPLES = 100, CHANNELS_MOST = 64 };
  emg_array2f logits;
  emg_recording rec;
  emg_error err;

  if (net->n_channels_recorded > CHANNELS_MOST || net->shape.window > SAMPLES ||
      emg_recording_create(net->n_channels_recorded, SAMPLES, net->rate_hz, &rec, &err) != EMG_OK) {
    return;
  }
  if (emg_cnn_answer(net, &rec, NULL, &logits, &err) == EMG_OK) {
    emg_array2f_free(&logits);
  }
  emg_recording_free(&rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  char path[64];
  emg_cnn net;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  if (emg_cnn_read(path, &net, &err) == EMG_OK) {
    use(&net);
    emg_cnn_free(&net);
  }
  close(fd);
  return 0;
}
