// cell_file.c -- a finished cell as one small JSON file
#include "benchmark_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/input_file.h>
#include <base/json.h>
#include <base/json_read.h>
#include <base/part_file.h>
#include <emgtwin/array.h>

// A file is this long at most: some hundred bytes for each of some hundred units.
enum { BYTES_MAX = 64 << 20, UNITS_MAX = 100000, VERSION = 1 };

// --- writing ---

static void write_values(emg_json *json, const char *key, const double *values) {
  emg_json_array(json, key);
  for (int p = 0; p < EMG_COMPARED_PARAMETERS; p++) {
    emg_json_number(json, NULL, values[p]);
  }
  emg_json_end(json);
}

static void write_unit(emg_json *json, const emg_benchmark_unit *unit) {
  emg_json_object(json, NULL);
  emg_json_integer(json, "truth", unit->truth);
  emg_json_integer(json, "round", unit->round);
  emg_json_integer(json, "spikes", unit->n_spikes);
  emg_json_number(json, "roa", unit->roa);
  emg_json_number(json, "sensitivity", unit->sensitivity);
  emg_json_number(json, "precision", unit->precision);
  write_values(json, "value", unit->value);
  write_values(json, "sd", unit->sd);
  write_values(json, "true_value", unit->true_value);
  emg_json_end(json);
}

emg_status emg_benchmark_cell_write(const char *path, const emg_benchmark_cell *cell,
                                    emg_error *err) {
  emg_json json = {0};
  char *text;

  emg_json_object(&json, NULL);
  emg_json_integer(&json, "version", VERSION);
  emg_json_bool(&json, "has_result", cell->is_there);
  emg_json_text(&json, "reason", cell->reason);
  emg_json_number(&json, "cpu_s", cell->cpu_s);
  emg_json_number(&json, "wall_s", cell->wall_s);
  emg_json_number(&json, "peak_mib", cell->peak_mib);
  emg_json_object(&json, "figures");
  for (int i = 0; i < EMG_FIGURES; i++) {
    emg_json_number(&json, emg_benchmark_figure_name((emg_benchmark_figure)i), cell->figures[i]);
  }
  emg_json_end(&json);
  emg_json_array(&json, "units");
  for (int u = 0; u < cell->n_units; u++) {
    write_unit(&json, &cell->units[u]);
  }
  emg_json_end(&json);
  emg_json_bool(&json, "complete", true);
  emg_json_end(&json);
  EMG_TRY(emg_json_finish(&json, &text, err));
  emg_status status = emg_part_file_write(path, text, strlen(text), true, err);
  free(text);
  return status;
}

// --- reading ---

static void read_values(emg_json_cursor *c, double *values) {
  int n = 0;

  emg_json_enter(c, '[');
  while (emg_json_next_element(c)) {
    double value = NAN;
    emg_json_read_number(c, &value);
    if (n < EMG_COMPARED_PARAMETERS) {
      values[n++] = value;
    }
  }
}

static void read_unit(emg_json_cursor *c, emg_benchmark_unit *unit) {
  char key[32];
  double number = NAN;

  emg_json_enter(c, '{');
  while (emg_json_next_member(c, key, sizeof key)) {
    if (strcmp(key, "value") == 0) {
      read_values(c, unit->value);
    } else if (strcmp(key, "sd") == 0) {
      read_values(c, unit->sd);
    } else if (strcmp(key, "true_value") == 0) {
      read_values(c, unit->true_value);
    } else if (!emg_json_read_number(c, &number)) {
      return;
    } else if (strcmp(key, "truth") == 0) {
      unit->truth = number >= 0 && number < 1e9 ? (int)number : -1;
    } else if (strcmp(key, "round") == 0) {
      unit->round = number >= 0 && number < 1e9 ? (int)number : -1;
    } else if (strcmp(key, "spikes") == 0) {
      unit->n_spikes = number >= 0 && number < 1e9 ? (int)number : 0;
    } else if (strcmp(key, "roa") == 0) {
      unit->roa = number;
    } else if (strcmp(key, "sensitivity") == 0) {
      unit->sensitivity = number;
    } else if (strcmp(key, "precision") == 0) {
      unit->precision = number;
    }
  }
}

static bool read_units(emg_json_cursor *c, emg_benchmark_cell *cell) {
  int capacity = 0;

  emg_json_enter(c, '[');
  while (emg_json_next_element(c)) {
    if (cell->n_units == capacity) {
      capacity = capacity ? 2 * capacity : 32;
      emg_benchmark_unit *grown = realloc(cell->units, (size_t)capacity * sizeof *grown);
      if (!grown || capacity > UNITS_MAX) {
        free(grown ? grown : cell->units);
        cell->units = NULL;
        return false;
      }
      cell->units = grown;
    }
    memset(&cell->units[cell->n_units], 0, sizeof *cell->units);
    read_unit(c, &cell->units[cell->n_units++]);
  }
  return true;
}

static void read_figures(emg_json_cursor *c, double *figures) {
  char key[64];

  emg_json_enter(c, '{');
  while (emg_json_next_member(c, key, sizeof key)) {
    double value = NAN;
    emg_json_read_number(c, &value);
    for (int i = 0; i < EMG_FIGURES; i++) {
      if (strcmp(key, emg_benchmark_figure_name((emg_benchmark_figure)i)) == 0) {
        figures[i] = value;
      }
    }
  }
}

static bool parse(const char *text, emg_benchmark_cell *cell) {
  emg_json_cursor c = emg_json_at(text);
  double version = 0;
  bool is_complete = false, has_units = true;
  char key[32];

  emg_json_enter(&c, '{');
  while (has_units && emg_json_next_member(&c, key, sizeof key)) {
    if (strcmp(key, "version") == 0) {
      emg_json_read_number(&c, &version);
    } else if (strcmp(key, "has_result") == 0) {
      emg_json_read_bool(&c, &cell->is_there);
    } else if (strcmp(key, "reason") == 0) {
      emg_json_read_text(&c, cell->reason, sizeof cell->reason);
    } else if (strcmp(key, "cpu_s") == 0) {
      emg_json_read_number(&c, &cell->cpu_s);
    } else if (strcmp(key, "wall_s") == 0) {
      emg_json_read_number(&c, &cell->wall_s);
    } else if (strcmp(key, "peak_mib") == 0) {
      emg_json_read_number(&c, &cell->peak_mib);
    } else if (strcmp(key, "figures") == 0) {
      read_figures(&c, cell->figures);
    } else if (strcmp(key, "units") == 0) {
      has_units = read_units(&c, cell);
    } else if (strcmp(key, "complete") == 0) {
      emg_json_read_bool(&c, &is_complete);
    } else {
      emg_json_skip(&c);
    }
  }
  return has_units && !c.is_damaged && is_complete && version == VERSION;
}

bool emg_benchmark_cell_read(const char *path, emg_benchmark_cell *cell) {
  FILE *file;
  char *text = NULL;
  bool is_read = false;

  if (emg_open_input(path, &file, NULL) != EMG_OK) {
    return false;
  }
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  rewind(file);
  if (size > 0 && size <= BYTES_MAX) {
    text = malloc((size_t)size + 1);
  }
  if (text && fread(text, 1, (size_t)size, file) == (size_t)size) {
    text[size] = '\0';
    for (int i = 0; i < EMG_FIGURES; i++) {
      cell->figures[i] = NAN;
    }
    is_read = parse(text, cell);
  }
  free(text);
  fclose(file);
  if (!is_read) {
    emg_benchmark_cell_free(cell);
    cell->is_there = false;
    cell->reason[0] = '\0';
  }
  return is_read;
}
