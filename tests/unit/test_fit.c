// test_fit.c -- fits to potentials of the model itself, banks, and what is refused
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "inverse/inverse_priv.h"

enum { ROWS = 8, COLUMNS = 4, CHANNELS = ROWS * COLUMNS, WINDOW = 80, TAPS = 8, SHIFT = 20 };
enum { D = TAPS * CHANNELS, SIZE = WINDOW * CHANNELS, PROBES = 300, SPIKES = 100 };

static emg_config config;
static emg_filter filter;
static int channels[CHANNELS];
static emg_view_source seen;
static emg_subject subject;
static emg_metric metric;
static emg_fit_problem problem;
static emg_bank bank;
static emg_fit_room *room;
static emg_error err;

static const emg_mean_unit unit = {{5, 3, -4, 4.2, 57, -62, 2, 1.5, 0.1}};

// A small grid in white noise of 1 uV.
static int set_up(void **state) {
  (void)state;
  double *covariance = calloc((size_t)D * D, sizeof *covariance);

  emg_init();
  emg_config_defaults(&config);
  config.electrodes.rows = ROWS;
  config.electrodes.columns = COLUMNS;
  for (int i = 0; i < CHANNELS; i++) {
    channels[i] = i;
  }
  if (emg_filter_highpass(&filter, 2, 20, 2048, &err) != EMG_OK ||
      emg_filter_lowpass(&filter, 2, 500, 2048, &err) != EMG_OK) {
    return -1;
  }
  seen = (emg_view_source){.rate_hz = 2048,
                           .oversampling = 1,
                           .n_window = WINDOW,
                           .origin = 20,
                           .max_shift = SHIFT,
                           .filter = &filter,
                           .n_channels = CHANNELS,
                           .channel = channels};
  for (int i = 0; i < D; i++) {
    covariance[(ptrdiff_t)i * D + i] = 1;
  }
  if (emg_subject_create(&config, &seen, 0, &subject, &err) != EMG_OK ||
      emg_metric_create(TAPS, CHANNELS, covariance, &metric, &err) != EMG_OK) {
    return -1;
  }
  free(covariance);
  problem = (emg_fit_problem){.model = subject.model,
                              .view = &subject.view,
                              .metric = &metric,
                              .expected = &subject.expected,
                              .template_error = 0.02};
  return emg_bank_create(&problem, PROBES, NULL, &bank, &err) != EMG_OK ||
         emg_fit_room_create(&problem, &room, &err) != EMG_OK;
}

static int tear_down(void **state) {
  (void)state;
  emg_bank_free(&bank);
  emg_fit_room_free(room);
  emg_metric_free(&metric);
  emg_subject_free(&subject);
  return 0;
}

static void see(int shift, double n_fibres, float *out) {
  emg_fit fit = {.unit = unit, .shift = shift, .amplitude = n_fibres};
  assert_int_equal(emg_fit_potential(&problem, &fit, room, out, &err), EMG_OK);
}

static void assert_is_unit(const emg_fit *fit) {
  static const double within[EMG_UNIT_PARAMETERS] = {0.1, 0.05, 0.05, 0.01, 0.3,
                                                     0.3, 0.5,  0.2,  0.02};
  for (int p = 0; p < EMG_UNIT_LATENCY; p++) {
    assert_float_equal(fit->unit.value[p], unit.value[p], within[p]);
  }
}

static void a_potential_of_the_model_gives_its_unit_back(void **state) {
  (void)state;
  float potential[SIZE];
  emg_fit fit;

  see(0, 200, potential);
  assert_int_equal(emg_fit_search(&problem, &bank, potential, SPIKES, 4, 60, room, &fit, &err),
                   EMG_OK);
  assert_is_unit(&fit);
  assert_float_equal(fit.amplitude, 200, 4);
  assert_true(fit.cosine > 0.999);
  assert_true(fit.chi2 < 0.1);
}

// The instant of the discharge need not be known.
static void a_later_potential_is_the_same_unit_later(void **state) {
  (void)state;
  for (int shift = -9; shift <= 9; shift += 18) {
    float potential[SIZE];
    emg_fit fit;
    see(shift, 200, potential);
    assert_int_equal(emg_fit_search(&problem, &bank, potential, SPIKES, 4, 60, room, &fit, &err),
                     EMG_OK);
    assert_is_unit(&fit);
    double later_ms = fit.shift * 1e3 / 2048 + fit.unit.value[EMG_UNIT_LATENCY];
    assert_float_equal(later_ms, shift * 1e3 / 2048 + unit.value[EMG_UNIT_LATENCY], 0.03);
  }
}

static void more_spikes_give_smaller_deviations(void **state) {
  (void)state;
  float potential[SIZE];
  double last = INFINITY;

  see(0, 200, potential);
  for (int n_spikes = 10; n_spikes <= 1000; n_spikes *= 10) {
    emg_fit fit = {.unit = unit};
    assert_int_equal(emg_fit_refine(&problem, potential, n_spikes, 20, room, &fit, &err), EMG_OK);
    double sd = sqrt(fit.covariance[EMG_UNIT_DEPTH][EMG_UNIT_DEPTH]);
    assert_true(sd < last);
    // but never below what the model itself is wrong by
    assert_true(emg_fit_sd(problem.expected, &fit, EMG_UNIT_DEPTH) >
                problem.expected->floor[EMG_UNIT_DEPTH]);
    last = sd;
  }
}

static void starts_outside_the_bounds_are_taken_in(void **state) {
  (void)state;
  float potential[SIZE];
  emg_fit fit = {.unit = unit};

  see(0, 200, potential);
  fit.unit.value[EMG_UNIT_CV] = 40;
  fit.unit.value[EMG_UNIT_DEPTH] = -3;
  assert_int_equal(emg_fit_refine(&problem, potential, SPIKES, 3, room, &fit, &err), EMG_OK);
  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    assert_true(fit.unit.value[p] >= problem.expected->min[p]);
    assert_true(fit.unit.value[p] <= problem.expected->max[p]);
  }
}

static void the_bank_knows_its_units_at_any_shift(void **state) {
  (void)state;
  for (int i = 0; i < PROBES; i += 37) {
    float potential[SIZE] = {0};
    emg_bank_match match;
    int n, shift = 6;
    memcpy(potential + shift * CHANNELS, bank.potentials + (ptrdiff_t)i * SIZE,
           (size_t)(WINDOW - shift) * CHANNELS * sizeof *potential);
    assert_int_equal(emg_bank_find(&bank, potential, SHIFT, 1, &match, &n, &err), EMG_OK);
    assert_int_equal(n, 1);
    assert_int_equal(match.unit, i);
    assert_int_equal(match.shift, shift);
    // every other sample stands for all of them
    assert_float_equal(match.cosine, 1, 0.05);
  }
}

static void matches_are_unlike_each_other(void **state) {
  (void)state;
  float potential[SIZE];
  emg_bank_match matches[6];
  int n;

  see(0, 1, potential);
  assert_int_equal(emg_bank_find(&bank, potential, SHIFT, 6, matches, &n, &err), EMG_OK);
  assert_int_equal(n, 6);
  for (int i = 1; i < n; i++) {
    assert_true(matches[i].cosine <= matches[i - 1].cosine);
    const double *a = bank.units[matches[i].unit].value, *b = bank.units[matches[0].unit].value;
    assert_true(fabs(a[EMG_UNIT_DEPTH] - b[EMG_UNIT_DEPTH]) > 3 ||
                fabs(a[EMG_UNIT_ARC] - b[EMG_UNIT_ARC]) > 6 ||
                fabs(a[EMG_UNIT_ZONE] - b[EMG_UNIT_ZONE]) > 4 ||
                fabs(a[EMG_UNIT_CV] - b[EMG_UNIT_CV]) > 0.4);
  }
}

static void nothing_and_no_numbers_are_refused(void **state) {
  (void)state;
  float potential[SIZE] = {0};
  emg_fit fit = {.unit = unit};

  assert_int_equal(emg_fit_refine(&problem, potential, SPIKES, 5, room, &fit, &err), EMG_ERR_DATA);
  potential[7] = NAN;
  assert_int_equal(emg_fit_refine(&problem, potential, SPIKES, 5, room, &fit, &err), EMG_ERR_DATA);
  assert_int_equal(emg_fit_search(&problem, &bank, potential, SPIKES, 4, 5, room, &fit, &err),
                   EMG_ERR_DATA);
  see(0, 200, potential);
  assert_int_equal(emg_fit_refine(&problem, potential, 0, 5, room, &fit, &err), EMG_ERR_DATA);
}

static void filters_longer_than_the_window_are_refused(void **state) {
  (void)state;
  emg_metric longer = metric;
  emg_fit_problem wrong = problem;
  emg_fit_room *none;

  longer.n_taps = WINDOW + 1;
  wrong.metric = &longer;
  assert_int_equal(emg_fit_room_create(&wrong, &none, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "decompose.extension"));
}

// Behind the limb, an arc of half a turn and one of minus half a turn are one place.
static void a_unit_at_the_seam_of_a_ring_is_found(void **state) {
  (void)state;
  enum { RING = 32, SIZE_RING = WINDOW * RING };
  emg_config ring = config;
  emg_subject around;
  emg_bank probes;
  emg_fit_room *own;
  emg_metric white;
  double identity[RING * RING] = {0};
  float potential[SIZE_RING];

  ring.electrodes.layout = EMG_LAYOUT_RING;
  ring.electrodes.rows = 4;
  ring.electrodes.columns = 8;
  for (int i = 0; i < RING; i++) {
    identity[i * RING + i] = 1;
  }
  assert_int_equal(emg_metric_create(1, RING, identity, &white, &err), EMG_OK);
  assert_int_equal(emg_subject_create(&ring, &seen, 0, &around, &err), EMG_OK);
  const double turn_mm = 2e3 * M_PI * emg_conductor_skin_radius_m(&around.conductor);
  emg_fit_problem whole = {around.model, &around.view, &white, &around.expected, 0.02};
  assert_int_equal(emg_bank_create(&whole, PROBES, NULL, &probes, &err), EMG_OK);
  assert_int_equal(emg_fit_room_create(&whole, &own, &err), EMG_OK);
  for (int side = -1; side <= 1; side += 2) {
    emg_fit fit = {.unit = unit, .amplitude = 200};
    double arc_mm = side * (turn_mm / 2 - 1);
    fit.unit.value[EMG_UNIT_ARC] = arc_mm;
    assert_int_equal(emg_fit_potential(&whole, &fit, own, potential, &err), EMG_OK);
    assert_int_equal(emg_fit_search(&whole, &probes, potential, SPIKES, 4, 60, own, &fit, &err),
                     EMG_OK);
    assert_float_equal(remainder(fit.unit.value[EMG_UNIT_ARC] - arc_mm, turn_mm), 0, 0.1);
    assert_float_equal(fit.unit.value[EMG_UNIT_DEPTH], unit.value[EMG_UNIT_DEPTH], 0.3);
  }
  emg_fit_room_free(own);
  emg_bank_free(&probes);
  emg_metric_free(&white);
  emg_subject_free(&around);
}

static bool stop(const char *stage, int64_t done, int64_t total, void *user) {
  (void)stage, (void)done, (void)total, (void)user;
  return true;
}

static void a_bank_can_be_interrupted(void **state) {
  (void)state;
  emg_monitor monitor = {.progress = stop};
  emg_bank none;

  assert_int_equal(emg_bank_create(&problem, PROBES, &monitor, &none, &err), EMG_ERR_INTERRUPTED);
  assert_null(none.potentials);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_potential_of_the_model_gives_its_unit_back),
      cmocka_unit_test(a_later_potential_is_the_same_unit_later),
      cmocka_unit_test(more_spikes_give_smaller_deviations),
      cmocka_unit_test(starts_outside_the_bounds_are_taken_in),
      cmocka_unit_test(the_bank_knows_its_units_at_any_shift),
      cmocka_unit_test(matches_are_unlike_each_other),
      cmocka_unit_test(nothing_and_no_numbers_are_refused),
      cmocka_unit_test(filters_longer_than_the_window_are_refused),
      cmocka_unit_test(a_unit_at_the_seam_of_a_ring_is_found),
      cmocka_unit_test(a_bank_can_be_interrupted),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
