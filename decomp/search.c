// search.c -- many filters at once towards sources far from Gaussian
#include "ckc_priv.h"

#include <math.h>
#include <stdlib.h>

#include <base/kernel.h>
#include <emgtwin/array.h>
#include <emgtwin/rng.h>

// --- contrasts: y becomes g(y), slopes grow by g'(y) ---

// Skewness whose reward stops growing at `level` standard deviations: a spike train of rate p per
// sample reaches at most sqrt(1/p), about 13, whereas a filter that singles out one sample reaches
// sqrt(D), about 30, and would win without the clip.
EMG_KERNEL static void clipped_skewness(float *y, int n_rows, int n_sources, float level,
                                        double *slopes) {
  for (int row = 0; row < n_rows; row++) {
    float *value = y + (ptrdiff_t)row * n_sources;
    for (int i = 0; i < n_sources; i++) {
      float above = value[i] > 0 ? value[i] : 0;
      float clipped = above < level ? above : level;
      slopes[i] += above < level ? 2 * above : 0;
      value[i] = clipped * clipped;
    }
  }
}

EMG_KERNEL static void skewness(float *y, int n_rows, int n_sources, float level, double *slopes) {
  (void)level;
  for (int row = 0; row < n_rows; row++) {
    float *value = y + (ptrdiff_t)row * n_sources;
    for (int i = 0; i < n_sources; i++) {
      slopes[i] += 2 * value[i];
      value[i] *= value[i];
    }
  }
}

static void log_cosh(float *y, int n_rows, int n_sources, float level, double *slopes) {
  (void)level;
  for (int row = 0; row < n_rows; row++) {
    float *value = y + (ptrdiff_t)row * n_sources;
    for (int i = 0; i < n_sources; i++) {
      value[i] = tanhf(value[i]);
      slopes[i] += 1 - value[i] * value[i];
    }
  }
}

static emg_contrast_fn contrast_of(int contrast) {
  switch (contrast) {
    case EMG_CONTRAST_SKEWNESS:
      return skewness;
    case EMG_CONTRAST_LOG_COSH:
      return log_cosh;
    default:
      return clipped_skewness;
  }
}

// --- iteration ---

// Start at f = C^-1 xe(k), the filter that answers to what is active at a random instant k (Holobar
// & Zazula 2007).
static emg_status start_filters(const emg_signal *x, const emg_whitener *whitener,
                                const emg_spans *spans, int n_sources, emg_rng *rng, float *starts,
                                float *filters, emg_error *err) {
  double *column;

  EMG_TRY(emg_alloc((size_t)whitener->n_dimensions, sizeof *column, &column, err));
  for (int source = 0; source < n_sources; source++) {
    int64_t at = (int64_t)emg_rng_below(rng, (uint32_t)spans->place[EMG_SPANS]);
    emg_spans_to_samples(spans, 1, &at);
    emg_extended_gather(x, whitener->n_taps, &at, 1, column);
    for (int i = 0; i < whitener->n_dimensions; i++) {
      starts[(ptrdiff_t)i * n_sources + source] = (float)column[i];
    }
  }
  emg_whitener_apply(whitener, n_sources, starts, filters);
  free(column);
  return EMG_OK;
}

// One update. Fixed point (Hyvarinen 1999; Negro et al. 2016), in terms of f = C^-1/2 w:
//   f <- C^-1 E{xe g(y)} - E{g'(y)} f;
// gradient (Holobar & Zazula 2007), a step that gives the old filter and the new direction equal
// weight along f:  f <- f + C^-1 E{xe g(y)} / |E{y g(y)}|.
static void update(const emg_whitener *whitener, int separation, int n_sources, const float *means,
                   const double *slopes, float *filters, float *direction) {
  int n = whitener->n_dimensions;

  emg_whitener_apply(whitener, n_sources, means, direction);
  for (int source = 0; source < n_sources; source++) {
    double gain = 1, keep = -slopes[source];
    if (separation == EMG_SEPARATION_GRADIENT) {
      double along = 0;
      for (ptrdiff_t i = source; i < (ptrdiff_t)n * n_sources; i += n_sources) {
        along += (double)filters[i] * means[i];
      }
      gain = fabs(along) > 0 ? 1 / fabs(along) : 0;
      keep = 1;
    }
    for (ptrdiff_t i = source; i < (ptrdiff_t)n * n_sources; i += n_sources) {
      filters[i] = (float)(gain * direction[i] + keep * filters[i]);
    }
  }
}

emg_status emg_search(const emg_signal *x, const emg_whitener *whitener, const emg_spans *spans,
                      const struct emg_config_decompose *config, uint64_t seed, int round,
                      const emg_monitor *monitor, float *filters, emg_error *err) {
  int n_sources = config->batch;
  size_t n_values = (size_t)whitener->n_dimensions * (size_t)n_sources;
  emg_rng rng = emg_rng_stream(seed, EMG_RNG_SEARCH, (uint32_t)round, 0);
  float *means = NULL, *scratch = NULL;
  double *slopes = NULL;
  emg_sweep sweep = {0};
  emg_status status;

  EMG_TRY_DONE(emg_alloc_aligned(n_values, sizeof *means, &means, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_values, sizeof *scratch, &scratch, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_sources, sizeof *slopes, &slopes, err));
  EMG_TRY_DONE(emg_sweep_create(whitener->n_dimensions, n_sources, &sweep, err));

  EMG_TRY_DONE(start_filters(x, whitener, spans, n_sources, &rng, means, filters, err));
  emg_whitener_normalise(whitener, n_sources, filters, scratch);
  for (int i = 0; i < config->iterations; i++) {
    EMG_TRY_DONE(emg_progress(monitor, "decompose", (int64_t)round * config->iterations + i,
                              (int64_t)config->rounds * config->iterations, err));
    emg_extended_contrast(x, whitener->n_taps, spans, filters, n_sources,
                          contrast_of(config->contrast), (float)config->clip_sd, &sweep, means,
                          slopes);
    update(whitener, config->separation, n_sources, means, slopes, filters, scratch);
    emg_whitener_normalise(whitener, n_sources, filters, scratch);
  }

done:
  free(means);
  free(scratch);
  free(slopes);
  emg_sweep_free(&sweep);
  return status;
}
