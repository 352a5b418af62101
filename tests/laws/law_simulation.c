// law_simulation.c -- a whole simulation agrees with its own truth, and its parts do not disturb
// each other
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// A thin limb with a few units: well under a second.
static emg_config small_limb(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.simulation.duration_s = 3;
  config.conductor.muscle_radius_mm = 8;
  config.conductor.fat_thickness_mm = 2;
  config.electrodes.rows = 4;
  config.electrodes.columns = 3;
  config.muscle[0].fibre_count = 400;
  config.pool[0].units = 8;
  config.pool[0].innervation_ratio = 5;
  config.drive[0].level = 0.5;
  config.drive[0].ramp_up_s = 0.5;
  config.drive[0].hold_s = 2;
  config.drive[0].ramp_down_s = 0.5;
  config.output.clean = config.output.noise = true;
  return config;
}

static emg_simulation simulate(const emg_config *config) {
  emg_simulation s;
  emg_error err = {0};
  if (emg_simulate(config, NULL, &s, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return s;
}

static double largest(const emg_array2f *x) {
  double peak = 0;
  for (int c = 0; c < x->n_rows; c++) {
    for (int64_t i = 0; i < x->n_cols; i++) {
      peak = fmax(peak, fabs(emg_row2f(x, c)[i]));
    }
  }
  return peak;
}

static void assert_same_spikes(const emg_spikes *a, const emg_spikes *b) {
  assert_int_equal(a->n_units, b->n_units);
  assert_memory_equal(a->offsets, b->offsets, (size_t)(a->n_units + 1) * sizeof *a->offsets);
  assert_memory_equal(a->samples, b->samples, (size_t)a->offsets[a->n_units] * sizeof *a->samples);
}

static void assert_same_rows(const emg_array2f *a, const emg_array2f *b) {
  assert_int_equal(a->n_rows, b->n_rows);
  assert_int_equal(a->n_cols, b->n_cols);
  for (int c = 0; c < a->n_rows; c++) {
    assert_memory_equal(emg_row2f(a, c), emg_row2f(b, c), (size_t)a->n_cols * sizeof(float));
  }
}

static void assert_same_muaps(const emg_muap_bank *a, const emg_muap_bank *b) {
  assert_int_equal(a->n_taps, b->n_taps);
  assert_memory_equal(
      a->data, b->data,
      (size_t)a->n_units * (size_t)a->n_channels * (size_t)a->n_taps * sizeof(float));
}

static void everything_has_its_shape_and_label(void **state) {
  (void)state;
  emg_config config = small_limb();
  emg_simulation s = simulate(&config);
  const int64_t n_samples = 3 * 2048;
  assert_string_equal(s.recording.format, "emgtwin");
  assert_true(s.recording.is_physical);
  assert_true(s.recording.rate_hz == 2048);
  assert_true(s.recording.pitch_mm == 8);
  assert_int_equal(s.recording.data.n_rows, 12);
  assert_int_equal(s.recording.data.n_cols, n_samples);
  assert_string_equal(s.recording.channels[5].name, "R02C03");
  assert_true(fabs(hypot(s.recording.channels[5].x_mm, s.recording.channels[5].y_mm) - 11) < 1e-9);
  assert_int_equal(s.truth.spikes.n_units, 8);
  assert_true(s.truth.spikes.rate_hz == 2048);
  assert_int_equal(emg_spikes_check(&s.truth.spikes, NULL), EMG_OK);
  assert_true(s.truth.spikes.offsets[8] > 50);
  assert_int_equal(s.truth.muaps.n_units, 8);
  assert_int_equal(s.truth.muaps.n_channels, 12);
  assert_int_equal(s.truth.units.n_rows, 8);
  assert_int_equal(s.truth.excitation.n_rows, 1);
  assert_int_equal(s.truth.excitation.n_cols, n_samples);
  assert_int_equal(s.truth.force.n_cols, n_samples);
  assert_null(s.truth.fault.data);
  assert_true(largest(&s.clean) > 1);  // microvolts, not volts and not nothing
  emg_simulation_free(&s);
}

static void the_recording_is_clean_plus_noise_at_the_ratio_asked_for(void **state) {
  (void)state;
  emg_config config = small_limb();
  config.sensor.snr_db = 15;
  emg_simulation s = simulate(&config);
  double tolerance = 1e-6 * largest(&s.recording.data);
  for (int c = 0; c < 12; c++) {
    for (int64_t i = 0; i < s.clean.n_cols; i++) {
      double sum = (double)emg_row2f(&s.clean, c)[i] + emg_row2f(&s.noise, c)[i];
      assert_true(fabs(emg_row2f(&s.recording.data, c)[i] - sum) <= tolerance);
    }
  }
  assert_true(fabs(s.snr_db - 15) < 0.01);
  emg_simulation_free(&s);
}

static void the_clean_signal_is_the_truth_played_back(void **state) {
  (void)state;
  emg_config config = small_limb();
  emg_simulation s = simulate(&config);
  const emg_change_state resting = {0, 1, 0};
  emg_array2f again;
  assert_int_equal(emg_array2f_create(12, s.clean.n_cols, &again, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(&s.truth.muaps, &resting, 1, &s.truth.spikes, &again, NULL),
                   EMG_OK);
  assert_same_rows(&s.clean, &again);
  emg_array2f_free(&again);
  emg_simulation_free(&s);
}

static void the_sensor_does_not_change_the_muscle(void **state) {
  (void)state;
  emg_config config = small_limb();
  emg_simulation plain = simulate(&config);
  config.sensor.snr_db = 0;
  config.sensor.noise_colour = EMG_NOISE_PINK;
  config.sensor.dead_channels = 2;
  config.sensor.mains_uv = 5;
  emg_simulation noisy = simulate(&config);
  assert_same_spikes(&plain.truth.spikes, &noisy.truth.spikes);
  assert_same_muaps(&plain.truth.muaps, &noisy.truth.muaps);
  assert_same_rows(&plain.clean, &noisy.clean);
  assert_non_null(noisy.truth.fault.data);
  emg_simulation_free(&plain);
  emg_simulation_free(&noisy);
}

static void the_seed_changes_everything_random(void **state) {
  (void)state;
  emg_config config = small_limb();
  emg_simulation one = simulate(&config), again = simulate(&config);
  config.simulation.seed++;
  emg_simulation other = simulate(&config);
  assert_same_rows(&one.recording.data, &again.recording.data);
  assert_memory_not_equal(emg_row2f(&one.clean, 0), emg_row2f(&other.clean, 0),
                          (size_t)one.clean.n_cols * sizeof(float));
  assert_memory_not_equal(emg_row2f(&one.noise, 0), emg_row2f(&other.noise, 0),
                          (size_t)one.noise.n_cols * sizeof(float));
  emg_simulation_free(&one);
  emg_simulation_free(&again);
  emg_simulation_free(&other);
}

// Differences of monopolar channels are the differential channels.
static void the_montage_is_linear(void **state) {
  (void)state;
  emg_config config = small_limb();
  emg_simulation monopolar = simulate(&config);
  config.electrodes.montage = EMG_MONTAGE_SINGLE_DIFFERENTIAL;
  emg_simulation differential = simulate(&config);
  assert_int_equal(differential.clean.n_rows, 9);
  double tolerance = 1e-5 * largest(&monopolar.clean);
  for (int c = 0; c < 9; c++) {
    for (int64_t i = 0; i < monopolar.clean.n_cols; i++) {
      double difference = emg_row2f(&monopolar.clean, c + 3)[i] - emg_row2f(&monopolar.clean, c)[i];
      assert_true(fabs(emg_row2f(&differential.clean, c)[i] - difference) < tolerance);
    }
  }
  emg_simulation_free(&monopolar);
  emg_simulation_free(&differential);
}

static void only_what_is_asked_for_is_kept(void **state) {
  (void)state;
  emg_config config = small_limb();
  config.output.clean = config.output.noise = false;
  emg_simulation s = simulate(&config);
  assert_null(s.clean.data);
  assert_null(s.noise.data);
  assert_non_null(s.recording.data.data);
  emg_simulation_free(&s);
}

static bool cancel_at(const char *stage, int64_t done, int64_t total, void *user) {
  (void)done;
  (void)total;
  return strcmp(stage, user) == 0;
}

static void it_can_be_cancelled_at_every_stage(void **state) {
  (void)state;
  static const char *const stages[] = {"model",     "discharges", "action potentials",
                                       "synthesis", "sensor",     "truth"};
  emg_config config = small_limb();
  for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
    char stage[32];
    strcpy(stage, stages[i]);
    const emg_monitor monitor = {.progress = cancel_at, .user = stage};
    emg_simulation s;
    emg_error err = {0};
    assert_int_equal(emg_simulate(&config, &monitor, &s, &err), EMG_ERR_INTERRUPTED);
    assert_non_null(strstr(emg_error_message(&err), stage));
    assert_null(s.recording.data.data);
    assert_null(s.truth.spikes.offsets);
  }
}

static void what_the_sensor_cannot_do_is_said_before_the_work(void **state) {
  (void)state;
  char stage[] = "discharges";
  const emg_monitor monitor = {.progress = cancel_at, .user = stage};
  emg_config config = small_limb();
  config.electrodes.montage = EMG_MONTAGE_DOUBLE_DIFFERENTIAL;
  config.sensor.dead_channels = 6;  // of 6 channels
  emg_simulation s;
  assert_int_equal(emg_simulate(&config, &monitor, &s, NULL), EMG_ERR_CONFIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_has_its_shape_and_label),
      cmocka_unit_test(the_recording_is_clean_plus_noise_at_the_ratio_asked_for),
      cmocka_unit_test(the_clean_signal_is_the_truth_played_back),
      cmocka_unit_test(the_sensor_does_not_change_the_muscle),
      cmocka_unit_test(the_seed_changes_everything_random),
      cmocka_unit_test(the_montage_is_linear),
      cmocka_unit_test(only_what_is_asked_for_is_kept),
      cmocka_unit_test(it_can_be_cancelled_at_every_stage),
      cmocka_unit_test(what_the_sensor_cannot_do_is_said_before_the_work),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
