// mean_unit_sum.c -- waves and transients of a mean unit at each electrode, with derivatives
//
// Cost at 13 x 5 electrodes and 80 samples at 2048 Hz: docs/inversion.md.
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/kernel.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct emg_mean_scratch {
  emg_unit_course course;
  emg_unit_lines *lines;
  double (*values)[8];
  emg_lanes (*lanes)[EMG_POWERS];
  double *value;         // [n_samples]
  emg_lanes *potential;  // [n_samples]: value and derivatives by place in the cross-section
  emg_lanes *along[2];   // [n_samples]: by the above, with tendon 1 and tendon 2
};

// Where the results go, one of the two precisions.
typedef struct {
  float *out_f, *derivatives_f;
  double *out_d, *derivatives_d;
} destination;

// --- One place along z --------------------------------------------------------------------------

// Cell and place in it; places are positive.
ALWAYS_INLINE int cell_of(double place, double *f) {
  int cell = (int)place;

  *f = place - cell;
  return cell;
}

// D^n p for n = 0 .. 4 of a polynomial, D = l d/dz, `ratio` = l / step. With q0 = 6 D p.
#define PRIMITIVE_DERIVATIVES(type, power, f, ratio, d)                                          \
  do {                                                                                           \
    const type y3_ = 6 * power[4] + 24 * f * power[5];                                           \
    const type y2_ = 2 * power[3] + f * (6 * power[4] + 12 * f * power[5]);                      \
    const type y1_ = power[2] + f * (2 * power[3] + f * (3 * power[4] + 4 * f * power[5]));      \
    const type y0_ = power[1] + f * (power[2] + f * (power[3] + f * (power[4] + f * power[5]))); \
    const type area_ =                                                                           \
        f * (power[1] +                                                                          \
             f * (power[2] / 2 + f * (power[3] / 3 + f * (power[4] / 4 + f * power[5] / 5))));   \
    d[0] = power[0] + area_ / (6 * ratio);                                                       \
    d[1] = y0_ / 6;                                                                              \
    d[2] = y1_ * (ratio / 6);                                                                    \
    d[3] = y2_ * (ratio * ratio / 6);                                                            \
    d[4] = y3_ * (ratio * ratio * ratio / 6);                                                    \
  } while (0)

// q_i for i < 4 from D^n p, n = from .. from + 3; from = 1 gives l dq_i/dz.
#define LEAD_FUNCTIONS(d, from, q)                                    \
  do {                                                                \
    q[0] = 6 * d[from + 1];                                           \
    q[1] = 6 * (d[from + 1] - d[from + 2]);                           \
    q[2] = 3 * (d[from + 1] - 2 * d[from + 2] + d[from + 3]);         \
    q[3] = d[from] - 3 * d[from + 1] + 3 * d[from + 2] - d[from + 3]; \
  } while (0)

// Place of an electrode in cells, seen from a point of the fibres: side 0 looks along the wave that
// runs to +z, side 1 along the other.
ALWAYS_INLINE double place_of(const emg_mean_table *table, const emg_cells *cells, int side,
                              double electrode_mm, double point_mm) {
  double offset_mm = side == 0 ? electrode_mm - point_mm : point_mm - electrode_mm;

  return offset_mm / table->offset_step_mm + (table->n_half - cells->first);
}

// --- Potential alone ----------------------------------------------------------------------------

ALWAYS_INLINE void add_run(const emg_cells *cells, const emg_unit_run *run, double place,
                           double per_mm, int begin, double *out) {
  for (int m = begin; m < run->end; m++) {
    double f;
    const double *c = cells->values[cell_of(place - run->run_mm[m] * per_mm, &f)];
    out[m] += run->part[m] * (c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * c[5]))));
  }
}

ALWAYS_INLINE void lead_values(const emg_cells *cells, double place, double ratio, double q[4]) {
  double f, d[5];
  const double *c = cells->values[cell_of(place, &f)];

  PRIMITIVE_DERIVATIVES(double, c, f, ratio, d);
  LEAD_FUNCTIONS(d, 0, q);
}

ALWAYS_INLINE void add_transient(const double (*value)[4], int first, int count, const double q[4],
                                 double *out) {
  for (int m = 0; m < count; m++) {
    const double *v = value[m];
    out[first + m] += q[0] * v[0] + q[1] * v[1] + q[2] * v[2] + q[3] * v[3];
  }
}

EMG_KERNEL
static void sum_value(const emg_mean_model *model, const emg_unit_course *course,
                      const emg_cells *cells, double electrode_mm, double *out) {
  const emg_mean_table *table = &model->table;
  const double per_mm = 1 / table->offset_step_mm;
  const double ratio = model->scale_mm / table->offset_step_mm;
  double start[4] = {0}, q[4];

  for (int side = 0; side < 2; side++) {
    for (int g = 0; g < EMG_ZONE_NODES; g++) {
      const double weight = course->weight[g];
      double place = place_of(table, cells, side, electrode_mm, course->end_plate_mm[g]);

      add_run(cells, &course->run[side][g], place, per_mm, course->first, out);
      lead_values(cells, place, ratio, q);
      for (int i = 0; i < 4; i++) {
        start[i] -= weight * q[i];
      }
    }
    for (int node = 0; node < model->ends.n_nodes; node++) {
      const emg_unit_stop *stop = &course->stop[side][node];
      lead_values(cells, place_of(table, cells, side, electrode_mm, stop->place_mm), ratio, q);
      add_transient((const double(*)[4])stop->value, stop->first, stop->count, q, out);
    }
  }
  add_transient((const double(*)[4])course->start.value, course->start.first, course->start.count,
                start, out);
}

// --- Potential and derivatives ------------------------------------------------------------------

ALWAYS_INLINE void add_run_lanes(const emg_cells *cells, const emg_unit_run *run, double place,
                                 double per_mm, int begin, emg_lanes *potential, emg_lanes *along) {
  for (int m = begin; m < run->end; m++) {
    double f;
    const emg_lanes *c = cells->lanes[cell_of(place - run->run_mm[m] * per_mm, &f)];
    const double slope = c[2][0] + f * (2 * c[3][0] + f * (3 * c[4][0] + f * (4 * c[5][0])));
    const double *by = run->by[m], *part = run->by_part[m];
    const emg_lanes value = c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * c[5])));
    potential[m] += run->part[m] * value;
    along[m] += value[0] * (emg_lanes){part[0], part[1], part[2], part[3]} -
                slope * per_mm * (emg_lanes){by[0], by[1], by[2], by[3]};
  }
}

// q_i of all lanes, and l dq_i/dz of the potential.
ALWAYS_INLINE void lead_lanes(const emg_cells *cells, double place, double ratio, emg_lanes q[4],
                              double slope[4]) {
  double f;
  emg_lanes d[5];
  const emg_lanes *c = cells->lanes[cell_of(place, &f)];

  PRIMITIVE_DERIVATIVES(emg_lanes, c, f, ratio, d);
  LEAD_FUNCTIONS(d, 0, q);
  const double first[5] = {d[0][0], d[1][0], d[2][0], d[3][0], d[4][0]};
  LEAD_FUNCTIONS(first, 1, slope);
}

// The start of the waves, summed over end-plates and sides; `shift` are derivatives by zone and
// spread.
ALWAYS_INLINE void add_start_lanes(const emg_unit_start *start, const emg_lanes q[4],
                                   const emg_lanes shift[4], emg_lanes *potential,
                                   emg_lanes *along) {
  for (int m = 0; m < start->count; m++) {
    const double *v = start->value[m], *x = start->by_run[m];
    emg_lanes sum = {0}, by = {0};
    for (int i = 0; i < 4; i++) {
      sum += q[i] * v[i];
      by += shift[i] * v[i];
      by[EMG_BY_RUN] += q[i][0] * x[i];
    }
    potential[start->first + m] += sum;
    along[start->first + m] += by;
  }
}

ALWAYS_INLINE void add_stop_lanes(const emg_unit_stop *stop, const emg_lanes q[4],
                                  const emg_lanes shift[4], emg_lanes *potential,
                                  emg_lanes *along) {
  for (int m = 0; m < stop->count; m++) {
    const double *v = stop->value[m];
    emg_lanes sum = {0}, by = {0};
    for (int i = 0; i < 4; i++) {
      const double *b = stop->by[m][i];
      sum += q[i] * v[i];
      by += q[i][0] * (emg_lanes){b[0], b[1], b[2], b[3]} + shift[i] * v[i];
    }
    potential[stop->first + m] += sum;
    along[stop->first + m] += by;
  }
}

EMG_KERNEL
static void sum_lanes(const emg_mean_model *model, const emg_unit_course *course,
                      const emg_cells *cells, double electrode_mm, emg_lanes *potential,
                      emg_lanes *const along[2]) {
  const emg_mean_table *table = &model->table;
  const double per_mm = 1 / table->offset_step_mm;
  const double ratio = model->scale_mm / table->offset_step_mm;
  emg_lanes start[4] = {{0}}, start_shift[4] = {{0}}, q[4], shift[4];
  double slope[4];

  for (int side = 0; side < 2; side++) {
    const double away = side == 0 ? -1 : 1;  // of the argument, as the source moves to +z

    for (int g = 0; g < EMG_ZONE_NODES; g++) {
      const double weight = course->weight[g];
      const emg_lanes move = {0, away * course->by_zone[g], away * course->by_spread[g], 0};
      double place = place_of(table, cells, side, electrode_mm, course->end_plate_mm[g]);

      add_run_lanes(cells, &course->run[side][g], place, per_mm, course->first, potential,
                    along[side]);
      lead_lanes(cells, place, ratio, q, slope);
      for (int i = 0; i < 4; i++) {
        start[i] -= weight * q[i];
        start_shift[i] -= weight * slope[i] / model->scale_mm * move;
      }
    }
    for (int node = 0; node < model->ends.n_nodes; node++) {
      const emg_unit_stop *stop = &course->stop[side][node];
      const double *by = course->by_tendon[side];
      lead_lanes(cells, place_of(table, cells, side, electrode_mm, stop->place_mm), ratio, q,
                 slope);
      for (int i = 0; i < 4; i++) {
        shift[i] = away * slope[i] / model->scale_mm * (emg_lanes){by[0], by[1], by[2], by[3]};
      }
      add_stop_lanes(stop, q, shift, potential, along[side]);
    }
  }
  add_start_lanes(&course->start, start, start_shift, potential, along[0]);
}

// --- Results ------------------------------------------------------------------------------------

// Derivative of sample m by every parameter.
ALWAYS_INLINE void derivatives_at(const emg_unit_course *course, const emg_mean_scratch *scratch,
                                  int m, double by[EMG_UNIT_PARAMETERS]) {
  const emg_lanes sum = scratch->along[0][m] + scratch->along[1][m];
  const double x_mm = course->x_zero_mm + m * course->x_step_mm;

  by[EMG_UNIT_DEPTH] = scratch->potential[m][1];
  by[EMG_UNIT_ARC] = scratch->potential[m][2];
  by[EMG_UNIT_TERRITORY] = scratch->potential[m][3];
  by[EMG_UNIT_ZONE] = sum[EMG_BY_ZONE];
  by[EMG_UNIT_ZONE_SPREAD] = sum[EMG_BY_SPREAD];
  by[EMG_UNIT_TENDON_1] = scratch->along[0][m][EMG_BY_TENDON];
  by[EMG_UNIT_TENDON_2] = scratch->along[1][m][EMG_BY_TENDON];
  by[EMG_UNIT_CV] = sum[EMG_BY_RUN] * x_mm / course->cv;
  by[EMG_UNIT_LATENCY] = -sum[EMG_BY_RUN] * course->cv;
}

#define STORE(type, out, derivatives)                                               \
  do {                                                                              \
    type *row_ = out + at;                                                          \
    memset(row_, 0, (size_t)n_samples * sizeof *row_);                              \
    for (int p = 0; p < EMG_UNIT_PARAMETERS && derivatives; p++) {                  \
      memset(derivatives + p * stride + at, 0, (size_t)n_samples * sizeof *row_);   \
    }                                                                               \
    for (int m = course->first; m < course->end; m++) {                             \
      row_[m] = (type)(derivatives ? scratch->potential[m][0] : scratch->value[m]); \
      if (derivatives) {                                                            \
        double by_[EMG_UNIT_PARAMETERS];                                            \
        derivatives_at(course, scratch, m, by_);                                    \
        for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {                             \
          derivatives[p * stride + at + m] = (type)by_[p];                          \
        }                                                                           \
      }                                                                             \
    }                                                                               \
  } while (0)

static void store(const emg_mean_model *model, const emg_mean_scratch *scratch, int electrode,
                  const destination *to) {
  const emg_unit_course *course = &scratch->course;
  const int n_samples = model->range.n_samples;
  const ptrdiff_t at = (ptrdiff_t)electrode * n_samples;
  const ptrdiff_t stride = (ptrdiff_t)model->n_electrodes * n_samples;

  if (to->out_f) {
    STORE(float, to->out_f, to->derivatives_f);
  } else {
    STORE(double, to->out_d, to->derivatives_d);
  }
}

static void sum_electrode(const emg_mean_model *model, emg_mean_scratch *scratch,
                          const emg_cells *cells, int electrode) {
  const emg_unit_course *course = &scratch->course;
  const double z_mm = model->z_mm[electrode];
  const size_t begin = (size_t)course->first, count = (size_t)(course->end - course->first);

  if (!cells->lanes) {
    memset(scratch->value + begin, 0, count * sizeof *scratch->value);
    sum_value(model, course, cells, z_mm, scratch->value);
    return;
  }
  memset(scratch->potential + begin, 0, count * sizeof *scratch->potential);
  memset(scratch->along[0] + begin, 0, count * sizeof *scratch->potential);
  memset(scratch->along[1] + begin, 0, count * sizeof *scratch->potential);
  sum_lanes(model, course, cells, z_mm, scratch->potential, scratch->along);
}

// --- Public -------------------------------------------------------------------------------------

static emg_status check_unit(const emg_mean_unit *unit, emg_error *err) {
  const double *value = unit->value;

  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    if (!isfinite(value[p]) || fabs(value[p]) > 1e6) {
      return emg_fail(err, EMG_ERR_ARG,
                      "parameter %d of a motor unit is %g: give a number up to 1e6", p, value[p]);
    }
  }
  if (!(value[EMG_UNIT_CV] > 0) || !(value[EMG_UNIT_TERRITORY] >= 0) ||
      !(value[EMG_UNIT_ZONE_SPREAD] >= 0)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a motor unit of %g m/s, a territory of %g mm and end-plates within %g mm: the "
                    "velocity must be positive, the others not negative",
                    value[EMG_UNIT_CV], value[EMG_UNIT_TERRITORY], value[EMG_UNIT_ZONE_SPREAD]);
  }
  return EMG_OK;
}

static emg_status evaluate(const emg_mean_model *model, const emg_mean_unit *unit,
                           emg_mean_scratch *scratch, const destination *to, emg_error *err) {
  const int has_derivatives = to->derivatives_f || to->derivatives_d;
  emg_cells cells = {.values = scratch->values, .lanes = has_derivatives ? scratch->lanes : NULL};

  EMG_TRY(check_unit(unit, err));
  emg_unit_course_fill(model, unit, &scratch->course);
  for (int c = 0; c < model->n_columns; c++) {
    const emg_mean_column *column = &model->columns[c];
    emg_unit_lines_fill(model, column, &scratch->course, scratch->lines, &cells);
    for (int i = column->begin; i < column->end; i++) {
      sum_electrode(model, scratch, &cells, model->order[i]);
      store(model, scratch, model->order[i], to);
    }
  }
  return EMG_OK;
}

emg_status emg_mean_unit_potential(const emg_mean_model *model, const emg_mean_unit *unit,
                                   emg_mean_scratch *scratch, float *out, emg_error *err) {
  return evaluate(model, unit, scratch, &(destination){.out_f = out}, err);
}

emg_status emg_mean_unit_derivatives(const emg_mean_model *model, const emg_mean_unit *unit,
                                     emg_mean_scratch *scratch, float *out, float *derivatives,
                                     emg_error *err) {
  return evaluate(model, unit, scratch, &(destination){.out_f = out, .derivatives_f = derivatives},
                  err);
}

emg_status emg_mean_unit_evaluate(const emg_mean_model *model, const emg_mean_unit *unit,
                                  emg_mean_scratch *scratch, double *out, double *derivatives,
                                  emg_error *err) {
  return evaluate(model, unit, scratch, &(destination){.out_d = out, .derivatives_d = derivatives},
                  err);
}

emg_status emg_mean_scratch_create(const emg_mean_model *model, emg_mean_scratch **out,
                                   emg_error *err) {
  emg_status status = EMG_OK;
  const size_t n = (size_t)model->range.n_samples, n_cells = (size_t)model->table.row_stride;
  emg_mean_scratch *scratch;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *scratch, &scratch, err));
  EMG_TRY_DONE(emg_unit_course_create(model->range.n_samples, &scratch->course, err));
  EMG_TRY_DONE(emg_unit_lines_create(model, &scratch->lines, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_cells, sizeof *scratch->values, &scratch->values, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_cells, sizeof *scratch->lanes, &scratch->lanes, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *scratch->value, &scratch->value, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *scratch->potential, &scratch->potential, err));
  for (int i = 0; i < 2; i++) {
    EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *scratch->along[i], &scratch->along[i], err));
  }
  *out = scratch;
  scratch = NULL;
done:
  emg_mean_scratch_free(scratch);
  return status;
}

void emg_mean_scratch_free(emg_mean_scratch *scratch) {
  if (scratch) {
    emg_unit_course_free(&scratch->course);
    emg_unit_lines_free(scratch->lines);
    free(scratch->values);
    free(scratch->lanes);
    free(scratch->value);
    free(scratch->potential);
    free(scratch->along[0]);
    free(scratch->along[1]);
    free(scratch);
  }
}
