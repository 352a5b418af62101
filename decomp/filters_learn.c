// filters_learn.c -- separation filters of known trains, for data that have not come yet
#include <emgtwin/filters.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/lin.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "ckc_priv.h"
#include "online_priv.h"

// A filter is learned in the causally filtered channels, from the least-squares action potentials
// of all units together and the covariance of the whole signal: in new data the other units are
// there as well, so they belong to what it must reject. Averages at the spikes would do for units
// that stand out; of the others they keep the neighbours' parts.
struct emg_filters_learner {
  const struct emg_config_decompose *config;
  int *channel;       // those used, ascending
  emg_signal signal;  // these, causally filtered, of unit median root mean square
  double size_uv;     // what that is
  emg_spans covered, whole;
  int n_taps, n_dimensions;
  double *factor;  // [D][D], lower Cholesky factor of covariance + ridge
  emg_units units;
  int64_t *shift;  // of each unit: samples from the train given to its centre of energy
};
typedef struct emg_filters_learner learner;

enum { SPIKES_LEAST = 10 };  // fewer leave more noise than action potential in an average

void emg_filters_learner_free(learner *l) {
  if (l) {
    free(l->channel);
    emg_signal_free(&l->signal);
    free(l->factor);
    emg_units_free(&l->units);
    free(l->shift);
  }
  free(l);
}

// Long filters reject more, as long as the recording has several samples for each of their rows.
static int choose_taps(const struct emg_config_decompose *config, int n_channels, double rate_hz,
                       int64_t n_samples) {
  const double dimensions_most = 2560, samples_per_dimension = 8;
  double wanted = round(config->filter_ms * rate_hz / 1000);
  double most = fmin(dimensions_most, (double)n_samples / samples_per_dimension) / n_channels;

  return (int)fmax(fmin(wanted, floor(most)), 1);
}

// --- the signal as it will come: filtered from its past alone ---

static void scale_signal(learner *l) {
  const emg_signal *x = &l->signal;
  double squares = 0;

  for (int64_t i = 0; i < x->n_samples * x->n_channels; i++) {
    squares += (double)x->rows[i] * x->rows[i];
  }
  double rms = sqrt(squares / (double)(x->n_samples * x->n_channels));
  l->size_uv = rms > 0 && isfinite(rms) ? rms : 1;
  for (int64_t i = 0; i < x->n_samples * x->n_channels; i++) {
    x->rows[i] = (float)(x->rows[i] / l->size_uv);
  }
}

static emg_status filter_recording(learner *l, const emg_recording *rec, emg_error *err) {
  emg_filter filter;

  EMG_TRY(emg_filters_band(l->config->band_low_hz, l->config->band_high_hz, l->config->notch_hz,
                           rec->rate_hz, &filter, err));
  EMG_TRY(emg_filter_channels(rec, l->channel, &filter, &l->signal, err));
  scale_signal(l);
  return EMG_OK;
}

static emg_status start(learner *l, const emg_recording *rec, const emg_config *config,
                        const emg_channel_finding *finding, emg_error *err) {
  const double half_window_ms = 20;
  int64_t n = rec->data.n_cols, edge = (int64_t)(l->config->edge_s * rec->rate_hz);
  int n_channels;

  EMG_TRY(emg_alloc((size_t)rec->data.n_rows, sizeof *l->channel, &l->channel, err));
  EMG_TRY(emg_good_channels(rec, config, finding, l->channel, &n_channels, err));
  l->units.half_window = (int64_t)lround(half_window_ms * rec->rate_hz / 1000);
  l->covered = emg_spans_over(edge, n - edge, (int64_t)(l->config->search_s * rec->rate_hz));
  l->whole = emg_spans_over(0, n, n);
  l->n_taps = choose_taps(l->config, n_channels, rec->rate_hz, l->covered.place[EMG_SPANS]);
  l->n_dimensions = l->n_taps * n_channels;
  int64_t margin = 2 * l->units.half_window + l->n_taps + 1;
  EMG_TRY(emg_signal_create(n_channels, n, margin, rec->rate_hz, &l->signal, err));
  return filter_recording(l, rec, err);
}

// --- covariance ---

// Lag covariances of a short recording need not make a positive matrix: then the ridge grows.
static emg_status factorise(learner *l, emg_error *err) {
  int n = l->n_dimensions;
  // float sums leave an error of some 1e-7 of the largest eigenvalue in the small ones
  double share = fmax(l->config->filter_ridge, 1e-7), *vectors = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned((size_t)n * (size_t)n, sizeof(double), &l->factor, err));
  EMG_TRY_DONE(emg_alloc_aligned(2 * (size_t)n, sizeof *vectors, &vectors, err));
  for (status = EMG_ERR_DATA; status == EMG_ERR_DATA && share <= 10; share *= 10) {
    EMG_TRY_DONE(emg_extended_covariance(&l->signal, l->n_taps, &l->covered, l->factor, err));
    double load = share * emg_largest_eigenvalue(n, l->factor, vectors);
    for (ptrdiff_t i = 0; i < n; i++) {
      l->factor[i * n + i] += load;
    }
    status = emg_cholesky(n, l->factor, err);
  }

done:
  free(vectors);
  return status;
}

// --- action potentials ---

static bool has_enough_spikes(const emg_spikes *spikes, int u) {
  return emg_spikes_count(spikes, u) >= SPIKES_LEAST;
}

static emg_status fit_action_potentials(learner *l, const emg_spikes *spikes, emg_error *err) {
  const int sweeps = 4;
  emg_signal residual = {0};
  int64_t *moved = NULL, half_window = l->units.half_window;
  emg_status status;

  emg_units_free(&l->units);  // of trains before
  l->units.half_window = half_window;
  free(l->shift);
  l->shift = NULL;
  EMG_TRY_DONE(emg_alloc((size_t)spikes->n_units, sizeof *l->shift, &l->shift, err));
  EMG_TRY_DONE(emg_alloc((size_t)spikes->offsets[spikes->n_units], sizeof *moved, &moved, err));
  for (int u = 0; u < spikes->n_units; u++) {
    const int64_t *train = emg_spikes_of(spikes, u);
    int64_t n = emg_spikes_count(spikes, u);
    EMG_TRY_DONE(
        emg_centre_of_energy(&l->signal, train, n, l->units.half_window, &l->shift[u], err));
    for (int64_t i = 0; i < n; i++) {
      moved[i] = train[i] + l->shift[u];
    }
    EMG_TRY_DONE(emg_units_add(&l->units, l->signal.n_channels, moved, n, err));
  }
  EMG_TRY_DONE(emg_signal_copy(&l->signal, &residual, err));
  EMG_TRY_DONE(emg_units_fit(&residual, &l->units, sweeps, err));

done:
  emg_signal_free(&residual);
  free(moved);
  return status;
}

// --- filters ---

// views[n][D]: the action potential as xe sees it when its row `end` is the newest, for each `end`.
static void fill_views(const learner *l, const emg_unit *unit, int n, const int64_t *end,
                       double *views) {
  int n_channels = l->signal.n_channels;
  int64_t length = 2 * l->units.half_window;

  for (int i = 0; i < n; i++) {
    for (int tap = 0; tap < l->n_taps; tap++) {
      int64_t row = end[i] - l->n_taps + 1 + tap;
      double *to = views + (ptrdiff_t)i * l->n_dimensions + (ptrdiff_t)tap * n_channels;
      for (int c = 0; c < n_channels; c++) {
        to[c] = row >= 0 && row < length ? unit->muap[row * n_channels + c] : 0;
      }
    }
  }
}

// Among the views, the one with most b' C^-1 b: the filter f = C^-1 b / (b' C^-1 b) answers to it
// with 1 and least to all else (Capon 1969). `views` and `solved` are scratch [n][D].
static double best_view(const learner *l, const emg_unit *unit, int n, const int64_t *end,
                        double *views, double *solved, int *best) {
  double most = 0;

  *best = 0;
  fill_views(l, unit, n, end, views);
  memcpy(solved, views, (size_t)n * (size_t)l->n_dimensions * sizeof *views);
  emg_cholesky_solve(l->n_dimensions, l->factor, n, solved);
  for (int i = 0; i < n; i++) {
    const double *b = views + (ptrdiff_t)i * l->n_dimensions;
    const double *f = solved + (ptrdiff_t)i * l->n_dimensions;
    double power = 0;
    for (int d = 0; d < l->n_dimensions; d++) {
      power += b[d] * f[d];
    }
    if (power > most) {
      most = power;
      *best = i;
    }
  }
  return most;
}

enum { VIEWS = 12 };

// Coarse over all delays at which the filter sees half of its length or more, then between these.
static emg_status learn_unit(const learner *l, int u, int row, emg_filters *out, emg_error *err) {
  const emg_unit *unit = &l->units.items[u];
  int64_t first = l->n_taps / 2, last = 2 * l->units.half_window + l->n_taps / 2;
  double step = (double)(last - first) / (VIEWS - 1), *views;
  int64_t end[VIEWS];
  int best;
  size_t size = (size_t)VIEWS * (size_t)l->n_dimensions;

  EMG_TRY(emg_alloc_aligned(2 * size, sizeof *views, &views, err));
  for (int i = 0; i < VIEWS; i++) {
    end[i] = first + (int64_t)(i * step);
  }
  best_view(l, unit, VIEWS, end, views, views + size, &best);
  int64_t middle = end[best], finer = (int64_t)fmax(step / 4, 1);
  for (int i = 0; i < 7; i++) {
    end[i] = middle + (i - 3) * finer;
  }
  double power = best_view(l, unit, 7, end, views, views + size, &best);

  float *weights = out->weights + (ptrdiff_t)row * l->n_dimensions;
  const double *f = views + size + (ptrdiff_t)best * l->n_dimensions;
  for (int d = 0; d < l->n_dimensions; d++) {
    weights[d] = power > 0 ? (float)(f[d] / power / l->size_uv) : 0;
  }
  out->delay[row] = (int32_t)(end[best] - l->units.half_window + l->shift[u]);
  free(views);
  return EMG_OK;
}

static emg_status learn_all(const learner *l, const emg_spikes *spikes, const int *which,
                            emg_filters *out, emg_error *err) {
  int n_failed = 0;

#pragma omp parallel for schedule(dynamic) reduction(+ : n_failed)
  for (int row = 0; row < out->n_units; row++) {
    int u = which[row];
    n_failed += has_enough_spikes(spikes, u) && learn_unit(l, u, row, out, NULL) != EMG_OK;
  }
  if (n_failed > 0) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for the filters of %d units",
                    n_failed);
  }
  return EMG_OK;
}

// --- thresholds ---

// Number of the spike nearest to `at` in an ascending train of at least one.
static int64_t nearest_spike(const int64_t *train, int64_t n, int64_t at) {
  int64_t low = 0, high = n - 1;

  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (train[middle] < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && at - train[low - 1] <= train[low] - at ? low - 1 : low;
}

// Peaks of a unit's source, as new data will show them, told apart by the train it was learned
// from. The threshold lies half way between the two mean heights: it does better on new data than
// the one that tells these peaks apart best, which the filter has been fitted to.
static void learn_threshold(const emg_spike_picker *peaks, const int64_t *train, int64_t n, int u,
                            emg_filters *out) {
  enum { REACH = 6, NEAR = 2 };  // samples about the expected place
  int64_t counts[2 * REACH + 1] = {0}, n_high = 0, n_low = 0;
  double high = 0, low = 0;
  int offset = 0;

  // where most peaks are: the delay that was sought on a grid may be off by some samples
  for (int64_t i = 0; i < peaks->n_peaks; i++) {
    int64_t at = peaks->place[i] - out->delay[u];
    int64_t away = at - train[nearest_spike(train, n, at)];
    if (llabs(away) <= REACH) {
      counts[away + REACH]++;
    }
  }
  for (int k = 0; k <= 2 * REACH; k++) {
    offset = counts[k] > counts[offset + REACH] ? k - REACH : offset;
  }
  out->delay[u] += offset;
  for (int64_t i = 0; i < peaks->n_peaks; i++) {
    int64_t at = peaks->place[i] - out->delay[u];
    if (llabs(at - train[nearest_spike(train, n, at)]) <= NEAR) {
      high += peaks->height[i];
      n_high++;
    } else {
      low += peaks->height[i];
      n_low++;
    }
  }
  out->spike_centroid[u] = n_high > 0 ? high / (double)n_high : 1;
  out->noise_centroid[u] = n_low > 0 ? low / (double)n_low : 0;
  out->threshold[u] = (out->spike_centroid[u] + out->noise_centroid[u]) / 2;
}

// Columns first .. first + n - 1 of filters[D][n], for the scaled signal.
static void gather_filters(const learner *l, const emg_filters *out, int first, int n,
                           float *filters) {
  for (int i = 0; i < n; i++) {
    const float *weights = out->weights + (ptrdiff_t)(first + i) * l->n_dimensions;
    for (ptrdiff_t d = 0; d < l->n_dimensions; d++) {
      filters[d * n + i] = (float)(weights[d] * l->size_uv);
    }
  }
}

static emg_status learn_thresholds(const learner *l, const emg_spikes *spikes, const int *which,
                                   emg_filters *out, emg_error *err) {
  enum { GROUP = 16 };  // sources held at a time
  int64_t n_samples = l->signal.n_samples;
  emg_spike_picker picker = {0};
  float *filters = NULL, *sources = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_spike_picker_create(
      n_samples, emg_refractory_samples(l->config, l->signal.rate_hz), &picker, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)l->n_dimensions * GROUP, sizeof *filters, &filters, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n_samples * GROUP, sizeof *sources, &sources, err));
  for (int first = 0; first < out->n_units; first += GROUP) {
    int n = out->n_units - first < GROUP ? out->n_units - first : GROUP;
    gather_filters(l, out, first, n, filters);
    EMG_TRY_DONE(
        emg_extended_filter(&l->signal, l->n_taps, &l->whole, filters, n, sources, n_samples, err));
    for (int i = 0; i < n; i++) {
      int u = which[first + i];
      emg_find_peaks(&picker, sources + i * n_samples, n_samples);
      if (has_enough_spikes(spikes, u)) {
        learn_threshold(&picker, emg_spikes_of(spikes, u), emg_spikes_count(spikes, u), first + i,
                        out);
      }
    }
  }

done:
  emg_spike_picker_free(&picker);
  free(filters);
  free(sources);
  return status;
}

// --- all together ---

static void describe(const learner *l, const emg_recording *rec, emg_filters *out) {
  double high_hz = fmin(l->config->band_high_hz, 0.45 * rec->rate_hz);

  out->n_channels_recorded = rec->data.n_rows;
  out->rate_hz = rec->rate_hz;
  out->band_low_hz = l->config->band_low_hz;
  out->band_high_hz = high_hz;
  out->notch_hz = l->config->notch_hz < high_hz ? l->config->notch_hz : 0;
  out->refractory_ms = l->config->refractory_ms;
  for (int c = 0; c < out->n_channels; c++) {
    out->channel[c] = l->channel[c];
  }
}

emg_status emg_filters_learner_create(const emg_recording *rec, const emg_config *config,
                                      const emg_channel_finding *finding, emg_filters_learner **out,
                                      emg_error *err) {
  emg_init();
  EMG_TRY(emg_alloc(1, sizeof **out, out, err));
  (*out)->config = &config->decompose;
  emg_status status = start(*out, rec, config, finding, err);
  if (status == EMG_OK) {
    status = factorise(*out, err);
  }
  if (status != EMG_OK) {
    emg_filters_learner_free(*out);
    *out = NULL;
  }
  return status;
}

emg_status emg_filters_learner_learn(emg_filters_learner *l, const emg_recording *rec,
                                     const emg_spikes *spikes, int n, const int *which,
                                     emg_filters *out, emg_error *err) {
  emg_status status;

  *out = (emg_filters){0};
  EMG_TRY_DONE(fit_action_potentials(l, spikes, err));
  EMG_TRY_DONE(emg_filters_create(n, l->n_taps, l->signal.n_channels, out, err));
  describe(l, rec, out);
  EMG_TRY_DONE(learn_all(l, spikes, which, out, err));
  EMG_TRY_DONE(learn_thresholds(l, spikes, which, out, err));

done:
  if (status != EMG_OK) {
    emg_filters_free(out);
  }
  return status;
}

emg_status emg_filters_learn_in(const emg_recording *rec, const emg_channel_finding *finding,
                                const emg_spikes *spikes, const emg_config *config,
                                const emg_monitor *monitor, emg_filters *out, emg_error *err) {
  emg_filters_learner *l = NULL;
  int *which = NULL;
  emg_status status;

  emg_init();
  *out = (emg_filters){0};
  if (spikes->n_units == 0 || config->decompose.filter_ms <= 0) {
    return EMG_OK;
  }
  if (spikes->rate_hz != rec->rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the spikes are at %g Hz and the recording at %g Hz; filters are learned from "
                    "trains of the recording itself",
                    spikes->rate_hz, rec->rate_hz);
  }
  EMG_TRY(emg_spikes_check(spikes, err));
  EMG_TRY_DONE(emg_filters_learner_create(rec, config, finding, &l, err));
  EMG_TRY_DONE(emg_alloc((size_t)spikes->n_units, sizeof *which, &which, err));
  for (int u = 0; u < spikes->n_units; u++) {
    which[u] = u;
  }
  EMG_TRY_DONE(emg_filters_learner_learn(l, rec, spikes, spikes->n_units, which, out, err));
  emg_log(monitor, EMG_LOG_INFO, "filters", "units = %d, taps = %d, rows = %d", out->n_units,
          l->n_taps, l->n_dimensions);

done:
  emg_filters_learner_free(l);
  free(which);
  return status;
}

emg_status emg_filters_learn(const emg_recording *rec, const emg_spikes *spikes,
                             const emg_config *config, const emg_monitor *monitor, emg_filters *out,
                             emg_error *err) {
  return emg_filters_learn_in(rec, NULL, spikes, config, monitor, out, err);
}
