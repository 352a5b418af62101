// h5_look.c -- text, attributes, names and references in HDF5 files
#include "h5_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

enum { NAMES_MAX = 4096, TEXT_MAX = 16 << 20 };

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
  emg_h5_dataset d = {.id = emg_h5_open_dataset(file, path, err)};

  if (d.id < 0) {
    return -1;
  }
  *type = H5Dget_type(d.id);
  hid_t properties = H5Dget_create_plist(d.id);
  bool is_ok = *type >= 0 && properties >= 0 && H5Tget_class(*type) == H5T_STRING &&
               H5Tis_variable_str(*type) == 0 && H5Pget_layout(properties) != H5D_CHUNKED &&
               H5Pget_layout(properties) != H5D_VIRTUAL && H5Pget_external_count(properties) == 0 &&
               emg_h5_get_extent(&d) && d.rank <= 1;
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
    return emg_h5_fail_damaged(err, path);
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
    return emg_h5_fail_damaged(err, path);
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
  hid_t target = emg_h5_open_object(file, object), attribute = -1;

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
    is_read = type >= 0 && emg_h5_is_plain_number(type) && is_single(attribute) &&
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
  hid_t id = emg_h5_open_object(file, group);

  *n = 0;
  *names = NULL;
  if (id < 0) {
    return emg_fail(err, EMG_ERR_DATA, "the file has no group /%s", group);
  }
  emg_status status = emg_alloc(NAMES_MAX, EMG_H5_NAME_MAX, &list.names, err);
  if (status == EMG_OK &&
      (H5Iget_type(id) != H5I_GROUP ||
       H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &index, add_name, &list) < 0)) {
    status = emg_h5_fail_damaged(err, group);
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
  hid_t object = emg_h5_open_object(file, path);
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
  emg_h5_dataset d;
  emg_status status = emg_h5_dataset_open(file, path, &d, err);

  *bytes = NULL;
  if (status == EMG_OK) {
    emg_h5_type type = widening(d.type);
    *n_bytes = (size_t)d.n * emg_h5_size(type);
    status = emg_alloc((size_t)d.n, emg_h5_size(type), bytes, err);
    if (status == EMG_OK) {
      status = emg_h5_read(file, path, type, d.rank, d.dims, 0, *bytes, err);
    }
  }
  emg_h5_dataset_close(&d);
  if (status != EMG_OK) {
    free(*bytes);
    *bytes = NULL;
  }
  return status;
}

emg_status emg_h5_read_bytes(emg_h5 *file, const char *path, size_t *n_bytes, void **bytes,
                             emg_error *err) {
  hid_t id = emg_h5_open_dataset(file, path, err);
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
    status = n > 0 && size == 0 ? emg_h5_fail_damaged(err, path) : EMG_OK;
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
  emg_h5_dataset d = {.id = emg_h5_open_dataset(file, path, err)};
  hobj_ref_t *references = NULL;
  emg_status status = EMG_ERR_DATA;

  *n = 0;
  *out = NULL;
  if (d.id < 0) {
    return EMG_ERR_DATA;
  }
  d.type = H5Dget_type(d.id);
  if (d.type < 0 || H5Tequal(d.type, H5T_STD_REF_OBJ) <= 0 || !emg_h5_get_extent(&d)) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s is not an array of references", path);
    goto done;
  }
  d.size = sizeof *references;
  EMG_TRY_DONE(emg_h5_check_layout(&d, path, file->n_bytes, err));
  if (d.layout == H5D_CHUNKED || d.n > most) {
    status =
        emg_fail(err, EMG_ERR_DATA, "/%s has %lld references; at most %d in one piece are read",
                 path, (long long)d.n, most);
    goto done;
  }
  EMG_TRY_DONE(emg_alloc((size_t)d.n + 1, sizeof *references, &references, err));
  EMG_TRY_DONE(emg_alloc((size_t)d.n + 1, sizeof **out, out, err));
  if (d.n > 0 && H5Dread(d.id, H5T_STD_REF_OBJ, H5S_ALL, H5S_ALL, H5P_DEFAULT, references) < 0) {
    status = emg_h5_fail_damaged(err, path);
    goto done;
  }
  for (int64_t i = 0; i < d.n; i++) {
    reference_path(file->id, &references[i], (*out)[i]);
  }
  *n = (int)d.n;
  status = EMG_OK;
done:
  free(references);
  emg_h5_dataset_close(&d);
  if (status != EMG_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}
