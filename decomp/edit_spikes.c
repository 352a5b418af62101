// edit_spikes.c -- spikes of one unit added, deleted and found again
#include "edit_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// --- trains ---

emg_status emg_edit_train_create(int64_t n_most, emg_edit_train *out, emg_error *err) {
  *out = (emg_edit_train){0};
  return emg_alloc((size_t)n_most + 1, sizeof *out->spikes, &out->spikes, err);
}

emg_status emg_edit_train_copy(const emg_spikes *from, int unit, int64_t n_more,
                               emg_edit_train *out, emg_error *err) {
  int64_t n = emg_spikes_count(from, unit);

  EMG_TRY(emg_edit_train_create(n + n_more, out, err));
  if (n > 0) {
    memcpy(out->spikes, emg_spikes_of(from, unit), (size_t)n * sizeof *out->spikes);
  }
  out->n = n;
  return EMG_OK;
}

static int compare_samples(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

void emg_edit_train_sort(emg_edit_train *train) {
  if (train->n > 0) {
    qsort(train->spikes, (size_t)train->n, sizeof *train->spikes, compare_samples);
  }
}

int64_t emg_edit_doublet_samples(const emg_editor *editor) {
  const double least_s = 0.002;  // of doublets (Van Cutsem, Duchateau & Hainaut 1998)
  int64_t samples = llround(least_s * editor->d->spikes.rate_hz);
  return samples > 1 ? samples : 1;
}

static bool is_near_spike(const emg_edit_train *train, int64_t at, int64_t distance) {
  for (int64_t i = 0; i < train->n; i++) {
    if (llabs(train->spikes[i] - at) < distance) {
      return true;
    }
  }
  return false;
}

static double seconds(const emg_editor *editor, int64_t samples) {
  return (double)samples / editor->d->spikes.rate_hz;
}

static bool is_in_range(const emg_edit_range *range, int64_t at, double height) {
  return at >= range->begin && at < range->end && height >= range->low && height <= range->high;
}

// --- add ---

// Highest local maximum of the source within the window that is not taken by a spike; -1 if none.
static int64_t peak_near(const float *y, int64_t n, int64_t at, int64_t window,
                         const emg_edit_train *train, int64_t doublet) {
  int64_t first = at - window > 1 ? at - window : 1;
  int64_t last = at + window < n - 2 ? at + window : n - 2, best = -1;

  for (int64_t t = first; t <= last; t++) {
    if (y[t] > 0 && y[t] > y[t - 1] && y[t] >= y[t + 1] && (best < 0 || y[t] > y[best]) &&
        !is_near_spike(train, t, doublet)) {
      best = t;
    }
  }
  return best;
}

static emg_status add_near(const emg_editor *editor, const emg_edit_operation *op, const float *y,
                           emg_edit_train *made, emg_error *err) {
  int64_t n = editor->d->spikes.n_samples, doublet = emg_edit_doublet_samples(editor);

  for (int i = 0; i < op->n_times; i++) {
    if (op->times[i] >= n) {
      return emg_fail(err, EMG_ERR_ARG, "%.6g s is after the end of the recording, %.6g s",
                      seconds(editor, op->times[i]), seconds(editor, n));
    }
    int64_t peak = peak_near(y, n, op->times[i], op->window, made, doublet);
    if (peak < 0) {
      return emg_fail(err, EMG_ERR_ARG,
                      "the source of unit %d has no peak that is not a spike yet within %.3g ms of "
                      "%.6g s; give another time, or 'within' a longer one",
                      op->unit, 1000 * seconds(editor, op->window), seconds(editor, op->times[i]));
    }
    made->spikes[made->n++] = peak;
  }
  return EMG_OK;
}

// Peaks in the range, the highest first, a refractory time from each other and from all spikes.
static emg_status add_range(emg_editor *editor, const emg_edit_operation *op, const float *y,
                            emg_edit_train *made, emg_error *err) {
  emg_spike_picker *picker = &editor->picker;
  int64_t n = emg_find_peaks(picker, y, editor->d->spikes.n_samples), n_before = made->n;

  for (int64_t i = 0; i < n; i++) {
    if (is_in_range(&op->range, picker->place[i], picker->height[i]) &&
        !is_near_spike(made, picker->place[i], picker->refractory)) {
      made->spikes[made->n++] = picker->place[i];
    }
  }
  if (made->n == n_before) {
    return emg_fail(err, EMG_ERR_ARG,
                    "the source of unit %d has no peak in the range that is not a spike yet; widen "
                    "the range",
                    op->unit);
  }
  return EMG_OK;
}

emg_status emg_edit_add(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                        emg_error *err) {
  float *y = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_edit_current_source(editor, op->unit, &y, err));
  int64_t n_more = op->n_times > 0 ? op->n_times : emg_spike_picker_capacity(&editor->picker);
  EMG_TRY_DONE(emg_edit_train_copy(&editor->d->spikes, op->unit, n_more, made, err));
  status =
      op->n_times > 0 ? add_near(editor, op, y, made, err) : add_range(editor, op, y, made, err);
  emg_edit_train_sort(made);

done:
  free(y);
  return status;
}

// --- delete ---

static void remove_at(emg_edit_train *train, int64_t i) {
  train->n--;
  memmove(&train->spikes[i], &train->spikes[i + 1], (size_t)(train->n - i) * sizeof *train->spikes);
}

// The spike next to each time.
static emg_status delete_near(const emg_editor *editor, const emg_edit_operation *op,
                              emg_edit_train *made, emg_error *err) {
  for (int i = 0; i < op->n_times; i++) {
    int64_t nearest = -1, least = op->window + 1;
    for (int64_t k = 0; k < made->n; k++) {
      int64_t distance = llabs(made->spikes[k] - op->times[i]);
      if (distance < least) {
        least = distance;
        nearest = k;
      }
    }
    if (nearest < 0) {
      return emg_fail(err, EMG_ERR_ARG,
                      "unit %d has no spike within %.3g ms of %.6g s; give another time, or "
                      "'within' a longer one",
                      op->unit, 1000 * seconds(editor, op->window), seconds(editor, op->times[i]));
    }
    remove_at(made, nearest);
  }
  return EMG_OK;
}

emg_status emg_edit_delete(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                           emg_error *err) {
  bool needs_heights = isfinite(op->range.low) || isfinite(op->range.high);
  float *y = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_edit_train_copy(&editor->d->spikes, op->unit, 0, made, err));
  if (op->n_times > 0) {
    return delete_near(editor, op, made, err);
  }
  if (needs_heights) {
    EMG_TRY_DONE(emg_edit_current_source(editor, op->unit, &y, err));
  }
  int64_t n_left = 0;
  for (int64_t i = 0; i < made->n; i++) {
    int64_t at = made->spikes[i];
    if (!is_in_range(&op->range, at, needs_heights ? y[at] : op->range.low)) {
      made->spikes[n_left++] = at;
    }
  }
  if (n_left == made->n) {
    status =
        emg_fail(err, EMG_ERR_ARG, "unit %d has no spikes in the range; widen the range", op->unit);
  }
  made->n = n_left;

done:
  free(y);
  return status;
}

// --- outliers ---

// Mean and standard deviation of the rates between spikes.
typedef struct {
  double mean, sd;
} rates;

static rates rates_of(const emg_edit_train *train) {
  double sum = 0, squares = 0;
  int64_t n = train->n - 1;

  for (int64_t i = 0; i < n; i++) {
    sum += 1 / (double)(train->spikes[i + 1] - train->spikes[i]);
  }
  double mean = n > 0 ? sum / (double)n : 0;
  for (int64_t i = 0; i < n; i++) {
    double rate = 1 / (double)(train->spikes[i + 1] - train->spikes[i]);
    squares += (rate - mean) * (rate - mean);
  }
  return (rates){mean, n > 1 ? sqrt(squares / (double)(n - 1)) : 0};
}

// Delete the lower spike of every pair that is faster than mean + 3 sd; returns how many went.
static int64_t delete_fast(const float *y, emg_edit_train *train) {
  rates r = rates_of(train);
  int64_t n_left = 0, n_deleted = 0;

  for (int64_t i = 0; i < train->n; i++) {
    int64_t at = train->spikes[i];
    bool is_fast = n_left > 0 && train->n - n_deleted > 2 &&
                   1 / (double)(at - train->spikes[n_left - 1]) > r.mean + 3 * r.sd;
    if (!is_fast) {
      train->spikes[n_left++] = at;
      continue;
    }
    n_deleted++;
    if (y[at] > y[train->spikes[n_left - 1]]) {
      train->spikes[n_left - 1] = at;
    }
  }
  train->n = n_left;
  return n_deleted;
}

// Again and again while the rate varies by more than 0.3 (MUedit: Avrillon et al. 2024).
emg_status emg_edit_remove_outliers(emg_editor *editor, const emg_edit_operation *op,
                                    emg_edit_train *made, emg_error *err) {
  const double cov_enough = 0.3;
  float *y;

  EMG_TRY(emg_edit_train_copy(&editor->d->spikes, op->unit, 0, made, err));
  rates r = rates_of(made);
  if (!(r.sd > cov_enough * r.mean)) {
    return EMG_OK;
  }
  EMG_TRY(emg_edit_current_source(editor, op->unit, &y, err));
  while (r.sd > cov_enough * r.mean && delete_fast(y, made) > 0) {
    r = rates_of(made);
  }
  free(y);
  return EMG_OK;
}

// --- detection ---

// Level half way between the mean squared heights of the peaks in a range of time above `level` and
// of those below; `level` itself if one of the classes is empty.
static double level_between(const emg_spike_picker *picker, int64_t n_peaks,
                            const emg_edit_range *range, double level) {
  double n[2] = {0}, squares[2] = {0};

  for (int64_t i = 0; i < n_peaks; i++) {
    double height = picker->height[i];
    if (picker->place[i] >= range->begin && picker->place[i] < range->end &&
        height <= range->high) {
      n[height > level]++;
      squares[height > level] += height * height;
    }
  }
  bool are_two = n[0] > 0 && n[1] > 0;
  return are_two ? sqrt(0.5 * (squares[0] / n[0] + squares[1] / n[1])) : level;
}

// Spikes are told from other peaks by 2-means on squared heights, as in the decomposer, but from
// where the spikes that are known are: a range without spikes is not cut in two classes of noise.
static double detection_level(const emg_spike_picker *picker, int64_t n_peaks,
                              const emg_edit_range *range) {
  const int n_most = 50;
  double level = 0.5;

  for (int k = 0; k < n_most; k++) {
    double next = level_between(picker, n_peaks, range, level);
    if (next == level) {
      break;
    }
    level = next;
  }
  return level;
}

// Spikes of the range make way for the peaks above the level there; spikes outside stay.
static void detect_in_range(emg_editor *editor, const emg_edit_operation *op, const float *y,
                            emg_edit_train *made) {
  const double artefact = 2;  // nothing a unit of height 1 reaches
  emg_spike_picker *picker = &editor->picker;
  int64_t n_peaks = emg_find_peaks(picker, y, editor->d->spikes.n_samples), n_kept = 0;
  emg_edit_range wanted = op->range;

  wanted.high = artefact;
  wanted.low = detection_level(picker, n_peaks, &wanted);
  for (int64_t i = 0; i < made->n; i++) {
    if (made->spikes[i] < op->range.begin || made->spikes[i] >= op->range.end) {
      made->spikes[n_kept++] = made->spikes[i];
    }
  }
  made->n = n_kept;
  for (int64_t i = 0; i < n_peaks; i++) {
    if (is_in_range(&wanted, picker->place[i], picker->height[i]) &&
        !is_near_spike(made, picker->place[i], picker->refractory)) {
      made->spikes[made->n++] = picker->place[i];
    }
  }
  emg_edit_train_sort(made);
}

emg_status emg_edit_redetect(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                             emg_error *err) {
  emg_edit_filter filter = {0};
  float *y = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_edit_fit(editor, editor->d, op->unit, err));
  EMG_TRY_DONE(emg_edit_train_copy(&editor->d->spikes, op->unit,
                                   emg_spike_picker_capacity(&editor->picker), made, err));
  if (op->keep_spikes) {
    goto done;
  }
  EMG_TRY_DONE(emg_alloc_aligned((size_t)editor->d->spikes.n_samples, sizeof *y, &y, err));
  EMG_TRY_DONE(emg_edit_source(editor, op->unit, op->range.begin, op->range.end, &filter, y, err));
  detect_in_range(editor, op, y, made);

done:
  emg_edit_filter_free(&filter);
  free(y);
  return status;
}
