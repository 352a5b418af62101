// csv_write.c -- a table for openhdemg's reader of custom CSV: signals, sources, discharges
#include <stdlib.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "base/part_file.h"
#include "convert_priv.h"

static void write_names(const emg_export *e, bool has_sources, emg_buffer *out) {
  emg_buffer_text(out, e->n_aux > 0 ? "REF_SIGNAL," : "");
  for (int c = 0; c < e->rec->data.n_rows; c++) {
    emg_buffer_print(out, "%sRAW_SIGNAL_%d", c > 0 ? "," : "", c);
  }
  for (int u = 0; has_sources && u < e->spikes.n_units; u++) {
    emg_buffer_print(out, ",IPTS_%d", u);
  }
  for (int u = 0; u < e->spikes.n_units; u++) {
    emg_buffer_print(out, ",MUPULSES_%d", u);
  }
  emg_buffer_text(out, e->spikes.n_units > 0 ? ",ACCURACY\n" : "\n");
}

static void write_number(emg_buffer *out, double value) {
  emg_buffer_text(out, isfinite(value) ? emg_number_format_float(value).text : "");
}

// One line: samples of all signals at this instant, and the discharges and accuracies whose turn it
// is, for those columns are shorter.
static void write_line(const emg_export *e, bool has_sources, int64_t i, emg_buffer *out) {
  double scale = emg_export_scale(e);

  if (e->n_aux > 0) {
    write_number(out, e->aux[0].values[i]);
    emg_buffer_add(out, ",", 1);
  }
  for (int c = 0; c < e->rec->data.n_rows; c++) {
    emg_buffer_text(out, c > 0 ? "," : "");
    write_number(out, scale * emg_row2f(&e->rec->data, c)[i]);
  }
  for (int u = 0; has_sources && u < e->spikes.n_units; u++) {
    emg_buffer_add(out, ",", 1);
    write_number(out, emg_export_source(e, u)[i]);
  }
  for (int u = 0; u < e->spikes.n_units; u++) {
    emg_buffer_add(out, ",", 1);
    if (i < emg_spikes_count(&e->spikes, u)) {
      emg_buffer_print(out, "%lld", (long long)emg_spikes_of(&e->spikes, u)[i]);
    }
  }
  if (e->spikes.n_units > 0) {
    emg_buffer_add(out, ",", 1);
    write_number(out, i < e->spikes.n_units ? emg_export_sil(e, (int)i) : NAN);
  }
  emg_buffer_add(out, "\n", 1);
}

emg_status emg_write_csv(const char *path, const emg_export *e, emg_error *err) {
  bool has_sources = e->spikes.n_units > 0 && emg_export_source(e, 0);
  emg_buffer out = {0};

  write_names(e, has_sources, &out);
  for (int64_t i = 0; i < e->n_samples && !out.has_failed; i++) {
    write_line(e, has_sources, i, &out);
  }
  if (e->n_aux > 1) {
    emg_export_note(e, "of %d channels that are not EMG only %s is kept", e->n_aux, e->aux[0].name);
  }
  emg_export_note(
      e, "values are in %s; openhdemg's reader needs fsamp=%s and the pitch, %s",
      e->rec->is_physical ? "mV" : "counts", emg_number_format(e->rate_hz).text,
      isfinite(e->rec->pitch_mm) ? emg_number_format(e->rec->pitch_mm).text : "which is not known");
  emg_status status = emg_buffer_check(&out, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, out.bytes, out.n, e->options->overwrite, err);
  }
  emg_buffer_free(&out);
  return status;
}
