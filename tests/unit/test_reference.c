// test_reference.c -- conductor, exact potentials and engine against validation/ref/make_vectors.py
//
// The reference solves the layers as a linear system in ball arithmetic and sums current in space.
// It covers what the other stored fibres do not: 1 to 5 layers, bone, dry skin, thin fat, every
// electrode, points in and between layers, high orders, other velocities, rates and arrangements.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/golden_file.h"

#define REFERENCE EMG_GOLDEN "/reference_vectors.h5"
#define ENGINE_TOLERANCE 1e-3

static const emg_action_potential source = {96e-3, 1e-3, 1.01};

static emg_conductor conductor_of(hid_t file, const char *group) {
  emg_conductor c = {.muscle = (int)golden_number(file, group, "muscle")};
  c.n_layers = golden_numbers(file, group, "radius_m", EMG_LAYERS_MAX, c.radius_m);
  assert_int_equal(
      golden_numbers(file, group, "transverse_s_per_m", EMG_LAYERS_MAX, c.transverse_s_per_m),
      c.n_layers);
  assert_int_equal(golden_numbers(file, group, "axial_s_per_m", EMG_LAYERS_MAX, c.axial_s_per_m),
                   c.n_layers);
  return c;
}

static emg_detection detection_of(hid_t file, const char *group) {
  char shape[32];
  double size_m[2];

  golden_text(file, group, "shape", shape, sizeof shape);
  assert_int_equal(golden_numbers(file, group, "shape_m", 2, size_m), 2);
  if (strcmp(shape, "disc") == 0) {
    return (emg_detection){.shape = EMG_SHAPE_DISC, .radius_m = size_m[0]};
  }
  if (strcmp(shape, "annulus") == 0) {
    return (emg_detection){
        .shape = EMG_SHAPE_ANNULUS, .radius_m = size_m[0], .inner_radius_m = size_m[1]};
  }
  if (strcmp(shape, "rectangle") == 0) {
    return (emg_detection){
        .shape = EMG_SHAPE_RECTANGLE, .width_m = size_m[0], .length_m = size_m[1]};
  }
  assert_string_equal(shape, "point");
  return (emg_detection){.shape = EMG_SHAPE_POINT};
}

// --- every group of a kind ----------------------------------------------------------------------

typedef void (*check_fn)(hid_t file, const char *group);

static void for_each(const char *kind, int at_least, check_fn check) {
  hid_t file = golden_open(REFERENCE), parent = H5Gopen2(file, kind, H5P_DEFAULT);
  H5G_info_t info;

  assert_true(parent >= 0);
  assert_true(H5Gget_info(parent, &info) >= 0);
  assert_true((int)info.nlinks >= at_least);
  for (hsize_t i = 0; i < info.nlinks; i++) {
    char name[64], group[128];
    assert_true(H5Lget_name_by_idx(parent, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                                   H5P_DEFAULT) > 0);
    snprintf(group, sizeof group, "%s/%s", kind, name);
    check(file, group);
  }
  H5Gclose(parent);
  H5Fclose(file);
}

// --- transfer functions -------------------------------------------------------------------------

static void check_transfer(hid_t file, const char *group) {
  const emg_conductor c = conductor_of(file, group);
  int n_values;
  double *values = golden_values(file, group, "n_k_source_field_g", &n_values), worst = 0;

  for (int i = 0; i < n_values; i += 5) {
    const double *v = values + i;
    double g;
    assert_int_equal(emg_conductor_transfer(&c, (int)v[0], v[1], v[2], v[3], &g, NULL), EMG_OK);
    worst = fmax(worst, fabs(g / v[4] - 1));
  }
  print_message("%s: %d points, largest error %.1e\n", group, n_values / 5, worst);
  assert_true(n_values >= 5 * 20);
  assert_true(worst < 1e-10);
  free(values);
}

static void transfer_functions_of_one_to_five_layers_are_met(void **state) {
  (void)state;
  for_each("transfer", 6, check_transfer);
}

// --- lead fields --------------------------------------------------------------------------------

static void check_lead_field(hid_t file, const char *group) {
  const emg_conductor c = conductor_of(file, group);
  const emg_detection detection = detection_of(file, group);
  int n_z, n_values;
  double *z_m = golden_values(file, group, "z_m", &n_z), worst = 0;
  double *expected = golden_values(file, group, "lead_ohm", &n_values), lead_ohm[16];

  assert_true(n_z == n_values && n_z <= 16);
  assert_int_equal(
      emg_lead_field(&c, &detection, golden_number(file, group, "source_m"),
                     golden_number(file, group, "field_m"),
                     golden_number(file, group, "dtheta_rad"), n_z, z_m, 1e-7, lead_ohm, NULL),
      EMG_OK);
  for (int i = 0; i < n_z; i++) {
    worst = fmax(worst, fabs(lead_ohm[i] - expected[i]) / fabs(expected[0]));
  }
  print_message("%s: largest error %.1e of the value at z = 0\n", group, worst);
  assert_true(worst < 1e-6);
  free(z_m);
  free(expected);
}

static void lead_fields_of_points_in_and_between_layers_are_met(void **state) {
  (void)state;
  for_each("lead_fields", 10, check_lead_field);
}

// --- fibres -------------------------------------------------------------------------------------

typedef struct {
  emg_conductor conductor;
  emg_electrode_set set;
  emg_fibre fibre;
  double field_m, rate_hz;
  int n_samples;
  double *theta_rad, *z_m, *expected_v;  // expected [electrode][sample]
} subject;

static subject subject_read(hid_t file, const char *group) {
  subject s = {.conductor = conductor_of(file, group),
               .field_m = golden_number(file, group, "field_m"),
               .rate_hz = golden_number(file, group, "rate_hz"),
               .fibre = {.radius_m = golden_number(file, group, "source_m"),
                         .theta_rad = golden_number(file, group, "theta_rad"),
                         .end_plate_m = golden_number(file, group, "end_plate_m"),
                         .length_1_m = golden_number(file, group, "length_1_m"),
                         .length_2_m = golden_number(file, group, "length_2_m"),
                         .cv_m_per_s = golden_number(file, group, "cv_m_per_s"),
                         .diameter_m = golden_number(file, group, "diameter_m"),
                         .delay_s = golden_number(file, group, "delay_s")}};
  const double skin_m = emg_conductor_skin_radius_m(&s.conductor);
  int n, n_values;

  s.theta_rad = golden_values(file, group, "electrode_theta_rad", &n);
  s.z_m = golden_values(file, group, "electrode_z_m", &n_values);
  assert_int_equal(n, n_values);
  s.expected_v = golden_values(file, group, "potential_v", &n_values);
  s.n_samples = n_values / n;
  s.set = (emg_electrode_set){.n_electrodes = n,
                              .electrodes = calloc((size_t)n, sizeof(emg_electrode)),
                              .detection = detection_of(file, group),
                              .is_interior = s.field_m < skin_m,
                              .skin_radius_m = skin_m};
  assert_non_null(s.set.electrodes);
  for (int i = 0; i < n; i++) {
    s.set.electrodes[i] =
        (emg_electrode){.radius_m = s.field_m, .theta_rad = s.theta_rad[i], .z_m = s.z_m[i]};
  }
  return s;
}

static void subject_free(subject *s) {
  free(s->set.electrodes);
  free(s->theta_rad);
  free(s->z_m);
  free(s->expected_v);
}

// Largest error of any electrode, relative to its own peak.
static double largest_error(const subject *s, const double *potential_v) {
  double worst = 0;

  for (int e = 0; e < s->set.n_electrodes; e++) {
    double peak = 0, error = 0;
    for (int i = e * s->n_samples; i < (e + 1) * s->n_samples; i++) {
      peak = fmax(peak, fabs(s->expected_v[i]));
      error = fmax(error, fabs(potential_v[i] - s->expected_v[i]));
    }
    worst = fmax(worst, error / peak);
  }
  return worst;
}

static void check_exact(hid_t file, const char *group) {
  subject s = subject_read(file, group);
  double *potential_v = calloc((size_t)(s.set.n_electrodes * s.n_samples), sizeof *potential_v);

  assert_non_null(potential_v);
  assert_int_equal(emg_fibre_potential_exact(&s.conductor, &s.set.detection, &source, &s.fibre,
                                             s.field_m, s.set.n_electrodes, s.theta_rad, s.z_m,
                                             s.rate_hz, s.n_samples, 1e-6, potential_v, NULL),
                   EMG_OK);
  double worst = largest_error(&s, potential_v);
  print_message("%s: largest error of direct sums %.1e of a peak\n", group, worst);
  assert_true(worst < 1e-6);
  free(potential_v);
  subject_free(&s);
}

static void fibre_potentials_by_direct_sums_are_met(void **state) {
  (void)state;
  for_each("fibres", 9, check_exact);
}

// Tables of most of the muscle, not only of the fibre's own radius.
static void check_engine(hid_t file, const char *group) {
  subject s = subject_read(file, group);
  const double muscle_outer_m = emg_conductor_muscle_outer_m(&s.conductor);
  const emg_engine_range range = {
      .source_min_m = emg_conductor_muscle_inner_m(&s.conductor) + 50e-6,
      .source_max_m = fmin(s.fibre.radius_m + 1e-3, muscle_outer_m - 40e-6),
      .z_min_m = s.fibre.end_plate_m - s.fibre.length_2_m - 5e-3,
      .z_max_m = s.fibre.end_plate_m + s.fibre.length_1_m + 5e-3,
      .rate_hz = s.rate_hz,
      .n_samples = s.n_samples,
      .tolerance = ENGINE_TOLERANCE,
  };
  const int n_values = s.set.n_electrodes * s.n_samples;
  emg_engine *engine;
  emg_engine_scratch *scratch;
  emg_error err = {0};
  float *out_uv = calloc((size_t)n_values, sizeof *out_uv);
  double *potential_v = calloc((size_t)n_values, sizeof *potential_v);

  assert_true(out_uv && potential_v);
  emg_engine_create(&s.conductor, &s.set, &source, &range, &engine, &err);
  assert_string_equal(emg_error_message(&err), "");
  assert_int_equal(emg_engine_scratch_create(engine, &scratch, &err), EMG_OK);
  assert_int_equal(emg_engine_add_fibre(engine, &s.fibre, scratch, out_uv, &err), EMG_OK);
  for (int i = 0; i < n_values; i++) {
    potential_v[i] = 1e-6 * (double)out_uv[i];
  }
  double worst = largest_error(&s, potential_v);
  emg_engine_facts facts = emg_engine_get_facts(engine);
  print_message("%s: largest error of the engine %.1e of a peak, its own estimate %.1e; %.1f MiB\n",
                group, worst, facts.measured_error, facts.table_mib);
  assert_true(worst < ENGINE_TOLERANCE);
  free(out_uv);
  free(potential_v);
  emg_engine_scratch_free(scratch);
  emg_engine_free(engine);
  subject_free(&s);
}

static void fibre_potentials_of_the_engine_are_met(void **state) {
  (void)state;
  for_each("fibres", 9, check_engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(transfer_functions_of_one_to_five_layers_are_met),
      cmocka_unit_test(lead_fields_of_points_in_and_between_layers_are_met),
      cmocka_unit_test(fibre_potentials_by_direct_sums_are_met),
      cmocka_unit_test(fibre_potentials_of_the_engine_are_met),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
