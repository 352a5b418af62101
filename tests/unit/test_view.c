// test_view.c -- potentials at electrodes as the decomposer sees them, against filters on a long
// recording
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/rng.h>

#include "inverse/inverse_priv.h"

enum {
  ELECTRODES = 5,
  CHANNELS = 3,
  POTENTIAL = 60,
  POTENTIAL_ORIGIN = 7,
  WINDOW = 80,
  ORIGIN = 20,
  SHIFT = 9,
  LONG = 6000,
  MIDDLE = 3000
};
#define RATE_HZ 2048.0

static const int channel[CHANNELS] = {3, 0, 2};
static const float scale[CHANNELS] = {1, 2, 0.5f};
static emg_filter filter, amplifier;
static emg_array2d weights;
static emg_error err;

// Differences of neighbours, and a smooth potential of the length of an action potential.
static void set_up(int oversampling, float *potentials) {
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  int n = POTENTIAL * oversampling;

  filter = amplifier = (emg_filter){0};
  assert_int_equal(emg_filter_highpass(&filter, 2, 20, RATE_HZ, &err), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 2, 500, RATE_HZ, &err), EMG_OK);
  assert_int_equal(emg_filter_amplifier(&amplifier, 5, 700, RATE_HZ, &err), EMG_OK);
  assert_int_equal(emg_array2d_create(ELECTRODES - 1, ELECTRODES, &weights, &err), EMG_OK);
  for (int i = 0; i < ELECTRODES - 1; i++) {
    emg_row2d(&weights, i)[i] = -1;
    emg_row2d(&weights, i)[i + 1] = 1;
  }
  for (int e = 0; e < ELECTRODES; e++) {
    double centre = POTENTIAL * (0.3 + 0.4 * emg_rng_uniform(&rng));
    for (int i = 0; i < n; i++) {
      double t = ((double)i / oversampling - centre) / 3;
      potentials[e * n + i] = (float)(10 * t * exp(-t * t / 2));
    }
  }
}

static emg_view_source source_of(int oversampling, bool is_amplified) {
  return (emg_view_source){.rate_hz = RATE_HZ,
                           .oversampling = oversampling,
                           .n_potential = POTENTIAL * oversampling,
                           .potential_origin = POTENTIAL_ORIGIN * oversampling,
                           .n_window = WINDOW,
                           .origin = ORIGIN,
                           .max_shift = SHIFT,
                           .amplifier = is_amplified ? &amplifier : NULL,
                           .filter = &filter,
                           .weights = &weights,
                           .n_channels = CHANNELS,
                           .channel = channel,
                           .scale = scale};
}

// The same by a recording with one discharge in its middle. The potential is smooth, so that its
// samples at the lower rate are those of the decimated one.
static void see_slowly(const float *potentials, int oversampling, bool is_amplified, int c,
                       float *row) {
  int n = POTENTIAL * oversampling;

  for (int i = 0; i < LONG; i++) {
    row[i] = 0;
  }
  for (int e = 0; e < ELECTRODES; e++) {
    double weight = emg_row2d(&weights, channel[c])[e] * scale[c];
    for (int i = 0; i < POTENTIAL; i++) {
      row[MIDDLE - POTENTIAL_ORIGIN + i] += (float)(weight * potentials[e * n + i * oversampling]);
    }
  }
  if (is_amplified) {
    emg_filter_causal(&amplifier, LONG, row);
  }
  assert_int_equal(emg_filter_zero_phase(&filter, LONG, row, &err), EMG_OK);
}

static void check(int oversampling, bool is_amplified, int shift) {
  float *potentials = calloc((size_t)ELECTRODES * POTENTIAL * oversampling, sizeof *potentials);
  float *room = calloc(ELECTRODES * WINDOW, sizeof *room), *row = calloc(LONG, sizeof *row);
  float *seen = calloc(CHANNELS * WINDOW, sizeof *seen);
  emg_view view;

  set_up(oversampling, potentials);
  emg_view_source source = source_of(oversampling, is_amplified);
  assert_int_equal(emg_view_create(&source, &view, &err), EMG_OK);
  emg_view_apply(&view, 1, potentials, shift, room, seen);
  for (int c = 0; c < CHANNELS; c++) {
    see_slowly(potentials, oversampling, is_amplified, c, row);
    for (int i = 0; i < WINDOW; i++) {
      // of a peak of 20: what the decimator lets ripple
      assert_float_equal(seen[i * CHANNELS + c], row[MIDDLE - ORIGIN - shift + i],
                         oversampling > 1 ? 5e-3 : 1e-4);
    }
  }
  emg_view_free(&view);
  emg_array2d_free(&weights);
  free(potentials);
  free(room);
  free(row);
  free(seen);
}

static void a_view_is_montage_and_filters_of_the_decomposer(void **state) {
  (void)state;
  check(1, false, 0);
  check(1, true, 0);
}

static void a_shift_is_a_later_discharge(void **state) {
  (void)state;
  check(1, false, SHIFT);
  check(1, false, -SHIFT);
}

static void finer_samples_are_decimated_as_the_simulator_does(void **state) {
  (void)state;
  check(2, false, 0);
  check(2, true, -3);
}

static void many_at_once_are_the_same_as_one_by_one(void **state) {
  (void)state;
  enum { SIZE = ELECTRODES * POTENTIAL, SEEN = CHANNELS * WINDOW };
  float potentials[2 * SIZE], room[2 * ELECTRODES * WINDOW], together[2 * SEEN], alone[SEEN];
  emg_view view;

  set_up(1, potentials);
  for (int i = 0; i < SIZE; i++) {
    potentials[SIZE + i] = -3 * potentials[i];
  }
  emg_view_source source = source_of(1, false);
  assert_int_equal(emg_view_create(&source, &view, &err), EMG_OK);
  emg_view_apply(&view, 2, potentials, 2, room, together);
  emg_view_apply(&view, 1, potentials, 2, room, alone);
  for (int i = 0; i < SEEN; i++) {
    assert_float_equal(together[i], alone[i], 1e-5);
    assert_float_equal(together[SEEN + i], -3 * alone[i], 1e-4);
  }
  emg_view_free(&view);
  emg_array2d_free(&weights);
}

static void channels_that_the_montage_lacks_are_refused(void **state) {
  (void)state;
  static const int wrong[CHANNELS] = {0, 4, 1};
  float potentials[ELECTRODES * POTENTIAL];
  emg_view view;

  set_up(1, potentials);
  emg_view_source source = source_of(1, false);
  source.channel = wrong;
  assert_int_equal(emg_view_create(&source, &view, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "channel 4 is not one of the 4"));
  source = source_of(1, false);
  source.n_window = 0;
  assert_int_equal(emg_view_create(&source, &view, &err), EMG_ERR_ARG);
  emg_array2d_free(&weights);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_view_is_montage_and_filters_of_the_decomposer),
      cmocka_unit_test(a_shift_is_a_later_discharge),
      cmocka_unit_test(finer_samples_are_decimated_as_the_simulator_does),
      cmocka_unit_test(many_at_once_are_the_same_as_one_by_one),
      cmocka_unit_test(channels_that_the_montage_lacks_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
