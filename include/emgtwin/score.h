// score.h -- agreement of spike trains with the truth, one-to-one
#ifndef EMG_SCORE_H
#define EMG_SCORE_H

#include <stdbool.h>

#include <emgtwin/config.h>
#include <emgtwin/log.h>
#include <emgtwin/muap.h>
#include <emgtwin/recording.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Two discharges agree if they lie within the tolerance of each other after a common lag of the
// pair, each in at most one agreement. Times become whole samples, rounded down, and a distance of
// exactly the tolerance agrees.
typedef struct {
  double tolerance_ms, max_lag_ms;
  double match_min;        // a pair is a match from this value of the criterion on
  bool match_by_f1;        // criterion: F1 (MUniverse) instead of rate of agreement
  bool remove_duplicates;  // of the result, before matching, first kept: rate of agreement from 0.3
                           // on within +-10 ms (MUnitQuest)
} emg_score_options;

// "strict" (0.5 ms, rate of agreement), "muniverse" (1 ms, +-100 ms, F1 >= 0.3), "munitquest"
// (the same after removal of duplicates, F1 >= 0.5, sum of F1 as the score).
emg_status emg_score_preset(const char *name, emg_score_options *out, emg_error *err);

// One estimated unit and the true one it was matched to.
typedef struct {
  int estimated, truth;  // unit indices; truth -1 if unmatched
  int64_t n_estimated, n_truth, n_common;
  double lag_ms;       // estimated minus true
  double precision;    // n_common / n_estimated
  double sensitivity;  // n_common / n_truth
  double f1;           // 2 n_common / (n_estimated + n_truth)
  double roa;          // rate of agreement, n_common / (n_estimated + n_truth - n_common)
  double chance_roa;   // expected of two unrelated trains of these rates at the best lag
  int closest;         // true unit it agrees best with, matched to it or not; -1 if none
  double closest_roa;
  int most_recalled;  // true unit of whose discharges it holds the largest part; -1 if of none
  bool is_duplicate;  // unmatched, but repeats a true unit that is matched to another
} emg_score_pair;

typedef struct {
  int n_estimated, n_truth, n_active;  // n_active: true units with at least one discharge
  emg_score_pair *pairs;               // n_estimated, in order of `estimated`
  int n_matched, n_roa_90, n_roa_50;   // one-to-one
  int n_duplicates, n_false;  // unmatched estimates that repeat a matched unit / that do not
  double precision, sensitivity, f1, roa;  // means over matched pairs, 0 if none
  double sum_f1;
} emg_score_result;

// Match one-to-one (Hungarian, maximal sum of the criterion over pairs from match_min on) after a
// lag search per pair. Unit labels play no part. Figures of a pair are 0 where nothing is matched.
// EMG_ERR_DATA if the rates differ or a train is not ascending; EMG_ERR_ARG for negative or not
// finite options. Same result at any thread count.
emg_status emg_score(const emg_spikes *estimated, const emg_spikes *truth,
                     const emg_score_options *options, emg_score_result *out, emg_error *err);
void emg_score_free(emg_score_result *result);

// How well the discharges of one true unit can be told by linear filters that know its action
// potential h and the covariance C of what they are applied to, f = (C + ridge)^-1 h at the best
// delay, ridge and threshold: rates of agreement, at most 1.
typedef struct {
  int truth;  // unit index
  int64_t n_spikes;
  double one_pass;  // in the recording
  double greedy;    // in what is left of it without the units that had 0.9 before, again and again
  double alone;     // in the recording without any other unit
  double detectability;  // predicted before any decoding: height of its spikes over the standard
                         // deviation of all else in its source, once
} emg_ceiling_unit;

// A unit is predicted to be told from this detectability on (docs/decomposition.md).
#define EMG_DETECTABILITY_MIN 7.0

// Active units that reach a rate of agreement of 0.9 and 0.5.
typedef struct {
  int one_pass, greedy, alone;
} emg_ceiling_count;

typedef struct {
  int n_units;              // active ones
  emg_ceiling_unit *units;  // in order of `truth`
  emg_ceiling_count roa_90, roa_50;
  int n_predicted;  // units from EMG_DETECTABILITY_MIN on
  int n_rounds;     // of the greedy bound, the one pass included
  bool is_fitted;   // the action potentials were fitted to the recording at the true discharges
} emg_ceiling_result;

// Upper bounds of decomposition: what the truth about a recording lets filters like those of the
// decomposer find. `muaps` are the true action potentials as simulated, before amplifier and
// filters; NULL or no units, or such that the recording is not explained by them: least squares at
// the true discharges, which also fits noise and makes the bounds of weak units too high. `config`:
// the configuration of the recording, with the decompose section the bounds are for. Tolerance and
// lag as in emg_score. EMG_ERR_DATA if truth and recording do not belong together or emg_decompose
// would refuse the recording; EMG_ERR_INTERRUPTED. Same bits at any thread count.
emg_status emg_ceiling(const emg_recording *rec, const emg_spikes *truth,
                       const emg_muap_bank *muaps, const emg_config *config,
                       const emg_score_options *options, const emg_monitor *monitor,
                       emg_ceiling_result *out, emg_error *err);
void emg_ceiling_free(emg_ceiling_result *result);

#ifdef __cplusplus
}
#endif
#endif
