// law_cnn_stream.c -- a network on samples as they come says what it says of the whole recording
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decomp/cnn_priv.h"
#include "tests/mixture_fixture.h"

enum { UNITS = 2, CHANNELS = 6, ANSWERS_MAX = 1024, SPIKES_MAX = 512 };

// What a stream reported.
typedef struct {
  int n_answers, n_spikes;
  int64_t n_pushed, most_late;
  int64_t centre[ANSWERS_MAX], spike[SPIKES_MAX];
  int unit[SPIKES_MAX];
  float logit[ANSWERS_MAX][UNITS];
} report;

static void on_answer(int64_t centre, const float *logits, void *user) {
  report *r = user;

  assert_in_range(r->n_answers, 0, ANSWERS_MAX - 1);
  r->centre[r->n_answers] = centre;
  memcpy(r->logit[r->n_answers++], logits, UNITS * sizeof *logits);
}

static void on_spike(int unit, int64_t sample, double height, void *user) {
  report *r = user;

  assert_in_range(r->n_spikes, 0, SPIKES_MAX - 1);
  assert_true(height > 0 && height <= 1);
  r->unit[r->n_spikes] = unit;
  r->spike[r->n_spikes++] = sample;
  int64_t late = r->n_pushed - sample;
  r->most_late = late > r->most_late ? late : r->most_late;
}

static mixture recording(void) {
  return mixture_create(&(mixture_options){
      .n_units = 3, .n_channels = CHANNELS + 1, .duration_s = 0.8, .seed = 3, .noise_uv = 8});
}

// A network of random weights whose answers pass its thresholds now and then.
static emg_cnn network(const mixture *m, emg_cnn_kind kind, int window, int step) {
  const emg_cnn_shape shape = {kind, UNITS, CHANNELS, window, step};
  emg_cnn net;
  emg_cnn_plan plan;
  emg_array2f logits;

  assert_int_equal(emg_cnn_create(&shape, &net, NULL), EMG_OK);
  assert_int_equal(emg_cnn_plan_create(&shape, &plan, NULL), EMG_OK);
  net.n_channels_recorded = CHANNELS + 1;
  for (int c = 0; c < CHANNELS; c++) {
    net.channel[c] = c + 1;
  }
  net.rate_hz = m->rec.rate_hz;
  net.band_low_hz = 20;
  net.band_high_hz = 500;
  net.scale_uv = 40;
  net.refractory_ms = 20;
  emg_cnn_start(&plan, 5, net.weights);
  assert_int_equal(emg_cnn_answer(&net, &m->rec, NULL, &logits, NULL), EMG_OK);
  for (int u = 0; u < UNITS; u++) {
    double sum = 0;
    for (int64_t i = 0; i < logits.n_cols; i++) {
      sum += emg_row2f(&logits, u)[i] / (double)logits.n_cols;
    }
    net.threshold[u] = 1 / (1 + exp(-sum));
  }
  emg_array2f_free(&logits);
  return net;
}

// Push a recording in batches of so many samples, then flush.
static void stream(const emg_cnn *net, const emg_recording *rec, int64_t batch, report *r) {
  emg_cnn_stream *s;
  int64_t n = rec->data.n_cols;
  float *samples = malloc((size_t)(n * rec->data.n_rows) * sizeof *samples);

  assert_non_null(samples);
  for (int64_t i = 0; i < n; i++) {
    for (int c = 0; c < rec->data.n_rows; c++) {
      samples[i * rec->data.n_rows + c] = emg_row2f(&rec->data, c)[i];
    }
  }
  memset(r, 0, sizeof *r);
  assert_int_equal(emg_cnn_stream_create(net, &s, NULL), EMG_OK);
  for (int64_t at = 0; at < n; at += batch) {
    int64_t n_now = n - at < batch ? n - at : batch;
    r->n_pushed = at + n_now;
    emg_cnn_stream_push(s, samples + at * rec->data.n_rows, n_now, on_answer, on_spike, r);
  }
  assert_true(batch > 1 || r->most_late <= emg_cnn_stream_latency(s));
  emg_cnn_stream_flush(s, on_answer, on_spike, r);
  emg_cnn_stream_free(s);
  free(samples);
}

static void check_network(const mixture *m, emg_cnn_kind kind, int window, int step) {
  emg_cnn net = network(m, kind, window, step);
  static report whole, single;
  static emg_config config;
  emg_array2f logits;
  emg_decomposition found;

  // answers of windows and discharges are those of the recording
  assert_int_equal(emg_cnn_answer(&net, &m->rec, NULL, &logits, NULL), EMG_OK);
  stream(&net, &m->rec, 777, &whole);
  assert_int_equal(whole.n_answers, logits.n_cols);
  for (int i = 0; i < whole.n_answers; i++) {
    assert_int_equal(whole.centre[i], (int64_t)i * step);
    for (int u = 0; u < UNITS; u++) {
      assert_true(fabsf(whole.logit[i][u] - emg_row2f(&logits, u)[i]) < 1e-5F);
    }
  }
  emg_config_defaults(&config);
  assert_int_equal(emg_cnn_decompose(&m->rec, &net, &config, NULL, &found, NULL), EMG_OK);
  assert_true(whole.n_spikes > 4);
  assert_int_equal(whole.n_spikes, found.spikes.offsets[UNITS]);

  // one sample at a time gives the same bits
  stream(&net, &m->rec, 1, &single);
  assert_int_equal(single.n_spikes, whole.n_spikes);
  assert_memory_equal(single.logit, whole.logit, sizeof whole.logit);
  assert_memory_equal(single.spike, whole.spike, sizeof whole.spike);
  assert_memory_equal(single.unit, whole.unit, sizeof whole.unit);
  emg_array2f_free(&logits);
  emg_decomposition_free(&found);
  emg_cnn_free(&net);
}

static void a_stream_answers_as_the_whole_recording_in_every_network(void **state) {
  (void)state;
  mixture m = recording();

  check_network(&m, EMG_CNN_SO, 40, 20);
  check_network(&m, EMG_CNN_MO, 62, 10);
  check_network(&m, EMG_CNN_SHARED, 39, 5);
  check_network(&m, EMG_CNN_MULTILABEL, 40, 4);
  // steps longer than a window leave samples out
  check_network(&m, EMG_CNN_MULTILABEL, 20, 40);
  mixture_free(&m);
}

static void bad_values_are_replaced_and_counted(void **state) {
  (void)state;
  mixture m = recording();
  emg_cnn net = network(&m, EMG_CNN_MULTILABEL, 40, 20);
  emg_cnn_stream *s;
  static report r;
  float samples[200 * (CHANNELS + 1)];

  for (int i = 0; i < 200 * (CHANNELS + 1); i++) {
    samples[i] = i % 50 == 0 ? NAN : (float)(i % 7);
  }
  memset(&r, 0, sizeof r);
  assert_int_equal(emg_cnn_stream_create(&net, &s, NULL), EMG_OK);
  emg_cnn_stream_push(s, samples, 200, on_answer, NULL, &r);
  assert_in_range(emg_cnn_stream_bad_values(s), 20, 28);
  for (int i = 0; i < r.n_answers; i++) {
    assert_true(isfinite(r.logit[i][0]) && isfinite(r.logit[i][1]));
  }
  emg_cnn_stream_free(s);
  emg_cnn_free(&net);
  mixture_free(&m);
}

// The product of networks that stream, against the plain sum.
static void a_few_rows_times_weights_is_their_sum(void **state) {
  (void)state;
  enum { M = 13, N = 131, K = 37, LDA = 20 };
  static float a[M * LDA + K], w[K * N], bias[N], out[M * N];

  for (int i = 0; i < M * LDA + K; i++) {
    a[i] = (float)sin(0.3 * i);
  }
  for (int i = 0; i < K * N; i++) {
    w[i] = (float)cos(0.7 * i);
  }
  for (int i = 0; i < N; i++) {
    bias[i] = (float)(0.1 * i - 5);
  }
  for (int rectified = 0; rectified < 2; rectified++) {
    emg_cnn_multiply(M, N, K, a, LDA, w, bias, rectified == 1, out);
    for (int r = 0; r < M; r++) {
      for (int c = 0; c < N; c++) {
        double sum = bias[c];
        for (int k = 0; k < K; k++) {
          sum += (double)a[r * LDA + k] * w[k * N + c];
        }
        sum = rectified && sum < 0 ? 0 : sum;
        assert_true(fabs(out[r * N + c] - sum) < 1e-4);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stream_answers_as_the_whole_recording_in_every_network),
      cmocka_unit_test(bad_values_are_replaced_and_counted),
      cmocka_unit_test(a_few_rows_times_weights_is_their_sum),
  };

  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
