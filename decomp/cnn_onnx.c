// cnn_onnx.c -- networks as ONNX, for other programs
//
// A file is one message of Protocol Buffers: fields of a number and a kind, lengths before what has
// parts. Numbers of fields are those of onnx.proto, IR version 8, operators of version 13.
#include "cnn_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buffer.h>
#include <base/part_file.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

enum { IR_VERSION = 8, OPERATORS_VERSION = 13, FLOATS = 1, INTEGERS = 7 };

// --- messages ---

static void put_varint(emg_buffer *b, uint64_t value) {
  do {
    unsigned char byte = (unsigned char)(value & 127);
    value >>= 7;
    byte |= value > 0 ? 128 : 0;
    emg_buffer_add(b, &byte, 1);
  } while (value > 0);
}

static void put_number(emg_buffer *b, int field, int64_t value) {
  put_varint(b, (uint64_t)field << 3);
  put_varint(b, (uint64_t)value);
}

static void put_bytes(emg_buffer *b, int field, const void *bytes, size_t n) {
  put_varint(b, (uint64_t)field << 3 | 2);
  put_varint(b, n);
  emg_buffer_add(b, bytes, n);
}

static void put_text(emg_buffer *b, int field, const char *text) {
  put_bytes(b, field, text, strlen(text));
}

// A message as a field of another; the part is freed.
static void put_message(emg_buffer *b, int field, emg_buffer *part) {
  b->has_failed |= part->has_failed;
  put_bytes(b, field, part->bytes, part->n);
  emg_buffer_free(part);
}

// --- parts of a graph ---

typedef struct {
  char text[32];
} name;

static name name_of(const char *what, int stage, int unit) {
  name n;

  if (unit >= 0) {
    snprintf(n.text, sizeof n.text, "%.10s%d_u%d", what, stage, unit);
  } else {
    snprintf(n.text, sizeof n.text, "%.10s%d", what, stage);
  }
  return n;
}

// A list of whole numbers as an attribute of a node.
static void put_integers(emg_buffer *node, const char *key, int n, const int64_t *values) {
  emg_buffer attribute = {0};

  put_text(&attribute, 1, key);
  for (int i = 0; i < n; i++) {
    put_number(&attribute, 8, values[i]);
  }
  put_number(&attribute, 20, 7);
  put_message(node, 5, &attribute);
}

// A node that is open for attributes.
static emg_buffer start_node(const char *operator, int n_inputs, const char *const *inputs,
                             const char *output) {
  emg_buffer node = {0};

  for (int i = 0; i < n_inputs; i++) {
    put_text(&node, 1, inputs[i]);
  }
  put_text(&node, 2, output);
  put_text(&node, 3, output);
  put_text(&node, 4, operator);
  return node;
}

static void put_node(emg_buffer *graph, const char *operator, int n_inputs,
                     const char *const *inputs, const char *output) {
  emg_buffer node = start_node(operator, n_inputs, inputs, output);
  put_message(graph, 1, &node);
}

static void put_transpose(emg_buffer *graph, const char *input, const char *output) {
  const int64_t order[] = {0, 2, 1};
  emg_buffer node = start_node("Transpose", 1, &input, output);

  put_integers(&node, "perm", 3, order);
  put_message(graph, 1, &node);
}

static void put_tensor(emg_buffer *graph, const char *tensor_name, int type, int rank,
                       const int64_t *dims, const void *values, size_t n_bytes) {
  emg_buffer tensor = {0};

  for (int i = 0; i < rank; i++) {
    put_number(&tensor, 1, dims[i]);
  }
  put_number(&tensor, 2, type);
  put_text(&tensor, 8, tensor_name);
  put_bytes(&tensor, 9, values, n_bytes);
  put_message(graph, 5, &tensor);
}

// Input or output of the graph: any number of windows of `rank` - 1 further dimensions.
static void put_value(emg_buffer *graph, int field, const char *value_name, int rank,
                      const int64_t *dims) {
  emg_buffer shape = {0}, tensor = {0}, type = {0}, value = {0};

  for (int i = 0; i < rank; i++) {
    emg_buffer dim = {0};
    if (i == 0) {
      put_text(&dim, 2, "windows");
    } else {
      put_number(&dim, 1, dims[i]);
    }
    put_message(&shape, 1, &dim);
  }
  put_number(&tensor, 1, FLOATS);
  put_message(&tensor, 2, &shape);
  put_message(&type, 1, &tensor);
  put_text(&value, 1, value_name);
  put_message(&value, 2, &type);
  put_message(graph, field, &value);
}

// --- stages ---

// Kernels of convolutions are (out, in, tap) there.
static emg_status put_convolution_kernel(emg_buffer *graph, const emg_cnn_stage *s,
                                         const char *tensor_name, const float *weights,
                                         emg_error *err) {
  const int64_t dims[] = {s->n_out, s->n_in, EMG_CNN_TAPS};
  float *turned;

  EMG_TRY(emg_alloc((size_t)s->n_kernel, sizeof *turned, &turned, err));
  for (int tap = 0; tap < EMG_CNN_TAPS; tap++) {
    for (int i = 0; i < s->n_in; i++) {
      for (int o = 0; o < s->n_out; o++) {
        turned[((ptrdiff_t)o * s->n_in + i) * EMG_CNN_TAPS + tap] =
            weights[((ptrdiff_t)tap * s->n_in + i) * s->n_out + o];
      }
    }
  }
  put_tensor(graph, tensor_name, FLOATS, 3, dims, turned, (size_t)s->n_kernel * sizeof *turned);
  free(turned);
  return EMG_OK;
}

// Windows lie as [window][feature][row] between convolutions and are laid out rows outermost before
// the first dense layer.
static emg_status put_stage(emg_buffer *graph, const emg_cnn_stage *s, int i, int unit,
                            const float *weights, name *value, emg_error *err) {
  const name kernel = name_of("kernel", i, unit), bias = name_of("bias", i, unit);
  const name sum = name_of("sum", i, unit), out = name_of("out", i, unit);
  const char *inputs[] = {value->text, kernel.text, bias.text}, *sum_text = sum.text;
  const int64_t n_out = s->n_out, pair = EMG_CNN_POOLED;

  if (s->layer.kind == EMG_CNN_POOL) {
    emg_buffer node = start_node("MaxPool", 1, inputs, out.text);
    put_integers(&node, "kernel_shape", 1, &pair);
    put_integers(&node, "strides", 1, &pair);
    put_message(graph, 1, &node);
    *value = out;
    return EMG_OK;
  }
  put_tensor(graph, bias.text, FLOATS, 1, &n_out, weights + s->n_kernel,
             (size_t)n_out * sizeof *weights);
  name turned = name_of("turned", i, unit), flat = name_of("flat", i, unit);
  if (s->layer.kind == EMG_CNN_CONV) {
    EMG_TRY(put_convolution_kernel(graph, s, kernel.text, weights, err));
    put_node(graph, "Conv", 3, inputs, sum.text);
  } else {
    const int64_t dims[] = {(int64_t)s->length * s->n_in, s->n_out};
    if (s->length > 1 || s->hop > 1) {
      const char *const reshaped[] = {turned.text, "flat_shape"};
      put_transpose(graph, value->text, turned.text);
      put_node(graph, "Reshape", 2, reshaped, flat.text);
      inputs[0] = flat.text;
    }
    put_tensor(graph, kernel.text, FLOATS, 2, dims, weights, (size_t)s->n_kernel * sizeof *weights);
    put_node(graph, "Gemm", 3, inputs, sum.text);
  }
  *value = sum;
  if (i + 1 < EMG_CNN_LAYERS) {
    put_node(graph, "Relu", 1, &sum_text, out.text);
    *value = out;
  }
  return EMG_OK;
}

static emg_status put_section(emg_buffer *graph, const emg_cnn_plan *plan, int first, int last,
                              int unit, const float *weights, name *value, emg_error *err) {
  for (int i = first; i < last; i++) {
    EMG_TRY(
        put_stage(graph, &plan->stages[i], i, unit, weights + plan->stages[i].offset, value, err));
  }
  return EMG_OK;
}

// The answers of all branches side by side.
static emg_status put_branches(emg_buffer *graph, const emg_cnn_plan *plan, const float *weights,
                               const name *shared, emg_error *err) {
  emg_buffer node = {0}, axis = {0};
  emg_status status = EMG_OK;

  for (int u = 0; u < plan->shape.n_units && status == EMG_OK; u++) {
    name value = *shared;
    status = put_section(graph, plan, plan->n_shared, EMG_CNN_LAYERS, u,
                         weights + emg_cnn_branch(plan, u), &value, err);
    put_text(&node, 1, value.text);
  }
  put_text(&node, 2, "logits");
  put_text(&node, 4, "Concat");
  put_text(&axis, 1, "axis");
  put_number(&axis, 3, 1);
  put_number(&axis, 20, 2);
  put_message(&node, 5, &axis);
  put_message(graph, 1, &node);
  return status;
}

static emg_status put_graph(emg_buffer *graph, const emg_cnn *net, emg_error *err) {
  const int64_t input[] = {0, net->shape.window, net->shape.n_channels};
  const int64_t output[] = {0, net->shape.n_units}, flat_shape[] = {0, -1}, two = 2;
  const char *logits = "logits";
  name value = {"features"};
  emg_cnn_plan plan;

  EMG_TRY(emg_cnn_plan_create(&net->shape, &plan, err));
  put_transpose(graph, "window", value.text);
  put_tensor(graph, "flat_shape", INTEGERS, 1, &two, flat_shape, sizeof flat_shape);
  EMG_TRY(put_section(graph, &plan, 0, plan.n_shared, -1, net->weights, &value, err));
  if (plan.n_shared < EMG_CNN_LAYERS) {
    EMG_TRY(put_branches(graph, &plan, net->weights, &value, err));
  } else {
    logits = value.text;
  }
  put_node(graph, "Sigmoid", 1, &logits, "probability");
  put_text(graph, 2, "emgtwin");
  put_value(graph, 11, "window", 3, input);
  put_value(graph, 12, "probability", 2, output);
  return EMG_OK;
}

emg_status emg_cnn_write_onnx(const char *path, const emg_cnn *net, bool overwrite,
                              emg_error *err) {
  emg_buffer model = {0}, operators = {0}, graph = {0};
  emg_status status = put_graph(&graph, net, err);

  put_number(&model, 1, IR_VERSION);
  put_text(&model, 2, "emgtwin");
  put_message(&model, 7, &graph);
  put_text(&operators, 1, "");
  put_number(&operators, 2, OPERATORS_VERSION);
  put_message(&model, 8, &operators);
  if (status == EMG_OK) {
    status = emg_buffer_check(&model, err);
  }
  if (status == EMG_OK) {
    status = emg_part_file_write(path, model.bytes, model.n, overwrite, err);
  }
  emg_buffer_free(&model);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}
