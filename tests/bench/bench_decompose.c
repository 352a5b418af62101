// bench_decompose.c -- how many true units does `ckc` find in a file, and at what cost? One JSON
// line a file: bench_decompose FILE... [section.key=value...]; files without truth give units
// alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <omp.h>
#include <sys/resource.h>

#include <emgtwin/emgtwin.h>

// What the method says about its own size.
typedef struct {
  int n_rounds, n_dimensions;
  double search_s;
} search_size;

static void listen(emg_log_level level, const char *stage, const char *text, void *user) {
  search_size *size = user;
  int n_delays;
  (void)level;
  (void)stage;
  size->n_rounds += strncmp(text, "round = ", 8) == 0;
  sscanf(text, "delays = %d, dimensions = %d, search = %lf s", &n_delays, &size->n_dimensions,
         &size->search_s);
}

// Multiplications and additions of the search's own products: two a filter update, one a
// refinement.
static double gflop_of(const search_size *size, const emg_config *config, double rate_hz) {
  const struct emg_config_decompose *keys = &config->decompose;
  double sweep = 2.0 * keys->batch * size->n_dimensions * size->search_s * rate_hz * 1e-9;

  return size->n_rounds * (2.0 * keys->iterations + keys->refinements + 1) * sweep;
}

static void print_score(const emg_spikes *found, const emg_spikes *truth) {
  static const char *const presets[] = {"strict", "muniverse"};

  for (int p = 0; p < 2; p++) {
    emg_score_options options;
    emg_score_result result;
    if (emg_score_preset(presets[p], &options, NULL) != EMG_OK ||
        emg_score(found, truth, &options, &result, NULL) != EMG_OK) {
      continue;
    }
    printf(
        ", \"%s\": {\"active\": %d, \"matched\": %d, \"roa_90\": %d, \"roa_50\": %d, "
        "\"duplicates\": %d, \"false\": %d, \"mean_roa\": %.3f}",
        presets[p], result.n_active, result.n_matched, result.n_roa_90, result.n_roa_50,
        result.n_duplicates, result.n_false, result.roa);
    emg_score_free(&result);
  }
}

static emg_status bench_file(const char *path, double rate_hz, const emg_config *config,
                             emg_error *err) {
  search_size size = {0};
  emg_monitor monitor = {.log = listen, .user = &size};
  emg_recording rec;
  emg_decomposition found;
  emg_spikes truth;
  struct rusage usage;

  EMG_TRY(emg_recording_read(path, &(emg_read_options){.rate_hz = rate_hz}, &rec, err));
  clock_t start = clock();
  emg_status status = emg_decompose("ckc", &rec, config, &monitor, &found, err);
  double cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC;
  if (status == EMG_OK) {
    getrusage(RUSAGE_SELF, &usage);
    double gflop = gflop_of(&size, config, rec.rate_hz);
    printf(
        "{\"file\": \"%s\", \"channels\": %d, \"seconds\": %.1f, \"units\": %d, \"cpu_s\": %.2f, "
        "\"threads\": %d, \"rounds\": %d, \"dimensions\": %d, \"search_gflop\": %.1f, "
        "\"gflop_per_cpu_s\": %.1f, \"peak_mb\": %ld",
        path, rec.data.n_rows, (double)rec.data.n_cols / rec.rate_hz, found.spikes.n_units, cpu_s,
        omp_get_max_threads(), size.n_rounds, size.n_dimensions, gflop, gflop / cpu_s,
        usage.ru_maxrss / 1024);
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
  double rate_hz = 0;
  int exit_code = EXIT_SUCCESS;

  emg_init();
  emg_config_defaults(&config);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "rate_hz=", 8) == 0) {
      rate_hz = atof(argv[i] + 8);
    } else if (strchr(argv[i], '=') && emg_config_set(&config, argv[i], &err) != EMG_OK) {
      fprintf(stderr, "%s\n", emg_error_message(&err));
      return EXIT_FAILURE;
    }
  }
  for (int i = 1; i < argc; i++) {
    if (!strchr(argv[i], '=') && bench_file(argv[i], rate_hz, &config, &err) != EMG_OK) {
      fprintf(stderr, "%s: %s\n", argv[i], emg_error_message(&err));
      exit_code = EXIT_FAILURE;
    }
  }
  return exit_code;
}
