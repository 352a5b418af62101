// filters.c -- the separation filters of a decomposition as a value
#include <emgtwin/filters.h>

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

void emg_filters_free(emg_filters *filters) {
  free(filters->channel);
  free(filters->weights);
  free(filters->threshold);
  free(filters->spike_centroid);
  free(filters->noise_centroid);
  free(filters->delay);
  *filters = (emg_filters){0};
}

emg_status emg_filters_create(int n_units, int n_taps, int n_channels, emg_filters *out,
                              emg_error *err) {
  size_t n = (size_t)n_units;
  emg_status status;

  *out = (emg_filters){.n_units = n_units, .n_taps = n_taps, .n_channels = n_channels};
  EMG_TRY_DONE(emg_alloc((size_t)n_channels, sizeof(int32_t), &out->channel, err));
  EMG_TRY_DONE(emg_alloc_aligned(n * (size_t)n_taps * (size_t)n_channels, sizeof(float),
                                 &out->weights, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof(double), &out->threshold, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof(double), &out->spike_centroid, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof(double), &out->noise_centroid, err));
  EMG_TRY_DONE(emg_alloc(n, sizeof(int32_t), &out->delay, err));

done:
  if (status != EMG_OK) {
    emg_filters_free(out);
  }
  return status;
}

emg_status emg_filters_copy(const emg_filters *from, emg_filters *out, emg_error *err) {
  size_t n = (size_t)from->n_units;
  emg_filters arrays;

  EMG_TRY(emg_filters_create(from->n_units, from->n_taps, from->n_channels, &arrays, err));
  if (n > 0) {
    memcpy(arrays.channel, from->channel, (size_t)from->n_channels * sizeof *from->channel);
    memcpy(arrays.weights, from->weights,
           n * (size_t)from->n_taps * (size_t)from->n_channels * sizeof *from->weights);
    memcpy(arrays.threshold, from->threshold, n * sizeof *from->threshold);
    memcpy(arrays.spike_centroid, from->spike_centroid, n * sizeof *from->spike_centroid);
    memcpy(arrays.noise_centroid, from->noise_centroid, n * sizeof *from->noise_centroid);
    memcpy(arrays.delay, from->delay, n * sizeof *from->delay);
  }
  *out = *from;
  out->channel = arrays.channel;
  out->weights = arrays.weights;
  out->threshold = arrays.threshold;
  out->spike_centroid = arrays.spike_centroid;
  out->noise_centroid = arrays.noise_centroid;
  out->delay = arrays.delay;
  return EMG_OK;
}
