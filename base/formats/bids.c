// bids.c -- EMG-BIDS: a recording among its sidecars (BIDS specification 1.11, EMG)
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <emgtwin/array.h>

#include "base/input_file.h"
#include "bids_priv.h"

enum { DEPTH_MAX = 5, ENTRIES_MAX = 100000, ROWS_MAX = 20000, SYSTEMS_MAX = 64 };

// --- channels and electrodes ---

// Where an electrode is: position in its coordinate system, NaN where it has none in millimetres.
typedef struct {
  char name[32], group[32];
  double x_mm, y_mm, z_mm;
  int row, column;  // -1 if not given
} electrode;

typedef struct {
  int n;
  electrode *list;
} electrodes;

// Millimetres in a unit of a coordinate system, 0 if it is no length.
static double mm_per_unit(const char *unit) {
  return strcmp(unit, "mm") == 0   ? 1
         : strcmp(unit, "cm") == 0 ? 10
         : strcmp(unit, "m") == 0  ? 1e3
                                   : 0;
}

// Scale of a coordinate system ("grid1") from its sidecar; 0 if there is none in units of length.
static double coordinate_scale(const char *path, const char *system) {
  char sidecar[PATH_MAX], space[64], unit[32] = "", *json;
  size_t n_bytes;

  snprintf(space, sizeof space, "space-%s", system);
  bool is_there = emg_bids_sidecar(path, 0, "coordsystem.json", system[0] ? space : NULL, sidecar);
  if (!is_there || emg_slurp(sidecar, EMG_BIDS_JSON_MAX, &json, &n_bytes, NULL) != EMG_OK) {
    return 0;
  }
  if (!emg_json_find_text(json, "EMGCoordinateUnits", unit, sizeof unit)) {
    emg_json_find_text(json, "EMGCoordinateSystemUnits", unit, sizeof unit);
  }
  free(json);
  return mm_per_unit(unit);
}

static void copy_cell(char *to, size_t size, const char *cell) {
  if (strcmp(cell, "n/a") == 0) {
    cell = "";
  }
  emg_label_copy(to, size, cell, strlen(cell));
}

// A sidecar with a line for each of not too many things.
static emg_status read_table(const char *sidecar, emg_tsv *tsv, emg_error *err) {
  emg_status status = emg_tsv_read(sidecar, tsv, err);

  if (status != EMG_OK) {
    emg_error_in_file(err, sidecar);
  } else if (tsv->n_rows > ROWS_MAX) {
    status = emg_fail(err, EMG_ERR_DATA, "%s has %d lines; at most %d are read",
                      emg_path_name(sidecar), tsv->n_rows, ROWS_MAX);
    emg_tsv_free(tsv);
  }
  return status;
}

// A row or column of a grid, counted from 1 in the table.
static int read_place(const emg_tsv *tsv, int row, int column) {
  double value;
  bool is_known = emg_tsv_number(emg_tsv_cell(tsv, row, column), &value) && value >= 1 &&
                  value <= ROWS_MAX && value == floor(value);
  return is_known ? (int)value - 1 : -1;
}

static emg_status read_electrodes(const char *path, electrodes *out, emg_error *err) {
  char sidecar[PATH_MAX], last_system[48] = "\n";
  emg_tsv tsv;
  double scale = 0;
  int n_systems = 0;

  *out = (electrodes){0};
  if (!emg_bids_sidecar(path, 0, "electrodes.tsv", NULL, sidecar) &&
      !emg_bids_sidecar(path, 0, "electrodes.tsv", "space-", sidecar)) {
    return EMG_OK;
  }
  EMG_TRY(read_table(sidecar, &tsv, err));
  emg_status status = emg_alloc((size_t)tsv.n_rows, sizeof *out->list, &out->list, err);
  int name = emg_tsv_column(&tsv, "name"), group = emg_tsv_column(&tsv, "group");
  int system = emg_tsv_column(&tsv, "coordinate_system");
  int grid_row = emg_tsv_column(&tsv, "grid_row");
  int grid_column = emg_tsv_column(&tsv, "grid_column");
  const int axes[] = {emg_tsv_column(&tsv, "x"), emg_tsv_column(&tsv, "y"),
                      emg_tsv_column(&tsv, "z")};
  for (int i = 0; status == EMG_OK && i < tsv.n_rows; i++) {
    electrode *e = &out->list[out->n++];
    double *const place[] = {&e->x_mm, &e->y_mm, &e->z_mm};
    const char *here = emg_tsv_cell(&tsv, i, system);
    copy_cell(e->name, sizeof e->name, emg_tsv_cell(&tsv, i, name));
    copy_cell(e->group, sizeof e->group, emg_tsv_cell(&tsv, i, group));
    e->row = read_place(&tsv, i, grid_row);
    e->column = read_place(&tsv, i, grid_column);
    // rows of one coordinate system follow each other: look it up when it changes
    if (strncmp(here, last_system, sizeof last_system - 1) != 0) {
      snprintf(last_system, sizeof last_system, "%.47s", here);
      scale = n_systems++ < SYSTEMS_MAX ? coordinate_scale(path, last_system) : 0;
    }
    for (int axis = 0; axis < 3; axis++) {
      double value;
      bool is_known = scale > 0 && emg_tsv_number(emg_tsv_cell(&tsv, i, axes[axis]), &value);
      *place[axis] = is_known ? value * scale : NAN;
    }
  }
  emg_tsv_free(&tsv);
  return status;
}

// Electrode of a name: of the same group if several have it. NULL if unknown or ambiguous.
static const electrode *find_electrode(const electrodes *e, const char *name, const char *group) {
  const electrode *found = NULL;

  if (name[0] == '\0') {
    return NULL;
  }
  for (int i = 0; i < e->n; i++) {
    if (strcmp(e->list[i].name, name) == 0) {
      if (strcmp(e->list[i].group, group) == 0) {
        return &e->list[i];
      }
      found = found ? NULL : &e->list[i];
    }
  }
  return found;
}

typedef struct {
  emg_tsv tsv;
  int name, type, units, status, group, electrode;
} channel_table;

static emg_status read_channels(const char *path, channel_table *table, emg_error *err) {
  char sidecar[PATH_MAX];

  *table = (channel_table){.name = -1};
  if (!emg_bids_sidecar(path, 0, "channels.tsv", NULL, sidecar)) {
    return EMG_OK;
  }
  EMG_TRY(read_table(sidecar, &table->tsv, err));
  table->name = emg_tsv_column(&table->tsv, "name");
  table->type = emg_tsv_column(&table->tsv, "type");
  table->units = emg_tsv_column(&table->tsv, "units");
  table->status = emg_tsv_column(&table->tsv, "status");
  table->group = emg_tsv_column(&table->tsv, "group");
  table->electrode = emg_tsv_column(&table->tsv, "signal_electrode");
  if (table->name < 0 || table->type < 0) {
    return emg_fail(err, EMG_ERR_DATA, "channels.tsv has no column name or type");
  }
  return EMG_OK;
}

static emg_status make_roles(const channel_table *table, emg_signal_role **roles, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)table->tsv.n_rows, sizeof **roles, roles, err));
  for (int i = 0; i < table->tsv.n_rows; i++) {
    copy_cell((*roles)[i].name, sizeof(*roles)[i].name, emg_tsv_cell(&table->tsv, i, table->name));
    (*roles)[i].is_emg = strcmp(emg_tsv_cell(&table->tsv, i, table->type), "EMG") == 0;
  }
  return EMG_OK;
}

// Row of a channel: at its own place, where it should be, or else anywhere.
static int find_row(const channel_table *table, const char *name, int start) {
  int n = table->tsv.n_rows;

  for (int k = 0; k < n; k++) {
    int row = (start + k) % n;
    if (strcmp(emg_tsv_cell(&table->tsv, row, table->name), name) == 0) {
      return row;
    }
  }
  return -1;
}

// Group, state and position of every channel.
static void describe_channels(const channel_table *table, const electrodes *known,
                              emg_recording *out) {
  int n_missing = 0, n_conflicts = 0, next = 0;
  char stated[16] = "";

  for (int c = 0; c < out->data.n_rows; c++) {
    emg_channel *channel = &out->channels[c];
    int row = find_row(table, channel->name, next);
    char name[32];

    if (row < 0) {
      n_missing++;
      continue;
    }
    next = row + 1;
    copy_cell(channel->group, sizeof channel->group, emg_tsv_cell(&table->tsv, row, table->group));
    if (strcmp(emg_tsv_cell(&table->tsv, row, table->status), "bad") == 0) {
      channel->state = EMG_CHANNEL_MARKED;
    }
    const char *units = emg_tsv_cell(&table->tsv, row, table->units);
    if (out->is_physical && units[0] && strcmp(units, "n/a") != 0 &&
        emg_uv_per_unit(units) != emg_uv_per_unit(out->source_units)) {
      n_conflicts++;
      copy_cell(stated, sizeof stated, units);
    }
    copy_cell(name, sizeof name, emg_tsv_cell(&table->tsv, row, table->electrode));
    const electrode *e = find_electrode(known, name[0] ? name : channel->name, channel->group);
    if (e) {
      channel->x_mm = e->x_mm;
      channel->y_mm = e->y_mm;
      channel->z_mm = e->z_mm;
      channel->row = e->row;
      channel->column = e->column;
    }
  }
  if (n_conflicts > 0) {
    // range and unit of the header were written together by the program that wrote the samples
    emg_recording_note(out,
                       "channels.tsv says %s for %d channels, the signal header %s: the header "
                       "is followed",
                       stated, n_conflicts, out->source_units);
  }
  if (n_missing > 0) {
    emg_recording_note(out, "%d channels are not in channels.tsv", n_missing);
  }
}

// Units of other channels that the sidecar states.
static void describe_aux(const channel_table *table, emg_recording *out) {
  for (int a = 0; a < out->aux.n_rows; a++) {
    emg_aux_channel *aux = &out->aux_channels[a];
    int row = find_row(table, aux->name, 0);
    char units[16];

    if (row < 0) {
      continue;
    }
    copy_cell(units, sizeof units, emg_tsv_cell(&table->tsv, row, table->units));
    if (units[0] && strcmp(units, aux->units) != 0) {
      if (aux->units[0]) {
        emg_recording_note(out, "%s: channels.tsv says %s, the signal header %s: scale uncertain",
                           aux->name, units, aux->units);
      }
      memcpy(aux->units, units, sizeof units);
    }
  }
}

// The rate of the sidecar and that of the signal file must agree; the sidecar's is exact where the
// duration of a data record in the header was rounded.
static emg_status settle_bids_rate(const char *path, emg_recording *out, emg_error *err) {
  double stated = emg_bids_number(path, "SamplingFrequency");

  if (stated <= 0) {
    emg_recording_note(out, "no SamplingFrequency in the sidecar; the signal header's is used");
  } else if (out->rate_hz > 0 && fabs(stated - out->rate_hz) > 1e-3 * stated) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the sidecar says SamplingFrequency %g Hz, the signal file %g Hz; correct the "
                    "one that is wrong",
                    stated, out->rate_hz);
  } else {
    out->rate_hz = stated;
  }
  double duration = emg_bids_number(path, "RecordingDuration");
  double length = (double)out->data.n_cols / out->rate_hz;
  if (duration > 0 && fabs(duration - length) > 0.01 * duration) {
    emg_recording_note(out, "the sidecar says RecordingDuration %g s, the signal file holds %g s",
                       duration, length);
  }
  return EMG_OK;
}

static emg_status read_recording(const char *path, const emg_read_options *options,
                                 emg_recording *out, emg_blocks *blocks, emg_error *err) {
  channel_table table = {0};
  electrodes known = {0};
  emg_signal_role *roles = NULL;
  emg_status status;

  EMG_TRY_DONE(read_channels(path, &table, err));
  EMG_TRY_DONE(read_electrodes(path, &known, err));
  EMG_TRY_DONE(make_roles(&table, &roles, err));
  EMG_TRY_DONE(emg_edf_read_roles(path, options, roles, table.tsv.n_rows, out, blocks, err));
  snprintf(out->format, sizeof out->format, "BIDS-EMG");
  if (table.name >= 0) {
    describe_channels(&table, &known, out);
    describe_aux(&table, out);
  } else {
    emg_recording_note(out, "no channels.tsv: which signals are EMG was told from their names");
  }
  EMG_TRY_DONE(settle_bids_rate(path, out, err));
  EMG_TRY_DONE(emg_grid_from_positions(out, err));
  status = emg_bids_labels(path, out, err);
done:
  emg_tsv_free(&table.tsv);
  free(known.list);
  free(roles);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}

// --- folders ---

typedef struct {
  dev_t device;
  ino_t inode;
} place;

typedef struct {
  place folders[DEPTH_MAX + 1];  // from the one that was named down to the one being looked at
  int n, n_entries;
  char first[PATH_MAX];
  char names[240];
} findings;

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

// A link back to a folder on the way down would show the same recordings again.
static bool enter_folder(const struct stat *info, int depth, findings *found) {
  for (int i = 0; i < depth; i++) {
    if (found->folders[i].device == info->st_dev && found->folders[i].inode == info->st_ino) {
      return false;
    }
  }
  found->folders[depth] = (place){info->st_dev, info->st_ino};
  return true;
}

// Recordings in a folder and below, in the order of their names; not those derived from others.
static void find_recordings(const char *folder, int depth, findings *found) {
  struct dirent **entries;
  int n = scandir(folder, &entries, NULL, by_name);

  for (int i = 0; i < n; i++) {
    const char *name = entries[i]->d_name;
    char path[PATH_MAX];
    struct stat info;

    if (name[0] != '.' && found->n_entries++ < ENTRIES_MAX && emg_path_join(path, folder, name) &&
        stat(path, &info) == 0) {
      if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX && strcmp(name, "derivatives") != 0 &&
          strcmp(name, "sourcedata") != 0 && strcmp(name, "code") != 0 &&
          enter_folder(&info, depth + 1, found)) {
        find_recordings(path, depth + 1, found);
      } else if (S_ISREG(info.st_mode) && emg_bids_is_recording(name)) {
        size_t used = strlen(found->names);
        if (found->n++ == 0) {
          snprintf(found->first, sizeof found->first, "%s", path);
        }
        snprintf(found->names + used, sizeof found->names - used, "%s%.200s", used ? ", " : "",
                 name);
      }
    }
    free(entries[i]);
  }
  if (n >= 0) {
    free(entries);
  }
}

emg_status emg_bids_resolve(const char *path, char recording[PATH_MAX], emg_error *err) {
  findings found = {0};
  struct stat info;

  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
    snprintf(recording, PATH_MAX, "%s", path);
    return EMG_OK;
  }
  if (access(path, R_OK | X_OK) != 0) {
    return emg_fail(err, EMG_ERR_IO, "cannot read folder %s: %s", path, strerror(errno));
  }
  enter_folder(&info, 0, &found);
  find_recordings(path, 0, &found);
  if (found.n == 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the folder holds no recording of EMG-BIDS (*_emg.edf or *_emg.bdf)");
  }
  if (found.n > 1) {
    return emg_fail(err, EMG_ERR_DATA, "the folder holds %d recordings; name one: %s", found.n,
                    found.names);
  }
  memcpy(recording, found.first, PATH_MAX);
  return EMG_OK;
}

bool emg_bids_probe(const emg_probe *probe) {
  char sidecar[PATH_MAX];

  return probe->is_folder ||
         (emg_edf_probe(probe) && emg_bids_is_recording(emg_path_name(probe->path)) &&
          (emg_bids_sidecar(probe->path, 0, "channels.tsv", NULL, sidecar) ||
           emg_bids_sidecar(probe->path, 0, "emg.json", NULL, sidecar)));
}

static emg_status read_bids(const char *path, const emg_read_options *options, emg_recording *out,
                            emg_blocks *blocks, emg_error *err) {
  char recording[PATH_MAX];
  emg_probe probe;
  FILE *file;

  EMG_TRY(emg_bids_resolve(path, recording, err));
  // a name says nothing: the bytes must be EDF
  probe = (emg_probe){.path = recording};
  EMG_TRY(emg_open_input(recording, &file, err));
  probe.n_bytes = fread(probe.bytes, 1, sizeof probe.bytes - 1, file);
  fclose(file);
  if (!emg_edf_probe(&probe)) {
    return emg_fail(err, EMG_ERR_DATA, "%s is neither EDF nor BDF", emg_path_name(recording));
  }
  return read_recording(recording, options, out, blocks, err);
}

emg_status emg_bids_read(const char *path, const emg_read_options *options, emg_recording *out,
                         emg_error *err) {
  return read_bids(path, options, out, NULL, err);
}

emg_status emg_bids_open_blocks(const char *path, const emg_read_options *options,
                                emg_recording *header, emg_blocks *blocks, emg_error *err) {
  return read_bids(path, options, header, blocks, err);
}
