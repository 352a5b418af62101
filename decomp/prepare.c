// prepare.c -- from a recording as read to usable, filtered channels of comparable size
#include "ckc_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/lin.h>
#include <emgtwin/array.h>

// --- channels unusable by themselves ---

typedef struct {
  emg_channel_state state;
  double rms;     // about the mean
  char why[120];  // of a state other than good
} screening;

// Longest part of a channel that may be constant, or clipped, without it being left out.
static const double flat_share_most = 0.02, clipped_share_most = 0.002;

// Share of the recording in windows of 50 ms that do not change at all.
static double flat_share(const float *x, int64_t n, double rate_hz) {
  int64_t window = (int64_t)(0.05 * rate_hz) > 4 ? (int64_t)(0.05 * rate_hz) : 4;
  int64_t n_flat = 0, n_windows = n / window;

  for (int64_t w = 0; w < n_windows; w++) {
    const float *part = x + w * window;
    int64_t i = 1;
    while (i < window && part[i] == part[0]) {
      i++;
    }
    n_flat += i == window;
  }
  return n_windows > 0 ? (double)n_flat / (double)n_windows : 0;
}

// Share of samples that repeat the one before at an extreme of the channel: clipping makes runs,
// while single samples at an extreme are common where the converter is coarse.
static double clipped_share(const float *x, int64_t n, float lowest, float highest) {
  int64_t n_clipped = 0;

  for (int64_t i = 1; i < n; i++) {
    n_clipped += (x[i] == lowest || x[i] == highest) && x[i] == x[i - 1];
  }
  return (double)n_clipped / (double)n;
}

static screening screen_channel(const float *x, int64_t n, double rate_hz) {
  screening s = {.state = EMG_CHANNEL_GOOD};
  float lowest = x[0], highest = x[0];
  double sum = 0, squares = 0;

  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) {
      s.state = EMG_CHANNEL_NOT_FINITE;
      snprintf(s.why, sizeof s.why, "sample %lld is not finite", (long long)i);
      return s;
    }
    lowest = fminf(lowest, x[i]);
    highest = fmaxf(highest, x[i]);
    sum += x[i];
  }
  double mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) {
    squares += (x[i] - mean) * (x[i] - mean);
  }
  s.rms = sqrt(squares / (double)n);

  double flat = flat_share(x, n, rate_hz), clipped = clipped_share(x, n, lowest, highest);
  if (!(highest > lowest) || flat > 0.5) {
    s.state = EMG_CHANNEL_DEAD;
    snprintf(s.why, sizeof s.why, "constant for %.0f %% of the time", 100 * flat);
  } else if (flat > flat_share_most) {
    s.state = EMG_CHANNEL_INTERMITTENT;
    snprintf(s.why, sizeof s.why, "constant for %.1f %% of the time", 100 * flat);
  } else if (clipped > clipped_share_most) {
    s.state = EMG_CHANNEL_SATURATED;
    snprintf(s.why, sizeof s.why, "%.1f %% of samples repeat its extremes", 100 * clipped);
  }
  return s;
}

// --- channels unusable beside the others ---

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Median of value[i] over the channels in use, `scratch` of n values; 0 if there are none.
static double median_of_good(int n, const screening *s, const double *value, double *scratch) {
  int n_good = 0;

  for (int c = 0; c < n; c++) {
    if (s[c].state == EMG_CHANNEL_GOOD) {
      scratch[n_good++] = value[c];
    }
  }
  if (n_good == 0) {
    return 0;
  }
  qsort(scratch, (size_t)n_good, sizeof *scratch, compare_doubles);
  return scratch[n_good / 2];
}

static void screen_by_size(int n, screening *s, const double *rms, double least, double most,
                           double *scratch) {
  double median = median_of_good(n, s, rms, scratch);

  for (int c = 0; c < n; c++) {
    double ratio = median > 0 ? rms[c] / median : 1;
    if (s[c].state == EMG_CHANNEL_GOOD && (ratio < least || ratio > most)) {
      s[c].state = ratio < least ? EMG_CHANNEL_DEAD : EMG_CHANNEL_NOISY;
      snprintf(s[c].why, sizeof s[c].why, "root mean square is %.3g of the median channel", ratio);
    }
  }
}

// covariance[channel][channel] of the filtered channels: rows in parts and time in blocks of a
// fixed size, summed in double precision.
static emg_status covariance_of(const emg_array2f *x, int64_t begin, int64_t end,
                                double *covariance, emg_error *err) {
  enum { ROWS = 32, BLOCK = 4096 };
  int n = x->n_rows;
  float *part;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *part, &part, err));
#pragma omp parallel for schedule(dynamic)
  for (int row = 0; row < n; row += ROWS) {
    int n_rows = n - row < ROWS ? n - row : ROWS;
    ptrdiff_t place = (ptrdiff_t)row * n;
    for (int64_t at = begin; at < end; at += BLOCK) {
      int length = end - at < BLOCK ? (int)(end - at) : BLOCK;
      emg_sgemm(0, 1, n_rows, n, length, 1, emg_row2f(x, row) + at, (int)x->stride, x->data + at,
                (int)x->stride, 0, part + place, n);
      for (ptrdiff_t i = place; i < place + (ptrdiff_t)n_rows * n; i++) {
        covariance[i] += (double)part[i] / (double)(end - begin);
      }
    }
  }
  free(part);
  return EMG_OK;
}

static void screen_duplicates(int n, screening *s, const double *covariance) {
  for (int c = 0; c < n; c++) {
    for (int first = 0; first < c && s[c].state == EMG_CHANNEL_GOOD; first++) {
      double size =
          sqrt(covariance[(ptrdiff_t)c * n + c] * covariance[(ptrdiff_t)first * n + first]);
      if (s[first].state == EMG_CHANNEL_GOOD &&
          fabs(covariance[(ptrdiff_t)c * n + first]) > (1 - 1e-5) * size) {
        s[c].state = EMG_CHANNEL_DUPLICATE;
        snprintf(s[c].why, sizeof s[c].why, "a copy of channel %d", first + 1);
      }
    }
  }
}

// A channel most of which no combination of the others explains, several times more than usual, is
// noise: the variance left is 1 / (C^-1)_cc. `covariance` is overwritten.
static emg_status screen_unexplained(int n, screening *s, double *covariance, double *scratch,
                                     emg_error *err) {
  const double times_median = 6, share_least = 0.5;
  double *inverse = NULL, *left = NULL, *share = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n * (size_t)n, sizeof *inverse, &inverse, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *left, &left, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *share, &share, err));
  for (int c = 0; c < n; c++) {
    double *row = covariance + (ptrdiff_t)c * n;
    for (int b = 0; b < n; b++) {
      if (b != c && s[c].state != EMG_CHANNEL_GOOD) {
        row[b] = covariance[(ptrdiff_t)b * n + c] = 0;  // not one of the others
      }
    }
    share[c] = 1 / sqrt(row[c]);
    row[c] = row[c] > 0 ? row[c] * (1 + 1e-6) : 1;
    inverse[(ptrdiff_t)c * n + c] = 1;
  }
  EMG_TRY_DONE(emg_solve_spd(n, covariance, n, inverse, err));
  for (int c = 0; c < n; c++) {
    left[c] = 1 / sqrt(inverse[(ptrdiff_t)c * n + c]);
    share[c] *= left[c];
  }
  double median = median_of_good(n, s, left, scratch);
  for (int c = 0; c < n; c++) {
    if (s[c].state == EMG_CHANNEL_GOOD && left[c] > times_median * median &&
        share[c] > share_least) {
      s[c].state = EMG_CHANNEL_NOISY;
      snprintf(s[c].why, sizeof s[c].why, "%.0f %% of it is unrelated to other channels",
               100 * share[c]);
    }
  }

done:
  free(inverse);
  free(left);
  free(share);
  return status;
}

// --- filtering ---

emg_status emg_prepare_filter(const struct emg_config_decompose *config, double rate_hz,
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
    EMG_TRY(emg_filter_highpass(filter, 2, config->band_low_hz, rate_hz, err));
  }
  EMG_TRY(emg_filter_lowpass(filter, 2, high_hz, rate_hz, err));
  for (double hz = config->notch_hz;
       hz > 0 && hz < high_hz && filter->n_sections < EMG_SECTIONS_MAX; hz += config->notch_hz) {
    EMG_TRY(emg_filter_notch(filter, hz, hz / notch_width_hz, rate_hz, err));
  }
  return EMG_OK;
}

// Remove the mean, scale and filter each channel in use; the others become 0.
static emg_status filter_channels(const emg_recording *rec, const screening *s, double scale,
                                  const emg_filter *filter, emg_array2f *out, emg_error *err) {
  int64_t n = rec->data.n_cols;
  int n_failed = 0;

  EMG_TRY(emg_array2f_create(rec->data.n_rows, n, out, err));
#pragma omp parallel for schedule(dynamic) reduction(+ : n_failed)
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (s[c].state != EMG_CHANNEL_GOOD) {
      continue;
    }
    const float *from = emg_row2f(&rec->data, c);
    float *to = emg_row2f(out, c);
    double mean = 0;
    for (int64_t i = 0; i < n; i++) {
      mean += from[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
      to[i] = (float)((from[i] - mean) * scale);
    }
    n_failed += emg_filter_zero_phase(filter, n, to, NULL) != EMG_OK;
  }
  if (n_failed > 0) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory to filter %d channels", n_failed);
  }
  return EMG_OK;
}

// --- all together ---

static void report(const emg_recording *rec, const screening *s, int n_good,
                   const emg_monitor *monitor) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (s[c].state != EMG_CHANNEL_GOOD) {
      emg_log(monitor, EMG_LOG_WARNING, "decompose", "channel %d (%s) is left out: %s, %s", c + 1,
              rec->channels[c].name, emg_channel_state_name(s[c].state), s[c].why);
    }
  }
  emg_log(monitor, EMG_LOG_INFO, "decompose", "channels = %d, used = %d", rec->data.n_rows, n_good);
}

static int count_good(int n, const screening *s) {
  int n_good = 0;
  for (int c = 0; c < n; c++) {
    n_good += s[c].state == EMG_CHANNEL_GOOD;
  }
  return n_good;
}

static emg_status check_enough(const emg_recording *rec, const screening *s, emg_error *err) {
  const int least = 2;
  int n = rec->data.n_rows, n_good = count_good(n, s), bad = 0;

  if (n_good >= least) {
    return EMG_OK;
  }
  if (n < least) {
    return emg_fail(err, EMG_ERR_DATA, "%d channels are too few: decomposition needs at least %d",
                    n, least);
  }
  while (bad < n - 1 && s[bad].state == EMG_CHANNEL_GOOD) {
    bad++;
  }
  return emg_fail(
      err, EMG_ERR_DATA,
      "%d of %d channels can be used and decomposition needs at least %d; channel %d is "
      "%s: %s",
      n_good, n, least, bad + 1, emg_channel_state_name(s[bad].state), s[bad].why);
}

// A fault that most channels share is how the recording is: clipped or broken channels are used,
// with a warning, where fewer than half would be left.
static void reinstate_common_fault(const emg_recording *rec, screening *s, emg_channel_state fault,
                                   const emg_monitor *monitor) {
  int n = rec->data.n_rows, n_fault = 0;

  for (int c = 0; c < n; c++) {
    n_fault += s[c].state == fault && rec->channels[c].state == EMG_CHANNEL_GOOD;
  }
  if (n_fault == 0 || 2 * count_good(n, s) >= n) {
    return;
  }
  for (int c = 0; c < n; c++) {
    if (s[c].state == fault && rec->channels[c].state == EMG_CHANNEL_GOOD) {
      s[c].state = EMG_CHANNEL_GOOD;
    }
  }
  emg_log(monitor, EMG_LOG_WARNING, "decompose",
          "%d of %d channels are %s and are used all the same", n_fault, n,
          emg_channel_state_name(fault));
}

static emg_status check_length(const emg_recording *rec, const struct emg_config_decompose *config,
                               emg_error *err) {
  const double least_s = 1;

  if (!(rec->rate_hz > 0) || !isfinite(rec->rate_hz)) {
    return emg_fail(err, EMG_ERR_DATA, "the sampling rate of %g Hz is no rate; state it",
                    rec->rate_hz);
  }
  double length_s = (double)rec->data.n_cols / rec->rate_hz - 2 * config->edge_s;
  if (length_s < least_s) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%g s of recording less decompose.edge_s = %g s at either end leave %g s, and "
                    "decomposition needs %g s",
                    (double)rec->data.n_cols / rec->rate_hz, config->edge_s, fmax(length_s, 0),
                    least_s);
  }
  return EMG_OK;
}

static bool uses_channel(const emg_prepared *prepared, int channel) {
  for (int i = 0; i < prepared->signal.n_channels; i++) {
    if (prepared->channel[i] == channel) {
      return true;
    }
  }
  return false;
}

// States from the samples of each channel alone and its size beside the others; *size is the median
// root mean square.
static emg_status screen_samples(const emg_recording *rec, const emg_prepared *like, screening *s,
                                 double *rms, double *scratch, double *size,
                                 const emg_monitor *monitor, emg_error *err) {
  int n = rec->data.n_rows;

#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < n; c++) {
    s[c] = screen_channel(emg_row2f(&rec->data, c), rec->data.n_cols, rec->rate_hz);
    rms[c] = s[c].rms;
    if (s[c].state == EMG_CHANNEL_GOOD && rec->channels[c].state != EMG_CHANNEL_GOOD) {
      s[c].state = rec->channels[c].state;
      snprintf(s[c].why, sizeof s[c].why, "said so by the file");
    }
    if (like && !uses_channel(like, c)) {
      s[c].state = EMG_CHANNEL_MARKED;
      snprintf(s[c].why, sizeof s[c].why, "left out in another part of the recording");
    }
  }
  reinstate_common_fault(rec, s, EMG_CHANNEL_SATURATED, monitor);
  reinstate_common_fault(rec, s, EMG_CHANNEL_INTERMITTENT, monitor);
  // sizes before the filter may be drift: only what would overflow goes
  screen_by_size(n, s, rms, 1e-4, 1e4, scratch);
  EMG_TRY(check_enough(rec, s, err));
  *size = median_of_good(n, s, rms, scratch);
  return EMG_OK;
}

// States from the filtered channels beside each other.
static emg_status screen_filtered(const emg_recording *rec, const emg_array2f *filtered,
                                  int64_t edge, screening *s, double *rms, double *scratch,
                                  emg_error *err) {
  int n = filtered->n_rows;
  double *covariance;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n * (size_t)n, sizeof *covariance, &covariance, err));
  EMG_TRY_DONE(covariance_of(filtered, edge, filtered->n_cols - edge, covariance, err));
  for (int c = 0; c < n; c++) {
    rms[c] = sqrt(covariance[(ptrdiff_t)c * n + c]);
  }
  screen_by_size(n, s, rms, 0.01, 20, scratch);
  screen_duplicates(n, s, covariance);
  EMG_TRY_DONE(check_enough(rec, s, err));
  EMG_TRY_DONE(screen_unexplained(n, s, covariance, scratch, err));

done:
  free(covariance);
  return status;
}

// Lay the channels in use out [sample][channel], in tiles that stay in cache.
static emg_status interleave(const emg_array2f *filtered, const screening *s,
                             const emg_prepared *like, double rate_hz, int64_t margin,
                             emg_prepared *out, emg_error *err) {
  enum { TILE = 64 };
  size_t n_rows = (size_t)filtered->n_rows;
  int n = 0;

  EMG_TRY(emg_alloc(n_rows, sizeof *out->channel, &out->channel, err));
  EMG_TRY(emg_alloc(n_rows, sizeof *out->is_usable, &out->is_usable, err));
  for (int c = 0; c < filtered->n_rows; c++) {
    bool is_good = s[c].state == EMG_CHANNEL_GOOD;
    if (like ? uses_channel(like, c) : is_good) {
      out->is_usable[n] = is_good;
      out->channel[n++] = c;
    }
  }
  EMG_TRY(emg_signal_create(n, filtered->n_cols, margin, rate_hz, &out->signal, err));
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < filtered->n_cols; first += TILE) {
    int64_t last = first + TILE < filtered->n_cols ? first + TILE : filtered->n_cols;
    for (int c = 0; c < n; c++) {
      const float *row = emg_row2f(filtered, out->channel[c]);
      for (int64_t i = first; i < last; i++) {
        emg_signal_row(&out->signal, i)[c] = row[i];
      }
    }
  }
  return EMG_OK;
}

// `like` NULL: all channels, and the scale from the data.
static emg_status prepare(const emg_recording *rec, const emg_config *config,
                          const emg_prepared *like, const emg_monitor *monitor, int64_t margin,
                          emg_prepared *out, emg_error *err) {
  const struct emg_config_decompose *keys = &config->decompose;
  int n = rec->data.n_rows;
  emg_array2f filtered = {0};
  screening *s = NULL;
  double *rms = NULL, *scratch = NULL, size = 0;
  emg_filter filter;
  emg_status status;

  *out = (emg_prepared){0};
  EMG_TRY(check_length(rec, keys, err));
  EMG_TRY(emg_prepare_filter(keys, rec->rate_hz, &filter, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *s, &s, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *rms, &rms, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *scratch, &scratch, err));

  // 1. channels that cannot be used by themselves; 2. filters; 3. channels unlike the others
  EMG_TRY_DONE(screen_samples(rec, like, s, rms, scratch, &size, monitor, err));
  out->scale = like ? like->scale : 1 / size;
  EMG_TRY_DONE(filter_channels(rec, s, out->scale, &filter, &filtered, err));
  int64_t edge = (int64_t)(keys->edge_s * rec->rate_hz);
  EMG_TRY_DONE(screen_filtered(rec, &filtered, edge, s, rms, scratch, err));
  if (!like) {
    report(rec, s, count_good(n, s), monitor);
  }
  EMG_TRY_DONE(check_enough(rec, s, err));
  EMG_TRY_DONE(interleave(&filtered, s, like, rec->rate_hz, margin, out, err));

done:
  emg_array2f_free(&filtered);
  free(s);
  free(rms);
  free(scratch);
  if (status != EMG_OK) {
    emg_prepared_free(out);
  }
  return status;
}

emg_status emg_prepare(const emg_recording *rec, const emg_config *config,
                       const emg_monitor *monitor, int64_t margin, emg_prepared *out,
                       emg_error *err) {
  return prepare(rec, config, NULL, monitor, margin, out, err);
}

emg_status emg_prepare_like(const emg_recording *rec, const emg_config *config,
                            const emg_prepared *like, int64_t margin, emg_prepared *out,
                            emg_error *err) {
  return prepare(rec, config, like, NULL, margin, out, err);
}

void emg_prepared_free(emg_prepared *prepared) {
  emg_signal_free(&prepared->signal);
  free(prepared->channel);
  free(prepared->is_usable);
  *prepared = (emg_prepared){0};
}
