// innervation.c -- how many fibres each unit has
#include <math.h>
#include <stdlib.h>

#include "pool_priv.h"

enum { BISECTIONS = 200 };

// Position of unit i between the smallest (0) and the largest (1).
static double rank_of(int i, int n_units) {
  return n_units > 1 ? (double)i / (n_units - 1) : 1.0;
}

// Sum of max(1, scale * ratio^rank): every unit has a fibre, however small the pool.
static double scaled_sum(const struct emg_config_pool *pool, double scale, double *quotas) {
  double sum = 0;

  for (int i = 0; i < pool->units; i++) {
    quotas[i] = fmax(1, scale * pow(pool->innervation_ratio, rank_of(i, pool->units)));
    sum += quotas[i];
  }
  return sum;
}

// Fuglevand et al. 1993, eq. 1 of the innervation numbers: n_i ~ ratio^rank, scaled to the total.
static void quotas_by_ratio(const struct emg_config_pool *pool, int n_fibres, double *quotas) {
  double low = 0, high = n_fibres;

  for (int i = 0; i < BISECTIONS && low < high; i++) {
    double middle = (low + high) / 2;
    if (scaled_sum(pool, middle, quotas) > n_fibres) {
      high = middle;
    } else {
      low = middle;
    }
  }
  scaled_sum(pool, low, quotas);
}

// n_i = min (max / min)^(rank^p), falling with p at every rank but the ends.
static double bent_sum(const struct emg_config_pool *pool, double exponent, double *quotas) {
  double ratio = (double)pool->innervation_max / pool->innervation_min;
  double sum = 0;

  for (int i = 0; i < pool->units; i++) {
    quotas[i] = pool->innervation_min * pow(ratio, pow(rank_of(i, pool->units), exponent));
    sum += quotas[i];
  }
  return sum;
}

// Solves for p in log p. The ends stay exactly at min and max.
static emg_status quotas_by_limits(const struct emg_config_pool *pool, int n_fibres, double *quotas,
                                   emg_error *err) {
  double low = log(1e-4), high = log(1e4);

  if (pool->innervation_min == 0 || pool->innervation_max < pool->innervation_min) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "units of %d to %d fibres make no pool; set both pool.innervation_min and "
                    "pool.innervation_max, or neither",
                    pool->innervation_min, pool->innervation_max);
  }
  double most = bent_sum(pool, exp(low), quotas), least = bent_sum(pool, exp(high), quotas);
  if (n_fibres > most + 0.5 || n_fibres < least - 0.5) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "%d units of %d to %d fibres hold %.0f to %.0f fibres, the muscle has %d; "
                    "change pool.units, pool.innervation_min or pool.innervation_max",
                    pool->units, pool->innervation_min, pool->innervation_max, least, most,
                    n_fibres);
  }
  for (int i = 0; i < BISECTIONS && low < high; i++) {
    double middle = (low + high) / 2;
    if (bent_sum(pool, exp(middle), quotas) > n_fibres) {
      low = middle;
    } else {
      high = middle;
    }
  }
  bent_sum(pool, exp(high), quotas);
  return EMG_OK;
}

typedef struct {
  double remainder;
  int unit;
} share;

// Largest remainder first; of equal ones the larger unit, so that the numbers stay ascending.
static int compare_shares(const void *a, const void *b) {
  const share *p = a, *q = b;

  if (p->remainder != q->remainder) {
    return p->remainder < q->remainder ? 1 : -1;
  }
  return q->unit - p->unit;
}

static emg_status round_quotas(int n_units, const double *quotas, int n_fibres, int *numbers,
                               emg_error *err) {
  share *shares;
  int left = n_fibres;

  EMG_TRY(emg_alloc((size_t)n_units, sizeof *shares, &shares, err));
  for (int i = 0; i < n_units; i++) {
    // a whole quota that came out a hair too small is whole
    numbers[i] = (int)floor(quotas[i] + 1e-6);
    shares[i] = (share){quotas[i] - numbers[i], i};
    left -= numbers[i];
  }
  qsort(shares, (size_t)n_units, sizeof *shares, compare_shares);
  for (int i = 0; left > 0; i = (i + 1) % n_units, left--) {
    numbers[shares[i].unit]++;
  }
  for (int i = n_units - 1; left<0; i = i> 0 ? i - 1 : n_units - 1, left++) {
    numbers[shares[i].unit]--;
  }
  free(shares);
  return EMG_OK;
}

emg_status emg_innervation_numbers(const struct emg_config_pool *pool, int n_fibres, int *numbers,
                                   emg_error *err) {
  double *quotas;
  emg_status status = EMG_OK;

  if (pool->units > n_fibres) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "%d units cannot share %d fibres; lower pool.units or raise "
                    "muscle.fibre_density_per_mm2",
                    pool->units, n_fibres);
  }
  EMG_TRY(emg_alloc((size_t)pool->units, sizeof *quotas, &quotas, err));
  if (pool->innervation_min > 0 || pool->innervation_max > 0) {
    EMG_TRY_DONE(quotas_by_limits(pool, n_fibres, quotas, err));
  } else {
    quotas_by_ratio(pool, n_fibres, quotas);
  }
  EMG_TRY_DONE(round_quotas(pool->units, quotas, n_fibres, numbers, err));
done:
  free(quotas);
  return status;
}
