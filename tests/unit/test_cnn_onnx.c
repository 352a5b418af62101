// test_cnn_onnx.c -- what ONNX Runtime made of our ONNX files is what we make of the networks
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

#include "decomp/cnn_priv.h"

enum { UNITS = 2, CHANNELS = 3, WINDOW = 24, WINDOWS = 3 };

// As in tests/golden/make_cnn_onnx.py.
static void fill(int64_t n, double scale, float *values) {
  for (int64_t i = 0; i < n; i++) {
    values[i] = (float)((double)(i * 7919 % 2001 - 1000) / 1000 * scale);
  }
}

static emg_cnn network(emg_cnn_kind kind) {
  const emg_cnn_shape shape = {kind, UNITS, CHANNELS, WINDOW, 4};
  emg_cnn net;

  assert_int_equal(emg_cnn_create(&shape, &net, NULL), EMG_OK);
  fill(emg_cnn_count_weights(&shape), 0.12, net.weights);
  return net;
}

// Our probabilities [window][unit].
static void answer(const emg_cnn *net, const float *windows, double *probability) {
  emg_cnn_plan plan;
  emg_cnn_work shared, own;
  float input[(WINDOW + EMG_CNN_SPARE) * CHANNELS] = {0};

  assert_int_equal(emg_cnn_plan_create(&net->shape, &plan, NULL), EMG_OK);
  assert_int_equal(emg_cnn_work_create(&plan, 0, plan.n_shared, 1, 1, false, &shared, NULL), 0);
  assert_int_equal(
      emg_cnn_work_create(&plan, plan.n_shared, EMG_CNN_LAYERS, 1, 1, false, &own, NULL), 0);
  for (int w = 0; w < WINDOWS; w++) {
    memcpy(input, windows + w * WINDOW * CHANNELS, WINDOW * CHANNELS * sizeof *input);
    emg_cnn_forward(&shared, net->weights, input, 1);
    const float *z = plan.n_shared > 0 ? shared.out[plan.n_shared - 1] : input;
    for (int u = 0; u < UNITS; u++) {
      double logit = plan.n_shared == EMG_CNN_LAYERS ? z[u] : 0;
      if (plan.n_shared < EMG_CNN_LAYERS) {
        emg_cnn_forward(&own, net->weights + emg_cnn_branch(&plan, u), z, 1);
        logit = own.out[EMG_CNN_LAYERS - 1][0];
      }
      probability[w * UNITS + u] = 1 / (1 + exp(-logit));
    }
  }
  emg_cnn_work_free(&shared);
  emg_cnn_work_free(&own);
}

static void answers_and_files_are_those_that_onnx_runtime_was_given(void **state) {
  (void)state;
  static float windows[WINDOWS * WINDOW * CHANNELS];
  const int64_t dims[] = {WINDOWS, UNITS};
  char path[64], name[64], hex[65], *expected_hex;
  emg_h5 *file;

  fill(WINDOWS * WINDOW * CHANNELS, 1, windows);
  snprintf(path, sizeof path, "/tmp/test_cnn_onnx.%ld.onnx", (long)getpid());
  assert_int_equal(emg_h5_open(EMG_GOLDEN "/cnn_onnx.h5", &file, NULL), EMG_OK);
  for (int k = 0; emg_cnn_kind_name((emg_cnn_kind)k); k++) {
    double ours[WINDOWS * UNITS], theirs[WINDOWS * UNITS];
    emg_cnn net = network((emg_cnn_kind)k);
    answer(&net, windows, ours);
    snprintf(name, sizeof name, "%s/probability", emg_cnn_kind_name((emg_cnn_kind)k));
    assert_int_equal(emg_h5_read(file, name, EMG_H5_F64, 2, dims, 0, theirs, NULL), EMG_OK);
    for (int i = 0; i < WINDOWS * UNITS; i++) {
      assert_true(fabs(ours[i] - theirs[i]) < 1e-5);
    }

    // the file they ran is the one we write
    assert_int_equal(emg_cnn_write_onnx(path, &net, true, NULL), EMG_OK);
    assert_int_equal(emg_file_sha256(path, hex, NULL), EMG_OK);
    snprintf(name, sizeof name, "%s/sha256", emg_cnn_kind_name((emg_cnn_kind)k));
    assert_int_equal(emg_h5_read_text(file, name, &expected_hex, NULL), EMG_OK);
    assert_string_equal(hex, expected_hex);
    free(expected_hex);
    emg_cnn_free(&net);
  }
  emg_h5_close(file);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_and_files_are_those_that_onnx_runtime_was_given),
  };

  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
