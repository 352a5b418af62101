// convert.c -- the table of writers, and what is said of a conversion
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/emgtwin.h>

#include "base/part_file.h"
#include "base/part_folder.h"
#include "base/text.h"
#include "convert_priv.h"

enum {
  EMG = EMG_KEEPS_EMG | EMG_KEEPS_RATE | EMG_KEEPS_AUX,
  UNITS = EMG_KEEPS_UNITS | EMG_KEEPS_RATE,
  CHANNELS = EMG_KEEPS_GRID | EMG_KEEPS_POSITIONS | EMG_KEEPS_NAMES | EMG_KEEPS_STATES,
};

static const emg_writer writers[] = {
    {"native", ".h5", "native HDF5 file", EMG | UNITS | CHANNELS | EMG_KEEPS_ALL, emg_write_native},
    {"openhdemg", "/", "module folder of openhdemg 0.2",
     EMG | UNITS | CHANNELS | EMG_KEEPS_SOURCES | EMG_KEEPS_SIL | EMG_NEEDS_EMG,
     emg_write_openhdemg},
    {"openhdemg-json", ".json", "compressed JSON file of openhdemg",
     EMG | UNITS | CHANNELS | EMG_KEEPS_SOURCES | EMG_KEEPS_SIL | EMG_NEEDS_EMG,
     emg_write_openhdemg_json},
    {"demuse", ".mat", "DEMUSE, MATLAB 5: SIG, IPTs, MUPulses",
     EMG | UNITS | EMG_KEEPS_GRID | EMG_KEEPS_STATES | EMG_KEEPS_SOURCES | EMG_KEEPS_PNR |
         EMG_NEEDS_EMG,
     emg_write_demuse},
    {"muedit", "_decomp.mat", "MUedit, MATLAB 7.3: signal, parameters",
     EMG | UNITS | EMG_KEEPS_GRID | EMG_KEEPS_STATES | EMG_KEEPS_SOURCES | EMG_NEEDS_EMG,
     emg_write_muedit},
    {"muniverse", "_events.tsv", "discharges as events of MUniverse and MUnitQuest, with run log",
     UNITS | EMG_KEEPS_CONFIG | EMG_NEEDS_UNITS, emg_write_muniverse},
    {"bids", "/", "EMG-BIDS data set with the discharges as derivative",
     EMG | UNITS | CHANNELS | EMG_KEEPS_CONFIG | EMG_NEEDS_EMG, emg_write_bids},
    {"edf", ".edf", "EDF, 16 bit", EMG | EMG_KEEPS_NAMES | EMG_NEEDS_EMG, emg_write_edf},
    {"bdf", ".bdf", "BDF, 24 bit", EMG | EMG_KEEPS_NAMES | EMG_NEEDS_EMG, emg_write_bdf},
    {"csv", ".csv", "table for openhdemg's custom CSV reader",
     EMG_KEEPS_EMG | EMG_KEEPS_AUX | EMG_KEEPS_UNITS | EMG_KEEPS_SOURCES | EMG_KEEPS_SIL |
         EMG_NEEDS_EMG,
     emg_write_csv},
};

const emg_writer *emg_writers(int *n) {
  *n = (int)(sizeof writers / sizeof writers[0]);
  return writers;
}

// --- which writer ---

static bool ends_with(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n >= m && strcasecmp(path + n - m, suffix) == 0;
}

static emg_status fail_unknown(const char *what, emg_error *err) {
  char names[200] = "";
  size_t used = 0;

  for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                             writers[i].name);
  }
  return emg_fail(err, EMG_ERR_ARG, "%s; name the format with --to: %s", what, names);
}

emg_status emg_writer_find(const char *name, const char *path, const emg_writer **out,
                           emg_error *err) {
  char what[240];
  size_t longest = 0;
  int n_found = 0;

  *out = NULL;
  for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
    const emg_writer *w = &writers[i];
    size_t length = strlen(w->suffix);
    bool is_it = name ? strcmp(w->name, name) == 0 : ends_with(path, w->suffix);
    if (is_it && (name || length >= longest)) {
      n_found = !name && length == longest ? n_found + 1 : 1;
      longest = length;
      *out = w;
    }
  }
  if (!name && !*out && ends_with(path, ".hdf5")) {
    *out = &writers[0];
    return EMG_OK;
  }
  if (name && !*out) {
    snprintf(what, sizeof what, "there is no format %s", emg_quote(name).text);
    return fail_unknown(what, err);
  }
  if (name) {
    return EMG_OK;
  }
  // plain .mat may be either of two programs' files, and a folder is told by no name
  bool is_mat = *out && strcmp((*out)->suffix, ".mat") == 0;
  if (n_found == 1 && !is_mat) {
    return EMG_OK;
  }
  *out = NULL;
  snprintf(what, sizeof what, "the name %s does not tell the format", emg_quote(path).text);
  return fail_unknown(what, err);
}

emg_status emg_convert_check(const char *path, const emg_writer *writer, bool overwrite,
                             emg_error *err) {
  if (strcmp(writer->suffix, "/") == 0) {
    const char *mark = strcmp(writer->name, "bids") == 0 ? EMG_BIDS_MARK : EMG_MODULE_MARK;
    return emg_part_folder_check(path, mark, overwrite, err);
  }
  return emg_part_file_check(path, overwrite, err);
}

// --- notes ---

void emg_export_note(const emg_export *e, const char *format, ...) {
  emg_conversion *report = e->report;
  va_list args;

  if (report->n_notes < EMG_CONVERSION_NOTES_MAX) {
    va_start(args, format);
    vsnprintf(report->notes[report->n_notes++], sizeof report->notes[0], format, args);
    va_end(args);
  }
}

// Name what there is that the format has no place for.
static void list(char *text, size_t size, bool is_there, const char *what) {
  size_t used = strlen(text);

  if (is_there) {
    snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", what);
  }
}

static bool any_place(const emg_recording *rec, bool is_position) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *channel = &rec->channels[c];
    if (is_position ? isfinite(channel->x_mm) : channel->row >= 0) {
      return true;
    }
  }
  return false;
}

emg_channel_state emg_export_state(const emg_export *e, int channel) {
  const emg_decomposition *d = e->found;
  emg_channel_state state = e->rec->channels[channel].state;
  bool is_known = d && d->channels && d->n_channels == e->rec->data.n_rows &&
                  d->channels[channel].state != EMG_CHANNEL_UNUSED;

  return state == EMG_CHANNEL_GOOD && is_known ? d->channels[channel].state : state;
}

static int count_bad(const emg_export *e) {
  int n = 0;

  for (int c = 0; c < e->rec->data.n_rows; c++) {
    n += emg_export_state(e, c) != EMG_CHANNEL_GOOD;
  }
  return n;
}

static void note_recording_losses(const emg_export *e, unsigned keeps, char *lost, size_t size) {
  const emg_recording *rec = e->rec;

  if (!(keeps & EMG_KEEPS_EMG)) {
    list(lost, size, true, "the EMG");
    return;
  }
  list(lost, size, !(keeps & EMG_KEEPS_RATE), "the sampling rate");
  list(lost, size, !(keeps & EMG_KEEPS_GRID) && any_place(rec, false), "rows and columns");
  list(lost, size, !(keeps & EMG_KEEPS_POSITIONS) && any_place(rec, true), "electrode positions");
  list(lost, size, !(keeps & EMG_KEEPS_NAMES), "names of channels");
  list(lost, size, !(keeps & EMG_KEEPS_STATES) && count_bad(e) > 0, "which channels are bad");
  list(lost, size, e->contents->clean && e->contents->clean->n_rows > 0, "the clean signal");
  list(lost, size, e->contents->noise && e->contents->noise->n_rows > 0, "the noise");
}

static void note_unit_losses(const emg_export *e, unsigned keeps, char *lost, size_t size) {
  const emg_decomposition *d = e->found;
  const emg_truth *truth = e->contents->truth;

  if (!(keeps & EMG_KEEPS_UNITS)) {
    list(lost, size, true, "the discharges");
    return;
  }
  list(lost, size, d && d->source.n_rows > 0 && !(keeps & EMG_KEEPS_SOURCES), "sources");
  list(lost, size, d && d->sil && !(keeps & EMG_KEEPS_SIL), "SIL");
  list(lost, size, d && d->pnr_db && !(keeps & EMG_KEEPS_PNR), "PNR");
  list(lost, size, d && d->filters.n_units > 0, "separation filters");
  list(lost, size, d && d->edits.n_steps > 0, "the log of edits");
  list(lost, size, (d && d->muaps.n_units > 0) || (e->is_truth && truth->muaps.n_units > 0),
       "action potentials");
  list(lost, size, e->is_truth && truth->units.n_columns > 0, "parameters of the motor units");
  list(lost, size, e->is_truth && truth->excitation.n_rows > 0, "excitation");
  list(lost, size, e->is_truth && truth->fault.n_rows > 0, "the fault mask");
}

static void note_losses(const emg_export *e) {
  char lost[200] = "";
  unsigned keeps = e->writer->traits;

  if (keeps & EMG_KEEPS_ALL) {
    return;
  }
  if (e->rec) {
    note_recording_losses(e, keeps, lost, sizeof lost);
  }
  if (e->has_units) {
    note_unit_losses(e, keeps, lost, sizeof lost);
  }
  list(lost, sizeof lost,
       e->contents->provenance && e->contents->provenance->config_yaml &&
           !(keeps & EMG_KEEPS_CONFIG),
       "the configuration");
  if (lost[0]) {
    emg_export_note(e, "%s does not hold: %s", e->writer->name, lost);
  }
}

// --- what is exported ---

// Units that discharge, with their numbers.
static emg_status select_units(const emg_spikes *from, emg_export *e, emg_error *err) {
  int64_t *counts;
  int n = 0;

  EMG_TRY(emg_alloc((size_t)from->n_units + 1, sizeof *counts, &counts, err));
  emg_status status = emg_alloc((size_t)from->n_units + 1, sizeof *e->unit, &e->unit, err);
  for (int u = 0; status == EMG_OK && u < from->n_units; u++) {
    if (emg_spikes_count(from, u) > 0) {
      counts[n] = emg_spikes_count(from, u);
      e->unit[n++] = u;
    }
  }
  if (status == EMG_OK) {
    status = emg_spikes_create(n, counts, from->rate_hz, from->n_samples, &e->spikes, err);
  }
  free(counts);
  EMG_TRY(status);
  for (int u = 0; u < n; u++) {
    memcpy(e->spikes.samples + e->spikes.offsets[u], emg_spikes_of(from, e->unit[u]),
           (size_t)emg_spikes_count(&e->spikes, u) * sizeof *e->spikes.samples);
  }
  unsigned traits = e->writer->traits;
  if (n < from->n_units && (traits & EMG_KEEPS_UNITS) && !(traits & EMG_KEEPS_ALL)) {
    emg_export_note(e, "%d of %d units never discharge and are left out; the others are 0 to %d",
                    from->n_units - n, from->n_units, n - 1);
  }
  return EMG_OK;
}

// The units that are meant: found ones, the truth, or labels that came with the recording.
static const emg_spikes *choose_units(emg_export *e) {
  const emg_file_contents *c = e->contents;

  if (c->truth && (e->options->prefer_truth || !c->decomposition)) {
    e->is_truth = true;
    if (c->decomposition && !(e->writer->traits & EMG_KEEPS_ALL)) {
      emg_export_note(e, "the units are those of the ground truth; the %d found ones are left out",
                      c->decomposition->spikes.n_units);
    }
    return &c->truth->spikes;
  }
  if (c->decomposition) {
    e->found = c->decomposition;
    if (c->truth && !(e->writer->traits & EMG_KEEPS_ALL)) {
      emg_export_note(e, "the units are those that were found; the ground truth is left out");
    }
    return &c->decomposition->spikes;
  }
  return c->recording && c->recording->labels.n_units > 0 ? &c->recording->labels : NULL;
}

static emg_status check_match(const emg_export *e, const emg_spikes *units, emg_error *err) {
  if (!e->rec) {
    return EMG_OK;
  }
  if (units->rate_hz > 0 && fabs(units->rate_hz - e->rec->rate_hz) > 1e-6 * units->rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the units are at %.10g Hz, the recording at %.10g Hz: they do not belong "
                    "together",
                    units->rate_hz, e->rec->rate_hz);
  }
  if (units->n_samples > 0 && units->n_samples != e->rec->data.n_cols) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the units are of a recording of %lld samples, this one has %lld: they do not "
                    "belong together",
                    (long long)units->n_samples, (long long)e->rec->data.n_cols);
  }
  for (int u = 0; u < units->n_units; u++) {
    int64_t n = emg_spikes_count(units, u);
    if (n > 0 && emg_spikes_of(units, u)[n - 1] >= e->rec->data.n_cols) {
      return emg_fail(err, EMG_ERR_DATA,
                      "unit %d discharges at sample %lld, after the end of the recording of %lld "
                      "samples",
                      u, (long long)emg_spikes_of(units, u)[n - 1], (long long)e->rec->data.n_cols);
    }
  }
  return EMG_OK;
}

// Channels that are not EMG; a simulated recording has none, but its force is one.
static emg_status collect_aux(emg_export *e, emg_error *err) {
  const emg_truth *truth = e->contents->truth;
  const emg_array2d *force = truth ? &truth->force : NULL;
  int n = e->rec->aux.n_rows;
  bool has_force = n == 0 && force && force->n_rows > 0 && force->n_cols == e->n_samples;

  if (has_force) {
    n = force->n_rows;
    EMG_TRY(emg_array2f_create(n, force->n_cols, &e->force, err));
  }
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *e->aux, &e->aux, err));
  e->n_aux = n;
  for (int a = 0; a < n; a++) {
    emg_export_aux *aux = &e->aux[a];
    if (!has_force) {
      memcpy(aux->name, e->rec->aux_channels[a].name, sizeof aux->name);
      memcpy(aux->units, e->rec->aux_channels[a].units, sizeof aux->units);
      aux->values = emg_row2f(&e->rec->aux, a);
      continue;
    }
    float *row = emg_row2f(&e->force, a);
    for (int64_t i = 0; i < force->n_cols; i++) {
      row[i] = (float)(100 * emg_row2d(force, a)[i]);
    }
    snprintf(aux->name, sizeof aux->name, n > 1 ? "force %d" : "force", a + 1);
    snprintf(aux->units, sizeof aux->units, "%%MVC");
    aux->values = row;
  }
  return EMG_OK;
}

const float *emg_export_source(const emg_export *e, int u) {
  bool is_kept = e->found && e->found->source.n_rows == e->found->spikes.n_units &&
                 e->found->source.n_cols == e->n_samples && e->n_samples > 0;
  return is_kept ? emg_row2f(&e->found->source, e->unit[u]) : NULL;
}

void emg_export_train(const emg_export *e, int u, float *out) {
  const int64_t *samples = emg_spikes_of(&e->spikes, u);

  memset(out, 0, (size_t)e->n_samples * sizeof *out);
  for (int64_t i = 0; i < emg_spikes_count(&e->spikes, u); i++) {
    out[samples[i]] = 1;
  }
}

static emg_status check_needs(const emg_export *e, emg_error *err) {
  const emg_writer *w = e->writer;

  if ((w->traits & EMG_NEEDS_EMG) && !e->rec) {
    return emg_fail(err, EMG_ERR_ARG,
                    "%s holds a recording, and there is none here; name the one that the units "
                    "belong to with --emg",
                    w->name);
  }
  if ((w->traits & EMG_NEEDS_UNITS) && !e->has_units) {
    return emg_fail(err, EMG_ERR_ARG,
                    "%s holds the discharges of motor units, and there are none here; decompose "
                    "the recording first",
                    w->name);
  }
  if (!(e->rate_hz > 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the sampling rate is not known; give it with --rate \"2048 Hz\"");
  }
  return EMG_OK;
}

static emg_status prepare(emg_export *e, emg_error *err) {
  const emg_file_contents *c = e->contents;

  e->rec = c->recording && c->recording->data.n_rows > 0 ? c->recording : NULL;
  const emg_spikes *units = choose_units(e);
  e->has_units = units != NULL;
  e->rate_hz = e->rec ? e->rec->rate_hz : units ? units->rate_hz : 0;
  e->n_samples = e->rec ? e->rec->data.n_cols : units ? units->n_samples : 0;
  EMG_TRY(check_needs(e, err));
  if (units) {
    EMG_TRY(emg_spikes_check(units, err));
    EMG_TRY(check_match(e, units, err));
    EMG_TRY(select_units(units, e, err));
  } else {
    EMG_TRY(emg_spikes_create(0, NULL, e->rate_hz, e->n_samples, &e->spikes, err));
  }
  if (!e->rec && c->recording && c->recording->aux.n_rows > 0) {
    emg_export_note(e, "%s is left out: there is no EMG to go with it",
                    c->recording->aux_channels[0].name);
  }
  return e->rec ? collect_aux(e, err) : EMG_OK;
}

emg_status emg_convert(const char *path, const emg_writer *writer,
                       const emg_file_contents *contents, const emg_convert_options *options,
                       emg_conversion *out, emg_error *err) {
  static const emg_convert_options none = {0};
  emg_export e = {
      .writer = writer, .contents = contents, .options = options ? options : &none, .report = out};

  *out = (emg_conversion){.format = writer->name};
  emg_status status = emg_convert_check(path, writer, e.options->overwrite, err);
  if (status == EMG_OK) {
    status = prepare(&e, err);
  }
  if (status == EMG_OK) {
    bool has_emg = e.rec && (writer->traits & EMG_KEEPS_EMG);
    bool has_units = e.has_units && (writer->traits & EMG_KEEPS_UNITS);
    out->n_channels = has_emg ? e.rec->data.n_rows : 0;
    out->n_samples = has_emg ? e.n_samples : 0;
    out->n_units = has_units ? e.spikes.n_units : 0;
    out->n_discharges = has_units ? e.spikes.offsets[e.spikes.n_units] : 0;
    note_losses(&e);
    status = writer->write(path, &e, err);
  }
  emg_spikes_free(&e.spikes);
  emg_array2f_free(&e.force);
  free(e.aux);
  free(e.unit);
  return status;
}

// --- the native file ---

emg_status emg_write_native(const char *path, const emg_export *e, emg_error *err) {
  emg_file_contents contents = *e->contents;
  emg_decomposition labels = {0};
  emg_status status = EMG_OK;

  contents.recording = e->rec;
  if (e->has_units && !contents.truth && !contents.decomposition) {
    const emg_spikes *units = &e->contents->recording->labels;
    int n = units->n_units;
    EMG_TRY_DONE(emg_spikes_copy(units, &labels.spikes, err));
    EMG_TRY_DONE(emg_alloc((size_t)n + 1, sizeof(double), &labels.isi_cov, err));
    EMG_TRY_DONE(emg_alloc((size_t)n + 1, sizeof(double), &labels.rate_hz, err));
    for (int u = 0; u < n; u++) {
      emg_train_stats stats = emg_spikes_stats(units, u);
      labels.isi_cov[u] = stats.isi_cov;
      labels.rate_hz[u] = stats.rate_hz;
    }
    contents.decomposition = &labels;
  }
  status = emg_file_write(path, &contents, e->options->overwrite, err);
done:
  emg_decomposition_free(&labels);
  return status;
}
