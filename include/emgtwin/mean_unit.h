// mean_unit.h -- expected action potential of a motor unit over the spread of its fibres, with
// exact derivatives: the forward model that is inverted
//
// Fibres of a unit differ in place, end-plate and ends. Their sum is close to its expectation,
// which needs a few nodes instead of hundreds of fibres: seven over the disc of the territory (a
// rule exact to the fifth power; Abramowitz & Stegun 1964, 25.4.61), three of Gauss-Hermite over
// the end-plates, two over the tendon ends.
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
  double depth_max_mm;        // of fibres; those deeper are held there
  double z_min_mm, z_max_mm;  // of fibres, tendon to tendon
  double tendon_spread_mm;    // standard deviation of the ends of a unit's fibres
  double fibre_diameter_um;   // potentials are those of one mean fibre of this diameter
  double tolerance;           // of the tables, relative to each electrode's peak
} emg_mean_unit_range;

typedef struct emg_mean_model emg_mean_model;

// Tables for one conductor and set of surface electrodes, anywhere on the skin (a turned grid has
// every electrode at an angle of its own). Immutable and shared by all threads. EMG_ERR_ARG:
// electrodes inside the muscle; a range that is empty or not in the muscle.
emg_status emg_mean_model_create(const emg_conductor *conductor,
                                 const emg_electrode_set *electrodes,
                                 const emg_action_potential *source,
                                 const emg_mean_unit_range *range, emg_mean_model **out,
                                 emg_error *err);
void emg_mean_model_free(emg_mean_model *model);

// Room of one thread.
typedef struct emg_mean_scratch emg_mean_scratch;
emg_status emg_mean_scratch_create(const emg_mean_model *model, emg_mean_scratch **out,
                                   emg_error *err);
void emg_mean_scratch_free(emg_mean_scratch *scratch);

// Potential of a mean fibre of the unit in uV, out[electrode][sample]; a unit of n fibres has n
// times this. No allocation, no lock. EMG_ERR_ARG: a parameter that is no number, or a velocity or
// spread that is not positive.
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
