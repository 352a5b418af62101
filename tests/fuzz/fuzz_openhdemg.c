// fuzz_openhdemg.c -- JSON, module folder and CSV of openhdemg
//
// The first byte says what the others are: a file as it is, compressed JSON or CSV; a text that is
// compressed here, since no chance leads through a checksum; a module, cut at "@@@" into
// manifest.json and two binary files.
#include <string.h>
#include <sys/stat.h>

#include "base/formats.h"
#include "base/gzip.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char root[64];

static void remove_root(void) {
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", root);
  if (system(command) != 0) {
    abort();
  }
}

static void write_file(const char *name, const uint8_t *bytes, size_t n) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", root, name);
  FILE *file = fopen(path, "wb");
  if (!file || (n > 0 && fwrite(bytes, 1, n, file) != n) || fclose(file) != 0) {
    abort();
  }
}

static void make_root(void) {
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  char path[128];

  snprintf(root, sizeof root, "%s/emg_fuzz_XXXXXX", base);
  if (!mkdtemp(root)) {
    abort();
  }
  atexit(remove_root);
  snprintf(path, sizeof path, "%s/files", root);
  mkdir(path, 0777);
  write_file(".openhdemg_module", NULL, 0);
}

static void read_path(const char *path) {
  const emg_read_options options = {.rate_hz = 2048, .allow_no_emg = true};
  emg_recording rec;
  emg_error err;

  if (emg_recording_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  if (emg_recording_read(path, NULL, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
}

static void read_file(const uint8_t *bytes, size_t n) {
  char path[64];
  int fd = fuzz_file(bytes, n, path);
  read_path(path);
  close(fd);
}

static void read_text(const uint8_t *bytes, size_t n) {
  emg_gzip out;
  if (emg_gzip_start(&out, 1, NULL) != EMG_OK) {
    abort();
  }
  emg_gzip_add(&out, bytes, n);
  if (emg_gzip_finish(&out, NULL) == EMG_OK) {
    read_file((const uint8_t *)out.out.bytes, out.out.n);
  }
  emg_gzip_free(&out);
}

static void read_module(const uint8_t *bytes, size_t n) {
  static const char *const names[] = {"manifest.json", "files/RAW_SIGNAL.bin",
                                      "files/MUPULSES.bin"};
  const uint8_t *at = bytes, *end = bytes + n;

  if (root[0] == '\0') {
    make_root();
  }
  for (int i = 0; i < 3; i++) {
    const uint8_t *mark = at < end ? memmem(at, (size_t)(end - at), "@@@", 3) : NULL;
    const uint8_t *stop = mark && i < 2 ? mark : end;
    write_file(names[i], at, (size_t)(stop - at));
    at = mark && i < 2 ? mark + 3 : end;
  }
  read_path(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n == 0) {
    return 0;
  }
  if (bytes[0] % 3 == 0) {
    read_file(bytes + 1, n - 1);
  } else if (bytes[0] % 3 == 1) {
    read_text(bytes + 1, n - 1);
  } else {
    read_module(bytes + 1, n - 1);
  }
  return 0;
}
