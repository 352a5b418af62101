// test_assignment.c -- the largest one-to-one sum, against trying every permutation
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <decomp/match_priv.h>
#include <emgtwin/rng.h>

enum { MOST = 6 };

static double best_sum_by_trying(int n_rows, int n_columns, const double *value, int row,
                                 unsigned taken) {
  if (row == n_rows) {
    return 0;
  }
  // a row may stay out when there are more rows than columns
  double best = best_sum_by_trying(n_rows, n_columns, value, row + 1, taken);
  for (int c = 0; c < n_columns; c++) {
    if (!(taken & (1u << c))) {
      double sum = value[row * n_columns + c] +
                   best_sum_by_trying(n_rows, n_columns, value, row + 1, taken | (1u << c));
      best = fmax(best, sum);
    }
  }
  return best;
}

static double sum_of(int n_rows, int n_columns, const double *value, const int *column_of_row) {
  bool taken[MOST] = {false};
  double sum = 0;

  for (int r = 0; r < n_rows; r++) {
    int c = column_of_row[r];
    if (c >= 0) {
      assert_true(c < n_columns);
      assert_false(taken[c]);
      taken[c] = true;
      sum += value[r * n_columns + c];
    }
  }
  return sum;
}

static void every_small_rectangle_gets_the_largest_sum(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);

  for (int trial = 0; trial < 400; trial++) {
    int n_rows = (int)emg_rng_below(&rng, MOST) + 1, n_columns = (int)emg_rng_below(&rng, MOST) + 1;
    double value[MOST * MOST];
    int column_of_row[MOST];
    for (int i = 0; i < n_rows * n_columns; i++) {
      // many ties and zeros, as agreements below the threshold are
      value[i] = trial % 2 ? emg_rng_uniform(&rng) : emg_rng_below(&rng, 4) / 4.0;
    }
    assert_int_equal(emg_assign(n_rows, n_columns, value, column_of_row, NULL), EMG_OK);
    double sum = sum_of(n_rows, n_columns, value, column_of_row);
    assert_float_equal(sum, best_sum_by_trying(n_rows, n_columns, value, 0, 0), 1e-12);
  }
}

static void rows_or_columns_may_be_missing(void **state) {
  (void)state;
  int column_of_row[3] = {7, 7, 7};
  double none = 0;

  assert_int_equal(emg_assign(0, 5, &none, column_of_row, NULL), EMG_OK);
  assert_int_equal(column_of_row[0], 7);
  assert_int_equal(emg_assign(3, 0, &none, column_of_row, NULL), EMG_OK);
  for (int r = 0; r < 3; r++) {
    assert_int_equal(column_of_row[r], -1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_small_rectangle_gets_the_largest_sum),
      cmocka_unit_test(rows_or_columns_may_be_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
