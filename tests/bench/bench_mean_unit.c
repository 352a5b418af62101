// bench_mean_unit.c -- what do mean units cost, and how near are they to the sum of their fibres?
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../mean_unit_fixture.h"

enum { UNITS = 60, EVALUATIONS = 2000, DERIVATIVES = 500, OVERSAMPLING = 4, FIBRES_MAX = 600 };

static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void stop_on(emg_status status, const emg_error *err) {
  if (status != EMG_OK) {
    fprintf(stderr, "%s\n", emg_error_message(err));
    exit(EXIT_FAILURE);
  }
}

// Evaluations a second of one thread, with and without derivatives.
static void time_model(const emg_mean_model *model, double per_s[2]) {
  static float out[ELECTRODES * SAMPLES], derivatives[EMG_UNIT_PARAMETERS * ELECTRODES * SAMPLES];
  emg_mean_scratch *scratch;
  emg_error err = {0};
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);

  stop_on(emg_mean_scratch_create(model, &scratch, &err), &err);
  double start = cpu_s();
  for (int i = 0; i < EVALUATIONS; i++) {
    emg_mean_unit unit = random_unit(&rng);
    stop_on(emg_mean_unit_potential(model, &unit, scratch, out, &err), &err);
  }
  per_s[0] = EVALUATIONS / (cpu_s() - start);
  start = cpu_s();
  for (int i = 0; i < DERIVATIVES; i++) {
    emg_mean_unit unit = random_unit(&rng);
    stop_on(emg_mean_unit_derivatives(model, &unit, scratch, out, derivatives, &err), &err);
  }
  per_s[1] = DERIVATIVES / (cpu_s() - start);
  emg_mean_scratch_free(scratch);
}

int main(void) {
  static mean_scene scene;
  emg_mean_model *model, *turned;
  emg_error err = {0};
  double straight[2], inclined[2];

  mean_scene_start(&scene);
  double start = cpu_s();
  stop_on(
      emg_mean_model_create(&scene.conductor, &scene.set, &rosenfalck, &scene.range, &model, &err),
      &err);
  double build_s = cpu_s() - start;
  emg_mean_model_facts facts = emg_mean_model_get_facts(model);
  time_model(model, straight);
  place_grid(&scene, 5 * M_PI / 180, 0);
  stop_on(emg_mean_model_move(model, &scene.set, &turned, &err), &err);
  time_model(turned, inclined);
  printf(
      "{\"build_cpu_s\": %.3f, \"table_mib\": %.1f, \"measured_error\": %.2e, \"n\": [%d, %d, %d, "
      "%d, %d], \"per_s\": %.0f, \"with_derivatives_per_s\": %.0f, \"inclined_per_s\": %.0f, "
      "\"inclined_with_derivatives_per_s\": %.0f}\n",
      build_s, facts.table_mib, facts.measured_error, facts.n_radii, facts.n_angles,
      facts.n_offsets, facts.n_orders, facts.n_wavenumbers, straight[0], straight[1], inclined[0],
      inclined[1]);
  emg_mean_model_free(turned);
  emg_mean_model_free(model);
  return 0;
}
