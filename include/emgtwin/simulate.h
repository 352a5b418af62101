// simulate.h -- configuration to recording and truth: the main path and its stages
#ifndef EMG_SIMULATE_H
#define EMG_SIMULATE_H

#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/model.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

// A recording with full truth.
typedef struct {
  emg_recording recording;   // with noise and faults
  emg_array2f clean, noise;  // [channel][sample] uV; empty unless output.clean, output.noise
  emg_truth truth;
  double snr_db;  // measured: clean over noise, both as written
} emg_simulation;

// The whole way, in memory. Stages reported to the monitor: "model", "discharges", "action
// potentials", "synthesis", "sensor", "truth"; between them, and within the action potentials, it
// can cancel. EMG_ERR_CONFIG before anything long starts. Nothing to free on failure.
emg_status emg_simulate(const emg_config *config, const emg_monitor *monitor, emg_simulation *out,
                        emg_error *err);
void emg_simulation_free(emg_simulation *simulation);

// What is said of a recording that was written.
typedef struct {
  int n_channels, n_units, n_active_units;  // active: with a discharge
  int64_t n_samples, n_discharges;
  double rate_hz;
  double snr_db;  // measured, as in emg_simulation
} emg_simulation_summary;

// The same into a native file (file.h), with memory for a few channels at a time: samples that do
// not fit into 384 MiB are kept meanwhile in a file without a name on the disk of `path`. Every
// dataset has the bits of emg_simulate and emg_file_write. Stages reported beside those above:
// "noise" and "correlation" (correlated noise on disk), "writing". `provenance` may be NULL; the
// number of threads is that of emg_set_threads. EMG_ERR_IO before anything long starts if `path`
// cannot be written or the disk has too little room; whatever happens, `path` holds what it held
// before or all of the new file.
emg_status emg_simulate_to_file(const emg_config *config, const emg_monitor *monitor,
                                const char *path, const emg_provenance *provenance, bool overwrite,
                                emg_simulation_summary *out, emg_error *err);

// --- Stages, in order. Each is deterministic in the seed and at any thread count. ---

// Excitation of every muscle: [muscle][sample] in 0..1, common drive noise included.
emg_status emg_drive_create(const emg_model *model, emg_array2f *excitation, emg_error *err);

// Discharges of every unit: the next one comes when the integral of the rate reaches
// 1 + CoV * z, so the variability is right under ramps too. Units of muscles with drive.spikes_file
// discharge as the trains of that file (docs/truth.md); EMG_ERR_CONFIG if it has more than units.
emg_status emg_discharge(const emg_model *model, const emg_array2f *excitation, emg_spikes *out,
                         emg_error *err);

// Force of every muscle from twitches with the Fuglevand gain: [muscle][sample], fraction of the
// force at maximal excitation (Fuglevand et al. 1993, eq. 14-20).
emg_status emg_twitch_force(const emg_model *model, const emg_spikes *spikes, emg_array2f *force,
                            emg_error *err);

// Slow state of the fibres at one time: factors of conduction velocity and of length.
typedef struct {
  double time_s, cv_factor, shortening;
} emg_change_state;
// States over the recording (config section `change`), 1 if nothing changes. malloc'ed.
emg_status emg_change_states(const emg_model *model, const emg_array2f *excitation, int *n_states,
                             emg_change_state **out, emg_error *err);

// Action potentials of all units at the recording's channels and rate, for one state.
emg_status emg_muaps_create(const emg_model *model, const emg_change_state *state,
                            const emg_monitor *monitor, emg_muap_bank *out, emg_error *err);

// Add the response to every discharge: out [channel][sample] uV, not cleared first. Between two
// states the action potential is interpolated linearly at the discharge time. Responses that leave
// the recording are clipped at its ends.
emg_status emg_synthesize(const emg_muap_bank *banks, const emg_change_state *states, int n_states,
                          const emg_spikes *spikes, emg_array2f *out, emg_error *err);

// What the sensor cannot do with these channels and this rate, found before anything is computed:
// EMG_ERR_CONFIG for too many faulty channels, filters or noise outside half the sampling rate.
emg_status emg_sensor_check(const emg_model *model, emg_error *err);

// From the clean signal to the recording, in this order:
//   noise         random, scaled so that the mean square of `clean` over good channels, from the
//                 first to the last discharge, is snr_db above that of the noise over the same
//   interference  mains and motion artefacts, on top of that ratio
//   amplifier     causal band-pass of all of these and of `clean` itself, in place: `clean` is what
//                 the amplifier would put out without noise, and the ratio holds behind it
//   faults        channels drawn at random, labelled in recording->channels[].state: dead (reads
//   0),
//                 noisy (10 to 30 times the noise), saturated (clipped at 20 to 50 % of its peak),
//                 intermittent (signal lost at times, 5 times the noise meanwhile)
//   converter     quantised, and held at the ends of its range
// `recording` has the shape of `clean` and all channels good. `noise` and `fault` are created here:
// noise = recording - clean; fault is 1 where a faulty channel, a motion artefact or the end of the
// converter's range spoils a sample, and empty if nothing does. `snr_db` is measured on `clean` and
// `noise` as returned, 200 if there is no noise. Streams are per channel: results do not depend on
// threads. EMG_ERR_CONFIG if a ratio is asked for and there is no signal.
emg_status emg_sensor_apply(const emg_model *model, emg_array2f *clean, const emg_spikes *spikes,
                            emg_recording *recording, emg_array2f *noise, emg_array2f *fault,
                            double *snr_db, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
