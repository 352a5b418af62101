// mean_unit.c -- tables and electrodes of the mean-unit model
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "sim/conductor_priv.h"

// As in engine.c: what sample fibres must meet, and how often tables are made finer.
#define CHECK_PART (1.0 / 3)
#define PASSES_MAX 4
#define COARSEST 1.3
// Fibres and their ends are held this far beyond the range, where limits have taken hold.
#define BEYOND_MM 1.0
// Angles closer than this are one column; electrodes further from the skin than SAME_RADIUS are
// not on it.
#define SAME_ANGLE_RAD 1e-9
#define SAME_RADIUS 1e-6
#define SAMPLES_MAX 1000000
// Ends may be this many of their standard deviations beyond where end-plates are held: emg_end_rule
// keeps the tendon three beyond the outermost end-plate, and the ends within three of it.
#define ENDS_REACH 6.5
// Waves of the outermost nodes must run forwards.
#define CV_SPREAD_MAX 0.2

// --- Checks -------------------------------------------------------------------------------------

static emg_status check_range(const emg_conductor *conductor, const emg_mean_unit_range *range,
                              emg_error *err) {
  const double outer_mm = 1e3 * emg_conductor_muscle_outer_m(conductor);
  const double thickness_mm = outer_mm - 1e3 * emg_conductor_muscle_inner_m(conductor);

  if (!(range->depth_max_mm > 0) || !(range->depth_max_mm <= thickness_mm + 1e-6)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "units down to %g mm in a muscle %g mm thick: give a depth within it",
                    range->depth_max_mm, thickness_mm);
  }
  if (!(range->z_max_mm > range->z_min_mm) || !isfinite(range->z_max_mm - range->z_min_mm)) {
    return emg_fail(err, EMG_ERR_ARG, "fibres from z = %g to %g mm: give a finite, ascending range",
                    range->z_min_mm, range->z_max_mm);
  }
  if (!(range->rate_hz > 0) || !isfinite(range->rate_hz) || range->n_samples < 1 ||
      range->n_samples > SAMPLES_MAX || range->origin < 0 || range->origin >= range->n_samples) {
    return emg_fail(err, EMG_ERR_ARG,
                    "%d samples at %g Hz with the discharge at sample %d: give 1 to %d samples, a "
                    "positive rate and a sample among them",
                    range->n_samples, range->rate_hz, range->origin, SAMPLES_MAX);
  }
  if (!(range->tendon_spread_mm >= 0) || !isfinite(range->tendon_spread_mm) ||
      !(range->cv_spread >= 0) || !(range->cv_spread <= CV_SPREAD_MAX) ||
      !(range->shift_max_mm >= 0) || !isfinite(range->shift_max_mm) ||
      !(range->fibre_diameter_um > 0) || !isfinite(range->fibre_diameter_um) ||
      !(range->tolerance > 0)) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "fibres of %g um with ends within %g mm, electrodes shifted by %g mm, tolerance "
        "%g: diameter and tolerance must be positive, the others not negative",
        range->fibre_diameter_um, range->tendon_spread_mm, range->shift_max_mm, range->tolerance);
  }
  return EMG_OK;
}

static emg_status check_electrodes(const emg_conductor *conductor, const emg_electrode_set *set,
                                   emg_error *err) {
  const double skin_m = emg_conductor_skin_radius_m(conductor);

  if (set->n_electrodes < 1) {
    return emg_fail(err, EMG_ERR_ARG, "a model of mean units needs at least one electrode");
  }
  for (int e = 0; e < set->n_electrodes; e++) {
    const emg_electrode *electrode = &set->electrodes[e];
    if (set->is_interior || !(fabs(electrode->radius_m - skin_m) <= SAME_RADIUS * skin_m)) {
      return emg_fail(err, EMG_ERR_ARG,
                      "electrode %d is at radius %g mm, not on the skin at %g mm: mean units are "
                      "computed for surface electrodes",
                      e, 1e3 * electrode->radius_m, 1e3 * skin_m);
    }
    if (!isfinite(electrode->theta_rad) || !isfinite(electrode->z_m)) {
      return emg_fail(err, EMG_ERR_ARG, "electrode %d is at %g rad, %g m: give finite numbers", e,
                      electrode->theta_rad, electrode->z_m);
    }
  }
  return EMG_OK;
}

// --- Electrodes ---------------------------------------------------------------------------------

typedef struct {
  double theta_rad;
  int electrode;
} place;

static int compare_places(const void *a, const void *b) {
  const place *p = a, *q = b;

  if (p->theta_rad != q->theta_rad) {
    return p->theta_rad < q->theta_rad ? -1 : 1;
  }
  return p->electrode - q->electrode;
}

// Columns of one angle each, in the order of the angles.
static void fill_columns(emg_mean_model *model, const place *places) {
  model->n_columns = 0;
  for (int i = 0; i < model->n_electrodes; i++) {
    const double z_mm = model->z_mm[places[i].electrode];

    model->order[i] = places[i].electrode;
    if (i == 0 || places[i].theta_rad - places[i - 1].theta_rad > SAME_ANGLE_RAD) {
      model->columns[model->n_columns++] = (emg_mean_column){places[i].theta_rad, z_mm, z_mm, i, i};
    }
    emg_mean_column *column = &model->columns[model->n_columns - 1];
    column->z_min_mm = fmin(column->z_min_mm, z_mm);
    column->z_max_mm = fmax(column->z_max_mm, z_mm);
    column->end = i + 1;
  }
  model->facts.n_columns = model->n_columns;
}

static emg_status take_electrodes(emg_mean_model *model, const emg_electrode_set *set,
                                  emg_error *err) {
  const size_t n = (size_t)set->n_electrodes;
  place *places;

  model->n_electrodes = set->n_electrodes;
  EMG_TRY(emg_alloc(n, sizeof *model->electrodes, &model->electrodes, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &model->z_mm, err));
  EMG_TRY(emg_alloc(n, sizeof(int), &model->order, err));
  EMG_TRY(emg_alloc(n, sizeof *model->columns, &model->columns, err));
  EMG_TRY(emg_alloc(n, sizeof *places, &places, err));
  memcpy(model->electrodes, set->electrodes, n * sizeof *model->electrodes);
  for (int e = 0; e < set->n_electrodes; e++) {
    model->z_mm[e] = 1e3 * set->electrodes[e].z_m;
    places[e] = (place){remainder(set->electrodes[e].theta_rad, 2 * M_PI), e};
  }
  qsort(places, n, sizeof *places, compare_places);
  fill_columns(model, places);
  free(places);
  return EMG_OK;
}

// --- Tables -------------------------------------------------------------------------------------

static emg_status build_table(emg_mean_model *model, double fineness, emg_error *err) {
  // ends are further out than end-plates
  const double reach_mm =
      fmax(model->z_reach_high_mm - model->z_low_mm, model->z_high_mm - model->z_reach_low_mm) +
      ENDS_REACH * model->range.tendon_spread_mm + BEYOND_MM;
  const double radius_m = 0.5e-6 * model->range.fibre_diameter_um;
  // c = pi r^2 sigma_i, and V to uV
  const double scale_uv =
      1e6 * M_PI * radius_m * radius_m * model->source.source.intracellular_s_per_m;

  return emg_mean_table_build(&model->source, model->range.depth_max_mm, reach_mm, scale_uv,
                              fineness, &model->table, err);
}

// Splines across err with the fourth power of the step, those along z with the sixth.
static emg_status refine(emg_mean_model *model, emg_error *err) {
  const double goal = CHECK_PART * model->range.tolerance;
  double fineness = fmin(COARSEST, sqrt(sqrt(model->range.tolerance / 1e-3))), error;

  for (int pass = 0;; pass++) {
    EMG_TRY(build_table(model, fineness, err));
    EMG_TRY(emg_mean_model_measure(model, &error, err));
    if (error <= goal || pass + 1 == PASSES_MAX) {
      break;
    }
    fineness *= fmax(0.5, 0.9 * sqrt(sqrt(goal / error)));
  }
  model->facts.measured_error = error;
  return EMG_OK;
}

static void gather_facts(emg_mean_model *model) {
  const emg_mean_table *table = &model->table;

  model->facts.table_mib = emg_mean_table_mib(table);
  model->facts.n_radii = table->n_radii;
  model->facts.n_angles = table->n_angles;
  model->facts.n_offsets = 2 * table->n_half + 1;
  model->facts.n_orders = table->truncation.n_orders;
  model->facts.n_wavenumbers = table->truncation.n_wavenumbers;
}

static double seconds_now(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// --- Public -------------------------------------------------------------------------------------

emg_status emg_mean_model_create(const emg_conductor *conductor,
                                 const emg_electrode_set *electrodes,
                                 const emg_action_potential *source,
                                 const emg_mean_unit_range *range, emg_mean_model **out,
                                 emg_error *err) {
  emg_status status = EMG_OK;
  const double start_s = seconds_now();
  emg_mean_model *model;

  *out = NULL;
  emg_init();
  EMG_TRY(emg_conductor_check(conductor, err));
  EMG_TRY(emg_action_potential_check(source, err));
  EMG_TRY(check_range(conductor, range, err));
  EMG_TRY(check_electrodes(conductor, electrodes, err));
  EMG_TRY(emg_alloc(1, sizeof *model, &model, err));
  model->source = (emg_table_source){.conductor = *conductor,
                                     .detection = electrodes->detection,
                                     .source = *source,
                                     .range.tolerance = range->tolerance};
  model->range = *range;
  model->scale_mm = 1e3 * source->scale_m;
  model->tail = emg_course_tail(range->tolerance);
  model->z_low_mm = range->z_min_mm - BEYOND_MM;
  model->z_high_mm = range->z_max_mm + BEYOND_MM;
  EMG_TRY_DONE(take_electrodes(model, electrodes, err));
  model->z_reach_low_mm = model->z_reach_high_mm = model->z_mm[0];
  for (int e = 0; e < model->n_electrodes; e++) {
    model->z_reach_low_mm = fmin(model->z_reach_low_mm, model->z_mm[e] - range->shift_max_mm);
    model->z_reach_high_mm = fmax(model->z_reach_high_mm, model->z_mm[e] + range->shift_max_mm);
  }

  // sample fibres are single ones
  model->range.cv_spread = 0;
  EMG_TRY_DONE(emg_end_rule_create(0, model->scale_mm, model->tail, &model->ends, err));
  EMG_TRY_DONE(refine(model, err));
  model->range.cv_spread = range->cv_spread;
  EMG_TRY_DONE(emg_end_rule_create(range->tendon_spread_mm, model->scale_mm, model->tail,
                                   &model->ends, err));
  gather_facts(model);
  model->facts.build_s = seconds_now() - start_s;
  *out = model;
  model = NULL;
done:
  emg_mean_model_free(model);
  return status;
}

static bool is_same_detection(const emg_detection *a, const emg_detection *b) {
  return a->shape == b->shape && a->radius_m == b->radius_m &&
         a->inner_radius_m == b->inner_radius_m && a->width_m == b->width_m &&
         a->length_m == b->length_m;
}

emg_status emg_mean_model_move(const emg_mean_model *model, const emg_electrode_set *electrodes,
                               emg_mean_model **out, emg_error *err) {
  emg_status status = EMG_OK;
  emg_mean_model *moved;

  *out = NULL;
  EMG_TRY(check_electrodes(&model->source.conductor, electrodes, err));
  if (!is_same_detection(&model->source.detection, &electrodes->detection)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "electrodes of another shape than the tables are for; create a new model");
  }
  for (int e = 0; e < electrodes->n_electrodes; e++) {
    double z_mm = 1e3 * electrodes->electrodes[e].z_m;
    if (z_mm < model->z_reach_low_mm - 1e-9 || z_mm > model->z_reach_high_mm + 1e-9) {
      return emg_fail(err, EMG_ERR_ARG,
                      "electrode %d is at z = %g mm, outside the tables, %g to %g mm; create the "
                      "model with a larger shift_max_mm",
                      e, z_mm, model->z_reach_low_mm, model->z_reach_high_mm);
    }
  }
  EMG_TRY(emg_alloc(1, sizeof *moved, &moved, err));
  *moved = *model;
  moved->is_moved = true;
  moved->electrodes = NULL;
  moved->z_mm = NULL;
  moved->order = NULL;
  moved->columns = NULL;
  EMG_TRY_DONE(take_electrodes(moved, electrodes, err));
  *out = moved;
  moved = NULL;
done:
  emg_mean_model_free(moved);
  return status;
}

void emg_mean_model_free(emg_mean_model *model) {
  if (model) {
    if (!model->is_moved) {
      emg_mean_table_free(&model->table);
      emg_end_rule_free(&model->ends);
    }
    free(model->electrodes);
    free(model->z_mm);
    free(model->order);
    free(model->columns);
    free(model);
  }
}

emg_mean_model_facts emg_mean_model_get_facts(const emg_mean_model *model) {
  return model->facts;
}
