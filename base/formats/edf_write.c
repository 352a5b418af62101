// edf_write.c -- EDF and BDF (Kemp et al. 1992): all signals at one rate, one range per channel
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "base/part_file.h"
#include "base/quantise.h"
#include "convert_priv.h"

enum { BLOCK = 256, FIELD_MAX = 8, SIGNALS_MAX = 9999 };

// One signal of the file.
typedef struct {
  char label[17], unit[9], physical_max[9];
  const float *values;
  double step;
} signal;

typedef struct {
  bool is_bdf;
  int digital_max;  // -digital_max to digital_max are used, so that 0 is 0
  int sample_bytes;
  int n_signals;
  signal *signals;
  int64_t n_samples, per_record, n_records;
  char record_s[9];
} plan;

// --- length of a data record ---

// Samples in a record: a number that divides the recording and lasts a time that the eight
// characters of the header hold exactly, at most 1 s; 0 if there is none.
static int64_t dividing_record(int64_t n_samples, double rate_hz) {
  int64_t most = (int64_t)fmin(rate_hz, (double)n_samples);

  for (int64_t n = most; n > 0 && (double)n > rate_hz / 64; n--) {
    if (n_samples % n == 0 && strlen(emg_number_format((double)n / rate_hz).text) <= FIELD_MAX) {
      return n;
    }
  }
  return 0;
}

// The same without the condition that it divides: the last record is filled up.
static int64_t any_record(double rate_hz) {
  for (int64_t n = (int64_t)rate_hz; n > 0; n--) {
    if (strlen(emg_number_format((double)n / rate_hz).text) <= FIELD_MAX) {
      return n;
    }
  }
  return 0;
}

static int64_t record_length(int64_t n_samples, double rate_hz) {
  int64_t n = dividing_record(n_samples, rate_hz);

  n = n > 0 ? n : any_record(rate_hz);
  return n > 0 ? n : (int64_t)ceil(rate_hz);
}

int64_t emg_edf_padded_length(int64_t n_samples, double rate_hz) {
  int64_t n = record_length(n_samples, rate_hz);
  return (n_samples + n - 1) / n * n;
}

// --- ranges ---

// The least number of at most seven characters that is not below `value`; false if it is too large.
static bool range_text(double value, char text[9]) {
  for (int decimals = 5; decimals >= 0; decimals--) {
    double unit = pow(10, decimals), up = ceil(value * unit - 1e-9 * value * unit);
    if (up / unit < pow(10, decimals > 0 ? 6 - decimals : 7)) {
      emg_number number = emg_number_format((up > 0 ? up : 1) / unit);
      snprintf(text, 9, "%.8s", number.text);
      return strlen(number.text) <= 7 && !strchr(number.text, 'e');
    }
  }
  return false;
}

static double largest(const float *values, int64_t n) {
  float top = 0;

  for (int64_t i = 0; i < n; i++) {
    top = fmaxf(top, fabsf(values[i]));
  }
  return top;
}

static bool are_counts(const float *values, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (values[i] != roundf(values[i])) {
      return false;
    }
  }
  return true;
}

// Range and step of a signal. `kept_step` > 0: the samples are whole multiples of it, and stay so.
static emg_status set_range(const plan *p, signal *s, double kept_step, emg_error *err) {
  double top = largest(s->values, p->n_samples);
  double range =
      kept_step > 0 && top <= kept_step * (p->digital_max + 0.5) ? kept_step * p->digital_max : top;

  if (!range_text(range, s->physical_max)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s reaches %g %s, more than the header of EDF and BDF can state; convert to "
                    "another format",
                    s->label, top, s->unit);
  }
  const char *end;
  emg_number_scan(s->physical_max, &end, &range);
  s->step = range / p->digital_max;
  return EMG_OK;
}

// --- names ---

// Printable ASCII, as the header wants it; `fallback` where the name is longer or is not.
static void set_text(char *to, size_t size, const char *from, const char *fallback) {
  size_t n = strlen(from);
  bool is_plain = n > 0 && n < size;

  for (const char *at = from; *at; at++) {
    is_plain = is_plain && *at >= 32 && *at < 127;
  }
  memcpy(to, is_plain ? from : fallback, (is_plain ? n : strlen(fallback)) + 1);
}

static bool is_repeated(const plan *p, int i) {
  for (int k = 0; k < i; k++) {
    if (strcmp(p->signals[k].label, p->signals[i].label) == 0) {
      return true;
    }
  }
  return false;
}

// Names of the EMG channels, all by number if one of them does not do.
static void name_channels(const emg_export *e, plan *p) {
  const emg_recording *rec = e->rec;
  bool by_number = false;

  for (int c = 0; c < rec->data.n_rows; c++) {
    set_text(p->signals[c].label, sizeof p->signals[c].label, rec->channels[c].name, "");
    by_number = by_number || p->signals[c].label[0] == '\0' || is_repeated(p, c);
  }
  for (int c = 0; by_number && c < rec->data.n_rows; c++) {
    snprintf(p->signals[c].label, sizeof p->signals[c].label, "EMG%03d", c + 1);
  }
  if (by_number) {
    emg_export_note(e,
                    "names of channels are longer than 16 characters, repeated or not ASCII: "
                    "they are EMG001 and so on");
  }
}

static void name_aux(const emg_export *e, plan *p) {
  for (int a = 0; a < e->n_aux; a++) {
    signal *s = &p->signals[e->rec->data.n_rows + a];
    char number[32];
    snprintf(number, sizeof number, "AUX%d", a + 1);
    set_text(s->label, sizeof s->label, e->aux[a].name, number);
    if (is_repeated(p, e->rec->data.n_rows + a)) {
      snprintf(s->label, sizeof s->label, "%.16s", number);
    }
    // without any unit it would be taken for EMG
    set_text(s->unit, sizeof s->unit, e->aux[a].units, "1");
  }
}

// --- the plan ---

static void note_steps(const emg_export *e, const plan *p, bool is_exact) {
  const char *unit = e->rec->is_physical ? "uV" : "counts";
  double least = INFINITY, most = 0;

  for (int c = 0; c < e->rec->data.n_rows; c++) {
    least = fmin(least, p->signals[c].step);
    most = fmax(most, p->signals[c].step);
  }
  if (is_exact) {
    emg_export_note(e, "samples keep the steps of their converter, %.6g %s", most, unit);
    return;
  }
  e->report->step_uv = e->rec->is_physical ? most : 0;
  emg_export_note(e, "samples are rounded to %d bits: steps of %.3g to %.3g %s",
                  8 * p->sample_bytes, least, most, unit);
  if (!e->rec->is_physical) {
    emg_export_note(e,
                    "the unit of the samples is not known: readers that take the header's word "
                    "see values, others see counts of the file");
  }
}

static emg_status set_ranges(const emg_export *e, plan *p, emg_error *err) {
  const emg_recording *rec = e->rec;
  double kept_step = emg_converter_step(&rec->data);
  bool are_whole = !rec->is_physical;

  for (int c = 0; c < rec->data.n_rows && are_whole; c++) {
    are_whole = are_counts(emg_row2f(&rec->data, c), p->n_samples);
  }
  kept_step = are_whole ? 1 : kept_step;
  bool is_exact = kept_step > 0;
  for (int i = 0; i < p->n_signals; i++) {
    bool is_emg = i < rec->data.n_rows;
    EMG_TRY(set_range(p, &p->signals[i], is_emg ? kept_step : 0, err));
    is_exact = is_exact && (!is_emg || fabs(p->signals[i].step / kept_step - 1) < 1e-4);
  }
  for (int c = 0; is_exact && c < rec->data.n_rows; c++) {
    p->signals[c].step = kept_step;  // the header's is the same but for its seven characters
  }
  note_steps(e, p, is_exact);
  return EMG_OK;
}

static emg_status make_plan(const emg_export *e, bool is_bdf, plan *p, emg_error *err) {
  const emg_recording *rec = e->rec;

  *p = (plan){.is_bdf = is_bdf,
              .digital_max = is_bdf ? 8388607 : 32767,
              .sample_bytes = is_bdf ? 3 : 2,
              .n_signals = rec->data.n_rows + e->n_aux,
              .n_samples = e->n_samples};
  if (p->n_signals > SIGNALS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "EDF and BDF hold at most %d signals, these are %d",
                    SIGNALS_MAX, p->n_signals);
  }
  EMG_TRY(emg_alloc((size_t)p->n_signals, sizeof *p->signals, &p->signals, err));
  for (int i = 0; i < p->n_signals; i++) {
    bool is_emg = i < rec->data.n_rows;
    p->signals[i].values = is_emg ? emg_row2f(&rec->data, i) : e->aux[i - rec->data.n_rows].values;
    snprintf(p->signals[i].unit, sizeof p->signals[i].unit, "%s",
             is_emg && rec->is_physical ? "uV" : "");
  }
  name_channels(e, p);
  name_aux(e, p);
  p->per_record = record_length(p->n_samples, e->rate_hz);
  p->n_records = (p->n_samples + p->per_record - 1) / p->per_record;
  snprintf(p->record_s, sizeof p->record_s, "%.8s",
           emg_number_format((double)p->per_record / e->rate_hz).text);
  if (p->n_records * p->per_record > p->n_samples) {
    emg_export_note(e,
                    "%lld samples do not divide into data records: the last values are held for "
                    "%lld samples more",
                    (long long)p->n_samples,
                    (long long)(p->n_records * p->per_record - p->n_samples));
  }
  return set_ranges(e, p, err);
}

// --- bytes ---

static void put_field(emg_buffer *out, const char *text, int width) {
  emg_buffer_print(out, "%-*.*s", width, width, text);
}

static void put_count(emg_buffer *out, int64_t value, int width) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  put_field(out, text, width);
}

static void write_header(const plan *p, emg_buffer *out) {
  char text[32];

  emg_buffer_add(out, p->is_bdf ? "\377BIOSEMI" : "0       ", 8);
  put_field(out, "X X X X", 80);
  // the date that stands for none
  put_field(out, "Startdate X X X emgtwin", 80);
  emg_buffer_text(out, "01.01.8500.00.00");
  put_count(out, BLOCK * (p->n_signals + 1), 8);
  put_field(out, p->is_bdf ? "24BIT" : "", 44);
  put_count(out, p->n_records, 8);
  put_field(out, p->record_s, 8);
  put_count(out, p->n_signals, 4);
  for (int field = 0; field < 10; field++) {
    for (int i = 0; i < p->n_signals; i++) {
      const signal *s = &p->signals[i];
      snprintf(text, sizeof text, "-%s", s->physical_max);
      switch (field) {
        case 0:
          put_field(out, s->label, 16);
          break;
        case 1:
          put_field(out, "", 80);
          break;  // transducer
        case 2:
          put_field(out, s->unit, 8);
          break;
        case 3:
          put_field(out, text, 8);
          break;
        case 4:
          put_field(out, s->physical_max, 8);
          break;
        case 5:
          put_count(out, -p->digital_max, 8);
          break;
        case 6:
          put_count(out, p->digital_max, 8);
          break;
        case 7:
          put_field(out, "", 80);
          break;  // filters
        case 8:
          put_count(out, p->per_record, 8);
          break;
        default:
          put_field(out, "", 32);
      }
    }
  }
}

static void write_samples(const plan *p, const signal *s, int64_t first, unsigned char *to) {
  for (int64_t i = 0; i < p->per_record; i++) {
    int64_t from = first + i < p->n_samples ? first + i : p->n_samples - 1;
    double steps = round(s->values[from] / s->step);
    int32_t count = (int32_t)fmin(fmax(steps, -p->digital_max), p->digital_max);
    for (int k = 0; k < p->sample_bytes; k++) {
      *to++ = (unsigned char)((uint32_t)count >> (8 * k));
    }
  }
}

emg_status emg_edf_write(const emg_export *e, bool is_bdf, emg_buffer *out, char (**labels)[17],
                         emg_error *err) {
  plan p;

  emg_status status = make_plan(e, is_bdf, &p, err);
  if (status == EMG_OK && labels) {
    status = emg_alloc((size_t)p.n_signals, sizeof **labels, labels, err);
  }
  if (status == EMG_OK) {
    for (int i = 0; labels && i < p.n_signals; i++) {
      memcpy((*labels)[i], p.signals[i].label, sizeof **labels);
    }
    write_header(&p, out);
    size_t n_bytes = (size_t)(p.per_record * p.sample_bytes);
    for (int64_t r = 0; r < p.n_records; r++) {
      for (int i = 0; i < p.n_signals; i++) {
        char *to = emg_buffer_room(out, n_bytes);
        if (to) {
          write_samples(&p, &p.signals[i], r * p.per_record, (unsigned char *)to);
        }
      }
    }
    status = emg_buffer_check(out, err);
  }
  free(p.signals);
  return status;
}

static emg_status write_file(const char *path, const emg_export *e, bool is_bdf, emg_error *err) {
  emg_buffer out = {0};

  emg_status status = emg_edf_write(e, is_bdf, &out, NULL, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, out.bytes, out.n, e->options->overwrite, err);
  }
  emg_buffer_free(&out);
  return status;
}

emg_status emg_write_edf(const char *path, const emg_export *e, emg_error *err) {
  return write_file(path, e, false, err);
}

emg_status emg_write_bdf(const char *path, const emg_export *e, emg_error *err) {
  return write_file(path, e, true, err);
}
