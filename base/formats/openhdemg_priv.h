// openhdemg_priv.h -- what the readers and writers of openhdemg's two formats share
#ifndef EMG_OPENHDEMG_PRIV_H
#define EMG_OPENHDEMG_PRIV_H

#include "convert_priv.h"

// Entry in which we keep the channels; openhdemg leaves it alone.
#define EMG_OPENHDEMG_CHANNELS "EMGTWIN_CHANNELS"

enum { EMG_OPENHDEMG_UNITS_MAX = 4096, EMG_OPENHDEMG_CHANNELS_MAX = 65536 };

// The tables of an openhdemg file.
typedef enum {
  EMG_TABLE_RAW,       // [sample][channel] mV
  EMG_TABLE_REF,       // [sample][signal]
  EMG_TABLE_ACCURACY,  // [unit][1] SIL
  EMG_TABLE_IPTS,      // [sample][unit]
  EMG_TABLE_FIRING,    // [sample][unit] 0 or 1
  EMG_TABLE_EXTRAS,    // empty
} emg_openhdemg_table;
#define EMG_OPENHDEMG_TABLES 6
extern const char *const emg_openhdemg_table_names[EMG_OPENHDEMG_TABLES];

// Rows and columns of a table; 0 rows where there is nothing to put in it.
void emg_openhdemg_shape(const emg_export *e, emg_openhdemg_table table, int64_t *n_rows,
                         int *n_columns);
// Row of a table into n_columns numbers; `next` (n_units, zeroed before row 0) keeps the place in
// the discharges.
void emg_openhdemg_row(const emg_export *e, emg_openhdemg_table table, int64_t row, int64_t *next,
                       double *values);
// What both formats leave out.
void emg_openhdemg_note(const emg_export *e);

// --- reading ---

// Numbers of a table, row after row.
typedef struct {
  int64_t n_rows;
  int n_columns;
  double scale;     // of what is read: the values are multiplied by it before they are rounded
  size_t capacity;  // of values
  float *values;
} emg_openhdemg_matrix;

// What was found in a file, before it is a recording.
typedef struct {
  char source[32];
  double rate_hz, pitch_mm, length;  // 0, NAN and 0 if not stated
  emg_openhdemg_matrix raw, ref;
  bool has_pulses;
  int n_units;
  int64_t *counts;  // per unit, EMG_OPENHDEMG_UNITS_MAX of them
  size_t n_pulses, capacity;
  double *pulses;  // of all units, one after the other, samples from 0
  char *channels;  // text of our own entry, NULL if there is none
} emg_openhdemg_file;
// Start to read. openhdemg keeps mV, whatever the source; the user may know better.
emg_openhdemg_file emg_openhdemg_start(const emg_read_options *options);
void emg_openhdemg_free(emg_openhdemg_file *file);

// Append a number to a table. EMG_ERR_MEMORY.
emg_status emg_openhdemg_add(emg_openhdemg_matrix *m, double value, size_t n, emg_error *err);
// Start the next unit, and append a discharge to the last one.
emg_status emg_openhdemg_add_unit(emg_openhdemg_file *file, emg_error *err);
emg_status emg_openhdemg_add_pulse(emg_openhdemg_file *file, double sample, emg_error *err);
// The recording that was in the file.
emg_status emg_openhdemg_finish(const emg_openhdemg_file *file, const char *format,
                                const emg_read_options *options, emg_recording *out,
                                emg_error *err);

#endif
