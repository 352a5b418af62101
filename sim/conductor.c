// conductor.c -- layers of the cylinder: from the configuration, checks, and one transfer function
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

static void add_layer(emg_conductor *c, double thickness_mm, double transverse, double axial) {
  if (thickness_mm > 0) {
    double inner = c->n_layers > 0 ? c->radius_m[c->n_layers - 1] : 0;

    c->radius_m[c->n_layers] = inner + thickness_mm * 1e-3;
    c->transverse_s_per_m[c->n_layers] = transverse;
    c->axial_s_per_m[c->n_layers] = axial;
    c->n_layers++;
  }
}

emg_status emg_conductor_from_config(const emg_config *config, emg_conductor *out, emg_error *err) {
  const struct emg_config_conductor *v = &config->conductor;

  if (!(v->muscle_radius_mm > v->bone_radius_mm)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "conductor.muscle_radius_mm is %g mm, inside the bone of %g mm: make it larger",
                    v->muscle_radius_mm, v->bone_radius_mm);
  }
  *out = (emg_conductor){0};
  add_layer(out, v->bone_radius_mm, v->bone_transverse_s_per_m, v->bone_axial_s_per_m);
  out->muscle = out->n_layers;
  add_layer(out, v->muscle_radius_mm - v->bone_radius_mm, v->muscle_transverse_s_per_m,
            v->muscle_axial_s_per_m);
  out->radius_m[out->muscle] = v->muscle_radius_mm * 1e-3;
  add_layer(out, v->fascia_thickness_mm, v->fascia_transverse_s_per_m, v->fascia_axial_s_per_m);
  add_layer(out, v->fat_thickness_mm, v->fat_transverse_s_per_m, v->fat_axial_s_per_m);
  add_layer(out, v->skin_thickness_mm, v->skin_transverse_s_per_m, v->skin_axial_s_per_m);
  return emg_conductor_check(out, err);
}

emg_status emg_conductor_check(const emg_conductor *c, emg_error *err) {
  if (c->n_layers < 1 || c->n_layers > EMG_LAYERS_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG, "the conductor has %d layers: 1 to %d are possible",
                    c->n_layers, EMG_LAYERS_MAX);
  }
  if (c->muscle < 0 || c->muscle >= c->n_layers) {
    return emg_fail(err, EMG_ERR_CONFIG, "the muscle is layer %d of a conductor of %d layers",
                    c->muscle, c->n_layers);
  }
  for (int j = 0; j < c->n_layers; j++) {
    double inner = j > 0 ? c->radius_m[j - 1] : 0;

    if (!(c->radius_m[j] > inner) || !isfinite(c->radius_m[j])) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "layer %d ends at radius %g mm and begins at %g mm: radii must ascend", j,
                      c->radius_m[j] * 1e3, inner * 1e3);
    }
    if (!(c->transverse_s_per_m[j] > 0) || !(c->axial_s_per_m[j] > 0) ||
        !isfinite(c->transverse_s_per_m[j]) || !isfinite(c->axial_s_per_m[j])) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "layer %d conducts %g S/m across and %g S/m along: both must be positive", j,
                      c->transverse_s_per_m[j], c->axial_s_per_m[j]);
    }
  }
  return EMG_OK;
}

double emg_conductor_skin_radius_m(const emg_conductor *c) {
  return c->radius_m[c->n_layers - 1];
}

double emg_conductor_muscle_inner_m(const emg_conductor *c) {
  return c->muscle > 0 ? c->radius_m[c->muscle - 1] : 0;
}

double emg_conductor_muscle_outer_m(const emg_conductor *c) {
  return c->radius_m[c->muscle];
}

double emg_conductor_axial_conductance(const emg_conductor *c) {
  double sum = 0;

  for (int j = 0; j < c->n_layers; j++) {
    double inner = j > 0 ? c->radius_m[j - 1] : 0;
    sum += c->axial_s_per_m[j] * M_PI * (c->radius_m[j] - inner) * (c->radius_m[j] + inner);
  }
  return sum;
}

emg_status emg_conductor_transfer(const emg_conductor *c, int n, double k_rad_per_m,
                                  double source_m, double field_m, double *g_ohm_m,
                                  emg_error *err) {
  int order = abs(n);
  double *all;

  EMG_TRY(emg_conductor_check(c, err));
  if (order == 0 && k_rad_per_m == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    "the transfer function has a pole at n = 0, k = 0 (an insulated cylinder is a "
                    "cable): take k > 0");
  }
  emg_init();
  EMG_TRY(emg_alloc((size_t)order + 1, sizeof(double), &all, err));
  emg_status status = emg_conductor_orders(c, k_rad_per_m, source_m, field_m, order + 1, all, err);

  *g_ohm_m = status == EMG_OK ? all[order] : 0;
  free(all);
  return status;
}
