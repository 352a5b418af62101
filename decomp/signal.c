// signal.c -- recordings stored [sample][channel], and the pieces of time that are worked on
#include "ckc_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

emg_status emg_signal_create(int n_channels, int64_t n_samples, int64_t margin, double rate_hz,
                             emg_signal *out, emg_error *err) {
  *out = (emg_signal){
      .n_channels = n_channels, .n_samples = n_samples, .margin = margin, .rate_hz = rate_hz};
  size_t n_rows = (size_t)(n_samples + 2 * margin);

  EMG_TRY(emg_alloc_aligned(n_rows * (size_t)n_channels, sizeof(float), &out->memory, err));
  out->rows = out->memory + margin * n_channels;
  return EMG_OK;
}

emg_status emg_signal_copy(const emg_signal *from, emg_signal *out, emg_error *err) {
  EMG_TRY(
      emg_signal_create(from->n_channels, from->n_samples, from->margin, from->rate_hz, out, err));
  memcpy(out->rows, from->rows, (size_t)from->n_samples * (size_t)from->n_channels * sizeof(float));
  return EMG_OK;
}

void emg_signal_free(emg_signal *signal) {
  free(signal->memory);
  *signal = (emg_signal){0};
}

emg_spans emg_spans_over(int64_t begin, int64_t end, int64_t most) {
  emg_spans spans = {.place = {0}};
  int64_t n = end - begin, used = n < most ? n : most;

  for (int s = 0; s < EMG_SPANS; s++) {
    int64_t length = used * (s + 1) / EMG_SPANS - used * s / EMG_SPANS;
    int64_t unused_before = (n - used) * s / (EMG_SPANS - 1);
    spans.begin[s] = begin + used * s / EMG_SPANS + unused_before;
    spans.end[s] = spans.begin[s] + length;
    spans.place[s + 1] = spans.place[s] + length;
  }
  return spans;
}

void emg_spans_to_samples(const emg_spans *spans, int64_t n, int64_t *places) {
  int s = 0;

  for (int64_t i = 0; i < n; i++) {
    while (s < EMG_SPANS - 1 && places[i] >= spans->place[s + 1]) {
      s++;
    }
    places[i] += spans->begin[s] - spans->place[s];
  }
}
