// stream.c -- recordings read in blocks of time
#include <emgtwin/stream.h>

#include <stdlib.h>
#include <string.h>

struct emg_stream {
  emg_recording header;  // without samples
  int64_t length;
  emg_array2f whole;  // all samples
};

emg_status emg_stream_open(const char *path, const emg_read_options *options, emg_stream **out,
                           emg_error *err) {
  emg_read_options with_emg = options ? *options : (emg_read_options){0};
  emg_stream *stream;

  *out = NULL;
  with_emg.allow_no_emg = false;
  EMG_TRY(emg_alloc(1, sizeof *stream, &stream, err));
  emg_status status = emg_recording_read(path, &with_emg, &stream->header, err);
  if (status != EMG_OK) {
    free(stream);
    return status;
  }
  emg_recording *header = &stream->header;
  stream->length = header->data.n_cols;
  stream->whole = header->data;
  header->data = (emg_array2f){.n_rows = stream->whole.n_rows};
  emg_array2f_free(&header->aux);
  free(header->aux_channels);
  header->aux_channels = NULL;
  *out = stream;
  return EMG_OK;
}

const emg_recording *emg_stream_header(const emg_stream *stream) {
  return &stream->header;
}

int64_t emg_stream_length(const emg_stream *stream) {
  return stream->length;
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
  for (int c = 0; n > 0 && c < out->n_rows; c++) {
    memcpy(emg_row2f(out, c), emg_row2f(&stream->whole, c) + begin, (size_t)n * sizeof(float));
  }
  return EMG_OK;
}

void emg_stream_close(emg_stream *stream) {
  if (stream) {
    emg_array2f_free(&stream->whole);
    emg_recording_free(&stream->header);
    free(stream);
  }
}
