// mean_unit_check.c -- error of the mean-unit tables, on single fibres against direct sums
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/rng.h>

enum { FIBRES = 4, ELECTRODES = 8, STRIDE = 2 };
// The reference's own error, as a part of the tolerance.
#define EXACT_PART 0.1
// Nearest to the muscle's boundary: limits take hold beyond.
#define NEAREST_MM 0.2

static double between(emg_rng *rng, double low, double high) {
  return low + (high - low) * emg_rng_uniform(rng);
}

// The first fibre is as near to the skin as limits allow, the others spread over the depths; half
// of them lie under an electrode.
static emg_mean_unit sample_unit(const emg_mean_model *model, int index, emg_rng *rng) {
  const emg_mean_unit_range *range = &model->range;
  const double length_mm = range->z_max_mm - range->z_min_mm;
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(&model->source.conductor);
  const double near_mm = fmin(NEAREST_MM, 0.1 * range->depth_max_mm);
  uint32_t under = emg_rng_below(rng, (uint32_t)model->n_electrodes);
  emg_mean_unit unit = {{0}};
  double *value = unit.value;

  value[EMG_UNIT_DEPTH] =
      near_mm + (range->depth_max_mm - 2 * near_mm) * index / (2.0 * (FIBRES - 1));
  double theta_rad = between(rng, -M_PI, M_PI);
  if (index % 2 == 0) {
    theta_rad = model->electrodes[under].theta_rad + between(rng, -0.2, 0.2);
  }
  value[EMG_UNIT_ARC] = theta_rad * skin_mm;
  value[EMG_UNIT_ZONE] = range->z_min_mm + length_mm * between(rng, 0.3, 0.7);
  value[EMG_UNIT_TENDON_1] =
      value[EMG_UNIT_ZONE] + (range->z_max_mm - value[EMG_UNIT_ZONE]) * between(rng, 0.8, 1);
  value[EMG_UNIT_TENDON_2] =
      value[EMG_UNIT_ZONE] + (range->z_min_mm - value[EMG_UNIT_ZONE]) * between(rng, 0.8, 1);
  value[EMG_UNIT_CV] = between(rng, 3, 5);
  value[EMG_UNIT_LATENCY] = 1e3 * (between(rng, 0, 1) - range->origin) / range->rate_hz;
  return unit;
}

static emg_fibre fibre_of(const emg_mean_model *model, const emg_mean_unit *unit) {
  const double *value = unit->value;
  const emg_conductor *conductor = &model->source.conductor;

  return (emg_fibre){
      .radius_m = emg_conductor_muscle_outer_m(conductor) - 1e-3 * value[EMG_UNIT_DEPTH],
      .theta_rad = 1e-3 * value[EMG_UNIT_ARC] / emg_conductor_skin_radius_m(conductor),
      .end_plate_m = 1e-3 * value[EMG_UNIT_ZONE],
      .length_1_m = 1e-3 * (value[EMG_UNIT_TENDON_1] - value[EMG_UNIT_ZONE]),
      .length_2_m = 1e-3 * (value[EMG_UNIT_ZONE] - value[EMG_UNIT_TENDON_2]),
      .cv_m_per_s = value[EMG_UNIT_CV],
      .diameter_m = 1e-6 * model->range.fibre_diameter_um,
      .delay_s = 1e-3 * value[EMG_UNIT_LATENCY] + model->range.origin / model->range.rate_hz,
  };
}

static emg_status compare(const emg_mean_model *model, const emg_mean_unit *unit,
                          const double *fast, emg_rng *rng, double *error, emg_error *err) {
  const emg_table_source *source = &model->source;
  const int n_samples = model->range.n_samples, n_strided = (n_samples + STRIDE - 1) / STRIDE;
  const int n = model->n_electrodes < ELECTRODES ? model->n_electrodes : ELECTRODES;
  const emg_fibre fibre = fibre_of(model, unit);
  int chosen[ELECTRODES];
  double theta_rad[ELECTRODES], z_m[ELECTRODES], *exact;

  for (int i = 0; i < n; i++) {
    chosen[i] =
        n == model->n_electrodes ? i : (int)emg_rng_below(rng, (uint32_t)model->n_electrodes);
    theta_rad[i] = model->electrodes[chosen[i]].theta_rad;
    z_m[i] = model->electrodes[chosen[i]].z_m;
  }
  EMG_TRY(emg_alloc((size_t)n * (size_t)n_strided, sizeof(double), &exact, err));
  emg_status status = emg_fibre_potential_exact(
      &source->conductor, &source->detection, &source->source, &fibre,
      emg_conductor_skin_radius_m(&source->conductor), n, theta_rad, z_m,
      model->range.rate_hz / STRIDE, n_strided, EXACT_PART * model->range.tolerance, exact, err);

  for (int i = 0; i < n && status == EMG_OK; i++) {
    const double *row = fast + (ptrdiff_t)chosen[i] * n_samples;
    double peak_uv = 0, worst_uv = 0;
    for (int t = 0; t < n_strided; t++) {
      double exact_uv = 1e6 * exact[(ptrdiff_t)i * n_strided + t];
      peak_uv = fmax(peak_uv, fabs(exact_uv));
      worst_uv = fmax(worst_uv, fabs(exact_uv - row[t * STRIDE]));
    }
    *error = peak_uv > 0 ? fmax(*error, worst_uv / peak_uv) : *error;
  }
  free(exact);
  return status;
}

static emg_status measure_sample(const emg_mean_model *model, int index, double *error,
                                 emg_error *err) {
  emg_status status = EMG_OK;
  emg_mean_scratch *scratch = NULL;
  double *fast = NULL;
  const double skin_m = emg_conductor_skin_radius_m(&model->source.conductor);
  emg_rng rng = emg_rng_stream(0, EMG_RNG_ACCURACY_CHECK, (uint32_t)index, 0);
  emg_mean_unit unit = sample_unit(model, index, &rng);

  // on bare muscle these are blurred
  if (skin_m - fibre_of(model, &unit).radius_m < EMG_FINEST_DISTANCE_M) {
    return EMG_OK;
  }
  EMG_TRY_DONE(emg_mean_scratch_create(model, &scratch, err));
  EMG_TRY_DONE(emg_alloc((size_t)model->n_electrodes * (size_t)model->range.n_samples,
                         sizeof(double), &fast, err));
  EMG_TRY_DONE(emg_mean_unit_evaluate(model, &unit, scratch, fast, NULL, err));
  EMG_TRY_DONE(compare(model, &unit, fast, &rng, error, err));
done:
  emg_mean_scratch_free(scratch);
  free(fast);
  return status;
}

emg_status emg_mean_model_measure(const emg_mean_model *model, double *error, emg_error *err) {
  emg_status status[FIBRES];
  emg_error errors[FIBRES] = {0};
  double worst[FIBRES] = {0};

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < FIBRES; i++) {
    status[i] = measure_sample(model, i, &worst[i], &errors[i]);
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
