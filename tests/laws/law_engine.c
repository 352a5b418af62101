// law_engine.c -- fast potentials equal exact ones on any geometry; symmetries; what is refused
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#define TOLERANCE 1e-3
#define RATE_HZ 4096.0
enum { SAMPLES = 160, ELECTRODES_MAX = 80 };

static const emg_action_potential rosenfalck = {96e-3, 1e-3, 1.01};

// Muscle of 10 mm under fat and skin.
static emg_conductor limb(double bone_m, double fat_m, double skin_m) {
  emg_conductor c = {0};
  double radius_m = 10e-3;

  if (bone_m > 0) {
    c.radius_m[0] = bone_m;
    c.transverse_s_per_m[0] = c.axial_s_per_m[0] = 0.02;
    c.muscle = c.n_layers = 1;
  }
  const double thickness_m[3] = {0, fat_m, skin_m}, transverse[3] = {0.1, 0.05, 1};
  const double axial[3] = {0.5, 0.05, 1};
  for (int i = 0; i < 3; i++) {
    if (i == 0 || thickness_m[i] > 0) {
      radius_m += thickness_m[i];
      c.radius_m[c.n_layers] = radius_m;
      c.transverse_s_per_m[c.n_layers] = transverse[i];
      c.axial_s_per_m[c.n_layers++] = axial[i];
    }
  }
  return c;
}

typedef struct {
  emg_conductor conductor;
  emg_electrode places[ELECTRODES_MAX];
  emg_electrode_set set;
  emg_engine_range range;
} scene;

// Fibres anywhere in the muscle, 60 mm to either side of z = 0.
static void scene_start(scene *s, emg_conductor conductor, int n_electrodes,
                        emg_detection detection) {
  memset(s, 0, sizeof *s);
  s->conductor = conductor;
  s->set = (emg_electrode_set){.n_electrodes = n_electrodes,
                               .electrodes = s->places,
                               .detection = detection,
                               .skin_radius_m = emg_conductor_skin_radius_m(&conductor)};
  s->range = (emg_engine_range){
      .source_min_m = emg_conductor_muscle_inner_m(&conductor) + 30e-6,
      .source_max_m = emg_conductor_muscle_outer_m(&conductor) - 30e-6,
      .z_min_m = -60e-3,
      .z_max_m = 60e-3,
      .rate_hz = RATE_HZ,
      .n_samples = SAMPLES,
      .tolerance = TOLERANCE,
  };
  for (int i = 0; i < n_electrodes; i++) {
    s->places[i].radius_m = s->set.skin_radius_m;
  }
}

static const emg_detection point = {.shape = EMG_SHAPE_POINT};
static const emg_detection disc = {.shape = EMG_SHAPE_DISC, .radius_m = 1e-3};

// Grid of rows and columns with their pitch on the skin, turned by `turn_rad`.
static void place_grid(scene *s, int n_rows, int n_columns, double pitch_m, double turn_rad) {
  for (int i = 0; i < n_rows * n_columns; i++) {
    double along = (i / n_columns - (n_rows - 1) / 2.0) * pitch_m;
    double around = (i % n_columns - (n_columns - 1) / 2.0) * pitch_m;
    s->places[i].z_m = along * cos(turn_rad) - around * sin(turn_rad);
    s->places[i].theta_rad =
        (along * sin(turn_rad) + around * cos(turn_rad)) / s->set.skin_radius_m;
  }
}

static emg_fibre random_fibre(const scene *s, emg_rng *rng) {
  const emg_engine_range *r = &s->range;
  double share = emg_rng_uniform(rng);
  emg_fibre f = {
      // more fibres near the skin, where tables are put to the test
      .radius_m = r->source_max_m - (r->source_max_m - r->source_min_m) * share * share,
      .theta_rad = 2 * M_PI * emg_rng_uniform(rng),
      .end_plate_m = 20e-3 * (emg_rng_uniform(rng) - 0.5),
      .cv_m_per_s = 3 + 2 * emg_rng_uniform(rng),
      .diameter_m = 40e-6 + 30e-6 * emg_rng_uniform(rng),
      .delay_s = 1e-3 * emg_rng_uniform(rng),
  };
  f.length_1_m = (r->z_max_m - f.end_plate_m) * (0.7 + 0.3 * emg_rng_uniform(rng));
  f.length_2_m = (f.end_plate_m - r->z_min_m) * (0.7 + 0.3 * emg_rng_uniform(rng));
  return f;
}

static emg_engine *engine_of(const scene *s) {
  emg_engine *engine = NULL;
  emg_error err = {0};
  emg_engine_create(&s->conductor, &s->set, &rosenfalck, &s->range, &engine, &err);
  assert_string_equal(emg_error_message(&err), "");
  return engine;
}

static void fast(const scene *s, const emg_engine *engine, const emg_fibre *fibre, float *out) {
  emg_engine_scratch *scratch;
  emg_error err = {0};
  memset(out, 0, (size_t)(s->set.n_electrodes * SAMPLES) * sizeof *out);
  assert_int_equal(emg_engine_scratch_create(engine, &scratch, &err), EMG_OK);
  emg_engine_add_fibre(engine, fibre, scratch, out, &err);
  assert_string_equal(emg_error_message(&err), "");
  emg_engine_scratch_free(scratch);
}

// Distance of a fibre from an electrode in the cross-section.
static double distance_m(const emg_electrode *e, const emg_fibre *f) {
  double x = e->radius_m * cos(e->theta_rad) - f->radius_m * cos(f->theta_rad);
  double y = e->radius_m * sin(e->theta_rad) - f->radius_m * sin(f->theta_rad);
  return hypot(x, y);
}

// Largest error of one fibre at any electrode, of that electrode's peak.
static double error_of(const scene *s, const emg_engine *engine, const emg_fibre *fibre) {
  static float out[ELECTRODES_MAX * SAMPLES];
  static double exact[SAMPLES];
  double worst = 0;

  fast(s, engine, fibre, out);
  for (int e = 0; e < s->set.n_electrodes; e++) {
    const emg_electrode *place = &s->places[e];
    double peak = 0, error = 0;
    if (s->set.is_interior && distance_m(place, fibre) < 0.2e-3) {
      continue;
    }
    assert_int_equal(emg_fibre_potential_exact(&s->conductor, &s->set.detection, &rosenfalck, fibre,
                                               place->radius_m, 1, &place->theta_rad, &place->z_m,
                                               RATE_HZ, SAMPLES, 1e-5, exact, NULL),
                     EMG_OK);
    for (int t = 0; t < SAMPLES; t++) {
      peak = fmax(peak, fabs(1e6 * exact[t]));
      error = fmax(error, fabs(1e6 * exact[t] - (double)out[e * SAMPLES + t]));
    }
    worst = fmax(worst, error / peak);
  }
  return worst;
}

// Electrodes are cut down to a few for the comparison: the exact sums cost more than the tables.
static void check_scene(const char *name, scene *s, int n_fibres) {
  emg_engine *engine = engine_of(s);
  emg_rng rng = emg_rng_stream(5, EMG_RNG_TEST, 0, 0);
  static float out[ELECTRODES_MAX * SAMPLES];
  emg_fibre fibre = random_fibre(s, &rng);
  double worst = 0;

  clock_t start = clock();
  for (int i = 0; i < 20; i++) {
    fast(s, engine, &fibre, out);
  }
  double us = 1e6 * (double)(clock() - start) / CLOCKS_PER_SEC / 20;
  for (int i = 0; i < n_fibres; i++) {
    fibre = random_fibre(s, &rng);
    worst = fmax(worst, error_of(s, engine, &fibre));
  }
  emg_engine_facts facts = emg_engine_get_facts(engine);
  print_message(
      "%s: error %.1e, sample fibres %.1e, %.1f MiB, %.2f s, %d orders, %d wavenumbers, "
      "%.0f us per fibre\n",
      name, worst, facts.measured_error, facts.table_mib, facts.build_s, facts.n_orders,
      facts.n_wavenumbers, us);
  assert_true(worst < TOLERANCE);
  emg_engine_free(engine);
}

static void thin_fat_is_as_exact_as_thick(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(0, 1e-3, 0), 8, disc);
  place_grid(&s, 4, 2, 8e-3, 0);
  check_scene("fat of 1 mm, no skin", &s, 4);
}

static void a_bone_in_the_middle_is_as_exact(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(4e-3, 3e-3, 1e-3), 8, disc);
  place_grid(&s, 4, 2, 8.47e-3, 0);
  check_scene("bone, pitch of 8.47 mm", &s, 4);
}

static void points_on_a_ring_are_as_exact(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(0, 3e-3, 1e-3), 16, point);
  for (int i = 0; i < 16; i++) {
    s.places[i].theta_rad = 2 * M_PI * (i / 2) / 8;
    s.places[i].z_m = (i % 2 - 0.5) * 20e-3;
  }
  check_scene("ring of points", &s, 3);
}

static void a_rotated_grid_is_as_exact(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(0, 3e-3, 1e-3), 65, disc);
  place_grid(&s, 13, 5, 5e-3, 0.35);
  check_scene("rotated grid", &s, 1);
}

static void irregular_places_are_as_exact(void **state) {
  (void)state;
  scene s;
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);
  scene_start(&s, limb(0, 3e-3, 1e-3), 9, disc);
  for (int i = 0; i < 9; i++) {
    // three angles, so that columns have rows off any pitch
    s.places[i].theta_rad = 0.4 * (i % 3);
    s.places[i].z_m = 60e-3 * (emg_rng_uniform(&rng) - 0.5);
  }
  check_scene("irregular places", &s, 3);
}

static void electrodes_beyond_the_tendons_see_the_right_step(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(0, 3e-3, 1e-3), 6, disc);
  const double z_m[6] = {-0.15, -0.1, -0.07, 0.07, 0.1, 0.15};
  for (int i = 0; i < 6; i++) {
    s.places[i].z_m = z_m[i];
  }
  check_scene("beyond the tendons", &s, 4);
}

static void points_in_the_muscle_are_as_exact(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(0, 4e-3, 1e-3), 6, point);
  s.set.is_interior = true;
  for (int i = 0; i < 6; i++) {
    s.places[i].radius_m = 1e-3 + 1.5e-3 * i;
    s.places[i].theta_rad = 0.3;
    s.places[i].z_m = 2e-3 * i;
  }
  check_scene("wire in the muscle", &s, 4);
}

static void points_beside_fibres_are_as_exact_from_a_fifth_of_a_millimetre(void **state) {
  (void)state;
  scene s;
  scene_start(&s, limb(2e-3, 3e-3, 1e-3), 2, point);
  s.set.is_interior = true;
  s.places[0] = (emg_electrode){.radius_m = 6e-3, .z_m = 11e-3};
  s.places[1] = (emg_electrode){.radius_m = 7e-3, .theta_rad = 0.1, .z_m = -20e-3};
  emg_engine *engine = engine_of(&s);
  emg_fibre fibre = {.theta_rad = 0.01,
                     .length_1_m = 50e-3,
                     .length_2_m = 60e-3,
                     .cv_m_per_s = 4,
                     .diameter_m = 55e-6};
  for (int i = 0; i < 5; i++) {
    fibre.radius_m = s.places[0].radius_m + 0.2e-3 * (i + 1);
    double error = error_of(&s, engine, &fibre);
    print_message("%.2f mm from a point: error %.1e\n", 1e3 * distance_m(&s.places[0], &fibre),
                  error);
    assert_true(error < TOLERANCE);
  }
  emg_engine_free(engine);
}

// --- symmetries ---------------------------------------------------------------------------------

static void plain_scene(scene *s) {
  scene_start(s, limb(0, 3e-3, 1e-3), 12, disc);
  place_grid(s, 4, 3, 8e-3, 0);
}

static emg_fibre plain_fibre(void) {
  return (emg_fibre){.radius_m = 7.7e-3,
                     .theta_rad = 0.3,
                     .end_plate_m = 4e-3,
                     .length_1_m = 48e-3,
                     .length_2_m = 55e-3,
                     .cv_m_per_s = 4.1,
                     .diameter_m = 50e-6};
}

// Largest difference over the largest value.
static double difference(const float *a, const float *b, int n) {
  double most = 0, scale = 0;
  for (int i = 0; i < n; i++) {
    most = fmax(most, fabs((double)(a[i] - b[i])));
    scale = fmax(scale, fabs((double)a[i]));
  }
  return most / scale;
}

static void potentials_grow_with_the_square_of_the_diameter(void **state) {
  (void)state;
  scene s;
  plain_scene(&s);
  emg_engine *engine = engine_of(&s);
  emg_fibre fibre = plain_fibre();
  static float one[12 * SAMPLES], two[12 * SAMPLES];

  fast(&s, engine, &fibre, one);
  fibre.diameter_m *= 2;
  fast(&s, engine, &fibre, two);
  for (int i = 0; i < 12 * SAMPLES; i++) {
    one[i] *= 4;
  }
  assert_true(difference(one, two, 12 * SAMPLES) < 1e-6);
  emg_engine_free(engine);
}

static void a_delay_of_whole_samples_moves_the_potential(void **state) {
  (void)state;
  scene s;
  plain_scene(&s);
  emg_engine *engine = engine_of(&s);
  emg_fibre fibre = plain_fibre();
  static float now[12 * SAMPLES], later[12 * SAMPLES];

  fast(&s, engine, &fibre, now);
  fibre.delay_s = 7 / RATE_HZ;
  fast(&s, engine, &fibre, later);
  for (int e = 0; e < 12; e++) {
    assert_true(difference(now + e * SAMPLES, later + e * SAMPLES + 7, SAMPLES - 7) < 1e-5);
    assert_true(later[e * SAMPLES + 6] == 0);
  }
  emg_engine_free(engine);
}

// Tables are laid out anew, so only the tolerance of interpolation holds, not the bits.
static void moving_everything_along_z_changes_nothing(void **state) {
  (void)state;
  scene s;
  emg_fibre fibre = plain_fibre();
  static float here[12 * SAMPLES], there[12 * SAMPLES];

  plain_scene(&s);
  emg_engine *engine = engine_of(&s);
  fast(&s, engine, &fibre, here);
  emg_engine_free(engine);
  for (int e = 0; e < 12; e++) {
    s.places[e].z_m += 0.123;
  }
  s.range.z_min_m += 0.123;
  s.range.z_max_m += 0.123;
  fibre.end_plate_m += 0.123;
  engine = engine_of(&s);
  fast(&s, engine, &fibre, there);
  assert_true(difference(here, there, 12 * SAMPLES) < 1e-5);
  emg_engine_free(engine);
}

static void mirrored_in_z_and_angle_the_potentials_are_those_of_the_mirrored_electrodes(
    void **state) {
  (void)state;
  scene s;
  plain_scene(&s);
  emg_engine *engine = engine_of(&s);
  emg_fibre fibre = plain_fibre(), mirrored = fibre;
  static float plain[12 * SAMPLES], mirror[12 * SAMPLES];

  mirrored.theta_rad = -fibre.theta_rad;
  mirrored.end_plate_m = -fibre.end_plate_m;
  mirrored.length_1_m = fibre.length_2_m;
  mirrored.length_2_m = fibre.length_1_m;
  fast(&s, engine, &fibre, plain);
  fast(&s, engine, &mirrored, mirror);
  for (int e = 0; e < 12; e++) {
    assert_true(difference(plain + e * SAMPLES, mirror + (11 - e) * SAMPLES, SAMPLES) < 1e-5);
  }
  emg_engine_free(engine);
}

static void one_electrode_less_leaves_the_others(void **state) {
  (void)state;
  scene s;
  plain_scene(&s);
  emg_engine *engine = engine_of(&s);
  emg_fibre fibre = plain_fibre();
  static float all[12 * SAMPLES], fewer[12 * SAMPLES];

  fast(&s, engine, &fibre, all);
  emg_engine_free(engine);
  memmove(s.places, s.places + 1, 11 * sizeof *s.places);
  s.set.n_electrodes = 11;
  engine = engine_of(&s);
  fast(&s, engine, &fibre, fewer);
  assert_true(difference(all + SAMPLES, fewer, 11 * SAMPLES) < 1e-6);
  emg_engine_free(engine);
}

// --- refusals -----------------------------------------------------------------------------------

static void a_fibre_outside_the_range_is_refused_and_adds_nothing(void **state) {
  (void)state;
  scene s;
  plain_scene(&s);
  s.range.source_min_m = 5e-3;
  emg_engine *engine = engine_of(&s);
  emg_engine_scratch *scratch;
  static float out[12 * SAMPLES];
  emg_fibre too_deep = plain_fibre(), too_long = plain_fibre(), still = plain_fibre();

  assert_int_equal(emg_engine_scratch_create(engine, &scratch, NULL), EMG_OK);
  too_deep.radius_m = 4.9e-3;
  too_long.length_1_m = 57e-3;
  still.cv_m_per_s = 0;
  memset(out, 0, sizeof out);
  assert_int_equal(emg_engine_add_fibre(engine, &too_deep, scratch, out, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_engine_add_fibre(engine, &too_long, scratch, out, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_engine_add_fibre(engine, &still, scratch, out, NULL), EMG_ERR_ARG);
  for (int i = 0; i < 12 * SAMPLES; i++) {
    assert_true(out[i] == 0);
  }
  emg_engine_scratch_free(scratch);
  emg_engine_free(engine);
}

static void a_range_outside_the_muscle_is_refused(void **state) {
  (void)state;
  scene s;
  emg_engine *engine;
  plain_scene(&s);
  s.range.source_max_m = 10.5e-3;
  assert_int_equal(emg_engine_create(&s.conductor, &s.set, &rosenfalck, &s.range, &engine, NULL),
                   EMG_ERR_ARG);
  assert_null(engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(thin_fat_is_as_exact_as_thick),
      cmocka_unit_test(a_bone_in_the_middle_is_as_exact),
      cmocka_unit_test(points_on_a_ring_are_as_exact),
      cmocka_unit_test(a_rotated_grid_is_as_exact),
      cmocka_unit_test(irregular_places_are_as_exact),
      cmocka_unit_test(electrodes_beyond_the_tendons_see_the_right_step),
      cmocka_unit_test(points_in_the_muscle_are_as_exact),
      cmocka_unit_test(points_beside_fibres_are_as_exact_from_a_fifth_of_a_millimetre),
      cmocka_unit_test(potentials_grow_with_the_square_of_the_diameter),
      cmocka_unit_test(a_delay_of_whole_samples_moves_the_potential),
      cmocka_unit_test(moving_everything_along_z_changes_nothing),
      cmocka_unit_test(mirrored_in_z_and_angle_the_potentials_are_those_of_the_mirrored_electrodes),
      cmocka_unit_test(one_electrode_less_leaves_the_others),
      cmocka_unit_test(a_fibre_outside_the_range_is_refused_and_adds_nothing),
      cmocka_unit_test(a_range_outside_the_muscle_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
