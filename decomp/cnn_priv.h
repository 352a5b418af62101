// cnn_priv.h -- convolutional networks: what they are made of, and the parts of their training
//
// Signals are rows [sample][feature]. A network looks at a window of `window` samples through
// convolutions of three taps without padding, so that neighbouring windows share all they compute
// before the first dense layer. `n_windows` windows, each `spacing` samples after the one before,
// make a run, and the convolutions work on the samples of the run once. A single window is a run of
// one.
#ifndef EMG_DECOMP_CNN_PRIV_H
#define EMG_DECOMP_CNN_PRIV_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include <base/filter.h>
#include <emgtwin/cnn.h>

#include "ckc_priv.h"

// --- what a network is made of (cnn_design.c) ---

typedef enum { EMG_CNN_CONV, EMG_CNN_POOL, EMG_CNN_DENSE } emg_cnn_layer_kind;

typedef struct {
  emg_cnn_layer_kind kind;
  int width;         // features that come out; 0: one for each unit served, or, pooling, those in
  bool is_per_unit;  // each unit has one of its own; so are all layers behind
  bool drops;        // dropout on what comes out
} emg_cnn_layer;

// Rows a convolution reads beyond those of a chunk.
enum { EMG_CNN_LAYERS = 8, EMG_CNN_TAPS = 3, EMG_CNN_POOLED = 2, EMG_CNN_SPARE = EMG_CNN_TAPS - 1 };

typedef struct {
  const char *name, *doc;
  emg_cnn_layer layers[EMG_CNN_LAYERS];
} emg_cnn_design;
const emg_cnn_design *emg_cnn_design_of(emg_cnn_kind kind);

// A layer of a network of given sizes. Its kernel is [tap or row of the window][in][out] as Keras
// keeps it, with the bias [out] behind.
typedef struct {
  emg_cnn_layer layer;
  int n_in, n_out;   // features
  int length, hop;   // rows of a window before it, and from one window of a run to the next
  int64_t n_kernel;  // weights beside the biases, 0: none
  int64_t offset;    // of its kernel among the weights of its section
} emg_cnn_stage;

// Stages 0 .. n_shared - 1 serve all units; the others are a branch of each unit. Weights: those of
// the shared section, then those of each unit's branch.
typedef struct {
  emg_cnn_shape shape;
  int spacing;  // samples from one window of a run to the next
  int n_shared;
  int64_t n_shared_weights, n_unit_weights, n_weights;
  emg_cnn_stage stages[EMG_CNN_LAYERS];
} emg_cnn_plan;

// EMG_ERR_CONFIG for sizes that make no network.
emg_status emg_cnn_plan_create(const emg_cnn_shape *shape, emg_cnn_plan *out, emg_error *err);
// Rows of a run before stage i, and behind the last for EMG_CNN_LAYERS; those that hold something,
// and all of them, with the spare ones that keep runs in step through pooling.
int emg_cnn_rows(const emg_cnn_plan *plan, int i, int n_windows);
int emg_cnn_pitch(const emg_cnn_plan *plan, int i, int n_windows);
// Samples of a run.
int emg_cnn_run_length(const emg_cnn_plan *plan, int n_windows);
static inline int64_t emg_cnn_branch(const emg_cnn_plan *plan, int unit) {
  return plan->n_shared_weights + unit * plan->n_unit_weights;
}

// Uniform kernels of Glorot & Bengio 2010 and zero biases, as Keras starts from.
void emg_cnn_start(const emg_cnn_plan *plan, uint64_t seed, float *weights);
// What dropout keeps, 1, and what not, 0, with a probability of `rate` in steps of 1/256. A value
// depends on the arguments and its place alone; unit -1: of a stage that serves all.
void emg_cnn_fill_mask(uint64_t seed, uint32_t step, int chunk, int stage, int unit, double rate,
                       size_t n, uint8_t *mask);

// --- passes on float (cnn_engine.c) ---

#define REAL float
#define NAME(name) emg_cnn_##name
#include "cnn_engine_types.h"
#undef REAL
#undef NAME

// --- a signal as networks see it, and what they are to say of it (cnn_signal.c) ---

// The filter of a network's channels.
emg_status emg_cnn_filter(const emg_cnn *net, emg_filter *out, emg_error *err);
// The channels of a network in a recording, filtered, over scale_uv.
emg_status emg_cnn_signal(const emg_cnn *net, const emg_recording *rec, emg_signal *out,
                          emg_error *err);
double emg_cnn_root_mean_square(const emg_signal *x);
// rows[n][n_channels] from sample `first` on, 0 beyond the ends of the signal.
void emg_cnn_copy_rows(const emg_signal *x, int64_t first, int64_t n, float *rows);
// First sample of the window centred on `centre`.
static inline int64_t emg_cnn_window_start(const emg_cnn_shape *shape, int64_t centre) {
  return centre - shape->window / 2;
}

// What a window centred on a sample is to be answered: 1 if a discharge is among the `step` samples
// in its middle or, with soft_samples > 0, exp(-d^2 / 2 soft_samples^2) at a distance d from the
// nearest discharge.
typedef struct {
  const emg_spikes *spikes;
  int step;
  double soft_samples;
} emg_cnn_labels;
double emg_cnn_label(const emg_cnn_labels *labels, int unit, int64_t centre);

// --- what is learned from and what is not (cnn_lessons.c) ---

enum { EMG_CNN_BLOCKS = 5, EMG_CNN_CHUNKS = 4, EMG_CNN_BATCH = 64 };

// A stretch of time.
typedef struct {
  int64_t begin, end;  // samples
} emg_cnn_span;

// Five blocks for validation spread over n samples, and what is between them with a window to
// spare; `share` 0: everything is learned from. A part that is held out is in neither, nor is a
// window beside it; empty: none.
enum { EMG_CNN_SPANS = 2 * EMG_CNN_BLOCKS + 2 };
typedef struct {
  int n_train, n_validation;
  emg_cnn_span train[EMG_CNN_SPANS], validation[EMG_CNN_SPANS], held;
} emg_cnn_split;
void emg_cnn_split_samples(int64_t n, int window, double share, emg_cnn_span held,
                           emg_cnn_split *out);
// The part of a signal that a configuration holds out.
emg_cnn_span emg_cnn_held(const struct emg_config_cnn *config, const emg_signal *signal);
// Windows centred on multiples of `step` that lie within a span: their number, and the first's.
int64_t emg_cnn_windows_within(const emg_cnn_shape *shape, const emg_cnn_span *span,
                               int64_t *first);

// Batches of an epoch, as many as there are windows to learn from in steps of 64.
typedef struct {
  const emg_cnn_plan *plan;
  const struct emg_config_cnn *config;
  const emg_signal *signal;
  emg_cnn_labels labels;
  emg_cnn_split split;
  uint64_t seed;
  double noise;       // standard deviation of what is added
  int64_t n_windows;  // to learn from
  int64_t *centre;    // [n_windows] in the order of this epoch; NULL: runs are drawn
  int n_steps;        // batches of an epoch
} emg_cnn_lessons;
// EMG_ERR_DATA if what is learned from holds no run of windows.
emg_status emg_cnn_lessons_create(const emg_cnn_plan *plan, const struct emg_config_cnn *config,
                                  const emg_signal *signal, const emg_spikes *labels, uint64_t seed,
                                  emg_cnn_lessons *out, emg_error *err);
void emg_cnn_lessons_free(emg_cnn_lessons *lessons);
// A batch of the sizes that the lessons fill.
emg_status emg_cnn_lessons_batch(const emg_cnn_lessons *lessons, int n_threads, emg_cnn_batch *out,
                                 emg_error *err);
void emg_cnn_lessons_shuffle(emg_cnn_lessons *lessons, int epoch);
// Batch `step` of an epoch.
void emg_cnn_lessons_fill(const emg_cnn_lessons *lessons, int epoch, int step, emg_cnn_batch *b);

// --- answers (cnn_answer.c) ---

// Room for answers, by n_threads threads.
typedef struct emg_cnn_answerer emg_cnn_answerer;
emg_status emg_cnn_answerer_create(const emg_cnn_plan *plan, int n_threads, emg_cnn_answerer **out,
                                   emg_error *err);
void emg_cnn_answerer_free(emg_cnn_answerer *answerer);
// Logits [n_windows][n_units] of windows centred on `centre`, centre + step, ...
void emg_cnn_answer_windows(emg_cnn_answerer *answerer, const float *weights, const emg_signal *x,
                            int64_t centre, int64_t n_windows, float *logits);

// out[m][n] = rows of `a`, k values from every `lda`-th on, times w[k][n], plus the bias; then what
// is below 0 is 0 if rectified (cnn_kernel.c).
void emg_cnn_multiply(int m, int n, int k, const float *a, int lda, const float *w,
                      const float *bias, bool is_rectified, float *out);

// --- from answers to discharges (cnn_decide.c) ---

static inline double emg_cnn_logit(double probability) {
  return log(probability / (1 - probability));
}

// Peaks of the logits of one unit that come one after the other: at or above the threshold, and the
// highest within the refractory time, so that adjacent positive windows are one discharge.
typedef struct {
  float threshold;     // logit
  int64_t refractory;  // samples
  int n_seen;          // answers so far, up to 2
  float before, last;  // the latest two
  int64_t at;          // sample of the last
  int64_t pending;     // peak that may still be replaced, with its neighbours; -1: none
  float height[3];
} emg_cnn_decider;
void emg_cnn_decider_start(emg_cnn_decider *d, double threshold, int64_t refractory);
// The next answer, of the window centred on `sample`, `step` after the one before. True if a
// discharge is certain now: its sample, between windows by the parabola through the peak and its
// neighbours, and its logit.
bool emg_cnn_decide(emg_cnn_decider *d, int64_t sample, int step, float logit, int64_t *spike,
                    float *height);
// What is pending at the end; `d` may go on.
bool emg_cnn_decider_end(emg_cnn_decider *d, int step, int64_t *spike, float *height);

// --- right and wrong (cnn_judge.c) ---

// Answers [n_windows][n_units] of windows centred on `centre`, centre + step, ...
typedef struct {
  const emg_cnn_shape *shape;
  const emg_cnn_labels *labels;
  int64_t refractory;  // samples
  int64_t centre, n_windows;
  const float *logits;
} emg_cnn_answers;
// Add to the count of a unit at a threshold: window by window as in Wen et al. 2021; discharge by
// discharge, right within half a step or two standard deviations of a soft label; the first where
// labels are hard and the second where they are soft.
void emg_cnn_count_windows(const emg_cnn_answers *answers, int unit, double threshold,
                           emg_cnn_count *count);
void emg_cnn_count_discharges(const emg_cnn_answers *answers, int unit, double threshold,
                              emg_cnn_count *count);
void emg_cnn_count_answers(const emg_cnn_answers *answers, int unit, double threshold,
                           emg_cnn_count *count);
// The threshold of a unit with the highest F1 over several stretches of answers: the middle one of
// equals; 0.5 if there are fewer than five discharges to learn it from.
double emg_cnn_best_threshold(int n, const emg_cnn_answers *answers, int unit);

// --- a training under way (cnn_train.c, cnn_checkpoint.c) ---

// All that goes on from one epoch to the next.
typedef struct {
  int64_t n_weights;
  float *weights, *squares;  // and the running mean of squared derivatives
  float *best;               // weights of the best epoch
  double best_loss;          // least so far
  int n_stale;               // epochs since it became better
  int capacity;              // of history->epochs
  emg_cnn_history *history;
} emg_cnn_training;

// What a training is of, to refuse to go on with another one.
typedef struct {
  const char *input, *labels, *config;  // digests, and the configuration as text
} emg_cnn_identity;
emg_status emg_cnn_checkpoint_write(const char *path, const emg_cnn_training *training,
                                    const emg_cnn_identity *identity, emg_error *err);
// Into a training of the same size. EMG_ERR_DATA, EMG_ERR_CONFIG.
emg_status emg_cnn_checkpoint_read(const char *path, const emg_cnn_identity *identity,
                                   emg_cnn_training *training, emg_error *err);

#endif
