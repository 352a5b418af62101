// discharge_file.c -- discharge times from a file: real trains that drive simulated units
#include <math.h>
#include <stdlib.h>

#include <emgtwin/file.h>

#include "pool_priv.h"

// A muscle's trains as they stand in its file.
typedef struct {
  const struct emg_config_drive *drive;
  emg_spikes trains;
  int n;       // those that fire at all
  int *order;  // of the first discharge: as the units were recruited
} train_file;

static int64_t first_of(const emg_spikes *trains, int u) {
  return emg_spikes_of(trains, u)[0];
}

static emg_status read_file(const emg_config *config, int muscle, train_file *out, emg_error *err) {
  char path[EMG_DRIVE_PATH_MAX];

  out->drive = &config->drive[muscle];
  emg_drive_path(out->drive->spikes_file, config->directory, path);
  emg_status status = emg_spikes_read(path, true, &out->trains, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    return status;
  }
  if (!(out->trains.rate_hz > 0)) {
    return emg_fail_at(err, EMG_ERR_CONFIG, path, 0, 0,
                       "the file does not state the sampling rate of its discharges; convert it to "
                       "one that does");
  }
  EMG_TRY(emg_alloc((size_t)out->trains.n_units, sizeof *out->order, &out->order, err));
  for (int u = 0; u < out->trains.n_units; u++) {
    if (emg_spikes_count(&out->trains, u) == 0) {
      continue;
    }
    int place = out->n++;
    while (place > 0 && first_of(&out->trains, out->order[place - 1]) > first_of(&out->trains, u)) {
      out->order[place] = out->order[place - 1];
      place--;
    }
    out->order[place] = u;
  }
  if (out->n == 0) {
    return emg_fail_at(err, EMG_ERR_CONFIG, path, 0, 0, "the file holds no discharges");
  }
  return EMG_OK;
}

static void free_file(train_file *file) {
  emg_spikes_free(&file->trains);
  free(file->order);
}

// Units of a muscle that its excitation recruits; all of them if the file has more trains.
static emg_status count_candidates(const emg_model *model, int muscle, const float *excitation,
                                   int64_t n_samples, int n_trains, int *n, emg_error *err) {
  double most = 0;
  int n_all = 0;

  *n = 0;
  for (int64_t i = 0; i < n_samples; i++) {
    most = fmax(most, excitation[i]);
  }
  for (int u = 0; u < model->n_units; u++) {
    const emg_motor_unit *unit = &model->units[u];
    n_all += unit->muscle == muscle;
    *n += unit->muscle == muscle && emg_unit_rate_hz(&model->config, unit, most) > 0;
  }
  if (n_trains > n_all) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "drive.spikes_file has %d trains for the %d units of muscle %d; raise "
                    "pool.units to %d",
                    n_trains, n_all, muscle, n_trains);
  }
  *n = *n < n_trains ? n_all : *n;
  return EMG_OK;
}

// Sample of the recording for a discharge of the file, which may lie outside it.
static int64_t to_sample(const train_file *file, int64_t sample, double rate_hz) {
  return llround(((double)sample / file->trains.rate_hz - file->drive->spikes_from_s) * rate_hz);
}

// Discharges of train `u` within the recording, each at a sample of its own; `samples` NULL: their
// number alone.
static int64_t convert(const train_file *file, int u, double rate_hz, int64_t n_samples,
                       int64_t *samples) {
  const int64_t *train = emg_spikes_of(&file->trains, u);
  int64_t n = 0, last = -1;

  for (int64_t i = 0; i < emg_spikes_count(&file->trains, u); i++) {
    int64_t at = to_sample(file, train[i], rate_hz);
    if (at <= last || at >= n_samples) {
      continue;
    }
    if (samples) {
      samples[n] = at;
    }
    n++;
    last = at;
  }
  return n;
}

// train_of[unit of the model]: a train of its muscle's file, or -1. The trains, in order of
// recruitment, are spread evenly over the candidates, which are in that order too.
static emg_status assign(const emg_model *model, const emg_array2f *excitation, int muscle,
                         const train_file *file, int *train_of, emg_error *err) {
  int n_candidates;

  EMG_TRY(count_candidates(model, muscle, emg_row2f(excitation, muscle), excitation->n_cols,
                           file->n, &n_candidates, err));
  for (int rank = 0; rank < file->n; rank++) {
    int index = (int)((rank + 0.5) * n_candidates / file->n);
    for (int u = 0; u < model->n_units; u++) {
      if (model->units[u].muscle == muscle && model->units[u].index_in_muscle == index) {
        train_of[u] = file->order[rank];
      }
    }
  }
  return EMG_OK;
}

static emg_status collect(const emg_model *model, const train_file *files, const int *train_of,
                          int64_t n_samples, emg_spikes *out, emg_error *err) {
  double rate_hz = model->config.simulation.sampling_rate_hz;
  int64_t *counts, n_all = 0;

  EMG_TRY(emg_alloc((size_t)model->n_units, sizeof *counts, &counts, err));
  for (int u = 0; u < model->n_units; u++) {
    const train_file *file = &files[model->units[u].muscle];
    counts[u] = train_of[u] >= 0 ? convert(file, train_of[u], rate_hz, n_samples, NULL) : 0;
    n_all += counts[u];
  }
  emg_status status = emg_spikes_create(model->n_units, counts, rate_hz, n_samples, out, err);
  free(counts);
  EMG_TRY(status);
  if (n_all == 0) {
    emg_spikes_free(out);
    return emg_fail(err, EMG_ERR_CONFIG,
                    "drive.spikes_file has no discharges in the time of the recording; change "
                    "drive.spikes_from_s or simulation.duration_s");
  }
  for (int u = 0; u < model->n_units; u++) {
    if (train_of[u] >= 0) {
      convert(&files[model->units[u].muscle], train_of[u], rate_hz, n_samples,
              out->samples + out->offsets[u]);
    }
  }
  return EMG_OK;
}

emg_status emg_discharge_read(const emg_model *model, const emg_array2f *excitation,
                              emg_spikes *out, emg_error *err) {
  train_file files[EMG_MUSCLES_MAX] = {{0}};
  int *train_of = NULL, n_files = 0;
  emg_status status;

  *out = (emg_spikes){0};
  EMG_TRY_DONE(emg_alloc((size_t)model->n_units, sizeof *train_of, &train_of, err));
  for (int u = 0; u < model->n_units; u++) {
    train_of[u] = -1;
  }
  for (int m = 0; m < model->n_muscles; m++) {
    if (model->config.drive[m].spikes_file[0] != '\0') {
      EMG_TRY_DONE(read_file(&model->config, m, &files[m], err));
      EMG_TRY_DONE(assign(model, excitation, m, &files[m], train_of, err));
      n_files++;
    }
  }
  if (n_files > 0) {
    status = collect(model, files, train_of, excitation->n_cols, out, err);
  }

done:
  for (int m = 0; m < model->n_muscles; m++) {
    free_file(&files[m]);
  }
  free(train_of);
  return status;
}
