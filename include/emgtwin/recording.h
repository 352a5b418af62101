// recording.h -- a multichannel EMG recording, whatever file it came from
#ifndef EMG_RECORDING_H
#define EMG_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/array.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Why a channel should not be used, as labelled in a file or found in the data.
typedef enum {
  EMG_CHANNEL_GOOD = 0,
  EMG_CHANNEL_DEAD = 1,  // flat
  EMG_CHANNEL_NOISY = 2,
  EMG_CHANNEL_SATURATED = 3,
  EMG_CHANNEL_INTERMITTENT = 4,
  EMG_CHANNEL_NOT_FINITE = 5,  // holds NaN or infinity (replaced by 0)
  EMG_CHANNEL_MARKED = 6,      // marked bad in the file
  EMG_CHANNEL_DUPLICATE = 7,
  EMG_CHANNEL_UNUSED = 8,  // not looked at: of a grid that is decomposed apart from this one
} emg_channel_state;

// What was found of a channel, and why; "" if it is good.
typedef struct {
  emg_channel_state state;
  char why[120];
} emg_channel_finding;

typedef struct {
  char name[32];
  char group[32];           // grid or muscle, "" if unknown
  int row, column;          // place in the grid, from 0; -1 if unknown
  double x_mm, y_mm, z_mm;  // electrode position; NaN if unknown
  emg_channel_state state;
} emg_channel;

// A channel that is not EMG: force, trigger, path.
typedef struct {
  char name[48];
  char units[16];
} emg_aux_channel;

typedef struct {
  char format[24];        // "emgtwin", "EDF+C", "BDF", "BIDS-EMG", "MATLAB 5 (DEMUSE)", ...
  double rate_hz;         // 0 if unknown, which is read only where the options allow it
  emg_array2f data;       // [channel][sample] uV
  bool is_physical;       // false: the file states no scale and values are raw counts
  char source_units[16];  // units the file stated ("mV"), "" if none
  emg_channel *channels;  // data.n_rows of them
  emg_array2f aux;        // [aux channel][sample] at rate_hz
  emg_aux_channel *aux_channels;
  emg_spikes labels;  // spike trains that came with the file, n_units 0 if none
  double pitch_mm;    // inter-electrode distance, NaN if unknown
  int n_notes;
  char notes[8][200];  // what a user should know: repaired, missing, replaced
} emg_recording;

emg_status emg_recording_create(int n_channels, int64_t n_samples, double rate_hz,
                                emg_recording *out, emg_error *err);
emg_status emg_recording_add_aux(emg_recording *rec, int n_aux, emg_error *err);  // allocates aux
void emg_recording_free(emg_recording *rec);
void emg_recording_note(emg_recording *rec, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *emg_channel_state_name(emg_channel_state state);  // "good", "dead", ...

// What the file does not say and the user must (never guessed): 0 or NULL where not given.
typedef struct {
  double rate_hz;   // overrides nothing: only fills a gap, and must agree where the file states it
  double scale_uv;  // uV per count where the file has no units
  const char *map;  // grid map file (.mat or .csv of channel numbers), where the file has no grid
  bool allow_no_emg;   // a file of force or spike trains alone is read too, with no channels
  bool allow_no_rate;  // a file that does not state its rate is read too, with rate_hz 0 and a note
} emg_read_options;

// Read any supported file or BIDS folder; the format is told from content, not from the name.
// EMG_ERR_IO: no such file, no permission. EMG_ERR_DATA: malformed, truncated, unsupported, or the
// rate is missing (the message says which option to give). NaN samples become 0 and are flagged.
emg_status emg_recording_read(const char *path, const emg_read_options *options, emg_recording *out,
                              emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
