// simulated_units.h -- units of explicit fibres, their action potentials as a decomposer sees them,
// and a recording of them: what the inversion is tested on
#ifndef TESTS_SIMULATED_UNITS_H
#define TESTS_SIMULATED_UNITS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>
#include <emgtwin/engine.h>

#include "base/lin.h"
#include "inverse/inverse_priv.h"

enum {
  CASE_UNITS = 24,
  CASE_RATE_HZ = 2048,
  CASE_WINDOW = 96,
  CASE_ORIGIN = 24,
  CASE_SHIFT = 24,
  CASE_TAPS = 12,
  CASE_CHANNELS = 65,
  CASE_SAMPLES = 6 * CASE_RATE_HZ
};

typedef struct {
  emg_mean_unit truth;  // means over the fibres; spread and territory as drawn
  int n_fibres, n_spikes, spikes[256];
  float *potential;  // [window][channel]
} case_unit;

typedef struct {
  emg_config config;
  emg_filter filter;
  int channels[CASE_CHANNELS];
  emg_view_source seen;
  emg_subject subject;
  emg_engine *engine;
  emg_engine_scratch *scratch;
  case_unit units[CASE_UNITS];
  float *rows;  // [sample][channel]
  emg_metric metric;
} inverse_case;

static inline void case_stop_on(emg_status status, const emg_error *err) {
  if (status != EMG_OK) {
    fprintf(stderr, "%s\n", emg_error_message(err));
    exit(EXIT_FAILURE);
  }
}

// An arm under a grid of 13 x 5 discs.
static inline emg_config case_config(void) {
  static const char *const assignments[] = {
      "conductor.muscle_radius_mm=38", "conductor.fat_thickness_mm=3",
      "conductor.skin_thickness_mm=1", "electrodes.radius_mm=1.5",
      "muscle.half_length_1_mm=66",    "muscle.half_length_2_mm=66",
      "muscle.tendon_width_mm=10.4",   "invert.depth_max_mm=17"};
  emg_config config;
  emg_error err = {0};

  emg_config_defaults(&config);
  for (size_t i = 0; i < sizeof assignments / sizeof assignments[0]; i++) {
    case_stop_on(emg_config_set(&config, assignments[i], &err), &err);
  }
  return config;
}

static inline void case_see(inverse_case *c) {
  emg_error err = {0};

  c->filter = (emg_filter){0};
  case_stop_on(emg_filter_highpass(&c->filter, 2, 20, CASE_RATE_HZ, &err), &err);
  case_stop_on(emg_filter_lowpass(&c->filter, 2, 500, CASE_RATE_HZ, &err), &err);
  for (int i = 0; i < CASE_CHANNELS; i++) {
    c->channels[i] = i;
  }
  c->seen = (emg_view_source){.rate_hz = CASE_RATE_HZ,
                              .oversampling = 1,
                              .n_window = CASE_WINDOW,
                              .origin = CASE_ORIGIN,
                              .max_shift = CASE_SHIFT,
                              .filter = &c->filter,
                              .n_channels = CASE_CHANNELS,
                              .channel = c->channels};
}

static inline double case_limit(double value, double low, double high) {
  return fmin(fmax(value, low), high);
}

// Fibres of one unit, ten to the square millimetre, summed at the electrodes and seen.
static inline void case_draw_unit(inverse_case *c, int index, emg_rng *rng) {
  case_unit *unit = &c->units[index];
  const emg_subject *s = &c->subject;
  const double muscle_mm = 1e3 * emg_conductor_muscle_outer_m(&s->conductor);
  const double skin_mm = 1e3 * emg_conductor_skin_radius_m(&s->conductor);
  const ptrdiff_t size = (ptrdiff_t)s->electrodes.n_electrodes * s->view.n_potential;
  float *at_electrodes = calloc((size_t)size, sizeof *at_electrodes);
  float *room = calloc((size_t)s->electrodes.n_electrodes * CASE_WINDOW, sizeof *room);
  emg_error err = {0};
  double n = unit->n_fibres = (int)lround(20 * pow(30, (double)index / (CASE_UNITS - 1)));
  double territory_mm = sqrt(n / 10 / M_PI);
  double depth_mm = fmax(1 + 11 * emg_rng_uniform(rng), 0.9 * territory_mm + 0.2);
  double arc_mm = 40 * emg_rng_uniform(rng) - 20;
  double zone_mm = case_limit(8 * emg_rng_gaussian(rng), -20, 20);
  double cv = 3.5 + 0.9 * emg_rng_uniform(rng), spread_mm = 1 + 2 * emg_rng_uniform(rng);
  double tendon_1_mm = 66 + 3 * case_limit(emg_rng_gaussian(rng), -2, 2);
  double tendon_2_mm = -66 + 3 * case_limit(emg_rng_gaussian(rng), -2, 2);
  double sum[8] = {0};

  for (int i = 0; i < unit->n_fibres; i++) {
    double x, y, r;
    do {
      double angle = 2 * M_PI * emg_rng_uniform(rng);
      double away = territory_mm * sqrt(emg_rng_uniform(rng));
      x = muscle_mm - depth_mm + away * cos(angle);
      y = away * sin(angle);
      r = hypot(x, y);
    } while (r > muscle_mm - 0.06);
    double plate = zone_mm + spread_mm * case_limit(emg_rng_gaussian(rng), -2.5, 2.5);
    double end_1 = tendon_1_mm + 3 * case_limit(emg_rng_gaussian(rng), -2, 2);
    double end_2 = tendon_2_mm + 3 * case_limit(emg_rng_gaussian(rng), -2, 2);
    emg_fibre fibre = {
        .radius_m = 1e-3 * r,
        .theta_rad = arc_mm / skin_mm + atan2(y, x),
        .end_plate_m = 1e-3 * plate,
        .length_1_m = 1e-3 * (end_1 - plate),
        .length_2_m = 1e-3 * (plate - end_2),
        .cv_m_per_s = cv + 0.08 * emg_rng_gaussian(rng),
        .diameter_m = 1e-6 * c->config.muscle[0].fibre_diameter_um,
        .delay_s = (c->seen.potential_origin) / (double)CASE_RATE_HZ,
    };
    case_stop_on(emg_engine_add_fibre(c->engine, &fibre, c->scratch, at_electrodes, &err), &err);
    double of_fibre[] = {x, y, plate, fibre.cv_m_per_s, end_1, end_2, plate * plate};
    for (int k = 0; k < 7; k++) {
      sum[k] += of_fibre[k] / n;
    }
  }
  unit->truth = (emg_mean_unit){{muscle_mm - hypot(sum[0], sum[1]),
                                 arc_mm + atan2(sum[1], sum[0]) * skin_mm, sum[2], sum[3], sum[4],
                                 sum[5], territory_mm, sqrt(sum[6] - sum[2] * sum[2]), 0}};
  unit->potential = calloc((size_t)CASE_WINDOW * CASE_CHANNELS, sizeof *unit->potential);
  emg_view_apply(&s->view, 1, at_electrodes, 0, room, unit->potential);
  free(at_electrodes);
  free(room);
}

// Regular discharges at 8 to 20 Hz; filtered white noise 20 dB below.
static inline void case_record(inverse_case *c, double snr_db, emg_rng *rng) {
  const ptrdiff_t size = (ptrdiff_t)CASE_SAMPLES * CASE_CHANNELS;
  float *noise = calloc(CASE_SAMPLES, sizeof *noise);
  emg_error err = {0};
  double power = 0;

  c->rows = calloc((size_t)size, sizeof *c->rows);
  for (int u = 0; u < CASE_UNITS; u++) {
    case_unit *unit = &c->units[u];
    double mean = CASE_RATE_HZ / (8 + 12 * emg_rng_uniform(rng));
    double at = CASE_ORIGIN + mean * emg_rng_uniform(rng);
    while (at < CASE_SAMPLES - CASE_WINDOW && unit->n_spikes < 256) {
      int first = (int)at - CASE_ORIGIN;
      unit->spikes[unit->n_spikes++] = (int)at;
      for (int i = 0; i < CASE_WINDOW * CASE_CHANNELS; i++) {
        c->rows[(ptrdiff_t)first * CASE_CHANNELS + i] += unit->potential[i];
      }
      at += fmax(0.02 * CASE_RATE_HZ, mean * (1 + 0.15 * emg_rng_gaussian(rng)));
    }
  }
  for (ptrdiff_t i = 0; i < size; i++) {
    power += (double)c->rows[i] * c->rows[i] / (double)size;
  }
  double sd = sqrt(power * pow(10, -snr_db / 10));
  for (int channel = 0; channel < CASE_CHANNELS; channel++) {
    for (int i = 0; i < CASE_SAMPLES; i++) {
      noise[i] = (float)(sd * emg_rng_gaussian(rng));
    }
    case_stop_on(emg_filter_zero_phase(&c->filter, CASE_SAMPLES, noise, &err), &err);
    for (int i = 0; i < CASE_SAMPLES; i++) {
      c->rows[(ptrdiff_t)i * CASE_CHANNELS + channel] += noise[i];
    }
  }
  free(noise);
}

// Covariance of blocks of the recording.
static inline void case_measure(inverse_case *c) {
  enum { D = CASE_TAPS * CASE_CHANNELS, BLOCK = 512 };
  float *blocks = calloc((size_t)BLOCK * D, sizeof *blocks), *sum = calloc((size_t)D * D, 4);
  double *covariance = calloc((size_t)D * D, sizeof *covariance);
  emg_error err = {0};
  int n_all = 0;

  for (int at = 0; at + BLOCK + CASE_TAPS <= CASE_SAMPLES; at += BLOCK, n_all += BLOCK) {
    for (int i = 0; i < BLOCK; i++) {
      memcpy(blocks + (ptrdiff_t)i * D, c->rows + (ptrdiff_t)(at + i) * CASE_CHANNELS,
             D * sizeof *blocks);
    }
    emg_sgemm(1, 0, D, D, BLOCK, 1, blocks, D, blocks, D, 1, sum, D);
  }
  for (int i = 0; i < D * D; i++) {
    covariance[i] = sum[i] / n_all;
  }
  case_stop_on(emg_metric_create(CASE_TAPS, CASE_CHANNELS, covariance, &c->metric, &err), &err);
  free(blocks);
  free(sum);
  free(covariance);
}

static inline void case_create(inverse_case *c, uint64_t seed, double snr_db) {
  emg_rng rng = emg_rng_stream(seed, EMG_RNG_TEST, 0, 0);
  emg_error err = {0};

  *c = (inverse_case){.config = case_config()};
  emg_init();
  case_see(c);
  case_stop_on(emg_subject_create(&c->config, &c->seen, 0, &c->subject, &err), &err);
  c->seen.potential_origin = c->subject.potential_origin;
  double muscle_m = emg_conductor_muscle_outer_m(&c->subject.conductor);
  emg_engine_range range = {.source_min_m = muscle_m - 22e-3,
                            .source_max_m = muscle_m - 50e-6,
                            .z_min_m = -85e-3,
                            .z_max_m = 85e-3,
                            .rate_hz = CASE_RATE_HZ,
                            .n_samples = c->subject.view.n_potential,
                            .tolerance = 1e-3};
  case_stop_on(emg_engine_create(&c->subject.conductor, &c->subject.electrodes, &c->subject.source,
                                 &range, &c->engine, &err),
               &err);
  case_stop_on(emg_engine_scratch_create(c->engine, &c->scratch, &err), &err);
  for (int u = 0; u < CASE_UNITS; u++) {
    case_draw_unit(c, u, &rng);
  }
  case_record(c, snr_db, &rng);
  case_measure(c);
}

static inline void case_free(inverse_case *c) {
  for (int u = 0; u < CASE_UNITS; u++) {
    free(c->units[u].potential);
  }
  free(c->rows);
  emg_engine_scratch_free(c->scratch);
  emg_engine_free(c->engine);
  emg_subject_free(&c->subject);
  emg_metric_free(&c->metric);
}

static inline emg_fit_problem case_problem(const inverse_case *c) {
  return (emg_fit_problem){.model = c->subject.model,
                           .view = &c->subject.view,
                           .metric = &c->metric,
                           .expected = &c->subject.expected,
                           .template_error = c->config.invert.template_error};
}

// A unit's action potential with the noise of an average at n_spikes instants: windows of the
// recording at random.
static inline void case_estimate(const inverse_case *c, int unit, int n_spikes, emg_rng *rng,
                                 float *estimate) {
  const int size = CASE_WINDOW * CASE_CHANNELS;

  memcpy(estimate, c->units[unit].potential, (size_t)size * sizeof *estimate);
  for (int k = 0; k < n_spikes; k++) {
    int at = (int)emg_rng_below(rng, CASE_SAMPLES - CASE_WINDOW);
    const float *rows = c->rows + (ptrdiff_t)at * CASE_CHANNELS;
    for (int i = 0; i < size; i++) {
      estimate[i] += rows[i] / (float)n_spikes;
    }
  }
}

#endif
