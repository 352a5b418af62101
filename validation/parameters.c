// parameters.c -- parameters of units, estimated beside true
#include "benchmark_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/conductor.h>

// Where each parameter comes from, and the figures of its errors.
static const struct {
  emg_inversion_parameter parameter;
  emg_benchmark_figure median;  // EMG_FIGURES: none
} rows[EMG_COMPARED_PARAMETERS] = {
    [EMG_COMPARED_DEPTH] = {EMG_INVERSION_DEPTH, EMG_FIGURE_DEPTH},
    [EMG_COMPARED_ARC] = {EMG_INVERSION_ANGLE, EMG_FIGURE_ARC},
    [EMG_COMPARED_ZONE] = {EMG_INVERSION_ZONE, EMG_FIGURE_ZONE},
    [EMG_COMPARED_CV] = {EMG_INVERSION_CV, EMG_FIGURE_CV},
    [EMG_COMPARED_HALF_LENGTH_1] = {EMG_INVERSION_HALF_LENGTH_1, EMG_FIGURE_HALF_1},
    [EMG_COMPARED_HALF_LENGTH_2] = {EMG_INVERSION_HALF_LENGTH_2, EMG_FIGURE_HALF_2},
    [EMG_COMPARED_TERRITORY] = {EMG_INVERSION_TERRITORY, EMG_FIGURE_TERRITORY},
    [EMG_COMPARED_FIBRE_COUNT] = {EMG_INVERSION_FIBRE_COUNT, EMG_FIGURES},
};

// Of a normal distribution, 5 % lie beyond this many standard deviations on either side.
static const double deviations_of_90 = 1.6448536269514722;

bool emg_benchmark_error_figure(emg_compared_parameter parameter, emg_benchmark_figure *median) {
  *median = rows[parameter].median;
  return *median != EMG_FIGURES;
}

double emg_benchmark_error_of(const emg_benchmark_unit *unit, emg_compared_parameter parameter) {
  return unit->value[parameter] - unit->true_value[parameter];
}

bool emg_benchmark_is_covered(const emg_benchmark_unit *unit, emg_compared_parameter parameter,
                              bool *is_known) {
  double error = emg_benchmark_error_of(unit, parameter), sd = unit->sd[parameter];

  *is_known = isfinite(error) && isfinite(sd);
  return *is_known && fabs(error) <= deviations_of_90 * sd;
}

// --- values ---

// Arc on the skin from the middle of the grid: electrodes are placed by it, so it is known also
// where the radius of the limb is not.
typedef struct {
  double centre_deg, mm_per_deg;
} skin;

static emg_status skin_of(const emg_config *config, skin *out, emg_error *err) {
  emg_conductor conductor;

  EMG_TRY(emg_conductor_from_config(config, &conductor, err));
  out->centre_deg = config->electrodes.centre_angle_deg;
  out->mm_per_deg = 1e3 * emg_conductor_skin_radius_m(&conductor) * M_PI / 180;
  return EMG_OK;
}

static double arc_of(const skin *s, double angle_deg) {
  return s->mm_per_deg * remainder(angle_deg - s->centre_deg, 360);
}

static void set_truth(const emg_truth *truth, const skin *s, emg_benchmark_unit *unit) {
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    const double *column = emg_table_get(&truth->units, emg_inversion_name(rows[p].parameter));
    if (unit->truth >= 0 && column && unit->truth < truth->units.n_rows) {
      double value = column[unit->truth];
      unit->true_value[p] = p == EMG_COMPARED_ARC ? arc_of(s, value) : value;
    }
  }
}

static void set_estimate(const emg_inverted_unit *found, const skin *s, emg_benchmark_unit *unit) {
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    double value = found->value[rows[p].parameter], sd = found->sd[rows[p].parameter];
    unit->value[p] = p == EMG_COMPARED_ARC ? arc_of(s, value) : value;
    unit->sd[p] = p == EMG_COMPARED_ARC ? s->mm_per_deg * sd : sd;
  }
}

// --- figures ---

// Ranks from 0, ties at their mean.
static void rank(const double *values, int n, double *ranks) {
  for (int i = 0; i < n; i++) {
    ranks[i] = 0;
    for (int j = 0; j < n; j++) {
      ranks[i] += values[j] < values[i] ? 1 : values[j] == values[i] && j != i ? 0.5 : 0;
    }
  }
}

// Correlation of n values, NAN if one of them does not vary.
static double correlate(const double *x, const double *y, int n) {
  double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;

  for (int i = 0; i < n; i++) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  for (int i = 0; i < n; i++) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static void set_errors(emg_benchmark_cell *cell, const emg_benchmark_unit *const *compared, int n,
                       double *scratch) {
  int n_known = 0, n_covered = 0;

  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    emg_benchmark_figure median;
    for (int i = 0; i < n; i++) {
      bool is_known;
      n_covered += emg_benchmark_is_covered(compared[i], (emg_compared_parameter)p, &is_known);
      n_known += is_known;
      scratch[i] = fabs(emg_benchmark_error_of(compared[i], (emg_compared_parameter)p));
    }
    if (emg_benchmark_error_figure((emg_compared_parameter)p, &median)) {
      cell->figures[median] = emg_benchmark_quantile(scratch, n, 0.5);
      cell->figures[median + 1] = emg_benchmark_quantile(scratch, n, 0.9);
    }
  }
  cell->figures[EMG_FIGURE_COVERAGE] = n_known > 0 ? (double)n_covered / n_known : NAN;
}

static void set_sizes(emg_benchmark_cell *cell, const emg_benchmark_unit *const *compared, int n,
                      double *scratch) {
  double *found = scratch, *truth = scratch + n, *found_ranks = scratch + 2 * (ptrdiff_t)n,
         *true_ranks = scratch + 3 * (ptrdiff_t)n;

  for (int i = 0; i < n; i++) {
    found[i] = compared[i]->value[EMG_COMPARED_FIBRE_COUNT];
    truth[i] = compared[i]->true_value[EMG_COMPARED_FIBRE_COUNT];
  }
  rank(found, n, found_ranks);
  rank(truth, n, true_ranks);
  cell->figures[EMG_FIGURE_RANK] = n > 2 ? correlate(found_ranks, true_ranks, n) : NAN;
  for (int i = 0; i < n; i++) {
    found[i] = truth[i] > 0 ? found[i] / truth[i] : NAN;
  }
  cell->figures[EMG_FIGURE_FIBRES] = emg_benchmark_quantile(found, n, 0.5);
}

// Of the six parameters of Halatsis et al. 2025, each as a part of what `invert` takes to be
// possible; of the number of fibres, of its range over the true units.
static double cube_error(const emg_config *told, const skin *s, const emg_truth *truth,
                         const emg_benchmark_unit *const *compared, int n) {
  const struct emg_config_invert *limits = &told->invert;
  const double *counts = emg_table_get(&truth->units, "fibre_count");
  double least = INFINITY, most = -INFINITY, sum = 0;

  for (int u = 0; counts && u < truth->units.n_rows; u++) {
    least = fmin(least, counts[u]);
    most = fmax(most, counts[u]);
  }
  const double ranges[EMG_COMPARED_PARAMETERS] = {
      [EMG_COMPARED_DEPTH] = limits->depth_max_mm - limits->depth_min_mm,
      [EMG_COMPARED_ARC] = told->electrodes.layout == EMG_LAYOUT_RING
                               ? 360 * s->mm_per_deg
                               : limits->arc_max_mm - limits->arc_min_mm,
      [EMG_COMPARED_ZONE] = limits->zone_max_mm - limits->zone_min_mm,
      [EMG_COMPARED_CV] = limits->cv_max_m_per_s - limits->cv_min_m_per_s,
      [EMG_COMPARED_HALF_LENGTH_1] = limits->tendon_max_mm - limits->tendon_min_mm,
      [EMG_COMPARED_HALF_LENGTH_2] = limits->tendon_max_mm - limits->tendon_min_mm,
      [EMG_COMPARED_FIBRE_COUNT] = most - least,
  };
  for (int i = 0; i < n; i++) {
    for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
      bool is_half = p == EMG_COMPARED_HALF_LENGTH_1 || p == EMG_COMPARED_HALF_LENGTH_2;
      double error = emg_benchmark_error_of(compared[i], (emg_compared_parameter)p);
      double part = ranges[p] > 0 ? error / ranges[p] : 0;
      // the two halves of the length count as one parameter
      sum += part * part * (is_half ? 0.5 : 1);
    }
  }
  return n > 0 ? sum / (6. * n) : NAN;
}

emg_status emg_benchmark_compare(const emg_config *simulated, const emg_config *told,
                                 const emg_truth *truth, const emg_inversion *found,
                                 emg_benchmark_cell *cell, emg_error *err) {
  const size_t n_units = (size_t)cell->n_units + 1;
  const emg_benchmark_unit **compared = NULL;
  double *scratch = NULL;
  skin true_skin, told_skin;
  int n = 0;
  emg_status status;

  EMG_TRY(skin_of(simulated, &true_skin, err));
  EMG_TRY(skin_of(told, &told_skin, err));
  EMG_TRY_DONE(emg_alloc(n_units, sizeof *compared, &compared, err));
  EMG_TRY_DONE(emg_alloc(4 * n_units, sizeof *scratch, &scratch, err));
  for (int u = 0; u < cell->n_units; u++) {
    emg_benchmark_unit *unit = &cell->units[u];
    set_truth(truth, &true_skin, unit);
    if (found) {
      set_estimate(&found->units[u], &told_skin, unit);
      if (unit->truth >= 0 && unit->roa >= told->benchmark.parameters_roa) {
        compared[n++] = unit;
      }
    }
  }
  if (found) {
    const double *fat = emg_table_get(&found->conductor, "fat_thickness_mm");
    const double *rotation = emg_table_get(&found->conductor, "grid_rotation_deg");
    cell->figures[EMG_FIGURE_FAT] = fat ? fat[0] : NAN;
    cell->figures[EMG_FIGURE_ROTATION] = rotation ? rotation[0] : NAN;
    cell->figures[EMG_FIGURE_COMPARED] = n;
    set_errors(cell, compared, n, scratch);
    set_sizes(cell, compared, n, scratch);
    cell->figures[EMG_FIGURE_CUBE] = cube_error(told, &told_skin, truth, compared, n);
  }

done:
  free(compared);
  free(scratch);
  return status;
}
