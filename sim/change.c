// change.c -- slow states of the fibres over a recording: fatigue and shortening
#include <math.h>
#include <stdlib.h>

#include <emgtwin/simulate.h>

#include "pool_priv.h"

// Mean over muscles of a figure of their excitation at sample k.
static double share_active(const emg_array2f *excitation, int64_t k) {
  int n_active = 0;

  for (int m = 0; m < excitation->n_rows; m++) {
    n_active += emg_row2f(excitation, m)[k] > 0;
  }
  return (double)n_active / excitation->n_rows;
}

static double mean_excitation(const emg_array2f *excitation, int64_t begin, int64_t end) {
  double sum = 0;

  for (int m = 0; m < excitation->n_rows; m++) {
    const float *row = emg_row2f(excitation, m);
    for (int64_t k = begin; k < end; k++) {
      sum += row[k];
    }
  }
  return sum / ((double)excitation->n_rows * (double)(end - begin));
}

// Sample at a fraction of the recording, within it.
static int64_t sample_at(double fraction, int64_t n_samples) {
  return llround(fmin(fmax(fraction, 0), 1) * (double)n_samples);
}

// Velocity falls while muscles are excited. Shortening follows the excitation, averaged over the
// time for which a state stands: half way to its neighbours.
static void fill_states(const emg_model *model, const emg_array2f *excitation, int n_states,
                        emg_change_state *states) {
  const struct emg_config_change *change = &model->config.change;
  const double least_cv_factor = 0.5;
  double rate_hz = model->config.simulation.sampling_rate_hz;
  double active_s = 0;
  int64_t n_samples = excitation->n_cols, k = 0;

  for (int s = 0; s < n_states; s++) {
    double at = (double)s / (n_states - 1), half = 0.5 / (n_states - 1);
    int64_t begin = sample_at(at - half, n_samples), end = sample_at(at + half, n_samples);

    for (; k < sample_at(at, n_samples); k++) {
      active_s += share_active(excitation, k) / rate_hz;
    }
    states[s] = (emg_change_state){
        .time_s = at * (double)n_samples / rate_hz,
        .cv_factor = fmax(1 - change->cv_decline_per_s * active_s, least_cv_factor),
        .shortening = change->shortening * mean_excitation(excitation, begin, end)};
  }
}

emg_status emg_change_states(const emg_model *model, const emg_array2f *excitation, int *n_states,
                             emg_change_state **out, emg_error *err) {
  int n = model->config.change.states;

  if (excitation->n_rows != model->n_muscles || excitation->n_cols < n) {
    return emg_fail(err, EMG_ERR_ARG,
                    "excitation of %d rows and %lld samples for %d muscles and %d states",
                    excitation->n_rows, (long long)excitation->n_cols, model->n_muscles, n);
  }
  EMG_TRY(emg_alloc((size_t)n, sizeof **out, out, err));
  if (n == 1) {
    (*out)[0] = (emg_change_state){.time_s = 0, .cv_factor = 1, .shortening = 0};
  } else {
    fill_states(model, excitation, n, *out);
  }
  *n_states = n;
  return EMG_OK;
}
