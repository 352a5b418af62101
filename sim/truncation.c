// truncation.c -- how many orders and wavenumbers a potential needs, and the period of its images
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#define ORDERS_START 32
#define ORDERS_MAX 16384
#define WAVENUMBERS_MAX 131072
#define BLOCK 32  // wavenumbers computed at once
#define CELLS_PER_LAYER 24
#define PARALLEL_MIN 16384  // orders times wavenumbers that repay waking other threads
#define SCALE_M 1e-3        // of the action potential, where the caller names none

// The tail beyond a block that ends the sum is about a sixth of the block at a tolerance of 1e-3
// and less at smaller ones, as terms fall like exp(-g k) with g k_max ~ ln(1 / tolerance).
#define LAST_BLOCK_SHARE 0.3
#define DROPPED_ORDERS_SHARE 0.1
#define ORDERS_PATIENCE 10  // the share of the last orders shrinks while the total still grows
// Images are weighed against peaks that may be as small as this part of the potential beside them.
#define IMAGE_MARGIN 1e3

emg_status emg_pair_create(const emg_conductor *c, const emg_detection *detection, double source_m,
                           double field_m, emg_pair *out, emg_error *err) {
  EMG_TRY(emg_conductor_check(c, err));
  double inner = emg_conductor_muscle_inner_m(c), outer = emg_conductor_muscle_outer_m(c);
  double skin = emg_conductor_skin_radius_m(c);

  *out = (emg_pair){.conductor = c, .source_m = source_m, .field_m = field_m};
  out->detection.shape = EMG_SHAPE_POINT;
  if (detection) {
    EMG_TRY(emg_detection_check(detection, err));
    out->detection = *detection;
  }
  EMG_TRY(emg_conductor_place(c, &out->source_m, &out->field_m, err));
  if (out->detection.shape != EMG_SHAPE_POINT && out->field_m < skin) {
    return emg_fail(err, EMG_ERR_ARG,
                    "an electrode at radius %g mm lies under the skin surface (%g mm): only points "
                    "can",
                    field_m * 1e3, skin * 1e3);
  }
  out->is_split = out->field_m >= inner && out->field_m < outer;
  return EMG_OK;
}

static emg_status terms_of_one(const emg_pair *pair, double k, int n_orders, double *terms,
                               emg_error *err) {
  const emg_conductor *c = pair->conductor;
  double skin = emg_conductor_skin_radius_m(c);

  if (pair->is_split) {
    EMG_TRY(emg_conductor_orders_smooth(c, k, pair->source_m, pair->field_m, n_orders, terms, err));
  } else {
    EMG_TRY(emg_conductor_orders(c, k, pair->source_m, pair->field_m, n_orders, terms, err));
  }
  for (int n = 0; n < n_orders; n++) {
    terms[n] *= (n > 0 ? 2 : 1) * emg_detection_transfer(&pair->detection, n, k, skin);
  }
  return EMG_OK;
}

emg_status emg_pair_terms(const emg_pair *pair, double k_first, double dk, int count, int n_orders,
                          double *terms, emg_error *err) {
  emg_status *status;

  EMG_TRY(emg_alloc((size_t)count, sizeof *status, &status, err));
#pragma omp parallel for schedule(static) if (count * n_orders >= PARALLEL_MIN)
  for (int i = 0; i < count; i++) {
    status[i] =
        terms_of_one(pair, k_first + i * dk, n_orders, terms + (ptrdiff_t)i * n_orders, NULL);
  }
  emg_status first = EMG_OK;
  for (int i = 0; i < count && first == EMG_OK; i++) {
    first = status[i];
  }
  free(status);
  return first == EMG_OK
             ? EMG_OK
             : emg_fail(err, first, "%d orders of the conductor could not be computed", n_orders);
}

// --- slowest decay -----------------------------------------------------------------------------

// Eigenvalues below `shift` of a symmetric tridiagonal matrix, by Sturm's sequence.
static int count_below(int n, const double *diagonal, const double *beside, double shift) {
  int count = 0;
  double pivot = 1;

  for (int i = 0; i < n; i++) {
    pivot = diagonal[i] - shift - (i > 0 ? beside[i] * beside[i] / pivot : 0);
    if (pivot == 0) {
      pivot = 1e-300;
    }
    count += pivot < 0;
  }
  return count;
}

// Modes u(rho) e^{in theta} e^{-kappa |z|} obey -(st rho u')' + st n^2 u / rho = kappa^2 sz rho u:
// finite volumes, made symmetric by the mass sz rho h.
static double slowest_mode(const emg_conductor *c, int order, int skip) {
  enum { CELLS_MAX = CELLS_PER_LAYER * EMG_LAYERS_MAX };
  double diagonal[CELLS_MAX], beside[CELLS_MAX], mass[CELLS_MAX], half[CELLS_MAX];
  int n = 0;

  for (int j = 0; j < c->n_layers; j++) {
    double from = j > 0 ? c->radius_m[j - 1] : 0;
    double h = (c->radius_m[j] - from) / CELLS_PER_LAYER, st = c->transverse_s_per_m[j];

    for (int i = 0; i < CELLS_PER_LAYER; i++, n++) {
      double centre = from + (i + 0.5) * h, face = from + i * h;

      mass[n] = c->axial_s_per_m[j] * centre * h;
      diagonal[n] = st * order * order * h / centre;
      half[n] = h / (2 * st);
      beside[n] = 0;
      if (n > 0) {
        double conductance = face / (half[n - 1] + half[n]);
        diagonal[n - 1] += conductance;
        diagonal[n] += conductance;
        beside[n] = -conductance;
      }
    }
  }
  double top = 0;
  for (int i = 0; i < n; i++) {
    beside[i] /= i > 0 ? sqrt(mass[i] * mass[i - 1]) : 1;
    diagonal[i] /= mass[i];
    top = fmax(top, diagonal[i]);
  }
  double low = 0, high = 2 * top;
  for (int i = 0; i < 60; i++) {
    double middle = (low + high) / 2;

    if (count_below(n, diagonal, beside, middle) > skip) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return sqrt(high);
}

double emg_conductor_slowest_decay(const emg_conductor *c) {
  // the first mode of order 0 is the cable: constant over the section, it does not decay
  return fmin(slowest_mode(c, 0, 1), slowest_mode(c, 1, 0));
}

// --- truncation ----------------------------------------------------------------------------------

// Sums of |terms| gathered while wavenumbers are added.
typedef struct {
  int n_orders, n_wavenumbers;
  double total;             // weighted like q0^, the travelling wave
  double *by_k, *by_order;  // weighted like q2^, the sharpest of the end effects
} tally;

// |q0^| / a = 6 x^2 / (1 + x^2)^2 and |q2^| / a = 3 x^2 / (1 + x^2), x = k l.
static void add_terms(tally *t, const double *terms, double x) {
  double x2 = x * x, head = 6 * x2 / ((1 + x2) * (1 + x2)), tail = 3 * x2 / (1 + x2), sum = 0;

  for (int n = 0; n < t->n_orders; n++) {
    double term = fabs(terms[n]);
    sum += term;
    t->by_order[n] += tail * term;
  }
  t->total += head * sum;
  t->by_k[t->n_wavenumbers++] = tail * sum;
}

static double sum_of(const double *x, int from, int to) {
  double sum = 0;

  for (int i = from; i < to; i++) {
    sum += x[i];
  }
  return sum;
}

// Whether the orders so far suffice: the last quarter of them is small.
static bool has_enough_orders(const tally *t, double tolerance) {
  double last_quarter = sum_of(t->by_order, t->n_orders - t->n_orders / 4, t->n_orders);
  return last_quarter <= LAST_BLOCK_SHARE * tolerance * t->total;
}

// Adds wavenumbers until the last fifth of them is small, or it shows that orders are missing.
static emg_status add_wavenumbers(const emg_pair *pair, double scale_m, double dk, double tolerance,
                                  double *terms, tally *t, emg_error *err) {
  for (;;) {
    int first = t->n_wavenumbers;

    if (first + BLOCK > WAVENUMBERS_MAX) {
      return emg_fail(err, EMG_ERR_ARG,
                      "a fibre at radius %g mm is too close to an electrode at %g mm: %d "
                      "wavenumbers do not reach the tolerance %g; move them apart or relax it",
                      pair->source_m * 1e3, pair->field_m * 1e3, WAVENUMBERS_MAX, tolerance);
    }
    EMG_TRY(emg_pair_terms(pair, (first + 0.5) * dk, dk, BLOCK, t->n_orders, terms, err));
    for (int i = 0; i < BLOCK; i++) {
      add_terms(t, terms + (ptrdiff_t)i * t->n_orders, (first + i + 0.5) * dk * scale_m);
    }
    int last = t->n_wavenumbers, from = last - last / 5;
    if (sum_of(t->by_k, from, last) <= LAST_BLOCK_SHARE * tolerance * t->total ||
        !has_enough_orders(t, ORDERS_PATIENCE * tolerance)) {
      return EMG_OK;
    }
  }
}

static int orders_needed(const tally *t, double allowed) {
  int n = t->n_orders;
  double dropped = 0;

  while (n > 1 && (dropped += t->by_order[n - 1]) <= allowed) {
    n--;
  }
  return n;
}

emg_status emg_pair_truncate(const emg_pair *pair, double scale_m, double reach_m, double tolerance,
                             emg_truncation *out, double *scale, emg_error *err) {
  emg_status status = EMG_OK;
  double *terms = NULL;
  tally t = {.n_orders = ORDERS_START};

  if (!(tolerance > 0) || !(reach_m >= 0) || !isfinite(reach_m)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "tolerance %g and reach %g mm: the first must be positive, the second not "
                    "negative",
                    tolerance, reach_m * 1e3);
  }
  // the nearest image, of the other sign, is P - reach away
  double e_folds = log(fmax(IMAGE_MARGIN / tolerance, IMAGE_MARGIN));
  double decay_m = 1 / emg_conductor_slowest_decay(pair->conductor) + scale_m;
  out->period_m = reach_m + e_folds * decay_m;
  out->dk_rad_per_m = 2 * M_PI / out->period_m;

  EMG_TRY(emg_alloc(WAVENUMBERS_MAX, sizeof(double), &t.by_k, err));
  for (bool enough = false; !enough;) {
    free(terms);
    free(t.by_order);
    terms = t.by_order = NULL;
    t.n_wavenumbers = 0;
    t.total = 0;
    if (t.n_orders > ORDERS_MAX) {
      status = emg_fail(err, EMG_ERR_ARG,
                        "a fibre at radius %g mm is too close to an electrode at %g mm: %d angular "
                        "orders do not reach the tolerance %g; move them apart or relax it",
                        pair->source_m * 1e3, pair->field_m * 1e3, ORDERS_MAX, tolerance);
      goto done;
    }
    EMG_TRY_DONE(emg_alloc((size_t)t.n_orders * BLOCK, sizeof(double), &terms, err));
    EMG_TRY_DONE(emg_alloc((size_t)t.n_orders, sizeof(double), &t.by_order, err));
    EMG_TRY_DONE(add_wavenumbers(pair, scale_m, out->dk_rad_per_m, tolerance, terms, &t, err));

    // only with enough orders are the sums over wavenumbers right
    enough = has_enough_orders(&t, tolerance);
    t.n_orders *= enough ? 1 : 2;
  }
  out->n_orders = orders_needed(&t, DROPPED_ORDERS_SHARE * tolerance * t.total);
  out->n_wavenumbers = t.n_wavenumbers;
  *scale = t.total * out->dk_rad_per_m / (2 * M_PI * M_PI);

done:
  free(terms);
  free(t.by_order);
  free(t.by_k);
  return status;
}

emg_status emg_conductor_truncation(const emg_conductor *conductor, const emg_detection *detection,
                                    double source_m, double field_m, double reach_m,
                                    double tolerance, emg_truncation *out, emg_error *err) {
  emg_pair pair;
  double scale;

  emg_init();
  EMG_TRY(emg_pair_create(conductor, detection, source_m, field_m, &pair, err));
  return emg_pair_truncate(&pair, SCALE_M, reach_m, tolerance, out, &scale, err);
}
