// test_edit.c -- what each operation does to a unit, and what it refuses
#include "../edit_fixture.h"

#include <omp.h>

static void refuse(subject *s, const char *text, const char *fragment) {
  emg_decomposition before = copy_of(&s->d);
  int n_steps = s->d.edits.n_steps;
  emg_edit_change change;
  emg_error err = {0};

  emg_status status = try_edit(s, text, &change, &err);
  if (status != EMG_ERR_ARG || !strstr(emg_error_message(&err), fragment)) {
    fail_msg("%s: status %d and '%s', not '%s'", text, status, emg_error_message(&err), fragment);
  }
  assert_same(&s->d, &before);  // nothing half done
  assert_int_equal(s->d.edits.n_steps, n_steps);
  emg_decomposition_free(&before);
}

static bool has_spike(const emg_spikes *spikes, int unit, int64_t at) {
  for (int64_t i = 0; i < emg_spikes_count(spikes, unit); i++) {
    if (emg_spikes_of(spikes, unit)[i] == at) {
      return true;
    }
  }
  return false;
}

static void a_spike_is_added_at_the_highest_peak_within_the_window(void **state) {
  (void)state;
  subject s = make_subject();
  int64_t at = emg_spikes_of(&s.d.spikes, 2)[21];
  char text[64];

  drop_spikes(&s, 2, 2);
  assert_false(has_spike(&s.d.spikes, 2, at));
  edit(&s, "re-estimate 2 keep");
  snprintf(text, sizeof text, "add 2 @%lld", (long long)at + 15);
  emg_edit_change change = edit(&s, text);
  assert_int_equal(change.after[0].n_spikes, change.before[0].n_spikes + 1);
  assert_true(has_spike(&s.d.spikes, 2, at) || has_spike(&s.d.spikes, 2, at - 1) ||
              has_spike(&s.d.spikes, 2, at + 1));
  assert_true(s.d.flags[2] & EMG_UNIT_EDITED);
  assert_true(!(s.d.flags[1] & EMG_UNIT_EDITED));
  free_subject(&s);
}

static void peaks_in_a_range_of_time_and_height_become_spikes(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "re-estimate 3 keep delete 3 2..4");
  int64_t n_missing = emg_spikes_count(&before.spikes, 3) - emg_spikes_count(&s.d.spikes, 3);
  assert_true(n_missing > 10);
  edit(&s, "add 3 2..4 0.5..");
  assert_true(agreement(&s.d.spikes, 3, &before.spikes, 3) >= 0.98);
  refuse(&s, "add 3 2..4 0.5..", "has no peak in the range");
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void spikes_are_deleted_by_time_and_by_height(void **state) {
  (void)state;
  subject s = make_subject();
  int64_t at = emg_spikes_of(&s.d.spikes, 1)[7];
  char text[64];

  measure(&s);
  snprintf(text, sizeof text, "delete 1 @%lld", (long long)at - 5);
  edit(&s, text);
  assert_false(has_spike(&s.d.spikes, 1, at));
  snprintf(text, sizeof text, "add 1 @%lld delete 1 .. ..0.5", (long long)at + 60);
  emg_edit_change change = edit(&s, text);  // the false one, which is low
  assert_int_equal(change.after[0].n_spikes, change.before[0].n_spikes - 1);
  refuse(&s, "delete 1 .. 5..", "no spikes in the range");
  refuse(&s, "delete 1 @3 within 0", "no spike within 0 ms of 0.00146484 s");
  free_subject(&s);
}

static void a_source_that_is_not_kept_is_made_when_it_is_needed(void **state) {
  (void)state;
  subject kept = make_subject(), bare = make_subject();

  measure(&kept);
  emg_array2f_free(&bare.d.source);
  edit(&kept, "delete 3 2..4 add 3 2..4 0.5..");
  edit(&bare, "delete 3 2..4 add 3 2..4 0.5..");
  assert_same_train(&kept.d.spikes, 3, &bare.d.spikes, 3);
  assert_true(kept.d.sil[3] == bare.d.sil[3]);
  assert_int_equal(bare.d.source.n_rows, 0);
  free_subject(&kept);
  free_subject(&bare);
}

static void figures_are_those_of_the_source_that_is_kept(void **state) {
  (void)state;
  subject s = make_subject();
  edit(&s, "re-estimate 0 keep");
  int64_t refractory = llround(s.config.decompose.refractory_ms * rate_hz / 1000);
  const float *y = emg_row2f(&s.d.source, 0);
  const int64_t *train = emg_spikes_of(&s.d.spikes, 0), n = emg_spikes_count(&s.d.spikes, 0);
  emg_source_quality quality = emg_source_quality_of(y, N_SAMPLES, train, n, refractory);
  double height = 0;

  assert_true(s.d.sil[0] == quality.sil && s.d.pnr_db[0] == quality.pnr_db);
  assert_true(s.d.sil[0] > 0.9 && fabs(s.d.rate_hz[0] - 10) < 0.5);
  assert_true(s.d.isi_cov[0] > 0.05 && s.d.isi_cov[0] < 0.25 && s.d.detectability[0] > 5);
  for (int64_t i = 0; i < n; i++) {
    height += y[train[i]] / (double)n;
    assert_true(y[train[i]] >= y[train[i] - 1] * 0.9F);
  }
  assert_true(fabs(height - 1) < 0.01);
  // the average of the recording at the spikes shows the action potential that was planted
  const float *taps = emg_muap_row(&s.d.muaps, 0, 1);
  for (int t = 0; t < N_TAPS; t++) {
    assert_true(fabs(taps[ORIGIN + t] - action_potential(0, 1, t)) < 25);
  }
  free_subject(&s);
}

static void outliers_go_and_regular_trains_stay(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);
  int64_t n_false = add_outliers(&s, 3);

  assert_true(n_false >= 3);
  emg_edit_change change = edit(&s, "remove-outliers 3");
  assert_int_equal(change.before[0].n_spikes - change.after[0].n_spikes, n_false);
  assert_same_train(&s.d.spikes, 3, &before.spikes, 3);
  change = edit(&s, "remove-outliers 1");
  assert_int_equal(change.n_before + change.n_after, 0);
  assert_int_equal(s.d.edits.n_steps, 1);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void discharges_that_both_units_have_are_merged_into_one(void **state) {
  (void)state;
  subject s = make_subject();
  int64_t n = emg_spikes_count(&s.d.spikes, 2);
  static int64_t late[N_SAMPLES];

  // unit 0 becomes a copy of unit 2, 2 samples late, with half of its spikes
  for (int64_t i = 0; i < n / 2; i++) {
    late[i] = emg_spikes_of(&s.d.spikes, 2)[2 * i] + 2;
  }
  set_train(&s, 0, n / 2, late);
  emg_decomposition before = copy_of(&s.d);
  edit(&s, "merge 0 2");
  assert_int_equal(s.d.spikes.n_units, N_UNITS - 1);
  assert_same_train(&s.d.spikes, 0, &before.spikes, 2);
  assert_same_unit(&s.d, 1, &before, 1);
  assert_same_unit(&s.d, 2, &before, 3);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void splits_put_the_second_part_last(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  emg_edit_change change = edit(&s, "split 1 at 3");
  assert_int_equal(change.n_after, 2);
  assert_int_equal(change.after[1].unit, N_UNITS);
  const emg_spikes *spikes = &s.d.spikes;
  assert_true(emg_spikes_of(spikes, 1)[emg_spikes_count(spikes, 1) - 1] < 3 * 2048);
  assert_true(emg_spikes_of(spikes, N_UNITS)[0] >= 3 * 2048);
  assert_same_unit(&s.d, 2, &before, 2);
  change = edit(&s, "split 2");
  assert_true(change.after[0].n_spikes >= change.after[1].n_spikes);
  refuse(&s, "split 1 at 0", "unit 1 would be left with 0 spikes");
  refuse(&s, "split 1 at 100", "unit 1 would be left with 0 spikes");
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void wrong_operations_are_refused_whole(void **state) {
  (void)state;
  subject s = make_subject();

  refuse(&s, "add 9 1", "there is no unit 9; the units are 0 to 3");
  refuse(&s, "add 1 7", "7 s is after the end of the recording, 6 s");
  refuse(&s, "merge 1 1", "cannot be merged with itself");
  refuse(&s, "merge 1 7", "there is no unit 7");
  refuse(&s, "delete 1 0..6", "unit 1 would be left with 0 spikes, and a unit needs 2");
  refuse(&s, "re-estimate 1 0..0.01", "widen the range");
  refuse(&s, "undo", "there is nothing to undo: nothing was edited");
  refuse(&s, "redo", "there is nothing to redo");
  edit(&s, "lock 1");
  assert_int_equal(edit(&s, "lock 1").n_after, 0);
  assert_int_equal(s.d.edits.n_steps, 1);
  edit(&s, "undo");
  refuse(&s, "undo", "all edits are undone");
  free_subject(&s);
}

static void a_new_operation_after_undoing_drops_what_was_undone(void **state) {
  (void)state;
  subject s = make_subject();

  edit(&s, "lock 0 lock 1 lock 2 undo 2");
  assert_int_equal(s.d.edits.n_steps, 3);
  edit(&s, "lock 3");
  assert_int_equal(s.d.edits.n_steps, 2);
  assert_string_equal(s.d.edits.steps[1].text,
                      "lock 3: unit 3 with 82 spikes, SIL 0.53 became 3 with 82 spikes, SIL 0.53");
  assert_true(s.d.locked[0] && !s.d.locked[1] && !s.d.locked[2] && s.d.locked[3]);
  free_subject(&s);
}

static void another_recording_is_refused(void **state) {
  (void)state;
  subject s = make_subject();
  emg_recording other;
  emg_editor *editor;
  emg_error err = {0};

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES - 1, rate_hz, &other, NULL), EMG_OK);
  assert_int_equal(emg_editor_create(&s.d, &other, &s.config, NULL, &editor, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "12287 samples at 2048 Hz"));
  assert_null(editor);
  emg_recording_free(&other);
  assert_int_equal(emg_recording_create(N_CHANNELS + 1, N_SAMPLES, rate_hz, &other, NULL), EMG_OK);
  assert_int_equal(emg_editor_create(&s.d, &other, &s.config, NULL, &editor, &err), EMG_ERR_DATA);
  emg_recording_free(&other);
  // what needs no recording works without
  emg_edit_change change;
  emg_edit_operation op = {.kind = EMG_EDIT_LOCK, .unit = 2};
  assert_int_equal(emg_editor_create(&s.d, NULL, NULL, NULL, &editor, &err), EMG_OK);
  assert_int_equal(emg_edit(editor, &op, &change, &err), EMG_OK);
  op = (emg_edit_operation){.kind = EMG_EDIT_SPLIT, .unit = 1};
  assert_int_equal(emg_edit(editor, &op, &change, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "needs the recording"));
  emg_editor_free(editor);
  free_subject(&s);
}

static void learn_filters(subject *s) {
  emg_filters_free(&s->d.filters);
  assert_int_equal(emg_filters_learn(&s->rec, &s->d.spikes, &s->config, NULL, &s->d.filters, NULL),
                   EMG_OK);
}

static void filters_of_changed_units_are_learned_again(void **state) {
  (void)state;
  subject s = make_subject();
  learn_filters(&s);
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "delete 1 2..5");
  assert_same_unit(&s.d, 0, &before, 0);
  assert_same_unit(&s.d, 2, &before, 2);
  emg_filters expected;
  assert_int_equal(emg_filters_learn(&s.rec, &s.d.spikes, &s.config, NULL, &expected, NULL),
                   EMG_OK);
  int n = expected.n_taps * expected.n_channels, n_other = 0;
  double largest = 0;
  for (int i = n; i < 2 * n; i++) {
    largest = fmax(largest, fabs(expected.weights[i]));
  }
  for (int i = n; i < 2 * n; i++) {
    assert_true(fabs(s.d.filters.weights[i] - expected.weights[i]) < 1e-4 * largest);
    n_other += s.d.filters.weights[i] != before.filters.weights[i];
  }
  assert_true(n_other > n / 2);
  assert_true(fabs(s.d.filters.threshold[1] - expected.threshold[1]) < 1e-3);
  assert_int_equal(s.d.filters.delay[1], expected.delay[1]);
  edit(&s, "split 0 undo 2");
  assert_same(&s.d, &before);
  emg_filters_free(&expected);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void too_few_spikes_give_a_filter_that_never_fires(void **state) {
  (void)state;
  subject s = make_subject();

  learn_filters(&s);
  edit(&s, "delete 1 0.5..");
  assert_true(emg_spikes_count(&s.d.spikes, 1) < 10);
  const float *weights = s.d.filters.weights + s.d.filters.n_taps * s.d.filters.n_channels;
  for (int i = 0; i < s.d.filters.n_taps * s.d.filters.n_channels; i++) {
    assert_true(weights[i] == 0);
  }
  free_subject(&s);
}

// Where a part of the recording was decomposed, it is that part that is edited.
static void outside_the_window_nothing_is_seen(void **state) {
  (void)state;
  const int64_t begin = 2048, end = 5 * 2048;
  subject s = make_subject();
  static int64_t inside[N_SAMPLES];

  s.config.decompose.from_s = 1;
  s.config.decompose.to_s = 5;
  learn_filters(&s);
  for (int u = 0; u < N_UNITS; u++) {
    int64_t n = 0;
    for (int64_t i = 0; i < emg_spikes_count(&s.d.spikes, u); i++) {
      int64_t at = emg_spikes_of(&s.d.spikes, u)[i];
      if (at >= begin && at < end - N_TAPS) {
        inside[n++] = at;
      }
    }
    set_train(&s, u, n, inside);
  }
  emg_decomposition before = copy_of(&s.d);
  drop_spikes(&s, 3, 5);
  edit(&s, "re-estimate 3");
  assert_true(agreement(&s.d.spikes, 3, &before.spikes, 3) >= 0.95);
  const float *y = emg_row2f(&s.d.source, 3);
  for (int64_t i = 0; i < N_SAMPLES; i++) {
    assert_true((i >= begin && i < end) || y[i] == 0);
  }
  for (int64_t i = 0; i < emg_spikes_count(&s.d.spikes, 3); i++) {
    assert_true(y[emg_spikes_of(&s.d.spikes, 3)[i]] > 0.5F);
  }
  edit(&s, "split 2 merge 2 4");
  assert_same_train(&s.d.spikes, 2, &before.spikes, 2);
  emg_decomposition_free(&before);
  free_subject(&s);
}

// Where grids were decomposed one by one, each unit is edited in its own.
static void units_are_edited_in_the_grid_they_were_found_in(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  assert_int_equal(emg_alloc(N_UNITS, sizeof *s.d.group, &s.d.group, NULL), EMG_OK);
  for (int c = 0; c < N_CHANNELS; c++) {
    snprintf(s.rec.channels[c].group, sizeof s.rec.channels[c].group, c < 6 ? "low" : "high");
  }
  for (int u = 0; u < N_UNITS; u++) {
    snprintf(s.d.group[u], sizeof s.d.group[u], u < 2 ? "low" : "high");
  }
  edit(&s, "re-estimate 0,3");
  double sil = s.d.sil[3];
  assert_true(agreement(&s.d.spikes, 0, &before.spikes, 0) >= 0.95);
  assert_true(agreement(&s.d.spikes, 3, &before.spikes, 3) >= 0.95);
  // what the other grid holds is of no matter
  edit(&s, "undo 2");
  for (int64_t i = 0; i < N_SAMPLES; i++) {
    emg_row2f(&s.rec.data, 2)[i] *= -3;
  }
  edit(&s, "re-estimate 3");
  assert_true(s.d.sil[3] == sil);
  assert_string_equal(s.d.group[3], "high");
  emg_decomposition_free(&before);
  free_subject(&s);
}

int main(void) {
  omp_set_num_threads(1);  // for so small a recording
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_spike_is_added_at_the_highest_peak_within_the_window),
      cmocka_unit_test(peaks_in_a_range_of_time_and_height_become_spikes),
      cmocka_unit_test(spikes_are_deleted_by_time_and_by_height),
      cmocka_unit_test(a_source_that_is_not_kept_is_made_when_it_is_needed),
      cmocka_unit_test(figures_are_those_of_the_source_that_is_kept),
      cmocka_unit_test(outliers_go_and_regular_trains_stay),
      cmocka_unit_test(discharges_that_both_units_have_are_merged_into_one),
      cmocka_unit_test(splits_put_the_second_part_last),
      cmocka_unit_test(wrong_operations_are_refused_whole),
      cmocka_unit_test(a_new_operation_after_undoing_drops_what_was_undone),
      cmocka_unit_test(another_recording_is_refused),
      cmocka_unit_test(filters_of_changed_units_are_learned_again),
      cmocka_unit_test(too_few_spikes_give_a_filter_that_never_fires),
      cmocka_unit_test(outside_the_window_nothing_is_seen),
      cmocka_unit_test(units_are_edited_in_the_grid_they_were_found_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
