// sensor_priv.h -- the parts of the sensor: noise, interference, faults
#ifndef EMG_SIM_SENSOR_PRIV_H
#define EMG_SIM_SENSOR_PRIV_H

#include <emgtwin/rng.h>
#include <emgtwin/simulate.h>

// Random noise of unit variance in every channel: white, band-limited or 1/f^exponent, and
// correlated between channels as exp(-distance / length). Overwrites `out` [channel][sample].
// One stream per channel and block of time, so neither threads nor other channels matter.
emg_status emg_noise_create(const emg_config *config, const emg_channel *channels, emg_array2f *out,
                            emg_error *err);

// Mains and its harmonics on every channel. Gains of the channels average 1.
typedef struct {
  double *gains;  // [channel]
  uint64_t seed;
  double rate_hz, mains_hz, uv_per_gain;
  emg_list harmonics;
} emg_mains;
emg_status emg_mains_create(const emg_config *config, int n_channels, emg_mains *out,
                            emg_error *err);
void emg_mains_free(emg_mains *mains);
void emg_mains_add(const emg_mains *mains, int channel, int64_t n, float *row);

// Longest motion artefact, which sizes the scratch of emg_motion_add.
int emg_motion_max_samples(double rate_hz);
// Motion artefacts of one channel. `mask` (may be NULL) is set to 1 where one acts.
void emg_motion_add(const emg_config *config, int channel, int64_t n, float *row, float *mask,
                    float *scratch);

// Draw the faulty channels, without overlap, and label them.
emg_status emg_faults_choose(const emg_config *config, int n_channels, emg_channel *channels,
                             emg_error *err);
// Factor on the noise of a channel: 10 to 30 if it is noisy, else 1.
double emg_fault_noise_gain(const emg_config *config, int channel, emg_channel_state state);
// Replace what a faulty channel reads. `row` is signal plus noise, `noise` its noise alone.
void emg_fault_apply(const emg_config *config, int channel, emg_channel_state state, int64_t n,
                     const float *noise, float *row, float *mask);

#endif
