// cnn_design.c -- the networks as tables of layers, and what they become for given sizes
#include "cnn_priv.h"

#include <math.h>

#include <emgtwin/rng.h>

enum { SHARED = 0, OWN = 1, KEEPS = 0, DROPS = 1, WIDE = 128, NARROW = 64, HIDDEN = 256 };

// Four convolutions and two dense layers (Wen et al. 2021, fig. 1C, D); the designs differ in the
// layer from which each unit has its own. Dropout is where the authors' program has it: behind the
// pools and the first dense layer.
#define LAYERS(c1, c3, f1, f2)                                           \
  {                                                                      \
    {EMG_CNN_CONV, WIDE, c1, KEEPS}, {EMG_CNN_CONV, WIDE, c1, KEEPS},    \
        {EMG_CNN_POOL, 0, c1, DROPS}, {EMG_CNN_CONV, WIDE, c3, KEEPS},   \
        {EMG_CNN_CONV, NARROW, c3, KEEPS}, {EMG_CNN_POOL, 0, c3, DROPS}, \
        {EMG_CNN_DENSE, HIDDEN, f1, DROPS}, {                            \
      EMG_CNN_DENSE, 0, f2, KEEPS                                        \
    }                                                                    \
  }

static const emg_cnn_design designs[] = {
    [EMG_CNN_SO] = {"so", "a network of its own for each unit", LAYERS(OWN, OWN, OWN, OWN)},
    [EMG_CNN_MO] = {"mo", "the first two convolutions are shared", LAYERS(SHARED, OWN, OWN, OWN)},
    [EMG_CNN_SHARED] = {"shared", "all convolutions are shared", LAYERS(SHARED, SHARED, OWN, OWN)},
    [EMG_CNN_MULTILABEL] = {"multilabel", "one network with an output for each unit",
                            LAYERS(SHARED, SHARED, SHARED, SHARED)},
};
enum { N_DESIGNS = sizeof designs / sizeof designs[0] };

const emg_cnn_design *emg_cnn_design_of(emg_cnn_kind kind) {
  return (int)kind >= 0 && (int)kind < N_DESIGNS ? &designs[kind] : NULL;
}

const char *emg_cnn_kind_name(emg_cnn_kind kind) {
  const emg_cnn_design *design = emg_cnn_design_of(kind);

  return design ? design->name : NULL;
}

// --- sizes ---

static emg_status check(const emg_cnn_shape *shape, emg_error *err) {
  // two pairs of convolutions and two pools leave nothing of a shorter window
  const int window_least = 16;

  if (!emg_cnn_design_of(shape->kind)) {
    return emg_fail(err, EMG_ERR_CONFIG, "there is no network of kind %d", (int)shape->kind);
  }
  if (shape->n_units < 1 || shape->n_units > EMG_CNN_UNITS_MAX || shape->n_channels < 1 ||
      shape->n_channels > EMG_CNN_CHANNELS_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "a network of %d units and %d channels is out of range: 1 to %d units, 1 to %d "
                    "channels",
                    shape->n_units, shape->n_channels, EMG_CNN_UNITS_MAX, EMG_CNN_CHANNELS_MAX);
  }
  if (shape->window < window_least || shape->window > EMG_CNN_WINDOW_MAX || shape->step < 1 ||
      shape->step > EMG_CNN_WINDOW_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "a window of %d samples every %d is out of range: windows of %d to %d samples, "
                    "steps of 1 to %d",
                    shape->window, shape->step, window_least, EMG_CNN_WINDOW_MAX,
                    EMG_CNN_WINDOW_MAX);
  }
  return EMG_OK;
}

// Windows share what they compute if they lie a multiple of both pools apart.
static int spacing_of(int step) {
  const int pools = EMG_CNN_POOLED * EMG_CNN_POOLED;
  int spacing = step;

  while (spacing % pools != 0) {
    spacing += step;
  }
  return spacing;
}

static int rows_behind(const emg_cnn_stage *stage, int rows) {
  switch (stage->layer.kind) {
    case EMG_CNN_CONV:
      return rows - (EMG_CNN_TAPS - 1);
    case EMG_CNN_POOL:
      return rows / EMG_CNN_POOLED;
    default:
      return 1;
  }
}

static int hop_behind(const emg_cnn_stage *stage) {
  switch (stage->layer.kind) {
    case EMG_CNN_CONV:
      return stage->hop;
    case EMG_CNN_POOL:
      return stage->hop / EMG_CNN_POOLED;
    default:
      return 1;
  }
}

static int64_t kernel_size(const emg_cnn_stage *stage) {
  int64_t size = (int64_t)stage->n_in * stage->n_out;

  switch (stage->layer.kind) {
    case EMG_CNN_CONV:
      return EMG_CNN_TAPS * size;
    case EMG_CNN_POOL:
      return 0;
    default:
      return stage->length * size;
  }
}

static int width_of(const emg_cnn_stage *stage, int n_units) {
  if (stage->layer.width > 0) {
    return stage->layer.width;
  }
  if (stage->layer.kind == EMG_CNN_POOL) {
    return stage->n_in;
  }
  return stage->layer.is_per_unit ? 1 : n_units;
}

emg_status emg_cnn_plan_create(const emg_cnn_shape *shape, emg_cnn_plan *out, emg_error *err) {
  EMG_TRY(check(shape, err));
  *out = (emg_cnn_plan){.shape = *shape, .spacing = spacing_of(shape->step)};
  const emg_cnn_design *design = emg_cnn_design_of(shape->kind);
  int n_in = shape->n_channels, length = shape->window, hop = out->spacing;

  for (int i = 0; i < EMG_CNN_LAYERS; i++) {
    emg_cnn_stage *stage = &out->stages[i];
    *stage =
        (emg_cnn_stage){.layer = design->layers[i], .n_in = n_in, .length = length, .hop = hop};
    bool is_own = stage->layer.is_per_unit;
    int64_t *section = is_own ? &out->n_unit_weights : &out->n_shared_weights;
    stage->n_out = width_of(stage, shape->n_units);
    stage->n_kernel = kernel_size(stage);
    stage->offset = *section;
    *section += stage->n_kernel + (stage->n_kernel > 0 ? stage->n_out : 0);
    out->n_shared += !is_own;
    n_in = stage->n_out;
    length = rows_behind(stage, length);
    hop = hop_behind(stage);
  }
  out->n_weights = emg_cnn_branch(out, shape->n_units);
  return EMG_OK;
}

int64_t emg_cnn_count_weights(const emg_cnn_shape *shape) {
  emg_cnn_plan plan;

  return emg_cnn_plan_create(shape, &plan, NULL) == EMG_OK ? plan.n_weights : 0;
}

int emg_cnn_run_length(const emg_cnn_plan *plan, int n_windows) {
  return (n_windows - 1) * plan->spacing + plan->shape.window;
}

int emg_cnn_rows(const emg_cnn_plan *plan, int i, int n_windows) {
  if (i == EMG_CNN_LAYERS) {
    return n_windows;
  }
  return (n_windows - 1) * plan->stages[i].hop + plan->stages[i].length;
}

int emg_cnn_pitch(const emg_cnn_plan *plan, int i, int n_windows) {
  const int pools = EMG_CNN_POOLED * EMG_CNN_POOLED;
  int pitch = (emg_cnn_run_length(plan, n_windows) + pools - 1) / pools * pools;

  for (int k = 0; k < i; k++) {
    pitch = plan->stages[k].layer.kind == EMG_CNN_POOL    ? pitch / EMG_CNN_POOLED
            : plan->stages[k].layer.kind == EMG_CNN_DENSE ? n_windows
                                                          : pitch;
  }
  return pitch;
}

// --- numbers to start from, and what is left out ---

// Glorot's bound counts every tap on either side: (rows in + rows out) of the kernel.
static void start_stage(const emg_cnn_stage *stage, uint64_t seed, uint32_t branch, uint32_t i,
                        float *weights) {
  int64_t taps = stage->layer.kind == EMG_CNN_CONV ? EMG_CNN_TAPS : 1;
  int64_t fan_in = stage->n_kernel / stage->n_out, fan_out = taps * stage->n_out;
  double bound = sqrt(6.0 / (double)(fan_in + fan_out));
  emg_rng rng = emg_rng_stream(seed, EMG_RNG_CNN_WEIGHTS, branch, i);

  for (int64_t k = 0; k < stage->n_kernel; k++) {
    weights[k] = (float)(bound * (2 * emg_rng_uniform(&rng) - 1));
  }
  for (int k = 0; k < stage->n_out; k++) {
    weights[stage->n_kernel + k] = 0;
  }
}

void emg_cnn_start(const emg_cnn_plan *plan, uint64_t seed, float *weights) {
  for (int i = 0; i < EMG_CNN_LAYERS; i++) {
    const emg_cnn_stage *stage = &plan->stages[i];
    int n_branches = stage->layer.is_per_unit ? plan->shape.n_units : 1;
    for (int u = 0; u < n_branches && stage->n_kernel > 0; u++) {
      int64_t base = stage->layer.is_per_unit ? emg_cnn_branch(plan, u) : 0;
      start_stage(stage, seed, (uint32_t)u, (uint32_t)i, weights + base + stage->offset);
    }
  }
}

void emg_cnn_fill_mask(uint64_t seed, uint32_t step, int chunk, int stage, int unit, double rate,
                       size_t n, uint8_t *mask) {
  uint32_t entity = (uint32_t)(unit + 1) * 256 + (uint32_t)stage * 16 + (uint32_t)chunk;
  uint32_t dropped = (uint32_t)lround(rate * 256);
  emg_rng rng = emg_rng_stream(seed, EMG_RNG_CNN_DROPOUT, entity, step);

  for (size_t i = 0; i < n;) {
    uint32_t bits = emg_rng_u32(&rng);
    for (int k = 0; k < 4 && i < n; k++, i++) {
      mask[i] = (bits & 255) >= dropped;
      bits >>= 8;
    }
  }
}
