// inverse_priv.h -- the forward model turned round: from action potentials to motor units
//
// Action potentials are float [window][channel], as the decomposer sees them: usable channels,
// filtered and scaled. Row `origin` is the instant of the discharge. A block is the last R rows up
// to one, D = M R values that lie together, as in the extended vector of a filter.
#ifndef EMG_INVERSE_PRIV_H
#define EMG_INVERSE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <base/filter.h>
#include <emgtwin/array.h>
#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/mean_unit.h>

// --- what is expected of units (expected.c) ---

// Gaussian priors and bounds of the parameters; a deviation of infinity: none is likelier.
typedef struct {
  double mean[EMG_UNIT_PARAMETERS], sd[EMG_UNIT_PARAMETERS];
  double min[EMG_UNIT_PARAMETERS], max[EMG_UNIT_PARAMETERS];
  double floor[EMG_UNIT_PARAMETERS];  // errors beyond noise
  double amplitude_floor;             // the same of the number of fibres, as a share of it
  double error_factor;                // of standard deviations
} emg_expected;

// From section `invert`, about the anatomy and the grid of the configuration; of several muscles,
// the first.
emg_expected emg_expected_from_config(const emg_config *config, const emg_conductor *conductor);
// Unit at a point of the unit cube in the first six parameters; the others as expected.
emg_mean_unit emg_expected_unit(const emg_expected *expected, const double cube[6]);
// The sides of the unit cube: the limits of a parameter, around a ring one turn.
void emg_expected_range(const emg_expected *expected, emg_unit_parameter parameter, double *low,
                        double *high);

// --- from electrodes to the decomposer's eyes (view.c) ---

typedef struct {
  double rate_hz;                     // of the recording
  int oversampling;                   // rate of the model over that
  int n_potential, potential_origin;  // samples of the model's potentials, and of the discharge
  int n_window, origin;               // rows of the action potentials seen
  int max_shift;                      // rows by which they may be moved, either way
  const emg_filter *amplifier;        // of the recording, causal; NULL: none
  const emg_filter *filter;           // of the decomposer, forwards and backwards; NULL: none
  const emg_array2d *weights;         // of the montage: [channels of the recording][electrodes]
  int n_channels;                     // seen
  const int *channel;                 // of the recording, for each
  const float *scale;                 // for each; NULL: 1
} emg_view_source;

// Linear map from potentials at electrodes to action potentials: filters along time, then a mix of
// electrodes.
typedef struct {
  int n_electrodes, n_potential, n_channels, n_window, origin, max_shift, stride;
  double rate_hz;
  float *kernel;  // [n_potential][stride], column max_shift at row 0 of the window
  float *mix;     // [n_channels][n_electrodes]
  // the electrodes of channel c are electrode[first[c] .. first[c + 1] - 1]; NULL: too many
  int *first, *electrode;
  float *weight;
} emg_view;

// EMG_ERR_ARG: sizes that are not positive, a channel the montage does not have.
emg_status emg_view_create(const emg_view_source *source, emg_view *out, emg_error *err);
void emg_view_free(emg_view *view);
// out[n][window][channel] of potentials[n][electrode][sample], `shift` rows later (within
// max_shift); room[n][electrode][window].
void emg_view_apply(const emg_view *view, int n, const float *potentials, int shift, float *room,
                    float *out);

// --- the forward model of a configuration (subject.c) ---

typedef struct {
  emg_conductor conductor;
  emg_action_potential source;
  emg_electrode_set electrodes;
  emg_montage montage;
  emg_expected expected;
  emg_mean_model *model;
  emg_view view;
  int potential_origin;  // sample of the model's potentials at which the unit discharges
} emg_subject;

// What `config` knows of anatomy and grid, seen as `recording` says; its montage and the samples
// of potentials are filled in here. The grid may be moved along the fibres by shift_max_mm
// afterwards. Errors as of what is called.
emg_status emg_subject_create(const emg_config *config, const emg_view_source *recording,
                              double shift_max_mm, emg_subject *out, emg_error *err);
// The same conductor with the electrodes and the anatomy of another configuration, whose fibres
// lie within the range of `from`, which must outlive it: a turned or moved grid, other end planes.
// Costs little, as tables are shared.
emg_status emg_subject_move(const emg_subject *from, const emg_config *config,
                            const emg_view_source *recording, emg_subject *out, emg_error *err);
void emg_subject_free(emg_subject *subject);
// What lies between muscle and air.
double emg_subject_cover_mm(const emg_subject *subject);

// --- the metric of noise (metric.c) ---

// Eigenvectors of the covariance of the extended vector, largest first, down to the mean of the
// lower half of the spectrum.
typedef struct {
  int n_taps, n_channels, n_dimensions, rank;
  float *vectors;  // [rank][D]
  double *values;  // [rank]
} emg_metric;

// covariance[D][D], of rows in order of time; it is overwritten. EMG_ERR_DATA if all is 0.
emg_status emg_metric_create(int n_taps, int n_channels, double *covariance, emg_metric *out,
                             emg_error *err);
void emg_metric_free(emg_metric *metric);
// Disjoint blocks that a window has room for, in its middle.
int emg_metric_blocks(const emg_metric *metric, int n_window);
// Components of these blocks: out[n][block][rank] of action potentials[n][window][channel], not
// yet divided by deviations; room[n][block][D].
void emg_metric_project(const emg_metric *metric, int n_window, int n, const float *potentials,
                        float *room, float *out);
// Row by row, the block that ends at row `last`, which may reach beyond the window.
void emg_metric_block(const emg_metric *metric, int n_window, int last, const float *potential,
                      float *block);

// --- units to start from (bank.c) ---

typedef struct {
  const emg_mean_model *model;
  const emg_view *view;
  const emg_metric *metric;  // not for a bank
  const emg_expected *expected;
  double template_error;
} emg_fit_problem;

typedef struct {
  int n, n_window, n_channels, origin;
  emg_mean_unit *units;
  float *potentials;  // [n][window][channel] of one mean fibre
  double *norms;
} emg_bank;

// Sobol points, in order of the sequence. EMG_ERR_INTERRUPTED by the monitor.
emg_status emg_bank_create(const emg_fit_problem *problem, int n, const emg_monitor *monitor,
                           emg_bank *out, emg_error *err);
void emg_bank_free(emg_bank *bank);

// A unit of the bank as seen so many rows later.
typedef struct {
  int unit, shift;
  double cosine;  // with the action potential looked for
} emg_bank_match;
// The `n_most` units most like an action potential at any shift up to max_shift, best first, each
// unlike the better ones in place or velocity. Returns how many in *n.
emg_status emg_bank_find(const emg_bank *bank, const float *potential, int max_shift, int n_most,
                         emg_bank_match *matches, int *n, emg_error *err);

// --- the fit of one unit (fit.c) ---

enum { EMG_FIT_PARAMETERS = EMG_UNIT_PARAMETERS + 1 };

typedef struct {
  emg_mean_unit unit;
  int shift;         // rows by which it is seen later
  double amplitude;  // in action potentials of a mean fibre: the number of fibres
  // of the unit's parameters, then the amplitude, by the curvature of the cost (Laplace)
  double covariance[EMG_FIT_PARAMETERS][EMG_FIT_PARAMETERS];
  double cost;    // chi^2 and squared distance from what is expected
  double chi2;    // per degree of freedom
  double cosine;  // with the estimate, in the metric of the fit
  int n_iterations;
} emg_fit;

// Room of one thread.
typedef struct emg_fit_room emg_fit_room;
emg_status emg_fit_room_create(const emg_fit_problem *problem, emg_fit_room **out, emg_error *err);
void emg_fit_room_free(emg_fit_room *room);

// Fit a unit to an estimate of its action potential that rests on n_spikes, from fit->unit and
// fit->shift: Levenberg-Marquardt with the amplitude eliminated. EMG_ERR_DATA: an estimate that is
// 0 or no number.
emg_status emg_fit_refine(const emg_fit_problem *problem, const float *estimate, double n_spikes,
                          int n_iterations, emg_fit_room *room, emg_fit *fit, emg_error *err);
// The same from the n_starts likeliest units of the bank, a third of the iterations each; then the
// best goes on.
emg_status emg_fit_search(const emg_fit_problem *problem, const emg_bank *bank,
                          const float *estimate, double n_spikes, int n_starts, int n_iterations,
                          emg_fit_room *room, emg_fit *fit, emg_error *err);
// The fitted action potential [window][channel].
emg_status emg_fit_potential(const emg_fit_problem *problem, const emg_fit *fit, emg_fit_room *room,
                             float *out, emg_error *err);
// An estimate and the fit of it.
typedef struct {
  const float *estimate;
  double n_spikes;
  emg_fit fit;  // to start from
} emg_fit_item;
// fits[n] of estimates, each from where it is, as emg_fit_refine does one.
emg_status emg_fit_all(const emg_fit_problem *problem, int n, const emg_fit_item *units,
                       int n_iterations, emg_fit *fits, emg_error *err);
// A unit as it was fitted in the end.
typedef struct {
  emg_fit fit;
  double n_spikes, to_spike_ms;                      // the spike is so much after row 0 of the fit
  double cosine, height;                             // as of its template
  double shared_variance[EMG_INVERSION_PARAMETERS];  // that errors of shared parameters add
} emg_fitted;
// Standard deviation to report of a parameter, with the error of the model.
double emg_fit_sd(const emg_expected *expected, const emg_fit *fit, emg_unit_parameter parameter);

// --- shrinkage towards the model (shrink.c) ---

// James-Stein: shrunk = model + weight (estimate - model). The weight is the share of their squared
// distance that the noise of an average of n_spikes does not explain; it is returned. `variance` of
// one sample of each channel without this unit.
double emg_shrink(int n_window, int n_channels, const double *variance, double n_spikes,
                  const float *estimate, const float *model, float *shrunk);

typedef struct {
  int delay;      // of the peak of the source after the discharge, samples
  double weight;  // of the estimate
  double cosine;  // of estimate and model, both whitened
  double height;  // of the source at a discharge, in its standard deviations
} emg_template;
// Filter[D] of unit variance from the block in which the estimate answers to the model most, the
// whitened estimate shrunk towards the whitened model.
emg_status emg_template_create(const emg_metric *metric, int n_window, int origin,
                               const float *estimate, const float *model, double n_spikes,
                               float *filter, emg_template *out, emg_error *err);

// --- probes on a recording (probe.c) ---

typedef struct {
  double mean, variance, skewness, kurtosis;  // of the source; of the kurtosis the excess
} emg_moments;

typedef struct {
  int unit, delay;  // of the bank; of the source after the discharge
  double height;    // b' (C + ridge)^-1 b of one mean fibre at that delay
  emg_moments moments;
} emg_probe;

typedef struct {
  int n, n_dimensions;
  emg_probe *items;  // most skewed (or, if asked, of the largest kurtosis) first
  float *filters;    // [n][D], of unit length in the whitened space
} emg_probes;

typedef struct {
  const float *rows;   // [sample][channel]; `n_taps` rows before `begin` may be read
  int64_t begin, end;  // samples that count
  double ridge;        // share of the largest eigenvalue
  int n_most;          // kept
  double cosine_max;   // of two that are kept
  bool by_kurtosis;
} emg_probe_search;

// Filters of all units of the bank at the delay at which each is most visible, on the recording.
emg_status emg_probes_create(const emg_bank *bank, const emg_metric *metric,
                             const emg_probe_search *search, const emg_monitor *monitor,
                             emg_probes *out, emg_error *err);
void emg_probes_free(emg_probes *probes);

// --- parameters shared by all units (shared.c) ---

typedef enum {
  EMG_SHARED_ROTATION,    // of the grid, deg
  EMG_SHARED_FAT,         // thickness, mm
  EMG_SHARED_TENDON_1,    // half length towards positive z, mm
  EMG_SHARED_TENDON_2,    // the same, negative z
  EMG_SHARED_OFFSET,      // of the grid along the fibres, mm
  EMG_SHARED_ANISOTROPY,  // logarithm of axial over transverse conductivity
  EMG_SHARED_PARAMETERS
} emg_shared_parameter;

// As in the group /conductor of a file; unit "1" where there is none.
const char *emg_shared_name(emg_shared_parameter parameter);
const char *emg_shared_unit(emg_shared_parameter parameter);
// Whether `invert` asks for it to be estimated.
bool emg_shared_is_estimated(const emg_config *config, emg_shared_parameter parameter);
double emg_shared_get(const emg_config *config, emg_shared_parameter parameter);
void emg_shared_set(emg_config *config, emg_shared_parameter parameter, double value);

typedef struct {
  double value, sd;
  double gain;  // by which the cost is lower than at the value of the configuration
  int n_tried;
  bool is_at_limit;  // the cost still falls at the last value that was tried
} emg_profile;

// The value at which all units fit best, by steps, halves of steps and a parabola; it is expected
// as the configuration says. Units are fitted anew at each value, and left as at the best one.
emg_status emg_shared_profile(const emg_config *config, const emg_view_source *recording,
                              const emg_metric *metric, emg_shared_parameter parameter, int n_units,
                              emg_fit_item *units, int n_iterations, const emg_monitor *monitor,
                              emg_profile *out, emg_error *err);

// All that `invert` asks for, one after the other: rotation first, which hurts most if it is wrong,
// then fat and the rest. The values are set in `config`; out[EMG_SHARED_PARAMETERS], with sd 0
// where a parameter is fixed. Without units values stay, as uncertain as the configuration says.
emg_status emg_shared_estimate(emg_config *config, const emg_view_source *recording,
                               const emg_metric *metric, int n_units, emg_fit_item *units,
                               int n_iterations, const emg_monitor *monitor, emg_profile *out,
                               emg_error *err);

// --- what their errors do to units (spread.c) ---

// By how much the parameters of units move, in square, if shared parameters err by their standard
// deviations: units are fitted anew with each of them moved. shared_variance of fitted[n_units] is
// added to; estimates[n_units] are what they were fitted to `here`, the subject of config.
emg_status emg_shared_spread(const emg_config *config, const emg_view_source *recording,
                             const emg_metric *metric, const emg_subject *here,
                             const emg_profile shared[EMG_SHARED_PARAMETERS], int n_units,
                             const float *const *estimates, emg_fitted *fitted, emg_error *err);

// --- what is reported (report.c) ---

// Values of the parameters of an inversion.
void emg_report_values(const emg_conductor *conductor, const emg_fitted *fitted,
                       double value[EMG_INVERSION_PARAMETERS]);
void emg_report_unit(const emg_conductor *conductor, const emg_fit_problem *problem,
                     const emg_fitted *fitted, emg_inverted_unit *out);
// What was known or estimated of the conductor and the grid; out is a table without columns.
emg_status emg_report_conductor(const emg_config *config,
                                const emg_profile shared[EMG_SHARED_PARAMETERS], emg_table *out,
                                emg_error *err);

#endif
