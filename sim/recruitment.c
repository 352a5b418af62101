// recruitment.c -- thresholds, discharge rates and twitches of a pool, and the rate at an
// excitation
#include <math.h>

#include "pool_priv.h"

static double interpolate(double first, double last, double at) {
  return first + (last - first) * at;
}

// Fuglevand et al. 1993, eq. 1, scaled to the last unit; or the same curve shifted down so that it
// runs from exactly 0 to exactly the last threshold.
static double threshold_of(const struct emg_config_pool *pool, int i) {
  if (pool->recruitment_law == EMG_RECRUITMENT_SHIFTED_EXPONENTIAL) {
    double rank = pool->units > 1 ? (double)i / (pool->units - 1) : 0;
    return pool->recruitment_max *
           ((pow(pool->recruitment_ratio, rank) - 1) / (pool->recruitment_ratio - 1));
  }
  return pool->recruitment_max *
         (pow(pool->recruitment_ratio, (double)(i + 1) / pool->units) / pool->recruitment_ratio);
}

// Coefficients of De Luca & Contessa 2012, eq. 1 (vastus lateralis, first dorsal interosseous), and
// De Luca & Hostage 2010 (tibialis anterior): rate = D E + (C - A exp(-E/B)) threshold + F.
typedef struct {
  double a, b, c, d, f;
} de_luca_coefficients;

static const de_luca_coefficients de_luca_table[] = {
    [EMG_DE_LUCA_FDI] = {85, 0.32, -23, 6.93, 20.9},
    [EMG_DE_LUCA_VL] = {116, 0.15, -21, 8.03, 19.0},
    [EMG_DE_LUCA_TA] = {65, 0.30, -30, 6.54, 20.2},
};

static double de_luca_rate_hz(const struct emg_config_pool *pool, double threshold,
                              double excitation) {
  const de_luca_coefficients *k = &de_luca_table[pool->de_luca_muscle];

  return k->d * excitation + (k->c - k->a * exp(-excitation / k->b)) * threshold + k->f;
}

// Twitches shrink and quicken with rank (Fuglevand et al. 1993, eq. 13 and 14): force 1 to
// twitch_force_ratio, time twitch_time to twitch_time / twitch_time_ratio.
static void assign_twitch(const struct emg_config_pool *pool, double rank, emg_motor_unit *unit) {
  unit->twitch_force = pow(pool->twitch_force_ratio, rank);
  unit->twitch_time_s = 1e-3 * pool->twitch_time_ms * pow(pool->twitch_time_ratio, -rank);
}

void emg_recruitment_assign(const struct emg_config_pool *pool, emg_motor_unit *units) {
  double first = threshold_of(pool, 0), last = threshold_of(pool, pool->units - 1);

  for (int i = 0; i < pool->units; i++) {
    emg_motor_unit *unit = &units[i];
    double threshold = threshold_of(pool, i);
    double at = last > first ? (threshold - first) / (last - first) : 0;

    unit->recruitment_threshold = threshold;
    unit->isi_cov = pool->isi_cov;
    unit->rate_min_hz = interpolate(pool->rate_min_hz, pool->rate_min_last_hz, at);
    unit->rate_max_hz = interpolate(pool->rate_max_hz, pool->rate_max_last_hz, at);
    unit->rate_gain_hz = interpolate(pool->rate_gain_hz, pool->rate_gain_last_hz, at);
    if (pool->model == EMG_POOL_DE_LUCA_CONTESSA) {
      // what the equation gives at recruitment and at maximal excitation
      double floor_hz = unit->rate_min_hz;
      unit->rate_min_hz = fmax(floor_hz, de_luca_rate_hz(pool, threshold, threshold));
      unit->rate_max_hz = fmax(floor_hz, de_luca_rate_hz(pool, threshold, 1));
      unit->rate_gain_hz = (unit->rate_max_hz - unit->rate_min_hz) / fmax(1 - threshold, 1e-9);
    }
    assign_twitch(pool, pool->units > 1 ? (double)i / (pool->units - 1) : 0, unit);
  }
}

double emg_unit_rate_hz(const emg_config *config, const emg_motor_unit *unit, double excitation) {
  const struct emg_config_pool *pool = &config->pool[unit->muscle];

  if (!(excitation > 0) || excitation < unit->recruitment_threshold) {
    return 0;
  }
  if (pool->model == EMG_POOL_DE_LUCA_CONTESSA) {
    // the law rises with the excitation, so what it gives at recruitment is its least
    return fmax(unit->rate_min_hz, de_luca_rate_hz(pool, unit->recruitment_threshold, excitation));
  }
  return fmin(unit->rate_max_hz,
              unit->rate_min_hz + unit->rate_gain_hz * (excitation - unit->recruitment_threshold));
}
