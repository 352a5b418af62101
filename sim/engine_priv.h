// engine_priv.h -- parts of the fast engine, for this module alone
//
// Two kinds of table hold the lead functions q0..q3 (conductor_priv.h) in float:
//   surface   columns of electrodes, each column at one angle with its rows on one pitch; uniform
//             steps in z, stored so that all rows of a column are read as one vector
//   interior  points inside the muscle, each for itself; steps that grow with the distance, and the
//             singular part of an unbounded muscle in a table of its own
#ifndef EMG_SIM_ENGINE_PRIV_H
#define EMG_SIM_ENGINE_PRIV_H

#include <emgtwin/engine.h>

// Fibres may leave the range by rounding only.
#define EMG_RANGE_SLACK_M 1e-9
// Smallest distance that the steps of a table resolve: bounds memory for bare or very thin skins.
#define EMG_FINEST_DISTANCE_M 0.4e-3

// What tables are made of, shared by all of one engine.
typedef struct {
  emg_conductor conductor;
  emg_detection detection;
  emg_action_potential source;
  emg_engine_range range;
  bool is_interior;
} emg_table_source;

// --- Lead functions on a sheet of angles and offsets (engine_sheet.c) --------------------------

// cos and sin of k_j z at the offsets 0 <= z of a sheet, with the measure of the integral.
typedef struct {
  emg_truncation truncation;
  int n_offsets;
  double *cosine, *sine;  // [n_wavenumbers][n_offsets]
  double *skin;           // E_n G_n(k_j; skin, b) [n_wavenumbers][n_orders]; interior: NULL
} emg_sheet_basis;

emg_status emg_sheet_basis_create(const emg_table_source *source, const emg_truncation *truncation,
                                  int n_offsets, const double *offset_m, emg_sheet_basis *out,
                                  emg_error *err);
void emg_sheet_basis_free(emg_sheet_basis *basis);

// Number of the function that q0..q3 are derivatives of (emg_lead_primitive_transform).
#define EMG_SHEET_PRIMITIVE 4

// even +- odd = q_f(+-z): even, odd [n_functions][n_angles][n_offsets], in V ohm / m; interior
// points: without the part of an unbounded muscle.
emg_status emg_sheet_fill(const emg_table_source *source, const emg_sheet_basis *basis,
                          double source_m, double field_m, int n_angles, const double *angle_rad,
                          int n_functions, const int *functions, double *even, double *odd,
                          emg_error *err);

// --- Time course of one fibre (engine_wave.c) --------------------------------------------------

// Factors of q0..q3 while a transient lasts: -e^-u u^i after the start, e^-u u^i after an end.
typedef struct {
  int first, count;  // samples
  float (*factor)[4];
} emg_transient;

// Samples at which the two waves of a fibre travel, start and end. Side 0 runs to +z, side 1 to -z.
typedef struct {
  int first;                   // first sample with the potential under way
  int n_travel[2];             // samples from `first` with the wave between end-plate and tendon
  int end;                     // one past the last active sample
  double x_first_m, x_step_m;  // distance run at `first`, and per sample
  emg_transient start, stop[2];
} emg_course;

emg_status emg_course_create(int n_samples, emg_course *out, emg_error *err);
void emg_course_free(emg_course *course);
// `tail`: e^-u u^3 is negligible from this u on.
void emg_course_fill(const emg_table_source *source, double tail, const emg_fibre *fibre,
                     emg_course *course);
// u from which e^-u u^3 stays below a twentieth of the tolerance times its maximum.
double emg_course_tail(double tolerance);

// --- Electrodes on the skin (engine_surface.c, engine_surface_fibre.c) --------------------------

// Electrodes of one angle at first_m + row * pitch.
typedef struct {
  double theta_rad, first_m;
} emg_engine_column;

// A range of source radii with steps of its own. Line (R, dtheta): q0 then q3, each [phase][block]:
// offset j = block * n_phases + phase, so neighbours in a row of blocks are one pitch apart.
typedef struct {
  double radius_min_m, radius_max_m, radius_step_m;
  int n_radii;
  double angle_step_rad;
  int n_angles;          // from 0 to pi
  double offset_step_m;  // pitch / n_phases
  int n_phases, n_half;  // offset 0 is at j = n_half
  int n_offsets, row_stride;
  ptrdiff_t function_stride, line_stride;
  float *data;
  emg_truncation truncation;
} emg_band;

#define EMG_BANDS_MAX 16

typedef struct {
  int n_columns, n_rows, n_lanes;  // rows padded to whole vectors
  double pitch_m;
  emg_engine_column *columns;
  int *electrode;  // [n_columns][n_rows], -1 for none
  double reach_m;  // largest axial distance of a row from a source
  int n_bands;
  emg_band bands[EMG_BANDS_MAX];  // innermost first
} emg_surface;

typedef struct emg_surface_scratch emg_surface_scratch;

// Columns, rows and reach of an electrode set (engine_columns.c).
emg_status emg_columns_find(const emg_electrode_set *set, const emg_engine_range *range,
                            emg_surface *out, emg_error *err);
emg_status emg_surface_create(const emg_table_source *source, const emg_electrode_set *set,
                              double fineness, emg_surface *out, emg_error *err);
void emg_surface_free(emg_surface *surface);
// Tables of one band; `fineness` 1 for the steps chosen beforehand, smaller for finer ones.
emg_status emg_band_build(const emg_table_source *source, const emg_surface *surface, int band,
                          double fineness, emg_band *out, emg_error *err);
void emg_band_free(emg_band *band);

emg_status emg_surface_scratch_create(const emg_surface *surface, int n_samples,
                                      emg_surface_scratch **out, emg_error *err);
void emg_surface_scratch_free(emg_surface_scratch *scratch);
// Add a fibre to the banks in `scratch`.
void emg_surface_add(const emg_table_source *source, const emg_surface *surface,
                     const emg_fibre *fibre, float scale, const emg_course *course,
                     emg_surface_scratch *scratch);
// Add the banks to out[electrode][n_samples] and clear them.
void emg_surface_flush(const emg_surface *surface, int n_samples, emg_surface_scratch *scratch,
                       float *out);

// --- Electrodes in the muscle (engine_interior.c, engine_interior_fibre.c) -------

// Functions of s = asinh(z / width) on a uniform grid that is symmetric about 0.
typedef struct {
  int n_half, n_offsets;  // 2 n_half + 1
  double step;
} emg_stretch;

// Part of an unbounded muscle, over ln(width), width = sqrt(sz/st) times the distance:
// data [width][function][offset].
typedef struct {
  emg_stretch stretch;
  double log_min, log_step;
  int n_widths;
  float *data;
} emg_free_table;

// What the layers add, for one electrode radius: data [radius][angle][function][offset], over
// coordinates that follow the distance of electrode and source to the boundaries.
typedef struct {
  double field_m;
  emg_stretch stretch;
  double radius_min, radius_step;  // in the coordinate of emg_layer_coordinate
  int n_radii;
  double angle_step;
  int n_angles;
  float *data;
  emg_truncation truncation;
} emg_layer_table;

typedef struct {
  int n_electrodes, n_tables;
  int *table;  // of each electrode
  emg_layer_table *tables;
  emg_free_table free;
  double reach_m;
} emg_interior;

typedef struct emg_interior_scratch emg_interior_scratch;

emg_status emg_interior_create(const emg_table_source *source, const emg_electrode_set *set,
                               double fineness, emg_interior *out, emg_error *err);
emg_status emg_interior_build(const emg_table_source *source, double fineness,
                              emg_interior *interior, emg_error *err);
void emg_interior_free(emg_interior *interior);
emg_status emg_layer_table_build(const emg_table_source *source, double field_m, double reach_m,
                                 double fineness, emg_layer_table *out, emg_error *err);
void emg_layer_table_free(emg_layer_table *table);
emg_status emg_free_table_build(const emg_table_source *source, double distance_max_m,
                                double reach_m, double period_m, double fineness,
                                emg_free_table *out, emg_error *err);
void emg_free_table_free(emg_free_table *table);

// Coordinates of a source radius for an electrode at `field_m`: a monotonic function of R whose
// unit step is the distance to the boundaries, and the widths of z and angle there.
typedef struct {
  double coordinate, width_m, angle_width_rad;
} emg_layer_place;
emg_layer_place emg_layer_place_at(const emg_conductor *conductor, double field_m, double source_m);

emg_status emg_interior_scratch_create(const emg_interior *interior, int n_samples,
                                       emg_interior_scratch **out, emg_error *err);
void emg_interior_scratch_free(emg_interior_scratch *scratch);
void emg_interior_add(const emg_table_source *source, const emg_interior *interior,
                      const emg_electrode *electrodes, const emg_fibre *fibre, float scale,
                      const emg_course *course, emg_interior_scratch *scratch, int n_samples,
                      float *out);

// --- The whole (engine.c, engine_check.c) -------------------------------------------------------

struct emg_engine {
  emg_table_source source;
  double tail;
  int n_electrodes;
  emg_electrode *electrodes;
  emg_surface surface;  // unless source.is_interior
  emg_interior interior;
  emg_engine_facts facts;
};

// Like emg_engine_add_fibre, in two steps: potentials of many fibres collect in `scratch`, in the
// order of the tables, and are added to `out` together.
emg_status emg_engine_collect(const emg_engine *engine, const emg_fibre *fibre,
                              emg_engine_scratch *scratch, float *out, emg_error *err);
void emg_engine_flush(const emg_engine *engine, emg_engine_scratch *scratch, float *out);

// Largest error of sample fibres with radius in [min, max], relative to each electrode's peak.
emg_status emg_engine_measure(const emg_engine *engine, double radius_min_m, double radius_max_m,
                              int trial, double *error, emg_error *err);

#endif
