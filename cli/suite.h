// suite.h -- the page of a suite (private to cli)
#ifndef EMG_CLI_SUITE_H
#define EMG_CLI_SUITE_H

#include <stdio.h>

#include "cli/cli.h"

// What a page is about.
typedef struct {
  const emg_benchmark_plan *plan;
  const emg_benchmark_results *results;
  const emg_benchmark_summary *summary;
  const char *command;
} suite_data;

// The whole page.
void suite_page(FILE *out, const suite_data *data);

// --- figures_suite.c ---

// Colour of a method, the same in all figures; dashed where there are more methods than colours.
const char *suite_colour(const emg_benchmark_method *method, bool *is_dashed);
// A line that says which colour is which method.
void suite_keys(FILE *out, const emg_benchmark_condition *condition, bool with_ceilings);
// Whether the first axis has at least two values to draw against.
bool suite_has_curves(const suite_data *data);
// One panel for each combination of the other axes: a figure of the summary against the first axis,
// medians with intervals; `with_ceilings` adds the greedy bound. With figure NULL: CPU seconds.
void suite_curves(FILE *out, const suite_data *data, const char *figure, const char *title,
                  bool with_ceilings);
// True units against the searches of a method, a panel for each condition of the grid; false if no
// method of the grid says which search found a unit.
bool suite_has_rounds(const suite_data *data);
void suite_rounds(FILE *out, const suite_data *data);
// Estimated against true values of a parameter over all units compared in the grid.
void suite_scatter(FILE *out, const suite_data *data, emg_compared_parameter parameter);
// Median CPU seconds and peak memory of a condition and method, NAN if there is no result.
double suite_cpu_s(const suite_data *data, int condition, int method, double *peak_mib);

#endif
