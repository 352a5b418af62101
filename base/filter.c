// filter.c -- Butterworth, notch and decimation filters
#include "filter.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_sf_bessel.h>

#include <emgtwin/array.h>

#include "kernel.h"

static emg_status check_cutoff(double cutoff_hz, double rate_hz, emg_error *err) {
  if (!(cutoff_hz > 0) || !(cutoff_hz < rate_hz / 2)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "a filter at %g Hz is outside 0 to %g Hz, half the sampling rate; change the "
                    "cut-off",
                    cutoff_hz, rate_hz / 2);
  }
  return EMG_OK;
}

static emg_status add_section(emg_filter *filter, const double b[3], const double a[3],
                              emg_error *err) {
  if (filter->n_sections == EMG_SECTIONS_MAX) {
    return emg_fail(err, EMG_ERR_ARG, "a filter holds at most %d sections", EMG_SECTIONS_MAX);
  }
  int s = filter->n_sections++;
  for (int i = 0; i < 3; i++) {
    filter->b[s][i] = b[i] / a[0];
  }
  for (int i = 0; i < 2; i++) {
    filter->a[s][i] = a[i + 1] / a[0];
  }
  return EMG_OK;
}

// Bilinear transform of the analog Butterworth sections 1/(s^2 + s/q + 1), and 1/(s + 1) for the
// odd pole, with the frequency pre-warped to w = tan(pi f / rate).
static emg_status butterworth(emg_filter *filter, int order, double cutoff_hz, double rate_hz,
                              int is_highpass, emg_error *err) {
  if (order < 1 || order > 8) {
    return emg_fail(err, EMG_ERR_ARG, "a Butterworth filter of order %d is not one of 1 to 8",
                    order);
  }
  EMG_TRY(check_cutoff(cutoff_hz, rate_hz, err));
  double w = tan(M_PI * cutoff_hz / rate_hz);

  for (int pair = 0; pair < order / 2; pair++) {
    double inverse_q = 2 * sin(M_PI * (2 * pair + 1) / (2.0 * order));
    double a[3] = {1 + w * inverse_q + w * w, 2 * (w * w - 1), 1 - w * inverse_q + w * w};
    double low[3] = {w * w, 2 * w * w, w * w}, high[3] = {1, -2, 1};
    EMG_TRY(add_section(filter, is_highpass ? high : low, a, err));
  }
  if (order % 2) {
    double a[3] = {1 + w, w - 1, 0};
    double low[3] = {w, w, 0}, high[3] = {1, -1, 0};
    EMG_TRY(add_section(filter, is_highpass ? high : low, a, err));
  }
  return EMG_OK;
}

emg_status emg_filter_highpass(emg_filter *filter, int order, double cutoff_hz, double rate_hz,
                               emg_error *err) {
  return butterworth(filter, order, cutoff_hz, rate_hz, 1, err);
}

emg_status emg_filter_lowpass(emg_filter *filter, int order, double cutoff_hz, double rate_hz,
                              emg_error *err) {
  return butterworth(filter, order, cutoff_hz, rate_hz, 0, err);
}

emg_status emg_filter_amplifier(emg_filter *filter, double low_hz, double high_hz, double rate_hz,
                                emg_error *err) {
  if (low_hz > 0) {
    EMG_TRY(emg_filter_highpass(filter, 2, low_hz, rate_hz, err));
  }
  if (high_hz > 0) {
    EMG_TRY(emg_filter_lowpass(filter, 2, high_hz, rate_hz, err));
  }
  return EMG_OK;
}

emg_status emg_filter_notch(emg_filter *filter, double centre_hz, double quality, double rate_hz,
                            emg_error *err) {
  EMG_TRY(check_cutoff(centre_hz, rate_hz, err));
  double w = 2 * M_PI * centre_hz / rate_hz;
  double alpha = sin(w) / (2 * quality);
  double b[3] = {1, -2 * cos(w), 1}, a[3] = {1 + alpha, -2 * cos(w), 1 - alpha};

  return add_section(filter, b, a, err);
}

emg_status emg_filter_decomposer(const struct emg_config_decompose *config, double rate_hz,
                                 emg_filter *filter, emg_error *err) {
  const double notch_width_hz = 2;
  double high_hz = fmin(config->band_high_hz, 0.45 * rate_hz);

  *filter = (emg_filter){0};
  if (config->band_low_hz >= high_hz) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "decompose.band_low_hz = %g Hz is not below the upper edge of %g Hz (at most "
                    "0.45 of the sampling rate of %g Hz)",
                    config->band_low_hz, high_hz, rate_hz);
  }
  if (config->band_low_hz > 0) {
    EMG_TRY(emg_filter_highpass(filter, config->band_order, config->band_low_hz, rate_hz, err));
  }
  EMG_TRY(emg_filter_lowpass(filter, config->band_order, high_hz, rate_hz, err));
  for (double hz = config->notch_hz;
       hz > 0 && hz < high_hz && filter->n_sections < EMG_SECTIONS_MAX; hz += config->notch_hz) {
    EMG_TRY(emg_filter_notch(filter, hz, hz / notch_width_hz, rate_hz, err));
  }
  return EMG_OK;
}

// Transposed direct form II, one section, from a given state, which is left behind.
static void run_section(const double b[3], const double a[2], double state[2], int64_t n,
                        int64_t step, double *x) {
  double s0 = state[0], s1 = state[1];

  for (int64_t i = 0; i < n; i++) {
    double in = x[i * step];
    double out = b[0] * in + s0;
    s0 = b[1] * in - a[0] * out + s1;
    s1 = b[2] * in - a[1] * out;
    x[i * step] = out;
  }
  state[0] = s0;
  state[1] = s1;
}

void emg_filter_causal(const emg_filter *filter, int64_t n, float *x) {
  enum { CHUNK = 512 };
  double state[EMG_SECTIONS_MAX][2] = {{0}};
  double chunk[CHUNK];

  for (int64_t begin = 0; begin < n; begin += CHUNK) {
    int64_t length = n - begin < CHUNK ? n - begin : CHUNK;

    for (int64_t i = 0; i < length; i++) {
      chunk[i] = x[begin + i];
    }
    for (int s = 0; s < filter->n_sections; s++) {
      run_section(filter->b[s], filter->a[s], state[s], length, 1, chunk);
    }
    for (int64_t i = 0; i < length; i++) {
      x[begin + i] = (float)chunk[i];
    }
  }
}

// State a section settles to under a constant input of 1, times that input.
static void steady_state(const double b[3], const double a[2], double input, double state[2]) {
  double gain = (b[0] + b[1] + b[2]) / (1 + a[0] + a[1]);

  state[1] = (b[2] - a[1] * gain) * input;
  state[0] = (b[1] - a[0] * gain) * input + state[1];
}

static void run_from_steady(const emg_filter *filter, int64_t n, int64_t step, double *x) {
  for (int s = 0; s < filter->n_sections; s++) {
    double state[2];
    steady_state(filter->b[s], filter->a[s], x[0], state);
    run_section(filter->b[s], filter->a[s], state, n, step, x);
  }
}

emg_status emg_filter_zero_phase(const emg_filter *filter, int64_t n, float *x, emg_error *err) {
  // long enough for the slowest section to forget the end: |pole|^pad < 1e-4
  double slowest = 0;
  for (int s = 0; s < filter->n_sections; s++) {
    double first = filter->a[s][0], second = filter->a[s][1];
    slowest = fmax(slowest, second == 0 ? fabs(first) : sqrt(fabs(second)));
  }
  int64_t pad = slowest > 0 && slowest < 1 ? (int64_t)ceil(log(1e-4) / log(slowest)) : 8;
  if (pad > n - 1) {
    pad = n - 1;
  }
  if (n < 2) {
    return EMG_OK;
  }

  double *extended;
  EMG_TRY(emg_alloc((size_t)(n + 2 * pad), sizeof(double), &extended, err));
  for (int64_t i = 0; i < pad; i++) {
    extended[i] = 2.0 * x[0] - x[pad - i];
    extended[pad + n + i] = 2.0 * x[n - 1] - x[n - 2 - i];
  }
  for (int64_t i = 0; i < n; i++) {
    extended[pad + i] = x[i];
  }
  int64_t length = n + 2 * pad;
  run_from_steady(filter, length, 1, extended);
  run_from_steady(filter, length, -1, extended + length - 1);
  for (int64_t i = 0; i < n; i++) {
    x[i] = (float)extended[pad + i];
  }
  free(extended);
  return EMG_OK;
}

// --- rows of interleaved channels ---

size_t emg_filter_state_size(const emg_filter *filter, int n_channels) {
  return (size_t)filter->n_sections * 2 * (size_t)n_channels;
}

void emg_filter_rows_start(const emg_filter *filter, int n_channels, const float *row,
                           double *state) {
  for (int c = 0; c < n_channels; c++) {
    double input = row[c];
    for (int s = 0; s < filter->n_sections; s++) {
      const double *b = filter->b[s], *a = filter->a[s];
      double pair[2];
      steady_state(b, a, input, pair);
      state[(ptrdiff_t)(2 * s) * n_channels + c] = pair[0];
      state[(ptrdiff_t)(2 * s + 1) * n_channels + c] = pair[1];
      input *= (b[0] + b[1] + b[2]) / (1 + a[0] + a[1]);
    }
  }
}

// One section of one row: transposed direct form II, all channels side by side.
EMG_KERNEL static void row_section(const double b[3], const double a[2], int n, double *s0,
                                   double *s1, double *x) {
  for (int c = 0; c < n; c++) {
    double in = x[c], out = b[0] * in + s0[c];
    s0[c] = b[1] * in - a[0] * out + s1[c];
    s1[c] = b[2] * in - a[1] * out;
    x[c] = out;
  }
}

void emg_filter_rows(const emg_filter *filter, int n_channels, int64_t n, double *state,
                     float *rows) {
  enum { PART = 64 };  // channels at a time
  double x[PART];

  for (int64_t i = 0; i < n; i++) {
    for (int first = 0; first < n_channels; first += PART) {
      int width = n_channels - first < PART ? n_channels - first : PART;
      float *row = rows + i * n_channels + first;
      for (int c = 0; c < width; c++) {
        x[c] = row[c];
      }
      for (int s = 0; s < filter->n_sections; s++) {
        double *s0 = state + (ptrdiff_t)(2 * s) * n_channels + first;
        row_section(filter->b[s], filter->a[s], width, s0, s0 + n_channels, x);
      }
      for (int c = 0; c < width; c++) {
        row[c] = (float)x[c];
      }
    }
  }
}

double emg_filter_gain(const emg_filter *filter, double frequency_hz, double rate_hz) {
  double complex z = cexp(-2 * M_PI * I * frequency_hz / rate_hz);
  double complex h = 1;

  for (int s = 0; s < filter->n_sections; s++) {
    const double *b = filter->b[s], *a = filter->a[s];
    h *= (b[0] + z * (b[1] + z * b[2])) / (1 + z * (a[0] + z * a[1]));
  }
  return cabs(h);
}

emg_status emg_fir_decimator(int factor, int *n_taps, double **taps, emg_error *err) {
  if (factor < 1) {
    return emg_fail(err, EMG_ERR_ARG, "cannot decimate by %d", factor);
  }
  // Kaiser 1974: attenuation 80 dB, transition 0.4 of the new Nyquist frequency
  const double attenuation_db = 80;
  double beta = 0.1102 * (attenuation_db - 8.7);
  double transition = 0.4 * M_PI / factor;
  int half = (int)ceil((attenuation_db - 7.95) / (2.285 * transition) / 2);

  if (factor == 1) {
    half = 0;
  }
  *n_taps = 2 * half + 1;
  EMG_TRY(emg_alloc((size_t)*n_taps, sizeof(double), taps, err));
  double sum = 0;
  for (int i = -half; i <= half; i++) {
    double x = M_PI * i / factor;
    double sinc = i == 0 ? 1 : sin(x) / x;
    double r = half > 0 ? (double)i / half : 0;
    double window = gsl_sf_bessel_I0(beta * sqrt(fmax(0, 1 - r * r))) / gsl_sf_bessel_I0(beta);
    (*taps)[i + half] = sinc * window;
    sum += sinc * window;
  }
  for (int i = 0; i < *n_taps; i++) {
    (*taps)[i] /= sum;
  }
  return EMG_OK;
}
