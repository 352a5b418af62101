// plausible.c -- is it a motor unit? what a train that is none fails at
#include "plausible_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

#include "source_priv.h"

// Samples about spikes, each as an offset from the nearest one.
typedef struct {
  int64_t guard, reach;  // those from guard to reach samples away count
  double *sum;           // [2 reach + 1] of the source, by offset
  int64_t *count;
} surroundings;

// Call for every sample about the spikes: adds it to the mean at its offset, or, with `out`, writes
// how far it is from that mean. Returns their number.
static int64_t visit_surroundings(const surroundings *s, const float *source, int64_t n_samples,
                                  const int64_t *spikes, int64_t n_spikes, float *out) {
  int64_t n = 0, next = 0;

  for (int64_t i = 0; i < n_samples; i++) {
    while (next < n_spikes && spikes[next] < i) {
      next++;
    }
    int64_t after = next < n_spikes ? spikes[next] - i : INT64_MAX;
    int64_t before = next > 0 ? i - spikes[next - 1] : INT64_MAX;
    int64_t nearest = before < after ? before : after;
    if (nearest < s->guard || nearest > s->reach) {
      continue;
    }
    int64_t offset = s->reach + (before < after ? before : -after);
    if (out) {
      out[n] = fabsf(source[i] - (float)(s->sum[offset] / (double)s->count[offset]));
    } else {
      s->sum[offset] += source[i];
      s->count[offset]++;
    }
    n++;
  }
  return n;
}

emg_status emg_local_contrast(const float *source, int64_t n_samples, const int64_t *spikes,
                              int64_t n_spikes, double rate_hz, double *contrast, emg_error *err) {
  const double guard_s = 0.004, reach_s = 0.012;
  surroundings s = {.guard = (int64_t)ceil(guard_s * rate_hz),
                    .reach = (int64_t)(reach_s * rate_hz)};
  size_t n_offsets = (size_t)(2 * s.reach + 1);
  float *values = NULL;
  emg_status status;

  *contrast = 0;
  EMG_TRY_DONE(emg_alloc(n_offsets, sizeof *s.sum, &s.sum, err));
  EMG_TRY_DONE(emg_alloc(n_offsets, sizeof *s.count, &s.count, err));
  // what the filter makes of the unit itself is no noise: it is taken away as the mean
  int64_t n = visit_surroundings(&s, source, n_samples, spikes, n_spikes, NULL);
  EMG_TRY_DONE(emg_alloc((size_t)(n > n_spikes ? n : n_spikes), sizeof *values, &values, err));
  for (int64_t i = 0; i < n_spikes; i++) {
    values[i] = source[spikes[i]];
  }
  double height = emg_median(values, n_spikes);
  visit_surroundings(&s, source, n_samples, spikes, n_spikes, values);
  double sd = emg_median(values, n) / 0.6745;
  *contrast = sd > 0 ? height / sd : 0;

done:
  free(s.sum);
  free(s.count);
  free(values);
  return status;
}

// Share of the energy that the mean over the channels explains.
static double common_share(const float *average, int64_t n_rows, int n_channels, ptrdiff_t stride) {
  double common = 0, all = 0;

  for (int64_t row = 0; row < n_rows; row++) {
    double sum = 0;
    for (int c = 0; c < n_channels; c++) {
      double value = average[(row * n_channels + c) * stride];
      sum += value;
      all += value * value;
    }
    common += sum * sum / n_channels;
  }
  return all > 0 ? common / all : 0;
}

// Median of the intervals in seconds, and their median deviation from it as a share of it.
static emg_status measure_rhythm(const int64_t *spikes, int64_t n_spikes, double rate_hz,
                                 double *median_s, double *deviation, emg_error *err) {
  int64_t n = n_spikes > 1 ? n_spikes - 1 : 0;
  float *intervals;

  *median_s = *deviation = 0;
  EMG_TRY(emg_alloc((size_t)n, sizeof *intervals, &intervals, err));
  for (int64_t i = 0; i < n; i++) {
    intervals[i] = (float)((double)(spikes[i + 1] - spikes[i]) / rate_hz);
  }
  double median = emg_median(intervals, n);
  for (int64_t i = 0; i < n; i++) {
    intervals[i] = fabsf(intervals[i] - (float)median);
  }
  *median_s = median;
  *deviation = median > 0 ? emg_median(intervals, n) / median : 0;
  free(intervals);
  return EMG_OK;
}

emg_status emg_is_artefact(const float *average, int64_t n_rows, int n_channels, ptrdiff_t stride,
                           const int64_t *spikes, int64_t n_spikes, double rate_hz,
                           bool *is_artefact, emg_error *err) {
  // Gaussian intervals of CoV 0.05 deviate by 0.034 in the median
  const double common_least = 0.95, deviation_least = 0.03, interval_most_s = 0.25;
  const int channels_least = 8;
  double median_s, deviation;

  EMG_TRY(measure_rhythm(spikes, n_spikes, rate_hz, &median_s, &deviation, err));
  *is_artefact = n_channels >= channels_least &&
                 (deviation < deviation_least || median_s > interval_most_s) &&
                 common_share(average, n_rows, n_channels, stride) > common_least;
  return EMG_OK;
}
