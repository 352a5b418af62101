// report.c -- from what is fitted to what is reported
#include "inverse_priv.h"

#include <math.h>
#include <stdio.h>

enum { M = EMG_FIT_PARAMETERS, P = EMG_INVERSION_PARAMETERS };

// Reported values are linear in the fitted ones: value = constant + matrix * fitted.
typedef struct {
  double constant[P];
  double matrix[P][M];
} linear_map;

static linear_map map_of(const emg_conductor *conductor, const emg_fitted *fitted) {
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(conductor);
  linear_map map = {0};

  // below the skin, not below the muscle's surface: what lies between trades off with depth
  map.matrix[EMG_INVERSION_DEPTH][EMG_UNIT_DEPTH] = 1;
  map.constant[EMG_INVERSION_DEPTH] = skin_mm - 1e3 * emg_conductor_muscle_outer_m(conductor);
  map.matrix[EMG_INVERSION_ANGLE][EMG_UNIT_ARC] = 180 / (M_PI * skin_mm);
  map.matrix[EMG_INVERSION_ZONE][EMG_UNIT_ZONE] = 1;
  map.matrix[EMG_INVERSION_CV][EMG_UNIT_CV] = 1;
  map.matrix[EMG_INVERSION_HALF_LENGTH_1][EMG_UNIT_TENDON_1] = 1;
  map.matrix[EMG_INVERSION_HALF_LENGTH_1][EMG_UNIT_ZONE] = -1;
  map.matrix[EMG_INVERSION_HALF_LENGTH_2][EMG_UNIT_TENDON_2] = -1;
  map.matrix[EMG_INVERSION_HALF_LENGTH_2][EMG_UNIT_ZONE] = 1;
  map.matrix[EMG_INVERSION_TERRITORY][EMG_UNIT_TERRITORY] = 1;
  map.matrix[EMG_INVERSION_ZONE_SPREAD][EMG_UNIT_ZONE_SPREAD] = 1;
  map.matrix[EMG_INVERSION_LATENCY][EMG_UNIT_LATENCY] = 1;
  map.constant[EMG_INVERSION_LATENCY] = fitted->to_spike_ms;
  map.matrix[EMG_INVERSION_FIBRE_COUNT][EMG_UNIT_PARAMETERS] = 1;
  return map;
}

void emg_report_values(const emg_conductor *conductor, const emg_fitted *fitted, double value[P]) {
  const linear_map map = map_of(conductor, fitted);
  const emg_fit *fit = &fitted->fit;

  for (int i = 0; i < P; i++) {
    value[i] = map.constant[i];
    for (int p = 0; p < M; p++) {
      double of_fit = p < EMG_UNIT_PARAMETERS ? fit->unit.value[p] : fit->amplitude;
      value[i] += map.matrix[i][p] * of_fit;
    }
  }
}

static void covariance_of(const linear_map *map, const emg_fit *fit, double out[P][P]) {
  for (int i = 0; i < P; i++) {
    for (int j = 0; j < P; j++) {
      out[i][j] = 0;
      for (int p = 0; p < M; p++) {
        for (int q = 0; q < M; q++) {
          out[i][j] += map->matrix[i][p] * fit->covariance[p][q] * map->matrix[j][q];
        }
      }
    }
  }
}

// Deviations grow by the error of the model and by those of what all units share; correlations are
// those of noise.
static void set_uncertainty(const emg_fit_problem *problem, const linear_map *map,
                            const emg_fit *fit, const double shared_variance[P],
                            emg_inverted_unit *out) {
  const emg_expected *e = problem->expected;
  const double amplitude_floor = e->amplitude_floor * fit->amplitude;
  double covariance[P][P];

  covariance_of(map, fit, covariance);
  for (int i = 0; i < P; i++) {
    double noise = e->error_factor * sqrt(fmax(covariance[i][i], 0)), model = 0;
    for (int p = 0; p < M; p++) {
      double floor = p < EMG_UNIT_PARAMETERS ? e->floor[p] : amplitude_floor;
      model = hypot(model, map->matrix[i][p] * floor);
    }
    out->sd[i] = sqrt(noise * noise + model * model + shared_variance[i]);
    for (int j = 0; j < P; j++) {
      double product = covariance[i][i] * covariance[j][j];
      out->correlation[i][j] = i == j ? 1 : product > 0 ? covariance[i][j] / sqrt(product) : 0;
    }
  }
}

void emg_report_unit(const emg_conductor *conductor, const emg_fit_problem *problem,
                     const emg_fitted *fitted, emg_inverted_unit *out) {
  const linear_map map = map_of(conductor, fitted);

  emg_report_values(conductor, fitted, out->value);
  out->value[EMG_INVERSION_ANGLE] = remainder(out->value[EMG_INVERSION_ANGLE], 360);
  out->cosine = fitted->cosine;
  set_uncertainty(problem, &map, &fitted->fit, fitted->shared_variance, out);
}

// --- what all units share ---

static emg_status add_number(emg_table *table, const char *name, const char *unit, double value,
                             emg_error *err) {
  return emg_table_add(table, name, unit, &value, 1, err);
}

static emg_status add_shared(emg_table *table, const char *name, const char *unit,
                             const emg_profile *shared, emg_error *err) {
  char name_of_sd[64];

  EMG_TRY(add_number(table, name, unit, shared->value, err));
  if (shared->sd == 0) {
    return EMG_OK;
  }
  snprintf(name_of_sd, sizeof name_of_sd, "%s_sd", name);
  return add_number(table, name_of_sd, unit, shared->sd, err);
}

emg_status emg_report_conductor(const emg_config *config,
                                const emg_profile shared[EMG_SHARED_PARAMETERS], emg_table *out,
                                emg_error *err) {
  const struct emg_config_conductor *c = &config->conductor;

  EMG_TRY(add_number(out, "bone_radius_mm", "mm", c->bone_radius_mm, err));
  EMG_TRY(add_number(out, "muscle_radius_mm", "mm", c->muscle_radius_mm, err));
  EMG_TRY(add_number(out, "fascia_thickness_mm", "mm", c->fascia_thickness_mm, err));
  EMG_TRY(add_number(out, "skin_thickness_mm", "mm", c->skin_thickness_mm, err));
  EMG_TRY(add_number(out, "muscle_axial_s_per_m", "S/m", c->muscle_axial_s_per_m, err));
  EMG_TRY(add_number(out, "muscle_transverse_s_per_m", "S/m", c->muscle_transverse_s_per_m, err));
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    EMG_TRY(add_shared(out, emg_shared_name(p), emg_shared_unit(p), &shared[p], err));
  }
  return EMG_OK;
}
