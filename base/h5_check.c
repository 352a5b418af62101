// h5_check.c -- HDF5 files that nobody vouches for: opening them, and what of them may be read
#include "h5_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

enum { DEFLATE_RATIO = 1032 };  // what deflate can shrink at most

emg_status emg_h5_fail_damaged(emg_error *err, const char *path) {
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

hid_t emg_h5_open_object(emg_h5 *file, const char *path) {
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

hid_t emg_h5_open_dataset(emg_h5 *file, const char *path, emg_error *err) {
  hid_t dataset = emg_h5_open_object(file, path);

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
bool emg_h5_is_plain_number(hid_t type) {
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

void emg_h5_dataset_close(emg_h5_dataset *d) {
  if (d->type > 0) {
    H5Tclose(d->type);
  }
  if (d->id > 0) {
    H5Oclose(d->id);
  }
}

// Extent of a dataset; false if it is not a plain array of at most EMG_H5_RANK_MAX dimensions.
bool emg_h5_get_extent(emg_h5_dataset *d) {
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
static bool get_filters(emg_h5_dataset *d, hid_t properties) {
  int n = H5Pget_nfilters(properties);

  if (n < 0 || n > EMG_H5_FILTERS_MAX) {
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

static emg_status get_chunks(emg_h5_dataset *d, hid_t properties, const char *path,
                             uint64_t n_bytes, emg_error *err) {
  if (H5Pget_chunk(properties, EMG_H5_RANK_MAX, d->chunk) != d->rank) {
    return emg_h5_fail_damaged(err, path);
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
static emg_status check_stored(emg_h5_dataset *d, const char *path, emg_error *err) {
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

emg_status emg_h5_check_layout(emg_h5_dataset *d, const char *path, uint64_t n_bytes,
                               emg_error *err) {
  hid_t properties = H5Dget_create_plist(d->id);
  emg_status status = EMG_OK;

  if (properties < 0) {
    return emg_h5_fail_damaged(err, path);
  }
  d->layout = H5Pget_layout(properties);
  if (H5Pget_external_count(properties) != 0 || d->layout == H5D_VIRTUAL) {
    status =
        emg_fail(err, EMG_ERR_DATA, "/%s is stored in another file, which is not followed", path);
  } else if (d->layout == H5D_CHUNKED) {
    status = get_chunks(d, properties, path, n_bytes, err);
  } else if (d->layout != H5D_CONTIGUOUS && d->layout != H5D_COMPACT) {
    status = emg_h5_fail_damaged(err, path);
  }
  H5Pclose(properties);
  if (status == EMG_OK && (double)d->n * (double)d->size > (double)n_bytes * DEFLATE_RATIO) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s claims %.6g MB, more than a file of %.6g MB can hold",
                      path, (double)d->n * (double)d->size / 1e6, (double)n_bytes / 1e6);
  }
  return status == EMG_OK ? check_stored(d, path, err) : status;
}

// Open a dataset of numbers and make sure that it can be read.
emg_status emg_h5_dataset_open(emg_h5 *file, const char *path, emg_h5_dataset *d, emg_error *err) {
  *d = (emg_h5_dataset){.id = emg_h5_open_dataset(file, path, err)};
  if (d->id < 0) {
    return EMG_ERR_DATA;
  }
  d->type = H5Dget_type(d->id);
  if (d->type < 0 || !emg_h5_is_plain_number(d->type)) {
    return emg_fail(err, EMG_ERR_DATA, "/%s does not hold numbers of 1 to 8 bytes", path);
  }
  d->size = H5Tget_size(d->type);
  if (!emg_h5_get_extent(d)) {
    return emg_fail(err, EMG_ERR_DATA, "/%s is not an array of at most %d dimensions", path,
                    EMG_H5_RANK_MAX);
  }
  return emg_h5_check_layout(d, path, file->n_bytes, err);
}

emg_status emg_h5_shape(emg_h5 *file, const char *path, int *rank, int64_t dims[EMG_H5_RANK_MAX],
                        emg_error *err) {
  emg_h5_dataset d;
  emg_status status = emg_h5_dataset_open(file, path, &d, err);

  *rank = d.rank;
  memcpy(dims, d.dims, sizeof d.dims);
  emg_h5_dataset_close(&d);
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
