// test_cnn_file.c -- networks in files: read back to the bit, laid out for Keras, refused if broken
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/h5.h>
#include <emgtwin/emgtwin.h>

static char path[64];

static emg_cnn network(emg_cnn_kind kind) {
  const emg_cnn_shape shape = {kind, 2, 3, 24, 4};
  emg_cnn net;

  assert_int_equal(emg_cnn_create(&shape, &net, NULL), EMG_OK);
  net.n_channels_recorded = 5;
  for (int c = 0; c < 3; c++) {
    net.channel[c] = c + 1;
  }
  net.rate_hz = 2048;
  net.band_low_hz = 20;
  net.band_high_hz = 500;
  net.scale_uv = 123.25;
  net.refractory_ms = 20;
  net.soft_label_ms = 1.5;
  net.threshold[0] = 0.25;
  net.threshold[1] = 0.5;
  net.seed = 0xfedcba9876543210ULL;
  strcpy(net.labels_sha256, "0123");
  for (int64_t i = 0; i < emg_cnn_count_weights(&shape); i++) {
    net.weights[i] = (float)sin(0.1 * (double)i);
  }
  return net;
}

static void write_network(const emg_cnn *net) {
  emg_error err = {0};

  if (emg_cnn_write(path, net, NULL, true, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

static void every_network_reads_back_to_the_bit(void **state) {
  (void)state;

  for (int k = 0; emg_cnn_kind_name((emg_cnn_kind)k); k++) {
    emg_cnn net = network((emg_cnn_kind)k), back;
    write_network(&net);
    assert_int_equal(emg_cnn_read(path, &back, NULL), EMG_OK);
    assert_memory_equal(&back.shape, &net.shape, sizeof net.shape);
    assert_memory_equal(back.weights, net.weights,
                        (size_t)emg_cnn_count_weights(&net.shape) * sizeof(float));
    assert_memory_equal(back.channel, net.channel, 3 * sizeof *net.channel);
    assert_memory_equal(back.threshold, net.threshold, 2 * sizeof *net.threshold);
    assert_true(back.scale_uv == net.scale_uv && back.rate_hz == net.rate_hz &&
                back.band_low_hz == net.band_low_hz && back.band_high_hz == net.band_high_hz &&
                back.notch_hz == net.notch_hz && back.refractory_ms == net.refractory_ms &&
                back.soft_label_ms == net.soft_label_ms && back.seed == net.seed);
    assert_int_equal(back.n_channels_recorded, 5);
    assert_string_equal(back.labels_sha256, "0123");
    emg_cnn_free(&net);
    emg_cnn_free(&back);
  }
}

// Number `at` of the weights is at (tap, in, out) of a kernel as Keras keeps it.
static void kernels_lie_as_keras_has_them(void **state) {
  (void)state;
  emg_cnn net = network(EMG_CNN_MO);
  int64_t conv[] = {3, 3, 128}, dense[] = {2 * 64 + 64, 256};
  float *kernel = malloc((size_t)(dense[0] * dense[1]) * sizeof *kernel);
  emg_h5 *file;

  assert_non_null(kernel);
  write_network(&net);
  assert_int_equal(emg_h5_open(path, &file, NULL), EMG_OK);
  assert_int_equal(
      emg_h5_read(file, "model_weights/c1/c1/kernel:0", EMG_H5_F32, 3, conv, 0, kernel, NULL),
      EMG_OK);
  assert_memory_equal(kernel, net.weights, 3 * 3 * 128 * sizeof *kernel);
  // windows of 24: 22, 20, 10, 8, 6, 3 rows of 64 features
  assert_int_equal(emg_h5_read(file, "model_weights/u0001_f1/u0001_f1/kernel:0", EMG_H5_F32, 2,
                               dense, 0, kernel, NULL),
                   EMG_OK);
  int64_t shared = 3 * 3 * 128 + 128 + 3 * 128 * 128 + 128;
  int64_t convolutions = 3 * 128 * 128 + 128 + 3 * 128 * 64 + 64;
  int64_t branch = convolutions + dense[0] * dense[1] + 256 + 256 + 1;
  assert_memory_equal(kernel, net.weights + shared + branch + convolutions,
                      (size_t)(dense[0] * dense[1]) * sizeof *kernel);
  emg_h5_close(file);
  emg_cnn_free(&net);
  free(kernel);
}

static void refused(emg_status expected, const char *text) {
  emg_error err = {0};
  emg_cnn net;

  assert_int_equal(emg_cnn_read(path, &net, &err), expected);
  if (!strstr(emg_error_message(&err), text)) {
    fail_msg("'%s' does not say '%s'", emg_error_message(&err), text);
  }
  assert_null(net.weights);
}

static void broken_networks_are_refused(void **state) {
  (void)state;
  emg_cnn net = network(EMG_CNN_SHARED);
  FILE *file;

#define BROKEN(lvalue, value, text) \
  do {                              \
    double kept = (double)(lvalue); \
    lvalue = value;                 \
    write_network(&net);            \
    refused(EMG_ERR_DATA, text);    \
    lvalue = kept;                  \
  } while (0)
  BROKEN(net.weights[100], NAN, "finite");
  BROKEN(net.threshold[1], 1.5, "probability");
  BROKEN(net.channel[2], 5, "channels");
  BROKEN(net.channel[2], 2, "channels");
  BROKEN(net.scale_uv, 0, "out of range");
  BROKEN(net.rate_hz, INFINITY, "finite");
  BROKEN(net.n_channels_recorded, 2, "out of range");
#undef BROKEN
  unlink(path);
  refused(EMG_ERR_IO, "");
  file = fopen(path, "w");
  assert_non_null(file);
  fputs("no network", file);
  fclose(file);
  refused(EMG_ERR_DATA, "");
  write_network(&net);
  assert_int_equal(truncate(path, 100000), 0);
  refused(EMG_ERR_DATA, "");
  emg_cnn_free(&net);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_network_reads_back_to_the_bit),
      cmocka_unit_test(kernels_lie_as_keras_has_them),
      cmocka_unit_test(broken_networks_are_refused),
  };

  emg_init();
  snprintf(path, sizeof path, "/tmp/test_cnn_file.%ld.h5", (long)getpid());
  int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path);
  return n_failed;
}
