// law_conductor.c -- what the response of a layered cylinder must obey, whatever its layers
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "sim/conductor_priv.h"

static const emg_conductor arm = {.n_layers = 3,
                                  .radius_m = {0.010, 0.014, 0.015},
                                  .transverse_s_per_m = {0.1, 0.05, 1.0},
                                  .axial_s_per_m = {0.5, 0.05, 1.0},
                                  .muscle = 0};
static const emg_conductor leg = {.n_layers = 5,
                                  .radius_m = {0.012, 0.040, 0.041, 0.047, 0.048},
                                  .transverse_s_per_m = {0.02, 0.09, 0.3, 0.04, 0.0005},
                                  .axial_s_per_m = {0.03, 0.4, 0.3, 0.04, 0.0005},
                                  .muscle = 1};
static const emg_conductor *const conductors[] = {&arm, &leg};
static const double source_radius_m[] = {0.0085, 0.031};

static double transfer(const emg_conductor *c, int n, double k, double source, double field) {
  double g = NAN;
  emg_error err = {0};
  emg_conductor_transfer(c, n, k, source, field, &g, &err);
  assert_string_equal(emg_error_message(&err), "");
  return g;
}

static emg_conductor homogeneous(double radius_m, double st, double sz) {
  return (emg_conductor){
      .n_layers = 1, .radius_m = {radius_m}, .transverse_s_per_m = {st}, .axial_s_per_m = {sz}};
}

static void assert_near(double value, double expected, double allowed) {
  if (!(fabs(value - expected) <= allowed)) {
    fail_msg("%.15g is not within %g of %.15g", value, allowed, expected);
  }
}

// --- limits
// ----------------------------------------------------------------------------------------

// 1 / (4 pi sqrt(z^2 + d^2)) = 1/(2 pi^2) SUM eps_n cos(n theta) INT cos(kz) I_n(k r<) K_n(k r>)
// dk.
static void orders_sum_to_free_space_with_alternating_images(void **state) {
  (void)state;
  enum { ORDERS = 90 };
  const double inner = 0.004, outer = 0.006, dtheta = 0.3, period = 0.3, dk = 2 * M_PI / period;
  const double z[] = {0, 0.001, 0.02, 0.1};
  double rows[2][EMG_BESSEL_ROWS * ORDERS], ratio[ORDERS], sum[4] = {0};

  for (double k = dk / 2; k < 16000; k += dk) {
    emg_bessel_orders at_inner, at_outer;
    double spectrum = 0;
    emg_bessel_orders_fill(k * inner, ORDERS, rows[0], &at_inner);
    emg_bessel_orders_fill(k * outer, ORDERS, rows[1], &at_outer);
    emg_bessel_ratio_i(&at_inner, &at_outer, k * (outer - inner), ORDERS, ratio);
    for (int n = 0; n < ORDERS; n++) {
      // I(a) K(b) = I(a) / I(b) / (dI + dK)(b) by the Wronskian
      spectrum += (n ? 2 : 1) * cos(n * dtheta) * ratio[n] / (at_outer.rise[n] + at_outer.fall[n]);
    }
    for (int i = 0; i < 4; i++) {
      sum[i] += dk / (2 * M_PI * M_PI) * spectrum * cos(k * z[i]);
    }
  }
  double d = sqrt(inner * inner + outer * outer - 2 * inner * outer * cos(dtheta));
  emg_free_space space = {.factor_ohm_m = 1 / (4 * M_PI), .width_m = d, .period_m = period};
  for (int i = 0; i < 4; i++) {
    // e^{-k (outer - inner)} leaves 1e-13 of the tail, the orders (4/6)^90 = 1e-16
    assert_near(emg_free_space_lead(&space, z[i]), sum[i], 1e-11 * sum[0]);
  }
}

// Potential differences: the level of a cylinder's potential is set by its far field instead. The
// field point is in a second, equal layer, so that nothing is taken from the closed form.
static void a_large_homogeneous_cylinder_tends_to_free_space_as_the_cube_of_its_radius(
    void **state) {
  (void)state;
  const double sigma = 0.4, source = 0.005, field = 0.008, z[] = {0, 0.006};
  double error[3];

  for (int i = 0; i < 3; i++) {
    emg_conductor c = {.n_layers = 2,
                       .radius_m = {0.006, 0.06 * (1 << i)},
                       .transverse_s_per_m = {sigma, sigma},
                       .axial_s_per_m = {sigma, sigma}};
    double lead[2], expected[2];
    assert_int_equal(emg_lead_field(&c, NULL, source, field, 0, 2, z, 1e-9, lead, NULL), EMG_OK);
    for (int j = 0; j < 2; j++) {
      expected[j] = 1 / (4 * M_PI * sigma * hypot(z[j], field - source));
    }
    error[i] = fabs((lead[0] - lead[1]) / (expected[0] - expected[1]) - 1);
  }
  assert_true(error[2] < 1e-4);
  assert_near(error[0] / error[1], 8, 0.8);
  assert_near(error[1] / error[2], 8, 0.4);
}

// Layers over a half-space, in wavenumbers (kx, kz): admittances with tanh in place of Bessel
// ratios.
static double planar_transfer(const emg_conductor *c, double depth_m, double kx, double kz) {
  double eta = 0, transmission = 1;

  for (int j = c->n_layers - 1; j >= 0; j--) {
    double thickness = j > 0 ? c->radius_m[j] - c->radius_m[j - 1] : depth_m;
    double st = c->transverse_s_per_m[j];
    double gamma = sqrt(kx * kx + kz * kz * c->axial_s_per_m[j] / st), s = st * gamma;
    double t = tanh(gamma * thickness);

    transmission /= cosh(gamma * thickness) * (1 + eta / s * t);
    eta = s * (s * t + eta) / (s + eta * t);
  }
  double st = c->transverse_s_per_m[0];
  return transmission / (st * sqrt(kx * kx + kz * kz * c->axial_s_per_m[0] / st) + eta);
}

static void a_large_layered_cylinder_tends_to_layered_planes_as_its_radius(void **state) {
  (void)state;
  const double depth = 0.006, k = 70, around = 100;
  double error[4];

  for (int i = 0; i < 4; i++) {
    double shift = 0.2 * (1 << i) - arm.radius_m[2];
    emg_conductor c = arm;
    for (int j = 0; j < 3; j++) {
      c.radius_m[j] += shift;
    }
    double skin = c.radius_m[2];
    int n = (int)lround(around * skin);
    // SUM over n is an integral over kx = n / r
    double cylinder = skin * transfer(&c, n, k, c.radius_m[0] - depth, skin);
    error[i] = fabs(cylinder / planar_transfer(&arm, depth, around, k) - 1);
  }
  assert_true(error[3] < 0.02);
  for (int i = 1; i < 3; i++) {
    assert_near(error[i] / error[i + 1], 2, 0.1);
  }
}

static void equal_layers_are_one_layer(void **state) {
  (void)state;
  const emg_conductor one = homogeneous(0.03, 0.2, 0.7);
  emg_conductor five = one;
  five.n_layers = 5;
  five.muscle = 2;
  for (int j = 0; j < 5; j++) {
    five.radius_m[j] = 0.006 * (j + 1);
    five.transverse_s_per_m[j] = 0.2;
    five.axial_s_per_m[j] = 0.7;
  }
  for (int n = 0; n <= 64; n = 2 * n + 1) {
    for (double k = 0.02; k < 5000; k *= 5) {
      for (double field = 0.003; field <= 0.03; field += 0.009) {
        double expected = transfer(&one, n, k, 0.015, field);
        assert_near(transfer(&five, n, k, 0.015, field), expected, 1e-12 * expected);
      }
    }
  }
}

static void the_pole_at_zero_is_that_of_a_cable(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    double s = emg_conductor_axial_conductance(conductors[i]);
    double skin = emg_conductor_skin_radius_m(conductors[i]);
    for (double k = 1e-1; k > 1e-9; k /= 10) {
      double g = transfer(conductors[i], 0, k, source_radius_m[i], skin);
      // what is left is the field of a disc of current, of order (k r)^2 and, across dry skin, more
      assert_near(g * s * k * k / (2 * M_PI), 1, 20 * k * k * skin * skin + 1e-12);
    }
  }
}

static void order_one_and_up_have_a_limit_at_zero(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    double skin = emg_conductor_skin_radius_m(conductors[i]);
    for (int n = 1; n < 100; n *= 3) {
      double limit = transfer(conductors[i], n, 0, source_radius_m[i], skin);
      double near = transfer(conductors[i], n, 1e-4, source_radius_m[i], skin);
      assert_true(limit > 0);
      assert_near(near, limit, 1e-9 * limit);
    }
  }
}

// --- the equation itself
// ---------------------------------------------------------------------------

static void field_and_source_may_change_places(void **state) {
  (void)state;
  for (int n = 0; n < 40; n += 3) {
    for (double k = 3; k < 3000; k *= 3) {
      // from the muscle to the fat, and from the fat to the muscle
      emg_conductor from_fat = leg;
      from_fat.muscle = 3;
      double g = transfer(&leg, n, k, 0.031, 0.044);
      assert_near(transfer(&from_fat, n, k, 0.044, 0.031), g, 1e-13 * g);
      // in one muscle
      g = transfer(&leg, n, k, 0.031, 0.022);
      assert_near(transfer(&leg, n, k, 0.022, 0.031), g, 1e-13 * g);
      // over the boundary by the depth ratio, which is derived from the inside alone
      double ratio[40];
      assert_int_equal(emg_conductor_radial_ratio(&leg, k, 0.031, 40, ratio, NULL), EMG_OK);
      g = transfer(&leg, n, k, 0.031, 0.040);
      assert_near(ratio[n] * transfer(&leg, n, k, 0.040, 0.040), g, 1e-12 * g);
    }
  }
}

// st dG/drho from one side, by a one-sided difference of fourth order.
static double flux(const emg_conductor *c, int layer, int n, double k, double source, double at,
                   double step) {
  static const double weights[] = {-25.0 / 12, 4, -3, 4.0 / 3, -0.25};
  double sum = 0;
  for (int i = 0; i < 5; i++) {
    sum += weights[i] * transfer(c, n, k, source, at + i * step);
  }
  return c->transverse_s_per_m[layer] * sum / step;
}

static void potential_and_flux_are_continuous_and_none_leaves_the_skin(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    const emg_conductor *c = conductors[i];
    for (int n = 0; n < 20; n += 4) {
      for (double k = 5; k < 400; k *= 4) {
        for (int j = 0; j < c->n_layers; j++) {
          double r = c->radius_m[j], h = 2e-6, source = source_radius_m[i];
          double inside = flux(c, j, n, k, source, r, -h), g = transfer(c, n, k, source, r);
          double scale = fabs(inside) + c->transverse_s_per_m[j] * g / r;
          if (j + 1 < c->n_layers) {
            assert_near(transfer(c, n, k, source, r + 1e-11), g, 1e-5 * g);
            assert_near(flux(c, j + 1, n, k, source, r, h), inside, 1e-6 * scale);
          } else {
            // the difference itself is good to 1e-16 r / h
            assert_near(inside, 0, 1e-6 * c->transverse_s_per_m[j] * g / r);
          }
        }
      }
    }
  }
}

// k^2 INT sz G_0 rho drho = 1: all the current that enters goes away along the cylinder.
static void every_ampere_is_carried_along(void **state) {
  (void)state;
  enum { STEPS = 200 };
  for (int i = 0; i < 2; i++) {
    const emg_conductor *c = conductors[i];
    for (double k = 0.01; k < 1000; k *= 10) {
      double sum = 0, from = 0;
      for (int j = 0; j < c->n_layers; j++) {
        double ends[2] = {c->radius_m[j], c->radius_m[j]};
        ends[0] = j == c->muscle ? source_radius_m[i] : ends[1];
        // Simpson's rule up to the source, where G has an edge, and from there
        for (int part = 0; part < 2; part++) {
          double h = (ends[part] - from) / STEPS;
          for (int s = 0; h > 0 && s <= STEPS; s++) {
            double rho = fmin(from + s * h, ends[part]), weight = s % 2 ? 4 : 2;
            weight = s == 0 || s == STEPS ? 1 : weight;
            sum += h / 3 * weight * c->axial_s_per_m[j] * rho *
                   transfer(c, 0, k, source_radius_m[i], rho);
          }
          from = ends[part];
        }
      }
      // Simpson at lam h of 0.3 at most
      assert_near(k * k * sum, 1, 2e-5);
    }
  }
}

// The radial equation on cells of `h`, interfaces on faces, the source in one cell.
static double finite_volume_transfer(const emg_conductor *c, int n, double k, double source,
                                     double h) {
  int cells = (int)lround(emg_conductor_skin_radius_m(c) / h);
  double *below = calloc((size_t)cells, sizeof *below), *centre = calloc((size_t)cells, 8);
  double *right = calloc((size_t)cells, sizeof *right);
  assert_true(below && centre && right);

  double st_before = 0;
  for (int i = 0, j = 0; i < cells; i++) {
    double rho = (i + 0.5) * h;
    while (rho > c->radius_m[j]) {
      j++;
    }
    double st = c->transverse_s_per_m[j];
    centre[i] += (st * n * n / rho + c->axial_s_per_m[j] * k * k * rho) * h;
    if (i > 0) {
      double conductance = i * h / (h / (2 * st) + h / (2 * st_before));
      below[i] = -conductance;
      centre[i] += conductance;
      centre[i - 1] += conductance;
    }
    right[i] = fabs(rho - source) < h / 4;
    st_before = st;
  }
  // Gauss; the outermost cell is the last one
  for (int i = 1; i < cells; i++) {
    double factor = below[i] / centre[i - 1];
    centre[i] -= factor * below[i];
    right[i] -= factor * right[i - 1];
  }
  double g = right[cells - 1] / centre[cells - 1];
  free(below);
  free(centre);
  free(right);
  return g;
}

static void finite_volumes_give_the_same(void **state) {
  (void)state;
  const double coarse = 1e-3 / 27, fine = 1e-3 / 81;
  const double source[] = {0.0085,
                           0.0315};  // in the middle of a cell of every odd fraction of 1 mm

  for (int i = 0; i < 2; i++) {
    double skin = emg_conductor_skin_radius_m(conductors[i]);
    for (int n = 0; n < 12; n += 3) {
      for (double k = 4; k < 400; k *= 4) {
        double a = finite_volume_transfer(conductors[i], n, k, source[i], coarse);
        double b = finite_volume_transfer(conductors[i], n, k, source[i], fine);
        double expected = transfer(conductors[i], n, k, source[i], skin);
        // second order: the coarse grid tells what the fine one still lacks, less fourth order
        assert_near(b + (b - a) / 8, expected, 1e-5 * expected);
      }
    }
  }
}

static void nothing_overflows_at_extreme_orders_and_wavenumbers(void **state) {
  (void)state;
  double g[201], smooth[201], ratio[201];

  for (int i = 0; i < 2; i++) {
    const emg_conductor *c = conductors[i];
    double inner = emg_conductor_muscle_inner_m(c), outer = emg_conductor_muscle_outer_m(c);
    const double sources[] = {inner, inner + 1e-9, (inner + outer) / 2, outer - 1e-9, outer};

    for (double k = 1e-8; k < 3e4; k *= k < 1e4 && k > 1e3 ? 2 : 10) {
      for (int s = 0; s < 5; s++) {
        assert_int_equal(emg_conductor_orders_smooth(c, k, sources[s], outer, 201, smooth, NULL),
                         EMG_OK);
        assert_int_equal(emg_conductor_radial_ratio(c, k, sources[s], 201, ratio, NULL), EMG_OK);
        for (int n = 0; n < 201; n++) {
          assert_true(isfinite(smooth[n]));
          assert_true(ratio[n] >= 0 && ratio[n] <= 1 + 1e-12);
        }
        for (int f = 1; f <= 8; f++) {
          double field = emg_conductor_skin_radius_m(c) * f / 8;
          assert_int_equal(emg_conductor_orders(c, k, sources[s], field, 201, g, NULL), EMG_OK);
          for (int n = 0; n < 201; n++) {
            assert_true(isfinite(g[n]) && g[n] >= 0);
          }
        }
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(orders_sum_to_free_space_with_alternating_images),
      cmocka_unit_test(a_large_homogeneous_cylinder_tends_to_free_space_as_the_cube_of_its_radius),
      cmocka_unit_test(a_large_layered_cylinder_tends_to_layered_planes_as_its_radius),
      cmocka_unit_test(equal_layers_are_one_layer),
      cmocka_unit_test(the_pole_at_zero_is_that_of_a_cable),
      cmocka_unit_test(order_one_and_up_have_a_limit_at_zero),
      cmocka_unit_test(field_and_source_may_change_places),
      cmocka_unit_test(potential_and_flux_are_continuous_and_none_leaves_the_skin),
      cmocka_unit_test(every_ampere_is_carried_along),
      cmocka_unit_test(finite_volumes_give_the_same),
      cmocka_unit_test(nothing_overflows_at_extreme_orders_and_wavenumbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
