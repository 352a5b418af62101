// searched.c -- units that a search of another kind finds, reported like those of the joint model
#include "guided_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>

typedef struct {
  const emg_config *config;
  emg_prepared prepared;
  emg_guided guided;
  emg_units units;
  int n_trains;  // of all searches so far
} searched;

static void searched_free(searched *s) {
  emg_prepared_free(&s->prepared);
  emg_units_free(&s->units);
}

static emg_status start(searched *s, const emg_recording *rec, const emg_monitor *monitor,
                        emg_error *err) {
  const double half_window_ms = 20;
  const struct emg_config_decompose *keys = &s->config->decompose;

  s->units.half_window = (int64_t)lround(half_window_ms * rec->rate_hz / 1000);
  EMG_TRY(emg_prepare(rec, s->config, monitor, 2 * s->units.half_window + 1, &s->prepared, err));
  s->guided = (emg_guided){.prepared = &s->prepared, .agreement_max = keys->duplicate_agreement};
  return emg_choose_taps(keys, s->prepared.signal.n_channels, rec->rate_hz, &s->guided.n_taps, err);
}

// A train becomes a unit unless it is one already; spikes beyond the recording are left out.
static emg_status take(searched *s, emg_guided_train *train, int round, int number,
                       emg_error *err) {
  const int64_t spikes_least = 2, n_samples = s->prepared.signal.n_samples;
  const double rate_hz = s->prepared.signal.rate_hz;
  int64_t n = 0;
  bool is_known;

  for (int64_t i = 0; i < train->n_spikes; i++) {
    if (train->spikes[i] >= 0 && train->spikes[i] < n_samples) {
      train->spikes[n++] = train->spikes[i];
    }
  }
  train->n_spikes = n;
  if (n < spikes_least) {
    return EMG_OK;
  }
  EMG_TRY(
      emg_is_known(&s->units, train->spikes, n, rate_hz, s->guided.agreement_max, &is_known, err));
  if (is_known) {
    return EMG_OK;
  }
  EMG_TRY(emg_units_add(&s->units, s->prepared.signal.n_channels, train->spikes, n, err));
  emg_unit *unit = &s->units.items[s->units.n - 1];
  unit->round = round;
  unit->sil = train->sil;
  unit->pnr_db = train->pnr_db;
  unit->intervals = emg_intervals_of(train->spikes, NULL, n, rate_hz);
  unit->noise_variance =
      train->detectability > 0 ? 1 / (train->detectability * train->detectability) : 0;
  unit->note = (emg_guide_note){.is_set = true, .value = {number}};
  return EMG_OK;
}

static emg_status search(searched *s, const emg_searcher *searcher, int round,
                         const emg_monitor *monitor, emg_error *err) {
  emg_guided_signal shown = emg_guided_show(&s->guided, &s->prepared.signal, &s->units);
  emg_guided_train *trains = NULL;
  int n = 0, n_before = s->units.n;
  emg_status status;

  EMG_TRY_DONE(searcher->search(searcher->self, &shown, round, &trains, &n, err));
  for (int i = 0; i < n; i++) {
    EMG_TRY_DONE(take(s, &trains[i], round, s->n_trains + i, err));
  }
  s->n_trains += n;
  emg_log(monitor, EMG_LOG_INFO, "decompose", "search = %d, trains = %d, new = %d, units = %d",
          round + 1, n, s->units.n - n_before, s->units.n);

done:
  for (int i = 0; trains && i < n; i++) {
    free(trains[i].spikes);
  }
  free(trains);
  return status;
}

// Action potentials, which place the spikes of the result, then the result.
static emg_status finish(searched *s, const emg_recording *rec, const emg_searcher *searcher,
                         emg_decomposition *out, emg_error *err) {
  const int sweeps = 2;
  const emg_signal *signal = &s->prepared.signal;
  int *number;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)s->units.n + 1, sizeof *number, &number, err));
  EMG_TRY_DONE(emg_units_fit(&s->prepared.signal, &s->units, sweeps, err));
  EMG_TRY_DONE(emg_units_sort(&s->units, signal->n_channels, signal->n_samples, err));
  for (int u = 0; u < s->units.n; u++) {
    number[u] = (int)s->units.items[u].note.value[0];
  }
  EMG_TRY_DONE(searcher->report(searcher->self, s->units.n, number, err));
  EMG_TRY_DONE(emg_package(rec, &s->prepared, &s->units, out, err));

done:
  free(number);
  return status;
}

emg_status emg_run_searched(const emg_recording *rec, const emg_config *config, int n_rounds,
                            const emg_searcher *searcher, const emg_monitor *monitor,
                            emg_decomposition *out, emg_error *err) {
  searched s = {.config = config};
  emg_status status;

  EMG_TRY_DONE(start(&s, rec, monitor, err));
  for (int round = 0; round < n_rounds; round++) {
    EMG_TRY_DONE(search(&s, searcher, round, monitor, err));
  }
  EMG_TRY_DONE(finish(&s, rec, searcher, out, err));

done:
  searched_free(&s);
  return status;
}
