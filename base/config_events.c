// config_events.c -- libyaml's events, guarded: size, encoding, depth, number, aliases, tags
#include "base/config_events_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define NOTE EMG_CONFIG_NOTE

void emg_config_note(emg_config_events *events, int line, int column, const char *format, ...) {
  char message[sizeof events->err->items[0].message];
  va_list args;

  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  events->status =
      emg_fail_more(events->err, EMG_ERR_CONFIG, events->name, line, column, "%s", message);
  events->n_findings++;
  events->is_over = events->is_over || events->n_findings >= EMG_DIAGNOSTICS_MAX;
}

// Line and column, from 1 and in characters, of a byte.
static void locate(const emg_config_events *events, size_t offset, int *line, int *column) {
  *line = *column = 1;
  for (size_t i = 0; i < offset && i < events->length; i++) {
    if (events->text[i] == '\n') {
      *line += 1;
      *column = 1;
    } else if (((unsigned char)events->text[i] & 0xc0) != 0x80) {
      *column += 1;
    }
  }
}

static bool is_tab_at(const emg_config_events *events, yaml_mark_t mark) {
  const char *at = events->text, *end = events->text + events->length;

  for (size_t line = 0; line < mark.line && at; line++) {
    at = memchr(at, '\n', (size_t)(end - at));
    at = at ? at + 1 : NULL;
  }
  return at && (size_t)(end - at) > mark.column && at[mark.column] == '\t';
}

static void note_yaml_error(emg_config_events *events) {
  const yaml_parser_t *yaml = &events->yaml;
  int line, column;

  if (yaml->error == YAML_MEMORY_ERROR) {
    events->status =
        emg_fail(events->err, EMG_ERR_MEMORY, "not enough memory to read the configuration");
  } else if (yaml->error == YAML_READER_ERROR) {
    locate(events, yaml->problem_offset, &line, &column);
    emg_config_note(events, line, column, "a control character (0x%02x); this is not a text file",
                    (unsigned)yaml->problem_value);
  } else if (is_tab_at(events, yaml->problem_mark)) {
    NOTE(events, yaml->problem_mark, "a tab indents this line; use blanks");
  } else {
    NOTE(events, yaml->problem_mark, "not valid YAML: %s; look at indentation, quotes and brackets",
         yaml->problem ? yaml->problem : "unknown problem");
  }
  events->is_over = true;
}

// Anchors, tags and aliases are refused wherever they stand; reading goes on.
static void check_decorations(emg_config_events *events) {
  const yaml_event_t *event = &events->event;
  const yaml_char_t *anchor = NULL, *tag = NULL;

  if (event->type == YAML_ALIAS_EVENT) {
    NOTE(events, event->start_mark, "the alias '*%.40s' is not supported; write the value again",
         (const char *)event->data.alias.anchor);
  } else if (event->type == YAML_SCALAR_EVENT) {
    anchor = event->data.scalar.anchor;
    tag = event->data.scalar.tag;
  } else if (event->type == YAML_SEQUENCE_START_EVENT) {
    anchor = event->data.sequence_start.anchor;
    tag = event->data.sequence_start.tag;
  } else if (event->type == YAML_MAPPING_START_EVENT) {
    anchor = event->data.mapping_start.anchor;
    tag = event->data.mapping_start.tag;
  }
  if (anchor) {
    NOTE(events, event->start_mark, "the anchor '&%.40s' is not supported; remove it",
         (const char *)anchor);
  }
  if (tag) {
    NOTE(events, event->start_mark, "the tag %s is not supported; remove it",
         emg_quote((const char *)tag).text);
  }
}

bool emg_config_events_next(emg_config_events *events) {
  if (events->is_over) {
    return false;
  }
  yaml_event_delete(&events->event);
  if (!yaml_parser_parse(&events->yaml, &events->event)) {
    note_yaml_error(events);
    return false;
  }
  const yaml_mark_t mark = events->event.start_mark;
  yaml_event_type_t type = events->event.type;
  events->depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
  events->depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
  if (events->depth > EMG_CONFIG_DEPTH_MAX) {
    NOTE(events, mark, "nested deeper than %d levels", EMG_CONFIG_DEPTH_MAX);
    events->is_over = true;
  } else if (++events->n_events > EMG_CONFIG_EVENTS_MAX) {
    NOTE(events, mark, "more than %d entries; this is not a configuration", EMG_CONFIG_EVENTS_MAX);
    events->is_over = true;
  } else {
    check_decorations(events);
  }
  return !events->is_over;
}

// Findings that need no YAML. False if there is one.
static bool check_bytes(emg_config_events *events) {
  size_t valid = emg_utf8_valid_length(events->text, events->length);
  int line, column;

  if (events->length > EMG_CONFIG_BYTES_MAX) {
    emg_config_note(events, 0, 0, "the configuration has more than 1 MiB; is this the right file?");
  } else if (valid < events->length) {
    locate(events, valid, &line, &column);
    emg_config_note(events, line, column, "byte 0x%02x is not UTF-8; save the file as UTF-8 text",
                    (unsigned)(unsigned char)events->text[valid]);
  }
  return events->n_findings == 0;
}

emg_status emg_config_events_open(emg_config_events *events, const char *text, size_t length,
                                  const char *name, emg_error *err) {
  // the byte order mark some editors write
  bool has_mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

  *events = (emg_config_events){.name = name, .err = err};
  events->text = has_mark ? text + 3 : text;
  events->length = has_mark ? length - 3 : length;
  if (!yaml_parser_initialize(&events->yaml)) {
    return emg_fail(err, EMG_ERR_MEMORY, "not enough memory to read the configuration");
  }
  yaml_parser_set_encoding(&events->yaml, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&events->yaml, (const unsigned char *)events->text, events->length);
  events->is_over = !check_bytes(events);
  return EMG_OK;
}

void emg_config_events_close(emg_config_events *events) {
  yaml_event_delete(&events->event);
  yaml_parser_delete(&events->yaml);
}
