// h5.c -- HDF5 behind our own errors: set-up, types, and what reading and writing share
#include "h5_priv.h"

void emg_h5_init(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
}

hid_t emg_h5_memory_type(emg_h5_type type) {
  switch (type) {
    case EMG_H5_I8:
      return H5T_NATIVE_INT8;
    case EMG_H5_U8:
      return H5T_NATIVE_UINT8;
    case EMG_H5_I16:
      return H5T_NATIVE_INT16;
    case EMG_H5_I32:
      return H5T_NATIVE_INT32;
    case EMG_H5_I64:
      return H5T_NATIVE_INT64;
    case EMG_H5_U64:
      return H5T_NATIVE_UINT64;
    case EMG_H5_F32:
      return H5T_NATIVE_FLOAT;
    case EMG_H5_F64:
      return H5T_NATIVE_DOUBLE;
  }
  return H5I_INVALID_HID;
}

hid_t emg_h5_file_type(emg_h5_type type) {
  switch (type) {
    case EMG_H5_I8:
      return H5T_STD_I8LE;
    case EMG_H5_U8:
      return H5T_STD_U8LE;
    case EMG_H5_I16:
      return H5T_STD_I16LE;
    case EMG_H5_I32:
      return H5T_STD_I32LE;
    case EMG_H5_I64:
      return H5T_STD_I64LE;
    case EMG_H5_U64:
      return H5T_STD_U64LE;
    case EMG_H5_F32:
      return H5T_IEEE_F32LE;
    case EMG_H5_F64:
      return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

size_t emg_h5_size(emg_h5_type type) {
  static const size_t sizes[] = {1, 1, 2, 4, 8, 8, 4, 8};
  return sizes[type];
}

void emg_h5_shuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size) {
  for (size_t byte = 0; byte < size; byte++) {
    for (size_t i = 0; i < n; i++) {
      *to++ = from[i * size + byte];
    }
  }
}

void emg_h5_unshuffle(const unsigned char *from, unsigned char *to, size_t n, size_t size) {
  for (size_t byte = 0; byte < size; byte++) {
    for (size_t i = 0; i < n; i++) {
      to[i * size + byte] = *from++;
    }
  }
}
