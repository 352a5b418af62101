// edf.c -- EDF, EDF+, BDF and BDF+ (Kemp & Olivan 2003)
//
// Read here and not with EDFlib: that refuses discontinuous files, more than 640 signals, headers
// with any byte outside ASCII and files whose length is not exact, all with one code for many
// reasons, and keeps its files in a global table that threads cannot share.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "base/text.h"
#include "formats_priv.h"

enum { BLOCK = 256, AUX_BYTES_MIN = 64 << 20 };

typedef enum { ROLE_EMG, ROLE_AUX, ROLE_ANNOTATIONS } role;

typedef struct {
  char label[64], unit[16];
  double physical_min, physical_max, digital_min, digital_max;
  int64_t per_record;  // samples in a data record
  int64_t at;          // first byte in a data record
  role role;
  double uv;  // uV per unit, 0 if it is no voltage
} edf_signal;

typedef struct {
  FILE *file;
  int64_t n_bytes;  // of the file
  bool is_bdf, is_plus, is_discontinuous;
  int sample_bytes;  // 2 or 3
  int n_signals;
  int64_t n_records, record_bytes, header_bytes;
  double record_s;
  int64_t per_record;  // samples of an EMG signal in a record
  edf_signal *signals;
} edf;

// --- header ---

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

static emg_status parse_main_header(edf *e, const char *header, emg_error *err) {
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
static emg_status parse_signal(edf *e, const char *fields, int i, emg_error *err) {
  edf_signal *s = &e->signals[i];
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
    s->role = ROLE_ANNOTATIONS;
  } else if (s->digital_min >= s->digital_max) {
    return emg_fail(err, EMG_ERR_DATA,
                    "signal %d (%s) has a digital range of %g to %g in the EDF header", i + 1,
                    s->label, s->digital_min, s->digital_max);
  }
  return EMG_OK;
}

// All records that the header promises must be there.
static emg_status check_length(edf *e, emg_error *err) {
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

static void edf_close(edf *e) {
  if (e->file) {
    fclose(e->file);
  }
  free(e->signals);
}

static emg_status read_header(edf *e, emg_error *err) {
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

static emg_status edf_open(const char *path, edf *e, emg_error *err) {
  struct stat info;

  *e = (edf){.file = fopen(path, "rb")};
  if (!e->file || fstat(fileno(e->file), &info) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot read %s: %s", path, strerror(errno));
  }
  e->n_bytes = info.st_size;
  return read_header(e, err);
}

// --- which signals are EMG ---

// `text` contains one of the words, whatever its case.
static bool mentions(const char *text, const char *const *words) {
  for (; *words; words++) {
    if (strcasestr(text, *words)) {
      return true;
    }
  }
  return false;
}

// EMG by default: what is measured in volts, or in nothing that can be told, and is not called
// force, trigger or the like.
static role guess_role(const edf_signal *s) {
  static const char *const other[] = {"force", "torque", "trig",    "status", "event", "aux",
                                      "accel", "gyro",   "path",    "target", "angle", "load",
                                      "mvc",   "sync",   "ramp",    "buffer", "ecg",   "eeg",
                                      "eog",   "marker", "battery", NULL};
  static const char *const counts[] = {"a.u.", "au", "count", "lsb", "adc", "digital", NULL};

  if (mentions(s->label, other)) {
    return ROLE_AUX;
  }
  if (s->uv > 0 || s->unit[0] == '\0' || mentions(s->unit, counts) ||
      strncasecmp(s->label, "EMG", 3) == 0) {
    return ROLE_EMG;
  }
  return ROLE_AUX;
}

static void assign_roles(edf *e, const emg_signal_role *roles, int n_roles) {
  for (int i = 0; i < e->n_signals; i++) {
    edf_signal *s = &e->signals[i];
    int known = -1;

    if (s->role == ROLE_ANNOTATIONS) {
      continue;
    }
    for (int k = 0; k < n_roles && known < 0; k++) {
      known = strcmp(roles[k].name, s->label) == 0 ? k : -1;
    }
    s->role = known < 0 ? guess_role(s) : roles[known].is_emg ? ROLE_EMG : ROLE_AUX;
  }
}

static int compare_counts(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Samples per record of most EMG signals, the larger if two numbers are as frequent. Signals with
// another number are not EMG then.
static emg_status choose_rate(edf *e, int *n_demoted, emg_error *err) {
  int64_t *counts;
  int n = 0, run = 0, best_run = 0;

  *n_demoted = 0;
  EMG_TRY(emg_alloc((size_t)e->n_signals, sizeof *counts, &counts, err));
  for (int i = 0; i < e->n_signals; i++) {
    if (e->signals[i].role == ROLE_EMG) {
      counts[n++] = e->signals[i].per_record;
    }
  }
  qsort(counts, (size_t)n, sizeof *counts, compare_counts);
  for (int i = 0; i < n; i++) {
    run = i > 0 && counts[i] == counts[i - 1] ? run + 1 : 1;
    if (run >= best_run) {
      best_run = run;
      e->per_record = counts[i];
    }
  }
  free(counts);
  for (int i = 0; i < e->n_signals; i++) {
    edf_signal *s = &e->signals[i];
    if (s->role == ROLE_EMG && s->per_record != e->per_record) {
      s->role = ROLE_AUX;
      ++*n_demoted;
    } else if (n == 0 && s->role == ROLE_AUX && s->per_record > e->per_record) {
      e->per_record = s->per_record;  // no EMG: the fastest signal sets the rate
    }
  }
  return EMG_OK;
}

static int count_role(const edf *e, role r) {
  int n = 0;

  for (int i = 0; i < e->n_signals; i++) {
    n += e->signals[i].role == r;
  }
  return n;
}

// --- samples ---

static int32_t sample_at(const unsigned char *at, int n_bytes) {
  if (n_bytes == 2) {
    return (int16_t)(at[0] | at[1] << 8);
  }
  return (int32_t)((uint32_t)at[0] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 24) >> 8;
}

// value = offset + gain * count
typedef struct {
  float *row;
  double gain, offset;
} target;

static void copy_samples(const edf *e, const edf_signal *s, const unsigned char *record,
                         int64_t first, target to) {
  for (int64_t i = 0; i < e->per_record; i++) {
    // other rates: hold the last value
    int64_t from = s->per_record == e->per_record ? i : i * s->per_record / e->per_record;
    int32_t count = sample_at(record + s->at + from * e->sample_bytes, e->sample_bytes);
    to.row[first + i] = (float)(to.offset + to.gain * count);
  }
}

// Start of a data record in s from its time-keeping annotation; false if it has none.
static bool record_onset(const edf *e, const unsigned char *record, double *onset_s) {
  for (int i = 0; i < e->n_signals; i++) {
    const edf_signal *s = &e->signals[i];
    if (s->role == ROLE_ANNOTATIONS) {
      char text[32] = "";
      const char *end;
      int64_t n = s->per_record * e->sample_bytes;
      memcpy(text, record + s->at, n < 31 ? (size_t)n : 31);
      double sign = text[0] == '-' ? -1 : 1;
      bool is_time = (text[0] == '+' || text[0] == '-') &&
                     emg_number_scan(text + 1, &end, onset_s) && *end == 20;
      *onset_s *= sign;
      return is_time;
    }
  }
  return false;
}

static emg_status read_records(edf *e, const target *targets, emg_recording *out, emg_error *err) {
  unsigned char *record;
  double onset_s, expected_s = NAN;
  int64_t n_gaps = 0;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)e->record_bytes, 1, &record, err));
  for (int64_t r = 0; status == EMG_OK && r < e->n_records; r++) {
    if (fread(record, 1, (size_t)e->record_bytes, e->file) != (size_t)e->record_bytes) {
      status = emg_fail(err, EMG_ERR_IO, "cannot read data record %lld: %s", (long long)r + 1,
                        strerror(errno));
      break;
    }
    if (e->is_discontinuous && record_onset(e, record, &onset_s)) {
      n_gaps += fabs(onset_s - expected_s) * (double)e->per_record > 0.5 * e->record_s;
      expected_s = onset_s + e->record_s;
    }
    for (int i = 0; i < e->n_signals; i++) {
      if (targets[i].row) {
        copy_samples(e, &e->signals[i], record, r * e->per_record, targets[i]);
      }
    }
  }
  free(record);
  if (n_gaps > 0) {
    emg_recording_note(out,
                       "the file is discontinuous: %lld gaps were closed, times after them "
                       "are early",
                       (long long)n_gaps);
  }
  return status;
}

// Gain and offset of a signal in uV for EMG and in its own unit otherwise. Signals without a usable
// scale stay counts.
static target scale_of(const edf_signal *s, const emg_read_options *options, bool is_physical) {
  double range = s->physical_max - s->physical_min;
  double gain = range / (s->digital_max - s->digital_min);
  target t = {NULL, gain, s->physical_min - gain * s->digital_min};

  if (s->role == ROLE_EMG && is_physical) {
    t.gain *= s->uv;
    t.offset *= s->uv;
  } else if (s->role == ROLE_EMG) {
    t.gain = options && options->scale_uv > 0 ? options->scale_uv : 1;
    t.offset = 0;
  } else if (range == 0) {
    t = (target){NULL, 1, 0};
  }
  return t;
}

// All EMG signals state a voltage and a range.
static bool has_scale(const edf *e) {
  for (int i = 0; i < e->n_signals; i++) {
    const edf_signal *s = &e->signals[i];
    if (s->role == ROLE_EMG && (s->uv == 0 || s->physical_min == s->physical_max)) {
      return false;
    }
  }
  return true;
}

static void note_scale(const edf *e, const emg_read_options *options, emg_recording *out) {
  const edf_signal *first = NULL;

  for (int i = e->n_signals - 1; i >= 0; i--) {
    first = e->signals[i].role == ROLE_EMG ? &e->signals[i] : first;
  }
  if (!first) {
    return;
  }
  snprintf(out->source_units, sizeof out->source_units, "%s", first->unit);
  if (has_scale(e)) {
    return;
  }
  if (options && options->scale_uv > 0) {
    out->is_physical = true;
    emg_recording_note(out, "no unit of voltage in the header: %g uV per count as given",
                       options->scale_uv);
  } else {
    out->is_physical = false;
    emg_recording_note(out, "no unit of voltage or no range in the header: values are raw counts");
  }
}

static emg_status read_signals(edf *e, const emg_read_options *options, emg_recording *out,
                               emg_error *err) {
  int c = 0, a = 0;
  bool is_physical = has_scale(e);
  target *targets;

  EMG_TRY(emg_alloc((size_t)e->n_signals, sizeof *targets, &targets, err));
  for (int i = 0; i < e->n_signals; i++) {
    const edf_signal *s = &e->signals[i];
    if (s->role == ROLE_ANNOTATIONS) {
      continue;
    }
    targets[i] = scale_of(s, options, is_physical);
    if (s->role == ROLE_EMG) {
      targets[i].row = emg_row2f(&out->data, c);
      emg_label_copy(out->channels[c].name, sizeof out->channels[c].name, s->label,
                     strlen(s->label));
      c++;
    } else if (a < out->aux.n_rows && s->per_record > 0) {
      targets[i].row = emg_row2f(&out->aux, a);
      snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name, "%.47s", s->label);
      snprintf(out->aux_channels[a].units, sizeof out->aux_channels[a].units, "%s", s->unit);
      a++;
    }
  }
  emg_status status = read_records(e, targets, out, err);
  free(targets);
  return status;
}

// Auxiliary signals are held at the rate of the EMG; leave them out where a few slow ones would
// become far larger than the file.
static int count_aux(const edf *e, emg_recording *out) {
  int n = 0;

  for (int i = 0; i < e->n_signals; i++) {
    n += e->signals[i].role == ROLE_AUX && e->signals[i].per_record > 0;
  }
  double bytes = (double)n * (double)e->per_record * (double)e->n_records * sizeof(float);
  if (bytes > AUX_BYTES_MIN && bytes > 8 * (double)e->n_bytes) {
    emg_recording_note(out,
                       "%d slow signals besides the EMG were left out: they would take %.0f MB", n,
                       bytes / 1e6);
    return 0;
  }
  return n;
}

static emg_status read_recording(edf *e, const emg_read_options *options, emg_recording *out,
                                 emg_error *err) {
  int n_demoted;
  double rate_hz;

  EMG_TRY(choose_rate(e, &n_demoted, err));
  double stated_hz = e->record_s > 0 ? (double)e->per_record / e->record_s : 0;
  EMG_TRY(emg_settle_rate(stated_hz, options, &rate_hz, err));
  EMG_TRY(emg_recording_create(count_role(e, ROLE_EMG), e->per_record * e->n_records, rate_hz, out,
                               err));
  snprintf(out->format, sizeof out->format, "%s%s", e->is_bdf ? "BDF" : "EDF",
           !e->is_plus           ? ""
           : e->is_discontinuous ? "+D"
                                 : "+C");
  int n_aux = count_aux(e, out);
  if (n_aux > 0) {
    EMG_TRY(emg_recording_add_aux(out, n_aux, err));
  }
  if (n_demoted > 0) {
    emg_recording_note(out, "%d signals at another rate than the EMG's %g Hz are kept as auxiliary",
                       n_demoted, rate_hz);
  }
  int64_t rest = e->n_bytes - e->header_bytes - e->n_records * e->record_bytes;
  if (rest > 0) {
    emg_recording_note(out, "%lld bytes after the last whole data record were not read",
                       (long long)rest);
  }
  note_scale(e, options, out);
  return out->data.n_cols > 0 ? read_signals(e, options, out, err) : EMG_OK;
}

emg_status emg_edf_read_roles(const char *path, const emg_read_options *options,
                              const emg_signal_role *roles, int n_roles, emg_recording *out,
                              emg_error *err) {
  edf e;

  *out = (emg_recording){.pitch_mm = NAN};
  emg_status status = edf_open(path, &e, err);
  if (status == EMG_OK) {
    assign_roles(&e, roles, n_roles);
    status = read_recording(&e, options, out, err);
  }
  edf_close(&e);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}

emg_status emg_edf_length(const char *path, double *rate_hz, int64_t *n_samples, emg_error *err) {
  edf e;
  int n_demoted;

  emg_status status = edf_open(path, &e, err);
  if (status == EMG_OK) {
    assign_roles(&e, NULL, 0);
    status = choose_rate(&e, &n_demoted, err);
  }
  *rate_hz = status == EMG_OK && e.record_s > 0 ? (double)e.per_record / e.record_s : 0;
  *n_samples = status == EMG_OK ? e.per_record * e.n_records : 0;
  edf_close(&e);
  return status;
}

bool emg_edf_probe(const emg_probe *probe) {
  static const char edf_start[] = "0       ", bdf_start[] = "\377BIOSEMI";

  return !probe->is_folder && probe->n_bytes >= 8 &&
         (memcmp(probe->bytes, edf_start, 8) == 0 || memcmp(probe->bytes, bdf_start, 8) == 0);
}

emg_status emg_edf_read(const char *path, const emg_read_options *options, emg_recording *out,
                        emg_error *err) {
  return emg_edf_read_roles(path, options, NULL, 0, out, err);
}
