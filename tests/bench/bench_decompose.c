// bench_decompose.c -- what does a method cost on a file, and against what its products alone would
// cost? One JSON line a file: bench_decompose FILE... [method=NAME] [rate_hz=X]
// [section.key=value...]; with the truth in the file, also how many true units it finds.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <omp.h>
#include <sys/resource.h>

#include <base/lin.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

// What the method says about its own size.
typedef struct {
  int n_rounds, n_dimensions, n_delays, n_channels;
  double search_s;
  double passes, unit_passes;  // of the joint model after the searches, and sum of units over them
  int n_units;                 // so far
} search_size;

static void listen(emg_log_level level, const char *stage, const char *text, void *user) {
  search_size *size = user;
  int round, n_new, n_units;

  (void)level;
  (void)stage;
  sscanf(text, "channels = %*d, used = %d", &size->n_channels);
  sscanf(text, "delays = %d, dimensions = %d, search = %lf s", &size->n_delays, &size->n_dimensions,
         &size->search_s);
  if (sscanf(text, "round = %d, new = %d, units = %d", &round, &n_new, &n_units) == 3) {
    size->n_rounds++;
    size->passes += n_new > 0;
    size->unit_passes += n_new > 0 ? n_units : 0;
    size->n_units = n_units;
  }
}

// Multiplications and additions of ckc's large products: in each search lag covariances, two a
// filter update and one a refinement; in each pass of the joint model lag covariances, a Cholesky
// factor and the sources.
static double gflop_of(const search_size *size, const emg_config *config, int64_t n_samples,
                       double rate_hz) {
  const struct emg_config_decompose *keys = &config->decompose;
  double m = size->n_channels, n_search = size->search_s * rate_hz;
  double n_fixed = fmin(keys->fixed_point_s * rate_hz, n_search);
  int search_taps = keys->search_extension > 0 ? keys->search_extension : (size->n_delays + 1) / 2;
  double d = search_taps * m, d_joint = size->n_delays * m;

  double search = 2 * d * m * n_search + 2.0 * keys->batch * d * 2 * keys->iterations * n_fixed +
                  2.0 * keys->batch * d * (keys->refinements + 1) * n_search;
  double passes = keys->joint_iterations * size->passes + keys->final_iterations;
  double unit_passes =
      keys->joint_iterations * size->unit_passes + keys->final_iterations * size->n_units;
  double joint = passes * (2 * d_joint * m * n_search + d_joint * d_joint * d_joint / 3) +
                 unit_passes * 2 * d_joint * (double)n_samples;

  return 1e-9 * (size->n_rounds * search + (keys->joint_iterations > 0 ? joint : 0));
}

// What one core does of matrix products of the search's shape, in Gflop per second.
static double product_rate(void) {
  enum { ROWS = 1024, DEPTH = 1024, COLUMNS = 64, TIMES = 40 };
  float *a = NULL, *b = NULL, *c = NULL;
  double rate = 0;

  if (emg_alloc_aligned(ROWS * DEPTH, sizeof *a, &a, NULL) == EMG_OK &&
      emg_alloc_aligned(DEPTH * COLUMNS, sizeof *b, &b, NULL) == EMG_OK &&
      emg_alloc_aligned(ROWS * COLUMNS, sizeof *c, &c, NULL) == EMG_OK) {
    emg_sgemm(0, 0, ROWS, COLUMNS, DEPTH, 1, a, DEPTH, b, COLUMNS, 0, c, COLUMNS);
    clock_t start = clock();
    for (int i = 0; i < TIMES; i++) {
      emg_sgemm(0, 0, ROWS, COLUMNS, DEPTH, 1, a, DEPTH, b, COLUMNS, 1, c, COLUMNS);
    }
    double cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC;
    rate = 2e-9 * ROWS * DEPTH * COLUMNS * TIMES / cpu_s;
  }
  free(a);
  free(b);
  free(c);
  return rate;
}

static void print_score(const emg_spikes *found, const emg_spikes *truth) {
  emg_score_options options;
  emg_score_result result;

  if (emg_score_preset("strict", &options, NULL) != EMG_OK ||
      emg_score(found, truth, &options, &result, NULL) != EMG_OK) {
    return;
  }
  printf(
      ", \"active\": %d, \"roa_90\": %d, \"roa_50\": %d, \"duplicates\": %d, \"false\": %d, "
      "\"mean_roa\": %.3f",
      result.n_active, result.n_roa_90, result.n_roa_50, result.n_duplicates, result.n_false,
      result.roa);
  emg_score_free(&result);
}

static void print_cost(const char *path, const char *method, const emg_recording *rec,
                       const emg_config *config, const search_size *size, double cpu_s,
                       double wall_s) {
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  printf(
      "{\"file\": \"%s\", \"method\": \"%s\", \"channels\": %d, \"seconds\": %.1f, \"batch\": %d, "
      "\"threads\": %d, \"cpu_s\": %.2f, \"wall_s\": %.2f, \"peak_mb\": %ld",
      path, method, rec->data.n_rows, (double)rec->data.n_cols / rec->rate_hz,
      config->decompose.batch, omp_get_max_threads(), cpu_s, wall_s, usage.ru_maxrss / 1024);
  if (size->n_rounds > 0) {
    double gflop = gflop_of(size, config, rec->data.n_cols, rec->rate_hz);
    double rate = product_rate();
    printf(
        ", \"rounds\": %d, \"dimensions\": %d, \"gflop\": %.1f, \"gflop_per_s_of_a_core\": %.1f, "
        "\"floor_s\": %.2f, \"times_floor\": %.2f",
        size->n_rounds, size->n_dimensions, gflop, rate, gflop / rate, cpu_s * rate / gflop);
  }
}

static emg_status bench_file(const char *path, const char *method, double rate_hz,
                             const emg_config *config, emg_error *err) {
  search_size size = {0};
  emg_monitor monitor = {.log = listen, .user = &size};
  emg_recording rec;
  emg_decomposition found;
  emg_spikes truth;

  EMG_TRY(emg_recording_read(path, &(emg_read_options){.rate_hz = rate_hz}, &rec, err));
  clock_t start = clock();
  double start_s = omp_get_wtime();
  emg_status status = emg_decompose(method, &rec, config, &monitor, &found, err);
  double wall_s = omp_get_wtime() - start_s, cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC;
  if (status == EMG_OK) {
    print_cost(path, method, &rec, config, &size, cpu_s, wall_s);
    printf(", \"units\": %d", found.spikes.n_units);
    if (emg_spikes_read(path, true, &truth, NULL) == EMG_OK) {
      print_score(&found.spikes, &truth);
      emg_spikes_free(&truth);
    }
    printf("}\n");
    emg_decomposition_free(&found);
  }
  emg_recording_free(&rec);
  return status;
}

int main(int argc, char **argv) {
  emg_config config;
  emg_error err = {0};
  const char *method = "ckc";
  double rate_hz = 0;
  int exit_code = EXIT_SUCCESS;

  emg_init();
  emg_config_defaults(&config);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "rate_hz=", 8) == 0) {
      rate_hz = atof(argv[i] + 8);
    } else if (strncmp(argv[i], "method=", 7) == 0) {
      method = argv[i] + 7;
    } else if (strchr(argv[i], '=') && emg_config_set(&config, argv[i], &err) != EMG_OK) {
      fprintf(stderr, "%s\n", emg_error_message(&err));
      return EXIT_FAILURE;
    }
  }
  for (int i = 1; i < argc; i++) {
    if (!strchr(argv[i], '=') && bench_file(argv[i], method, rate_hz, &config, &err) != EMG_OK) {
      fprintf(stderr, "%s: %s\n", argv[i], emg_error_message(&err));
      exit_code = EXIT_FAILURE;
    }
  }
  return exit_code;
}
