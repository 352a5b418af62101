// engine_interior_fibre.c -- one fibre at points inside the muscle
#include "sim/engine_priv.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/kernel.h"
#include "sim/conductor_priv.h"
#include "sim/engine_lagrange.h"

struct emg_interior_scratch {
  float *line;   // [function][offset] of one electrode
  float *place;  // [n_samples] offset in steps of the line
};

// ln x for normal x > 0, to single precision (Cephes logf); in a form that compilers vectorise.
static inline float natural_log(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  int32_t exponent = (bits - 0x3f3504f3) >> 23;
  bits -= exponent * (1 << 23);
  float m;
  memcpy(&m, &bits, sizeof m);
  m -= 1;

  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  return (p * m - 0.5f) * m * m + m + (float)exponent * 0.693147181f;
}

static inline float stretched(float x) {
  float size = natural_log(fabsf(x) + sqrtf(x * x + 1));

  return x < 0 ? -size : size;
}

// Sum of lines with weights.
EMG_KERNEL
static void collapse(int n_lines, const float *const *lines, const float *weights, int n,
                     float *out) {
  for (int i = 0; i < n; i++) {
    out[i] = weights[0] * lines[0][i];
  }
  for (int l = 1; l < n_lines; l += 3) {
    const float *a = lines[l], *b = lines[l + 1], *c = lines[l + 2];
    for (int i = 0; i < n; i++) {
      out[i] += weights[l] * a[i] + weights[l + 1] * b[i] + weights[l + 2] * c[i];
    }
  }
}

// Offsets z of a travelling wave as places on the stretched grid.
EMG_KERNEL
static void fill_places(int n, double z_first, double z_step, double width_m, emg_stretch stretch,
                        float *place) {
  const float per_step = (float)(1 / stretch.step), half = (float)stretch.n_half;

  for (int i = 0; i < n; i++) {
    place[i] = half + per_step * stretched((float)((z_first - i * z_step) / width_m));
  }
}

static inline float interpolate(const float *line, float place, int n_offsets) {
  int first = emg_lagrange4_first(place, n_offsets);
  float s = place - (float)(first + 1), a = s + 1, b = s - 1, c = s - 2;
  const float *at = line + first;

  return b * c * (at[1] * a * 0.5f - at[0] * s * (1.0f / 6)) +
         a * s * (at[3] * b * (1.0f / 6) - at[2] * c * 0.5f);
}

static void add_transient(const emg_transient *transient, const float *line, emg_stretch stretch,
                          double z_m, double width_m, float *out) {
  double place = stretch.n_half + asinh(z_m / width_m) / stretch.step;
  float q[4];

  for (int f = 0; f < 4; f++) {
    q[f] = interpolate(line + (ptrdiff_t)f * stretch.n_offsets, (float)place, stretch.n_offsets);
  }
  for (int i = 0; i < transient->count; i++) {
    const float *factor = transient->factor[i];
    out[transient->first + i] +=
        factor[0] * q[0] + factor[1] * q[1] + factor[2] * q[2] + factor[3] * q[3];
  }
}

// Both waves at an electrode `offset_m` from the end-plate, from one set of lines.
static void add_waves(const emg_course *course, const emg_fibre *fibre, double offset_m,
                      const float *line, emg_stretch stretch, double width_m, float *place,
                      float *out) {
  const double length_m[2] = {fibre->length_1_m, fibre->length_2_m};

  for (int side = 0; side < 2; side++) {
    const int n = course->n_travel[side];
    double z_m = side == 0 ? offset_m : -offset_m;
    fill_places(n, z_m - course->x_first_m, course->x_step_m, width_m, stretch, place);
    for (int i = 0; i < n; i++) {
      out[course->first + i] += interpolate(line, place[i], stretch.n_offsets);
    }
    add_transient(&course->start, line, stretch, z_m, width_m, out);
    add_transient(&course->stop[side], line, stretch, z_m - length_m[side], width_m, out);
  }
}

// The 4 x 4 lines of the layers' part; angles are reflected at 0.
static void collapse_layers(const emg_layer_table *table, const emg_layer_place *place,
                            double dtheta_rad, float scale, float *line) {
  double radius = (place->coordinate - table->radius_min) / table->radius_step;
  double angle = asinh(fabs(dtheta_rad) / place->angle_width_rad) / table->angle_step;
  int first = emg_lagrange4_first(radius, table->n_radii), cell = (int)angle;
  const int n = 4 * table->stretch.n_offsets;
  double by_radius[4], by_angle[4];
  const float *lines[16];
  float weights[16];

  emg_lagrange4(radius - (first + 1), by_radius);
  emg_lagrange4(angle - cell, by_angle);
  for (int r = 0; r < 4; r++) {
    for (int a = 0; a < 4; a++) {
      int at = abs(cell - 1 + a);
      lines[4 * r + a] = table->data + ((ptrdiff_t)(first + r) * table->n_angles + at) * n;
      weights[4 * r + a] = (float)(scale * by_radius[r] * by_angle[a]);
    }
  }
  collapse(16, lines, weights, n, line);
}

static void collapse_free(const emg_free_table *table, double width_m, float scale, float *line) {
  double width = (log(width_m) - table->log_min) / table->log_step;
  int first = emg_lagrange4_first(width, table->n_widths);
  const int n = 4 * table->stretch.n_offsets;
  double by_width[4];
  const float *lines[4];
  float weights[4];

  emg_lagrange4(width - (first + 1), by_width);
  for (int i = 0; i < 4; i++) {
    lines[i] = table->data + (ptrdiff_t)(first + i) * n;
    weights[i] = (float)(scale * by_width[i]);
  }
  collapse(4, lines, weights, n, line);
}

void emg_interior_add(const emg_table_source *source, const emg_interior *interior,
                      const emg_electrode *electrodes, const emg_fibre *fibre, float scale,
                      const emg_course *course, emg_interior_scratch *scratch, int n_samples,
                      float *out) {
  const emg_conductor *conductor = &source->conductor;

  for (int e = 0; e < interior->n_electrodes; e++) {
    const emg_layer_table *table = &interior->tables[interior->table[e]];
    const emg_pair pair = {
        .conductor = conductor, .source_m = fibre->radius_m, .field_m = electrodes[e].radius_m};
    const double offset_m = electrodes[e].z_m - fibre->end_plate_m;
    const double dtheta_rad = remainder(electrodes[e].theta_rad - fibre->theta_rad, 2 * M_PI);
    float *row = out + (ptrdiff_t)e * n_samples;

    emg_layer_place place = emg_layer_place_at(conductor, table->field_m, fibre->radius_m);
    collapse_layers(table, &place, dtheta_rad, scale, scratch->line);
    add_waves(course, fibre, offset_m, scratch->line, table->stretch, place.width_m, scratch->place,
              row);

    emg_free_space space = emg_free_space_at(&pair, dtheta_rad, table->truncation.period_m);
    collapse_free(&interior->free, space.width_m, scale, scratch->line);
    add_waves(course, fibre, offset_m, scratch->line, interior->free.stretch, space.width_m,
              scratch->place, row);
  }
}

emg_status emg_interior_scratch_create(const emg_interior *interior, int n_samples,
                                       emg_interior_scratch **out, emg_error *err) {
  emg_interior_scratch *scratch;
  int longest = interior->free.stretch.n_offsets;

  *out = NULL;
  for (int i = 0; i < interior->n_tables; i++) {
    int n = interior->tables[i].stretch.n_offsets;
    longest = n > longest ? n : longest;
  }
  EMG_TRY(emg_alloc(1, sizeof *scratch, &scratch, err));
  emg_status status = emg_alloc_aligned(4 * (size_t)longest, sizeof(float), &scratch->line, err);
  if (status == EMG_OK) {
    status = emg_alloc_aligned((size_t)n_samples, sizeof(float), &scratch->place, err);
  }
  if (status != EMG_OK) {
    emg_interior_scratch_free(scratch);
    return status;
  }
  *out = scratch;
  return EMG_OK;
}

void emg_interior_scratch_free(emg_interior_scratch *scratch) {
  if (scratch) {
    free(scratch->line);
    free(scratch->place);
    free(scratch);
  }
}
