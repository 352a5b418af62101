// h5_columns.c -- datasets of two dimensions read by columns: a stretch of time of all channels
#include "h5_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

enum { STRIPE_BYTES_MAX = 64 << 20, PATH_LENGTH_MAX = 64 };

struct emg_h5_columns {
  emg_h5_dataset dataset;
  char path[PATH_LENGTH_MAX];
  emg_h5_type type;
  // chunked datasets: all rows of one column of chunks, and room to unpack one
  unsigned char *stripe, *buffers;
  int64_t held;  // the column of chunks in the stripe, -1 if none
};

// Columns of the dataset that a column of chunks covers, but for the last one.
static int64_t stripe_width(const emg_h5_dataset *d) {
  return (int64_t)d->chunk[1] < d->dims[1] ? (int64_t)d->chunk[1] : d->dims[1];
}

static bool is_small(const emg_h5_dataset *d, size_t size) {
  return (double)d->dims[0] * (double)stripe_width(d) * (double)size <= STRIPE_BYTES_MAX &&
         (double)d->chunk_elements * (double)size <= STRIPE_BYTES_MAX;
}

emg_status emg_h5_columns_open(emg_h5 *file, const char *path, emg_h5_type type,
                               emg_h5_columns **out, emg_error *err) {
  emg_h5_columns *c;
  emg_status status;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *c, &c, err));
  emg_h5_dataset *d = &c->dataset;
  c->type = type;
  c->held = -1;
  strncpy(c->path, path, sizeof c->path - 1);
  EMG_TRY_DONE(emg_h5_dataset_open(file, path, d, err));
  if (d->rank != 2) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s has %d dimensions, not 2", path, d->rank);
    goto done;
  }
  bool is_chunked = d->layout == H5D_CHUNKED;
  if (d->n == 0 || (is_chunked && !is_small(d, emg_h5_size(type)))) {
    goto done;
  }
  if (is_chunked) {
    EMG_TRY_DONE(emg_alloc((size_t)d->dims[0] * (size_t)stripe_width(d), emg_h5_size(type),
                           &c->stripe, err));
    EMG_TRY_DONE(emg_alloc(2, emg_h5_chunk_room(d, type), &c->buffers, err));
  }
  *out = c;
  c = NULL;
done:
  emg_h5_columns_close(c);
  return status;
}

void emg_h5_columns_close(emg_h5_columns *columns) {
  if (columns) {
    emg_h5_dataset_close(&columns->dataset);
    free(columns->stripe);
    free(columns->buffers);
    free(columns);
  }
}

// Unpack a column of chunks.
static emg_status hold_stripe(emg_h5_columns *c, int64_t index, emg_error *err) {
  const emg_h5_dataset *d = &c->dataset;
  const size_t size = emg_h5_size(c->type);
  const int64_t width = (int64_t)d->chunk[1], held_width = stripe_width(d);

  c->held = -1;
  for (int64_t row = 0; row < d->dims[0]; row += (int64_t)d->chunk[0]) {
    const hsize_t offset[] = {(hsize_t)row, (hsize_t)(index * width)};
    const unsigned char *plain = emg_h5_read_chunk(d, offset, c->type, c->buffers);
    int64_t n_rows = d->dims[0] - row;

    if (!plain) {
      return emg_h5_fail_damaged(err, c->path);
    }
    n_rows = n_rows < (int64_t)d->chunk[0] ? n_rows : (int64_t)d->chunk[0];
    for (int64_t r = 0; r < n_rows; r++) {
      memcpy(c->stripe + (size_t)((row + r) * held_width) * size,
             plain + (size_t)(r * width) * size, (size_t)held_width * size);
    }
  }
  c->held = index;
  return EMG_OK;
}

static emg_status read_chunked(emg_h5_columns *c, int64_t begin, int64_t n, ptrdiff_t row_stride,
                               unsigned char *out, emg_error *err) {
  const emg_h5_dataset *d = &c->dataset;
  const size_t size = emg_h5_size(c->type);
  const int64_t width = (int64_t)d->chunk[1], held_width = stripe_width(d);

  for (int64_t at = begin; at < begin + n;) {
    int64_t from = at % width, length = width - from;
    length = length < begin + n - at ? length : begin + n - at;
    if (c->held != at / width) {
      EMG_TRY(hold_stripe(c, at / width, err));
    }
    for (int64_t r = 0; r < d->dims[0]; r++) {
      memcpy(out + (size_t)(r * row_stride + at - begin) * size,
             c->stripe + (size_t)(r * held_width + from) * size, (size_t)length * size);
    }
    at += length;
  }
  return EMG_OK;
}

static emg_status read_contiguous(emg_h5_columns *c, int64_t begin, int64_t n, ptrdiff_t row_stride,
                                  void *out, emg_error *err) {
  const hsize_t rows = (hsize_t)c->dataset.dims[0];
  const hsize_t wide[] = {rows, (hsize_t)row_stride}, count[] = {rows, (hsize_t)n};
  const hsize_t origin[] = {0, 0}, start[] = {0, (hsize_t)begin};
  hid_t memory = H5Screate_simple(2, wide, NULL);
  hid_t file = H5Dget_space(c->dataset.id);

  bool is_ok =
      H5Sselect_hyperslab(memory, H5S_SELECT_SET, origin, NULL, count, NULL) >= 0 &&
      H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
      H5Dread(c->dataset.id, emg_h5_memory_type(c->type), memory, file, H5P_DEFAULT, out) >= 0;
  H5Sclose(memory);
  H5Sclose(file);
  return is_ok ? EMG_OK : emg_h5_fail_damaged(err, c->path);
}

emg_status emg_h5_columns_read(emg_h5_columns *columns, int64_t begin, int64_t n,
                               ptrdiff_t row_stride, void *out, emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  return columns->stripe ? read_chunked(columns, begin, n, row_stride, out, err)
                         : read_contiguous(columns, begin, n, row_stride, out, err);
}
