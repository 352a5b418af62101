// muaps.c -- action potentials of the units found so far, by least squares in the channels
#include "guided_priv.h"

#include <stdlib.h>
#include <string.h>

#include <omp.h>

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

// x += sign * wave at every spike, as far as it lies inside, over channels first .. first + n - 1.
EMG_KERNEL static void put_at_spikes(emg_signal *x, int first_channel, int n_channels,
                                     const int64_t *spikes, int64_t n_spikes, int64_t half,
                                     const float *wave, float sign) {
  for (int64_t i = 0; i < n_spikes; i++) {
    int64_t begin = spikes[i] - half;
    int64_t first = begin < 0 ? -begin : 0;
    int64_t last = begin + 2 * half > x->n_samples ? x->n_samples - begin : 2 * half;
    for (int64_t row = first; row < last; row++) {
      float *to = x->rows + (begin + row) * x->n_channels + first_channel;
      const float *from = wave + row * x->n_channels + first_channel;
      for (int c = 0; c < n_channels; c++) {
        to[c] += sign * from[c];
      }
    }
  }
}

void emg_unit_put_at(emg_signal *residual, const emg_units *units, int i, const int64_t *spikes,
                     int64_t n_spikes, float sign) {
  enum { PART = 64 };  // channels of one thread
  int n = residual->n_channels;

#pragma omp parallel for schedule(dynamic) if (n > PART)
  for (int first = 0; first < n; first += PART) {
    put_at_spikes(residual, first, n - first < PART ? n - first : PART, spikes, n_spikes,
                  units->half_window, units->items[i].muap, sign);
  }
}

void emg_unit_put(emg_signal *residual, const emg_units *units, int i, float sign) {
  emg_unit_put_at(residual, units, i, units->items[i].spikes, units->items[i].n_spikes, sign);
}

// --- least squares ---
//
// Block Gauss-Seidel: each action potential in turn takes the mean of what is left at its spikes.
// Channels are independent of each other here: a thread owns GROUP of them, copied side by side, so
// that a window is one run of memory and no sum depends on the threads.

enum { GROUP = 16 };

// Room of one thread.
typedef struct {
  float *rows;   // [n_samples][GROUP]
  float *waves;  // [2][2 half][GROUP]: what is subtracted, and the sum for the next unit
} fit;

static void fits_free(int n, fit *fits) {
  for (int i = 0; fits && i < n; i++) {
    free(fits[i].rows);
    free(fits[i].waves);
  }
  free(fits);
}

static emg_status fits_create(int n, int64_t n_samples, int64_t half, fit **out, emg_error *err) {
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n, sizeof **out, out, err));
  for (int i = 0; i < n; i++) {
    EMG_TRY_DONE(emg_alloc_aligned((size_t)n_samples * GROUP, sizeof(float), &(*out)[i].rows, err));
    EMG_TRY_DONE(
        emg_alloc_aligned((size_t)(4 * half) * GROUP, sizeof(float), &(*out)[i].waves, err));
  }
  return EMG_OK;

done:
  fits_free(n, *out);
  *out = NULL;
  return status;
}

// Copy `n` channels from or to rows of GROUP; the rest of these rows is not used.
static void copy_group(emg_signal *x, int first, int n, bool is_back, float *rows) {
  for (int64_t i = 0; i < x->n_samples; i++) {
    float *channels = emg_signal_row(x, i) + first;
    memcpy(is_back ? channels : rows + i * GROUP, is_back ? rows + i * GROUP : channels,
           (size_t)n * sizeof(float));
  }
}

// Subtract the wave at one spike, as far as it lies inside.
static inline void subtract(float *rows, int64_t n_samples, int64_t half, int64_t spike,
                            const float *wave) {
  int64_t begin = spike - half;
  int64_t first = begin < 0 ? -begin : 0;
  int64_t last = begin + 2 * half > n_samples ? n_samples - begin : 2 * half;
  float *to = rows + begin * GROUP;

  for (int64_t i = first * GROUP; i < last * GROUP; i++) {
    to[i] -= wave[i];
  }
}

// Subtract a wave at the spikes of one unit and sum the windows of the next that lie inside, in one
// pass: a window is summed once all spikes that reach it are subtracted, while it is in cache.
EMG_KERNEL static int64_t subtract_and_sum(float *rows, int64_t n_samples, int64_t half,
                                           const emg_unit *before, const float *wave,
                                           const emg_unit *next, float *sum) {
  int64_t n_summed = 0, k = 0;

  memset(sum, 0, (size_t)(2 * half) * GROUP * sizeof *sum);
  for (int64_t i = 0; i < next->n_spikes; i++) {
    int64_t begin = next->spikes[i] - half;
    if (begin < 0 || begin + 2 * half > n_samples) {
      continue;
    }
    for (; k < before->n_spikes && before->spikes[k] < begin + 3 * half; k++) {
      subtract(rows, n_samples, half, before->spikes[k], wave);
    }
    const float *from = rows + begin * GROUP;
    for (int64_t at = 0; at < 2 * half * GROUP; at++) {
      sum[at] += from[at];
    }
    n_summed++;
  }
  for (; k < before->n_spikes; k++) {
    subtract(rows, n_samples, half, before->spikes[k], wave);
  }
  return n_summed;
}

static void fit_group(emg_signal *residual, emg_units *units, int first, int n_sweeps, fit *f) {
  const emg_unit nobody = {.n_spikes = 0};
  int64_t half = units->half_window, n_samples = residual->n_samples;
  int n_channels = residual->n_channels;
  int n = n_channels - first < GROUP ? n_channels - first : GROUP;
  float *wave = f->waves, *sum = f->waves + 2 * half * GROUP;
  const emg_unit *before = &nobody;

  copy_group(residual, first, n, false, f->rows);
  for (int i = 0; i < n_sweeps * units->n; i++) {
    emg_unit *unit = &units->items[i % units->n];
    int64_t n_summed = subtract_and_sum(f->rows, n_samples, half, before, wave, unit, sum);
    float scale = n_summed > 0 ? 1 / (float)n_summed : 0;
    for (int64_t row = 0; row < 2 * half; row++) {
      for (int c = 0; c < GROUP; c++) {
        wave[row * GROUP + c] = sum[row * GROUP + c] * scale;
      }
      for (int c = 0; c < n; c++) {
        unit->muap[row * n_channels + first + c] += wave[row * GROUP + c];
      }
    }
    before = unit;
  }
  subtract_and_sum(f->rows, n_samples, half, before, wave, &nobody, sum);
  copy_group(residual, first, n, true, f->rows);
}

emg_status emg_units_fit(emg_signal *residual, emg_units *units, int n_sweeps, emg_error *err) {
  int n_threads = omp_get_max_threads();
  fit *fits;

  EMG_TRY(fits_create(n_threads, residual->n_samples, units->half_window, &fits, err));
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
  for (int first = 0; first < residual->n_channels; first += GROUP) {
    fit_group(residual, units, first, n_sweeps, &fits[omp_get_thread_num()]);
  }
  fits_free(n_threads, fits);
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
