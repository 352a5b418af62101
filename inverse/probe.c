// probe.c -- filters of the units of a bank, tried on a recording
//
// A source of spikes is skewed, noise is not. Filters are ridge-regularised, so that a unit of the
// bank need only be near to one that is there.
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernel.h"
#include "base/lin.h"

#define STAGE "probing"

enum { UNITS = 32, SAMPLES = 256, CHUNKS = 16 };

// --- filters ---

// Rows at which blocks may end: within the window, after the discharge.
typedef struct {
  int first, step, n;
} endings;

static endings endings_of(const emg_bank *bank, const emg_metric *metric) {
  int step = metric->n_taps / 4 > 1 ? metric->n_taps / 4 : 1;
  int first = bank->origin + step, last = bank->n_window - 1;
  return (endings){first, step, last > first ? (last - first) / step + 1 : 1};
}

// Energy of each block that ends at one of `rows`.
static void block_energies(const emg_bank *bank, int n_taps, endings rows, const float *potential,
                           double *energy) {
  for (int i = 0; i < rows.n; i++) {
    int last = rows.first + i * rows.step;
    energy[i] = 0;
    for (int row = last - n_taps + 1; row <= last; row++) {
      for (int c = 0; row >= 0 && row < bank->n_window && c < bank->n_channels; c++) {
        double v = potential[(ptrdiff_t)row * bank->n_channels + c];
        energy[i] += v * v;
      }
    }
  }
}

// Room of one thread for the filters of a few units.
typedef struct {
  float *blocks, *components;  // [UNITS][rows.n] of D, of rank
  double *energy;              // [rows.n]
  int *row;                    // of each block
  int count[UNITS];            // of blocks, for each unit
} filter_room;

static void filter_room_free(filter_room *room) {
  free(room->blocks);
  free(room->components);
  free(room->energy);
  free(room->row);
}

static emg_status filter_room_create(const emg_metric *metric, endings rows, filter_room *room,
                                     emg_error *err) {
  size_t n = UNITS * (size_t)rows.n;

  *room = (filter_room){0};
  EMG_TRY(emg_alloc_aligned(n * (size_t)metric->n_dimensions, sizeof(float), &room->blocks, err));
  EMG_TRY(emg_alloc_aligned(n * (size_t)metric->rank, sizeof(float), &room->components, err));
  EMG_TRY(emg_alloc((size_t)rows.n, sizeof *room->energy, &room->energy, err));
  return emg_alloc(n, sizeof *room->row, &room->row, err);
}

// Blocks of a unit with at least half the energy of the fullest: no other is the most visible.
static int gather(const emg_bank *bank, const emg_metric *metric, endings rows, int unit, int n,
                  filter_room *room) {
  const float *potential = bank->potentials + (ptrdiff_t)unit * bank->n_window * bank->n_channels;
  double most = 0;
  int begin = n;

  block_energies(bank, metric->n_taps, rows, potential, room->energy);
  for (int i = 0; i < rows.n; i++) {
    most = fmax(most, room->energy[i]);
  }
  for (int i = 0; i < rows.n; i++) {
    if (room->energy[i] >= 0.5 * most) {
      room->row[n] = rows.first + i * rows.step;
      emg_metric_block(metric, bank->n_window, room->row[n], potential,
                       room->blocks + (ptrdiff_t)n * metric->n_dimensions);
      n++;
    }
  }
  return n - begin;
}

// The most visible of a unit's blocks as a filter on V'xe: of unit length in the whitened space.
static void choose(const emg_metric *metric, double load, int n_blocks, const int *row,
                   const float *components, int origin, emg_probe *probe, float *filter) {
  const int rank = metric->rank;
  const float *best = components;
  double length2 = 0;

  probe->height = -1;
  for (int i = 0; i < n_blocks; i++) {
    const float *p = components + (ptrdiff_t)i * rank;
    double height = 0;
    for (int k = 0; k < rank; k++) {
      height += (double)p[k] * p[k] / (metric->values[k] + load);
    }
    if (height > probe->height) {
      probe->height = height;
      probe->delay = row[i] - origin;
      best = p;
    }
  }
  for (int k = 0; k < rank; k++) {
    double f = best[k] / (metric->values[k] + load);
    filter[k] = (float)f;
    length2 += f * f * metric->values[k];
  }
  for (int k = 0; k < rank; k++) {
    filter[k] = length2 > 0 ? (float)(filter[k] / sqrt(length2)) : 0;
  }
}

static void make_some(const emg_bank *bank, const emg_metric *metric, endings rows, double load,
                      int begin, int end, filter_room *room, emg_probe *probes, float *filters) {
  int n = 0;

  for (int unit = begin; unit < end; unit++) {
    room->count[unit - begin] = gather(bank, metric, rows, unit, n, room);
    n += room->count[unit - begin];
  }
  emg_sgemm(0, 1, n, metric->rank, metric->n_dimensions, 1, room->blocks, metric->n_dimensions,
            metric->vectors, metric->n_dimensions, 0, room->components, metric->rank);
  n = 0;
  for (int unit = begin; unit < end; unit++) {
    probes[unit].unit = unit;
    choose(metric, load, room->count[unit - begin], room->row + n,
           room->components + (ptrdiff_t)n * metric->rank, bank->origin, &probes[unit],
           filters + (ptrdiff_t)unit * metric->rank);
    n += room->count[unit - begin];
  }
}

// filters[unit][rank] and delays of the whole bank.
static emg_status make_filters(const emg_bank *bank, const emg_metric *metric, double ridge,
                               emg_probe *probes, float *filters, emg_error *err) {
  const endings rows = endings_of(bank, metric);
  const double load = ridge * metric->values[0];
  emg_status status = EMG_OK;

#pragma omp parallel
  {
    filter_room room;
    emg_error own = {0};
    emg_status ready = filter_room_create(metric, rows, &room, &own);

    if (ready != EMG_OK) {
#pragma omp critical(emg_probe_filters)
      {
        status = ready;
        if (err) {
          *err = own;
        }
      }
    }
#pragma omp for schedule(dynamic)
    for (int begin = 0; begin < bank->n; begin += UNITS) {
      if (ready == EMG_OK) {
        int end = begin + UNITS < bank->n ? begin + UNITS : bank->n;
        make_some(bank, metric, rows, load, begin, end, &room, probes, filters);
      }
    }
    filter_room_free(&room);
  }
  return status;
}

// --- sources ---

// Room of one thread for a block of samples.
typedef struct {
  float *blocks, *components, *sources;
  float *part;  // [4][n] of one block of samples
} source_room;

static void source_room_free(source_room *room) {
  free(room->blocks);
  free(room->components);
  free(room->sources);
  free(room->part);
}

static emg_status source_room_create(const emg_metric *metric, int n, source_room *room,
                                     emg_error *err) {
  size_t count = (size_t)n;

  *room = (source_room){0};
  EMG_TRY(
      emg_alloc_aligned(SAMPLES * (size_t)metric->n_dimensions, sizeof(float), &room->blocks, err));
  EMG_TRY(emg_alloc_aligned(SAMPLES * (size_t)metric->rank, sizeof(float), &room->components, err));
  EMG_TRY(emg_alloc_aligned(SAMPLES * count, sizeof(float), &room->sources, err));
  return emg_alloc_aligned(4 * count, sizeof(float), &room->part, err);
}

EMG_KERNEL static void add_powers(int n_rows, int n, const float *restrict sources,
                                  float *restrict part) {
  for (int row = 0; row < n_rows; row++) {
    const float *y = sources + (ptrdiff_t)row * n;
    for (int i = 0; i < n; i++) {
      float square = y[i] * y[i];
      part[i] += y[i];
      part[n + i] += square;
      part[2 * n + i] += square * y[i];
      part[3 * n + i] += square * square;
    }
  }
}

static void sum_chunk(const emg_metric *metric, const emg_probe_search *search, int64_t begin,
                      int64_t end, const float *filters, int n, source_room *room, double *sums) {
  const int d = metric->n_dimensions, rank = metric->rank;

  for (int64_t at = begin; at < end; at += SAMPLES) {
    int n_rows = end - at < SAMPLES ? (int)(end - at) : SAMPLES;
    for (int i = 0; i < n_rows; i++) {
      const float *rows = search->rows + (at + i - metric->n_taps + 1) * metric->n_channels;
      memcpy(room->blocks + (ptrdiff_t)i * d, rows, (size_t)d * sizeof *rows);
    }
    emg_sgemm(0, 1, n_rows, rank, d, 1, room->blocks, d, metric->vectors, d, 0, room->components,
              rank);
    emg_sgemm(0, 1, n_rows, n, rank, 1, room->components, rank, filters, rank, 0, room->sources, n);
    memset(room->part, 0, 4 * (size_t)n * sizeof *room->part);
    add_powers(n_rows, n, room->sources, room->part);
    for (ptrdiff_t i = 0; i < 4 * (ptrdiff_t)n; i++) {
      sums[i] += room->part[i];
    }
  }
}

static emg_moments moments_of(const double *sum, ptrdiff_t stride, double n) {
  double m1 = sum[0] / n, m2 = sum[stride] / n, m3 = sum[2 * stride] / n, m4 = sum[3 * stride] / n;
  double variance = m2 - m1 * m1;
  emg_moments moments = {.mean = m1, .variance = variance};

  if (variance > 0) {
    moments.skewness = (m3 - 3 * m1 * m2 + 2 * m1 * m1 * m1) / pow(variance, 1.5);
    moments.kurtosis =
        (m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1) / (variance * variance) - 3;
  }
  return moments;
}

// Each chunk is summed by one thread, chunks in order: the same bits for any number of threads.
static emg_status score(const emg_metric *metric, const emg_probe_search *search,
                        const float *filters, int n, const emg_monitor *monitor, emg_probe *probes,
                        emg_error *err) {
  const int64_t length = search->end - search->begin;
  double *sums = NULL;
  int n_done = 0;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)CHUNKS * 4 * (size_t)n, sizeof *sums, &sums, err));
  status = EMG_OK;
#pragma omp parallel
  {
    source_room room;
    emg_error own = {0};
    emg_status ready = source_room_create(metric, n, &room, &own);

#pragma omp for schedule(dynamic)
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
      if (ready == EMG_OK) {
        sum_chunk(metric, search, search->begin + length * chunk / CHUNKS,
                  search->begin + length * (chunk + 1) / CHUNKS, filters, n, &room,
                  sums + (ptrdiff_t)chunk * 4 * n);
      }
#pragma omp critical(emg_probe_score)
      {
        if (ready == EMG_OK) {
          ready = emg_progress(monitor, STAGE, ++n_done, CHUNKS, &own);
        }
        if (ready != EMG_OK && status == EMG_OK) {
          status = ready;
          if (err) {
            *err = own;
          }
        }
      }
    }
    source_room_free(&room);
  }
  for (int i = 0; i < n && status == EMG_OK; i++) {
    double of_unit[4] = {0};
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
      for (int power = 0; power < 4; power++) {
        of_unit[power] += sums[((ptrdiff_t)chunk * 4 + power) * n + i];
      }
    }
    probes[i].moments = moments_of(of_unit, 1, (double)length);
  }
  free(sums);
  return status;
}

// --- the best ---

static int by_skewness(const void *a, const void *b) {
  const emg_probe *x = a, *y = b;
  if (x->moments.skewness != y->moments.skewness) {
    return x->moments.skewness > y->moments.skewness ? -1 : 1;
  }
  return x->unit - y->unit;
}

static int by_kurtosis(const void *a, const void *b) {
  const emg_probe *x = a, *y = b;
  if (x->moments.kurtosis != y->moments.kurtosis) {
    return x->moments.kurtosis > y->moments.kurtosis ? -1 : 1;
  }
  return x->unit - y->unit;
}

EMG_KERNEL static float dot(int n, const float *restrict a, const float *restrict b) {
  float sum[16] = {0};
  for (int i = 0; i < n; i++) {
    sum[i % 16] += a[i] * b[i];
  }
  for (int i = 1; i < 16; i++) {
    sum[0] += sum[i];
  }
  return sum[0];
}

// Whether a whitened filter is less alike than that to all kept.
static bool is_new(int rank, const float *filter, int n_kept, const float *kept,
                   double cosine_max) {
  for (int i = 0; i < n_kept; i++) {
    if (fabsf(dot(rank, filter, kept + (ptrdiff_t)i * rank)) >= cosine_max) {
      return false;
    }
  }
  return true;
}

static emg_status keep_best(const emg_metric *metric, const emg_probe_search *search, int n,
                            emg_probe *probes, const float *filters, emg_probes *out,
                            emg_error *err) {
  const int rank = metric->rank, d = metric->n_dimensions;
  float *kept = NULL, *white = NULL;  // of filters, and whitened
  emg_status status;

  qsort(probes, (size_t)n, sizeof *probes, search->by_kurtosis ? by_kurtosis : by_skewness);
  EMG_TRY_DONE(emg_alloc_aligned((size_t)search->n_most * (size_t)rank, sizeof *kept, &kept, err));
  EMG_TRY_DONE(
      emg_alloc_aligned(((size_t)search->n_most + 1) * (size_t)rank, sizeof *white, &white, err));
  for (int i = 0; i < n && out->n < search->n_most; i++) {
    const float *filter = filters + (ptrdiff_t)probes[i].unit * rank;
    float *candidate = white + (ptrdiff_t)out->n * rank;
    for (int k = 0; k < rank; k++) {
      candidate[k] = (float)(filter[k] * sqrt(metric->values[k]));
    }
    if (is_new(rank, candidate, out->n, white, search->cosine_max)) {
      memcpy(kept + (ptrdiff_t)out->n * rank, filter, (size_t)rank * sizeof *kept);
      out->items[out->n++] = probes[i];
    }
  }
  emg_sgemm(0, 0, out->n, d, rank, 1, kept, rank, metric->vectors, d, 0, out->filters, d);
done:
  free(kept);
  free(white);
  return status;
}

emg_status emg_probes_create(const emg_bank *bank, const emg_metric *metric,
                             const emg_probe_search *search, const emg_monitor *monitor,
                             emg_probes *out, emg_error *err) {
  const size_t n_most = (size_t)search->n_most;
  emg_probe *probes = NULL;
  float *filters = NULL;
  emg_status status;

  *out = (emg_probes){.n_dimensions = metric->n_dimensions};
  if (search->end <= search->begin || search->n_most < 1) {
    return emg_fail(err, EMG_ERR_ARG, "%d probes cannot be kept of samples %lld to %lld",
                    search->n_most, (long long)search->begin, (long long)search->end);
  }
  EMG_TRY_DONE(emg_alloc((size_t)bank->n, sizeof *probes, &probes, err));
  EMG_TRY_DONE(
      emg_alloc_aligned((size_t)bank->n * (size_t)metric->rank, sizeof *filters, &filters, err));
  EMG_TRY_DONE(emg_alloc(n_most, sizeof *out->items, &out->items, err));
  EMG_TRY_DONE(emg_alloc_aligned(n_most * (size_t)metric->n_dimensions, sizeof *out->filters,
                                 &out->filters, err));
  EMG_TRY_DONE(make_filters(bank, metric, search->ridge, probes, filters, err));
  EMG_TRY_DONE(score(metric, search, filters, bank->n, monitor, probes, err));
  EMG_TRY_DONE(keep_best(metric, search, bank->n, probes, filters, out, err));
done:
  free(probes);
  free(filters);
  if (status != EMG_OK) {
    emg_probes_free(out);
  }
  return status;
}

void emg_probes_free(emg_probes *probes) {
  free(probes->items);
  free(probes->filters);
  *probes = (emg_probes){0};
}
