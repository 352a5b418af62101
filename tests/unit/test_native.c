// test_native.c -- the native file: round trips, refusals, nothing left behind
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <emgtwin/file.h>
#include <emgtwin/rng.h>

#include "base/h5.h"
#include "base/part_file.h"

static char folder[64];

static const char *in_folder(const char *name) {
  static char path[160];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/emg_native_XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

// A small recording: noise of 10 uV, so that 16 bits are enough.
static emg_recording make_recording(int n_channels, int64_t n_samples) {
  emg_recording rec;
  emg_error err = {0};

  assert_int_equal(emg_recording_create(n_channels, n_samples, 2048, &rec, &err), EMG_OK);
  for (int c = 0; c < n_channels; c++) {
    emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int64_t i = 0; i < n_samples; i++) {
      emg_row2f(&rec.data, c)[i] = (float)(10 * emg_rng_gaussian(&rng));
    }
    rec.channels[c].row = c / 4;
    rec.channels[c].column = c % 4;
    rec.channels[c].x_mm = 8.0 * (c % 4);
    rec.channels[c].y_mm = 0;
    rec.channels[c].z_mm = 8.0 * (c / 4);
  }
  return rec;
}

static emg_truth make_truth(int n_channels, int64_t n_samples) {
  emg_truth truth = {0};
  emg_error err = {0};
  const int64_t counts[] = {3, 0, 2};
  const double depths[] = {4.5, 10, 7};

  assert_int_equal(emg_spikes_create(3, counts, 2048, n_samples, &truth.spikes, &err), EMG_OK);
  memcpy(truth.spikes.samples, (int64_t[]){5, 100, 300, 7, 8}, 5 * sizeof(int64_t));
  assert_int_equal(emg_muap_bank_create(3, n_channels, 40, 11, 2048, &truth.muaps, &err), EMG_OK);
  for (int i = 0; i < 3 * n_channels * 40; i++) {
    truth.muaps.data[i] = (float)sin(i);
  }
  assert_int_equal(emg_table_add(&truth.units, "depth_mm", "mm", depths, 3, &err), EMG_OK);
  assert_int_equal(emg_table_add(&truth.units, "fibre_count", "", depths, 3, &err), EMG_OK);
  assert_int_equal(emg_array2d_create(1, n_samples, &truth.excitation, &err), EMG_OK);
  assert_int_equal(emg_array2d_create(1, n_samples, &truth.force, &err), EMG_OK);
  assert_int_equal(emg_array2f_create(n_channels, n_samples, &truth.fault, &err), EMG_OK);
  emg_row2d(&truth.force, 0)[n_samples - 1] = 0.25;
  emg_row2f(&truth.fault, n_channels - 1)[3] = 1;
  return truth;
}

static void write_or_die(const char *path, const emg_file_contents *contents) {
  emg_error err = {0};
  if (emg_file_write(path, contents, true, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

static void a_recording_comes_back(void **state) {
  (void)state;
  // more than a chunk both ways, and edges that are no multiple of it
  emg_recording rec = make_recording(70, 5003), back;
  emg_error err = {0};
  rec.channels[3].state = EMG_CHANNEL_DEAD;
  snprintf(rec.channels[7].group, sizeof rec.channels[7].group, "grid two");
  assert_int_equal(emg_recording_add_aux(&rec, 1, &err), EMG_OK);
  snprintf(rec.aux_channels[0].name, sizeof rec.aux_channels[0].name, "force");
  snprintf(rec.aux_channels[0].units, sizeof rec.aux_channels[0].units, "N");
  emg_row2f(&rec.aux, 0)[5002] = 3.5f;

  for (int compress = 0; compress < 2; compress++) {
    const emg_file_contents contents = {.recording = &rec, .compress = compress, .n_threads = 2};
    write_or_die(in_folder("rec.h5"), &contents);
    if (emg_recording_read(in_folder("rec.h5"), NULL, &back, &err) != EMG_OK) {
      fail_msg("%s", emg_error_message(&err));
    }
    assert_int_equal(back.data.n_rows, 70);
    assert_int_equal(back.data.n_cols, 5003);
    assert_true(back.rate_hz == 2048 && back.is_physical);
    assert_true(back.pitch_mm == 8);
    assert_int_equal(back.channels[3].state, EMG_CHANNEL_DEAD);
    assert_string_equal(back.channels[7].group, "grid two");
    assert_string_equal(back.channels[69].name, "EMG070");
    assert_int_equal(back.channels[69].row, 17);
    assert_true(back.channels[69].z_mm == 136);
    assert_string_equal(back.aux_channels[0].name, "force");
    assert_string_equal(back.aux_channels[0].units, "N");
    assert_true(emg_row2f(&back.aux, 0)[5002] == 3.5f);
    // the step is a power of two of at most 1/20 of the noise
    for (int c = 0; c < 70; c++) {
      for (int64_t i = 0; i < 5003; i++) {
        assert_true(fabsf(emg_row2f(&back.data, c)[i] - emg_row2f(&rec.data, c)[i]) <= 0.25f);
      }
    }
    emg_recording_free(&back);
  }
  emg_recording_free(&rec);
}

// Values of /emg/data as they are stored.
static double stored_scale(const char *path) {
  emg_h5 *file;
  double scale = 0;
  assert_int_equal(emg_h5_open(path, &file, NULL), EMG_OK);
  assert_true(emg_h5_attribute(file, "emg/data", "scale", &scale));
  emg_h5_close(file);
  return scale;
}

static void check_exact(emg_recording *rec, double scale) {
  emg_recording back;
  write_or_die(in_folder("exact.h5"), &(emg_file_contents){.recording = rec, .compress = true});
  assert_true(fabs(stored_scale(in_folder("exact.h5")) - scale) <= 1e-6 * scale);
  assert_int_equal(emg_recording_read(in_folder("exact.h5"), NULL, &back, NULL), EMG_OK);
  for (int c = 0; c < rec->data.n_rows; c++) {
    assert_memory_equal(emg_row2f(&back.data, c), emg_row2f(&rec->data, c),
                        (size_t)rec->data.n_cols * sizeof(float));
  }
  emg_recording_free(&back);
}

static void values_of_a_converter_are_kept_exactly(void **state) {
  (void)state;
  emg_recording rec = make_recording(3, 3000);
  const double lsb = 33e3 / 65536;
  for (int c = 0; c < 3; c++) {
    for (int i = 0; i < 3000; i++) {
      float *value = emg_row2f(&rec.data, c) + i;
      *value = (float)(lrint(*value / lsb) * lsb);
    }
  }
  check_exact(&rec, lsb);
  emg_recording_free(&rec);
}

static void a_wide_range_is_kept_as_float(void **state) {
  (void)state;
  emg_recording rec = make_recording(3, 3000);
  emg_row2f(&rec.data, 1)[77] = 5e6f;  // an artefact 500,000 times the noise
  check_exact(&rec, 1);
  emg_recording_free(&rec);
}

static void truth_comes_back(void **state) {
  (void)state;
  emg_recording rec = make_recording(4, 500);
  emg_truth truth = make_truth(4, 500), back;
  const emg_provenance provenance = {
      .config_yaml = "simulation:\n  seed: 1\n", .seed = UINT64_MAX, .command = "emgtwin simulate"};
  emg_error err = {0};
  emg_spikes spikes;
  char *yaml;

  write_or_die(in_folder("truth.h5"), &(emg_file_contents){.recording = &rec,
                                                           .truth = &truth,
                                                           .clean = &rec.data,
                                                           .provenance = &provenance,
                                                           .compress = true,
                                                           .n_threads = 1});
  if (emg_file_read_truth(in_folder("truth.h5"), &back, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  assert_int_equal(back.spikes.n_units, 3);
  assert_memory_equal(back.spikes.offsets, truth.spikes.offsets, 4 * sizeof(int64_t));
  assert_memory_equal(back.spikes.samples, truth.spikes.samples, 5 * sizeof(int64_t));
  assert_true(back.spikes.rate_hz == 2048 && back.spikes.n_samples == 500);
  assert_int_equal(back.muaps.origin, 11);
  assert_true(back.muaps.rate_hz == 2048);
  assert_memory_equal(back.muaps.data, truth.muaps.data, 3 * 4 * 40 * sizeof(float));
  assert_true(emg_table_get(&back.units, "depth_mm")[2] == 7);
  assert_string_equal(back.units.columns[0].unit, "mm");
  assert_string_equal(back.units.columns[1].unit, "");
  assert_true(emg_row2d(&back.force, 0)[499] == 0.25);
  assert_true(emg_row2f(&back.fault, 3)[3] == 1 && emg_row2f(&back.fault, 2)[3] == 0);
  assert_int_equal(emg_file_read_config(in_folder("truth.h5"), &yaml, &err), EMG_OK);
  assert_string_equal(yaml, provenance.config_yaml);
  free(yaml);
  assert_int_equal(emg_spikes_read(in_folder("truth.h5"), true, &spikes, &err), EMG_OK);
  assert_int_equal(spikes.offsets[3], 5);
  emg_spikes_free(&spikes);

  emg_decomposition none;
  assert_int_equal(emg_file_read_decomposition(in_folder("truth.h5"), &none, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "no decomposition"));
  emg_truth_free(&back);
  emg_truth_free(&truth);
  emg_recording_free(&rec);
}

static void a_decomposition_comes_back_even_if_empty(void **state) {
  (void)state;
  emg_decomposition d = {0}, back;
  emg_error err = {0};
  double figures[] = {0.9, 0.95, 0.99};
  emg_truth truth = make_truth(3, 500);

  d.spikes.rate_hz = 2048;
  write_or_die(in_folder("none.h5"), &(emg_file_contents){.decomposition = &d});
  assert_int_equal(emg_file_read_decomposition(in_folder("none.h5"), &back, &err), EMG_OK);
  assert_int_equal(back.spikes.n_units, 0);
  emg_decomposition_free(&back);

  d = (emg_decomposition){.spikes = truth.spikes, .sil = figures, .source = truth.fault};
  write_or_die(in_folder("some.h5"), &(emg_file_contents){.decomposition = &d, .compress = true});
  assert_int_equal(emg_file_read_decomposition(in_folder("some.h5"), &back, &err), EMG_OK);
  assert_true(back.sil[2] == 0.99 && isnan(back.pnr_db[0]));
  assert_int_equal(back.source.n_rows, 3);
  assert_true(back.spikes.rate_hz == 2048);
  emg_decomposition_free(&back);
  emg_truth_free(&truth);
}

static char *slurp(const char *path, size_t *n) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  fseek(file, 0, SEEK_END);
  *n = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*n + 1);
  assert_int_equal(fread(bytes, 1, *n, file), *n);
  fclose(file);
  return bytes;
}

static void the_bytes_do_not_depend_on_threads(void **state) {
  (void)state;
  emg_recording rec = make_recording(130, 9000);
  emg_truth truth = make_truth(130, 9000);
  size_t n[3];
  char *bytes[3];

  for (int k = 0; k < 3; k++) {
    write_or_die(in_folder("t.h5"), &(emg_file_contents){.recording = &rec,
                                                         .truth = &truth,
                                                         .noise = &rec.data,
                                                         .compress = true,
                                                         .n_threads = 1 << k});
    bytes[k] = slurp(in_folder("t.h5"), &n[k]);
    assert_int_equal(n[k], n[0]);
    assert_memory_equal(bytes[k], bytes[0], n[0]);
  }
  for (int k = 0; k < 3; k++) {
    free(bytes[k]);
  }
  emg_truth_free(&truth);
  emg_recording_free(&rec);
}

static void expect_failure(const char *path, bool overwrite, emg_status expected,
                           const char *fragment) {
  emg_error err = {0};
  emg_recording rec = make_recording(1, 10);
  assert_int_equal(emg_file_write(path, &(emg_file_contents){.recording = &rec}, overwrite, &err),
                   expected);
  if (!strstr(emg_error_message(&err), fragment) || !strstr(emg_error_message(&err), path)) {
    fail_msg("'%s' does not name %s and say '%s'", emg_error_message(&err), path, fragment);
  }
  emg_recording_free(&rec);
}

static void an_output_that_cannot_be_written_is_named(void **state) {
  (void)state;
  expect_failure("/no/such/folder/x.h5", true, EMG_ERR_IO, "no folder");
  expect_failure(folder, true, EMG_ERR_IO, "folder");
  expect_failure("/dev/full", true, EMG_ERR_IO, "device");
  write_or_die(in_folder("here.h5"), &(emg_file_contents){0});
  expect_failure(in_folder("here.h5"), false, EMG_ERR_IO, "exists already");
}

static int count_parts(void) {
  char command[120];
  snprintf(command, sizeof command, "ls %s | grep -c part", folder);
  FILE *pipe = popen(command, "r");
  int n = -1;
  assert_int_equal(fscanf(pipe, "%d", &n), 1);
  pclose(pipe);
  return n;
}

static void parts_of_dead_processes_are_removed(void **state) {
  (void)state;
  char part[200];
  pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  waitpid(child, NULL, 0);
  snprintf(part, sizeof part, "%s.part.%ld", in_folder("s.h5"), (long)child);
  fclose(fopen(part, "w"));
  snprintf(part, sizeof part, "%s.part.1", in_folder("s.h5"));
  fclose(fopen(part, "w"));
  write_or_die(in_folder("s.h5"), &(emg_file_contents){0});
  assert_int_equal(count_parts(), 1);  // process 1 lives
  unlink(part);
}

static void a_killed_writer_leaves_no_half_file(void **state) {
  (void)state;
  emg_recording rec = make_recording(64, 20000);
  emg_recording back;
  char path[160];
  snprintf(path, sizeof path, "%s", in_folder("killed.h5"));

  for (int round = 0; round < 20; round++) {
    pid_t child = fork();
    if (child == 0) {
      for (;;) {
        emg_file_write(path, &(emg_file_contents){.recording = &rec}, true, NULL);
      }
    }
    usleep((useconds_t)(2000 + 3700 * round));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (access(path, F_OK) == 0) {
      emg_error err = {0};
      if (emg_recording_read(path, NULL, &back, &err) != EMG_OK) {
        fail_msg("round %d: %s", round, emg_error_message(&err));
      }
      emg_recording_free(&back);
    }
  }
  // the next writer sweeps up
  write_or_die(path, &(emg_file_contents){.recording = &rec});
  assert_int_equal(count_parts(), 0);
  emg_recording_free(&rec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_recording_comes_back),
      cmocka_unit_test(values_of_a_converter_are_kept_exactly),
      cmocka_unit_test(a_wide_range_is_kept_as_float),
      cmocka_unit_test(truth_comes_back),
      cmocka_unit_test(a_decomposition_comes_back_even_if_empty),
      cmocka_unit_test(the_bytes_do_not_depend_on_threads),
      cmocka_unit_test(an_output_that_cannot_be_written_is_named),
      cmocka_unit_test(parts_of_dead_processes_are_removed),
      cmocka_unit_test(a_killed_writer_leaves_no_half_file),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
