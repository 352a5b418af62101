// config_set.c -- one assignment "section.key=value", as given with --set
#include "base/config_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { ASSIGNMENT_MAX = 4096 };

// cut blanks off both ends, in place
static char *trim(char *text) {
  text += strspn(text, " \t");
  size_t length = strlen(text);
  while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
    length--;
  }
  text[length] = '\0';
  return text;
}

// "muscle[1]" to "muscle" and 1; -1 without brackets, false if what is in them is no index
static bool split_entry(char *section_name, int *entry) {
  char *bracket = strchr(section_name, '['), *end;

  *entry = -1;
  if (!bracket) {
    return true;
  }
  *bracket = '\0';
  if (bracket[1] < '0' || bracket[1] > '9') {
    return false;
  }
  long index = strtol(bracket + 1, &end, 10);
  *entry = index < EMG_MUSCLES_MAX ? (int)index : EMG_MUSCLES_MAX;
  return strcmp(end, "]") == 0;
}

static emg_status store(emg_config *config, const emg_config_section *section, int entry,
                        const emg_config_key *key, const char *value, emg_error *err) {
  // without an index every entry is set, also those not in use yet: a later list may extend to them
  int first = entry < 0 ? 0 : entry;
  int end = entry >= 0 ? entry + 1 : section->repeatable ? EMG_MUSCLES_MAX : 1;
  emg_reason reason;

  for (int i = first; i < end; i++) {
    if (!emg_config_value_parse(key, value, emg_config_entry(config, section, i), &reason)) {
      return emg_fail(err, EMG_ERR_CONFIG, "%s.%s: %s", section->name, key->name, reason.text);
    }
  }
  if (emg_config_key_is_path(key)) {
    config->directory[0] = '\0';  // a path on the command line starts at the working directory
  }
  return EMG_OK;
}

// `path` and `value` are trimmed and may be written to
static emg_status assign(emg_config *config, char *path, const char *value, emg_error *err) {
  char *dot = strrchr(path, '.');
  const emg_config_key *nearest;
  int entry;

  if (!dot) {
    emg_config_find(path, &nearest);
    return emg_fail(err, EMG_ERR_CONFIG, "%s is not section.key%s%s%s%s%s", emg_quote(path).text,
                    nearest ? "; did you mean '" : "", nearest ? nearest->section : "",
                    nearest ? "." : "", nearest ? nearest->name : "", nearest ? "'?" : "");
  }
  *dot = '\0';
  if (!split_entry(path, &entry)) {
    return emg_fail(
        err, EMG_ERR_CONFIG,
        "%s.%s: the index in brackets is not a whole number from 0, as in muscle[1].name", path,
        emg_quote(dot + 1).text);
  }
  const emg_config_section *section = emg_config_section_find(path);
  if (!section) {
    return emg_fail(err, EMG_ERR_CONFIG, "unknown section %s%s", emg_quote(path).text,
                    emg_config_section_hint(path).text);
  }
  const emg_config_key *key = emg_config_key_find(section, dot + 1);
  if (!key) {
    return emg_fail(err, EMG_ERR_CONFIG, "unknown key %s in section '%s'%s",
                    emg_quote(dot + 1).text, section->name,
                    emg_config_key_hint(section, dot + 1).text);
  }
  if (entry >= 0 && !section->repeatable) {
    return emg_fail(err, EMG_ERR_CONFIG, "section '%s' takes no index; write %s.%s", section->name,
                    section->name, key->name);
  }
  if (entry >= config->n_muscles) {
    return emg_fail(err, EMG_ERR_CONFIG, "%s[%d].%s: there %s; indices count from 0", section->name,
                    entry, key->name,
                    config->n_muscles == 1 ? "is one muscle" : "are fewer muscles");
  }
  return store(config, section, entry, key, value, err);
}

emg_status emg_config_set(emg_config *config, const char *assignment, emg_error *err) {
  char copy[ASSIGNMENT_MAX];
  size_t length = strlen(assignment);

  if (length >= sizeof copy) {
    return emg_fail(err, EMG_ERR_ARG, "an assignment of %zu bytes; at most %d are taken", length,
                    ASSIGNMENT_MAX - 1);
  }
  memcpy(copy, assignment, length + 1);
  char *equals = strchr(copy, '=');
  if (!equals) {
    return emg_fail(err, EMG_ERR_ARG, "%s is no assignment; write section.key=value",
                    emg_quote(assignment).text);
  }
  *equals = '\0';
  return assign(config, trim(copy), trim(equals + 1), err);
}

// --- back to text ---

emg_status emg_config_get(const emg_config *config, const char *path, char **text, emg_error *err) {
  const emg_config_key *key = emg_config_find(path, NULL);
  size_t size;

  *text = NULL;
  if (!key) {
    return emg_fail(err, EMG_ERR_CONFIG, "there is no key %s", emg_quote(path).text);
  }
  const char *values = emg_config_entry_const(config, emg_config_section_find(key->section), 0);
  FILE *out = open_memstream(text, &size);
  if (out && key->type == EMG_KEY_TEXT) {
    fputs(values + key->offset, out);
  } else if (out && key->type == EMG_KEY_TEXTS) {
    const emg_texts *texts = (const void *)(values + key->offset);
    for (int i = 0; i < texts->n; i++) {
      fprintf(out, "%s%s", i ? "; " : "", texts->values[i]);
    }
  } else if (out) {
    emg_config_value_print(key, values, out);
  }
  if (!out || fclose(out) != 0) {
    free(*text);
    *text = NULL;
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory for the value of %s", path);
  }
  return EMG_OK;
}
