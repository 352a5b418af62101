// muedit_write.c -- MUedit: MATLAB 7.3 with the structure `signal`, samples counted from 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/h5_matlab.h"
#include "convert_priv.h"

typedef struct {
  const emg_export *e;
  emg_h5 *file;
  int threads;
  int *order, *group_of, n_groups;  // channels by grid
  int *units, *units_of;            // units by grid, and how many each grid has
  int first_unit;                   // in `units`, of the grid whose sources are being written
  bool has_grid;
  double *scratch;     // of the largest small array
  emg_array2f trains;  // where no sources were kept
} work;

// n_rows x n_columns doubles of the scratch array.
static emg_status put(work *w, const char *path, int64_t n_rows, int64_t n_columns,
                      emg_error *err) {
  return emg_h5_matlab_doubles(w->file, path, n_rows, n_columns, w->scratch, err);
}

// n_rows x n_samples doubles that `get` makes column by column.
static emg_status put_columns(work *w, const char *path, int n_rows, emg_h5_source_fn get,
                              emg_error *err) {
  const emg_h5_source source = {.get = get, .user = w, .n_threads = w->threads};
  return emg_h5_matlab_from(w->file, path, n_rows, w->e->n_samples, &source, err);
}

static emg_status put_number(work *w, const char *path, double value, emg_error *err) {
  return emg_h5_matlab_doubles(w->file, path, 1, 1, &value, err);
}

// All channels at one instant.
static bool get_data(const void *user, int64_t sample, int64_t begin, int64_t n, void *to) {
  const work *w = user;
  double scale = emg_export_scale(w->e), *values = to;

  for (int64_t k = 0; k < n; k++) {
    values[k] = scale * emg_row2f(&w->e->rec->data, w->order[begin + k])[sample];
  }
  return true;
}

static bool get_aux(const void *user, int64_t sample, int64_t begin, int64_t n, void *to) {
  const work *w = user;
  double *values = to;

  for (int64_t k = 0; k < n; k++) {
    values[k] = (double)w->e->aux[begin + k].values[sample];
  }
  return true;
}

// What is shown beside the trains while editing; zeros draw nothing.
static bool get_target(const void *user, int64_t sample, int64_t begin, int64_t n, void *to) {
  const work *w = user;

  (void)begin;
  (void)n;
  *(double *)to = w->e->n_aux > 0 ? (double)w->e->aux[0].values[sample] : 0;
  return true;
}

static bool get_source(const void *user, int64_t sample, int64_t begin, int64_t n, void *to) {
  const work *w = user;
  double *values = to;

  for (int64_t k = 0; k < n; k++) {
    int u = w->units[w->first_unit + begin + k];
    const float *source = emg_export_source(w->e, u);
    values[k] = (double)(source ? source : emg_row2f(&w->trains, u))[sample];
  }
  return true;
}

static emg_status write_data(work *w, emg_error *err) {
  const emg_recording *rec = w->e->rec;
  int n = rec->data.n_rows;

  EMG_TRY(put_columns(w, "signal/data", n, get_data, err));
  EMG_TRY(put_number(w, "signal/fsamp", w->e->rate_hz, err));
  EMG_TRY(put_number(w, "signal/nChan", n, err));
  if (rec->is_physical) {
    EMG_TRY(emg_h5_matlab_text(w->file, "signal/units", "mV", err));
  }
  return put_number(w, "signal/ngrid", w->n_groups, err);
}

// Row and column of each channel of a group, from 1, and which ones are bad.
static emg_status write_group(work *w, int group, emg_error *err) {
  const emg_recording *rec = w->e->rec;
  const char *name = "";
  int n = 0, i = 0;

  for (int c = 0; c < rec->data.n_rows; c++) {
    n += w->group_of[c] == group;
  }
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (w->group_of[c] == group) {
      name = rec->channels[c].group;
      w->scratch[i] = w->has_grid ? rec->channels[c].row + 1 : i + 1;
      w->scratch[n + i] = w->has_grid ? rec->channels[c].column + 1 : 1;
      i++;
    }
  }
  EMG_TRY(put(w, emg_h5_matlab_ref("coordinates", group).text, n, 2, err));
  i = 0;
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (w->group_of[c] == group) {
      w->scratch[i++] = emg_export_state(w->e, c) != EMG_CHANNEL_GOOD;
    }
  }
  EMG_TRY(put(w, emg_h5_matlab_ref("EMGmask", group).text, n, 1, err));
  EMG_TRY(emg_h5_matlab_text(w->file, emg_h5_matlab_ref("gridname", group).text,
                             name[0] ? name : "grid", err));
  return emg_h5_matlab_text(w->file, emg_h5_matlab_ref("muscle", group).text,
                            name[0] ? name : "muscle", err);
}

static emg_status write_groups(work *w, emg_error *err) {
  static const char *const cells[] = {"coordinates", "EMGmask", "gridname", "muscle"};
  char path[64];

  if (!w->has_grid) {
    emg_export_note(w->e,
                    "rows and columns of the electrodes are not known: they are given as one "
                    "column");
  }
  for (int g = 0; g < w->n_groups; g++) {
    EMG_TRY(write_group(w, g, err));
  }
  for (int k = 0; k < 4; k++) {
    snprintf(path, sizeof path, "signal/%s", cells[k]);
    EMG_TRY(emg_h5_matlab_cells(w->file, path, 1, w->n_groups, cells[k], err));
  }
  for (int g = 0; g < w->n_groups; g++) {
    w->scratch[g] = w->e->rec->pitch_mm;
  }
  EMG_TRY(put(w, "signal/IED", 1, w->n_groups, err));
  for (int g = 0; g < w->n_groups; g++) {
    w->scratch[g] = 1;  // surface
  }
  return put(w, "signal/emgtype", 1, w->n_groups, err);
}

static emg_status write_aux(work *w, emg_error *err) {
  const emg_export *e = w->e;

  EMG_TRY(put_columns(w, "signal/target", 1, get_target, err));
  EMG_TRY(put_columns(w, "signal/path", 1, get_target, err));
  if (e->n_aux == 0) {
    return EMG_OK;
  }
  EMG_TRY(put_columns(w, "signal/auxiliary", e->n_aux, get_aux, err));
  for (int a = 0; a < e->n_aux; a++) {
    EMG_TRY(emg_h5_matlab_text(w->file, emg_h5_matlab_ref("auxiliaryname", a).text,
                               e->aux[a].name[0] ? e->aux[a].name : "auxiliary", err));
  }
  return emg_h5_matlab_cells(w->file, "signal/auxiliaryname", 1, e->n_aux, "auxiliaryname", err);
}

// Grid of a unit: the one it was found in, else the first.
static int grid_of_unit(const work *w, int u) {
  const emg_export *e = w->e;

  for (int c = 0; e->found && e->found->group && c < e->rec->data.n_rows; c++) {
    if (strcmp(e->rec->channels[c].group, e->found->group[e->unit[u]]) == 0) {
      return w->group_of[c];
    }
  }
  return 0;
}

static emg_status sort_units(work *w, emg_error *err) {
  int n = w->e->spikes.n_units, at = 0;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *w->units, &w->units, err));
  EMG_TRY(emg_alloc((size_t)w->n_groups + 1, sizeof *w->units_of, &w->units_of, err));
  for (int g = 0; g < w->n_groups; g++) {
    for (int u = 0; u < n; u++) {
      if (grid_of_unit(w, u) == g) {
        w->units[at++] = u;
        w->units_of[g]++;
      }
    }
  }
  if (n > 0 && w->n_groups > 1 && w->units_of[0] == n) {
    emg_export_note(w->e,
                    "MUedit lists units by grid: all of them are listed under the first of %d",
                    w->n_groups);
  }
  return EMG_OK;
}

// Sources of the units of each grid, N x T.
static emg_status write_sources(work *w, emg_error *err) {
  const emg_export *e = w->e;
  int n = e->spikes.n_units;

  if (n > 0 && !emg_export_source(e, 0)) {
    EMG_TRY(emg_array2f_create(n, e->n_samples, &w->trains, err));
    for (int u = 0; u < n; u++) {
      emg_export_train(e, u, emg_row2f(&w->trains, u));
    }
    emg_export_note(e,
                    "no sources were kept (decompose.keep_source): Pulsetrain is 0 and 1 at the "
                    "discharges, and a SIL computed from it means nothing");
  }
  for (int g = 0; g < w->n_groups; g++) {
    EMG_TRY(
        put_columns(w, emg_h5_matlab_ref("Pulsetrain", g).text, w->units_of[g], get_source, err));
    w->first_unit += w->units_of[g];
  }
  return emg_h5_matlab_cells(w->file, "signal/Pulsetrain", 1, w->n_groups, "Pulsetrain", err);
}

// Grids x the most units of one, column by column; empty where a grid has fewer.
static emg_status write_discharges(work *w, emg_error *err) {
  const emg_spikes *s = &w->e->spikes;
  int first = 0, most = 0;

  for (int g = 0; g < w->n_groups; g++) {
    most = w->units_of[g] > most ? w->units_of[g] : most;
  }
  for (int g = 0; g < w->n_groups; g++) {
    for (int k = 0; k < most; k++) {
      int u = k < w->units_of[g] ? w->units[first + k] : -1;
      int64_t count = u >= 0 ? emg_spikes_count(s, u) : 0;
      for (int64_t i = 0; i < count; i++) {
        w->scratch[i] = (double)emg_spikes_of(s, u)[i] + 1;
      }
      int64_t cell = (int64_t)k * w->n_groups + g;
      EMG_TRY(put(w, emg_h5_matlab_ref("Dischargetimes", cell).text, count > 0, count, err));
    }
    first += w->units_of[g];
  }
  return emg_h5_matlab_cells(w->file, "signal/Dischargetimes", most > 0 ? w->n_groups : 0, most,
                             "Dischargetimes", err);
}

static emg_status write_all(work *w, emg_error *err) {
  EMG_TRY(emg_h5_matlab_struct(w->file, "signal", err));
  EMG_TRY(write_data(w, err));
  EMG_TRY(write_groups(w, err));
  EMG_TRY(write_aux(w, err));
  EMG_TRY(write_sources(w, err));
  EMG_TRY(write_discharges(w, err));
  EMG_TRY(emg_h5_matlab_struct(w->file, "parameters", err));
  return emg_h5_matlab_text(w->file, "parameters/source", "emgtwin " EMG_VERSION, err);
}

emg_status emg_write_muedit(const char *path, const emg_export *e, emg_error *err) {
  work w = {.e = e, .threads = e->contents->n_threads > 0 ? e->contents->n_threads : 1};
  size_t n_places = 2 * (size_t)e->rec->data.n_rows, n_samples = (size_t)e->n_samples;
  emg_status status;

  w.has_grid = emg_export_has_grid(e->rec);
  EMG_TRY_DONE(emg_export_groups(e->rec, &w.order, &w.group_of, &w.n_groups, err));
  EMG_TRY_DONE(sort_units(&w, err));
  EMG_TRY_DONE(
      emg_alloc(n_places > n_samples ? n_places : n_samples, sizeof *w.scratch, &w.scratch, err));
  EMG_TRY_DONE(emg_h5_create_matlab(path, e->options->overwrite, &w.file, err));
  EMG_TRY_DONE(write_all(&w, err));
  status = emg_h5_publish(w.file, err);
done:
  emg_h5_close(w.file);
  emg_array2f_free(&w.trains);
  free(w.scratch);
  free(w.order);
  free(w.group_of);
  free(w.units);
  free(w.units_of);
  return status;
}
