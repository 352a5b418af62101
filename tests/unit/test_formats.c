// test_formats.c -- formats are told from content; units, labels, digests
#include <sys/stat.h>

#include "../file_fixture.h"
#include "base/formats.h"

static const char *format_name(const char *path) {
  const emg_format *format;
  return emg_format_of(path, &format, NULL) == EMG_OK ? format->name : "none";
}

// Copy a seed under a name that lies.
static const char *copy_as(const char *seed, const char *name) {
  char path[256];
  size_t n;
  snprintf(path, sizeof path, EMG_SOURCE "/tests/fuzz/corpus/%s", seed);
  char *bytes = fixture_slurp(path, &n);
  const char *copy = fixture_write(name, bytes, n);
  free(bytes);
  return copy;
}

static void names_do_not_matter(void **state) {
  (void)state;
  assert_string_equal(format_name(copy_as("native/new.h5", "a.mat")), "emgtwin");
  assert_string_equal(format_name(copy_as("edf/plain.edf", "a.h5")), "EDF");
  assert_string_equal(format_name(copy_as("edf/bdf.bdf", "a.edf")), "EDF");
  assert_string_equal(format_name(copy_as("mat/demuse.mat", "a.tsv")), "MATLAB 5");
  assert_string_equal(format_name(copy_as("mat/swapped.mat", "a")), "MATLAB 5");
  assert_string_equal(format_name(copy_as("mat/muedit73.mat", "a.h5")), "MATLAB 7.3");
  assert_string_equal(format_name(copy_as("edf/plain.edf", "x_emg.edf")), "EDF");  // no sidecars
  assert_string_equal(format_name(fixture_folder), "BIDS-EMG");
}

static void what_is_no_recording_says_so(void **state) {
  (void)state;
  refuse(fixture_write("empty", "", 0), "the file is empty");
  refuse(fixture_write("text", "hello, world\n", 13), "no known format; known are emgtwin");
  refuse(fixture_write("garbage.h5", "\211HDF\r\n\032\nxxxxxxxxxxxxxxxxxxxxxxxx", 32),
         "not a readable HDF5 file");
  refuse(fixture_write("garbage.mat", "MATLAB 7.3 MAT-file and nothing else", 36),
         "not a readable HDF5 file");
  refuse_with("/no/such/file", NULL, EMG_ERR_IO, "/no/such/file");
  refuse_with("/dev/null", NULL, EMG_ERR_IO, "neither a file nor a folder");
  emg_recording rec;
  emg_error err;
  assert_int_equal(emg_recording_read(fixture_path("text"), NULL, &rec, &err), EMG_ERR_DATA);
  assert_string_equal(err.items[0].file, fixture_path("text"));
}

static void every_format_has_a_row(void **state) {
  (void)state;
  int n;
  const emg_format *formats = emg_formats(&n);
  assert_true(n >= 6);
  for (int i = 0; i < n; i++) {
    assert_non_null(formats[i].name);
    assert_true(strlen(formats[i].doc) > 10);
    assert_non_null(formats[i].probe);
    assert_non_null(formats[i].read);
  }
}

static void units_of_voltage_are_known(void **state) {
  (void)state;
  assert_true(emg_uv_per_unit("uV") == 1);
  assert_true(emg_uv_per_unit("\xc2\xb5V") == 1);  // micro sign
  assert_true(emg_uv_per_unit("\xce\xbcV") == 1);  // Greek mu
  assert_true(emg_uv_per_unit("mV") == 1e3);
  assert_true(emg_uv_per_unit("V") == 1e6);
  assert_true(emg_uv_per_unit("N") == 0 && emg_uv_per_unit("") == 0);
}

static void check_label(const char *from, size_t size, const char *expected) {
  char to[32];
  emg_label_copy(to, size, from, strlen(from));
  assert_string_equal(to, expected);
}

static void labels_are_safe_to_show(void **state) {
  (void)state;
  check_label("  EMG 1  ", 32, "EMG 1");
  check_label("a\033[31mb\n", 32, "a?[31mb?");
  check_label("\xb5V", 32, "\xc2\xb5V");      // Latin-1
  check_label("\xc2\xb5V", 32, "\xc2\xb5V");  // UTF-8
  check_label("\x80\xff", 32, "?\xc3\xbf");
  check_label("abc\xc2\xb5", 5, "abc");  // no half characters
  check_label("abcdef", 4, "abc");
  check_label("", 4, "");
}

static void rates_are_settled(void **state) {
  (void)state;
  const emg_read_options given = {.rate_hz = 2000};
  double rate_hz;
  assert_int_equal(emg_settle_rate(2048, NULL, &rate_hz, NULL), EMG_OK);
  assert_true(rate_hz == 2048);
  assert_int_equal(emg_settle_rate(0, &given, &rate_hz, NULL), EMG_OK);
  assert_true(rate_hz == 2000);
  assert_int_equal(emg_settle_rate(0, NULL, &rate_hz, NULL), EMG_ERR_DATA);
  const emg_read_options either = {.allow_no_rate = true};
  assert_int_equal(emg_settle_rate(0, &either, &rate_hz, NULL), EMG_OK);
  assert_true(rate_hz == 0);
  assert_int_equal(emg_settle_rate(2048, &given, &rate_hz, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_settle_rate(-1, NULL, &rate_hz, NULL), EMG_ERR_DATA);
}

static void grids_come_from_positions(void **state) {
  (void)state;
  emg_recording rec;
  assert_int_equal(emg_recording_create(7, 1, 1, &rec, NULL), EMG_OK);
  for (int c = 0; c < 5; c++) {  // 3 x 2 less one corner
    rec.channels[c].x_mm = 4 * (c % 2);
    rec.channels[c].y_mm = 10 * (c / 2);
    rec.channels[c].z_mm = 0;
  }
  snprintf(rec.channels[5].group, sizeof rec.channels[5].group, "needle");
  rec.channels[5].x_mm = rec.channels[5].y_mm = 1;
  assert_int_equal(emg_grid_from_positions(&rec, NULL), EMG_OK);
  assert_int_equal(rec.channels[4].row, 2);
  assert_int_equal(rec.channels[3].column, 1);
  assert_int_equal(rec.channels[5].row, -1);  // alone in its group
  assert_int_equal(rec.channels[6].row, -1);  // no position
  assert_true(rec.pitch_mm == 10);            // along a column
  emg_recording_free(&rec);
}

static void a_folder_has_the_digest_of_its_recording(void **state) {
  (void)state;
  char of_folder[65], of_file[65];
  assert_int_equal(emg_file_sha256(EMG_SOURCE "/tests/data/emg_TwoHDsEMG", of_folder, NULL),
                   EMG_OK);
  assert_int_equal(emg_file_sha256(EMG_SOURCE "/tests/data/emg_TwoHDsEMG/sub-01/emg/"
                                              "sub-01_task-isometric_emg.edf",
                                   of_file, NULL),
                   EMG_OK);
  assert_string_equal(of_folder, of_file);
  assert_int_equal(emg_file_sha256("/no/such/file", of_file, NULL), EMG_ERR_IO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_do_not_matter),
      cmocka_unit_test(what_is_no_recording_says_so),
      cmocka_unit_test(every_format_has_a_row),
      cmocka_unit_test(units_of_voltage_are_known),
      cmocka_unit_test(labels_are_safe_to_show),
      cmocka_unit_test(rates_are_settled),
      cmocka_unit_test(grids_come_from_positions),
      cmocka_unit_test(a_folder_has_the_digest_of_its_recording),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
