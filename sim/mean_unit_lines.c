// mean_unit_lines.c -- the potential along z over one column of electrodes: rows of the table
// weighted with the nodes of the territory, and turned into polynomials
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

#include "base/kernel.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { BLOCK = 16, LINES_MAX = EMG_MEAN_NODES * 16 };

// One row of the table and its weights: in the potential, and in its derivatives by depth, arc and
// territory.
typedef struct {
  const float *row;
  double weight[EMG_LANES];
} weighted_row;

struct emg_unit_lines {
  int *slot;  // [n_radii][n_angles]: place of a row in `rows`, or -1
  int used[LINES_MAX];
  int n_rows;
  weighted_row rows[LINES_MAX];
  double *line;  // [EMG_LANES][stride]
  int stride;
};

// --- Weights ------------------------------------------------------------------------------------

static weighted_row *row_at(const emg_mean_table *table, emg_unit_lines *lines, int radius,
                            int angle) {
  const int at = radius * table->n_angles + angle;

  if (lines->slot[at] < 0) {
    lines->slot[at] = lines->n_rows;
    lines->used[lines->n_rows] = at;
    lines->rows[lines->n_rows++] =
        (weighted_row){.row = table->coefficients + (ptrdiff_t)at * table->row_stride};
  }
  return &lines->rows[lines->slot[at]];
}

// Splines are even about both ends of the angles.
static int reflected(int angle, int n_angles) {
  angle = abs(angle);
  return angle < n_angles ? angle : 2 * (n_angles - 1) - angle;
}

static void add_node(const emg_mean_table *table, const emg_place_node *node, double theta_rad,
                     emg_unit_lines *lines) {
  double value[4], slope[4];

  double turn = node->theta_rad - theta_rad;
  turn -= 2 * M_PI * floor(turn / (2 * M_PI) + 0.5);
  const double place = fabs(turn) / table->angle_step_rad;
  const int cell = place < table->n_angles - 2 ? (int)place : table->n_angles - 2;
  const double by_theta = (turn < 0 ? -1 : 1) / table->angle_step_rad;
  emg_cubic_weights(place - cell, value, slope);

  for (int j = 0; j < 4; j++) {
    const int angle = reflected(cell - 1 + j, table->n_angles);
    slope[j] *= by_theta;
    for (int i = 0; i < 4; i++) {
      weighted_row *row = row_at(table, lines, node->cell + i, angle);
      const double by_r = node->by_radius[i] * value[j], by_t = node->in_radius[i] * slope[j];
      row->weight[0] += node->in_radius[i] * value[j];
      for (int p = 0; p < 3; p++) {
        row->weight[1 + p] += by_r * node->radius_by[p] + by_t * node->theta_by[p];
      }
    }
  }
}

static void clear_rows(emg_unit_lines *lines) {
  for (int i = 0; i < lines->n_rows; i++) {
    lines->slot[lines->used[i]] = -1;
  }
  lines->n_rows = 0;
}

// --- Weighted sums of rows ----------------------------------------------------------------------

// `block` offsets of `n_lanes` sums are held in registers: enough to hide the latency of additions,
// not more than there are.
ALWAYS_INLINE void sum_rows(const weighted_row *rows, int n_rows, ptrdiff_t first, int n_lanes,
                            int block, int n, ptrdiff_t stride, double *line) {
  for (int at = 0; at < n; at += block) {
    double sum[EMG_LANES][BLOCK] = {{0}};
    for (int r = 0; r < n_rows; r++) {
      const float *from = rows[r].row + first + at;
      for (int lane = 0; lane < n_lanes; lane++) {
        const double weight = rows[r].weight[lane];
        for (int i = 0; i < block; i++) {
          sum[lane][i] += weight * (double)from[i];
        }
      }
    }
    for (int lane = 0; lane < n_lanes; lane++) {
      for (int i = 0; i < block; i++) {
        line[lane * stride + at + i] = sum[lane][i];
      }
    }
  }
}

EMG_KERNEL
static void sum_values(const weighted_row *rows, int n_rows, ptrdiff_t first, int n,
                       ptrdiff_t stride, double *line) {
  sum_rows(rows, n_rows, first, 1, BLOCK, n, stride, line);
}

EMG_KERNEL
static void sum_lanes(const weighted_row *rows, int n_rows, ptrdiff_t first, int n,
                      ptrdiff_t stride, double *line) {
  sum_rows(rows, n_rows, first, EMG_LANES, BLOCK / 2, n, stride, line);
}

// --- Polynomials --------------------------------------------------------------------------------

// Quintic B-splines of a cell as powers of the place in it, times 120: [power][spline].
static const double quintic[EMG_POWERS][EMG_POWERS] = {
    {1, 26, 66, 26, 1, 0},    {-5, -50, 0, 50, 5, 0},  {10, 20, -60, 20, 10, 0},
    {-10, 20, 0, -20, 10, 0}, {5, -20, 30, -20, 5, 0}, {-1, 5, -10, 10, -5, 1},
};

EMG_KERNEL
static void make_values(int n_cells, const double *line, double basis[EMG_POWERS][8],
                        double (*cells)[8]) {
  for (int c = 0; c < n_cells; c++) {
    double sum[8] = {0};
    for (int j = 0; j < EMG_POWERS; j++) {
      for (int p = 0; p < 8; p++) {
        sum[p] += line[c + j] * basis[j][p];
      }
    }
    for (int p = 0; p < 8; p++) {
      cells[c][p] = sum[p];
    }
  }
}

EMG_KERNEL
static void make_lanes(int n_cells, const double *line, ptrdiff_t stride,
                       double basis[EMG_POWERS][8], emg_lanes (*cells)[EMG_POWERS]) {
  for (int c = 0; c < n_cells; c++) {
    emg_lanes from[EMG_POWERS];
    for (int j = 0; j < EMG_POWERS; j++) {
      const double *at = line + c + j;
      from[j] = (emg_lanes){at[0], at[stride], at[2 * stride], at[3 * stride]};
    }
    for (int p = 0; p < EMG_POWERS; p++) {
      emg_lanes sum = from[0] * basis[0][p];
      for (int j = 1; j < EMG_POWERS; j++) {
        sum += from[j] * basis[j][p];
      }
      cells[c][p] = sum;
    }
  }
}

// Powers 1 to 5 are those of q0 = 6 l dp/dz, power 0 is that of p.
static void fill_basis(const emg_mean_model *model, double basis[EMG_POWERS][8]) {
  const double ratio = 6 * model->scale_mm / model->table.offset_step_mm;

  for (int j = 0; j < EMG_POWERS; j++) {
    for (int p = 0; p < EMG_POWERS; p++) {
      basis[j][p] = quintic[p][j] / 120 * (p > 0 ? p * ratio : 1);
    }
  }
}

// --- The whole ----------------------------------------------------------------------------------

emg_status emg_unit_lines_create(const emg_mean_model *model, emg_unit_lines **out,
                                 emg_error *err) {
  emg_status status = EMG_OK;
  const emg_mean_table *table = &model->table;
  const int n_slots = table->n_radii * table->n_angles;
  emg_unit_lines *lines;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *lines, &lines, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_slots, sizeof(int), &lines->slot, err));
  for (int i = 0; i < n_slots; i++) {
    lines->slot[i] = -1;
  }
  lines->stride = table->row_stride + BLOCK;
  EMG_TRY_DONE(
      emg_alloc_aligned(EMG_LANES * (size_t)lines->stride, sizeof(double), &lines->line, err));
  *out = lines;
  lines = NULL;
done:
  emg_unit_lines_free(lines);
  return status;
}

void emg_unit_lines_free(emg_unit_lines *lines) {
  if (lines) {
    free(lines->slot);
    free(lines->line);
    free(lines);
  }
}

// Cells that any wave over these electrodes passes, to the ends of the fibres.
static void find_window(const emg_mean_model *model, const emg_mean_column *column,
                        const emg_unit_course *course, int *first, int *n_cells) {
  const emg_mean_table *table = &model->table;
  double high_mm = fmax(column->z_max_mm - course->end_plate_mm[0],
                        course->end_plate_mm[EMG_ZONE_NODES - 1] - column->z_min_mm);
  double low_mm = high_mm;

  low_mm = fmin(low_mm, column->z_min_mm - course->tendon_mm[0] - model->ends.reach_mm);
  low_mm = fmin(low_mm, course->tendon_mm[1] - column->z_max_mm - model->ends.reach_mm);
  *first = table->n_half + (int)floor(low_mm / table->offset_step_mm) - 1;
  *n_cells = table->n_half + (int)floor(high_mm / table->offset_step_mm) + 2 - *first;
}

void emg_unit_lines_fill(const emg_mean_model *model, const emg_mean_column *column,
                         const emg_unit_course *course, emg_unit_lines *lines, emg_cells *out) {
  double basis[EMG_POWERS][8] = {{0}};
  int n_cells;

  for (int i = 0; i < EMG_MEAN_NODES; i++) {
    add_node(&model->table, &course->places[i], column->theta_rad, lines);
  }
  find_window(model, column, course, &out->first, &n_cells);
  fill_basis(model, basis);

  // a cell needs two coefficients below it and three above
  const int n = n_cells + EMG_POWERS - 1;
  if (out->lanes) {
    sum_lanes(lines->rows, lines->n_rows, out->first - 2, n, lines->stride, lines->line);
    make_lanes(n_cells, lines->line, lines->stride, basis, out->lanes);
  } else {
    sum_values(lines->rows, lines->n_rows, out->first - 2, n, lines->stride, lines->line);
    make_values(n_cells, lines->line, basis, out->values);
  }
  clear_rows(lines);
}
