// test_innervation.c -- numbers of fibres per unit: exact sums, exact ends, refusals
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sim/pool_priv.h"

enum { UNITS_MAX = 2000 };

static int sum_of(int n, const int *numbers) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    sum += numbers[i];
  }
  return sum;
}

static void assert_ascending(int n, const int *numbers) {
  for (int i = 1; i < n; i++) {
    assert_true(numbers[i] >= numbers[i - 1]);
  }
}

static void wen2021_runs_from_52_to_3191_and_shares_out_125664(void **state) {
  (void)state;
  struct emg_config_pool pool = {.units = 150, .innervation_min = 52, .innervation_max = 3191};
  int numbers[150];

  assert_int_equal(emg_innervation_numbers(&pool, 125664, numbers, NULL), EMG_OK);
  assert_int_equal(numbers[0], 52);
  assert_int_equal(numbers[149], 3191);
  assert_int_equal(sum_of(150, numbers), 125664);
  assert_ascending(150, numbers);
}

static void a_pure_exponential_has_exponent_one(void **state) {
  (void)state;
  struct emg_config_pool pool = {.units = 150, .innervation_min = 52, .innervation_max = 3191};
  int numbers[150];

  // 115,238 is what the pure exponential sums to
  assert_int_equal(emg_innervation_numbers(&pool, 115238, numbers, NULL), EMG_OK);
  for (int i = 0; i < 150; i++) {
    assert_true(fabs(numbers[i] - 52 * pow(3191.0 / 52, i / 149.0)) < 1);
  }
}

static void every_size_of_muscle_is_shared_out_by_ratio(void **state) {
  (void)state;
  static int numbers[UNITS_MAX];
  const int units[] = {1, 2, 7, 150, UNITS_MAX};
  const double ratios[] = {1, 2.5, 60, 1000};

  for (int u = 0; u < 5; u++) {
    for (int r = 0; r < 4; r++) {
      for (int n = units[u]; n < 3000000; n = 7 * n + 3) {
        struct emg_config_pool pool = {.units = units[u], .innervation_ratio = ratios[r]};
        assert_int_equal(emg_innervation_numbers(&pool, n, numbers, NULL), EMG_OK);
        assert_int_equal(sum_of(units[u], numbers), n);
        assert_ascending(units[u], numbers);
        assert_true(numbers[0] >= 1);
      }
    }
  }
}

static void the_ratio_is_that_of_the_largest_to_the_smallest(void **state) {
  (void)state;
  struct emg_config_pool pool = {.units = 120, .innervation_ratio = 60};
  int numbers[120];

  assert_int_equal(emg_innervation_numbers(&pool, 1000000, numbers, NULL), EMG_OK);
  // rounding moves each number by less than one
  assert_true(fabs(numbers[119] - 60.0 * numbers[0]) <= 61);
}

static void refuses(struct emg_config_pool pool, int n_fibres, const char *first,
                    const char *second) {
  static int numbers[UNITS_MAX];
  emg_error err = {0};

  assert_int_equal(emg_innervation_numbers(&pool, n_fibres, numbers, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), first));
  assert_non_null(strstr(emg_error_message(&err), second));
}

static void more_units_than_fibres_names_both(void **state) {
  (void)state;
  refuses((struct emg_config_pool){.units = 61, .innervation_ratio = 60}, 60, "61", "60");
}

static void limits_that_cannot_hold_the_fibres_name_what_they_hold(void **state) {
  (void)state;
  struct emg_config_pool pool = {.units = 10, .innervation_min = 10, .innervation_max = 100};
  refuses(pool, 100000, "910", "100000");  // 9 * 100 + 10
  refuses(pool, 100, "190", "100");        // 9 * 10 + 100
}

static void one_limit_without_the_other_is_refused(void **state) {
  (void)state;
  refuses((struct emg_config_pool){.units = 10, .innervation_max = 100}, 500, "0", "100");
  refuses((struct emg_config_pool){.units = 10, .innervation_min = 7}, 500, "7", "0");
  refuses((struct emg_config_pool){.units = 10, .innervation_min = 9, .innervation_max = 8}, 85,
          "9", "8");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wen2021_runs_from_52_to_3191_and_shares_out_125664),
      cmocka_unit_test(a_pure_exponential_has_exponent_one),
      cmocka_unit_test(every_size_of_muscle_is_shared_out_by_ratio),
      cmocka_unit_test(the_ratio_is_that_of_the_largest_to_the_smallest),
      cmocka_unit_test(more_units_than_fibres_names_both),
      cmocka_unit_test(limits_that_cannot_hold_the_fibres_name_what_they_hold),
      cmocka_unit_test(one_limit_without_the_other_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
