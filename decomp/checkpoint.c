// checkpoint.c -- what is known and found so far as a file, and back
#include "follow_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/h5.h>
#include <base/sha256.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

// A native HDF5 file of its own kind:
//   identity/{input,config}   what it is of
//   state                     whole numbers, in the order of state_of
//   like/{channel,scale,state,why}, searched_power
//   unit/N/{muap,average,spikes,figures}
//   digest                    SHA-256 of all numbers in the order written
static const char kind[] = "emgtwin checkpoint 1, version " EMG_VERSION;
enum { UNITS_MAX = 10000, N_STATE = 5, N_FIGURES = 13 };

typedef struct {
  emg_h5 *file;
  emg_sha256 sha;
  char path[64];
} archive;

static const char *unit_path(archive *a, int u, const char *name) {
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

static emg_status put(archive *a, const char *path, emg_h5_type type, int64_t n, const void *data,
                      emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  emg_sha256_add(&a->sha, data, (size_t)n * emg_h5_size(type));
  return emg_h5_write(a->file, path, type, 1, &n, 0, data, 0, err);
}

static emg_status put_unit(archive *a, const emg_following *f, int u, emg_error *err) {
  const emg_followed *unit = &f->units[u];
  double figures[N_FIGURES];

  figures_of(unit, figures);
  EMG_TRY(put(a, unit_path(a, u, "figures"), EMG_H5_F64, N_FIGURES, figures, err));
  EMG_TRY(put(a, unit_path(a, u, "muap"), EMG_H5_F32,
              2 * f->half_window * f->like.signal.n_channels, unit->muap, err));
  EMG_TRY(put(a, unit_path(a, u, "average"), EMG_H5_F64, (int64_t)f->n_channels * f->n_average_taps,
              unit->average, err));
  return put(a, unit_path(a, u, "spikes"), EMG_H5_I64, unit->n_spikes, unit->spikes, err);
}

static emg_status put_channels(archive *a, const emg_following *f, emg_error *err) {
  int n = f->like.signal.n_channels;
  const emg_channel_finding *finding = f->like.finding;
  int32_t *states;

  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(put(a, "like/scale", EMG_H5_F32, n, f->like.scale, err));
  EMG_TRY(put(a, "like/channel", EMG_H5_I32, n, f->like.channel, err));
  EMG_TRY(emg_h5_write_names(a->file, "like/why", f->n_channels, sizeof finding->why,
                             sizeof *finding, finding->why, err));
  EMG_TRY(emg_alloc((size_t)f->n_channels, sizeof *states, &states, err));
  for (int c = 0; c < f->n_channels; c++) {
    states[c] = (int32_t)finding[c].state;
  }
  emg_status status = put(a, "like/state", EMG_H5_I32, f->n_channels, states, err);
  free(states);
  return status;
}

static emg_status put_all(archive *a, const emg_following *f, const emg_identity *identity,
                          emg_error *err) {
  int64_t state[N_STATE];
  char digest[65];

  emg_sha256_start(&a->sha);
  EMG_TRY(emg_h5_write_text(a->file, "kind", kind, err));
  EMG_TRY(emg_h5_write_text(a->file, "identity/input", identity->input, err));
  EMG_TRY(emg_h5_write_text(a->file, "identity/config", identity->config, err));
  state_of(f, state);
  EMG_TRY(put(a, "state", EMG_H5_I64, N_STATE, state, err));
  EMG_TRY(put(a, "searched_power", EMG_H5_F64, 1, &f->searched_power, err));
  EMG_TRY(put_channels(a, f, err));
  for (int u = 0; u < f->n; u++) {
    EMG_TRY(put_unit(a, f, u, err));
  }
  emg_sha256_finish(&a->sha, digest);
  return emg_h5_write_text(a->file, "digest", digest, err);
}

emg_status emg_checkpoint_write(const char *path, const emg_following *f,
                                const emg_identity *identity, emg_error *err) {
  archive a;

  EMG_TRY(emg_h5_create(path, true, &a.file, err));
  emg_status status = put_all(&a, f, identity, err);
  if (status == EMG_OK) {
    status = emg_h5_publish(a.file, err);
  }
  emg_h5_close(a.file);
  return status;
}

// --- reading ---

static emg_status get(archive *a, const char *path, emg_h5_type type, int64_t n, void *data,
                      emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(a->file, path, 1, &n, err));
  EMG_TRY(emg_h5_read(a->file, path, type, 1, &n, 0, data, err));
  emg_sha256_add(&a->sha, data, (size_t)n * emg_h5_size(type));
  return EMG_OK;
}

static emg_status refuse(emg_error *err, const char *what) {
  return emg_fail(err, EMG_ERR_DATA,
                  "the checkpoint is damaged: %s; leave --resume out to start anew", what);
}

// The text at a path must be the one expected.
static emg_status expect_text(archive *a, const char *path, const char *expected, emg_status status,
                              const char *message, emg_error *err) {
  char *text;

  EMG_TRY(emg_h5_read_text(a->file, path, &text, err));
  bool is_same = strcmp(text, expected) == 0;
  free(text);
  return is_same ? EMG_OK : emg_fail(err, status, "%s; leave --resume out to start anew", message);
}

static emg_status check_identity(archive *a, const emg_identity *identity, emg_error *err) {
  EMG_TRY(expect_text(a, "kind", kind, EMG_ERR_DATA,
                      "it is no checkpoint of this version of emgtwin", err));
  EMG_TRY(expect_text(a, "identity/input", identity->input, EMG_ERR_DATA,
                      "the checkpoint is of another recording", err));
  return expect_text(a, "identity/config", identity->config, EMG_ERR_CONFIG,
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

static emg_status get_unit(archive *a, emg_following *f, int u, float *muap, emg_error *err) {
  double figures[N_FIGURES];

  EMG_TRY(get(a, unit_path(a, u, "figures"), EMG_H5_F64, N_FIGURES, figures, err));
  for (int i = 0; i < N_FIGURES; i++) {
    if (!isfinite(figures[i]) || figures[i] < 0) {
      return refuse(err, "a figure is not a positive number");
    }
  }
  if (!(figures[1] > 0) || figures[2] > (double)f->n_samples || figures[3] > figures[2]) {
    return refuse(err, "a figure is out of range");
  }
  int64_t n_spikes = (int64_t)figures[2];
  EMG_TRY(get(a, unit_path(a, u, "muap"), EMG_H5_F32,
              2 * f->half_window * f->like.signal.n_channels, muap, err));
  EMG_TRY(emg_following_add(f, muap, 0, 0, err));
  emg_followed *unit = &f->units[u];
  set_figures(unit, figures);
  EMG_TRY(get(a, unit_path(a, u, "average"), EMG_H5_F64, (int64_t)f->n_channels * f->n_average_taps,
              unit->average, err));
  if (n_spikes == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(a->file, unit_path(a, u, "spikes"), 1, &n_spikes, err));
  EMG_TRY(emg_alloc((size_t)n_spikes, sizeof *unit->spikes, &unit->spikes, err));
  unit->capacity = n_spikes;
  EMG_TRY(get(a, unit_path(a, u, "spikes"), EMG_H5_I64, n_spikes, unit->spikes, err));
  unit->n_spikes = n_spikes;
  return is_in_order(f, unit->spikes, n_spikes) ? EMG_OK : refuse(err, "spikes are out of order");
}

static emg_status get_units(archive *a, emg_following *f, int n, emg_error *err) {
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

static emg_status get_findings(archive *a, int n, emg_channel_finding *finding, emg_error *err) {
  int32_t *states;

  EMG_TRY(emg_h5_read_names(a->file, "like/why", n, sizeof finding->why, sizeof *finding,
                            finding->why, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *states, &states, err));
  emg_status status = get(a, "like/state", EMG_H5_I32, n, states, err);
  for (int c = 0; c < n && status == EMG_OK; c++) {
    finding[c].state = (emg_channel_state)states[c];
    if (states[c] < EMG_CHANNEL_GOOD || states[c] > EMG_CHANNEL_UNUSED) {
      status = refuse(err, "a channel is in no known state");
    }
  }
  free(states);
  return status;
}

static emg_status get_channels(archive *a, emg_following *f, int n, emg_error *err) {
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
  EMG_TRY_DONE(get(a, "like/scale", EMG_H5_F32, n, scale, err));
  EMG_TRY_DONE(get(a, "like/channel", EMG_H5_I32, n, channel, err));
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

static emg_status get_all(archive *a, const emg_identity *identity, emg_following *f,
                          emg_error *err) {
  int64_t state[N_STATE];
  char digest[65];

  emg_sha256_start(&a->sha);
  EMG_TRY(check_identity(a, identity, err));
  EMG_TRY(get(a, "state", EMG_H5_I64, N_STATE, state, err));
  EMG_TRY(get(a, "searched_power", EMG_H5_F64, 1, &f->searched_power, err));
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
  emg_sha256_finish(&a->sha, digest);
  return expect_text(a, "digest", digest, EMG_ERR_DATA, "the checkpoint is damaged", err);
}

emg_status emg_checkpoint_read(const char *path, const emg_identity *identity, emg_following *f,
                               emg_error *err) {
  archive a;
  emg_status status = emg_h5_open(path, &a.file, err);

  if (status == EMG_OK) {
    status = get_all(&a, identity, f, err);
    emg_h5_close(a.file);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}
