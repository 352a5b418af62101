// edit_priv.h -- what the files of editing share: the editor, sources of units as they are now
#ifndef EMG_DECOMP_EDIT_PRIV_H
#define EMG_DECOMP_EDIT_PRIV_H

#include <emgtwin/edit.h>

#include "ckc_priv.h"
#include "online_priv.h"

// The part of the recording that was decomposed, of all channels or of one grid, as it is worked
// on.
typedef struct {
  bool is_ready;
  char group[32];        // the grid, "" for all channels
  emg_recording window;  // a view of the recording, with states of channels of its own
  int64_t begin;         // of the window, in samples of the recording
  emg_prepared prepared;
  int n_taps, n_dimensions, n_delays;
  int64_t half_window, refractory;
  emg_spans whole, search;
  emg_signal residual;       // the signal less the action potentials of all units
  emg_units units;           // with the action potentials, in the order of the trains
  const emg_spikes *trains;  // of the last fit, in samples of the recording
  emg_whitener inverse;      // of the residual's covariance
  float *views, *images;     // [D][n_delays] scratch
  double *sum;               // [D] scratch
  int64_t *places;           // scratch for the spikes of a unit
  int64_t n_places;
} emg_edit_workspace;

struct emg_editor {
  emg_decomposition *d;
  const emg_recording *rec;
  const emg_config *config;
  const emg_monitor *monitor;
  emg_spike_picker picker;  // for sources of the whole recording
  emg_edit_workspace w;
  emg_filters_learner *learner;
};

// A unit's filter in the recording less all other units.
typedef struct {
  int64_t delay;  // y of the filter, so many samples after a spike, is the source at the spike
  float *filter;  // [D]; the source has the mean height 1 at the spikes it is made of
  double noise;   // standard deviation of what is left of the recording in the source
} emg_edit_filter;
void emg_edit_filter_free(emg_edit_filter *filter);

void emg_edit_workspace_free(emg_edit_workspace *w);
// Least-squares action potentials of all trains of `d`, the residual and its covariance, in the
// channels that the unit was found in.
emg_status emg_edit_fit(emg_editor *editor, const emg_decomposition *d, int unit, emg_error *err);
// After a fit: the filter of a unit from its spikes in begin .. end - 1, f = C^-1 SUM xe(s +
// delay), at the delay where it stands out most, and its source y[n_samples], with peaks at the
// spikes.
emg_status emg_edit_source(emg_editor *editor, int unit, int64_t begin, int64_t end,
                           emg_edit_filter *out, float *y, emg_error *err);
// The source of a unit as the user sees it, malloc'ed: the one that is kept, else made anew.
emg_status emg_edit_current_source(emg_editor *editor, int unit, float **y, emg_error *err);
// Figures, source and averages of a unit of `d`.
emg_status emg_edit_measure(emg_editor *editor, emg_decomposition *d, int unit, emg_error *err);
// Separation filters of units of `d` for new data, if it has any.
emg_status emg_edit_learn(emg_editor *editor, emg_decomposition *d, int n, const int *units,
                          emg_error *err);

// Spikes of one unit, malloc'ed and ascending.
typedef struct {
  int64_t n, *spikes;
} emg_edit_train;
emg_status emg_edit_train_create(int64_t n_most, emg_edit_train *out, emg_error *err);
emg_status emg_edit_train_copy(const emg_spikes *from, int unit, int64_t n_more,
                               emg_edit_train *out, emg_error *err);
void emg_edit_train_sort(emg_edit_train *train);

// The operations on trains: what becomes of the unit, or units, of the operation. `made` is freed
// by the caller.
emg_status emg_edit_add(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                        emg_error *err);
emg_status emg_edit_delete(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                           emg_error *err);
emg_status emg_edit_remove_outliers(emg_editor *editor, const emg_edit_operation *op,
                                    emg_edit_train *made, emg_error *err);
emg_status emg_edit_redetect(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                             emg_error *err);
emg_status emg_edit_merge(emg_editor *editor, const emg_edit_operation *op, emg_edit_train *made,
                          emg_error *err);
emg_status emg_edit_split(emg_editor *editor, const emg_edit_operation *op, emg_edit_train made[2],
                          emg_error *err);

const char *emg_edit_name(emg_edit_kind kind);
// The operation and what it changed as a line for the log, malloc'ed: without times and names of
// files, so that the same edits give the same line.
emg_status emg_edit_compose(const emg_spikes *spikes, const emg_edit_operation *op,
                            const emg_edit_change *change, char **line, emg_error *err);

// Samples of the least time between two discharges of one motor neuron, also in a doublet.
int64_t emg_edit_doublet_samples(const emg_editor *editor);

#endif
