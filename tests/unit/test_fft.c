// test_fft.c -- transforms by their laws: impulse, tone, linearity, shift, Parseval, round trip
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/rng.h>

#include "base/fft.h"

enum { N_MAX = 1024 };
static const int sizes[] = {1, 2, 3, 8, 30, 97, 1024};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void fill_random(int n, uint32_t stream, double *x) {
  emg_rng rng = emg_rng_stream(9, EMG_RNG_TEST, stream, 0);
  for (int i = 0; i < n; i++) {
    x[i] = emg_rng_gaussian(&rng);
  }
}

static void the_transform_is_the_sum_it_says(void **state) {
  (void)state;
  double x[N_MAX];
  double complex spectrum[N_MAX / 2 + 1];
  for (int s = 0; s < N_SIZES; s++) {
    int n = sizes[s];
    fill_random(n, 0, x);
    assert_int_equal(emg_fft_forward(n, 1, x, spectrum, NULL), EMG_OK);
    for (int k = 0; k <= n / 2; k++) {
      double complex sum = 0;
      for (int j = 0; j < n; j++) {
        sum += x[j] * cexp(-2 * M_PI * I * (double)((int64_t)j * k % n) / n);
      }
      assert_true(cabs(spectrum[k] - sum) < 1e-11);
    }
  }
}

static void rows_are_transformed_as_each_alone(void **state) {
  enum { N = 48, N_ROWS = 3, N_BINS = N / 2 + 1 };
  double x[N_ROWS * N];
  double complex together[N_ROWS * N_BINS], alone[N_BINS];

  (void)state;
  fill_random(N_ROWS * N, 5, x);
  assert_int_equal(emg_fft_forward(N, N_ROWS, x, together, NULL), EMG_OK);
  for (int row = 0; row < N_ROWS; row++) {
    assert_int_equal(emg_fft_forward(N, 1, x + row * N, alone, NULL), EMG_OK);
    assert_memory_equal(together + row * N_BINS, alone, sizeof alone);
  }
}

static void the_round_trip_is_the_identity_and_keeps_its_input(void **state) {
  (void)state;
  double x[N_MAX], back[N_MAX];
  double complex spectrum[N_MAX / 2 + 1], copy[N_MAX / 2 + 1];
  for (int s = 0; s < N_SIZES; s++) {
    int n = sizes[s];
    fill_random(n, 1, x);
    assert_int_equal(emg_fft_forward(n, 1, x, spectrum, NULL), EMG_OK);
    memcpy(copy, spectrum, sizeof copy);
    assert_int_equal(emg_fft_inverse(n, spectrum, back, NULL), EMG_OK);
    assert_memory_equal(copy, spectrum, (size_t)(n / 2 + 1) * sizeof *copy);
    for (int i = 0; i < n; i++) {
      assert_true(fabs(back[i] - x[i]) < 1e-13);
    }
  }
}

static void a_shift_turns_phases_and_power_is_kept(void **state) {
  (void)state;
  enum { N = 96, SHIFT = 7 };
  double x[N], shifted[N], power = 0;
  double complex a[N / 2 + 1], b[N / 2 + 1];
  fill_random(N, 2, x);
  for (int i = 0; i < N; i++) {
    shifted[(i + SHIFT) % N] = x[i];
    power += x[i] * x[i];
  }
  assert_int_equal(emg_fft_forward(N, 1, x, a, NULL), EMG_OK);
  assert_int_equal(emg_fft_forward(N, 1, shifted, b, NULL), EMG_OK);
  double sum = 0;
  for (int k = 0; k <= N / 2; k++) {
    assert_true(cabs(b[k] - a[k] * cexp(-2 * M_PI * I * k * SHIFT / N)) < 1e-12);
    sum += (k == 0 || k == N / 2 ? 1 : 2) * creal(a[k] * conj(a[k])) / N;
  }
  assert_true(fabs(sum - power) < 1e-11);
}

static void good_sizes_are_the_least_smooth_ones(void **state) {
  (void)state;
  assert_int_equal(emg_fft_good_size(-3), 1);
  assert_int_equal(emg_fft_good_size(1), 1);
  assert_int_equal(emg_fft_good_size(11), 12);
  assert_int_equal(emg_fft_good_size(13), 14);
  assert_int_equal(emg_fft_good_size(1024), 1024);
  assert_int_equal(emg_fft_good_size(1025), 1029);  // 3 * 7^3
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_transform_is_the_sum_it_says),
      cmocka_unit_test(rows_are_transformed_as_each_alone),
      cmocka_unit_test(the_round_trip_is_the_identity_and_keeps_its_input),
      cmocka_unit_test(a_shift_turns_phases_and_power_is_kept),
      cmocka_unit_test(good_sizes_are_the_least_smooth_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
