// bids_paths.c -- names and sidecars of EMG-BIDS: entities, inheritance, values in JSON
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bids_priv.h"

enum { ENTRIES_MAX = 100000, LEVELS_UP = 5 };

bool emg_path_join(char to[PATH_MAX], const char *folder, const char *name) {
  return snprintf(to, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

void emg_path_folder(const char *path, char folder[PATH_MAX]) {
  const char *slash = strrchr(path, '/');

  if (!slash) {
    snprintf(folder, PATH_MAX, ".");
  } else {
    snprintf(folder, PATH_MAX, "%.*s", slash > path ? (int)(slash - path) : 1, path);
  }
}

const char *emg_path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

bool emg_bids_is_recording(const char *name) {
  return (ends_with(name, "_emg.edf") || ends_with(name, "_emg.bdf")) && name[0] != '.';
}

// Entities of a name ("sub-01_task-x") are among those of another; `except` (may be NULL) is free.
bool emg_bids_applies(const char *name, size_t length, const char *recording, const char *except) {
  const char *at = name, *end = name + length;

  while (at < end) {
    const char *stop = memchr(at, '_', (size_t)(end - at));
    size_t n = (size_t)((stop ? stop : end) - at);
    const char *place = recording;
    bool is_found = n == 0 || (except && strncmp(at, except, strlen(except)) == 0 &&
                               (except[strlen(except) - 1] == '-' || n == strlen(except)));

    while (!is_found && (place = strchr(place, at[0]))) {
      is_found = strncmp(place, at, n) == 0 && (place[n] == '_' || place[n] == '\0') &&
                 (place == recording || place[-1] == '_');
      place++;
    }
    if (!is_found) {
      return false;
    }
    at += n + 1;
  }
  return true;
}

// Folder above, or false at the root of the data set (which holds dataset_description.json).
static bool go_up(char folder[PATH_MAX]) {
  char description[PATH_MAX], above[PATH_MAX];

  if (!emg_path_join(description, folder, "dataset_description.json") ||
      access(description, F_OK) == 0 || !realpath(folder, above) || strcmp(above, "/") == 0) {
    return false;
  }
  emg_path_folder(above, folder);
  return true;
}

// In one folder: the sidecar with most entities that applies to the recording, the first in order
// of names if there are several.
static bool find_in_folder(const char *folder, const char *recording, const char *suffix,
                           const char *extra, char found[PATH_MAX]) {
  DIR *entries = opendir(folder);
  struct dirent *entry;
  char best[NAME_MAX + 1] = "";
  size_t length = strlen(suffix);
  int n_looked_at = 0;

  if (!entries) {
    return false;
  }
  while ((entry = readdir(entries)) && n_looked_at++ < ENTRIES_MAX) {
    const char *name = entry->d_name;
    size_t n = strlen(name), n_best = strlen(best);
    if (!ends_with(name, suffix) || (n > length && name[n - length - 1] != '_') ||
        (extra && !strstr(name, extra)) ||
        !emg_bids_applies(name, n > length ? n - length - 1 : 0, recording, extra)) {
      continue;
    }
    if (n > n_best || (n == n_best && strcmp(name, best) < 0)) {
      memcpy(best, name, n + 1);
    }
  }
  closedir(entries);
  return best[0] && emg_path_join(found, folder, best);
}

bool emg_bids_sidecar(const char *path, int level, const char *suffix, const char *extra,
                      char found[PATH_MAX]) {
  char folder[PATH_MAX], recording[NAME_MAX + 1];
  const char *name = emg_path_name(path), *cut = strrchr(name, '_');

  snprintf(recording, sizeof recording, "%.*s", (int)(cut ? cut - name : 0), name);
  emg_path_folder(path, folder);
  for (int up = 0; up < LEVELS_UP; up++) {
    char candidate[PATH_MAX];
    if (find_in_folder(folder, recording, suffix, extra, candidate) && level-- == 0) {
      memcpy(found, candidate, sizeof candidate);
      return true;
    }
    if (!go_up(folder)) {
      return false;
    }
  }
  return false;
}

bool emg_bids_root(const char *path, char root[PATH_MAX]) {
  char description[PATH_MAX];

  emg_path_folder(path, root);
  for (int up = 0; up < LEVELS_UP; up++) {
    if (emg_path_join(description, root, "dataset_description.json") &&
        access(description, F_OK) == 0) {
      return true;
    }
    if (!go_up(root)) {
      return false;
    }
  }
  return false;
}

// A value from the nearest JSON sidecar that has the key.
static bool sidecar_value(const char *path, const char *suffix, const char *key, double *number,
                          char *text, size_t size) {
  char sidecar[PATH_MAX];

  for (int level = 0; emg_bids_sidecar(path, level, suffix, NULL, sidecar); level++) {
    char *json;
    size_t n_bytes;
    bool is_found = false;
    if (emg_slurp(sidecar, EMG_BIDS_JSON_MAX, &json, &n_bytes, NULL) == EMG_OK) {
      is_found = number ? emg_json_find_number(json, key, number)
                        : emg_json_find_text(json, key, text, size);
    }
    free(json);
    if (is_found) {
      return true;
    }
  }
  return false;
}

double emg_bids_number(const char *path, const char *key) {
  double value;
  return sidecar_value(path, "emg.json", key, &value, NULL, 0) ? value : 0;
}
