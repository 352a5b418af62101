// test_ckc.c -- the extended space against plain loops over the extended matrix
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/ckc_priv.h>
#include <emgtwin/emgtwin.h>

enum { M = 3, R = 4, D = M * R, N = 3000, B = 5 };

static emg_signal random_signal(int64_t n_samples) {
  emg_signal x;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);

  assert_int_equal(emg_signal_create(M, n_samples, 100, 2048, &x, NULL), EMG_OK);
  for (int64_t i = 0; i < n_samples * M; i++) {
    // channels of different size, related in time
    x.rows[i] = (float)(emg_rng_gaussian(&rng) * (1 + i % M) + (i >= M ? 0.5 * x.rows[i - M] : 0));
  }
  return x;
}

static double extended(const emg_signal *x, int64_t t, int d) {
  return emg_signal_row(x, t - R + 1 + d / M)[d % M];
}

static void random_filters(float *filters, int n) {
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);
  for (int i = 0; i < n; i++) {
    filters[i] = (float)emg_rng_gaussian(&rng);
  }
}

static void pieces_cover_what_they_should(void **state) {
  (void)state;
  const int64_t most[] = {INT64_C(1) << 40, 5000, 700, 16, 7};

  for (int i = 0; i < 5; i++) {
    emg_spans spans = emg_spans_over(100, 5100, most[i]);
    int64_t used = most[i] < 5000 ? most[i] : 5000;
    assert_int_equal(spans.place[EMG_SPANS], used);
    assert_int_equal(spans.begin[0], 100);
    assert_int_equal(spans.end[EMG_SPANS - 1], 5100);
    for (int s = 0; s < EMG_SPANS; s++) {
      assert_int_equal(spans.end[s] - spans.begin[s], spans.place[s + 1] - spans.place[s]);
      assert_true(s == 0 || spans.begin[s] >= spans.end[s - 1]);
    }
    int64_t places[2] = {spans.place[3], spans.place[EMG_SPANS] - 1};
    emg_spans_to_samples(&spans, 2, places);
    assert_true(spans.place[4] == spans.place[3] || places[0] == spans.begin[3]);
    assert_int_equal(places[1], 5099);
  }
}

static void sources_are_products_with_the_extended_vector(void **state) {
  (void)state;
  emg_signal x = random_signal(N);
  emg_spans spans = emg_spans_over(0, N, 2000);
  float filters[D * B];
  static float y[B][2000];

  random_filters(filters, D * B);
  for (int n = 1; n <= B; n += B - 1) {  // one source goes its own way
    assert_int_equal(emg_extended_filter(&x, R, &spans, filters, n, y[0], 2000, NULL), EMG_OK);
    for (int64_t place = 0; place < 2000; place++) {
      int64_t t = place;
      emg_spans_to_samples(&spans, 1, &t);
      for (int b = 0; b < n; b++) {
        double sum = 0;
        for (int d = 0; d < D; d++) {
          sum += filters[d * n + b] * extended(&x, t, d);
        }
        assert_float_equal(y[b][place], sum, 1e-4);
      }
    }
  }
  emg_signal_free(&x);
}

static void square(float *y, int n_rows, int n_sources, float level, double *slopes) {
  for (int i = 0; i < n_rows * n_sources; i++) {
    slopes[i % n_sources] += 2 * y[i];
    y[i] = level * y[i] * y[i];
  }
}

static void a_sweep_averages_the_contrast(void **state) {
  (void)state;
  emg_signal x = random_signal(N);
  emg_spans spans = emg_spans_over(50, N, N);
  emg_sweep sweep;
  float filters[D * B], means[D * B];
  double slopes[B];

  random_filters(filters, D * B);
  assert_int_equal(emg_sweep_create(D, B, &sweep, NULL), EMG_OK);
  for (int n = 1; n <= B; n += B - 1) {  // one source goes its own way
    emg_extended_contrast(&x, R, &spans, filters, n, square, 0.5F, &sweep, means, slopes);
    for (int b = 0; b < n; b++) {
      double sums[D] = {0}, slope = 0;
      for (int64_t t = 50; t < N; t++) {
        double y = 0;
        for (int d = 0; d < D; d++) {
          y += filters[d * n + b] * extended(&x, t, d);
        }
        slope += 2 * y / (N - 50);
        for (int d = 0; d < D; d++) {
          sums[d] += 0.5 * y * y * extended(&x, t, d) / (N - 50);
        }
      }
      assert_float_equal(slopes[b], slope, 1e-4);
      for (int d = 0; d < D; d++) {
        assert_float_equal(means[d * n + b], sums[d], 2e-3 * (1 + fabs(sums[d])));
      }
    }
  }
  emg_sweep_free(&sweep);
  emg_signal_free(&x);
}

static void sums_at_spikes_reach_over_the_ends(void **state) {
  (void)state;
  const int64_t spikes[] = {0, 1, 700, N - 1};
  emg_signal x = random_signal(N);
  double sum[D];

  emg_extended_gather(&x, R, spikes, 4, sum);
  for (int d = 0; d < D; d++) {
    double expected = 0;
    for (int i = 0; i < 4; i++) {
      expected += extended(&x, spikes[i], d);
    }
    assert_float_equal(sum[d], expected, 1e-5);
  }
  emg_signal_free(&x);
}

static void the_covariance_is_that_of_the_extended_vector(void **state) {
  (void)state;
  emg_signal x = random_signal(N);
  emg_spans spans = emg_spans_over(R, N, N);
  emg_whitener whitener;

  assert_int_equal(emg_whitener_create(&x, R, &spans, &whitener, NULL), EMG_OK);
  for (int a = 0; a < D; a++) {
    for (int b = 0; b < D; b++) {
      double sum = 0;
      for (int64_t t = R; t < N; t++) {
        sum += extended(&x, t, a) * extended(&x, t, b) / (N - R);
      }
      // equal lags share one estimate, which differs by what R samples at the ends weigh
      assert_float_equal(whitener.covariance[a * D + b], sum, 0.15);
      assert_float_equal(whitener.covariance[a * D + b], whitener.covariance[b * D + a], 0);
    }
  }
  emg_whitener_free(&whitener);
  emg_signal_free(&x);
}

static void the_whitened_covariance_is_the_identity_on_its_rank(void **state) {
  (void)state;
  emg_signal x = random_signal(N);
  emg_spans spans = emg_spans_over(0, N, N);
  emg_whitener w;
  float product[D * D];
  double trace = 0;

  // C^-1 C is a projection, P P = P, whose trace is the rank: C^-1/2 C C^-1/2 is 1 there
  assert_int_equal(emg_whitener_create(&x, R, &spans, &w, NULL), EMG_OK);
  emg_whitener_apply(&w, D, w.covariance, product);
  assert_true(w.rank > 0 && w.rank < D);
  for (int a = 0; a < D; a++) {
    trace += product[a * D + a];
    for (int b = 0; b < D; b++) {
      double squared = 0;
      for (int c = 0; c < D; c++) {
        squared += (double)product[a * D + c] * product[c * D + b];
      }
      assert_float_equal(squared, product[a * D + b], 1e-4);
    }
  }
  assert_float_equal(trace, w.rank, 1e-4);
  emg_whitener_free(&w);
  emg_signal_free(&x);
}

static void normalised_sources_have_unit_variance(void **state) {
  (void)state;
  emg_signal x = random_signal(N);
  emg_spans spans = emg_spans_over(0, N, N);
  emg_whitener whitener;
  float filters[D * B], scratch[D * B];
  static float y[B][N];

  random_filters(filters, D * B);
  for (int d = 0; d < D; d++) {
    filters[d * B + 2] = 0;  // a filter of nothing stays nothing
  }
  assert_int_equal(emg_whitener_create(&x, R, &spans, &whitener, NULL), EMG_OK);
  emg_whitener_normalise(&whitener, B, filters, scratch);
  assert_int_equal(emg_extended_filter(&x, R, &spans, filters, B, y[0], N, NULL), EMG_OK);
  for (int b = 0; b < B; b++) {
    double power = 0;
    for (int i = 0; i < N; i++) {
      power += (double)y[b][i] * y[b][i] / N;
    }
    assert_float_equal(power, b == 2 ? 0 : 1, 0.02);
  }
  emg_whitener_free(&whitener);
  emg_signal_free(&x);
}

static void a_signal_of_nothing_has_no_inverse(void **state) {
  (void)state;
  emg_signal x;
  emg_spans spans = emg_spans_over(0, N, N);
  emg_whitener whitener;
  emg_error err = {0};

  assert_int_equal(emg_signal_create(M, N, 100, 2048, &x, NULL), EMG_OK);
  assert_int_equal(emg_whitener_create(&x, R, &spans, &whitener, &err), EMG_ERR_DATA);
  assert_null(whitener.inverse);
  emg_signal_free(&x);
}

// --- action potentials ---

enum { HALF = 20 };

static double wave(int unit, int64_t t, int channel) {
  double z = (double)(t - 2 * unit) / (3 + unit);
  return (unit + 1 + channel) * exp(-0.5 * z * z) * cos(0.5 * z + channel);
}

// Two units whose action potentials overlap often.
static emg_signal two_units(int64_t spikes[2][100], emg_units *units) {
  emg_signal x;
  *units = (emg_units){.half_window = HALF};
  assert_int_equal(emg_signal_create(M, N, 100, 2048, &x, NULL), EMG_OK);
  for (int u = 0; u < 2; u++) {
    for (int i = 0; i < 100; i++) {
      spikes[u][i] = 5 + i * (29 - u) + (i * i) % 7;
      for (int64_t t = -HALF; t < HALF; t++) {
        for (int c = 0; c < M; c++) {
          int64_t at = spikes[u][i] + t;
          if (at >= 0 && at < N) {
            emg_signal_row(&x, at)[c] += (float)wave(u, t, c);
          }
        }
      }
    }
    assert_int_equal(emg_units_add(units, M, spikes[u], 100, NULL), EMG_OK);
  }
  return x;
}

static double energy_of(const emg_signal *x) {
  double sum = 0;
  for (int64_t i = 0; i < x->n_samples * M; i++) {
    sum += (double)x->rows[i] * x->rows[i];
  }
  return sum;
}

static void least_squares_resolves_overlapping_action_potentials(void **state) {
  (void)state;
  int64_t spikes[2][100];
  emg_units units;
  emg_signal x = two_units(spikes, &units);
  double before = energy_of(&x);

  assert_int_equal(emg_units_fit(&x, &units, 60, NULL), EMG_OK);
  assert_true(energy_of(&x) < 1e-4 * before);
  for (int u = 0; u < 2; u++) {
    for (int64_t t = -HALF; t < HALF; t++) {
      for (int c = 0; c < M; c++) {
        assert_float_equal(units.items[u].muap[(t + HALF) * M + c], wave(u, t, c), 0.05);
      }
    }
  }

  // putting them back restores the recording
  emg_unit_put(&x, &units, 0, 1);
  emg_unit_put(&x, &units, 1, 1);
  assert_float_equal(energy_of(&x), before, 1e-3 * before);
  emg_units_free(&units);
  emg_signal_free(&x);
}

static void trains_move_to_the_centre_of_energy(void **state) {
  (void)state;
  int64_t spikes[2][100], shift, shift_later;
  emg_units units;
  emg_signal x = two_units(spikes, &units);

  assert_int_equal(emg_centre_of_energy(&x, spikes[1], 100, HALF, &shift, NULL), EMG_OK);
  for (int i = 0; i < 100; i++) {
    spikes[1][i] -= 6;
  }
  assert_int_equal(emg_centre_of_energy(&x, spikes[1], 100, HALF, &shift_later, NULL), EMG_OK);
  assert_int_equal(shift_later - shift, 6);
  emg_units_free(&units);
  emg_signal_free(&x);
}

static void of_two_equal_trains_the_better_one_stays(void **state) {
  (void)state;
  int64_t spikes[2][100];
  emg_units units;
  emg_signal x = two_units(spikes, &units);
  bool is_known;

  assert_int_equal(emg_units_add(&units, M, spikes[0], 100, NULL), EMG_OK);
  units.items[0].sil = 0.8;
  units.items[1].sil = 0.7;
  units.items[2].sil = 0.9;
  assert_int_equal(emg_is_known(&units, spikes[1] + 50, 50, 2048, 0.6, &is_known, NULL), EMG_OK);
  assert_false(is_known);  // half of a train agrees to 0.5
  assert_int_equal(emg_is_known(&units, spikes[1] + 50, 50, 2048, 0.4, &is_known, NULL), EMG_OK);
  assert_true(is_known);
  assert_int_equal(emg_remove_duplicates(&x, &units, 0.9, NULL), EMG_OK);
  assert_int_equal(units.n, 2);
  assert_true(units.items[0].sil == 0.7 && units.items[1].sil == 0.9);
  emg_units_free(&units);
  emg_signal_free(&x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_cover_what_they_should),
      cmocka_unit_test(sources_are_products_with_the_extended_vector),
      cmocka_unit_test(a_sweep_averages_the_contrast),
      cmocka_unit_test(sums_at_spikes_reach_over_the_ends),
      cmocka_unit_test(the_covariance_is_that_of_the_extended_vector),
      cmocka_unit_test(the_whitened_covariance_is_the_identity_on_its_rank),
      cmocka_unit_test(normalised_sources_have_unit_variance),
      cmocka_unit_test(a_signal_of_nothing_has_no_inverse),
      cmocka_unit_test(least_squares_resolves_overlapping_action_potentials),
      cmocka_unit_test(trains_move_to_the_centre_of_energy),
      cmocka_unit_test(of_two_equal_trains_the_better_one_stays),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
