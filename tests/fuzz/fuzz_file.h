// fuzz_file.h -- hand bytes to a reader as a file in memory
#ifndef EMG_FUZZ_FILE_H
#define EMG_FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <emgtwin/stream.h>

// Path of a file in memory with these bytes; close the descriptor when done.
static inline int fuzz_file(const uint8_t *bytes, size_t n, char path[64]) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);

  if (fd < 0 || (n > 0 && write(fd, bytes, n) != (ssize_t)n)) {
    abort();
  }
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  return fd;
}

// What was read whole must be read in blocks too, and be the same.
static inline void fuzz_blocks(const char *path, const emg_read_options *options,
                               const emg_recording *whole) {
  enum { STEP = 300 };
  emg_stream *stream;
  emg_array2f block;
  emg_error err;

  if (whole->data.n_rows == 0) {
    return;
  }
  if (emg_stream_open(path, options, &stream, &err) != EMG_OK ||
      emg_array2f_create(whole->data.n_rows, STEP, &block, &err) != EMG_OK ||
      emg_stream_length(stream) != whole->data.n_cols) {
    abort();
  }
  for (int64_t begin = 0; begin < whole->data.n_cols; begin += STEP) {
    int64_t n = whole->data.n_cols - begin < STEP ? whole->data.n_cols - begin : STEP;
    if (emg_stream_read(stream, begin, n, &block, &err) != EMG_OK) {
      abort();
    }
    for (int c = 0; c < block.n_rows; c++) {
      if (memcmp(emg_row2f(&block, c), emg_row2f(&whole->data, c) + begin,
                 (size_t)n * sizeof(float)) != 0) {
        abort();
      }
    }
  }
  emg_array2f_free(&block);
  emg_stream_close(stream);
}

#endif
