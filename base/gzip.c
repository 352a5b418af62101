// gzip.c -- gzip streams in memory, expansion bounded
#include "base/gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  GZIP_WINDOW = 15 + 16,  // the largest window, and a gzip header
  STEP = 1 << 16,
  FREE_INFLATION = 256 << 20,  // bytes that any stream may inflate to
  INFLATION_MAX = 200,         // times its size that a larger one may
};

bool emg_gzip_is(const void *bytes, size_t n) {
  const unsigned char *b = bytes;
  return n >= 3 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8;
}

// One more step of output, at most `allowed` bytes in all. False: no memory or too much.
static bool inflate_step(z_stream *z, emg_buffer *out, size_t allowed, int *code) {
  if (out->n >= allowed) {
    *code = Z_MEM_ERROR;
    return false;
  }
  size_t room = allowed - out->n < STEP ? allowed - out->n : STEP;
  char *to = emg_buffer_room(out, room);
  if (!to) {
    *code = Z_MEM_ERROR;
    return false;
  }
  z->next_out = (Bytef *)to;
  z->avail_out = (uInt)room;
  *code = inflate(z, Z_NO_FLUSH);
  out->n -= z->avail_out;
  return *code == Z_OK || *code == Z_STREAM_END;
}

// Stream after stream until the input is used up.
static int inflate_all(z_stream *z, const unsigned char *bytes, size_t n, emg_buffer *out,
                       size_t allowed) {
  size_t used = 0;
  int code = Z_OK;

  while (used < n) {
    size_t piece = n - used < INT32_MAX ? n - used : INT32_MAX;
    z->next_in = (Bytef *)(uintptr_t)(bytes + used);
    z->avail_in = (uInt)piece;
    do {
      if (!inflate_step(z, out, allowed, &code)) {
        return code;
      }
    } while (code == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
    used += piece - z->avail_in;
    if (code == Z_STREAM_END && used < n && inflateReset(z) != Z_OK) {
      return Z_DATA_ERROR;
    }
  }
  return code;
}

emg_status emg_gunzip(const void *bytes, size_t n, size_t limit, char **out, size_t *n_out,
                      emg_error *err) {
  z_stream z = {0};
  emg_buffer buffer = {0};
  size_t by_size = n > limit / INFLATION_MAX ? limit : INFLATION_MAX * n;
  size_t allowed = by_size > FREE_INFLATION ? by_size : FREE_INFLATION;

  *out = NULL;
  *n_out = 0;
  allowed = allowed < limit ? allowed : limit;
  if (inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the compressed file");
  }
  int code = inflate_all(&z, bytes, n, &buffer, allowed);
  inflateEnd(&z);
  emg_buffer_add(&buffer, "", 1);
  if (code == Z_STREAM_END && !buffer.has_failed) {
    *out = buffer.bytes;
    *n_out = buffer.n - 1;
    return EMG_OK;
  }
  bool is_full = buffer.has_failed, is_large = buffer.n >= allowed;
  emg_buffer_free(&buffer);
  if (is_full) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the inflated file");
  }
  if (is_large) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%zu compressed bytes inflate to more than %zu MB; no recording does that", n,
                    allowed >> 20);
  }
  return emg_fail(err, EMG_ERR_DATA,
                  code == Z_OK || code == Z_BUF_ERROR
                      ? "the compressed data are cut short; fetch the file again"
                      : "the compressed data are damaged; fetch the file again");
}

emg_status emg_gzip_start(emg_gzip *gzip, int level, emg_error *err) {
  *gzip = (emg_gzip){0};
  gzip->is_open =
      deflateInit2(&gzip->stream, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  return gzip->is_open ? EMG_OK : emg_fail(err, EMG_ERR_MEMORY, "out of memory to compress");
}

static void deflate_piece(emg_gzip *gzip, const void *bytes, size_t n, int flush) {
  z_stream *z = &gzip->stream;

  z->next_in = (Bytef *)(uintptr_t)bytes;
  z->avail_in = (uInt)n;
  do {
    char *to = emg_buffer_room(&gzip->out, STEP);
    if (!to) {
      return;
    }
    z->next_out = (Bytef *)to;
    z->avail_out = STEP;
    deflate(z, flush);
    gzip->out.n -= z->avail_out;
  } while (z->avail_out == 0);
}

void emg_gzip_add(emg_gzip *gzip, const void *bytes, size_t n) {
  const char *at = bytes;

  while (n > 0) {
    size_t piece = n < INT32_MAX ? n : INT32_MAX;
    deflate_piece(gzip, at, piece, Z_NO_FLUSH);
    at += piece;
    n -= piece;
  }
}

emg_status emg_gzip_finish(emg_gzip *gzip, emg_error *err) {
  deflate_piece(gzip, NULL, 0, Z_FINISH);
  deflateEnd(&gzip->stream);
  gzip->is_open = false;
  return emg_buffer_check(&gzip->out, err);
}

void emg_gzip_free(emg_gzip *gzip) {
  if (gzip->is_open) {
    deflateEnd(&gzip->stream);
  }
  emg_buffer_free(&gzip->out);
  gzip->is_open = false;
}
