// bench_score.c -- how long does it take to score 20 against 100 trains of 60 s? One JSON line.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <omp.h>

#include <emgtwin/rng.h>
#include <emgtwin/score.h>

enum { N_ESTIMATED = 20, N_TRUTH = 100, REPEATS = 5 };
static const double rate_hz = 2048, duration_s = 60;

// Trains of 12 Hz with Gaussian intervals, CoV 0.2; the first `n` of a fixed set, moved by `shift`.
static emg_spikes make_trains(int n, int64_t shift) {
  emg_spikes trains = {0};
  int64_t counts[N_TRUTH] = {0};
  int64_t most = (int64_t)(duration_s * 40), n_samples = (int64_t)(duration_s * rate_hz);
  int64_t *times = malloc((size_t)(n * most) * sizeof *times);

  if (!times) {
    exit(EXIT_FAILURE);
  }
  for (int u = 0; u < n; u++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, (uint32_t)u, 0);
    double interval = rate_hz / 12, at = emg_rng_uniform(&rng) * interval;
    counts[u] = 0;
    while (at < (double)(n_samples - shift) && counts[u] < most) {
      times[u * most + counts[u]++] = (int64_t)at + shift;
      at += fmax(interval * (1 + 0.2 * emg_rng_gaussian(&rng)), 20);
    }
  }
  if (emg_spikes_create(n, counts, rate_hz, n_samples, &trains, NULL) != EMG_OK) {
    exit(EXIT_FAILURE);
  }
  for (int u = 0; u < n; u++) {
    memcpy(trains.samples + trains.offsets[u], times + u * most, (size_t)counts[u] * sizeof *times);
  }
  free(times);
  return trains;
}

int main(void) {
  emg_spikes estimated = make_trains(N_ESTIMATED, 7), truth = make_trains(N_TRUTH, 0);
  static const char *const presets[] = {"strict", "muniverse", "munitquest"};

  printf("{\"estimated\": %d, \"truth\": %d, \"duration_s\": %g, \"rate_hz\": %g, \"threads\": %d",
         N_ESTIMATED, N_TRUTH, duration_s, rate_hz, omp_get_max_threads());
  for (int p = 0; p < 3; p++) {
    emg_score_options options;
    emg_score_result result = {0};
    if (emg_score_preset(presets[p], &options, NULL) != EMG_OK) {
      return EXIT_FAILURE;
    }
    clock_t start = clock();
    for (int i = 0; i < REPEATS; i++) {
      emg_score_free(&result);
      if (emg_score(&estimated, &truth, &options, &result, NULL) != EMG_OK) {
        return EXIT_FAILURE;
      }
    }
    double cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC / REPEATS;
    printf(", \"%s\": {\"cpu_s\": %.4f, \"matched\": %d, \"roa\": %.3f}", presets[p], cpu_s,
           result.n_matched, result.roa);
    emg_score_free(&result);
  }
  printf("}\n");
  emg_spikes_free(&estimated);
  emg_spikes_free(&truth);
  return EXIT_SUCCESS;
}
