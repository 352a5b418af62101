// paper_priv.h -- ascent of the kurtosis of sources, after Halatsis et al. 2025 (arXiv:2510.17822)
#ifndef EMG_INVERSE_PAPER_PRIV_H
#define EMG_INVERSE_PAPER_PRIV_H

#include "model_guide_priv.h"

// --- the objective (paper_source.c) ---

// A recording, extended and whitened. Sources are s = (W b)' y, where W b is the whitened block of
// a unit's action potential: up to its size b' C^-1 xe, the linear filter of least mean square.
typedef struct {
  const emg_fit_problem *problem;
  const emg_metric *metric;
  int64_t n_samples;
  float *whitener;  // W, [rank][D]
  float *white;     // y, [sample][rank]
} emg_paper_source;

// `problem` and `metric` must outlive it.
emg_status emg_paper_source_create(const emg_fit_problem *problem, const emg_metric *metric,
                                   const emg_guided_signal *shown, emg_paper_source *out,
                                   emg_error *err);
void emg_paper_source_free(emg_paper_source *source);

// A unit tried on the recording.
typedef struct {
  emg_mean_unit unit;
  int row;                               // of the window at which the block of the filter ends
  double kurtosis;                       // of the source, excess
  double gradient[EMG_UNIT_PARAMETERS];  // of the kurtosis by the parameters, the row held
} emg_paper_point;

// Ends the blocks of all points where the filter is most visible, b' C^-1 b largest.
emg_status emg_paper_place(const emg_paper_source *source, int n, emg_paper_point *points,
                           emg_error *err);
// Kurtosis of all points and, if asked, its gradient. `filters`, if not NULL, takes their filters
// [n][D]. Same bits at any number of threads.
emg_status emg_paper_evaluate(const emg_paper_source *source, bool with_gradient, int n,
                              emg_paper_point *points, float *filters, emg_error *err);

// --- the search (paper.c) ---

// The subject of a guide that holds a configuration, the metric of invert.paper_taps delays, and
// the recording in it.
emg_status emg_paper_open(emg_model_guide *guide, const emg_guided_signal *shown,
                          emg_paper_source *source, emg_error *err);

// Fills guide->results; `found` has the same units.
emg_status emg_paper_run(const emg_recording *rec, emg_model_guide *guide, emg_decomposition *found,
                         emg_error *err);

#endif
