// benchmark_priv.h -- what the files of the benchmark share (private to validation)
#ifndef EMG_VALIDATION_BENCHMARK_PRIV_H
#define EMG_VALIDATION_BENCHMARK_PRIV_H

#include <emgtwin/benchmark.h>

// Room for a path in the folder of results.
enum { EMG_BENCHMARK_PATH_MAX = 4096 };

// Row of the table of methods; EMG_ERR_CONFIG names those there are.
emg_status emg_benchmark_find_method(const char *name, size_t length,
                                     const emg_benchmark_method **out, emg_error *err);

// --- keys.c: what determines a result ---

typedef struct {
  char text[65];
} emg_benchmark_key;

// Of the program that runs: SHA-256 of its library, and the processor.
emg_status emg_benchmark_program(emg_benchmark_key *out, emg_error *err);
// The recording of a condition as this method needs it: for an online one it goes on.
void emg_benchmark_lengthen(const emg_benchmark_method *method, emg_config *simulated);
// What of `told` the method looks at, with what the method sets itself; all else is the default.
emg_status emg_benchmark_narrow(const emg_config *told, const emg_benchmark_method *method,
                                emg_config *out, emg_error *err);
// Of a recording made by `simulated`.
emg_status emg_benchmark_recording_key(const emg_config *simulated,
                                       const emg_benchmark_key *program, emg_benchmark_key *out,
                                       emg_error *err);
// Of a result; `narrowed` as above.
emg_status emg_benchmark_cell_key(const emg_benchmark_key *recording, const emg_config *narrowed,
                                  const emg_benchmark_method *method, emg_benchmark_key *out,
                                  emg_error *err);

// --- cell.c: one recording and one method ---

// Decompose and score. A method that fails is a result as well: its reason is in the cell. Only
// interruption, lack of memory and a recording that cannot be read are errors.
emg_status emg_benchmark_run_cell(const char *recording, const emg_config *simulated,
                                  const emg_config *narrowed, const emg_benchmark_method *method,
                                  emg_benchmark_cell *out, emg_error *err);
void emg_benchmark_cell_free(emg_benchmark_cell *cell);

// --- parameters.c ---

// Values of the reported units of `cell`, if there are any (`found` may be NULL), beside those of
// the true ones they are matched to, and the figures of their errors.
emg_status emg_benchmark_compare(const emg_config *simulated, const emg_config *told,
                                 const emg_truth *truth, const emg_inversion *found,
                                 emg_benchmark_cell *cell, emg_error *err);
// Estimated minus true.
double emg_benchmark_error_of(const emg_benchmark_unit *unit, emg_compared_parameter parameter);
// Figures of |error|: the median; the one after it in the list is the 90th percentile. False for
// parameters without, which is the number of fibres.
bool emg_benchmark_error_figure(emg_compared_parameter parameter, emg_benchmark_figure *median);
// Whether the interval of 90 % holds the truth; `is_known` false if there is none.
bool emg_benchmark_is_covered(const emg_benchmark_unit *unit, emg_compared_parameter parameter,
                              bool *is_known);

// --- cell_file.c: cells on disk ---

emg_status emg_benchmark_cell_write(const char *path, const emg_benchmark_cell *cell,
                                    emg_error *err);
// False if there is no such file, or one that is damaged.
bool emg_benchmark_cell_read(const char *path, emg_benchmark_cell *cell);

// --- folder.c: the folder of results ---

typedef struct {
  char text[EMG_BENCHMARK_PATH_MAX];
} emg_benchmark_path;

emg_benchmark_path emg_benchmark_cell_path(const char *directory, const emg_benchmark_key *key);
emg_benchmark_path emg_benchmark_recording_path(const char *directory,
                                                const emg_benchmark_key *key);
// Make the folder, or take over one that holds this suite, and keep others out of it: *lock is a
// descriptor that emg_benchmark_close_folder takes.
emg_status emg_benchmark_open_folder(const emg_benchmark_plan *plan,
                                     const emg_benchmark_options *options, int *lock,
                                     emg_error *err);
void emg_benchmark_close_folder(const char *directory, int lock);

// --- tasks.c: what there is to do ---

typedef struct {
  emg_benchmark_key key;
  int condition, seed, method;  // whose configuration makes it
  int n_left;                   // tasks that still need it
} emg_benchmark_recording;

// Cells that hang on the same things are one task.
typedef struct {
  emg_benchmark_key key;
  int cell, recording;
  bool is_done;
  char reason[480];  // why it ended without a result that is kept
} emg_benchmark_task;

typedef struct {
  int n_cells, n_tasks, n_recordings;
  emg_benchmark_cell *cells;  // indices and seed only
  int *task_of;               // [n_cells]
  emg_benchmark_task *tasks;
  emg_benchmark_recording *recordings;
} emg_benchmark_tasks;

emg_status emg_benchmark_tasks_create(const emg_benchmark_plan *plan, const char *directory,
                                      emg_benchmark_tasks *out, emg_error *err);
void emg_benchmark_tasks_free(emg_benchmark_tasks *tasks);
// Configurations of a cell: of its recording, and of its method.
emg_status emg_benchmark_cell_configs(const emg_benchmark_plan *plan,
                                      const emg_benchmark_cell *cell, emg_config *simulated,
                                      emg_config *narrowed, emg_error *err);

// --- workers.c: processes ---

// Do all tasks that are not done.
emg_status emg_benchmark_work(const emg_benchmark_plan *plan, const emg_benchmark_options *options,
                              const emg_monitor *monitor, emg_benchmark_tasks *tasks,
                              emg_error *err);

// --- statistics.c ---

// Of n values, which are sorted; NAN if n is 0. `part` 0.5 is the median.
double emg_benchmark_quantile(double *values, int n, double part);
// A statistic of the repetitions `which`.
typedef double (*emg_benchmark_statistic)(const int *which, int n, void *user);
// The statistic of all n repetitions and, from resamplings with replacement, its interval of 90 %.
// Resampling i draws from its own stream, so that intervals do not hang on each other.
emg_status emg_benchmark_bootstrap(int n, int n_resamplings, uint64_t seed, uint32_t entity,
                                   emg_benchmark_statistic statistic, void *user,
                                   emg_benchmark_estimate *out, emg_error *err);

// --- tables.c ---

// All tables of a folder.
emg_status emg_benchmark_tables(const emg_benchmark_plan *plan,
                                const emg_benchmark_results *results,
                                const emg_benchmark_options *options, emg_error *err);

#endif
