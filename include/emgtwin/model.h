// model.h -- the immutable subject: conductor, electrodes, muscles, fibres and motor units
#ifndef EMG_MODEL_H
#define EMG_MODEL_H

#include <emgtwin/array.h>
#include <emgtwin/conductor.h>
#include <emgtwin/config.h>
#include <emgtwin/electrodes.h>
#include <emgtwin/log.h>
#include <emgtwin/muap.h>
#include <emgtwin/spikes.h>

#ifdef __cplusplus
extern "C" {
#endif

// One motor unit. Units of all muscles are numbered through, muscle by muscle, smallest first.
typedef struct {
  int muscle, index_in_muscle;
  int fibre_begin, fibre_count;  // its fibres in emg_model.fibres
  double centre_radius_m, centre_theta_rad, territory_radius_m;
  double cv_m_per_s;             // mean of the unit
  double recruitment_threshold;  // fraction of maximal excitation
  double rate_min_hz, rate_max_hz, rate_gain_hz;
  double isi_cov;
  double twitch_force, twitch_time_s;  // force relative to the smallest unit
} emg_motor_unit;

typedef struct {
  emg_config config;
  emg_conductor conductor;
  emg_action_potential source;
  emg_electrode_set electrodes;
  emg_montage montage;
  int n_muscles, n_units, n_fibres;
  emg_motor_unit *units;
  emg_fibre *fibres;  // grouped by unit
} emg_model;

// Everything a configuration says about the subject. Deterministic in the seed.
emg_status emg_model_create(const emg_config *config, emg_model *out, emg_error *err);
void emg_model_free(emg_model *model);

// Fibre positions of one muscle at its density (x, y in metres in the cross-section), malloc'ed.
// EMG_ERR_CONFIG: no fibre fits, region outside the muscle layer, regions of two muscles overlap.
emg_status emg_muscle_place_fibres(const emg_config *config, const emg_conductor *conductor,
                                   int muscle, int *n_fibres, double **x_m, double **y_m,
                                   emg_error *err);

// Mean discharge rate of a unit at an excitation, 0 below threshold.
double emg_unit_rate_hz(const emg_config *config, const emg_motor_unit *unit, double excitation);

// One row per unit: the columns of /truth/units (docs/file-format.md).
emg_status emg_model_unit_table(const emg_model *model, emg_table *out, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
