// h5.h -- the only caller of HDF5
#ifndef EMG_BASE_H5_H
#define EMG_BASE_H5_H

// Silence HDF5's own printing and forbid plugins. Called by emg_init.
void emg_h5_init(void);

#endif
