// online.c -- samples to discharges as they come: filter, sources, peaks
#include <emgtwin/online.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/config.h>
#include <emgtwin/emgtwin.h>

#include "ckc_priv.h"
#include "online_priv.h"

// Rows are appended until the room is used up; then the ones still looked back on move to the
// front.
enum { ROOM = 512 };

static emg_status check(const emg_filters *f, emg_error *err) {
  if (f->n_units < 1 || f->n_taps < 1 || f->n_channels < 1) {
    return emg_fail(err, EMG_ERR_ARG,
                    "there are no filters to apply; decompose a recording of these electrodes with "
                    "units first");
  }
  for (int c = 0; c < f->n_channels; c++) {
    if (f->channel[c] < 0 || f->channel[c] >= f->n_channels_recorded) {
      return emg_fail(err, EMG_ERR_ARG, "filters use channel %d of %d recorded ones", f->channel[c],
                      f->n_channels_recorded);
    }
  }
  return EMG_OK;
}

static emg_status allocate(emg_online *o, emg_error *err) {
  const emg_filters *f = &o->filters;
  size_t n_units = (size_t)f->n_units, n_channels = (size_t)f->n_channels;
  size_t n_rows = (size_t)(o->n_kept + ROOM + EMG_ONLINE_GROUP);

  EMG_TRY(emg_alloc_aligned(n_units * (size_t)o->n_padded, sizeof(float), &o->weights, err));
  EMG_TRY(emg_alloc_aligned(emg_filter_state_size(&o->band, f->n_channels), sizeof(double),
                            &o->filter_state, err));
  EMG_TRY(emg_alloc_aligned(n_channels, sizeof(float), &o->good, err));
  EMG_TRY(emg_alloc_aligned(n_rows * n_channels + EMG_ONLINE_GROUP, sizeof(float), &o->rows, err));
  EMG_TRY(emg_alloc_aligned(n_units * EMG_ONLINE_GROUP, sizeof(float), &o->group, err));
  return emg_alloc(n_units, sizeof *o->units, &o->units, err);
}

emg_status emg_filters_band(double low_hz, double high_hz, double notch_hz, double rate_hz,
                            emg_filter *out, emg_error *err) {
  struct emg_config_decompose keys = {
      .band_low_hz = low_hz, .band_high_hz = high_hz, .notch_hz = notch_hz, .band_order = 2};
  return emg_filter_decomposer(&keys, rate_hz, out, err);
}

emg_status emg_online_create(const emg_filters *filters, const emg_online_options *options,
                             emg_online **out, emg_error *err) {
  emg_online *o = NULL;
  emg_status status;

  emg_init();
  *out = NULL;
  EMG_TRY(check(filters, err));
  EMG_TRY(emg_alloc(1, sizeof *o, &o, err));
  int n_dimensions = filters->n_taps * filters->n_channels;
  o->n_padded = (n_dimensions + EMG_ONLINE_GROUP - 1) / EMG_ONLINE_GROUP * EMG_ONLINE_GROUP;
  o->refractory = (int64_t)fmax(round(filters->refractory_ms * filters->rate_hz / 1000), 1);
  // a peak is looked back on when it is certain
  o->n_kept = filters->n_taps + o->refractory + EMG_ONLINE_HOP;
  o->n_rows = o->n_kept;
  EMG_TRY_DONE(emg_filters_copy(filters, &o->filters, err));
  EMG_TRY_DONE(emg_filters_band(filters->band_low_hz, filters->band_high_hz, filters->notch_hz,
                                filters->rate_hz, &o->band, err));
  EMG_TRY_DONE(allocate(o, err));
  for (int u = 0; u < filters->n_units; u++) {
    o->units[u].pending = -1;
    memcpy(o->weights + (ptrdiff_t)u * o->n_padded, filters->weights + (ptrdiff_t)u * n_dimensions,
           (size_t)n_dimensions * sizeof *o->weights);
  }
  if (options && options->is_adaptive) {
    EMG_TRY_DONE(emg_online_adapter_create(filters, &o->adapter, err));
  }
  *out = o;

done:
  if (status != EMG_OK) {
    emg_online_free(o);
  }
  return status;
}

void emg_online_free(emg_online *o) {
  if (!o) {
    return;
  }
  emg_filters_free(&o->filters);
  free(o->weights);
  free(o->filter_state);
  free(o->good);
  free(o->rows);
  free(o->group);
  free(o->units);
  emg_online_adapter_free(o->adapter);
  free(o);
}

// --- from samples to sources ---

// The channels in use of `n` samples, good values only, filtered, behind the rows there are.
static void append_rows(emg_online *o, const float *samples, int n) {
  const emg_filters *f = &o->filters;
  const float largest_uv = 1e9F;
  float *rows = o->rows + o->n_rows * f->n_channels;

  for (int i = 0; i < n; i++) {
    const float *from = samples + (ptrdiff_t)i * f->n_channels_recorded;
    for (int c = 0; c < f->n_channels; c++) {
      float value = from[f->channel[c]];
      if (fabsf(value) <= largest_uv) {
        o->good[c] = value;
      } else {
        o->n_bad++;
      }
      rows[(ptrdiff_t)i * f->n_channels + c] = o->good[c];
    }
  }
  if (o->n_samples == 0) {
    emg_filter_rows_start(&o->band, f->n_channels, rows, o->filter_state);
  }
  emg_filter_rows(&o->band, f->n_channels, n, o->filter_state, rows);
}

// --- from sources to discharges ---

// Row of a sample not longer ago than what is kept; rows before the first are 0.
static const float *row_at(const emg_online *o, int64_t sample) {
  return o->rows + (o->n_rows - (o->n_samples - sample)) * o->filters.n_channels;
}

static void report_peak(emg_online *o, int u, emg_spike_fn report, void *user) {
  emg_online_unit *unit = &o->units[u];
  int64_t sample = unit->pending - o->filters.delay[u];

  if (o->adapter) {
    emg_online_adapt_discharge(o, u, row_at(o, unit->pending - o->filters.n_taps + 1),
                               unit->pending_height);
  }
  if (sample >= 0 && report) {
    report(u, sample, unit->pending_height, user);
  }
  unit->pending = -1;
}

// The source of a unit at sample `at`. A peak is certain once no greater one has come within the
// refractory time; a greater one takes its place.
static void take_value(emg_online *o, int u, int64_t at, float y, emg_spike_fn report, void *user) {
  emg_online_unit *unit = &o->units[u];
  int64_t peak = at - 1;
  float height = unit->last;

  if (unit->pending >= 0 && peak - unit->pending >= o->refractory) {
    report_peak(o, u, report, user);
  }
  bool is_peak = at >= 2 && height > unit->before && height >= y && height > 0 &&
                 height > o->filters.threshold[u];
  if (is_peak && (unit->pending < 0 || height > unit->pending_height)) {
    unit->pending = peak;
    unit->pending_height = height;
  }
  unit->before = unit->last;
  unit->last = y;
}

static void take_group(emg_online *o, int n, float *sources, emg_spike_fn report, void *user) {
  const emg_filters *f = &o->filters;

  emg_online_sources(f->n_units, o->n_padded, o->weights, f->n_channels,
                     row_at(o, o->n_samples - f->n_taps + 1), o->group);
  for (int i = 0; i < n; i++) {
    for (int u = 0; u < f->n_units; u++) {
      float y = o->group[u * EMG_ONLINE_GROUP + i];
      if (sources) {
        sources[(ptrdiff_t)i * f->n_units + u] = y;
      }
      take_value(o, u, o->n_samples + i, y, report, user);
    }
  }
  o->n_rows += n;
  o->n_samples += n;
}

static void make_room(emg_online *o) {
  int64_t n_channels = o->filters.n_channels;

  if (o->n_rows + EMG_ONLINE_GROUP > o->n_kept + ROOM) {
    memmove(o->rows, o->rows + (o->n_rows - o->n_kept) * n_channels,
            (size_t)(o->n_kept * n_channels) * sizeof *o->rows);
    o->n_rows = o->n_kept;
  }
}

void emg_online_push(emg_online *o, const float *samples, int64_t n, float *sources,
                     emg_spike_fn report, void *user) {
  const emg_filters *f = &o->filters;

  for (int64_t done = 0; done < n;) {
    // a group ends where filters may change
    int64_t to_hop = EMG_ONLINE_HOP - o->n_samples % EMG_ONLINE_HOP;
    int64_t most = to_hop < EMG_ONLINE_GROUP ? to_hop : EMG_ONLINE_GROUP;
    int n_now = (int)(n - done < most ? n - done : most);
    make_room(o);
    append_rows(o, samples + done * f->n_channels_recorded, n_now);
    take_group(o, n_now, sources ? sources + done * f->n_units : NULL, report, user);
    done += n_now;
    if (o->adapter && o->n_samples % EMG_ONLINE_HOP == 0) {
      emg_online_adapt_hop(o, row_at(o, o->n_samples - EMG_ONLINE_HOP));
    }
  }
}

void emg_online_flush(emg_online *o, emg_spike_fn report, void *user) {
  for (int u = 0; u < o->filters.n_units; u++) {
    if (o->units[u].pending >= 0) {
      report_peak(o, u, report, user);
    }
  }
}

// --- about the state ---

int64_t emg_online_latency(const emg_online *o, int unit) {
  return o->filters.delay[unit] + o->refractory + 1;
}

int64_t emg_online_bad_values(const emg_online *o) {
  return o->n_bad;
}

int64_t emg_online_samples(const emg_online *o) {
  return o->n_samples;
}

const emg_filters *emg_online_filters(const emg_online *o) {
  return &o->filters;
}
