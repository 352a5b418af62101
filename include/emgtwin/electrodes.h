// electrodes.h -- electrode positions and the montage that makes channels of them
#ifndef EMG_ELECTRODES_H
#define EMG_ELECTRODES_H

#include <stdbool.h>

#include <emgtwin/array.h>
#include <emgtwin/conductor.h>
#include <emgtwin/config.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

// One point or surface where the potential is known.
typedef struct {
  double radius_m, theta_rad, z_m;  // radius = skin radius on the surface
  int row, column;
} emg_electrode;

typedef struct {
  int n_electrodes;
  emg_electrode *electrodes;
  emg_detection detection;   // the same for all; a point inside the muscle
  bool is_interior;          // inside the muscle, not on the skin
  double skin_radius_m;
  double pitch_m;            // along the fibres or the wire
} emg_electrode_set;

// Electrodes of a configuration, in row-major order (row 0 at the most negative z, column 0 at the
// most negative angle). Interior electrodes must lie in the muscle: EMG_ERR_CONFIG with the depth.
emg_status emg_electrodes_create(const emg_config *config, const emg_conductor *conductor,
                                 emg_electrode_set *out, emg_error *err);
void emg_electrodes_free(emg_electrode_set *set);

// channel = SUM weights[channel][electrode] * potential. Sparse rows would do, dense is small.
typedef struct {
  emg_array2d weights;       // n_channels x n_electrodes
  emg_channel *channels;     // name, row, column and centre of each channel, n_channels
} emg_montage;

// EMG_ERR_CONFIG if the grid has no pair (triple, neighbourhood) for the montage.
emg_status emg_montage_create(const emg_config *config, const emg_electrode_set *set,
                              emg_montage *out, emg_error *err);
void emg_montage_free(emg_montage *montage);

#ifdef __cplusplus
}
#endif
#endif
