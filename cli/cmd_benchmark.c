// cmd_benchmark.c -- emgtwin benchmark: a grid of conditions, all methods, tables and a page
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/part_file.h"
#include "cli/commands.h"
#include "cli/suite.h"

static void print_methods(void) {
  int n;
  const emg_benchmark_method *methods = emg_benchmark_methods(&n);

  for (int i = 0; i < n; i++) {
    printf("%-17s %s\n", methods[i].name, methods[i].doc);
  }
}

// What would be run.
static emg_status print_plan(const cli_args *args, const emg_benchmark_plan *plan,
                             const char *directory, emg_error *err) {
  int n_cells, n_done;
  emg_json json = {0};

  EMG_TRY(emg_benchmark_look(plan, directory ? directory : "", &n_cells, &n_done, err));
  if (args->is_json) {
    emg_json_object(&json, NULL);
    emg_json_integer(&json, "conditions", plan->n_conditions);
    emg_json_integer(&json, "cells", n_cells);
    emg_json_integer(&json, "done", n_done);
    emg_json_end(&json);
    return cli_print_json(&json, err);
  }
  for (int c = 0; c < plan->n_conditions; c++) {
    const emg_benchmark_condition *condition = &plan->conditions[c];
    printf("%s%s%s: %d repetitions of", condition->base, condition->base[0] ? ", " : "",
           condition->name, condition->n_seeds);
    for (int m = 0; m < condition->n_methods; m++) {
      printf(" %s", condition->methods[m]->name);
    }
    putchar('\n');
  }
  printf("%d conditions, %d cells, %d of them done\n", plan->n_conditions, n_cells, n_done);
  return EMG_OK;
}

// "12 (10 to 15)"
static void print_estimate(const emg_benchmark_summary *summary, int condition, int method,
                           const char *figure, int width) {
  const emg_benchmark_estimate *e = emg_benchmark_find(summary, condition, method, figure);
  char text[64] = "-";

  if (e && e->n > 0) {
    snprintf(text, sizeof text, "%.3g (%.3g-%.3g)", e->value, e->low, e->high);
  }
  printf("  %*s", width, text);
}

static void print_summary(const emg_benchmark_plan *plan, const emg_benchmark_summary *summary) {
  enum { WIDTH = 18 };

  printf("%-17s  %*s  %*s  %*s  condition\n", "method", WIDTH, "strict", WIDTH, "lenient", WIDTH,
         "false");
  for (int c = 0; c < plan->n_conditions; c++) {
    const emg_benchmark_condition *condition = &plan->conditions[c];
    for (int m = 0; m < condition->n_methods; m++) {
      printf("%-17s", condition->methods[m]->name);
      print_estimate(summary, c, m, "strict", WIDTH);
      print_estimate(summary, c, m, "lenient", WIDTH);
      print_estimate(summary, c, m, "false", WIDTH);
      printf("  %s%s%s\n", condition->base, condition->base[0] ? ", " : "", condition->name);
    }
  }
}

static emg_status print_json(const emg_benchmark_plan *plan, const char *directory,
                             const emg_benchmark_results *results,
                             const emg_benchmark_summary *summary, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", directory);
  emg_json_integer(&json, "conditions", plan->n_conditions);
  emg_json_integer(&json, "cells", results->n_cells);
  emg_json_integer(&json, "done_before", results->n_done_before);
  emg_json_integer(&json, "failed", results->n_failed);
  emg_json_array(&json, "summary");
  for (int i = 0; i < summary->n_rows; i++) {
    const emg_benchmark_row *row = &summary->rows[i];
    const emg_benchmark_condition *condition = &plan->conditions[row->condition];
    emg_json_object(&json, NULL);
    emg_json_text(&json, "condition", condition->name);
    emg_json_text(&json, "base", condition->base);
    emg_json_text(&json, "method", condition->methods[row->method]->name);
    emg_json_text(&json, "figure", row->figure);
    emg_json_integer(&json, "repetitions", row->estimate.n);
    emg_json_number(&json, "value", row->estimate.value);
    emg_json_number(&json, "low", row->estimate.low);
    emg_json_number(&json, "high", row->estimate.high);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// --- running ---

typedef struct {
  emg_monitor shown;
} watcher;

static void on_log(emg_log_level level, const char *stage, const char *text, void *user) {
  const watcher *w = user;
  w->shown.log(level, stage, text, w->shown.user);
}

static bool on_progress(const char *stage, int64_t done, int64_t total, void *user) {
  const watcher *w = user;

  if (w->shown.progress) {
    w->shown.progress(stage, done, total, w->shown.user);
  }
  return cli_was_interrupted();
}

// Processes are ended before this one is, so a signal is remembered until then.
static emg_status run_suite(const cli_args *args, const emg_benchmark_plan *plan,
                            const char *directory, emg_benchmark_results *results, emg_error *err) {
  watcher w = {.shown = cli_monitor(args)};
  const emg_monitor monitor = {.log = on_log, .progress = on_progress, .user = &w};
  const emg_benchmark_options options = {.directory = directory,
                                         .n_workers = emg_get_threads(),
                                         .command = args->command_line,
                                         .overwrite = args->is_forced};

  cli_defer_signals(true);
  emg_status status = emg_benchmark_run(plan, &options, &monitor, results, err);
  cli_defer_signals(false);
  cli_progress_end();
  if (status == EMG_ERR_INTERRUPTED) {
    return emg_fail_at(err, EMG_ERR_INTERRUPTED, directory, 0, 0,
                       "interrupted; the same command goes on from here");
  }
  return status;
}

static emg_status write_page(const cli_args *args, const emg_benchmark_plan *plan,
                             const char *directory, const emg_benchmark_results *results,
                             const emg_benchmark_summary *summary, emg_error *err) {
  const suite_data data = {plan, results, summary, args->command_line};
  char path[PATH_MAX], *page = NULL;
  size_t n_bytes = 0;
  FILE *out = open_memstream(&page, &n_bytes);

  if (out) {
    suite_page(out, &data);
  }
  if (!out || fclose(out) != 0 || !page) {
    free(page);
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the page; free some memory");
  }
  snprintf(path, sizeof path, "%s/report.html", directory);
  emg_status status = emg_part_file_write(path, page, n_bytes, true, err);
  free(page);
  return status;
}

static emg_status report(const cli_args *args, const emg_benchmark_plan *plan,
                         const char *directory, const emg_benchmark_results *results,
                         emg_error *err) {
  emg_benchmark_summary summary;

  EMG_TRY(emg_benchmark_summarise(plan, results, &summary, err));
  emg_status status = write_page(args, plan, directory, results, &summary, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, directory);
  } else if (args->is_json) {
    status = print_json(plan, directory, results, &summary, err);
  } else {
    print_summary(plan, &summary);
    printf("%s: %d cells, %d done before, %d without a result\n", directory, results->n_cells,
           results->n_done_before, results->n_failed);
  }
  emg_benchmark_summary_free(&summary);
  return status;
}

static emg_status run_benchmark(const cli_args *args, emg_error *err) {
  const char *directory = cli_value(args, "output");
  static emg_config config;
  emg_benchmark_plan plan;
  emg_benchmark_results results = {0};
  emg_status status;

  if (cli_flag(args, "list")) {
    print_methods();
    return EMG_OK;
  }
  if (args->n_positionals == 0 || (!directory && !cli_flag(args, "dry-run"))) {
    return emg_fail(err, EMG_ERR_ARG, "a suite and -o DIR are needed; usage: emgtwin %s %s",
                    args->command->name, args->command->usage);
  }
  EMG_TRY(cli_load_config(args, args->positionals[0], &config, err));
  status = emg_benchmark_plan_create(&config, cli_flag(args, "smoke"), &plan, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, args->positionals[0]);
    return status;
  }
  if (cli_flag(args, "dry-run")) {
    status = print_plan(args, &plan, directory, err);
    goto done;
  }
  EMG_TRY_DONE(run_suite(args, &plan, directory, &results, err));
  status = report(args, &plan, directory, &results, err);

done:
  emg_benchmark_results_free(&results);
  emg_benchmark_plan_free(&plan);
  return status;
}

static const cli_row positionals[] = {
    {"SUITE", "a configuration with a section benchmark: a YAML file or a preset"}, {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "DIR", "folder for results; cells of earlier runs in it are taken over", false},
    {0, "smoke", NULL, "a few small conditions of the suite, to see that all of it runs", false},
    {0, "dry-run", NULL, "say what would be run, and run nothing", false},
    {0, "list", NULL, "the methods there are", false},
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin benchmark bmiss_short --dry-run", "What a suite comes to"},
    {"emgtwin benchmark bmiss_short --smoke -o smoke", "A minute of it"},
    {"emgtwin benchmark configs/bmiss_short.yaml -o short",
     "All of it; the same command again goes on where it was stopped"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, conditions, cells, done_before, failed", "the folder and how much was done"},
    {"summary[].condition, .base, .method, .figure", "what a figure is about"},
    {"summary[].repetitions, .value, .low, .high",
     "over so many repetitions; low and high: 90 % interval by bootstrap over them"},
    {"conditions, cells, done", "with --dry-run"},
    {NULL, NULL},
};

const cli_command cli_benchmark_command = {
    .name = "benchmark",
    .doc = "runs a grid of conditions, methods and repetitions, for one table and one page",
    .usage = "SUITE -o DIR [--smoke] [--dry-run]",
    .about =
        "Simulates every condition of a suite as often as it says, runs every method on each "
        "recording, scores against the truth and sums up (docs/benchmark.md). DIR receives "
        "report.html, results.csv (a row for each recording and method), units.csv (for each unit "
        "found), "
        "summary.csv (medians with intervals), times.csv, results.h5 and one small file for each "
        "cell that is done, so that an interrupted run goes on. --threads N works on N cells at a "
        "time, each on one thread; results do not depend on it. A method that fails is a row with "
        "its reason.",
    .positionals = positionals,
    .min_positionals = 0,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_benchmark,
};
