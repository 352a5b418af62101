// config_write.c -- the effective configuration as YAML, and the schema as a page
#include "base/config_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

// "a | b | c"
static void print_choices(const char *choices, const char *separator, FILE *out) {
  for (; *choices; choices++) {
    if (*choices == '|') {
      fputs(separator, out);
    } else {
      fputc(*choices, out);
    }
  }
}

// Kind, unit and range of a key: "mm, 0 to 100".
static void print_domain(const emg_config_key *key, const char *separator, FILE *out) {
  switch (key->type) {
    case EMG_KEY_CHOICE:
      print_choices(key->choices, separator, out);
      return;
    case EMG_KEY_BOOL:
      fprintf(out, "true%sfalse", separator);
      return;
    case EMG_KEY_TEXT:
      fputs("text", out);
      return;
    case EMG_KEY_TEXTS:
      fputs("list of texts", out);
      return;
    case EMG_KEY_U64:
      fputs("whole number from 0", out);
      return;
    default:
      break;
  }
  const char *kind = key->type == EMG_KEY_I32    ? "whole number"
                     : key->type == EMG_KEY_LIST ? "list of numbers"
                                                 : "number";
  bool has_unit = key->unit[0] != '\0';

  fprintf(out, "%s%s%s, %s to %s", key->type == EMG_KEY_LIST || !has_unit ? kind : "",
          key->type == EMG_KEY_LIST && has_unit ? ", " : "", key->unit,
          emg_number_format(key->min).text, emg_number_format(key->max).text);
}

// "# doc [mm, 0 to 100; default 0; source]"
static void print_comment(const emg_config_key *key, const char *indent, FILE *out) {
  fprintf(out, "%s# %s [", indent, key->doc);
  print_domain(key, " | ", out);
  if (key->fallback[0]) {
    fprintf(out, "; default %s", key->fallback);
  }
  fprintf(out, "%s%s]\n", key->source[0] ? "; " : "", key->source);
}

// One entry of a section; `first` and `indent` stand before its first and its other keys.
static void print_entry(const emg_config_section *section, const void *values, const char *first,
                        const char *indent, bool with_docs, FILE *out) {
  int n_keys;
  const emg_config_key *keys = emg_config_section_keys(section, &n_keys);

  for (int i = 0; i < n_keys; i++) {
    if (with_docs) {
      print_comment(&keys[i], indent, out);
    }
    fprintf(out, "%s%s: ", i == 0 ? first : indent, keys[i].name);
    emg_config_value_print(&keys[i], values, out);
    fputc('\n', out);
  }
}

static void print_section(const emg_config *config, const emg_config_section *section,
                          bool with_docs, FILE *out) {
  bool is_list = section->repeatable && config->n_muscles > 1;

  if (with_docs) {
    fprintf(out, "\n# %s%s\n", section->doc,
            section->repeatable ? "; a list has one entry per muscle" : "");
  }
  fprintf(out, "%s:\n", section->name);
  for (int m = 0; m < (is_list ? config->n_muscles : 1); m++) {
    // the same comments above every muscle would only be noise
    print_entry(section, emg_config_entry_const(config, section, m), is_list ? "  - " : "  ",
                is_list ? "    " : "  ", with_docs && m == 0, out);
  }
}

static void print_heading(const char *heading, FILE *out) {
  while (*heading) {
    size_t length = strcspn(heading, "\n");
    fprintf(out, "#%s%.*s\n", length ? " " : "", (int)length, heading);
    heading += length + (heading[length] == '\n');
  }
}

// Close the stream that grew into `text`.
static emg_status finish_text(FILE *out, char **text, emg_error *err) {
  bool failed = ferror(out) != 0;

  failed = fclose(out) != 0 || failed;
  if (failed) {
    free(*text);
    *text = NULL;
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to write the configuration");
  }
  return EMG_OK;
}

emg_status emg_config_write(const emg_config *config, bool with_docs, const char *heading,
                            char **text, emg_error *err) {
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);
  size_t size;

  *text = NULL;
  EMG_TRY(emg_config_values_check(config, err));
  FILE *out = open_memstream(text, &size);
  if (!out) {
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to write the configuration");
  }
  print_heading(heading ? heading : "", out);
  for (int s = 0; s < n_sections; s++) {
    print_section(config, &sections[s], with_docs, out);
  }
  return finish_text(out, text, err);
}

// --- docs/parameters.md ---

// text in a table cell: a bar would end it
static void print_cell(const char *text, FILE *out) {
  for (; *text; text++) {
    fputs(*text == '|' ? "\\" : "", out);
    fputc(*text, out);
  }
}

static void print_reference_row(const emg_config_key *key, FILE *out) {
  fprintf(out, "| `%s` | ", key->name);
  print_domain(key, ", ", out);
  fputs(" | ", out);
  if (key->fallback[0]) {
    fprintf(out, "`%s`", key->fallback);
  }
  fputs(" | ", out);
  print_cell(key->doc, out);
  fputs(" | ", out);
  print_cell(key->source, out);
  fputs(" |\n", out);
}

static void print_presets(FILE *out) {
  const char *const *names = emg_config_preset_names();

  fputs("## Presets\n\n| preset | what it is |\n| --- | --- |\n", out);
  for (int i = 0; names[i]; i++) {
    fprintf(out, "| `%s` | ", names[i]);
    print_cell(emg_config_preset_doc(names[i]), out);
    fputs(" |\n", out);
  }
}

static const char introduction[] =
    "# Parameters\n\n"
    "Generated from `include/emgtwin/config_fields.def`; do not edit.\n\n"
    "A configuration is a YAML (or JSON) file of sections, each a mapping of keys. A key left out "
    "keeps its\ndefault. Layers are laid over each other: defaults, preset, files in order, "
    "`--set section.key=value`.\nThe sections `muscle`, `pool` and `drive` may be lists with one "
    "entry per muscle; written as a mapping\nthey hold for every muscle. A single muscle of "
    "several is set with `--set muscle[1].name=soleus`.\n\n"
    "A number may carry a unit of the same dimension, `8 mm`, `0.8cm`, `2.048 kHz`, `500 us`, and "
    "without one is\nin the unit given here. A fraction is written `0.3`, `30 %` or `30 "
    "%MVC`.\n\n"
    "The source is where the model or its default comes from. \"Convention\" is what is customary "
    "or neutral,\n\"choice of scale\" a plausible size to be replaced by that of the muscle or "
    "amplifier at hand.\n\n";

emg_status emg_config_reference(char **markdown, emg_error *err) {
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);
  size_t size;
  FILE *out = open_memstream(markdown, &size);

  if (!out) {
    *markdown = NULL;
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to write the reference");
  }
  fputs(introduction, out);
  print_presets(out);
  for (int s = 0; s < n_sections; s++) {
    int n_keys;
    const emg_config_key *keys = emg_config_section_keys(&sections[s], &n_keys);

    fprintf(out, "\n## %s\n\n%c%s%s.\n\n", sections[s].name,
            toupper((unsigned char)sections[s].doc[0]), sections[s].doc + 1,
            sections[s].repeatable ? " (may be a list, one entry per muscle)" : "");
    fputs(
        "| key | unit and range | default | meaning | source |\n| --- | --- | --- | --- | --- |\n",
        out);
    for (int i = 0; i < n_keys; i++) {
      print_reference_row(&keys[i], out);
    }
  }
  return finish_text(out, markdown, err);
}
