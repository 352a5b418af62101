// fibre_exact.c -- potential of one fibre by direct double-precision sums, for comparison
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/lin.h"

#define BLOCK 128
#define TOLERANCE_SHARE 1e-2   // truncation against the tolerance asked for
#define TOLERANCE_FLOOR 1e-15  // double precision carries no further
#define PASSES_MAX 3

// One call in SI: the electrodes seen from the end-plate, and where the front is at each sample.
typedef struct {
  const emg_action_potential *source;
  const emg_fibre *fibre;
  emg_pair pair;
  int n_electrodes, n_samples;
  double *dtheta_rad, *offset_m;  // n_electrodes; offset from the end-plate
  double *front_m;                // n_samples; distance run, negative before the start
  double gain_s_m;                // c = pi r^2 sigma_i
  double reach_m;                 // largest distance between an electrode and a source
} problem;

static emg_status check_fibre(const emg_action_potential *source, const emg_fibre *fibre,
                              int n_electrodes, double rate_hz, int n_samples, emg_error *err) {
  EMG_TRY(emg_action_potential_check(source, err));
  if (!(fibre->cv_m_per_s > 0) || !(fibre->diameter_m > 0) || !(fibre->length_1_m >= 0) ||
      !(fibre->length_2_m >= 0) || !isfinite(fibre->cv_m_per_s) || !isfinite(fibre->diameter_m) ||
      !isfinite(fibre->end_plate_m) || !isfinite(fibre->delay_s) || !isfinite(fibre->theta_rad)) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "a fibre of %g um and %g m/s reaching %g and %g mm from its end-plate: diameter "
        "and velocity must be positive, lengths not negative",
        fibre->diameter_m * 1e6, fibre->cv_m_per_s, fibre->length_1_m * 1e3,
        fibre->length_2_m * 1e3);
  }
  if (n_electrodes < 1 || n_samples < 1 || !(rate_hz > 0)) {
    return emg_fail(err, EMG_ERR_ARG, "%d electrodes, %d samples at %g Hz: all must be positive",
                    n_electrodes, n_samples, rate_hz);
  }
  return EMG_OK;
}

static void problem_free(problem *p) {
  free(p->dtheta_rad);
  free(p->offset_m);
  free(p->front_m);
}

static emg_status problem_fill(const double *theta_rad, const double *z_m, double rate_hz,
                               problem *p, emg_error *err) {
  const emg_fibre *fibre = p->fibre;
  size_t n_electrodes = (size_t)p->n_electrodes, n_samples = (size_t)p->n_samples;

  EMG_TRY(emg_alloc(n_electrodes, sizeof(double), &p->dtheta_rad, err));
  EMG_TRY(emg_alloc(n_electrodes, sizeof(double), &p->offset_m, err));
  EMG_TRY(emg_alloc(n_samples, sizeof(double), &p->front_m, err));
  for (int t = 0; t < p->n_samples; t++) {
    p->front_m[t] = fibre->cv_m_per_s * (t / rate_hz - fibre->delay_s);
  }
  // sources lie between the tendons, and no further out than the front has come
  double front = fmax(p->front_m[p->n_samples - 1], 0);
  double right = fmin(fibre->length_1_m, front), left = fmin(fibre->length_2_m, front);
  for (int e = 0; e < p->n_electrodes; e++) {
    p->dtheta_rad[e] = theta_rad[e] - fibre->theta_rad;
    p->offset_m[e] = z_m[e] - fibre->end_plate_m;
    if (!isfinite(p->dtheta_rad[e]) || !isfinite(p->offset_m[e])) {
      return emg_fail(err, EMG_ERR_ARG, "electrode %d is at %g rad, %g m: give finite numbers", e,
                      theta_rad[e], z_m[e]);
    }
    p->reach_m = fmax(p->reach_m, fmax(fabs(p->offset_m[e] - right), fabs(p->offset_m[e] + left)));
  }
  p->gain_s_m = M_PI * fibre->diameter_m * fibre->diameter_m / 4 * p->source->intracellular_s_per_m;
  return EMG_OK;
}

// --- smooth part, in k --------------------------------------------------------------------------

// Transform of one wave that has run x: m_0 e^{-ikx} - e^{-u} SUM m_i u^i, with W(x, D) =
// 1 / (2 pi^2) Re SUM_j dk L^ e^{ikD} wave(x).
static double complex wave_transform(const double complex m[4], double k, double x, double l) {
  double u = x / l;

  if (x <= 0) {
    return 0;
  }
  return m[0] * cexp(-I * k * x) - exp(-u) * (m[0] + u * (m[1] + u * (m[2] + u * m[3])));
}

// Current of the whole fibre at wavenumber k over time, real and imaginary part: two waves leave
// the end-plate, and each takes off at its tendon what would have gone on.
static void current_rows(const problem *p, double k, double *re, double *im) {
  double l = p->source->scale_m, length_1 = p->fibre->length_1_m, length_2 = p->fibre->length_2_m;
  double complex m[4], to_1 = cexp(-I * k * length_1), to_2 = cexp(I * k * length_2);

  emg_lead_function_transforms(p->source, k, m);
  for (int t = 0; t < p->n_samples; t++) {
    double x = p->front_m[t];
    double complex current = 2 * creal(wave_transform(m, k, x, l)) -
                             to_1 * wave_transform(m, k, x - length_1, l) -
                             to_2 * conj(wave_transform(m, k, x - length_2, l));
    re[t] = creal(current);
    im[t] = cimag(current);
  }
}

// phi += SUM_j [Re S_j Re i_j - Im S_j Im i_j], S_j = c L^_j e^{ik_j D} dk / (2 pi^2), as a product
// of (electrode x 2 wavenumbers) and (2 wavenumbers x sample) matrices per block.
static emg_status add_smooth(const problem *p, const emg_truncation *truncation, double *phi,
                             emg_error *err) {
  emg_status status = EMG_OK;
  emg_spectrum spectrum;
  double *sources = NULL, *currents = NULL;
  int n_samples = p->n_samples, n_k = truncation->n_wavenumbers;

  EMG_TRY(emg_spectrum_create(&p->pair, truncation, p->n_electrodes, p->dtheta_rad, BLOCK,
                              &spectrum, err));
  EMG_TRY_DONE(emg_alloc((size_t)p->n_electrodes * 2 * BLOCK, sizeof(double), &sources, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_samples * 2 * BLOCK, sizeof(double), &currents, err));
  for (int first = 0; first < n_k; first += BLOCK) {
    int count = n_k - first < BLOCK ? n_k - first : BLOCK;

    EMG_TRY_DONE(emg_spectrum_fill(&spectrum, first, count, err));
#pragma omp parallel for schedule(static)
    for (int j = 0; j < count; j++) {
      double k = (first + j + 0.5) * truncation->dk_rad_per_m;
      double *re = currents + (ptrdiff_t)(2 * j) * n_samples;

      current_rows(p, k, re, re + n_samples);
      for (int e = 0; e < p->n_electrodes; e++) {
        double lead = p->gain_s_m * spectrum.values[(ptrdiff_t)e * count + j];
        double *at = sources + (ptrdiff_t)e * 2 * count + 2 * j;

        at[0] = lead * cos(k * p->offset_m[e]);
        at[1] = -lead * sin(k * p->offset_m[e]);
      }
    }
    emg_dgemm(0, 0, p->n_electrodes, n_samples, 2 * count, 1, sources, 2 * count, currents,
              n_samples, 1, phi, n_samples);
  }
done:
  free(sources);
  free(currents);
  emg_spectrum_free(&spectrum);
  return status;
}

// --- free-space part of interior electrodes, in z -----------------------------------------------

// What wave `x` leaves of the four functions q at the place it left.
static double standing(const double q[4], double x, double l) {
  double u = x / l;
  return x > 0 ? exp(-u) * (q[0] + u * (q[1] + u * (q[2] + u * q[3]))) : 0;
}

// One direction: the wave sees the electrode at `offset` and ends after `length`. W(x - L, D - L)
// contains the same travelling q0(D - x), which therefore stops there.
static void add_wave(const problem *p, const emg_free_rules *rules, const emg_free_space *space,
                     double offset, double length, double *phi) {
  const emg_action_potential *source = p->source;
  double l = source->scale_m, at_start[4], at_end[4];

  emg_free_space_functions(rules, space, source, offset, at_start);
  emg_free_space_functions(rules, space, source, offset - length, at_end);
  for (int t = 0; t < p->n_samples; t++) {
    double x = p->front_m[t], travelling[4] = {0};

    if (x > 0 && x <= length) {
      emg_free_space_functions(rules, space, source, offset - x, travelling);
    }
    phi[t] +=
        p->gain_s_m * (travelling[0] - standing(at_start, x, l) + standing(at_end, x - length, l));
  }
}

static emg_status add_free_space(const problem *p, const emg_truncation *truncation, double *phi,
                                 emg_error *err) {
  emg_free_rules *rules;

  EMG_TRY(emg_free_rules_create(&rules, err));
#pragma omp parallel for schedule(static)
  for (int e = 0; e < p->n_electrodes; e++) {
    emg_free_space space = emg_free_space_at(&p->pair, p->dtheta_rad[e], truncation->period_m);
    double *row = phi + (ptrdiff_t)e * p->n_samples;

    add_wave(p, rules, &space, p->offset_m[e], p->fibre->length_1_m, row);
    add_wave(p, rules, &space, -p->offset_m[e], p->fibre->length_2_m, row);
  }
  emg_free_rules_free(rules);
  return EMG_OK;
}

// --- the two together --------------------------------------------------------------------------

// Smallest peak of an electrode that sees anything at all.
static double weakest_peak(const problem *p, const double *phi) {
  double weakest = INFINITY;

  for (int e = 0; e < p->n_electrodes; e++) {
    double peak = 0;
    for (int t = 0; t < p->n_samples; t++) {
      peak = fmax(peak, fabs(phi[(ptrdiff_t)e * p->n_samples + t]));
    }
    weakest = peak > 0 ? fmin(weakest, peak) : weakest;
  }
  return weakest;
}

// The truncation's error is a part of the potential beside the fibre. Electrodes far from it may be
// much weaker: their peaks, once known, tell how much further the sums must go.
static emg_status solve(const problem *p, double tolerance, double *phi, emg_error *err) {
  double wanted = fmax(tolerance * TOLERANCE_SHARE, TOLERANCE_FLOOR);

  for (int pass = 0; pass < PASSES_MAX; pass++) {
    emg_truncation truncation;
    double scale;

    EMG_TRY(emg_pair_truncate(&p->pair, p->source->scale_m, p->reach_m, wanted, &truncation, &scale,
                              err));
    memset(phi, 0, (size_t)p->n_electrodes * (size_t)p->n_samples * sizeof *phi);
    EMG_TRY(add_smooth(p, &truncation, phi, err));
    if (p->pair.is_split) {
      EMG_TRY(add_free_space(p, &truncation, phi, err));
    }
    double whole = p->gain_s_m * fabs(p->source->amplitude_v) / p->source->scale_m * scale;
    double needed = tolerance * TOLERANCE_SHARE * weakest_peak(p, phi) / whole;
    if (wanted <= needed || wanted <= TOLERANCE_FLOOR) {
      break;
    }
    wanted = fmax(needed / 2, TOLERANCE_FLOOR);
  }
  return EMG_OK;
}

emg_status emg_fibre_potential_exact(const emg_conductor *conductor, const emg_detection *detection,
                                     const emg_action_potential *source, const emg_fibre *fibre,
                                     double field_m, int n_electrodes, const double *theta_rad,
                                     const double *z_m, double rate_hz, int n_samples,
                                     double tolerance, double *potential_v, emg_error *err) {
  problem p = {
      .source = source, .fibre = fibre, .n_electrodes = n_electrodes, .n_samples = n_samples};

  emg_init();
  EMG_TRY(check_fibre(source, fibre, n_electrodes, rate_hz, n_samples, err));
  if (!(tolerance > 0)) {
    return emg_fail(err, EMG_ERR_ARG, "the tolerance is %g: it must be positive", tolerance);
  }
  EMG_TRY(emg_pair_create(conductor, detection, fibre->radius_m, field_m, &p.pair, err));
  emg_status status = problem_fill(theta_rad, z_m, rate_hz, &p, err);
  if (status == EMG_OK) {
    status = solve(&p, tolerance, potential_v, err);
  }
  problem_free(&p);
  return status;
}
