// h5_read.c -- reading HDF5 files that nobody vouches for
#include "h5_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

enum {
  NAMES_MAX = 4096,
  TEXT_MAX = 16 << 20,
  DEFLATE_RATIO = 1032,  // what deflate can shrink at most
  FILTERS_MAX = 3,       // shuffle, deflate, checksum
};

static emg_status fail_damaged(emg_error *err, const char *path) {
  return emg_fail(err, EMG_ERR_DATA, "/%s cannot be read; the file is damaged", path);
}

emg_status emg_h5_open(const char *path, emg_h5 **file, emg_error *err) {
  struct stat info;

  emg_init();
  *file = NULL;
  if (stat(path, &info) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot open %s: %s", path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return emg_fail(err, EMG_ERR_IO, "%s is not a file; name an HDF5 file", path);
  }
  if (access(path, R_OK) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot read %s: %s", path, strerror(errno));
  }

  // without locks: reading works on read-only and network file systems too
  hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(properties, false, true);
  H5Pset_fclose_degree(properties, H5F_CLOSE_STRONG);
  hid_t id = H5Fopen(path, H5F_ACC_RDONLY, properties);
  H5Pclose(properties);
  if (id < 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "not a readable HDF5 file: damaged, truncated or of another kind");
  }
  emg_status status = emg_alloc(1, sizeof **file, file, err);
  if (status != EMG_OK) {
    H5Fclose(id);
    return status;
  }
  (*file)->id = id;
  (*file)->n_bytes = (uint64_t)info.st_size;
  return EMG_OK;
}

// Open an object only along hard links: soft ones may go in circles, external ones leave the file.
// `is_linked` (may be NULL): the path leads somewhere, though perhaps to something damaged.
static hid_t follow(emg_h5 *file, const char *path, bool *is_linked) {
  hid_t here = H5Oopen(file->id, "/", H5P_DEFAULT);
  char name[EMG_H5_NAME_MAX];
  bool is_link = true;

  while (here >= 0 && *path) {
    size_t length = strcspn(path, "/");
    H5L_info_t info;
    hid_t next = -1;

    is_link = false;
    if (length > 0 && length < sizeof name) {
      memcpy(name, path, length);
      name[length] = '\0';
      is_link = H5Iget_type(here) == H5I_GROUP &&
                H5Lget_info(here, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
      if (is_link) {
        next = H5Oopen(here, name, H5P_DEFAULT);
      }
    }
    H5Oclose(here);
    here = next;
    path += length;
    path += *path == '/';
  }
  if (is_linked) {
    *is_linked = is_link;
  }
  return here;
}

static hid_t open_object(emg_h5 *file, const char *path) {
  return follow(file, path, NULL);
}

bool emg_h5_has(emg_h5 *file, const char *path) {
  bool is_linked;
  hid_t object = follow(file, path, &is_linked);

  if (object >= 0) {
    H5Oclose(object);
  }
  return is_linked;
}

static hid_t open_dataset(emg_h5 *file, const char *path, emg_error *err) {
  hid_t dataset = open_object(file, path);

  if (dataset >= 0 && H5Iget_type(dataset) != H5I_DATASET) {
    H5Oclose(dataset);
    dataset = -1;
  }
  if (dataset < 0) {
    emg_fail(err, EMG_ERR_DATA, "the file has no dataset /%s, or it is damaged", path);
  }
  return dataset;
}

// The plain number types; others (bit fields, odd floats) are refused.
static bool is_plain_number(hid_t type) {
  const hid_t plain[] = {H5T_STD_I8LE,   H5T_STD_I16LE,  H5T_STD_I32LE,  H5T_STD_I64LE,
                         H5T_STD_U8LE,   H5T_STD_U16LE,  H5T_STD_U32LE,  H5T_STD_U64LE,
                         H5T_STD_I8BE,   H5T_STD_I16BE,  H5T_STD_I32BE,  H5T_STD_I64BE,
                         H5T_STD_U8BE,   H5T_STD_U16BE,  H5T_STD_U32BE,  H5T_STD_U64BE,
                         H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE};

  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    if (H5Tequal(type, plain[i]) > 0) {
      return true;
    }
  }
  return false;
}

// What is needed to read a dataset.
typedef struct {
  hid_t id, type;
  size_t size;  // bytes of a number in the file
  int rank;
  int64_t dims[EMG_H5_RANK_MAX];
  int64_t n;  // numbers in all
  H5D_layout_t layout;
  hsize_t chunk[EMG_H5_RANK_MAX];
  size_t chunk_elements;
  int64_t n_chunks;
  int n_filters;
  H5Z_filter_t filters[FILTERS_MAX];
} dataset;

static void dataset_close(dataset *d) {
  if (d->type > 0) {
    H5Tclose(d->type);
  }
  if (d->id > 0) {
    H5Oclose(d->id);
  }
}

// Extent of a dataset; false if it is not a plain array of at most EMG_H5_RANK_MAX dimensions.
static bool get_extent(dataset *d) {
  hsize_t extent[EMG_H5_RANK_MAX];
  hid_t space = H5Dget_space(d->id);
  bool is_ok = false;

  if (space >= 0) {
    H5S_class_t class = H5Sget_simple_extent_type(space);
    d->rank = class == H5S_SCALAR ? 0 : H5Sget_simple_extent_ndims(space);
    is_ok = (class == H5S_SCALAR || class == H5S_SIMPLE) && d->rank >= 0 &&
            d->rank <= EMG_H5_RANK_MAX &&
            (d->rank == 0 || H5Sget_simple_extent_dims(space, extent, NULL) == d->rank);
    H5Sclose(space);
  }
  d->n = 1;
  for (int i = 0; is_ok && i < d->rank; i++) {
    d->dims[i] = (int64_t)extent[i];
    is_ok = extent[i] <= INT64_MAX / 16 && !__builtin_mul_overflow(d->n, d->dims[i], &d->n) &&
            d->n <= INT64_MAX / 16;
  }
  return is_ok;
}

// Filters of a chunked dataset that are undone here; false if there is another one.
static bool get_filters(dataset *d, hid_t properties) {
  int n = H5Pget_nfilters(properties);

  if (n < 0 || n > FILTERS_MAX) {
    return false;
  }
  d->n_filters = n;
  for (int i = 0; i < n; i++) {
    unsigned flags, config;
    size_t n_values = 0;
    d->filters[i] =
        H5Pget_filter2(properties, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
    if (d->filters[i] != H5Z_FILTER_DEFLATE && d->filters[i] != H5Z_FILTER_SHUFFLE &&
        d->filters[i] != H5Z_FILTER_FLETCHER32) {
      return false;
    }
  }
  return true;
}

static emg_status get_chunks(dataset *d, hid_t properties, const char *path, uint64_t n_bytes,
                             emg_error *err) {
  if (H5Pget_chunk(properties, EMG_H5_RANK_MAX, d->chunk) != d->rank) {
    return fail_damaged(err, path);
  }
  if (!get_filters(d, properties)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "/%s is packed with a filter other than shuffle and gzip; repack the file with "
                    "h5repack -f GZIP=1",
                    path);
  }

  int64_t elements = 1, n_chunks = 1;
  bool is_ok = true;
  for (int i = 0; is_ok && i < d->rank; i++) {
    is_ok = d->chunk[i] > 0 && d->chunk[i] <= INT32_MAX &&
            !__builtin_mul_overflow(elements, (int64_t)d->chunk[i], &elements);
    if (is_ok) {
      int64_t along = (d->dims[i] + (int64_t)d->chunk[i] - 1) / (int64_t)d->chunk[i];
      is_ok = !__builtin_mul_overflow(n_chunks, along, &n_chunks);
    }
  }
  if (!is_ok || (uint64_t)elements > (n_bytes * DEFLATE_RATIO) / d->size) {
    return emg_fail(err, EMG_ERR_DATA, "the chunks of /%s are larger than the file can hold", path);
  }
  d->chunk_elements = (size_t)elements;
  d->n_chunks = n_chunks;
  return EMG_OK;
}

// All numbers must be there: HDF5 would hand out zeros for what was never written.
static emg_status check_stored(dataset *d, const char *path, emg_error *err) {
  hsize_t n_stored = 0;
  bool is_whole;

  if (d->n == 0) {
    return EMG_OK;
  }
  if (d->layout == H5D_CHUNKED) {
    hid_t space = H5Dget_space(d->id);
    is_whole = H5Dget_num_chunks(d->id, space, &n_stored) >= 0 && n_stored == (hsize_t)d->n_chunks;
    H5Sclose(space);
  } else {
    is_whole = H5Dget_storage_size(d->id) == (hsize_t)d->n * d->size;
  }
  if (!is_whole) {
    return emg_fail(err, EMG_ERR_DATA,
                    "/%s claims %.6g MB but not all of it is in the file; it is incomplete or "
                    "damaged",
                    path, (double)d->n * (double)d->size / 1e6);
  }
  return EMG_OK;
}

static emg_status check_layout(dataset *d, const char *path, uint64_t n_bytes, emg_error *err) {
  hid_t properties = H5Dget_create_plist(d->id);
  emg_status status = EMG_OK;

  if (properties < 0) {
    return fail_damaged(err, path);
  }
  d->layout = H5Pget_layout(properties);
  if (H5Pget_external_count(properties) != 0 || d->layout == H5D_VIRTUAL) {
    status =
        emg_fail(err, EMG_ERR_DATA, "/%s is stored in another file, which is not followed", path);
  } else if (d->layout == H5D_CHUNKED) {
    status = get_chunks(d, properties, path, n_bytes, err);
  } else if (d->layout != H5D_CONTIGUOUS && d->layout != H5D_COMPACT) {
    status = fail_damaged(err, path);
  }
  H5Pclose(properties);
  if (status == EMG_OK && (double)d->n * (double)d->size > (double)n_bytes * DEFLATE_RATIO) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s claims %.6g MB, more than a file of %.6g MB can hold",
                      path, (double)d->n * (double)d->size / 1e6, (double)n_bytes / 1e6);
  }
  return status == EMG_OK ? check_stored(d, path, err) : status;
}

// Open a dataset of numbers and make sure that it can be read.
static emg_status dataset_open(emg_h5 *file, const char *path, dataset *d, emg_error *err) {
  *d = (dataset){.id = open_dataset(file, path, err)};
  if (d->id < 0) {
    return EMG_ERR_DATA;
  }
  d->type = H5Dget_type(d->id);
  if (d->type < 0 || !is_plain_number(d->type)) {
    return emg_fail(err, EMG_ERR_DATA, "/%s does not hold numbers of 1 to 8 bytes", path);
  }
  d->size = H5Tget_size(d->type);
  if (!get_extent(d)) {
    return emg_fail(err, EMG_ERR_DATA, "/%s is not an array of at most %d dimensions", path,
                    EMG_H5_RANK_MAX);
  }
  return check_layout(d, path, file->n_bytes, err);
}

emg_status emg_h5_shape(emg_h5 *file, const char *path, int *rank, int64_t dims[EMG_H5_RANK_MAX],
                        emg_error *err) {
  dataset d;
  emg_status status = dataset_open(file, path, &d, err);

  *rank = d.rank;
  memcpy(dims, d.dims, sizeof d.dims);
  dataset_close(&d);
  return status;
}

emg_status emg_h5_expect(emg_h5 *file, const char *path, int rank, int64_t *dims, emg_error *err) {
  int found;
  int64_t extent[EMG_H5_RANK_MAX];

  EMG_TRY(emg_h5_shape(file, path, &found, extent, err));
  if (found != rank) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %d dimensions, not %d", path, found, rank);
  }
  for (int i = 0; i < rank; i++) {
    if (dims[i] >= 0 && dims[i] != extent[i]) {
      return emg_fail(err, EMG_ERR_DATA, "dimension %d of /%s is %lld, not %lld", i, path,
                      (long long)extent[i], (long long)dims[i]);
    }
    dims[i] = extent[i];
  }
  return EMG_OK;
}

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
static unsigned char *undo_filters(const dataset *d, uint32_t mask, size_t stored, unsigned char *a,
                                   unsigned char *b) {
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
static void scatter_chunk(const dataset *d, const hsize_t *offset, size_t size,
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

static bool read_chunk(const dataset *d, const hsize_t *offset, emg_h5_type type,
                       ptrdiff_t row_stride, unsigned char *buffers, size_t room, void *out) {
  hsize_t stored = 0;
  uint32_t mask = 0;

  if (H5Dget_chunk_storage_size(d->id, offset, &stored) < 0 || stored > room ||
      H5Dread_chunk(d->id, H5P_DEFAULT, offset, &mask, buffers) < 0) {
    return false;
  }
  unsigned char *plain = undo_filters(d, mask, (size_t)stored, buffers, buffers + room);
  if (!plain || H5Tconvert(d->type, emg_h5_memory_type(type), d->chunk_elements, plain, NULL,
                           H5P_DEFAULT) < 0) {
    return false;
  }
  scatter_chunk(d, offset, emg_h5_size(type), plain, row_stride, out);
  return true;
}

static emg_status read_chunked(const dataset *d, const char *path, emg_h5_type type,
                               ptrdiff_t row_stride, void *out, emg_error *err) {
  // a chunk that does not shrink is a little longer packed than plain
  size_t size = emg_h5_size(type) > d->size ? emg_h5_size(type) : d->size;
  size_t room = d->chunk_elements * size + d->chunk_elements * d->size / 256 + 4096;
  hsize_t offset[EMG_H5_RANK_MAX];
  unsigned char *buffers;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc(2, room, &buffers, err));
  for (int64_t index = 0; status == EMG_OK && index < d->n_chunks; index++) {
    int64_t rest = index;

    for (int i = d->rank - 1; i >= 0; i--) {
      int64_t along = (d->dims[i] + (int64_t)d->chunk[i] - 1) / (int64_t)d->chunk[i];
      offset[i] = (hsize_t)(rest % along) * d->chunk[i];
      rest /= along;
    }
    if (!read_chunk(d, offset, type, row_stride, buffers, room, out)) {
      status = fail_damaged(err, path);
    }
  }
  free(buffers);
  return status;
}

static emg_status read_whole(const dataset *d, const char *path, emg_h5_type type,
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
  return result >= 0 ? EMG_OK : fail_damaged(err, path);
}

emg_status emg_h5_read(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                       const int64_t *dims, ptrdiff_t row_stride, void *out, emg_error *err) {
  dataset d;
  emg_status status = dataset_open(file, path, &d, err);
  bool is_same = d.rank == rank;

  for (int i = 0; is_same && i < rank; i++) {
    is_same = d.dims[i] == dims[i];
  }
  if (status == EMG_OK && !is_same) {
    status = fail_damaged(err, path);
  }
  if (status == EMG_OK && d.n > 0) {
    ptrdiff_t stride = row_stride > 0 || rank == 0 ? row_stride : (ptrdiff_t)dims[rank - 1];
    status = d.layout == H5D_CHUNKED ? read_chunked(&d, path, type, stride, out, err)
                                     : read_whole(&d, path, type, stride, out, err);
  }
  dataset_close(&d);
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

// Read n strings of a fixed length into a malloc'ed block; the length is returned, 0 on failure.
static size_t read_fixed(hid_t id, hid_t type, hsize_t n, char **block) {
  size_t size = H5Tget_size(type);

  *block = NULL;
  if (size == 0 || n == 0 || size > TEXT_MAX / n || H5Dget_storage_size(id) != n * size) {
    return 0;
  }
  *block = calloc(n, size);
  if (!*block || H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *block) < 0) {
    free(*block);
    *block = NULL;
    return 0;
  }
  return size;
}

// A dataset of fixed-length strings, not chunked: what we write, and h5py for bytes.
static hid_t open_strings(emg_h5 *file, const char *path, hid_t *type, int64_t *n, emg_error *err) {
  dataset d = {.id = open_dataset(file, path, err)};

  if (d.id < 0) {
    return -1;
  }
  *type = H5Dget_type(d.id);
  hid_t properties = H5Dget_create_plist(d.id);
  bool is_ok = *type >= 0 && properties >= 0 && H5Tget_class(*type) == H5T_STRING &&
               H5Tis_variable_str(*type) == 0 && H5Pget_layout(properties) != H5D_CHUNKED &&
               H5Pget_layout(properties) != H5D_VIRTUAL && H5Pget_external_count(properties) == 0 &&
               get_extent(&d) && d.rank <= 1;
  H5Pclose(properties);
  if (!is_ok) {
    emg_fail(err, EMG_ERR_DATA, "/%s is not fixed-length text", path);
    H5Tclose(*type);
    H5Oclose(d.id);
    return -1;
  }
  *n = d.n;
  return d.id;
}

emg_status emg_h5_read_text(emg_h5 *file, const char *path, char **text, emg_error *err) {
  hid_t type;
  int64_t n;
  char *block;
  hid_t id = open_strings(file, path, &type, &n, err);

  *text = NULL;
  if (id < 0) {
    return EMG_ERR_DATA;
  }
  size_t size = n == 1 ? read_fixed(id, type, 1, &block) : 0;
  H5Tclose(type);
  H5Oclose(id);
  if (size == 0) {
    return fail_damaged(err, path);
  }
  *text = strndup(block, size);
  free(block);
  return *text ? EMG_OK : emg_fail(err, EMG_ERR_MEMORY, "out of memory for /%s", path);
}

emg_status emg_h5_read_names(emg_h5 *file, const char *path, int n, size_t width, size_t stride,
                             char *out, emg_error *err) {
  hid_t type;
  int64_t found;
  char *block;
  hid_t id = open_strings(file, path, &type, &found, err);

  if (id < 0) {
    return EMG_ERR_DATA;
  }
  size_t size = found == n ? read_fixed(id, type, (hsize_t)n, &block) : 0;
  H5Tclose(type);
  H5Oclose(id);
  if (size == 0) {
    return fail_damaged(err, path);
  }
  for (int i = 0; i < n; i++) {
    size_t length = strnlen(block + (size_t)i * size, size);
    length = length < width - 1 ? length : width - 1;
    memcpy(out + (size_t)i * stride, block + (size_t)i * size, length);
    out[(size_t)i * stride + length] = '\0';
  }
  free(block);
  return EMG_OK;
}

static hid_t open_attribute(emg_h5 *file, const char *object, const char *name) {
  hid_t target = open_object(file, object), attribute = -1;

  if (target >= 0) {
    if (H5Aexists(target, name) > 0) {
      attribute = H5Aopen(target, name, H5P_DEFAULT);
    }
    H5Oclose(target);
  }
  return attribute;
}

// One element: a scalar, or an array of one.
static bool is_single(hid_t attribute) {
  hid_t space = H5Aget_space(attribute);
  bool is_one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;

  if (space >= 0) {
    H5Sclose(space);
  }
  return is_one;
}

bool emg_h5_attribute(emg_h5 *file, const char *object, const char *name, double *value) {
  hid_t attribute = open_attribute(file, object, name);
  bool is_read = false;

  if (attribute >= 0) {
    hid_t type = H5Aget_type(attribute);
    is_read = type >= 0 && is_plain_number(type) && is_single(attribute) &&
              H5Aread(attribute, H5T_NATIVE_DOUBLE, value) >= 0;
    H5Tclose(type);
    H5Aclose(attribute);
  }
  return is_read;
}

bool emg_h5_attribute_text(emg_h5 *file, const char *object, const char *name, char *text,
                           size_t size) {
  hid_t attribute = open_attribute(file, object, name);
  bool is_read = false;

  if (attribute < 0) {
    return false;
  }
  hid_t type = H5Aget_type(attribute);
  if (type >= 0 && H5Tget_class(type) == H5T_STRING && is_single(attribute)) {
    size_t length = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0) {
      char *value = NULL;
      is_read = H5Aread(attribute, type, &value) >= 0 && value;
      if (is_read) {
        snprintf(text, size, "%s", value);
      }
      H5free_memory(value);
    } else if (length > 0 && length <= TEXT_MAX) {
      char *value = calloc(length + 1, 1);
      is_read = value && H5Aread(attribute, type, value) >= 0;
      if (is_read) {
        snprintf(text, size, "%s", value);
      }
      free(value);
    }
  }
  H5Tclose(type);
  H5Aclose(attribute);
  return is_read;
}

typedef struct {
  int n;
  char (*names)[EMG_H5_NAME_MAX];
} name_list;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *user) {
  name_list *list = user;

  (void)group;
  (void)info;
  if (strlen(name) < EMG_H5_NAME_MAX && list->n < NAMES_MAX) {
    snprintf(list->names[list->n++], EMG_H5_NAME_MAX, "%s", name);
  }
  return list->n < NAMES_MAX ? 0 : 1;
}

emg_status emg_h5_list(emg_h5 *file, const char *group, int *n, char (**names)[EMG_H5_NAME_MAX],
                       emg_error *err) {
  name_list list = {0, NULL};
  hsize_t index = 0;
  hid_t id = open_object(file, group);

  *n = 0;
  *names = NULL;
  if (id < 0) {
    return emg_fail(err, EMG_ERR_DATA, "the file has no group /%s", group);
  }
  emg_status status = emg_alloc(NAMES_MAX, EMG_H5_NAME_MAX, &list.names, err);
  if (status == EMG_OK &&
      (H5Iget_type(id) != H5I_GROUP ||
       H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &index, add_name, &list) < 0)) {
    status = fail_damaged(err, group);
  }
  H5Oclose(id);
  if (status != EMG_OK) {
    free(list.names);
    return status;
  }
  *n = list.n;
  *names = list.names;
  return EMG_OK;
}

bool emg_h5_is_group(emg_h5 *file, const char *path) {
  hid_t object = open_object(file, path);
  bool is_group = object >= 0 && H5Iget_type(object) == H5I_GROUP;

  if (object >= 0) {
    H5Oclose(object);
  }
  return is_group;
}

// narrowest of our types that holds every value of a plain number type
static emg_h5_type widening(hid_t type) {
  size_t size = H5Tget_size(type);

  if (H5Tget_class(type) == H5T_FLOAT) {
    return size == 4 ? EMG_H5_F32 : EMG_H5_F64;
  }
  bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  switch (size) {
    case 1:
      return is_signed ? EMG_H5_I8 : EMG_H5_U8;
    case 2:
      return is_signed ? EMG_H5_I16 : EMG_H5_I32;
    case 4:
      return is_signed ? EMG_H5_I32 : EMG_H5_I64;
    default:
      return is_signed ? EMG_H5_I64 : EMG_H5_U64;
  }
}

static emg_status read_number_bytes(emg_h5 *file, const char *path, size_t *n_bytes, void **bytes,
                                    emg_error *err) {
  dataset d;
  emg_status status = dataset_open(file, path, &d, err);

  *bytes = NULL;
  if (status == EMG_OK) {
    emg_h5_type type = widening(d.type);
    *n_bytes = (size_t)d.n * emg_h5_size(type);
    status = emg_alloc((size_t)d.n, emg_h5_size(type), bytes, err);
    if (status == EMG_OK) {
      status = emg_h5_read(file, path, type, d.rank, d.dims, 0, *bytes, err);
    }
  }
  dataset_close(&d);
  if (status != EMG_OK) {
    free(*bytes);
    *bytes = NULL;
  }
  return status;
}

emg_status emg_h5_read_bytes(emg_h5 *file, const char *path, size_t *n_bytes, void **bytes,
                             emg_error *err) {
  hid_t id = open_dataset(file, path, err);
  emg_status status = EMG_OK;

  *n_bytes = 0;
  *bytes = NULL;
  if (id < 0) {
    return EMG_ERR_DATA;
  }
  hid_t type = H5Dget_type(id);
  if (H5Tget_class(type) != H5T_STRING) {
    status = read_number_bytes(file, path, n_bytes, bytes, err);
  } else if (H5Tis_variable_str(type) > 0) {
    char *text = NULL;
    status = emg_h5_read_text(file, path, &text, err);
    *n_bytes = text ? strlen(text) : 0;
    *bytes = text;
  } else {
    hid_t space = H5Dget_space(id);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    char *block = NULL;
    size_t size = n > 0 ? read_fixed(id, type, (hsize_t)n, &block) : 0;
    H5Sclose(space);
    *n_bytes = size * (n > 0 ? (size_t)n : 0);
    *bytes = block;
    status = n > 0 && size == 0 ? fail_damaged(err, path) : EMG_OK;
  }
  H5Tclose(type);
  H5Oclose(id);
  return status;
}

// Path of a referenced object, "" if it cannot be opened.
static void reference_path(hid_t file, const hobj_ref_t *reference, char path[EMG_H5_PATH_MAX]) {
  hid_t object = H5Rdereference2(file, H5P_DEFAULT, H5R_OBJECT, reference);

  path[0] = '\0';
  if (object >= 0) {
    char name[EMG_H5_PATH_MAX + 1] = "";
    if (H5Iget_name(object, name, sizeof name) > 0 && strlen(name) < sizeof name - 1) {
      memcpy(path, name + 1, strlen(name));
    }
    H5Oclose(object);
  }
}

emg_status emg_h5_references(emg_h5 *file, const char *path, int most, int *n,
                             char (**out)[EMG_H5_PATH_MAX], emg_error *err) {
  dataset d = {.id = open_dataset(file, path, err)};
  hobj_ref_t *references = NULL;
  emg_status status = EMG_ERR_DATA;

  *n = 0;
  *out = NULL;
  if (d.id < 0) {
    return EMG_ERR_DATA;
  }
  d.type = H5Dget_type(d.id);
  if (d.type < 0 || H5Tequal(d.type, H5T_STD_REF_OBJ) <= 0 || !get_extent(&d)) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s is not an array of references", path);
    goto done;
  }
  d.size = sizeof *references;
  EMG_TRY_DONE(check_layout(&d, path, file->n_bytes, err));
  if (d.layout == H5D_CHUNKED || d.n > most) {
    status =
        emg_fail(err, EMG_ERR_DATA, "/%s has %lld references; at most %d in one piece are read",
                 path, (long long)d.n, most);
    goto done;
  }
  EMG_TRY_DONE(emg_alloc((size_t)d.n + 1, sizeof *references, &references, err));
  EMG_TRY_DONE(emg_alloc((size_t)d.n + 1, sizeof **out, out, err));
  if (d.n > 0 && H5Dread(d.id, H5T_STD_REF_OBJ, H5S_ALL, H5S_ALL, H5P_DEFAULT, references) < 0) {
    status = fail_damaged(err, path);
    goto done;
  }
  for (int64_t i = 0; i < d.n; i++) {
    reference_path(file->id, &references[i], (*out)[i]);
  }
  *n = (int)d.n;
  status = EMG_OK;
done:
  free(references);
  dataset_close(&d);
  if (status != EMG_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}
