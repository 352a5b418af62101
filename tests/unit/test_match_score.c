// test_match_score.c -- agreement of any two trains, however odd, and scores made of it
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/match_priv.h>
#include <emgtwin/rng.h>
#include <emgtwin/score.h>

enum { MOST = 24 };

typedef struct {
  int n;
  int64_t at[MOST];
} train;

// Up to MOST ascending samples from 0 to `span`, close together if `span` is small.
static train random_train(emg_rng *rng, int span) {
  train t = {0};
  int n = (int)(emg_rng_uniform(rng) * (MOST + 1));
  for (int64_t at = 0; at < span && t.n < n; at++) {
    if (emg_rng_uniform(rng) < 1.2 * n / span) {
      t.at[t.n++] = at;
    }
  }
  return t;
}

static train moved(train t, int64_t shift) {
  for (int i = 0; i < t.n; i++) {
    t.at[i] += shift;
  }
  return t;
}

static emg_agreement agree(train a, train b, int64_t max_lag, int64_t tolerance) {
  emg_matcher matcher;
  assert_int_equal(emg_matcher_create(max_lag, tolerance, &matcher, NULL), EMG_OK);
  emg_agreement agreement = emg_match_trains(&matcher, a.at, a.n, b.at, b.n);
  emg_matcher_free(&matcher);
  return agreement;
}

// --- the same by definition: largest matching of a bipartite graph, at every lag ---

static bool find_partner(const train *a, const train *b, int64_t lag, int64_t tolerance, int i,
                         bool *is_seen, int *partner) {
  for (int j = 0; j < b->n; j++) {
    if (!is_seen[j] && llabs(a->at[i] - lag - b->at[j]) <= tolerance) {
      is_seen[j] = true;
      if (partner[j] < 0 || find_partner(a, b, lag, tolerance, partner[j], is_seen, partner)) {
        partner[j] = i;
        return true;
      }
    }
  }
  return false;
}

static int pairs_by_definition(const train *a, const train *b, int64_t lag, int64_t tolerance) {
  int partner[MOST], n = 0;
  memset(partner, -1, sizeof partner);
  for (int i = 0; i < a->n; i++) {
    bool is_seen[MOST] = {false};
    n += find_partner(a, b, lag, tolerance, i, is_seen, partner);
  }
  return n;
}

static void no_lag_and_no_pairing_does_better(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, 0, 0);
  const int spans[] = {12, 30, 200};
  for (int k = 0; k < 600; k++) {
    train a = random_train(&rng, spans[k % 3]), b = random_train(&rng, spans[k % 3]);
    int64_t max_lag = k % 7, tolerance = k % 4;
    emg_agreement found = agree(a, b, max_lag, tolerance);
    int most = 0;
    for (int64_t lag = -max_lag; lag <= max_lag; lag++) {
      int n = pairs_by_definition(&a, &b, lag, tolerance);
      most = n > most ? n : most;
    }
    assert_int_equal(found.n_common, most);
    assert_true(llabs(found.lag) <= max_lag);
    assert_int_equal(pairs_by_definition(&a, &b, found.lag, tolerance), most);
  }
}

static void trains_may_trade_places(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(6, EMG_RNG_TEST, 0, 0);
  for (int k = 0; k < 300; k++) {
    train a = random_train(&rng, 60), b = random_train(&rng, 60);
    emg_agreement one = agree(a, b, 9, 2), other = agree(b, a, 9, 2);
    assert_int_equal(one.n_common, other.n_common);
    assert_true(one.roa == other.roa && one.f1 == other.f1);
    assert_true(one.roa >= 0 && one.roa <= 1 && one.f1 >= one.roa && one.f1 <= 1);
  }
}

// Where in time the trains are does not matter, up to the last sample that a number can count.
static void trains_may_be_anywhere(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(7, EMG_RNG_TEST, 0, 0);
  const int64_t shifts[] = {1, (int64_t)1 << 40, INT64_MAX - 60};
  for (int k = 0; k < 300; k++) {
    train a = random_train(&rng, 60), b = random_train(&rng, 60);
    emg_agreement here = agree(a, b, 9, 2);
    emg_agreement there = agree(moved(a, shifts[k % 3]), moved(b, shifts[k % 3]), 9, 2);
    assert_int_equal(here.n_common, there.n_common);
    assert_int_equal(here.lag, there.lag);
  }
  // and as far apart as can be
  train first = {1, {0}}, last = {1, {INT64_MAX}};
  assert_int_equal(agree(first, last, 100, 3).n_common, 0);
  assert_int_equal(agree(last, first, 100, 3).n_common, 0);
}

static void dense_trains_agree_fully(void **state) {
  (void)state;
  enum { N = 30000 };
  int64_t *dense = malloc(N * sizeof *dense);
  emg_matcher matcher;
  for (int i = 0; i < N; i++) {
    dense[i] = i;
  }
  assert_int_equal(emg_matcher_create(200, 2, &matcher, NULL), EMG_OK);
  emg_agreement all = emg_match_trains(&matcher, dense, N, dense, N);
  assert_int_equal(all.n_common, N);
  assert_int_equal(all.lag, 0);
  // every second spike of one is in the other
  for (int i = 0; i < N / 2; i++) {
    dense[i] = 2 * i;
  }
  emg_agreement half = emg_match_trains(&matcher, dense, N / 2, dense, N / 2);
  assert_int_equal(half.n_common, N / 2);
  emg_matcher_free(&matcher);
  free(dense);
}

static void times_too_long_to_count_are_refused(void **state) {
  (void)state;
  const double huge[] = {1e9, 1e18, 1e19, 1e300, 1.7e308};
  int64_t count = 1;
  emg_spikes one;
  assert_int_equal(emg_spikes_create(1, &count, 2048, 0, &one, NULL), EMG_OK);
  for (int i = 0; i < 5; i++) {
    emg_score_options options;
    emg_score_result result;
    assert_true(emg_samples_in_ms(huge[i], 2048) > (int64_t)1 << 26);
    assert_true(emg_samples_in_ms(1, huge[i]) > 0);
    assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
    options.tolerance_ms = huge[i];
    assert_int_equal(emg_score(&one, &one, &options, &result, NULL), EMG_ERR_ARG);
    options.max_lag_ms = huge[i];
    emg_error err = {0};
    assert_int_equal(emg_score(&one, &one, &options, &result, &err), EMG_ERR_ARG);
    assert_non_null(strstr(emg_error_message(&err), "outside 0 to 2^26"));
    assert_null(result.pairs);
  }
  assert_int_equal(emg_samples_in_ms(1, 2000), 2);
  emg_spikes_free(&one);
}

static void chance_is_a_probability_for_any_numbers(void **state) {
  (void)state;
  const int64_t counts[] = {0, 1, 2, 300, 100000, (int64_t)1 << 40};
  const int64_t lengths[] = {0, 1, 1000, 1000000, INT64_MAX};
  const int64_t lags[] = {0, 1, 200, (int64_t)1 << 25};
  for (int a = 0; a < 6; a++) {
    for (int b = 0; b < 6; b++) {
      for (int n = 0; n < 5; n++) {
        for (int l = 0; l < 4; l++) {
          double chance = emg_chance_roa(counts[a], counts[b], lengths[n], lags[l], lags[3 - l]);
          assert_true(chance >= 0 && chance <= 1);
        }
      }
    }
  }
}

// A train of a file that does not state its length, at the end of what can be counted.
static void a_score_at_the_end_of_time_is_a_score(void **state) {
  (void)state;
  enum { N = 40 };
  int64_t counts[2] = {N, 0};
  emg_score_options options;
  emg_score_result result;
  emg_spikes late;
  assert_int_equal(emg_spikes_create(2, counts, 2048, 0, &late, NULL), EMG_OK);
  for (int i = 0; i < N; i++) {
    late.samples[i] = INT64_MAX - 100 * (N - 1 - i);
  }
  assert_int_equal(emg_score_preset("munitquest", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&late, &late, &options, &result, NULL), EMG_OK);
  assert_int_equal(result.n_matched, 1);
  assert_true(result.pairs[0].roa == 1);
  assert_true(result.pairs[0].chance_roa >= 0 && result.pairs[0].chance_roa < 0.1);
  emg_score_free(&result);
  emg_spikes_free(&late);
}

static void more_pairs_than_can_be_looked_at_are_refused(void **state) {
  (void)state;
  enum { N = 100000 };
  int64_t *counts = calloc(N, sizeof *counts);
  emg_score_options options;
  emg_score_result result;
  emg_error err = {0};
  emg_spikes many;
  assert_int_equal(emg_spikes_create(N, counts, 2048, 0, &many, NULL), EMG_OK);
  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&many, &many, &options, &result, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "100000"));
  emg_spikes_free(&many);
  free(counts);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_lag_and_no_pairing_does_better),
      cmocka_unit_test(trains_may_trade_places),
      cmocka_unit_test(trains_may_be_anywhere),
      cmocka_unit_test(dense_trains_agree_fully),
      cmocka_unit_test(times_too_long_to_count_are_refused),
      cmocka_unit_test(chance_is_a_probability_for_any_numbers),
      cmocka_unit_test(a_score_at_the_end_of_time_is_a_score),
      cmocka_unit_test(more_pairs_than_can_be_looked_at_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
