// convert.h -- recordings and decompositions in the formats of other programs
//
// One row of a table per format. What a format cannot hold is left out, and said: the notes of an
// emg_conversion are for the user, always. Discharges are exact in every format; what becomes of
// the samples is in the notes where they are rounded.
#ifndef EMG_CONVERT_H
#define EMG_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMG_CONVERSION_NOTES_MAX 24

// What was written, and what was not.
typedef struct {
  const char *format;  // name of the writer
  int n_channels, n_units;
  int64_t n_samples, n_discharges;
  double step_uv;  // largest step of the samples' rounding; 0: as exact as the file they came from
  int n_notes;
  char notes[EMG_CONVERSION_NOTES_MAX][240];
} emg_conversion;

typedef struct {
  bool overwrite;        // replace a file, or a folder of the same format, of that name
  bool prefer_truth;     // the units are those of the ground truth also where others were found
  const char *code_url;  // where the code that made the discharges is, for run logs; NULL unknown
  const emg_monitor *monitor;  // asks to stop between files; NULL: never
} emg_convert_options;

// What a writer works on; private to the writers.
typedef struct emg_export emg_export;

// What a format can hold.
typedef enum {
  EMG_KEEPS_EMG = 1,
  EMG_KEEPS_UNITS = 2,  // discharges
  EMG_KEEPS_AUX = 4,    // force, trigger, path
  EMG_KEEPS_GRID = 8,   // rows and columns of the electrodes
  EMG_KEEPS_POSITIONS = 16,
  EMG_KEEPS_NAMES = 32,   // of channels
  EMG_KEEPS_STATES = 64,  // which channels are bad
  EMG_KEEPS_SOURCES = 128,
  EMG_KEEPS_SIL = 256,
  EMG_KEEPS_ALL = 512,  // the native file
  EMG_KEEPS_RATE = 1024,
  EMG_NEEDS_EMG = 2048,
  EMG_NEEDS_UNITS = 4096,
  EMG_KEEPS_PNR = 8192,
  EMG_KEEPS_CONFIG = 16384,  // of the simulation or decomposition, with its units
} emg_writer_trait;

typedef struct {
  const char *name;    // "openhdemg-json"
  const char *suffix;  // file names end like this ("_events.tsv"); "/" for a folder
  const char *doc;
  unsigned traits;  // of emg_writer_trait
  emg_status (*write)(const char *path, const emg_export *e, emg_error *err);
} emg_writer;

// Writers there are. Thread-safe, as all calls here.
const emg_writer *emg_writers(int *n);
// The writer of that name, or for `name` NULL the one that the end of `path` tells. EMG_ERR_ARG: no
// such writer, or the name does not tell one; the message lists those there are.
emg_status emg_writer_find(const char *name, const char *path, const emg_writer **out,
                           emg_error *err);

// Whether emg_convert could write there: EMG_ERR_IO if not. For a check before a long read.
emg_status emg_convert_check(const char *path, const emg_writer *writer, bool overwrite,
                             emg_error *err);

// Write the recording and the units in `contents` (clean, noise and compress count for the native
// file alone). Units are those of `decomposition`, else of `truth`, else the labels of the
// recording. Other formats than the native one number the units that discharge from 0; silent ones
// are left out with a note. EMG_ERR_ARG: something the format needs is missing. EMG_ERR_DATA: rate
// or length of units and recording differ. EMG_ERR_IO, EMG_ERR_INTERRUPTED: nothing is left behind.
emg_status emg_convert(const char *path, const emg_writer *writer,
                       const emg_file_contents *contents, const emg_convert_options *options,
                       emg_conversion *out, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
