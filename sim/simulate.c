// simulate.c -- the main path: from a configuration to a recording and everything true about it
#include <emgtwin/simulate.h>

#include <stdio.h>
#include <stdlib.h>

#include <emgtwin/emgtwin.h>

// What is made on the way.
typedef struct {
  emg_model model;
  emg_array2f excitation;  // [muscle][sample] 0..1
  int n_states;
  emg_change_state *states;  // slow change of the fibres over the recording
  emg_muap_bank *banks;      // [state]
} run;

// Tell the caller where we are, and stop if it wants to.
static emg_status enter(const emg_monitor *monitor, const char *stage, emg_error *err) {
  emg_log(monitor, EMG_LOG_DEBUG, stage, "starts");
  return emg_progress(monitor, stage, 0, 1, err);
}

static emg_status create_action_potentials(run *r, const emg_monitor *monitor, emg_error *err) {
  EMG_TRY(emg_change_states(&r->model, &r->excitation, &r->n_states, &r->states, err));
  EMG_TRY(emg_alloc((size_t)r->n_states, sizeof *r->banks, &r->banks, err));
  for (int k = 0; k < r->n_states; k++) {
    EMG_TRY(emg_muaps_create(&r->model, &r->states[k], monitor, &r->banks[k], err));
  }
  emg_log(monitor, EMG_LOG_INFO, "action potentials", "units = %d, taps = %d, states = %d",
          r->banks[0].n_units, r->banks[0].n_taps, r->n_states);
  return EMG_OK;
}

static emg_status create_recording(const run *r, emg_recording *out, emg_error *err) {
  const emg_montage *montage = &r->model.montage;

  EMG_TRY(emg_recording_create(montage->weights.n_rows, r->excitation.n_cols,
                               r->model.config.simulation.sampling_rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "emgtwin");
  snprintf(out->source_units, sizeof out->source_units, "uV");
  out->pitch_mm = 1e3 * r->model.electrodes.pitch_m;
  for (int c = 0; c < montage->weights.n_rows; c++) {
    out->channels[c] = montage->channels[c];
  }
  return EMG_OK;
}

static emg_status widen(const emg_array2f *from, emg_array2d *out, emg_error *err) {
  EMG_TRY(emg_array2d_create(from->n_rows, from->n_cols, out, err));
  for (int row = 0; row < from->n_rows; row++) {
    for (int64_t i = 0; i < from->n_cols; i++) {
      emg_row2d(out, row)[i] = emg_row2f(from, row)[i];
    }
  }
  return EMG_OK;
}

// What is known beside the spikes and the fault mask, which are there already.
static emg_status collect_truth(run *r, emg_truth *truth, emg_error *err) {
  emg_array2f force = {0};
  emg_status status;

  EMG_TRY_DONE(emg_twitch_force(&r->model, &truth->spikes, &force, err));
  EMG_TRY_DONE(widen(&force, &truth->force, err));
  EMG_TRY_DONE(widen(&r->excitation, &truth->excitation, err));
  EMG_TRY_DONE(emg_model_unit_table(&r->model, &truth->units, err));
  truth->muaps = r->banks[0];
  r->banks[0] = (emg_muap_bank){0};

done:
  emg_array2f_free(&force);
  return status;
}

static void free_run(run *r) {
  for (int k = 0; r->banks && k < r->n_states; k++) {
    emg_muap_bank_free(&r->banks[k]);
  }
  free(r->banks);
  free(r->states);
  emg_array2f_free(&r->excitation);
  emg_model_free(&r->model);
}

emg_status emg_simulate(const emg_config *config, const emg_monitor *monitor, emg_simulation *out,
                        emg_error *err) {
  emg_recording *recording = &out->recording;
  emg_truth *truth = &out->truth;
  run r = {0};
  emg_status status;

  emg_init();
  *out = (emg_simulation){0};

  // the subject: conductor, electrodes, muscles and motor units
  EMG_TRY_DONE(enter(monitor, "model", err));
  EMG_TRY_DONE(emg_config_check(config, err));
  EMG_TRY_DONE(emg_model_create(config, &r.model, err));
  EMG_TRY_DONE(emg_sensor_check(&r.model, err));
  emg_log(monitor, EMG_LOG_INFO, "model", "units = %d, fibres = %d, channels = %d", r.model.n_units,
          r.model.n_fibres, r.model.montage.weights.n_rows);

  // excitation, and the discharges it drives
  EMG_TRY_DONE(enter(monitor, "discharges", err));
  EMG_TRY_DONE(emg_drive_create(&r.model, &r.excitation, err));
  EMG_TRY_DONE(emg_discharge(&r.model, &r.excitation, &truth->spikes, err));
  emg_log(monitor, EMG_LOG_INFO, "discharges", "spikes = %lld",
          (long long)truth->spikes.offsets[truth->spikes.n_units]);

  // what one discharge of each unit gives at each channel
  EMG_TRY_DONE(enter(monitor, "action potentials", err));
  EMG_TRY_DONE(create_action_potentials(&r, monitor, err));

  // the sum over all discharges
  EMG_TRY_DONE(enter(monitor, "synthesis", err));
  EMG_TRY_DONE(create_recording(&r, recording, err));
  EMG_TRY_DONE(
      emg_array2f_create(recording->data.n_rows, recording->data.n_cols, &out->clean, err));
  EMG_TRY_DONE(emg_synthesize(r.banks, r.states, r.n_states, &truth->spikes, &out->clean, err));

  // what electrodes and amplifier make of it
  EMG_TRY_DONE(enter(monitor, "sensor", err));
  EMG_TRY_DONE(emg_sensor_apply(&r.model, &out->clean, &truth->spikes, recording, &out->noise,
                                &truth->fault, &out->snr_db, err));
  emg_log(monitor, EMG_LOG_INFO, "sensor", "snr_db = %.4g", out->snr_db);

  // what is true about the recording, and only what was asked for
  EMG_TRY_DONE(enter(monitor, "truth", err));
  EMG_TRY_DONE(collect_truth(&r, truth, err));
  if (!config->output.clean) {
    emg_array2f_free(&out->clean);
  }
  if (!config->output.noise) {
    emg_array2f_free(&out->noise);
  }

done:
  free_run(&r);
  if (status != EMG_OK) {
    emg_simulation_free(out);
  }
  return status;
}

void emg_simulation_free(emg_simulation *simulation) {
  emg_recording_free(&simulation->recording);
  emg_array2f_free(&simulation->clean);
  emg_array2f_free(&simulation->noise);
  emg_truth_free(&simulation->truth);
  *simulation = (emg_simulation){0};
}
