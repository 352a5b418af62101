// fit.c -- parameters of one unit from an estimate of its action potential
//
// Least squares in the metric of the noise, with the number of fibres eliminated (variable
// projection: Golub & Pereyra 1973, with the Jacobian of Kaufman 1975, whose gradient is exact),
// Gaussian priors and bounds, by Levenberg-Marquardt (Marquardt 1963).
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lin.h"

enum {
  N = EMG_UNIT_PARAMETERS,
  // rows of the Gram matrix: the estimate, the potential, its derivatives
  ESTIMATE = 0,
  POTENTIAL = 1,
  DERIVATIVE = 2,
  GRAM = DERIVATIVE + N
};

struct emg_fit_room {
  emg_mean_scratch *scratch;
  int n_residuals;    // components of all blocks
  float *potentials;  // [1 + N][electrode][sample]
  float *filtered;    // [1 + N][electrode][window]
  float *seen;        // [1 + N][window][channel]
  float *blocks, *components;
  double *weights;  // [rank]
  double *rows;     // [GRAM][n_residuals], weighted
  double gram[GRAM][GRAM];
};

emg_status emg_fit_room_create(const emg_fit_problem *problem, emg_fit_room **out, emg_error *err) {
  const emg_view *view = problem->view;
  const emg_metric *metric = problem->metric;
  const size_t n_items = 1 + N, n_electrodes = (size_t)view->n_electrodes;
  emg_fit_room *room = NULL;
  emg_status status;

  *out = NULL;
  if (metric && emg_metric_blocks(metric, view->n_window) < 1) {
    return emg_fail(err, EMG_ERR_ARG,
                    "action potentials of %d samples are shorter than filters of %d; lower "
                    "decompose.extension",
                    view->n_window, metric->n_taps);
  }
  EMG_TRY(emg_alloc(1, sizeof *room, &room, err));
  EMG_TRY_DONE(emg_mean_scratch_create(problem->model, &room->scratch, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_items * n_electrodes * (size_t)view->n_potential, sizeof(float),
                                 &room->potentials, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_items * n_electrodes * (size_t)view->n_window, sizeof(float),
                                 &room->filtered, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_items * (size_t)view->n_window * (size_t)view->n_channels,
                                 sizeof(float), &room->seen, err));
  if (metric) {
    const size_t n_blocks = (size_t)emg_metric_blocks(metric, view->n_window);
    room->n_residuals = (int)n_blocks * metric->rank;
    EMG_TRY_DONE(emg_alloc_aligned(n_items * n_blocks * (size_t)metric->n_dimensions, sizeof(float),
                                   &room->blocks, err));
    EMG_TRY_DONE(emg_alloc_aligned(n_items * (size_t)room->n_residuals, sizeof(float),
                                   &room->components, err));
    EMG_TRY_DONE(emg_alloc((size_t)metric->rank, sizeof *room->weights, &room->weights, err));
    EMG_TRY_DONE(emg_alloc_aligned((size_t)GRAM * (size_t)room->n_residuals, sizeof(double),
                                   &room->rows, err));
  }
done:
  if (status != EMG_OK) {
    emg_fit_room_free(room);
    return status;
  }
  *out = room;
  return EMG_OK;
}

void emg_fit_room_free(emg_fit_room *room) {
  if (!room) {
    return;
  }
  emg_mean_scratch_free(room->scratch);
  free(room->potentials);
  free(room->filtered);
  free(room->seen);
  free(room->blocks);
  free(room->components);
  free(room->weights);
  free(room->rows);
  free(room);
}

// --- residuals ---

// Weighted components of `n` action potentials as rows of the Gram matrix from `row` on.
static void weigh(const emg_fit_problem *problem, int n, const float *seen, int row,
                  emg_fit_room *room) {
  const int rank = problem->metric->rank, n_residuals = room->n_residuals;

  emg_metric_project(problem->metric, problem->view->n_window, n, seen, room->blocks,
                     room->components);
  for (int i = 0; i < n; i++) {
    const float *from = room->components + (ptrdiff_t)i * n_residuals;
    double *to = room->rows + (ptrdiff_t)(row + i) * n_residuals;
    for (int at = 0; at < n_residuals; at += rank) {
      for (int k = 0; k < rank; k++) {
        to[at + k] = room->weights[k] * from[at + k];
      }
    }
  }
}

// Products of the first `n` rows.
static void multiply(emg_fit_room *room, int n) {
  emg_dgemm(0, 1, n, n, room->n_residuals, 1, room->rows, room->n_residuals, room->rows,
            room->n_residuals, 0, room->gram[0], GRAM);
}

// Mean square of an action potential without the noise of its estimate; at least a tenth of that
// with it, as the two are known no better.
static double signal_power(const emg_metric *metric, double power, double n_spikes) {
  double noise = 0;
  for (int k = 0; k < metric->rank; k++) {
    noise += metric->values[k] / (n_spikes * metric->n_dimensions);
  }
  return fmax(power - noise, 0.1 * power);
}

// A component varies by its eigenvalue over the number of spikes; what the model cannot do is as
// if white.
static emg_status take_estimate(const emg_fit_problem *problem, const float *estimate,
                                double n_spikes, emg_fit_room *room, emg_error *err) {
  const emg_view *view = problem->view;
  const ptrdiff_t n = (ptrdiff_t)view->n_window * view->n_channels;
  double energy = 0;

  for (ptrdiff_t i = 0; i < n; i++) {
    energy += (double)estimate[i] * estimate[i];
  }
  if (!(energy > 0) || !isfinite(energy) || !(n_spikes > 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "an action potential of energy %g from %g spikes cannot be fitted", energy,
                    n_spikes);
  }
  double model = problem->template_error * problem->template_error *
                 signal_power(problem->metric, energy / (double)n, n_spikes);
  for (int k = 0; k < problem->metric->rank; k++) {
    room->weights[k] = 1 / sqrt(problem->metric->values[k] / n_spikes + model);
  }
  weigh(problem, 1, estimate, ESTIMATE, room);
  return EMG_OK;
}

static emg_status evaluate(const emg_fit_problem *problem, const emg_fit *at, bool with_derivatives,
                           emg_fit_room *room, emg_error *err) {
  const emg_view *view = problem->view;
  const int n = with_derivatives ? 1 + N : 1;
  float *derivatives = room->potentials + (ptrdiff_t)view->n_electrodes * view->n_potential;

  if (with_derivatives) {
    EMG_TRY(emg_mean_unit_derivatives(problem->model, &at->unit, room->scratch, room->potentials,
                                      derivatives, err));
  } else {
    EMG_TRY(
        emg_mean_unit_potential(problem->model, &at->unit, room->scratch, room->potentials, err));
  }
  emg_view_apply(view, n, room->potentials, at->shift, room->filtered, room->seen);
  weigh(problem, n, room->seen, POTENTIAL, room);
  multiply(room, POTENTIAL + n);
  return EMG_OK;
}

// Squared distance from what is expected.
static double surprise(const emg_expected *expected, const emg_mean_unit *unit) {
  double sum = 0;
  for (int p = 0; p < N; p++) {
    double z = (unit->value[p] - expected->mean[p]) / expected->sd[p];
    sum += z * z;
  }
  return sum;
}

// Amplitude and figures of the fit, from the Gram matrix. Fibres are not fewer than none.
static void judge(const emg_fit_problem *problem, const emg_fit_room *room, emg_fit *fit) {
  double yy = room->gram[ESTIMATE][ESTIMATE], yz = room->gram[ESTIMATE][POTENTIAL];
  double zz = room->gram[POTENTIAL][POTENTIAL];

  fit->amplitude = zz > 0 ? fmax(yz, 0) / zz : 0;
  double chi2 = yy - fit->amplitude * (2 * yz - fit->amplitude * zz);
  fit->cost = fmax(chi2, 0) + surprise(problem->expected, &fit->unit);
  fit->chi2 = fmax(chi2, 0) / fmax(room->n_residuals - EMG_FIT_PARAMETERS, 1);
  fit->cosine = yy > 0 && zz > 0 ? yz / sqrt(yy * zz) : 0;
}

// --- steps ---

// Curvature and downhill gradient of half the cost, the amplitude eliminated.
static void linearise(const emg_fit_problem *problem, const emg_fit_room *room, const emg_fit *fit,
                      double curvature[N][N], double gradient[N]) {
  const double(*g)[GRAM] = room->gram;
  const emg_expected *e = problem->expected;
  const double a = fit->amplitude, zz = g[POTENTIAL][POTENTIAL];

  for (int p = 0; p < N; p++) {
    const double along = g[DERIVATIVE + p][POTENTIAL] / zz, precision = 1 / (e->sd[p] * e->sd[p]);
    for (int q = 0; q < N; q++) {
      curvature[p][q] =
          a * a * (g[DERIVATIVE + p][DERIVATIVE + q] - along * g[DERIVATIVE + q][POTENTIAL]);
    }
    curvature[p][p] += precision;
    double residual = g[DERIVATIVE + p][ESTIMATE] - along * g[POTENTIAL][ESTIMATE];
    gradient[p] = a * residual - precision * (fit->unit.value[p] - e->mean[p]);
  }
}

// Solves for the step with the diagonal enlarged; a parameter at a bound that it is driven against
// stays. Returns by how much the cost would fall if it were what it seems, 0 if nothing can move.
static double step(const emg_expected *e, const emg_fit *fit, double curvature[N][N],
                   const double gradient[N], double damping, emg_mean_unit *to) {
  int free_at[N], n = 0;
  double matrix[N * N], move[N], fall = 0;

  *to = fit->unit;
  for (int p = 0; p < N; p++) {
    double value = fit->unit.value[p];
    bool is_held = (value <= e->min[p] && gradient[p] <= 0) ||
                   (value >= e->max[p] && gradient[p] >= 0) || !(curvature[p][p] > 0);
    if (!is_held) {
      free_at[n++] = p;
    }
  }
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) {
      matrix[i * n + j] = curvature[free_at[i]][free_at[j]];
    }
    matrix[i * n + i] *= 1 + damping;
    move[i] = gradient[free_at[i]];
  }
  if (n == 0 || emg_solve_spd(n, matrix, 1, move, NULL) != EMG_OK) {
    return 0;
  }
  for (int i = 0; i < n; i++) {
    int p = free_at[i];
    fall += move[i] * (damping * curvature[p][p] * move[i] + gradient[p]);
    to->value[p] = fmin(fmax(to->value[p] + move[i], e->min[p]), e->max[p]);
  }
  return fall;
}

// Whole samples of the latency belong to the shift.
static void take_shift(const emg_fit_problem *problem, emg_fit *fit) {
  const int most = problem->view->max_shift;
  const double sample_ms = 1e3 / problem->view->rate_hz;
  double *latency = &fit->unit.value[EMG_UNIT_LATENCY];
  int shift = fit->shift + (int)lround(*latency / sample_ms);

  shift = shift < -most ? -most : shift > most ? most : shift;
  *latency -= (shift - fit->shift) * sample_ms;
  fit->shift = shift;
}

static void keep_within(const emg_expected *e, emg_mean_unit *unit) {
  for (int p = 0; p < N; p++) {
    unit->value[p] = fmin(fmax(unit->value[p], e->min[p]), e->max[p]);
  }
}

// Damping after a step by the share of the promised fall that came true (Nielsen 1999).
static double relax(double damping, double share) {
  double x = 2 * share - 1;
  return fmax(damping * fmax(1.0 / 8, 1 - x * x * x), 1e-6);
}

// One step that lowers the cost, with the damping it takes. *gain is 0 if there is none. The Gram
// matrix is that of the fit afterwards: as most steps are taken at once, the first trial comes with
// derivatives.
static emg_status advance(const emg_fit_problem *problem, double *damping, emg_fit_room *room,
                          emg_fit *fit, double *gain, emg_error *err) {
  const int trials = 6;
  double curvature[N][N], gradient[N], rise = 2;
  bool is_current = false;

  *gain = 0;
  linearise(problem, room, fit, curvature, gradient);
  for (int trial = 0; trial < trials; trial++, *damping *= rise, rise *= 2) {
    emg_fit next = *fit;
    double fall = step(problem->expected, fit, curvature, gradient, *damping, &next.unit);
    if (fall > 0) {
      EMG_TRY(evaluate(problem, &next, trial == 0, room, err));
      judge(problem, room, &next);
      if (next.cost < fit->cost) {
        is_current = trial == 0;
        *gain = fit->cost - next.cost;
        *damping = relax(*damping, *gain / fall);
        *fit = next;
        fit->n_iterations++;
        break;
      }
    }
  }
  return is_current ? EMG_OK : evaluate(problem, fit, true, room, err);
}

// Until a step lowers the cost by no more than a fraction of a standard deviation's worth.
static emg_status descend(const emg_fit_problem *problem, int n_iterations, emg_fit_room *room,
                          emg_fit *fit, emg_error *err) {
  const double enough = 0.02;
  double damping = 1e-2, gain = INFINITY;

  EMG_TRY(evaluate(problem, fit, true, room, err));
  judge(problem, room, fit);
  for (int i = 0; i < n_iterations && fit->amplitude > 0 && gain > enough; i++) {
    EMG_TRY(advance(problem, &damping, room, fit, &gain, err));
  }
  return EMG_OK;
}

// Inverse curvature in all parameters and the amplitude.
static emg_status spread(const emg_fit_problem *problem, const emg_fit_room *room, emg_fit *fit,
                         emg_error *err) {
  enum { M = EMG_FIT_PARAMETERS };
  const double(*g)[GRAM] = room->gram;
  const double a = fit->amplitude;

  for (int p = 0; p < M; p++) {
    // the amplitude comes last here and first in the Gram matrix
    int row = p < N ? DERIVATIVE + p : POTENTIAL;
    for (int q = 0; q < M; q++) {
      int column = q < N ? DERIVATIVE + q : POTENTIAL;
      fit->covariance[p][q] = (p < N ? a : 1) * (q < N ? a : 1) * g[row][column];
    }
    if (p < N) {
      fit->covariance[p][p] += 1 / (problem->expected->sd[p] * problem->expected->sd[p]);
    }
  }
  for (int p = 0; p < M; p++) {
    // what neither data nor priors say is left open, not infinite
    fit->covariance[p][p] = fit->covariance[p][p] * (1 + 1e-9) + 1e-12;
  }
  return emg_invert_spd(M, fit->covariance[0], err);
}

emg_status emg_fit_refine(const emg_fit_problem *problem, const float *estimate, double n_spikes,
                          int n_iterations, emg_fit_room *room, emg_fit *fit, emg_error *err) {
  EMG_TRY(take_estimate(problem, estimate, n_spikes, room, err));
  fit->n_iterations = 0;
  take_shift(problem, fit);
  keep_within(problem->expected, &fit->unit);
  EMG_TRY(descend(problem, n_iterations, room, fit, err));
  return spread(problem, room, fit, err);
}

emg_status emg_fit_search(const emg_fit_problem *problem, const emg_bank *bank,
                          const float *estimate, double n_spikes, int n_starts, int n_iterations,
                          emg_fit_room *room, emg_fit *fit, emg_error *err) {
  emg_bank_match *matches = NULL;
  emg_fit best = {.cost = INFINITY};
  int n;
  emg_status status;

  EMG_TRY(take_estimate(problem, estimate, n_spikes, room, err));
  EMG_TRY(emg_alloc((size_t)n_starts, sizeof *matches, &matches, err));
  EMG_TRY_DONE(emg_bank_find(bank, estimate, problem->view->max_shift, n_starts, matches, &n, err));
  for (int i = 0; i < n; i++) {
    emg_fit start = {.unit = bank->units[matches[i].unit], .shift = matches[i].shift};
    EMG_TRY_DONE(descend(problem, (n_iterations + 2) / 3, room, &start, err));
    if (start.cost < best.cost) {
      best = start;
    }
  }
  if (n == 0) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "no unit of %d looks like the action potential at any time", bank->n);
    goto done;
  }
  *fit = best;
  status = emg_fit_refine(problem, estimate, n_spikes, n_iterations, room, fit, err);
done:
  free(matches);
  return status;
}

// --- results ---

emg_status emg_fit_potential(const emg_fit_problem *problem, const emg_fit *fit, emg_fit_room *room,
                             float *out, emg_error *err) {
  const emg_view *view = problem->view;
  const ptrdiff_t n = (ptrdiff_t)view->n_window * view->n_channels;

  EMG_TRY(
      emg_mean_unit_potential(problem->model, &fit->unit, room->scratch, room->potentials, err));
  emg_view_apply(view, 1, room->potentials, fit->shift, room->filtered, out);
  for (ptrdiff_t i = 0; i < n; i++) {
    out[i] = (float)(fit->amplitude * out[i]);
  }
  return EMG_OK;
}

double emg_fit_sd(const emg_expected *expected, const emg_fit *fit, emg_unit_parameter parameter) {
  double noise = expected->error_factor * sqrt(fit->covariance[parameter][parameter]);
  return hypot(noise, expected->floor[parameter]);
}

// --- many units ---

emg_status emg_fit_all(const emg_fit_problem *problem, int n, const emg_fit_item *units,
                       int n_iterations, emg_fit *fits, emg_error *err) {
  int failed = n;
  emg_status status = EMG_OK;

#pragma omp parallel
  {
    emg_error own = {0};
    emg_fit_room *room;
    emg_status ready = emg_fit_room_create(problem, &room, &own);

#pragma omp for schedule(dynamic)
    for (int i = 0; i < n; i++) {
      emg_status of_unit = ready;
      if (of_unit == EMG_OK) {
        of_unit = emg_fit_refine(problem, units[i].estimate, units[i].n_spikes, n_iterations, room,
                                 &fits[i], &own);
      }
#pragma omp critical(emg_fit_all)
      if (of_unit != EMG_OK && i < failed) {
        failed = i;
        status = of_unit;
        if (err) {
          *err = own;
        }
      }
    }
    emg_fit_room_free(room);
  }
  return status;
}
