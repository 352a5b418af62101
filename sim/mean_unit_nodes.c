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
// A transient fades out over this many length scales.
#define FADE 4.0
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
}

// --- Places along the fibre ---------------------------------------------------------------------

// Three-point Gauss-Hermite rule for a normal distribution.
static void fill_end_plates(const emg_mean_model *model, const emg_mean_unit *unit,
                            emg_unit_course *course) {
  static const double weight[EMG_ZONE_NODES] = {1.0 / 6, 2.0 / 3, 1.0 / 6};

  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    double at = (g - 1) * sqrt(3), slope;
    double z_mm = unit->value[EMG_UNIT_ZONE] + at * unit->value[EMG_UNIT_ZONE_SPREAD];
    course->end_plate_mm[g] =
        held(z_mm, model->z_low_mm, model->z_high_mm, END_ROUNDING_MM, &slope);
    course->weight[g] = weight[g];
    course->by_zone[g] = slope;
    course->by_spread[g] = at * slope;
  }
}

// An end is held beyond the outermost end-plate on its side.
static void place_stop(const emg_mean_model *model, const emg_mean_unit *unit, int side, int node,
                       emg_unit_course *course) {
  const double sign = side == 0 ? 1 : -1;
  const int last = side == 0 ? EMG_ZONE_NODES - 1 : 0;
  emg_unit_stop *stop = &course->stop[side][node];
  double within, beyond;
  double z_mm = unit->value[side == 0 ? EMG_UNIT_TENDON_1 : EMG_UNIT_TENDON_2] +
                (2 * node - 1) * model->range.tendon_spread_mm;

  z_mm = held(z_mm, model->z_low_mm, model->z_high_mm, END_ROUNDING_MM, &within);
  const double plate_mm = course->end_plate_mm[last];
  stop->place_mm = plate_mm + sign * ramp(sign * (z_mm - plate_mm), END_ROUNDING_MM, &beyond);
  stop->by_place[0] = 0;
  stop->by_place[1] = (1 - beyond) * course->by_zone[last];
  stop->by_place[2] = (1 - beyond) * course->by_spread[last];
  stop->by_place[3] = beyond * within;
}

// --- Time course --------------------------------------------------------------------------------

// First sample at which the distance run exceeds `x_mm`.
static int sample_after(const emg_unit_course *course, double x_mm, int n_samples) {
  double sample = floor((x_mm - course->x_zero_mm) / course->x_step_mm) + 1;

  return sample < 0 ? 0 : sample > n_samples ? n_samples : (int)sample;
}

// e^-u u^i for i < 4 and its derivative by u, faded out from u = tail on.
static void transient_at(double u, double tail, double value[4], double slope[4]) {
  double s = fmax(0, fmin(1, (u - tail) / FADE));
  double window = 1 - s * s * (3 - 2 * s), by_window = -6 * s * (1 - s) / FADE;
  double e = exp(-u), power = 1, before = 0;

  for (int i = 0; i < 4; i++) {
    value[i] = window * e * power;
    slope[i] = window * e * (i * before - power) + by_window * e * power;
    before = power;
    power *= u;
  }
}

static void fill_start(const emg_mean_model *model, emg_unit_course *course) {
  emg_unit_start *start = &course->start;
  const double end_mm = (model->tail + FADE) * model->scale_mm;

  start->first = course->first;
  start->count = sample_after(course, end_mm, model->range.n_samples) - start->first;
  for (int m = 0; m < start->count; m++) {
    double x_mm = course->x_zero_mm + (start->first + m) * course->x_step_mm;
    transient_at(x_mm / model->scale_mm, model->tail, start->value[m], start->by_x[m]);
    for (int i = 0; i < 4; i++) {
      start->by_x[m][i] /= model->scale_mm;
    }
  }
}

// Adds the fibres of one end-plate. A wave has x to run to the end: u = (x - length) / l.
static void add_stop(const emg_mean_model *model, const emg_unit_course *course, int side, int g,
                     emg_unit_stop *stop) {
  const double sign = side == 0 ? 1 : -1, l = model->scale_mm;
  const double length_mm = sign * (stop->place_mm - course->end_plate_mm[g]);
  const double weight = course->weight[g] / EMG_TENDON_NODES;
  const int begin = sample_after(course, length_mm, model->range.n_samples);
  const int end =
      sample_after(course, length_mm + (model->tail + FADE) * l, model->range.n_samples);
  const double by_length[4] = {0, sign * (stop->by_place[1] - course->by_zone[g]),
                               sign * (stop->by_place[2] - course->by_spread[g]),
                               sign * stop->by_place[3]};

  for (int m = begin; m < end; m++) {
    double value[4], slope[4];
    transient_at((course->x_zero_mm + m * course->x_step_mm - length_mm) / l, model->tail, value,
                 slope);
    for (int i = 0; i < 4; i++) {
      double *by = stop->by[m - stop->first][i];
      stop->value[m - stop->first][i] += weight * value[i];
      by[0] += weight * slope[i] / l;
      for (int p = 1; p < 4; p++) {
        by[p] -= weight * slope[i] / l * by_length[p];
      }
    }
  }
}

static void fill_stop(const emg_mean_model *model, emg_unit_course *course, int side, int node) {
  emg_unit_stop *stop = &course->stop[side][node];
  const int nearest = side == 0 ? EMG_ZONE_NODES - 1 : 0, furthest = EMG_ZONE_NODES - 1 - nearest;
  const double tail_mm = (model->tail + FADE) * model->scale_mm;
  double shortest_mm = fabs(stop->place_mm - course->end_plate_mm[nearest]);
  double longest_mm = fabs(stop->place_mm - course->end_plate_mm[furthest]);

  stop->first = sample_after(course, shortest_mm, model->range.n_samples);
  stop->count = sample_after(course, longest_mm + tail_mm, model->range.n_samples) - stop->first;
  memset(stop->value, 0, (size_t)stop->count * sizeof *stop->value);
  memset(stop->by, 0, (size_t)stop->count * sizeof *stop->by);
  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    add_stop(model, course, side, g, stop);
  }
}

// How long each wave travels.
static void fill_runs(const emg_mean_model *model, emg_unit_course *course, int side) {
  const emg_unit_stop *stop = course->stop[side];

  for (int g = 0; g < EMG_ZONE_NODES; g++) {
    int end[EMG_TENDON_NODES];
    for (int i = 0; i < EMG_TENDON_NODES; i++) {
      double length_mm = fabs(stop[i].place_mm - course->end_plate_mm[g]);
      end[i] = sample_after(course, length_mm, model->range.n_samples);
    }
    course->both[side][g] = end[0] < end[1] ? end[0] : end[1];
    course->one[side][g] = end[0] < end[1] ? end[1] : end[0];
  }
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
  for (int side = 0; side < 2; side++) {
    for (int node = 0; node < EMG_TENDON_NODES; node++) {
      place_stop(model, unit, side, node, course);
      fill_stop(model, course, side, node);
      int end = course->stop[side][node].first + course->stop[side][node].count;
      course->end = end > course->end ? end : course->end;
    }
    fill_runs(model, course, side);
  }
}

emg_status emg_unit_course_create(int n_samples, emg_unit_course *out, emg_error *err) {
  emg_status status = EMG_OK;
  const size_t n = (size_t)n_samples;

  *out = (emg_unit_course){0};
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *out->start.value, &out->start.value, err));
  EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *out->start.by_x, &out->start.by_x, err));
  for (int i = 0; i < 2 * EMG_TENDON_NODES; i++) {
    emg_unit_stop *stop = &out->stop[i / EMG_TENDON_NODES][i % EMG_TENDON_NODES];
    EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *stop->value, &stop->value, err));
    EMG_TRY_DONE(emg_alloc_aligned(n, sizeof *stop->by, &stop->by, err));
  }
done:
  if (status != EMG_OK) {
    emg_unit_course_free(out);
  }
  return status;
}

void emg_unit_course_free(emg_unit_course *course) {
  free(course->start.value);
  free(course->start.by_x);
  for (int i = 0; i < 2 * EMG_TENDON_NODES; i++) {
    free(course->stop[i / EMG_TENDON_NODES][i % EMG_TENDON_NODES].value);
    free(course->stop[i / EMG_TENDON_NODES][i % EMG_TENDON_NODES].by);
  }
  *course = (emg_unit_course){0};
}
