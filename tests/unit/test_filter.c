// test_filter.c -- gains by formula and by measurement, phase, start and end, decimation
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "base/filter.h"

static const double rate_hz = 2048;

// Butterworth in the bilinear frequency: 1 / (1 + w^(2 order)), w = tan(pi f) / tan(pi cut-off).
static double butterworth_gain(int order, double cutoff_hz, double f_hz, bool is_highpass) {
  double w = tan(M_PI * f_hz / rate_hz) / tan(M_PI * cutoff_hz / rate_hz);
  return 1 / sqrt(1 + pow(is_highpass ? 1 / w : w, 2 * order));
}

static void butterworth_designs_have_their_textbook_gain(void **state) {
  (void)state;
  for (int order = 1; order <= 8; order++) {
    for (int is_highpass = 0; is_highpass < 2; is_highpass++) {
      emg_filter filter = {0};
      emg_status (*design)(emg_filter *, int, double, double, emg_error *) =
          is_highpass ? emg_filter_highpass : emg_filter_lowpass;
      assert_int_equal(design(&filter, order, 100, rate_hz, NULL), EMG_OK);
      for (double f_hz = 20; f_hz < 1000; f_hz += 70) {
        double gain = emg_filter_gain(&filter, f_hz, rate_hz);
        assert_true(fabs(gain - butterworth_gain(order, 100, f_hz, is_highpass)) < 1e-10);
      }
      assert_true(fabs(emg_filter_gain(&filter, 100, rate_hz) - sqrt(0.5)) < 1e-12);
    }
  }
}

// Amplitude and phase of a tone in x, from the middle half, which holds whole periods.
static double complex tone_in(const float *x, int n, double f_hz) {
  double complex sum = 0;
  for (int i = n / 4; i < 3 * n / 4; i++) {
    sum += x[i] * cexp(-2 * M_PI * I * f_hz * i / rate_hz);
  }
  return sum * 4 / n;
}

enum { N = 8192 };
static void tone(float *x, double f_hz) {
  for (int i = 0; i < N; i++) {
    x[i] = (float)cos(2 * M_PI * f_hz * i / rate_hz);
  }
}

static void a_causal_filter_has_the_gain_of_its_design(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_highpass(&filter, 3, 20, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 4, 400, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_notch(&filter, 50, 10, rate_hz, NULL), EMG_OK);
  float x[N];
  for (double f_hz = 10; f_hz < 1000; f_hz *= 2) {
    tone(x, f_hz);
    emg_filter_causal(&filter, N, x);
    assert_true(fabs(cabs(tone_in(x, N, f_hz)) - emg_filter_gain(&filter, f_hz, rate_hz)) < 1e-5);
  }
}

// The impulse response of y[i] = x[i] + ... is the recurrence itself.
static void a_causal_filter_is_its_difference_equation(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_lowpass(&filter, 2, 60, rate_hz, NULL), EMG_OK);
  float x[1500] = {1};
  double in[3] = {0}, out[3] = {0};
  emg_filter_causal(&filter, 1500, x);
  for (int i = 0; i < 1500; i++) {
    in[2] = in[1];
    in[1] = in[0];
    in[0] = i == 0;
    out[2] = out[1];
    out[1] = out[0];
    out[0] = filter.b[0][0] * in[0] + filter.b[0][1] * in[1] + filter.b[0][2] * in[2] -
             filter.a[0][0] * out[1] - filter.a[0][1] * out[2];
    assert_true(fabs(x[i] - out[0]) < 1e-8);
  }
}

static void zero_phase_squares_the_gain_and_keeps_the_phase(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_highpass(&filter, 2, 20, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 2, 500, rate_hz, NULL), EMG_OK);
  float x[N];
  for (double f_hz = 16; f_hz < 900; f_hz *= 2) {
    tone(x, f_hz);
    assert_int_equal(emg_filter_zero_phase(&filter, N, x, NULL), EMG_OK);
    double complex h = tone_in(x, N, f_hz);
    double gain = emg_filter_gain(&filter, f_hz, rate_hz);
    assert_true(fabs(creal(h) - gain * gain) < 1e-5);
    assert_true(fabs(cimag(h)) < 1e-5);
  }
}

// Odd reflection about the ends and a start at the steady state leave lines as they are.
static void zero_phase_keeps_a_line_under_a_low_pass_and_removes_it_under_a_high_pass(
    void **state) {
  (void)state;
  for (int order = 1; order <= 4; order++) {
    emg_filter low = {0}, high = {0};
    assert_int_equal(emg_filter_lowpass(&low, order, 20, rate_hz, NULL), EMG_OK);
    assert_int_equal(emg_filter_highpass(&high, order, 20, rate_hz, NULL), EMG_OK);
    float kept[N], removed[N];
    for (int i = 0; i < N; i++) {
      kept[i] = (float)(3 + 0.001 * i);
      removed[i] = 5;
    }
    assert_int_equal(emg_filter_zero_phase(&low, N, kept, NULL), EMG_OK);
    assert_int_equal(emg_filter_zero_phase(&high, N, removed, NULL), EMG_OK);
    for (int i = 0; i < N; i++) {
      assert_true(fabs(kept[i] - (3 + 0.001 * i)) < 1e-3);
      assert_true(fabs(removed[i]) < 1e-5);
    }
  }
}

static void zero_phase_is_symmetric_in_time(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_lowpass(&filter, 3, 150, rate_hz, NULL), EMG_OK);
  float x[N], reversed[N];
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < N; i++) {
    x[i] = reversed[N - 1 - i] = (float)emg_rng_gaussian(&rng);
  }
  assert_int_equal(emg_filter_zero_phase(&filter, N, x, NULL), EMG_OK);
  assert_int_equal(emg_filter_zero_phase(&filter, N, reversed, NULL), EMG_OK);
  for (int i = 200; i < N - 200; i++) {  // the ends know in which order the passes went
    assert_true(fabs(x[i] - reversed[N - 1 - i]) < 1e-5);
  }
}

static void very_short_rows_survive(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_highpass(&filter, 2, 20, rate_hz, NULL), EMG_OK);
  float x[3] = {1, 2, 3};
  for (int n = 0; n <= 3; n++) {
    assert_int_equal(emg_filter_zero_phase(&filter, n, x, NULL), EMG_OK);
    emg_filter_causal(&filter, n, x);
  }
  assert_true(isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]));
}

static void a_notch_takes_out_its_line_only(void **state) {
  (void)state;
  emg_filter filter = {0};
  assert_int_equal(emg_filter_notch(&filter, 50, 25, rate_hz, NULL), EMG_OK);
  assert_true(emg_filter_gain(&filter, 50, rate_hz) < 1e-10);
  assert_true(fabs(emg_filter_gain(&filter, 0, rate_hz) - 1) < 1e-12);
  assert_true(fabs(emg_filter_gain(&filter, 50 - 1, rate_hz) - sqrt(0.5)) < 0.01);  // f / (2 Q)
  assert_true(fabs(emg_filter_gain(&filter, 50 + 1, rate_hz) - sqrt(0.5)) < 0.01);
  assert_true(emg_filter_gain(&filter, 60, rate_hz) > 0.97);
}

static void impossible_filters_are_refused(void **state) {
  (void)state;
  emg_filter filter = {0};
  emg_error err = {0};
  assert_int_equal(emg_filter_lowpass(&filter, 2, 1024, rate_hz, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "1024 Hz"));
  assert_int_equal(emg_filter_highpass(&filter, 2, 0, rate_hz, &err), EMG_ERR_CONFIG);
  assert_int_equal(emg_filter_highpass(&filter, 2, NAN, rate_hz, &err), EMG_ERR_CONFIG);
  assert_int_equal(emg_filter_notch(&filter, -50, 25, rate_hz, &err), EMG_ERR_CONFIG);
  assert_int_equal(emg_filter_lowpass(&filter, 9, 100, rate_hz, &err), EMG_ERR_ARG);
  assert_int_equal(emg_filter_lowpass(&filter, 0, 100, rate_hz, &err), EMG_ERR_ARG);
  assert_int_equal(filter.n_sections, 0);
  for (int i = 0; i < EMG_SECTIONS_MAX; i++) {
    assert_int_equal(emg_filter_notch(&filter, 50, 25, rate_hz, &err), EMG_OK);
  }
  assert_int_equal(emg_filter_notch(&filter, 50, 25, rate_hz, &err), EMG_ERR_ARG);
}

static double fir_gain(const double *taps, int n_taps, double cycles_per_sample) {
  double sum = 0;
  for (int i = 0; i < n_taps; i++) {
    sum += taps[i] * cos(2 * M_PI * cycles_per_sample * (i - n_taps / 2));
  }
  return fabs(sum);
}

static void a_decimator_passes_its_band_and_stops_aliases(void **state) {
  (void)state;
  for (int factor = 2; factor <= 8; factor++) {
    int n_taps;
    double *taps;
    assert_int_equal(emg_fir_decimator(factor, &n_taps, &taps, NULL), EMG_OK);
    assert_int_equal(n_taps % 2, 1);
    for (int i = 0; i < n_taps; i++) {
      assert_true(fabs(taps[i] - taps[n_taps - 1 - i]) < 1e-15);
    }
    double nyquist = 0.5 / factor;
    assert_true(fabs(fir_gain(taps, n_taps, 0) - 1) < 1e-12);
    for (double f = 0; f <= 0.8 * nyquist; f += 0.02 * nyquist) {
      assert_true(fabs(fir_gain(taps, n_taps, f) - 1) < 1.5e-4);
    }
    for (double f = 1.2 * nyquist; f <= 0.5; f += 0.02 * nyquist) {
      assert_true(fir_gain(taps, n_taps, f) < 1.5e-4);  // 80 dB is 1e-4 by Kaiser's estimate
    }
    free(taps);
  }
  int n_taps;
  double *taps;
  assert_int_equal(emg_fir_decimator(1, &n_taps, &taps, NULL), EMG_OK);
  assert_int_equal(n_taps, 1);
  assert_true(taps[0] == 1);
  free(taps);
  assert_int_equal(emg_fir_decimator(0, &n_taps, &taps, NULL), EMG_ERR_ARG);
}

// Rows in two blocks, from rest, are the same as each channel alone; from the steady state an
// offset leaves nothing behind.
static void rows_of_channels_go_on_from_block_to_block(void **state) {
  (void)state;
  enum { N_ROWS = 700, N_CHANNELS = 70, CUT = 123 };
  static float rows[N_ROWS][N_CHANNELS], channel[N_CHANNELS][N_ROWS];
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  emg_filter filter = {0};
  double *memory;

  assert_int_equal(emg_filter_highpass(&filter, 2, 20, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 2, 500, rate_hz, NULL), EMG_OK);
  for (int i = 0; i < N_ROWS; i++) {
    for (int c = 0; c < N_CHANNELS; c++) {
      rows[i][c] = channel[c][i] = (float)emg_rng_gaussian(&rng);
    }
  }
  size_t size = emg_filter_state_size(&filter, N_CHANNELS);
  assert_int_equal(emg_alloc(size, sizeof *memory, &memory, NULL), EMG_OK);
  emg_filter_rows(&filter, N_CHANNELS, CUT, memory, rows[0]);
  emg_filter_rows(&filter, N_CHANNELS, N_ROWS - CUT, memory, rows[CUT]);
  for (int c = 0; c < N_CHANNELS; c++) {
    emg_filter_causal(&filter, N_ROWS, channel[c]);
    for (int i = 0; i < N_ROWS; i++) {
      assert_float_equal(rows[i][c], channel[c][i], 1e-6);
    }
  }
  for (int i = 0; i < N_ROWS * N_CHANNELS; i++) {
    rows[i / N_CHANNELS][i % N_CHANNELS] = 1e4F + (float)(i % N_CHANNELS);
  }
  emg_filter_rows_start(&filter, N_CHANNELS, rows[0], memory);
  emg_filter_rows(&filter, N_CHANNELS, N_ROWS, memory, rows[0]);
  for (int i = 0; i < N_ROWS * N_CHANNELS; i++) {
    assert_float_equal(rows[i / N_CHANNELS][i % N_CHANNELS], 0, 1e-6);
  }
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(butterworth_designs_have_their_textbook_gain),
      cmocka_unit_test(a_causal_filter_has_the_gain_of_its_design),
      cmocka_unit_test(a_causal_filter_is_its_difference_equation),
      cmocka_unit_test(zero_phase_squares_the_gain_and_keeps_the_phase),
      cmocka_unit_test(zero_phase_keeps_a_line_under_a_low_pass_and_removes_it_under_a_high_pass),
      cmocka_unit_test(zero_phase_is_symmetric_in_time),
      cmocka_unit_test(very_short_rows_survive),
      cmocka_unit_test(a_notch_takes_out_its_line_only),
      cmocka_unit_test(impossible_filters_are_refused),
      cmocka_unit_test(a_decimator_passes_its_band_and_stops_aliases),
      cmocka_unit_test(rows_of_channels_go_on_from_block_to_block),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
