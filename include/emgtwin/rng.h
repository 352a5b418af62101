// rng.h -- counter-based random streams (Philox4x32-10, Salmon et al. 2011, SC'11)
//
// Draw n of a stream depends on (seed, use, entity, trial, n) alone, so neither the order of loops
// nor the number of threads can change a value.
#ifndef EMG_RNG_H
#define EMG_RNG_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a stream is for. The numbers enter every file: append, never renumber.
typedef enum {
  EMG_RNG_TEST = 0,
  EMG_RNG_FIBRE_PLACEMENT = 1,
  EMG_RNG_TERRITORY = 2,
  EMG_RNG_ASSIGNMENT = 3,
  EMG_RNG_FIBRE_PROPERTIES = 4,
  EMG_RNG_UNIT_PROPERTIES = 5,
  EMG_RNG_DISCHARGE = 6,
  EMG_RNG_COMMON_DRIVE = 7,
  EMG_RNG_INDEPENDENT_DRIVE = 8,
  EMG_RNG_NOISE = 9,
  EMG_RNG_MAINS = 10,
  EMG_RNG_MOTION = 11,
  EMG_RNG_BAD_CHANNELS = 12,
  EMG_RNG_SEARCH = 13,
  EMG_RNG_ACCURACY_CHECK = 14,
  EMG_RNG_UNIT_ZONE = 15,
  EMG_RNG_LATIN_HYPERCUBE = 16,
  EMG_RNG_CNN_BATCHES = 17,
  EMG_RNG_CNN_DROPOUT = 18,
  EMG_RNG_CNN_AUGMENT = 19,
  EMG_RNG_CNN_WEIGHTS = 20,
  EMG_RNG_BOOTSTRAP = 24,
  EMG_RNG_ELECTRODES = 25,
} emg_rng_use;

typedef struct {
  uint32_t key[2];      // seed
  uint32_t counter[4];  // block, entity, trial, use
  uint32_t buffer[4];
  int n_left;
} emg_rng;

emg_rng emg_rng_stream(uint64_t seed, emg_rng_use use, uint32_t entity, uint32_t trial);
uint32_t emg_rng_u32(emg_rng *rng);
double emg_rng_uniform(emg_rng *rng);              // [0, 1), 53 bits
double emg_rng_gaussian(emg_rng *rng);             // mean 0, sd 1 (gsl_ran_gaussian_ziggurat)
uint32_t emg_rng_below(emg_rng *rng, uint32_t n);  // uniform 0..n-1, unbiased; n > 0

// A view of the stream for gsl_ran_*(); valid as long as `rng` lives.
gsl_rng emg_rng_as_gsl(emg_rng *rng);

// Philox4x32-10 block function, exposed for the known-answer tests.
void emg_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#ifdef __cplusplus
}
#endif
#endif
