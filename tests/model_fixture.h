// model_fixture.h -- configurations and models for tests, from assignments as with --set
#ifndef EMG_TESTS_MODEL_FIXTURE_H
#define EMG_TESTS_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// Defaults for so many muscles, overlaid with a NULL-terminated list of assignments.
static inline emg_config fixture_muscles(int n_muscles, const char *const *assignments) {
  emg_config config;
  emg_error err = {0};

  emg_config_defaults(&config);
  config.n_muscles = n_muscles;
  for (int i = 0; assignments[i]; i++) {
    if (emg_config_set(&config, assignments[i], &err) != EMG_OK) {
      fail_msg("%s: %s", assignments[i], emg_error_message(&err));
    }
  }
  return config;
}

static inline emg_config fixture_config(const char *const *assignments) {
  return fixture_muscles(1, assignments);
}

static inline emg_model fixture_create(const emg_config *config) {
  emg_model model;
  emg_error err = {0};

  if (emg_model_create(config, &model, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return model;
}

static inline emg_model fixture_model(const char *const *assignments) {
  emg_config config = fixture_config(assignments);

  return fixture_create(&config);
}

// Conductor of a configuration, for tests that place fibres alone.
static inline emg_conductor fixture_conductor(const emg_config *config) {
  emg_conductor conductor;
  emg_error err = {0};

  if (emg_conductor_from_config(config, &conductor, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return conductor;
}

#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})

// Every stage that runs in parallel is in use: two muscles, several states, coloured and
// correlated noise, interference, faults, amplifier, converter.
static inline emg_config fixture_busy(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.simulation.duration_s = 4;
  config.conductor.muscle_radius_mm = 12;
  config.electrodes.rows = 5;
  config.electrodes.columns = 4;
  config.n_muscles = 2;
  for (int m = 0; m < 2; m++) {
    config.muscle[m] = config.muscle[0];
    config.pool[m] = config.pool[0];
    config.drive[m] = config.drive[0];
    config.muscle[m].region = EMG_REGION_CIRCLE;
    config.muscle[m].centre_radius_mm = 6;
    config.muscle[m].centre_angle_deg = 180 * m;
    config.muscle[m].radial_extent_mm = 5;
    config.muscle[m].fibre_count = 300;
    config.pool[m].units = 6;
    config.pool[m].innervation_ratio = 4;
    config.drive[m].level = 0.5;
    config.drive[m].hold_s = 2;
    config.drive[m].ramp_up_s = config.drive[m].ramp_down_s = 1;
    config.drive[m].common_noise = config.drive[m].independent_noise = 0.05;
  }
  config.change.states = 3;
  config.change.cv_decline_per_s = 0.01;
  config.change.shortening = 0.05;
  config.sensor.noise_colour = EMG_NOISE_PINK;
  config.sensor.noise_correlation_mm = 12;
  config.sensor.mains_uv = 2;
  config.sensor.motion_uv = 20;
  config.sensor.motion_per_s = 0.5;
  config.sensor.dead_channels = config.sensor.noisy_channels = 1;
  config.sensor.saturated_channels = config.sensor.intermittent_channels = 1;
  config.sensor.bandpass_low_hz = 10;
  config.sensor.bandpass_high_hz = 500;
  config.sensor.adc_bits = 16;
  config.output.clean = config.output.noise = true;
  return config;
}

#endif
