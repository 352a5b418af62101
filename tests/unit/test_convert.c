// test_convert.c -- what is written in the formats of other programs comes back from them
#include "../convert_fixture.h"

static const int64_t three[] = {20, 0, 12};

// Name of the file or folder for a format.
static const char *path_of(const char *format) {
  static const struct {
    const char *format, *name;
  } names[] = {{"native", "a.h5"},  {"openhdemg", "module"},    {"openhdemg-json", "a.json"},
               {"demuse", "a.mat"}, {"muedit", "a_decomp.mat"}, {"muniverse", "a_events.tsv"},
               {"bids", "set"},     {"edf", "a.edf"},           {"bdf", "a.bdf"},
               {"csv", "a.csv"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i].format, format) == 0) {
      return fixture_path(names[i].name);
    }
  }
  fail_msg("no name for %s", format);
  return NULL;
}

static void every_format_gives_back_what_it_says_it_keeps(void **state) {
  (void)state;
  int n_writers;
  const emg_writer *writers = emg_writers(&n_writers);
  sample s = make_sample(three, 3);

  assert_int_equal(n_writers, 10);
  for (int w = 0; w < n_writers; w++) {
    unsigned keeps = writers[w].traits;
    const emg_read_options options = {.allow_no_emg = true,
                                      .rate_hz = keeps & EMG_KEEPS_RATE ? 0 : 2048};
    const char *path = path_of(writers[w].name);
    emg_conversion done = convert_or_die(&s, writers[w].name, path);
    emg_recording back = read_or_die(path, &options);

    if (keeps & EMG_KEEPS_UNITS) {
      assert_int_equal(done.n_discharges, 32);
      emg_spikes units;
      // silent units stay in the native file alone
      assert_int_equal(emg_spikes_read(path, false, &units, NULL),
                       keeps & EMG_KEEPS_RATE ? EMG_OK : EMG_ERR_DATA);
      emg_spikes_free(&units);
      if (!(keeps & EMG_KEEPS_ALL)) {
        assert_same_units(&s.found.spikes, &back.labels);
        assert_true(conversion_notes(&done, "1 of 3 units never discharge"));
      } else {
        assert_int_equal(back.labels.n_units, 3);
      }
    }
    if (keeps & EMG_KEEPS_EMG) {
      // half a step, and the rounding of a float in mV
      double tolerance = 0.51 * done.step_uv + 3e-5;
      assert_same_signals(&s.rec, &back, keeps & EMG_KEEPS_GRID, tolerance);
      assert_true(done.step_uv == 0 || strcmp(writers[w].name, "edf") == 0 || done.step_uv < 1e-4);
    }
    if (keeps & EMG_KEEPS_NAMES) {
      assert_string_equal(back.channels[2].name, s.rec.channels[2].name);
    }
    if (keeps & EMG_KEEPS_POSITIONS) {
      assert_true(back.channels[3].z_mm == s.rec.channels[3].z_mm);
    }
    if ((keeps & EMG_KEEPS_AUX)) {
      assert_int_equal(back.aux.n_rows, 1);
      assert_true(fabsf(emg_row2f(&back.aux, 0)[299] - emg_row2f(&s.rec.aux, 0)[299]) < 0.01F);
    }
    if (keeps & EMG_KEEPS_GRID) {
      assert_true(fabs(back.pitch_mm - 8) < 0.02);  // neighbours differ in z a little
    }
    emg_recording_free(&back);
  }
  free_sample(&s);
}

static void one_unit_and_none_come_back_too(void **state) {
  (void)state;
  static const char *const formats[] = {"openhdemg", "openhdemg-json", "demuse", "muedit", "csv",
                                        "bids"};
  const int64_t one_spike[] = {1}, few[] = {7};

  for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
    for (int n = 0; n < 3; n++) {
      char name[64];
      sample s = make_sample(n == 1 ? one_spike : few, n > 0);
      snprintf(name, sizeof name, "%s_%d%s", formats[f], n,
               strcmp(formats[f], "openhdemg-json") == 0 ? ".json"
               : strcmp(formats[f], "csv") == 0          ? ".csv"
                                                         : ".mat");
      const char *path = fixture_path(name);
      convert_or_die(&s, formats[f], path);
      emg_recording back = read_or_die(path, &(emg_read_options){.rate_hz = f == 4 ? 2048 : 0});
      assert_int_equal(back.labels.n_units, n > 0);
      if (n > 0) {
        assert_same_units(&s.found.spikes, &back.labels);
      }
      assert_int_equal(back.data.n_rows, SAMPLE_CHANNELS);
      emg_recording_free(&back);
      free_sample(&s);
    }
  }
}

static void bad_channels_stay_bad(void **state) {
  (void)state;
  static const char *const formats[] = {"openhdemg-json", "demuse", "muedit", "bids"};
  sample s = make_sample(three, 3);
  s.rec.channels[3].state = EMG_CHANNEL_NOISY;

  for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
    const char *path = fixture_path(formats[f]);
    convert_or_die(&s, formats[f], path);
    emg_recording back = read_or_die(path, NULL);
    for (int c = 0; c < SAMPLE_CHANNELS; c++) {
      const emg_channel *channel = &s.rec.channels[c];
      int k = find_place(&back, channel->row, channel->column);
      assert_int_equal(back.channels[k].state != EMG_CHANNEL_GOOD, c == 3);
    }
    emg_recording_free(&back);
  }
  // those the decomposition found, too
  emg_channel_finding found[SAMPLE_CHANNELS] = {{.state = EMG_CHANNEL_DEAD}};
  s.found.n_channels = SAMPLE_CHANNELS;
  s.found.channels = found;
  convert_or_die(&s, "bids", fixture_path("found"));
  s.found.channels = NULL;
  emg_recording back = read_or_die(fixture_path("found"), NULL);
  assert_int_equal(back.channels[0].state, EMG_CHANNEL_MARKED);
  assert_int_equal(back.channels[3].state, EMG_CHANNEL_MARKED);
  assert_int_equal(back.channels[4].state, EMG_CHANNEL_GOOD);
  emg_recording_free(&back);
  free_sample(&s);
}

static void grids_stay_apart_where_the_format_knows_them(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  // two grids whose channels alternate in the recording
  for (int c = 0; c < SAMPLE_CHANNELS; c++) {
    snprintf(s.rec.channels[c].group, sizeof s.rec.channels[c].group, c % 2 ? "odd" : "even");
  }
  const char *path = fixture_path("groups_decomp.mat");
  emg_conversion done = convert_or_die(&s, "muedit", path);
  emg_recording back = read_or_die(path, NULL);

  assert_true(conversion_notes(&done, "under the first of 2"));
  assert_string_equal(back.channels[0].group, "even");
  assert_string_equal(back.channels[4].group, "odd");
  assert_same_signals(&s.rec, &back, true, 3e-5);  // a float in mV
  assert_same_units(&s.found.spikes, &back.labels);
  emg_recording_free(&back);

  // units of a grid of their own stand under it: the third, then the first
  char groups[3][32] = {"odd", "odd", "even"};
  s.found.group = groups;
  path = fixture_path("units_decomp.mat");
  convert_or_die(&s, "muedit", path);
  s.found.group = NULL;
  back = read_or_die(path, NULL);
  assert_int_equal(back.labels.n_units, 2);
  assert_int_equal(emg_spikes_count(&back.labels, 0), 12);
  assert_int_equal(emg_spikes_count(&back.labels, 1), 20);
  emg_recording_free(&back);

  path = fixture_path("groups.mat");
  done = convert_or_die(&s, "demuse", path);
  assert_true(conversion_notes(&done, "side by side"));
  back = read_or_die(path, NULL);
  assert_int_equal(back.data.n_rows, SAMPLE_CHANNELS);
  emg_recording_free(&back);
  free_sample(&s);
}

static void unknown_places_and_pitch_are_said_and_not_made_up(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  for (int c = 0; c < SAMPLE_CHANNELS; c++) {
    s.rec.channels[c].row = s.rec.channels[c].column = -1;
    s.rec.channels[c].x_mm = s.rec.channels[c].y_mm = s.rec.channels[c].z_mm = NAN;
  }
  s.rec.pitch_mm = NAN;

  emg_conversion done = convert_or_die(&s, "openhdemg-json", fixture_path("nowhere.json"));
  assert_true(conversion_notes(&done, "inter-electrode distance is not known"));
  emg_recording back = read_or_die(fixture_path("nowhere.json"), NULL);
  assert_true(isnan(back.pitch_mm) && back.channels[0].row == -1);
  emg_recording_free(&back);

  done = convert_or_die(&s, "bids", fixture_path("nowhere"));
  assert_true(conversion_notes(&done, "positions of 5 electrodes are not known"));
  back = read_or_die(fixture_path("nowhere"), NULL);
  assert_true(isnan(back.channels[0].x_mm) && back.channels[0].row == -1);
  emg_recording_free(&back);

  done = convert_or_die(&s, "demuse", fixture_path("nowhere.mat"));
  assert_true(conversion_notes(&done, "SIG has one column"));
  free_sample(&s);
}

static void a_converters_steps_survive_16_bits(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  for (int c = 0; c < SAMPLE_CHANNELS; c++) {
    for (int64_t i = 0; i < SAMPLE_LENGTH; i++) {
      float *x = &emg_row2f(&s.rec.data, c)[i];
      *x = 0.25F * roundf(*x / 0.25F);
    }
  }
  emg_conversion done = convert_or_die(&s, "edf", fixture_path("steps.edf"));
  emg_recording back = read_or_die(fixture_path("steps.edf"), NULL);

  assert_true(done.step_uv == 0 && conversion_notes(&done, "keep the steps of their converter"));
  // the header holds seven characters of 32767 * 0.25 uV
  assert_same_signals(&s.rec, &back, false, 250 * 1e-5);
  emg_recording_free(&back);
  free_sample(&s);
}

static void a_length_that_divides_into_no_records_is_held_at_its_end(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  s.rec.data.n_cols = 4093;  // a prime
  s.rec.aux.n_cols = 4093;
  s.found.spikes.n_samples = 0;
  s.found.spikes.samples[19] = 4092;
  emg_conversion done = convert_or_die(&s, "edf", fixture_path("prime.edf"));
  emg_recording back = read_or_die(fixture_path("prime.edf"), NULL);

  assert_true(conversion_notes(&done, "3 samples more"));
  assert_int_equal(back.data.n_cols, 4096);
  assert_true(back.rate_hz == 2048);
  assert_true(emg_row2f(&back.data, 0)[4095] == emg_row2f(&back.data, 0)[4092]);
  emg_recording_free(&back);
  free_sample(&s);
}

static void refuse_convert(const emg_file_contents *contents, const char *format, const char *path,
                           emg_status expected, const char *fragment) {
  const emg_writer *writer;
  emg_conversion done;
  emg_error err = {0};

  assert_int_equal(emg_writer_find(format, path, &writer, &err), EMG_OK);
  emg_status status = emg_convert(path, writer, contents, NULL, &done, &err);
  if (status != expected || !strstr(emg_error_message(&err), fragment)) {
    fail_msg("%s: status %d and '%s', not '%s'", format, status, emg_error_message(&err), fragment);
  }
  assert_int_not_equal(access(path, F_OK), 0);
}

static void what_a_format_needs_is_asked_for(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  emg_file_contents contents = {.decomposition = &s.found};

  refuse_convert(&contents, "demuse", fixture_path("x.mat"), EMG_ERR_ARG, "--emg");
  refuse_convert(&contents, "edf", fixture_path("x.edf"), EMG_ERR_ARG, "--emg");
  contents = (emg_file_contents){.recording = &s.rec};
  refuse_convert(&contents, "muniverse", fixture_path("x_events.tsv"), EMG_ERR_ARG,
                 "decompose the recording first");
  contents.decomposition = &s.found;
  s.rec.rate_hz = 2000;
  refuse_convert(&contents, "demuse", fixture_path("x.mat"), EMG_ERR_DATA, "do not belong");
  s.rec.rate_hz = 2048;
  s.found.spikes.n_samples = SAMPLE_LENGTH + 1;
  refuse_convert(&contents, "bids", fixture_path("x"), EMG_ERR_DATA, "do not belong");
  free_sample(&s);
}

static void the_name_tells_the_format_or_the_user_must(void **state) {
  (void)state;
  static const struct {
    const char *path, *format;
  } rows[] = {{"a.h5", "native"},
              {"a.hdf5", "native"},
              {"a/b.json", "openhdemg-json"},
              {"x_decomp.mat", "muedit"},
              {"a_events.tsv", "muniverse"},
              {"A.EDF", "edf"},
              {"a.bdf", "bdf"},
              {"a.csv", "csv"},
              {"a.mat", NULL},
              {"folder", NULL},
              {"folder/", NULL},
              {"a.txt", NULL}};
  const emg_writer *writer;
  emg_error err;

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    err = (emg_error){0};
    emg_status status = emg_writer_find(NULL, rows[i].path, &writer, &err);
    if (rows[i].format) {
      assert_int_equal(status, EMG_OK);
      assert_string_equal(writer->name, rows[i].format);
    } else {
      assert_int_equal(status, EMG_ERR_ARG);
      assert_non_null(strstr(emg_error_message(&err), "--to"));
    }
  }
  assert_int_equal(emg_writer_find("matlab", "a.mat", &writer, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "demuse"));
}

static void a_simulation_is_written_with_its_truth_and_force(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  emg_truth truth = {0};
  const emg_convert_options options = {.prefer_truth = true};
  const emg_file_contents contents = {
      .recording = &s.rec, .decomposition = &s.found, .truth = &truth};
  const emg_writer *writer;
  emg_conversion done;
  const int64_t one[] = {3};
  emg_decomposition other = {0};

  sample_units(one, 1, &other);
  truth.spikes = other.spikes;
  other.spikes = (emg_spikes){0};
  emg_array2f_free(&s.rec.aux);
  assert_int_equal(emg_array2d_create(1, SAMPLE_LENGTH, &truth.force, NULL), EMG_OK);
  emg_row2d(&truth.force, 0)[10] = 0.5;
  assert_int_equal(emg_writer_find("openhdemg-json", "", &writer, NULL), EMG_OK);
  const char *path = fixture_path("truth.json");
  assert_int_equal(emg_convert(path, writer, &contents, &options, &done, NULL), EMG_OK);
  emg_recording back = read_or_die(path, NULL);

  assert_same_units(&truth.spikes, &back.labels);
  assert_true(conversion_notes(&done, "units are those of the ground truth"));
  assert_true(emg_row2f(&back.aux, 0)[10] == 50);  // % of the maximal voluntary contraction
  emg_recording_free(&back);
  emg_decomposition_free(&other);
  emg_truth_free(&truth);
  free_sample(&s);
}

static bool stop(const char *stage, int64_t done, int64_t total, void *user) {
  (void)stage;
  (void)done;
  (void)total;
  (void)user;
  return true;
}

static void folders_are_whole_or_not_there(void **state) {
  (void)state;
  sample s = make_sample(three, 3);
  const emg_monitor monitor = {.progress = stop};
  emg_convert_options options = {.monitor = &monitor};
  const emg_file_contents contents = {.recording = &s.rec, .decomposition = &s.found};
  const char *path = fixture_path("whole"), *others = fixture_path("others");
  char command[400];
  const emg_writer *writer;
  emg_conversion done;
  emg_error err = {0};

  // interrupted: nothing is left
  assert_int_equal(emg_writer_find("bids", path, &writer, NULL), EMG_OK);
  assert_int_equal(emg_convert(path, writer, &contents, &options, &done, &err),
                   EMG_ERR_INTERRUPTED);
  snprintf(command, sizeof command, "test -z \"$(ls -d %s* 2>/dev/null)\"", path);
  assert_int_equal(system(command), 0);
  // there already: only of the same kind, and only if asked
  options.monitor = NULL;
  assert_int_equal(emg_convert(path, writer, &contents, &options, &done, &err), EMG_OK);
  assert_int_equal(emg_convert(path, writer, &contents, &options, &done, &err), EMG_ERR_IO);
  options.overwrite = true;
  assert_int_equal(emg_convert(path, writer, &contents, &options, &done, &err), EMG_OK);
  snprintf(command, sizeof command, "mkdir %s && touch %s/diary", others, others);
  assert_int_equal(system(command), 0);
  assert_int_equal(emg_convert(others, writer, &contents, &options, &done, &err), EMG_ERR_IO);
  assert_non_null(strstr(emg_error_message(&err), "holds other things"));
  snprintf(command, sizeof command, "test -f %s/diary", others);
  assert_int_equal(system(command), 0);
  free_sample(&s);
}

static void the_same_content_gives_the_same_bytes_at_any_thread_count(void **state) {
  (void)state;
  static const char *const formats[] = {"openhdemg-json", "muedit", "demuse", "edf"};
  sample s = make_sample(three, 3);

  for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
    char hex[2][65];
    for (int k = 0; k < 2; k++) {
      const emg_file_contents contents = {.recording = &s.rec,
                                          .decomposition = &s.found,
                                          .compress = true,
                                          .n_threads = k == 0 ? 1 : 3};
      const emg_convert_options options = {.overwrite = true};
      const emg_writer *writer;
      emg_conversion done;
      const char *path = fixture_path("same.mat");
      assert_int_equal(emg_writer_find(formats[f], path, &writer, NULL), EMG_OK);
      assert_int_equal(emg_convert(path, writer, &contents, &options, &done, NULL), EMG_OK);
      assert_int_equal(emg_file_sha256(path, hex[k], NULL), EMG_OK);
    }
    assert_string_equal(hex[0], hex[1]);
  }
  free_sample(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_format_gives_back_what_it_says_it_keeps),
      cmocka_unit_test(one_unit_and_none_come_back_too),
      cmocka_unit_test(bad_channels_stay_bad),
      cmocka_unit_test(grids_stay_apart_where_the_format_knows_them),
      cmocka_unit_test(unknown_places_and_pitch_are_said_and_not_made_up),
      cmocka_unit_test(a_converters_steps_survive_16_bits),
      cmocka_unit_test(a_length_that_divides_into_no_records_is_held_at_its_end),
      cmocka_unit_test(what_a_format_needs_is_asked_for),
      cmocka_unit_test(the_name_tells_the_format_or_the_user_must),
      cmocka_unit_test(a_simulation_is_written_with_its_truth_and_force),
      cmocka_unit_test(folders_are_whole_or_not_there),
      cmocka_unit_test(the_same_content_gives_the_same_bytes_at_any_thread_count),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
