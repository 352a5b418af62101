// muap.h -- bank of motor-unit action potentials
#ifndef EMG_MUAP_H
#define EMG_MUAP_H

#include <stddef.h>

#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// data[unit][channel][tap] in uV; tap `origin` is the instant of discharge.
typedef struct {
  int n_units, n_channels, n_taps, origin;
  double rate_hz;
  float *data;
} emg_muap_bank;

static inline float *emg_muap_row(const emg_muap_bank *bank, int unit, int channel) {
  return bank->data + ((ptrdiff_t)unit * bank->n_channels + channel) * bank->n_taps;
}

emg_status emg_muap_bank_create(int n_units, int n_channels, int n_taps, int origin, double rate_hz,
                                emg_muap_bank *out, emg_error *err);
void emg_muap_bank_free(emg_muap_bank *bank);

#ifdef __cplusplus
}
#endif
#endif
