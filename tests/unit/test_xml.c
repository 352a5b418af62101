// test_xml.c -- small XML files as trees, and what is refused
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/xml.h"

static emg_xml_file *parse(const char *text, size_t n) {
  emg_xml_file *file;
  emg_error err = {0};
  if (emg_xml_parse("a.xml", text, n, &file, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return file;
}

static void refuse(const char *text, size_t n, const char *fragment) {
  emg_xml_file *file;
  emg_error err = {0};
  assert_int_equal(emg_xml_parse("a.xml", text, n, &file, &err), EMG_ERR_DATA);
  assert_null(file);
  if (!strstr(emg_error_message(&err), fragment)) {
    fail_msg("'%s' without '%s'", emg_error_message(&err), fragment);
  }
}

static void elements_attributes_and_text_are_found(void **state) {
  (void)state;
  const char text[] =
      "<?xml version='1.0'?><a k='1' x:l='&lt;2'>\n <b> one </b><c/><b>two&#233;</b>"
      "<![CDATA[three]]></a>";
  emg_xml_file *file = parse(text, strlen(text));
  const emg_xml *root = emg_xml_root(file);
  assert_string_equal(root->name, "a");
  assert_string_equal(root->text, "three");
  assert_string_equal(emg_xml_attribute(root, "k"), "1");
  assert_string_equal(emg_xml_attribute(root, "l"), "<2");  // without prefix
  assert_string_equal(emg_xml_attribute(root, "m"), "");
  const emg_xml *b = emg_xml_child(root, "b");
  assert_string_equal(b->text, "one");
  assert_string_equal(emg_xml_next(b, NULL)->name, "c");
  assert_string_equal(emg_xml_next(b, "b")->text, "two\xc3\xa9");
  assert_null(emg_xml_next(emg_xml_next(b, "b"), "b"));
  assert_string_equal(emg_xml_child_text(root, "c"), "");
  assert_string_equal(emg_xml_child_text(root, "d"), "");
  assert_string_equal(emg_xml_child_text(NULL, "d"), "");
  assert_ptr_equal(b->parent, root);
  emg_xml_free(file);
}

static void the_encoding_is_told_from_the_bytes(void **state) {
  (void)state;
  // declared as UTF-16, as some writers do, and stored as UTF-8
  const char utf8[] = "<?xml version='1.0' encoding='utf-16'?><a>\xc2\xb5V</a>";
  emg_xml_file *file = parse(utf8, strlen(utf8));
  assert_string_equal(emg_xml_root(file)->text, "\xc2\xb5V");
  emg_xml_free(file);
  const char latin[] = "<a>\xb5V</a>";
  file = parse(latin, strlen(latin));
  assert_string_equal(emg_xml_root(file)->text, "\xc2\xb5V");
  emg_xml_free(file);
  const char utf16[] = "\xff\xfe<\0a\0>\0\xb5\0<\0/\0a\0>\0";
  file = parse(utf16, sizeof utf16 - 1);
  assert_string_equal(emg_xml_root(file)->text, "\xc2\xb5");
  emg_xml_free(file);
}

static void entities_are_never_expanded(void **state) {
  (void)state;
  const char bomb[] = "<!DOCTYPE a [<!ENTITY b '0123456789'><!ENTITY c '&b;&b;&b;&b;'>]><a>&c;</a>";
  refuse(bomb, strlen(bomb), "document type declaration");
  const char outside[] = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>";
  refuse(outside, strlen(outside), "document type declaration");
  const char unknown[] = "<a>&b;</a>";
  refuse(unknown, strlen(unknown), "undefined entity");
}

static void damage_is_refused_with_its_place(void **state) {
  (void)state;
  refuse("", 0, "a.xml is not readable XML: line 1");
  refuse("<a>\n<b></a>", 11, "line 2, column 6");
  refuse("<a", 2, "line 1");
  refuse("<a/><b/>", 8, "junk after document element");
  refuse("\0\0\0\0", 4, "not readable XML");
}

static void hostile_sizes_are_refused(void **state) {
  (void)state;
  enum { N = 800000 };
  char *text = malloc(N);
  for (int i = 0; i < N; i += 4) {
    memcpy(text + i, "<ab>", 4);
  }
  refuse(text, N, "levels");
  text[0] = '<', text[1] = 'a', text[2] = '>', text[3] = ' ';
  for (int i = 4; i < N; i += 4) {
    memcpy(text + i, "<b/>", 4);
  }
  emg_xml_file *file;
  assert_int_equal(emg_xml_parse("a", text, N, &file, NULL), EMG_ERR_DATA);  // not closed
  memcpy(text + N - 4, "</a>", 4);
  file = parse(text, N);  // 200,000 elements
  emg_xml_free(file);
  free(text);
  char *huge = calloc((16 << 20) + 1, 1);
  refuse(huge, (16 << 20) + 1, "16777217 bytes");
  free(huge);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(elements_attributes_and_text_are_found),
      cmocka_unit_test(the_encoding_is_told_from_the_bytes),
      cmocka_unit_test(entities_are_never_expanded),
      cmocka_unit_test(damage_is_refused_with_its_place),
      cmocka_unit_test(hostile_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
