// h5_write.c -- building HDF5 files in memory, chunks compressed in parallel
#include "h5_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>
#include <zlib.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

enum {
  GZIP_LEVEL = 1,
  CHUNK_ROWS = 64,        // one channel in 27 ms and one second of all channels in 7 ms
  CHUNK_COLUMNS = 4096,   // of 256 channels x 60 s
  CHUNKS_PER_THREAD = 4,  // compressed between two writes
  IMAGE_STEP = 8 << 20,   // growth of the file image
};

static emg_status fail_write(emg_error *err, const char *path) {
  return emg_fail(err, EMG_ERR_MEMORY,
                  "cannot add %s to the output; there is not enough memory, shorten the recording",
                  path);
}

emg_status emg_h5_create(emg_h5 **file, emg_error *err) {
  emg_init();
  EMG_TRY(emg_alloc(1, sizeof **file, file, err));

  // the format of HDF5 1.8: read by every tool in use, and its metadata carry checksums
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  bool is_set = H5Pset_fapl_core(access, IMAGE_STEP, false) >= 0 &&
                H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0;
  hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_obj_track_times(creation, false);
  (*file)->id = is_set ? H5Fcreate("image.h5", H5F_ACC_TRUNC, creation, access) : -1;
  H5Pclose(creation);
  H5Pclose(access);
  if ((*file)->id < 0) {
    free(*file);
    *file = NULL;
    return fail_write(err, "the file header");
  }
  return EMG_OK;
}

emg_status emg_h5_image(emg_h5 *file, const void **bytes, size_t *n_bytes, emg_error *err) {
  void *handle = NULL;
  ssize_t size = -1;

  // the core driver's handle is the address of its buffer, which is longer than the image
  if (H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0 ||
      (size = H5Fget_file_image(file->id, NULL, 0)) < 0 ||
      H5Fget_vfd_handle(file->id, H5P_DEFAULT, &handle) < 0 || !handle) {
    return fail_write(err, "the index");
  }
  *bytes = *(void **)handle;
  *n_bytes = (size_t)size;
  return EMG_OK;
}

// Creation properties: no modification times, so that the same content gives the same bytes.
static hid_t creation_properties(int rank, const hsize_t *chunk) {
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE);

  H5Pset_obj_track_times(properties, false);
  if (chunk) {
    H5Pset_chunk(properties, rank, chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, GZIP_LEVEL);
  }
  return properties;
}

// Make the groups on the way to `path`, without times either.
static void create_groups(emg_h5 *file, const char *path) {
  hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
  char group[256];

  H5Pset_obj_track_times(properties, false);
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(group, sizeof group, "%.*s", (int)(slash - path), path);
    if (H5Lexists(file->id, group, H5P_DEFAULT) == 0) {
      hid_t id = H5Gcreate2(file->id, group, H5P_DEFAULT, properties, H5P_DEFAULT);
      H5Gclose(id);
    }
  }
  H5Pclose(properties);
}

static hid_t create_dataset(emg_h5 *file, const char *path, hid_t type, hid_t space, int rank,
                            const hsize_t *chunk) {
  hid_t properties = creation_properties(rank, chunk);

  create_groups(file, path);
  hid_t dataset = H5Dcreate2(file->id, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Pclose(properties);
  return dataset;
}

// Chunk of a dataset: 64 rows of 4096 samples; the last dimension longer where there are few rows;
// the leading ones of a stack 1.
static void choose_chunk(int rank, const int64_t *dims, hsize_t *chunk) {
  int64_t rows = rank > 1 && dims[rank - 2] < CHUNK_ROWS ? dims[rank - 2] : CHUNK_ROWS;
  if (rank == 1) {
    rows = 1;
  }
  int64_t columns = CHUNK_ROWS * CHUNK_COLUMNS / rows;

  for (int d = 0; d < rank; d++) {
    chunk[d] = 1;
  }
  if (rank > 1) {
    chunk[rank - 2] = (hsize_t)rows;
  }
  chunk[rank - 1] = (hsize_t)(dims[rank - 1] < columns ? dims[rank - 1] : columns);
}

typedef struct {
  int rank;
  const int64_t *dims;
  hsize_t chunk[EMG_H5_RANK_MAX];
  int64_t grid[EMG_H5_RANK_MAX];  // chunks along each dimension
  int64_t n_chunks;
  size_t size, n_elements;  // bytes of a number, numbers in a chunk
  ptrdiff_t row_stride;
  const unsigned char *data;
} chunking;

// First element of chunk `index` along each dimension.
static void chunk_offset(const chunking *c, int64_t index, hsize_t *offset) {
  for (int d = c->rank - 1; d >= 0; d--) {
    offset[d] = (hsize_t)(index % c->grid[d]) * c->chunk[d];
    index /= c->grid[d];
  }
}

// Copy a chunk out of the array, zeros beyond its edges. The leading dimensions of a chunk of a
// stack are 1, so a chunk is always a rectangle of rows.
static void gather_chunk(const chunking *c, const hsize_t *offset, unsigned char *to) {
  int64_t first_row = 0;
  for (int d = 0; d < c->rank - 1; d++) {
    first_row = first_row * c->dims[d] + (int64_t)offset[d];
  }
  int64_t column = (int64_t)offset[c->rank - 1], width = (int64_t)c->chunk[c->rank - 1];
  int64_t n_columns = c->dims[c->rank - 1] - column, n_rows = 1, height = 1;
  if (c->rank > 1) {
    height = (int64_t)c->chunk[c->rank - 2];
    n_rows = c->dims[c->rank - 2] - (int64_t)offset[c->rank - 2];
  }
  n_columns = n_columns < width ? n_columns : width;
  n_rows = n_rows < height ? n_rows : height;

  memset(to, 0, c->n_elements * c->size);
  for (int64_t r = 0; r < n_rows; r++) {
    memcpy(to + (size_t)(r * width) * c->size,
           c->data + (size_t)((first_row + r) * c->row_stride + column) * c->size,
           (size_t)n_columns * c->size);
  }
}

// Compress chunk after chunk in parallel, then store them in order; a chunk's bytes depend on
// nothing but its numbers.
static bool write_chunks(hid_t dataset, const chunking *c, int n_threads) {
  size_t raw = c->n_elements * c->size, bound = compressBound((uLong)raw);
  int batch = n_threads * CHUNKS_PER_THREAD;
  bool is_ok = true;
  unsigned char *scratch = malloc(2 * raw * (size_t)n_threads);
  unsigned char *packed = malloc(bound * (size_t)batch);
  uLongf *lengths = malloc((size_t)batch * sizeof *lengths);

  is_ok = scratch && packed && lengths;
  for (int64_t first = 0; is_ok && first < c->n_chunks; first += batch) {
    int n = (int)(c->n_chunks - first < batch ? c->n_chunks - first : batch);

#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (int i = 0; i < n; i++) {
      unsigned char *plain = scratch + 2 * raw * (size_t)omp_get_thread_num();
      hsize_t offset[EMG_H5_RANK_MAX];

      chunk_offset(c, first + i, offset);
      gather_chunk(c, offset, plain);
      emg_h5_shuffle(plain, plain + raw, c->n_elements, c->size);
      lengths[i] = (uLongf)bound;
      if (compress2(packed + bound * (size_t)i, &lengths[i], plain + raw, (uLong)raw, GZIP_LEVEL) !=
          Z_OK) {
        lengths[i] = 0;
      }
    }
    for (int i = 0; is_ok && i < n; i++) {
      hsize_t offset[EMG_H5_RANK_MAX];

      chunk_offset(c, first + i, offset);
      is_ok = lengths[i] > 0 && H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, lengths[i],
                                               packed + bound * (size_t)i) >= 0;
    }
  }
  free(scratch);
  free(packed);
  free(lengths);
  return is_ok;
}

static bool write_whole(hid_t dataset, emg_h5_type type, int rank, const int64_t *dims,
                        ptrdiff_t row_stride, const void *data) {
  if (rank < 2 || row_stride == dims[rank - 1]) {
    return H5Dwrite(dataset, emg_h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  }
  // rows padded in memory: describe them as the left part of a wider array
  hsize_t wide[EMG_H5_RANK_MAX], start[EMG_H5_RANK_MAX] = {0}, count[EMG_H5_RANK_MAX];
  for (int d = 0; d < rank; d++) {
    wide[d] = count[d] = (hsize_t)dims[d];
  }
  wide[rank - 1] = (hsize_t)row_stride;
  hid_t memory = H5Screate_simple(rank, wide, NULL);
  bool is_ok = H5Sselect_hyperslab(memory, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Dwrite(dataset, emg_h5_memory_type(type), memory, H5S_ALL, H5P_DEFAULT, data) >= 0;
  H5Sclose(memory);
  return is_ok;
}

emg_status emg_h5_write(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                        const int64_t *dims, ptrdiff_t row_stride, const void *data, int n_threads,
                        emg_error *err) {
  chunking c = {.rank = rank,
                .dims = dims,
                .size = emg_h5_size(type),
                .n_elements = 1,
                .n_chunks = 1,
                .data = data};
  hsize_t extent[EMG_H5_RANK_MAX];
  int64_t n = 1;

  for (int d = 0; d < rank; d++) {
    extent[d] = (hsize_t)dims[d];
    n *= dims[d];
  }
  c.row_stride = row_stride > 0 ? row_stride : (rank > 0 ? (ptrdiff_t)dims[rank - 1] : 1);

  bool is_chunked = n_threads > 0 && rank > 0 && n > 0;
  if (is_chunked) {
    choose_chunk(rank, dims, c.chunk);
    for (int d = 0; d < rank; d++) {
      c.grid[d] = (dims[d] + (int64_t)c.chunk[d] - 1) / (int64_t)c.chunk[d];
      c.n_chunks *= c.grid[d];
      c.n_elements *= (size_t)c.chunk[d];
    }
  }

  hid_t space = rank > 0 ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
  hid_t dataset =
      create_dataset(file, path, emg_h5_file_type(type), space, rank, is_chunked ? c.chunk : NULL);
  bool is_ok = dataset >= 0;
  if (is_ok && n > 0) {
    is_ok = is_chunked ? write_chunks(dataset, &c, n_threads)
                       : write_whole(dataset, type, rank, dims, c.row_stride, data);
  }
  if (dataset >= 0) {
    is_ok = H5Dclose(dataset) >= 0 && is_ok;
  }
  H5Sclose(space);
  return is_ok ? EMG_OK : fail_write(err, path);
}

emg_status emg_h5_write_scalar(emg_h5 *file, const char *path, double value, emg_error *err) {
  return emg_h5_write(file, path, EMG_H5_F64, 0, NULL, 0, &value, 0, err);
}

emg_status emg_h5_write_u64(emg_h5 *file, const char *path, uint64_t value, emg_error *err) {
  return emg_h5_write(file, path, EMG_H5_U64, 0, NULL, 0, &value, 0, err);
}

static hid_t fixed_string(size_t size) {
  hid_t type = H5Tcopy(H5T_C_S1);

  // UTF-8 in fact, but Octave refuses text that says so
  H5Tset_size(type, size > 0 ? size : 1);
  H5Tset_cset(type, H5T_CSET_ASCII);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

static emg_status write_strings(emg_h5 *file, const char *path, hid_t space, size_t size,
                                const char *bytes, emg_error *err) {
  hid_t type = fixed_string(size);
  hid_t dataset = create_dataset(file, path, type, space, 0, NULL);
  bool is_ok = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;

  if (dataset >= 0) {
    is_ok = H5Dclose(dataset) >= 0 && is_ok;
  }
  H5Tclose(type);
  H5Sclose(space);
  return is_ok ? EMG_OK : fail_write(err, path);
}

emg_status emg_h5_write_text(emg_h5 *file, const char *path, const char *text, emg_error *err) {
  return write_strings(file, path, H5Screate(H5S_SCALAR), strlen(text), text, err);
}

emg_status emg_h5_write_names(emg_h5 *file, const char *path, int n, size_t width, size_t stride,
                              const char *names, emg_error *err) {
  hsize_t extent = (hsize_t)n;
  size_t longest = 1;
  char *packed;

  for (int i = 0; i < n; i++) {
    size_t length = strnlen(names + (size_t)i * stride, width);
    longest = length > longest ? length : longest;
  }
  EMG_TRY(emg_alloc((size_t)n + 1, longest, &packed, err));
  for (int i = 0; i < n; i++) {
    const char *name = names + (size_t)i * stride;
    memcpy(packed + (size_t)i * longest, name, strnlen(name, width));
  }
  emg_status status =
      write_strings(file, path, H5Screate_simple(1, &extent, NULL), longest, packed, err);
  free(packed);
  return status;
}

// Set an attribute on a dataset or group.
static emg_status set_attribute(emg_h5 *file, const char *object, const char *name, hid_t file_type,
                                hid_t memory_type, const void *value, emg_error *err) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t target = H5Oopen(file->id, object[0] ? object : "/", H5P_DEFAULT);
  hid_t attribute =
      target < 0 ? -1 : H5Acreate2(target, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool is_ok = attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;

  if (attribute >= 0) {
    is_ok = H5Aclose(attribute) >= 0 && is_ok;
  }
  if (target >= 0) {
    H5Oclose(target);
  }
  H5Sclose(space);
  return is_ok ? EMG_OK : fail_write(err, name);
}

emg_status emg_h5_set_f64(emg_h5 *file, const char *object, const char *name, double value,
                          emg_error *err) {
  return set_attribute(file, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, err);
}

emg_status emg_h5_set_i64(emg_h5 *file, const char *object, const char *name, int64_t value,
                          emg_error *err) {
  return set_attribute(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, err);
}

emg_status emg_h5_set_text(emg_h5 *file, const char *object, const char *name, const char *text,
                           emg_error *err) {
  hid_t type = H5Tcopy(H5T_C_S1);

  // variable length: h5py then gives str, not bytes
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  emg_status status = set_attribute(file, object, name, type, type, &text, err);
  H5Tclose(type);
  return status;
}
