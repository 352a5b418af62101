// otb_priv.h -- recordings of OT Bioelettronica: what .otb+ and .otb4 have in common
//
// Both are tar archives of interleaved samples and of XML that says what they are. The layouts were
// learnt from the vendor's scripts for MATLAB (OTBioelettronica/OTB-Matlab: OpenOTBfilesConvFact,
// OpenOTB4_v2) and from other public readers; no real file has been met.
#ifndef EMG_OTB_PRIV_H
#define EMG_OTB_PRIV_H

#include "base/xml.h"
#include "formats_priv.h"
#include "tar_priv.h"

enum {
  EMG_OTB_CHANNELS_MAX = 4096,
  EMG_OTB_STREAMS_MAX = 64,
  EMG_OTB_XML_BYTES_MAX = 16 << 20,
};

// A file of frames: n_interleaved samples each, little-endian.
typedef struct {
  const emg_tar_member *member;
  int sample_bytes;  // 2, 3, 4: signed integers; 8: double
  int n_interleaved;
  int64_t n_frames;
  double rate_hz;
} emg_otb_stream;

// One channel in a stream.
typedef struct {
  int stream, index;  // place in a frame, from 0
  bool is_emg;
  double scale;    // uV per count of EMG, `units` per count of others
  char name[48];   // of others
  char units[16];  // of others
  int grid;        // of EMG: which of the grids, muscles or needles below
} emg_otb_channel;

// EMG channels that belong together.
typedef struct {
  char sensor[32];  // "GR08MM1305", as the file says
  char muscle[48];
  int place;     // connector or track it was found at, to tell grids of one kind apart
  bool is_grid;  // electrodes that have places, not single ones
} emg_otb_grid;

typedef struct {
  emg_otb_stream *streams;
  int n_streams;
  emg_otb_channel *channels;
  int n_channels;
  emg_otb_grid *grids;
  int n_grids;
} emg_otb_layout;

// Fill a layout from the descriptions in an archive; what the user should know goes to `notes`.
typedef emg_status (*emg_otb_describe_fn)(emg_tar *tar, emg_otb_layout *layout,
                                          emg_recording *notes, emg_error *err);
// Main path of both formats: open the archive, describe it, read it; or, if `blocks` is given, all
// but the samples, which can then be read in blocks unless the archive is compressed. EMG at
// another rate than most of it becomes auxiliary.
emg_status emg_otb_read(const char *path, const char *format, emg_otb_describe_fn describe,
                        const emg_read_options *options, emg_recording *out, emg_blocks *blocks,
                        emg_error *err);

// Each allocates room for one more and returns it zeroed through `out`. EMG_ERR_DATA past a limit.
emg_status emg_otb_add_stream(emg_otb_layout *layout, emg_otb_stream **out, emg_error *err);
emg_status emg_otb_add_channel(emg_otb_layout *layout, emg_otb_channel **out, emg_error *err);
// Index of the grid of this sensor at this place, added if it is new.
emg_status emg_otb_grid_at(emg_otb_layout *layout, const emg_otb_grid *grid, int *index,
                           emg_error *err);

// Frames of a stream whose member, sample size and interleaving are set. A last frame that is not
// whole is left out with a note if `is_described` (every channel of a frame is accounted for), and
// refused otherwise, as the number of channels may be wrong then.
emg_status emg_otb_count_frames(emg_otb_stream *stream, bool is_described, emg_recording *notes,
                                emg_error *err);

// Read all channels of the layout into `out`: its EMG is at one rate, and none of its streams is
// shorter; other channels are interpolated to that rate, cut, or their last value is held.
emg_status emg_otb_read_all(emg_tar *tar, const emg_otb_layout *layout, emg_recording *out,
                            emg_error *err);
// Samples [begin, begin + n) of the EMG alone.
emg_status emg_otb_read_emg(emg_tar *tar, const emg_otb_layout *layout, int64_t begin, int64_t n,
                            const emg_array2f *data, emg_error *err);

// --- XML in the archive ---

emg_status emg_otb_read_xml(emg_tar *tar, const emg_tar_member *member, emg_xml_file **out,
                            emg_error *err);
// A whole number, or a finite one, within limits. EMG_ERR_DATA naming `what` and the limits.
emg_status emg_otb_integer(const char *text, const char *what, int64_t min, int64_t max,
                           int64_t *value, emg_error *err);
emg_status emg_otb_number(const char *text, const char *what, double min, double max, double *value,
                          emg_error *err);
// True if `text` holds `word`, in capitals or not; begins or ends with it.
bool emg_otb_has_word(const char *text, const char *word);
bool emg_otb_begins(const char *text, const char *word);
bool emg_otb_ends(const char *text, const char *word);
// A name for channel `number` of `n` that share one.
void emg_otb_name(char to[48], const char *name, int number, int n);
// Append an item to a list that is cut with "..." before it is full.
void emg_otb_list(char *text, size_t size, const char *separator, const char *item);

// --- electrode maps (otb_grid.c) ---

typedef struct {
  const char *sensor;
  int n_rows, n_columns, n_electrodes;
  double pitch_mm;
  const unsigned char *map;  // row by row the electrode there, from 1; 0 where there is none
} emg_otb_map;

// Map of the sensor whose code `text` holds, NULL if none is known.
const emg_otb_map *emg_otb_map_of(const char *text);
const emg_otb_map *emg_otb_maps(int *n);
// Rows, columns, positions and group names of all grids of a recording; notes for grids without
// map.
emg_status emg_otb_place_grids(const emg_otb_layout *layout, emg_recording *out, emg_error *err);

#endif
