// detect.c -- the most likely train of spikes in one source
#include "joint_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// The source has height 1 at a spike. Of all trains of peaks, the one is taken that maximises
//
//   SUM_k ln p1(y_k) / p0(y_k)  +  SUM_k ln f(t_k - t_(k-1)),
//
// with p1, p0 the densities of heights at spikes and elsewhere, and f that of the intervals of a
// renewal process whose mean follows the unit's rate: what the height leaves open, the rhythm
// decides. The best train is found exactly by dynamic programming over the peaks.

// --- densities ---

// Heights are Gaussian about 1 and about 0, and a few are anything: spikes spoilt by others, and
// what others leave behind, which is the rarer the higher.
static const double odd_spike_share = 0.03, odd_rate = 5e-4, odd_height = 0.15;

static double gaussian(double deviation, double variance) {
  return exp(-0.5 * deviation * deviation / variance) / sqrt(2 * M_PI * variance);
}

static double height_evidence(double y, double spike_variance, double noise_variance) {
  double spike = (1 - odd_spike_share) * gaussian(y - 1, spike_variance) +
                 odd_spike_share * (y < 1.5 ? 0.8 : 0.8 * exp((1.5 - y) / odd_height));
  double noise = gaussian(y, noise_variance) + odd_rate * exp(-y / odd_height) / odd_height;
  return log(spike / noise);
}

double emg_noise_variance(const float *y, int64_t n, float *scratch) {
  const int64_t most = 8192;
  int64_t step = n / most + 1, count = 0;

  for (int64_t i = 0; i < n; i += step) {
    scratch[count++] = fabsf(y[i]);
  }
  return emg_variance_of_median(scratch, count);
}

// --- the best train ---

emg_status emg_detector_create(int64_t n_most, int64_t refractory, emg_detector *out,
                               emg_error *err) {
  size_t n = (size_t)(n_most / 2 + 1);
  emg_status status;

  *out = (emg_detector){.refractory = refractory};
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->place, &out->place, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->before, &out->before, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->evidence, &out->evidence, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->best, &out->best, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->mean, &out->mean, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->magnitude, &out->magnitude, err));

done:
  if (status != EMG_OK) {
    emg_detector_free(out);
  }
  return status;
}

void emg_detector_free(emg_detector *d) {
  free(d->place);
  free(d->before);
  free(d->evidence);
  free(d->best);
  free(d->mean);
  free(d->magnitude);
  *d = (emg_detector){0};
}

// Local maxima that could be spikes at all.
static int64_t find_candidates(emg_detector *d, const float *y, int64_t n, double spike_variance,
                               double noise_variance) {
  const float least = 0.25F;
  int64_t count = 0;

  for (int64_t i = 1; i < n - 1; i++) {
    if (y[i] > least && y[i] > y[i - 1] && y[i] >= y[i + 1]) {
      d->place[count] = i;
      d->evidence[count++] = height_evidence(y[i], spike_variance, noise_variance);
    }
  }
  return count;
}

// Variance of the heights at the spikes there are, not below that of the noise.
static double spike_variance_of(emg_detector *d, const float *y, int64_t n, const int64_t *spikes,
                                int64_t n_spikes, double noise_variance) {
  const double most = 0.09;
  int64_t count = 0;

  for (int64_t i = 0; i < n_spikes; i++) {
    if (spikes[i] >= 0 && spikes[i] < n) {
      d->magnitude[count++] = fabsf(y[spikes[i]] - 1);
    }
  }
  return fmax(fmin(emg_variance_of_median(d->magnitude, count), most), noise_variance);
}

// Mean interval at each candidate, from the spikes about it.
static void follow_rhythm(emg_detector *d, int64_t n_candidates, const int64_t *spikes,
                          int64_t n_spikes) {
  int64_t nearest = 0;

  for (int64_t i = n_candidates - 1, k = n_spikes - 1; i >= 0; i--) {
    while (k > 0 && spikes[k - 1] >= d->place[i]) {
      k--;
    }
    nearest = k;
    d->magnitude[i] = d->mean[nearest];
  }
  memcpy(d->mean, d->magnitude, (size_t)n_candidates * sizeof *d->mean);
}

// Best train that ends in each candidate: links to those within the time of a pause one by one, and
// one link to the best of all before.
static int64_t link(emg_detector *d, int64_t n, const emg_rhythm *rhythm) {
  double restart = emg_pause_evidence(rhythm), pause = rhythm->pause;
  double best_far = 0;
  int64_t at_far = -1, far = 0, last = -1;
  double total = 0;

  for (int64_t i = 0; i < n; i++) {
    while (far < i && (double)(d->place[i] - d->place[far]) >= pause) {
      if (d->best[far] > best_far) {
        best_far = d->best[far];
        at_far = far;
      }
      far++;
    }
    double most = best_far + restart;
    int64_t from = at_far;
    for (int64_t k = i - 1; k >= far; k--) {
      int64_t interval = d->place[i] - d->place[k];
      if (interval < d->refractory) {
        continue;
      }
      double value = d->best[k] + emg_interval_evidence(rhythm, (double)interval, d->mean[i]);
      if (value > most) {
        most = value;
        from = k;
      }
    }
    d->best[i] = most + d->evidence[i];
    d->before[i] = from;
    if (d->best[i] > total) {
      total = d->best[i];
      last = i;
    }
  }
  return last;
}

int64_t emg_detect(emg_detector *d, const float *y, int64_t n, double noise_variance,
                   double rate_hz, const int64_t *spikes, int64_t n_spikes, int64_t *places) {
  double noise = fmax(noise_variance, 1e-8);
  double spike_variance = spike_variance_of(d, y, n, spikes, n_spikes, noise);
  int64_t count = 0;

  emg_rhythm rhythm = emg_rhythm_of(spikes, n_spikes, rate_hz, d->mean, d->magnitude);
  int64_t n_candidates = find_candidates(d, y, n, spike_variance, noise);
  if (n_candidates == 0 || n_spikes == 0) {
    return 0;
  }
  follow_rhythm(d, n_candidates, spikes, n_spikes);
  for (int64_t i = link(d, n_candidates, &rhythm); i >= 0; i = d->before[i]) {
    places[count++] = d->place[i];
  }
  for (int64_t i = 0; i < count / 2; i++) {
    int64_t swap = places[i];
    places[i] = places[count - 1 - i];
    places[count - 1 - i] = swap;
  }
  return count;
}
