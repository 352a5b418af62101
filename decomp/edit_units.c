// edit_units.c -- two units merged into one, and one split in two
#include "edit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// --- merge ---

// Whether the first train is the one to trust where both have the same discharge: it has more
// spikes, or as many and the earlier ones. Symmetric, so that the order of the units is of no
// matter.
static bool comes_first(const emg_spikes *trains, int a, int b) {
  int64_t n = emg_spikes_count(trains, a), n_other = emg_spikes_count(trains, b);

  if (n != n_other) {
    return n > n_other;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t x = emg_spikes_of(trains, a)[i], y = emg_spikes_of(trains, b)[i];
    if (x != y) {
      return x < y;
    }
  }
  return true;
}

// All spikes of the one train, and those of the other that are not the same discharges.
emg_status emg_edit_merge(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                          emg_error *err) {
  const emg_spikes *trains = &editor->d->spikes;
  bool is_first = comes_first(trains, op->unit, op->other);
  int kept = is_first ? op->unit : op->other, added = is_first ? op->other : op->unit;
  int64_t n_added = emg_spikes_count(trains, added), doublet = emg_edit_doublet_samples(editor);
  const int64_t *train = emg_spikes_of(trains, kept), *more = emg_spikes_of(trains, added);
  int64_t n = emg_spikes_count(trains, kept), next = 0;

  EMG_TRY(emg_edit_train_copy(trains, kept, n_added, made, err));
  for (int64_t i = 0; i < n_added; i++) {
    while (next < n && train[next] <= more[i] - doublet) {
      next++;
    }
    if (next == n || train[next] >= more[i] + doublet) {
      made->spikes[made->n++] = more[i];
    }
  }
  emg_edit_train_sort(made);
  return EMG_OK;
}

// --- split ---

// The signal at each spike as the unit's filter sees it, xe(s + delay), about its mean.
typedef struct {
  const emg_edit_workspace *w;
  int64_t n, delay;
  const int64_t *places;  // of the spikes in the window
  double *mean, *sum;     // [D]
  float *vector, *image;  // [D] scratch
} snapshots;

static const float *snapshot(const snapshots *s, int64_t i) {
  return emg_signal_row(&s->w->residual, s->places[i] + s->delay - s->w->n_taps + 1);
}

static void snapshots_free(snapshots *s) {
  free(s->mean);
  free(s->sum);
  free(s->vector);
  free(s->image);
}

static emg_status snapshots_create(snapshots *s, emg_error *err) {
  size_t size = (size_t)s->w->n_dimensions;

  EMG_TRY(emg_alloc(size, sizeof *s->mean, &s->mean, err));
  EMG_TRY(emg_alloc(size, sizeof *s->sum, &s->sum, err));
  EMG_TRY(emg_alloc_aligned(size, sizeof *s->vector, &s->vector, err));
  EMG_TRY(emg_alloc_aligned(size, sizeof *s->image, &s->image, err));
  for (int64_t i = 0; i < s->n; i++) {
    for (size_t d = 0; d < size; d++) {
      s->mean[d] += snapshot(s, i)[d] / (double)s->n;
    }
  }
  return EMG_OK;
}

// scores <- G scores for the matrix G_ij = (x_i - m)' C^-1 (x_j - m) of whitened snapshots, made
// to length 1; returns the length it had, an estimate of the largest eigenvalue.
static double iterate(const snapshots *s, double *scores) {
  int n = s->w->n_dimensions;
  double length = 0;

  memset(s->sum, 0, (size_t)n * sizeof *s->sum);
  for (int64_t i = 0; i < s->n; i++) {
    const float *x = snapshot(s, i);
    for (int d = 0; d < n; d++) {
      s->sum[d] += scores[i] * (x[d] - s->mean[d]);
    }
  }
  for (int d = 0; d < n; d++) {
    s->vector[d] = (float)s->sum[d];
  }
  emg_whitener_apply(&s->w->inverse, 1, s->vector, s->image);
  for (int64_t i = 0; i < s->n; i++) {
    const float *x = snapshot(s, i);
    scores[i] = 0;
    for (int d = 0; d < n; d++) {
      scores[i] += s->image[d] * (x[d] - s->mean[d]);
    }
    length += scores[i] * scores[i];
  }
  length = sqrt(length);
  for (int64_t i = 0; i < s->n && length > 0; i++) {
    scores[i] /= length;
  }
  return length;
}

// Place of each spike along the first principal component, by power iteration from a fixed start.
static void first_component(const snapshots *s, double *scores) {
  const int n_most = 200;
  const double enough = 1e-7;
  double before = 0;

  for (int64_t i = 0; i < s->n; i++) {
    scores[i] = sin(1 + 12.9898 * (double)i);
  }
  for (int k = 0; k < n_most; k++) {
    double now = iterate(s, scores);
    if (fabs(now - before) <= enough * now) {
      break;
    }
    before = now;
  }
}

static int compare_descending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

// Level that divides n values in the two classes with least squared distance to their means, 2 or
// more in each.
static double two_means(int64_t n, double *values) {
  qsort(values, (size_t)n, sizeof *values, compare_descending);
  int64_t n_high = emg_two_classes(values, n);
  n_high = n_high < 2 ? 2 : n_high > n - 2 ? n - 2 : n_high;
  return 0.5 * (values[n_high - 1] + values[n_high]);
}

// Scores of n spikes of a unit of the last fit, and the level that tells two classes apart.
static emg_status classify(emg_editor *editor, int unit, int64_t delay, int64_t n,
                           const int64_t *places, double *scores, double *level, emg_error *err) {
  snapshots s = {.w = &editor->w, .n = n, .delay = delay, .places = places};
  double *sorted = NULL;
  emg_status status;

  // with the unit's own signal, as its filter is made
  emg_unit_put(&editor->w.residual, &editor->w.units, unit, 1);
  EMG_TRY_DONE(snapshots_create(&s, err));
  first_component(&s, scores);
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *sorted, &sorted, err));
  memcpy(sorted, scores, (size_t)n * sizeof *sorted);
  *level = two_means(n, sorted);

done:
  emg_unit_put(&editor->w.residual, &editor->w.units, unit, -1);
  snapshots_free(&s);
  free(sorted);
  return status;
}

// The class with more spikes, or as many and the first one, is the first part: the sign of a
// component means nothing.
static emg_status part_by_shape(emg_editor *editor, int unit, emg_edit_train made[2],
                                emg_error *err) {
  const emg_spikes *trains = &editor->d->spikes;
  const int64_t *train = emg_spikes_of(trains, unit), n = emg_spikes_count(trains, unit);
  emg_edit_filter filter = {0};
  double *scores = NULL, level = 0;
  int64_t *places = NULL;
  float *y = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_edit_fit(editor, editor->d, unit, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)trains->n_samples, sizeof *y, &y, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *scores, &scores, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *places, &places, err));
  for (int64_t i = 0; i < n; i++) {
    places[i] = train[i] - editor->w.begin;
    if (places[i] < 0 || places[i] >= editor->w.residual.n_samples) {
      status = emg_fail(err, EMG_ERR_ARG,
                        "unit %d has spikes outside the part that was decomposed; split it at a "
                        "time, or delete them",
                        unit);
      goto done;
    }
  }
  EMG_TRY_DONE(emg_edit_source(editor, unit, 0, INT64_MAX, &filter, y, err));
  EMG_TRY_DONE(classify(editor, unit, filter.delay, n, places, scores, &level, err));
  for (int64_t i = 0; i < n; i++) {
    emg_edit_train *part = &made[scores[i] > level];
    part->spikes[part->n++] = train[i];
  }
  bool is_swapped = made[1].n > made[0].n || (made[1].n == made[0].n && scores[0] > level);
  if (is_swapped) {
    emg_edit_train part = made[0];
    made[0] = made[1];
    made[1] = part;
  }

done:
  emg_edit_filter_free(&filter);
  free(scores);
  free(places);
  free(y);
  return status;
}

static void part_by_time(const emg_spikes *trains, int unit, int64_t at, emg_edit_train made[2]) {
  for (int64_t i = 0; i < emg_spikes_count(trains, unit); i++) {
    int64_t spike = emg_spikes_of(trains, unit)[i];
    emg_edit_train *part = &made[spike >= at];
    part->spikes[part->n++] = spike;
  }
}

emg_status emg_edit_split(emg_editor *editor, const emg_edit_operation *op, emg_edit_train made[2],
                          emg_error *err) {
  const int64_t least = 4;
  int64_t n = emg_spikes_count(&editor->d->spikes, op->unit);

  if (n < least) {
    return emg_fail(err, EMG_ERR_ARG,
                    "unit %d has %lld spikes, and to split it takes %lld; delete-unit removes it",
                    op->unit, (long long)n, (long long)least);
  }
  EMG_TRY(emg_edit_train_create(n, &made[0], err));
  EMG_TRY(emg_edit_train_create(n, &made[1], err));
  if (op->n_times > 0) {
    part_by_time(&editor->d->spikes, op->unit, op->times[0], made);
    return EMG_OK;
  }
  return part_by_shape(editor, op->unit, made, err);
}
