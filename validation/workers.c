// workers.c -- one process for each recording that is made and for each method that is run on it
//
// Processes, not threads: what a method takes of processor and memory is then known, one that dies
// takes nothing with it, and results cannot hang on what runs beside them.
#include "benchmark_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>
#include <emgtwin/simulate.h>

typedef enum { NOT_MADE, BEING_MADE, MADE, GONE } recording_state;

typedef struct {
  pid_t pid;      // 0: idle
  int pipe;       // what it has to say of a failure
  int recording;  // being made, or -1
  int task;       // being done, or -1
} worker;

typedef struct {
  const emg_benchmark_plan *plan;
  const emg_benchmark_options *options;
  const emg_monitor *monitor;
  emg_benchmark_tasks *tasks;
  recording_state *states;
  bool *is_started;  // [task]
  int n_workers;
  worker *workers;
  int n_todo, n_done;
} crew;

// --- in the process ---

static emg_status make_recording(const crew *c, int recording, emg_error *err) {
  const emg_benchmark_recording *r = &c->tasks->recordings[recording];
  const emg_benchmark_cell cell = {.condition = r->condition, .seed = r->seed, .method = r->method};
  emg_simulation_summary summary;
  emg_config *configs;

  EMG_TRY(emg_alloc(2, sizeof *configs, &configs, err));
  emg_status status = emg_benchmark_cell_configs(c->plan, &cell, &configs[0], &configs[1], err);
  if (status == EMG_OK) {
    emg_benchmark_path path = emg_benchmark_recording_path(c->options->directory, &r->key);
    status = emg_simulate_to_file(&configs[0], NULL, path.text, NULL, true, &summary, err);
  }
  free(configs);
  return status;
}

static emg_status do_task(const crew *c, int task, emg_error *err) {
  const emg_benchmark_task *t = &c->tasks->tasks[task];
  const char *directory = c->options->directory;
  emg_benchmark_cell cell = c->tasks->cells[t->cell];
  const emg_benchmark_method *method = c->plan->conditions[cell.condition].methods[cell.method];
  emg_benchmark_path recording =
      emg_benchmark_recording_path(directory, &c->tasks->recordings[t->recording].key);
  emg_config *configs;
  emg_status status;

  EMG_TRY(emg_alloc(2, sizeof *configs, &configs, err));
  EMG_TRY_DONE(emg_benchmark_cell_configs(c->plan, &cell, &configs[0], &configs[1], err));
  EMG_TRY_DONE(
      emg_benchmark_run_cell(recording.text, &configs[0], &configs[1], method, &cell, err));
  status = emg_benchmark_cell_write(emg_benchmark_cell_path(directory, &t->key).text, &cell, err);
done:
  emg_benchmark_cell_free(&cell);
  free(configs);
  return status;
}

// What it says of a failure fits into the pipe, so nobody has to read it meanwhile.
static void live(const crew *c, const worker *w, pid_t parent, int out) {
  emg_error err = {0};

  // the terminal's interrupt is for the parent, which ends its processes
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(EMG_ERR_INTERRUPTED);
  }
  emg_set_threads(1);
  emg_status status =
      w->task >= 0 ? do_task(c, w->task, &err) : make_recording(c, w->recording, &err);
  const char *text = status == EMG_OK ? "" : emg_error_message(&err);
  size_t left = strlen(text);
  for (ssize_t n; left > 0 && (n = write(out, text, left)) > 0; left -= (size_t)n) {
    text += n;
  }
  _exit((int)status);
}

// --- beside it ---

static emg_status start(crew *c, worker *w, int recording, int task, emg_error *err) {
  pid_t parent = getpid();
  int ends[2];

  if (pipe(ends) != 0) {
    return emg_fail(err, EMG_ERR_IO, "no process can be started: %s", strerror(errno));
  }
  *w = (worker){.pipe = ends[0], .recording = recording, .task = task};
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    live(c, w, parent, ends[1]);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return emg_fail(err, EMG_ERR_MEMORY, "no process can be started: %s", strerror(errno));
  }
  w->pid = pid;
  return EMG_OK;
}

static void remove_recording(crew *c, int recording) {
  const emg_benchmark_key *key = &c->tasks->recordings[recording].key;

  unlink(emg_benchmark_recording_path(c->options->directory, key).text);
  c->states[recording] = GONE;
}

// A task is over, with or without a result.
static void end_task(crew *c, int task) {
  emg_benchmark_task *t = &c->tasks->tasks[task];
  emg_benchmark_recording *r = &c->tasks->recordings[t->recording];

  c->n_done++;
  r->n_left--;
  if (r->n_left == 0) {
    remove_recording(c, t->recording);
  }
}

// What a recording could not be made for, in place of the results of its methods.
static emg_status fail_recording(crew *c, int recording, emg_status why, const char *reason,
                                 emg_error *err) {
  bool is_kept = why == EMG_ERR_CONFIG || why == EMG_ERR_DATA || why == EMG_ERR_ARG;

  for (int i = 0; i < c->tasks->n_tasks; i++) {
    emg_benchmark_task *task = &c->tasks->tasks[i];
    emg_benchmark_cell cell = {0};
    if (task->recording != recording || task->is_done) {
      continue;
    }
    snprintf(cell.reason, sizeof cell.reason, "the recording cannot be made: %.400s", reason);
    memcpy(task->reason, cell.reason, sizeof task->reason);
    for (int f = 0; f < EMG_FIGURES; f++) {
      cell.figures[f] = 0.0 / 0.0;
    }
    if (is_kept) {
      emg_benchmark_path path = emg_benchmark_cell_path(c->options->directory, &task->key);
      EMG_TRY(emg_benchmark_cell_write(path.text, &cell, err));
    }
    c->is_started[i] = true;
    end_task(c, i);
  }
  return EMG_OK;
}

static emg_status take_result(crew *c, worker *w, int ended, emg_error *err) {
  emg_status status = WIFEXITED(ended) ? (emg_status)WEXITSTATUS(ended) : EMG_ERR_INTERNAL;
  char reason[480] = "";
  ssize_t n = read(w->pipe, reason, sizeof reason - 1);

  reason[n > 0 ? n : 0] = '\0';
  if (WIFSIGNALED(ended)) {
    snprintf(reason, sizeof reason, "the process was ended by signal %d (%s)", WTERMSIG(ended),
             strsignal(WTERMSIG(ended)));
  }
  close(w->pipe);
  w->pid = 0;
  if (status == EMG_ERR_IO) {
    return emg_fail(err, EMG_ERR_IO, "%s", reason);
  }
  if (w->task < 0) {
    c->states[w->recording] = MADE;
    return status == EMG_OK ? EMG_OK : fail_recording(c, w->recording, status, reason, err);
  }
  emg_benchmark_task *task = &c->tasks->tasks[w->task];
  const emg_benchmark_cell *cell = &c->tasks->cells[task->cell];
  const emg_benchmark_condition *condition = &c->plan->conditions[cell->condition];
  memcpy(task->reason, reason, sizeof task->reason);
  task->is_done = status == EMG_OK;
  end_task(c, w->task);
  emg_log(c->monitor, EMG_LOG_INFO, "cell", "%s, seed %llu, %s: %s", condition->name,
          (unsigned long long)cell->seed_value, condition->methods[cell->method]->name,
          status == EMG_OK ? "done" : reason);
  return EMG_OK;
}

// The first task whose recording is there, else the first recording that tasks wait for, while
// there is room for one: a recording a process and one in reserve.
static bool choose(const crew *c, int *recording, int *task) {
  int n_held = 0, next = -1;

  for (int i = 0; i < c->tasks->n_recordings; i++) {
    n_held += c->states[i] == BEING_MADE || c->states[i] == MADE;
    if (next < 0 && c->states[i] == NOT_MADE && c->tasks->recordings[i].n_left > 0) {
      next = i;
    }
  }
  for (int i = 0; i < c->tasks->n_tasks; i++) {
    const emg_benchmark_task *t = &c->tasks->tasks[i];
    if (!t->is_done && !c->is_started[i] && c->states[t->recording] == MADE) {
      *task = i;
      *recording = -1;
      return true;
    }
  }
  *task = -1;
  *recording = next;
  return next >= 0 && n_held <= c->n_workers;
}

static emg_status fill(crew *c, emg_error *err) {
  int recording, task;

  for (int i = 0; i < c->n_workers; i++) {
    if (c->workers[i].pid == 0 && choose(c, &recording, &task)) {
      EMG_TRY(start(c, &c->workers[i], recording, task, err));
      if (task >= 0) {
        c->is_started[task] = true;
      } else {
        c->states[recording] = BEING_MADE;
      }
    }
  }
  return EMG_OK;
}

static emg_status collect(crew *c, emg_error *err) {
  const struct timespec pause = {.tv_nsec = 10000000};
  bool has_ended = false;

  for (int i = 0; i < c->n_workers; i++) {
    worker *w = &c->workers[i];
    int ended;
    if (w->pid > 0 && waitpid(w->pid, &ended, WNOHANG) == w->pid) {
      has_ended = true;
      EMG_TRY(take_result(c, w, ended, err));
    }
  }
  if (!has_ended) {
    nanosleep(&pause, NULL);
  }
  return EMG_OK;
}

// End what runs and remove what it was writing.
static void stop(crew *c) {
  for (int i = 0; i < c->n_workers; i++) {
    worker *w = &c->workers[i];
    char part[EMG_BENCHMARK_PATH_MAX + 32];
    if (w->pid == 0) {
      continue;
    }
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    close(w->pipe);
    emg_benchmark_path path =
        w->task >= 0 ? emg_benchmark_cell_path(c->options->directory, &c->tasks->tasks[w->task].key)
                     : emg_benchmark_recording_path(c->options->directory,
                                                    &c->tasks->recordings[w->recording].key);
    snprintf(part, sizeof part, "%s.part.%ld", path.text, (long)w->pid);
    unlink(part);
  }
}

static void look_for_recordings(crew *c) {
  for (int i = 0; i < c->tasks->n_recordings; i++) {
    const emg_benchmark_recording *r = &c->tasks->recordings[i];
    emg_benchmark_path path = emg_benchmark_recording_path(c->options->directory, &r->key);
    c->states[i] = access(path.text, R_OK) != 0 ? NOT_MADE : MADE;
    if (r->n_left == 0) {
      remove_recording(c, i);
    }
  }
}

emg_status emg_benchmark_work(const emg_benchmark_plan *plan, const emg_benchmark_options *options,
                              const emg_monitor *monitor, emg_benchmark_tasks *tasks,
                              emg_error *err) {
  crew c = {.plan = plan,
            .options = options,
            .monitor = monitor,
            .tasks = tasks,
            .n_workers = options->n_workers > 0 ? options->n_workers : 1};
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)tasks->n_recordings + 1, sizeof *c.states, &c.states, err));
  EMG_TRY_DONE(emg_alloc((size_t)tasks->n_tasks + 1, sizeof *c.is_started, &c.is_started, err));
  EMG_TRY_DONE(emg_alloc((size_t)c.n_workers, sizeof *c.workers, &c.workers, err));
  look_for_recordings(&c);
  for (int i = 0; i < tasks->n_tasks; i++) {
    c.n_todo += !tasks->tasks[i].is_done;
  }
  while (c.n_done < c.n_todo) {
    EMG_TRY_DONE(fill(&c, err));
    EMG_TRY_DONE(collect(&c, err));
    EMG_TRY_DONE(emg_progress(monitor, "cells", c.n_done, c.n_todo, err));
  }

done:
  if (c.workers) {
    stop(&c);
  }
  free(c.states);
  free(c.is_started);
  free(c.workers);
  return status;
}
