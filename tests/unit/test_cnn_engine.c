// test_cnn_engine.c -- derivatives of every network against differences, double and PyTorch
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <base/h5.h>
#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/emgtwin.h>

#include "decomp/cnn_priv.h"

// the engine once more, on double
#define REAL double
#define NAME(name) check_##name
#define GEMM emg_dgemm
#include "decomp/cnn_engine_types.h"
#include "decomp/cnn_engine_body.h"

static const emg_cnn_kind kinds[] = {EMG_CNN_SO, EMG_CNN_MO, EMG_CNN_SHARED, EMG_CNN_MULTILABEL};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], CHUNKS = 2 };

// Numbers that any program can make: those of the golden file are of the same.
static double formula(double a, double b, int64_t i) {
  return sin(a * (double)i + b) * cos(0.37 * b + 0.0713 * (double)(i % 97));
}

static emg_cnn_plan plan_of(emg_cnn_kind kind) {
  const emg_cnn_shape shape = {kind, 2, 3, 24, 4};
  emg_cnn_plan plan;

  assert_int_equal(emg_cnn_plan_create(&shape, &plan, NULL), EMG_OK);
  return plan;
}

static double *weights_of(const emg_cnn_plan *plan) {
  double *weights = malloc((size_t)plan->n_weights * sizeof *weights);

  assert_non_null(weights);
  for (int64_t i = 0; i < plan->n_weights; i++) {
    weights[i] = 0.12 * formula(1.7, 0.3, i);
  }
  return weights;
}

// `n_runs` runs of `n_windows` windows in each chunk; all windows count the same.
static check_batch batch_of(const emg_cnn_plan *plan, int n_runs, int n_windows, int n_threads) {
  check_batch b;
  int pitch = emg_cnn_pitch(plan, 0, n_windows), length = emg_cnn_run_length(plan, n_windows);
  int n_channels = plan->shape.n_channels, n = CHUNKS * n_runs * n_windows;

  assert_int_equal(check_batch_create(plan, CHUNKS, n_runs, n_windows, n_threads, &b, NULL),
                   EMG_OK);
  for (int c = 0; c < CHUNKS; c++) {
    for (int run = 0; run < n_runs; run++) {
      for (int i = 0; i < length * n_channels; i++) {
        b.input[c][run * pitch * n_channels + i] = 0.8 * formula(0.911, c * n_runs + run, i);
      }
    }
  }
  for (int i = 0; i < n; i++) {
    b.share[i] = 1.0 / n;
    for (int u = 0; u < plan->shape.n_units; u++) {
      b.target[i * plan->shape.n_units + u] = (i + u) % 3 == 0 ? 1 : 0.25 * (i % 2);
    }
  }
  return b;
}

static emg_cnn_batch float_batch_of(const emg_cnn_plan *plan, const check_batch *from) {
  emg_cnn_batch b;
  int n = from->n_runs * from->n_windows * from->n_chunks;

  assert_int_equal(emg_cnn_batch_create(plan, from->n_chunks, from->n_runs, from->n_windows,
                                        from->n_threads, &b, NULL),
                   EMG_OK);
  size_t n_input = (size_t)(from->n_runs * emg_cnn_pitch(plan, 0, from->n_windows)) *
                   (size_t)plan->shape.n_channels;
  for (int c = 0; c < from->n_chunks; c++) {
    for (size_t i = 0; i < n_input; i++) {
      b.input[c][i] = (float)from->input[c][i];
    }
  }
  for (int i = 0; i < n; i++) {
    b.share[i] = (float)from->share[i];
  }
  for (int i = 0; i < n * plan->shape.n_units; i++) {
    b.target[i] = (float)from->target[i];
  }
  return b;
}

static double *gradient_of(const emg_cnn_plan *plan, check_batch *b, const check_lesson *lesson,
                           const double *weights, double *loss) {
  double *gradient = malloc((size_t)plan->n_weights * sizeof *gradient);

  assert_non_null(gradient);
  *loss = check_learn(plan, b, lesson, weights, gradient);
  return gradient;
}

static double largest(int64_t n, const double *values) {
  double most = 0;

  for (int64_t i = 0; i < n; i++) {
    most = fmax(most, fabs(values[i]));
  }
  return most;
}

static void networks_have_the_published_numbers_of_parameters(void **state) {
  (void)state;
  const emg_cnn_shape so = {EMG_CNN_SO, 1, 64, 120, 20}, mo = {EMG_CNN_MO, 10, 64, 120, 20};
  emg_cnn_shape short_window = {EMG_CNN_SO, 1, 64, 20, 20};

  // Wen et al. 2021, section 4.1.2
  assert_int_equal(emg_cnn_count_weights(&so), 590785);
  assert_int_equal(emg_cnn_count_weights(&mo), 5241994);
  // 27 rows of 64 features before the first dense layer become 2
  assert_int_equal(emg_cnn_count_weights(&short_window), 590785 - 25 * 64 * 256);
  short_window.window = 15;
  assert_int_equal(emg_cnn_count_weights(&short_window), 0);
}

// Some weights of every layer of every branch, by central differences of the loss.
static void check_differences(const emg_cnn_plan *plan, check_batch *b,
                              const check_lesson *lesson) {
  const double step = 1e-6;
  double loss, *weights = weights_of(plan);
  double *gradient = gradient_of(plan, b, lesson, weights, &loss);
  double *other = malloc((size_t)plan->n_weights * sizeof *other);
  double most = largest(plan->n_weights, gradient);

  assert_true(most > 1e-4);
  for (int i = 0; i < EMG_CNN_LAYERS; i++) {
    const emg_cnn_stage *s = &plan->stages[i];
    bool is_own = s->layer.is_per_unit;
    for (int k = 0; k < 6 && s->n_kernel > 0; k++) {
      int64_t base = is_own ? emg_cnn_branch(plan, k % 2) : 0;
      // the last two are biases
      int64_t at =
          base + s->offset + (k < 4 ? (s->n_kernel * (2 * k + 1)) / 9 : s->n_kernel + k - 4);
      at = s->n_out == 1 && k == 5 ? at - 1 : at;
      double kept = weights[at], above, below;
      weights[at] = kept + step;
      above = check_learn(plan, b, lesson, weights, other);
      weights[at] = kept - step;
      below = check_learn(plan, b, lesson, weights, other);
      weights[at] = kept;
      assert_true(fabs((above - below) / (2 * step) - gradient[at]) < 1e-5 * most);
    }
  }
  free(other);
  free(gradient);
  free(weights);
}

static void derivatives_are_those_of_differences_with_dropout_in_every_network(void **state) {
  (void)state;
  const check_lesson lesson = {7, 3, 0.5, 1.5};

  for (int k = 0; k < N_KINDS; k++) {
    emg_cnn_plan plan = plan_of(kinds[k]);
    check_batch runs = batch_of(&plan, 1, 3, 2), windows = batch_of(&plan, 2, 1, 2);
    check_differences(&plan, &runs, &lesson);
    check_differences(&plan, &windows, &lesson);
    check_batch_free(&runs);
    check_batch_free(&windows);
  }
}

static void float_derivatives_are_those_of_double(void **state) {
  (void)state;
  const check_lesson lesson = {7, 3, 0.5, 1};
  const emg_cnn_lesson float_lesson = {7, 3, 0.5, 1};

  for (int k = 0; k < N_KINDS; k++) {
    emg_cnn_plan plan = plan_of(kinds[k]);
    check_batch b = batch_of(&plan, 1, 3, 1);
    emg_cnn_batch fb = float_batch_of(&plan, &b);
    double loss, *weights = weights_of(&plan);
    double *gradient = gradient_of(&plan, &b, &lesson, weights, &loss);
    float *float_weights = malloc((size_t)plan.n_weights * sizeof(float));
    float *float_gradient = malloc((size_t)plan.n_weights * sizeof(float));
    for (int64_t i = 0; i < plan.n_weights; i++) {
      float_weights[i] = (float)weights[i];
    }
    double float_loss = emg_cnn_learn(&plan, &fb, &float_lesson, float_weights, float_gradient);
    double most = largest(plan.n_weights, gradient);
    assert_true(fabs(float_loss - loss) < 1e-5 * loss);
    for (int64_t i = 0; i < plan.n_weights; i++) {
      assert_true(fabs(float_gradient[i] - gradient[i]) < 1e-5 * most);
    }
    free(weights);
    free(gradient);
    free(float_weights);
    free(float_gradient);
    check_batch_free(&b);
    emg_cnn_batch_free(&fb);
  }
}

// The windows of one run, as runs of one window each.
static check_batch taken_apart(const emg_cnn_plan *plan, const check_batch *run) {
  check_batch b = batch_of(plan, run->n_windows, 1, 1);
  int pitch = emg_cnn_pitch(plan, 0, 1), n_channels = plan->shape.n_channels;

  for (int c = 0; c < CHUNKS; c++) {
    for (int j = 0; j < run->n_windows; j++) {
      memcpy(b.input[c] + j * pitch * n_channels, run->input[c] + j * plan->spacing * n_channels,
             (size_t)(plan->shape.window * n_channels) * sizeof(double));
    }
  }
  return b;
}

static void a_run_has_the_derivatives_of_its_windows(void **state) {
  (void)state;
  const check_lesson lesson = {1, 0, 0, 1};

  for (int k = 0; k < N_KINDS; k++) {
    emg_cnn_plan plan = plan_of(kinds[k]);
    check_batch run = batch_of(&plan, 1, 5, 1), windows = taken_apart(&plan, &run);
    double loss, loss_apart, *weights = weights_of(&plan);
    double *gradient = gradient_of(&plan, &run, &lesson, weights, &loss);
    double *apart = gradient_of(&plan, &windows, &lesson, weights, &loss_apart);
    double most = largest(plan.n_weights, gradient);
    assert_true(fabs(loss - loss_apart) < 1e-12 * loss);
    for (int64_t i = 0; i < plan.n_weights; i++) {
      assert_true(fabs(gradient[i] - apart[i]) < 1e-11 * most);
    }
    free(weights);
    free(gradient);
    free(apart);
    check_batch_free(&run);
    check_batch_free(&windows);
  }
}

static void any_number_of_threads_gives_the_same_bits(void **state) {
  (void)state;
  const emg_cnn_lesson lesson = {7, 3, 0.5, 1};

  for (int k = 0; k < N_KINDS; k++) {
    emg_cnn_plan plan = plan_of(kinds[k]);
    size_t n = (size_t)plan.n_weights;
    double *weights = weights_of(&plan);
    float *float_weights = malloc(n * sizeof(float)), *gradient[3];
    for (size_t i = 0; i < n; i++) {
      float_weights[i] = (float)weights[i];
    }
    for (int t = 0; t < 3; t++) {
      check_batch b = batch_of(&plan, 2, 2, 1 << t);
      emg_cnn_batch fb = float_batch_of(&plan, &b);
      gradient[t] = malloc(n * sizeof(float));
      emg_cnn_learn(&plan, &fb, &lesson, float_weights, gradient[t]);
      assert_memory_equal(gradient[t], gradient[0], n * sizeof(float));
      check_batch_free(&b);
      emg_cnn_batch_free(&fb);
    }
    for (int t = 0; t < 3; t++) {
      free(gradient[t]);
    }
    free(weights);
    free(float_weights);
  }
}

// --- PyTorch, float64 (tests/golden/make_cnn_torch.py) ---

enum { POINTS = 40 };

static void check_golden(emg_h5 *file, emg_cnn_kind kind, bool is_run) {
  const check_lesson lesson = {7, 3, 0.5, 1};
  emg_cnn_plan plan = plan_of(kind);
  check_batch b = is_run ? batch_of(&plan, 1, 3, 1) : batch_of(&plan, 2, 1, 1);
  int64_t n_points = (int64_t)POINTS * EMG_CNN_LAYERS, n_logits = 2 * CHUNKS * (is_run ? 3 : 2);
  double expected[POINTS * EMG_CNN_LAYERS], logit[32], loss_of_file, loss;
  int64_t index[POINTS * EMG_CNN_LAYERS];
  double *weights = weights_of(&plan);
  double *gradient = gradient_of(&plan, &b, &lesson, weights, &loss);
  char path[64];

#define PATH(name)                                                                              \
  (snprintf(path, sizeof path, "%s/%s/%s", emg_cnn_kind_name(kind), is_run ? "run" : "windows", \
            name),                                                                              \
   path)
  assert_int_equal(emg_h5_read_scalar(file, PATH("loss"), &loss_of_file, NULL), EMG_OK);
  assert_int_equal(emg_h5_read(file, PATH("logit"), EMG_H5_F64, 1, &n_logits, 0, logit, NULL),
                   EMG_OK);
  assert_int_equal(emg_h5_read(file, PATH("index"), EMG_H5_I64, 1, &n_points, 0, index, NULL),
                   EMG_OK);
  assert_int_equal(emg_h5_read(file, PATH("gradient"), EMG_H5_F64, 1, &n_points, 0, expected, NULL),
                   EMG_OK);
#undef PATH
  assert_true(fabs(loss - loss_of_file) < 1e-12 * loss);
  for (int64_t i = 0; i < n_logits; i++) {
    assert_true(fabs(b.logit[i] - logit[i]) < 1e-12);
  }
  double most = largest(plan.n_weights, gradient);
  for (int64_t i = 0; i < n_points; i++) {
    assert_in_range(index[i], 0, plan.n_weights - 1);
    assert_true(fabs(gradient[index[i]] - expected[i]) < 1e-11 * most);
  }
  free(weights);
  free(gradient);
  check_batch_free(&b);
}

static void losses_answers_and_derivatives_are_those_of_pytorch(void **state) {
  (void)state;
  emg_h5 *file;

  assert_int_equal(emg_h5_open(EMG_GOLDEN "/cnn_torch.h5", &file, NULL), EMG_OK);
  for (int k = 0; k < N_KINDS; k++) {
    check_golden(file, kinds[k], false);
    check_golden(file, kinds[k], true);
  }
  emg_h5_close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(networks_have_the_published_numbers_of_parameters),
      cmocka_unit_test(derivatives_are_those_of_differences_with_dropout_in_every_network),
      cmocka_unit_test(float_derivatives_are_those_of_double),
      cmocka_unit_test(a_run_has_the_derivatives_of_its_windows),
      cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
      cmocka_unit_test(losses_answers_and_derivatives_are_those_of_pytorch),
  };

  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
