// prepare.c -- from a recording as read to usable, filtered channels of comparable size
#include "ckc_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/filter.h>
#include <emgtwin/array.h>

#include "mains_priv.h"
#include "screen_priv.h"

// The usable channels from the largest to the smallest, so that nothing depends on the order in
// which they were recorded; exact copies in that order.
static int order_channels(const emg_screening *s, int *order) {
  int n = 0;

  for (int c = 0; c < s->n; c++) {
    if (!emg_is_usable(s, c)) {
      continue;
    }
    int place = n++;
    while (place > 0 && s->rms[order[place - 1]] < s->rms[c]) {
      order[place] = order[place - 1];
      place--;
    }
    order[place] = c;
  }
  return n;
}

// The power of two next to 1/size: scaling by it is exact, so that it changes no result.
static float exact_scale(double size) {
  return size > 0 ? (float)exp2(-round(log2(size))) : 1;
}

// Row r = channel order[r] without its mean, times loaded[r], which makes its group about one.
static emg_status load_channels(const emg_recording *rec, const emg_screening *s, const int *order,
                                int n_rows, float *loaded, emg_array2f *out, emg_error *err) {
  int64_t n = rec->data.n_cols;
  double *usual;

  EMG_TRY(emg_array2f_create(n_rows, n, out, err));
  EMG_TRY(emg_alloc((size_t)s->n, sizeof *usual, &usual, err));
  emg_find_usual(s, s->rms, usual);
  for (int r = 0; r < n_rows; r++) {
    loaded[r] = exact_scale(usual[order[r]]);
  }
  free(usual);
#pragma omp parallel for schedule(dynamic)
  for (int r = 0; r < n_rows; r++) {
    const float *from = emg_row2f(&rec->data, order[r]);
    float *to = emg_row2f(out, r);
    double sum = 0, scale = loaded[r];
    for (int64_t i = 0; i < n; i++) {
      sum += from[i];
    }
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
      to[i] = (float)((from[i] - mean) * scale);
    }
  }
  return EMG_OK;
}

static emg_status remove_mains(const struct emg_config_decompose *config, double rate_hz,
                               emg_array2f *x, double *mains_hz, const emg_monitor *monitor,
                               emg_error *err) {
  emg_mains mains;
  char lines[160] = "";

  *mains_hz = config->notch_hz;
  if (config->notch_hz > 0 || config->notch == EMG_NOTCH_OFF) {
    return EMG_OK;
  }
  EMG_TRY(emg_mains_find(x, rate_hz, config->band_high_hz, &mains, err));
  *mains_hz = mains.fundamental_hz;
  if (mains.n_lines == 0) {
    return EMG_OK;
  }
  for (int i = 0; i < mains.n_lines && strlen(lines) < sizeof lines - 16; i++) {
    size_t at = strlen(lines);
    snprintf(lines + at, sizeof lines - at, " %.0f", mains.harmonic[i] * mains.fundamental_hz);
  }
  emg_log(monitor, EMG_LOG_INFO, "decompose", "mains = %.2f Hz, lines subtracted =%s Hz",
          mains.fundamental_hz, lines);
  return emg_mains_remove(&mains, rate_hz, x, err);
}

static emg_status filter_channels(const emg_filter *filter, emg_array2f *x, emg_error *err) {
  int n_failed = 0;

#pragma omp parallel for schedule(dynamic) reduction(+ : n_failed)
  for (int r = 0; r < x->n_rows; r++) {
    n_failed += emg_filter_zero_phase(filter, x->n_cols, emg_row2f(x, r), NULL) != EMG_OK;
  }
  if (n_failed > 0) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory to filter %d channels", n_failed);
  }
  return EMG_OK;
}

// --- all together ---

static void report(const emg_recording *rec, const emg_screening *s, const emg_monitor *monitor) {
  int n = 0;

  for (int c = 0; c < s->n; c++) {
    const emg_channel_finding *f = &s->finding[c];
    n += f->state != EMG_CHANNEL_UNUSED;
    if (f->state != EMG_CHANNEL_GOOD && f->state != EMG_CHANNEL_UNUSED) {
      emg_log(monitor, EMG_LOG_WARNING, "decompose", "channel %d (%s) is left out: %s, %s", c + 1,
              rec->channels[c].name, emg_channel_state_name(f->state), f->why);
    }
  }
  emg_log(monitor, EMG_LOG_INFO, "decompose", "channels = %d, used = %d", n, emg_count_usable(s));
}

static emg_status check_length(const emg_recording *rec, const struct emg_config_decompose *config,
                               emg_error *err) {
  const double least_s = 1;

  if (!(rec->rate_hz > 0) || !isfinite(rec->rate_hz)) {
    return emg_fail(err, EMG_ERR_DATA, "the sampling rate of %g Hz is no rate; state it",
                    rec->rate_hz);
  }
  double length_s = (double)rec->data.n_cols / rec->rate_hz - 2 * config->edge_s;
  if (length_s < least_s) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%g s of recording less decompose.edge_s = %g s at either end leave %g s, and "
                    "decomposition needs %g s",
                    (double)rec->data.n_cols / rec->rate_hz, config->edge_s, fmax(length_s, 0),
                    least_s);
  }
  return EMG_OK;
}

static bool uses_channel(const emg_prepared *prepared, int channel) {
  for (int i = 0; i < prepared->signal.n_channels; i++) {
    if (prepared->channel[i] == channel) {
      return true;
    }
  }
  return false;
}

static void leave_out_unlike(const emg_prepared *like, emg_screening *s) {
  for (int c = 0; c < s->n; c++) {
    if (!uses_channel(like, c)) {
      s->finding[c].state = EMG_CHANNEL_MARKED;
      snprintf(s->finding[c].why, sizeof s->finding[c].why,
               "left out in another part of the recording");
    }
  }
}

static emg_status create_channels(int n, emg_prepared *out, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)n, sizeof *out->channel, &out->channel, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *out->is_usable, &out->is_usable, err));
  return emg_alloc((size_t)n, sizeof *out->scale, &out->scale, err);
}

// The channels that are still usable, each group scaled to about one; or those of `like`, as there.
// Returns the row of each in row_of, -1 for none.
static int choose_channels(const int *order, int n_rows, const emg_screening *s,
                           const double *usual, const emg_prepared *like, emg_prepared *out,
                           int *row_of) {
  int n = 0;

  if (like) {
    n = like->signal.n_channels;
    for (int c = 0; c < n; c++) {
      out->channel[c] = like->channel[c];
      out->scale[c] = like->scale[c];
      out->is_usable[c] = emg_is_usable(s, like->channel[c]);
      row_of[c] = -1;
      for (int r = 0; r < n_rows && out->is_usable[c]; r++) {
        row_of[c] = order[r] == like->channel[c] ? r : row_of[c];
      }
    }
    return n;
  }
  for (int r = 0; r < n_rows; r++) {
    if (emg_is_usable(s, order[r])) {
      out->channel[n] = order[r];
      out->scale[n] = exact_scale(usual[order[r]]);
      out->is_usable[n] = true;
      row_of[n++] = r;
    }
  }
  return n;
}

// Lay the chosen channels out [sample][channel], in tiles that stay in cache; `loaded` is the scale
// of the rows.
static void interleave(const emg_array2f *filtered, const int *row_of, const float *loaded,
                       emg_prepared *out) {
  enum { TILE = 64 };
  int n = out->signal.n_channels;

#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < filtered->n_cols; first += TILE) {
    int64_t last = first + TILE < filtered->n_cols ? first + TILE : filtered->n_cols;
    for (int c = 0; c < n; c++) {
      const float *row = row_of[c] >= 0 ? emg_row2f(filtered, row_of[c]) : NULL;
      float scale = row ? out->scale[c] / loaded[row_of[c]] : 0;
      for (int64_t i = first; i < last && row; i++) {
        emg_signal_row(&out->signal, i)[c] = row[i] * scale;
      }
    }
  }
}

// Channels in use, from the filtered ones.
static emg_status lay_out(const emg_array2f *filtered, const int *order, const float *loaded,
                          const emg_screening *s, const emg_prepared *like, double rate_hz,
                          int64_t margin, emg_prepared *out, emg_error *err) {
  size_t n_rows = (size_t)filtered->n_rows;
  int *row_of = NULL;
  double *usual = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc(n_rows + (like ? (size_t)like->signal.n_channels : 0), sizeof *row_of,
                         &row_of, err));
  EMG_TRY_DONE(emg_alloc((size_t)s->n, sizeof *usual, &usual, err));
  emg_find_usual(s, s->rms, usual);
  for (int r = 0; r < filtered->n_rows; r++) {
    usual[order[r]] /= loaded[r];  // in units of the recording
  }
  EMG_TRY_DONE(create_channels(s->n, out, err));
  int n = choose_channels(order, filtered->n_rows, s, usual, like, out, row_of);
  EMG_TRY_DONE(emg_signal_create(n, filtered->n_cols, margin, rate_hz, &out->signal, err));
  interleave(filtered, row_of, loaded, out);

done:
  free(row_of);
  free(usual);
  return status;
}

// `like` NULL: all channels, and the scale from the data.
static emg_status prepare(const emg_recording *rec, const emg_config *config,
                          const emg_prepared *like, const emg_monitor *monitor, int64_t margin,
                          emg_prepared *out, emg_error *err) {
  const struct emg_config_decompose *keys = &config->decompose;
  emg_array2f x = {0};
  emg_screening s = {0};
  int *order = NULL;
  float *loaded = NULL;
  emg_filter filter;
  emg_status status;

  *out = (emg_prepared){0};
  EMG_TRY(check_length(rec, keys, err));
  EMG_TRY(emg_filter_decomposer(keys, rec->rate_hz, &filter, err));
  EMG_TRY_DONE(emg_screening_create(rec, &s, err));
  EMG_TRY_DONE(emg_alloc((size_t)s.n, sizeof *order, &order, err));
  EMG_TRY_DONE(emg_alloc((size_t)s.n, sizeof *loaded, &loaded, err));

  // 1. channels that cannot be used by themselves; 2. filters; 3. channels unlike the others
  EMG_TRY_DONE(emg_screen_samples(rec, &s, monitor, err));
  if (like) {
    leave_out_unlike(like, &s);
    EMG_TRY_DONE(emg_check_enough(&s, err));
  }
  int n = order_channels(&s, order);
  EMG_TRY_DONE(load_channels(rec, &s, order, n, loaded, &x, err));
  EMG_TRY_DONE(remove_mains(keys, rec->rate_hz, &x, &out->mains_hz, monitor, err));
  EMG_TRY_DONE(filter_channels(&filter, &x, err));
  int64_t edge = (int64_t)(keys->edge_s * rec->rate_hz);
  status = emg_screen_filtered(&x, order, edge, rec->rate_hz, &s, err);
  if (!like) {
    report(rec, &s, monitor);
  }
  EMG_TRY_DONE(status);
  EMG_TRY_DONE(lay_out(&x, order, loaded, &s, like, rec->rate_hz, margin, out, err));
  out->n_recorded = s.n;
  out->finding = s.finding;
  s.finding = NULL;

done:
  emg_array2f_free(&x);
  emg_screening_free(&s);
  free(order);
  free(loaded);
  if (status != EMG_OK) {
    emg_prepared_free(out);
  }
  return status;
}

emg_status emg_prepare(const emg_recording *rec, const emg_config *config,
                       const emg_monitor *monitor, int64_t margin, emg_prepared *out,
                       emg_error *err) {
  return prepare(rec, config, NULL, monitor, margin, out, err);
}

emg_status emg_prepare_like(const emg_recording *rec, const emg_config *config,
                            const emg_prepared *like, int64_t margin, emg_prepared *out,
                            emg_error *err) {
  return prepare(rec, config, like, NULL, margin, out, err);
}

void emg_prepared_free(emg_prepared *prepared) {
  emg_signal_free(&prepared->signal);
  free(prepared->channel);
  free(prepared->is_usable);
  free(prepared->scale);
  free(prepared->finding);
  *prepared = (emg_prepared){0};
}
