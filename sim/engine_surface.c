// engine_surface.c -- tables of the lead functions for electrodes on the skin
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

// Steps over the distance between fibre and electrode, for four-point interpolation to about 1e-4
// of the peak each; the error falls with their fourth power. A band ends where the distance has
// grown by this ratio, so that deep fibres read short lines.
#define RADIUS_STEP 0.10
#define ANGLE_STEP 0.10
#define OFFSET_STEP 0.11
#define BAND_RATIO 1.6
// Taps read beyond the range of offsets, either side.
#define MARGIN 5
// The period of the sums has room for these.
#define REACH_MARGIN 1.1
// Truncation of the sums, as a part of the tolerance: it is relative to the potential beside the
// fibre, and electrodes on the far side have peaks of a hundredth of that.
#define TRUNCATION_PART 3e-3

static double anisotropy(const emg_conductor *conductor) {
  return sqrt(conductor->axial_s_per_m[conductor->muscle] /
              conductor->transverse_s_per_m[conductor->muscle]);
}

// Distance from the skin as the muscle's transverse direction sees it: wavenumbers along z decay
// as exp(-|k| (r_skin - b)) exp(-|k| sqrt(sz/st) (b - R)).
static double skin_distance(const emg_conductor *conductor, double source_m) {
  const double skin_m = emg_conductor_skin_radius_m(conductor);
  const double outer_m = emg_conductor_muscle_outer_m(conductor);
  double distance_m = (skin_m - outer_m) / anisotropy(conductor) + outer_m - source_m;

  return fmax(distance_m, EMG_FINEST_DISTANCE_M);
}

// Bands from the skin inwards, stored innermost first.
static void cut_bands(const emg_table_source *source, emg_surface *out) {
  const emg_conductor *conductor = &source->conductor;
  double high_m[EMG_BANDS_MAX], low_m[EMG_BANDS_MAX], from_m = source->range.source_max_m;
  int n = 0;

  do {
    double distance_m = skin_distance(conductor, from_m);
    double to_m = from_m - (BAND_RATIO - 1) * distance_m;
    if (to_m < source->range.source_min_m || n == EMG_BANDS_MAX - 1) {
      to_m = source->range.source_min_m;
    }
    high_m[n] = from_m;
    low_m[n++] = to_m;
    from_m = to_m;
  } while (from_m > source->range.source_min_m);

  out->n_bands = n;
  for (int i = 0; i < n; i++) {
    out->bands[n - 1 - i] = (emg_band){.radius_min_m = low_m[i], .radius_max_m = high_m[i]};
  }
}

// How far each band's sums go, side by side, because each is a long serial search. Fibres at the
// skin itself would need endless sums: they come out blurred instead.
static emg_status truncate_bands(const emg_table_source *source, emg_surface *out, emg_error *err) {
  const double skin_m = emg_conductor_skin_radius_m(&source->conductor);
  emg_status status[EMG_BANDS_MAX];
  emg_error errors[EMG_BANDS_MAX] = {0};

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < out->n_bands; i++) {
    emg_band *band = &out->bands[i];
    double held_m = fmax(0, fmin(band->radius_max_m, skin_m - EMG_FINEST_DISTANCE_M));
    status[i] = emg_conductor_truncation(
        &source->conductor, &source->detection, held_m, skin_m, REACH_MARGIN * out->reach_m,
        TRUNCATION_PART * source->range.tolerance, &band->truncation, &errors[i]);
  }
  for (int i = 0; i < out->n_bands; i++) {
    if (status[i] != EMG_OK) {
      if (err) {
        *err = errors[i];
      }
      return status[i];
    }
  }
  return EMG_OK;
}

emg_status emg_surface_create(const emg_table_source *source, const emg_electrode_set *set,
                              double fineness, emg_surface *out, emg_error *err) {
  *out = (emg_surface){0};
  emg_status status = emg_columns_find(set, &source->range, out, err);

  if (status == EMG_OK) {
    cut_bands(source, out);
    status = truncate_bands(source, out, err);
  }
  for (int i = 0; i < out->n_bands && status == EMG_OK; i++) {
    status = emg_band_build(source, out, i, fineness, &out->bands[i], err);
  }
  if (status != EMG_OK) {
    emg_surface_free(out);
  }
  return status;
}

void emg_surface_free(emg_surface *surface) {
  for (int i = 0; i < surface->n_bands; i++) {
    emg_band_free(&surface->bands[i]);
  }
  free(surface->columns);
  free(surface->electrode);
  *surface = (emg_surface){0};
}

void emg_band_free(emg_band *band) {
  free(band->data);
  band->data = NULL;
}

// Steps and sizes of a band; `fineness` scales the steps.
static void size_band(const emg_table_source *source, const emg_surface *surface, double fineness,
                      emg_band *band) {
  const emg_conductor *conductor = &source->conductor;
  const double distance_m = skin_distance(conductor, band->radius_max_m);
  const double skin_m = emg_conductor_skin_radius_m(conductor);
  const double gap_m = fmax(skin_m - band->radius_max_m, EMG_FINEST_DISTANCE_M);

  // one radius alone still needs four nodes
  double width_m = fmax(band->radius_max_m - band->radius_min_m, 0.01 * distance_m);
  double step_m = fineness * RADIUS_STEP * fmin(distance_m, gap_m);
  band->n_radii = (int)fmax(4, ceil(width_m / step_m) + 1);
  band->radius_step_m = width_m / (band->n_radii - 1);
  if (band->radius_max_m - width_m < emg_conductor_muscle_inner_m(conductor)) {
    band->radius_max_m = band->radius_min_m + width_m;
  }
  band->radius_min_m = band->radius_max_m - width_m;

  double step_rad = fineness * ANGLE_STEP * log(skin_m / (skin_m - gap_m));
  band->n_angles = (int)fmax(12, ceil(M_PI / step_rad)) + 1;
  band->angle_step_rad = M_PI / (band->n_angles - 1);

  step_m = fineness * OFFSET_STEP * anisotropy(conductor) * distance_m;
  band->n_phases = (int)ceil(surface->pitch_m / step_m);
  band->offset_step_m = surface->pitch_m / band->n_phases;
  band->n_half = (int)ceil(surface->reach_m / band->offset_step_m) + MARGIN;
  band->n_offsets = 2 * band->n_half + 1;

  // a row of blocks is read up to the last padded lane, and up to eight phases on
  int n_blocks = (band->n_offsets + band->n_phases - 1) / band->n_phases;
  n_blocks += surface->n_lanes - surface->n_rows + 2 + 8 / band->n_phases;
  band->row_stride = (n_blocks + 7) / 8 * 8;
  band->function_stride = (ptrdiff_t)band->n_phases * band->row_stride;
  band->line_stride = 2 * band->function_stride;
}

// Spread one radius's sheets over phases and blocks, in float.
static void store_radius(const double *even, const double *odd, emg_band *band, int radius) {
  const int n_positive = band->n_half + 1;

  for (int angle = 0; angle < band->n_angles; angle++) {
    float *line = band->data + ((ptrdiff_t)radius * band->n_angles + angle) * band->line_stride;

    for (int f = 0; f < 2; f++) {
      const ptrdiff_t at = ((ptrdiff_t)f * band->n_angles + angle) * n_positive;
      for (int j = 0; j < band->n_offsets; j++) {
        int i = abs(j - band->n_half);
        double value = even[at + i] + (j < band->n_half ? -odd[at + i] : odd[at + i]);
        line[f * band->function_stride + (ptrdiff_t)(j % band->n_phases) * band->row_stride +
             j / band->n_phases] = (float)value;
      }
    }
  }
}

static emg_status build_radius(const emg_table_source *source, const emg_sheet_basis *basis,
                               const double *angle_rad, int radius, emg_band *band,
                               emg_error *err) {
  const double skin_m = emg_conductor_skin_radius_m(&source->conductor);
  const double source_m = band->radius_min_m + radius * band->radius_step_m;
  const size_t size = 2 * (size_t)band->n_angles * (size_t)basis->n_offsets;
  double *even;
  EMG_TRY(emg_alloc(2 * size, sizeof(double), &even, err));

  emg_status status = emg_sheet_fill(source, basis, source_m, skin_m, band->n_angles, angle_rad, 2,
                                     (const int[]){0, 3}, even, even + size, err);
  if (status == EMG_OK) {
    store_radius(even, even + size, band, radius);
  }
  free(even);
  return status;
}

static emg_status build_radii(const emg_table_source *source, const emg_sheet_basis *basis,
                              const double *angle_rad, emg_band *band, emg_error *err) {
  emg_status worst = EMG_OK;

#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < band->n_radii; i++) {
    emg_error own = {0};
    emg_status status = build_radius(source, basis, angle_rad, i, band, &own);
#pragma omp critical(emg_band_status)
    if (status != EMG_OK && worst == EMG_OK) {
      worst = status;
      if (err) {
        *err = own;
      }
    }
  }
  return worst;
}

emg_status emg_band_build(const emg_table_source *source, const emg_surface *surface, int band,
                          double fineness, emg_band *out, emg_error *err) {
  emg_status status = EMG_OK;
  emg_sheet_basis basis = {0};
  double *places = NULL;
  emg_band built = {.radius_min_m = surface->bands[band].radius_min_m,
                    .radius_max_m = surface->bands[band].radius_max_m,
                    .truncation = surface->bands[band].truncation};

  size_band(source, surface, fineness, &built);
  const int n_places = built.n_angles + built.n_half + 1;
  EMG_TRY_DONE(emg_alloc((size_t)n_places, sizeof(double), &places, err));
  for (int i = 0; i < built.n_angles; i++) {
    places[i] = i * built.angle_step_rad;
  }
  for (int i = 0; i <= built.n_half; i++) {
    places[built.n_angles + i] = i * built.offset_step_m;
  }
  EMG_TRY_DONE(emg_sheet_basis_create(source, &built.truncation, built.n_half + 1,
                                      places + built.n_angles, &basis, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)built.n_radii * (size_t)built.n_angles * (size_t)built.line_stride,
                        sizeof(float), &built.data, err));
  EMG_TRY_DONE(build_radii(source, &basis, places, &built, err));

  emg_band_free(out);
  *out = built;
  built.data = NULL;
done:
  emg_band_free(&built);
  emg_sheet_basis_free(&basis);
  free(places);
  return status;
}
