// test_json_read.c -- the cursor over JSON: values, escapes, and what is not JSON
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "base/json_read.h"
#include "base/number.h"

static void members_and_elements_come_in_turn(void **state) {
  (void)state;
  emg_json_cursor c =
      emg_json_at("\xef\xbb\xbf { \"a\": [1, -2.5e3, [], {}], \"b\": \"x\" , \"c\":true}");
  char key[8], text[8];
  double value;
  bool flag = false;

  assert_true(emg_json_enter(&c, '{'));
  assert_true(emg_json_next_member(&c, key, sizeof key));
  assert_string_equal(key, "a");
  assert_true(emg_json_enter(&c, '['));
  assert_true(emg_json_next_element(&c) && emg_json_read_number(&c, &value) && value == 1);
  assert_true(emg_json_next_element(&c) && emg_json_read_number(&c, &value) && value == -2500);
  assert_true(emg_json_next_element(&c) && emg_json_enter(&c, '['));
  assert_false(emg_json_next_element(&c));
  assert_true(emg_json_next_element(&c) && emg_json_peek(&c) == '{' && emg_json_skip(&c));
  assert_false(emg_json_next_element(&c));
  assert_true(emg_json_next_member(&c, key, sizeof key) && emg_json_read_text(&c, text, 8));
  assert_string_equal(text, "x");
  assert_true(emg_json_next_member(&c, key, sizeof key) && emg_json_read_bool(&c, &flag) && flag);
  assert_false(emg_json_next_member(&c, key, sizeof key));
  assert_false(c.is_damaged);
}

static void what_python_writes_for_no_number_is_read(void **state) {
  (void)state;
  emg_json_cursor c = emg_json_at("[NaN, Infinity, -Infinity, null]");
  double v[4];

  emg_json_enter(&c, '[');
  for (int i = 0; i < 4; i++) {
    assert_true(emg_json_next_element(&c) && emg_json_read_number(&c, &v[i]));
  }
  assert_true(isnan(v[0]) && v[1] > 0 && isinf(v[1]) && v[2] < 0 && isinf(v[2]) && isnan(v[3]));
  assert_false(emg_json_next_element(&c) || c.is_damaged);
}

static void escapes_are_undone_in_place_and_never_grow(void **state) {
  (void)state;
  char text[] = "a\\\"b\\\\\\n\\u00b5\\ud83d\\ude00\\ud83d\\u12\\q\\/";
  static const char expected[] = "a\"b\\\n\xc2\xb5\xf0\x9f\x98\x80??12q/";
  size_t n = emg_json_unescape(text, strlen(text), text);

  assert_int_equal(n, sizeof expected - 1);
  assert_memory_equal(text, expected, n);
  // a text within a text
  char twice[] = "{\\\"data\\\":[[1]]}";
  n = emg_json_unescape(twice, strlen(twice), twice);
  assert_int_equal(n, 14);
  assert_memory_equal(twice, "{\"data\":[[1]]}", n);
}

static void long_texts_are_cut(void **state) {
  (void)state;
  emg_json_cursor c = emg_json_at("[\"0123456789\", 1]");
  char text[4];
  double value;

  emg_json_enter(&c, '[');
  assert_true(emg_json_next_element(&c) && emg_json_read_text(&c, text, sizeof text));
  assert_string_equal(text, "012");
  assert_true(emg_json_next_element(&c) && emg_json_read_number(&c, &value) && value == 1);
}

static void damage_is_found_and_stays(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",          "[",    "[1",    "[1,]",  "[1 2]", "[,1]", "{\"a\"",      "{\"a\":", "{a:1}",
      "{\"a\" 1}", "[\"x", "[tru]", "[\"\\", "]",     "[1}",  "[{\"a\":[1]", "[-]",     "[+1]x"};
  char key[8];

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    emg_json_cursor c = emg_json_at(texts[i]);
    bool is_object = texts[i][0] == '{';
    emg_json_enter(&c, is_object ? '{' : '[');
    int n = 0;
    while ((is_object ? emg_json_next_member(&c, key, sizeof key) : emg_json_next_element(&c)) &&
           n++ < 10) {
      emg_json_skip(&c);
    }
    if (!c.is_damaged && strcmp(texts[i], "[+1]x") != 0) {
      fail_msg("'%s' is taken for JSON", texts[i]);
    }
    if (c.is_damaged) {
      assert_false(emg_json_next_element(&c) || emg_json_skip(&c));
      assert_int_equal(emg_json_peek(&c), '\0');
    }
  }
}

static void deep_nesting_is_skipped_without_recursion(void **state) {
  (void)state;
  enum { DEPTH = 2000000 };
  char *text = malloc(2 * DEPTH + 1);
  assert_non_null(text);
  memset(text, '[', DEPTH);
  memset(text + DEPTH, ']', DEPTH);
  text[2 * DEPTH] = '\0';
  emg_json_cursor c = emg_json_at(text);

  assert_true(emg_json_skip(&c));
  assert_int_equal(*c.at, '\0');
  text[2 * DEPTH - 1] = '\0';
  c = emg_json_at(text);
  assert_false(emg_json_skip(&c));
  free(text);
}

static void nine_digits_give_every_float_back(void **state) {
  (void)state;
  uint32_t bits = 1;

  for (int i = 0; i < 200000; i++) {
    float value;
    double back;
    const char *end;
    bits = bits * 1664525U + 1013904223U;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) {
      continue;
    }
    emg_number number = emg_number_format_float((double)value);
    assert_true(emg_number_scan(number.text, &end, &back) && *end == '\0');
    if ((float)back != value) {
      fail_msg("%.9g is written as %s", (double)value, number.text);
    }
  }
  assert_string_equal(emg_number_format_float(0.5).text, "0.5");
  assert_string_equal(emg_number_format_float(-1200).text, "-1200");
  assert_string_equal(emg_number_format_float(0).text, "0");
  assert_string_equal(emg_number_format_float(1e-6).text, "0.000001");
  assert_string_equal(emg_number_format_float(9.9999999999).text, "10");
  assert_string_equal(emg_number_format_float(1.5e-8).text, "1.5e-8");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(members_and_elements_come_in_turn),
      cmocka_unit_test(what_python_writes_for_no_number_is_read),
      cmocka_unit_test(escapes_are_undone_in_place_and_never_grow),
      cmocka_unit_test(long_texts_are_cut),
      cmocka_unit_test(damage_is_found_and_stays),
      cmocka_unit_test(deep_nesting_is_skipped_without_recursion),
      cmocka_unit_test(nine_digits_give_every_float_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
