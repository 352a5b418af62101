// law_noise.c -- ratio, spectrum, correlation and repeatability of the sensor's noise
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

enum { N_CHANNELS = 8, N_SAMPLES = 60000, FIRST = 5000, LAST = 50000 };
static const double rate_hz = 2000;

// A column of 8 electrodes, 8 mm apart, and white "EMG" that fades in and out.
typedef struct {
  emg_model model;
  emg_array2f clean;
  emg_spikes spikes;
} subject;

static void set_up(subject *s) {
  *s = (subject){0};
  emg_config *config = &s->model.config;
  emg_config_defaults(config);
  config->simulation.sampling_rate_hz = rate_hz;
  config->electrodes.rows = N_CHANNELS;
  config->electrodes.columns = 1;
  config->electrodes.row_pitch_mm = 8;
  emg_conductor conductor;
  assert_int_equal(emg_conductor_from_config(config, &conductor, NULL), EMG_OK);
  assert_int_equal(emg_electrodes_create(config, &conductor, &s->model.electrodes, NULL), EMG_OK);
  assert_int_equal(emg_montage_create(config, &s->model.electrodes, &s->model.montage, NULL),
                   EMG_OK);
  assert_int_equal(emg_array2f_create(N_CHANNELS, N_SAMPLES, &s->clean, NULL), EMG_OK);
  for (int c = 0; c < N_CHANNELS; c++) {
    emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int i = 0; i < N_SAMPLES; i++) {
      double size = (c + 1) * (i > FIRST && i < LAST);
      emg_row2f(&s->clean, c)[i] = (float)(size * emg_rng_gaussian(&rng));
    }
  }
  assert_int_equal(emg_spikes_create(2, (int64_t[]){1, 1}, rate_hz, N_SAMPLES, &s->spikes, NULL),
                   EMG_OK);
  s->spikes.samples[0] = LAST;
  s->spikes.samples[1] = FIRST;
}

static void tear_down(subject *s) {
  emg_array2f_free(&s->clean);
  emg_spikes_free(&s->spikes);
  emg_montage_free(&s->model.montage);
  emg_electrodes_free(&s->model.electrodes);
}

// Noise of the sensor, and the ratio it says it has.
static emg_array2f noise_of(subject *s, double *snr_db) {
  emg_recording recording;
  emg_array2f noise, fault;
  emg_error err = {0};
  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &recording, NULL), EMG_OK);
  memcpy(recording.channels, s->model.montage.channels, N_CHANNELS * sizeof(emg_channel));
  if (emg_sensor_apply(&s->model, &s->clean, &s->spikes, &recording, &noise, &fault, snr_db,
                       &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  emg_recording_free(&recording);
  emg_array2f_free(&fault);
  return noise;
}

static double mean_product(const float *x, const float *y, int64_t begin, int64_t end) {
  double sum = 0;
  for (int64_t i = begin; i < end; i++) {
    sum += (double)x[i] * y[i];
  }
  return sum / (double)(end - begin);
}

static double mean_square_all(const emg_array2f *x, int64_t begin, int64_t end) {
  double sum = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    sum += mean_product(emg_row2f(x, c), emg_row2f(x, c), begin, end);
  }
  return sum / N_CHANNELS;
}

static void the_ratio_is_the_one_asked_for(void **state) {
  (void)state;
  const double ratios_db[] = {-10, 0, 10, 20, 40, 60};
  const int colours[] = {EMG_NOISE_WHITE, EMG_NOISE_BAND, EMG_NOISE_PINK};
  subject s;
  set_up(&s);
  double clean = mean_square_all(&s.clean, FIRST, LAST + 1);
  for (size_t i = 0; i < sizeof ratios_db / sizeof ratios_db[0]; i++) {
    double snr_db;
    s.model.config.sensor.snr_db = ratios_db[i];
    s.model.config.sensor.noise_colour = colours[i % 3];
    s.model.config.sensor.noise_correlation_mm = i % 2 ? 20 : 0;
    emg_array2f noise = noise_of(&s, &snr_db);
    double measured_db = 10 * log10(clean / mean_square_all(&noise, FIRST, LAST + 1));
    assert_true(fabs(measured_db - ratios_db[i]) < 1e-3);
    assert_true(fabs(snr_db - measured_db) < 1e-9);
    emg_array2f_free(&noise);
  }
  tear_down(&s);
}

static void twice_the_amplitude_ratio_halves_every_sample(void **state) {
  (void)state;
  subject s;
  double snr_db;
  set_up(&s);
  emg_array2f once = noise_of(&s, &snr_db);
  s.model.config.sensor.snr_db += 20 * log10(2);
  emg_array2f half = noise_of(&s, &snr_db);
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int i = 0; i < N_SAMPLES; i++) {
      // the subtraction of the clean signal rounds to its own last place
      assert_true(fabs(emg_row2f(&once, c)[i] - 2.0 * emg_row2f(&half, c)[i]) < 2e-5);
    }
  }
  emg_array2f_free(&once);
  emg_array2f_free(&half);
  tear_down(&s);
}

// Power per octave band [edges[k], edges[k + 1]), summed over channels.
static void band_powers(const emg_array2f *x, int n_edges, const double *edges_hz, double *powers) {
  double *wide = malloc(N_SAMPLES * sizeof *wide);
  double complex *spectrum = malloc((N_SAMPLES / 2 + 1) * sizeof *spectrum);
  assert_non_null(wide);
  assert_non_null(spectrum);
  memset(powers, 0, (size_t)(n_edges - 1) * sizeof *powers);
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int i = 0; i < N_SAMPLES; i++) {
      wide[i] = emg_row2f(x, c)[i];
    }
    assert_int_equal(emg_fft_forward(N_SAMPLES, 1, wide, spectrum, NULL), EMG_OK);
    for (int k = 1; k < N_SAMPLES / 2; k++) {
      for (int e = 0; e + 1 < n_edges; e++) {
        double frequency_hz = k * rate_hz / N_SAMPLES;
        if (frequency_hz >= edges_hz[e] && frequency_hz < edges_hz[e + 1]) {
          powers[e] += 2 * pow(cabs(spectrum[k]) / N_SAMPLES, 2);
        }
      }
    }
  }
  free(wide);
  free(spectrum);
}

static void white_noise_is_flat(void **state) {
  (void)state;
  const double edges_hz[] = {0, 250, 500, 750, 1000};
  subject s;
  double snr_db, powers[4];
  set_up(&s);
  emg_array2f noise = noise_of(&s, &snr_db);
  band_powers(&noise, 5, edges_hz, powers);
  double mean = (powers[0] + powers[1] + powers[2] + powers[3]) / 4;
  for (int k = 0; k < 4; k++) {
    // 8 x 7500 bins per band: standard error 0.4 %
    assert_true(fabs(powers[k] / mean - 1) < 0.02);
  }
  emg_array2f_free(&noise);
  tear_down(&s);
}

static void band_noise_is_flat_inside_and_absent_outside(void **state) {
  (void)state;
  const double edges_hz[] = {0, 39, 41, 120, 200, 280, 300, 1000};
  subject s;
  double snr_db, powers[7];
  set_up(&s);
  s.model.config.sensor.noise_colour = EMG_NOISE_BAND;
  s.model.config.sensor.noise_low_hz = 40;
  s.model.config.sensor.noise_high_hz = 290;
  emg_array2f noise = noise_of(&s, &snr_db);
  band_powers(&noise, 8, edges_hz, powers);
  assert_true(powers[0] < 1e-3 * powers[2]);
  assert_true(powers[6] < 1e-3 * powers[2]);
  assert_true(fabs(powers[2] / powers[3] * 80 / 79 - 1) < 0.03);  // 8 x 2370 bins: 0.7 %
  assert_true(fabs(powers[4] / powers[3] - 1) < 0.03);
  emg_array2f_free(&noise);
  tear_down(&s);
}

// Power between f and 2 f goes as f^(1 - exponent).
static void pink_noise_falls_by_its_exponent(void **state) {
  (void)state;
  const double edges_hz[] = {25, 50, 100, 200, 400};
  const double exponents[] = {0.5, 1, 2};
  subject s;
  double snr_db, powers[4];
  set_up(&s);
  s.model.config.sensor.noise_colour = EMG_NOISE_PINK;
  for (int i = 0; i < 3; i++) {
    s.model.config.sensor.noise_exponent = exponents[i];
    emg_array2f noise = noise_of(&s, &snr_db);
    band_powers(&noise, 5, edges_hz, powers);
    for (int k = 0; k < 3; k++) {
      // 8 x 750 bins in the lowest octave: 1.3 %
      double expected = pow(2, 1 - exponents[i]);
      assert_true(fabs(powers[k + 1] / powers[k] / expected - 1) < 0.06);
    }
    emg_array2f_free(&noise);
  }
  tear_down(&s);
}

// The joins of its blocks do not show: the power is the same everywhere.
static void coloured_noise_is_stationary(void **state) {
  (void)state;
  enum { PIECES = 12, LENGTH = N_SAMPLES / PIECES };
  subject s;
  double snr_db;
  set_up(&s);
  s.model.config.sensor.noise_colour = EMG_NOISE_BAND;
  emg_array2f noise = noise_of(&s, &snr_db);
  double whole = mean_square_all(&noise, 0, N_SAMPLES);
  for (int k = 0; k < PIECES; k++) {
    double piece = mean_square_all(&noise, k * LENGTH, (k + 1) * LENGTH);
    // 8 channels x 2.5 s x 480 Hz: 9600 independent pairs, 1 %
    assert_true(fabs(piece / whole - 1) < 0.05);
  }
  emg_array2f_free(&noise);
  tear_down(&s);
}

static void noise_is_correlated_as_distance_says(void **state) {
  (void)state;
  const double lengths_mm[] = {0, 10, 40};
  subject s;
  double snr_db;
  set_up(&s);
  for (int l = 0; l < 3; l++) {
    s.model.config.sensor.noise_correlation_mm = lengths_mm[l];
    emg_array2f noise = noise_of(&s, &snr_db);
    for (int a = 0; a < N_CHANNELS; a++) {
      for (int b = 0; b < N_CHANNELS; b++) {
        const float *x = emg_row2f(&noise, a), *y = emg_row2f(&noise, b);
        double correlation =
            mean_product(x, y, 0, N_SAMPLES) /
            sqrt(mean_product(x, x, 0, N_SAMPLES) * mean_product(y, y, 0, N_SAMPLES));
        double expected = lengths_mm[l] > 0 ? exp(-8.0 * abs(a - b) / lengths_mm[l]) : a == b;
        // standard error 1 / sqrt(60000) = 0.4 %
        assert_true(fabs(correlation - expected) < 0.02);
      }
    }
    emg_array2f_free(&noise);
  }
  tear_down(&s);
}

static void threads_do_not_change_a_bit_and_the_seed_changes_all(void **state) {
  (void)state;
  subject s;
  double snr_db;
  set_up(&s);
  s.model.config.sensor.noise_colour = EMG_NOISE_PINK;
  s.model.config.sensor.noise_correlation_mm = 15;
  s.model.config.sensor.mains_uv = 1;
  s.model.config.sensor.motion_uv = 10;
  s.model.config.sensor.intermittent_channels = 2;
  s.model.config.sensor.saturated_channels = 1;
  emg_set_threads(1);
  emg_array2f one = noise_of(&s, &snr_db);
  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    emg_set_threads(n_threads);
    emg_array2f many = noise_of(&s, &snr_db);
    for (int c = 0; c < N_CHANNELS; c++) {
      assert_memory_equal(emg_row2f(&one, c), emg_row2f(&many, c), N_SAMPLES * sizeof(float));
    }
    emg_array2f_free(&many);
  }
  emg_set_threads(0);
  s.model.config.simulation.seed++;
  emg_array2f other = noise_of(&s, &snr_db);
  assert_true(memcmp(emg_row2f(&one, 0), emg_row2f(&other, 0), N_SAMPLES * sizeof(float)) != 0);
  emg_array2f_free(&one);
  emg_array2f_free(&other);
  tear_down(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_ratio_is_the_one_asked_for),
      cmocka_unit_test(twice_the_amplitude_ratio_halves_every_sample),
      cmocka_unit_test(white_noise_is_flat),
      cmocka_unit_test(band_noise_is_flat_inside_and_absent_outside),
      cmocka_unit_test(pink_noise_falls_by_its_exponent),
      cmocka_unit_test(coloured_noise_is_stationary),
      cmocka_unit_test(noise_is_correlated_as_distance_says),
      cmocka_unit_test(threads_do_not_change_a_bit_and_the_seed_changes_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
