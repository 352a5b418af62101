// law_edit.c -- an edit is undone to the last bit, leaves other units alone, and finds what it
// should
#include "../edit_fixture.h"

#include <omp.h>

// Every operation, on units of which the first has outliers and the second misses spikes.
static const char *const operations[] = {"delete 1 2..3",
                                         "delete 2 @5000 within 200ms",
                                         "add 1 2..5 0.5..",
                                         "merge 0 3",
                                         "merge 3 1",
                                         "split 2",
                                         "split 1 at 4",
                                         "delete-unit 2",
                                         "delete-unit 3",
                                         "re-estimate 1",
                                         "re-estimate 3 2..6",
                                         "re-estimate 2 keep",
                                         "lock 1",
                                         "remove-outliers 0"};
enum { N_OPERATIONS = sizeof operations / sizeof operations[0] };

static subject make_flawed_subject(void) {
  subject s = make_subject();

  add_outliers(&s, 0);
  drop_spikes(&s, 1, 5);
  measure(&s);
  return s;
}

static void undoing_an_operation_gives_every_bit_back(void **state) {
  (void)state;
  subject s = make_flawed_subject();
  emg_decomposition before = copy_of(&s.d);

  for (int i = 0; i < N_OPERATIONS; i++) {
    assert_true(edit(&s, operations[i]).n_before > 0);
    emg_decomposition after = copy_of(&s.d);
    edit(&s, "undo");
    assert_same(&s.d, &before);
    edit(&s, "redo");
    assert_same(&s.d, &after);
    edit(&s, "undo");
    emg_decomposition_free(&after);
  }
  assert_int_equal(s.d.edits.n_steps, 1);  // of what is undone, the last can be done again
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void a_whole_session_is_undone_and_done_again(void **state) {
  (void)state;
  subject s = make_flawed_subject();
  emg_decomposition states[N_OPERATIONS + 1];
  const char *const session[] = {"remove-outliers 0", "split 2",   "lock 4",     "re-estimate 1",
                                 "delete-unit 0",     "merge 0 2", "unlock all", "delete-unit 0,1"};
  enum { N = sizeof session / sizeof session[0] };

  for (int i = 0; i < N; i++) {
    states[i] = copy_of(&s.d);
    edit(&s, session[i]);
  }
  states[N] = copy_of(&s.d);
  for (int i = N - 1; i >= 0; i--) {
    edit(&s, i == N - 1 ? "undo 2" : "undo");  // the last is two operations
    assert_same(&s.d, &states[i]);
  }
  assert_int_equal(s.d.edits.n_done, 0);
  for (int i = 0; i < N; i++) {
    edit(&s, i == N - 1 ? "redo 2" : "redo");
    assert_same(&s.d, &states[i + 1]);
  }
  for (int i = 0; i <= N; i++) {
    emg_decomposition_free(&states[i]);
  }
  free_subject(&s);
}

static void all_units_may_be_deleted_and_come_back(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "delete-unit 0,1,2,3");
  assert_int_equal(s.d.spikes.n_units, 0);
  assert_int_equal(s.d.muaps.n_channels, N_CHANNELS);
  edit(&s, "undo 4");
  assert_same(&s.d, &before);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void a_spike_deleted_and_added_again_is_the_same_spike(void **state) {
  (void)state;
  subject s = make_subject();
  edit(&s, "re-estimate 2");  // to peaks of its source
  emg_decomposition before = copy_of(&s.d);

  for (int64_t i = 3; i < emg_spikes_count(&before.spikes, 2); i += 17) {
    char text[120];
    int64_t at = emg_spikes_of(&before.spikes, 2)[i];
    snprintf(text, sizeof text, "delete 2 @%lld within 0 add 2 @%lld within 2ms", (long long)at,
             (long long)at + 2);
    edit(&s, text);
    assert_same_train(&s.d.spikes, 2, &before.spikes, 2);
  }
  // figures are a function of the recording and the trains
  assert_same_unit(&s.d, 2, &before, 2);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void a_spike_added_and_deleted_leaves_the_train(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "re-estimate 1 keep");
  assert_int_equal(edit(&s, "add 1 3.03").after[0].n_spikes,
                   emg_spikes_count(&before.spikes, 1) + 1);
  edit(&s, "delete 1 3.03");
  assert_same_train(&s.d.spikes, 1, &before.spikes, 1);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void what_is_split_is_merged_to_the_same_train(void **state) {
  (void)state;
  const char *const splits[] = {"split 1 merge 1 4", "split 3 merge 4 3", "split 0 at 3 merge 0 4"};
  const int units[] = {1, 3, 0};
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  for (int i = 0; i < 3; i++) {
    edit(&s, splits[i]);
    assert_int_equal(s.d.spikes.n_units, N_UNITS);
    assert_same_train(&s.d.spikes, units[i], &before.spikes, units[i]);
  }
  emg_decomposition_free(&before);
  free_subject(&s);
}

// Two units taken for one are told apart by the shapes of their action potentials.
static void two_units_that_were_merged_are_split_again(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "merge 0 2 split 0");
  // discharges of both within 2 ms are one in the merged train, and cannot be told apart again
  bool is_first = agreement(&s.d.spikes, 0, &before.spikes, 0) > 0.5;
  assert_true(agreement(&s.d.spikes, 0, &before.spikes, is_first ? 0 : 2) > 0.9);
  assert_true(agreement(&s.d.spikes, 3, &before.spikes, is_first ? 2 : 0) > 0.9);
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void merging_is_symmetric(void **state) {
  (void)state;
  subject s = make_subject(), t = make_subject();

  edit(&s, "merge 1 3");
  edit(&t, "merge 3 1");
  assert_same(&s.d, &t.d);
  free_subject(&s);
  free_subject(&t);
}

// Trains are the same; a source is seen beside the other unit before or after its edit, which
// moves its figures a little.
static void the_order_of_edits_of_different_units_does_not_matter(void **state) {
  (void)state;
  subject s = make_flawed_subject(), t = make_flawed_subject();

  edit(&s, "delete 3 2..3 remove-outliers 0 re-estimate 1");
  edit(&t, "re-estimate 1 remove-outliers 0 delete 3 2..3");
  for (int u = 0; u < N_UNITS; u++) {
    assert_true(agreement(&s.d.spikes, u, &t.d.spikes, u) > 0.98);
    assert_true(fabs(s.d.sil[u] - t.d.sil[u]) < 0.03);
  }
  assert_same_train(&s.d.spikes, 0, &t.d.spikes, 0);
  assert_same_train(&s.d.spikes, 3, &t.d.spikes, 3);
  free_subject(&s);
  free_subject(&t);
}

static void a_locked_unit_never_changes(void **state) {
  (void)state;
  subject s = make_flawed_subject();
  const char *const refused[] = {"delete 1 2..3",   "add 1 2..5",        "merge 0 1",
                                 "merge 1 2",       "split 1",           "split 1 at 4",
                                 "delete-unit 1",   "remove-outliers 1", "re-estimate 1",
                                 "re-estimate 0,1", "re-estimate 1 keep"};

  edit(&s, "re-estimate 1 keep lock 1");
  emg_decomposition before = copy_of(&s.d);
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    emg_edit_change change;
    emg_error err = {0};
    if (i != 9) {  // which reaches the one that is not locked first
      assert_int_equal(try_edit(&s, refused[i], &change, &err), EMG_ERR_ARG);
      assert_non_null(strstr(emg_error_message(&err), "unit 1 is locked; unlock it first"));
      assert_same(&s.d, &before);
    }
  }
  edit(&s, "re-estimate all split 2 merge 2 3 remove-outliers all delete-unit 0");
  assert_same_unit(&s.d, 0, &before, 1);
  edit(&s, "unlock 0 delete 0 2..3");
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void a_perfect_train_is_found_again(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "re-estimate all");
  for (int u = 0; u < N_UNITS; u++) {
    assert_true(agreement(&s.d.spikes, u, &before.spikes, u) >= 0.99);
    assert_true(s.d.sil[u] > 0.9);
    assert_int_equal(s.d.flags[u], EMG_UNIT_EDITED);  // and nothing to look at
  }
  emg_decomposition_free(&before);
  free_subject(&s);
}

static void a_fifth_of_the_spikes_deleted_is_found_again(void **state) {
  (void)state;
  for (int unit = 0; unit < N_UNITS; unit++) {
    subject s = make_subject();
    emg_decomposition before = copy_of(&s.d);
    char text[40];

    drop_spikes(&s, unit, 5);
    assert_true(agreement(&s.d.spikes, unit, &before.spikes, unit) < 0.82);
    snprintf(text, sizeof text, "re-estimate %d", unit);
    edit(&s, text);
    assert_true(agreement(&s.d.spikes, unit, &before.spikes, unit) >= 0.95);
    emg_decomposition_free(&before);
    free_subject(&s);
  }
}

static void a_range_is_found_again_from_its_own_spikes(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);
  const int64_t begin = 2 * 2048, end = 6 * 2048;

  drop_spikes(&s, 2, 5);
  emg_decomposition flawed = copy_of(&s.d);
  edit(&s, "re-estimate 2 2..6");
  int64_t n_found = 0, n_true = 0;
  for (int64_t i = 0; i < emg_spikes_count(&s.d.spikes, 2); i++) {
    int64_t at = emg_spikes_of(&s.d.spikes, 2)[i];
    n_found += at >= begin && at < end;
  }
  for (int64_t i = 0; i < emg_spikes_count(&before.spikes, 2); i++) {
    int64_t at = emg_spikes_of(&before.spikes, 2)[i];
    n_true += at >= begin && at < end;
  }
  assert_true(llabs(n_found - n_true) <= 1);
  // outside, what was there
  int64_t n = emg_spikes_count(&flawed.spikes, 2), n_now = emg_spikes_count(&s.d.spikes, 2);
  for (int64_t i = 0; i < n && emg_spikes_of(&flawed.spikes, 2)[i] < begin; i++) {
    assert_int_equal(emg_spikes_of(&s.d.spikes, 2)[i], emg_spikes_of(&flawed.spikes, 2)[i]);
  }
  for (int64_t i = 1; i <= n && emg_spikes_of(&flawed.spikes, 2)[n - i] >= end; i++) {
    assert_int_equal(emg_spikes_of(&s.d.spikes, 2)[n_now - i],
                     emg_spikes_of(&flawed.spikes, 2)[n - i]);
  }
  emg_decomposition_free(&before);
  emg_decomposition_free(&flawed);
  free_subject(&s);
}

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  const char *const session =
      "re-estimate 1 split 2 merge 0 4 remove-outliers 0 "
      "delete 3 2..3 add 3 2..3 0.5..";
  subject first = make_flawed_subject();

  omp_set_num_threads(1);
  edit(&first, session);
  for (int n = 2; n <= 4; n += 2) {
    subject other = make_flawed_subject();
    omp_set_num_threads(n);
    edit(&other, session);
    assert_same(&other.d, &first.d);
    free_subject(&other);
  }
  omp_set_num_threads(1);
  free_subject(&first);
}

int main(void) {
  omp_set_num_threads(1);  // for so small a recording
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(undoing_an_operation_gives_every_bit_back),
      cmocka_unit_test(a_whole_session_is_undone_and_done_again),
      cmocka_unit_test(all_units_may_be_deleted_and_come_back),
      cmocka_unit_test(a_spike_deleted_and_added_again_is_the_same_spike),
      cmocka_unit_test(a_spike_added_and_deleted_leaves_the_train),
      cmocka_unit_test(what_is_split_is_merged_to_the_same_train),
      cmocka_unit_test(two_units_that_were_merged_are_split_again),
      cmocka_unit_test(merging_is_symmetric),
      cmocka_unit_test(the_order_of_edits_of_different_units_does_not_matter),
      cmocka_unit_test(a_locked_unit_never_changes),
      cmocka_unit_test(a_perfect_train_is_found_again),
      cmocka_unit_test(a_fifth_of_the_spikes_deleted_is_found_again),
      cmocka_unit_test(a_range_is_found_again_from_its_own_spikes),
      cmocka_unit_test(threads_do_not_change_a_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
