// h5_matlab.c -- variables of MATLAB 7.3 in HDF5
#include "base/h5_matlab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "h5_priv.h"

enum { USER_BLOCK = 512 };

// Text, version 2, the byte order of little-endian machines.
static const char block[USER_BLOCK] =
    "MATLAB 7.3 MAT-file, written by emgtwin                                                 "
    "                            "
    "\0\0\0\0\0\0\0\0\0\2IM";

emg_status emg_h5_create_matlab(const char *path, bool overwrite, emg_h5 **file, emg_error *err) {
  return emg_h5_create_after(block, sizeof block, path, overwrite, file, err);
}

// --- attributes ---

static bool set_class(hid_t object, const char *class) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);

  H5Tset_size(type, strlen(class));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  hid_t attribute = H5Acreate2(object, "MATLAB_class", type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool is_ok = attribute >= 0 && H5Awrite(attribute, type, class) >= 0;
  if (attribute >= 0) {
    H5Aclose(attribute);
  }
  H5Sclose(space);
  H5Tclose(type);
  return is_ok;
}

static bool set_integer(hid_t object, const char *name, hid_t type, int32_t value) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool is_ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT32, &value) >= 0;

  if (attribute >= 0) {
    H5Aclose(attribute);
  }
  H5Sclose(space);
  return is_ok;
}

// The class of an object that exists; `is_empty`: it holds its dimensions instead of numbers.
static emg_status describe(emg_h5 *file, const char *path, const char *class, bool is_empty,
                           emg_error *err) {
  hid_t object = H5Oopen(file->id, path, H5P_DEFAULT);
  bool is_ok =
      object >= 0 && set_class(object, class) &&
      (strcmp(class, "char") != 0 || set_integer(object, "MATLAB_int_decode", H5T_STD_I32LE, 2)) &&
      (!is_empty || set_integer(object, "MATLAB_empty", H5T_STD_U8LE, 1));

  if (object >= 0) {
    H5Oclose(object);
  }
  return is_ok ? EMG_OK : emg_h5_fail_write(file, path, err);
}

static emg_status write_empty(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                              const char *class, emg_error *err) {
  const uint64_t dims[] = {(uint64_t)n_rows, (uint64_t)n_columns};
  const int64_t two = 2;

  EMG_TRY(emg_h5_write(file, path, EMG_H5_U64, 1, &two, 0, dims, 0, err));
  return describe(file, path, class, true, err);
}

// --- variables ---

emg_status emg_h5_matlab_struct(emg_h5 *file, const char *path, emg_error *err) {
  hid_t properties = H5Pcreate(H5P_GROUP_CREATE);

  H5Pset_obj_track_times(properties, false);
  hid_t group = H5Gcreate2(file->id, path, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Pclose(properties);
  if (group < 0) {
    return emg_h5_fail_write(file, path, err);
  }
  H5Gclose(group);
  return describe(file, path, "struct", false, err);
}

emg_status emg_h5_matlab_doubles(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                                 const double *values, emg_error *err) {
  const int64_t dims[] = {n_columns, n_rows};

  if (n_rows == 0 || n_columns == 0) {
    return write_empty(file, path, n_rows, n_columns, "double", err);
  }
  EMG_TRY(emg_h5_write(file, path, EMG_H5_F64, 2, dims, 0, values, 0, err));
  return describe(file, path, "double", false, err);
}

emg_status emg_h5_matlab_from(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                              const emg_h5_source *source, emg_error *err) {
  const int64_t dims[] = {n_columns, n_rows};

  if (n_rows == 0 || n_columns == 0) {
    return write_empty(file, path, n_rows, n_columns, "double", err);
  }
  EMG_TRY(emg_h5_write_from(file, path, EMG_H5_F64, 2, dims, source, err));
  return describe(file, path, "double", false, err);
}

emg_status emg_h5_matlab_text(emg_h5 *file, const char *path, const char *text, emg_error *err) {
  const hsize_t dims[] = {strlen(text), 1};
  uint16_t *codes;

  if (dims[0] == 0) {
    return write_empty(file, path, 0, 0, "char", err);
  }
  EMG_TRY(emg_alloc(dims[0], sizeof *codes, &codes, err));
  for (size_t i = 0; i < dims[0]; i++) {
    codes[i] = (unsigned char)text[i] < 0x80 ? (unsigned char)text[i] : '?';
  }
  hid_t space = H5Screate_simple(2, dims, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
  hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_obj_track_times(properties, false);
  H5Pset_create_intermediate_group(links, 1);
  hid_t dataset = H5Dcreate2(file->id, path, H5T_STD_U16LE, space, links, properties, H5P_DEFAULT);
  bool is_ok = dataset >= 0 &&
               H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, codes) >= 0;
  if (dataset >= 0) {
    H5Dclose(dataset);
  }
  H5Pclose(links);
  H5Pclose(properties);
  H5Sclose(space);
  free(codes);
  return is_ok ? describe(file, path, "char", false, err) : emg_h5_fail_write(file, path, err);
}

emg_h5_matlab_path emg_h5_matlab_ref(const char *prefix, int64_t i) {
  emg_h5_matlab_path path;

  snprintf(path.text, sizeof path.text, "#refs#/%s%lld", prefix, (long long)i);
  return path;
}

emg_status emg_h5_matlab_cells(emg_h5 *file, const char *path, int64_t n_rows, int64_t n_columns,
                               const char *prefix, emg_error *err) {
  const hsize_t dims[] = {(hsize_t)n_columns, (hsize_t)n_rows};
  int64_t n = n_rows * n_columns;
  hobj_ref_t *references;

  if (n == 0) {
    return write_empty(file, path, n_rows, n_columns, "cell", err);
  }
  EMG_TRY(emg_alloc((size_t)n, sizeof *references, &references, err));
  bool is_ok = true;
  for (int64_t i = 0; i < n && is_ok; i++) {
    is_ok =
        H5Rcreate(&references[i], file->id, emg_h5_matlab_ref(prefix, i).text, H5R_OBJECT, -1) >= 0;
  }
  hid_t space = H5Screate_simple(2, dims, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(properties, false);
  hid_t dataset = is_ok ? H5Dcreate2(file->id, path, H5T_STD_REF_OBJ, space, H5P_DEFAULT,
                                     properties, H5P_DEFAULT)
                        : -1;
  is_ok = dataset >= 0 &&
          H5Dwrite(dataset, H5T_STD_REF_OBJ, H5S_ALL, H5S_ALL, H5P_DEFAULT, references) >= 0;
  if (dataset >= 0) {
    H5Dclose(dataset);
  }
  H5Pclose(properties);
  H5Sclose(space);
  free(references);
  return is_ok ? describe(file, path, "cell", false, err) : emg_h5_fail_write(file, path, err);
}
