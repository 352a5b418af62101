// test_expected.c -- what is expected of units, from a configuration
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inverse/inverse_priv.h"

static emg_config config;
static emg_conductor conductor;

static emg_expected expected_with(const char *assignment) {
  emg_error err = {0};

  emg_config_defaults(&config);
  if (assignment) {
    assert_int_equal(emg_config_set(&config, assignment, &err), EMG_OK);
  }
  assert_int_equal(emg_conductor_from_config(&config, &conductor, &err), EMG_OK);
  return emg_expected_from_config(&config, &conductor);
}

static void places_are_those_of_the_muscle_and_the_grid(void **state) {
  (void)state;
  emg_expected at_zero = expected_with(NULL);
  emg_expected moved = expected_with("muscle.innervation_zone_mm=15");

  assert_float_equal(at_zero.mean[EMG_UNIT_ZONE], 0, 0);
  assert_float_equal(moved.mean[EMG_UNIT_ZONE], 15, 0);
  assert_float_equal(moved.mean[EMG_UNIT_TENDON_1], 15 + config.muscle[0].half_length_1_mm, 0);
  assert_float_equal(moved.mean[EMG_UNIT_TENDON_2], 15 - config.muscle[0].half_length_2_mm, 0);
  assert_float_equal(moved.max[EMG_UNIT_TENDON_1] - moved.min[EMG_UNIT_TENDON_1], 24, 1e-9);

  emg_expected aside = expected_with("electrodes.centre_angle_deg=90");
  double skin_mm = 1e3 * emg_conductor_skin_radius_m(&conductor);
  assert_float_equal(aside.mean[EMG_UNIT_ARC], skin_mm * M_PI / 2, 1e-9);
  assert_float_equal(aside.min[EMG_UNIT_ARC], skin_mm * M_PI / 2 - 40, 1e-9);
}

static void under_a_ring_no_place_is_likelier(void **state) {
  (void)state;
  emg_expected ring = expected_with("electrodes.layout=ring");
  double half_turn_mm = M_PI * 1e3 * emg_conductor_skin_radius_m(&conductor), reach_mm = 0;

  assert_true(isinf(ring.sd[EMG_UNIT_ARC]));
  for (int i = 0; i <= 10; i++) {
    const double cube[6] = {0.5, i / 10.0, 0.5, 0.5, 0.5, 0.5};
    emg_mean_unit unit = emg_expected_unit(&ring, cube);
    reach_mm = fmax(reach_mm, fabs(unit.value[EMG_UNIT_ARC]));
  }
  assert_float_equal(reach_mm, half_turn_mm, 1e-9);
}

static void probes_are_within_bounds_and_centred(void **state) {
  (void)state;
  emg_expected e = expected_with("invert.zone_max_mm=6");

  for (int corner = 0; corner < 64; corner++) {
    double cube[6];
    for (int k = 0; k < 6; k++) {
      cube[k] = corner >> k & 1;
    }
    emg_mean_unit unit = emg_expected_unit(&e, cube);
    for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
      assert_true(unit.value[p] >= e.min[p] && unit.value[p] <= e.max[p]);
    }
  }
  const double middle[6] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
  emg_mean_unit unit = emg_expected_unit(&e, middle);
  for (int p = EMG_UNIT_ARC; p <= EMG_UNIT_TENDON_2; p++) {
    assert_float_equal(unit.value[p], e.mean[p], 1e-9);
  }
}

static void no_unit_is_deeper_than_the_muscle(void **state) {
  (void)state;
  emg_expected e = expected_with("conductor.muscle_radius_mm=8");
  assert_float_equal(e.max[EMG_UNIT_DEPTH], 8, 1e-9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_are_those_of_the_muscle_and_the_grid),
      cmocka_unit_test(under_a_ring_no_place_is_likelier),
      cmocka_unit_test(probes_are_within_bounds_and_centred),
      cmocka_unit_test(no_unit_is_deeper_than_the_muscle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
