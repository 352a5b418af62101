// invert.c -- from a recording to spike trains and parameters of motor units
#include <emgtwin/invert.h>

#include <math.h>
#include <stdlib.h>

#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "model_guide_priv.h"
#include "paper_priv.h"

// --- does the configuration belong to the recording? ---

static emg_status check_channels(const emg_recording *rec, const emg_config *config,
                                 emg_error *err) {
  emg_conductor conductor;
  emg_electrode_set electrodes = {0};
  emg_montage montage = {0};
  emg_status status;

  EMG_TRY_DONE(emg_conductor_from_config(config, &conductor, err));
  EMG_TRY_DONE(emg_electrodes_create(config, &conductor, &electrodes, err));
  EMG_TRY_DONE(emg_montage_create(config, &electrodes, &montage, err));
  if (montage.weights.n_rows != rec->data.n_rows) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the recording has %d channels, but the grid and the montage of the "
                      "configuration make %d; set electrodes.rows, electrodes.columns and "
                      "montage to those of the recording",
                      rec->data.n_rows, montage.weights.n_rows);
  }
done:
  emg_montage_free(&montage);
  emg_electrodes_free(&electrodes);
  return status;
}

// --- from what is fitted to what is reported ---

enum { M = EMG_FIT_PARAMETERS };

// Reported values are linear in the fitted ones: value = constant + matrix * fitted.
typedef struct {
  double constant[EMG_INVERSION_PARAMETERS];
  double matrix[EMG_INVERSION_PARAMETERS][M];
} linear_map;

static linear_map map_of(const emg_subject *subject, double to_spike_ms) {
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(&subject->conductor);
  linear_map map = {0};

  // below the skin, not below the muscle's surface: what lies between trades off with depth
  map.matrix[EMG_INVERSION_DEPTH][EMG_UNIT_DEPTH] = 1;
  map.constant[EMG_INVERSION_DEPTH] =
      skin_mm - 1e3 * emg_conductor_muscle_outer_m(&subject->conductor);
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
  map.constant[EMG_INVERSION_LATENCY] = to_spike_ms;
  map.matrix[EMG_INVERSION_FIBRE_COUNT][EMG_UNIT_PARAMETERS] = 1;
  return map;
}

// Deviations grow by the error of the model; correlations are those of noise.
static void set_uncertainty(const emg_expected *e, const linear_map *map, const emg_fit *fit,
                            double amplitude_floor, emg_inverted_unit *out) {
  double covariance[EMG_INVERSION_PARAMETERS][EMG_INVERSION_PARAMETERS] = {{0}};

  for (int i = 0; i < EMG_INVERSION_PARAMETERS; i++) {
    for (int j = 0; j < EMG_INVERSION_PARAMETERS; j++) {
      for (int p = 0; p < M; p++) {
        for (int q = 0; q < M; q++) {
          covariance[i][j] += map->matrix[i][p] * fit->covariance[p][q] * map->matrix[j][q];
        }
      }
    }
  }
  for (int i = 0; i < EMG_INVERSION_PARAMETERS; i++) {
    double model = 0;
    for (int p = 0; p < M; p++) {
      double floor = p < EMG_UNIT_PARAMETERS ? e->floor[p] : amplitude_floor;
      model = hypot(model, map->matrix[i][p] * floor);
    }
    out->sd[i] = hypot(e->error_factor * sqrt(fmax(covariance[i][i], 0)), model);
    for (int j = 0; j < EMG_INVERSION_PARAMETERS; j++) {
      double product = covariance[i][i] * covariance[j][j];
      out->correlation[i][j] = i == j ? 1 : product > 0 ? covariance[i][j] / sqrt(product) : 0;
    }
  }
}

static void report_unit(const emg_model_guide *g, const emg_fitted *fitted,
                        emg_inverted_unit *out) {
  const emg_fit *fit = &fitted->fit;
  const double sample_ms = 1e3 / g->subject.view.rate_hz;
  linear_map map = map_of(&g->subject, (fit->shift - g->discharge_rows) * sample_ms);

  for (int i = 0; i < EMG_INVERSION_PARAMETERS; i++) {
    out->value[i] = map.constant[i];
    for (int p = 0; p < M; p++) {
      double value = p < EMG_UNIT_PARAMETERS ? fit->unit.value[p] : fit->amplitude;
      out->value[i] += map.matrix[i][p] * value;
    }
  }
  out->value[EMG_INVERSION_ANGLE] = remainder(out->value[EMG_INVERSION_ANGLE], 360);
  out->cosine = fitted->cosine;
  set_uncertainty(g->problem.expected, &map, fit, g->problem.template_error * fit->amplitude, out);
}

static emg_status report_conductor(const emg_config *config, emg_table *out, emg_error *err) {
  const struct emg_config_conductor *c = &config->conductor;
  const struct {
    const char *name, *unit;
    double value;
  } rows[] = {
      {"bone_radius_mm", "mm", c->bone_radius_mm},
      {"muscle_radius_mm", "mm", c->muscle_radius_mm},
      {"fascia_thickness_mm", "mm", c->fascia_thickness_mm},
      {"fat_thickness_mm", "mm", emg_shared_get(config, EMG_SHARED_FAT)},
      {"skin_thickness_mm", "mm", c->skin_thickness_mm},
      {"muscle_axial_s_per_m", "S/m", c->muscle_axial_s_per_m},
      {"muscle_transverse_s_per_m", "S/m", c->muscle_transverse_s_per_m},
      {"grid_rotation_deg", "deg", emg_shared_get(config, EMG_SHARED_ROTATION)},
      {"grid_offset_mm", "mm", emg_shared_get(config, EMG_SHARED_OFFSET)},
      {"half_length_1_mm", "mm", emg_shared_get(config, EMG_SHARED_TENDON_1)},
      {"half_length_2_mm", "mm", emg_shared_get(config, EMG_SHARED_TENDON_2)},
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    EMG_TRY(emg_table_add(out, rows[i].name, rows[i].unit, &rows[i].value, 1, err));
  }
  return EMG_OK;
}

// --- all together ---

// What all units share is taken from the configuration.
static emg_status check_shared(const emg_config *config, emg_error *err) {
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    if (emg_shared_is_estimated(config, (emg_shared_parameter)p)) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "rotation and offset of the grid, fat, tendons and anisotropy cannot be "
                      "estimated by this version; give their values and set invert.rotation, "
                      "invert.offset, invert.fat, invert.tendons and invert.anisotropy to fixed");
    }
  }
  return EMG_OK;
}

static emg_config config_of_search(const emg_config *config) {
  emg_config of_search = *config;

  of_search.decompose.rounds = config->invert.rounds;
  of_search.decompose.spikes_min = config->invert.spikes_min;
  return of_search;
}

emg_status emg_invert(const emg_recording *rec, const emg_config *config,
                      const emg_monitor *monitor, emg_decomposition *found, emg_inversion *out,
                      emg_error *err) {
  emg_model_guide model = {.config = config_of_search(config), .monitor = monitor};
  emg_guide guide = emg_model_guide_as_guide(&model);
  emg_status status;

  emg_init();
  *found = (emg_decomposition){0};
  *out = (emg_inversion){0};
  EMG_TRY(check_shared(config, err));
  EMG_TRY(check_channels(rec, config, err));
  EMG_TRY_DONE(config->invert.mode == EMG_INVERT_PAPER
                   ? emg_paper_run(rec, &model, found, err)
                   : emg_decompose_guided(rec, &model.config, &guide, monitor, found, err));
  EMG_TRY_DONE(emg_alloc((size_t)model.n_results, sizeof *out->units, &out->units, err));
  out->n_units = model.n_results;
  for (int u = 0; u < out->n_units; u++) {
    report_unit(&model, &model.results[u], &out->units[u]);
  }
  EMG_TRY_DONE(report_conductor(config, &out->conductor, err));

done:
  emg_model_guide_free(&model);
  if (status != EMG_OK) {
    emg_decomposition_free(found);
    emg_inversion_free(out);
  }
  return status;
}
