// guided_priv.h -- what a guide adds to the joint model (guided.c)
#ifndef EMG_DECOMP_GUIDED_PRIV_H
#define EMG_DECOMP_GUIDED_PRIV_H

#include <emgtwin/guide.h>

#include "ckc_priv.h"

struct emg_guided {
  const emg_guide *guide;
  const emg_prepared *prepared;
  int n_taps;            // of the search
  double agreement_max;  // of two trains of different units
};

// What guides see of a residual.
emg_guided_signal emg_guided_show(const emg_guided *guided, const emg_signal *residual,
                                  const emg_units *units);
// New trains become units, without action potentials.
emg_status emg_guided_propose(const emg_guided *guided, const emg_signal *residual,
                              emg_units *units, int round, emg_error *err);
// Action potentials take the guide's shape, and the residual what this leaves.
emg_status emg_guided_shape(const emg_guided *guided, emg_signal *residual, emg_units *units,
                            emg_error *err);
// Units that the guide rejects go.
emg_status emg_guided_judge(const emg_guided *guided, emg_signal *residual, emg_units *units,
                            emg_error *err);

// emg_decompose_searched of a recording that is not cut any more (searched.c).
emg_status emg_run_searched(const emg_recording *rec, const emg_config *config, int n_rounds,
                            const emg_searcher *searcher, const emg_monitor *monitor,
                            emg_decomposition *out, emg_error *err);

#endif
