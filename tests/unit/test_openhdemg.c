// test_openhdemg.c -- files as openhdemg writes them, and broken ones
#include <math.h>

#include "base/buffer.h"
#include "base/gzip.h"
#include "../file_fixture.h"

static const char *pack(const char *name, const char *text, size_t n) {
  emg_gzip out;
  assert_int_equal(emg_gzip_start(&out, 6, NULL), EMG_OK);
  emg_gzip_add(&out, text, n);
  assert_int_equal(emg_gzip_finish(&out, NULL), EMG_OK);
  const char *path = fixture_write(name, out.out.bytes, out.out.n);
  emg_gzip_free(&out);
  return path;
}

#define TABLE(columns, index, data) \
  "\"{\\\"columns\\\":[" columns "],\\\"index\\\":[" index "],\\\"data\\\":[" data "]}\""
#define START "{\"SOURCE\": \"\\\"OTB\\\"\", \"FSAMP\": \"2048.0\", \"IED\": \"8.0\", "
#define RAW "\"RAW_SIGNAL\": " TABLE("0,1", "0,1,2", "[0.5,-1],[0.25,null],[1e-3,2]")
#define PULSES "\"MUPULSES\": \"[[0, 2], []]\""

static void a_file_of_openhdemg_is_a_recording_with_labels(void **state) {
  (void)state;
  static const char text[] = START RAW ", \"REF_SIGNAL\": " TABLE(
      "0", "0,1,2", "[1],[2],[3]") ", " PULSES ", \"EXTRAS\": \"{}\", \"EMG_LENGTH\": \"3\"}";
  emg_recording rec = read_or_die(pack("good.json", text, strlen(text)), NULL);

  assert_string_equal(rec.format, "openhdemg JSON");
  assert_true(rec.rate_hz == 2048 && rec.pitch_mm == 8);
  assert_int_equal(rec.data.n_rows, 2);
  assert_int_equal(rec.data.n_cols, 3);
  assert_true(emg_row2f(&rec.data, 0)[0] == 500 && emg_row2f(&rec.data, 0)[2] == 1);  // mV to uV
  assert_int_equal(rec.channels[1].state, EMG_CHANNEL_NOT_FINITE);
  assert_true(emg_row2f(&rec.aux, 0)[2] == 3);
  assert_int_equal(rec.labels.n_units, 2);
  assert_int_equal(emg_spikes_count(&rec.labels, 0), 2);
  assert_int_equal(emg_spikes_of(&rec.labels, 0)[1], 2);
  assert_true(has_note(&rec, "grid map"));
  emg_recording_free(&rec);
}

static void a_file_of_force_alone_has_no_channels(void **state) {
  (void)state;
  static const char text[] =
      "{\"SOURCE\": \"\\\"OTB_REFSIG\\\"\", \"FSAMP\": \"100\", \"REF_SIGNAL\": " TABLE(
          "0,1", "0,1", "[1,5],[2,NaN]") "}";
  const char *path = pack("force.json", text, strlen(text));
  emg_recording rec = read_or_die(path, &(emg_read_options){.allow_no_emg = true});

  assert_int_equal(rec.data.n_rows, 0);
  assert_int_equal(rec.aux.n_rows, 2);
  assert_true(emg_row2f(&rec.aux, 0)[1] == 2 && emg_row2f(&rec.aux, 1)[1] == 0);
  emg_recording_free(&rec);
  refuse(path, "no EMG");
}

static void broken_json_is_refused_with_the_entry(void **state) {
  (void)state;
  static const struct {
    const char *text, *why;
  } rows[] = {
      {"{}", "not JSON of openhdemg"},
      {"[1, 2]", "not JSON of openhdemg"},
      {"nothing at all", "not JSON of openhdemg"},
      {START RAW, "breaks off"},
      {START "\"RAW_SIGNAL\": " TABLE("0,1", "0", "[1]") "}", "1 numbers for 2 columns"},
      {START "\"RAW_SIGNAL\": " TABLE("0", "1,0", "[1],[2]") "}", "order of their index"},
      {START "\"RAW_SIGNAL\": \"{\\\"columns\\\":[0]}\"}", "columns, index and data"},
      {START "\"RAW_SIGNAL\": \"[\"}", "RAW_SIGNAL"},
      {START "\"RAW_SIGNAL\": [1]}", "breaks off"},
      {START RAW ", \"MUPULSES\": \"[[0.5]]\"}", "unit 0 of MUPULSES discharges at sample 0.5"},
      {START RAW ", \"MUPULSES\": \"[[-1]]\"}", "sample -1"},
      {START RAW ", \"MUPULSES\": \"[[3]]\"}", "outside the recording"},
      {START RAW ", \"MUPULSES\": \"[[1\"}", "lists of numbers"},
      {START RAW ", " PULSES ", " PULSES "}", "twice"},
      {"{\"SOURCE\": \"\\\"OTB\\\"\", \"FSAMP\": \"NaN\", " RAW "}", "sampling rate"},
      {"{\"SOURCE\": \"\\\"OTB\\\"\", " RAW "}", "--rate"},
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    refuse(pack("broken.json", rows[i].text, strlen(rows[i].text)), rows[i].why);
  }
}

static void cut_and_damaged_streams_are_refused(void **state) {
  (void)state;
  static const char text[] = START RAW ", " PULSES "}";
  size_t n;
  char *bytes = fixture_slurp(pack("whole.json", text, strlen(text)), &n);

  for (size_t keep = 3; keep < n; keep += 7) {
    refuse(fixture_write("cut.json", bytes, keep), "cut short");
  }
  bytes[n - 6] ^= 1;  // the checksum
  refuse(fixture_write("damaged.json", bytes, n), "damaged");
  free(bytes);
}

static void a_bomb_does_not_go_off(void **state) {
  (void)state;
  emg_gzip out;
  char *zeros = calloc(1, 1 << 20);

  // 300 MB of zeros in 300 kB: more than 200 times its size
  assert_int_equal(emg_gzip_start(&out, 9, NULL), EMG_OK);
  for (int i = 0; i < 300; i++) {
    emg_gzip_add(&out, zeros, 1 << 20);
  }
  assert_int_equal(emg_gzip_finish(&out, NULL), EMG_OK);
  assert_true(out.out.n < 1 << 20);
  refuse(fixture_write("bomb.json", out.out.bytes, out.out.n), "inflate to more than 256 MB");
  emg_gzip_free(&out);
  free(zeros);
}

static void several_streams_in_a_row_are_one(void **state) {
  (void)state;
  static const char text[] = START RAW "}";
  size_t n, half = sizeof text / 2;
  emg_buffer both = {0};

  for (int k = 0; k < 2; k++) {
    const char *path = pack("part", text + (k ? half : 0), k ? sizeof text - 1 - half : half);
    char *bytes = fixture_slurp(path, &n);
    emg_buffer_add(&both, bytes, n);
    free(bytes);
  }
  emg_recording rec = read_or_die(fixture_write("two.json", both.bytes, both.n), NULL);
  assert_int_equal(rec.data.n_rows, 2);
  emg_recording_free(&rec);
  emg_buffer_free(&both);
}

// --- modules ---

static const char *make_module(const char *manifest, const void *raw, size_t n_raw) {
  char command[300];
  const char *path = fixture_path("module");

  snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s/files && touch %s/.openhdemg_module",
           path, path, path);
  assert_int_equal(system(command), 0);
  fixture_write("module/files/RAW_SIGNAL.bin", raw, n_raw);
  fixture_write("module/manifest.json", manifest, strlen(manifest));
  return path;
}

#define ENTRY(file, shape, type, more)                                                       \
  "{\"_metadata\": {}, \"FSAMP\": {\"data_type\": \"float\", \"value\": 2048}, "             \
  "\"RAW_SIGNAL\": {\"data_type\": \"pd.DataFrame\", \"data_file_path\": \"" file            \
  "\", "                                                                                     \
  "\"compression\": null, \"order\": \"C\", \"shape\": " shape ", \"endian_dtype\": \"" type \
  "\"" more "}}"

static void numbers_of_a_module_are_read_as_they_are_stored(void **state) {
  (void)state;
  const double doubles[] = {1, -2, 3, 4};
  const unsigned char big[] = {0, 1, 0xff, 0xfe, 0, 3, 0, 4};
  const float singles[] = {1, -2, 3, 4};
  const struct {
    const char *manifest;
    const void *bytes;
    size_t n;
  } rows[] = {{ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f8", ""), doubles, sizeof doubles},
              {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f4", ""), singles, sizeof singles},
              {ENTRY("files\\\\RAW_SIGNAL.bin", "[2, 2]", ">i2", ""), big, sizeof big}};

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *path = make_module(rows[i].manifest, rows[i].bytes, rows[i].n);
    emg_recording rec = read_or_die(path, NULL);
    assert_string_equal(rec.format, "openhdemg module");
    assert_true(emg_row2f(&rec.data, 1)[0] == -2000 && emg_row2f(&rec.data, 0)[1] == 3000);
    emg_recording_free(&rec);
  }
}

static void modules_that_lie_are_refused(void **state) {
  (void)state;
  const double doubles[] = {1, -2, 3, 4};
  static const struct {
    const char *manifest, *why;
  } rows[] = {
      {ENTRY("files/RAW_SIGNAL.bin", "[3, 2]", "<f8", ""), "32 bytes, not those of 3 x 2"},
      {ENTRY("files/RAW_SIGNAL.bin", "[1e300, 2]", "<f8", ""), "not those of"},
      {ENTRY("files/RAW_SIGNAL.bin", "[4]", "<f8", ""), "not those of"},
      {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<c8", ""), "of type '<c8'"},
      {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f3", ""), "of type '<f3'"},
      {ENTRY("../../etc/passwd", "[2, 2]", "<f8", ""), "not one of the module"},
      {ENTRY("/etc/passwd", "[2, 2]", "<f8", ""), "not one of the module"},
      {ENTRY("files/none.bin", "[2, 2]", "<f8", ""), "none.bin"},
      {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f8", ", \"checksum\": \"sha256:00\""), "checksum"},
      {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f8", ", \"compression\": \"xz\""),
       "compression is 'xz'"},
      {ENTRY("files/RAW_SIGNAL.bin", "[2, 2]", "<f8", ", \"compression\": \"gzip\""), "damaged"},
      {"{\"RAW_SIGNAL\": {\"data_type\": \"pd.DataFrame\"", "damaged"},
      {"{\"FSAMP\": {\"data_type\": \"float\", \"value\": 2048}, \"MUPULSES\": {\"data_type\": "
       "\"list_of_1D_np.ndarray\", \"data_file_path\": \"files/RAW_SIGNAL.bin\", \"lengths\": "
       "[9], \"offsets\": [0], \"endian_dtypes\": [\"<f8\"]}}",
       "unit 0 has 9 discharges"},
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    emg_recording rec;
    emg_error err = {0};
    const char *path = make_module(rows[i].manifest, doubles, sizeof doubles);
    assert_int_not_equal(emg_recording_read(path, NULL, &rec, &err), EMG_OK);
    if (!strstr(emg_error_message(&err), rows[i].why)) {
      fail_msg("'%s' and not '%s'", emg_error_message(&err), rows[i].why);
    }
    assert_null(rec.data.data);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_of_openhdemg_is_a_recording_with_labels),
      cmocka_unit_test(a_file_of_force_alone_has_no_channels),
      cmocka_unit_test(broken_json_is_refused_with_the_entry),
      cmocka_unit_test(cut_and_damaged_streams_are_refused),
      cmocka_unit_test(a_bomb_does_not_go_off),
      cmocka_unit_test(several_streams_in_a_row_are_one),
      cmocka_unit_test(numbers_of_a_module_are_read_as_they_are_stored),
      cmocka_unit_test(modules_that_lie_are_refused),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
