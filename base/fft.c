// fft.c -- real transforms through FFTW, planned under one lock, executed anywhere
#include "fft.h"

#include <pthread.h>
#include <string.h>

#include <fftw3.h>

static pthread_mutex_t planner_lock = PTHREAD_MUTEX_INITIALIZER;  // only execution is thread-safe

static emg_status fail_plan(emg_error *err, int n) {
  return emg_fail(err, EMG_ERR_MEMORY, "cannot plan a Fourier transform of %d samples", n);
}

emg_status emg_fft_forward(int n, int n_rows, const double *x, double complex *spectra,
                           emg_error *err) {
  emg_status status = EMG_OK;
  double *in = fftw_malloc((size_t)n * sizeof(double));
  fftw_complex *out = fftw_malloc(((size_t)n / 2 + 1) * sizeof(fftw_complex));
  fftw_plan plan = NULL;

  if (in && out) {
    pthread_mutex_lock(&planner_lock);
    plan = fftw_plan_dft_r2c_1d(n, in, out, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner_lock);
  }
  if (plan) {
    for (size_t row = 0; row < (size_t)n_rows; row++) {
      memcpy(in, x + row * (size_t)n, (size_t)n * sizeof(double));
      fftw_execute(plan);
      memcpy(spectra + row * ((size_t)n / 2 + 1), out, ((size_t)n / 2 + 1) * sizeof(fftw_complex));
    }
    pthread_mutex_lock(&planner_lock);
    fftw_destroy_plan(plan);
    pthread_mutex_unlock(&planner_lock);
  } else {
    status = fail_plan(err, n);
  }
  fftw_free(in);
  fftw_free(out);
  return status;
}

emg_status emg_fft_inverse(int n, const double complex *spectrum, double *x, emg_error *err) {
  emg_status status = EMG_OK;
  fftw_complex *in = fftw_malloc(((size_t)n / 2 + 1) * sizeof(fftw_complex));
  double *out = fftw_malloc((size_t)n * sizeof(double));
  fftw_plan plan = NULL;

  if (in && out) {
    pthread_mutex_lock(&planner_lock);
    plan = fftw_plan_dft_c2r_1d(n, in, out, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner_lock);
  }
  if (plan) {
    memcpy(in, spectrum, ((size_t)n / 2 + 1) * sizeof(fftw_complex));
    fftw_execute(plan);
    for (int i = 0; i < n; i++) {
      x[i] = out[i] / n;
    }
    pthread_mutex_lock(&planner_lock);
    fftw_destroy_plan(plan);
    pthread_mutex_unlock(&planner_lock);
  } else {
    status = fail_plan(err, n);
  }
  fftw_free(in);
  fftw_free(out);
  return status;
}

int emg_fft_good_size(int n) {
  for (int size = n < 1 ? 1 : n;; size++) {
    int rest = size;
    for (int factor = 2; factor <= 7; factor++) {
      while (rest % factor == 0) {
        rest /= factor;
      }
    }
    if (rest == 1) {
      return size;
    }
  }
}
