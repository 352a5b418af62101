// follow_filters.c -- separation filters of a decomposition whose recording is longer than memory
#include "follow_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/filters.h>

// Spikes of a train from begin to end - 1; `first` is the first of them.
static int64_t count_within(const emg_spikes *spikes, int unit, int64_t begin, int64_t end,
                            int64_t *first) {
  const int64_t *train = emg_spikes_of(spikes, unit);
  int64_t n = emg_spikes_count(spikes, unit), i = 0;

  while (i < n && train[i] < begin) {
    i++;
  }
  *first = i;
  while (i < n && train[i] < end) {
    i++;
  }
  return i - *first;
}

int64_t emg_following_busiest(const emg_following *f, const emg_spikes *spikes, int spikes_least) {
  int64_t busiest = 0, first;
  int most = -1;

  for (int64_t k = 0; k < f->n_blocks; k++) {
    int n_units = 0;
    for (int u = 0; u < spikes->n_units; u++) {
      n_units += count_within(spikes, u, emg_block_begin(f, k), emg_block_begin(f, k + 1),
                              &first) >= spikes_least;
    }
    if (n_units > most) {
      most = n_units;
      busiest = k;
    }
  }
  return busiest;
}

emg_status emg_spikes_within(const emg_spikes *spikes, int64_t begin, int64_t end, emg_spikes *out,
                             emg_error *err) {
  int64_t *counts = NULL, *first = NULL;
  size_t n = (size_t)spikes->n_units;
  emg_status status;

  EMG_TRY_DONE(emg_alloc(n + 1, sizeof *counts, &counts, err));
  EMG_TRY_DONE(emg_alloc(n + 1, sizeof *first, &first, err));
  for (int u = 0; u < spikes->n_units; u++) {
    counts[u] = count_within(spikes, u, begin, end, &first[u]);
  }
  EMG_TRY_DONE(emg_spikes_create(spikes->n_units, counts, spikes->rate_hz, end - begin, out, err));
  for (int u = 0; u < spikes->n_units; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      out->samples[out->offsets[u] + i] = emg_spikes_of(spikes, u)[first[u] + i] - begin;
    }
  }

done:
  free(counts);
  free(first);
  return status;
}
