// decode.c -- the spikes of known units in a part of a recording, all units together
#include "follow_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "joint_priv.h"

// The joint model of joint.c, with two differences: the units and how they look are known from
// before, so they are found in a recording of which nothing is explained yet, strongest first; and
// any of them may be silent. After the sources are computed, a spike that comes or goes changes
// every source by a known response, so that going over all units again and again while something
// changes costs next to nothing.
typedef struct {
  emg_prepared *part;
  emg_joint joint;
  const double *weight, *interval_s;
  int64_t n_samples, capacity, n_steps;
  float *prior;              // [unit][2 half_window][channel]
  bool *is_heard;            // [filter][unit] whether the response is worth another look
  bool *is_stale;            // [unit] its source has changed since it was looked at
  int *order;                // [unit]
  int64_t *put, *n_put;      // [unit][capacity] spikes that the residual is without
  int64_t *removed, *added;  // [capacity]
  float *source;             // [joint.length], one, with the unit's own signal
  double *noise;             // [unit][n_steps]
  emg_activity_picker picker;
} decoding;

static void decoding_free(decoding *d) {
  emg_joint_free(&d->joint);
  free(d->prior);
  free(d->is_heard);
  free(d->is_stale);
  free(d->order);
  free(d->put);
  free(d->n_put);
  free(d->removed);
  free(d->added);
  free(d->source);
  free(d->noise);
  emg_activity_picker_free(&d->picker);
}

static size_t muap_size(const decoding *d) {
  return (size_t)(2 * d->joint.units->half_window) * (size_t)d->part->signal.n_channels;
}

static emg_status decoding_create(decoding *d, emg_error *err) {
  const emg_units *units = d->joint.units;
  size_t n_units = (size_t)units->n;
  int64_t refractory = emg_refractory_samples(d->joint.config, d->part->signal.rate_hz);

  EMG_TRY(emg_joint_create(&d->joint, err));
  EMG_TRY(emg_alloc_aligned(n_units * muap_size(d), sizeof(float), &d->prior, err));
  EMG_TRY(emg_alloc(n_units * n_units, sizeof(bool), &d->is_heard, err));
  EMG_TRY(emg_alloc(n_units, sizeof(bool), &d->is_stale, err));
  EMG_TRY(emg_alloc(n_units, sizeof(int), &d->order, err));
  EMG_TRY(emg_activity_picker_create(d->joint.length, refractory, &d->picker, err));
  d->capacity = emg_spike_picker_capacity(&d->picker.peaks);
  size_t capacity = (size_t)d->capacity;
  EMG_TRY(emg_alloc(n_units * capacity, sizeof(int64_t), &d->put, err));
  EMG_TRY(emg_alloc(n_units, sizeof(int64_t), &d->n_put, err));
  EMG_TRY(emg_alloc(capacity, sizeof(int64_t), &d->removed, err));
  EMG_TRY(emg_alloc(capacity, sizeof(int64_t), &d->added, err));
  EMG_TRY(emg_alloc_aligned((size_t)d->joint.length, sizeof(float), &d->source, err));
  return emg_alloc(n_units * (size_t)d->n_steps, sizeof(double), &d->noise, err);
}

// Units without spikes, with room for as many as there can be, and without the channels that have
// no signal here.
static emg_status start_units(decoding *d, emg_error *err) {
  size_t n_channels = (size_t)d->part->signal.n_channels;

  for (int u = 0; u < d->joint.units->n; u++) {
    emg_unit *unit = &d->joint.units->items[u];
    int64_t *spikes;
    EMG_TRY(emg_alloc((size_t)d->capacity, sizeof *spikes, &spikes, err));
    free(unit->spikes);
    unit->spikes = spikes;
    unit->n_spikes = 0;
    memcpy(d->prior + (size_t)u * muap_size(d), unit->muap, muap_size(d) * sizeof(float));
    for (size_t i = 0; i < muap_size(d); i++) {
      unit->muap[i] = d->part->is_usable[i % n_channels] ? unit->muap[i] : 0;
    }
  }
  return EMG_OK;
}

// --- sources ---

// Whose spikes move a source enough to change its own: by a fiftieth of a spike's height.
static void find_hearers(decoding *d) {
  const float least = 0.02F;
  int n_units = d->joint.units->n;

#pragma omp parallel for schedule(static)
  for (int i = 0; i < n_units * n_units; i++) {
    const float *response = emg_joint_response(&d->joint, i / n_units, i % n_units);
    float most = 0;
    for (int64_t t = 0; t < 2 * d->joint.reach + 1; t++) {
      most = fmaxf(most, fabsf(response[t]));
    }
    d->is_heard[i] = i / n_units != i % n_units && most > least;
  }
}

// Filters from the residual, and its sources. Over all samples with zeros around them the
// covariance is positive semidefinite by construction. The first filters are made from action
// potentials of another time: a larger ridge lets them answer to what has changed a little (Carlson
// 1988).
static emg_status make_sources(decoding *d, bool is_first, emg_error *err) {
  const double first_ridge = 1e-3;
  emg_joint *j = &d->joint;
  emg_spans whole = emg_spans_over(0, d->n_samples, d->n_samples);
  emg_spans all =
      emg_spans_over(-j->units->half_window, d->n_samples + j->units->half_window, INT64_MAX);
  emg_whitener inverse;

  EMG_TRY(emg_whitener_create_ridge(
      j->residual, j->n_taps, &whole,
      is_first ? fmax(first_ridge, j->config->joint_ridge) : j->config->joint_ridge, &inverse,
      err));
  emg_status status = emg_joint_filters(j, &inverse, err);
  emg_whitener_free(&inverse);
  EMG_TRY(status);
  EMG_TRY(emg_extended_filter(j->residual, j->n_taps, &all, j->filters, j->units->n, j->sources,
                              j->length, err));
  find_hearers(d);
  return EMG_OK;
}

static double noise_of(const decoding *d, int u) {
  double sum = 0;
  for (int64_t k = 0; k < d->n_steps; k++) {
    sum += d->noise[u * d->n_steps + k] / (double)d->n_steps;
  }
  return sum;
}

// Strongest first: what stands out most is least mistaken.
static void order_units(decoding *d) {
  for (int u = 0; u < d->joint.units->n; u++) {
    emg_expectation expected = {.rate_hz = d->part->signal.rate_hz,
                                .noise_variance = d->noise + u * d->n_steps};
    int place = u;
    emg_noise_estimate(d->joint.sources + u * d->joint.length, d->joint.length, &expected);
    while (place > 0 && noise_of(d, d->order[place - 1]) > noise_of(d, u)) {
      d->order[place] = d->order[place - 1];
      place--;
    }
    d->order[place] = u;
  }
}

// --- spikes ---

// Detect unit u anew; all sources follow.
static void detect(decoding *d, int u) {
  emg_joint *j = &d->joint;
  emg_unit *unit = &j->units->items[u];
  emg_expectation expected = {.rate_hz = d->part->signal.rate_hz,
                              .interval_s = d->interval_s[u],
                              .noise_variance = d->noise + u * d->n_steps};
  int64_t offset = unit->delay + j->units->half_window, n = 0;

  emg_noise_estimate(j->sources + u * j->length, j->length, &expected);
  emg_joint_complete(j, u, d->source);
  int64_t n_peaks = emg_pick_active(&d->picker, d->source, j->length, &expected);
  int64_t *spikes = d->picker.spikes;
  for (int64_t i = 0; i < n_peaks; i++) {
    int64_t at = spikes[i] - offset;
    if (at >= 0 && at < d->n_samples) {
      spikes[n++] = at;
    }
  }
  int64_t n_removed = emg_train_difference(unit->spikes, unit->n_spikes, spikes, n, d->removed);
  int64_t n_added = emg_train_difference(spikes, n, unit->spikes, unit->n_spikes, d->added);
  if (n_removed + n_added == 0) {
    return;
  }
  emg_joint_respond(j, u, d->removed, n_removed, 1);
  emg_joint_respond(j, u, d->added, n_added, -1);
  memcpy(unit->spikes, spikes, (size_t)n * sizeof *spikes);
  unit->n_spikes = n;
  for (int i = 0; i < j->units->n; i++) {
    d->is_stale[i] |= d->is_heard[i * j->units->n + u];
  }
}

// All units once, then again those whose sources have changed meanwhile.
static void detect_all(decoding *d) {
  const int sweeps = 4;

  order_units(d);
  memset(d->is_stale, 1, (size_t)d->joint.units->n * sizeof *d->is_stale);
  for (int sweep = 0; sweep < sweeps; sweep++) {
    for (int i = 0; i < d->joint.units->n; i++) {
      int u = d->order[i];
      if (d->is_stale[u]) {
        d->is_stale[u] = false;
        detect(d, u);
      }
    }
  }
}

// The residual follows the spikes.
static void subtract_changes(decoding *d) {
  emg_joint *j = &d->joint;

  for (int u = 0; u < j->units->n; u++) {
    const emg_unit *unit = &j->units->items[u];
    int64_t *put = d->put + u * d->capacity;
    int64_t n_removed =
        emg_train_difference(put, d->n_put[u], unit->spikes, unit->n_spikes, d->removed);
    int64_t n_added =
        emg_train_difference(unit->spikes, unit->n_spikes, put, d->n_put[u], d->added);
    emg_unit_put_at(j->residual, j->units, u, d->removed, n_removed, 1);
    emg_unit_put_at(j->residual, j->units, u, d->added, n_added, -1);
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
  int n_channels = d->part->signal.n_channels;
  float *step;

  EMG_TRY(emg_units_fit(d->joint.residual, d->joint.units, sweeps, err));
  EMG_TRY(emg_alloc_aligned(size, sizeof *step, &step, err));
  for (int u = 0; u < d->joint.units->n; u++) {
    emg_unit *unit = &d->joint.units->items[u];
    const float *prior = d->prior + (size_t)u * size;
    float *muap = unit->muap;
    double share = d->weight[u] / (d->weight[u] + (double)unit->n_spikes + 1e-9);
    for (size_t i = 0; i < size; i++) {
      float towards = d->part->is_usable[i % (size_t)n_channels] ? prior[i] - muap[i] : 0;
      step[i] = -(float)share * towards;
    }
    unit->muap = step;
    emg_unit_put(d->joint.residual, d->joint.units, u, 1);
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
  size_t size = muap_size(d), n_channels = (size_t)d->part->signal.n_channels;

  for (int u = 0; u < d->joint.units->n; u++) {
    for (size_t i = 0; i < size; i++) {
      if (!d->part->is_usable[i % n_channels]) {
        d->joint.units->items[u].muap[i] = d->prior[(size_t)u * size + i];
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

// Sources with their peaks at the spikes.
static emg_status lay_out(decoding *d, emg_decoded *out, emg_error *err) {
  emg_joint *j = &d->joint;

  EMG_TRY(emg_alloc_aligned((size_t)j->units->n * (size_t)d->n_samples, sizeof(float),
                            &out->sources, err));
  for (int u = 0; u < j->units->n; u++) {
    emg_joint_complete(j, u, d->source);
    memcpy(out->sources + u * d->n_samples,
           d->source + j->units->items[u].delay + j->units->half_window,
           (size_t)d->n_samples * sizeof(float));
  }
  out->noise = d->noise;
  d->noise = NULL;
  return EMG_OK;
}

static emg_status decode(decoding *d, emg_decoded *out, emg_error *err) {
  const int iterations = 3;

  EMG_TRY(decoding_create(d, err));
  EMG_TRY(start_units(d, err));
  for (int i = 0; i < iterations; i++) {
    if (i > 0) {
      EMG_TRY(fit(d, err));
    }
    EMG_TRY(make_sources(d, i == 0, err));
    detect_all(d);
    subtract_changes(d);
  }
  EMG_TRY(lay_out(d, out, err));
  restore_unusable(d);
  return EMG_OK;
}

emg_status emg_decode(emg_prepared *part, int n_taps, const struct emg_config_decompose *config,
                      emg_units *units, const double *weight, const double *interval_s,
                      emg_decoded *out, emg_error *err) {
  int64_t n = part->signal.n_samples, n_source = n + 2 * units->half_window;
  decoding d = {
      .part = part,
      .joint = {.residual = &part->signal, .units = units, .config = config, .n_taps = n_taps},
      .weight = weight,
      .interval_s = interval_s,
      .n_samples = n,
      .n_steps = emg_noise_steps(n_source, part->signal.rate_hz)};
  emg_status status = EMG_OK;

  *out = (emg_decoded){.n_samples = n, .n_steps = d.n_steps};
  if (units->n > 0) {
    status = decode(&d, out, err);
    decoding_free(&d);
  }
  if (status != EMG_OK) {
    emg_decoded_free(out);
    return status;
  }
  out->residual_power = emg_signal_power(&part->signal);
  return EMG_OK;
}

void emg_decoded_free(emg_decoded *decoded) {
  free(decoded->sources);
  free(decoded->noise);
  *decoded = (emg_decoded){.n_samples = 0};
}
