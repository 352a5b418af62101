// electrodes.c -- electrode positions: grids and rings on the skin, wires and needles in the muscle
#include <emgtwin/electrodes.h>

#include <math.h>
#include <stdlib.h>

#include <emgtwin/rng.h>

#include "electrodes_priv.h"

enum { MISSING = 1 };

static double radians(double degrees) {
  return degrees * M_PI / 180;
}

// --- on the skin ---

// A rectangle keeps its sides along and around the limb, so a grid of rectangles turns by right
// angles only; the other shapes that may turn are round.
static emg_status surface_detection(const struct emg_config_electrodes *e, emg_detection *out,
                                    emg_error *err) {
  *out = (emg_detection){.shape = e->shape,
                         .radius_m = 1e-3 * e->radius_mm,
                         .inner_radius_m = 1e-3 * e->inner_radius_mm,
                         .width_m = 1e-3 * e->width_mm,
                         .length_m = 1e-3 * e->length_mm};
  double right_angles = e->rotation_deg / 90;

  if (e->shape == EMG_SHAPE_ANNULUS && !(e->inner_radius_mm < e->radius_mm)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "electrodes.inner_radius_mm = %g mm is not below electrodes.radius_mm = %g mm; "
                    "an annulus needs a hole smaller than itself",
                    e->inner_radius_mm, e->radius_mm);
  }
  if (e->shape == EMG_SHAPE_RECTANGLE && right_angles != round(right_angles)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "rectangular electrodes cannot be turned by electrodes.rotation_deg = %g deg; "
                    "use a multiple of 90 deg, or discs",
                    e->rotation_deg);
  }
  if (e->shape == EMG_SHAPE_RECTANGLE && fmod(fabs(right_angles), 2) == 1) {
    out->width_m = 1e-3 * e->length_mm;
    out->length_m = 1e-3 * e->width_mm;
  }
  return EMG_OK;
}

// Electrode of a grid: the flat grid, turned about its centre by the rotation (from +z towards
// growing angle), laid on the cylinder, which is developable: an arc of s metres is s / r radians.
static emg_electrode on_grid(const struct emg_config_electrodes *e, double skin_radius_m, int row,
                             int column) {
  double along_m = 1e-3 * e->row_pitch_mm * (row - 0.5 * (e->rows - 1));
  double around_m = 1e-3 * e->column_pitch_mm * (column - 0.5 * (e->columns - 1));
  double sine = sin(radians(e->rotation_deg)), cosine = cos(radians(e->rotation_deg));

  return (emg_electrode){.radius_m = skin_radius_m,
                         .theta_rad = radians(e->centre_angle_deg) +
                                      (around_m * cosine + along_m * sine) / skin_radius_m,
                         .z_m = 1e-3 * e->centre_z_mm + along_m * cosine - around_m * sine,
                         .row = row,
                         .column = column};
}

static emg_electrode on_ring(const struct emg_config_electrodes *e, double skin_radius_m, int row,
                             int column) {
  return (emg_electrode){
      .radius_m = skin_radius_m,
      .theta_rad =
          radians(e->centre_angle_deg) + 2 * M_PI * (column - 0.5 * (e->columns - 1)) / e->columns,
      .z_m = 1e-3 * (e->centre_z_mm + e->row_pitch_mm * (row - 0.5 * (e->rows - 1))),
      .row = row,
      .column = column};
}

// Where the electrode lies instead, as on a grid that was cut or put on not quite straight.
static void jitter(const emg_config *config, double skin_radius_m, emg_electrode *electrode) {
  const struct emg_config_electrodes *e = &config->electrodes;
  uint32_t place = (uint32_t)(electrode->row * e->columns + electrode->column);
  emg_rng rng = emg_rng_stream(config->simulation.seed, EMG_RNG_ELECTRODES, place, 0);

  electrode->z_m += 1e-3 * e->jitter_mm * emg_rng_gaussian(&rng);
  electrode->theta_rad += 1e-3 * e->jitter_mm * emg_rng_gaussian(&rng) / skin_radius_m;
}

// A grid must not lap over itself: its extent around the limb stays below the circumference.
static emg_status check_wrap(const struct emg_config_electrodes *e, double skin_radius_m,
                             emg_error *err) {
  double along_mm = (e->rows - 1) * e->row_pitch_mm;
  double around_mm = (e->columns - 1) * e->column_pitch_mm;
  double sine = fabs(sin(radians(e->rotation_deg)));
  double cosine = fabs(cos(radians(e->rotation_deg)));
  double extent_mm = around_mm * cosine + along_mm * sine;
  double circumference_mm = 2e3 * M_PI * skin_radius_m;

  if (extent_mm >= circumference_mm) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "the grid is %.4g mm wide around a limb of %.4g mm circumference; use fewer "
                    "electrodes, a smaller pitch, or electrodes.layout = ring",
                    extent_mm, circumference_mm);
  }
  return EMG_OK;
}

// --- in the muscle ---

// Point on a straight wire, `behind_m` from its tip. The wire enters the skin at centre_z and runs
// towards the axis, tilted towards +z; past the axis a point is at the opposite angle.
static emg_electrode on_wire(const struct emg_config_electrodes *e, double skin_radius_m, int row,
                             int column, double behind_m) {
  double tilt = radians(e->tilt_deg);
  double depth_m = 1e-3 * e->tip_depth_mm - behind_m * cos(tilt);
  double radius_m = skin_radius_m - depth_m;
  double entry_m = 1e-3 * e->column_pitch_mm * (column - 0.5 * (e->columns - 1));
  double theta = radians(e->centre_angle_deg) + entry_m / skin_radius_m;

  return (emg_electrode){.radius_m = fabs(radius_m),
                         .theta_rad = radius_m < 0 ? theta + M_PI : theta,
                         .z_m = 1e-3 * e->centre_z_mm + depth_m * tan(tilt),
                         .row = row,
                         .column = column};
}

static bool is_in_muscle(const emg_conductor *conductor, const emg_electrode *electrode) {
  return electrode->radius_m >= emg_conductor_muscle_inner_m(conductor) &&
         electrode->radius_m <= emg_conductor_muscle_outer_m(conductor);
}

static emg_status fail_depth(const struct emg_config_electrodes *e, const emg_conductor *conductor,
                             double behind_mm, emg_error *err) {
  double skin_mm = 1e3 * emg_conductor_skin_radius_m(conductor);
  double inner_mm = 1e3 * emg_conductor_muscle_inner_m(conductor);
  double outer_mm = 1e3 * emg_conductor_muscle_outer_m(conductor);

  return emg_fail(err, EMG_ERR_CONFIG,
                  "a detection point lies %.4g mm below the skin, outside the muscle from %.4g to "
                  "%.4g mm; change electrodes.tip_depth_mm, tilt_deg, row_pitch_mm or rows",
                  e->tip_depth_mm - behind_mm * cos(radians(e->tilt_deg)), skin_mm - outer_mm,
                  inner_mm > 0 ? skin_mm - inner_mm : skin_mm + outer_mm);
}

// --- sets ---

static emg_status mark_missing(const struct emg_config_electrodes *e, unsigned char *missing,
                               int *n_missing, emg_error *err) {
  for (int i = 0; i < e->missing.n; i++) {
    double index = e->missing.values[i];

    if (index != floor(index) || index < 0 || index >= (double)e->rows * e->columns) {
      return emg_fail(
          err, EMG_ERR_CONFIG,
          "electrodes.missing has %g, which is no electrode of a %d x %d grid; give row "
          "* columns + column, from 0 to %d",
          index, e->rows, e->columns, e->rows * e->columns - 1);
    }
    *n_missing += missing[(int)index] != MISSING;
    missing[(int)index] = MISSING;
  }
  if (*n_missing == e->rows * e->columns) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "electrodes.missing leaves none of %d electrodes; keep at least one",
                    *n_missing);
  }
  return EMG_OK;
}

static emg_status place(const emg_config *config, const emg_conductor *conductor, int row,
                        int column, emg_electrode *out, emg_error *err) {
  const struct emg_config_electrodes *e = &config->electrodes;
  double skin_radius_m = emg_conductor_skin_radius_m(conductor);

  if (e->layout == EMG_LAYOUT_GRID) {
    *out = on_grid(e, skin_radius_m, row, column);
  } else if (e->layout == EMG_LAYOUT_RING) {
    *out = on_ring(e, skin_radius_m, row, column);
  } else {
    double behind_mm = e->row_pitch_mm * row;

    *out = on_wire(e, skin_radius_m, row, column, 1e-3 * behind_mm);
    if (!is_in_muscle(conductor, out)) {
      return fail_depth(e, conductor, behind_mm, err);
    }
    return EMG_OK;
  }
  if (e->jitter_mm > 0) {
    jitter(config, skin_radius_m, out);
  }
  return EMG_OK;
}

// Rows and columns of a grid, a ring or wires, without the missing ones.
static emg_status create_rows(const emg_config *config, const emg_conductor *conductor,
                              emg_electrode_set *set, emg_error *err) {
  const struct emg_config_electrodes *e = &config->electrodes;
  size_t n_places = (size_t)e->rows * (size_t)e->columns;
  unsigned char *missing;
  int n_missing = 0;
  emg_status status;

  EMG_TRY(emg_alloc(n_places, 1, &missing, err));
  EMG_TRY_DONE(mark_missing(e, missing, &n_missing, err));
  EMG_TRY_DONE(
      emg_alloc(n_places - (size_t)n_missing, sizeof *set->electrodes, &set->electrodes, err));
  for (int row = 0; row < e->rows; row++) {
    for (int column = 0; column < e->columns; column++) {
      if (missing[row * e->columns + column] != MISSING) {
        emg_electrode *next = &set->electrodes[set->n_electrodes++];
        EMG_TRY_DONE(place(config, conductor, row, column, next, err));
      }
    }
  }

done:
  free(missing);
  return status;
}

// Concentric needle: points of the core about the tip (column 0), then of the cannula (column 1).
static emg_status create_needle(const emg_config *config, const emg_conductor *conductor,
                                emg_electrode_set *set, emg_error *err) {
  struct emg_config_electrodes e = config->electrodes;
  double skin_radius_m = emg_conductor_skin_radius_m(conductor);
  int n_cannula = 0;

  if (e.missing.n > 0 || e.montage != EMG_MONTAGE_MONOPOLAR) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "a concentric needle has one channel, core minus cannula; leave "
                    "electrodes.missing empty and electrodes.montage monopolar");
  }
  e.columns = 1;
  EMG_TRY(emg_alloc(EMG_NEEDLE_CORE_POINTS + EMG_NEEDLE_CANNULA_POINTS, sizeof *set->electrodes,
                    &set->electrodes, err));
  for (int i = 0; i < EMG_NEEDLE_CORE_POINTS; i++) {
    double behind_m = emg_needle_core_offset_m(i);
    emg_electrode point = on_wire(&e, skin_radius_m, i, 0, behind_m);

    if (!is_in_muscle(conductor, &point)) {
      return fail_depth(&e, conductor, 1e3 * behind_m, err);
    }
    set->electrodes[set->n_electrodes++] = point;
  }
  for (int i = 0; i < EMG_NEEDLE_CANNULA_POINTS; i++) {
    emg_electrode point = on_wire(&e, skin_radius_m, i, 0, emg_needle_cannula_offset_m(i));

    if (is_in_muscle(conductor, &point)) {
      point.column = 1;
      set->electrodes[set->n_electrodes++] = point;
      n_cannula++;
    }
  }
  return n_cannula > 0 ? EMG_OK
                       : fail_depth(&e, conductor, 1e3 * emg_needle_cannula_offset_m(0), err);
}

emg_status emg_electrodes_create(const emg_config *config, const emg_conductor *conductor,
                                 emg_electrode_set *out, emg_error *err) {
  const struct emg_config_electrodes *e = &config->electrodes;
  emg_status status;

  *out = (emg_electrode_set){
      .detection = {.shape = EMG_SHAPE_POINT},
      .is_interior = e->layout == EMG_LAYOUT_ARRAY || e->layout == EMG_LAYOUT_NEEDLE,
      .skin_radius_m = emg_conductor_skin_radius_m(conductor),
      .pitch_m = 1e-3 * e->row_pitch_mm};
  if (!out->is_interior) {
    EMG_TRY_DONE(surface_detection(e, &out->detection, err));
  }
  if (e->layout == EMG_LAYOUT_GRID) {
    EMG_TRY_DONE(check_wrap(e, out->skin_radius_m, err));
  }
  if (e->layout == EMG_LAYOUT_RING && e->rotation_deg != 0) {
    EMG_TRY_DONE(emg_fail(err, EMG_ERR_CONFIG,
                          "a ring closes round the limb and cannot be turned by "
                          "electrodes.rotation_deg = %g deg; use centre_angle_deg to move it",
                          e->rotation_deg));
  }
  status = e->layout == EMG_LAYOUT_NEEDLE ? create_needle(config, conductor, out, err)
                                          : create_rows(config, conductor, out, err);

done:
  if (status != EMG_OK) {
    emg_electrodes_free(out);
  }
  return status;
}

void emg_electrodes_free(emg_electrode_set *set) {
  free(set->electrodes);
  *set = (emg_electrode_set){0};
}
