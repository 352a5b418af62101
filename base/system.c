// system.c -- processor, instruction set and library versions
#include "base/system.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>
#include <expat.h>
#include <fftw3.h>
#include <gsl/gsl_version.h>
#include <hdf5.h>
#include <yaml.h>
#include <zlib.h>

#include <emgtwin/emgtwin.h>

static char cpu_name[128];
static char blas_name[128];

// "model name : AMD EPYC" -> "AMD EPYC"
static void read_cpu_name(void) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");

  snprintf(cpu_name, sizeof cpu_name, "unknown");
  while (file && fgets(line, sizeof line, file)) {
    char *value = strchr(line, ':');
    if (value && strncmp(line, "model name", 10) == 0) {
      value += strspn(value, ": \t");
      snprintf(cpu_name, sizeof cpu_name, "%.*s", (int)strcspn(value, "\n"), value);
      break;
    }
  }
  if (file) {
    fclose(file);
  }
}

const char *emg_cpu_name(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_cpu_name);
  return cpu_name;
}

const char *emg_simd_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return "x86-64-v4 (AVX-512)";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return "x86-64-v3 (AVX2, FMA)";
  }
  return "x86-64 baseline (SSE2)";
#else
  return "baseline of this processor";
#endif
}

// the configuration string starts with the name and version: "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
static void read_blas_name(void) {
  char name[24] = "OpenBLAS", version[24] = "unknown";

  emg_init();
  sscanf(openblas_get_config(), "%23s %23s", name, version);
  snprintf(blas_name, sizeof blas_name, "%s %s %s", name, version, emg_blas_core());
}

const char *emg_blas_name(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_blas_name);
  return blas_name;
}

static void add(emg_library *out, int *n, const char *name, const char *version) {
  snprintf(out[*n].name, sizeof out[*n].name, "%s", name);
  snprintf(out[*n].version, sizeof out[*n].version, "%s", version);
  (*n)++;
}

int emg_libraries(emg_library out[EMG_LIBRARIES_MAX]) {
  unsigned major, minor, release;
  char version[64];
  int n = 0;

  add(out, &n, "OpenBLAS", emg_blas_name() + strlen("OpenBLAS "));
  add(out, &n, "GSL", gsl_version);
  add(out, &n, "FFTW", fftw_version);
  H5get_libversion(&major, &minor, &release);
#ifdef H5_HAVE_PARALLEL
  const char *flavour = "parallel (MPI)";
#else
  const char *flavour = "serial";
#endif
  snprintf(version, sizeof version, "%u.%u.%u %s", major, minor, release, flavour);
  add(out, &n, "HDF5", version);
  add(out, &n, "libyaml", yaml_get_version_string());
  // "expat_2.5.0"
  add(out, &n, "expat", XML_ExpatVersion() + strcspn(XML_ExpatVersion(), "0123456789"));
  add(out, &n, "zlib", zlibVersion());
#ifdef _OPENMP
  snprintf(version, sizeof version, "%d", _OPENMP);
  add(out, &n, "OpenMP", version);
#endif
  add(out, &n, "compiler", __VERSION__);
  return n;
}
