// row_store.h -- rows of samples, in memory or, where they are too many, in a file without a name
#ifndef EMG_BASE_ROW_STORE_H
#define EMG_BASE_ROW_STORE_H

#include <emgtwin/array.h>

#include "h5.h"

// A file without a name is gone when it is closed, also if the process is killed. Rows are put and
// got by any number of threads at once, each its own. All numbers are 0 at first.
typedef struct {
  int n_rows;
  int64_t n_cols;
  emg_h5_type type;  // of the numbers kept: EMG_H5_F32, EMG_H5_U8 (0 or 1), EMG_H5_F64
  ptrdiff_t stride;  // numbers from row to row, in memory
  unsigned char *memory;
  int fd;        // of the file, -1 if in memory
  bool is_view;  // of an array that somebody else frees
} emg_row_store;

// `path`: a file on the disk that is used, whether it exists or not; NULL: in memory. Close it also
// on failure.
emg_status emg_row_store_create(int n_rows, int64_t n_cols, emg_h5_type type, const char *path,
                                emg_row_store *out, emg_error *err);
emg_row_store emg_row_store_view2f(const emg_array2f *a);
emg_row_store emg_row_store_view2d(const emg_array2d *a);
void emg_row_store_close(emg_row_store *store);

// Put samples at [begin, begin + n) of a row; into U8 whether they are not 0. EMG_ERR_IO with what
// is free where the disk is full.
emg_status emg_row_store_put(const emg_row_store *store, int row, int64_t begin, int64_t n,
                             const float *values, emg_error *err);
// Get them as numbers of `type`: the kept ones, or F32 as F64, as U8 (whether it is not 0), or as
// I16 in steps of `step`. False if the file cannot be read.
bool emg_row_store_get(const emg_row_store *store, int row, int64_t begin, int64_t n,
                       emg_h5_type type, double step, void *to);
emg_status emg_row_store_fail_read(const emg_row_store *store, emg_error *err);

#endif
