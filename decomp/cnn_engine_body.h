// cnn_engine_body.h -- passes forward and backward through a network, for one kind of number
//
// Included with REAL, NAME(x) as in cnn_engine_types.h and GEMM, a product like emg_sgemm.
//
// A convolution over rows [sample][feature] is one matrix product a tap, over the rows moved by the
// tap, with nothing copied. Runs lie end to end; rows at the end of a run that reach into the next
// hold garbage, which nobody reads forward and which is 0 backward.

static size_t NAME(n_rows_behind)(const NAME(work) * w, int i) {
  return (size_t)w->n_runs * (size_t)emg_cnn_pitch(w->plan, i + 1, w->n_windows);
}

static emg_status NAME(take)(NAME(work) * w, size_t n, size_t size, void *out, emg_error *err) {
  EMG_TRY(emg_alloc_aligned(n, size, &w->memory[w->n_memory], err));
  memcpy(out, &w->memory[w->n_memory++], sizeof(void *));
  return EMG_OK;
}

// Whether windows must be laid out for a dense layer: not behind another one.
static bool NAME(is_flattened)(const emg_cnn_stage *stage) {
  return stage->layer.kind == EMG_CNN_DENSE && (stage->length > 1 || stage->hop > 1);
}

emg_status NAME(work_create)(const emg_cnn_plan *plan, int first, int last, int n_runs,
                             int n_windows, bool is_trained, NAME(work) * w, emg_error *err) {
  emg_status status = EMG_OK;

  *w = (NAME(work)){
      .plan = plan, .first = first, .last = last, .n_runs = n_runs, .n_windows = n_windows};
  for (int i = first; i < last; i++) {
    const emg_cnn_stage *stage = &plan->stages[i];
    size_t n = (NAME(n_rows_behind)(w, i) + EMG_CNN_SPARE) * (size_t)stage->n_out;
    EMG_TRY_DONE(NAME(take)(w, n, sizeof(REAL), &w->out[i], err));
    if (is_trained) {
      EMG_TRY_DONE(NAME(take)(w, n, sizeof(REAL), &w->delta[i], err));
    }
    if (is_trained && stage->layer.drops) {
      EMG_TRY_DONE(NAME(take)(w, n, 1, &w->mask[i], err));
    }
    if (NAME(is_flattened)(stage)) {
      size_t n_flat = (size_t)n_runs * (size_t)n_windows * (size_t)(stage->length * stage->n_in);
      EMG_TRY_DONE(NAME(take)(w, n_flat, sizeof(REAL), &w->flat, err));
      EMG_TRY_DONE(NAME(take)(w, is_trained ? n_flat : 1, sizeof(REAL), &w->flat_delta, err));
    }
  }

done:
  if (status != EMG_OK) {
    NAME(work_free)(w);
  }
  return status;
}

void NAME(work_free)(NAME(work) * w) {
  for (int i = 0; i < w->n_memory; i++) {
    free(w->memory[i]);
  }
  w->n_memory = 0;
}

// --- forward ---

// out = max(out + bias, 0), or out + bias.
EMG_KERNEL static void NAME(add_bias)(size_t n_rows, int n, const REAL *bias, bool is_rectified,
                                      REAL *out) {
  for (size_t r = 0; r < n_rows; r++) {
    REAL *row = out + r * (size_t)n;
    for (int k = 0; k < n; k++) {
      REAL value = row[k] + bias[k];
      row[k] = is_rectified && value < 0 ? 0 : value;
    }
  }
}

EMG_KERNEL static void NAME(drop)(size_t n, const uint8_t *mask, REAL scale, REAL *values) {
  for (size_t i = 0; i < n; i++) {
    values[i] *= mask[i] ? scale : 0;
  }
}

static void NAME(convolve)(const NAME(work) * w, int i, const REAL *weights, const REAL *in) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int n_rows = (int)NAME(n_rows_behind)(w, i);

  for (int tap = 0; tap < EMG_CNN_TAPS; tap++) {
    GEMM(0, 0, n_rows, s->n_out, s->n_in, 1, in + (ptrdiff_t)tap * s->n_in, s->n_in,
         weights + (ptrdiff_t)tap * s->n_in * s->n_out, s->n_out, tap > 0, w->out[i], s->n_out);
  }
  NAME(add_bias)((size_t)n_rows, s->n_out, weights + s->n_kernel, true, w->out[i]);
}

EMG_KERNEL static void NAME(pool_row)(int n, const REAL *pair, REAL *out) {
  for (int k = 0; k < n; k++) {
    out[k] = pair[k] >= pair[n + k] ? pair[k] : pair[n + k];
  }
}

static void NAME(pool)(const NAME(work) * w, int i, const REAL *in) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int pitch_in = emg_cnn_pitch(w->plan, i, w->n_windows);
  int pitch_out = emg_cnn_pitch(w->plan, i + 1, w->n_windows);
  int n_rows = emg_cnn_rows(w->plan, i + 1, w->n_windows);

  for (int run = 0; run < w->n_runs; run++) {
    for (int r = 0; r < n_rows; r++) {
      const REAL *pair = in + ((ptrdiff_t)run * pitch_in + EMG_CNN_POOLED * r) * s->n_in;
      NAME(pool_row)(s->n_in, pair, w->out[i] + ((ptrdiff_t)run * pitch_out + r) * s->n_in);
    }
  }
}

// Where window `j` of a run begins before stage i, in numbers of a layout with these runs.
static ptrdiff_t NAME(window_at)(const NAME(work) * w, int i, int run, int j) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  ptrdiff_t pitch = emg_cnn_pitch(w->plan, i, w->n_windows);

  return (run * pitch + (ptrdiff_t)j * s->hop) * s->n_in;
}

static void NAME(connect)(const NAME(work) * w, int i, const REAL *weights, const REAL *in) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int n_rows = w->n_runs * w->n_windows, n_values = s->length * s->n_in;

  if (NAME(is_flattened)(s)) {
    for (int run = 0; run < w->n_runs; run++) {
      for (int j = 0; j < w->n_windows; j++) {
        memcpy(w->flat + ((ptrdiff_t)run * w->n_windows + j) * n_values,
               in + NAME(window_at)(w, i, run, j), (size_t)n_values * sizeof(REAL));
      }
    }
    in = w->flat;
  }
  GEMM(0, 0, n_rows, s->n_out, n_values, 1, in, n_values, weights, s->n_out, 0, w->out[i],
       s->n_out);
  NAME(add_bias)
  ((size_t)n_rows, s->n_out, weights + s->n_kernel, i + 1 < EMG_CNN_LAYERS, w->out[i]);
}

void NAME(forward)(NAME(work) * w, const REAL *weights, const REAL *input, double kept) {
  for (int i = w->first; i < w->last; i++) {
    const emg_cnn_stage *s = &w->plan->stages[i];

    if (s->layer.kind == EMG_CNN_CONV) {
      NAME(convolve)(w, i, weights + s->offset, input);
    } else if (s->layer.kind == EMG_CNN_POOL) {
      NAME(pool)(w, i, input);
    } else {
      NAME(connect)(w, i, weights + s->offset, input);
    }
    if (w->mask[i] && kept < 1) {
      NAME(drop)
      (NAME(n_rows_behind)(w, i) * (size_t)s->n_out, w->mask[i], (REAL)(1 / kept), w->out[i]);
    }
    input = w->out[i];
  }
}

// --- backward ---

// delta = 0 where the rectified output is, and what is left summed to the bias.
EMG_KERNEL static void NAME(rectify_back)(size_t n_rows, int n, const REAL *out, bool is_rectified,
                                          REAL *delta, REAL *bias_gradient) {
  for (size_t r = 0; r < n_rows; r++) {
    const REAL *value = out + r * (size_t)n;
    REAL *row = delta + r * (size_t)n;
    for (int k = 0; k < n; k++) {
      row[k] = is_rectified && !(value[k] > 0) ? 0 : row[k];
      bias_gradient[k] += row[k];
    }
  }
}

static void NAME(clear_garbage)(const NAME(work) * w, int i, REAL *delta) {
  size_t width = (size_t)w->plan->stages[i].n_out;
  size_t pitch = (size_t)emg_cnn_pitch(w->plan, i + 1, w->n_windows);
  size_t n_rows = (size_t)emg_cnn_rows(w->plan, i + 1, w->n_windows);

  for (int run = 0; run < w->n_runs; run++) {
    memset(delta + ((size_t)run * pitch + n_rows) * width, 0,
           (pitch - n_rows) * width * sizeof(REAL));
  }
}

static void NAME(convolve_back)(const NAME(work) * w, int i, const REAL *weights, const REAL *in,
                                REAL *gradient, REAL *in_delta) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int n_rows = (int)NAME(n_rows_behind)(w, i);
  REAL *delta = w->delta[i];

  NAME(clear_garbage)(w, i, delta);
  NAME(rectify_back)((size_t)n_rows, s->n_out, w->out[i], true, delta, gradient + s->n_kernel);
  if (in_delta) {
    memset(in_delta, 0, (size_t)(n_rows + EMG_CNN_SPARE) * (size_t)s->n_in * sizeof(REAL));
  }
  for (int tap = 0; tap < EMG_CNN_TAPS; tap++) {
    ptrdiff_t kernel = (ptrdiff_t)tap * s->n_in * s->n_out;
    GEMM(1, 0, s->n_in, s->n_out, n_rows, 1, in + (ptrdiff_t)tap * s->n_in, s->n_in, delta,
         s->n_out, 1, gradient + kernel, s->n_out);
    if (in_delta) {
      GEMM(0, 1, n_rows, s->n_in, s->n_out, 1, delta, s->n_out, weights + kernel, s->n_out, 1,
           in_delta + (ptrdiff_t)tap * s->n_in, s->n_in);
    }
  }
}

// The larger of a pair has the derivative, of equal ones the first.
EMG_KERNEL static void NAME(pool_row_back)(int n, const REAL *pair, const REAL *delta,
                                           REAL *pair_delta) {
  for (int k = 0; k < n; k++) {
    bool is_first = pair[k] >= pair[n + k];
    pair_delta[k] = is_first ? delta[k] : 0;
    pair_delta[n + k] = is_first ? 0 : delta[k];
  }
}

static void NAME(pool_back)(const NAME(work) * w, int i, const REAL *in, REAL *in_delta) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int pitch_in = emg_cnn_pitch(w->plan, i, w->n_windows);
  int pitch_out = emg_cnn_pitch(w->plan, i + 1, w->n_windows);
  int n_rows = emg_cnn_rows(w->plan, i + 1, w->n_windows), n = s->n_in;

  for (int run = 0; run < w->n_runs; run++) {
    ptrdiff_t first = (ptrdiff_t)run * pitch_in;
    for (int r = 0; r < n_rows; r++) {
      ptrdiff_t pair = (first + EMG_CNN_POOLED * r) * n;
      NAME(pool_row_back)
      (n, in + pair, w->delta[i] + ((ptrdiff_t)run * pitch_out + r) * n, in_delta + pair);
    }
    memset(in_delta + (first + EMG_CNN_POOLED * n_rows) * n, 0,
           (size_t)(pitch_in - EMG_CNN_POOLED * n_rows) * (size_t)n * sizeof(REAL));
  }
}

// Add what windows send back to the rows they share.
static void NAME(unflatten)(const NAME(work) * w, int i, REAL *in_delta) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int n_values = s->length * s->n_in;
  size_t n_rows = (size_t)w->n_runs * (size_t)emg_cnn_pitch(w->plan, i, w->n_windows);

  memset(in_delta, 0, n_rows * (size_t)s->n_in * sizeof(REAL));
  for (int run = 0; run < w->n_runs; run++) {
    for (int j = 0; j < w->n_windows; j++) {
      const REAL *from = w->flat_delta + ((ptrdiff_t)run * w->n_windows + j) * n_values;
      REAL *to = in_delta + NAME(window_at)(w, i, run, j);
      for (int k = 0; k < n_values; k++) {
        to[k] += from[k];
      }
    }
  }
}

static void NAME(connect_back)(const NAME(work) * w, int i, const REAL *weights, const REAL *in,
                               REAL *gradient, REAL *in_delta) {
  const emg_cnn_stage *s = &w->plan->stages[i];
  int n_rows = w->n_runs * w->n_windows, n_values = s->length * s->n_in;
  bool is_flat = NAME(is_flattened)(s);
  REAL *delta = w->delta[i];

  NAME(rectify_back)
  ((size_t)n_rows, s->n_out, w->out[i], i + 1 < EMG_CNN_LAYERS, delta, gradient + s->n_kernel);
  GEMM(1, 0, n_values, s->n_out, n_rows, 1, is_flat ? w->flat : in, n_values, delta, s->n_out, 1,
       gradient, s->n_out);
  GEMM(0, 1, n_rows, n_values, s->n_out, 1, delta, s->n_out, weights, s->n_out, 0,
       is_flat ? w->flat_delta : in_delta, n_values);
  if (is_flat) {
    NAME(unflatten)(w, i, in_delta);
  }
}

void NAME(backward)(NAME(work) * w, const REAL *weights, const REAL *input, double kept,
                    REAL *gradient, REAL *input_delta) {
  for (int i = w->last - 1; i >= w->first; i--) {
    const emg_cnn_stage *s = &w->plan->stages[i];
    const REAL *in = i > w->first ? w->out[i - 1] : input;
    REAL *in_delta = i > w->first ? w->delta[i - 1] : input_delta;

    if (w->mask[i] && kept < 1) {
      NAME(drop)
      (NAME(n_rows_behind)(w, i) * (size_t)s->n_out, w->mask[i], (REAL)(1 / kept), w->delta[i]);
    }
    if (s->layer.kind == EMG_CNN_CONV) {
      NAME(convolve_back)(w, i, weights + s->offset, in, gradient + s->offset, in_delta);
    } else if (s->layer.kind == EMG_CNN_POOL) {
      NAME(pool_back)(w, i, in, in_delta);
    } else {
      NAME(connect_back)(w, i, weights + s->offset, in, gradient + s->offset, in_delta);
    }
  }
}

// --- a step of training ---

static size_t NAME(n_back)(const emg_cnn_plan *plan, const NAME(batch) * b) {
  size_t n_rows = (size_t)b->n_runs * (size_t)emg_cnn_pitch(plan, plan->n_shared, b->n_windows);

  return (n_rows + EMG_CNN_SPARE) * (size_t)plan->stages[plan->n_shared].n_in;
}

static emg_status NAME(allocate_batch)(const emg_cnn_plan *plan, NAME(batch) * b, emg_error *err) {
  size_t n_chunks = (size_t)b->n_chunks, n_units = (size_t)plan->shape.n_units;
  size_t n_windows = n_chunks * (size_t)(b->n_runs * b->n_windows);
  size_t n_rows = (size_t)b->n_runs * (size_t)emg_cnn_pitch(plan, 0, b->n_windows);
  int n_shared = plan->n_shared;

  EMG_TRY(emg_alloc(n_chunks, sizeof *b->input, &b->input, err));
  EMG_TRY(emg_alloc(n_chunks, sizeof *b->shared, &b->shared, err));
  EMG_TRY(emg_alloc((size_t)b->n_threads, sizeof *b->own, &b->own, err));
  EMG_TRY(emg_alloc_aligned(n_windows * n_units, sizeof(REAL), &b->target, err));
  EMG_TRY(emg_alloc_aligned(n_windows * n_units, sizeof(REAL), &b->logit, err));
  EMG_TRY(emg_alloc_aligned(n_windows, sizeof(REAL), &b->share, err));
  EMG_TRY(emg_alloc(n_chunks * n_units, sizeof(double), &b->loss, err));
  for (int c = 0; c < b->n_chunks; c++) {
    EMG_TRY(emg_alloc_aligned((n_rows + EMG_CNN_SPARE) * (size_t)plan->shape.n_channels,
                              sizeof(REAL), &b->input[c], err));
    EMG_TRY(
        NAME(work_create)(plan, 0, n_shared, b->n_runs, b->n_windows, true, &b->shared[c], err));
  }
  if (n_shared > 0) {
    EMG_TRY(emg_alloc_aligned(n_chunks * (size_t)plan->n_shared_weights, sizeof(REAL), &b->partial,
                              err));
  }
  for (int t = 0; t < b->n_threads && n_shared < EMG_CNN_LAYERS; t++) {
    EMG_TRY(NAME(work_create)(plan, n_shared, EMG_CNN_LAYERS, b->n_runs, b->n_windows, true,
                              &b->own[t], err));
  }
  if (n_shared > 0 && n_shared < EMG_CNN_LAYERS) {
    EMG_TRY(emg_alloc_aligned(n_units * NAME(n_back)(plan, b), sizeof(REAL), &b->back, err));
  }
  return EMG_OK;
}

emg_status NAME(batch_create)(const emg_cnn_plan *plan, int n_chunks, int n_runs, int n_windows,
                              int n_threads, NAME(batch) * out, emg_error *err) {
  *out = (NAME(batch)){
      .n_chunks = n_chunks, .n_runs = n_runs, .n_windows = n_windows, .n_threads = n_threads};
  emg_status status = NAME(allocate_batch)(plan, out, err);
  if (status != EMG_OK) {
    NAME(batch_free)(out);
  }
  return status;
}

void NAME(batch_free)(NAME(batch) * b) {
  for (int c = 0; c < b->n_chunks; c++) {
    if (b->input) {
      free(b->input[c]);
    }
    if (b->shared) {
      NAME(work_free)(&b->shared[c]);
    }
  }
  for (int t = 0; t < b->n_threads && b->own; t++) {
    NAME(work_free)(&b->own[t]);
  }
  free(b->input);
  free(b->shared);
  free(b->own);
  free(b->target);
  free(b->logit);
  free(b->share);
  free(b->loss);
  free(b->partial);
  free(b->back);
  *b = (NAME(batch)){0};
}

// Cross-entropy from logits, which neither overflows nor takes the logarithm of 0:
// w y softplus(-z) + (1 - y) softplus(z), and its derivative by z. Targets and logits of a unit are
// n_units apart in the batch, its own logits and derivatives `stride`.
static double NAME(judge)(const NAME(batch) * b, int chunk, int unit, int n_units, double weight,
                          int stride, const REAL *z, REAL *delta) {
  int n = b->n_runs * b->n_windows;
  double loss = 0;

  for (int j = 0; j < n; j++) {
    ptrdiff_t row = (ptrdiff_t)chunk * n + j, at = row * n_units + unit;
    double value = z[(ptrdiff_t)j * stride], y = b->target[at], share = b->share[row];
    double tail = log1p(exp(-fabs(value)));
    double above = tail + fmax(value, 0), below = tail + fmax(-value, 0);
    double p = 1 / (1 + exp(-value));
    b->logit[at] = (REAL)value;
    loss += share * (weight * y * below + (1 - y) * above);
    delta[(ptrdiff_t)j * stride] = (REAL)(share * ((1 - y) * p - weight * y * (1 - p)));
  }
  return loss;
}

static void NAME(set_masks)(const NAME(work) * w, const NAME(lesson) * lesson, int chunk,
                            int unit) {
  for (int i = w->first; i < w->last && lesson->rate > 0; i++) {
    if (w->mask[i]) {
      size_t n = NAME(n_rows_behind)(w, i) * (size_t)w->plan->stages[i].n_out;
      emg_cnn_fill_mask(lesson->seed, lesson->step, chunk, i, unit, lesson->rate, n, w->mask[i]);
    }
  }
}

// The branch of a unit, forwards and back; what it sends to the shared stages is kept apart.
static void NAME(learn_branch)(const emg_cnn_plan *plan, NAME(batch) * b,
                               const NAME(lesson) * lesson, int chunk, int unit, NAME(work) * w,
                               const REAL *weights, REAL *gradient) {
  const double kept = 1 - lesson->rate;
  int last = EMG_CNN_LAYERS - 1, n_units = plan->shape.n_units;
  const REAL *input =
      plan->n_shared > 0 ? b->shared[chunk].out[plan->n_shared - 1] : b->input[chunk];
  REAL *back = b->back ? b->back + (size_t)unit * NAME(n_back)(plan, b) : NULL;
  int64_t branch = emg_cnn_branch(plan, unit);

  NAME(set_masks)(w, lesson, chunk, unit);
  NAME(forward)(w, weights + branch, input, kept);
  b->loss[(ptrdiff_t)chunk * n_units + unit] = NAME(judge)(
      b, chunk, unit, n_units, lesson->positive_weight, 1, w->out[last], w->delta[last]);
  NAME(backward)(w, weights + branch, input, kept, gradient + branch, back);
}

// Sum over the branches, in their order, wherever the sum is made.
static void NAME(gather_back)(const emg_cnn_plan *plan, const NAME(batch) * b, REAL *sum) {
  ptrdiff_t n = (ptrdiff_t)NAME(n_back)(plan, b);

#pragma omp parallel for schedule(static) num_threads(b->n_threads)
  for (ptrdiff_t i = 0; i < n; i++) {
    REAL total = 0;
    for (int u = 0; u < plan->shape.n_units; u++) {
      total += b->back[u * n + i];
    }
    sum[i] = total;
  }
}

static void NAME(learn_branches)(const emg_cnn_plan *plan, NAME(batch) * b,
                                 const NAME(lesson) * lesson, const REAL *weights, REAL *gradient) {
  for (int chunk = 0; chunk < b->n_chunks; chunk++) {
#pragma omp parallel for schedule(dynamic) num_threads(b->n_threads)
    for (int u = 0; u < plan->shape.n_units; u++) {
      NAME(learn_branch)
      (plan, b, lesson, chunk, u, &b->own[omp_get_thread_num()], weights, gradient);
    }
    if (b->back) {
      NAME(gather_back)(plan, b, b->shared[chunk].delta[plan->n_shared - 1]);
    }
  }
}

// The end of a network without branches.
static void NAME(judge_shared)(const emg_cnn_plan *plan, NAME(batch) * b,
                               const NAME(lesson) * lesson, int chunk) {
  const NAME(work) *w = &b->shared[chunk];
  int last = EMG_CNN_LAYERS - 1, n_units = plan->shape.n_units;

  for (int u = 0; u < n_units; u++) {
    b->loss[(ptrdiff_t)chunk * n_units + u] =
        NAME(judge)(b, chunk, u, n_units, lesson->positive_weight, n_units, w->out[last] + u,
                    w->delta[last] + u);
  }
}

double NAME(learn)(const emg_cnn_plan *plan, NAME(batch) * b, const NAME(lesson) * lesson,
                   const REAL *weights, REAL *gradient) {
  const double kept = 1 - lesson->rate;
  const ptrdiff_t n_shared_weights = (ptrdiff_t)plan->n_shared_weights;
  bool has_branches = plan->n_shared < EMG_CNN_LAYERS;
  double loss = 0;

  memset(gradient, 0, (size_t)plan->n_weights * sizeof *gradient);

  // 1. what all units share, chunk by chunk
#pragma omp parallel for schedule(dynamic) num_threads(b->n_threads) if (plan->n_shared > 0)
  for (int c = 0; c < b->n_chunks; c++) {
    NAME(set_masks)(&b->shared[c], lesson, c, -1);
    NAME(forward)(&b->shared[c], weights, b->input[c], kept);
    if (!has_branches) {
      NAME(judge_shared)(plan, b, lesson, c);
    }
  }

  // 2. the branches, unit by unit
  if (has_branches) {
    NAME(learn_branches)(plan, b, lesson, weights, gradient);
  }

  // 3. back through what is shared: each chunk into a sum of its own, added in their order
  if (plan->n_shared > 0) {
    memset(b->partial, 0, (size_t)(b->n_chunks * n_shared_weights) * sizeof *b->partial);
#pragma omp parallel for schedule(dynamic) num_threads(b->n_threads)
    for (int c = 0; c < b->n_chunks; c++) {
      NAME(backward)
      (&b->shared[c], weights, b->input[c], kept, b->partial + c * n_shared_weights, NULL);
    }
#pragma omp parallel for schedule(static) num_threads(b->n_threads)
    for (ptrdiff_t i = 0; i < n_shared_weights; i++) {
      for (int c = 0; c < b->n_chunks; c++) {
        gradient[i] += b->partial[c * n_shared_weights + i];
      }
    }
  }
  for (int i = 0; i < b->n_chunks * plan->shape.n_units; i++) {
    loss += b->loss[i];
  }
  return loss;
}
