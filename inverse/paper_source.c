// paper_source.c -- kurtosis of the sources of mean units, with its exact gradient
//
// With u = W b and s = y' u over the N samples, m2 and m4 the means of s^2 and s^4,
//
//   k = m4 / m2^2 - 3,   dk/du = 4 / N SUM y (s^3 / m2^2 - m4 s / m2^3),   dk/dp = dk/du' W db/dp,
//
// without means of s, which the band-pass removes. All points of a call go through the same
// products.
#include "paper_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lin.h"

enum { N = EMG_UNIT_PARAMETERS, CHUNKS = 16, SAMPLES = 256, GROUP = 8 };

// --- the recording ---

static void whiten_samples(const emg_guided_signal *shown, const emg_metric *metric,
                           const float *whitener, int64_t begin, int64_t end, float *blocks,
                           float *out) {
  const int d = metric->n_dimensions;

  for (int64_t i = begin; i < end; i++) {
    const float *rows = shown->rows + (i - metric->n_taps + 1) * shown->n_channels;
    memcpy(blocks + (i - begin) * d, rows, (size_t)d * sizeof *rows);
  }
  emg_sgemm(0, 1, (int)(end - begin), metric->rank, d, 1, blocks, d, whitener, d, 0,
            out + begin * metric->rank, metric->rank);
}

static emg_status whiten(const emg_guided_signal *shown, const emg_metric *metric,
                         emg_paper_source *out, emg_error *err) {
  emg_status status = EMG_OK;

#pragma omp parallel
  {
    emg_error own = {0};
    float *blocks;
    emg_status mine =
        emg_alloc_aligned(SAMPLES * (size_t)metric->n_dimensions, sizeof *blocks, &blocks, &own);
#pragma omp for schedule(dynamic)
    for (int64_t begin = 0; begin < shown->n_samples; begin += SAMPLES) {
      if (mine == EMG_OK) {
        int64_t end = begin + SAMPLES < shown->n_samples ? begin + SAMPLES : shown->n_samples;
        whiten_samples(shown, metric, out->whitener, begin, end, blocks, out->white);
      }
    }
    free(blocks);
    if (mine != EMG_OK) {
#pragma omp critical(emg_paper_whiten)
      {
        status = mine;
        if (err) {
          *err = own;
        }
      }
    }
  }
  return status;
}

emg_status emg_paper_source_create(const emg_fit_problem *problem, const emg_metric *metric,
                                   const emg_guided_signal *shown, emg_paper_source *out,
                                   emg_error *err) {
  const size_t rank = (size_t)metric->rank, d = (size_t)metric->n_dimensions;
  emg_status status;

  *out = (emg_paper_source){.problem = problem, .metric = metric, .n_samples = shown->n_samples};
  if (problem->view->n_window < metric->n_taps) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "action potentials of %d samples are shorter than filters of %d; lower "
                    "invert.paper_taps",
                    problem->view->n_window, metric->n_taps);
  }
  EMG_TRY_DONE(emg_alloc_aligned(rank * d, sizeof *out->whitener, &out->whitener, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)shown->n_samples * rank, sizeof *out->white, &out->white, err));
  for (size_t k = 0; k < rank; k++) {
    double scale = 1 / sqrt(metric->values[k]);
    for (size_t i = 0; i < d; i++) {
      out->whitener[k * d + i] = (float)(scale * metric->vectors[k * d + i]);
    }
  }
  status = whiten(shown, metric, out, err);
done:
  if (status != EMG_OK) {
    emg_paper_source_free(out);
  }
  return status;
}

void emg_paper_source_free(emg_paper_source *source) {
  free(source->whitener);
  free(source->white);
  *source = (emg_paper_source){0};
}

// --- units ---

// Room of one thread for one unit.
typedef struct {
  emg_mean_scratch *scratch;
  float *potentials, *filtered, *seen;  // [1 + N] as in fits
  float *blocks, *components;           // [window] of D, of rank
  double *energy;                       // [window]
  int *rows;                            // [window]
} unit_room;

static void unit_room_free(unit_room *room) {
  emg_mean_scratch_free(room->scratch);
  free(room->potentials);
  free(room->filtered);
  free(room->seen);
  free(room->blocks);
  free(room->components);
  free(room->energy);
  free(room->rows);
}

static emg_status unit_room_create(const emg_paper_source *s, unit_room *room, emg_error *err) {
  const emg_view *view = s->problem->view;
  const size_t n = 1 + N, n_electrodes = (size_t)view->n_electrodes;
  const size_t n_window = (size_t)view->n_window;

  *room = (unit_room){0};
  EMG_TRY(emg_mean_scratch_create(s->problem->model, &room->scratch, err));
  EMG_TRY(emg_alloc_aligned(n * n_electrodes * (size_t)view->n_potential, sizeof(float),
                            &room->potentials, err));
  EMG_TRY(emg_alloc_aligned(n * n_electrodes * n_window, sizeof(float), &room->filtered, err));
  EMG_TRY(
      emg_alloc_aligned(n * n_window * (size_t)view->n_channels, sizeof(float), &room->seen, err));
  EMG_TRY(emg_alloc_aligned(n_window * (size_t)s->metric->n_dimensions, sizeof(float),
                            &room->blocks, err));
  EMG_TRY(
      emg_alloc_aligned(n_window * (size_t)s->metric->rank, sizeof(float), &room->components, err));
  EMG_TRY(emg_alloc(n_window, sizeof *room->energy, &room->energy, err));
  return emg_alloc(n_window, sizeof *room->rows, &room->rows, err);
}

// Something done to each point, by one thread.
typedef struct {
  const emg_paper_source *source;
  bool with_gradient;
  emg_paper_point *points;
  float *blocks;       // [n][D]
  float *derivatives;  // [n][N][D]
} points_work;
typedef emg_status (*point_fn)(const points_work *work, int i, unit_room *room, emg_error *err);

static emg_status for_each(const points_work *work, int n, point_fn treat, emg_error *err) {
  emg_status status = EMG_OK;
  int failed = n;

#pragma omp parallel
  {
    unit_room room;
    emg_error own = {0};
    emg_status ready = unit_room_create(work->source, &room, &own);
#pragma omp for schedule(dynamic)
    for (int i = 0; i < n; i++) {
      emg_status mine = ready == EMG_OK ? treat(work, i, &room, &own) : ready;
      if (mine != EMG_OK) {
#pragma omp critical(emg_paper_points)
        if (i < failed) {
          failed = i;
          status = mine;
          if (err) {
            *err = own;
          }
        }
      }
    }
    unit_room_free(&room);
  }
  return status;
}

// --- where a filter is most visible ---

// Rows at which a whole block with at least half the energy of the fullest ends.
static int gather_blocks(const emg_metric *metric, int n_window, unit_room *room) {
  const int step = 2, first = metric->n_taps - 1;
  const float *potential = room->seen;
  double *energy = room->energy, most = 0;
  int n = 0;

  for (int row = first; row < n_window; row += step) {
    const float *block = potential + (ptrdiff_t)(row - first) * metric->n_channels;
    energy[row] = 0;
    for (int i = 0; i < metric->n_dimensions; i++) {
      energy[row] += (double)block[i] * block[i];
    }
    most = fmax(most, energy[row]);
  }
  for (int row = first; row < n_window; row += step) {
    if (energy[row] >= 0.5 * most) {
      emg_metric_block(metric, n_window, row, potential,
                       room->blocks + (ptrdiff_t)n * metric->n_dimensions);
      room->rows[n++] = row;
    }
  }
  return n;
}

static emg_status place_point(const points_work *work, int i, unit_room *room, emg_error *err) {
  const emg_paper_source *s = work->source;
  const emg_view *view = s->problem->view;
  const int d = s->metric->n_dimensions, rank = s->metric->rank;
  emg_paper_point *point = &work->points[i];
  double most = -1;

  EMG_TRY(emg_mean_unit_potential(s->problem->model, &point->unit, room->scratch, room->potentials,
                                  err));
  emg_view_apply(view, 1, room->potentials, 0, room->filtered, room->seen);
  int n = gather_blocks(s->metric, view->n_window, room);
  emg_sgemm(0, 1, n, rank, d, 1, room->blocks, d, s->whitener, d, 0, room->components, rank);
  for (int k = 0; k < n; k++) {
    double height = 0;
    for (int j = 0; j < rank; j++) {
      double x = room->components[(ptrdiff_t)k * rank + j];
      height += x * x;
    }
    if (height > most) {
      most = height;
      point->row = room->rows[k];
    }
  }
  return EMG_OK;
}

emg_status emg_paper_place(const emg_paper_source *source, int n, emg_paper_point *points,
                           emg_error *err) {
  const points_work work = {.source = source, .points = points};

  return for_each(&work, n, place_point, err);
}

// --- kurtosis and gradient ---

static emg_status fill_blocks(const points_work *work, int i, unit_room *room, emg_error *err) {
  const emg_fit_problem *problem = work->source->problem;
  const emg_view *view = problem->view;
  const emg_paper_point *point = &work->points[i];
  const int d = work->source->metric->n_dimensions;
  const ptrdiff_t size = (ptrdiff_t)view->n_window * view->n_channels;
  float *of_derivatives = room->potentials + (ptrdiff_t)view->n_electrodes * view->n_potential;

  if (!work->with_gradient) {
    EMG_TRY(emg_mean_unit_potential(problem->model, &point->unit, room->scratch, room->potentials,
                                    err));
  } else {
    EMG_TRY(emg_mean_unit_derivatives(problem->model, &point->unit, room->scratch, room->potentials,
                                      of_derivatives, err));
  }
  emg_view_apply(view, work->with_gradient ? 1 + N : 1, room->potentials, 0, room->filtered,
                 room->seen);
  emg_metric_block(work->source->metric, view->n_window, point->row, room->seen,
                   work->blocks + (ptrdiff_t)i * d);
  for (int p = 0; work->with_gradient && p < N; p++) {
    emg_metric_block(work->source->metric, view->n_window, point->row, room->seen + (1 + p) * size,
                     work->derivatives + ((ptrdiff_t)i * N + p) * d);
  }
  return EMG_OK;
}

// The arrays of one call.
typedef struct {
  float *blocks, *derivatives;  // [n][D], [n][N][D]
  float *whitened;              // [n][rank], of unit length
  double *length;               // [n] before
  float *sources;               // [sample][n]
  double *powers;               // [CHUNKS][2][n], then of all in the first
  float *slopes;                // [CHUNKS][n][rank], then of all in the first
  float *uphill;                // [n][D]
} evaluation;

static void evaluation_free(evaluation *e) {
  free(e->blocks);
  free(e->derivatives);
  free(e->whitened);
  free(e->length);
  free(e->sources);
  free(e->powers);
  free(e->slopes);
  free(e->uphill);
}

static emg_status evaluation_create(const emg_paper_source *s, bool with_gradient, size_t n,
                                    evaluation *e, emg_error *err) {
  const size_t d = (size_t)s->metric->n_dimensions, rank = (size_t)s->metric->rank;

  *e = (evaluation){0};
  EMG_TRY(emg_alloc_aligned(n * d, sizeof *e->blocks, &e->blocks, err));
  EMG_TRY(emg_alloc_aligned(n * rank, sizeof *e->whitened, &e->whitened, err));
  EMG_TRY(emg_alloc(n, sizeof *e->length, &e->length, err));
  EMG_TRY(emg_alloc_aligned((size_t)s->n_samples * n, sizeof *e->sources, &e->sources, err));
  EMG_TRY(emg_alloc(CHUNKS * 2 * n, sizeof *e->powers, &e->powers, err));
  if (with_gradient) {
    EMG_TRY(emg_alloc_aligned(n * N * d, sizeof *e->derivatives, &e->derivatives, err));
    EMG_TRY(emg_alloc_aligned(CHUNKS * n * rank, sizeof *e->slopes, &e->slopes, err));
    EMG_TRY(emg_alloc_aligned(n * d, sizeof *e->uphill, &e->uphill, err));
  }
  return EMG_OK;
}

static void whiten_blocks(const emg_paper_source *s, int n, evaluation *e) {
  const int d = s->metric->n_dimensions, rank = s->metric->rank;

#pragma omp parallel for schedule(dynamic)
  for (int begin = 0; begin < n; begin += GROUP) {
    int count = begin + GROUP < n ? GROUP : n - begin;
    emg_sgemm(0, 1, count, rank, d, 1, e->blocks + (ptrdiff_t)begin * d, d, s->whitener, d, 0,
              e->whitened + (ptrdiff_t)begin * rank, rank);
    for (int i = begin; i < begin + count; i++) {
      float *u = e->whitened + (ptrdiff_t)i * rank;
      double length2 = 0;
      for (int k = 0; k < rank; k++) {
        length2 += (double)u[k] * u[k];
      }
      e->length[i] = sqrt(length2);
      for (int k = 0; k < rank; k++) {
        u[k] = length2 > 0 ? (float)(u[k] / e->length[i]) : 0;
      }
    }
  }
}

// Samples of a chunk: chunks are summed one by one and added in order.
static int64_t chunk_begin(const emg_paper_source *s, int chunk) {
  return s->n_samples * chunk / CHUNKS;
}

static void sum_powers(const emg_paper_source *s, int n, evaluation *e) {
  const int rank = s->metric->rank;

#pragma omp parallel for schedule(dynamic)
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    int64_t begin = chunk_begin(s, chunk), end = chunk_begin(s, chunk + 1);
    double *squares = e->powers + (ptrdiff_t)chunk * 2 * n, *fourths = squares + n;
    emg_sgemm(0, 1, (int)(end - begin), n, rank, 1, s->white + begin * rank, rank, e->whitened,
              rank, 0, e->sources + begin * n, n);
    for (int64_t at = begin; at < end; at++) {
      for (int i = 0; i < n; i++) {
        double y = e->sources[at * n + i], square = y * y;
        squares[i] += square;
        fourths[i] += square * square;
      }
    }
  }
  for (int chunk = 1; chunk < CHUNKS; chunk++) {
    for (int i = 0; i < 2 * n; i++) {
      e->powers[i] += e->powers[(ptrdiff_t)chunk * 2 * n + i];
    }
  }
}

static void set_kurtosis(const emg_paper_source *s, int n, const evaluation *e,
                         emg_paper_point *points) {
  for (int i = 0; i < n; i++) {
    double m2 = e->powers[i] / (double)s->n_samples, m4 = e->powers[n + i] / (double)s->n_samples;
    points[i].kurtosis = m2 > 0 ? m4 / (m2 * m2) - 3 : 0;
  }
}

// Slopes of the kurtosis by the whitened filter; sources become the weights of the samples.
static void sum_slopes(const emg_paper_source *s, int n, evaluation *e) {
  const int rank = s->metric->rank;
  const double n_samples = (double)s->n_samples;

#pragma omp parallel for schedule(dynamic)
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    int64_t begin = chunk_begin(s, chunk), end = chunk_begin(s, chunk + 1);
    for (int64_t at = begin; at < end; at++) {
      for (int i = 0; i < n; i++) {
        double m2 = e->powers[i] / n_samples, m4 = e->powers[n + i] / n_samples;
        double y = e->sources[at * n + i];
        double weight = m2 > 0 ? 4 / n_samples * y * (y * y - m4 / m2) / (m2 * m2) : 0;
        e->sources[at * n + i] = (float)weight;
      }
    }
    emg_sgemm(1, 0, n, rank, (int)(end - begin), 1, e->sources + begin * n, n,
              s->white + begin * rank, rank, 0, e->slopes + (ptrdiff_t)chunk * n * rank, rank);
  }
  for (int chunk = 1; chunk < CHUNKS; chunk++) {
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * rank; i++) {
      e->slopes[i] += e->slopes[(ptrdiff_t)chunk * n * rank + i];
    }
  }
}

// Through the filter's length, the whitening and the block to the parameters.
static void set_gradients(const emg_paper_source *s, int n, evaluation *e,
                          emg_paper_point *points) {
  const int d = s->metric->n_dimensions, rank = s->metric->rank;

#pragma omp parallel for schedule(dynamic)
  for (int begin = 0; begin < n; begin += GROUP) {
    int count = begin + GROUP < n ? GROUP : n - begin;
    emg_sgemm(0, 0, count, d, rank, 1, e->slopes + (ptrdiff_t)begin * rank, rank, s->whitener, d, 0,
              e->uphill + (ptrdiff_t)begin * d, d);
    for (int i = begin; i < begin + count; i++) {
      for (int p = 0; p < N; p++) {
        const float *along = e->derivatives + ((ptrdiff_t)i * N + p) * d;
        const float *uphill = e->uphill + (ptrdiff_t)i * d;
        double sum = 0;
        for (int k = 0; k < d; k++) {
          sum += (double)uphill[k] * along[k];
        }
        points[i].gradient[p] = e->length[i] > 0 ? sum / e->length[i] : 0;
      }
    }
  }
}

emg_status emg_paper_evaluate(const emg_paper_source *s, bool with_gradient, int n,
                              emg_paper_point *points, float *filters, emg_error *err) {
  const int d = s->metric->n_dimensions, rank = s->metric->rank;
  evaluation e;
  emg_status status;

  EMG_TRY_DONE(evaluation_create(s, with_gradient, (size_t)n, &e, err));
  const points_work work = {s, with_gradient, points, e.blocks, e.derivatives};
  EMG_TRY_DONE(for_each(&work, n, fill_blocks, err));
  whiten_blocks(s, n, &e);
  if (filters) {
    emg_sgemm(0, 0, n, d, rank, 1, e.whitened, rank, s->whitener, d, 0, filters, d);
  }
  sum_powers(s, n, &e);
  set_kurtosis(s, n, &e, points);
  if (with_gradient) {
    sum_slopes(s, n, &e);
    set_gradients(s, n, &e, points);
  }
done:
  evaluation_free(&e);
  return status;
}
