// map.c -- a grid map from the user: a table of channel numbers, where the file has no grid
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/input_file.h"
#include "base/text.h"
#include "formats_priv.h"
#include "mat_priv.h"

enum { MAP_BYTES_MAX = 16 << 20, CELLS_MAX = 65536 };

// numbers[row * n_columns + column]: channel from 1, 0 for no electrode
typedef struct {
  int n_rows, n_columns;
  double *numbers;
} grid_map;

static emg_status check_cells(int64_t rows, int64_t columns, emg_error *err) {
  if (rows < 1 || columns < 1 || rows > CELLS_MAX || columns > CELLS_MAX ||
      rows * columns > CELLS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "a grid map of %lld x %lld", (long long)rows,
                    (long long)columns);
  }
  return EMG_OK;
}

// The first matrix of numbers in a MATLAB file.
static emg_status read_mat_map(const char *path, grid_map *map, emg_error *err) {
  emg_mat_file file;

  EMG_TRY(emg_mat_read(path, &file, err));
  const emg_mat *found = NULL;
  for (int i = 0; i < file.n && !found; i++) {
    found = file.variables[i].kind == MAT_NUMERIC ? &file.variables[i] : NULL;
  }
  emg_status status = found ? check_cells(found->n_rows, found->n_columns, err)
                            : emg_fail(err, EMG_ERR_DATA, "the grid map holds no matrix");
  if (status == EMG_OK) {
    map->n_rows = (int)found->n_rows;
    map->n_columns = (int)found->n_columns;
    status = emg_alloc((size_t)emg_mat_count(found), sizeof *map->numbers, &map->numbers, err);
  }
  for (int r = 0; status == EMG_OK && r < map->n_rows; r++) {
    for (int c = 0; c < map->n_columns; c++) {
      map->numbers[r * map->n_columns + c] = emg_mat_value(found, r + (int64_t)c * map->n_rows);
    }
  }
  emg_mat_free(&file);
  return status;
}

// Numbers between commas (or tabs), one line per row of the grid; an empty place has no electrode.
static emg_status read_text_map(const char *path, grid_map *map, emg_error *err) {
  char *bytes;
  size_t n_bytes;
  emg_tsv table;

  EMG_TRY(emg_slurp(path, MAP_BYTES_MAX, &bytes, &n_bytes, err));
  char separator = memchr(bytes, '\t', n_bytes) ? '\t' : memchr(bytes, ';', n_bytes) ? ';' : ',';
  EMG_TRY(emg_tsv_parse(bytes, n_bytes, separator, &table, err));
  map->n_rows = table.n_rows + 1;  // the first line is no heading here
  map->n_columns = table.n_columns;
  emg_status status = check_cells(map->n_rows, map->n_columns, err);
  int n = status == EMG_OK ? map->n_rows * map->n_columns : 0;
  if (status == EMG_OK) {
    status = emg_alloc((size_t)n, sizeof *map->numbers, &map->numbers, err);
  }
  for (int i = 0; status == EMG_OK && i < n; i++) {
    const char *cell = table.cells[i];
    if (cell[0] && !emg_tsv_number(cell, &map->numbers[i])) {
      status =
          emg_fail_at(err, EMG_ERR_DATA, "", i / map->n_columns + 1, 0,
                      "%s in the grid map is not the number of a channel", emg_quote(cell).text);
    }
  }
  emg_tsv_free(&table);
  return status;
}

static emg_status read_map(const char *path, grid_map *map, emg_error *err) {
  emg_probe probe = {.path = path};
  FILE *file;

  *map = (grid_map){0};
  emg_status status = emg_open_input(path, &file, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    return status;
  }
  probe.n_bytes = fread(probe.bytes, 1, sizeof probe.bytes - 1, file);
  fclose(file);
  return emg_mat_probe(&probe) ? read_mat_map(path, map, err) : read_text_map(path, map, err);
}

// Give every listed channel its place; `place` receives its number in the grid, -1 for the others.
static emg_status find_places(const grid_map *map, int n_channels, int *place, int *n_used,
                              emg_error *err) {
  *n_used = 0;
  for (int c = 0; c < n_channels; c++) {
    place[c] = -1;
  }
  for (int i = 0; i < map->n_rows * map->n_columns; i++) {
    double number = map->numbers[i];
    if (!(number > 0)) {
      continue;
    }
    if (number != floor(number) || number > n_channels) {
      return emg_fail(err, EMG_ERR_DATA,
                      "the grid map names channel %g, but the recording has channels 1 to %d",
                      number, n_channels);
    }
    if (place[(int)number - 1] >= 0) {
      return emg_fail(err, EMG_ERR_DATA, "the grid map names channel %g twice", number);
    }
    place[(int)number - 1] = i;
    ++*n_used;
  }
  return *n_used > 0 ? EMG_OK : emg_fail(err, EMG_ERR_DATA, "the grid map names no channel");
}

// Keep the channels with a place, in their order; of a recording without samples what describes
// them.
static emg_status select_channels(emg_recording *rec, const int *place, int n_used, int n_columns,
                                  int *rows, emg_error *err) {
  emg_array2f kept = {.n_rows = n_used, .n_cols = rec->data.n_cols};
  int n = 0, n_before = rec->data.n_rows;

  if (rec->data.data) {
    EMG_TRY(emg_array2f_create(n_used, rec->data.n_cols, &kept, err));
  }
  for (int c = 0; c < n_before; c++) {
    if (place[c] >= 0) {
      if (kept.data) {
        memcpy(emg_row2f(&kept, n), emg_row2f(&rec->data, c), (size_t)kept.n_cols * sizeof(float));
      }
      if (rows) {
        rows[n] = c;
      }
      rec->channels[n] = rec->channels[c];
      rec->channels[n].row = place[c] / n_columns;
      rec->channels[n].column = place[c] % n_columns;
      n++;
    }
  }
  emg_array2f_free(&rec->data);
  rec->data = kept;
  if (n < n_before) {
    emg_recording_note(rec, "%d of %d channels are in the grid map, the others were left out", n,
                       n_before);
  }
  return EMG_OK;
}

emg_status emg_grid_apply_map(emg_recording *rec, const char *path, int **rows, emg_error *err) {
  grid_map map = {0};
  int *place = NULL, n_used;
  emg_status status;

  for (int c = 0; c < rec->data.n_rows; c++) {
    if (rec->channels[c].row >= 0) {
      return emg_fail(err, EMG_ERR_ARG, "the file has a grid of its own; leave the grid map out");
    }
  }
  EMG_TRY_DONE(read_map(path, &map, err));
  EMG_TRY_DONE(emg_alloc((size_t)rec->data.n_rows + 1, sizeof *place, &place, err));
  EMG_TRY_DONE(find_places(&map, rec->data.n_rows, place, &n_used, err));
  if (rows) {
    EMG_TRY_DONE(emg_alloc((size_t)n_used, sizeof **rows, rows, err));
  }
  status = select_channels(rec, place, n_used, map.n_columns, rows ? *rows : NULL, err);
done:
  free(map.numbers);
  free(place);
  if (status == EMG_ERR_DATA) {
    emg_error_in_file(err, path);
  }
  return status;
}
