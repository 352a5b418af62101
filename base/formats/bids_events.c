// bids_events.c -- motor-unit spikes in *_events.tsv, alone or as derivative of a recording
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <emgtwin/array.h>

#include "bids_priv.h"

enum { UNITS_MAX = 4096, FOLDERS_MAX = 64, FILES_MAX = 20000 };

typedef struct {
  emg_tsv tsv;
  int onset, sample, unit, type;
} events;

static emg_status open_events(const char *path, events *e, emg_error *err) {
  EMG_TRY(emg_tsv_read(path, &e->tsv, err));
  e->onset = emg_tsv_column(&e->tsv, "onset");
  e->sample = emg_tsv_column(&e->tsv, "sample");
  e->unit = emg_tsv_column(&e->tsv, "unit_id");
  e->type = emg_tsv_column(&e->tsv, "event_type");
  if (e->unit < 0 || (e->onset < 0 && e->sample < 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the events have no column unit_id, or neither onset nor sample");
  }
  return EMG_OK;
}

static bool is_spike(const events *e, int row) {
  return e->type < 0 || strcmp(emg_tsv_cell(&e->tsv, row, e->type), "motor-unit-spike") == 0;
}

// Sampling rate from the times of events in s and in samples: their ratio, which is the same to the
// rounding of the times; 0 if the columns do not tell. A whole number within that rounding is
// taken.
static double rate_of_events(const events *e) {
  double products = 0, squares = 0, onset_s, sample;

  for (int i = 0; i < e->tsv.n_rows; i++) {
    if (emg_tsv_number(emg_tsv_cell(&e->tsv, i, e->onset), &onset_s) &&
        emg_tsv_number(emg_tsv_cell(&e->tsv, i, e->sample), &sample)) {
      products += onset_s * sample;
      squares += onset_s * onset_s;
    }
  }
  double rate_hz = squares > 0 ? products / squares : 0;
  return rate_hz > 1 && fabs(rate_hz - round(rate_hz)) < 1e-4 * rate_hz ? round(rate_hz) : rate_hz;
}

typedef struct {
  const char *unit;
  int64_t sample;
} spike;

// Numbers before names, in their order.
static int compare_units(const char *a, const char *b) {
  double x, y;
  bool is_x = emg_tsv_number(a, &x), is_y = emg_tsv_number(b, &y);

  if (is_x && is_y && x != y) {
    return x < y ? -1 : 1;
  }
  return is_x != is_y ? is_y - is_x : strcmp(a, b);
}

static int compare_spikes(const void *a, const void *b) {
  const spike *x = a, *y = b;
  int order = compare_units(x->unit, y->unit);
  return order != 0 ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

static emg_status collect(const events *e, double rate_hz, spike *spikes, int64_t *n,
                          emg_error *err) {
  *n = 0;
  for (int i = 0; i < e->tsv.n_rows; i++) {
    double value;

    if (!is_spike(e, i)) {
      continue;
    }
    if (!emg_tsv_number(emg_tsv_cell(&e->tsv, i, e->sample), &value)) {
      if (!emg_tsv_number(emg_tsv_cell(&e->tsv, i, e->onset), &value)) {
        return emg_fail_at(err, EMG_ERR_DATA, "", i + 2, 0, "the spike has no time");
      }
      value = round(value * rate_hz);
    }
    if (value < 0 || value > 9e15 || value != floor(value)) {
      return emg_fail_at(err, EMG_ERR_DATA, "", i + 2, 0,
                         "a spike at sample %g; samples count from 0", value);
    }
    spikes[(*n)++] = (spike){emg_tsv_cell(&e->tsv, i, e->unit), (int64_t)value};
  }
  return EMG_OK;
}

// Trains from spikes sorted by unit and time; a time that comes twice is one spike.
static emg_status make_trains(const spike *spikes, int64_t n, double rate_hz, int64_t n_samples,
                              emg_spikes *out, emg_error *err) {
  int64_t *counts;
  int n_units = 0;

  EMG_TRY(emg_alloc(UNITS_MAX, sizeof *counts, &counts, err));
  for (int64_t i = 0; i < n; i++) {
    bool is_new = i == 0 || compare_units(spikes[i].unit, spikes[i - 1].unit) != 0;
    if (is_new && n_units == UNITS_MAX) {
      free(counts);
      return emg_fail(err, EMG_ERR_DATA, "the events name more than %d units", UNITS_MAX);
    }
    n_units += is_new;
    counts[n_units - 1] += is_new || spikes[i].sample != spikes[i - 1].sample;
  }
  emg_status status = emg_spikes_create(n_units, counts, rate_hz, n_samples, out, err);
  free(counts);
  int64_t at = 0;
  for (int64_t i = 0; status == EMG_OK && i < n; i++) {
    bool is_new = i == 0 || compare_units(spikes[i].unit, spikes[i - 1].unit) != 0;
    if (is_new || spikes[i].sample != spikes[i - 1].sample) {
      out->samples[at++] = spikes[i].sample;
    }
  }
  return status == EMG_OK ? emg_spikes_check(out, err) : status;
}

// `rate_hz` 0: from the events themselves.
static emg_status read_events(const char *path, double rate_hz, int64_t n_samples, emg_spikes *out,
                              emg_error *err) {
  events e = {0};
  spike *spikes = NULL;
  int64_t n;
  emg_status status;

  *out = (emg_spikes){0};
  EMG_TRY_DONE(open_events(path, &e, err));
  if (rate_hz == 0 && e.onset >= 0 && e.sample >= 0) {
    rate_hz = rate_of_events(&e);
  }
  if (!(rate_hz > 0 && rate_hz < 1e9)) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the sampling rate of the spikes is not known: the recording they belong to "
                      "is not beside them, and they do not give both onset and sample; give it "
                      "with --rate \"2048 Hz\"");
    goto done;
  }
  // one more than needed: a table of a header alone is sorted too
  EMG_TRY_DONE(emg_alloc((size_t)e.tsv.n_rows + 1, sizeof *spikes, &spikes, err));
  EMG_TRY_DONE(collect(&e, rate_hz, spikes, &n, err));
  qsort(spikes, (size_t)n, sizeof *spikes, compare_spikes);
  status = make_trains(spikes, n, rate_hz, n_samples, out, err);
done:
  free(spikes);
  emg_tsv_free(&e.tsv);
  if (status != EMG_OK) {
    emg_spikes_free(out);
  }
  return status;
}

// --- derivatives of a recording ---

// The one events file with units in `folder` that belongs to the recording; the number there are.
static int find_events(const char *folder, const char *recording, char found[PATH_MAX]) {
  DIR *entries = opendir(folder);
  struct dirent *entry;
  const char *cut = strrchr(recording, '_');
  int n = 0, n_looked_at = 0;

  while (entries && (entry = readdir(entries)) && n_looked_at++ < FILES_MAX) {
    const char *end = strstr(entry->d_name, "_events.tsv");
    char path[PATH_MAX];
    if (end && end[strlen("_events.tsv")] == '\0' && entry->d_name[0] != '.') {
      char name[NAME_MAX + 1];
      events e = {0};
      // the entities of the recording are among those of the derivative
      snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
      if (emg_bids_applies(recording, (size_t)(cut - recording), name, NULL) &&
          emg_path_join(path, folder, entry->d_name) && open_events(path, &e, NULL) == EMG_OK) {
        memcpy(found, path, sizeof path);
        n++;
      }
      emg_tsv_free(&e.tsv);
    }
  }
  if (entries) {
    closedir(entries);
  }
  return n;
}

emg_status emg_bids_labels(const char *path, emg_recording *out, emg_error *err) {
  char root[PATH_MAX], pipelines[PATH_MAX], events_path[PATH_MAX], above[PATH_MAX];
  char relative[PATH_MAX], resolved_root[PATH_MAX];
  DIR *entries;
  struct dirent *entry;
  int n = 0, n_looked_at = 0;

  emg_path_folder(path, relative);
  if (!strrchr(emg_path_name(path), '_') || !emg_bids_root(path, root) ||
      !realpath(root, resolved_root) || !realpath(relative, above) ||
      strncmp(above, resolved_root, strlen(resolved_root)) != 0 ||
      !emg_path_join(pipelines, root, "derivatives") || !(entries = opendir(pipelines))) {
    return EMG_OK;
  }
  const char *below = above + strlen(resolved_root);
  while ((entry = readdir(entries)) && n_looked_at++ < FOLDERS_MAX) {
    char pipeline[PATH_MAX], folder[PATH_MAX];
    if (entry->d_name[0] != '.' && emg_path_join(pipeline, pipelines, entry->d_name) &&
        emg_path_join(folder, pipeline, below)) {
      n += find_events(folder, emg_path_name(path), events_path);
    }
  }
  closedir(entries);
  if (n > 1) {
    emg_recording_note(out, "%d derivatives hold spike trains of this recording; none was taken",
                       n);
  }
  return n == 1 ? read_events(events_path, out->rate_hz, out->data.n_cols, &out->labels, err)
                : EMG_OK;
}

// --- the events file alone ---

// The recording that an events file in derivatives/PIPELINE/... belongs to.
static bool find_recording(const char *path, char recording[PATH_MAX]) {
  char folder[PATH_MAX], resolved[PATH_MAX], raw[PATH_MAX], name[NAME_MAX + 1];
  static const char marker[] = "/derivatives/";
  bool is_found = false;

  emg_path_folder(path, folder);
  if (!realpath(folder, resolved)) {
    return false;
  }
  char *derivatives = strstr(resolved, marker);
  const char *below = derivatives ? strchr(derivatives + strlen(marker), '/') : NULL;
  if (below) {
    int length =
        snprintf(raw, sizeof raw, "%.*s%s", (int)(derivatives - resolved), resolved, below);
    if (length >= (int)sizeof raw) {
      return false;
    }
  } else {
    memcpy(raw, resolved, sizeof raw);
  }

  const char *end = strrchr(emg_path_name(path), '_');
  snprintf(name, sizeof name, "%.*s", end ? (int)(end - emg_path_name(path)) : 0,
           emg_path_name(path));
  DIR *entries = opendir(raw);
  struct dirent *entry;
  int n_looked_at = 0;
  while (entries && !is_found && (entry = readdir(entries)) && n_looked_at++ < FILES_MAX) {
    const char *cut = strrchr(entry->d_name, '_');
    is_found = emg_bids_is_recording(entry->d_name) &&
               emg_bids_applies(entry->d_name, (size_t)(cut - entry->d_name), name, NULL) &&
               emg_path_join(recording, raw, entry->d_name);
  }
  if (entries) {
    closedir(entries);
  }
  return is_found;
}

bool emg_bids_events_probe(const emg_probe *probe) {
  size_t length = strcspn((const char *)probe->bytes, "\r\n");

  if (probe->is_folder || probe->n_bytes < 8 || !memchr(probe->bytes, '\t', length)) {
    return false;
  }
  const char *line = (const char *)probe->bytes;
  const char *unit = strstr(line, "unit_id"), *onset = strstr(line, "onset");
  const char *sample = strstr(line, "sample");
  return unit && unit < line + length &&
         ((onset && onset < line + length) || (sample && sample < line + length));
}

emg_status emg_bids_events_read(const char *path, const emg_read_options *options,
                                emg_recording *out, emg_error *err) {
  char recording[PATH_MAX];
  double rate_hz = 0;
  int64_t n_samples = 0;

  *out = (emg_recording){.pitch_mm = NAN};
  if (find_recording(path, recording) &&
      emg_edf_length(recording, &rate_hz, &n_samples, NULL) == EMG_OK) {
    double stated = emg_bids_number(recording, "SamplingFrequency");
    rate_hz = stated > 0 && fabs(stated - rate_hz) < 1e-3 * stated ? stated : rate_hz;
  } else if (options) {
    rate_hz = options->rate_hz;
  }
  snprintf(out->format, sizeof out->format, "BIDS events");
  EMG_TRY(read_events(path, rate_hz, n_samples, &out->labels, err));
  out->rate_hz = out->labels.rate_hz;
  return EMG_OK;
}
