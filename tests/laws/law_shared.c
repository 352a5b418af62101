// law_shared.c -- what all units share is found from their action potentials
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/simulated_units.h"

// The largest units, with the noise of as many spikes as 10 s give.
enum { LARGEST = 6, SPIKES = 100, ITERATIONS = 8 };

static inverse_case truth;
static emg_fit_item units[LARGEST];

static int set_up(void **state) {
  emg_error err = {0};
  emg_bank bank;
  emg_fit_room *room;

  (void)state;
  case_create(&truth, 4, 20);
  emg_fit_problem problem = case_problem(&truth);
  case_stop_on(emg_bank_create(&problem, 512, NULL, &bank, &err), &err);
  case_stop_on(emg_fit_room_create(&problem, &room, &err), &err);
  for (int i = 0; i < LARGEST; i++) {
    int unit = CASE_UNITS - LARGEST + i;
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)unit, 0);
    float *estimate = calloc((size_t)CASE_WINDOW * CASE_CHANNELS, sizeof *estimate);
    case_estimate(&truth, unit, SPIKES, &rng, estimate);
    units[i] = (emg_fit_item){.estimate = estimate, .n_spikes = SPIKES};
    case_stop_on(
        emg_fit_search(&problem, &bank, estimate, SPIKES, 4, 15, room, &units[i].fit, &err), &err);
  }
  emg_bank_free(&bank);
  emg_fit_room_free(room);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  for (int i = 0; i < LARGEST; i++) {
    free((void *)(uintptr_t)units[i].estimate);
  }
  case_free(&truth);
  return 0;
}

// The profile of a parameter that is configured wrongly by `error`.
static emg_profile profile(emg_shared_parameter parameter, double error) {
  emg_config config = truth.config;
  emg_fit_item copy[LARGEST];
  emg_profile out;
  emg_error err = {0};

  memcpy(copy, units, sizeof copy);
  emg_shared_set(&config, parameter, emg_shared_get(&config, parameter) + error);
  case_stop_on(emg_shared_profile(&config, &truth.seen, &truth.metric, parameter, LARGEST, copy,
                                  ITERATIONS, NULL, &out, &err),
               &err);
  print_message("%.2f +- %.2f (truth %.2f), cost lower by %.0f, %d values\n", out.value, out.sd,
                emg_shared_get(&truth.config, parameter), out.gain, out.n_tried);
  assert_false(out.is_at_limit);
  return out;
}

static void fat_and_a_turned_grid_are_found_one_after_the_other(void **state) {
  (void)state;
  emg_config config = truth.config;
  emg_fit_item copy[LARGEST];
  emg_profile out[EMG_SHARED_PARAMETERS];
  emg_error err = {0};

  memcpy(copy, units, sizeof copy);
  config.invert.fat = config.invert.rotation = EMG_SHARED_ESTIMATED;
  config.conductor.fat_thickness_mm += 1;
  config.electrodes.rotation_deg = 4;
  case_stop_on(emg_shared_estimate(&config, &truth.seen, &truth.metric, LARGEST, copy, ITERATIONS,
                                   NULL, out, &err),
               &err);
  const emg_profile *fat = &out[EMG_SHARED_FAT], *rotation = &out[EMG_SHARED_ROTATION];
  print_message("fat %.2f +- %.2f, rotation %.2f +- %.2f, costs lower by %.0f, %.0f\n", fat->value,
                fat->sd, rotation->value, rotation->sd, fat->gain, rotation->gain);
  assert_float_equal(fat->value, truth.config.conductor.fat_thickness_mm, 0.3);
  assert_float_equal(rotation->value, 0, 0.4);
  assert_false(fat->is_at_limit || rotation->is_at_limit);
  assert_true(fat->gain > 0 && rotation->gain > 0);
  assert_float_equal(config.conductor.fat_thickness_mm, fat->value, 0);
  assert_float_equal(config.electrodes.rotation_deg, rotation->value, 0);
  // what is fixed stays
  assert_int_equal(out[EMG_SHARED_TENDON_1].n_tried, 0);
  assert_float_equal(config.muscle[0].half_length_1_mm, 66, 0);
}

static void planes_of_tendons_are_found(void **state) {
  (void)state;
  // one plane for all units, which differ by 3 mm each
  emg_profile tendon = profile(EMG_SHARED_TENDON_1, 10);
  assert_float_equal(tendon.value, 66, 3);
  assert_true(tendon.gain > 0);
}

static void parameters_are_set_as_they_are_read(void **state) {
  (void)state;
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    emg_config config = truth.config;
    emg_shared_set(&config, p, emg_shared_get(&config, p) + 0.5);
    assert_float_equal(emg_shared_get(&config, p), emg_shared_get(&truth.config, p) + 0.5, 1e-9);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fat_and_a_turned_grid_are_found_one_after_the_other),
      cmocka_unit_test(planes_of_tendons_are_found),
      cmocka_unit_test(parameters_are_set_as_they_are_read),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
