// law_decompose_long.c -- a recording decomposed block by block gives what it gives as a whole,
// wherever the blocks end and however often the run is interrupted
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

// A convolutive mixture as in law_decompose.c, of a minute: units with action potentials of their
// own shape, place and conduction along 12 channels, in white noise.
enum { N_UNITS = 5, N_CHANNELS = 12, N_SAMPLES = 2048 * 60, N_TAPS = 40 };
static const double rate_hz = 2048;
static char folder[] = "/tmp/emgtwin_law_decompose_long.XXXXXX";
static char steady_path[64], other_path[64], checkpoint_path[80];

// Time in seconds in which a unit fires, and by how much the spread of its action potentials over
// the channels and its width grow from beginning to end.
typedef struct {
  double from_s, to_s, again_from_s, growth;
} behaviour;

typedef struct {
  emg_recording rec;
  emg_spikes truth;
} mixture;

static double action_potential(int unit, int channel, int tap, double growth) {
  double centre = 2 + 2.3 * unit, spread = (2 + 0.4 * unit) * growth;
  double weight = exp(-0.5 * pow((channel - centre) / spread, 2));
  double width = (2.5 + 0.5 * unit) * growth;
  double begin = 12 + 0.7 * fabs(channel - centre) - 2.2 * (2.5 + 0.5 * unit);
  double t = (tap - begin) / width - 2.2;
  return 100 * weight * (1 - t * t + 0.6 * t * (unit % 2 ? 1 : -1)) * exp(-0.5 * t * t);
}

static bool is_active(const behaviour *b, double time_s) {
  return (time_s >= b->from_s && time_s < b->to_s) || time_s >= b->again_from_s;
}

static void plant_unit(mixture *m, int unit, const behaviour *b, int64_t *times, int64_t *n) {
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, (uint32_t)unit, 0);
  double interval = rate_hz / (10 + 1.5 * unit), at = interval * (0.3 + emg_rng_uniform(&rng));

  *n = 0;
  for (; at < N_SAMPLES - N_TAPS; at += fmax(interval * (1 + 0.15 * emg_rng_gaussian(&rng)), 50)) {
    if (!is_active(b, at / rate_hz)) {
      continue;
    }
    double growth = 1 + b->growth * at / N_SAMPLES;
    times[*n] = (int64_t)at;
    for (int c = 0; c < N_CHANNELS; c++) {
      for (int t = 0; t < N_TAPS; t++) {
        emg_row2f(&m->rec.data, c)[times[*n] + t] += (float)action_potential(unit, c, t, growth);
      }
    }
    ++*n;
  }
}

static void add_noise(emg_recording *rec, double sd) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    emg_rng rng = emg_rng_stream(4, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      emg_row2f(&rec->data, c)[i] += (float)(sd * emg_rng_gaussian(&rng));
    }
  }
}

static mixture make_mixture(const behaviour behaviours[N_UNITS]) {
  mixture m;
  static int64_t times[N_UNITS][N_SAMPLES / 50];
  int64_t counts[N_UNITS];

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &m.rec, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    plant_unit(&m, u, &behaviours[u], times[u], &counts[u]);
  }
  add_noise(&m.rec, 2.5);
  assert_int_equal(emg_spikes_create(N_UNITS, counts, rate_hz, N_SAMPLES, &m.truth, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    memcpy(m.truth.samples + m.truth.offsets[u], times[u], (size_t)counts[u] * sizeof(int64_t));
  }
  return m;
}

// Units that fire all the time, and what following gives of them; made once for all laws, with the
// file `path` of the recording.
static mixture steady;
static emg_decomposition steady_found;

static void free_mixture(mixture *m) {
  emg_recording_free(&m->rec);
  emg_spikes_free(&m->truth);
}

// Few delays and sources: enough for a few units, and quick; blocks of about 10 s.
static emg_config quick_config(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.decompose.extension = 8;
  config.decompose.batch = 16;
  config.decompose.rounds = 3;
  config.decompose.memory_mib = 100;
  config.decompose.block_s = 10;
  config.decompose.learn_s = 20;
  return config;
}

static emg_stream *open_stream(const char *path) {
  emg_stream *stream;
  assert_int_equal(emg_stream_open(path, NULL, &stream, NULL), EMG_OK);
  return stream;
}

// Block by block.
static emg_decomposition follow_file(const char *path, const emg_config *config) {
  emg_stream *stream = open_stream(path);
  emg_decomposition found;
  emg_error err = {.status = EMG_OK};

  assert_false(emg_decompose_fits(config, stream));
  if (emg_decompose_stream("ckc", stream, config, NULL, NULL, &found, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  emg_stream_close(stream);
  return found;
}

static void write_recording(const char *path, const emg_recording *rec) {
  assert_int_equal(emg_file_write(path, &(emg_file_contents){.recording = rec}, true, NULL),
                   EMG_OK);
}

static emg_decomposition follow(const emg_recording *rec, const emg_config *config) {
  write_recording(other_path, rec);
  return follow_file(other_path, config);
}

static emg_score_result score(const emg_spikes *found, const emg_spikes *truth) {
  emg_score_options options;
  emg_score_result result;
  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(found, truth, &options, &result, NULL), EMG_OK);
  return result;
}

// All units of `expected` and no other, each with at least this rate of agreement.
static void assert_all_agree(const emg_spikes *found, const emg_spikes *expected, double roa) {
  emg_score_result result = score(found, expected);
  assert_int_equal(found->n_units, expected->n_units);
  assert_int_equal(result.n_matched, expected->n_units);
  for (int i = 0; i < result.n_estimated; i++) {
    assert_true(result.pairs[i].roa >= roa);
  }
  emg_score_free(&result);
}

static void assert_same_result(const emg_decomposition *a, const emg_decomposition *b) {
  size_t n = (size_t)a->spikes.n_units;
  assert_int_equal(a->spikes.n_units, b->spikes.n_units);
  assert_memory_equal(a->spikes.offsets, b->spikes.offsets, (n + 1) * sizeof *a->spikes.offsets);
  assert_memory_equal(a->spikes.samples, b->spikes.samples,
                      (size_t)a->spikes.offsets[n] * sizeof *a->spikes.samples);
  assert_memory_equal(a->sil, b->sil, n * sizeof *a->sil);
  assert_memory_equal(a->pnr_db, b->pnr_db, n * sizeof *a->pnr_db);
  assert_memory_equal(a->detectability, b->detectability, n * sizeof *a->detectability);
  assert_int_equal(a->filters.n_units, (int)n);
  assert_memory_equal(a->filters.weights, b->filters.weights,
                      n * (size_t)(a->filters.n_taps * a->filters.n_channels) * sizeof(float));
  assert_memory_equal(a->muaps.data, b->muaps.data,
                      n * N_CHANNELS * (size_t)a->muaps.n_taps * sizeof(float));
}

// Spikes of a train from begin to end - 1 s.
static int count_between(const emg_spikes *spikes, int unit, double begin_s, double end_s) {
  int n = 0;
  for (int64_t i = 0; i < emg_spikes_count(spikes, unit); i++) {
    double time_s = (double)emg_spikes_of(spikes, unit)[i] / rate_hz;
    n += time_s >= begin_s && time_s < end_s;
  }
  return n;
}

// --- laws ---

static double energy_of(const emg_muap_bank *muaps, int unit) {
  double sum = 0;
  for (int i = 0; i < N_CHANNELS * muaps->n_taps; i++) {
    sum += pow(emg_muap_row(muaps, unit, 0)[i], 2);
  }
  return sum;
}

static void following_finds_what_the_whole_recording_gives(void **state) {
  (void)state;
  emg_config config = quick_config(), whole_config = config;
  whole_config.decompose.memory_mib = 1024;
  const emg_decomposition *followed = &steady_found;
  emg_decomposition whole;
  emg_stream *stream = open_stream(steady_path);

  assert_true(emg_decompose_fits(&whole_config, stream));
  emg_stream_close(stream);
  assert_int_equal(emg_decompose("ckc", &steady.rec, &whole_config, NULL, &whole, NULL), EMG_OK);
  assert_all_agree(&followed->spikes, &whole.spikes, 0.95);
  assert_all_agree(&followed->spikes, &steady.truth, 0.98);
  for (int u = 0; u < N_UNITS; u++) {
    assert_float_equal(followed->sil[u], whole.sil[u], 0.01);
    assert_float_equal(followed->pnr_db[u], whole.pnr_db[u], 2);
    assert_float_equal(followed->isi_cov[u], whole.isi_cov[u], 0.02);
    assert_float_equal(followed->rate_hz[u], whole.rate_hz[u], 0.2);
    // onsets may differ by a sample, and then the averages too, but not their size
    assert_float_equal(energy_of(&followed->muaps, u) / energy_of(&whole.muaps, u), 1, 0.03);
  }
  emg_decomposition_free(&whole);
}

static void a_stream_that_fits_is_decomposed_whole(void **state) {
  (void)state;
  emg_config config = quick_config();
  emg_decomposition streamed, whole;
  config.decompose.memory_mib = 1024;
  emg_stream *stream = open_stream(steady_path);
  emg_checkpoint checkpoint = {.path = checkpoint_path};

  assert_int_equal(emg_decompose_stream("ckc", stream, &config, &checkpoint, NULL, &streamed, NULL),
                   EMG_OK);
  emg_stream_close(stream);
  assert_int_not_equal(access(checkpoint_path, F_OK), 0);
  assert_int_equal(emg_decompose("ckc", &steady.rec, &config, NULL, &whole, NULL), EMG_OK);
  assert_int_equal(streamed.spikes.n_units, N_UNITS);
  assert_memory_equal(streamed.spikes.samples, whole.spikes.samples,
                      (size_t)whole.spikes.offsets[N_UNITS] * sizeof(int64_t));
  emg_decomposition_free(&streamed);
  emg_decomposition_free(&whole);
}

// Blocks of 5 s have 11 borders: over all units some 30 discharges whose filters see both sides.
static void discharges_at_borders_are_neither_lost_nor_doubled(void **state) {
  (void)state;
  const double near_s = 0.05;
  emg_config config = quick_config();
  config.decompose.block_s = 5;
  config.decompose.learn_s = 10;
  emg_decomposition found = follow_file(steady_path, &config);
  emg_score_result result = score(&found.spikes, &steady.truth);
  int n_near = 0;

  assert_int_equal(result.n_matched, N_UNITS);
  for (int u = 0; u < N_UNITS; u++) {
    const emg_score_pair *pair = &result.pairs[u];
    const int64_t *spikes = emg_spikes_of(&found.spikes, u);
    for (int64_t i = 1; i < emg_spikes_count(&found.spikes, u); i++) {
      assert_true(spikes[i] - spikes[i - 1] >= 40);  // 20 ms, rounded down
    }
    for (int border = 5; border < 60; border += 5) {
      double lag_s = pair->lag_ms / 1000;
      int n_true = count_between(&steady.truth, pair->truth, border - near_s, border + near_s);
      // a discharge at an end of the window itself may be a sample off
      int least = count_between(&found.spikes, u, border - near_s + lag_s + 0.001,
                                border + near_s + lag_s - 0.001);
      int most = count_between(&found.spikes, u, border - near_s + lag_s - 0.001,
                               border + near_s + lag_s + 0.001);
      assert_true(least <= n_true && n_true <= most);
      n_near += n_true;
    }
  }
  assert_true(n_near > 30);
  emg_score_free(&result);
  emg_decomposition_free(&found);
}

static void the_length_of_blocks_does_not_matter(void **state) {
  (void)state;
  emg_config config = quick_config();

  config.decompose.block_s = 7;
  config.decompose.learn_s = 7;
  emg_decomposition others = follow_file(steady_path, &config);
  assert_all_agree(&others.spikes, &steady_found.spikes, 0.99);
  emg_decomposition_free(&others);
}

// Unit 1 pauses for most of the time, unit 3 fires in a place that is not searched to begin with.
static void silent_units_stay_silent_and_come_back(void **state) {
  (void)state;
  behaviour behaviours[N_UNITS];
  for (int u = 0; u < N_UNITS; u++) {
    behaviours[u] = (behaviour){.to_s = 60, .again_from_s = 60};
  }
  behaviours[1] = (behaviour){.to_s = 21, .again_from_s = 52};
  behaviours[3] = (behaviour){.from_s = 31, .to_s = 60, .again_from_s = 60};
  mixture m = make_mixture(behaviours);
  emg_config config = quick_config();
  emg_decomposition found = follow(&m.rec, &config);
  emg_score_result result = score(&found.spikes, &m.truth);

  assert_all_agree(&found.spikes, &m.truth, 0.97);
  for (int u = 0; u < N_UNITS; u++) {
    if (result.pairs[u].truth == 1) {
      assert_int_equal(count_between(&found.spikes, u, 21.5, 51.5), 0);
      assert_true(count_between(&found.spikes, u, 52, 60) > 70);
    }
    if (result.pairs[u].truth == 3) {
      assert_int_equal(count_between(&found.spikes, u, 0, 30.5), 0);
    }
  }
  emg_score_free(&result);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

// Units 2 and 4 are recruited after the only place that is searched in the beginning.
static void units_recruited_late_are_found_where_much_is_left_unexplained(void **state) {
  (void)state;
  behaviour behaviours[N_UNITS];
  for (int u = 0; u < N_UNITS; u++) {
    behaviours[u] = (behaviour){.from_s = u % 2 ? 0 : 42, .to_s = 60, .again_from_s = 60};
  }
  mixture m = make_mixture(behaviours);
  emg_config config = quick_config();
  config.decompose.learn_s = 10;
  emg_decomposition found = follow(&m.rec, &config);
  assert_all_agree(&found.spikes, &m.truth, 0.95);
  emg_decomposition_free(&found);

  config.decompose.learn_again = 1000;  // not again
  found = follow_file(other_path, &config);
  assert_int_equal(found.spikes.n_units, N_UNITS / 2);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

// Action potentials that grow by half in width and spread: those of the beginning have a
// correlation of 0.8 with those of the end.
static void slow_changes_of_action_potentials_are_followed(void **state) {
  (void)state;
  behaviour behaviours[N_UNITS];
  for (int u = 0; u < N_UNITS; u++) {
    behaviours[u] = (behaviour){.to_s = 60, .again_from_s = 60, .growth = 0.5};
  }
  mixture m = make_mixture(behaviours);
  emg_config config = quick_config();
  config.decompose.learn_s = 10;
  config.decompose.follow_spikes = 100;
  emg_decomposition found = follow(&m.rec, &config);

  // what counts as the beginning of an action potential moves by a sample as it grows
  emg_score_options options;
  emg_score_result result;
  assert_int_equal(emg_score_preset("muniverse", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&found.spikes, &m.truth, &options, &result, NULL), EMG_OK);
  assert_int_equal(result.n_estimated, N_UNITS);
  for (int u = 0; u < N_UNITS; u++) {
    assert_true(result.pairs[u].roa > 0.95);
  }
  emg_score_free(&result);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

static void a_channel_that_fails_for_a_while_costs_no_unit(void **state) {
  (void)state;
  emg_config config = quick_config();
  const int64_t begin = (int64_t)(25 * rate_hz), n = (int64_t)(20 * rate_hz);
  float *row = emg_row2f(&steady.rec.data, 5), *whole;

  assert_int_equal(emg_alloc(N_SAMPLES, sizeof *whole, &whole, NULL), EMG_OK);
  memcpy(whole, row, N_SAMPLES * sizeof *whole);
  for (int64_t i = begin; i < begin + n; i++) {
    row[i] = 3;
  }
  emg_decomposition found = follow(&steady.rec, &config);
  memcpy(row, whole, N_SAMPLES * sizeof *whole);
  free(whole);
  assert_all_agree(&found.spikes, &steady.truth, 0.95);
  emg_decomposition_free(&found);
}

static void noise_holds_no_units(void **state) {
  (void)state;
  emg_config config = quick_config();
  emg_recording rec;

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &rec, NULL), EMG_OK);
  add_noise(&rec, 10);
  emg_decomposition found = follow(&rec, &config);
  assert_int_equal(found.spikes.n_units, 0);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

// --- interruption and threads ---

// Stops a run when it has come to step `stop_at`.
typedef struct {
  int n, stop_at;
} interruption;

static bool count_steps(const char *stage, int64_t done, int64_t total, void *user) {
  interruption *in = user;
  (void)done;
  (void)total;
  bool is_step = strcmp(stage, "learn") == 0 || strcmp(stage, "follow") == 0;
  return is_step && in->n++ == in->stop_at;
}

static emg_status follow_until(const emg_config *config, int stop_at, const char *input,
                               emg_decomposition *found, emg_error *err) {
  interruption in = {.stop_at = stop_at};
  emg_monitor monitor = {.progress = count_steps, .user = &in};
  emg_checkpoint checkpoint = {.path = checkpoint_path, .resume = true, .input_sha256 = input};
  emg_stream *stream = open_stream(steady_path);
  emg_status status =
      emg_decompose_stream("ckc", stream, config, &checkpoint, &monitor, found, err);
  emg_stream_close(stream);
  return status;
}

// One run is stopped at its very beginning and after every step, and goes on with other threads.
static void interrupted_runs_end_in_the_same_bits(void **state) {
  (void)state;
  emg_config config = quick_config();
  int before = omp_get_max_threads(), n_runs = 0;
  emg_decomposition found;
  emg_status status;

  do {
    omp_set_num_threads(1 << n_runs % 3);
    // the first step of a run is where the last one stopped, so it must be let pass
    status = follow_until(&config, n_runs == 0 ? 0 : 1, "a", &found, NULL);
    n_runs++;
  } while (status == EMG_ERR_INTERRUPTED && n_runs < 100);
  omp_set_num_threads(before);
  assert_int_equal(status, EMG_OK);
  assert_int_equal(n_runs, 1 + 2 + 6 + 1);  // the last step is that all is done
  assert_same_result(&found, &steady_found);
  emg_decomposition_free(&found);

  // the checkpoint stays until it is removed, and holds the end
  assert_int_equal(follow_until(&config, -1, "a", &found, NULL), EMG_OK);
  assert_same_result(&found, &steady_found);
  unlink(checkpoint_path);
  emg_decomposition_free(&found);
}

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  emg_config config = quick_config();
  int before = omp_get_max_threads();

  for (int n_threads = 1; n_threads <= 4; n_threads += 3) {  // those of before are 2
    omp_set_num_threads(n_threads);
    emg_decomposition other = follow_file(steady_path, &config);
    assert_same_result(&other, &steady_found);
    emg_decomposition_free(&other);
  }
  omp_set_num_threads(before);
}

// Size of the checkpoint, or the file cut or changed.
static size_t edit_checkpoint(size_t keep, size_t flip_at) {
  static char bytes[4 << 20];
  FILE *file = fopen(checkpoint_path, "rb");
  assert_non_null(file);
  size_t n = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  if (flip_at < n) {
    bytes[flip_at] = (char)(bytes[flip_at] ^ 0x10);
  }
  file = fopen(checkpoint_path, "wb");
  assert_int_equal(fwrite(bytes, 1, keep < n ? keep : n, file), keep < n ? keep : n);
  fclose(file);
  return n;
}

static void checkpoints_of_something_else_or_damaged_are_refused(void **state) {
  (void)state;
  emg_config config = quick_config(), other = config;
  emg_decomposition found;
  emg_error err = {.status = EMG_OK};

  unlink(checkpoint_path);
  assert_int_equal(follow_until(&config, 4, "a", &found, NULL), EMG_ERR_INTERRUPTED);
  other.decompose.sil_min = 0.9;
  assert_int_equal(follow_until(&other, -1, "a", &found, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "configuration"));
  assert_int_equal(follow_until(&config, -1, "b", &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "another recording"));

  size_t n = edit_checkpoint(SIZE_MAX, SIZE_MAX);
  int n_edits = 0, n_refused = 0;
  for (size_t at = 1; at < n; at += n / 60) {
    edit_checkpoint(SIZE_MAX, at);
    emg_status status = follow_until(&config, 0, "a", &found, &err);
    n_refused += status == EMG_ERR_DATA || status == EMG_ERR_CONFIG;
    n_edits++;
    assert_true(status != EMG_OK);
    edit_checkpoint(SIZE_MAX, at);
  }
  // bytes that HDF5 leaves unused may change, nothing else
  assert_true(n_refused > 0.8 * n_edits);
  assert_int_equal(follow_until(&config, 0, "a", &found, NULL), EMG_ERR_INTERRUPTED);
  edit_checkpoint(n / 2, SIZE_MAX);
  assert_int_equal(follow_until(&config, 0, "a", &found, &err), EMG_ERR_DATA);
  unlink(checkpoint_path);
}

static void too_little_memory_is_refused_with_what_is_needed(void **state) {
  (void)state;
  emg_config config = quick_config();
  emg_decomposition found;
  emg_error err = {.status = EMG_OK};
  emg_stream *stream = open_stream(steady_path);

  config.decompose.memory_mib = 20;
  assert_int_equal(emg_decompose_stream("ckc", stream, &config, NULL, NULL, &found, &err),
                   EMG_ERR_CONFIG);
  const char *allow = strstr(emg_error_message(&err), "allow ");
  assert_non_null(allow);
  double needed = strtod(allow + 6, NULL);
  config.decompose.memory_mib = needed;
  config.decompose.keep_source = true;  // passes the first check and is refused by the next
  assert_int_equal(emg_decompose_stream("ckc", stream, &config, NULL, NULL, &found, &err),
                   EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "keep_source"));
  emg_stream_close(stream);
}

static int make_steady(void **state) {
  (void)state;
  emg_config config = quick_config();
  behaviour always[N_UNITS];

  for (int u = 0; u < N_UNITS; u++) {
    always[u] = (behaviour){.to_s = 60, .again_from_s = 60};
  }
  if (!mkdtemp(folder)) {
    return -1;
  }
  snprintf(steady_path, sizeof steady_path, "%s/steady.h5", folder);
  snprintf(other_path, sizeof other_path, "%s/other.h5", folder);
  snprintf(checkpoint_path, sizeof checkpoint_path, "%s.checkpoint", steady_path);
  omp_set_num_threads(2);
  steady = make_mixture(always);
  write_recording(steady_path, &steady.rec);
  steady_found = follow_file(steady_path, &config);
  return 0;
}

static int free_steady(void **state) {
  (void)state;
  emg_decomposition_free(&steady_found);
  free_mixture(&steady);
  unlink(steady_path);
  unlink(other_path);
  unlink(checkpoint_path);
  return rmdir(folder);
}

// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(following_finds_what_the_whole_recording_gives),
      cmocka_unit_test(a_stream_that_fits_is_decomposed_whole),
      cmocka_unit_test(discharges_at_borders_are_neither_lost_nor_doubled),
      cmocka_unit_test(the_length_of_blocks_does_not_matter),
      cmocka_unit_test(silent_units_stay_silent_and_come_back),
      cmocka_unit_test(units_recruited_late_are_found_where_much_is_left_unexplained),
      cmocka_unit_test(slow_changes_of_action_potentials_are_followed),
      cmocka_unit_test(a_channel_that_fails_for_a_while_costs_no_unit),
      cmocka_unit_test(noise_holds_no_units),
      cmocka_unit_test(interrupted_runs_end_in_the_same_bits),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(checkpoints_of_something_else_or_damaged_are_refused),
      cmocka_unit_test(too_little_memory_is_refused_with_what_is_needed),
  };
  return cmocka_run_group_tests(tests, make_steady, free_steady);
}
