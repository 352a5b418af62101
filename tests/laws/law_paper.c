// law_paper.c -- ascent of the kurtosis of sources: its gradient, and what it finds
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/simulated_units.h"

#include "inverse/paper_priv.h"

enum { UNITS = 12 };

static struct {
  inverse_case truth;
  emg_fit_problem problem;
  emg_paper_source source;
  emg_config config;  // of a recording with few units
  emg_simulation simulation;
  emg_decomposition found;
  emg_inversion inversion;
} all;

static emg_config few_units(void) {
  static const char *const sets[] = {"simulation.duration_s=2 s", "pool.units=12",
                                     "electrodes.columns=4",      "invert.mode=paper",
                                     "invert.paper_probes=120",   "invert.paper_starts=16",
                                     "decompose.filter_ms=0",     "invert.paper_repetitions=2",
                                     "invert.paper_taps=6"};
  emg_config config;
  emg_error err = {0};

  emg_config_defaults(&config);
  case_stop_on(emg_config_preset("bmiss_short", &config, &err), &err);
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    case_stop_on(emg_config_set(&config, sets[i], &err), &err);
  }
  return config;
}

static int set_up(void **state) {
  emg_error err = {0};

  (void)state;
  emg_set_threads(1);
  case_create(&all.truth, 1, 20);
  all.problem = case_problem(&all.truth);
  const emg_guided_signal shown = {.n_channels = CASE_CHANNELS,
                                   .n_samples = CASE_SAMPLES - CASE_TAPS,
                                   .rate_hz = CASE_RATE_HZ,
                                   .rows = all.truth.rows + (ptrdiff_t)CASE_TAPS * CASE_CHANNELS,
                                   .n_window = CASE_WINDOW,
                                   .origin = CASE_ORIGIN};
  case_stop_on(emg_paper_source_create(&all.problem, &all.truth.metric, &shown, &all.source, &err),
               &err);
  all.config = few_units();
  case_stop_on(emg_simulate(&all.config, NULL, &all.simulation, &err), &err);
  case_stop_on(
      emg_invert(&all.simulation.recording, &all.config, NULL, &all.found, &all.inversion, &err),
      &err);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  emg_inversion_free(&all.inversion);
  emg_decomposition_free(&all.found);
  emg_simulation_free(&all.simulation);
  emg_paper_source_free(&all.source);
  case_free(&all.truth);
  return 0;
}

static double kurtosis_at(emg_paper_point point, int parameter, double value) {
  emg_error err = {0};

  point.unit.value[parameter] = value;
  case_stop_on(emg_paper_evaluate(&all.source, false, 1, &point, NULL, &err), &err);
  return point.kurtosis;
}

// Near the truth, where the kurtosis is curved, and away from it. Differences of fourth order: at
// these steps they miss by less than what single precision leaves in the potentials, 1e-6 of the
// kurtosis or 1e-5 of its change over a step.
static void gradients_are_those_of_central_differences(void **state) {
  (void)state;
  static const double steps[EMG_UNIT_PARAMETERS] = {0.06, 0.06, 0.04, 0.004, 0.08,
                                                    0.08, 0.08, 0.08, 0.008};
  enum { POINTS = 3 };
  emg_paper_point points[POINTS] = {0};
  double worst = 0;
  emg_error err = {0};

  for (int i = 0; i < POINTS; i++) {
    points[i].unit = all.truth.units[CASE_UNITS - 1 - 3 * i].truth;
    points[i].unit.value[EMG_UNIT_DEPTH] += 1.5 + 0.5 * i;
    points[i].unit.value[EMG_UNIT_ZONE] += 0.6 * i;
    points[i].unit.value[EMG_UNIT_TERRITORY] = 1.8;
    points[i].unit.value[EMG_UNIT_ZONE_SPREAD] = 1.5;
  }
  case_stop_on(emg_paper_place(&all.source, POINTS, points, &err), &err);
  case_stop_on(emg_paper_evaluate(&all.source, true, POINTS, points, NULL, &err), &err);
  for (int i = 0; i < POINTS; i++) {
    assert_true(points[i].kurtosis > 0);
    for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
      double h = steps[p], x = points[i].unit.value[p];
      double near = kurtosis_at(points[i], p, x + h) - kurtosis_at(points[i], p, x - h);
      double far = kurtosis_at(points[i], p, x + 2 * h) - kurtosis_at(points[i], p, x - 2 * h);
      // as a change of the kurtosis, of itself
      double error = fabs((8 * near - far) / 12 - h * points[i].gradient[p]) / points[i].kurtosis;
      worst = fmax(worst, error);
    }
  }
  print_message("largest error of a change of the kurtosis: %.1e of it\n", worst);
  assert_true(worst <= 1e-5);
}

static void points_of_one_call_do_not_see_each_other(void **state) {
  (void)state;
  emg_paper_point pair[2] = {{.unit = all.truth.units[20].truth},
                             {.unit = all.truth.units[22].truth}};
  emg_paper_point alone = pair[1];
  emg_error err = {0};

  case_stop_on(emg_paper_place(&all.source, 2, pair, &err), &err);
  case_stop_on(emg_paper_evaluate(&all.source, false, 2, pair, NULL, &err), &err);
  case_stop_on(emg_paper_place(&all.source, 1, &alone, &err), &err);
  case_stop_on(emg_paper_evaluate(&all.source, false, 1, &alone, NULL, &err), &err);
  assert_int_equal(alone.row, pair[1].row);
  assert_float_equal(alone.kurtosis, pair[1].kurtosis, 1e-5 * alone.kurtosis);
}

static emg_score_result score(const emg_spikes *found) {
  emg_score_options options;
  emg_score_result result;
  emg_error err = {0};

  case_stop_on(emg_score_preset("strict", &options, &err), &err);
  case_stop_on(emg_score(found, &all.simulation.truth.spikes, &options, &result, &err), &err);
  return result;
}

// Of twelve units, four are found by other means too; what else is reported need not be a unit.
static void ascents_find_units_with_their_places(void **state) {
  (void)state;
  const double *zone = emg_table_get(&all.simulation.truth.units, "innervation_zone_mm");
  emg_score_result result = score(&all.found.spikes);
  int n_near = 0;

  print_message("RoA >= 0.9: %d of %d reported\n", result.n_roa_90, result.n_estimated);
  assert_true(result.n_roa_90 >= 3);
  assert_int_equal(all.inversion.n_units, all.found.spikes.n_units);
  for (int u = 0; u < result.n_estimated; u++) {
    if (result.pairs[u].roa >= 0.9) {
      double error = all.inversion.units[u].value[EMG_INVERSION_ZONE] - zone[result.pairs[u].truth];
      n_near += fabs(error) < 3;
    }
  }
  // a few millimetres are within the basin of the kurtosis
  assert_true(n_near >= result.n_roa_90 - 1);
  emg_score_free(&result);
}

// An ascent ends near a peak of the kurtosis, so maps through its unit are nowhere much higher; and
// a map is more than its middle.
static void maps_are_highest_about_the_unit(void **state) {
  (void)state;
  static const emg_unit_parameter pairs[1][2] = {{EMG_UNIT_DEPTH, EMG_UNIT_ZONE}};
  static emg_cost_map map;
  int best = 0, row = 0, column = 0;
  double lowest = INFINITY;
  emg_error err = {0};

  for (int u = 1; u < all.found.spikes.n_units; u++) {
    best = all.found.detectability[u] > all.found.detectability[best] ? u : best;
  }
  case_stop_on(emg_cost_maps(&all.simulation.recording, &all.config, &all.inversion, 1, &best, 1,
                             pairs, NULL, &map, &err),
               &err);
  for (int i = 0; i < EMG_COST_MAP_SIDE; i++) {
    for (int j = 0; j < EMG_COST_MAP_SIDE; j++) {
      bool is_higher = map.kurtosis[i][j] > map.kurtosis[row][column];
      row = is_higher ? i : row;
      column = is_higher ? j : column;
      lowest = fmin(lowest, map.kurtosis[i][j]);
    }
  }
  print_message("unit at depth %.1f, zone %.1f; highest at %.1f, %.1f\n", map.found[0],
                map.found[1], map.value[0][row], map.value[1][column]);
  assert_true(fabs(map.value[0][row] - map.found[0]) < 2);
  assert_true(fabs(map.value[1][column] - map.found[1]) < 3);
  assert_true(lowest < 0.5 * map.kurtosis[row][column]);
}

static void errors_in_the_cube_are_shares_of_ranges(void **state) {
  (void)state;
  const emg_table *truth = &all.simulation.truth.units;
  emg_config ring = all.config;
  emg_inverted_unit unit = all.inversion.units[0];
  double error[EMG_CUBE_PARAMETERS];
  emg_error err = {0};

  ring.electrodes.layout = EMG_LAYOUT_RING;
  for (int p = EMG_INVERSION_DEPTH; p <= EMG_INVERSION_TERRITORY; p++) {
    unit.value[p] = emg_table_get(truth, emg_inversion_name((emg_inversion_parameter)p))[3];
  }
  case_stop_on(emg_cube_errors(&ring, &unit, truth, 3, error, &err), &err);
  for (int p = 0; p < EMG_CUBE_PARAMETERS; p++) {
    assert_float_equal(error[p], 0, 1e-12);
  }
  unit.value[EMG_INVERSION_DEPTH] += 1;
  unit.value[EMG_INVERSION_ANGLE] += 360 - 9;
  unit.value[EMG_INVERSION_CV] -= 0.35;
  unit.value[EMG_INVERSION_HALF_LENGTH_1] += 12;
  case_stop_on(emg_cube_errors(&ring, &unit, truth, 3, error, &err), &err);
  // the defaults' limits: up to the centre of the limb, 2.5 to 6 m/s, 24 mm at either end
  const struct emg_config_invert *v = &ring.invert;
  assert_float_equal(error[EMG_CUBE_DEPTH], 1 / (v->depth_max_mm - v->depth_min_mm), 1e-12);
  assert_float_equal(error[EMG_CUBE_ANGLE], -9.0 / 360, 1e-9);
  assert_float_equal(error[EMG_CUBE_ZONE], 0, 1e-12);
  assert_float_equal(error[EMG_CUBE_CV], -0.35 / 3.5, 1e-9);
  assert_float_equal(error[EMG_CUBE_LENGTH], 12.0 / 48, 1e-9);
  assert_int_equal(emg_cube_errors(&ring, &unit, truth, UNITS, error, NULL), EMG_ERR_DATA);
}

static void units_say_which_search_found_them(void **state) {
  (void)state;
  emg_config once = all.config;
  emg_decomposition first;
  emg_inversion inversion;
  emg_error err = {0};
  int n_first = 0;

  for (int u = 0; u < all.found.spikes.n_units; u++) {
    assert_in_range(all.found.round[u], 0, 1);
    n_first += all.found.round[u] == 0;
  }
  once.invert.paper_repetitions = 1;
  case_stop_on(emg_invert(&all.simulation.recording, &once, NULL, &first, &inversion, &err), &err);
  assert_true(first.spikes.n_units > 0);
  assert_int_equal(first.spikes.n_units, n_first);
  emg_decomposition_free(&first);
  emg_inversion_free(&inversion);
}

static void two_threads_give_the_bits_of_one(void **state) {
  (void)state;
  emg_decomposition found;
  emg_inversion inversion;
  emg_error err = {0};

  emg_set_threads(2);
  case_stop_on(emg_invert(&all.simulation.recording, &all.config, NULL, &found, &inversion, &err),
               &err);
  emg_set_threads(1);
  assert_int_equal(inversion.n_units, all.inversion.n_units);
  assert_memory_equal(inversion.units, all.inversion.units,
                      (size_t)inversion.n_units * sizeof *inversion.units);
  assert_memory_equal(
      found.spikes.samples, all.found.spikes.samples,
      (size_t)found.spikes.offsets[found.spikes.n_units] * sizeof *found.spikes.samples);
  emg_decomposition_free(&found);
  emg_inversion_free(&inversion);
}

static void delays_longer_than_action_potentials_are_refused(void **state) {
  (void)state;
  emg_config config = all.config;
  emg_decomposition found;
  emg_inversion inversion;
  emg_error err = {0};

  config.simulation.sampling_rate_hz = 1000;
  config.invert.paper_taps = 64;
  emg_recording slow;
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  assert_int_equal(emg_recording_create(52, 3000, 1000, &slow, NULL), EMG_OK);
  for (int64_t i = 0; i < 52 * 3000; i++) {
    emg_row2f(&slow.data, (int)(i / 3000))[i % 3000] = (float)(20 * emg_rng_gaussian(&rng));
  }
  assert_int_equal(emg_invert(&slow, &config, NULL, &found, &inversion, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "invert.paper_taps"));
  emg_recording_free(&slow);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_are_those_of_central_differences),
      cmocka_unit_test(points_of_one_call_do_not_see_each_other),
      cmocka_unit_test(ascents_find_units_with_their_places),
      cmocka_unit_test(maps_are_highest_about_the_unit),
      cmocka_unit_test(errors_in_the_cube_are_shares_of_ranges),
      cmocka_unit_test(units_say_which_search_found_them),
      cmocka_unit_test(two_threads_give_the_bits_of_one),
      cmocka_unit_test(delays_longer_than_action_potentials_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
