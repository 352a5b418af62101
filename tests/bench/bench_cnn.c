// bench_cnn.c -- what do networks cost? bench_cnn [network units channels window step]: 17 units,
// 64 channels, windows of 120 every 20 by default, all on one thread. One JSON line: CPU time of a
// training step of 64 windows in runs and one by one, of a window answered in a recording and in a
// stream (with its 99th percentile and wall time), and of the multiplications alone at this
// processor's matrix product.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <emgtwin/emgtwin.h>

#include "base/lin.h"
#include "decomp/cnn_priv.h"

static double now_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void check(emg_status status) {
  if (status != EMG_OK) {
    fprintf(stderr, "bench_cnn: there is no such network, or no memory for it\n");
    exit(EXIT_FAILURE);
  }
}

// Rate of a matrix product of a size that keeps this processor busy.
static double measured_gflops(void) {
  enum { N = 512, TIMES = 20 };
  float *a = calloc(3 * (size_t)N * N, sizeof *a);
  double best = 0;

  for (int i = 0; a && i < TIMES; i++) {
    double start = now_ms(CLOCK_THREAD_CPUTIME_ID);
    emg_sgemm(0, 0, N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
    double rate = 2.0 * N * N * N * 1e-6 / (now_ms(CLOCK_THREAD_CPUTIME_ID) - start);
    best = rate > best ? rate : best;
  }
  free(a);
  return best;
}

static emg_recording noise(int n_channels, int64_t n_samples) {
  emg_recording rec;
  emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, 0, 0);

  check(emg_recording_create(n_channels, n_samples, 2048, &rec, NULL));
  for (int c = 0; c < n_channels; c++) {
    for (int64_t i = 0; i < n_samples; i++) {
      emg_row2f(&rec.data, c)[i] = (float)(20 * emg_rng_gaussian(&rng));
    }
  }
  return rec;
}

static emg_cnn network(const emg_cnn_plan *plan) {
  emg_cnn net;

  check(emg_cnn_create(&plan->shape, &net, NULL));
  net.n_channels_recorded = plan->shape.n_channels;
  for (int c = 0; c < plan->shape.n_channels; c++) {
    net.channel[c] = c;
  }
  for (int u = 0; u < plan->shape.n_units; u++) {
    net.threshold[u] = 0.5;
  }
  net.rate_hz = 2048;
  net.band_low_hz = 20;
  net.band_high_hz = 500;
  net.scale_uv = 100;
  net.refractory_ms = 20;
  emg_cnn_start(plan, 1, net.weights);
  return net;
}

// CPU time of one step of training, the least of several.
static double step_ms(const emg_cnn_plan *plan, const emg_cnn *net, int n_runs, int n_windows) {
  enum { TIMES = 4 };
  const emg_cnn_lesson lesson = {1, 1, 0.5, 1};
  size_t n = (size_t)plan->n_weights;
  float *gradient = malloc(n * sizeof *gradient);
  double best = INFINITY;
  emg_cnn_batch b;

  check(gradient ? EMG_OK : EMG_ERR_MEMORY);
  check(emg_cnn_batch_create(plan, EMG_CNN_CHUNKS, n_runs, n_windows, 1, &b, NULL));
  for (int i = 0; i < TIMES; i++) {
    double start = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    emg_cnn_learn(plan, &b, &lesson, net->weights, gradient);
    best = fmin(best, now_ms(CLOCK_PROCESS_CPUTIME_ID) - start);
  }
  emg_cnn_batch_free(&b);
  free(gradient);
  return best;
}

typedef struct {
  double wall_median_ms, wall_p99_ms, cpu_mean_ms, cpu_p99_ms;
} stream_cost;

static stream_cost stream(const emg_cnn *net, const emg_recording *rec) {
  enum { WINDOWS_MAX = 1024 };
  static double wall_ms[WINDOWS_MAX], cpu_ms[WINDOWS_MAX];
  int step = net->shape.step, n_channels = rec->data.n_rows;
  int n = (int)(rec->data.n_cols / step), n_most = n < WINDOWS_MAX ? n : WINDOWS_MAX;
  float *samples = calloc((size_t)(step * n_channels), sizeof *samples);
  stream_cost cost = {0};
  emg_cnn_stream *s;

  check(samples ? EMG_OK : EMG_ERR_MEMORY);
  check(emg_cnn_stream_create(net, &s, NULL));
  for (int w = 0; w < n_most; w++) {
    for (int i = 0; i < step * n_channels; i++) {
      samples[i] = emg_row2f(&rec->data, i % n_channels)[w * step + i / n_channels];
    }
    double wall = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
    emg_cnn_stream_push(s, samples, step, NULL, NULL, NULL);
    wall_ms[w] = now_ms(CLOCK_MONOTONIC) - wall;
    cpu_ms[w] = now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu;
    cost.cpu_mean_ms += cpu_ms[w] / n_most;
  }
  qsort(wall_ms, (size_t)n_most, sizeof *wall_ms, compare);
  qsort(cpu_ms, (size_t)n_most, sizeof *cpu_ms, compare);
  cost.wall_median_ms = wall_ms[n_most / 2];
  cost.wall_p99_ms = wall_ms[n_most * 99 / 100];
  cost.cpu_p99_ms = cpu_ms[n_most * 99 / 100];
  emg_cnn_stream_free(s);
  free(samples);
  return cost;
}

// Multiplications and additions of a window: of all its rows, or of those that are new.
static double mflop(const emg_cnn_plan *plan, bool is_new_alone) {
  double sum = 0;

  for (int i = 0; i < EMG_CNN_LAYERS; i++) {
    const emg_cnn_stage *s = &plan->stages[i];
    int rows = emg_cnn_rows(plan, i + 1, 1);
    int hop = i + 1 < EMG_CNN_LAYERS ? plan->stages[i + 1].hop : 1;
    double n = (double)s->n_kernel * (is_new_alone && hop < rows ? hop : rows);
    sum += 2e-6 * n * (s->layer.is_per_unit ? plan->shape.n_units : 1);
  }
  return sum;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "mo";
  emg_cnn_shape shape = {.n_units = argc > 2 ? atoi(argv[2]) : 17,
                         .n_channels = argc > 3 ? atoi(argv[3]) : 64,
                         .window = argc > 4 ? atoi(argv[4]) : 120,
                         .step = argc > 5 ? atoi(argv[5]) : 20};
  emg_cnn_plan plan;
  emg_array2f logits;

  emg_init();
  emg_set_threads(1);
  for (int k = 0; emg_cnn_kind_name((emg_cnn_kind)k); k++) {
    shape.kind =
        strcmp(name, emg_cnn_kind_name((emg_cnn_kind)k)) == 0 ? (emg_cnn_kind)k : shape.kind;
  }
  check(emg_cnn_plan_create(&shape, &plan, NULL));
  emg_cnn net = network(&plan);
  emg_recording rec = noise(shape.n_channels, 500 * (int64_t)shape.step);
  double runs_ms = step_ms(&plan, &net, 1, EMG_CNN_BATCH / EMG_CNN_CHUNKS);
  double windows_ms = step_ms(&plan, &net, EMG_CNN_BATCH / EMG_CNN_CHUNKS, 1);
  double start = now_ms(CLOCK_PROCESS_CPUTIME_ID);
  check(emg_cnn_answer(&net, &rec, NULL, &logits, NULL));
  double answer_ms = (now_ms(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)logits.n_cols;
  stream_cost cost = stream(&net, &rec);
  double gflops = measured_gflops();
  printf(
      "{\"network\": \"%s\", \"units\": %d, \"channels\": %d, \"window\": %d, \"step\": %d, "
      "\"weights\": %lld, \"train_runs_ms\": %.1f, \"train_windows_ms\": %.1f, "
      "\"train_windows_floor_ms\": %.1f, \"answer_ms\": %.3f, \"stream_cpu_ms_mean\": %.3f, "
      "\"stream_cpu_ms_p99\": %.3f, \"stream_wall_ms_median\": %.3f, \"stream_wall_ms_p99\": %.3f, "
      "\"stream_floor_ms\": %.3f, \"window_floor_ms\": %.3f, \"product_gflops\": %.1f}\n",
      emg_cnn_kind_name(shape.kind), shape.n_units, shape.n_channels, shape.window, shape.step,
      (long long)plan.n_weights, runs_ms, windows_ms,
      EMG_CNN_BATCH * 3 * mflop(&plan, false) / gflops, answer_ms, cost.cpu_mean_ms,
      cost.cpu_p99_ms, cost.wall_median_ms, cost.wall_p99_ms, mflop(&plan, true) / gflops,
      mflop(&plan, false) / gflops, gflops);
  emg_array2f_free(&logits);
  emg_recording_free(&rec);
  emg_cnn_free(&net);
  return EXIT_SUCCESS;
}
