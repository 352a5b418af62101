// edit.h -- decompositions corrected by hand: every operation is recorded and can be undone
//
// A unit is edited against its source in the recording less the action potentials of all other
// units, as the decomposer sees it (docs/decomposition.md, "By hand"). What an operation replaced
// is kept in emg_decomposition.edits, so that undoing gives the same bits back.
#ifndef EMG_EDIT_H
#define EMG_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  EMG_EDIT_ADD,              // spikes near `times`, or at all peaks in the range
  EMG_EDIT_DELETE,           // spikes near `times`, or all in the range
  EMG_EDIT_MERGE,            // `unit` and `other` become the one with the lower number
  EMG_EDIT_SPLIT,            // in two; the second part becomes the last unit
  EMG_EDIT_DELETE_UNIT,      // later units move down by one
  EMG_EDIT_REMOVE_OUTLIERS,  // the lower spikes of pairs that follow each other too fast
  EMG_EDIT_REESTIMATE,       // filter from the spikes of the range, and its spikes there
  EMG_EDIT_LOCK,             // other operations refuse the unit until it is unlocked
  EMG_EDIT_UNLOCK,
  EMG_EDIT_UNDO,  // the last operation that is done
  EMG_EDIT_REDO,  // the first that is undone
} emg_edit_kind;

// Samples begin .. end - 1 of the recording at heights low .. high of the source, which has the
// mean height 1 at the unit's spikes.
typedef struct {
  int64_t begin, end;
  double low, high;
} emg_edit_range;

typedef struct {
  emg_edit_kind kind;
  int unit, other;  // from 0
  int n_times;      // 0: the range counts (add, delete, re-estimate)
  int64_t *times;  // samples; of a split: none, or one, from which on spikes are of the second part
  int64_t window;  // samples from a time to the peak or spike that is meant, at most
  emg_edit_range range;
  bool keep_spikes;  // re-estimate: the source and figures alone, the spikes stay
} emg_edit_operation;
void emg_edit_operation_free(emg_edit_operation *operation);

// Read one operation from the start of `words`; *n_used says how many belong to it. Times are in
// seconds ("12.35", "12350ms") or samples ("@25293"), ranges FROM..TO of which either may be left
// out:
//
//   add UNIT TIME... [within TIME]     add UNIT FROM..TO [LOW..HIGH]
//   delete UNIT TIME... [within TIME]  delete UNIT FROM..TO [LOW..HIGH]
//   merge UNIT UNIT                    split UNIT [at TIME]
//   delete-unit UNITS                  remove-outliers UNITS
//   re-estimate UNITS [FROM..TO | keep]
//   lock UNITS    unlock UNITS         undo [N]    redo [N]
//
// UNITS: numbers with commas between, or `all` (of those that are not locked, except to unlock),
// as `d` has them now; that and undo N give several operations, to be done in this order.
// EMG_ERR_ARG.
typedef struct {
  int n;
  emg_edit_operation *items;
} emg_edit_operations;
emg_status emg_edit_parse(int n_words, const char *const *words, const emg_decomposition *d,
                          int *n_used, emg_edit_operations *out, emg_error *err);
void emg_edit_operations_free(emg_edit_operations *operations);
// Whether a word is the name of an operation, and of one that needs the recording.
bool emg_edit_is_name(const char *word);
bool emg_edit_needs_recording(const char *word);
// The same text again, malloc'ed; times in seconds to a millionth.
emg_status emg_edit_format(const emg_edit_operation *operation, double rate_hz, int64_t n_samples,
                           char **text, emg_error *err);

// What an operation changed.
typedef struct {
  int unit;  // number before, or after
  int64_t n_spikes;
  double sil, pnr_db, isi_cov, rate_hz;
  bool is_locked;
} emg_edit_unit;
typedef struct {
  int n_before, n_after;  // both 0: there was nothing to do, and nothing was recorded
  emg_edit_unit before[EMG_EDIT_UNITS_MAX], after[EMG_EDIT_UNITS_MAX];
} emg_edit_change;

// Edits one decomposition; one thread at a time.
typedef struct emg_editor emg_editor;

// `d`, `rec`, `config` (the one `d` was made with) and `monitor` must outlive the editor; `rec` and
// `config` may be NULL for operations that need no recording. EMG_ERR_DATA if the recording cannot
// be the one that was decomposed: other rate, length or channels.
emg_status emg_editor_create(emg_decomposition *d, const emg_recording *rec,
                             const emg_config *config, const emg_monitor *monitor, emg_editor **out,
                             emg_error *err);
void emg_editor_free(emg_editor *editor);

// Carry out one operation. Figures, source, averages and filter of the units it changes are made
// anew, those of others stay; the flag EMG_UNIT_EDITED is set and the operation recorded. On
// failure the decomposition is as it was. EMG_ERR_ARG: no such unit, locked, nothing in the range,
// fewer than 2 spikes left, nothing to undo. Same bits at any thread count.
emg_status emg_edit(emg_editor *editor, const emg_edit_operation *operation,
                    emg_edit_change *change, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
