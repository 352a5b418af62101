// repro_threads.c -- one SHA-256 over all of a simulation, at 1, 2 and 4 threads
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "base/sha256.h"

// Every stage that runs in parallel is in use: two muscles, several states, coloured and
// correlated noise, interference, faults, amplifier, converter.
static emg_config busy(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.simulation.duration_s = 4;
  config.conductor.muscle_radius_mm = 12;
  config.electrodes.rows = 5;
  config.electrodes.columns = 4;
  config.n_muscles = 2;
  for (int m = 0; m < 2; m++) {
    config.muscle[m] = config.muscle[0];
    config.pool[m] = config.pool[0];
    config.drive[m] = config.drive[0];
    config.muscle[m].region = EMG_REGION_CIRCLE;
    config.muscle[m].centre_radius_mm = 6;
    config.muscle[m].centre_angle_deg = 180 * m;
    config.muscle[m].radial_extent_mm = 5;
    config.muscle[m].fibre_count = 300;
    config.pool[m].units = 6;
    config.pool[m].innervation_ratio = 4;
    config.drive[m].level = 0.5;
    config.drive[m].hold_s = 2;
    config.drive[m].ramp_up_s = config.drive[m].ramp_down_s = 1;
    config.drive[m].common_noise = config.drive[m].independent_noise = 0.05;
  }
  config.change.states = 3;
  config.change.cv_decline_per_s = 0.01;
  config.change.shortening = 0.05;
  config.sensor.noise_colour = EMG_NOISE_PINK;
  config.sensor.noise_correlation_mm = 12;
  config.sensor.mains_uv = 2;
  config.sensor.motion_uv = 20;
  config.sensor.motion_per_s = 0.5;
  config.sensor.dead_channels = config.sensor.noisy_channels = 1;
  config.sensor.saturated_channels = config.sensor.intermittent_channels = 1;
  config.sensor.bandpass_low_hz = 10;
  config.sensor.bandpass_high_hz = 500;
  config.sensor.adc_bits = 16;
  config.output.clean = config.output.noise = true;
  return config;
}

static void add_rows_f(emg_sha256 *sha, const emg_array2f *x) {
  for (int row = 0; row < x->n_rows; row++) {
    emg_sha256_add(sha, emg_row2f(x, row), (size_t)x->n_cols * sizeof(float));
  }
}

static void add_rows_d(emg_sha256 *sha, const emg_array2d *x) {
  for (int row = 0; row < x->n_rows; row++) {
    emg_sha256_add(sha, emg_row2d(x, row), (size_t)x->n_cols * sizeof(double));
  }
}

enum { N_DIGESTS = 9 };
static const char *const names[N_DIGESTS] = {"spikes",    "muaps",      "units", "clean", "noise",
                                             "recording", "excitation", "force", "fault"};

static void digest(const emg_simulation *s, char digests[N_DIGESTS][65]) {
  const emg_truth *truth = &s->truth;
  const emg_muap_bank *muaps = &truth->muaps;
  emg_sha256 sha[N_DIGESTS];
  for (int i = 0; i < N_DIGESTS; i++) {
    emg_sha256_start(&sha[i]);
  }
  size_t n_units = (size_t)truth->spikes.n_units;
  emg_sha256_add(&sha[0], truth->spikes.offsets, (n_units + 1) * sizeof(int64_t));
  emg_sha256_add(&sha[0], truth->spikes.samples,
                 (size_t)truth->spikes.offsets[n_units] * sizeof(int64_t));
  emg_sha256_add(&sha[1], muaps->data,
                 n_units * (size_t)muaps->n_channels * (size_t)muaps->n_taps * sizeof(float));
  for (int c = 0; c < truth->units.n_columns; c++) {
    emg_sha256_add(&sha[2], truth->units.columns[c].values, n_units * sizeof(double));
  }
  add_rows_f(&sha[3], &s->clean);
  add_rows_f(&sha[4], &s->noise);
  add_rows_f(&sha[5], &s->recording.data);
  add_rows_d(&sha[6], &truth->excitation);
  add_rows_d(&sha[7], &truth->force);
  add_rows_f(&sha[8], &truth->fault);
  for (int i = 0; i < N_DIGESTS; i++) {
    emg_sha256_finish(&sha[i], digests[i]);
  }
}

static void simulate_with(int n_threads, char digests[N_DIGESTS][65]) {
  emg_config config = busy();
  emg_simulation s;
  emg_error err = {0};
  emg_set_threads(n_threads);
  if (emg_simulate(&config, NULL, &s, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  digest(&s, digests);
  emg_simulation_free(&s);
}

static void every_dataset_is_the_same_at_1_2_and_4_threads(void **state) {
  (void)state;
  char one[N_DIGESTS][65], many[N_DIGESTS][65];
  simulate_with(1, one);
  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    simulate_with(n_threads, many);
    for (int i = 0; i < N_DIGESTS; i++) {
      if (strcmp(one[i], many[i]) != 0) {
        fail_msg("%s differ at %d threads", names[i], n_threads);
      }
    }
  }
  // nothing is compared that is not there
  for (int i = 1; i < N_DIGESTS; i++) {
    assert_string_not_equal(one[i], one[0]);
    assert_string_not_equal(one[i],
                            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dataset_is_the_same_at_1_2_and_4_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
