// test_benchmark_results.c -- intervals over repetitions, pooled errors, cells on disk
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <emgtwin/rng.h>

#include "validation/benchmark_priv.h"

static void quantiles_leave_out_what_is_not_known(void **state) {
  (void)state;
  double values[] = {4, NAN, 1, 3, 2};
  assert_float_equal(emg_benchmark_quantile(values, 5, 0.5), 2.5, 0);
  double one[] = {7};
  assert_float_equal(emg_benchmark_quantile(one, 1, 0.9), 7, 0);
  double none[] = {NAN};
  assert_true(isnan(emg_benchmark_quantile(none, 1, 0.5)));
}

static double mean_of(const int *which, int n, void *user) {
  const double *values = user;
  double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += values[which[i]] / n;
  }
  return sum;
}

// The mean of n normal values has a standard deviation of 1 / sqrt(n): an interval of 90 % holds
// the true mean in 90 of 100 cases. Percentile intervals of 30 values are 3 % too narrow, so about
// 88 of 100 are expected; 400 trials tell that from 0.8 and 0.96 by four standard deviations.
static void intervals_hold_the_truth_as_often_as_they_say(void **state) {
  (void)state;
  enum { N = 30, TRIALS = 400 };
  int n_held = 0;
  for (uint32_t trial = 0; trial < TRIALS; trial++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, trial);
    double values[N];
    for (int i = 0; i < N; i++) {
      values[i] = emg_rng_gaussian(&rng);
    }
    emg_benchmark_estimate e;
    assert_int_equal(emg_benchmark_bootstrap(N, 400, trial, 0, mean_of, values, &e, NULL), EMG_OK);
    assert_true(e.low <= e.value && e.value <= e.high);
    n_held += e.low <= 0 && e.high >= 0;
  }
  assert_in_range(n_held, (int)(0.8 * TRIALS), (int)(0.96 * TRIALS));
}

// --- a suite of one condition, filled by hand ---

static emg_config suite;
static emg_benchmark_plan plan;
static emg_benchmark_cell cells[6];
static emg_benchmark_unit units[2];

static int setup(void **state) {
  (void)state;
  emg_config_defaults(&suite);
  emg_config_set(&suite, "benchmark.methods = ckc invert", NULL);
  assert_int_equal(emg_benchmark_plan_create(&suite, false, &plan, NULL), EMG_OK);
  for (int i = 0; i < 6; i++) {
    cells[i] = (emg_benchmark_cell){.seed = i / 2, .method = i % 2, .is_there = true};
    for (int f = 0; f < EMG_FIGURES; f++) {
      cells[i].figures[f] = NAN;
    }
    cells[i].figures[EMG_FIGURE_STRICT] = i % 2 ? 2 * (i / 2 + 1) : i / 2 + 1;
    cells[i].figures[EMG_FIGURE_UNITS] = 10;
    cells[i].figures[EMG_FIGURE_FALSE] = i / 2;
  }
  return 0;
}

static int teardown(void **state) {
  (void)state;
  emg_benchmark_plan_free(&plan);
  return 0;
}

static const emg_benchmark_estimate *find(const emg_benchmark_summary *s, int method,
                                          const char *figure) {
  const emg_benchmark_estimate *e = emg_benchmark_find(s, 0, method, figure);
  if (!e) {
    fail_msg("no %s", figure);
  }
  return e;
}

static void ratios_are_of_the_same_recordings(void **state) {
  (void)state;
  emg_benchmark_results results = {.n_cells = 6, .cells = cells};
  emg_benchmark_summary summary;
  assert_int_equal(emg_benchmark_summarise(&plan, &results, &summary, NULL), EMG_OK);
  assert_float_equal(find(&summary, 0, "strict")->value, 2, 0);
  assert_float_equal(find(&summary, 1, "strict")->value, 4, 0);
  // every repetition has twice as many: no resampling can change that
  assert_float_equal(find(&summary, 1, "strict_ratio_ckc")->value, 2, 1e-12);
  assert_float_equal(find(&summary, 1, "strict_ratio_ckc")->low, 2, 1e-12);
  assert_float_equal(find(&summary, 1, "strict_ratio_ckc")->high, 2, 1e-12);
  assert_float_equal(find(&summary, 0, "false_fraction")->value, 0.1, 1e-12);
  assert_null(emg_benchmark_find(&summary, 0, 0, "roa"));
  emg_benchmark_summary_free(&summary);
}

static void a_repetition_without_a_result_is_left_out(void **state) {
  (void)state;
  emg_benchmark_results results = {.n_cells = 6, .cells = cells};
  emg_benchmark_summary summary;
  cells[5].is_there = false;
  assert_int_equal(emg_benchmark_summarise(&plan, &results, &summary, NULL), EMG_OK);
  assert_int_equal(find(&summary, 1, "strict")->n, 2);
  assert_float_equal(find(&summary, 1, "strict")->value, 3, 0);
  assert_int_equal(find(&summary, 0, "strict")->n, 3);
  emg_benchmark_summary_free(&summary);
}

static void errors_and_coverage_are_over_units_that_are_surely_the_same(void **state) {
  (void)state;
  emg_benchmark_results results = {.n_cells = 6, .cells = cells};
  emg_benchmark_summary summary;
  for (int u = 0; u < 2; u++) {
    units[u] = (emg_benchmark_unit){.truth = u, .round = u, .roa = u ? 0.5 : 0.9};
    for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
      units[u].value[p] = u ? 9 : 1.5;
      units[u].true_value[p] = 1;
      units[u].sd[p] = p == EMG_COMPARED_DEPTH ? 0.31 : 0.29;
    }
  }
  cells[1].n_units = 2;
  cells[1].units = units;
  assert_int_equal(emg_benchmark_summarise(&plan, &results, &summary, NULL), EMG_OK);
  assert_float_equal(find(&summary, 1, "depth_mm_error")->value, 0.5, 1e-12);
  // 0.5 is 1.61 and 1.72 standard deviations
  assert_float_equal(find(&summary, 1, "depth_mm_coverage")->value, 1, 0);
  assert_float_equal(find(&summary, 1, "arc_mm_coverage")->value, 0, 0);
  assert_float_equal(find(&summary, 1, "coverage")->value, 1. / EMG_COMPARED_PARAMETERS, 1e-12);
  // of the only recording with units; the other two have none by any search
  assert_float_equal(find(&summary, 1, "lenient_round_2")->high, 2, 0);
  assert_float_equal(find(&summary, 1, "lenient_round_1")->high, 1, 0);
  assert_float_equal(find(&summary, 1, "strict_round_2")->high, 1, 0);
  emg_benchmark_summary_free(&summary);
}

// --- cells on disk ---

static void cells_read_back_as_they_were(void **state) {
  (void)state;
  char path[] = "/tmp/emgtwin_cell_XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  emg_benchmark_cell written = {.is_there = true, .cpu_s = 0.1, .n_units = 2, .units = units};
  snprintf(written.reason, sizeof written.reason, "none, \"quoted\" \xc2\xb5");
  for (int f = 0; f < EMG_FIGURES; f++) {
    written.figures[f] = f % 3 ? f / 7.0 : NAN;
  }
  units[1].truth = -1;
  units[0].round = 7;
  units[1].sd[3] = NAN;
  assert_int_equal(emg_benchmark_cell_write(path, &written, NULL), EMG_OK);
  emg_benchmark_cell read = {0};
  assert_true(emg_benchmark_cell_read(path, &read));
  assert_string_equal(read.reason, written.reason);
  assert_int_equal(read.n_units, 2);
  assert_int_equal(read.units[1].truth, -1);
  assert_int_equal(read.units[0].round, 7);
  assert_true(isnan(read.units[1].sd[3]));
  for (int f = 0; f < EMG_FIGURES; f++) {
    assert_true(read.figures[f] == written.figures[f] ||
                (isnan(read.figures[f]) && isnan(written.figures[f])));
  }
  emg_benchmark_cell_free(&read);

  // every beginning of it, and not a cell at all
  FILE *file = fopen(path, "rb");
  char text[8192];
  size_t n = fread(text, 1, sizeof text, file);
  fclose(file);
  assert_true(n < sizeof text);
  for (size_t cut = 0; cut < n - 3; cut += 97) {
    file = fopen(path, "wb");
    fwrite(text, 1, cut, file);
    fclose(file);
    emg_benchmark_cell damaged = {0};
    assert_false(emg_benchmark_cell_read(path, &damaged));
    assert_null(damaged.units);
  }
  unlink(path);
  assert_false(emg_benchmark_cell_read(path, &read));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quantiles_leave_out_what_is_not_known),
      cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
      cmocka_unit_test_setup_teardown(ratios_are_of_the_same_recordings, setup, teardown),
      cmocka_unit_test_setup_teardown(a_repetition_without_a_result_is_left_out, setup, teardown),
      cmocka_unit_test_setup_teardown(errors_and_coverage_are_over_units_that_are_surely_the_same,
                                      setup, teardown),
      cmocka_unit_test(cells_read_back_as_they_were),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
