// test_rng.c -- known answers, independence from order, moments
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <emgtwin/rng.h>

// Random123 known-answer vectors (kat_vectors, philox4x32 10 rounds).
static void philox_meets_published_vectors(void **state) {
  (void)state;
  uint32_t out[4];
  emg_philox4x32((uint32_t[4]){0, 0, 0, 0}, (uint32_t[2]){0, 0}, out);
  assert_int_equal(out[0], 0x6627e8d5);
  assert_int_equal(out[1], 0xe169c58d);
  assert_int_equal(out[2], 0xbc57ac4c);
  assert_int_equal(out[3], 0x9b00dbd8);

  emg_philox4x32((uint32_t[4]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                 (uint32_t[2]){0xa4093822, 0x299f31d0}, out);
  assert_int_equal(out[0], 0xd16cfe09);
  assert_int_equal(out[1], 0x94fdcceb);
  assert_int_equal(out[2], 0x5001e420);
  assert_int_equal(out[3], 0x24126ea1);
}

static void a_stream_does_not_depend_on_other_streams(void **state) {
  (void)state;
  emg_rng alone = emg_rng_stream(7, EMG_RNG_TEST, 3, 1);
  double first = emg_rng_gaussian(&alone), second = emg_rng_gaussian(&alone);

  emg_rng other = emg_rng_stream(7, EMG_RNG_TEST, 2, 1);
  emg_rng again = emg_rng_stream(7, EMG_RNG_TEST, 3, 1);
  emg_rng_gaussian(&other);
  assert_true(emg_rng_gaussian(&again) == first);
  emg_rng_gaussian(&other);
  assert_true(emg_rng_gaussian(&again) == second);
}

static void gaussian_draws_have_the_right_moments(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  const int n = 200000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < n; i++) {
    double z = emg_rng_gaussian(&rng);
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  // four standard errors each
  assert_true(fabs(sum / n) < 4 / sqrt(n));
  assert_true(fabs(squares / n - 1) < 4 * sqrt(2.0 / n));
  assert_true(fabs(fourth / n - 3) < 4 * sqrt(96.0 / n));
}

static void below_covers_its_range_evenly(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 1, 0);
  int counts[7] = {0};
  for (int i = 0; i < 70000; i++) {
    counts[emg_rng_below(&rng, 7)]++;
  }
  for (int i = 0; i < 7; i++) {
    assert_in_range(counts[i], 9600, 10400);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(philox_meets_published_vectors),
      cmocka_unit_test(a_stream_does_not_depend_on_other_streams),
      cmocka_unit_test(gaussian_draws_have_the_right_moments),
      cmocka_unit_test(below_covers_its_range_evenly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
