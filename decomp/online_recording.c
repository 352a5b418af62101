// online_recording.c -- stored filters applied to a whole recording
#include <emgtwin/online.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "joint_priv.h"

// Discharges in the order of decision, and the sources while the recording is pushed.
typedef struct {
  int64_t n, capacity;
  int32_t *unit;
  int64_t *sample;
  bool is_full;  // there was no memory for more
} found_spikes;

static void collect(int unit, int64_t sample, double height, void *user) {
  found_spikes *found = user;
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

emg_status emg_online_check(const emg_online *online, const emg_recording *rec, emg_error *err) {
  const emg_filters *filters = emg_online_filters(online);

  if (rec->data.n_rows != filters->n_channels_recorded) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording has %d channels and the filters are for %d; use filters of a "
                    "decomposition of the same electrodes",
                    rec->data.n_rows, filters->n_channels_recorded);
  }
  if (rec->rate_hz != filters->rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording is sampled at %g Hz and the filters are for %g Hz; filters "
                    "cannot be moved to another rate",
                    rec->rate_hz, filters->rate_hz);
  }
  return EMG_OK;
}

// Push the recording in blocks; source[unit][sample] receives the sources, moved by the delays.
static emg_status push_recording(emg_online *online, const emg_recording *rec, emg_array2f *source,
                                 const emg_monitor *monitor, found_spikes *found, emg_error *err) {
  enum { BLOCK = 2048 };
  const emg_filters *f = emg_online_filters(online);
  int n_channels = rec->data.n_rows;
  int64_t n_samples = rec->data.n_cols;
  float *block = NULL, *y = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned((size_t)BLOCK * (size_t)n_channels, sizeof *block, &block, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)BLOCK * (size_t)f->n_units, sizeof *y, &y, err));
  for (int64_t at = 0; at < n_samples; at += BLOCK) {
    int64_t n = n_samples - at < BLOCK ? n_samples - at : BLOCK;
    EMG_TRY_DONE(emg_progress(monitor, "filters", at, n_samples, err));
    for (int c = 0; c < n_channels; c++) {
      const float *row = emg_row2f(&rec->data, c) + at;
      for (int64_t i = 0; i < n; i++) {
        block[i * n_channels + c] = row[i];
      }
    }
    emg_online_push(online, block, n, y, collect, found);
    for (int u = 0; u < f->n_units; u++) {
      float *row = emg_row2f(source, u);
      for (int64_t i = 0; i < n; i++) {
        int64_t sample = at + i - f->delay[u];
        if (sample >= 0 && sample < n_samples) {
          row[sample] = y[i * f->n_units + u];
        }
      }
    }
  }
  emg_online_flush(online, collect, found);
  if (found->is_full) {
    status = emg_fail(err, EMG_ERR_MEMORY, "there is no memory for more than %lld discharges",
                      (long long)found->n);
  }

done:
  free(block);
  free(y);
  return status;
}

static emg_status make_trains(const found_spikes *found, int n_units, double rate_hz,
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

static emg_status add_figures(const emg_filters *f, const emg_array2f *source,
                              emg_decomposition *out, emg_error *err) {
  size_t n = (size_t)f->n_units;
  struct emg_config_decompose keys = {.refractory_ms = f->refractory_ms};
  int64_t refractory = emg_refractory_samples(&keys, f->rate_hz);

  EMG_TRY(emg_alloc(n, sizeof(double), &out->sil, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->pnr_db, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->isi_cov, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->rate_hz, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &out->detectability, err));
  EMG_TRY(emg_alloc(n, sizeof(int32_t), &out->flags, err));
  float *scratch;
  EMG_TRY(emg_alloc((size_t)source->n_cols, sizeof *scratch, &scratch, err));
  for (int u = 0; u < f->n_units; u++) {
    const int64_t *train = emg_spikes_of(&out->spikes, u);
    int64_t n_spikes = emg_spikes_count(&out->spikes, u);
    emg_source_quality quality =
        emg_source_quality_of(emg_row2f(source, u), source->n_cols, train, n_spikes, refractory);
    emg_interval_stats intervals = emg_intervals_of(train, NULL, n_spikes, f->rate_hz);
    out->sil[u] = quality.sil;
    out->pnr_db[u] = quality.pnr_db;
    out->isi_cov[u] = intervals.cov;
    out->rate_hz[u] = intervals.mean_s > 0 ? 1 / intervals.mean_s : 0;
    out->detectability[u] =
        detectability_of(emg_row2f(source, u), source->n_cols, train, n_spikes, scratch);
    out->flags[u] = emg_unit_flags(quality.sil, &intervals, out->detectability[u]);
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

emg_status emg_online_decompose(const emg_recording *rec, const emg_filters *filters,
                                const emg_online_options *options, bool keep_source,
                                const emg_monitor *monitor, emg_decomposition *out,
                                emg_error *err) {
  emg_online *online = NULL;
  emg_array2f source = {0};
  found_spikes found = {0};
  emg_status status;

  *out = (emg_decomposition){0};
  EMG_TRY_DONE(emg_online_create(filters, options, &online, err));
  EMG_TRY_DONE(emg_online_check(online, rec, err));
  EMG_TRY_DONE(emg_array2f_create(filters->n_units, rec->data.n_cols, &source, err));
  EMG_TRY_DONE(push_recording(online, rec, &source, monitor, &found, err));
  EMG_TRY_DONE(
      make_trains(&found, filters->n_units, rec->rate_hz, rec->data.n_cols, &out->spikes, err));
  EMG_TRY_DONE(add_figures(filters, &source, out, err));
  EMG_TRY_DONE(average(rec, out, err));
  EMG_TRY_DONE(emg_filters_copy(emg_online_filters(online), &out->filters, err));
  if (keep_source) {
    out->source = source;
    source = (emg_array2f){0};
  }

done:
  emg_online_free(online);
  emg_array2f_free(&source);
  free(found.unit);
  free(found.sample);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
