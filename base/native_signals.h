// native_signals.h -- the native file written from rows that may be longer than memory
#ifndef EMG_BASE_NATIVE_SIGNALS_H
#define EMG_BASE_NATIVE_SIGNALS_H

#include <emgtwin/file.h>
#include <emgtwin/log.h>

#include "quantise.h"
#include "row_store.h"

// The large parts of a file. NULL or without rows: not there.
typedef struct {
  const emg_row_store *data;  // [channel][sample] uV, F32; there if the contents have a recording
  const emg_row_look *looks;  // of `data`, NULL if not taken yet
  const emg_row_store *clean, *noise, *fault;  // [channel][sample]
  const emg_row_store *excitation, *force;     // [muscle][sample]
} emg_native_signals;

// emg_file_write with the samples from `signals`: those in `contents` are not looked at. Progress
// is reported as stage "writing".
emg_status emg_native_write(const char *path, const emg_file_contents *contents,
                            const emg_native_signals *signals, const emg_monitor *monitor,
                            bool overwrite, emg_error *err);

#endif
