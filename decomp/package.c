// package.c -- units as found to a decomposition as reported
#include "ckc_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// Samples from a unit's spikes, at the centre of energy, to where its action potential begins: the
// first sample with a tenth of the largest energy over the channels. It is as near to the discharge
// as the surface shows: later by conduction to the first electrode.
int64_t emg_muap_onset(const float *muap, int64_t half_window, int n_channels) {
  const double share = 0.1;
  double most = 0;

  for (int pass = 0; pass < 2; pass++) {
    for (int64_t row = 0; row < 2 * half_window; row++) {
      double energy = 0;
      for (int c = 0; c < n_channels; c++) {
        double value = muap[row * n_channels + c];
        energy += value * value;
      }
      if (pass == 0) {
        most = fmax(most, energy);
      } else if (most > 0 && energy >= share * most) {
        return row - half_window;
      }
    }
  }
  return 0;
}

// Where a unit comes in the result, and by how much its spikes move.
typedef struct {
  const emg_unit *unit;
  int64_t shift, first, last;  // spikes first .. last - 1 stay inside the recording
} placed_unit;

static int64_t first_spike(const placed_unit *p) {
  return p->last > p->first ? p->unit->spikes[p->first] + p->shift : INT64_MAX;
}

// In order of the first spike, then of more spikes: nothing about the search enters.
static int compare_units(const void *a, const void *b) {
  const placed_unit *p = a, *q = b;
  int64_t x = first_spike(p), y = first_spike(q);

  if (x != y) {
    return x < y ? -1 : 1;
  }
  return (q->unit->n_spikes > p->unit->n_spikes) - (q->unit->n_spikes < p->unit->n_spikes);
}

static placed_unit place_unit(const emg_unit *unit, int64_t shift, int64_t n_samples) {
  placed_unit p = {.unit = unit, .shift = shift, .last = unit->n_spikes};

  while (p.first < p.last && unit->spikes[p.first] + shift < 0) {
    p.first++;
  }
  while (p.last > p.first && unit->spikes[p.last - 1] + shift >= n_samples) {
    p.last--;
  }
  return p;
}

static void place_units(const emg_units *units, int n_channels, int64_t n_samples,
                        placed_unit *placed) {
  for (int u = 0; u < units->n; u++) {
    const emg_unit *unit = &units->items[u];
    placed[u] =
        place_unit(unit, emg_muap_onset(unit->muap, units->half_window, n_channels), n_samples);
  }
  if (units->n > 0) {
    qsort(placed, (size_t)units->n, sizeof *placed, compare_units);
  }
}

emg_status emg_units_sort(emg_units *units, int n_channels, int64_t n_samples, emg_error *err) {
  placed_unit *placed = NULL;
  emg_unit *sorted = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)units->n, sizeof *placed, &placed, err));
  EMG_TRY_DONE(emg_alloc((size_t)units->capacity, sizeof *sorted, &sorted, err));
  place_units(units, n_channels, n_samples, placed);
  for (int u = 0; u < units->n; u++) {
    sorted[u] = *placed[u].unit;
  }
  free(units->items);
  units->items = sorted;

done:
  free(placed);
  return status;
}

static emg_status copy_trains(const placed_unit *placed, int n, double rate_hz, int64_t n_samples,
                              emg_spikes *out, emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)n, sizeof *counts, &counts, err));
  for (int u = 0; u < n; u++) {
    counts[u] = placed[u].last - placed[u].first;
  }
  emg_status status = emg_spikes_create(n, counts, rate_hz, n_samples, out, err);
  for (int u = 0; u < n && status == EMG_OK; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      out->samples[out->offsets[u] + i] =
          placed[u].unit->spikes[placed[u].first + i] + placed[u].shift;
    }
  }
  free(counts);
  return status;
}

double emg_isi_cov_limit(double sil, double sil_min, double weak, double strong) {
  const double well_separated = 0.95;
  double share = (sil - sil_min) / fmax(well_separated - sil_min, 1e-6);

  return fmin(weak, strong) + (strong - fmin(weak, strong)) * fmin(fmax(share, 0), 1);
}

int32_t emg_unit_flags(double sil, const emg_interval_stats *intervals, double detectability) {
  const double irregular = 0.3, well_separated = 0.93, easily_detected = 9, mostly = 0.8;
  int32_t flags = 0;

  if (intervals->cov > irregular && sil < well_separated) {
    flags |= EMG_UNIT_MAY_BE_TWO;
  }
  if (detectability < easily_detected) {
    flags |= EMG_UNIT_HARD_TO_DETECT;
  }
  if (intervals->coverage < mostly) {
    flags |= EMG_UNIT_INTERMITTENT;
  }
  return flags;
}

static emg_status copy_figures(const placed_unit *placed, int n, emg_decomposition *out,
                               emg_error *err) {
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->sil, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->pnr_db, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->isi_cov, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->rate_hz, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->detectability, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(int32_t), &out->flags, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(int32_t), &out->round, err));
  for (int u = 0; u < n; u++) {
    const emg_unit *unit = placed[u].unit;
    out->sil[u] = unit->sil;
    out->pnr_db[u] = unit->pnr_db;
    out->isi_cov[u] = unit->intervals.cov;
    out->rate_hz[u] = unit->intervals.mean_s > 0 ? 1 / unit->intervals.mean_s : 0;
    out->detectability[u] = unit->noise_variance > 0 ? 1 / sqrt(unit->noise_variance) : 0;
    out->flags[u] = emg_unit_flags(unit->sil, &unit->intervals, out->detectability[u]);
    out->round[u] = unit->round;
  }
  return EMG_OK;
}

// Sources move with their spikes.
static emg_status copy_sources(const placed_unit *placed, int n, int64_t n_samples,
                               emg_decomposition *out, emg_error *err) {
  if (n == 0 || !placed[0].unit->source) {
    return EMG_OK;
  }
  EMG_TRY(emg_array2f_create(n, n_samples, &out->source, err));
  for (int u = 0; u < n; u++) {
    int64_t shift = placed[u].shift, from = shift < 0 ? -shift : 0, to = shift > 0 ? shift : 0;
    int64_t n_kept = n_samples - llabs(shift);
    if (n_kept > 0) {
      memcpy(emg_row2f(&out->source, u) + to, placed[u].unit->source + from,
             (size_t)n_kept * sizeof(float));
    }
  }
  return EMG_OK;
}

// Mean of a channel after removal of its own mean, 10 ms before to 40 ms after the spikes whose
// window lies inside the recording; 0 for a channel that holds values that are not finite.
static void average_channel(const float *x, int64_t n, const emg_spikes *spikes, int channel,
                            emg_muap_bank *bank) {
  double mean = 0;

  for (int64_t i = 0; i < n; i++) {
    mean += x[i] / (double)n;
  }
  for (int u = 0; u < bank->n_units && isfinite(mean); u++) {
    const int64_t *train = emg_spikes_of(spikes, u);
    float *taps = emg_muap_row(bank, u, channel);
    int64_t n_inside = 0;
    for (int64_t i = 0; i < emg_spikes_count(spikes, u); i++) {
      int64_t begin = train[i] - bank->origin;
      if (begin < 0 || begin + bank->n_taps > n) {
        continue;
      }
      n_inside++;
      for (int t = 0; t < bank->n_taps; t++) {
        taps[t] += (float)(x[begin + t] - mean);
      }
    }
    for (int t = 0; t < bank->n_taps && n_inside > 0; t++) {
      taps[t] /= (float)n_inside;
    }
  }
}

void emg_average_recording(const emg_recording *rec, const emg_spikes *spikes,
                           emg_muap_bank *bank) {
#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < rec->data.n_rows; c++) {
    average_channel(emg_row2f(&rec->data, c), rec->data.n_cols, spikes, c, bank);
  }
}

// Which channels were left out and why.
static emg_status copy_findings(const emg_prepared *prepared, emg_decomposition *out,
                                emg_error *err) {
  size_t n = (size_t)prepared->n_recorded;

  EMG_TRY(emg_alloc(n, sizeof *out->channels, &out->channels, err));
  out->n_channels = prepared->n_recorded;
  if (n > 0) {
    memcpy(out->channels, prepared->finding, n * sizeof *out->channels);
  }
  return EMG_OK;
}

emg_status emg_package(const emg_recording *rec, const emg_prepared *prepared,
                       const emg_units *units, emg_decomposition *out, emg_error *err) {
  int64_t n_samples = prepared->signal.n_samples;
  int n = units->n;
  placed_unit *placed;
  emg_status status;

  *out = (emg_decomposition){0};
  EMG_TRY(emg_alloc((size_t)n, sizeof *placed, &placed, err));
  place_units(units, prepared->signal.n_channels, n_samples, placed);
  EMG_TRY_DONE(copy_trains(placed, n, rec->rate_hz, n_samples, &out->spikes, err));
  EMG_TRY_DONE(copy_figures(placed, n, out, err));
  EMG_TRY_DONE(copy_sources(placed, n, n_samples, out, err));
  int origin = (int)lround(0.010 * rec->rate_hz), n_taps = (int)lround(0.050 * rec->rate_hz);
  EMG_TRY_DONE(
      emg_muap_bank_create(n, rec->data.n_rows, n_taps, origin, rec->rate_hz, &out->muaps, err));
  emg_average_recording(rec, &out->spikes, &out->muaps);
  EMG_TRY_DONE(copy_findings(prepared, out, err));

done:
  free(placed);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
