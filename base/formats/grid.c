// grid.c -- rows, columns and inter-electrode distance from electrode positions
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/formats.h"

enum { CHANNELS_LOOKED_AT = 2048 };  // every pair of channels is looked at: larger sets are not

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double distance_mm(const emg_channel *a, const emg_channel *b) {
  double x = a->x_mm - b->x_mm, y = a->y_mm - b->y_mm;
  double z = isfinite(a->z_mm) && isfinite(b->z_mm) ? a->z_mm - b->z_mm : 0;
  return sqrt(x * x + y * y + z * z);
}

typedef enum { APART, IN_A_ROW, IN_A_COLUMN } neighbours;

// Where rows are unknown, any two electrodes of a group.
static neighbours relation(const emg_channel *a, const emg_channel *b) {
  if (strcmp(a->group, b->group) != 0) {
    return APART;
  }
  if (a->row < 0 || b->row < 0 || (a->column == b->column && abs(a->row - b->row) == 1)) {
    return IN_A_COLUMN;
  }
  return a->row == b->row && abs(a->column - b->column) == 1 ? IN_A_ROW : APART;
}

void emg_grid_pitch(emg_recording *rec) {
  int n = rec->data.n_rows, n_found = 0;
  double *nearest;

  rec->pitch_mm = NAN;
  if (n < 2 || n > CHANNELS_LOOKED_AT ||
      emg_alloc((size_t)n, sizeof *nearest, &nearest, NULL) != EMG_OK) {
    return;
  }
  for (int i = 0; i < n; i++) {
    // along a column: around the limb the skin is curved and the straight line too short
    double nearest_mm[] = {INFINITY, INFINITY, INFINITY};
    for (int j = 0; j < n; j++) {
      double d = distance_mm(&rec->channels[i], &rec->channels[j]);
      double *least_mm = &nearest_mm[relation(&rec->channels[i], &rec->channels[j])];
      *least_mm = j != i && d > 0 && d < *least_mm ? d : *least_mm;
    }
    double least = nearest_mm[isfinite(nearest_mm[IN_A_COLUMN]) ? IN_A_COLUMN : IN_A_ROW];
    if (isfinite(least)) {
      nearest[n_found++] = least;
    }
  }
  if (n_found > 0) {
    qsort(nearest, (size_t)n_found, sizeof *nearest, compare_doubles);
    rec->pitch_mm = nearest[n_found / 2];
  }
  free(nearest);
}

// Distinct values in ascending order, those closer than `tolerance` taken as one; their number.
static int distinct(double *values, int n, double tolerance) {
  int n_distinct = 0;

  qsort(values, (size_t)n, sizeof *values, compare_doubles);
  for (int i = 0; i < n; i++) {
    if (n_distinct == 0 || values[i] - values[n_distinct - 1] > tolerance) {
      values[n_distinct++] = values[i];
    }
  }
  return n_distinct;
}

static int index_of(const double *values, int n, double value, double tolerance) {
  for (int i = 0; i < n; i++) {
    if (fabs(values[i] - value) <= tolerance) {
      return i;
    }
  }
  return -1;
}

// Number the rows (along y) and columns (along x) of the channels listed in `members`, if they are
// the nodes of a grid that is at least half full.
static void number_group(emg_recording *rec, const int *members, int n, double *x, double *y) {
  const double tolerance = 0.05;

  for (int i = 0; i < n; i++) {
    x[i] = rec->channels[members[i]].x_mm;
    y[i] = rec->channels[members[i]].y_mm;
  }
  int n_columns = distinct(x, n, tolerance), n_rows = distinct(y, n, tolerance);
  if (n < 2 || (int64_t)n_columns * n_rows > 2 * (int64_t)n) {
    return;
  }
  for (int i = 0; i < n; i++) {
    emg_channel *channel = &rec->channels[members[i]];
    channel->row = index_of(y, n_rows, channel->y_mm, tolerance);
    channel->column = index_of(x, n_columns, channel->x_mm, tolerance);
  }
}

emg_status emg_grid_from_positions(emg_recording *rec, emg_error *err) {
  int n = rec->data.n_rows;
  double *x;
  int *members;
  bool *is_done;

  if (n > CHANNELS_LOOKED_AT) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)n + 1, 2 * sizeof *x + sizeof *members + sizeof *is_done, &x, err));
  members = (int *)(x + 2 * n);
  is_done = (bool *)(members + n);
  for (int first = 0; first < n; first++) {
    int n_members = 0;

    for (int c = first; c < n && !is_done[first]; c++) {
      const emg_channel *channel = &rec->channels[c];
      if (!is_done[c] && strcmp(channel->group, rec->channels[first].group) == 0 &&
          channel->row < 0 && isfinite(channel->x_mm) && isfinite(channel->y_mm)) {
        members[n_members++] = c;
        is_done[c] = c != first;
      }
    }
    is_done[first] = true;
    number_group(rec, members, n_members, x, x + n);
  }
  free(x);
  emg_grid_pitch(rec);
  return EMG_OK;
}
