// golden_fibre.h -- fibres with their potentials from golden/fibre_potentials.h5, for tests;
// included after cmocka.h
#ifndef EMG_TESTS_GOLDEN_FIBRE_H
#define EMG_TESTS_GOLDEN_FIBRE_H

#include "tests/golden_file.h"

#define EMG_GOLDEN_FIBRES EMG_GOLDEN "/fibre_potentials.h5"

static const emg_action_potential golden_source = {96e-3, 1e-3, 1.01};

// One group of the file.
typedef struct {
  emg_conductor conductor;
  emg_detection detection;
  emg_fibre fibre;
  double field_m, rate_hz;
  int n_electrodes, n_samples;
  double *theta_rad, *z_m, *potential_v;  // potential [electrode][sample]
} golden_fibre;

// "wen", "limb" and "hand" of the file, as its attribute layer_sets lists them.
static emg_conductor golden_conductor(const char *set) {
  if (strcmp(set, "wen") == 0) {
    return (emg_conductor){3, {0.01, 0.014, 0.015}, {0.1, 0.05, 1.0}, {0.5, 0.05, 1.0}, 0};
  }
  if (strcmp(set, "limb") == 0) {
    return (emg_conductor){
        4, {0.02, 0.046, 0.049, 0.05}, {0.02, 0.1, 0.05, 1.0}, {0.02, 0.5, 0.05, 1.0}, 1};
  }
  assert_string_equal(set, "hand");
  return (emg_conductor){3, {0.007, 0.008, 0.009}, {0.09, 0.041, 1.0}, {0.4, 0.041, 1.0}, 0};
}

static emg_detection golden_detection(const char *text) {
  double first = 0, second = 0;
  if (sscanf(text, "[\"disc\", %lf]", &first) == 1) {
    return (emg_detection){.shape = EMG_SHAPE_DISC, .radius_m = first};
  }
  if (sscanf(text, "[\"rect\", %lf, %lf]", &first, &second) == 2) {
    return (emg_detection){.shape = EMG_SHAPE_RECTANGLE, .width_m = first, .length_m = second};
  }
  assert_string_equal(text, "[\"point\"]");
  return (emg_detection){.shape = EMG_SHAPE_POINT};
}

static inline golden_fibre golden_read(const char *group) {
  hid_t file = golden_open(EMG_GOLDEN_FIBRES);
  char set[32], electrode[64];
  int n_z, n_values;
  golden_fibre g = {
      .field_m = golden_number(file, group, "rho_electrode_m"),
      .rate_hz = golden_number(file, "/", "fs_Hz"),
      .fibre = {.radius_m = golden_number(file, group, "R_m"),
                .theta_rad = golden_number(file, group, "theta_fibre_rad"),
                .end_plate_m = golden_number(file, group, "z_iz_m"),
                .length_1_m = golden_number(file, group, "L1_m"),
                .length_2_m = golden_number(file, group, "L2_m"),
                .cv_m_per_s = golden_number(file, group, "v_m_per_s"),
                .diameter_m = 55e-6},
  };

  golden_text(file, group, "layer_set", set, sizeof set);
  golden_text(file, group, "electrode", electrode, sizeof electrode);
  g.conductor = golden_conductor(set);
  g.detection = golden_detection(electrode);
  g.theta_rad = golden_values(file, group, "electrode_theta_rad", &g.n_electrodes);
  g.z_m = golden_values(file, group, "electrode_z_m", &n_z);
  g.potential_v = golden_values(file, group, "phi_mV", &n_values);
  assert_int_equal(n_z, g.n_electrodes);
  g.n_samples = n_values / g.n_electrodes;
  for (int i = 0; i < n_values; i++) {
    g.potential_v[i] *= 1e-3;
  }
  H5Fclose(file);
  return g;
}

static void golden_free(golden_fibre *g) {
  free(g->theta_rad);
  free(g->z_m);
  free(g->potential_v);
}

#endif
