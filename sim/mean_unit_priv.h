// mean_unit_priv.h -- parts of the mean-unit model, for this module alone
//
// One function p(R, dtheta, z) is tabulated, of which the four lead functions are derivatives along
// z: with D = l d/dz (conductor_priv.h)
//   q0 = 6 D p,  q1 = 6 D (1 - D) p,  q2 = 3 D (1 - D)^2 p,  q3 = (1 - D)^3 p.
// The table holds coefficients of B-splines, of degree 5 in z and 3 across: four derivatives along
// z and one across are continuous, and the identities above hold exactly for what is computed, so
// an action potential that starts or ends in the tables leaves no step and no kink.
//
// Lengths in mm, times in ms, velocities in mm/ms, potentials in uV.
#ifndef EMG_SIM_MEAN_UNIT_PRIV_H
#define EMG_SIM_MEAN_UNIT_PRIV_H

#include <emgtwin/mean_unit.h>

#include "sim/engine_priv.h"

enum {
  EMG_MEAN_NODES = 7,   // over the territory
  EMG_ZONE_NODES = 5,   // over the end-plates
  EMG_TENDON_NODES = 3  // over the ends
};

// --- Table (mean_unit_table.c) ------------------------------------------------------------------

// Radii are uniform in ln g, g the distance from the skin as the muscle's transverse direction sees
// it. A row (R, dtheta) holds coefficients along z, offset 0 at n_half.
typedef struct {
  double outer_mm, near_mm, log_step;  // g = near + outer - R
  double radius_min_mm;
  int n_radii;  // rows of coefficients: two more than cells need nodes
  double angle_step_rad;
  int n_angles;  // from 0 to pi
  double offset_step_mm;
  int n_half, row_stride;
  float *coefficients;  // [n_radii][n_angles][row_stride], uV
  emg_truncation truncation;
} emg_mean_table;

// `reach_mm`: largest axial distance. `fineness` scales the steps, 1 for about 1e-3.
emg_status emg_mean_table_build(const emg_table_source *source, double depth_max_mm,
                                double reach_mm, double scale_uv, double fineness,
                                emg_mean_table *out, emg_error *err);
void emg_mean_table_free(emg_mean_table *table);
double emg_mean_table_mib(const emg_mean_table *table);

// Cubic B-splines of a cell and their derivatives by the place in it.
static inline void emg_cubic_weights(double f, double value[4], double slope[4]) {
  const double g = 1 - f;

  value[0] = g * g * g / 6;
  value[1] = (4 + f * f * (3 * f - 6)) / 6;
  value[2] = (4 + g * g * (3 * g - 6)) / 6;
  value[3] = f * f * f / 6;
  slope[0] = -g * g / 2;
  slope[1] = f * (1.5 * f - 2);
  slope[2] = -g * (1.5 * g - 2);
  slope[3] = f * f / 2;
}

// --- How fibres end around a tendon (mean_unit_ends.c)
// --------------------------------------------

typedef struct {
  double spread_mm, reach_mm;  // ends lie within reach of the tendon; both 0 without spread
  double scale_mm, tail;
  int n_nodes;  // 1 without spread
  double place_mm[EMG_TENDON_NODES];
  double step_mm;
  int n;
  double (*coefficients)[EMG_TENDON_NODES][4];  // of splines over [-reach, reach + transient]
} emg_end_rule;

emg_status emg_end_rule_create(double spread_mm, double scale_mm, double tail, emg_end_rule *out,
                               emg_error *err);
void emg_end_rule_free(emg_end_rule *ends);
// Part of the fibres in which a wave whose front is `y_mm` beyond the tendon is under way.
double emg_end_rule_part(const emg_end_rule *ends, double y_mm, double *slope);
// Factors of q_i at each node, and their derivatives by y; 0 below -reach.
void emg_end_rule_transients(const emg_end_rule *ends, double y_mm,
                             double value[EMG_TENDON_NODES][4], double slope[EMG_TENDON_NODES][4]);
// e^-u u^i, i < 4, and derivatives by u; 0 from u = emg_transient_end(tail) on.
void emg_transient_at(double u, double tail, double value[4], double slope[4]);
double emg_transient_end(double tail);

// --- Nodes and time course of one unit (mean_unit_nodes.c) ---------------------------------------

// A fibre's place in the cross-section, with derivatives by depth, arc and territory.
typedef struct {
  double radius_mm, theta_rad, weight;
  double radius_by[3], theta_by[3];
  int cell;                           // of the table's radii
  double in_radius[4], by_radius[4];  // weight times splines of the cell, and their derivatives
} emg_place_node;

// Derivatives along z: by the distance the mean fibre has run, zone, zone spread and one tendon.
enum { EMG_BY_RUN, EMG_BY_ZONE, EMG_BY_SPREAD, EMG_BY_TENDON };

// The wave from one end-plate to one side, from sample `first` of the course to end - 1: how far it
// is from its end-plate, the part of it still under way, the derivatives of the distance by the
// above, times that part, and those of the part.
typedef struct {
  int end;
  double *run_mm, *part;
  double (*by)[4], (*by_part)[4];
} emg_unit_run;

// Transients of the start: value[i] multiplies q_i, by_run is its derivative.
typedef struct {
  int first, count;
  double (*value)[4], (*by_run)[4];
} emg_unit_start;

// Transients of the fibres that end at one node of one tendon, summed over the end-plates. `by` are
// derivatives at a fixed argument of q_i.
typedef struct {
  double place_mm;
  int first, count;
  double (*value)[4];
  double (*by)[4][4];  // [sample][i][parameter]
} emg_unit_stop;

typedef struct {
  emg_place_node places[EMG_MEAN_NODES];
  double end_plate_mm[EMG_ZONE_NODES], weight[EMG_ZONE_NODES];
  double by_zone[EMG_ZONE_NODES], by_spread[EMG_ZONE_NODES];
  double cv, latency_ms, x_zero_mm, x_step_mm;  // distance run at sample m is zero + m step
  int first, end;                               // samples under way: first to end - 1
  emg_unit_run run[2][EMG_ZONE_NODES];          // side 0 runs to +z
  double tendon_mm[2], by_tendon[2][4];
  emg_unit_start start;
  emg_unit_stop stop[2][EMG_TENDON_NODES];
} emg_unit_course;

emg_status emg_unit_course_create(int n_samples, emg_unit_course *out, emg_error *err);
void emg_unit_course_free(emg_unit_course *course);
void emg_unit_course_fill(const emg_mean_model *model, const emg_mean_unit *unit,
                          emg_unit_course *course);

// --- The potential along z over one column (mean_unit_lines.c)
// ------------------------------------

// Electrodes of one angle.
typedef struct {
  double theta_rad, z_min_mm, z_max_mm;
  int begin, end;  // in emg_mean_model.order
} emg_mean_column;

enum { EMG_POWERS = 6, EMG_LANES = 4 };
// A value and its derivatives by depth, arc and territory.
typedef double emg_lanes __attribute__((vector_size(EMG_LANES * sizeof(double))));

// Polynomials of the cells from `first` on in the place in the cell, 0 to 1: q0 is the sum of
// [power] f^(power - 1) for powers 1 to 5, p the constant [0] + INT q0 / (6 l). One of the two is
// NULL: derivatives are computed if there is room for them.
typedef struct {
  int first;
  double (*values)[8];
  emg_lanes (*lanes)[EMG_POWERS];
} emg_cells;

typedef struct emg_unit_lines emg_unit_lines;
emg_status emg_unit_lines_create(const emg_mean_model *model, emg_unit_lines **out, emg_error *err);
void emg_unit_lines_free(emg_unit_lines *lines);
void emg_unit_lines_fill(const emg_mean_model *model, const emg_mean_column *column,
                         const emg_unit_course *course, emg_unit_lines *lines, emg_cells *out);

// --- The whole (mean_unit.c, mean_unit_check.c, mean_unit_sum.c)
// ----------------------------------


struct emg_mean_model {
  emg_table_source source;
  emg_mean_unit_range range;
  double scale_mm;  // of the action potential
  double tail;      // transients fade out this many scales on
  emg_end_rule ends;
  double z_low_mm, z_high_mm;  // where end-plates and ends are held
  int n_electrodes, n_columns;
  emg_electrode *electrodes;
  double *z_mm;  // of each electrode
  int *order;    // electrodes by column
  emg_mean_column *columns;
  emg_mean_table table;
  bool is_moved;                           // table and ends belong to another
  double z_reach_low_mm, z_reach_high_mm;  // electrodes may be anywhere between
  emg_mean_model_facts facts;
};

// Both in double, for finite differences: out[electrode][sample] and, unless NULL,
// derivatives[parameter][electrode][sample]. The public functions are these, rounded.
emg_status emg_mean_unit_evaluate(const emg_mean_model *model, const emg_mean_unit *unit,
                                  emg_mean_scratch *scratch, double *out, double *derivatives,
                                  emg_error *err);

// Largest error of sample fibres against direct sums, relative to each electrode's peak. The
// model's tendon spread must be 0.
emg_status emg_mean_model_measure(const emg_mean_model *model, double *error, emg_error *err);

#endif
