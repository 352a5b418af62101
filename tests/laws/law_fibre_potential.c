// law_fibre_potential.c -- what the potential of a fibre must obey, at any electrode
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_integration.h>

#include <emgtwin/emgtwin.h>

#include "sim/conductor_priv.h"

#define ELECTRODES 5
#define SAMPLES 60
#define RATE_HZ 4000

static const emg_conductor arm = {.n_layers = 3,
                                  .radius_m = {0.010, 0.014, 0.015},
                                  .transverse_s_per_m = {0.1, 0.05, 1.0},
                                  .axial_s_per_m = {0.5, 0.05, 1.0},
                                  .muscle = 0};
static const emg_conductor leg = {.n_layers = 5,
                                  .radius_m = {0.012, 0.040, 0.041, 0.047, 0.048},
                                  .transverse_s_per_m = {0.02, 0.09, 0.3, 0.04, 0.5},
                                  .axial_s_per_m = {0.03, 0.4, 0.3, 0.04, 0.5},
                                  .muscle = 1};
static const emg_action_potential rosenfalck = {96e-3, 1e-3, 1.01};
static const emg_detection disc = {.shape = EMG_SHAPE_DISC, .radius_m = 2e-3};

// Different lengths, an end-plate off the origin: nothing is symmetric by chance.
static const emg_fibre arm_fibre = {.radius_m = 0.0088,
                                    .theta_rad = 0.1,
                                    .end_plate_m = 0.003,
                                    .length_1_m = 0.024,
                                    .length_2_m = 0.034,
                                    .cv_m_per_s = 4,
                                    .diameter_m = 50e-6};
static const emg_fibre leg_fibre = {.radius_m = 0.035,
                                    .theta_rad = -0.2,
                                    .end_plate_m = -0.005,
                                    .length_1_m = 0.030,
                                    .length_2_m = 0.022,
                                    .cv_m_per_s = 4,
                                    .diameter_m = 60e-6};
static const double theta_rad[ELECTRODES] = {0, 0.1, -0.4, 1, 0.15};
static const double z_m[ELECTRODES] = {0.01, -0.02, 0.003, -0.011, 0.06};

// A case is a conductor, its fibre, and electrodes on the skin or among the fibres.
typedef struct {
  const emg_conductor *conductor;
  const emg_fibre *fibre;
  const emg_detection *detection;
  double field_m;
} setting;

static const setting settings[] = {{&arm, &arm_fibre, &disc, 0.015},
                                   {&arm, &arm_fibre, NULL, 0.0083},
                                   {&leg, &leg_fibre, &disc, 0.048},
                                   {&leg, &leg_fibre, NULL, 0.030}};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static void potential(const setting *s, const emg_action_potential *source, const emg_fibre *fibre,
                      const double *z, double tolerance, double *phi) {
  emg_error err = {0};
  emg_fibre_potential_exact(s->conductor, s->detection, source, fibre, s->field_m, ELECTRODES,
                            theta_rad, z, RATE_HZ, SAMPLES, tolerance, phi, &err);
  assert_string_equal(emg_error_message(&err), "");
}

// Largest difference of an electrode, relative to its peak in `expected`.
static double difference(const double *phi, const double *expected, int n_electrodes,
                         int n_samples) {
  double worst = 0;
  for (int e = 0; e < n_electrodes; e++) {
    double peak = 0, error = 0;
    for (int i = e * n_samples; i < (e + 1) * n_samples; i++) {
      peak = fmax(peak, fabs(expected[i]));
      error = fmax(error, fabs(phi[i] - expected[i]));
    }
    assert_true(peak > 0);
    worst = fmax(worst, error / peak);
  }
  return worst;
}

// --- in space: the definition --------------------------------------------------------------------

static double v_first(double x) {
  double u = x / 1e-3;
  return x > 0 ? 96e-3 / 1e-3 * exp(-u) * u * u * (3 - u) : 0;
}

static double v_second(double x) {
  double u = x / 1e-3;
  return x > 0 ? 96e-3 / 1e-6 * exp(-u) * u * (6 - 6 * u + u * u) : 0;
}

// SFAP(t) = c { INT V''(vt - |s|) L(D - s) ds - 2 V'(vt) L(D) + V'(vt - L1) L(D - L1)
//              + V'(vt - L2) L(D + L2) }: fronts stand on the edges of the 1 mm panels.
static void sums_in_k_equal_the_integral_along_the_fibre(void **state) {
  (void)state;
  enum { POINTS = 10, PANELS_MAX = 64 };
  static const double panel_m = 1e-3;
  gsl_integration_glfixed_table *rule = gsl_integration_glfixed_table_alloc(POINTS);

  for (int i = 0; i < SETTINGS; i++) {
    const setting *s = &settings[i];
    const emg_fibre *f = s->fibre;
    int n_panels = (int)lround((f->length_1_m + f->length_2_m) / panel_m), n = 0;
    double phi[ELECTRODES * SAMPLES], direct[ELECTRODES * SAMPLES];
    double at[PANELS_MAX * POINTS + 3], weight[PANELS_MAX * POINTS],
        offset[PANELS_MAX * POINTS + 3];
    double lead[PANELS_MAX * POINTS + 3];
    double c = M_PI * f->diameter_m * f->diameter_m / 4 * rosenfalck.intracellular_s_per_m;

    assert_true(n_panels <= PANELS_MAX);
    for (int p = 0; p < n_panels; p++) {
      double from = -f->length_2_m + p * panel_m;
      for (size_t j = 0; j < POINTS; j++, n++) {
        gsl_integration_glfixed_point(from, from + panel_m, j, &at[n], &weight[n], rule);
      }
    }
    at[n] = 0;
    at[n + 1] = f->length_1_m;
    at[n + 2] = -f->length_2_m;
    potential(s, &rosenfalck, f, z_m, 1e-9, phi);
    for (int e = 0; e < ELECTRODES; e++) {
      for (int j = 0; j < n + 3; j++) {
        offset[j] = z_m[e] - f->end_plate_m - at[j];
      }
      assert_int_equal(emg_lead_field(s->conductor, s->detection, f->radius_m, s->field_m,
                                      theta_rad[e] - f->theta_rad, n + 3, offset, 1e-9, lead, NULL),
                       EMG_OK);
      for (int t = 0; t < SAMPLES; t++) {
        double x = f->cv_m_per_s * t / RATE_HZ, sum = 0;
        for (int j = 0; j < n; j++) {
          sum += weight[j] * v_second(x - fabs(at[j])) * lead[j];
        }
        sum += -2 * v_first(x) * lead[n] + v_first(x - f->length_1_m) * lead[n + 1] +
               v_first(x - f->length_2_m) * lead[n + 2];
        direct[e * SAMPLES + t] = c * sum;
      }
    }
    double worst = difference(phi, direct, ELECTRODES, SAMPLES);
    print_message("setting %d: sum and integral differ by %.1e of a peak\n", i, worst);
    // both at 1e-9, the integral by 10 points per millimetre
    assert_true(worst < 1e-8);
  }
  gsl_integration_glfixed_table_free(rule);
}

// --- laws of the potential
// ------------------------------------------------------------------------

static void it_is_linear_in_the_action_potential(void **state) {
  (void)state;
  double phi[ELECTRODES * SAMPLES], scaled[ELECTRODES * SAMPLES];
  for (int i = 0; i < SETTINGS; i++) {
    emg_action_potential source = rosenfalck;
    emg_fibre fibre = *settings[i].fibre;
    potential(&settings[i], &source, &fibre, z_m, 1e-8, phi);
    source.amplitude_v *= -2.5;
    source.intracellular_s_per_m *= 0.5;
    fibre.diameter_m *= 2;
    potential(&settings[i], &source, &fibre, z_m, 1e-8, scaled);
    for (int j = 0; j < ELECTRODES * SAMPLES; j++) {
      phi[j] *= -5;
    }
    assert_true(difference(scaled, phi, ELECTRODES, SAMPLES) < 1e-10);
  }
}

static void fibre_and_electrodes_moved_together_see_the_same(void **state) {
  (void)state;
  double phi[ELECTRODES * SAMPLES], moved[ELECTRODES * SAMPLES], z[ELECTRODES];
  for (int i = 0; i < SETTINGS; i++) {
    emg_fibre fibre = *settings[i].fibre;
    potential(&settings[i], &rosenfalck, &fibre, z_m, 1e-8, phi);
    fibre.end_plate_m += 0.37;
    for (int e = 0; e < ELECTRODES; e++) {
      z[e] = z_m[e] + 0.37;
    }
    potential(&settings[i], &rosenfalck, &fibre, z, 1e-8, moved);
    assert_true(difference(moved, phi, ELECTRODES, SAMPLES) < 1e-10);
  }
}

static void a_delay_of_whole_samples_shifts_them(void **state) {
  (void)state;
  enum { LATE = 9 };
  double phi[ELECTRODES * SAMPLES], late[ELECTRODES * SAMPLES];
  for (int i = 0; i < SETTINGS; i++) {
    emg_fibre fibre = *settings[i].fibre;
    potential(&settings[i], &rosenfalck, &fibre, z_m, 1e-8, phi);
    fibre.delay_s = (double)LATE / RATE_HZ;
    potential(&settings[i], &rosenfalck, &fibre, z_m, 1e-8, late);
    for (int e = 0; e < ELECTRODES; e++) {
      double peak = 0;
      for (int t = 0; t < SAMPLES; t++) {
        peak = fmax(peak, fabs(phi[e * SAMPLES + t]));
      }
      for (int t = 0; t < SAMPLES; t++) {
        double expected = t < LATE ? 0 : phi[e * SAMPLES + t - LATE];
        assert_true(fabs(late[e * SAMPLES + t] - expected) < 1e-8 * peak);
      }
    }
  }
}

static void a_mirrored_fibre_gives_mirrored_potentials(void **state) {
  (void)state;
  double phi[ELECTRODES * SAMPLES], mirrored[ELECTRODES * SAMPLES], z[ELECTRODES];
  for (int i = 0; i < SETTINGS; i++) {
    emg_fibre fibre = *settings[i].fibre;
    potential(&settings[i], &rosenfalck, &fibre, z_m, 1e-8, phi);
    fibre.end_plate_m = -fibre.end_plate_m;
    fibre.length_1_m = settings[i].fibre->length_2_m;
    fibre.length_2_m = settings[i].fibre->length_1_m;
    for (int e = 0; e < ELECTRODES; e++) {
      z[e] = -z_m[e];
    }
    potential(&settings[i], &rosenfalck, &fibre, z, 1e-8, mirrored);
    assert_true(difference(mirrored, phi, ELECTRODES, SAMPLES) < 1e-10);
  }
}

// While one end has died away and the other not, the fibre is a dipole c [V(vt - L2) - V(vt - L1)]:
// far along an insulated cylinder its potential does not decay, it is a step of +-p / (2S).
static void a_dipole_left_at_the_end_is_seen_at_any_distance(void **state) {
  (void)state;
  const double far_z[2] = {0.5, -0.5}, angles[2] = {0.3, 2};
  double phi[2 * SAMPLES];
  emg_error err = {0};

  emg_fibre_potential_exact(&arm, &disc, &rosenfalck, &arm_fibre, 0.015, 2, angles, far_z, RATE_HZ,
                            SAMPLES, 1e-9, phi, &err);
  assert_string_equal(emg_error_message(&err), "");
  double c = M_PI * 25e-6 * 25e-6 * 1.01, s = emg_conductor_axial_conductance(&arm);
  double largest = 0;
  for (int t = 0; t < SAMPLES; t++) {
    double x = arm_fibre.cv_m_per_s * t / RATE_HZ, v[2];
    for (int end = 0; end < 2; end++) {
      double u = (x - (end ? arm_fibre.length_2_m : arm_fibre.length_1_m)) / 1e-3;
      v[end] = u > 0 ? 96e-3 * u * u * u * exp(-u) : 0;
    }
    double step = c * (v[1] - v[0]) / (2 * s);
    largest = fmax(largest, fabs(step));
    assert_true(fabs(phi[t] - step) < 1e-9 * 1e-6);
    assert_true(fabs(phi[SAMPLES + t] + step) < 1e-9 * 1e-6);
  }
  // 0.5 uV: the bound above is a billionth of it and a bit
  assert_true(largest > 1e-7);
}

// --- accuracy -----------------------------------------------------------------------------------

static void the_stated_tolerance_is_kept_at_every_electrode(void **state) {
  (void)state;
  double best[ELECTRODES * SAMPLES], phi[ELECTRODES * SAMPLES];
  for (int i = 0; i < SETTINGS; i++) {
    potential(&settings[i], &rosenfalck, settings[i].fibre, z_m, 1e-11, best);
    for (double tolerance = 1e-2; tolerance > 1e-9; tolerance *= 1e-2) {
      potential(&settings[i], &rosenfalck, settings[i].fibre, z_m, tolerance, phi);
      assert_true(difference(phi, best, ELECTRODES, SAMPLES) < tolerance);
    }
  }
}

// q0 at n_z offsets for a truncation, by plain sums.
static void sum_q0(const emg_pair *pair, const emg_truncation *t, int n_z, const double *z,
                   double *q0) {
  double dtheta = 0, *values;
  emg_spectrum spectrum;
  assert_int_equal(emg_spectrum_create(pair, t, 1, &dtheta, t->n_wavenumbers, &spectrum, NULL),
                   EMG_OK);
  assert_int_equal(emg_spectrum_fill(&spectrum, 0, t->n_wavenumbers, NULL), EMG_OK);
  values = spectrum.values;
  for (int i = 0; i < n_z; i++) {
    q0[i] = 0;
    for (int j = 0; j < t->n_wavenumbers; j++) {
      double k = (j + 0.5) * t->dk_rad_per_m;
      double complex m[4];
      emg_lead_function_transforms(&rosenfalck, k, m);
      q0[i] += values[j] * creal(m[0] * cexp(I * k * z[i]));
    }
  }
  emg_spectrum_free(&spectrum);
}

static void a_doubled_period_and_longer_sums_change_nothing_above_the_tolerance(void **state) {
  (void)state;
  enum { OFFSETS = 41 };
  double z[OFFSETS], q0[OFFSETS], better[OFFSETS];
  for (int i = 0; i < OFFSETS; i++) {
    z[i] = -0.1 + 0.005 * i;
  }
  for (int i = 0; i < SETTINGS; i++) {
    const setting *s = &settings[i];
    // on the skin, where the sums are the whole potential
    if (s->field_m < emg_conductor_skin_radius_m(s->conductor)) {
      continue;
    }
    for (double tolerance = 1e-3; tolerance > 1e-10; tolerance *= 1e-2) {
      emg_truncation t;
      emg_pair pair;
      assert_int_equal(emg_conductor_truncation(s->conductor, s->detection, s->fibre->radius_m,
                                                s->field_m, 0.1, tolerance, &t, NULL),
                       EMG_OK);
      assert_int_equal(
          emg_pair_create(s->conductor, s->detection, s->fibre->radius_m, s->field_m, &pair, NULL),
          EMG_OK);
      sum_q0(&pair, &t, OFFSETS, z, q0);
      t.period_m *= 2;
      t.dk_rad_per_m /= 2;
      t.n_wavenumbers *= 3;
      t.n_orders += t.n_orders / 2;
      sum_q0(&pair, &t, OFFSETS, z, better);
      assert_true(difference(q0, better, 1, OFFSETS) < tolerance);
    }
  }
}

// --- areas
// ------------------------------------------------------------------------------------------

// Mean of the potential of points over the area, against the electrode's own lead field.
static void check_area(const emg_detection *detection, int n, const double *around_m,
                       const double *along_m, const double *weight) {
  const double skin = 0.015, z = 0.004;
  double lead, sum = 0;
  assert_int_equal(emg_lead_field(&arm, detection, 0.0095, skin, 0.2, 1, &z, 1e-9, &lead, NULL),
                   EMG_OK);
  for (int i = 0; i < n; i++) {
    double at = z + along_m[i], value;
    assert_int_equal(emg_lead_field(&arm, NULL, 0.0095, skin, 0.2 + around_m[i] / skin, 1, &at,
                                    1e-9, &value, NULL),
                     EMG_OK);
    sum += weight[i] * value;
  }
  assert_true(fabs(sum - lead) < 1e-8 * fabs(lead));
}

static void electrodes_average_the_potential_under_them(void **state) {
  (void)state;
  enum { SIDE = 6, RINGS = 5, SPOKES = 12 };
  double around[RINGS * SPOKES], along[RINGS * SPOKES], weight[RINGS * SPOKES];
  gsl_integration_glfixed_table *sides = gsl_integration_glfixed_table_alloc(SIDE);
  gsl_integration_glfixed_table *rings = gsl_integration_glfixed_table_alloc(RINGS);
  const emg_detection rectangle = {.shape = EMG_SHAPE_RECTANGLE, .width_m = 2e-3, .length_m = 5e-3};
  int n = 0;

  for (size_t i = 0; i < SIDE; i++) {
    for (size_t j = 0; j < SIDE; j++, n++) {
      double w[2];
      gsl_integration_glfixed_point(-1e-3, 1e-3, i, &around[n], &w[0], sides);
      gsl_integration_glfixed_point(-2.5e-3, 2.5e-3, j, &along[n], &w[1], sides);
      weight[n] = w[0] * w[1] / (2e-3 * 5e-3);
    }
  }
  check_area(&rectangle, n, around, along, weight);

  // rings of a disc (from 0) and of an annulus: uniform in the square of the radius
  for (int hole = 0; hole < 2; hole++) {
    double inner = hole ? 1e-3 : 0, outer = 2e-3;
    emg_detection round = {.shape = hole ? EMG_SHAPE_ANNULUS : EMG_SHAPE_DISC,
                           .radius_m = outer,
                           .inner_radius_m = inner};
    n = 0;
    for (size_t i = 0; i < RINGS; i++) {
      double square, w;
      gsl_integration_glfixed_point(inner * inner, outer * outer, i, &square, &w, rings);
      for (int j = 0; j < SPOKES; j++, n++) {
        around[n] = sqrt(square) * cos(2 * M_PI * j / SPOKES);
        along[n] = sqrt(square) * sin(2 * M_PI * j / SPOKES);
        weight[n] = w / (outer * outer - inner * inner) / SPOKES;
      }
    }
    check_area(&round, n, around, along, weight);
  }
  gsl_integration_glfixed_table_free(sides);
  gsl_integration_glfixed_table_free(rings);
}

// A needle's tip may lie on the fibre: the distance is held, nothing is infinite.
static void an_electrode_inside_the_fibre_reads_a_finite_potential(void **state) {
  (void)state;
  const double theta = arm_fibre.theta_rad, z = 0.012;
  double on_axis[SAMPLES], at_the_clearance[SAMPLES];
  emg_error err = {0};
  emg_fibre_potential_exact(&arm, NULL, &rosenfalck, &arm_fibre, arm_fibre.radius_m, 1, &theta, &z,
                            RATE_HZ, SAMPLES, 1e-6, on_axis, &err);
  assert_string_equal(emg_error_message(&err), "");
  emg_fibre_potential_exact(&arm, NULL, &rosenfalck, &arm_fibre, arm_fibre.radius_m - 27e-6, 1,
                            &theta, &z, RATE_HZ, SAMPLES, 1e-6, at_the_clearance, &err);
  assert_string_equal(emg_error_message(&err), "");
  // the layers' part differs over 27 um, the free-space part does not
  assert_true(difference(on_axis, at_the_clearance, 1, SAMPLES) < 1e-2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_in_k_equal_the_integral_along_the_fibre),
      cmocka_unit_test(it_is_linear_in_the_action_potential),
      cmocka_unit_test(fibre_and_electrodes_moved_together_see_the_same),
      cmocka_unit_test(a_delay_of_whole_samples_shifts_them),
      cmocka_unit_test(a_mirrored_fibre_gives_mirrored_potentials),
      cmocka_unit_test(a_dipole_left_at_the_end_is_seen_at_any_distance),
      cmocka_unit_test(the_stated_tolerance_is_kept_at_every_electrode),
      cmocka_unit_test(a_doubled_period_and_longer_sums_change_nothing_above_the_tolerance),
      cmocka_unit_test(electrodes_average_the_potential_under_them),
      cmocka_unit_test(an_electrode_inside_the_fibre_reads_a_finite_potential),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
