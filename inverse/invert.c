// invert.c -- from a recording to spike trains and parameters of motor units
#include <emgtwin/invert.h>

#include <stdio.h>

#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "model_guide_priv.h"
#include "paper_priv.h"

// --- does the configuration belong to the recording? ---

emg_status emg_check_channels(const emg_recording *rec, const emg_config *config, emg_error *err) {
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

// Whether place, velocity or ends would lie farther off if they were allowed to.
static bool is_at_limit(const emg_expected *expected, const emg_mean_unit *unit) {
  static const emg_unit_parameter looked_at[] = {EMG_UNIT_DEPTH,    EMG_UNIT_ARC,
                                                 EMG_UNIT_ZONE,     EMG_UNIT_CV,
                                                 EMG_UNIT_TENDON_1, EMG_UNIT_TENDON_2};
  for (size_t i = 0; i < sizeof looked_at / sizeof looked_at[0]; i++) {
    const emg_unit_parameter p = looked_at[i];
    if (unit->value[p] <= expected->min[p] || unit->value[p] >= expected->max[p]) {
      return true;
    }
  }
  return false;
}

// What speaks against the configuration.
static void note_doubts(const emg_model_guide *g, int n_at_limit, emg_inversion *out) {
  if (g->n_left_out > g->n_results) {
    snprintf(out->note, sizeof out->note,
             "%d of %d units are left out, as no mean unit of this configuration explains them "
             "(whitened cosine %.2f at most, invert.phantom_cosine is %.2f); check the grid, the "
             "order of the channels and the anatomy",
             g->n_left_out, g->n_left_out + g->n_results, g->left_out_cosine,
             g->config.invert.phantom_cosine);
  } else if (3 * n_at_limit > g->n_results) {
    snprintf(out->note, sizeof out->note,
             "%d of %d units are as far from what the configuration expects as fits may go; check "
             "the anatomy and the grid, or widen the limits of the section invert",
             n_at_limit, g->n_results);
  }
}

static emg_status report(const emg_model_guide *g, emg_decomposition *found, emg_inversion *out,
                         emg_error *err) {
  int n_at_limit = 0;

  EMG_TRY(emg_alloc((size_t)g->n_results, sizeof *out->units, &out->units, err));
  out->n_units = g->n_results;
  for (int u = 0; u < out->n_units; u++) {
    emg_fitted *fitted = &g->results[u];
    fitted->to_spike_ms = 1e3 * (fitted->fit.shift - g->discharge_rows) / g->subject.view.rate_hz;
    emg_report_unit(&g->subject.conductor, &g->problem, fitted, &out->units[u]);
    if (is_at_limit(g->problem.expected, &fitted->fit.unit)) {
      found->flags[u] |= EMG_UNIT_AT_LIMIT;
      n_at_limit++;
    }
  }
  note_doubts(g, n_at_limit, out);
  return emg_report_conductor(&g->config, g->shared, &out->conductor, err);
}

emg_status emg_invert(const emg_recording *rec, const emg_config *config,
                      const emg_monitor *monitor, emg_decomposition *found, emg_inversion *out,
                      emg_error *err) {
  emg_invert_progress progress = {
      .outer = monitor, .name = "inversion", .n_rounds = config->invert.rounds};
  const emg_monitor own = emg_invert_monitor(&progress);
  emg_model_guide model = {
      .config = config_of_search(config), .monitor = &own, .progress = &progress};
  emg_guide guide = emg_model_guide_as_guide(&model);
  emg_status status;

  emg_init();
  *found = (emg_decomposition){0};
  *out = (emg_inversion){0};
  EMG_TRY(emg_check_channels(rec, config, err));
  // grid, fat and tendons from the largest units, then all units with what is known of them
  EMG_TRY_DONE(emg_survey(rec, &model.config, monitor, model.shared, err));
  EMG_TRY_DONE(config->invert.mode == EMG_INVERT_PAPER
                   ? emg_paper_run(rec, &model, found, err)
                   : emg_decompose_guided(rec, &model.config, &guide, &own, found, err));
  EMG_TRY_DONE(report(&model, found, out, err));

done:
  emg_model_guide_free(&model);
  if (status != EMG_OK) {
    emg_decomposition_free(found);
    emg_inversion_free(out);
  }
  return status;
}
