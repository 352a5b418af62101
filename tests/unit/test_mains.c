// test_mains.c -- lines of the mains are found where they are and nowhere else, and go
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/mains_priv.h>
#include <emgtwin/emgtwin.h>

static const double rate_hz = 2048;

// Noise with a smooth spectrum that falls as that of EMG does, correlated between rows.
static emg_array2f make_noise(int n_rows, int64_t n, uint32_t seed) {
  emg_array2f x;
  emg_rng common = emg_rng_stream(5, EMG_RNG_TEST, seed, 1000);

  assert_int_equal(emg_array2f_create(n_rows, n, &x, NULL), EMG_OK);
  for (int64_t i = 0; i < n; i++) {
    emg_row2f(&x, 0)[i] = (float)emg_rng_gaussian(&common);
  }
  for (int r = n_rows - 1; r >= 0; r--) {
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, seed, (uint32_t)r);
    float before = 0;
    for (int64_t i = 0; i < n; i++) {
      float value = emg_row2f(&x, 0)[i] + (float)(0.5 * emg_rng_gaussian(&rng)) + 0.8F * before;
      emg_row2f(&x, r)[i] = before = value;
    }
  }
  return x;
}

static void add_line(emg_array2f *x, double hz, double size) {
  for (int r = 0; r < x->n_rows; r++) {
    for (int64_t i = 0; i < x->n_cols; i++) {
      emg_row2f(x, r)[i] += (float)(size * sin(2 * M_PI * hz * (double)i / rate_hz + r));
    }
  }
}

static void noise_holds_no_mains(void **state) {
  (void)state;
  static const int rows[] = {2, 8, 32};
  static const double seconds[] = {1.5, 5, 20};

  for (uint32_t seed = 0; seed < 5; seed++) {
    for (int k = 0; k < 3; k++) {
      for (int s = 0; s < 3 - (k == 2); s++) {
        emg_array2f x = make_noise(rows[k], (int64_t)(seconds[s] * rate_hz), seed);
        emg_mains mains;
        assert_int_equal(emg_mains_find(&x, rate_hz, 500, &mains, NULL), EMG_OK);
        assert_int_equal(mains.n_lines, 0);
        assert_true(mains.fundamental_hz == 0);
        emg_array2f_free(&x);
      }
    }
  }
}

// Trains of pulses at 10 to 25 Hz with the variability of motor units have harmonics at 50 Hz, but
// broad ones.
static void discharges_are_no_mains(void **state) {
  (void)state;
  enum { N = 2048 * 20, M = 8 };
  emg_array2f x = make_noise(M, N, 1);
  emg_mains mains;

  for (int unit = 0; unit < 12; unit++) {
    emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, (uint32_t)unit, 0);
    double interval = rate_hz / (unit < 6 ? 12.5 : 25);
    for (double at = 30; at < N - 60; at += interval * (1 + 0.1 * emg_rng_gaussian(&rng))) {
      for (int t = -25; t < 25; t++) {
        double shape = (1 - t * t / 36.0) * exp(-t * t / 72.0);
        emg_row2f(&x, unit % M)[(int64_t)at + t] += (float)(20 * shape);
      }
    }
  }
  assert_int_equal(emg_mains_find(&x, rate_hz, 500, &mains, NULL), EMG_OK);
  assert_int_equal(mains.n_lines, 0);
  emg_array2f_free(&x);
}

static void lines_are_found_with_their_frequency_and_removed(void **state) {
  (void)state;
  static const struct {
    double hz;
    int harmonics[3];
  } cases[] = {{50.06, {1, 3, 5}}, {59.97, {1, 2, 4}}, {49.9, {2, 3, 9}}};
  enum { N = 2048 * 8 };

  for (int k = 0; k < 3; k++) {
    emg_array2f clean = make_noise(6, N, 7), x = make_noise(6, N, 7);
    emg_mains mains;
    double left = 0, added = 0;
    for (int i = 0; i < 3; i++) {
      add_line(&x, cases[k].hz * cases[k].harmonics[i], 3);
    }
    assert_int_equal(emg_mains_find(&x, rate_hz, 500, &mains, NULL), EMG_OK);
    assert_int_equal(mains.n_lines, 3);
    assert_float_equal(mains.fundamental_hz, cases[k].hz, 0.02);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(mains.harmonic[i], cases[k].harmonics[i]);
    }
    assert_int_equal(emg_mains_remove(&mains, rate_hz, &x, NULL), EMG_OK);
    for (int r = 0; r < 6; r++) {
      for (int64_t i = 0; i < N; i++) {
        left += pow(emg_row2f(&x, r)[i] - emg_row2f(&clean, r)[i], 2);
        added += 3 * 4.5;
      }
    }
    // what goes with a line is the noise within 1 Hz of it: 2 Hz of 1024 and some more at low
    // frequencies, where this noise is 3 times stronger
    double noise = 0;
    for (int64_t i = 0; i < N; i++) {
      noise += 6 * pow(emg_row2f(&clean, 0)[i], 2);
    }
    assert_true(left < 0.002 * added + 3 * 0.02 * noise);
    assert_int_equal(emg_mains_find(&x, rate_hz, 500, &mains, NULL), EMG_OK);
    assert_int_equal(mains.n_lines, 0);
    emg_array2f_free(&x);
    emg_array2f_free(&clean);
  }
}

// Interference whose size changes, as when a cable moves, is followed.
static void a_line_that_swells_is_followed(void **state) {
  (void)state;
  enum { N = 2048 * 10 };
  emg_array2f x;
  emg_mains mains = {.fundamental_hz = 50, .n_lines = 1, .harmonic = {1}};
  double most = 0;

  assert_int_equal(emg_array2f_create(1, N, &x, NULL), EMG_OK);
  for (int64_t i = 0; i < N; i++) {
    double t = (double)i / rate_hz;
    x.data[i] = (float)((2 + sin(2 * M_PI * 0.1 * t)) * cos(2 * M_PI * 50 * t));
  }
  assert_int_equal(emg_mains_remove(&mains, rate_hz, &x, NULL), EMG_OK);
  for (int64_t i = 0; i < N; i++) {
    most = fmax(most, fabs(x.data[i]));
  }
  assert_true(most < 0.4);  // at the ends, where it is held; of an amplitude of up to 3
  most = 0;
  for (int64_t i = N / 8; i < N - N / 8; i++) {
    most = fmax(most, fabs(x.data[i]));
  }
  assert_true(most < 0.05);
  emg_array2f_free(&x);
}

static void odd_lengths_and_rows_of_zeros_are_fine(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 7, 500, 2048, 2049, 5001};

  for (int k = 0; k < 6; k++) {
    emg_array2f x;
    emg_mains mains, all = {.fundamental_hz = 50, .n_lines = 2, .harmonic = {1, 2}};
    assert_int_equal(emg_array2f_create(3, lengths[k], &x, NULL), EMG_OK);
    assert_int_equal(emg_mains_find(&x, rate_hz, 500, &mains, NULL), EMG_OK);
    assert_int_equal(mains.n_lines, 0);
    assert_int_equal(emg_mains_remove(&all, rate_hz, &x, NULL), EMG_OK);
    for (int64_t i = 0; i < lengths[k]; i++) {
      assert_true(emg_row2f(&x, 1)[i] == 0);
    }
    emg_array2f_free(&x);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(noise_holds_no_mains),
      cmocka_unit_test(discharges_are_no_mains),
      cmocka_unit_test(lines_are_found_with_their_frequency_and_removed),
      cmocka_unit_test(a_line_that_swells_is_followed),
      cmocka_unit_test(odd_lengths_and_rows_of_zeros_are_fine),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
