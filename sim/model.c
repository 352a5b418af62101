// model.c -- configuration to immutable model: the only place where the parts of the subject meet
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#include "pool_priv.h"

// Fibres of the muscles placed so far end at n_fibres; this muscle's are appended.
static emg_status append_muscle(emg_model *model, int muscle, emg_error *err) {
  const emg_config *config = &model->config;
  emg_region region;
  int n_fibres, n_units = config->pool[muscle].units;
  double *x_m, *y_m;

  EMG_TRY(emg_region_create(config, &model->conductor, muscle, &region, err));
  EMG_TRY(emg_muscle_place_fibres(config, &model->conductor, muscle, &n_fibres, &x_m, &y_m, err));

  emg_status status = EMG_OK;
  emg_fibre *fibres =
      realloc(model->fibres, ((size_t)model->n_fibres + (size_t)n_fibres) * sizeof *fibres);
  if (!fibres) {
    status = emg_fail(err, EMG_ERR_MEMORY, "cannot allocate %d fibres; lower the fibre density",
                      n_fibres);
    goto done;
  }
  model->fibres = fibres;
  emg_motor_unit *units = &model->units[model->n_units];
  EMG_TRY_DONE(emg_pool_create(config, muscle, emg_region_area_m2(&region), n_fibres, x_m, y_m,
                               units, &fibres[model->n_fibres], err));
  for (int u = 0; u < n_units; u++) {
    units[u].fibre_begin += model->n_fibres;
  }
  model->n_units += n_units;
  model->n_fibres += n_fibres;
done:
  free(x_m);
  free(y_m);
  return status;
}

static emg_status append_muscles(emg_model *model, emg_error *err) {
  size_t n_units = 0;

  for (int m = 0; m < model->n_muscles; m++) {
    n_units += (size_t)model->config.pool[m].units;
  }
  EMG_TRY(emg_alloc(n_units, sizeof *model->units, &model->units, err));
  for (int m = 0; m < model->n_muscles; m++) {
    EMG_TRY(append_muscle(model, m, err));
  }
  return EMG_OK;
}

emg_status emg_model_create(const emg_config *config, emg_model *out, emg_error *err) {
  emg_status status;

  emg_init();
  *out = (emg_model){.config = *config, .n_muscles = config->n_muscles};
  EMG_TRY_DONE(emg_conductor_from_config(config, &out->conductor, err));
  out->source = emg_action_potential_from_config(config);
  EMG_TRY_DONE(emg_electrodes_create(config, &out->conductor, &out->electrodes, err));
  EMG_TRY_DONE(emg_montage_create(config, &out->electrodes, &out->montage, err));
  EMG_TRY_DONE(append_muscles(out, err));
done:
  if (status != EMG_OK) {
    emg_model_free(out);
  }
  return status;
}

void emg_model_free(emg_model *model) {
  emg_electrodes_free(&model->electrodes);
  emg_montage_free(&model->montage);
  free(model->units);
  free(model->fibres);
  *model = (emg_model){0};
}

// --- unit table ---

// Means over a unit's fibres, and what follows from them.
typedef struct {
  double x_m, y_m, end_plate_m, length_1_m, length_2_m, cv_m_per_s, diameter_m, delay_s;
} fibre_means;

static fibre_means average_fibres(const emg_model *model, const emg_motor_unit *unit) {
  fibre_means sum = {0};
  double n = unit->fibre_count;

  for (int i = unit->fibre_begin; i < unit->fibre_begin + unit->fibre_count; i++) {
    const emg_fibre *f = &model->fibres[i];
    sum.x_m += f->radius_m * cos(f->theta_rad) / n;
    sum.y_m += f->radius_m * sin(f->theta_rad) / n;
    sum.end_plate_m += f->end_plate_m / n;
    sum.length_1_m += f->length_1_m / n;
    sum.length_2_m += f->length_2_m / n;
    sum.cv_m_per_s += f->cv_m_per_s / n;
    sum.diameter_m += f->diameter_m / n;
    sum.delay_s += f->delay_s / n;
  }
  return sum;
}

// Every column of the table: name, unit, and the value of unit `u` with fibre means `f`.
#define UNIT_COLUMNS(COLUMN)                                                          \
  COLUMN("muscle", "", u->muscle)                                                     \
  COLUMN("depth_mm", "mm", 1e3 * (skin_radius_m - hypot(f.x_m, f.y_m)))               \
  COLUMN("angle_deg", "deg", atan2(f.y_m, f.x_m) * 180 / M_PI)                        \
  COLUMN("x_mm", "mm", 1e3 * f.x_m)                                                   \
  COLUMN("y_mm", "mm", 1e3 * f.y_m)                                                   \
  COLUMN("territory_x_mm", "mm", 1e3 * u->centre_radius_m * cos(u->centre_theta_rad)) \
  COLUMN("territory_y_mm", "mm", 1e3 * u->centre_radius_m * sin(u->centre_theta_rad)) \
  COLUMN("territory_radius_mm", "mm", 1e3 * u->territory_radius_m)                    \
  COLUMN("fibre_count", "", u->fibre_count)                                           \
  COLUMN("innervation_zone_mm", "mm", 1e3 * f.end_plate_m)                            \
  COLUMN("half_length_1_mm", "mm", 1e3 * f.length_1_m)                                \
  COLUMN("half_length_2_mm", "mm", 1e3 * f.length_2_m)                                \
  COLUMN("conduction_velocity_m_per_s", "m/s", f.cv_m_per_s)                          \
  COLUMN("mean_fibre_diameter_um", "um", 1e6 * f.diameter_m)                          \
  COLUMN("end_plate_delay_ms", "ms", 1e3 * f.delay_s)                                 \
  COLUMN("recruitment_threshold", "fraction", u->recruitment_threshold)               \
  COLUMN("rate_min_hz", "Hz", u->rate_min_hz)                                         \
  COLUMN("rate_max_hz", "Hz", u->rate_max_hz)                                         \
  COLUMN("rate_gain_hz", "Hz", u->rate_gain_hz)                                       \
  COLUMN("isi_cov", "", u->isi_cov)                                                   \
  COLUMN("twitch_force", "", u->twitch_force)                                         \
  COLUMN("twitch_time_ms", "ms", 1e3 * u->twitch_time_s)

static const struct {
  const char *name, *unit;
} unit_columns[] = {
#define COLUMN(name, unit, value) {name, unit},
    UNIT_COLUMNS(COLUMN)
#undef COLUMN
};

enum { N_UNIT_COLUMNS = sizeof unit_columns / sizeof unit_columns[0] };

// Values of unit `u` into row `row` of columns of length n_units.
static void fill_row(const emg_model *model, int row, double *columns) {
  const emg_motor_unit *u = &model->units[row];
  fibre_means f = average_fibres(model, u);
  double skin_radius_m = emg_conductor_skin_radius_m(&model->conductor);
  double *next = columns + row;

#define COLUMN(name, unit, value) \
  *next = (value);                \
  next += model->n_units;
  UNIT_COLUMNS(COLUMN)
#undef COLUMN
}

emg_status emg_model_unit_table(const emg_model *model, emg_table *out, emg_error *err) {
  double *columns;
  emg_status status = EMG_OK;

  *out = (emg_table){0};
  EMG_TRY(emg_alloc((size_t)model->n_units * N_UNIT_COLUMNS, sizeof *columns, &columns, err));
  for (int u = 0; u < model->n_units; u++) {
    fill_row(model, u, columns);
  }
  for (int c = 0; c < N_UNIT_COLUMNS; c++) {
    EMG_TRY_DONE(emg_table_add(out, unit_columns[c].name, unit_columns[c].unit,
                               columns + (ptrdiff_t)c * model->n_units, model->n_units, err));
  }
done:
  free(columns);
  if (status != EMG_OK) {
    emg_table_free(out);
  }
  return status;
}
