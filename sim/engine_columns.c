// engine_columns.c -- electrodes on the skin as columns with their rows on one pitch
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

// Angles closer than this are one column, rows off the pitch by less are on it.
#define SAME_ANGLE_RAD 1e-9
#define SAME_PLACE 1e-6
// Pitch of the storage if no column has two rows.
#define LONE_PITCH_M 8e-3

typedef struct {
  double theta_rad, z_m;
  int electrode, column;
} site;

static double wrapped(double theta_rad) {
  double turn = fmod(theta_rad, 2 * M_PI);

  return turn < 0 ? turn + 2 * M_PI : turn;
}

static int compare_sites(const void *a, const void *b) {
  const site *p = a, *q = b;

  if (p->column != q->column) {
    return p->column < q->column ? -1 : 1;
  }
  if (p->column < 0 && fabs(p->theta_rad - q->theta_rad) > SAME_ANGLE_RAD) {
    return p->theta_rad < q->theta_rad ? -1 : 1;
  }
  return p->z_m < q->z_m ? -1 : p->z_m > q->z_m ? 1 : p->electrode - q->electrode;
}

static int number_columns(int n, site *sites) {
  int n_columns = 0;

  for (int i = 0; i < n; i++) {
    n_columns += i == 0 || fabs(sites[i].theta_rad - sites[i - 1].theta_rad) > SAME_ANGLE_RAD;
    sites[i].column = n_columns - 1;
  }
  return n_columns;
}

// Smallest distance of two rows of a column, 0 if no column has two.
static double smallest_pitch(int n, const site *sites) {
  double pitch_m = 0;

  for (int i = 1; i < n; i++) {
    double step_m = sites[i].z_m - sites[i - 1].z_m;
    if (sites[i].column == sites[i - 1].column && step_m > 0 &&
        (pitch_m == 0 || step_m < pitch_m)) {
      pitch_m = step_m;
    }
  }
  return pitch_m;
}

// Row of a place above `first_m`, -1 if it is off the pitch.
static int row_of(double z_m, double first_m, double pitch_m) {
  double row = (z_m - first_m) / pitch_m;

  return fabs(row - round(row)) < SAME_PLACE && row > -0.5 && row < 1e6 ? (int)round(row) : -1;
}

// Rows of the tallest column if each starts at its own first electrode, 0 if one is off the pitch.
static int rows_of_columns(int n, const site *sites, double pitch_m) {
  int n_rows = 1, begin = 0;

  for (int i = 0; i < n; i++) {
    begin = sites[i].column == sites[begin].column ? begin : i;
    int row = row_of(sites[i].z_m, sites[begin].z_m, pitch_m);
    if (row < 0) {
      return 0;
    }
    n_rows = row + 1 > n_rows ? row + 1 : n_rows;
  }
  return n_rows;
}

// Rows if all columns start at the lowest electrode, 0 if one is off that pitch.
static int rows_in_common(int n, const site *sites, double pitch_m, double *first_m) {
  int n_rows = 1;

  *first_m = sites[0].z_m;
  for (int i = 1; i < n; i++) {
    *first_m = fmin(*first_m, sites[i].z_m);
  }
  for (int i = 0; i < n; i++) {
    int row = row_of(sites[i].z_m, *first_m, pitch_m);
    if (row < 0) {
      return 0;
    }
    n_rows = row + 1 > n_rows ? row + 1 : n_rows;
  }
  return n_rows;
}

static emg_status fill_columns(int n, const site *sites, int has_common_first, double first_m,
                               emg_surface *out, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)out->n_columns, sizeof *out->columns, &out->columns, err));
  EMG_TRY(
      emg_alloc((size_t)out->n_columns * (size_t)out->n_rows, sizeof(int), &out->electrode, err));
  for (int i = 0; i < out->n_columns * out->n_rows; i++) {
    out->electrode[i] = -1;
  }
  for (int i = 0; i < n; i++) {
    const int c = sites[i].column;
    emg_engine_column *column = &out->columns[c];

    if (i == 0 || sites[i - 1].column != c) {
      *column = (emg_engine_column){sites[i].theta_rad, has_common_first ? first_m : sites[i].z_m};
    }
    int row = row_of(sites[i].z_m, column->first_m, out->pitch_m);
    out->electrode[c * out->n_rows + row] = sites[i].electrode;
  }
  return EMG_OK;
}

// Largest distance of any row, with an electrode or not, from any source.
static double largest_reach(const emg_surface *surface, const emg_engine_range *range) {
  double reach_m = 0;

  for (int c = 0; c < surface->n_columns; c++) {
    double low_m = surface->columns[c].first_m;
    double high_m = low_m + (surface->n_rows - 1) * surface->pitch_m;
    reach_m = fmax(reach_m, fmax(high_m - range->z_min_m, range->z_max_m - low_m));
  }
  return reach_m;
}

// Two electrodes at one place would share a row.
static int has_twins(int n, const site *sites) {
  for (int i = 1; i < n; i++) {
    if (sites[i].column == sites[i - 1].column && sites[i].z_m == sites[i - 1].z_m) {
      return 1;
    }
  }
  return 0;
}

emg_status emg_columns_find(const emg_electrode_set *set, const emg_engine_range *range,
                            emg_surface *out, emg_error *err) {
  const int n = set->n_electrodes;
  site *sites;
  EMG_TRY(emg_alloc((size_t)n, sizeof *sites, &sites, err));
  for (int i = 0; i < n; i++) {
    const emg_electrode *electrode = &set->electrodes[i];
    sites[i] = (site){wrapped(electrode->theta_rad), electrode->z_m, i, -1};
  }
  qsort(sites, (size_t)n, sizeof *sites, compare_sites);
  out->n_columns = number_columns(n, sites);
  qsort(sites, (size_t)n, sizeof *sites, compare_sites);

  // each column from its own first row, or all from one if that wastes little
  double pitch_m = smallest_pitch(n, sites), first_m = 0;
  int has_common_first = 0;
  out->pitch_m = pitch_m > 0 ? pitch_m : LONE_PITCH_M;
  out->n_rows = has_twins(n, sites) ? 0 : rows_of_columns(n, sites, out->pitch_m);
  int n_common = rows_in_common(n, sites, out->pitch_m, &first_m);
  if (out->n_rows > 0 && n_common > 0 && n_common <= out->n_rows + out->n_rows / 4) {
    has_common_first = 1;
    out->n_rows = n_common;
  }

  // irregular: every electrode for itself
  if (out->n_rows == 0 || (long)out->n_rows * out->n_columns > 4L * n + 8) {
    for (int i = 0; i < n; i++) {
      sites[i].column = i;
    }
    out->n_columns = n;
    out->n_rows = 1;
    out->pitch_m = LONE_PITCH_M;
    has_common_first = 0;
  }
  out->n_lanes = (out->n_rows + 7) / 8 * 8;

  emg_status status = fill_columns(n, sites, has_common_first, first_m, out, err);
  free(sites);
  if (status == EMG_OK) {
    out->reach_m = largest_reach(out, range);
  }
  return status;
}
