// stream.h -- a recording read in blocks of time, for recordings longer than memory
#ifndef EMG_STREAM_H
#define EMG_STREAM_H

#include <stdint.h>

#include <emgtwin/array.h>
#include <emgtwin/recording.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// An open recording. Native files, EDF, BDF, BIDS, OTB+ and OTB4 are read in blocks from disk, with
// memory for one block; any other format is read whole when it is opened and served from memory. A
// stream is used by one thread at a time.
typedef struct emg_stream emg_stream;

// Open any recording that emg_recording_read reads, with the same options, checks and errors; a
// recording without EMG is EMG_ERR_DATA, whatever the options say. Nothing to close on failure.
emg_status emg_stream_open(const char *path, const emg_read_options *options, emg_stream **out,
                           emg_error *err);

// What emg_recording_read gives beside the samples: rate, channels, labels, notes. data.n_rows is
// the number of channels, data.n_cols 0; there are no auxiliary channels. The channel states and
// the notes are those of what was read so far: values that are not finite are met as they come.
// Valid until the stream is closed.
const emg_recording *emg_stream_header(const emg_stream *stream);

// Samples per channel, at least 1.
int64_t emg_stream_length(const emg_stream *stream);

// Samples [begin, begin + n) of every channel into out [channel][sample], which the caller has
// allocated with a row for each channel and at least n columns; other columns stay. Blocks may be
// of any size and in any order; forwards is fastest. The values are those of emg_recording_read bit
// by bit: in uV (or counts, see is_physical), 0 in place of what is not finite, whose channel is
// marked EMG_CHANNEL_NOT_FINITE in the header from then on. EMG_ERR_ARG: outside the recording or
// an array too small. EMG_ERR_DATA, EMG_ERR_IO: the file is damaged there or cannot be read.
emg_status emg_stream_read(emg_stream *stream, int64_t begin, int64_t n, emg_array2f *out,
                           emg_error *err);

void emg_stream_close(emg_stream *stream);  // NULL is fine

#ifdef __cplusplus
}
#endif
#endif
