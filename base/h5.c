// h5.c -- HDF5 behind our own errors
#include "h5.h"

#include <hdf5.h>

void emg_h5_init(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
}
