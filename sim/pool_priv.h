// pool_priv.h -- what the sources of the subject share: muscle regions, sizes, laws, drive noise
#ifndef EMG_POOL_PRIV_H
#define EMG_POOL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/model.h>
#include <emgtwin/rng.h>
#include <emgtwin/spikes.h>

// --- region.c ---

// Cross-section of one muscle. An ellipse has its first half axis along the radius of the limb; a
// sector of 360 degrees is the whole annulus.
typedef struct {
  bool is_ellipse;
  double centre_x_m, centre_y_m, angle_rad;
  double half_axis_1_m, half_axis_2_m;                    // ellipse
  double inner_radius_m, outer_radius_m, half_angle_rad;  // sector
} emg_region;

// EMG_ERR_CONFIG if the region reaches out of the muscle layer.
emg_status emg_region_create(const emg_config *config, const emg_conductor *conductor, int muscle,
                             emg_region *out, emg_error *err);
// Whether a point lies in the region, at least `inset_m` from its edge.
bool emg_region_contains(const emg_region *region, double inset_m, double x_m, double y_m);
double emg_region_area_m2(const emg_region *region);
// box = {x_min, x_max, y_min, y_max}
void emg_region_box(const emg_region *region, double box[4]);

// --- innervation.c ---

// Fibres of each unit, ascending, their sum exactly n_fibres. EMG_ERR_CONFIG if no law of the asked
// kind does that.
emg_status emg_innervation_numbers(const struct emg_config_pool *pool, int n_fibres, int *numbers,
                                   emg_error *err);

// --- territories.c ---

// A unit's disc in the cross-section and the number of fibres it is to get.
typedef struct {
  double x_m, y_m, radius_m;
  int n_fibres;
} emg_territory;

// Share fibres out: members[] lists fibre indices grouped by territory, each with exactly its
// number (they sum to n_fibres). `rng` is drawn from.
emg_status emg_territories_fill(int n_units, const emg_territory *territories, int n_fibres,
                                const double *x_m, const double *y_m, emg_rng *rng, int *members,
                                emg_error *err);

// Random permutation (Fisher-Yates).
void emg_indices_shuffle(emg_rng *rng, int n, int *items);

// --- motor_units.c ---

// Units and fibres of one muscle from its fibre positions. fibre_begin counts within the muscle;
// `area_m2` is that of the muscle's region.
emg_status emg_pool_create(const emg_config *config, int muscle, double area_m2, int n_fibres,
                           const double *x_m, const double *y_m, emg_motor_unit *units,
                           emg_fibre *fibres, emg_error *err);

// --- recruitment.c ---

// Threshold, rates, interval variability and twitch of every unit of a pool.
void emg_recruitment_assign(const struct emg_config_pool *pool, emg_motor_unit *units);

// --- drive.c ---

// Low-pass Gaussian noise of mean 0 and standard deviation 1: white noise through a second-order
// Butterworth filter, stationary from the first sample. EMG_ERR_CONFIG if the cut-off does not lie
// below half the sampling rate.
emg_status emg_drive_noise(emg_rng *rng, double cutoff_hz, double rate_hz, int64_t n_samples,
                           float *noise, emg_error *err);

// --- drive_file.c ---

// Path of a file named in the drive section: a relative name starts in `directory`.
enum { EMG_DRIVE_PATH_MAX = 1024 + EMG_TEXT_MAX + 2 };
void emg_drive_path(const char *name, const char *directory, char path[EMG_DRIVE_PATH_MAX]);

// Points of a CSV file: row 0 times in s, ascending; row 1 excitations in 0..1. A relative `name`
// starts in `directory`. EMG_ERR_IO if it cannot be read, EMG_ERR_CONFIG with the line otherwise.
emg_status emg_drive_read_file(const char *name, const char *directory, emg_array2d *points,
                               emg_error *err);

// --- discharge_file.c ---

// Discharges of the units of muscles with drive.spikes_file, one train a unit of the model (none in
// other muscles); `out` without units if no muscle has one.
emg_status emg_discharge_read(const emg_model *model, const emg_array2f *excitation,
                              emg_spikes *out, emg_error *err);

#endif
