// cnn_answer.c -- what a network says of many windows of a recording
#include "cnn_priv.h"

#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

// Windows are answered in runs of so many, always all of them, so that an answer has the same bits
// wherever threads and stretches of a recording begin.
enum { RUN = 32 };

typedef struct {
  float *input;
  emg_cnn_work shared, own;
} worker;

struct emg_cnn_answerer {
  emg_cnn_plan plan;
  int n_threads;
  worker *workers;
};

static emg_status create_worker(const emg_cnn_plan *plan, worker *w, emg_error *err) {
  size_t n_rows = (size_t)(emg_cnn_pitch(plan, 0, RUN) + EMG_CNN_SPARE);

  EMG_TRY(
      emg_alloc_aligned(n_rows * (size_t)plan->shape.n_channels, sizeof(float), &w->input, err));
  EMG_TRY(emg_cnn_work_create(plan, 0, plan->n_shared, 1, RUN, false, &w->shared, err));
  return emg_cnn_work_create(plan, plan->n_shared, EMG_CNN_LAYERS, 1, RUN, false, &w->own, err);
}

emg_status emg_cnn_answerer_create(const emg_cnn_plan *plan, int n_threads, emg_cnn_answerer **out,
                                   emg_error *err) {
  emg_cnn_answerer *a;

  EMG_TRY(emg_alloc(1, sizeof *a, &a, err));
  a->plan = *plan;
  a->n_threads = n_threads;
  emg_status status = emg_alloc((size_t)n_threads, sizeof *a->workers, &a->workers, err);
  for (int t = 0; t < n_threads && status == EMG_OK; t++) {
    status = create_worker(&a->plan, &a->workers[t], err);
  }
  if (status != EMG_OK) {
    emg_cnn_answerer_free(a);
    a = NULL;
  }
  *out = a;
  return status;
}

void emg_cnn_answerer_free(emg_cnn_answerer *a) {
  if (!a) {
    return;
  }
  for (int t = 0; t < a->n_threads && a->workers; t++) {
    free(a->workers[t].input);
    emg_cnn_work_free(&a->workers[t].shared);
    emg_cnn_work_free(&a->workers[t].own);
  }
  free(a->workers);
  free(a);
}

// logits[window][unit] of a run, `stride` windows apart in the output; the first n of them.
static void answer_run(const emg_cnn_plan *plan, worker *w, const float *weights, int64_t n,
                       int64_t stride, float *logits) {
  const int n_units = plan->shape.n_units, last = EMG_CNN_LAYERS - 1;
  const float *input = w->input;

  if (plan->n_shared > 0) {
    emg_cnn_forward(&w->shared, weights, input, 1);
    input = w->shared.out[plan->n_shared - 1];
  }
  for (int u = 0; u < n_units; u++) {
    const float *z = w->shared.out[last] + u;
    int step = n_units;
    if (plan->n_shared < EMG_CNN_LAYERS) {
      emg_cnn_forward(&w->own, weights + emg_cnn_branch(plan, u), input, 1);
      z = w->own.out[last];
      step = 1;
    }
    for (int64_t j = 0; j < n; j++) {
      logits[j * stride * n_units + u] = z[j * step];
    }
  }
}

void emg_cnn_answer_windows(emg_cnn_answerer *a, const float *weights, const emg_signal *x,
                            int64_t centre, int64_t n_windows, float *logits) {
  const emg_cnn_plan *plan = &a->plan;
  // windows of one phase share rows through the pools, those of others are other runs
  const int64_t n_phases = plan->spacing / plan->shape.step;
  const int64_t n_runs = (n_windows + n_phases * RUN - 1) / (n_phases * RUN);
  const int length = emg_cnn_run_length(plan, RUN);

#pragma omp parallel for schedule(dynamic) num_threads(a->n_threads)
  for (int64_t i = 0; i < n_runs * n_phases; i++) {
    int64_t first = i / n_phases * n_phases * RUN + i % n_phases;
    int64_t n = (n_windows - first + n_phases - 1) / n_phases;
    worker *w = &a->workers[omp_get_thread_num()];
    if (first < n_windows) {
      emg_cnn_copy_rows(x, emg_cnn_window_start(&plan->shape, centre + first * plan->shape.step),
                        length, w->input);
      answer_run(plan, w, weights, n < RUN ? n : RUN, n_phases,
                 logits + first * plan->shape.n_units);
    }
  }
}

// --- a whole recording ---

emg_status emg_cnn_check(const emg_cnn *net, const emg_recording *rec, emg_error *err) {
  if (rec->data.n_rows != net->n_channels_recorded) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording has %d channels and the network is for %d; use a network "
                    "trained on a recording of the same electrodes",
                    rec->data.n_rows, net->n_channels_recorded);
  }
  if (rec->rate_hz != net->rate_hz) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording is sampled at %g Hz and the network is for %g Hz; a network "
                    "cannot be moved to another rate",
                    rec->rate_hz, net->rate_hz);
  }
  return EMG_OK;
}

emg_status emg_cnn_answer(const emg_cnn *net, const emg_recording *rec, const emg_monitor *monitor,
                          emg_array2f *out, emg_error *err) {
  enum { BLOCK = 1 << 14 };  // windows between two words to the monitor
  const int n_units = net->shape.n_units, step = net->shape.step;
  const int64_t n = (rec->data.n_cols + step - 1) / step;
  emg_cnn_answerer *answerer = NULL;
  emg_signal x = {0};
  emg_cnn_plan plan;
  float *logits = NULL;
  emg_status status;

  emg_init();
  *out = (emg_array2f){0};
  EMG_TRY(emg_cnn_check(net, rec, err));
  EMG_TRY(emg_cnn_plan_create(&net->shape, &plan, err));
  EMG_TRY_DONE(emg_cnn_signal(net, rec, &x, err));
  EMG_TRY_DONE(emg_cnn_answerer_create(&plan, emg_get_threads(), &answerer, err));
  EMG_TRY_DONE(emg_alloc((size_t)BLOCK * (size_t)n_units, sizeof *logits, &logits, err));
  EMG_TRY_DONE(emg_array2f_create(n_units, n, out, err));
  for (int64_t at = 0; at < n; at += BLOCK) {
    int64_t n_block = n - at < BLOCK ? n - at : BLOCK;
    EMG_TRY_DONE(emg_progress(monitor, "network", at, n, err));
    emg_cnn_answer_windows(answerer, net->weights, &x, at * step, n_block, logits);
    for (int u = 0; u < n_units; u++) {
      for (int64_t j = 0; j < n_block; j++) {
        emg_row2f(out, u)[at + j] = logits[j * n_units + u];
      }
    }
  }

done:
  emg_cnn_answerer_free(answerer);
  emg_signal_free(&x);
  free(logits);
  if (status != EMG_OK) {
    emg_array2f_free(out);
  }
  return status;
}
