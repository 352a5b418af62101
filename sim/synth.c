// synth.c -- EMG as the sum of action potentials at their discharge times
#include <emgtwin/simulate.h>

#include <stdlib.h>

#include "base/kernel.h"
#include "simulate_priv.h"

// A row is summed in blocks of time that stay in the first-level cache. Splitting a response at a
// block's edge changes no sum: every sample still gets its terms in the order of units and spikes.
enum { BLOCK = 4096 };

EMG_KERNEL
static void add_scaled(int64_t n, float weight, const float *restrict tap, float *restrict row) {
  for (int64_t i = 0; i < n; i++) {
    row[i] += weight * tap[i];
  }
}

// States on either side of a discharge, and the weight of the later one.
typedef struct {
  int before;
  float later_weight;
} state_mix;

static state_mix mix_at(const emg_change_state *states, int n_states, double time_s) {
  int k = 0;

  while (k + 1 < n_states && states[k + 1].time_s <= time_s) {
    k++;
  }
  if (k + 1 >= n_states || time_s <= states[k].time_s) {
    return (state_mix){k, 0};
  }
  double step_s = states[k + 1].time_s - states[k].time_s;
  return (state_mix){k, (float)((time_s - states[k].time_s) / step_s)};
}

typedef struct {
  const emg_muap_bank *banks;
  const emg_change_state *states;
  int n_states;
  const emg_spikes *spikes;
} synthesis;

// Add to row[begin, end) the part in it of a response that starts at sample `at`.
static void add_response(const synthesis *s, int unit, int channel, int64_t spike, int64_t at,
                         int64_t begin, int64_t end, float *row) {
  const int n_taps = s->banks[0].n_taps;
  int64_t from = at > begin ? at : begin;
  int64_t to = at + n_taps < end ? at + n_taps : end;

  if (from >= to) {
    return;
  }
  state_mix mix = mix_at(s->states, s->n_states, (double)spike / s->spikes->rate_hz);
  const float *tap = emg_muap_row(&s->banks[mix.before], unit, channel) + (from - at);
  add_scaled(to - from, 1 - mix.later_weight, tap, row + from);
  if (mix.later_weight > 0) {
    tap = emg_muap_row(&s->banks[mix.before + 1], unit, channel) + (from - at);
    add_scaled(to - from, mix.later_weight, tap, row + from);
  }
}

// One channel from first to last sample. `next[unit]`: first spike whose response may reach the
// block; it only moves forwards.
static void sum_row(const synthesis *s, int channel, int64_t n_samples, float *row, int64_t *next) {
  const int origin = s->banks[0].origin, n_taps = s->banks[0].n_taps;

  for (int unit = 0; unit < s->spikes->n_units; unit++) {
    next[unit] = 0;
  }
  for (int64_t begin = 0; begin < n_samples; begin += BLOCK) {
    int64_t end = begin + BLOCK < n_samples ? begin + BLOCK : n_samples;

    for (int unit = 0; unit < s->spikes->n_units; unit++) {
      const int64_t *train = emg_spikes_of(s->spikes, unit);
      int64_t n_spikes = emg_spikes_count(s->spikes, unit);

      while (next[unit] < n_spikes && train[next[unit]] - origin + n_taps <= begin) {
        next[unit]++;
      }
      for (int64_t i = next[unit]; i < n_spikes && train[i] - origin < end; i++) {
        add_response(s, unit, channel, train[i], train[i] - origin, begin, end, row);
      }
    }
  }
}

static emg_status check_shapes(const emg_muap_bank *banks, const emg_change_state *states,
                               int n_states, const emg_spikes *spikes, int first_channel,
                               const emg_array2f *out, emg_error *err) {
  if (n_states < 1) {
    return emg_fail(err, EMG_ERR_ARG, "synthesis needs at least one bank of action potentials");
  }
  for (int k = 0; k < n_states; k++) {
    const emg_muap_bank *bank = &banks[k];

    if (bank->n_units != spikes->n_units || bank->n_channels < first_channel + out->n_rows) {
      return emg_fail(err, EMG_ERR_ARG,
                      "action potentials of %d units at %d channels do not fit spikes of %d units "
                      "and a recording of %d channels",
                      bank->n_units, bank->n_channels, spikes->n_units,
                      first_channel + out->n_rows);
    }
    if (bank->rate_hz != spikes->rate_hz) {
      return emg_fail(err, EMG_ERR_ARG, "spikes are at %g Hz, action potentials at %g Hz",
                      spikes->rate_hz, bank->rate_hz);
    }
    if (bank->n_taps != banks[0].n_taps || bank->origin != banks[0].origin) {
      return emg_fail(err, EMG_ERR_ARG, "action potentials of state %d have %d taps, not %d", k,
                      bank->n_taps, banks[0].n_taps);
    }
    if (k > 0 && !(states[k].time_s > states[k - 1].time_s)) {
      return emg_fail(err, EMG_ERR_ARG, "state %d at %g s does not follow %g s", k,
                      states[k].time_s, states[k - 1].time_s);
    }
  }
  return EMG_OK;
}

emg_status emg_synthesize_rows(const emg_muap_bank *banks, const emg_change_state *states,
                               int n_states, const emg_spikes *spikes, int first_channel,
                               emg_array2f *out, emg_error *err) {
  EMG_TRY(check_shapes(banks, states, n_states, spikes, first_channel, out, err));
  const synthesis s = {banks, states, n_states, spikes};
  int64_t *next;
  EMG_TRY(emg_alloc((size_t)out->n_rows * (size_t)spikes->n_units, sizeof *next, &next, err));

  // rows are independent: one thread owns a row from first to last motor unit
#pragma omp parallel for schedule(dynamic)
  for (int row = 0; row < out->n_rows; row++) {
    sum_row(&s, first_channel + row, out->n_cols, emg_row2f(out, row),
            next + (ptrdiff_t)row * spikes->n_units);
  }
  free(next);
  return EMG_OK;
}

emg_status emg_synthesize(const emg_muap_bank *banks, const emg_change_state *states, int n_states,
                          const emg_spikes *spikes, emg_array2f *out, emg_error *err) {
  if (n_states > 0 && banks[0].n_channels != out->n_rows) {
    return emg_fail(err, EMG_ERR_ARG,
                    "action potentials of %d units at %d channels do not fit spikes of %d units "
                    "and a recording of %d channels",
                    banks[0].n_units, banks[0].n_channels, spikes->n_units, out->n_rows);
  }
  return emg_synthesize_rows(banks, states, n_states, spikes, 0, out, err);
}
