// cnn_engine_types.h -- passes forward and backward through a network, for one kind of number
//
// Included with REAL (float or double) and NAME(x), which makes names of it; cnn_engine_body.h
// holds the functions, once for each kind. The program runs on float; double is for tests of the
// derivatives, which float is too coarse for.

// What the stages first .. last - 1 make of one chunk: n_runs runs of n_windows windows each.
typedef struct {
  const emg_cnn_plan *plan;
  int first, last, n_runs, n_windows;
  REAL *out[EMG_CNN_LAYERS];      // [n_runs * pitch + 2][n_out], the two rows always 0
  REAL *delta[EMG_CNN_LAYERS];    // derivative of the loss by `out`; NULL if not trained
  uint8_t *mask[EMG_CNN_LAYERS];  // of dropout; NULL: nothing is dropped
  REAL *flat, *flat_delta;        // windows laid out one by one before the first dense layer
  void *memory[4 * EMG_CNN_LAYERS];
  int n_memory;
} NAME(work);

emg_status NAME(work_create)(const emg_cnn_plan *plan, int first, int last, int n_runs,
                             int n_windows, bool is_trained, NAME(work) * out, emg_error *err);
void NAME(work_free)(NAME(work) * work);

// `weights` and `gradient` are those of the section the stages belong to. `input` has the rows
// emg_cnn_pitch says before `first`, for each run, and two more. `kept`: the share that dropout
// keeps, 1 in use.
void NAME(forward)(NAME(work) * work, const REAL *weights, const REAL *input, double kept);
// From delta[last - 1] back: adds to `gradient` and writes the derivative by the input, unless
// `input_delta` is NULL.
void NAME(backward)(NAME(work) * work, const REAL *weights, const REAL *input, double kept,
                    REAL *gradient, REAL *input_delta);

// One step of training: chunks are independent but for what their gradients are added to.
typedef struct {
  int n_chunks, n_runs, n_windows;  // windows of a run
  int n_threads;
  REAL **input;         // [n_chunks] rows of the runs, pitch as before stage 0, and two rows of 0
  REAL *target;         // [n_chunks][n_runs * n_windows][n_units] 0..1
  REAL *share;          // [n_chunks][n_runs * n_windows] what a window counts in the loss
  REAL *logit;          // [n_chunks][n_runs * n_windows][n_units] the answer
  NAME(work) * shared;  // [n_chunks]
  NAME(work) * own;     // [n_threads]
  REAL *partial;        // [n_chunks][n_shared_weights]
  REAL *back;           // [n_units] derivatives that the branches send to the shared stages
  double *loss;         // [n_chunks][n_units]
} NAME(batch);

typedef struct {
  uint64_t seed;
  uint32_t step;           // masks of dropout are those of this seed and step
  double rate;             // of dropout
  double positive_weight;  // what a discharge counts beside none
} NAME(lesson);

emg_status NAME(batch_create)(const emg_cnn_plan *plan, int n_chunks, int n_runs, int n_windows,
                              int n_threads, NAME(batch) * out, emg_error *err);
void NAME(batch_free)(NAME(batch) * batch);
// gradient[n_weights] and the loss: over units, the sum of the mean cross-entropy of the logits,
// windows counted by `share`. Same bits at any number of threads.
double NAME(learn)(const emg_cnn_plan *plan, NAME(batch) * batch, const NAME(lesson) * lesson,
                   const REAL *weights, REAL *gradient);
