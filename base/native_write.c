// native_write.c -- writing the native file (layout in docs/file-format.md)
#include <emgtwin/file.h>

#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#include "native_priv.h"
#include "native_signals.h"
#include "provenance.h"

// What is written, and how.
typedef struct {
  emg_h5 *file;
  int threads;
  const emg_monitor *monitor;
} writing;

// --- rows that may be longer than memory ---

typedef struct {
  const emg_row_store *store;
  emg_h5_type type;
  double step;
} stored_rows;

static bool get_rows(const void *user, int64_t run, int64_t begin, int64_t n, void *to) {
  const stored_rows *rows = user;
  return emg_row_store_get(rows->store, (int)run, begin, n, rows->type, rows->step, to);
}

static emg_status write_store(const writing *w, const char *path, const emg_row_store *store,
                              emg_h5_type type, double step, emg_error *err) {
  const int64_t dims[] = {store->n_rows, store->n_cols};
  const stored_rows rows = {store, type, step};
  const emg_h5_source source = {.get = get_rows,
                                .user = &rows,
                                .n_threads = w->threads,
                                .monitor = w->monitor,
                                .stage = "writing"};
  return emg_h5_write_from(w->file, path, type, 2, dims, &source, err);
}

emg_status emg_native_write_rows(emg_h5 *file, const char *path, const emg_array2f *a, int threads,
                                 emg_error *err) {
  const int64_t dims[] = {a->n_rows, a->n_cols};
  return emg_h5_write(file, path, EMG_H5_F32, 2, dims, a->stride, a->data, threads, err);
}

emg_status emg_native_write_vector(emg_h5 *file, const char *path, const double *values, int n,
                                   emg_error *err) {
  const int64_t dims[] = {n};
  return emg_h5_write(file, path, EMG_H5_F64, 1, dims, 0, values, 0, err);
}

static emg_status write_channels(emg_h5 *file, const emg_recording *rec, emg_error *err) {
  const char *const places[] = {"emg/electrodes/x_mm", "emg/electrodes/y_mm",
                                "emg/electrodes/z_mm"};
  const int64_t n = rec->data.n_rows;
  const emg_channel *channels = rec->channels;
  double *place;
  int32_t *index;
  uint8_t *state;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *place + sizeof *index + sizeof *state, &place, err));
  index = (int32_t *)(place + n);
  state = (uint8_t *)(index + n);
  for (int axis = 0; axis < 3; axis++) {
    for (int64_t c = 0; c < n; c++) {
      const double position[] = {channels[c].x_mm, channels[c].y_mm, channels[c].z_mm};
      place[c] = position[axis];
    }
    EMG_TRY_DONE(emg_h5_write(file, places[axis], EMG_H5_F64, 1, &n, 0, place, 0, err));
    EMG_TRY_DONE(emg_h5_set_text(file, places[axis], "units", "mm", err));
  }
  for (int64_t c = 0; c < n; c++) {
    index[c] = channels[c].row;
    state[c] = (uint8_t)channels[c].state;
  }
  EMG_TRY_DONE(emg_h5_write(file, "emg/electrodes/row", EMG_H5_I32, 1, &n, 0, index, 0, err));
  EMG_TRY_DONE(emg_h5_write(file, "emg/bad_channel", EMG_H5_U8, 1, &n, 0, state, 0, err));
  for (int64_t c = 0; c < n; c++) {
    index[c] = channels[c].column;
  }
  EMG_TRY_DONE(emg_h5_write(file, "emg/electrodes/column", EMG_H5_I32, 1, &n, 0, index, 0, err));
  EMG_TRY_DONE(emg_h5_write_names(file, "emg/channel_name", (int)n, sizeof channels->name,
                                  sizeof *channels, channels->name, err));
  status = emg_h5_write_names(file, "emg/channel_group", (int)n, sizeof channels->group,
                              sizeof *channels, channels->group, err);
done:
  free(place);
  return status;
}

static emg_status write_aux(emg_h5 *file, const emg_recording *rec, int threads, emg_error *err) {
  const emg_aux_channel *aux = rec->aux_channels;
  int n = rec->aux.n_rows;

  EMG_TRY(emg_native_write_rows(file, "aux/data", &rec->aux, threads, err));
  EMG_TRY(emg_h5_write_names(file, "aux/name", n, sizeof aux->name, sizeof *aux, aux->name, err));
  return emg_h5_write_names(file, "aux/units", n, sizeof aux->units, sizeof *aux, aux->units, err);
}

static emg_status write_recording(const writing *w, const emg_recording *rec,
                                  const emg_native_signals *signals, emg_error *err) {
  emg_h5 *file = w->file;
  emg_quantisation kept;

  EMG_TRY(emg_quantise(signals->data, signals->looks, &kept, err));
  EMG_TRY(write_store(w, "emg/data", signals->data, kept.is_int16 ? EMG_H5_I16 : EMG_H5_F32,
                      kept.step, err));
  // raw counts of a file without a scale stay counts
  EMG_TRY(emg_h5_set_text(file, "emg/data", "units", rec->is_physical ? "uV" : "count", err));
  EMG_TRY(emg_h5_set_f64(file, "emg/data", "scale", kept.step, err));
  EMG_TRY(emg_h5_set_f64(file, "emg/data", "sampling_rate_hz", rec->rate_hz, err));
  EMG_TRY(write_channels(file, rec, err));
  if (rec->aux.n_rows > 0) {
    EMG_TRY(write_aux(file, rec, w->threads, err));
  }
  return EMG_OK;
}

// Optional rows with their unit.
static emg_status write_signal(const writing *w, const char *path, const emg_row_store *signal,
                               emg_h5_type type, const char *units, emg_error *err) {
  if (!signal || signal->n_rows == 0) {
    return EMG_OK;
  }
  EMG_TRY(write_store(w, path, signal, type, 1, err));
  return units ? emg_h5_set_text(w->file, path, "units", units, err) : EMG_OK;
}

// <group>/spike_samples and <group>/spike_offsets
emg_status emg_native_write_trains(emg_h5 *file, const char *group, const emg_spikes *spikes,
                                   emg_error *err) {
  const int64_t zero = 0, *offsets = spikes->offsets ? spikes->offsets : &zero;
  const int64_t n_offsets = spikes->n_units + 1, n_samples = offsets[spikes->n_units];
  char path[64];

  snprintf(path, sizeof path, "%s/spike_offsets", group);
  EMG_TRY(emg_h5_write(file, path, EMG_H5_I64, 1, &n_offsets, 0, offsets, 0, err));
  snprintf(path, sizeof path, "%s/spike_samples", group);
  EMG_TRY(emg_h5_write(file, path, EMG_H5_I64, 1, &n_samples, 0, spikes->samples, 0, err));
  EMG_TRY(emg_h5_set_f64(file, path, "sampling_rate_hz", spikes->rate_hz, err));
  return emg_h5_set_i64(file, path, "n_samples", spikes->n_samples, err);
}

emg_status emg_native_write_muaps(emg_h5 *file, const char *path, const emg_muap_bank *bank,
                                  int threads, emg_error *err) {
  const int64_t dims[] = {bank->n_units, bank->n_channels, bank->n_taps};

  // of no units, it still says of how many channels and taps
  if (bank->n_channels == 0 || bank->n_taps == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_write(file, path, EMG_H5_F32, 3, dims, 0, bank->data, threads, err));
  EMG_TRY(emg_h5_set_text(file, path, "units", "uV", err));
  EMG_TRY(emg_h5_set_i64(file, path, "origin", bank->origin, err));
  return emg_h5_set_f64(file, path, "sampling_rate_hz", bank->rate_hz, err);
}

emg_status emg_native_write_table(emg_h5 *file, const char *group, const emg_table *table,
                                  emg_error *err) {
  for (int i = 0; i < table->n_columns; i++) {
    const emg_column *column = &table->columns[i];
    char path[96];

    snprintf(path, sizeof path, "%s/%s", group, column->name);
    EMG_TRY(emg_native_write_vector(file, path, column->values, table->n_rows, err));
    EMG_TRY(emg_h5_set_text(file, path, "units", column->unit[0] ? column->unit : "1", err));
  }
  return EMG_OK;
}

static emg_status write_truth(const writing *w, const emg_truth *truth,
                              const emg_native_signals *signals, emg_error *err) {
  EMG_TRY(emg_native_write_trains(w->file, "truth", &truth->spikes, err));
  EMG_TRY(emg_native_write_muaps(w->file, "truth/muap", &truth->muaps, w->threads, err));
  EMG_TRY(emg_native_write_table(w->file, "truth/units", &truth->units, err));
  EMG_TRY(write_signal(w, "truth/excitation", signals->excitation, EMG_H5_F64, "fraction", err));
  EMG_TRY(write_signal(w, "truth/force", signals->force, EMG_H5_F64, "fraction of MVC", err));
  return write_signal(w, "truth/fault", signals->fault, EMG_H5_U8, NULL, err);
}

// Sampling rate of the file: of the recording, else of its spike trains.
static double rate_of(const emg_file_contents *c) {
  if (c->recording) {
    return c->recording->rate_hz;
  }
  return c->truth           ? c->truth->spikes.rate_hz
         : c->decomposition ? c->decomposition->spikes.rate_hz
                            : 0;
}

static emg_status write_contents(const writing *w, const emg_file_contents *c,
                                 const emg_native_signals *signals, emg_error *err) {
  emg_h5 *file = w->file;

  EMG_TRY(emg_h5_write_scalar(file, "emg/sampling_rate_hz", rate_of(c), err));
  if (c->recording) {
    EMG_TRY(write_recording(w, c->recording, signals, err));
    // spike trains that came with a foreign file
    if (c->recording->labels.n_units > 0 && !c->truth && !c->decomposition) {
      EMG_TRY(emg_native_write_trains(file, "units", &c->recording->labels, err));
    }
  }
  EMG_TRY(write_signal(w, "emg/clean", signals->clean, EMG_H5_F32, "uV", err));
  EMG_TRY(write_signal(w, "emg/noise", signals->noise, EMG_H5_F32, "uV", err));
  if (c->truth) {
    EMG_TRY(write_truth(w, c->truth, signals, err));
  }
  if (c->decomposition) {
    EMG_TRY(emg_native_write_units(file, c->decomposition, w->threads, err));
  }
  if (c->inversion) {
    EMG_TRY(emg_native_write_inversion(file, c->inversion, err));
  }
  if (c->provenance) {
    EMG_TRY(emg_provenance_write(file, c->provenance, err));
  }
  return EMG_OK;
}

emg_status emg_native_write(const char *path, const emg_file_contents *contents,
                            const emg_native_signals *signals, const emg_monitor *monitor,
                            bool overwrite, emg_error *err) {
  int threads = contents->compress ? (contents->n_threads > 0 ? contents->n_threads : 1) : 0;
  writing w = {.threads = threads, .monitor = monitor};
  emg_status status;

  EMG_TRY_DONE(emg_h5_create(path, overwrite, &w.file, err));
  EMG_TRY_DONE(write_contents(&w, contents, signals, err));
  // a file that is left behind by a crash before this cannot be taken for a whole one
  EMG_TRY_DONE(emg_h5_sync(w.file, err));
  EMG_TRY_DONE(emg_h5_set_i64(w.file, "", "complete", 1, err));
  status = emg_h5_publish(w.file, err);
done:
  emg_h5_close(w.file);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status emg_file_write(const char *path, const emg_file_contents *contents, bool overwrite,
                          emg_error *err) {
  static const emg_array2f none;
  static const emg_truth no_truth;
  const emg_truth *truth = contents->truth ? contents->truth : &no_truth;
  const emg_row_store data =
      emg_row_store_view2f(contents->recording ? &contents->recording->data : &none);
  const emg_row_store clean = emg_row_store_view2f(contents->clean ? contents->clean : &none);
  const emg_row_store noise = emg_row_store_view2f(contents->noise ? contents->noise : &none);
  const emg_row_store fault = emg_row_store_view2f(&truth->fault);
  const emg_row_store excitation = emg_row_store_view2d(&truth->excitation);
  const emg_row_store force = emg_row_store_view2d(&truth->force);
  const emg_native_signals signals = {.data = &data,
                                      .clean = &clean,
                                      .noise = &noise,
                                      .fault = &fault,
                                      .excitation = &excitation,
                                      .force = &force};

  return emg_native_write(path, contents, &signals, NULL, overwrite, err);
}
