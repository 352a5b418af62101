// test_stream.c -- recordings read in blocks give the samples that reading them whole gives
#include <math.h>

#include <hdf5.h>

#include <emgtwin/emgtwin.h>

#include "../file_fixture.h"

static emg_stream *open_or_die(const char *path, const emg_read_options *options) {
  emg_stream *stream;
  emg_error err = {0};
  if (emg_stream_open(path, options, &stream, &err) != EMG_OK) {
    fail_msg("%s: %s", path, emg_error_message(&err));
  }
  return stream;
}

// Blocks of `step` samples, the last one shorter, put together.
static void compare_blocks(emg_stream *stream, const emg_recording *whole, int64_t step) {
  emg_array2f block;
  emg_error err = {0};

  assert_int_equal(emg_array2f_create(whole->data.n_rows, step, &block, &err), EMG_OK);
  for (int64_t begin = 0; begin < whole->data.n_cols; begin += step) {
    int64_t n = whole->data.n_cols - begin < step ? whole->data.n_cols - begin : step;
    if (emg_stream_read(stream, begin, n, &block, &err) != EMG_OK) {
      fail_msg("sample %lld: %s", (long long)begin, emg_error_message(&err));
    }
    for (int c = 0; c < block.n_rows; c++) {
      assert_memory_equal(emg_row2f(&block, c), emg_row2f(&whole->data, c) + begin,
                          (size_t)n * sizeof(float));
    }
  }
  emg_array2f_free(&block);
}

// Everything that a file gives whole, it gives in blocks of any size.
static void compare(const char *path, const emg_read_options *options) {
  emg_recording whole = read_or_die(path, options);
  const int64_t n = whole.data.n_cols, steps[] = {n, 4096, 1000, 97, n / 3 + 1};

  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    emg_stream *stream = open_or_die(path, options);
    const emg_recording *header = emg_stream_header(stream);
    assert_int_equal(emg_stream_length(stream), n);
    assert_int_equal(header->data.n_rows, whole.data.n_rows);
    assert_true(header->rate_hz == whole.rate_hz);
    assert_int_equal(header->is_physical, whole.is_physical);
    assert_string_equal(header->format, whole.format);
    assert_int_equal(header->labels.n_units, whole.labels.n_units);
    compare_blocks(stream, &whole, steps[i]);
    for (int c = 0; c < whole.data.n_rows; c++) {
      assert_string_equal(header->channels[c].name, whole.channels[c].name);
      assert_string_equal(header->channels[c].group, whole.channels[c].group);
      assert_int_equal(header->channels[c].row, whole.channels[c].row);
      assert_int_equal(header->channels[c].state, whole.channels[c].state);
    }
    emg_stream_close(stream);
  }
  emg_recording_free(&whole);
}

static emg_recording make_recording(int n_channels, int64_t n_samples, double step_uv) {
  emg_recording rec;
  uint32_t state = 1;
  emg_error err = {0};
  assert_int_equal(emg_recording_create(n_channels, n_samples, 2048, &rec, &err), EMG_OK);
  for (int c = 0; c < n_channels; c++) {
    for (int64_t i = 0; i < n_samples; i++) {
      state = state * 1664525u + 1013904223u;
      double value = (double)(state >> 8) / (1 << 24) - 0.5;
      emg_row2f(&rec.data, c)[i] =
          (float)(step_uv > 0 ? (int)(2000 * value) * step_uv : value * value * value);
    }
  }
  return rec;
}

// `step_uv` > 0 makes a file of 16-bit numbers, 0 one of float.
static const char *write_native(const char *name, double step_uv, bool compress) {
  emg_recording rec = make_recording(70, 10000, step_uv);
  emg_file_contents contents = {.recording = &rec, .compress = compress, .n_threads = 2};
  const char *path = fixture_path(name);
  emg_error err = {0};
  assert_int_equal(emg_file_write(path, &contents, true, &err), EMG_OK);
  emg_recording_free(&rec);
  return path;
}

static void native_files_in_blocks_are_the_whole(void **state) {
  (void)state;
  compare(write_native("float.h5", 0, false), NULL);
  compare(write_native("float_packed.h5", 0, true), NULL);
  compare(write_native("int16.h5", 0.25, false), NULL);
  compare(write_native("int16_packed.h5", 0.3, true), NULL);
}

// --- EDF and BDF, written by hand ---

// Three signals of EMG, one of force at a tenth of their rate and the annotations that keep the
// time, in 7 records of 0.25 s; the fourth comes late.
static const char *write_edf(const char *name, bool is_bdf) {
  enum { N_SIGNALS = 5, N_RECORDS = 7 };
  static const char *const labels[] = {"EMG1", "force", "EMG2", "EMG3", "annotations"};
  static const int per_record[] = {500, 50, 500, 500, 16};
  const int bytes = is_bdf ? 3 : 2, field_widths[] = {16, 80, 8, 8, 8, 8, 8, 80, 8, 32};
  char path[192];
  snprintf(path, sizeof path, "%s", fixture_path(name));
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fprintf(file, "%c%-7s%-160s%-16s%-8d%-44s%-8d%-8s%-4d", is_bdf ? 0xff : '0',
          is_bdf ? "BIOSEMI" : "", "", "01.01.0101.01.01", 256 * (N_SIGNALS + 1),
          is_bdf ? "BDF+D" : "EDF+D", N_RECORDS, "0.25", N_SIGNALS);
  for (int f = 0; f < 10; f++) {
    for (int s = 0; s < N_SIGNALS; s++) {
      char text[81] = "";
      const char *annotations = is_bdf ? "BDF Annotations" : "EDF Annotations";
      if (f == 0) {
        snprintf(text, sizeof text, "%s", s == 4 ? annotations : labels[s]);
      } else if (f == 2) {
        snprintf(text, sizeof text, "%s", s == 1 ? "N" : s == 4 ? "" : "mV");
      } else if (f >= 3 && f <= 6) {
        static const char *const limits[] = {"-3.5", "3.7", "-32768", "32767"};
        snprintf(text, sizeof text, "%s", limits[f - 3]);
      } else if (f == 8) {
        snprintf(text, sizeof text, "%d", per_record[s]);
      }
      fprintf(file, "%-*s", field_widths[f], text);
    }
  }
  uint32_t seed = 7;
  for (int r = 0; r < N_RECORDS; r++) {
    for (int s = 0; s < N_SIGNALS - 1; s++) {
      for (int i = 0; i < per_record[s]; i++) {
        seed = seed * 1664525u + 1013904223u;
        const unsigned char sample[] = {(unsigned char)(seed >> 8), (unsigned char)(seed >> 16),
                                        (unsigned char)((int32_t)seed >> 28)};
        fwrite(sample, 1, (size_t)bytes, file);
      }
    }
    char note[64] = "";
    snprintf(note, sizeof note, "+%g%c%c", r < 3 ? 0.25 * r : 0.25 * r + 2, 20, 20);
    fwrite(note, 1, (size_t)(16 * bytes), file);
  }
  fclose(file);
  return fixture_path(name);
}

static void edf_and_bdf_in_blocks_are_the_whole(void **state) {
  (void)state;
  const char *path = write_edf("a.edf", false);
  emg_recording rec = read_or_die(path, NULL);
  assert_int_equal(rec.data.n_rows, 3);
  assert_int_equal(rec.aux.n_rows, 1);
  assert_true(has_note(&rec, "1 gaps"));
  emg_recording_free(&rec);
  compare(path, NULL);
  compare(write_edf("a.bdf", true), NULL);
  // named and described as EMG-BIDS
  write_edf("sub-1_emg.edf", false);
  static const char table[] = "name\ttype\tunits\nEMG2\tEMG\tmV\nforce\tMISC\tN\nEMG1\tMISC\tmV\n";
  fixture_write("sub-1_channels.tsv", table, sizeof table - 1);
  path = fixture_path("sub-1_emg.edf");
  rec = read_or_die(path, NULL);
  assert_string_equal(rec.format, "BIDS-EMG");
  emg_recording_free(&rec);
  compare(path, NULL);
}

// --- what is not as usual ---

static void archives_in_blocks_are_the_whole(void **state) {
  (void)state;
  const char *const seeds[] = {"quattrocento.otb+", "packed.otb+", "novecento.otb4"};
  for (int i = 0; i < 3; i++) {
    char path[256];
    snprintf(path, sizeof path, EMG_SOURCE "/tests/fuzz/corpus/otb/%s", seeds[i]);
    compare(path, NULL);
  }
}

static void values_that_are_not_finite_are_marked_when_met(void **state) {
  (void)state;
  emg_recording rec = make_recording(5, 9000, 0);
  emg_row2f(&rec.data, 1)[8000] = NAN;
  emg_row2f(&rec.data, 3)[100] = INFINITY;
  emg_file_contents contents = {.recording = &rec};
  const char *path = fixture_path("nan.h5");
  emg_array2f block;
  emg_error err = {0};
  assert_int_equal(emg_file_write(path, &contents, true, &err), EMG_OK);
  emg_recording_free(&rec);
  compare(path, NULL);

  emg_stream *stream = open_or_die(path, NULL);
  const emg_recording *header = emg_stream_header(stream);
  assert_int_equal(emg_array2f_create(5, 4000, &block, &err), EMG_OK);
  assert_int_equal(header->channels[3].state, EMG_CHANNEL_GOOD);
  assert_int_equal(emg_stream_read(stream, 0, 4000, &block, &err), EMG_OK);
  assert_true(emg_row2f(&block, 3)[100] == 0);
  assert_int_equal(header->channels[3].state, EMG_CHANNEL_NOT_FINITE);
  assert_int_equal(header->channels[1].state, EMG_CHANNEL_GOOD);
  assert_true(has_note(header, "not finite"));
  emg_array2f_free(&block);
  emg_stream_close(stream);
}

static void a_grid_map_leaves_channels_out_of_blocks_too(void **state) {
  (void)state;
  emg_read_options options = {0};
  char map[192];
  snprintf(map, sizeof map, "%s", fixture_write("map.csv", "5,1,9\n0,3,2\n", 12));
  options.map = map;
  emg_recording rec = read_or_die(write_native("mapped.h5", 0.5, true), &options);
  assert_int_equal(rec.data.n_rows, 5);
  emg_recording_free(&rec);
  compare(fixture_path("mapped.h5"), &options);
  options.map = NULL;
  compare(fixture_path("mapped.h5"), &options);
}

// --- files that nobody should have written ---

// A native file of ours whose /emg/data is replaced: `n_rows` x `n_cols` of `type` in such chunks
// (NULL for none).
static const char *write_other_data(const char *name, hid_t type, const hsize_t dims[2],
                                    const hsize_t *chunk, bool deflate) {
  const char *path = write_native(name, 0.25, false);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, dims, NULL);
  size_t n = (size_t)(dims[0] * dims[1]);
  int16_t *values = malloc(n * sizeof *values);
  for (size_t i = 0; i < n; i++) {
    values[i] = (int16_t)((int)((i * 7919) % 2003) - 1000);
  }
  if (chunk) {
    H5Pset_chunk(properties, 2, chunk);
  }
  if (deflate) {
    H5Pset_deflate(properties, 3);
    H5Pset_fletcher32(properties);
  }
  H5Ldelete(file, "emg/data", H5P_DEFAULT);
  hid_t data = H5Dcreate2(file, "emg/data", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  assert_true(H5Dwrite(data, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(data);
  H5Sclose(space);
  H5Pclose(properties);
  H5Fclose(file);
  free(values);
  return path;
}

static void other_types_and_chunks_in_blocks_are_the_whole(void **state) {
  (void)state;
  const hsize_t dims[] = {70, 3001}, wide[] = {7, 3001}, narrow[] = {64, 10}, odd[] = {33, 999};
  emg_init();
  compare(write_other_data("be.h5", H5T_STD_I32BE, dims, NULL, false), NULL);
  compare(write_other_data("f64.h5", H5T_IEEE_F64BE, dims, odd, true), NULL);
  compare(write_other_data("wide.h5", H5T_STD_U16LE, dims, wide, true), NULL);
  compare(write_other_data("narrow.h5", H5T_STD_I16LE, dims, narrow, false), NULL);
}

static void a_column_of_chunks_too_large_for_memory_is_read_whole(void **state) {
  (void)state;
  // 70 rows of 300000 numbers are 80 MiB as float
  const hsize_t dims[] = {70, 300000}, chunk[] = {1, 300000};
  const char *path = write_other_data("rows.h5", H5T_STD_I8LE, dims, chunk, true);
  emg_recording whole = read_or_die(path, NULL);
  emg_stream *stream = open_or_die(path, NULL);
  compare_blocks(stream, &whole, 65536);
  emg_stream_close(stream);
  emg_recording_free(&whole);
}

static void damage_is_found_in_the_block_that_has_it(void **state) {
  (void)state;
  const char *path = write_native("damaged.h5", 0.3, true);
  emg_array2f block;
  emg_error err = {0};
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t data = H5Dopen2(file, "emg/data", H5P_DEFAULT);
  const hsize_t offset[] = {0, 4096};
  haddr_t at;
  hsize_t size;
  unsigned mask;
  assert_true(H5Dget_chunk_info_by_coord(data, offset, &mask, &at, &size) >= 0);
  H5Dclose(data);
  H5Fclose(file);
  FILE *bytes = fopen(path, "r+b");
  fseek(bytes, (long)(at + size / 2), SEEK_SET);
  fwrite("damage", 1, 6, bytes);
  fclose(bytes);

  emg_stream *stream = open_or_die(path, NULL);
  assert_int_equal(emg_array2f_create(70, 4096, &block, &err), EMG_OK);
  assert_int_equal(emg_stream_read(stream, 0, 4096, &block, &err), EMG_OK);
  assert_int_equal(emg_stream_read(stream, 4000, 200, &block, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "damaged"));
  assert_int_equal(emg_stream_read(stream, 8192, 1808, &block, &err), EMG_OK);
  emg_array2f_free(&block);
  emg_stream_close(stream);
  refuse(path, "damaged");
}

// A stream refuses what reading whole refuses, before it takes memory.
static void refuse_stream(const char *path, const char *fragment) {
  emg_stream *stream;
  emg_error err = {0};
  assert_int_equal(emg_stream_open(path, NULL, &stream, &err), EMG_ERR_DATA);
  if (!strstr(emg_error_message(&err), fragment)) {
    fail_msg("%s: '%s' lacks '%s'", path, emg_error_message(&err), fragment);
  }
  assert_null(stream);
}

static void hostile_files_are_refused_at_once(void **state) {
  (void)state;
  const hsize_t huge[] = {64, 83886080}, chunk[] = {64, 4096}, other[] = {3, 10};
  size_t n;
  const char *path = write_native("claim.h5", 0.25, false);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, huge, NULL);
  H5Pset_chunk(properties, 2, chunk);
  H5Ldelete(file, "emg/data", H5P_DEFAULT);
  H5Dclose(
      H5Dcreate2(file, "emg/data", H5T_STD_I16LE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Sclose(space);
  H5Pclose(properties);
  H5Fclose(file);
  refuse_stream(path, "claims 10737.4 MB");
  // names and positions of 70 channels beside data of 3
  refuse_stream(write_other_data("few.h5", H5T_STD_I16LE, other, NULL, false), "is 70, not 3");

  char *bytes = fixture_slurp(write_native("cut.h5", 0.25, false), &n);
  refuse_stream(fixture_write("cut.h5", bytes, n / 2), "not a readable HDF5 file");
  free(bytes);
  bytes = fixture_slurp(write_edf("cut.edf", false), &n);
  refuse_stream(fixture_write("cut.edf", bytes, n - 100), "cut short");
  free(bytes);
}

static void blocks_outside_the_recording_are_refused(void **state) {
  (void)state;
  emg_stream *stream = open_or_die(write_native("range.h5", 0, false), NULL);
  emg_array2f block, small;
  emg_error err = {0};
  assert_int_equal(emg_array2f_create(70, 100, &block, &err), EMG_OK);
  assert_int_equal(emg_array2f_create(69, 100, &small, &err), EMG_OK);
  assert_int_equal(emg_stream_read(stream, -1, 10, &block, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, 9950, 51, &block, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, INT64_MAX, 1, &block, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, 0, INT64_MAX, &block, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, 0, 101, &block, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, 0, 100, &small, &err), EMG_ERR_ARG);
  assert_int_equal(emg_stream_read(stream, 10000, 0, &block, &err), EMG_OK);
  assert_int_equal(emg_stream_read(stream, 9950, 50, &block, &err), EMG_OK);
  emg_array2f_free(&block);
  emg_array2f_free(&small);
  emg_stream_close(stream);
}

static void files_that_are_no_recordings_are_not_opened(void **state) {
  (void)state;
  emg_stream *stream;
  emg_error err = {0};
  assert_int_equal(emg_stream_open(fixture_path("none.h5"), NULL, &stream, &err), EMG_ERR_IO);
  assert_null(stream);
  const char *path = fixture_write("text.txt", "no recording\n", 13);
  err = (emg_error){0};
  assert_int_equal(emg_stream_open(path, NULL, &stream, &err), EMG_ERR_DATA);
  assert_null(stream);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(native_files_in_blocks_are_the_whole),
      cmocka_unit_test(edf_and_bdf_in_blocks_are_the_whole),
      cmocka_unit_test(archives_in_blocks_are_the_whole),
      cmocka_unit_test(values_that_are_not_finite_are_marked_when_met),
      cmocka_unit_test(a_grid_map_leaves_channels_out_of_blocks_too),
      cmocka_unit_test(other_types_and_chunks_in_blocks_are_the_whole),
      cmocka_unit_test(a_column_of_chunks_too_large_for_memory_is_read_whole),
      cmocka_unit_test(damage_is_found_in_the_block_that_has_it),
      cmocka_unit_test(hostile_files_are_refused_at_once),
      cmocka_unit_test(blocks_outside_the_recording_are_refused),
      cmocka_unit_test(files_that_are_no_recordings_are_not_opened),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
