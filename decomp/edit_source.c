// edit_source.c -- the source of a unit in the recording less all other units
#include "edit_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "joint_priv.h"
#include "parts_priv.h"

void emg_edit_filter_free(emg_edit_filter *filter) {
  free(filter->filter);
  *filter = (emg_edit_filter){0};
}

void emg_edit_workspace_free(emg_edit_workspace *w) {
  if (w->group[0]) {
    free(w->window.channels);
  }
  emg_prepared_free(&w->prepared);
  emg_signal_free(&w->residual);
  emg_units_free(&w->units);
  emg_whitener_free(&w->inverse);
  free(w->views);
  free(w->images);
  free(w->sum);
  free(w->places);
  *w = (emg_edit_workspace){0};
}

// --- what is worked on ---

// The channels of other grids are not used, as when their units were found one grid at a time.
static emg_status cut_channels(const char *group, emg_edit_workspace *w, emg_error *err) {
  size_t n = (size_t)w->window.data.n_rows;
  const emg_channel *channels = w->window.channels;

  if (!group[0]) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc(n, sizeof *channels, &w->window.channels, err));
  snprintf(w->group, sizeof w->group, "%s", group);
  memcpy(w->window.channels, channels, n * sizeof *channels);
  for (size_t c = 0; c < n; c++) {
    if (strcmp(channels[c].group, group) != 0) {
      w->window.channels[c].state = EMG_CHANNEL_UNUSED;
    }
  }
  return EMG_OK;
}

// The window of an action potential and the delays of the extension are those of the decomposer.
static emg_status create_workspace(const emg_editor *editor, const char *group,
                                   emg_edit_workspace *w, emg_error *err) {
  const double half_window_ms = 20;
  const struct emg_config_decompose *keys = &editor->config->decompose;
  double rate_hz = editor->rec->rate_hz;

  emg_init();
  EMG_TRY(emg_window_cut(editor->rec, keys, &w->window, &w->begin, err));
  EMG_TRY(cut_channels(group, w, err));
  int64_t n = w->window.data.n_cols, edge = (int64_t)(keys->edge_s * rate_hz);
  w->half_window = (int64_t)lround(half_window_ms * rate_hz / 1000);
  w->refractory = emg_refractory_samples(keys, rate_hz);
  w->n_delays = (int)(2 * w->half_window) + 1;
  EMG_TRY(emg_prepare(&w->window, editor->config, editor->monitor, 2 * w->half_window + 1,
                      &w->prepared, err));
  int n_channels = w->prepared.signal.n_channels;
  EMG_TRY(emg_choose_taps(keys, n_channels, rate_hz, &w->n_taps, err));
  w->n_taps = keys->joint_extension > 0 ? keys->joint_extension : w->n_taps;
  w->n_taps = w->n_taps < (int)w->half_window ? w->n_taps : (int)w->half_window;
  w->n_dimensions = w->n_taps * n_channels;
  w->search = emg_spans_over(edge, n - edge, (int64_t)(keys->search_s * rate_hz));
  w->whole = emg_spans_over(0, n, n);
  size_t n_views = (size_t)w->n_dimensions * (size_t)w->n_delays;
  EMG_TRY(emg_signal_copy(&w->prepared.signal, &w->residual, err));
  EMG_TRY(emg_alloc_aligned(n_views, sizeof(float), &w->views, err));
  EMG_TRY(emg_alloc_aligned(n_views, sizeof(float), &w->images, err));
  return emg_alloc((size_t)w->n_dimensions, sizeof *w->sum, &w->sum, err);
}

static emg_status require_recording(const emg_editor *editor, emg_error *err) {
  return editor->rec ? EMG_OK
                     : emg_fail(err, EMG_ERR_ARG,
                                "this operation needs the recording that was decomposed; give it");
}

static emg_status make_ready(emg_editor *editor, const char *group, emg_error *err) {
  emg_edit_workspace *w = &editor->w;

  EMG_TRY(require_recording(editor, err));
  if (w->is_ready && strcmp(w->group, group) == 0) {
    return EMG_OK;
  }
  emg_edit_workspace_free(w);
  emg_status status = create_workspace(editor, group, w, err);
  if (status != EMG_OK) {
    emg_edit_workspace_free(w);
  }
  w->is_ready = status == EMG_OK;
  return status;
}

// --- all units together ---

static emg_status reserve_places(emg_edit_workspace *w, const emg_spikes *trains, emg_error *err) {
  int64_t most = 1;

  for (int u = 0; u < trains->n_units; u++) {
    most = emg_spikes_count(trains, u) > most ? emg_spikes_count(trains, u) : most;
  }
  if (most > w->n_places) {
    free(w->places);
    w->places = NULL;
    w->n_places = 0;
    EMG_TRY(emg_alloc((size_t)most, sizeof *w->places, &w->places, err));
    w->n_places = most;
  }
  return EMG_OK;
}

// Spikes of a unit that lie in the window and in begin .. end - 1, as samples of the window, into
// w->places; returns their number.
static int64_t place_spikes(emg_edit_workspace *w, int unit, int64_t begin, int64_t end) {
  const int64_t *train = emg_spikes_of(w->trains, unit), n_samples = w->residual.n_samples;
  int64_t n = 0;

  for (int64_t i = 0; i < emg_spikes_count(w->trains, unit); i++) {
    int64_t at = train[i] - w->begin;
    if (train[i] >= begin && train[i] < end && at >= 0 && at < n_samples) {
      w->places[n++] = at;
    }
  }
  return n;
}

// Each train at the centre of energy of its average, where the window of action potentials is.
static emg_status place_units(emg_edit_workspace *w, emg_error *err) {
  emg_units_free(&w->units);
  w->units.half_window = w->half_window;
  for (int u = 0; u < w->trains->n_units; u++) {
    int64_t n = place_spikes(w, u, 0, INT64_MAX), shift = 0;
    EMG_TRY(emg_centre_of_energy(&w->prepared.signal, w->places, n, w->half_window, &shift, err));
    for (int64_t i = 0; i < n; i++) {
      w->places[i] += shift;
    }
    EMG_TRY(emg_units_add(&w->units, w->residual.n_channels, w->places, n, err));
  }
  return EMG_OK;
}

emg_status emg_edit_fit(emg_editor *editor, const emg_decomposition *d, int unit, emg_error *err) {
  const int n_sweeps = 4;
  emg_edit_workspace *w = &editor->w;

  EMG_TRY(make_ready(editor, d->group ? d->group[unit] : "", err));
  const emg_signal *x = &w->prepared.signal;
  w->trains = &d->spikes;
  memcpy(w->residual.rows, x->rows, (size_t)x->n_samples * (size_t)x->n_channels * sizeof *x->rows);
  EMG_TRY(reserve_places(w, &d->spikes, err));
  EMG_TRY(place_units(w, err));
  EMG_TRY(emg_units_fit(&w->residual, &w->units, n_sweeps, err));
  emg_whitener_free(&w->inverse);
  return emg_whitener_create_ridge(&w->residual, w->n_taps, &w->search,
                                   editor->config->decompose.joint_ridge, &w->inverse, err);
}

// --- one unit ---

// Mean of xe so many samples after n spikes, for each delay; the residual holds the unit's own
// signal.
static void average_views(emg_edit_workspace *w, int64_t n) {
  for (int delay = 0; delay < w->n_delays; delay++) {
    emg_extended_gather(&w->residual, w->n_taps, w->places, n, w->sum);
    for (ptrdiff_t d = 0; d < w->n_dimensions; d++) {
      w->views[d * w->n_delays + delay] = (float)(w->sum[d] / (double)n);
    }
    for (int64_t i = 0; i < n; i++) {
      w->places[i]++;
    }
  }
}

// f = C^-1 b / (b' C^-1 b) at the delay where b' C^-1 b, the squared distance of the unit from the
// rest, is largest (Capon 1969).
static void best_filter(emg_edit_workspace *w, emg_edit_filter *out) {
  ptrdiff_t n = w->n_dimensions, n_delays = w->n_delays;
  double most = 0;

  emg_whitener_apply(&w->inverse, w->n_delays, w->views, w->images);
  for (int delay = 0; delay < n_delays; delay++) {
    double power = 0;
    for (ptrdiff_t d = delay; d < n * n_delays; d += n_delays) {
      power += (double)w->views[d] * w->images[d];
    }
    if (power > most) {
      most = power;
      out->delay = delay;
    }
  }
  for (ptrdiff_t d = 0; d < n && most > 0; d++) {
    out->filter[d] = w->images[d * n_delays + out->delay] / (float)most;
  }
}

// Source of the residual as it is, in samples of the window.
static emg_status apply_filter(emg_edit_workspace *w, const emg_edit_filter *f, float *y,
                               emg_error *err) {
  return emg_extended_filter(&w->residual, w->n_taps, &w->whole, f->filter, 1, y,
                             w->residual.n_samples, err);
}

static emg_status check_spikes(int unit, int64_t n, emg_error *err) {
  const int64_t least = 2;

  return n >= least
             ? EMG_OK
             : emg_fail(err, EMG_ERR_ARG,
                        "unit %d has %lld spikes in the range, and a filter needs %lld; widen the "
                        "range",
                        unit, (long long)n, (long long)least);
}

// Two sources with one filter: of what is left of the recording, for its size; and with the unit's
// own signal.
static emg_status make_sources(emg_edit_workspace *w, int unit, emg_edit_filter *f, float *y,
                               emg_error *err) {
  int64_t n = w->residual.n_samples;
  float *scratch;

  EMG_TRY(emg_alloc((size_t)n, sizeof *scratch, &scratch, err));
  emg_status status = apply_filter(w, f, y, err);
  f->noise = sqrt(emg_noise_variance(y, n, scratch));
  free(scratch);
  emg_unit_put(&w->residual, &w->units, unit, 1);
  status = status == EMG_OK ? apply_filter(w, f, y, err) : status;
  emg_unit_put(&w->residual, &w->units, unit, -1);
  return status;
}

emg_status emg_edit_source(emg_editor *editor, int unit, int64_t begin, int64_t end,
                           emg_edit_filter *out, float *y, emg_error *err) {
  emg_edit_workspace *w = &editor->w;
  int64_t n = w->residual.n_samples, n_spikes = place_spikes(w, unit, begin, end);
  emg_status status;

  *out = (emg_edit_filter){0};
  EMG_TRY(check_spikes(unit, n_spikes, err));
  EMG_TRY(emg_alloc_aligned((size_t)w->n_dimensions, sizeof(float), &out->filter, err));
  emg_unit_put(&w->residual, &w->units, unit, 1);
  average_views(w, n_spikes);
  emg_unit_put(&w->residual, &w->units, unit, -1);
  best_filter(w, out);
  EMG_TRY_DONE(make_sources(w, unit, out, y, err));

  // from where the filter answers to where the spikes are, in the whole recording
  int64_t delay = out->delay < n ? out->delay : n;
  int64_t after = w->trains->n_samples - w->begin - (n - delay);
  memmove(y + w->begin, y + delay, (size_t)(n - delay) * sizeof *y);
  memset(y, 0, (size_t)w->begin * sizeof *y);
  memset(y + w->begin + n - delay, 0, (size_t)after * sizeof *y);

done:
  if (status != EMG_OK) {
    emg_edit_filter_free(out);
  }
  return status;
}

emg_status emg_edit_current_source(emg_editor *editor, int unit, float **y, emg_error *err) {
  const emg_decomposition *d = editor->d;
  size_t n = (size_t)d->spikes.n_samples;
  emg_edit_filter filter;

  EMG_TRY(require_recording(editor, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof **y, y, err));
  if (d->source.n_rows > 0) {
    memcpy(*y, emg_row2f(&d->source, unit), n * sizeof **y);
    return EMG_OK;
  }
  emg_status status = emg_edit_fit(editor, d, unit, err);
  if (status == EMG_OK) {
    status = emg_edit_source(editor, unit, 0, INT64_MAX, &filter, *y, err);
  }
  if (status == EMG_OK) {
    emg_edit_filter_free(&filter);
  } else {
    free(*y);
    *y = NULL;
  }
  return status;
}

// --- figures ---

static void set_figures(const emg_editor *editor, const float *y, double noise, int unit,
                        emg_decomposition *d) {
  const int64_t *train = emg_spikes_of(&d->spikes, unit), n = emg_spikes_count(&d->spikes, unit);
  emg_source_quality quality =
      emg_source_quality_of(y, d->spikes.n_samples, train, n, editor->picker.refractory);
  emg_interval_stats intervals = emg_intervals_of(train, NULL, n, d->spikes.rate_hz);

  d->sil[unit] = quality.sil;
  d->pnr_db[unit] = quality.pnr_db;
  d->isi_cov[unit] = intervals.cov;
  d->rate_hz[unit] = intervals.mean_s > 0 ? 1 / intervals.mean_s : 0;
  double detectability = noise > 0 ? 1 / noise : 0;
  if (d->detectability) {
    d->detectability[unit] = detectability;
  }
  d->flags[unit] = emg_unit_flags(quality.sil, &intervals, detectability) | EMG_UNIT_EDITED;
}

// The average of one unit takes the place of the one it had.
static emg_status set_average(const emg_editor *editor, int unit, emg_decomposition *d,
                              emg_error *err) {
  emg_muap_bank average;
  int64_t offsets[] = {0, emg_spikes_count(&d->spikes, unit)};
  const emg_spikes train = {.n_units = 1,
                            .offsets = offsets,
                            .samples = d->spikes.samples + d->spikes.offsets[unit],
                            .rate_hz = d->spikes.rate_hz,
                            .n_samples = d->spikes.n_samples};

  if (d->muaps.n_units == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_muap_bank_create(1, d->muaps.n_channels, d->muaps.n_taps, d->muaps.origin,
                               d->muaps.rate_hz, &average, err));
  emg_average_recording(editor->rec, &train, &average);
  memcpy(emg_muap_row(&d->muaps, unit, 0), average.data,
         (size_t)average.n_channels * (size_t)average.n_taps * sizeof *average.data);
  emg_muap_bank_free(&average);
  return EMG_OK;
}

emg_status emg_edit_measure(emg_editor *editor, emg_decomposition *d, int unit, emg_error *err) {
  size_t n = (size_t)d->spikes.n_samples;
  emg_edit_filter filter = {0};
  float *y;
  emg_status status;

  EMG_TRY(emg_alloc_aligned(n, sizeof *y, &y, err));
  EMG_TRY_DONE(emg_edit_fit(editor, d, unit, err));
  EMG_TRY_DONE(emg_edit_source(editor, unit, 0, INT64_MAX, &filter, y, err));
  set_figures(editor, y, filter.noise, unit, d);
  if (d->source.n_rows > 0) {
    memcpy(emg_row2f(&d->source, unit), y, n * sizeof *y);
  }
  EMG_TRY_DONE(set_average(editor, unit, d, err));

done:
  emg_edit_filter_free(&filter);
  free(y);
  return status;
}

// --- filters for new data ---

// They are learned from the window alone, in its samples.
static emg_status shift_trains(const emg_spikes *from, int64_t begin, int64_t n_samples,
                               emg_spikes *out, emg_error *err) {
  int64_t *counts, n = 0;

  EMG_TRY(emg_alloc((size_t)from->n_units, sizeof *counts, &counts, err));
  for (int pass = 0; pass < 2; pass++) {
    for (int u = 0; u < from->n_units; u++) {
      for (int64_t i = 0; i < emg_spikes_count(from, u); i++) {
        int64_t at = emg_spikes_of(from, u)[i] - begin;
        if (at < 0 || at >= n_samples) {
          continue;
        }
        if (pass == 0) {
          counts[u]++;
        } else {
          out->samples[n++] = at;
        }
      }
    }
    emg_status status =
        pass > 0 ? EMG_OK
                 : emg_spikes_create(from->n_units, counts, from->rate_hz, n_samples, out, err);
    if (status != EMG_OK) {
      free(counts);
      return status;
    }
  }
  free(counts);
  return EMG_OK;
}

// Row `from` of learned filters into row `to`; weights of 0, which never fire, where the stored
// filters are of other channels or lengths.
static void set_filter(const emg_filters *learned, int from, emg_filters *out, int to) {
  size_t n = (size_t)out->n_taps * (size_t)out->n_channels;
  bool is_alike =
      learned->n_taps == out->n_taps && learned->n_channels == out->n_channels &&
      memcmp(learned->channel, out->channel, (size_t)out->n_channels * sizeof *out->channel) == 0;

  if (!is_alike) {
    memset(out->weights + (size_t)to * n, 0, n * sizeof(float));
    return;
  }
  memcpy(out->weights + (size_t)to * n, learned->weights + (size_t)from * n, n * sizeof(float));
  out->threshold[to] = learned->threshold[from];
  out->spike_centroid[to] = learned->spike_centroid[from];
  out->noise_centroid[to] = learned->noise_centroid[from];
  out->delay[to] = learned->delay[from];
}

emg_status emg_edit_learn(emg_editor *editor, emg_decomposition *d, int n, const int *units,
                          emg_error *err) {
  emg_recording window;
  emg_filters learned = {0};
  emg_spikes trains = {0};
  int64_t begin;
  emg_status status;

  if (d->filters.n_units == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_window_cut(editor->rec, &editor->config->decompose, &window, &begin, err));
  if (!editor->learner) {
    EMG_TRY(emg_filters_learner_create(&window, editor->config, NULL, &editor->learner, err));
  }
  EMG_TRY_DONE(shift_trains(&d->spikes, begin, window.data.n_cols, &trains, err));
  EMG_TRY_DONE(
      emg_filters_learner_learn(editor->learner, &window, &trains, n, units, &learned, err));
  for (int i = 0; i < n; i++) {
    set_filter(&learned, i, &d->filters, units[i]);
  }

done:
  emg_spikes_free(&trains);
  emg_filters_free(&learned);
  return status;
}
