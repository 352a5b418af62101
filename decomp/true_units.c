// true_units.c -- the true units of a recording, with their action potentials as the channels show
// them
#include "ceiling_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// Half of what a fitted action potential covers, and what the filters add to either end of a true
// one: the band-pass of 20 Hz forwards and backwards is down to 1 % after 50 ms.
static const double fitted_half_ms = 20, ringing_ms = 50;

static int64_t samples_of(double time_ms, double rate_hz) {
  return (int64_t)lround(time_ms * rate_hz / 1000);
}

void emg_true_units_free(emg_true_units *units) {
  emg_prepared_free(&units->prepared);
  emg_signal_free(&units->noise);
  emg_units_free(&units->units);
  free(units->truth);
  *units = (emg_true_units){0};
}

static emg_status check_input(const emg_recording *rec, const emg_spikes *truth,
                              const emg_muap_bank *muaps, emg_error *err) {
  EMG_TRY(emg_spikes_check(truth, err));
  if (!(fabs(truth->rate_hz - rec->rate_hz) <= 1e-6 * rec->rate_hz)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the true discharges are sampled at %g Hz and the recording at %g Hz; give the "
                    "truth of this recording",
                    truth->rate_hz, rec->rate_hz);
  }
  if (muaps && muaps->n_units > 0 &&
      (muaps->n_units != truth->n_units || muaps->n_channels != rec->data.n_rows ||
       !(fabs(muaps->rate_hz - rec->rate_hz) <= 1e-6 * rec->rate_hz))) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the true action potentials are of %d units and %d channels at %g Hz, the "
                    "recording of %d units and %d channels at %g Hz; give the truth of this "
                    "recording",
                    muaps->n_units, muaps->n_channels, muaps->rate_hz, truth->n_units,
                    rec->data.n_rows, rec->rate_hz);
  }
  return EMG_OK;
}

// Append a unit with discharges `by` samples later; those that leave the recording stay in, as
// their action potentials may reach into it.
static emg_status add_train(const emg_spikes *truth, int u, int64_t by, int n_channels,
                            emg_units *units, emg_error *err) {
  EMG_TRY(
      emg_units_add(units, n_channels, emg_spikes_of(truth, u), emg_spikes_count(truth, u), err));
  emg_unit *unit = &units->items[units->n - 1];
  for (int64_t i = 0; i < unit->n_spikes; i++) {
    unit->spikes[i] += by;
  }
  return EMG_OK;
}

static emg_status list_active(const emg_spikes *truth, int **list, int *n, emg_error *err) {
  *n = 0;
  EMG_TRY(emg_alloc((size_t)truth->n_units, sizeof **list, list, err));
  for (int u = 0; u < truth->n_units; u++) {
    if (emg_spikes_count(truth, u) > 0) {
      (*list)[(*n)++] = u;
    }
  }
  return EMG_OK;
}

static double energy_of(const emg_signal *x) {
  double total = 0;

  for (int64_t t = 0; t < x->n_samples; t++) {
    const float *row = emg_signal_row(x, t);
    double sum = 0;
    for (int c = 0; c < x->n_channels; c++) {
      sum += (double)row[c] * row[c];
    }
    total += sum;
  }
  return total;
}

// --- those of the truth ---

// What a channel makes of an action potential: the amplifier forwards, the decomposer both ways.
typedef struct {
  emg_filter amplifier, band;
} channel_filters;

static emg_status design(const emg_config *config, double rate_hz, channel_filters *out,
                         emg_error *err) {
  out->amplifier = (emg_filter){0};
  EMG_TRY(emg_filter_amplifier(&out->amplifier, config->sensor.bandpass_low_hz,
                               config->sensor.bandpass_high_hz, rate_hz, err));
  return emg_filter_decomposer(&config->decompose, rate_hz, &out->band, err);
}

// Filtered action potential of one unit, its middle tap at row `half_window`.
static emg_status copy_muap(const emg_muap_bank *muaps, int u, const emg_prepared *prepared,
                            const channel_filters *filters, const emg_units *units, float *row,
                            emg_error *err) {
  const emg_unit *unit = &units->items[units->n - 1];
  int n_channels = prepared->signal.n_channels;
  int64_t length = 2 * units->half_window, first = units->half_window - muaps->n_taps / 2;

  for (int c = 0; c < n_channels; c++) {
    memset(row, 0, (size_t)length * sizeof *row);
    memcpy(row + first, emg_muap_row(muaps, u, prepared->channel[c]),
           (size_t)muaps->n_taps * sizeof *row);
    emg_filter_causal(&filters->amplifier, length, row);
    EMG_TRY(emg_filter_zero_phase(&filters->band, length, row, err));
    for (int64_t t = 0; t < length; t++) {
      unit->muap[t * n_channels + c] = row[t];
    }
  }
  return EMG_OK;
}

// The recording's channels are scaled in ways of their own: scale the action potentials of each to
// fit it, by least squares over the sum of all units.
static emg_status scale_to_channels(const emg_signal *x, emg_units *units, emg_error *err) {
  int n_channels = x->n_channels;
  emg_signal sum = {0};
  double *gain = NULL, *square = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_signal_create(n_channels, x->n_samples, x->margin, x->rate_hz, &sum, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_channels, sizeof *gain, &gain, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_channels, sizeof *square, &square, err));
  for (int i = 0; i < units->n; i++) {
    emg_unit_put(&sum, units, i, 1);
  }
  for (int64_t t = 0; t < x->n_samples; t++) {
    const float *model = emg_signal_row(&sum, t), *row = emg_signal_row(x, t);
    for (int c = 0; c < n_channels; c++) {
      gain[c] += (double)model[c] * row[c];
      square[c] += (double)model[c] * model[c];
    }
  }
  for (int i = 0; i < units->n; i++) {
    for (int64_t k = 0; k < 2 * units->half_window * n_channels; k++) {
      ptrdiff_t c = k % n_channels;
      units->items[i].muap[k] *= square[c] > 0 ? (float)(gain[c] / square[c]) : 0;
    }
  }

done:
  emg_signal_free(&sum);
  free(gain);
  free(square);
  return status;
}

static emg_status take_true(const emg_spikes *truth, const emg_muap_bank *muaps, const int *active,
                            int n_active, const channel_filters *filters, emg_true_units *out,
                            emg_error *err) {
  const emg_signal *x = &out->prepared.signal;
  float *row;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)(2 * out->units.half_window), sizeof *row, &row, err));
  for (int i = 0; i < n_active; i++) {
    EMG_TRY_DONE(add_train(truth, active[i], muaps->n_taps / 2 - muaps->origin, x->n_channels,
                           &out->units, err));
    EMG_TRY_DONE(copy_muap(muaps, active[i], &out->prepared, filters, &out->units, row, err));
  }
  EMG_TRY_DONE(scale_to_channels(x, &out->units, err));
  for (int i = 0; i < out->units.n; i++) {
    emg_unit_put(&out->noise, &out->units, i, -1);
  }

done:
  free(row);
  return status;
}

// --- those fitted ---

// Action potentials of the units `active` in `residual`, which loses them: block Gauss-Seidel until
// a sweep takes less than 1e-4 of what is left, `n_sweeps` at most.
static emg_status fit(const emg_spikes *truth, const int *active, int n_active, int n_sweeps,
                      emg_signal *residual, emg_units *units, emg_error *err) {
  const double enough = 1e-4;

  units->half_window = samples_of(fitted_half_ms, residual->rate_hz);
  for (int i = 0; i < n_active; i++) {
    int64_t shift;
    EMG_TRY(emg_centre_of_energy(residual, emg_spikes_of(truth, active[i]),
                                 emg_spikes_count(truth, active[i]), units->half_window, &shift,
                                 err));
    EMG_TRY(add_train(truth, active[i], shift, residual->n_channels, units, err));
  }
  double before = energy_of(residual);
  for (int sweep = 0; sweep < n_sweeps; sweep++) {
    EMG_TRY(emg_units_fit(residual, units, 1, err));
    double after = energy_of(residual);
    if (before - after < enough * after) {
      break;
    }
    before = after;
  }
  return EMG_OK;
}

// Whether the discharges explain more of the noise than chance lets any action potentials explain
// (fitted to N samples, p values per channel take p / N of it), and not just rounding.
static emg_status is_unexplained(const emg_spikes *truth, const int *active, int n_active,
                                 const emg_signal *x, const emg_signal *noise, bool *is_so,
                                 emg_error *err) {
  const int sweeps = 3;
  const double margin = 0.1, rounding = 1e-4;
  emg_signal residual = {0};
  emg_units units = {0};
  emg_status status;

  EMG_TRY_DONE(emg_signal_copy(noise, &residual, err));
  EMG_TRY_DONE(fit(truth, active, n_active, sweeps, &residual, &units, err));
  double n_values = (double)n_active * 2 * (double)units.half_window;
  double by_chance = n_values / (double)noise->n_samples;
  double before = energy_of(noise), drop = before - energy_of(&residual);
  *is_so = drop > (by_chance + margin) * before && drop > rounding * energy_of(x);

done:
  emg_signal_free(&residual);
  emg_units_free(&units);
  return status;
}

static emg_status take_fitted(const emg_spikes *truth, const int *active, int n_active,
                              emg_true_units *out, emg_error *err) {
  const int sweeps_most = 60;
  const emg_signal *x = &out->prepared.signal;

  emg_units_free(&out->units);
  memcpy(out->noise.rows, x->rows, (size_t)x->n_samples * (size_t)x->n_channels * sizeof(float));
  out->is_fitted = true;
  return fit(truth, active, n_active, sweeps_most, &out->noise, &out->units, err);
}

// --- all together ---

emg_status emg_true_units_create(const emg_recording *rec, const emg_spikes *truth,
                                 const emg_muap_bank *muaps, const emg_config *config,
                                 const emg_monitor *monitor, emg_true_units *out, emg_error *err) {
  bool has_muaps = muaps && muaps->n_units > 0, is_fitted = !has_muaps;
  channel_filters filters;
  int n_active;
  emg_status status;

  *out = (emg_true_units){0};
  EMG_TRY(check_input(rec, truth, muaps, err));
  EMG_TRY(design(config, rec->rate_hz, &filters, err));
  int64_t half = samples_of(fitted_half_ms, rec->rate_hz);
  if (has_muaps) {
    half = (muaps->n_taps + 1) / 2 + samples_of(ringing_ms, rec->rate_hz);
  }
  out->units.half_window = half;
  EMG_TRY_DONE(list_active(truth, &out->truth, &n_active, err));
  EMG_TRY_DONE(emg_prepare(rec, config, monitor, 2 * half + 1, &out->prepared, err));
  EMG_TRY_DONE(emg_signal_copy(&out->prepared.signal, &out->noise, err));
  if (has_muaps) {
    EMG_TRY_DONE(take_true(truth, muaps, out->truth, n_active, &filters, out, err));
    EMG_TRY_DONE(is_unexplained(truth, out->truth, n_active, &out->prepared.signal, &out->noise,
                                &is_fitted, err));
  }
  if (is_fitted) {
    EMG_TRY_DONE(take_fitted(truth, out->truth, n_active, out, err));
  }
  emg_log(monitor, EMG_LOG_INFO, "ceiling", "units = %d, action potentials = %s", n_active,
          is_fitted ? "fitted" : "true");

done:
  if (status != EMG_OK) {
    emg_true_units_free(out);
  }
  return status;
}
