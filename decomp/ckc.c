// ckc.c -- convolution kernel compensation: search, peel off what is found, search the residual
#include "guided_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

typedef struct {
  const struct emg_config_decompose *config;
  uint64_t seed;
  const emg_monitor *monitor;
  emg_prepared prepared;
  emg_signal residual;                      // the signal without the units found so far
  emg_spans search, whole;                  // what the search looks at; all of the recording
  emg_spans fixed_point;                    // what the filters iterate on
  int n_taps, n_search_taps, n_joint_taps;  // of splits, the search, the joint model
  emg_units units;
  emg_guided guided;  // .guide NULL: blind
} ckc;

// Delayed copies a channel: 1000 / channels at 2048 Hz (Negro et al. 2016), 4 to 32, the same time
// at other rates, and no more than keep the covariance small.
emg_status emg_choose_taps(const struct emg_config_decompose *config, int n_channels,
                           double rate_hz, int *n_taps, emg_error *err) {
  const double usual_rate_hz = 2048;
  const int dimensions_most = 1280, dimensions_refused = 8192;

  if (config->extension > 0) {
    *n_taps = config->extension;
    if (*n_taps * n_channels > dimensions_refused) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "decompose.extension = %d for %d channels needs a covariance of %d rows, and "
                      "at most %d can be handled; use 0 to have it chosen",
                      *n_taps, n_channels, *n_taps * n_channels, dimensions_refused);
    }
    return EMG_OK;
  }
  double usual = fmin(fmax(round(1000.0 / n_channels), 4), 32);
  double scaled = fmax(round(usual * rate_hz / usual_rate_hz), 2);
  double most = fmax(floor((double)dimensions_most / n_channels), 1);
  *n_taps = (int)fmin(scaled, most);
  return EMG_OK;
}

// Half of the delays are enough for the search unless there are samples to learn more.
static int choose_search_taps(const ckc *c, int64_t n_samples) {
  const int64_t samples_per_dimension = 100;
  int64_t supported = n_samples / (samples_per_dimension * c->prepared.signal.n_channels);
  int half = (c->n_taps + 1) / 2;

  if (c->config->search_extension > 0) {
    return c->config->search_extension;
  }
  return supported < half ? half : supported < c->n_taps ? (int)supported : c->n_taps;
}

int emg_choose_joint_taps(const struct emg_config_decompose *config, int n_taps, int n_channels,
                          int64_t n_samples, int64_t half_window) {
  const int64_t samples_per_dimension = 30;
  int n_joint_taps = config->joint_extension;

  if (n_joint_taps == 0) {
    int64_t supported = n_samples / (samples_per_dimension * n_channels);
    n_joint_taps = supported < n_taps * 3 / 2 ? (int)supported : n_taps * 3 / 2;
    n_joint_taps = n_joint_taps > n_taps ? n_joint_taps : n_taps;
  }
  return n_joint_taps < (int)half_window ? n_joint_taps : (int)half_window;
}

static void ckc_free(ckc *c) {
  emg_prepared_free(&c->prepared);
  emg_signal_free(&c->residual);
  emg_units_free(&c->units);
}

static emg_status start(ckc *c, const emg_recording *rec, const emg_config *config,
                        emg_error *err) {
  const double half_window_ms = 20;
  int64_t n = rec->data.n_cols;

  c->units.half_window = (int64_t)lround(half_window_ms * rec->rate_hz / 1000);
  EMG_TRY(emg_prepare(rec, config, c->monitor, 2 * c->units.half_window + 1, &c->prepared, err));
  EMG_TRY(emg_choose_taps(c->config, c->prepared.signal.n_channels, rec->rate_hz, &c->n_taps, err));
  if (c->n_taps > 2 * c->units.half_window) {
    c->n_taps = (int)(2 * c->units.half_window);
  }
  c->n_search_taps = choose_search_taps(c, n);
  c->n_joint_taps = emg_choose_joint_taps(c->config, c->n_taps, c->prepared.signal.n_channels, n,
                                          c->units.half_window);
  EMG_TRY(emg_signal_copy(&c->prepared.signal, &c->residual, err));
  int64_t edge = (int64_t)(c->config->edge_s * rec->rate_hz);
  c->fixed_point =
      emg_spans_over(edge, n - edge, (int64_t)(c->config->fixed_point_s * rec->rate_hz));
  c->search = emg_spans_over(edge, n - edge, (int64_t)(c->config->search_s * rec->rate_hz));
  c->whole = emg_spans_over(0, n, n);
  emg_log(c->monitor, EMG_LOG_INFO, "decompose", "delays = %d, dimensions = %d, search = %.1f s",
          c->n_taps, c->n_taps * c->prepared.signal.n_channels,
          (double)c->search.place[EMG_SPANS] / rec->rate_hz);
  return EMG_OK;
}

// --- one search ---

// What a candidate must show to be worth a look at the whole recording, and a unit to be kept.
static bool is_promising(const struct emg_config_decompose *config, const emg_candidate *c) {
  return c->n_spikes >= config->spikes_min && c->sil >= config->candidate_sil_min &&
         c->intervals.cov > 0 &&
         c->intervals.cov <= fmax(config->isi_cov_max, config->provisional_isi_cov_max) + 0.05;
}

// What a unit must show to stay in the joint model between searches, and to be reported.
typedef struct {
  double sil_min, isi_cov_max;
  double isi_cov_max_weak;  // at sil_min
} rules;

static rules provisional_rules(const struct emg_config_decompose *config) {
  double isi_cov_max = fmax(config->isi_cov_max, config->provisional_isi_cov_max);
  return (rules){fmin(config->sil_min, config->provisional_sil_min), isi_cov_max, isi_cov_max};
}

static rules final_rules(const struct emg_config_decompose *config) {
  return (rules){config->sil_min, config->isi_cov_max, config->isi_cov_max_weak};
}

// A unit that fires at all times has at least 2 spikes a second; one that is recruited now and then
// has at least 40 of them, and most of its time lies within its trains, not between them.
static bool is_acceptable(const ckc *c, rules r, double sil, const emg_interval_stats *intervals,
                          int64_t n_spikes) {
  const double rate_least_hz = 2, spikes_enough = 40;
  double duration_s = (double)c->residual.n_samples / c->residual.rate_hz;
  double spikes_least =
      fmax(c->config->spikes_min, fmin(spikes_enough, rate_least_hz * duration_s));

  return sil >= r.sil_min && intervals->cov > 0 &&
         intervals->cov <= emg_isi_cov_limit(sil, r.sil_min, r.isi_cov_max_weak, r.isi_cov_max) &&
         (double)n_spikes >= spikes_least && intervals->coverage >= c->config->coverage_min;
}

// Promising candidates, best silhouette first (then in order of the search); returns their number.
static int rank_candidates(const ckc *c, const emg_candidate *candidates, int *order) {
  int n = 0;

  for (int i = 0; i < c->config->batch; i++) {
    if (!is_promising(c->config, &candidates[i])) {
      continue;
    }
    int place = n++;
    while (place > 0 && candidates[order[place - 1]].sil < candidates[i].sil) {
      order[place] = order[place - 1];
      place--;
    }
    order[place] = i;
  }
  return n;
}

// A train found in the residual becomes a unit, its spikes at the centre of energy of its action
// potential.
static emg_status add_unit(ckc *c, const emg_candidate *candidate, int round, emg_error *err) {
  int64_t shift = 0;

  EMG_TRY(emg_centre_of_energy(&c->residual, candidate->spikes, candidate->n_spikes,
                               c->units.half_window, &shift, err));
  for (int64_t i = 0; i < candidate->n_spikes; i++) {
    candidate->spikes[i] += shift;
  }
  int64_t first = 0, last = candidate->n_spikes;
  while (first < last && candidate->spikes[first] < 0) {
    first++;
  }
  while (last > first && candidate->spikes[last - 1] >= c->residual.n_samples) {
    last--;
  }
  EMG_TRY(emg_units_add(&c->units, c->residual.n_channels, candidate->spikes + first, last - first,
                        err));
  emg_unit *unit = &c->units.items[c->units.n - 1];
  unit->sil = candidate->sil;
  unit->intervals = candidate->intervals;
  unit->round = round;
  return EMG_OK;
}

// Strike out of the ranking what is a unit already or repeats a better candidate.
static emg_status strike_repeated(const ckc *c, const emg_candidate *candidates, int *order, int *n,
                                  emg_error *err) {
  emg_units better = {0};
  double rate_hz = c->residual.rate_hz, limit = c->config->duplicate_agreement;
  int n_left = 0;
  emg_status status = EMG_OK;

  for (int i = 0; i < *n; i++) {
    const emg_candidate *found = &candidates[order[i]];
    bool is_unit, is_repeated;
    EMG_TRY_DONE(
        emg_is_known(&c->units, found->spikes, found->n_spikes, rate_hz, limit, &is_unit, err));
    EMG_TRY_DONE(
        emg_is_known(&better, found->spikes, found->n_spikes, rate_hz, limit, &is_repeated, err));
    if (!is_unit && !is_repeated) {
      EMG_TRY_DONE(emg_units_add(&better, 0, found->spikes, found->n_spikes, err));
      order[n_left++] = order[i];
    }
  }
  *n = n_left;

done:
  emg_units_free(&better);
  return status;
}

// Look at a few candidates over the whole recording and add those that hold.
static emg_status take_candidates(ckc *c, const emg_whitener *whitener, int round,
                                  const float *filters, const int *order, int n, emg_error *err) {
  const int passes = 2;
  emg_candidate *candidates;
  float *chosen = NULL;
  double *validated = NULL;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n, sizeof *candidates, &candidates, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)whitener->n_dimensions * (size_t)n, sizeof *chosen, &chosen, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *validated, &validated, err));
  for (ptrdiff_t d = 0; d < whitener->n_dimensions; d++) {
    for (int i = 0; i < n; i++) {
      chosen[d * n + i] = filters[d * c->config->batch + order[i]];
    }
  }
  EMG_TRY_DONE(
      emg_refine(&c->residual, whitener, &c->whole, c->config, passes, n, chosen, candidates, err));
  EMG_TRY_DONE(
      emg_validate(&c->residual, whitener, c->config, false, n, candidates, validated, err));
  for (int i = 0; i < n; i++) {
    emg_candidate *found = &candidates[i];
    bool is_known;
    EMG_TRY_DONE(emg_is_known(&c->units, found->spikes, found->n_spikes, c->residual.rate_hz,
                              c->config->duplicate_agreement, &is_known, err));
    if (!is_known &&
        validated[i] >=
            fmin(c->config->validated_sil_min, c->config->provisional_validated_sil_min) &&
        is_acceptable(c, provisional_rules(c->config), found->sil, &found->intervals,
                      found->n_spikes)) {
      EMG_TRY_DONE(add_unit(c, found, round, err));
    }
  }

done:
  emg_candidates_free(n, candidates);
  free(candidates);
  free(chosen);
  free(validated);
  return status;
}

// Search the residual once and add what is found to the units, not yet subtracted.
static emg_status search_round(ckc *c, const emg_whitener *whitener, int round, emg_error *err) {
  enum { TOGETHER = 16 };  // sources over the whole recording held at a time
  int batch = c->config->batch;
  float *filters = NULL;
  emg_candidate *candidates = NULL;
  int *order = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned((size_t)whitener->n_dimensions * (size_t)batch, sizeof *filters,
                                 &filters, err));
  EMG_TRY_DONE(emg_alloc((size_t)batch, sizeof *candidates, &candidates, err));
  EMG_TRY_DONE(emg_alloc((size_t)batch, sizeof *order, &order, err));
  EMG_TRY_DONE(emg_search(&c->residual, whitener, &c->fixed_point, c->config, c->seed, round,
                          c->monitor, filters, err));
  EMG_TRY_DONE(emg_refine(&c->residual, whitener, &c->search, c->config, c->config->refinements,
                          batch, filters, candidates, err));
  int n = rank_candidates(c, candidates, order);
  EMG_TRY_DONE(strike_repeated(c, candidates, order, &n, err));
  for (int first = 0; first < n; first += TOGETHER) {
    int n_now = n - first < TOGETHER ? n - first : TOGETHER;
    EMG_TRY_DONE(take_candidates(c, whitener, round, filters, order + first, n_now, err));
  }

done:
  free(filters);
  emg_candidates_free(batch, candidates);
  free(candidates);
  free(order);
  return status;
}

// --- all rounds ---

// Units that do not meet the rules go, their signal returns to the residual; then repeated ones.
static emg_status drop_unacceptable(ckc *c, rules r, emg_error *err) {
  for (int i = c->units.n - 1; i >= 0; i--) {
    const emg_unit *unit = &c->units.items[i];
    if (!is_acceptable(c, r, unit->sil, &unit->intervals, unit->n_spikes)) {
      emg_unit_put(&c->residual, &c->units, i, 1);
      emg_units_remove(&c->units, i);
    }
  }
  return emg_remove_duplicates(&c->residual, &c->units, c->config->duplicate_agreement, err);
}

// Why units that are in the joint model will not be reported.
static void tell_unacceptable(const ckc *c, rules r) {
  for (int i = 0; i < c->units.n; i++) {
    const emg_unit *unit = &c->units.items[i];
    if (!is_acceptable(c, r, unit->sil, &unit->intervals, unit->n_spikes)) {
      emg_log(c->monitor, EMG_LOG_INFO, "decompose",
              "left out = %lld spikes in %.0f %% of the time, silhouette %.3f (least %.2f), CoV of "
              "intervals %.2f (most %.2f)",
              (long long)unit->n_spikes, 100 * unit->intervals.coverage, unit->sil, r.sil_min,
              unit->intervals.cov,
              emg_isi_cov_limit(unit->sil, r.sil_min, r.isi_cov_max_weak, r.isi_cov_max));
    }
  }
}

static emg_status iterate(ckc *c, int n_iterations, bool keeps_sources, emg_error *err) {
  return emg_joint_iterate(&c->residual, &c->units, c->config, c->n_joint_taps, &c->search,
                           n_iterations, keeps_sources, err);
}

// The joint model after units were found: action potentials by least squares, filters and spikes in
// turn; units that hold two are split, halves of one are merged.
static emg_status settle(ckc *c, emg_error *err) {
  const int sweeps = 4, iterations_after_merge = 2;
  int n_split = 1, n_merged = 0;

  EMG_TRY(emg_units_fit(&c->residual, &c->units, sweeps, err));
  if (c->config->joint_iterations == 0) {
    return EMG_OK;
  }
  EMG_TRY(iterate(c, c->config->joint_iterations, false, err));
  for (int i = 0; i < c->config->splits && n_split > 0; i++) {
    EMG_TRY(
        emg_units_split(&c->residual, &c->units, c->config, c->n_taps, &c->search, &n_split, err));
    if (n_split > 0) {
      EMG_TRY(emg_units_fit(&c->residual, &c->units, sweeps, err));
      EMG_TRY(iterate(c, c->config->joint_iterations, false, err));
    }
  }
  EMG_TRY(emg_units_merge(&c->residual, &c->units, c->config, &n_merged, err));
  if (n_merged > 0) {
    EMG_TRY(emg_units_fit(&c->residual, &c->units, sweeps, err));
    EMG_TRY(iterate(c, iterations_after_merge, false, err));
  }
  int n_before = c->units.n;
  EMG_TRY(drop_unacceptable(c, provisional_rules(c->config), err));
  return c->units.n < n_before ? emg_units_fit(&c->residual, &c->units, sweeps, err) : EMG_OK;
}

static emg_status search_all(ckc *c, emg_error *err) {
  const int patience = 2;
  int n_empty = 0;

  for (int round = 0; round < c->config->rounds && n_empty < patience; round++) {
    emg_whitener whitener;
    int n_before = c->units.n;
    EMG_TRY(emg_whitener_create(&c->residual, c->n_search_taps, &c->search, &whitener, err));
    emg_status status = search_round(c, &whitener, round, err);
    emg_whitener_free(&whitener);
    if (status == EMG_OK && c->guided.guide) {
      status = emg_guided_propose(&c->guided, &c->residual, &c->units, round, err);
    }
    EMG_TRY(status);
    int n_new = c->units.n - n_before;
    if (n_new > 0) {
      EMG_TRY(settle(c, err));
    }
    n_empty = c->units.n > n_before ? 0 : n_empty + 1;
    emg_log(c->monitor, EMG_LOG_INFO, "decompose", "round = %d, new = %d, units = %d", round + 1,
            n_new, c->units.n);
  }
  return EMG_OK;
}

// The unit's train at the instants at which a filter sees most of its action potential.
static emg_status place_for_filter(const ckc *c, const emg_unit *unit, emg_candidate *out,
                                   emg_error *err) {
  *out = (emg_candidate){0};
  EMG_TRY(emg_alloc((size_t)unit->n_spikes, sizeof *out->spikes, &out->spikes, err));
  for (int64_t k = 0; k < unit->n_spikes; k++) {
    int64_t at = unit->spikes[k] + unit->delay;
    if (at >= 0 && at < c->residual.n_samples) {
      out->spikes[out->n_spikes++] = at;
    }
  }
  return EMG_OK;
}

// Units whose spikes do not show in a source made from their other half, with all other units taken
// away, go.
static emg_status drop_not_validated(ckc *c, emg_error *err) {
  emg_whitener whitener;
  emg_status status = EMG_OK;

  EMG_TRY(emg_whitener_create(&c->residual, c->n_search_taps, &c->search, &whitener, err));
  for (int i = c->units.n - 1; i >= 0 && status == EMG_OK; i--) {
    emg_candidate candidate;
    double sil = 0;
    emg_unit_put(&c->residual, &c->units, i, 1);
    status = place_for_filter(c, &c->units.items[i], &candidate, err);
    if (status == EMG_OK) {
      status = emg_validate(&c->residual, &whitener, c->config, true, 1, &candidate, &sil, err);
    }
    emg_candidates_free(1, &candidate);
    if (sil < c->config->validated_sil_min) {
      emg_units_remove(&c->units, i);
    } else {
      emg_unit_put(&c->residual, &c->units, i, -1);
    }
  }
  emg_whitener_free(&whitener);
  return status;
}

// All units once more against the final residual, then the rules of acceptance.
static emg_status finish(ckc *c, emg_error *err) {
  int n_iterations = c->config->joint_iterations > 0 ? c->config->final_iterations : 1;

  if (c->units.n == 0) {
    return EMG_OK;
  }
  EMG_TRY(iterate(c, n_iterations > 0 ? n_iterations : 1, c->config->keep_source, err));
  tell_unacceptable(c, final_rules(c->config));
  EMG_TRY(drop_unacceptable(c, final_rules(c->config), err));
  if (!c->guided.guide || !c->guided.guide->judge) {
    return drop_not_validated(c, err);
  }
  const int sweeps = 4;
  c->units.guided = NULL;
  EMG_TRY(emg_units_fit(&c->residual, &c->units, sweeps, err));
  EMG_TRY(emg_units_sort(&c->units, c->residual.n_channels, c->residual.n_samples, err));
  return emg_guided_judge(&c->guided, &c->residual, &c->units, err);
}

emg_status emg_ckc_run(const emg_recording *rec, const emg_config *config,
                       const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  return emg_ckc_run_guided(rec, config, NULL, monitor, out, err);
}

emg_status emg_ckc_run_guided(const emg_recording *rec, const emg_config *config,
                              const emg_guide *guide, const emg_monitor *monitor,
                              emg_decomposition *out, emg_error *err) {
  ckc c = {.config = &config->decompose, .seed = config->simulation.seed, .monitor = monitor};
  emg_status status;

  EMG_TRY_DONE(start(&c, rec, config, err));
  c.guided = (emg_guided){guide, &c.prepared, c.n_taps, c.config->duplicate_agreement};
  c.units.guided = guide ? &c.guided : NULL;
  EMG_TRY_DONE(search_all(&c, err));
  EMG_TRY_DONE(finish(&c, err));
  EMG_TRY_DONE(emg_package(rec, &c.prepared, &c.units, out, err));

done:
  ckc_free(&c);
  return status;
}
