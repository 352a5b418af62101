// openhdemg_module.c -- openhdemg's module: a folder with manifest.json and binary files
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/gzip.h"
#include "base/number.h"
#include "base/part_folder.h"
#include "base/sha256.h"
#include "bids_priv.h"
#include "openhdemg_priv.h"

enum { MANIFEST_MAX = 16 << 20, RAGGED_MAX = EMG_OPENHDEMG_UNITS_MAX };
#define FILE_BYTES_MAX ((size_t)8 << 30)

// --- writing ---

static void begin_entry(emg_json *json, const char *name, const char *type) {
  emg_json_object(json, name);
  emg_json_text(json, "data_type", type);
}

static void add_number(emg_json *json, const char *name, const char *type, double value) {
  begin_entry(json, name, type);
  emg_json_number(json, "value", value);
  emg_json_end(json);
}

static void add_text(emg_json *json, const char *name, const char *text) {
  begin_entry(json, name, "str");
  emg_json_text(json, "text", text);
  emg_json_end(json);
}

// File, order and checksum of an entry that is open.
static void add_place(emg_json *json, const char *path, const emg_buffer *bytes) {
  char sum[80] = "sha256:";
  emg_sha256 sha;

  emg_sha256_start(&sha);
  emg_sha256_add(&sha, bytes->bytes ? bytes->bytes : "", bytes->n);
  emg_sha256_finish(&sha, sum + strlen(sum));
  emg_json_text(json, "data_file_path", path);
  emg_json_null(json, "compression");
  emg_json_text(json, "order", "C");
  emg_json_text(json, "checksum", sum);
}

static void add_columns(emg_json *json, int64_t n_rows, int n_columns) {
  emg_json_array(json, "columns");
  for (int k = 0; k < n_columns; k++) {
    emg_json_integer(json, NULL, k);
  }
  emg_json_end(json);
  emg_json_array(json, "columns_dtypes");
  for (int k = 0; k < n_columns; k++) {
    emg_json_text(json, NULL, "int");
  }
  emg_json_end(json);
  emg_json_array(json, "shape");
  emg_json_integer(json, NULL, n_rows);
  emg_json_integer(json, NULL, n_columns);
  emg_json_end(json);
}

// Rows of a table: bytes for 0 and 1, doubles else.
static emg_status fill_table(const emg_export *e, emg_openhdemg_table table, int64_t n_rows,
                             int n_columns, emg_buffer *bytes, emg_error *err) {
  bool are_flags = table == EMG_TABLE_FIRING;
  int64_t *next = NULL;
  double *values;

  EMG_TRY(emg_alloc((size_t)n_columns + 1, sizeof *values, &values, err));
  emg_status status = emg_alloc((size_t)e->spikes.n_units + 1, sizeof *next, &next, err);
  for (int64_t i = 0; status == EMG_OK && i < n_rows; i++) {
    emg_openhdemg_row(e, table, i, next, values);
    char *to = emg_buffer_room(bytes, (size_t)n_columns * (are_flags ? 1 : sizeof *values));
    for (int k = 0; to && are_flags && k < n_columns; k++) {
      to[k] = values[k] != 0;
    }
    if (to && !are_flags) {
      memcpy(to, values, (size_t)n_columns * sizeof *values);
    }
  }
  free(values);
  free(next);
  return status == EMG_OK ? emg_buffer_check(bytes, err) : status;
}

static emg_status add_table(const emg_export *e, emg_openhdemg_table table, emg_json *json,
                            emg_folder *folder, emg_error *err) {
  const char *name = emg_openhdemg_table_names[table];
  bool are_flags = table == EMG_TABLE_FIRING;
  emg_buffer bytes = {0};
  int64_t n_rows;
  int n_columns;
  char path[64];

  emg_openhdemg_shape(e, table, &n_rows, &n_columns);
  begin_entry(json, name, n_rows > 0 ? "pd.DataFrame" : "empty pd.DataFrame");
  add_columns(json, n_rows, n_columns);
  if (n_rows == 0) {
    emg_json_end(json);
    return EMG_OK;
  }
  snprintf(path, sizeof path, "files/%s.bin", name);
  emg_status status = fill_table(e, table, n_rows, n_columns, &bytes, err);
  if (status != EMG_OK) {
    emg_buffer_free(&bytes);
    return status;
  }
  emg_json_array(json, "dtypes");
  for (int k = 0; k < n_columns; k++) {
    emg_json_text(json, NULL, are_flags ? "uint8" : "float64");
  }
  emg_json_end(json);
  emg_json_text(json, "endian_dtype", are_flags ? "|u1" : "<f8");
  add_place(json, path, &bytes);
  emg_json_end(json);
  return emg_folder_add(folder, path, &bytes, err);
}

static emg_status add_pulses(const emg_export *e, emg_json *json, emg_folder *folder,
                             emg_error *err) {
  const emg_spikes *s = &e->spikes;
  emg_buffer bytes = {0};

  emg_buffer_add(&bytes, s->samples, (size_t)s->offsets[s->n_units] * sizeof *s->samples);
  begin_entry(json, "MUPULSES", "list_of_1D_np.ndarray");
  emg_json_array(json, "lengths");
  for (int u = 0; u < s->n_units; u++) {
    emg_json_integer(json, NULL, emg_spikes_count(s, u));
  }
  emg_json_end(json);
  emg_json_array(json, "offsets");
  for (int u = 0; u < s->n_units; u++) {
    emg_json_integer(json, NULL, s->offsets[u] * (int64_t)sizeof *s->samples);
  }
  emg_json_end(json);
  for (int k = 0; k < 2; k++) {
    emg_json_array(json, k == 0 ? "dtypes" : "endian_dtypes");
    for (int u = 0; u < s->n_units; u++) {
      emg_json_text(json, NULL, k == 0 ? "int64" : "<i8");
    }
    emg_json_end(json);
  }
  add_place(json, "files/MUPULSES.bin", &bytes);
  emg_json_end(json);
  return emg_folder_add(folder, "files/MUPULSES.bin", &bytes, err);
}

static void add_metadata(const char *path, const emg_export *e, emg_json *json) {
  char name[PATH_MAX];

  snprintf(name, sizeof name, "%s", path);
  for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--) {
    name[n - 1] = '\0';
  }
  emg_json_object(json, "_metadata");
  emg_json_null(json, "created");
  emg_json_text(json, "created_by", "emgtwin " EMG_VERSION);
  emg_json_text(json, "system_byte_order", "little");
  emg_json_text(json, "openhdemg_version", "0.2.0");
  emg_json_text(json, "data_structure_version", "1.0");
  emg_json_end(json);
  add_text(json, "SOURCE", "OPENHDEMG");
  add_text(json, "FILENAME", emg_path_name(name));
  add_number(json, "FSAMP", "float", e->rate_hz);
  if (isfinite(e->rec->pitch_mm)) {  // not every reader of JSON knows NaN
    add_number(json, "IED", "float", e->rec->pitch_mm);
  }
  add_number(json, "EMG_LENGTH", "int", (double)e->n_samples);
  add_number(json, "NUMBER_OF_MUS", "int", e->spikes.n_units);
  begin_entry(json, EMG_OPENHDEMG_CHANNELS, "dict");
  emg_json_object(json, "value");
  emg_channels_write(e, json);
  emg_json_end(json);
  emg_json_end(json);
}

static emg_status make_module(const char *path, const emg_export *e, emg_json *json,
                              emg_folder *folder, emg_error *err) {
  emg_buffer mark = {0}, manifest = {0};
  char *text;

  emg_json_object(json, NULL);
  add_metadata(path, e, json);
  for (int t = 0; t < EMG_OPENHDEMG_TABLES; t++) {
    EMG_TRY(add_table(e, (emg_openhdemg_table)t, json, folder, err));
  }
  EMG_TRY(add_pulses(e, json, folder, err));
  emg_json_end(json);
  EMG_TRY(emg_json_finish(json, &text, err));
  emg_buffer_text(&manifest, text);
  free(text);
  EMG_TRY(emg_folder_add(folder, "manifest.json", &manifest, err));
  return emg_folder_add(folder, EMG_MODULE_MARK, &mark, err);
}

emg_status emg_write_openhdemg(const char *path, const emg_export *e, emg_error *err) {
  emg_folder folder = {0};
  emg_json json = {0};

  emg_openhdemg_note(e);
  emg_status status = make_module(path, e, &json, &folder, err);
  if (status == EMG_OK) {
    status = emg_part_folder_write(path, EMG_MODULE_MARK, &folder, e->options->overwrite,
                                   e->options->monitor, err);
  }
  emg_json_free(&json);
  emg_folder_free(&folder);
  return status;
}

// --- reading ---

// Numbers as they are stored: "<f8", "|u1", ">i4", ...
typedef struct {
  char kind;  // f, i, u or b
  size_t size;
  bool is_swapped;
} number_type;

static bool parse_type(const char *text, number_type *type) {
  bool is_known = text[0] && strchr("<>|=", text[0]) && text[1] && strchr("fiub", text[1]) &&
                  text[2] >= '1' && text[2] <= '8' && text[3] == '\0';

  *type = (number_type){is_known ? text[1] : 'f', is_known ? (size_t)(text[2] - '0') : 8,
                        text[0] == '>'};
  bool is_size = type->size == 1 || type->size == 2 || type->size == 4 || type->size == 8;
  return is_known && is_size && (type->kind != 'f' || type->size >= 4) &&
         (type->kind != 'b' || type->size == 1);
}

static double value_at(const number_type *type, const unsigned char *at) {
  uint64_t bits = 0;

  for (size_t k = 0; k < type->size; k++) {
    bits |= (uint64_t)at[type->is_swapped ? type->size - 1 - k : k] << (8 * k);
  }
  if (type->kind == 'f' && type->size == 8) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  if (type->kind == 'f') {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return (double)value;
  }
  if (type->kind == 'i') {
    unsigned shift = 64 - 8 * (unsigned)type->size;
    return (double)((int64_t)(bits << shift) >> shift);
  }
  return (double)bits;
}

// What the manifest says of one entry.
typedef struct {
  char type[32], path[256], compression[16], order[4], dtype[8], checksum[80];
  double value, shape[2];
  int n_shape;
  int n_parts;  // of a ragged list
  double lengths[RAGGED_MAX], offsets[RAGGED_MAX];
  char dtypes[RAGGED_MAX][8];
} entry;

static int read_list(emg_json_cursor *c, int most, double *numbers, char (*texts)[8]) {
  int n = 0;

  emg_json_enter(c, '[');
  while (emg_json_next_element(c)) {
    if (n >= most || emg_json_peek(c) != (texts ? '"' : '0')) {
      emg_json_skip(c);
      n = most;  // refused by its count
    } else if (texts) {
      emg_json_read_text(c, texts[n], sizeof *texts);
    } else {
      emg_json_read_number(c, &numbers[n]);
    }
    n++;
  }
  return n;
}

static bool read_entry(emg_json_cursor *c, entry *e, emg_openhdemg_file *file, bool is_channels) {
  const struct {
    const char *key;
    char *to;
    size_t size;
  } texts[] = {{"data_type", e->type, sizeof e->type},
               {"data_file_path", e->path, sizeof e->path},
               {"compression", e->compression, sizeof e->compression},
               {"order", e->order, sizeof e->order},
               {"endian_dtype", e->dtype, sizeof e->dtype},
               {"checksum", e->checksum, sizeof e->checksum},
               {"text", file->source, sizeof file->source}};
  int n_offsets = -1, n_dtypes = -1;
  char key[32];

  memset(e, 0, sizeof *e);
  e->value = NAN;
  e->n_parts = -1;
  emg_json_enter(c, '{');
  while (emg_json_next_member(c, key, sizeof key)) {
    size_t t = 0;
    while (t < sizeof texts / sizeof texts[0] && strcmp(texts[t].key, key) != 0) {
      t++;
    }
    char kind = emg_json_peek(c);
    if (t < sizeof texts / sizeof texts[0] && kind == '"') {
      emg_json_read_text(c, texts[t].to, texts[t].size);
    } else if (strcmp(key, "value") == 0 && kind == '0') {
      emg_json_read_number(c, &e->value);
    } else if (strcmp(key, "value") == 0 && kind == '{' && is_channels && !file->channels) {
      file->channels = strdup(c->at);
      emg_json_skip(c);
    } else if (strcmp(key, "shape") == 0 && kind == '[') {
      e->n_shape = read_list(c, 2, e->shape, NULL);
    } else if (strcmp(key, "lengths") == 0 && kind == '[') {
      e->n_parts = read_list(c, RAGGED_MAX, e->lengths, NULL);
    } else if (strcmp(key, "offsets") == 0 && kind == '[') {
      n_offsets = read_list(c, RAGGED_MAX, e->offsets, NULL);
    } else if (strcmp(key, "endian_dtypes") == 0 && kind == '[') {
      n_dtypes = read_list(c, RAGGED_MAX, NULL, e->dtypes);
    } else {
      emg_json_skip(c);
    }
  }
  return !c->is_damaged && n_offsets == e->n_parts && n_dtypes == e->n_parts &&
         e->n_parts <= RAGGED_MAX;
}

// The file of an entry: below the folder, whole, and unchanged if the manifest has its checksum.
static emg_status load_file(const char *folder, entry *e, char **bytes, size_t *n, emg_error *err) {
  char path[PATH_MAX], sum[80] = "sha256:", *packed;
  emg_sha256 sha;

  for (char *at = e->path; *at; at++) {
    *at = *at == '\\' ? '/' : *at;  // written on Windows
  }
  if (e->path[0] == '\0' || e->path[0] == '/' || strstr(e->path, "..")) {
    return emg_fail(err, EMG_ERR_DATA, "its file '%s' is not one of the module", e->path);
  }
  if (!emg_path_join(path, folder, e->path)) {
    return emg_fail(err, EMG_ERR_DATA, "the name of its file is too long");
  }
  EMG_TRY(emg_slurp(path, FILE_BYTES_MAX, bytes, n, err));
  emg_sha256_start(&sha);
  emg_sha256_add(&sha, *bytes, *n);
  emg_sha256_finish(&sha, sum + strlen(sum));
  if (e->checksum[0] && strcmp(sum, e->checksum) != 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s has not the checksum of the manifest: it was changed or "
                    "damaged",
                    e->path);
  }
  if (strcmp(e->compression, "gzip") == 0) {
    packed = *bytes;
    *bytes = NULL;
    emg_status status = emg_gunzip(packed, *n, FILE_BYTES_MAX, bytes, n, err);
    free(packed);
    return status;
  }
  return e->compression[0]
             ? emg_fail(err, EMG_ERR_DATA, "its compression is '%s'; gzip is known", e->compression)
             : EMG_OK;
}

static bool is_count(double value, double most) {
  return value >= 0 && value <= most && value == floor(value);
}

static emg_status take_table(const entry *e, const char *bytes, size_t n, emg_openhdemg_matrix *m,
                             emg_error *err) {
  number_type type;

  if (!parse_type(e->dtype, &type) || (e->order[0] && strcmp(e->order, "C") != 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "its numbers are of type '%s' in order '%s'; known are f4, "
                    "f8 and integers in order C",
                    e->dtype, e->order);
  }
  if (e->n_shape != 2 || !is_count(e->shape[0], INT32_MAX) ||
      !is_count(e->shape[1], EMG_OPENHDEMG_CHANNELS_MAX) ||
      e->shape[0] * e->shape[1] * (double)type.size != (double)n) {
    return emg_fail(err, EMG_ERR_DATA,
                    "its file has %zu bytes, not those of %g x %g numbers of %zu", n, e->shape[0],
                    e->shape[1], type.size);
  }
  m->n_rows = (int64_t)e->shape[0];
  m->n_columns = (int)e->shape[1];
  for (size_t i = 0; i < n / type.size; i++) {
    const unsigned char *at = (const unsigned char *)bytes + i * type.size;
    EMG_TRY(emg_openhdemg_add(m, value_at(&type, at), i, err));
  }
  return EMG_OK;
}

static emg_status take_pulses(const entry *e, const char *bytes, size_t n, emg_openhdemg_file *file,
                              emg_error *err) {
  for (int u = 0; u < e->n_parts; u++) {
    number_type type;
    bool is_known = parse_type(e->dtypes[u], &type);
    double length = e->lengths[u], offset = e->offsets[u];
    if (!is_known || !is_count(length, 1e15) || !is_count(offset, (double)n) ||
        offset + length * (double)type.size > (double)n) {
      return emg_fail(err, EMG_ERR_DATA,
                      "unit %d has %g discharges of type '%s' from byte %g on, "
                      "and the file %zu bytes",
                      u, length, e->dtypes[u], offset, n);
    }
    EMG_TRY(emg_openhdemg_add_unit(file, err));
    for (size_t i = 0; i < (size_t)length; i++) {
      const unsigned char *at = (const unsigned char *)bytes + (size_t)offset + i * type.size;
      EMG_TRY(emg_openhdemg_add_pulse(file, value_at(&type, at), err));
    }
  }
  return EMG_OK;
}

// What is wanted of one entry.
static emg_status take_entry(const char *folder, const char *key, entry *e,
                             emg_openhdemg_file *file, emg_error *err) {
  bool is_raw = strcmp(key, "RAW_SIGNAL") == 0, is_ref = strcmp(key, "REF_SIGNAL") == 0;
  bool is_pulses = strcmp(key, "MUPULSES") == 0;
  char *bytes = NULL;
  size_t n;

  if (strcmp(key, "FSAMP") == 0) {
    file->rate_hz = e->value;
  } else if (strcmp(key, "IED") == 0) {
    file->pitch_mm = e->value;
  } else if (strcmp(key, "EMG_LENGTH") == 0) {
    file->length = e->value;
  }
  bool is_table = (is_raw || is_ref) && strcmp(e->type, "pd.DataFrame") == 0;
  bool is_list = is_pulses && strcmp(e->type, "list_of_1D_np.ndarray") == 0;
  if ((!is_table && !is_list) || (is_list && file->n_units > 0)) {
    return EMG_OK;
  }
  emg_openhdemg_matrix *m = is_raw ? &file->raw : &file->ref;
  emg_status status = load_file(folder, e, &bytes, &n, err);
  if (status == EMG_OK) {
    status = is_table ? take_table(e, bytes, n, m, err) : take_pulses(e, bytes, n, file, err);
  }
  free(bytes);
  return status;
}

static emg_status read_manifest(const char *folder, const char *text, emg_openhdemg_file *file,
                                emg_error *err) {
  emg_json_cursor c = emg_json_at(text);
  emg_error why = {0};
  emg_status status = EMG_OK;
  char key[64];
  entry *e;

  EMG_TRY(emg_alloc(1, sizeof *e, &e, err));
  emg_json_enter(&c, '{');
  while (status == EMG_OK && emg_json_next_member(&c, key, sizeof key)) {
    if (strcmp(key, "_metadata") == 0 || emg_json_peek(&c) != '{') {
      emg_json_skip(&c);
      continue;
    }
    bool is_whole = read_entry(&c, e, file, strcmp(key, EMG_OPENHDEMG_CHANNELS) == 0);
    status = is_whole ? take_entry(folder, key, e, file, &why)
                      : emg_fail(&why, EMG_ERR_DATA, "its description is damaged");
    if (status != EMG_OK) {
      emg_fail(err, status, "%s of the openhdemg module: %s", key, emg_error_message(&why));
    }
  }
  free(e);
  if (status == EMG_OK && c.is_damaged) {
    return emg_fail(err, EMG_ERR_DATA, "manifest.json is damaged at byte %lld",
                    (long long)(c.at - text));
  }
  return status;
}

bool emg_openhdemg_module_probe(const emg_probe *probe) {
  char mark[PATH_MAX], manifest[PATH_MAX];

  return probe->is_folder && emg_path_join(mark, probe->path, EMG_MODULE_MARK) &&
         emg_path_join(manifest, probe->path, "manifest.json") && access(mark, F_OK) == 0 &&
         access(manifest, F_OK) == 0;
}

emg_status emg_openhdemg_module_read(const char *path, const emg_read_options *options,
                                     emg_recording *out, emg_error *err) {
  emg_openhdemg_file file = emg_openhdemg_start(options);
  char manifest[PATH_MAX], *text = NULL;
  size_t n;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  if (!emg_path_join(manifest, path, "manifest.json")) {
    return emg_fail(err, EMG_ERR_IO, "the name of the folder is too long");
  }
  EMG_TRY_DONE(emg_slurp(manifest, MANIFEST_MAX, &text, &n, err));
  EMG_TRY_DONE(read_manifest(path, text, &file, err));
  status = emg_openhdemg_finish(&file, "openhdemg module", options, out, err);
done:
  free(text);
  emg_openhdemg_free(&file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}
