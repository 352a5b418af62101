// test_ceiling.c -- upper bounds on recordings whose bounds are known
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

enum { M = 8, TAPS = 60, ORIGIN = 10, SAMPLES = 8192, UNITS = 6 };
static const double rate_hz = 2048;

typedef struct {
  emg_recording rec;
  emg_spikes truth;
  emg_muap_bank muaps;
  emg_config config;
  emg_score_options options;
} example;

// Unit u has an action potential of its own shape on every channel, `size[u]` times the noise.
static example create(const double *size) {
  example e;
  emg_rng rng = emg_rng_stream(7, EMG_RNG_TEST, 0, 0);
  int64_t counts[UNITS];

  emg_config_defaults(&e.config);
  assert_int_equal(emg_score_preset("strict", &e.options, NULL), EMG_OK);
  for (int u = 0; u < UNITS; u++) {
    counts[u] = size[u] > 0 ? 30 : 0;
  }
  assert_int_equal(emg_spikes_create(UNITS, counts, rate_hz, SAMPLES, &e.truth, NULL), EMG_OK);
  assert_int_equal(emg_muap_bank_create(UNITS, M, TAPS, ORIGIN, rate_hz, &e.muaps, NULL), EMG_OK);
  assert_int_equal(emg_recording_create(M, SAMPLES, rate_hz, &e.rec, NULL), EMG_OK);
  for (int u = 0; u < UNITS; u++) {
    for (int c = 0; c < M; c++) {
      double centre = 20 + 15 * emg_rng_uniform(&rng), width = 2 + 3 * emg_rng_uniform(&rng);
      double height = size[u] * emg_rng_gaussian(&rng);
      for (int t = 0; t < TAPS; t++) {
        double z = (t - centre) / width;
        emg_muap_row(&e.muaps, u, c)[t] = (float)(height * (1 - z * z) * exp(-z * z / 2));
      }
    }
    for (int64_t i = 0; i < counts[u]; i++) {
      double at = 150 + 260 * ((double)i + 0.8 * emg_rng_uniform(&rng));
      e.truth.samples[e.truth.offsets[u] + i] = (int64_t)at;
    }
  }
  for (int c = 0; c < M; c++) {
    float *x = emg_row2f(&e.rec.data, c);
    for (int64_t i = 0; i < SAMPLES; i++) {
      x[i] = (float)emg_rng_gaussian(&rng);
    }
    for (int u = 0; u < UNITS; u++) {
      for (int64_t i = 0; i < counts[u]; i++) {
        int64_t at = emg_spikes_of(&e.truth, u)[i] - ORIGIN;
        for (int t = 0; t < TAPS && at + t < SAMPLES; t++) {
          x[at + t] += emg_muap_row(&e.muaps, u, c)[t];
        }
      }
    }
  }
  return e;
}

static void destroy(example *e) {
  emg_recording_free(&e->rec);
  emg_spikes_free(&e->truth);
  emg_muap_bank_free(&e->muaps);
}

static emg_ceiling_result bounds_of(const example *e, const emg_muap_bank *muaps) {
  emg_ceiling_result result;
  emg_error err = {0};

  emg_status status =
      emg_ceiling(&e->rec, &e->truth, muaps, &e->config, &e->options, NULL, &result, &err);
  if (status != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return result;
}

static void large_units_are_always_told_and_silent_ones_left_out(void **state) {
  (void)state;
  const double size[UNITS] = {20, 0, 20, 20, 0, 20};
  example e = create(size);
  emg_ceiling_result result = bounds_of(&e, &e.muaps);

  assert_false(result.is_fitted);
  assert_int_equal(result.n_units, 4);
  const int expected[] = {0, 2, 3, 5};
  for (int i = 0; i < result.n_units; i++) {
    assert_int_equal(result.units[i].truth, expected[i]);
    assert_int_equal(result.units[i].n_spikes, 30);
    assert_true(result.units[i].greedy >= 0.9);
    assert_true(result.units[i].alone == 1);
  }
  assert_int_equal(result.roa_90.greedy, 4);
  assert_int_equal(result.roa_50.alone, 4);
  emg_ceiling_free(&result);
  destroy(&e);
}

// A unit below the noise is told by nobody; one pass is never above greedy.
static void small_units_are_not_told(void **state) {
  (void)state;
  const double size[UNITS] = {30, 15, 8, 4, 2, 0.05};
  example e = create(size);
  emg_ceiling_result result = bounds_of(&e, &e.muaps);

  for (int i = 0; i < result.n_units; i++) {
    assert_true(result.units[i].one_pass <= result.units[i].greedy);
    assert_true(result.units[i].alone <= 1);
  }
  assert_true(result.units[0].one_pass >= 0.9);
  assert_true(result.units[5].greedy < 0.5 && result.units[5].alone < 0.5);
  // as predicted
  assert_true(result.units[0].detectability >= EMG_DETECTABILITY_MIN);
  assert_true(result.units[5].detectability < EMG_DETECTABILITY_MIN);
  assert_in_range(result.n_predicted, 1, UNITS - 1);
  assert_true(result.roa_90.one_pass <= result.roa_90.greedy);
  assert_true(result.roa_90.greedy <= result.roa_50.greedy);
  emg_ceiling_free(&result);
  destroy(&e);
}

static void without_action_potentials_they_are_fitted(void **state) {
  (void)state;
  const double size[UNITS] = {20, 20, 20, 20, 20, 20};
  example e = create(size);
  emg_ceiling_result known = bounds_of(&e, &e.muaps), fitted = bounds_of(&e, NULL);

  assert_true(fitted.is_fitted && !known.is_fitted);
  for (int i = 0; i < UNITS; i++) {
    assert_true(fitted.units[i].alone >= 0.9 && known.units[i].alone >= 0.9);
  }
  emg_ceiling_free(&known);
  emg_ceiling_free(&fitted);

  // those of other units explain nothing
  for (int c = 0; c < M; c++) {
    for (int t = 0; t < TAPS; t++) {
      emg_muap_row(&e.muaps, 0, c)[t] = emg_muap_row(&e.muaps, 1, c)[TAPS - 1 - t];
    }
  }
  emg_ceiling_result wrong = bounds_of(&e, &e.muaps);
  assert_true(wrong.is_fitted);
  emg_ceiling_free(&wrong);
  destroy(&e);
}

static void threads_and_scale_change_nothing(void **state) {
  (void)state;
  const double size[UNITS] = {10, 6, 4, 3, 2, 1};
  example e = create(size);
  int n_threads = omp_get_max_threads();
  emg_ceiling_result reference = bounds_of(&e, &e.muaps);

  omp_set_num_threads(3);
  emg_ceiling_result threaded = bounds_of(&e, &e.muaps);
  omp_set_num_threads(n_threads);
  assert_memory_equal(reference.units, threaded.units, UNITS * sizeof *reference.units);

  // a power of 2 changes no rounding; the bank may be in other units than the recording
  for (int c = 0; c < M; c++) {
    for (int64_t i = 0; i < SAMPLES; i++) {
      emg_row2f(&e.rec.data, c)[i] *= 1024;
    }
  }
  emg_ceiling_result scaled = bounds_of(&e, &e.muaps);
  assert_memory_equal(reference.units, scaled.units, UNITS * sizeof *reference.units);
  emg_ceiling_free(&reference);
  emg_ceiling_free(&threaded);
  emg_ceiling_free(&scaled);
  destroy(&e);
}

static void a_truth_of_something_else_is_refused(void **state) {
  (void)state;
  const double size[UNITS] = {10, 6, 4, 3, 2, 1};
  example e = create(size);
  emg_ceiling_result result;
  emg_error err = {0};

  e.muaps.n_channels = M - 1;
  assert_int_equal(
      emg_ceiling(&e.rec, &e.truth, &e.muaps, &e.config, &e.options, NULL, &result, &err),
      EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "channels"));
  e.muaps.n_channels = M;
  e.truth.rate_hz = 1000;
  assert_int_equal(
      emg_ceiling(&e.rec, &e.truth, &e.muaps, &e.config, &e.options, NULL, &result, &err),
      EMG_ERR_DATA);
  e.truth.rate_hz = rate_hz;
  e.options.tolerance_ms = -1;
  assert_int_equal(
      emg_ceiling(&e.rec, &e.truth, &e.muaps, &e.config, &e.options, NULL, &result, &err),
      EMG_ERR_ARG);
  assert_null(result.units);
  destroy(&e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_units_are_always_told_and_silent_ones_left_out),
      cmocka_unit_test(small_units_are_not_told),
      cmocka_unit_test(without_action_potentials_they_are_fitted),
      cmocka_unit_test(threads_and_scale_change_nothing),
      cmocka_unit_test(a_truth_of_something_else_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
