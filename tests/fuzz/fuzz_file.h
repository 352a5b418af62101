// fuzz_file.h -- hand bytes to a reader as a file in memory
#ifndef EMG_FUZZ_FILE_H
#define EMG_FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Path of a file in memory with these bytes; close the descriptor when done.
static inline int fuzz_file(const uint8_t *bytes, size_t n, char path[64]) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);

  if (fd < 0 || (n > 0 && write(fd, bytes, n) != (ssize_t)n)) {
    abort();
  }
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  return fd;
}

#endif
