// joint_priv.h -- all units at once in the raw channels: x = SUM_j h_j * s_j + e
#ifndef EMG_DECOMP_JOINT_PRIV_H
#define EMG_DECOMP_JOINT_PRIV_H

#include "ckc_priv.h"

// One pass over all units: filters from the covariance of the residual e, then each unit's spikes
// anew from its source in e and its own signal.
typedef struct {
  emg_signal *residual;
  emg_units *units;
  const struct emg_config_decompose *config;
  int n_taps;
  int64_t reach;     // samples on either side over which a filter answers to an action potential
  float *filters;    // [D][n_units]
  float *responses;  // [n_units][n_units][2 reach + 1]
  int64_t length;    // of a source: the recording and half_window samples before and after it
  float *sources;    // [n_units][length], of the residual
} emg_joint;

static inline float *emg_joint_response(const emg_joint *j, int filter, int unit) {
  return j->responses + ((ptrdiff_t)filter * j->units->n + unit) * (2 * j->reach + 1);
}

// Room for all that, for the residual, units and n_taps that are set already.
emg_status emg_joint_create(emg_joint *j, emg_error *err);
void emg_joint_free(emg_joint *j);
// Filters, delays and responses of all units (unit_filters.c).
emg_status emg_joint_filters(emg_joint *j, const emg_whitener *inverse, emg_error *err);
// All sources gain sign times what they make of spikes of one unit.
void emg_joint_respond(emg_joint *j, int unit, const int64_t *spikes, int64_t n_spikes, float sign);
// A unit's source with its own signal, [length]: its spikes lie `delay` + half_window later in it.
void emg_joint_complete(const emg_joint *j, int unit, float *source);
// Spikes of `a` that are not in `b`, both ascending, into `out`; returns their number.
int64_t emg_train_difference(const int64_t *a, int64_t n_a, const int64_t *b, int64_t n_b,
                             int64_t *out);

// All sources and the residual gain sign times what spikes of one unit make there (joint.c).
void emg_joint_put(emg_joint *j, int unit, const int64_t *spikes, int64_t n_spikes, float sign);

// --- spikes that belong to a like unit (exchange.c) ---

// Units with like action potentials take each other's spikes where others overlap. Every spike that
// is more likely the other unit's, by residual and by the rhythm of both, changes hands.
emg_status emg_joint_exchange(emg_joint *j, emg_error *err);

// --- intervals (rhythm.c) ---

// A renewal process in samples: intervals are Gaussian about a local mean, some are anything.
typedef struct {
  double pause, odd;    // intervals from `pause` on are pauses; mean of those that are anything
  double irregularity;  // standard deviation as a share of the local mean
} emg_rhythm;

// Rhythm of a train, and the mean interval about each of its spikes; `scratch` holds n floats.
emg_rhythm emg_rhythm_of(const int64_t *spikes, int64_t n, double rate_hz, float *mean,
                         float *scratch);
// ln of the density of an interval where the mean is `mean`, per sample; of a pause.
double emg_interval_evidence(const emg_rhythm *rhythm, double interval, double mean);
double emg_pause_evidence(const emg_rhythm *rhythm);
// Square of the standard deviation that the median of n magnitudes stands for; moves them.
double emg_variance_of_median(float *magnitudes, int64_t n);

// --- spikes of one source (detect.c) ---

// Scratch for sources of up to n_most samples.
typedef struct {
  int64_t refractory;
  int64_t *place, *before;  // of each candidate, and the one before it in its best train
  double *evidence, *best;  // of its height; of its best train
  float *mean, *magnitude;
} emg_detector;
emg_status emg_detector_create(int64_t n_most, int64_t refractory, emg_detector *out,
                               emg_error *err);
void emg_detector_free(emg_detector *detector);

// The most likely train in a source of height 1 at a spike and noise of the given variance.
// `spikes` are the places of those there were, at least one: their heights and rhythm are what is
// expected. `places`, ascending, holds n / refractory + 1; returns their number.
int64_t emg_detect(emg_detector *detector, const float *y, int64_t n, double noise_variance,
                   double rate_hz, const int64_t *spikes, int64_t n_spikes, int64_t *places);
// Variance of a source outside its spikes, robust against them: (median |y| / 0.6745)^2; `scratch`
// holds n floats.
double emg_noise_variance(const float *y, int64_t n, float *scratch);

#endif
