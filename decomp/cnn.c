// cnn.c -- a trained network as a value
#include <emgtwin/cnn.h>

#include <stdlib.h>
#include <string.h>

#include <base/sha256.h>
#include <emgtwin/array.h>

void emg_cnn_free(emg_cnn *net) {
  free(net->channel);
  free(net->threshold);
  free(net->weights);
  *net = (emg_cnn){0};
}

emg_status emg_cnn_create(const emg_cnn_shape *shape, emg_cnn *out, emg_error *err) {
  emg_status status;

  *out = (emg_cnn){.shape = *shape};
  int64_t n_weights = emg_cnn_count_weights(shape);
  if (n_weights == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    "there is no network of %d units, %d channels and windows of %d",
                    shape->n_units, shape->n_channels, shape->window);
  }
  EMG_TRY_DONE(emg_alloc((size_t)shape->n_channels, sizeof *out->channel, &out->channel, err));
  EMG_TRY_DONE(emg_alloc((size_t)shape->n_units, sizeof *out->threshold, &out->threshold, err));
  EMG_TRY_DONE(emg_alloc_aligned((size_t)n_weights, sizeof *out->weights, &out->weights, err));

done:
  if (status != EMG_OK) {
    emg_cnn_free(out);
  }
  return status;
}

emg_status emg_cnn_copy(const emg_cnn *from, emg_cnn *out, emg_error *err) {
  emg_cnn arrays;

  EMG_TRY(emg_cnn_create(&from->shape, &arrays, err));
  memcpy(arrays.channel, from->channel, (size_t)from->shape.n_channels * sizeof *from->channel);
  memcpy(arrays.threshold, from->threshold, (size_t)from->shape.n_units * sizeof *from->threshold);
  memcpy(arrays.weights, from->weights,
         (size_t)emg_cnn_count_weights(&from->shape) * sizeof *from->weights);
  *out = *from;
  out->channel = arrays.channel;
  out->threshold = arrays.threshold;
  out->weights = arrays.weights;
  return EMG_OK;
}

void emg_cnn_labels_sha256(const emg_spikes *labels, char hex[65]) {
  emg_sha256 sha;

  emg_sha256_start(&sha);
  emg_sha256_add(&sha, labels->offsets, (size_t)(labels->n_units + 1) * sizeof *labels->offsets);
  emg_sha256_add(&sha, labels->samples,
                 (size_t)labels->offsets[labels->n_units] * sizeof *labels->samples);
  emg_sha256_finish(&sha, hex);
}

void emg_cnn_set_paper(emg_config *config) {
  struct emg_config_cnn *keys = &config->cnn;

  keys->network = EMG_CNN_MO;
  keys->batches = EMG_BATCHES_WINDOWS;
  keys->select = EMG_SELECT_TRAINING;
  keys->epochs = 100;
  keys->patience = 50;
  keys->soft_label_ms = 0;
  keys->dropout = 0.5;
  keys->scale = EMG_SCALE_LARGEST;
  keys->amplitude_min = 1;
  keys->noise = 0;
  keys->channel_dropout = 0;
}

void emg_cnn_history_free(emg_cnn_history *history) {
  free(history->epochs);
  free(history->validation);
  free(history->held_windows);
  free(history->held_discharges);
  *history = (emg_cnn_history){0};
}
