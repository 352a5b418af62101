// test_edf.c -- EDF and BDF: files of an independent writer come back, broken ones are refused
#include <math.h>

#include <edflib.h>

#include "../file_fixture.h"

enum { N_SECONDS = 3, RATE = 100 };

// Three EMG signals in uV, mV and V, a force and a slow temperature, written by EDFlib.
static void write_with_edflib(const char *path, int type, double top) {
  static const char *const labels[] = {"EMG1", "EMG2", "EMG3", "Force", "Slow"};
  static const char *const units[] = {"uV", "mV", "V", "N", "uV"};
  static const double scale[] = {1, 1e-3, 1e-6, 1, 1};
  int file = edfopen_file_writeonly(path, type, 5);
  bool is_bdf = type == EDFLIB_FILETYPE_BDFPLUS;
  double samples[RATE];

  assert_true(file >= 0);
  for (int s = 0; s < 5; s++) {
    assert_int_equal(edf_set_samplefrequency(file, s, s == 4 ? 10 : RATE), 0);
    assert_int_equal(edf_set_physical_maximum(file, s, top * scale[s]), 0);
    assert_int_equal(edf_set_physical_minimum(file, s, -top * scale[s]), 0);
    assert_int_equal(edf_set_digital_maximum(file, s, is_bdf ? 8388607 : 32767), 0);
    assert_int_equal(edf_set_digital_minimum(file, s, is_bdf ? -8388608 : -32768), 0);
    assert_int_equal(edf_set_label(file, s, labels[s]), 0);
    assert_int_equal(edf_set_physical_dimension(file, s, units[s]), 0);
  }
  for (int second = 0; second < N_SECONDS; second++) {
    for (int s = 0; s < 5; s++) {
      for (int i = 0; i < RATE; i++) {
        samples[i] = 0.9 * top * scale[s] * sin(0.1 * (second * RATE + i) + s);
      }
      assert_int_equal(edfwrite_physical_samples(file, samples), 0);
    }
  }
  assert_int_equal(edfwrite_annotation_latin1(file, 5000, -1, "spike"), 0);
  assert_int_equal(edfclose_file(file), 0);
}

static void check_edflib_file(int type, const char *format, double n_levels) {
  const double top = 5000;
  write_with_edflib(fixture_path("lib.xyz"), type, top);
  emg_recording rec = read_or_die(fixture_path("lib.xyz"), NULL);

  assert_string_equal(rec.format, format);
  assert_int_equal(rec.data.n_rows, 3);  // the slow signal is no EMG at the common rate
  assert_int_equal(rec.data.n_cols, N_SECONDS * RATE);
  assert_true(rec.rate_hz == RATE && rec.is_physical);
  assert_string_equal(rec.channels[2].name, "EMG3");
  assert_string_equal(rec.source_units, "uV");
  for (int s = 0; s < 3; s++) {
    for (int i = 0; i < N_SECONDS * RATE; i++) {
      // one step, as EDFlib truncates, and the rounding of the header's limits in V to 8 characters
      double expected = 0.9 * top * sin(0.1 * i + s);
      assert_true(fabs(emg_row2f(&rec.data, s)[i] - expected) <= 2 * top / n_levels + 1e-3);
    }
  }
  assert_int_equal(rec.aux.n_rows, 2);
  assert_string_equal(rec.aux_channels[0].name, "Force");
  assert_string_equal(rec.aux_channels[0].units, "N");
  assert_string_equal(rec.aux_channels[1].name, "Slow");
  // held at the rate of the EMG
  assert_true(emg_row2f(&rec.aux, 1)[10] == emg_row2f(&rec.aux, 1)[19]);
  assert_true(has_note(&rec, "another rate"));
  emg_recording_free(&rec);
}

static void files_of_edflib_come_back(void **state) {
  (void)state;
  check_edflib_file(EDFLIB_FILETYPE_EDFPLUS, "EDF+C", 65535);
  check_edflib_file(EDFLIB_FILETYPE_BDFPLUS, "BDF+C", 16777215);
}

// The seed of the fuzz target, 2 EMG signals and a force at 4, 4 and 1 Hz, 2 records of 1 s.
static char *seed(const char *name, size_t *n) {
  char path[256];
  snprintf(path, sizeof path, EMG_SOURCE "/tests/fuzz/corpus/edf/%s", name);
  return fixture_slurp(path, n);
}

// Refuse the seed with a field replaced.
static void refuse_edited(size_t at, size_t width, const char *text, const char *fragment) {
  size_t n;
  char *bytes = seed("plain.edf", &n);
  memset(bytes + at, ' ', width);
  memcpy(bytes + at, text, strlen(text));
  refuse(fixture_write("edited.edf", bytes, n), fragment);
  free(bytes);
}

// Offsets of the fields of signal 0 of 3.
enum {
  LABEL = 256,
  UNIT = LABEL + 3 * 96,
  PHYSICAL_MIN = UNIT + 3 * 8,
  PHYSICAL_MAX = PHYSICAL_MIN + 3 * 8,
  DIGITAL_MIN = PHYSICAL_MAX + 3 * 8,
  DIGITAL_MAX = DIGITAL_MIN + 3 * 8,
  SAMPLES = DIGITAL_MAX + 3 * 88
};

static void damaged_headers_are_refused_with_their_field(void **state) {
  (void)state;
  refuse_edited(252, 4, "0", "0 signals");
  refuse_edited(252, 4, "x", "number of signals is 'x'");
  refuse_edited(252, 4, "-3", "number of signals is -3");
  refuse_edited(252, 4, "9999", "9999 signals make 2560000");
  refuse_edited(184, 8, "512", "header says it is 512 bytes");
  refuse_edited(236, 8, "1e999", "not a number");
  refuse_edited(236, 8, "2.5", "number of data records is 2.5");
  refuse_edited(236, 8, "99999999", "promises 99999999 data records");
  refuse_edited(244, 8, "nan", "duration of a data record is 'nan'");
  refuse_edited(244, 8, "-1", "lasts -1 s");
  refuse_edited(PHYSICAL_MAX, 8, "1,5", "physical maximum of signal 1 (EMG1)");
  refuse_edited(DIGITAL_MAX, 8, "-40000", "digital range");
  refuse_edited(SAMPLES, 8, "99999999", "promises 2 data records");
  refuse_edited(SAMPLES, 8, "-1", "samples per record");
  refuse_edited(244, 8, "0", "--rate");
}

static void refuse_one(const char *name, size_t n, const char *fragment) {
  size_t all;
  char *bytes = seed(name, &all);
  refuse(fixture_write("cut.edf", bytes, n), fragment);
  free(bytes);
}

static void a_file_that_was_cut_is_refused_wherever(void **state) {
  (void)state;
  size_t all;
  free(seed("plain.edf", &all));
  refuse_one("plain.edf", 100, "ends inside its EDF header");
  refuse_one("plain.edf", 700, "ends inside its EDF header");
  refuse_one("plain.edf", 1024, "promises 2 data records of 18 bytes, the file holds 0");
  refuse_one("plain.edf", all - 1, "promises 2 data records of 18 bytes, the file holds 1");
}

static void a_file_without_records_has_0_samples(void **state) {
  (void)state;
  refuse_edited(236, 8, "0", "0 samples");
}

static void records_are_counted_where_the_header_does_not_know(void **state) {
  (void)state;
  size_t n;
  char *bytes = seed("unknown_length.edf", &n);
  emg_recording rec = read_or_die(fixture_write("unknown.edf", bytes, n), NULL);
  assert_int_equal(rec.data.n_cols, 4);
  // no unit: counts
  assert_false(rec.is_physical);
  assert_true(has_note(&rec, "raw counts"));
  emg_recording_free(&rec);
  rec = read_or_die(fixture_path("unknown.edf"), &(emg_read_options){.scale_uv = 2});
  assert_true(rec.is_physical);
  assert_true(emg_row2f(&rec.data, 0)[1] == 2 * (14 + 256 * 21));
  emg_recording_free(&rec);
  free(bytes);
}

static void a_range_of_nothing_gives_counts(void **state) {
  (void)state;
  size_t n;
  char *bytes = seed("plain.edf", &n);
  memcpy(bytes + PHYSICAL_MIN, "100     ", 8);
  emg_recording rec = read_or_die(fixture_write("flat.edf", bytes, n), NULL);
  assert_false(rec.is_physical);
  emg_recording_free(&rec);
  free(bytes);
}

static void one_channel_is_enough(void **state) {
  (void)state;
  size_t n;
  char *bytes = seed("plain.edf", &n);
  memcpy(bytes + LABEL + 16, "Trigger", 7);  // the second EMG signal
  emg_recording rec = read_or_die(fixture_write("one.edf", bytes, n), NULL);
  assert_int_equal(rec.data.n_rows, 1);
  assert_int_equal(rec.aux.n_rows, 2);
  emg_recording_free(&rec);
  memcpy(bytes + LABEL, "Torque", 6);
  refuse(fixture_write("none.edf", bytes, n), "holds no EMG; it holds Torque, Trigger, Force");
  free(bytes);
}

static void gaps_of_a_discontinuous_file_are_noted(void **state) {
  (void)state;
  size_t n;
  char *bytes = seed("plus.edf", &n);
  char *second = memmem(bytes, n, "+1\x14\x14", 4);
  second[1] = '7';
  emg_recording rec = read_or_die(fixture_write("gap.edf", bytes, n), NULL);
  assert_string_equal(rec.format, "EDF+D");
  assert_true(has_note(&rec, "1 gaps"));
  emg_recording_free(&rec);
  free(bytes);
}

static void the_rate_given_must_agree(void **state) {
  (void)state;
  size_t n;
  char *bytes = seed("plain.edf", &n);
  const char *path = fixture_write("rate.edf", bytes, n);
  refuse_with(path, &(emg_read_options){.rate_hz = 5}, EMG_ERR_ARG, "the file says 4 Hz");
  emg_recording rec = read_or_die(path, &(emg_read_options){.rate_hz = 4});
  emg_recording_free(&rec);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_of_edflib_come_back),
      cmocka_unit_test(damaged_headers_are_refused_with_their_field),
      cmocka_unit_test(a_file_that_was_cut_is_refused_wherever),
      cmocka_unit_test(a_file_without_records_has_0_samples),
      cmocka_unit_test(records_are_counted_where_the_header_does_not_know),
      cmocka_unit_test(a_range_of_nothing_gives_counts),
      cmocka_unit_test(one_channel_is_enough),
      cmocka_unit_test(gaps_of_a_discontinuous_file_are_noted),
      cmocka_unit_test(the_rate_given_must_agree),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
