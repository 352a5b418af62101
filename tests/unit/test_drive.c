// test_drive.c -- excitation profiles by formula and from a file, and the common noise
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/pool_priv.h"
#include "tests/model_fixture.h"

static const double rate_hz = 1000;

// A model is only its configuration here: the drive looks at nothing else.
static emg_model configure(double duration_s, const char *const *assignments) {
  emg_model model = {.config = fixture_config(assignments), .n_muscles = 1};

  model.config.simulation.sampling_rate_hz = rate_hz;
  model.config.simulation.duration_s = duration_s;
  return model;
}

static emg_array2f create_drive(double duration_s, const char *const *assignments) {
  emg_model model = configure(duration_s, assignments);
  emg_array2f excitation;
  emg_error err = {0};

  if (emg_drive_create(&model, &excitation, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  assert_int_equal(excitation.n_cols, (int64_t)(duration_s * rate_hz));
  return excitation;
}

// Value at a time, to the rounding of float.
static void assert_level(const emg_array2f *excitation, double t_s, double level) {
  float value = excitation->data[(int64_t)llround(t_s * rate_hz)];
  if (fabs(value - level) > 1e-6) {
    fail_msg("excitation is %g at %g s, not %g", value, t_s, level);
  }
}

static void a_trapezoid_rises_holds_falls_and_repeats(void **state) {
  (void)state;
  const char *const assignments[] = {
      "drive.level=0.4",     "drive.start_s=1", "drive.ramp_up_s=2", "drive.hold_s=3",
      "drive.ramp_down_s=1", "drive.rest_s=2",  "drive.repeats=2",   NULL};
  emg_array2f e = create_drive(20, assignments);

  for (int turn = 0; turn < 2; turn++) {
    double start_s = 1 + 8 * turn;
    assert_level(&e, start_s, 0);
    assert_level(&e, start_s + 1, 0.2);
    assert_level(&e, start_s + 2, 0.4);
    assert_level(&e, start_s + 4.999, 0.4);
    assert_level(&e, start_s + 5.5, 0.2);
    assert_level(&e, start_s + 6, 0);
    assert_level(&e, start_s + 7.9, 0);
  }
  assert_level(&e, 0.999, 0);
  assert_level(&e, 18, 0);
  emg_array2f_free(&e);
}

static void steps_take_their_levels_in_turn(void **state) {
  (void)state;
  const char *const assignments[] = {"drive.profile=steps", "drive.step_levels=[0.1, 0.5, 0.3]",
                                     "drive.step_s=2", NULL};
  emg_array2f e = create_drive(8, assignments);

  assert_level(&e, 0, 0.1);
  assert_level(&e, 1.999, 0.1);
  assert_level(&e, 2, 0.5);
  assert_level(&e, 5.999, 0.3);
  assert_level(&e, 6, 0);
  emg_array2f_free(&e);
}

static void constant_and_sine_last_to_the_end(void **state) {
  (void)state;
  const char *const constant[] = {"drive.profile=constant", "drive.level=0.7", "drive.start_s=1",
                                  NULL};
  const char *const sine[] = {"drive.profile=sine", "drive.level=0.05", "drive.sine_hz=0.25",
                              "drive.sine_amplitude=0.1", NULL};
  emg_array2f e = create_drive(30, constant);
  assert_level(&e, 0.5, 0);
  assert_level(&e, 29.9, 0.7);
  emg_array2f_free(&e);

  e = create_drive(30, sine);
  assert_level(&e, 1, 0.15);
  assert_level(&e, 2, 0.05);
  assert_level(&e, 3, 0);  // 0.05 - 0.1 is below rest
  assert_level(&e, 29, 0.15);
  emg_array2f_free(&e);
}

static void a_ramp_ends_at_its_level_and_drops(void **state) {
  (void)state;
  const char *const assignments[] = {"drive.profile=ramp", "drive.level=1", "drive.ramp_up_s=4",
                                     NULL};
  emg_array2f e = create_drive(6, assignments);

  assert_level(&e, 1, 0.25);
  assert_level(&e, 3.996, 0.999);
  assert_level(&e, 4, 0);
  emg_array2f_free(&e);
}

// --- files ---

// A temporary CSV with this text; remove() it.
static void write_file(const char *text, char path[64]) {
  strcpy(path, "/tmp/test_drive_XXXXXX");
  int handle = mkstemp(path);
  assert_true(handle >= 0);
  assert_int_equal(write(handle, text, strlen(text)), (ssize_t)strlen(text));
  close(handle);
}

static void a_file_is_interpolated_and_held_at_its_ends(void **state) {
  (void)state;
  char path[64];
  write_file("\xef\xbb\xbf\"time_s\",excitation\r\n# rest\n\n1, 0.2\r\n3;0.6\n5\t0\n", path);
  emg_model model = configure(6, SET("drive.profile=file"));
  strcpy(model.config.drive[0].file, path + 5);  // relative to /tmp
  strcpy(model.config.directory, "/tmp");
  emg_array2f e;

  assert_int_equal(emg_drive_create(&model, &e, NULL), EMG_OK);
  assert_level(&e, 0, 0.2);
  assert_level(&e, 1, 0.2);
  assert_level(&e, 2, 0.4);
  assert_level(&e, 4.5, 0.15);
  assert_level(&e, 5.9, 0);
  emg_array2f_free(&e);
  remove(path);
}

static void a_bad_line_of_a_file_is_named(void **state) {
  (void)state;
  const struct {
    const char *text;
    int line;
  } cases[] = {
      {"0,0.1\n1;x\n", 2},
      {"0,0.1\n1,1.2\n", 2},
      {"0,0.1\n1,-0.1\n", 2},
      {"0,0.1\n0,0.2\n", 2},
      {"0,0.1,0.2\n", 1},
      {"t,e\nt,e\n0,0.1\n", 2},
      {"0\n", 1},
      {"0,0.1\n\nnan,0.2", 3},
      {"0,0.1\n1e999,0.2", 2},
      {"0,0x1\n", 1},
      {"0,0.1 %MVC\n", 1},
      {"\x01\x02\xff\n", 1},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char path[64];
    emg_array2d points;
    emg_error err = {0};

    write_file(cases[i].text, path);
    assert_int_equal(emg_drive_read_file(path, "/nowhere", &points, &err), EMG_ERR_CONFIG);
    assert_string_equal(err.items[0].file, path);
    assert_int_equal(err.items[0].line, cases[i].line);
    remove(path);
  }
}

static void an_empty_file_no_file_and_no_name_are_refused(void **state) {
  (void)state;
  char path[64];
  emg_array2d points;

  write_file("# nothing\n", path);
  assert_int_equal(emg_drive_read_file(path, "", &points, NULL), EMG_ERR_CONFIG);
  remove(path);
  assert_int_equal(emg_drive_read_file(path, "", &points, NULL), EMG_ERR_IO);
  assert_int_equal(emg_drive_read_file("/tmp", "", &points, NULL), EMG_ERR_IO);
  assert_int_equal(emg_drive_read_file("", "", &points, NULL), EMG_ERR_CONFIG);
}

// --- noise ---

static void noise_has_unit_variance_in_its_band(void **state) {
  (void)state;
  enum { N = 400000 };
  static float noise[N];
  emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, 0, 0);
  double squares = 0, steps_squared = 0;

  assert_int_equal(emg_drive_noise(&rng, 5, rate_hz, N, noise, NULL), EMG_OK);
  for (int i = 0; i < N; i++) {
    squares += (double)noise[i] * noise[i];
    steps_squared += i > 0 ? pow((double)noise[i] - noise[i - 1], 2) : 0;
  }
  // 400 s hold about 2 * 5 Hz * 400 s independent values
  assert_true(fabs(squares / N - 1) < 4 * sqrt(2.0 / 4000));
  // mean square slope over mean square of a second-order Butterworth band is (2 pi f)^2
  double band_hz = sqrt(steps_squared / squares) * rate_hz / (2 * M_PI);
  assert_true(fabs(band_hz - 5) < 0.25);
}

static void common_noise_follows_the_excitation_and_stays_in_range(void **state) {
  (void)state;
  const char *const assignments[] = {
      "drive.profile=steps",    "drive.step_levels=[0.2, 0.4, 0]", "drive.step_s=100",
      "drive.common_noise=0.1", "drive.common_noise_cutoff_hz=5",  NULL};
  emg_array2f e = create_drive(300, assignments);

  for (int step = 0; step < 3; step++) {
    double level = (double[]){0.2, 0.4, 0}[step], sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++) {
      double value = e.data[step * 100000 + i];
      assert_true(value >= 0 && value <= 1);
      sum += value - level;
      squares += (value - level) * (value - level);
    }
    double error = 4 / sqrt(1000);  // 2 * 5 Hz * 100 s independent values
    assert_true(fabs(sum / 100000) <= 0.1 * level * error);
    assert_true(fabs(sqrt(squares / 100000) - 0.1 * level) <= 0.1 * level * error);
  }
  emg_array2f_free(&e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_trapezoid_rises_holds_falls_and_repeats),
      cmocka_unit_test(steps_take_their_levels_in_turn),
      cmocka_unit_test(constant_and_sine_last_to_the_end),
      cmocka_unit_test(a_ramp_ends_at_its_level_and_drops),
      cmocka_unit_test(a_file_is_interpolated_and_held_at_its_ends),
      cmocka_unit_test(a_bad_line_of_a_file_is_named),
      cmocka_unit_test(an_empty_file_no_file_and_no_name_are_refused),
      cmocka_unit_test(noise_has_unit_variance_in_its_band),
      cmocka_unit_test(common_noise_follows_the_excitation_and_stays_in_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
