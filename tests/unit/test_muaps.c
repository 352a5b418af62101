// test_muaps.c -- the bank of unit potentials: engines, states, decimation, montage, threads
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

static const emg_change_state rest = {.time_s = 0, .cv_factor = 1, .shortening = 0};

// A small muscle: 40 fibres in 4 units under a grid of 4 x 2.
static void small_config(emg_config *config) {
  emg_config_defaults(config);
  config->simulation.duration_s = 4;
  config->simulation.oversampling = 1;
  config->simulation.sampling_rate_hz = 2048;
  config->conductor.muscle_radius_mm = 8;
  config->electrodes.rows = 4;
  config->electrodes.columns = 2;
  config->muscle[0].fibre_count = 40;
  config->muscle[0].half_length_1_mm = 40;
  config->muscle[0].half_length_2_mm = 50;
  config->pool[0].units = 4;
  config->pool[0].innervation_ratio = 3;
}

static void create_model(const emg_config *config, emg_model *model) {
  emg_error err = {0};
  emg_model_create(config, model, &err);
  assert_string_equal(emg_error_message(&err), "");
}

static emg_muap_bank bank_of(const emg_model *model, emg_change_state state) {
  emg_muap_bank bank;
  emg_error err = {0};
  emg_muaps_create(model, &state, NULL, &bank, &err);
  assert_string_equal(emg_error_message(&err), "");
  return bank;
}

static size_t size_of(const emg_muap_bank *bank) {
  return (size_t)bank->n_units * (size_t)bank->n_channels * (size_t)bank->n_taps;
}

// Largest difference of two banks over all rows, of the row's peak in `a`.
static double row_difference(const emg_muap_bank *a, const emg_muap_bank *b) {
  double worst = 0;

  assert_int_equal(a->n_taps, b->n_taps);
  assert_int_equal(a->origin, b->origin);
  assert_int_equal(size_of(a), size_of(b));
  for (int row = 0; row < a->n_units * a->n_channels; row++) {
    double most = 0, peak = 0;
    for (int i = row * a->n_taps; i < (row + 1) * a->n_taps; i++) {
      most = fmax(most, fabs((double)(a->data[i] - b->data[i])));
      peak = fmax(peak, fabs((double)a->data[i]));
    }
    assert_true(peak > 0);
    worst = fmax(worst, most / peak);
  }
  return worst;
}

static void the_bank_has_the_same_bits_for_any_number_of_threads(void **state) {
  (void)state;
  emg_config config;
  emg_model model;
  emg_muap_bank banks[3];
  const int threads[3] = {1, 2, 4};

  small_config(&config);
  config.muscle[0].fibre_count = 2000;
  config.pool[0].units = 20;
  create_model(&config, &model);
  for (int i = 0; i < 3; i++) {
    emg_set_threads(threads[i]);
    banks[i] = bank_of(&model, rest);
  }
  emg_set_threads(0);
  for (int i = 1; i < 3; i++) {
    assert_memory_equal(banks[0].data, banks[i].data, size_of(&banks[0]) * sizeof(float));
  }
  for (int i = 0; i < 3; i++) {
    emg_muap_bank_free(&banks[i]);
  }
  emg_model_free(&model);
}

static void the_fast_bank_is_the_exact_one_within_the_tolerance(void **state) {
  (void)state;
  emg_config config;
  emg_model model;

  small_config(&config);
  create_model(&config, &model);
  emg_muap_bank fast = bank_of(&model, rest);
  model.config.simulation.engine = EMG_ENGINE_EXACT;
  emg_muap_bank exact = bank_of(&model, rest);
  double worst = row_difference(&exact, &fast);
  print_message("fast against exact: %.1e of a peak\n", worst);
  assert_true(worst < config.simulation.tolerance);
  emg_muap_bank_free(&fast);
  emg_muap_bank_free(&exact);
  emg_model_free(&model);
}

static void points_in_the_muscle_agree_with_direct_sums_too(void **state) {
  (void)state;
  emg_config config;
  emg_model model;

  small_config(&config);
  config.electrodes.layout = EMG_LAYOUT_ARRAY;
  config.electrodes.rows = 4;
  config.electrodes.columns = 1;
  config.electrodes.row_pitch_mm = 1;
  config.electrodes.tip_depth_mm = 9;
  config.muscle[0].fibre_count = 12;
  config.pool[0].units = 2;
  create_model(&config, &model);
  assert_true(model.electrodes.is_interior);
  emg_muap_bank fast = bank_of(&model, rest);
  model.config.simulation.engine = EMG_ENGINE_EXACT;
  emg_muap_bank exact = bank_of(&model, rest);
  double worst = row_difference(&exact, &fast);
  print_message("fast against exact in the muscle: %.1e of a peak\n", worst);
  assert_true(worst < config.simulation.tolerance);
  emg_muap_bank_free(&fast);
  emg_muap_bank_free(&exact);
  emg_model_free(&model);
}

// Potentials under 3 mm of fat hold little above 500 Hz: four times the rate, filtered and
// decimated, are the samples of the plain rate, at the place `origin` says. What is cut off are end
// effects of a few per cent; a potential one fine sample late would be a tenth off.
static void decimated_potentials_are_the_plain_ones_in_the_pass_band(void **state) {
  (void)state;
  emg_config config;
  emg_model model;

  small_config(&config);
  create_model(&config, &model);
  emg_muap_bank plain = bank_of(&model, rest);
  model.config.simulation.oversampling = 4;
  emg_muap_bank fine = bank_of(&model, rest);
  assert_int_equal(plain.origin, 0);
  assert_true(fine.origin > 0);
  assert_true(fine.n_taps >= fine.origin + plain.n_taps);
  double most = 0, peak = 0;
  for (int row = 0; row < plain.n_units * plain.n_channels; row++) {
    for (int i = 0; i < plain.n_taps; i++) {
      double a = plain.data[row * plain.n_taps + i];
      double b = fine.data[row * fine.n_taps + fine.origin + i];
      most = fmax(most, fabs(a - b));
      peak = fmax(peak, fabs(a));
    }
  }
  print_message("decimated against plain: %.1e of the largest peak\n", most / peak);
  assert_true(most < 0.05 * peak);
  emg_muap_bank_free(&plain);
  emg_muap_bank_free(&fine);
  emg_model_free(&model);
}

static void slower_fibres_are_those_of_a_slower_model(void **state) {
  (void)state;
  emg_config config;
  emg_model model;

  small_config(&config);
  config.change.states = 3;
  config.change.cv_decline_per_s = 0.02;
  config.simulation.duration_s = 10;
  create_model(&config, &model);
  emg_muap_bank fresh = bank_of(&model, rest);
  emg_muap_bank tired = bank_of(&model, (emg_change_state){0, 0.8, 0});
  // both in one shape, long enough for the slowest state
  assert_int_equal(fresh.n_taps, tired.n_taps);
  for (int i = 0; i < model.n_fibres; i++) {
    model.fibres[i].cv_m_per_s *= 0.8;
  }
  model.config.change.states = 1;
  emg_muap_bank slow = bank_of(&model, rest);
  assert_int_equal(slow.n_taps, tired.n_taps);
  assert_memory_equal(slow.data, tired.data, size_of(&slow) * sizeof(float));
  emg_muap_bank_free(&fresh);
  emg_muap_bank_free(&tired);
  emg_muap_bank_free(&slow);
  emg_model_free(&model);
}

static void shortening_scales_fibres_about_the_innervation_zone(void **state) {
  (void)state;
  emg_config config;
  emg_model model;

  small_config(&config);
  config.muscle[0].innervation_zone_mm = 7;
  config.change.bulge = false;
  create_model(&config, &model);
  emg_muap_bank shortened = bank_of(&model, (emg_change_state){0, 1, 0.2});
  for (int i = 0; i < model.n_fibres; i++) {
    emg_fibre *f = &model.fibres[i];
    f->end_plate_m = 7e-3 + 0.8 * (f->end_plate_m - 7e-3);
    f->length_1_m *= 0.8;
    f->length_2_m *= 0.8;
  }
  emg_muap_bank scaled = bank_of(&model, rest);
  // the shortened one keeps the shape of the longest state
  assert_true(scaled.n_taps <= shortened.n_taps);
  double most = 0, peak = 0;
  for (int row = 0; row < scaled.n_units * scaled.n_channels; row++) {
    for (int i = 0; i < scaled.n_taps; i++) {
      double a = scaled.data[row * scaled.n_taps + i];
      most = fmax(most, fabs(a - (double)shortened.data[row * shortened.n_taps + i]));
      peak = fmax(peak, fabs(a));
    }
  }
  assert_true(most < 1e-4 * peak);
  emg_muap_bank_free(&shortened);

  // with bulge they move outwards, but not out of the muscle
  model.config.change.bulge = true;
  emg_muap_bank bulged = bank_of(&model, (emg_change_state){0, 1, 0.4});
  emg_muap_bank_free(&bulged);
  emg_muap_bank_free(&scaled);
  emg_model_free(&model);
}

static void single_differential_channels_are_differences_of_monopolar_ones(void **state) {
  (void)state;
  emg_config config;
  emg_model plain, paired;

  small_config(&config);
  create_model(&config, &plain);
  config.electrodes.montage = EMG_MONTAGE_SINGLE_DIFFERENTIAL;
  create_model(&config, &paired);
  emg_muap_bank one = bank_of(&plain, rest), two = bank_of(&paired, rest);
  assert_int_equal(two.n_channels, 6);
  for (int unit = 0; unit < two.n_units; unit++) {
    for (int c = 0; c < two.n_channels; c++) {
      const double *weights = emg_row2d(&paired.montage.weights, c);
      for (int i = 0; i < two.n_taps; i++) {
        double expected = 0, scale = 0;
        for (int e = 0; e < one.n_channels; e++) {
          expected += weights[e] * (double)emg_muap_row(&one, unit, e)[i];
          scale += fabs(weights[e] * (double)emg_muap_row(&one, unit, e)[i]);
        }
        assert_true(fabs(expected - (double)emg_muap_row(&two, unit, c)[i]) <= 1e-6 * scale);
      }
    }
  }
  emg_muap_bank_free(&one);
  emg_muap_bank_free(&two);
  emg_model_free(&plain);
  emg_model_free(&paired);
}

static bool stop_at_once(const char *stage, int64_t done, int64_t total, void *user) {
  (void)stage;
  (void)done;
  (void)total;
  ++*(int *)user;
  return true;
}

static void a_caller_may_stop_it(void **state) {
  (void)state;
  emg_config config;
  emg_model model;
  emg_muap_bank bank;
  int calls = 0;
  const emg_monitor monitor = {.progress = stop_at_once, .user = &calls};

  small_config(&config);
  create_model(&config, &model);
  assert_int_equal(emg_muaps_create(&model, &rest, &monitor, &bank, NULL), EMG_ERR_INTERRUPTED);
  assert_true(calls > 0);
  assert_null(bank.data);
  emg_model_free(&model);
}

static void an_impossible_state_is_refused(void **state) {
  (void)state;
  emg_config config;
  emg_model model;
  emg_muap_bank bank;
  const emg_change_state still = {0, 0, 0}, gone = {0, 1, 1};

  small_config(&config);
  create_model(&config, &model);
  assert_int_equal(emg_muaps_create(&model, &still, NULL, &bank, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_muaps_create(&model, &gone, NULL, &bank, NULL), EMG_ERR_ARG);
  emg_model_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_bank_has_the_same_bits_for_any_number_of_threads),
      cmocka_unit_test(the_fast_bank_is_the_exact_one_within_the_tolerance),
      cmocka_unit_test(points_in_the_muscle_agree_with_direct_sums_too),
      cmocka_unit_test(decimated_potentials_are_the_plain_ones_in_the_pass_band),
      cmocka_unit_test(slower_fibres_are_those_of_a_slower_model),
      cmocka_unit_test(shortening_scales_fibres_about_the_innervation_zone),
      cmocka_unit_test(single_differential_channels_are_differences_of_monopolar_ones),
      cmocka_unit_test(a_caller_may_stop_it),
      cmocka_unit_test(an_impossible_state_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
