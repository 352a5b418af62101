// openhdemg_json.c -- openhdemg's JSON file: gzip around an object whose values are texts of JSON
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/gzip.h"
#include "base/number.h"
#include "base/part_file.h"
#include "formats_priv.h"
#include "openhdemg_priv.h"

enum { GZIP_LEVEL = 4 };
#define FILE_BYTES_MAX ((size_t)4 << 30)

// --- writing ---

static void put(emg_gzip *out, const char *text) {
  emg_gzip_add(out, text, strlen(text));
}

// Members are texts within a text: their quotes are escaped.
static void begin_member(emg_gzip *out, const char *name, bool is_first) {
  put(out, is_first ? "{\"" : ", \"");
  put(out, name);
  put(out, "\": \"");
}

static void put_number(emg_gzip *out, const char *name, double value) {
  begin_member(out, name, false);
  put(out, isfinite(value) ? emg_number_format(value).text : "NaN");
  put(out, "\"");
}

// A table in the form of pandas: columns, index, data.
static emg_status put_table(const emg_export *e, emg_openhdemg_table table, emg_gzip *out,
                            emg_error *err) {
  int64_t n_rows, *next = NULL;
  int n_columns;
  double *values;
  emg_buffer line = {0};

  emg_openhdemg_shape(e, table, &n_rows, &n_columns);
  EMG_TRY(emg_alloc((size_t)n_columns + 1, sizeof *values, &values, err));
  emg_status status = emg_alloc((size_t)e->spikes.n_units + 1, sizeof *next, &next, err);
  begin_member(out, emg_openhdemg_table_names[table], false);
  put(out, "{\\\"columns\\\":[");
  for (int k = 0; k < n_columns; k++) {
    emg_buffer_print(&line, "%s%d", k > 0 ? "," : "", k);
  }
  emg_buffer_text(&line, "],\\\"index\\\":[");
  for (int64_t i = 0; i < n_rows; i++) {
    emg_buffer_print(&line, "%s%lld", i > 0 ? "," : "", (long long)i);
  }
  emg_buffer_text(&line, "],\\\"data\\\":[");
  for (int64_t i = 0; i < n_rows && status == EMG_OK; i++) {
    emg_openhdemg_row(e, table, i, next, values);
    for (int k = 0; k < n_columns; k++) {
      emg_buffer_text(&line, k > 0 ? "," : i > 0 ? ",[" : "[");
      emg_buffer_text(&line,
                      isfinite(values[k]) ? emg_number_format_float(values[k]).text : "null");
    }
    emg_buffer_text(&line, "]");
    emg_gzip_add(out, line.bytes, line.n);
    line.n = 0;
  }
  emg_gzip_add(out, line.bytes, line.n);
  put(out, "]}\"");
  if (status == EMG_OK) {
    status = emg_buffer_check(&line, err);
  }
  emg_buffer_free(&line);
  free(values);
  free(next);
  return status;
}

static emg_status put_pulses(const emg_export *e, emg_gzip *out, emg_error *err) {
  const emg_spikes *s = &e->spikes;
  emg_buffer text = {0};

  for (int u = 0; u < s->n_units; u++) {
    emg_buffer_text(&text, u > 0 ? ", [" : "[");
    for (int64_t i = 0; i < emg_spikes_count(s, u); i++) {
      emg_buffer_print(&text, "%s%lld", i > 0 ? ", " : "", (long long)emg_spikes_of(s, u)[i]);
    }
    emg_buffer_text(&text, "]");
  }
  begin_member(out, "MUPULSES", false);
  put(out, "[");
  emg_gzip_add(out, text.bytes, text.n);
  put(out, "]\"");
  emg_status status = emg_buffer_check(&text, err);
  emg_buffer_free(&text);
  return status;
}

// Our own entry: the channels.
static emg_status put_channels(const emg_export *e, emg_gzip *out, emg_error *err) {
  emg_json json = {0};
  emg_buffer quoted = {0};
  char *text;

  emg_json_object(&json, NULL);
  emg_channels_write(e, &json);
  emg_json_end(&json);
  EMG_TRY(emg_json_finish(&json, &text, err));
  emg_buffer_json(&quoted, text);
  free(text);
  put(out, ", \"" EMG_OPENHDEMG_CHANNELS "\": ");
  emg_gzip_add(out, quoted.bytes, quoted.n);
  emg_status status = emg_buffer_check(&quoted, err);
  emg_buffer_free(&quoted);
  return status;
}

// The name of the file, twice a text.
static emg_status put_name(const char *path, emg_gzip *out, emg_error *err) {
  const char *slash = strrchr(path, '/');
  emg_buffer once = {0}, twice = {0};

  emg_buffer_json(&once, slash ? slash + 1 : path);
  emg_buffer_add(&once, "", 1);
  if (!once.has_failed) {
    emg_buffer_json(&twice, once.bytes);
  }
  put(out, ", \"FILENAME\": ");
  emg_gzip_add(out, twice.bytes, twice.n);
  emg_status status = emg_buffer_check(once.has_failed ? &once : &twice, err);
  emg_buffer_free(&once);
  emg_buffer_free(&twice);
  return status;
}

static emg_status put_file(const char *path, const emg_export *e, emg_gzip *out, emg_error *err) {
  begin_member(out, "SOURCE", true);
  put(out, "\\\"CUSTOMCSV\\\"\"");
  EMG_TRY(put_name(path, out, err));
  for (int t = 0; t < EMG_OPENHDEMG_TABLES; t++) {
    EMG_TRY(put_table(e, (emg_openhdemg_table)t, out, err));
  }
  EMG_TRY(put_pulses(e, out, err));
  put_number(out, "FSAMP", e->rate_hz);
  put_number(out, "IED", e->rec->pitch_mm);
  put_number(out, "EMG_LENGTH", (double)e->n_samples);
  put_number(out, "NUMBER_OF_MUS", e->spikes.n_units);
  EMG_TRY(put_channels(e, out, err));
  put(out, "}");
  return emg_gzip_finish(out, err);
}

emg_status emg_write_openhdemg_json(const char *path, const emg_export *e, emg_error *err) {
  emg_gzip out;

  EMG_TRY(emg_gzip_start(&out, GZIP_LEVEL, err));
  emg_openhdemg_note(e);
  emg_status status = put_file(path, e, &out, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, out.out.bytes, out.out.n, e->options->overwrite, err);
  }
  emg_gzip_free(&out);
  return status;
}

// --- reading ---

// Names of columns: their number.
static emg_status read_columns(emg_json_cursor *c, emg_openhdemg_matrix *m, emg_error *err) {
  m->n_columns = 0;
  emg_json_enter(c, '[');
  while (emg_json_next_element(c)) {
    emg_json_skip(c);
    if (++m->n_columns > EMG_OPENHDEMG_CHANNELS_MAX) {
      return emg_fail(err, EMG_ERR_DATA, "a table has more than %d columns",
                      EMG_OPENHDEMG_CHANNELS_MAX);
    }
  }
  return EMG_OK;
}

// Rows in ascending order of their index, which need not start at 0.
static emg_status check_index(emg_json_cursor *c, emg_error *err) {
  double previous = -INFINITY, value;

  emg_json_enter(c, '[');
  while (emg_json_next_element(c) && emg_json_read_number(c, &value)) {
    if (!(value > previous)) {
      return emg_fail(err, EMG_ERR_DATA, "the rows of a table are not in the order of their index");
    }
    previous = value;
  }
  return EMG_OK;
}

static emg_status read_data(emg_json_cursor *c, emg_openhdemg_matrix *m, emg_error *err) {
  size_t n = 0;
  double value;

  emg_json_enter(c, '[');
  while (emg_json_next_element(c)) {
    emg_json_enter(c, '[');
    size_t first = n;
    while (emg_json_next_element(c) && emg_json_read_number(c, &value)) {
      EMG_TRY(emg_openhdemg_add(m, value, n++, err));
    }
    if (!c->is_damaged && n - first != (size_t)m->n_columns) {
      return emg_fail(err, EMG_ERR_DATA, "row %lld of a table has %zu numbers for %d columns",
                      (long long)m->n_rows, n - first, m->n_columns);
    }
    m->n_rows++;
  }
  return EMG_OK;
}

static emg_status read_table(const char *text, emg_openhdemg_matrix *m, emg_error *err) {
  emg_json_cursor c = emg_json_at(text), data = {0};
  bool has_data = false;
  char key[16];

  free(m->values);
  *m = (emg_openhdemg_matrix){.scale = m->scale};
  emg_json_enter(&c, '{');
  while (emg_json_next_member(&c, key, sizeof key)) {
    if (strcmp(key, "columns") == 0) {
      EMG_TRY(read_columns(&c, m, err));
    } else if (strcmp(key, "index") == 0) {
      EMG_TRY(check_index(&c, err));
    } else {
      // data last, when the columns are known
      has_data = has_data || strcmp(key, "data") == 0;
      data = strcmp(key, "data") == 0 ? c : data;
      emg_json_skip(&c);
    }
  }
  if (!c.is_damaged && has_data) {
    EMG_TRY(read_data(&data, m, err));
  }
  return c.is_damaged || data.is_damaged || !has_data
             ? emg_fail(err, EMG_ERR_DATA, "a table is not columns, index and data")
             : EMG_OK;
}

static emg_status read_pulses(const char *text, emg_openhdemg_file *file, emg_error *err) {
  emg_json_cursor c = emg_json_at(text);
  double value;

  file->has_pulses = true;
  emg_json_enter(&c, '[');
  while (emg_json_next_element(&c)) {
    EMG_TRY(emg_openhdemg_add_unit(file, err));
    if (emg_json_peek(&c) == '0') {  // a lone number for a unit that discharges once
      emg_json_read_number(&c, &value);
      EMG_TRY(emg_openhdemg_add_pulse(file, value, err));
      continue;
    }
    emg_json_enter(&c, '[');
    while (emg_json_next_element(&c) && emg_json_read_number(&c, &value)) {
      EMG_TRY(emg_openhdemg_add_pulse(file, value, err));
    }
  }
  return c.is_damaged ? emg_fail(err, EMG_ERR_DATA, "it is not lists of numbers") : EMG_OK;
}

static emg_status read_scalar(const char *text, double *value, emg_error *err) {
  emg_json_cursor c = emg_json_at(text);

  return emg_json_read_number(&c, value) ? EMG_OK
                                         : emg_fail(err, EMG_ERR_DATA, "it is not a number");
}

// Takes the value of one member, a text of JSON in itself.
static emg_status read_member(const char *key, const char *text, emg_openhdemg_file *file,
                              emg_error *err) {
  emg_json_cursor c = emg_json_at(text);

  if (strcmp(key, "SOURCE") == 0) {
    return emg_json_read_text(&c, file->source, sizeof file->source)
               ? EMG_OK
               : emg_fail(err, EMG_ERR_DATA, "it is not a text");
  }
  if (strcmp(key, "FSAMP") == 0) {
    return read_scalar(text, &file->rate_hz, err);
  }
  if (strcmp(key, "IED") == 0) {
    return read_scalar(text, &file->pitch_mm, err);
  }
  if (strcmp(key, "EMG_LENGTH") == 0) {
    return read_scalar(text, &file->length, err);
  }
  if (strcmp(key, "MUPULSES") == 0) {
    return file->has_pulses ? emg_fail(err, EMG_ERR_DATA, "it comes twice")
                            : read_pulses(text, file, err);
  }
  if (strcmp(key, EMG_OPENHDEMG_CHANNELS) == 0) {
    free(file->channels);
    file->channels = strdup(text);
    return file->channels ? EMG_OK : emg_fail(err, EMG_ERR_MEMORY, "out of memory");
  }
  return read_table(text, strcmp(key, "RAW_SIGNAL") == 0 ? &file->raw : &file->ref, err);
}

static bool is_wanted(const char *key) {
  static const char *const keys[] = {"SOURCE",     "FSAMP",     "IED",
                                     "EMG_LENGTH", "MUPULSES",  EMG_OPENHDEMG_CHANNELS,
                                     "RAW_SIGNAL", "REF_SIGNAL"};

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (strcmp(key, keys[i]) == 0) {
      return true;
    }
  }
  return false;
}

static emg_status read_members(char *text, emg_openhdemg_file *file, emg_error *err) {
  emg_json_cursor c = emg_json_at(text);
  emg_error why = {0};
  char key[64];
  const char *span;
  size_t n;

  emg_json_enter(&c, '{');
  while (emg_json_next_member(&c, key, sizeof key)) {
    if (!is_wanted(key)) {
      emg_json_skip(&c);
      continue;
    }
    if (!emg_json_read_span(&c, &span, &n)) {
      break;
    }
    // undone in place: what follows the text is its closing quote at least
    char *inner = text + (span - text);
    inner[emg_json_unescape(span, n, inner)] = '\0';
    emg_status status = read_member(key, inner, file, &why);
    if (status != EMG_OK) {
      return emg_fail(err, status, "%s of the openhdemg file: %s", key, emg_error_message(&why));
    }
  }
  if (c.is_damaged || !file->source[0]) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the compressed file is not JSON of openhdemg: it breaks off at byte %lld of "
                    "its text, or has no SOURCE",
                    (long long)(c.at - text));
  }
  return EMG_OK;
}

bool emg_openhdemg_json_probe(const emg_probe *probe) {
  return !probe->is_folder && emg_gzip_is(probe->bytes, probe->n_bytes);
}

emg_status emg_openhdemg_json_read(const char *path, const emg_read_options *options,
                                   emg_recording *out, emg_error *err) {
  emg_openhdemg_file file = emg_openhdemg_start(options);
  char *bytes = NULL, *text = NULL;
  size_t n_bytes, n_text;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY_DONE(emg_slurp(path, FILE_BYTES_MAX, &bytes, &n_bytes, err));
  EMG_TRY_DONE(emg_gunzip(bytes, n_bytes, FILE_BYTES_MAX, &text, &n_text, err));
  EMG_TRY_DONE(read_members(text, &file, err));
  status = emg_openhdemg_finish(&file, "openhdemg JSON", options, out, err);
done:
  free(bytes);
  free(text);
  emg_openhdemg_free(&file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}
