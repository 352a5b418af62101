// test_score.c -- laws and edge cases of scoring
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <decomp/match_priv.h>
#include <emgtwin/rng.h>
#include <emgtwin/score.h>

static const double rate_hz = 2048;
enum { N_SAMPLES = 2048 * 60, N_UNITS = 6 };

// Trains of about 12 Hz with Gaussian intervals (CoV 0.2), different for each `first` unit.
static emg_spikes make_trains(int n_units, uint32_t first) {
  emg_spikes trains;
  int64_t counts[64] = {0}, most = N_SAMPLES / 40;
  int64_t *times = malloc((size_t)(n_units * most) * sizeof *times);

  assert_true(n_units <= 64);
  for (int u = 0; u < n_units; u++) {
    emg_rng rng = emg_rng_stream(11, EMG_RNG_TEST, first + (uint32_t)u, 0);
    double interval = rate_hz / (10 + 0.5 * ((first + (uint32_t)u) % 11)),
           at = emg_rng_uniform(&rng) * interval;
    counts[u] = 0;
    while (at < N_SAMPLES - 1 && counts[u] < most) {
      times[u * most + counts[u]++] = (int64_t)at;
      at += fmax(interval * (1 + 0.2 * emg_rng_gaussian(&rng)), 45);
    }
  }
  assert_int_equal(emg_spikes_create(n_units, counts, rate_hz, N_SAMPLES, &trains, NULL), EMG_OK);
  for (int u = 0; u < n_units; u++) {
    memcpy(trains.samples + trains.offsets[u], times + u * most, (size_t)counts[u] * sizeof *times);
  }
  free(times);
  return trains;
}

static emg_spikes from_list(int n, const int64_t *samples) {
  emg_spikes train;
  int64_t count = n;

  assert_int_equal(emg_spikes_create(1, &count, 1000, 0, &train, NULL), EMG_OK);
  for (int i = 0; i < n; i++) {
    train.samples[i] = samples[i];
  }
  return train;
}

// New trains of the units in `order`, each moved by `shift` samples.
static emg_spikes rearrange(const emg_spikes *from, int n, const int *order, int64_t shift) {
  emg_spikes to;
  int64_t counts[64] = {0};

  for (int u = 0; u < n; u++) {
    counts[u] = emg_spikes_count(from, order[u]);
  }
  assert_int_equal(emg_spikes_create(n, counts, from->rate_hz, 0, &to, NULL), EMG_OK);
  for (int u = 0; u < n; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      to.samples[to.offsets[u] + i] = emg_spikes_of(from, order[u])[i] + shift;
    }
  }
  return to;
}

static emg_score_options preset(const char *name) {
  emg_score_options options;
  assert_int_equal(emg_score_preset(name, &options, NULL), EMG_OK);
  return options;
}

static emg_score_result score(const emg_spikes *estimated, const emg_spikes *truth,
                              const char *name) {
  emg_score_options options = preset(name);
  emg_score_result result;
  assert_int_equal(emg_score(estimated, truth, &options, &result, NULL), EMG_OK);
  return result;
}

static void truth_against_itself_is_perfect(void **state) {
  (void)state;
  static const char *const names[] = {"strict", "muniverse", "munitquest"};
  emg_spikes truth = make_trains(N_UNITS, 0);

  for (int p = 0; p < 3; p++) {
    emg_score_result result = score(&truth, &truth, names[p]);
    assert_int_equal(result.n_matched, N_UNITS);
    assert_int_equal(result.n_roa_90, N_UNITS);
    assert_int_equal(result.n_duplicates + result.n_false, 0);
    assert_true(result.roa == 1 && result.f1 == 1);
    assert_true(result.precision == 1 && result.sensitivity == 1);
    assert_true(result.sum_f1 == N_UNITS);
    for (int u = 0; u < N_UNITS; u++) {
      assert_int_equal(result.pairs[u].truth, u);
      assert_true(result.pairs[u].lag_ms == 0);
    }
    emg_score_free(&result);
  }
  emg_spikes_free(&truth);
}

static void order_of_units_and_a_common_shift_do_not_matter(void **state) {
  (void)state;
  const int order[N_UNITS] = {3, 0, 5, 1, 4, 2};
  emg_spikes truth = make_trains(N_UNITS, 0);
  int64_t limit = emg_samples_in_ms(50, rate_hz);

  for (int64_t shift = 0; shift <= limit; shift += limit / 2) {
    emg_spikes moved = rearrange(&truth, N_UNITS, order, shift);
    emg_score_result result = score(&moved, &truth, "strict");
    assert_true(result.roa == 1);
    for (int u = 0; u < N_UNITS; u++) {
      assert_int_equal(result.pairs[u].truth, order[u]);
      assert_float_equal(result.pairs[u].lag_ms, 1000.0 * (double)shift / rate_hz, 1e-12);
    }
    emg_score_free(&result);
    emg_spikes_free(&moved);
  }
  emg_spikes_free(&truth);
}

static void a_shift_beyond_the_largest_lag_is_no_match(void **state) {
  (void)state;
  const int order[1] = {0};
  emg_spikes truth = make_trains(1, 0);
  emg_spikes moved = rearrange(&truth, 1, order, emg_samples_in_ms(50, rate_hz) + 3);
  emg_score_result result = score(&moved, &truth, "strict");

  assert_int_equal(result.n_matched, 0);
  assert_int_equal(result.n_false, 1);
  emg_score_free(&result);
  emg_spikes_free(&moved);
  emg_spikes_free(&truth);
}

// Every second spike lost, every third moved beyond the tolerance.
static void estimate_and_truth_may_trade_places(void **state) {
  (void)state;
  emg_spikes truth = make_trains(N_UNITS, 0), part = make_trains(N_UNITS, 0);
  for (int u = 0; u < N_UNITS; u++) {
    for (int64_t i = part.offsets[u]; i < part.offsets[u + 1]; i += 3 + u) {
      part.samples[i] += 4;
    }
  }
  emg_score_result one = score(&part, &truth, "strict"), other = score(&truth, &part, "strict");

  assert_int_equal(one.n_matched, N_UNITS);
  assert_int_equal(other.n_matched, N_UNITS);
  assert_float_equal(one.roa, other.roa, 1e-15);
  assert_float_equal(one.precision, other.sensitivity, 1e-15);
  assert_float_equal(one.sensitivity, other.precision, 1e-15);
  for (int u = 0; u < N_UNITS; u++) {
    assert_int_equal(one.pairs[u].n_common, other.pairs[u].n_common);
    assert_true(one.pairs[u].lag_ms == -other.pairs[u].lag_ms);
  }
  emg_score_free(&one);
  emg_score_free(&other);
  emg_spikes_free(&truth);
  emg_spikes_free(&part);
}

static void agreement_follows_from_f1(void **state) {
  (void)state;
  emg_spikes a = make_trains(N_UNITS, 0), b = make_trains(N_UNITS, 100);
  emg_matcher matcher;

  assert_int_equal(emg_matcher_create(100, 20, &matcher, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    int64_t n_a = emg_spikes_count(&a, u), n_b = emg_spikes_count(&b, u);
    emg_agreement both =
        emg_match_trains(&matcher, emg_spikes_of(&a, u), n_a, emg_spikes_of(&b, u), n_b);
    emg_agreement back =
        emg_match_trains(&matcher, emg_spikes_of(&b, u), n_b, emg_spikes_of(&a, u), n_a);
    assert_float_equal(both.roa, both.f1 / (2 - both.f1), 1e-12);
    assert_int_equal(both.n_common, back.n_common);
    assert_true(both.roa > 0 && both.roa < 1);
  }
  emg_matcher_free(&matcher);
  emg_spikes_free(&a);
  emg_spikes_free(&b);
}

static void the_same_train_twice_is_one_match_and_one_duplicate(void **state) {
  (void)state;
  static const char *const names[] = {"strict", "muniverse", "munitquest"};
  const int order[3] = {1, 0, 1};
  emg_spikes truth = make_trains(3, 0);
  emg_spikes estimated = rearrange(&truth, 3, order, 2);

  for (int p = 0; p < 3; p++) {
    emg_score_result result = score(&estimated, &truth, names[p]);
    assert_int_equal(result.n_matched, 2);
    assert_int_equal(result.n_duplicates, 1);
    assert_int_equal(result.n_false, 0);
    assert_true(result.pairs[0].is_duplicate != result.pairs[2].is_duplicate);
    assert_int_equal(result.pairs[0].closest, 1);
    assert_true(result.pairs[2].closest_roa == 1);
    emg_score_free(&result);
  }
  emg_spikes_free(&truth);
  emg_spikes_free(&estimated);
}

static void unrelated_trains_are_false_and_near_chance(void **state) {
  (void)state;
  enum { MANY = 40 };
  emg_spikes truth = make_trains(MANY, 0), other = make_trains(MANY, 1000);
  emg_matcher matcher;
  double sum = 0, expected = 0;
  int64_t max_lag = emg_samples_in_ms(50, rate_hz), tolerance = emg_samples_in_ms(0.5, rate_hz);

  assert_int_equal(emg_matcher_create(max_lag, tolerance, &matcher, NULL), EMG_OK);
  for (int e = 0; e < MANY; e++) {
    for (int t = 0; t < MANY; t++) {
      int64_t n_a = emg_spikes_count(&other, e), n_b = emg_spikes_count(&truth, t);
      sum +=
          emg_match_trains(&matcher, emg_spikes_of(&other, e), n_a, emg_spikes_of(&truth, t), n_b)
              .roa;
      expected += emg_chance_roa(n_a, n_b, N_SAMPLES, max_lag, tolerance);
    }
  }
  // regular trains of nearly the same rate drift past each other slowly, which the formula's
  // Poisson coincidences leave out: a tenth of the value
  assert_float_equal(sum, expected, 0.1 * expected);

  emg_score_result result = score(&other, &truth, "strict");
  assert_int_equal(result.n_matched, 0);
  assert_int_equal(result.n_false, MANY);
  assert_true(result.roa == 0 && result.f1 == 0);
  emg_score_free(&result);
  emg_matcher_free(&matcher);
  emg_spikes_free(&truth);
  emg_spikes_free(&other);
}

static void chance_of_poisson_trains_is_as_simulated(void **state) {
  (void)state;
  enum { TRIALS = 400, LENGTH = 20000 };
  const int64_t max_lags[] = {0, 30, 100}, tolerances[] = {0, 1, 4};
  static int64_t trains[2][LENGTH];

  for (int setting = 0; setting < 3; setting++) {
    emg_matcher matcher;
    double sum = 0, expected = 0;
    assert_int_equal(emg_matcher_create(max_lags[setting], tolerances[setting], &matcher, NULL),
                     EMG_OK);
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
      int64_t n[2] = {0, 0};
      emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)setting, trial);
      for (int k = 0; k < 2; k++) {
        for (int64_t at = 0; at < LENGTH; at++) {
          if (emg_rng_uniform(&rng) < 0.004) {
            trains[k][n[k]++] = at;
          }
        }
      }
      sum += emg_match_trains(&matcher, trains[0], n[0], trains[1], n[1]).roa;
      expected += emg_chance_roa(n[0], n[1], LENGTH, max_lags[setting], tolerances[setting]);
    }
    // 400 trials leave about 2 % of sampling error, the Markov chain of windows as much
    assert_float_equal(sum, expected, 0.05 * expected);
    emg_matcher_free(&matcher);
  }
}

static void a_distance_of_exactly_the_tolerance_agrees(void **state) {
  (void)state;
  enum { N = 726 };
  int64_t near[N], moved[N];
  for (int i = 0; i < N; i++) {
    near[i] = 1000 + 83 * i;
    moved[i] = near[i] + (i % 2 ? 1 : -1);
  }
  emg_spikes truth = from_list(N, near), estimated = from_list(N, moved);
  emg_score_options options = preset("muniverse");
  emg_score_result result;

  // 1 ms is one sample at 1 kHz
  options.max_lag_ms = 0;
  assert_int_equal(emg_score(&estimated, &truth, &options, &result, NULL), EMG_OK);
  assert_true(result.f1 == 1);
  emg_score_free(&result);

  options.tolerance_ms = 0;
  assert_int_equal(emg_score(&estimated, &truth, &options, &result, NULL), EMG_OK);
  assert_int_equal(result.n_matched, 0);
  emg_score_free(&result);

  options.max_lag_ms = 1;  // one half agrees at either end
  assert_int_equal(emg_score(&estimated, &truth, &options, &result, NULL), EMG_OK);
  assert_int_equal(result.pairs[0].n_common, N / 2);
  emg_score_free(&result);
  emg_spikes_free(&truth);
  emg_spikes_free(&estimated);
}

static void each_spike_agrees_once(void **state) {
  (void)state;
  const int64_t close[] = {100, 101, 102, 500}, single[] = {101, 500};
  emg_spikes a = from_list(4, close), b = from_list(2, single);
  emg_score_options options = {.tolerance_ms = 5, .max_lag_ms = 50, .match_min = 0.1};
  emg_score_result result;

  assert_int_equal(emg_score(&a, &b, &options, &result, NULL), EMG_OK);
  assert_int_equal(result.pairs[0].n_common, 2);
  assert_true(result.pairs[0].precision == 0.5 && result.pairs[0].sensitivity == 1);
  emg_score_free(&result);
  emg_spikes_free(&a);
  emg_spikes_free(&b);
}

static void the_assignment_beats_taking_the_best_first(void **state) {
  (void)state;
  // estimate 0 agrees with truth 0 (9 of 10) and truth 1 (8), estimate 1 with truth 0 alone (8):
  // best first would match one pair of 9, the sum is largest with two of 8
  int64_t counts[2] = {10, 10};
  emg_spikes truth, estimated;
  assert_int_equal(emg_spikes_create(2, counts, 1000, 0, &truth, NULL), EMG_OK);
  assert_int_equal(emg_spikes_create(2, counts, 1000, 0, &estimated, NULL), EMG_OK);
  for (int i = 0; i < 10; i++) {
    int64_t at = 100 + 100 * i + 7 * i * i;
    truth.samples[i] = at;
    truth.samples[10 + i] = at + (i >= 8 ? 30 : 0);
    estimated.samples[i] = at + (i >= 9 ? 60 : 0);
    estimated.samples[10 + i] = at + (i < 2 ? 45 : 0);
  }
  emg_score_result result = score(&estimated, &truth, "strict");
  assert_int_equal(result.n_matched, 2);
  assert_int_equal(result.pairs[0].truth, 1);
  assert_int_equal(result.pairs[1].truth, 0);
  assert_int_equal(result.pairs[0].n_common, 8);
  emg_score_free(&result);
  emg_spikes_free(&truth);
  emg_spikes_free(&estimated);
}

static void nothing_to_score_is_no_error(void **state) {
  (void)state;
  const int64_t no_counts[2] = {0, 0};
  emg_spikes none, silent, full = make_trains(2, 0);
  assert_int_equal(emg_spikes_create(0, no_counts, rate_hz, 0, &none, NULL), EMG_OK);
  assert_int_equal(emg_spikes_create(2, no_counts, rate_hz, 0, &silent, NULL), EMG_OK);
  const emg_spikes *const cases[3] = {&none, &silent, &full};

  for (int e = 0; e < 3; e++) {
    for (int t = 0; t < 3; t++) {
      emg_score_result result = score(cases[e], cases[t], "munitquest");
      int n_matched = e == 2 && t == 2 ? 2 : 0;
      assert_int_equal(result.n_matched, n_matched);
      assert_int_equal(result.n_false, cases[e]->n_units - n_matched);
      assert_int_equal(result.n_active, t == 2 ? 2 : 0);
      assert_true(isfinite(result.roa) && isfinite(result.precision) && isfinite(result.f1));
      emg_score_free(&result);
    }
  }
  emg_spikes_free(&none);
  emg_spikes_free(&silent);
  emg_spikes_free(&full);
}

static void bad_input_is_refused_in_a_sentence(void **state) {
  (void)state;
  emg_spikes truth = make_trains(2, 0), other = make_trains(2, 0);
  emg_score_options options = preset("strict");
  emg_score_result result;
  emg_error err = {0};

  other.rate_hz = 2000;
  assert_int_equal(emg_score(&other, &truth, &options, &result, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "2000"));
  assert_non_null(strstr(emg_error_message(&err), "2048"));
  other.rate_hz = NAN;
  assert_int_equal(emg_score(&other, &truth, &options, &result, &err), EMG_ERR_DATA);

  other.rate_hz = rate_hz;
  other.samples[3] = other.samples[2];
  assert_int_equal(emg_score(&other, &truth, &options, &result, &err), EMG_ERR_DATA);
  assert_null(result.pairs);

  options.tolerance_ms = -1;
  assert_int_equal(emg_score(&truth, &truth, &options, &result, &err), EMG_ERR_ARG);
  options.tolerance_ms = NAN;
  assert_int_equal(emg_score(&truth, &truth, &options, &result, &err), EMG_ERR_ARG);
  assert_int_equal(emg_score_preset("lenient", &options, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "strict"));
  emg_spikes_free(&truth);
  emg_spikes_free(&other);
}

static void threads_do_not_change_the_result(void **state) {
  (void)state;
  emg_spikes truth = make_trains(20, 0), other = make_trains(20, 10);
  emg_score_result reference = score(&other, &truth, "strict");

  assert_int_equal(reference.n_matched, 10);
  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    int before = omp_get_max_threads();
    omp_set_num_threads(n_threads);
    emg_score_result result = score(&other, &truth, "strict");
    omp_set_num_threads(before);
    assert_memory_equal(result.pairs, reference.pairs, 20 * sizeof *result.pairs);
    emg_score_free(&result);
  }
  emg_score_free(&reference);
  emg_spikes_free(&truth);
  emg_spikes_free(&other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(truth_against_itself_is_perfect),
      cmocka_unit_test(order_of_units_and_a_common_shift_do_not_matter),
      cmocka_unit_test(a_shift_beyond_the_largest_lag_is_no_match),
      cmocka_unit_test(estimate_and_truth_may_trade_places),
      cmocka_unit_test(agreement_follows_from_f1),
      cmocka_unit_test(the_same_train_twice_is_one_match_and_one_duplicate),
      cmocka_unit_test(unrelated_trains_are_false_and_near_chance),
      cmocka_unit_test(chance_of_poisson_trains_is_as_simulated),
      cmocka_unit_test(a_distance_of_exactly_the_tolerance_agrees),
      cmocka_unit_test(each_spike_agrees_once),
      cmocka_unit_test(the_assignment_beats_taking_the_best_first),
      cmocka_unit_test(nothing_to_score_is_no_error),
      cmocka_unit_test(bad_input_is_refused_in_a_sentence),
      cmocka_unit_test(threads_do_not_change_the_result),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
