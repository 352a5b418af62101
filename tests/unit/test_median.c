// test_median.c -- the middle of many values
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/source_priv.h>
#include <emgtwin/rng.h>

enum { N_MOST = 300 };

static int compare_floats(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// Random values, some of them equal where there are few `levels`.
static void fill(float *values, int n, uint32_t levels) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, (uint32_t)n, levels);
  for (int i = 0; i < n; i++) {
    values[i] = (float)emg_rng_below(&rng, levels);
  }
}

static void median_is_the_middle_of_the_sorted_values(void **state) {
  const uint32_t levels[] = {1, 2, 10, 1000000};
  float values[N_MOST], sorted[N_MOST];

  (void)state;
  for (int n = 1; n <= N_MOST; n++) {
    for (int i = 0; i < 4; i++) {
      fill(values, n, levels[i]);
      memcpy(sorted, values, (size_t)n * sizeof *values);
      qsort(sorted, (size_t)n, sizeof *sorted, compare_floats);
      assert_float_equal(emg_median(values, n), sorted[n / 2], 0);
    }
  }
}

static void values_are_kept_though_moved(void **state) {
  float values[N_MOST], before[N_MOST];

  (void)state;
  fill(values, N_MOST, 50);
  memcpy(before, values, sizeof values);
  emg_median(values, N_MOST);
  qsort(values, N_MOST, sizeof *values, compare_floats);
  qsort(before, N_MOST, sizeof *before, compare_floats);
  assert_memory_equal(values, before, sizeof values);
}

static void median_of_nothing_is_0(void **state) {
  (void)state;
  assert_float_equal(emg_median(NULL, 0), 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(median_is_the_middle_of_the_sorted_values),
      cmocka_unit_test(values_are_kept_though_moved),
      cmocka_unit_test(median_of_nothing_is_0),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
