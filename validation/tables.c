// tables.c -- results.csv, units.csv, summary.csv, times.csv and results.h5
#include "benchmark_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <base/part_file.h>
#include <base/system.h>
#include <emgtwin/emgtwin.h>

#include "table.h"

enum { RESULTS, UNITS, SUMMARY, TIMES, N_TABLES };

typedef struct {
  const emg_benchmark_plan *plan;
  const emg_benchmark_results *results;
  emg_benchmark_summary summary;
  emg_result_table tables[N_TABLES];
} book;

// --- columns that say which condition, repetition and method a row is about ---

// Numbers if every value is one.
static bool is_numeric(const emg_benchmark_plan *plan, int axis) {
  for (int c = 0; c < plan->n_conditions; c++) {
    const char *end;
    double value;
    if (!emg_number_scan(plan->conditions[c].values[axis], &end, &value) || *end) {
      return false;
    }
  }
  return true;
}

typedef struct {
  char *condition, *base, *method;
  char *text[EMG_BENCHMARK_AXES_MAX];
  double *number[EMG_BENCHMARK_AXES_MAX], *seed;
} labels;

enum { NAME_WIDTH = EMG_ENTRY_MAX, BASE_WIDTH = 48, VALUE_WIDTH = 64, METHOD_WIDTH = 24 };

static emg_status add_labels(const book *b, emg_result_table *table, bool has_seed, labels *out,
                             emg_error *err) {
  *out = (labels){0};
  EMG_TRY(emg_result_texts(table, "condition", NAME_WIDTH, &out->condition, err));
  EMG_TRY(emg_result_texts(table, "base", BASE_WIDTH, &out->base, err));
  for (int i = 0; i < b->plan->n_axes; i++) {
    const char *name = b->plan->axes[i];
    if (is_numeric(b->plan, i)) {
      EMG_TRY(emg_result_numbers(table, name, &out->number[i], err));
    } else {
      EMG_TRY(emg_result_texts(table, name, VALUE_WIDTH, &out->text[i], err));
    }
  }
  if (has_seed) {
    EMG_TRY(emg_result_numbers(table, "seed", &out->seed, err));
  }
  return emg_result_texts(table, "method", METHOD_WIDTH, &out->method, err);
}

static void set_labels(const book *b, const labels *l, int row, int condition, uint64_t seed,
                       int method) {
  const emg_benchmark_condition *c = &b->plan->conditions[condition];

  snprintf(l->condition + (size_t)row * NAME_WIDTH, NAME_WIDTH, "%s", c->name);
  snprintf(l->base + (size_t)row * BASE_WIDTH, BASE_WIDTH, "%s", c->base);
  snprintf(l->method + (size_t)row * METHOD_WIDTH, METHOD_WIDTH, "%s", c->methods[method]->name);
  if (l->seed) {
    l->seed[row] = (double)seed;
  }
  for (int i = 0; i < b->plan->n_axes; i++) {
    const char *end;
    if (l->number[i]) {
      emg_number_scan(c->values[i], &end, &l->number[i][row]);
    } else {
      snprintf(l->text[i] + (size_t)row * VALUE_WIDTH, VALUE_WIDTH, "%s", c->values[i]);
    }
  }
}

// --- the tables ---

static emg_status fill_results(book *b, emg_error *err) {
  const emg_benchmark_results *results = b->results;
  emg_result_table *table = &b->tables[RESULTS];
  double *figures[EMG_FIGURES], *is_there;
  char *reason;
  labels l;

  table->n_rows = results->n_cells;
  EMG_TRY(add_labels(b, table, true, &l, err));
  EMG_TRY(emg_result_numbers(table, "has_result", &is_there, err));
  for (int f = 0; f < EMG_FIGURES; f++) {
    const char *name = emg_benchmark_figure_name((emg_benchmark_figure)f);
    EMG_TRY(emg_result_numbers(table, name, &figures[f], err));
  }
  EMG_TRY(emg_result_texts(table, "reason", sizeof results->cells->reason, &reason, err));
  for (int i = 0; i < results->n_cells; i++) {
    const emg_benchmark_cell *cell = &results->cells[i];
    set_labels(b, &l, i, cell->condition, cell->seed_value, cell->method);
    is_there[i] = cell->is_there;
    for (int f = 0; f < EMG_FIGURES; f++) {
      figures[f][i] = cell->figures[f];
    }
    memcpy(reason + (size_t)i * sizeof cell->reason, cell->reason, sizeof cell->reason);
  }
  return EMG_OK;
}

enum { UNIT_COLUMNS = 7 };

// What a unit's row holds beside its parameters.
static emg_status add_unit_columns(emg_result_table *table, double *columns[UNIT_COLUMNS],
                                   double *parameters[EMG_COMPARED_PARAMETERS][3], emg_error *err) {
  static const char *const heads[UNIT_COLUMNS] = {"unit",        "spikes",    "truth", "round",
                                                  "sensitivity", "precision", "roa"};
  static const char *const formats[3] = {"%s", "%s_sd", "true_%s"};
  char name[96];

  for (int i = 0; i < UNIT_COLUMNS; i++) {
    EMG_TRY(emg_result_numbers(table, heads[i], &columns[i], err));
  }
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    for (int i = 0; i < 3; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      snprintf(name, sizeof name, formats[i], emg_compared_name((emg_compared_parameter)p));
#pragma GCC diagnostic pop
      EMG_TRY(emg_result_numbers(table, name, &parameters[p][i], err));
    }
  }
  return EMG_OK;
}

static emg_status fill_units(book *b, emg_error *err) {
  const emg_benchmark_results *results = b->results;
  emg_result_table *table = &b->tables[UNITS];
  double *columns[UNIT_COLUMNS], *parameters[EMG_COMPARED_PARAMETERS][3];
  labels l;
  int row = 0;

  for (int i = 0; i < results->n_cells; i++) {
    table->n_rows += results->cells[i].n_units;
  }
  EMG_TRY(add_labels(b, table, true, &l, err));
  EMG_TRY(add_unit_columns(table, columns, parameters, err));
  for (int i = 0; i < results->n_cells; i++) {
    const emg_benchmark_cell *cell = &results->cells[i];
    for (int u = 0; u < cell->n_units; u++, row++) {
      const emg_benchmark_unit *unit = &cell->units[u];
      set_labels(b, &l, row, cell->condition, cell->seed_value, cell->method);
      const double values[UNIT_COLUMNS] = {u,
                                           unit->n_spikes,
                                           unit->truth >= 0 ? unit->truth : NAN,
                                           unit->round >= 0 ? unit->round : NAN,
                                           unit->sensitivity,
                                           unit->precision,
                                           unit->roa};
      for (int k = 0; k < UNIT_COLUMNS; k++) {
        columns[k][row] = values[k];
      }
      for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
        parameters[p][0][row] = unit->value[p];
        parameters[p][1][row] = unit->sd[p];
        parameters[p][2][row] = unit->true_value[p];
      }
    }
  }
  return EMG_OK;
}

static emg_status fill_summary(book *b, emg_error *err) {
  const emg_benchmark_summary *summary = &b->summary;
  emg_result_table *table = &b->tables[SUMMARY];
  const size_t width = sizeof summary->rows->figure;
  double *n, *value, *low, *high;
  char *figure;
  labels l;

  table->n_rows = summary->n_rows;
  EMG_TRY(add_labels(b, table, false, &l, err));
  EMG_TRY(emg_result_texts(table, "figure", width, &figure, err));
  EMG_TRY(emg_result_numbers(table, "repetitions", &n, err));
  EMG_TRY(emg_result_numbers(table, "value", &value, err));
  EMG_TRY(emg_result_numbers(table, "low", &low, err));
  EMG_TRY(emg_result_numbers(table, "high", &high, err));
  for (int i = 0; i < summary->n_rows; i++) {
    const emg_benchmark_row *row = &summary->rows[i];
    set_labels(b, &l, i, row->condition, 0, row->method);
    memcpy(figure + (size_t)i * width, row->figure, width);
    n[i] = row->estimate.n;
    value[i] = row->estimate.value;
    low[i] = row->estimate.low;
    high[i] = row->estimate.high;
  }
  return EMG_OK;
}

// Apart from the others, for times differ from run to run.
static emg_status fill_times(book *b, emg_error *err) {
  const emg_benchmark_results *results = b->results;
  emg_result_table *table = &b->tables[TIMES];
  double *cpu_s, *wall_s, *peak_mib;
  labels l;

  table->n_rows = results->n_cells;
  EMG_TRY(add_labels(b, table, true, &l, err));
  EMG_TRY(emg_result_numbers(table, "cpu_s", &cpu_s, err));
  EMG_TRY(emg_result_numbers(table, "wall_s", &wall_s, err));
  EMG_TRY(emg_result_numbers(table, "peak_mib", &peak_mib, err));
  for (int i = 0; i < results->n_cells; i++) {
    const emg_benchmark_cell *cell = &results->cells[i];
    set_labels(b, &l, i, cell->condition, cell->seed_value, cell->method);
    cpu_s[i] = cell->is_there ? cell->cpu_s : NAN;
    wall_s[i] = cell->is_there ? cell->wall_s : NAN;
    peak_mib[i] = cell->is_there ? cell->peak_mib : NAN;
  }
  return EMG_OK;
}

// --- files ---

static const char *const names[N_TABLES] = {"results", "units", "summary", "times"};

static emg_status write_csv(const emg_result_table *table, const char *directory, const char *name,
                            emg_error *err) {
  char path[EMG_BENCHMARK_PATH_MAX];
  emg_buffer text = {0};

  snprintf(path, sizeof path, "%s/%s.csv", directory, name);
  emg_result_csv(table, &text);
  emg_status status = emg_buffer_check(&text, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, text.bytes, text.n, true, err);
  }
  emg_buffer_free(&text);
  return status;
}

static emg_status write_provenance(const book *b, const emg_benchmark_options *options,
                                   emg_h5 *file, emg_error *err) {
  char *yaml;

  EMG_TRY(emg_config_write(b->plan->suite, false, NULL, &yaml, err));
  emg_status status = emg_h5_write_text(file, "provenance/config_yaml", yaml, err);
  free(yaml);
  EMG_TRY(status);
  if (options->command) {
    EMG_TRY(emg_h5_write_text(file, "provenance/command", options->command, err));
  }
  EMG_TRY(emg_h5_write_text(file, "provenance/version", emg_version(), err));
  EMG_TRY(emg_h5_write_text(file, "provenance/cpu", emg_cpu_name(), err));
  EMG_TRY(emg_h5_write_text(file, "provenance/blas", emg_blas_name(), err));
  return emg_h5_write_u64(file, "provenance/seed", b->plan->suite->simulation.seed, err);
}

static emg_status write_h5(const book *b, const emg_benchmark_options *options, emg_error *err) {
  char path[EMG_BENCHMARK_PATH_MAX];
  emg_h5 *file;
  emg_status status;

  snprintf(path, sizeof path, "%s/results.h5", options->directory);
  EMG_TRY(emg_h5_create(path, true, &file, err));
  for (int t = 0; t < N_TABLES; t++) {
    if (t != TIMES) {
      EMG_TRY_DONE(emg_result_h5(&b->tables[t], file, names[t], err));
    }
  }
  EMG_TRY_DONE(write_provenance(b, options, file, err));
  EMG_TRY_DONE(emg_h5_sync(file, err));
  EMG_TRY_DONE(emg_h5_set_i64(file, "", "complete", 1, err));
  status = emg_h5_publish(file, err);
done:
  emg_h5_close(file);
  return status;
}

emg_status emg_benchmark_tables(const emg_benchmark_plan *plan,
                                const emg_benchmark_results *results,
                                const emg_benchmark_options *options, emg_error *err) {
  book b = {.plan = plan, .results = results};
  emg_status status;

  EMG_TRY_DONE(emg_benchmark_summarise(plan, results, &b.summary, err));
  EMG_TRY_DONE(fill_results(&b, err));
  EMG_TRY_DONE(fill_units(&b, err));
  EMG_TRY_DONE(fill_summary(&b, err));
  EMG_TRY_DONE(fill_times(&b, err));
  for (int t = 0; t < N_TABLES; t++) {
    EMG_TRY_DONE(write_csv(&b.tables[t], options->directory, names[t], err));
  }
  status = write_h5(&b, options, err);

done:
  emg_benchmark_summary_free(&b.summary);
  for (int t = 0; t < N_TABLES; t++) {
    emg_result_table_free(&b.tables[t]);
  }
  return status;
}
