// online_priv.h -- the parts of a decomposition that goes on
#ifndef EMG_DECOMP_ONLINE_PRIV_H
#define EMG_DECOMP_ONLINE_PRIV_H

#include <base/filter.h>
#include <emgtwin/online.h>

#include "ckc_priv.h"

// The filter that channels go through, of order 2 at either edge whatever decomposition used: it
// runs forwards alone, and what it does to the phase is learned along.
emg_status emg_filters_band(double low_hz, double high_hz, double notch_hz, double rate_hz,
                            emg_filter *out, emg_error *err);

// Channels of a recording that were found good or, without findings, are by the same rules; room
// for all. Ascending (causal.c).
emg_status emg_good_channels(const emg_recording *rec, const emg_config *config,
                             const emg_channel_finding *finding, int32_t *channel, int *n,
                             emg_error *err);
// These channels into the rows of `x`, through a filter that runs forwards from rest at the first
// sample.
emg_status emg_filter_channels(const emg_recording *rec, const int32_t *channel,
                               const emg_filter *filter, emg_signal *x, emg_error *err);

// Filters learned from one recording again and again as its trains change (filters_learn.c);
// `config` must outlive the learner. `finding`: what became of each channel of the recording, of
// which the good ones are used; NULL: found again.
typedef struct emg_filters_learner emg_filters_learner;
emg_status emg_filters_learner_create(const emg_recording *rec, const emg_config *config,
                                      const emg_channel_finding *finding, emg_filters_learner **out,
                                      emg_error *err);
void emg_filters_learner_free(emg_filters_learner *learner);
// The filters of units which[n] among all trains, in this order.
emg_status emg_filters_learner_learn(emg_filters_learner *learner, const emg_recording *rec,
                                     const emg_spikes *spikes, int n, const int *which,
                                     emg_filters *out, emg_error *err);
// emg_filters_learn with the channels that are known to be good.
emg_status emg_filters_learn_in(const emg_recording *rec, const emg_channel_finding *finding,
                                const emg_spikes *spikes, const emg_config *config,
                                const emg_monitor *monitor, emg_filters *out, emg_error *err);

// Sources are computed for so many samples together, always by the same instructions, so that their
// bits do not depend on how many there are.
enum { EMG_ONLINE_GROUP = 8, EMG_ONLINE_HOP = 32 };

// sources[n_units][GROUP] of GROUP samples, of which the first looks back on `x`:
// SUM_d weights[u][d] x[sample * step + d]. Rows of `weights` have n_padded values, a multiple of
// 8, the last of them 0; as many of `x` are read.
void emg_online_sources(int n_units, int n_padded, const float *weights, int step, const float *x,
                        float *sources);

// What is known of a unit while samples come.
typedef struct {
  float before, last;  // source at the two latest samples
  int64_t pending;     // sample of a peak that may still be replaced, -1: none
  float pending_height;
} emg_online_unit;

typedef struct emg_online_adapter emg_online_adapter;

struct emg_online {
  emg_filters filters;
  emg_filter band;
  int n_padded;  // values of a row of `weights`
  int64_t refractory;
  int64_t n_samples;  // so far
  int64_t n_bad;
  float *weights;  // [n_units][n_padded]
  double *filter_state;
  float *good;     // [n_channels] last good value
  float *rows;     // [capacity][n_channels] filtered, with slack behind
  int64_t n_rows;  // in use, the last of them that of the latest sample
  int64_t n_kept;  // rows that may be looked back on
  float *group;    // [n_units][EMG_ONLINE_GROUP]
  emg_online_unit *units;
  emg_online_adapter *adapter;  // NULL: filters stay as they are
};

emg_status emg_online_adapter_create(const emg_filters *filters, emg_online_adapter **out,
                                     emg_error *err);
void emg_online_adapter_free(emg_online_adapter *adapter);
// After every HOP samples: `x` is the first of these rows, with what it looks back on before it.
void emg_online_adapt_hop(emg_online *online, const float *x);
// A discharge of unit u: `x` is the extended vector at its peak.
void emg_online_adapt_discharge(emg_online *online, int u, const float *x, double height);

#endif
