// score.c -- agreement of estimated with true spike trains, one-to-one
#include <emgtwin/score.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <emgtwin/array.h>

#include "match_priv.h"

enum { PAIRS_MAX = 1 << 24 };  // 0.7 GiB of agreements; no pool has 4096 units to match

emg_status emg_score_preset(const char *name, emg_score_options *out, emg_error *err) {
  static const struct {
    const char *name;
    emg_score_options options;
  } presets[] = {
      {"strict", {.tolerance_ms = 0.5, .max_lag_ms = 50, .match_min = 0.3}},
      {"muniverse", {.tolerance_ms = 1, .max_lag_ms = 100, .match_min = 0.3, .match_by_f1 = true}},
      {"munitquest",
       {.tolerance_ms = 1,
        .max_lag_ms = 100,
        .match_min = 0.5,
        .match_by_f1 = true,
        .remove_duplicates = true}},
  };

  for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
    if (strcmp(name, presets[i].name) == 0) {
      *out = presets[i].options;
      return EMG_OK;
    }
  }
  return emg_fail(err, EMG_ERR_ARG,
                  "there is no score preset '%s'; choose strict, muniverse or munitquest", name);
}

void emg_score_free(emg_score_result *result) {
  free(result->pairs);
  *result = (emg_score_result){0};
}

emg_status emg_score_check(const emg_score_options *options, emg_error *err) {
  const double values[] = {options->tolerance_ms, options->max_lag_ms, options->match_min};
  const char *const names[] = {"tolerance", "lag", "least agreement"};

  for (int i = 0; i < 3; i++) {
    if (!isfinite(values[i]) || values[i] < 0) {
      return emg_fail(err, EMG_ERR_ARG, "a %s of %g is not a number from 0 on; change it", names[i],
                      values[i]);
    }
  }
  return EMG_OK;
}

static emg_status check_input(const emg_spikes *estimated, const emg_spikes *truth,
                              const emg_score_options *options, emg_error *err) {
  EMG_TRY(emg_score_check(options, err));
  if (!(truth->rate_hz > 0) || !isfinite(truth->rate_hz) ||
      !(fabs(estimated->rate_hz - truth->rate_hz) <= 1e-6 * truth->rate_hz)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the result is sampled at %g Hz and the truth at %g Hz; score a result of the "
                    "same recording, or resample it",
                    estimated->rate_hz, truth->rate_hz);
  }
  if ((int64_t)estimated->n_units * truth->n_units > PAIRS_MAX) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%d units against %d are more pairs than are looked at (%d); score fewer units",
                    estimated->n_units, truth->n_units, PAIRS_MAX);
  }
  EMG_TRY(emg_spikes_check(estimated, err));
  return emg_spikes_check(truth, err);
}

// --- all pairs ---

typedef struct {
  const emg_spikes *estimated, *truth;
  const emg_score_options *options;
  int64_t tolerance, max_lag;  // in samples
  emg_agreement *agreement;    // [estimated][truth]
  double *criterion;           // [estimated][truth], 0 below match_min
  bool *is_removed;            // estimates that repeat an earlier one
  int *match;                  // truth of each estimate, -1 if none
} scoring;

static const emg_agreement *agreement_of(const scoring *s, int estimate, int truth) {
  return &s->agreement[(ptrdiff_t)estimate * s->truth->n_units + truth];
}

static double criterion_of(const scoring *s, const emg_agreement *agreement) {
  return s->options->match_by_f1 ? agreement->f1 : agreement->roa;
}

static emg_status match_all_pairs(scoring *s, emg_error *err) {
  int n_estimated = s->estimated->n_units, n_truth = s->truth->n_units;
  int n_threads = omp_get_max_threads();
  emg_matcher *matchers;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n_threads, sizeof *matchers, &matchers, err));
  for (int t = 0; t < n_threads; t++) {
    EMG_TRY_DONE(emg_matcher_create(s->max_lag, s->tolerance, &matchers[t], err));
  }

#pragma omp parallel for schedule(dynamic) collapse(2) num_threads(n_threads)
  for (int e = 0; e < n_estimated; e++) {
    for (int t = 0; t < n_truth; t++) {
      ptrdiff_t at = (ptrdiff_t)e * n_truth + t;
      s->agreement[at] =
          emg_match_trains(&matchers[omp_get_thread_num()], emg_spikes_of(s->estimated, e),
                           emg_spikes_count(s->estimated, e), emg_spikes_of(s->truth, t),
                           emg_spikes_count(s->truth, t));
      double value = criterion_of(s, &s->agreement[at]);
      s->criterion[at] = value >= s->options->match_min && !s->is_removed[e] ? value : 0;
    }
  }

done:
  for (int t = 0; t < n_threads; t++) {
    emg_matcher_free(&matchers[t]);
  }
  free(matchers);
  return status;
}

// MUnitQuest's rule: of estimates that agree with each other the first is kept.
static emg_status remove_duplicates(scoring *s, emg_error *err) {
  const double agreement_min = 0.3, max_lag_ms = 10;
  const emg_spikes *trains = s->estimated;
  emg_matcher matcher;

  EMG_TRY(emg_matcher_create(emg_samples_in_ms(max_lag_ms, trains->rate_hz), s->tolerance, &matcher,
                             err));
  for (int later = 1; later < trains->n_units; later++) {
    for (int first = 0; first < later && !s->is_removed[later]; first++) {
      if (s->is_removed[first]) {
        continue;
      }
      emg_agreement both =
          emg_match_trains(&matcher, emg_spikes_of(trains, later), emg_spikes_count(trains, later),
                           emg_spikes_of(trains, first), emg_spikes_count(trains, first));
      s->is_removed[later] = both.roa >= agreement_min;
    }
  }
  emg_matcher_free(&matcher);
  return EMG_OK;
}

// --- the result ---

static int64_t last_sample(const emg_spikes *trains) {
  int64_t end = trains->n_samples;

  for (int u = 0; u < trains->n_units; u++) {
    int64_t n = emg_spikes_count(trains, u);
    int64_t last = n > 0 ? emg_spikes_of(trains, u)[n - 1] : -1;
    if (last >= end) {
      end = last < INT64_MAX ? last + 1 : last;
    }
  }
  return end;
}

static void find_closest(const scoring *s, emg_score_pair *pair) {
  double most = 0;

  pair->closest = pair->most_recalled = -1;
  for (int t = 0; t < s->truth->n_units; t++) {
    double roa = agreement_of(s, pair->estimated, t)->roa;
    int64_t n_true = emg_spikes_count(s->truth, t);
    double recall =
        n_true > 0 ? (double)agreement_of(s, pair->estimated, t)->n_common / (double)n_true : 0;
    if (recall > most) {
      pair->most_recalled = t;
      most = recall;
    }
    if (roa > pair->closest_roa) {
      pair->closest = t;
      pair->closest_roa = roa;
    }
  }
}

static bool repeats_a_matched_unit(const scoring *s, int estimate) {
  if (s->is_removed[estimate]) {
    return true;
  }
  for (int other = 0; other < s->estimated->n_units; other++) {
    int t = s->match[other];
    if (t >= 0 && criterion_of(s, agreement_of(s, estimate, t)) >= s->options->match_min &&
        agreement_of(s, estimate, t)->n_common > 0) {
      return true;
    }
  }
  return false;
}

static emg_score_pair describe_pair(const scoring *s, int estimate, int64_t n_samples) {
  emg_score_pair pair = {.estimated = estimate,
                         .truth = s->match[estimate],
                         .n_estimated = emg_spikes_count(s->estimated, estimate)};

  find_closest(s, &pair);
  if (pair.truth < 0) {
    pair.is_duplicate = repeats_a_matched_unit(s, estimate);
    return pair;
  }
  const emg_agreement *agreement = agreement_of(s, estimate, pair.truth);
  pair.n_truth = emg_spikes_count(s->truth, pair.truth);
  pair.n_common = agreement->n_common;
  pair.lag_ms = 1000.0 * (double)agreement->lag / s->truth->rate_hz;
  pair.precision = (double)pair.n_common / (double)pair.n_estimated;
  pair.sensitivity = (double)pair.n_common / (double)pair.n_truth;
  pair.f1 = agreement->f1;
  pair.roa = agreement->roa;
  pair.chance_roa =
      emg_chance_roa(pair.n_estimated, pair.n_truth, n_samples, s->max_lag, s->tolerance);
  return pair;
}

static void summarise(const scoring *s, emg_score_result *out) {
  for (int t = 0; t < out->n_truth; t++) {
    out->n_active += emg_spikes_count(s->truth, t) > 0;
  }
  for (int e = 0; e < out->n_estimated; e++) {
    const emg_score_pair *pair = &out->pairs[e];
    if (pair->truth < 0) {
      out->n_duplicates += pair->is_duplicate;
      out->n_false += !pair->is_duplicate;
      continue;
    }
    out->n_matched++;
    out->n_roa_90 += pair->roa >= 0.9;
    out->n_roa_50 += pair->roa >= 0.5;
    out->precision += pair->precision;
    out->sensitivity += pair->sensitivity;
    out->sum_f1 += pair->f1;
    out->roa += pair->roa;
  }
  if (out->n_matched > 0) {
    out->precision /= out->n_matched;
    out->sensitivity /= out->n_matched;
    out->f1 = out->sum_f1 / out->n_matched;
    out->roa /= out->n_matched;
  }
}

emg_status emg_score(const emg_spikes *estimated, const emg_spikes *truth,
                     const emg_score_options *options, emg_score_result *out, emg_error *err) {
  scoring s = {.estimated = estimated, .truth = truth, .options = options};
  int n_estimated = estimated->n_units, n_truth = truth->n_units;
  size_t n_pairs = (size_t)n_estimated * (size_t)n_truth;
  emg_status status;

  *out = (emg_score_result){.n_estimated = n_estimated, .n_truth = n_truth};
  EMG_TRY(check_input(estimated, truth, options, err));
  s.tolerance = emg_samples_in_ms(options->tolerance_ms, truth->rate_hz);
  s.max_lag = emg_samples_in_ms(options->max_lag_ms, truth->rate_hz);
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *s.agreement, &s.agreement, err));
  EMG_TRY_DONE(emg_alloc(n_pairs, sizeof *s.criterion, &s.criterion, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_estimated, sizeof *s.is_removed, &s.is_removed, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_estimated, sizeof *s.match, &s.match, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_estimated, sizeof *out->pairs, &out->pairs, err));

  // 1. how well each estimate agrees with each true unit
  if (options->remove_duplicates) {
    EMG_TRY_DONE(remove_duplicates(&s, err));
  }
  EMG_TRY_DONE(match_all_pairs(&s, err));

  // 2. who belongs to whom; pairs that do not match count nothing, so they displace none that do
  EMG_TRY_DONE(emg_assign(n_estimated, n_truth, s.criterion, s.match, err));
  for (int e = 0; e < n_estimated; e++) {
    if (s.match[e] >= 0 && !(s.criterion[(ptrdiff_t)e * n_truth + s.match[e]] > 0)) {
      s.match[e] = -1;
    }
  }

  // 3. figures
  int64_t end_estimated = last_sample(estimated), end_truth = last_sample(truth);
  for (int e = 0; e < n_estimated; e++) {
    out->pairs[e] = describe_pair(&s, e, end_truth > end_estimated ? end_truth : end_estimated);
  }
  summarise(&s, out);

done:
  free(s.agreement);
  free(s.criterion);
  free(s.is_removed);
  free(s.match);
  if (status != EMG_OK) {
    emg_score_free(out);
  }
  return status;
}
