// test_text.c -- UTF-8, likeness of names, quoting
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"

static void valid_and_invalid_utf8_are_told_apart(void **state) {
  (void)state;
  static const char *const good[] = {
      "", "abc", "\xc2\xb5", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
  // truncated, lone continuation, overlong, surrogate, past the last character, not UTF-8 at all
  static const char *const bad[] = {"\xc2",         "\x80",         "\xc0\xaf",
                                    "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                    "\xff",         "\xe2\x82"};

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(emg_utf8_valid_length(good[i], strlen(good[i])), strlen(good[i]));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char text[16] = "ab";
    strcat(text, bad[i]);
    assert_int_equal(emg_utf8_valid_length(text, strlen(text)), 2);
  }
}

static void a_line_has_no_control_characters(void **state) {
  (void)state;
  assert_true(emg_text_is_line("m. soleus \xc2\xb5", 12));
  static const char *const bad[] = {"a\nb",         "a\tb",         "\x1b[31m",
                                    "\x7f",         "\xc2\x85",     "\xe2\x80\xa8",
                                    "\xef\xbb\xbf", "\xef\xbf\xbf", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(emg_text_is_line(bad[i], strlen(bad[i])));
  }
  assert_false(emg_text_is_line("a\0b", 3));
}

static void edit_distance_is_that_of_small_examples(void **state) {
  (void)state;
  assert_int_equal(emg_edit_distance("", ""), 0);
  assert_int_equal(emg_edit_distance("", "abc"), 3);
  assert_int_equal(emg_edit_distance("kitten", "sitting"), 3);
  assert_int_equal(emg_edit_distance("recrutiment", "recruitment"), 1);
  assert_int_equal(emg_edit_distance("rows", "rows"), 0);
  char longer[EMG_NAME_MAX + 2];
  memset(longer, 'a', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  assert_int_equal(emg_edit_distance(longer, "a"), INT_MAX);
  assert_false(emg_is_near(longer, INT_MAX));
}

static void edit_distance_is_symmetric(void **state) {
  (void)state;
  static const char *const words[] = {"rows", "worse", "columns", "fat_thickness_mm", "", "fibre"};
  for (int i = 0; i < 6; i++) {
    for (int j = 0; j < 6; j++) {
      assert_int_equal(emg_edit_distance(words[i], words[j]),
                       emg_edit_distance(words[j], words[i]));
    }
  }
}

static void quotes_are_short_and_harmless(void **state) {
  (void)state;
  assert_string_equal(emg_quote("rows").text, "'rows'");
  assert_string_equal(emg_quote("a\x1b[0m\nb").text, "'a?[0m?b'");
  assert_string_equal(emg_quote("\xe9\xc2\xb5\x9b").text, "'?\xc2\xb5?'");
  char text[200];
  for (int i = 0; i < 199; i += 2) {
    memcpy(text + i, "\xc2\xb5", 2);
  }
  text[198] = '\0';
  emg_quoted even = emg_quote(text), odd = emg_quote(text + 2);
  assert_true(emg_text_is_line(even.text, strlen(even.text)));
  assert_non_null(strstr(even.text, "...'"));
  text[1] = 'x';
  odd = emg_quote(text + 1);
  assert_true(emg_text_is_line(odd.text, strlen(odd.text)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(valid_and_invalid_utf8_are_told_apart),
      cmocka_unit_test(a_line_has_no_control_characters),
      cmocka_unit_test(edit_distance_is_that_of_small_examples),
      cmocka_unit_test(edit_distance_is_symmetric),
      cmocka_unit_test(quotes_are_short_and_harmless),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
