// test_muscle.c -- fibre positions: exact numbers, inside their region, spread as asked
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pool_priv.h"
#include "tests/model_fixture.h"

typedef struct {
  int n;
  double *x_m, *y_m;
} fibres;

static fibres place(const emg_config *config, int muscle) {
  emg_conductor conductor = fixture_conductor(config);
  fibres f;
  emg_error err = {0};

  if (emg_muscle_place_fibres(config, &conductor, muscle, &f.n, &f.x_m, &f.y_m, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return f;
}

static void fibres_free(fibres *f) {
  free(f->x_m);
  free(f->y_m);
}

static void assert_refused(const emg_config *config, int muscle, const char *words) {
  emg_conductor conductor = fixture_conductor(config);
  fibres f;
  emg_error err = {0};

  assert_int_equal(emg_muscle_place_fibres(config, &conductor, muscle, &f.n, &f.x_m, &f.y_m, &err),
                   EMG_ERR_CONFIG);
  if (!strstr(emg_error_message(&err), words)) {
    fail_msg("\"%s\" does not say \"%s\"", emg_error_message(&err), words);
  }
}

// Distance from each fibre to its nearest neighbour: least and mean.
static void neighbour_distances(const fibres *f, double *least_m, double *mean_m) {
  *least_m = INFINITY;
  *mean_m = 0;
  for (int i = 0; i < f->n; i++) {
    double nearest = INFINITY;
    for (int j = 0; j < f->n; j++) {
      if (j != i) {
        nearest = fmin(nearest, hypot(f->x_m[i] - f->x_m[j], f->y_m[i] - f->y_m[j]));
      }
    }
    *least_m = fmin(*least_m, nearest);
    *mean_m += nearest / f->n;
  }
}

static const char *const placements[] = {
    "muscle.placement=hexagonal", "muscle.placement=poisson_disc", "muscle.placement=uniform"};

static void every_placement_gives_the_exact_number(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    for (int n = 1; n < 20000; n = 3 * n + 1) {
      emg_config config = fixture_config(SET(placements[p], "conductor.bone_radius_mm=5"));
      config.muscle[0].fibre_count = n;
      fibres f = place(&config, 0);
      assert_int_equal(f.n, n);
      fibres_free(&f);
    }
  }
}

static void density_times_area_gives_the_number(void **state) {
  (void)state;
  emg_config config =
      fixture_config(SET("conductor.muscle_radius_mm=10", "muscle.fibre_density_per_mm2=50"));
  fibres f = place(&config, 0);
  assert_int_equal(f.n, (int)round(50 * M_PI * 100));
  fibres_free(&f);
}

// A fibre's centre is half a fibre of 55 um from the edge at least.
static const double inset_mm = 0.0275;

static void fibres_lie_in_the_annulus(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    emg_config config = fixture_config(SET(placements[p], "conductor.bone_radius_mm=8"));
    fibres f = place(&config, 0);
    for (int i = 0; i < f.n; i++) {
      double radius_mm = 1e3 * hypot(f.x_m[i], f.y_m[i]);
      assert_true(radius_mm >= 8 + inset_mm - 1e-9 && radius_mm <= 20 - inset_mm + 1e-9);
    }
    fibres_free(&f);
  }
}

static void fibres_lie_in_the_ellipse_and_fill_it(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    emg_config config =
        fixture_config(SET(placements[p], "muscle.region=ellipse", "muscle.centre_radius_mm=12",
                           "muscle.centre_angle_deg=90", "muscle.radial_extent_mm=4",
                           "muscle.tangential_extent_mm=8", "muscle.fibre_density_per_mm2=100"));
    fibres f = place(&config, 0);
    int n_left = 0, n_outer = 0;

    assert_int_equal(f.n, (int)round(100 * M_PI * 4 * 8));
    for (int i = 0; i < f.n; i++) {
      // at 90 deg the radius is along y
      double u = (1e3 * f.y_m[i] - 12) / 4, v = 1e3 * f.x_m[i] / 8;
      assert_true(u * u + v * v <= 1);
      n_left += v < 0;
      n_outer += u > 0;
    }
    // halves by symmetry, four standard errors of independent fibres
    assert_true(abs(n_left - f.n / 2) < 2 * sqrt(f.n));
    assert_true(abs(n_outer - f.n / 2) < 2 * sqrt(f.n));
    fibres_free(&f);
  }
}

static void fibres_lie_in_the_sector(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    emg_config config = fixture_config(
        SET(placements[p], "muscle.region=sector", "muscle.centre_angle_deg=170",
            "muscle.sector_width_deg=80", "muscle.radial_extent_mm=6", "muscle.fibre_count=3000"));
    fibres f = place(&config, 0);
    for (int i = 0; i < f.n; i++) {
      double radius_mm = 1e3 * hypot(f.x_m[i], f.y_m[i]);
      double angle = remainder(atan2(f.y_m[i], f.x_m[i]) - 170 * M_PI / 180, 2 * M_PI);
      assert_true(radius_mm >= 14 && radius_mm <= 20);
      assert_true(fabs(angle) <= 40 * M_PI / 180);
    }
    fibres_free(&f);
  }
}

static void hexagonal_fibres_have_equal_distances(void **state) {
  (void)state;
  emg_config config = fixture_config(SET(placements[0], "muscle.fibre_count=2000"));
  fibres f = place(&config, 0);
  double least_m, mean_m;

  neighbour_distances(&f, &least_m, &mean_m);
  // a lattice of this density, less its border of about one fibre
  double lattice_m = sqrt(2 * M_PI * 4e-4 / (sqrt(3) * 2000));
  assert_true(fabs(least_m / lattice_m - 1) < 0.03);
  assert_true(mean_m < least_m * (1 + 1e-6));
  fibres_free(&f);
}

static void poisson_disc_fibres_keep_their_distance(void **state) {
  (void)state;
  emg_config config = fixture_config(SET(placements[1], "muscle.fibre_count=2000"));
  fibres f = place(&config, 0);
  double least_m, mean_m;

  neighbour_distances(&f, &least_m, &mean_m);
  assert_true(least_m >= 0.7 * sqrt(M_PI * 4e-4 / 2000));
  fibres_free(&f);
}

static void uniform_fibres_are_independent(void **state) {
  (void)state;
  emg_config config = fixture_config(SET(placements[2], "muscle.fibre_count=4000"));
  fibres f = place(&config, 0);
  double least_m, mean_m;

  neighbour_distances(&f, &least_m, &mean_m);
  // mean distance to the nearest of a Poisson process is 1/2 per root of the density
  assert_true(fabs(mean_m / (0.5 * sqrt(M_PI * 4e-4 / 4000)) - 1) < 0.05);
  fibres_free(&f);
}

static void overlapping_muscles_are_refused_by_name(void **state) {
  (void)state;
  emg_config config = fixture_muscles(
      2, SET("muscle.region=circle", "muscle.radial_extent_mm=5", "muscle.centre_radius_mm=12",
             "muscle[0].name=flexor", "muscle[1].name=extensor", "muscle[1].centre_angle_deg=30"));
  assert_refused(&config, 0, "flexor");
  assert_refused(&config, 1, "extensor");

  // a small one inside a large one is seen from the small one
  config.muscle[1] = config.muscle[0];
  config.muscle[1].radial_extent_mm = 0.5;
  assert_refused(&config, 1, "overlap");
}

static void disjoint_muscles_are_placed(void **state) {
  (void)state;
  emg_config config = fixture_muscles(
      3, SET("muscle.region=sector", "muscle.sector_width_deg=120", "muscle.radial_extent_mm=12",
             "muscle[1].centre_angle_deg=120", "muscle[2].centre_angle_deg=240"));
  for (int m = 0; m < 3; m++) {
    fibres f = place(&config, m);
    assert_true(f.n > 1000);
    fibres_free(&f);
  }
}

static void regions_outside_the_muscle_are_refused(void **state) {
  (void)state;
  emg_config config = fixture_config(
      SET("muscle.region=circle", "muscle.centre_radius_mm=16", "muscle.radial_extent_mm=5"));
  assert_refused(&config, 0, "11 to 21 mm");
  config = fixture_config(
      SET("muscle.region=circle", "muscle.radial_extent_mm=5", "conductor.bone_radius_mm=2"));
  assert_refused(&config, 0, "0 to 5 mm");
  config = fixture_config(
      SET("muscle.region=sector", "muscle.radial_extent_mm=15", "conductor.bone_radius_mm=8"));
  assert_refused(&config, 0, "12 mm");
}

static void muscles_that_hold_no_fibre_are_refused(void **state) {
  (void)state;
  for (int p = 0; p < 3; p++) {
    emg_config config = fixture_config(
        SET(placements[p], "muscle.region=circle", "muscle.centre_radius_mm=10",
            "muscle.radial_extent_mm=0.1", "muscle.fibre_diameter_um=300", "muscle.fibre_count=5"));
    assert_refused(&config, 0, "no fibre of 300 um fits");
  }
  emg_config config = fixture_config(
      SET("muscle.region=circle", "muscle.radial_extent_mm=0.3", "muscle.fibre_density_per_mm2=1"));
  assert_refused(&config, 0, "holds no fibre");
  config =
      fixture_config(SET("conductor.muscle_radius_mm=100", "muscle.fibre_density_per_mm2=1000"));
  assert_refused(&config, 0, "more than");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_placement_gives_the_exact_number),
      cmocka_unit_test(density_times_area_gives_the_number),
      cmocka_unit_test(fibres_lie_in_the_annulus),
      cmocka_unit_test(fibres_lie_in_the_ellipse_and_fill_it),
      cmocka_unit_test(fibres_lie_in_the_sector),
      cmocka_unit_test(hexagonal_fibres_have_equal_distances),
      cmocka_unit_test(poisson_disc_fibres_keep_their_distance),
      cmocka_unit_test(uniform_fibres_are_independent),
      cmocka_unit_test(overlapping_muscles_are_refused_by_name),
      cmocka_unit_test(disjoint_muscles_are_placed),
      cmocka_unit_test(regions_outside_the_muscle_are_refused),
      cmocka_unit_test(muscles_that_hold_no_fibre_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
