// sensor.c -- from the clean signal to the recording: noise, interference, amplifier, faults, ADC
#include <math.h>
#include <stdlib.h>

#include "base/filter.h"
#include "sensor_priv.h"

static const double no_noise_db = 200;

// --- what the configuration asks for ---

bool emg_sensor_has_noise(const emg_config *config) {
  return config->sensor.snr_db < no_noise_db;
}

static bool has_amplifier(const struct emg_config_sensor *sensor) {
  return sensor->bandpass_low_hz > 0 || sensor->bandpass_high_hz > 0;
}

static bool has_motion(const struct emg_config_sensor *sensor) {
  return sensor->motion_uv > 0 && sensor->motion_per_s > 0;
}

static bool has_channel_faults(const struct emg_config_sensor *sensor) {
  return sensor->dead_channels + sensor->noisy_channels + sensor->saturated_channels +
             sensor->intermittent_channels >
         0;
}

static emg_status design_amplifier(const emg_config *config, emg_filter *out, emg_error *err) {
  const struct emg_config_sensor *sensor = &config->sensor;
  double rate_hz = config->simulation.sampling_rate_hz;

  *out = (emg_filter){0};
  if (sensor->bandpass_high_hz > 0 && sensor->bandpass_low_hz >= sensor->bandpass_high_hz) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "sensor.bandpass_low_hz = %g Hz is not below sensor.bandpass_high_hz = %g Hz; "
                    "change one of them",
                    sensor->bandpass_low_hz, sensor->bandpass_high_hz);
  }
  return emg_filter_amplifier(out, sensor->bandpass_low_hz, sensor->bandpass_high_hz, rate_hz, err);
}

static emg_status check_noise_band(const emg_config *config, emg_error *err) {
  const struct emg_config_sensor *sensor = &config->sensor;
  double high_hz = fmin(sensor->noise_high_hz, config->simulation.sampling_rate_hz / 2);

  if (sensor->noise_colour != EMG_NOISE_WHITE && !(sensor->noise_low_hz < high_hz)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "sensor.noise_low_hz = %g Hz is not below the upper edge of the noise, %g Hz; "
                    "lower it or raise sensor.noise_high_hz",
                    sensor->noise_low_hz, high_hz);
  }
  return EMG_OK;
}

emg_status emg_sensor_check(const emg_model *model, emg_error *err) {
  const emg_config *config = &model->config;
  int n_channels = model->montage.weights.n_rows;
  emg_filter amplifier;
  emg_channel *labels;

  EMG_TRY(check_noise_band(config, err));
  EMG_TRY(design_amplifier(config, &amplifier, err));
  if (config->sensor.mains_uv > 0) {
    emg_mains mains;
    EMG_TRY(emg_mains_create(config, n_channels, &mains, err));
    emg_mains_free(&mains);
  }
  EMG_TRY(emg_alloc((size_t)n_channels, sizeof *labels, &labels, err));
  emg_status status = emg_faults_choose(config, n_channels, labels, err);
  free(labels);
  return status;
}

// --- signal-to-noise ratio ---

emg_span emg_active_span(const emg_spikes *spikes, int64_t n_samples) {
  emg_span span = {n_samples, 0};

  for (int64_t i = 0; i < spikes->offsets[spikes->n_units]; i++) {
    int64_t at = spikes->samples[i];
    span.begin = at < span.begin ? at : span.begin;
    span.end = at + 1 > span.end ? at + 1 : span.end;
  }
  return span.end > 0 ? span : (emg_span){0, n_samples};
}

double emg_row_energy(const float *row, emg_span span) {
  double sum = 0;

  for (int64_t i = span.begin; i < span.end; i++) {
    sum += (double)row[i] * row[i];
  }
  return sum;
}

double emg_mean_power(const double *energies, const emg_channel *channels, int n_channels,
                      emg_span span) {
  double sum = 0;
  int n_good = 0;

  for (int c = 0; c < n_channels; c++) {
    if (channels[c].state == EMG_CHANNEL_GOOD) {
      sum += energies[c];
      n_good++;
    }
  }
  return sum / ((double)n_good * (double)(span.end - span.begin));
}

// Mean square over good channels and a span. Rows are summed one by one, then in order, so threads
// do not matter.
static emg_status mean_square(const emg_array2f *x, const emg_channel *channels, emg_span span,
                              double *out, emg_error *err) {
  double *energies;

  EMG_TRY(emg_alloc((size_t)x->n_rows, sizeof *energies, &energies, err));
#pragma omp parallel for schedule(static)
  for (int c = 0; c < x->n_rows; c++) {
    energies[c] = emg_row_energy(emg_row2f(x, c), span);
  }
  *out = emg_mean_power(energies, channels, x->n_rows, span);
  free(energies);
  return EMG_OK;
}

emg_status emg_sensor_set_noise(emg_sensor *s, double clean_power, double noise_power,
                                emg_error *err) {
  double snr_db = s->config->sensor.snr_db;

  if (!(clean_power > 0)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "no motor unit is seen at this excitation, so sensor.snr_db = %g dB has no "
                    "meaning; raise drive.level, or set sensor.snr_db to %g for no noise",
                    snr_db, no_noise_db);
  }
  s->noise_scale = sqrt(clean_power / noise_power * pow(10, -snr_db / 10));
  return EMG_OK;
}

double emg_sensor_snr_db(double clean_power, double noise_power) {
  return noise_power > 0 && clean_power > 0
             ? fmin(10 * log10(clean_power / noise_power), no_noise_db)
             : no_noise_db;
}

// --- from rows of signal and noise to the recording ---

static void add_interference(const emg_sensor *s, int channel, int64_t n, float *row, float *mask) {
  if (s->mains.gains) {
    emg_mains_add(&s->mains, channel, n, row);
  }
  if (s->motion_scratch) {
    int length = emg_motion_max_samples(s->config->simulation.sampling_rate_hz);
    emg_motion_add(s->config, channel, n, row, mask,
                   s->motion_scratch + (ptrdiff_t)channel * length);
  }
  if (s->mains.gains || s->motion_scratch) {
    emg_filter_causal(&s->amplifier, n, row);
  }
}

// Round to the converter's steps and hold at its limits.
static void convert(const struct emg_config_sensor *sensor, int64_t n, float *row, float *mask) {
  double codes = ldexp(1, sensor->adc_bits);
  double step_uv = 1e3 * sensor->adc_range_mv / codes;

  for (int64_t i = 0; i < n; i++) {
    double code = nearbyint(row[i] / step_uv);
    if (code < -codes / 2 || code > codes / 2 - 1) {
      code = code < 0 ? -codes / 2 : codes / 2 - 1;
      mask[i] = 1;
    }
    row[i] = (float)(code * step_uv);
  }
}

void emg_sensor_finish_row(const emg_sensor *s, int channel, emg_channel_state state, int64_t n,
                           const float *clean, float *noise, float *row, float *mask) {
  float scale = (float)(s->noise_scale * emg_fault_noise_gain(s->config, channel, state));

  // the row first holds the interference, which passes the amplifier like everything else
  for (int64_t i = 0; i < n; i++) {
    row[i] = 0;
  }
  add_interference(s, channel, n, row, mask);
  for (int64_t i = 0; i < n; i++) {
    noise[i] = scale * noise[i] + row[i];
    row[i] = clean[i] + noise[i];
  }
  if (state != EMG_CHANNEL_GOOD) {
    emg_fault_apply(s->config, channel, state, n, noise, row, mask);
  }
  if (s->config->sensor.adc_bits > 0) {
    convert(&s->config->sensor, n, row, mask);
  }
  for (int64_t i = 0; i < n; i++) {
    noise[i] = row[i] - clean[i];
  }
}

bool emg_sensor_can_fault(const emg_config *config) {
  return has_channel_faults(&config->sensor) || has_motion(&config->sensor) ||
         config->sensor.adc_bits > 0;
}

void emg_sensor_amplify(const emg_sensor *s, emg_array2f *x) {
  if (!has_amplifier(&s->config->sensor)) {
    return;
  }
#pragma omp parallel for schedule(static)
  for (int c = 0; c < x->n_rows; c++) {
    emg_filter_causal(&s->amplifier, x->n_cols, emg_row2f(x, c));
  }
}

bool emg_is_marked(const float *mask, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (mask[i] != 0) {
      return true;
    }
  }
  return false;
}

static bool is_any_marked(const emg_array2f *mask) {
  for (int c = 0; c < mask->n_rows; c++) {
    if (emg_is_marked(emg_row2f(mask, c), mask->n_cols)) {
      return true;
    }
  }
  return false;
}

static emg_status check_shapes(const emg_model *model, const emg_array2f *clean,
                               const emg_recording *recording, emg_error *err) {
  int n_channels = model->montage.weights.n_rows;

  if (clean->n_rows != n_channels || recording->data.n_rows != n_channels ||
      recording->data.n_cols != clean->n_cols || clean->n_cols < 1) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a clean signal of %d x %lld and a recording of %d x %lld do not fit a montage "
                    "of %d channels",
                    clean->n_rows, (long long)clean->n_cols, recording->data.n_rows,
                    (long long)recording->data.n_cols, n_channels);
  }
  return EMG_OK;
}

emg_status emg_sensor_open(const emg_model *model, emg_sensor *out, emg_error *err) {
  const emg_config *config = &model->config;
  int n_channels = model->montage.weights.n_rows;

  *out = (emg_sensor){.config = config};
  EMG_TRY(check_noise_band(config, err));
  EMG_TRY(design_amplifier(config, &out->amplifier, err));
  if (config->sensor.mains_uv > 0) {
    EMG_TRY(emg_mains_create(config, n_channels, &out->mains, err));
  }
  if (has_motion(&config->sensor)) {
    int length = emg_motion_max_samples(config->simulation.sampling_rate_hz);
    EMG_TRY(
        emg_alloc((size_t)n_channels * (size_t)length, sizeof(float), &out->motion_scratch, err));
  }
  return EMG_OK;
}

void emg_sensor_close(emg_sensor *s) {
  emg_mains_free(&s->mains);
  free(s->motion_scratch);
  *s = (emg_sensor){0};
}

emg_status emg_sensor_apply(const emg_model *model, emg_array2f *clean, const emg_spikes *spikes,
                            emg_recording *recording, emg_array2f *noise, emg_array2f *fault,
                            double *snr_db, emg_error *err) {
  const emg_config *config = &model->config;
  emg_sensor s = {0};
  double clean_power, noise_power;
  emg_status status;

  *noise = *fault = (emg_array2f){0};
  *snr_db = no_noise_db;
  EMG_TRY_DONE(check_shapes(model, clean, recording, err));
  EMG_TRY_DONE(emg_sensor_open(model, &s, err));
  EMG_TRY_DONE(emg_faults_choose(config, clean->n_rows, recording->channels, err));
  EMG_TRY_DONE(emg_array2f_create(clean->n_rows, clean->n_cols, noise, err));
  if (emg_sensor_can_fault(config)) {
    EMG_TRY_DONE(emg_array2f_create(clean->n_rows, clean->n_cols, fault, err));
  }

  // signal and noise pass the amplifier; the ratio is set on what comes out
  const emg_span span = emg_active_span(spikes, clean->n_cols);
  emg_sensor_amplify(&s, clean);
  EMG_TRY_DONE(mean_square(clean, recording->channels, span, &clean_power, err));
  if (emg_sensor_has_noise(config)) {
    EMG_TRY_DONE(emg_noise_create(config, recording->channels, noise, err));
    emg_sensor_amplify(&s, noise);
    EMG_TRY_DONE(mean_square(noise, recording->channels, span, &noise_power, err));
    EMG_TRY_DONE(emg_sensor_set_noise(&s, clean_power, noise_power, err));
  }

#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < clean->n_rows; c++) {
    emg_sensor_finish_row(&s, c, recording->channels[c].state, clean->n_cols, emg_row2f(clean, c),
                          emg_row2f(noise, c), emg_row2f(&recording->data, c),
                          fault->data ? emg_row2f(fault, c) : NULL);
  }
  if (fault->data && !is_any_marked(fault)) {
    emg_array2f_free(fault);
  }
  EMG_TRY_DONE(mean_square(noise, recording->channels, span, &noise_power, err));
  *snr_db = emg_sensor_snr_db(clean_power, noise_power);

done:
  emg_sensor_close(&s);
  if (status != EMG_OK) {
    emg_array2f_free(noise);
    emg_array2f_free(fault);
  }
  return status;
}
