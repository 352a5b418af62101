// test_benchmark_plan.c -- what a suite comes to, and what determines a result
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "validation/benchmark_priv.h"

static emg_config suite, simulated, told;

static void start_suite(void) {
  emg_config_defaults(&suite);
}

static void set(const char *assignment) {
  emg_error err;
  if (emg_config_set(&suite, assignment, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
}

static emg_benchmark_plan made(bool is_smoke) {
  emg_benchmark_plan plan;
  emg_error err;
  if (emg_benchmark_plan_create(&suite, is_smoke, &plan, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return plan;
}

static void refused(const char *assignment, const char *says) {
  emg_benchmark_plan plan;
  emg_error err;
  start_suite();
  set(assignment);
  assert_int_equal(emg_benchmark_plan_create(&suite, false, &plan, &err), EMG_ERR_CONFIG);
  if (!strstr(emg_error_message(&err), says)) {
    fail_msg("'%s' does not say '%s'", emg_error_message(&err), says);
  }
}

static void a_suite_without_axes_is_one_condition(void **state) {
  (void)state;
  start_suite();
  emg_benchmark_plan plan = made(false);
  assert_int_equal(plan.n_conditions, 1);
  assert_int_equal(plan.conditions[0].n_seeds, suite.benchmark.seeds);
  assert_int_equal(plan.conditions[0].n_methods, 4);
  emg_benchmark_plan_free(&plan);
}

static void axes_make_a_grid_in_both_configurations(void **state) {
  (void)state;
  start_suite();
  set("benchmark.axes = simulation.duration_s = 2 s | 5 s | 10 s; sensor.snr_db = 10 | 20");
  set("simulation.seed = 7");
  emg_benchmark_plan plan = made(false);
  assert_int_equal(plan.n_conditions, 6);
  assert_string_equal(plan.axes[1], "sensor.snr_db");
  assert_string_equal(plan.conditions[3].values[0], "5");
  assert_string_equal(plan.conditions[3].values[1], "20");
  assert_int_equal(emg_benchmark_configs(&plan, &plan.conditions[3], 2, &simulated, &told, NULL),
                   EMG_OK);
  assert_float_equal(simulated.simulation.duration_s, 5, 0);
  assert_float_equal(told.sensor.snr_db, 20, 0);
  assert_int_equal(simulated.simulation.seed, 9);
  emg_benchmark_plan_free(&plan);
}

static void a_cell_may_be_about_one_side_only(void **state) {
  (void)state;
  start_suite();
  set("benchmark.axes = sensor.snr_db = 10 | 20");
  set("benchmark.cell_seeds = 2");
  set("benchmark.cells = fat: told conductor.fat_thickness_mm = 4, invert.rounds = 2;"
      " levels: simulate drive.step_levels = [0.1, 0.2], benchmark.methods = cbss");
  emg_benchmark_plan plan = made(false);
  assert_int_equal(plan.n_conditions, 4);
  const emg_benchmark_condition *fat = &plan.conditions[2], *levels = &plan.conditions[3];
  assert_string_equal(fat->name, "fat");
  assert_int_equal(fat->n_seeds, 2);
  assert_int_equal(emg_benchmark_configs(&plan, fat, 0, &simulated, &told, NULL), EMG_OK);
  assert_float_equal(simulated.conductor.fat_thickness_mm, 3, 0);
  assert_float_equal(told.conductor.fat_thickness_mm, 4, 0);
  assert_int_equal(simulated.invert.rounds, 2);
  assert_int_equal(emg_benchmark_configs(&plan, levels, 0, &simulated, &told, NULL), EMG_OK);
  assert_int_equal(simulated.drive[0].step_levels.n, 2);
  assert_int_equal(told.drive[0].step_levels.n, 3);
  assert_int_equal(levels->n_methods, 1);
  assert_string_equal(levels->methods[0]->name, "cbss");
  emg_benchmark_plan_free(&plan);
}

static void bases_keep_the_sections_of_the_suite(void **state) {
  (void)state;
  start_suite();
  set("benchmark.bases = biceps tibialis");
  set("decompose.rounds = 3");
  emg_benchmark_plan plan = made(false);
  assert_int_equal(plan.n_conditions, 2);
  assert_int_equal(emg_benchmark_configs(&plan, &plan.conditions[1], 0, &simulated, &told, NULL),
                   EMG_OK);
  assert_string_equal(simulated.muscle[0].name, "tibialis anterior");
  assert_int_equal(told.decompose.rounds, 3);
  emg_benchmark_plan_free(&plan);
}

static void a_smoke_test_is_small(void **state) {
  (void)state;
  start_suite();
  set("benchmark.axes = sensor.snr_db = 10 | 20 | 30; pool.units = 40 | 60");
  set("benchmark.cells = a: invert.rounds = 1; b: invert.rounds = 2; c: invert.rounds = 3");
  emg_benchmark_plan plan = made(true);
  assert_int_equal(plan.n_conditions, 2 + 2);
  assert_int_equal(plan.conditions[0].n_seeds, 1);
  assert_int_equal(emg_benchmark_configs(&plan, &plan.conditions[2], 0, &simulated, &told, NULL),
                   EMG_OK);
  assert_float_equal(simulated.simulation.duration_s, 2, 0);
  emg_benchmark_plan_free(&plan);
}

static void what_cannot_be_is_refused_by_name(void **state) {
  (void)state;
  refused("benchmark.axes = sensor.snr_db", "no axis");
  refused("benchmark.axes = sensor.snr_db = 10 || 20", "empty value");
  refused("benchmark.axes = sensor.snr = 10 | 20", "did you mean");
  refused("benchmark.axes = sensor.snr_db = 10 | loud", "loud");
  refused("benchmark.cells = no colon", "has no name");
  refused("benchmark.cells = mine: pool.units = -1", "mine");
  refused("benchmark.cells = mine: pool.unit = 1", "did you mean");
  refused("benchmark.methods = ckc ckk", "ckk");
  refused("benchmark.methods = ckc ckc", "twice");
  refused("benchmark.methods = ", "empty");
  refused("benchmark.reference = nobody", "benchmark.reference");
  refused("benchmark.bases = nobody", "nobody");
}

// --- keys ---

static emg_benchmark_key key_of(const char *method_name, const char *assignment) {
  const emg_benchmark_key program = {"p"};
  emg_benchmark_key recording, key;
  const emg_benchmark_method *method;
  static emg_config narrowed;

  start_suite();
  set(assignment);
  assert_int_equal(emg_benchmark_find_method(method_name, strlen(method_name), &method, NULL),
                   EMG_OK);
  simulated = told = suite;
  emg_benchmark_lengthen(method, &simulated);
  assert_int_equal(emg_benchmark_narrow(&told, method, &narrowed, NULL), EMG_OK);
  assert_int_equal(emg_benchmark_recording_key(&simulated, &program, &recording, NULL), EMG_OK);
  assert_int_equal(emg_benchmark_cell_key(&recording, &narrowed, method, &key, NULL), EMG_OK);
  return key;
}

static bool is_same(const char *method, const char *a, const char *b) {
  return strcmp(key_of(method, a).text, key_of(method, b).text) == 0;
}

static void results_hang_on_what_methods_look_at(void **state) {
  (void)state;
  assert_true(is_same("ckc", "invert.rounds = 1", "invert.rounds = 2"));
  assert_false(is_same("invert", "invert.rounds = 1", "invert.rounds = 2"));
  assert_false(is_same("ckc", "decompose.rounds = 1", "decompose.rounds = 2"));
  assert_false(is_same("ckc", "simulation.seed = 1", "simulation.seed = 2"));
  assert_false(is_same("ckc", "score.tolerance_ms = 1", "score.tolerance_ms = 2"));
  assert_true(is_same("invert", "benchmark.seeds = 1", "benchmark.seeds = 2"));
  assert_false(is_same("ckc_online", "benchmark.online_s = 5", "benchmark.online_s = 6"));
  assert_true(is_same("ckc", "benchmark.online_s = 5", "benchmark.online_s = 6"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_suite_without_axes_is_one_condition),
      cmocka_unit_test(axes_make_a_grid_in_both_configurations),
      cmocka_unit_test(a_cell_may_be_about_one_side_only),
      cmocka_unit_test(bases_keep_the_sections_of_the_suite),
      cmocka_unit_test(a_smoke_test_is_small),
      cmocka_unit_test(what_cannot_be_is_refused_by_name),
      cmocka_unit_test(results_hang_on_what_methods_look_at),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
