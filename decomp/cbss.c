// cbss.c -- convolutive blind source separation, one source after the other (Negro et al. 2016)
//
// The method most tools offer, here as they have it, for comparison. In the whitened space z =
// C^-1/2 xe a source is w' z; here it is f' xe with f = C^-1/2 w, so that w'v is f'C g and |w| = 1
// is unit variance.
#include "ckc_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/kernel.h>
#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/rng.h>

typedef struct {
  const struct emg_config_decompose *config;
  const emg_monitor *monitor;
  emg_prepared prepared;
  emg_signal residual;                  // the signal without the units peeled off
  emg_spans inner, whole;               // without its edges; all of it
  emg_whitener whitener;                // of the signal, once and for all
  int n_done;                           // sources so far, accepted or not
  float *filters, *images;              // [iteration][D]: their f and C f
  float *activity;                      // [sample], of the start
  float *now, *last, *means, *scratch;  // [D]
  double *sum;                          // [D]
  emg_sweep sweep;
  float *source;  // [sample]
  emg_spike_picker picker;
  int64_t *spikes;
  emg_candidate kept;  // of the source being refined
  emg_rng rng;
  emg_units units;
} cbss;

static void cbss_free(cbss *c) {
  emg_prepared_free(&c->prepared);
  emg_signal_free(&c->residual);
  emg_whitener_free(&c->whitener);
  free(c->filters);
  free(c->images);
  free(c->activity);
  free(c->now);
  free(c->last);
  free(c->means);
  free(c->scratch);
  free(c->sum);
  emg_sweep_free(&c->sweep);
  free(c->source);
  emg_spike_picker_free(&c->picker);
  free(c->spikes);
  emg_candidates_free(1, &c->kept);
  emg_units_free(&c->units);
}

static emg_status cbss_create(cbss *c, const emg_recording *rec, const emg_config *config,
                              emg_error *err) {
  const double half_window_ms = 25;
  int64_t n_samples = rec->data.n_cols, edge = (int64_t)(c->config->edge_s * rec->rate_hz);
  int n_taps;

  c->units.half_window = (int64_t)lround(half_window_ms * rec->rate_hz / 1000);
  EMG_TRY(emg_prepare(rec, config, c->monitor, 2 * c->units.half_window + 1, &c->prepared, err));
  EMG_TRY(emg_choose_taps(c->config, c->prepared.signal.n_channels, rec->rate_hz, &n_taps, err));
  n_taps = n_taps < 2 * c->units.half_window ? n_taps : (int)(2 * c->units.half_window);
  c->whole = emg_spans_over(0, n_samples, n_samples);
  c->inner = emg_spans_over(edge, n_samples - edge, n_samples);
  EMG_TRY(emg_signal_copy(&c->prepared.signal, &c->residual, err));
  EMG_TRY(emg_whitener_create(&c->residual, n_taps, &c->inner, &c->whitener, err));

  size_t n = (size_t)c->whitener.n_dimensions, n_sources = (size_t)c->config->cbss_iterations;
  EMG_TRY(emg_alloc_aligned(n * n_sources, sizeof(float), &c->filters, err));
  EMG_TRY(emg_alloc_aligned(n * n_sources, sizeof(float), &c->images, err));
  EMG_TRY(emg_alloc_aligned((size_t)n_samples, sizeof(float), &c->activity, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &c->now, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &c->last, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &c->means, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &c->scratch, err));
  EMG_TRY(emg_alloc(n, sizeof(double), &c->sum, err));
  EMG_TRY(emg_sweep_create((int)n, 1, &c->sweep, err));
  EMG_TRY(emg_alloc_aligned((size_t)n_samples, sizeof(float), &c->source, err));
  EMG_TRY(emg_spike_picker_create(n_samples, emg_refractory_samples(c->config, rec->rate_hz),
                                  &c->picker, err));
  size_t capacity = (size_t)emg_spike_picker_capacity(&c->picker);
  EMG_TRY(emg_alloc(capacity, sizeof *c->spikes, &c->spikes, err));
  return emg_alloc(capacity, sizeof *c->kept.spikes, &c->kept.spikes, err);
}

// image = C filter, for a filter of unit variance.
static void see(const cbss *c, const float *filter, float *image) {
  size_t n = (size_t)c->whitener.n_dimensions;

  memcpy(c->scratch, filter, n * sizeof *filter);
  emg_whitener_normalise(&c->whitener, 1, c->scratch, image);
}

static double dot(const float *a, const float *b, int n) {
  double sum = 0;

  for (int i = 0; i < n; i++) {
    sum += (double)a[i] * b[i];
  }
  return sum;
}

// --- where to start ---

// Activity index xe' C^-1 xe (Holobar & Zazula 2007) = |z|^2 of every sample, some rows of C^-1 at
// a time.
static emg_status find_activity(cbss *c, emg_error *err) {
  enum { ROWS = 64 };
  const emg_signal *x = &c->residual;
  int n = c->whitener.n_dimensions, n_taps = c->whitener.n_taps;
  float *rows = NULL, *products = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned((size_t)n * ROWS, sizeof *rows, &rows, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)x->n_samples * ROWS, sizeof *products, &products, err));
  for (int first = 0; first < n; first += ROWS) {
    int n_rows = n - first < ROWS ? n - first : ROWS;
    for (ptrdiff_t d = 0; d < n; d++) {
      memcpy(rows + d * n_rows, c->whitener.inverse + d * n + first, (size_t)n_rows * sizeof *rows);
    }
    EMG_TRY_DONE(
        emg_extended_filter(x, n_taps, &c->whole, rows, n_rows, products, x->n_samples, err));
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < x->n_samples; t++) {
      const float *extended = emg_signal_row(x, t - n_taps + 1) + first;
      for (int i = 0; i < n_rows; i++) {
        c->activity[t] += extended[i] * products[i * x->n_samples + t];
      }
    }
  }

done:
  free(rows);
  free(products);
  return status;
}

// The most active instant not yet used, and what surrounds it, or a random filter.
static void start_filter(cbss *c) {
  const double blanked_ms = 10;
  int n = c->whitener.n_dimensions;
  int64_t begin = c->inner.begin[0], end = c->inner.end[EMG_SPANS - 1], at = begin;

  if (c->config->cbss_start == EMG_CBSS_RANDOM) {
    // of any direction that the covariance allows, as a random w is
    for (int i = 0; i < n; i++) {
      c->last[i] = (float)emg_rng_gaussian(&c->rng);
    }
    emg_whitener_apply(&c->whitener, 1, c->last, c->now);
    return;
  }
  for (int64_t t = begin; t < end; t++) {
    at = c->activity[t] > c->activity[at] ? t : at;
  }
  int64_t reach = (int64_t)lround(blanked_ms * c->residual.rate_hz / 1000);
  for (int64_t t = at - reach; t <= at + reach; t++) {
    if (t >= 0 && t < c->residual.n_samples) {
      c->activity[t] = 0;
    }
  }
  emg_extended_gather(&c->residual, c->whitener.n_taps, &at, 1, c->sum);
  for (int i = 0; i < n; i++) {
    c->means[i] = (float)c->sum[i];
  }
  emg_whitener_apply(&c->whitener, 1, c->means, c->now);
}

// --- one source ---

EMG_KERNEL static void skewness(float *y, int n_rows, int n_sources, float level, double *slopes) {
  double sum = 0;
  (void)level;
  (void)n_sources;
  for (int row = 0; row < n_rows; row++) {
    sum += y[row];
    y[row] *= y[row];
  }
  slopes[0] += 2 * sum;
}

// w <- w - B B'w, then |w| = 1.
static void orthogonalise(cbss *c) {
  int n = c->whitener.n_dimensions;

  for (int s = 0; s < c->n_done; s++) {
    float share = (float)dot(c->images + (ptrdiff_t)s * n, c->now, n);
    for (int i = 0; i < n; i++) {
      c->now[i] -= share * c->filters[(ptrdiff_t)s * n + i];
    }
  }
  emg_whitener_normalise(&c->whitener, 1, c->now, c->means);
}

// w <- E{z g(w'z)} - E{g'(w'z)} w for g = y^2, until w stays (their product differs from 1 by less
// than the tolerance).
static emg_status separate(cbss *c, emg_error *err) {
  const double tolerance = 1e-4;
  int n = c->whitener.n_dimensions;
  double slope;

  orthogonalise(c);
  for (int i = 0; i < c->config->cbss_fixed_points; i++) {
    memcpy(c->last, c->now, (size_t)n * sizeof *c->last);
    emg_extended_contrast(&c->residual, c->whitener.n_taps, &c->inner, c->last, 1, skewness, 0,
                          &c->sweep, c->means, &slope);
    emg_whitener_apply(&c->whitener, 1, c->means, c->now);
    for (int k = 0; k < n; k++) {
      c->now[k] -= (float)slope * c->last[k];
    }
    orthogonalise(c);
    see(c, c->last, c->means);
    if (fabs(fabs(dot(c->now, c->means, n)) - 1) < tolerance) {
      break;
    }
  }
  return emg_progress(c->monitor, "decompose", c->n_done, c->config->cbss_iterations, err);
}

// Spikes of the filter `now`; returns their number.
static emg_status pick(cbss *c, double *sil, int64_t *n_spikes, emg_error *err) {
  int64_t n_samples = c->residual.n_samples;

  EMG_TRY(emg_extended_filter(&c->residual, c->whitener.n_taps, &c->whole, c->now, 1, c->source,
                              n_samples, err));
  *n_spikes = emg_pick_spikes(&c->picker, c->source, n_samples, c->spikes, sil);
  return EMG_OK;
}

// w <- SUM z(spikes) while the coefficient of variation of the intervals falls; the best is kept.
static emg_status refine(cbss *c, emg_error *err) {
  int n = c->whitener.n_dimensions;
  double sil;
  int64_t n_spikes;

  c->kept.n_spikes = 0;
  for (int pass = 0; pass <= c->config->refinements; pass++) {
    EMG_TRY(pick(c, &sil, &n_spikes, err));
    emg_interval_stats intervals = emg_intervals_of(c->spikes, NULL, n_spikes, c->residual.rate_hz);
    bool is_better = pass == 0 || (intervals.cov > 0 && intervals.cov < c->kept.intervals.cov);
    if (n_spikes < 2 || !is_better) {
      break;
    }
    memcpy(c->kept.spikes, c->spikes, (size_t)n_spikes * sizeof *c->spikes);
    c->kept.n_spikes = n_spikes;
    c->kept.sil = sil;
    c->kept.intervals = intervals;
    memcpy(c->last, c->now, (size_t)n * sizeof *c->last);
    emg_extended_gather(&c->residual, c->whitener.n_taps, c->spikes, n_spikes, c->sum);
    for (int i = 0; i < n; i++) {
      c->means[i] = (float)(c->sum[i] / (double)n_spikes);
    }
    emg_whitener_apply(&c->whitener, 1, c->means, c->now);
    emg_whitener_normalise(&c->whitener, 1, c->now, c->means);
  }
  if (c->kept.n_spikes > 0) {
    memcpy(c->now, c->last, (size_t)n * sizeof *c->now);
  }
  return EMG_OK;
}

// Whatever it is, later sources are orthogonal to it.
static void add_to_basis(cbss *c) {
  int n = c->whitener.n_dimensions;

  memcpy(c->filters + (ptrdiff_t)c->n_done * n, c->now, (size_t)n * sizeof *c->now);
  see(c, c->now, c->images + (ptrdiff_t)c->n_done * n);
  c->n_done++;
}

// --- units ---

// The average of the signal at a unit's spikes becomes its action potential and, with peel-off,
// leaves the residual: for a single unit one sweep of least squares is that average.
static emg_status average(cbss *c, emg_error *err) {
  emg_units one = {.n = 1,
                   .capacity = 1,
                   .half_window = c->units.half_window,
                   .items = &c->units.items[c->units.n - 1]};

  EMG_TRY(emg_units_fit(&c->residual, &one, 1, err));
  if (!c->config->cbss_peel_off) {
    emg_unit_put(&c->residual, &one, 0, 1);
  }
  return EMG_OK;
}

static emg_status add_unit(cbss *c, emg_error *err) {
  emg_candidate *kept = &c->kept;
  int64_t n_samples = c->residual.n_samples, shift, n_spikes, first = 0, last = kept->n_spikes;
  double sil;

  EMG_TRY(pick(c, &sil, &n_spikes, err));  // the source of the best filter
  emg_source_quality quality = emg_source_quality_of(c->source, n_samples, kept->spikes,
                                                     kept->n_spikes, c->picker.refractory);
  EMG_TRY(emg_centre_of_energy(&c->residual, kept->spikes, kept->n_spikes, c->units.half_window,
                               &shift, err));
  for (int64_t i = 0; i < kept->n_spikes; i++) {
    kept->spikes[i] += shift;
  }
  while (first < last && kept->spikes[first] < 0) {
    first++;
  }
  while (last > first && kept->spikes[last - 1] >= n_samples) {
    last--;
  }
  EMG_TRY(
      emg_units_add(&c->units, c->residual.n_channels, kept->spikes + first, last - first, err));
  emg_unit *unit = &c->units.items[c->units.n - 1];
  unit->sil = kept->sil;
  unit->pnr_db = quality.pnr_db;
  unit->intervals = kept->intervals;
  unit->round = c->n_done;
  if (c->config->keep_source) {
    EMG_TRY(emg_alloc((size_t)n_samples, sizeof *unit->source, &unit->source, err));
    for (int64_t t = 0; t < n_samples; t++) {  // peaks at the spikes
      unit->source[t] = t >= shift && t - shift < n_samples ? c->source[t - shift] : 0;
    }
  }
  return average(c, err);
}

static emg_status find_source(cbss *c, emg_error *err) {
  start_filter(c);
  EMG_TRY(separate(c, err));
  EMG_TRY(refine(c, err));
  if (c->kept.n_spikes >= c->config->spikes_min && c->kept.sil >= c->config->cbss_sil_min) {
    EMG_TRY(add_unit(c, err));
  }
  add_to_basis(c);
  return EMG_OK;
}

emg_status emg_cbss_run(const emg_recording *rec, const emg_config *config,
                        const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  cbss c = {.config = &config->decompose,
            .monitor = monitor,
            .rng = emg_rng_stream(config->simulation.seed, EMG_RNG_SEARCH, 0, 0)};
  emg_status status;

  EMG_TRY_DONE(cbss_create(&c, rec, config, err));
  if (c.config->cbss_start == EMG_CBSS_ACTIVITY) {
    EMG_TRY_DONE(find_activity(&c, err));
  }
  while (c.n_done < c.config->cbss_iterations) {
    EMG_TRY_DONE(find_source(&c, err));
  }
  EMG_TRY_DONE(emg_remove_duplicates(&c.residual, &c.units, c.config->duplicate_agreement, err));
  emg_log(monitor, EMG_LOG_INFO, "decompose", "sources = %d, units = %d", c.n_done, c.units.n);
  EMG_TRY_DONE(emg_package(rec, &c.prepared, &c.units, out, err));

done:
  cbss_free(&c);
  return status;
}
