// cmd_convert.c -- emgtwin convert: recordings and decompositions in the formats of other programs
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/contents.h"
#include "cli/network.h"

// --- the list of formats ---

static void list_traits(unsigned traits, char *text, size_t size) {
  static const struct {
    unsigned trait;
    const char *what;
  } names[] = {{EMG_KEEPS_EMG, "EMG"},
               {EMG_KEEPS_UNITS, "discharges"},
               {EMG_KEEPS_AUX, "force"},
               {EMG_KEEPS_GRID, "grid"},
               {EMG_KEEPS_POSITIONS, "positions"},
               {EMG_KEEPS_NAMES, "names"},
               {EMG_KEEPS_STATES, "bad channels"},
               {EMG_KEEPS_SOURCES, "sources"},
               {EMG_KEEPS_SIL, "SIL"},
               {EMG_KEEPS_PNR, "PNR"}};
  size_t used = 0;

  text[0] = '\0';
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (traits & names[i].trait) {
      used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", names[i].what);
    }
  }
}

static emg_status list_writers(const cli_args *args, emg_error *err) {
  int n;
  const emg_writer *writers = emg_writers(&n);
  emg_json json = {0};
  char holds[160];

  if (!args->is_json) {
    for (int i = 0; i < n; i++) {
      bool is_all = writers[i].traits & EMG_KEEPS_ALL;
      list_traits(writers[i].traits, holds, sizeof holds);
      printf("%-15s %-13s %s\n%-29s holds %s\n", writers[i].name,
             strcmp(writers[i].suffix, "/") == 0 ? "a folder" : writers[i].suffix, writers[i].doc,
             "", is_all ? "everything" : holds);
    }
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_array(&json, "formats");
  for (int i = 0; i < n; i++) {
    list_traits(writers[i].traits, holds, sizeof holds);
    emg_json_object(&json, NULL);
    emg_json_text(&json, "name", writers[i].name);
    emg_json_text(&json, "suffix", writers[i].suffix);
    emg_json_text(&json, "doc", writers[i].doc);
    emg_json_text(&json, "holds", writers[i].traits & EMG_KEEPS_ALL ? "everything" : holds);
    emg_json_bool(&json, "needs_emg", writers[i].traits & EMG_NEEDS_EMG);
    emg_json_bool(&json, "needs_units", writers[i].traits & EMG_NEEDS_UNITS);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// --- one conversion ---

static bool on_progress(const char *stage, int64_t done, int64_t total, void *user) {
  (void)stage;
  (void)done;
  (void)total;
  (void)user;
  return cli_was_interrupted();
}

// Parts of a native file that the conversion is about; what others wrote comes as a recording with
// labels, or as labels alone.
static void fill_contents(cli_contents *in, emg_recording *emg, emg_file_contents *out) {
  const emg_recording *own = in->has_recording ? &in->recording : NULL;

  out->recording = own && own->data.n_rows > 0 ? own : emg->data.n_rows > 0 ? emg : own;
  out->truth = in->has_truth ? &in->truth : NULL;
  out->decomposition = in->has_decomposition ? &in->decomposition : NULL;
}

// Units of a foreign file, for a recording that comes from another one.
static emg_status take_labels(cli_contents *in, emg_recording *emg, emg_error *err) {
  emg_spikes *labels = in->has_labels ? &in->labels : &in->recording.labels;

  if (in->has_truth || in->has_decomposition || emg->data.n_rows == 0 || labels->n_units == 0) {
    return EMG_OK;
  }
  emg_spikes_free(&emg->labels);
  return emg_spikes_copy(labels, &emg->labels, err);
}

// The recording that units alone belong to.
static emg_status load_emg(const cli_args *args, cli_contents *in, emg_recording *emg,
                           emg_error *err) {
  const char *path = cli_value(args, "emg");

  if (!path) {
    return EMG_OK;
  }
  if (in->has_recording && in->recording.data.n_rows > 0) {
    return emg_fail_at(err, EMG_ERR_ARG, path, 0, 0,
                       "%s holds a recording of its own; leave --emg out", args->positionals[0]);
  }
  EMG_TRY(cli_load_recording(args, path, CLI_NEEDS_EMG, emg, err));
  return take_labels(in, emg, err);
}

static void print_result(const cli_args *args, const char *path, const emg_conversion *done) {
  printf("%s: %s", path, done->format);
  if (done->n_channels > 0) {
    printf(", %d channels of %lld samples", done->n_channels, (long long)done->n_samples);
  }
  if (done->n_units > 0 || done->n_channels == 0) {
    printf(", %d units with %lld discharges", done->n_units, (long long)done->n_discharges);
  }
  putchar('\n');
  for (int i = 0; i < done->n_notes; i++) {
    cli_say(args, "note: %s", done->notes[i]);
  }
}

static emg_status print_result_json(const char *path, const emg_conversion *done, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_text(&json, "format", done->format);
  emg_json_integer(&json, "channels", done->n_channels);
  emg_json_integer(&json, "samples", done->n_samples);
  emg_json_integer(&json, "units", done->n_units);
  emg_json_integer(&json, "discharges", done->n_discharges);
  emg_json_number(&json, "step_uv", done->step_uv);
  emg_json_array(&json, "notes");
  for (int i = 0; i < done->n_notes; i++) {
    emg_json_text(&json, NULL, done->notes[i]);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// How the input came to be goes on; the command is this one.
static emg_status convert(const cli_args *args, const char *path, const emg_writer *writer,
                          const cli_contents *in, emg_file_contents *contents, emg_conversion *done,
                          emg_error *err) {
  const emg_monitor monitor = {.progress = on_progress};
  const emg_convert_options options = {.overwrite = args->is_forced,
                                       .prefer_truth = cli_flag(args, "truth"),
                                       .code_url = cli_value(args, "code-url"),
                                       .monitor = &monitor};
  const char *seed = cli_contents_provenance(in, "seed");
  char sha256[65];
  const emg_provenance provenance = {.config_yaml = cli_contents_provenance(in, "config_yaml"),
                                     .command = args->command_line,
                                     .seed = seed ? strtoull(seed, NULL, 10) : 0,
                                     .input_sha256 = sha256};

  EMG_TRY(emg_file_sha256(args->positionals[0], sha256, err));
  contents->provenance = &provenance;
  contents->compress = true;
  contents->n_threads = emg_get_threads();
  cli_defer_signals(true);
  emg_status status = emg_convert(path, writer, contents, &options, done, err);
  cli_defer_signals(false);
  return status;
}

static emg_status run_convert(const cli_args *args, emg_error *err) {
  const char *path = args->n_positionals > 1 ? args->positionals[1] : NULL;
  static cli_contents in;
  static emg_conversion done;
  emg_recording emg = {0};
  emg_file_contents contents = {0};
  const emg_writer *writer;
  emg_status status;

  if (cli_flag(args, "list")) {
    return list_writers(args, err);
  }
  if (!path) {
    return emg_fail(err, EMG_ERR_ARG,
                    "convert needs IN and OUT; 'emgtwin convert --list' shows the "
                    "formats");
  }
  if (cli_is_network(args->positionals[0])) {
    return cli_network_convert(args, err);
  }
  EMG_TRY(emg_writer_find(cli_value(args, "to"), path, &writer, err));
  status = emg_convert_check(path, writer, args->is_forced, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    return status;
  }
  EMG_TRY(cli_contents_read(args, args->positionals[0], CLI_NEEDS_RATE, &in, err));
  EMG_TRY_DONE(load_emg(args, &in, &emg, err));
  if (in.has_labels && emg.data.n_rows == 0) {  // labels alone, as a recording that has no EMG
    emg.labels = in.labels;
    in.labels = (emg_spikes){0};
    in.has_labels = false;
  }
  fill_contents(&in, &emg, &contents);
  contents.recording = contents.recording ? contents.recording : &emg;
  for (int i = 0; i < contents.recording->n_notes; i++) {
    cli_say(args, "%s: %s", args->positionals[0], contents.recording->notes[i]);
  }
  status = convert(args, path, writer, &in, &contents, &done, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  } else if (args->is_json) {
    status = print_result_json(path, &done, err);
  } else {
    print_result(args, path, &done);
  }
done:
  emg_recording_free(&emg);
  cli_contents_free(&in);
  return status;
}

static const cli_row positionals[] = {
    {"IN", "a recording, a decomposition or both, in any format that is read"},
    {"OUT", "file or folder to write; its ending tells the format, or --to"},
    {NULL, NULL}};
static const cli_option options[] = {
    {0, "to", "FORMAT",
     "native, openhdemg, openhdemg-json, demuse, muedit, muniverse, bids, edf, bdf or csv; "
     "onnx for a network",
     false},
    {0, "emg", "REC", "the recording that the units in IN belong to, if it is not in IN", false},
    {0, "truth", NULL, "write the true units of a simulated recording, not the found ones", false},
    {0, "code-url", "URL", "where the code of the decomposition is, for the run log", false},
    {0, "list", NULL, "show the formats and what each holds", false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin convert quick.h5 quick.json", "A simulated recording for openhdemg"},
    {"emgtwin convert found.h5 found_decomp.mat --emg quick.h5",
     "A decomposition with its recording, to be edited in MUedit"},
    {"emgtwin convert found.h5 sub-01_task-quick_desc-decomposition_events.tsv",
     "Discharges as MUniverse and MUnitQuest want them, with their run log beside"},
    {"emgtwin convert quick.h5 dataset --to bids", "A data set to share"},
    {"emgtwin convert net.h5 net.onnx", "A network for ONNX Runtime"},
    {"emgtwin convert contraction.json contraction.h5", "A file of openhdemg"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, format, channels, samples, units, discharges", "what was written"},
    {"step_uv", "largest step of rounded samples in uV, 0 if they are not rounded"},
    {"notes[]", "what the format does not hold, and what a user should know"},
    {"formats[].name, .suffix, .doc, .holds, .needs_emg, .needs_units", "with --list"},
    {NULL, NULL},
};

const cli_command cli_convert_command = {
    .name = "convert",
    .doc = "writes a recording or decomposition in another format",
    .usage = "IN OUT [--to FORMAT] [--emg REC] [--truth] | --list",
    .about =
        "Discharges are exact in every format, and units that never discharge are left out. What a "
        "format cannot hold is named on stderr, and how samples were rounded. Without --truth the "
        "units of a file that has both are the found ones.",
    .positionals = positionals,
    .min_positionals = 0,
    .max_positionals = 2,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_convert,
};
