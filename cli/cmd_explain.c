// cmd_explain.c -- emgtwin explain: what a configuration key means
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"

static const char *type_name(emg_key_type type) {
  static const char *const names[] = {
      [EMG_KEY_F64] = "number",
      [EMG_KEY_I32] = "whole number",
      [EMG_KEY_U64] = "whole number",
      [EMG_KEY_BOOL] = "true or false",
      [EMG_KEY_TEXT] = "text",
      [EMG_KEY_LIST] = "list of numbers",
      [EMG_KEY_TEXTS] = "list of texts, or one text with ; between them",
      [EMG_KEY_CHOICE] = "choice",
  };
  return names[type];
}

static bool has_range(const emg_config_key *key) {
  return key->type == EMG_KEY_F64 || key->type == EMG_KEY_I32 || key->type == EMG_KEY_U64 ||
         key->type == EMG_KEY_LIST;
}

static void print_key(const emg_config_key *key) {
  printf("%s.%s\n  %s\n", key->section, key->name, key->doc);
  printf("  type     %s%s\n", type_name(key->type),
         key->repeatable ? ", one per muscle where the section is a list" : "");
  if (key->choices) {
    printf("  choices  %s\n", key->choices);
  }
  if (key->unit[0]) {
    printf("  unit     %s\n", key->unit);
  }
  if (has_range(key)) {
    printf("  range    %.10g to %.20g\n", key->min, key->max);
  }
  printf("  default  %s\n", key->fallback[0] ? key->fallback : "(empty)");
  if (key->source[0]) {
    printf("  source   %s\n", key->source);
  }
}

static void write_key(emg_json *json, const emg_config_key *key) {
  emg_json_object(json, NULL);
  emg_json_text(json, "section", key->section);
  emg_json_text(json, "name", key->name);
  emg_json_text(json, "doc", key->doc);
  emg_json_text(json, "type", type_name(key->type));
  emg_json_text(json, "choices", key->choices);
  emg_json_text(json, "unit", key->unit);
  emg_json_number(json, "min", has_range(key) ? key->min : NAN);
  emg_json_number(json, "max", has_range(key) ? key->max : NAN);
  emg_json_text(json, "default", key->fallback);
  emg_json_text(json, "source", key->source);
  emg_json_bool(json, "per_muscle", key->repeatable);
  emg_json_end(json);
}

// What was asked for: everything (NULL), a section, "section.key", or a key's name alone.
static bool is_wanted(const emg_config_key *key, const char *wanted) {
  char path[128];

  snprintf(path, sizeof path, "%s.%s", key->section, key->name);
  return !wanted || strcmp(wanted, key->section) == 0 || strcmp(wanted, path) == 0 ||
         strcmp(wanted, key->name) == 0;
}

static emg_status refuse_key(const char *wanted, emg_error *err) {
  const emg_config_key *nearest = NULL;

  emg_config_find(wanted, &nearest);
  if (nearest) {
    return emg_fail(err, EMG_ERR_ARG, "unknown key %s; did you mean '%s.%s'?",
                    emg_quote(wanted).text, nearest->section, nearest->name);
  }
  return emg_fail(err, EMG_ERR_ARG, "unknown key %s; 'emgtwin explain' lists all",
                  emg_quote(wanted).text);
}

static void print_list(const char *wanted, const emg_config_key *keys, int n_keys) {
  const char *section = "";

  for (int i = 0; i < n_keys; i++) {
    if (!is_wanted(&keys[i], wanted)) {
      continue;
    }
    if (strcmp(section, keys[i].section) != 0) {
      printf("%s%s: %s\n", section[0] ? "\n" : "", keys[i].section,
             emg_config_section_doc(keys[i].section));
      section = keys[i].section;
    }
    printf("  %-26s %s\n", keys[i].name, keys[i].doc);
  }
}

static emg_status run_explain(const cli_args *args, emg_error *err) {
  const char *wanted = args->n_positionals > 0 ? args->positionals[0] : NULL;
  int n_keys, n_wanted = 0;
  const emg_config_key *keys = emg_config_keys(&n_keys);

  if (cli_flag(args, "markdown")) {
    char *markdown;
    EMG_TRY(emg_config_reference(&markdown, err));
    fputs(markdown, stdout);
    free(markdown);
    return EMG_OK;
  }
  for (int i = 0; i < n_keys; i++) {
    n_wanted += is_wanted(&keys[i], wanted);
  }
  if (n_wanted == 0) {
    return refuse_key(wanted, err);
  }
  if (args->is_json) {
    emg_json json = {0};
    emg_json_object(&json, NULL);
    emg_json_array(&json, "keys");
    for (int i = 0; i < n_keys; i++) {
      if (is_wanted(&keys[i], wanted)) {
        write_key(&json, &keys[i]);
      }
    }
    emg_json_end(&json);
    emg_json_end(&json);
    return cli_print_json(&json, err);
  }
  if (!wanted || emg_config_section_doc(wanted)) {
    print_list(wanted, keys, n_keys);
    return EMG_OK;
  }
  for (int i = 0; i < n_keys; i++) {
    if (is_wanted(&keys[i], wanted)) {
      print_key(&keys[i]);
    }
  }
  return EMG_OK;
}

static const cli_row positionals[] = {
    {"KEY", "section.key, a key's name alone, or a section; without it, all keys in short"},
    {NULL, NULL}};
static const cli_option options[] = {
    {0, "markdown", NULL, "docs/parameters.md", false},
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin explain conductor.fat_thickness_mm", "One key"},
    {"emgtwin explain pool", "A section"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"keys[].section, .name, .doc, .type, .choices, .unit, .min, .max, .default, .source, "
     ".per_muscle",
     "the keys asked for; default as text; min and max null where there is no range"},
    {NULL, NULL},
};

const cli_command cli_explain_command = {
    .name = "explain",
    .doc = "tells what a configuration key means",
    .usage = "[KEY]",
    .about = "Type, unit, range, default and source of a configuration key.",
    .positionals = positionals,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_explain,
};
