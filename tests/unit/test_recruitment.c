// test_recruitment.c -- thresholds, rate laws and twitches of a pool
#include <math.h>

#include "sim/pool_priv.h"
#include "tests/model_fixture.h"

enum { N_MAX = 2000 };

// Units of a pool from a configuration, as far as recruitment is concerned.
static emg_motor_unit *assign(const emg_config *config) {
  static emg_motor_unit units[N_MAX];

  for (int i = 0; i < N_MAX; i++) {
    units[i] = (emg_motor_unit){.index_in_muscle = i};
  }
  emg_recruitment_assign(&config->pool[0], units);
  return units;
}

static void assert_near(double value, double expected, double tolerance) {
  if (fabs(value - expected) > tolerance) {
    fail_msg("%.12g is not %.12g", value, expected);
  }
}

static void exponential_thresholds_span_the_ratio(void **state) {
  (void)state;
  emg_config config = fixture_config(
      SET("pool.units=120", "pool.recruitment_ratio=30", "pool.recruitment_max=0.6"));
  emg_motor_unit *units = assign(&config);

  // Fuglevand et al. 1993: exp(ln(30) i / 120), 30 scaled to 0.6
  for (int i = 0; i < 120; i++) {
    assert_near(units[i].recruitment_threshold, 0.02 * exp(log(30) * (i + 1) / 120), 1e-14);
  }
  assert_near(units[119].recruitment_threshold, 0.6, 1e-15);
}

static void wen2021_recruits_110_of_150_units_below_a_quarter(void **state) {
  (void)state;
  emg_config config =
      fixture_config(SET("pool.units=150", "pool.recruitment_law=shifted_exponential",
                         "pool.recruitment_ratio=55", "pool.recruitment_max=0.75"));
  emg_motor_unit *units = assign(&config);
  int n_below = 0;

  for (int i = 0; i < 150; i++) {
    n_below += units[i].recruitment_threshold < 0.25;
  }
  assert_int_equal(n_below, 110);
  assert_true(units[0].recruitment_threshold == 0);
  assert_true(units[149].recruitment_threshold == 0.75);
}

static void thresholds_ascend_in_pools_of_any_size(void **state) {
  (void)state;
  const char *const laws[] = {"pool.recruitment_law=exponential",
                              "pool.recruitment_law=shifted_exponential"};
  for (int l = 0; l < 2; l++) {
    for (int n = 1; n <= N_MAX; n = 3 * n + 1) {
      emg_config config = fixture_config(SET(laws[l]));
      config.pool[0].units = n;
      emg_motor_unit *units = assign(&config);
      for (int i = 0; i < n; i++) {
        assert_true(units[i].recruitment_threshold >= 0 && units[i].recruitment_threshold <= 0.6);
        assert_true(i == 0 || units[i].recruitment_threshold > units[i - 1].recruitment_threshold);
        assert_true(isfinite(units[i].rate_min_hz) && isfinite(units[i].twitch_time_s));
      }
    }
  }
}

static void rates_run_linearly_in_the_threshold_from_first_to_last(void **state) {
  (void)state;
  emg_config config = fixture_config(
      SET("pool.units=40", "pool.rate_min_hz=10", "pool.rate_min_last_hz=5", "pool.rate_max_hz=40",
          "pool.rate_max_last_hz=30", "pool.rate_gain_hz=50", "pool.rate_gain_last_hz=30"));
  emg_motor_unit *u = assign(&config);

  assert_near(u[0].rate_min_hz, 10, 1e-12);
  assert_near(u[39].rate_min_hz, 5, 1e-12);
  for (int i = 0; i < 40; i++) {
    double at = (u[i].recruitment_threshold - u[0].recruitment_threshold) /
                (u[39].recruitment_threshold - u[0].recruitment_threshold);
    assert_near(u[i].rate_min_hz, 10 - 5 * at, 1e-12);
    assert_near(u[i].rate_max_hz, 40 - 10 * at, 1e-12);
    assert_near(u[i].rate_gain_hz, 50 - 20 * at, 1e-12);
  }
}

static void a_rate_starts_at_the_threshold_and_ends_at_its_peak(void **state) {
  (void)state;
  emg_config config = fixture_config(SET("pool.rate_gain_hz=50", "pool.rate_gain_last_hz=50"));
  emg_motor_unit unit = assign(&config)[20];
  double threshold = unit.recruitment_threshold;

  assert_near(emg_unit_rate_hz(&config, &unit, threshold - 1e-9), 0, 0);
  assert_near(emg_unit_rate_hz(&config, &unit, threshold), unit.rate_min_hz, 1e-12);
  assert_near(emg_unit_rate_hz(&config, &unit, threshold + 0.1), unit.rate_min_hz + 5, 1e-12);
  assert_near(emg_unit_rate_hz(&config, &unit, 1), unit.rate_max_hz, 1e-12);
  unit.recruitment_threshold = 0;
  assert_near(emg_unit_rate_hz(&config, &unit, 0), 0, 0);
  assert_near(emg_unit_rate_hz(&config, &unit, -1), 0, 0);
  assert_near(emg_unit_rate_hz(&config, &unit, NAN), 0, 0);
}

// The equation of De Luca & Contessa 2012 worked by hand for one unit of each muscle.
static void de_luca_rates_follow_the_published_equation(void **state) {
  (void)state;
  const struct {
    const char *muscle;
    double threshold, excitation, rate_hz;
  } cases[] = {
      // 6.93*0.4 + (-23 - 85 exp(-0.4/0.32)) 0.2 + 20.9
      {"pool.de_luca_muscle=first_dorsal_interosseous", 0.2, 0.4, 14.2015},
      // 8.03*0.5 + (-21 - 116 exp(-0.5/0.15)) 0.3 + 19
      {"pool.de_luca_muscle=vastus_lateralis", 0.3, 0.5, 15.4735},
      // 6.54*0.3 + (-30 - 65 exp(-1)) 0.1 + 20.2
      {"pool.de_luca_muscle=tibialis_anterior", 0.1, 0.3, 16.7708},
  };

  for (int c = 0; c < 3; c++) {
    emg_config config = fixture_config(SET("pool.model=de_luca_contessa", cases[c].muscle));
    emg_motor_unit unit = {.recruitment_threshold = cases[c].threshold};
    assert_near(emg_unit_rate_hz(&config, &unit, cases[c].excitation), cases[c].rate_hz, 1e-3);
  }
}

static void later_units_discharge_more_slowly_at_any_excitation(void **state) {
  (void)state;
  const char *const models[] = {"pool.model=fuglevand", "pool.model=de_luca_contessa"};
  for (int m = 0; m < 2; m++) {
    emg_config config = fixture_config(SET(models[m]));
    emg_motor_unit *units = assign(&config);
    for (double excitation = 0.05; excitation <= 1; excitation += 0.05) {
      for (int i = 1; i < config.pool[0].units; i++) {
        double earlier_hz = emg_unit_rate_hz(&config, &units[i - 1], excitation);
        assert_true(emg_unit_rate_hz(&config, &units[i], excitation) <= earlier_hz + 1e-12);
        // and no rate falls as the excitation rises
        assert_true(emg_unit_rate_hz(&config, &units[i - 1], excitation + 0.05) >= earlier_hz);
      }
    }
  }
}

static void listed_rates_are_those_of_the_law(void **state) {
  (void)state;
  emg_config config = fixture_config(SET("pool.model=de_luca_contessa", "pool.rate_min_hz=12"));
  emg_motor_unit *units = assign(&config);
  for (int i = 0; i < config.pool[0].units; i++) {
    const emg_motor_unit *unit = &units[i];
    assert_near(emg_unit_rate_hz(&config, unit, unit->recruitment_threshold), unit->rate_min_hz,
                1e-9);
    assert_near(emg_unit_rate_hz(&config, unit, 1), unit->rate_max_hz, 1e-9);
    assert_true(unit->rate_min_hz >= 8);  // pool.rate_min_last_hz
  }
}

static void twitches_grow_and_quicken_with_size(void **state) {
  (void)state;
  emg_config config = fixture_config(SET("pool.units=120", "pool.twitch_force_ratio=100",
                                         "pool.twitch_time_ratio=3", "pool.twitch_time_ms=90"));
  emg_motor_unit *units = assign(&config);

  assert_near(units[0].twitch_force, 1, 1e-12);
  assert_near(units[119].twitch_force, 100, 1e-9);
  assert_near(units[0].twitch_time_s, 0.09, 1e-15);
  assert_near(units[119].twitch_time_s, 0.03, 1e-15);
  // Fuglevand et al. 1993, eq. 14: T = T_L (1/P)^(1/4.2), 4.2 = ln 100 / ln 3
  for (int i = 0; i < 120; i++) {
    assert_near(units[i].twitch_time_s, 0.09 * pow(units[i].twitch_force, -log(3) / log(100)),
                1e-12);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exponential_thresholds_span_the_ratio),
      cmocka_unit_test(wen2021_recruits_110_of_150_units_below_a_quarter),
      cmocka_unit_test(thresholds_ascend_in_pools_of_any_size),
      cmocka_unit_test(rates_run_linearly_in_the_threshold_from_first_to_last),
      cmocka_unit_test(a_rate_starts_at_the_threshold_and_ends_at_its_peak),
      cmocka_unit_test(de_luca_rates_follow_the_published_equation),
      cmocka_unit_test(later_units_discharge_more_slowly_at_any_excitation),
      cmocka_unit_test(listed_rates_are_those_of_the_law),
      cmocka_unit_test(twitches_grow_and_quicken_with_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
