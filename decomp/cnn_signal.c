// cnn_signal.c -- a recording as a network sees it, and what is to be said of its windows
#include "cnn_priv.h"

#include <string.h>

#include "online_priv.h"

emg_status emg_cnn_filter(const emg_cnn *net, emg_filter *out, emg_error *err) {
  return emg_filters_band(net->band_low_hz, net->band_high_hz, net->notch_hz, net->rate_hz, out,
                          err);
}

emg_status emg_cnn_signal(const emg_cnn *net, const emg_recording *rec, emg_signal *out,
                          emg_error *err) {
  const float scale = (float)(1 / net->scale_uv);
  emg_filter filter;

  EMG_TRY(emg_cnn_filter(net, &filter, err));
  EMG_TRY(emg_signal_create(net->shape.n_channels, rec->data.n_cols, 0, rec->rate_hz, out, err));
  emg_status status = emg_filter_channels(rec, net->channel, &filter, out, err);
  if (status != EMG_OK) {
    emg_signal_free(out);
    return status;
  }
  for (int64_t i = 0; i < out->n_samples * out->n_channels; i++) {
    out->rows[i] *= scale;
  }
  return EMG_OK;
}

double emg_cnn_root_mean_square(const emg_signal *x) {
  int64_t n = x->n_samples * x->n_channels;
  double squares = 0;

  for (int64_t i = 0; i < n; i++) {
    squares += (double)x->rows[i] * x->rows[i];
  }
  return n > 0 ? sqrt(squares / (double)n) : 0;
}

void emg_cnn_copy_rows(const emg_signal *x, int64_t first, int64_t n, float *rows) {
  const size_t row = (size_t)x->n_channels;
  int64_t begin = first < 0 ? 0 : first, end = first + n;

  end = end > x->n_samples ? x->n_samples : end;
  memset(rows, 0, (size_t)n * row * sizeof *rows);
  if (end > begin) {
    memcpy(rows + (size_t)(begin - first) * row, emg_signal_row(x, begin),
           (size_t)(end - begin) * row * sizeof *rows);
  }
}

// Number of the first discharge at or behind a sample.
static int64_t first_behind(const int64_t *train, int64_t n, int64_t sample) {
  int64_t low = 0, high = n;

  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (train[middle] < sample) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

double emg_cnn_label(const emg_cnn_labels *labels, int unit, int64_t centre) {
  const int64_t *train = emg_spikes_of(labels->spikes, unit);
  int64_t n = emg_spikes_count(labels->spikes, unit);

  if (labels->soft_samples > 0) {
    int64_t next = first_behind(train, n, centre);
    double ahead = next < n ? (double)(train[next] - centre) : INFINITY;
    double behind = next > 0 ? (double)(centre - train[next - 1]) : INFINITY;
    double z = fmin(ahead, behind) / labels->soft_samples;
    return exp(-0.5 * z * z);
  }
  // Wen et al. 2021, eq. 2
  int64_t begin = centre - labels->step / 2, next = first_behind(train, n, begin);
  return next < n && train[next] < begin + labels->step;
}
