// h5_priv.h -- what h5.c, h5_read.c and h5_write.c share
#ifndef EMG_BASE_H5_PRIV_H
#define EMG_BASE_H5_PRIV_H

#include <hdf5.h>

#include "h5.h"

struct emg_h5 {
  hid_t id;
  uint64_t n_bytes;  // of the file that is read
};

// Type in memory, and in files we write.
hid_t emg_h5_memory_type(emg_h5_type type);
hid_t emg_h5_file_type(emg_h5_type type);

// Undo or do HDF5's shuffle filter: byte k of every number together.
void emg_h5_shuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size);
void emg_h5_unshuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size);

#endif
