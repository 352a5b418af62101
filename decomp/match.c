// match.c -- agreement of two spike trains at their best common lag
#include "match_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

emg_status emg_matcher_create(int64_t max_lag, int64_t tolerance, emg_matcher *out,
                              emg_error *err) {
  *out = (emg_matcher){.max_lag = max_lag, .tolerance = tolerance};
  if (max_lag < 0 || tolerance < 0 || max_lag + tolerance > (int64_t)1 << 26) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a lag of %lld and a tolerance of %lld samples are outside 0 to 2^26; choose "
                    "smaller ones",
                    (long long)max_lag, (long long)tolerance);
  }
  return emg_alloc((size_t)(2 * (max_lag + tolerance) + 1), sizeof *out->counts, &out->counts, err);
}

void emg_matcher_free(emg_matcher *matcher) {
  free(matcher->counts);
  *matcher = (emg_matcher){0};
}

// Histogram of all differences a - b within reach. Trains are sparse, so this is about one entry
// per spike where a correlation by FFT would touch every sample.
static void count_differences(emg_matcher *matcher, const int64_t *a, int64_t n_a, const int64_t *b,
                              int64_t n_b) {
  int64_t reach = matcher->max_lag + matcher->tolerance;
  int64_t first = 0;

  memset(matcher->counts, 0, (size_t)(2 * reach + 1) * sizeof *matcher->counts);
  // differences of samples, which are not negative, can be told; their sums with the reach cannot
  for (int64_t i = 0; i < n_a; i++) {
    while (first < n_b && a[i] - b[first] > reach) {
      first++;
    }
    for (int64_t j = first; j < n_b && b[j] - a[i] <= reach; j++) {
      matcher->counts[a[i] - b[j] + reach]++;
    }
  }
}

// Sum of |difference - lag| in the window of a lag: how badly centred it is.
static int64_t spread_about(const emg_matcher *matcher, int64_t lag) {
  const int32_t *centre = matcher->counts + matcher->max_lag + matcher->tolerance + lag;
  int64_t sum = 0;

  for (int64_t d = 1; d <= matcher->tolerance; d++) {
    sum += d * ((int64_t)centre[d] + centre[-d]);
  }
  return sum;
}

static int64_t window_at(const emg_matcher *matcher, int64_t lag) {
  const int32_t *first = matcher->counts + matcher->max_lag + lag;
  int64_t count = 0;

  for (int64_t d = 0; d < 2 * matcher->tolerance + 1; d++) {
    count += first[d];
  }
  return count;
}

// The lag whose window holds most differences; ties go to the better centred, then to the smaller.
// Returns the number, 0 if all windows are empty.
static int64_t fullest_window(const emg_matcher *matcher, int64_t *best_lag) {
  int64_t width = 2 * matcher->tolerance + 1;
  int64_t count = 0, best_count = 0, best_spread = 0;

  for (int64_t d = 0; d < width - 1; d++) {
    count += matcher->counts[d];
  }
  for (int64_t lag = -matcher->max_lag; lag <= matcher->max_lag; lag++) {
    const int32_t *first = matcher->counts + matcher->max_lag + lag;
    count += first[width - 1];
    if (count > 0 && count >= best_count) {
      int64_t spread = spread_about(matcher, lag);
      bool is_better = count > best_count || spread < best_spread ||
                       (spread == best_spread && llabs(lag) < llabs(*best_lag));
      if (is_better) {
        best_count = count;
        best_spread = spread;
        *best_lag = lag;
      }
    }
    count -= first[0];
  }
  return best_count;
}

// Pairs at a lag, earliest first, each spike once. With one tolerance for all this greedy pass
// finds as many pairs as any other could.
static int64_t pairs_at_lag(const int64_t *a, int64_t n_a, const int64_t *b, int64_t n_b,
                            int64_t lag, int64_t tolerance) {
  int64_t i = 0, j = 0, n_common = 0;

  while (i < n_a && j < n_b) {
    int64_t difference = a[i] - b[j];
    if (difference > lag + tolerance) {
      j++;
    } else if (difference < lag - tolerance) {
      i++;
    } else {
      n_common++;
      i++;
      j++;
    }
  }
  return n_common;
}

emg_agreement emg_match_trains(emg_matcher *matcher, const int64_t *a, int64_t n_a,
                               const int64_t *b, int64_t n_b) {
  emg_agreement best = {0};
  if (n_a == 0 || n_b == 0) {
    return best;
  }
  count_differences(matcher, a, n_a, b, n_b);

  // the number of differences in a window bounds the number of pairs at its lag, and is reached
  // unless spikes of one train lie closer together than the window is wide
  int64_t most = fullest_window(matcher, &best.lag), fewest = n_a < n_b ? n_a : n_b;
  most = most < fewest ? most : fewest;
  best.n_common = pairs_at_lag(a, n_a, b, n_b, best.lag, matcher->tolerance);
  for (int64_t step = 0; best.n_common < most && step <= 2 * matcher->max_lag; step++) {
    int64_t lag = step % 2 ? -(step + 1) / 2 : step / 2;  // smallest first
    if (window_at(matcher, lag) > best.n_common) {
      int64_t n_common = pairs_at_lag(a, n_a, b, n_b, lag, matcher->tolerance);
      if (n_common > best.n_common) {
        best.n_common = n_common;
        best.lag = lag;
      }
    }
  }
  best.roa = (double)best.n_common / (double)(n_a + n_b - best.n_common);
  best.f1 = 2.0 * (double)best.n_common / (double)(n_a + n_b);
  return best;
}

int64_t emg_samples_in_ms(double time_ms, double rate_hz) {
  const double most = (double)((int64_t)1 << 40);  // beyond what a matcher takes
  return (int64_t)fmin(floor(time_ms * rate_hz / 1000 + 1e-6), most);
}

// --- chance agreement ---

// Differences of unrelated trains fall as a Poisson process along the lag axis. Going one lag
// further, a window of 2 w + 1 samples keeps 2 w of them, loses one sample and gains one.
enum { CHANCE_MOST = 512 };
typedef struct {
  int64_t width, n_steps;       // samples in a window; lags less one
  double mean_kept;             // differences in 2 w samples
  double one[CHANCE_MOST + 1];  // Poisson probabilities of a count in 1, 2 w and 2 w + 1 samples
  double kept[CHANCE_MOST + 1], whole[CHANCE_MOST + 1];
} lag_windows;

static void poisson(double mean, double *p) {
  p[0] = exp(-mean);
  for (int k = 1; k <= CHANCE_MOST; k++) {
    p[k] = p[k - 1] * mean / k;
  }
}

// Probability that no lag's window holds `k` differences or more. The run of windows below k is
// taken as a Markov chain, P(max < k) = F(k-1) (1 - P(step up to k) / F(k-1))^(number of steps).
// Steps up come in clumps of 1 / (1 - kept / k) (Alm 1983, for the scan statistic in continuous
// time), which end at the latest when the window is new.
static double below_at_all_lags(int k, const lag_windows *windows) {
  double below = 0;
  for (int j = 0; j < k; j++) {
    below += windows->whole[j];
  }

  double step_up = 0, fewer = 0;  // fewer: P(one sample holds at most m)
  for (int m = 0; m < k; m++) {
    double more = fmax(1 - fewer - windows->one[m], 0);  // P(it holds m + 1 or more)
    fewer += windows->one[m];
    step_up += windows->kept[k - 1 - m] * more * fewer;
  }
  step_up *= fmax(1 - windows->mean_kept / k, 1 / (double)windows->width);
  return below * pow(fmax(1 - step_up / below, 0), (double)windows->n_steps);
}

double emg_chance_roa(int64_t n_a, int64_t n_b, int64_t n_samples, int64_t max_lag,
                      int64_t tolerance) {
  if (n_a == 0 || n_b == 0 || n_samples <= 0) {
    return 0;
  }
  double density = (double)n_a * (double)n_b / (double)n_samples;
  lag_windows windows = {.width = 2 * tolerance + 1,
                         .n_steps = 2 * max_lag,
                         .mean_kept = density * (double)(2 * tolerance)};
  double mean = density * (double)windows.width;
  int64_t fewest = n_a < n_b ? n_a : n_b;

  if (mean > 300) {  // so many by chance that the best lag hardly exceeds the mean
    double n_common = fmin(mean, (double)fewest);
    return n_common / ((double)(n_a + n_b) - n_common);
  }
  poisson(density, windows.one);
  poisson(windows.mean_kept, windows.kept);
  poisson(mean, windows.whole);

  // E roa = SUM_k (roa(k) - roa(k-1)) P(max >= k)
  double expected = 0, reached = 1;
  for (int k = 1; k <= CHANCE_MOST && k <= fewest && reached > 1e-12; k++) {
    reached = fmin(fmax(1 - below_at_all_lags(k, &windows), 0), 1);
    double n_spikes = (double)(n_a + n_b);
    expected += (k / (n_spikes - k) - (k - 1) / (n_spikes - k + 1)) * reached;
  }
  return expected;
}
