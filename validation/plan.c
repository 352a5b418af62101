// plan.c -- the section `benchmark` read: axes, cells, methods, and the configurations of each
#include "benchmark_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <emgtwin/array.h>

enum { VALUES_MAX = 32, ASSIGNMENTS_MAX = 24, CONDITIONS_MAX = 4096 };

// A part of a text, blanks at its ends left out.
typedef struct {
  const char *at;
  size_t length;
} span;

static span trimmed(const char *at, size_t length) {
  while (length > 0 && (at[0] == ' ' || at[0] == '\t')) {
    at++;
    length--;
  }
  while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) {
    length--;
  }
  return (span){at, length};
}

// The next part of `text` up to `separator`, not looking into brackets; false at the end.
static bool next_part(const char **text, char separator, span *out) {
  const char *at = *text;
  int depth = 0;

  if (!at) {
    return false;
  }
  for (; *at && (*at != separator || depth > 0); at++) {
    depth += *at == '[' ? 1 : *at == ']' ? -1 : 0;
  }
  *out = trimmed(*text, (size_t)(at - *text));
  *text = *at ? at + 1 : NULL;
  return true;
}

// The next word; false if there is none.
static bool next_word(const char **text, span *out) {
  *text += strspn(*text, " \t,");
  *out = (span){*text, strcspn(*text, " \t,")};
  *text += out->length;
  return out->length > 0;
}

static bool has_prefix(span text, const char *word) {
  size_t n = strlen(word);
  return text.length > n && strncmp(text.at, word, n) == 0 &&
         (text.at[n] == ' ' || text.at[n] == '\t');
}

// --- axes ---

typedef struct {
  const char *line;
  span key;
  int n_values;
  span values[VALUES_MAX];
} axis;

static emg_status read_axis(const char *line, axis *out, emg_error *err) {
  const char *equals = strchr(line, '='), *rest = equals ? equals + 1 : NULL;
  span value;

  *out = (axis){.line = line};
  if (!equals) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "benchmark.axes: %s is no axis; write section.key = value | value",
                    emg_quote(line).text);
  }
  out->key = trimmed(line, (size_t)(equals - line));
  while (next_part(&rest, '|', &value)) {
    if (out->n_values == VALUES_MAX) {
      return emg_fail(err, EMG_ERR_CONFIG, "benchmark.axes: %s has more than %d values",
                      emg_quote(line).text, VALUES_MAX);
    }
    if (value.length == 0) {
      return emg_fail(err, EMG_ERR_CONFIG, "benchmark.axes: %s has an empty value",
                      emg_quote(line).text);
    }
    out->values[out->n_values++] = value;
  }
  return EMG_OK;
}

static emg_status read_axes(emg_benchmark_plan *plan, axis axes[EMG_BENCHMARK_AXES_MAX],
                            emg_error *err) {
  const emg_texts *lines = &plan->suite->benchmark.axes;

  if (lines->n > EMG_BENCHMARK_AXES_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG, "benchmark.axes has %d lines; at most %d are taken",
                    lines->n, EMG_BENCHMARK_AXES_MAX);
  }
  for (int i = 0; i < lines->n; i++) {
    EMG_TRY(read_axis(lines->values[i], &axes[i], err));
    if (axes[i].key.length >= sizeof plan->axes[i]) {
      return emg_fail(err, EMG_ERR_CONFIG, "benchmark.axes: there is no key %s",
                      emg_quote(lines->values[i]).text);
    }
    memcpy(plan->axes[i], axes[i].key.at, axes[i].key.length);
    if (plan->is_smoke) {
      int most = i == 0 ? 2 : 1;
      axes[i].n_values = axes[i].n_values < most ? axes[i].n_values : most;
    }
  }
  plan->n_axes = lines->n;
  return EMG_OK;
}

// --- conditions ---

static emg_status add_condition(emg_benchmark_plan *plan, const char *base,
                                emg_benchmark_condition **out, emg_error *err) {
  if (plan->n_conditions == CONDITIONS_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG, "the grid has more than %d cells; shorten an axis",
                    CONDITIONS_MAX);
  }
  emg_benchmark_condition *grown =
      realloc(plan->conditions, (size_t)(plan->n_conditions + 1) * sizeof *grown);
  if (!grown) {
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory for the conditions of the suite");
  }
  plan->conditions = grown;
  *out = &grown[plan->n_conditions];
  memset(*out, 0, sizeof **out);
  plan->n_conditions++;
  snprintf((*out)->base, sizeof(*out)->base, "%s", base);
  return emg_alloc(ASSIGNMENTS_MAX, sizeof *(*out)->assignments, &(*out)->assignments, err);
}

static emg_status add_assignment(emg_benchmark_condition *condition, bool is_simulated,
                                 bool is_told, const char *text, size_t length, emg_error *err) {
  if (condition->n_assignments == ASSIGNMENTS_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG, "%s: more than %d assignments",
                    emg_quote(condition->name).text, ASSIGNMENTS_MAX);
  }
  emg_benchmark_assignment *a = &condition->assignments[condition->n_assignments++];
  a->is_simulated = is_simulated;
  a->is_told = is_told;
  snprintf(a->text, sizeof a->text, "%.*s", (int)length, text);
  return EMG_OK;
}

// One cell of the grid: number `cell`, the first axis slowest.
static emg_status add_grid_cell(emg_benchmark_plan *plan, const char *base, const axis *axes,
                                int cell, emg_error *err) {
  emg_benchmark_condition *condition;

  EMG_TRY(add_condition(plan, base, &condition, err));
  condition->is_of_grid = true;
  for (int i = plan->n_axes - 1, left = cell; i >= 0; i--) {
    const span value = axes[i].values[left % axes[i].n_values];
    char text[EMG_ENTRY_MAX];
    left /= axes[i].n_values;
    snprintf(text, sizeof text, "%s = %.*s", plan->axes[i], (int)value.length, value.at);
    EMG_TRY(add_assignment(condition, true, true, text, strlen(text), err));
  }
  return EMG_OK;
}

// "name: a.b = c, told d.e = f"
static emg_status add_cell(emg_benchmark_plan *plan, const char *base, const char *line,
                           emg_error *err) {
  const char *colon = strchr(line, ':'), *rest = colon ? colon + 1 : NULL;
  emg_benchmark_condition *condition;
  span part;

  span name = trimmed(line, colon ? (size_t)(colon - line) : 0);
  if (name.length == 0) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "benchmark.cells: %s has no name; write name: section.key = value, ...",
                    emg_quote(line).text);
  }
  EMG_TRY(add_condition(plan, base, &condition, err));
  snprintf(condition->name, sizeof condition->name, "%.*s", (int)name.length, name.at);
  while (next_part(&rest, ',', &part)) {
    bool is_simulated = has_prefix(part, "simulate"), is_told = has_prefix(part, "told");
    size_t skip = is_simulated ? strlen("simulate") : is_told ? strlen("told") : 0;
    part = trimmed(part.at + skip, part.length - skip);
    bool is_both = is_simulated == is_told || strncmp(part.at, "benchmark.", 10) == 0;
    if (part.length > 0) {
      EMG_TRY(add_assignment(condition, is_both || is_simulated, is_both || is_told, part.at,
                             part.length, err));
    }
  }
  return EMG_OK;
}

static emg_status add_conditions(emg_benchmark_plan *plan, const char *base, const axis *axes,
                                 emg_error *err) {
  const emg_texts *cells = &plan->suite->benchmark.cells;
  int n_grid = 1, n_cells = plan->is_smoke && cells->n > 2 ? 2 : cells->n;

  for (int i = 0; i < plan->n_axes; i++) {
    n_grid = n_grid > CONDITIONS_MAX ? n_grid : n_grid * axes[i].n_values;
  }
  // without axes the suite itself is the one condition, unless there are only others
  if (plan->n_axes > 0 || cells->n == 0) {
    for (int i = 0; i < n_grid; i++) {
      EMG_TRY(add_grid_cell(plan, base, axes, i, err));
    }
  }
  for (int i = 0; i < n_cells; i++) {
    EMG_TRY(add_cell(plan, base, cells->values[i], err));
  }
  return EMG_OK;
}

// --- configurations ---

// Small for --smoke, then the assignments: the first axis of a smoke test may still differ.
static emg_status assign(const emg_benchmark_plan *plan, const emg_benchmark_condition *condition,
                         bool is_told, emg_config *config, emg_error *err) {
  const emg_texts *smoke = &plan->suite->benchmark.smoke;

  for (int i = 0; plan->is_smoke && i < smoke->n; i++) {
    EMG_TRY(emg_config_set(config, smoke->values[i], err));
  }
  for (int i = 0; i < condition->n_assignments; i++) {
    const emg_benchmark_assignment *a = &condition->assignments[i];
    if (is_told ? a->is_told : a->is_simulated) {
      EMG_TRY(emg_config_set(config, a->text, err));
    }
  }
  return EMG_OK;
}

static emg_status configure(const emg_benchmark_plan *plan,
                            const emg_benchmark_condition *condition, bool is_told,
                            emg_config *config, emg_error *err) {
  *config = *plan->suite;
  if (condition->base[0]) {
    EMG_TRY(emg_config_preset(condition->base, config, err));
    config->decompose = plan->suite->decompose;
    config->score = plan->suite->score;
    config->invert = plan->suite->invert;
    config->benchmark = plan->suite->benchmark;
    config->simulation.seed = plan->suite->simulation.seed;
  }
  return assign(plan, condition, is_told, config, err);
}

emg_status emg_benchmark_configs(const emg_benchmark_plan *plan,
                                 const emg_benchmark_condition *condition, int seed,
                                 emg_config *simulated, emg_config *told, emg_error *err) {
  EMG_TRY(configure(plan, condition, false, simulated, err));
  EMG_TRY(configure(plan, condition, true, told, err));
  simulated->simulation.seed = told->simulation.seed = condition->first_seed + (uint64_t)seed;
  return EMG_OK;
}

// --- methods ---

static emg_status read_methods(const char *key, const char *text, int *n,
                               const emg_benchmark_method ***out, emg_error *err) {
  span word;

  *n = 0;
  // no more words than letters
  EMG_TRY(emg_alloc(strlen(text) + 1, sizeof **out, out, err));
  while (next_word(&text, &word)) {
    const emg_benchmark_method *method;
    if (emg_benchmark_find_method(word.at, word.length, &method, err) != EMG_OK) {
      char reason[400];
      snprintf(reason, sizeof reason, "%s", emg_error_message(err));
      return emg_fail(err, EMG_ERR_CONFIG, "%s: %s", key, reason);
    }
    for (int i = 0; i < *n; i++) {
      if ((*out)[i] == method) {
        return emg_fail(err, EMG_ERR_CONFIG, "%s names %s twice", key, method->name);
      }
    }
    (*out)[(*n)++] = method;
  }
  return EMG_OK;
}

// --- all together ---

// Name and columns of a condition, and the check that it can be run at all.
static emg_status complete(const emg_benchmark_plan *plan, emg_benchmark_condition *condition,
                           emg_config *simulated, emg_config *told, emg_error *err) {
  EMG_TRY(configure(plan, condition, false, simulated, err));
  EMG_TRY(configure(plan, condition, true, told, err));
  const struct emg_config_benchmark *b = &simulated->benchmark;
  condition->n_seeds = !condition->is_of_grid && b->cell_seeds > 0 ? b->cell_seeds : b->seeds;
  condition->n_seeds = plan->is_smoke ? 1 : condition->n_seeds;
  condition->first_seed = simulated->simulation.seed;
  if (condition->is_of_grid && plan->n_axes == 0) {
    snprintf(condition->name, sizeof condition->name, "as configured");
  }
  for (int i = 0; i < plan->n_axes; i++) {
    char *value, part[EMG_ENTRY_MAX];
    EMG_TRY(emg_config_get(simulated, plan->axes[i], &value, err));
    snprintf(part, sizeof part, "%s%s = %s", i ? ", " : "", plan->axes[i], value);
    snprintf(condition->values[i], sizeof condition->values[i], "%s", value);
    free(value);
    size_t at = strlen(condition->name), length = strlen(part);
    // a name too long for its place says less, and the columns of the axes say all
    if (condition->is_of_grid && at + length < sizeof condition->name) {
      memcpy(condition->name + at, part, length + 1);
    }
  }
  EMG_TRY(read_methods("benchmark.methods", b->methods, &condition->n_methods, &condition->methods,
                       err));
  if (condition->n_methods == 0) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "benchmark.methods is empty; 'emgtwin benchmark --list' names those there are");
  }
  EMG_TRY(emg_config_check(simulated, err));
  return emg_config_check(told, err);
}

static emg_status complete_all(emg_benchmark_plan *plan, emg_error *err) {
  emg_config *both;

  EMG_TRY(emg_alloc(2, sizeof *both, &both, err));
  emg_status status = EMG_OK;
  for (int i = 0; status == EMG_OK && i < plan->n_conditions; i++) {
    emg_benchmark_condition *condition = &plan->conditions[i];
    status = complete(plan, condition, &both[0], &both[1], err);
    if (status != EMG_OK) {
      char reason[300];
      snprintf(reason, sizeof reason, "%s", emg_error_message(err));
      emg_fail(
          err, EMG_ERR_CONFIG, "benchmark.%s: %s: %s", condition->is_of_grid ? "axes" : "cells",
          emg_quote(condition->is_of_grid ? condition->assignments[0].text : condition->name).text,
          reason);
    }
  }
  free(both);
  return status;
}

static emg_status add_bases(emg_benchmark_plan *plan, emg_error *err) {
  const char *text = plan->suite->benchmark.bases;
  axis axes[EMG_BENCHMARK_AXES_MAX];
  span word;
  bool has_base = false;

  EMG_TRY(read_axes(plan, axes, err));
  while (next_word(&text, &word)) {
    char base[sizeof plan->conditions->base];
    snprintf(base, sizeof base, "%.*s", (int)word.length, word.at);
    if (!emg_config_preset_doc(base)) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "benchmark.bases: there is no preset %s; 'emgtwin init --list' names them",
                      emg_quote(base).text);
    }
    EMG_TRY(add_conditions(plan, base, axes, err));
    has_base = true;
  }
  return has_base ? EMG_OK : add_conditions(plan, "", axes, err);
}

emg_status emg_benchmark_plan_create(const emg_config *suite, bool is_smoke,
                                     emg_benchmark_plan *out, emg_error *err) {
  emg_status status;

  *out = (emg_benchmark_plan){.is_smoke = is_smoke};
  EMG_TRY(emg_alloc(1, sizeof *out->suite, &out->suite, err));
  *out->suite = *suite;
  EMG_TRY_DONE(add_bases(out, err));
  EMG_TRY_DONE(complete_all(out, err));
  status = read_methods("benchmark.reference", suite->benchmark.reference, &out->n_references,
                        &out->references, err);
done:
  if (status != EMG_OK) {
    emg_benchmark_plan_free(out);
  }
  return status;
}

void emg_benchmark_plan_free(emg_benchmark_plan *plan) {
  for (int i = 0; i < plan->n_conditions; i++) {
    free(plan->conditions[i].assignments);
    free(plan->conditions[i].methods);
  }
  free(plan->conditions);
  free(plan->references);
  free(plan->suite);
  *plan = (emg_benchmark_plan){0};
}
