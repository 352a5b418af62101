// match_priv.h -- how well two spike trains agree, and who belongs to whom
#ifndef EMG_DECOMP_MATCH_PRIV_H
#define EMG_DECOMP_MATCH_PRIV_H

#include <stdint.h>

#include <emgtwin/score.h>
#include <emgtwin/status.h>

// EMG_ERR_ARG for options that are negative or not finite (score.c).
emg_status emg_score_check(const emg_score_options *options, emg_error *err);

// Scratch of one thread for pairs of trains: lags up to +-max_lag samples, partners within
// +-tolerance samples of each other after the lag.
typedef struct {
  int64_t max_lag, tolerance;
  int32_t *counts;  // differences -(max_lag + tolerance) .. max_lag + tolerance
} emg_matcher;

emg_status emg_matcher_create(int64_t max_lag, int64_t tolerance, emg_matcher *out, emg_error *err);
void emg_matcher_free(emg_matcher *matcher);

typedef struct {
  int64_t n_common;  // pairs, each spike in at most one
  int64_t lag;     // of `a` behind `b`, in samples: the one with most pairs, then the best centred
  double roa, f1;  // 0 if both trains are empty
} emg_agreement;

// Agreement of two ascending trains of samples from 0 on at their best common lag. Swapping them
// swaps the lag's sign, unless two opposite lags are equally good.
emg_agreement emg_match_trains(emg_matcher *matcher, const int64_t *a, int64_t n_a,
                               const int64_t *b, int64_t n_b);

// Whole samples in a time, tolerant of rounding: 1 ms at 2000 Hz is 2 samples, not 1. At most 2^40.
int64_t emg_samples_in_ms(double time_ms, double rate_hz);

// Rate of agreement that two unrelated trains of n_a and n_b spikes in n_samples reach at the best
// of 2 max_lag + 1 lags, in expectation (docs/decomposition.md).
double emg_chance_roa(int64_t n_a, int64_t n_b, int64_t n_samples, int64_t max_lag,
                      int64_t tolerance);

// One-to-one assignment with the largest sum. value[n_rows][n_columns] >= 0; column_of_row[n_rows]
// receives a column or -1 (rows beyond the number of columns). Kuhn-Munkres with potentials,
// O(min^2 max).
emg_status emg_assign(int n_rows, int n_columns, const double *value, int *column_of_row,
                      emg_error *err);

#endif
