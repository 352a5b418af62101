// cmd_inspect.c -- emgtwin inspect: what is in a file, in a screenful
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/contents.h"
#include "cli/network.h"

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// least, median and largest of n values, sorted in place
typedef struct {
  double least, median, most;
} spread;

static spread spread_of(double *values, int n) {
  if (n == 0) {
    return (spread){NAN, NAN, NAN};
  }
  qsort(values, (size_t)n, sizeof *values, compare_doubles);
  return (spread){values[0], 0.5 * (values[(n - 1) / 2] + values[n / 2]), values[n - 1]};
}

// One grid or muscle: the channels that share a group name.
typedef struct {
  const char *name;
  int n_channels, n_rows, n_columns;
  spread rms_uv;
} group_facts;

static group_facts describe_group(const emg_recording *rec, const double *rms_uv, int first,
                                  double *scratch) {
  group_facts group = {.name = rec->channels[first].group};
  int n_good = 0;

  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *channel = &rec->channels[c];
    if (strcmp(channel->group, group.name) != 0) {
      continue;
    }
    group.n_channels++;
    group.n_rows = channel->row >= group.n_rows ? channel->row + 1 : group.n_rows;
    group.n_columns = channel->column >= group.n_columns ? channel->column + 1 : group.n_columns;
    if (channel->state == EMG_CHANNEL_GOOD) {
      scratch[n_good++] = rms_uv[c];
    }
  }
  group.rms_uv = spread_of(scratch, n_good);
  return group;
}

static bool is_first_of_group(const emg_recording *rec, int channel) {
  for (int c = 0; c < channel; c++) {
    if (strcmp(rec->channels[c].group, rec->channels[channel].group) == 0) {
      return false;
    }
  }
  return true;
}

// root mean square about the mean of every channel
static void measure_rms(const emg_recording *rec, double *rms_uv) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    const float *row = emg_row2f(&rec->data, c);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      sum += row[i];
    }
    double mean = rec->data.n_cols > 0 ? sum / (double)rec->data.n_cols : 0;
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      squares += (row[i] - mean) * (row[i] - mean);
    }
    rms_uv[c] = rec->data.n_cols > 0 ? sqrt(squares / (double)rec->data.n_cols) : 0;
  }
}

static void print_states(const emg_recording *rec) {
  enum { SHOWN = 12 };
  int n_bad = 0;

  for (int c = 0; c < rec->data.n_rows; c++) {
    n_bad += rec->channels[c].state != EMG_CHANNEL_GOOD;
  }
  if (n_bad == 0) {
    return;
  }
  printf("faulty      %d of %d channels:", n_bad, rec->data.n_rows);
  for (int c = 0, shown = 0; c < rec->data.n_rows && shown < SHOWN; c++) {
    if (rec->channels[c].state != EMG_CHANNEL_GOOD) {
      printf("%s %s %s", shown ? "," : "", rec->channels[c].name,
             emg_channel_state_name(rec->channels[c].state));
      shown++;
    }
  }
  puts(n_bad > SHOWN ? ", ..." : "");
}

static void print_groups(const emg_recording *rec, const double *rms_uv, double *scratch) {
  const char *unit = rec->is_physical ? "uV" : "counts";

  for (int c = 0; c < rec->data.n_rows; c++) {
    if (!is_first_of_group(rec, c)) {
      continue;
    }
    group_facts group = describe_group(rec, rms_uv, c, scratch);
    printf("grid        %s%s%d channels", group.name, group.name[0] ? ": " : "", group.n_channels);
    if (group.n_rows > 0 && group.n_columns > 0) {
      printf(", %d x %d", group.n_rows, group.n_columns);
      if (isfinite(rec->pitch_mm)) {
        printf(", %g mm apart", rec->pitch_mm);
      }
    } else {
      printf(", no places in a grid");
    }
    if (isfinite(group.rms_uv.median)) {
      printf("; RMS %.4g %s (%.4g to %.4g)", group.rms_uv.median, unit, group.rms_uv.least,
             group.rms_uv.most);
    }
    putchar('\n');
  }
}

static void print_aux(const emg_recording *rec) {
  for (int a = 0; a < rec->aux.n_rows; a++) {
    const float *row = emg_row2f(&rec->aux, a);
    float least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < rec->aux.n_cols; i++) {
      least = row[i] < least ? row[i] : least;
      most = row[i] > most ? row[i] : most;
    }
    printf("auxiliary   %s", rec->aux_channels[a].name);
    if (rec->aux.n_cols > 0) {
      printf(", %.4g to %.4g %s", (double)least, (double)most, rec->aux_channels[a].units);
    }
    putchar('\n');
  }
}

static void print_recording(const emg_recording *rec, const double *rms_uv, double *scratch) {
  int64_t n_samples = rec->data.n_rows > 0 ? rec->data.n_cols : rec->aux.n_cols;

  printf("format      %s\n", rec->format);
  printf("recording   %d EMG channels, %lld samples", rec->data.n_rows, (long long)n_samples);
  if (rec->rate_hz > 0) {
    printf(", %.6g s at %.10g Hz", (double)n_samples / rec->rate_hz, rec->rate_hz);
  } else {
    printf(", sampling rate not stated");
  }
  putchar('\n');
  if (rec->data.n_rows > 0) {
    if (rec->is_physical) {
      printf("units       uV, stated as %s\n", rec->source_units[0] ? rec->source_units : "uV");
    } else {
      puts("units       raw counts: the file states no scale; --scale gives it");
    }
    print_groups(rec, rms_uv, scratch);
    print_states(rec);
  }
  print_aux(rec);
}

static int n_active_units(const emg_spikes *spikes) {
  int n = 0;

  for (int u = 0; u < spikes->n_units; u++) {
    n += emg_spikes_count(spikes, u) > 0;
  }
  return n;
}

static void print_spikes(const char *title, const emg_spikes *spikes) {
  double *rates;
  int n = 0;

  if (emg_alloc((size_t)spikes->n_units + 1, sizeof *rates, &rates, NULL) != EMG_OK) {
    return;
  }
  for (int u = 0; u < spikes->n_units; u++) {
    double rate_hz = emg_spikes_stats(spikes, u).rate_hz;
    if (rate_hz > 0) {
      rates[n++] = rate_hz;
    }
  }
  spread rate = spread_of(rates, n);
  printf("%-11s %d units, %d active, %lld discharges", title, spikes->n_units,
         n_active_units(spikes), spikes->offsets ? (long long)spikes->offsets[spikes->n_units] : 0);
  if (n > 0) {
    printf("; %.1f Hz (%.1f to %.1f)", rate.median, rate.least, rate.most);
  }
  putchar('\n');
  free(rates);
}

static void print_edits(const emg_decomposition *d) {
  const emg_edit_log *log = &d->edits;
  int n_units = 0;

  for (int u = 0; d->flags && u < d->spikes.n_units; u++) {
    n_units += (d->flags[u] & EMG_UNIT_EDITED) != 0;
  }
  if (log->n_steps > 0) {
    printf(
        "edited      %d operations by hand (%d undone), %d units changed; 'emgtwin edit --log' "
        "lists them\n",
        log->n_done, log->n_steps - log->n_done, n_units);
  }
}

static void print_provenance(const cli_contents *contents) {
  static const char *const names[] = {"version", "command", "seed", "input_sha256", "cpu", "blas"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *text = cli_contents_provenance(contents, names[i]);
    if (text) {
      printf("%-11s %.120s\n", strcmp(names[i], "input_sha256") == 0 ? "input" : names[i], text);
    }
  }
}

static void print_digests(const cli_contents *contents) {
  for (int i = 0; i < contents->n_digests; i++) {
    printf("%s  %s\n", contents->digests[i].sha256, contents->digests[i].path);
  }
}

static void print_contents(const cli_contents *contents, const double *rms_uv, double *scratch) {
  const emg_recording *rec = &contents->recording;

  if (contents->has_recording) {
    print_recording(rec, rms_uv, scratch);
    // of a native file they are the truth or the units, which follow
    if (!contents->has_truth && !contents->has_decomposition && rec->labels.n_units > 0) {
      print_spikes("labels", &rec->labels);
    }
  }
  if (contents->has_truth) {
    print_spikes("truth", &contents->truth.spikes);
    if (contents->truth.muaps.n_units > 0) {
      printf(
          "            action potentials %d units x %d channels x %d taps, %d parameters per "
          "unit\n",
          contents->truth.muaps.n_units, contents->truth.muaps.n_channels,
          contents->truth.muaps.n_taps, contents->truth.units.n_columns);
    }
  }
  if (contents->has_decomposition) {
    print_spikes("found", &contents->decomposition.spikes);
    print_edits(&contents->decomposition);
  }
  if (contents->has_labels) {
    print_spikes("labels", &contents->labels);
  }
  for (int i = 0; contents->has_recording && i < rec->n_notes; i++) {
    printf("note        %s\n", rec->notes[i]);
  }
  print_provenance(contents);
  print_digests(contents);
}

// --- JSON ---

static void write_spikes(emg_json *json, const char *key, const emg_spikes *spikes) {
  emg_json_object(json, key);
  emg_json_integer(json, "units", spikes->n_units);
  emg_json_integer(json, "active_units", n_active_units(spikes));
  emg_json_integer(json, "discharges", spikes->offsets ? spikes->offsets[spikes->n_units] : 0);
  emg_json_array(json, "rate_hz");
  for (int u = 0; u < spikes->n_units; u++) {
    emg_json_number(json, NULL, emg_spikes_stats(spikes, u).rate_hz);
  }
  emg_json_end(json);
  emg_json_end(json);
}

static void write_edits(emg_json *json, const emg_edit_log *log) {
  emg_json_object(json, "edits");
  emg_json_integer(json, "done", log->n_done);
  emg_json_integer(json, "undone", log->n_steps - log->n_done);
  emg_json_end(json);
}

static void write_channel(emg_json *json, const emg_channel *channel, double rms_uv) {
  emg_json_object(json, NULL);
  emg_json_text(json, "name", channel->name);
  emg_json_text(json, "group", channel->group);
  emg_json_integer(json, "row", channel->row);
  emg_json_integer(json, "column", channel->column);
  emg_json_number(json, "x_mm", channel->x_mm);
  emg_json_number(json, "y_mm", channel->y_mm);
  emg_json_number(json, "z_mm", channel->z_mm);
  emg_json_text(json, "state", emg_channel_state_name(channel->state));
  emg_json_number(json, "rms", rms_uv);
  emg_json_end(json);
}

static void write_recording(emg_json *json, const emg_recording *rec, const double *rms_uv) {
  int64_t n_samples = rec->data.n_rows > 0 ? rec->data.n_cols : rec->aux.n_cols;

  emg_json_object(json, "recording");
  emg_json_text(json, "format", rec->format);
  emg_json_integer(json, "n_channels", rec->data.n_rows);
  emg_json_integer(json, "n_samples", n_samples);
  emg_json_number(json, "sampling_rate_hz", rec->rate_hz > 0 ? rec->rate_hz : NAN);
  emg_json_number(json, "duration_s", rec->rate_hz > 0 ? (double)n_samples / rec->rate_hz : NAN);
  emg_json_text(json, "units", rec->is_physical ? "uV" : "counts");
  emg_json_text(json, "source_units", rec->source_units);
  emg_json_number(json, "pitch_mm", rec->pitch_mm);
  emg_json_array(json, "channels");
  for (int c = 0; c < rec->data.n_rows; c++) {
    write_channel(json, &rec->channels[c], rms_uv[c]);
  }
  emg_json_end(json);
  emg_json_array(json, "auxiliary");
  for (int a = 0; a < rec->aux.n_rows; a++) {
    emg_json_object(json, NULL);
    emg_json_text(json, "name", rec->aux_channels[a].name);
    emg_json_text(json, "units", rec->aux_channels[a].units);
    emg_json_end(json);
  }
  emg_json_end(json);
  emg_json_array(json, "notes");
  for (int i = 0; i < rec->n_notes; i++) {
    emg_json_text(json, NULL, rec->notes[i]);
  }
  emg_json_end(json);
  if (rec->labels.n_units > 0) {
    write_spikes(json, "labels", &rec->labels);
  }
  emg_json_end(json);
}

static void write_provenance(emg_json *json, const cli_contents *contents) {
  emg_json_object(json, "provenance");
  for (int i = 0; i < contents->n_provenance; i++) {
    emg_json_text(json, contents->provenance[i].name, contents->provenance[i].text);
  }
  emg_json_end(json);
}

static emg_status print_json(const cli_contents *contents, const char *path, const double *rms_uv,
                             emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "file", path);
  if (contents->has_recording) {
    write_recording(&json, &contents->recording, rms_uv);
  }
  if (contents->has_truth) {
    write_spikes(&json, "truth", &contents->truth.spikes);
  }
  if (contents->has_decomposition) {
    write_spikes(&json, "found", &contents->decomposition.spikes);
    write_edits(&json, &contents->decomposition.edits);
  }
  if (contents->has_labels) {
    write_spikes(&json, "labels", &contents->labels);
  }
  if (contents->n_provenance > 0) {
    write_provenance(&json, contents);
  }
  if (contents->n_digests > 0) {
    emg_json_object(&json, "sha256");
    for (int i = 0; i < contents->n_digests; i++) {
      emg_json_text(&json, contents->digests[i].path, contents->digests[i].sha256);
    }
    emg_json_end(&json);
  }
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status run_inspect(const cli_args *args, emg_error *err) {
  const char *path = args->positionals[0];
  static cli_contents contents;
  double *rms_uv = NULL;
  emg_status status;

  if (cli_is_network(path)) {
    return cli_network_inspect(args, err);
  }
  EMG_TRY(cli_contents_read(args, path, CLI_NEEDS_NOTHING, &contents, err));
  if (cli_flag(args, "hash")) {
    EMG_TRY_DONE(cli_contents_digest(path, &contents, err));
  }
  int n_channels = contents.recording.data.n_rows;
  EMG_TRY_DONE(emg_alloc(2 * (size_t)n_channels + 1, sizeof *rms_uv, &rms_uv, err));
  measure_rms(&contents.recording, rms_uv);
  if (args->is_json) {
    status = print_json(&contents, path, rms_uv, err);
  } else {
    print_contents(&contents, rms_uv, rms_uv + n_channels);
  }

done:
  free(rms_uv);
  cli_contents_free(&contents);
  return status;
}

static const cli_row positionals[] = {{"FILE",
                                       "native HDF5, EDF, BDF, MATLAB 5, OTB+, OTB4, EMG-BIDS "
                                       "folder, a table of labels, or a network"},
                                      {NULL, NULL}};
static const cli_option options[] = {
    {0, "hash", NULL,
     "SHA-256 of every dataset of an HDF5 file, which names and times do not alter", false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin inspect quick.h5", "Channels, rate, units, grid, truth and provenance"},
    {"emgtwin inspect quick.h5 --hash", "Are two files the same but for their names?"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"file", "its name"},
    {"recording.format, .n_channels, .n_samples, .sampling_rate_hz, .duration_s, .units, "
     ".source_units, .pitch_mm",
     "the recording, if there is one; units of the samples (uV, or counts where no scale is "
     "stated) and of the file"},
    {"recording.channels[].name, .group, .row, .column, .x_mm, .y_mm, .z_mm, .state, .rms",
     "each EMG channel; row and column -1 and positions null if unknown"},
    {"recording.auxiliary[].name, .units", "channels that are not EMG"},
    {"recording.notes[]", "what a user should know: repaired, missing, replaced"},
    {"recording.labels, truth, found, labels",
     "spike trains, as .units, .active_units, .discharges, "
     ".rate_hz[]"},
    {"edits.done, .undone", "operations by hand on the spike trains found, and those taken back"},
    {"provenance", "how a native file came to be, name to text"},
    {"sha256", "with --hash: dataset to SHA-256"},
    {NULL, NULL},
};

const cli_command cli_inspect_command = {
    .name = "inspect",
    .doc = "shows what is in a file",
    .usage = "FILE [--hash] [--rate RATE] [--scale SCALE] [--map FILE]",
    .about =
        "Format, channels, rate, units, duration, grid, level, faulty channels, labels and "
        "provenance. The format is told from the content. What a file does not say is not "
        "guessed: a note names the option that says it.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_inspect,
};
