// mean_unit.h -- expected action potential of a motor unit over the spread of its fibres, with
// exact derivatives: the forward model that is inverted
//
// Fibres of a unit differ in place, end-plate, ends and velocity. Their sum is close to its
// expectation, which needs a few nodes instead of hundreds of fibres: seven over the disc of the
// territory (a rule exact to the fifth power; Abramowitz & Stegun 1964, 25.4.61) and five of
// Gauss-Hermite over the end-plates, which move apart as velocities differ; ends are averaged over
// their normal distribution in time. docs/inversion.md
#ifndef EMG_MEAN_UNIT_H
#define EMG_MEAN_UNIT_H

#include <emgtwin/conductor.h>
#include <emgtwin/electrodes.h>

#ifdef __cplusplus
extern "C" {
#endif

// Parameters of a unit, in this order. Lengths in mm, velocities in m/s (mm/ms), times in ms.
typedef enum {
  EMG_UNIT_DEPTH,        // of the centre of the territory below the outer face of the muscle
  EMG_UNIT_ARC,          // of the centre along the skin from angle 0, towards growing angle
  EMG_UNIT_ZONE,         // z of the middle of the innervation zone
  EMG_UNIT_CV,           // mean conduction velocity
  EMG_UNIT_TENDON_1,     // z of the fibres' ends at +z
  EMG_UNIT_TENDON_2,     // z of the fibres' ends at -z
  EMG_UNIT_TERRITORY,    // radius of the territory, filled evenly
  EMG_UNIT_ZONE_SPREAD,  // standard deviation of the end-plates
  EMG_UNIT_LATENCY,      // from the discharge to the start of the action potential
  EMG_UNIT_PARAMETERS
} emg_unit_parameter;

typedef struct {
  double value[EMG_UNIT_PARAMETERS];
} emg_mean_unit;

// What the tables and the potentials must cover.
typedef struct {
  double rate_hz;
  int n_samples;              // of each potential
  int origin;                 // the sample at which the unit discharges
  double depth_max_mm;        // of fibres below the outer face of the muscle; deeper are held there
  double z_min_mm, z_max_mm;  // of fibres, tendon to tendon; others are held 1 mm beyond
  double tendon_spread_mm;    // standard deviation of the ends of a unit's fibres
  double cv_spread;           // standard deviation of its fibres' velocities over their mean
  double fibre_diameter_um;   // potentials are those of one mean fibre of this diameter
  double tolerance;           // of the tables, relative to each electrode's peak
  double shift_max_mm;        // room for electrodes moved along z by emg_mean_model_move
} emg_mean_unit_range;

typedef struct emg_mean_model emg_mean_model;

// Cost and accuracy of the tables.
typedef struct {
  double build_s, table_mib, measured_error;
  int n_radii, n_angles, n_offsets, n_orders, n_wavenumbers;
  int n_columns;  // electrodes of one angle are computed together
} emg_mean_model_facts;

// Tables for one conductor and set of surface electrodes, anywhere on the skin (a turned grid has
// every electrode at an angle of its own). Immutable and shared by all threads. Steps are refined
// until sample fibres are within a third of the tolerance, as far as memory (256 MiB) goes:
// facts.measured_error is what remained, of each electrode's own peak. EMG_ERR_ARG: electrodes
// inside the muscle; a range that is empty or not in the muscle.
emg_status emg_mean_model_create(const emg_conductor *conductor,
                                 const emg_electrode_set *electrodes,
                                 const emg_action_potential *source,
                                 const emg_mean_unit_range *range, emg_mean_model **out,
                                 emg_error *err);
void emg_mean_model_free(emg_mean_model *model);
emg_mean_model_facts emg_mean_model_get_facts(const emg_mean_model *model);

// The same conductor seen by other electrodes on the same skin, of the same shape: a turned,
// inclined or shifted grid. Tables are shared with `model`, which must outlive the new one; it
// costs microseconds. EMG_ERR_ARG: electrodes further along the fibres than shift_max_mm allows, of
// another shape, or on another skin.
emg_status emg_mean_model_move(const emg_mean_model *model, const emg_electrode_set *electrodes,
                               emg_mean_model **out, emg_error *err);

// Room of one thread, for this model and those moved from it.
typedef struct emg_mean_scratch emg_mean_scratch;
emg_status emg_mean_scratch_create(const emg_mean_model *model, emg_mean_scratch **out,
                                   emg_error *err);
void emg_mean_scratch_free(emg_mean_scratch *scratch);

// Potential of a mean fibre of the unit in uV, out[electrode][sample]; a unit of n fibres has n
// times this. No allocation, no lock. Limits take hold smoothly: places within 0.2 mm of the
// muscle's boundary and of depth_max, tendons nearer to the outermost end-plate than three tendon
// spreads. EMG_ERR_ARG: a parameter that is no number, a velocity that is not positive, a negative
// spread.
emg_status emg_mean_unit_potential(const emg_mean_model *model, const emg_mean_unit *unit,
                                   emg_mean_scratch *scratch, float *out, emg_error *err);
// The same with its derivatives, d potential / d parameter [EMG_UNIT_PARAMETERS][electrode][sample]
// per mm, m/s or ms; exact derivatives of what emg_mean_unit_potential computes.
emg_status emg_mean_unit_derivatives(const emg_mean_model *model, const emg_mean_unit *unit,
                                     emg_mean_scratch *scratch, float *out, float *derivatives,
                                     emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
