// muap.c -- banks of motor-unit action potentials
#include <emgtwin/muap.h>

#include <stdlib.h>

#include <emgtwin/array.h>

emg_status emg_muap_bank_create(int n_units, int n_channels, int n_taps, int origin, double rate_hz,
                                emg_muap_bank *out, emg_error *err) {
  *out = (emg_muap_bank){.n_units = n_units,
                         .n_channels = n_channels,
                         .n_taps = n_taps,
                         .origin = origin,
                         .rate_hz = rate_hz};
  size_t count;

  if (n_units < 0 || n_channels < 0 || n_taps < 0 ||
      __builtin_mul_overflow((size_t)n_units * (size_t)n_channels, (size_t)n_taps, &count)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "action potentials cannot be %d units x %d channels x %d taps", n_units,
                    n_channels, n_taps);
  }
  return emg_alloc_aligned(count, sizeof(float), &out->data, err);
}

void emg_muap_bank_free(emg_muap_bank *bank) {
  free(bank->data);
  *bank = (emg_muap_bank){0};
}
