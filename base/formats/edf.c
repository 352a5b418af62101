// edf.c -- EDF, EDF+, BDF and BDF+ (Kemp & Olivan 2003)
//
// Read here and not with EDFlib: that refuses discontinuous files, more than 640 signals, headers
// with any byte outside ASCII and files whose length is not exact, all with one code for many
// reasons, and keeps its files in a global table that threads cannot share.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "edf_priv.h"

enum { AUX_BYTES_MIN = 64 << 20 };

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
static emg_edf_role guess_role(const emg_edf_signal *s) {
  static const char *const other[] = {"force", "torque", "trig",    "status", "event", "aux",
                                      "accel", "gyro",   "path",    "target", "angle", "load",
                                      "mvc",   "sync",   "ramp",    "buffer", "ecg",   "eeg",
                                      "eog",   "marker", "battery", NULL};
  static const char *const counts[] = {"a.u.", "au", "count", "lsb", "adc", "digital", NULL};

  if (mentions(s->label, other)) {
    return EMG_EDF_AUX;
  }
  if (s->uv > 0 || s->unit[0] == '\0' || mentions(s->unit, counts) ||
      strncasecmp(s->label, "EMG", 3) == 0) {
    return EMG_EDF_EMG;
  }
  return EMG_EDF_AUX;
}

static void assign_roles(emg_edf *e, const emg_signal_role *roles, int n_roles) {
  for (int i = 0; i < e->n_signals; i++) {
    emg_edf_signal *s = &e->signals[i];
    int known = -1;

    if (s->role == EMG_EDF_ANNOTATIONS) {
      continue;
    }
    for (int k = 0; k < n_roles && known < 0; k++) {
      known = strcmp(roles[k].name, s->label) == 0 ? k : -1;
    }
    s->role = known < 0 ? guess_role(s) : roles[known].is_emg ? EMG_EDF_EMG : EMG_EDF_AUX;
  }
}

static int compare_counts(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Samples per record of most EMG signals, the larger if two numbers are as frequent. Signals with
// another number are not EMG then.
static emg_status choose_rate(emg_edf *e, int *n_demoted, emg_error *err) {
  int64_t *counts;
  int n = 0, run = 0, best_run = 0;

  *n_demoted = 0;
  EMG_TRY(emg_alloc((size_t)e->n_signals, sizeof *counts, &counts, err));
  for (int i = 0; i < e->n_signals; i++) {
    if (e->signals[i].role == EMG_EDF_EMG) {
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
    emg_edf_signal *s = &e->signals[i];
    if (s->role == EMG_EDF_EMG && s->per_record != e->per_record) {
      s->role = EMG_EDF_AUX;
      ++*n_demoted;
    } else if (n == 0 && s->role == EMG_EDF_AUX && s->per_record > e->per_record) {
      e->per_record = s->per_record;  // no EMG: the fastest signal sets the rate
    }
  }
  return EMG_OK;
}

static int count_role(const emg_edf *e, emg_edf_role r) {
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

// Where a signal goes: value = offset + gain * count.
typedef struct {
  double gain, offset;
  int row;  // of the channels or of aux
  bool is_aux, is_kept;
} target;

// A file whose samples are being read.
typedef struct {
  emg_edf e;
  target *targets;        // [signal]
  unsigned char *record;  // the data record read last
  int64_t held, next;     // its number, -1 if none; the one that follows in the file
} reader;

// Samples [from, from + n) of a data record.
static void copy_samples(const emg_edf *e, const emg_edf_signal *s, const unsigned char *record,
                         int64_t from, int64_t n, const target *t, float *to) {
  for (int64_t i = 0; i < n; i++) {
    // other rates: hold the last value
    int64_t at = from + i;
    at = s->per_record == e->per_record ? at : at * s->per_record / e->per_record;
    int32_t count = sample_at(record + s->at + at * e->sample_bytes, e->sample_bytes);
    to[i] = (float)(t->offset + t->gain * count);
  }
}

// Start of a data record in s from its time-keeping annotation; false if it has none.
static bool record_onset(const emg_edf *e, const unsigned char *record, double *onset_s) {
  for (int i = 0; i < e->n_signals; i++) {
    const emg_edf_signal *s = &e->signals[i];
    if (s->role == EMG_EDF_ANNOTATIONS) {
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

static emg_status fail_record(int64_t number, emg_error *err) {
  return emg_fail(err, EMG_ERR_IO, "cannot read data record %lld: %s", (long long)number + 1,
                  strerror(errno));
}

// Gaps between the data records of a discontinuous file, from its annotations alone.
static emg_status note_gaps(emg_edf *e, emg_recording *out, emg_error *err) {
  unsigned char *record;
  double onset_s, expected_s = NAN;
  int64_t n_gaps = 0;
  emg_status status = EMG_OK;

  if (!e->is_discontinuous) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)e->record_bytes, 1, &record, err));
  for (int64_t r = 0; status == EMG_OK && r < e->n_records; r++) {
    if (fread(record, 1, (size_t)e->record_bytes, e->file) != (size_t)e->record_bytes) {
      status = fail_record(r, err);
    } else if (record_onset(e, record, &onset_s)) {
      n_gaps += fabs(onset_s - expected_s) * (double)e->per_record > 0.5 * e->record_s;
      expected_s = onset_s + e->record_s;
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

static emg_status hold_record(reader *r, int64_t number, emg_error *err) {
  emg_edf *e = &r->e;

  if (number == r->held) {
    return EMG_OK;
  }
  r->held = -1;
  bool is_there = number == r->next ||
                  fseeko(e->file, e->header_bytes + number * e->record_bytes, SEEK_SET) == 0;
  r->next = -1;
  if (!is_there ||
      fread(r->record, 1, (size_t)e->record_bytes, e->file) != (size_t)e->record_bytes) {
    return fail_record(number, err);
  }
  r->held = number;
  r->next = number + 1;
  return EMG_OK;
}

// Samples [begin, begin + n) of the channels and, unless NULL, of the other signals.
static emg_status read_span(reader *r, int64_t begin, int64_t n, const emg_array2f *channels,
                            const emg_array2f *aux, emg_error *err) {
  const emg_edf *e = &r->e;

  for (int64_t at = begin; at < begin + n;) {
    int64_t from = at % e->per_record, length = e->per_record - from;
    length = length < begin + n - at ? length : begin + n - at;
    EMG_TRY(hold_record(r, at / e->per_record, err));
    for (int i = 0; i < e->n_signals; i++) {
      const target *t = &r->targets[i];
      const emg_array2f *rows = t->is_aux ? aux : channels;
      if (t->is_kept && rows) {
        copy_samples(e, &e->signals[i], r->record, from, length, t,
                     emg_row2f(rows, t->row) + (at - begin));
      }
    }
    at += length;
  }
  return EMG_OK;
}

// Gain and offset of a signal in uV for EMG and in its own unit otherwise. Signals without a usable
// scale stay counts.
static target scale_of(const emg_edf_signal *s, const emg_read_options *options, bool is_physical) {
  double range = s->physical_max - s->physical_min;
  double gain = range / (s->digital_max - s->digital_min);
  target t = {.gain = gain, .offset = s->physical_min - gain * s->digital_min};

  if (s->role == EMG_EDF_EMG && is_physical) {
    t.gain *= s->uv;
    t.offset *= s->uv;
  } else if (s->role == EMG_EDF_EMG) {
    t.gain = options && options->scale_uv > 0 ? options->scale_uv : 1;
    t.offset = 0;
  } else if (range == 0) {
    t = (target){.gain = 1};
  }
  return t;
}

// All EMG signals state a voltage and a range.
static bool has_scale(const emg_edf *e) {
  for (int i = 0; i < e->n_signals; i++) {
    const emg_edf_signal *s = &e->signals[i];
    if (s->role == EMG_EDF_EMG && (s->uv == 0 || s->physical_min == s->physical_max)) {
      return false;
    }
  }
  return true;
}

static void note_scale(const emg_edf *e, const emg_read_options *options, emg_recording *out) {
  const emg_edf_signal *first = NULL;

  for (int i = e->n_signals - 1; i >= 0; i--) {
    first = e->signals[i].role == EMG_EDF_EMG ? &e->signals[i] : first;
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

// Where every signal goes, and what it is called there.
static void place_signals(reader *r, const emg_read_options *options, emg_recording *out) {
  const emg_edf *e = &r->e;
  int c = 0, a = 0;
  bool is_physical = has_scale(e);

  for (int i = 0; i < e->n_signals; i++) {
    const emg_edf_signal *s = &e->signals[i];
    target *t = &r->targets[i];
    if (s->role == EMG_EDF_ANNOTATIONS) {
      continue;
    }
    *t = scale_of(s, options, is_physical);
    t->is_aux = s->role == EMG_EDF_AUX;
    if (!t->is_aux) {
      emg_label_copy(out->channels[c].name, sizeof out->channels[c].name, s->label,
                     strlen(s->label));
      t->row = c++;
      t->is_kept = true;
    } else if (a < out->aux.n_rows && s->per_record > 0) {
      snprintf(out->aux_channels[a].name, sizeof out->aux_channels[a].name, "%.47s", s->label);
      snprintf(out->aux_channels[a].units, sizeof out->aux_channels[a].units, "%s", s->unit);
      t->row = a++;
      t->is_kept = true;
    }
  }
}

// Auxiliary signals are held at the rate of the EMG; leave them out where a few slow ones would
// become far larger than the file.
static int count_aux(const emg_edf *e, emg_recording *out) {
  int n = 0;

  for (int i = 0; i < e->n_signals; i++) {
    n += e->signals[i].role == EMG_EDF_AUX && e->signals[i].per_record > 0;
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

// Everything but the samples; the channels have their size but no numbers.
static emg_status describe(reader *r, const emg_read_options *options, bool with_aux,
                           emg_recording *out, emg_error *err) {
  emg_edf *e = &r->e;
  int n_demoted;
  double rate_hz;

  EMG_TRY(choose_rate(e, &n_demoted, err));
  double stated_hz = e->record_s > 0 ? (double)e->per_record / e->record_s : 0;
  EMG_TRY(emg_settle_rate(stated_hz, options, &rate_hz, err));
  EMG_TRY(emg_recording_create(count_role(e, EMG_EDF_EMG), 0, rate_hz, out, err));
  out->data.n_cols = e->per_record * e->n_records;
  snprintf(out->format, sizeof out->format, "%s%s", e->is_bdf ? "BDF" : "EDF",
           !e->is_plus           ? ""
           : e->is_discontinuous ? "+D"
                                 : "+C");
  int n_aux = with_aux ? count_aux(e, out) : 0;
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
  place_signals(r, options, out);
  return note_gaps(e, out, err);
}

static void close_reader(void *state) {
  reader *r = state;

  emg_edf_close(&r->e);
  free(r->targets);
  free(r->record);
  free(r);
}

static emg_status open_reader(const char *path, const emg_signal_role *roles, int n_roles,
                              reader **out, emg_error *err) {
  reader *r;

  EMG_TRY(emg_alloc(1, sizeof *r, &r, err));
  *out = r;
  r->held = r->next = -1;
  EMG_TRY(emg_edf_open(path, &r->e, err));
  assign_roles(&r->e, roles, n_roles);
  EMG_TRY(emg_alloc((size_t)r->e.n_signals, sizeof *r->targets, &r->targets, err));
  return emg_alloc((size_t)r->e.record_bytes, 1, &r->record, err);
}

static emg_status read_block(void *state, int64_t begin, int64_t n, const emg_array2f *out,
                             emg_error *err) {
  return read_span(state, begin, n, out, NULL, err);
}

emg_status emg_edf_read_roles(const char *path, const emg_read_options *options,
                              const emg_signal_role *roles, int n_roles, emg_recording *out,
                              emg_blocks *blocks, emg_error *err) {
  reader *r = NULL;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY_DONE(open_reader(path, roles, n_roles, &r, err));
  EMG_TRY_DONE(describe(r, options, !blocks, out, err));
  if (blocks && out->data.n_rows > 0 && out->data.n_cols > 0) {
    *blocks = (emg_blocks){r, read_block, close_reader};
    r = NULL;
  } else if (!blocks) {
    int64_t n = out->data.n_cols;
    EMG_TRY_DONE(emg_array2f_create(out->data.n_rows, n, &out->data, err));
    status = read_span(r, 0, n, &out->data, &out->aux, err);
  }
done:
  if (r) {
    close_reader(r);
  }
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}

emg_status emg_edf_length(const char *path, double *rate_hz, int64_t *n_samples, emg_error *err) {
  emg_edf e;
  int n_demoted;

  emg_status status = emg_edf_open(path, &e, err);
  if (status == EMG_OK) {
    assign_roles(&e, NULL, 0);
    status = choose_rate(&e, &n_demoted, err);
  }
  *rate_hz = status == EMG_OK && e.record_s > 0 ? (double)e.per_record / e.record_s : 0;
  *n_samples = status == EMG_OK ? e.per_record * e.n_records : 0;
  emg_edf_close(&e);
  return status;
}

bool emg_edf_probe(const emg_probe *probe) {
  static const char edf_start[] = "0       ", bdf_start[] = "\377BIOSEMI";

  return !probe->is_folder && probe->n_bytes >= 8 &&
         (memcmp(probe->bytes, edf_start, 8) == 0 || memcmp(probe->bytes, bdf_start, 8) == 0);
}

emg_status emg_edf_read(const char *path, const emg_read_options *options, emg_recording *out,
                        emg_error *err) {
  return emg_edf_read_roles(path, options, NULL, 0, out, NULL, err);
}

emg_status emg_edf_open_blocks(const char *path, const emg_read_options *options,
                               emg_recording *header, emg_blocks *blocks, emg_error *err) {
  return emg_edf_read_roles(path, options, NULL, 0, header, blocks, err);
}
