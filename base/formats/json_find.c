// json_find.c -- the few values that are wanted from the sidecars of a recording
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "formats_priv.h"

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t\r\n");
}

// After a string that starts at `at` (a quote); NULL if it does not end.
static const char *skip_string(const char *at) {
  for (at++; *at && *at != '"'; at++) {
    if (*at == '\\' && at[1]) {
      at++;
    }
  }
  return *at ? at + 1 : NULL;
}

// After any value, nested ones included; the kind of brackets is not checked. NULL at the end.
static const char *skip_value(const char *at) {
  int depth = 0;

  for (; at && *at;) {
    if (*at == '"') {
      at = skip_string(at);
      continue;
    }
    if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) {
      return at;
    }
    depth += *at == '{' || *at == '[';
    depth -= *at == '}' || *at == ']';
    at++;
  }
  return NULL;
}

// Value of a key of the outermost object, NULL if there is none. Later keys win, as in other
// readers.
static const char *find_value(const char *text, const char *key) {
  const char *found = NULL, *at = skip_blanks(text);
  size_t length = strlen(key);

  if (strncmp(at, "\xef\xbb\xbf", 3) == 0) {
    at = skip_blanks(at + 3);
  }
  if (*at != '{') {
    return NULL;
  }
  while (at && *at && *at != '}') {
    const char *name = skip_blanks(at + 1);
    const char *after = *name == '"' ? skip_string(name) : NULL;
    if (!after) {
      return found;
    }
    const char *colon = skip_blanks(after);
    if (*colon != ':') {
      return found;
    }
    const char *value = skip_blanks(colon + 1);
    if ((size_t)(after - name) == length + 2 && strncmp(name + 1, key, length) == 0) {
      found = value;
    }
    at = skip_value(value);
  }
  return found;
}

bool emg_json_find_number(const char *text, const char *key, double *value) {
  const char *at = find_value(text, key), *end;

  return at && emg_number_scan(at, &end, value) && isfinite(*value);
}

bool emg_json_find_text(const char *text, const char *key, char *value, size_t size) {
  const char *at = find_value(text, key);
  const char *end = at && *at == '"' ? skip_string(at) : NULL;

  if (!end) {
    return false;
  }
  emg_label_copy(value, size, at + 1, (size_t)(end - at) - 2);
  return true;
}
