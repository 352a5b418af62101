// law_cnn.c -- networks that are trained find their units again, in the same bits however they are
// computed
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "decomp/cnn_priv.h"
#include "tests/mixture_fixture.h"

enum { UNITS = 3, CHANNELS = 8 };

static mixture recording(uint64_t seed, double duration_s) {
  return mixture_create(&(mixture_options){.n_units = UNITS,
                                           .n_channels = CHANNELS,
                                           .duration_s = duration_s,
                                           .seed = seed,
                                           .noise_uv = 8});
}

// A window that is long enough for the action potentials of the fixture.
static emg_config small_config(int epochs) {
  emg_config config;

  emg_config_defaults(&config);
  config.cnn.window = 60;
  config.cnn.epochs = epochs;
  config.cnn.dropout = 0.2;
  return config;
}

static emg_cnn train(const mixture *m, const emg_config *config, const emg_checkpoint *checkpoint,
                     emg_cnn_history *history) {
  emg_error err = {0};
  emg_cnn net;

  if (emg_cnn_train(&m->rec, &m->truth, config, checkpoint, NULL, &net, history, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return net;
}

static void assert_same_network(const emg_cnn *a, const emg_cnn *b) {
  assert_memory_equal(&a->shape, &b->shape, sizeof a->shape);
  size_t n = (size_t)emg_cnn_count_weights(&a->shape);
  assert_memory_equal(a->weights, b->weights, n * sizeof *a->weights);
  assert_memory_equal(a->threshold, b->threshold, (size_t)a->shape.n_units * sizeof(double));
  assert_true(a->scale_uv == b->scale_uv);
}

// F1 of a decomposition, discharge by discharge, units in their order.
static double f1_of(const emg_spikes *found, const emg_spikes *truth, double tolerance_ms) {
  emg_score_options options;
  emg_score_result result;
  double sum = 0;

  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  options.tolerance_ms = tolerance_ms;
  assert_int_equal(emg_score(found, truth, &options, &result, NULL), EMG_OK);
  for (int i = 0; i < result.n_estimated; i++) {
    sum += result.pairs[i].f1;
  }
  emg_score_free(&result);
  return sum / truth->n_units;
}

static double decompose_new(const emg_cnn *net, const emg_config *config, double tolerance_ms) {
  mixture next = recording(2, 5);
  emg_decomposition found;

  assert_int_equal(emg_cnn_decompose(&next.rec, net, config, NULL, &found, NULL), EMG_OK);
  assert_int_equal(found.spikes.n_units, UNITS);
  assert_null(found.detectability);
  double f1 = f1_of(&found.spikes, &next.truth, tolerance_ms);
  emg_decomposition_free(&found);
  mixture_free(&next);
  return f1;
}

static void trained_networks_find_their_units_in_new_data(void **state) {
  (void)state;
  mixture m = recording(1, 7);
  static emg_config config;
  emg_cnn_history history;

  // window by window: discharges are known to half a step, 5 ms
  config = small_config(16);
  config.cnn.held_from_s = 2;
  config.cnn.held_to_s = 3;
  emg_cnn net = train(&m, &config, NULL, &history);
  assert_true(history.epochs[history.n_epochs - 1].loss < 0.5 * history.epochs[0].loss);
  for (int u = 0; u < UNITS; u++) {
    assert_true(emg_cnn_f1(&history.validation[u]) > 0.8);
    assert_true(emg_cnn_f1(&history.held_discharges[u]) > 0.8);
    assert_true(emg_cnn_f1(&history.held_windows[u]) > 0.7);
  }
  assert_true(decompose_new(&net, &config, 5) > 0.9);
  emg_cnn_history_free(&history);
  emg_cnn_free(&net);
  mixture_free(&m);
}

static void soft_labels_find_discharges_to_a_millisecond(void **state) {
  (void)state;
  mixture m = recording(1, 5);
  static emg_config config;
  emg_cnn_history history;

  config = small_config(5);
  config.cnn.step = 4;
  config.cnn.soft_label_ms = 2;
  config.cnn.dropout = 0;
  emg_cnn net = train(&m, &config, NULL, &history);
  assert_true(decompose_new(&net, &config, 1) > 0.9);
  emg_cnn_history_free(&history);
  emg_cnn_free(&net);
  mixture_free(&m);
}

static void any_number_of_threads_trains_to_the_same_bits(void **state) {
  (void)state;
  mixture m = recording(1, 3);
  const int kinds[] = {EMG_CNN_MO, EMG_CNN_MULTILABEL};
  static emg_config config;

  for (int k = 0; k < 2; k++) {
    emg_cnn net[3];
    config = small_config(1);
    config.cnn.network = kinds[k];
    config.cnn.noise = 0.1;
    config.cnn.channel_dropout = 0.1;
    config.cnn.batches = k == 0 ? EMG_BATCHES_WINDOWS : EMG_BATCHES_RUNS;
    for (int t = 0; t < 3; t++) {
      emg_cnn_history history;
      emg_set_threads(1 << t);
      net[t] = train(&m, &config, NULL, &history);
      assert_same_network(&net[t], &net[0]);
      emg_cnn_history_free(&history);
    }
    for (int t = 0; t < 3; t++) {
      emg_cnn_free(&net[t]);
    }
  }
  emg_set_threads(0);
  mixture_free(&m);
}

static bool stop_in_third_epoch(const char *stage, int64_t done, int64_t total, void *user) {
  const int epochs = 4;

  (void)user;
  return strcmp(stage, "training") == 0 && done >= total * 5 / (2 * epochs);
}

static void a_training_that_was_stopped_goes_on_to_the_same_bits(void **state) {
  (void)state;
  mixture m = recording(1, 3);
  static emg_config config;
  char path[64];
  emg_checkpoint checkpoint = {.path = path, .input_sha256 = "one"};
  const emg_monitor stopping = {.progress = stop_in_third_epoch};
  emg_cnn_history history;
  emg_error err = {0};
  emg_cnn stopped;

  snprintf(path, sizeof path, "/tmp/law_cnn.%ld.checkpoint", (long)getpid());
  config = small_config(4);
  emg_cnn whole = train(&m, &config, NULL, &history);
  emg_cnn_history_free(&history);
  assert_int_equal(
      emg_cnn_train(&m.rec, &m.truth, &config, &checkpoint, &stopping, &stopped, &history, &err),
      EMG_ERR_INTERRUPTED);
  assert_int_equal(access(path, R_OK), 0);

  checkpoint.resume = true;
  emg_cnn resumed = train(&m, &config, &checkpoint, &history);
  assert_int_equal(history.n_epochs, 4);
  assert_same_network(&resumed, &whole);
  emg_cnn_history_free(&history);

  // of something else
  checkpoint.input_sha256 = "other";
  assert_int_equal(
      emg_cnn_train(&m.rec, &m.truth, &config, &checkpoint, NULL, &stopped, &history, &err),
      EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "another recording"));
  checkpoint.input_sha256 = "one";
  config.cnn.dropout = 0.3;
  assert_int_equal(
      emg_cnn_train(&m.rec, &m.truth, &config, &checkpoint, NULL, &stopped, &history, &err),
      EMG_ERR_CONFIG);
  unlink(path);
  emg_cnn_free(&whole);
  emg_cnn_free(&resumed);
  mixture_free(&m);
}

// A network of random weights for a recording.
static emg_cnn random_network(const mixture *m, emg_cnn_kind kind, int step) {
  const emg_cnn_shape shape = {kind, 2, CHANNELS, 40, step};
  emg_cnn net;
  emg_cnn_plan plan;

  assert_int_equal(emg_cnn_create(&shape, &net, NULL), EMG_OK);
  assert_int_equal(emg_cnn_plan_create(&shape, &plan, NULL), EMG_OK);
  net.n_channels_recorded = CHANNELS;
  for (int c = 0; c < CHANNELS; c++) {
    net.channel[c] = c;
  }
  net.rate_hz = m->rec.rate_hz;
  net.band_low_hz = 20;
  net.band_high_hz = 500;
  net.scale_uv = 50;
  net.refractory_ms = 20;
  net.threshold[0] = net.threshold[1] = 0.5;
  emg_cnn_start(&plan, 3, net.weights);
  return net;
}

static void answers_are_those_of_each_window_alone(void **state) {
  (void)state;
  mixture m = recording(1, 1);
  const int steps[] = {20, 10, 5, 4};

  for (int k = 0; k < 4; k++) {
    emg_cnn net = random_network(&m, (emg_cnn_kind)k, steps[k]);
    emg_cnn_plan plan;
    emg_cnn_work shared, own;
    emg_signal x;
    emg_array2f logits;
    float input[(40 + EMG_CNN_SPARE) * CHANNELS] = {0};
    assert_int_equal(emg_cnn_plan_create(&net.shape, &plan, NULL), EMG_OK);
    assert_int_equal(emg_cnn_work_create(&plan, 0, plan.n_shared, 1, 1, false, &shared, NULL), 0);
    assert_int_equal(
        emg_cnn_work_create(&plan, plan.n_shared, EMG_CNN_LAYERS, 1, 1, false, &own, NULL), 0);
    assert_int_equal(emg_cnn_signal(&net, &m.rec, &x, NULL), EMG_OK);
    assert_int_equal(emg_cnn_answer(&net, &m.rec, NULL, &logits, NULL), EMG_OK);
    assert_int_equal(logits.n_cols, (2048 + steps[k] - 1) / steps[k]);
    for (int64_t i = 0; i < logits.n_cols; i += 7) {
      emg_cnn_copy_rows(&x, emg_cnn_window_start(&net.shape, i * steps[k]), 40, input);
      emg_cnn_forward(&shared, net.weights, input, 1);
      const float *z = plan.n_shared > 0 ? shared.out[plan.n_shared - 1] : input;
      if (plan.n_shared < EMG_CNN_LAYERS) {
        emg_cnn_forward(&own, net.weights + emg_cnn_branch(&plan, 0), z, 1);
        z = own.out[EMG_CNN_LAYERS - 1];
      }
      assert_true(fabsf(emg_row2f(&logits, 0)[i] - z[0]) < 1e-5F);
    }
    emg_array2f_free(&logits);
    emg_signal_free(&x);
    emg_cnn_work_free(&shared);
    emg_cnn_work_free(&own);
    emg_cnn_free(&net);
  }
  mixture_free(&m);
}

static void what_does_not_fit_is_refused_with_a_reason(void **state) {
  (void)state;
  mixture m = recording(1, 2);
  emg_cnn net = random_network(&m, EMG_CNN_MULTILABEL, 20), out;
  static emg_config config;
  emg_cnn_history history;
  emg_decomposition found;
  emg_error err = {0};
  emg_spikes none = {.offsets = (int64_t[]){0}, .rate_hz = 2048};

  config = small_config(1);
  net.n_channels_recorded = CHANNELS + 1;
  assert_int_equal(emg_cnn_decompose(&m.rec, &net, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "8 channels"));
  net.n_channels_recorded = CHANNELS;
  net.rate_hz = 1000;
  assert_int_equal(emg_cnn_decompose(&m.rec, &net, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "1000 Hz"));

#define REFUSED(code, text)                                                                    \
  assert_int_equal(emg_cnn_train(&m.rec, &m.truth, &config, NULL, NULL, &out, &history, &err), \
                   code);                                                                      \
  assert_non_null(strstr(emg_error_message(&err), text))
  assert_int_equal(emg_cnn_train(&m.rec, &none, &config, NULL, NULL, &out, &history, &err),
                   EMG_ERR_DATA);
  config.cnn.window = 1000;
  REFUSED(EMG_ERR_DATA, "too few");
  config = small_config(1);
  m.truth.rate_hz = 1000;
  REFUSED(EMG_ERR_DATA, "1000 Hz");
  m.truth.rate_hz = 2048;
  m.truth.samples[0] = m.rec.data.n_cols;
  REFUSED(EMG_ERR_DATA, "discharge at sample");
#undef REFUSED
  emg_cnn_free(&net);
  mixture_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trained_networks_find_their_units_in_new_data),
      cmocka_unit_test(soft_labels_find_discharges_to_a_millisecond),
      cmocka_unit_test(any_number_of_threads_trains_to_the_same_bits),
      cmocka_unit_test(a_training_that_was_stopped_goes_on_to_the_same_bits),
      cmocka_unit_test(answers_are_those_of_each_window_alone),
      cmocka_unit_test(what_does_not_fit_is_refused_with_a_reason),
  };

  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
