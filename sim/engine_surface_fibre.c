// engine_surface_fibre.c -- one fibre at electrodes on the skin
//
// Cost of a fibre at 13 x 5 electrodes and 4096 Hz beside the muscle's boundary, in multiply-adds
// of 8 floats: collapsing 16 lines of q0 and q3 over 16 phases of 32 blocks, 5 * 2 * 64 * 16 = 10
// k, on 330 KB of table; two waves of 108 samples with 4 taps in 16 lanes, 8.6 k; four events of 8
// taps in 4 functions, 1.3 k, and their transients of 18 samples, 2.9 k. Deeper bands have a half
// to a quarter of the phases. docs/engine.md has the floor and what was measured.
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/kernel.h"
#include "sim/engine_lagrange.h"

// Eight floats at any address; arithmetic on it compiles to what the processor has.
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LINES = 16, EVENT_TAPS = 8, TAIL_PHASES = EVENT_TAPS - 1 };

// Place of a sample's four taps in the collapsed line, and their weights.
typedef struct {
  int offset;
  float weight[4];
} tap;

// Where a collapsed line is cut out of the table.
typedef struct {
  int first_block, n_blocks;  // multiples of 8
} window;

struct emg_surface_scratch {
  float *line;     // [2][n_phases + TAIL_PHASES][n_blocks], n_blocks of the window
  tap *taps[2];    // [n_samples] of each side
  float *bank[2];  // [n_columns][n_samples][n_lanes]; side 1 with its rows reversed
  int begin, end;  // samples in use
  int n_samples;
  float event_basis[3][EVENT_TAPS][EVENT_TAPS];  // [derivative][power][node]
};

// --- Eight-point interpolation and its derivatives ----------------------------------------------

// Coefficients of the Lagrange polynomials on nodes -3 .. 4 and of their first two derivatives.
static void fill_event_basis(float basis[3][EVENT_TAPS][EVENT_TAPS]) {
  for (int node = 0; node < EVENT_TAPS; node++) {
    double poly[EVENT_TAPS] = {1};
    int degree = 0;

    for (int other = 0; other < EVENT_TAPS; other++) {
      if (other == node) {
        continue;
      }
      // times (s - x_other) / (x_node - x_other)
      double root = other - 3, scale = 1.0 / (node - other);
      for (int p = ++degree; p >= 0; p--) {
        double lower = p > 0 ? poly[p - 1] : 0, same = p < degree ? poly[p] : 0;
        poly[p] = (lower - root * same) * scale;
      }
    }
    for (int p = 0; p < EVENT_TAPS; p++) {
      basis[0][p][node] = (float)poly[p];
      basis[1][p][node] = p + 1 < EVENT_TAPS ? (float)((p + 1) * poly[p + 1]) : 0;
      basis[2][p][node] = p + 2 < EVENT_TAPS ? (float)((p + 2) * (p + 1) * poly[p + 2]) : 0;
    }
  }
}

ALWAYS_INLINE void event_polynomial(const float basis[EVENT_TAPS][EVENT_TAPS], float s, v8 *out) {
  v8 sum = *(const v8 *)basis[EVENT_TAPS - 1];

  for (int p = EVENT_TAPS - 2; p >= 0; p--) {
    sum = sum * s + *(const v8 *)basis[p];
  }
  *out = sum;
}

// Weights that make q0..q2 of a line of q0, and q3 of a line of q3. From their transforms,
// q1 = q0 - l q0' and q2 = (q0 - 2 l q0' + l^2 q0'') / 2; `ratio` is l over the step.
ALWAYS_INLINE void event_weights(const emg_surface_scratch *scratch, float s, float ratio,
                                 float weights[4][EVENT_TAPS]) {
  v8 value, slope, bend;

  event_polynomial(scratch->event_basis[0], s, &value);
  event_polynomial(scratch->event_basis[1], s, &slope);
  event_polynomial(scratch->event_basis[2], s, &bend);
  slope *= ratio;
  bend *= ratio * ratio;
  *(v8 *)weights[0] = value;
  *(v8 *)weights[1] = value - slope;
  *(v8 *)weights[2] = (value - 2 * slope + bend) * 0.5f;
  *(v8 *)weights[3] = value;
}

// --- Collapsing 16 lines into one ---------------------------------------------------------------

ALWAYS_INLINE void collapse_blocks(int n_vectors, const float *const *lines, ptrdiff_t at,
                                   const float *weights, float *out) {
  v8 sum[4];

  for (int v = 0; v < n_vectors; v++) {
    sum[v] = *(const v8 *)(lines[0] + at + 8 * v) * weights[0];
  }
  for (int l = 1; l < LINES; l++) {
    for (int v = 0; v < n_vectors; v++) {
      sum[v] += *(const v8 *)(lines[l] + at + 8 * v) * weights[l];
    }
  }
  for (int v = 0; v < n_vectors; v++) {
    *(v8 *)(out + 8 * v) = sum[v];
  }
}

// Both functions over the window, then the phases past the last: a row of blocks further on.
EMG_KERNEL
static void collapse(const emg_band *band, const float *const *lines, const float *weights,
                     window w, float *out) {
  for (int f = 0; f < 2; f++) {
    float *rows = out + (ptrdiff_t)f * (band->n_phases + TAIL_PHASES) * w.n_blocks;

    for (int p = 0; p < band->n_phases; p++) {
      ptrdiff_t at = f * band->function_stride + (ptrdiff_t)p * band->row_stride + w.first_block;
      float *row = rows + (ptrdiff_t)p * w.n_blocks;
      int i = 0;
      for (; i + 32 <= w.n_blocks; i += 32) {
        collapse_blocks(4, lines, at + i, weights, row + i);
      }
      for (; i < w.n_blocks; i += 8) {
        collapse_blocks(1, lines, at + i, weights, row + i);
      }
    }
    for (int p = band->n_phases; p < band->n_phases + TAIL_PHASES; p++) {
      float *row = rows + (ptrdiff_t)p * w.n_blocks;
      memcpy(row, row - (ptrdiff_t)band->n_phases * w.n_blocks + 1,
             (size_t)(w.n_blocks - 1) * sizeof(float));
      row[w.n_blocks - 1] = 0;
    }
  }
}

// The 4 x 4 lines about (R, dtheta); angles are reflected at 0 and pi, radii one-sided at the ends.
static void choose_lines(const emg_band *band, double radius_m, double dtheta_rad, float scale,
                         const float **lines, float *weights) {
  double radius = (radius_m - band->radius_min_m) / band->radius_step_m;
  double angle = fabs(remainder(dtheta_rad, 2 * M_PI)) / band->angle_step_rad;
  int first = emg_lagrange4_first(radius, band->n_radii), cell = (int)angle;
  double by_radius[4], by_angle[4];

  emg_lagrange4(radius - (first + 1), by_radius);
  emg_lagrange4(angle - cell, by_angle);
  for (int a = 0; a < 4; a++) {
    int at = abs(cell - 1 + a);
    at = at >= band->n_angles ? 2 * (band->n_angles - 1) - at : at;
    for (int r = 0; r < 4; r++) {
      lines[4 * r + a] =
          band->data + ((ptrdiff_t)(first + r) * band->n_angles + at) * band->line_stride;
      weights[4 * r + a] = (float)(scale * by_radius[r] * by_angle[a]);
    }
  }
}

// --- Travelling waves and transients ------------------------------------------------------------

// Taps of samples at y = y_first - i * y_step, both in steps of the table from offset 0.
EMG_KERNEL
static void fill_taps(int n, double y_first, double y_step, int n_phases, window w, tap *taps) {
  const double per_phase = 1.0 / n_phases;

  for (int i = 0; i < n; i++) {
    double y = y_first - i * y_step;
    int j = (int)y;
    float s = (float)(y - j);
    j--;
    int block = (int)((j + 0.5) * per_phase);
    taps[i].offset = (j - block * n_phases) * w.n_blocks + block - w.first_block;
    float a = s + 1, b = s - 1, c = s - 2;
    taps[i].weight[0] = -s * b * c * (1.0f / 6);
    taps[i].weight[1] = a * b * c * 0.5f;
    taps[i].weight[2] = -a * s * c * 0.5f;
    taps[i].weight[3] = a * s * b * (1.0f / 6);
  }
}

ALWAYS_INLINE void add_wave_lanes(int n_vectors, int n, const tap *taps, const float *line,
                                  int stride, int n_lanes, float *out) {
  for (int i = 0; i < n; i++) {
    const float *at = line + taps[i].offset;
    const float *weight = taps[i].weight;
    float *row = out + (ptrdiff_t)i * n_lanes;

    for (int v = 0; v < n_vectors; v++) {
      v8 sum = *(const v8 *)(row + 8 * v);
      for (int m = 0; m < 4; m++) {
        sum += *(const v8 *)(at + m * stride + 8 * v) * weight[m];
      }
      *(v8 *)(row + 8 * v) = sum;
    }
  }
}

EMG_KERNEL
static void add_wave(int n, const tap *taps, const float *line, int stride, int n_lanes,
                     float *out) {
  int lane = 0;

  for (; lane + 16 <= n_lanes; lane += 16) {
    add_wave_lanes(2, n, taps, line + lane, stride, n_lanes, out + lane);
  }
  if (lane < n_lanes) {
    add_wave_lanes(1, n, taps, line + lane, stride, n_lanes, out + lane);
  }
}

// Add factor . (q0, q1, q2, q3) of all rows at the place y of row 0, over the transient's samples.
EMG_KERNEL
static void add_transient(const emg_surface_scratch *scratch, const emg_transient *transient,
                          double y, int n_phases, float ratio, window w, int n_lanes, float *out) {
  float weights[4][EVENT_TAPS];
  const int j = (int)y - 3, block = j / n_phases;
  const ptrdiff_t q3 = (ptrdiff_t)(n_phases + TAIL_PHASES) * w.n_blocks;
  const float *at =
      scratch->line + (ptrdiff_t)(j - block * n_phases) * w.n_blocks + block - w.first_block;

  event_weights(scratch, (float)(y - (int)y), ratio, weights);
  for (int lane = 0; lane < n_lanes; lane += 8) {
    v8 q[4] = {{0}};
    for (int m = 0; m < EVENT_TAPS; m++) {
      v8 value = *(const v8 *)(at + (ptrdiff_t)m * w.n_blocks + lane);
      q[0] += value * weights[0][m];
      q[1] += value * weights[1][m];
      q[2] += value * weights[2][m];
      q[3] += *(const v8 *)(at + q3 + (ptrdiff_t)m * w.n_blocks + lane) * weights[3][m];
    }
    for (int i = 0; i < transient->count; i++) {
      const float *factor = transient->factor[i];
      float *row = out + (ptrdiff_t)(transient->first + i) * n_lanes + lane;
      *(v8 *)row += q[0] * factor[0] + q[1] * factor[1] + q[2] * factor[2] + q[3] * factor[3];
    }
  }
}

// --- One fibre ----------------------------------------------------------------------------------

static const emg_band *band_of(const emg_surface *surface, double radius_m) {
  int i = 0;

  while (i + 1 < surface->n_bands && radius_m > surface->bands[i].radius_max_m) {
    i++;
  }
  return &surface->bands[i];
}

// Row 0 of either side sees the wave from y down to y - length: the window that holds both.
static window window_of(const emg_band *band, int n_lanes, const double y[2],
                        const double length[2]) {
  double high = fmax(y[0], y[1]), low = fmin(y[0] - length[0], y[1] - length[1]);
  int first = ((int)low - 3) / band->n_phases / 8 * 8;
  int last = (int)high / band->n_phases + n_lanes + 8 / band->n_phases;

  return (window){first, (last + 1 - first + 7) / 8 * 8};
}

void emg_surface_add(const emg_table_source *source, const emg_surface *surface,
                     const emg_fibre *fibre, float scale, const emg_course *course,
                     emg_surface_scratch *scratch) {
  const emg_band *band = band_of(surface, fibre->radius_m);
  const double step_m = band->offset_step_m;
  const double length[2] = {fibre->length_1_m / step_m, fibre->length_2_m / step_m};
  const float ratio = (float)(source->source.scale_m / step_m);
  const double height_m = (surface->n_rows - 1) * surface->pitch_m;
  const ptrdiff_t column_size = (ptrdiff_t)scratch->n_samples * surface->n_lanes;
  double known_first_m = NAN, y[2] = {0};
  window w = {0};

  for (int c = 0; c < surface->n_columns; c++) {
    const emg_engine_column *column = &surface->columns[c];
    const float *lines[LINES];
    float weights[LINES];

    // rows at the same z share windows and taps; the left-going wave sees the rows from the other
    // end, so its bank holds them in reverse
    if (column->first_m != known_first_m) {
      known_first_m = column->first_m;
      double offset_m = column->first_m - fibre->end_plate_m;
      y[0] = band->n_half + offset_m / step_m;
      y[1] = band->n_half - (offset_m + height_m) / step_m;
      w = window_of(band, surface->n_lanes, y, length);
      for (int side = 0; side < 2; side++) {
        fill_taps(course->n_travel[side], y[side] - course->x_first_m / step_m,
                  course->x_step_m / step_m, band->n_phases, w, scratch->taps[side]);
      }
    }

    choose_lines(band, fibre->radius_m, column->theta_rad - fibre->theta_rad, scale, lines,
                 weights);
    collapse(band, lines, weights, w, scratch->line);
    for (int side = 0; side < 2; side++) {
      float *bank = scratch->bank[side] + c * column_size;
      add_wave(course->n_travel[side], scratch->taps[side], scratch->line, w.n_blocks,
               surface->n_lanes, bank + (ptrdiff_t)course->first * surface->n_lanes);
      add_transient(scratch, &course->start, y[side], band->n_phases, ratio, w, surface->n_lanes,
                    bank);
      add_transient(scratch, &course->stop[side], y[side] - length[side], band->n_phases, ratio, w,
                    surface->n_lanes, bank);
    }
  }
  scratch->begin = course->first < scratch->begin ? course->first : scratch->begin;
  scratch->end = course->end > scratch->end ? course->end : scratch->end;
}

void emg_surface_flush(const emg_surface *surface, int n_samples, emg_surface_scratch *scratch,
                       float *out) {
  const int n_lanes = surface->n_lanes, n_rows = surface->n_rows;

  for (int c = 0; c < surface->n_columns; c++) {
    float *right = scratch->bank[0] + (ptrdiff_t)c * scratch->n_samples * n_lanes;
    float *left = scratch->bank[1] + (ptrdiff_t)c * scratch->n_samples * n_lanes;

    for (int row = 0; row < n_rows; row++) {
      const int electrode = surface->electrode[c * n_rows + row];
      for (int i = scratch->begin; i < scratch->end && electrode >= 0; i++) {
        out[(ptrdiff_t)electrode * n_samples + i] +=
            right[(ptrdiff_t)i * n_lanes + row] + left[(ptrdiff_t)i * n_lanes + n_rows - 1 - row];
      }
    }
    if (scratch->end > scratch->begin) {
      const size_t size = (size_t)(scratch->end - scratch->begin) * (size_t)n_lanes;
      memset(right + (ptrdiff_t)scratch->begin * n_lanes, 0, size * sizeof(float));
      memset(left + (ptrdiff_t)scratch->begin * n_lanes, 0, size * sizeof(float));
    }
  }
  scratch->begin = n_samples;
  scratch->end = 0;
}

emg_status emg_surface_scratch_create(const emg_surface *surface, int n_samples,
                                      emg_surface_scratch **out, emg_error *err) {
  emg_status status = EMG_OK;
  emg_surface_scratch *scratch;
  size_t line = 0;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *scratch, &scratch, err));
  for (int i = 0; i < surface->n_bands; i++) {
    const emg_band *band = &surface->bands[i];
    size_t size = 2 * (size_t)(band->n_phases + TAIL_PHASES) * (size_t)band->row_stride;
    line = size > line ? size : line;
  }
  EMG_TRY_DONE(emg_alloc_aligned(line, sizeof(float), &scratch->line, err));
  for (int side = 0; side < 2; side++) {
    EMG_TRY_DONE(emg_alloc_aligned((size_t)n_samples, sizeof(tap), &scratch->taps[side], err));
    EMG_TRY_DONE(
        emg_alloc_aligned((size_t)surface->n_columns * (size_t)n_samples * (size_t)surface->n_lanes,
                          sizeof(float), &scratch->bank[side], err));
  }
  fill_event_basis(scratch->event_basis);
  scratch->n_samples = n_samples;
  scratch->begin = n_samples;
  *out = scratch;
  scratch = NULL;
done:
  emg_surface_scratch_free(scratch);
  return status;
}

void emg_surface_scratch_free(emg_surface_scratch *scratch) {
  if (scratch) {
    free(scratch->line);
    for (int side = 0; side < 2; side++) {
      free(scratch->taps[side]);
      free(scratch->bank[side]);
    }
    free(scratch);
  }
}
