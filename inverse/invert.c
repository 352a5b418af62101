// invert.c -- from a recording to spike trains and parameters of motor units
#include <emgtwin/invert.h>

#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "model_guide_priv.h"
#include "paper_priv.h"

// --- does the configuration belong to the recording? ---

static emg_status check_channels(const emg_recording *rec, const emg_config *config,
                                 emg_error *err) {
  emg_conductor conductor;
  emg_electrode_set electrodes = {0};
  emg_montage montage = {0};
  emg_status status;

  EMG_TRY_DONE(emg_conductor_from_config(config, &conductor, err));
  EMG_TRY_DONE(emg_electrodes_create(config, &conductor, &electrodes, err));
  EMG_TRY_DONE(emg_montage_create(config, &electrodes, &montage, err));
  if (montage.weights.n_rows != rec->data.n_rows) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the recording has %d channels, but the grid and the montage of the "
                      "configuration make %d; set electrodes.rows, electrodes.columns and "
                      "montage to those of the recording",
                      rec->data.n_rows, montage.weights.n_rows);
  }
done:
  emg_montage_free(&montage);
  emg_electrodes_free(&electrodes);
  return status;
}

// --- all together ---

static emg_config config_of_search(const emg_config *config) {
  emg_config of_search = *config;

  of_search.decompose.rounds = config->invert.rounds;
  of_search.decompose.spikes_min = config->invert.spikes_min;
  return of_search;
}

static emg_status report(const emg_model_guide *g, emg_inversion *out, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)g->n_results, sizeof *out->units, &out->units, err));
  out->n_units = g->n_results;
  for (int u = 0; u < out->n_units; u++) {
    emg_report_unit(&g->subject.conductor, &g->problem, &g->results[u], &out->units[u]);
  }
  return emg_report_conductor(&g->config, g->shared, &out->conductor, err);
}

emg_status emg_invert(const emg_recording *rec, const emg_config *config,
                      const emg_monitor *monitor, emg_decomposition *found, emg_inversion *out,
                      emg_error *err) {
  emg_model_guide model = {.config = config_of_search(config), .monitor = monitor};
  emg_guide guide = emg_model_guide_as_guide(&model);
  emg_status status;

  emg_init();
  *found = (emg_decomposition){0};
  *out = (emg_inversion){0};
  EMG_TRY(check_channels(rec, config, err));
  // grid, fat and tendons from the largest units, then all units with what is known of them
  EMG_TRY_DONE(emg_survey(rec, &model.config, monitor, model.shared, err));
  EMG_TRY_DONE(config->invert.mode == EMG_INVERT_PAPER
                   ? emg_paper_run(rec, &model, found, err)
                   : emg_decompose_guided(rec, &model.config, &guide, monitor, found, err));
  EMG_TRY_DONE(report(&model, out, err));

done:
  emg_model_guide_free(&model);
  if (status != EMG_OK) {
    emg_decomposition_free(found);
    emg_inversion_free(out);
  }
  return status;
}
