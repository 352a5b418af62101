// territories.c -- which fibres each unit has
//
// A fibre goes to unit u with a probability proportional to w_u K_u(fibre), K = 1 in the unit's
// territory and falling fast outside. The weights w come from Sinkhorn's iteration on a sample of
// fibres, so that the expected numbers are the wanted ones; then fibres are drawn one after another
// in random order, each unit's weight following what it still needs, which makes the numbers exact;
// last, fibres outside their territory change places with others where that brings both nearer.
#include <math.h>
#include <stdlib.h>

#include "base/kernel.h"
#include "pool_priv.h"

enum { SAMPLE_MAX = 4096, SINKHORN_STEPS = 20, SWAP_TRIES = 64, SWAP_PASSES = 4 };

// K at a squared distance relative to the territory's radius; a tenth beyond the area K is 1/2.
static inline double affinity(double distance2_over_radius2) {
  double beyond = 10 * (distance2_over_radius2 > 1 ? distance2_over_radius2 - 1 : 0);
  double square = beyond * beyond;

  return 1 / (1 + square * square);
}

// Territories as columns, for vector loops.
typedef struct {
  int n_units;
  double *x_m, *y_m, *inverse_radius2, *weight, *product;
} unit_columns;

EMG_KERNEL static void affinities(const unit_columns *c, double x_m, double y_m) {
  double *restrict product = c->product;

  for (int u = 0; u < c->n_units; u++) {
    double dx = x_m - c->x_m[u], dy = y_m - c->y_m[u];
    product[u] = c->weight[u] * affinity((dx * dx + dy * dy) * c->inverse_radius2[u]);
  }
}

static double sum_of(int n, const double *values) {
  double sum = 0;

  for (int i = 0; i < n; i++) {
    sum += values[i];
  }
  return sum;
}

static emg_status unit_columns_create(int n_units, const emg_territory *territories,
                                      unit_columns *c, emg_error *err) {
  size_t n = (size_t)n_units;
  double *memory;

  EMG_TRY(emg_alloc(5 * n, sizeof *memory, &memory, err));
  *c = (unit_columns){n_units, memory, memory + n, memory + 2 * n, memory + 3 * n, memory + 4 * n};
  for (int u = 0; u < n_units; u++) {
    c->x_m[u] = territories[u].x_m;
    c->y_m[u] = territories[u].y_m;
    c->inverse_radius2[u] = 1 / (territories[u].radius_m * territories[u].radius_m);
    c->weight[u] = territories[u].n_fibres;
  }
  return EMG_OK;
}

// Weights that give every unit its share of the fibres order[0 .. n_sample - 1] (Sinkhorn 1967).
static emg_status balance(unit_columns *c, const emg_territory *territories, int n_sample,
                          const int *order, const double *x_m, const double *y_m, int n_fibres,
                          emg_error *err) {
  double *received;

  EMG_TRY(emg_alloc((size_t)c->n_units, sizeof *received, &received, err));
  for (int step = 0; step < SINKHORN_STEPS; step++) {
    for (int u = 0; u < c->n_units; u++) {
      received[u] = 0;
    }
    for (int i = 0; i < n_sample; i++) {
      affinities(c, x_m[order[i]], y_m[order[i]]);
      double scale = 1 / sum_of(c->n_units, c->product);
      for (int u = 0; u < c->n_units; u++) {
        received[u] += scale * c->product[u];
      }
    }
    for (int u = 0; u < c->n_units; u++) {
      c->weight[u] *= territories[u].n_fibres * ((double)n_sample / n_fibres) / received[u];
    }
  }
  free(received);
  return EMG_OK;
}

void emg_indices_shuffle(emg_rng *rng, int n, int *items) {
  for (int i = n - 1; i > 0; i--) {
    int j = (int)emg_rng_below(rng, (uint32_t)i + 1), item = items[i];
    items[i] = items[j];
    items[j] = item;
  }
}

// Index drawn with probability products[i] / total.
static int draw_index(emg_rng *rng, int n, const double *products, double total) {
  double at = emg_rng_uniform(rng) * total;
  int last = 0;

  for (int i = 0; i < n; i++) {
    if (products[i] > 0) {
      last = i;
      at -= products[i];
      if (at < 0) {
        break;
      }
    }
  }
  return last;
}

// Units' slots in `members` begin at begin[u]; fills them in the order of `order`.
static void draw_members(unit_columns *c, const emg_territory *territories, const int *begin,
                         int n_fibres, const int *order, const double *x_m, const double *y_m,
                         emg_rng *rng, int *left, double *balanced, int *members) {
  for (int u = 0; u < c->n_units; u++) {
    left[u] = territories[u].n_fibres;
    balanced[u] = c->weight[u];
  }
  for (int i = 0; i < n_fibres; i++) {
    int fibre = order[i];

    affinities(c, x_m[fibre], y_m[fibre]);
    int u = draw_index(rng, c->n_units, c->product, sum_of(c->n_units, c->product));
    members[begin[u] + territories[u].n_fibres - left[u]] = fibre;
    left[u]--;
    // all units' needs shrink alike, so only the one served lags: its weight follows its own need
    c->weight[u] = balanced[u] * left[u] / territories[u].n_fibres;
  }
}

// How far outside its territory a fibre lies, as a fraction of the territory's area: 0 inside.
static double excess_of(const emg_territory *t, double x_m, double y_m) {
  double dx = x_m - t->x_m, dy = y_m - t->y_m;

  return fmax((dx * dx + dy * dy) / (t->radius_m * t->radius_m) - 1, 0);
}

// Fibres in their slots, and which unit each slot belongs to.
typedef struct {
  const emg_territory *territories;
  const double *x_m, *y_m;
  int n_units, n_fibres;
  const int *begin;
  int *members, *unit_of_slot;
} arrangement;

static double excess_in_slot(const arrangement *a, int unit, int slot) {
  return excess_of(&a->territories[unit], a->x_m[a->members[slot]], a->y_m[a->members[slot]]);
}

// The fibre in slot `out` lies outside its unit: exchange it for one of those inside, if that
// brings the two nearer to their territories.
static void swap_inwards(arrangement *a, int unit, int out, int n_inside, const int *inside,
                         emg_rng *rng) {
  double out_excess = excess_in_slot(a, unit, out);

  for (int attempt = 0; attempt < SWAP_TRIES; attempt++) {
    int in = inside[emg_rng_below(rng, (uint32_t)n_inside)], other = a->unit_of_slot[in];

    // an earlier exchange may have put a fibre from outside into this slot
    double before = out_excess + excess_in_slot(a, other, in);
    double after = excess_in_slot(a, unit, in) + excess_in_slot(a, other, out);
    if (after < before) {
      int fibre = a->members[out];
      a->members[out] = a->members[in];
      a->members[in] = fibre;
      return;
    }
  }
}

static void improve_unit(arrangement *a, int unit, int *inside, emg_rng *rng) {
  int n_inside = 0, n_outside = 0;

  for (int slot = a->begin[unit]; slot < a->begin[unit + 1]; slot++) {
    n_outside += excess_in_slot(a, unit, slot) > 0;
  }
  if (n_outside == 0) {
    return;
  }
  for (int slot = 0; slot < a->n_fibres; slot++) {
    if (a->unit_of_slot[slot] != unit && excess_in_slot(a, unit, slot) == 0) {
      inside[n_inside++] = slot;
    }
  }
  for (int slot = a->begin[unit]; slot < a->begin[unit + 1] && n_inside > 0; slot++) {
    if (excess_in_slot(a, unit, slot) > 0) {
      swap_inwards(a, unit, slot, n_inside, inside, rng);
    }
  }
}

// `inside` is scratch for n_fibres indices.
static void improve_members(arrangement *a, int *inside, emg_rng *rng) {
  for (int u = 0; u < a->n_units; u++) {
    for (int slot = a->begin[u]; slot < a->begin[u + 1]; slot++) {
      a->unit_of_slot[slot] = u;
    }
  }
  for (int pass = 0; pass < SWAP_PASSES; pass++) {
    for (int u = 0; u < a->n_units; u++) {
      improve_unit(a, u, inside, rng);
    }
  }
}

emg_status emg_territories_fill(int n_units, const emg_territory *territories, int n_fibres,
                                const double *x_m, const double *y_m, emg_rng *rng, int *members,
                                emg_error *err) {
  unit_columns c = {0};
  int *order = NULL, *begin = NULL, *left = NULL, *unit_of_slot = NULL;
  double *scratch = NULL;
  emg_status status;

  EMG_TRY_DONE(unit_columns_create(n_units, territories, &c, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_fibres, sizeof *order, &order, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_fibres, sizeof *unit_of_slot, &unit_of_slot, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_units + 1, sizeof *begin, &begin, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_units, sizeof *left, &left, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_units, sizeof *scratch, &scratch, err));
  for (int u = 0; u < n_units; u++) {
    begin[u + 1] = begin[u] + territories[u].n_fibres;
  }
  for (int i = 0; i < n_fibres; i++) {
    order[i] = i;
  }
  emg_indices_shuffle(rng, n_fibres, order);
  int n_sample = n_fibres < SAMPLE_MAX ? n_fibres : SAMPLE_MAX;
  EMG_TRY_DONE(balance(&c, territories, n_sample, order, x_m, y_m, n_fibres, err));
  draw_members(&c, territories, begin, n_fibres, order, x_m, y_m, rng, left, scratch, members);
  arrangement a = {territories, x_m, y_m, n_units, n_fibres, begin, members, unit_of_slot};
  improve_members(&a, order, rng);
done:
  free(c.x_m);
  free(order);
  free(unit_of_slot);
  free(begin);
  free(left);
  free(scratch);
  return status;
}
