// bids_write.c -- an EMG-BIDS data set (specification 1.11) of one recording and its discharges
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/json.h"
#include "base/number.h"
#include "base/part_folder.h"
#include "base/quantise.h"
#include "convert_priv.h"

#define BIDS_VERSION "1.11.1"
#define DERIVATIVE "derivatives/emgtwin"

// What the files have in common.
typedef struct {
  const emg_export *e;
  char task[40];
  emg_folder folder;
  char (*labels)[17];
  int *order, *group_of, n_groups;
} data_set;

// --- names ---

// Letters and digits of the name of the output: entities hold nothing else.
static void make_task(const char *path, char task[40]) {
  size_t end = strlen(path), n = 0;

  while (end > 0 && path[end - 1] == '/') {
    end--;
  }
  size_t start = end;
  while (start > 0 && path[start - 1] != '/') {
    start--;
  }
  for (size_t i = start; i < end && n < 32; i++) {
    char c = path[i];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      task[n++] = c;
    }
  }
  task[n] = '\0';
  if (n == 0) {
    snprintf(task, 40, "contraction");
  }
}

// Name of the space of a group, letters and digits.
static void space_name(const data_set *d, int group, char name[24]) {
  snprintf(name, 24, d->n_groups > 1 ? "grid%d" : "grid", group + 1);
}

static void group_name(const emg_channel *channel, char name[32]) {
  snprintf(name, 32, "%s", channel->group[0] ? channel->group : "n/a");
  for (char *at = name; *at; at++) {
    *at = *at == '\t' ? ' ' : *at;
  }
}

static emg_status add_file(data_set *d, const char *start, const char *end, emg_buffer *bytes,
                           emg_error *err) {
  char path[200];

  snprintf(path, sizeof path, start, d->task);
  size_t used = strlen(path);
  snprintf(path + used, sizeof path - used, "%s", end);
  return emg_folder_add(&d->folder, path, bytes, err);
}

static emg_status add_json(data_set *d, const char *start, const char *end, emg_json *json,
                           emg_error *err) {
  emg_buffer bytes = {0};
  char *text;

  EMG_TRY(emg_json_finish(json, &text, err));
  emg_buffer_text(&bytes, text);
  free(text);
  return add_file(d, start, end, &bytes, err);
}

#define RECORDING "sub-01/emg/sub-01_task-%s"

static void describe_column(emg_json *json, const char *name, const char *text, const char *units) {
  emg_json_object(json, name);
  emg_json_text(json, "Description", text);
  if (units) {
    emg_json_text(json, "Units", units);
  }
  emg_json_end(json);
}

// --- the data set ---

static void write_generated_by(emg_json *json) {
  emg_json_array(json, "GeneratedBy");
  emg_json_object(json, NULL);
  emg_json_text(json, "Name", "emgtwin");
  emg_json_text(json, "Version", emg_version());
  emg_json_text(json, "Description", "Simulation and decomposition of HD-sEMG");
  emg_json_end(json);
  emg_json_end(json);
}

static emg_status add_description(data_set *d, bool is_derivative, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "Name", is_derivative ? "Motor-unit discharges" : d->task);
  emg_json_text(&json, "BIDSVersion", BIDS_VERSION);
  emg_json_text(&json, "DatasetType", is_derivative ? "derivative" : "raw");
  write_generated_by(&json);
  if (is_derivative) {
    emg_json_array(&json, "SourceDatasets");
    emg_json_object(&json, NULL);
    emg_json_text(&json, "URL", "../..");
    emg_json_end(&json);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  return add_json(d, is_derivative ? DERIVATIVE "/dataset_description.json" : EMG_BIDS_MARK, "",
                  &json, err);
}

static emg_status add_participants(data_set *d, emg_error *err) {
  emg_buffer table = {0}, readme = {0};
  const emg_recording *rec = d->e->rec;

  emg_buffer_text(&table, "participant_id\nsub-01\n");
  EMG_TRY(add_file(d, "participants.tsv", "", &table, err));
  emg_buffer_print(&readme,
                   "# %s\n\n%d EMG channels, %lld samples at %s Hz, written by emgtwin %s.\n",
                   d->task, rec->data.n_rows, (long long)rec->data.n_cols,
                   emg_number_format(d->e->rate_hz).text, emg_version());
  if (d->e->is_truth) {
    emg_buffer_text(&readme,
                    "\nThe recording is simulated; the discharges under derivatives/ are "
                    "its ground truth.\n");
  } else if (d->e->has_units) {
    emg_buffer_text(&readme, "\nThe discharges under derivatives/ were found by decomposition.\n");
  }
  return add_file(d, "README.md", "", &readme, err);
}

// --- the recording ---

static emg_status add_emg_json(data_set *d, emg_error *err) {
  const emg_export *e = d->e;
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "TaskName", d->task);
  emg_json_number(&json, "SamplingFrequency", e->rate_hz);
  emg_json_text(&json, "PowerLineFrequency", "n/a");
  emg_json_text(&json, "SoftwareFilters", "n/a");
  emg_json_text(&json, "HardwareFilters", "n/a");
  emg_json_text(&json, "EMGReference", "n/a");
  emg_json_text(&json, "EMGGround", "n/a");
  emg_json_text(&json, "EMGPlacementScheme", "Other");
  emg_json_text(&json, "EMGPlacementSchemeDescription",
                "places of the electrodes, where known, are in electrodes.tsv");
  emg_json_text(&json, "RecordingType", "continuous");
  emg_json_number(&json, "RecordingDuration", (double)e->n_samples / e->rate_hz);
  emg_json_integer(&json, "EMGChannelCount", e->rec->data.n_rows);
  emg_json_integer(&json, "MISCChannelCount", e->n_aux);
  emg_json_end(&json);
  return add_json(d, RECORDING, "_emg.json", &json, err);
}

static emg_status add_channels(data_set *d, emg_error *err) {
  const emg_export *e = d->e;
  emg_buffer out = {0};
  char group[32];

  emg_buffer_text(&out,
                  "name\ttype\tunits\tsignal_electrode\treference\tgroup\tstatus\t"
                  "status_description\n");
  for (int c = 0; c < e->rec->data.n_rows; c++) {
    const emg_channel *channel = &e->rec->channels[c];
    emg_channel_state state = emg_export_state(e, c);
    bool is_good = state == EMG_CHANNEL_GOOD;
    group_name(channel, group);
    emg_buffer_print(&out, "%s\tEMG\t%s\tE%d\tn/a\t%s\t%s\t%s\n", d->labels[c],
                     e->rec->is_physical ? "uV" : "n/a", c + 1, group, is_good ? "good" : "bad",
                     is_good ? "n/a" : emg_channel_state_name(state));
  }
  for (int a = 0; a < e->n_aux; a++) {
    emg_buffer_print(&out, "%s\tMISC\t%s\tn/a\tn/a\tn/a\tgood\tn/a\n",
                     d->labels[e->rec->data.n_rows + a],
                     e->aux[a].units[0] ? e->aux[a].units : "n/a");
  }
  return add_file(d, RECORDING, "_channels.tsv", &out, err);
}

// Position of an electrode: measured, or from its place in a grid of known pitch. False if neither.
static bool find_position(const emg_recording *rec, const emg_channel *channel, double mm[3]) {
  mm[0] = channel->x_mm;
  mm[1] = channel->y_mm;
  mm[2] = channel->z_mm;
  if (!(isfinite(mm[0]) && isfinite(mm[1])) && channel->row >= 0 && isfinite(rec->pitch_mm)) {
    mm[0] = rec->pitch_mm * channel->column;
    mm[1] = rec->pitch_mm * channel->row;
    mm[2] = 0;
  }
  return isfinite(mm[0]) && isfinite(mm[1]);
}

static emg_status add_electrodes(data_set *d, emg_error *err) {
  const emg_recording *rec = d->e->rec;
  emg_buffer out = {0};
  char group[32], space[24];
  int n_unknown = 0;

  emg_buffer_text(&out, "name\tx\ty\tz\tcoordinate_system\tgroup\tgrid_row\tgrid_column\n");
  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *channel = &rec->channels[c];
    double mm[3];
    bool is_known = find_position(rec, channel, mm);
    group_name(channel, group);
    space_name(d, d->group_of[c], space);
    emg_buffer_print(&out, "E%d", c + 1);
    for (int axis = 0; axis < 3; axis++) {
      emg_buffer_print(&out, "\t%s",
                       is_known && isfinite(mm[axis]) ? emg_number_format(mm[axis]).text : "n/a");
    }
    emg_buffer_print(&out, "\t%s\t%s", space, group);
    if (channel->row >= 0 && channel->column >= 0) {
      emg_buffer_print(&out, "\t%d\t%d\n", channel->row + 1, channel->column + 1);
    } else {
      emg_buffer_text(&out, "\tn/a\tn/a\n");
    }
    n_unknown += !is_known;
  }
  if (n_unknown > 0) {
    emg_export_note(d->e, "positions of %d electrodes are not known: n/a in electrodes.tsv",
                    n_unknown);
  }
  EMG_TRY(add_file(d, "sub-01/emg/sub-01_electrodes.tsv", "", &out, err));
  emg_json json = {0};
  emg_json_object(&json, NULL);
  describe_column(&json, "grid_row", "Row of the electrode in its grid, from 1", NULL);
  describe_column(&json, "grid_column", "Column of the electrode in its grid, from 1", NULL);
  emg_json_end(&json);
  return add_json(d, "sub-01/emg/sub-01_electrodes.json", "", &json, err);
}

static emg_status add_spaces(data_set *d, emg_error *err) {
  char space[24], name[80];

  for (int g = 0; g < d->n_groups; g++) {
    emg_json json = {0};
    space_name(d, g, space);
    snprintf(name, sizeof name, "sub-01/emg/sub-01_space-%s_coordsystem.json", space);
    emg_json_object(&json, NULL);
    emg_json_text(&json, "EMGCoordinateSystem", "Other");
    emg_json_text(&json, "EMGCoordinateUnits", "mm");
    emg_json_text(&json, "EMGCoordinateSystemDescription",
                  "Right-handed axes fixed to the limb or the grid, origin and directions as in "
                  "the file the recording came from");
    emg_json_end(&json);
    EMG_TRY(add_json(d, name, "", &json, err));
  }
  return EMG_OK;
}

// --- the discharges ---

static emg_status add_discharges(data_set *d, emg_error *err) {
  emg_buffer events = {0}, log = {0}, ignored = {0};
  emg_json json = {0};

  emg_status status = emg_events_write(d->e, &events, err);
  if (status == EMG_OK) {
    status = emg_run_log_write(d->e, &log, err);
  }
  if (status != EMG_OK) {
    emg_buffer_free(&events);
    emg_buffer_free(&log);
    return status;
  }
  status = add_file(d, DERIVATIVE "/" RECORDING, "_desc-decomposition_events.tsv", &events, err);
  if (status != EMG_OK) {
    emg_buffer_free(&log);
    return status;
  }
  EMG_TRY(add_file(d, DERIVATIVE "/" RECORDING, "_desc-decomposition_log.json", &log, err));
  emg_json_object(&json, NULL);
  describe_column(&json, "onset", "Time of the discharge from the start of the recording", "s");
  describe_column(&json, "duration", "0: a discharge is an instant", "s");
  describe_column(&json, "sample", "Sample of the discharge, from 0", NULL);
  describe_column(&json, "unit_id", "Number of the motor unit, from 0 without gaps", NULL);
  emg_json_object(&json, "event_type");
  emg_json_text(&json, "Description", "Kind of the event");
  emg_json_object(&json, "Levels");
  emg_json_text(&json, "motor-unit-spike", "Discharge of a motor unit");
  emg_json_end(&json);
  emg_json_end(&json);
  emg_json_end(&json);
  EMG_TRY(add_json(d, DERIVATIVE "/" RECORDING, "_desc-decomposition_events.json", &json, err));
  // BIDS has no names for discharges of motor units yet
  emg_buffer_text(&ignored, "*_desc-decomposition_*\n");
  EMG_TRY(add_file(d, DERIVATIVE "/.bidsignore", "", &ignored, err));
  return add_description(d, true, err);
}

// --- all of it ---

static emg_status add_all(data_set *d, emg_error *err) {
  emg_buffer signals = {0};

  // 16 bits where they keep every sample, 24 elsewhere
  bool is_bdf = emg_converter_step(&d->e->rec->data) == 0;
  emg_status status = emg_edf_write(d->e, is_bdf, &signals, &d->labels, err);
  if (status != EMG_OK) {
    emg_buffer_free(&signals);
    return status;
  }
  EMG_TRY(add_file(d, RECORDING, is_bdf ? "_emg.bdf" : "_emg.edf", &signals, err));
  EMG_TRY(add_description(d, false, err));
  EMG_TRY(add_participants(d, err));
  EMG_TRY(add_emg_json(d, err));
  EMG_TRY(add_channels(d, err));
  EMG_TRY(add_electrodes(d, err));
  EMG_TRY(add_spaces(d, err));
  return d->e->has_units ? add_discharges(d, err) : EMG_OK;
}

emg_status emg_write_bids(const char *path, const emg_export *e, emg_error *err) {
  data_set d = {.e = e};
  emg_status status;

  make_task(path, d.task);
  EMG_TRY_DONE(emg_export_groups(e->rec, &d.order, &d.group_of, &d.n_groups, err));
  EMG_TRY_DONE(add_all(&d, err));
  status = emg_part_folder_write(path, EMG_BIDS_MARK, &d.folder, e->options->overwrite,
                                 e->options->monitor, err);
done:
  emg_folder_free(&d.folder);
  free(d.labels);
  free(d.order);
  free(d.group_of);
  return status;
}
