// test_log.c -- talk reaches who listens, and who listens can stop a call
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/log.h>

typedef struct {
  char text[2000];
  int64_t done, total;
  bool stop;
} listener;

static void hear(emg_log_level level, const char *stage, const char *text, void *user) {
  listener *l = user;
  snprintf(l->text, sizeof l->text, "%d %s: %s", (int)level, stage, text);
}

static bool follow(const char *stage, int64_t done, int64_t total, void *user) {
  listener *l = user;
  (void)stage;
  l->done = done;
  l->total = total;
  return l->stop;
}

static void text_and_progress_arrive(void **state) {
  (void)state;
  listener l = {0};
  const emg_monitor monitor = {hear, follow, &l};
  emg_log(&monitor, EMG_LOG_INFO, "model", "units = %d", 7);
  assert_string_equal(l.text, "1 model: units = 7");
  assert_int_equal(emg_progress(&monitor, "model", 3, 9, NULL), EMG_OK);
  assert_int_equal(l.done, 3);
  assert_int_equal(l.total, 9);
}

static void a_request_to_stop_names_the_stage(void **state) {
  (void)state;
  listener l = {.stop = true};
  const emg_monitor monitor = {NULL, follow, &l};
  emg_error err = {0};
  assert_int_equal(emg_progress(&monitor, "synthesis", 0, 1, &err), EMG_ERR_INTERRUPTED);
  assert_non_null(strstr(emg_error_message(&err), "synthesis"));
}

static void silence_is_fine_and_long_text_is_cut(void **state) {
  (void)state;
  const emg_monitor deaf = {0};
  emg_log(NULL, EMG_LOG_WARNING, "model", "unheard");
  emg_log(&deaf, EMG_LOG_WARNING, "model", "unheard");
  assert_int_equal(emg_progress(NULL, "model", 0, 1, NULL), EMG_OK);
  assert_int_equal(emg_progress(&deaf, "model", 0, 1, NULL), EMG_OK);

  listener l = {0};
  const emg_monitor monitor = {hear, NULL, &l};
  char text[1500];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  emg_log(&monitor, EMG_LOG_DEBUG, "", "%s", text);
  assert_true(strlen(l.text) > 400 && strlen(l.text) < 600);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_and_progress_arrive),
      cmocka_unit_test(a_request_to_stop_names_the_stage),
      cmocka_unit_test(silence_is_fine_and_long_text_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
