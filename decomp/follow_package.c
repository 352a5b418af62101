// follow_package.c -- units followed through a recording to a decomposition as reported
#include "follow_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "match_priv.h"

// What is reported of one unit, and which one it is.
typedef struct {
  const emg_followed *unit;
  double sil, pnr_db, detectability;
  emg_interval_stats intervals;
} figures;

// As emg_source_quality_of, from sums.
static void judge_source(const emg_source_sums *s, figures *out) {
  const double most_db = 200;

  if (s->n_spikes < 2 || s->n_peaks < 2 || s->n_samples <= s->n_spikes) {
    return;
  }
  double mean = s->heights / s->n_spikes, low = s->squared_peaks / s->n_peaks;
  double within = fmax(s->squared_heights / s->n_spikes - mean * mean, 0);
  double between = within + (mean - low) * (mean - low);
  out->sil = mean > low ? (between - within) / between : 0;
  double pulse = s->energy_at_spikes / s->n_spikes;
  double elsewhere = fmax(s->energy - s->energy_at_spikes, 0) / (s->n_samples - s->n_spikes);
  if (pulse > 0) {
    out->pnr_db = elsewhere > 0 ? fmin(10 * log10(pulse / elsewhere), most_db) : most_db;
  }
  out->detectability = s->noise > 0 ? sqrt(s->n_spikes / s->noise) : 0;
}

// Intervals, leaving out the time a unit is silent: pauses beyond 2 s say nothing about its train.
static emg_status judge_train(const emg_followed *unit, double rate_hz, emg_interval_stats *out,
                              emg_error *err) {
  const double silence_s = 2;
  int64_t *places, left_out = 0;

  EMG_TRY(emg_alloc((size_t)unit->n_spikes, sizeof *places, &places, err));
  for (int64_t i = 0; i < unit->n_spikes; i++) {
    bool is_silence =
        i > 0 && (double)(unit->spikes[i] - unit->spikes[i - 1]) > silence_s * rate_hz;
    left_out += is_silence;
    places[i] = unit->spikes[i] - left_out;
  }
  *out = emg_intervals_of(unit->spikes, places, unit->n_spikes, rate_hz);
  free(places);
  return EMG_OK;
}

// The rules of units found in one part, over all of them.
static bool is_acceptable(const struct emg_config_decompose *config, const figures *unit) {
  const double spikes_enough = 40;
  return unit->sil >= config->sil_min && unit->intervals.cov > 0 &&
         unit->intervals.cov <= config->isi_cov_max &&
         (double)unit->unit->n_spikes >= fmax(config->spikes_min, spikes_enough) &&
         unit->intervals.coverage >= config->coverage_min;
}

// Of two units that are mostly one train, the one with the lower silhouette goes.
static emg_status drop_duplicates(const emg_following *f, double agreement_most, int *n,
                                  figures *units, emg_error *err) {
  const double max_lag_ms = 40, tolerance_ms = 1;
  emg_matcher matcher;

  EMG_TRY(emg_matcher_create(emg_samples_in_ms(max_lag_ms, f->rate_hz),
                             emg_samples_in_ms(tolerance_ms, f->rate_hz), &matcher, err));
  for (int i = 0; i < *n; i++) {
    for (int j = i + 1; j < *n; j++) {
      const emg_followed *a = units[i].unit, *b = units[j].unit;
      if (emg_match_trains(&matcher, a->spikes, a->n_spikes, b->spikes, b->n_spikes).roa <=
          agreement_most) {
        continue;
      }
      int worse = units[i].sil < units[j].sil ? i : j;
      memmove(&units[worse], &units[worse + 1], (size_t)(--*n - worse) * sizeof *units);
      j = worse == i ? i : j - 1;  // what moved up to i is compared with all that follow
    }
  }
  emg_matcher_free(&matcher);
  return EMG_OK;
}

// In order of the first spike, then of more spikes.
static int compare_units(const void *a, const void *b) {
  const emg_followed *p = ((const figures *)a)->unit, *q = ((const figures *)b)->unit;

  if (p->spikes[0] != q->spikes[0]) {
    return p->spikes[0] < q->spikes[0] ? -1 : 1;
  }
  return (q->n_spikes > p->n_spikes) - (q->n_spikes < p->n_spikes);
}

static emg_status judge_units(const emg_following *f, const struct emg_config_decompose *config,
                              const emg_monitor *monitor, figures *units, int *n, emg_error *err) {
  *n = 0;
  for (int u = 0; u < f->n; u++) {
    figures *unit = &units[*n];
    *unit = (figures){.unit = &f->units[u]};
    judge_source(&unit->unit->sums, unit);
    EMG_TRY(judge_train(unit->unit, f->rate_hz, &unit->intervals, err));
    if (is_acceptable(config, unit)) {
      ++*n;
    } else {
      emg_log(monitor, EMG_LOG_INFO, "decompose",
              "a unit with %lld spikes is dropped: SIL = %.2f, ISI CoV = %.2f",
              (long long)unit->unit->n_spikes, unit->sil, unit->intervals.cov);
    }
  }
  EMG_TRY(drop_duplicates(f, config->duplicate_agreement, n, units, err));
  if (*n > 0) {
    qsort(units, (size_t)*n, sizeof *units, compare_units);
  }
  return EMG_OK;
}

static emg_status copy_trains(const emg_following *f, int n, const figures *units, emg_spikes *out,
                              emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)n, sizeof *counts, &counts, err));
  for (int u = 0; u < n; u++) {
    counts[u] = units[u].unit->n_spikes;
  }
  emg_status status = emg_spikes_create(n, counts, f->rate_hz, f->n_samples, out, err);
  for (int u = 0; u < n && status == EMG_OK; u++) {
    memcpy(out->samples + out->offsets[u], units[u].unit->spikes,
           (size_t)counts[u] * sizeof *out->samples);
  }
  free(counts);
  return status;
}

static emg_status copy_figures(int n, const figures *units, double rate_hz, emg_decomposition *out,
                               emg_error *err) {
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->sil, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->pnr_db, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->isi_cov, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->rate_hz, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(double), &out->detectability, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof(int32_t), &out->flags, err));
  for (int u = 0; u < n; u++) {
    out->sil[u] = units[u].sil;
    out->pnr_db[u] = units[u].pnr_db;
    out->isi_cov[u] = units[u].intervals.cov;
    out->rate_hz[u] = units[u].intervals.mean_s > 0 ? 1 / units[u].intervals.mean_s : 0;
    out->detectability[u] = units[u].detectability;
    // of all the recording, silence included
    emg_interval_stats whole =
        emg_intervals_of(units[u].unit->spikes, NULL, units[u].unit->n_spikes, rate_hz);
    out->flags[u] = emg_unit_flags(units[u].sil, &whole, units[u].detectability);
  }
  return EMG_OK;
}

static emg_status copy_findings(const emg_following *f, emg_decomposition *out, emg_error *err) {
  if (!f->like.finding) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)f->n_channels, sizeof *out->channels, &out->channels, err));
  memcpy(out->channels, f->like.finding, (size_t)f->n_channels * sizeof *out->channels);
  out->n_channels = f->n_channels;
  return EMG_OK;
}

static emg_status copy_averages(const emg_following *f, int n, const figures *units,
                                emg_muap_bank *out, emg_error *err) {
  EMG_TRY(emg_muap_bank_create(n, f->n_channels, f->n_average_taps, f->average_origin, f->rate_hz,
                               out, err));
  for (int u = 0; u < n; u++) {
    double scale = units[u].unit->n_averaged > 0 ? 1 / (double)units[u].unit->n_averaged : 0;
    for (int c = 0; c < f->n_channels; c++) {
      const double *sum = units[u].unit->average + (ptrdiff_t)c * f->n_average_taps;
      float *row = emg_muap_row(out, u, c);
      for (int t = 0; t < f->n_average_taps; t++) {
        row[t] = (float)(sum[t] * scale);
      }
    }
  }
  return EMG_OK;
}

emg_status emg_following_package(const emg_following *f, const struct emg_config_decompose *config,
                                 const emg_monitor *monitor, emg_decomposition *out,
                                 emg_error *err) {
  figures *units;
  int n;
  emg_status status;

  *out = (emg_decomposition){.source = {0}};
  EMG_TRY(emg_alloc((size_t)f->n + 1, sizeof *units, &units, err));
  EMG_TRY_DONE(judge_units(f, config, monitor, units, &n, err));
  EMG_TRY_DONE(copy_trains(f, n, units, &out->spikes, err));
  EMG_TRY_DONE(copy_figures(n, units, f->rate_hz, out, err));
  EMG_TRY_DONE(copy_averages(f, n, units, &out->muaps, err));
  EMG_TRY_DONE(copy_findings(f, out, err));

done:
  free(units);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
