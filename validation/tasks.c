// tasks.c -- the cells of a suite, and what there is to do for them
#include "benchmark_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <emgtwin/array.h>

void emg_benchmark_tasks_free(emg_benchmark_tasks *tasks) {
  free(tasks->cells);
  free(tasks->task_of);
  free(tasks->tasks);
  free(tasks->recordings);
  *tasks = (emg_benchmark_tasks){0};
}

emg_status emg_benchmark_cell_configs(const emg_benchmark_plan *plan,
                                      const emg_benchmark_cell *cell, emg_config *simulated,
                                      emg_config *narrowed, emg_error *err) {
  const emg_benchmark_condition *condition = &plan->conditions[cell->condition];
  const emg_benchmark_method *method = condition->methods[cell->method];
  emg_config *told;

  EMG_TRY(emg_alloc(1, sizeof *told, &told, err));
  emg_status status = emg_benchmark_configs(plan, condition, cell->seed, simulated, told, err);
  if (status == EMG_OK) {
    emg_benchmark_lengthen(method, simulated);
    status = emg_benchmark_narrow(told, method, narrowed, err);
  }
  free(told);
  return status;
}

static emg_status list_cells(const emg_benchmark_plan *plan, emg_benchmark_tasks *out,
                             emg_error *err) {
  size_t n = 0;
  int at = 0;

  for (int c = 0; c < plan->n_conditions; c++) {
    n += (size_t)plan->conditions[c].n_seeds * (size_t)plan->conditions[c].n_methods;
  }
  if (n > 1000000) {
    return emg_fail(err, EMG_ERR_CONFIG, "the suite has %zu cells; at most a million are taken", n);
  }
  EMG_TRY(emg_alloc(n + 1, sizeof *out->cells, &out->cells, err));
  EMG_TRY(emg_alloc(n + 1, sizeof *out->task_of, &out->task_of, err));
  EMG_TRY(emg_alloc(n + 1, sizeof *out->tasks, &out->tasks, err));
  EMG_TRY(emg_alloc(n + 1, sizeof *out->recordings, &out->recordings, err));
  for (int c = 0; c < plan->n_conditions; c++) {
    const emg_benchmark_condition *condition = &plan->conditions[c];
    for (int s = 0; s < condition->n_seeds; s++) {
      for (int m = 0; m < condition->n_methods; m++) {
        out->cells[at++] = (emg_benchmark_cell){.condition = c,
                                                .seed = s,
                                                .method = m,
                                                .seed_value = condition->first_seed + (uint64_t)s};
      }
    }
  }
  out->n_cells = at;
  return EMG_OK;
}

// Number of the recording with this key, added if it is new.
static int recording_of(emg_benchmark_tasks *tasks, const emg_benchmark_key *key,
                        const emg_benchmark_cell *cell) {
  for (int i = tasks->n_recordings - 1; i >= 0; i--) {
    if (strcmp(tasks->recordings[i].key.text, key->text) == 0) {
      return i;
    }
  }
  tasks->recordings[tasks->n_recordings] = (emg_benchmark_recording){
      .key = *key, .condition = cell->condition, .seed = cell->seed, .method = cell->method};
  return tasks->n_recordings++;
}

static int task_of(emg_benchmark_tasks *tasks, const emg_benchmark_key *key, int cell,
                   int recording, const char *directory) {
  for (int i = tasks->n_tasks - 1; i >= 0; i--) {
    if (strcmp(tasks->tasks[i].key.text, key->text) == 0) {
      return i;
    }
  }
  emg_benchmark_task *task = &tasks->tasks[tasks->n_tasks];
  emg_benchmark_cell kept = {0};
  *task = (emg_benchmark_task){.key = *key, .cell = cell, .recording = recording};
  task->is_done = emg_benchmark_cell_read(emg_benchmark_cell_path(directory, key).text, &kept);
  emg_benchmark_cell_free(&kept);
  tasks->recordings[recording].n_left += !task->is_done;
  return tasks->n_tasks++;
}

emg_status emg_benchmark_tasks_create(const emg_benchmark_plan *plan, const char *directory,
                                      emg_benchmark_tasks *out, emg_error *err) {
  emg_benchmark_key program, recording, key;
  emg_config *configs = NULL;
  emg_status status;

  *out = (emg_benchmark_tasks){0};
  EMG_TRY_DONE(emg_benchmark_program(&program, err));
  EMG_TRY_DONE(emg_alloc(2, sizeof *configs, &configs, err));
  EMG_TRY_DONE(list_cells(plan, out, err));
  for (int i = 0; i < out->n_cells; i++) {
    const emg_benchmark_cell *cell = &out->cells[i];
    const emg_benchmark_method *method = plan->conditions[cell->condition].methods[cell->method];
    EMG_TRY_DONE(emg_benchmark_cell_configs(plan, cell, &configs[0], &configs[1], err));
    EMG_TRY_DONE(emg_benchmark_recording_key(&configs[0], &program, &recording, err));
    EMG_TRY_DONE(emg_benchmark_cell_key(&recording, &configs[1], method, &key, err));
    int r = recording_of(out, &recording, cell);
    out->task_of[i] = task_of(out, &key, i, r, directory);
  }

done:
  free(configs);
  if (status != EMG_OK) {
    emg_benchmark_tasks_free(out);
  }
  return status;
}
