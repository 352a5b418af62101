// cnn_train.c -- MAIN PATH of training: epochs of batches, the best weights, thresholds
#include "cnn_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <base/kernel.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "online_priv.h"
#include "parts_priv.h"

typedef struct {
  const emg_config *config;
  const emg_monitor *monitor;
  int n_threads;
  emg_cnn *net;
  emg_cnn_plan plan;
  emg_signal signal;
  emg_spikes labels;  // of the part that is used
  emg_cnn_lessons lessons;
  emg_cnn_batch batch;
  emg_cnn_answerer *answerer;
  emg_cnn_answers validation[EMG_CNN_SPANS], held;
  float *logits[EMG_CNN_SPANS], *held_logits;  // theirs
  float *gradient;
  emg_cnn_training state;
  double written_s, writing_s;  // when the last checkpoint was written, how long that took
} trainer;

static double now_s(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// --- what is learned from ---

// The trains within a part of the recording, in samples of the part.
static emg_status cut_labels(const emg_spikes *labels, int64_t begin, int64_t n_samples,
                             emg_spikes *out, emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)labels->n_units, sizeof *counts, &counts, err));
  for (int u = 0; u < labels->n_units; u++) {
    for (int64_t i = labels->offsets[u]; i < labels->offsets[u + 1]; i++) {
      int64_t at = labels->samples[i] - begin;
      counts[u] += at >= 0 && at < n_samples;
    }
  }
  emg_status status =
      emg_spikes_create(labels->n_units, counts, labels->rate_hz, n_samples, out, err);
  free(counts);
  int64_t n = 0;
  for (int64_t i = 0; status == EMG_OK && i < labels->offsets[labels->n_units]; i++) {
    int64_t at = labels->samples[i] - begin;
    if (at >= 0 && at < n_samples) {
      out->samples[n++] = at;
    }
  }
  return status;
}

static emg_status check(const emg_recording *rec, const emg_spikes *labels, emg_error *err) {
  if (labels->n_units == 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the labels hold no unit; a network is trained on the trains of at least one");
  }
  if (labels->rate_hz > 0 && labels->rate_hz != rec->rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the labels are at %g Hz and the recording at %g Hz; use trains that were "
                    "found in this recording",
                    labels->rate_hz, rec->rate_hz);
  }
  for (int64_t i = 0; i < labels->offsets[labels->n_units]; i++) {
    if (labels->samples[i] >= rec->data.n_cols) {
      return emg_fail(err, EMG_ERR_DATA,
                      "the labels have a discharge at sample %lld and the recording %lld samples; "
                      "use trains that were found in this recording",
                      (long long)labels->samples[i], (long long)rec->data.n_cols);
    }
  }
  return EMG_OK;
}

// Sizes, channels and filter of the network; its scale comes from the signal.
static emg_status start_network(trainer *t, const emg_recording *window, const emg_spikes *labels,
                                emg_error *err) {
  const struct emg_config_cnn *keys = &t->config->cnn;
  const struct emg_config_decompose *band = &t->config->decompose;
  emg_cnn_shape shape = {.kind = (emg_cnn_kind)keys->network,
                         .n_units = labels->n_units,
                         .window = keys->window,
                         .step = keys->step};
  int32_t *channel;

  EMG_TRY(emg_alloc((size_t)window->data.n_rows, sizeof *channel, &channel, err));
  emg_status status = emg_good_channels(window, t->config, NULL, channel, &shape.n_channels, err);
  if (status == EMG_OK) {
    status = emg_cnn_plan_create(&shape, &t->plan, err);
  }
  if (status == EMG_OK) {
    status = emg_cnn_create(&shape, t->net, err);
  }
  if (status == EMG_OK) {
    memcpy(t->net->channel, channel, (size_t)shape.n_channels * sizeof *channel);
  }
  free(channel);
  EMG_TRY(status);
  t->net->n_channels_recorded = window->data.n_rows;
  t->net->rate_hz = window->rate_hz;
  t->net->band_low_hz = band->band_low_hz;
  t->net->band_high_hz = band->band_high_hz;
  t->net->notch_hz = band->notch_hz;
  t->net->refractory_ms = keys->refractory_ms;
  t->net->soft_label_ms = keys->soft_label_ms;
  t->net->seed = t->config->simulation.seed;
  t->net->scale_uv = 1;
  emg_cnn_labels_sha256(labels, t->net->labels_sha256);
  return EMG_OK;
}

// What becomes 1, for good: the largest value of the whole grid (Wen et al. 2021, section 3.3.2),
// or the root mean square.
static emg_status start_signal(trainer *t, const emg_recording *window, emg_error *err) {
  EMG_TRY(emg_cnn_signal(t->net, window, &t->signal, err));
  const emg_cnn_span held = emg_cnn_held(&t->config->cnn, &t->signal);
  const int n_channels = t->signal.n_channels;
  double squares = 0, largest = 0, n = 0;

  for (int64_t i = 0; i < t->signal.n_samples; i++) {
    const float *row = emg_signal_row(&t->signal, i);
    for (int c = 0; c < n_channels && (i < held.begin || i >= held.end); c++, n++) {
      squares += (double)row[c] * row[c];
      largest = fmax(largest, fabsf(row[c]));
    }
  }
  double size = t->config->cnn.scale == EMG_SCALE_LARGEST ? largest : sqrt(squares / fmax(n, 1));
  if (!(size > 0) || !isfinite(size)) {
    return emg_fail(err, EMG_ERR_DATA, "the recording is 0 throughout and nothing can be learned");
  }
  t->net->scale_uv = size;
  for (int64_t i = 0; i < t->signal.n_samples * n_channels; i++) {
    t->signal.rows[i] *= (float)(1 / size);
  }
  return EMG_OK;
}

// Room for the answers of a stretch.
static emg_status start_answers(trainer *t, const emg_cnn_span *span, float **logits,
                                emg_cnn_answers *answers, emg_error *err) {
  const emg_cnn_shape *shape = &t->net->shape;
  int64_t first, n = emg_cnn_windows_within(shape, span, &first);

  EMG_TRY(emg_alloc_aligned((size_t)n * (size_t)shape->n_units, sizeof(float), logits, err));
  *answers =
      (emg_cnn_answers){.shape = shape,
                        .labels = &t->lessons.labels,
                        .refractory = llround(t->net->refractory_ms * t->net->rate_hz / 1000),
                        .centre = first,
                        .n_windows = n,
                        .logits = *logits};
  return EMG_OK;
}

static emg_status start_validation(trainer *t, emg_error *err) {
  const emg_cnn_split *split = &t->lessons.split;

  for (int k = 0; k < split->n_validation; k++) {
    EMG_TRY(start_answers(t, &split->validation[k], &t->logits[k], &t->validation[k], err));
    t->state.history->n_validation += t->validation[k].n_windows;
  }
  EMG_TRY(start_answers(t, &split->held, &t->held_logits, &t->held, err));
  t->state.history->n_held = t->held.n_windows;
  if (t->config->cnn.select == EMG_SELECT_VALIDATION && t->state.history->n_validation == 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%lld samples are too few to keep a part for validation; give a longer part "
                    "of the recording, or set cnn.select=training",
                    (long long)t->signal.n_samples);
  }
  return emg_cnn_answerer_create(&t->plan, t->n_threads, &t->answerer, err);
}

static emg_status start_state(trainer *t, emg_error *err) {
  size_t n = (size_t)t->plan.n_weights;

  t->state.n_weights = t->plan.n_weights;
  t->state.best_loss = INFINITY;
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &t->state.weights, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &t->state.squares, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &t->state.best, err));
  EMG_TRY(emg_alloc_aligned(n, sizeof(float), &t->gradient, err));
  t->state.capacity = t->config->cnn.epochs;
  EMG_TRY(
      emg_alloc((size_t)t->state.capacity, sizeof(emg_cnn_epoch), &t->state.history->epochs, err));
  emg_cnn_start(&t->plan, t->net->seed, t->state.weights);
  memcpy(t->state.best, t->state.weights, n * sizeof(float));
  return EMG_OK;
}

static emg_status start(trainer *t, const emg_recording *rec, const emg_spikes *labels,
                        emg_error *err) {
  emg_recording window;
  int64_t begin;

  EMG_TRY(check(rec, labels, err));
  EMG_TRY(emg_window_cut(rec, &t->config->decompose, &window, &begin, err));
  EMG_TRY(cut_labels(labels, begin, window.data.n_cols, &t->labels, err));
  EMG_TRY(start_network(t, &window, labels, err));
  EMG_TRY(start_signal(t, &window, err));
  EMG_TRY(emg_cnn_lessons_create(&t->plan, &t->config->cnn, &t->signal, &t->labels, t->net->seed,
                                 &t->lessons, err));
  EMG_TRY(emg_cnn_lessons_batch(&t->lessons, t->n_threads, &t->batch, err));
  t->state.history->n_units = labels->n_units;
  t->state.history->n_train = t->lessons.n_windows;
  EMG_TRY(start_validation(t, err));
  return start_state(t, err);
}

static void trainer_free(trainer *t) {
  emg_spikes_free(&t->labels);
  emg_signal_free(&t->signal);
  emg_cnn_lessons_free(&t->lessons);
  emg_cnn_batch_free(&t->batch);
  emg_cnn_answerer_free(t->answerer);
  for (int k = 0; k < EMG_CNN_SPANS; k++) {
    free(t->logits[k]);
  }
  free(t->held_logits);
  free(t->gradient);
  free(t->state.weights);
  free(t->state.squares);
  free(t->state.best);
}

// --- an epoch ---

// RMSprop as Keras has it by default: v = rho v + (1 - rho) g^2, w -= lr g / (sqrt(v) + epsilon).
EMG_KERNEL static void update(int64_t begin, int64_t end, float rate, const float *gradient,
                              float *squares, float *weights) {
  const float rho = 0.9F, epsilon = 1e-7F;

  for (int64_t i = begin; i < end; i++) {
    squares[i] = rho * squares[i] + (1 - rho) * gradient[i] * gradient[i];
    weights[i] -= rate * gradient[i] / (sqrtf(squares[i]) + epsilon);
  }
}

static void update_all(trainer *t) {
  enum { PART = 1 << 16 };
  const float rate = (float)t->config->cnn.learning_rate;
  const int64_t n = t->state.n_weights;

#pragma omp parallel for schedule(static) num_threads(t->n_threads)
  for (int64_t begin = 0; begin < n; begin += PART) {
    update(begin, begin + PART < n ? begin + PART : n, rate, t->gradient, t->state.squares,
           t->state.weights);
  }
}

// The metric that the authors' program watches: F1 of a batch for each unit, with what keeps it
// from dividing by 0, averaged.
static double batch_f1(const emg_cnn_batch *b, int n_units) {
  const double epsilon = 1e-7;
  int n = b->n_chunks * b->n_runs * b->n_windows;
  double sum = 0;

  for (int u = 0; u < n_units; u++) {
    double n_true = 0, n_there = 0, n_said = 0;
    for (int j = 0; j < n; j++) {
      bool is_there = b->target[j * n_units + u] > 0.5F;
      bool is_said = b->share[j] > 0 && b->logit[j * n_units + u] > 0;
      n_true += is_there && is_said;
      n_there += is_there;
      n_said += is_said;
    }
    double recall = n_true / (n_there + epsilon), precision = n_true / (n_said + epsilon);
    sum += 2 * recall * precision / (recall + precision + epsilon);
  }
  return sum / n_units;
}

static emg_status learn_epoch(trainer *t, int epoch, emg_cnn_epoch *result, emg_error *err) {
  const struct emg_config_cnn *keys = &t->config->cnn;
  int n_steps = t->lessons.n_steps;

  *result = (emg_cnn_epoch){0};
  emg_cnn_lessons_shuffle(&t->lessons, epoch);
  for (int step = 0; step < n_steps; step++) {
    int64_t done = (int64_t)epoch * n_steps + step;
    const emg_cnn_lesson lesson = {.seed = t->net->seed,
                                   .step = (uint32_t)done,
                                   .rate = keys->dropout,
                                   .positive_weight = keys->positive_weight};
    EMG_TRY(emg_progress(t->monitor, "training", done, (int64_t)keys->epochs * n_steps, err));
    emg_cnn_lessons_fill(&t->lessons, epoch, step, &t->batch);
    double loss = emg_cnn_learn(&t->plan, &t->batch, &lesson, t->state.weights, t->gradient);
    if (!isfinite(loss)) {
      return emg_fail(err, EMG_ERR_DATA,
                      "the loss is no longer finite in epoch %d; lower cnn.learning_rate = %g",
                      epoch + 1, keys->learning_rate);
    }
    result->loss += loss / n_steps;
    result->f1 += batch_f1(&t->batch, t->net->shape.n_units) / n_steps;
    update_all(t);
  }
  return EMG_OK;
}

// --- validation ---

static void answer_validation(trainer *t, const float *weights) {
  for (int k = 0; k < t->lessons.split.n_validation; k++) {
    emg_cnn_answer_windows(t->answerer, weights, &t->signal, t->validation[k].centre,
                           t->validation[k].n_windows, t->logits[k]);
  }
}

static emg_cnn_count count_unit(const trainer *t, int unit, double threshold) {
  emg_cnn_count count = {0};

  for (int k = 0; k < t->lessons.split.n_validation; k++) {
    emg_cnn_count_answers(&t->validation[k], unit, threshold, &count);
  }
  return count;
}

// Mean F1 of the units that discharge in the validation part.
static double validation_f1(trainer *t) {
  double sum = 0;
  int n = 0;

  answer_validation(t, t->state.weights);
  for (int u = 0; u < t->net->shape.n_units; u++) {
    emg_cnn_count count = count_unit(t, u, 0.5);
    if (count.n_true + count.n_missed > 0) {
      sum += emg_cnn_f1(&count);
      n++;
    }
  }
  return n > 0 ? sum / n : 0;
}

// Thresholds of the best weights and what they reach.
static emg_status finish(trainer *t, emg_error *err) {
  emg_cnn_history *h = t->state.history;
  size_t n_units = (size_t)t->net->shape.n_units;

  memcpy(t->net->weights, t->state.best, (size_t)t->state.n_weights * sizeof(float));
  EMG_TRY(emg_alloc(n_units, sizeof *h->validation, &h->validation, err));
  EMG_TRY(emg_alloc(n_units, sizeof *h->held_windows, &h->held_windows, err));
  EMG_TRY(emg_alloc(n_units, sizeof *h->held_discharges, &h->held_discharges, err));
  answer_validation(t, t->net->weights);
  emg_cnn_answer_windows(t->answerer, t->net->weights, &t->signal, t->held.centre,
                         t->held.n_windows, t->held_logits);
  for (int u = 0; u < t->net->shape.n_units; u++) {
    double threshold = emg_cnn_best_threshold(t->lessons.split.n_validation, t->validation, u);
    t->net->threshold[u] = threshold;
    h->validation[u] = count_unit(t, u, threshold);
    if (t->held.n_windows > 0) {
      emg_cnn_count_windows(&t->held, u, threshold, &h->held_windows[u]);
      emg_cnn_count_discharges(&t->held, u, threshold, &h->held_discharges[u]);
    }
  }
  return EMG_OK;
}

// --- all epochs ---

// Take an epoch into the history; keep its weights if it is the best.
static void take_epoch(trainer *t, emg_cnn_epoch epoch) {
  emg_cnn_training *s = &t->state;
  emg_cnn_history *h = s->history;
  double best_f1 = h->n_epochs > 0 ? h->epochs[h->best].f1 : 0;
  // until anything is found, later weights are the better ones
  bool is_best = epoch.f1 > best_f1 || best_f1 <= 0, is_lower = epoch.loss < s->best_loss;
  bool is_better = t->config->cnn.select == EMG_SELECT_TRAINING ? is_lower : is_best;

  h->epochs[h->n_epochs] = epoch;
  if (is_best) {
    h->best = h->n_epochs;
    memcpy(s->best, s->weights, (size_t)s->n_weights * sizeof(float));
  }
  s->best_loss = is_lower ? epoch.loss : s->best_loss;
  s->n_stale = is_better ? 0 : s->n_stale + 1;
  h->n_epochs++;
}

// Where writing would take more than a twentieth of the time, some epochs go without.
static emg_status write_checkpoint(trainer *t, const emg_checkpoint *checkpoint,
                                   const emg_cnn_identity *identity, emg_error *err) {
  const double share = 0.05;
  double start_s = now_s();

  if (!checkpoint || (start_s - t->written_s) * share < t->writing_s) {
    return EMG_OK;
  }
  EMG_TRY(emg_cnn_checkpoint_write(checkpoint->path, &t->state, identity, err));
  t->written_s = now_s();
  t->writing_s = t->written_s - start_s;
  return EMG_OK;
}

static emg_status train(trainer *t, const emg_checkpoint *checkpoint,
                        const emg_cnn_identity *identity, emg_error *err) {
  const struct emg_config_cnn *keys = &t->config->cnn;
  emg_cnn_history *h = t->state.history;

  if (checkpoint && checkpoint->resume) {
    EMG_TRY(emg_cnn_checkpoint_read(checkpoint->path, identity, &t->state, err));
  }
  while (h->n_epochs < keys->epochs && t->state.n_stale < keys->patience) {
    int number = h->n_epochs;
    emg_cnn_epoch epoch;
    EMG_TRY(learn_epoch(t, number, &epoch, err));
    if (keys->select == EMG_SELECT_VALIDATION) {
      epoch.f1 = validation_f1(t);
    }
    take_epoch(t, epoch);
    emg_log(t->monitor, EMG_LOG_INFO, "training", "epoch = %d, loss = %.4f, f1 = %.4f%s",
            number + 1, epoch.loss, epoch.f1, h->best == number ? ", best" : "");
    EMG_TRY(write_checkpoint(t, checkpoint, identity, err));
  }
  h->stop = h->n_epochs < keys->epochs ? EMG_CNN_PATIENCE : EMG_CNN_ALL_EPOCHS;
  return finish(t, err);
}

emg_status emg_cnn_train(const emg_recording *rec, const emg_spikes *labels,
                         const emg_config *config, const emg_checkpoint *checkpoint,
                         const emg_monitor *monitor, emg_cnn *out, emg_cnn_history *history,
                         emg_error *err) {
  trainer t = {.config = config, .monitor = monitor, .net = out, .state.history = history};
  char *text = NULL;
  emg_status status;

  emg_init();
  t.n_threads = emg_get_threads();
  *out = (emg_cnn){0};
  *history = (emg_cnn_history){0};
  EMG_TRY_DONE(emg_config_write(config, false, NULL, &text, err));
  EMG_TRY_DONE(start(&t, rec, labels, err));
  const emg_cnn_identity identity = {
      .input = checkpoint && checkpoint->input_sha256 ? checkpoint->input_sha256 : "",
      .labels = out->labels_sha256,
      .config = text};
  EMG_TRY_DONE(train(&t, checkpoint, &identity, err));

done:
  trainer_free(&t);
  free(text);
  if (status != EMG_OK) {
    emg_cnn_free(out);
    emg_cnn_history_free(history);
  }
  return status;
}
