// model_guide_priv.h -- the forward model as a guide of the joint model (model_guide.c)
#ifndef EMG_INVERSE_MODEL_GUIDE_PRIV_H
#define EMG_INVERSE_MODEL_GUIDE_PRIV_H

#include <emgtwin/guide.h>

#include "inverse_priv.h"

typedef struct {
  emg_fit fit;
  double cosine;  // of action potential and fit, both whitened
} emg_fitted;

typedef struct {
  emg_config config;
  const emg_monitor *monitor;
  bool has_started;
  int discharge_rows;            // by which discharges come before spikes, in the view
  emg_filter filter, amplifier;  // of the decomposer, of the recording
  emg_subject subject;
  emg_bank bank;
  emg_metric metric;  // of what is left
  emg_fit_problem problem;
  int n_rooms;
  emg_fit_room **rooms;  // of each thread
  double *variance;      // of each channel of what is left
  int n_results;
  emg_fitted *results;  // of the units that were kept, in order
} emg_model_guide;

// Set config and monitor, the rest to 0; everything else is made at the first proposal.
emg_guide emg_model_guide_as_guide(emg_model_guide *guide);
void emg_model_guide_free(emg_model_guide *guide);

#endif
