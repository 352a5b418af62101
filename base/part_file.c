// part_file.c -- whole files or none
#include "part_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Folder of a path, "." if it names none; false if the path is too long.
static bool split_path(const char *path, char folder[PATH_MAX], const char **name) {
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;

  if (strlen(path) >= PATH_MAX - 32) {
    return false;
  }
  *name = slash ? slash + 1 : path;
  if (!slash) {
    strcpy(folder, ".");
  } else if (length == 0) {
    strcpy(folder, "/");
  } else {
    memcpy(folder, path, length);
    folder[length] = '\0';
  }
  return (*name)[0] != '\0';
}

static emg_status fail_io(emg_error *err, const char *verb, const char *path, int number) {
  return emg_fail(err, EMG_ERR_IO, "cannot %s %s: %s", verb, path, strerror(number));
}

emg_status emg_part_file_check(const char *path, bool overwrite, emg_error *err) {
  char folder[PATH_MAX];
  const char *name = path;
  struct stat info;

  if (!split_path(path, folder, &name)) {
    return emg_fail(err, EMG_ERR_IO, "'%s' is not a name for a file", path);
  }
  if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
    return emg_fail(err, EMG_ERR_IO, "cannot write %s: there is no folder %s; make it first", path,
                    folder);
  }
  if (access(folder, W_OK | X_OK) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot write %s: folder %s: %s", path, folder,
                    strerror(errno));
  }
  if (lstat(path, &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      return emg_fail(err, EMG_ERR_IO, "cannot write %s: it is a folder; name a file", path);
    }
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
      return emg_fail(err, EMG_ERR_IO, "cannot write %s: it is a device or pipe; name a file",
                      path);
    }
    if (!overwrite) {
      return emg_fail(err, EMG_ERR_IO,
                      "%s exists already; give another name, or --force to replace it", path);
    }
  }
  return EMG_OK;
}

// Parts of this file left by processes that are no more.
static void remove_stale_parts(const char *folder, const char *name) {
  DIR *entries = opendir(folder);
  size_t length = strlen(name);
  struct dirent *entry;

  if (!entries) {
    return;
  }
  while ((entry = readdir(entries))) {
    const char *rest = entry->d_name + length;
    if (strncmp(entry->d_name, name, length) == 0 && strncmp(rest, ".part.", 6) == 0) {
      char *end;
      long pid = strtol(rest + 6, &end, 10);
      if (end != rest + 6 && *end == '\0' && pid > 0 && kill((pid_t)pid, 0) != 0 &&
          errno == ESRCH) {
        unlinkat(dirfd(entries), entry->d_name, 0);
      }
    }
  }
  closedir(entries);
}

static int write_all(int fd, const char *bytes, size_t n) {
  const size_t step = 64 << 20;

  while (n > 0) {
    ssize_t done = write(fd, bytes, n < step ? n : step);
    if (done < 0 && errno != EINTR) {
      return errno;
    }
    if (done > 0) {
      bytes += done;
      n -= (size_t)done;
    }
  }
  return 0;
}

static emg_status fail_write(emg_error *err, const char *path, const char *folder, size_t n_bytes,
                             int number) {
  struct statvfs space;

  if (number == ENOSPC || number == EDQUOT || number == EFBIG) {
    double free_bytes =
        statvfs(folder, &space) == 0 ? (double)space.f_bavail * (double)space.f_frsize : 0;
    return emg_fail(err, EMG_ERR_IO,
                    "cannot write %s: %s; it needs %zu bytes and %.0f are free, make room or name "
                    "another disk",
                    path, strerror(number), n_bytes, free_bytes);
  }
  return fail_io(err, "write", path, number);
}

// Give the part its name. Without `overwrite` a file of that name is never replaced, even if it was
// made after the first check.
static int publish(const char *part, const char *path, bool overwrite) {
  if (overwrite) {
    return rename(part, path) == 0 ? 0 : errno;
  }
  if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return errno;
  }
  // file systems without that call: a hard link is exclusive too
  return link(part, path) == 0 && unlink(part) == 0 ? 0 : errno;
}

static void sync_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
}

emg_status emg_part_file_write(const char *path, const void *bytes, size_t n_bytes, bool overwrite,
                               emg_error *err) {
  char folder[PATH_MAX], part[PATH_MAX + 32];
  const char *name = path;

  EMG_TRY(emg_part_file_check(path, overwrite, err));
  split_path(path, folder, &name);
  remove_stale_parts(folder, name);

  snprintf(part, sizeof part, "%s.part.%ld", path, (long)getpid());
  int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) {
    return fail_io(err, "write", path, errno);
  }
  int number = write_all(fd, bytes, n_bytes);
  if (number == 0 && fsync(fd) != 0) {
    number = errno;
  }
  if (close(fd) != 0 && number == 0) {
    number = errno;
  }
  if (number == 0) {
    number = publish(part, path, overwrite);
  }
  if (number != 0) {
    unlink(part);
    return fail_write(err, path, folder, n_bytes, number);
  }
  sync_folder(folder);
  return EMG_OK;
}
