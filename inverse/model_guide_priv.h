// model_guide_priv.h -- the forward model as a guide of the joint model (model_guide.c)
#ifndef EMG_INVERSE_MODEL_GUIDE_PRIV_H
#define EMG_INVERSE_MODEL_GUIDE_PRIV_H

#include <emgtwin/guide.h>

#include "inverse_priv.h"

// One bar for all steps (progress.c). Set outer, name and n_rounds, the rest to 0.
typedef struct {
  const emg_monitor *outer;
  const char *name;
  int n_rounds, round, n_units;
  int64_t done;
} emg_invert_progress;
// To be given to the steps; `progress` must outlive it.
emg_monitor emg_invert_monitor(emg_invert_progress *progress);

typedef struct {
  emg_config config;
  const emg_monitor *monitor;
  emg_invert_progress *progress;              // what the monitor tells of; NULL: nothing
  emg_profile shared[EMG_SHARED_PARAMETERS];  // how well it is known what all units share
  bool has_started;
  int discharge_rows;            // by which discharges come before spikes, in the view
  emg_filter filter, amplifier;  // of the decomposer, of the recording
  emg_subject subject;
  emg_bank bank;
  emg_metric metric;         // of what is left
  emg_metric search_metric;  // the same by half the taps
  emg_fit_problem problem;
  int n_rooms;
  emg_fit_room **rooms;    // of each thread
  double *variance;        // of each channel of what is left
  double searched_energy;  // of what was left when trains were last proposed
  int n_results;
  emg_fitted *results;     // of the units that were kept, in order
  int n_left_out;          // units that no mean unit explains
  double left_out_cosine;  // largest of theirs
} emg_model_guide;

// Set config, monitor and shared, the rest to 0; everything else is made at the first proposal.
emg_guide emg_model_guide_as_guide(emg_model_guide *guide);
void emg_model_guide_free(emg_model_guide *guide);
// How the subject sees the recording.
emg_view_source emg_model_guide_view(const emg_model_guide *guide, const emg_guided_signal *shown);
// Fits out[n] of units in the end of a search, in the metric of what is left.
emg_status emg_model_guide_fit(emg_model_guide *guide, const emg_guided_signal *shown, int n,
                               const emg_guided_unit *units, emg_fitted *out, emg_error *err);

// --- what all units share, from a first search (survey.c) ---

// The values that `invert` asks for are set in config; out[EMG_SHARED_PARAMETERS] says how well
// they are known. Nothing is searched if all are fixed.
emg_status emg_survey(const emg_recording *rec, emg_config *config, const emg_monitor *monitor,
                      emg_profile out[EMG_SHARED_PARAMETERS], emg_error *err);

// The subject as this recording shows it, and the problem of its fits without a metric.
emg_status emg_model_guide_open(emg_model_guide *guide, const emg_guided_signal *shown,
                                emg_error *err);
// Mean of the signal about the spikes, out[n_window][channel]; returns how many lie inside.
int64_t emg_model_guide_average(const emg_guided_signal *shown, const int64_t *spikes, int64_t n,
                                float *out);

// EMG_ERR_DATA unless the recording has as many channels as the grid and the montage (invert.c).
emg_status emg_check_channels(const emg_recording *rec, const emg_config *config, emg_error *err);

#endif
