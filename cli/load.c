// load.c -- inputs named on the command line: configurations and recordings
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/input_file.h"
#include "base/sha256.h"
#include "cli/cli.h"

static bool is_preset(const char *name) {
  for (const char *const *preset = emg_config_preset_names(); *preset; preset++) {
    if (strcmp(*preset, name) == 0) {
      return true;
    }
  }
  return false;
}

bool cli_is_hdf5(const char *path) {
  static const char magic[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  char start[sizeof magic];
  FILE *file;

  if (emg_open_input(path, &file, NULL) != EMG_OK) {
    return false;
  }
  bool is_hdf5 = fread(start, 1, sizeof start, file) == sizeof start &&
                 memcmp(start, magic, sizeof magic) == 0;
  fclose(file);
  return is_hdf5;
}

// the configuration a native file was made with
static emg_status read_embedded(const char *path, emg_config *out, emg_error *err) {
  char *yaml;

  EMG_TRY(emg_file_read_config(path, &yaml, err));
  emg_status status = emg_config_parse(yaml, strlen(yaml), path, out, err);
  free(yaml);
  return status;
}

static emg_status read_named(const char *name, emg_config *out, emg_error *err) {
  if (access(name, F_OK) == 0) {
    return cli_is_hdf5(name) ? read_embedded(name, out, err) : emg_config_read(name, out, err);
  }
  if (is_preset(name)) {
    return emg_config_preset(name, out, err);
  }
  // what reading says of a missing file, and the presets it might have been
  char names[200] = "";
  for (const char *const *preset = emg_config_preset_names(); *preset; preset++) {
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", *preset);
  }
  return emg_fail_at(err, EMG_ERR_IO, name, 0, 0,
                     "no such file, and no preset of that name; write one with 'emgtwin init', or "
                     "name a preset: %s",
                     names);
}

emg_status cli_overlay_config(const cli_args *args, emg_config *config, emg_error *err) {
  for (int i = 0; i < args->n_sets; i++) {
    emg_status status = emg_config_set(config, args->sets[i], err);
    if (status != EMG_OK) {
      emg_error_in_file(err, "--set");
      return status;
    }
  }
  if (args->has_seed) {
    config->simulation.seed = args->seed;
  }
  return emg_config_check(config, err);
}

emg_status cli_load_config(const cli_args *args, const char *name, emg_config *out,
                           emg_error *err) {
  emg_config_defaults(out);
  if (name) {
    EMG_TRY(read_named(name, out, err));
  }
  emg_status status = cli_overlay_config(args, out, err);
  if (status != EMG_OK && name) {
    emg_error_in_file(err, name);
  }
  return status;
}

static emg_status read_options(const cli_args *args, cli_needs needs, emg_read_options *out,
                               emg_error *err) {
  *out = (emg_read_options){.map = cli_value(args, "map"),
                            .allow_no_emg = needs < CLI_NEEDS_EMG,
                            .allow_no_rate = needs < CLI_NEEDS_RATE};
  EMG_TRY(cli_quantity(args, "rate", "Hz", 1, 1e6, &out->rate_hz, err));
  return cli_quantity(args, "scale", "uV", 1e-9, 1e9, &out->scale_uv, err);
}

emg_status cli_open_stream(const cli_args *args, const char *path, emg_stream **out,
                           emg_error *err) {
  emg_read_options options;

  EMG_TRY(read_options(args, CLI_NEEDS_EMG, &options, err));
  emg_status status = emg_stream_open(path, &options, out, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status cli_load_recording(const cli_args *args, const char *path, cli_needs needs,
                              emg_recording *out, emg_error *err) {
  emg_read_options options;

  EMG_TRY(read_options(args, needs, &options, err));
  emg_status status = emg_recording_read(path, &options, out, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status cli_origin_create(const cli_args *args, const emg_config *config, cli_origin *out,
                             emg_error *err) {
  const char *input = args->positionals[0];

  *out = (cli_origin){0};
  out->provenance.command = args->command_line;
  out->provenance.seed = config->simulation.seed;
  EMG_TRY(emg_config_write(config, false, NULL, &out->config_yaml, err));
  out->provenance.config_yaml = out->config_yaml;
  if (access(input, F_OK) == 0) {
    emg_status status = emg_file_sha256(input, out->sha256, err);
    if (status != EMG_OK) {
      cli_origin_free(out);
      return status;
    }
  } else {
    // a preset: what it says is the input
    emg_sha256 sha;
    emg_sha256_start(&sha);
    emg_sha256_add(&sha, out->config_yaml, strlen(out->config_yaml));
    emg_sha256_finish(&sha, out->sha256);
  }
  out->provenance.input_sha256 = out->sha256;
  return EMG_OK;
}

void cli_origin_free(cli_origin *origin) {
  free(origin->config_yaml);
  *origin = (cli_origin){0};
}
