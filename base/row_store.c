// row_store.c -- rows of samples in memory or on disk
#include "row_store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "part_file.h"

enum { PIECE = 4096 };  // numbers converted at a time

static emg_status fail_write(const emg_row_store *store, int number, emg_error *err) {
  double bytes = (double)store->n_rows * (double)store->n_cols * (double)emg_h5_size(store->type);
  struct statvfs space;
  char free_space[48] = "";

  if (store->fd >= 0 && fstatvfs(store->fd, &space) == 0) {
    snprintf(free_space, sizeof free_space, " and %.3g GB are free",
             (double)space.f_bavail * (double)space.f_frsize / 1e9);
  }
  return emg_fail(err, EMG_ERR_IO,
                  "cannot keep %.3g GB of samples on disk while the file is made: %s%s; make room "
                  "or name another disk",
                  bytes / 1e9, strerror(number), free_space);
}

emg_status emg_row_store_create(int n_rows, int64_t n_cols, emg_h5_type type, const char *path,
                                emg_row_store *out, emg_error *err) {
  *out = (emg_row_store){
      .n_rows = n_rows, .n_cols = n_cols, .type = type, .stride = (ptrdiff_t)n_cols, .fd = -1};
  if (!path) {
    return emg_alloc((size_t)n_rows, (size_t)n_cols * emg_h5_size(type), &out->memory, err);
  }
  out->fd = emg_open_unnamed(path);
  off_t length = (off_t)n_rows * n_cols * (off_t)emg_h5_size(type);
  if (out->fd < 0 || ftruncate(out->fd, length) != 0) {
    return fail_write(out, errno, err);
  }
  return EMG_OK;
}

emg_row_store emg_row_store_view2f(const emg_array2f *a) {
  return (emg_row_store){.n_rows = a->n_rows,
                         .n_cols = a->n_cols,
                         .type = EMG_H5_F32,
                         .stride = a->stride,
                         .memory = (unsigned char *)a->data,
                         .fd = -1,
                         .is_view = true};
}

emg_row_store emg_row_store_view2d(const emg_array2d *a) {
  return (emg_row_store){.n_rows = a->n_rows,
                         .n_cols = a->n_cols,
                         .type = EMG_H5_F64,
                         .stride = a->stride,
                         .memory = (unsigned char *)a->data,
                         .fd = -1,
                         .is_view = true};
}

void emg_row_store_close(emg_row_store *store) {
  if (store->memory && !store->is_view) {
    free(store->memory);
  }
  // an empty store, all zeros, has no file
  if (store->n_rows > 0 && store->fd >= 0) {
    close(store->fd);
  }
  *store = (emg_row_store){.fd = -1};
}

static off_t place_of(const emg_row_store *store, int row, int64_t begin) {
  return ((off_t)row * store->stride + begin) * (off_t)emg_h5_size(store->type);
}

// 0 or the errno.
static int write_bytes(const emg_row_store *store, int row, int64_t begin, size_t n,
                       const void *from) {
  off_t at = place_of(store, row, begin);
  const char *bytes = from;

  if (store->memory) {
    memcpy(store->memory + at, bytes, n);
    return 0;
  }
  while (n > 0) {
    ssize_t done = pwrite(store->fd, bytes, n, at);
    if (done < 0 && errno != EINTR) {
      return errno;
    }
    if (done > 0) {
      bytes += done;
      at += done;
      n -= (size_t)done;
    }
  }
  return 0;
}

static bool read_bytes(const emg_row_store *store, int row, int64_t begin, size_t n, void *to) {
  off_t at = place_of(store, row, begin);
  char *bytes = to;

  if (store->memory) {
    memcpy(bytes, store->memory + at, n);
    return true;
  }
  while (n > 0) {
    ssize_t done = pread(store->fd, bytes, n, at);
    if (done == 0 || (done < 0 && errno != EINTR)) {
      return false;
    }
    if (done > 0) {
      bytes += done;
      at += done;
      n -= (size_t)done;
    }
  }
  return true;
}

emg_status emg_row_store_put(const emg_row_store *store, int row, int64_t begin, int64_t n,
                             const float *values, emg_error *err) {
  unsigned char marks[PIECE];
  int number = 0;

  if (store->type == EMG_H5_F32) {
    number = write_bytes(store, row, begin, (size_t)n * sizeof *values, values);
  }
  for (int64_t i = 0; store->type == EMG_H5_U8 && number == 0 && i < n; i += PIECE) {
    int64_t length = n - i < PIECE ? n - i : PIECE;
    for (int64_t k = 0; k < length; k++) {
      marks[k] = values[i + k] != 0;
    }
    number = write_bytes(store, row, begin + i, (size_t)length, marks);
  }
  return number == 0 ? EMG_OK : fail_write(store, number, err);
}

static void convert(const float *from, int64_t n, emg_h5_type type, double step, void *to) {
  for (int64_t i = 0; i < n; i++) {
    if (type == EMG_H5_I16) {
      ((int16_t *)to)[i] = (int16_t)lrint(from[i] / step);
    } else if (type == EMG_H5_F64) {
      ((double *)to)[i] = from[i];
    } else {
      ((uint8_t *)to)[i] = from[i] != 0;
    }
  }
}

bool emg_row_store_get(const emg_row_store *store, int row, int64_t begin, int64_t n,
                       emg_h5_type type, double step, void *to) {
  float piece[PIECE];
  bool is_ok = true;

  if (type == store->type) {
    return read_bytes(store, row, begin, (size_t)n * emg_h5_size(type), to);
  }
  for (int64_t i = 0; is_ok && i < n; i += PIECE) {
    int64_t length = n - i < PIECE ? n - i : PIECE;
    is_ok = read_bytes(store, row, begin + i, (size_t)length * sizeof *piece, piece);
    if (is_ok) {
      convert(piece, length, type, step, (char *)to + (size_t)i * emg_h5_size(type));
    }
  }
  return is_ok;
}

emg_status emg_row_store_fail_read(const emg_row_store *store, emg_error *err) {
  return emg_fail(err, EMG_ERR_IO,
                  "cannot read back %d rows of samples from disk; it may be failing, name another",
                  store->n_rows);
}
