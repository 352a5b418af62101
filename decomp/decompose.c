// decompose.c -- MAIN PATH: a recording by the name of a method to spike trains
#include <emgtwin/decompose.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#include "guided_priv.h"
#include "online_priv.h"
#include "parts_priv.h"

const emg_decompose_method *emg_decompose_methods(int *n) {
  static const emg_decompose_method methods[] = {
      {"ckc",
       "blind: convolution kernel compensation and a joint model of all units in the channels",
       emg_ckc_run},
      {"cbss", "blind: convolutive source separation one source at a time, for comparison",
       emg_cbss_run},
  };

  *n = (int)(sizeof methods / sizeof methods[0]);
  return methods;
}

// Filters that find the units in new data, and spikes in samples of the whole recording.
static emg_status finish(const emg_recording *rec, const emg_recording *window, int64_t begin,
                         const emg_config *config, const emg_monitor *monitor,
                         emg_decomposition *out, emg_error *err) {
  emg_status status = emg_filters_learn_in(window, out->channels, &out->spikes, config, monitor,
                                           &out->filters, err);

  if (status == EMG_OK) {
    status = emg_window_restore(begin, rec->data.n_cols, out, err);
  }
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}

static emg_status run_method(const emg_decompose_method *method, const emg_recording *rec,
                             const emg_config *config, const emg_monitor *monitor,
                             emg_decomposition *out, emg_error *err) {
  emg_recording window;
  int64_t begin;

  EMG_TRY(emg_window_cut(rec, &config->decompose, &window, &begin, err));
  EMG_TRY(emg_run_grids(method, &window, config, monitor, out, err));
  return finish(rec, &window, begin, config, monitor, out, err);
}

emg_status emg_decompose_find(const char *name, const emg_decompose_method **method,
                              emg_error *err) {
  int n;
  const emg_decompose_method *methods = emg_decompose_methods(&n);
  char names[256] = "";

  for (int i = 0; i < n; i++) {
    if (strcmp(methods[i].name, name) == 0) {
      *method = &methods[i];
      return EMG_OK;
    }
    size_t length = strlen(names);
    snprintf(names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "", methods[i].name);
  }
  return emg_fail(err, EMG_ERR_ARG, "there is no method '%s'; choose one of: %s", name, names);
}

emg_status emg_decompose(const char *method, const emg_recording *rec, const emg_config *config,
                         const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  const emg_decompose_method *chosen;

  emg_init();
  *out = (emg_decomposition){0};
  EMG_TRY(emg_decompose_find(method, &chosen, err));
  return run_method(chosen, rec, config, monitor, out, err);
}

emg_status emg_decompose_guided(const emg_recording *rec, const emg_config *config,
                                const emg_guide *guide, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err) {
  emg_recording window;
  int64_t begin;

  emg_init();
  *out = (emg_decomposition){0};
  EMG_TRY(emg_window_cut(rec, &config->decompose, &window, &begin, err));
  EMG_TRY(emg_ckc_run_guided(&window, config, guide, monitor, out, err));
  return finish(rec, &window, begin, config, monitor, out, err);
}

emg_status emg_decompose_searched(const emg_recording *rec, const emg_config *config, int n_rounds,
                                  const emg_searcher *searcher, const emg_monitor *monitor,
                                  emg_decomposition *out, emg_error *err) {
  emg_recording window;
  int64_t begin;

  emg_init();
  *out = (emg_decomposition){0};
  EMG_TRY(emg_window_cut(rec, &config->decompose, &window, &begin, err));
  EMG_TRY(emg_run_searched(&window, config, n_rounds, searcher, monitor, out, err));
  return finish(rec, &window, begin, config, monitor, out, err);
}

emg_status emg_decompose_set_kind(const char *kind, emg_config *config, emg_error *err) {
  struct emg_config_decompose *keys = &config->decompose;

  if (strcmp(kind, "surface") == 0) {
    keys->band_low_hz = 20;
    keys->band_high_hz = 500;
    keys->band_order = 2;
  } else if (strcmp(kind, "intramuscular") == 0) {
    keys->band_low_hz = 100;
    keys->band_high_hz = 4400;
    keys->band_order = 3;
  } else {
    return emg_fail(err, EMG_ERR_ARG,
                    "there is no kind of recording '%s'; choose surface or intramuscular", kind);
  }
  return EMG_OK;
}

void emg_decompose_set_quick(emg_config *config) {
  const double fixed_point_s = 12;
  const int iterations = 6;

  config->decompose.fixed_point_s = fmin(config->decompose.fixed_point_s, fixed_point_s);
  if (config->decompose.iterations > iterations) {
    config->decompose.iterations = iterations;
  }
  config->decompose.rounds = 1;
  config->decompose.splits = 0;
  config->decompose.joint_iterations = 1;
  config->decompose.final_iterations = 1;
}
