// test_stream.c -- recordings read in blocks give the samples that reading them whole gives
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
      cmocka_unit_test(blocks_outside_the_recording_are_refused),
      cmocka_unit_test(files_that_are_no_recordings_are_not_opened),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
