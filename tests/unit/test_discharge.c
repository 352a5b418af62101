// test_discharge.c -- discharges: rate, variability on plateaus and ramps, silence, refractoriness
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/model_fixture.h"

static const double sampling_rate_hz = 2048;

// A pool with few fibres: only its neurons matter here.
static void create_model(const char *const *assignments, emg_model *model) {
  emg_config config = fixture_config(assignments);
  emg_error err = {0};

  config.muscle[0].fibre_count = 200;
  if (emg_model_create(&config, model, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

// `from` to `to` over the recording.
static emg_array2f ramp(double duration_s, double from, double to) {
  emg_array2f excitation;
  int64_t n = (int64_t)(duration_s * sampling_rate_hz);

  assert_int_equal(emg_array2f_create(1, n, &excitation, NULL), EMG_OK);
  for (int64_t k = 0; k < n; k++) {
    excitation.data[k] = (float)(from + (to - from) * (double)k / (double)n);
  }
  return excitation;
}

// Mean and standard deviation of the integral of the rate between discharges, over all units: 1 and
// the CoV, whatever the excitation does.
static void integrals(const emg_model *model, const emg_array2f *excitation, const emg_spikes *s,
                      double *mean, double *sd, int64_t *n) {
  double sum = 0, squares = 0;

  *n = 0;
  for (int u = 0; u < s->n_units; u++) {
    const int64_t *train = emg_spikes_of(s, u);
    for (int64_t i = 1; i < emg_spikes_count(s, u); i++) {
      double integral = 0;
      for (int64_t k = train[i - 1]; k < train[i]; k++) {
        integral += emg_unit_rate_hz(&model->config, &model->units[u], excitation->data[k]) /
                    sampling_rate_hz;
      }
      sum += integral;
      squares += integral * integral;
      ++*n;
    }
  }
  *mean = sum / (double)*n;
  *sd = sqrt(squares / (double)*n - *mean * *mean);
}

static const char *const cov_15[] = {"pool.units=40", "pool.isi_cov=0.15", NULL};
static const char *const cov_30[] = {"pool.units=40", "pool.isi_cov=0.3", NULL};

static void check_variability(const char *const *assignments, double from, double to) {
  emg_model model;
  emg_spikes s;
  double mean, sd;
  int64_t n;

  create_model(assignments, &model);
  emg_array2f excitation = ramp(60, from, to);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_OK);
  integrals(&model, &excitation, &s, &mean, &sd, &n);
  // four standard errors; the sample grid adds less than 1e-4
  double cov = model.config.pool[0].isi_cov;
  assert_true(n > 5000);
  assert_true(fabs(mean - 1) < 4 * cov / sqrt((double)n) + 1e-4);
  assert_true(fabs(sd - cov) < 4 * cov / sqrt(2.0 * (double)n) + 2e-4);
  emg_spikes_free(&s);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void variability_is_the_asked_one_on_a_plateau(void **state) {
  (void)state;
  check_variability(cov_15, 0.4, 0.4);
  check_variability(cov_30, 0.4, 0.4);
}

static void variability_is_the_asked_one_up_and_down_a_ramp(void **state) {
  (void)state;
  check_variability(cov_15, 0, 1);
  check_variability(cov_15, 1, 0);
}

static void interval_statistics_of_a_unit_match_its_rate_and_cov(void **state) {
  (void)state;
  emg_model model;
  emg_spikes s;

  create_model(cov_15, &model);
  emg_array2f excitation = ramp(120, 0.3, 0.3);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  for (int u = 0; u < 5; u++) {
    double rate_hz = emg_unit_rate_hz(&model.config, &model.units[u], excitation.data[0]);
    emg_train_stats stats = emg_spikes_stats(&s, u);
    double n = (double)emg_spikes_count(&s, u);
    assert_true(fabs(stats.rate_hz - rate_hz) < 4 * 0.15 * rate_hz / sqrt(n));
    assert_true(fabs(stats.isi_cov - 0.15) < 4 * 0.15 / sqrt(2 * n));
  }
  emg_spikes_free(&s);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void a_unit_is_active_from_its_threshold_on(void **state) {
  (void)state;
  const char *const assignments[] = {"pool.units=50", "pool.recruitment_law=shifted_exponential",
                                     NULL};
  emg_model model;
  emg_spikes s;

  create_model(assignments, &model);
  emg_array2f excitation = ramp(3, 0.2, 0.2);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  for (int u = 0; u < 50; u++) {
    bool is_recruited = excitation.data[0] >= model.units[u].recruitment_threshold;
    assert_int_equal(emg_spikes_count(&s, u) > 0, is_recruited);
  }
  emg_spikes_free(&s);

  // even a threshold of 0 needs some excitation
  memset(excitation.data, 0, (size_t)excitation.n_cols * sizeof *excitation.data);
  assert_true(model.units[0].recruitment_threshold == 0);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  assert_int_equal(s.offsets[50], 0);
  emg_spikes_free(&s);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void no_interval_is_shorter_than_the_least(void **state) {
  (void)state;
  const char *const assignments[] = {"pool.isi_cov=0.5",          "pool.isi_min_ms=25",
                                     "pool.rate_max_hz=60",       "pool.rate_max_last_hz=60",
                                     "drive.independent_noise=1", NULL};
  emg_model model;
  emg_spikes s;

  // with own drive noise units fall silent and come back: the rule holds across the silence
  create_model(assignments, &model);
  emg_array2f excitation = ramp(20, 0.5, 0.5);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  for (int u = 0; u < s.n_units; u++) {
    const int64_t *train = emg_spikes_of(&s, u);
    for (int64_t i = 1; i < emg_spikes_count(&s, u); i++) {
      // a sample of rounding at each end
      assert_true((double)(train[i] - train[i - 1]) > 0.025 * sampling_rate_hz - 1);
    }
  }
  emg_spikes_free(&s);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void first_discharges_are_spread_over_an_interval(void **state) {
  (void)state;
  const char *const assignments[] = {"pool.units=200", "pool.recruitment_max=0.001",
                                     "pool.rate_gain_hz=0", "pool.rate_gain_last_hz=0", NULL};
  emg_model model;
  emg_spikes s;
  double sum = 0;
  int n_early = 0;

  // all 200 units start at 8 Hz at once: uniform over 125 ms, within four standard errors
  create_model(assignments, &model);
  emg_array2f excitation = ramp(1, 0.5, 0.5);
  assert_int_equal(emg_discharge(&model, &excitation, &s, NULL), EMG_OK);
  for (int u = 0; u < 200; u++) {
    double first_s = (double)emg_spikes_of(&s, u)[0] / sampling_rate_hz;
    sum += first_s;
    n_early += first_s < 0.025;
  }
  assert_true(fabs(sum / 200 - 0.0625) < 4 * 0.125 / sqrt(12 * 200));
  assert_in_range(n_early, 40 - 23, 40 + 23);
  emg_spikes_free(&s);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void excitation_of_another_model_is_refused(void **state) {
  (void)state;
  emg_model model;
  emg_spikes s;
  emg_error err = {0};
  emg_array2f excitation;
  const char *const assignments[] = {NULL};

  create_model(assignments, &model);
  assert_int_equal(emg_array2f_create(3, 100, &excitation, NULL), EMG_OK);
  assert_int_equal(emg_discharge(&model, &excitation, &s, &err), EMG_ERR_ARG);
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

static void a_noise_band_beyond_half_the_sampling_rate_is_refused(void **state) {
  (void)state;
  const char *const assignments[] = {"simulation.sampling_rate_hz=200",
                                     "drive.independent_noise=0.1",
                                     "drive.independent_noise_cutoff_hz=150", NULL};
  emg_model model;
  emg_spikes s;
  emg_error err = {0};

  create_model(assignments, &model);
  emg_array2f excitation = ramp(1, 0.5, 0.5);
  assert_int_equal(emg_discharge(&model, &excitation, &s, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "150"));
  emg_array2f_free(&excitation);
  emg_model_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(variability_is_the_asked_one_on_a_plateau),
      cmocka_unit_test(variability_is_the_asked_one_up_and_down_a_ramp),
      cmocka_unit_test(interval_statistics_of_a_unit_match_its_rate_and_cov),
      cmocka_unit_test(a_unit_is_active_from_its_threshold_on),
      cmocka_unit_test(no_interval_is_shorter_than_the_least),
      cmocka_unit_test(first_discharges_are_spread_over_an_interval),
      cmocka_unit_test(excitation_of_another_model_is_refused),
      cmocka_unit_test(a_noise_band_beyond_half_the_sampling_rate_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
