// test_decompose.c -- the public call on recordings it cannot do much with
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

static emg_recording noise(int n_channels, int64_t n_samples, double rate_hz) {
  emg_recording rec;

  assert_int_equal(emg_recording_create(n_channels, n_samples, rate_hz, &rec, NULL), EMG_OK);
  for (int c = 0; c < n_channels; c++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int64_t i = 0; i < n_samples; i++) {
      emg_row2f(&rec.data, c)[i] = (float)emg_rng_gaussian(&rng);
    }
  }
  return rec;
}

static emg_config quick_config(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.decompose.batch = 8;
  config.decompose.extension = 4;
  config.decompose.iterations = 4;
  return config;
}

static void methods_are_named_and_described(void **state) {
  (void)state;
  int n;
  const emg_decompose_method *methods = emg_decompose_methods(&n);

  assert_true(n >= 1);
  for (int i = 0; i < n; i++) {
    assert_true(strlen(methods[i].name) > 0 && strlen(methods[i].doc) > 0);
    assert_non_null(methods[i].run);
  }
}

static void an_unknown_method_names_those_there_are(void **state) {
  (void)state;
  emg_recording rec = noise(4, 4000, 2048);
  emg_config config = quick_config();
  emg_decomposition found;
  emg_error err = {0};

  assert_int_equal(emg_decompose("magic", &rec, &config, NULL, &found, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "magic"));
  assert_non_null(strstr(emg_error_message(&err), "ckc"));
  emg_recording_free(&rec);
}

// Rates from wearables to intramuscular recordings, few and many channels: no unit in noise, and
// every allocation sized for what is there.
static void noise_of_any_shape_gives_no_units(void **state) {
  (void)state;
  const struct {
    int n_channels;
    double rate_hz, seconds;
  } shapes[] = {{2, 2048, 3}, {3, 1000, 2}, {70, 2048, 1.6}, {8, 10000, 1.5}, {5, 200, 30}};

  for (int i = 0; i < 5; i++) {
    emg_recording rec = noise(shapes[i].n_channels,
                              (int64_t)(shapes[i].seconds * shapes[i].rate_hz), shapes[i].rate_hz);
    emg_config config = quick_config();
    emg_decomposition found;
    assert_int_equal(emg_decompose("ckc", &rec, &config, NULL, &found, NULL), EMG_OK);
    assert_int_equal(found.spikes.n_units, 0);
    assert_true(found.spikes.rate_hz == shapes[i].rate_hz);
    assert_int_equal(found.spikes.n_samples, rec.data.n_cols);
    assert_null(found.source.data);
    emg_decomposition_free(&found);
    emg_recording_free(&rec);
  }
}

static void too_little_recording_is_bad_data(void **state) {
  (void)state;
  emg_config config = quick_config();
  emg_decomposition found;
  emg_error err = {0};
  emg_recording single = noise(1, 8000, 2048), brief = noise(8, 900, 2048),
                empty = noise(8, 0, 2048), silent = noise(8, 8000, 2048);

  assert_int_equal(emg_decompose("ckc", &single, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_int_equal(emg_decompose("ckc", &brief, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_int_equal(emg_decompose("ckc", &empty, &config, NULL, &found, &err), EMG_ERR_DATA);
  memset(silent.data.data, 0, 8 * (size_t)silent.data.stride * sizeof(float));
  assert_int_equal(emg_decompose("ckc", &silent, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "dead"));
  assert_null(found.spikes.offsets);
  emg_recording_free(&single);
  emg_recording_free(&brief);
  emg_recording_free(&empty);
  emg_recording_free(&silent);
}

static void an_extension_beyond_reason_is_refused(void **state) {
  (void)state;
  emg_recording rec = noise(200, 4000, 2048);
  emg_config config = quick_config();
  emg_decomposition found;
  emg_error err = {0};

  config.decompose.extension = 64;
  assert_int_equal(emg_decompose("ckc", &rec, &config, NULL, &found, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "extension"));
  emg_recording_free(&rec);
}

// Noise over channels that are exact sums of others, as with an average reference.
static void dependent_channels_are_no_failure(void **state) {
  (void)state;
  emg_recording rec = noise(8, 6000, 2048);
  emg_config config = quick_config();
  emg_decomposition found;

  for (int64_t i = 0; i < 6000; i++) {
    float mean = 0;
    for (int c = 0; c < 8; c++) {
      mean += emg_row2f(&rec.data, c)[i] / 8;
    }
    for (int c = 0; c < 8; c++) {
      emg_row2f(&rec.data, c)[i] -= mean;
    }
  }
  assert_int_equal(emg_decompose("ckc", &rec, &config, NULL, &found, NULL), EMG_OK);
  assert_int_equal(found.spikes.n_units, 0);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

typedef struct {
  int64_t n_calls, stop_at, last;
  bool is_ascending;
} watcher;

static bool watch(const char *stage, int64_t done, int64_t total, void *user) {
  watcher *w = user;
  (void)stage;
  w->is_ascending &= done >= w->last && done <= total;
  w->last = done;
  return ++w->n_calls == w->stop_at;
}

static void it_reports_progress_and_can_be_interrupted(void **state) {
  (void)state;
  emg_recording rec = noise(6, 5000, 2048);
  emg_config config = quick_config();
  watcher patient = {.is_ascending = true}, hasty = {.stop_at = 2, .is_ascending = true};
  emg_decomposition found;

  assert_int_equal(emg_decompose("ckc", &rec, &config,
                                 &(emg_monitor){.progress = watch, .user = &patient}, &found, NULL),
                   EMG_OK);
  assert_true(patient.n_calls > 4);
  assert_true(patient.is_ascending);
  emg_decomposition_free(&found);
  assert_int_equal(emg_decompose("ckc", &rec, &config,
                                 &(emg_monitor){.progress = watch, .user = &hasty}, &found, NULL),
                   EMG_ERR_INTERRUPTED);
  assert_int_equal(hasty.n_calls, 2);
  assert_null(found.spikes.offsets);
  emg_recording_free(&rec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(methods_are_named_and_described),
      cmocka_unit_test(an_unknown_method_names_those_there_are),
      cmocka_unit_test(noise_of_any_shape_gives_no_units),
      cmocka_unit_test(too_little_recording_is_bad_data),
      cmocka_unit_test(an_extension_beyond_reason_is_refused),
      cmocka_unit_test(dependent_channels_are_no_failure),
      cmocka_unit_test(it_reports_progress_and_can_be_interrupted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
