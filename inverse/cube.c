// cube.c -- units of results and of the truth in the parameters of the forward model, errors in the
// unit cube
#include <emgtwin/cost_map.h>

#include <math.h>

#include "inverse_priv.h"

// What values of a file are relative to.
typedef struct {
  emg_conductor conductor;
  emg_expected expected;
  double skin_mm, above_muscle_mm;
} frame;

static emg_status frame_of(const emg_config *config, frame *out, emg_error *err) {
  EMG_TRY(emg_conductor_from_config(config, &out->conductor, err));
  out->expected = emg_expected_from_config(config, &out->conductor);
  out->skin_mm = 1e3 * emg_conductor_skin_radius_m(&out->conductor);
  out->above_muscle_mm = out->skin_mm - 1e3 * emg_conductor_muscle_outer_m(&out->conductor);
  return EMG_OK;
}

// From the values of a file, of which those up to the territory are needed.
static emg_mean_unit unit_of(const frame *f, const double *value) {
  emg_mean_unit unit;
  double zone_mm = value[EMG_INVERSION_ZONE];

  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    unit.value[p] = f->expected.mean[p];
  }
  unit.value[EMG_UNIT_DEPTH] = value[EMG_INVERSION_DEPTH] - f->above_muscle_mm;
  unit.value[EMG_UNIT_ARC] = value[EMG_INVERSION_ANGLE] * M_PI / 180 * f->skin_mm;
  unit.value[EMG_UNIT_ZONE] = zone_mm;
  unit.value[EMG_UNIT_CV] = value[EMG_INVERSION_CV];
  unit.value[EMG_UNIT_TENDON_1] = zone_mm + value[EMG_INVERSION_HALF_LENGTH_1];
  unit.value[EMG_UNIT_TENDON_2] = zone_mm - value[EMG_INVERSION_HALF_LENGTH_2];
  unit.value[EMG_UNIT_TERRITORY] = value[EMG_INVERSION_TERRITORY];
  unit.value[EMG_UNIT_LATENCY] = 0;
  return unit;
}

emg_status emg_mean_unit_of_inverted(const emg_config *config, const emg_inverted_unit *unit,
                                     emg_mean_unit *out, emg_error *err) {
  frame f;

  EMG_TRY(frame_of(config, &f, err));
  *out = unit_of(&f, unit->value);
  out->value[EMG_UNIT_ZONE_SPREAD] = unit->value[EMG_INVERSION_ZONE_SPREAD];
  return EMG_OK;
}

emg_status emg_mean_unit_of_truth(const emg_config *config, const emg_table *units, int row,
                                  emg_mean_unit *out, emg_error *err) {
  double value[EMG_INVERSION_PARAMETERS];
  frame f;

  EMG_TRY(frame_of(config, &f, err));
  if (row < 0 || row >= units->n_rows) {
    return emg_fail(err, EMG_ERR_DATA, "the truth has %d units, and none with number %d",
                    units->n_rows, row);
  }
  for (int p = EMG_INVERSION_DEPTH; p <= EMG_INVERSION_TERRITORY; p++) {
    const double *column = emg_table_get(units, emg_inversion_name((emg_inversion_parameter)p));
    if (!column) {
      return emg_fail(err, EMG_ERR_DATA, "the truth does not hold %s of its units",
                      emg_inversion_name((emg_inversion_parameter)p));
    }
    value[p] = column[row];
  }
  *out = unit_of(&f, value);
  return EMG_OK;
}

// --- errors ---

const char *emg_cube_name(emg_cube_parameter parameter) {
  static const char *const names[] = {"depth", "angle", "innervation_zone", "conduction_velocity",
                                      "length"};
  return names[parameter];
}

static double range_of(const frame *f, emg_unit_parameter p) {
  double low, high;
  emg_expected_range(&f->expected, p, &low, &high);
  return high - low;
}

emg_status emg_cube_errors(const emg_config *config, const emg_inverted_unit *unit,
                           const emg_table *truth_units, int row, double *error, emg_error *err) {
  emg_mean_unit found, truth;
  double miss[EMG_UNIT_PARAMETERS];
  frame f;

  EMG_TRY(frame_of(config, &f, err));
  EMG_TRY(emg_mean_unit_of_inverted(config, unit, &found, err));
  EMG_TRY(emg_mean_unit_of_truth(config, truth_units, row, &truth, err));
  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    miss[p] = found.value[p] - truth.value[p];
  }
  miss[EMG_UNIT_ARC] = remainder(miss[EMG_UNIT_ARC], 2 * M_PI * f.skin_mm);
  error[EMG_CUBE_DEPTH] = miss[EMG_UNIT_DEPTH] / range_of(&f, EMG_UNIT_DEPTH);
  error[EMG_CUBE_ANGLE] = miss[EMG_UNIT_ARC] / range_of(&f, EMG_UNIT_ARC);
  error[EMG_CUBE_ZONE] = miss[EMG_UNIT_ZONE] / range_of(&f, EMG_UNIT_ZONE);
  error[EMG_CUBE_CV] = miss[EMG_UNIT_CV] / range_of(&f, EMG_UNIT_CV);
  error[EMG_CUBE_LENGTH] = (miss[EMG_UNIT_TENDON_1] - miss[EMG_UNIT_TENDON_2]) /
                           (range_of(&f, EMG_UNIT_TENDON_1) + range_of(&f, EMG_UNIT_TENDON_2));
  return EMG_OK;
}
