// test_input_file.c -- only files are opened, and nothing waits
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/input_file.h"

static char folder[] = "/tmp/test_input_file.XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static const char *path_of(const char *name) {
  static char path[80];

  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void refuse(const char *path, const char *reason) {
  emg_error err = {0};
  FILE *file;

  assert_int_equal(emg_open_input(path, &file, &err), EMG_ERR_IO);
  assert_null(file);
  assert_non_null(strstr(emg_error_message(&err), reason));
}

static void a_file_is_opened_at_its_start(void **state) {
  (void)state;
  const char *path = path_of("file");
  FILE *file = fopen(path, "w");
  char word[8] = "";

  assert_non_null(file);
  fputs("text", file);
  fclose(file);
  assert_int_equal(emg_open_input(path, &file, NULL), EMG_OK);
  assert_int_equal(fread(word, 1, sizeof word - 1, file), 4);
  assert_string_equal(word, "text");
  fclose(file);
  unlink(path);
}

static void folders_and_missing_files_are_refused(void **state) {
  (void)state;
  refuse(folder, "is a folder");
  refuse(path_of("none"), "No such file");
  refuse("", "No such file");
}

static void a_pipe_that_nobody_writes_to_is_refused_at_once(void **state) {
  (void)state;
  const char *path = path_of("pipe");

  assert_int_equal(mkfifo(path, 0600), 0);
  alarm(10);
  refuse(path, "a pipe must be written to a file first");
  alarm(0);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_opened_at_its_start),
      cmocka_unit_test(folders_and_missing_files_are_refused),
      cmocka_unit_test(a_pipe_that_nobody_writes_to_is_refused_at_once),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
