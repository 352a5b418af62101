// conductor.h -- multilayer cylindrical volume conductor (Farina et al. 2004, TBME 51:415)
//
// SI inside: metres, ohm, S/m. Axis z along the fibres; layers from the axis outwards; air outside.
//   phi(rho, theta, z) = 1/(4 pi^2) SUM_n e^{in dtheta} INT dk e^{ikz} E_n(k) G_n(k; rho, R)
// for 1 A at (R, 0, 0). G_n is real, positive, even in n and k, and symmetric in rho and R.
#ifndef EMG_CONDUCTOR_H
#define EMG_CONDUCTOR_H

#include <emgtwin/config.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMG_LAYERS_MAX 5

typedef struct {
  int n_layers;
  double radius_m[EMG_LAYERS_MAX];  // outer radii, ascending
  double transverse_s_per_m[EMG_LAYERS_MAX];
  double axial_s_per_m[EMG_LAYERS_MAX];
  int muscle;  // layer that holds the fibres
} emg_conductor;

// Layers of non-zero thickness of a configuration.
emg_status emg_conductor_from_config(const emg_config *config, emg_conductor *out, emg_error *err);
// EMG_ERR_CONFIG: radii not ascending, conductivity not positive, muscle out of range.
emg_status emg_conductor_check(const emg_conductor *conductor, emg_error *err);
double emg_conductor_skin_radius_m(const emg_conductor *conductor);
double emg_conductor_muscle_inner_m(const emg_conductor *conductor);  // 0 without bone
double emg_conductor_muscle_outer_m(const emg_conductor *conductor);

// Detection surface on the skin; an area average over a developable surface, so exact. Under the
// skin only points can be (EMG_ERR_ARG); NULL is a point. Sizes of the shape must be positive.
typedef struct {
  int shape;                        // EMG_SHAPE_*
  double radius_m, inner_radius_m;  // disc, annulus
  double width_m, length_m;         // rectangle: around the limb, along z
} emg_detection;

// E_n(k) of a detection surface on a cylinder of radius `skin_radius_m`; 1 for a point.
double emg_detection_transfer(const emg_detection *detection, int n, double k_rad_per_m,
                              double skin_radius_m);

// G_n(k; rho, R) in ohm m, relative error below 1e-10 for |n| <= 200, |k| <= 2e4 rad/m. Fibre at
// R in the muscle layer, field at rho in any layer. EMG_ERR_ARG: outside the cylinder; n = 0 and
// k = 0 (a pole: an insulated cylinder is a one-dimensional cable).
emg_status emg_conductor_transfer(const emg_conductor *conductor, int n, double k_rad_per_m,
                                  double source_m, double field_m, double *g_ohm_m, emg_error *err);

// How far the sums over n and k go, chosen for a relative tolerance of the potential.
typedef struct {
  int n_orders;       // n = 0 .. n_orders - 1
  int n_wavenumbers;  // k_j = (j + 1/2) dk
  double dk_rad_per_m;
  double period_m;  // 2 pi / dk; images alternate in sign, so no step survives
} emg_truncation;

// Adaptive: orders and wavenumbers are added until what is left out is below the tolerance,
// relative to the travelling potential (l = 1 mm) at dtheta = 0. For a point in the muscle the sums
// are those of G less free space. `reach_m` is the largest axial distance between source and
// electrode. EMG_ERR_ARG: fibre and electrode too close to each other, or both to the muscle's
// boundary.
emg_status emg_conductor_truncation(const emg_conductor *conductor, const emg_detection *detection,
                                    double source_m, double field_m, double reach_m,
                                    double tolerance, emg_truncation *out, emg_error *err);

// Lead field L(z) in ohm of one electrode at angle dtheta for 1 A at (R, z = 0), at n_z points.
// Interior electrodes (field_m in the muscle) include the singular free-space term in closed form;
// the distance is held at 27 um or more. Reference: mean of the potentials at z = +-infinity, so
// that L(z) + |z| / (2S) -> 0. Error below `tolerance` of the near field at dtheta = 0.
emg_status emg_lead_field(const emg_conductor *conductor, const emg_detection *detection,
                          double source_m, double field_m, double dtheta_rad, int n_z,
                          const double *z_m, double tolerance, double *lead_ohm, emg_error *err);

// One fibre: action potentials start at its end-plate and run both ways to the tendons.
typedef struct {
  double radius_m, theta_rad;     // position in the muscle
  double end_plate_m;             // z of the end-plate
  double length_1_m, length_2_m;  // from end-plate to the tendon at +z, at -z
  double cv_m_per_s;
  double diameter_m;
  double delay_s;  // from discharge to the start of the action potential
} emg_fibre;

// Intracellular action potential (Rosenfalck 1969): V(x) = amplitude (x/scale)^3 exp(-x/scale).
typedef struct {
  double amplitude_v, scale_m, intracellular_s_per_m;
} emg_action_potential;
emg_action_potential emg_action_potential_from_config(const emg_config *config);

// Exact single-fibre potential by direct double-precision sums over n and k (four-function
// identity), in volts: potential[electrode * n_samples + t] at t / rate_hz after the discharge.
// All electrodes at radius field_m. Relative error per electrode below `tolerance` (1e-6 and less).
emg_status emg_fibre_potential_exact(const emg_conductor *conductor, const emg_detection *detection,
                                     const emg_action_potential *source, const emg_fibre *fibre,
                                     double field_m, int n_electrodes, const double *theta_rad,
                                     const double *z_m, double rate_hz, int n_samples,
                                     double tolerance, double *potential_v, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
