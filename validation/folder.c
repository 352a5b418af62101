// folder.c -- the folder of results: whose it is, and what is where in it
#include "benchmark_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/input_file.h>
#include <base/part_file.h>

// suite.yaml says whose results these are
static const char mark[] = "suite.yaml", lock_name[] = "lock", cells[] = "cells",
                  recordings[] = "recordings";

static emg_benchmark_path path_of(const char *directory, const char *name) {
  emg_benchmark_path path;

  snprintf(path.text, sizeof path.text, "%s/%s", directory, name);
  return path;
}

emg_benchmark_path emg_benchmark_cell_path(const char *directory, const emg_benchmark_key *key) {
  char name[100];

  snprintf(name, sizeof name, "%s/%.32s.json", cells, key->text);
  return path_of(directory, name);
}

emg_benchmark_path emg_benchmark_recording_path(const char *directory,
                                                const emg_benchmark_key *key) {
  char name[100];

  snprintf(name, sizeof name, "%s/%.32s.h5", recordings, key->text);
  return path_of(directory, name);
}

static emg_status make_folder(const char *path, emg_error *err) {
  if (mkdir(path, 0777) != 0 && errno != EEXIST) {
    return emg_fail_at(err, EMG_ERR_IO, path, 0, 0, "this folder cannot be made: %s",
                       strerror(errno));
  }
  return EMG_OK;
}

static bool is_empty(const char *path) {
  DIR *folder = opendir(path);
  bool found = false;

  for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
    found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  }
  if (folder) {
    closedir(folder);
  }
  return !found;
}

// Whether the file holds exactly this text.
static bool holds(const char *path, const char *text) {
  FILE *file;
  bool is_same = true;

  if (emg_open_input(path, &file, NULL) != EMG_OK) {
    return false;
  }
  for (const char *at = text; is_same && *at; at++) {
    is_same = fgetc(file) == (unsigned char)*at;
  }
  is_same = is_same && fgetc(file) == EOF;
  fclose(file);
  return is_same;
}

// Our mark in a folder that is new, ours already, or may be taken over.
static emg_status claim(const emg_benchmark_plan *plan, const emg_benchmark_options *options,
                        emg_error *err) {
  emg_benchmark_path path = path_of(options->directory, mark);
  char *yaml;
  emg_status status = EMG_OK;

  EMG_TRY(emg_config_write(plan->suite, false, plan->is_smoke ? "smoke" : "whole", &yaml, err));
  bool has_mark = access(path.text, F_OK) == 0, is_same = has_mark && holds(path.text, yaml);
  if (!has_mark && !is_empty(options->directory)) {
    status = emg_fail_at(err, EMG_ERR_IO, options->directory, 0, 0,
                         "holds other things than results of a suite; name a new folder");
  } else if (has_mark && !is_same && !options->overwrite) {
    status = emg_fail_at(err, EMG_ERR_IO, options->directory, 0, 0,
                         "holds the results of another suite, or of this one with other settings; "
                         "name a new folder, or give --force to replace its tables");
  } else if (!is_same) {
    status = emg_part_file_write(path.text, yaml, strlen(yaml), true, err);
  }
  free(yaml);
  return status;
}

static emg_status take_lock(const char *directory, int *lock, emg_error *err) {
  emg_benchmark_path path = path_of(directory, lock_name);

  *lock = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (*lock < 0) {
    return emg_fail_at(err, EMG_ERR_IO, directory, 0, 0, "cannot be written: %s", strerror(errno));
  }
  if (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
    close(*lock);
    *lock = -1;
    return emg_fail_at(err, EMG_ERR_IO, directory, 0, 0,
                       "another run works in this folder; wait for it, or name another");
  }
  return EMG_OK;
}

emg_status emg_benchmark_open_folder(const emg_benchmark_plan *plan,
                                     const emg_benchmark_options *options, int *lock,
                                     emg_error *err) {
  const char *directory = options->directory;
  emg_status status;

  *lock = -1;
  if (strlen(directory) > EMG_BENCHMARK_PATH_MAX / 2) {
    return emg_fail(err, EMG_ERR_IO, "the name of the folder has %zu bytes, which is too long",
                    strlen(directory));
  }
  EMG_TRY(make_folder(directory, err));
  EMG_TRY(claim(plan, options, err));
  EMG_TRY(take_lock(directory, lock, err));
  EMG_TRY_DONE(make_folder(path_of(directory, cells).text, err));
  status = make_folder(path_of(directory, recordings).text, err);
done:
  if (status != EMG_OK) {
    emg_benchmark_close_folder(directory, *lock);
  }
  return status;
}

void emg_benchmark_close_folder(const char *directory, int lock) {
  if (lock >= 0) {
    // stays if a recording is left for the next run
    rmdir(path_of(directory, recordings).text);
    unlink(path_of(directory, lock_name).text);
    close(lock);
  }
}
