// mat_otb.c -- OTBiolab+ export: columns of Data, told apart by their texts
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/array.h>

#include "formats_priv.h"
#include "mat_layouts_priv.h"

enum { OTB_DELAY = 8 };  // samples by which discharges are late: its extension factor

typedef enum { COLUMN_EMG, COLUMN_AUX, COLUMN_FIRING, COLUMN_IGNORED } otb_column;

static bool mentions(const char *text, const char *word) {
  return strcasestr(text, word) != NULL;
}

static otb_column otb_kind(const char *text) {
  if (mentions(text, "decomposition of")) {
    return COLUMN_FIRING;
  }
  if (mentions(text, "source for decomposition")) {
    return COLUMN_IGNORED;
  }
  if (mentions(text, "acquired data") || mentions(text, "performed path") ||
      mentions(text, "requested path") || mentions(text, "auxiliary") || mentions(text, "force") ||
      mentions(text, "trigger") || mentions(text, "quaternion") || mentions(text, "buffer") ||
      mentions(text, "ramp") || mentions(text, "control")) {
    return COLUMN_AUX;
  }
  return COLUMN_EMG;
}

// Unit in brackets at the end of a column's text, "" if there is none.
static void otb_unit(const char *text, char unit[16]) {
  const char *open = strrchr(text, '['), *close = open ? strchr(open, ']') : NULL;

  unit[0] = '\0';
  if (close) {
    emg_label_copy(unit, 16, open + 1, (size_t)(close - open) - 1);
  }
}

// Grid code ("GR08MM1305": 8 mm, 13 rows, 5 columns) in a column's text; its distance in mm, 0 if
// none.
static double otb_grid(const char *text, char group[32]) {
  for (const char *at = text; *at; at++) {
    int pitch_mm, rows, columns, length = 0;
    if ((strncmp(at, "GR", 2) == 0 || strncmp(at, "HD", 2) == 0) &&
        sscanf(at + 2, "%2dMM%2d%2d%n", &pitch_mm, &rows, &columns, &length) == 3 && length > 0) {
      snprintf(group, 32, "%.*s", length + 2, at);
      return pitch_mm;
    }
  }
  return 0;
}

typedef struct {
  const emg_mat *data, *texts;
  int n[COLUMN_IGNORED + 1];
  bool is_physical;
} otb;

static void otb_text(const otb *o, int64_t column, char text[200]) {
  emg_mat_text(emg_mat_cell(o->texts, column), text, 200);
}

static void otb_emg_column(const otb *o, int64_t column, int c, emg_recording *out) {
  char text[200], unit[16];
  emg_channel *channel = &out->channels[c];
  float *row = emg_row2f(&out->data, c);

  otb_text(o, column, text);
  otb_unit(text, unit);
  emg_label_copy(channel->name, sizeof channel->name, text, strcspn(text, "["));
  double pitch_mm = otb_grid(text, channel->group);
  if (pitch_mm > 0) {
    out->pitch_mm = pitch_mm;
  }
  emg_mat_floats(o->data, column * o->data->n_rows, 1, o->data->n_rows, row);
  if (o->is_physical) {
    double uv = emg_uv_per_unit(unit);
    for (int64_t i = 0; i < out->data.n_cols; i++) {
      row[i] = (float)(row[i] * uv);
    }
    snprintf(out->source_units, sizeof out->source_units, "%s", unit);
  }
}

// Discharges of a 0/1 column; the program writes them late by its extension factor.
static emg_status otb_firings(const otb *o, emg_recording *out, emg_error *err) {
  int64_t *counts;
  int u = 0;

  EMG_TRY(emg_alloc((size_t)o->n[COLUMN_FIRING] + 1, sizeof *counts, &counts, err));
  for (int pass = 0; pass < 2; pass++) {
    u = 0;
    for (int64_t k = 0; k < o->data->n_columns; k++) {
      char text[200];
      otb_text(o, k, text);
      if (otb_kind(text) != COLUMN_FIRING) {
        continue;
      }
      int64_t n = 0;
      for (int64_t i = OTB_DELAY; i < o->data->n_rows; i++) {
        if (emg_mat_value(o->data, k * o->data->n_rows + i) > 0.5) {
          if (pass == 1) {
            out->labels.samples[out->labels.offsets[u] + n] = i - OTB_DELAY;
          }
          n++;
        }
      }
      counts[u++] = n;
    }
    emg_status status =
        pass == 0 ? emg_spikes_create(u, counts, out->rate_hz, o->data->n_rows, &out->labels, err)
                  : EMG_OK;
    if (status != EMG_OK) {
      free(counts);
      return status;
    }
  }
  free(counts);
  emg_recording_note(out, "discharges of OTBiolab+ moved %d samples earlier, its delay", OTB_DELAY);
  return EMG_OK;
}

static void otb_count(otb *o) {
  char text[200], unit[16];

  o->is_physical = true;
  for (int64_t k = 0; k < o->data->n_columns; k++) {
    otb_text(o, k, text);
    otb_unit(text, unit);
    otb_column kind = otb_kind(text);
    o->n[kind]++;
    o->is_physical = o->is_physical && (kind != COLUMN_EMG || emg_uv_per_unit(unit) > 0);
  }
}

emg_status emg_mat_read_otb(const emg_mat_file *file, const emg_read_options *options,
                            emg_recording *out, emg_error *err) {
  const emg_mat *cells = emg_mat_find(file, "Data");
  otb o = {.data = emg_mat_cell(cells, 0), .texts = emg_mat_find(file, "Description")};
  double rate_hz;
  int c = 0, a = 0;

  if (!emg_mat_is_numeric(o.data) || emg_mat_count(o.data) == 0) {
    return emg_fail(err, EMG_ERR_DATA, "Data of the OTBiolab+ export holds no numbers");
  }
  EMG_TRY(emg_mat_check_size(o.data->n_columns, o.data->n_rows, err));
  if (!o.texts || emg_mat_count(o.texts) < o.data->n_columns) {
    return emg_fail(err, EMG_ERR_DATA, "Description has %lld texts for %lld columns of Data",
                    (long long)(o.texts ? emg_mat_count(o.texts) : 0),
                    (long long)o.data->n_columns);
  }
  EMG_TRY(emg_mat_read_rate(emg_mat_find(file, "SamplingFrequency"), options, &rate_hz, err));
  otb_count(&o);
  EMG_TRY(emg_recording_create(o.n[COLUMN_EMG], o.data->n_rows, rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "MATLAB 5 (OTBiolab+)");
  if (o.n[COLUMN_AUX] > 0) {
    EMG_TRY(emg_recording_add_aux(out, o.n[COLUMN_AUX], err));
  }
  for (int64_t k = 0; k < o.data->n_columns; k++) {
    char text[200], unit[16], name[48];
    otb_text(&o, k, text);
    otb_column kind = otb_kind(text);
    if (kind == COLUMN_EMG) {
      otb_emg_column(&o, k, c++, out);
    } else if (kind == COLUMN_AUX) {
      otb_unit(text, unit);
      emg_label_copy(name, sizeof name, text, strcspn(text, "["));
      emg_mat_name_aux(out, a, name, unit);
      emg_mat_floats(o.data, k * o.data->n_rows, 1, o.data->n_rows, emg_row2f(&out->aux, a++));
    }
  }
  if (o.n[COLUMN_EMG] > 0 && !o.is_physical) {
    emg_mat_scale_counts(out, NULL, options);
  }
  if (cells->kind == MAT_CELL && emg_mat_count(cells) > 1) {
    emg_recording_note(out, "only the first of %lld recordings in Data was read",
                       (long long)emg_mat_count(cells));
  }
  return o.n[COLUMN_FIRING] > 0 ? otb_firings(&o, out, err) : EMG_OK;
}
