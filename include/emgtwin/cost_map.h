// cost_map.h -- what the search of an inversion sees, and how far its results are from the truth:
// maps of the kurtosis of a unit's source over pairs of parameters, errors in the unit cube
//
// The unit cube is that of Halatsis et al. 2025 (arXiv:2510.17822): every parameter over its range,
// here from invert.<parameter>_min to _max.
#ifndef EMG_COST_MAP_H
#define EMG_COST_MAP_H

#include <stdbool.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/mean_unit.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- units as the forward model takes them ---

// From what an inversion reports; the latency is 0. EMG_ERR_CONFIG: no such conductor.
emg_status emg_mean_unit_of_inverted(const emg_config *config, const emg_inverted_unit *unit,
                                     emg_mean_unit *out, emg_error *err);
// From /truth/units; the spread of end-plates, which is not there, is as expected. EMG_ERR_DATA: a
// column or the row is missing.
emg_status emg_mean_unit_of_truth(const emg_config *config, const emg_table *units, int row,
                                  emg_mean_unit *out, emg_error *err);

// --- errors ---

// Of the paper's six conditions all but the fibre count, whose range is not configured.
typedef enum {
  EMG_CUBE_DEPTH,
  EMG_CUBE_ANGLE,  // the shorter way round; of a ring's whole turn
  EMG_CUBE_ZONE,
  EMG_CUBE_CV,
  EMG_CUBE_LENGTH,  // from end to end
  EMG_CUBE_PARAMETERS
} emg_cube_parameter;
// "depth", ...
const char *emg_cube_name(emg_cube_parameter parameter);

// error[EMG_CUBE_PARAMETERS] = (found - true) / range of a unit of the result against a row of
// /truth/units; their mean square over parameters and matched units is the published figure.
// Errors as above.
emg_status emg_cube_errors(const emg_config *config, const emg_inverted_unit *unit,
                           const emg_table *truth_units, int row, double *error, emg_error *err);

// --- maps ---

enum { EMG_COST_MAP_SIDE = 41 };

// Kurtosis (excess) of the source of a unit's filter while two parameters go through their ranges,
// the others as found; the delay is that of the unit that was found.
typedef struct {
  int unit;  // of the inversion
  emg_unit_parameter parameter[2];
  double found[2];  // where the unit lies
  double value[2][EMG_COST_MAP_SIDE];
  double kurtosis[EMG_COST_MAP_SIDE][EMG_COST_MAP_SIDE];  // [of the first][of the second]
} emg_cost_map;

// Maps of units[n_units] over pairs[n_pairs], maps[n_units][n_pairs], on the whole recording with
// filters of invert.paper_taps delays (inversion in either mode). Same bits at any number of
// threads; calls emg_init. Errors as emg_invert; EMG_ERR_ARG: no such unit, a pair of one
// parameter.
emg_status emg_cost_maps(const emg_recording *rec, const emg_config *config,
                         const emg_inversion *inversion, int n_units, const int *units, int n_pairs,
                         const emg_unit_parameter (*pairs)[2], const emg_monitor *monitor,
                         emg_cost_map *maps, emg_error *err);
// As a CSV file: unit, the two parameters by name, their values, the kurtosis, whether the unit
// that was found lies in this cell. EMG_ERR_IO as emg_file_write.
emg_status emg_cost_maps_write(const char *path, int n, const emg_cost_map *maps, bool overwrite,
                               emg_error *err);
// "depth_mm", in the order of emg_unit_parameter: place, velocity and ends as in
// emgtwin/mean_unit.h
const char *emg_unit_parameter_name(emg_unit_parameter parameter);

#ifdef __cplusplus
}
#endif
#endif
