// test_status.c -- errors carry what their callers said, no more than fits, and exit codes are
// fixed
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/status.h>

static void exit_codes_are_those_of_the_command_line(void **state) {
  (void)state;
  assert_int_equal(emg_status_exit_code(EMG_OK), 0);
  assert_int_equal(emg_status_exit_code(EMG_ERR_INTERNAL), 1);
  assert_int_equal(emg_status_exit_code(EMG_ERR_ARG), 2);
  assert_int_equal(emg_status_exit_code(EMG_ERR_CONFIG), 3);
  assert_int_equal(emg_status_exit_code(EMG_ERR_DATA), 4);
  assert_int_equal(emg_status_exit_code(EMG_ERR_IO), 5);
  assert_int_equal(emg_status_exit_code(EMG_ERR_GATE), 6);
  assert_int_equal(emg_status_exit_code(EMG_ERR_INTERRUPTED), 130);
  assert_int_equal(emg_status_exit_code((emg_status)999), 1);
  assert_string_equal(emg_status_text(EMG_ERR_CONFIG), "configuration error");
  assert_string_equal(emg_status_text((emg_status)999), "unknown status");
}

static void a_failure_replaces_what_was_there(void **state) {
  (void)state;
  emg_error err = {0};
  assert_string_equal(emg_error_message(&err), "");
  assert_int_equal(emg_fail(&err, EMG_ERR_DATA, "first %d", 1), EMG_ERR_DATA);
  assert_int_equal(emg_fail_at(&err, EMG_ERR_CONFIG, "a.yaml", 3, 7, "second %s", "one"),
                   EMG_ERR_CONFIG);
  assert_int_equal(err.n_items, 1);
  assert_int_equal(err.status, EMG_ERR_CONFIG);
  assert_string_equal(emg_error_message(&err), "second one");
  assert_string_equal(err.items[0].file, "a.yaml");
  assert_int_equal(err.items[0].line, 3);
  assert_int_equal(err.items[0].column, 7);
}

static void findings_gather_up_to_the_limit(void **state) {
  (void)state;
  emg_error err = {0};
  for (int i = 0; i < EMG_DIAGNOSTICS_MAX + 5; i++) {
    emg_fail_more(&err, EMG_ERR_CONFIG, NULL, i + 1, 0, "finding %d", i);
  }
  assert_int_equal(err.n_items, EMG_DIAGNOSTICS_MAX);
  assert_string_equal(err.items[EMG_DIAGNOSTICS_MAX - 1].message, "finding 19");
  assert_int_equal(err.items[4].line, 5);
}

static void a_file_is_named_only_where_there_is_none(void **state) {
  (void)state;
  emg_error err = {0};
  emg_fail_more(&err, EMG_ERR_CONFIG, "one.yaml", 1, 1, "x");
  emg_fail_more(&err, EMG_ERR_CONFIG, NULL, 2, 1, "y");
  emg_error_in_file(&err, "two.yaml");
  assert_string_equal(err.items[0].file, "one.yaml");
  assert_string_equal(err.items[1].file, "two.yaml");
}

static void long_messages_are_cut_and_closed(void **state) {
  (void)state;
  char text[2000];
  emg_error err = {0};
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  emg_fail_at(&err, EMG_ERR_DATA, text, 1, 1, "%s", text);
  assert_int_equal(strlen(err.items[0].message), sizeof err.items[0].message - 1);
  assert_int_equal(strlen(err.items[0].file), sizeof err.items[0].file - 1);
}

static void nobody_needs_to_listen(void **state) {
  (void)state;
  assert_int_equal(emg_fail(NULL, EMG_ERR_IO, "unheard"), EMG_ERR_IO);
  assert_int_equal(emg_fail_at(NULL, EMG_ERR_IO, "f", 1, 1, "unheard"), EMG_ERR_IO);
  assert_int_equal(emg_fail_more(NULL, EMG_ERR_IO, "f", 1, 1, "unheard"), EMG_ERR_IO);
  emg_error_in_file(NULL, "f");
  assert_string_equal(emg_error_message(NULL), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exit_codes_are_those_of_the_command_line),
      cmocka_unit_test(a_failure_replaces_what_was_there),
      cmocka_unit_test(findings_gather_up_to_the_limit),
      cmocka_unit_test(a_file_is_named_only_where_there_is_none),
      cmocka_unit_test(long_messages_are_cut_and_closed),
      cmocka_unit_test(nobody_needs_to_listen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
