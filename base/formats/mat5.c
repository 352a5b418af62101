// mat5.c -- the container of MATLAB version 5 files (MathWorks, "MAT-File Format", R2023b)
#include "mat_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <emgtwin/array.h>

#include "formats_priv.h"

// Data types of elements, and the classes of arrays.
enum {
  MI_INT8 = 1,
  MI_UINT8,
  MI_INT16,
  MI_UINT16,
  MI_INT32,
  MI_UINT32,
  MI_SINGLE,
  MI_DOUBLE = 9,
  MI_INT64 = 12,
  MI_UINT64,
  MI_MATRIX,
  MI_COMPRESSED,
  MI_UTF8,
  MI_UTF16,
  MI_UTF32
};
enum { MX_CELL = 1, MX_STRUCT, MX_OBJECT, MX_CHAR, MX_SPARSE, MX_DOUBLE, MX_UINT64 = 15 };

enum {
  HEADER_BYTES = 128,
  DEPTH_MAX = 16,
  ARRAYS_MAX = 1 << 20,
  VARIABLES_MAX = 4096,
  RANK_MAX = 32,
  FREE_INFLATION = 256 << 20,  // bytes that any file may inflate to
  INFLATION_MAX = 200,         // times its size that a larger one may
};
#define FILE_BYTES_MAX ((size_t)4 << 30)

typedef struct {
  emg_mat_file *file;
  bool is_swapped;
  size_t n_bytes;   // of the file
  size_t inflated;  // bytes so far
  int n_arrays;
  emg_error *err;
} reader;

// A part of the file that is being read from its front.
typedef struct {
  const unsigned char *at, *end;
} span;

typedef struct {
  int type;
  span data;
} element;

static emg_status fail_damaged(reader *r, const char *what) {
  return emg_fail(r->err, EMG_ERR_DATA, "the MATLAB file is damaged or cut short: %s", what);
}

static uint32_t get_u32(const reader *r, const unsigned char *at) {
  uint32_t value;

  memcpy(&value, at, sizeof value);
  return r->is_swapped ? __builtin_bswap32(value) : value;
}

// Next element: type and data; the span moves past it and its padding.
static emg_status next_element(reader *r, span *from, element *out) {
  size_t left = (size_t)(from->end - from->at);

  if (left < 8) {
    return fail_damaged(r, "it ends where an element should start");
  }
  uint32_t tag = get_u32(r, from->at);
  if (tag >> 16) {  // up to four bytes of data in the tag itself
    size_t n = tag >> 16;
    if (n > 4) {
      return fail_damaged(r, "a small element of more than 4 bytes");
    }
    *out = (element){(int)(tag & 0xffff), {from->at + 4, from->at + 4 + n}};
    from->at += 8;
    return EMG_OK;
  }
  size_t n = get_u32(r, from->at + 4);
  if (n > left - 8) {
    return emg_fail(r->err, EMG_ERR_DATA,
                    "the MATLAB file is damaged or cut short: an element claims %zu bytes, %zu are "
                    "left",
                    n, left - 8);
  }
  *out = (element){(int)tag, {from->at + 8, from->at + 8 + n}};
  size_t padded = tag == MI_COMPRESSED ? n : (n + 7) / 8 * 8;
  from->at += 8 + (padded < left - 8 ? padded : left - 8);
  return EMG_OK;
}

static size_t storage_bytes(int type) {
  switch (type) {
    case MI_INT8:
    case MI_UINT8:
    case MI_UTF8:
      return 1;
    case MI_INT16:
    case MI_UINT16:
    case MI_UTF16:
      return 2;
    case MI_INT32:
    case MI_UINT32:
    case MI_SINGLE:
    case MI_UTF32:
      return 4;
    case MI_DOUBLE:
    case MI_INT64:
    case MI_UINT64:
      return 8;
    default:
      return 0;
  }
}

// Dimensions, folded to rows and columns. The product stays below the largest file in bits.
static emg_status read_dimensions(reader *r, span *body, emg_mat *m) {
  element e;
  int64_t total = 1;

  EMG_TRY(next_element(r, body, &e));
  size_t rank = (size_t)(e.data.end - e.data.at) / 4;
  if (e.type != MI_INT32 || rank < 2 || rank > RANK_MAX) {
    return fail_damaged(r, "an array without dimensions");
  }
  m->n_columns = 1;
  for (size_t i = 0; i < rank; i++) {
    int64_t extent = (int32_t)get_u32(r, e.data.at + 4 * i);
    if (extent < 0 || __builtin_mul_overflow(total, extent, &total) || total > INT64_C(1) << 40) {
      return fail_damaged(r, "an array with impossible dimensions");
    }
    if (i == 0) {
      m->n_rows = extent;
    } else if (__builtin_mul_overflow(m->n_columns, extent, &m->n_columns) ||
               m->n_columns > INT64_C(1) << 40) {
      return fail_damaged(r, "an array with impossible dimensions");
    }
  }
  return EMG_OK;
}

static emg_status read_numbers(reader *r, span *body, emg_mat *m) {
  element e;

  EMG_TRY(next_element(r, body, &e));
  size_t size = storage_bytes(e.type), n_bytes = (size_t)(e.data.end - e.data.at);
  if (size == 0) {
    return fail_damaged(r, "numbers of an unknown type");
  }
  // text in UTF-8 has more bytes than characters, and is cut by its reader
  if (m->kind == MAT_CHAR && e.type == MI_UTF8) {
    m->n_rows = 1;
    m->n_columns = (int64_t)n_bytes;
  }
  if ((uint64_t)emg_mat_count(m) > n_bytes / size) {
    return emg_fail(
        r->err, EMG_ERR_DATA,
        "variable %s claims %lld x %lld numbers, but %zu are there; the file is damaged", m->name,
        (long long)m->n_rows, (long long)m->n_columns, n_bytes / size);
  }
  m->data = e.data.at;
  m->storage = e.type;
  m->is_swapped = r->is_swapped;
  return EMG_OK;
}

static emg_status read_array(reader *r, span body, int depth, emg_mat *m);

static emg_status read_children(reader *r, span *body, int64_t n, int depth, emg_mat *m) {
  // every child takes a tag at least
  if (n > (body->end - body->at) / 8 || n > ARRAYS_MAX - r->n_arrays) {
    return emg_fail(r->err, EMG_ERR_DATA,
                    "variable %s claims %lld parts, more than the file holds or than are supported",
                    m->name, (long long)n);
  }
  r->n_arrays += (int)n;
  EMG_TRY(emg_alloc((size_t)n, sizeof *m->children, &m->children, r->err));
  for (int64_t i = 0; i < n; i++) {
    element e;
    EMG_TRY(next_element(r, body, &e));
    if (e.type != MI_MATRIX) {
      return fail_damaged(r, "a part of a cell or structure is no array");
    }
    EMG_TRY(read_array(r, e.data, depth + 1, &m->children[i]));
  }
  return EMG_OK;
}

static emg_status read_structure(reader *r, span *body, int depth, emg_mat *m) {
  element e;

  EMG_TRY(next_element(r, body, &e));
  size_t width = e.data.end - e.data.at >= 4 ? get_u32(r, e.data.at) : 0;
  if (e.type != MI_INT32 || width < 1 || width > 256) {
    return fail_damaged(r, "a structure without field names");
  }
  EMG_TRY(next_element(r, body, &e));
  size_t n = (size_t)(e.data.end - e.data.at) / width;
  if (n > VARIABLES_MAX) {
    return fail_damaged(r, "a structure with too many fields");
  }
  m->n_fields = (int)n;
  EMG_TRY(emg_alloc(n, sizeof *m->fields, &m->fields, r->err));
  for (size_t i = 0; i < n; i++) {
    const char *name = (const char *)e.data.at + i * width;
    emg_label_copy(m->fields[i], sizeof m->fields[i], name, strnlen(name, width));
  }
  int64_t count;
  if (__builtin_mul_overflow(emg_mat_count(m), (int64_t)n, &count)) {
    return fail_damaged(r, "a structure array of impossible size");
  }
  return read_children(r, body, count, depth, m);
}

// An array from the data of its element; an empty element is an empty array.
static emg_status read_array(reader *r, span body, int depth, emg_mat *m) {
  element flags, name;

  if (body.at == body.end) {
    return EMG_OK;
  }
  if (depth > DEPTH_MAX) {
    return emg_fail(r->err, EMG_ERR_DATA,
                    "cells and structures of the MATLAB file are nested more than %d deep",
                    DEPTH_MAX);
  }
  EMG_TRY(next_element(r, &body, &flags));
  if (flags.type != MI_UINT32 || flags.data.end - flags.data.at < 8) {
    return fail_damaged(r, "an array without flags");
  }
  int class = (int)(get_u32(r, flags.data.at) & 0xff);
  if (class > MX_UINT64) {  // function handles and objects of user classes have no dimensions
    m->kind = MAT_OTHER;
    return EMG_OK;
  }
  EMG_TRY(read_dimensions(r, &body, m));
  EMG_TRY(next_element(r, &body, &name));
  if (name.data.at < name.data.end) {
    emg_label_copy(m->name, sizeof m->name, (const char *)name.data.at,
                   (size_t)(name.data.end - name.data.at));
  }
  switch (class) {
    case MX_CELL:
      m->kind = MAT_CELL;
      return read_children(r, &body, emg_mat_count(m), depth, m);
    case MX_STRUCT:
      m->kind = MAT_STRUCT;
      return read_structure(r, &body, depth, m);
    case MX_OBJECT:
    case MX_SPARSE:
      m->kind = MAT_OTHER;
      return EMG_OK;
    default:
      m->kind = class == MX_CHAR ? MAT_CHAR : MAT_NUMERIC;
      return emg_mat_count(m) == 0 ? EMG_OK : read_numbers(r, &body, m);
  }
}

// Keep a buffer until the file is freed.
static emg_status keep_buffer(reader *r, unsigned char *buffer) {
  emg_mat_file *file = r->file;
  unsigned char **grown =
      realloc(file->buffers, ((size_t)file->n_buffers + 1) * sizeof *file->buffers);

  if (!grown) {
    free(buffer);
    return emg_fail(r->err, EMG_ERR_MEMORY, "out of memory for the MATLAB file");
  }
  file->buffers = grown;
  file->buffers[file->n_buffers++] = buffer;
  return EMG_OK;
}

// Inflate an element into memory that grows with what is really there.
static emg_status inflate_span(reader *r, span packed, span *out) {
  z_stream z = {.next_in = (Bytef *)packed.at, .avail_in = (uInt)(packed.end - packed.at)};
  size_t capacity = 4 * (size_t)(packed.end - packed.at) + 256, used = 0;
  size_t allowed =
      INFLATION_MAX * r->n_bytes > FREE_INFLATION ? INFLATION_MAX * r->n_bytes : FREE_INFLATION;
  unsigned char *buffer = malloc(capacity);
  int code = inflateInit(&z);

  while (buffer && code == Z_OK) {
    size_t room = capacity - used < UINT32_MAX ? capacity - used : UINT32_MAX;
    z.next_out = buffer + used;
    z.avail_out = (uInt)room;
    code = inflate(&z, Z_NO_FLUSH);
    used += room - z.avail_out;
    if (code == Z_OK && z.avail_out == 0) {
      if (r->inflated + used > allowed) {
        code = Z_MEM_ERROR;
        break;
      }
      capacity *= 2;
      unsigned char *grown = realloc(buffer, capacity);
      if (!grown) {
        free(buffer);
      }
      buffer = grown;
    } else if (code == Z_OK && z.avail_in == 0) {
      code = Z_STREAM_END;  // some writers leave the checksum out; what is missing shows itself
    }
  }
  if (code == Z_BUF_ERROR && z.avail_in == 0) {
    code = Z_STREAM_END;
  }
  inflateEnd(&z);
  if (!buffer || code != Z_STREAM_END) {
    free(buffer);
    return code == Z_MEM_ERROR
               ? emg_fail(r->err, EMG_ERR_DATA,
                          "the MATLAB file inflates to more than %zu MB; save it uncompressed "
                          "(save -v6) if it is sound",
                          allowed >> 20)
               : fail_damaged(r, "a compressed variable does not inflate");
  }
  r->inflated += used;
  *out = (span){buffer, buffer + used};
  return keep_buffer(r, buffer);
}

// One variable at the top of the file.
static emg_status read_variable(reader *r, element e) {
  emg_mat_file *file = r->file;

  if (e.type == MI_COMPRESSED) {
    span inner;
    EMG_TRY(inflate_span(r, e.data, &inner));
    EMG_TRY(next_element(r, &inner, &e));
  }
  if (e.type != MI_MATRIX) {
    return EMG_OK;  // other elements carry nothing for us
  }
  if (file->n == VARIABLES_MAX) {
    return emg_fail(r->err, EMG_ERR_DATA, "the MATLAB file has more than %d variables",
                    VARIABLES_MAX);
  }
  return read_array(r, e.data, 0, &file->variables[file->n++]);
}

emg_status emg_mat_read(const char *path, emg_mat_file *out, emg_error *err) {
  reader r = {.file = out, .err = err};
  char *bytes;
  emg_status status;

  *out = (emg_mat_file){0};
  EMG_TRY(emg_slurp(path, FILE_BYTES_MAX, &bytes, &r.n_bytes, err));
  EMG_TRY(keep_buffer(&r, (unsigned char *)bytes));
  if (r.n_bytes < HEADER_BYTES) {
    status = fail_damaged(&r, "it is shorter than its header of 128 bytes");
    goto done;
  }
  // "MI" as written by the machine that wrote it
  r.is_swapped = bytes[126] == 'M' && bytes[127] == 'I';
  if (!r.is_swapped && !(bytes[126] == 'I' && bytes[127] == 'M')) {
    status = fail_damaged(&r, "its header does not state a byte order");
    goto done;
  }
  EMG_TRY_DONE(emg_alloc(VARIABLES_MAX, sizeof *out->variables, &out->variables, err));
  span all = {(unsigned char *)bytes + HEADER_BYTES, (unsigned char *)bytes + r.n_bytes};
  while (all.at < all.end) {
    element e;
    EMG_TRY_DONE(next_element(&r, &all, &e));
    EMG_TRY_DONE(read_variable(&r, e));
  }
  status = EMG_OK;
done:
  if (status != EMG_OK) {
    emg_mat_free(out);
  }
  return status;
}

static void free_array(emg_mat *m) {
  int64_t n = !m->children            ? 0
              : m->kind == MAT_STRUCT ? emg_mat_count(m) * m->n_fields
                                      : emg_mat_count(m);

  for (int64_t i = 0; i < n; i++) {
    free_array(&m->children[i]);
  }
  free(m->children);
  free(m->fields);
}

void emg_mat_free(emg_mat_file *file) {
  for (int i = 0; i < file->n; i++) {
    free_array(&file->variables[i]);
  }
  for (int i = 0; i < file->n_buffers; i++) {
    free(file->buffers[i]);
  }
  free(file->variables);
  free(file->buffers);
  *file = (emg_mat_file){0};
}

// --- looking into arrays ---

const emg_mat *emg_mat_find(const emg_mat_file *file, const char *name) {
  for (int i = 0; i < file->n; i++) {
    if (strcmp(file->variables[i].name, name) == 0) {
      return &file->variables[i];
    }
  }
  return NULL;
}

const emg_mat *emg_mat_field(const emg_mat *m, int64_t element_index, const char *name) {
  if (!m || m->kind != MAT_STRUCT || element_index < 0 || element_index >= emg_mat_count(m)) {
    return NULL;
  }
  for (int f = 0; f < m->n_fields; f++) {
    if (strcmp(m->fields[f], name) == 0) {
      return &m->children[element_index * m->n_fields + f];
    }
  }
  return NULL;
}

const emg_mat *emg_mat_cell(const emg_mat *m, int64_t element_index) {
  if (!m || m->kind != MAT_CELL) {
    return element_index == 0 ? m : NULL;
  }
  return element_index >= 0 && element_index < emg_mat_count(m) ? &m->children[element_index]
                                                                : NULL;
}

static uint64_t get_bits(const emg_mat *m, int64_t i, size_t size) {
  const unsigned char *at = m->data + (size_t)i * size;
  uint64_t value = 0;

  for (size_t k = 0; k < size; k++) {
    value |= (uint64_t)at[m->is_swapped ? size - 1 - k : k] << (8 * k);
  }
  return value;
}

double emg_mat_value(const emg_mat *m, int64_t i) {
  size_t size = storage_bytes(m->storage);
  uint64_t bits = get_bits(m, i, size);
  float single;
  double value;

  switch (m->storage) {
    case MI_INT8:
      return (int8_t)bits;
    case MI_INT16:
      return (int16_t)bits;
    case MI_INT32:
      return (int32_t)bits;
    case MI_INT64:
      return (double)(int64_t)bits;
    case MI_SINGLE: {
      uint32_t low = (uint32_t)bits;
      memcpy(&single, &low, sizeof single);
      return single;
    }
    case MI_DOUBLE:
      memcpy(&value, &bits, sizeof value);
      return value;
    default:
      return (double)bits;
  }
}

bool emg_mat_scalar(const emg_mat *m, double *value) {
  if (!m || m->kind != MAT_NUMERIC || emg_mat_count(m) != 1) {
    return false;
  }
  *value = emg_mat_value(m, 0);
  return true;
}

void emg_mat_floats(const emg_mat *m, int64_t first, int64_t step, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)emg_mat_value(m, first + i * step);
  }
}

// One character of a text as UTF-8; returns the bytes used.
static size_t put_character(uint32_t code, char *to) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    to[0] = (char)(0xc0 | code >> 6);
    to[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  to[0] = (char)(0xe0 | (code >> 12 & 0xf));
  to[1] = (char)(0x80 | (code >> 6 & 0x3f));
  to[2] = (char)(0x80 | (code & 0x3f));
  return 3;
}

void emg_mat_text(const emg_mat *m, char *text, size_t size) {
  char copy[512];
  size_t used = 0;

  text[0] = '\0';
  if (!m || m->kind != MAT_CHAR) {
    return;
  }
  for (int64_t i = 0; i < emg_mat_count(m) && used < sizeof copy - 4; i++) {
    uint32_t code = (uint32_t)get_bits(m, i, storage_bytes(m->storage));
    if (m->storage == MI_UTF8) {
      copy[used++] = (char)code;
    } else {
      used += put_character(code, copy + used);
    }
  }
  emg_label_copy(text, size, copy, used);
}
