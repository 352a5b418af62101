// mean_unit_fixture.h -- a limb, a grid and random motor units for tests of the mean-unit model
#ifndef EMG_TESTS_MEAN_UNIT_FIXTURE_H
#define EMG_TESTS_MEAN_UNIT_FIXTURE_H

#include <math.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#define MUSCLE_MM 38.0
#define SKIN_MM 42.0
#define PITCH_MM 8.0
#define RATE_HZ 2048.0
enum { ROWS = 13, COLUMNS = 5, ELECTRODES = ROWS * COLUMNS, SAMPLES = 80 };

static const emg_action_potential rosenfalck = {96e-3, 1e-3, 1.01};

// Muscle of 38 mm under 3 mm of fat and 1 mm of skin, 13 x 5 discs of 1.5 mm radius 8 mm apart.
typedef struct {
  emg_conductor conductor;
  emg_electrode places[ELECTRODES];
  emg_electrode_set set;
  emg_mean_unit_range range;
} mean_scene;

// Turned by `turn_rad` about its centre, which lies `shift_mm` along z.
static void place_grid(mean_scene *s, double turn_rad, double shift_mm) {
  for (int i = 0; i < ELECTRODES; i++) {
    double along = (i / COLUMNS - (ROWS - 1) / 2.0) * PITCH_MM;
    double around = (i % COLUMNS - (COLUMNS - 1) / 2.0) * PITCH_MM;
    double z_mm = along * cos(turn_rad) - around * sin(turn_rad) + shift_mm;
    double arc_mm = along * sin(turn_rad) + around * cos(turn_rad);
    s->places[i] =
        (emg_electrode){1e-3 * SKIN_MM, arc_mm / SKIN_MM, 1e-3 * z_mm, i / COLUMNS, i % COLUMNS};
  }
}

static void mean_scene_start(mean_scene *s) {
  *s = (mean_scene){
      .conductor =
          {3, {MUSCLE_MM * 1e-3, 41e-3, SKIN_MM * 1e-3}, {0.1, 0.05, 1}, {0.5, 0.05, 1}, 0},
      .range = {.rate_hz = RATE_HZ,
                .n_samples = SAMPLES,
                .origin = 8,
                .depth_max_mm = 24,
                .z_min_mm = -85,
                .z_max_mm = 85,
                .tendon_spread_mm = 3,
                .cv_spread = 0.02,
                .fibre_diameter_um = 55,
                .tolerance = 1e-3,
                .shift_max_mm = 10},
  };
  s->set = (emg_electrode_set){.n_electrodes = ELECTRODES,
                               .electrodes = s->places,
                               .detection = {.shape = EMG_SHAPE_DISC, .radius_m = 1.5e-3},
                               .skin_radius_m = 1e-3 * SKIN_MM,
                               .pitch_m = 1e-3 * PITCH_MM};
  place_grid(s, 0, 0);
}

static inline double between(emg_rng *rng, double low, double high) {
  return low + (high - low) * emg_rng_uniform(rng);
}

// A motor unit as in a limb muscle.
static inline emg_mean_unit random_unit(emg_rng *rng) {
  emg_mean_unit unit;
  double *value = unit.value;

  value[EMG_UNIT_TERRITORY] = between(rng, 0.8, 4.4);
  value[EMG_UNIT_DEPTH] = fmax(between(rng, 1, 15), 0.9 * value[EMG_UNIT_TERRITORY] + 0.2);
  value[EMG_UNIT_ARC] = between(rng, -24, 24);
  value[EMG_UNIT_ZONE] = 8 * emg_rng_gaussian(rng);
  value[EMG_UNIT_CV] = between(rng, 3.3, 4.6);
  value[EMG_UNIT_TENDON_1] = 66 + 3 * emg_rng_gaussian(rng);
  value[EMG_UNIT_TENDON_2] = -66 + 3 * emg_rng_gaussian(rng);
  value[EMG_UNIT_ZONE_SPREAD] = between(rng, 1, 3);
  value[EMG_UNIT_LATENCY] = between(rng, -1, 3);
  return unit;
}

#endif
