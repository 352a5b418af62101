// test_source.c -- peaks, classes and figures of a source
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/source_priv.h>
#include <emgtwin/decompose.h>
#include <emgtwin/rng.h>

enum { N = 4000, REFRACTORY = 41, INTERVAL = 170 };

// Pulses of height 10 and a little more or less every INTERVAL samples, in noise of 1.
static int64_t make_source(float *y, int64_t *spikes, double pulse_sd) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  int64_t n = 0;

  for (int i = 0; i < N; i++) {
    y[i] = (float)emg_rng_gaussian(&rng);
  }
  for (int64_t at = 100; at < N - 100; at += INTERVAL) {
    y[at] = (float)(10 + pulse_sd * emg_rng_gaussian(&rng));
    spikes[n++] = at;
  }
  return n;
}

static int compare_places(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// The same by trying: again and again the highest maximum far enough from those taken.
static int64_t peaks_by_trying(const float *y, int64_t n, int64_t refractory, int64_t *peaks) {
  int64_t n_peaks = 0;
  for (;;) {
    int64_t best = -1;
    for (int64_t i = 1; i < n - 1; i++) {
      bool is_free = y[i] > 0 && y[i] > y[i - 1] && y[i] >= y[i + 1];
      for (int64_t k = 0; k < n_peaks && is_free; k++) {
        is_free = llabs(peaks[k] - i) >= refractory;
      }
      if (is_free && (best < 0 || y[i] > y[best])) {
        best = i;
      }
    }
    if (best < 0) {
      return n_peaks;
    }
    peaks[n_peaks++] = best;
  }
}

static void peaks_are_taken_highest_first(void **state) {
  (void)state;
  static float y[1000];
  const int64_t refractories[] = {1, 2, 7, 41, 600};
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);

  for (int trial = 0; trial < 10; trial++) {
    int64_t expected[1000], refractory = refractories[trial % 5];
    emg_spike_picker picker;
    for (int i = 0; i < 1000; i++) {  // coarse values in every other trial, for ties
      y[i] = (float)(trial % 2 ? emg_rng_gaussian(&rng) : emg_rng_below(&rng, 5));
    }
    assert_int_equal(emg_spike_picker_create(1000, refractory, &picker, NULL), EMG_OK);
    int64_t n = emg_find_peaks(&picker, y, 1000);
    assert_int_equal(n, peaks_by_trying(y, 1000, refractory, expected));
    assert_memory_equal(picker.place, expected, (size_t)n * sizeof *expected);
    qsort(expected, (size_t)n, sizeof *expected, compare_places);
    for (int64_t i = 1; i < n; i++) {
      assert_true(expected[i] - expected[i - 1] >= refractory);
    }
    emg_spike_picker_free(&picker);
  }
}

static void planted_pulses_are_the_spikes(void **state) {
  (void)state;
  static float y[N];
  int64_t planted[N], found[N];
  int64_t n = make_source(y, planted, 0.5);
  emg_spike_picker picker;
  double sil;

  assert_int_equal(emg_spike_picker_create(N, REFRACTORY, &picker, NULL), EMG_OK);
  assert_int_equal(emg_pick_spikes(&picker, y, N, found, &sil), n);
  assert_memory_equal(found, planted, (size_t)n * sizeof *found);
  assert_true(sil > 0.95 && sil < 1);

  // one pulse far above the others is an artefact
  y[planted[5]] = 16;
  assert_int_equal(emg_pick_spikes(&picker, y, N, found, &sil), n - 1);
  assert_int_equal(found[5], planted[6]);
  emg_spike_picker_free(&picker);
}

static void a_source_without_peaks_has_no_spikes(void **state) {
  (void)state;
  static float y[N];
  int64_t found[N];
  emg_spike_picker picker;
  double sil;
  const float values[] = {0, -1, NAN, INFINITY};

  assert_int_equal(emg_spike_picker_create(N, REFRACTORY, &picker, NULL), EMG_OK);
  for (int k = 0; k < 4; k++) {
    for (int i = 0; i < N; i++) {
      y[i] = values[k];
    }
    assert_int_equal(emg_pick_spikes(&picker, y, N, found, &sil), 0);
    assert_true(sil == 0);
  }
  assert_int_equal(emg_pick_spikes(&picker, y, 0, found, &sil), 0);
  emg_spike_picker_free(&picker);
}

static void silhouette_and_pulse_to_noise_follow_their_formulas(void **state) {
  (void)state;
  // spikes of height 2 and 4 in turn, background peaks of height 1, nothing between
  static float y[N];
  int64_t spikes[N], n_spikes = 0, n_low = 0;
  memset(y, 0, sizeof y);
  for (int64_t at = 150; at < N - 50; at += 100) {
    y[at] = n_spikes % 2 ? 4 : 2;
    spikes[n_spikes++] = at;
    y[at + 50] = 1;
    n_low++;
  }
  assert_int_equal(n_spikes % 2, 0);

  // squared heights 4 and 16: mean 10, variance 36; distance to the low class of 1: 36 + 81
  emg_source_quality quality = emg_source_quality_of(y, N, spikes, n_spikes, REFRACTORY);
  assert_float_equal(quality.sil, (117.0 - 36) / 117, 1e-6);
  double elsewhere = (double)n_low / (double)(N - n_spikes);
  assert_float_equal(quality.pnr_db, 10 * log10(10 / elsewhere), 1e-6);
}

static void figures_are_finite_whatever_the_source(void **state) {
  (void)state;
  static float y[N];
  const int64_t spikes[] = {100, 200, 300};

  memset(y, 0, sizeof y);
  emg_source_quality flat = emg_source_quality_of(y, N, spikes, 3, REFRACTORY);
  assert_true(flat.sil == 0 && flat.pnr_db == 0);
  y[100] = y[200] = y[300] = 1;
  emg_source_quality pure = emg_source_quality_of(y, N, spikes, 3, REFRACTORY);
  assert_true(pure.sil == 0 && pure.pnr_db == 200);
  emg_source_quality none = emg_source_quality_of(y, N, spikes, 0, REFRACTORY);
  assert_true(none.sil == 0 && none.pnr_db == 0);
}

static void scale_does_not_change_the_figures(void **state) {
  (void)state;
  static float y[N];
  int64_t spikes[N];
  int64_t n = make_source(y, spikes, 1);
  emg_source_quality before = emg_source_quality_of(y, N, spikes, n, REFRACTORY);

  for (int i = 0; i < N; i++) {
    y[i] *= 1024;
  }
  emg_source_quality after = emg_source_quality_of(y, N, spikes, n, REFRACTORY);
  assert_float_equal(before.sil, after.sil, 1e-9);
  assert_float_equal(before.pnr_db, after.pnr_db, 1e-9);
}

static void pauses_and_gaps_are_no_intervals(void **state) {
  (void)state;
  // 100, 120, 100 ms, a pause of 1 s, 100 ms
  const int64_t spikes[] = {0, 100, 220, 320, 1320, 1420};
  emg_interval_stats all = emg_intervals_of(spikes, NULL, 6, 1000);
  assert_float_equal(all.mean_s, 0.105, 1e-12);
  assert_float_equal(all.cov, sqrt(75e-6) / 0.105, 1e-9);
  assert_float_equal(all.coverage, 0.42 / 1.42, 1e-12);

  // a gap after the second spike hides the interval of 120 ms
  const int64_t places[] = {0, 100, 150, 250, 1250, 1350};
  emg_interval_stats parts = emg_intervals_of(spikes, places, 6, 1000);
  assert_float_equal(parts.mean_s, 0.1, 1e-12);
  assert_float_equal(parts.cov, 0, 1e-6);
  assert_true(emg_intervals_of(spikes, NULL, 2, 1000).mean_s == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(peaks_are_taken_highest_first),
      cmocka_unit_test(planted_pulses_are_the_spikes),
      cmocka_unit_test(a_source_without_peaks_has_no_spikes),
      cmocka_unit_test(silhouette_and_pulse_to_noise_follow_their_formulas),
      cmocka_unit_test(figures_are_finite_whatever_the_source),
      cmocka_unit_test(scale_does_not_change_the_figures),
      cmocka_unit_test(pauses_and_gaps_are_no_intervals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
