// discharge.c -- discharge times of every unit from the excitation of its muscle
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/simulate.h>

#include "base/filter.h"
#include "pool_priv.h"

// Discharges of one unit, growing.
typedef struct {
  int64_t n, capacity;
  int64_t *samples;
  emg_status status;
} train;

static emg_status append_discharge(train *t, int64_t sample) {
  if (t->n == t->capacity) {
    int64_t capacity = t->capacity > 0 ? 2 * t->capacity : 256;
    int64_t *samples = realloc(t->samples, (size_t)capacity * sizeof *samples);
    if (!samples) {
      return EMG_ERR_MEMORY;
    }
    t->samples = samples;
    t->capacity = capacity;
  }
  t->samples[t->n++] = sample;
  return EMG_OK;
}

// Integral of the rate from one discharge to the next: mean 1, standard deviation the CoV.
static double draw_interval(emg_rng *rng, double isi_cov) {
  const double reach = 3.9;
  double z;

  do {
    z = emg_rng_gaussian(rng);
  } while (fabs(z) > reach);
  return 1 + isi_cov * z;
}

// Sample k stands for the times k - 1/2 to k + 1/2 (in samples); a discharge in there gets index k,
// and its place within is kept, so rounding does not add up. `excitation` 0 stops the integral and
// keeps it: a unit that falls silent goes on where it was. The first interval is cut at random: the
// recording starts in the middle of it, and units recruited together do not discharge together.
static emg_status integrate_rate(const emg_model *model, const emg_motor_unit *unit, int64_t n,
                                 const float *excitation, emg_rng *rng, train *out) {
  const emg_config *config = &model->config;
  double sample_s = 1 / config->simulation.sampling_rate_hz;
  double least_samples = fmax(1e-3 * config->pool[unit->muscle].isi_min_ms / sample_s, 1);
  double missing = emg_rng_uniform(rng) * draw_interval(rng, unit->isi_cov);
  double earliest = -1;

  for (int64_t k = 0; k < n; k++) {
    double grown = sample_s * emg_unit_rate_hz(config, unit, excitation[k]);

    if (missing > grown || grown == 0) {
      missing -= grown;
      continue;
    }
    double start = (double)k - 0.5;
    double at = fmax(start + fmax(missing, 0) / grown, earliest);
    if (at >= start + 1) {
      missing = 0;  // due, but refractory
      continue;
    }
    EMG_TRY(append_discharge(out, k));
    missing = draw_interval(rng, unit->isi_cov) - (start + 1 - at) * grown;
    earliest = at + least_samples;
  }
  return EMG_OK;
}

// The unit's own drive: noise in proportion to the excitation it shares with its pool.
static emg_status add_independent_noise(const emg_model *model, const emg_motor_unit *unit,
                                        int64_t n, const float *common, float *own) {
  const struct emg_config_drive *d = &model->config.drive[unit->muscle];
  emg_rng rng = emg_rng_stream(model->config.simulation.seed, EMG_RNG_INDEPENDENT_DRIVE,
                               (uint32_t)unit->index_in_muscle, (uint32_t)unit->muscle);

  EMG_TRY(emg_drive_noise(&rng, d->independent_noise_cutoff_hz,
                          model->config.simulation.sampling_rate_hz, n, own, NULL));
  for (int64_t i = 0; i < n; i++) {
    own[i] = fminf(fmaxf(common[i] * (1 + (float)d->independent_noise * own[i]), 0), 1);
  }
  return EMG_OK;
}

// The train that a file gives the unit.
static emg_status copy_given(const emg_spikes *given, int u, train *out) {
  for (int64_t i = 0; i < emg_spikes_count(given, u); i++) {
    EMG_TRY(append_discharge(out, emg_spikes_of(given, u)[i]));
  }
  return EMG_OK;
}

static emg_status discharge_unit(const emg_model *model, const emg_motor_unit *unit,
                                 const emg_array2f *excitation, train *out) {
  const float *common = emg_row2f(excitation, unit->muscle);
  emg_rng rng = emg_rng_stream(model->config.simulation.seed, EMG_RNG_DISCHARGE,
                               (uint32_t)unit->index_in_muscle, (uint32_t)unit->muscle);
  float *own = NULL;
  emg_status status = EMG_OK;

  if (model->config.drive[unit->muscle].independent_noise > 0) {
    EMG_TRY_DONE(emg_alloc((size_t)excitation->n_cols, sizeof *own, &own, NULL));
    EMG_TRY_DONE(add_independent_noise(model, unit, excitation->n_cols, common, own));
  }
  EMG_TRY_DONE(integrate_rate(model, unit, excitation->n_cols, own ? own : common, &rng, out));
done:
  free(own);
  return status;
}

static emg_status check_input(const emg_model *model, const emg_array2f *excitation,
                              emg_error *err) {
  if (excitation->n_rows != model->n_muscles) {
    return emg_fail(err, EMG_ERR_ARG, "excitation has %d rows, the model %d muscles",
                    excitation->n_rows, model->n_muscles);
  }
  for (int m = 0; m < model->n_muscles; m++) {
    const struct emg_config_drive *d = &model->config.drive[m];
    emg_filter filter = {0};

    if (d->independent_noise > 0) {
      EMG_TRY(emg_filter_lowpass(&filter, 2, d->independent_noise_cutoff_hz,
                                 model->config.simulation.sampling_rate_hz, err));
    }
  }
  return EMG_OK;
}

static emg_status collect(const emg_model *model, const train *trains, int64_t n_samples,
                          emg_spikes *out, emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)model->n_units, sizeof *counts, &counts, err));
  for (int u = 0; u < model->n_units; u++) {
    counts[u] = trains[u].n;
  }
  emg_status status = emg_spikes_create(
      model->n_units, counts, model->config.simulation.sampling_rate_hz, n_samples, out, err);
  free(counts);
  EMG_TRY(status);
  for (int u = 0; u < model->n_units; u++) {
    if (trains[u].n > 0) {
      memcpy(out->samples + out->offsets[u], trains[u].samples,
             (size_t)trains[u].n * sizeof *out->samples);
    }
  }
  return EMG_OK;
}

emg_status emg_discharge(const emg_model *model, const emg_array2f *excitation, emg_spikes *out,
                         emg_error *err) {
  train *trains = NULL;
  emg_spikes given = {0};
  emg_status status;

  EMG_TRY(check_input(model, excitation, err));
  EMG_TRY(emg_discharge_read(model, excitation, &given, err));
  EMG_TRY_DONE(emg_alloc((size_t)model->n_units, sizeof *trains, &trains, err));
#pragma omp parallel for schedule(dynamic, 1)
  for (int u = 0; u < model->n_units; u++) {
    const emg_motor_unit *unit = &model->units[u];
    trains[u].status = model->config.drive[unit->muscle].spikes_file[0] != '\0'
                           ? copy_given(&given, u, &trains[u])
                           : discharge_unit(model, unit, excitation, &trains[u]);
  }
  for (int u = 0; u < model->n_units && status == EMG_OK; u++) {
    if (trains[u].status != EMG_OK) {
      status = emg_fail(err, trains[u].status,
                        "no memory for the discharges of unit %d; shorten the recording", u);
    }
  }
  if (status == EMG_OK) {
    status = collect(model, trains, excitation->n_cols, out, err);
  }

done:
  for (int u = 0; trains && u < model->n_units; u++) {
    free(trains[u].samples);
  }
  free(trains);
  emg_spikes_free(&given);
  return status;
}
