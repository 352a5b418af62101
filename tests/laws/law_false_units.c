// law_false_units.c -- what is no motor unit does not become one: noise, mains, heartbeats,
// stimuli, movement, tremor, a muscle at rest
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/plausible_priv.h>
#include <emgtwin/emgtwin.h>

enum { ROWS = 6, COLUMNS = 4, CHANNELS = ROWS * COLUMNS };
static const double rate_hz = 2048;

static double uniform(emg_rng *rng, double low, double high) {
  return low + (high - low) * emg_rng_uniform(rng);
}

static emg_recording make_recording(double duration_s) {
  emg_recording rec;
  assert_int_equal(
      emg_recording_create(CHANNELS, (int64_t)(duration_s * rate_hz), rate_hz, &rec, NULL), EMG_OK);
  return rec;
}

static void add_white(emg_recording *rec, uint32_t seed, double sd) {
  for (int c = 0; c < CHANNELS; c++) {
    emg_rng rng = emg_rng_stream(21, EMG_RNG_TEST, seed, (uint32_t)c);
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      emg_row2f(&rec->data, c)[i] += (float)(sd * emg_rng_gaussian(&rng));
    }
  }
}

// Noise of unit variance with the spectrum of surface EMG, alike in electrodes side by side: what
// many undecodable units sum up to.
static void add_muscle_noise(emg_recording *rec, uint32_t seed) {
  add_white(rec, seed, 1);
  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    for (int c = 1; c < CHANNELS; c++) {
      float beside = emg_row2f(&rec->data, c - 1)[i];
      float above = c >= COLUMNS ? emg_row2f(&rec->data, c - COLUMNS)[i] : beside;
      float *value = emg_row2f(&rec->data, c) + i;
      *value = 0.45F * (beside + above) + 0.4F * *value;
    }
  }
  for (int c = 0; c < CHANNELS; c++) {
    float *row = emg_row2f(&rec->data, c), before = 0, earlier = 0;
    double power = 0;
    for (int64_t i = 0; i < rec->data.n_cols; i++) {  // resonance near 80 Hz
      float value = row[i] + 1.75F * before - 0.82F * earlier;
      earlier = before;
      row[i] = before = value;
      power += (double)value * value;
    }
    float scale = (float)sqrt((double)rec->data.n_cols / power);
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      row[i] *= scale;
    }
  }
}

// A wave of `n` samples at an instant, of its own size in each channel.
static void add_wave(emg_recording *rec, int64_t at, int n, const double *wave,
                     const double *gain) {
  for (int c = 0; c < CHANNELS; c++) {
    for (int t = 0; t < n && at + t < rec->data.n_cols; t++) {
      emg_row2f(&rec->data, c)[at + t] += (float)(gain[c] * wave[t]);
    }
  }
}

// The heart, far away: nearly the same in all channels.
static void add_heart(emg_recording *rec, emg_rng *rng, double beats_per_min, double size) {
  enum { N = 120 };
  double wave[N], gain[CHANNELS], interval = 60 / beats_per_min;

  for (int t = 0; t < N; t++) {
    double ms = (t - N / 2) * 1000 / rate_hz;
    wave[t] = size * (exp(-pow(ms / 6, 2)) - 0.15 * exp(-pow((ms + 28) / 8, 2)) -
                      0.35 * exp(-pow((ms - 14) / 7, 2)));
  }
  for (int c = 0; c < CHANNELS; c++) {
    gain[c] = 1 + 0.05 * (c / COLUMNS - ROWS / 2) + 0.05 * emg_rng_gaussian(rng);
  }
  for (double at = 0.3; at < (double)rec->data.n_cols / rate_hz - 0.1;
       at += interval * (1 + 0.04 * emg_rng_gaussian(rng))) {
    add_wave(rec, (int64_t)(at * rate_hz), N, wave, gain);
  }
}

static void add_stimuli(emg_recording *rec, emg_rng *rng) {
  const double wave[] = {10, 30, 10, -10, -20, -5};
  double gain[CHANNELS];

  for (int c = 0; c < CHANNELS; c++) {
    gain[c] = 1 + 0.1 * emg_rng_gaussian(rng);
  }
  for (double at = 0.1; at < (double)rec->data.n_cols / rate_hz - 0.1; at += 0.1) {
    add_wave(rec, (int64_t)(at * rate_hz), 6, wave, gain);
  }
}

// Electrodes that move: slow waves about some place, at any time.
static void add_motion(emg_recording *rec, emg_rng *rng) {
  int64_t n = rec->data.n_cols;

  for (int64_t k = 0; k < (int64_t)((double)n / rate_hz * 2); k++) {
    int centre = (int)emg_rng_below(rng, CHANNELS), length = (int)uniform(rng, 100, 700);
    int64_t at = (int64_t)uniform(rng, 0, (double)(n - length));
    double turns = uniform(rng, 1, 6), size = uniform(rng, -40, 40);
    for (int c = 0; c < CHANNELS; c++) {
      double away = hypot(c / COLUMNS - centre / COLUMNS, c % COLUMNS - centre % COLUMNS);
      for (int t = 0; t < length; t++) {
        double shape = sin(M_PI * t / length);
        emg_row2f(&rec->data, c)[at + t] += (float)(size * exp(-away * away / 8) * shape * shape *
                                                    sin(2 * M_PI * turns * t / length));
      }
    }
  }
}

// The noise of muscle swells and falls 10 times a second.
static void modulate(emg_recording *rec, emg_rng *rng) {
  double phase = 0;

  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    phase += 2 * M_PI * 10 / rate_hz + 0.011 * emg_rng_gaussian(rng);
    double size = 1 + 2 * pow(fmax(sin(phase), 0), 2);
    for (int c = 0; c < CHANNELS; c++) {
      emg_row2f(&rec->data, c)[i] *= (float)size;
    }
  }
}

// A few discharges without rhythm in a muscle at rest.
static void add_few_discharges(emg_recording *rec, emg_rng *rng) {
  enum { N = 40 };
  double wave[N], gain[CHANNELS];

  for (int unit = 0; unit < 2; unit++) {
    int centre = (int)emg_rng_below(rng, CHANNELS);
    for (int t = 0; t < N; t++) {
      double u = (t - N / 2) / (4.0 + unit);
      wave[t] = (1 - u * u) * exp(-u * u / 2);
    }
    for (int c = 0; c < CHANNELS; c++) {
      gain[c] = 15 * exp(-hypot(c / COLUMNS - centre / COLUMNS, c % COLUMNS - centre % COLUMNS));
    }
    for (int k = 0; k < 7; k++) {
      add_wave(rec, (int64_t)uniform(rng, 100, (double)rec->data.n_cols - 100), N, wave, gain);
    }
  }
}

static void add_mains(emg_recording *rec, emg_rng *rng) {
  for (int c = 0; c < CHANNELS; c++) {
    double size = uniform(rng, 10, 30), phase = uniform(rng, 0, 0.3), third = uniform(rng, 0, 6);
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      double angle = 2 * M_PI * 50 * (double)i / rate_hz;
      emg_row2f(&rec->data, c)[i] +=
          (float)(size * sin(angle + phase) + 8 * sin(3 * angle + third));
    }
  }
}

// Few delays and sources keep the law quick; the rules of acceptance are the defaults.
static void assert_no_unit(const char *what, emg_recording *rec, bool has_notch) {
  emg_config config;
  emg_decomposition found;
  emg_error err = {0};

  emg_config_defaults(&config);
  config.decompose.extension = 8;
  config.decompose.batch = 32;
  config.decompose.rounds = 1;
  config.decompose.notch = has_notch ? EMG_NOTCH_AUTO : EMG_NOTCH_OFF;
  if (emg_decompose("ckc", rec, &config, NULL, &found, &err) != EMG_OK) {
    fail_msg("%s: %s", what, emg_error_message(&err));
  }
  if (found.spikes.n_units > 0) {
    fail_msg("%s: %d units; the first has %lld spikes, SIL %.3f, CoV %.3f", what,
             found.spikes.n_units, (long long)emg_spikes_count(&found.spikes, 0), found.sil[0],
             found.isi_cov[0]);
  }
  emg_decomposition_free(&found);
  emg_recording_free(rec);
}

static void noise_of_instruments_and_of_muscle_holds_no_units(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 2; seed++) {
    emg_recording white = make_recording(seed == 0 ? 4 : 9), muscle = make_recording(8);
    add_white(&white, seed, 10);
    assert_no_unit("white noise", &white, true);
    add_muscle_noise(&muscle, seed);
    assert_no_unit("noise of muscle", &muscle, true);
  }
}

static void mains_are_no_unit_even_if_left_in(void **state) {
  (void)state;
  for (int has_notch = 0; has_notch < 2; has_notch++) {
    emg_rng rng = emg_rng_stream(22, EMG_RNG_TEST, 0, 0);
    emg_recording rec = make_recording(8);
    add_white(&rec, 3, 1);
    add_mains(&rec, &rng);
    assert_no_unit("mains", &rec, has_notch);
  }
}

static void the_heart_is_no_unit_at_any_rate(void **state) {
  (void)state;
  static const double rates[] = {70, 170, 200}, sizes[] = {3, 10, 30};

  for (int k = 0; k < 3; k++) {
    emg_rng rng = emg_rng_stream(23, EMG_RNG_TEST, (uint32_t)k, 0);
    emg_recording rec = make_recording(12);
    add_muscle_noise(&rec, 10 + (uint32_t)k);
    add_heart(&rec, &rng, rates[k], sizes[k]);
    assert_no_unit("heartbeats", &rec, true);
  }
}

static void stimuli_are_no_unit(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(24, EMG_RNG_TEST, 0, 0);
  emg_recording rec = make_recording(8);
  add_muscle_noise(&rec, 20);
  add_stimuli(&rec, &rng);
  assert_no_unit("stimuli", &rec, true);
}

static void movement_is_no_unit(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(25, EMG_RNG_TEST, 0, 0);
  emg_recording rec = make_recording(10);
  add_muscle_noise(&rec, 30);
  add_motion(&rec, &rng);
  assert_no_unit("movement", &rec, true);
}

static void bursts_of_tremor_are_no_units(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 2; seed++) {
    emg_rng rng = emg_rng_stream(26, EMG_RNG_TEST, seed, 0);
    emg_recording rec = make_recording(12);
    add_muscle_noise(&rec, 40 + seed);
    modulate(&rec, &rng);
    assert_no_unit("tremor", &rec, true);
  }
}

static void a_few_discharges_are_no_train(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(27, EMG_RNG_TEST, 0, 0);
  emg_recording rec = make_recording(10);
  add_white(&rec, 50, 1);
  add_few_discharges(&rec, &rng);
  assert_no_unit("muscle at rest", &rec, true);
}

// --- the rules themselves ---

// A source of noise that swells at its spikes, and one of the same heights above steady noise.
static void contrast_is_with_what_is_around_the_spikes(void **state) {
  (void)state;
  enum { N = 20000, N_SPIKES = 90 };
  static float source[N];
  int64_t spikes[N_SPIKES];

  for (int is_burst = 0; is_burst < 2; is_burst++) {
    emg_rng rng = emg_rng_stream(28, EMG_RNG_TEST, (uint32_t)is_burst, 0);
    for (int k = 0; k < N_SPIKES; k++) {
      spikes[k] = 150 + 215 * k;
    }
    for (int i = 0; i < N; i++) {
      double away = fabs(remainder(i - 150, 215));
      double sd = is_burst && away < 50 ? 3 : 1;
      source[i] = (float)(sd * emg_rng_gaussian(&rng));
    }
    for (int k = 0; k < N_SPIKES; k++) {
      source[spikes[k]] = 9;
    }
    double contrast;
    assert_int_equal(emg_local_contrast(source, N, spikes, N_SPIKES, rate_hz, &contrast, NULL),
                     EMG_OK);
    assert_float_equal(contrast, is_burst ? 3 : 9, is_burst ? 0.2 : 0.6);
    assert_int_equal(emg_local_contrast(source, N, spikes, 0, rate_hz, &contrast, NULL), EMG_OK);
    assert_true(contrast == 0);
  }
}

// Common to all channels or like a machine is not enough: both together are.
static void artefacts_are_common_and_regular_or_slow(void **state) {
  (void)state;
  enum { TAPS = 10, N_SPIKES = 60 };
  float average[TAPS * CHANNELS];
  int64_t spikes[N_SPIKES];

  for (int is_common = 0; is_common < 2; is_common++) {
    for (int kind = 0; kind < 3; kind++) {  // a motor neuron, a machine, a heart
      emg_rng rng = emg_rng_stream(29, EMG_RNG_TEST, (uint32_t)kind, 0);
      double at = 0;
      bool is_artefact;
      for (int k = 0; k < N_SPIKES; k++) {
        double cov = kind == 0 ? 0.12 : (kind == 1 ? 0.002 : 0.05);
        at += (kind == 2 ? 700 : 200) * (1 + cov * emg_rng_gaussian(&rng));
        spikes[k] = (int64_t)at;
      }
      for (int t = 0; t < TAPS; t++) {
        for (int c = 0; c < CHANNELS; c++) {
          double local = exp(-0.1 * pow(c - 10, 2));
          average[t * CHANNELS + c] = (float)((is_common ? 1 + 0.1 * local : local) * sin(t));
        }
      }
      assert_int_equal(emg_is_artefact(average, TAPS, CHANNELS, 1, spikes, N_SPIKES, rate_hz,
                                       &is_artefact, NULL),
                       EMG_OK);
      assert_int_equal(is_artefact, is_common && kind > 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(noise_of_instruments_and_of_muscle_holds_no_units),
      cmocka_unit_test(mains_are_no_unit_even_if_left_in),
      cmocka_unit_test(the_heart_is_no_unit_at_any_rate),
      cmocka_unit_test(stimuli_are_no_unit),
      cmocka_unit_test(movement_is_no_unit),
      cmocka_unit_test(bursts_of_tremor_are_no_units),
      cmocka_unit_test(a_few_discharges_are_no_train),
      cmocka_unit_test(contrast_is_with_what_is_around_the_spikes),
      cmocka_unit_test(artefacts_are_common_and_regular_or_slow),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
