// figures_suite.c -- curves over the grid of a suite, and parameters true against estimated
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/page.h"
#include "cli/suite.h"

const char *suite_colour(const emg_benchmark_method *method, bool *is_dashed) {
  static const char *const colours[] = {"true", "text", "found", "good", "drive", "bad", "soft"};
  // by the name, so that a method looks the same in every suite
  static const char *const usual[] = {"cbss", "ckc_short", "invert", "oracle", "ckc", "paper"};
  enum { N_COLOURS = 7, N_USUAL = 6 };
  int n, index;

  *is_dashed = false;
  for (int i = 0; i < N_USUAL; i++) {
    if (strcmp(method->name, usual[i]) == 0) {
      return colours[i];
    }
  }
  const emg_benchmark_method *all = emg_benchmark_methods(&n);
  index = (int)(method - all);
  *is_dashed = true;
  return colours[index % N_COLOURS];
}

// --- CPU seconds ---

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double suite_cpu_s(const suite_data *data, int condition, int method, double *peak_mib) {
  enum { MOST = 1000 };
  double cpu_s[MOST];
  int n = 0;

  *peak_mib = NAN;
  for (int i = 0; i < data->results->n_cells && n < MOST; i++) {
    const emg_benchmark_cell *cell = &data->results->cells[i];
    if (cell->condition == condition && cell->method == method && cell->is_there) {
      cpu_s[n++] = cell->cpu_s;
      *peak_mib = fmax(*peak_mib, cell->peak_mib);
    }
  }
  qsort(cpu_s, (size_t)n, sizeof *cpu_s, compare);
  return n > 0 ? 0.5 * (cpu_s[(n - 1) / 2] + cpu_s[n / 2]) : NAN;
}

// --- curves ---

// Values of the first axis stand side by side, in the order of the suite: 200 dB for no noise would
// leave no room for the others.
enum { PLACES_MAX = 32 };

typedef struct {
  int n;
  const char *values[PLACES_MAX];
} places;

static int place_of(const places *p, const char *value) {
  for (int i = 0; i < p->n; i++) {
    if (strcmp(p->values[i], value) == 0) {
      return i;
    }
  }
  return -1;
}

static places places_of(const emg_benchmark_plan *plan) {
  places p = {0};

  for (int c = 0; c < plan->n_conditions && plan->n_axes > 0; c++) {
    const emg_benchmark_condition *condition = &plan->conditions[c];
    if (condition->is_of_grid && p.n < PLACES_MAX && place_of(&p, condition->values[0]) < 0) {
      p.values[p.n++] = condition->values[0];
    }
  }
  return p;
}

bool suite_has_curves(const suite_data *data) {
  return places_of(data->plan).n > 1;
}

// Conditions of the grid that differ in the first axis alone.
static bool is_in_panel(const emg_benchmark_plan *plan, int a, int b) {
  const emg_benchmark_condition *x = &plan->conditions[a], *y = &plan->conditions[b];
  bool is_same = x->is_of_grid && y->is_of_grid && strcmp(x->base, y->base) == 0;

  for (int i = 1; i < plan->n_axes; i++) {
    is_same = is_same && strcmp(x->values[i], y->values[i]) == 0;
  }
  return is_same;
}

static emg_benchmark_estimate estimate_of(const suite_data *data, int condition, int method,
                                          const char *figure) {
  emg_benchmark_estimate none = {0, NAN, NAN, NAN};
  double peak_mib;

  if (!figure) {
    double cpu_s = suite_cpu_s(data, condition, method, &peak_mib);
    return (emg_benchmark_estimate){1, cpu_s, cpu_s, cpu_s};
  }
  const emg_benchmark_estimate *e = emg_benchmark_find(data->summary, condition, method, figure);
  return e ? *e : none;
}

static void grow_axes(const suite_data *data, const char *figure, bool with_ceilings,
                      page_axes *axes) {
  axes->x_min = -0.4;
  axes->x_max = places_of(data->plan).n - 0.6;
  axes->y_max = 1e-9;
  for (int c = 0; c < data->plan->n_conditions; c++) {
    const emg_benchmark_condition *condition = &data->plan->conditions[c];
    for (int m = 0; condition->is_of_grid && m < condition->n_methods; m++) {
      axes->y_max = fmax(axes->y_max, estimate_of(data, c, m, figure).high);
      if (with_ceilings) {
        axes->y_max = fmax(axes->y_max, estimate_of(data, c, m, "ceiling_greedy").value);
      }
    }
  }
  axes->y_max *= 1.06;
}

// The curve of a method through the conditions of a panel, with its intervals.
static void draw_curve(FILE *out, const suite_data *data, const page_axes *axes, int first,
                       int method, const char *figure, const char *colour, bool is_dashed,
                       bool is_bound) {
  const places p = places_of(data->plan);
  bool has_point = false;

  fprintf(out, "<path style=\"fill:none;stroke:var(--%s);stroke-width:%s%s\" d=\"", colour,
          is_bound ? "1" : "1.8",
          is_bound    ? ";stroke-dasharray:2 4"
          : is_dashed ? ";stroke-dasharray:6 3"
                      : "");
  for (int c = first; c < data->plan->n_conditions; c++) {
    if (is_in_panel(data->plan, first, c)) {
      emg_benchmark_estimate e = estimate_of(data, c, method, figure);
      int x = place_of(&p, data->plan->conditions[c].values[0]);
      if (isfinite(e.value)) {
        fprintf(out, "%c%.1f %.1f", has_point ? 'L' : 'M', page_x(axes, x), page_y(axes, e.value));
        has_point = true;
      }
    }
  }
  fputs("\"/>\n", out);
  for (int c = first; c < data->plan->n_conditions && !is_bound; c++) {
    if (!is_in_panel(data->plan, first, c)) {
      continue;
    }
    emg_benchmark_estimate e = estimate_of(data, c, method, figure);
    int x = place_of(&p, data->plan->conditions[c].values[0]);
    if (isfinite(e.value)) {
      // beside each other, not over each other
      double at = page_x(axes, x) + 2.5 * method - 5;
      fprintf(out,
              "<path style=\"stroke:var(--%s);stroke-width:1.4\" d=\"M%.1f %.1fV%.1f\"/>"
              "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" style=\"fill:var(--%s)\"><title>",
              colour, at, page_y(axes, e.low), page_y(axes, e.high), page_x(axes, x),
              page_y(axes, e.value), colour);
      page_text(out, data->plan->conditions[c].methods[method]->name);
      fprintf(out, ": %.4g (%.4g to %.4g)</title></circle>\n", e.value, e.low, e.high);
    }
  }
}

static void draw_places(FILE *out, const emg_benchmark_plan *plan, const page_axes *axes) {
  const places p = places_of(plan);
  double bottom = axes->top + axes->height;

  for (int i = 0; i < p.n; i++) {
    fprintf(out,
            "<path class=\"tick\" d=\"M%.1f %.1fv5\"/><text x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"middle\">",
            page_x(axes, i), bottom, page_x(axes, i), bottom + 18);
    page_text(out, p.values[i]);
    fputs("</text>\n", out);
  }
  fprintf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
          axes->left + 0.5 * axes->width, bottom + 36);
  page_text(out, plan->axes[0]);
  fputs("</text>\n", out);
}

static void draw_panel(FILE *out, const suite_data *data, const page_axes *axes, int first,
                       const char *figure, const char *title, bool with_ceilings) {
  const emg_benchmark_plan *plan = data->plan;
  const emg_benchmark_condition *condition = &plan->conditions[first];
  int bounded = -1;

  fputs("<div><p class=\"soft\">", out);
  page_text(out, condition->base);
  for (int i = 1; i < plan->n_axes; i++) {
    fputs(i > 1 || condition->base[0] ? ", " : "", out);
    page_text(out, plan->axes[i]);
    fputs(" = ", out);
    page_text(out, condition->values[i]);
  }
  fputs("</p>\n", out);
  page_figure(out, 480, 300, title);
  page_draw_axes(out, axes, NULL, title);
  draw_places(out, plan, axes);
  for (int m = 0; m < condition->n_methods; m++) {
    bool is_dashed;
    const char *colour = suite_colour(condition->methods[m], &is_dashed);
    draw_curve(out, data, axes, first, m, figure, colour, is_dashed, false);
    bounded = condition->methods[m]->kind == EMG_BENCHMARK_ORACLE ? m : bounded;
  }
  if (with_ceilings && bounded >= 0) {
    draw_curve(out, data, axes, first, bounded, "ceiling_greedy", "good", true, true);
  }
  page_figure_end(out);
  fputs("</div>\n", out);
}

void suite_keys(FILE *out, const emg_benchmark_condition *condition, bool with_ceilings) {
  bool has_bound = false;

  fputs("<p>", out);
  for (int m = 0; m < condition->n_methods; m++) {
    bool is_dashed;
    has_bound = has_bound || condition->methods[m]->kind == EMG_BENCHMARK_ORACLE;
    fprintf(out, "<span class=\"key\" style=\"background:var(--%s)%s\"></span>",
            suite_colour(condition->methods[m], &is_dashed), m == 0 ? ";margin-left:0" : "");
    page_text(out, condition->methods[m]->name);
  }
  fputs(
      with_ceilings ? "<span class=\"soft\"> &middot; dotted: the oracle with peel-off</span>" : "",
      out);
  fputs("</p>\n", out);
}

void suite_curves(FILE *out, const suite_data *data, const char *figure, const char *title,
                  bool with_ceilings) {
  const emg_benchmark_plan *plan = data->plan;
  page_axes axes = {.left = 60, .top = 10, .width = 400, .height = 240};

  grow_axes(data, figure, with_ceilings, &axes);
  suite_keys(out, &plan->conditions[0], with_ceilings);
  fputs("<div class=\"pair\">\n", out);
  for (int c = 0; c < plan->n_conditions; c++) {
    bool is_new = plan->conditions[c].is_of_grid;
    for (int other = 0; other < c; other++) {
      is_new = is_new && !is_in_panel(plan, other, c);
    }
    if (is_new) {
      draw_panel(out, data, &axes, c, figure, title, with_ceilings);
    }
  }
  fputs("</div>\n", out);
}

// --- searches ---

// Median of the true units that the first `n` searches found; NAN if that is not known.
static double found_by(const suite_data *data, int condition, int method, int n) {
  char name[64];

  snprintf(name, sizeof name, "strict_round_%d", n);
  const emg_benchmark_estimate *e = emg_benchmark_find(data->summary, condition, method, name);
  return e ? e->value : NAN;
}

bool suite_has_rounds(const suite_data *data) {
  for (int c = 0; c < data->plan->n_conditions; c++) {
    const emg_benchmark_condition *condition = &data->plan->conditions[c];
    for (int m = 0; condition->is_of_grid && m < condition->n_methods; m++) {
      if (isfinite(found_by(data, c, m, 2))) {
        return true;
      }
    }
  }
  return false;
}

static void draw_rounds(FILE *out, const suite_data *data, int c, double most) {
  const emg_benchmark_condition *condition = &data->plan->conditions[c];
  page_axes axes = {.left = 60,
                    .top = 10,
                    .width = 260,
                    .height = 180,
                    .x_min = 0.5,
                    .x_max = EMG_BENCHMARK_ROUNDS_MAX + 0.5,
                    .y_max = 1.06 * most};

  fputs("<div style=\"flex-basis:300px\"><p class=\"soft\">", out);
  page_text(out, condition->name);
  fputs("</p>\n", out);
  page_figure(out, 340, 240, "units found by the first searches");
  page_draw_axes(out, &axes, "searches", "units found");
  for (int m = 0; m < condition->n_methods; m++) {
    bool is_dashed;
    const char *colour = suite_colour(condition->methods[m], &is_dashed);
    fprintf(out, "<path style=\"fill:none;stroke:var(--%s);stroke-width:1.8%s\" d=\"", colour,
            is_dashed ? ";stroke-dasharray:6 3" : "");
    for (int n = 1; isfinite(found_by(data, c, m, n)); n++) {
      fprintf(out, "%c%.1f %.1f", n == 1 ? 'M' : 'L', page_x(&axes, n),
              page_y(&axes, found_by(data, c, m, n)));
    }
    fputs("\"/>\n", out);
    for (int n = 1; isfinite(found_by(data, c, m, n)); n++) {
      fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" style=\"fill:var(--%s)\"/>\n",
              page_x(&axes, n), page_y(&axes, found_by(data, c, m, n)), colour);
    }
  }
  page_figure_end(out);
  fputs("</div>\n", out);
}

void suite_rounds(FILE *out, const suite_data *data) {
  double most = 1;

  for (int i = 0; i < data->summary->n_rows; i++) {
    const emg_benchmark_row *row = &data->summary->rows[i];
    if (strncmp(row->figure, "strict_round_", 13) == 0 &&
        data->plan->conditions[row->condition].is_of_grid) {
      most = fmax(most, row->estimate.value);
    }
  }
  suite_keys(out, &data->plan->conditions[0], false);
  fputs("<div class=\"pair\">\n", out);
  for (int c = 0; c < data->plan->n_conditions; c++) {
    if (data->plan->conditions[c].is_of_grid) {
      draw_rounds(out, data, c, most);
    }
  }
  fputs("</div>\n", out);
}

// --- true against estimated ---

typedef struct {
  double truth, value, sd;
  const emg_benchmark_method *method;
} point;

// Points of the grid, without mismatch; at most `most`, evenly from all there are.
static int gather_points(const suite_data *data, emg_compared_parameter p, point *points,
                         int most) {
  const double least = data->plan->suite->benchmark.parameters_roa;
  int n = 0, n_taken = 0, every = 1;

  for (int pass = 0; pass < 2; pass++) {
    every = pass ? n / most + 1 : 1;
    n = 0;
    for (int i = 0; i < data->results->n_cells; i++) {
      const emg_benchmark_cell *cell = &data->results->cells[i];
      for (int u = 0; u < cell->n_units && data->plan->conditions[cell->condition].is_of_grid;
           u++) {
        const emg_benchmark_unit *unit = &cell->units[u];
        if (unit->truth < 0 || !(unit->roa >= least) || !isfinite(unit->value[p]) ||
            !isfinite(unit->true_value[p]) || !isfinite(unit->sd[p])) {
          continue;
        }
        if (pass && n % every == 0 && n_taken < most) {
          const emg_benchmark_condition *condition = &data->plan->conditions[cell->condition];
          points[n_taken++] = (point){unit->true_value[p], unit->value[p], unit->sd[p],
                                      condition->methods[cell->method]};
        }
        n++;
      }
    }
  }
  return n_taken;
}

void suite_scatter(FILE *out, const suite_data *data, emg_compared_parameter parameter) {
  enum { MOST = 400 };
  static point points[MOST];
  const double deviations = 1.645;
  int n = gather_points(data, parameter, points, MOST);
  page_axes axes = {.left = 60, .top = 10, .width = 300, .height = 300};
  char x_title[80], y_title[80];

  if (n == 0) {
    return;
  }
  axes.x_min = axes.y_min = INFINITY;
  axes.x_max = axes.y_max = -INFINITY;
  for (int i = 0; i < n; i++) {
    axes.x_min = fmin(axes.x_min, fmin(points[i].truth, points[i].value));
    axes.x_max = fmax(axes.x_max, fmax(points[i].truth, points[i].value));
  }
  double margin = 0.04 * (axes.x_max - axes.x_min) + 1e-9;
  axes.y_min = axes.x_min -= margin;
  axes.y_max = axes.x_max += margin;
  snprintf(x_title, sizeof x_title, "true %s", emg_compared_name(parameter));
  snprintf(y_title, sizeof y_title, "estimated %s", emg_compared_name(parameter));
  fputs("<div>", out);
  page_figure(out, 390, 360, y_title);
  page_draw_axes(out, &axes, x_title, y_title);
  fprintf(out, "<path class=\"true\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", axes.left,
          axes.top + axes.height, axes.left + axes.width, axes.top);
  for (int i = 0; i < n; i++) {
    double low = fmax(axes.y_min, points[i].value - deviations * points[i].sd);
    double high = fmin(axes.y_max, points[i].value + deviations * points[i].sd);
    double x = page_x(&axes, points[i].truth);
    bool is_dashed;
    const char *colour = suite_colour(points[i].method, &is_dashed);
    fprintf(out,
            "<path class=\"fine\" style=\"stroke:var(--%s);opacity:.5\" d=\"M%.1f %.1fV%.1f\"/>"
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\" style=\"fill:var(--%s)\"/>\n",
            colour, x, page_y(&axes, low), page_y(&axes, high), x, page_y(&axes, points[i].value),
            colour);
  }
  page_figure_end(out);
  fputs("</div>\n", out);
}
