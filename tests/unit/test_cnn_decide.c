// test_cnn_decide.c -- labels, discharges from answers, counts and thresholds
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decomp/cnn_priv.h"

static int64_t samples[] = {100, 150, 400, 203};
static int64_t offsets[] = {0, 3, 4};
static const emg_spikes trains = {2, offsets, samples, 2048, 1000};

static void a_label_is_1_where_the_middle_step_holds_a_discharge(void **state) {
  (void)state;
  const emg_cnn_labels even = {&trains, 20, 0}, odd = {&trains, 5, 0};

  // samples centre - 10 .. centre + 9
  assert_true(emg_cnn_label(&even, 0, 100) == 1 && emg_cnn_label(&even, 0, 110) == 1);
  assert_true(emg_cnn_label(&even, 0, 111) == 0 && emg_cnn_label(&even, 0, 91) == 1);
  assert_true(emg_cnn_label(&even, 0, 90) == 0 && emg_cnn_label(&even, 1, 100) == 0);
  // steps tile time: every discharge is in one window of those at multiples of the step
  for (int u = 0; u < 2; u++) {
    double sum = 0;
    for (int64_t centre = 0; centre < 1000; centre += 5) {
      sum += emg_cnn_label(&odd, u, centre);
    }
    assert_true(sum == (double)emg_spikes_count(&trains, u));
  }
}

static void a_soft_label_falls_off_about_the_nearest_discharge(void **state) {
  (void)state;
  const emg_cnn_labels soft = {&trains, 4, 4};

  assert_true(emg_cnn_label(&soft, 0, 150) == 1);
  assert_true(fabs(emg_cnn_label(&soft, 0, 146) - exp(-0.5)) < 1e-15);
  assert_true(fabs(emg_cnn_label(&soft, 0, 408) - exp(-2)) < 1e-15);
  assert_true(emg_cnn_label(&soft, 0, 900) < 1e-15);
}

// Discharges from answers 20 samples apart; their number.
static int decide(const float *logits, int n, double threshold, int64_t refractory,
                  int64_t *spikes) {
  emg_cnn_decider d;
  float height;
  int n_spikes = 0;

  emg_cnn_decider_start(&d, threshold, refractory);
  for (int i = 0; i < n; i++) {
    n_spikes += emg_cnn_decide(&d, 20 * i, 20, logits[i], &spikes[n_spikes], &height);
  }
  return n_spikes + emg_cnn_decider_end(&d, 20, &spikes[n_spikes], &height);
}

static void adjacent_positives_are_one_discharge_at_the_greater(void **state) {
  (void)state;
  const float one[] = {-5, -5, 3, 4, -5, -5, -5}, plateau[] = {-5, 2, 2, -5, -5};
  const float apart[] = {-5, 3, -5, -5, 4, -5, -5}, close[] = {-5, 3, -1, 4, -5, -5, -5};
  int64_t spikes[8];

  assert_int_equal(decide(one, 7, 0.5, 41, spikes), 1);
  // the top of the parabola through (40, 3), (60, 4), (80, -5)
  assert_int_equal(spikes[0], 52);
  assert_int_equal(decide(plateau, 5, 0.5, 41, spikes), 1);
  assert_int_equal(spikes[0], 30);
  assert_int_equal(decide(apart, 7, 0.5, 41, spikes), 2);
  assert_int_equal(spikes[0], 20);
  assert_int_equal(decide(close, 7, 0.5, 41, spikes), 1);
  assert_in_range(spikes[0], 51, 69);
  assert_int_equal(decide(close, 7, 0.5, 20, spikes), 2);
  assert_int_equal(decide(one, 7, 0.99, 41, spikes), 0);
}

static void the_last_answer_is_no_peak_and_the_first_may_be(void **state) {
  (void)state;
  const float rising[] = {-5, -5, 3}, falling[] = {3, -5, -5};
  int64_t spikes[4];

  assert_int_equal(decide(rising, 3, 0.5, 41, spikes), 0);
  assert_int_equal(decide(falling, 3, 0.5, 41, spikes), 1);
  assert_int_equal(spikes[0], 0);
}

// Answers of both units at windows 20 apart from 0 on.
enum { N = 50 };
static float logits[N * 2];
static const emg_cnn_shape shape = {EMG_CNN_MULTILABEL, 2, 3, 40, 20};

static emg_cnn_answers answers(const emg_cnn_labels *labels) {
  for (int i = 0; i < N * 2; i++) {
    logits[i] = -3;
  }
  return (emg_cnn_answers){&shape, labels, 41, 0, N, logits};
}

static void counts_are_window_by_window_or_discharge_by_discharge(void **state) {
  (void)state;
  const emg_cnn_labels hard = {&trains, 20, 0}, soft = {&trains, 20, 4};
  emg_cnn_answers a = answers(&hard);
  emg_cnn_count count = {0};

  // unit 0 discharges in windows 5, 8 (150 is the first sample of it) and 20
  logits[2 * 5] = 3;
  logits[2 * 6] = 2;
  logits[2 * 20] = 3;
  emg_cnn_count_answers(&a, 0, 0.5, &count);
  assert_int_equal(count.n_true, 2);
  assert_int_equal(count.n_false, 1);
  assert_int_equal(count.n_missed, 1);
  assert_true(fabs(emg_cnn_f1(&count) - 2.0 / 3) < 1e-15);
  count = (emg_cnn_count){0};
  a.labels = &soft;
  emg_cnn_count_answers(&a, 0, 0.5, &count);
  assert_int_equal(count.n_true, 2);
  assert_int_equal(count.n_false, 0);
  assert_int_equal(count.n_missed, 1);
}

static void the_best_threshold_lies_between_right_and_wrong(void **state) {
  (void)state;
  int64_t many[] = {100, 200, 300, 400, 500, 600}, bounds[] = {0, 6, 6};
  const emg_spikes labelled = {2, bounds, many, 2048, 1000};
  const emg_cnn_labels hard = {&labelled, 20, 0};
  emg_cnn_answers a = answers(&hard);

  for (int i = 0; i < 6; i++) {
    logits[2 * (5 + 5 * i)] = (float)emg_cnn_logit(0.41);
  }
  logits[2 * 2] = (float)emg_cnn_logit(0.19);
  assert_true(fabs(emg_cnn_best_threshold(1, &a, 0) - 0.3) < 1e-9);
  // a unit that does not discharge says nothing
  assert_true(emg_cnn_best_threshold(1, &a, 1) == 0.5);
}

static void validation_is_apart_from_what_is_learned_by_a_window(void **state) {
  (void)state;
  const emg_cnn_span none = {0, 0};
  emg_cnn_split split;
  int64_t n = 10000, learned = 0, validated = 0;

  emg_cnn_split_samples(n, 120, 0.2, none, &split);
  assert_int_equal(split.n_validation, EMG_CNN_BLOCKS);
  for (int k = 0; k < split.n_validation; k++) {
    const emg_cnn_span *v = &split.validation[k];
    assert_true(v->begin >= 0 && v->end <= n && v->end > v->begin);
    validated += v->end - v->begin;
    for (int i = 0; i < split.n_train; i++) {
      assert_true(split.train[i].end + 120 <= v->begin || split.train[i].begin >= v->end + 120);
    }
  }
  for (int i = 0; i < split.n_train; i++) {
    learned += split.train[i].end - split.train[i].begin;
  }
  assert_int_equal(validated, 2000);
  assert_int_equal(learned, 8000 - 9 * 120);
  emg_cnn_split_samples(n, 120, 0, none, &split);
  assert_int_equal(split.n_validation, 0);
  assert_int_equal(split.train[0].end, n);
}

static void what_is_held_out_is_in_neither_part(void **state) {
  (void)state;
  const emg_cnn_span held = {1900, 4100};
  emg_cnn_split split;

  for (int with_validation = 0; with_validation < 2; with_validation++) {
    int64_t kept = 0;
    emg_cnn_split_samples(10000, 120, 0.2 * with_validation, held, &split);
    for (int i = 0; i < split.n_train; i++) {
      assert_true(split.train[i].end + 120 <= 1900 || split.train[i].begin >= 4100 + 120);
      kept += split.train[i].end - split.train[i].begin;
    }
    for (int i = 0; i < split.n_validation; i++) {
      assert_true(split.validation[i].end + 120 <= 1900 || split.validation[i].begin >= 4220);
    }
    assert_true(with_validation ? split.n_validation == 4 && kept > 5000 : kept == 10000 - 2440);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_label_is_1_where_the_middle_step_holds_a_discharge),
      cmocka_unit_test(a_soft_label_falls_off_about_the_nearest_discharge),
      cmocka_unit_test(adjacent_positives_are_one_discharge_at_the_greater),
      cmocka_unit_test(the_last_answer_is_no_peak_and_the_first_may_be),
      cmocka_unit_test(counts_are_window_by_window_or_discharge_by_discharge),
      cmocka_unit_test(the_best_threshold_lies_between_right_and_wrong),
      cmocka_unit_test(validation_is_apart_from_what_is_learned_by_a_window),
      cmocka_unit_test(what_is_held_out_is_in_neither_part),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
