// bank.c -- units spread evenly over what is expected, with their action potentials
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_qrng.h>

#include "base/lin.h"

#define STAGE "probes"

// --- making it ---

static emg_status draw_units(const emg_expected *expected, emg_bank *bank, emg_error *err) {
  gsl_qrng *sobol = gsl_qrng_alloc(gsl_qrng_sobol, 6);
  if (!sobol) {
    return emg_fail(err, EMG_ERR_MEMORY, "no memory for a Sobol sequence");
  }
  for (int i = 0; i < bank->n; i++) {
    double cube[6];
    gsl_qrng_get(sobol, cube);
    bank->units[i] = emg_expected_unit(expected, cube);
  }
  gsl_qrng_free(sobol);
  return EMG_OK;
}

typedef struct {
  const emg_fit_problem *problem;
  const emg_monitor *monitor;
  emg_bank *bank;
  int n_done, failed;  // the failed unit of the lowest number
  emg_status status;
  emg_error *err;
} filling;

static ptrdiff_t unit_size(const emg_bank *bank) {
  return (ptrdiff_t)bank->n_window * bank->n_channels;
}

static emg_status fill_unit(filling *f, int i, emg_fit_room *room, emg_error *err) {
  emg_bank *bank = f->bank;
  float *potential = bank->potentials + i * unit_size(bank);
  emg_fit fit = {.unit = bank->units[i], .amplitude = 1};
  double energy = 0;

  EMG_TRY(emg_fit_potential(f->problem, &fit, room, potential, err));
  for (ptrdiff_t k = 0; k < unit_size(bank); k++) {
    energy += (double)potential[k] * potential[k];
  }
  bank->norms[i] = sqrt(energy);
  return EMG_OK;
}

static void note_failure(filling *f, int i, emg_status status, const emg_error *err) {
  if (i < f->failed) {
    f->failed = i;
    f->status = status;
    if (f->err) {
      *f->err = *err;
    }
  }
}

static emg_status fill(filling *f) {
  const int n = f->bank->n, stride = n / 50 + 1;

#pragma omp parallel
  {
    emg_error own = {0};
    emg_fit_room *room;
    emg_status ready = emg_fit_room_create(f->problem, &room, &own);

#pragma omp for schedule(dynamic, 16)
    for (int i = 0; i < n; i++) {
      emg_status status = ready, so_far;
#pragma omp atomic read
      so_far = f->status;
      if (so_far != EMG_OK) {
        continue;
      }
      if (status == EMG_OK) {
        status = fill_unit(f, i, room, &own);
      }
#pragma omp critical(emg_bank_outcome)
      {
        if (status == EMG_OK && ++f->n_done % stride == 0) {
          status = emg_progress(f->monitor, STAGE, f->n_done, n, &own);
        }
        if (status != EMG_OK) {
          note_failure(f, i, status, &own);
        }
      }
    }
    emg_fit_room_free(room);
  }
  return f->status;
}

emg_status emg_bank_create(const emg_fit_problem *problem, int n, const emg_monitor *monitor,
                           emg_bank *out, emg_error *err) {
  const emg_view *view = problem->view;
  emg_status status;

  *out = (emg_bank){
      .n = n, .n_window = view->n_window, .n_channels = view->n_channels, .origin = view->origin};
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *out->units, &out->units, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *out->norms, &out->norms, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n * (size_t)unit_size(out), sizeof *out->potentials,
                                 &out->potentials, err));
  EMG_TRY_DONE(draw_units(problem->expected, out, err));
  filling f = {problem, monitor, out, .failed = n, .status = EMG_OK, .err = err};
  status = fill(&f);
done:
  if (status != EMG_OK) {
    emg_bank_free(out);
  }
  return status;
}

void emg_bank_free(emg_bank *bank) {
  free(bank->units);
  free(bank->potentials);
  free(bank->norms);
  *bank = (emg_bank){0};
}

// --- looking up ---

// Action potentials are limited to a quarter of the sampling rate: every other sample is enough,
// and every other shift.
enum { STEP = 2 };

// shifted[row][shift][channel] = potential[STEP row + shift][channel], 0 beyond the window.
static void fill_shifted(const emg_bank *bank, const float *potential, int max_shift, int n_shifts,
                         float *shifted) {
  const int n_channels = bank->n_channels, n_rows = (bank->n_window + STEP - 1) / STEP;

  for (int row = 0; row < n_rows; row++) {
    for (int s = 0; s < n_shifts; s++) {
      int from = STEP * row + STEP * s - max_shift;
      if (from >= 0 && from < bank->n_window) {
        memcpy(shifted + ((ptrdiff_t)row * n_shifts + s) * n_channels,
               potential + (ptrdiff_t)from * n_channels, (size_t)n_channels * sizeof *shifted);
      }
    }
  }
}

// The best shift of every unit of the bank: a sum over samples of products over channels.
static void correlate(const emg_bank *bank, const float *shifted, int max_shift, int n_shifts,
                      float *sums, emg_bank_match *matches) {
  const int n_channels = bank->n_channels, n_rows = (bank->n_window + STEP - 1) / STEP;
  const int stride = bank->n_window * n_channels;

  for (int row = 0; row < n_rows; row++) {
    emg_sgemm(0, 1, bank->n, n_shifts, n_channels, 1,
              bank->potentials + (ptrdiff_t)STEP * row * n_channels, stride,
              shifted + (ptrdiff_t)row * n_shifts * n_channels, n_channels, row > 0, sums,
              n_shifts);
  }
  for (int i = 0; i < bank->n; i++) {
    const float *sum = sums + (ptrdiff_t)i * n_shifts;
    int best = 0;
    for (int s = 1; s < n_shifts; s++) {
      best = sum[s] > sum[best] ? s : best;
    }
    double cosine = bank->norms[i] > 0 ? STEP * sum[best] / bank->norms[i] : 0;
    matches[i] = (emg_bank_match){i, STEP * best - max_shift, cosine};
  }
}

static int by_cosine(const void *a, const void *b) {
  const emg_bank_match *x = a, *y = b;
  if (x->cosine != y->cosine) {
    return x->cosine > y->cosine ? -1 : 1;
  }
  return x->unit - y->unit;
}

// Starts so near to each other end in the same place.
static bool is_near(const emg_mean_unit *a, const emg_mean_unit *b) {
  static const double near[EMG_UNIT_CV + 1] = {3, 6, 4, 0.4};

  for (int p = 0; p <= EMG_UNIT_CV; p++) {
    if (fabs(a->value[p] - b->value[p]) > near[p]) {
      return false;
    }
  }
  return true;
}

static int choose(const emg_bank *bank, const emg_bank_match *sorted, int n_most,
                  emg_bank_match *chosen) {
  int n = 0;

  for (int i = 0; i < bank->n && n < n_most && sorted[i].cosine > 0; i++) {
    bool is_new = true;
    for (int k = 0; k < n && is_new; k++) {
      is_new = !is_near(&bank->units[sorted[i].unit], &bank->units[chosen[k].unit]);
    }
    if (is_new) {
      chosen[n++] = sorted[i];
    }
  }
  return n;
}

emg_status emg_bank_find(const emg_bank *bank, const float *potential, int max_shift, int n_most,
                         emg_bank_match *matches, int *n, emg_error *err) {
  const int half = max_shift / STEP, n_shifts = 2 * half + 1;
  const int n_rows = (bank->n_window + STEP - 1) / STEP;
  float *shifted = NULL, *sums = NULL;
  emg_bank_match *all = NULL;
  double energy = 0;
  emg_status status;

  *n = 0;
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n_rows * (size_t)n_shifts * (size_t)bank->n_channels,
                                 sizeof *shifted, &shifted, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)bank->n * (size_t)n_shifts, sizeof *sums, &sums, err));
  EMG_TRY_DONE(emg_alloc((size_t)bank->n, sizeof *all, &all, err));
  fill_shifted(bank, potential, STEP * half, n_shifts, shifted);
  correlate(bank, shifted, STEP * half, n_shifts, sums, all);
  for (ptrdiff_t i = 0; i < unit_size(bank); i++) {
    energy += (double)potential[i] * potential[i];
  }
  for (int i = 0; i < bank->n; i++) {
    all[i].cosine /= energy > 0 ? sqrt(energy) : 1;
  }
  qsort(all, (size_t)bank->n, sizeof *all, by_cosine);
  *n = choose(bank, all, n_most, matches);
done:
  free(shifted);
  free(sums);
  free(all);
  return status;
}
