// mean_unit_ends.c -- how the fibres of a unit end around a tendon
//
// Ends T are spread normally about the tendon, cut at three standard deviations and widened so that
// the variance stays. A wave whose front has passed the tendon by y is under way in the fibres that
// end further out, and in the others leaves e^-u u^i q_i(z - T), u = (y - T) / l. As q_i changes
// slowly with T it is interpolated between a few places,
//   E[e^-u u^i q_i(z - T)] = SUM_v q_i(z - T_v) F_vi(y),   F_vi(y) = E[l_v(T) e^-u u^i; u > 0],
// l_v the Lagrange polynomials of T_v. F_vi depends on nothing else: cubic B-splines in y, made
// once.
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/kernel.h"

// In standard deviations.
#define CUT 3.0
// A transient fades out over this many length scales.
#define FADE 4.0
// Steps of the splines over the smaller of spread and scale.
#define STEP 0.125
// Spreads below this part of the scale are none.
#define NO_SPREAD 0.02
enum {
  INTERVALS = 128,              // of Simpson's rule
  WIDTH = EMG_TENDON_NODES * 4  // functions
};

static const double place[EMG_TENDON_NODES] = {-1.7320508075688772, 0, 1.7320508075688772};

// e^-u u^i for i < 4 and its derivative by u, faded out from u = tail on.
void emg_transient_at(double u, double tail, double value[4], double slope[4]) {
  double s = fmax(0, fmin(1, (u - tail) / FADE));
  double window = 1 - s * s * (3 - 2 * s), by_window = -6 * s * (1 - s) / FADE;
  double e = exp(-u), power = 1, before = 0;

  for (int i = 0; i < 4; i++) {
    value[i] = window * e * power;
    slope[i] = window * e * (i * before - power) + by_window * e * power;
    before = power;
    power *= u;
  }
}

double emg_transient_end(double tail) {
  return tail + FADE;
}

// Standard deviation, and its integral over [-CUT, CUT], of a normal distribution cut there.
static double cut_mass(void) {
  return erf(CUT / sqrt(2));
}

static double cut_deviation(void) {
  return sqrt(1 - 2 * CUT * exp(-CUT * CUT / 2) / sqrt(2 * M_PI) / cut_mass());
}

static double lagrange(int node, double x) {
  double product = 1;

  for (int i = 0; i < EMG_TENDON_NODES; i++) {
    product *= i == node ? 1 : (x - place[i]) / (place[node] - place[i]);
  }
  return product;
}

// F_vi(y) by Simpson's rule over the ends that the front has passed.
static void integrate(const emg_end_rule *ends, double y_mm, double out[EMG_TENDON_NODES][4]) {
  const double low_mm = -ends->reach_mm, high_mm = fmin(ends->reach_mm, y_mm);
  const double h_mm = (high_mm - low_mm) / INTERVALS, width_mm = ends->reach_mm / CUT;
  const double density = 1 / (sqrt(2 * M_PI) * width_mm * cut_mass());

  for (int k = 0; k <= INTERVALS && h_mm > 0; k++) {
    const double t_mm = low_mm + k * h_mm, x = t_mm / width_mm;
    const double simpson = k == 0 || k == INTERVALS ? 1 : k % 2 ? 4 : 2;
    const double weight = simpson * h_mm / 3 * density * exp(-x * x / 2);
    double value[4], slope[4];
    emg_transient_at((y_mm - t_mm) / ends->scale_mm, ends->tail, value, slope);
    for (int v = 0; v < EMG_TENDON_NODES; v++) {
      const double share = weight * lagrange(v, t_mm / ends->spread_mm);
      for (int i = 0; i < 4; i++) {
        out[v][i] += share * value[i];
      }
    }
  }
}

// Values to coefficients of cubic B-splines that vanish beyond both ends: (c[-1] + 4 c + c[1]) / 6.
static void fit_splines(int n, double *pivot, double (*c)[EMG_TENDON_NODES][4]) {
  double *flat = (double *)c;

  pivot[0] = 4;
  for (int j = 1; j < n; j++) {
    pivot[j] = 4 - 1 / pivot[j - 1];
    for (int k = 0; k < WIDTH; k++) {
      flat[j * WIDTH + k] -= flat[(j - 1) * WIDTH + k] / pivot[j - 1];
    }
  }
  for (int j = n - 1; j >= 0; j--) {
    for (int k = 0; k < WIDTH; k++) {
      double above = j + 1 < n ? flat[(j + 1) * WIDTH + k] : 0;
      flat[j * WIDTH + k] = (6 * flat[j * WIDTH + k] - above) / pivot[j];
    }
  }
}

emg_status emg_end_rule_create(double spread_mm, double scale_mm, double tail, emg_end_rule *out,
                               emg_error *err) {
  emg_status status = EMG_OK;
  double *pivot = NULL;

  *out = (emg_end_rule){.scale_mm = scale_mm, .tail = tail, .n_nodes = 1};
  if (spread_mm < NO_SPREAD * scale_mm) {
    return EMG_OK;
  }
  out->spread_mm = spread_mm;
  out->reach_mm = CUT * spread_mm / cut_deviation();
  out->n_nodes = EMG_TENDON_NODES;
  out->step_mm = STEP * fmin(spread_mm, scale_mm);
  for (int v = 0; v < EMG_TENDON_NODES; v++) {
    out->place_mm[v] = place[v] * spread_mm;
  }
  double span_mm = 2 * out->reach_mm + emg_transient_end(tail) * scale_mm;
  out->n = (int)ceil(span_mm / out->step_mm) + 4;
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)out->n, sizeof *out->coefficients, &out->coefficients, err));
  EMG_TRY_DONE(emg_alloc((size_t)out->n, sizeof(double), &pivot, err));
  for (int j = 0; j < out->n; j++) {
    integrate(out, (j - 1) * out->step_mm - out->reach_mm, out->coefficients[j]);
  }
  fit_splines(out->n, pivot, out->coefficients);
done:
  free(pivot);
  if (status != EMG_OK) {
    emg_end_rule_free(out);
  }
  return status;
}

void emg_end_rule_free(emg_end_rule *ends) {
  free(ends->coefficients);
  *ends = (emg_end_rule){0};
}

double emg_end_rule_part(const emg_end_rule *ends, double y_mm, double *slope) {
  *slope = 0;
  if (ends->n_nodes == 1 || fabs(y_mm) >= ends->reach_mm) {
    return y_mm <= 0;
  }
  const double width_mm = ends->reach_mm / CUT, x = y_mm / width_mm;
  *slope = -exp(-x * x / 2) / (sqrt(2 * M_PI) * width_mm * cut_mass());
  return 0.5 - 0.5 * erf(x / sqrt(2)) / cut_mass();
}

EMG_KERNEL
void emg_end_rule_transients(const emg_end_rule *ends, double y_mm,
                             double value[EMG_TENDON_NODES][4], double slope[EMG_TENDON_NODES][4]) {
  if (ends->n_nodes == 1) {
    emg_transient_at(y_mm / ends->scale_mm, ends->tail, value[0], slope[0]);
    for (int i = 0; i < 4; i++) {
      value[0][i] *= y_mm > 0;
      slope[0][i] *= (y_mm > 0) / ends->scale_mm;
    }
    return;
  }
  const double at = fmax((y_mm + ends->reach_mm) / ends->step_mm + 1, 1);
  const int cell = (int)fmin(at, ends->n - 3);
  const double(*c)[WIDTH] = (const double(*)[WIDTH])ends->coefficients[cell - 1];
  const double per_mm = 1 / ends->step_mm;
  double w[2][4], sum[2][WIDTH];
  emg_cubic_weights(fmin(at - cell, 1), w[0], w[1]);
  for (int k = 0; k < WIDTH; k++) {
    sum[0][k] = w[0][0] * c[0][k] + w[0][1] * c[1][k] + w[0][2] * c[2][k] + w[0][3] * c[3][k];
    sum[1][k] = w[1][0] * c[0][k] + w[1][1] * c[1][k] + w[1][2] * c[2][k] + w[1][3] * c[3][k];
    sum[1][k] *= per_mm;
  }
  memcpy(value, sum[0], sizeof sum[0]);
  memcpy(slope, sum[1], sizeof sum[1]);
}
