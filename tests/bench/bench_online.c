// bench_online.c -- what does a batch cost on line? 64 channels, 30 units and 10 ms batches by
// default: bench_online [channels units batch_ms taps adapt]. One JSON line; wall and CPU time per
// batch, and the time the multiplications alone would take at this processor's matrix product.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <emgtwin/emgtwin.h>

#include "base/lin.h"

static double now_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static emg_filters random_filters(int n_channels, int n_units, int n_taps) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  emg_filters f;

  if (emg_filters_create(n_units, n_taps, n_channels, &f, NULL) != EMG_OK) {
    exit(EXIT_FAILURE);
  }
  f.n_channels_recorded = n_channels;
  f.rate_hz = 2048;
  f.band_low_hz = 20;
  f.band_high_hz = 500;
  f.refractory_ms = 20;
  for (int c = 0; c < n_channels; c++) {
    f.channel[c] = c;
  }
  for (int i = 0; i < n_units * n_taps * n_channels; i++) {
    f.weights[i] = (float)emg_rng_gaussian(&rng) / 50;
  }
  for (int u = 0; u < n_units; u++) {
    f.threshold[u] = 2;
  }
  return f;
}

// Rate of a matrix product of a size that keeps this processor busy.
static double measured_gflops(void) {
  enum { N = 512, TIMES = 20 };
  float *a = calloc(3 * (size_t)N * N, sizeof *a);
  double best = 0;

  for (int i = 0; a && i < TIMES; i++) {
    double start = now_us(CLOCK_THREAD_CPUTIME_ID);
    emg_sgemm(0, 0, N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
    double rate = 2.0 * N * N * N * 1e-3 / (now_us(CLOCK_THREAD_CPUTIME_ID) - start);
    best = rate > best ? rate : best;
  }
  free(a);
  return best;
}

static void count(int unit, int64_t sample, double height, void *user) {
  (void)unit;
  (void)sample;
  (void)height;
  ++*(int64_t *)user;
}

int main(int argc, char **argv) {
  enum { BATCHES = 6000 };
  int n_channels = argc > 1 ? atoi(argv[1]) : 64, n_units = argc > 2 ? atoi(argv[2]) : 30;
  double batch_ms = argc > 3 ? atof(argv[3]) : 10;
  int n_taps = argc > 4 ? atoi(argv[4]) : 40;
  const emg_online_options options = {.is_adaptive = argc > 5};
  static double wall_us[BATCHES], cpu_us[BATCHES];
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);
  double samples_per_batch = batch_ms * 2.048, total_us = 0;
  int most = (int)samples_per_batch + 1;
  float *samples = calloc((size_t)most * (size_t)n_channels, sizeof *samples);
  int64_t n_spikes = 0, n_pushed = 0;
  emg_online *online;

  emg_init();
  emg_filters filters = random_filters(n_channels, n_units, n_taps);
  if (!samples || emg_online_create(&filters, &options, &online, NULL) != EMG_OK) {
    return EXIT_FAILURE;
  }
  for (int b = 0; b < BATCHES; b++) {
    int n = (int)((b + 1) * samples_per_batch) - (int)(b * samples_per_batch);
    for (int i = 0; i < n * n_channels; i++) {
      samples[i] = (float)(20 * emg_rng_gaussian(&rng));
    }
    double wall = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_THREAD_CPUTIME_ID);
    emg_online_push(online, samples, n, NULL, count, &n_spikes);
    wall_us[b] = now_us(CLOCK_MONOTONIC) - wall;
    cpu_us[b] = now_us(CLOCK_THREAD_CPUTIME_ID) - cpu;
    total_us += cpu_us[b];
    n_pushed += n;
  }
  qsort(wall_us, BATCHES, sizeof *wall_us, compare);
  qsort(cpu_us, BATCHES, sizeof *cpu_us, compare);
  double gflops = measured_gflops();
  double floor_us = 2.0 * n_channels * n_taps * n_units * samples_per_batch * 1e-3 / gflops;
  printf(
      "{\"channels\": %d, \"units\": %d, \"taps\": %d, \"adapt\": %s, \"batch_ms\": %g, "
      "\"batches\": %d, "
      "\"cpu_us_mean\": %.1f, \"cpu_us_p99\": %.1f, \"wall_us_median\": %.1f, \"wall_us_p99\": "
      "%.1f, \"wall_us_max\": %.1f, \"floor_us\": %.1f, \"product_gflops\": %.1f, "
      "\"spikes_per_s\": %.0f}\n",
      n_channels, n_units, n_taps, options.is_adaptive ? "true" : "false", batch_ms, BATCHES,
      total_us / BATCHES, cpu_us[BATCHES * 99 / 100], wall_us[BATCHES / 2],
      wall_us[BATCHES * 99 / 100], wall_us[BATCHES - 1], floor_us, gflops,
      (double)n_spikes * 2048 / (double)n_pushed);
  emg_online_free(online);
  emg_filters_free(&filters);
  free(samples);
  return EXIT_SUCCESS;
}
