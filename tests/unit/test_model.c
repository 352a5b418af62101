// test_model.c -- the whole subject: units numbered through, the unit table, refusals
#include <math.h>
#include <string.h>

#include "tests/model_fixture.h"

static emg_config two_muscles(void) {
  return fixture_muscles(
      2,
      SET("conductor.bone_radius_mm=4", "muscle.region=sector", "muscle.sector_width_deg=100",
          "muscle[0].centre_angle_deg=-60", "muscle[1].centre_angle_deg=100", "pool[0].units=20",
          "pool[1].units=35", "muscle[1].innervation_zone_mm=30", "muscle[1].half_length_1_mm=40"));
}

static void units_are_numbered_through_and_share_out_the_fibres(void **state) {
  (void)state;
  emg_config config = two_muscles();
  emg_model model = fixture_create(&config);
  int next = 0;

  assert_int_equal(model.n_units, 55);
  for (int u = 0; u < model.n_units; u++) {
    const emg_motor_unit *unit = &model.units[u];
    assert_int_equal(unit->muscle, u < 20 ? 0 : 1);
    assert_int_equal(unit->index_in_muscle, u < 20 ? u : u - 20);
    assert_int_equal(unit->fibre_begin, next);
    assert_true(unit->fibre_count >= 1);
    next += unit->fibre_count;
    // every fibre lies in its own muscle
    double centre = (u < 20 ? -60 : 100) * M_PI / 180;
    for (int i = unit->fibre_begin; i < next; i++) {
      double angle = remainder(model.fibres[i].theta_rad - centre, 2 * M_PI);
      assert_true(fabs(angle) <= 50 * M_PI / 180);
    }
  }
  assert_int_equal(next, model.n_fibres);
  emg_model_free(&model);
}

static void smaller_units_come_first(void **state) {
  (void)state;
  emg_config config = two_muscles();
  emg_model model = fixture_create(&config);

  for (int u = 1; u < model.n_units; u++) {
    const emg_motor_unit *unit = &model.units[u], *before = &model.units[u - 1];
    if (unit->muscle == before->muscle) {
      assert_true(unit->fibre_count >= before->fibre_count);
      assert_true(unit->recruitment_threshold > before->recruitment_threshold);
      assert_true(unit->twitch_force > before->twitch_force);
    }
  }
  emg_model_free(&model);
}

static double column(const emg_table *table, const char *name, int unit) {
  const double *values = emg_table_get(table, name);

  if (!values) {
    fail_msg("the table has no %s", name);
  }
  return values[unit];
}

static void the_table_holds_means_over_the_fibres(void **state) {
  (void)state;
  emg_config config = two_muscles();
  emg_model model = fixture_create(&config);
  emg_table t;

  assert_int_equal(emg_model_unit_table(&model, &t, NULL), EMG_OK);
  assert_int_equal(t.n_rows, 55);
  for (int u = 0; u < t.n_rows; u++) {
    const emg_motor_unit *unit = &model.units[u];
    double x = 0, y = 0, zone = 0, length_1 = 0, length_2 = 0, cv = 0, diameter = 0;
    for (int i = unit->fibre_begin; i < unit->fibre_begin + unit->fibre_count; i++) {
      const emg_fibre *f = &model.fibres[i];
      x += 1e3 * f->radius_m * cos(f->theta_rad) / unit->fibre_count;
      y += 1e3 * f->radius_m * sin(f->theta_rad) / unit->fibre_count;
      zone += 1e3 * f->end_plate_m / unit->fibre_count;
      length_1 += 1e3 * f->length_1_m / unit->fibre_count;
      length_2 += 1e3 * f->length_2_m / unit->fibre_count;
      cv += f->cv_m_per_s / unit->fibre_count;
      diameter += 1e6 * f->diameter_m / unit->fibre_count;
    }
    // muscle 20 mm, fat 3 mm, skin 1 mm
    assert_true(fabs(column(&t, "depth_mm", u) - (24 - hypot(x, y))) < 1e-9);
    assert_true(fabs(column(&t, "angle_deg", u) - atan2(y, x) * 180 / M_PI) < 1e-9);
    assert_true(fabs(column(&t, "x_mm", u) - x) < 1e-9);
    assert_true(fabs(column(&t, "y_mm", u) - y) < 1e-9);
    assert_true(fabs(column(&t, "innervation_zone_mm", u) - zone) < 1e-9);
    assert_true(fabs(column(&t, "half_length_1_mm", u) - length_1) < 1e-9);
    assert_true(fabs(column(&t, "half_length_2_mm", u) - length_2) < 1e-9);
    assert_true(fabs(column(&t, "conduction_velocity_m_per_s", u) - cv) < 1e-9);
    assert_true(fabs(column(&t, "mean_fibre_diameter_um", u) - diameter) < 1e-9);
    assert_true(column(&t, "fibre_count", u) == unit->fibre_count);
    assert_true(column(&t, "muscle", u) == unit->muscle);
    assert_true(column(&t, "recruitment_threshold", u) == unit->recruitment_threshold);
    assert_true(column(&t, "isi_cov", u) == 0.15);
    assert_true(column(&t, "rate_min_hz", u) == unit->rate_min_hz);
    assert_true(column(&t, "rate_max_hz", u) == unit->rate_max_hz);
    assert_true(column(&t, "rate_gain_hz", u) == unit->rate_gain_hz);
    assert_true(column(&t, "twitch_force", u) == unit->twitch_force);
    assert_true(fabs(column(&t, "twitch_time_ms", u) - 1e3 * unit->twitch_time_s) < 1e-12);
    assert_true(fabs(column(&t, "territory_radius_mm", u) - 1e3 * unit->territory_radius_m) <
                1e-12);
    assert_true(fabs(hypot(column(&t, "territory_x_mm", u), column(&t, "territory_y_mm", u)) -
                     1e3 * unit->centre_radius_m) < 1e-9);
    assert_true(column(&t, "end_plate_delay_ms", u) == 0);
  }
  emg_table_free(&t);
  emg_model_free(&model);
}

static void every_column_has_its_unit(void **state) {
  (void)state;
  const char *const suffixes[][2] = {
      {"_mm", "mm"}, {"_deg", "deg"},           {"_um", "um"}, {"_ms", "ms"}, {"_m_per_s", "m/s"},
      {"_hz", "Hz"}, {"_threshold", "fraction"}};
  emg_model model = fixture_model(SET(NULL));
  emg_table t;

  assert_int_equal(emg_model_unit_table(&model, &t, NULL), EMG_OK);
  for (int c = 0; c < t.n_columns; c++) {
    const char *unit = "";
    for (size_t s = 0; s < sizeof suffixes / sizeof suffixes[0]; s++) {
      size_t length = strlen(t.columns[c].name), suffix = strlen(suffixes[s][0]);
      if (length > suffix && strcmp(t.columns[c].name + length - suffix, suffixes[s][0]) == 0) {
        unit = suffixes[s][1];
      }
    }
    assert_string_equal(t.columns[c].unit, unit);
  }
  emg_table_free(&t);
  emg_model_free(&model);
}

static void failures_leave_an_empty_model(void **state) {
  (void)state;
  emg_config config = two_muscles();
  emg_model model;
  emg_error err = {0};

  config.pool[1].units = 2000;
  config.muscle[1].fibre_count = 1999;
  assert_int_equal(emg_model_create(&config, &model, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "2000"));
  assert_non_null(strstr(emg_error_message(&err), "1999"));
  assert_null(model.units);
  assert_null(model.fibres);
  emg_model_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_are_numbered_through_and_share_out_the_fibres),
      cmocka_unit_test(smaller_units_come_first),
      cmocka_unit_test(the_table_holds_means_over_the_fibres),
      cmocka_unit_test(every_column_has_its_unit),
      cmocka_unit_test(failures_leave_an_empty_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
