// cnn_lessons.c -- which windows a network learns from, batch by batch
#include "cnn_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/rng.h>

// A batch is 64 windows in four chunks: each one run of 16 windows, or 16 windows from anywhere.
enum { CHUNK = EMG_CNN_BATCH / EMG_CNN_CHUNKS };

// --- time that is learned from ---

static void add_span(int64_t begin, int64_t end, int *n, emg_cnn_span *spans) {
  if (end > begin) {
    spans[(*n)++] = (emg_cnn_span){begin, end};
  }
}

// What lies outside of a part and a window beside it.
static void leave_out(const emg_cnn_span *held, int window, int *n, emg_cnn_span *spans) {
  int n_before = *n;
  emg_cnn_span before[EMG_CNN_SPANS];

  memcpy(before, spans, sizeof before);
  *n = 0;
  for (int k = 0; k < n_before; k++) {
    int64_t end = held->begin - window, begin = held->end + window;
    add_span(before[k].begin, before[k].end < end ? before[k].end : end, n, spans);
    add_span(before[k].begin > begin ? before[k].begin : begin, before[k].end, n, spans);
  }
}

void emg_cnn_split_samples(int64_t n, int window, double share, emg_cnn_span held,
                           emg_cnn_split *out) {
  int64_t begin = 0;

  *out = (emg_cnn_split){.held = held};
  for (int k = 0; k < EMG_CNN_BLOCKS && share > 0; k++) {
    int64_t end = n * (k + 1) / EMG_CNN_BLOCKS;
    int64_t block = (int64_t)(share * (double)n / EMG_CNN_BLOCKS);
    add_span(begin, end - block - window, &out->n_train, out->train);
    add_span(end - block, end, &out->n_validation, out->validation);
    begin = end + window;
  }
  if (share <= 0) {
    add_span(0, n, &out->n_train, out->train);
  }
  if (held.end > held.begin) {
    leave_out(&held, window, &out->n_train, out->train);
    leave_out(&held, window, &out->n_validation, out->validation);
  }
}

int64_t emg_cnn_windows_within(const emg_cnn_shape *shape, const emg_cnn_span *span,
                               int64_t *first) {
  int64_t before = shape->window / 2, behind = shape->window - before;
  int64_t low = (span->begin + before + shape->step - 1) / shape->step;
  int64_t high = span->end - behind < 0 ? -1 : (span->end - behind) / shape->step;

  *first = low * shape->step;
  return high >= low ? high - low + 1 : 0;
}

emg_cnn_span emg_cnn_held(const struct emg_config_cnn *config, const emg_signal *signal) {
  double begin = config->held_from_s * signal->rate_hz, end = config->held_to_s * signal->rate_hz;
  double n = (double)signal->n_samples;

  return (emg_cnn_span){llround(fmin(begin, n)), llround(fmin(end, n))};
}

// Samples at which a run may begin, over all spans.
static int64_t count_starts(const emg_cnn_lessons *lessons) {
  int64_t n = 0;

  for (int k = 0; k < lessons->split.n_train; k++) {
    const emg_cnn_span *span = &lessons->split.train[k];
    int64_t starts = span->end - span->begin - emg_cnn_run_length(lessons->plan, CHUNK) + 1;
    n += starts > 0 ? starts : 0;
  }
  return n;
}

// Sample of one of these.
static int64_t start_of(const emg_cnn_lessons *lessons, int64_t number) {
  for (int k = 0; k < lessons->split.n_train; k++) {
    const emg_cnn_span *span = &lessons->split.train[k];
    int64_t starts = span->end - span->begin - emg_cnn_run_length(lessons->plan, CHUNK) + 1;
    if (starts > 0 && number < starts) {
      return span->begin + number;
    }
    number -= starts > 0 ? starts : 0;
  }
  return 0;
}

static void list_windows(emg_cnn_lessons *lessons) {
  int64_t n = 0, first;

  for (int k = 0; k < lessons->split.n_train; k++) {
    int64_t n_span =
        emg_cnn_windows_within(&lessons->plan->shape, &lessons->split.train[k], &first);
    for (int64_t i = 0; i < n_span && lessons->centre; i++) {
      lessons->centre[n + i] = first + i * lessons->plan->shape.step;
    }
    n += n_span;
  }
  lessons->n_windows = n;
}

emg_status emg_cnn_lessons_create(const emg_cnn_plan *plan, const struct emg_config_cnn *config,
                                  const emg_signal *signal, const emg_spikes *labels, uint64_t seed,
                                  emg_cnn_lessons *out, emg_error *err) {
  bool has_validation = config->select == EMG_SELECT_VALIDATION;

  *out = (emg_cnn_lessons){.plan = plan, .config = config, .signal = signal, .seed = seed};
  out->labels = (emg_cnn_labels){.spikes = labels,
                                 .step = plan->shape.step,
                                 .soft_samples = config->soft_label_ms * signal->rate_hz / 1000};
  const emg_cnn_span held = emg_cnn_held(config, signal);
  out->noise = config->noise * emg_cnn_root_mean_square(signal);
  emg_cnn_split_samples(signal->n_samples, plan->shape.window,
                        has_validation ? config->validation : 0, held, &out->split);
  list_windows(out);
  out->n_steps = (int)((out->n_windows + EMG_CNN_BATCH - 1) / EMG_CNN_BATCH);
  if (out->n_windows == 0 || (config->batches == EMG_BATCHES_RUNS && count_starts(out) == 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%lld samples are too few to learn from in runs of %d; give a longer part of "
                    "the recording, or set cnn.batches=windows",
                    (long long)signal->n_samples, emg_cnn_run_length(plan, CHUNK));
  }
  if (config->batches == EMG_BATCHES_WINDOWS) {
    EMG_TRY(emg_alloc((size_t)out->n_windows, sizeof *out->centre, &out->centre, err));
  }
  return EMG_OK;
}

void emg_cnn_lessons_free(emg_cnn_lessons *lessons) {
  free(lessons->centre);
  lessons->centre = NULL;
}

emg_status emg_cnn_lessons_batch(const emg_cnn_lessons *lessons, int n_threads, emg_cnn_batch *out,
                                 emg_error *err) {
  bool has_runs = lessons->config->batches == EMG_BATCHES_RUNS;

  return emg_cnn_batch_create(lessons->plan, EMG_CNN_CHUNKS, has_runs ? 1 : CHUNK,
                              has_runs ? CHUNK : 1, n_threads, out, err);
}

// --- batches ---

void emg_cnn_lessons_shuffle(emg_cnn_lessons *lessons, int epoch) {
  emg_rng rng = emg_rng_stream(lessons->seed, EMG_RNG_CNN_BATCHES, (uint32_t)epoch, 0);

  if (!lessons->centre) {
    return;
  }
  list_windows(lessons);
  for (int64_t i = lessons->n_windows - 1; i > 0; i--) {
    int64_t k = emg_rng_below(&rng, (uint32_t)(i + 1)), kept = lessons->centre[i];
    lessons->centre[i] = lessons->centre[k];
    lessons->centre[k] = kept;
  }
}

// Another amplitude, channels that fail, noise: what training should not depend on.
static void vary(const emg_cnn_lessons *lessons, emg_rng *rng, int n_rows, float *rows) {
  const struct emg_config_cnn *config = lessons->config;
  int n_channels = lessons->plan->shape.n_channels;
  double gain = 1 - (1 - config->amplitude_min) * emg_rng_uniform(rng);

  for (int c = 0; c < n_channels; c++) {
    bool is_lost = config->channel_dropout > 0 && emg_rng_uniform(rng) < config->channel_dropout;
    float factor = is_lost ? 0 : (float)gain;
    for (int i = 0; i < n_rows; i++) {
      rows[(ptrdiff_t)i * n_channels + c] *= factor;
    }
  }
  for (int i = 0; i < n_rows * n_channels && lessons->noise > 0; i++) {
    rows[i] += (float)(lessons->noise * emg_rng_gaussian(rng));
  }
}

// Window `number` of the batch: where it is in it, and its labels.
static void label(const emg_cnn_lessons *lessons, int64_t centre, bool is_used, double share,
                  int number, emg_cnn_batch *b) {
  int n_units = lessons->plan->shape.n_units;

  b->share[number] = is_used ? (float)share : 0;
  for (int u = 0; u < n_units; u++) {
    b->target[number * n_units + u] =
        is_used ? (float)emg_cnn_label(&lessons->labels, u, centre) : 0;
  }
}

void emg_cnn_lessons_fill(const emg_cnn_lessons *lessons, int epoch, int step, emg_cnn_batch *b) {
  const emg_cnn_plan *plan = lessons->plan;
  int length = emg_cnn_run_length(plan, b->n_windows);
  ptrdiff_t pitch = emg_cnn_pitch(plan, 0, b->n_windows);
  int64_t n_left = lessons->n_windows - (int64_t)step * EMG_CNN_BATCH;
  double share = 1.0 / (lessons->centre && n_left < EMG_CNN_BATCH ? (double)n_left : EMG_CNN_BATCH);
  emg_rng draw =
      emg_rng_stream(lessons->seed, EMG_RNG_CNN_BATCHES, (uint32_t)epoch, (uint32_t)step + 1);

  for (int run = 0; run < b->n_chunks * b->n_runs; run++) {
    float *rows = b->input[run / b->n_runs] + (run % b->n_runs) * pitch * plan->shape.n_channels;
    bool is_used = !lessons->centre || run < n_left;
    int64_t centre = plan->shape.window / 2;
    if (!lessons->centre) {
      uint32_t n_starts = (uint32_t)count_starts(lessons);
      centre += start_of(lessons, emg_rng_below(&draw, n_starts));
    } else if (is_used) {
      centre = lessons->centre[(int64_t)step * EMG_CNN_BATCH + run];
    }
    emg_rng rng = emg_rng_stream(lessons->seed, EMG_RNG_CNN_AUGMENT, (uint32_t)epoch,
                                 (uint32_t)(step * EMG_CNN_BATCH + run));
    emg_cnn_copy_rows(lessons->signal, emg_cnn_window_start(&plan->shape, centre), length, rows);
    vary(lessons, &rng, length, rows);
    for (int j = 0; j < b->n_windows; j++) {
      label(lessons, centre + (int64_t)j * plan->spacing, is_used, share, run * b->n_windows + j,
            b);
    }
  }
}
