// golden_file.h -- numbers and texts of HDF5 files in golden/, for tests
#ifndef EMG_TESTS_GOLDEN_FILE_H
#define EMG_TESTS_GOLDEN_FILE_H

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

static inline hid_t golden_open(const char *path) {
  emg_init();
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) {
    fail_msg("%s is missing", path);
  }
  return file;
}

static inline double *golden_values(hid_t file, const char *group, const char *name, int *n) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", group, name);
  hid_t set = H5Dopen2(file, path, H5P_DEFAULT);
  assert_true(set >= 0);
  hid_t space = H5Dget_space(set);
  *n = (int)H5Sget_simple_extent_npoints(space);
  double *values = calloc((size_t)*n, sizeof *values);
  assert_non_null(values);
  assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Sclose(space);
  H5Dclose(set);
  return values;
}

static inline double golden_number(hid_t file, const char *object, const char *name) {
  double value;
  hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(attribute >= 0);
  assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) >= 0);
  H5Aclose(attribute);
  return value;
}

static inline void golden_text(hid_t file, const char *object, const char *name, char *text,
                               size_t size) {
  char *value = NULL;
  hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(attribute >= 0);
  hid_t type = H5Aget_type(attribute);
  assert_true(H5Aread(attribute, type, &value) >= 0);
  snprintf(text, size, "%s", value);
  H5free_memory(value);
  H5Tclose(type);
  H5Aclose(attribute);
}

// Values of an array attribute: how many there are, at most `max`.
static inline int golden_numbers(hid_t file, const char *object, const char *name, int max,
                                 double *values) {
  hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(attribute >= 0);
  hid_t space = H5Aget_space(attribute);
  int n = (int)H5Sget_simple_extent_npoints(space);
  assert_true(n >= 1 && n <= max);
  assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, values) >= 0);
  H5Sclose(space);
  H5Aclose(attribute);
  return n;
}

#endif
