// convert_priv.h -- what the writers of foreign formats share
#ifndef EMG_CONVERT_PRIV_H
#define EMG_CONVERT_PRIV_H

#include <math.h>

#include <emgtwin/convert.h>

#include "base/buffer.h"
#include "base/formats.h"
#include "base/json.h"
#include "base/json_read.h"

// A channel that is not EMG: of the recording, or force of the ground truth.
typedef struct {
  char name[48], units[16];
  const float *values;  // n_samples
} emg_export_aux;

struct emg_export {
  const emg_writer *writer;
  const emg_file_contents *contents;
  const emg_convert_options *options;
  const emg_recording *rec;  // NULL if there is no EMG
  double rate_hz;
  int64_t n_samples;  // of the recording, or one past the last discharge
  int n_aux;          // 0 without EMG
  emg_export_aux *aux;
  emg_array2f force;  // what `aux` points to where it is force of the truth
  bool has_units, is_truth;
  emg_spikes spikes;               // units that discharge
  int *unit;                       // their numbers in what was given
  const emg_decomposition *found;  // figures and sources of units that were found, else NULL
  emg_conversion *report;
};

// Add a note for the user.
void emg_export_note(const emg_export *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// mV of a sample, as openhdemg, DEMUSE and MUedit keep them; raw counts stay as they are.
static inline double emg_export_scale(const emg_export *e) {
  return e->rec && e->rec->is_physical ? 1e-3 : 1;
}
// Silhouette of exported unit u, NAN if unknown.
static inline double emg_export_sil(const emg_export *e, int u) {
  return e->found && e->found->sil ? e->found->sil[e->unit[u]] : NAN;
}
// State of a channel: what the recording says, or what the decomposition found.
emg_channel_state emg_export_state(const emg_export *e, int channel);
// Source of exported unit u, NULL if it was not kept.
const float *emg_export_source(const emg_export *e, int u);
// 1 where unit u discharges and 0 elsewhere, n_samples of them: what stands for a source that was
// not kept where a format insists on one.
void emg_export_train(const emg_export *e, int u, float *out);

// Channels of one group after the other, as formats with grids want them: `order` (n channels),
// groups in order of appearance; `group_of` numbers them. Both malloc'ed. Returns their number.
emg_status emg_export_groups(const emg_recording *rec, int **order, int **group_of, int *n_groups,
                             emg_error *err);
// Rows and columns are known for all channels of the recording, each place once in its group.
bool emg_export_has_grid(const emg_recording *rec);

// Members name, group, row, column, x_mm, y_mm, z_mm, state, each an array: how formats that take
// entries of others keep the channels. Written into an object that is open; read from one.
void emg_channels_write(const emg_export *e, emg_json *json);
void emg_channels_read(emg_json_cursor *c, emg_recording *rec);

// A text as JSON string with its quotes.
void emg_buffer_json(emg_buffer *b, const char *text);

// EDF or BDF of the whole recording in memory. `labels`, if not NULL, receives the names of all
// signals as they stand in the header (17 bytes each, EMG first), malloc'ed.
emg_status emg_edf_write(const emg_export *e, bool is_bdf, emg_buffer *out, char (**labels)[17],
                         emg_error *err);
// Samples in the file, which are more than those of the recording where its length does not divide.
int64_t emg_edf_padded_length(int64_t n_samples, double rate_hz);

// Columns onset, duration, sample, unit_id, event_type in the order of time.
emg_status emg_events_write(const emg_export *e, emg_buffer *out, emg_error *err);
// The run log that goes with them.
emg_status emg_run_log_write(const emg_export *e, emg_buffer *out, emg_error *err);

emg_status emg_write_native(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_openhdemg(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_openhdemg_json(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_demuse(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_muedit(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_muniverse(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_bids(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_edf(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_bdf(const char *path, const emg_export *e, emg_error *err);
emg_status emg_write_csv(const char *path, const emg_export *e, emg_error *err);

// Files by which folders of these formats are known.
#define EMG_MODULE_MARK ".openhdemg_module"
#define EMG_BIDS_MARK "dataset_description.json"

#endif
