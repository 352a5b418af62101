// faults.c -- channels that do not read the muscle: dead, noisy, saturated, intermittent
#include <math.h>

#include "sensor_priv.h"

// A lost contact is out for 0.5 s on average and holds for 2 s; an open input picks up five times
// the noise.
static const double detached_mean_s = 0.5, attached_mean_s = 2;
static const float open_input_gain = 5;

emg_status emg_faults_choose(const emg_config *config, int n_channels, emg_channel *channels,
                             emg_error *err) {
  const struct emg_config_sensor *sensor = &config->sensor;
  const struct {
    int count;
    emg_channel_state state;
  } faults[] = {{sensor->dead_channels, EMG_CHANNEL_DEAD},
                {sensor->noisy_channels, EMG_CHANNEL_NOISY},
                {sensor->saturated_channels, EMG_CHANNEL_SATURATED},
                {sensor->intermittent_channels, EMG_CHANNEL_INTERMITTENT}};
  emg_rng rng = emg_rng_stream(config->simulation.seed, EMG_RNG_BAD_CHANNELS, 0, 0);
  int n_good = n_channels;

  for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
    if (faults[f].count >= n_good) {
      return emg_fail(err, EMG_ERR_CONFIG,
                      "%d dead, %d noisy, %d saturated and %d intermittent channels leave none of "
                      "%d good; ask for fewer",
                      sensor->dead_channels, sensor->noisy_channels, sensor->saturated_channels,
                      sensor->intermittent_channels, n_channels);
    }
    for (int i = 0; i < faults[f].count; i++) {
      // the draw counts good channels only, so none is hit twice
      uint32_t skip = emg_rng_below(&rng, (uint32_t)n_good--);
      int c = 0;
      while (channels[c].state != EMG_CHANNEL_GOOD || skip-- > 0) {
        c++;
      }
      channels[c].state = faults[f].state;
    }
  }
  return EMG_OK;
}

// Own stream of a faulty channel, apart from the draw of the channels.
static emg_rng fault_stream(const emg_config *config, int channel) {
  return emg_rng_stream(config->simulation.seed, EMG_RNG_BAD_CHANNELS, (uint32_t)channel, 1);
}

double emg_fault_noise_gain(const emg_config *config, int channel, emg_channel_state state) {
  if (state != EMG_CHANNEL_NOISY) {
    return 1;
  }
  emg_rng rng = fault_stream(config, channel);
  return 10 + 20 * emg_rng_uniform(&rng);
}

// The amplifier of this channel clips at 20 to 50 % of what it should follow.
static void saturate(emg_rng *rng, int64_t n, float *row, float *mask) {
  float peak = 0;

  for (int64_t i = 0; i < n; i++) {
    peak = fmaxf(peak, fabsf(row[i]));
  }
  float level = (float)(0.2 + 0.3 * emg_rng_uniform(rng)) * peak;
  for (int64_t i = 0; i < n; i++) {
    if (fabsf(row[i]) > level) {
      row[i] = copysignf(level, row[i]);
      mask[i] = 1;
    }
  }
}

static double exponential(emg_rng *rng, double mean) {
  return -mean * log(1 - emg_rng_uniform(rng));
}

// Contact is lost in the first half of the recording at the latest, so that the label is true.
static void detach(emg_rng *rng, double rate_hz, int64_t n, const float *noise, float *row,
                   float *mask) {
  double half = 0.5 * (double)n;
  double at = emg_rng_uniform(rng) * fmin(half, attached_mean_s * rate_hz);

  while (at < (double)n) {
    int64_t begin = (int64_t)at;
    at += 1 + exponential(rng, detached_mean_s) * rate_hz;
    for (int64_t i = begin; i < n && i < (int64_t)at; i++) {
      row[i] = open_input_gain * noise[i];
      mask[i] = 1;
    }
    at += exponential(rng, attached_mean_s) * rate_hz;
  }
}

void emg_fault_apply(const emg_config *config, int channel, emg_channel_state state, int64_t n,
                     const float *noise, float *row, float *mask) {
  emg_rng rng = fault_stream(config, channel);

  if (state == EMG_CHANNEL_SATURATED) {
    saturate(&rng, n, row, mask);
  } else if (state == EMG_CHANNEL_INTERMITTENT) {
    detach(&rng, config->simulation.sampling_rate_hz, n, noise, row, mask);
  } else if (state == EMG_CHANNEL_DEAD || state == EMG_CHANNEL_NOISY) {
    for (int64_t i = 0; i < n; i++) {
      row[i] = state == EMG_CHANNEL_DEAD ? 0 : row[i];
      mask[i] = 1;
    }
  }
}
