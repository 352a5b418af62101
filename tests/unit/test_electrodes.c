// test_electrodes.c -- where electrodes are, and which places are refused
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// Limb of 24 mm: muscle to 20 mm, fat 3 mm, skin 1 mm.
static emg_config limb(int layout, int rows, int columns) {
  emg_config config;
  emg_config_defaults(&config);
  config.conductor.bone_radius_mm = 0;
  config.conductor.muscle_radius_mm = 20;
  config.conductor.fascia_thickness_mm = 0;
  config.conductor.fat_thickness_mm = 3;
  config.conductor.skin_thickness_mm = 1;
  config.electrodes.layout = layout;
  config.electrodes.rows = rows;
  config.electrodes.columns = columns;
  return config;
}

static emg_status create(const emg_config *config, emg_electrode_set *set, emg_error *err) {
  emg_conductor conductor;
  assert_int_equal(emg_conductor_from_config(config, &conductor, NULL), EMG_OK);
  return emg_electrodes_create(config, &conductor, set, err);
}

static emg_electrode_set set_of(const emg_config *config) {
  emg_electrode_set set;
  emg_error err = {0};
  if (create(config, &set, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return set;
}

static void assert_near(double value, double expected) {
  assert_true(fabs(value - expected) < 1e-12);
}

static void a_grid_is_centred_with_arcs_on_the_skin(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_GRID, 3, 2);
  config.electrodes.row_pitch_mm = 8;
  config.electrodes.column_pitch_mm = 6;
  config.electrodes.centre_z_mm = 10;
  config.electrodes.centre_angle_deg = 90;
  emg_electrode_set set = set_of(&config);
  assert_int_equal(set.n_electrodes, 6);
  assert_false(set.is_interior);
  assert_int_equal(set.detection.shape, EMG_SHAPE_DISC);
  for (int i = 0; i < 6; i++) {
    const emg_electrode *e = &set.electrodes[i];
    assert_int_equal(e->row, i / 2);
    assert_int_equal(e->column, i % 2);
    assert_near(e->radius_m, 0.024);
    assert_near(e->z_m, 0.010 + 0.008 * (i / 2 - 1));
    assert_near(e->theta_rad, M_PI / 2 + (i % 2 ? 0.003 : -0.003) / 0.024);
  }
  emg_electrodes_free(&set);
}

static void a_quarter_turn_swaps_the_axes(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_GRID, 3, 4);
  config.electrodes.row_pitch_mm = 7;
  config.electrodes.column_pitch_mm = 5;
  config.electrodes.shape = EMG_SHAPE_RECTANGLE;
  emg_electrode_set flat = set_of(&config);
  config.electrodes.rotation_deg = 90;
  emg_electrode_set turned = set_of(&config);
  for (int i = 0; i < 12; i++) {
    assert_near(turned.electrodes[i].theta_rad * 0.024, flat.electrodes[i].z_m);
    assert_near(turned.electrodes[i].z_m, -flat.electrodes[i].theta_rad * 0.024);
  }
  assert_near(turned.detection.width_m, flat.detection.length_m);
  assert_near(turned.detection.length_m, flat.detection.width_m);
  emg_electrodes_free(&flat);
  emg_electrodes_free(&turned);
}

// Any turn keeps the distances on the developed skin.
static void a_turn_keeps_distances(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_GRID, 4, 3);
  emg_electrode_set flat = set_of(&config);
  config.electrodes.rotation_deg = 33;
  emg_electrode_set turned = set_of(&config);
  for (int i = 1; i < 12; i++) {
    const emg_electrode *a = flat.electrodes, *b = turned.electrodes;
    double before = hypot(0.024 * (a[i].theta_rad - a[0].theta_rad), a[i].z_m - a[0].z_m);
    double after = hypot(0.024 * (b[i].theta_rad - b[0].theta_rad), b[i].z_m - b[0].z_m);
    assert_near(before, after);
  }
  emg_electrodes_free(&flat);
  emg_electrodes_free(&turned);
}

static void a_ring_is_even_round_the_limb(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_RING, 2, 32);
  emg_electrode_set set = set_of(&config);
  assert_int_equal(set.n_electrodes, 64);
  for (int c = 1; c < 32; c++) {
    assert_near(set.electrodes[c].theta_rad - set.electrodes[c - 1].theta_rad, 2 * M_PI / 32);
  }
  assert_near(set.electrodes[31].theta_rad - set.electrodes[0].theta_rad, 2 * M_PI * 31 / 32);
  emg_electrodes_free(&set);
}

static void missing_electrodes_are_left_out(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_GRID, 3, 3);
  config.electrodes.missing = (emg_list){3, {0, 4, 4}};
  emg_electrode_set set = set_of(&config);
  assert_int_equal(set.n_electrodes, 7);
  assert_int_equal(set.electrodes[0].column, 1);
  for (int i = 0; i < 7; i++) {
    assert_true(set.electrodes[i].row != 1 || set.electrodes[i].column != 1);
  }
  emg_electrodes_free(&set);
}

static void an_array_runs_from_its_tip_backwards(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_ARRAY, 5, 1);
  config.electrodes.row_pitch_mm = 1;
  config.electrodes.tip_depth_mm = 12;
  config.electrodes.tilt_deg = 60;
  config.electrodes.centre_z_mm = 3;
  emg_electrode_set set = set_of(&config);
  assert_true(set.is_interior);
  assert_int_equal(set.detection.shape, EMG_SHAPE_POINT);
  for (int i = 0; i < 5; i++) {
    double depth_m = 0.012 - 0.0005 * i;  // cos 60 deg = 1/2 of the wire goes inwards
    assert_near(set.electrodes[i].radius_m, 0.024 - depth_m);
    assert_near(set.electrodes[i].z_m, 0.003 + depth_m * sqrt(3));
    assert_int_equal(set.electrodes[i].row, i);
  }
  emg_electrodes_free(&set);
}

static void a_wire_past_the_axis_comes_out_opposite(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_ARRAY, 2, 1);
  config.electrodes.row_pitch_mm = 10;
  config.electrodes.tip_depth_mm = 30;
  emg_electrode_set set = set_of(&config);
  assert_near(set.electrodes[0].radius_m, 0.006);
  assert_near(set.electrodes[0].theta_rad, M_PI);
  assert_near(set.electrodes[1].radius_m, 0.004);
  assert_near(set.electrodes[1].theta_rad, 0);
  emg_electrodes_free(&set);
}

static void a_point_outside_the_muscle_is_refused_with_its_depth(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_ARRAY, 4, 1);
  config.electrodes.row_pitch_mm = 3;
  config.electrodes.tip_depth_mm = 12.5;  // 12.5, 9.5, 6.5, 3.5: the last is in the fat
  emg_electrode_set set;
  emg_error err = {0};
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "3.5 mm"));
  assert_non_null(strstr(emg_error_message(&err), "4 to 44 mm"));

  config.conductor.bone_radius_mm = 8;
  config.electrodes.tip_depth_mm = 17;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "17 mm"));
  assert_non_null(strstr(emg_error_message(&err), "4 to 16 mm"));
}

static void impossible_grids_are_refused(void **state) {
  (void)state;
  emg_electrode_set set;
  emg_error err = {0};
  emg_config config = limb(EMG_LAYOUT_GRID, 3, 30);  // 29 x 8 mm round 151 mm
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "232 mm"));

  config = limb(EMG_LAYOUT_GRID, 3, 3);
  config.electrodes.missing = (emg_list){1, {9}};
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  config.electrodes.missing = (emg_list){1, {1.5}};
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  config.electrodes.missing = (emg_list){9, {0, 1, 2, 3, 4, 5, 6, 7, 8}};
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);

  config = limb(EMG_LAYOUT_GRID, 3, 3);
  config.electrodes.shape = EMG_SHAPE_RECTANGLE;
  config.electrodes.rotation_deg = 30;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);

  config = limb(EMG_LAYOUT_GRID, 3, 3);
  config.electrodes.shape = EMG_SHAPE_ANNULUS;
  config.electrodes.inner_radius_mm = config.electrodes.radius_mm;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);

  config = limb(EMG_LAYOUT_RING, 3, 8);
  config.electrodes.rotation_deg = 10;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
}

// One channel, core minus cannula: a uniform potential gives nothing, one at the tip alone gives
// almost all of it, and the cannula ends where the muscle does.
static void a_needle_records_its_core_against_its_cannula(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_NEEDLE, 13, 5);
  config.electrodes.tip_depth_mm = 10;
  emg_electrode_set set = set_of(&config);
  emg_montage montage;
  assert_int_equal(emg_montage_create(&config, &set, &montage, NULL), EMG_OK);
  assert_int_equal(montage.weights.n_rows, 1);
  double core = 0, cannula = 0;
  for (int i = 0; i < set.n_electrodes; i++) {
    assert_true(set.electrodes[i].radius_m <= 0.020 + 1e-12);
    *(set.electrodes[i].column == 0 ? &core : &cannula) += emg_row2d(&montage.weights, 0)[i];
  }
  assert_near(core, 1);
  assert_near(cannula, -1);
  assert_true(fabs(montage.channels[0].x_mm - 14) < 1e-9);  // the centre of the core is the tip
  emg_montage_free(&montage);
  emg_electrodes_free(&set);

  emg_error err = {0};
  config.electrodes.tip_depth_mm = 2;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
  config.electrodes.tip_depth_mm = 10;
  config.electrodes.montage = EMG_MONTAGE_LAPLACIAN;
  assert_int_equal(create(&config, &set, &err), EMG_ERR_CONFIG);
}

// 400 electrodes: the standard deviation of what is drawn has one of 0.5 / sqrt(400), four of which
// are a fifth of it.
static void electrodes_lie_off_their_places_by_the_jitter(void **state) {
  (void)state;
  emg_config config = limb(EMG_LAYOUT_GRID, 40, 10);
  config.electrodes.column_pitch_mm = 4;
  emg_electrode_set straight = set_of(&config);
  config.electrodes.jitter_mm = 0.5;
  emg_electrode_set off = set_of(&config), again = set_of(&config);
  config.simulation.seed++;
  emg_electrode_set other = set_of(&config);
  double along = 0, around = 0;
  for (int i = 0; i < 400; i++) {
    const emg_electrode *a = &straight.electrodes[i], *b = &off.electrodes[i];
    along += pow(1e3 * (b->z_m - a->z_m), 2) / 400;
    around += pow(1e3 * (b->theta_rad - a->theta_rad) * a->radius_m, 2) / 400;
    assert_true(b->z_m == again.electrodes[i].z_m && b->theta_rad == again.electrodes[i].theta_rad);
    assert_true(b->z_m != other.electrodes[i].z_m);
  }
  assert_true(fabs(sqrt(along) - 0.5) < 0.1);
  assert_true(fabs(sqrt(around) - 0.5) < 0.1);
  emg_electrodes_free(&straight);
  emg_electrodes_free(&off);
  emg_electrodes_free(&again);
  emg_electrodes_free(&other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_grid_is_centred_with_arcs_on_the_skin),
      cmocka_unit_test(a_quarter_turn_swaps_the_axes),
      cmocka_unit_test(a_turn_keeps_distances),
      cmocka_unit_test(a_ring_is_even_round_the_limb),
      cmocka_unit_test(missing_electrodes_are_left_out),
      cmocka_unit_test(an_array_runs_from_its_tip_backwards),
      cmocka_unit_test(a_wire_past_the_axis_comes_out_opposite),
      cmocka_unit_test(a_point_outside_the_muscle_is_refused_with_its_depth),
      cmocka_unit_test(impossible_grids_are_refused),
      cmocka_unit_test(a_needle_records_its_core_against_its_cannula),
      cmocka_unit_test(electrodes_lie_off_their_places_by_the_jitter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
