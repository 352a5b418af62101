// test_discharge_file.c -- trains of a file drive the units of a pool
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/model_fixture.h"

static char path[64];

// Three trains at 1000 Hz, the second of which fires first, the third never.
static int write_trains(void **state) {
  (void)state;
  static const int64_t counts[] = {3, 4, 0}, samples[] = {500, 600, 700, 100, 200, 201, 2999};
  emg_truth truth = {0};
  emg_error err = {0};

  snprintf(path, sizeof path, "discharge_file_%d.h5", (int)getpid());
  assert_int_equal(emg_spikes_create(3, counts, 1000, 3000, &truth.spikes, NULL), EMG_OK);
  memcpy(truth.spikes.samples, samples, sizeof samples);
  emg_file_contents contents = {.truth = &truth, .n_threads = 1};
  if (emg_file_write(path, &contents, true, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  emg_spikes_free(&truth.spikes);
  return 0;
}

static int remove_trains(void **state) {
  (void)state;
  return remove(path);
}

// Discharges of a muscle of 10 units and an excitation of `level`.
static emg_status discharge(int units, double level, double from_s, emg_spikes *out,
                            emg_error *err) {
  emg_config config = fixture_config(SET("muscle.fibre_count = 300", "simulation.duration_s = 3"));
  emg_array2f excitation;

  config.pool[0].units = units;
  snprintf(config.drive[0].spikes_file, sizeof config.drive[0].spikes_file, "%s", path);
  config.drive[0].spikes_from_s = from_s;
  emg_model model = fixture_create(&config);
  assert_int_equal(emg_array2f_create(1, 6144, &excitation, NULL), EMG_OK);
  for (int64_t i = 0; i < 6144; i++) {
    excitation.data[i] = (float)level;
  }
  emg_status status = emg_discharge(&model, &excitation, out, err);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
  return status;
}

static void trains_go_to_units_in_order_of_recruitment(void **state) {
  (void)state;
  emg_spikes spikes;

  assert_int_equal(discharge(2, 1, 0, &spikes, NULL), EMG_OK);
  assert_int_equal(spikes.n_units, 2);
  assert_int_equal(emg_spikes_count(&spikes, 0), 4);
  assert_int_equal(emg_spikes_count(&spikes, 1), 3);
  // 100 and 2999 ms, in samples of 2048 Hz
  assert_int_equal(emg_spikes_of(&spikes, 0)[0], 205);
  assert_int_equal(emg_spikes_of(&spikes, 0)[3], 6142);
  assert_int_equal(emg_spikes_of(&spikes, 1)[2], 1434);
  emg_spikes_free(&spikes);
}

static void trains_spread_over_the_recruited_units(void **state) {
  (void)state;
  emg_spikes all, few;

  // two trains for ten units: the middles of either half
  assert_int_equal(discharge(10, 1, 0, &all, NULL), EMG_OK);
  for (int u = 0; u < 10; u++) {
    assert_int_equal(emg_spikes_count(&all, u), u == 2 ? 4 : u == 7 ? 3 : 0);
  }
  // at a low excitation the largest units are not recruited and get none
  assert_int_equal(discharge(10, 0.1, 0, &few, NULL), EMG_OK);
  assert_int_equal(emg_spikes_count(&few, 7), 0);
  assert_int_equal(few.offsets[10], 7);
  emg_spikes_free(&all);
  emg_spikes_free(&few);
}

static void the_recording_may_start_later_in_the_file(void **state) {
  (void)state;
  emg_spikes spikes;

  assert_int_equal(discharge(2, 1, 0.55, &spikes, NULL), EMG_OK);
  assert_int_equal(emg_spikes_count(&spikes, 0), 1);
  assert_int_equal(emg_spikes_count(&spikes, 1), 2);
  assert_int_equal(emg_spikes_of(&spikes, 1)[0], 102);  // 50 ms
  emg_spikes_free(&spikes);
}

static void what_cannot_be_driven_is_said(void **state) {
  (void)state;
  emg_spikes spikes;
  emg_error err = {0}, late = {0}, missing = {0};
  char kept[sizeof path];

  assert_int_equal(discharge(1, 1, 0, &spikes, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "pool.units to 2"));
  assert_int_equal(discharge(2, 1, 100, &spikes, &late), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&late), "spikes_from_s"));
  memcpy(kept, path, sizeof path);
  snprintf(path, sizeof path, "no_such_file.h5");
  assert_int_equal(discharge(2, 1, 0, &spikes, &missing), EMG_ERR_IO);
  memcpy(path, kept, sizeof path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trains_go_to_units_in_order_of_recruitment),
      cmocka_unit_test(trains_spread_over_the_recruited_units),
      cmocka_unit_test(the_recording_may_start_later_in_the_file),
      cmocka_unit_test(what_cannot_be_driven_is_said),
  };
  return cmocka_run_group_tests(tests, write_trains, remove_trains);
}
