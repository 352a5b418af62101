// drive.c -- excitation of every muscle over time: a profile and the noise common to its pool
#include <math.h>
#include <stdlib.h>

#include <emgtwin/simulate.h>

#include "base/filter.h"
#include "pool_priv.h"

// --- profiles ---

static double trapezoid(const struct emg_config_drive *d, double t_s) {
  double fall_s = d->ramp_up_s + d->hold_s;

  if (t_s < d->ramp_up_s) {
    return d->level * t_s / d->ramp_up_s;
  }
  return t_s < fall_s ? d->level : d->level * (1 - (t_s - fall_s) / d->ramp_down_s);
}

static double steps(const struct emg_config_drive *d, double t_s) {
  int step = (int)(t_s / d->step_s);

  return d->step_levels.values[step < d->step_levels.n ? step : d->step_levels.n - 1];
}

// Length of one contraction of a profile that can be repeated.
static double contraction_s(const struct emg_config_drive *d) {
  switch (d->profile) {
    case EMG_DRIVE_RAMP:
      return d->ramp_up_s;
    case EMG_DRIVE_STEPS:
      return d->step_s * d->step_levels.n;
    default:
      return d->ramp_up_s + d->hold_s + d->ramp_down_s;
  }
}

// Excitation at t_s of a profile that is a formula, 0 at rest.
static double profile_at(const struct emg_config_drive *d, double t_s) {
  double from_start_s = t_s - d->start_s;

  if (from_start_s < 0) {
    return 0;
  }
  if (d->profile == EMG_DRIVE_CONSTANT) {
    return d->level;
  }
  if (d->profile == EMG_DRIVE_SINE) {
    return d->level + d->sine_amplitude * sin(2 * M_PI * d->sine_hz * from_start_s);
  }
  double length_s = contraction_s(d);
  double period_s = length_s + d->rest_s;
  double turn = period_s > 0 ? floor(from_start_s / period_s) : 0;
  double within_s = from_start_s - turn * period_s;

  if (turn >= d->repeats || within_s >= length_s) {
    return 0;
  }
  switch (d->profile) {
    case EMG_DRIVE_RAMP:
      return d->level * within_s / length_s;
    case EMG_DRIVE_STEPS:
      return steps(d, within_s);
    default:
      return trapezoid(d, within_s);
  }
}

static emg_status fill_from_formula(const struct emg_config_drive *d, double rate_hz, int64_t n,
                                    float *row, emg_error *err) {
  if (d->profile == EMG_DRIVE_STEPS && d->step_levels.n == 0) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "drive.step_levels is empty; give at least one level, as in [0.1, 0.2]");
  }
  for (int64_t i = 0; i < n; i++) {
    row[i] = (float)profile_at(d, (double)i / rate_hz);
  }
  return EMG_OK;
}

// Linear between the file's points, held before the first and after the last.
static emg_status fill_from_file(const emg_config *config, int muscle, double rate_hz, int64_t n,
                                 float *row, emg_error *err) {
  emg_array2d points;

  EMG_TRY(emg_drive_read_file(config->drive[muscle].file, config->directory, &points, err));
  const double *time_s = emg_row2d(&points, 0), *level = emg_row2d(&points, 1);
  int64_t n_points = points.n_cols, next = 0;

  for (int64_t i = 0; i < n; i++) {
    double t_s = (double)i / rate_hz;

    while (next < n_points && time_s[next] <= t_s) {
      next++;
    }
    if (next == 0 || next == n_points) {
      row[i] = (float)level[next == 0 ? 0 : n_points - 1];
    } else {
      double at = (t_s - time_s[next - 1]) / (time_s[next] - time_s[next - 1]);
      row[i] = (float)(level[next - 1] + at * (level[next] - level[next - 1]));
    }
  }
  emg_array2d_free(&points);
  return EMG_OK;
}

// --- noise ---

// Standard deviation that the filter makes of white noise of 1: root of the energy of its response.
static double filter_noise_gain(const emg_filter *filter, int64_t n, float *scratch) {
  double energy = 0;

  for (int64_t i = 0; i < n; i++) {
    scratch[i] = i == 0 ? 1.0F : 0.0F;
  }
  emg_filter_causal(filter, n, scratch);
  for (int64_t i = 0; i < n; i++) {
    energy += (double)scratch[i] * scratch[i];
  }
  return sqrt(energy);
}

emg_status emg_drive_noise(emg_rng *rng, double cutoff_hz, double rate_hz, int64_t n_samples,
                           float *noise, emg_error *err) {
  emg_filter filter = {0};
  float *values;

  EMG_TRY(emg_filter_lowpass(&filter, 2, cutoff_hz, rate_hz, err));
  // exp(-2 pi 4 / sqrt 2): the start is forgotten to 2e-8
  int64_t n_start = (int64_t)ceil(4 * rate_hz / cutoff_hz);
  EMG_TRY(emg_alloc((size_t)(n_start + n_samples), sizeof *values, &values, err));
  float scale = (float)(1 / filter_noise_gain(&filter, n_start, values));

  for (int64_t i = 0; i < n_start + n_samples; i++) {
    values[i] = (float)emg_rng_gaussian(rng);
  }
  emg_filter_causal(&filter, n_start + n_samples, values);
  for (int64_t i = 0; i < n_samples; i++) {
    noise[i] = scale * values[n_start + i];
  }
  free(values);
  return EMG_OK;
}

// Noise in proportion to the excitation, so that rest stays rest.
static emg_status add_common_noise(const emg_config *config, int muscle, double rate_hz, int64_t n,
                                   float *row, emg_error *err) {
  const struct emg_config_drive *d = &config->drive[muscle];
  emg_rng rng = emg_rng_stream(config->simulation.seed, EMG_RNG_COMMON_DRIVE, 0, (uint32_t)muscle);
  float *noise;

  if (d->common_noise == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)n, sizeof *noise, &noise, err));
  emg_status status = emg_drive_noise(&rng, d->common_noise_cutoff_hz, rate_hz, n, noise, err);
  if (status == EMG_OK) {
    for (int64_t i = 0; i < n; i++) {
      row[i] *= 1 + (float)d->common_noise * noise[i];
    }
  }
  free(noise);
  return status;
}

// --- the whole ---

static emg_status fill_row(const emg_config *config, int muscle, int64_t n, float *row,
                           emg_error *err) {
  double rate_hz = config->simulation.sampling_rate_hz;

  if (config->drive[muscle].profile == EMG_DRIVE_FILE) {
    EMG_TRY(fill_from_file(config, muscle, rate_hz, n, row, err));
  } else {
    EMG_TRY(fill_from_formula(&config->drive[muscle], rate_hz, n, row, err));
  }
  EMG_TRY(add_common_noise(config, muscle, rate_hz, n, row, err));
  for (int64_t i = 0; i < n; i++) {
    row[i] = fminf(fmaxf(row[i], 0), 1);
  }
  return EMG_OK;
}

emg_status emg_drive_create(const emg_model *model, emg_array2f *excitation, emg_error *err) {
  const emg_config *config = &model->config;
  int64_t n = llround(config->simulation.duration_s * config->simulation.sampling_rate_hz);

  EMG_TRY(emg_array2f_create(model->n_muscles, n, excitation, err));
  for (int m = 0; m < model->n_muscles; m++) {
    emg_status status = fill_row(config, m, n, emg_row2f(excitation, m), err);
    if (status != EMG_OK) {
      emg_array2f_free(excitation);
      return status;
    }
  }
  return EMG_OK;
}
