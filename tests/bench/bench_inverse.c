// bench_inverse.c -- what do banks, fits and probes cost at 65 channels?
#include <sys/resource.h>

#include "tests/simulated_units.h"

enum { PROBES = 4096, SPIKES = 50, LARGEST = 12 };

static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// CPU seconds since the last call.
static double lap(double *last) {
  double now = cpu_s(), took = now - *last;
  *last = now;
  return took;
}

typedef struct {
  double searched_ms, refined_ms, step_ms;  // per fit, per fit, per step
} fit_cost;

static fit_cost time_fits(const inverse_case *c, const emg_fit_problem *problem,
                          const emg_bank *bank) {
  float *estimates = calloc((size_t)LARGEST * CASE_WINDOW * CASE_CHANNELS, sizeof *estimates);
  emg_fit fits[LARGEST];
  emg_fit_room *room;
  emg_error err = {0};
  int n_steps = 0;
  fit_cost cost;

  case_stop_on(emg_fit_room_create(problem, &room, &err), &err);
  for (int i = 0; i < LARGEST; i++) {
    emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, (uint32_t)i, 0);
    case_estimate(c, CASE_UNITS - LARGEST + i, SPIKES, &rng,
                  estimates + (ptrdiff_t)i * CASE_WINDOW * CASE_CHANNELS);
  }
  double last = cpu_s();
  for (int i = 0; i < LARGEST; i++) {
    const float *estimate = estimates + (ptrdiff_t)i * CASE_WINDOW * CASE_CHANNELS;
    case_stop_on(emg_fit_search(problem, bank, estimate, SPIKES, 4, 15, room, &fits[i], &err),
                 &err);
  }
  cost.searched_ms = 1e3 * lap(&last) / LARGEST;
  for (int i = 0; i < LARGEST; i++) {
    // as from a probe that is near
    fits[i].unit.value[EMG_UNIT_DEPTH] += 1.5;
    fits[i].unit.value[EMG_UNIT_ZONE] += 1.5;
    fits[i].unit.value[EMG_UNIT_CV] += 0.1;
    const float *estimate = estimates + (ptrdiff_t)i * CASE_WINDOW * CASE_CHANNELS;
    case_stop_on(emg_fit_refine(problem, estimate, SPIKES, 8, room, &fits[i], &err), &err);
    n_steps += fits[i].n_iterations;
  }
  cost.refined_ms = 1e3 * lap(&last) / LARGEST;
  cost.step_ms = n_steps > 0 ? cost.refined_ms * LARGEST / n_steps : 0;
  emg_fit_room_free(room);
  free(estimates);
  return cost;
}

int main(void) {
  static inverse_case c;
  emg_bank bank;
  emg_probes probes;
  emg_error err = {0};

  case_create(&c, 1, 20);
  const emg_fit_problem problem = case_problem(&c);
  emg_probe_search search = {.rows = c.rows,
                             .begin = CASE_TAPS,
                             .end = CASE_SAMPLES,
                             .ridge = c.config.invert.ridge,
                             .n_most = c.config.invert.probes_kept,
                             .cosine_max = c.config.invert.probe_cosine};
  double last = cpu_s();
  case_stop_on(emg_bank_create(&problem, PROBES, NULL, &bank, &err), &err);
  double bank_s = lap(&last);
  case_stop_on(emg_probes_create(&bank, &c.metric, &search, NULL, &probes, &err), &err);
  double probe_s = lap(&last);
  fit_cost fits = time_fits(&c, &problem, &bank);
  // sources of all probes, from components that are made once
  double gflop = 2e-9 * CASE_SAMPLES * c.metric.rank * (PROBES + c.metric.n_dimensions);

  printf(
      "{\"bench\": \"inverse\", \"channels\": %d, \"dimensions\": %d, \"rank\": %d, \"probes\": "
      "%d, "
      "\"bank_cpu_s\": %.2f, \"recording_s\": %d, \"probing_cpu_s\": %.2f, "
      "\"probing_floor_gflop\": %.0f, \"fit_from_bank_cpu_ms\": %.1f, "
      "\"fit_from_probe_cpu_ms\": %.1f, \"step_cpu_ms\": %.2f}\n",
      CASE_CHANNELS, c.metric.n_dimensions, c.metric.rank, PROBES, bank_s,
      CASE_SAMPLES / CASE_RATE_HZ, probe_s, gflop, fits.searched_ms, fits.refined_ms, fits.step_ms);
  emg_probes_free(&probes);
  emg_bank_free(&bank);
  case_free(&c);
  return EXIT_SUCCESS;
}
