// mains.c -- interference of the mains: found as lines of the spectrum, removed as sinusoids
#include "mains_priv.h"

#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/fft.h>
#include <base/kernel.h>

// --- power spectra ---

// Welch spectra of all rows: Hann windows of 4 s, so that a line is 0.5 Hz wide on either side.
typedef struct {
  int length, n_bins;
  int64_t n_windows, step;
  double bin_hz;
  double *power;  // [row][bin]
} spectra;

static spectra plan_spectra(int n_rows, int64_t n, double rate_hz) {
  const double window_s = 4;
  const int64_t most = 1024;  // transforms in all, as many say enough
  int64_t length = (int64_t)(window_s * rate_hz) < n ? (int64_t)(window_s * rate_hz) : n;
  int64_t per_row = most / (n_rows > 0 ? n_rows : 1) > 4 ? most / n_rows : 4;
  int64_t n_windows = 2 * n / length - 1;

  n_windows = n_windows < per_row ? n_windows : per_row;
  return (spectra){.length = (int)length,
                   .n_bins = (int)(length / 2 + 1),
                   .n_windows = n_windows,
                   .step = n_windows > 1 ? (n - length) / (n_windows - 1) : 0,
                   .bin_hz = rate_hz / (double)length};
}

static emg_status measure_row(const spectra *plan, const float *row, const double *hann,
                              double *power, emg_error *err) {
  size_t n_windows = (size_t)plan->n_windows;
  double *parts = NULL;
  double complex *transforms = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc(n_windows * (size_t)plan->length, sizeof *parts, &parts, err));
  EMG_TRY_DONE(emg_alloc(n_windows * (size_t)plan->n_bins, sizeof *transforms, &transforms, err));
  for (int64_t w = 0; w < plan->n_windows; w++) {
    for (int i = 0; i < plan->length; i++) {
      parts[w * plan->length + i] = row[w * plan->step + i] * hann[i];
    }
  }
  EMG_TRY_DONE(emg_fft_forward(plan->length, (int)plan->n_windows, parts, transforms, err));
  for (int64_t w = 0; w < plan->n_windows; w++) {
    for (int b = 0; b < plan->n_bins; b++) {
      double complex value = transforms[w * plan->n_bins + b];
      power[b] += creal(value) * creal(value) + cimag(value) * cimag(value);
    }
  }

done:
  free(parts);
  free(transforms);
  return status;
}

static emg_status measure_spectra(const emg_array2f *x, double rate_hz, spectra *out,
                                  emg_error *err) {
  int n_failed = 0;
  double *hann;

  *out = plan_spectra(x->n_rows, x->n_cols, rate_hz);
  EMG_TRY(emg_alloc((size_t)x->n_rows * (size_t)out->n_bins, sizeof *out->power, &out->power, err));
  emg_status status = emg_alloc((size_t)out->length, sizeof *hann, &hann, err);
  if (status != EMG_OK) {
    free(out->power);
    return status;
  }
  for (int i = 0; i < out->length; i++) {
    hann[i] = 1 - cos(2 * M_PI * (i + 0.5) / out->length);
  }
#pragma omp parallel for schedule(dynamic) reduction(+ : n_failed)
  for (int r = 0; r < x->n_rows; r++) {
    n_failed += measure_row(out, emg_row2f(x, r), hann, out->power + (ptrdiff_t)r * out->n_bins,
                            NULL) != EMG_OK;
  }
  free(hann);
  if (n_failed > 0) {
    free(out->power);
    out->power = NULL;
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for the spectra of %d channels",
                    x->n_rows);
  }
  return EMG_OK;
}

// --- lines that stand out ---

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_of(int n, const double *values, double *scratch) {
  memcpy(scratch, values, (size_t)n * sizeof *values);
  qsort(scratch, (size_t)n, sizeof *scratch, compare_doubles);
  return scratch[n / 2];
}

// The surroundings of one multiple of the nominal frequency: power over that of the surroundings,
// in the mean over rows, and by how many standard deviations it stands out.
enum { BAND_BINS_MAX = 401 };
typedef struct {
  int first, n;  // bins
  double ratio[BAND_BINS_MAX], sds[BAND_BINS_MAX];
} band;

static void measure_band(const spectra *s, int n_rows, double centre_hz, band *out) {
  double half_hz = fmax(10, 20 * s->bin_hz), scratch[BAND_BINS_MAX];
  int half = (int)fmin(half_hz / s->bin_hz, (BAND_BINS_MAX - 1) / 2);
  int centre = (int)lround(centre_hz / s->bin_hz);
  int first = centre - half > 1 ? centre - half : 1;
  int last = centre + half < s->n_bins - 1 ? centre + half : s->n_bins - 1;

  *out = (band){.first = first, .n = last > first ? last - first : 0};
  for (int r = 0; r < n_rows && out->n > 0; r++) {
    const double *power = s->power + (ptrdiff_t)r * s->n_bins + first;
    double usual = median_of(out->n, power, scratch);
    for (int b = 0; b < out->n && usual > 0; b++) {
      out->ratio[b] += power[b] / usual;
    }
  }
  // the cube root of a power spectrum is nearly normal, however many windows and rows were averaged
  // and however these are correlated (Wilson & Hilferty 1931)
  double usual = out->n > 0 ? median_of(out->n, out->ratio, scratch) : 0, away[BAND_BINS_MAX];
  for (int b = 0; b < out->n && usual > 0; b++) {
    out->ratio[b] /= usual;
    away[b] = fabs(cbrt(out->ratio[b]) - 1);
  }
  double sd = usual > 0 ? 1.4826 * median_of(out->n, away, scratch) : 0;
  for (int b = 0; b < out->n && sd > 0; b++) {
    out->sds[b] = (cbrt(out->ratio[b]) - 1) / sd;
  }
}

// The bin of the line nearest to a frequency, -1 if nothing stands out there.
static int line_near(const spectra *s, const band *around, double hz) {
  const double sds_least = 6, ratio_least = 2;
  int centre = (int)lround(hz / s->bin_hz) - around->first, best = -1;

  for (int b = centre - 1; b <= centre + 1; b++) {
    if (b > 0 && b < around->n - 1 && around->sds[b] >= sds_least &&
        around->ratio[b] >= ratio_least && around->ratio[b] >= around->ratio[b - 1] &&
        around->ratio[b] >= around->ratio[b + 1] &&
        (best < 0 || around->ratio[b] > around->ratio[best])) {
      best = b;
    }
  }
  return best;
}

// Frequency of a line: the top of a parabola through the logarithms of three bins.
static double line_hz(const spectra *s, const band *around, int bin) {
  double below = log(around->ratio[bin - 1]), at = log(around->ratio[bin]),
         above = log(around->ratio[bin + 1]);
  double curvature = below - 2 * at + above;
  double shift = curvature < 0 ? 0.5 * (below - above) / curvature : 0;

  return (around->first + bin + fmin(fmax(shift, -0.5), 0.5)) * s->bin_hz;
}

// How much stands out in all at the multiples of a frequency; the lines there in `found`.
static double weigh(const spectra *s, const band *bands, int n_bands, double fundamental_hz,
                    emg_mains *found) {
  double weight = 0, sum = 0, squares = 0;

  *found = (emg_mains){0};
  for (int k = 1; k <= n_bands && found->n_lines < EMG_LINES_MAX; k++) {
    int bin = line_near(s, &bands[k - 1], k * fundamental_hz);
    if (bin >= 0) {
      weight += bands[k - 1].sds[bin];
      // least squares of the lines' frequencies on their numbers
      sum += k * line_hz(s, &bands[k - 1], bin);
      squares += (double)k * k;
      found->harmonic[found->n_lines++] = k;
    }
  }
  found->fundamental_hz = squares > 0 ? sum / squares : 0;
  return weight;
}

emg_status emg_mains_find(const emg_array2f *x, double rate_hz, double high_hz, emg_mains *out,
                          emg_error *err) {
  static const double nominal_hz[] = {50, 60};
  const double deviation_hz = 0.3, step_hz = 0.02;  // of the mains, and of the converter's clock
  double most = 0;
  spectra s;

  *out = (emg_mains){0};
  EMG_TRY(measure_spectra(x, rate_hz, &s, err));
  for (int family = 0; family < 2; family++) {
    int n_bands = (int)(fmin(high_hz, 0.49 * rate_hz) / nominal_hz[family]);
    band *bands;
    n_bands = n_bands < EMG_LINES_MAX ? n_bands : EMG_LINES_MAX;
    emg_status status = emg_alloc((size_t)n_bands, sizeof *bands, &bands, err);
    if (status != EMG_OK) {
      free(s.power);
      return status;
    }
    for (int k = 0; k < n_bands; k++) {
      measure_band(&s, x->n_rows, (k + 1) * nominal_hz[family], &bands[k]);
    }
    int n_steps = (int)lround(deviation_hz / step_hz);
    for (int i = 0; i <= 2 * n_steps; i++) {
      // from the nominal frequency outwards, so that it wins a draw
      double deviation = (i % 2 ? 1 : -1) * ((i + 1) / 2) * step_hz;
      emg_mains found;
      double weight = weigh(&s, bands, n_bands, nominal_hz[family] + deviation, &found);
      if (weight > most) {
        most = weight;
        *out = found;
      }
    }
    free(bands);
  }
  free(s.power);
  return EMG_OK;
}

// --- removal ---

// SUM window(i) x(i) e^(-j w i) over a window.
EMG_KERNEL static void correlate(const float *x, const float *cosine, const float *sine, int64_t n,
                                 double *real, double *imaginary) {
  float re[8] = {0}, im[8] = {0};
  int64_t i = 0;

  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; k++) {
      re[k] += x[i + k] * cosine[i + k];
      im[k] += x[i + k] * sine[i + k];
    }
  }
  double sum_re = 0, sum_im = 0;
  for (; i < n; i++) {
    sum_re += (double)x[i] * cosine[i];
    sum_im += (double)x[i] * sine[i];
  }
  for (int k = 0; k < 8; k++) {
    sum_re += re[k];
    sum_im += im[k];
  }
  *real = sum_re;
  *imaginary = sum_im;
}

// One line in windows that overlap by half: `cosine`, `sine` hold the line under a Hann window of
// 2 half samples about its centre, `plain` the same two without the window.
typedef struct {
  int64_t half;
  float *cosine, *sine, *plain_cosine, *plain_sine;
} line;

static void shape_line(double hz, double rate_hz, line *l) {
  for (int64_t i = 0; i < 2 * l->half; i++) {
    double from_centre = (double)(i - l->half), phase = 2 * M_PI * hz * from_centre / rate_hz;
    double window = (1 + cos(M_PI * from_centre / (double)l->half)) / (double)l->half;
    l->plain_cosine[i] = (float)cos(phase);
    l->plain_sine[i] = (float)sin(phase);
    l->cosine[i] = (float)(window * cos(phase));
    l->sine[i] = (float)(window * sin(phase));
  }
}

// Subtract part `begin` .. `end` of a window at weights from `first` to `last`, end not included.
static void subtract(const line *l, const double amplitude[2], int64_t begin, int64_t end,
                     double first, double last, float *x) {
  double slope = end > begin ? (last - first) / (double)(end - begin) : 0;

  for (int64_t i = begin; i < end; i++) {
    double weight = first + slope * (double)(i - begin);
    x[i] -= (float)(weight * (amplitude[0] * l->plain_cosine[i] + amplitude[1] * l->plain_sine[i]));
  }
}

// Where window w of n_windows begins, the last one at the end of the row.
static int64_t window_begin(const line *l, int64_t n, int64_t w, int64_t n_windows) {
  return n_windows > 1 ? (n - 2 * l->half) * w / (n_windows - 1) : 0;
}

// Amplitudes in all windows first, then the sinusoid whose amplitude goes from one centre to the
// next in a straight line. Before the first and after the last it stays as it is there.
static void remove_line(const line *l, int64_t n, int64_t n_windows, double (*amplitude)[2],
                        float *row) {
  for (int64_t w = 0; w < n_windows; w++) {
    correlate(row + window_begin(l, n, w, n_windows), l->cosine, l->sine, 2 * l->half,
              &amplitude[w][0], &amplitude[w][1]);
  }
  subtract(l, amplitude[0], 0, l->half, 1, 1, row);
  for (int64_t w = 0; w < n_windows; w++) {
    int64_t begin = window_begin(l, n, w, n_windows);
    if (w == n_windows - 1) {
      subtract(l, amplitude[w], l->half, 2 * l->half, 1, 1, row + begin);
      break;
    }
    int64_t next = window_begin(l, n, w + 1, n_windows), gap = next - begin;
    subtract(l, amplitude[w], l->half, l->half + gap, 1, 0, row + begin);
    subtract(l, amplitude[w + 1], l->half - gap, l->half, 0, 1, row + next);
  }
}

emg_status emg_mains_remove(const emg_mains *mains, double rate_hz, emg_array2f *x,
                            emg_error *err) {
  const double window_s = 1;
  int64_t n = x->n_cols, half = (int64_t)fmin(window_s * rate_hz / 2, (double)n / 2);
  int64_t n_windows = half > 0 ? (n - 2 * half + half - 1) / half + 1 : 0;
  double(*amplitudes)[2] = NULL;
  float *shapes = NULL;
  emg_status status = EMG_OK;

  if (mains->n_lines == 0 || half == 0) {
    return EMG_OK;
  }
  EMG_TRY_DONE(
      emg_alloc((size_t)n_windows * (size_t)x->n_rows, sizeof *amplitudes, &amplitudes, err));
  EMG_TRY_DONE(emg_alloc((size_t)(8 * half), sizeof *shapes, &shapes, err));
  line l = {half, shapes, shapes + 2 * half, shapes + 4 * half, shapes + 6 * half};
  for (int i = 0; i < mains->n_lines; i++) {
    shape_line(mains->harmonic[i] * mains->fundamental_hz, rate_hz, &l);
#pragma omp parallel for schedule(static)
    for (int r = 0; r < x->n_rows; r++) {
      remove_line(&l, n, n_windows, amplitudes + r * n_windows, emg_row2f(x, r));
    }
  }

done:
  free(amplitudes);
  free(shapes);
  return status;
}
