// screen.c -- channels unusable by themselves, and what a channel is compared with
#include "screen_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// --- what channels are compared with ---

emg_status emg_screening_create(const emg_recording *rec, emg_screening *out, emg_error *err) {
  size_t n = (size_t)rec->data.n_rows;
  emg_status status;

  *out = (emg_screening){.n = rec->data.n_rows};
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->finding, &out->finding, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->group, &out->group, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->rms, &out->rms, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof *out->scratch, &out->scratch, err));
  for (int c = 0; c < out->n; c++) {
    int first = 0;
    while (strcmp(rec->channels[first].group, rec->channels[c].group) != 0) {
      first++;
    }
    out->group[c] = first;
  }

done:
  if (status != EMG_OK) {
    emg_screening_free(out);
  }
  return status;
}

void emg_screening_free(emg_screening *screening) {
  free(screening->finding);
  free(screening->group);
  free(screening->rms);
  free(screening->scratch);
  *screening = (emg_screening){0};
}

int emg_count_usable(const emg_screening *screening) {
  int n = 0;
  for (int c = 0; c < screening->n; c++) {
    n += emg_is_usable(screening, c);
  }
  return n;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_beside(const emg_screening *s, int channel, const double *value) {
  const int least = 4;
  int n = 0;

  for (int pass = 0; pass < 2 && n < least; pass++) {
    n = 0;
    for (int c = 0; c < s->n; c++) {
      if (emg_is_usable(s, c) && (pass == 1 || s->group[c] == s->group[channel])) {
        s->scratch[n++] = value[c];
      }
    }
  }
  if (n == 0) {
    return 0;
  }
  qsort(s->scratch, (size_t)n, sizeof *s->scratch, compare_doubles);
  return s->scratch[n / 2];
}

void emg_find_usual(const emg_screening *s, const double *value, double *usual) {
  for (int c = 0; c < s->n; c++) {
    // the channels of a group share one
    bool is_first = s->group[c] == c;
    usual[c] = is_first ? median_beside(s, c, value) : usual[s->group[c]];
  }
}

void emg_screen_by_size(emg_screening *s, const double *usual, double least, double most) {
  for (int c = 0; c < s->n; c++) {
    double ratio = usual[c] > 0 ? s->rms[c] / usual[c] : 1;
    emg_channel_finding *f = &s->finding[c];
    if (emg_is_usable(s, c) && (ratio < least || ratio > most)) {
      f->state = ratio < least ? EMG_CHANNEL_DEAD : EMG_CHANNEL_NOISY;
      snprintf(f->why, sizeof f->why, "root mean square is %.3g of the median channel", ratio);
    }
  }
}

emg_status emg_check_enough(const emg_screening *screening, emg_error *err) {
  const int least = 2;
  int n_usable = emg_count_usable(screening), n = 0, bad = -1;

  for (int c = 0; c < screening->n; c++) {
    n += screening->finding[c].state != EMG_CHANNEL_UNUSED;
    if (bad < 0 && !emg_is_usable(screening, c) &&
        screening->finding[c].state != EMG_CHANNEL_UNUSED) {
      bad = c;
    }
  }
  if (n_usable >= least) {
    return EMG_OK;
  }
  if (n < least || bad < 0) {
    return emg_fail(err, EMG_ERR_DATA, "%d channels are too few: decomposition needs at least %d",
                    n, least);
  }
  return emg_fail(
      err, EMG_ERR_DATA,
      "%d of %d channels can be used and decomposition needs at least %d; channel %d is %s: %s",
      n_usable, n, least, bad + 1, emg_channel_state_name(screening->finding[bad].state),
      screening->finding[bad].why);
}

// --- one channel by itself ---

// Longest part of a channel that may be constant, or clipped, without it being left out.
static const double flat_share_most = 0.02, clipped_share_most = 0.002;

// Share of the recording in windows of 50 ms that do not change at all.
static double flat_share(const float *x, int64_t n, double rate_hz) {
  int64_t window = (int64_t)(0.05 * rate_hz) > 4 ? (int64_t)(0.05 * rate_hz) : 4;
  int64_t n_flat = 0, n_windows = n / window;

  for (int64_t w = 0; w < n_windows; w++) {
    const float *part = x + w * window;
    int64_t i = 1;
    while (i < window && part[i] == part[0]) {
      i++;
    }
    n_flat += i == window;
  }
  return n_windows > 0 ? (double)n_flat / (double)n_windows : 0;
}

// Share of samples that repeat the one before at an extreme of the channel: clipping makes runs,
// while single samples at an extreme are common where the converter is coarse.
static double clipped_share(const float *x, int64_t n, float lowest, float highest) {
  int64_t n_clipped = 0;

  for (int64_t i = 1; i < n; i++) {
    n_clipped += (x[i] == lowest || x[i] == highest) && x[i] == x[i - 1];
  }
  return (double)n_clipped / (double)n;
}

static emg_channel_finding screen_channel(const float *x, int64_t n, double rate_hz, double *rms) {
  emg_channel_finding f = {.state = EMG_CHANNEL_GOOD};
  float lowest = x[0], highest = x[0];
  double sum = 0, squares = 0;

  *rms = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) {
      f.state = EMG_CHANNEL_NOT_FINITE;
      snprintf(f.why, sizeof f.why, "sample %lld is not finite", (long long)i);
      return f;
    }
    lowest = fminf(lowest, x[i]);
    highest = fmaxf(highest, x[i]);
    sum += x[i];
  }
  double mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) {
    squares += (x[i] - mean) * (x[i] - mean);
  }
  *rms = sqrt(squares / (double)n);

  double flat = flat_share(x, n, rate_hz), clipped = clipped_share(x, n, lowest, highest);
  if (!(highest > lowest) || flat > 0.5) {
    f.state = EMG_CHANNEL_DEAD;
    snprintf(f.why, sizeof f.why, "constant for %.0f %% of the time", 100 * flat);
  } else if (flat > flat_share_most) {
    f.state = EMG_CHANNEL_INTERMITTENT;
    snprintf(f.why, sizeof f.why, "constant for %.1f %% of the time", 100 * flat);
  } else if (clipped > clipped_share_most) {
    f.state = EMG_CHANNEL_SATURATED;
    snprintf(f.why, sizeof f.why, "%.1f %% of samples repeat its extremes", 100 * clipped);
  }
  return f;
}

// A fault that most channels share is how the recording is: clipped or broken channels are used,
// with a warning, where fewer than half would be left.
static void reinstate_common_fault(const emg_recording *rec, emg_screening *s,
                                   emg_channel_state fault, const emg_monitor *monitor) {
  int n_fault = 0, n_unused = 0;

  for (int c = 0; c < s->n; c++) {
    n_fault += s->finding[c].state == fault && rec->channels[c].state == EMG_CHANNEL_GOOD;
    n_unused += s->finding[c].state == EMG_CHANNEL_UNUSED;
  }
  if (n_fault == 0 || 2 * emg_count_usable(s) >= s->n - n_unused) {
    return;
  }
  for (int c = 0; c < s->n; c++) {
    if (s->finding[c].state == fault && rec->channels[c].state == EMG_CHANNEL_GOOD) {
      s->finding[c] = (emg_channel_finding){.state = EMG_CHANNEL_GOOD};
    }
  }
  emg_log(monitor, EMG_LOG_WARNING, "decompose",
          "%d of %d channels are %s and are used all the same", n_fault, s->n - n_unused,
          emg_channel_state_name(fault));
}

emg_status emg_screen_samples(const emg_recording *rec, emg_screening *s,
                              const emg_monitor *monitor, emg_error *err) {
#pragma omp parallel for schedule(dynamic)
  for (int c = 0; c < s->n; c++) {
    emg_channel_state stated = rec->channels[c].state;
    if (stated != EMG_CHANNEL_UNUSED) {
      s->finding[c] =
          screen_channel(emg_row2f(&rec->data, c), rec->data.n_cols, rec->rate_hz, &s->rms[c]);
    }
    if (stated != EMG_CHANNEL_GOOD && emg_is_usable(s, c)) {
      s->finding[c].state = stated;
      snprintf(s->finding[c].why, sizeof s->finding[c].why, "said so by the file");
    }
  }
  reinstate_common_fault(rec, s, EMG_CHANNEL_SATURATED, monitor);
  reinstate_common_fault(rec, s, EMG_CHANNEL_INTERMITTENT, monitor);
  // sizes before the filter may be drift: only what would overflow goes
  double *usual;
  EMG_TRY(emg_alloc((size_t)s->n, sizeof *usual, &usual, err));
  emg_find_usual(s, s->rms, usual);
  emg_screen_by_size(s, usual, 1e-4, 1e4);
  free(usual);
  return emg_check_enough(s, err);
}
