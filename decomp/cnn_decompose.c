// cnn_decompose.c -- MAIN PATH of use: a recording through a network to spike trains
#include "cnn_priv.h"

#include <math.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "found_priv.h"
#include "parts_priv.h"

// Discharges of all units from their answers.
static void decide(const emg_cnn *net, const emg_array2f *logits, emg_found *found) {
  const int64_t refractory = llround(net->refractory_ms * net->rate_hz / 1000);
  int step = net->shape.step;
  int64_t spike;
  float height;

  for (int u = 0; u < net->shape.n_units; u++) {
    const float *z = emg_row2f(logits, u);
    emg_cnn_decider decider;
    emg_cnn_decider_start(&decider, net->threshold[u], refractory);
    for (int64_t i = 0; i < logits->n_cols; i++) {
      if (emg_cnn_decide(&decider, i * step, step, z[i], &spike, &height)) {
        emg_found_add(u, spike, height, found);
      }
    }
    if (emg_cnn_decider_end(&decider, step, &spike, &height)) {
      emg_found_add(u, spike, height, found);
    }
  }
}

// The probability at each sample, straight between windows, with which figures are made as from
// the source of a separation filter.
static emg_status make_source(const emg_cnn *net, const emg_array2f *logits, int64_t n_samples,
                              emg_array2f *source, emg_error *err) {
  int step = net->shape.step;

  EMG_TRY(emg_array2f_create(net->shape.n_units, n_samples, source, err));
  for (int u = 0; u < net->shape.n_units; u++) {
    const float *z = emg_row2f(logits, u);
    float *row = emg_row2f(source, u);
    for (int64_t i = 0; i < n_samples; i++) {
      int64_t window = i / step, next = window + 1 < logits->n_cols ? window + 1 : window;
      double part = (double)(i - window * step) / step;
      double p = 1 / (1 + exp(-z[window])), q = 1 / (1 + exp(-z[next]));
      row[i] = (float)(p + part * (q - p));
    }
  }
  return EMG_OK;
}

static emg_status decompose(const emg_recording *rec, const emg_cnn *net, bool keep_source,
                            const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  emg_array2f logits = {0}, source = {0};
  emg_found found = {0};
  emg_status status;

  EMG_TRY_DONE(emg_cnn_answer(net, rec, monitor, &logits, err));
  decide(net, &logits, &found);
  EMG_TRY_DONE(make_source(net, &logits, rec->data.n_cols, &source, err));
  EMG_TRY_DONE(emg_found_package(&found, rec, &source, false, net->refractory_ms, out, err));
  if (keep_source) {
    out->source = source;
    source = (emg_array2f){0};
  }

done:
  emg_array2f_free(&logits);
  emg_array2f_free(&source);
  emg_found_free(&found);
  return status;
}

emg_status emg_cnn_decompose(const emg_recording *rec, const emg_cnn *net, const emg_config *config,
                             const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  emg_recording window;
  int64_t begin;

  emg_init();
  *out = (emg_decomposition){0};
  EMG_TRY(emg_window_cut(rec, &config->decompose, &window, &begin, err));
  emg_status status = decompose(&window, net, config->decompose.keep_source, monitor, out, err);
  if (status == EMG_OK) {
    status = emg_window_restore(begin, rec->data.n_cols, out, err);
  }
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
