// assignment.c -- one-to-one assignment with the largest sum
#include "match_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <emgtwin/array.h>

// Kuhn 1955, Munkres 1957, in the form with potentials and one shortest augmenting path per row
// (Jonker & Volgenant 1987). Rows and columns count from 1; row and column 0 are the free end of a
// path. Costs are -value.
typedef struct {
  int n_rows, n_columns;      // n_rows <= n_columns
  const double *value;        // as given by the caller
  int row_step, column_step;  // strides in `value`: transposed if there are more rows
  double *row_potential, *column_potential, *slack;
  int *row_of_column, *came_from;
  bool *is_done;
} assignment;

static double reduced_cost(const assignment *a, int row, int column) {
  double value =
      a->value[(ptrdiff_t)(row - 1) * a->row_step + (ptrdiff_t)(column - 1) * a->column_step];
  return -value - a->row_potential[row] - a->column_potential[column];
}

// Lower the slack of all columns by way of `column`'s row; returns the column with least slack.
static int relax(assignment *a, int column) {
  int row = a->row_of_column[column], next = 0;
  double least = INFINITY;

  for (int j = 1; j <= a->n_columns; j++) {
    if (a->is_done[j]) {
      continue;
    }
    double cost = reduced_cost(a, row, j);
    if (cost < a->slack[j]) {
      a->slack[j] = cost;
      a->came_from[j] = column;
    }
    if (a->slack[j] < least) {
      least = a->slack[j];
      next = j;
    }
  }
  for (int j = 0; j <= a->n_columns; j++) {
    if (a->is_done[j]) {
      a->row_potential[a->row_of_column[j]] += least;
      a->column_potential[j] -= least;
    } else {
      a->slack[j] -= least;
    }
  }
  return next;
}

static void add_row(assignment *a, int row) {
  for (int j = 0; j <= a->n_columns; j++) {
    a->slack[j] = INFINITY;
    a->is_done[j] = false;
  }
  a->row_of_column[0] = row;
  int column = 0;
  do {
    a->is_done[column] = true;
    column = relax(a, column);
  } while (a->row_of_column[column] != 0);

  // walk back along the path, handing each row to the next column
  while (column != 0) {
    int previous = a->came_from[column];
    a->row_of_column[column] = a->row_of_column[previous];
    column = previous;
  }
}

emg_status emg_assign(int n_rows, int n_columns, const double *value, int *column_of_row,
                      emg_error *err) {
  bool is_turned = n_rows > n_columns;
  assignment a = {.n_rows = is_turned ? n_columns : n_rows,
                  .n_columns = is_turned ? n_rows : n_columns,
                  .value = value,
                  .row_step = is_turned ? 1 : n_columns,
                  .column_step = is_turned ? n_columns : 1};
  size_t rows = (size_t)a.n_rows + 1, columns = (size_t)a.n_columns + 1;
  emg_status status;

  for (int i = 0; i < n_rows; i++) {
    column_of_row[i] = -1;
  }
  EMG_TRY_DONE(emg_alloc(rows, sizeof(double), &a.row_potential, err));
  EMG_TRY_DONE(emg_alloc(columns, sizeof(double), &a.column_potential, err));
  EMG_TRY_DONE(emg_alloc(columns, sizeof(double), &a.slack, err));
  EMG_TRY_DONE(emg_alloc(columns, sizeof(int), &a.row_of_column, err));
  EMG_TRY_DONE(emg_alloc(columns, sizeof(int), &a.came_from, err));
  EMG_TRY_DONE(emg_alloc(columns, sizeof(bool), &a.is_done, err));

  for (int row = 1; row <= a.n_rows; row++) {
    add_row(&a, row);
  }
  for (int j = 1; j <= a.n_columns; j++) {
    int row = a.row_of_column[j];
    if (row > 0) {
      column_of_row[is_turned ? j - 1 : row - 1] = is_turned ? row - 1 : j - 1;
    }
  }

done:
  free(a.row_potential);
  free(a.column_potential);
  free(a.slack);
  free(a.row_of_column);
  free(a.came_from);
  free(a.is_done);
  return status;
}
