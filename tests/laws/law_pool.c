// law_pool.c -- what may change a subject or its discharges, and what may not
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model_fixture.h"

// A subject and one run of its neurons.
typedef struct {
  emg_model model;
  emg_array2f excitation, force;
  emg_spikes spikes;
} run;

static run run_config(const emg_config *config) {
  run r = {.model = fixture_create(config)};

  assert_int_equal(emg_drive_create(&r.model, &r.excitation, NULL), EMG_OK);
  assert_int_equal(emg_discharge(&r.model, &r.excitation, &r.spikes, NULL), EMG_OK);
  assert_int_equal(emg_twitch_force(&r.model, &r.spikes, &r.force, NULL), EMG_OK);
  return r;
}

static void run_free(run *r) {
  emg_model_free(&r->model);
  emg_array2f_free(&r->excitation);
  emg_array2f_free(&r->force);
  emg_spikes_free(&r->spikes);
}

static bool same_fibres(const emg_model *a, const emg_model *b, int n_fibres) {
  return memcmp(a->fibres, b->fibres, (size_t)n_fibres * sizeof *a->fibres) == 0;
}

static bool same_spikes(const emg_spikes *a, const emg_spikes *b, int n_units) {
  return memcmp(a->offsets, b->offsets, (size_t)(n_units + 1) * sizeof *a->offsets) == 0 &&
         memcmp(a->samples, b->samples, (size_t)a->offsets[n_units] * sizeof *a->samples) == 0;
}

static emg_config noisy_config(void) {
  return fixture_config(SET("drive.common_noise=0.1", "drive.independent_noise=0.1"));
}

static void the_same_seed_gives_the_same_bits_at_any_thread_count(void **state) {
  (void)state;
  emg_config config = noisy_config();
  int n_threads = emg_get_threads();
  emg_set_threads(1);
  run one = run_config(&config);

  for (int n = 2; n <= 4; n += 2) {
    emg_set_threads(n);
    run many = run_config(&config);
    assert_true(same_fibres(&one.model, &many.model, one.model.n_fibres));
    assert_true(same_spikes(&one.spikes, &many.spikes, one.model.n_units));
    assert_memory_equal(one.force.data, many.force.data,
                        (size_t)one.force.n_cols * sizeof *one.force.data);
    run_free(&many);
  }
  run_free(&one);
  emg_set_threads(n_threads);
}

static void another_seed_gives_another_subject_of_the_same_laws(void **state) {
  (void)state;
  emg_config config = noisy_config();
  run first = run_config(&config);
  config.simulation.seed++;
  run second = run_config(&config);

  assert_false(same_fibres(&first.model, &second.model, first.model.n_fibres));
  assert_int_equal(first.model.n_fibres, second.model.n_fibres);
  for (int u = 0; u < first.model.n_units; u++) {
    const emg_motor_unit *a = &first.model.units[u], *b = &second.model.units[u];
    assert_int_equal(a->fibre_count, b->fibre_count);
    assert_true(a->recruitment_threshold == b->recruitment_threshold);
    assert_true(a->territory_radius_m == b->territory_radius_m);
    assert_true(a->centre_radius_m != b->centre_radius_m);
  }
  int64_t n = emg_spikes_count(&first.spikes, 0);
  assert_true(n != emg_spikes_count(&second.spikes, 0) ||
              memcmp(emg_spikes_of(&first.spikes, 0), emg_spikes_of(&second.spikes, 0),
                     (size_t)n * sizeof(int64_t)) != 0);
  run_free(&first);
  run_free(&second);
}

static void another_muscle_leaves_the_first_as_it_is(void **state) {
  (void)state;
  emg_config config =
      fixture_muscles(2, SET("muscle.region=sector", "muscle.sector_width_deg=90",
                             "muscle[1].centre_angle_deg=180", "drive.common_noise=0.1"));
  run both = run_config(&config);
  config.n_muscles = 1;
  run alone = run_config(&config);

  assert_true(same_fibres(&both.model, &alone.model, alone.model.n_fibres));
  assert_true(same_spikes(&both.spikes, &alone.spikes, alone.model.n_units));
  // and muscles of equal keys are not copies of each other
  assert_true(both.model.units[0].centre_radius_m !=
              both.model.units[alone.model.n_units].centre_radius_m);
  run_free(&both);
  run_free(&alone);
}

static void the_drive_does_not_change_the_subject(void **state) {
  (void)state;
  emg_config config = fixture_config(SET("drive.level=0.2"));
  run weak = run_config(&config);
  config.drive[0].level = 0.9;
  run strong = run_config(&config);

  assert_true(same_fibres(&weak.model, &strong.model, weak.model.n_fibres));
  assert_true(strong.spikes.offsets[strong.model.n_units] >
              2 * weak.spikes.offsets[weak.model.n_units]);
  run_free(&weak);
  run_free(&strong);
}

static int compare_fibres(const void *a, const void *b) {
  const emg_fibre *p = a, *q = b;

  if (p->radius_m != q->radius_m) {
    return p->radius_m < q->radius_m ? -1 : 1;
  }
  return (p->theta_rad > q->theta_rad) - (p->theta_rad < q->theta_rad);
}

static void another_pool_shares_out_the_same_fibres(void **state) {
  (void)state;
  emg_config config = fixture_config(SET("muscle.cv_law=fibre_diameter"));
  emg_model few = fixture_create(&config);
  config.pool[0].units = 200;
  emg_model many = fixture_create(&config);

  // the same places, end-plates, tendons, diameters and velocities, in another order
  assert_int_equal(few.n_fibres, many.n_fibres);
  qsort(few.fibres, (size_t)few.n_fibres, sizeof *few.fibres, compare_fibres);
  qsort(many.fibres, (size_t)many.n_fibres, sizeof *many.fibres, compare_fibres);
  assert_true(same_fibres(&few, &many, few.n_fibres));
  emg_model_free(&few);
  emg_model_free(&many);
}

// --- common drive ---

// Rate of a unit over the recording, smoothed by a Hann window of 400 ms, without its mean; 0 where
// the window reaches out of the recording.
static void smooth_rate(const emg_spikes *s, int unit, double *rate) {
  const int width = (int)(0.4 * s->rate_hz);
  double mean = 0;

  memset(rate, 0, (size_t)s->n_samples * sizeof *rate);
  for (int64_t i = 0; i < emg_spikes_count(s, unit); i++) {
    int64_t at = emg_spikes_of(s, unit)[i];
    for (int j = -width / 2; j <= width / 2; j++) {
      if (at + j >= 0 && at + j < s->n_samples) {
        rate[at + j] += 1 + cos(2 * M_PI * j / width);
      }
    }
  }
  for (int64_t k = width; k < s->n_samples - width; k++) {
    mean += rate[k] / (double)(s->n_samples - 2 * width);
  }
  for (int64_t k = 0; k < s->n_samples; k++) {
    rate[k] = k >= width && k < s->n_samples - width ? rate[k] - mean : 0;
  }
}

// Mean correlation of the smoothed rates of units 0..7, pair by pair.
static double mean_correlation(const emg_spikes *s) {
  enum { N = 8 };
  double *rates[N], sum = 0;

  for (int u = 0; u < N; u++) {
    rates[u] = malloc((size_t)s->n_samples * sizeof *rates[u]);
    assert_non_null(rates[u]);
    smooth_rate(s, u, rates[u]);
  }
  for (int a = 0; a < N; a++) {
    for (int b = 0; b < a; b++) {
      double ab = 0, aa = 0, bb = 0;
      for (int64_t k = 0; k < s->n_samples; k++) {
        ab += rates[a][k] * rates[b][k];
        aa += rates[a][k] * rates[a][k];
        bb += rates[b][k] * rates[b][k];
      }
      sum += ab / sqrt(aa * bb);
    }
  }
  for (int u = 0; u < N; u++) {
    free(rates[u]);
  }
  return sum / (N * (N - 1) / 2);
}

static void common_drive_correlates_rates_and_own_noise_does_not(void **state) {
  (void)state;
  const char *const noises[] = {"drive.common_noise=0", "drive.common_noise=0.1",
                                "drive.common_noise=0.3", "drive.independent_noise=0.3"};
  double correlations[4];

  for (int i = 0; i < 4; i++) {
    emg_config config = fixture_config(SET("simulation.duration_s=60", "drive.profile=constant",
                                           "drive.level=0.3", "muscle.fibre_count=500", noises[i]));
    run r = run_config(&config);
    correlations[i] = mean_correlation(&r.spikes);
    run_free(&r);
  }
  print_message(
      "mean correlation of rates: %.2f without, %.2f and %.2f with common noise of 10 and "
      "30 %%, %.2f with own noise\n",
      correlations[0], correlations[1], correlations[2], correlations[3]);
  // 28 pairs of 60 s in a band of about 3 Hz: standard error about 0.02
  assert_true(fabs(correlations[0]) < 0.08);
  assert_true(fabs(correlations[3]) < 0.08);
  assert_true(correlations[1] > 0.2);
  assert_true(correlations[2] > correlations[1] + 0.2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_seed_gives_the_same_bits_at_any_thread_count),
      cmocka_unit_test(another_seed_gives_another_subject_of_the_same_laws),
      cmocka_unit_test(another_muscle_leaves_the_first_as_it_is),
      cmocka_unit_test(the_drive_does_not_change_the_subject),
      cmocka_unit_test(another_pool_shares_out_the_same_fibres),
      cmocka_unit_test(common_drive_correlates_rates_and_own_noise_does_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
