// mat5_write.h -- writing MATLAB version 5 files (MathWorks, "MAT-File Format", R2023b)
//
// Arrays follow each other in a buffer. Between begin and end of a cell array or structure come its
// elements, column by column, without names.
#ifndef EMG_MAT5_WRITE_H
#define EMG_MAT5_WRITE_H

#include <stdint.h>

#include "base/buffer.h"

void emg_mat5_start(emg_buffer *out);

void emg_mat5_doubles(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns,
                      const double *values);
// Doubles that are whole numbers, stored as such, as MATLAB does and other readers expect.
void emg_mat5_integers(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns,
                       const int32_t *values);
void emg_mat5_number(emg_buffer *out, const char *name, double value);
void emg_mat5_text(emg_buffer *out, const char *name, const char *text);
// An array of singles: its numbers, column by column, are written into the result, which is NULL
// where there is no memory.
float *emg_mat5_singles(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns);

size_t emg_mat5_begin_cells(emg_buffer *out, const char *name, int64_t n_rows, int64_t n_columns);
// `begin`: what begin_cells returned. EMG_ERR_DATA: more than a variable can hold (2 GiB).
emg_status emg_mat5_end(emg_buffer *out, size_t begin, const char *name, emg_error *err);

#endif
