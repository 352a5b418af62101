// view.c -- from potentials at electrodes to action potentials as the decomposer sees them
#include "inverse_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lin.h"

static emg_status check(const emg_view_source *s, emg_error *err) {
  if (s->n_potential < 1 || s->n_window < 1 || s->n_channels < 1 || s->oversampling < 1 ||
      s->max_shift < 0 || !(s->rate_hz > 0)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "a view of %d samples at %d x %g Hz as %d rows of %d channels, moved by %d: "
                    "sizes must be positive",
                    s->n_potential, s->oversampling, s->rate_hz, s->n_window, s->n_channels,
                    s->max_shift);
  }
  for (int i = 0; i < s->n_channels; i++) {
    if (s->channel[i] < 0 || s->channel[i] >= s->weights->n_rows) {
      return emg_fail(err, EMG_ERR_ARG,
                      "channel %d is not one of the %d of the grid; compare electrodes and montage "
                      "of the configuration with the recording",
                      s->channel[i], s->weights->n_rows);
    }
  }
  return EMG_OK;
}

// What an impulse of the model `at` samples after the discharge (at the model's rate) becomes in
// the recording; row `zero` of `response` is the discharge.
static emg_status respond(const emg_view_source *s, const double *fir, int half, int at, int zero,
                          int n, float *response, emg_error *err) {
  memset(response, 0, (size_t)n * sizeof *response);
  for (int row = 0; row < n; row++) {
    int tap = at - (row - zero) * s->oversampling;
    if (abs(tap) <= half) {
      response[row] = (float)fir[half + tap];
    }
  }
  if (s->amplifier) {
    emg_filter_causal(s->amplifier, n, response);
  }
  return s->filter ? emg_filter_zero_phase(s->filter, n, response, err) : EMG_OK;
}

static emg_status fill_kernel(const emg_view_source *s, emg_view *view, emg_error *err) {
  // filters ring on either side; what rings longer is slower than what they let pass
  const int margin = (int)ceil(0.5 * s->rate_hz) + s->n_potential / s->oversampling;
  const int n = view->stride + 2 * margin, zero = margin + s->max_shift + s->origin;
  double *fir = NULL;
  float *response = NULL;
  int n_taps;
  emg_status status;

  EMG_TRY_DONE(emg_fir_decimator(s->oversampling, &n_taps, &fir, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *response, &response, err));
  for (int i = 0; i < s->n_potential; i++) {
    EMG_TRY_DONE(respond(s, fir, n_taps / 2, i - s->potential_origin, zero, n, response, err));
    memcpy(view->kernel + (ptrdiff_t)i * view->stride, response + margin,
           (size_t)view->stride * sizeof *response);
  }
done:
  free(fir);
  free(response);
  return status;
}

// Most montages use few electrodes a channel, which are then listed.
static emg_status list_electrodes(emg_view *view, emg_error *err) {
  const int few = 8;
  const ptrdiff_t n_electrodes = view->n_electrodes, size = view->n_channels * n_electrodes;
  int n = 0;

  for (ptrdiff_t i = 0; i < size; i++) {
    n += view->mix[i] != 0;
  }
  if (n > few * view->n_channels) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)view->n_channels + 1, sizeof *view->first, &view->first, err));
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *view->electrode, &view->electrode, err));
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *view->weight, &view->weight, err));
  n = 0;
  for (int c = 0; c < view->n_channels; c++) {
    for (int e = 0; e < n_electrodes; e++) {
      float weight = view->mix[c * n_electrodes + e];
      if (weight != 0) {
        view->electrode[n] = e;
        view->weight[n++] = weight;
      }
    }
    view->first[c + 1] = n;
  }
  return EMG_OK;
}

emg_status emg_view_create(const emg_view_source *source, emg_view *out, emg_error *err) {
  const emg_array2d *weights = source->weights;
  emg_status status;

  *out = (emg_view){0};
  EMG_TRY(check(source, err));
  *out = (emg_view){.n_electrodes = (int)weights->n_cols,
                    .n_potential = source->n_potential,
                    .n_channels = source->n_channels,
                    .n_window = source->n_window,
                    .origin = source->origin,
                    .max_shift = source->max_shift,
                    .rate_hz = source->rate_hz,
                    .stride = source->n_window + 2 * source->max_shift};
  EMG_TRY_DONE(emg_alloc_aligned((size_t)out->n_potential * (size_t)out->stride,
                                 sizeof *out->kernel, &out->kernel, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)out->n_channels * (size_t)out->n_electrodes,
                                 sizeof *out->mix, &out->mix, err));
  EMG_TRY_DONE(fill_kernel(source, out, err));
  for (int i = 0; i < out->n_channels; i++) {
    const double *row = emg_row2d(weights, source->channel[i]);
    double scale = source->scale ? source->scale[i] : 1;
    for (int e = 0; e < out->n_electrodes; e++) {
      out->mix[(ptrdiff_t)i * out->n_electrodes + e] = (float)(scale * row[e]);
    }
  }
  EMG_TRY_DONE(list_electrodes(out, err));
done:
  if (status != EMG_OK) {
    emg_view_free(out);
  }
  return status;
}

void emg_view_free(emg_view *view) {
  free(view->kernel);
  free(view->mix);
  free(view->first);
  free(view->electrode);
  free(view->weight);
  *view = (emg_view){0};
}

// Channels of one potential [electrode][window] as [window][channel], a few rows at a time so that
// both stay in the cache.
static void mix_few(const emg_view *view, const float *potential, float *out) {
  enum { ROWS = 16 };
  const int n_window = view->n_window, n_channels = view->n_channels;

  for (int begin = 0; begin < n_window; begin += ROWS) {
    int end = begin + ROWS < n_window ? begin + ROWS : n_window;
    for (int c = 0; c < n_channels; c++) {
      float sum[ROWS] = {0};
      for (int k = view->first[c]; k < view->first[c + 1]; k++) {
        const float *from = potential + (ptrdiff_t)view->electrode[k] * n_window;
        for (int row = begin; row < end; row++) {
          sum[row - begin] += view->weight[k] * from[row];
        }
      }
      for (int row = begin; row < end; row++) {
        out[(ptrdiff_t)row * n_channels + c] = sum[row - begin];
      }
    }
  }
}

void emg_view_apply(const emg_view *view, int n, const float *potentials, int shift, float *room,
                    float *out) {
  const int n_electrodes = view->n_electrodes, n_window = view->n_window;
  const int n_channels = view->n_channels;

  emg_sgemm(0, 0, n * n_electrodes, n_window, view->n_potential, 1, potentials, view->n_potential,
            view->kernel + view->max_shift - shift, view->stride, 0, room, n_window);
  for (int i = 0; i < n; i++) {
    const float *potential = room + (ptrdiff_t)i * n_electrodes * n_window;
    float *seen = out + (ptrdiff_t)i * n_window * n_channels;
    if (view->first) {
      mix_few(view, potential, seen);
    } else {
      emg_sgemm(1, 1, n_window, n_channels, n_electrodes, 1, potential, n_window, view->mix,
                n_electrodes, 0, seen, n_channels);
    }
  }
}
