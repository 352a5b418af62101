// test_change.c -- slow states: velocity falls with active time, length follows the excitation
#include <math.h>
#include <stdlib.h>

#include "tests/model_fixture.h"

// A model is only its configuration here, with an excitation of `active_s` at 0.5, then rest.
static emg_change_state *states_of(const char *const *assignments, int n_muscles, double active_s,
                                   int *n_states) {
  emg_model model = {.config = fixture_muscles(n_muscles, assignments), .n_muscles = n_muscles};
  emg_array2f excitation;
  emg_change_state *states;

  model.config.simulation.sampling_rate_hz = 1000;
  assert_int_equal(emg_array2f_create(n_muscles, 10000, &excitation, NULL), EMG_OK);
  for (int64_t k = 0; k < (int64_t)(1000 * active_s); k++) {
    excitation.data[k] = 0.5F;  // of the first muscle
  }
  assert_int_equal(emg_change_states(&model, &excitation, n_states, &states, NULL), EMG_OK);
  emg_array2f_free(&excitation);
  return states;
}

static void one_state_changes_nothing(void **state) {
  (void)state;
  int n;
  emg_change_state *s = states_of(
      SET("change.states=1", "change.cv_decline_per_s=0.02", "change.shortening=0.3"), 1, 10, &n);

  assert_int_equal(n, 1);
  assert_true(s[0].time_s == 0 && s[0].cv_factor == 1 && s[0].shortening == 0);
  free(s);
}

static void states_are_spread_evenly_and_velocity_falls_while_active(void **state) {
  (void)state;
  int n;
  emg_change_state *s =
      states_of(SET("change.states=11", "change.cv_decline_per_s=0.02"), 1, 6, &n);

  assert_int_equal(n, 11);
  for (int i = 0; i < n; i++) {
    assert_true(fabs(s[i].time_s - i) < 1e-9);
    assert_true(fabs(s[i].cv_factor - (1 - 0.02 * fmin(i, 6))) < 1e-9);
    assert_true(s[i].shortening == 0);
  }
  free(s);
}

static void shortening_follows_the_excitation(void **state) {
  (void)state;
  int n;
  emg_change_state *s = states_of(SET("change.states=11", "change.shortening=0.2"), 1, 5, &n);

  // half of 0.2, falling over the state that stands for 4.5 to 5.5 s
  for (int i = 0; i < n; i++) {
    double expected = i < 5 ? 0.1 : i == 5 ? 0.05 : 0;
    assert_true(fabs(s[i].shortening - expected) < 1e-6);
    assert_true(s[i].cv_factor == 1);
  }
  free(s);
}

static void several_muscles_count_in_the_mean(void **state) {
  (void)state;
  int n;
  emg_change_state *s = states_of(
      SET("change.states=2", "change.cv_decline_per_s=0.02", "change.shortening=0.2"), 2, 10, &n);

  // one of two muscles is active throughout
  assert_true(fabs(s[1].cv_factor - 0.9) < 1e-9);
  assert_true(fabs(s[1].shortening - 0.05) < 1e-6);
  free(s);
}

static void velocity_never_falls_below_half(void **state) {
  (void)state;
  emg_model model = {.config = fixture_config(SET("change.states=3", "change.cv_decline_per_s=0.02",
                                                  "simulation.sampling_rate_hz=100")),
                     .n_muscles = 1};
  emg_array2f excitation;
  emg_change_state *s;
  int n;

  assert_int_equal(emg_array2f_create(1, 10000, &excitation, NULL), EMG_OK);
  for (int k = 0; k < 10000; k++) {
    excitation.data[k] = 1;
  }
  assert_int_equal(emg_change_states(&model, &excitation, &n, &s, NULL), EMG_OK);
  assert_true(s[2].time_s == 100 && s[2].cv_factor == 0.5);
  free(s);
  emg_array2f_free(&excitation);
}

static void fewer_samples_than_states_are_refused(void **state) {
  (void)state;
  emg_model model = {.config = fixture_config(SET("change.states=64")), .n_muscles = 1};
  emg_array2f excitation;
  emg_change_state *s;
  emg_error err = {0};
  int n;

  assert_int_equal(emg_array2f_create(1, 20, &excitation, NULL), EMG_OK);
  assert_int_equal(emg_change_states(&model, &excitation, &n, &s, &err), EMG_ERR_ARG);
  emg_array2f_free(&excitation);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_state_changes_nothing),
      cmocka_unit_test(states_are_spread_evenly_and_velocity_falls_while_active),
      cmocka_unit_test(shortening_follows_the_excitation),
      cmocka_unit_test(several_muscles_count_in_the_mean),
      cmocka_unit_test(velocity_never_falls_below_half),
      cmocka_unit_test(fewer_samples_than_states_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
