// tsv.c -- tables of text with a line of column names
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/input_file.h"
#include "base/number.h"
#include "formats_priv.h"

enum { TSV_BYTES_MAX = 256 << 20 };

emg_status emg_slurp(const char *path, size_t limit, char **bytes, size_t *n_bytes,
                     emg_error *err) {
  FILE *file;
  emg_status status = EMG_OK;

  *bytes = NULL;
  *n_bytes = 0;
  EMG_TRY(emg_open_input(path, &file, err));
  fseeko(file, 0, SEEK_END);
  off_t size = ftello(file);
  rewind(file);
  if (size < 0) {
    status = emg_fail(err, EMG_ERR_IO, "cannot read %s: %s", path, strerror(errno));
  } else if ((uint64_t)size > limit) {
    status = emg_fail(err, EMG_ERR_DATA, "the file has %.1f MB; at most %.1f MB are read",
                      (double)size / 1e6, (double)limit / 1e6);
  } else {
    status = emg_alloc((size_t)size + 1, 1, bytes, err);
  }
  if (status == EMG_OK) {
    *n_bytes = fread(*bytes, 1, (size_t)size, file);
  }
  fclose(file);
  return status;
}

// Length of the line at `at`, without its end; `next` is where the following one starts.
static size_t line_length(const char *at, const char *end, const char **next) {
  const char *newline = memchr(at, '\n', (size_t)(end - at));
  const char *stop = newline ? newline : end;

  *next = newline ? newline + 1 : end;
  return (size_t)(stop - at) - (stop > at && stop[-1] == '\r');
}

static int count_cells(const char *line, size_t length, char separator) {
  int n = 1;

  for (size_t i = 0; i < length; i++) {
    n += line[i] == separator;
  }
  return n;
}

// Cut a line into cells; missing ones are empty, surplus ones dropped.
static void cut_line(char *line, size_t length, char separator, int n_columns, char **cells) {
  char *at = line, *end = line + length;

  *end = '\0';
  for (int k = 0; k < n_columns; k++) {
    char *stop = memchr(at, separator, (size_t)(end - at));
    cells[k] = at;
    at = stop ? stop + 1 : end;
    if (stop) {
      *stop = '\0';
    }
  }
}

emg_status emg_tsv_parse(char *bytes, size_t n_bytes, char separator, emg_tsv *out,
                         emg_error *err) {
  char *start = bytes, *end = bytes + n_bytes;
  const char *next;
  int64_t n_lines = 0;

  *out = (emg_tsv){.bytes = bytes};
  if (n_bytes >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
    start += 3;
  }
  for (const char *at = start; at < end; at = next) {
    n_lines += line_length(at, end, &next) > 0;
  }
  if (n_lines == 0 || memchr(bytes, '\0', n_bytes)) {
    emg_tsv_free(out);
    return emg_fail(err, EMG_ERR_DATA, "the table is empty or not text");
  }
  const char *first = start;
  size_t length = line_length(first, end, &next);
  while (length == 0) {
    first = next;
    length = line_length(first, end, &next);
  }
  out->n_columns = count_cells(first, length, separator);
  // every cell takes a byte of a sound file
  if (n_lines > INT32_MAX || n_lines * out->n_columns > 2 * (int64_t)n_bytes + 1024) {
    emg_tsv_free(out);
    return emg_fail(err, EMG_ERR_DATA, "the table has fewer cells than its column names promise");
  }
  out->n_rows = (int)n_lines - 1;
  emg_status status =
      emg_alloc((size_t)n_lines * (size_t)out->n_columns, sizeof *out->cells, &out->cells, err);
  if (status != EMG_OK) {
    emg_tsv_free(out);
    return status;
  }
  char **cells = out->cells;
  for (char *at = start; at < end; at += next - at) {
    length = line_length(at, end, &next);
    if (length > 0) {
      cut_line(at, length, separator, out->n_columns, cells);
      cells += out->n_columns;
    }
  }
  return EMG_OK;
}

emg_status emg_tsv_read(const char *path, emg_tsv *out, emg_error *err) {
  char *bytes;
  size_t n_bytes;

  *out = (emg_tsv){0};
  EMG_TRY(emg_slurp(path, TSV_BYTES_MAX, &bytes, &n_bytes, err));
  return emg_tsv_parse(bytes, n_bytes, '\t', out, err);
}

void emg_tsv_free(emg_tsv *tsv) {
  free(tsv->cells);
  free(tsv->bytes);
  *tsv = (emg_tsv){0};
}

int emg_tsv_column(const emg_tsv *tsv, const char *name) {
  for (int k = 0; k < tsv->n_columns; k++) {
    if (strcmp(tsv->cells[k], name) == 0) {
      return k;
    }
  }
  return -1;
}

bool emg_tsv_number(const char *cell, double *value) {
  const char *end;

  while (*cell == ' ') {
    cell++;
  }
  return emg_number_scan(cell, &end, value) && end[strspn(end, " ")] == '\0' && isfinite(*value);
}
