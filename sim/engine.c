// engine.c -- fast single-fibre potentials: build the tables, check them, add fibres
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "sim/conductor_priv.h"

// Tables are refined until sample fibres are this part of the tolerance off, as far as memory goes.
#define CHECK_PART (1.0 / 3)
#define PASSES_MAX 4
#define TABLE_MIB_MAX 512.0
// Steps for a tolerance of 1e-3 are the ones chosen beforehand; none are coarser than this.
#define COARSEST 1.3

struct emg_engine_scratch {
  emg_course course;
  emg_surface_scratch *surface;
  emg_interior_scratch *interior;
};

// --- Checks -------------------------------------------------------------------------------------

static emg_status check_range(const emg_conductor *conductor, const emg_engine_range *range,
                              emg_error *err) {
  const double inner_m = emg_conductor_muscle_inner_m(conductor);
  const double outer_m = emg_conductor_muscle_outer_m(conductor);

  if (!(range->source_min_m >= inner_m - EMG_RANGE_SLACK_M) ||
      !(range->source_max_m >= range->source_min_m) ||
      !(range->source_max_m <= outer_m + EMG_RANGE_SLACK_M)) {
    return emg_fail(
        err, EMG_ERR_ARG, "fibres from radius %g to %g mm do not lie in the muscle, %g to %g mm",
        1e3 * range->source_min_m, 1e3 * range->source_max_m, 1e3 * inner_m, 1e3 * outer_m);
  }
  if (!(range->z_max_m >= range->z_min_m) || !isfinite(range->z_max_m - range->z_min_m)) {
    return emg_fail(err, EMG_ERR_ARG, "fibres from z = %g to %g mm: give a finite, ascending range",
                    1e3 * range->z_min_m, 1e3 * range->z_max_m);
  }
  if (!(range->rate_hz > 0) || range->n_samples < 1 || !(range->tolerance > 0)) {
    return emg_fail(err, EMG_ERR_ARG, "%d samples at %g Hz with tolerance %g: all must be positive",
                    range->n_samples, range->rate_hz, range->tolerance);
  }
  return EMG_OK;
}

static emg_status check_fibre(const emg_engine_range *range, const emg_fibre *f, emg_error *err) {
  if (!(f->cv_m_per_s > 0) || !(f->diameter_m > 0) || !(f->length_1_m >= 0) ||
      !(f->length_2_m >= 0) || !isfinite(f->delay_s) || !isfinite(f->theta_rad) ||
      !isfinite(f->cv_m_per_s) || !isfinite(f->diameter_m)) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "a fibre of %g um and %g m/s reaching %g and %g mm from its end-plate: diameter "
        "and velocity must be positive, lengths not negative",
        1e6 * f->diameter_m, f->cv_m_per_s, 1e3 * f->length_1_m, 1e3 * f->length_2_m);
  }
  if (!(f->radius_m >= range->source_min_m - EMG_RANGE_SLACK_M) ||
      !(f->radius_m <= range->source_max_m + EMG_RANGE_SLACK_M)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a fibre at radius %g mm is outside the tables, %g to %g mm; widen the range",
                    1e3 * f->radius_m, 1e3 * range->source_min_m, 1e3 * range->source_max_m);
  }
  if (!(f->end_plate_m - f->length_2_m >= range->z_min_m - EMG_RANGE_SLACK_M) ||
      !(f->end_plate_m + f->length_1_m <= range->z_max_m + EMG_RANGE_SLACK_M)) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "a fibre from z = %g to %g mm is outside the tables, %g to %g mm; widen the range",
        1e3 * (f->end_plate_m - f->length_2_m), 1e3 * (f->end_plate_m + f->length_1_m),
        1e3 * range->z_min_m, 1e3 * range->z_max_m);
  }
  return EMG_OK;
}

// --- Building -----------------------------------------------------------------------------------

static double table_mib(const emg_engine *engine) {
  double floats = 0;

  for (int i = 0; i < engine->surface.n_bands; i++) {
    const emg_band *b = &engine->surface.bands[i];
    floats += (double)b->n_radii * b->n_angles * (double)b->line_stride;
  }
  for (int i = 0; i < engine->interior.n_tables; i++) {
    const emg_layer_table *t = &engine->interior.tables[i];
    floats += (double)t->n_radii * t->n_angles * 4.0 * t->stretch.n_offsets;
  }
  floats += (double)engine->interior.free.n_widths * 4 * engine->interior.free.stretch.n_offsets;
  return floats * sizeof(float) / (1 << 20);
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

static void gather_facts(emg_engine *engine) {
  emg_engine_facts *facts = &engine->facts;

  facts->table_mib = table_mib(engine);
  for (int i = 0; i < engine->surface.n_bands; i++) {
    const emg_band *b = &engine->surface.bands[i];
    facts->n_radii += b->n_radii;
    facts->n_angles = larger(facts->n_angles, b->n_angles);
    facts->n_offsets = larger(facts->n_offsets, b->n_offsets);
    facts->n_orders = larger(facts->n_orders, b->truncation.n_orders);
    facts->n_wavenumbers = larger(facts->n_wavenumbers, b->truncation.n_wavenumbers);
  }
  for (int i = 0; i < engine->interior.n_tables; i++) {
    const emg_layer_table *t = &engine->interior.tables[i];
    facts->n_radii += t->n_radii;
    facts->n_angles = larger(facts->n_angles, t->n_angles);
    facts->n_offsets = larger(facts->n_offsets, t->stretch.n_offsets);
    facts->n_orders = larger(facts->n_orders, t->truncation.n_orders);
    facts->n_wavenumbers = larger(facts->n_wavenumbers, t->truncation.n_wavenumbers);
  }
}

// Build with given fineness of one band (surface) or of all tables (interior, band 0).
static emg_status build_part(emg_engine *engine, int part, double fineness, emg_error *err) {
  if (!engine->source.is_interior) {
    emg_surface *surface = &engine->surface;
    return emg_band_build(&engine->source, surface, part, fineness, &surface->bands[part], err);
  }
  return emg_interior_build(&engine->source, fineness, &engine->interior, err);
}

// Four-point interpolation errs with the fourth power of the step.
static emg_status refine_part(emg_engine *engine, int part, double fineness, emg_error *err) {
  const emg_engine_range *range = &engine->source.range;
  const double goal = CHECK_PART * range->tolerance;
  double low_m = range->source_min_m, high_m = range->source_max_m, error;

  if (!engine->source.is_interior) {
    low_m = fmax(low_m, engine->surface.bands[part].radius_min_m);
    high_m = fmin(high_m, engine->surface.bands[part].radius_max_m);
  }
  for (int pass = 0;; pass++) {
    EMG_TRY(emg_engine_measure(engine, low_m, high_m, part, &error, err));
    double ratio = fmax(0.5, 0.9 * sqrt(sqrt(goal / error)));
    if (error <= goal || pass + 1 == PASSES_MAX ||
        table_mib(engine) / (ratio * ratio * ratio) > TABLE_MIB_MAX) {
      break;
    }
    fineness *= ratio;
    EMG_TRY(build_part(engine, part, fineness, err));
  }
  engine->facts.measured_error = fmax(engine->facts.measured_error, error);
  return EMG_OK;
}

static double seconds_now(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static emg_status build(emg_engine *engine, const emg_electrode_set *set, emg_error *err) {
  const double fineness = fmin(COARSEST, sqrt(sqrt(engine->source.range.tolerance / 1e-3)));
  int n_parts = 1;

  if (set->is_interior) {
    EMG_TRY(emg_interior_create(&engine->source, set, fineness, &engine->interior, err));
  } else {
    EMG_TRY(emg_surface_create(&engine->source, set, fineness, &engine->surface, err));
    n_parts = engine->surface.n_bands;
  }
  for (int i = 0; i < n_parts; i++) {
    EMG_TRY(refine_part(engine, i, fineness, err));
  }
  return EMG_OK;
}

emg_status emg_engine_create(const emg_conductor *conductor, const emg_electrode_set *electrodes,
                             const emg_action_potential *source, const emg_engine_range *range,
                             emg_engine **out, emg_error *err) {
  emg_status status = EMG_OK;
  emg_engine *engine;
  const double start_s = seconds_now();

  *out = NULL;
  emg_init();
  EMG_TRY(emg_conductor_check(conductor, err));
  EMG_TRY(emg_action_potential_check(source, err));
  EMG_TRY(check_range(conductor, range, err));
  if (electrodes->n_electrodes < 1) {
    return emg_fail(err, EMG_ERR_ARG, "an engine needs at least one electrode");
  }
  EMG_TRY(emg_alloc(1, sizeof *engine, &engine, err));
  engine->source = (emg_table_source){.conductor = *conductor,
                                      .detection = electrodes->detection,
                                      .source = *source,
                                      .range = *range,
                                      .is_interior = electrodes->is_interior};
  engine->source.range.source_min_m =
      fmax(range->source_min_m, emg_conductor_muscle_inner_m(conductor));
  engine->source.range.source_max_m =
      fmin(range->source_max_m, emg_conductor_muscle_outer_m(conductor));
  engine->tail = emg_course_tail(range->tolerance);
  engine->n_electrodes = electrodes->n_electrodes;
  EMG_TRY_DONE(emg_alloc((size_t)engine->n_electrodes, sizeof *engine->electrodes,
                         &engine->electrodes, err));
  memcpy(engine->electrodes, electrodes->electrodes,
         (size_t)engine->n_electrodes * sizeof *engine->electrodes);
  EMG_TRY_DONE(build(engine, electrodes, err));
  gather_facts(engine);
  engine->facts.build_s = seconds_now() - start_s;
  *out = engine;
  engine = NULL;
done:
  emg_engine_free(engine);
  return status;
}

void emg_engine_free(emg_engine *engine) {
  if (engine) {
    emg_surface_free(&engine->surface);
    emg_interior_free(&engine->interior);
    free(engine->electrodes);
    free(engine);
  }
}

emg_engine_facts emg_engine_get_facts(const emg_engine *engine) {
  return engine->facts;
}

// --- Fibres -------------------------------------------------------------------------------------

emg_status emg_engine_scratch_create(const emg_engine *engine, emg_engine_scratch **out,
                                     emg_error *err) {
  emg_status status = EMG_OK;
  const int n_samples = engine->source.range.n_samples;
  emg_engine_scratch *scratch;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *scratch, &scratch, err));
  EMG_TRY_DONE(emg_course_create(n_samples, &scratch->course, err));
  if (engine->source.is_interior) {
    EMG_TRY_DONE(
        emg_interior_scratch_create(&engine->interior, n_samples, &scratch->interior, err));
  } else {
    EMG_TRY_DONE(emg_surface_scratch_create(&engine->surface, n_samples, &scratch->surface, err));
  }
  *out = scratch;
  scratch = NULL;
done:
  emg_engine_scratch_free(scratch);
  return status;
}

void emg_engine_scratch_free(emg_engine_scratch *scratch) {
  if (scratch) {
    emg_course_free(&scratch->course);
    emg_surface_scratch_free(scratch->surface);
    emg_interior_scratch_free(scratch->interior);
    free(scratch);
  }
}

emg_status emg_engine_collect(const emg_engine *engine, const emg_fibre *fibre,
                              emg_engine_scratch *scratch, float *out, emg_error *err) {
  const emg_table_source *source = &engine->source;
  // c = pi r^2 sigma_i, and V to uV
  const double scale =
      1e6 * M_PI / 4 * fibre->diameter_m * fibre->diameter_m * source->source.intracellular_s_per_m;

  EMG_TRY(check_fibre(&source->range, fibre, err));
  emg_course_fill(source, engine->tail, fibre, &scratch->course);
  if (source->is_interior) {
    emg_interior_add(source, &engine->interior, engine->electrodes, fibre, (float)scale,
                     &scratch->course, scratch->interior, source->range.n_samples, out);
  } else {
    emg_surface_add(source, &engine->surface, fibre, (float)scale, &scratch->course,
                    scratch->surface);
  }
  return EMG_OK;
}

void emg_engine_flush(const emg_engine *engine, emg_engine_scratch *scratch, float *out) {
  if (!engine->source.is_interior) {
    emg_surface_flush(&engine->surface, engine->source.range.n_samples, scratch->surface, out);
  }
}

emg_status emg_engine_add_fibre(const emg_engine *engine, const emg_fibre *fibre,
                                emg_engine_scratch *scratch, float *out, emg_error *err) {
  EMG_TRY(emg_engine_collect(engine, fibre, scratch, out, err));
  emg_engine_flush(engine, scratch, out);
  return EMG_OK;
}
