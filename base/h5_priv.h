// h5_priv.h -- what the h5*.c share
#ifndef EMG_BASE_H5_PRIV_H
#define EMG_BASE_H5_PRIV_H

#include <hdf5.h>

#include "h5.h"
#include "part_file.h"

// A file that is being written.
typedef struct {
  emg_part_file part;
  uint64_t length;    // bytes up to the last one written
  int failure;        // errno of the first write that failed; all later ones were dropped
  const void *block;  // what comes before HDF5's own bytes, 0 or a power of two from 512 on
  size_t n_block;
} emg_h5_disk;

struct emg_h5 {
  hid_t id;
  uint64_t n_bytes;   // of the file that is read
  emg_h5_disk *disk;  // of the file that is written
};

// emg_h5_create for a file that starts with other bytes, which stay where they are until it is
// published.
emg_status emg_h5_create_after(const void *block, size_t n_block, const char *path, bool overwrite,
                               emg_h5 **file, emg_error *err);
// What to say when `path` could not be added to a file: the disk, or else memory.
emg_status emg_h5_fail_write(emg_h5 *file, const char *path, emg_error *err);

// Type in memory, and in files we write.
hid_t emg_h5_memory_type(emg_h5_type type);
hid_t emg_h5_file_type(emg_h5_type type);

// Undo or do HDF5's shuffle filter: byte k of every number together.
void emg_h5_shuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size);
void emg_h5_unshuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size);
#define EMG_H5_FILTERS_MAX 3  // shuffle, deflate, checksum

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
  H5Z_filter_t filters[EMG_H5_FILTERS_MAX];
} emg_h5_dataset;

// Open a dataset of numbers and make sure that it can be read; close it also on failure.
emg_status emg_h5_dataset_open(emg_h5 *file, const char *path, emg_h5_dataset *d, emg_error *err);
void emg_h5_dataset_close(emg_h5_dataset *d);
// Extent of an opened dataset; false if it is not a plain array of at most EMG_H5_RANK_MAX
// dimensions.
bool emg_h5_get_extent(emg_h5_dataset *d);
// Layout of an opened dataset of known extent and size: within the file, wholly stored.
emg_status emg_h5_check_layout(emg_h5_dataset *d, const char *path, uint64_t n_bytes,
                               emg_error *err);
// Bytes of each of the two buffers that reading a chunk needs.
size_t emg_h5_chunk_room(const emg_h5_dataset *d, emg_h5_type type);
// The numbers of the chunk that starts at `offset`, unpacked and converted within `buffers`; NULL
// if it is damaged.
unsigned char *emg_h5_read_chunk(const emg_h5_dataset *d, const hsize_t *offset, emg_h5_type type,
                                 unsigned char *buffers);
// Open along hard links only; negative if there is no such object or dataset.
hid_t emg_h5_open_object(emg_h5 *file, const char *path);
hid_t emg_h5_open_dataset(emg_h5 *file, const char *path, emg_error *err);
// The number types of 1 to 8 bytes; others (bit fields, odd floats) are refused.
bool emg_h5_is_plain_number(hid_t type);
emg_status emg_h5_fail_damaged(emg_error *err, const char *path);

#endif
