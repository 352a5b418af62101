// gzip.h -- gzip streams (RFC 1952) in memory (internal)
#ifndef EMG_BASE_GZIP_H
#define EMG_BASE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include <zlib.h>

#include "base/buffer.h"

// Bytes start like a gzip stream.
bool emg_gzip_is(const void *bytes, size_t n);

// Inflate whole streams that follow each other; the result is malloc'ed and ends in a zero byte
// that is not counted. Expansion is bounded: at most `limit` bytes, and more than 256 MB only where
// the input is at least 1/200 of that. EMG_ERR_DATA: damaged, cut short, or too large.
emg_status emg_gunzip(const void *bytes, size_t n, size_t limit, char **out, size_t *n_out,
                      emg_error *err);

// Deflate what comes in pieces into a buffer; no time and no name are stored.
typedef struct {
  z_stream stream;
  bool is_open;
  emg_buffer out;
} emg_gzip;
emg_status emg_gzip_start(emg_gzip *gzip, int level, emg_error *err);
void emg_gzip_add(emg_gzip *gzip, const void *bytes, size_t n);
// Ends the stream; its bytes are in `out`, which the caller takes or frees. EMG_ERR_MEMORY.
emg_status emg_gzip_finish(emg_gzip *gzip, emg_error *err);
void emg_gzip_free(emg_gzip *gzip);

#endif
