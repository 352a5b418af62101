// duplicates.c -- units that are mostly the same train
#include "ckc_priv.h"

#include <stdlib.h>

#include "match_priv.h"

// Spikes of one unit may differ by what a filter's delay differs by, and jitter with noise.
static const double max_lag_ms = 40, tolerance_ms = 1;

static emg_status create_matcher(double rate_hz, emg_matcher *matcher, emg_error *err) {
  return emg_matcher_create(emg_samples_in_ms(max_lag_ms, rate_hz),
                            emg_samples_in_ms(tolerance_ms, rate_hz), matcher, err);
}

emg_status emg_is_known(const emg_units *units, const int64_t *spikes, int64_t n_spikes,
                        double rate_hz, double agreement_max, bool *is_known, emg_error *err) {
  emg_matcher matcher;

  *is_known = false;
  EMG_TRY(create_matcher(rate_hz, &matcher, err));
  for (int i = 0; i < units->n && !*is_known; i++) {
    const emg_unit *unit = &units->items[i];
    *is_known = emg_match_trains(&matcher, spikes, n_spikes, unit->spikes, unit->n_spikes).roa >
                agreement_max;
  }
  emg_matcher_free(&matcher);
  return EMG_OK;
}

emg_status emg_remove_duplicates(emg_signal *residual, emg_units *units, double agreement_max,
                                 emg_error *err) {
  emg_matcher matcher;

  EMG_TRY(create_matcher(residual->rate_hz, &matcher, err));
  for (int i = 0; i < units->n; i++) {
    for (int j = i + 1; j < units->n; j++) {
      const emg_unit *a = &units->items[i], *b = &units->items[j];
      if (emg_match_trains(&matcher, a->spikes, a->n_spikes, b->spikes, b->n_spikes).roa <=
          agreement_max) {
        continue;
      }
      int worse = a->sil < b->sil ? i : j;
      emg_unit_put(residual, units, worse, 1);
      emg_units_remove(units, worse);
      if (worse == i) {
        i--;  // what has moved up is compared with all that follow
        break;
      }
      j--;
    }
  }
  emg_matcher_free(&matcher);
  return EMG_OK;
}
