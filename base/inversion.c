// inversion.c -- what an inversion reports of each unit, and its place in the native file
#include <emgtwin/file.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native_priv.h"

enum { P = EMG_INVERSION_PARAMETERS };

static const struct {
  const char *name, *unit;
} parameters[P] = {
    [EMG_INVERSION_DEPTH] = {"depth_mm", "mm"},
    [EMG_INVERSION_ANGLE] = {"angle_deg", "deg"},
    [EMG_INVERSION_ZONE] = {"innervation_zone_mm", "mm"},
    [EMG_INVERSION_CV] = {"conduction_velocity_m_per_s", "m/s"},
    [EMG_INVERSION_HALF_LENGTH_1] = {"half_length_1_mm", "mm"},
    [EMG_INVERSION_HALF_LENGTH_2] = {"half_length_2_mm", "mm"},
    [EMG_INVERSION_TERRITORY] = {"territory_radius_mm", "mm"},
    [EMG_INVERSION_ZONE_SPREAD] = {"innervation_zone_sd_mm", "mm"},
    [EMG_INVERSION_LATENCY] = {"latency_ms", "ms"},
    [EMG_INVERSION_FIBRE_COUNT] = {"fibre_count", "1"},
};

const char *emg_inversion_name(emg_inversion_parameter parameter) {
  return parameters[parameter].name;
}

const char *emg_inversion_unit(emg_inversion_parameter parameter) {
  return parameters[parameter].unit;
}

void emg_inversion_free(emg_inversion *inversion) {
  free(inversion->units);
  emg_table_free(&inversion->conductor);
  *inversion = (emg_inversion){0};
}

// --- columns: one number of every unit ---

enum { N_COLUMNS = 2 * P + 1 };  // values, deviations, and the cosine to the model

typedef struct {
  char path[96];
  const char *unit;
} column;

static column column_of(int index) {
  column c = {.unit = "1"};

  if (index == 2 * P) {
    snprintf(c.path, sizeof c.path, "parameters/model_cosine");
  } else {
    c.unit = parameters[index % P].unit;
    snprintf(c.path, sizeof c.path, "parameters/%s%s", parameters[index % P].name,
             index < P ? "" : "_sd");
  }
  return c;
}

static double *number_of(emg_inverted_unit *unit, int index) {
  return index == 2 * P ? &unit->cosine : index >= P ? &unit->sd[index - P] : &unit->value[index];
}

// --- writing ---

static emg_status write_columns(emg_h5 *file, const emg_inversion *inversion, double *values,
                                emg_error *err) {
  for (int i = 0; i < N_COLUMNS; i++) {
    const column c = column_of(i);
    for (int u = 0; u < inversion->n_units; u++) {
      values[u] = *number_of(&inversion->units[u], i);
    }
    EMG_TRY(emg_native_write_vector(file, c.path, values, inversion->n_units, err));
    EMG_TRY(emg_h5_set_text(file, c.path, "units", c.unit, err));
  }
  return EMG_OK;
}

// [unit][P][P], with the names of rows and columns.
static emg_status write_correlation(emg_h5 *file, const emg_inversion *inversion, double *values,
                                    emg_error *err) {
  const int64_t dims[] = {inversion->n_units, P, P};
  char names[64 * P] = "";
  size_t length = 0;

  for (int u = 0; u < inversion->n_units; u++) {
    memcpy(values + (ptrdiff_t)u * P * P, inversion->units[u].correlation,
           sizeof inversion->units[u].correlation);
  }
  for (int p = 0; p < P; p++) {
    length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", p > 0 ? " " : "",
                               parameters[p].name);
  }
  EMG_TRY(emg_h5_write(file, "parameters/correlation", EMG_H5_F64, 3, dims, 0, values, 0, err));
  return emg_h5_set_text(file, "parameters/correlation", "parameters", names, err);
}

emg_status emg_native_write_inversion(emg_h5 *file, const emg_inversion *inversion,
                                      emg_error *err) {
  double *values;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)inversion->n_units * P * P + 1, sizeof *values, &values, err));
  EMG_TRY_DONE(write_columns(file, inversion, values, err));
  EMG_TRY_DONE(write_correlation(file, inversion, values, err));
  if (inversion->note[0]) {
    EMG_TRY_DONE(emg_h5_set_text(file, "parameters", "note", inversion->note, err));
  }
  status = emg_native_write_table(file, "conductor", &inversion->conductor, err);
done:
  free(values);
  return status;
}

// --- reading ---

static emg_status check_finite(const char *path, int64_t n, const double *values, emg_error *err) {
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(values[i])) {
      return emg_fail(err, EMG_ERR_DATA, "/%s holds values that are not finite", path);
    }
  }
  return EMG_OK;
}

static emg_status read_columns(emg_h5 *file, emg_inversion *out, double *values, emg_error *err) {
  for (int i = 0; i < N_COLUMNS; i++) {
    const column c = column_of(i);
    int64_t n = out->n_units;
    EMG_TRY(emg_h5_expect(file, c.path, 1, &n, err));
    EMG_TRY(emg_h5_read(file, c.path, EMG_H5_F64, 1, &n, 0, values, err));
    EMG_TRY(check_finite(c.path, n, values, err));
    for (int u = 0; u < out->n_units; u++) {
      *number_of(&out->units[u], i) = values[u];
    }
  }
  return EMG_OK;
}

static emg_status read_correlation(emg_h5 *file, emg_inversion *out, double *values,
                                   emg_error *err) {
  const char *const path = "parameters/correlation";
  int64_t dims[] = {out->n_units, P, P};

  EMG_TRY(emg_h5_expect(file, path, 3, dims, err));
  EMG_TRY(emg_h5_read(file, path, EMG_H5_F64, 3, dims, 0, values, err));
  EMG_TRY(check_finite(path, dims[0] * P * P, values, err));
  for (int u = 0; u < out->n_units; u++) {
    memcpy(out->units[u].correlation, values + (ptrdiff_t)u * P * P,
           sizeof out->units[u].correlation);
  }
  return EMG_OK;
}

static emg_status read_inversion(emg_h5 *file, emg_inversion *out, emg_error *err) {
  int64_t n = -1;
  double *values;
  emg_status status;

  EMG_TRY(emg_h5_expect(file, column_of(0).path, 1, &n, err));
  if (n > EMG_NATIVE_UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/parameters has %lld units", (long long)n);
  }
  EMG_TRY(emg_alloc((size_t)n * P * P + 1, sizeof *values, &values, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *out->units, &out->units, err));
  out->n_units = (int)n;
  EMG_TRY_DONE(read_columns(file, out, values, err));
  EMG_TRY_DONE(read_correlation(file, out, values, err));
  emg_h5_attribute_text(file, "parameters", "note", out->note, sizeof out->note);
  status = emg_native_read_table(file, "conductor", 1, &out->conductor, err);
done:
  free(values);
  return status;
}

emg_status emg_file_read_inversion(const char *path, emg_inversion *out, emg_error *err) {
  emg_h5 *file;
  emg_status status;

  *out = (emg_inversion){0};
  EMG_TRY(emg_native_in_file(emg_native_open(path, &file, err), path, err));
  if (emg_h5_has(file, "parameters")) {
    status = read_inversion(file, out, err);
  } else {
    status = emg_fail(err, EMG_ERR_DATA, "the file holds no inversion (no /parameters)");
  }
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_inversion_free(out);
  }
  return emg_native_in_file(status, path, err);
}
