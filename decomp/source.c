// source.c -- from a separated source to spikes, and how well they stand out
#include "source_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>

emg_status emg_spike_picker_create(int64_t n_most, int64_t refractory, emg_spike_picker *out,
                                   emg_error *err) {
  *out = (emg_spike_picker){.n_most = n_most, .refractory = refractory > 1 ? refractory : 1};
  size_t n_maxima = (size_t)(n_most / 2 + 1), n_slots = (size_t)emg_spike_picker_capacity(out);
  emg_status status;

  if (n_most > INT32_MAX) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%lld samples are more than 2^31 - 1; decompose the recording in parts",
                    (long long)n_most);
  }
  EMG_TRY_DONE(emg_alloc(n_maxima, sizeof *out->maxima, &out->maxima, err));
  EMG_TRY_DONE(emg_alloc(n_maxima, sizeof *out->sorted, &out->sorted, err));
  EMG_TRY_DONE(emg_alloc(n_slots, sizeof *out->rank_in_slot, &out->rank_in_slot, err));
  EMG_TRY_DONE(emg_alloc(n_slots, sizeof *out->place, &out->place, err));
  EMG_TRY_DONE(emg_alloc(n_slots, sizeof *out->height, &out->height, err));
  EMG_TRY_DONE(emg_alloc(n_slots, sizeof *out->squares, &out->squares, err));

done:
  if (status != EMG_OK) {
    emg_spike_picker_free(out);
  }
  return status;
}

void emg_spike_picker_free(emg_spike_picker *picker) {
  free(picker->maxima);
  free(picker->sorted);
  free(picker->rank_in_slot);
  free(picker->place);
  free(picker->height);
  free(picker->squares);
  *picker = (emg_spike_picker){0};
}

int64_t emg_spike_picker_capacity(const emg_spike_picker *picker) {
  return picker->n_most / picker->refractory + 1;
}

// --- peaks ---

// Local maxima above 0, each packed as ~height : place, so that ascending numbers are descending
// heights (positive floats order like their bits) and equal heights keep their order in time.
static int64_t local_maxima(const float *y, int64_t n, uint64_t *maxima) {
  int64_t n_maxima = 0;

  // without a branch, which noise would mislead at every other sample
  for (int64_t i = 1; i < n - 1; i++) {
    uint32_t bits;
    memcpy(&bits, &y[i], sizeof bits);
    maxima[n_maxima] = (uint64_t)~bits << 32 | (uint64_t)i;
    n_maxima += (y[i] > 0) & (y[i] > y[i - 1]) & (y[i] >= y[i + 1]);
  }
  return n_maxima;
}

// Radix sort by the upper 32 bits, stable; `sorted` is scratch.
static void sort_by_height(uint64_t *maxima, uint64_t *sorted, int64_t n) {
  enum { BITS = 11, N_BINS = 1 << BITS };
  for (int shift = 32; shift < 64; shift += BITS) {
    uint32_t start[N_BINS + 1];
    memset(start, 0, sizeof start);
    for (int64_t i = 0; i < n; i++) {
      start[(maxima[i] >> shift & (N_BINS - 1)) + 1]++;
    }
    for (int b = 0; b < N_BINS; b++) {
      start[b + 1] += start[b];
    }
    for (int64_t i = 0; i < n; i++) {
      sorted[start[maxima[i] >> shift & (N_BINS - 1)]++] = maxima[i];
    }
    memcpy(maxima, sorted, (size_t)n * sizeof *maxima);
  }
}

// A slot of `refractory` samples holds at most one peak, so only three slots can be in the way.
static int is_free(const emg_spike_picker *picker, int64_t slot, int64_t n_slots, int64_t at) {
  for (int64_t s = slot - 1; s <= slot + 1; s++) {
    if (s >= 0 && s < n_slots && picker->rank_in_slot[s] >= 0 &&
        llabs(picker->place[picker->rank_in_slot[s]] - at) < picker->refractory) {
      return 0;
    }
  }
  return 1;
}

int64_t emg_find_peaks(emg_spike_picker *picker, const float *y, int64_t n_samples) {
  int64_t n_maxima = local_maxima(y, n_samples, picker->maxima);
  int64_t n_slots = n_samples / picker->refractory + 1;

  sort_by_height(picker->maxima, picker->sorted, n_maxima);
  memset(picker->rank_in_slot, 0xff, (size_t)n_slots * sizeof *picker->rank_in_slot);
  picker->n_peaks = 0;
  for (int64_t i = 0; i < n_maxima; i++) {
    int64_t at = (int64_t)(picker->maxima[i] & UINT32_MAX), slot = at / picker->refractory;
    if (is_free(picker, slot, n_slots, at)) {
      picker->rank_in_slot[slot] = (int32_t)picker->n_peaks;
      picker->place[picker->n_peaks] = at;
      picker->height[picker->n_peaks++] = y[at];
    }
  }
  return picker->n_peaks;
}

// --- two classes ---

// Squared height of a peak, which is what the classes are told apart by.
static double squared(const emg_spike_picker *picker, int64_t rank) {
  return (double)picker->height[rank] * picker->height[rank];
}

int64_t emg_two_classes(const double *descending, int64_t n) {
  int64_t best = 1;
  double total = 0, high = 0, most = -INFINITY;

  for (int64_t i = 0; i < n; i++) {
    total += descending[i];
  }
  for (int64_t k = 1; k < n; k++) {
    high += descending[k - 1];
    double between = high * high / (double)k + (total - high) * (total - high) / (double)(n - k);
    if (between > most) {
      most = between;
      best = k;
    }
  }
  return best;
}

// Number of peaks in the high class.
static int64_t split_in_two(const emg_spike_picker *picker) {
  for (int64_t i = 0; i < picker->n_peaks; i++) {
    picker->squares[i] = squared(picker, i);
  }
  return emg_two_classes(picker->squares, picker->n_peaks);
}

typedef struct {
  double mean, sd;
} moments;

static moments moments_of(const emg_spike_picker *picker, int64_t begin, int64_t end) {
  double sum = 0, squares = 0;

  for (int64_t i = begin; i < end; i++) {
    sum += squared(picker, i);
  }
  double mean = end > begin ? sum / (double)(end - begin) : 0;
  for (int64_t i = begin; i < end; i++) {
    squares += (squared(picker, i) - mean) * (squared(picker, i) - mean);
  }
  return (moments){mean, end > begin ? sqrt(squares / (double)(end - begin)) : 0};
}

// (between - within) / max of squared distances of the high class to either mean.
static double silhouette(double within_sd, double high_mean, double low_mean) {
  double within = within_sd * within_sd;
  double between = within + (high_mean - low_mean) * (high_mean - low_mean);

  return high_mean > low_mean ? (between - within) / between : 0;
}

int64_t emg_pick_spikes(emg_spike_picker *picker, const float *y, int64_t n_samples,
                        int64_t *spikes, double *sil) {
  int64_t n_peaks = emg_find_peaks(picker, y, n_samples);
  int64_t n_spikes = 0;

  *sil = 0;
  if (n_peaks < 5) {
    return 0;
  }
  int64_t n_high = split_in_two(picker), first = 0;
  moments high = moments_of(picker, 0, n_high);
  while (first < n_high - 1 && squared(picker, first) > high.mean + 3 * high.sd) {
    first++;
  }
  high = moments_of(picker, first, n_high);
  if (n_peaks - n_high >= 2 && n_high - first >= 2) {
    *sil = silhouette(high.sd, high.mean, moments_of(picker, n_high, n_peaks).mean);
  }
  for (int64_t slot = 0; slot <= n_samples / picker->refractory; slot++) {
    int32_t rank = picker->rank_in_slot[slot];
    if (rank >= first && rank < n_high) {
      spikes[n_spikes++] = picker->place[rank];
    }
  }
  return n_spikes;
}

// --- figures of a train ---

emg_interval_stats emg_intervals_of(const int64_t *spikes, const int64_t *places, int64_t n_spikes,
                                    double rate_hz) {
  const double pause_s = 0.4;
  double sum = 0, squares = 0, span_s = 0;
  int64_t n = 0;

  for (int64_t i = 1; i < n_spikes; i++) {
    double interval_s = (double)(spikes[i] - spikes[i - 1]) / rate_hz;
    if (places && places[i] - places[i - 1] != spikes[i] - spikes[i - 1]) {
      continue;
    }
    span_s += interval_s;
    if (interval_s < pause_s) {
      sum += interval_s;
      squares += interval_s * interval_s;
      n++;
    }
  }
  if (n < 2) {
    return (emg_interval_stats){0};
  }
  double mean = sum / (double)n, variance = fmax(squares / (double)n - mean * mean, 0);
  return (emg_interval_stats){mean, sqrt(variance) / mean, sum / span_s};
}

// Squares at the spikes and elsewhere, in dB.
static double pulse_to_noise_db(const float *source, int64_t n_samples, const int64_t *spikes,
                                int64_t n_spikes) {
  const double most_db = 200;  // a source that is 0 between its spikes
  double at_spikes = 0, total = 0;

  for (int64_t i = 0; i < n_samples; i++) {
    total += (double)source[i] * source[i];
  }
  for (int64_t i = 0; i < n_spikes; i++) {
    at_spikes += (double)source[spikes[i]] * source[spikes[i]];
  }
  double elsewhere = (total - at_spikes) / (double)(n_samples - n_spikes);
  double pulse = at_spikes / (double)n_spikes;
  if (!(pulse > 0) || !isfinite(pulse)) {
    return 0;
  }
  return elsewhere > 0 ? fmin(10 * log10(pulse / elsewhere), most_db) : most_db;
}

// Peaks that are neither spikes nor within the refractory time of one; moves them to the front.
static int64_t drop_peaks_near(emg_spike_picker *picker, const int64_t *spikes, int64_t n_spikes) {
  int64_t n_left = 0;

  for (int64_t i = 0; i < picker->n_peaks; i++) {
    int64_t at = picker->place[i], low = 0, high = n_spikes;
    while (low < high) {  // first spike later than `at - refractory`
      int64_t middle = (low + high) / 2;
      if (spikes[middle] <= at - picker->refractory) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == n_spikes || spikes[low] >= at + picker->refractory) {
      picker->height[n_left++] = picker->height[i];
    }
  }
  return n_left;
}

emg_source_quality emg_source_quality_of(const float *source, int64_t n_samples,
                                         const int64_t *spikes, int64_t n_spikes,
                                         int64_t refractory_samples) {
  emg_source_quality quality = {0, 0};
  emg_spike_picker picker;

  if (n_spikes < 2 || n_samples <= n_spikes ||
      emg_spike_picker_create(n_samples, refractory_samples, &picker, NULL) != EMG_OK) {
    return quality;
  }
  emg_find_peaks(&picker, source, n_samples);
  int64_t n_low = drop_peaks_near(&picker, spikes, n_spikes);
  if (n_low >= 2) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n_spikes; i++) {
      double height = (double)source[spikes[i]] * fabs((double)source[spikes[i]]);
      sum += height;
      squares += height * height;
    }
    double mean = sum / (double)n_spikes;
    double sd = sqrt(fmax(squares / (double)n_spikes - mean * mean, 0));
    quality.sil = silhouette(sd, mean, moments_of(&picker, 0, n_low).mean);
  }
  quality.pnr_db = pulse_to_noise_db(source, n_samples, spikes, n_spikes);
  emg_spike_picker_free(&picker);
  return quality;
}
