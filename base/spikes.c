// spikes.c -- ragged arrays of discharge times
#include <emgtwin/spikes.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

emg_status emg_spikes_create(int n_units, const int64_t *counts, double rate_hz, int64_t n_samples,
                             emg_spikes *out, emg_error *err) {
  *out = (emg_spikes){.n_units = n_units, .rate_hz = rate_hz, .n_samples = n_samples};
  EMG_TRY(emg_alloc((size_t)n_units + 1, sizeof(int64_t), &out->offsets, err));
  for (int u = 0; u < n_units; u++) {
    out->offsets[u + 1] = out->offsets[u] + counts[u];
  }
  emg_status status =
      emg_alloc((size_t)out->offsets[n_units] + 1, sizeof(int64_t), &out->samples, err);
  if (status != EMG_OK) {
    emg_spikes_free(out);
  }
  return status;
}

emg_status emg_spikes_copy(const emg_spikes *from, emg_spikes *out, emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)from->n_units, sizeof(int64_t), &counts, err));
  for (int u = 0; u < from->n_units; u++) {
    counts[u] = emg_spikes_count(from, u);
  }
  emg_status status =
      emg_spikes_create(from->n_units, counts, from->rate_hz, from->n_samples, out, err);
  free(counts);
  if (status == EMG_OK && out->offsets[out->n_units] > 0) {
    memcpy(out->samples, from->samples, (size_t)out->offsets[out->n_units] * sizeof(int64_t));
  }
  return status;
}

emg_status emg_spikes_between(const emg_spikes *from, double from_s, double to_s, emg_spikes *out,
                              emg_error *err) {
  const double end_s = to_s > 0 ? to_s : INFINITY;
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)from->n_units, 2 * sizeof(int64_t), &counts, err));
  int64_t *firsts = counts + from->n_units;
  for (int u = 0; u < from->n_units; u++) {
    const int64_t *train = emg_spikes_of(from, u), n = emg_spikes_count(from, u);
    while (firsts[u] < n && (double)train[firsts[u]] < from_s * from->rate_hz) {
      firsts[u]++;
    }
    while (firsts[u] + counts[u] < n &&
           (double)train[firsts[u] + counts[u]] < end_s * from->rate_hz) {
      counts[u]++;
    }
  }
  emg_status status =
      emg_spikes_create(from->n_units, counts, from->rate_hz, from->n_samples, out, err);
  for (int u = 0; status == EMG_OK && u < from->n_units; u++) {
    if (counts[u] > 0) {
      memcpy(out->samples + out->offsets[u], emg_spikes_of(from, u) + firsts[u],
             (size_t)counts[u] * sizeof(int64_t));
    }
  }
  free(counts);
  return status;
}

emg_status emg_spikes_keep(emg_spikes *spikes, double from_s, double to_s, emg_error *err) {
  emg_spikes part;

  EMG_TRY(emg_spikes_between(spikes, from_s, to_s, &part, err));
  emg_spikes_free(spikes);
  *spikes = part;
  return EMG_OK;
}

void emg_spikes_free(emg_spikes *s) {
  free(s->offsets);
  free(s->samples);
  *s = (emg_spikes){0};
}

emg_status emg_spikes_check(const emg_spikes *s, emg_error *err) {
  // all offsets before any sample: a wrong one points outside the array
  for (int u = 0; u < s->n_units; u++) {
    if (s->offsets[0] != 0 || emg_spikes_count(s, u) < 0) {
      return emg_fail(err, EMG_ERR_DATA,
                      "spike offsets do not start at 0 or fall at unit %d; the file is damaged", u);
    }
  }
  for (int u = 0; u < s->n_units; u++) {
    const int64_t *train = emg_spikes_of(s, u);
    int64_t n = emg_spikes_count(s, u);

    for (int64_t i = 0; i < n; i++) {
      if (train[i] < 0 || (s->n_samples > 0 && train[i] >= s->n_samples)) {
        return emg_fail(err, EMG_ERR_DATA,
                        "unit %d discharges at sample %lld, outside the recording of %lld samples",
                        u, (long long)train[i], (long long)s->n_samples);
      }
      if (i > 0 && train[i] <= train[i - 1]) {
        return emg_fail(err, EMG_ERR_DATA,
                        "discharges of unit %d do not ascend: sample %lld after %lld", u,
                        (long long)train[i], (long long)train[i - 1]);
      }
    }
  }
  return EMG_OK;
}

emg_train_stats emg_spikes_stats(const emg_spikes *s, int unit) {
  const double pause_s = 0.25;
  const int64_t *train = emg_spikes_of(s, unit);
  int64_t n = emg_spikes_count(s, unit);
  double sum = 0, sum_squares = 0;
  int64_t n_intervals = 0;

  for (int64_t i = 1; i < n; i++) {
    double interval_s = (double)(train[i] - train[i - 1]) / s->rate_hz;
    if (interval_s <= pause_s) {
      sum += interval_s;
      sum_squares += interval_s * interval_s;
      n_intervals++;
    }
  }
  if (n_intervals < 2) {
    return (emg_train_stats){0, 0};
  }
  double mean = sum / (double)n_intervals;
  double variance = (sum_squares - sum * mean) / (double)(n_intervals - 1);
  return (emg_train_stats){1 / mean, sqrt(fmax(variance, 0)) / mean};
}
