// test_bids.c -- EMG-BIDS: sidecars, inheritance, labels in derivatives
#include <math.h>
#include <sys/stat.h>

#include "../file_fixture.h"

static const char example[] = EMG_SOURCE "/tests/data/emg_TwoHDsEMG";

static void check_example(const char *path) {
  emg_recording rec = read_or_die(path, NULL);

  assert_string_equal(rec.format, "BIDS-EMG");
  assert_int_equal(rec.data.n_rows, 128);
  assert_int_equal(rec.data.n_cols, 1000);
  assert_true(rec.rate_hz == 2000);  // inherited from the root of the data set
  assert_true(rec.pitch_mm == 8);
  // the second grid uses the names of the first, and goes up and down as it is numbered
  assert_string_equal(rec.channels[64].group, "Grid2");
  assert_int_equal(rec.channels[64].row, 0);
  assert_int_equal(rec.channels[8].row, 7);
  assert_int_equal(rec.channels[8].column, 1);
  assert_true(rec.channels[127].x_mm == 56 && rec.channels[127].y_mm == 0);
  assert_true(has_note(&rec, "channels.tsv says V for 128 channels, the signal header uV"));
  assert_true(has_note(&rec, "RecordingDuration 1 s, the signal file holds 0.5 s"));
  // first counts of the file times the range of its header
  assert_true(fabs(emg_row2f(&rec.data, 0)[1] - 0.0111989) < 1e-6);
  emg_recording_free(&rec);
}

static void a_real_folder_is_read_from_any_level(void **state) {
  (void)state;
  char path[400];
  check_example(example);
  snprintf(path, sizeof path, "%s/sub-01", example);
  check_example(path);
  snprintf(path, sizeof path, "%s/sub-01/emg/", example);
  check_example(path);
  snprintf(path, sizeof path, "%s/sub-01/emg/sub-01_task-isometric_emg.edf", example);
  check_example(path);
}

// A data set with one recording of two EMG channels and a torque, from the seeds of the fuzz
// target.
static void make_data_set(void) {
  static const char *const folders[] = {
      "sub-1",         "sub-1/emg",           "derivatives",
      "derivatives/d", "derivatives/d/sub-1", "derivatives/d/sub-1/emg"};
  size_t n;
  char *bytes = fixture_slurp(EMG_SOURCE "/tests/fuzz/corpus/edf/plain.edf", &n);

  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    mkdir(fixture_path(folders[i]), 0777);
  }
  fixture_write("sub-1/emg/sub-1_task-t_emg.edf", bytes, n);
  free(bytes);
}

static void put(const char *name, const char *text) {
  fixture_write(name, text, strlen(text));
}

static const char channels[] =
    "name\ttype\tunits\tstatus\tsignal_electrode\tgroup\n"
    "EMG1\tEMG\tuV\tgood\tA\tg\nEMG2\tEMG\tmV\tbad\tB\tg\nForce\tMISC\tN\tn/a\tn/a\tn/a\n";

static void put_sidecars(void) {
  put("dataset_description.json", "{\"Name\": \"x\"}");
  put("task-t_emg.json", "{\"SamplingFrequency\": 9}");
  put("sub-1/emg/sub-1_task-t_emg.json",
      "{\"a\": {\"SamplingFrequency\": 7}, "
      "\"SamplingFrequency\": 4}");
  put("sub-1/emg/sub-1_task-t_channels.tsv", channels);
  put("sub-1/emg/sub-1_electrodes.tsv",
      "name\tx\ty\tz\tcoordinate_system\nA\t0\t0\t0\tg\nB\t0.5\t0\tn/a\tg\n");
  put("sub-1/emg/sub-1_space-g_coordsystem.json", "{\"EMGCoordinateUnits\": \"cm\"}");
  put("derivatives/d/sub-1/emg/sub-1_task-t_desc-x_events.tsv",
      "onset\tduration\tsample\tunit_id\tevent_type\n1.0\t0\t4\t10\tmotor-unit-spike\n"
      "0.25\t0\t1\t2\tmotor-unit-spike\n0.5\t0\t2\t10\tmotor-unit-spike\n"
      "0.7\t0\tn/a\t2\tmotor-unit-spike\n0\t1\t0\tn/a\trest\n");
}

static void sidecars_describe_the_channels(void **state) {
  (void)state;
  make_data_set();
  put_sidecars();
  emg_recording rec = read_or_die(fixture_folder, NULL);

  assert_true(rec.rate_hz == 4);  // the nearest sidecar, its outermost object
  assert_int_equal(rec.channels[0].state, EMG_CHANNEL_GOOD);
  assert_int_equal(rec.channels[1].state, EMG_CHANNEL_MARKED);
  assert_true(rec.channels[1].x_mm == 5 && isnan(rec.channels[1].z_mm));
  assert_true(rec.pitch_mm == 5);
  assert_int_equal(rec.channels[1].column, 1);
  assert_string_equal(rec.aux_channels[0].units, "N");
  // units in order of their numbers, spikes in order of time
  assert_int_equal(rec.labels.n_units, 2);
  assert_int_equal(emg_spikes_count(&rec.labels, 0), 2);
  assert_int_equal(emg_spikes_of(&rec.labels, 0)[1], 3);  // 0.7 s
  assert_int_equal(emg_spikes_of(&rec.labels, 1)[0], 2);
  assert_int_equal(rec.labels.n_samples, 8);
  emg_recording_free(&rec);
}

static void a_link_back_shows_no_recording_twice(void **state) {
  (void)state;
  char link[300];

  make_data_set();
  snprintf(link, sizeof link, "%s/sub-1/emg/up", fixture_folder);
  assert_int_equal(symlink("..", link), 0);
  emg_recording rec = read_or_die(fixture_folder, NULL);
  emg_recording_free(&rec);
  unlink(link);
}

static void events_alone_know_their_rate(void **state) {
  (void)state;
  emg_spikes spikes;
  emg_error err;
  char *bytes;
  size_t n;

  make_data_set();
  put_sidecars();
  const char *path = fixture_path("derivatives/d/sub-1/emg/sub-1_task-t_desc-x_events.tsv");
  assert_int_equal(emg_spikes_read(path, false, &spikes, &err), EMG_OK);
  assert_true(spikes.rate_hz == 4 && spikes.n_samples == 8);
  emg_spikes_free(&spikes);

  // without their recording: from time and sample
  bytes = fixture_slurp(path, &n);
  path = fixture_write("alone", bytes, n);
  free(bytes);
  assert_int_equal(emg_spikes_read(path, false, &spikes, &err), EMG_OK);
  assert_true(spikes.rate_hz == 4 && spikes.n_samples == 0);
  emg_spikes_free(&spikes);
  refuse(path, "spike trains of 2 units");

  put("times", "onset\tunit_id\n0.5\t1\n");
  assert_int_equal(emg_spikes_read(fixture_path("times"), false, &spikes, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "sampling rate of the spikes is not known"));
  put("times", "onset\tsample\tunit_id\n0.5\t1.5\t1\n");
  assert_int_equal(emg_spikes_read(fixture_path("times"), false, &spikes, &err), EMG_ERR_DATA);
  assert_int_equal(err.items[0].line, 2);
}

static void events_without_a_spike_are_no_units(void **state) {
  (void)state;
  emg_spikes spikes;
  emg_error err;

  make_data_set();
  put_sidecars();
  put("derivatives/d/sub-1/emg/sub-1_task-t_desc-x_events.tsv", "onset\tsample\tunit_id\n");
  emg_recording rec = read_or_die(fixture_folder, NULL);
  assert_int_equal(rec.labels.n_units, 0);
  emg_recording_free(&rec);

  const char *path = fixture_path("derivatives/d/sub-1/emg/sub-1_task-t_desc-x_events.tsv");
  assert_int_equal(emg_spikes_read(path, false, &spikes, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "holds no spike trains"));
}

static void contradictions_are_refused(void **state) {
  (void)state;
  make_data_set();
  put_sidecars();
  put("sub-1/emg/sub-1_task-t_emg.json", "{\"SamplingFrequency\": 5}");
  refuse(fixture_folder, "SamplingFrequency 5 Hz, the signal file 4 Hz");
  put_sidecars();
  put("sub-1/emg/sub-1_task-t_channels.tsv", "name\tunits\nEMG1\tuV\n");
  refuse(fixture_folder, "no column name or type");
  put("sub-1/emg/sub-1_task-t_channels.tsv", "");
  refuse(fixture_folder, "table is empty");
  put_sidecars();
  put("derivatives/d/sub-1/emg/sub-1_task-t_desc-x_events.tsv",
      "onset\tsample\tunit_id\n9\t36\t1\n");
  refuse(fixture_folder, "outside the recording of 8 samples");
  put_sidecars();
  put("sub-1/emg/sub-1_task-t_emg.edf", "not EDF at all, whatever its name says");
  refuse(fixture_folder, "neither EDF nor BDF");
}

static void missing_sidecars_are_noted(void **state) {
  (void)state;
  make_data_set();
  put_sidecars();
  unlink(fixture_path("sub-1/emg/sub-1_space-g_coordsystem.json"));
  emg_recording rec = read_or_die(fixture_folder, NULL);
  assert_true(isnan(rec.channels[1].x_mm) && isnan(rec.pitch_mm));  // no unit of length
  emg_recording_free(&rec);

  unlink(fixture_path("sub-1/emg/sub-1_task-t_channels.tsv"));
  rec = read_or_die(fixture_folder, NULL);
  assert_true(has_note(&rec, "no channels.tsv"));
  assert_int_equal(rec.data.n_rows, 2);
  emg_recording_free(&rec);
}

static void folders_without_or_with_many_recordings_say_so(void **state) {
  (void)state;
  mkdir(fixture_path("empty"), 0777);
  refuse(fixture_path("empty"), "holds no recording");
  make_data_set();
  put_sidecars();
  put("sub-1/emg/sub-1_task-u_emg.bdf", "x");
  refuse(fixture_folder, "2 recordings; name one: sub-1_task-t_emg.edf, sub-1_task-u_emg.bdf");
  unlink(fixture_path("sub-1/emg/sub-1_task-u_emg.bdf"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_real_folder_is_read_from_any_level),
      cmocka_unit_test(sidecars_describe_the_channels),
      cmocka_unit_test(a_link_back_shows_no_recording_twice),
      cmocka_unit_test(events_alone_know_their_rate),
      cmocka_unit_test(events_without_a_spike_are_no_units),
      cmocka_unit_test(contradictions_are_refused),
      cmocka_unit_test(missing_sidecars_are_noted),
      cmocka_unit_test(folders_without_or_with_many_recordings_say_so),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
