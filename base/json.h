// json.h -- small JSON writer into memory (internal)
//
// Numbers read back to the same double; NaN and infinity become null; text that is not UTF-8 gets
// U+FFFD in place of each bad byte. Every call after a failed allocation does nothing, and
// emg_json_finish reports it.
#ifndef EMG_BASE_JSON_H
#define EMG_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

#define EMG_JSON_DEPTH_MAX 32

// Start from {0}.
typedef struct {
  char *text;
  size_t length, capacity;
  int depth;
  char closing[EMG_JSON_DEPTH_MAX];  // bracket that ends each level
  bool has_items[EMG_JSON_DEPTH_MAX];
  bool has_failed;
} emg_json;

// `key` names a member of an object and is NULL for an element of an array and for the root.
void emg_json_object(emg_json *json, const char *key);
void emg_json_array(emg_json *json, const char *key);
void emg_json_end(emg_json *json);  // the innermost object or array

void emg_json_text(emg_json *json, const char *key, const char *value);  // NULL gives null
void emg_json_number(emg_json *json, const char *key, double value);
void emg_json_integer(emg_json *json, const char *key, int64_t value);
void emg_json_unsigned(emg_json *json, const char *key, uint64_t value);
void emg_json_bool(emg_json *json, const char *key, bool value);
void emg_json_null(emg_json *json, const char *key);

// Ends the document with a newline and hands over its text, malloc'ed. EMG_ERR_MEMORY.
emg_status emg_json_finish(emg_json *json, char **text, emg_error *err);
void emg_json_free(emg_json *json);

#endif
