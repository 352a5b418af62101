// test_json.c -- the JSON writer
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static char *finish(emg_json *json) {
  char *text = NULL;
  emg_error err = {0};

  assert_int_equal(emg_json_finish(json, &text, &err), EMG_OK);
  return text;
}

static void nested_values_are_separated_and_closed(void **state) {
  (void)state;
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "name", "a");
  emg_json_array(&json, "numbers");
  emg_json_integer(&json, NULL, -3);
  emg_json_number(&json, NULL, 0.5);
  emg_json_null(&json, NULL);
  emg_json_end(&json);
  emg_json_array(&json, "units");
  emg_json_object(&json, NULL);
  emg_json_bool(&json, "found", true);
  emg_json_end(&json);
  emg_json_object(&json, NULL);
  emg_json_end(&json);
  emg_json_end(&json);
  emg_json_array(&json, "empty");
  emg_json_end(&json);
  emg_json_end(&json);

  char *text = finish(&json);
  assert_string_equal(text,
                      "{\n  \"name\": \"a\",\n  \"numbers\": [-3, 0.5, null],\n"
                      "  \"units\": [\n    {\n      \"found\": true\n    },\n    {}\n  ],\n"
                      "  \"empty\": []\n}\n");
  free(text);
}

static void numbers_read_back_to_the_same_double(void **state) {
  (void)state;
  const double values[] = {0.1, 1.0 / 3.0, 1e-300, 6.02214076e23, -0.0, 2048, M_PI * 1e-7};

  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    emg_json json = {0};
    emg_json_number(&json, NULL, values[i]);
    char *text = finish(&json);
    assert_true(strtod(text, NULL) == values[i]);
    free(text);
  }
}

static void numbers_that_are_not_finite_become_null(void **state) {
  (void)state;
  const double values[] = {NAN, INFINITY, -INFINITY};

  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    emg_json json = {0};
    emg_json_number(&json, NULL, values[i]);
    char *text = finish(&json);
    assert_string_equal(text, "null\n");
    free(text);
  }
}

static void largest_integers_keep_every_digit(void **state) {
  (void)state;
  emg_json json = {0};

  emg_json_array(&json, NULL);
  emg_json_unsigned(&json, NULL, UINT64_MAX);
  emg_json_integer(&json, NULL, INT64_MIN);
  emg_json_end(&json);
  char *text = finish(&json);
  assert_non_null(strstr(text, "18446744073709551615"));
  assert_non_null(strstr(text, "-9223372036854775808"));
  free(text);
}

static void text_is_escaped_and_bad_bytes_are_replaced(void **state) {
  (void)state;
  emg_json json = {0};

  emg_json_text(&json, NULL, "q\" b\\ n\n t\t e\x1b u\xc2\xb5 bad\xff.");
  char *text = finish(&json);
  assert_string_equal(text, "\"q\\\" b\\\\ n\\n t\\t e\\u001b u\xc2\xb5 bad\xef\xbf\xbd.\"\n");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nested_values_are_separated_and_closed),
      cmocka_unit_test(numbers_read_back_to_the_same_double),
      cmocka_unit_test(numbers_that_are_not_finite_become_null),
      cmocka_unit_test(largest_integers_keep_every_digit),
      cmocka_unit_test(text_is_escaped_and_bad_bytes_are_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
