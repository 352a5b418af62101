// following.c -- what is known of units from block to block, and what was found of them
#include "follow_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

static void free_unit(emg_followed *unit) {
  free(unit->muap);
  free(unit->spikes);
  free(unit->average);
}

void emg_following_free(emg_following *f) {
  for (int u = 0; u < f->n; u++) {
    free_unit(&f->units[u]);
  }
  free(f->units);
  emg_prepared_free(&f->like);
  *f = (emg_following){.n = 0};
}

emg_status emg_following_set_channels(emg_following *f, int n, const int *channel,
                                      const float *scale, const emg_channel_finding *finding,
                                      emg_error *err) {
  size_t n_recorded = (size_t)f->n_channels;

  EMG_TRY(emg_alloc((size_t)n, sizeof *channel, &f->like.channel, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *scale, &f->like.scale, err));
  EMG_TRY(emg_alloc(n_recorded, sizeof *finding, &f->like.finding, err));
  memcpy(f->like.channel, channel, (size_t)n * sizeof *channel);
  memcpy(f->like.scale, scale, (size_t)n * sizeof *scale);
  memcpy(f->like.finding, finding, n_recorded * sizeof *finding);
  f->like.n_recorded = f->n_channels;
  f->like.signal.n_channels = n;
  return EMG_OK;
}

static size_t muap_size(const emg_following *f) {
  return (size_t)(2 * f->half_window) * (size_t)f->like.signal.n_channels;
}

static emg_status grow(emg_following *f, emg_error *err) {
  if (f->n < f->capacity) {
    return EMG_OK;
  }
  int capacity = f->capacity ? 2 * f->capacity : 32;
  emg_followed *units = realloc(f->units, (size_t)capacity * sizeof *units);
  if (!units) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d units", capacity);
  }
  f->units = units;
  f->capacity = capacity;
  return EMG_OK;
}

emg_status emg_following_add(emg_following *f, const float *muap, double weight, double interval_s,
                             emg_error *err) {
  size_t n_sums = (size_t)f->n_channels * (size_t)f->n_average_taps;
  emg_followed unit = {.weight = weight, .interval_s = interval_s};

  EMG_TRY(grow(f, err));
  emg_status status = emg_alloc(n_sums, sizeof *unit.average, &unit.average, err);
  if (status == EMG_OK) {
    status = emg_alloc_aligned(muap_size(f), sizeof *unit.muap, &unit.muap, err);
  }
  if (status != EMG_OK) {
    free_unit(&unit);
    return status;
  }
  memcpy(unit.muap, muap, muap_size(f) * sizeof *muap);
  f->units[f->n++] = unit;
  return EMG_OK;
}

emg_status emg_following_units(const emg_following *f, emg_units *out, emg_error *err) {
  const int64_t none = 0;

  *out = (emg_units){.half_window = f->half_window};
  for (int u = 0; u < f->n; u++) {
    emg_status status = emg_units_add(out, f->like.signal.n_channels, &none, 1, err);
    if (status != EMG_OK) {
      emg_units_free(out);
      return status;
    }
    out->items[u].n_spikes = 0;
    memcpy(out->items[u].muap, f->units[u].muap, muap_size(f) * sizeof(float));
  }
  return EMG_OK;
}

// --- spikes of one block ---

// Which spikes of a part belong to it: those from begin to end - 1, in the recording's time. A
// discharge at a border may be put on either side of it by the two parts that see it: one shortly
// before `begin` that the part before did not count is taken here, one that it did count is not
// taken again.
static emg_status take_spikes(emg_followed *unit, const emg_unit *decoded, int64_t shift,
                              int64_t begin, int64_t end, int64_t refractory, int64_t n_samples,
                              emg_error *err) {
  int64_t needed = unit->n_spikes + decoded->n_spikes;

  if (needed > unit->capacity) {
    int64_t capacity = needed > 2 * unit->capacity ? needed : 2 * unit->capacity;
    int64_t *spikes = realloc(unit->spikes, (size_t)capacity * sizeof *spikes);
    if (!spikes) {
      return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %lld discharges",
                      (long long)capacity);
    }
    unit->spikes = spikes;
    unit->capacity = capacity;
  }
  end = end < n_samples ? end : n_samples;
  for (int64_t i = 0; i < decoded->n_spikes; i++) {
    int64_t at = decoded->spikes[i] + shift;
    bool is_here = at >= 0 && at >= begin - refractory / 2 && at < end;
    bool is_new = unit->n_spikes == 0 || at - unit->spikes[unit->n_spikes - 1] >= refractory;
    if (is_here && is_new) {
      unit->spikes[unit->n_spikes++] = at;
    }
  }
  return EMG_OK;
}

// Squares of all peaks from begin to end - 1 that are nobody's spikes.
static void add_other_peaks(emg_spike_picker *picker, const emg_unit *decoded, const float *y,
                            int64_t n_samples, int64_t begin, int64_t end, emg_source_sums *sums) {
  emg_find_peaks(picker, y, n_samples);
  for (int64_t i = 0; i < decoded->n_spikes; i++) {
    int64_t first = decoded->spikes[i] / picker->refractory - 1, last = first + 2;
    for (int64_t slot = first > 0 ? first : 0;
         slot <= last && slot * picker->refractory < n_samples; slot++) {
      int32_t rank = picker->rank_in_slot[slot];
      if (rank >= 0 && llabs(picker->place[rank] - decoded->spikes[i]) < picker->refractory) {
        picker->rank_in_slot[slot] = -1;
      }
    }
  }
  for (int64_t slot = 0; slot <= n_samples / picker->refractory; slot++) {
    int32_t rank = picker->rank_in_slot[slot];
    if (rank >= 0 && picker->place[rank] >= begin && picker->place[rank] < end) {
      sums->n_peaks++;
      sums->squared_peaks += (double)picker->height[rank] * picker->height[rank];
    }
  }
}

// Sums of a source over samples begin .. end - 1 of the part and over the spikes from `first` on,
// which are `shift` after its peaks.
static void add_sums(emg_followed *unit, int64_t first, int64_t shift, const float *y,
                     int64_t begin, int64_t end, const emg_expectation *noise) {
  emg_source_sums *sums = &unit->sums;

  for (int64_t t = begin; t < end; t++) {
    sums->energy += (double)y[t] * y[t];
  }
  sums->n_samples += (double)(end - begin);
  for (int64_t i = first; i < unit->n_spikes; i++) {
    int64_t at = unit->spikes[i] - shift;
    double value = y[at], height = value * fabs(value);
    sums->n_spikes++;
    sums->heights += height;
    sums->squared_heights += height * height;
    sums->energy_at_spikes += value * value;
    sums->noise += emg_noise_at(noise, at);
  }
}

// Weight and interval follow what was found, as the action potential does.
static void remember(emg_followed *unit, int64_t first, double rate_hz, double spikes_most) {
  int64_t n = unit->n_spikes - first;
  emg_interval_stats intervals = emg_intervals_of(unit->spikes + first, NULL, n, rate_hz);

  if (intervals.mean_s > 0) {
    unit->interval_s = (unit->weight * unit->interval_s + (double)n * intervals.mean_s) /
                       (unit->weight + (double)n);
  }
  unit->weight = fmin(unit->weight + (double)n, spikes_most);
}

// --- averages of the recording ---

// Sums of a channel, less its mean in this part, at the spikes from first[u] on.
static void average_channel(emg_following *f, int channel, const float *x, int64_t origin,
                            int64_t n_samples, const int64_t *first) {
  double mean = 0;

  for (int64_t t = 0; t < n_samples; t++) {
    mean += x[t] / (double)n_samples;
  }
  for (int u = 0; u < f->n; u++) {
    const emg_followed *unit = &f->units[u];
    double *sum = unit->average + (ptrdiff_t)channel * f->n_average_taps;
    for (int64_t i = first[u]; i < unit->n_spikes; i++) {
      int64_t begin = unit->spikes[i] - f->average_origin - origin;
      if (begin < 0 || begin + f->n_average_taps > n_samples) {
        continue;
      }
      for (int t = 0; t < f->n_average_taps; t++) {
        sum[t] += x[begin + t] - mean;
      }
    }
  }
}

static void add_averages(emg_following *f, const emg_array2f *raw, int64_t origin,
                         const int64_t *first) {
#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < raw->n_rows; c++) {
    average_channel(f, c, emg_row2f(raw, c), origin, raw->n_cols, first);
  }
  for (int u = 0; u < f->n; u++) {
    emg_followed *unit = &f->units[u];
    for (int64_t i = first[u]; i < unit->n_spikes; i++) {
      int64_t begin = unit->spikes[i] - f->average_origin - origin;
      unit->n_averaged += begin >= 0 && begin + f->n_average_taps <= raw->n_cols;
    }
  }
}

// --- taking over a block ---

static emg_status take_unit(emg_following *f, int u, const struct emg_config_decompose *config,
                            int64_t origin, int64_t begin, int64_t end, const emg_unit *found,
                            const emg_decoded *decoded, emg_spike_picker *picker, emg_error *err) {
  emg_followed *unit = &f->units[u];
  const float *y = decoded->sources + u * decoded->n_samples;
  int64_t first = unit->n_spikes;
  int64_t shift = origin + emg_muap_onset(found->muap, f->half_window, f->like.signal.n_channels);
  emg_expectation noise = {.rate_hz = f->rate_hz,
                           .n_steps = decoded->n_steps,
                           .noise_variance = decoded->noise + u * decoded->n_steps};

  EMG_TRY(take_spikes(unit, found, shift, begin, end, picker->refractory, f->n_samples, err));
  add_sums(unit, first, shift, y, begin - origin, end - origin, &noise);
  add_other_peaks(picker, found, y, decoded->n_samples, begin - origin, end - origin, &unit->sums);
  remember(unit, first, f->rate_hz, config->follow_spikes);
  memcpy(unit->muap, found->muap, muap_size(f) * sizeof *unit->muap);
  return EMG_OK;
}

emg_status emg_following_take(emg_following *f, const struct emg_config_decompose *config,
                              const emg_array2f *raw, int64_t origin, int64_t begin, int64_t end,
                              const emg_units *units, const emg_decoded *decoded, emg_error *err) {
  emg_spike_picker picker = {.n_most = 0};
  int64_t *first = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)f->n, sizeof *first, &first, err));
  EMG_TRY_DONE(emg_spike_picker_create(decoded->n_samples,
                                       emg_refractory_samples(config, f->rate_hz), &picker, err));
  for (int u = 0; u < f->n; u++) {
    first[u] = f->units[u].n_spikes;
    EMG_TRY_DONE(
        take_unit(f, u, config, origin, begin, end, &units->items[u], decoded, &picker, err));
  }
  add_averages(f, raw, origin, first);

done:
  free(first);
  emg_spike_picker_free(&picker);
  return status;
}
