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
  emg_detection detection;  // the same for all; a point inside the muscle
  bool is_interior;         // inside the muscle, not on the skin
  double skin_radius_m;
  double pitch_m;  // along the fibres or the wire
} emg_electrode_set;

// Electrodes of a configuration, in row-major order, without the missing ones.
//   grid    row 0 at the most negative z, column 0 at the most negative angle, then the rotation
//   ring    the same, columns evenly over the whole circumference
//   array   straight wires of points; row 0 is the tip, column 0 the wire at the most negative
//   angle needle  concentric: points of the core (column 0), then of the cannula (column 1)
// A wire enters the skin at (centre_angle, centre_z) and runs towards the axis, tilted towards +z;
// its depth is measured from the skin along the radius. EMG_ERR_CONFIG: a point outside the muscle,
// with its depth and the limits; a grid wider than the limb; a missing electrode that is not there;
// rectangles turned by other than right angles; an annulus without a hole.
emg_status emg_electrodes_create(const emg_config *config, const emg_conductor *conductor,
                                 emg_electrode_set *out, emg_error *err);
void emg_electrodes_free(emg_electrode_set *set);

// channel = SUM weights[channel][electrode] * potential. Sparse rows would do, dense is small.
// A channel exists where all electrodes of its stencil are present:
//   monopolar           e[r][c]
//   single differential e[r+1][c] - e[r][c]
//   double differential e[r+1][c] - 2 e[r][c] + e[r-1][c]
//   Laplacian           e[r][c] - (e[r-1][c] + e[r+1][c] + e[r][c-1] + e[r][c+1]) / 4
//   average reference   e[r][c] - mean of all
//   needle              weighted mean of the core - mean of the cannula
// Rows and columns of channels count from 0 over the places the stencil has on a full grid; those
// of a ring are neighbours all round. Names count from 1: "SD R02C05". Positions in a frame with z
// along the fibres, x = r cos(theta), y = r sin(theta): the electrode in the middle of the stencil;
// of a pair, half-way along the skin or wire. `group` is the layout.
typedef struct {
  emg_array2d weights;    // n_channels x n_electrodes
  emg_channel *channels;  // name, row, column and centre of each channel, n_channels
} emg_montage;

// EMG_ERR_CONFIG if the grid has no pair (triple, neighbourhood) for the montage.
emg_status emg_montage_create(const emg_config *config, const emg_electrode_set *set,
                              emg_montage *out, emg_error *err);
void emg_montage_free(emg_montage *montage);

#ifdef __cplusplus
}
#endif
#endif
