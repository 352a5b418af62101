// h5_read.c -- numbers from checked datasets, chunks inflated within their bounds
#include "h5_priv.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <emgtwin/array.h>

// Inflate exactly `size` bytes; more, fewer or damaged ones fail.
static bool inflate_exactly(const unsigned char *from, size_t n, unsigned char *to, size_t size) {
  uLongf length = (uLongf)size;

  return uncompress(to, &length, from, (uLong)n) == Z_OK && length == size;
}

// HDF5's Fletcher checksum at the end of a chunk is cut off: a damaged deflate stream shows itself
// by its own checksum.
enum { CHECKSUM_BYTES = 4 };

// Undo the filters of one chunk, last one first. Works between `a` and `b`; the numbers end up in
// the one that is returned, NULL if they are damaged.
static unsigned char *undo_filters(const emg_h5_dataset *d, uint32_t mask, size_t stored,
                                   unsigned char *a, unsigned char *b) {
  size_t plain = d->chunk_elements * d->size;

  for (int i = d->n_filters - 1; i >= 0; i--) {
    unsigned char *swap = a;

    if (mask & (1u << i)) {
      continue;
    }
    switch (d->filters[i]) {
      case H5Z_FILTER_FLETCHER32:
        if (stored < CHECKSUM_BYTES) {
          return NULL;
        }
        stored -= CHECKSUM_BYTES;
        continue;
      case H5Z_FILTER_DEFLATE:
        if (!inflate_exactly(a, stored, b, plain)) {
          return NULL;
        }
        stored = plain;
        break;
      default:
        if (stored != plain) {
          return NULL;
        }
        emg_h5_unshuffle(a, b, d->chunk_elements, d->size);
        break;
    }
    a = b;
    b = swap;
  }
  return stored == plain ? a : NULL;
}

// Copy the numbers of a chunk, already of the type in memory, to their places in the array.
static void scatter_chunk(const emg_h5_dataset *d, const hsize_t *offset, size_t size,
                          const unsigned char *from, ptrdiff_t row_stride, unsigned char *out) {
  int last = d->rank - 1;
  int64_t width = (int64_t)d->chunk[last], n_columns = d->dims[last] - (int64_t)offset[last];
  int64_t n_runs = (int64_t)d->chunk_elements / width;

  n_columns = n_columns < width ? n_columns : width;
  for (int64_t run = 0; run < n_runs; run++) {
    int64_t rest = run, row = 0, place = 1;
    bool is_inside = true;

    for (int i = last - 1; i >= 0; i--) {
      int64_t at = (int64_t)offset[i] + rest % (int64_t)d->chunk[i];
      rest /= (int64_t)d->chunk[i];
      is_inside = is_inside && at < d->dims[i];
      row += at * place;
      place *= d->dims[i];
    }
    if (is_inside) {
      memcpy(out + (size_t)(row * row_stride + (int64_t)offset[last]) * size,
             from + (size_t)(run * width) * size, (size_t)n_columns * size);
    }
  }
}

size_t emg_h5_chunk_room(const emg_h5_dataset *d, emg_h5_type type) {
  size_t size = emg_h5_size(type) > d->size ? emg_h5_size(type) : d->size;

  // a chunk that does not shrink is a little longer packed than plain
  return d->chunk_elements * size + d->chunk_elements * d->size / 256 + 4096;
}

unsigned char *emg_h5_read_chunk(const emg_h5_dataset *d, const hsize_t *offset, emg_h5_type type,
                                 unsigned char *buffers) {
  size_t room = emg_h5_chunk_room(d, type);
  hsize_t stored = 0;
  uint32_t mask = 0;

  if (H5Dget_chunk_storage_size(d->id, offset, &stored) < 0 || stored > room ||
      H5Dread_chunk(d->id, H5P_DEFAULT, offset, &mask, buffers) < 0) {
    return NULL;
  }
  unsigned char *plain = undo_filters(d, mask, (size_t)stored, buffers, buffers + room);
  if (!plain || H5Tconvert(d->type, emg_h5_memory_type(type), d->chunk_elements, plain, NULL,
                           H5P_DEFAULT) < 0) {
    return NULL;
  }
  return plain;
}

static emg_status read_chunked(const emg_h5_dataset *d, const char *path, emg_h5_type type,
                               ptrdiff_t row_stride, void *out, emg_error *err) {
  hsize_t offset[EMG_H5_RANK_MAX];
  unsigned char *buffers;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc(2, emg_h5_chunk_room(d, type), &buffers, err));
  for (int64_t index = 0; status == EMG_OK && index < d->n_chunks; index++) {
    int64_t rest = index;

    for (int i = d->rank - 1; i >= 0; i--) {
      int64_t along = (d->dims[i] + (int64_t)d->chunk[i] - 1) / (int64_t)d->chunk[i];
      offset[i] = (hsize_t)(rest % along) * d->chunk[i];
      rest /= along;
    }
    const unsigned char *plain = emg_h5_read_chunk(d, offset, type, buffers);
    if (plain) {
      scatter_chunk(d, offset, emg_h5_size(type), plain, row_stride, out);
    } else {
      status = emg_h5_fail_damaged(err, path);
    }
  }
  free(buffers);
  return status;
}

static emg_status read_whole(const emg_h5_dataset *d, const char *path, emg_h5_type type,
                             ptrdiff_t row_stride, void *out, emg_error *err) {
  hid_t memory = H5S_ALL;
  int last = d->rank - 1;

  if (d->rank > 1 && row_stride != d->dims[last]) {
    hsize_t wide[EMG_H5_RANK_MAX], start[EMG_H5_RANK_MAX] = {0}, count[EMG_H5_RANK_MAX];
    for (int i = 0; i < d->rank; i++) {
      wide[i] = count[i] = (hsize_t)d->dims[i];
    }
    wide[last] = (hsize_t)row_stride;
    memory = H5Screate_simple(d->rank, wide, NULL);
    H5Sselect_hyperslab(memory, H5S_SELECT_SET, start, NULL, count, NULL);
  }
  herr_t result = H5Dread(d->id, emg_h5_memory_type(type), memory, H5S_ALL, H5P_DEFAULT, out);
  if (memory != H5S_ALL) {
    H5Sclose(memory);
  }
  return result >= 0 ? EMG_OK : emg_h5_fail_damaged(err, path);
}

emg_status emg_h5_read(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                       const int64_t *dims, ptrdiff_t row_stride, void *out, emg_error *err) {
  emg_h5_dataset d;
  emg_status status = emg_h5_dataset_open(file, path, &d, err);
  bool is_same = d.rank == rank;

  for (int i = 0; is_same && i < rank; i++) {
    is_same = d.dims[i] == dims[i];
  }
  if (status == EMG_OK && !is_same) {
    status = emg_h5_fail_damaged(err, path);
  }
  if (status == EMG_OK && d.n > 0) {
    ptrdiff_t stride = row_stride > 0 || rank == 0 ? row_stride : (ptrdiff_t)dims[rank - 1];
    status = d.layout == H5D_CHUNKED ? read_chunked(&d, path, type, stride, out, err)
                                     : read_whole(&d, path, type, stride, out, err);
  }
  emg_h5_dataset_close(&d);
  return status;
}

emg_status emg_h5_read_scalar(emg_h5 *file, const char *path, double *value, emg_error *err) {
  int rank;
  int64_t dims[EMG_H5_RANK_MAX];

  EMG_TRY(emg_h5_shape(file, path, &rank, dims, err));
  for (int i = 0; i < rank; i++) {
    if (dims[i] != 1) {
      return emg_fail(err, EMG_ERR_DATA, "/%s is not a single number", path);
    }
  }
  return emg_h5_read(file, path, EMG_H5_F64, rank, dims, 0, value, err);
}
