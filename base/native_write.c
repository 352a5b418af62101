// native_write.c -- writing the native file (layout in docs/file-format.md)
#include <emgtwin/file.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#include "native_priv.h"
#include "quantise.h"
#include "system.h"

static emg_status write_int16(emg_h5 *file, const emg_array2f *data, double step, int threads,
                              emg_error *err) {
  const int64_t dims[] = {data->n_rows, data->n_cols};
  int16_t *counts;

  EMG_TRY(emg_alloc((size_t)data->n_rows * (size_t)data->n_cols, sizeof *counts, &counts, err));
  for (int c = 0; c < data->n_rows; c++) {
    const float *row = emg_row2f(data, c);
    int16_t *to = counts + c * data->n_cols;
    for (int64_t i = 0; i < data->n_cols; i++) {
      to[i] = (int16_t)lrint(row[i] / step);
    }
  }
  emg_status status = emg_h5_write(file, "emg/data", EMG_H5_I16, 2, dims, 0, counts, threads, err);
  free(counts);
  return status;
}

emg_status emg_native_write_rows(emg_h5 *file, const char *path, const emg_array2f *a, int threads,
                                 emg_error *err) {
  const int64_t dims[] = {a->n_rows, a->n_cols};
  return emg_h5_write(file, path, EMG_H5_F32, 2, dims, a->stride, a->data, threads, err);
}

static emg_status write_rows2d(emg_h5 *file, const char *path, const emg_array2d *a, int threads,
                               emg_error *err) {
  const int64_t dims[] = {a->n_rows, a->n_cols};
  return emg_h5_write(file, path, EMG_H5_F64, 2, dims, a->stride, a->data, threads, err);
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

static emg_status write_recording(emg_h5 *file, const emg_recording *rec, int threads,
                                  emg_error *err) {
  emg_quantisation kept = emg_quantise(&rec->data);

  if (kept.is_int16) {
    EMG_TRY(write_int16(file, &rec->data, kept.step, threads, err));
  } else {
    EMG_TRY(emg_native_write_rows(file, "emg/data", &rec->data, threads, err));
  }
  // raw counts of a file without a scale stay counts
  EMG_TRY(emg_h5_set_text(file, "emg/data", "units", rec->is_physical ? "uV" : "count", err));
  EMG_TRY(emg_h5_set_f64(file, "emg/data", "scale", kept.step, err));
  EMG_TRY(emg_h5_set_f64(file, "emg/data", "sampling_rate_hz", rec->rate_hz, err));
  EMG_TRY(write_channels(file, rec, err));
  if (rec->aux.n_rows > 0) {
    EMG_TRY(write_aux(file, rec, threads, err));
  }
  return EMG_OK;
}

static emg_status write_signal(emg_h5 *file, const char *path, const emg_array2f *signal,
                               int threads, emg_error *err) {
  if (!signal || signal->n_rows == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_native_write_rows(file, path, signal, threads, err));
  return emg_h5_set_text(file, path, "units", "uV", err);
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

static emg_status write_table(emg_h5 *file, const char *group, const emg_table *table,
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

// Fault mask: 0 or 1 per sample.
static emg_status write_fault(emg_h5 *file, const emg_array2f *fault, int threads, emg_error *err) {
  const int64_t dims[] = {fault->n_rows, fault->n_cols};
  uint8_t *mask;

  EMG_TRY(emg_alloc((size_t)fault->n_rows, (size_t)fault->n_cols, &mask, err));
  for (int c = 0; c < fault->n_rows; c++) {
    const float *row = emg_row2f(fault, c);
    for (int64_t i = 0; i < fault->n_cols; i++) {
      mask[c * fault->n_cols + i] = row[i] != 0;
    }
  }
  emg_status status = emg_h5_write(file, "truth/fault", EMG_H5_U8, 2, dims, 0, mask, threads, err);
  free(mask);
  return status;
}

static emg_status write_truth(emg_h5 *file, const emg_truth *truth, int threads, emg_error *err) {
  EMG_TRY(emg_native_write_trains(file, "truth", &truth->spikes, err));
  EMG_TRY(emg_native_write_muaps(file, "truth/muap", &truth->muaps, threads, err));
  EMG_TRY(write_table(file, "truth/units", &truth->units, err));
  if (truth->excitation.n_rows > 0) {
    EMG_TRY(write_rows2d(file, "truth/excitation", &truth->excitation, threads, err));
    EMG_TRY(emg_h5_set_text(file, "truth/excitation", "units", "fraction", err));
  }
  if (truth->force.n_rows > 0) {
    EMG_TRY(write_rows2d(file, "truth/force", &truth->force, threads, err));
    EMG_TRY(emg_h5_set_text(file, "truth/force", "units", "fraction of MVC", err));
  }
  return truth->fault.n_rows > 0 ? write_fault(file, &truth->fault, threads, err) : EMG_OK;
}

static emg_status write_provenance(emg_h5 *file, const emg_provenance *p, emg_error *err) {
  const struct {
    const char *path, *text;
  } rows[] = {{"provenance/config_yaml", p->config_yaml},
              {"provenance/command", p->command},
              {"provenance/input_sha256", p->input_sha256},
              {"provenance/version", p->version ? p->version : emg_version()},
              {"provenance/cpu", p->cpu ? p->cpu : emg_cpu_name()},
              {"provenance/blas", p->blas ? p->blas : emg_blas_name()}};

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].text) {
      EMG_TRY(emg_h5_write_text(file, rows[i].path, rows[i].text, err));
    }
  }
  return emg_h5_write_u64(file, "provenance/seed", p->seed, err);
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

static emg_status write_contents(emg_h5 *file, const emg_file_contents *c, emg_error *err) {
  int threads = c->compress ? (c->n_threads > 0 ? c->n_threads : 1) : 0;

  EMG_TRY(emg_h5_write_scalar(file, "emg/sampling_rate_hz", rate_of(c), err));
  if (c->recording) {
    EMG_TRY(write_recording(file, c->recording, threads, err));
    // spike trains that came with a foreign file
    if (c->recording->labels.n_units > 0 && !c->truth && !c->decomposition) {
      EMG_TRY(emg_native_write_trains(file, "units", &c->recording->labels, err));
    }
  }
  EMG_TRY(write_signal(file, "emg/clean", c->clean, threads, err));
  EMG_TRY(write_signal(file, "emg/noise", c->noise, threads, err));
  if (c->truth) {
    EMG_TRY(write_truth(file, c->truth, threads, err));
  }
  if (c->decomposition) {
    EMG_TRY(emg_native_write_units(file, c->decomposition, threads, err));
  }
  if (c->provenance) {
    EMG_TRY(write_provenance(file, c->provenance, err));
  }
  return EMG_OK;
}

emg_status emg_file_write(const char *path, const emg_file_contents *contents, bool overwrite,
                          emg_error *err) {
  emg_h5 *file = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_h5_create(path, overwrite, &file, err));
  EMG_TRY_DONE(write_contents(file, contents, err));
  // a file that is left behind by a crash before this cannot be taken for a whole one
  EMG_TRY_DONE(emg_h5_sync(file, err));
  EMG_TRY_DONE(emg_h5_set_i64(file, "", "complete", 1, err));
  status = emg_h5_publish(file, err);
done:
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}
