// mat_priv.h -- MATLAB version 5 files as a tree of arrays
//
// Own reader: bounded in memory, depth and time for any input. libmatio was seen to take 10 s on a
// hostile file of 479 bytes.
#ifndef EMG_MAT_PRIV_H
#define EMG_MAT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

typedef enum { MAT_EMPTY, MAT_NUMERIC, MAT_CHAR, MAT_CELL, MAT_STRUCT, MAT_OTHER } emg_mat_kind;

// One array. Column-major: element (row, column) is number row + column * n_rows; further
// dimensions are folded into the columns.
typedef struct emg_mat {
  char name[64];
  emg_mat_kind kind;
  int64_t n_rows, n_columns;
  const unsigned char *data;  // numbers as stored, in the bytes of the file
  int storage;                // type code of the numbers
  bool is_swapped;            // other byte order than this machine
  int n_fields;               // of a structure
  char (*fields)[64];
  struct emg_mat *children;  // cell: one per element; structure: n_fields per element
} emg_mat;

typedef struct {
  int n;
  emg_mat *variables;
  int n_buffers;
  unsigned char **buffers;  // the file and what was inflated from it
} emg_mat_file;

// EMG_ERR_DATA: not version 5, truncated, damaged, or too large when inflated.
emg_status emg_mat_read(const char *path, emg_mat_file *out, emg_error *err);
void emg_mat_free(emg_mat_file *file);

static inline int64_t emg_mat_count(const emg_mat *m) {
  return m->n_rows * m->n_columns;
}
// Variable of a name, NULL if there is none.
const emg_mat *emg_mat_find(const emg_mat_file *file, const char *name);
// Field of a structure's element, NULL if there is none or `m` is no structure.
const emg_mat *emg_mat_field(const emg_mat *m, int64_t element, const char *name);
// Element of a cell array; any other array is its own only element. NULL outside.
const emg_mat *emg_mat_cell(const emg_mat *m, int64_t element);
// Number i of a numeric array (char arrays: its code).
double emg_mat_value(const emg_mat *m, int64_t i);
// The only number of an array; false if it is NULL, not numeric or holds another count.
bool emg_mat_scalar(const emg_mat *m, double *value);
// Numbers first, first + step, ... (n of them) as float.
void emg_mat_floats(const emg_mat *m, int64_t first, int64_t step, int64_t n, float *out);
// A char array as UTF-8 label; "" for anything else or NULL.
void emg_mat_text(const emg_mat *m, char *text, size_t size);

#endif
