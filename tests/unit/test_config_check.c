// test_config_check.c -- relations between keys: each names both and their values
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/config.h>

static emg_config config;
static emg_error err;

// The defaults with up to three assignments fail with one finding that has both fragments.
static void assert_refused(const char *const assignments[3], const char *one, const char *other) {
  emg_config_defaults(&config);
  for (int i = 0; i < 3 && assignments[i]; i++) {
    assert_int_equal(emg_config_set(&config, assignments[i], &err), EMG_OK);
  }
  if (emg_config_check(&config, &err) != EMG_ERR_CONFIG) {
    fail_msg("%s: accepted", assignments[0]);
  }
  const char *message = err.items[0].message;
  if (err.n_items != 1 || !strstr(message, one) || !strstr(message, other)) {
    fail_msg("%d findings, \"%s\" does not say \"%s\" and \"%s\"", err.n_items, message, one,
             other);
  }
}

static void assert_accepted(const char *const assignments[3]) {
  emg_config_defaults(&config);
  for (int i = 0; i < 3 && assignments[i]; i++) {
    assert_int_equal(emg_config_set(&config, assignments[i], &err), EMG_OK);
  }
  if (emg_config_check(&config, &err) != EMG_OK) {
    fail_msg("%s: %s", assignments[0], err.items[0].message);
  }
}

#define SET(...) ((const char *const[3]){__VA_ARGS__})

static void the_defaults_are_consistent(void **state) {
  (void)state;
  assert_accepted(SET(NULL));
}

static void contradictions_in_the_subject_are_found(void **state) {
  (void)state;
  assert_refused(SET("conductor.bone_radius_mm=20"), "conductor.bone_radius_mm = 20 mm",
                 "conductor.muscle_radius_mm = 20 mm");
  assert_refused(SET("muscle.half_length_2_mm=10"), "innervation_zone_width_mm = 10 mm",
                 "half length, 10 mm");
  assert_refused(SET("muscle.cv_sd_m_per_s=2"), "cv_sd_m_per_s = 2 m/s", "cv_m_per_s = 4 m/s");
  assert_accepted(SET("muscle.cv_sd_m_per_s=2", "muscle.cv_law=fibre_diameter"));
  assert_refused(SET("muscle.fibre_count=59"), "pool.units = 60", "muscle.fibre_count = 59");
  assert_refused(SET("pool.innervation_min=3"), "innervation_min = 3", "innervation_max = 0");
  assert_refused(SET("pool.innervation_min=30", "pool.innervation_max=20"), "innervation_min = 30",
                 "innervation_max = 20");
  assert_refused(
      SET("pool.innervation_min=3", "pool.innervation_max=20", "muscle.fibre_count=1201"),
      "pool.units = 60 units", "muscle.fibre_count = 1201");
  assert_refused(SET("pool.innervation_min=3", "pool.innervation_max=20", "muscle.fibre_count=179"),
                 "pool.units = 60 units", "muscle.fibre_count = 179");
  assert_accepted(
      SET("pool.innervation_min=3", "pool.innervation_max=20", "muscle.fibre_count=900"));
}

static void contradictions_in_rates_and_drive_are_found(void **state) {
  (void)state;
  assert_refused(SET("pool.rate_min_hz=36"), "rate_min_hz = 36 Hz", "rate_max_hz = 35 Hz");
  assert_refused(SET("pool.rate_min_last_hz=26"), "rate_min_last_hz = 26 Hz",
                 "rate_max_last_hz = 25 Hz");
  assert_refused(SET("pool.isi_min_ms=30"), "rate_max_hz = 35 Hz needs intervals of 28.6 ms",
                 "isi_min_ms = 30 ms");
  assert_accepted(SET("pool.rate_min_hz=36", "pool.model=de_luca_contessa"));
  assert_refused(SET("drive.profile=file"), "drive.profile = file", "drive.file names none");
  assert_refused(SET("drive.profile=steps", "drive.step_levels=[]"), "drive.profile = steps",
                 "drive.step_levels is empty");
  assert_refused(SET("drive.profile=sine", "drive.level=0.05"), "drive.level = 0.05",
                 "drive.sine_amplitude = 0.1 run from -0.05");
  assert_refused(SET("drive.ramp_up_s=0", "drive.hold_s=0", "drive.ramp_down_s=0"),
                 "profile = trapezoid", "are 0 s");
  assert_refused(SET("drive.profile=ramp", "drive.ramp_up_s=0"), "profile = ramp",
                 "ramp_up_s is 0");
  assert_refused(SET("drive.start_s=10"), "drive.start_s = 10 s", "simulation.duration_s = 10 s");
  assert_refused(SET("drive.independent_noise=0.1", "simulation.sampling_rate_hz=100",
                     "drive.independent_noise_cutoff_hz=50"),
                 "independent_noise_cutoff_hz = 50 Hz", "sampling_rate_hz = 100 Hz");
  assert_refused(SET("drive.common_noise=0.1", "simulation.sampling_rate_hz=100",
                     "drive.common_noise_cutoff_hz=50"),
                 "common_noise_cutoff_hz = 50 Hz", "sampling_rate_hz = 100 Hz");
  // a contraction that outlasts the recording is cut
  assert_accepted(SET("drive.hold_s=60"));
}

static void contradictions_in_the_measurement_are_found(void **state) {
  (void)state;
  assert_refused(SET("electrodes.shape=annulus", "electrodes.inner_radius_mm=1"),
                 "inner_radius_mm = 1 mm", "radius_mm = 1 mm");
  assert_refused(SET("electrodes.missing=65"), "missing has 65", "rows = 13 times");
  assert_refused(SET("electrodes.missing=1.5"), "missing has 1.5", "columns = 5");
  assert_refused(SET("sensor.noise_colour=band", "sensor.noise_low_hz=600"),
                 "sensor.noise_low_hz = 600 Hz", "sensor.noise_high_hz = 500 Hz");
  assert_refused(SET("sensor.noise_colour=pink", "sensor.noise_high_hz=1024"),
                 "sensor.noise_high_hz = 1024 Hz", "simulation.sampling_rate_hz = 2048 Hz");
  assert_accepted(SET("sensor.noise_high_hz=1024"));
  assert_refused(SET("sensor.bandpass_low_hz=20", "sensor.bandpass_high_hz=10"),
                 "bandpass_low_hz = 20 Hz", "bandpass_high_hz = 10 Hz");
  assert_refused(SET("sensor.bandpass_low_hz=500", "simulation.sampling_rate_hz=1000"),
                 "bandpass_low_hz = 500 Hz", "sampling_rate_hz = 1000 Hz");
  assert_refused(SET("sensor.mains_uv=5", "simulation.sampling_rate_hz=200"),
                 "3 multiples of sensor.mains_hz = 50 Hz", "sampling_rate_hz = 200 Hz");
  assert_refused(SET("sensor.dead_channels=60", "sensor.noisy_channels=6"), "66 channels",
                 "65 at most");
  assert_refused(SET("decompose.band_low_hz=500"), "decompose.band_low_hz = 500 Hz",
                 "decompose.band_high_hz = 500 Hz");
  assert_refused(SET("change.shortening=0.1"), "change.shortening = 0.1", "change.states = 1");
  assert_refused(SET("change.cv_decline_per_s=0.1 %/s"), "change.cv_decline_per_s = 0.001 1/s",
                 "change.states = 1");
  assert_accepted(SET("change.shortening=0.1", "change.states=4"));
}

static void contradictions_in_what_is_expected_of_units_are_found(void **state) {
  (void)state;
  assert_refused(SET("invert.depth_min_mm=9", "invert.depth_max_mm=8"), "depth_min_mm = 9",
                 "depth_max_mm = 8");
  assert_refused(SET("invert.cv_mean_m_per_s=7"), "cv_mean_m_per_s = 7", "cv_max_m_per_s = 6");
  assert_refused(SET("invert.probes=100"), "probes_kept = 150", "probes = 100");
  assert_accepted(SET("invert.probes=100", "invert.probes_kept=100"));
}

static void recordings_that_do_not_fit_are_refused(void **state) {
  (void)state;
  // 10000 channels x 36000 s x 2048 Hz x 4 bytes = 2747 GiB
  assert_refused(SET("simulation.duration_s=10 h", "electrodes.rows=100", "electrodes.columns=100"),
                 "simulation.duration_s = 36000 s", "about 2747 GiB, more than 1024");
  assert_accepted(SET("simulation.duration_s=10 h", "electrodes.rows=16", "electrodes.columns=24"));
  // 36000 s x 10 kHz x 16 bytes = 5.4 GiB
  assert_refused(SET("simulation.duration_s=10 h", "simulation.sampling_rate_hz=10000"),
                 "about 5.4 GiB of memory for one channel", "more than 4");
  assert_refused(SET("electrodes.rows=512", "electrodes.columns=300", "pool.units=2000"),
                 "2000 units at 512 x 300 electrodes", "more than 64");
}

static void findings_name_the_muscle_and_come_together(void **state) {
  (void)state;
  emg_config_defaults(&config);
  config.n_muscles = 2;
  config.pool[1].rate_min_hz = 90;
  config.drive[0].profile = EMG_DRIVE_FILE;
  assert_int_equal(emg_config_check(&config, &err), EMG_ERR_CONFIG);
  assert_int_equal(err.n_items, 2);
  assert_non_null(strstr(err.items[0].message, "drive[0].profile"));
  assert_non_null(strstr(err.items[1].message, "pool[1].rate_min_hz = 90 Hz"));
  assert_int_equal(emg_config_check(&config, NULL), EMG_ERR_CONFIG);
}

static void values_set_in_c_are_checked_too(void **state) {
  (void)state;
  emg_config_defaults(&config);
  config.conductor.fat_thickness_mm = -1;
  config.electrodes.missing.n = 1000;
  config.drive[0].step_levels.values[1] = 2;
  memset(config.muscle[0].name, 'a', sizeof config.muscle[0].name);
  assert_int_equal(emg_config_check(&config, &err), EMG_ERR_CONFIG);
  assert_int_equal(err.n_items, 4);
  assert_non_null(strstr(err.items[0].message, "fat_thickness_mm: -1 mm is outside"));
  config.n_muscles = EMG_MUSCLES_MAX + 1;
  assert_int_equal(emg_config_check(&config, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(err.items[0].message, "17 muscles are outside the range 1 to 16"));
}

static void a_part_held_out_ends_behind_its_start(void **state) {
  (void)state;
  emg_config_defaults(&config);
  config.cnn.held_from_s = 20;
  assert_int_equal(emg_config_check(&config, &err), EMG_OK);
  config.cnn.held_to_s = 20;
  assert_int_equal(emg_config_check(&config, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(err.items[0].message, "cnn.held_to_s = 20 s"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_defaults_are_consistent),
      cmocka_unit_test(contradictions_in_the_subject_are_found),
      cmocka_unit_test(contradictions_in_rates_and_drive_are_found),
      cmocka_unit_test(contradictions_in_the_measurement_are_found),
      cmocka_unit_test(contradictions_in_what_is_expected_of_units_are_found),
      cmocka_unit_test(a_part_held_out_ends_behind_its_start),
      cmocka_unit_test(recordings_that_do_not_fit_are_refused),
      cmocka_unit_test(findings_name_the_muscle_and_come_together),
      cmocka_unit_test(values_set_in_c_are_checked_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
