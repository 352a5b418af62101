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

#endif
