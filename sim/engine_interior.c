// engine_interior.c -- tables of the lead functions for points inside the muscle
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

#include "sim/conductor_priv.h"

// Steps in the stretched coordinates, for four-point interpolation to about 1e-4 of the peak.
#define RADIUS_STEP 0.12
#define ANGLE_STEP 0.10
#define OFFSET_STEP 0.08
// Beside a fibre the action potential's own shape is what offsets must resolve.
#define FREE_OFFSET_STEP 0.05
#define FREE_WIDTH_STEP 0.10
// Added to distances from a boundary: the finest detail of the layers' part that is resolved.
#define BLUR_M 0.1e-3
// Neighbouring nodes look a little further than the fibre itself.
#define REACH_MARGIN 1.5
#define TRUNCATION_PART 1e-2
#define ORDERS_MAX 1024

// Sources and electrodes on the boundary itself belong to the inside.
static double inside_m(const emg_conductor *conductor, double radius_m) {
  return fmin(radius_m, emg_conductor_muscle_outer_m(conductor) - 1e-6);
}

// Distances of the mirror images behind the outer boundary and, with bone, the inner one.
static double outer_distance(const emg_conductor *conductor, double field_m, double source_m) {
  return 2 * emg_conductor_muscle_outer_m(conductor) - field_m - source_m + BLUR_M;
}

static double inner_distance(const emg_conductor *conductor, double field_m, double source_m) {
  return field_m + source_m - 2 * emg_conductor_muscle_inner_m(conductor) + BLUR_M;
}

emg_layer_place emg_layer_place_at(const emg_conductor *conductor, double field_m,
                                   double source_m) {
  const double inner_m = emg_conductor_muscle_inner_m(conductor);
  const double outer_m = emg_conductor_muscle_outer_m(conductor);
  const double anisotropy = sqrt(conductor->axial_s_per_m[conductor->muscle] /
                                 conductor->transverse_s_per_m[conductor->muscle]);
  double outside_m = outer_distance(conductor, field_m, source_m);
  double rate = 1 / outside_m, coordinate = -log(outside_m);
  double angle_rate = 1 / (1 - field_m * source_m / (outer_m * outer_m) + BLUR_M / outer_m);

  if (inner_m > 0) {
    double within_m = inner_distance(conductor, field_m, source_m);
    rate += 1 / within_m;
    coordinate += log(within_m);
    angle_rate += 1 / (1 - inner_m * inner_m / (field_m * source_m) + BLUR_M / inner_m);
  }
  return (emg_layer_place){coordinate, anisotropy / rate, 1 / angle_rate};
}

// Inverse of the coordinate: with ratio e^c of inner to outer distance, or outer distance e^-c.
static double source_at(const emg_conductor *conductor, double field_m, double coordinate) {
  const double inner_m = emg_conductor_muscle_inner_m(conductor);
  double e = exp(coordinate), outside_m = outer_distance(conductor, field_m, 0);
  double source_m = outside_m - 1 / e;

  if (inner_m > 0) {
    source_m = (e * outside_m - inner_distance(conductor, field_m, 0)) / (1 + e);
  }
  return inside_m(conductor, fmax(source_m, inner_m));
}

static emg_stretch stretch_for(double reach_m, double width_m, double step) {
  int n_half = (int)ceil(asinh(reach_m / width_m) / step) + 3;

  return (emg_stretch){n_half, 2 * n_half + 1, step};
}

// --- What the layers add ------------------------------------------------------------------------

void emg_layer_table_free(emg_layer_table *table) {
  free(table->data);
  table->data = NULL;
}

static void size_layer_table(const emg_table_source *source, double reach_m, double fineness,
                             emg_layer_table *table) {
  const emg_conductor *conductor = &source->conductor;
  emg_layer_place low = emg_layer_place_at(conductor, table->field_m, source->range.source_min_m);
  emg_layer_place high = emg_layer_place_at(conductor, table->field_m, source->range.source_max_m);
  double width_m = fmin(low.width_m, high.width_m);
  double angle_rad = fmin(low.angle_width_rad, high.angle_width_rad);
  double span = fmax(high.coordinate - low.coordinate, 1e-3);

  table->n_radii = (int)fmax(4, ceil(span / (fineness * RADIUS_STEP)) + 1);
  table->radius_step = span / (table->n_radii - 1);
  table->radius_min = low.coordinate;
  // one node past pi for the stencil
  table->angle_step = fineness * ANGLE_STEP;
  table->n_angles = (int)ceil(asinh(M_PI / angle_rad) / table->angle_step) + 3;
  table->stretch = stretch_for(reach_m, width_m, fineness * OFFSET_STEP);
}

// Sums as long as the finest resolved distance needs: closer ones come out blurred.
static emg_status truncate_node(const emg_table_source *source, double field_m, double source_m,
                                double reach_m, emg_truncation *out, emg_error *err) {
  const emg_conductor *conductor = &source->conductor;
  const double inner_m = emg_conductor_muscle_inner_m(conductor);
  double highest_m = 2 * emg_conductor_muscle_outer_m(conductor) - field_m - EMG_FINEST_DISTANCE_M;
  double lowest_m = 2 * inner_m - field_m + EMG_FINEST_DISTANCE_M;
  double held_m = fmin(source_m, fmin(highest_m, emg_conductor_muscle_outer_m(conductor)));

  if (inner_m > 0) {
    held_m = fmax(held_m, fmax(lowest_m, inner_m));
  }
  EMG_TRY(emg_conductor_truncation(conductor, NULL, inside_m(conductor, held_m), field_m, reach_m,
                                   TRUNCATION_PART * source->range.tolerance, out, err));
  out->n_orders = out->n_orders > ORDERS_MAX ? ORDERS_MAX : out->n_orders;
  return EMG_OK;
}

static emg_status build_node(const emg_table_source *source, double reach_m, int node,
                             emg_layer_table *table, emg_truncation *truncation, emg_error *err) {
  emg_status status = EMG_OK;
  emg_sheet_basis basis = {0};
  double *even = NULL;
  const int n_angles = table->n_angles, n_positive = table->stretch.n_half + 1;
  const size_t size = 4 * (size_t)n_angles * (size_t)n_positive;
  double source_m =
      source_at(&source->conductor, table->field_m, table->radius_min + node * table->radius_step);
  emg_layer_place place = emg_layer_place_at(&source->conductor, table->field_m, source_m);

  EMG_TRY(emg_alloc(2 * size + (size_t)(n_angles + n_positive), sizeof(double), &even, err));
  double *odd = even + size, *angles = odd + size, *offsets = angles + n_angles;
  for (int i = 0; i < n_angles; i++) {
    angles[i] = place.angle_width_rad * sinh(i * table->angle_step);
  }
  for (int i = 0; i < n_positive; i++) {
    offsets[i] = fmin(place.width_m * sinh(i * table->stretch.step), REACH_MARGIN * reach_m);
  }
  EMG_TRY_DONE(
      truncate_node(source, table->field_m, source_m, REACH_MARGIN * reach_m, truncation, err));
  EMG_TRY_DONE(emg_sheet_basis_create(source, truncation, n_positive, offsets, &basis, err));
  EMG_TRY_DONE(emg_sheet_fill(source, &basis, source_m, table->field_m, n_angles, angles, 4,
                              (const int[]){0, 1, 2, 3}, even, odd, err));

  const int n_half = table->stretch.n_half, n_offsets = table->stretch.n_offsets;
  for (int angle = 0; angle < n_angles; angle++) {
    for (int f = 0; f < 4; f++) {
      float *line = table->data + (((ptrdiff_t)node * n_angles + angle) * 4 + f) * n_offsets;
      const ptrdiff_t at = ((ptrdiff_t)f * n_angles + angle) * n_positive;
      for (int i = 0; i < n_positive; i++) {
        line[n_half + i] = (float)(even[at + i] + odd[at + i]);
        line[n_half - i] = (float)(even[at + i] - odd[at + i]);
      }
    }
  }
done:
  emg_sheet_basis_free(&basis);
  free(even);
  return status;
}

emg_status emg_layer_table_build(const emg_table_source *source, double field_m, double reach_m,
                                 double fineness, emg_layer_table *out, emg_error *err) {
  emg_status worst = EMG_OK;
  emg_layer_table built = {.field_m = inside_m(&source->conductor, field_m)};

  size_layer_table(source, reach_m, fineness, &built);
  EMG_TRY(emg_alloc_aligned(
      (size_t)built.n_radii * (size_t)built.n_angles * 4 * (size_t)built.stretch.n_offsets,
      sizeof(float), &built.data, err));

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < built.n_radii; i++) {
    emg_error own = {0};
    emg_truncation truncation = {0};
    emg_status status = build_node(source, reach_m, i, &built, &truncation, &own);
#pragma omp critical(emg_layer_status)
    {
      if (status != EMG_OK && worst == EMG_OK) {
        worst = status;
        if (err) {
          *err = own;
        }
      }
      if (truncation.n_wavenumbers > built.truncation.n_wavenumbers) {
        built.truncation = truncation;
      }
    }
  }
  if (worst == EMG_OK) {
    emg_layer_table_free(out);
    *out = built;
  } else {
    emg_layer_table_free(&built);
  }
  return worst;
}

// --- Unbounded muscle ---------------------------------------------------------------------------

void emg_free_table_free(emg_free_table *table) {
  free(table->data);
  table->data = NULL;
}

// The images are those of the layers' sums, so both parts share one period.
emg_status emg_free_table_build(const emg_table_source *source, double distance_max_m,
                                double reach_m, double period_m, double fineness,
                                emg_free_table *out, emg_error *err) {
  const emg_conductor *c = &source->conductor;
  const double transverse = c->transverse_s_per_m[c->muscle];
  const double anisotropy = sqrt(c->axial_s_per_m[c->muscle] / transverse);
  const double width_min_m = anisotropy * EMG_FIBRE_CLEARANCE_M;
  emg_free_rules *rules;

  *out = (emg_free_table){.stretch = stretch_for(reach_m, width_min_m, fineness * FREE_OFFSET_STEP),
                          .log_min = log(width_min_m)};
  double span = fmax(log(distance_max_m / EMG_FIBRE_CLEARANCE_M), 0.1);
  out->n_widths = (int)fmax(4, ceil(span / (fineness * FREE_WIDTH_STEP)) + 1);
  out->log_step = span / (out->n_widths - 1);
  EMG_TRY(emg_free_rules_create(&rules, err));
  const int n_offsets = out->stretch.n_offsets;
  emg_status status = emg_alloc_aligned((size_t)out->n_widths * 4 * (size_t)n_offsets,
                                        sizeof(float), &out->data, err);

  // without data nothing is left to do
  const int n_widths = status == EMG_OK ? out->n_widths : 0;
#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < n_widths; i++) {
    const emg_free_space space = {.factor_ohm_m = 1 / (4 * M_PI * transverse),
                                  .width_m = exp(out->log_min + i * out->log_step),
                                  .period_m = period_m};
    float *lines = out->data + (ptrdiff_t)i * 4 * n_offsets;
    for (int j = 0; j < n_offsets; j++) {
      double z_m = space.width_m * sinh((j - out->stretch.n_half) * out->stretch.step), q[4];
      z_m = fmin(fmax(z_m, -REACH_MARGIN * reach_m), REACH_MARGIN * reach_m);
      emg_free_space_functions(rules, &space, &source->source, z_m, q);
      for (int f = 0; f < 4; f++) {
        lines[(ptrdiff_t)f * n_offsets + j] = (float)q[f];
      }
    }
  }
  emg_free_rules_free(rules);
  return status;
}

// --- Both ---------------------------------------------------------------------------------------

static int table_of(const emg_interior *interior, double field_m) {
  for (int i = 0; i < interior->n_tables; i++) {
    if (fabs(interior->tables[i].field_m - field_m) < 1e-9) {
      return i;
    }
  }
  return -1;
}

emg_status emg_interior_create(const emg_table_source *source, const emg_electrode_set *set,
                               double fineness, emg_interior *out, emg_error *err) {
  const size_t n = (size_t)set->n_electrodes;
  emg_status status = EMG_OK;

  *out = (emg_interior){.n_electrodes = set->n_electrodes};
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->table, &out->table, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->tables, &out->tables, err));
  for (int e = 0; e < set->n_electrodes; e++) {
    const emg_electrode *electrode = &set->electrodes[e];
    const double field_m = inside_m(&source->conductor, electrode->radius_m);

    out->reach_m = fmax(out->reach_m, fmax(electrode->z_m - source->range.z_min_m,
                                           source->range.z_max_m - electrode->z_m));
    out->table[e] = table_of(out, field_m);
    if (out->table[e] < 0) {
      out->table[e] = out->n_tables;
      out->tables[out->n_tables++].field_m = field_m;
    }
  }
  EMG_TRY_DONE(emg_interior_build(source, fineness, out, err));
done:
  if (status != EMG_OK) {
    emg_interior_free(out);
  }
  return status;
}

emg_status emg_interior_build(const emg_table_source *source, double fineness,
                              emg_interior *interior, emg_error *err) {
  double field_max_m = 0;

  for (int i = 0; i < interior->n_tables; i++) {
    emg_layer_table *table = &interior->tables[i];
    EMG_TRY(emg_layer_table_build(source, table->field_m, interior->reach_m, fineness, table, err));
    field_max_m = fmax(field_max_m, table->field_m);
  }
  emg_free_table_free(&interior->free);
  return emg_free_table_build(source, field_max_m + source->range.source_max_m, interior->reach_m,
                              interior->tables[0].truncation.period_m, fineness, &interior->free,
                              err);
}

void emg_interior_free(emg_interior *interior) {
  for (int i = 0; i < interior->n_tables; i++) {
    emg_layer_table_free(&interior->tables[i]);
  }
  emg_free_table_free(&interior->free);
  free(interior->tables);
  free(interior->table);
  *interior = (emg_interior){0};
}
