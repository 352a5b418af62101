// layers.c -- radial responses of the layered cylinder, all angular orders of one wavenumber
//
// In a shell [a, b] of conductivities (st, sz) potential u and flux F = st rho u' obey
//   rho u' = F / st,   rho F' = (st n^2 + sz k^2 rho^2) u,
// so outwards both grow: every entry of the shell's 2 x 2 transfer matrix M is positive and
// det M = 1. With lam = |k| sqrt(sz / st), dI = x I'/I and dK = -x K'/K at x = lam a, lam b,
// p = I(lam a) / I(lam b), q = K(lam b) / K(lam a) and the common factor w = K(lam a) I(lam b) =
// 1 / (p (dI_a + dK_a)):
//   M11 = w (dK_a + pq dI_a)                 M12 = w (1 - pq) / st
//   M21 = w st (dK_a dI_b - pq dI_a dK_b)    M22 = w (dI_b + pq dK_b)
// Admittances Y = F/u of the inside and eta = -F/u of the outside are then ratios in which w drops
// out: sums of positive terms, no overflow and no cancellation at any n and k, the pole at n = 0,
// k -> 0 included. (Farina et al. 2004 solve the same equations as one linear system.)
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

// k is held above this argument of the outermost radius; the limit k -> 0 is reached long before.
#define ARGUMENT_MIN 1e-60

// One shell with everything its transfer matrix needs, for all orders.
typedef struct {
  double st;
  const double *rise_a, *fall_a, *rise_b, *fall_b;
  double *p, *q;
} shell;

#define SHELL_ROWS (2 * EMG_BESSEL_ROWS + 2)

// Scratch of one call: two shells and two rows.
typedef struct {
  int n_orders;
  double *shells[2], *row[2];
  double *memory;
} scratch;

static emg_status scratch_create(int n_orders, scratch *out, emg_error *err) {
  size_t n = (size_t)n_orders;

  if (n_orders < 1) {
    return emg_fail(err, EMG_ERR_ARG, "%d angular orders asked for: at least 1 is needed",
                    n_orders);
  }
  *out = (scratch){.n_orders = n_orders};
  EMG_TRY(emg_alloc_aligned(n * (2 * SHELL_ROWS + 2), sizeof(double), &out->memory, err));
  for (int i = 0; i < 2; i++) {
    out->shells[i] = out->memory + (size_t)i * SHELL_ROWS * n;
    out->row[i] = out->memory + (2 * SHELL_ROWS + (size_t)i) * n;
  }
  return EMG_OK;
}

static double decay_per_m(const emg_conductor *c, int layer, double k) {
  double lam = k * sqrt(c->axial_s_per_m[layer] / c->transverse_s_per_m[layer]);
  return fmax(lam, ARGUMENT_MIN / c->radius_m[c->n_layers - 1]);
}

static shell shell_fill(const emg_conductor *c, int layer, double k, double a, double b,
                        int n_orders, double *memory) {
  double lam = decay_per_m(c, layer, k), gap = lam * (b - a);
  emg_bessel_orders at_a, at_b;
  size_t n = (size_t)n_orders;
  shell s = {.st = c->transverse_s_per_m[layer],
             .p = memory + 2 * EMG_BESSEL_ROWS * n,
             .q = memory + (2 * EMG_BESSEL_ROWS + 1) * n};

  emg_bessel_orders_fill(lam * a, n_orders, memory, &at_a);
  emg_bessel_orders_fill(lam * b, n_orders, memory + EMG_BESSEL_ROWS * n, &at_b);
  emg_bessel_ratio_i(&at_a, &at_b, gap, n_orders, s.p);
  emg_bessel_ratio_k(&at_a, &at_b, gap, n_orders, s.q);
  s.rise_a = at_a.rise;
  s.fall_a = at_a.fall;
  s.rise_b = at_b.rise;
  s.fall_b = at_b.fall;
  return s;
}

// M22 + M12 eta and M21 + M11 eta over w, times st: how the outside looks through the shell.
static void look_outwards(const shell *s, int n, double eta, double *value, double *flux) {
  double pq = s->p[n] * s->q[n];

  *value = s->st * (s->rise_b[n] + pq * s->fall_b[n]) + (1 - pq) * eta;
  *flux = s->st * (s->st * (s->fall_a[n] * s->rise_b[n] - pq * s->rise_a[n] * s->fall_b[n]) +
                   (s->fall_a[n] + pq * s->rise_a[n]) * eta);
}

// M11 + M12 Y over w, times st: the inner solution at b for 1 at a.
static double inner_value(const shell *s, int n, double admittance) {
  double pq = s->p[n] * s->q[n];
  return s->st * (s->fall_a[n] + pq * s->rise_a[n]) + (1 - pq) * admittance;
}

static double inner_flux(const shell *s, int n, double admittance) {
  double pq = s->p[n] * s->q[n];
  return s->st * (s->st * (s->fall_a[n] * s->rise_b[n] - pq * s->rise_a[n] * s->fall_b[n]) +
                  (s->rise_b[n] + pq * s->fall_b[n]) * admittance);
}

// Admittance of everything inside `radius`, which lies outside the core.
static void inner_admittance(const emg_conductor *c, double k, double radius, scratch *work,
                             double *admittance) {
  int n_orders = work->n_orders;
  emg_bessel_orders core;

  emg_bessel_orders_fill(decay_per_m(c, 0, k) * c->radius_m[0], n_orders, work->shells[0], &core);
  for (int n = 0; n < n_orders; n++) {
    admittance[n] = c->transverse_s_per_m[0] * core.rise[n];
  }
  for (int j = 1; j < c->n_layers && c->radius_m[j - 1] < radius; j++) {
    double b = fmin(c->radius_m[j], radius);
    shell s = shell_fill(c, j, k, c->radius_m[j - 1], b, n_orders, work->shells[0]);

    for (int n = 0; n < n_orders; n++) {
      admittance[n] = inner_flux(&s, n, admittance[n]) / inner_value(&s, n, admittance[n]);
    }
  }
}

// One shell of the way inwards: eta at b becomes eta at a; if `transfer`, the outer solution's
// ratio v(b) / v(a) is multiplied in.
static void step_inwards(const shell *s, int n_orders, double *eta, double *transfer) {
  for (int n = 0; n < n_orders; n++) {
    double value, flux;

    look_outwards(s, n, eta[n], &value, &flux);
    if (transfer) {
      transfer[n] *= s->st * s->p[n] * (s->rise_a[n] + s->fall_a[n]) / value;
    }
    eta[n] = flux / value;
  }
}

// Admittance of everything outside a radius: `inner`, or in the core `outer` at least, where the
// core goes on in closed form. Returns that radius; `transfer` is the transmission from it to
// `outer`.
static double outer_admittance(const emg_conductor *c, double k, double inner, double outer,
                               scratch *work, double *eta, double *transfer) {
  int n_orders = work->n_orders;
  double at = c->radius_m[c->n_layers - 1];

  for (int n = 0; n < n_orders; n++) {
    eta[n] = 0;
    transfer[n] = 1;
  }
  for (int j = c->n_layers - 1; j >= 0; j--) {
    double floor_m = j > 0 ? fmax(inner, c->radius_m[j - 1]) : outer;

    // a layer that holds `outer` is crossed in two steps
    while (at > floor_m) {
      double next = at > outer ? fmax(outer, floor_m) : floor_m;
      shell s = shell_fill(c, j, k, next, at, n_orders, work->shells[0]);

      step_inwards(&s, n_orders, eta, at > outer ? NULL : transfer);
      at = next;
    }
  }
  return at;
}

// I_n(lam a) / I_n(lam b) in one layer; a = 0 leaves order 0 alone.
static void ratio_i(const emg_conductor *c, int layer, double k, double a, double b, scratch *work,
                    emg_bessel_orders *at_b, double *ratio) {
  double lam = decay_per_m(c, layer, k);
  int n_orders = work->n_orders;
  emg_bessel_orders at_a;

  emg_bessel_orders_fill(lam * b, n_orders, work->shells[0], at_b);
  if (a > 0) {
    emg_bessel_orders_fill(lam * a, n_orders, work->shells[1], &at_a);
    emg_bessel_ratio_i(&at_a, at_b, lam * (b - a), n_orders, ratio);
  } else {
    for (int n = 1; n < n_orders; n++) {
      ratio[n] = 0;
    }
    ratio[0] = exp(-lam * b) / at_b->i0_scaled;
  }
}

// Radii a rounding error outside a layer are meant to be on its surface.
static double snap(double radius, double surface) {
  return fabs(radius - surface) <= 1e-9 * surface ? surface : radius;
}

emg_status emg_conductor_place(const emg_conductor *c, double *source_m, double *field_m,
                               emg_error *err) {
  double inner = emg_conductor_muscle_inner_m(c), outer = emg_conductor_muscle_outer_m(c);
  double skin = emg_conductor_skin_radius_m(c);

  *source_m = snap(snap(*source_m, inner), outer);
  *field_m = snap(snap(snap(*field_m, inner), outer), skin);
  if (!(*source_m >= inner && *source_m <= outer)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "the fibre is at radius %g mm, outside the muscle (%g to %g mm)",
                    *source_m * 1e3, inner * 1e3, outer * 1e3);
  }
  if (!(*field_m >= 0 && *field_m <= skin)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "the field point is at radius %g mm, outside the cylinder (0 to %g mm)",
                    *field_m * 1e3, skin * 1e3);
  }
  return EMG_OK;
}

static emg_status check_call(const emg_conductor *c, double k, double *source, double *field,
                             emg_error *err) {
  if (!isfinite(k)) {
    return emg_fail(err, EMG_ERR_ARG, "the wavenumber is %g rad/m: give a finite one", k);
  }
  return emg_conductor_place(c, source, field, err);
}

emg_status emg_conductor_orders(const emg_conductor *c, double k_rad_per_m, double source_m,
                                double field_m, int n_orders, double *g_ohm_m, emg_error *err) {
  double k = fabs(k_rad_per_m);
  scratch work;

  EMG_TRY(check_call(c, k, &source_m, &field_m, err));
  double inner = fmin(source_m, field_m), outer = fmax(source_m, field_m);
  if (outer == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    "fibre and field point are both on the axis, where the potential is infinite: "
                    "move one of them");
  }
  EMG_TRY(scratch_create(n_orders, &work, err));
  double *eta = work.row[0], *admittance = work.row[1];
  double at = outer_admittance(c, k, inner, outer, &work, eta, g_ohm_m);

  if (inner < c->radius_m[0]) {
    // from the core: G(b, a) = I(a) / I(b) / (st dI_b + eta)
    emg_bessel_orders core;
    double *p = admittance;

    ratio_i(c, 0, k, inner, at, &work, &core, p);
    for (int n = 0; n < n_orders; n++) {
      g_ohm_m[n] *= p[n] / (c->transverse_s_per_m[0] * core.rise[n] + eta[n]);
    }
  } else {
    inner_admittance(c, k, inner, &work, admittance);
    for (int n = 0; n < n_orders; n++) {
      g_ohm_m[n] /= admittance[n] + eta[n];
    }
  }
  free(work.memory);
  return EMG_OK;
}

// P^s without bone: P(R) P(rho) (st dK_b - eta) / ((st dI_b + eta) (dI_b + dK_b) st).
static void smooth_in_core(const emg_conductor *c, double k, double source, double field,
                           const double *eta, scratch *work, double *ratio, double *g) {
  double st = c->transverse_s_per_m[0], b = c->radius_m[0];
  emg_bessel_orders at_b;

  ratio_i(c, 0, k, source, b, work, &at_b, ratio);
  for (int n = 0; n < work->n_orders; n++) {
    g[n] = ratio[n];
  }
  ratio_i(c, 0, k, field, b, work, &at_b, ratio);
  for (int n = 0; n < work->n_orders; n++) {
    g[n] *= ratio[n] * (st * at_b.fall[n] - eta[n]) /
            ((st * at_b.rise[n] + eta[n]) * (at_b.rise[n] + at_b.fall[n]) * st);
  }
}

// With bone the outside reflects by s = (st dK_b - eta) / (st dI_b + eta), the inside by
// t = (st dI_a - Y) / (st dK_a + Y); with P = I/I_b and Q = K/K_a at both radii
//   G^s st (1 - pq st) = s P P' / (dI_b + dK_b) + [t Q Q' + q s t (Q P' + P Q')] / (dI_a + dK_a)
// and 1 - pq st is written with the admittances, where it does not cancel.
static emg_status smooth_in_shell(const emg_conductor *c, double k, double source, double field,
                                  const double *eta, const double *admittance, scratch *work,
                                  double *g, emg_error *err) {
  int m = c->muscle, n_orders = work->n_orders;
  size_t size = (size_t)n_orders;
  double a = c->radius_m[m - 1], b = c->radius_m[m], lam = decay_per_m(c, m, k);
  double radius[2] = {source, field}, *memory, *big_p[2], *big_q[2];

  EMG_TRY(emg_alloc(4 * size, sizeof(double), &memory, err));
  shell s = shell_fill(c, m, k, a, b, n_orders, work->shells[0]);
  emg_bessel_orders at_a, at_b, at;

  // the Bessel rows of a and b are needed as such for the ratios
  double *spare = work->shells[1];
  for (int i = 0; i < 2; i++) {
    big_p[i] = memory + (size_t)(2 * i) * size;
    big_q[i] = memory + (size_t)(2 * i + 1) * size;
    emg_bessel_orders_fill(lam * radius[i], n_orders, spare, &at);
    emg_bessel_orders_fill(lam * b, n_orders, spare + EMG_BESSEL_ROWS * size, &at_b);
    emg_bessel_ratio_i(&at, &at_b, lam * (b - radius[i]), n_orders, big_p[i]);
    emg_bessel_orders_fill(lam * a, n_orders, spare + EMG_BESSEL_ROWS * size, &at_a);
    emg_bessel_ratio_k(&at_a, &at, lam * (radius[i] - a), n_orders, big_q[i]);
  }
  for (int n = 0; n < n_orders; n++) {
    double st = s.st, y = admittance[n], e = eta[n];
    double out = (st * s.fall_b[n] - e) / (st * s.rise_b[n] + e);
    double in = (st * s.rise_a[n] - y) / (st * s.fall_a[n] + y);
    double y_b = inner_flux(&s, n, y) / inner_value(&s, n, y);
    double determinant =
        (y_b + e) * inner_value(&s, n, y) / ((st * s.rise_b[n] + e) * (st * s.fall_a[n] + y));
    double sum_a = s.rise_a[n] + s.fall_a[n], sum_b = s.rise_b[n] + s.fall_b[n];
    double crossed = big_q[0][n] * big_p[1][n] + big_p[0][n] * big_q[1][n];

    g[n] = (out * big_p[0][n] * big_p[1][n] / sum_b +
            in * (big_q[0][n] * big_q[1][n] + s.q[n] * out * crossed) / sum_a) /
           (st * determinant);
  }
  free(memory);
  return EMG_OK;
}

emg_status emg_conductor_orders_smooth(const emg_conductor *c, double k_rad_per_m, double source_m,
                                       double field_m, int n_orders, double *g_ohm_m,
                                       emg_error *err) {
  double k = fabs(k_rad_per_m);
  double b = emg_conductor_muscle_outer_m(c);
  emg_status status = EMG_OK;
  scratch work;

  EMG_TRY(check_call(c, k, &source_m, &field_m, err));
  if (!(field_m >= emg_conductor_muscle_inner_m(c) && field_m <= b)) {
    return emg_fail(err, EMG_ERR_ARG, "the field point at radius %g mm is not in the muscle",
                    field_m * 1e3);
  }
  EMG_TRY(scratch_create(n_orders, &work, err));
  double *eta = work.row[0], *other = work.row[1];

  outer_admittance(c, k, b, b, &work, eta, g_ohm_m);
  if (c->muscle == 0) {
    smooth_in_core(c, k, source_m, field_m, eta, &work, other, g_ohm_m);
  } else {
    inner_admittance(c, k, c->radius_m[c->muscle - 1], &work, other);
    status = smooth_in_shell(c, k, source_m, field_m, eta, other, &work, g_ohm_m, err);
  }
  free(work.memory);
  return status;
}

emg_status emg_conductor_radial_ratio(const emg_conductor *c, double k_rad_per_m, double source_m,
                                      int n_orders, double *ratio, emg_error *err) {
  double k = fabs(k_rad_per_m), b = emg_conductor_muscle_outer_m(c);
  int m = c->muscle;
  emg_bessel_orders at_b;
  scratch work;

  double field_m = b;
  EMG_TRY(check_call(c, k, &source_m, &field_m, err));
  EMG_TRY(scratch_create(n_orders, &work, err));
  if (m == 0) {
    ratio_i(c, 0, k, source_m, b, &work, &at_b, ratio);
  } else {
    // u(R) / u(b) for u = 1, F = Y at a, with w(R) / w(b) = I(R) / I(b)
    double a = c->radius_m[m - 1], *admittance = work.row[0];

    inner_admittance(c, k, a, &work, admittance);
    ratio_i(c, m, k, source_m, b, &work, &at_b, ratio);
    shell to_source = shell_fill(c, m, k, a, source_m, n_orders, work.shells[0]);
    shell to_outer = shell_fill(c, m, k, a, b, n_orders, work.shells[1]);
    for (int n = 0; n < n_orders; n++) {
      ratio[n] *=
          inner_value(&to_source, n, admittance[n]) / inner_value(&to_outer, n, admittance[n]);
    }
  }
  free(work.memory);
  return EMG_OK;
}
