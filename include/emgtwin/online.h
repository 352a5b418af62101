// online.h -- stored separation filters applied to samples as they arrive
#ifndef EMG_ONLINE_H
#define EMG_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/file.h>
#include <emgtwin/filters.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// A decomposition that goes on: filters at work, with the signal they look back on.
//
// One thread per state; different states are independent. Nothing is allocated after creation, and
// cutting the samples in other batches changes no bit of the result.
typedef struct emg_online emg_online;

typedef struct {
  // Let filters and thresholds follow action potentials that change over minutes
  // (docs/decomposition.md).
  bool is_adaptive;
} emg_online_options;

// `filters` are copied; `options` NULL: none. EMG_ERR_ARG if there are no filters, EMG_ERR_CONFIG
// for a band that cannot be, EMG_ERR_MEMORY.
emg_status emg_online_create(const emg_filters *filters, const emg_online_options *options,
                             emg_online **out, emg_error *err);
void emg_online_free(emg_online *online);

// EMG_ERR_DATA if the rate or the number of channels of a recording is not that of the filters.
emg_status emg_online_check(const emg_online *online, const emg_recording *rec, emg_error *err);

// A discharge of `unit` at `sample`, counted from the first sample pushed; `height` is that of the
// source, about 1. Called in the order of decision, ties in the order of units.
typedef void (*emg_spike_fn)(int unit, int64_t sample, double height, void *user);

// Take `n` samples of all recorded channels in uV, samples[n][n_channels_recorded], and report the
// discharges that are certain by now. `sources`, if not NULL, receives the sources at these
// samples, sources[n][n_units]. A value that is not finite, or beyond 1e9 uV, counts as bad and is
// replaced by the channel's last good one, so that it does not spoil what follows.
void emg_online_push(emg_online *online, const float *samples, int64_t n, float *sources,
                     emg_spike_fn report, void *user);
// Report what is still pending. Samples may follow; the refractory time starts anew.
void emg_online_flush(emg_online *online, emg_spike_fn report, void *user);

// A discharge of a unit at sample s is reported when sample s + latency has been pushed: the time
// at which the source peaks, and the refractory time, in which a greater peak would replace it.
int64_t emg_online_latency(const emg_online *online, int unit);
// Bad values so far, over all channels in use.
int64_t emg_online_bad_values(const emg_online *online);
int64_t emg_online_samples(const emg_online *online);
// The filters as they are now.
const emg_filters *emg_online_filters(const emg_online *online);

// A whole recording, as if it had been pushed: trains, figures, averages, sources if asked for
// (moved so that they peak at the discharges). Fails as emg_online_check.
emg_status emg_online_decompose(const emg_recording *rec, const emg_filters *filters,
                                const emg_online_options *options, bool keep_source,
                                const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
