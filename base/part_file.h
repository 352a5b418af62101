// part_file.h -- whole files or none: NAME.part.PID, flushed, renamed
#ifndef EMG_BASE_PART_FILE_H
#define EMG_BASE_PART_FILE_H

#include <limits.h>
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

// The same in steps, for files too long for memory: begin, write to the descriptor, then publish
// the file under its name, or discard it. Both end with the descriptor closed and no part left.
typedef struct {
  int fd;  // open for reading and writing
  bool overwrite;
  char path[PATH_MAX], folder[PATH_MAX], part[PATH_MAX + 32];
} emg_part_file;
emg_status emg_part_file_begin(const char *path, bool overwrite, emg_part_file *out,
                               emg_error *err);
emg_status emg_part_file_publish(emg_part_file *file, emg_error *err);
void emg_part_file_discard(emg_part_file *file);
// Discard a file that could not be written: `number` is the errno, `n_bytes` what it takes at
// least. Returns EMG_ERR_IO.
emg_status emg_part_file_fail(emg_part_file *file, int number, size_t n_bytes, emg_error *err);

// Bytes that are free to us where `path` is or will be; infinite if that is not known.
double emg_disk_free_bytes(const char *path);
// A file without a name on the disk of `path`, gone when it is closed; -1 and errno if none can be
// made.
int emg_open_unnamed(const char *path);

// Whether that may be tried at all: the folder is there and can be written, `path` is no folder
// and, unless `overwrite`, does not exist. For a check before hours of work.
emg_status emg_part_file_check(const char *path, bool overwrite, emg_error *err);

#endif
