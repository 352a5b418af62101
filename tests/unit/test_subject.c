// test_subject.c -- the forward model of a configuration, and the same moved
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "inverse/inverse_priv.h"

enum { ROWS = 6, COLUMNS = 3, CHANNELS = ROWS * COLUMNS, WINDOW = 80, SIZE = WINDOW * CHANNELS };

static const int channels[CHANNELS] = {0, 1,  2,  3,  4,  5,  6,  7,  8,
                                       9, 10, 11, 12, 13, 14, 15, 16, 17};
static const emg_view_source seen = {.rate_hz = 2048,
                                     .oversampling = 1,
                                     .n_window = WINDOW,
                                     .origin = 10,
                                     .max_shift = 5,
                                     .n_channels = CHANNELS,
                                     .channel = channels};
static emg_error err;

static emg_config small_grid(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.electrodes.rows = ROWS;
  config.electrodes.columns = COLUMNS;
  return config;
}

static void see(const emg_subject *subject, float *out) {
  const emg_fit fit = {.unit = {{6, 4, 3, 4, 60, -60, 2, 2, 0}}, .amplitude = 100};
  const emg_fit_problem problem = {.model = subject->model, .view = &subject->view};
  emg_fit_room *room;

  assert_int_equal(emg_fit_room_create(&problem, &room, &err), EMG_OK);
  assert_int_equal(emg_fit_potential(&problem, &fit, room, out, &err), EMG_OK);
  emg_fit_room_free(room);
}

static double largest(const float *a) {
  double peak = 0;
  for (int i = 0; i < SIZE; i++) {
    peak = fmax(peak, fabs((double)a[i]));
  }
  return peak;
}

// Tables end elsewhere, so the two agree to their tolerance.
static void a_moved_grid_is_as_if_made_there(void **state) {
  (void)state;
  emg_config config = small_grid();
  emg_subject base, moved, made;
  float one[SIZE], other[SIZE], unmoved[SIZE];

  assert_int_equal(emg_subject_create(&config, &seen, 10, &base, &err), EMG_OK);
  see(&base, unmoved);
  config.electrodes.rotation_deg = 7;
  config.electrodes.centre_z_mm = 4;
  assert_int_equal(emg_subject_move(&base, &config, &seen, &moved, &err), EMG_OK);
  assert_int_equal(emg_subject_create(&config, &seen, 0, &made, &err), EMG_OK);
  see(&moved, one);
  see(&made, other);
  for (int i = 0; i < SIZE; i++) {
    assert_float_equal(one[i], other[i], 2 * config.simulation.tolerance * largest(other));
    unmoved[i] -= other[i];
  }
  assert_true(largest(unmoved) > 0.1 * largest(other));
  emg_subject_free(&moved);
  emg_subject_free(&made);
  emg_subject_free(&base);
}

static void a_grid_moved_too_far_is_refused(void **state) {
  (void)state;
  emg_config config = small_grid();
  emg_subject base, moved;

  assert_int_equal(emg_subject_create(&config, &seen, 0, &base, &err), EMG_OK);
  config.electrodes.centre_z_mm = 100;
  assert_int_equal(emg_subject_move(&base, &config, &seen, &moved, &err), EMG_ERR_ARG);
  assert_null(moved.model);
  emg_subject_free(&base);
}

static void a_potential_begins_at_the_discharge(void **state) {
  (void)state;
  emg_config config = small_grid();
  emg_subject subject;
  float potential[SIZE];

  assert_int_equal(emg_subject_create(&config, &seen, 0, &subject, &err), EMG_OK);
  see(&subject, potential);
  double peak = largest(potential);
  assert_true(peak > 1);
  for (int row = 0; row < seen.origin; row++) {
    for (int c = 0; c < CHANNELS; c++) {
      assert_true(fabs((double)potential[row * CHANNELS + c]) < 1e-3 * peak);
    }
  }
  emg_subject_free(&subject);
}

static void wrong_anatomy_is_refused_as_where_it_is_made(void **state) {
  (void)state;
  emg_config config = small_grid();
  emg_subject subject;

  config.electrodes.montage = EMG_MONTAGE_LAPLACIAN;
  config.electrodes.columns = 2;
  assert_int_equal(emg_subject_create(&config, &seen, 0, &subject, &err), EMG_ERR_CONFIG);
  config = small_grid();
  config.electrodes.layout = EMG_LAYOUT_ARRAY;
  config.electrodes.rows = 4;
  config.electrodes.row_pitch_mm = 1;
  assert_int_equal(emg_subject_create(&config, &seen, 0, &subject, &err), EMG_ERR_ARG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_moved_grid_is_as_if_made_there),
      cmocka_unit_test(a_grid_moved_too_far_is_refused),
      cmocka_unit_test(a_potential_begins_at_the_discharge),
      cmocka_unit_test(wrong_anatomy_is_refused_as_where_it_is_made),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
