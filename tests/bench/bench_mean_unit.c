// bench_mean_unit.c -- what do mean units cost, and how near are they to the sum of their fibres?
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../mean_unit_fixture.h"

enum { UNITS = 60, EVALUATIONS = 2000, DERIVATIVES = 500, FIBRES_MAX = 600 };
// of the fibres of a unit, in m/s
#define CV_SPREAD 0.08

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

// --- Against explicit fibres ---------------------------------------------------------------------

// Fibres of unit u of 60, 20 to 600 of them at 10 per mm2, those outside the muscle left out;
// `unit` becomes the means of what was drawn.
static int draw_fibres(int u, const mean_scene *scene, emg_mean_unit *unit, emg_fibre *fibres) {
  emg_rng rng = emg_rng_stream(11, EMG_RNG_TEST, (uint32_t)u, 0);
  const int n = (int)lround(20 * pow(30, u / (UNITS - 1.0)));
  const double territory = sqrt(n / 10.0 / M_PI);
  double sum[8] = {0}, *value = unit->value;
  int count = 0;

  *unit = random_unit(&rng);
  value[EMG_UNIT_TERRITORY] = territory;
  value[EMG_UNIT_DEPTH] = fmax(between(&rng, 1, 15), 0.9 * territory + 0.2);
  value[EMG_UNIT_LATENCY] = 0;
  const double theta = value[EMG_UNIT_ARC] / SKIN_MM;
  for (int i = 0; i < n; i++) {
    double r = territory * sqrt(emg_rng_uniform(&rng)), angle = between(&rng, 0, 2 * M_PI);
    double x = MUSCLE_MM - value[EMG_UNIT_DEPTH] + r * cos(angle), y = r * sin(angle);
    if (hypot(x, y) > MUSCLE_MM - 0.05) {
      continue;
    }
    double zone = value[EMG_UNIT_ZONE] + value[EMG_UNIT_ZONE_SPREAD] * emg_rng_gaussian(&rng);
    double end_1 =
        value[EMG_UNIT_TENDON_1] + scene->range.tendon_spread_mm * emg_rng_gaussian(&rng);
    double end_2 =
        value[EMG_UNIT_TENDON_2] + scene->range.tendon_spread_mm * emg_rng_gaussian(&rng);
    double cv = value[EMG_UNIT_CV] + CV_SPREAD * emg_rng_gaussian(&rng);
    fibres[count++] = (emg_fibre){.radius_m = 1e-3 * hypot(x, y),
                                  .theta_rad = theta + atan2(y, x),
                                  .end_plate_m = 1e-3 * zone,
                                  .length_1_m = 1e-3 * (end_1 - zone),
                                  .length_2_m = 1e-3 * (zone - end_2),
                                  .cv_m_per_s = cv,
                                  .diameter_m = 55e-6,
                                  .delay_s = scene->range.origin / RATE_HZ};
    const double drawn[8] = {x, y, zone, zone * zone, end_1, end_2, cv, 1};
    for (int k = 0; k < 8; k++) {
      sum[k] += drawn[k];
    }
  }
  for (int k = 0; k < 7; k++) {
    sum[k] /= count;
  }
  value[EMG_UNIT_DEPTH] = MUSCLE_MM - hypot(sum[0], sum[1]);
  value[EMG_UNIT_ARC] += SKIN_MM * atan2(sum[1], sum[0]);
  value[EMG_UNIT_ZONE] = sum[2];
  value[EMG_UNIT_ZONE_SPREAD] = sqrt(fmax(sum[3] - sum[2] * sum[2], 0));
  value[EMG_UNIT_TENDON_1] = sum[4];
  value[EMG_UNIT_TENDON_2] = sum[5];
  value[EMG_UNIT_CV] = sum[6];
  return count;
}

static int compare_numbers(const void *a, const void *b) {
  const double *p = a, *q = b;
  return *p < *q ? -1 : *p > *q;
}

// 10th, 50th and 90th percentile.
static void percentiles(int n, double *values, double out[3]) {
  qsort(values, (size_t)n, sizeof *values, compare_numbers);
  for (int i = 0; i < 3; i++) {
    out[i] = values[(int)lround((n - 1) * (0.1 + 0.4 * i))];
  }
}

// Relative error and cosine of every unit beside the sum of its fibres at the same rate.
static void compare_fibres(const mean_scene *scene, const emg_mean_model *model, double error[3],
                           double cosine[3]) {
  static float mean[ELECTRODES * SAMPLES], full[ELECTRODES * SAMPLES];
  static emg_fibre fibres[FIBRES_MAX];
  const emg_engine_range range = {.source_min_m = 5e-3,
                                  .source_max_m = 1e-3 * MUSCLE_MM,
                                  .z_min_m = -90e-3,
                                  .z_max_m = 90e-3,
                                  .rate_hz = RATE_HZ,
                                  .n_samples = SAMPLES,
                                  .tolerance = 1e-3};
  double errors[UNITS], cosines[UNITS];
  emg_engine *engine;
  emg_engine_scratch *fast;
  emg_mean_scratch *scratch;
  emg_error err = {0};

  stop_on(emg_engine_create(&scene->conductor, &scene->set, &rosenfalck, &range, &engine, &err),
          &err);
  stop_on(emg_engine_scratch_create(engine, &fast, &err), &err);
  stop_on(emg_mean_scratch_create(model, &scratch, &err), &err);
  for (int u = 0; u < UNITS; u++) {
    emg_mean_unit unit;
    int n = draw_fibres(u, scene, &unit, fibres);
    memset(full, 0, sizeof full);
    for (int i = 0; i < n; i++) {
      stop_on(emg_engine_add_fibre(engine, &fibres[i], fast, full, &err), &err);
    }
    stop_on(emg_mean_unit_potential(model, &unit, scratch, mean, &err), &err);
    double both = 0, of_mean = 0, of_full = 0, difference = 0;
    for (int i = 0; i < ELECTRODES * SAMPLES; i++) {
      double m = n * (double)mean[i], f = (double)full[i];
      both += m * f;
      of_mean += m * m;
      of_full += f * f;
      difference += (m - f) * (m - f);
    }
    errors[u] = sqrt(difference / of_full);
    cosines[u] = both / sqrt(of_mean * of_full);
  }
  percentiles(UNITS, errors, error);
  percentiles(UNITS, cosines, cosine);
  emg_mean_scratch_free(scratch);
  emg_engine_scratch_free(fast);
  emg_engine_free(engine);
}

int main(void) {
  static mean_scene scene;
  emg_mean_model *model, *turned;
  emg_error err = {0};
  double straight[2], inclined[2], error[3], cosine[3];

  mean_scene_start(&scene);
  double start = cpu_s();
  stop_on(
      emg_mean_model_create(&scene.conductor, &scene.set, &rosenfalck, &scene.range, &model, &err),
      &err);
  double build_s = cpu_s() - start;
  emg_mean_model_facts facts = emg_mean_model_get_facts(model);
  time_model(model, straight);
  compare_fibres(&scene, model, error, cosine);
  place_grid(&scene, 5 * M_PI / 180, 0);
  stop_on(emg_mean_model_move(model, &scene.set, &turned, &err), &err);
  time_model(turned, inclined);
  printf(
      "{\"build_cpu_s\": %.3f, \"table_mib\": %.1f, \"measured_error\": %.2e, \"radii\": %d, "
      "\"angles\": %d, \"offsets\": %d, \"orders\": %d, \"wavenumbers\": %d, \"per_s\": %.0f, "
      "\"with_derivatives_per_s\": %.0f, \"inclined_per_s\": %.0f, "
      "\"inclined_with_derivatives_per_s\": %.0f, ",
      build_s, facts.table_mib, facts.measured_error, facts.n_radii, facts.n_angles,
      facts.n_offsets, facts.n_orders, facts.n_wavenumbers, straight[0], straight[1], inclined[0],
      inclined[1]);
  // 10th, 50th and 90th percentile over the units
  printf("\"fibres_error\": [%.3f, %.3f, %.3f], \"fibres_cosine\": [%.4f, %.4f, %.4f]}\n", error[0],
         error[1], error[2], cosine[0], cosine[1], cosine[2]);
  emg_mean_model_free(turned);
  emg_mean_model_free(model);
  return 0;
}
