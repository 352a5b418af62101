// interference.c -- what reaches the electrodes beside EMG and noise: mains and motion
#include <complex.h>
#include <math.h>
#include <stdlib.h>

#include "base/filter.h"
#include "sensor_priv.h"

// --- mains ---

// Amplitude of the mains drifts by this fraction, once in 3 to 10 s, as a limb or cable moves.
static const double modulation = 0.2;

emg_status emg_mains_create(const emg_config *config, int n_channels, emg_mains *out,
                            emg_error *err) {
  const struct emg_config_sensor *sensor = &config->sensor;
  double power = 0, sum = 0;

  *out = (emg_mains){.seed = config->simulation.seed,
                     .rate_hz = config->simulation.sampling_rate_hz,
                     .mains_hz = sensor->mains_hz,
                     .harmonics = sensor->mains_harmonics};
  // above half the sampling rate an anti-alias filter has taken them out
  while (out->harmonics.n > 0 && out->harmonics.n * out->mains_hz >= out->rate_hz / 2) {
    out->harmonics.n--;
  }
  for (int h = 0; h < out->harmonics.n; h++) {
    power += 0.5 * out->harmonics.values[h] * out->harmonics.values[h];
  }
  if (!(power > 0)) {
    return emg_fail(
        err, EMG_ERR_CONFIG,
        "sensor.mains_harmonics has no amplitude below half the sampling rate of %g Hz; "
        "give at least the first one",
        out->rate_hz);
  }
  out->uv_per_gain = sensor->mains_uv / sqrt(power * (1 + 0.5 * modulation * modulation));

  EMG_TRY(emg_alloc((size_t)n_channels, sizeof(double), &out->gains, err));
  for (int c = 0; c < n_channels; c++) {
    emg_rng rng = emg_rng_stream(out->seed, EMG_RNG_MAINS, (uint32_t)c, 0);
    out->gains[c] = 0.5 + emg_rng_uniform(&rng);
    sum += out->gains[c];
  }
  for (int c = 0; c < n_channels; c++) {
    out->gains[c] *= n_channels / sum;
  }
  return EMG_OK;
}

void emg_mains_free(emg_mains *mains) {
  free(mains->gains);
  *mains = (emg_mains){0};
}

// amplitude (1 + modulation sin(slow)) cos(tone). Phases turn by multiplication and are set anew
// now and then, before rounding can build up.
static void add_tone(double amplitude, double tone_rad, double tone_phase, double slow_rad,
                     double slow_phase, int64_t n, float *row) {
  enum { RESET = 256 };
  const double complex turn_tone = cexp(I * tone_rad), turn_slow = cexp(I * slow_rad);

  for (int64_t begin = 0; begin < n; begin += RESET) {
    int64_t end = begin + RESET < n ? begin + RESET : n;
    double complex tone = amplitude * cexp(I * (tone_rad * (double)begin + tone_phase));
    double complex slow = cexp(I * (slow_rad * (double)begin + slow_phase));

    for (int64_t i = begin; i < end; i++) {
      row[i] += (float)((1 + modulation * cimag(slow)) * creal(tone));
      tone = CMPLX(creal(tone) * creal(turn_tone) - cimag(tone) * cimag(turn_tone),
                   creal(tone) * cimag(turn_tone) + cimag(tone) * creal(turn_tone));
      slow = CMPLX(creal(slow) * creal(turn_slow) - cimag(slow) * cimag(turn_slow),
                   creal(slow) * cimag(turn_slow) + cimag(slow) * creal(turn_slow));
    }
  }
}

void emg_mains_add(const emg_mains *mains, int channel, int64_t n, float *row) {
  emg_rng rng = emg_rng_stream(mains->seed, EMG_RNG_MAINS, (uint32_t)channel, 1);
  double slow_hz = 0.1 + 0.2 * emg_rng_uniform(&rng);
  double slow_phase = 2 * M_PI * emg_rng_uniform(&rng);

  for (int h = 0; h < mains->harmonics.n; h++) {
    double phase = 2 * M_PI * emg_rng_uniform(&rng);
    double amplitude = mains->uv_per_gain * mains->gains[channel] * mains->harmonics.values[h];
    add_tone(amplitude, 2 * M_PI * (h + 1) * mains->mains_hz / mains->rate_hz, phase,
             2 * M_PI * slow_hz / mains->rate_hz, slow_phase, n, row);
  }
}

// --- motion ---

// Artefacts last 0.3 to 1.5 s. Their shape is an Ornstein-Uhlenbeck process of 5 Hz, low-passed
// at 12 Hz and faded in and out, so that they stay below 20 Hz; its peak is one.
static const double motion_shortest_s = 0.3, motion_longest_s = 1.5;
static const double motion_corner_hz = 5, motion_lowpass_hz = 12;

int emg_motion_max_samples(double rate_hz) {
  return (int)ceil(motion_longest_s * rate_hz) + 1;
}

static void draw_shape(emg_rng *rng, double rate_hz, int n, float *shape) {
  emg_filter lowpass = {0};
  double keep = exp(-2 * M_PI * motion_corner_hz / rate_hz);
  double state = 0, peak = 0;

  if (emg_filter_lowpass(&lowpass, 4, motion_lowpass_hz, rate_hz, NULL) != EMG_OK) {
    return;  // the schema keeps sampling rates at 100 Hz and more
  }
  for (int i = 0; i < n; i++) {
    state = keep * state + sqrt(1 - keep * keep) * emg_rng_gaussian(rng);
    shape[i] = (float)state;
  }
  emg_filter_causal(&lowpass, n, shape);
  for (int i = 0; i < n; i++) {
    shape[i] *= (float)(0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / n));
    peak = fmax(peak, fabs(shape[i]));
  }
  for (int i = 0; i < n; i++) {
    shape[i] *= (float)(1 / peak);
  }
}

void emg_motion_add(const emg_config *config, int channel, int64_t n, float *row, float *mask,
                    float *scratch) {
  const struct emg_config_sensor *sensor = &config->sensor;
  const uint64_t seed = config->simulation.seed;
  double rate_hz = config->simulation.sampling_rate_hz;
  emg_rng times = emg_rng_stream(seed, EMG_RNG_MOTION, 0, 0);
  double at_s = 0;

  // all channels see the same events, of the same shape, each with its own gain
  for (uint32_t event = 1;; event++) {
    at_s -= log(1 - emg_rng_uniform(&times)) / sensor->motion_per_s;
    double length_s =
        motion_shortest_s + (motion_longest_s - motion_shortest_s) * emg_rng_uniform(&times);
    int64_t begin = (int64_t)(at_s * rate_hz);
    int length = (int)ceil(length_s * rate_hz);

    if (begin >= n) {
      return;
    }
    emg_rng shape = emg_rng_stream(seed, EMG_RNG_MOTION, event, 0);
    emg_rng gains = emg_rng_stream(seed, EMG_RNG_MOTION, event, (uint32_t)channel + 1);
    float size_uv = (float)(sensor->motion_uv * (0.5 + emg_rng_uniform(&gains)));
    draw_shape(&shape, rate_hz, length, scratch);
    for (int64_t i = 0; i < length && begin + i < n; i++) {
      row[begin + i] += size_uv * scratch[i];
      if (mask) {
        mask[begin + i] = 1;
      }
    }
  }
}
