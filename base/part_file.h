// part_file.h -- whole files or none: NAME.part.PID, flushed, renamed
#ifndef EMG_BASE_PART_FILE_H
#define EMG_BASE_PART_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <emgtwin/status.h>

// Write `n_bytes` to `path` so that the name holds either what it held before or all of them, also
// if the process is killed or the power fails. With `overwrite` false an existing file stays and
// the call fails, also if it appears meanwhile. Left-over parts of `path` by processes that are
// gone are removed. EMG_ERR_IO with the path, the reason, and the space needed where the disk is
// full.
emg_status emg_part_file_write(const char *path, const void *bytes, size_t n_bytes, bool overwrite,
                               emg_error *err);

// Whether that may be tried at all: the folder is there and can be written, `path` is no folder
// and, unless `overwrite`, does not exist. For a check before hours of work.
emg_status emg_part_file_check(const char *path, bool overwrite, emg_error *err);

#endif
