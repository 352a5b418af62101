// edf_header.c -- the header of EDF and BDF files, every field checked
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <emgtwin/array.h>

#include "base/input_file.h"
#include "base/number.h"
#include "base/text.h"
#include "edf_priv.h"

enum { BLOCK = 256 };

// A fixed-width field as text without blanks at its ends.
static void field_text(const char *field, size_t width, char text[84]) {
  char copy[84];

  memcpy(copy, field, width);
  emg_label_copy(text, 84, copy, width);
}

static emg_status field_number(const char *field, size_t width, const char *what, double *value,
                               emg_error *err) {
  char text[84];
  const char *end;

  field_text(field, width, text);
  if (!emg_number_scan(text[0] == '+' ? text + 1 : text, &end, value) || *end ||
      !isfinite(*value)) {
    return emg_fail(err, EMG_ERR_DATA, "%s is %s in the EDF header, not a number; it is damaged",
                    what, emg_quote(text).text);
  }
  return EMG_OK;
}

static emg_status field_count(const char *field, size_t width, const char *what, double least,
                              double most, int64_t *value, emg_error *err) {
  double number;

  EMG_TRY(field_number(field, width, what, &number, err));
  if (number != floor(number) || number < least || number > most) {
    return emg_fail(err, EMG_ERR_DATA, "%s is %g in the EDF header; it must be %g to %g", what,
                    number, least, most);
  }
  *value = (int64_t)number;
  return EMG_OK;
}

static emg_status parse_main_header(emg_edf *e, const char *header, emg_error *err) {
  int64_t n_signals, stated;

  e->is_bdf = (unsigned char)header[0] == 0xff;
  e->sample_bytes = e->is_bdf ? 3 : 2;
  e->is_plus = strncmp(header + 192, e->is_bdf ? "BDF+" : "EDF+", 4) == 0;
  e->is_discontinuous = e->is_plus && header[196] == 'D';
  EMG_TRY(field_count(header + 252, 4, "the number of signals", 0, 9999, &n_signals, err));
  if (n_signals == 0) {
    return emg_fail(err, EMG_ERR_DATA, "the EDF header lists 0 signals; there is nothing to read");
  }
  e->n_signals = (int)n_signals;
  e->header_bytes = BLOCK * (n_signals + 1);
  EMG_TRY(field_count(header + 184, 8, "the length of the header", 0, 1e8, &stated, err));
  if (stated != e->header_bytes) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the EDF header says it is %lld bytes long, but %d signals make %lld",
                    (long long)stated, e->n_signals, (long long)e->header_bytes);
  }
  EMG_TRY(field_count(header + 236, 8, "the number of data records", -1, 1e8, &e->n_records, err));
  EMG_TRY(field_number(header + 244, 8, "the duration of a data record", &e->record_s, err));
  if (e->record_s < 0) {
    return emg_fail(err, EMG_ERR_DATA, "a data record lasts %g s in the EDF header", e->record_s);
  }
  return EMG_OK;
}

// The fields of all signals follow each other, field by field.
static emg_status parse_signal(emg_edf *e, const char *fields, int i, emg_error *err) {
  emg_edf_signal *s = &e->signals[i];
  const char *at = fields;
  char text[84], what[140];
  const struct {
    const char *name;
    double *value;
  } limits[] = {{"physical minimum", &s->physical_min},
                {"physical maximum", &s->physical_max},
                {"digital minimum", &s->digital_min},
                {"digital maximum", &s->digital_max}};

  field_text(at + 16 * i, 16, text);
  snprintf(s->label, sizeof s->label, "%.63s", text);
  at += 96 * e->n_signals;
  field_text(at + 8 * i, 8, text);
  snprintf(s->unit, sizeof s->unit, "%.15s", text);
  s->uv = emg_uv_per_unit(s->unit);
  at += 8 * e->n_signals;
  for (int k = 0; k < 4; k++) {
    snprintf(what, sizeof what, "the %s of signal %d (%s)", limits[k].name, i + 1, s->label);
    EMG_TRY(field_number(at + 8 * i, 8, what, limits[k].value, err));
    at += 8 * e->n_signals;
  }
  at += 80 * e->n_signals;
  snprintf(what, sizeof what, "the samples per record of signal %d (%s)", i + 1, s->label);
  EMG_TRY(field_count(at + 8 * i, 8, what, 0, 1e8, &s->per_record, err));
  s->at = e->record_bytes;
  e->record_bytes += s->per_record * e->sample_bytes;
  if (strcmp(s->label, "EDF Annotations") == 0 || strcmp(s->label, "BDF Annotations") == 0) {
    s->role = EMG_EDF_ANNOTATIONS;
  } else if (s->digital_min >= s->digital_max) {
    return emg_fail(err, EMG_ERR_DATA,
                    "signal %d (%s) has a digital range of %g to %g in the EDF header", i + 1,
                    s->label, s->digital_min, s->digital_max);
  }
  return EMG_OK;
}

// All records that the header promises must be there.
static emg_status check_length(emg_edf *e, emg_error *err) {
  int64_t present = e->n_bytes - e->header_bytes;

  if (e->record_bytes == 0) {
    return emg_fail(err, EMG_ERR_DATA, "the signals of the EDF header have 0 samples per record");
  }
  if (e->n_records < 0) {  // not known when the header was written
    e->n_records = present / e->record_bytes;
    return EMG_OK;
  }
  if (present / e->record_bytes < e->n_records) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the EDF header promises %lld data records of %lld bytes, the file holds %lld; "
                    "it was cut short, fetch it again",
                    (long long)e->n_records, (long long)e->record_bytes,
                    (long long)(present / e->record_bytes));
  }
  return EMG_OK;
}

void emg_edf_close(emg_edf *e) {
  if (e->file) {
    fclose(e->file);
  }
  free(e->signals);
}

static emg_status read_header(emg_edf *e, emg_error *err) {
  char header[BLOCK], *fields = NULL;

  if (e->n_bytes < BLOCK || fread(header, 1, BLOCK, e->file) != BLOCK) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the file ends inside its EDF header (%lld of at least 256 bytes)",
                    (long long)e->n_bytes);
  }
  EMG_TRY(parse_main_header(e, header, err));
  if (e->n_bytes < e->header_bytes) {
    return emg_fail(err, EMG_ERR_DATA, "the file ends inside its EDF header (%lld of %lld bytes)",
                    (long long)e->n_bytes, (long long)e->header_bytes);
  }
  size_t n = (size_t)e->n_signals;
  EMG_TRY(emg_alloc(n, sizeof *e->signals, &e->signals, err));
  EMG_TRY(emg_alloc(n, BLOCK, &fields, err));
  emg_status status = EMG_OK;
  if (fread(fields, BLOCK, n, e->file) != n) {
    status = emg_fail(err, EMG_ERR_IO, "cannot read the EDF header: %s", strerror(errno));
  }
  for (int i = 0; status == EMG_OK && i < e->n_signals; i++) {
    status = parse_signal(e, fields, i, err);
  }
  free(fields);
  return status == EMG_OK ? check_length(e, err) : status;
}

emg_status emg_edf_open(const char *path, emg_edf *e, emg_error *err) {
  struct stat info;

  *e = (emg_edf){0};
  EMG_TRY(emg_open_input(path, &e->file, err));
  if (fstat(fileno(e->file), &info) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot read %s: %s", path, strerror(errno));
  }
  e->n_bytes = info.st_size;
  return read_header(e, err);
}
