// test_filter.c -- filters do to a sine what their response says
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/filter.h"

enum { N = 40000 };
static const double rate_hz = 2000;

static void fill_sine(double frequency_hz, float x[N]) {
  for (int i = 0; i < N; i++) {
    x[i] = (float)sin(2 * M_PI * frequency_hz * i / rate_hz);
  }
}

// Root mean square of the second half, where filters started from rest have settled.
static double settled_rms(const float x[N]) {
  double squares = 0;
  for (int i = N / 2; i < N; i++) {
    squares += (double)x[i] * x[i];
  }
  return sqrt(squares / (N / 2));
}

static emg_filter bandpass(void) {
  emg_filter filter = {0};
  assert_int_equal(emg_filter_highpass(&filter, 3, 20, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 4, 500, rate_hz, NULL), EMG_OK);
  return filter;
}

static void a_causal_filter_scales_sines_by_its_gain(void **state) {
  (void)state;
  static float x[N];
  const double frequencies_hz[] = {5, 20, 100, 500, 800};
  emg_filter filter = bandpass();

  for (int i = 0; i < 5; i++) {
    fill_sine(frequencies_hz[i], x);
    emg_filter_causal(&filter, N, x);
    double gain = emg_filter_gain(&filter, frequencies_hz[i], rate_hz);
    assert_true(fabs(settled_rms(x) * sqrt(2) - gain) < 1e-5);
  }
}

static void a_zero_phase_filter_scales_sines_by_its_squared_gain(void **state) {
  (void)state;
  static float x[N], sine[N];
  const double frequencies_hz[] = {20, 100, 500};
  emg_filter filter = bandpass();

  for (int i = 0; i < 3; i++) {
    fill_sine(frequencies_hz[i], x);
    fill_sine(frequencies_hz[i], sine);
    assert_int_equal(emg_filter_zero_phase(&filter, N, x, NULL), EMG_OK);
    double gain = emg_filter_gain(&filter, frequencies_hz[i], rate_hz);
    for (int k = N / 4; k < 3 * N / 4; k++) {
      assert_true(fabs(x[k] - gain * gain * sine[k]) < 1e-5);
    }
  }
}

static void butterworth_edges_are_3_db_down(void **state) {
  (void)state;
  emg_filter filter = bandpass();

  // the other edge takes a little more: less than 1e-3
  assert_true(fabs(emg_filter_gain(&filter, 20, rate_hz) - sqrt(0.5)) < 1e-3);
  assert_true(fabs(emg_filter_gain(&filter, 500, rate_hz) - sqrt(0.5)) < 1e-3);
}

static void a_cutoff_beyond_half_the_rate_is_refused(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_lowpass(&filter, 2, 1000, rate_hz, NULL), EMG_ERR_CONFIG);
  assert_int_equal(emg_filter_highpass(&filter, 2, 0, rate_hz, NULL), EMG_ERR_CONFIG);
  assert_int_equal(filter.n_sections, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_causal_filter_scales_sines_by_its_gain),
      cmocka_unit_test(a_zero_phase_filter_scales_sines_by_its_squared_gain),
      cmocka_unit_test(butterworth_edges_are_3_db_down),
      cmocka_unit_test(a_cutoff_beyond_half_the_rate_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
