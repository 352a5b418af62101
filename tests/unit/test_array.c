// test_array.c -- shapes, alignment and limits of arrays and tables
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/array.h>

static void arrays_are_zero_aligned_and_padded_to_cache_lines(void **state) {
  (void)state;
  const int64_t widths[] = {1, 15, 16, 17, 1000};
  for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
    emg_array2f f;
    emg_array2d d;
    assert_int_equal(emg_array2f_create(3, widths[w], &f, NULL), EMG_OK);
    assert_int_equal(emg_array2d_create(3, widths[w], &d, NULL), EMG_OK);
    assert_true(f.stride >= widths[w] && f.stride < widths[w] + 16);
    assert_true(d.stride >= widths[w] && d.stride < widths[w] + 8);
    for (int row = 0; row < 3; row++) {
      assert_int_equal((uintptr_t)emg_row2f(&f, row) % 64, 0);
      assert_int_equal((uintptr_t)emg_row2d(&d, row) % 64, 0);
      for (int64_t i = 0; i < widths[w]; i++) {
        assert_true(emg_row2f(&f, row)[i] == 0);
        assert_true(emg_row2d(&d, row)[i] == 0);
      }
    }
    emg_array2f_free(&f);
    emg_array2d_free(&d);
    assert_null(f.data);
    assert_null(d.data);
  }
}

static void empty_arrays_are_fine_and_negative_ones_are_not(void **state) {
  (void)state;
  emg_array2f a;
  emg_error err = {0};
  assert_int_equal(emg_array2f_create(0, 0, &a, NULL), EMG_OK);
  assert_null(a.data);
  emg_array2f_free(&a);
  emg_array2f_free(&a);
  assert_int_equal(emg_array2f_create(5, 0, &a, NULL), EMG_OK);
  emg_array2f_free(&a);
  assert_int_equal(emg_array2f_create(-1, 5, &a, &err), EMG_ERR_ARG);
  assert_int_equal(emg_array2f_create(5, -1, &a, &err), EMG_ERR_ARG);
  assert_null(a.data);
}

// Sizes whose products overflow, or that no machine has: an error, never a small block.
static void absurd_sizes_are_out_of_memory(void **state) {
  (void)state;
  emg_array2f a;
  emg_array2d d;
  void *memory;
  emg_error err = {0};
  assert_int_equal(emg_array2f_create(1000, INT64_MAX / 2, &a, &err), EMG_ERR_MEMORY);
  assert_int_equal(emg_array2f_create(1, INT64_MAX, &a, &err), EMG_ERR_MEMORY);
  assert_int_equal(emg_array2d_create(INT32_MAX, INT64_MAX / 16, &d, &err), EMG_ERR_MEMORY);
  assert_int_equal(emg_alloc_aligned(SIZE_MAX / 4, 8, &memory, &err), EMG_ERR_MEMORY);
  assert_int_equal(emg_alloc_aligned(SIZE_MAX, 1, &memory, &err), EMG_ERR_MEMORY);
  assert_int_equal(emg_alloc(SIZE_MAX / 4, 8, &memory, &err), EMG_ERR_MEMORY);
  assert_non_null(strstr(emg_error_message(&err), "MiB"));
  assert_int_equal(emg_alloc(0, 8, &memory, &err), EMG_OK);
  assert_null(memory);
}

static void a_table_returns_its_columns_by_name(void **state) {
  (void)state;
  emg_table table = {0};
  const double values[3] = {1, 2, 3};
  char name[32];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "column_%d", i);
    assert_int_equal(emg_table_add(&table, name, "mm", values, 3, NULL), EMG_OK);
  }
  assert_int_equal(table.n_columns, 40);
  assert_int_equal(table.n_rows, 3);
  assert_memory_equal(emg_table_get(&table, "column_39"), values, sizeof values);
  assert_true(emg_table_get(&table, "column_39") != values);
  assert_string_equal(table.columns[7].unit, "mm");
  assert_null(emg_table_get(&table, "column_40"));
  emg_error err = {0};
  assert_int_equal(emg_table_add(&table, "short", "", values, 2, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "short"));
  assert_int_equal(table.n_columns, 40);
  emg_table_free(&table);
  assert_int_equal(table.n_columns, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_are_zero_aligned_and_padded_to_cache_lines),
      cmocka_unit_test(empty_arrays_are_fine_and_negative_ones_are_not),
      cmocka_unit_test(absurd_sizes_are_out_of_memory),
      cmocka_unit_test(a_table_returns_its_columns_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
