// mixture_fixture.h -- recordings of planted units without the simulator: each unit has an action
// potential of its own shape, place and conduction along a row of channels
#ifndef EMG_TESTS_MIXTURE_FIXTURE_H
#define EMG_TESTS_MIXTURE_FIXTURE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

enum { MIXTURE_TAPS = 48 };
static const double mixture_rate_hz = 2048;

typedef struct {
  int n_units, n_channels;
  double duration_s;
  uint64_t seed;  // of the discharges and the noise: the units are always the same
  double noise_uv;
  double slowing;  // the waves last so much longer at the end, as a fraction
} mixture_options;

typedef struct {
  emg_recording rec;
  emg_spikes truth;
} mixture;

static double mixture_wave(int unit, int channel, double tap, double stretch) {
  double centre = 1.5 + 2.7 * unit, spread = 1.6 + 0.5 * (unit % 3);
  double weight = exp(-0.5 * pow((channel - centre) / spread, 2));
  double width = (2.2 + 0.4 * (unit % 4)) * stretch;
  double at = (12 + 0.8 * fabs(channel - centre)) * stretch;
  double t = (tap - at) / width;
  return 100 * weight * (1 - t * t + 0.6 * t * (unit % 2 ? 1 : -1)) * exp(-0.5 * t * t);
}

static int64_t mixture_plant(const mixture_options *options, mixture *m, int unit, int64_t *times) {
  emg_rng rng = emg_rng_stream(options->seed, EMG_RNG_TEST, (uint32_t)unit, 1);
  int64_t n_samples = m->rec.data.n_cols, n = 0;
  double interval = mixture_rate_hz / (9 + 1.3 * (unit % 6));
  double at = interval * (0.3 + emg_rng_uniform(&rng));

  while (at < (double)(n_samples - MIXTURE_TAPS)) {
    double stretch = 1 + options->slowing * at / (double)n_samples;
    times[n] = (int64_t)at;
    for (int c = 0; c < options->n_channels; c++) {
      float *row = emg_row2f(&m->rec.data, c) + times[n];
      for (int t = 0; t < MIXTURE_TAPS; t++) {
        row[t] += (float)mixture_wave(unit, c, t, stretch);
      }
    }
    n++;
    at += fmax(interval * (1 + 0.15 * emg_rng_gaussian(&rng)), 50);
  }
  return n;
}

// NULL-free or the program ends: a fixture that cannot be made is no test.
static mixture mixture_create(const mixture_options *options) {
  mixture m = {0};
  int64_t n_samples = (int64_t)(options->duration_s * mixture_rate_hz);
  int64_t *times = calloc((size_t)options->n_units * (size_t)(n_samples / 50 + 2), sizeof *times);
  int64_t *counts = calloc((size_t)options->n_units, sizeof *counts), stride = n_samples / 50 + 2;

  if (!times || !counts ||
      emg_recording_create(options->n_channels, n_samples, mixture_rate_hz, &m.rec, NULL)) {
    abort();
  }
  for (int u = 0; u < options->n_units; u++) {
    counts[u] = mixture_plant(options, &m, u, times + u * stride);
  }
  for (int c = 0; c < options->n_channels; c++) {
    emg_rng rng = emg_rng_stream(options->seed, EMG_RNG_TEST, (uint32_t)c, 2);
    for (int64_t i = 0; i < n_samples; i++) {
      emg_row2f(&m.rec.data, c)[i] += (float)(options->noise_uv * emg_rng_gaussian(&rng));
    }
  }
  if (emg_spikes_create(options->n_units, counts, mixture_rate_hz, n_samples, &m.truth, NULL)) {
    abort();
  }
  for (int u = 0; u < options->n_units; u++) {
    memcpy(m.truth.samples + m.truth.offsets[u], times + u * stride,
           (size_t)counts[u] * sizeof *times);
  }
  free(times);
  free(counts);
  return m;
}

static void mixture_free(mixture *m) {
  emg_recording_free(&m->rec);
  emg_spikes_free(&m->truth);
}

#endif
