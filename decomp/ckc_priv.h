// ckc_priv.h -- convolution kernel compensation: the extended space without the extended matrix
//
// x(t) are the M channels at sample t. The extended vector is the last R samples in order of time,
//
//   xe(t) = [x(t - R + 1), ..., x(t)],  D = M R values,
//
// which in a recording stored [sample][channel] is one run of memory. A source is y(t) = f' xe(t).
#ifndef EMG_DECOMP_CKC_PRIV_H
#define EMG_DECOMP_CKC_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <base/filter.h>
#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/guide.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>

#include "source_priv.h"

// --- signals (signal.c) ---

// A recording as rows of channels, with `margin` rows of zeros before and after.
typedef struct {
  int n_channels;
  int64_t n_samples, margin;
  double rate_hz;
  float *rows;    // sample 0, channel 0; rows -margin .. n_samples + margin - 1 may be read
  float *memory;  // what to free
} emg_signal;

emg_status emg_signal_create(int n_channels, int64_t n_samples, int64_t margin, double rate_hz,
                             emg_signal *out, emg_error *err);
emg_status emg_signal_copy(const emg_signal *from, emg_signal *out, emg_error *err);
void emg_signal_free(emg_signal *signal);

static inline float *emg_signal_row(const emg_signal *signal, int64_t sample) {
  return signal->rows + sample * signal->n_channels;
}

// The part of a recording that is worked on, as EMG_SPANS pieces in order of time: one piece is
// summed by one thread and pieces are added in order, so results do not depend on the threads.
enum { EMG_SPANS = 16 };
typedef struct {
  int64_t begin[EMG_SPANS], end[EMG_SPANS];  // samples
  int64_t place[EMG_SPANS + 1];              // where each begins when they are laid end to end
} emg_spans;

// Samples begin .. end - 1; if these are more than `most`, pieces of most / EMG_SPANS each, spread
// evenly.
emg_spans emg_spans_over(int64_t begin, int64_t end, int64_t most);
// Sample of a place in the pieces laid end to end; `places` ascending, turned to samples in place.
void emg_spans_to_samples(const emg_spans *spans, int64_t n, int64_t *places);

// --- products with the extended vector (extended.c) ---

// y[source][place] = f' xe for filters[D][n_sources]; `y` has rows of `stride` floats.
emg_status emg_extended_filter(const emg_signal *x, int n_taps, const emg_spans *spans,
                               const float *filters, int n_sources, float *y, int64_t stride,
                               emg_error *err);

// What to do with a block of sources y[n_rows][n_sources] before it is correlated: replace y by
// g(y) and add the derivatives to slopes[n_sources].
typedef void (*emg_contrast_fn)(float *y, int n_rows, int n_sources, float level, double *slopes);

// Room for emg_extended_contrast, for up to n_sources_most sources.
typedef struct {
  int n_dimensions, n_sources_most;
  float *sums;     // [EMG_SPANS][D][n_sources]
  double *slopes;  // [EMG_SPANS][n_sources]
  float *blocks;   // [EMG_SPANS][block][n_sources]
} emg_sweep;
emg_status emg_sweep_create(int n_dimensions, int n_sources_most, emg_sweep *out, emg_error *err);
void emg_sweep_free(emg_sweep *sweep);

// means[D][n_sources] = E{xe g(y)} and slopes[n_sources] = E{g'(y)} over the spans, in one pass.
void emg_extended_contrast(const emg_signal *x, int n_taps, const emg_spans *spans,
                           const float *filters, int n_sources, emg_contrast_fn contrast,
                           float level, emg_sweep *sweep, float *means, double *slopes);

// sum[D] = SUM xe(s) over the spikes.
void emg_extended_gather(const emg_signal *x, int n_taps, const int64_t *spikes, int64_t n_spikes,
                         double *sum);

// means[D][M] = E{xe(t) x(t)'}: the covariances of the channels at lags R - 1 .. 0.
emg_status emg_extended_lags(const emg_signal *x, int n_taps, const emg_spans *spans, float *means,
                             emg_error *err);

// --- covariance and its inverse (whitener.c) ---

// covariance[D][D] of xe over the spans, from the lag covariances, as a block Toeplitz matrix.
emg_status emg_extended_covariance(const emg_signal *x, int n_taps, const emg_spans *spans,
                                   double *covariance, emg_error *err);

// Largest eigenvalue of a covariance [n][n] by power iteration, to the few per cent that a ridge
// needs; `scratch` holds 2 n.
double emg_largest_eigenvalue(int n, const double *matrix, double *scratch);

typedef struct {
  int n_taps, n_dimensions, rank;
  float *covariance;  // [D][D]
  float *inverse;     // [D][D], of rank `rank`
} emg_whitener;

// Covariance of xe from the lag covariances, as a block Toeplitz matrix, and its inverse without
// eigenvalues up to the mean of the lower half (Negro et al. 2016). EMG_ERR_DATA if all are 0.
emg_status emg_whitener_create(const emg_signal *x, int n_taps, const emg_spans *spans,
                               emg_whitener *out, emg_error *err);
// The inverse alone, of covariance + ridge * its largest eigenvalue; `covariance` stays NULL.
emg_status emg_whitener_create_ridge(const emg_signal *x, int n_taps, const emg_spans *spans,
                                     double ridge, emg_whitener *out, emg_error *err);
void emg_whitener_free(emg_whitener *whitener);

// Scale filters[D][n_sources] to unit variance, f' C f = 1; scratch[D][n_sources]. A filter of no
// variance becomes 0.
void emg_whitener_normalise(const emg_whitener *whitener, int n_sources, float *filters,
                            float *scratch);
// out[D][n] = inverse in[D][n].
void emg_whitener_apply(const emg_whitener *whitener, int n, const float *in, float *out);

// --- the recording made ready (prepare.c) ---

// Usable channels, filtered, from the largest to the smallest as they were recorded, so that
// results do not depend on the order of the channels; those of each group scaled by a power of two
// to a median root mean square of about 1.
typedef struct {
  emg_signal signal;
  int *channel;                  // of the recording, for each channel of the signal
  bool *is_usable;               // for each: false where it is all 0, see emg_prepare_like
  float *scale;                  // for each: of the recording's units
  int n_recorded;                // channels of the recording
  emg_channel_finding *finding;  // [n_recorded] why others are left out
  double mains_hz;               // whose lines were removed; 0: none
} emg_prepared;

// Leaves out channels that are marked bad or found unusable, with the reason in the log; removes
// mains lines; filters. EMG_ERR_DATA if too little is left, EMG_ERR_CONFIG for an empty band.
emg_status emg_prepare(const emg_recording *rec, const emg_config *config,
                       const emg_monitor *monitor, int64_t margin, emg_prepared *out,
                       emg_error *err);
// Another part of the same recording in the same way: the channels and the scale of `like`.
// Channels of these that are unusable here are 0. EMG_ERR_DATA as above.
emg_status emg_prepare_like(const emg_recording *rec, const emg_config *config,
                            const emg_prepared *like, int64_t margin, emg_prepared *out,
                            emg_error *err);
void emg_prepared_free(emg_prepared *prepared);

// --- search and refinement (search.c, refine.c) ---

// Units found in one search, as filters with their spikes.
typedef struct {
  double sil;
  emg_interval_stats intervals;
  int64_t n_spikes;
  int64_t *spikes;  // samples of the recording at which y peaks
} emg_candidate;

// Iterate config->batch filters from random instants of the spans to sources far from Gaussian;
// filters[D][batch] of unit variance.
emg_status emg_search(const emg_signal *x, const emg_whitener *whitener, const emg_spans *spans,
                      const struct emg_config_decompose *config, uint64_t seed, int round,
                      const emg_monitor *monitor, float *filters, emg_error *err);

// From filters to spikes and back, at most `n_passes` times, while the silhouette rises; the best
// of each source is kept in `candidates` (zeroed by the caller; n_spikes 0: none) and `filters`.
emg_status emg_refine(const emg_signal *x, const emg_whitener *whitener, const emg_spans *spans,
                      const struct emg_config_decompose *config, int n_passes, int n_sources,
                      float *filters, emg_candidate *candidates, emg_error *err);
void emg_candidates_free(int n, emg_candidate *candidates);

// Silhouette of each candidate's spikes in a source they have no part in (validate.c): the filter
// of every other spike is judged at the spikes between, and the reverse; the mean of both.
emg_status emg_validate(const emg_signal *x, const emg_whitener *whitener,
                        const struct emg_config_decompose *config, bool is_last_word,
                        int n_candidates, const emg_candidate *candidates, double *sil,
                        emg_error *err);

// --- units and their action potentials (muaps.c) ---

// Action potentials cover 20 ms on either side of their centre of energy.
typedef struct {
  int64_t n_spikes, *spikes;  // samples at the centre of energy, ascending
  double sil, pnr_db;
  emg_interval_stats intervals;
  float *muap;               // [2 half_window][channel], row half_window at the spike
  float *source;             // [sample], peaks at the spikes; NULL unless kept
  int round;                 // of the search that found it, from 0
  int64_t delay;             // its filter's source peaks so many samples after the spike
  bool has_delay, is_whole;  // is_whole: merged again after a split, not to be split any more
  double noise_variance;     // of its source without its own signal, where a spike has height 1
  emg_guide_note note;       // of the guide, if there is one
} emg_unit;

typedef struct emg_guided emg_guided;
typedef struct {
  int n, capacity;
  int64_t half_window;  // samples
  emg_unit *items;
  const emg_guided *guided;  // shapes action potentials; NULL: least squares
} emg_units;

void emg_units_free(emg_units *units);
// Append a unit without action potentials; takes over nothing, copies the spikes.
emg_status emg_units_add(emg_units *units, int n_channels, const int64_t *spikes, int64_t n_spikes,
                         emg_error *err);
// Remove one; the others keep their order.
void emg_units_remove(emg_units *units, int i);

// residual += sign * action potential at every spike of the unit.
void emg_unit_put(emg_signal *residual, const emg_units *units, int i, float sign);
// The same at the given instants.
void emg_unit_put_at(emg_signal *residual, const emg_units *units, int i, const int64_t *spikes,
                     int64_t n_spikes, float sign);
// Least-squares action potentials of all units, shaped by the guide if there is one: `n_sweeps` of
// block Gauss-Seidel on the residual, h += average of the residual at the spikes, residual -= that.
emg_status emg_units_fit(emg_signal *residual, emg_units *units, int n_sweeps, emg_error *err);
// Samples from the given spikes to the centre of energy of their average.
emg_status emg_centre_of_energy(const emg_signal *x, const int64_t *spikes, int64_t n_spikes,
                                int64_t half_window, int64_t *shift, emg_error *err);

// --- all units once more (joint.c) ---

// `n_iterations` times: filter of each unit from its action potential and the covariance of the
// residual over the spans; each unit's spikes anew from the residual and its own signal, by
// likelihood; action potentials fitted to the new spikes. Then the units' figures.
emg_status emg_joint_iterate(emg_signal *residual, emg_units *units,
                             const struct emg_config_decompose *config, int n_taps,
                             const emg_spans *covariance_spans, int n_iterations,
                             bool keeps_sources, emg_error *err);
// Split units whose spikes are those of two (split.c); the second part becomes a new unit at the
// end. Spikes, the residual and the figures are out of step until the next fit and joint iteration.
emg_status emg_units_split(emg_signal *residual, emg_units *units,
                           const struct emg_config_decompose *config, int n_taps,
                           const emg_spans *spans, int *n_split, emg_error *err);
// Pairs of units with alike action potentials whose union is one train become one.
emg_status emg_units_merge(emg_signal *residual, emg_units *units,
                           const struct emg_config_decompose *config, int *n_merged,
                           emg_error *err);
// Of units that are mostly the same train, all but the one with the highest silhouette go; their
// signal returns to the residual.
emg_status emg_remove_duplicates(emg_signal *residual, emg_units *units, double agreement_max,
                                 emg_error *err);
// Whether a train agrees with a unit more than that.
emg_status emg_is_known(const emg_units *units, const int64_t *spikes, int64_t n_spikes,
                        double rate_hz, double agreement_max, bool *is_known, emg_error *err);

int64_t emg_refractory_samples(const struct emg_config_decompose *config, double rate_hz);

// --- the result (package.c) ---

// Samples from a unit's spikes to where its action potential [2 half_window][channel] begins.
int64_t emg_muap_onset(const float *muap, int64_t half_window, int n_channels);

// Up to which CoV of its intervals a unit of a silhouette is kept: from `weak` at sil_min to
// `strong` at 0.95. Two units taken for one are irregular and, as neither explains the other, not
// well separated.
double emg_isi_cov_limit(double sil, double sil_min, double weak, double strong);

// What a user should look at before trusting a unit: bits of emg_unit_flag.
int32_t emg_unit_flags(double sil, const emg_interval_stats *intervals, double detectability);

// Bring units to the order in which they are reported: of their first spike.
emg_status emg_units_sort(emg_units *units, int n_channels, int64_t n_samples, emg_error *err);

// Units in order of their first spike, moved to where each action potential begins; with
// spike-triggered averages of the recording.
emg_status emg_package(const emg_recording *rec, const emg_prepared *prepared,
                       const emg_units *units, emg_decomposition *out, emg_error *err);

// Averages of the recording at the spikes, into a bank of 0 with a row for each unit and channel.
void emg_average_recording(const emg_recording *rec, const emg_spikes *spikes, emg_muap_bank *bank);

// Delayed copies a channel that the configuration asks for, or that suit the recording (ckc.c).
// EMG_ERR_CONFIG if there are too many.
emg_status emg_choose_taps(const struct emg_config_decompose *config, int n_channels,
                           double rate_hz, int *n_taps, emg_error *err);

// The joint model's filters may be half as long again as the search's where there are samples
// enough to learn the residual's covariance from.
int emg_choose_joint_taps(const struct emg_config_decompose *config, int n_taps, int n_channels,
                          int64_t n_samples, int64_t half_window);

// The method "ckc" (ckc.c), with a guide or (NULL) without.
emg_status emg_ckc_run_guided(const emg_recording *rec, const emg_config *config,
                              const emg_guide *guide, const emg_monitor *monitor,
                              emg_decomposition *out, emg_error *err);
emg_status emg_ckc_run(const emg_recording *rec, const emg_config *config,
                       const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

// The method "cbss" (cbss.c).
emg_status emg_cbss_run(const emg_recording *rec, const emg_config *config,
                        const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

#endif
