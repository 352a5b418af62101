// json_find.c -- the few values that are wanted from the sidecars of a recording
#include <math.h>
#include <string.h>

#include "base/json_read.h"
#include "formats_priv.h"

// At the value of a key of the outermost object; false if there is none. Later keys win, as in
// other readers.
static bool find_value(const char *text, const char *key, emg_json_cursor *value) {
  emg_json_cursor c = emg_json_at(text);
  char name[128];
  bool is_found = false;

  emg_json_enter(&c, '{');
  while (emg_json_next_member(&c, name, sizeof name)) {
    if (strcmp(name, key) == 0) {
      *value = c;
      is_found = true;
    }
    emg_json_skip(&c);
  }
  return is_found;
}

bool emg_json_find_number(const char *text, const char *key, double *value) {
  emg_json_cursor c;

  return find_value(text, key, &c) && emg_json_peek(&c) == '0' && emg_json_read_number(&c, value) &&
         isfinite(*value);
}

bool emg_json_find_text(const char *text, const char *key, char *value, size_t size) {
  emg_json_cursor c;
  char copy[512];

  if (!find_value(text, key, &c) || !emg_json_read_text(&c, copy, sizeof copy)) {
    return false;
  }
  emg_label_copy(value, size, copy, strlen(copy));
  return true;
}
