// drive_file.c -- excitation over time from a CSV file
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/input_file.h"
#include "base/number.h"
#include "base/text.h"
#include "pool_priv.h"

enum { POINTS_MAX = 20000000, LINE_MAX_BYTES = 4096 };

// A file being read, and the points found in it.
typedef struct {
  const char *path;
  int line;
  int64_t n, capacity;
  double *time_s, *level;
} drive_reader;

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t\r\n");
}

static emg_status fail_here(const drive_reader *r, emg_error *err, const char *what,
                            const char *where) {
  return emg_fail_at(err, EMG_ERR_CONFIG, r->path, r->line, 0,
                     "%s at %s; give a time in s and an excitation from 0 to 1 per line", what,
                     emg_quote(where).text);
}

static emg_status append_point(drive_reader *r, double time_s, double level, emg_error *err) {
  if (r->n == r->capacity) {
    int64_t capacity = r->capacity > 0 ? 2 * r->capacity : 1024;
    double *longer_time = realloc(r->time_s, (size_t)capacity * sizeof *longer_time);
    r->time_s = longer_time ? longer_time : r->time_s;
    double *longer_level = realloc(r->level, (size_t)capacity * sizeof *longer_level);
    r->level = longer_level ? longer_level : r->level;
    if (!longer_time || !longer_level || r->n >= POINTS_MAX) {
      return emg_fail_at(err, EMG_ERR_CONFIG, r->path, r->line, 0,
                         "the file has more than %lld points; thin it out", (long long)r->n);
    }
    r->capacity = capacity;
  }
  r->time_s[r->n] = time_s;
  r->level[r->n] = level;
  r->n++;
  return EMG_OK;
}

// "time, excitation"; comma, semicolon or blanks between.
static emg_status read_point(drive_reader *r, const char *text, emg_error *err) {
  double time_s, level;
  const char *at;

  if (!emg_number_scan(text, &at, &time_s)) {
    return fail_here(r, err, "there is no number", text);
  }
  at = skip_blanks(at);
  at = skip_blanks(at + (*at == ',' || *at == ';'));
  const char *second = at;
  if (!emg_number_scan(second, &at, &level)) {
    return fail_here(r, err, "there is no second number", second);
  }
  if (*skip_blanks(at) != '\0') {
    return fail_here(r, err, "there is more than two numbers", skip_blanks(at));
  }
  if (!isfinite(time_s) || !(level >= 0 && level <= 1)) {
    return fail_here(r, err, "an excitation is outside 0 to 1, or a time is not finite", text);
  }
  if (r->n > 0 && time_s <= r->time_s[r->n - 1]) {
    return fail_here(r, err, "times do not ascend", text);
  }
  return append_point(r, time_s, level, err);
}

static emg_status read_lines(drive_reader *r, FILE *file, emg_error *err) {
  char line[LINE_MAX_BYTES];
  bool may_be_heading = true;

  while (fgets(line, sizeof line, file)) {
    r->line++;
    if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n') {
      return fail_here(r, err, "a line is too long", line);
    }
    // spreadsheets begin a file with a byte order mark
    const char *text = skip_blanks(strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line);
    bool is_letter =
        (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || *text == '"';
    if (*text == '\0' || *text == '#') {
      continue;
    }
    if (!(may_be_heading && is_letter)) {
      EMG_TRY(read_point(r, text, err));
    }
    may_be_heading = false;
  }
  if (ferror(file)) {
    return emg_fail_at(err, EMG_ERR_IO, r->path, 0, 0, "cannot read the file: %s", strerror(errno));
  }
  if (r->n == 0) {
    return emg_fail_at(err, EMG_ERR_CONFIG, r->path, 0, 0,
                       "the file has no points; give a time in s and an excitation from 0 to 1 per "
                       "line");
  }
  return EMG_OK;
}

static emg_status copy_points(const drive_reader *r, emg_array2d *points, emg_error *err) {
  EMG_TRY(emg_array2d_create(2, r->n, points, err));
  memcpy(emg_row2d(points, 0), r->time_s, (size_t)r->n * sizeof *r->time_s);
  memcpy(emg_row2d(points, 1), r->level, (size_t)r->n * sizeof *r->level);
  return EMG_OK;
}

void emg_drive_path(const char *name, const char *directory, char path[EMG_DRIVE_PATH_MAX]) {
  bool is_relative = name[0] != '/' && directory[0] != '\0';

  snprintf(path, EMG_DRIVE_PATH_MAX, "%s%s%s", is_relative ? directory : "", is_relative ? "/" : "",
           name);
}

emg_status emg_drive_read_file(const char *name, const char *directory, emg_array2d *points,
                               emg_error *err) {
  char path[EMG_DRIVE_PATH_MAX];
  drive_reader reader = {.path = path};

  if (name[0] == '\0') {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "drive.profile is file, but drive.file is empty; name a CSV file");
  }
  emg_drive_path(name, directory, path);
  FILE *file;
  emg_status status = emg_open_input(path, &file, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    return status;
  }
  status = read_lines(&reader, file, err);
  fclose(file);
  if (status == EMG_OK) {
    status = copy_points(&reader, points, err);
  }
  free(reader.time_s);
  free(reader.level);
  return status;
}
