// test_detection.c -- averages over detection surfaces: known values, limits, symmetry
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

static const double skin = 0.02;
static const emg_detection shapes[] = {
    {.shape = EMG_SHAPE_POINT},
    {.shape = EMG_SHAPE_DISC, .radius_m = 2e-3},
    {.shape = EMG_SHAPE_RECTANGLE, .width_m = 1e-3, .length_m = 8e-3},
    {.shape = EMG_SHAPE_ANNULUS, .radius_m = 4e-3, .inner_radius_m = 3e-3},
};

static void a_constant_potential_is_read_as_it_is(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    assert_true(fabs(emg_detection_transfer(&shapes[i], 0, 0, skin) - 1) < 1e-15);
  }
}

static void sign_of_order_and_wavenumber_does_not_matter(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    for (int n = 0; n < 40; n += 13) {
      double e = emg_detection_transfer(&shapes[i], n, 700, skin);
      assert_true(emg_detection_transfer(&shapes[i], -n, 700, skin) == e);
      assert_true(emg_detection_transfer(&shapes[i], n, -700, skin) == e);
      assert_true(fabs(e) <= 1);
    }
  }
}

static void known_values_are_met(void **state) {
  (void)state;
  // 2 J1(1) and J1(2), Abramowitz & Stegun table 9.1; first zero 3.83170597020751
  double disc_1 = emg_detection_transfer(&shapes[1], 0, 500, skin);
  double disc_2 = emg_detection_transfer(&shapes[1], 0, 1000, skin);
  double disc_0 = emg_detection_transfer(&shapes[1], 0, 3.83170597020751 / 2e-3, skin);
  assert_true(fabs(disc_1 - 2 * 0.4400505857449335) < 1e-14);
  assert_true(fabs(disc_2 - 0.5767248077568734) < 1e-14);
  assert_true(fabs(disc_0) < 1e-14);
  // order 10 on 20 mm is 500 rad/m around: the same disc, turned
  assert_true(fabs(emg_detection_transfer(&shapes[1], 10, 0, skin) - disc_1) < 1e-14);
  // sin(2) / 2 along, sin(1/4) / (1/4) around
  double rectangle = emg_detection_transfer(&shapes[2], 10, 500, skin);
  assert_true(fabs(rectangle - sin(2) / 2 * sin(0.25) / 0.25) < 1e-14);
  // (16 D(2) - 9 D(1.5)) / 7, J1(1.5) = 0.5579365079100996
  double annulus = emg_detection_transfer(&shapes[3], 0, 500, skin);
  assert_true(fabs(annulus - (16 * 0.5767248077568734 - 9 * 0.5579365079100996 / 0.75) / 7) <
              1e-14);
}

static void series_near_zero_join_the_functions(void **state) {
  (void)state;
  for (int i = 1; i < 4; i++) {
    // arguments just below and above 1e-2, where the series end; the slope is about k size^2
    double size = i == 2 ? shapes[i].length_m / 2 : shapes[i].radius_m, k = 1e-2 / size;
    double below = emg_detection_transfer(&shapes[i], 0, k * (1 - 1e-12), skin);
    double above = emg_detection_transfer(&shapes[i], 0, k * (1 + 1e-12), skin);
    assert_true(fabs(above - below) < 1e-15);
  }
}

static void an_annulus_without_a_hole_is_a_disc(void **state) {
  (void)state;
  emg_detection annulus = shapes[1];
  annulus.shape = EMG_SHAPE_ANNULUS;
  for (double k = 0; k < 5000; k += 311) {
    double disc = emg_detection_transfer(&shapes[1], 3, k, skin);
    assert_true(emg_detection_transfer(&annulus, 3, k, skin) == disc);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_constant_potential_is_read_as_it_is),
      cmocka_unit_test(sign_of_order_and_wavenumber_does_not_matter),
      cmocka_unit_test(known_values_are_met),
      cmocka_unit_test(series_near_zero_join_the_functions),
      cmocka_unit_test(an_annulus_without_a_hole_is_a_disc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
