// track.c -- the same motor units in two recordings: action potentials, and filters transferred
#include <emgtwin/track.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/filter.h>
#include <base/kernel.h>
#include <base/lin.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "match_priv.h"

emg_track_options emg_track_defaults(void) {
  return (emg_track_options){.similarity_min = 0.8, .roa_min = 0.3, .max_lag_ms = 5};
}

void emg_track_free(emg_track_result *result) {
  free(result->pairs);
  free(result->similarity);
  free(result->contrast);
  *result = (emg_track_result){0};
}

// --- action potentials ---

// Action potentials of one decomposition made ready: [unit][channel][tap] over the common channels,
// of unit norm (0 where there is nothing).
typedef struct {
  int n_units, n_channels, n_taps;
  float *data;
} shapes;

static float *shape_of(const shapes *s, int unit) {
  return s->data + (ptrdiff_t)unit * s->n_channels * s->n_taps;
}

static void scale_to_unit_norm(float *shape, int n) {
  double squares = 0;

  for (int i = 0; i < n; i++) {
    squares += (double)shape[i] * shape[i];
  }
  float scale = squares > 0 && isfinite(squares) ? (float)(1 / sqrt(squares)) : 0;
  for (int i = 0; i < n; i++) {
    shape[i] = scale > 0 ? shape[i] * scale : 0;
  }
}

// From 5 ms before to 25 ms after the spike, without what is slower than 20 Hz: an average over
// some hundred spikes holds more of the other units than of this one beyond that.
static emg_status make_shapes(const emg_decomposition *d, const int *channel, int n_channels,
                              shapes *out, emg_error *err) {
  const double before_ms = 5, after_ms = 25, slowest_hz = 20;
  const emg_muap_bank *bank = &d->muaps;
  int first = bank->origin - (int)lround(before_ms * bank->rate_hz / 1000);
  int last = bank->origin + (int)lround(after_ms * bank->rate_hz / 1000);
  emg_filter filter = {0};
  float *row;

  first = first > 0 ? first : 0;
  last = last < bank->n_taps ? last : bank->n_taps;
  *out = (shapes){d->spikes.n_units, n_channels, last - first, NULL};
  EMG_TRY(emg_filter_highpass(&filter, 2, slowest_hz, bank->rate_hz, err));
  size_t size = (size_t)n_channels * (size_t)out->n_taps;
  EMG_TRY(emg_alloc_aligned((size_t)out->n_units * size, sizeof(float), &out->data, err));
  EMG_TRY(emg_alloc((size_t)bank->n_taps, sizeof *row, &row, err));
  emg_status status = EMG_OK;
  for (int i = 0; i < out->n_units * n_channels && status == EMG_OK; i++) {
    memcpy(row, emg_muap_row(bank, i / n_channels, channel[i % n_channels]),
           (size_t)bank->n_taps * sizeof *row);
    status = emg_filter_zero_phase(&filter, bank->n_taps, row, err);
    memcpy(out->data + (ptrdiff_t)i * out->n_taps, row + first, (size_t)out->n_taps * sizeof *row);
  }
  free(row);
  for (int u = 0; u < out->n_units && status == EMG_OK; u++) {
    scale_to_unit_norm(shape_of(out, u), (int)size);
  }
  return status;
}

// --- what is particular to a unit ---

// covariance[channel][channel] += that of all shapes.
static void add_covariance(const shapes *s, double *covariance) {
  for (int u = 0; u < s->n_units; u++) {
    const float *x = shape_of(s, u);
    for (int c = 0; c < s->n_channels; c++) {
      for (int d = 0; d <= c; d++) {
        double sum = 0;
        for (int t = 0; t < s->n_taps; t++) {
          sum += (double)x[c * s->n_taps + t] * x[d * s->n_taps + t];
        }
        covariance[c * s->n_channels + d] += sum;
      }
    }
  }
  for (int c = 0; c < s->n_channels; c++) {
    for (int d = 0; d < c; d++) {
      covariance[d * s->n_channels + c] = covariance[c * s->n_channels + d];
    }
  }
}

// (C + ridge)^-1/2 of the channels' covariance over the action potentials of both decompositions.
static emg_status make_whitening(const shapes *a, const shapes *b, float *whitening,
                                 emg_error *err) {
  const double ridge = 0.01;  // of the mean eigenvalue
  int n = a->n_channels;
  double *vectors = NULL, *values = NULL, mean = 0;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n * (size_t)n, sizeof *vectors, &vectors, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *values, &values, err));
  add_covariance(a, vectors);
  add_covariance(b, vectors);
  EMG_TRY_DONE(emg_eigen_symmetric(n, vectors, values, err));
  for (int i = 0; i < n; i++) {
    mean += fmax(values[i], 0) / n;
  }
  for (int i = 0; i < n && mean > 0; i++) {
    double scale = 1 / sqrt(fmax(values[i], 0) + ridge * mean);
    for (ptrdiff_t c = 0; c < n; c++) {
      for (ptrdiff_t d = 0; d < n; d++) {
        whitening[c * n + d] +=
            (float)(scale * vectors[(ptrdiff_t)i * n + c] * vectors[(ptrdiff_t)i * n + d]);
      }
    }
  }

done:
  free(vectors);
  free(values);
  return status;
}

static emg_status whiten(const shapes *s, const float *whitening, shapes *out, emg_error *err) {
  int n = s->n_channels, size = n * s->n_taps;

  *out = *s;
  EMG_TRY(emg_alloc_aligned((size_t)s->n_units * (size_t)size, sizeof(float), &out->data, err));
  for (int u = 0; u < s->n_units; u++) {
    emg_sgemm(0, 0, n, s->n_taps, n, 1, whitening, n, shape_of(s, u), s->n_taps, 0,
              shape_of(out, u), s->n_taps);
    scale_to_unit_norm(shape_of(out, u), size);
  }
  return EMG_OK;
}

// --- comparison ---

// SUM a(t) b(t + lag) in eight partial sums, so that it can be done eight at a time.
EMG_KERNEL static double product(int n_channels, int n_taps, int lag, const float *a,
                                 const float *b) {
  float sum[8] = {0};
  int first = lag < 0 ? -lag : 0, n = n_taps - abs(lag);
  double total = 0;

  for (int c = 0; c < n_channels; c++) {
    const float *x = a + c * n_taps + first, *y = b + c * n_taps + first + lag;
    int t = 0;
    for (; t + 8 <= n; t += 8) {
      for (int lane = 0; lane < 8; lane++) {
        sum[lane] += x[t + lane] * y[t + lane];
      }
    }
    for (; t < n; t++) {
      sum[0] += x[t] * y[t];
    }
  }
  for (int lane = 0; lane < 8; lane++) {
    total += sum[lane];
  }
  return total;
}

typedef struct {
  double value;
  int lag;
} similarity;

// Largest normalised cross-correlation over channels and time at one lag for all channels; of equal
// ones that of the smaller lag.
static similarity compare_shapes(const shapes *a, int u, const shapes *b, int v, int max_lag) {
  similarity best = {-1, 0};

  for (int away = 0; away <= max_lag; away++) {
    for (int sign = 1; sign >= (away > 0 ? -1 : 1); sign -= 2) {
      double value = product(a->n_channels, a->n_taps, sign * away, shape_of(a, u), shape_of(b, v));
      if (value > best.value) {
        best = (similarity){value, sign * away};
      }
    }
  }
  return best;
}

static int lag_samples(const emg_track_options *options, double rate_hz, int n_taps) {
  double most = options->max_lag_ms * rate_hz / 1000;
  return most < n_taps - 1 ? (int)most : n_taps - 1;
}

// --- which channels and whether the two go together ---

static emg_status check_pair(const emg_decomposition *a, const emg_decomposition *b,
                             emg_error *err) {
  const emg_muap_bank *x = &a->muaps, *y = &b->muaps;

  if (a->spikes.rate_hz != b->spikes.rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "one decomposition is at %g Hz and the other at %g Hz; units are tracked "
                    "between recordings of the same rate",
                    a->spikes.rate_hz, b->spikes.rate_hz);
  }
  if ((a->spikes.n_units > 0 && x->n_units != a->spikes.n_units) ||
      (b->spikes.n_units > 0 && y->n_units != b->spikes.n_units)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "a decomposition holds no action potentials of its units (/units/muap); "
                    "decompose the recording again");
  }
  if (a->spikes.n_units > 0 && b->spikes.n_units > 0 &&
      (x->n_channels != y->n_channels || x->n_taps != y->n_taps || x->origin != y->origin)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "action potentials have %d channels of %d samples in one decomposition and %d "
                    "of %d in the other; units are tracked between recordings of the same "
                    "electrodes",
                    x->n_channels, x->n_taps, y->n_channels, y->n_taps);
  }
  return EMG_OK;
}

static bool is_left_out(const emg_decomposition *d, int channel) {
  if (d->channels && channel < d->n_channels && d->channels[channel].state != EMG_CHANNEL_GOOD) {
    return true;
  }
  // a channel without any signal in the averages
  for (int u = 0; u < d->muaps.n_units; u++) {
    const float *row = emg_muap_row(&d->muaps, u, channel);
    for (int t = 0; t < d->muaps.n_taps; t++) {
      if (!isfinite(row[t])) {
        return true;
      }
    }
  }
  return false;
}

// Channels usable in both; room for all in `channel`.
static int common_channels(const emg_decomposition *a, const emg_decomposition *b, int *channel) {
  int n = 0;

  for (int c = 0; c < a->muaps.n_channels; c++) {
    if (!is_left_out(a, c) && !is_left_out(b, c)) {
      channel[n++] = c;
    }
  }
  return n;
}

// --- similarities ---

// value[n_a][n_b] and the lag of each; `lag` may be NULL.
static void fill_similarities(const shapes *a, const shapes *b, int max_lag, double *value,
                              int *lag) {
#pragma omp parallel for schedule(dynamic)
  for (int pair = 0; pair < a->n_units * b->n_units; pair++) {
    similarity s = compare_shapes(a, pair / b->n_units, b, pair % b->n_units, max_lag);
    value[pair] = s.value;
    if (lag) {
      lag[pair] = s.lag;
    }
  }
}

// Largest similarity of two units of one recording.
static emg_status raise_chance(const shapes *s, int max_lag, double *chance, emg_error *err) {
  int n = s->n_units;
  double *value;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *value, &value, err));
  fill_similarities(s, s, max_lag, value, NULL);
  for (int i = 0; i < n * n; i++) {
    *chance = i / n != i % n ? fmax(*chance, value[i]) : *chance;
  }
  free(value);
  return EMG_OK;
}

// --- filters ---

// roa[n_a][n_b] = agreement of what the filters of `a` find in the recording of `b` with its
// trains, or the larger of that and what is there; `is_turned`: roa[n_b][n_a].
static emg_status transfer(const emg_decomposition *a, const emg_decomposition *b,
                           const emg_recording *rec, const emg_track_options *options,
                           bool is_turned, const emg_monitor *monitor, double *roa,
                           emg_error *err) {
  int n_a = a->spikes.n_units, n_b = b->spikes.n_units;
  emg_decomposition found = {0};
  emg_matcher matcher = {0};
  emg_status status;

  if (rec->data.n_cols != b->spikes.n_samples && b->spikes.n_samples > 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording has %lld samples and its decomposition %lld; give the recording "
                    "that was decomposed",
                    (long long)rec->data.n_cols, (long long)b->spikes.n_samples);
  }
  EMG_TRY_DONE(emg_online_decompose(rec, &a->filters, NULL, false, monitor, &found, err));
  EMG_TRY_DONE(emg_matcher_create(emg_samples_in_ms(options->max_lag_ms, rec->rate_hz),
                                  emg_samples_in_ms(0.5, rec->rate_hz), &matcher, err));
  for (int u = 0; u < n_a; u++) {
    for (int v = 0; v < n_b; v++) {
      emg_agreement agreement = emg_match_trains(
          &matcher, emg_spikes_of(&found.spikes, u), emg_spikes_count(&found.spikes, u),
          emg_spikes_of(&b->spikes, v), emg_spikes_count(&b->spikes, v));
      double *place = is_turned ? &roa[v * n_a + u] : &roa[u * n_b + v];
      *place = fmax(*place, agreement.roa);
    }
  }

done:
  emg_matcher_free(&matcher);
  emg_decomposition_free(&found);
  return status;
}

// --- pairs ---

// Largest contrast of unit u with others than v, and of v with others than u; -1 if there are none.
static double runner_up(const emg_track_result *r, int u, int v) {
  double best = -1;

  for (int other = 0; other < r->n_b; other++) {
    best = other != v ? fmax(best, r->contrast[u * r->n_b + other]) : best;
  }
  for (int other = 0; other < r->n_a; other++) {
    best = other != u ? fmax(best, r->contrast[other * r->n_b + v]) : best;
  }
  return best;
}

// What a pair is worth: units that are alike and each other's closest, or found by each other's
// filter.
static double worth(const emg_track_result *r, const emg_track_options *options, int u, int v,
                    double roa) {
  int pair = u * r->n_b + v;
  bool is_alike = r->similarity[pair] >= options->similarity_min && r->contrast[pair] > 0 &&
                  r->contrast[pair] >= runner_up(r, u, v);

  return (is_alike ? r->contrast[pair] : 0) + (roa >= options->roa_min ? roa : 0);
}

// The pair, or for a unit without partner the one it comes closest to.
static void describe_pair(emg_track_result *r, int u, int v, const int *lag, const double *roa,
                          double rate_hz) {
  int closest = v;

  for (int other = 0; other < r->n_b && v < 0; other++) {
    if (closest < 0 || r->contrast[u * r->n_b + other] > r->contrast[u * r->n_b + closest]) {
      closest = other;
    }
  }
  r->pairs[u] =
      (emg_track_pair){.a = u, .b = v, .similarity = -1, .contrast = -1, .margin = 0, .roa = -1};
  if (closest >= 0) {
    int pair = u * r->n_b + closest;
    r->pairs[u].similarity = r->similarity[pair];
    r->pairs[u].contrast = r->contrast[pair];
    r->pairs[u].margin = r->contrast[pair] - runner_up(r, u, closest);
    r->pairs[u].lag_ms = 1000.0 * lag[pair] / rate_hz;
    r->pairs[u].roa = roa[pair];
  }
}

static emg_status match(emg_track_result *r, const emg_track_options *options, const int *lag,
                        const double *roa, double rate_hz, emg_error *err) {
  double *value;
  int *partner = NULL;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)r->n_a * (size_t)r->n_b, sizeof *value, &value, err));
  EMG_TRY_DONE(emg_alloc((size_t)r->n_a, sizeof *partner, &partner, err));
  for (int i = 0; i < r->n_a * r->n_b; i++) {
    value[i] = worth(r, options, i / r->n_b, i % r->n_b, roa[i]);
  }
  EMG_TRY_DONE(emg_assign(r->n_a, r->n_b, value, partner, err));
  for (int u = 0; u < r->n_a; u++) {
    bool is_match = partner[u] >= 0 && value[u * r->n_b + partner[u]] > 0;
    describe_pair(r, u, is_match ? partner[u] : -1, lag, roa, rate_hz);
    r->n_matched += is_match;
  }

done:
  free(value);
  free(partner);
  return status;
}

// --- all together ---

static emg_status compare_shapes_of(const shapes *a, const shapes *b, int max_lag,
                                    emg_track_result *out, int *lag, emg_error *err) {
  size_t n = (size_t)a->n_channels;
  shapes x = {0}, y = {0};
  float *whitening;
  emg_status status;

  EMG_TRY(emg_alloc(n * n, sizeof *whitening, &whitening, err));
  fill_similarities(a, b, max_lag, out->similarity, lag);
  EMG_TRY_DONE(make_whitening(a, b, whitening, err));
  EMG_TRY_DONE(whiten(a, whitening, &x, err));
  EMG_TRY_DONE(whiten(b, whitening, &y, err));
  fill_similarities(&x, &y, max_lag, out->contrast, NULL);
  EMG_TRY_DONE(raise_chance(a, max_lag, &out->chance_similarity, err));
  EMG_TRY_DONE(raise_chance(b, max_lag, &out->chance_similarity, err));
  EMG_TRY_DONE(raise_chance(&x, max_lag, &out->chance_contrast, err));
  EMG_TRY_DONE(raise_chance(&y, max_lag, &out->chance_contrast, err));

done:
  free(whitening);
  free(x.data);
  free(y.data);
  return status;
}

static emg_status compare_all(const emg_decomposition *a, const emg_decomposition *b,
                              const emg_track_options *options, emg_track_result *out, int *lag,
                              emg_error *err) {
  shapes x = {0}, y = {0};
  int *channel;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)a->muaps.n_channels, sizeof *channel, &channel, err));
  out->n_channels = common_channels(a, b, channel);
  if (out->n_channels < 2) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "%d channels are usable in both recordings and tracking needs at least 2",
                      out->n_channels);
    goto done;
  }
  EMG_TRY_DONE(make_shapes(a, channel, out->n_channels, &x, err));
  EMG_TRY_DONE(make_shapes(b, channel, out->n_channels, &y, err));
  int max_lag = lag_samples(options, a->muaps.rate_hz, x.n_taps);
  EMG_TRY_DONE(compare_shapes_of(&x, &y, max_lag, out, lag, err));

done:
  free(channel);
  free(x.data);
  free(y.data);
  return status;
}

emg_status emg_track(const emg_decomposition *a, const emg_decomposition *b,
                     const emg_recording *recording_a, const emg_recording *recording_b,
                     const emg_track_options *options, const emg_monitor *monitor,
                     emg_track_result *out, emg_error *err) {
  int n_a = a->spikes.n_units, n_b = b->spikes.n_units, *lag = NULL;
  size_t n_pairs = (size_t)n_a * (size_t)n_b;
  double *roa = NULL;
  emg_status status;

  emg_init();
  *out = (emg_track_result){.n_a = n_a, .n_b = n_b};
  EMG_TRY(check_pair(a, b, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_a, sizeof *out->pairs, &out->pairs, err));
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *out->similarity, &out->similarity, err));
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *out->contrast, &out->contrast, err));
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *lag, &lag, err));
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *roa, &roa, err));
  for (size_t i = 0; i < n_pairs; i++) {
    roa[i] = -1;
  }
  if (n_pairs > 0) {
    EMG_TRY_DONE(compare_all(a, b, options, out, lag, err));
    if (recording_b && a->filters.n_units > 0) {
      EMG_TRY_DONE(transfer(a, b, recording_b, options, false, monitor, roa, err));
    }
    if (recording_a && b->filters.n_units > 0) {
      EMG_TRY_DONE(transfer(b, a, recording_a, options, true, monitor, roa, err));
    }
  }
  EMG_TRY_DONE(match(out, options, lag, roa, a->spikes.rate_hz, err));

done:
  free(lag);
  free(roa);
  if (status != EMG_OK) {
    emg_track_free(out);
  }
  return status;
}
