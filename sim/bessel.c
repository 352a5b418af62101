// bessel.c -- modified Bessel functions of all orders at once, as ratios that never overflow
#include "sim/conductor_priv.h"

#include <math.h>

#include <gsl/gsl_sf_bessel.h>

// Where to start the backward recurrence for orders below n. The error of a start at m falls by
// PROD_{j=n}^{m} (I_j / I_{j-1})^2, and I_j / I_{j-1} < exp(-asinh((j - 1/2) / x)) (Amos 1974): few
// steps for n > x, about sqrt(45 x) beyond n for n < x. e^-39 is below double precision.
static int first_order(double x, int n) {
  double few = 39 / (2 * asinh(n / x)), many = sqrt((double)n * n + 45 * x) - n + 45;
  return n + (int)fmin(few, many) + 2;
}

// I_n / I_{n-1} by backward recurrence of the continued fraction (Gautschi 1967), from the bound.
static void fill_i_steps(double x, int n_orders, double *i_step, double *beyond) {
  int m = first_order(x, n_orders);
  double step = x / (m + 0.5 + sqrt((m + 0.5) * (m + 0.5) + x * x));

  for (int n = m; n > n_orders; n--) {
    step = x / (2 * n + x * step);
  }
  *beyond = x / (2 * n_orders + x * step);
  step = *beyond;
  for (int n = n_orders - 1; n >= 1; n--) {
    step = x / (2 * n + x * step);
    i_step[n] = step;
  }
}

void emg_bessel_orders_fill(double x, int n_orders, double *memory, emg_bessel_orders *out) {
  *out = (emg_bessel_orders){.x = x,
                             .i0_scaled = gsl_sf_bessel_I0_scaled(x),
                             .k0_scaled = gsl_sf_bessel_K0_scaled(x),
                             .rise = memory,
                             .fall = memory + n_orders,
                             .i_step = memory + 2 * (ptrdiff_t)n_orders,
                             .k_step = memory + 3 * (ptrdiff_t)n_orders};
  double beyond, k_step = gsl_sf_bessel_K1_scaled(x) / out->k0_scaled;

  fill_i_steps(x, n_orders, out->i_step, &beyond);
  out->i_step[0] = out->k_step[0] = 1;
  out->fall[0] = x * k_step;

  // K upwards, its stable direction: K_{n+1} = 2n/x K_n + K_{n-1}
  double two_by_x = 2 / x;
  for (int n = 1; n < n_orders; n++) {
    double inverse = 1 / k_step;

    out->k_step[n] = k_step;
    out->fall[n] = x * inverse + n;
    k_step = n * two_by_x + inverse;
  }
  // x I_n' = x I_{n+1} + n I_n
  for (int n = 0; n < n_orders; n++) {
    out->rise[n] = x * (n + 1 < n_orders ? out->i_step[n + 1] : beyond) + n;
  }
}

void emg_bessel_ratio_i(const emg_bessel_orders *a, const emg_bessel_orders *b, double gap,
                        int n_orders, double *ratio) {
  double p = a->i0_scaled / b->i0_scaled * exp(-gap);

  ratio[0] = p;
  for (int n = 1; n < n_orders; n++) {
    p *= a->i_step[n] / b->i_step[n];
    ratio[n] = p;
  }
}

void emg_bessel_ratio_k(const emg_bessel_orders *a, const emg_bessel_orders *b, double gap,
                        int n_orders, double *ratio) {
  double q = b->k0_scaled / a->k0_scaled * exp(-gap);

  ratio[0] = q;
  for (int n = 1; n < n_orders; n++) {
    q *= b->k_step[n] / a->k_step[n];
    ratio[n] = q;
  }
}
