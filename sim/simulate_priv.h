// simulate_priv.h -- what the ways through a simulation share: in memory, and to a file
#ifndef EMG_SIM_SIMULATE_PRIV_H
#define EMG_SIM_SIMULATE_PRIV_H

#include <emgtwin/simulate.h>

// What is made before the samples.
typedef struct {
  emg_model model;
  int64_t n_samples;
  emg_array2f excitation;  // [muscle][sample] 0..1
  emg_spikes spikes;
  int n_states;
  emg_change_state *states;  // slow change of the fibres over the recording
  emg_muap_bank *banks;      // [state]
} emg_run;

// First the model, then discharges and action potentials. Free it also on failure.
emg_status emg_run_begin(const emg_config *config, const emg_monitor *monitor, emg_run *out,
                         emg_error *err);
emg_status emg_run_prepare(emg_run *run, const emg_monitor *monitor, emg_error *err);
void emg_run_free(emg_run *run);
// The channels of the recording, with room for so many samples each.
emg_status emg_run_recording(const emg_run *run, int64_t n_samples, emg_recording *out,
                             emg_error *err);
// Tell the caller where we are, and stop if it wants to.
emg_status emg_run_enter(const emg_monitor *monitor, const char *stage, emg_error *err);

// emg_synthesize for the out->n_rows channels from `first_channel` on.
emg_status emg_synthesize_rows(const emg_muap_bank *banks, const emg_change_state *states,
                               int n_states, const emg_spikes *spikes, int first_channel,
                               emg_array2f *out, emg_error *err);
// emg_twitch_force of one muscle; `sum` is scratch of the same length.
void emg_muscle_force(const emg_model *model, const emg_spikes *spikes, int muscle, double *sum,
                      float *force);

// emg_simulate_to_file with so much memory for samples.
emg_status emg_simulate_within(double memory_bytes, const emg_config *config,
                               const emg_monitor *monitor, const char *path,
                               const emg_provenance *provenance, bool overwrite,
                               emg_simulation_summary *out, emg_error *err);

#endif
