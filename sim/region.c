// region.c -- cross-section of one muscle: a sector of the muscle layer or an ellipse in it
#include <math.h>

#include "pool_priv.h"

// A region may touch the edge of the muscle layer; this much beyond it is rounding.
static const double edge_tolerance_m = 1e-9;

static double degrees(double value_deg) {
  return value_deg * M_PI / 180;
}

static emg_status create_sector(const struct emg_config_muscle *muscle, double inner_m,
                                double outer_m, emg_region *out, emg_error *err) {
  double thickness_m = 1e-3 * muscle->radial_extent_mm;

  if (thickness_m > outer_m - inner_m + edge_tolerance_m) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "muscle \"%s\" is a sector %g mm thick in a muscle layer of %g mm; lower "
                    "muscle.radial_extent_mm",
                    muscle->name, muscle->radial_extent_mm, 1e3 * (outer_m - inner_m));
  }
  out->inner_radius_m = fmax(outer_m - thickness_m, inner_m);
  out->half_angle_rad = degrees(muscle->sector_width_deg) / 2;
  return EMG_OK;
}

// The edge of an ellipse is followed in small steps for its least and largest distance to the axis.
static emg_status create_ellipse(const struct emg_config_muscle *muscle, double inner_m,
                                 double outer_m, emg_region *out, emg_error *err) {
  const int n_steps = 1440;
  double nearest_m = INFINITY, farthest_m = 0;

  out->is_ellipse = true;
  out->centre_x_m = 1e-3 * muscle->centre_radius_mm * cos(out->angle_rad);
  out->centre_y_m = 1e-3 * muscle->centre_radius_mm * sin(out->angle_rad);
  out->half_axis_1_m = 1e-3 * muscle->radial_extent_mm;
  out->half_axis_2_m = 1e-3 * (muscle->region == EMG_REGION_CIRCLE ? muscle->radial_extent_mm
                                                                   : muscle->tangential_extent_mm);
  for (int i = 0; i < n_steps; i++) {
    double t = 2 * M_PI * i / n_steps;
    double along_m = 1e-3 * muscle->centre_radius_mm + out->half_axis_1_m * cos(t);
    double distance_m = hypot(along_m, out->half_axis_2_m * sin(t));

    nearest_m = fmin(nearest_m, distance_m);
    farthest_m = fmax(farthest_m, distance_m);
  }
  if (emg_region_contains(out, 0, 0, 0)) {
    nearest_m = 0;
  }
  if (nearest_m < inner_m - edge_tolerance_m || farthest_m > outer_m + edge_tolerance_m) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "muscle \"%s\" spans %.4g to %.4g mm from the axis, the muscle layer %.4g to "
                    "%.4g mm; move its centre or make it smaller",
                    muscle->name, 1e3 * nearest_m, 1e3 * farthest_m, 1e3 * inner_m, 1e3 * outer_m);
  }
  return EMG_OK;
}

emg_status emg_region_create(const emg_config *config, const emg_conductor *conductor, int muscle,
                             emg_region *out, emg_error *err) {
  const struct emg_config_muscle *m = &config->muscle[muscle];
  double inner_m = emg_conductor_muscle_inner_m(conductor);
  double outer_m = emg_conductor_muscle_outer_m(conductor);

  *out = (emg_region){.angle_rad = degrees(m->centre_angle_deg),
                      .inner_radius_m = inner_m,
                      .outer_radius_m = outer_m,
                      .half_angle_rad = M_PI};
  switch (m->region) {
    case EMG_REGION_SECTOR:
      return create_sector(m, inner_m, outer_m, out, err);
    case EMG_REGION_CIRCLE:
    case EMG_REGION_ELLIPSE:
      return create_ellipse(m, inner_m, outer_m, out, err);
    default:
      return EMG_OK;
  }
}

static bool sector_contains(const emg_region *region, double inset_m, double x_m, double y_m) {
  double radius2 = x_m * x_m + y_m * y_m;
  double outer_m = region->outer_radius_m - inset_m;
  double inner_m = region->inner_radius_m > 0 ? region->inner_radius_m + inset_m : 0;

  if (outer_m < 0 || radius2 > outer_m * outer_m || radius2 < inner_m * inner_m) {
    return false;
  }
  if (region->half_angle_rad >= M_PI) {
    return true;
  }
  // angle and distance to the nearer of the two straight edges
  double off_centre = fabs(remainder(atan2(y_m, x_m) - region->angle_rad, 2 * M_PI));
  double to_edge = region->half_angle_rad - off_centre;

  if (to_edge < 0) {
    return false;
  }
  return to_edge >= M_PI / 2 || sqrt(radius2) * sin(to_edge) >= inset_m;
}

bool emg_region_contains(const emg_region *region, double inset_m, double x_m, double y_m) {
  if (!region->is_ellipse) {
    return sector_contains(region, inset_m, x_m, y_m);
  }
  double half_axis_1_m = region->half_axis_1_m - inset_m;
  double half_axis_2_m = region->half_axis_2_m - inset_m;

  if (half_axis_1_m <= 0 || half_axis_2_m <= 0) {
    return false;
  }
  double dx = x_m - region->centre_x_m, dy = y_m - region->centre_y_m;
  double c = cos(region->angle_rad), s = sin(region->angle_rad);
  double u = (c * dx + s * dy) / half_axis_1_m, v = (c * dy - s * dx) / half_axis_2_m;
  return u * u + v * v <= 1;
}

double emg_region_area_m2(const emg_region *region) {
  if (region->is_ellipse) {
    return M_PI * region->half_axis_1_m * region->half_axis_2_m;
  }
  double outer_m = region->outer_radius_m, inner_m = region->inner_radius_m;
  return fmin(region->half_angle_rad, M_PI) * (outer_m * outer_m - inner_m * inner_m);
}

static void extend_box(double box[4], double x_m, double y_m) {
  box[0] = fmin(box[0], x_m);
  box[1] = fmax(box[1], x_m);
  box[2] = fmin(box[2], y_m);
  box[3] = fmax(box[3], y_m);
}

// A sector reaches its extremes at its four corners or where an axis crosses its outer arc.
static void sector_box(const emg_region *region, double box[4]) {
  for (int side = -1; side <= 1; side += 2) {
    double edge = region->angle_rad + side * region->half_angle_rad;

    extend_box(box, region->inner_radius_m * cos(edge), region->inner_radius_m * sin(edge));
    extend_box(box, region->outer_radius_m * cos(edge), region->outer_radius_m * sin(edge));
  }
  for (int quarter = 0; quarter < 4; quarter++) {
    double axis = quarter * M_PI / 2;

    if (fabs(remainder(axis - region->angle_rad, 2 * M_PI)) <= region->half_angle_rad) {
      extend_box(box, region->outer_radius_m * cos(axis), region->outer_radius_m * sin(axis));
    }
  }
}

void emg_region_box(const emg_region *region, double box[4]) {
  box[0] = box[2] = INFINITY;
  box[1] = box[3] = -INFINITY;
  if (!region->is_ellipse) {
    sector_box(region, box);
    return;
  }
  double c = cos(region->angle_rad), s = sin(region->angle_rad);
  double half_x = hypot(region->half_axis_1_m * c, region->half_axis_2_m * s);
  double half_y = hypot(region->half_axis_1_m * s, region->half_axis_2_m * c);

  extend_box(box, region->centre_x_m - half_x, region->centre_y_m - half_y);
  extend_box(box, region->centre_x_m + half_x, region->centre_y_m + half_y);
}
