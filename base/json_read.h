// json_read.h -- reading JSON in one pass over its text (internal)
//
// A cursor moves over a text that ends in a zero byte. What is not JSON sets `is_damaged`, and from
// then on nothing is found, so that a caller checks once, at the end. Nesting is followed by the
// caller's own loops; skipping needs no recursion. NaN, Infinity and -Infinity are numbers, as
// Python writes them.
#ifndef EMG_BASE_JSON_READ_H
#define EMG_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *at;  // what comes next
  bool is_first;   // nothing of the array or object that was entered last has been read
  bool is_damaged;
} emg_json_cursor;

// `text` ends in a zero byte; a byte order mark is passed over.
emg_json_cursor emg_json_at(const char *text);

// Kind of the next value by its first character: { [ " 0 (a number or null), t, f; zero byte if
// there is none.
char emg_json_peek(emg_json_cursor *c);

// Step into the object or array ('{' or '[') that comes next.
bool emg_json_enter(emg_json_cursor *c, char bracket);
// The next member's key, cut to size - 1 bytes, or the next element; false past the last, after the
// closing bracket. Every value must be read or skipped before the next call.
bool emg_json_next_member(emg_json_cursor *c, char *key, size_t size);
bool emg_json_next_element(emg_json_cursor *c);

bool emg_json_read_number(emg_json_cursor *c, double *value);  // null is NaN
bool emg_json_read_bool(emg_json_cursor *c, bool *value);
// A text without its escapes, cut to size - 1 bytes.
bool emg_json_read_text(emg_json_cursor *c, char *to, size_t size);
// The same wherever it is and as long as it is: its bytes with their escapes.
bool emg_json_read_span(emg_json_cursor *c, const char **bytes, size_t *n);
bool emg_json_skip(emg_json_cursor *c);  // any value

// Undo the escapes of n bytes of a text; `to` may be `from`. Returns the bytes written (never more
// than n), without a zero byte.
size_t emg_json_unescape(const char *from, size_t n, char *to);

#endif
