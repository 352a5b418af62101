// suite_page.c -- the page of a suite: its question, curves, tables, what failed, how it was made
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/page.h"
#include "cli/suite.h"

static void write_tile(FILE *out, const char *label, double value, const char *unit) {
  fprintf(out, "<div class=\"tile\"><b>%.4g%s</b><span>%s</span></div>\n", value, unit, label);
}

static void write_tiles(FILE *out, const suite_data *data) {
  const emg_benchmark_results *results = data->results;
  double cpu_s = 0;

  for (int i = 0; i < results->n_cells; i++) {
    cpu_s += results->cells[i].is_there ? results->cells[i].cpu_s : 0;
  }
  fputs("<div class=\"tiles\">\n", out);
  write_tile(out, "conditions", data->plan->n_conditions, "");
  write_tile(out, "recordings times methods", results->n_cells, "");
  write_tile(out, "without a result", results->n_failed, "");
  write_tile(out, "of processor time, simulation aside", cpu_s / 60, " min");
  fputs("</div>\n", out);
}

// "12 (10 to 15)" in a cell of a table; "-" where there is nothing.
static void write_estimate(FILE *out, const suite_data *data, int condition, int method,
                           const char *figure, bool has_interval) {
  const emg_benchmark_estimate *e = emg_benchmark_find(data->summary, condition, method, figure);

  if (!e || e->n == 0 || !isfinite(e->value)) {
    fputs("<td class=\"soft\">-</td>", out);
  } else if (has_interval) {
    fprintf(out, "<td>%.3g <span class=\"soft\">(%.3g&ndash;%.3g)</span></td>", e->value, e->low,
            e->high);
  } else {
    fprintf(out, "<td>%.3g</td>", e->value);
  }
}

// Of `n_rows` rows.
static void write_condition(FILE *out, const emg_benchmark_condition *condition, int n_rows) {
  fprintf(out,
          "<td rowspan=\"%d\" style=\"white-space:normal;min-width:200px;vertical-align:top\">",
          n_rows);
  page_text(out, condition->base);
  fputs(condition->base[0] ? ", " : "", out);
  page_text(out, condition->name);
  fputs("</td>", out);
}

// --- yields ---

static void write_yield_row(FILE *out, const suite_data *data, int c, int m) {
  const emg_benchmark_condition *condition = &data->plan->conditions[c];
  double peak_mib, cpu_s = suite_cpu_s(data, c, m, &peak_mib);
  char name[64];

  fputs("<tr>", out);
  if (m == 0) {
    write_condition(out, condition, condition->n_methods);
  }
  fputs("<td style=\"text-align:left\">", out);
  page_text(out, condition->methods[m]->name);
  fputs("</td>", out);
  write_estimate(out, data, c, m, "strict", true);
  for (int i = 0; i < data->plan->n_references; i++) {
    snprintf(name, sizeof name, "strict_ratio_%s", data->plan->references[i]->name);
    write_estimate(out, data, c, m, name, true);
  }
  write_estimate(out, data, c, m, "r80", false);
  write_estimate(out, data, c, m, "lenient", false);
  write_estimate(out, data, c, m, "recalled", false);
  write_estimate(out, data, c, m, "false", true);
  write_estimate(out, data, c, m, "chance_roa", false);
  write_estimate(out, data, c, m, "predicted", false);
  write_estimate(out, data, c, m, "ceiling_greedy", false);
  fprintf(out, isfinite(cpu_s) ? "<td>%.3g</td><td>%.0f</td></tr>\n" : "<td></td><td></td></tr>\n",
          cpu_s, peak_mib);
}

static void write_yields(FILE *out, const suite_data *data, bool is_of_grid) {
  fputs("<div class=\"wide\"><table>\n<tr><th>condition</th><th>method</th><th>strict</th>", out);
  for (int i = 0; i < data->plan->n_references; i++) {
    fputs("<th>times ", out);
    page_text(out, data->plan->references[i]->name);
    fputs("</th>", out);
  }
  fputs(
      "<th>0.8</th><th>lenient</th><th>recalled</th><th>false</th><th>chance</th>"
      "<th>predicted</th><th>greedy oracle</th><th>CPU s</th><th>MiB</th></tr>\n",
      out);
  for (int c = 0; c < data->plan->n_conditions; c++) {
    for (int m = 0; data->plan->conditions[c].is_of_grid == is_of_grid &&
                    m < data->plan->conditions[c].n_methods;
         m++) {
      write_yield_row(out, data, c, m);
    }
  }
  fputs("</table></div>\n", out);
}

static bool has_conditions(const emg_benchmark_plan *plan, bool is_of_grid) {
  for (int c = 0; c < plan->n_conditions; c++) {
    if (plan->conditions[c].is_of_grid == is_of_grid) {
      return true;
    }
  }
  return false;
}

// --- parameters ---

static bool has_parameters(const suite_data *data, int c, int m) {
  const emg_benchmark_estimate *e = emg_benchmark_find(data->summary, c, m, "coverage");
  return e && isfinite(e->value);
}

static void write_error_row(FILE *out, const suite_data *data, int c, int m) {
  static const char *const plain[] = {"fibre_count_ratio", "size_rank", "cube_mse",
                                      "fat_thickness_mm", "grid_rotation_deg"};
  char name[64];

  fputs("<tr>", out);
  write_condition(out, &data->plan->conditions[c], 1);
  fputs("<td>", out);
  page_text(out, data->plan->conditions[c].methods[m]->name);
  fputs("</td>", out);
  for (int p = 0; p < EMG_COMPARED_FIBRE_COUNT; p++) {
    snprintf(name, sizeof name, "%s_error", emg_compared_name((emg_compared_parameter)p));
    write_estimate(out, data, c, m, name, false);
    snprintf(name, sizeof name, "%s_error_p90", emg_compared_name((emg_compared_parameter)p));
    write_estimate(out, data, c, m, name, false);
    snprintf(name, sizeof name, "%s_coverage", emg_compared_name((emg_compared_parameter)p));
    write_estimate(out, data, c, m, name, false);
  }
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    write_estimate(out, data, c, m, plain[i], false);
  }
  write_estimate(out, data, c, m, "coverage", true);
  fputs("</tr>\n", out);
}

static void write_errors(FILE *out, const suite_data *data) {
  fputs("<div class=\"wide\"><table>\n<tr><th>condition</th><th>method</th>", out);
  for (int p = 0; p < EMG_COMPARED_FIBRE_COUNT; p++) {
    fprintf(out, "<th colspan=\"3\">%s</th>", emg_compared_name((emg_compared_parameter)p));
  }
  fputs(
      "<th>fibres, ratio</th><th>size rank</th><th>unit cube</th><th>fat mm</th><th>rotation "
      "deg</th>"
      "<th>all within 90 %</th></tr>\n",
      out);
  for (int c = 0; c < data->plan->n_conditions; c++) {
    for (int m = 0; m < data->plan->conditions[c].n_methods; m++) {
      if (has_parameters(data, c, m)) {
        write_error_row(out, data, c, m);
      }
    }
  }
  fputs("</table></div>\n", out);
}

static void write_parameters(FILE *out, const suite_data *data) {
  bool has_any = false;

  for (int c = 0; c < data->plan->n_conditions; c++) {
    for (int m = 0; m < data->plan->conditions[c].n_methods; m++) {
      has_any = has_any || has_parameters(data, c, m);
    }
  }
  if (!has_any) {
    return;
  }
  page_section(
      out, "Parameters of units",
      "Units of the grid found for sure, with intervals of 90 %; on the line they are "
      "right. In the table: median and 90th percentile of the error&rsquo;s magnitude, and "
      "the part of intervals that hold the truth.");
  suite_keys(out, &data->plan->conditions[0], false);
  fputs("<div class=\"pair\">\n", out);
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    suite_scatter(out, data, (emg_compared_parameter)p);
  }
  fputs("</div>\n", out);
  write_errors(out, data);
  page_section_end(out);
}

// --- what failed, how it was made ---

static void write_failures(FILE *out, const suite_data *data) {
  if (data->results->n_failed == 0) {
    return;
  }
  page_section(out, "Without a result", NULL);
  fputs(
      "<div class=\"wide\"><table>\n<tr><th>condition</th><th>seed</th><th>method</th>"
      "<th style=\"text-align:left\">reason</th></tr>\n",
      out);
  for (int i = 0; i < data->results->n_cells; i++) {
    const emg_benchmark_cell *cell = &data->results->cells[i];
    const emg_benchmark_condition *condition = &data->plan->conditions[cell->condition];
    if (!cell->is_there) {
      fputs("<tr>", out);
      write_condition(out, condition, 1);
      fprintf(out, "<td>%llu</td><td>", (unsigned long long)cell->seed_value);
      page_text(out, condition->methods[cell->method]->name);
      fputs("</td><td style=\"white-space:normal;text-align:left\">", out);
      page_text(out, cell->reason);
      fputs("</td></tr>\n", out);
    }
  }
  fputs("</table></div>\n", out);
  page_section_end(out);
}

static void write_origin(FILE *out, const suite_data *data) {
  char *yaml;

  page_section(out, "How it was made", NULL);
  fprintf(out, "<dl><dt>program</dt><dd>emgtwin %s</dd><dt>command</dt><dd>", emg_version());
  page_text(out, data->command);
  fputs("</dd></dl>\n", out);
  if (emg_config_write(data->plan->suite, false, NULL, &yaml, NULL) == EMG_OK) {
    fputs("<details style=\"margin-top:12px\"><summary>suite</summary><pre>", out);
    page_text(out, yaml);
    fputs("</pre></details>\n", out);
    free(yaml);
  }
  page_section_end(out);
}

void suite_page(FILE *out, const suite_data *data) {
  const struct emg_config_benchmark *suite = &data->plan->suite->benchmark;

  page_begin(out, "Suite");
  fputs("<h1>", out);
  page_text(out, suite->question[0] ? suite->question : "A suite of conditions and methods");
  fprintf(out, "</h1>\n<p class=\"soft\">emgtwin benchmark%s</p>\n",
          data->plan->is_smoke ? ", smoke test: a few small conditions" : "");
  write_tiles(out, data);
  if (has_conditions(data->plan, true)) {
    page_section(out, "Yield",
                 "Strict: true units found with a rate of agreement of 0.9 or more, one-to-one. "
                 "Medians over repetitions, intervals of 90 % by bootstrap over them.");
    if (suite_has_curves(data)) {
      suite_curves(out, data, "strict", "units found", true);
    }
    write_yields(out, data, true);
    page_section_end(out);
  }
  if (has_conditions(data->plan, false)) {
    page_section(out, "Conditions beside the grid", NULL);
    write_yields(out, data, false);
    page_section_end(out);
  }
  if (suite_has_rounds(data)) {
    page_section(out, "Searches",
                 "True units, found strictly in the end, by the search that brought them in: "
                 "medians over repetitions.");
    suite_rounds(out, data);
    page_section_end(out);
  }
  write_parameters(out, data);
  if (has_conditions(data->plan, true) && suite_has_curves(data)) {
    page_section(out, "Cost", "CPU seconds of a method on one thread, medians over repetitions.");
    suite_curves(out, data, NULL, "CPU seconds", false);
    page_section_end(out);
  }
  write_failures(out, data);
  write_origin(out, data);
  page_end(out);
}
