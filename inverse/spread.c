// spread.c -- what the errors of shared parameters do to the parameters of units
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>

// Units fitted anew with one parameter moved by its standard deviation.
static emg_status spread_of(const emg_config *config, const emg_view_source *recording,
                            const emg_metric *metric, emg_shared_parameter parameter,
                            const emg_profile *shared, const emg_subject *here, int n_units,
                            const emg_fit_item *units, emg_fitted *fitted, emg_error *err) {
  const int n_iterations = 8;
  emg_config moved = *config;
  emg_subject there = {0};
  emg_fit *fits;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n_units, sizeof *fits, &fits, err));
  emg_shared_set(&moved, parameter, emg_shared_get(config, parameter) + shared->sd);
  EMG_TRY_DONE(emg_subject_create(&moved, recording, 0, &there, err));
  for (int i = 0; i < n_units; i++) {
    fits[i] = units[i].fit;
    fits[i].unit.value[EMG_UNIT_DEPTH] += emg_subject_cover_mm(here) - emg_subject_cover_mm(&there);
  }
  emg_fit_problem problem = {.model = there.model,
                             .view = &there.view,
                             .metric = metric,
                             .expected = &there.expected,
                             .template_error = config->invert.template_error};
  EMG_TRY_DONE(emg_fit_all(&problem, n_units, units, n_iterations, fits, err));
  for (int i = 0; i < n_units; i++) {
    emg_fitted after = fitted[i];
    double value[2][EMG_INVERSION_PARAMETERS];
    after.fit = fits[i];
    emg_report_values(&here->conductor, &fitted[i], value[0]);
    emg_report_values(&there.conductor, &after, value[1]);
    for (int p = 0; p < EMG_INVERSION_PARAMETERS; p++) {
      fitted[i].shared_variance[p] += pow(value[1][p] - value[0][p], 2);
    }
  }
done:
  free(fits);
  emg_subject_free(&there);
  return status;
}

emg_status emg_shared_spread(const emg_config *config, const emg_view_source *recording,
                             const emg_metric *metric, const emg_subject *here,
                             const emg_profile shared[EMG_SHARED_PARAMETERS], int n_units,
                             const float *const *estimates, emg_fitted *fitted, emg_error *err) {
  emg_fit_item *units;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)n_units + 1, sizeof *units, &units, err));
  for (int i = 0; i < n_units; i++) {
    units[i] = (emg_fit_item){estimates[i], fitted[i].n_spikes, fitted[i].fit};
  }
  for (int p = 0; p < EMG_SHARED_PARAMETERS && status == EMG_OK; p++) {
    if (shared[p].sd > 0) {
      status = spread_of(config, recording, metric, (emg_shared_parameter)p, &shared[p], here,
                         n_units, units, fitted, err);
    }
  }
  free(units);
  return status;
}
