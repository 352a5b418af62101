// free_space.c -- the singular part of an interior electrode's lead field, in an unbounded muscle
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_integration.h>

#include <emgtwin/array.h>

#define IMAGES 20  // 5.8^-20 = 5e-16
#define PANEL_POINTS 16
#define LAGUERRE_POINTS 24
#define REACH 50       // e^-50: where the action potential ends
#define PANEL_MAX 1.0  // longest panel in w

struct emg_free_rules {
  double x[PANEL_POINTS], w[PANEL_POINTS];             // Gauss-Legendre on [-1, 1]
  double u[LAGUERRE_POINTS], weight[LAGUERRE_POINTS];  // Gauss-Laguerre, e^-u on [0, inf)
};

emg_status emg_free_rules_create(emg_free_rules **out, emg_error *err) {
  gsl_integration_fixed_workspace *laguerre =
      gsl_integration_fixed_alloc(gsl_integration_fixed_laguerre, LAGUERRE_POINTS, 0, 1, 0, 0);
  gsl_integration_glfixed_table *legendre = gsl_integration_glfixed_table_alloc(PANEL_POINTS);
  emg_status status = emg_alloc(1, sizeof **out, out, err);

  if (status == EMG_OK && laguerre && legendre) {
    for (size_t i = 0; i < PANEL_POINTS; i++) {
      gsl_integration_glfixed_point(-1, 1, i, &(*out)->x[i], &(*out)->w[i], legendre);
    }
    for (int i = 0; i < LAGUERRE_POINTS; i++) {
      (*out)->u[i] = gsl_integration_fixed_nodes(laguerre)[i];
      (*out)->weight[i] = gsl_integration_fixed_weights(laguerre)[i];
    }
  } else if (status == EMG_OK) {
    emg_free_rules_free(*out);
    *out = NULL;
    status = emg_fail(err, EMG_ERR_MEMORY, "no memory for the quadrature rules");
  }
  gsl_integration_glfixed_table_free(legendre);
  gsl_integration_fixed_free(laguerre);
  return status;
}

void emg_free_rules_free(emg_free_rules *rules) {
  free(rules);
}

emg_free_space emg_free_space_at(const emg_pair *pair, double dtheta_rad, double period_m) {
  const emg_conductor *c = pair->conductor;
  double st = c->transverse_s_per_m[c->muscle], sz = c->axial_s_per_m[c->muscle];
  double across = pair->source_m - pair->field_m, half = sin(dtheta_rad / 2);
  double d = sqrt(across * across + 4 * pair->source_m * pair->field_m * half * half);

  return (emg_free_space){.factor_ohm_m = 1 / (4 * M_PI * st),
                          .width_m = sqrt(sz / st) * fmax(d, EMG_FIBRE_CLEARANCE_M),
                          .period_m = period_m};
}

// SUM_{m != 0} (-1)^m / sqrt((z + m P)^2 + width^2): an alternating series of moments, summed by
// the linear acceleration of Cohen, Rodriguez Villegas & Zagier (2000), algorithm 1.
static double images(const emg_free_space *f, double z) {
  double d = pow(3 + sqrt(8), IMAGES), width2 = f->width_m * f->width_m;
  double b = -1, c, sum = 0;

  d = (d + 1 / d) / 2;
  c = -d;
  for (int m = 0; m < IMAGES; m++) {
    double right = (m + 1) * f->period_m + z, left = (m + 1) * f->period_m - z;

    c = b - c;
    sum -= c * (1 / sqrt(right * right + width2) + 1 / sqrt(left * left + width2));
    b *= (m + IMAGES) * (m - IMAGES) / ((m + 0.5) * (m + 1));
  }
  return sum / d;
}

double emg_free_space_lead(const emg_free_space *f, double z) {
  return f->factor_ohm_m * (1 / hypot(z, f->width_m) + images(f, z));
}

// The polynomials that weigh e^-u L(D + l u) in q0..q3.
static void add_weighted(double u, double value, double q[4]) {
  q[0] += value * u * (6 - 6 * u + u * u);
  q[1] += value * (6 - 12 * u + 3 * u * u);
  q[2] += value * (3 * u - 6);
  q[3] += value;
}

// One panel of the integral over z' = D + l u = width sinh(w): dz' / sqrt(z'^2 + width^2) = dw, so
// what is left to integrate is entire however close the electrode.
static void add_panel(const emg_free_rules *rules, double width, double l, double z, double from,
                      double to, double q[4]) {
  double centre = (from + to) / 2, half = (to - from) / 2;

  for (int i = 0; i < PANEL_POINTS; i++) {
    double u = (width * sinh(centre + half * rules->x[i]) - z) / l;
    add_weighted(u, half / l * rules->w[i] * exp(-u), q);
  }
}

void emg_free_space_functions(const emg_free_rules *rules, const emg_free_space *f,
                              const emg_action_potential *source, double z, double q[4]) {
  static const double breaks[] = {0, 0.5, 1, 2, 4, 7, 11, 16, 22, 30, 40, REACH};
  double l = source->scale_m, a = source->amplitude_v / l * f->factor_ohm_m;

  q[0] = q[1] = q[2] = q[3] = 0;
  for (size_t i = 0; i + 1 < sizeof breaks / sizeof breaks[0]; i++) {
    double from = asinh((z + l * breaks[i]) / f->width_m);
    double to = asinh((z + l * breaks[i + 1]) / f->width_m);
    int n_panels = (int)ceil((to - from) / PANEL_MAX);

    for (int j = 0; j < n_panels; j++) {
      add_panel(rules, f->width_m, l, z, from + (to - from) * j / n_panels,
                from + (to - from) * (j + 1) / n_panels, q);
    }
  }
  // images are smooth over the whole action potential
  for (int i = 0; i < LAGUERRE_POINTS; i++) {
    add_weighted(rules->u[i], rules->weight[i] * images(f, z + l * rules->u[i]), q);
  }
  double here = 1 / hypot(z, f->width_m) + images(f, z);
  q[2] += 3 * here;
  q[3] -= here;
  for (int i = 0; i < 4; i++) {
    q[i] *= a;
  }
}
