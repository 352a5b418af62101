// force.c -- force of every muscle as the sum of its units' twitches (Fuglevand et al. 1993)
#include <math.h>
#include <stdlib.h>

#include <emgtwin/simulate.h>

#include "pool_priv.h"
#include "simulate_priv.h"

static double sigmoid(double x) {
  return 1 - exp(-2 * x * x * x);
}

// Gain of a twitch by T / ISI, 1 while twitches do not fuse (eq. 16 and 17).
static double twitch_gain(double time_over_interval) {
  const double unfused = 0.4;

  if (time_over_interval < unfused) {
    return 1;
  }
  return (sigmoid(time_over_interval) / time_over_interval) / (sigmoid(unfused) / unfused);
}

// Mean gain of a unit at a constant rate: over the distribution of its intervals, because the gain
// is not linear in them.
static double mean_gain(const emg_motor_unit *unit, double rate_hz, double isi_min_s) {
  const int n_points = 64;
  const double reach = 3.9;
  double sum = 0, weights = 0;

  for (int i = 0; i < n_points; i++) {
    double z = reach * ((2 * i + 1.0) / n_points - 1), weight = exp(-z * z / 2);
    double interval_s = fmax((1 + unit->isi_cov * z) / rate_hz, isi_min_s);
    sum += weight * twitch_gain(unit->twitch_time_s / interval_s);
    weights += weight;
  }
  return sum / weights;
}

// Mean force of a muscle at maximal excitation: every unit at its constant rate r there gives
// r times the area e P T of its twitch times the mean gain.
static double maximal_force(const emg_model *model, int muscle) {
  double isi_min_s = 1e-3 * model->config.pool[muscle].isi_min_ms;
  double sum = 0;

  for (int u = 0; u < model->n_units; u++) {
    const emg_motor_unit *unit = &model->units[u];

    if (unit->muscle == muscle) {
      double rate_hz = emg_unit_rate_hz(&model->config, unit, 1);
      sum += unit->twitch_force * mean_gain(unit, rate_hz, isi_min_s) * M_E * unit->twitch_time_s *
             rate_hz;
    }
  }
  return sum;
}

// Adds f(t) = gain P (t/T) exp(1 - t/T) from every discharge on. A sample d later the twitch is
// amplitude * d * a^d with a = exp(-dt/T), so two running sums carry all twitches at once.
static void add_unit(const emg_motor_unit *unit, const int64_t *train, int64_t n_train,
                     double rate_hz, int64_t n_samples, double *force) {
  double per_sample = 1 / (rate_hz * unit->twitch_time_s);
  double a = exp(-per_sample);
  double unit_amplitude = unit->twitch_force * M_E * per_sample;
  double sum = 0, ramp_sum = 0;  // of amplitude a^d and of amplitude d a^d
  int64_t next = 0;

  for (int64_t k = 0; k < n_samples; k++) {
    ramp_sum = a * (ramp_sum + sum);
    sum *= a;
    if (next < n_train && train[next] == k) {
      double interval_s = next > 0 ? (double)(k - train[next - 1]) / rate_hz : INFINITY;
      sum += unit_amplitude * twitch_gain(unit->twitch_time_s / interval_s);
      next++;
    } else if (ramp_sum < 1e-12 * unit_amplitude) {
      // at rest until the next discharge
      if (next == n_train) {
        break;
      }
      if (sum < 1e-12 * unit_amplitude) {
        sum = ramp_sum = 0;
        k = train[next] - 1;
        continue;
      }
    }
    force[k] += ramp_sum;
  }
}

void emg_muscle_force(const emg_model *model, const emg_spikes *spikes, int muscle, double *sum,
                      float *force) {
  double maximal = maximal_force(model, muscle);

  for (int64_t k = 0; k < spikes->n_samples; k++) {
    sum[k] = 0;
  }
  for (int u = 0; u < model->n_units; u++) {
    if (model->units[u].muscle == muscle) {
      add_unit(&model->units[u], emg_spikes_of(spikes, u), emg_spikes_count(spikes, u),
               spikes->rate_hz, spikes->n_samples, sum);
    }
  }
  for (int64_t k = 0; k < spikes->n_samples; k++) {
    force[k] = (float)(sum[k] / maximal);
  }
}

emg_status emg_twitch_force(const emg_model *model, const emg_spikes *spikes, emg_array2f *force,
                            emg_error *err) {
  double *sum;

  if (spikes->n_units != model->n_units || spikes->n_samples <= 0) {
    return emg_fail(err, EMG_ERR_ARG, "%d spike trains of %lld samples for a model of %d units",
                    spikes->n_units, (long long)spikes->n_samples, model->n_units);
  }
  EMG_TRY(emg_array2f_create(model->n_muscles, spikes->n_samples, force, err));
  emg_status status = emg_alloc((size_t)spikes->n_samples, sizeof *sum, &sum, err);
  if (status != EMG_OK) {
    emg_array2f_free(force);
    return status;
  }
  for (int m = 0; m < model->n_muscles; m++) {
    emg_muscle_force(model, spikes, m, sum, emg_row2f(force, m));
  }
  free(sum);
  return EMG_OK;
}
