// decode.c -- the spikes of known units in a part of a recording, all units together
#include "follow_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/array.h>

// Filters come from the action potentials and the covariance of the residual, so what is still
// unexplained is suppressed and what is explained is not. All sources are computed once per
// iteration; after that a spike that comes or goes changes every source by a known response, so
// that going over all units again and again while something changes costs next to nothing.
typedef struct {
  emg_prepared *part;
  emg_signal *residual;
  const struct emg_config_decompose *config;
  emg_units *units;
  const double *weight, *interval_s;
  int n_taps, n_dimensions, n_delays;
  int64_t n_samples, n_response, capacity, n_steps;
  emg_signal waves;              // all action potentials one after the other, n_response rows each
  float *prior;                  // [unit][2 half_window][channel]
  double *covariance, *inverse;  // [D][D]
  emg_whitener whitener;         // of the residual, without its covariance
  float *views, *answers;        // [D][n_delays]
  float *filters;                // [D][unit]
  int *delay, *order;            // [unit]
  double *strength;              // [unit] b' C^-1 b
  float *sources;                // [unit][sample] of the residual
  float *responses;              // [filter][unit][n_response], from half_window before a spike
  bool *is_heard;                // [filter][unit] whether the response is worth another look
  bool *is_stale;                // [unit] its source has changed since it was looked at
  int64_t *put, *n_put;          // [unit][capacity] spikes that the residual is without
  int64_t *removed, *added;      // [capacity]
  float *scratch;                // [sample]
  double *noise;                 // [unit][n_steps]
  emg_activity_picker picker;
} decoding;

static void decoding_free(decoding *d) {
  emg_signal_free(&d->waves);
  free(d->prior);
  free(d->covariance);
  free(d->inverse);
  free(d->whitener.inverse);
  free(d->views);
  free(d->answers);
  free(d->filters);
  free(d->delay);
  free(d->order);
  free(d->strength);
  free(d->sources);
  free(d->responses);
  free(d->is_heard);
  free(d->is_stale);
  free(d->put);
  free(d->n_put);
  free(d->removed);
  free(d->added);
  free(d->scratch);
  free(d->noise);
  emg_activity_picker_free(&d->picker);
}

static size_t muap_size(const decoding *d) {
  return (size_t)(2 * d->units->half_window) * (size_t)d->residual->n_channels;
}

static emg_status decoding_create(decoding *d, emg_error *err) {
  size_t n_units = (size_t)d->units->n,
         n_square = (size_t)d->n_dimensions * (size_t)d->n_dimensions;
  size_t n_views = (size_t)d->n_dimensions * (size_t)d->n_delays;
  int64_t refractory = emg_refractory_samples(d->config, d->residual->rate_hz);

  EMG_TRY(emg_signal_create(d->residual->n_channels, d->n_response * d->units->n, d->n_taps,
                            d->residual->rate_hz, &d->waves, err));
  EMG_TRY(emg_alloc_aligned(n_units * muap_size(d), sizeof(float), &d->prior, err));
  EMG_TRY(emg_alloc_aligned(n_square, sizeof(double), &d->covariance, err));
  EMG_TRY(emg_alloc_aligned(n_square, sizeof(double), &d->inverse, err));
  EMG_TRY(emg_alloc_aligned(n_square, sizeof(float), &d->whitener.inverse, err));
  EMG_TRY(emg_alloc_aligned(n_views, sizeof(float), &d->views, err));
  EMG_TRY(emg_alloc_aligned(n_views, sizeof(float), &d->answers, err));
  EMG_TRY(emg_alloc_aligned((size_t)d->n_dimensions * n_units, sizeof(float), &d->filters, err));
  EMG_TRY(emg_alloc(n_units, sizeof(int), &d->delay, err));
  EMG_TRY(emg_alloc(n_units, sizeof(int), &d->order, err));
  EMG_TRY(emg_alloc(n_units, sizeof(double), &d->strength, err));
  EMG_TRY(emg_alloc_aligned(n_units * (size_t)d->n_samples, sizeof(float), &d->sources, err));
  EMG_TRY(emg_alloc_aligned(n_units * n_units * (size_t)d->n_response, sizeof(float), &d->responses,
                            err));
  EMG_TRY(emg_alloc(n_units * n_units, sizeof(bool), &d->is_heard, err));
  EMG_TRY(emg_alloc(n_units, sizeof(bool), &d->is_stale, err));
  EMG_TRY(emg_activity_picker_create(d->n_samples, refractory, &d->picker, err));
  d->capacity = emg_spike_picker_capacity(&d->picker.peaks);
  size_t capacity = (size_t)d->capacity;
  EMG_TRY(emg_alloc(n_units * capacity, sizeof(int64_t), &d->put, err));
  EMG_TRY(emg_alloc(n_units, sizeof(int64_t), &d->n_put, err));
  EMG_TRY(emg_alloc(capacity, sizeof(int64_t), &d->removed, err));
  EMG_TRY(emg_alloc(capacity, sizeof(int64_t), &d->added, err));
  EMG_TRY(emg_alloc_aligned((size_t)d->n_samples, sizeof(float), &d->scratch, err));
  EMG_TRY(emg_alloc(n_units * (size_t)d->n_steps, sizeof(double), &d->noise, err));
  return EMG_OK;
}

// Units without spikes, with room for as many as there can be, and without the channels that have
// no signal here.
static emg_status start_units(decoding *d, emg_error *err) {
  int n_channels = d->residual->n_channels;

  for (int u = 0; u < d->units->n; u++) {
    emg_unit *unit = &d->units->items[u];
    int64_t *spikes;
    EMG_TRY(emg_alloc((size_t)d->capacity, sizeof *spikes, &spikes, err));
    free(unit->spikes);
    unit->spikes = spikes;
    unit->n_spikes = 0;
    memcpy(d->prior + (size_t)u * muap_size(d), unit->muap, muap_size(d) * sizeof(float));
    for (size_t i = 0; i < muap_size(d); i++) {
      unit->muap[i] = d->part->is_usable[i % (size_t)n_channels] ? unit->muap[i] : 0;
    }
  }
  return EMG_OK;
}

// --- filters ---

// Largest eigenvalue, to a few per cent, by power iteration.
static double largest_eigenvalue(int n, const double *a, double *vector, double *product) {
  double value = 0;

  for (int i = 0; i < n; i++) {
    vector[i] = 1 + 0.5 * (i % 3);
  }
  for (int pass = 0; pass < 12; pass++) {
    double squares = 0;
    emg_dgemm(0, 0, 1, n, n, 1, vector, n, a, n, 0, product, n);
    for (int i = 0; i < n; i++) {
      squares += product[i] * product[i];
    }
    value = sqrt(squares);
    for (int i = 0; i < n; i++) {
      vector[i] = value > 0 ? product[i] / value : 0;
    }
  }
  return value;
}

// whitener.inverse = (C + 1e-4 of its largest eigenvalue)^-1 for the covariance of the residual.
// Over all samples with zeros around them C is positive semidefinite by construction; over fewer
// the lag covariances would be of slightly different samples.
static emg_status invert_covariance(decoding *d, emg_error *err) {
  const double ridge_share = 1e-4;
  ptrdiff_t n = d->n_dimensions;
  emg_spans spans = emg_spans_over(0, d->n_samples, d->n_samples);

  EMG_TRY(emg_extended_covariance(d->residual, d->n_taps, &spans, d->covariance, err));
  double most = largest_eigenvalue((int)n, d->covariance, d->inverse, d->inverse + n);
  memset(d->inverse, 0, (size_t)(n * n) * sizeof(double));
  for (ptrdiff_t i = 0; i < n; i++) {
    d->covariance[i * n + i] += most > 0 ? ridge_share * most : 1;
    d->inverse[i * n + i] = 1;
  }
  EMG_TRY(emg_solve_spd((int)n, d->covariance, (int)n, d->inverse, err));
  for (ptrdiff_t i = 0; i < n * n; i++) {
    d->whitener.inverse[i] = (float)d->inverse[i];
  }
  return EMG_OK;
}

// b: what the filter sees of unit u's action potential, `first` .. `first + n - 1` samples into it.
static void view_unit(const decoding *d, int u, int first, int n, float *views) {
  for (int i = 0; i < n; i++) {
    const float *view = emg_signal_row(&d->waves, u * d->n_response + first + i);
    for (ptrdiff_t k = 0; k < d->n_dimensions; k++) {
      views[k * n + i] = view[k];
    }
  }
}

// f = C^-1 b / (b' C^-1 b) at the delay where b' C^-1 b is largest (Capon 1969); the delay of the
// first iteration is kept in those that follow.
static void make_filter(decoding *d, int u, bool is_first) {
  int n = is_first ? d->n_delays : 1, best = 0;
  double most = 0;

  view_unit(d, u, is_first ? 0 : d->delay[u], n, d->views);
  emg_whitener_apply(&d->whitener, n, d->views, d->answers);
  for (int i = 0; i < n; i++) {
    double power = 0;
    for (ptrdiff_t at = i; at < (ptrdiff_t)d->n_dimensions * n; at += n) {
      power += (double)d->views[at] * d->answers[at];
    }
    if (power > most) {
      most = power;
      best = i;
    }
  }
  if (is_first) {
    d->delay[u] = best;
  }
  d->strength[u] = most;
  for (ptrdiff_t k = 0; k < d->n_dimensions; k++) {
    d->filters[k * d->units->n + u] = most > 0 ? d->answers[k * n + best] / (float)most : 0;
  }
}

// Whose spikes move a source enough to change its own: by a fiftieth of a spike's height.
static void find_hearers(decoding *d) {
  const float least = 0.02F;
  int n_units = d->units->n;

#pragma omp parallel for schedule(static)
  for (int i = 0; i < n_units * n_units; i++) {
    const float *response = d->responses + i * d->n_response;
    float most = 0;
    for (int64_t t = 0; t < d->n_response; t++) {
      most = fmaxf(most, fabsf(response[t]));
    }
    d->is_heard[i] = i / n_units != i % n_units && most > least;
  }
}

// Sources of the residual and the responses of all filters to all action potentials.
static emg_status make_sources(decoding *d, bool is_first, emg_error *err) {
  int n_units = d->units->n;
  emg_spans whole = emg_spans_over(0, d->n_samples, d->n_samples);
  int64_t n_waves = d->waves.n_samples;
  emg_spans waves = emg_spans_over(0, n_waves, n_waves);

  EMG_TRY(invert_covariance(d, err));
  for (int u = 0; u < n_units; u++) {
    memcpy(emg_signal_row(&d->waves, u * d->n_response), d->units->items[u].muap,
           muap_size(d) * sizeof(float));
  }
  for (int u = 0; u < n_units; u++) {
    make_filter(d, u, is_first);
  }
  EMG_TRY(emg_extended_filter(d->residual, d->n_taps, &whole, d->filters, n_units, d->sources,
                              d->n_samples, err));
  EMG_TRY(emg_extended_filter(&d->waves, d->n_taps, &waves, d->filters, n_units, d->responses,
                              n_waves, err));
  find_hearers(d);
  return EMG_OK;
}

// Strongest first: what stands out most is least mistaken.
static void order_units(decoding *d) {
  for (int u = 0; u < d->units->n; u++) {
    int place = u;
    while (place > 0 && d->strength[d->order[place - 1]] < d->strength[u]) {
      d->order[place] = d->order[place - 1];
      place--;
    }
    d->order[place] = u;
  }
}

// --- spikes ---

// y += sign * response of filter i to unit u at a spike, as far as it lies inside.
EMG_KERNEL static void add_response(const decoding *d, int i, int u, int64_t spike, float sign,
                                    float *y) {
  const float *response = d->responses + ((int64_t)i * d->units->n + u) * d->n_response;
  int64_t begin = spike - d->units->half_window;
  int64_t first = begin < 0 ? -begin : 0;
  int64_t last = begin + d->n_response > d->n_samples ? d->n_samples - begin : d->n_response;

  for (int64_t t = first; t < last; t++) {
    y[begin + t] += sign * response[t];
  }
}

// Source of the residual plus the unit's own signal, its peaks moved to the spikes.
static void complete_source(const decoding *d, int u, float *y) {
  const emg_unit *unit = &d->units->items[u];
  int64_t by = d->delay[u] + d->n_taps - 1 - d->units->half_window, n = d->n_samples;

  memcpy(y, d->sources + u * n, (size_t)n * sizeof *y);
  for (int64_t i = 0; i < unit->n_spikes; i++) {
    add_response(d, u, u, unit->spikes[i], 1, y);
  }
  int64_t n_kept = n - llabs(by) > 0 ? n - llabs(by) : 0;
  if (by >= 0) {
    memmove(y, y + (n - n_kept), (size_t)n_kept * sizeof *y);
    memset(y + n_kept, 0, (size_t)(n - n_kept) * sizeof *y);
  } else {
    memmove(y + (n - n_kept), y, (size_t)n_kept * sizeof *y);
    memset(y, 0, (size_t)(n - n_kept) * sizeof *y);
  }
}

// What is in `a` and not in `b`, both ascending.
static int64_t difference(const int64_t *a, int64_t n_a, const int64_t *b, int64_t n_b,
                          int64_t *out) {
  int64_t n = 0, j = 0;

  for (int64_t i = 0; i < n_a; i++) {
    while (j < n_b && b[j] < a[i]) {
      j++;
    }
    if (j == n_b || b[j] != a[i]) {
      out[n++] = a[i];
    }
  }
  return n;
}

// The sources follow spikes of unit u that have come or gone.
static void respond(decoding *d, int u, int64_t n_removed, int64_t n_added) {
  const int64_t worth_threads = 4096;
  int n_units = d->units->n;

#pragma omp parallel for schedule(static) if ((n_removed + n_added) * n_units > worth_threads)
  for (int i = 0; i < n_units; i++) {
    float *y = d->sources + i * d->n_samples;
    for (int64_t k = 0; k < n_removed; k++) {
      add_response(d, i, u, d->removed[k], 1, y);
    }
    for (int64_t k = 0; k < n_added; k++) {
      add_response(d, i, u, d->added[k], -1, y);
    }
    d->is_stale[i] |= d->is_heard[i * n_units + u] && d->strength[i] > 0;
  }
}

// Detect unit u anew; all sources follow.
static void detect(decoding *d, int u) {
  emg_unit *unit = &d->units->items[u];
  emg_expectation expected = {.rate_hz = d->residual->rate_hz,
                              .interval_s = d->interval_s[u],
                              .noise_variance = d->noise + u * d->n_steps};

  emg_noise_estimate(d->sources + u * d->n_samples, d->n_samples, &expected);
  complete_source(d, u, d->scratch);
  int64_t n = emg_pick_active(&d->picker, d->scratch, d->n_samples, &expected);
  const int64_t *spikes = d->picker.spikes;
  int64_t n_removed = difference(unit->spikes, unit->n_spikes, spikes, n, d->removed);
  int64_t n_added = difference(spikes, n, unit->spikes, unit->n_spikes, d->added);
  if (n_removed + n_added > 0) {
    respond(d, u, n_removed, n_added);
    memcpy(unit->spikes, spikes, (size_t)n * sizeof *spikes);
    unit->n_spikes = n;
  }
}

// All units once, then again those whose sources have changed meanwhile.
static void detect_all(decoding *d, int n_sweeps) {
  order_units(d);
  for (int u = 0; u < d->units->n; u++) {
    d->is_stale[u] = d->strength[u] > 0;
  }
  for (int sweep = 0; sweep < n_sweeps; sweep++) {
    for (int i = 0; i < d->units->n; i++) {
      int u = d->order[i];
      if (d->is_stale[u]) {
        d->is_stale[u] = false;
        detect(d, u);
      }
    }
  }
}

// Put a unit's action potential at other spikes than its own.
static void put_at(decoding *d, int u, int64_t *spikes, int64_t n_spikes, float sign) {
  emg_unit *unit = &d->units->items[u], own = *unit;

  unit->spikes = spikes;
  unit->n_spikes = n_spikes;
  emg_unit_put(d->residual, d->units, u, sign);
  unit->spikes = own.spikes;
  unit->n_spikes = own.n_spikes;
}

// The residual follows the spikes.
static void subtract_changes(decoding *d) {
  for (int u = 0; u < d->units->n; u++) {
    const emg_unit *unit = &d->units->items[u];
    int64_t *put = d->put + u * d->capacity;
    int64_t n_removed = difference(put, d->n_put[u], unit->spikes, unit->n_spikes, d->removed);
    int64_t n_added = difference(unit->spikes, unit->n_spikes, put, d->n_put[u], d->added);
    put_at(d, u, d->removed, n_removed, 1);
    put_at(d, u, d->added, n_added, -1);
    memcpy(put, unit->spikes, (size_t)unit->n_spikes * sizeof *put);
    d->n_put[u] = unit->n_spikes;
  }
}

// --- action potentials ---

// Least squares over this part, then the mean of that and of what was known before, weighted by the
// spikes behind each: a unit with few spikes here keeps its action potential, one with many follows
// a slow change.
static emg_status fit(decoding *d, emg_error *err) {
  const int sweeps = 2;
  size_t size = muap_size(d);
  int n_channels = d->residual->n_channels;
  float *step;

  EMG_TRY(emg_units_fit(d->residual, d->units, sweeps, err));
  EMG_TRY(emg_alloc_aligned(size, sizeof *step, &step, err));
  for (int u = 0; u < d->units->n; u++) {
    emg_unit *unit = &d->units->items[u];
    const float *prior = d->prior + (size_t)u * size;
    float *muap = unit->muap;
    double share = d->weight[u] / (d->weight[u] + (double)unit->n_spikes + 1e-9);
    for (size_t i = 0; i < size; i++) {
      float towards = d->part->is_usable[i % (size_t)n_channels] ? prior[i] - muap[i] : 0;
      step[i] = -(float)share * towards;
    }
    unit->muap = step;
    emg_unit_put(d->residual, d->units, u, 1);
    unit->muap = muap;
    for (size_t i = 0; i < size; i++) {
      muap[i] -= step[i];
    }
  }
  free(step);
  return EMG_OK;
}

// Channels without signal here keep what is known of them.
static void restore_unusable(decoding *d) {
  size_t size = muap_size(d), n_channels = (size_t)d->residual->n_channels;

  for (int u = 0; u < d->units->n; u++) {
    for (size_t i = 0; i < size; i++) {
      if (!d->part->is_usable[i % n_channels]) {
        d->units->items[u].muap[i] = d->prior[(size_t)u * size + i];
      }
    }
  }
}

// --- all together ---

double emg_signal_power(const emg_signal *x) {
  double sums[EMG_SPANS] = {0}, sum = 0;
  emg_spans spans = emg_spans_over(0, x->n_samples, x->n_samples);

#pragma omp parallel for schedule(static)
  for (int s = 0; s < EMG_SPANS; s++) {
    const float *end = emg_signal_row(x, spans.end[s]);
    for (const float *value = emg_signal_row(x, spans.begin[s]); value < end; value++) {
      sums[s] += (double)*value * *value;
    }
  }
  for (int s = 0; s < EMG_SPANS; s++) {
    sum += sums[s];
  }
  return sum / ((double)x->n_samples * x->n_channels);
}

static emg_status decode(decoding *d, emg_error *err) {
  const int iterations = 3, sweeps = 4;

  EMG_TRY(start_units(d, err));
  for (int i = 0; i < iterations; i++) {
    if (i > 0) {
      EMG_TRY(fit(d, err));
    }
    EMG_TRY(make_sources(d, i == 0, err));
    detect_all(d, sweeps);
    subtract_changes(d);
  }
  return EMG_OK;
}

emg_status emg_decode(emg_prepared *part, int n_taps, const struct emg_config_decompose *config,
                      emg_units *units, const double *weight, const double *interval_s,
                      emg_decoded *out, emg_error *err) {
  emg_signal *residual = &part->signal;
  decoding d = {.part = part,
                .residual = residual,
                .config = config,
                .units = units,
                .weight = weight,
                .interval_s = interval_s,
                .n_taps = n_taps,
                .n_dimensions = n_taps * residual->n_channels,
                .n_delays = (int)(2 * units->half_window) - n_taps + 1,
                .n_samples = residual->n_samples,
                .n_response = 2 * units->half_window + n_taps - 1,
                .n_steps = emg_noise_steps(residual->n_samples, residual->rate_hz)};
  emg_status status = EMG_OK;

  *out = (emg_decoded){.n_samples = d.n_samples, .n_steps = d.n_steps};
  d.n_delays = d.n_delays > 1 ? d.n_delays : 1;
  d.whitener = (emg_whitener){.n_taps = n_taps, .n_dimensions = d.n_dimensions};
  if (units->n > 0) {
    EMG_TRY_DONE(decoding_create(&d, err));
    EMG_TRY_DONE(decode(&d, err));
    for (int u = 0; u < units->n; u++) {
      complete_source(&d, u, d.scratch);
      memcpy(d.sources + u * d.n_samples, d.scratch, (size_t)d.n_samples * sizeof(float));
    }
    restore_unusable(&d);
    out->sources = d.sources;
    out->noise = d.noise;
    d.sources = NULL;
    d.noise = NULL;
  }
  out->residual_power = emg_signal_power(residual);

done:
  decoding_free(&d);
  return status;
}

void emg_decoded_free(emg_decoded *decoded) {
  free(decoded->sources);
  free(decoded->noise);
  *decoded = (emg_decoded){.n_samples = 0};
}
