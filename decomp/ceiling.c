// ceiling.c -- upper bounds of decomposition: what filters find that know the truth
#include <emgtwin/score.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <base/lin.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "ceiling_priv.h"
#include "match_priv.h"

// Ridges as fractions of the largest eigenvalue; every unit takes the one that suits it best.
static const double ridges[] = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7};
enum { N_RIDGES = sizeof ridges / sizeof ridges[0] };

// Units worked on at a time, and most delays that are tried for one.
enum { GROUP = 16, DELAYS_MOST = 96 };

// A filter and what it makes of the unit's own action potential.
typedef struct {
  int64_t delay;    // the source peaks so many samples after the unit's spike
  float *filter;    // [D], height 1 at a spike
  float *response;  // from half_window samples before the spike on
  double power;     // mean square of the source
} known_filter;

// Scratch of one thread.
typedef struct {
  emg_spike_picker pickers[2];
  emg_matcher matcher;
  int64_t *peaks;
} judge;

typedef struct {
  const emg_config *config;
  const emg_score_options *options;
  emg_true_units truth;
  emg_spans whole;
  int n_taps, n_dimensions, n_threads;
  int64_t n_response;

  // covariance of the signal being decoded: eigenvectors as rows, ascending
  double *matrix, *values;
  float *vectors;

  emg_signal wave;           // one action potential, with margins
  float *views, *projected;  // [D][DELAYS_MOST]: the action potential in xe at each delay, rotated
  float *weights;            // [D][N_RIDGES]
  float *rotated;            // [D][N_RIDGES]
  known_filter filters[GROUP * N_RIDGES];
  float *group_filters;  // [D][GROUP * N_RIDGES]
  float *sources;        // [GROUP * N_RIDGES][n_samples]
  judge *judges;         // [thread]
} bounds;

// --- room ---

static void judge_free(judge *j) {
  emg_spike_picker_free(&j->pickers[0]);
  emg_spike_picker_free(&j->pickers[1]);
  emg_matcher_free(&j->matcher);
  free(j->peaks);
}

static void bounds_free(bounds *b) {
  emg_true_units_free(&b->truth);
  free(b->matrix);
  free(b->values);
  free(b->vectors);
  emg_signal_free(&b->wave);
  free(b->views);
  free(b->projected);
  free(b->weights);
  free(b->rotated);
  for (int i = 0; i < GROUP * N_RIDGES; i++) {
    free(b->filters[i].filter);
    free(b->filters[i].response);
  }
  free(b->group_filters);
  free(b->sources);
  for (int t = 0; b->judges && t < b->n_threads; t++) {
    judge_free(&b->judges[t]);
  }
  free(b->judges);
}

// Spikes are looked for at the decomposer's least interval, and at half of it for what it misses.
static emg_status judge_create(const bounds *b, judge *j, emg_error *err) {
  const emg_signal *x = &b->truth.prepared.signal;
  int64_t refractory = emg_refractory_samples(&b->config->decompose, x->rate_hz);

  EMG_TRY(emg_spike_picker_create(x->n_samples, refractory, &j->pickers[0], err));
  EMG_TRY(emg_spike_picker_create(x->n_samples, refractory / 2, &j->pickers[1], err));
  EMG_TRY(emg_matcher_create(emg_samples_in_ms(b->options->max_lag_ms, x->rate_hz),
                             emg_samples_in_ms(b->options->tolerance_ms, x->rate_hz), &j->matcher,
                             err));
  size_t capacity = (size_t)emg_spike_picker_capacity(&j->pickers[1]);
  return emg_alloc(capacity, sizeof *j->peaks, &j->peaks, err);
}

// Delays of the filters that the decomposer ends with: half as many again as those it searches
// with, unless it has no joint model or another number for it.
static emg_status choose_taps(bounds *b, emg_error *err) {
  const struct emg_config_decompose *config = &b->config->decompose;
  const emg_signal *x = &b->truth.prepared.signal;

  EMG_TRY(emg_choose_taps(config, x->n_channels, x->rate_hz, &b->n_taps, err));
  if (config->joint_iterations > 0) {
    b->n_taps = config->joint_extension > 0 ? config->joint_extension : b->n_taps * 3 / 2;
  }
  return EMG_OK;
}

static emg_status bounds_create(bounds *b, emg_error *err) {
  const emg_signal *x = &b->truth.prepared.signal;
  int64_t length = 2 * b->truth.units.half_window;

  EMG_TRY(choose_taps(b, err));
  b->n_taps = b->n_taps < length ? b->n_taps : (int)length;
  b->n_dimensions = b->n_taps * x->n_channels;
  b->n_response = length + b->n_taps - 1;
  b->n_threads = omp_get_max_threads();
  b->whole = emg_spans_over(0, x->n_samples, x->n_samples);

  size_t n = (size_t)b->n_dimensions, n_filters = GROUP * N_RIDGES;
  EMG_TRY(emg_alloc_aligned(n * n, sizeof(double), &b->matrix, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(double), &b->values, err));
  EMG_TRY(emg_alloc_aligned(n * n, sizeof(float), &b->vectors, err));
  EMG_TRY(emg_signal_create(x->n_channels, length, b->n_taps, x->rate_hz, &b->wave, err));
  EMG_TRY(emg_alloc_aligned(n * DELAYS_MOST, sizeof(float), &b->views, err));
  EMG_TRY(emg_alloc_aligned(n * DELAYS_MOST, sizeof(float), &b->projected, err));
  EMG_TRY(emg_alloc_aligned(n * N_RIDGES, sizeof(float), &b->weights, err));
  EMG_TRY(emg_alloc_aligned(n * N_RIDGES, sizeof(float), &b->rotated, err));
  EMG_TRY(emg_alloc_aligned(n * n_filters, sizeof(float), &b->group_filters, err));
  EMG_TRY(emg_alloc_aligned((size_t)x->n_samples * n_filters, sizeof(float), &b->sources, err));
  for (size_t i = 0; i < n_filters; i++) {
    EMG_TRY(emg_alloc_aligned(n, sizeof(float), &b->filters[i].filter, err));
    EMG_TRY(emg_alloc((size_t)b->n_response, sizeof(float), &b->filters[i].response, err));
  }
  EMG_TRY(emg_alloc((size_t)b->n_threads, sizeof *b->judges, &b->judges, err));
  for (int t = 0; t < b->n_threads; t++) {
    EMG_TRY(judge_create(b, &b->judges[t], err));
  }
  return EMG_OK;
}

// --- filters that know ---

static emg_status decompose_covariance(bounds *b, const emg_signal *x, emg_error *err) {
  size_t n = (size_t)b->n_dimensions;

  EMG_TRY(emg_extended_covariance(x, b->n_taps, &b->whole, b->matrix, err));
  EMG_TRY(emg_eigen_symmetric(b->n_dimensions, b->matrix, b->values, err));
  for (size_t i = 0; i < n * n; i++) {
    b->vectors[i] = (float)b->matrix[i];
  }
  return EMG_OK;
}

// Delays at which the extended vector holds most of the action potential: those next to the best
// one, DELAYS_MOST of them. Returns their number.
static int choose_delays(const bounds *b, int *first) {
  int64_t length = b->wave.n_samples;
  int n_delays = (int)length - b->n_taps + 1;
  size_t row_size = (size_t)b->wave.n_channels;
  double sum = 0, most = -1;
  int best = 0;

  for (int64_t t = 0; t < length; t++) {
    for (size_t c = 0; c < row_size; c++) {
      double value = emg_signal_row(&b->wave, t)[c];
      double gone = t >= b->n_taps ? emg_signal_row(&b->wave, t - b->n_taps)[c] : 0;
      sum += value * value - gone * gone;
    }
    if (t >= b->n_taps - 1 && sum > most) {
      most = sum;
      best = (int)t - b->n_taps + 1;
    }
  }
  if (n_delays <= DELAYS_MOST) {
    *first = 0;
    return n_delays;
  }
  *first = best - DELAYS_MOST / 2;
  *first = *first < 0 ? 0 : *first;
  *first = *first > n_delays - DELAYS_MOST ? n_delays - DELAYS_MOST : *first;
  return DELAYS_MOST;
}

// With C = U diag(v) U' and p = U' b(d): the delay where p' (v + ridge)^-1 p is largest, and its
// weights (v + ridge)^-1 p, scaled so that the filter answers with 1 (Capon 1969).
static int weigh(const bounds *b, int n_delays, double ridge, float *weights, int stride,
                 double *power_of_source) {
  int n = b->n_dimensions, best = 0;
  double most = 0;
  double power[DELAYS_MOST] = {0};

  for (ptrdiff_t i = 0; i < n; i++) {
    double inverse = 1 / (fmax(b->values[i], 0) + ridge);
    for (int d = 0; d < n_delays; d++) {
      double p = b->projected[i * n_delays + d];
      power[d] += p * p * inverse;
    }
  }
  for (int d = 0; d < n_delays; d++) {
    if (power[d] > most) {
      most = power[d];
      best = d;
    }
  }
  *power_of_source = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    double p = b->projected[i * n_delays + best] / (fmax(b->values[i], 0) + ridge);
    double weight = most > 0 ? p / most : 0;
    weights[i * stride] = (float)weight;
    *power_of_source += weight * weight * fmax(b->values[i], 0);
  }
  return best;
}

static void respond(const bounds *b, known_filter *filter) {
  for (int64_t t = 0; t < b->n_response; t++) {
    const float *view = emg_signal_row(&b->wave, t - b->n_taps + 1);
    double sum = 0;
    for (int d = 0; d < b->n_dimensions; d++) {
      sum += (double)filter->filter[d] * view[d];
    }
    filter->response[t] = (float)sum;
  }
}

// Filters of one unit, one a ridge.
static void know_unit(bounds *b, const emg_unit *unit, known_filter *filters) {
  int n = b->n_dimensions, first;
  double largest = b->values[n - 1];

  memcpy(b->wave.rows, unit->muap,
         (size_t)b->wave.n_samples * (size_t)b->wave.n_channels * sizeof *unit->muap);
  int n_delays = choose_delays(b, &first);
  for (int i = 0; i < n_delays; i++) {
    const float *view = emg_signal_row(&b->wave, first + i);
    for (ptrdiff_t d = 0; d < n; d++) {
      b->views[d * n_delays + i] = view[d];
    }
  }
  emg_sgemm(0, 0, n, n_delays, n, 1, b->vectors, n, b->views, n_delays, 0, b->projected, n_delays);
  for (int r = 0; r < N_RIDGES; r++) {
    int best = weigh(b, n_delays, ridges[r] * largest, b->weights + r, N_RIDGES, &filters[r].power);
    filters[r].delay = first + best + b->n_taps - 1 - b->truth.units.half_window;
  }
  emg_sgemm(1, 0, n, N_RIDGES, n, 1, b->vectors, n, b->weights, N_RIDGES, 0, b->rotated, N_RIDGES);
  for (int r = 0; r < N_RIDGES; r++) {
    for (ptrdiff_t d = 0; d < n; d++) {
      filters[r].filter[d] = b->rotated[d * N_RIDGES + r];
    }
    respond(b, &filters[r]);
  }
}

// Height of the unit's spikes, which is 1, over the standard deviation of what all else makes of
// the source: its mean square without the unit's own share. The best of the unit's filters counts.
static double detectability_of(const bounds *b, const emg_unit *unit, const known_filter *filters) {
  double rate = (double)unit->n_spikes / (double)b->truth.prepared.signal.n_samples, best = 0;

  for (int r = 0; r < N_RIDGES; r++) {
    double own = 0;
    for (int64_t t = 0; t < b->n_response; t++) {
      own += (double)filters[r].response[t] * filters[r].response[t];
    }
    // of a unit alone nothing is left but rounding
    double rest = fmax(filters[r].power - rate * own, 1e-12);
    best = filters[r].power > 0 ? fmax(best, 1 / sqrt(rest)) : best;
  }
  return best;
}

static void add_own_signal(const bounds *b, const emg_unit *unit, const known_filter *filter,
                           float *y) {
  int64_t n = b->truth.prepared.signal.n_samples;

  for (int64_t i = 0; i < unit->n_spikes; i++) {
    int64_t begin = unit->spikes[i] - b->truth.units.half_window;
    for (int64_t t = 0; t < b->n_response; t++) {
      if (begin + t >= 0 && begin + t < n) {
        y[begin + t] += filter->response[t];
      }
    }
  }
}

// --- the best threshold ---

// Whether a true spike lies within the tolerance of `at`.
static bool is_true(const emg_unit *unit, int64_t at, int64_t tolerance) {
  int64_t low = 0, high = unit->n_spikes;

  while (low < high) {  // first spike from at - tolerance on
    int64_t middle = (low + high) / 2;
    if (unit->spikes[middle] < at - tolerance) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < unit->n_spikes && unit->spikes[low] <= at + tolerance;
}

// The k highest peaks, ascending, and how they agree with the true spikes.
static emg_agreement agree(judge *j, const emg_spike_picker *picker, int64_t k, int64_t delay,
                           const emg_unit *unit) {
  int64_t n = 0;

  for (int64_t slot = 0; slot <= picker->n_most / picker->refractory; slot++) {
    int32_t rank = picker->rank_in_slot[slot];
    if (rank >= 0 && rank < k) {
      j->peaks[n++] = picker->place[rank] - delay;
    }
  }
  return emg_match_trains(&j->matcher, j->peaks, n, unit->spikes, unit->n_spikes);
}

// Rate of agreement of the peaks above the best threshold, at the lag of the best peaks: with the
// peaks in order of height, peaks and true spikes are each met once.
static double best_agreement(judge *j, emg_spike_picker *picker, const float *y, int64_t n_samples,
                             int64_t delay, const emg_unit *unit) {
  int64_t n_peaks = emg_find_peaks(picker, y, n_samples), best = 0, n_common = 0;
  double most = 0;

  if (n_peaks == 0) {
    return 0;
  }
  int64_t k = n_peaks < unit->n_spikes ? n_peaks : unit->n_spikes;
  int64_t lag = agree(j, picker, k, delay, unit).lag;
  for (int64_t i = 0; i < n_peaks; i++) {
    n_common += is_true(unit, picker->place[i] - delay - lag, j->matcher.tolerance);
    double roa = (double)n_common / (double)(i + 1 + unit->n_spikes - n_common);
    if (roa > most) {
      most = roa;
      best = i + 1;
    }
  }
  return best > 0 ? agree(j, picker, best, delay, unit).roa : 0;
}

static double judge_source(judge *j, const float *y, int64_t n_samples, int64_t delay,
                           const emg_unit *unit) {
  double roa = 0;

  for (int p = 0; p < 2; p++) {
    roa = fmax(roa, best_agreement(j, &j->pickers[p], y, n_samples, delay, unit));
  }
  return roa;
}

// --- decoding ---

// Best rate of agreement of some units in a signal, whose own action potentials are in it
// (`is_within`) or put back for each alone.
static emg_status decode_group(bounds *b, const emg_signal *x, bool is_within, const int *which,
                               int n, double *roa, double *detectability, emg_error *err) {
  int n_filters = n * N_RIDGES;
  double of_filter[GROUP * N_RIDGES];

  for (int i = 0; i < n; i++) {
    const emg_unit *unit = &b->truth.units.items[which[i]];
    know_unit(b, unit, &b->filters[i * N_RIDGES]);
    detectability[which[i]] = detectability_of(b, unit, &b->filters[i * N_RIDGES]);
  }
  for (ptrdiff_t d = 0; d < b->n_dimensions; d++) {
    for (int f = 0; f < n_filters; f++) {
      b->group_filters[d * n_filters + f] = b->filters[f].filter[d];
    }
  }
  EMG_TRY(emg_extended_filter(x, b->n_taps, &b->whole, b->group_filters, n_filters, b->sources,
                              x->n_samples, err));
#pragma omp parallel for schedule(dynamic) num_threads(b->n_threads)
  for (int f = 0; f < n_filters; f++) {
    const emg_unit *unit = &b->truth.units.items[which[f / N_RIDGES]];
    float *y = b->sources + f * x->n_samples;
    if (!is_within) {
      add_own_signal(b, unit, &b->filters[f], y);
    }
    of_filter[f] =
        judge_source(&b->judges[omp_get_thread_num()], y, x->n_samples, b->filters[f].delay, unit);
  }
  for (int i = 0; i < n; i++) {
    roa[which[i]] = 0;
    for (int r = 0; r < N_RIDGES; r++) {
      roa[which[i]] = fmax(roa[which[i]], of_filter[i * N_RIDGES + r]);
    }
  }
  return EMG_OK;
}

static emg_status decode(bounds *b, const emg_signal *x, bool is_within, const int *which, int n,
                         double *roa, double *detectability, emg_error *err) {
  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(decompose_covariance(b, x, err));
  for (int first = 0; first < n; first += GROUP) {
    int n_now = n - first < GROUP ? n - first : GROUP;
    EMG_TRY(decode_group(b, x, is_within, which + first, n_now, roa, detectability, err));
  }
  return EMG_OK;
}

// One pass over the recording; then again on what is left without the units told by then, until
// there is no other.
static emg_status decode_greedily(bounds *b, const emg_monitor *monitor, emg_ceiling_result *out,
                                  emg_error *err) {
  const double told = 0.9;
  emg_true_units *truth = &b->truth;
  int n_left = truth->units.n, n_told = 1;
  emg_signal residual = {0};
  int *left = NULL;
  double *roa = NULL, *detectability = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n_left, sizeof *left, &left, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_left, sizeof *roa, &roa, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_left, sizeof *detectability, &detectability, err));
  EMG_TRY_DONE(emg_signal_copy(&truth->prepared.signal, &residual, err));
  for (int i = 0; i < n_left; i++) {
    left[i] = i;
  }
  while (n_left > 0 && n_told > 0) {
    EMG_TRY_DONE(emg_progress(monitor, "ceiling", truth->units.n - n_left, truth->units.n, err));
    EMG_TRY_DONE(decode(b, &residual, true, left, n_left, roa, detectability, err));
    int n_before = n_left;
    n_left = 0;
    for (int i = 0; i < n_before; i++) {
      int u = left[i];
      emg_ceiling_unit *unit = &out->units[u];
      unit->one_pass = out->n_rounds == 0 ? roa[u] : unit->one_pass;
      unit->detectability = out->n_rounds == 0 ? detectability[u] : unit->detectability;
      unit->greedy = fmax(unit->greedy, roa[u]);
      if (roa[u] >= told) {
        emg_unit_put(&residual, &truth->units, u, -1);
      } else {
        left[n_left++] = u;
      }
    }
    n_told = n_before - n_left;
    out->n_rounds++;
    emg_log(monitor, EMG_LOG_INFO, "ceiling", "round = %d, told = %d, left = %d", out->n_rounds,
            n_told, n_left);
  }

done:
  emg_signal_free(&residual);
  free(left);
  free(roa);
  free(detectability);
  return status;
}

static emg_status decode_alone(bounds *b, emg_ceiling_result *out, emg_error *err) {
  int n = b->truth.units.n;
  int *all = NULL;
  double *roa = NULL, *detectability = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *all, &all, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *roa, &roa, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *detectability, &detectability, err));
  for (int i = 0; i < n; i++) {
    all[i] = i;
  }
  EMG_TRY_DONE(decode(b, &b->truth.noise, false, all, n, roa, detectability, err));
  for (int i = 0; i < n; i++) {
    out->units[i].alone = roa[i];
  }

done:
  free(all);
  free(roa);
  free(detectability);
  return status;
}

static emg_ceiling_count count(const emg_ceiling_result *result, double from) {
  emg_ceiling_count n = {0};

  for (int i = 0; i < result->n_units; i++) {
    n.one_pass += result->units[i].one_pass >= from;
    n.greedy += result->units[i].greedy >= from;
    n.alone += result->units[i].alone >= from;
  }
  return n;
}

void emg_ceiling_free(emg_ceiling_result *result) {
  free(result->units);
  *result = (emg_ceiling_result){0};
}

emg_status emg_ceiling(const emg_recording *rec, const emg_spikes *truth,
                       const emg_muap_bank *muaps, const emg_config *config,
                       const emg_score_options *options, const emg_monitor *monitor,
                       emg_ceiling_result *out, emg_error *err) {
  bounds b = {.config = config, .options = options};
  emg_status status;

  emg_init();
  *out = (emg_ceiling_result){0};
  EMG_TRY(emg_score_check(options, err));
  EMG_TRY(emg_true_units_create(rec, truth, muaps, config, monitor, &b.truth, err));
  EMG_TRY_DONE(bounds_create(&b, err));
  out->n_units = b.truth.units.n;
  out->is_fitted = b.truth.is_fitted;
  EMG_TRY_DONE(emg_alloc((size_t)out->n_units, sizeof *out->units, &out->units, err));
  for (int i = 0; i < out->n_units; i++) {
    out->units[i].truth = b.truth.truth[i];
    out->units[i].n_spikes = b.truth.units.items[i].n_spikes;
  }
  EMG_TRY_DONE(decode_greedily(&b, monitor, out, err));
  EMG_TRY_DONE(decode_alone(&b, out, err));
  out->roa_90 = count(out, 0.9);
  out->roa_50 = count(out, 0.5);
  for (int i = 0; i < out->n_units; i++) {
    out->n_predicted += out->units[i].detectability >= EMG_DETECTABILITY_MIN;
  }

done:
  bounds_free(&b);
  if (status != EMG_OK) {
    emg_ceiling_free(out);
  }
  return status;
}
