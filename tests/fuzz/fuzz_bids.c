// fuzz_bids.c -- a BIDS-EMG folder: signal file and sidecars from one input
//
// The input is cut at lines "@@@NAME": what follows each is the file of that letter.
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/formats.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { N_FILES = 8 };
static const char *const names[N_FILES] = {
    "sub-1/emg/sub-1_task-t_emg.edf",
    "sub-1/emg/sub-1_task-t_channels.tsv",
    "sub-1/emg/sub-1_electrodes.tsv",
    "sub-1/emg/sub-1_space-a_coordsystem.json",
    "sub-1/emg/sub-1_task-t_emg.json",
    "task-t_emg.json",
    "derivatives/d/sub-1/emg/sub-1_task-t_desc-d_events.tsv",
    "dataset_description.json",
};

static char root[64];

static void remove_root(void) {
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", root);
  if (system(command) != 0) {
    abort();
  }
}

static void make_root(void) {
  static const char *const folders[] = {
      "/sub-1",         "/sub-1/emg",           "/derivatives",
      "/derivatives/d", "/derivatives/d/sub-1", "/derivatives/d/sub-1/emg"};
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  char path[128];

  snprintf(root, sizeof root, "%s/emg_fuzz_XXXXXX", base);
  if (!mkdtemp(root)) {
    abort();
  }
  atexit(remove_root);
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    snprintf(path, sizeof path, "%s%s", root, folders[i]);
    mkdir(path, 0777);
  }
}

static void write_file(int which, const uint8_t *bytes, size_t n) {
  char path[192];
  snprintf(path, sizeof path, "%s/%s", root, names[which]);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) {
    abort();
  }
}

static void write_files(const uint8_t *bytes, size_t n) {
  const uint8_t *at = bytes, *end = bytes + n;
  int which = 0;
  char path[192];

  for (int i = 0; i < N_FILES; i++) {
    snprintf(path, sizeof path, "%s/%s", root, names[i]);
    unlink(path);
  }
  while (at < end) {
    const uint8_t *mark = memmem(at, (size_t)(end - at), "@@@", 3);
    const uint8_t *stop = mark ? mark : end;
    if (stop > at) {
      write_file(which, at, (size_t)(stop - at));
    }
    if (!mark || end - mark < 4) {
      break;
    }
    which = mark[3] % N_FILES;
    at = mark + 4;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  const emg_read_options options = {.allow_no_emg = true};
  char path[192];
  emg_recording rec;
  emg_spikes spikes;
  emg_error err;

  if (root[0] == '\0') {
    make_root();
  }
  write_files(bytes, n);
  if (emg_recording_read(root, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  snprintf(path, sizeof path, "%s/%s", root, names[6]);
  if (emg_bids_events_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  if (emg_spikes_read(path, true, &spikes, &err) == EMG_OK) {
    emg_spikes_free(&spikes);
  }
  return 0;
}
