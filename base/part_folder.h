// part_folder.h -- whole folders or none: NAME.part.PID with all its files, flushed, renamed
#ifndef EMG_BASE_PART_FOLDER_H
#define EMG_BASE_PART_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include <emgtwin/log.h>
#include <emgtwin/status.h>

#include "base/buffer.h"

typedef struct {
  char path[256];  // in the folder: "sub-01/emg/x.tsv"
  emg_buffer bytes;
} emg_folder_file;

// Start from {0}.
typedef struct {
  int n;
  emg_folder_file *files;
} emg_folder;

// Add a file and take over its bytes, which are empty afterwards, also on failure. EMG_ERR_MEMORY
// if something was lost of them.
emg_status emg_folder_add(emg_folder *folder, const char *path, emg_buffer *bytes, emg_error *err);
void emg_folder_free(emg_folder *folder);

// Whether `path` may become such a folder: its parent is there and can be written, and it is
// neither a file nor, without `overwrite`, a folder that holds something. With it a folder is
// replaced only if it holds the file `mark`, by which those who write such folders know their own.
emg_status emg_part_folder_check(const char *path, const char *mark, bool overwrite,
                                 emg_error *err);
// Write all files. On failure, and if the monitor asks to stop, nothing is left behind.
emg_status emg_part_folder_write(const char *path, const char *mark, const emg_folder *folder,
                                 bool overwrite, const emg_monitor *monitor, emg_error *err);

#endif
