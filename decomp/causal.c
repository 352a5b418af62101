// causal.c -- channels as they will come: the good ones, filtered from their past alone
#include "online_priv.h"

#include <stdlib.h>

#include <emgtwin/array.h>

emg_status emg_good_channels(const emg_recording *rec, const emg_config *config,
                             const emg_channel_finding *finding, int32_t *channel, int *n,
                             emg_error *err) {
  emg_prepared prepared = {.channel = NULL};

  if (!finding) {
    EMG_TRY(emg_prepare(rec, config, NULL, 0, &prepared, err));
    finding = prepared.finding;
  }
  *n = 0;
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (finding[c].state == EMG_CHANNEL_GOOD) {
      channel[(*n)++] = c;
    }
  }
  emg_prepared_free(&prepared);
  return EMG_OK;
}

emg_status emg_filter_channels(const emg_recording *rec, const int32_t *channel,
                               const emg_filter *filter, emg_signal *x, emg_error *err) {
  double *state;

  for (int64_t i = 0; i < x->n_samples; i++) {
    float *row = emg_signal_row(x, i);
    for (int c = 0; c < x->n_channels; c++) {
      row[c] = emg_row2f(&rec->data, channel[c])[i];
    }
  }
  EMG_TRY(emg_alloc(emg_filter_state_size(filter, x->n_channels), sizeof *state, &state, err));
  emg_filter_rows_start(filter, x->n_channels, x->rows, state);
  emg_filter_rows(filter, x->n_channels, x->n_samples, state, x->rows);
  free(state);
  return EMG_OK;
}
