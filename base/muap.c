// muap.c -- banks of motor-unit action potentials
#include <emgtwin/muap.h>

#include <stdlib.h>

#include <emgtwin/array.h>

emg_status emg_muap_bank_create(int n_units, int n_channels, int n_taps, int origin, double rate_hz,
                                emg_muap_bank *out, emg_error *err) {
  *out = (emg_muap_bank){.n_units = n_units, .n_channels = n_channels, .n_taps = n_taps,
                         .origin = origin, .rate_hz = rate_hz};
  size_t rows = (size_t)n_units * (size_t)n_channels;
  return emg_alloc_aligned(rows * (size_t)n_taps, sizeof(float), &out->data, err);
}

void emg_muap_bank_free(emg_muap_bank *bank) {
  free(bank->data);
  *bank = (emg_muap_bank){0};
}
