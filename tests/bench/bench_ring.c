// bench_ring.c -- what does an inversion at 320 channels cost? bench_ring [SECONDS [THREADS]]
//
// The preset bmiss2025 at 20 dB. The floor counts the products of one search round that no order
// of work avoids: covariance, eigenvectors, components and sources of the probes, and one step of a
// fit for each candidate.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <emgtwin/emgtwin.h>

static void stop_on(emg_status status, const emg_error *err) {
  if (status != EMG_OK) {
    fprintf(stderr, "%s\n", emg_error_message(err));
    exit(EXIT_FAILURE);
  }
}

static double wall_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double cpu_s(const struct rusage *usage) {
  return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
         1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

typedef struct {
  double covariance, eigen, probes, step;  // Gflop
} floors;

static floors floors_of(const emg_config *config, int n_channels, double n_samples) {
  const double n_taps = 4, d = n_taps * n_channels, rank = d / 2;
  const double window = 0.04 * config->simulation.sampling_rate_hz;
  const double n_probes = config->invert.probes;

  return (floors){.covariance = 2e-9 * n_samples * n_channels * d,
                  .eigen = 9e-9 * d * d * d,
                  .probes = 2e-9 * n_samples * rank * (d + n_probes),
                  .step = 2e-9 * (1 + EMG_UNIT_PARAMETERS) * window * n_channels * rank};
}

int main(int argc, char **argv) {
  static emg_config config;
  emg_simulation simulation;
  emg_decomposition found;
  emg_inversion inversion;
  struct rusage before, after;
  emg_error err = {0};

  emg_config_defaults(&config);
  stop_on(emg_config_preset("bmiss2025", &config, &err), &err);
  config.sensor.snr_db = 20;
  config.simulation.duration_s = argc > 1 ? atof(argv[1]) : 10;
  emg_set_threads(argc > 2 ? atoi(argv[2]) : 1);
  stop_on(emg_simulate(&config, NULL, &simulation, &err), &err);
  getrusage(RUSAGE_SELF, &before);
  double begin_s = wall_s();
  stop_on(emg_invert(&simulation.recording, &config, NULL, &found, &inversion, &err), &err);
  double took_s = wall_s() - begin_s;
  getrusage(RUSAGE_SELF, &after);

  const emg_array2f *data = &simulation.recording.data;
  int n_rounds = 0;
  for (int u = 0; u < found.spikes.n_units; u++) {
    n_rounds = found.round[u] + 1 > n_rounds ? found.round[u] + 1 : n_rounds;
  }
  floors floor = floors_of(&config, data->n_rows, (double)data->n_cols);
  printf(
      "{\"bench\": \"ring\", \"channels\": %d, \"samples\": %lld, \"units\": %d, \"rounds\": %d, "
      "\"wall_s\": %.1f, \"cpu_s\": %.1f, \"peak_mib\": %.0f, \"covariance_gflop\": %.0f, "
      "\"eigen_gflop\": %.0f, \"probes_gflop\": %.0f, \"fit_step_gflop\": %.2f}\n",
      data->n_rows, (long long)data->n_cols, found.spikes.n_units, n_rounds, took_s,
      cpu_s(&after) - cpu_s(&before), (double)after.ru_maxrss / 1024, floor.covariance, floor.eigen,
      floor.probes, floor.step);
  emg_inversion_free(&inversion);
  emg_decomposition_free(&found);
  emg_simulation_free(&simulation);
  return EXIT_SUCCESS;
}
