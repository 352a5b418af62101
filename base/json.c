// json.c -- small JSON writer into memory
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

static void append(emg_json *json, const char *bytes, size_t n) {
  if (json->has_failed) {
    return;
  }
  if (json->length + n + 1 > json->capacity) {
    size_t capacity = 2 * json->capacity + n + 256;
    char *text = realloc(json->text, capacity);
    if (!text) {
      json->has_failed = true;
      return;
    }
    json->text = text;
    json->capacity = capacity;
  }
  memcpy(json->text + json->length, bytes, n);
  json->length += n;
  json->text[json->length] = '\0';
}

static void append_text(emg_json *json, const char *text) {
  append(json, text, strlen(text));
}

// one JSON character for one input character: control characters and what JSON reserves escaped
static void append_escaped(emg_json *json, const char *at, size_t length) {
  unsigned char c = (unsigned char)at[0];
  char escape[8];

  if (c == '"' || c == '\\') {
    snprintf(escape, sizeof escape, "\\%c", c);
  } else if (c == '\n') {
    snprintf(escape, sizeof escape, "\\n");
  } else if (c == '\t') {
    snprintf(escape, sizeof escape, "\\t");
  } else if (c < 0x20 || c == 0x7f) {
    snprintf(escape, sizeof escape, "\\u%04x", c);
  } else {
    append(json, at, length);
    return;
  }
  append_text(json, escape);
}

static void append_string(emg_json *json, const char *value) {
  size_t left = strlen(value);

  append_text(json, "\"");
  while (left > 0) {
    size_t valid = emg_utf8_valid_length(value, left);
    for (size_t i = 0; i < valid; i++) {
      append_escaped(json, value + i, 1);
    }
    if (valid < left) {
      append_text(json, "\xef\xbf\xbd");
      valid++;
    }
    value += valid;
    left -= valid;
  }
  append_text(json, "\"");
}

static void new_line(emg_json *json) {
  append_text(json, "\n");
  for (int i = 0; i < json->depth; i++) {
    append_text(json, "  ");
  }
}

// comma, place and key of the next value; numbers of an array share a line
static void begin_value(emg_json *json, const char *key, bool is_number) {
  if (json->depth > 0) {
    bool *has_items = &json->has_items[json->depth - 1];
    bool shares_line = is_number && !key;
    assert((key != NULL) == (json->closing[json->depth - 1] == '}'));
    append_text(json, *has_items ? (shares_line ? ", " : ",") : "");
    *has_items = true;
    if (!shares_line) {
      new_line(json);
    }
  }
  if (key) {
    append_string(json, key);
    append_text(json, ": ");
  }
}

static void open_level(emg_json *json, const char *key, const char *opening, char closing) {
  begin_value(json, key, false);
  append_text(json, opening);
  assert(json->depth < EMG_JSON_DEPTH_MAX);
  json->closing[json->depth] = closing;
  json->has_items[json->depth] = false;
  json->depth++;
}

void emg_json_object(emg_json *json, const char *key) {
  open_level(json, key, "{", '}');
}

void emg_json_array(emg_json *json, const char *key) {
  open_level(json, key, "[", ']');
}

void emg_json_end(emg_json *json) {
  assert(json->depth > 0);
  json->depth--;
  // a line of numbers is closed on that line
  char last = json->length > 0 ? json->text[json->length - 1] : '\0';
  bool is_number_line = json->closing[json->depth] == ']' && !strchr("\"}]", last);
  if (json->has_items[json->depth] && !is_number_line) {
    new_line(json);
  }
  append(json, &json->closing[json->depth], 1);
}

void emg_json_text(emg_json *json, const char *key, const char *value) {
  if (!value) {
    emg_json_null(json, key);
    return;
  }
  begin_value(json, key, false);
  append_string(json, value);
}

void emg_json_number(emg_json *json, const char *key, double value) {
  begin_value(json, key, true);
  append_text(json, isfinite(value) ? emg_number_format(value).text : "null");
}

void emg_json_integer(emg_json *json, const char *key, int64_t value) {
  char text[32];

  snprintf(text, sizeof text, "%" PRId64, value);
  begin_value(json, key, true);
  append_text(json, text);
}

void emg_json_unsigned(emg_json *json, const char *key, uint64_t value) {
  char text[32];

  snprintf(text, sizeof text, "%" PRIu64, value);
  begin_value(json, key, true);
  append_text(json, text);
}

void emg_json_bool(emg_json *json, const char *key, bool value) {
  begin_value(json, key, true);
  append_text(json, value ? "true" : "false");
}

void emg_json_null(emg_json *json, const char *key) {
  begin_value(json, key, true);
  append_text(json, "null");
}

emg_status emg_json_finish(emg_json *json, char **text, emg_error *err) {
  assert(json->depth == 0);
  append_text(json, "\n");
  if (json->has_failed) {
    emg_json_free(json);
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory while writing JSON; free some memory");
  }
  *text = json->text;
  *json = (emg_json){0};
  return EMG_OK;
}

void emg_json_free(emg_json *json) {
  free(json->text);
  *json = (emg_json){0};
}
