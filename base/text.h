// text.h -- small helpers for text from outside: encoding, likeness, safe quoting (internal)
#ifndef EMG_BASE_TEXT_H
#define EMG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <emgtwin/status.h>

// Longest name that is compared for likeness; longer ones are like nothing.
#define EMG_NAME_MAX 64

// Bytes of `text` before the first that is not valid UTF-8; `length` if all of it is.
size_t emg_utf8_valid_length(const char *text, size_t length);

// True if `text` is valid UTF-8 in one line: no control characters, line or paragraph separators,
// byte order marks or non-characters.
bool emg_text_is_line(const char *text, size_t length);

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`; INT_MAX if
// one of them is longer than EMG_NAME_MAX.
int emg_edit_distance(const char *a, const char *b);

// True if a name at this distance from `written` is worth suggesting.
bool emg_is_near(const char *written, int distance);

// `text` between single quotes for a message: at most 60 bytes, control characters and bytes that
// are not UTF-8 replaced.
typedef struct {
  char text[80];
} emg_quoted;
emg_quoted emg_quote(const char *text);

#endif
