// bench_fibres.c -- what do all fibres of the muscle of Wen et al. 2021 cost, and how exact are
// they?
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

enum { FIBRES = 125664, UNITS = 150, ROWS = 13, COLUMNS = 5, SAMPLED = 24 };
#define MUSCLE_M 10e-3
#define SKIN_M 15e-3
#define PITCH_M 8e-3
#define RATE_HZ 2048.0
#define OVERSAMPLING 2
#define TOLERANCE 1e-3
// of the processor the floor is stated for; two fused multiply-adds of 8 floats start per cycle
#define CLOCK_GHZ 3.0

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

// 13 x 5 discs of 1 mm radius, 8 mm apart, on the skin over angle 0.
static void make_electrodes(emg_model *model) {
  emg_electrode_set *set = &model->electrodes;

  *set = (emg_electrode_set){.n_electrodes = ROWS * COLUMNS,
                             .electrodes = calloc(ROWS * COLUMNS, sizeof(emg_electrode)),
                             .detection = {.shape = EMG_SHAPE_DISC, .radius_m = 1e-3},
                             .skin_radius_m = SKIN_M,
                             .pitch_m = PITCH_M};
  model->montage.channels = calloc(ROWS * COLUMNS, sizeof(emg_channel));
  emg_error err = {0};
  stop_on(emg_array2d_create(ROWS * COLUMNS, ROWS * COLUMNS, &model->montage.weights, &err), &err);
  for (int i = 0; i < ROWS * COLUMNS; i++) {
    int row = i / COLUMNS, column = i % COLUMNS;
    set->electrodes[i] = (emg_electrode){SKIN_M, (column - COLUMNS / 2) * PITCH_M / SKIN_M,
                                         (row - ROWS / 2) * PITCH_M, row, column};
    emg_row2d(&model->montage.weights, i)[i] = 1;
  }
}

// Fibres evenly over the cross-section; units of 52 to 3191 fibres, in circular territories.
static void make_fibres(emg_model *model) {
  model->n_units = UNITS;
  model->n_fibres = FIBRES;
  model->units = calloc(UNITS, sizeof *model->units);
  model->fibres = calloc(FIBRES, sizeof *model->fibres);
  double total = 0, share = 0;
  for (int u = 0; u < UNITS; u++) {
    total += exp(log(3191.0 / 52) * u / (UNITS - 1));
  }
  for (int u = 0, begin = 0; u < UNITS; u++) {
    share += exp(log(3191.0 / 52) * u / (UNITS - 1)) / total;
    int end = u == UNITS - 1 ? FIBRES : (int)(share * FIBRES);
    model->units[u] = (emg_motor_unit){.fibre_begin = begin, .fibre_count = end - begin};
    emg_rng unit = emg_rng_stream(1, EMG_RNG_TERRITORY, (uint32_t)u, 0);
    double centre = MUSCLE_M * sqrt(emg_rng_uniform(&unit)),
           extent = sqrt((end - begin) / 20 / M_PI);
    double angle = 2 * M_PI * emg_rng_uniform(&unit), cv = 3.8 + 0.5 * emg_rng_gaussian(&unit);
    for (int i = begin; i < end; i++) {
      emg_rng rng = emg_rng_stream(1, EMG_RNG_FIBRE_PROPERTIES, (uint32_t)i, 0);
      double x, y;
      do {
        x = centre * cos(angle) + 1e-3 * extent * (2 * emg_rng_uniform(&rng) - 1);
        y = centre * sin(angle) + 1e-3 * extent * (2 * emg_rng_uniform(&rng) - 1);
      } while (hypot(x, y) > MUSCLE_M - 27.5e-6);
      double end_plate = 10e-3 * (emg_rng_uniform(&rng) - 0.5);
      model->fibres[i] =
          (emg_fibre){.radius_m = hypot(x, y),
                      .theta_rad = atan2(y, x),
                      .end_plate_m = end_plate,
                      .length_1_m = 100e-3 + 10e-3 * (emg_rng_uniform(&rng) - 0.5) - end_plate,
                      .length_2_m = 100e-3 + 10e-3 * (emg_rng_uniform(&rng) - 0.5) + end_plate,
                      .cv_m_per_s = fmax(2.5, cv + 0.1 * emg_rng_gaussian(&rng)),
                      .diameter_m = 55e-6};
    }
    begin = end;
  }
}

static void make_model(emg_model *model) {
  memset(model, 0, sizeof *model);
  emg_config_defaults(&model->config);
  model->config.simulation.sampling_rate_hz = RATE_HZ;
  model->config.simulation.oversampling = OVERSAMPLING;
  model->config.simulation.tolerance = TOLERANCE;
  model->conductor = (emg_conductor){
      3, {MUSCLE_M, MUSCLE_M + 4e-3, SKIN_M}, {0.1, 0.05, 1.0}, {0.5, 0.05, 1.0}, 0};
  model->source = (emg_action_potential){96e-3, 1e-3, 1.01};
  model->n_muscles = 1;
  make_electrodes(model);
  make_fibres(model);
}

// Largest error over random fibres and all electrodes, of each electrode's peak.
static double sampled_error(const emg_model *model, const emg_engine *engine, int n_samples) {
  const int n = ROWS * COLUMNS, size = n * n_samples;
  double theta[ROWS * COLUMNS], z[ROWS * COLUMNS], worst = 0;
  float *fast = calloc((size_t)size, sizeof *fast);
  double *exact = calloc((size_t)size, sizeof *exact);
  emg_engine_scratch *scratch;
  emg_error err = {0};

  stop_on(emg_engine_scratch_create(engine, &scratch, &err), &err);
  for (int e = 0; e < n; e++) {
    theta[e] = model->electrodes.electrodes[e].theta_rad;
    z[e] = model->electrodes.electrodes[e].z_m;
  }
  emg_rng rng = emg_rng_stream(3, EMG_RNG_ACCURACY_CHECK, 0, 0);
  for (int i = 0; i < SAMPLED; i++) {
    const emg_fibre *fibre = &model->fibres[emg_rng_below(&rng, FIBRES)];
    memset(fast, 0, (size_t)size * sizeof *fast);
    stop_on(emg_engine_add_fibre(engine, fibre, scratch, fast, &err), &err);
    stop_on(emg_fibre_potential_exact(&model->conductor, &model->electrodes.detection,
                                      &model->source, fibre, SKIN_M, n, theta, z,
                                      OVERSAMPLING * RATE_HZ, n_samples, 1e-6, exact, &err),
            &err);
    for (int e = 0; e < n; e++) {
      double peak = 0, error = 0;
      for (int t = e * n_samples; t < (e + 1) * n_samples; t++) {
        peak = fmax(peak, fabs(1e6 * exact[t]));
        error = fmax(error, fabs(1e6 * exact[t] - (double)fast[t]));
      }
      worst = fmax(worst, error / peak);
    }
  }
  emg_engine_scratch_free(scratch);
  free(fast);
  free(exact);
  return worst;
}

static double one_by_one_s(const emg_model *model, const emg_engine *engine, int n_samples) {
  float *out = calloc((size_t)(ROWS * COLUMNS * n_samples), sizeof *out);
  emg_engine_scratch *scratch;
  emg_error err = {0};

  stop_on(emg_engine_scratch_create(engine, &scratch, &err), &err);
  double start = cpu_s();
  for (int i = 0; i < FIBRES; i++) {
    stop_on(emg_engine_add_fibre(engine, &model->fibres[i], scratch, out, &err), &err);
  }
  double taken_s = cpu_s() - start;
  emg_engine_scratch_free(scratch);
  free(out);
  return taken_s;
}

static void free_model(emg_model *model) {
  free(model->electrodes.electrodes);
  free(model->montage.channels);
  emg_array2d_free(&model->montage.weights);
  free(model->units);
  free(model->fibres);
}

// What the work per fibre amounts to at least, from the sizes of the tables: multiply-adds in
// vectors of 8 floats, of which this processor starts two per cycle, and bytes read from tables.
typedef struct {
  double vector_fmas, table_bytes;
} floor_cost;

static floor_cost count_floor(const emg_model *model) {
  floor_cost sum = {0};
  for (int i = 0; i < FIBRES; i++) {
    const emg_fibre *f = &model->fibres[i];
    // steps grow with the distance from the skin, in bands: 0.57 mm beside the boundary
    double step_m =
        PITCH_M / ceil(PITCH_M / (0.11 * (4e-3 + 1e-3 + 2.24 * (MUSCLE_M - f->radius_m))));
    double line = (f->length_1_m + f->length_2_m) / 2 + (ROWS - 1) * PITCH_M;
    double vectors = COLUMNS * line / step_m / 8;
    double travel = (f->length_1_m + f->length_2_m) / f->cv_m_per_s * OVERSAMPLING * RATE_HZ;
    double tails = 4 * 18e-3 / f->cv_m_per_s * OVERSAMPLING * RATE_HZ;
    // 16 lines of two functions, 4 taps and 4 terms of a transient per electrode and sample
    sum.table_bytes += 2 * 16 * vectors * 32;
    sum.vector_fmas += 2 * 16 * vectors + (travel + tails) * 4 * ROWS * COLUMNS / 8;
  }
  return (floor_cost){sum.vector_fmas / FIBRES, sum.table_bytes / FIBRES};
}

int main(void) {
  static emg_model model;
  emg_engine *engine;
  emg_muap_bank bank;
  emg_error err = {0};
  const emg_change_state rest = {0, 1, 0};
  make_model(&model);
  emg_init();

  // the whole bank: tables, fibres, decimation
  double start = cpu_s(), wall = omp_get_wtime();
  stop_on(emg_muaps_create(&model, &rest, NULL, &bank, &err), &err);
  double bank_s = cpu_s() - start, bank_wall_s = omp_get_wtime() - wall;

  // tables alone, then every fibre through the public call
  const emg_engine_range range = {.source_max_m = MUSCLE_M - 27.5e-6,
                                  .z_min_m = -105e-3,
                                  .z_max_m = 105e-3,
                                  .rate_hz = OVERSAMPLING * RATE_HZ,
                                  .n_samples = 256,
                                  .tolerance = TOLERANCE};
  start = cpu_s();
  stop_on(
      emg_engine_create(&model.conductor, &model.electrodes, &model.source, &range, &engine, &err),
      &err);
  double tables_s = cpu_s() - start;
  emg_engine_facts facts = emg_engine_get_facts(engine);
  double single_s = one_by_one_s(&model, engine, range.n_samples);
  double error = sampled_error(&model, engine, range.n_samples);

  floor_cost least = count_floor(&model);
  double per_fibre_us = 1e6 * (bank_s - tables_s) / FIBRES;
  double floor_us = least.vector_fmas / 2 / (1e3 * CLOCK_GHZ);
  printf(
      "{\"fibres\": %d, \"electrodes\": %d, \"rate_hz\": %g, \"threads\": %d, "
      "\"cpu_s\": %.2f, \"wall_s\": %.2f, \"tables_cpu_s\": %.2f, \"us_per_fibre\": %.2f, "
      "\"one_by_one_cpu_s\": %.2f, \"error\": %.2e, \"measured_error\": %.2e, "
      "\"table_mib\": %.1f, \"floor_vector_fmas\": %.0f, \"floor_table_kb\": %.0f, "
      "\"floor_us\": %.2f, \"floor_fraction\": %.2f}\n",
      FIBRES, ROWS * COLUMNS, OVERSAMPLING * RATE_HZ, omp_get_max_threads(), bank_s, bank_wall_s,
      tables_s, per_fibre_us, single_s, error, facts.measured_error, facts.table_mib,
      least.vector_fmas, least.table_bytes / 1e3, floor_us, floor_us / per_fibre_us);
  emg_engine_free(engine);
  emg_muap_bank_free(&bank);
  free_model(&model);
  return 0;
}
