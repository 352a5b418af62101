// config_read.c -- a YAML file laid over a configuration: what may stand where
#include "base/config_events_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_priv.h"
#include "base/input_file.h"
#include "base/text.h"

// In which mapping and on which line a key was seen last.
typedef struct {
  int mapping, line;
} sighting;

// Entries of a repeatable section, if it was written as a list.
typedef struct {
  int n_entries;  // 0: not a list
  yaml_mark_t mark;
} entry_list;

typedef struct {
  emg_config_events source;
  sighting *keys;     // one per key of the schema
  int n_mappings;     // mappings opened so far, numbers the sightings
  entry_list *lists;  // one per section
  int *section_line;  // where each section was seen, 0 if not
  bool sets_file;     // a relative path is among the values
  emg_config config;
} reader;

#define NOTE(r, mark, ...) EMG_CONFIG_NOTE(&(r)->source, mark, __VA_ARGS__)

static bool next(reader *r) {
  return emg_config_events_next(&r->source);
}
static yaml_event_type_t type(const reader *r) {
  return r->source.event.type;
}
static yaml_mark_t mark_of(const reader *r) {
  return r->source.event.start_mark;
}

// --- Nodes. Each function starts at a node's first event and leaves at its last. ---

static bool is_end(const reader *r) {
  return type(r) == YAML_MAPPING_END_EVENT || type(r) == YAML_SEQUENCE_END_EVENT;
}

static void skip_node(reader *r) {
  bool is_open = type(r) == YAML_MAPPING_START_EVENT || type(r) == YAML_SEQUENCE_START_EVENT;
  int depth = r->source.depth;

  while (is_open && r->source.depth >= depth && next(r)) {
  }
}

// Text of a scalar; NULL, with a finding, if it holds a NUL.
static const char *scalar_text(reader *r) {
  const char *text = (const char *)r->source.event.data.scalar.value;

  if (strlen(text) != r->source.event.data.scalar.length) {
    NOTE(r, mark_of(r), "the text contains a NUL character");
    return NULL;
  }
  return text;
}

// nothing, "~" or "null"
static bool is_null(const reader *r) {
  const char *text = (const char *)r->source.event.data.scalar.value;

  return type(r) == YAML_SCALAR_EVENT && r->source.event.data.scalar.plain_implicit &&
         r->source.event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

// One value for entries `first` to `end` - 1 of its section.
static void read_scalar(reader *r, const emg_config_section *section, const emg_config_key *key,
                        int first, int end) {
  const char *text = scalar_text(r);
  emg_reason reason;

  if (!text) {
    return;
  }
  if (is_null(r)) {
    NOTE(r, mark_of(r), "%s.%s has no value; remove the line to keep the default%s%s",
         section->name, key->name, key->fallback[0] ? " " : "", key->fallback);
    return;
  }
  for (int i = first; i < end; i++) {
    if (!emg_config_value_parse(key, text, emg_config_entry(&r->config, section, i), &reason)) {
      NOTE(r, mark_of(r), "%s.%s: %s", section->name, key->name, reason.text);
      return;
    }
  }
  r->sets_file = r->sets_file || emg_config_key_is_path(key);
}

// One element of a list key; `values` is the list that grows.
static bool append(const emg_config_key *key, const char *text, void *values, emg_reason *reason) {
  return key->type == EMG_KEY_TEXTS ? emg_config_texts_append(text, values, reason)
                                    : emg_config_list_append(key, text, values, reason);
}

static void read_list(reader *r, const emg_config_section *section, const emg_config_key *key,
                      int first, int end) {
  union {
    emg_list numbers;
    emg_texts texts;
  } list;
  const bool is_texts = key->type == EMG_KEY_TEXTS;

  memset(&list, 0, sizeof list);
  while (next(r) && !is_end(r)) {
    emg_reason reason;
    const char *text = NULL;
    if (type(r) == YAML_SCALAR_EVENT) {
      text = scalar_text(r);
    } else {
      NOTE(r, mark_of(r), "%s.%s is a list of %s", section->name, key->name,
           is_texts ? "texts" : "numbers");
      skip_node(r);
    }
    if (text && !append(key, text, &list, &reason)) {
      NOTE(r, mark_of(r), "%s.%s: %s", section->name, key->name, reason.text);
      // one finding is enough for a list that is too long
      bool is_full = is_texts ? list.texts.n >= EMG_TEXTS_MAX : list.numbers.n >= EMG_LIST_MAX;
      r->source.is_over = r->source.is_over || is_full;
    }
  }
  for (int i = first; i < end; i++) {
    char *values = emg_config_entry(&r->config, section, i);
    memcpy(values + key->offset, &list, is_texts ? sizeof list.texts : sizeof list.numbers);
  }
}

static void read_value(reader *r, const emg_config_section *section, const emg_config_key *key,
                       int first, int end) {
  if (type(r) == YAML_SCALAR_EVENT) {
    read_scalar(r, section, key, first, end);
  } else if (type(r) == YAML_SEQUENCE_START_EVENT &&
             (key->type == EMG_KEY_LIST || key->type == EMG_KEY_TEXTS)) {
    read_list(r, section, key, first, end);
  } else if (type(r) != YAML_ALIAS_EVENT) {
    NOTE(r, mark_of(r), "%s.%s is a single value, not a %s", section->name, key->name,
         type(r) == YAML_MAPPING_START_EVENT ? "mapping" : "list");
    skip_node(r);
  }
}

// The key at the reader's event, if it is known and new in this mapping.
static const emg_config_key *read_key(reader *r, const emg_config_section *section, int mapping) {
  const yaml_mark_t mark = mark_of(r);
  const char *name = type(r) == YAML_SCALAR_EVENT ? scalar_text(r) : NULL;
  int n_keys;

  if (!name) {
    if (type(r) != YAML_SCALAR_EVENT && type(r) != YAML_ALIAS_EVENT) {
      NOTE(r, mark, "a key of section '%s' must be a name", section->name);
      skip_node(r);
    }
    return NULL;
  }
  const emg_config_key *key = emg_config_key_find(section, name);
  if (!key) {
    NOTE(r, mark, "unknown key %s in section '%s'%s", emg_quote(name).text, section->name,
         emg_config_key_hint(section, name).text);
    return NULL;
  }
  sighting *seen = &r->keys[key - emg_config_keys(&n_keys)];
  if (seen->mapping == mapping) {
    NOTE(r, mark, "duplicate key '%s' in section '%s', first on line %d; remove one", name,
         section->name, seen->line);
    return NULL;
  }
  *seen = (sighting){mapping, (int)mark.line + 1};
  return key;
}

// The mapping of one section, for entries `first` to `end` - 1.
static void read_section_mapping(reader *r, const emg_config_section *section, int first, int end) {
  if (is_null(r) || type(r) == YAML_ALIAS_EVENT) {
    return;  // all its keys are commented out
  }
  if (type(r) != YAML_MAPPING_START_EVENT) {
    NOTE(r, mark_of(r), "section '%s' must be a mapping 'key: value'%s", section->name,
         section->repeatable ? ", or a list of mappings, one per muscle" : "");
    skip_node(r);
    return;
  }
  int mapping = ++r->n_mappings;
  while (next(r) && !is_end(r)) {
    const emg_config_key *key = read_key(r, section, mapping);
    if (!next(r)) {
      return;
    }
    if (key) {
      read_value(r, section, key, first, end);
    } else {
      skip_node(r);
    }
  }
}

static void read_section_list(reader *r, const emg_config_section *section, entry_list *list) {
  int n = 0;

  list->mark = mark_of(r);
  while (next(r) && !is_end(r)) {
    if (n < EMG_MUSCLES_MAX) {
      read_section_mapping(r, section, n, n + 1);
    } else {
      if (n == EMG_MUSCLES_MAX) {
        NOTE(r, mark_of(r), "section '%s' has more than %d entries", section->name,
             EMG_MUSCLES_MAX);
      }
      skip_node(r);
    }
    n++;
  }
  if (n == 0 && !r->source.is_over) {
    NOTE(r, list->mark, "section '%s' is an empty list; remove it or give it an entry",
         section->name);
  }
  list->n_entries = n < EMG_MUSCLES_MAX ? n : EMG_MUSCLES_MAX;
}

// The section named at the reader's event, if it is known and new.
static const emg_config_section *read_section_name(reader *r, int *index) {
  const yaml_mark_t mark = mark_of(r);
  const char *name = type(r) == YAML_SCALAR_EVENT ? scalar_text(r) : NULL;
  int n_sections;

  if (!name) {
    if (type(r) != YAML_SCALAR_EVENT && type(r) != YAML_ALIAS_EVENT) {
      NOTE(r, mark, "a section must have a name");
      skip_node(r);
    }
    return NULL;
  }
  const emg_config_section *section = emg_config_section_find(name);
  if (!section) {
    NOTE(r, mark, "unknown section %s%s", emg_quote(name).text, emg_config_section_hint(name).text);
    return NULL;
  }
  *index = (int)(section - emg_config_sections(&n_sections));
  if (r->section_line[*index]) {
    NOTE(r, mark, "duplicate section '%s', first on line %d; merge the two", name,
         r->section_line[*index]);
    return NULL;
  }
  r->section_line[*index] = (int)mark.line + 1;
  return section;
}

static void read_root(reader *r) {
  while (next(r) && !is_end(r)) {
    int index = 0;
    const emg_config_section *section = read_section_name(r, &index);
    if (!next(r)) {
      return;
    }
    if (!section) {
      skip_node(r);
    } else if (section->repeatable && type(r) == YAML_SEQUENCE_START_EVENT) {
      read_section_list(r, section, &r->lists[index]);
    } else {
      // a mapping holds for every muscle, those a later list adds included
      read_section_mapping(r, section, 0, section->repeatable ? EMG_MUSCLES_MAX : 1);
    }
  }
}

// Lists of one file have one entry per muscle each. `muscle` says how many muscles there are; a
// list of another section can only make several of one.
static void settle_muscles(reader *r) {
  int n_sections, n = 0;
  const emg_config_section *sections = emg_config_sections(&n_sections);
  const char *from = "";

  for (int i = 0; i < n_sections; i++) {
    const entry_list *list = &r->lists[i];
    bool is_muscle = strcmp(sections[i].name, "muscle") == 0;
    if (list->n_entries == 0) {
      continue;
    }
    if (n > 0 && list->n_entries != n) {
      NOTE(r, list->mark, "section '%s' has %d entries, '%s' has %d; give one per muscle",
           sections[i].name, list->n_entries, from, n);
    } else if (!is_muscle && n == 0 && r->config.n_muscles > 1 &&
               list->n_entries != r->config.n_muscles) {
      NOTE(r, list->mark, "section '%s' has %d entries for %d muscles; give one per muscle",
           sections[i].name, list->n_entries, r->config.n_muscles);
    } else if (n == 0) {
      n = list->n_entries;
      from = sections[i].name;
    }
  }
  r->config.n_muscles = n > 0 ? n : r->config.n_muscles;
}

static void check_root(reader *r) {
  if (type(r) == YAML_MAPPING_START_EVENT) {
    read_root(r);
    return;
  }
  if (type(r) == YAML_STREAM_END_EVENT || is_null(r)) {
    emg_config_note(
        &r->source, 1, 1,
        "the configuration is empty; write sections such as 'simulation:', or run init");
  } else if (type(r) == YAML_SCALAR_EVENT) {
    NOTE(r, mark_of(r), "%s is a single value; a configuration is a mapping of sections",
         emg_quote((const char *)r->source.event.data.scalar.value).text);
  } else if (type(r) == YAML_SEQUENCE_START_EVENT) {
    NOTE(r, mark_of(r), "this is a list; a configuration is a mapping of sections");
  }
  r->source.is_over = true;
}

static void read_stream(reader *r) {
  if (!next(r) || !next(r)) {
    return;  // stream start, then document start or stream end
  }
  if (type(r) == YAML_DOCUMENT_START_EVENT && !next(r)) {
    return;
  }
  check_root(r);
  if (next(r) && next(r) && type(r) != YAML_STREAM_END_EVENT) {
    NOTE(r, mark_of(r), "a second document starts here; keep one per file");
  }
  if (r->source.n_findings == 0) {
    settle_muscles(r);
  }
}

static emg_status reader_create(const char *text, size_t length, const char *name,
                                const emg_config *config, emg_error *err, reader **out) {
  int n_keys, n_sections;
  emg_config_keys(&n_keys);
  emg_config_sections(&n_sections);
  reader *r = calloc(1, sizeof *r);

  if (r) {
    r->keys = calloc((size_t)n_keys, sizeof *r->keys);
    r->lists = calloc((size_t)n_sections, sizeof *r->lists);
    r->section_line = calloc((size_t)n_sections, sizeof *r->section_line);
  }
  *out = r;
  if (!r || !r->keys || !r->lists || !r->section_line) {
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to read the configuration");
  }
  r->config = *config;
  return emg_config_events_open(&r->source, text, length, name, err);
}

static void reader_free(reader *r) {
  if (!r) {
    return;
  }
  emg_config_events_close(&r->source);
  free(r->keys);
  free(r->lists);
  free(r->section_line);
  free(r);
}

// As emg_config_parse, with the folder that relative paths in `text` start from.
static emg_status parse_layer(const char *text, size_t length, const char *name,
                              const char *directory, emg_config *config, emg_error *err) {
  reader *r;
  emg_status status;

  if (err) {
    *err = (emg_error){0};
  }
  EMG_TRY_DONE(reader_create(text, length, name, config, err, &r));
  read_stream(r);
  status = r->source.status;
  if (status == EMG_OK) {
    *config = r->config;
    if (r->sets_file) {
      snprintf(config->directory, sizeof config->directory, "%s", directory);
    }
  }
done:
  reader_free(r);
  return status;
}

emg_status emg_config_parse(const char *text, size_t length, const char *name, emg_config *config,
                            emg_error *err) {
  return parse_layer(text, length, name, "", config, err);
}

// Whole file, at most EMG_CONFIG_BYTES_MAX + 1 bytes: enough to see that it is too large.
static emg_status read_file(const char *path, char *text, size_t *length, emg_error *err) {
  FILE *file;

  emg_status status = emg_open_input(path, &file, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    return status;
  }
  *length = fread(text, 1, EMG_CONFIG_BYTES_MAX + 1, file);
  int failed = ferror(file) ? errno : 0;
  fclose(file);
  if (failed) {
    return emg_fail_at(err, EMG_ERR_IO, path, 0, 0, "cannot read the configuration: %s",
                       strerror(failed));
  }
  return EMG_OK;
}

emg_status emg_config_read(const char *path, emg_config *config, emg_error *err) {
  char directory[sizeof config->directory];
  const char *slash = strrchr(path, '/');
  // the root folder keeps its slash
  size_t n_directory = slash ? (size_t)(slash - path) + (slash == path) : 0, length = 0;
  emg_status status;

  if (n_directory >= sizeof directory) {
    return emg_fail(err, EMG_ERR_IO, "the path %s is too long", emg_quote(path).text);
  }
  memcpy(directory, path, n_directory);
  directory[n_directory] = '\0';
  char *text = malloc(EMG_CONFIG_BYTES_MAX + 1);
  if (!text) {
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to read the configuration");
  }
  EMG_TRY_DONE(read_file(path, text, &length, err));
  status = parse_layer(text, length, path, directory, config, err);
done:
  free(text);
  return status;
}
