// cmd_decompose.c -- emgtwin decompose: recording to spike trains
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/long_run.h"
#include "cli/network.h"
#include "cli/online.h"

static void print_units(const emg_decomposition *found) {
  if (found->spikes.n_units == 0) {
    puts("no unit found");
    return;
  }
  puts("unit  spikes  rate/Hz  ISI CoV    SIL  PNR/dB  detectability  look at it because it");
  for (int u = 0; u < found->spikes.n_units; u++) {
    printf("%4d  %6lld  %7.2f  %7.3f  %5.3f  %6.1f", u,
           (long long)emg_spikes_count(&found->spikes, u), found->rate_hz[u], found->isi_cov[u],
           found->sil[u], found->pnr_db[u]);
    if (found->detectability) {
      printf("  %13.1f", found->detectability[u]);
    } else {
      printf("  %13s", "-");
    }
    cli_print_flags(found->flags ? found->flags[u] : 0);
  }
}

static bool is_left_out(const emg_decomposition *found, int channel) {
  return found->channels[channel].state != EMG_CHANNEL_GOOD;
}

static void print_left_out(const emg_recording *recording, const emg_decomposition *found) {
  for (int c = 0; c < found->n_channels; c++) {
    if (is_left_out(found, c)) {
      printf("left out: channel %d (%s), %s: %s\n", c + 1, recording->channels[c].name,
             emg_channel_state_name(found->channels[c].state), found->channels[c].why);
    }
  }
}

static void add_left_out(emg_json *json, const emg_recording *recording,
                         const emg_decomposition *found) {
  emg_json_array(json, "channels_left_out");
  for (int c = 0; c < found->n_channels; c++) {
    if (is_left_out(found, c)) {
      emg_json_object(json, NULL);
      emg_json_integer(json, "channel", c);
      emg_json_text(json, "name", recording->channels[c].name);
      emg_json_text(json, "state", emg_channel_state_name(found->channels[c].state));
      emg_json_text(json, "why", found->channels[c].why);
      emg_json_end(json);
    }
  }
  emg_json_end(json);
}

static emg_status print_units_json(const char *path, const char *method,
                                   const emg_recording *recording, const emg_decomposition *found,
                                   emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_text(&json, "method", method);
  emg_json_integer(&json, "n_units", found->spikes.n_units);
  emg_json_array(&json, "units");
  for (int u = 0; u < found->spikes.n_units; u++) {
    emg_json_object(&json, NULL);
    emg_json_integer(&json, "unit", u);
    emg_json_integer(&json, "spikes", emg_spikes_count(&found->spikes, u));
    emg_json_number(&json, "rate_hz", found->rate_hz[u]);
    emg_json_number(&json, "isi_cov", found->isi_cov[u]);
    emg_json_number(&json, "sil", found->sil[u]);
    emg_json_number(&json, "pnr_db", found->pnr_db[u]);
    if (found->detectability) {
      emg_json_number(&json, "detectability", found->detectability[u]);
    }
    cli_add_flags(&json, found->flags ? found->flags[u] : 0);
    if (found->group) {
      emg_json_text(&json, "group", found->group[u]);
    }
    emg_json_end(&json);
  }
  emg_json_end(&json);
  add_left_out(&json, recording, found);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// the method that was asked for, checked before a long read
static emg_status find_method(const cli_args *args, const char **method, emg_error *err) {
  const char *name = cli_value(args, "method") ? cli_value(args, "method") : "ckc";
  int n_methods;
  const emg_decompose_method *methods = emg_decompose_methods(&n_methods);
  char names[128] = "";

  if (strcmp(name, "cnn") == 0) {
    *method = name;
    return cli_network_check(args, err);
  }
  if (cli_flag(args, "model")) {
    return emg_fail(err, EMG_ERR_ARG, "--model is for --method cnn; give both, or neither");
  }

  for (int i = 0; i < n_methods; i++) {
    if (strcmp(methods[i].name, name) == 0) {
      *method = name;
      return EMG_OK;
    }
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", methods[i].name);
  }
  return emg_fail(err, EMG_ERR_ARG, "unknown method %s; the methods are: %s, cnn",
                  emg_quote(name).text, names);
}

// the configuration, then what options of this command say, then --set once more, which has the
// last word
static emg_status load_config(const cli_args *args, emg_config *config, emg_error *err) {
  const char *kind = cli_value(args, "kind");
  const double longest_s = 1e7;

  EMG_TRY(cli_load_config(args, cli_value(args, "config"), config, err));
  if (kind) {
    EMG_TRY(emg_decompose_set_kind(kind, config, err));
  }
  if (cli_flag(args, "quick")) {
    emg_decompose_set_quick(config);
  }
  EMG_TRY(cli_quantity(args, "from", "s", 0, longest_s, &config->decompose.from_s, err));
  EMG_TRY(cli_quantity(args, "to", "s", 0, longest_s, &config->decompose.to_s, err));
  return cli_overlay_config(args, config, err);
}

// a recording that fits in memory
static emg_status decompose_whole(const cli_args *args, const char *method,
                                  const emg_config *config, emg_recording *recording,
                                  emg_decomposition *found, emg_error *err) {
  const char *input = args->positionals[0];
  emg_monitor monitor = cli_monitor(args);
  emg_status status;

  EMG_TRY(cli_load_recording(args, input, CLI_NEEDS_EMG, recording, err));
  for (int i = 0; i < recording->n_notes; i++) {
    emg_log(&monitor, EMG_LOG_WARNING, input, "%s", recording->notes[i]);
  }
  if (cli_flag(args, "filters")) {
    status = cli_online_decompose(args, recording, config, &monitor, found, err);
  } else if (cli_flag(args, "model")) {
    status = cli_network_decompose(args, recording, config, &monitor, found, err);
  } else {
    status = emg_decompose(method, recording, config, &monitor, found, err);
  }
  cli_progress_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, input);
  }
  return status;
}

static emg_status run_decompose(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output"), *method = NULL;
  static emg_config config;
  emg_recording recording = {0};
  emg_decomposition found = {0};
  bool is_long = false;
  emg_status status;

  EMG_TRY(find_method(args, &method, err));
  EMG_TRY(cli_online_check(args, err));
  if (cli_flag(args, "stream")) {
    return cli_online_stream(args, err);
  }
  EMG_TRY(load_config(args, &config, err));
  EMG_TRY(cli_check_output(args, path, err));
  bool is_network = strcmp(method, "cnn") == 0;
  if (cli_flag(args, "filters")) {
    method = "filters";
  } else if (!is_network) {
    EMG_TRY_DONE(
        cli_decompose_long(args, method, &config, path, &is_long, &recording, &found, err));
  }
  if (!is_long) {
    EMG_TRY_DONE(decompose_whole(args, method, &config, &recording, &found, err));
  }
  EMG_TRY_DONE(
      cli_write_file(args, path, &config, &(emg_file_contents){.decomposition = &found}, err));
  cli_remove_checkpoint(path);
  if (args->is_json) {
    status = print_units_json(path, method, &recording, &found, err);
  } else {
    print_units(&found);
    print_left_out(&recording, &found);
  }

done:
  emg_decomposition_free(&found);
  emg_recording_free(&recording);
  return status;
}

static const cli_row positionals[] = {{"IN",
                                       "a recording: native HDF5, EDF, BDF, MATLAB 5, OTB+, OTB4, "
                                       "or an EMG-BIDS folder; - with --stream: "
                                       "standard input"},
                                      {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "OUT.h5", "file to write; needed unless --stream is given", false},
    {0, "method", "NAME",
     "ckc: convolution kernel compensation (default); cbss: convolutive blind source separation of "
     "Negro et al. 2016, for comparison; cnn: a convolutional network, with --model",
     false},
    {0, "model", "NET.h5", "with --method cnn: the network, from 'emgtwin train'", false},
    {0, "config", "CONFIG", "YAML file, preset or native file whose decompose section is used",
     false},
    {0, "kind", "KIND", "surface (default) or intramuscular: band and order of the filter", false},
    {0, "quick", NULL, "one search and one pass of the joint model: the most visible units, soon",
     false},
    {0, "from", "TIME", "start of the part to decompose: '10 s' (default: of the recording)",
     false},
    {0, "to", "TIME", "end of the part to decompose (default: of the recording)", false},
    {0, "filters", "DEC.h5",
     "look for the units of an earlier decomposition of the same electrodes, with its filters",
     false},
    {0, "stream", NULL,
     "with --filters or --model: print each discharge when it is certain, as 'UNIT SAMPLE TIME_S' "
     "or, with "
     "--json, one object a line; samples from standard input are 32-bit little-endian floats in "
     "uV, "
     "all recorded channels of a sample side by side",
     false},
    {0, "adapt", NULL, "with --filters: let them follow action potentials that change over minutes",
     false},
    {0, "resume", NULL,
     "go on from OUT.h5.checkpoint, which an interrupted run of a recording longer than memory "
     "left",
     false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin decompose quick.h5 -o found.h5", "A simulated recording"},
    {"emgtwin decompose forearm.mat --rate '1000 Hz' --map arraymap.mat -o found.h5",
     "A MATLAB file that states neither its rate nor its grid"},
    {"emgtwin decompose long.edf --from '60 s' --to '90 s' -o part.h5",
     "Half a minute of a recording; spikes count from the start of the file"},
    {"emgtwin decompose next.h5 --filters found.h5 -o next_found.h5",
     "The same units in the next recording"},
    {"emgtwin decompose next.h5 --method cnn --model net.h5 -o next_found.h5",
     "The same units with a network"},
    {"amplifier | emgtwin decompose - --filters found.h5 --stream --json",
     "The same units while the samples come"},
    {"emgtwin decompose hours.h5 -o found.h5 --resume",
     "Go on with a long recording where the last run was interrupted"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, method, n_units", "the file, how it was made and how many units were found"},
    {"units[].unit, .spikes, .rate_hz, .isi_cov, .sil, .pnr_db", "figures of each unit"},
    {"units[].detectability",
     "height of its spikes over the standard deviation of what else is in its source"},
    {"units[].flags",
     "why to look at it: may_be_two, hard_to_detect (detectability below 9), intermittent, edited"},
    {"units[].group", "the grid it was found in, where grids were decomposed one by one"},
    {"channels_left_out[].channel, .name, .state, .why",
     "channels that were not used: number from 0, name, what is wrong and how it was found"},
    {"unit, sample, time_s, height", "with --stream, one object a line for each discharge"},
    {NULL, NULL},
};

const cli_command cli_decompose_command = {
    .name = "decompose",
    .doc = "finds the spike trains in any supported recording",
    .usage =
        "IN -o OUT.h5 [--method ckc|cbss | --method cnn --model NET.h5 [--stream] | --filters "
        "DEC.h5 "
        "[--stream]] [--config CONFIG] [--kind "
        "KIND] [--quick] [--from TIME] [--to TIME] [--resume] [--rate RATE] [--map FILE]",
    .about =
        "Blind decomposition of a recording into the spike trains of motor units. The truth in a "
        "simulated file is not looked at. Faulty channels are found, named and left out. That "
        "no unit is found is an answer, not an error. A recording that needs more than "
        "decompose.memory_mib of memory is decomposed block by block, with a checkpoint after "
        "each.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_decompose,
};
