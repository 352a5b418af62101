// summary.c -- medians, pooled errors and ratios over repetitions, with their intervals
#include "benchmark_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// A condition and a method: its cells by repetition, those without a result left out.
typedef struct {
  const emg_benchmark_plan *plan;
  int condition, method;
  int n;
  const emg_benchmark_cell **cells, **references;
  double *scratch;  // for the units of all repetitions, drawn with replacement
  // what a statistic is about
  emg_benchmark_figure figure;
  emg_compared_parameter parameter;
  double part, least_roa;
  int n_rounds;
} pool;

// --- statistics of the repetitions `which` ---

static double median_figure(const int *which, int n, void *user) {
  const pool *p = user;

  for (int i = 0; i < n; i++) {
    p->scratch[i] = p->cells[which[i]]->figures[p->figure];
  }
  return emg_benchmark_quantile(p->scratch, n, 0.5);
}

static double mean_strict(const int *which, int n, void *user) {
  const pool *p = user;
  double sum = 0;

  for (int i = 0; i < n; i++) {
    sum += p->cells[which[i]]->figures[EMG_FIGURE_STRICT] / n;
  }
  return sum;
}

static double false_fraction(const int *which, int n, void *user) {
  const pool *p = user;
  double n_false = 0, n_units = 0;

  for (int i = 0; i < n; i++) {
    n_false += p->cells[which[i]]->figures[EMG_FIGURE_FALSE];
    n_units += p->cells[which[i]]->figures[EMG_FIGURE_UNITS];
  }
  return n_units > 0 ? n_false / n_units : NAN;
}

static double ratio(const int *which, int n, void *user) {
  const pool *p = user;
  double here = 0, there = 0;

  for (int i = 0; i < n; i++) {
    here += p->cells[which[i]]->figures[EMG_FIGURE_STRICT];
    there += p->references[which[i]]->figures[EMG_FIGURE_STRICT];
  }
  return there > 0 ? here / there : NAN;
}

// Median over repetitions of the true units that the first searches found.
static double found_by_round(const int *which, int n, void *user) {
  const pool *p = user;
  bool is_known = false;

  for (int i = 0; i < n; i++) {
    const emg_benchmark_cell *cell = p->cells[which[i]];
    p->scratch[i] = 0;
    for (int u = 0; u < cell->n_units; u++) {
      const emg_benchmark_unit *unit = &cell->units[u];
      is_known = is_known || unit->round >= 0;
      p->scratch[i] += unit->truth >= 0 && unit->roa >= p->least_roa && unit->round < p->n_rounds;
    }
  }
  return is_known ? emg_benchmark_quantile(p->scratch, n, 0.5) : NAN;
}

static bool is_compared(const pool *p, const emg_benchmark_unit *unit) {
  return unit->truth >= 0 && unit->roa >= p->plan->suite->benchmark.parameters_roa;
}

static double pooled_error(const int *which, int n, void *user) {
  const pool *p = user;
  int n_values = 0;

  for (int i = 0; i < n; i++) {
    const emg_benchmark_cell *cell = p->cells[which[i]];
    for (int u = 0; u < cell->n_units; u++) {
      if (is_compared(p, &cell->units[u])) {
        p->scratch[n_values++] = fabs(emg_benchmark_error_of(&cell->units[u], p->parameter));
      }
    }
  }
  return emg_benchmark_quantile(p->scratch, n_values, p->part);
}

// Of one parameter, or of all.
static double pooled_coverage(const int *which, int n, void *user) {
  const pool *p = user;
  bool is_of_all = p->parameter == EMG_COMPARED_PARAMETERS;
  int n_known = 0, n_covered = 0;

  for (int i = 0; i < n; i++) {
    const emg_benchmark_cell *cell = p->cells[which[i]];
    for (int u = 0; u < cell->n_units; u++) {
      for (int k = 0; is_compared(p, &cell->units[u]) && k < EMG_COMPARED_PARAMETERS; k++) {
        bool is_known = false;
        if (is_of_all || k == (int)p->parameter) {
          n_covered +=
              emg_benchmark_is_covered(&cell->units[u], (emg_compared_parameter)k, &is_known);
          n_known += is_known;
        }
      }
    }
  }
  return n_known > 0 ? (double)n_covered / n_known : NAN;
}

// --- rows ---

static emg_status add_row(const pool *p, const char *figure, emg_benchmark_statistic statistic,
                          emg_benchmark_summary *out, emg_error *err) {
  const emg_config *suite = p->plan->suite;
  emg_benchmark_row *row = &out->rows[out->n_rows];

  *row = (emg_benchmark_row){.condition = p->condition, .method = p->method};
  snprintf(row->figure, sizeof row->figure, "%s", figure);
  EMG_TRY(emg_benchmark_bootstrap(p->n, suite->benchmark.bootstrap, suite->simulation.seed, 0,
                                  statistic, (void *)p, &row->estimate, err));
  // what a method does not have takes no row
  out->n_rows += isfinite(row->estimate.value) || p->n == 0;
  return EMG_OK;
}

static bool is_error_figure(int figure) {
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    emg_benchmark_figure median;
    if (emg_benchmark_error_figure((emg_compared_parameter)p, &median) &&
        (figure == (int)median || figure == (int)median + 1)) {
      return true;
    }
  }
  return figure == EMG_FIGURE_COVERAGE;
}

static emg_status add_errors(pool *p, emg_benchmark_summary *out, emg_error *err) {
  static const struct {
    const char *suffix;
    double part;
  } parts[] = {{"error", 0.5}, {"error_p90", 0.9}};
  char name[64];

  for (int k = 0; k < EMG_COMPARED_PARAMETERS; k++) {
    p->parameter = (emg_compared_parameter)k;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
      p->part = parts[i].part;
      snprintf(name, sizeof name, "%s_%s", emg_compared_name(p->parameter), parts[i].suffix);
      EMG_TRY(add_row(p, name, pooled_error, out, err));
    }
    snprintf(name, sizeof name, "%s_coverage", emg_compared_name(p->parameter));
    EMG_TRY(add_row(p, name, pooled_coverage, out, err));
  }
  p->parameter = EMG_COMPARED_PARAMETERS;
  return add_row(p, "coverage", pooled_coverage, out, err);
}

// Up to the last search that found a unit.
static emg_status add_rounds(pool *p, emg_benchmark_summary *out, emg_error *err) {
  int n_rounds = 0;
  char name[64];

  for (int i = 0; i < p->n; i++) {
    for (int u = 0; u < p->cells[i]->n_units; u++) {
      int round = p->cells[i]->units[u].round + 1;
      n_rounds = round > n_rounds ? round : n_rounds;
    }
  }
  n_rounds = n_rounds < EMG_BENCHMARK_ROUNDS_MAX ? n_rounds : EMG_BENCHMARK_ROUNDS_MAX;
  for (p->n_rounds = 1; p->n_rounds <= n_rounds; p->n_rounds++) {
    p->least_roa = 0.9;
    snprintf(name, sizeof name, "strict_round_%d", p->n_rounds);
    EMG_TRY(add_row(p, name, found_by_round, out, err));
    p->least_roa = 0;
    snprintf(name, sizeof name, "lenient_round_%d", p->n_rounds);
    EMG_TRY(add_row(p, name, found_by_round, out, err));
  }
  return EMG_OK;
}

// Repetitions in which both have a result.
static emg_status add_ratio(const pool *p, const emg_benchmark_results *results, int first,
                            const emg_benchmark_method *reference, emg_benchmark_summary *out,
                            emg_error *err) {
  const emg_benchmark_condition *condition = &p->plan->conditions[p->condition];
  char name[64];
  pool both = *p;

  both.n = 0;
  for (int m = 0; m < condition->n_methods; m++) {
    if (condition->methods[m] != reference) {
      continue;
    }
    for (int s = 0; s < condition->n_seeds; s++) {
      const emg_benchmark_cell *cells = &results->cells[first + s * condition->n_methods];
      if (cells[p->method].is_there && cells[m].is_there) {
        both.cells[both.n] = &cells[p->method];
        both.references[both.n++] = &cells[m];
      }
    }
    snprintf(name, sizeof name, "strict_ratio_%s", reference->name);
    return both.n > 0 ? add_row(&both, name, ratio, out, err) : EMG_OK;
  }
  return EMG_OK;
}

static emg_status summarise(pool *p, const emg_benchmark_results *results, int first,
                            emg_benchmark_summary *out, emg_error *err) {
  const emg_benchmark_condition *condition = &p->plan->conditions[p->condition];
  int n_units = 0;

  p->n = 0;
  for (int s = 0; s < condition->n_seeds; s++) {
    const emg_benchmark_cell *cell = &results->cells[first + s * condition->n_methods + p->method];
    if (cell->is_there) {
      p->cells[p->n++] = cell;
      n_units = cell->n_units > n_units ? cell->n_units : n_units;
    }
  }
  EMG_TRY(emg_alloc((size_t)condition->n_seeds * (size_t)(n_units + 1), sizeof *p->scratch,
                    &p->scratch, err));
  emg_status status = EMG_OK;
  for (int f = 0; f < EMG_FIGURES && status == EMG_OK; f++) {
    p->figure = (emg_benchmark_figure)f;
    if (!is_error_figure(f) && (p->n > 0 || f == EMG_FIGURE_STRICT)) {
      status = add_row(p, emg_benchmark_figure_name(p->figure), median_figure, out, err);
    }
  }
  if (p->n > 0) {
    EMG_TRY_DONE(status);
    EMG_TRY_DONE(add_row(p, "strict_mean", mean_strict, out, err));
    EMG_TRY_DONE(add_row(p, "false_fraction", false_fraction, out, err));
    EMG_TRY_DONE(add_errors(p, out, err));
    EMG_TRY_DONE(add_rounds(p, out, err));
    for (int i = 0; i < p->plan->n_references; i++) {
      EMG_TRY_DONE(add_ratio(p, results, first, p->plan->references[i], out, err));
    }
  }
done:
  free(p->scratch);
  p->scratch = NULL;
  return status;
}

emg_status emg_benchmark_summarise(const emg_benchmark_plan *plan,
                                   const emg_benchmark_results *results, emg_benchmark_summary *out,
                                   emg_error *err) {
  // figures of each method at most: its own, the errors, rounds, and a ratio to each reference
  const size_t most = EMG_FIGURES + 3 * EMG_COMPARED_PARAMETERS + 3 + 2 * EMG_BENCHMARK_ROUNDS_MAX +
                      (size_t)plan->n_references;
  size_t n_pools = 0;
  int n_seeds = 0, first = 0;
  pool p = {.plan = plan};
  emg_status status;

  *out = (emg_benchmark_summary){0};
  for (int c = 0; c < plan->n_conditions; c++) {
    n_pools += (size_t)plan->conditions[c].n_methods;
    n_seeds = plan->conditions[c].n_seeds > n_seeds ? plan->conditions[c].n_seeds : n_seeds;
  }
  EMG_TRY_DONE(emg_alloc(n_pools * most + 1, sizeof *out->rows, &out->rows, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_seeds + 1, sizeof *p.cells, &p.cells, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_seeds + 1, sizeof *p.references, &p.references, err));
  for (p.condition = 0; p.condition < plan->n_conditions; p.condition++) {
    const emg_benchmark_condition *condition = &plan->conditions[p.condition];
    for (p.method = 0; p.method < condition->n_methods; p.method++) {
      EMG_TRY_DONE(summarise(&p, results, first, out, err));
    }
    first += condition->n_seeds * condition->n_methods;
  }

done:
  free(p.cells);
  free(p.references);
  if (status != EMG_OK) {
    emg_benchmark_summary_free(out);
  }
  return status;
}

void emg_benchmark_summary_free(emg_benchmark_summary *summary) {
  free(summary->rows);
  *summary = (emg_benchmark_summary){0};
}

const emg_benchmark_estimate *emg_benchmark_find(const emg_benchmark_summary *summary,
                                                 int condition, int method, const char *figure) {
  for (int i = 0; i < summary->n_rows; i++) {
    const emg_benchmark_row *row = &summary->rows[i];
    if (row->condition == condition && row->method == method && strcmp(row->figure, figure) == 0) {
      return &row->estimate;
    }
  }
  return NULL;
}
