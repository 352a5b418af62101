// muaps.c -- action potentials of all motor units: fibres summed, decimated and made into channels
#include <emgtwin/simulate.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>
#include <emgtwin/engine.h>

#include "base/filter.h"
#include "sim/engine_priv.h"

#define STAGE "action potentials"
// Fibres of a unit are summed in cells of this depth, so that neighbours read the same tables.
#define CELL_M 0.25e-3
// Fatigue never slows fibres further than this (change.c).
#define LEAST_CV_FACTOR 0.5

// Everything the sum over units shares.
typedef struct {
  const emg_model *model;
  const emg_monitor *monitor;
  emg_fibre *fibres;   // in the state asked for, sorted within each unit
  emg_engine *engine;  // NULL: direct sums
  double rate_hz;      // of the computation
  int n_samples;       // per potential at that rate
  int factor, n_fir;
  double *fir;
  emg_muap_bank *bank;
} muap_job;

// Scratch of one thread.
typedef struct {
  emg_engine_scratch *engine;
  float *electrodes;                // [n_electrodes][n_samples]
  float *decimated;                 // [n_electrodes][n_taps]
  double *exact, *theta_rad, *z_m;  // direct sums only
  int *chosen;
} muap_scratch;

// --- Fibres in a state --------------------------------------------------------------------------

// Shortening scales the fibre about the centre of its muscle's innervation zone; its volume is
// kept, so it may move outwards as far as the muscle goes.
static emg_fibre change_fibre(const emg_model *model, const emg_change_state *state, int muscle,
                              const emg_fibre *fibre) {
  const double zone_m = 1e-3 * model->config.muscle[muscle].innervation_zone_mm;
  const double length = 1 - state->shortening;
  emg_fibre changed = *fibre;

  changed.cv_m_per_s *= state->cv_factor;
  changed.length_1_m *= length;
  changed.length_2_m *= length;
  changed.end_plate_m = zone_m + (fibre->end_plate_m - zone_m) * length;
  if (model->config.change.bulge) {
    double wall_m = emg_conductor_muscle_outer_m(&model->conductor) - fibre->diameter_m / 2;
    changed.radius_m = fmax(fibre->radius_m, fmin(fibre->radius_m / sqrt(length), wall_m));
  }
  changed.theta_rad = remainder(fibre->theta_rad, 2 * M_PI);
  return changed;
}

static int compare_fibres(const void *a, const void *b) {
  const emg_fibre *p = a, *q = b;
  int cell_p = (int)(p->radius_m / CELL_M), cell_q = (int)(q->radius_m / CELL_M);

  if (cell_p != cell_q) {
    return cell_p < cell_q ? -1 : 1;
  }
  if (p->theta_rad != q->theta_rad) {
    return p->theta_rad < q->theta_rad ? -1 : 1;
  }
  return p->radius_m < q->radius_m ? -1 : p->radius_m > q->radius_m;
}

static emg_status change_fibres(const emg_model *model, const emg_change_state *state,
                                emg_fibre **out, emg_error *err) {
  if (!(state->cv_factor > 0) || !(state->shortening >= 0) || !(state->shortening < 1)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a state with velocities times %g and shortening %g: the first must be "
                    "positive, the second from 0 to less than 1",
                    state->cv_factor, state->shortening);
  }
  if (model->n_fibres < 1) {
    return emg_fail(err, EMG_ERR_ARG, "the model has no fibres");
  }
  EMG_TRY(emg_alloc((size_t)model->n_fibres, sizeof **out, out, err));
  for (int u = 0; u < model->n_units; u++) {
    const emg_motor_unit *unit = &model->units[u];
    emg_fibre *fibres = *out + unit->fibre_begin;
    for (int i = 0; i < unit->fibre_count; i++) {
      fibres[i] = change_fibre(model, state, unit->muscle, &model->fibres[unit->fibre_begin + i]);
    }
    qsort(fibres, (size_t)unit->fibre_count, sizeof *fibres, compare_fibres);
  }
  return EMG_OK;
}

static emg_engine_range range_of(const muap_job *job) {
  const emg_model *model = job->model;
  emg_engine_range range = {.source_min_m = INFINITY,
                            .z_min_m = INFINITY,
                            .z_max_m = -INFINITY,
                            .rate_hz = job->rate_hz,
                            .n_samples = job->n_samples,
                            .tolerance = model->config.simulation.tolerance};

  for (int i = 0; i < model->n_fibres; i++) {
    const emg_fibre *f = &job->fibres[i];
    range.source_min_m = fmin(range.source_min_m, f->radius_m);
    range.source_max_m = fmax(range.source_max_m, f->radius_m);
    range.z_min_m = fmin(range.z_min_m, f->end_plate_m - f->length_2_m);
    range.z_max_m = fmax(range.z_max_m, f->end_plate_m + f->length_1_m);
  }
  return range;
}

// Longest potential in any state of this configuration, so that all states' banks have one shape.
static double longest_s(const emg_model *model, const emg_change_state *state) {
  const double tail_m = emg_course_tail(model->config.simulation.tolerance) * model->source.scale_m;
  const struct emg_config_change *change = &model->config.change;
  double slowest = fmin(1, state->cv_factor), longest = 0;

  if (change->states > 1) {
    double last = 1 - change->cv_decline_per_s * model->config.simulation.duration_s;
    slowest = fmin(slowest, fmax(last, LEAST_CV_FACTOR));
  }
  for (int i = 0; i < model->n_fibres; i++) {
    const emg_fibre *f = &model->fibres[i];
    double run_m = fmax(f->length_1_m, f->length_2_m) + tail_m;
    longest = fmax(longest, f->delay_s + run_m / (f->cv_m_per_s * slowest));
  }
  return longest;
}

// --- One unit -----------------------------------------------------------------------------------

// Direct sums for electrodes of one radius at a time, as they take them.
static emg_status add_exact(const muap_job *job, const emg_fibre *fibre, muap_scratch *scratch,
                            emg_error *err) {
  const emg_model *model = job->model;
  const emg_electrode_set *set = &model->electrodes;
  const int n = set->n_electrodes, n_samples = job->n_samples;

  memset(scratch->chosen, 0, (size_t)n * sizeof *scratch->chosen);
  for (int first = 0; first < n; first++) {
    int count = 0;
    for (int e = first; e < n && !scratch->chosen[first]; e++) {
      if (set->electrodes[e].radius_m == set->electrodes[first].radius_m) {
        scratch->theta_rad[count] = set->electrodes[e].theta_rad;
        scratch->z_m[count++] = set->electrodes[e].z_m;
      }
    }
    if (count == 0) {
      continue;
    }
    EMG_TRY(emg_fibre_potential_exact(
        &model->conductor, &set->detection, &model->source, fibre, set->electrodes[first].radius_m,
        count, scratch->theta_rad, scratch->z_m, job->rate_hz, n_samples,
        fmin(1e-6, model->config.simulation.tolerance), scratch->exact, err));
    for (int e = first, i = 0; i < count; e++) {
      if (set->electrodes[e].radius_m != set->electrodes[first].radius_m) {
        continue;
      }
      const double *from = scratch->exact + (ptrdiff_t)i++ * n_samples;
      float *row = scratch->electrodes + (ptrdiff_t)e * n_samples;
      for (int t = 0; t < n_samples; t++) {
        row[t] += (float)(1e6 * from[t]);
      }
      scratch->chosen[e] = 1;
    }
  }
  return EMG_OK;
}

static emg_status sum_fibres(const muap_job *job, const emg_motor_unit *unit, muap_scratch *scratch,
                             emg_error *err) {
  const size_t size = (size_t)job->model->electrodes.n_electrodes * (size_t)job->n_samples;

  memset(scratch->electrodes, 0, size * sizeof(float));
  for (int i = 0; i < unit->fibre_count; i++) {
    const emg_fibre *fibre = &job->fibres[unit->fibre_begin + i];
    if (job->engine) {
      EMG_TRY(emg_engine_collect(job->engine, fibre, scratch->engine, scratch->electrodes, err));
    } else {
      EMG_TRY(add_exact(job, fibre, scratch, err));
    }
  }
  if (job->engine) {
    emg_engine_flush(job->engine, scratch->engine, scratch->electrodes);
  }
  return EMG_OK;
}

// Output tap i is at fine sample (i - origin) * factor; the filter has no delay.
static void decimate(const muap_job *job, const float *fine, float *out) {
  const int half = job->n_fir / 2;

  for (int i = 0; i < job->bank->n_taps; i++) {
    const int centre = (i - job->bank->origin) * job->factor;
    int from = centre - half < 0 ? 0 : centre - half;
    int to = centre + half >= job->n_samples ? job->n_samples - 1 : centre + half;
    double sum = 0;
    for (int t = from; t <= to; t++) {
      sum += job->fir[t - centre + half] * (double)fine[t];
    }
    out[i] = (float)sum;
  }
}

// channel = SUM weights * electrode, skipping zeros: montages are sparse but for the average.
static void apply_montage(const muap_job *job, int unit, const float *electrodes) {
  const emg_array2d *weights = &job->model->montage.weights;
  const int n_taps = job->bank->n_taps;

  for (int c = 0; c < weights->n_rows; c++) {
    float *row = emg_muap_row(job->bank, unit, c);
    for (int e = 0; e < (int)weights->n_cols; e++) {
      const float weight = (float)emg_row2d(weights, c)[e];
      const float *from = electrodes + (ptrdiff_t)e * n_taps;
      for (int i = 0; weight != 0 && i < n_taps; i++) {
        row[i] += weight * from[i];
      }
    }
  }
}

static emg_status fill_unit(const muap_job *job, int unit, muap_scratch *scratch, emg_error *err) {
  const int n = job->model->electrodes.n_electrodes;

  EMG_TRY(sum_fibres(job, &job->model->units[unit], scratch, err));
  for (int e = 0; e < n; e++) {
    decimate(job, scratch->electrodes + (ptrdiff_t)e * job->n_samples,
             scratch->decimated + (ptrdiff_t)e * job->bank->n_taps);
  }
  apply_montage(job, unit, scratch->decimated);
  return EMG_OK;
}

// --- All units ----------------------------------------------------------------------------------

static void scratch_free(muap_scratch *scratch) {
  emg_engine_scratch_free(scratch->engine);
  free(scratch->electrodes);
  free(scratch->decimated);
  free(scratch->exact);
  free(scratch->theta_rad);
  free(scratch->z_m);
  free(scratch->chosen);
}

static emg_status scratch_fill(const muap_job *job, muap_scratch *scratch, emg_error *err) {
  const size_t n = (size_t)job->model->electrodes.n_electrodes;

  EMG_TRY(emg_alloc_aligned(n * (size_t)job->n_samples, sizeof(float), &scratch->electrodes, err));
  EMG_TRY(
      emg_alloc_aligned(n * (size_t)job->bank->n_taps, sizeof(float), &scratch->decimated, err));
  if (job->engine) {
    return emg_engine_scratch_create(job->engine, &scratch->engine, err);
  }
  EMG_TRY(emg_alloc(n * (size_t)job->n_samples, sizeof(double), &scratch->exact, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &scratch->theta_rad, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &scratch->z_m, err));
  return emg_alloc(n, sizeof(int), &scratch->chosen, err);
}

// What the threads agree on: the first failure by unit number, and whether to go on.
typedef struct {
  emg_status status;
  int failed_unit;
  int has_failed;  // read by all threads
  int64_t n_done;
  emg_error *err;
} outcome;

static void note_failure(outcome *o, int unit, emg_status status, const emg_error *error) {
  if (o->status == EMG_OK || unit < o->failed_unit) {
    o->status = status;
    o->failed_unit = unit;
#pragma omp atomic write
    o->has_failed = 1;
    if (o->err) {
      *o->err = *error;
    }
  }
}

// A unit belongs to one thread, which adds its fibres in their order: the same bits for any number
// of threads. The largest units come last in number and first in time.
static emg_status fill_units(const muap_job *job, emg_error *err) {
  const int n_units = job->model->n_units, stride = n_units / 100 + 1;
  outcome o = {.status = EMG_OK, .failed_unit = n_units, .err = err};

#pragma omp parallel
  {
    emg_error own = {0};
    muap_scratch scratch = {0};
    emg_status ready = scratch_fill(job, &scratch, &own);

#pragma omp for schedule(dynamic)
    for (int i = 0; i < n_units; i++) {
      const int unit = n_units - 1 - i;
      emg_status status = ready;
      int has_failed;
#pragma omp atomic read
      has_failed = o.has_failed;
      if (has_failed) {
        continue;
      }
      if (status == EMG_OK) {
        status = fill_unit(job, unit, &scratch, &own);
      }
#pragma omp critical(emg_muaps_outcome)
      {
        if (status == EMG_OK && ++o.n_done % stride == 0) {
          status = emg_progress(job->monitor, STAGE, o.n_done, n_units, &own);
        }
        if (status != EMG_OK) {
          note_failure(&o, unit, status, &own);
        }
      }
    }
    scratch_free(&scratch);
  }
  return o.status;
}

static emg_status create_engine(muap_job *job, emg_error *err) {
  const emg_model *model = job->model;
  const emg_engine_range range = range_of(job);

  if (model->config.simulation.engine == EMG_ENGINE_EXACT) {
    return EMG_OK;
  }
  EMG_TRY(emg_engine_create(&model->conductor, &model->electrodes, &model->source, &range,
                            &job->engine, err));
  emg_engine_facts facts = emg_engine_get_facts(job->engine);
  emg_log(job->monitor, EMG_LOG_DEBUG, STAGE,
          "table_mib = %.1f, build_s = %.2f, measured_error = %.2e, orders = %d, wavenumbers = %d",
          facts.table_mib, facts.build_s, facts.measured_error, facts.n_orders,
          facts.n_wavenumbers);
  if (facts.measured_error > range.tolerance) {
    emg_log(job->monitor, EMG_LOG_WARNING, STAGE,
            "sample fibres are %.1e of a peak off, more than simulation.tolerance = %g: electrodes "
            "and fibres are very close; simulation.engine = exact is right but slow",
            facts.measured_error, range.tolerance);
  }
  return EMG_OK;
}

emg_status emg_muaps_create(const emg_model *model, const emg_change_state *state,
                            const emg_monitor *monitor, emg_muap_bank *out, emg_error *err) {
  const double rate_hz = model->config.simulation.sampling_rate_hz;
  const int factor = model->config.simulation.oversampling;
  emg_status status;
  muap_job job = {.model = model,
                  .monitor = monitor,
                  .rate_hz = rate_hz * factor,
                  .factor = factor,
                  .bank = out};

  emg_init();
  *out = (emg_muap_bank){0};
  EMG_TRY_DONE(change_fibres(model, state, &job.fibres, err));
  EMG_TRY_DONE(emg_fir_decimator(factor, &job.n_fir, &job.fir, err));

  // the filter rings half its length before the discharge and after the last sample
  job.n_samples = (int)ceil(longest_s(model, state) * job.rate_hz) + 1;
  const int half = job.n_fir / 2, origin = (half + factor - 1) / factor;
  const int n_taps = origin + (job.n_samples - 1 + half) / factor + 1;
  EMG_TRY_DONE(emg_muap_bank_create(model->n_units, model->montage.weights.n_rows, n_taps, origin,
                                    rate_hz, out, err));
  EMG_TRY_DONE(create_engine(&job, err));
  EMG_TRY_DONE(fill_units(&job, err));
done:
  emg_engine_free(job.engine);
  free(job.fibres);
  free(job.fir);
  if (status != EMG_OK) {
    emg_muap_bank_free(out);
  }
  return status;
}
