// fuzz_otb.c -- the readers of OT Bioelettronica's archives, and XML and tar below them
//
// An input that is no archive is cut at "@@@NAME": what follows each is the member of that letter,
// so that descriptions and samples can change their lengths without a header that fits by chance.
#include <string.h>

#include <emgtwin/stream.h>

#include "base/formats.h"
#include "base/xml.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { N_MEMBERS = 16, BLOCK = 512 };
static const char *const names[N_MEMBERS] = {
    "a.xml", "a.sig", "b.sip", "b.pro", "c.sip",        "markers_0.xml",           "Tracks_000.xml",
    "b.sig", "c.sig", "d.sig", "d.sip", "Tracks_1.xml", "TrapezoidalTracks_0.xml", "a.xml",
    "a.sig", "b.sig",
};

typedef struct {
  uint8_t *bytes;
  size_t n;
} archive;

static void add_bytes(archive *tar, const void *bytes, size_t n, size_t n_padded) {
  tar->bytes = realloc(tar->bytes, tar->n + n_padded + 1);
  if (!tar->bytes) {
    abort();
  }
  memset(tar->bytes + tar->n, 0, n_padded);
  if (n > 0) {
    memcpy(tar->bytes + tar->n, bytes, n);
  }
  tar->n += n_padded;
}

static void add_member(archive *tar, const char *name, const uint8_t *bytes, size_t n) {
  char header[BLOCK] = "";
  unsigned sum = 0;

  snprintf(header, 100, "%s", name);
  snprintf(header + 124, 12, "%011zo", n);
  header[156] = '0';
  memset(header + 148, ' ', 8);
  for (int i = 0; i < BLOCK; i++) {
    sum += (unsigned char)header[i];
  }
  snprintf(header + 148, 8, "%06o", sum);
  add_bytes(tar, header, BLOCK, BLOCK);
  add_bytes(tar, bytes, n, (n + BLOCK - 1) / BLOCK * BLOCK);
}

static archive build(const uint8_t *bytes, size_t n) {
  const uint8_t *at = bytes, *end = bytes + n;
  archive tar = {0};
  int which = 0;

  while (at < end) {
    const uint8_t *mark = memmem(at, (size_t)(end - at), "@@@", 3);
    const uint8_t *stop = mark ? mark : end;
    add_member(&tar, names[which], at, (size_t)(stop - at));
    if (!mark || end - mark < 4) {
      break;
    }
    which = mark[3] % N_MEMBERS;
    at = mark + 4;
  }
  return tar;
}

static void read_blocks(const char *path) {
  emg_stream *stream;
  emg_array2f block;

  if (emg_stream_open(path, NULL, &stream, NULL) != EMG_OK) {
    return;
  }
  int64_t n = emg_stream_length(stream) / 2;
  if (emg_array2f_create(emg_stream_header(stream)->data.n_rows, n, &block, NULL) == EMG_OK) {
    emg_stream_read(stream, n, n, &block, NULL);
    emg_array2f_free(&block);
  }
  emg_stream_close(stream);
}

static void read_file(const uint8_t *bytes, size_t n) {
  const emg_read_options options = {.allow_no_emg = true};
  char path[64];
  emg_recording rec;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  if (emg_recording_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  read_blocks(path);
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  emg_xml_file *xml;
  emg_error err;

  read_file(bytes, n);
  if (memmem(bytes, n, "@@@", 3)) {
    archive tar = build(bytes, n);
    read_file(tar.bytes, tar.n);
    free(tar.bytes);
  }
  if (emg_xml_parse("x", (const char *)bytes, n, &xml, &err) == EMG_OK) {
    emg_xml_free(xml);
  }
  return 0;
}
