// stream.c -- recordings read in blocks of time
#include <emgtwin/stream.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"

struct emg_stream {
  emg_recording header;  // without samples
  int64_t length;
  emg_blocks blocks;  // reads the file; {0} if `whole` holds it
  emg_array2f whole;
  int *rows;  // row of the file for each channel, NULL if they are the same
  int n_file_rows;
  emg_array2f block;  // all rows of the file, where a grid map leaves some out
};

// Formats that are read in blocks; the others are read whole.
static emg_blocks_open_fn find_opener(const emg_format *format) {
  static const struct {
    emg_status (*read)(const char *, const emg_read_options *, emg_recording *, emg_error *);
    emg_blocks_open_fn open;
  } table[] = {{emg_native_read, emg_native_open_blocks},
               {emg_edf_read, emg_edf_open_blocks},
               {emg_bids_read, emg_bids_open_blocks},
               {emg_otb4_read, emg_otb4_open_blocks},
               {emg_otb_plus_read, emg_otb_plus_open_blocks}};

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (format->read == table[i].read) {
      return table[i].open;
    }
  }
  return NULL;
}

static emg_status open_blocks(emg_stream *stream, const char *path, const emg_read_options *options,
                              emg_error *err) {
  emg_recording *header = &stream->header;
  const emg_format *format;

  EMG_TRY(emg_format_of(path, &format, err));
  emg_blocks_open_fn open = find_opener(format);
  if (!open) {
    return EMG_OK;
  }
  EMG_TRY(open(path, options, header, &stream->blocks, err));
  stream->n_file_rows = header->data.n_rows;
  return stream->blocks.state ? emg_recording_settle(header, options, &stream->rows, err) : EMG_OK;
}

static emg_status open_whole(emg_stream *stream, const char *path, const emg_read_options *options,
                             emg_error *err) {
  emg_recording *header = &stream->header;

  free(stream->rows);
  stream->rows = NULL;
  emg_recording_free(header);
  EMG_TRY(emg_recording_read(path, options, header, err));
  stream->whole = header->data;
  header->data.data = NULL;
  emg_array2f_free(&header->aux);
  free(header->aux_channels);
  header->aux_channels = NULL;
  return EMG_OK;
}

emg_status emg_stream_open(const char *path, const emg_read_options *options, emg_stream **out,
                           emg_error *err) {
  emg_read_options with_emg = options ? *options : (emg_read_options){0};
  emg_stream *stream;

  *out = NULL;
  with_emg.allow_no_emg = false;
  EMG_TRY(emg_alloc(1, sizeof *stream, &stream, err));
  stream->header.pitch_mm = NAN;
  emg_status status = open_blocks(stream, path, &with_emg, err);
  if (status == EMG_OK && !stream->blocks.state) {
    status = open_whole(stream, path, &with_emg, err);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    emg_stream_close(stream);
    return status;
  }
  stream->length = stream->header.data.n_cols;
  stream->header.data.n_cols = 0;
  *out = stream;
  return EMG_OK;
}

const emg_recording *emg_stream_header(const emg_stream *stream) {
  return &stream->header;
}

int64_t emg_stream_length(const emg_stream *stream) {
  return stream->length;
}

static void copy_rows(const emg_array2f *from, int64_t begin, const int *rows, int64_t n,
                      emg_array2f *out) {
  for (int c = 0; n > 0 && c < out->n_rows; c++) {
    memcpy(emg_row2f(out, c), emg_row2f(from, rows ? rows[c] : c) + begin,
           (size_t)n * sizeof(float));
  }
}

// Through a block of all rows of the file to those that are kept.
static emg_status read_kept_rows(emg_stream *stream, int64_t begin, int64_t n, emg_array2f *out,
                                 emg_error *err) {
  if (stream->block.n_cols < n) {
    emg_array2f_free(&stream->block);
    EMG_TRY(emg_array2f_create(stream->n_file_rows, n, &stream->block, err));
  }
  EMG_TRY(stream->blocks.read(stream->blocks.state, begin, n, &stream->block, err));
  copy_rows(&stream->block, 0, stream->rows, n, out);
  return EMG_OK;
}

// Values that are not finite become 0 and mark their channels, as in emg_recording_read.
static void settle_block(emg_stream *stream, int64_t n, emg_array2f *out) {
  bool is_first = true;

  for (int c = 0; c < out->n_rows; c++) {
    is_first = is_first && stream->header.channels[c].state != EMG_CHANNEL_NOT_FINITE;
  }
  for (int c = 0; c < out->n_rows; c++) {
    if (emg_replace_not_finite(emg_row2f(out, c), n) > 0) {
      stream->header.channels[c].state = EMG_CHANNEL_NOT_FINITE;
      if (is_first) {
        emg_recording_note(&stream->header,
                           "samples that are not finite are set to 0, channels marked");
        is_first = false;
      }
    }
  }
}

emg_status emg_stream_read(emg_stream *stream, int64_t begin, int64_t n, emg_array2f *out,
                           emg_error *err) {
  if (begin < 0 || n < 0 || begin > stream->length - n) {
    return emg_fail(err, EMG_ERR_ARG, "%lld samples from sample %lld on of a recording of %lld",
                    (long long)n, (long long)begin, (long long)stream->length);
  }
  if (out->n_rows != stream->header.data.n_rows || out->n_cols < n) {
    return emg_fail(err, EMG_ERR_ARG, "a block of %d x %lld for %d channels of %lld samples",
                    out->n_rows, (long long)out->n_cols, stream->header.data.n_rows, (long long)n);
  }
  if (!stream->blocks.state) {
    copy_rows(&stream->whole, begin, NULL, n, out);
    return EMG_OK;
  }
  if (stream->rows) {
    EMG_TRY(read_kept_rows(stream, begin, n, out, err));
  } else {
    EMG_TRY(stream->blocks.read(stream->blocks.state, begin, n, out, err));
  }
  settle_block(stream, n, out);
  return EMG_OK;
}

void emg_stream_close(emg_stream *stream) {
  if (stream) {
    if (stream->blocks.state) {
      stream->blocks.close(stream->blocks.state);
    }
    emg_array2f_free(&stream->whole);
    emg_array2f_free(&stream->block);
    emg_recording_free(&stream->header);
    free(stream->rows);
    free(stream);
  }
}
