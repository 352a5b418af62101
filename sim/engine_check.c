// engine_check.c -- error of the tables, measured on sample fibres against direct sums
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/rng.h>

enum { FIBRES = 3, ELECTRODES = 8, STRIDE = 3 };
// The reference's own error, as a part of the tolerance.
#define EXACT_PART 0.1

static double between(emg_rng *rng, double low, double high) {
  return low + (high - low) * emg_rng_uniform(rng);
}

// The first fibre lies near the outer end of the radii, where interpolation is hardest; half of
// them lie under an electrode.
static emg_fibre sample_fibre(const emg_engine *engine, double radius_min_m, double radius_max_m,
                              int index, emg_rng *rng) {
  const emg_engine_range *range = &engine->source.range;
  const double length_m = range->z_max_m - range->z_min_m;
  uint32_t near = emg_rng_below(rng, (uint32_t)engine->n_electrodes);
  emg_fibre fibre = {.diameter_m = 55e-6};

  fibre.radius_m = between(rng, radius_min_m, radius_max_m);
  if (index == 0) {
    fibre.radius_m = radius_max_m - 0.02 * (radius_max_m - radius_min_m);
  }
  fibre.theta_rad = between(rng, -M_PI, M_PI);
  if (index % 2 == 0) {
    fibre.theta_rad = engine->electrodes[near].theta_rad + between(rng, -0.2, 0.2);
  }
  fibre.end_plate_m = range->z_min_m + length_m * between(rng, 0.3, 0.7);
  fibre.length_1_m = (range->z_max_m - fibre.end_plate_m) * between(rng, 0.8, 1);
  fibre.length_2_m = (fibre.end_plate_m - range->z_min_m) * between(rng, 0.8, 1);

  // as slow as the samples allow
  double run_m =
      fmax(fibre.length_1_m, fibre.length_2_m) + engine->tail * engine->source.source.scale_m;
  fibre.cv_m_per_s = between(rng, 1, 1.3) * run_m * range->rate_hz / range->n_samples;
  fibre.delay_s = between(rng, 0, 1) / range->rate_hz;
  return fibre;
}

// Electrodes of one radius at a time, as the direct sums take them; every STRIDE-th sample.
static emg_status compare(const emg_engine *engine, const emg_fibre *fibre, int electrode,
                          const float *fast, int n_electrodes, const int *chosen, double *error,
                          emg_error *err) {
  const emg_table_source *source = &engine->source;
  const int n_samples = source->range.n_samples, n_strided = (n_samples + STRIDE - 1) / STRIDE;
  double theta_rad[ELECTRODES], z_m[ELECTRODES], *exact;

  for (int i = 0; i < n_electrodes; i++) {
    theta_rad[i] = engine->electrodes[chosen[i]].theta_rad;
    z_m[i] = engine->electrodes[chosen[i]].z_m;
  }
  EMG_TRY(emg_alloc((size_t)n_electrodes * (size_t)n_strided, sizeof(double), &exact, err));
  emg_status status = emg_fibre_potential_exact(
      &source->conductor, source->is_interior ? NULL : &source->detection, &source->source, fibre,
      engine->electrodes[electrode].radius_m, n_electrodes, theta_rad, z_m,
      source->range.rate_hz / STRIDE, n_strided, EXACT_PART * source->range.tolerance, exact, err);

  for (int i = 0; i < n_electrodes && status == EMG_OK; i++) {
    const float *row = fast + (ptrdiff_t)chosen[i] * n_samples;
    double peak_uv = 0, worst_uv = 0;
    for (int t = 0; t < n_strided; t++) {
      double exact_uv = 1e6 * exact[(ptrdiff_t)i * n_strided + t];
      peak_uv = fmax(peak_uv, fabs(exact_uv));
      worst_uv = fmax(worst_uv, fabs(exact_uv - (double)row[t * STRIDE]));
    }
    *error = fmax(*error, worst_uv / peak_uv);
  }
  free(exact);
  return status;
}

// Beyond what the tables promise, and what direct sums can reach in a sensible time: fibres this
// near to a point in the muscle, or near to the mirror image of one behind a boundary.
#define NEAREST_M 0.2e-3

static int is_too_near(const emg_engine *engine, const emg_fibre *fibre, int electrode) {
  const emg_electrode *e = &engine->electrodes[electrode];
  const emg_conductor *c = &engine->source.conductor;
  const double inner_m = emg_conductor_muscle_inner_m(c), sum_m = e->radius_m + fibre->radius_m;

  if (!engine->source.is_interior) {
    return e->radius_m - fibre->radius_m < EMG_FINEST_DISTANCE_M;
  }
  double half = sin((e->theta_rad - fibre->theta_rad) / 2);
  double distance_m =
      hypot(e->radius_m - fibre->radius_m, 2 * half * sqrt(e->radius_m * fibre->radius_m));
  return distance_m < NEAREST_M ||
         2 * emg_conductor_muscle_outer_m(c) - sum_m < EMG_FINEST_DISTANCE_M ||
         (inner_m > 0 && sum_m - 2 * inner_m < EMG_FINEST_DISTANCE_M);
}

static emg_status measure_fibre(const emg_engine *engine, const emg_fibre *fibre, const float *fast,
                                emg_rng *rng, double *error, emg_error *err) {
  const int n = engine->n_electrodes < ELECTRODES ? engine->n_electrodes : ELECTRODES;
  int chosen[ELECTRODES] = {0};

  for (int i = 0; i < n; i++) {
    chosen[i] =
        n == engine->n_electrodes ? i : (int)emg_rng_below(rng, (uint32_t)engine->n_electrodes);
  }
  if (!engine->source.is_interior) {
    if (is_too_near(engine, fibre, chosen[0])) {
      return EMG_OK;
    }
    return compare(engine, fibre, chosen[0], fast, n, chosen, error, err);
  }
  for (int i = 0; i < n; i++) {
    if (!is_too_near(engine, fibre, chosen[i])) {
      EMG_TRY(compare(engine, fibre, chosen[i], fast, 1, &chosen[i], error, err));
    }
  }
  return EMG_OK;
}

static emg_status measure_sample(const emg_engine *engine, double radius_min_m, double radius_max_m,
                                 int trial, int index, double *error, emg_error *err) {
  emg_status status = EMG_OK;
  emg_engine_scratch *scratch = NULL;
  float *fast = NULL;
  const size_t size = (size_t)engine->n_electrodes * (size_t)engine->source.range.n_samples;
  emg_rng rng = emg_rng_stream(0, EMG_RNG_ACCURACY_CHECK, (uint32_t)index, (uint32_t)trial);
  emg_fibre fibre = sample_fibre(engine, radius_min_m, radius_max_m, index, &rng);

  EMG_TRY_DONE(emg_engine_scratch_create(engine, &scratch, err));
  EMG_TRY_DONE(emg_alloc_aligned(size, sizeof(float), &fast, err));
  EMG_TRY_DONE(emg_engine_add_fibre(engine, &fibre, scratch, fast, err));
  EMG_TRY_DONE(measure_fibre(engine, &fibre, fast, &rng, error, err));
done:
  emg_engine_scratch_free(scratch);
  free(fast);
  return status;
}

emg_status emg_engine_measure(const emg_engine *engine, double radius_min_m, double radius_max_m,
                              int trial, double *error, emg_error *err) {
  emg_status status[FIBRES];
  emg_error errors[FIBRES] = {0};
  double worst[FIBRES] = {0};

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < FIBRES; i++) {
    status[i] = measure_sample(engine, radius_min_m, radius_max_m, trial, i, &worst[i], &errors[i]);
  }
  *error = 0;
  for (int i = 0; i < FIBRES; i++) {
    if (status[i] != EMG_OK) {
      if (err) {
        *err = errors[i];
      }
      return status[i];
    }
    *error = fmax(*error, worst[i]);
  }
  return EMG_OK;
}
