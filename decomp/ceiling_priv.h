// ceiling_priv.h -- the true units of a recording, as the bounds of decomposition need them
#ifndef EMG_DECOMP_CEILING_PRIV_H
#define EMG_DECOMP_CEILING_PRIV_H

#include "ckc_priv.h"

typedef struct {
  emg_prepared prepared;  // the recording as every method sees it
  emg_signal noise;       // without any unit
  emg_units units;        // active ones; spikes at the middle of their action potentials
  int *truth;             // of the truth, for each unit
  bool is_fitted;         // action potentials by least squares, not those of the truth
} emg_true_units;

// Action potentials go through the amplifier (config->sensor) and the filter of the decomposer
// (config->decompose) and are scaled to each channel. `muaps` NULL or without units, or such that
// the recording shows more of the units than they explain (they change over time): fitted.
emg_status emg_true_units_create(const emg_recording *rec, const emg_spikes *truth,
                                 const emg_muap_bank *muaps, const emg_config *config,
                                 const emg_monitor *monitor, emg_true_units *out, emg_error *err);
void emg_true_units_free(emg_true_units *units);

#endif
