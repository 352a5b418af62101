// cmd_invert.c -- emgtwin invert: recording to spike trains and parameters of motor units
#include "cli/commands.h"

// what the table shows, the same as the names of the file
static const struct {
  emg_inversion_parameter parameter;
  const char *title;
  int decimals;
} columns[] = {
    {EMG_INVERSION_DEPTH, "depth/mm", 2},
    {EMG_INVERSION_ANGLE, "angle/deg", 2},
    {EMG_INVERSION_ZONE, "zone/mm", 2},
    {EMG_INVERSION_CV, "velocity/(m/s)", 3},
    {EMG_INVERSION_HALF_LENGTH_1, "half length 1/mm", 1},
    {EMG_INVERSION_HALF_LENGTH_2, "half length 2/mm", 1},
    {EMG_INVERSION_TERRITORY, "territory/mm", 2},
    {EMG_INVERSION_FIBRE_COUNT, "fibres", 0},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0], WIDTH = 17 };

static void print_units(const emg_decomposition *found, const emg_inversion *inversion) {
  if (found->spikes.n_units == 0) {
    puts("no unit found");
    return;
  }
  printf("unit  spikes  rate/Hz    SIL  cosine");
  for (int i = 0; i < N_COLUMNS; i++) {
    printf("%*s", WIDTH, columns[i].title);
  }
  puts("  look at it because it");
  for (int u = 0; u < inversion->n_units; u++) {
    const emg_inverted_unit *unit = &inversion->units[u];
    printf("%4d  %6lld  %7.2f  %5.3f  %6.3f", u, (long long)emg_spikes_count(&found->spikes, u),
           found->rate_hz[u], found->sil[u], unit->cosine);
    for (int i = 0; i < N_COLUMNS; i++) {
      char text[48];
      int decimals = columns[i].decimals, p = (int)columns[i].parameter;
      snprintf(text, sizeof text, "%.*f+-%.*f", decimals, unit->value[p], decimals, unit->sd[p]);
      printf("%*s", WIDTH, text);
    }
    cli_print_flags(found->flags[u]);
  }
}

static void add_unit(emg_json *json, int u, const emg_decomposition *found,
                     const emg_inverted_unit *unit) {
  emg_json_object(json, NULL);
  emg_json_integer(json, "unit", u);
  emg_json_integer(json, "spikes", emg_spikes_count(&found->spikes, u));
  emg_json_number(json, "rate_hz", found->rate_hz[u]);
  emg_json_number(json, "isi_cov", found->isi_cov[u]);
  emg_json_number(json, "sil", found->sil[u]);
  emg_json_number(json, "model_cosine", unit->cosine);
  cli_add_flags(json, found->flags[u]);
  for (int p = 0; p < EMG_INVERSION_PARAMETERS; p++) {
    char name[64];
    snprintf(name, sizeof name, "%s_sd", emg_inversion_name((emg_inversion_parameter)p));
    emg_json_number(json, emg_inversion_name((emg_inversion_parameter)p), unit->value[p]);
    emg_json_number(json, name, unit->sd[p]);
  }
  emg_json_end(json);
}

static emg_status print_json(const char *path, const emg_decomposition *found,
                             const emg_inversion *inversion, emg_error *err) {
  const emg_table *conductor = &inversion->conductor;
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_integer(&json, "n_units", inversion->n_units);
  emg_json_text(&json, "note", inversion->note);
  emg_json_array(&json, "units");
  for (int u = 0; u < inversion->n_units; u++) {
    add_unit(&json, u, found, &inversion->units[u]);
  }
  emg_json_end(&json);
  emg_json_object(&json, "conductor");
  for (int i = 0; i < conductor->n_columns; i++) {
    emg_json_number(&json, conductor->columns[i].name, conductor->columns[i].values[0]);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// the configuration, then what options of this command say, then --set once more, which has the
// last word
static emg_status load_config(const cli_args *args, emg_config *config, emg_error *err) {
  const double longest_s = 1e7;

  EMG_TRY(cli_load_config(args, cli_value(args, "config"), config, err));
  EMG_TRY(cli_quantity(args, "from", "s", 0, longest_s, &config->decompose.from_s, err));
  EMG_TRY(cli_quantity(args, "to", "s", 0, longest_s, &config->decompose.to_s, err));
  return cli_overlay_config(args, config, err);
}

static emg_status invert(const cli_args *args, const emg_config *config,
                         const emg_recording *recording, emg_decomposition *found,
                         emg_inversion *inversion, emg_error *err) {
  const char *input = args->positionals[0];
  emg_monitor monitor = cli_monitor(args);

  for (int i = 0; i < recording->n_notes; i++) {
    emg_log(&monitor, EMG_LOG_WARNING, input, "%s", recording->notes[i]);
  }
  emg_status status = emg_invert(recording, config, &monitor, found, inversion, err);
  cli_progress_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, input);
  } else if (inversion->note[0]) {
    emg_log(&monitor, EMG_LOG_WARNING, input, "%s", inversion->note);
  }
  return status;
}

// Of the units that are easiest to detect, over the pairs that trade off or place a unit.
static emg_status write_maps(const cli_args *args, const char *path, const emg_config *config,
                             const emg_recording *recording, const emg_decomposition *found,
                             const emg_inversion *inversion, emg_error *err) {
  enum { UNITS = 3, PAIRS = 3 };
  static const emg_unit_parameter pairs[PAIRS][2] = {{EMG_UNIT_DEPTH, EMG_UNIT_ARC},
                                                     {EMG_UNIT_ZONE, EMG_UNIT_CV},
                                                     {EMG_UNIT_DEPTH, EMG_UNIT_ZONE}};
  static emg_cost_map maps[UNITS * PAIRS];
  emg_monitor monitor = cli_monitor(args);
  int units[UNITS], n = 0;

  for (int u = 0; u < inversion->n_units; u++) {
    int place = n < UNITS ? n++ : UNITS;
    for (; place > 0 && found->detectability[units[place - 1]] < found->detectability[u]; place--) {
      if (place < UNITS) {
        units[place] = units[place - 1];
      }
    }
    if (place < UNITS) {
      units[place] = u;
    }
  }
  emg_status status =
      emg_cost_maps(recording, config, inversion, n, units, PAIRS, pairs, &monitor, maps, err);
  cli_progress_end();
  return status == EMG_OK ? emg_cost_maps_write(path, n * PAIRS, maps, args->is_forced, err)
                          : status;
}

static emg_status run_invert(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output"), *maps = cli_value(args, "cost-maps");
  static emg_config config;
  emg_recording recording = {0};
  emg_decomposition found = {0};
  emg_inversion inversion = {0};
  emg_status status;

  EMG_TRY(load_config(args, &config, err));
  EMG_TRY(cli_check_output(args, path, err));
  if (maps) {
    EMG_TRY(cli_check_output(args, maps, err));
  }
  EMG_TRY_DONE(cli_load_recording(args, args->positionals[0], CLI_NEEDS_EMG, &recording, err));
  EMG_TRY_DONE(invert(args, &config, &recording, &found, &inversion, err));
  emg_file_contents contents = {.decomposition = &found, .inversion = &inversion};
  EMG_TRY_DONE(cli_write_file(args, path, &config, &contents, err));
  if (maps) {
    EMG_TRY_DONE(write_maps(args, maps, &config, &recording, &found, &inversion, err));
  }
  if (args->is_json) {
    status = print_json(path, &found, &inversion, err);
  } else {
    print_units(&found, &inversion);
  }

done:
  emg_inversion_free(&inversion);
  emg_decomposition_free(&found);
  emg_recording_free(&recording);
  return status;
}

static const cli_row positionals[] = {
    {"IN", "a recording: native HDF5, EDF, BDF, MATLAB 5, OTB+, OTB4, or an EMG-BIDS folder"},
    {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "OUT.h5", "file to write", true},
    {0, "config", "CONFIG",
     "YAML file, preset or native file: what is known of anatomy and grid, and what is expected of "
     "units",
     true},
    {0, "cost-maps", "FILE.csv",
     "kurtosis of the sources of three units over pairs of their parameters, 41 x 41 points each",
     false},
    {0, "from", "TIME", "start of the part to invert: '10 s' (default: of the recording)", false},
    {0, "to", "TIME", "end of the part to invert (default: of the recording)", false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin invert short.h5 --config bmiss_short -o inverted.h5",
     "A simulated recording, with the anatomy and the grid it was made with"},
    {"emgtwin invert biceps.edf --config arm.yaml --from '60 s' --to '65 s' -o inverted.h5",
     "Five seconds of a recording"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, n_units", "the file and how many units were found"},
    {"note", "why the result should not be trusted as it is; empty if nothing speaks against it"},
    {"units[].unit, .spikes, .rate_hz, .isi_cov, .sil", "figures of each unit"},
    {"units[].model_cosine", "of its action potential and the model, both whitened"},
    {"units[].flags",
     "why to look at it: those of decompose, and at_limit: as far from what is expected as fits "
     "may go"},
    {"units[].<parameter>, .<parameter>_sd",
     "parameters by the names of /parameters, with standard deviations"},
    {"conductor.<parameter>, .<parameter>_sd",
     "what was assumed or estimated of the conductor and the grid"},
    {NULL, NULL},
};

const cli_command cli_invert_command = {
    .name = "invert",
    .doc = "finds spike trains and parameters of motor units by inverting the forward model",
    .usage =
        "IN -o OUT.h5 --config CONFIG [--from TIME] [--to TIME] [--rate RATE] [--map FILE] "
        "[--cost-maps FILE.csv]",
    .about =
        "Decomposition guided by the forward model of the configuration: units spread over "
        "the muscle are tried on the recording, action potentials are shrunk towards fitted "
        "ones, and a unit that no mean unit explains is not reported. Each unit comes with "
        "depth, angle, innervation zone, conduction velocity, half-lengths, territory and "
        "number of fibres, with standard deviations. The channels must be those of the "
        "configuration, in its order. The truth in a simulated file is not looked at. That "
        "no unit is found is an answer, not an error.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_invert,
};
