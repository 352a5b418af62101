// test_edit_log.c -- the log of edits in a file: written and read back, and refused if it is not
// sound
#include "../edit_fixture.h"

#include <omp.h>

#include <hdf5.h>

#include "../file_fixture.h"

static void write_or_die(const char *path, const emg_decomposition *d) {
  const emg_file_contents contents = {.decomposition = d, .compress = true};
  emg_error err = {0};

  if (emg_file_write(path, &contents, true, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

static emg_decomposition read_back(const char *path) {
  emg_decomposition d;
  emg_error err = {0};

  if (emg_file_read_decomposition(path, &d, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return d;
}

// Through a file and back.
static void pass_through_file(subject *s) {
  write_or_die(fixture_path("d.h5"), &s->d);
  emg_decomposition back = read_back(fixture_path("d.h5"));
  emg_decomposition_free(&s->d);
  s->d = back;
}

static void the_log_comes_back_with_what_it_keeps(void **state) {
  (void)state;
  const char *const session[] = {"split 1 at 3", "delete 0 2..3", "lock 3",       "merge 0 2",
                                 "unlock all",   "undo",          "delete-unit 1"};
  enum { N = sizeof session / sizeof session[0] };
  subject s = make_subject(), t = make_subject();

  measure(&s);
  emg_decomposition before = copy_of(&s.d);
  measure(&t);
  for (int i = 0; i < N; i++) {
    edit(&s, session[i]);
    edit(&t, session[i]);
    pass_through_file(&s);
    assert_same(&s.d, &t.d);
    assert_int_equal(s.d.edits.n_steps, t.d.edits.n_steps);
    assert_int_equal(s.d.edits.n_done, t.d.edits.n_done);
    for (int k = 0; k < s.d.edits.n_steps; k++) {
      assert_string_equal(s.d.edits.steps[k].text, t.d.edits.steps[k].text);
    }
  }
  while (s.d.edits.n_done > 0) {
    edit(&s, "undo");
    pass_through_file(&s);
  }
  assert_same(&s.d, &before);
  edit(&s, "redo 5");
  assert_same(&s.d, &t.d);
  emg_decomposition_free(&before);
  free_subject(&s);
  free_subject(&t);
}

static void a_file_of_no_units_gets_them_back(void **state) {
  (void)state;
  subject s = make_subject();
  emg_decomposition before = copy_of(&s.d);

  edit(&s, "delete-unit 0,1,2,3");
  pass_through_file(&s);
  assert_int_equal(s.d.spikes.n_units, 0);
  edit(&s, "undo 4");
  pass_through_file(&s);
  assert_same(&s.d, &before);
  emg_decomposition_free(&before);
  free_subject(&s);
}

// --- logs that nobody should have written ---

static void write_numbers(hid_t file, const char *path, hid_t type, hsize_t n, const void *values) {
  H5Ldelete(file, path, H5P_DEFAULT);
  hid_t space = H5Screate_simple(1, &n, NULL);
  hid_t data = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(data);
  H5Sclose(space);
}

static void write_text(hid_t file, const char *path, const char *text, size_t n) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, n);
  H5Ldelete(file, path, H5P_DEFAULT);
  hid_t data = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
  H5Dclose(data);
  H5Tclose(type);
  H5Sclose(space);
}

// A sound file of three edits (two units replaced by one, one by two, one by none), opened to be
// spoiled.
static hid_t open_sound(void) {
  static char *bytes;
  static size_t n;

  if (!bytes) {
    subject s = make_subject();
    emg_array2f_free(&s.d.source);
    edit(&s, "merge 0 2 split 1 at 3 delete-unit 0 undo");
    write_or_die(fixture_path("sound.h5"), &s.d);
    bytes = fixture_slurp(fixture_path("sound.h5"), &n);
    free_subject(&s);
  }
  hid_t file = H5Fopen(fixture_write("h.h5", bytes, n), H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(file >= 0);
  return file;
}

static void close_refused(hid_t file, const char *fragment) {
  emg_decomposition d;
  emg_error err = {0};

  H5Fclose(file);
  if (emg_file_read_decomposition(fixture_path("h.h5"), &d, &err) != EMG_ERR_DATA ||
      !strstr(emg_error_message(&err), fragment)) {
    fail_msg("'%s', not '%s'", emg_error_message(&err), fragment);
  }
  assert_null(d.spikes.samples);
  assert_null(d.edits.steps);
}

static void a_sound_log_is_read(void **state) {
  (void)state;
  hid_t file = open_sound();
  H5Fclose(file);
  emg_decomposition d = read_back(fixture_path("h.h5"));
  assert_int_equal(d.edits.n_steps, 3);
  assert_int_equal(d.edits.n_done, 2);
  assert_int_equal(d.spikes.n_units, 4);
  emg_decomposition_free(&d);
}

static void numbers_of_units_that_are_not_there_are_refused(void **state) {
  (void)state;
  const int32_t wrong[][4] = {
      {0, 9, 1, 0}, {-1, 2, 1, 0}, {2, 0, 1, 0}, {0, 0, 1, 0}, {0, 2, 1, 7}};
  for (int i = 0; i < 5; i++) {
    hid_t file = open_sound();
    write_numbers(file, "edit/before", H5T_NATIVE_INT32, 4, wrong[i]);
    close_refused(file, "replaces units that are not there");
  }
  const int32_t after[] = {0, 1, 12};
  hid_t file = open_sound();
  write_numbers(file, "edit/after", H5T_NATIVE_INT32, 3, after);
  close_refused(file, "replaces units that are not there");
}

static void offsets_that_lead_astray_are_refused(void **state) {
  (void)state;
  const int64_t wrong[][4] = {{0, 3, 3, 4}, {0, -1, 3, 4}, {1, 2, 3, 4},
                              {0, 2, 3, 5}, {0, 4, 3, 4},  {0, INT64_MIN, INT64_MAX, 4}};
  for (int i = 0; i < 6; i++) {
    hid_t file = open_sound();
    write_numbers(file, "edit/before_offsets", H5T_NATIVE_INT64, 4, wrong[i]);
    close_refused(file, "the log of edits is damaged");
  }
  hid_t file = open_sound();
  write_numbers(file, "edit/before_offsets", H5T_NATIVE_INT64, 3, wrong[0]);
  close_refused(file, "edit/before_offsets");
  file = open_sound();
  H5Ldelete(file, "edit/after", H5P_DEFAULT);
  close_refused(file, "edit/after");
}

static void lines_that_are_no_text_or_too_many_are_refused(void **state) {
  (void)state;
  hid_t file = open_sound();
  write_text(file, "edit/log", "one\ntwo \033[2J\nthree\n", 20);
  close_refused(file, "line 2 of /edit/log is not plain text");
  file = open_sound();
  write_text(file, "edit/log", "one\ntwo\nthree\nfour\n", 19);
  close_refused(file, "edit/before_offsets");
  file = open_sound();
  write_text(file, "edit/log", "one\ntwo\n", 8);
  close_refused(file, "edit/before_offsets");
  const size_t n = (size_t)3 << 20;
  char *many = malloc(n);
  memset(many, '\n', n);
  file = open_sound();
  write_text(file, "edit/log", many, n);
  close_refused(file, "/edit/log has more than");
  free(many);
}

static void counts_that_cannot_be_are_refused(void **state) {
  (void)state;
  const double wrong[] = {-1, 4, NAN, 1e300};
  for (int i = 0; i < 4; i++) {
    hid_t file = open_sound();
    write_numbers(file, "edit/done", H5T_NATIVE_DOUBLE, 1, &wrong[i]);
    close_refused(file, "edit/done");
  }
  // fewer done than the units that are kept belong to
  const double one = 1;
  hid_t file = open_sound();
  write_numbers(file, "edit/done", H5T_NATIVE_DOUBLE, 1, &one);
  close_refused(file, "the log of edits is damaged");
}

static void units_that_do_not_suit_the_others_are_refused(void **state) {
  (void)state;
  const char *const needed[] = {"edit/units/flags", "edit/units/locked", "edit/units/spike_offsets",
                                "edit/units/spike_samples", "edit/units"};
  for (int i = 0; i < 5; i++) {
    hid_t file = open_sound();
    H5Ldelete(file, needed[i], H5P_DEFAULT);
    close_refused(file, i < 2 ? "does not suit /edit/log" : "edit/units/spike_");
  }
  hid_t file = open_sound();
  const int64_t few[] = {0, 1};
  write_numbers(file, "edit/units/spike_offsets", H5T_NATIVE_INT64, 2, few);
  close_refused(file, "edit/units");
  // what one has and the other has not
  const char *const parts[] = {"edit/units/muap", "units/muap", "edit/units/detectability"};
  for (int i = 0; i < 3; i++) {
    file = open_sound();
    H5Ldelete(file, parts[i], H5P_DEFAULT);
    close_refused(file, "does not suit /edit/log");
  }
}

int main(void) {
  omp_set_num_threads(1);  // for so small a recording
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_log_comes_back_with_what_it_keeps),
      cmocka_unit_test(a_file_of_no_units_gets_them_back),
      cmocka_unit_test(a_sound_log_is_read),
      cmocka_unit_test(numbers_of_units_that_are_not_there_are_refused),
      cmocka_unit_test(offsets_that_lead_astray_are_refused),
      cmocka_unit_test(lines_that_are_no_text_or_too_many_are_refused),
      cmocka_unit_test(counts_that_cannot_be_are_refused),
      cmocka_unit_test(units_that_do_not_suit_the_others_are_refused),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
