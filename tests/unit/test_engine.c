// test_engine.c -- fast potentials against stored ones, and what the engine refuses
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/golden_fibre.h"

#define TOLERANCE 1e-3

static emg_electrode_set electrodes_of(const golden_fibre *g, bool is_interior) {
  emg_electrode_set set = {.n_electrodes = g->n_electrodes,
                           .electrodes = calloc((size_t)g->n_electrodes, sizeof(emg_electrode)),
                           .detection = g->detection,
                           .is_interior = is_interior,
                           .skin_radius_m = emg_conductor_skin_radius_m(&g->conductor)};
  assert_non_null(set.electrodes);
  for (int i = 0; i < g->n_electrodes; i++) {
    set.electrodes[i] =
        (emg_electrode){.radius_m = g->field_m, .theta_rad = g->theta_rad[i], .z_m = g->z_m[i]};
  }
  return set;
}

// The whole muscle's tables, not only the fibre's own radius.
static emg_engine_range range_of(const golden_fibre *g) {
  const emg_fibre *f = &g->fibre;
  return (emg_engine_range){
      .source_min_m = emg_conductor_muscle_inner_m(&g->conductor) + 50e-6,
      .source_max_m = emg_conductor_muscle_outer_m(&g->conductor) - 50e-6,
      .z_min_m = f->end_plate_m - f->length_2_m - 5e-3,
      .z_max_m = f->end_plate_m + f->length_1_m + 5e-3,
      .rate_hz = g->rate_hz,
      .n_samples = g->n_samples,
      .tolerance = TOLERANCE,
  };
}

static void check_group(const char *group, bool is_interior) {
  golden_fibre g = golden_read(group);
  emg_electrode_set set = electrodes_of(&g, is_interior);
  emg_engine_range range = range_of(&g);
  emg_engine *engine;
  emg_engine_scratch *scratch;
  emg_error err = {0};
  float *out = calloc((size_t)(g.n_electrodes * g.n_samples), sizeof *out);
  double worst = 0;

  emg_engine_create(&g.conductor, &set, &golden_source, &range, &engine, &err);
  assert_string_equal(emg_error_message(&err), "");
  assert_int_equal(emg_engine_scratch_create(engine, &scratch, &err), EMG_OK);
  assert_int_equal(emg_engine_add_fibre(engine, &g.fibre, scratch, out, &err), EMG_OK);
  for (int e = 0; e < g.n_electrodes; e++) {
    double peak = 0, error = 0;
    for (int i = e * g.n_samples; i < (e + 1) * g.n_samples; i++) {
      peak = fmax(peak, fabs(g.potential_v[i]));
      error = fmax(error, fabs(1e-6 * (double)out[i] - g.potential_v[i]));
    }
    worst = fmax(worst, error / peak);
  }
  emg_engine_facts facts = emg_engine_get_facts(engine);
  print_message(
      "%s: largest error %.1e of a peak, sample fibres %.1e; %.1f MiB in %.2f s, %d x %d "
      "x %d, %d orders, %d wavenumbers\n",
      group, worst, facts.measured_error, facts.table_mib, facts.build_s, facts.n_radii,
      facts.n_angles, facts.n_offsets, facts.n_orders, facts.n_wavenumbers);
  assert_true(worst < TOLERANCE);
  assert_true(facts.measured_error < TOLERANCE);
  free(out);
  free(set.electrodes);
  golden_free(&g);
  emg_engine_scratch_free(scratch);
  emg_engine_free(engine);
}

static void a_superficial_fibre_under_a_grid_of_discs_is_met(void **state) {
  (void)state;
  check_group("wen_superficial_disc", false);
}

static void a_fibre_over_a_bone_under_rectangles_is_met(void **state) {
  (void)state;
  check_group("limb_bone_rect", false);
}

static void a_fibre_beside_intramuscular_points_is_met(void **state) {
  (void)state;
  check_group("wen_intramuscular_point", true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_superficial_fibre_under_a_grid_of_discs_is_met),
      cmocka_unit_test(a_fibre_over_a_bone_under_rectangles_is_met),
      cmocka_unit_test(a_fibre_beside_intramuscular_points_is_met),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
