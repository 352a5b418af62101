// rhythm.c -- the intervals of a unit, as a renewal process whose mean follows its rate
#include "joint_priv.h"

#include <math.h>
#include <stdlib.h>

// Intervals are Gaussian about the local mean, and some are anything: pauses and missed spikes make
// long ones, short ones are rare.
static const double odd_share = 0.1, odd_short_share = 0.01, odd_s = 0.2, short_part = 0.6;
static const double pause_s = 0.4;

double emg_variance_of_median(float *magnitudes, int64_t n) {
  double sd = emg_median(magnitudes, n) / 0.6745;
  return sd * sd;
}

// Median of the intervals about each spike, of those that are no pauses; `fallback` where there are
// too few.
static void local_intervals(const int64_t *spikes, int64_t n, double pause, double fallback,
                            float *mean) {
  enum { AROUND = 8, LEAST = 3 };
  for (int64_t i = 0; i < n; i++) {
    double values[2 * AROUND];
    int count = 0;
    for (int64_t k = i - AROUND; k < i + AROUND; k++) {
      if (k >= 0 && k + 1 < n && (double)(spikes[k + 1] - spikes[k]) < pause) {
        double value = (double)(spikes[k + 1] - spikes[k]);
        int at = count++;
        while (at > 0 && values[at - 1] > value) {
          values[at] = values[at - 1];
          at--;
        }
        values[at] = value;
      }
    }
    mean[i] = (float)(count >= LEAST ? values[count / 2] : fallback);
  }
}

// How irregular the intervals are about their local means, as a share of these.
static double irregularity_of(const int64_t *spikes, int64_t n, double pause, const float *mean,
                              float *scratch) {
  const double least = 0.1, most = 0.5;
  int64_t count = 0;

  for (int64_t i = 0; i + 1 < n; i++) {
    double interval = (double)(spikes[i + 1] - spikes[i]);
    if (interval < pause) {
      scratch[count++] = (float)fabs(interval / mean[i] - 1);
    }
  }
  return fmin(fmax(sqrt(emg_variance_of_median(scratch, count)), least), most);
}

emg_rhythm emg_rhythm_of(const int64_t *spikes, int64_t n, double rate_hz, float *mean,
                         float *scratch) {
  const double fallback_s = 0.1;
  emg_rhythm rhythm = {.pause = pause_s * rate_hz, .odd = odd_s * rate_hz};

  local_intervals(spikes, n, rhythm.pause, fallback_s * rate_hz, mean);
  rhythm.irregularity = irregularity_of(spikes, n, rhythm.pause, mean, scratch);
  return rhythm;
}

double emg_interval_evidence(const emg_rhythm *rhythm, double interval, double mean) {
  double sd = rhythm->irregularity * mean, deviation = (interval - mean) / sd;
  double usual = (1 - odd_share) * exp(-0.5 * deviation * deviation) / (sqrt(2 * M_PI) * sd);
  double share = interval < short_part * mean ? odd_short_share : odd_share;

  return log(usual + share * exp(-interval / rhythm->odd) / rhythm->odd);
}

double emg_pause_evidence(const emg_rhythm *rhythm) {
  return log(odd_share * exp(-rhythm->pause / rhythm->odd) / rhythm->odd);
}
