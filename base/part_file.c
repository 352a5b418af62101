// part_file.c -- whole files or none
#include "part_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
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

double emg_disk_free_bytes(const char *path) {
  char folder[PATH_MAX];
  const char *name;
  struct statvfs space;

  // file systems without a size report 0 blocks in all
  if (!split_path(path, folder, &name) || statvfs(folder, &space) != 0 || space.f_blocks == 0) {
    return INFINITY;
  }
  return (double)space.f_bavail * (double)space.f_frsize;
}

int emg_open_unnamed(const char *path) {
  char folder[PATH_MAX], scratch[PATH_MAX + 48];
  const char *name;

  if (!split_path(path, folder, &name)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    // file systems without that call: a name for a moment
    snprintf(scratch, sizeof scratch, "%s.part.%ld.XXXXXX", path, (long)getpid());
    fd = mkostemp(scratch, O_CLOEXEC);
    if (fd >= 0) {
      unlink(scratch);
    }
  }
  return fd;
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

emg_status emg_part_file_begin(const char *path, bool overwrite, emg_part_file *out,
                               emg_error *err) {
  const char *name = path;

  *out = (emg_part_file){.fd = -1, .overwrite = overwrite};
  EMG_TRY(emg_part_file_check(path, overwrite, err));
  split_path(path, out->folder, &name);
  remove_stale_parts(out->folder, name);

  snprintf(out->path, sizeof out->path, "%s", path);
  snprintf(out->part, sizeof out->part, "%s.part.%ld", path, (long)getpid());
  out->fd = open(out->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  return out->fd >= 0 ? EMG_OK : fail_io(err, "write", path, errno);
}

void emg_part_file_discard(emg_part_file *file) {
  if (file->fd >= 0) {
    close(file->fd);
    unlink(file->part);
    file->fd = -1;
  }
}

emg_status emg_part_file_fail(emg_part_file *file, int number, size_t n_bytes, emg_error *err) {
  emg_part_file_discard(file);
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) {
    return emg_fail(err, EMG_ERR_IO,
                    "cannot write %s: %s; it needs at least %zu bytes and %.0f are free, make room "
                    "or name another disk",
                    file->path, strerror(number), n_bytes, emg_disk_free_bytes(file->path));
  }
  return fail_io(err, "write", file->path, number);
}

emg_status emg_part_file_publish(emg_part_file *file, emg_error *err) {
  struct stat info = {0};
  int number = 0;

  fstat(file->fd, &info);
  if (fsync(file->fd) != 0) {
    number = errno;
  }
  if (close(file->fd) != 0 && number == 0) {
    number = errno;
  }
  if (number == 0) {
    number = publish(file->part, file->path, file->overwrite);
  }
  file->fd = -1;
  if (number != 0) {
    unlink(file->part);
    return emg_part_file_fail(file, number, (size_t)info.st_size, err);
  }
  sync_folder(file->folder);
  return EMG_OK;
}

emg_status emg_part_file_write(const char *path, const void *bytes, size_t n_bytes, bool overwrite,
                               emg_error *err) {
  emg_part_file file;

  EMG_TRY(emg_part_file_begin(path, overwrite, &file, err));
  int number = write_all(file.fd, bytes, n_bytes);
  return number == 0 ? emg_part_file_publish(&file, err)
                     : emg_part_file_fail(&file, number, n_bytes, err);
}
