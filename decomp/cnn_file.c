// cnn_file.c -- networks as HDF5, the weights as Keras keeps them (layout in docs/cnn.md)
#include "cnn_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/h5.h>
#include <base/provenance.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

static const char kind[] = "emgtwin network 1";
static const char damaged[] = "the network is damaged: %s; train it again";

typedef struct {
  char text[24];
} name;
typedef struct {
  char text[80];
} place;

// A stage of a branch, as a layer of Keras: "c1", or "u0003_c3" of a unit.
static name layer_name(const emg_cnn_plan *plan, int stage, int unit) {
  static const char *const names[EMG_CNN_LAYERS] = {"c1", "c2", "p1", "c3", "c4", "p2", "f1", "f2"};
  name n;

  if (plan->stages[stage].layer.is_per_unit) {
    snprintf(n.text, sizeof n.text, "u%04d_%s", unit, names[stage]);
  } else {
    snprintf(n.text, sizeof n.text, "%s", names[stage]);
  }
  return n;
}

static place weight_path(const name *layer, const char *what) {
  place p;

  snprintf(p.text, sizeof p.text, "model_weights/%s/%s/%.8s", layer->text, layer->text, what);
  return p;
}

// Kernel of a stage: (tap, in, out), or (in, out) with the rows of a window outermost.
static int kernel_dims(const emg_cnn_stage *s, int64_t dims[3]) {
  if (s->layer.kind == EMG_CNN_CONV) {
    dims[0] = EMG_CNN_TAPS;
    dims[1] = s->n_in;
    dims[2] = s->n_out;
    return 3;
  }
  dims[0] = (int64_t)s->length * s->n_in;
  dims[1] = s->n_out;
  return 2;
}

// Do something with each layer that has weights: those that are shared, then unit by unit.
typedef emg_status (*layer_fn)(emg_h5 *file, const emg_cnn_stage *s, const name *layer,
                               int64_t offset, float *weights, emg_error *err);

static emg_status for_each_layer(emg_h5 *file, const emg_cnn_plan *plan, layer_fn call,
                                 float *weights, emg_error *err) {
  for (int u = -1; u < plan->shape.n_units; u++) {
    for (int i = 0; i < EMG_CNN_LAYERS; i++) {
      const emg_cnn_stage *s = &plan->stages[i];
      if (s->n_kernel > 0 && s->layer.is_per_unit == (u >= 0)) {
        name layer = layer_name(plan, i, u);
        int64_t offset = s->offset + (u >= 0 ? emg_cnn_branch(plan, u) : 0);
        EMG_TRY(call(file, s, &layer, offset, weights, err));
      }
    }
  }
  return EMG_OK;
}

// --- numbers about the network ---

enum { SHAPE_FIELDS = 5, NUMBER_FIELDS = 7 };

static void shape_fields(emg_cnn *net, int *fields[SHAPE_FIELDS], const char **names) {
  int *const pointers[] = {&net->shape.n_units, &net->shape.n_channels, &net->n_channels_recorded,
                           &net->shape.window, &net->shape.step};
  static const char *const texts[] = {"network/n_units", "network/n_channels",
                                      "network/n_channels_recorded", "network/window",
                                      "network/step"};

  memcpy(fields, pointers, sizeof pointers);
  memcpy(names, texts, sizeof texts);
}

static void number_fields(emg_cnn *net, double *fields[NUMBER_FIELDS], const char **names) {
  double *const pointers[] = {&net->rate_hz,      &net->band_low_hz, &net->band_high_hz,
                              &net->notch_hz,     &net->scale_uv,    &net->refractory_ms,
                              &net->soft_label_ms};
  static const char *const texts[] = {"network/sampling_rate_hz", "network/band_low_hz",
                                      "network/band_high_hz",     "network/notch_hz",
                                      "network/scale_uv",         "network/refractory_ms",
                                      "network/soft_label_ms"};

  memcpy(fields, pointers, sizeof pointers);
  memcpy(names, texts, sizeof texts);
}

// --- writing ---

static emg_status write_layer(emg_h5 *file, const emg_cnn_stage *s, const name *layer,
                              int64_t offset, float *weights, emg_error *err) {
  place group, names[2];
  int64_t dims[3], n_out = s->n_out;
  int rank = kernel_dims(s, dims);

  EMG_TRY(emg_h5_write(file, weight_path(layer, "kernel:0").text, EMG_H5_F32, rank, dims, 0,
                       weights + offset, 0, err));
  EMG_TRY(emg_h5_write(file, weight_path(layer, "bias:0").text, EMG_H5_F32, 1, &n_out, 0,
                       weights + offset + s->n_kernel, 0, err));
  snprintf(group.text, sizeof group.text, "model_weights/%s", layer->text);
  snprintf(names[0].text, sizeof names[0].text, "%s/kernel:0", layer->text);
  snprintf(names[1].text, sizeof names[1].text, "%s/bias:0", layer->text);
  return emg_h5_set_names(file, group.text, "weight_names", 2, sizeof names[0], sizeof names[0],
                          names[0].text, err);
}

// What Keras finds layers by.
static emg_status write_layer_names(emg_h5 *file, const emg_cnn_plan *plan, emg_error *err) {
  int n = 0, n_most = EMG_CNN_LAYERS * (plan->shape.n_units + 1);
  name *names;

  EMG_TRY(emg_alloc((size_t)n_most, sizeof *names, &names, err));
  for (int u = -1; u < plan->shape.n_units; u++) {
    for (int i = 0; i < EMG_CNN_LAYERS; i++) {
      if (plan->stages[i].n_kernel > 0 && plan->stages[i].layer.is_per_unit == (u >= 0)) {
        names[n++] = layer_name(plan, i, u);
      }
    }
  }
  emg_status status = emg_h5_set_names(file, "model_weights", "layer_names", n, sizeof *names,
                                       sizeof *names, names->text, err);
  free(names);
  return status;
}

static emg_status write_about(emg_h5 *file, const emg_cnn *net, emg_error *err) {
  emg_cnn copy = *net;
  int *shape[SHAPE_FIELDS];
  double *number[NUMBER_FIELDS];
  const char *names[NUMBER_FIELDS];
  int64_t n_channels = net->shape.n_channels, n_units = net->shape.n_units;

  EMG_TRY(emg_h5_write_text(file, "kind", kind, err));
  EMG_TRY(emg_h5_write_text(file, "network/name", emg_cnn_kind_name(net->shape.kind), err));
  shape_fields(&copy, shape, names);
  for (int i = 0; i < SHAPE_FIELDS; i++) {
    EMG_TRY(emg_h5_write_scalar(file, names[i], *shape[i], err));
  }
  number_fields(&copy, number, names);
  for (int i = 0; i < NUMBER_FIELDS; i++) {
    EMG_TRY(emg_h5_write_scalar(file, names[i], *number[i], err));
  }
  EMG_TRY(
      emg_h5_write(file, "network/channel", EMG_H5_I32, 1, &n_channels, 0, net->channel, 0, err));
  EMG_TRY(
      emg_h5_write(file, "network/threshold", EMG_H5_F64, 1, &n_units, 0, net->threshold, 0, err));
  EMG_TRY(emg_h5_write_text(file, "network/labels_sha256", net->labels_sha256, err));
  return emg_h5_write_u64(file, "network/seed", net->seed, err);
}

static emg_status write_all(emg_h5 *file, const emg_cnn *net, const emg_provenance *provenance,
                            emg_error *err) {
  emg_cnn_plan plan;

  EMG_TRY(emg_cnn_plan_create(&net->shape, &plan, err));
  EMG_TRY(write_about(file, net, err));
  EMG_TRY(for_each_layer(file, &plan, write_layer, net->weights, err));
  EMG_TRY(write_layer_names(file, &plan, err));
  if (provenance) {
    EMG_TRY(emg_provenance_write(file, provenance, err));
  }
  EMG_TRY(emg_h5_sync(file, err));
  EMG_TRY(emg_h5_set_i64(file, "", "complete", 1, err));
  return emg_h5_publish(file, err);
}

emg_status emg_cnn_write(const char *path, const emg_cnn *net, const emg_provenance *provenance,
                         bool overwrite, emg_error *err) {
  emg_h5 *file;

  emg_init();
  emg_status status = emg_h5_create(path, overwrite, &file, err);
  if (status == EMG_OK) {
    status = write_all(file, net, provenance, err);
    emg_h5_close(file);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

// --- reading ---

static emg_status check_kind(emg_h5 *file, emg_error *err) {
  double complete = 0;
  char *text = NULL;

  bool is_network = emg_h5_has(file, "kind") && emg_h5_has(file, "network") &&
                    emg_h5_read_text(file, "kind", &text, NULL) == EMG_OK &&
                    strcmp(text, kind) == 0;
  free(text);
  if (!is_network) {
    return emg_fail(err, EMG_ERR_DATA,
                    "this HDF5 file holds no network of emgtwin; make one with 'emgtwin train'");
  }
  if (!emg_h5_attribute(file, "", "complete", &complete) || complete != 1) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the file was not written to its end (no attribute complete = 1); train the "
                    "network again");
  }
  return EMG_OK;
}

static emg_status read_design(emg_h5 *file, emg_cnn_kind *design, emg_error *err) {
  char *text;

  EMG_TRY(emg_h5_read_text(file, "network/name", &text, err));
  for (int k = 0; emg_cnn_kind_name((emg_cnn_kind)k); k++) {
    if (strcmp(text, emg_cnn_kind_name((emg_cnn_kind)k)) == 0) {
      *design = (emg_cnn_kind)k;
      free(text);
      return EMG_OK;
    }
  }
  emg_fail(err, EMG_ERR_DATA, "there is no network '%.40s'; this may be a file of a later version",
           text);
  free(text);
  return EMG_ERR_DATA;
}

static emg_status check_numbers(const emg_cnn *net, emg_error *err) {
  bool is_fine = net->rate_hz > 0 && net->rate_hz < 1e9 && net->band_low_hz >= 0 &&
                 net->band_high_hz > net->band_low_hz && net->notch_hz >= 0 && net->scale_uv > 0 &&
                 net->refractory_ms >= 0 && net->refractory_ms <= 1e4 && net->soft_label_ms >= 0 &&
                 net->soft_label_ms <= 1e4 && net->n_channels_recorded >= net->shape.n_channels &&
                 net->n_channels_recorded <= 1 << 16;
  emg_filter filter;

  if (!is_fine) {
    return emg_fail(err, EMG_ERR_DATA, damaged, "a number about it is out of range");
  }
  if (emg_cnn_filter(net, &filter, err) != EMG_OK) {
    return emg_fail(err, EMG_ERR_DATA, damaged, "its filter cannot be");
  }
  return EMG_OK;
}

static emg_status read_about(emg_h5 *file, emg_cnn *net, emg_error *err) {
  int *shape[SHAPE_FIELDS];
  double *number[NUMBER_FIELDS], value;
  const char *names[NUMBER_FIELDS];

  EMG_TRY(read_design(file, &net->shape.kind, err));
  shape_fields(net, shape, names);
  for (int i = 0; i < SHAPE_FIELDS; i++) {
    EMG_TRY(emg_h5_read_scalar(file, names[i], &value, err));
    if (!(value >= 1 && value <= 1 << 16) || value != floor(value)) {
      return emg_fail(err, EMG_ERR_DATA, "%s = %g is no number a network can have", names[i],
                      value);
    }
    *shape[i] = (int)value;
  }
  number_fields(net, number, names);
  for (int i = 0; i < NUMBER_FIELDS; i++) {
    EMG_TRY(emg_h5_read_scalar(file, names[i], number[i], err));
    if (!isfinite(*number[i])) {
      return emg_fail(err, EMG_ERR_DATA, "%s is not a finite number", names[i]);
    }
  }
  return check_numbers(net, err);
}

// The file must hold a layer before there is memory for it.
static emg_status expect_layer(emg_h5 *file, const emg_cnn_stage *s, const name *layer,
                               int64_t offset, float *weights, emg_error *err) {
  int64_t dims[3], n_out = s->n_out;
  int rank = kernel_dims(s, dims);
  (void)offset;
  (void)weights;

  EMG_TRY(emg_h5_expect(file, weight_path(layer, "kernel:0").text, rank, dims, err));
  return emg_h5_expect(file, weight_path(layer, "bias:0").text, 1, &n_out, err);
}

static emg_status read_layer(emg_h5 *file, const emg_cnn_stage *s, const name *layer,
                             int64_t offset, float *weights, emg_error *err) {
  int64_t dims[3], n_out = s->n_out;
  int rank = kernel_dims(s, dims);

  EMG_TRY(emg_h5_read(file, weight_path(layer, "kernel:0").text, EMG_H5_F32, rank, dims, 0,
                      weights + offset, err));
  EMG_TRY(emg_h5_read(file, weight_path(layer, "bias:0").text, EMG_H5_F32, 1, &n_out, 0,
                      weights + offset + s->n_kernel, err));
  for (int64_t i = 0; i < s->n_kernel + s->n_out; i++) {
    if (!isfinite(weights[offset + i])) {
      return emg_fail(err, EMG_ERR_DATA, damaged, "a weight is not a finite number");
    }
  }
  return EMG_OK;
}

static emg_status read_vectors(emg_h5 *file, emg_cnn *net, emg_error *err) {
  int64_t n_channels = net->shape.n_channels, n_units = net->shape.n_units;
  uint64_t seed;
  char *text;

  EMG_TRY(emg_h5_read(file, "network/channel", EMG_H5_I32, 1, &n_channels, 0, net->channel, err));
  for (int c = 0; c < net->shape.n_channels; c++) {
    if (net->channel[c] < (c > 0 ? net->channel[c - 1] + 1 : 0) ||
        net->channel[c] >= net->n_channels_recorded) {
      return emg_fail(err, EMG_ERR_DATA, damaged, "its channels are not those of a recording");
    }
  }
  EMG_TRY(emg_h5_read(file, "network/threshold", EMG_H5_F64, 1, &n_units, 0, net->threshold, err));
  for (int u = 0; u < net->shape.n_units; u++) {
    if (!(net->threshold[u] > 0 && net->threshold[u] <= 1)) {
      return emg_fail(err, EMG_ERR_DATA, damaged, "a threshold is no probability");
    }
  }
  EMG_TRY(emg_h5_read_text(file, "network/labels_sha256", &text, err));
  snprintf(net->labels_sha256, sizeof net->labels_sha256, "%s", text);
  free(text);
  EMG_TRY(emg_h5_read(file, "network/seed", EMG_H5_U64, 0, NULL, 0, &seed, err));
  net->seed = seed;
  return EMG_OK;
}

static emg_status read_all(emg_h5 *file, emg_cnn *net, emg_error *err) {
  emg_cnn about = {0};
  emg_cnn_plan plan;

  EMG_TRY(check_kind(file, err));
  EMG_TRY(read_about(file, &about, err));
  if (emg_cnn_plan_create(&about.shape, &plan, err) != EMG_OK) {
    return err ? (err->status = EMG_ERR_DATA) : EMG_ERR_DATA;
  }
  EMG_TRY(for_each_layer(file, &plan, expect_layer, NULL, err));
  EMG_TRY(emg_cnn_create(&about.shape, net, err));
  about.channel = net->channel;
  about.threshold = net->threshold;
  about.weights = net->weights;
  *net = about;
  EMG_TRY(for_each_layer(file, &plan, read_layer, net->weights, err));
  return read_vectors(file, net, err);
}

emg_status emg_cnn_read(const char *path, emg_cnn *out, emg_error *err) {
  emg_h5 *file;

  emg_init();
  *out = (emg_cnn){0};
  emg_status status = emg_h5_open(path, &file, err);
  if (status == EMG_OK) {
    status = read_all(file, out, err);
    emg_h5_close(file);
  }
  if (status != EMG_OK) {
    emg_cnn_free(out);
    emg_error_in_file(err, path);
  }
  return status;
}
