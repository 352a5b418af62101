// test_cbss.c -- the method for comparison on a few planted units
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

enum { UNITS = 4, M = 12, SAMPLES = 2048 * 8, TAPS = 40 };
static const double rate_hz = 2048;

static double action_potential(int unit, int channel, int tap) {
  double centre = 1.5 + 3 * unit, width = 2.5 + 0.7 * unit;
  double z = (tap - 12 - 0.7 * fabs(channel - centre)) / width;

  return 100 * exp(-0.1 * pow(channel - centre, 2)) * (1 - z * z) * exp(-0.5 * z * z);
}

// Trains of 8 to 14 Hz in noise of 5 uV; `has_units` false: noise alone.
static emg_recording create(bool has_units, emg_spikes *truth) {
  emg_recording rec;
  int64_t counts[UNITS] = {0};
  static int64_t times[UNITS][SAMPLES];

  assert_int_equal(emg_recording_create(M, SAMPLES, rate_hz, &rec, NULL), EMG_OK);
  for (int u = 0; u < UNITS && has_units; u++) {
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)u, 0);
    double interval = rate_hz / (8 + 2 * u), at = interval * emg_rng_uniform(&rng);
    while (at < SAMPLES - TAPS) {
      times[u][counts[u]++] = (int64_t)at;
      at += interval * fmax(1 + 0.15 * emg_rng_gaussian(&rng), 0.6);
    }
  }
  assert_int_equal(emg_spikes_create(UNITS, counts, rate_hz, SAMPLES, truth, NULL), EMG_OK);
  for (int u = 0; u < UNITS; u++) {
    memcpy(truth->samples + truth->offsets[u], times[u], (size_t)counts[u] * sizeof(int64_t));
  }
  for (int c = 0; c < M; c++) {
    emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, (uint32_t)c, 0);
    float *x = emg_row2f(&rec.data, c);
    for (int64_t i = 0; i < SAMPLES; i++) {
      x[i] = (float)(5 * emg_rng_gaussian(&rng));
    }
    for (int u = 0; u < UNITS; u++) {
      for (int64_t i = 0; i < counts[u]; i++) {
        for (int t = 0; t < TAPS; t++) {
          x[times[u][i] + t] += (float)action_potential(u, c, t);
        }
      }
    }
  }
  return rec;
}

static emg_config quick_config(void) {
  emg_config config;

  emg_config_defaults(&config);
  config.decompose.extension = 8;
  config.decompose.cbss_iterations = 16;
  return config;
}

static emg_decomposition decompose(const emg_recording *rec, const emg_config *config) {
  emg_decomposition found;
  emg_error err = {0};

  if (emg_decompose("cbss", rec, config, NULL, &found, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return found;
}

static void planted_units_are_found_from_any_start_with_and_without_peel_off(void **state) {
  (void)state;
  emg_spikes truth;
  emg_recording rec = create(true, &truth);
  emg_score_options options;

  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  for (int i = 0; i < 4; i++) {
    emg_config config = quick_config();
    emg_score_result result;
    config.decompose.cbss_start = i % 2 ? EMG_CBSS_RANDOM : EMG_CBSS_ACTIVITY;
    config.decompose.cbss_peel_off = i / 2;
    emg_decomposition found = decompose(&rec, &config);
    assert_int_equal(emg_score(&found.spikes, &truth, &options, &result, NULL), EMG_OK);
    assert_int_equal(result.n_roa_90, UNITS);
    assert_int_equal(result.n_duplicates, 0);
    for (int u = 0; u < found.spikes.n_units; u++) {
      assert_true(found.sil[u] >= config.decompose.cbss_sil_min);
    }
    emg_score_free(&result);
    emg_decomposition_free(&found);
  }
  emg_recording_free(&rec);
  emg_spikes_free(&truth);
}

static void threads_change_nothing_and_sources_peak_at_their_spikes(void **state) {
  (void)state;
  emg_spikes truth;
  emg_recording rec = create(true, &truth);
  emg_config config = quick_config();

  config.decompose.keep_source = true;
  emg_decomposition one = decompose(&rec, &config);
  omp_set_num_threads(3);
  emg_decomposition three = decompose(&rec, &config);
  omp_set_num_threads(1);
  assert_int_equal(one.spikes.n_units, three.spikes.n_units);
  assert_memory_equal(one.spikes.samples, three.spikes.samples,
                      (size_t)one.spikes.offsets[one.spikes.n_units] * sizeof(int64_t));
  for (int u = 0; u < one.spikes.n_units; u++) {
    const float *y = emg_row2f(&one.source, u);
    int64_t n_peaks = 0, n = emg_spikes_count(&one.spikes, u);
    for (int64_t i = 0; i < n; i++) {
      int64_t at = emg_spikes_of(&one.spikes, u)[i];
      n_peaks += at > 0 && at + 1 < SAMPLES && y[at] > y[at - 1] && y[at] >= y[at + 1];
    }
    assert_true(n_peaks >= n - 2);  // those at the ends may have moved out
  }
  emg_decomposition_free(&one);
  emg_decomposition_free(&three);
  emg_recording_free(&rec);
  emg_spikes_free(&truth);
}

static void a_limit_no_source_reaches_gives_no_units(void **state) {
  (void)state;
  emg_spikes truth;
  emg_recording rec = create(false, &truth);
  emg_config config = quick_config();

  config.decompose.cbss_sil_min = 0.999;
  emg_decomposition found = decompose(&rec, &config);
  assert_int_equal(found.spikes.n_units, 0);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
  emg_spikes_free(&truth);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_units_are_found_from_any_start_with_and_without_peel_off),
      cmocka_unit_test(threads_change_nothing_and_sources_peak_at_their_spikes),
      cmocka_unit_test(a_limit_no_source_reaches_gives_no_units),
  };

  omp_set_num_threads(1);  // its steps are small: threads that wait for each other cost more
  return cmocka_run_group_tests(tests, NULL, NULL);
}
