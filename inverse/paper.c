// paper.c -- the scheme of Halatsis et al. 2025 (arXiv:2510.17822) on our mean units: a baseline
//
// Points of a Latin hypercube over the limits of the parameters are scored by the kurtosis of their
// sources; from the best, parameters ascend by Adam (Kingma & Ba 2015). Nothing is subtracted and
// ascents do not see each other; repetitions differ in their draws. What differs from theirs: the
// forward model, the delay of a filter (where it is most visible instead of fixed), and limits,
// which parameters do not leave.
#include "paper_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/rng.h>

#define STAGE "paper"

// The size is no parameter, as the kurtosis does not know of it; nor is the latency, which the
// delay of the filter takes.
enum { N = EMG_UNIT_PARAMETERS, TOGETHER = 64 };
static const emg_unit_parameter searched[] = {
    EMG_UNIT_DEPTH,    EMG_UNIT_ARC,      EMG_UNIT_ZONE,      EMG_UNIT_CV,
    EMG_UNIT_TENDON_1, EMG_UNIT_TENDON_2, EMG_UNIT_TERRITORY, EMG_UNIT_ZONE_SPREAD};
enum { SEARCHED = sizeof searched / sizeof searched[0] };

typedef struct {
  emg_model_guide *guide;
  bool has_started;
  emg_paper_source source;
  double low[N], range[N];  // of the cube
  int n_fits, capacity;
  emg_fitted *fits;  // of all trains, as they are numbered
} paper;

static void paper_free(paper *p) {
  emg_paper_source_free(&p->source);
  free(p->fits);
}

// --- the recording at hand ---

static emg_status measure(emg_model_guide *g, const emg_guided_signal *shown, emg_error *err) {
  const int n_taps = g->config.invert.paper_taps;
  const size_t n = (size_t)n_taps * (size_t)shown->n_channels, dimensions_most = 8192;
  double *covariance;
  emg_status status;

  if (n > dimensions_most) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "invert.paper_taps = %d for %d channels needs a covariance of %zu rows, and at "
                    "most %zu can be handled",
                    n_taps, shown->n_channels, n, dimensions_most);
  }
  EMG_TRY(emg_alloc(n * n, sizeof *covariance, &covariance, err));
  EMG_TRY_DONE(emg_guided_covariance(shown, n_taps, covariance, err));
  EMG_TRY_DONE(emg_metric_create(n_taps, shown->n_channels, covariance, &g->metric, err));
done:
  free(covariance);
  return status;
}

emg_status emg_paper_open(emg_model_guide *g, const emg_guided_signal *shown,
                          emg_paper_source *source, emg_error *err) {
  EMG_TRY(emg_model_guide_open(g, shown, err));
  EMG_TRY(measure(g, shown, err));
  EMG_TRY(emg_paper_source_create(&g->problem, &g->metric, shown, source, err));
  g->problem.metric = &g->metric;
  return EMG_OK;
}

static emg_status start(paper *p, const emg_guided_signal *shown, emg_error *err) {
  EMG_TRY(emg_paper_open(p->guide, shown, &p->source, err));
  for (int i = 0; i < N; i++) {
    double high;
    emg_expected_range(&p->guide->subject.expected, (emg_unit_parameter)i, &p->low[i], &high);
    p->range[i] = high - p->low[i];
  }
  p->has_started = true;
  return EMG_OK;
}

// --- probes ---

// Each parameter's range is cut in n, and every piece is used once, at random (McKay et al. 1979).
static emg_status draw(const paper *p, int round, int n, emg_paper_point *points, emg_error *err) {
  int *order;

  EMG_TRY(emg_alloc((size_t)n, sizeof *order, &order, err));
  for (int i = 0; i < n; i++) {
    memcpy(points[i].unit.value, p->guide->subject.expected.mean, sizeof points[i].unit.value);
  }
  for (int k = 0; k < SEARCHED; k++) {
    int parameter = searched[k];
    emg_rng rng = emg_rng_stream(p->guide->config.simulation.seed, EMG_RNG_LATIN_HYPERCUBE,
                                 (uint32_t)parameter, (uint32_t)round);
    for (int i = 0; i < n; i++) {
      int other = (int)emg_rng_below(&rng, (uint32_t)i + 1);
      order[i] = order[other];
      order[other] = i;
    }
    for (int i = 0; i < n; i++) {
      double at = (order[i] + emg_rng_uniform(&rng)) / n;
      points[i].unit.value[parameter] = p->low[parameter] + at * p->range[parameter];
    }
  }
  free(order);
  return EMG_OK;
}

static int by_kurtosis(const void *a, const void *b) {
  const emg_paper_point *x = a, *y = b;

  return (x->kurtosis < y->kurtosis) - (x->kurtosis > y->kurtosis);
}

// Probes at their best delays, sorted by kurtosis.
static emg_status probe(const paper *p, int round, int n, emg_paper_point *points, emg_error *err) {
  EMG_TRY(draw(p, round, n, points, err));
  for (int at = 0; at < n; at += TOGETHER) {
    int count = at + TOGETHER < n ? TOGETHER : n - at;
    EMG_TRY(emg_paper_place(&p->source, count, points + at, err));
    EMG_TRY(emg_paper_evaluate(&p->source, false, count, points + at, NULL, err));
    EMG_TRY(emg_progress(p->guide->monitor, STAGE, at, n, err));
  }
  qsort(points, (size_t)n, sizeof *points, by_kurtosis);
  return EMG_OK;
}

// --- ascent ---

typedef struct {
  double first[N], second[N];  // running means of the gradient and of its square
} moments;

// One step of Adam in the unit cube; around a ring there is no end, elsewhere limits hold.
static void step(const paper *p, int t, emg_paper_point *point, moments *m) {
  const double beta_1 = 0.9, beta_2 = 0.999, least = 1e-8;
  const emg_expected *e = &p->guide->subject.expected;

  for (int k = 0; k < SEARCHED; k++) {
    int i = searched[k];
    double gradient = point->gradient[i] * p->range[i];
    m->first[i] = beta_1 * m->first[i] + (1 - beta_1) * gradient;
    m->second[i] = beta_2 * m->second[i] + (1 - beta_2) * gradient * gradient;
    double mean = m->first[i] / (1 - pow(beta_1, t)), square = m->second[i] / (1 - pow(beta_2, t));
    double move = p->guide->config.invert.paper_rate * mean / (sqrt(square) + least);
    double value = point->unit.value[i] + move * p->range[i];
    point->unit.value[i] = fmin(fmax(value, e->min[i]), e->max[i]);
  }
}

static emg_status ascend(const paper *p, int n, emg_paper_point *points, emg_error *err) {
  const int n_steps = p->guide->config.invert.paper_steps;
  moments *m;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n, sizeof *m, &m, err));
  for (int t = 1; t <= n_steps; t++) {
    EMG_TRY_DONE(emg_paper_evaluate(&p->source, true, n, points, NULL, err));
    for (int i = 0; i < n; i++) {
      step(p, t, &points[i], &m[i]);
    }
    EMG_TRY_DONE(emg_progress(p->guide->monitor, STAGE, t, n_steps, err));
  }
  // parameters have moved: so may the delay
  EMG_TRY_DONE(emg_paper_place(&p->source, n, points, err));
  EMG_TRY_DONE(emg_paper_evaluate(&p->source, false, n, points, NULL, err));
done:
  free(m);
  return status;
}

// --- results ---

// Amplitude, deviations and agreement with the average at the spikes; the parameters stay.
static emg_status fit_amplitude(const paper *p, const emg_guided_signal *shown,
                                const emg_guided_train *train, emg_fit_room *room, float *estimate,
                                float *model, float *filter, emg_fitted *out, emg_error *err) {
  const emg_model_guide *g = p->guide;
  emg_template template;
  int64_t n = emg_model_guide_average(shown, train->spikes, train->n_spikes, estimate);

  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_fit_refine(&g->problem, estimate, (double)n, 0, room, &out->fit, err));
  EMG_TRY(emg_fit_potential(&g->problem, &out->fit, room, model, err));
  EMG_TRY(emg_template_create(&g->metric, shown->n_window, shown->origin, estimate, model,
                              (double)n, filter, &template, err));
  out->n_spikes = (double)n;
  out->cosine = template.cosine;
  out->height = template.height;
  return EMG_OK;
}

static emg_status fit_amplitudes(const paper *p, const emg_guided_signal *shown, int n,
                                 const emg_guided_train *trains, emg_fitted *out, emg_error *err) {
  const emg_fit_problem *problem = &p->guide->problem;
  const size_t size = (size_t)shown->n_window * (size_t)shown->n_channels;
  float *estimate = NULL, *model = NULL, *filter = NULL;
  emg_fit_room *room = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_fit_room_create(problem, &room, err));
  EMG_TRY_DONE(emg_alloc_aligned(size, sizeof *estimate, &estimate, err));
  EMG_TRY_DONE(emg_alloc_aligned(size, sizeof *model, &model, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)problem->metric->n_dimensions, sizeof *filter, &filter, err));
  for (int i = 0; i < n; i++) {
    EMG_TRY_DONE(fit_amplitude(p, shown, &trains[i], room, estimate, model, filter, &out[i], err));
  }
done:
  emg_fit_room_free(room);
  free(estimate);
  free(model);
  free(filter);
  return status;
}

// Trains of the filters, with the units they are of.
static emg_status keep(paper *p, const emg_guided_signal *shown, int n,
                       const emg_paper_point *points, const float *filters,
                       emg_guided_train *trains, emg_error *err) {
  const emg_config *config = &p->guide->config;

  if (p->n_fits + n > p->capacity) {
    int capacity = 2 * p->capacity + n;
    emg_fitted *fits = realloc(p->fits, (size_t)capacity * sizeof *fits);
    if (!fits) {
      return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d fits", capacity);
    }
    p->fits = fits;
    p->capacity = capacity;
  }
  EMG_TRY(emg_guided_detect(shown, config, config->invert.paper_taps, n, filters, trains, err));
  for (int i = 0; i < n; i++) {
    for (int64_t k = 0; k < trains[i].n_spikes; k++) {
      // from where the source peaks to the middle of the action potential
      trains[i].spikes[k] += shown->origin - points[i].row;
    }
    p->fits[p->n_fits + i] = (emg_fitted){.fit = {.unit = points[i].unit}};
  }
  EMG_TRY(fit_amplitudes(p, shown, n, trains, p->fits + p->n_fits, err));
  p->n_fits += n;
  return EMG_OK;
}

static emg_status search(void *self, const emg_guided_signal *shown, int round,
                         emg_guided_train **trains, int *n, emg_error *err) {
  paper *p = self;
  const struct emg_config_invert *v = &p->guide->config.invert;
  const int n_starts = v->paper_starts < v->paper_probes ? v->paper_starts : v->paper_probes;
  emg_paper_point *points = NULL;
  float *filters = NULL;
  emg_status status;

  if (!p->has_started) {
    EMG_TRY(start(p, shown, err));
  }
  EMG_TRY_DONE(emg_alloc((size_t)v->paper_probes, sizeof *points, &points, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_starts, sizeof **trains, trains, err));
  *n = n_starts;
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n_starts * (size_t)p->guide->metric.n_dimensions,
                                 sizeof *filters, &filters, err));
  EMG_TRY_DONE(probe(p, round, v->paper_probes, points, err));
  EMG_TRY_DONE(ascend(p, n_starts, points, err));
  // of units found more than once, the first is reported
  qsort(points, (size_t)n_starts, sizeof *points, by_kurtosis);
  EMG_TRY_DONE(emg_paper_evaluate(&p->source, false, n_starts, points, filters, err));
  EMG_TRY_DONE(keep(p, shown, n_starts, points, filters, *trains, err));
  emg_log(p->guide->monitor, EMG_LOG_INFO, "invert",
          "search = %d, probes = %d, starts = %d, highest kurtosis = %.3g", round + 1,
          v->paper_probes, n_starts, points[0].kurtosis);

done:
  free(points);
  free(filters);
  return status;
}

static emg_status report(void *self, int n_units, const int *number, emg_error *err) {
  paper *p = self;

  EMG_TRY(emg_alloc((size_t)n_units + 1, sizeof *p->guide->results, &p->guide->results, err));
  for (int u = 0; u < n_units; u++) {
    p->guide->results[u] = p->fits[number[u]];
  }
  p->guide->n_results = n_units;
  return EMG_OK;
}

emg_status emg_paper_run(const emg_recording *rec, emg_model_guide *guide, emg_decomposition *found,
                         emg_error *err) {
  paper p = {.guide = guide};
  const emg_searcher searcher = {.self = &p, .search = search, .report = report};
  const int n_rounds = guide->config.invert.paper_repetitions;

  emg_status status =
      emg_decompose_searched(rec, &guide->config, n_rounds, &searcher, guide->monitor, found, err);
  paper_free(&p);
  return status;
}
