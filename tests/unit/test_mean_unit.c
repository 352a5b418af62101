// test_mean_unit.c -- derivatives of mean units, single fibres as their limit, what is refused
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/mean_unit_priv.h"
#include "../mean_unit_fixture.h"

// Step of central differences in mm, m/s and ms. An action potential of 1 mm changes within 0.5 mm,
// and waves run for up to 30 ms: a step of the velocity moves them by 3e-4 mm, so the differences
// err by (3e-4 / 0.5)^2 / 6 = 6e-8. Rounding adds 1e-16 * 0.5 mm / step.
#define STEP 1e-5
#define DERIVATIVE_TOLERANCE 1e-6

static mean_scene scene;
static emg_mean_model *model;
static emg_mean_scratch *scratch;

static int setup(void **state) {
  (void)state;
  mean_scene_start(&scene);
  emg_error err = {0};
  emg_mean_model_create(&scene.conductor, &scene.set, &rosenfalck, &scene.range, &model, &err);
  assert_string_equal(emg_error_message(&err), "");
  assert_int_equal(emg_mean_scratch_create(model, &scratch, &err), EMG_OK);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  emg_mean_scratch_free(scratch);
  emg_mean_model_free(model);
  return 0;
}

static void evaluate(const emg_mean_model *of, const emg_mean_unit *unit, double *out,
                     double *derivatives) {
  emg_error err = {0};
  emg_mean_unit_evaluate(of, unit, scratch, out, derivatives, &err);
  assert_string_equal(emg_error_message(&err), "");
}

// Largest error of any derivative, relative to the largest value that derivative takes. A
// derivative that is nothing beside the potential itself is compared with 1e-4 of the potential.
static double derivative_error(const emg_mean_model *of, const emg_mean_unit *unit) {
  enum { SIZE = ELECTRODES * SAMPLES };
  static double out[SIZE], exact[EMG_UNIT_PARAMETERS * SIZE], low[SIZE], high[SIZE];
  double worst = 0, peak = 0;

  evaluate(of, unit, out, exact);
  for (int i = 0; i < SIZE; i++) {
    peak = fmax(peak, fabs(out[i]));
  }
  assert_true(peak > 0);
  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    emg_mean_unit less = *unit, more = *unit;
    double largest = 1e-4 * peak, error = 0;

    less.value[p] -= STEP;
    more.value[p] += STEP;
    evaluate(of, &less, low, NULL);
    evaluate(of, &more, high, NULL);
    for (int i = 0; i < SIZE; i++) {
      double slope = (high[i] - low[i]) / (more.value[p] - less.value[p]);
      largest = fmax(largest, fabs(slope));
      error = fmax(error, fabs(slope - exact[p * SIZE + i]));
    }
    if (error / largest > DERIVATIVE_TOLERANCE) {
      print_message("parameter %d: derivative off by %.2e\n", p, error / largest);
    }
    worst = fmax(worst, error / largest);
  }
  return worst;
}

static void derivatives_equal_finite_differences(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  double worst = 0;
  for (int i = 0; i < 40; i++) {
    emg_mean_unit unit = random_unit(&rng);
    worst = fmax(worst, derivative_error(model, &unit));
  }
  print_message("random units: derivatives within %.1e\n", worst);
  assert_true(worst < DERIVATIVE_TOLERANCE);
}

// Territories that stick out of the muscle, or reach below the deepest fibres.
static void derivatives_hold_where_limits_take_hold(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);
  double worst = 0;
  for (int i = 0; i < 40; i++) {
    emg_mean_unit unit = random_unit(&rng);
    switch (i % 5) {
      case 0:
        unit.value[EMG_UNIT_DEPTH] = between(&rng, -0.3, 0.3);
        break;
      case 1:
        unit.value[EMG_UNIT_DEPTH] = scene.range.depth_max_mm + between(&rng, -2, 2);
        break;
      case 2:
        unit.value[EMG_UNIT_TENDON_1] = unit.value[EMG_UNIT_ZONE] + between(&rng, -2, 8);
        unit.value[EMG_UNIT_TENDON_2] = unit.value[EMG_UNIT_ZONE] - between(&rng, -2, 8);
        break;
      case 3:
        unit.value[EMG_UNIT_TENDON_1] = scene.range.z_max_mm + between(&rng, -2, 4);
        break;
      default:
        unit.value[EMG_UNIT_LATENCY] = between(&rng, -6, 30);
        break;
    }
    worst = fmax(worst, derivative_error(model, &unit));
  }
  print_message("at limits: derivatives within %.1e\n", worst);
  assert_true(worst < DERIVATIVE_TOLERANCE);
}

static void derivatives_hold_on_an_inclined_grid(void **state) {
  (void)state;
  static mean_scene turned;
  emg_mean_model *moved;
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  double worst = 0;
  mean_scene_start(&turned);
  place_grid(&turned, 0.15, 2);
  assert_int_equal(emg_mean_model_move(model, &turned.set, &moved, NULL), EMG_OK);
  assert_int_equal(emg_mean_model_get_facts(moved).n_columns, ELECTRODES);
  for (int i = 0; i < 10; i++) {
    emg_mean_unit unit = random_unit(&rng);
    worst = fmax(worst, derivative_error(moved, &unit));
  }
  emg_mean_model_free(moved);
  print_message("inclined grid: derivatives within %.1e\n", worst);
  assert_true(worst < DERIVATIVE_TOLERANCE);
}

static void public_results_are_those_in_double_rounded(void **state) {
  (void)state;
  enum { SIZE = ELECTRODES * SAMPLES };
  static double out[SIZE], by[EMG_UNIT_PARAMETERS * SIZE];
  static float value[SIZE], again[SIZE], slopes[EMG_UNIT_PARAMETERS * SIZE];
  emg_rng rng = emg_rng_stream(4, EMG_RNG_TEST, 0, 0);
  emg_mean_unit unit = random_unit(&rng);
  double peak = 0;

  evaluate(model, &unit, out, by);
  assert_int_equal(emg_mean_unit_potential(model, &unit, scratch, value, NULL), EMG_OK);
  assert_int_equal(emg_mean_unit_derivatives(model, &unit, scratch, again, slopes, NULL), EMG_OK);
  for (int i = 0; i < SIZE; i++) {
    peak = fmax(peak, fabs(out[i]));
  }
  for (int i = 0; i < SIZE; i++) {
    // sums in another order
    assert_true(fabs((double)value[i] - out[i]) < 1e-6 * peak);
    assert_true(fabs((double)again[i] - out[i]) < 1e-6 * peak);
  }
  for (int i = 0; i < EMG_UNIT_PARAMETERS * SIZE; i++) {
    assert_true((double)slopes[i] == (double)(float)by[i]);
  }
}

// --- Against direct sums ------------------------------------------------------------------------

// Spreads of nothing make a single fibre, within the tolerance of each electrode's peak.
static void a_unit_without_spread_is_a_single_fibre(void **state) {
  (void)state;
  static double exact[ELECTRODES * SAMPLES], out[ELECTRODES * SAMPLES];
  double theta[ELECTRODES], z[ELECTRODES], worst = 0;
  emg_mean_model *single;
  mean_scene sharp = scene;
  emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, 0, 0);
  emg_mean_scratch *own;

  sharp.range.tendon_spread_mm = sharp.range.cv_spread = 0;
  assert_int_equal(
      emg_mean_model_create(&sharp.conductor, &scene.set, &rosenfalck, &sharp.range, &single, NULL),
      EMG_OK);
  assert_int_equal(emg_mean_scratch_create(single, &own, NULL), EMG_OK);
  for (int e = 0; e < ELECTRODES; e++) {
    theta[e] = scene.places[e].theta_rad;
    z[e] = scene.places[e].z_m;
  }
  for (int i = 0; i < 12; i++) {
    emg_mean_unit unit = random_unit(&rng);
    double *value = unit.value;
    value[EMG_UNIT_TERRITORY] = value[EMG_UNIT_ZONE_SPREAD] = 0;
    value[EMG_UNIT_DEPTH] = i < 4 ? between(&rng, 0.2, 1) : between(&rng, 1, 23);
    if (i % 4 == 3) {
      value[EMG_UNIT_ARC] += 80;  // nothing of the limb is left out
    }
    const emg_fibre fibre = {
        .radius_m = 1e-3 * (MUSCLE_MM - value[EMG_UNIT_DEPTH]),
        .theta_rad = value[EMG_UNIT_ARC] / SKIN_MM,
        .end_plate_m = 1e-3 * value[EMG_UNIT_ZONE],
        .length_1_m = 1e-3 * (value[EMG_UNIT_TENDON_1] - value[EMG_UNIT_ZONE]),
        .length_2_m = 1e-3 * (value[EMG_UNIT_ZONE] - value[EMG_UNIT_TENDON_2]),
        .cv_m_per_s = value[EMG_UNIT_CV],
        .diameter_m = 1e-6 * scene.range.fibre_diameter_um,
        .delay_s = 1e-3 * value[EMG_UNIT_LATENCY] + scene.range.origin / RATE_HZ,
    };
    assert_int_equal(emg_fibre_potential_exact(&scene.conductor, &scene.set.detection, &rosenfalck,
                                               &fibre, 1e-3 * SKIN_MM, ELECTRODES, theta, z,
                                               RATE_HZ, SAMPLES, 1e-5, exact, NULL),
                     EMG_OK);
    assert_int_equal(emg_mean_unit_evaluate(single, &unit, own, out, NULL, NULL), EMG_OK);
    for (int e = 0; e < ELECTRODES; e++) {
      double peak = 0, error = 0;
      for (int t = e * SAMPLES; t < (e + 1) * SAMPLES; t++) {
        peak = fmax(peak, fabs(1e6 * exact[t]));
        error = fmax(error, fabs(1e6 * exact[t] - out[t]));
      }
      worst = fmax(worst, error / peak);
    }
  }
  emg_mean_scratch_free(own);
  emg_mean_model_free(single);
  print_message("single fibres: within %.1e of each electrode's peak\n", worst);
  assert_true(worst < scene.range.tolerance);
}

// Bone, thin fat, small limbs, other electrodes: steps follow the distance of the skin.
static void tables_reach_their_tolerance_on_other_limbs(void **state) {
  (void)state;
  const struct {
    emg_conductor conductor;
    emg_detection detection;
    double depth_max_mm;
  } limbs[] = {
      {{3, {10e-3, 14e-3, 15e-3}, {0.1, 0.05, 1}, {0.5, 0.05, 1}, 0},
       {.shape = EMG_SHAPE_DISC, .radius_m = 1e-3},
       9.9},
      {{4, {8e-3, 33e-3, 38e-3, 39e-3}, {0.02, 0.09, 0.04, 1}, {0.02, 0.4, 0.04, 1}, 1},
       {.shape = EMG_SHAPE_RECTANGLE, .width_m = 2e-3, .length_m = 5e-3},
       25},
      {{2, {20e-3, 21e-3}, {0.1, 0.05}, {0.5, 0.05}, 0}, {.shape = EMG_SHAPE_POINT}, 15},
  };
  for (size_t i = 0; i < sizeof limbs / sizeof *limbs; i++) {
    mean_scene s = scene;
    emg_mean_model *other;
    emg_error err = {0};
    s.set.electrodes = s.places;
    s.set.detection = limbs[i].detection;
    s.conductor = limbs[i].conductor;
    s.range.depth_max_mm = limbs[i].depth_max_mm;
    for (int e = 0; e < ELECTRODES; e++) {
      s.places[e].radius_m = emg_conductor_skin_radius_m(&s.conductor);
    }
    emg_mean_model_create(&s.conductor, &s.set, &rosenfalck, &s.range, &other, &err);
    assert_string_equal(emg_error_message(&err), "");
    const emg_mean_model_facts facts = emg_mean_model_get_facts(other);
    print_message("limb %d: within %.1e, %.1f MiB, %.2f s\n", (int)i, facts.measured_error,
                  facts.table_mib, facts.build_s);
    assert_true(facts.measured_error < s.range.tolerance);
    assert_true(facts.table_mib < 256);
    emg_mean_model_free(other);
  }
}

// --- What is refused ----------------------------------------------------------------------------

static void refuse(const mean_scene *s, const char *about) {
  emg_mean_model *none;
  emg_error err = {0};
  assert_int_equal(
      emg_mean_model_create(&s->conductor, &s->set, &rosenfalck, &s->range, &none, &err),
      EMG_ERR_ARG);
  assert_null(none);
  assert_non_null(strstr(emg_error_message(&err), about));
}

static void impossible_ranges_and_electrodes_are_refused(void **state) {
  (void)state;
  mean_scene bad = scene;
  bad.set.electrodes = bad.places;
  bad.range.depth_max_mm = 39;
  refuse(&bad, "depth");
  bad.range.depth_max_mm = NAN;
  refuse(&bad, "depth");
  bad.range = scene.range;
  bad.range.z_max_mm = bad.range.z_min_mm;
  refuse(&bad, "ascending");
  bad.range = scene.range;
  bad.range.n_samples = 0;
  refuse(&bad, "samples");
  bad.range = scene.range;
  bad.range.origin = SAMPLES;
  refuse(&bad, "discharge");
  bad.range = scene.range;
  bad.range.tendon_spread_mm = -1;
  refuse(&bad, "ends");
  bad.range = scene.range;
  bad.places[7].radius_m = 30e-3;
  refuse(&bad, "electrode 7");
  bad.places[7].radius_m = 1e-3 * SKIN_MM;
  bad.set.is_interior = true;
  refuse(&bad, "skin");
  bad.set.is_interior = false;
  bad.set.n_electrodes = 0;
  refuse(&bad, "at least one");
}

static void impossible_units_are_refused(void **state) {
  (void)state;
  static float out[ELECTRODES * SAMPLES];
  emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, 0, 0);
  const emg_mean_unit unit = random_unit(&rng);
  const struct {
    int parameter;
    double value;
  } cases[] = {{EMG_UNIT_CV, 0},          {EMG_UNIT_CV, -4},        {EMG_UNIT_DEPTH, NAN},
               {EMG_UNIT_ZONE, INFINITY}, {EMG_UNIT_TERRITORY, -1}, {EMG_UNIT_ZONE_SPREAD, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    emg_mean_unit bad = unit;
    emg_error err = {0};
    bad.value[cases[i].parameter] = cases[i].value;
    assert_int_equal(emg_mean_unit_potential(model, &bad, scratch, out, &err), EMG_ERR_ARG);
    assert_true(strlen(emg_error_message(&err)) > 0);
  }
}

static void far_off_units_give_finite_potentials(void **state) {
  (void)state;
  static double out[ELECTRODES * SAMPLES], by[EMG_UNIT_PARAMETERS * ELECTRODES * SAMPLES];
  emg_rng rng = emg_rng_stream(7, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < 100; i++) {
    emg_mean_unit unit;
    for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
      unit.value[p] = pow(10, between(&rng, -3, 5)) * (emg_rng_uniform(&rng) < 0.5 ? -1 : 1);
    }
    unit.value[EMG_UNIT_CV] = fabs(unit.value[EMG_UNIT_CV]);
    unit.value[EMG_UNIT_TERRITORY] = fabs(unit.value[EMG_UNIT_TERRITORY]);
    unit.value[EMG_UNIT_ZONE_SPREAD] = fabs(unit.value[EMG_UNIT_ZONE_SPREAD]);
    evaluate(model, &unit, out, by);
    for (int t = 0; t < ELECTRODES * SAMPLES; t++) {
      assert_true(isfinite(out[t]));
    }
    for (int t = 0; t < EMG_UNIT_PARAMETERS * ELECTRODES * SAMPLES; t++) {
      assert_true(isfinite(by[t]));
    }
  }
}

static void electrodes_beyond_the_tables_need_new_ones(void **state) {
  (void)state;
  mean_scene far = scene;
  emg_mean_model *moved;
  emg_error err = {0};
  far.set.electrodes = far.places;
  place_grid(&far, 0, scene.range.shift_max_mm + 1);
  assert_int_equal(emg_mean_model_move(model, &far.set, &moved, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "shift_max_mm"));
  place_grid(&far, 0, 0);
  far.set.detection.radius_m *= 2;
  assert_int_equal(emg_mean_model_move(model, &far.set, &moved, &err), EMG_ERR_ARG);
  assert_null(moved);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(derivatives_equal_finite_differences),
      cmocka_unit_test(derivatives_hold_where_limits_take_hold),
      cmocka_unit_test(derivatives_hold_on_an_inclined_grid),
      cmocka_unit_test(public_results_are_those_in_double_rounded),
      cmocka_unit_test(a_unit_without_spread_is_a_single_fibre),
      cmocka_unit_test(tables_reach_their_tolerance_on_other_limbs),
      cmocka_unit_test(impossible_ranges_and_electrodes_are_refused),
      cmocka_unit_test(impossible_units_are_refused),
      cmocka_unit_test(far_off_units_give_finite_potentials),
      cmocka_unit_test(electrodes_beyond_the_tables_need_new_ones),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
