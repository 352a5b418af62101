// test_sensor.c -- faults and their labels, interference, amplifier, converter, and what is refused
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "base/fft.h"
#include "base/filter.h"

enum { N_ROWS = 5, N_COLUMNS = 4, N_CHANNELS = N_ROWS * N_COLUMNS, N_SAMPLES = 20000 };
static const double rate_hz = 2000;

// A sensor in use: white "EMG" of 50 uV, discharges from sample 1000 to 18999.
typedef struct {
  emg_model model;
  emg_array2f before, clean, noise, fault;
  emg_spikes spikes;
  emg_recording recording;
  double snr_db;
} bench;

static void set_up(bench *b) {
  *b = (bench){0};
  emg_config *config = &b->model.config;
  emg_config_defaults(config);
  config->simulation.sampling_rate_hz = rate_hz;
  config->electrodes.rows = N_ROWS;
  config->electrodes.columns = N_COLUMNS;
  emg_conductor conductor;
  assert_int_equal(emg_conductor_from_config(config, &conductor, NULL), EMG_OK);
  assert_int_equal(emg_electrodes_create(config, &conductor, &b->model.electrodes, NULL), EMG_OK);
  assert_int_equal(emg_montage_create(config, &b->model.electrodes, &b->model.montage, NULL),
                   EMG_OK);
  assert_int_equal(emg_array2f_create(N_CHANNELS, N_SAMPLES, &b->before, NULL), EMG_OK);
  assert_int_equal(emg_array2f_create(N_CHANNELS, N_SAMPLES, &b->clean, NULL), EMG_OK);
  for (int c = 0; c < N_CHANNELS; c++) {
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int i = 0; i < N_SAMPLES; i++) {
      emg_row2f(&b->before, c)[i] = 50 * (float)emg_rng_gaussian(&rng);
    }
  }
  assert_int_equal(emg_spikes_create(1, (int64_t[]){2}, rate_hz, N_SAMPLES, &b->spikes, NULL),
                   EMG_OK);
  b->spikes.samples[0] = 1000;
  b->spikes.samples[1] = 18999;
}

static emg_status apply(bench *b, emg_error *err) {
  emg_recording_free(&b->recording);
  emg_array2f_free(&b->noise);
  emg_array2f_free(&b->fault);
  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &b->recording, NULL),
                   EMG_OK);
  memcpy(b->recording.channels, b->model.montage.channels, N_CHANNELS * sizeof(emg_channel));
  memcpy(b->clean.data, b->before.data,
         N_CHANNELS * (size_t)b->before.stride * sizeof *b->before.data);
  return emg_sensor_apply(&b->model, &b->clean, &b->spikes, &b->recording, &b->noise, &b->fault,
                          &b->snr_db, err);
}

static void must_apply(bench *b) {
  emg_error err = {0};
  if (apply(b, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

static void tear_down(bench *b) {
  emg_array2f_free(&b->before);
  emg_array2f_free(&b->clean);
  emg_array2f_free(&b->noise);
  emg_array2f_free(&b->fault);
  emg_spikes_free(&b->spikes);
  emg_recording_free(&b->recording);
  emg_montage_free(&b->model.montage);
  emg_electrodes_free(&b->model.electrodes);
}

static double rms(const float *x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += (double)x[i] * x[i];
  }
  return sqrt(sum / (double)n);
}

// Mean square of `x` between two frequencies, from the whole row.
static double band_power(const float *x, double low_hz, double high_hz) {
  double *wide = malloc(N_SAMPLES * sizeof *wide), power = 0;
  double complex *spectrum = malloc((N_SAMPLES / 2 + 1) * sizeof *spectrum);
  assert_non_null(wide);
  assert_non_null(spectrum);
  for (int i = 0; i < N_SAMPLES; i++) {
    wide[i] = x[i];
  }
  assert_int_equal(emg_fft_forward(N_SAMPLES, 1, wide, spectrum, NULL), EMG_OK);
  for (int k = 1; k < N_SAMPLES / 2; k++) {
    double frequency_hz = k * rate_hz / N_SAMPLES;
    if (frequency_hz >= low_hz && frequency_hz < high_hz) {
      power += 2 * pow(cabs(spectrum[k]) / N_SAMPLES, 2);
    }
  }
  free(wide);
  free(spectrum);
  return power;
}

static void a_perfect_sensor_returns_the_clean_signal(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.snr_db = 200;
  must_apply(&b);
  for (int c = 0; c < N_CHANNELS; c++) {
    assert_memory_equal(emg_row2f(&b.recording.data, c), emg_row2f(&b.before, c),
                        N_SAMPLES * sizeof(float));
    assert_true(rms(emg_row2f(&b.noise, c), N_SAMPLES) == 0);
  }
  assert_null(b.fault.data);
  assert_true(b.snr_db == 200);
  tear_down(&b);
}

static void noise_is_the_recording_minus_the_clean_signal(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.mains_uv = 3;
  b.model.config.sensor.motion_uv = 100;
  b.model.config.sensor.dead_channels = 1;
  b.model.config.sensor.saturated_channels = 1;
  b.model.config.sensor.adc_bits = 12;
  must_apply(&b);
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int i = 0; i < N_SAMPLES; i++) {
      float difference = emg_row2f(&b.recording.data, c)[i] - emg_row2f(&b.clean, c)[i];
      assert_true(emg_row2f(&b.noise, c)[i] == difference);
    }
  }
  tear_down(&b);
}

// Channels that carry a label, and the one of that label if there is just one.
static int count_label(const bench *b, emg_channel_state label, int *channel) {
  int n = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    if (b->recording.channels[c].state == label) {
      *channel = c;
      n++;
    }
  }
  return n;
}

static void faults_are_as_many_as_asked_and_do_not_overlap(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  struct emg_config_sensor *sensor = &b.model.config.sensor;
  sensor->dead_channels = 4;
  sensor->noisy_channels = 5;
  sensor->saturated_channels = 3;
  sensor->intermittent_channels = 6;
  int c = 0;
  for (uint64_t seed = 1; seed < 6; seed++) {
    b.model.config.simulation.seed = seed;
    must_apply(&b);
    assert_int_equal(count_label(&b, EMG_CHANNEL_DEAD, &c), 4);
    assert_int_equal(count_label(&b, EMG_CHANNEL_NOISY, &c), 5);
    assert_int_equal(count_label(&b, EMG_CHANNEL_SATURATED, &c), 3);
    assert_int_equal(count_label(&b, EMG_CHANNEL_INTERMITTENT, &c), 6);
    assert_int_equal(count_label(&b, EMG_CHANNEL_GOOD, &c), 2);
  }
  tear_down(&b);
}

static void every_fault_does_what_its_label_says_where_its_mask_says(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  struct emg_config_sensor *sensor = &b.model.config.sensor;
  sensor->dead_channels = sensor->noisy_channels = 1;
  sensor->saturated_channels = sensor->intermittent_channels = 1;
  must_apply(&b);
  int good = 0, dead = 0, noisy = 0, saturated = 0, intermittent = 0;
  assert_int_equal(count_label(&b, EMG_CHANNEL_GOOD, &good), N_CHANNELS - 4);
  assert_int_equal(count_label(&b, EMG_CHANNEL_DEAD, &dead), 1);
  assert_int_equal(count_label(&b, EMG_CHANNEL_NOISY, &noisy), 1);
  assert_int_equal(count_label(&b, EMG_CHANNEL_SATURATED, &saturated), 1);
  assert_int_equal(count_label(&b, EMG_CHANNEL_INTERMITTENT, &intermittent), 1);

  double noise = rms(emg_row2f(&b.noise, good), N_SAMPLES);
  assert_true(rms(emg_row2f(&b.fault, good), N_SAMPLES) == 0);
  assert_true(rms(emg_row2f(&b.recording.data, dead), N_SAMPLES) == 0);
  assert_true(rms(emg_row2f(&b.fault, dead), N_SAMPLES) == 1);
  double ratio = rms(emg_row2f(&b.noise, noisy), N_SAMPLES) / noise;
  assert_true(ratio > 9.5 && ratio < 31);
  assert_true(rms(emg_row2f(&b.fault, noisy), N_SAMPLES) == 1);

  const float *row = emg_row2f(&b.recording.data, saturated);
  const float *mask = emg_row2f(&b.fault, saturated);
  float level = 0;
  for (int i = 0; i < N_SAMPLES; i++) {
    level = fmaxf(level, fabsf(row[i]));
  }
  int n_clipped = 0;
  for (int i = 0; i < N_SAMPLES; i++) {
    assert_true(mask[i] == (fabsf(row[i]) == level));
    n_clipped += mask[i] == 1;
  }
  assert_in_range(n_clipped, 10, N_SAMPLES / 2);

  row = emg_row2f(&b.recording.data, intermittent);
  mask = emg_row2f(&b.fault, intermittent);
  const float *clean = emg_row2f(&b.clean, intermittent);
  double with_signal[2] = {0}, power[2] = {0};
  for (int i = 0; i < N_SAMPLES; i++) {
    with_signal[mask[i] == 1] += (double)row[i] * clean[i];
    power[mask[i] == 1] += (double)clean[i] * clean[i];
  }
  assert_true(power[1] > 0);
  assert_true(fabs(with_signal[0] / power[0] - 1) < 0.02);  // attached: signal plus noise
  assert_true(fabs(with_signal[1] / power[1]) < 0.1);       // lost: no signal
  tear_down(&b);
}

static void mains_has_its_lines_and_its_size(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.snr_db = 200;
  b.model.config.sensor.mains_uv = 7;
  b.model.config.sensor.mains_harmonics = (emg_list){3, {1, 0, 0.5}};
  must_apply(&b);
  double sum = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    const float *noise = emg_row2f(&b.noise, c);
    double first = band_power(noise, 48, 52), third = band_power(noise, 148, 152);
    sum += rms(noise, N_SAMPLES);
    assert_true(fabs(third / first - 0.25) < 0.01);
    assert_true(band_power(noise, 60, 140) < 1e-4 * first);
  }
  // the slow modulation averages out over whole periods only: 10 s hold 1 to 3
  assert_true(fabs(sum / N_CHANNELS / 7 - 1) < 0.05);
  // phases and amplitudes differ between channels
  assert_true(
      fabs(rms(emg_row2f(&b.noise, 0), N_SAMPLES) - rms(emg_row2f(&b.noise, 1), N_SAMPLES)) > 0.01);
  tear_down(&b);
}

static void motion_stays_below_20_hz_and_under_its_mask(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.snr_db = 200;
  b.model.config.sensor.motion_uv = 400;
  b.model.config.sensor.motion_per_s = 0.5;
  must_apply(&b);
  double peaks = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    const float *noise = emg_row2f(&b.noise, c), *mask = emg_row2f(&b.fault, c);
    float peak = 0;
    for (int i = 0; i < N_SAMPLES; i++) {
      peak = fmaxf(peak, fabsf(noise[i]));
      assert_true(mask[i] == 1 || noise[i] == 0);
    }
    peaks += peak;
    assert_true(band_power(noise, 20, 1000) < 0.02 * band_power(noise, 0, 20));
    assert_int_equal(b.recording.channels[c].state, EMG_CHANNEL_GOOD);
  }
  // the largest of a few artefacts, gains 0.5 to 1.5, perhaps two on top of each other
  assert_true(peaks / N_CHANNELS > 300 && peaks / N_CHANNELS < 900);
  tear_down(&b);
}

static void the_amplifier_filters_signal_and_noise_alike(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.bandpass_low_hz = 20;
  b.model.config.sensor.bandpass_high_hz = 400;
  must_apply(&b);
  emg_filter filter = {0};
  assert_int_equal(emg_filter_highpass(&filter, 2, 20, rate_hz, NULL), EMG_OK);
  assert_int_equal(emg_filter_lowpass(&filter, 2, 400, rate_hz, NULL), EMG_OK);
  emg_filter_causal(&filter, N_SAMPLES, emg_row2f(&b.before, 3));
  assert_memory_equal(emg_row2f(&b.before, 3), emg_row2f(&b.clean, 3), N_SAMPLES * sizeof(float));
  for (int k = 0; k < 3; k++) {
    static const double edges_hz[4] = {0, 10, 700, 1000};
    double band = band_power(emg_row2f(&b.noise, 3), edges_hz[k], edges_hz[k + 1]);
    double whole = band_power(emg_row2f(&b.noise, 3), 0, 1000);
    assert_true(k == 1 ? band > 0.97 * whole : band < 0.02 * whole);
  }
  assert_true(fabs(b.snr_db - 20) < 0.01);
  tear_down(&b);
}

static void the_converter_rounds_to_steps_and_marks_its_ends(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  b.model.config.sensor.snr_db = 200;
  b.model.config.sensor.adc_bits = 10;
  b.model.config.sensor.adc_range_mv = 0.2;  // -100 uV to +100 uV: two standard deviations
  must_apply(&b);
  const double step_uv = 200.0 / 1024;
  int n_held = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int i = 0; i < N_SAMPLES; i++) {
      double value = emg_row2f(&b.recording.data, c)[i], code = value / step_uv;
      assert_true(fabs(code - round(code)) < 1e-4);
      assert_true(code >= -512 && code <= 511);
      if (emg_row2f(&b.fault, c)[i] == 0) {
        assert_true(fabs(value - emg_row2f(&b.clean, c)[i]) <= 0.5001 * step_uv);
      } else {
        n_held++;
        assert_true(code == -512 || code == 511);
      }
    }
  }
  // 4.55 % of a normal law lies beyond two standard deviations
  assert_true(fabs(n_held / (double)(N_CHANNELS * N_SAMPLES) - 0.0455) < 0.002);

  b.model.config.sensor.adc_range_mv = 33;  // nothing is held: no mask
  must_apply(&b);
  assert_null(b.fault.data);
  tear_down(&b);
}

static void what_cannot_be_is_refused_before_anything_is_computed(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  struct emg_config_sensor *sensor = &b.model.config.sensor;
  const struct emg_config_sensor fine = *sensor;
  emg_error err = {0};
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_OK);

  sensor->dead_channels = N_CHANNELS - 1;
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_OK);
  sensor->noisy_channels = 1;
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_ERR_CONFIG);

  *sensor = fine;
  sensor->bandpass_low_hz = sensor->bandpass_high_hz = 100;
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_ERR_CONFIG);
  sensor->bandpass_high_hz = 1000;
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_ERR_CONFIG);

  *sensor = fine;
  sensor->noise_colour = EMG_NOISE_BAND;
  sensor->noise_low_hz = 1000;
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_ERR_CONFIG);

  *sensor = fine;
  sensor->mains_uv = 1;
  sensor->mains_harmonics = (emg_list){2, {0, 0}};
  assert_int_equal(emg_sensor_check(&b.model, &err), EMG_ERR_CONFIG);
  tear_down(&b);
}

static void a_ratio_without_a_signal_is_refused(void **state) {
  (void)state;
  bench b;
  set_up(&b);
  emg_error err = {0};
  memset(b.before.data, 0, N_CHANNELS * (size_t)b.before.stride * sizeof *b.before.data);
  assert_int_equal(apply(&b, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "20 dB"));
  assert_null(b.noise.data);
  b.model.config.sensor.snr_db = 200;
  assert_int_equal(apply(&b, &err), EMG_OK);
  tear_down(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_perfect_sensor_returns_the_clean_signal),
      cmocka_unit_test(noise_is_the_recording_minus_the_clean_signal),
      cmocka_unit_test(faults_are_as_many_as_asked_and_do_not_overlap),
      cmocka_unit_test(every_fault_does_what_its_label_says_where_its_mask_says),
      cmocka_unit_test(mains_has_its_lines_and_its_size),
      cmocka_unit_test(motion_stays_below_20_hz_and_under_its_mask),
      cmocka_unit_test(the_amplifier_filters_signal_and_noise_alike),
      cmocka_unit_test(the_converter_rounds_to_steps_and_marks_its_ends),
      cmocka_unit_test(what_cannot_be_is_refused_before_anything_is_computed),
      cmocka_unit_test(a_ratio_without_a_signal_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
