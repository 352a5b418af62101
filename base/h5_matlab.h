// h5_matlab.h -- variables of MATLAB 7.3 in HDF5: classes, cells, text, transposed arrays
//
// A file of that version is HDF5 after a block of 512 bytes. Arrays are stored transposed and carry
// their class; cells are references to objects under /#refs#.
#ifndef EMG_BASE_H5_MATLAB_H
#define EMG_BASE_H5_MATLAB_H

#include "base/h5.h"

// As emg_h5_create; published and closed the same way.
emg_status emg_h5_create_matlab(const char *path, bool overwrite, emg_h5 **file, emg_error *err);

emg_status emg_h5_matlab_struct(emg_h5 *file, const char *path, emg_error *err);
// n_rows x n_columns doubles, column by column.
emg_status emg_h5_matlab_doubles(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                                 const double *values, emg_error *err);
// The same from a source whose runs are the columns.
emg_status emg_h5_matlab_from(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                              const emg_h5_source *source, emg_error *err);
emg_status emg_h5_matlab_text(emg_h5 *file, const char *path, const char *text, emg_error *err);

// A cell array n_rows x n_columns whose elements are the objects /#refs#/<prefix><i>, i from 0
// column by column, which exist.
emg_status emg_h5_matlab_cells(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                               const char *prefix, emg_error *err);
// Path of such an object.
typedef struct {
  char text[64];
} emg_h5_matlab_path;
emg_h5_matlab_path emg_h5_matlab_ref(const char *prefix, int64_t i);

#endif
