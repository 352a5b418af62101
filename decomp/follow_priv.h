// follow_priv.h -- known units followed through a recording that is longer than memory
//
// A recording is looked at in blocks with margins on either side. What is known of the units goes
// from one block to the next: their action potentials, how many spikes these rest on, how fast they
// fire. What a block finds is added to what was found before it.
#ifndef EMG_DECOMP_FOLLOW_PRIV_H
#define EMG_DECOMP_FOLLOW_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/stream.h>

#include "ckc_priv.h"
#include "source_priv.h"

// --- spikes by likelihood (activity.c) ---

// What is expected of a source whose unit has height 1 at its discharges.
typedef struct {
  double rate_hz;          // of sampling
  double interval_s;       // mean interval while the unit is active
  int64_t n_steps;         // steps of noise
  double *noise_variance;  // [n_steps], of the source between discharges, in steps of a second
} emg_expectation;

// Steps of noise in so many samples; the last one is the longest.
int64_t emg_noise_steps(int64_t n_samples, double rate_hz);
// Fills expected->noise_variance, which has room for them.
void emg_noise_estimate(const float *y, int64_t n_samples, emg_expectation *expected);
double emg_noise_at(const emg_expectation *expected, int64_t sample);
// Smallest height at which a discharge is likelier than none, of an active unit.
double emg_height_threshold(const emg_expectation *expected, double noise_variance);

// Scratch of one thread for sources of up to n_most samples.
typedef struct {
  emg_spike_picker peaks;
  int64_t *spikes;  // of the last source
  double *evidence;
  uint8_t *state;
} emg_activity_picker;
emg_status emg_activity_picker_create(int64_t n_most, int64_t refractory, emg_activity_picker *out,
                                      emg_error *err);
void emg_activity_picker_free(emg_activity_picker *picker);
// Spikes of a source: its peaks above the threshold in the stretches of time in which the unit is
// likelier to be active than silent; ascending into picker->spikes. Returns their number. What lies
// below the threshold in `y` becomes 0.
int64_t emg_pick_active(emg_activity_picker *picker, float *y, int64_t n_samples,
                        const emg_expectation *expected);

// --- one block (decode.c) ---

// Spikes of known units in one part of a recording.
typedef struct {
  int64_t n_samples;
  float *sources;  // [unit][sample], peaks at the spikes of units.items[u]
  int64_t n_steps;
  double *noise;          // [unit][n_steps], variance between discharges, second by second
  double residual_power;  // mean square of what the units leave
} emg_decoded;

// Find the spikes of known units in a part of a recording, and fit their action potentials to it.
// On entry the units hold action potentials; `weight` is the number of earlier spikes these count
// for, `interval_s` their mean intervals. On return they hold spikes and the fitted action
// potentials, and `part` the residual. Channels that are not usable keep their action potentials.
emg_status emg_decode(emg_prepared *part, int n_taps, const struct emg_config_decompose *config,
                      emg_units *units, const double *weight, const double *interval_s,
                      emg_decoded *out, emg_error *err);
void emg_decoded_free(emg_decoded *decoded);
// Mean square over samples and channels.
double emg_signal_power(const emg_signal *x);

// --- what is known and found (following.c) ---

// Sums from which the figures of a source are taken, over any number of parts.
typedef struct {
  double n_spikes, heights, squared_heights;  // y|y| at spikes
  double n_peaks, squared_peaks;              // y^2 at peaks that are none
  double n_samples, energy, energy_at_spikes;
  double noise;  // noise variance, summed over spikes
} emg_source_sums;

typedef struct {
  // what is known of it
  float *muap;        // [2 half_window][channel], of like's channels
  double weight;      // spikes behind the action potential, up to config.follow_spikes
  double interval_s;  // mean interval while active
  // what was found
  int64_t n_spikes, capacity;
  int64_t *spikes;  // samples of the recording at the onset, ascending
  emg_source_sums sums;
  int64_t n_averaged;  // windows in `average`
  double *average;     // [recorded channel][n_average_taps] sum of the recording at the spikes
} emg_followed;

typedef struct {
  double rate_hz;
  int64_t n_samples;                   // of the recording
  int64_t begin, end;                  // of what is decomposed of it
  int n_channels;                      // of the recording
  int n_average_taps, average_origin;  // of the averages of the recording
  int n_taps;                          // delays of the filters
  int64_t half_window;                 // of the action potentials
  emg_prepared like;                   // channels and scale, without samples; none before any part
                                       // was searched
  int n, capacity;
  emg_followed *units;
  double searched_power;       // largest residual power of any part that was searched
  int64_t n_places, n_blocks;  // to search in the beginning; to follow
  int64_t n_searched, n_done;  // of these
} emg_following;

void emg_following_free(emg_following *f);
// Channels in use and their scale, of all parts, and what was found of each channel of the
// recording; copies them.
emg_status emg_following_set_channels(emg_following *f, int n, const int *channel,
                                      const float *scale, const emg_channel_finding *finding,
                                      emg_error *err);
// Append a unit that is not known yet; copies the action potential.
emg_status emg_following_add(emg_following *f, const float *muap, double weight, double interval_s,
                             emg_error *err);
// The known units with copies of their action potentials and without spikes.
emg_status emg_following_units(const emg_following *f, emg_units *out, emg_error *err);
// First sample of block `k`.
static inline int64_t emg_block_begin(const emg_following *f, int64_t k) {
  int64_t n = f->end - f->begin;
  return f->begin + n / f->n_blocks * k + n % f->n_blocks * k / f->n_blocks;
}
// The block in which most units have at least so many spikes (follow_filters.c).
int64_t emg_following_busiest(const emg_following *f, const emg_spikes *spikes, int spikes_least);
// The trains from sample begin to end - 1, counted from `begin`.
emg_status emg_spikes_within(const emg_spikes *spikes, int64_t begin, int64_t end, emg_spikes *out,
                             emg_error *err);
// Take over what was decoded in a part of the recording that starts at sample `origin`: the action
// potentials, and spikes and sums of samples begin .. end - 1. `raw` is the part as recorded.
emg_status emg_following_take(emg_following *f, const struct emg_config_decompose *config,
                              const emg_array2f *raw, int64_t origin, int64_t begin, int64_t end,
                              const emg_units *units, const emg_decoded *decoded, emg_error *err);
// Figures of all units, acceptance, duplicates, order: the result (follow_package.c).
emg_status emg_following_package(const emg_following *f, const struct emg_config_decompose *config,
                                 const emg_monitor *monitor, emg_decomposition *out,
                                 emg_error *err);

// --- interruption (checkpoint.c) ---

// What a checkpoint is of.
typedef struct {
  char input[200];
  char *config;  // the whole configuration as text
} emg_identity;

// Write all of `f` to a file, whole or not at all, so that the work can go on from there.
emg_status emg_checkpoint_write(const char *path, const emg_following *f,
                                const emg_identity *identity, emg_error *err);
// The reverse; `f` was made by emg_following_plan for the same recording and configuration.
// EMG_ERR_DATA: damaged, or of another recording; EMG_ERR_CONFIG: of another configuration.
emg_status emg_checkpoint_read(const char *path, const emg_identity *identity, emg_following *f,
                               emg_error *err);

#endif
