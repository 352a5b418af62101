// cnn_stream.c -- a network on samples as they come: only what is new is computed
#include "cnn_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

// Rows of samples are appended until the room is used up; then the ones still looked at move to the
// front.
enum { ROOM = 512 };

// What the stages of a section say of the latest window: `rows[i]` behind stage i, all that the
// window has there. The next window moves them up and adds its own, hop by hop.
typedef struct {
  float *rows[EMG_CNN_LAYERS];
} section;

// Windows that share rows through the pools: every n_phases-th one.
typedef struct {
  bool has_window;  // there was one before
  section shared;
  section *own;  // [n_units]
} phase;

struct emg_cnn_stream {
  emg_cnn net;
  emg_cnn_plan plan;
  emg_filter band;
  double *filter_state;
  int64_t n_samples;  // so far
  int64_t n_bad;
  float *good;     // [n_channels] last good value
  float *rows;     // [window + ROOM][n_channels] filtered, over the scale
  int64_t n_rows;  // in use, the last of them that of the latest sample
  int n_phases;
  phase *phases;
  int64_t n_windows;  // answered so far
  emg_cnn_decider *deciders;
  float *logits;  // [n_units]
  float *memory;  // of all sections
};

// --- room ---

static size_t section_size(const emg_cnn_plan *plan, int first, int last) {
  size_t n = 0;

  for (int i = first; i < last; i++) {
    n += (size_t)emg_cnn_rows(plan, i + 1, 1) * (size_t)plan->stages[i].n_out;
  }
  return n;
}

static void place_section(const emg_cnn_plan *plan, int first, int last, float **memory,
                          section *s) {
  for (int i = first; i < last; i++) {
    s->rows[i] = *memory;
    *memory += (size_t)emg_cnn_rows(plan, i + 1, 1) * (size_t)plan->stages[i].n_out;
  }
}

static emg_status allocate_phases(emg_cnn_stream *s, emg_error *err) {
  const emg_cnn_plan *plan = &s->plan;
  size_t n_units = (size_t)plan->shape.n_units;
  size_t size = section_size(plan, 0, plan->n_shared) +
                n_units * section_size(plan, plan->n_shared, EMG_CNN_LAYERS);

  s->n_phases = plan->spacing / plan->shape.step;
  EMG_TRY(emg_alloc((size_t)s->n_phases, sizeof *s->phases, &s->phases, err));
  EMG_TRY(emg_alloc_aligned((size_t)s->n_phases * size, sizeof *s->memory, &s->memory, err));
  float *memory = s->memory;
  for (int p = 0; p < s->n_phases; p++) {
    EMG_TRY(emg_alloc(n_units, sizeof *s->phases[p].own, &s->phases[p].own, err));
    place_section(plan, 0, plan->n_shared, &memory, &s->phases[p].shared);
    for (size_t u = 0; u < n_units; u++) {
      place_section(plan, plan->n_shared, EMG_CNN_LAYERS, &memory, &s->phases[p].own[u]);
    }
  }
  return EMG_OK;
}

static emg_status allocate(emg_cnn_stream *s, const emg_cnn *net, emg_error *err) {
  const emg_cnn_shape *shape = &net->shape;
  const size_t n_channels = (size_t)shape->n_channels;
  const int64_t refractory = llround(net->refractory_ms * net->rate_hz / 1000);

  EMG_TRY(emg_cnn_copy(net, &s->net, err));
  EMG_TRY(emg_cnn_plan_create(shape, &s->plan, err));
  EMG_TRY(emg_cnn_filter(net, &s->band, err));
  EMG_TRY(emg_alloc(emg_filter_state_size(&s->band, shape->n_channels), sizeof(double),
                    &s->filter_state, err));
  EMG_TRY(emg_alloc(n_channels, sizeof *s->good, &s->good, err));
  // the first window begins half of it before the first sample, with 0
  s->n_rows = shape->window / 2;
  EMG_TRY(emg_alloc_aligned((size_t)(shape->window + ROOM) * n_channels, sizeof *s->rows, &s->rows,
                            err));
  EMG_TRY(emg_alloc((size_t)shape->n_units, sizeof *s->deciders, &s->deciders, err));
  EMG_TRY(emg_alloc((size_t)shape->n_units, sizeof *s->logits, &s->logits, err));
  for (int u = 0; u < shape->n_units; u++) {
    emg_cnn_decider_start(&s->deciders[u], net->threshold[u], refractory);
  }
  return allocate_phases(s, err);
}

emg_status emg_cnn_stream_create(const emg_cnn *net, emg_cnn_stream **out, emg_error *err) {
  emg_cnn_stream *s;

  emg_init();
  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *s, &s, err));
  emg_status status = allocate(s, net, err);
  if (status != EMG_OK) {
    emg_cnn_stream_free(s);
    return status;
  }
  *out = s;
  return EMG_OK;
}

void emg_cnn_stream_free(emg_cnn_stream *s) {
  if (!s) {
    return;
  }
  emg_cnn_free(&s->net);
  for (int p = 0; p < s->n_phases && s->phases; p++) {
    free(s->phases[p].own);
  }
  free(s->phases);
  free(s->memory);
  free(s->filter_state);
  free(s->good);
  free(s->rows);
  free(s->deciders);
  free(s->logits);
  free(s);
}

// --- from samples to answers ---

// The new rows behind stage i from all that is before it; `is_first`: all rows are new.
static void run_stage(const emg_cnn_plan *plan, int i, const float *weights, bool is_first,
                      const float *in, float *out) {
  const emg_cnn_stage *s = &plan->stages[i];
  int length = emg_cnn_rows(plan, i + 1, 1);
  int hop = i + 1 < EMG_CNN_LAYERS ? plan->stages[i + 1].hop : 1;
  int n_new = is_first || hop > length ? length : hop, first = length - n_new;
  const float *kernel = weights + s->offset;
  float *to = out + (ptrdiff_t)first * s->n_out;

  memmove(out, out + (ptrdiff_t)n_new * s->n_out, (size_t)first * (size_t)s->n_out * sizeof *out);
  if (s->layer.kind == EMG_CNN_CONV) {
    // a row and the two behind it are one run of memory, as the taps of the kernel are
    emg_cnn_multiply(n_new, s->n_out, EMG_CNN_TAPS * s->n_in, in + (ptrdiff_t)first * s->n_in,
                     s->n_in, kernel, kernel + s->n_kernel, true, to);
  } else if (s->layer.kind == EMG_CNN_DENSE) {
    emg_cnn_multiply(1, s->n_out, s->length * s->n_in, in, 0, kernel, kernel + s->n_kernel,
                     i + 1 < EMG_CNN_LAYERS, to);
  } else {
    for (ptrdiff_t r = first; r < length; r++) {
      const float *pair = in + EMG_CNN_POOLED * r * s->n_in;
      for (int k = 0; k < s->n_in; k++) {
        float a = pair[k], b = pair[s->n_in + k];
        out[r * s->n_out + k] = a >= b ? a : b;
      }
    }
  }
}

static const float *run_section(const emg_cnn_plan *plan, int first, int last, const float *weights,
                                bool is_first, const float *in, section *s) {
  for (int i = first; i < last; i++) {
    run_stage(plan, i, weights, is_first, in, s->rows[i]);
    in = s->rows[i];
  }
  return in;
}

// Answer the window whose last sample is that of the last row.
static void answer_window(emg_cnn_stream *s) {
  const emg_cnn_plan *plan = &s->plan;
  phase *p = &s->phases[s->n_windows % s->n_phases];
  const float *weights = s->net.weights;
  const float *in = s->rows + (s->n_rows - plan->shape.window) * plan->shape.n_channels;
  const float *z = run_section(plan, 0, plan->n_shared, weights, !p->has_window, in, &p->shared);

  for (int u = 0; u < plan->shape.n_units; u++) {
    s->logits[u] =
        plan->n_shared == EMG_CNN_LAYERS
            ? z[u]
            : *run_section(plan, plan->n_shared, EMG_CNN_LAYERS, weights + emg_cnn_branch(plan, u),
                           !p->has_window, z, &p->own[u]);
  }
  p->has_window = true;
}

// --- from answers to discharges ---

static void report_discharge(int unit, int64_t spike, float logit, emg_spike_fn report,
                             void *user) {
  if (report) {
    report(unit, spike, 1 / (1 + exp(-(double)logit)), user);
  }
}

static void take_window(emg_cnn_stream *s, emg_cnn_answer_fn answer, emg_spike_fn report,
                        void *user) {
  const int step = s->plan.shape.step;
  int64_t centre = s->n_windows * step, spike;
  float height;

  answer_window(s);
  s->n_windows++;
  if (answer) {
    answer(centre, s->logits, user);
  }
  for (int u = 0; u < s->plan.shape.n_units; u++) {
    if (emg_cnn_decide(&s->deciders[u], centre, step, s->logits[u], &spike, &height)) {
      report_discharge(u, spike, height, report, user);
    }
  }
}

// Samples until the last one of the next window has come.
static int64_t samples_to_window(const emg_cnn_stream *s) {
  const emg_cnn_shape *shape = &s->plan.shape;

  return emg_cnn_window_start(shape, s->n_windows * shape->step) + shape->window - s->n_samples;
}

static void make_room(emg_cnn_stream *s, int64_t n) {
  const int64_t window = s->plan.shape.window, n_channels = s->plan.shape.n_channels;

  if (s->n_rows + n > window + ROOM) {
    int64_t kept = s->n_rows < window ? s->n_rows : window;
    memmove(s->rows, s->rows + (s->n_rows - kept) * n_channels,
            (size_t)(kept * n_channels) * sizeof *s->rows);
    s->n_rows = kept;
  }
}

// The channels in use of `n` samples, good values only, filtered and scaled, behind the rows there
// are; without samples, 0.
static void append_rows(emg_cnn_stream *s, const float *samples, int64_t n) {
  const emg_cnn *net = &s->net;
  const int n_channels = net->shape.n_channels;
  const float largest_uv = 1e9F, scale = (float)(1 / net->scale_uv);
  float *rows = s->rows + s->n_rows * n_channels;

  memset(rows, 0, (size_t)(n * n_channels) * sizeof *rows);
  for (int64_t i = 0; i < n && samples; i++) {
    const float *from = samples + i * net->n_channels_recorded;
    for (int c = 0; c < n_channels; c++) {
      float value = from[net->channel[c]];
      if (fabsf(value) <= largest_uv) {
        s->good[c] = value;
      } else {
        s->n_bad++;
      }
      rows[i * n_channels + c] = s->good[c];
    }
  }
  if (samples) {
    if (s->n_samples == 0) {
      emg_filter_rows_start(&s->band, n_channels, rows, s->filter_state);
    }
    emg_filter_rows(&s->band, n_channels, n, s->filter_state, rows);
  }
  for (int64_t i = 0; i < n * n_channels; i++) {
    rows[i] *= scale;
  }
  s->n_rows += n;
  s->n_samples += n;
}

static void push(emg_cnn_stream *s, const float *samples, int64_t n, emg_cnn_answer_fn answer,
                 emg_spike_fn report, void *user) {
  for (int64_t done = 0; done < n;) {
    int64_t n_now = n - done < ROOM / 2 ? n - done : ROOM / 2, to_window = samples_to_window(s);
    n_now = n_now < to_window ? n_now : to_window;
    make_room(s, n_now);
    append_rows(s, samples ? samples + done * s->net.n_channels_recorded : NULL, n_now);
    done += n_now;
    if (n_now == to_window) {
      take_window(s, answer, report, user);
    }
  }
}

void emg_cnn_stream_push(emg_cnn_stream *s, const float *samples, int64_t n,
                         emg_cnn_answer_fn answer, emg_spike_fn report, void *user) {
  push(s, samples, n, answer, report, user);
}

void emg_cnn_stream_flush(emg_cnn_stream *s, emg_cnn_answer_fn answer, emg_spike_fn report,
                          void *user) {
  const int step = s->plan.shape.step;
  const int64_t n_samples = s->n_samples;
  int64_t spike;
  float height;

  while (s->n_windows * step < n_samples) {
    push(s, NULL, samples_to_window(s), answer, report, user);
  }
  for (int u = 0; u < s->plan.shape.n_units; u++) {
    if (emg_cnn_decider_end(&s->deciders[u], step, &spike, &height)) {
      report_discharge(u, spike, height, report, user);
    }
  }
}

// --- about the state ---

int64_t emg_cnn_stream_latency(const emg_cnn_stream *s) {
  const emg_cnn_shape *shape = &s->plan.shape;
  int64_t behind = shape->window - shape->window / 2, step = shape->step;
  int64_t refractory = llround(s->net.refractory_ms * s->net.rate_hz / 1000);

  // from half a step before the peak's window to the first peak that is far enough behind it
  return step / 2 + (refractory + step - 1) / step * step + step + behind;
}

int64_t emg_cnn_stream_bad_values(const emg_cnn_stream *s) {
  return s->n_bad;
}

const emg_cnn *emg_cnn_stream_network(const emg_cnn_stream *s) {
  return &s->net;
}
