// cmd_doctor.c -- emgtwin doctor: versions, processor, and whether the set-up is slow
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/lin.h"
#include "base/system.h"
#include "cli/commands.h"

static double cpu_s(void) {
  struct timespec time;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Rate of a 512 x 512 x 512 single-precision product on one core, in Gflop/s of processor time.
static emg_status measure_sgemm(double *gflops, emg_error *err) {
  enum { N = 512, CELLS = N * N };
  float *a;
  int n_runs = 0;

  EMG_TRY(emg_alloc_aligned(3 * CELLS, sizeof *a, &a, err));
  for (int i = 0; i < 2 * CELLS; i++) {
    a[i] = (float)(i % 7) - 3;
  }
  // the first call loads the kernel
  emg_sgemm(0, 0, N, N, N, 1, a, N, a + CELLS, N, 0, a + 2 * CELLS, N);
  double start = cpu_s(), elapsed = 0;
  while (elapsed < 0.2) {
    emg_sgemm(0, 0, N, N, N, 1, a, N, a + CELLS, N, 0, a + 2 * CELLS, N);
    n_runs++;
    elapsed = cpu_s() - start;
  }
  *gflops = 2e-9 * N * (double)CELLS * n_runs / elapsed;
  free(a);
  return EMG_OK;
}

// What makes this set-up slow or wrong, each with what to do.
static int find_warnings(const emg_library *libraries, int n_libraries, char warnings[][240]) {
  int n = 0;
  const char *better = emg_blas_better_core();
  const char *omp = getenv("OMP_NUM_THREADS");

  if (better) {
    snprintf(warnings[n++], 240,
             "OpenBLAS runs its %s kernels, %s ones would be faster here; set OPENBLAS_CORETYPE=%s",
             emg_blas_core(), better, better);
  }
  if (emg_get_threads() < sysconf(_SC_NPROCESSORS_ONLN)) {
    snprintf(warnings[n++], 240, "%d of %ld processors are used%s%s; --threads changes that",
             emg_get_threads(), sysconf(_SC_NPROCESSORS_ONLN), omp ? ", OMP_NUM_THREADS is " : "",
             omp ? omp : "");
  }
  for (int i = 0; i < n_libraries; i++) {
    if (strcmp(libraries[i].name, "HDF5") == 0 && strstr(libraries[i].version, "parallel")) {
      snprintf(warnings[n++], 240, "HDF5 is the MPI build; install libhdf5-dev and build again");
    }
  }
  return n;
}

typedef struct {
  emg_library libraries[EMG_LIBRARIES_MAX];
  int n_libraries, n_warnings;
  char warnings[4][240];
  double sgemm_gflops, memory_gib;
} findings;

static void print_findings(const findings *found) {
  printf("emgtwin      %s\n", emg_version());
  printf("processor    %s\n", emg_cpu_name());
  printf("processors   %ld, %d threads used\n", sysconf(_SC_NPROCESSORS_ONLN), emg_get_threads());
  printf("instructions %s\n", emg_simd_level());
  printf("memory       %.1f GiB\n", found->memory_gib);
  printf("BLAS kernel  %s, %.0f Gflop/s single precision on one core\n", emg_blas_core(),
         found->sgemm_gflops);
  for (int i = 0; i < found->n_libraries; i++) {
    printf("%-12s %s\n", found->libraries[i].name, found->libraries[i].version);
  }
  for (int i = 0; i < found->n_warnings; i++) {
    printf("warning      %s\n", found->warnings[i]);
  }
  if (found->n_warnings == 0) {
    puts("all well");
  }
}

static emg_status print_findings_json(const findings *found, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "version", emg_version());
  emg_json_text(&json, "cpu", emg_cpu_name());
  emg_json_integer(&json, "processors", sysconf(_SC_NPROCESSORS_ONLN));
  emg_json_integer(&json, "threads", emg_get_threads());
  emg_json_text(&json, "simd", emg_simd_level());
  emg_json_number(&json, "memory_gib", found->memory_gib);
  emg_json_text(&json, "blas_core", emg_blas_core());
  emg_json_text(&json, "blas_better_core", emg_blas_better_core());
  emg_json_number(&json, "sgemm_gflops", found->sgemm_gflops);
  emg_json_object(&json, "libraries");
  for (int i = 0; i < found->n_libraries; i++) {
    emg_json_text(&json, found->libraries[i].name, found->libraries[i].version);
  }
  emg_json_end(&json);
  emg_json_array(&json, "warnings");
  for (int i = 0; i < found->n_warnings; i++) {
    emg_json_text(&json, NULL, found->warnings[i]);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status run_doctor(const cli_args *args, emg_error *err) {
  static findings found;

  emg_init();
  found.n_libraries = emg_libraries(found.libraries);
  found.n_warnings = find_warnings(found.libraries, found.n_libraries, found.warnings);
  found.memory_gib =
      (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024. * 1024 * 1024);
  EMG_TRY(measure_sgemm(&found.sgemm_gflops, err));
  if (args->is_json) {
    return print_findings_json(&found, err);
  }
  print_findings(&found);
  return EMG_OK;
}

static const cli_row examples[] = {{"emgtwin doctor", "Before the first long run"}, {NULL, NULL}};
static const cli_row json[] = {
    {"version, cpu, processors, threads, simd, memory_gib", "the program and the machine"},
    {"blas_core, blas_better_core, sgemm_gflops",
     "kernels that run, faster ones that could (null: none), and the rate on one core"},
    {"libraries", "name to version"},
    {"warnings[]", "sentences, each with what to do"},
    {NULL, NULL},
};

const cli_command cli_doctor_command = {
    .name = "doctor",
    .doc = "shows versions and the machine, and warns of a slow set-up",
    .usage = "",
    .about =
        "Versions of the libraries, processor, instruction set, threads, and the kernels and the "
        "speed of the linear algebra. The exit code is 0 also when it warns.",
    .examples = examples,
    .json = json,
    .run = run_doctor,
};
