// formats.h -- the table of file formats: adding one is one file and one row
#ifndef EMG_BASE_FORMATS_H
#define EMG_BASE_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

#include <emgtwin/recording.h>

// What a format is told from: the path, whether it is a folder, and the first bytes of the file.
typedef struct {
  const char *path;
  bool is_folder;
  size_t n_bytes;
  unsigned char bytes[1024];  // ends in a zero byte
} emg_probe;

typedef struct {
  const char *name, *doc;
  bool (*probe)(const emg_probe *probe);
  // Read what is there; files without EMG give a recording with no channels but with `aux` or
  // `labels`. Values may hold NaN, which emg_recording_read replaces.
  emg_status (*read)(const char *path, const emg_read_options *options, emg_recording *out,
                     emg_error *err);
  // Spike trains alone, NULL where they come with `read`.
  emg_status (*read_spikes)(const char *path, bool prefer_truth, emg_spikes *out, emg_error *err);
} emg_format;

// Samples read in blocks of time: what a stream is made of.
typedef struct {
  void *state;
  // Samples [begin, begin + n) of every channel, a span within the recording; values may hold NaN.
  emg_status (*read)(void *state, int64_t begin, int64_t n, const emg_array2f *out, emg_error *err);
  void (*close)(void *state);
} emg_blocks;

// Open a recording for reading in blocks: `header` is what `read` of the format gives, its data of
// the right size but without numbers, and no aux. `blocks` is {0} if the samples are stored so that
// blocks cannot be read, or there are none. Both are freed by the caller, also on failure.
typedef emg_status (*emg_blocks_open_fn)(const char *path, const emg_read_options *options,
                                         emg_recording *header, emg_blocks *blocks, emg_error *err);

// Formats in the order in which they are tried.
const emg_format *emg_formats(int *n);
// Format of a file or folder. EMG_ERR_IO, or EMG_ERR_DATA with the formats there are.
emg_status emg_format_of(const char *path, const emg_format **format, emg_error *err);

// --- what the readers share ---

// What every reader ends with, but for values that are not finite: a recording must hold EMG unless
// the options say otherwise, and is placed on the user's grid map. `rows` (may be NULL): row of the
// file for each channel that the map kept, malloc'ed, NULL if all are. The data may be without
// numbers.
emg_status emg_recording_settle(emg_recording *rec, const emg_read_options *options, int **rows,
                                emg_error *err);
// Set values that are not finite to 0; their number.
int64_t emg_replace_not_finite(float *row, int64_t n);

// uV in one `unit` of a file ("mV", "µV", "V"); 0 if it is no unit of voltage.
double emg_uv_per_unit(const char *unit);
// Text from a file for a name: blanks at the ends cut, bytes that are not UTF-8 taken as Latin-1,
// control characters replaced by '?'; at most size - 1 bytes, whole characters.
void emg_label_copy(char *to, size_t size, const char *from, size_t length);
// Rows and columns of each group from its electrode positions, where they lie on a regular grid,
// and the inter-electrode distance. Known rows and columns stay.
emg_status emg_grid_from_positions(emg_recording *rec, emg_error *err);
// Inter-electrode distance from rows, columns and positions: the median of neighbours.
void emg_grid_pitch(emg_recording *rec);
// The rate of a recording: the file's (0 if absent), or the user's; 0 if neither is known and the
// options allow it. EMG_ERR_DATA: neither, or not a rate; EMG_ERR_ARG: both and different.
emg_status emg_settle_rate(double file_rate_hz, const emg_read_options *options, double *rate_hz,
                           emg_error *err);

// --- the formats ---
bool emg_native_probe(const emg_probe *probe);
emg_status emg_native_read(const char *path, const emg_read_options *options, emg_recording *out,
                           emg_error *err);
emg_status emg_native_open_blocks(const char *path, const emg_read_options *options,
                                  emg_recording *header, emg_blocks *blocks, emg_error *err);
emg_status emg_native_read_spikes(const char *path, bool prefer_truth, emg_spikes *out,
                                  emg_error *err);
bool emg_bids_probe(const emg_probe *probe);
emg_status emg_bids_read(const char *path, const emg_read_options *options, emg_recording *out,
                         emg_error *err);
emg_status emg_bids_open_blocks(const char *path, const emg_read_options *options,
                                emg_recording *header, emg_blocks *blocks, emg_error *err);
bool emg_bids_events_probe(const emg_probe *probe);
emg_status emg_bids_events_read(const char *path, const emg_read_options *options,
                                emg_recording *out, emg_error *err);
bool emg_edf_probe(const emg_probe *probe);
emg_status emg_edf_read(const char *path, const emg_read_options *options, emg_recording *out,
                        emg_error *err);
emg_status emg_edf_open_blocks(const char *path, const emg_read_options *options,
                               emg_recording *header, emg_blocks *blocks, emg_error *err);
bool emg_mat_probe(const emg_probe *probe);
emg_status emg_mat_read_recording(const char *path, const emg_read_options *options,
                                  emg_recording *out, emg_error *err);
bool emg_openhdemg_json_probe(const emg_probe *probe);
emg_status emg_openhdemg_json_read(const char *path, const emg_read_options *options,
                                   emg_recording *out, emg_error *err);
bool emg_openhdemg_module_probe(const emg_probe *probe);
emg_status emg_openhdemg_module_read(const char *path, const emg_read_options *options,
                                     emg_recording *out, emg_error *err);
bool emg_custom_csv_probe(const emg_probe *probe);
emg_status emg_custom_csv_read(const char *path, const emg_read_options *options,
                               emg_recording *out, emg_error *err);
bool emg_mat73_probe(const emg_probe *probe);
emg_status emg_mat73_read(const char *path, const emg_read_options *options, emg_recording *out,
                          emg_error *err);
bool emg_otb4_probe(const emg_probe *probe);
emg_status emg_otb4_read(const char *path, const emg_read_options *options, emg_recording *out,
                         emg_error *err);
emg_status emg_otb4_open_blocks(const char *path, const emg_read_options *options,
                                emg_recording *header, emg_blocks *blocks, emg_error *err);
bool emg_otb_plus_probe(const emg_probe *probe);
emg_status emg_otb_plus_read(const char *path, const emg_read_options *options, emg_recording *out,
                             emg_error *err);
emg_status emg_otb_plus_open_blocks(const char *path, const emg_read_options *options,
                                    emg_recording *header, emg_blocks *blocks, emg_error *err);

#endif
