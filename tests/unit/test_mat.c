// test_mat.c -- MATLAB files written by SciPy and h5py, and broken ones
#include <math.h>

#include <zlib.h>

#include "../file_fixture.h"

static const char corpus[] = EMG_SOURCE "/tests/fuzz/corpus/mat/";

static const char *seed_path(const char *name) {
  static char path[300];
  snprintf(path, sizeof path, "%s%s", corpus, name);
  return path;
}

static void demuse_files_come_back(void **state) {
  (void)state;
  static const char *const names[] = {"demuse.mat", "demuse_packed.mat"};
  for (int k = 0; k < 2; k++) {
    emg_recording rec = read_or_die(seed_path(names[k]), NULL);
    assert_string_equal(rec.format, "MATLAB 5 (DEMUSE)");
    assert_int_equal(rec.data.n_rows, 2);
    assert_int_equal(rec.data.n_cols, 4);
    assert_true(emg_row2f(&rec.data, 1)[3] == 3);
    assert_true(rec.rate_hz == 2048 && rec.pitch_mm == 8);
    assert_true(rec.channels[1].column == 1 && rec.channels[1].x_mm == 8);
    assert_false(rec.is_physical);  // the layout has no unit
    assert_string_equal(rec.aux_channels[0].name, "ref_signal");
    // MATLAB counts samples from 1
    assert_int_equal(rec.labels.n_units, 2);
    assert_int_equal(emg_spikes_of(&rec.labels, 0)[0], 0);
    assert_int_equal(emg_spikes_of(&rec.labels, 0)[1], 2);
    assert_int_equal(emg_spikes_of(&rec.labels, 1)[0], 1);
    emg_recording_free(&rec);
  }
}

static void otbiolab_columns_are_told_by_their_texts(void **state) {
  (void)state;
  emg_recording rec = read_or_die(seed_path("otb.mat"), NULL);
  assert_int_equal(rec.data.n_rows, 1);
  assert_true(rec.is_physical && emg_row2f(&rec.data, 0)[0] == 1000);  // mV
  assert_string_equal(rec.channels[0].group, "GR08MM1305");
  assert_true(rec.pitch_mm == 8 && rec.channels[0].row == -1);
  assert_string_equal(rec.aux_channels[0].name, "acquired data");
  assert_string_equal(rec.aux_channels[0].units, "N");
  assert_true(emg_row2f(&rec.aux, 0)[1] == 1);
  assert_int_equal(rec.labels.n_units, 1);
  emg_recording_free(&rec);
}

static void a_file_of_force_alone_says_what_it_holds(void **state) {
  (void)state;
  refuse(seed_path("otb_force.mat"), "holds no EMG; it holds acquired data, performed path");
  emg_recording rec =
      read_or_die(seed_path("otb_force.mat"), &(emg_read_options){.allow_no_emg = true});
  assert_int_equal(rec.data.n_rows, 0);
  assert_int_equal(rec.aux.n_rows, 2);
  assert_int_equal(rec.aux.n_cols, 6);
  emg_recording_free(&rec);
}

static void spikes_alone_are_labels(void **state) {
  (void)state;
  emg_spikes spikes;
  emg_error err;
  refuse(seed_path("pulses.mat"), "spike trains of 2 units, ref_signal");
  assert_int_equal(emg_spikes_read(seed_path("pulses.mat"), true, &spikes, &err), EMG_OK);
  assert_int_equal(spikes.n_units, 2);
  assert_true(spikes.rate_hz == 2048 && spikes.n_samples == 4);
  emg_spikes_free(&spikes);
  assert_int_equal(emg_spikes_read(seed_path("flexemg.mat"), true, &spikes, &err), EMG_ERR_DATA);
}

static void units_without_discharges_are_kept(void **state) {
  (void)state;
  emg_recording rec =
      read_or_die(seed_path("no_discharges.mat"), &(emg_read_options){.allow_no_emg = true});
  assert_int_equal(rec.labels.n_units, 2);
  assert_int_equal(rec.labels.offsets[2], 0);
  assert_int_equal(emg_spikes_check(&rec.labels, NULL), EMG_OK);
  emg_recording_free(&rec);
}

static void muedit_files_of_both_versions_agree(void **state) {
  (void)state;
  static const char *const names[] = {"muedit.mat", "muedit73.mat"};
  static const char *const formats[] = {"MATLAB 5 (MUedit)", "MATLAB 7.3 (MUedit)"};
  for (int k = 0; k < 2; k++) {
    emg_recording rec = read_or_die(seed_path(names[k]), NULL);
    assert_string_equal(rec.format, formats[k]);
    assert_int_equal(rec.data.n_rows, 2);
    assert_int_equal(rec.channels[1].row, k == 0 ? 0 : 1);
    assert_int_equal(rec.channels[1].column, k == 0 ? 1 : 0);
    assert_int_equal(rec.labels.n_units, 1);
    assert_int_equal(emg_spikes_of(&rec.labels, 0)[0], k == 0 ? 0 : 1);
    assert_int_equal(emg_spikes_of(&rec.labels, 0)[1], 3);
    if (k == 0) {
      assert_int_equal(rec.channels[1].state, EMG_CHANNEL_MARKED);
      assert_string_equal(rec.channels[0].group, "GR08");
      assert_true(rec.pitch_mm == 8);
      assert_int_equal(rec.aux.n_rows, 2);
      assert_string_equal(rec.aux_channels[0].name, "force");
    } else {
      assert_true(emg_row2f(&rec.data, 1)[3] == 7);  // stored transposed
    }
    emg_recording_free(&rec);
  }
}

static void flexemg_needs_its_rate(void **state) {
  (void)state;
  refuse(seed_path("flexemg.mat"), "--rate \"1000 Hz\"");
  emg_recording rec = read_or_die(seed_path("flexemg.mat"), &(emg_read_options){.rate_hz = 1000});
  assert_int_equal(rec.data.n_rows, 3);
  assert_true(rec.is_physical && rec.rate_hz == 1000);
  assert_true(emg_row2f(&rec.data, 0)[0] == 0);  // the rest level is gone
  emg_recording_free(&rec);

  // to look at it, no rate is needed, and what is missing is said
  rec = read_or_die(seed_path("flexemg.mat"), &(emg_read_options){.allow_no_rate = true});
  assert_true(rec.data.n_rows == 3 && rec.rate_hz == 0);
  bool is_noted = false;
  for (int i = 0; i < rec.n_notes; i++) {
    is_noted = is_noted || strstr(rec.notes[i], "--rate");
  }
  assert_true(is_noted);
  emg_recording_free(&rec);
}

static void a_grid_map_selects_and_places_channels(void **state) {
  (void)state;
  emg_read_options options = {.rate_hz = 1000, .map = seed_path("map.mat")};
  char map[300], flexemg[300];
  snprintf(map, sizeof map, "%smap.mat", corpus);
  snprintf(flexemg, sizeof flexemg, "%sflexemg.mat", corpus);
  options.map = map;  // 1 2; 3 0
  emg_recording rec = read_or_die(flexemg, &options);
  assert_int_equal(rec.data.n_rows, 3);
  assert_true(rec.channels[2].row == 1 && rec.channels[2].column == 0);
  emg_recording_free(&rec);

  options.map = fixture_write("map.csv", "0,3\n1,\n", 7);
  rec = read_or_die(flexemg, &options);
  assert_int_equal(rec.data.n_rows, 2);
  assert_string_equal(rec.channels[1].name, "EMG003");
  assert_true(rec.channels[1].row == 0 && rec.channels[1].column == 1);
  assert_true(has_note(&rec, "2 of 3 channels"));
  emg_recording_free(&rec);

  options.map = EMG_SOURCE "/tests/data/flexemg_arraymap.mat";
  refuse_with(flexemg, &options, EMG_ERR_DATA,
              "names channel 29, but the recording has channels 1 to 3");
  options.map = fixture_write("map.csv", "1,1\n", 4);
  refuse_with(flexemg, &options, EMG_ERR_DATA, "names channel 1 twice");
  options.map = fixture_write("map.csv", "1,x\n", 4);
  refuse_with(flexemg, &options, EMG_ERR_DATA, "'x' in the grid map");
  options.map = "/no/such/map";
  refuse_with(flexemg, &options, EMG_ERR_IO, "/no/such/map");
  options = (emg_read_options){.map = map};
  refuse_with(seed_path("demuse.mat"), &options, EMG_ERR_ARG, "grid of its own");
}

static void other_matlab_files_say_what_they_hold(void **state) {
  (void)state;
  refuse(seed_path("map.mat"), "it holds map (2 x 2)");
  refuse(seed_path("swapped.mat"), "it holds m (2 x 2)");
}

static void a_file_that_was_cut_is_refused_wherever(void **state) {
  (void)state;
  static const char *const names[] = {"demuse.mat", "muedit.mat", "otb.mat", "demuse_packed.mat"};
  for (int k = 0; k < 4; k++) {
    size_t n;
    char *bytes = fixture_slurp(seed_path(names[k]), &n);
    for (size_t cut = 6; cut < n; cut += k == 3 ? 1 : 5) {
      emg_recording rec;
      emg_error err = {0};
      // a cut between variables leaves a sound file with fewer of them
      if (emg_recording_read(fixture_write("cut.mat", bytes, cut),
                             &(emg_read_options){.rate_hz = 2048}, &rec, &err) == EMG_OK) {
        emg_recording_free(&rec);
      } else {
        assert_true(emg_error_message(&err)[0] != '\0');
        assert_true(err.status == EMG_ERR_DATA || err.status == EMG_ERR_ARG);
      }
    }
    free(bytes);
  }
  refuse(fixture_write("short.mat", "MATLAB 5.0 MAT-file", 19), "shorter than its header");
}

// A file of one variable whose element is given.
static size_t put_header(char *file) {
  memset(file, ' ', 124);
  memcpy(file, "MATLAB 5.0", 10);
  memcpy(file + 124, "\0\1IM", 4);
  return 128;
}

static size_t put_words(char *to, const uint32_t *words, size_t n) {
  memcpy(to, words, 4 * n);
  return 4 * n;
}

static void impossible_claims_are_refused_before_they_are_believed(void **state) {
  (void)state;
  char file[512];
  size_t n = put_header(file);

  // an element of 4 GB in a file of 200 bytes
  n += put_words(file + n, (uint32_t[]){14, 0xffffff00}, 2);
  refuse(fixture_write("claim.mat", file, 200), "an element claims 4294967040 bytes");

  // a matrix of 40000 x 40000 doubles (12.8 GB) with 8 bytes of data
  n = put_header(file);
  n += put_words(file + n, (uint32_t[]){14, 64, 6, 8, 6, 0, 5, 8, 40000, 40000, 1, 1}, 12);
  n += put_words(file + n, (uint32_t[]){'x', 0, 9, 8, 0, 0}, 6);
  refuse(fixture_write("claim.mat", file, n), "variable x claims 40000 x 40000 numbers, but 1 are");

  // a cell array of 10^9 parts
  n = put_header(file);
  n += put_words(file + n, (uint32_t[]){14, 48, 6, 8, 1, 0, 5, 8, 1000000000, 1, 1, 1, 'c', 0}, 14);
  refuse(fixture_write("claim.mat", file, n), "variable c claims 1000000000 parts");

  // negative dimensions
  n = put_header(file);
  n += put_words(file + n, (uint32_t[]){14, 48, 6, 8, 6, 0, 5, 8, 0xffffffff, 2, 1, 1, 'd', 0}, 14);
  refuse(fixture_write("claim.mat", file, n), "impossible dimensions");
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  enum { DEPTH = 200, LEVEL = 48 };
  char *file = malloc(128 + DEPTH * 56);
  size_t n = put_header(file);
  for (uint32_t k = 0; k < DEPTH; k++) {
    n += put_words(
        file + n,
        (uint32_t[]){14, LEVEL + 56 * (DEPTH - 1 - k), 6, 8, 1, 0, 5, 8, 1, 1, 1, 1, 'n', 0}, 14);
  }
  refuse(fixture_write("deep.mat", file, n), "nested more than");
  free(file);
}

static void what_inflates_to_too_much_is_refused(void **state) {
  (void)state;
  // 320 MB of zeros in 0.3 MB, as one compressed variable
  const size_t plain = 320 << 20, step = 1 << 20;
  uLong bound = compressBound((uLong)plain / 64);
  char *file = malloc(136 + bound), *zeros = calloc(step, 1);
  z_stream z = {0};
  assert_int_equal(deflateInit(&z, 6), Z_OK);
  z.next_out = (Bytef *)file + 136;
  z.avail_out = (uInt)bound;
  for (size_t done = 0; done < plain; done += step) {
    z.next_in = (Bytef *)zeros;
    z.avail_in = (uInt)step;
    assert_int_equal(deflate(&z, done + step < plain ? Z_NO_FLUSH : Z_FINISH),
                     done + step < plain ? Z_OK : Z_STREAM_END);
  }
  size_t n = put_header(file);
  put_words(file + n, (uint32_t[]){15, (uint32_t)z.total_out}, 2);
  refuse(fixture_write("bomb.mat", file, 136 + z.total_out), "inflates to more than 256 MB");
  deflateEnd(&z);
  free(file);
  free(zeros);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(demuse_files_come_back),
      cmocka_unit_test(otbiolab_columns_are_told_by_their_texts),
      cmocka_unit_test(a_file_of_force_alone_says_what_it_holds),
      cmocka_unit_test(spikes_alone_are_labels),
      cmocka_unit_test(units_without_discharges_are_kept),
      cmocka_unit_test(muedit_files_of_both_versions_agree),
      cmocka_unit_test(flexemg_needs_its_rate),
      cmocka_unit_test(a_grid_map_selects_and_places_channels),
      cmocka_unit_test(other_matlab_files_say_what_they_hold),
      cmocka_unit_test(a_file_that_was_cut_is_refused_wherever),
      cmocka_unit_test(impossible_claims_are_refused_before_they_are_believed),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(what_inflates_to_too_much_is_refused),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
