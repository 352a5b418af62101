// input_file.c -- opening files that are named from outside
#include "base/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

emg_status emg_open_input(const char *path, FILE **file, emg_error *err) {
  struct stat info;

  *file = NULL;
  // a pipe that nobody writes to would hold up a plain open for ever
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &info) != 0) {
    emg_status status = emg_fail(err, EMG_ERR_IO, "cannot open %s: %s; check name and permission",
                                 path, strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return status;
  }
  if (S_ISREG(info.st_mode) && (*file = fdopen(fd, "rb"))) {
    return EMG_OK;
  }
  close(fd);
  return S_ISREG(info.st_mode) ? emg_fail(err, EMG_ERR_MEMORY, "out of memory for reading %s", path)
         : S_ISDIR(info.st_mode) ? emg_fail(err, EMG_ERR_IO, "%s is a folder; name a file", path)
                                 : emg_fail(err, EMG_ERR_IO,
                                            "%s is neither a file nor a folder; a pipe must be "
                                            "written to a file first",
                                            path);
}
