// benchmark.c -- a suite from its plan to its tables: the main path
#include "benchmark_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

void emg_benchmark_results_free(emg_benchmark_results *results) {
  for (int i = 0; i < results->n_cells; i++) {
    emg_benchmark_cell_free(&results->cells[i]);
  }
  free(results->cells);
  *results = (emg_benchmark_results){0};
}

// All cells as they are in the folder, those of this run included: what is reported is what is
// kept.
static emg_status gather(const emg_benchmark_tasks *tasks, const char *directory,
                         emg_benchmark_results *out, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)tasks->n_cells + 1, sizeof *out->cells, &out->cells, err));
  for (int i = 0; i < tasks->n_cells; i++) {
    const emg_benchmark_task *task = &tasks->tasks[tasks->task_of[i]];
    emg_benchmark_cell *cell = &out->cells[i];
    *cell = tasks->cells[i];
    out->n_cells++;
    if (!emg_benchmark_cell_read(emg_benchmark_cell_path(directory, &task->key).text, cell)) {
      for (int f = 0; f < EMG_FIGURES; f++) {
        cell->figures[f] = NAN;
      }
      snprintf(cell->reason, sizeof cell->reason, "%s",
               task->reason[0] ? task->reason : "its file cannot be read");
    }
    out->n_failed += !cell->is_there;
  }
  return EMG_OK;
}

// The bounds of a recording stand beside all of its methods.
static void share_bounds(const emg_benchmark_plan *plan, emg_benchmark_results *results) {
  static const emg_benchmark_figure shared[] = {EMG_FIGURE_ONE_PASS, EMG_FIGURE_GREEDY,
                                                EMG_FIGURE_ALONE, EMG_FIGURE_PREDICTED};

  for (int i = 0; i < results->n_cells; i++) {
    const emg_benchmark_cell *oracle = &results->cells[i];
    const emg_benchmark_condition *condition = &plan->conditions[oracle->condition];
    if (condition->methods[oracle->method]->kind != EMG_BENCHMARK_ORACLE) {
      continue;
    }
    for (int m = 0; m < condition->n_methods; m++) {
      emg_benchmark_cell *cell = &results->cells[i - oracle->method + m];
      for (size_t f = 0; f < sizeof shared / sizeof shared[0]; f++) {
        if (!condition->methods[m]->is_online) {
          cell->figures[shared[f]] = oracle->figures[shared[f]];
        }
      }
    }
  }
}

static int count_done(const emg_benchmark_tasks *tasks) {
  int n = 0;

  for (int i = 0; i < tasks->n_cells; i++) {
    n += tasks->tasks[tasks->task_of[i]].is_done;
  }
  return n;
}

emg_status emg_benchmark_look(const emg_benchmark_plan *plan, const char *directory, int *n_cells,
                              int *n_done, emg_error *err) {
  emg_benchmark_tasks tasks;

  emg_init();
  EMG_TRY(emg_benchmark_tasks_create(plan, directory, &tasks, err));
  *n_cells = tasks.n_cells;
  *n_done = count_done(&tasks);
  emg_benchmark_tasks_free(&tasks);
  return EMG_OK;
}

emg_status emg_benchmark_run(const emg_benchmark_plan *plan, const emg_benchmark_options *options,
                             const emg_monitor *monitor, emg_benchmark_results *out,
                             emg_error *err) {
  emg_benchmark_tasks tasks = {0};
  int lock = -1;
  emg_status status;

  emg_init();
  *out = (emg_benchmark_results){0};
  EMG_TRY(emg_benchmark_open_folder(plan, options, &lock, err));
  EMG_TRY_DONE(emg_benchmark_tasks_create(plan, options->directory, &tasks, err));
  int n_before = count_done(&tasks);
  EMG_TRY_DONE(emg_benchmark_work(plan, options, monitor, &tasks, err));
  EMG_TRY_DONE(gather(&tasks, options->directory, out, err));
  out->n_done_before = n_before;
  share_bounds(plan, out);
  status = emg_benchmark_tables(plan, out, options, err);

done:
  emg_benchmark_tasks_free(&tasks);
  emg_benchmark_close_folder(options->directory, lock);
  if (status != EMG_OK) {
    emg_benchmark_results_free(out);
  }
  return status;
}
