// test_simulate_file.c -- a simulation written a few channels at a time is the one made in memory
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "base/h5.h"
#include "sim/simulate_priv.h"

#include "../file_fixture.h"
#include "../model_fixture.h"

// A few fibres are enough: what differs between the ways is behind the action potentials.
static emg_config busy(void) {
  emg_config config = fixture_busy();
  config.simulation.duration_s = 2.5;
  for (int m = 0; m < config.n_muscles; m++) {
    config.muscle[m].fibre_count = 60;
    config.pool[m].units = 4;
  }
  return config;
}

static const emg_provenance provenance = {.config_yaml = "simulation: {}", .command = "test"};

static void write_in_memory(const emg_config *config, const char *path) {
  emg_simulation made;
  emg_error err = {0};
  if (emg_simulate(config, NULL, &made, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  emg_file_contents contents = {.recording = &made.recording,
                                .clean = &made.clean,
                                .noise = &made.noise,
                                .truth = &made.truth,
                                .provenance = &provenance,
                                .compress = config->output.compress};
  assert_int_equal(emg_file_write(path, &contents, true, &err), EMG_OK);
  emg_simulation_free(&made);
}

static void write_within(double memory_bytes, const emg_config *config, const char *path) {
  emg_simulation_summary made;
  emg_error err = {0};
  if (emg_simulate_within(memory_bytes, config, NULL, path, &provenance, true, &made, &err) !=
      EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

// Every dataset under `group` has the same bytes in both files; their number.
static int compare_group(emg_h5 *a, emg_h5 *b, const char *group) {
  char(*names)[EMG_H5_NAME_MAX], (*others)[EMG_H5_NAME_MAX];
  int n, n_others, n_datasets = 0;
  emg_error err = {0};
  assert_int_equal(emg_h5_list(a, group, &n, &names, &err), EMG_OK);
  assert_int_equal(emg_h5_list(b, group, &n_others, &others, &err), EMG_OK);
  assert_int_equal(n, n_others);
  for (int i = 0; i < n; i++) {
    char path[200];
    double scale_a = 0, scale_b = 0;
    snprintf(path, sizeof path, "%s%s%s", group, group[0] ? "/" : "", names[i]);
    assert_string_equal(names[i], others[i]);
    if (emg_h5_is_group(a, path)) {
      n_datasets += compare_group(a, b, path);
      continue;
    }
    size_t n_a, n_b;
    void *bytes_a, *bytes_b;
    assert_int_equal(emg_h5_read_bytes(a, path, &n_a, &bytes_a, &err), EMG_OK);
    assert_int_equal(emg_h5_read_bytes(b, path, &n_b, &bytes_b, &err), EMG_OK);
    if (n_a != n_b || memcmp(bytes_a, bytes_b, n_a) != 0) {
      fail_msg("/%s differs", path);
    }
    emg_h5_attribute(a, path, "scale", &scale_a);
    emg_h5_attribute(b, path, "scale", &scale_b);
    assert_true(scale_a == scale_b);
    free(bytes_a);
    free(bytes_b);
    n_datasets++;
  }
  free(names);
  free(others);
  return n_datasets;
}

static int compare_files(const char *a, const char *b) {
  emg_h5 *file_a, *file_b;
  emg_error err = {0};
  assert_int_equal(emg_h5_open(a, &file_a, &err), EMG_OK);
  assert_int_equal(emg_h5_open(b, &file_b, &err), EMG_OK);
  int n = compare_group(file_a, file_b, "");
  emg_h5_close(file_a);
  emg_h5_close(file_b);
  return n;
}

// In memory, and with memory for one channel, for some, and for all, at several threads.
static void compare_ways(const emg_config *config) {
  const double row_bytes = 4 * config->simulation.duration_s * config->simulation.sampling_rate_hz;
  const struct {
    double memory_bytes;
    int n_threads;
  } ways[] = {{1, 2}, {row_bytes * 15, 1}, {row_bytes * 18, 4}, {1e12, 3}};

  emg_set_threads(2);
  write_in_memory(config, fixture_path("memory.h5"));
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    emg_set_threads(ways[i].n_threads);
    write_within(ways[i].memory_bytes, config, fixture_path("file.h5"));
    assert_true(compare_files(fixture_path("memory.h5"), fixture_path("file.h5")) > 20);
  }
  emg_set_threads(0);
}

static void everything_at_once_is_the_same_in_bands_of_channels(void **state) {
  (void)state;
  emg_config config = busy();
  compare_ways(&config);
  config.output.compress = false;
  config.sensor.noise_colour = EMG_NOISE_WHITE;
  compare_ways(&config);
}

static void float_16_bit_and_noiseless_recordings_are_the_same(void **state) {
  (void)state;
  emg_config config = busy();
  config.n_muscles = 1;
  config.change = (struct emg_config_change){.states = 1};
  emg_config plain;
  emg_config_defaults(&plain);
  config.sensor = plain.sensor;
  config.output = plain.output;
  compare_ways(&config);  // steps of a power of two, as the noise is far above them
  config.sensor.snr_db = 200;
  compare_ways(&config);  // float
  config.sensor.adc_bits = 12;
  config.sensor.adc_range_mv = 0.05;
  compare_ways(&config);  // the converter's steps, and samples at its limits
}

// --- failures leave nothing ---

static int count_files(void) {
  DIR *entries = opendir(fixture_folder);
  struct dirent *entry;
  int n = 0;
  while ((entry = readdir(entries))) {
    n += entry->d_name[0] != '.';
  }
  closedir(entries);
  return n;
}

static void remove_files(void) {
  unlink(fixture_path("memory.h5"));
  unlink(fixture_path("file.h5"));
  assert_int_equal(count_files(), 0);
}

static emg_config small(void) {
  emg_config config = busy();
  config.simulation.duration_s = 1;
  config.change.states = 1;
  config.change.cv_decline_per_s = config.change.shortening = 0;
  return config;
}

static void a_full_disk_is_told_and_leaves_no_file(void **state) {
  (void)state;
  emg_config config = small();
  struct rlimit before, limit;
  remove_files();
  // a limit on the length of files stands in for the disk; without the signal it is an error
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlim_t lengths[] = {0, 3000, 50000, 150000, 300000};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    for (int in_memory = 0; in_memory < 2; in_memory++) {
      emg_simulation_summary made;
      emg_error err = {0};
      limit = before;
      limit.rlim_cur = lengths[i];
      config.output.compress = i % 2 == 0;
      assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
      emg_status status = emg_simulate_within(in_memory ? 1e12 : 1, &config, NULL,
                                              fixture_path("full.h5"), NULL, true, &made, &err);
      assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
      assert_int_equal(status, EMG_ERR_IO);
      assert_non_null(strstr(emg_error_message(&err), "make room"));
      assert_int_equal(count_files(), 0);
    }
  }
}

typedef struct {
  int n_calls, stop_at;
} stopper;

static bool stop_at_call(const char *stage, int64_t done, int64_t total, void *user) {
  (void)stage;
  (void)done;
  (void)total;
  stopper *s = user;
  return s->n_calls++ == s->stop_at;
}

static void a_cancelled_run_leaves_no_file(void **state) {
  (void)state;
  const emg_config config = small();
  stopper counter = {.stop_at = -1};
  emg_monitor monitor = {.progress = stop_at_call, .user = &counter};
  emg_simulation_summary made;
  emg_error err = {0};
  remove_files();
  assert_int_equal(
      emg_simulate_within(1, &config, &monitor, fixture_path("file.h5"), NULL, true, &made, &err),
      EMG_OK);
  remove_files();
  assert_true(counter.n_calls > 40);
  for (int k = 0; k < counter.n_calls; k += k < counter.n_calls - 12 ? 15 : 3) {
    stopper s = {.stop_at = k};
    monitor.user = &s;
    assert_int_equal(
        emg_simulate_within(1, &config, &monitor, fixture_path("file.h5"), NULL, true, &made, &err),
        EMG_ERR_INTERRUPTED);
    assert_int_equal(count_files(), 0);
  }
}

static void an_existing_file_stays_unless_told_otherwise(void **state) {
  (void)state;
  const emg_config config = small();
  emg_simulation_summary made;
  emg_error err = {0};
  const char *path = fixture_write("mine.h5", "mine", 4);
  assert_int_equal(emg_simulate_to_file(&config, NULL, path, NULL, false, &made, &err), EMG_ERR_IO);
  assert_non_null(strstr(emg_error_message(&err), "exists already"));
  size_t n;
  char *bytes = fixture_slurp(path, &n);
  assert_memory_equal(bytes, "mine", 4);
  free(bytes);
  assert_int_equal(emg_simulate_to_file(&config, NULL, path, NULL, true, &made, &err), EMG_OK);
  assert_int_equal(made.n_channels, 20);
  assert_int_equal(made.n_samples, 2048);
  emg_recording rec = read_or_die(path, NULL);
  assert_int_equal(rec.data.n_rows, 20);
  emg_recording_free(&rec);
  unlink(path);
}

static void too_little_room_is_told_before_anything_is_made(void **state) {
  (void)state;
  // 1.5 TB of samples kept meanwhile and of the file
  const emg_config config = fixture_config(
      SET("simulation.duration_s=36000", "simulation.sampling_rate_hz=7000", "electrodes.rows=32",
          "electrodes.columns=32", "electrodes.row_pitch_mm=1", "electrodes.column_pitch_mm=1",
          "pool.units=2", "muscle.fibre_count=20", "drive.hold_s=36000"));
  emg_simulation_summary made;
  emg_error err = {0};
  struct statvfs space;
  assert_int_equal(statvfs(fixture_folder, &space), 0);
  if ((double)space.f_bavail * (double)space.f_frsize > 1.4e12) {
    skip();
  }
  assert_int_equal(
      emg_simulate_to_file(&config, NULL, fixture_path("big.h5"), NULL, false, &made, &err),
      EMG_ERR_IO);
  assert_non_null(strstr(emg_error_message(&err), "GB are free"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_at_once_is_the_same_in_bands_of_channels),
      cmocka_unit_test(float_16_bit_and_noiseless_recordings_are_the_same),
      cmocka_unit_test(a_full_disk_is_told_and_leaves_no_file),
      cmocka_unit_test(a_cancelled_run_leaves_no_file),
      cmocka_unit_test(an_existing_file_stays_unless_told_otherwise),
      cmocka_unit_test(too_little_room_is_told_before_anything_is_made),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
