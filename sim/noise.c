// noise.c -- random noise of the sensor: its spectrum, and its correlation between channels
#include "sensor_priv.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

#include "base/fft.h"
#include "base/lin.h"

// --- white ---

static void fill_white(uint64_t seed, int channel, int64_t n, float *row) {
  emg_rng rng = emg_rng_stream(seed, EMG_RNG_NOISE, (uint32_t)channel, 0);

  for (int64_t i = 0; i < n; i++) {
    row[i] = (float)emg_rng_gaussian(&rng);
  }
}

// --- coloured ---

// Coloured noise is drawn in the frequency domain, block by block. Blocks overlap by half under a
// sine window, whose squares add up to one: independent blocks then join into a stationary process
// of any length, its spectrum smeared by no more than a few bins.
typedef struct {
  uint64_t seed;
  int length;            // of a block, even
  const double *window;  // length
  const double *gain;    // length / 2 + 1, sum of powers one
} colour;

// A block of about 8 s resolves every edge that EMG noise can have.
static int block_length(double rate_hz) {
  double samples = fmin(fmax(8 * rate_hz, 4096), 262144);

  return 2 * emg_fft_good_size((int)ceil(samples / 2));
}

static void design_gain(const emg_config *config, int length, double *gain) {
  const struct emg_config_sensor *sensor = &config->sensor;
  double rate_hz = config->simulation.sampling_rate_hz;
  double exponent = sensor->noise_colour == EMG_NOISE_PINK ? sensor->noise_exponent : 0;
  double power = 0;

  gain[0] = gain[length / 2] = 0;
  for (int k = 1; k < length / 2; k++) {
    double frequency_hz = k * rate_hz / length;
    bool inside = frequency_hz >= sensor->noise_low_hz && frequency_hz <= sensor->noise_high_hz;
    gain[k] = inside ? pow(frequency_hz, -exponent / 2) : 0;
    power += gain[k] * gain[k];
  }
  // a real tone of bin k with complex amplitude g (a + ib) has variance 4 g^2 / length^2
  for (int k = 1; k < length / 2; k++) {
    gain[k] *= length / (2 * sqrt(power));
  }
}

static emg_status add_block(const colour *c, int channel, int block, int64_t n,
                            double complex *spectrum, double *x, float *row, emg_error *err) {
  emg_rng rng = emg_rng_stream(c->seed, EMG_RNG_NOISE, (uint32_t)channel, (uint32_t)block + 1);
  int64_t begin = ((int64_t)block - 1) * (c->length / 2);

  for (int k = 0; k <= c->length / 2; k++) {
    double real = 0, imaginary = 0;
    if (c->gain[k] > 0) {
      real = c->gain[k] * emg_rng_gaussian(&rng);
      imaginary = c->gain[k] * emg_rng_gaussian(&rng);
    }
    spectrum[k] = CMPLX(real, imaginary);
  }
  EMG_TRY(emg_fft_inverse(c->length, spectrum, x, err));
  for (int i = 0; i < c->length; i++) {
    if (begin + i >= 0 && begin + i < n) {
      row[begin + i] += (float)(c->window[i] * x[i]);
    }
  }
  return EMG_OK;
}

static emg_status fill_row(const colour *c, int channel, int64_t n, float *row, emg_error *err) {
  double complex *spectrum = NULL;
  double *x = NULL;
  int n_blocks = (int)((n - 1) / (c->length / 2)) + 2;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)c->length / 2 + 1, sizeof *spectrum, &spectrum, err));
  EMG_TRY_DONE(emg_alloc((size_t)c->length, sizeof *x, &x, err));
  for (int64_t i = 0; i < n; i++) {
    row[i] = 0;
  }
  for (int block = 0; block < n_blocks; block++) {
    EMG_TRY_DONE(add_block(c, channel, block, n, spectrum, x, row, err));
  }

done:
  free(spectrum);
  free(x);
  return status;
}

static emg_status fill_coloured(const emg_config *config, int first_channel, emg_array2f *out,
                                emg_error *err) {
  colour c = {.seed = config->simulation.seed,
              .length = block_length(config->simulation.sampling_rate_hz)};
  double *window = NULL, *gain = NULL;
  emg_status status, failed = EMG_OK;

  EMG_TRY_DONE(emg_alloc((size_t)c.length, sizeof *window, &window, err));
  EMG_TRY_DONE(emg_alloc((size_t)c.length / 2 + 1, sizeof *gain, &gain, err));
  for (int i = 0; i < c.length; i++) {
    window[i] = sin(M_PI * (i + 0.5) / c.length);
  }
  design_gain(config, c.length, gain);
  c.window = window;
  c.gain = gain;

  // memory is all that can fail here, so it does not matter whose message is kept
#pragma omp parallel for schedule(dynamic)
  for (int row = 0; row < out->n_rows; row++) {
    emg_error own;
    emg_status row_status =
        fill_row(&c, first_channel + row, out->n_cols, emg_row2f(out, row), &own);
    if (row_status != EMG_OK) {
#pragma omp critical
      failed = emg_fail(err, row_status, "%s", emg_error_message(&own));
    }
  }
  status = failed;

done:
  free(window);
  free(gain);
  return status;
}

// --- correlation between channels ---

static double distance_mm(const emg_channel *a, const emg_channel *b) {
  double x = a->x_mm - b->x_mm, y = a->y_mm - b->y_mm, z = a->z_mm - b->z_mm;

  return sqrt(x * x + y * y + z * z);
}

// With C = L L^T the correlations wanted, L times independent rows of unit variance has them.
// exp(-d / L) of straight-line distances is positive definite for any places that differ.
emg_status emg_noise_factor(const emg_config *config, const emg_channel *channels, int n_channels,
                            float **out, emg_error *err) {
  const double length_mm = config->sensor.noise_correlation_mm;
  const ptrdiff_t n = n_channels;
  double *factor = NULL;
  emg_status status;

  *out = NULL;
  EMG_TRY_DONE(emg_alloc((size_t)n * (size_t)n, sizeof *factor, &factor, err));
  for (ptrdiff_t i = 0; i < n; i++) {
    for (ptrdiff_t j = 0; j < n; j++) {
      factor[i * n + j] = exp(-distance_mm(&channels[i], &channels[j]) / length_mm);
    }
  }
  EMG_TRY_DONE(emg_cholesky((int)n, factor, err));
  EMG_TRY_DONE(emg_alloc((size_t)n * (size_t)n, sizeof **out, out, err));
  for (ptrdiff_t i = 0; i < n * n; i++) {
    (*out)[i] = (float)factor[i];
  }

done:
  free(factor);
  return status;
}

void emg_noise_correlate(const float *factor, emg_array2f *x) {
  const int n = x->n_rows;

#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < x->n_cols; begin += EMG_NOISE_BLOCK) {
    int64_t length = x->n_cols - begin < EMG_NOISE_BLOCK ? x->n_cols - begin : EMG_NOISE_BLOCK;
    emg_strmm_lower(n, (int)length, factor, n, x->data + begin, (int)x->stride);
  }
}

emg_status emg_noise_rows(const emg_config *config, int first_channel, emg_array2f *out,
                          emg_error *err) {
  if (config->sensor.noise_colour != EMG_NOISE_WHITE) {
    return fill_coloured(config, first_channel, out, err);
  }
#pragma omp parallel for schedule(static)
  for (int row = 0; row < out->n_rows; row++) {
    fill_white(config->simulation.seed, first_channel + row, out->n_cols, emg_row2f(out, row));
  }
  return EMG_OK;
}

emg_status emg_noise_create(const emg_config *config, const emg_channel *channels, emg_array2f *out,
                            emg_error *err) {
  float *factor;

  EMG_TRY(emg_noise_rows(config, 0, out, err));
  if (config->sensor.noise_correlation_mm > 0) {
    EMG_TRY(emg_noise_factor(config, channels, out->n_rows, &factor, err));
    emg_noise_correlate(factor, out);
    free(factor);
  }
  return EMG_OK;
}
