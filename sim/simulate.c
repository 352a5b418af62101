// simulate.c -- the main path: from a configuration to a recording and everything true about it
#include <emgtwin/simulate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <emgtwin/emgtwin.h>

#include "simulate_priv.h"

// Samples in memory, clean signal, noise and fault mask beside them, must fit into this much.
static const double memory_max_gib = 64;

emg_status emg_run_enter(const emg_monitor *monitor, const char *stage, emg_error *err) {
  emg_log(monitor, EMG_LOG_DEBUG, stage, "starts");
  return emg_progress(monitor, stage, 0, 1, err);
}

static emg_status create_action_potentials(emg_run *r, const emg_monitor *monitor, emg_error *err) {
  EMG_TRY(emg_change_states(&r->model, &r->excitation, &r->n_states, &r->states, err));
  EMG_TRY(emg_alloc((size_t)r->n_states, sizeof *r->banks, &r->banks, err));
  for (int k = 0; k < r->n_states; k++) {
    EMG_TRY(emg_muaps_create(&r->model, &r->states[k], monitor, &r->banks[k], err));
  }
  emg_log(monitor, EMG_LOG_INFO, "action potentials", "units = %d, taps = %d, states = %d",
          r->banks[0].n_units, r->banks[0].n_taps, r->n_states);
  return EMG_OK;
}

emg_status emg_run_begin(const emg_config *config, const emg_monitor *monitor, emg_run *out,
                         emg_error *err) {
  *out = (emg_run){0};

  // the subject: conductor, electrodes, muscles and motor units
  EMG_TRY(emg_run_enter(monitor, "model", err));
  EMG_TRY(emg_config_check(config, err));
  EMG_TRY(emg_model_create(config, &out->model, err));
  EMG_TRY(emg_sensor_check(&out->model, err));
  emg_log(monitor, EMG_LOG_INFO, "model", "units = %d, fibres = %d, channels = %d",
          out->model.n_units, out->model.n_fibres, out->model.montage.weights.n_rows);
  out->n_samples = llround(config->simulation.duration_s * config->simulation.sampling_rate_hz);
  return EMG_OK;
}

emg_status emg_run_prepare(emg_run *out, const emg_monitor *monitor, emg_error *err) {
  // excitation, and the discharges it drives
  EMG_TRY(emg_run_enter(monitor, "discharges", err));
  EMG_TRY(emg_drive_create(&out->model, &out->excitation, err));
  EMG_TRY(emg_discharge(&out->model, &out->excitation, &out->spikes, err));
  emg_log(monitor, EMG_LOG_INFO, "discharges", "spikes = %lld",
          (long long)out->spikes.offsets[out->spikes.n_units]);

  // what one discharge of each unit gives at each channel
  EMG_TRY(emg_run_enter(monitor, "action potentials", err));
  return create_action_potentials(out, monitor, err);
}

void emg_run_free(emg_run *run) {
  for (int k = 0; run->banks && k < run->n_states; k++) {
    emg_muap_bank_free(&run->banks[k]);
  }
  free(run->banks);
  free(run->states);
  emg_spikes_free(&run->spikes);
  emg_array2f_free(&run->excitation);
  emg_model_free(&run->model);
}

emg_status emg_run_recording(const emg_run *run, int64_t n_samples, emg_recording *out,
                             emg_error *err) {
  const emg_montage *montage = &run->model.montage;

  EMG_TRY(emg_recording_create(montage->weights.n_rows, n_samples,
                               run->model.config.simulation.sampling_rate_hz, out, err));
  snprintf(out->format, sizeof out->format, "emgtwin");
  snprintf(out->source_units, sizeof out->source_units, "uV");
  out->pitch_mm = 1e3 * run->model.electrodes.pitch_m;
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

// What is known beside the fault mask, which is there already.
static emg_status collect_truth(emg_run *r, emg_truth *truth, emg_error *err) {
  emg_array2f force = {0};
  emg_status status;

  EMG_TRY_DONE(emg_twitch_force(&r->model, &r->spikes, &force, err));
  EMG_TRY_DONE(widen(&force, &truth->force, err));
  EMG_TRY_DONE(widen(&r->excitation, &truth->excitation, err));
  EMG_TRY_DONE(emg_model_unit_table(&r->model, &truth->units, err));
  truth->muaps = r->banks[0];
  r->banks[0] = (emg_muap_bank){0};
  truth->spikes = r->spikes;
  r->spikes = (emg_spikes){0};

done:
  emg_array2f_free(&force);
  return status;
}

static emg_status check_memory(const emg_run *r, emg_error *err) {
  int n_channels = r->model.montage.weights.n_rows;
  double gib = 4.0 * sizeof(float) * n_channels * (double)r->n_samples / (1 << 30);

  return gib > memory_max_gib
             ? emg_fail(err, EMG_ERR_CONFIG,
                        "%d channels of %lld samples need about %.0f GiB of memory, more than "
                        "%.0f; simulate into a file instead",
                        n_channels, (long long)r->n_samples, gib, memory_max_gib)
             : EMG_OK;
}

emg_status emg_simulate(const emg_config *config, const emg_monitor *monitor, emg_simulation *out,
                        emg_error *err) {
  emg_recording *recording = &out->recording;
  emg_truth *truth = &out->truth;
  emg_run r = {0};
  emg_status status;

  emg_init();
  *out = (emg_simulation){0};
  EMG_TRY_DONE(emg_run_begin(config, monitor, &r, err));
  EMG_TRY_DONE(check_memory(&r, err));
  EMG_TRY_DONE(emg_run_prepare(&r, monitor, err));

  // the sum over all discharges
  EMG_TRY_DONE(emg_run_enter(monitor, "synthesis", err));
  EMG_TRY_DONE(emg_run_recording(&r, r.n_samples, recording, err));
  EMG_TRY_DONE(
      emg_array2f_create(recording->data.n_rows, recording->data.n_cols, &out->clean, err));
  EMG_TRY_DONE(emg_synthesize(r.banks, r.states, r.n_states, &r.spikes, &out->clean, err));

  // what electrodes and amplifier make of it
  EMG_TRY_DONE(emg_run_enter(monitor, "sensor", err));
  EMG_TRY_DONE(emg_sensor_apply(&r.model, &out->clean, &r.spikes, recording, &out->noise,
                                &truth->fault, &out->snr_db, err));
  emg_log(monitor, EMG_LOG_INFO, "sensor", "snr_db = %.4g", out->snr_db);

  // what is true about the recording, and only what was asked for
  EMG_TRY_DONE(emg_run_enter(monitor, "truth", err));
  EMG_TRY_DONE(collect_truth(&r, truth, err));
  if (!config->output.clean) {
    emg_array2f_free(&out->clean);
  }
  if (!config->output.noise) {
    emg_array2f_free(&out->noise);
  }

done:
  emg_run_free(&r);
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
