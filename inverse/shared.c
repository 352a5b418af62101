// shared.c -- parameters of conductor and grid that all units share, by profile
//
// At each value tried the units are fitted anew and their costs added; the profile of the cost is
// a parabola near its minimum, whose curvature says how well the value is known.
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>

#define STAGE "shared parameters"

// --- in the configuration ---

static const struct {
  const char *name, *unit;
} parameters[EMG_SHARED_PARAMETERS] = {
    [EMG_SHARED_ROTATION] = {"grid_rotation_deg", "deg"},
    [EMG_SHARED_FAT] = {"fat_thickness_mm", "mm"},
    [EMG_SHARED_TENDON_1] = {"half_length_1_mm", "mm"},
    [EMG_SHARED_TENDON_2] = {"half_length_2_mm", "mm"},
    [EMG_SHARED_OFFSET] = {"grid_offset_mm", "mm"},
    [EMG_SHARED_ANISOTROPY] = {"log_anisotropy", "1"},
};

const char *emg_shared_name(emg_shared_parameter parameter) {
  return parameters[parameter].name;
}

const char *emg_shared_unit(emg_shared_parameter parameter) {
  return parameters[parameter].unit;
}

bool emg_shared_is_estimated(const emg_config *config, emg_shared_parameter parameter) {
  const struct emg_config_invert *v = &config->invert;

  switch (parameter) {
    case EMG_SHARED_ROTATION:
      return v->rotation == EMG_SHARED_ESTIMATED;
    case EMG_SHARED_FAT:
      return v->fat == EMG_SHARED_ESTIMATED;
    case EMG_SHARED_TENDON_1:
    case EMG_SHARED_TENDON_2:
      return v->tendons == EMG_SHARED_ESTIMATED;
    case EMG_SHARED_OFFSET:
      return v->offset == EMG_SHARED_ESTIMATED;
    default:
      return v->anisotropy == EMG_SHARED_ESTIMATED;
  }
}

double emg_shared_get(const emg_config *config, emg_shared_parameter parameter) {
  const struct emg_config_conductor *c = &config->conductor;

  switch (parameter) {
    case EMG_SHARED_ROTATION:
      return config->electrodes.rotation_deg;
    case EMG_SHARED_FAT:
      return c->fat_thickness_mm;
    case EMG_SHARED_TENDON_1:
      return config->muscle[0].half_length_1_mm;
    case EMG_SHARED_TENDON_2:
      return config->muscle[0].half_length_2_mm;
    case EMG_SHARED_OFFSET:
      return config->electrodes.centre_z_mm;
    default:
      return log(c->muscle_axial_s_per_m / c->muscle_transverse_s_per_m);
  }
}

// Conductivity across the fibres and their geometric mean both matter; the mean is kept.
static void set_anisotropy(struct emg_config_conductor *c, double logarithm) {
  double mean = sqrt(c->muscle_axial_s_per_m * c->muscle_transverse_s_per_m);

  c->muscle_axial_s_per_m = mean * exp(logarithm / 2);
  c->muscle_transverse_s_per_m = mean * exp(-logarithm / 2);
}

void emg_shared_set(emg_config *config, emg_shared_parameter parameter, double value) {
  switch (parameter) {
    case EMG_SHARED_ROTATION:
      config->electrodes.rotation_deg = value;
      break;
    case EMG_SHARED_FAT:
      config->conductor.fat_thickness_mm = value;
      break;
    case EMG_SHARED_TENDON_1:
      config->muscle[0].half_length_1_mm = value;
      break;
    case EMG_SHARED_TENDON_2:
      config->muscle[0].half_length_2_mm = value;
      break;
    case EMG_SHARED_OFFSET:
      config->electrodes.centre_z_mm = value;
      break;
    default:
      set_anisotropy(&config->conductor, value);
  }
}

// What is expected beforehand: mean as configured, standard deviation, limits.
typedef struct {
  double mean, sd, min, max;
} belief;

static belief belief_of(const emg_config *config, emg_shared_parameter parameter) {
  const struct emg_config_invert *v = &config->invert;
  const double mean = emg_shared_get(config, parameter), reach = 4;

  switch (parameter) {
    case EMG_SHARED_ROTATION:
      return (belief){mean, v->rotation_sd_deg,
                      fmax(mean - fmin(reach * v->rotation_sd_deg, 45), -180),
                      fmin(mean + fmin(reach * v->rotation_sd_deg, 45), 180)};
    case EMG_SHARED_FAT:
      return (belief){mean, v->fat_sd_mm, 0, 60};
    case EMG_SHARED_TENDON_1:
    case EMG_SHARED_TENDON_2:
      return (belief){mean, v->tendons_sd_mm, fmax(mean / 2, 1), fmin(mean * 2, 1000)};
    case EMG_SHARED_OFFSET:
      return (belief){mean, v->offset_sd_mm, fmax(mean - reach * v->offset_sd_mm, -500),
                      fmin(mean + reach * v->offset_sd_mm, 500)};
    default:
      return (belief){mean, v->anisotropy_sd, 0, log(100)};
  }
}

// Whether the tables of one conductor serve at all values.
static bool keeps_conductor(emg_shared_parameter parameter) {
  return parameter != EMG_SHARED_FAT && parameter != EMG_SHARED_ANISOTROPY;
}

// By how much electrodes may move along the fibres between the limits.
static double shift_max_mm(const emg_config *config, emg_shared_parameter parameter,
                           const belief *expected) {
  const struct emg_config_electrodes *e = &config->electrodes;
  const double reach = fmax(expected->max - expected->mean, expected->mean - expected->min);

  if (parameter == EMG_SHARED_OFFSET) {
    return reach;
  }
  if (parameter == EMG_SHARED_ROTATION) {
    // half the diagonal, along a chord
    double radius_mm = hypot(e->rows * e->row_pitch_mm, e->columns * e->column_pitch_mm) / 2;
    return 2 * radius_mm * sin(reach * M_PI / 360);
  }
  return 0;
}

// --- the cost of a value ---

enum { TRIED_MAX = 32 };

typedef struct {
  const emg_config *config;
  const emg_view_source *recording;
  const emg_metric *metric;
  emg_shared_parameter parameter;
  belief expected;
  int n_units, n_iterations;
  emg_fit_item *units;
  const emg_monitor *monitor;
  emg_subject base;  // at the configured value, if its tables serve at all
  int n_tried;
  struct {
    double value, cost, chi2;
    double cover_mm;  // of the muscle: fat and skin
    emg_fit *fits;    // [n_units]
  } tried[TRIED_MAX];
} profile;

// The value tried whose fits are the ones to start from.
static int nearest_tried(const profile *p, double value) {
  int nearest = 0;
  for (int i = 1; i < p->n_tried; i++) {
    if (fabs(p->tried[i].value - value) < fabs(p->tried[nearest].value - value)) {
      nearest = i;
    }
  }
  return nearest;
}

// Fits of the nearest value tried, or the first ones; depths below the skin are kept.
static void take_starts(const profile *p, double value, double cover_mm, emg_fit *fits) {
  int nearest = nearest_tried(p, value);

  for (int i = 0; i < p->n_units; i++) {
    fits[i] = p->n_tried > 0 ? p->tried[nearest].fits[i] : p->units[i].fit;
    if (p->n_tried > 0) {
      fits[i].unit.value[EMG_UNIT_DEPTH] += p->tried[nearest].cover_mm - cover_mm;
    }
  }
}

static emg_status try_value(profile *p, double value, emg_error *err) {
  const int at = p->n_tried;
  emg_config config = *p->config;
  emg_subject subject = {0};
  emg_fit *fits = NULL;
  emg_status status;

  EMG_TRY(emg_progress(p->monitor, STAGE, at, TRIED_MAX, err));
  EMG_TRY_DONE(emg_alloc((size_t)p->n_units, sizeof *fits, &fits, err));
  emg_shared_set(&config, p->parameter, value);
  if (keeps_conductor(p->parameter)) {
    EMG_TRY_DONE(emg_subject_move(&p->base, &config, p->recording, &subject, err));
  } else {
    EMG_TRY_DONE(emg_subject_create(&config, p->recording, 0, &subject, err));
  }
  double cover_mm = emg_subject_cover_mm(&subject);
  take_starts(p, value, cover_mm, fits);
  emg_fit_problem problem = {.model = subject.model,
                             .view = &subject.view,
                             .metric = p->metric,
                             .expected = &subject.expected,
                             .template_error = config.invert.template_error};
  EMG_TRY_DONE(emg_fit_all(&problem, p->n_units, p->units, p->n_iterations, fits, err));

  double z = (value - p->expected.mean) / p->expected.sd, chi2 = 0;
  p->tried[at].value = value;
  p->tried[at].cover_mm = cover_mm;
  p->tried[at].cost = z * z;
  for (int i = 0; i < p->n_units; i++) {
    p->tried[at].cost += fits[i].cost;
    chi2 += fits[i].chi2 / p->n_units;
  }
  p->tried[at].chi2 = chi2;
  p->tried[at].fits = fits;
  p->n_tried++;
  fits = NULL;
done:
  free(fits);
  emg_subject_free(&subject);
  return status;
}

// --- the minimum ---

static int best_tried(const profile *p) {
  int best = 0;
  for (int i = 1; i < p->n_tried; i++) {
    best = p->tried[i].cost < p->tried[best].cost ? i : best;
  }
  return best;
}

// The value tried next to `from` on one side, -1 for none.
static int neighbour(const profile *p, int from, int side) {
  int found = -1;
  for (int i = 0; i < p->n_tried; i++) {
    double away = side * (p->tried[i].value - p->tried[from].value);
    if (away > 0 && (found < 0 || away < side * (p->tried[found].value - p->tried[from].value))) {
      found = i;
    }
  }
  return found;
}

// Parabola through the best value and its neighbours: its minimum and second derivative. False
// without a minimum.
static bool parabola(const profile *p, double *value, double *curvature) {
  int b = best_tried(p), a = neighbour(p, b, -1), c = neighbour(p, b, 1);
  if (a < 0 || c < 0) {
    return false;
  }
  double xa = p->tried[a].value, xb = p->tried[b].value, xc = p->tried[c].value;
  double rise_1 = (p->tried[b].cost - p->tried[a].cost) / (xb - xa);
  double rise_2 = (p->tried[c].cost - p->tried[b].cost) / (xc - xb);
  *curvature = 2 * (rise_2 - rise_1) / (xc - xa);
  if (!(*curvature > 0)) {
    return false;
  }
  *value = fmin(fmax((xa + xb) / 2 - rise_1 / *curvature, xa), xc);
  return true;
}

static double limit(const profile *p, double value) {
  return fmin(fmax(value, p->expected.min), p->expected.max);
}

// Steps to lower costs until the best value has neighbours on both sides, or a limit is reached.
static emg_status bracket(profile *p, double step, emg_error *err) {
  const int steps_max = 12;

  EMG_TRY(try_value(p, limit(p, p->expected.mean - step), err));
  EMG_TRY(try_value(p, limit(p, p->expected.mean + step), err));
  for (int i = 0; i < steps_max; i++) {
    int best = best_tried(p);
    int side = neighbour(p, best, -1) < 0 ? -1 : neighbour(p, best, 1) < 0 ? 1 : 0;
    double next = limit(p, p->tried[best].value + side * step);
    if (side == 0 || next == p->tried[best].value) {
      break;
    }
    EMG_TRY(try_value(p, next, err));
  }
  return EMG_OK;
}

// Halves of the step on both sides of the best, until a parabola says that the cost is level to
// within its own width there.
static emg_status refine(profile *p, double step, emg_error *err) {
  const int halvings_max = 4;

  for (int i = 0; i < halvings_max; i++) {
    double value, curvature;
    if (!parabola(p, &value, &curvature) || step < 1.5 * sqrt(2 / curvature)) {
      break;
    }
    step /= 2;
    int best = best_tried(p);
    double centre = p->tried[best].value;
    EMG_TRY(try_value(p, limit(p, centre - step), err));
    EMG_TRY(try_value(p, limit(p, centre + step), err));
  }
  return EMG_OK;
}

static void conclude(profile *p, emg_profile *out) {
  const int best = best_tried(p);
  double curvature;

  *out = (emg_profile){.value = p->tried[best].value,
                       .sd = p->expected.sd,
                       .gain = p->tried[0].cost - p->tried[best].cost,
                       .n_tried = p->n_tried,
                       .is_at_limit = true};
  if (parabola(p, &out->value, &curvature)) {
    out->sd = sqrt(2 * fmax(p->tried[best].chi2, 1) / curvature);
    out->is_at_limit = false;
  }
  for (int i = 0; i < p->n_units; i++) {
    p->units[i].fit = p->tried[best].fits[i];
  }
}

emg_status emg_shared_profile(const emg_config *config, const emg_view_source *recording,
                              const emg_metric *metric, emg_shared_parameter parameter, int n_units,
                              emg_fit_item *units, int n_iterations, const emg_monitor *monitor,
                              emg_profile *out, emg_error *err) {
  profile p = {.config = config,
               .recording = recording,
               .metric = metric,
               .parameter = parameter,
               .expected = belief_of(config, parameter),
               .n_units = n_units,
               .n_iterations = n_iterations,
               .units = units,
               .monitor = monitor};
  const double step = p.expected.sd / 2;
  emg_status status;

  *out = (emg_profile){0};
  if (n_units < 1) {
    return emg_fail(err, EMG_ERR_ARG, "no unit to estimate a shared parameter from");
  }
  if (keeps_conductor(parameter)) {
    EMG_TRY_DONE(emg_subject_create(config, recording, shift_max_mm(config, parameter, &p.expected),
                                    &p.base, err));
  }
  EMG_TRY_DONE(try_value(&p, p.expected.mean, err));
  EMG_TRY_DONE(bracket(&p, step, err));
  EMG_TRY_DONE(refine(&p, step, err));
  conclude(&p, out);
done:
  for (int i = 0; i < p.n_tried; i++) {
    free(p.tried[i].fits);
  }
  emg_subject_free(&p.base);
  return status;
}

emg_status emg_shared_estimate(emg_config *config, const emg_view_source *recording,
                               const emg_metric *metric, int n_units, emg_fit_item *units,
                               int n_iterations, const emg_monitor *monitor, emg_profile *out,
                               emg_error *err) {
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    const emg_shared_parameter parameter = (emg_shared_parameter)p;
    double value = emg_shared_get(config, parameter);

    out[p] = (emg_profile){.value = value, .sd = 0};
    if (!emg_shared_is_estimated(config, parameter)) {
      continue;
    }
    out[p].sd = belief_of(config, parameter).sd;
    if (n_units > 0) {
      EMG_TRY(emg_shared_profile(config, recording, metric, parameter, n_units, units, n_iterations,
                                 monitor, &out[p], err));
      emg_shared_set(config, parameter, out[p].value);
    }
  }
  return EMG_OK;
}
