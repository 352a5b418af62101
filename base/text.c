// text.c -- UTF-8 check, edit distance, quoting for messages
#include "base/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Decode one character; its length in bytes, 0 if it is not valid (overlong forms, surrogates and
// values past U+10FFFF are not).
static int decode(const unsigned char *at, size_t left, uint32_t *value) {
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  int length = at[0] < 0x80             ? 1
               : (at[0] & 0xe0) == 0xc0 ? 2
               : (at[0] & 0xf0) == 0xe0 ? 3
               : (at[0] & 0xf8) == 0xf0 ? 4
                                        : 0;

  if (length == 0 || (size_t)length > left) {
    return 0;
  }
  *value = length == 1 ? at[0] : at[0] & (0x7fu >> length);
  for (int i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) {
      return 0;
    }
    *value = *value << 6 | (at[i] & 0x3fu);
  }
  bool is_surrogate = *value >= 0xd800 && *value <= 0xdfff;
  return *value < least[length] || *value > 0x10ffff || is_surrogate ? 0 : length;
}

size_t emg_utf8_valid_length(const char *text, size_t length) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t at = 0;

  while (at < length) {
    uint32_t value;
    int step = decode(bytes + at, length - at, &value);
    if (step == 0) {
      break;
    }
    at += (size_t)step;
  }
  return at;
}

bool emg_text_is_line(const char *text, size_t length) {
  const unsigned char *bytes = (const unsigned char *)text;

  for (size_t at = 0; at < length;) {
    uint32_t c = 0;
    int step = decode(bytes + at, length - at, &c);
    bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool is_separator = c == 0x2028 || c == 0x2029 || c == 0xfeff;
    bool is_non_character = (c & 0xfffe) == 0xfffe;
    if (step == 0 || is_control || is_separator || is_non_character) {
      return false;
    }
    at += (size_t)step;
  }
  return true;
}

static int least(int a, int b) {
  return a < b ? a : b;
}

// optimal string alignment: three rows of the dynamic programme are enough
int emg_edit_distance(const char *a, const char *b) {
  const size_t n = strnlen(a, EMG_NAME_MAX + 1), m = strnlen(b, EMG_NAME_MAX + 1);
  int rows[3][EMG_NAME_MAX + 1];
  int *before = rows[0], *last = rows[1], *row = rows[2];

  if (n > EMG_NAME_MAX || m > EMG_NAME_MAX) {
    return INT_MAX;
  }
  for (size_t j = 0; j <= m; j++) {
    last[j] = (int)j;
  }
  for (size_t i = 1; i <= n; i++) {
    row[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int changed = last[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = least(changed, least(last[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = least(row[j], before[j - 2] + 1);
      }
    }
    int *oldest = before;
    before = last;
    last = row;
    row = oldest;
  }
  return last[m];
}

bool emg_is_near(const char *written, int distance) {
  size_t length = strnlen(written, EMG_NAME_MAX + 1);
  return (size_t)distance <= (length < 6 ? 2 : length / 3);
}

emg_quoted emg_quote(const char *text) {
  enum { SHOWN = 60 };
  emg_quoted quoted;
  size_t length = strnlen(text, SHOWN + 1);
  bool is_cut = length > SHOWN;
  char body[SHOWN + 1];

  // not in the middle of a character
  length = is_cut ? SHOWN : length;
  while (is_cut && length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
    length--;
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    body[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  body[length] = '\0';
  for (size_t i = 0; (i += emg_utf8_valid_length(body + i, length - i)) < length;) {
    body[i] = '?';
  }
  snprintf(quoted.text, sizeof quoted.text, "'%s%s'", body, is_cut ? "..." : "");
  return quoted;
}
