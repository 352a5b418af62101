// test_decompose_activity.c -- discharges by likelihood: active units fire, silent ones do not
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/follow_priv.h>
#include <emgtwin/rng.h>

enum { N = 2048 * 120, REFRACTORY = 41 };
static const double rate_hz = 2048;
static float y[N];
static double noise[N / 2048 + 1];

static void fill_noise(double sd) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < N; i++) {
    y[i] = (float)(sd * emg_rng_gaussian(&rng));
  }
}

static int64_t pick(emg_activity_picker *picker, emg_expectation *expected) {
  *expected = (emg_expectation){.rate_hz = rate_hz, .interval_s = 0.1, .noise_variance = noise};
  emg_noise_estimate(y, N, expected);
  assert_int_equal(emg_activity_picker_create(N, REFRACTORY, picker, NULL), EMG_OK);
  return emg_pick_active(picker, y, N, expected);
}

// Height at which p N(y; 1, s2) = (1 - p) N(y; 0, s2).
static void the_threshold_is_where_both_are_as_likely(void **state) {
  (void)state;
  emg_expectation expected = {.rate_hz = rate_hz, .interval_s = 0.1};
  for (double variance = 0.001; variance < 0.05; variance *= 2) {
    double height = emg_height_threshold(&expected, variance), p = 3 / (0.1 * rate_hz);
    double odds =
        log(p / (1 - p)) + (height * height - (height - 1) * (height - 1)) / (2 * variance);
    assert_float_equal(odds, 0, 1e-6);
  }
  assert_float_equal(emg_height_threshold(&expected, 1), 0.75, 1e-9);
}

// Two minutes of noise a quarter to a tenth as high as discharges: its tails pass the threshold now
// and then.
static void noise_does_not_fire(void **state) {
  (void)state;
  for (double sd = 0.1; sd < 0.26; sd += 0.05) {
    emg_activity_picker picker;
    emg_expectation expected;
    fill_noise(sd);
    assert_int_equal(pick(&picker, &expected), 0);
    assert_true(sd < 0.2 || picker.peaks.n_peaks > 5);
    emg_activity_picker_free(&picker);
  }
}

static void trains_are_found_where_they_are_and_nowhere_else(void **state) {
  (void)state;
  emg_activity_picker picker;
  emg_expectation expected;
  int n_planted = 0;

  fill_noise(0.15);
  for (int t = 40 * 2048; t < 70 * 2048; t += 200) {
    y[t] += 1;
    n_planted++;
  }
  int64_t n = pick(&picker, &expected), n_hit = 0;
  for (int64_t i = 0; i < n; i++) {
    assert_in_range(picker.spikes[i], 40 * 2048 - 400, 70 * 2048 + 400);
    n_hit += picker.spikes[i] % 200 == 40 * 2048 % 200;
  }
  assert_true(n_hit >= 0.99 * n_planted && n_hit <= n_planted);
  emg_activity_picker_free(&picker);
}

static void three_clear_discharges_are_a_train_and_one_is_not(void **state) {
  (void)state;
  emg_activity_picker picker;
  emg_expectation expected;

  fill_noise(0.08);
  y[50000] = y[100000] = y[100200] = y[100410] = 1;
  assert_int_equal(pick(&picker, &expected), 3);
  assert_int_equal(picker.spikes[0], 100000);
  assert_int_equal(picker.spikes[2], 100410);
  emg_activity_picker_free(&picker);
}

// Half the time the noise is ten times larger: a threshold from all of it would fire in that half.
static void noise_is_measured_where_it_is(void **state) {
  (void)state;
  emg_activity_picker picker;
  emg_expectation expected;

  fill_noise(0.3);
  for (int i = 0; i < N / 2 + 4096; i++) {
    y[i] *= 0.1F;
  }
  assert_int_equal(pick(&picker, &expected), 0);
  assert_float_equal(emg_noise_at(&expected, 100), 0.0009, 0.0004);
  assert_float_equal(emg_noise_at(&expected, N - 1), 0.09, 0.04);
  emg_activity_picker_free(&picker);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_threshold_is_where_both_are_as_likely),
      cmocka_unit_test(noise_does_not_fire),
      cmocka_unit_test(trains_are_found_where_they_are_and_nowhere_else),
      cmocka_unit_test(three_clear_discharges_are_a_train_and_one_is_not),
      cmocka_unit_test(noise_is_measured_where_it_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
