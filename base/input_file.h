// input_file.h -- opening files that are named from outside (internal)
#ifndef EMG_BASE_INPUT_FILE_H
#define EMG_BASE_INPUT_FILE_H

#include <stdio.h>

#include <emgtwin/status.h>

// Opens a file for reading. EMG_ERR_IO: no such file, permission, or a folder, a pipe or a device:
// opening and reading never wait.
emg_status emg_open_input(const char *path, FILE **file, emg_error *err);

#endif
