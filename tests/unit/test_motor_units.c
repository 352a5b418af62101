// test_motor_units.c -- properties of units and fibres: laws, spreads, limits
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model_fixture.h"

typedef double (*fibre_value)(const emg_fibre *fibre);

static double end_plate_mm(const emg_fibre *f) {
  return 1e3 * f->end_plate_m;
}
static double tendon_1_mm(const emg_fibre *f) {
  return 1e3 * (f->end_plate_m + f->length_1_m);
}
static double tendon_2_mm(const emg_fibre *f) {
  return 1e3 * (f->end_plate_m - f->length_2_m);
}
static double diameter_um(const emg_fibre *f) {
  return 1e6 * f->diameter_m;
}
static double delay_ms(const emg_fibre *f) {
  return 1e3 * f->delay_s;
}
static double cv_m_per_s(const emg_fibre *f) {
  return f->cv_m_per_s;
}

typedef struct {
  double mean, sd, least, most;
} spread;

static spread spread_of(const emg_model *model, fibre_value value) {
  spread s = {0, 0, INFINITY, -INFINITY};

  for (int i = 0; i < model->n_fibres; i++) {
    double v = value(&model->fibres[i]);
    s.mean += v / model->n_fibres;
    s.least = fmin(s.least, v);
    s.most = fmax(s.most, v);
  }
  for (int i = 0; i < model->n_fibres; i++) {
    s.sd += pow(value(&model->fibres[i]) - s.mean, 2) / model->n_fibres;
  }
  s.sd = sqrt(s.sd);
  return s;
}

// Mean and deviation within four standard errors of n values, limits never passed.
static void assert_spread(spread s, int n, double mean, double sd, double least, double most) {
  if (fabs(s.mean - mean) > 4 * sd / sqrt(n) + 1e-12 || fabs(s.sd - sd) > 4 * sd / sqrt(2.0 * n) ||
      s.least < least - 1e-9 || s.most > most + 1e-9) {
    fail_msg("%g +- %g in %g..%g is not %g +- %g in %g..%g", s.mean, s.sd, s.least, s.most, mean,
             sd, least, most);
  }
}

static void end_plates_and_tendons_spread_over_their_widths(void **state) {
  (void)state;
  emg_model model = fixture_model(
      SET("muscle.innervation_zone_mm=15", "muscle.innervation_zone_width_mm=20",
          "muscle.half_length_1_mm=70", "muscle.half_length_2_mm=50", "muscle.tendon_width_mm=8"));
  int n = model.n_fibres;

  assert_spread(spread_of(&model, end_plate_mm), n, 15, 20 / sqrt(12), 5, 25);
  assert_spread(spread_of(&model, tendon_1_mm), n, 85, 8 / sqrt(12), 81, 89);
  assert_spread(spread_of(&model, tendon_2_mm), n, -35, 8 / sqrt(12), -39, -31);
  emg_model_free(&model);
}

// Standard deviation of a Gaussian cut at 3 deviations either side.
static const double cut_gaussian_sd = 0.986578;

static void gaussian_end_plates_have_a_quarter_of_the_width_as_deviation(void **state) {
  (void)state;
  emg_model model = fixture_model(
      SET("muscle.innervation_zone_law=gaussian", "muscle.innervation_zone_width_mm=20"));

  assert_spread(spread_of(&model, end_plate_mm), model.n_fibres, 0, 5 * cut_gaussian_sd, -15, 15);
  emg_model_free(&model);
}

// Without a width, all fibres of a unit are innervated at its own zone.
static void zones_of_units_spread_about_that_of_the_muscle(void **state) {
  (void)state;
  emg_model model =
      fixture_model(SET("muscle.innervation_zone_mm=3", "muscle.innervation_zone_width_mm=0",
                        "muscle.innervation_zone_unit_sd_mm=6", "muscle.half_length_1_mm=40",
                        "muscle.half_length_2_mm=40", "pool.units=100", "muscle.fibre_count=2000"));
  double sum = 0, squares = 0;

  for (int u = 0; u < model.n_units; u++) {
    const emg_fibre *fibres = &model.fibres[model.units[u].fibre_begin];
    double zone_mm = end_plate_mm(&fibres[0]);
    for (int i = 0; i < model.units[u].fibre_count; i++) {
      assert_float_equal(end_plate_mm(&fibres[i]), zone_mm, 1e-9);
    }
    assert_true(fabs(zone_mm - 3) <= 15);
    sum += zone_mm - 3;
    squares += (zone_mm - 3) * (zone_mm - 3);
  }
  // four standard errors of 100 units; a Gaussian cut at 2.5 deviations has 0.954 of its deviation
  assert_float_equal(sum / model.n_units, 0, 4 * 6 / sqrt(100));
  assert_float_equal(sqrt(squares / model.n_units), 0.954 * 6, 4 * 6 / sqrt(200));
  emg_model_free(&model);
}

static void diameters_and_delays_are_cut_gaussians(void **state) {
  (void)state;
  emg_model model =
      fixture_model(SET("muscle.fibre_diameter_um=55", "muscle.fibre_diameter_sd_um=9",
                        "muscle.end_plate_delay_sd_ms=0.2"));
  int n = model.n_fibres;

  assert_spread(spread_of(&model, diameter_um), n, 55, 9 * cut_gaussian_sd, 28, 82);
  assert_spread(spread_of(&model, delay_ms), n, 0.6, 0.2 * cut_gaussian_sd, 0, 1.2);
  emg_model_free(&model);
}

static void no_spread_means_no_spread(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("muscle.innervation_zone_width_mm=0",
                                      "muscle.tendon_width_mm=0", "muscle.fibre_diameter_sd_um=0",
                                      "muscle.cv_sd_m_per_s=0", "muscle.cv_fibre_sd_m_per_s=0"));

  for (int i = 0; i < model.n_fibres; i++) {
    const emg_fibre *f = &model.fibres[i];
    assert_true(f->end_plate_m == 0 && f->delay_s == 0);
    assert_true(fabs(f->length_1_m - 0.06) < 1e-15 && fabs(f->length_2_m - 0.06) < 1e-15);
    assert_true(fabs(f->diameter_m - 55e-6) < 1e-15 && f->cv_m_per_s == 4);
  }
  emg_model_free(&model);
}

// --- conduction velocity ---

static void unit_velocities_are_drawn_and_fibres_spread_about_them(void **state) {
  (void)state;
  emg_model model =
      fixture_model(SET("pool.units=1000", "muscle.cv_m_per_s=3.8", "muscle.cv_sd_m_per_s=0.5",
                        "muscle.cv_fibre_sd_m_per_s=0.1"));
  double mean = 0, squares = 0, within = 0;

  for (int u = 0; u < model.n_units; u++) {
    const emg_motor_unit *unit = &model.units[u];
    double own_mean = 0;
    for (int i = unit->fibre_begin; i < unit->fibre_begin + unit->fibre_count; i++) {
      own_mean += model.fibres[i].cv_m_per_s / unit->fibre_count;
      within += pow(model.fibres[i].cv_m_per_s - unit->cv_m_per_s, 2);
    }
    assert_true(fabs(own_mean - unit->cv_m_per_s) < 1e-12);
    mean += unit->cv_m_per_s / model.n_units;
    squares += unit->cv_m_per_s * unit->cv_m_per_s / model.n_units;
  }
  // four standard errors of 1000 units; their fibres' means add at most 0.1 / sqrt(2)
  assert_true(fabs(mean - 3.8) < 4 * 0.5 / sqrt(1000));
  assert_true(fabs(sqrt(squares - mean * mean) - 0.5) < 4 * 0.5 / sqrt(2000));
  // each unit's mean takes one degree of freedom
  assert_true(fabs(sqrt(within / (model.n_fibres - model.n_units)) - 0.1) < 0.002);
  emg_model_free(&model);
}

static void velocities_grow_with_size_and_keep_mean_and_deviation(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("muscle.cv_law=unit_size", "muscle.cv_m_per_s=4",
                                      "muscle.cv_sd_m_per_s=0.4", "muscle.cv_fibre_sd_m_per_s=0"));
  double mean = 0, squares = 0;

  for (int u = 0; u < model.n_units; u++) {
    assert_true(u == 0 || model.units[u].cv_m_per_s > model.units[u - 1].cv_m_per_s);
    mean += model.units[u].cv_m_per_s / model.n_units;
    squares += pow(model.units[u].cv_m_per_s, 2) / model.n_units;
  }
  assert_true(fabs(mean - 4) < 1e-12);
  assert_true(fabs(sqrt(squares - mean * mean) - 0.4) < 1e-12);
  emg_model_free(&model);
}

static void velocities_from_diameters_follow_nandedkar_and_stalberg(void **state) {
  (void)state;
  emg_model model =
      fixture_model(SET("muscle.cv_law=fibre_diameter", "muscle.fibre_diameter_sd_um=20"));

  for (int i = 0; i < model.n_fibres; i++) {
    double within_um = fmin(fmax(1e6 * model.fibres[i].diameter_m, 22), 85);
    assert_true(fabs(model.fibres[i].cv_m_per_s - (2.2 + (within_um - 22) * 3 / 63)) < 1e-12);
  }
  spread cv = spread_of(&model, cv_m_per_s);
  assert_true(cv.least == 2.2 && fabs(cv.most - 5.2) < 1e-12);
  emg_model_free(&model);
}

static void wild_velocities_are_kept_in_bounds(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("muscle.cv_sd_m_per_s=5", "muscle.cv_fibre_sd_m_per_s=5"));
  spread cv = spread_of(&model, cv_m_per_s);

  assert_true(cv.least >= 2 && cv.most <= 8);
  emg_model_free(&model);
}

// --- refusals ---

static void spreads_longer_than_the_fibres_are_refused(void **state) {
  (void)state;
  emg_config config =
      fixture_config(SET("muscle.half_length_2_mm=20", "muscle.name=flexor",
                         "muscle.innervation_zone_width_mm=30", "muscle.tendon_width_mm=10"));
  emg_model model;
  emg_error err = {0};

  assert_int_equal(emg_model_create(&config, &model, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "flexor"));
  assert_non_null(strstr(emg_error_message(&err), "20 mm"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(end_plates_and_tendons_spread_over_their_widths),
      cmocka_unit_test(gaussian_end_plates_have_a_quarter_of_the_width_as_deviation),
      cmocka_unit_test(zones_of_units_spread_about_that_of_the_muscle),
      cmocka_unit_test(diameters_and_delays_are_cut_gaussians),
      cmocka_unit_test(no_spread_means_no_spread),
      cmocka_unit_test(unit_velocities_are_drawn_and_fibres_spread_about_them),
      cmocka_unit_test(velocities_grow_with_size_and_keep_mean_and_deviation),
      cmocka_unit_test(velocities_from_diameters_follow_nandedkar_and_stalberg),
      cmocka_unit_test(wild_velocities_are_kept_in_bounds),
      cmocka_unit_test(spreads_longer_than_the_fibres_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
