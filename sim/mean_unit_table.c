// mean_unit_table.c -- the lead functions' primitive as coefficients of B-splines
//
// Along z and around, coefficients of cardinal splines are a division in the wavenumber domain: on
// a grid of step h, e^{ikz} has the coefficients e^{ikz_i} / B(kh), B the transform of the sampled
// B-spline (Unser 1999, IEEE Signal Processing Magazine 16:22). Across the radii a small linear
// system is solved, with not-a-knot ends.
#include "sim/mean_unit_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

#include "base/lin.h"
#include "sim/conductor_priv.h"

// Steps over the distance between fibre and electrode, for about 1e-4 of the peak each.
#define RADIUS_STEP 0.22
#define ANGLE_STEP 0.22
#define OFFSET_STEP 0.30
// Coefficients read beyond the range of offsets, either side.
#define MARGIN 4
// Floats that may be read, not used, past the last row.
#define PADDING 16
// The period of the sums has room for these.
#define REACH_MARGIN 1.1
// As in engine_surface.c: far electrodes have peaks of a hundredth of the nearest one's.
#define TRUNCATION_PART 3e-3
// Tables larger than this are made with coarser steps.
#define TABLE_MIB_MAX 256.0

double emg_mean_table_mib(const emg_mean_table *table) {
  return (double)table->n_radii * table->n_angles * table->row_stride * sizeof(float) / (1 << 20);
}

void emg_mean_table_free(emg_mean_table *table) {
  free(table->coefficients);
  *table = (emg_mean_table){0};
}

static void size_table(const emg_table_source *source, double reach_mm, double fineness,
                       emg_mean_table *out) {
  const emg_conductor *conductor = &source->conductor;
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(conductor);
  const double anisotropy = sqrt(conductor->axial_s_per_m[conductor->muscle] /
                                 conductor->transverse_s_per_m[conductor->muscle]);
  const double finest_mm = 1e3 * EMG_FINEST_DISTANCE_M;

  // smallest of the distances along the radius, as seen across and as it is
  double gap_mm = fmax(skin_mm - out->outer_mm, finest_mm);
  out->near_mm = fmax((skin_mm - out->outer_mm) / fmax(anisotropy, 1), finest_mm);
  double span = log1p((out->outer_mm - out->radius_min_mm) / out->near_mm);
  int n_nodes = (int)fmax(6, ceil(span / (fineness * RADIUS_STEP)) + 1);
  out->log_step = span / (n_nodes - 1);
  out->n_radii = n_nodes + 2;

  double step_rad = fineness * ANGLE_STEP * log(skin_mm / (skin_mm - gap_mm));
  out->n_angles = (int)fmax(12, ceil(M_PI / step_rad)) + 1;
  out->angle_step_rad = M_PI / (out->n_angles - 1);

  out->offset_step_mm = fineness * OFFSET_STEP * anisotropy * out->near_mm;
  out->n_half = (int)ceil(reach_mm / out->offset_step_mm) + MARGIN;
  out->row_stride = (2 * out->n_half + 1 + 7) / 8 * 8;
}

// Transforms of the sampled B-splines of degree 3 and 5.
static double cubic_transform(double phase) {
  return (4 + 2 * cos(phase)) / 6;
}

static double quintic_transform(double phase) {
  return (66 + 52 * cos(phase) + 2 * cos(2 * phase)) / 120;
}

// Turn sums of values into sums of coefficients, in the two factors every sum contains.
static void divide_by_splines(const emg_mean_table *table, emg_sheet_basis *basis) {
  const int n_orders = basis->truncation.n_orders;

  for (int j = 0; j < basis->truncation.n_wavenumbers; j++) {
    const double k = (j + 0.5) * basis->truncation.dk_rad_per_m;
    const double along = 1 / quintic_transform(k * 1e-3 * table->offset_step_mm);
    for (int i = 0; i < basis->n_offsets; i++) {
      basis->cosine[(ptrdiff_t)j * basis->n_offsets + i] *= along;
      basis->sine[(ptrdiff_t)j * basis->n_offsets + i] *= along;
    }
    for (int n = 0; n < n_orders; n++) {
      basis->skin[(ptrdiff_t)j * n_orders + n] /= cubic_transform(n * table->angle_step_rad);
    }
  }
}

// Coefficients of a cubic spline from n values: [n + 2][n]. Third derivatives are continuous at
// the last nodes but one, so the ends are as exact as the rest.
static emg_status fit_matrix(int n, double **out, emg_error *err) {
  emg_status status = EMG_OK;
  const int m = n + 2;
  double *a = NULL, *square = NULL, *inverse = NULL;

  EMG_TRY_DONE(emg_alloc((size_t)m * (size_t)m, sizeof(double), &a, err));
  EMG_TRY_DONE(emg_alloc((size_t)m * (size_t)m, sizeof(double), &square, err));
  EMG_TRY_DONE(emg_alloc((size_t)m * (size_t)m, sizeof(double), &inverse, err));
  static const double ends[5] = {1, -4, 6, -4, 1}, inside[3] = {1.0 / 6, 4.0 / 6, 1.0 / 6};
  for (int i = 0; i < 5; i++) {
    a[n * m + i] = a[(n + 1) * m + m - 5 + i] = ends[i];
  }
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < 3; j++) {
      a[i * m + i + j] = inside[j];
    }
  }

  // (A'A)^-1 A', of which the columns of the values are kept
  emg_dgemm(1, 0, m, m, m, 1, a, m, a, m, 0, square, m);
  EMG_TRY_DONE(emg_invert_spd(m, square, err));
  emg_dgemm(0, 1, m, n, m, 1, square, m, a, m, 0, inverse, n);
  *out = inverse;
  inverse = NULL;
done:
  free(a);
  free(square);
  free(inverse);
  return status;
}

static double node_radius_m(const emg_mean_table *table, int node) {
  double distance_mm = table->near_mm * exp(node * table->log_step);

  return 1e-3 * fmax(table->outer_mm + table->near_mm - distance_mm, table->radius_min_mm);
}

// Values of one radius, as coefficients along z and around.
static emg_status fill_radius(const emg_table_source *source, const emg_sheet_basis *basis,
                              const double *angle_rad, double source_m, double scale_uv,
                              const emg_mean_table *table, float *out, emg_error *err) {
  const int n_positive = basis->n_offsets;
  const size_t size = (size_t)table->n_angles * (size_t)n_positive;
  double *even;
  EMG_TRY(emg_alloc(2 * size, sizeof(double), &even, err));
  double *odd = even + size;

  emg_status status = emg_sheet_fill(
      source, basis, source_m, emg_conductor_skin_radius_m(&source->conductor), table->n_angles,
      angle_rad, 1, (const int[]){EMG_SHEET_PRIMITIVE}, even, odd, err);
  for (int angle = 0; angle < table->n_angles && status == EMG_OK; angle++) {
    float *row = out + (ptrdiff_t)angle * table->row_stride;
    for (int i = 0; i < n_positive; i++) {
      const ptrdiff_t at = (ptrdiff_t)angle * n_positive + i;
      row[table->n_half + i] = (float)(scale_uv * (even[at] + odd[at]));
      row[table->n_half - i] = (float)(scale_uv * (even[at] - odd[at]));
    }
  }
  free(even);
  return status;
}

static emg_status fill_radii(const emg_table_source *source, const emg_sheet_basis *basis,
                             const double *angle_rad, double scale_uv, const emg_mean_table *table,
                             float *values, emg_error *err) {
  const int n_nodes = table->n_radii - 2;
  const double held_m = emg_conductor_skin_radius_m(&source->conductor) - EMG_FINEST_DISTANCE_M;
  emg_status worst = EMG_OK;

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < n_nodes; i++) {
    emg_error own = {0};
    float *sheet = values + (ptrdiff_t)i * table->n_angles * table->row_stride;
    double source_m = fmin(node_radius_m(table, i), held_m);
    emg_status status =
        fill_radius(source, basis, angle_rad, source_m, scale_uv, table, sheet, &own);
#pragma omp critical(emg_mean_table_status)
    if (status != EMG_OK && worst == EMG_OK) {
      worst = status;
      if (err) {
        *err = own;
      }
    }
  }
  return worst;
}

// Splines across the radii, all angles and offsets at once.
static emg_status fit_radii(emg_mean_table *table, const float *values, emg_error *err) {
  emg_status status = EMG_OK;
  const int n_nodes = table->n_radii - 2, size = table->n_angles * table->row_stride;
  double *matrix = NULL;
  float *rounded = NULL;

  EMG_TRY_DONE(fit_matrix(n_nodes, &matrix, err));
  EMG_TRY_DONE(emg_alloc((size_t)table->n_radii * (size_t)n_nodes, sizeof(float), &rounded, err));
  for (int i = 0; i < table->n_radii * n_nodes; i++) {
    rounded[i] = (float)matrix[i];
  }
  EMG_TRY_DONE(emg_alloc_aligned((size_t)table->n_radii * (size_t)size + PADDING, sizeof(float),
                                 &table->coefficients, err));
  emg_sgemm(0, 0, table->n_radii, size, n_nodes, 1, rounded, n_nodes, values, size, 0,
            table->coefficients, size);
done:
  free(matrix);
  free(rounded);
  return status;
}

static emg_status truncate(const emg_table_source *source, double reach_mm, emg_mean_table *table,
                           emg_error *err) {
  const double skin_m = emg_conductor_skin_radius_m(&source->conductor);
  double held_m = fmin(1e-3 * table->outer_mm, skin_m - EMG_FINEST_DISTANCE_M);

  return emg_conductor_truncation(
      &source->conductor, &source->detection, held_m, skin_m, 1e-3 * REACH_MARGIN * reach_mm,
      TRUNCATION_PART * source->range.tolerance, &table->truncation, err);
}

static emg_status fill_table(const emg_table_source *source, double scale_uv, emg_mean_table *table,
                             emg_error *err) {
  emg_status status = EMG_OK;
  emg_sheet_basis basis = {0};
  const int n_positive = table->n_half + 1;
  double *places = NULL;
  float *values = NULL;

  EMG_TRY_DONE(emg_alloc((size_t)(table->n_angles + n_positive), sizeof(double), &places, err));
  for (int i = 0; i < table->n_angles; i++) {
    places[i] = i * table->angle_step_rad;
  }
  for (int i = 0; i < n_positive; i++) {
    places[table->n_angles + i] = 1e-3 * i * table->offset_step_mm;
  }
  EMG_TRY_DONE(emg_sheet_basis_create(source, &table->truncation, n_positive,
                                      places + table->n_angles, &basis, err));
  divide_by_splines(table, &basis);
  EMG_TRY_DONE(emg_alloc((size_t)(table->n_radii - 2) * (size_t)table->n_angles,
                         sizeof(float) * (size_t)table->row_stride, &values, err));
  EMG_TRY_DONE(fill_radii(source, &basis, places, scale_uv, table, values, err));
  EMG_TRY_DONE(fit_radii(table, values, err));
done:
  emg_sheet_basis_free(&basis);
  free(places);
  free(values);
  return status;
}

emg_status emg_mean_table_build(const emg_table_source *source, double depth_max_mm,
                                double reach_mm, double scale_uv, double fineness,
                                emg_mean_table *out, emg_error *err) {
  emg_status status = EMG_OK;
  const emg_conductor *conductor = &source->conductor;
  emg_mean_table built = {.outer_mm = 1e3 * emg_conductor_muscle_outer_m(conductor)};

  built.radius_min_mm =
      fmax(built.outer_mm - depth_max_mm, 1e3 * emg_conductor_muscle_inner_m(conductor));
  size_table(source, reach_mm, fineness, &built);
  while (emg_mean_table_mib(&built) > TABLE_MIB_MAX) {
    fineness *= 1.1;
    size_table(source, reach_mm, fineness, &built);
  }
  EMG_TRY_DONE(truncate(source, reach_mm, &built, err));
  EMG_TRY_DONE(fill_table(source, scale_uv, &built, err));
  emg_mean_table_free(out);
  *out = built;
  built.coefficients = NULL;
done:
  emg_mean_table_free(&built);
  return status;
}
