// file.h -- the native HDF5 file: recording, truth, decomposition, provenance
//
// Layout in docs/file-format.md. Files are written as NAME.part.PID, flushed, fsynced and renamed;
// attribute `complete` = 1 is written last, and a file without it is refused.
#ifndef EMG_FILE_H
#define EMG_FILE_H

#include <stdbool.h>

#include <emgtwin/array.h>
#include <emgtwin/filters.h>
#include <emgtwin/muap.h>
#include <emgtwin/recording.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Everything the simulator knows about a recording.
typedef struct {
  emg_spikes spikes;
  emg_muap_bank muaps;     // of the recording's channels, at its rate
  emg_table units;         // one row per unit: depth_mm, angle_deg, ... -> /truth/units/<name>
  emg_array2d excitation;  // [muscle][sample] 0..1
  emg_array2d force;       // [muscle][sample] fraction of MVC
  emg_array2f fault;       // [channel][sample] 1 where a sensor fault acts; empty if none
} emg_truth;
void emg_truth_free(emg_truth *truth);

// What a user should look at before trusting a unit; bits of emg_decomposition.flags.
typedef enum {
  EMG_UNIT_MAY_BE_TWO = 1,      // irregular and not well separated: may hold two units' spikes
  EMG_UNIT_HARD_TO_DETECT = 2,  // spikes stand less than 9 standard deviations above the noise
  EMG_UNIT_INTERMITTENT = 4,    // fires in a small part of the recording
  EMG_UNIT_EDITED = 8,          // changed by hand since it was found
  EMG_UNIT_AT_LIMIT = 16,       // inverted: place, velocity or ends are as far off as may be fitted
} emg_unit_flag;

// One operation of editing (emgtwin/edit.h): the units it replaced and those it made.
#define EMG_EDIT_UNITS_MAX 2
typedef struct {
  char *text;  // the operation and what it changed, one line
  int n_before, n_after;
  int before[EMG_EDIT_UNITS_MAX], after[EMG_EDIT_UNITS_MAX];  // their numbers, ascending
  // of the side that does not hold now: `before` of a step that is done, `after` of one undone
  struct emg_decomposition *kept;
} emg_edit_step;

// All operations on a decomposition in order. Steps from n_done on are undone and may be redone.
typedef struct {
  int n_steps, n_done;
  bool had_flags, had_locked;  // whether the decomposition came with them
  emg_edit_step *steps;
} emg_edit_log;
void emg_edit_log_free(emg_edit_log *log);
// Drop the steps from `n` on.
void emg_edit_log_cut(emg_edit_log *log, int n);
// EMG_ERR_DATA unless the numbers of all steps exist when their turn comes, starting from
// `n_units`, and what is kept suits them.
emg_status emg_edit_log_check(const emg_edit_log *log, int n_units, emg_error *err);

// Spike trains found in a recording, with their figures.
typedef struct emg_decomposition {
  emg_spikes spikes;
  double *sil, *pnr_db, *isi_cov, *rate_hz;  // one per unit
  double *detectability;  // height of a unit's spikes over the standard deviation of what is left
                          // of the signal in its source; NULL if unknown
  int32_t *flags;         // of emg_unit_flag; NULL if unknown
  int32_t *round;         // the search, from 0, that found the unit; NULL if unknown
  uint8_t *locked;        // 1: editing leaves the unit alone; NULL: none is
  emg_array2f source;     // [unit][sample], empty unless kept
  emg_muap_bank muaps;    // spike-triggered averages, n_units 0 if none
  emg_filters filters;    // for new data from the same electrodes, n_units 0 if none
  emg_edit_log edits;     // n_steps 0 if none
  int n_channels;         // of the recording; 0 if `channels` is not known
  emg_channel_finding *channels;  // [n_channels] which were left out and why
  char (*group)[32];              // [n_units] the grid each unit was found in; NULL: all together
} emg_decomposition;
void emg_decomposition_free(emg_decomposition *d);
// A new decomposition of units row[i] of from[i], without edits. It has the optional parts that
// `like` has, in its shapes; EMG_ERR_ARG if one of the others has not.
emg_status emg_decomposition_gather(int n, const emg_decomposition *const *from, const int *row,
                                    const emg_decomposition *like, emg_decomposition *out,
                                    emg_error *err);

// What an inversion (emgtwin/invert.h) says of a unit, by the names of /truth/units where there are
// such.
typedef enum {
  EMG_INVERSION_DEPTH,          // depth_mm, of the centre of the territory below the skin
  EMG_INVERSION_ANGLE,          // angle_deg, around the limb
  EMG_INVERSION_ZONE,           // innervation_zone_mm, z of its middle
  EMG_INVERSION_CV,             // conduction_velocity_m_per_s
  EMG_INVERSION_HALF_LENGTH_1,  // half_length_1_mm, from the zone to the ends at +z
  EMG_INVERSION_HALF_LENGTH_2,  // half_length_2_mm, to the ends at -z
  EMG_INVERSION_TERRITORY,      // territory_radius_mm
  EMG_INVERSION_ZONE_SPREAD,    // innervation_zone_sd_mm, standard deviation of the end-plates
  EMG_INVERSION_LATENCY,        // latency_ms, from the reported spike to the start of propagation
  EMG_INVERSION_FIBRE_COUNT,    // fibre_count, from the amplitude
  EMG_INVERSION_PARAMETERS
} emg_inversion_parameter;
// "depth_mm", "mm"
const char *emg_inversion_name(emg_inversion_parameter parameter);
const char *emg_inversion_unit(emg_inversion_parameter parameter);

typedef struct {
  double value[EMG_INVERSION_PARAMETERS];
  double sd[EMG_INVERSION_PARAMETERS];  // standard deviation, with the error of the model
  double correlation[EMG_INVERSION_PARAMETERS][EMG_INVERSION_PARAMETERS];  // of the errors by noise
  double cosine;  // of action potential and model, whitened: 1 where they agree
} emg_inverted_unit;

typedef struct {
  int n_units;  // those of the decomposition, in its order
  emg_inverted_unit *units;
  emg_table conductor;  // one row: conductor, place of the grid, ends; <name>_sd where estimated
  char note[320];       // why it should not be trusted as it is; empty: no reason
} emg_inversion;
void emg_inversion_free(emg_inversion *inversion);

// How a file came to be; NULL strings are left out.
typedef struct {
  const char *config_yaml, *command;
  unsigned long long seed;
  const char *input_sha256;
  const char *version, *cpu, *blas;  // NULL: of this program on this machine
} emg_provenance;

// What goes into one file; any pointer may be NULL except `path` in the call.
typedef struct {
  const emg_recording *recording;
  const emg_array2f *clean, *noise;
  const emg_truth *truth;
  const emg_decomposition *decomposition;
  const emg_inversion *inversion;  // of the same units
  const emg_provenance *provenance;
  bool compress;
  int n_threads;  // for compression only: the bytes do not depend on it
} emg_file_contents;

// EMG_ERR_IO: no such folder, permission, disk full; `overwrite` false and `path` exists. No file
// or partial file is left behind on failure or kill.
emg_status emg_file_write(const char *path, const emg_file_contents *contents, bool overwrite,
                          emg_error *err);

// Read parts of a native file. EMG_ERR_DATA: not ours, incomplete, malformed; a part that is asked
// for and not there.
emg_status emg_file_read_truth(const char *path, emg_truth *out, emg_error *err);
emg_status emg_file_read_decomposition(const char *path, emg_decomposition *out, emg_error *err);
emg_status emg_file_read_inversion(const char *path, emg_inversion *out, emg_error *err);
// Spike trains of any source: /truth or /units of a native file (`prefer_truth` if both), labels
// of a BIDS derivative TSV or DEMUSE .mat. The one reader `score` uses.
emg_status emg_spikes_read(const char *path, bool prefer_truth, emg_spikes *out, emg_error *err);
// Provenance config text of a native file, malloc'ed; EMG_ERR_DATA if none.
emg_status emg_file_read_config(const char *path, char **yaml, emg_error *err);
// SHA-256 of a file's bytes (BIDS folder: of its recording file), as 64 hex digits.
emg_status emg_file_sha256(const char *path, char hex[65], emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
