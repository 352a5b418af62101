// rng.c -- Philox4x32-10 streams (Salmon et al. 2011), usable as gsl_rng
#include <emgtwin/rng.h>

#include <gsl/gsl_randist.h>

static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1) {
  uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
  uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
  uint32_t hi0 = (uint32_t)(p0 >> 32), lo0 = (uint32_t)p0;
  uint32_t hi1 = (uint32_t)(p1 >> 32), lo1 = (uint32_t)p1;

  c[0] = hi1 ^ c[1] ^ k0;
  c[1] = lo1;
  c[2] = hi0 ^ c[3] ^ k1;
  c[3] = lo0;
}

void emg_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];

  for (int i = 0; i < 4; i++) {
    out[i] = counter[i];
  }
  for (int round = 0; round < 10; round++) {
    philox_round(out, k0, k1);
    k0 += 0x9E3779B9u;  // Weyl increments: golden ratio, sqrt(3) - 1
    k1 += 0xBB67AE85u;
  }
}

emg_rng emg_rng_stream(uint64_t seed, emg_rng_use use, uint32_t entity, uint32_t trial) {
  return (emg_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                   .counter = {0, entity, trial, (uint32_t)use},
                   .n_left = 0};
}

uint32_t emg_rng_u32(emg_rng *rng) {
  if (rng->n_left == 0) {
    emg_philox4x32(rng->counter, rng->key, rng->buffer);
    rng->counter[0]++;
    rng->n_left = 4;
  }
  return rng->buffer[--rng->n_left];
}

double emg_rng_uniform(emg_rng *rng) {
  uint64_t high = emg_rng_u32(rng) >> 5, low = emg_rng_u32(rng) >> 6;
  return (double)((high << 26) | low) * 0x1p-53;
}

uint32_t emg_rng_below(emg_rng *rng, uint32_t n) {
  // reject the few values that would favour small results
  uint32_t threshold = (0u - n) % n;
  uint32_t draw;

  do {
    draw = emg_rng_u32(rng);
  } while (draw < threshold);
  return draw % n;
}

// --- the same stream seen by GSL: the state is the stream itself ---

static void gsl_set(void *state, unsigned long seed) {
  (void)state;  // a stream is placed by emg_rng_stream alone
  (void)seed;
}

static unsigned long gsl_get(void *state) {
  return emg_rng_u32(state);
}

static double gsl_get_double(void *state) {
  return emg_rng_uniform(state);
}

static const gsl_rng_type philox_type = {
    "philox4x32-10", 0xFFFFFFFFul, 0, sizeof(emg_rng), gsl_set, gsl_get, gsl_get_double};

gsl_rng emg_rng_as_gsl(emg_rng *rng) {
  return (gsl_rng){.type = &philox_type, .state = rng};
}

double emg_rng_gaussian(emg_rng *rng) {
  gsl_rng gsl = emg_rng_as_gsl(rng);

  return gsl_ran_gaussian_ziggurat(&gsl, 1.0);
}
