// test_force.c -- twitches, their sum, and the force at maximal excitation
#include <math.h>
#include <string.h>

#include "tests/model_fixture.h"

static const double rate_hz = 2048;

// Regular trains: unit u discharges every interval_s[u] from first_s on; 0 for never.
static emg_spikes regular_trains(const emg_model *model, const double *interval_s, double first_s,
                                 double duration_s) {
  int64_t counts[64], n_samples = (int64_t)(duration_s * rate_hz);
  emg_spikes s;

  assert_true(model->n_units <= 64);
  for (int u = 0; u < model->n_units; u++) {
    counts[u] =
        interval_s[u] > 0 ? (int64_t)floor((duration_s - first_s - 0.01) / interval_s[u]) + 1 : 0;
  }
  assert_int_equal(emg_spikes_create(model->n_units, counts, rate_hz, n_samples, &s, NULL), EMG_OK);
  for (int u = 0; u < model->n_units; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      s.samples[s.offsets[u] + i] = llround((first_s + (double)i * interval_s[u]) * rate_hz);
    }
  }
  assert_int_equal(emg_spikes_check(&s, NULL), EMG_OK);
  return s;
}

static emg_array2f force_of(const emg_model *model, emg_spikes *spikes) {
  emg_array2f force;

  assert_int_equal(emg_twitch_force(model, spikes, &force, NULL), EMG_OK);
  emg_spikes_free(spikes);
  return force;
}

// Mean of the last half of a force.
static double mean_of_end(const emg_array2f *force) {
  double sum = 0;
  int64_t half = force->n_cols / 2;

  for (int64_t k = half; k < force->n_cols; k++) {
    sum += force->data[k];
  }
  return sum / (double)(force->n_cols - half);
}

static void one_discharge_gives_the_published_twitch(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("pool.units=10", "pool.twitch_time_ms=90"));
  double interval_s[10] = {0};
  interval_s[0] = 100;  // once
  emg_spikes spikes = regular_trains(&model, interval_s, 0.5, 3);
  emg_array2f force = force_of(&model, &spikes);
  int64_t start = llround(0.5 * rate_hz);
  double peak = 0;

  // the smallest unit: P = 1, T = 90 ms; its scale is the maximal force
  for (int64_t k = 0; k < force.n_cols; k++) {
    peak = fmax(peak, force.data[k]);
  }
  for (int64_t k = 0; k < force.n_cols; k++) {
    double x = fmax((double)(k - start) / rate_hz / 0.09, 0);
    assert_true(fabs(force.data[k] / peak - x * exp(1 - x)) < 1e-4);
  }
  assert_true(peak > 0 && peak < 1e-3);
  emg_array2f_free(&force);
  emg_model_free(&model);
}

static void forces_of_units_add(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("pool.units=12"));
  double even[12] = {0}, odd[12] = {0}, all[12];

  for (int u = 0; u < 12; u++) {
    all[u] = 0.04 + 0.005 * u;
    *(u % 2 ? &odd[u] : &even[u]) = all[u];
  }
  emg_spikes trains[3] = {regular_trains(&model, even, 0.1, 4), regular_trains(&model, odd, 0.1, 4),
                          regular_trains(&model, all, 0.1, 4)};
  emg_array2f force[3];
  for (int i = 0; i < 3; i++) {
    force[i] = force_of(&model, &trains[i]);
  }
  for (int64_t k = 0; k < force[0].n_cols; k++) {
    assert_true(fabsf(force[0].data[k] + force[1].data[k] - force[2].data[k]) < 1e-6F);
  }
  for (int i = 0; i < 3; i++) {
    emg_array2f_free(&force[i]);
  }
  emg_model_free(&model);
}

static void maximal_regular_discharge_gives_a_mean_force_of_one(void **state) {
  (void)state;
  const char *const models[] = {"pool.model=fuglevand", "pool.model=de_luca_contessa"};
  for (int m = 0; m < 2; m++) {
    emg_model model = fixture_model(SET("pool.units=50", "pool.isi_cov=0", models[m]));
    double interval_s[50];

    for (int u = 0; u < 50; u++) {
      interval_s[u] = 1 / emg_unit_rate_hz(&model.config, &model.units[u], 1);
    }
    emg_spikes spikes = regular_trains(&model, interval_s, 0.01, 10);
    emg_array2f force = force_of(&model, &spikes);
    // rounding of intervals to samples: 1 / (2048 * 0.03) of one is spread over many
    assert_true(fabs(mean_of_end(&force) - 1) < 0.005);
    emg_array2f_free(&force);
    emg_model_free(&model);
  }
}

static void maximal_excitation_gives_a_mean_force_of_one(void **state) {
  (void)state;
  const char *const covs[] = {"pool.isi_cov=0", "pool.isi_cov=0.15", "pool.isi_cov=0.3"};
  for (int c = 0; c < 3; c++) {
    emg_model model = fixture_model(SET("simulation.duration_s=60", "drive.profile=constant",
                                        "drive.level=1", "muscle.fibre_count=500", covs[c]));
    emg_array2f excitation;
    emg_spikes spikes;
    assert_int_equal(emg_drive_create(&model, &excitation, NULL), EMG_OK);
    assert_int_equal(emg_discharge(&model, &excitation, &spikes, NULL), EMG_OK);
    emg_array2f force = force_of(&model, &spikes);

    // half of 60 s of 60 units, the largest of which weigh most: standard error about 0.002
    assert_true(fabs(mean_of_end(&force) - 1) < 0.01);
    emg_array2f_free(&force);
    emg_array2f_free(&excitation);
    emg_model_free(&model);
  }
}

static void force_rises_with_the_rate_and_fuses(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("pool.units=1"));
  double before = 0;

  // T = 90 ms: unfused below 4.4 Hz, where force is proportional to the rate
  for (double hz = 2; hz <= 16; hz *= 2) {
    double interval_s[1] = {1 / hz};
    emg_spikes spikes = regular_trains(&model, interval_s, 0.01, 20);
    emg_array2f force = force_of(&model, &spikes);
    double mean = mean_of_end(&force);
    if (hz == 4) {
      assert_true(fabs(mean / before - 2) < 0.03);
    } else if (hz > 4) {
      assert_true(mean > before);
    }
    before = mean;
    emg_array2f_free(&force);
  }
  emg_model_free(&model);
}

static void muscles_have_their_own_force(void **state) {
  (void)state;
  emg_config config =
      fixture_muscles(2, SET("muscle.region=sector", "muscle.sector_width_deg=90", "pool.units=10",
                             "muscle[1].centre_angle_deg=180", "drive.profile=constant",
                             "drive.level=0.5", "drive[0].level=0"));
  emg_model model = fixture_create(&config);
  emg_array2f excitation, force;
  emg_spikes spikes;

  assert_int_equal(emg_drive_create(&model, &excitation, NULL), EMG_OK);
  assert_int_equal(emg_discharge(&model, &excitation, &spikes, NULL), EMG_OK);
  assert_int_equal(emg_twitch_force(&model, &spikes, &force, NULL), EMG_OK);
  assert_int_equal(force.n_rows, 2);
  for (int64_t k = force.n_cols / 2; k < force.n_cols; k++) {
    assert_true(emg_row2f(&force, 0)[k] == 0);
    assert_true(emg_row2f(&force, 1)[k] > 0.1F && emg_row2f(&force, 1)[k] < 1);
  }
  emg_spikes_free(&spikes);
  emg_array2f_free(&excitation);
  emg_array2f_free(&force);
  emg_model_free(&model);
}

static void trains_of_another_model_are_refused(void **state) {
  (void)state;
  emg_model model = fixture_model(SET("pool.units=10"));
  emg_spikes spikes;
  emg_array2f force;
  emg_error err = {0};
  int64_t counts[3] = {0};

  assert_int_equal(emg_spikes_create(3, counts, rate_hz, 100, &spikes, NULL), EMG_OK);
  assert_int_equal(emg_twitch_force(&model, &spikes, &force, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "3 spike trains"));
  emg_spikes_free(&spikes);
  emg_model_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_discharge_gives_the_published_twitch),
      cmocka_unit_test(forces_of_units_add),
      cmocka_unit_test(maximal_regular_discharge_gives_a_mean_force_of_one),
      cmocka_unit_test(maximal_excitation_gives_a_mean_force_of_one),
      cmocka_unit_test(force_rises_with_the_rate_and_fuses),
      cmocka_unit_test(muscles_have_their_own_force),
      cmocka_unit_test(trains_of_another_model_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
