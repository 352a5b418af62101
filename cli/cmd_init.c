// cmd_init.c -- emgtwin init: write a commented configuration
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

static emg_status list_presets(const cli_args *args, emg_error *err) {
  emg_json json = {0};

  if (!args->is_json) {
    for (const char *const *name = emg_config_preset_names(); *name; name++) {
      printf("%-14s %s\n", *name, emg_config_preset_doc(*name));
    }
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_array(&json, "presets");
  for (const char *const *name = emg_config_preset_names(); *name; name++) {
    emg_json_object(&json, NULL);
    emg_json_text(&json, "name", *name);
    emg_json_text(&json, "doc", emg_config_preset_doc(*name));
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status deliver(const cli_args *args, const char *preset, const char *yaml,
                          emg_error *err) {
  const char *path = cli_value(args, "output");
  emg_json json = {0};

  if (path) {
    EMG_TRY(cli_check_output(args, path, err));
    EMG_TRY(cli_write_text(args, path, yaml, strlen(yaml), err));
  }
  if (!args->is_json) {
    if (path) {
      cli_say(args, "wrote %s; next: emgtwin simulate %s -o recording.h5", path, path);
    } else {
      fputs(yaml, stdout);
    }
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_text(&json, "preset", preset);
  emg_json_text(&json, "output", path);
  emg_json_text(&json, "config_yaml", yaml);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status run_init(const cli_args *args, emg_error *err) {
  const char *preset = args->n_positionals > 0 ? args->positionals[0] : "quick";
  static emg_config config;
  char heading[400];
  char *yaml;

  if (cli_flag(args, "list")) {
    return list_presets(args, err);
  }
  EMG_TRY(emg_config_preset(preset, &config, err));
  EMG_TRY(cli_overlay_config(args, &config, err));
  snprintf(heading, sizeof heading, "%s: %s", preset, emg_config_preset_doc(preset));
  EMG_TRY(emg_config_write(&config, true, heading, &yaml, err));
  emg_status status = deliver(args, preset, yaml, err);
  free(yaml);
  return status;
}

static const cli_row positionals[] = {{"PRESET", "one of 'emgtwin init --list' (default: quick)"},
                                      {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "FILE", "file to write (default: standard output)", false},
    {0, "list", NULL, "list the presets", false},
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin init biceps -o my.yaml", "Start a configuration of your own from a preset"},
    {"emgtwin init quick --set conductor.fat_thickness_mm='8 mm' -o fat.yaml",
     "The same with one key changed"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"preset, output, config_yaml", "what was written, and where (null: nowhere)"},
    {"presets[].name, .doc", "with --list"},
    {NULL, NULL},
};

const cli_command cli_init_command = {
    .name = "init",
    .doc = "writes a commented configuration",
    .usage = "[PRESET] [-o FILE]",
    .about =
        "Writes a configuration with every key, its default or the preset's value, and a comment "
        "that says what the key means. --set and --seed change values on the way.",
    .positionals = positionals,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_init,
};
