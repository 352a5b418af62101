// sensor_priv.h -- the parts of the sensor: noise, interference, faults
#ifndef EMG_SIM_SENSOR_PRIV_H
#define EMG_SIM_SENSOR_PRIV_H

#include <stdbool.h>

#include <emgtwin/rng.h>
#include <emgtwin/simulate.h>

#include "base/filter.h"

// Random noise of unit variance in every channel: white, band-limited or 1/f^exponent, and
// correlated between channels as exp(-distance / length). Overwrites `out` [channel][sample].
// One stream per channel and block of time, so neither threads nor other channels matter.
emg_status emg_noise_create(const emg_config *config, const emg_channel *channels, emg_array2f *out,
                            emg_error *err);
// The same in two steps, for noise longer than memory. First the rows of out->n_rows channels from
// `first_channel` on, independent; then, if config asks for correlation, all channels together in
// stretches of time that start at multiples of EMG_NOISE_BLOCK samples. `factor` is malloc'ed.
#define EMG_NOISE_BLOCK 4096
emg_status emg_noise_rows(const emg_config *config, int first_channel, emg_array2f *out,
                          emg_error *err);
emg_status emg_noise_factor(const emg_config *config, const emg_channel *channels, int n_channels,
                            float **factor, emg_error *err);
void emg_noise_correlate(const float *factor, emg_array2f *x);

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

// --- the chain, channel by channel ---

typedef struct {
  const emg_config *config;
  emg_filter amplifier;
  emg_mains mains;
  double noise_scale;
  float *motion_scratch;  // [channel][emg_motion_max_samples]
} emg_sensor;

// Close it also on failure. The model must stay.
emg_status emg_sensor_open(const emg_model *model, emg_sensor *out, emg_error *err);
void emg_sensor_close(emg_sensor *s);
bool emg_sensor_has_noise(const emg_config *config);
bool emg_sensor_can_fault(const emg_config *config);
// Band-pass every row, if the amplifier has one.
void emg_sensor_amplify(const emg_sensor *s, emg_array2f *x);
// Bring noise of this mean square behind the amplifier to the ratio asked for. EMG_ERR_CONFIG if
// there is no signal.
emg_status emg_sensor_set_noise(emg_sensor *s, double clean_power, double noise_power,
                                emg_error *err);
// One channel: `row` becomes the recording, `noise` what the recording has beside the clean signal.
// `mask` is all 0 before, NULL if nothing can fault.
void emg_sensor_finish_row(const emg_sensor *s, int channel, emg_channel_state state, int64_t n,
                           const float *clean, float *noise, float *row, float *mask);
bool emg_is_marked(const float *mask, int64_t n);

// Samples [begin, end) from the first to the last discharge of any unit; all of them if there is
// none.
typedef struct {
  int64_t begin, end;
} emg_span;
emg_span emg_active_span(const emg_spikes *spikes, int64_t n_samples);
double emg_row_energy(const float *row, emg_span span);
// Mean square over the good channels, from their energies.
double emg_mean_power(const double *energies, const emg_channel *channels, int n_channels,
                      emg_span span);
double emg_sensor_snr_db(double clean_power, double noise_power);  // 200 if there is no noise

#endif
