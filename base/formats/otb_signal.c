// otb_signal.c -- samples of .otb+ and .otb4 recordings
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "otb_priv.h"

enum { BLOCK_BYTES = 1 << 18 };

emg_status emg_otb_count_frames(emg_otb_stream *stream, bool is_described, emg_recording *notes,
                                emg_error *err) {
  const emg_tar_member *member = stream->member;
  int64_t frame = (int64_t)stream->n_interleaved * stream->sample_bytes;
  int64_t rest = member->n_bytes % frame;

  stream->n_frames = member->n_bytes / frame;
  if (rest != 0 && (!is_described || stream->n_frames == 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s has %lld bytes, which is no whole number of frames of %d channels of %d "
                    "bytes; it was cut, or its description belongs to another file",
                    member->name, (long long)member->n_bytes, stream->n_interleaved,
                    stream->sample_bytes);
  }
  if (rest != 0) {
    emg_recording_note(notes, "the last frame of %.60s is not whole (%lld of %lld bytes): left out",
                       member->name, (long long)rest, (long long)frame);
  }
  return EMG_OK;
}

// --- samples ---

static double sample_at(const unsigned char *p, int n_bytes) {
  switch (n_bytes) {
    case 2:
      return (int16_t)(p[0] | p[1] << 8);
    case 3:
      return (int32_t)((uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24) / 256;
    case 4:
      return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                       (uint32_t)p[3] << 24);
    default: {
      uint64_t bits = 0;
      double value;
      for (int i = 7; i >= 0; i--) {
        bits = bits << 8 | p[i];
      }
      memcpy(&value, &bits, sizeof value);
      return value;
    }
  }
}

// One channel of a stream being read: which samples, times what, to where.
typedef struct {
  int index;
  double scale;
  float *to;
} column;

// Frames [begin, begin + n_frames) of a stream.
static emg_status read_stream(emg_tar *tar, const emg_otb_stream *stream, const column *columns,
                              int n_columns, int64_t begin, int64_t n_frames, emg_error *err) {
  size_t frame_bytes = (size_t)stream->n_interleaved * (size_t)stream->sample_bytes;
  int64_t frames_at_once = BLOCK_BYTES / (int64_t)frame_bytes + 1;
  unsigned char *block;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)frames_at_once, frame_bytes, &block, err));
  for (int64_t first = 0; first < n_frames && status == EMG_OK; first += frames_at_once) {
    int64_t n = n_frames - first < frames_at_once ? n_frames - first : frames_at_once;
    status = emg_tar_read(tar, stream->member, (begin + first) * (int64_t)frame_bytes,
                          (size_t)n * frame_bytes, block, err);
    for (int k = 0; k < n_columns && status == EMG_OK; k++) {
      const unsigned char *from = block + (size_t)columns[k].index * (size_t)stream->sample_bytes;
      for (int64_t i = 0; i < n; i++) {
        columns[k].to[first + i] =
            (float)(columns[k].scale * sample_at(from, stream->sample_bytes));
        from += frame_bytes;
      }
    }
  }
  free(block);
  return status;
}

// Values at another rate on the clock of the EMG: linear between them, the last one held.
static void interpolate(const float *from, int64_t n_from, double rate_ratio, float *to,
                        int64_t n_to) {
  for (int64_t i = 0; i < n_to; i++) {
    double at = (double)i * rate_ratio;
    int64_t k = at < (double)(n_from - 1) ? (int64_t)at : n_from - 1;
    double part = k < n_from - 1 ? at - (double)k : 0;
    to[i] =
        part == 0 ? from[k] : (float)((1 - part) * (double)from[k] + part * (double)from[k + 1]);
  }
}

// A stream that has another rate or is shorter than the recording goes through memory of its own.
static emg_status read_aside(emg_tar *tar, const emg_otb_stream *stream, column *columns,
                             int n_columns, const emg_recording *out, emg_error *err) {
  emg_array2f aside;

  if (stream->n_frames == 0) {
    return EMG_OK;  // nothing to hold: zeros
  }
  EMG_TRY(emg_array2f_create(n_columns, stream->n_frames, &aside, err));
  column *whole;
  emg_status status = emg_alloc((size_t)n_columns, sizeof *whole, &whole, err);
  if (status == EMG_OK) {
    for (int k = 0; k < n_columns; k++) {
      whole[k] = columns[k];
      whole[k].to = emg_row2f(&aside, k);
    }
    status = read_stream(tar, stream, whole, n_columns, 0, stream->n_frames, err);
  }
  for (int k = 0; k < n_columns && status == EMG_OK; k++) {
    interpolate(emg_row2f(&aside, k), stream->n_frames, stream->rate_hz / out->rate_hz,
                columns[k].to, out->data.n_cols);
  }
  free(whole);
  emg_array2f_free(&aside);
  return status;
}

// Channels of a stream and where they go; those that are not EMG only if there is room for them.
static int find_columns(const emg_otb_layout *layout, int stream, const emg_array2f *data,
                        const emg_array2f *aux, column *columns) {
  int n = 0, n_emg = 0;

  for (int c = 0; c < layout->n_channels; c++) {
    const emg_otb_channel *channel = &layout->channels[c];
    if (channel->stream == stream && (channel->is_emg || aux)) {
      columns[n++] = (column){channel->index, channel->scale,
                              channel->is_emg ? emg_row2f(data, n_emg) : emg_row2f(aux, c - n_emg)};
    }
    n_emg += channel->is_emg;
  }
  return n;
}

emg_status emg_otb_read_emg(emg_tar *tar, const emg_otb_layout *layout, int64_t begin, int64_t n,
                            const emg_array2f *data, emg_error *err) {
  column *columns;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)layout->n_channels, sizeof *columns, &columns, err));
  for (int s = 0; s < layout->n_streams && status == EMG_OK; s++) {
    int n_columns = find_columns(layout, s, data, NULL, columns);
    status = n_columns == 0
                 ? EMG_OK
                 : read_stream(tar, &layout->streams[s], columns, n_columns, begin, n, err);
  }
  free(columns);
  return status;
}

emg_status emg_otb_read_all(emg_tar *tar, const emg_otb_layout *layout, emg_recording *out,
                            emg_error *err) {
  int n_other_rate = 0, n_short = 0, n_long = 0;
  int64_t n_samples = out->data.n_cols;
  column *columns;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)layout->n_channels, sizeof *columns, &columns, err));
  for (int s = 0; s < layout->n_streams && status == EMG_OK; s++) {
    const emg_otb_stream *stream = &layout->streams[s];
    bool is_same_rate = stream->rate_hz == out->rate_hz;
    int n_columns = find_columns(layout, s, &out->data, &out->aux, columns);
    n_other_rate += is_same_rate ? 0 : n_columns;
    n_short += is_same_rate && stream->n_frames < n_samples ? n_columns : 0;
    n_long += is_same_rate && stream->n_frames > n_samples ? n_columns : 0;
    status = n_columns == 0 || n_samples == 0 ? EMG_OK
             : is_same_rate && stream->n_frames >= n_samples
                 ? read_stream(tar, stream, columns, n_columns, 0, n_samples, err)
                 : read_aside(tar, stream, columns, n_columns, out, err);
  }
  free(columns);
  if (n_other_rate > 0) {
    emg_recording_note(out, "%d channels at another rate than %g Hz are interpolated", n_other_rate,
                       out->rate_hz);
  }
  if (n_short + n_long > 0) {
    emg_recording_note(out,
                       "the EMG has %lld samples: %d channels that are longer are cut, %d that are "
                       "shorter hold their last value",
                       (long long)n_samples, n_long, n_short);
  }
  return status;
}
