// h5_write.c -- datasets and attributes of files that are written; chunks compressed in parallel
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
  PIECE = 1 << 18,        // numbers asked of a source at a time
};

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
  const emg_h5_source *source;
} chunking;

// First element of chunk `index` along each dimension.
static void chunk_offset(const chunking *c, int64_t index, hsize_t *offset) {
  for (int d = c->rank - 1; d >= 0; d--) {
    offset[d] = (hsize_t)(index % c->grid[d]) * c->chunk[d];
    index /= c->grid[d];
  }
}

// Fetch a chunk, zeros beyond the edges of the dataset. The leading dimensions of a chunk of a
// stack are 1, so a chunk is always a rectangle of rows.
static bool gather_chunk(const chunking *c, const hsize_t *offset, unsigned char *to) {
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
    if (!c->source->get(c->source->user, first_row + r, column, n_columns,
                        to + (size_t)(r * width) * c->size)) {
      return false;
    }
  }
  return true;
}

// Fetch and compress one chunk; the length of what it became, 0 on failure.
static uLongf pack_chunk(const chunking *c, int64_t index, size_t raw, size_t bound,
                         unsigned char *plain, unsigned char *packed) {
  hsize_t offset[EMG_H5_RANK_MAX];
  uLongf length = (uLongf)bound;

  chunk_offset(c, index, offset);
  if (!gather_chunk(c, offset, plain)) {
    return 0;
  }
  emg_h5_shuffle(plain, plain + raw, c->n_elements, c->size);
  return compress2(packed, &length, plain + raw, (uLong)raw, GZIP_LEVEL) == Z_OK ? length : 0;
}

static emg_status tell(const emg_h5_source *source, int64_t done, int64_t total, emg_error *err) {
  return source->stage ? emg_progress(source->monitor, source->stage, done, total, err) : EMG_OK;
}

// Compress chunk after chunk in parallel, then store them in order; a chunk's bytes depend on
// nothing but its numbers. EMG_ERR_IO without a word if they cannot be had or stored.
static emg_status write_chunks(emg_h5 *file, hid_t dataset, const chunking *c, emg_error *err) {
  const int n_threads = c->source->n_threads;
  size_t raw = c->n_elements * c->size, bound = compressBound((uLong)raw);
  int batch = n_threads * CHUNKS_PER_THREAD;
  unsigned char *scratch = NULL, *packed = NULL;
  uLongf *lengths = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n_threads, 2 * raw, &scratch, err));
  EMG_TRY_DONE(emg_alloc((size_t)batch, bound, &packed, err));
  EMG_TRY_DONE(emg_alloc((size_t)batch, sizeof *lengths, &lengths, err));
  for (int64_t first = 0; first < c->n_chunks; first += batch) {
    int n = (int)(c->n_chunks - first < batch ? c->n_chunks - first : batch);

#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (int i = 0; i < n; i++) {
      lengths[i] =
          pack_chunk(c, first + i, raw, bound, scratch + 2 * raw * (size_t)omp_get_thread_num(),
                     packed + bound * (size_t)i);
    }
    for (int i = 0; i < n; i++) {
      hsize_t offset[EMG_H5_RANK_MAX];

      chunk_offset(c, first + i, offset);
      if (lengths[i] == 0 || H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, lengths[i],
                                            packed + bound * (size_t)i) < 0) {
        status = EMG_ERR_IO;
        goto done;
      }
    }
    if (file->disk->failure != 0) {
      status = EMG_ERR_IO;
      goto done;
    }
    EMG_TRY_DONE(tell(c->source, first + n, c->n_chunks, err));
  }
done:
  free(scratch);
  free(packed);
  free(lengths);
  return status;
}
// A rectangle of a dataset that is one piece in the file: `n` numbers of each of `height` runs,
// from number `begin` of run `run` on.
typedef struct {
  int64_t run, height, begin, n;
} rectangle;

static bool write_rectangle(hid_t dataset, emg_h5_type type, int rank, const int64_t *dims,
                            const emg_h5_source *source, const rectangle *r, unsigned char *piece) {
  const size_t run_bytes = (size_t)r->n * emg_h5_size(type);
  const hsize_t n_numbers = (hsize_t)(r->height * r->n);
  hsize_t start[EMG_H5_RANK_MAX], count[EMG_H5_RANK_MAX];
  int64_t rest = r->run;

  for (int64_t i = 0; i < r->height; i++) {
    if (!source->get(source->user, r->run + i, r->begin, r->n, piece + (size_t)i * run_bytes)) {
      return false;
    }
  }
  for (int d = rank - 2; d >= 0; d--) {
    start[d] = (hsize_t)(rest % dims[d]);
    count[d] = d == rank - 2 ? (hsize_t)r->height : 1;
    rest /= dims[d];
  }
  start[rank - 1] = (hsize_t)r->begin;
  count[rank - 1] = (hsize_t)r->n;
  hid_t memory = H5Screate_simple(1, &n_numbers, NULL), space = H5Dget_space(dataset);
  bool is_ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Dwrite(dataset, emg_h5_memory_type(type), memory, space, H5P_DEFAULT, piece) >= 0;
  H5Sclose(memory);
  H5Sclose(space);
  return is_ok;
}

// One rectangle after the other: whole runs where they are short. Errors as write_chunks.
static emg_status write_pieces(emg_h5 *file, hid_t dataset, emg_h5_type type, int rank,
                               const int64_t *dims, const emg_h5_source *source, emg_error *err) {
  const int64_t width = dims[rank - 1], n_rows = rank > 1 ? dims[rank - 2] : 1;
  const int64_t length = width < PIECE ? width : PIECE, height = PIECE / length;
  int64_t n_runs = 1;
  unsigned char *piece;
  emg_status status = EMG_OK;

  for (int d = 0; d < rank - 1; d++) {
    n_runs *= dims[d];
  }
  EMG_TRY(emg_alloc((size_t)(height * length), emg_h5_size(type), &piece, err));
  for (rectangle r = {0}; status == EMG_OK && r.run < n_runs; r.run += r.height) {
    int64_t n_left = n_rows - r.run % n_rows;  // to the end of a matrix of a stack
    r.height = n_left < height ? n_left : height;
    for (r.begin = 0; status == EMG_OK && r.begin < width; r.begin += r.n) {
      r.n = width - r.begin < length ? width - r.begin : length;
      bool is_ok = write_rectangle(dataset, type, rank, dims, source, &r, piece);
      status = is_ok && file->disk->failure == 0 ? EMG_OK : EMG_ERR_IO;
    }
    if (status == EMG_OK) {
      status = tell(source, r.run + r.height, n_runs, err);
    }
  }
  free(piece);
  return status;
}

emg_status emg_h5_write_from(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                             const int64_t *dims, const emg_h5_source *source, emg_error *err) {
  chunking c = {.rank = rank,
                .dims = dims,
                .size = emg_h5_size(type),
                .n_elements = 1,
                .n_chunks = 1,
                .source = source};
  hsize_t extent[EMG_H5_RANK_MAX];
  int64_t n = 1;

  for (int d = 0; d < rank; d++) {
    extent[d] = (hsize_t)dims[d];
    n *= dims[d];
  }
  bool is_chunked = source->n_threads > 0 && n > 0;
  if (is_chunked) {
    choose_chunk(rank, dims, c.chunk);
    for (int d = 0; d < rank; d++) {
      c.grid[d] = (dims[d] + (int64_t)c.chunk[d] - 1) / (int64_t)c.chunk[d];
      c.n_chunks *= c.grid[d];
      c.n_elements *= (size_t)c.chunk[d];
    }
  }

  hid_t space = H5Screate_simple(rank, extent, NULL);
  hid_t dataset =
      create_dataset(file, path, emg_h5_file_type(type), space, rank, is_chunked ? c.chunk : NULL);
  H5Sclose(space);
  emg_status status = dataset >= 0 ? EMG_OK : EMG_ERR_IO;
  if (status == EMG_OK && n > 0) {
    status = is_chunked ? write_chunks(file, dataset, &c, err)
                        : write_pieces(file, dataset, type, rank, dims, source, err);
  }
  if (dataset >= 0 && H5Dclose(dataset) < 0 && status == EMG_OK) {
    status = EMG_ERR_IO;
  }
  return status == EMG_ERR_IO ? emg_h5_fail_write(file, path, err) : status;
}

// Numbers in memory.
typedef struct {
  const unsigned char *data;
  size_t size;
  ptrdiff_t row_stride;
} memory_block;

static bool get_from_memory(const void *user, int64_t run, int64_t begin, int64_t n, void *to) {
  const memory_block *b = user;

  memcpy(to, b->data + (size_t)(run * b->row_stride + begin) * b->size, (size_t)n * b->size);
  return true;
}

static emg_status write_number(emg_h5 *file, const char *path, emg_h5_type type, const void *value,
                               emg_error *err) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t dataset = create_dataset(file, path, emg_h5_file_type(type), space, 0, NULL);
  bool is_ok = dataset >= 0 && H5Dwrite(dataset, emg_h5_memory_type(type), H5S_ALL, H5S_ALL,
                                        H5P_DEFAULT, value) >= 0;

  if (dataset >= 0) {
    is_ok = H5Dclose(dataset) >= 0 && is_ok;
  }
  H5Sclose(space);
  return is_ok && file->disk->failure == 0 ? EMG_OK : emg_h5_fail_write(file, path, err);
}

emg_status emg_h5_write(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                        const int64_t *dims, ptrdiff_t row_stride, const void *data, int n_threads,
                        emg_error *err) {
  if (rank == 0) {
    return write_number(file, path, type, data, err);
  }
  const memory_block block = {data, emg_h5_size(type),
                              row_stride > 0 ? row_stride : (ptrdiff_t)dims[rank - 1]};
  const emg_h5_source source = {.get = get_from_memory, .user = &block, .n_threads = n_threads};
  return emg_h5_write_from(file, path, type, rank, dims, &source, err);
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
  return is_ok && file->disk->failure == 0 ? EMG_OK : emg_h5_fail_write(file, path, err);
}

emg_status emg_h5_write_text(emg_h5 *file, const char *path, const char *text, emg_error *err) {
  return write_strings(file, path, H5Screate(H5S_SCALAR), strlen(text), text, err);
}

// Texts side by side, all as long as the longest.
static emg_status pack_names(int n, size_t width, size_t stride, const char *names, size_t *longest,
                             char **packed, emg_error *err) {
  *longest = 1;
  for (int i = 0; i < n; i++) {
    size_t length = strnlen(names + (size_t)i * stride, width);
    *longest = length > *longest ? length : *longest;
  }
  EMG_TRY(emg_alloc((size_t)n + 1, *longest, packed, err));
  for (int i = 0; i < n; i++) {
    const char *name = names + (size_t)i * stride;
    memcpy(*packed + (size_t)i * *longest, name, strnlen(name, width));
  }
  return EMG_OK;
}

emg_status emg_h5_write_names(emg_h5 *file, const char *path, int n, size_t width, size_t stride,
                              const char *names, emg_error *err) {
  hsize_t extent = (hsize_t)n;
  size_t longest;
  char *packed;

  EMG_TRY(pack_names(n, width, stride, names, &longest, &packed, err));
  emg_status status =
      write_strings(file, path, H5Screate_simple(1, &extent, NULL), longest, packed, err);
  free(packed);
  return status;
}

// Set an attribute on a dataset or group; `space` is closed.
static emg_status set_attribute(emg_h5 *file, const char *object, const char *name, hid_t space,
                                hid_t file_type, hid_t memory_type, const void *value,
                                emg_error *err) {
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
  return is_ok && file->disk->failure == 0 ? EMG_OK : emg_h5_fail_write(file, name, err);
}

emg_status emg_h5_set_f64(emg_h5 *file, const char *object, const char *name, double value,
                          emg_error *err) {
  return set_attribute(file, object, name, H5Screate(H5S_SCALAR), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                       &value, err);
}

emg_status emg_h5_set_i64(emg_h5 *file, const char *object, const char *name, int64_t value,
                          emg_error *err) {
  return set_attribute(file, object, name, H5Screate(H5S_SCALAR), H5T_STD_I64LE, H5T_NATIVE_INT64,
                       &value, err);
}

emg_status emg_h5_set_text(emg_h5 *file, const char *object, const char *name, const char *text,
                           emg_error *err) {
  hid_t type = H5Tcopy(H5T_C_S1);

  // variable length: h5py then gives str, not bytes
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  emg_status status =
      set_attribute(file, object, name, H5Screate(H5S_SCALAR), type, type, &text, err);
  H5Tclose(type);
  return status;
}

emg_status emg_h5_set_names(emg_h5 *file, const char *object, const char *name, int n, size_t width,
                            size_t stride, const char *names, emg_error *err) {
  hsize_t extent = (hsize_t)n;
  size_t longest;
  char *packed;

  EMG_TRY(pack_names(n, width, stride, names, &longest, &packed, err));
  hid_t type = fixed_string(longest);
  emg_status status = set_attribute(file, object, name, H5Screate_simple(1, &extent, NULL), type,
                                    type, packed, err);
  H5Tclose(type);
  free(packed);
  return status;
}
