// online_recording.c -- stored filters applied to a whole recording
#include <emgtwin/online.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "found_priv.h"

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
                                 const emg_monitor *monitor, emg_found *found, emg_error *err) {
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
    emg_online_push(online, block, n, y, emg_found_add, found);
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
  emg_online_flush(online, emg_found_add, found);

done:
  free(block);
  free(y);
  return status;
}

emg_status emg_online_decompose(const emg_recording *rec, const emg_filters *filters,
                                const emg_online_options *options, bool keep_source,
                                const emg_monitor *monitor, emg_decomposition *out,
                                emg_error *err) {
  emg_online *online = NULL;
  emg_array2f source = {0};
  emg_found found = {0};
  emg_status status;

  *out = (emg_decomposition){0};
  EMG_TRY_DONE(emg_online_create(filters, options, &online, err));
  EMG_TRY_DONE(emg_online_check(online, rec, err));
  EMG_TRY_DONE(emg_array2f_create(filters->n_units, rec->data.n_cols, &source, err));
  EMG_TRY_DONE(push_recording(online, rec, &source, monitor, &found, err));
  EMG_TRY_DONE(emg_found_package(&found, rec, &source, true, filters->refractory_ms, out, err));
  EMG_TRY_DONE(emg_filters_copy(emg_online_filters(online), &out->filters, err));
  if (keep_source) {
    out->source = source;
    source = (emg_array2f){0};
  }

done:
  emg_online_free(online);
  emg_array2f_free(&source);
  emg_found_free(&found);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
