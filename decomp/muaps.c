// muaps.c -- action potentials of the units found so far, by least squares in the channels
#include "guided_priv.h"

#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <emgtwin/array.h>

void emg_units_free(emg_units *units) {
  while (units->n > 0) {
    emg_units_remove(units, units->n - 1);
  }
  free(units->items);
  *units = (emg_units){0};
}

emg_status emg_units_add(emg_units *units, int n_channels, const int64_t *spikes, int64_t n_spikes,
                         emg_error *err) {
  if (units->n == units->capacity) {
    int capacity = units->capacity ? 2 * units->capacity : 32;
    emg_unit *items = realloc(units->items, (size_t)capacity * sizeof *items);
    if (!items) {
      return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d units", capacity);
    }
    units->items = items;
    units->capacity = capacity;
  }
  emg_unit unit = {.n_spikes = n_spikes};
  size_t n_values = (size_t)(2 * units->half_window) * (size_t)n_channels;

  EMG_TRY(emg_alloc((size_t)n_spikes, sizeof *unit.spikes, &unit.spikes, err));
  emg_status status = emg_alloc_aligned(n_values, sizeof *unit.muap, &unit.muap, err);
  if (status != EMG_OK) {
    free(unit.spikes);
    return status;
  }
  if (n_spikes > 0) {
    memcpy(unit.spikes, spikes, (size_t)n_spikes * sizeof *spikes);
  }
  units->items[units->n++] = unit;
  return EMG_OK;
}

void emg_units_remove(emg_units *units, int i) {
  free(units->items[i].spikes);
  free(units->items[i].muap);
  free(units->items[i].source);
  units->n--;
  memmove(&units->items[i], &units->items[i + 1], (size_t)(units->n - i) * sizeof(emg_unit));
}

// --- sums at spikes ---
//
// Channels are independent of each other here: each thread owns a group of them from first to last
// spike, so no sum depends on the threads.

enum { GROUP = 16 };

typedef struct {
  int first, n;  // channels of the group
} group;

static int n_groups_of(int n_channels) {
  return (n_channels + GROUP - 1) / GROUP;
}

static group group_of(int g, int n_channels) {
  int left = n_channels - g * GROUP;
  return (group){g * GROUP, left < GROUP ? left : GROUP};
}

// out[2 half][stride] += scale * mean of x over the spikes whose window lies inside the recording.
EMG_KERNEL static void average_at_spikes(const emg_signal *x, group g, const int64_t *spikes,
                                         int64_t n_spikes, int64_t half, float *out) {
  int64_t n_inside = 0;

  memset(out, 0, (size_t)(2 * half) * GROUP * sizeof *out);
  for (int64_t i = 0; i < n_spikes; i++) {
    if (spikes[i] < half || spikes[i] + half > x->n_samples) {
      continue;
    }
    n_inside++;
    const float *from = x->rows + (spikes[i] - half) * x->n_channels + g.first;
    for (int64_t row = 0; row < 2 * half; row++) {
      for (int c = 0; c < g.n; c++) {
        out[row * GROUP + c] += from[row * x->n_channels + c];
      }
    }
  }
  float scale = n_inside > 0 ? 1 / (float)n_inside : 0;
  for (int64_t i = 0; i < 2 * half * GROUP; i++) {
    out[i] *= scale;
  }
}

// x += sign * wave at every spike, as far as it lies inside; wave[2 half][stride].
EMG_KERNEL static void put_at_spikes(emg_signal *x, group g, const int64_t *spikes,
                                     int64_t n_spikes, int64_t half, const float *wave,
                                     int64_t stride, float sign) {
  for (int64_t i = 0; i < n_spikes; i++) {
    int64_t begin = spikes[i] - half;
    int64_t first = begin < 0 ? -begin : 0;
    int64_t last = begin + 2 * half > x->n_samples ? x->n_samples - begin : 2 * half;
    float *to = x->rows + begin * x->n_channels + g.first;
    for (int64_t row = first; row < last; row++) {
      for (int c = 0; c < g.n; c++) {
        to[row * x->n_channels + c] += sign * wave[row * stride + c];
      }
    }
  }
}

void emg_unit_put_at(emg_signal *residual, const emg_units *units, int i, const int64_t *spikes,
                     int64_t n_spikes, float sign) {
  const emg_unit *unit = &units->items[i];

#pragma omp parallel for schedule(dynamic)
  for (int n = 0; n < n_groups_of(residual->n_channels); n++) {
    group g = group_of(n, residual->n_channels);
    put_at_spikes(residual, g, spikes, n_spikes, units->half_window, unit->muap + g.first,
                  residual->n_channels, sign);
  }
}

void emg_unit_put(emg_signal *residual, const emg_units *units, int i, float sign) {
  emg_unit_put_at(residual, units, i, units->items[i].spikes, units->items[i].n_spikes, sign);
}

static void fit_group(emg_signal *residual, emg_units *units, group g, int n_sweeps, float *step) {
  int64_t half = units->half_window;
  int n_channels = residual->n_channels;

  for (int i = 0; i < n_sweeps * units->n; i++) {
    emg_unit *unit = &units->items[i % units->n];
    average_at_spikes(residual, g, unit->spikes, unit->n_spikes, half, step);
    put_at_spikes(residual, g, unit->spikes, unit->n_spikes, half, step, GROUP, -1);
    for (int64_t row = 0; row < 2 * half; row++) {
      for (int c = 0; c < g.n; c++) {
        unit->muap[row * n_channels + g.first + c] += step[row * GROUP + c];
      }
    }
  }
}

emg_status emg_units_fit(emg_signal *residual, emg_units *units, int n_sweeps, emg_error *err) {
  int n_groups = n_groups_of(residual->n_channels);
  size_t step_size = (size_t)(2 * units->half_window) * GROUP;
  float *steps;

  EMG_TRY(emg_alloc_aligned((size_t)n_groups * step_size, sizeof *steps, &steps, err));
#pragma omp parallel for schedule(dynamic)
  for (int g = 0; g < n_groups; g++) {
    fit_group(residual, units, group_of(g, residual->n_channels), n_sweeps,
              steps + (size_t)g * step_size);
  }
  free(steps);
  return units->guided && units->n > 0 ? emg_guided_shape(units->guided, residual, units, err)
                                       : EMG_OK;
}

// --- centre of energy ---

emg_status emg_centre_of_energy(const emg_signal *x, const int64_t *spikes, int64_t n_spikes,
                                int64_t half_window, int64_t *shift, emg_error *err) {
  int64_t reach = 2 * half_window, box = half_window;
  int n_channels = x->n_channels;
  double *energy;
  float *mean;
  emg_status status;

  // energy of the average at -reach .. reach - 1 samples about the spike
  EMG_TRY(emg_alloc((size_t)(2 * reach), sizeof *energy, &energy, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_channels, sizeof *mean, &mean, err));
  for (int64_t offset = -reach; offset < reach; offset++) {
    memset(mean, 0, (size_t)n_channels * sizeof *mean);
    for (int64_t i = 0; i < n_spikes; i++) {
      int64_t at = spikes[i] + offset;
      for (int c = 0; c < n_channels && at >= 0 && at < x->n_samples; c++) {
        mean[c] += emg_signal_row(x, at)[c];
      }
    }
    for (int c = 0; c < n_channels; c++) {
      energy[offset + reach] += (double)mean[c] * mean[c];
    }
  }
  free(mean);

  // middle of the box that holds most of it
  double sum = 0, most = -1;
  for (int64_t i = 0; i < 2 * reach; i++) {
    sum += energy[i] - (i >= box ? energy[i - box] : 0);
    if (sum > most) {
      most = sum;
      *shift = i - box / 2 - reach;
    }
  }

done:
  free(energy);
  return status;
}
