// law_inverse.c -- units of explicit fibres, found again by a model that knows only their means
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <omp.h>

#include "tests/simulated_units.h"

enum { SIZE = CASE_WINDOW * CASE_CHANNELS, PROBES = 768, SPIKES = 50, ARMS = 2, SMALLEST = 8 };
// of the phantom test
#define COSINE_MIN 0.88

// Two sets of units, with what is made to fit them.
static struct {
  inverse_case truth;
  emg_fit_problem problem;
  emg_bank bank;
  emg_fit_room *room;
} arms[ARMS];

static int set_up(void **state) {
  emg_error err = {0};

  (void)state;
  for (int a = 0; a < ARMS; a++) {
    case_create(&arms[a].truth, 1 + (uint64_t)a, 20);
    arms[a].problem = case_problem(&arms[a].truth);
    case_stop_on(emg_bank_create(&arms[a].problem, PROBES, NULL, &arms[a].bank, &err), &err);
    case_stop_on(emg_fit_room_create(&arms[a].problem, &arms[a].room, &err), &err);
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  for (int a = 0; a < ARMS; a++) {
    emg_fit_room_free(arms[a].room);
    emg_bank_free(&arms[a].bank);
    case_free(&arms[a].truth);
  }
  return 0;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(int n, double *values) {
  qsort(values, (size_t)n, sizeof *values, ascending);
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// One fit from noise and bank alone, with its template.
typedef struct {
  emg_fit fit;
  emg_template template;
  float estimate[SIZE], model[SIZE], filter[CASE_TAPS * CASE_CHANNELS];
} trial;

static void fit_estimate(int arm, int n_spikes, trial *t) {
  const emg_fit_problem *problem = &arms[arm].problem;
  emg_fit_room *room = arms[arm].room;
  emg_error err = {0};

  case_stop_on(
      emg_fit_search(problem, &arms[arm].bank, t->estimate, n_spikes, 4, 15, room, &t->fit, &err),
      &err);
  case_stop_on(emg_fit_potential(problem, &t->fit, room, t->model, &err), &err);
  case_stop_on(emg_template_create(problem->metric, CASE_WINDOW, CASE_ORIGIN, t->estimate, t->model,
                                   n_spikes, t->filter, &t->template, &err),
               &err);
}

static void fit_unit(int arm, int unit, int n_spikes, trial *t) {
  emg_rng rng = emg_rng_stream(7, EMG_RNG_TEST, (uint32_t)unit, (uint32_t)(10 * n_spikes + arm));

  case_estimate(&arms[arm].truth, unit, n_spikes, &rng, t->estimate);
  fit_estimate(arm, n_spikes, t);
}

// What an average of 50 spikes at 20 dB allows, with the signals of all other units in it.
static void averages_of_few_spikes_give_place_velocity_and_size(void **state) {
  (void)state;
  static const struct {
    emg_unit_parameter parameter;
    const char *name;
    double target;
  } looked_at[] = {{EMG_UNIT_DEPTH, "depth", 0.3},
                   {EMG_UNIT_ARC, "arc", 0.2},
                   {EMG_UNIT_ZONE, "zone", 0.2},
                   {EMG_UNIT_CV, "cv", 0.02}};
  enum { N = sizeof looked_at / sizeof looked_at[0], MOST = CASE_UNITS * ARMS };
  double errors[N][MOST], size_errors[MOST];
  int n = 0, n_covered[N] = {0};
  trial t;

  for (int i = 0; i < ARMS * (CASE_UNITS - SMALLEST); i++) {
    int arm = i % ARMS, unit = SMALLEST + i / ARMS;
    const case_unit *u = &arms[arm].truth.units[unit];
    fit_unit(arm, unit, SPIKES, &t);
    if (t.template.cosine < COSINE_MIN) {
      continue;
    }
    for (int k = 0; k < N; k++) {
      emg_unit_parameter p = looked_at[k].parameter;
      errors[k][n] = fabs(t.fit.unit.value[p] - u->truth.value[p]);
      n_covered[k] += errors[k][n] <= 1.645 * emg_fit_sd(arms[arm].problem.expected, &t.fit, p);
    }
    size_errors[n++] = fabs(t.fit.amplitude / u->n_fibres - 1);
  }
  print_message("%d averages pass the phantom test\n", n);
  assert_true(n >= 12);
  for (int k = 0; k < N; k++) {
    double middle = median(n, errors[k]);
    print_message("%s: median error %.3f, 90 %% intervals cover %.2f\n", looked_at[k].name, middle,
                  (double)n_covered[k] / n);
    assert_true(middle <= looked_at[k].target);
    // of some 17, this many and more with a probability of 0.99
    assert_true(n_covered[k] >= 0.65 * n);
  }
  double size = median(n, size_errors);
  print_message("fibres: median error %.1f %%\n", 100 * size);
  assert_true(size <= 0.1);
}

static void the_fit_is_a_minimum_of_its_cost(void **state) {
  (void)state;
  trial t;
  emg_error err = {0};

  const emg_fit_problem *problem = &arms[0].problem;
  emg_fit_room *room = arms[0].room;

  fit_unit(0, CASE_UNITS - 1, SPIKES, &t);
  case_stop_on(emg_fit_refine(problem, t.estimate, SPIKES, 60, room, &t.fit, &err), &err);
  for (int p = 0; p < EMG_UNIT_PARAMETERS; p++) {
    double sd = sqrt(t.fit.covariance[p][p]), value = t.fit.unit.value[p];
    for (int side = -1; side <= 1; side += 2) {
      emg_fit beside = t.fit;
      beside.unit.value[p] += side * sd;
      if (value > problem->expected->min[p] + sd && value < problem->expected->max[p] - sd) {
        case_stop_on(emg_fit_refine(problem, t.estimate, SPIKES, 0, room, &beside, &err), &err);
        // with the others held, a standard deviation away costs at least 1; the surface is not
        // quite a parabola
        assert_true(beside.cost > t.fit.cost + 0.5);
      }
    }
  }
}

static void an_average_at_random_instants_looks_like_no_unit(void **state) {
  (void)state;
  trial t;

  for (int draw = 0; draw < 5; draw++) {
    emg_rng rng = emg_rng_stream(8, EMG_RNG_TEST, 0, (uint32_t)draw);
    case_estimate(&arms[0].truth, 0, SPIKES, &rng, t.estimate);
    for (int i = 0; i < SIZE; i++) {
      t.estimate[i] -= arms[0].truth.units[0].potential[i];
    }
    fit_estimate(0, SPIKES, &t);
    assert_true(t.template.cosine < COSINE_MIN);
  }
}

// Whitened block of an action potential.
static void whiten(const float *potential, int delay, double *out) {
  const emg_metric *m = &arms[0].truth.metric;
  float block[CASE_TAPS * CASE_CHANNELS];

  emg_metric_block(m, CASE_WINDOW, CASE_ORIGIN + delay, potential, block);
  for (int k = 0; k < m->rank; k++) {
    out[k] = 0;
    for (int i = 0; i < m->n_dimensions; i++) {
      out[k] += (double)m->vectors[(ptrdiff_t)k * m->n_dimensions + i] * block[i];
    }
    out[k] /= sqrt(m->values[k]);
  }
}

// Squared errors of estimate, model and mixture, in variances of the estimate, over few and many
// spikes: the mixture has the least in sum.
static void shrinking_beats_both_ends(void **state) {
  (void)state;
  static const int n_spikes[] = {20, 1000};
  enum { D = CASE_TAPS * CASE_CHANNELS };
  double of_estimate = 0, of_model = 0, of_mixture = 0;
  double w_true[D], w_estimate[D], w_model[D];
  trial t;

  for (int unit = CASE_UNITS / 2; unit < CASE_UNITS; unit += 2) {
    for (int s = 0; s < 2; s++) {
      fit_unit(0, unit, n_spikes[s], &t);
      whiten(arms[0].truth.units[unit].potential, t.template.delay, w_true);
      whiten(t.estimate, t.template.delay, w_estimate);
      whiten(t.model, t.template.delay, w_model);
      for (int k = 0; k < arms[0].truth.metric.rank; k++) {
        double mixture = w_model[k] + t.template.weight * (w_estimate[k] - w_model[k]);
        double scale = (double)n_spikes[s] / arms[0].truth.metric.rank;
        of_estimate += scale * (w_estimate[k] - w_true[k]) * (w_estimate[k] - w_true[k]);
        of_model += scale * (w_model[k] - w_true[k]) * (w_model[k] - w_true[k]);
        of_mixture += scale * (mixture - w_true[k]) * (mixture - w_true[k]);
      }
    }
  }
  print_message("squared errors: estimate %.1f, model %.1f, shrunk %.1f\n", of_estimate, of_model,
                of_mixture);
  assert_true(of_mixture < of_estimate && of_mixture < of_model);
}

static emg_probes probe(int n_threads, int n_units, int64_t end, emg_bank *own) {
  int before = omp_get_max_threads();
  emg_probe_search search = {.rows = arms[0].truth.rows,
                             .begin = CASE_TAPS,
                             .end = end,
                             .ridge = arms[0].truth.config.invert.ridge,
                             .n_most = 60,
                             .cosine_max = arms[0].truth.config.invert.probe_cosine};
  emg_probes probes;
  emg_error err = {0};

  omp_set_num_threads(n_threads);
  case_stop_on(emg_bank_create(&arms[0].problem, n_units, NULL, own, &err), &err);
  case_stop_on(emg_probes_create(own, &arms[0].truth.metric, &search, NULL, &probes, &err), &err);
  omp_set_num_threads(before);
  return probes;
}

// Cosine of a filter, as a whitened vector, with the whitened block of a unit.
static double likeness(const float *filter, int unit, int delay) {
  enum { D = CASE_TAPS * CASE_CHANNELS };
  float block[D];
  double white[D], length2 = 0, along = 0;

  emg_metric_block(&arms[0].truth.metric, CASE_WINDOW, CASE_ORIGIN + delay,
                   arms[0].truth.units[unit].potential, block);
  whiten(arms[0].truth.units[unit].potential, delay, white);
  for (int i = 0; i < D; i++) {
    along += (double)filter[i] * block[i];
  }
  for (int k = 0; k < arms[0].truth.metric.rank; k++) {
    length2 += white[k] * white[k];
  }
  return along / sqrt(length2);
}

static void the_most_skewed_probes_are_near_true_units(void **state) {
  (void)state;
  emg_bank own;
  emg_probes probes = probe(2, PROBES, CASE_SAMPLES, &own);
  bool is_met[CASE_UNITS] = {false};
  int n_met = 0;

  assert_int_equal(probes.n, 60);
  for (int i = 0; i < probes.n; i++) {
    assert_true(i == 0 || probes.items[i].moments.skewness <= probes.items[i - 1].moments.skewness);
    // filters have unit length, so sources have variance 1 on what the covariance was taken from:
    // nearly all of the recording
    assert_float_equal(probes.items[i].moments.variance, 1, 0.1);
    for (int unit = 0; unit < CASE_UNITS; unit++) {
      const float *filter = probes.filters + (ptrdiff_t)i * probes.n_dimensions;
      bool is_near = likeness(filter, unit, probes.items[i].delay) > 0.7;
      n_met += is_near && !is_met[unit];
      is_met[unit] |= is_near;
    }
  }
  print_message("%d of %d units are met by a probe\n", n_met, CASE_UNITS);
  assert_true(n_met >= 10);
  emg_probes_free(&probes);
  emg_bank_free(&own);
}

static void threads_change_no_bit(void **state) {
  (void)state;
  enum { FEW = 200 };
  emg_bank of_one, of_three;
  emg_probes one = probe(1, FEW, CASE_SAMPLES / 4, &of_one);
  emg_probes three = probe(3, FEW, CASE_SAMPLES / 4, &of_three);

  assert_memory_equal(of_one.potentials, of_three.potentials, (size_t)FEW * SIZE * sizeof(float));
  assert_int_equal(one.n, three.n);
  assert_memory_equal(one.filters, three.filters,
                      (size_t)one.n * (size_t)one.n_dimensions * sizeof(float));
  for (int i = 0; i < one.n; i++) {
    assert_int_equal(one.items[i].unit, three.items[i].unit);
    assert_true(one.items[i].moments.skewness == three.items[i].moments.skewness);
  }
  emg_probes_free(&one);
  emg_probes_free(&three);
  emg_bank_free(&of_one);
  emg_bank_free(&of_three);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(averages_of_few_spikes_give_place_velocity_and_size),
      cmocka_unit_test(the_fit_is_a_minimum_of_its_cost),
      cmocka_unit_test(an_average_at_random_instants_looks_like_no_unit),
      cmocka_unit_test(shrinking_beats_both_ends),
      cmocka_unit_test(the_most_skewed_probes_are_near_true_units),
      cmocka_unit_test(threads_change_no_bit),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
