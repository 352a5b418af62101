// test_conductor.c -- transfer functions against reference values, and what is refused
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "sim/conductor_priv.h"

static const emg_conductor no_bone = {.n_layers = 3,
                                      .radius_m = {0.010, 0.014, 0.015},
                                      .transverse_s_per_m = {0.1, 0.05, 1.0},
                                      .axial_s_per_m = {0.5, 0.05, 1.0},
                                      .muscle = 0};
static const emg_conductor bone = {.n_layers = 5,
                                   .radius_m = {0.012, 0.040, 0.041, 0.047, 0.048},
                                   .transverse_s_per_m = {0.02, 0.09, 0.3, 0.04, 0.5},
                                   .axial_s_per_m = {0.03, 0.4, 0.3, 0.04, 0.5},
                                   .muscle = 1};

// --- the smallest reader of the reference file that fails on anything unexpected ---------------

static char *read_golden(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", EMG_GOLDEN, name);
  FILE *file = fopen(path, "rb");
  if (!file) {
    fail_msg("%s is missing", path);
  }
  char *text = calloc(1, 1 << 16);
  assert_non_null(text);
  size_t length = fread(text, 1, (1 << 16) - 1, file);
  fclose(file);
  assert_true(length > 100);
  return text;
}

// First character of the value of `key` at or after `at`.
static const char *value_of(const char *at, const char *key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  at = strstr(at, quoted);
  assert_non_null(at);
  at = strchr(at + strlen(quoted), ':');
  assert_non_null(at);
  at++;
  return at + strspn(at, " \n");
}

static double number_of(const char *at, const char *key) {
  char *end;
  at = value_of(at, key);
  at += *at == '"';
  double value = strtod(at, &end);
  assert_true(end > at);
  return value;
}

static int numbers_of(const char *at, const char *key, double *values, int max) {
  int n = 0;
  at = value_of(at, key);
  assert_true(*at == '[');
  for (at++; n < max; n++) {
    char *end;
    at += strspn(at, " \n,");
    values[n] = strtod(at, &end);
    if (end == at) {
      break;
    }
    at = end;
  }
  return n;
}

static emg_conductor layers_of(const char *text, const char *set) {
  emg_conductor c;
  const char *at = value_of(value_of(text, "layer_sets"), set);
  c.n_layers = numbers_of(at, "r_m", c.radius_m, EMG_LAYERS_MAX);
  assert_int_equal(numbers_of(at, "sigma_t", c.transverse_s_per_m, EMG_LAYERS_MAX), c.n_layers);
  assert_int_equal(numbers_of(at, "sigma_z", c.axial_s_per_m, EMG_LAYERS_MAX), c.n_layers);
  c.muscle = (int)number_of(at, "muscle");
  assert_int_equal(emg_conductor_check(&c, NULL), EMG_OK);
  return c;
}

static emg_detection detection_of(const char *point) {
  emg_detection detection = {.shape = EMG_SHAPE_POINT};
  const char *at = value_of(point, "electrode");
  at = strchr(at, '"');
  assert_non_null(at);
  if (strncmp(at, "\"disc\"", 6) == 0) {
    detection.shape = EMG_SHAPE_DISC;
    detection.radius_m = strtod(strchr(at, ',') + 1, NULL);
  } else {
    assert_true(strncmp(at, "\"point\"", 7) == 0);
  }
  return detection;
}

static double relative(double value, double reference) {
  return fabs(value - reference) / fabs(reference);
}

static void every_reference_transfer_function_is_met_to_1e_10(void **state) {
  (void)state;
  char *text = read_golden("conductor_transfer.json");
  double worst = 0;
  int n_points = 0;

  for (const char *at = value_of(text, "points"); (at = strstr(at, "\"set\"")); at += 5) {
    char set[16] = {0};
    assert_int_equal(sscanf(value_of(at, "set"), "\"%15[a-z]\"", set), 1);
    emg_conductor c = layers_of(text, set);
    emg_detection detection = detection_of(at);
    int n = (int)number_of(at, "n");
    double k = number_of(at, "k_rad_per_m"), g = 0;
    emg_status status =
        emg_conductor_transfer(&c, n, k, number_of(at, "R_m"), number_of(at, "rho_m"), &g, NULL);
    double e = emg_detection_transfer(&detection, n, k, emg_conductor_skin_radius_m(&c));

    assert_int_equal(status, EMG_OK);
    worst = fmax(worst, relative(g, number_of(at, "G_ohm_m")));
    worst = fmax(worst, relative(e, number_of(at, "E")));
    worst = fmax(worst, relative(e * g, number_of(at, "H_ohm_m")));
    n_points++;
  }
  print_message("%d reference points, largest relative error %.1e\n", n_points, worst);
  assert_int_equal(n_points, 20);
  // 16 digits are stored; double precision leaves about 1e-13
  assert_true(worst < 1e-11);
  free(text);
}

// 1 to 5 layers, bone or not, conductivities over five decades, membranes, n to 200, k to 2e4
// rad/m.
static void random_conductors_agree_with_80_digits(void **state) {
  (void)state;
  const char *path = EMG_GOLDEN "/conductor_random.txt";
  FILE *file = fopen(path, "r");
  double worst = 0, k, source, field, expected, g;
  int n_cases = 0, n;
  emg_conductor c;

  if (!file) {
    fail_msg("%s is missing", path);
  }
  while (fscanf(file, "%d %d", &c.n_layers, &c.muscle) == 2) {
    double *const rows[] = {c.radius_m, c.transverse_s_per_m, c.axial_s_per_m};
    assert_in_range(c.n_layers, 1, EMG_LAYERS_MAX);
    for (int i = 0; i < 3 * c.n_layers; i++) {
      assert_int_equal(fscanf(file, "%lf", &rows[i / c.n_layers][i % c.n_layers]), 1);
    }
    assert_int_equal(fscanf(file, "%d %lf %lf %lf %lf", &n, &k, &source, &field, &expected), 5);
    assert_int_equal(emg_conductor_transfer(&c, n, k, source, field, &g, NULL), EMG_OK);
    worst = fmax(worst, relative(g, expected));
    n_cases++;
  }
  fclose(file);
  print_message("%d random conductors, largest relative error %.1e\n", n_cases, worst);
  assert_int_equal(n_cases, 80);
  assert_true(worst < 1e-12);
}

static void depth_factors_out_of_the_response_above_the_muscle(void **state) {
  (void)state;
  const emg_conductor *conductors[] = {&no_bone, &bone};
  double direct[60], from_boundary[60], ratio[60];

  for (int i = 0; i < 2; i++) {
    const emg_conductor *c = conductors[i];
    double b = emg_conductor_muscle_outer_m(c), skin = emg_conductor_skin_radius_m(c);
    double source = b - 0.2 * (b - emg_conductor_muscle_inner_m(c));

    for (double k = 0.01; k < 3000; k *= 7) {
      assert_int_equal(emg_conductor_orders(c, k, source, skin, 60, direct, NULL), EMG_OK);
      assert_int_equal(emg_conductor_orders(c, k, b, skin, 60, from_boundary, NULL), EMG_OK);
      assert_int_equal(emg_conductor_radial_ratio(c, k, source, 60, ratio, NULL), EMG_OK);
      for (int n = 0; n < 60; n++) {
        assert_true(relative(from_boundary[n] * ratio[n], direct[n]) < 1e-12);
      }
    }
  }
}

static void smooth_part_and_free_space_add_up(void **state) {
  (void)state;
  const emg_conductor *conductors[] = {&no_bone, &bone};
  double whole[30], smooth[30], memory[2][EMG_BESSEL_ROWS * 30], big_i[30];

  for (int i = 0; i < 2; i++) {
    const emg_conductor *c = conductors[i];
    double a = emg_conductor_muscle_inner_m(c), b = emg_conductor_muscle_outer_m(c);
    double source = a + 0.7 * (b - a), field = a + 0.6 * (b - a);
    double st = c->transverse_s_per_m[c->muscle];

    for (double k = 2; k < 2000; k *= 5) {
      double lam = k * sqrt(c->axial_s_per_m[c->muscle] / st);
      emg_bessel_orders inner, outer;
      emg_bessel_orders_fill(lam * field, 30, memory[0], &inner);
      emg_bessel_orders_fill(lam * source, 30, memory[1], &outer);
      emg_bessel_ratio_i(&inner, &outer, lam * (source - field), 30, big_i);
      assert_int_equal(emg_conductor_orders(c, k, source, field, 30, whole, NULL), EMG_OK);
      assert_int_equal(emg_conductor_orders_smooth(c, k, source, field, 30, smooth, NULL), EMG_OK);
      for (int n = 0; n < 30; n++) {
        // I(lam r<) K(lam r>) = I(<) / I(>) / (dI + dK)(>), by the Wronskian
        double free_space = big_i[n] / (outer.rise[n] + outer.fall[n]) / st;
        assert_true(fabs(free_space + smooth[n] - whole[n]) < 1e-12 * (whole[n] + free_space));
      }
    }
  }
}

static void impossible_conductors_and_points_are_refused_with_the_value(void **state) {
  (void)state;
  emg_error err = {0};
  double g;
  emg_conductor c = no_bone;

  c.radius_m[1] = 0.009;
  assert_int_equal(emg_conductor_check(&c, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "9 mm"));
  c = no_bone;
  c.axial_s_per_m[2] = 0;
  assert_int_equal(emg_conductor_check(&c, &err), EMG_ERR_CONFIG);
  c = no_bone;
  c.muscle = 3;
  assert_int_equal(emg_conductor_check(&c, &err), EMG_ERR_CONFIG);

  c = no_bone;
  assert_int_equal(emg_conductor_transfer(&c, 0, 0, 0.009, 0.015, &g, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "pole"));
  assert_int_equal(emg_conductor_transfer(&c, 1, 5, 0.011, 0.015, &g, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "11 mm"));
  assert_int_equal(emg_conductor_transfer(&c, 1, 5, 0.009, 0.016, &g, &err), EMG_ERR_ARG);
  assert_int_equal(emg_conductor_transfer(&c, 1, NAN, 0.009, 0.015, &g, &err), EMG_ERR_ARG);
  assert_int_equal(emg_conductor_transfer(&bone, 1, 5, 0.011, 0.015, &g, &err), EMG_ERR_ARG);
}

static void layers_of_no_thickness_are_left_out(void **state) {
  (void)state;
  emg_config config;
  emg_conductor c;
  emg_error err = {0};

  emg_config_defaults(&config);
  config.conductor.bone_radius_mm = 0;
  config.conductor.muscle_radius_mm = 10;
  config.conductor.fascia_thickness_mm = 0;
  config.conductor.fat_thickness_mm = 4;
  config.conductor.skin_thickness_mm = 1;
  assert_int_equal(emg_conductor_from_config(&config, &c, &err), EMG_OK);
  assert_int_equal(c.n_layers, 3);
  assert_int_equal(c.muscle, 0);
  assert_true(emg_conductor_muscle_inner_m(&c) == 0);
  assert_true(relative(emg_conductor_skin_radius_m(&c), 0.015) < 1e-15);
  assert_true(c.axial_s_per_m[1] == config.conductor.fat_axial_s_per_m);

  config.conductor.bone_radius_mm = 3;
  config.conductor.fascia_thickness_mm = 0.5;
  assert_int_equal(emg_conductor_from_config(&config, &c, &err), EMG_OK);
  assert_int_equal(c.n_layers, 5);
  assert_int_equal(c.muscle, 1);
  assert_true(emg_conductor_muscle_inner_m(&c) == 0.003);
  assert_true(emg_conductor_muscle_outer_m(&c) == 0.010);

  config.conductor.bone_radius_mm = 12;
  assert_int_equal(emg_conductor_from_config(&config, &c, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "12 mm"));
}

// Every extra order and every longer recurrence must leave the low orders alone.
static void bessel_rows_do_not_depend_on_how_many_are_asked_for(void **state) {
  (void)state;
  double few[EMG_BESSEL_ROWS * 3], many[EMG_BESSEL_ROWS * 400];
  emg_bessel_orders a, b;

  for (double x = 1e-40; x < 2e4; x *= 3) {
    emg_bessel_orders_fill(x, 3, few, &a);
    emg_bessel_orders_fill(x, 400, many, &b);
    for (int n = 0; n < 3; n++) {
      assert_true(relative(a.rise[n], b.rise[n]) < 1e-14);
      assert_true(relative(a.fall[n], b.fall[n]) < 1e-14);
    }
    for (int n = 0; n < 400; n++) {
      // x I'/I < sqrt(n^2 + x^2) < -x K'/K (Baricz 2010)
      assert_true(b.rise[n] >= n && b.rise[n] <= sqrt((double)n * n + x * x) * (1 + 1e-15));
      assert_true(b.fall[n] >= sqrt((double)n * n + x * x) * (1 - 1e-15));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_reference_transfer_function_is_met_to_1e_10),
      cmocka_unit_test(random_conductors_agree_with_80_digits),
      cmocka_unit_test(depth_factors_out_of_the_response_above_the_muscle),
      cmocka_unit_test(smooth_part_and_free_space_add_up),
      cmocka_unit_test(layers_of_no_thickness_are_left_out),
      cmocka_unit_test(bessel_rows_do_not_depend_on_how_many_are_asked_for),
      cmocka_unit_test(impossible_conductors_and_points_are_refused_with_the_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
