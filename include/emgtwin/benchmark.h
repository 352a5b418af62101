// benchmark.h -- a grid of conditions, methods and repetitions: simulate, decompose, score, sum up
//
// A suite is a configuration with a section `benchmark`. Its conditions are the cells of a grid of
// assignments and others beside it; each says how recordings are made and what the methods are
// told of them. Every recording is simulated, decomposed by every method and scored; what comes
// out is kept cell by cell in a folder, so that a run that was stopped goes on where it was.
// docs/benchmark.md
#ifndef EMG_BENCHMARK_H
#define EMG_BENCHMARK_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- methods ---

typedef enum {
  EMG_BENCHMARK_DECOMPOSE,  // emg_decompose, or with `mode` one of its variants
  EMG_BENCHMARK_INVERT,     // emg_invert
  EMG_BENCHMARK_ORACLE,     // emg_ceiling, one pass
} emg_benchmark_kind;

// One row of the table of methods, so that adding one is one row.
typedef struct {
  const char *name, *doc;
  emg_benchmark_kind kind;
  const char *variant;  // name of the method of emg_decompose; mode of emg_invert
  const char *setting;  // an assignment on top of what the suite tells it; NULL: none
  bool is_online;       // filters learned on the recording, then used on what follows it
} emg_benchmark_method;
const emg_benchmark_method *emg_benchmark_methods(int *n);

// --- conditions ---

#define EMG_BENCHMARK_AXES_MAX 8
#define EMG_BENCHMARK_ROUNDS_MAX 10

// An assignment "section.key = value", for one of the two configurations of a condition or both.
typedef struct {
  bool is_simulated, is_told;
  char text[EMG_ENTRY_MAX];
} emg_benchmark_assignment;

typedef struct {
  char name[EMG_ENTRY_MAX];  // of a cell; of the grid: its assignments
  char base[48];             // preset it starts from, "" for the suite itself
  bool is_of_grid;
  char values[EMG_BENCHMARK_AXES_MAX][64];  // of the axes, in the units of the keys
  int n_seeds;
  uint64_t first_seed;
  int n_methods;
  const emg_benchmark_method **methods;
  int n_assignments;
  emg_benchmark_assignment *assignments;
} emg_benchmark_condition;

// What a suite comes to.
typedef struct {
  emg_config *suite;
  bool is_smoke;
  int n_axes;
  char axes[EMG_BENCHMARK_AXES_MAX][96];  // keys
  int n_conditions;
  emg_benchmark_condition *conditions;
  int n_references;
  const emg_benchmark_method **references;
} emg_benchmark_plan;

// Read the section `benchmark` and check every condition. `is_smoke`: the first two values of the
// first axis, the first of the others, the first two other cells, one repetition, made small by
// benchmark.smoke. EMG_ERR_CONFIG names the axis or the cell at fault.
emg_status emg_benchmark_plan_create(const emg_config *suite, bool is_smoke,
                                     emg_benchmark_plan *out, emg_error *err);
void emg_benchmark_plan_free(emg_benchmark_plan *plan);
// The two configurations of one repetition: how the recording is made, and what methods are told.
emg_status emg_benchmark_configs(const emg_benchmark_plan *plan,
                                 const emg_benchmark_condition *condition, int seed,
                                 emg_config *simulated, emg_config *told, emg_error *err);

// --- results ---

// Figures of one cell (a recording and a method) by name; NAN where there is none.
typedef enum {
#define EMG_BENCHMARK_FIGURES(ENTRY)                                                               \
  ENTRY(CHANNELS, "channels", "channels of the recording")                                         \
  ENTRY(ACTIVE, "active", "true units that discharge")                                             \
  ENTRY(UNITS, "units", "units reported")                                                          \
  ENTRY(STRICT, "strict", "true units found with a rate of agreement of 0.9 or more, one-to-one")  \
  ENTRY(R80, "r80", "the same, of 0.8 or more")                                                    \
  ENTRY(LENIENT, "lenient", "the same, of score.match_min or more")                                \
  ENTRY(RECALLED, "recalled",                                                                      \
        "true units that a reported one recalls more of than of any other, not one-to-one and "    \
        "however little")                                                                          \
  ENTRY(FALSE, "false", "units reported that match no true one")                                   \
  ENTRY(DOUBLE, "double", "units reported that repeat a matched one")                              \
  ENTRY(SENSITIVITY, "sensitivity", "median over matched units")                                   \
  ENTRY(PRECISION, "precision", "median over matched units")                                       \
  ENTRY(ROA, "roa", "median rate of agreement of matched units")                                   \
  ENTRY(CHANCE, "chance_roa", "mean rate of agreement of unrelated trains of these rates")         \
  ENTRY(ONE_PASS, "ceiling_one_pass",                                                              \
        "true units that filters of their action potentials tell at 0.9, once")                    \
  ENTRY(GREEDY, "ceiling_greedy", "the same, again and again without those told by then")          \
  ENTRY(ALONE, "ceiling_alone", "the same, each without any other unit")                           \
  ENTRY(PREDICTED, "predicted",                                                                    \
        "true units whose spikes are predicted to stand out enough (docs/benchmark.md)")           \
  ENTRY(COMPARED, "compared", "units whose parameters are compared")                               \
  ENTRY(DEPTH, "depth_error_mm", "median of |error| below the skin")                               \
  ENTRY(DEPTH_90, "depth_error_p90_mm", "90th percentile")                                         \
  ENTRY(ARC, "arc_error_mm", "median of |error| along the skin")                                   \
  ENTRY(ARC_90, "arc_error_p90_mm", "90th percentile")                                             \
  ENTRY(ZONE, "zone_error_mm", "median of |error| of the innervation zone")                        \
  ENTRY(ZONE_90, "zone_error_p90_mm", "90th percentile")                                           \
  ENTRY(CV, "cv_error_m_per_s", "median of |error| of the conduction velocity")                    \
  ENTRY(CV_90, "cv_error_p90_m_per_s", "90th percentile")                                          \
  ENTRY(HALF_1, "half_length_1_error_mm", "median of |error|")                                     \
  ENTRY(HALF_1_90, "half_length_1_error_p90_mm", "90th percentile")                                \
  ENTRY(HALF_2, "half_length_2_error_mm", "median of |error|")                                     \
  ENTRY(HALF_2_90, "half_length_2_error_p90_mm", "90th percentile")                                \
  ENTRY(TERRITORY, "territory_radius_error_mm", "median of |error|")                               \
  ENTRY(TERRITORY_90, "territory_radius_error_p90_mm", "90th percentile")                          \
  ENTRY(FIBRES, "fibre_count_ratio", "median of estimated over true number of fibres")             \
  ENTRY(RANK, "size_rank", "Spearman correlation of estimated and true numbers of fibres")         \
  ENTRY(COVERAGE, "coverage", "part of all intervals of 90 % that hold the truth")                 \
  ENTRY(CUBE, "cube_mse",                                                                          \
        "mean square error of depth, arc, zone, velocity, length and number of fibres, each as a " \
        "part of its range")                                                                       \
  ENTRY(FAT, "fat_thickness_mm", "thickness of the fat as assumed or estimated")                   \
  ENTRY(ROTATION, "grid_rotation_deg", "rotation of the grid as assumed or estimated")
#define ENTRY(id, name, doc) EMG_FIGURE_##id,
  EMG_BENCHMARK_FIGURES(ENTRY)
#undef ENTRY
      EMG_FIGURES
} emg_benchmark_figure;
const char *emg_benchmark_figure_name(emg_benchmark_figure figure);
const char *emg_benchmark_figure_doc(emg_benchmark_figure figure);

// Parameters that are compared, of emg_inversion_parameter: place along the skin in place of the
// angle.
typedef enum {
  EMG_COMPARED_DEPTH,
  EMG_COMPARED_ARC,
  EMG_COMPARED_ZONE,
  EMG_COMPARED_CV,
  EMG_COMPARED_HALF_LENGTH_1,
  EMG_COMPARED_HALF_LENGTH_2,
  EMG_COMPARED_TERRITORY,
  EMG_COMPARED_FIBRE_COUNT,
  EMG_COMPARED_PARAMETERS
} emg_compared_parameter;
const char *emg_compared_name(emg_compared_parameter parameter);  // "depth_mm"
const char *emg_compared_unit(emg_compared_parameter parameter);  // "mm"

// A unit that a method reported; NAN where nothing is known.
typedef struct {
  int truth;  // true unit it is matched to, -1 if none
  int round;  // the search, from 0, that found it; -1 if that is not known
  int n_spikes;
  double roa, sensitivity, precision;
  double value[EMG_COMPARED_PARAMETERS], sd[EMG_COMPARED_PARAMETERS];
  double true_value[EMG_COMPARED_PARAMETERS];  // of the unit it is matched to
} emg_benchmark_unit;

typedef struct {
  int condition, seed, method;  // indices: of the plan, of the repetition, of the condition
  uint64_t seed_value;
  bool is_there;     // false: not run, or ended without a result
  char reason[480];  // why there are no figures; "" if there are
  double figures[EMG_FIGURES];
  int n_units;
  emg_benchmark_unit *units;
  double cpu_s, wall_s, peak_mib;  // of the method alone, on one thread
} emg_benchmark_cell;

typedef struct {
  int n_cells;
  emg_benchmark_cell *cells;  // by condition, seed, method
  int n_done_before;          // found in the folder
  int n_failed;               // with a reason
} emg_benchmark_results;
void emg_benchmark_results_free(emg_benchmark_results *results);

typedef struct {
  const char *directory;  // made if it is not there; cells of earlier runs are taken over
  int n_workers;          // processes at a time, each with one thread
  const char *command;    // for the provenance; may be NULL
  bool overwrite;         // also if the folder holds the results of another suite
} emg_benchmark_options;

// Run what is not in the folder yet, then write results.csv, units.csv, summary.csv, times.csv and
// results.h5 into it. Results do not depend on the number of workers, nor on whether a run was
// interrupted: then EMG_ERR_INTERRUPTED is returned, and a later call goes on. A method that fails
// leaves a cell with its reason; a process that dies leaves one, too, but is tried again by the
// next call. Starts processes: call from the only thread. EMG_ERR_IO: the folder cannot be made or
// written, or is not ours.
emg_status emg_benchmark_run(const emg_benchmark_plan *plan, const emg_benchmark_options *options,
                             const emg_monitor *monitor, emg_benchmark_results *out,
                             emg_error *err);
// How many cells there are and how many of them are in the folder; nothing is run.
emg_status emg_benchmark_look(const emg_benchmark_plan *plan, const char *directory, int *n_cells,
                              int *n_done, emg_error *err);

// --- medians over repetitions ---

typedef struct {
  int n;                    // repetitions with a value
  double value, low, high;  // and the interval of 90 % by bootstrap over repetitions; NAN if n is 0
} emg_benchmark_estimate;

// One row of the summary: a condition, a method, a figure.
typedef struct {
  int condition, method;
  char figure[64];
  emg_benchmark_estimate estimate;
} emg_benchmark_row;

typedef struct {
  int n_rows;
  emg_benchmark_row *rows;
} emg_benchmark_summary;

// Counts and scores: medians over repetitions. Errors and coverage of parameters, false units per
// unit reported: over the units of all repetitions. "strict_ratio_<reference>": sum of strict over
// that of the reference method in the same recordings. "strict_round_<k>", "lenient_round_<k>":
// those found by the first k searches, up to EMG_BENCHMARK_ROUNDS_MAX.
emg_status emg_benchmark_summarise(const emg_benchmark_plan *plan,
                                   const emg_benchmark_results *results, emg_benchmark_summary *out,
                                   emg_error *err);
void emg_benchmark_summary_free(emg_benchmark_summary *summary);
// NULL if there is no such row.
const emg_benchmark_estimate *emg_benchmark_find(const emg_benchmark_summary *summary,
                                                 int condition, int method, const char *figure);

#ifdef __cplusplus
}
#endif
#endif
