// activity.c -- discharges by likelihood, where the unit is likelier to be active than silent
//
// A source has height 1 at a discharge and noise of variance s2 elsewhere. With prior p that a peak
// is a discharge, this is likelier than not above 1/2 + s2 ln((1 - p)/p). That alone would let a
// unit that is silent for an hour fire on the tails of the noise, so a second question is asked of
// the train: two states, active and silent, with a cost for every change, and the likeliest
// sequence of them (Viterbi 1967). The noise is measured second by second: contraction and rest
// differ. Active, the unit discharges every interval_s on average, so time
// without discharges costs; a peak pays by what it is likelier as a discharge than as noise.
#include "follow_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

static const double threshold_most = 0.75;

// Prior that a peak is a discharge; it may lie a sample beside it.
static double prior_of(const emg_expectation *expected) {
  const double samples_around = 3;
  return fmin(samples_around / (expected->interval_s * expected->rate_hz), 0.5);
}

double emg_height_threshold(const emg_expectation *expected, double noise_variance) {
  double p = prior_of(expected);
  return fmin(0.5 + noise_variance * log((1 - p) / p), threshold_most);
}

// ln of how much likelier a peak of this height is as a discharge. Heights of discharges vary by a
// tenth beyond the noise. What is no discharge is noise or, rarely, a remainder of another unit of
// any height.
static double evidence_of(double height, const emg_expectation *expected, double noise_variance) {
  const double height_sd = 0.1, remainders = 1e-4;
  double noise = fmax(noise_variance, 1e-6), spread = noise + height_sd * height_sd;
  double as_discharge = -0.5 * (height - 1) * (height - 1) / spread - 0.5 * log(2 * M_PI * spread);
  double as_noise = exp(-0.5 * height * height / noise) / sqrt(2 * M_PI * noise) + remainders;
  return log(prior_of(expected)) + as_discharge - log(as_noise);
}

static int64_t step_of(double rate_hz) {
  return rate_hz > 1 ? (int64_t)rate_hz : 1;
}

// From the median of the absolute values, which a few discharges do not move.
static double noise_variance_of(const float *y, int64_t n) {
  enum { VALUES = 256 };
  const double median_of_normal = 0.6745;
  int64_t stride = n / VALUES > 1 ? n / VALUES : 1;
  float values[VALUES];
  int n_values = 0;

  for (int64_t t = 0; t < n && n_values < VALUES; t += stride) {
    values[n_values++] = fabsf(y[t]);
  }
  double sd = emg_median(values, n_values) / median_of_normal;
  return sd * sd;
}

int64_t emg_noise_steps(int64_t n_samples, double rate_hz) {
  int64_t n_steps = n_samples / step_of(rate_hz);
  return n_steps > 1 ? n_steps : 1;
}

void emg_noise_estimate(const float *y, int64_t n_samples, emg_expectation *expected) {
  int64_t step = step_of(expected->rate_hz);

  expected->n_steps = emg_noise_steps(n_samples, expected->rate_hz);
  for (int64_t k = 0; k < expected->n_steps; k++) {
    int64_t end = k == expected->n_steps - 1 ? n_samples : (k + 1) * step;
    expected->noise_variance[k] = noise_variance_of(y + k * step, end - k * step);
  }
}

double emg_noise_at(const emg_expectation *expected, int64_t sample) {
  int64_t k = sample / step_of(expected->rate_hz);
  return expected->noise_variance[k < expected->n_steps ? k : expected->n_steps - 1];
}

// Leave only what is above the threshold.
static void blank_noise(float *y, int64_t n_samples, const emg_expectation *expected) {
  int64_t step = step_of(expected->rate_hz);

  for (int64_t k = 0; k < expected->n_steps; k++) {
    int64_t end = k == expected->n_steps - 1 ? n_samples : (k + 1) * step;
    float threshold = (float)emg_height_threshold(expected, expected->noise_variance[k]);
    for (int64_t t = k * step; t < end; t++) {
      y[t] = y[t] > threshold ? y[t] : 0;
    }
  }
}

// Likeliest state of the unit at each of the peaks at ascending `place`: 1 active, 0 silent.
static void likeliest_states(int64_t n, const int64_t *place, const double *evidence,
                             int64_t n_samples, const emg_expectation *expected, uint8_t *state) {
  double change = log(expected->rate_hz);  // states last a second or more
  double silent = 0, active = 0, before = 0;
  enum { SILENT_FROM_ACTIVE = 1, ACTIVE_FROM_ACTIVE = 2 };

  for (int64_t i = 0; i < n; i++) {
    double time_s = (double)place[i] / expected->rate_hz;
    double stay = active - (time_s - before) / expected->interval_s, leave = active - change;
    double enter = silent - change;
    state[i] = (uint8_t)((leave > silent ? SILENT_FROM_ACTIVE : 0) |
                         (stay >= enter ? ACTIVE_FROM_ACTIVE : 0));
    silent = fmax(silent, leave);
    active = fmax(stay, enter) + evidence[i];
    before = time_s;
  }
  double rest_s = (double)n_samples / expected->rate_hz - before;
  bool is_active = fmax(active - rest_s / expected->interval_s, active - change) > silent;
  for (int64_t i = n - 1; i >= 0; i--) {
    uint8_t came = state[i];
    state[i] = is_active;
    is_active = came & (is_active ? ACTIVE_FROM_ACTIVE : SILENT_FROM_ACTIVE);
  }
}

emg_status emg_activity_picker_create(int64_t n_most, int64_t refractory, emg_activity_picker *out,
                                      emg_error *err) {
  *out = (emg_activity_picker){.spikes = NULL};
  EMG_TRY(emg_spike_picker_create(n_most, refractory, &out->peaks, err));
  size_t capacity = (size_t)emg_spike_picker_capacity(&out->peaks);
  emg_status status;

  EMG_TRY_DONE(emg_alloc(capacity, sizeof *out->spikes, &out->spikes, err));
  EMG_TRY_DONE(emg_alloc(capacity, sizeof *out->evidence, &out->evidence, err));
  EMG_TRY_DONE(emg_alloc(capacity, sizeof *out->state, &out->state, err));

done:
  if (status != EMG_OK) {
    emg_activity_picker_free(out);
  }
  return status;
}

void emg_activity_picker_free(emg_activity_picker *picker) {
  emg_spike_picker_free(&picker->peaks);
  free(picker->spikes);
  free(picker->evidence);
  free(picker->state);
  *picker = (emg_activity_picker){.spikes = NULL};
}

int64_t emg_pick_active(emg_activity_picker *picker, float *y, int64_t n_samples,
                        const emg_expectation *expected) {
  emg_spike_picker *peaks = &picker->peaks;
  int64_t n = 0, n_spikes = 0;

  blank_noise(y, n_samples, expected);
  emg_find_peaks(peaks, y, n_samples);
  for (int64_t slot = 0; slot <= n_samples / peaks->refractory; slot++) {
    if (peaks->rank_in_slot[slot] >= 0) {
      picker->spikes[n++] = peaks->place[peaks->rank_in_slot[slot]];
    }
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t at = picker->spikes[i];
    picker->evidence[i] = evidence_of(y[at], expected, emg_noise_at(expected, at));
  }
  likeliest_states(n, picker->spikes, picker->evidence, n_samples, expected, picker->state);
  for (int64_t i = 0; i < n; i++) {
    if (picker->state[i]) {
      picker->spikes[n_spikes++] = picker->spikes[i];
    }
  }
  return n_spikes;
}
