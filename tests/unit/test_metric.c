// test_metric.c -- the covariance of the extended vector as a metric
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "inverse/inverse_priv.h"

enum { TAPS = 4, CHANNELS = 3, D = TAPS * CHANNELS, WINDOW = 11 };

static emg_error err;

// Independent components of variance 1 .. D: eigenvalues are known.
static emg_metric diagonal_metric(void) {
  double covariance[D * D] = {0};
  emg_metric metric;

  emg_init();
  for (int i = 0; i < D; i++) {
    covariance[i * D + i] = i + 1;
  }
  assert_int_equal(emg_metric_create(TAPS, CHANNELS, covariance, &metric, &err), EMG_OK);
  return metric;
}

static void eigenvalues_from_the_mean_of_the_lower_half_on_are_kept(void **state) {
  (void)state;
  emg_metric metric = diagonal_metric();

  // the lower half is 1 .. 6, its mean 3.5: nine are kept
  assert_int_equal(metric.rank, 9);
  for (int k = 0; k < metric.rank; k++) {
    assert_float_equal(metric.values[k], D - k, 1e-9);
    for (int i = 0; i < D; i++) {
      float unit = i == D - 1 - k ? 1 : 0;
      assert_float_equal(fabsf(metric.vectors[k * D + i]), unit, 1e-6);
    }
  }
  emg_metric_free(&metric);
}

static void white_components_are_all_kept(void **state) {
  (void)state;
  enum { MANY = 1280 };
  double *covariance = calloc((size_t)MANY * MANY, sizeof *covariance);
  emg_metric metric;

  emg_init();
  for (int i = 0; i < MANY; i++) {
    covariance[(ptrdiff_t)i * MANY + i] = 0.1;
  }
  assert_int_equal(emg_metric_create(4, MANY / 4, covariance, &metric, &err), EMG_OK);
  assert_int_equal(metric.rank, MANY);
  emg_metric_free(&metric);
  free(covariance);
}

static void disjoint_blocks_lie_in_the_middle_of_the_window(void **state) {
  (void)state;
  emg_metric metric = diagonal_metric();
  float potential[WINDOW * CHANNELS], room[2 * D], out[2 * D];

  for (int i = 0; i < WINDOW * CHANNELS; i++) {
    potential[i] = (float)i;
  }
  assert_int_equal(emg_metric_blocks(&metric, WINDOW), 2);
  emg_metric_project(&metric, WINDOW, 1, potential, room, out);
  // rows 1 to 4 and 5 to 8 of 11; component 0 is the last of a block
  assert_float_equal(fabsf(out[0]), 4 * CHANNELS + CHANNELS - 1, 1e-4);
  assert_float_equal(fabsf(out[metric.rank]), 8 * CHANNELS + CHANNELS - 1, 1e-4);
  emg_metric_free(&metric);
}

static void a_block_that_reaches_beyond_the_window_is_0_there(void **state) {
  (void)state;
  emg_metric metric = diagonal_metric();
  float potential[WINDOW * CHANNELS], block[D];

  for (int i = 0; i < WINDOW * CHANNELS; i++) {
    potential[i] = (float)(i + 1);
  }
  emg_metric_block(&metric, WINDOW, 1, potential, block);
  for (int i = 0; i < D; i++) {
    assert_float_equal(block[i], i < 2 * CHANNELS ? 0 : i - 2 * CHANNELS + 1, 0);
  }
  emg_metric_block(&metric, WINDOW, WINDOW + 1, potential, block);
  for (int i = 0; i < D; i++) {
    int at = (WINDOW - 2) * CHANNELS + i;
    assert_float_equal(block[i], at < WINDOW * CHANNELS ? at + 1 : 0, 0);
  }
  emg_metric_block(&metric, WINDOW, WINDOW + 2 * TAPS, potential, block);
  for (int i = 0; i < D; i++) {
    assert_float_equal(block[i], 0, 0);
  }
  emg_metric_free(&metric);
}

static void silence_is_no_metric(void **state) {
  (void)state;
  double covariance[D * D] = {0};
  emg_metric metric;

  emg_init();
  assert_int_equal(emg_metric_create(TAPS, CHANNELS, covariance, &metric, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "is the recording silent?"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(eigenvalues_from_the_mean_of_the_lower_half_on_are_kept),
      cmocka_unit_test(white_components_are_all_kept),
      cmocka_unit_test(disjoint_blocks_lie_in_the_middle_of_the_window),
      cmocka_unit_test(a_block_that_reaches_beyond_the_window_is_0_there),
      cmocka_unit_test(silence_is_no_metric),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
