// cmd_validate.c -- emgtwin validate: check files without running anything
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/formats.h"
#include "base/h5.h"
#include "cli/commands.h"
#include "cli/network.h"
#include "cli/scoring.h"

// What a file was taken for, and what is in it if it is right.
typedef struct {
  const char *kind;
  char summary[200];
} verdict;

static emg_status check_config(const char *path, verdict *out, emg_error *err) {
  static emg_config config;

  out->kind = "configuration";
  emg_config_defaults(&config);
  EMG_TRY(emg_config_read(path, &config, err));
  EMG_TRY(emg_config_check(&config, err));
  snprintf(out->summary, sizeof out->summary, "%g s at %g Hz, %d muscle%s",
           config.simulation.duration_s, config.simulation.sampling_rate_hz, config.n_muscles,
           config.n_muscles == 1 ? "" : "s");
  return EMG_OK;
}

static emg_status check_spikes(const cli_args *args, const char *path, verdict *out,
                               emg_error *err) {
  emg_spikes spikes;

  out->kind = "spike trains";
  EMG_TRY(cli_load_spikes(args, path, false, &spikes, err));
  snprintf(out->summary, sizeof out->summary, "%d units, %lld discharges", spikes.n_units,
           (long long)spikes.offsets[spikes.n_units]);
  emg_spikes_free(&spikes);
  return EMG_OK;
}

static emg_status check_recording(const cli_args *args, const char *path, verdict *out,
                                  emg_error *err) {
  emg_recording recording;

  out->kind = "recording";
  EMG_TRY(cli_load_recording(args, path, CLI_NEEDS_NOTHING, &recording, err));
  int at = snprintf(out->summary, sizeof out->summary, "%s, %d channels, ", recording.format,
                    recording.data.n_rows);
  long long n_samples = recording.data.n_rows > 0 ? recording.data.n_cols : recording.aux.n_cols;
  if (recording.rate_hz > 0) {
    snprintf(out->summary + at, sizeof out->summary - (size_t)at, "%g s at %g Hz",
             (double)n_samples / recording.rate_hz, recording.rate_hz);
  } else {
    snprintf(out->summary + at, sizeof out->summary - (size_t)at,
             "%lld samples at a rate that the file does not state; --rate gives it", n_samples);
  }
  emg_recording_free(&recording);
  return EMG_OK;
}

static emg_status check_network(const char *path, verdict *out, emg_error *err) {
  emg_cnn net;

  out->kind = "network";
  EMG_TRY(emg_cnn_read(path, &net, err));
  cli_network_summary(&net, out->summary, sizeof out->summary);
  emg_cnn_free(&net);
  return EMG_OK;
}

// every part a native file has; HDF5 that is not ours is left to the reader of recordings
static emg_status check_native(const cli_args *args, const char *path, verdict *out,
                               emg_error *err) {
  emg_h5 *file;

  EMG_TRY(emg_h5_open(path, &file, err));
  bool has_emg = emg_h5_has(file, "emg/data"), has_truth = emg_h5_has(file, "truth");
  bool has_units = emg_h5_has(file, "units");
  emg_h5_close(file);

  if (has_truth) {
    emg_truth truth;
    EMG_TRY(emg_file_read_truth(path, &truth, err));
    emg_truth_free(&truth);
  }
  if (has_units) {
    emg_decomposition found;
    EMG_TRY(emg_file_read_decomposition(path, &found, err));
    emg_decomposition_free(&found);
  }
  if (has_emg || !has_units) {
    return check_recording(args, path, out, err);
  }
  return check_spikes(args, path, out, err);
}

// Told from the content: what is no format of recordings is text, and text is a configuration.
static bool is_signal_file(const char *path) {
  const emg_format *format;
  struct stat info;

  return (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) ||
         emg_format_of(path, &format, NULL) == EMG_OK;
}

// Named as a recording.
static bool has_recording_name(const char *path) {
  static const char *const suffixes[] = {".h5",   ".hdf5", ".edf",  ".bdf", ".mat",
                                         ".otb+", ".otb",  ".otb4", ".csv"};
  size_t length = strlen(path);

  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    size_t n = strlen(suffixes[i]);
    if (length >= n && strcmp(path + length - n, suffixes[i]) == 0) {
      return true;
    }
  }
  return false;
}

static emg_status check_file(const cli_args *args, const char *path, verdict *out, emg_error *err) {
  emg_status status;

  *out = (verdict){.kind = "file"};
  if (cli_is_network(path)) {
    status = check_network(path, out, err);
  } else if (cli_is_hdf5(path)) {
    status = check_native(args, path, out, err);
  } else if (strlen(path) > 4 && strcmp(path + strlen(path) - 4, ".tsv") == 0) {
    status = check_spikes(args, path, out, err);
  } else if (is_signal_file(path) || has_recording_name(path)) {
    // one that does not begin as its name says is refused by the reader in a sentence
    status = check_recording(args, path, out, err);
  } else {
    status = check_config(path, out, err);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

static void write_verdict(emg_json *json, const char *path, const verdict *found,
                          const emg_error *err) {
  emg_json_object(json, NULL);
  emg_json_text(json, "file", path);
  emg_json_text(json, "kind", found->kind);
  emg_json_bool(json, "valid", err->n_items == 0);
  emg_json_text(json, "summary", err->n_items == 0 ? found->summary : NULL);
  emg_json_array(json, "findings");
  for (int i = 0; i < err->n_items; i++) {
    const emg_diagnostic *item = &err->items[i];
    emg_json_object(json, NULL);
    emg_json_integer(json, "line", item->line);
    emg_json_integer(json, "column", item->column);
    emg_json_text(json, "message", item->message);
    emg_json_end(json);
  }
  emg_json_end(json);
  emg_json_end(json);
}

// Every file is checked; the exit code is that of the first that is wrong.
static emg_status run_validate(const cli_args *args, emg_error *err) {
  static emg_error findings;
  emg_status first = EMG_OK;
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_array(&json, "files");
  for (int i = 0; i < args->n_positionals; i++) {
    verdict found;
    findings = (emg_error){0};
    emg_status status = check_file(args, args->positionals[i], &found, &findings);
    first = first == EMG_OK ? status : first;
    cli_print_error(&findings);
    write_verdict(&json, args->positionals[i], &found, &findings);
    if (status == EMG_OK && !args->is_json) {
      printf("%s: %s, %s\n", args->positionals[i], found.kind, found.summary);
    }
  }
  emg_json_end(&json);
  emg_json_end(&json);
  if (args->is_json) {
    EMG_TRY(cli_print_json(&json, err));
  }
  emg_json_free(&json);
  return first;
}

static const cli_row positionals[] = {{"FILE",
                                       "configuration, HDF5, EDF, BDF, MATLAB 5, OTB+, OTB4, BIDS "
                                       "folder or table of labels; any number"},
                                      {NULL, NULL}};
static const cli_option options[] = {CLI_READ_OPTIONS, {0, NULL, NULL, NULL, false}};
static const cli_row examples[] = {{"emgtwin validate my.yaml quick.h5", "Before a long run"},
                                   {NULL, NULL}};
static const cli_row json[] = {
    {"files[].file, .kind, .valid, .summary", "each file; summary null if it is wrong"},
    {"files[].findings[].line, .column, .message", "what is wrong; 0 where the place is unknown"},
    {NULL, NULL},
};

const cli_command cli_validate_command = {
    .name = "validate",
    .doc = "checks configurations and recordings without running",
    .usage = "FILE...",
    .about =
        "Reads each file as the other commands would and says everything that is wrong with it. "
        "The exit code is that of the first file that is wrong.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1 << 20,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_validate,
};
