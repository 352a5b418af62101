// source.c -- the intracellular action potential and the four lead functions it needs
#include "sim/conductor_priv.h"

#include <math.h>

#include <emgtwin/config.h>

emg_action_potential emg_action_potential_from_config(const emg_config *config) {
  return (emg_action_potential){
      .amplitude_v = config->fibre.amplitude_mv * 1e-3,
      .scale_m = config->fibre.length_scale_mm * 1e-3,
      .intracellular_s_per_m = config->fibre.intracellular_s_per_m,
  };
}

emg_status emg_action_potential_check(const emg_action_potential *source, emg_error *err) {
  if (!(source->scale_m > 0) || !isfinite(source->scale_m) || !isfinite(source->amplitude_v) ||
      !(source->intracellular_s_per_m > 0) || !isfinite(source->intracellular_s_per_m)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "action potential of %g mV and scale %g mm in a fibre of %g S/m: scale and "
                    "conductivity must be positive, all finite",
                    source->amplitude_v * 1e3, source->scale_m * 1e3,
                    source->intracellular_s_per_m);
  }
  return EMG_OK;
}

// INT e^-u u^j e^{iklu} du = j! beta^{j+1} with beta = 1 / (1 - ikl), so the weights of q_i become
//   q0: 6a beta^2 (1 - beta)^2,  q1: 6a beta (1 - beta)^2,  q2: 3a (1 - beta)^2,  q3: -a (1 -
//   beta).
void emg_lead_function_transforms(const emg_action_potential *source, double k_rad_per_m,
                                  double complex multiplier[4]) {
  double kl = k_rad_per_m * source->scale_m, a = source->amplitude_v / source->scale_m;
  double complex beta = 1 / (1 - I * kl), rest = -I * kl * beta;  // 1 - beta, without cancellation

  multiplier[0] = 6 * a * beta * beta * rest * rest;
  multiplier[1] = 6 * a * beta * rest * rest;
  multiplier[2] = 3 * a * rest * rest;
  multiplier[3] = -a * rest;
}

double complex emg_lead_primitive_transform(const emg_action_potential *source,
                                            double k_rad_per_m) {
  double kl = k_rad_per_m * source->scale_m, a = source->amplitude_v / source->scale_m;
  double complex beta = 1 / (1 - I * kl);

  return a * I * kl * beta * beta * beta * beta;
}
