// init.c -- one-time set-up of the libraries below us: GSL, HDF5, BLAS, threads
#include <emgtwin/emgtwin.h>

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include <cblas.h>
#include <gsl/gsl_errno.h>
#include <omp.h>

#include "h5.h"

char *openblas_get_corename(void);

// Exported by OpenBLAS built with DYNAMIC_ARCH; absent from other builds.
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

const char *emg_version(void) {
  return EMG_VERSION;
}

const char *emg_blas_core(void) {
  return openblas_get_corename();
}

// OpenBLAS 0.3.21 knows no processor after Zen 3 and Ice Lake by its number and falls back to an
// AVX2 kernel on them, at half speed where there is AVX-512.
const char *emg_blas_better_core(void) {
  static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};

  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return NULL;
  }
  for (size_t i = 0; i < sizeof avx512 / sizeof avx512[0]; i++) {
    if (strcasecmp(emg_blas_core(), avx512[i]) == 0) {
      return NULL;
    }
  }
  return "SkylakeX";
}

// OpenBLAS chooses its kernels once, when it is loaded; this makes it choose again. A choice the
// user made in the environment stands.
static void choose_blas_kernel(void) {
  const char *better = emg_blas_better_core();

  if (better && !getenv("OPENBLAS_CORETYPE") && gotoblas_dynamic_init && gotoblas_dynamic_quit) {
    setenv("OPENBLAS_CORETYPE", better, 1);
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
  }
}

static void init_once(void) {
  gsl_set_error_handler_off();
  choose_blas_kernel();
  openblas_set_num_threads(1);
  emg_h5_init();
}

void emg_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, init_once);
}

void emg_set_threads(int n_threads) {
  emg_init();
  omp_set_num_threads(n_threads > 0 ? n_threads : omp_get_num_procs());
}

int emg_get_threads(void) {
  return omp_get_max_threads();
}
