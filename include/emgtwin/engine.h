// engine.h -- fast single-fibre potentials from tables of the four lead functions
//
// With V(x) = A (x/l)^3 exp(-x/l) the potential of a fibre is exact in four functions q0..q3 of the
// axial offset (docs/conductor.md): q0 travels, q1..q3 give the end-plate and end-of-fibre effects.
// They are tabulated in float over (R, dtheta, z) once per conductor and electrode set, with steps
// refined until the interpolation error measured against direct sums is below the tolerance.
#ifndef EMG_ENGINE_H
#define EMG_ENGINE_H

#include <emgtwin/conductor.h>
#include <emgtwin/electrodes.h>
#include <emgtwin/log.h>
#include <emgtwin/muap.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct emg_engine emg_engine;

// What the tables must cover.
typedef struct {
  double source_min_m, source_max_m;  // radial range of the fibres
  double z_min_m, z_max_m;            // axial range of the fibres: tendon to tendon
  double rate_hz;                     // of the potentials
  int n_samples;                      // per potential
  double tolerance;                   // relative to each electrode's peak
} emg_engine_range;

// Cost and accuracy of the tables, for the benchmark and provenance.
typedef struct {
  double build_s, table_mib, measured_error;
  int n_radii, n_angles, n_offsets, n_orders, n_wavenumbers;
} emg_engine_facts;

// Builds the tables; any electrode set, surface or interior. Immutable and shared by all threads.
// Steps are refined until sample fibres are within a third of the tolerance, as far as memory
// (512 MiB) goes: facts.measured_error is the largest error found, of each electrode's own peak.
// Fibres within 0.4 mm of an electrode on bare muscle, and pairs of fibre and point that both lie
// within 0.1 mm of the muscle's boundary, come out blurred by up to some per cent.
emg_status emg_engine_create(const emg_conductor *conductor, const emg_electrode_set *electrodes,
                             const emg_action_potential *source, const emg_engine_range *range,
                             emg_engine **out, emg_error *err);
void emg_engine_free(emg_engine *engine);
emg_engine_facts emg_engine_get_facts(const emg_engine *engine);

// Per-thread scratch.
typedef struct emg_engine_scratch emg_engine_scratch;
emg_status emg_engine_scratch_create(const emg_engine *engine, emg_engine_scratch **out,
                                     emg_error *err);
void emg_engine_scratch_free(emg_engine_scratch *scratch);

// Add the potential of one fibre in uV to out[electrode * n_samples + t]. No allocation, no lock.
// A fibre outside the range gives EMG_ERR_ARG and adds nothing.
emg_status emg_engine_add_fibre(const emg_engine *engine, const emg_fibre *fibre,
                                emg_engine_scratch *scratch, float *out, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
