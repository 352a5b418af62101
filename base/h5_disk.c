// h5_disk.c -- HDF5 files on disk that HDF5 believes can always be written
//
// HDF5 cannot be closed once a write has failed: it tries again when the process ends, and prints.
// So it writes through a driver of ours. When the disk is full the driver remembers why, takes
// every further write for done and lets HDF5 close in peace; the file, which has its partial name
// still, is then removed.
#include "h5_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

// What HDF5 hands back to the driver's functions.
typedef struct {
  H5FD_t shared;  // HDF5's own part, first
  emg_h5_disk *disk;
  haddr_t end;  // of the space that HDF5 has given out
} opened;

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t max) {
  (void)name;
  (void)flags;
  (void)max;
  emg_h5_disk *const *disk = H5Pget_driver_info(access);
  opened *file = disk ? calloc(1, sizeof *file) : NULL;

  if (!file) {
    return NULL;
  }
  file->disk = *disk;
  return &file->shared;
}

static herr_t driver_close(H5FD_t *shared) {
  free(shared);
  return 0;
}

static herr_t driver_query(const H5FD_t *shared, unsigned long *flags) {
  (void)shared;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  return ((const opened *)shared)->end;
}

static herr_t driver_set_eoa(H5FD_t *shared, H5FD_mem_t type, haddr_t end) {
  (void)type;
  ((opened *)shared)->end = end;
  return 0;
}

static haddr_t driver_get_eof(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  return ((const opened *)shared)->disk->length;
}

static herr_t driver_read(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n,
                          void *to) {
  (void)type;
  (void)transfer;
  const emg_h5_disk *disk = ((opened *)shared)->disk;
  char *bytes = to;

  while (n > 0) {
    ssize_t done = pread(disk->part.fd, bytes, n, (off_t)at);
    if (done < 0 && errno != EINTR) {
      return -1;
    }
    if (done == 0) {  // beyond what was written
      memset(bytes, 0, n);
      return 0;
    }
    if (done > 0) {
      bytes += done;
      at += (haddr_t)done;
      n -= (size_t)done;
    }
  }
  return 0;
}

static herr_t driver_write(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n,
                           const void *from) {
  (void)type;
  (void)transfer;
  const size_t step = 64 << 20;
  emg_h5_disk *disk = ((opened *)shared)->disk;
  const char *bytes = from;

  if (at + n > disk->length) {
    disk->length = at + n;
  }
  while (n > 0 && disk->failure == 0) {
    ssize_t done = pwrite(disk->part.fd, bytes, n < step ? n : step, (off_t)at);
    if (done < 0 && errno != EINTR) {
      disk->failure = errno;
    }
    if (done > 0) {
      bytes += done;
      at += (haddr_t)done;
      n -= (size_t)done;
    }
  }
  return 0;
}

// The file ends where the space given out ends.
static herr_t driver_truncate(H5FD_t *shared, hid_t transfer, hbool_t closing) {
  (void)transfer;
  (void)closing;
  const opened *file = (opened *)shared;
  emg_h5_disk *disk = file->disk;

  if (disk->length != file->end) {
    disk->length = file->end;
    if (disk->failure == 0 && ftruncate(disk->part.fd, (off_t)file->end) != 0) {
      disk->failure = errno;
    }
  }
  return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = 513,  // one of those left to applications
#endif
    .name = "emgtwin",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(emg_h5_disk *),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

// The format of HDF5 1.8: read by every tool in use, and its metadata carry checksums. All metadata
// stay in the cache, so that nothing is read back that could not be written.
static hid_t access_properties(hid_t driver_id, emg_h5_disk *disk) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5AC_cache_config_t cache = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};

  bool is_set = H5Pget_mdc_config(access, &cache) >= 0;
  cache.set_initial_size = true;
  cache.initial_size = cache.min_size = cache.max_size = 128 << 20;
  cache.incr_mode = H5C_incr__off;
  cache.flash_incr_mode = H5C_flash_incr__off;
  cache.decr_mode = H5C_decr__off;
  is_set = is_set && H5Pset_mdc_config(access, &cache) >= 0 &&
           H5Pset_driver(access, driver_id, &disk) >= 0 &&
           H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0;
  if (!is_set) {
    H5Pclose(access);
    access = H5I_INVALID_HID;
  }
  return access;
}

static hid_t create_file(emg_h5_disk *disk) {
  hid_t driver_id = H5FDregister(&driver);
  hid_t access = access_properties(driver_id, disk);
  hid_t creation = H5Pcreate(H5P_FILE_CREATE);

  H5Pset_obj_track_times(creation, false);
  H5Pset_userblock(creation, disk->n_block);
  hid_t id = access < 0 ? -1 : H5Fcreate(disk->part.path, H5F_ACC_TRUNC, creation, access);
  if (access >= 0) {
    H5Pclose(access);
  }
  H5Pclose(creation);
  // the open file holds on to its driver
  H5FDunregister(driver_id);
  return id;
}

emg_status emg_h5_create(const char *path, bool overwrite, emg_h5 **file, emg_error *err) {
  return emg_h5_create_after(NULL, 0, path, overwrite, file, err);
}

emg_status emg_h5_create_after(const void *block, size_t n_block, const char *path, bool overwrite,
                               emg_h5 **file, emg_error *err) {
  emg_h5_disk *disk;

  emg_init();
  *file = NULL;
  EMG_TRY(emg_alloc(1, sizeof *disk, &disk, err));
  emg_status status = emg_part_file_begin(path, overwrite, &disk->part, err);
  if (status == EMG_OK) {
    status = emg_alloc(1, sizeof **file, file, err);
  }
  if (status != EMG_OK) {
    emg_part_file_discard(&disk->part);
    free(disk);
    return status;
  }
  disk->block = block;
  disk->n_block = n_block;
  (*file)->disk = disk;
  (*file)->id = create_file(disk);
  if ((*file)->id < 0) {
    emg_h5_close(*file);
    *file = NULL;
    return emg_fail(err, EMG_ERR_MEMORY, "HDF5 cannot make a file; there is not enough memory");
  }
  return EMG_OK;
}

emg_status emg_h5_fail_write(emg_h5 *file, const char *path, emg_error *err) {
  if (file->disk->failure != 0) {
    if (file->id >= 0) {
      H5Fclose(file->id);
      file->id = H5I_INVALID_HID;
    }
    return emg_part_file_fail(&file->disk->part, file->disk->failure, file->disk->length, err);
  }
  return emg_fail(err, EMG_ERR_MEMORY,
                  "cannot add %s to the output: there is not enough memory, or the disk cannot be "
                  "read; shorten the recording or name another disk",
                  path);
}

emg_status emg_h5_sync(emg_h5 *file, emg_error *err) {
  bool is_flushed = H5Fflush(file->id, H5F_SCOPE_GLOBAL) >= 0;

  if (is_flushed && file->disk->failure == 0 && fsync(file->disk->part.fd) != 0) {
    file->disk->failure = errno;
  }
  return is_flushed && file->disk->failure == 0 ? EMG_OK
                                                : emg_h5_fail_write(file, "the index", err);
}

// What stands before HDF5's own bytes, which HDF5 leaves alone.
static void write_block(emg_h5_disk *disk) {
  size_t done = 0;

  while (done < disk->n_block && disk->failure == 0) {
    ssize_t n =
        pwrite(disk->part.fd, (const char *)disk->block + done, disk->n_block - done, (off_t)done);
    if (n < 0 && errno != EINTR) {
      disk->failure = errno;
    }
    done += n > 0 ? (size_t)n : 0;
  }
}

emg_status emg_h5_publish(emg_h5 *file, emg_error *err) {
  bool is_closed = H5Fclose(file->id) >= 0;

  file->id = H5I_INVALID_HID;
  write_block(file->disk);
  return is_closed && file->disk->failure == 0 ? emg_part_file_publish(&file->disk->part, err)
                                               : emg_h5_fail_write(file, "the index", err);
}

void emg_h5_close(emg_h5 *file) {
  if (!file) {
    return;
  }
  if (file->id >= 0) {
    H5Fclose(file->id);
  }
  if (file->disk) {
    emg_part_file_discard(&file->disk->part);
    free(file->disk);
  }
  free(file);
}
