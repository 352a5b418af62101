// law_mean_unit.c -- symmetries of mean units, and the sum of fibres that they stand for
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../mean_unit_fixture.h"
#include "base/filter.h"
#include "sim/conductor_priv.h"
#include "sim/mean_unit_priv.h"

enum { SIZE = ELECTRODES * SAMPLES, UNITS = 12 };
// Of the peak: the same sums in another order.
#define ROUNDING 1e-9

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

static void evaluate(const emg_mean_model *of, const emg_mean_unit *unit, double *out) {
  emg_error err = {0};
  emg_mean_unit_evaluate(of, unit, scratch, out, NULL, &err);
  assert_string_equal(emg_error_message(&err), "");
}

static double peak_of(const double *x) {
  double peak = 0;
  for (int i = 0; i < SIZE; i++) {
    peak = fmax(peak, fabs(x[i]));
  }
  return peak;
}

// Largest difference of two sets of potentials, of their peak.
static double difference(const double *a, const double *b) {
  double worst = 0;
  for (int i = 0; i < SIZE; i++) {
    worst = fmax(worst, fabs(a[i] - b[i]));
  }
  return worst / peak_of(a);
}

// The transforms of q0..q3 are those of the primitive times polynomials in ikl, to rounding.
static void lead_functions_are_derivatives_of_the_primitive(void **state) {
  (void)state;
  for (double k = 1; k < 1e4; k *= 1.7) {
    const double complex d = I * k * rosenfalck.scale_m, rest = 1 - d;
    const double complex p = emg_lead_primitive_transform(&rosenfalck, k);
    const double complex expected[4] = {6 * d * p, 6 * d * rest * p, 3 * d * rest * rest * p,
                                        rest * rest * rest * p};
    double complex m[4];
    emg_lead_function_transforms(&rosenfalck, k, m);
    for (int i = 0; i < 4; i++) {
      assert_true(cabs(m[i] - expected[i]) < 1e-12 * cabs(m[i]));
    }
  }
}

static void mirrored_units_give_mirrored_potentials(void **state) {
  (void)state;
  static double out[SIZE], around[SIZE], along[SIZE], back[SIZE];
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < UNITS; i++) {
    emg_mean_unit unit = random_unit(&rng), mirrored = unit;
    evaluate(model, &unit, out);

    // the other side of angle 0
    mirrored.value[EMG_UNIT_ARC] *= -1;
    evaluate(model, &mirrored, around);
    for (int e = 0; e < ELECTRODES; e++) {
      int from = e / COLUMNS * COLUMNS + (COLUMNS - 1 - e % COLUMNS);
      memcpy(back + e * SAMPLES, around + from * SAMPLES, SAMPLES * sizeof *back);
    }
    assert_true(difference(out, back) < ROUNDING);

    // the other end of the limb
    mirrored = unit;
    mirrored.value[EMG_UNIT_ZONE] *= -1;
    mirrored.value[EMG_UNIT_TENDON_1] = -unit.value[EMG_UNIT_TENDON_2];
    mirrored.value[EMG_UNIT_TENDON_2] = -unit.value[EMG_UNIT_TENDON_1];
    evaluate(model, &mirrored, along);
    for (int e = 0; e < ELECTRODES; e++) {
      int from = (ROWS - 1 - e / COLUMNS) * COLUMNS + e % COLUMNS;
      memcpy(back + e * SAMPLES, along + from * SAMPLES, SAMPLES * sizeof *back);
    }
    assert_true(difference(out, back) < ROUNDING);
  }
}

static void moving_grid_and_unit_together_changes_nothing(void **state) {
  (void)state;
  static double out[SIZE], moved[SIZE];
  mean_scene other = scene;
  emg_mean_model *elsewhere;
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);
  const double shift_mm = 3.37, arc_mm = 150;
  other.set.electrodes = other.places;
  place_grid(&other, 0, shift_mm);
  for (int e = 0; e < ELECTRODES; e++) {
    other.places[e].theta_rad += arc_mm / SKIN_MM;
  }
  assert_int_equal(emg_mean_model_move(model, &other.set, &elsewhere, NULL), EMG_OK);
  for (int i = 0; i < UNITS; i++) {
    emg_mean_unit unit = random_unit(&rng);
    evaluate(model, &unit, out);
    unit.value[EMG_UNIT_ARC] += arc_mm;
    unit.value[EMG_UNIT_ZONE] += shift_mm;
    unit.value[EMG_UNIT_TENDON_1] += shift_mm;
    unit.value[EMG_UNIT_TENDON_2] += shift_mm;
    evaluate(elsewhere, &unit, moved);
    assert_true(difference(out, moved) < ROUNDING);
  }
  emg_mean_model_free(elsewhere);
}

static void latency_delays(void **state) {
  (void)state;
  static double out[SIZE], late[SIZE];
  enum { SHIFT = 5 };
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < UNITS; i++) {
    emg_mean_unit unit = random_unit(&rng);
    evaluate(model, &unit, out);
    unit.value[EMG_UNIT_LATENCY] += SHIFT * 1e3 / RATE_HZ;
    evaluate(model, &unit, late);
    const double least = ROUNDING * peak_of(out);
    for (int e = 0; e < ELECTRODES; e++) {
      for (int t = SHIFT; t < SAMPLES; t++) {
        assert_true(fabs(late[e * SAMPLES + t] - out[e * SAMPLES + t - SHIFT]) < least);
      }
    }
  }
}

// Every fibre's charge is balanced: at no time is there a current left.
static void potentials_vanish_before_and_after(void **state) {
  (void)state;
  static double out[SIZE];
  emg_rng rng = emg_rng_stream(4, EMG_RNG_TEST, 0, 0);
  emg_mean_unit unit = random_unit(&rng);
  unit.value[EMG_UNIT_LATENCY] = 1;
  evaluate(model, &unit, out);
  const int start = scene.range.origin + (int)(1e-3 * RATE_HZ);
  for (int e = 0; e < ELECTRODES; e++) {
    for (int t = 0; t < start; t++) {
      assert_true(out[e * SAMPLES + t] == 0);
    }
    // 15 to 24 ms to the ends, 5 for the last transients; the table's error is what remains
    assert_true(fabs(out[e * SAMPLES + SAMPLES - 1]) < 1e-3 * peak_of(out));
  }
}

// --- Against explicit fibres ---------------------------------------------------------------------

// A fibre of the unit, drawn from the distributions that the mean is taken over.
static emg_fibre draw_fibre(const emg_mean_unit *unit, emg_rng *rng) {
  const double *value = unit->value;
  double r = value[EMG_UNIT_TERRITORY] * sqrt(emg_rng_uniform(rng));
  double angle = between(rng, 0, 2 * M_PI);
  double x = MUSCLE_MM - value[EMG_UNIT_DEPTH] + r * cos(angle), y = r * sin(angle);
  double zone = value[EMG_UNIT_ZONE] + value[EMG_UNIT_ZONE_SPREAD] * emg_rng_gaussian(rng);
  double end_1 = value[EMG_UNIT_TENDON_1] + scene.range.tendon_spread_mm * emg_rng_gaussian(rng);
  double end_2 = value[EMG_UNIT_TENDON_2] + scene.range.tendon_spread_mm * emg_rng_gaussian(rng);

  return (emg_fibre){
      .radius_m = 1e-3 * hypot(x, y),
      .theta_rad = value[EMG_UNIT_ARC] / SKIN_MM + atan2(y, x),
      .end_plate_m = 1e-3 * zone,
      .length_1_m = 1e-3 * (end_1 - zone),
      .length_2_m = 1e-3 * (zone - end_2),
      .cv_m_per_s = value[EMG_UNIT_CV] * (1 + scene.range.cv_spread * emg_rng_gaussian(rng)),
      .diameter_m = 1e-6 * scene.range.fibre_diameter_um,
      .delay_s = 1e-3 * value[EMG_UNIT_LATENCY] + scene.range.origin / RATE_HZ,
  };
}

// The mean of n fibres misses the expectation by sqrt(V / n), V the variance among fibres, which is
// measured on them. Twelve times in a row it stays within three times that, were it not for the
// nodes: these may add one part in a hundred of the whole.
#define NODES 0.01
static void a_mean_unit_is_the_mean_of_its_fibres(void **state) {
  (void)state;
  enum { FIBRES = 1500 };
  static double mean[SIZE], sum[SIZE], squares[SIZE];
  static float one[SIZE];
  const emg_engine_range range = {.source_min_m = 5e-3,
                                  .source_max_m = 1e-3 * MUSCLE_MM,
                                  .z_min_m = -100e-3,
                                  .z_max_m = 100e-3,
                                  .rate_hz = RATE_HZ,
                                  .n_samples = SAMPLES,
                                  .tolerance = 1e-3};
  emg_engine *engine;
  emg_engine_scratch *fast;
  double worst = 0;
  assert_int_equal(
      emg_engine_create(&scene.conductor, &scene.set, &rosenfalck, &range, &engine, NULL), EMG_OK);
  assert_int_equal(emg_engine_scratch_create(engine, &fast, NULL), EMG_OK);
  for (int u = 0; u < UNITS; u++) {
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)u, 0);
    emg_mean_unit unit = random_unit(&rng);
    // territories in the muscle, clear of its boundary
    unit.value[EMG_UNIT_DEPTH] =
        fmax(unit.value[EMG_UNIT_DEPTH], unit.value[EMG_UNIT_TERRITORY] + 0.3);
    unit.value[EMG_UNIT_LATENCY] = 0;
    memset(sum, 0, sizeof sum);
    memset(squares, 0, sizeof squares);
    for (int i = 0; i < FIBRES; i++) {
      const emg_fibre fibre = draw_fibre(&unit, &rng);
      memset(one, 0, sizeof one);
      assert_int_equal(emg_engine_add_fibre(engine, &fibre, fast, one, NULL), EMG_OK);
      for (int k = 0; k < SIZE; k++) {
        sum[k] += (double)one[k];
        squares[k] += (double)one[k] * (double)one[k];
      }
    }
    evaluate(model, &unit, mean);
    double power = 0, variance = 0, error = 0;
    for (int k = 0; k < SIZE; k++) {
      const double average = sum[k] / FIBRES;
      power += average * average;
      variance += squares[k] / FIBRES - average * average;
      error += (mean[k] - average) * (mean[k] - average);
    }
    const double expected = sqrt(variance / FIBRES / power), found = sqrt(error / power);
    worst = fmax(worst, found);
    assert_true(found < 3 * expected + NODES);
  }
  print_message("mean of %d fibres: within %.2f %%\n", FIBRES, 100 * worst);
  assert_true(worst < 0.03);
  emg_engine_scratch_free(fast);
  emg_engine_free(engine);
}

// --- Against the same, oversampled
// ----------------------------------------------------------------

// Output tap t is at fine sample t * factor; the filter has no delay.
static void decimate(const double *fine, int n_fine, int factor, int n_fir, const double *fir,
                     double *out) {
  for (int t = 0; t < SAMPLES; t++) {
    out[t] = 0;
    for (int k = 0; k < n_fir; k++) {
      const int at = t * factor + k - n_fir / 2;
      out[t] += at >= 0 && at < n_fine ? fir[k] * fine[at] : 0;
    }
  }
}

// What lies beyond half the rate folds back: V rises like x^3 and is smooth, so that is little.
static void sampling_at_the_rate_of_the_recording_is_enough(void **state) {
  (void)state;
  enum { FACTOR = 4 };
  static double out[SIZE], fine[FACTOR * SIZE], low[SIZE];
  emg_mean_unit_range range = scene.range;
  emg_mean_model *oversampled;
  emg_mean_scratch *own;
  emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, 0, 0);
  double *fir, worst = 0;
  int n_fir;
  range.rate_hz *= FACTOR;
  range.n_samples *= FACTOR;
  range.origin *= FACTOR;
  assert_int_equal(emg_fir_decimator(FACTOR, &n_fir, &fir, NULL), EMG_OK);
  assert_int_equal(
      emg_mean_model_create(&scene.conductor, &scene.set, &rosenfalck, &range, &oversampled, NULL),
      EMG_OK);
  assert_int_equal(emg_mean_scratch_create(oversampled, &own, NULL), EMG_OK);
  for (int i = 0; i < UNITS; i++) {
    emg_mean_unit unit = random_unit(&rng);
    double power = 0, error = 0;
    unit.value[EMG_UNIT_DEPTH] = unit.value[EMG_UNIT_TERRITORY] + 0.3;  // the sharpest there are
    evaluate(model, &unit, out);
    assert_int_equal(emg_mean_unit_evaluate(oversampled, &unit, own, fine, NULL, NULL), EMG_OK);
    for (int e = 0; e < ELECTRODES; e++) {
      decimate(fine + e * FACTOR * SAMPLES, FACTOR * SAMPLES, FACTOR, n_fir, fir,
               low + e * SAMPLES);
    }
    for (int k = 0; k < SIZE; k++) {
      power += low[k] * low[k];
      error += (low[k] - out[k]) * (low[k] - out[k]);
    }
    worst = fmax(worst, sqrt(error / power));
  }
  free(fir);
  emg_mean_scratch_free(own);
  emg_mean_model_free(oversampled);
  print_message("sampled at %g Hz beside %d times that: within %.3f %%\n", RATE_HZ, FACTOR,
                100 * worst);
  assert_true(worst < 0.01);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lead_functions_are_derivatives_of_the_primitive),
      cmocka_unit_test(mirrored_units_give_mirrored_potentials),
      cmocka_unit_test(moving_grid_and_unit_together_changes_nothing),
      cmocka_unit_test(latency_delays),
      cmocka_unit_test(potentials_vanish_before_and_after),
      cmocka_unit_test(a_mean_unit_is_the_mean_of_its_fibres),
      cmocka_unit_test(sampling_at_the_rate_of_the_recording_is_enough),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
