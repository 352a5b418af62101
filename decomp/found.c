// found.c -- discharges as they are found one by one, and the decomposition they make
#include "found_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>

#include "joint_priv.h"

void emg_found_add(int unit, int64_t sample, double height, void *user) {
  emg_found *found = user;
  (void)height;

  if (found->n == found->capacity && !found->is_full) {
    int64_t capacity = found->capacity ? 2 * found->capacity : 4096;
    int32_t *units = realloc(found->unit, (size_t)capacity * sizeof *units);
    found->unit = units ? units : found->unit;
    int64_t *samples = realloc(found->sample, (size_t)capacity * sizeof *samples);
    found->sample = samples ? samples : found->sample;
    found->is_full = !units || !samples;
    found->capacity = found->is_full ? found->capacity : capacity;
  }
  if (!found->is_full) {
    found->unit[found->n] = unit;
    found->sample[found->n++] = sample;
  }
}

void emg_found_free(emg_found *found) {
  free(found->unit);
  free(found->sample);
  *found = (emg_found){0};
}

static emg_status make_trains(const emg_found *found, int n_units, double rate_hz,
                              int64_t n_samples, emg_spikes *out, emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)n_units, sizeof *counts, &counts, err));
  for (int64_t i = 0; i < found->n; i++) {
    counts[found->unit[i]] += found->sample[i] < n_samples;
  }
  emg_status status = emg_spikes_create(n_units, counts, rate_hz, n_samples, out, err);
  memset(counts, 0, (size_t)n_units * sizeof *counts);
  for (int64_t i = 0; i < found->n && status == EMG_OK; i++) {
    int u = found->unit[i];
    if (found->sample[i] < n_samples) {
      out->samples[out->offsets[u] + counts[u]++] = found->sample[i];
    }
  }
  free(counts);
  return status;
}

// Mean height of the spikes over the standard deviation of the source about them, which is robust
// against the spikes; `scratch` holds a source.
static double detectability_of(const float *source, int64_t n, const int64_t *train,
                               int64_t n_spikes, float *scratch) {
  double variance = emg_noise_variance(source, n, scratch), height = 0;

  for (int64_t i = 0; i < n_spikes; i++) {
    height += source[train[i]] / (double)n_spikes;
  }
  return variance > 0 ? height / sqrt(variance) : 0;
}

static emg_status add_figures(const emg_array2f *source, double refractory_ms,
                              emg_decomposition *out, emg_error *err) {
  const double rate_hz = out->spikes.rate_hz;
  size_t n = (size_t)out->spikes.n_units;
  struct emg_config_decompose keys = {.refractory_ms = refractory_ms};
  int64_t refractory = emg_refractory_samples(&keys, rate_hz);

  EMG_TRY(emg_alloc(n, sizeof(double), &out->sil, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->pnr_db, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->isi_cov, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->rate_hz, err));
  EMG_TRY(emg_alloc(n, sizeof(int32_t), &out->flags, err));
  for (int u = 0; u < out->spikes.n_units; u++) {
    const int64_t *train = emg_spikes_of(&out->spikes, u);
    int64_t n_spikes = emg_spikes_count(&out->spikes, u);
    emg_source_quality quality =
        emg_source_quality_of(emg_row2f(source, u), source->n_cols, train, n_spikes, refractory);
    emg_interval_stats intervals = emg_intervals_of(train, NULL, n_spikes, rate_hz);
    out->sil[u] = quality.sil;
    out->pnr_db[u] = quality.pnr_db;
    out->isi_cov[u] = intervals.cov;
    out->rate_hz[u] = intervals.mean_s > 0 ? 1 / intervals.mean_s : 0;
    double detectability = out->detectability ? out->detectability[u] : INFINITY;
    out->flags[u] = emg_unit_flags(quality.sil, &intervals, detectability);
  }
  return EMG_OK;
}

static emg_status add_detectability(const emg_array2f *source, emg_decomposition *out,
                                    emg_error *err) {
  float *scratch;

  EMG_TRY(emg_alloc((size_t)out->spikes.n_units, sizeof(double), &out->detectability, err));
  EMG_TRY(emg_alloc((size_t)source->n_cols, sizeof *scratch, &scratch, err));
  for (int u = 0; u < out->spikes.n_units; u++) {
    out->detectability[u] =
        detectability_of(emg_row2f(source, u), source->n_cols, emg_spikes_of(&out->spikes, u),
                         emg_spikes_count(&out->spikes, u), scratch);
  }
  free(scratch);
  return EMG_OK;
}

static emg_status average(const emg_recording *rec, emg_decomposition *out, emg_error *err) {
  int origin = (int)lround(0.010 * rec->rate_hz), n_taps = (int)lround(0.050 * rec->rate_hz);

  EMG_TRY(emg_muap_bank_create(out->spikes.n_units, rec->data.n_rows, n_taps, origin, rec->rate_hz,
                               &out->muaps, err));
  emg_average_recording(rec, &out->spikes, &out->muaps);
  return EMG_OK;
}

emg_status emg_found_package(const emg_found *found, const emg_recording *rec,
                             const emg_array2f *source, bool has_noise, double refractory_ms,
                             emg_decomposition *out, emg_error *err) {
  if (found->is_full) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for more than %lld discharges",
                    (long long)found->n);
  }
  EMG_TRY(make_trains(found, source->n_rows, rec->rate_hz, rec->data.n_cols, &out->spikes, err));
  if (has_noise) {
    EMG_TRY(add_detectability(source, out, err));
  }
  EMG_TRY(add_figures(source, refractory_ms, out, err));
  return average(rec, out, err);
}
