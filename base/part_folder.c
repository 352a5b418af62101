// part_folder.c -- whole folders or none
#include "base/part_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/part_file.h"

emg_status emg_folder_add(emg_folder *folder, const char *path, emg_buffer *bytes, emg_error *err) {
  emg_folder_file *files = NULL;
  emg_status status = emg_buffer_check(bytes, err);

  if (status == EMG_OK) {
    files = realloc(folder->files, ((size_t)folder->n + 1) * sizeof *files);
    status = files ? EMG_OK : emg_fail(err, EMG_ERR_MEMORY, "out of memory for %s", path);
  }
  if (status != EMG_OK) {
    emg_buffer_free(bytes);
    return status;
  }
  folder->files = files;
  emg_folder_file *file = &files[folder->n++];
  snprintf(file->path, sizeof file->path, "%s", path);
  file->bytes = *bytes;
  *bytes = (emg_buffer){0};
  return EMG_OK;
}

void emg_folder_free(emg_folder *folder) {
  for (int i = 0; i < folder->n; i++) {
    emg_buffer_free(&folder->files[i].bytes);
  }
  free(folder->files);
  *folder = (emg_folder){0};
}

// --- folders on the disk ---

// `path` without slashes at its end; false if it is no name for a folder.
static bool clean_path(const char *path, char clean[PATH_MAX]) {
  size_t n = strlen(path);

  while (n > 1 && path[n - 1] == '/') {
    n--;
  }
  if (n == 0 || n >= PATH_MAX - 64 || (n == 1 && (path[0] == '/' || path[0] == '.'))) {
    return false;
  }
  memcpy(clean, path, n);
  clean[n] = '\0';
  const char *slash = strrchr(clean, '/'), *name = slash ? slash + 1 : clean;
  return strcmp(name, "..") != 0 && strcmp(name, ".") != 0;
}

static bool is_empty(const char *path) {
  DIR *entries = opendir(path);
  struct dirent *entry;
  int n = 0;

  while (entries && (entry = readdir(entries)) && n < 3) {
    n++;
  }
  if (entries) {
    closedir(entries);
  }
  return entries && n < 3;  // only . and ..
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *at) {
  (void)info;
  (void)flag;
  (void)at;
  remove(path);
  return 0;
}

// Links are removed, not followed.
static void remove_tree(const char *path) {
  nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// Parts of this folder left by processes that are no more.
static void remove_stale_parts(const char *clean) {
  const char *slash = strrchr(clean, '/'), *name = slash ? slash + 1 : clean;
  char parent[PATH_MAX], stale[PATH_MAX + NAME_MAX + 2];
  size_t length = strlen(name);
  struct dirent *entry;

  snprintf(parent, sizeof parent, "%.*s", slash ? (int)(name - clean) : 1, slash ? clean : ".");
  DIR *entries = opendir(parent);
  while (entries && (entry = readdir(entries))) {
    const char *rest = entry->d_name + length;
    if (strncmp(entry->d_name, name, length) == 0 && strncmp(rest, ".part.", 6) == 0) {
      char *end;
      long pid = strtol(rest + 6, &end, 10);
      if (end != rest + 6 && *end == '\0' && pid > 0 && kill((pid_t)pid, 0) != 0 &&
          errno == ESRCH) {
        snprintf(stale, sizeof stale, "%s/%s", parent, entry->d_name);
        remove_tree(stale);
      }
    }
  }
  if (entries) {
    closedir(entries);
  }
}

emg_status emg_part_folder_check(const char *path, const char *mark, bool overwrite,
                                 emg_error *err) {
  char clean[PATH_MAX], marked[PATH_MAX + 64], trial[PATH_MAX + 8];
  struct stat info;

  if (!clean_path(path, clean)) {
    return emg_fail(err, EMG_ERR_IO, "'%s' is not a name for a new folder", path);
  }
  if (lstat(clean, &info) != 0) {
    return emg_part_file_check(clean, overwrite, err);
  }
  if (!S_ISDIR(info.st_mode)) {
    return emg_fail(err, EMG_ERR_IO, "cannot write folder %s: a file has this name", clean);
  }
  // the parent is checked by the name of the part, which is not there
  snprintf(trial, sizeof trial, "%s.part", clean);
  EMG_TRY(emg_part_file_check(trial, true, err));
  if (is_empty(clean)) {
    return EMG_OK;
  }
  if (!overwrite) {
    return emg_fail(err, EMG_ERR_IO,
                    "folder %s exists already; give another name, or --force to replace it", clean);
  }
  snprintf(marked, sizeof marked, "%s/%s", clean, mark);
  if (access(marked, F_OK) != 0) {
    return emg_fail(err, EMG_ERR_IO,
                    "folder %s holds other things (no %s in it) and is not replaced; give another "
                    "name",
                    clean, mark);
  }
  return EMG_OK;
}

// --- writing ---

static emg_status fail_io(emg_error *err, const char *path) {
  return emg_fail(err, EMG_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

// The folders on the way to a file below `root`.
static bool make_folders(const char *root, const char *path) {
  char folder[PATH_MAX + 320];

  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(folder, sizeof folder, "%s/%.*s", root, (int)(slash - path), path);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
      return false;
    }
  }
  return true;
}

static void sync_path(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
}

static emg_status write_files(const char *part, const emg_folder *folder,
                              const emg_monitor *monitor, emg_error *err) {
  char path[PATH_MAX + 320];

  if (mkdir(part, 0777) != 0) {
    return fail_io(err, part);
  }
  for (int i = 0; i < folder->n; i++) {
    const emg_folder_file *file = &folder->files[i];
    snprintf(path, sizeof path, "%s/%s", part, file->path);
    if (!make_folders(part, file->path)) {
      return fail_io(err, path);
    }
    EMG_TRY(emg_part_file_write(path, file->bytes.bytes ? file->bytes.bytes : "", file->bytes.n,
                                false, err));
    EMG_TRY(emg_progress(monitor, "files", i + 1, folder->n, err));
  }
  return EMG_OK;
}

// Give the part its name; a folder that was there is moved out of the way first, and back if that
// fails.
static emg_status publish(const char *part, const char *clean, emg_error *err) {
  char old[PATH_MAX + 32];

  snprintf(old, sizeof old, "%s.part.%ld.old", clean, (long)getpid());
  bool was_there = rename(clean, old) == 0;
  if (rename(part, clean) != 0) {
    emg_status status = fail_io(err, clean);
    if (was_there && rename(old, clean) != 0) {
      status = emg_fail(err, EMG_ERR_IO, "cannot write %s; what was there is now %s", clean, old);
    }
    return status;
  }
  if (was_there) {
    remove_tree(old);
  }
  return EMG_OK;
}

emg_status emg_part_folder_write(const char *path, const char *mark, const emg_folder *folder,
                                 bool overwrite, const emg_monitor *monitor, emg_error *err) {
  char clean[PATH_MAX], part[PATH_MAX + 32];

  EMG_TRY(emg_part_folder_check(path, mark, overwrite, err));
  clean_path(path, clean);
  remove_stale_parts(clean);
  snprintf(part, sizeof part, "%s.part.%ld", clean, (long)getpid());
  remove_tree(part);
  emg_status status = write_files(part, folder, monitor, err);
  if (status == EMG_OK) {
    sync_path(part);
    status = publish(part, clean, err);
  }
  if (status != EMG_OK) {
    remove_tree(part);
    return status;
  }
  char *slash = strrchr(clean, '/');
  if (slash) {
    slash[slash == clean] = '\0';
  }
  sync_path(slash ? clean : ".");
  return EMG_OK;
}
