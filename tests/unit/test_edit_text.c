// test_edit_text.c -- operations of editing as words: every form, and back to the same words
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// Five units at 1000 Hz, the second one locked, two edits of which one is undone.
static emg_decomposition make_decomposition(void) {
  static int64_t offsets[6];
  static uint8_t locked[5] = {0, 1};
  emg_decomposition d = {0};

  d.spikes = (emg_spikes){.n_units = 5, .offsets = offsets, .rate_hz = 1000, .n_samples = 20000};
  d.locked = locked;
  d.edits.n_steps = 3;
  d.edits.n_done = 2;
  return d;
}

static emg_status parse(const char *text, int *n_used, emg_edit_operations *out, emg_error *err) {
  static char copy[400];
  const char *words[64];
  int n = 0;
  emg_decomposition d = make_decomposition();

  snprintf(copy, sizeof copy, "%s", text);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
    words[n++] = word;
  }
  return emg_edit_parse(n, words, &d, n_used, out, err);
}

static emg_edit_operations parse_or_die(const char *text) {
  emg_edit_operations list;
  emg_error err = {0};
  int n_used;

  if (parse(text, &n_used, &list, &err) != EMG_OK) {
    fail_msg("%s: %s", text, emg_error_message(&err));
  }
  return list;
}

static void refuse(const char *text, const char *fragment) {
  emg_edit_operations list;
  emg_error err = {0};
  int n_used;

  if (parse(text, &n_used, &list, &err) != EMG_ERR_ARG ||
      !strstr(emg_error_message(&err), fragment)) {
    fail_msg("%s: '%s', not '%s'", text, emg_error_message(&err), fragment);
  }
  assert_null(list.items);
}

static void expect_text(const emg_edit_operation *op, const char *expected) {
  char *text;

  assert_int_equal(emg_edit_format(op, 1000, 20000, &text, NULL), EMG_OK);
  assert_string_equal(text, expected);
  free(text);
}

static void every_form_is_read_and_written(void **state) {
  (void)state;
  const char *const forms[][2] = {
      {"add 3 12.35 12.5", "add 3 12.35 12.5 within 0.01"},
      {"add 3 12350ms within 5ms", "add 3 12.35 within 0.005"},
      {"add 0 @12351", "add 0 12.351 within 0.01"},
      {"add 3 12..14 0.5..", "add 3 12..14 0.5.."},
      {"delete 3 12.35", "delete 3 12.35 within 0.01"},
      {"delete 3 .. 0.1..0.5", "delete 3 .. 0.1..0.5"},
      {"delete 3 ..2.5", "delete 3 ..2.5"},
      {"delete 3 2.5..", "delete 3 2.5.."},
      {"delete 3 19..30", "delete 3 19.."},  // to the end
      {"merge 4 2", "merge 4 2"},
      {"split 4", "split 4"},
      {"split 4 at 3.25", "split 4 at 3.25"},
      {"delete-unit 4", "delete-unit 4"},
      {"remove-outliers 4", "remove-outliers 4"},
      {"re-estimate 4", "re-estimate 4 .."},
      {"re-estimate 4 1..2", "re-estimate 4 1..2"},
      {"re-estimate 4 keep", "re-estimate 4 keep"},
      {"lock 4", "lock 4"},
      {"unlock 4", "unlock 4"},
      {"undo", "undo"},
      {"redo", "redo"},
  };
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    emg_edit_operations list = parse_or_die(forms[i][0]), again = parse_or_die(forms[i][1]);
    assert_int_equal(list.n, 1);
    expect_text(&list.items[0], forms[i][1]);
    expect_text(&again.items[0], forms[i][1]);
    emg_edit_operations_free(&list);
    emg_edit_operations_free(&again);
  }
}

static void times_are_samples_of_the_recording(void **state) {
  (void)state;
  emg_edit_operations list = parse_or_die("add 3 12.3504 @7 within 4ms");

  assert_int_equal(list.items[0].n_times, 2);
  assert_int_equal(list.items[0].times[0], 12350);
  assert_int_equal(list.items[0].times[1], 7);
  assert_int_equal(list.items[0].window, 4);
  emg_edit_operations_free(&list);
  list = parse_or_die("delete 0 1.5..");
  assert_int_equal(list.items[0].range.begin, 1500);
  assert_true(list.items[0].range.end > 1e15 && isinf(list.items[0].range.high));
  emg_edit_operations_free(&list);
}

static void lists_give_an_operation_for_each_unit(void **state) {
  (void)state;
  const struct {
    const char *text;
    int n, units[5];
  } cases[] = {{"lock 3,0,3", 2, {0, 3}},
               {"delete-unit 0,3,2", 3, {3, 2, 0}},  // from the last, so that the numbers hold
               {"re-estimate all", 4, {0, 2, 3, 4}},
               {"remove-outliers all", 4, {0, 2, 3, 4}},
               {"unlock all", 1, {1}}};

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    emg_edit_operations list = parse_or_die(cases[i].text);
    assert_int_equal(list.n, cases[i].n);
    for (int k = 0; k < list.n; k++) {
      assert_int_equal(list.items[k].unit, cases[i].units[k]);
    }
    emg_edit_operations_free(&list);
  }
  emg_edit_operations list = parse_or_die("undo 2");
  assert_int_equal(list.n, 2);
  emg_edit_operations_free(&list);
}

static void an_operation_ends_where_the_next_begins(void **state) {
  (void)state;
  const char *const texts[] = {"add 3 12.35 12.5 merge 1 2", "re-estimate 3 keep lock 3",
                               "split 3 split 4 at 2", "undo redo"};
  const int used[] = {4, 3, 2, 1};

  for (int i = 0; i < 4; i++) {
    emg_edit_operations list;
    int n_used;
    assert_int_equal(parse(texts[i], &n_used, &list, NULL), EMG_OK);
    assert_int_equal(n_used, used[i]);
    emg_edit_operations_free(&list);
  }
  assert_true(emg_edit_needs_recording("add") && !emg_edit_needs_recording("lock"));
  assert_false(emg_edit_needs_recording("12.35") || emg_edit_is_name("keep"));
}

static void what_is_wrong_is_said_in_a_sentence(void **state) {
  (void)state;
  refuse("", "there is no operation");
  refuse("ad 3 12", "did you mean 'add'");
  refuse("xyzzyx", "the operations are add, delete");
  refuse("add", "needs the number of a unit");
  refuse("add x 12", "needs the number of a unit, not 'x'");
  refuse("add -1 12", "needs the number of a unit, not '-1'");
  refuse("add 99999999999999999999 12", "needs the number of a unit");
  refuse("add 3", "needs times in seconds");
  refuse("add 3 12x", "needs a time");
  refuse("add 3 12mm", "needs a time");
  refuse("add 3 -2", "outside any recording");
  refuse("add 3 1e300", "outside any recording");
  refuse("add 3 @1.5", "is not the number of a sample");
  refuse("add 3 @", "is not the number of a sample");
  refuse("add 3 12 within", "'within' needs a time");
  refuse("add 3 14..12", "holds no time");
  refuse("add 3 12..14 0.5", "is not a range");
  refuse("add 3 12..14 0.5..0.1", "holds no height");
  refuse("add 3 12..14 a..", "is not a height");
  refuse("add 3 12..14 .. 5", "does not take '5'");
  refuse("merge 3", "needs the number of a unit");
  refuse("merge 3 4 5", "does not take '5'");
  refuse("split 3 at", "needs a time");
  refuse("split 3 12", "does not take '12'");
  refuse("lock", "needs numbers of units");
  refuse("lock 1,", "needs the number of a unit");
  refuse("lock 1,,2", "needs the number of a unit");
  refuse("delete-unit all", "would leave no units");
  refuse("re-estimate 3 1..2 keep", "does not take 'keep'");
  refuse("undo 0", "from 1 on");
  refuse("undo x", "from 1 on, not 'x'");
  refuse("undo 3", "there are 2 operations to undo, not 3");
  refuse("redo 2", "there are 1 operations to redo, not 2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_form_is_read_and_written),
      cmocka_unit_test(times_are_samples_of_the_recording),
      cmocka_unit_test(lists_give_an_operation_for_each_unit),
      cmocka_unit_test(an_operation_ends_where_the_next_begins),
      cmocka_unit_test(what_is_wrong_is_said_in_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
