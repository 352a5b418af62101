// test_shrink.c -- estimates shrunk towards a model, and templates of filters
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "inverse/inverse_priv.h"

enum { CHANNELS = 4, WINDOW = 200, SIZE = WINDOW * CHANNELS, TAPS = 6, D = TAPS * CHANNELS };

static const double variance[CHANNELS] = {1, 4, 0.25, 9};
static emg_error err;

// Truth, a model that is wrong by `bias` standard deviations of a spike, and an average.
static void draw(double bias, double n_spikes, uint32_t trial, float *truth, float *model,
                 float *estimate) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, trial);

  for (int i = 0; i < SIZE; i++) {
    double sd = sqrt(variance[i % CHANNELS]);
    truth[i] = (float)sin(0.1 * i);
    model[i] = (float)(truth[i] + bias * sd * emg_rng_gaussian(&rng));
    estimate[i] = (float)(truth[i] + sd / sqrt(n_spikes) * emg_rng_gaussian(&rng));
  }
}

static double squared_error(const float *a, const float *truth) {
  double sum = 0;
  for (int i = 0; i < SIZE; i++) {
    sum += ((double)a[i] - truth[i]) * ((double)a[i] - truth[i]) / variance[i % CHANNELS];
  }
  return sum;
}

static void the_weight_is_the_share_of_bias(void **state) {
  (void)state;
  float truth[SIZE], model[SIZE], estimate[SIZE], shrunk[SIZE];

  for (int i = 0; i < 5; i++) {
    double bias = 0.05 * (1 << i), expected = bias * bias / (bias * bias + 1 / 50.0);
    draw(bias, 50, (uint32_t)i, truth, model, estimate);
    double weight = emg_shrink(WINDOW, CHANNELS, variance, 50, estimate, model, shrunk);
    // 800 values tell bias from noise to about 2 / sqrt(800)
    assert_float_equal(weight, expected, 0.12);
    assert_true(squared_error(shrunk, truth) < squared_error(estimate, truth));
  }
  draw(0, 50, 9, truth, model, estimate);
  emg_shrink(WINDOW, CHANNELS, variance, 50, estimate, truth, shrunk);
  assert_true(squared_error(shrunk, truth) < 0.2 * squared_error(estimate, truth));
}

static void an_estimate_like_the_model_becomes_the_model(void **state) {
  (void)state;
  float truth[SIZE], model[SIZE], estimate[SIZE], shrunk[SIZE];

  draw(1, 50, 1, truth, model, estimate);
  assert_float_equal(emg_shrink(WINDOW, CHANNELS, variance, 50, model, model, shrunk), 0, 0);
  assert_memory_equal(shrunk, model, sizeof shrunk);
}

static void a_silent_channel_has_no_say(void **state) {
  (void)state;
  const double with_silence[CHANNELS] = {1, 4, 0, 9};
  float truth[SIZE], model[SIZE], estimate[SIZE], shrunk[SIZE];

  draw(0.2, 50, 1, truth, model, estimate);
  double weight = emg_shrink(WINDOW, CHANNELS, with_silence, 50, estimate, model, shrunk);
  assert_true(weight > 0 && weight < 1);
  for (int i = 0; i < SIZE; i++) {
    assert_true(isfinite(shrunk[i]));
  }
}

// Components of variance 1 .. 24: of these 1 .. 6 are dropped.
static emg_metric make_metric(void) {
  double covariance[D * D] = {0};
  emg_metric metric;

  emg_init();
  for (int i = 0; i < D; i++) {
    covariance[i * D + i] = i + 1;
  }
  assert_int_equal(emg_metric_create(TAPS, CHANNELS, covariance, &metric, &err), EMG_OK);
  return metric;
}

static void a_template_answers_where_the_signal_is(void **state) {
  (void)state;
  emg_metric metric = make_metric();
  float potential[SIZE] = {0}, filter[D], block[D];
  emg_template template;
  double variance_of_source = 0, answer = 0;

  // rows 70 to 75, so a filter of 6 taps sees all of it up to row 75
  for (int i = 70 * CHANNELS; i < 76 * CHANNELS; i++) {
    potential[i] = 10;
  }
  assert_int_equal(
      emg_template_create(&metric, WINDOW, 60, potential, potential, 50, filter, &template, &err),
      EMG_OK);
  assert_int_equal(template.delay, 15);
  assert_float_equal(template.weight, 0, 1e-6);
  assert_float_equal(template.cosine, 1, 1e-6);
  emg_metric_block(&metric, WINDOW, 75, potential, block);
  for (int i = 0; i < D; i++) {
    variance_of_source += (i + 1) * (double)filter[i] * filter[i];
    answer += (double)filter[i] * block[i];
  }
  assert_float_equal(variance_of_source, 1, 1e-5);
  assert_float_equal(answer, template.height, 1e-4);
  emg_metric_free(&metric);
}

static void a_template_needs_a_window_as_long_as_its_filter(void **state) {
  (void)state;
  emg_metric metric = make_metric();
  float potential[SIZE] = {0}, filter[D];
  emg_template template;

  assert_int_equal(
      emg_template_create(&metric, TAPS - 1, 0, potential, potential, 50, filter, &template, &err),
      EMG_ERR_ARG);
  // nothing to see is no filter, and no error
  assert_int_equal(
      emg_template_create(&metric, WINDOW, 0, potential, potential, 50, filter, &template, &err),
      EMG_OK);
  for (int i = 0; i < D; i++) {
    assert_float_equal(filter[i], 0, 0);
  }
  assert_float_equal(template.height, 0, 0);
  emg_metric_free(&metric);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_weight_is_the_share_of_bias),
      cmocka_unit_test(an_estimate_like_the_model_becomes_the_model),
      cmocka_unit_test(a_silent_channel_has_no_say),
      cmocka_unit_test(a_template_answers_where_the_signal_is),
      cmocka_unit_test(a_template_needs_a_window_as_long_as_its_filter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
