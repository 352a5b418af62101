// formats_priv.h -- what the readers in this folder share
#ifndef EMG_FORMATS_PRIV_H
#define EMG_FORMATS_PRIV_H

#include "base/formats.h"

// What somebody outside an EDF file says of one of its signals (channels.tsv of BIDS).
typedef struct {
  char name[64];
  bool is_emg;
} emg_signal_role;

// Read EDF or BDF; signals named in `roles` are EMG or not as it says, others as label and unit
// suggest. With `blocks` the samples are not read, and it reads them.
emg_status emg_edf_read_roles(const char *path, const emg_read_options *options,
                              const emg_signal_role *roles, int n_roles, emg_recording *out,
                              emg_blocks *blocks, emg_error *err);

// Sampling rate (of the EMG, as emg_edf_read finds it) and length of an EDF or BDF file, from its
// header alone.
emg_status emg_edf_length(const char *path, double *rate_hz, int64_t *n_samples, emg_error *err);

// Place channels by a grid map of the user and leave out those it does not name. `rows` (may be
// NULL): which channel each one was before, malloc'ed.
emg_status emg_grid_apply_map(emg_recording *rec, const char *path, int **rows, emg_error *err);

// Whole file, terminated by a zero byte, malloc'ed. EMG_ERR_DATA if longer than `limit`.
emg_status emg_slurp(const char *path, size_t limit, char **bytes, size_t *n_bytes, emg_error *err);

// Columns of a tab- or comma-separated table whose first line names them.
typedef struct {
  int n_rows, n_columns;
  char **cells;  // header first, then row by row; short rows are filled with ""
  char *bytes;
} emg_tsv;

emg_status emg_tsv_parse(char *bytes, size_t n_bytes, char separator, emg_tsv *out,
                         emg_error *err);  // takes over `bytes`, also on failure
emg_status emg_tsv_read(const char *path, emg_tsv *out, emg_error *err);
void emg_tsv_free(emg_tsv *tsv);
int emg_tsv_column(const emg_tsv *tsv, const char *name);  // -1 if there is none
// Cell of a data row, "" for column -1.
static inline const char *emg_tsv_cell(const emg_tsv *tsv, int row, int column) {
  return column < 0 ? "" : tsv->cells[(ptrdiff_t)(row + 1) * tsv->n_columns + column];
}
// True if a cell is a finite number.
bool emg_tsv_number(const char *cell, double *value);

// Value of a key of the outermost object of a JSON text: false if absent or of the other kind.
bool emg_json_find_number(const char *text, const char *key, double *value);
bool emg_json_find_text(const char *text, const char *key, char *value, size_t size);

#endif
