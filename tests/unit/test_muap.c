// test_muap.c -- shape of a bank of action potentials
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <emgtwin/muap.h>

static void rows_follow_unit_then_channel(void **state) {
  (void)state;
  emg_muap_bank bank;
  assert_int_equal(emg_muap_bank_create(3, 4, 5, 2, 2048, &bank, NULL), EMG_OK);
  assert_ptr_equal(emg_muap_row(&bank, 0, 0), bank.data);
  assert_ptr_equal(emg_muap_row(&bank, 2, 1), bank.data + (2 * 4 + 1) * 5);
  for (int i = 0; i < 3 * 4 * 5; i++) {
    assert_true(bank.data[i] == 0);
  }
  emg_muap_bank_free(&bank);
  assert_null(bank.data);
}

static void impossible_shapes_are_refused(void **state) {
  (void)state;
  emg_muap_bank bank;
  assert_int_equal(emg_muap_bank_create(-1, 4, 5, 2, 2048, &bank, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_muap_bank_create(INT_MAX, INT_MAX, INT_MAX, 0, 2048, &bank, NULL),
                   EMG_ERR_ARG);
  assert_int_equal(emg_muap_bank_create(INT_MAX, INT_MAX, 1, 0, 2048, &bank, NULL), EMG_ERR_MEMORY);
  assert_null(bank.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_follow_unit_then_channel),
      cmocka_unit_test(impossible_shapes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
