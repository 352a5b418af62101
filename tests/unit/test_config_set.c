// test_config_set.c -- assignments as given with --set
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

static void assert_sets(const char *assignment) {
  if (emg_config_set(&config, assignment, &err) != EMG_OK) {
    fail_msg("%s: %s", assignment, err.items[0].message);
  }
}

static void assert_refused(const char *assignment, emg_status status, const char *fragment) {
  static emg_config before;
  before = config;
  assert_int_equal(emg_config_set(&config, assignment, &err), status);
  if (!strstr(err.items[0].message, fragment)) {
    fail_msg("%s: \"%s\" does not say \"%s\"", assignment, err.items[0].message, fragment);
  }
  assert_memory_equal(&config, &before, sizeof config);
}

static void assignments_take_units_and_blanks(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_sets("conductor.fat_thickness_mm=0.4 cm");
  assert_true(config.conductor.fat_thickness_mm == 4);
  assert_sets(" electrodes.rows = 7 ");
  assert_int_equal(config.electrodes.rows, 7);
  assert_sets("muscle.name=a = b");
  assert_string_equal(config.muscle[0].name, "a = b");
  assert_sets("muscle.name=x");
  assert_string_equal(config.muscle[0].name, "x");
  assert_sets("muscle.name=");
  assert_string_equal(config.muscle[0].name, "");
  assert_sets("drive.step_levels=[10 %, 0.2 , 30%MVC]");
  assert_int_equal(config.drive[0].step_levels.n, 3);
  assert_true(config.drive[0].step_levels.values[2] == 0.3);
  assert_sets("electrodes.missing=5");
  assert_true(config.electrodes.missing.n == 1 && config.electrodes.missing.values[0] == 5);
  assert_sets("electrodes.missing=[ ]");
  assert_int_equal(config.electrodes.missing.n, 0);
  assert_sets("output.clean=TRUE");
  assert_true(config.output.clean);
}

static void one_muscle_or_all_are_set(void **state) {
  (void)state;
  emg_config_defaults(&config);
  config.n_muscles = 3;
  assert_sets("pool.units=7");
  assert_sets("pool[1].units=8");
  assert_int_equal(config.pool[0].units, 7);
  assert_int_equal(config.pool[1].units, 8);
  assert_int_equal(config.pool[2].units, 7);
  assert_refused("pool[3].units=8", EMG_ERR_CONFIG, "there are fewer muscles");
  assert_refused("pool[99999999999999999999].units=8", EMG_ERR_CONFIG, "there are fewer muscles");
  assert_refused("pool[-1].units=8", EMG_ERR_CONFIG, "is not a whole number from 0");
  assert_refused("pool[1x].units=8", EMG_ERR_CONFIG, "is not a whole number from 0");
  assert_refused("pool[1]x.units=8", EMG_ERR_CONFIG, "is not a whole number from 0");
  assert_refused("sensor[0].snr_db=8", EMG_ERR_CONFIG, "section 'sensor' takes no index");
}

static void refusals_say_what_to_do(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_refused("pool.units", EMG_ERR_ARG, "write section.key=value");
  assert_refused("units=8", EMG_ERR_CONFIG, "did you mean 'pool.units'?");
  assert_refused("pol.units=8", EMG_ERR_CONFIG, "did you mean 'pool'?");
  assert_refused("pool.unit=8", EMG_ERR_CONFIG, "did you mean 'units'?");
  assert_refused("pool.units=0", EMG_ERR_CONFIG, "pool.units: 0 is outside the range 1 to 2000");
  assert_refused("drive.step_levels=0.1,,0.2", EMG_ERR_CONFIG, "'' is not a number");
  assert_refused("drive.step_levels=0.1,", EMG_ERR_CONFIG, "ends with a comma");
  assert_refused("muscle.name=\xff", EMG_ERR_CONFIG, "is not one line of UTF-8 text");
  assert_refused("=", EMG_ERR_CONFIG, "is not section.key");
  assert_refused(".=", EMG_ERR_CONFIG, "unknown section ''");
  char longer[5000] = "muscle.name=";
  memset(longer + strlen(longer), 'a', 4900);
  assert_refused(longer, EMG_ERR_ARG, "at most 4095 are taken");
}

static void presets_are_layers_over_the_defaults(void **state) {
  (void)state;
  const char *const *names = emg_config_preset_names();
  int n = 0;

  for (; names[n]; n++) {
    assert_int_equal(emg_config_preset(names[n], &config, &err), EMG_OK);
    assert_int_equal(emg_config_check(&config, &err), EMG_OK);
    assert_true(strlen(emg_config_preset_doc(names[n])) > 20);
  }
  assert_int_equal(n, 7);
  assert_int_equal(emg_config_preset("quik", &config, &err), EMG_ERR_ARG);
  assert_non_null(strstr(err.items[0].message,
                         "there is no preset 'quik'; there are quick, wen2021, bmiss2025, "
                         "bmiss_short, biceps, tibialis, forearm-ring"));
  assert_null(emg_config_preset_doc("quik"));
}

// Wen et al. 2021: what the paper states
static void the_wen2021_preset_states_the_paper(void **state) {
  (void)state;
  assert_int_equal(emg_config_preset("wen2021", &config, &err), EMG_OK);
  assert_true(config.conductor.muscle_radius_mm == 10 && config.conductor.fat_thickness_mm == 4 &&
              config.conductor.skin_thickness_mm == 1 && config.conductor.bone_radius_mm == 0);
  assert_int_equal(config.muscle[0].fibre_count, 125664);
  assert_true(config.muscle[0].half_length_1_mm + config.muscle[0].half_length_2_mm == 200);
  assert_true(config.muscle[0].cv_m_per_s == 3.8 && config.muscle[0].cv_sd_m_per_s == 0.5);
  assert_int_equal(config.pool[0].units, 150);
  assert_int_equal(config.pool[0].innervation_min, 52);
  assert_int_equal(config.pool[0].innervation_max, 3191);
  assert_true(config.pool[0].recruitment_max == 0.75 && config.pool[0].isi_cov == 0.15);
  assert_true(config.drive[0].level / config.drive[0].ramp_up_s == 0.025);
  assert_true(config.drive[0].hold_s == 60 && config.simulation.duration_s == 80);
  assert_true(config.sensor.snr_db == 20 && config.simulation.sampling_rate_hz == 2048);
  assert_int_equal(config.electrodes.rows, 13);
  assert_int_equal(config.electrodes.columns, 5);
  assert_true(config.electrodes.row_pitch_mm == 8 && config.electrodes.radius_mm == 1);
  assert_int_equal(config.electrodes.montage, EMG_MONTAGE_SINGLE_DIFFERENTIAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(assignments_take_units_and_blanks),
      cmocka_unit_test(one_muscle_or_all_are_set),
      cmocka_unit_test(refusals_say_what_to_do),
      cmocka_unit_test(presets_are_layers_over_the_defaults),
      cmocka_unit_test(the_wen2021_preset_states_the_paper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
