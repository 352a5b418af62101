// expected.c -- what is expected of units before anything is seen: priors, bounds, probes
#include "inverse_priv.h"

#include <math.h>

#include <gsl/gsl_cdf.h>

static void set(emg_expected *e, emg_unit_parameter p, double zero, double mean, double sd,
                double min, double max, double floor) {
  e->mean[p] = zero + mean;
  e->sd[p] = sd;
  e->min[p] = zero + min;
  e->max[p] = zero + max;
  e->floor[p] = floor;
}

// The key's five values, `zero` added to places.
#define SET(parameter, zero, name, unit)                                                     \
  set(&e, parameter, zero, v->name##_mean_##unit, v->name##_sd_##unit, v->name##_min_##unit, \
      v->name##_max_##unit, v->name##_floor_##unit)

emg_expected emg_expected_from_config(const emg_config *config, const emg_conductor *conductor) {
  const struct emg_config_invert *v = &config->invert;
  const struct emg_config_muscle *m = &config->muscle[0];
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(conductor);
  const double grid_mm = skin_mm * config->electrodes.centre_angle_deg * M_PI / 180;
  emg_expected e = {.error_factor = v->error_factor, .amplitude_floor = v->fibre_count_floor};

  SET(EMG_UNIT_DEPTH, 0, depth, mm);
  SET(EMG_UNIT_ARC, grid_mm, arc, mm);
  SET(EMG_UNIT_ZONE, m->innervation_zone_mm, zone, mm);
  SET(EMG_UNIT_CV, 0, cv, m_per_s);
  SET(EMG_UNIT_TENDON_1, m->innervation_zone_mm + m->half_length_1_mm, tendon, mm);
  SET(EMG_UNIT_TENDON_2, m->innervation_zone_mm - m->half_length_2_mm, tendon, mm);
  SET(EMG_UNIT_TERRITORY, 0, territory, mm);
  SET(EMG_UNIT_ZONE_SPREAD, 0, zone_spread, mm);
  SET(EMG_UNIT_LATENCY, 0, latency, ms);
  if (config->electrodes.layout == EMG_LAYOUT_RING) {
    // half a turn and half as much again, so that a fit may pass the seam
    e.sd[EMG_UNIT_ARC] = INFINITY;
    e.mean[EMG_UNIT_ARC] = grid_mm;
    e.min[EMG_UNIT_ARC] = grid_mm - 1.5 * M_PI * skin_mm;
    e.max[EMG_UNIT_ARC] = grid_mm + 1.5 * M_PI * skin_mm;
  }
  double deepest_mm =
      1e3 * (emg_conductor_muscle_outer_m(conductor) - emg_conductor_muscle_inner_m(conductor));
  e.max[EMG_UNIT_DEPTH] = fmin(e.max[EMG_UNIT_DEPTH], deepest_mm);
  return e;
}

static double limit(const emg_expected *e, emg_unit_parameter p, double value) {
  return fmin(fmax(value, e->min[p]), e->max[p]);
}

// Evenly over `reach` deviations either way.
static double even(const emg_expected *e, emg_unit_parameter p, double u, double reach) {
  return limit(e, p, e->mean[p] + (2 * u - 1) * reach * e->sd[p]);
}

// As expected, without the ends of the bell and somewhat narrower.
static double bell(const emg_expected *e, emg_unit_parameter p, double u, double narrower) {
  return limit(e, p, e->mean[p] + narrower * e->sd[p] * gsl_cdf_ugaussian_Pinv(0.015 + 0.97 * u));
}

emg_mean_unit emg_expected_unit(const emg_expected *e, const double cube[6]) {
  emg_mean_unit unit;
  double *value = unit.value;

  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    value[p] = e->mean[p];
  }
  // more of the shallow ones, whose potentials change faster with depth
  double shallow = e->min[EMG_UNIT_DEPTH] + 0.5;
  double deep = fmin(e->mean[EMG_UNIT_DEPTH] + 1.6 * e->sd[EMG_UNIT_DEPTH], e->max[EMG_UNIT_DEPTH]);
  value[EMG_UNIT_DEPTH] = shallow + fmax(deep - shallow, 0) * pow(cube[0], 1.3);
  if (isinf(e->sd[EMG_UNIT_ARC])) {
    double half_turn = (e->max[EMG_UNIT_ARC] - e->mean[EMG_UNIT_ARC]) / 1.5;
    value[EMG_UNIT_ARC] = e->mean[EMG_UNIT_ARC] + (2 * cube[1] - 1) * half_turn;
  } else {
    value[EMG_UNIT_ARC] = even(e, EMG_UNIT_ARC, cube[1], 1.5);
  }
  value[EMG_UNIT_ZONE] = bell(e, EMG_UNIT_ZONE, cube[2], 0.9);
  value[EMG_UNIT_CV] = even(e, EMG_UNIT_CV, cube[3], 1.7);
  value[EMG_UNIT_TENDON_1] = bell(e, EMG_UNIT_TENDON_1, cube[4], 0.75);
  value[EMG_UNIT_TENDON_2] = bell(e, EMG_UNIT_TENDON_2, cube[5], 0.75);
  value[EMG_UNIT_TERRITORY] =
      limit(e, EMG_UNIT_TERRITORY, fmin(value[EMG_UNIT_TERRITORY], value[EMG_UNIT_DEPTH] + 0.3));
  return unit;
}

void emg_expected_range(const emg_expected *e, emg_unit_parameter p, double *low, double *high) {
  *low = e->min[p];
  *high = e->max[p];
  if (p == EMG_UNIT_ARC && isinf(e->sd[p])) {
    double half_turn = (e->max[p] - e->mean[p]) / 1.5;
    *low = e->mean[p] - half_turn;
    *high = e->mean[p] + half_turn;
  }
}
