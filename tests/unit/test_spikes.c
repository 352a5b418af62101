// test_spikes.c -- ragged arrays of discharge times, their checks and their statistics
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/spikes.h>

static emg_spikes two_units(void) {
  emg_spikes s;
  assert_int_equal(emg_spikes_create(2, (int64_t[]){3, 2}, 1000, 500, &s, NULL), EMG_OK);
  memcpy(s.samples, (int64_t[]){10, 20, 30, 0, 499}, 5 * sizeof *s.samples);
  return s;
}

static void units_lie_one_after_the_other(void **state) {
  (void)state;
  emg_spikes s = two_units();
  assert_int_equal(emg_spikes_count(&s, 0), 3);
  assert_int_equal(emg_spikes_count(&s, 1), 2);
  assert_int_equal(emg_spikes_of(&s, 1)[1], 499);
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_OK);
  emg_spikes_free(&s);
  assert_null(s.samples);
  assert_int_equal(emg_spikes_create(0, NULL, 1000, 0, &s, NULL), EMG_OK);
  assert_int_equal(s.offsets[0], 0);
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_OK);
  emg_spikes_free(&s);
}

static void a_copy_is_its_own(void **state) {
  (void)state;
  emg_spikes s = two_units(), copy;
  assert_int_equal(emg_spikes_copy(&s, &copy, NULL), EMG_OK);
  assert_true(copy.rate_hz == 1000);
  assert_int_equal(copy.n_samples, 500);
  s.samples[4] = 7;
  assert_int_equal(copy.samples[4], 499);
  assert_memory_equal(copy.offsets, s.offsets, 3 * sizeof *s.offsets);
  emg_spikes_free(&s);
  emg_spikes_free(&copy);
}

static void a_part_holds_what_lies_in_it_at_the_same_samples(void **state) {
  (void)state;
  emg_spikes s = two_units(), part;
  // from its first sample on, not at its last
  assert_int_equal(emg_spikes_between(&s, 0.02, 0.499, &part, NULL), EMG_OK);
  assert_int_equal(part.n_samples, 500);
  assert_int_equal(emg_spikes_count(&part, 0), 2);
  assert_int_equal(emg_spikes_of(&part, 0)[0], 20);
  assert_int_equal(emg_spikes_count(&part, 1), 0);
  emg_spikes_free(&part);
  // 0: to the end
  assert_int_equal(emg_spikes_between(&s, 0, 0, &part, NULL), EMG_OK);
  assert_memory_equal(part.samples, s.samples, 5 * sizeof *s.samples);
  emg_spikes_free(&part);
  emg_spikes_free(&s);
}

static void damaged_trains_are_refused_with_the_place(void **state) {
  (void)state;
  const struct {
    int at;
    int64_t value;
    const char *says;
  } damages[] = {
      {2, 20, "do not ascend"}, {2, 15, "do not ascend"}, {4, 500, "outside"}, {0, -1, "outside"}};
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    emg_spikes s = two_units();
    emg_error err = {0};
    s.samples[damages[i].at] = damages[i].value;
    assert_int_equal(emg_spikes_check(&s, &err), EMG_ERR_DATA);
    assert_non_null(strstr(emg_error_message(&err), damages[i].says));
    emg_spikes_free(&s);
  }
  emg_spikes s = two_units();
  s.offsets[1] = 9;
  s.offsets[2] = 5;
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_ERR_DATA);
  s.offsets[0] = -2;
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_ERR_DATA);
  emg_spikes_free(&s);

  s = two_units();
  s.n_samples = 0;  // length unknown: nothing is outside
  s.samples[4] = 1000000;
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_OK);
  emg_spikes_free(&s);
}

static void statistics_leave_pauses_out(void **state) {
  (void)state;
  emg_spikes s;
  assert_int_equal(emg_spikes_create(3, (int64_t[]){6, 2, 0}, 1000, 0, &s, NULL), EMG_OK);
  // intervals 90, 110, pause of 900, 90, 110: mean 100, sd sqrt(400 / 3)
  memcpy(s.samples, (int64_t[]){0, 90, 200, 1100, 1190, 1300, 5, 10}, 8 * sizeof *s.samples);
  emg_train_stats stats = emg_spikes_stats(&s, 0);
  assert_true(fabs(stats.rate_hz - 10) < 1e-9);
  assert_true(fabs(stats.isi_cov - sqrt(400.0 / 3) / 100) < 1e-9);
  for (int unit = 1; unit < 3; unit++) {
    stats = emg_spikes_stats(&s, unit);
    assert_true(stats.rate_hz == 0 && stats.isi_cov == 0);
  }
  emg_spikes_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_lie_one_after_the_other),
      cmocka_unit_test(a_copy_is_its_own),
      cmocka_unit_test(a_part_holds_what_lies_in_it_at_the_same_samples),
      cmocka_unit_test(damaged_trains_are_refused_with_the_place),
      cmocka_unit_test(statistics_leave_pauses_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
