// cell.c -- one recording and one method: decompose, score, compare
#include "benchmark_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/invert.h>
#include <emgtwin/online.h>
#include <emgtwin/score.h>

// What a method is run on, and what it finds.
typedef struct {
  const emg_config *simulated, *narrowed;
  const emg_benchmark_method *method;
  emg_recording recording;
  emg_truth truth;
  emg_score_options options;
  emg_decomposition found;
  emg_inversion inversion;
  emg_ceiling_result ceiling;
} run;

void emg_benchmark_cell_free(emg_benchmark_cell *cell) {
  free(cell->units);
  cell->units = NULL;
  cell->n_units = 0;
}

static void run_free(run *r) {
  emg_recording_free(&r->recording);
  emg_truth_free(&r->truth);
  emg_decomposition_free(&r->found);
  emg_inversion_free(&r->inversion);
  emg_ceiling_free(&r->ceiling);
}

static double wall_s(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double cpu_s(double *peak_mib) {
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  *peak_mib = (double)usage.ru_maxrss / 1024;
  return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// --- methods ---

// The filters that were learned, on the whole recording.
static emg_status go_on_online(run *r, emg_error *err) {
  emg_decomposition learned = r->found;

  r->found = (emg_decomposition){0};
  emg_inversion_free(&r->inversion);
  if (learned.filters.n_units == 0) {
    r->found = learned;
    return EMG_OK;
  }
  emg_status status =
      emg_online_decompose(&r->recording, &learned.filters, NULL, false, NULL, &r->found, err);
  emg_decomposition_free(&learned);
  return status;
}

static emg_status run_method(run *r, emg_error *err) {
  const emg_config *config = r->narrowed;

  switch (r->method->kind) {
    case EMG_BENCHMARK_DECOMPOSE:
      EMG_TRY(emg_decompose(r->method->variant, &r->recording, config, NULL, &r->found, err));
      break;
    case EMG_BENCHMARK_INVERT:
      EMG_TRY(emg_invert(&r->recording, config, NULL, &r->found, &r->inversion, err));
      break;
    case EMG_BENCHMARK_ORACLE: {
      emg_config *both;
      EMG_TRY(emg_alloc(1, sizeof *both, &both, err));
      *both = *r->simulated;
      both->decompose = config->decompose;
      emg_status status = emg_ceiling(&r->recording, &r->truth.spikes, &r->truth.muaps, both,
                                      &r->options, NULL, &r->ceiling, err);
      free(both);
      return status;
    }
  }
  return r->method->is_online ? go_on_online(r, err) : EMG_OK;
}

// --- scores ---

static void set_unit(const emg_score_pair *pair, const int32_t *round, emg_benchmark_unit *unit) {
  bool is_matched = pair->truth >= 0;

  *unit = (emg_benchmark_unit){.truth = pair->truth,
                               .round = round ? round[pair->estimated] : -1,
                               .n_spikes = (int)pair->n_estimated,
                               .roa = is_matched ? pair->roa : NAN,
                               .sensitivity = is_matched ? pair->sensitivity : NAN,
                               .precision = is_matched ? pair->precision : NAN};
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    unit->value[p] = unit->sd[p] = unit->true_value[p] = NAN;
  }
}

// Distinct true units that reported ones hold the largest part of.
static int count_recalled(const emg_score_result *score) {
  int n = 0;

  for (int i = 0; i < score->n_estimated; i++) {
    bool is_new = score->pairs[i].most_recalled >= 0;
    for (int j = 0; j < i && is_new; j++) {
      is_new = score->pairs[j].most_recalled != score->pairs[i].most_recalled;
    }
    n += is_new;
  }
  return n;
}

// Median over matched units of one member of their rows.
static double median_of(const emg_benchmark_cell *cell, size_t offset, double *scratch) {
  int n = 0;

  for (int u = 0; u < cell->n_units; u++) {
    if (cell->units[u].truth >= 0) {
      scratch[n++] = *(const double *)((const char *)&cell->units[u] + offset);
    }
  }
  return emg_benchmark_quantile(scratch, n, 0.5);
}

static emg_status set_scores(const emg_score_result *score, const int32_t *round,
                             emg_benchmark_cell *cell, emg_error *err) {
  double *figures = cell->figures, *scratch, chance = 0;
  int n_80 = 0;

  EMG_TRY(emg_alloc((size_t)score->n_estimated + 1, sizeof *cell->units, &cell->units, err));
  EMG_TRY(emg_alloc((size_t)score->n_estimated + 1, sizeof *scratch, &scratch, err));
  cell->n_units = score->n_estimated;
  for (int u = 0; u < cell->n_units; u++) {
    const emg_score_pair *pair = &score->pairs[u];
    set_unit(pair, round, &cell->units[u]);
    n_80 += pair->truth >= 0 && pair->roa >= 0.8;
    chance += pair->truth >= 0 ? pair->chance_roa : 0;
  }
  figures[EMG_FIGURE_UNITS] = score->n_estimated;
  figures[EMG_FIGURE_STRICT] = score->n_roa_90;
  figures[EMG_FIGURE_R80] = n_80;
  figures[EMG_FIGURE_LENIENT] = score->n_matched;
  figures[EMG_FIGURE_RECALLED] = count_recalled(score);
  figures[EMG_FIGURE_FALSE] = score->n_false;
  figures[EMG_FIGURE_DOUBLE] = score->n_duplicates;
  figures[EMG_FIGURE_SENSITIVITY] =
      median_of(cell, offsetof(emg_benchmark_unit, sensitivity), scratch);
  figures[EMG_FIGURE_PRECISION] = median_of(cell, offsetof(emg_benchmark_unit, precision), scratch);
  figures[EMG_FIGURE_ROA] = median_of(cell, offsetof(emg_benchmark_unit, roa), scratch);
  figures[EMG_FIGURE_CHANCE] = score->n_matched > 0 ? chance / score->n_matched : NAN;
  free(scratch);
  return EMG_OK;
}

static emg_status score_units(run *r, emg_benchmark_cell *cell, emg_error *err) {
  emg_score_result score = {0};
  emg_status status;

  if (r->method->is_online) {
    // what follows the part that filters were learned on
    double from_s = r->narrowed->decompose.to_s;
    EMG_TRY(emg_spikes_keep(&r->found.spikes, from_s, 0, err));
    EMG_TRY(emg_spikes_keep(&r->truth.spikes, from_s, 0, err));
  }
  EMG_TRY_DONE(emg_score(&r->found.spikes, &r->truth.spikes, &r->options, &score, err));
  EMG_TRY_DONE(set_scores(&score, r->found.round, cell, err));
  bool has_parameters = r->method->kind == EMG_BENCHMARK_INVERT && !r->method->is_online;
  status = emg_benchmark_compare(r->simulated, has_parameters ? r->narrowed : r->simulated,
                                 &r->truth, has_parameters ? &r->inversion : NULL, cell, err);
done:
  emg_score_free(&score);
  return status;
}

// The bounds, and the one pass as if it had been found: without units, for it tells no spikes apart
// that it does not know.
static void set_bounds(const emg_ceiling_result *ceiling, emg_benchmark_cell *cell) {
  int n_80 = 0, n_lenient = 0;

  for (int u = 0; u < ceiling->n_units; u++) {
    n_80 += ceiling->units[u].one_pass >= 0.8;
    n_lenient += ceiling->units[u].one_pass >= 0.3;
  }
  cell->figures[EMG_FIGURE_STRICT] = cell->figures[EMG_FIGURE_ONE_PASS] = ceiling->roa_90.one_pass;
  cell->figures[EMG_FIGURE_R80] = n_80;
  cell->figures[EMG_FIGURE_LENIENT] = n_lenient;
  cell->figures[EMG_FIGURE_GREEDY] = ceiling->roa_90.greedy;
  cell->figures[EMG_FIGURE_ALONE] = ceiling->roa_90.alone;
  cell->figures[EMG_FIGURE_PREDICTED] = ceiling->n_predicted;
}

static int n_active(const emg_spikes *spikes) {
  int n = 0;

  for (int u = 0; u < spikes->n_units; u++) {
    n += emg_spikes_count(spikes, u) > 0;
  }
  return n;
}

// --- all together ---

static emg_status load(const char *path, run *r, emg_error *err) {
  const struct emg_config_score *score = &r->narrowed->score;
  emg_read_options options = {0};

  EMG_TRY(emg_recording_read(path, &options, &r->recording, err));
  EMG_TRY(emg_file_read_truth(path, &r->truth, err));
  EMG_TRY(emg_score_preset("strict", &r->options, err));
  r->options.tolerance_ms = score->tolerance_ms;
  r->options.max_lag_ms = score->max_lag_ms;
  r->options.match_min = score->match_min;
  return EMG_OK;
}

// Whether a failure says something of the method on this recording.
static bool is_a_result(emg_status status) {
  return status == EMG_ERR_CONFIG || status == EMG_ERR_DATA || status == EMG_ERR_ARG ||
         status == EMG_ERR_INTERNAL;
}

emg_status emg_benchmark_run_cell(const char *recording, const emg_config *simulated,
                                  const emg_config *narrowed, const emg_benchmark_method *method,
                                  emg_benchmark_cell *out, emg_error *err) {
  run r = {.simulated = simulated, .narrowed = narrowed, .method = method};
  double peak_mib;
  emg_status status;

  for (int i = 0; i < EMG_FIGURES; i++) {
    out->figures[i] = NAN;
  }
  EMG_TRY_DONE(load(recording, &r, err));
  out->figures[EMG_FIGURE_CHANNELS] = r.recording.data.n_rows;
  double cpu = cpu_s(&peak_mib), wall = wall_s();
  status = run_method(&r, err);
  out->cpu_s = cpu_s(&out->peak_mib) - cpu;
  out->wall_s = wall_s() - wall;
  if (status == EMG_OK && method->kind == EMG_BENCHMARK_ORACLE) {
    set_bounds(&r.ceiling, out);
  } else if (status == EMG_OK) {
    status = score_units(&r, out, err);
  }
  out->figures[EMG_FIGURE_ACTIVE] = n_active(&r.truth.spikes);
  out->is_there = status == EMG_OK;
  if (is_a_result(status)) {
    snprintf(out->reason, sizeof out->reason, "%s", emg_error_message(err));
    status = EMG_OK;
  }

done:
  run_free(&r);
  if (status != EMG_OK) {
    emg_benchmark_cell_free(out);
  }
  return status;
}
