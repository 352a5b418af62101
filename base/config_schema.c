// config_schema.c -- the table of keys, expanded from config_fields.def, and look-up in it
#include "base/config_priv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

// Numbers of the keys. A section takes no number of its own: the second name steps back by one.
enum {
#define SECTION(section, repeatable, doc) \
  FIRST_KEY_##section, BACK_##section = FIRST_KEY_##section - 1,
#define FIELD(section, type, name, fallback, min, max, unit, doc, source) KEY_##section##_##name,
#define CHOICE(section, name, fallback, choices, doc, source) KEY_##section##_##name,
#include <emgtwin/config_fields.def>
  N_KEYS
};

// Default as text: texts and lists are string literals already.
#define FALLBACK_F64(value, written) written
#define FALLBACK_I32(value, written) written
#define FALLBACK_U64(value, written) written
#define FALLBACK_BOOL(value, written) written
#define FALLBACK_TEXT(value, written) value
#define FALLBACK_LIST(value, written) value
#define FALLBACK_TEXTS(value, written) value

// In a key's row: is its section repeatable?
enum {
#define SECTION(section, repeatable, doc) REPEATABLE_##section = (repeatable),
#define FIELD(section, type, name, fallback, min, max, unit, doc, source)
#define CHOICE(section, name, fallback, choices, doc, source)
#include <emgtwin/config_fields.def>
};

static const emg_config_key keys[N_KEYS] = {
#define SECTION(section, repeatable, doc)
#define FIELD(section, type, name, fallback, min, max, unit, doc, source) \
  {#section,                                                              \
   #name,                                                                 \
   EMG_KEY_##type,                                                        \
   REPEATABLE_##section,                                                  \
   offsetof(struct emg_config_##section, name),                           \
   FALLBACK_##type(fallback, #fallback),                                  \
   (double)(min),                                                         \
   (double)(max),                                                         \
   unit,                                                                  \
   NULL,                                                                  \
   doc,                                                                   \
   source},
#define CHOICE(section, name, fallback, choices, doc, source) \
  {#section,                                                  \
   #name,                                                     \
   EMG_KEY_CHOICE,                                            \
   REPEATABLE_##section,                                      \
   offsetof(struct emg_config_##section, name),               \
   #fallback,                                                 \
   0,                                                         \
   0,                                                         \
   "",                                                        \
   choices,                                                   \
   doc,                                                       \
   source},
#include <emgtwin/config_fields.def>
};

static const emg_config_section sections[] = {
#define SECTION(section, repeatable, doc) \
  {#section,                              \
   repeatable,                            \
   doc,                                   \
   offsetof(emg_config, section),         \
   sizeof(struct emg_config_##section),   \
   FIRST_KEY_##section},
#define FIELD(section, type, name, fallback, min, max, unit, doc, source)
#define CHOICE(section, name, fallback, choices, doc, source)
#include <emgtwin/config_fields.def>
};

enum { N_SECTIONS = sizeof sections / sizeof sections[0] };

const emg_config_key *emg_config_keys(int *n_keys) {
  *n_keys = N_KEYS;
  return keys;
}

const emg_config_section *emg_config_sections(int *n_sections) {
  *n_sections = N_SECTIONS;
  return sections;
}

const emg_config_section *emg_config_section_find(const char *name) {
  for (int i = 0; i < N_SECTIONS; i++) {
    if (strcmp(sections[i].name, name) == 0) {
      return &sections[i];
    }
  }
  return NULL;
}

const emg_config_key *emg_config_section_keys(const emg_config_section *section, int *n_keys) {
  bool is_last = section == &sections[N_SECTIONS - 1];
  *n_keys = (is_last ? (int)N_KEYS : section[1].first_key) - section->first_key;
  return &keys[section->first_key];
}

const emg_config_key *emg_config_key_find(const emg_config_section *section, const char *name) {
  int n_keys;
  const emg_config_key *row = emg_config_section_keys(section, &n_keys);

  for (int i = 0; i < n_keys; i++) {
    if (strcmp(row[i].name, name) == 0) {
      return &row[i];
    }
  }
  return NULL;
}

bool emg_config_key_is_path(const emg_config_key *key) {
  return key->type == EMG_KEY_TEXT && strcmp(key->name, "file") == 0;
}

const char *emg_config_section_doc(const char *section) {
  const emg_config_section *row = emg_config_section_find(section);
  return row ? row->doc : NULL;
}

// Edit distance, but 1 if only an ending such as the unit is missing or left over.
static int distance(const char *written, const char *name) {
  size_t n = strnlen(written, EMG_NAME_MAX), m = strlen(name), common = n < m ? n : m;
  char after = n < m ? name[common] : written[common];

  if (n != m && common > 2 && strncmp(written, name, common) == 0 && after == '_') {
    return 1;
  }
  return emg_edit_distance(written, name);
}

// The key most like `written`: in `home` if it has a near one, else in any section.
static const emg_config_key *nearest_key(const emg_config_section *home, const char *written) {
  const emg_config_key *best = NULL;
  int least = INT_MAX;

  for (int i = 0; i < N_KEYS; i++) {
    bool is_home = home && strcmp(keys[i].section, home->name) == 0;
    int d = distance(written, keys[i].name);
    // a key elsewhere has to match better, since its section was not meant
    if (d == INT_MAX || !emg_is_near(written, d) || (!is_home && home && d > 1)) {
      continue;
    }
    d = 2 * d + !is_home;
    if (d < least) {
      least = d;
      best = &keys[i];
    }
  }
  return best;
}

static const emg_config_section *nearest_section(const char *written) {
  const emg_config_section *best = NULL;
  int least = INT_MAX;

  for (int i = 0; i < N_SECTIONS; i++) {
    int d = emg_edit_distance(written, sections[i].name);
    if (emg_is_near(written, d) && d < least) {
      least = d;
      best = &sections[i];
    }
  }
  return best;
}

const emg_config_key *emg_config_find(const char *path, const emg_config_key **nearest) {
  char section_name[EMG_NAME_MAX + 1] = "";
  const char *dot = strchr(path, '.'), *name = dot ? dot + 1 : path;
  const emg_config_section *section = NULL;

  if (nearest) {
    *nearest = NULL;
  }
  if (dot && (size_t)(dot - path) < sizeof section_name) {
    memcpy(section_name, path, (size_t)(dot - path));
    section = emg_config_section_find(section_name);
  }
  const emg_config_key *found = section ? emg_config_key_find(section, name) : NULL;
  if (!found && nearest) {
    *nearest = nearest_key(section ? section : nearest_section(section_name), name);
  }
  return found;
}

emg_hint emg_config_section_hint(const char *written) {
  emg_hint hint = {""};
  const emg_config_section *section = nearest_section(written);

  if (section) {
    snprintf(hint.text, sizeof hint.text, "; did you mean '%s'?", section->name);
    return hint;
  }
  // a key at the top level
  const emg_config_key *key = nearest_key(NULL, written);
  if (key) {
    snprintf(hint.text, sizeof hint.text, "; did you mean '%s' in section '%s'?", key->name,
             key->section);
    return hint;
  }
  snprintf(hint.text, sizeof hint.text, "; 'emgtwin explain' lists them");
  return hint;
}

emg_hint emg_config_key_hint(const emg_config_section *section, const char *written) {
  emg_hint hint = {""};
  const emg_config_key *key = nearest_key(section, written);

  if (key && strcmp(key->section, section->name) == 0) {
    snprintf(hint.text, sizeof hint.text, "; did you mean '%s'?", key->name);
  } else if (key) {
    snprintf(hint.text, sizeof hint.text, "; did you mean '%s' in section '%s'?", key->name,
             key->section);
  } else {
    snprintf(hint.text, sizeof hint.text, "; 'emgtwin explain %s' lists its keys", section->name);
  }
  return hint;
}

void *emg_config_entry(emg_config *config, const emg_config_section *section, int entry) {
  return (char *)config + section->offset + (size_t)entry * section->size;
}

const void *emg_config_entry_const(const emg_config *config, const emg_config_section *section,
                                   int entry) {
  return (const char *)config + section->offset + (size_t)entry * section->size;
}

void emg_config_defaults(emg_config *config) {
  memset(config, 0, sizeof *config);
  config->n_muscles = 1;
  for (int s = 0; s < N_SECTIONS; s++) {
    int n_keys, n_entries = sections[s].repeatable ? EMG_MUSCLES_MAX : 1;
    const emg_config_key *row = emg_config_section_keys(&sections[s], &n_keys);

    for (int i = 0; i < n_keys * n_entries; i++) {
      emg_reason reason;
      const emg_config_key *key = &row[i % n_keys];
      // every default lies in its range (test_config_schema.c), so this cannot fail
      emg_config_value_parse(key, key->fallback, emg_config_entry(config, &sections[s], i / n_keys),
                             &reason);
    }
  }
}
