// mean_unit_nodes.c -- parameters of a unit to nodes over its fibres and their time course
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// Half widths over which limits take hold: of places in the cross-section, along z, and the
// shortest half of a fibre.
#define PLACE_ROUNDING_MM 0.2
#define END_ROUNDING_MM 1.0
// Added to the spread of end-plates, so that velocities may differ where end-plates do not.
#define LEAST_SPREAD_MM 1e-3
// No node is nearer to the axis than this, where angles lose their meaning.
#define AXIS_MM 1e-3

// max(x, 0), rounded within `width` so that its derivative is continuous.
static double ramp(double x, double width, double *slope) {
  if (x <= -width || x >= width) {
    *slope = x > 0;
    return x > 0 ? x : 0;
  }
  *slope = (x + width) / (2 * width);
  return (x + width) * (x + width) / (4 * width);
}

// x held in [low, high].
static double held(double x, double low, double high, double width, double *slope) {
  double lower, upper;
  double y = low + ramp(x - low, width, &lower);

  y = high - ramp(high - y, width, &upper);
  *slope = lower * upper;
  return y;
}

// --- Places in the cross-section ----------------------------------------------------------------

// Cell of the radius, uniform in ln g, and the splines there.
static void fill_cell(const emg_mean_table *table, emg_place_node *node) {
  const double distance_mm = table->near_mm + table->outer_mm - node->radius_mm;
  const double place = log(distance_mm / table->near_mm) / table->log_step;
  double value[4], slope[4];

  node->cell = (int)fmax(0, fmin(place, table->n_radii - 4));
  emg_cubic_weights(place - node->cell, value, slope);
  for (int i = 0; i < 4; i++) {
    node->in_radius[i] = node->weight * value[i];
    node->by_radius[i] = -node->weight * slope[i] / (distance_mm * table->log_step);
  }
}

// Seven points over a disc: the centre and a hexagon at sqrt(2/3) of the radius (Abramowitz &
// Stegun 1964, 25.4.61).
static void fill_place(const emg_mean_table *table, double skin_mm, const emg_mean_unit *unit,
                       int node, emg_place_node *out) {
  const double *value = unit->value;
  const double reach = node > 0 ? sqrt(2.0 / 3) : 0, angle = (node - 1) * M_PI / 3;
  const double a = reach * cos(angle), b = reach * sin(angle);
  const double x = table->outer_mm - value[EMG_UNIT_DEPTH] + a * value[EMG_UNIT_TERRITORY];
  const double y = b * value[EMG_UNIT_TERRITORY];
  const double radius_mm = fmax(hypot(x, y), AXIS_MM), square = radius_mm * radius_mm;
  double slope;

  out->weight = node > 0 ? 0.125 : 0.25;
  out->radius_mm =
      held(radius_mm, table->radius_min_mm, table->outer_mm, PLACE_ROUNDING_MM, &slope);
  out->theta_rad = value[EMG_UNIT_ARC] / skin_mm + atan2(y, x);
  out->radius_by[0] = -slope * x / radius_mm;
  out->radius_by[1] = 0;
  out->radius_by[2] = slope * (a * x + b * y) / radius_mm;
  out->theta_by[0] = y / square;
  out->theta_by[1] = 1 / skin_mm;
  out->theta_by[2] = (x * b - y * a) / square;
  fill_cell(table, out);
}

// --- Places along the fibre ---------------------------------------------------------------------

// Gauss-Hermite rule of five points for a normal distribution.
static const double normal_at[EMG_ZONE_NODES] = {-2.8569700138728056, -1.3556261799742659, 0,
                                                 1.3556261799742659, 2.8569700138728056};
static const double normal_weight[EMG_ZONE_NODES] = {0.011257411327720689, 0.22207592200561265,
                                                     0.53333333333333333, 0.22207592200561265,
                                                     0.011257411327720689};

static void fill_end_plates(const emg_mean_model *model, const emg_mean_unit *unit,
                            emg_unit_course *course) {
  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    double slope;
    double z_mm = unit->value[EMG_UNIT_ZONE] + normal_at[g] * unit->value[EMG_UNIT_ZONE_SPREAD];
    course->end_plate_mm[g] =
        held(z_mm, model->z_low_mm, model->z_high_mm, END_ROUNDING_MM, &slope);
    course->weight[g] = normal_weight[g];
    course->by_zone[g] = slope;
    course->by_spread[g] = normal_at[g] * slope;
  }
}

// The tendon, held beyond the outermost end-plate on its side by what its ends are spread.
static void place_stops(const emg_mean_model *model, const emg_mean_unit *unit, int side,
                        emg_unit_course *course) {
  const double sign = side == 0 ? 1 : -1;
  const int last = side == 0 ? EMG_ZONE_NODES - 1 : 0;
  const double nearest_mm = course->end_plate_mm[last] + sign * model->ends.reach_mm;
  double within, beyond;
  double z_mm = held(unit->value[side == 0 ? EMG_UNIT_TENDON_1 : EMG_UNIT_TENDON_2],
                     model->z_low_mm, model->z_high_mm, END_ROUNDING_MM, &within);

  course->tendon_mm[side] =
      nearest_mm + sign * ramp(sign * (z_mm - nearest_mm), END_ROUNDING_MM, &beyond);
  double *by = course->by_tendon[side];
  by[EMG_BY_RUN] = 0;
  by[EMG_BY_ZONE] = (1 - beyond) * course->by_zone[last];
  by[EMG_BY_SPREAD] = (1 - beyond) * course->by_spread[last];
  by[EMG_BY_TENDON] = beyond * within;
  for (int v = 0; v < model->ends.n_nodes; v++) {
    // ends are counted outwards
    course->stop[side][v].place_mm = course->tendon_mm[side] + sign * model->ends.place_mm[v];
  }
}

// --- Time course --------------------------------------------------------------------------------

// First sample at which the mean fibre has run further than `x_mm`.
static int sample_after(const emg_unit_course *course, double x_mm, int n_samples) {
  double sample = floor((x_mm - course->x_zero_mm) / course->x_step_mm) + 1;

  return sample < 0 ? 0 : sample > n_samples ? n_samples : (int)sample;
}

// First sample at which this wave has run further than `length_mm`.
static int sample_past(const emg_unit_course *course, const emg_unit_run *run, double length_mm,
                       int n_samples) {
  int low = course->first, high = n_samples;

  while (low < high) {
    int middle = low + (high - low) / 2;
    if (run->run_mm[middle] > length_mm) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Where the waves are at distance x of the mean fibre is normal with variance s^2 = spread^2 +
// (cv_spread x)^2, since velocities differ too; a node keeps its place in that distribution:
//   run = x +- at (s(x) - s(0)).
static void fill_run(const emg_mean_model *model, const emg_mean_unit *unit, int side, int g,
                     emg_unit_course *course) {
  const double at = side == 0 ? normal_at[g] : -normal_at[g], part = model->range.cv_spread;
  const double spread = unit->value[EMG_UNIT_ZONE_SPREAD];
  const double s_zero = hypot(spread, LEAST_SPREAD_MM);
  emg_unit_run *run = &course->run[side][g];

  for (int m = course->first; m < model->range.n_samples; m++) {
    const double x_mm = course->x_zero_mm + m * course->x_step_mm;
    const double s = sqrt(s_zero * s_zero + part * part * x_mm * x_mm);
    run->run_mm[m] = x_mm + at * (s - s_zero);
    run->by[m][EMG_BY_RUN] = 1 + at * part * part * x_mm / s;
    run->by[m][EMG_BY_ZONE] = 0;
    run->by[m][EMG_BY_SPREAD] = at * spread * (1 / s - 1 / s_zero);
    run->by[m][EMG_BY_TENDON] = 0;
  }
}

static void fill_start(const emg_mean_model *model, emg_unit_course *course) {
  emg_unit_start *start = &course->start;
  const double end_mm = emg_transient_end(model->tail) * model->scale_mm;

  start->first = course->first;
  start->count = sample_after(course, end_mm, model->range.n_samples) - start->first;
  for (int m = 0; m < start->count; m++) {
    double x_mm = course->x_zero_mm + (start->first + m) * course->x_step_mm;
    emg_transient_at(x_mm / model->scale_mm, model->tail, start->value[m], start->by_run[m]);
    for (int i = 0; i < 4; i++) {
      start->by_run[m][i] /= model->scale_mm;
    }
  }
}

// Waves from one end-plate reach the tendon: y is how far their front is beyond it.
static void add_ends(const emg_mean_model *model, int side, int g, int first, int end,
                     emg_unit_course *course) {
  const emg_end_rule *ends = &model->ends;
  const double sign = side == 0 ? 1 : -1, weight = course->weight[g];
  const double length_mm = sign * (course->tendon_mm[side] - course->end_plate_mm[g]);
  const double *by_tendon = course->by_tendon[side];
  emg_unit_run *run = &course->run[side][g];
  const double by_length[4] = {0, sign * (by_tendon[EMG_BY_ZONE] - course->by_zone[g]),
                               sign * (by_tendon[EMG_BY_SPREAD] - course->by_spread[g]),
                               sign * by_tendon[EMG_BY_TENDON]};

  for (int m = first; m < end; m++) {
    double value[EMG_TENDON_NODES][4], slope[EMG_TENDON_NODES][4], by[4];
    const double y_mm = run->run_mm[m] - length_mm;
    emg_end_rule_transients(ends, y_mm, value, slope);
    for (int p = 0; p < 4; p++) {
      by[p] = weight * (run->by[m][p] - by_length[p]);
    }
    for (int v = 0; v < ends->n_nodes; v++) {
      emg_unit_stop *stop = &course->stop[side][v];
      const int at = m - stop->first;
      for (int i = 0; i < 4; i++) {
        stop->value[at][i] += weight * value[v][i];
        for (int p = 0; p < 4; p++) {
          stop->by[at][i][p] += slope[v][i] * by[p];
        }
      }
    }
  }
}

// The part of each wave that is under way; derivatives of its distance become those of its place
// as an electrode sees it.
static void fill_parts(const emg_mean_model *model, int side, int g, emg_unit_course *course) {
  const double sign = side == 0 ? 1 : -1, weight = course->weight[g];
  const double length_mm = sign * (course->tendon_mm[side] - course->end_plate_mm[g]);
  const double *by_tendon = course->by_tendon[side];
  const double by_zone = sign * course->by_zone[g], by_spread = sign * course->by_spread[g];
  emg_unit_run *run = &course->run[side][g];

  run->end = sample_past(course, run, length_mm + model->ends.reach_mm, model->range.n_samples);
  for (int m = course->first; m < run->end; m++) {
    double slope, *by = run->by[m], *by_part = run->by_part[m];
    run->part[m] = weight * emg_end_rule_part(&model->ends, run->run_mm[m] - length_mm, &slope);
    slope *= weight;
    by[EMG_BY_ZONE] += by_zone;
    by[EMG_BY_SPREAD] += by_spread;
    for (int p = 0; p < 4; p++) {
      by_part[p] = slope * (by[p] - sign * by_tendon[p]);
      by[p] *= run->part[m];
    }
  }
}

static void fill_side(const emg_mean_model *model, const emg_mean_unit *unit, int side,
                      emg_unit_course *course) {
  const double sign = side == 0 ? 1 : -1, reach_mm = model->ends.reach_mm;
  const double tail_mm = emg_transient_end(model->tail) * model->scale_mm + reach_mm;
  int begin[EMG_ZONE_NODES], end[EMG_ZONE_NODES];
  int first = model->range.n_samples, last = course->first;

  place_stops(model, unit, side, course);
  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    emg_unit_run *run = &course->run[side][g];
    double length_mm = sign * (course->tendon_mm[side] - course->end_plate_mm[g]);
    fill_run(model, unit, side, g, course);
    begin[g] = sample_past(course, run, length_mm - reach_mm, model->range.n_samples);
    end[g] = sample_past(course, run, length_mm + tail_mm, model->range.n_samples);
    first = begin[g] < first ? begin[g] : first;
    last = end[g] > last ? end[g] : last;
  }
  for (int v = 0; v < model->ends.n_nodes; v++) {
    emg_unit_stop *stop = &course->stop[side][v];
    stop->first = first;
    stop->count = last > first ? last - first : 0;
    memset(stop->value, 0, (size_t)stop->count * sizeof *stop->value);
    memset(stop->by, 0, (size_t)stop->count * sizeof *stop->by);
  }
  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    add_ends(model, side, g, begin[g], end[g], course);
    fill_parts(model, side, g, course);
  }
  course->end = last > course->end ? last : course->end;
}

void emg_unit_course_fill(const emg_mean_model *model, const emg_mean_unit *unit,
                          emg_unit_course *course) {
  const double step_ms = 1e3 / model->range.rate_hz;
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(&model->source.conductor);

  for (int i = 0; i < EMG_MEAN_NODES; i++) {
    fill_place(&model->table, skin_mm, unit, i, &course->places[i]);
  }
  fill_end_plates(model, unit, course);
  course->cv = unit->value[EMG_UNIT_CV];
  course->latency_ms = unit->value[EMG_UNIT_LATENCY];
  course->x_zero_mm = course->cv * (-model->range.origin * step_ms - course->latency_ms);
  course->x_step_mm = course->cv * step_ms;
  course->first = sample_after(course, 0, model->range.n_samples);
  fill_start(model, course);
  course->end = course->start.first + course->start.count;
  fill_side(model, unit, 0, course);
  fill_side(model, unit, 1, course);
}

// --- Room ---------------------------------------------------------------------------------------

emg_status emg_unit_course_create(int n_samples, emg_unit_course *out, emg_error *err) {
  emg_status status = EMG_OK;
  const size_t n = (size_t)n_samples;

  *out = (emg_unit_course){0};
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *out->start.value, &out->start.value, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *out->start.by_run, &out->start.by_run, err));
  for (int side = 0; side < 2; side++) {
    for (int g = 0; g < EMG_ZONE_NODES; g++) {
      emg_unit_run *run = &out->run[side][g];
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *run->run_mm, &run->run_mm, err));
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *run->part, &run->part, err));
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *run->by, &run->by, err));
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *run->by_part, &run->by_part, err));
    }
    for (int node = 0; node < EMG_TENDON_NODES; node++) {
      emg_unit_stop *stop = &out->stop[side][node];
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *stop->value, &stop->value, err));
      EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *stop->by, &stop->by, err));
    }
  }
done:
  if (status != EMG_OK) {
    emg_unit_course_free(out);
  }
  return status;
}

void emg_unit_course_free(emg_unit_course *course) {
  free(course->start.value);
  free(course->start.by_run);
  for (int side = 0; side < 2; side++) {
    for (int g = 0; g < EMG_ZONE_NODES; g++) {
      free(course->run[side][g].run_mm);
      free(course->run[side][g].part);
      free(course->run[side][g].by);
      free(course->run[side][g].by_part);
    }
    for (int node = 0; node < EMG_TENDON_NODES; node++) {
      free(course->stop[side][node].value);
      free(course->stop[side][node].by);
    }
  }
  *course = (emg_unit_course){0};
}
