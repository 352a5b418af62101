// test_recording.c -- a new recording knows nothing about its channels but their names
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/recording.h>

static void a_new_recording_is_zero_and_unplaced(void **state) {
  (void)state;
  emg_recording rec;
  assert_int_equal(emg_recording_create(3, 100, 2048, &rec, NULL), EMG_OK);
  assert_true(rec.is_physical && rec.rate_hz == 2048 && isnan(rec.pitch_mm));
  for (int c = 0; c < 3; c++) {
    assert_int_equal(rec.channels[c].row, -1);
    assert_true(isnan(rec.channels[c].x_mm));
    assert_int_equal(rec.channels[c].state, EMG_CHANNEL_GOOD);
    assert_true(emg_row2f(&rec.data, c)[99] == 0);
  }
  assert_string_equal(rec.channels[2].name, "EMG003");
  assert_int_equal(emg_recording_add_aux(&rec, 2, NULL), EMG_OK);
  assert_int_equal(rec.aux.n_rows, 2);
  assert_int_equal(rec.aux.n_cols, 100);
  emg_recording_free(&rec);
  assert_null(rec.data.data);
  emg_recording_free(&rec);
}

static void impossible_sizes_leave_nothing_behind(void **state) {
  (void)state;
  emg_recording rec;
  assert_int_equal(emg_recording_create(-1, 100, 2048, &rec, NULL), EMG_ERR_ARG);
  assert_null(rec.data.data);
  assert_int_equal(emg_recording_create(1000, INT64_MAX / 8, 2048, &rec, NULL), EMG_ERR_MEMORY);
  assert_null(rec.data.data);
  assert_null(rec.channels);
}

static void notes_beyond_the_last_are_dropped(void **state) {
  (void)state;
  emg_recording rec;
  assert_int_equal(emg_recording_create(1, 1, 2048, &rec, NULL), EMG_OK);
  for (int i = 0; i < 20; i++) {
    emg_recording_note(&rec, "note %d", i);
  }
  assert_int_equal(rec.n_notes, 8);
  assert_string_equal(rec.notes[7], "note 7");
  emg_recording_free(&rec);
}

static void every_state_has_a_name(void **state) {
  (void)state;
  assert_string_equal(emg_channel_state_name(EMG_CHANNEL_GOOD), "good");
  assert_string_equal(emg_channel_state_name(EMG_CHANNEL_INTERMITTENT), "intermittent");
  assert_string_equal(emg_channel_state_name(EMG_CHANNEL_DUPLICATE), "duplicate");
  assert_string_equal(emg_channel_state_name(EMG_CHANNEL_UNUSED), "unused");
  assert_string_equal(emg_channel_state_name((emg_channel_state)9), "unknown");
  assert_string_equal(emg_channel_state_name((emg_channel_state)-1), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_recording_is_zero_and_unplaced),
      cmocka_unit_test(impossible_sizes_leave_nothing_behind),
      cmocka_unit_test(notes_beyond_the_last_are_dropped),
      cmocka_unit_test(every_state_has_a_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
