// checkpoint.c -- what is known and found so far as a file, and back
#include "follow_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "archive_priv.h"

// A native HDF5 file of its own kind:
//   identity/{input,config}   what it is of
//   state                     whole numbers, in the order of state_of
//   like/{channel,scale,state,why}, searched_power
//   unit/N/{muap,average,spikes,figures}
//   digest                    SHA-256 of all numbers in the order written
static const char kind[] = "emgtwin checkpoint 1, version " EMG_VERSION;
enum { UNITS_MAX = 10000, N_STATE = 5, N_FIGURES = 13 };

typedef struct {
  emg_archive archive;
  char path[64];
} checkpoint;

static const char *unit_path(checkpoint *a, int u, const char *name) {
  snprintf(a->path, sizeof a->path, "unit/%d/%s", u, name);
  return a->path;
}

// --- numbers of a unit and of all, as flat arrays ---

static void state_of(const emg_following *f, int64_t state[N_STATE]) {
  const int64_t values[N_STATE] = {f->n_searched, f->n_done, f->n, f->like.signal.n_channels,
                                   f->n_taps};
  memcpy(state, values, sizeof values);
}

static void figures_of(const emg_followed *unit, double figures[N_FIGURES]) {
  const emg_source_sums *s = &unit->sums;
  const double values[N_FIGURES] = {unit->weight,
                                    unit->interval_s,
                                    (double)unit->n_spikes,
                                    (double)unit->n_averaged,
                                    s->n_spikes,
                                    s->heights,
                                    s->squared_heights,
                                    s->n_peaks,
                                    s->squared_peaks,
                                    s->n_samples,
                                    s->energy,
                                    s->energy_at_spikes,
                                    s->noise};
  memcpy(figures, values, sizeof values);
}

static void set_figures(emg_followed *unit, const double figures[N_FIGURES]) {
  unit->weight = figures[0];
  unit->interval_s = figures[1];
  unit->n_averaged = (int64_t)figures[3];
  unit->sums = (emg_source_sums){figures[4], figures[5],  figures[6],  figures[7], figures[8],
                                 figures[9], figures[10], figures[11], figures[12]};
}

// --- writing ---

static emg_status put_unit(checkpoint *a, const emg_following *f, int u, emg_error *err) {
  const emg_followed *unit = &f->units[u];
  double figures[N_FIGURES];

  figures_of(unit, figures);
  EMG_TRY(emg_archive_put(&a->archive, unit_path(a, u, "figures"), EMG_H5_F64, N_FIGURES, figures,
                          err));
  EMG_TRY(emg_archive_put(&a->archive, unit_path(a, u, "muap"), EMG_H5_F32,
                          2 * f->half_window * f->like.signal.n_channels, unit->muap, err));
  EMG_TRY(emg_archive_put(&a->archive, unit_path(a, u, "average"), EMG_H5_F64,
                          (int64_t)f->n_channels * f->n_average_taps, unit->average, err));
  return emg_archive_put(&a->archive, unit_path(a, u, "spikes"), EMG_H5_I64, unit->n_spikes,
                         unit->spikes, err);
}

static emg_status put_channels(checkpoint *a, const emg_following *f, emg_error *err) {
  int n = f->like.signal.n_channels;
  const emg_channel_finding *finding = f->like.finding;
  int32_t *states;

  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_archive_put(&a->archive, "like/scale", EMG_H5_F32, n, f->like.scale, err));
  EMG_TRY(emg_archive_put(&a->archive, "like/channel", EMG_H5_I32, n, f->like.channel, err));
  EMG_TRY(emg_h5_write_names(a->archive.file, "like/why", f->n_channels, sizeof finding->why,
                             sizeof *finding, finding->why, err));
  EMG_TRY(emg_alloc((size_t)f->n_channels, sizeof *states, &states, err));
  for (int c = 0; c < f->n_channels; c++) {
    states[c] = (int32_t)finding[c].state;
  }
  emg_status status =
      emg_archive_put(&a->archive, "like/state", EMG_H5_I32, f->n_channels, states, err);
  free(states);
  return status;
}

static emg_status put_all(checkpoint *a, const emg_following *f, const emg_identity *identity,
                          emg_error *err) {
  int64_t state[N_STATE];

  emg_sha256_start(&a->archive.sha);
  EMG_TRY(emg_h5_write_text(a->archive.file, "kind", kind, err));
  EMG_TRY(emg_h5_write_text(a->archive.file, "identity/input", identity->input, err));
  EMG_TRY(emg_h5_write_text(a->archive.file, "identity/config", identity->config, err));
  state_of(f, state);
  EMG_TRY(emg_archive_put(&a->archive, "state", EMG_H5_I64, N_STATE, state, err));
  EMG_TRY(emg_archive_put(&a->archive, "searched_power", EMG_H5_F64, 1, &f->searched_power, err));
  EMG_TRY(put_channels(a, f, err));
  for (int u = 0; u < f->n; u++) {
    EMG_TRY(put_unit(a, f, u, err));
  }
  return emg_archive_seal(&a->archive, err);
}

emg_status emg_checkpoint_write(const char *path, const emg_following *f,
                                const emg_identity *identity, emg_error *err) {
  checkpoint a;

  EMG_TRY(emg_h5_create(path, true, &a.archive.file, err));
  emg_status status = put_all(&a, f, identity, err);
  if (status == EMG_OK) {
    status = emg_h5_publish(a.archive.file, err);
  }
  emg_h5_close(a.archive.file);
  return status;
}

// --- reading ---

static emg_status refuse(emg_error *err, const char *what) {
  return emg_fail(err, EMG_ERR_DATA,
                  "the checkpoint is damaged: %s; leave --resume out to start anew", what);
}

static emg_status check_identity(checkpoint *a, const emg_identity *identity, emg_error *err) {
  EMG_TRY(emg_archive_expect(&a->archive, "kind", kind, EMG_ERR_DATA,
                             "it is no checkpoint of this version of emgtwin", err));
  EMG_TRY(emg_archive_expect(&a->archive, "identity/input", identity->input, EMG_ERR_DATA,
                             "the checkpoint is of another recording", err));
  return emg_archive_expect(&a->archive, "identity/config", identity->config, EMG_ERR_CONFIG,
                            "the checkpoint was made with another configuration", err);
}

static bool is_in_order(const emg_following *f, const int64_t *spikes, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (spikes[i] < (i > 0 ? spikes[i - 1] + 1 : 0) || spikes[i] >= f->n_samples) {
      return false;
    }
  }
  return true;
}

static emg_status get_unit(checkpoint *a, emg_following *f, int u, float *muap, emg_error *err) {
  double figures[N_FIGURES];

  EMG_TRY(emg_archive_get(&a->archive, unit_path(a, u, "figures"), EMG_H5_F64, N_FIGURES, figures,
                          err));
  for (int i = 0; i < N_FIGURES; i++) {
    if (!isfinite(figures[i]) || figures[i] < 0) {
      return refuse(err, "a figure is not a positive number");
    }
  }
  if (!(figures[1] > 0) || figures[2] > (double)f->n_samples || figures[3] > figures[2]) {
    return refuse(err, "a figure is out of range");
  }
  int64_t n_spikes = (int64_t)figures[2];
  EMG_TRY(emg_archive_get(&a->archive, unit_path(a, u, "muap"), EMG_H5_F32,
                          2 * f->half_window * f->like.signal.n_channels, muap, err));
  EMG_TRY(emg_following_add(f, muap, 0, 0, err));
  emg_followed *unit = &f->units[u];
  set_figures(unit, figures);
  EMG_TRY(emg_archive_get(&a->archive, unit_path(a, u, "average"), EMG_H5_F64,
                          (int64_t)f->n_channels * f->n_average_taps, unit->average, err));
  if (n_spikes == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(a->archive.file, unit_path(a, u, "spikes"), 1, &n_spikes, err));
  EMG_TRY(emg_alloc((size_t)n_spikes, sizeof *unit->spikes, &unit->spikes, err));
  unit->capacity = n_spikes;
  EMG_TRY(emg_archive_get(&a->archive, unit_path(a, u, "spikes"), EMG_H5_I64, n_spikes,
                          unit->spikes, err));
  unit->n_spikes = n_spikes;
  return is_in_order(f, unit->spikes, n_spikes) ? EMG_OK : refuse(err, "spikes are out of order");
}

static emg_status get_units(checkpoint *a, emg_following *f, int n, emg_error *err) {
  size_t size = (size_t)(2 * f->half_window) * (size_t)f->like.signal.n_channels;
  float *muap;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc(size, sizeof *muap, &muap, err));
  for (int u = 0; u < n && status == EMG_OK; u++) {
    status = get_unit(a, f, u, muap, err);
  }
  free(muap);
  return status;
}

// Channels in any order, each once at most, with a scale.
static bool are_channels(int n, const int *channel, const float *scale, int n_recorded,
                         bool *is_taken) {
  for (int c = 0; c < n; c++) {
    if (channel[c] < 0 || channel[c] >= n_recorded || is_taken[channel[c]] || !isfinite(scale[c]) ||
        !(scale[c] > 0)) {
      return false;
    }
    is_taken[channel[c]] = true;
  }
  return true;
}

static emg_status get_findings(checkpoint *a, int n, emg_channel_finding *finding, emg_error *err) {
  int32_t *states;

  EMG_TRY(emg_h5_read_names(a->archive.file, "like/why", n, sizeof finding->why, sizeof *finding,
                            finding->why, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *states, &states, err));
  emg_status status = emg_archive_get(&a->archive, "like/state", EMG_H5_I32, n, states, err);
  for (int c = 0; c < n && status == EMG_OK; c++) {
    finding[c].state = (emg_channel_state)states[c];
    if (states[c] < EMG_CHANNEL_GOOD || states[c] > EMG_CHANNEL_UNUSED) {
      status = refuse(err, "a channel is in no known state");
    }
  }
  free(states);
  return status;
}

static emg_status get_channels(checkpoint *a, emg_following *f, int n, emg_error *err) {
  int *channel = NULL;
  float *scale = NULL;
  bool *is_taken = NULL;
  emg_channel_finding *finding = NULL;
  emg_status status = EMG_OK;

  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *channel, &channel, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *scale, &scale, err));
  EMG_TRY_DONE(emg_alloc((size_t)f->n_channels, sizeof *is_taken, &is_taken, err));
  EMG_TRY_DONE(emg_archive_get(&a->archive, "like/scale", EMG_H5_F32, n, scale, err));
  EMG_TRY_DONE(emg_archive_get(&a->archive, "like/channel", EMG_H5_I32, n, channel, err));
  if (!are_channels(n, channel, scale, f->n_channels, is_taken)) {
    status = refuse(err, "its channels are not those of the recording");
    goto done;
  }
  EMG_TRY_DONE(emg_alloc((size_t)f->n_channels, sizeof *finding, &finding, err));
  EMG_TRY_DONE(get_findings(a, f->n_channels, finding, err));
  EMG_TRY_DONE(emg_following_set_channels(f, n, channel, scale, finding, err));

done:
  free(channel);
  free(scale);
  free(is_taken);
  free(finding);
  return status;
}

static emg_status get_all(checkpoint *a, const emg_identity *identity, emg_following *f,
                          emg_error *err) {
  int64_t state[N_STATE];

  emg_sha256_start(&a->archive.sha);
  EMG_TRY(check_identity(a, identity, err));
  EMG_TRY(emg_archive_get(&a->archive, "state", EMG_H5_I64, N_STATE, state, err));
  EMG_TRY(emg_archive_get(&a->archive, "searched_power", EMG_H5_F64, 1, &f->searched_power, err));
  f->n_searched = state[0];
  f->n_done = state[1];
  if (state[0] < 0 || state[0] > f->n_places || state[1] < 0 || state[1] > f->n_blocks ||
      state[2] < 0 || state[2] > UNITS_MAX || state[3] < (state[2] > 0) ||
      state[3] > f->n_channels || state[4] < (state[3] > 0) || state[4] > 2 * f->half_window) {
    return refuse(err, "a number is out of range");
  }
  f->n_taps = (int)state[4];
  EMG_TRY(get_channels(a, f, (int)state[3], err));
  EMG_TRY(get_units(a, f, (int)state[2], err));
  return emg_archive_verify(&a->archive, err);
}

emg_status emg_checkpoint_read(const char *path, const emg_identity *identity, emg_following *f,
                               emg_error *err) {
  checkpoint a;
  emg_status status = emg_h5_open(path, &a.archive.file, err);

  if (status == EMG_OK) {
    status = get_all(&a, identity, f, err);
    emg_h5_close(a.archive.file);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}
