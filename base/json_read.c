// json_read.c -- reading JSON in one pass over its text
#include "base/json_read.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

static bool fail(emg_json_cursor *c) {
  c->is_damaged = true;
  return false;
}

static void skip_blanks(emg_json_cursor *c) {
  c->at += strspn(c->at, " \t\r\n");
}

emg_json_cursor emg_json_at(const char *text) {
  return (emg_json_cursor){.at = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text};
}

char emg_json_peek(emg_json_cursor *c) {
  if (c->is_damaged) {
    return '\0';
  }
  skip_blanks(c);
  char first = *c->at;
  bool is_number = (first >= '0' && first <= '9') || strchr("-nNI", first);
  return first == '\0' ? '\0' : is_number ? '0' : first;
}

bool emg_json_enter(emg_json_cursor *c, char bracket) {
  if (emg_json_peek(c) != bracket) {
    return fail(c);
  }
  c->at++;
  c->is_first = true;
  return true;
}

// Before the next item of what is closed by `closing`; false after that bracket.
static bool next_item(emg_json_cursor *c, char closing) {
  if (c->is_damaged) {
    return false;
  }
  skip_blanks(c);
  if (*c->at == closing) {
    c->at++;
    c->is_first = false;
    return false;
  }
  if (!c->is_first && *c->at++ != ',') {
    return fail(c);
  }
  c->is_first = false;
  skip_blanks(c);
  return *c->at && *c->at != closing ? true : fail(c);
}

bool emg_json_next_element(emg_json_cursor *c) {
  return next_item(c, ']');
}

bool emg_json_next_member(emg_json_cursor *c, char *key, size_t size) {
  if (!next_item(c, '}') || !emg_json_read_text(c, key, size)) {
    return false;
  }
  skip_blanks(c);
  return *c->at++ == ':' ? true : fail(c);
}

bool emg_json_read_number(emg_json_cursor *c, double *value) {
  static const struct {
    const char *word;
    double value;
  } words[] = {{"null", NAN}, {"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
  const char *end;

  if (c->is_damaged) {
    return false;
  }
  skip_blanks(c);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t n = strlen(words[i].word);
    if (strncmp(c->at, words[i].word, n) == 0) {
      c->at += n;
      *value = words[i].value;
      return true;
    }
  }
  if (!emg_number_scan(c->at, &end, value)) {
    return fail(c);
  }
  c->at = end;
  return true;
}

bool emg_json_read_bool(emg_json_cursor *c, bool *value) {
  char first = emg_json_peek(c);
  const char *word = first == 't' ? "true" : "false";

  if (c->is_damaged || strncmp(c->at, word, strlen(word)) != 0) {
    return fail(c);
  }
  c->at += strlen(word);
  *value = first == 't';
  return true;
}

bool emg_json_read_span(emg_json_cursor *c, const char **bytes, size_t *n) {
  if (emg_json_peek(c) != '"') {
    return fail(c);
  }
  const char *at = c->at + 1;
  *bytes = at;
  for (at += strcspn(at, "\"\\"); *at == '\\' && at[1]; at += strcspn(at, "\"\\")) {
    at += 2;
  }
  if (*at != '"') {
    return fail(c);
  }
  *n = (size_t)(at - *bytes);
  c->at = at + 1;
  return true;
}

// Four hexadecimal digits; -1 if they are not.
static int32_t hex4(const char *at, const char *end) {
  int32_t code = 0;

  for (int i = 0; i < 4; i++) {
    char ch = at + i < end ? at[i] : '\0';
    int digit = ch >= '0' && ch <= '9'   ? ch - '0'
                : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
                : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                         : -1;
    if (digit < 0) {
      return -1;
    }
    code = 16 * code + digit;
  }
  return code;
}

static size_t put_utf8(uint32_t code, char *to) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    to[0] = (char)(0xc0 | code >> 6);
    to[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  to[0] = (char)(0xf0 | code >> 18);
  to[1] = (char)(0x80 | (code >> 12 & 0x3f));
  to[2] = (char)(0x80 | (code >> 6 & 0x3f));
  to[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

// The code of \uXXXX at `at` (after the u), of two of them for a surrogate pair; `used` counts the
// bytes read. Anything that is no character gives '?'.
static uint32_t unicode_escape(const char *at, const char *end, size_t *used) {
  int32_t code = hex4(at, end);

  *used = code < 0 ? 0 : 4;
  if (code >= 0xd800 && code < 0xdc00 && end - at >= 10 && at[4] == '\\' && at[5] == 'u') {
    int32_t low = hex4(at + 6, end);
    if (low >= 0xdc00 && low < 0xe000) {
      *used = 10;
      return 0x10000 + ((uint32_t)(code - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    }
  }
  return code <= 0 || (code >= 0xd800 && code < 0xe000) ? '?' : (uint32_t)code;
}

size_t emg_json_unescape(const char *from, size_t n, char *to) {
  static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
  const char *at = from, *end = from + n;
  char *out = to;

  while (at < end) {
    const char *stop = memchr(at, '\\', (size_t)(end - at));
    size_t plain = (size_t)((stop ? stop : end) - at);
    memmove(out, at, plain);
    out += plain;
    at += plain;
    if (end - at < 2) {
      break;
    }
    const char *letter = strchr(letters, at[1]);
    size_t used = 0;
    if (at[1] == 'u') {
      out += put_utf8(unicode_escape(at + 2, end, &used), out);
    } else {
      *out++ = letter && *letter ? meanings[letter - letters] : at[1];
    }
    at += 2 + used;
  }
  return (size_t)(out - to);
}

bool emg_json_read_text(emg_json_cursor *c, char *to, size_t size) {
  char piece[512];
  const char *bytes;
  size_t n;

  to[0] = '\0';
  if (!emg_json_read_span(c, &bytes, &n)) {
    return false;
  }
  // long texts are cut before their escapes are undone: nobody asks for that many
  n = emg_json_unescape(bytes, n < sizeof piece ? n : sizeof piece, piece);
  n = n < size - 1 ? n : size - 1;
  memcpy(to, piece, n);
  to[n] = '\0';
  return true;
}

bool emg_json_skip(emg_json_cursor *c) {
  const char *bytes;
  size_t n;
  int depth = 0;
  double value;

  do {
    char kind = emg_json_peek(c);
    if (kind == '"') {
      emg_json_read_span(c, &bytes, &n);
    } else if (kind == '0') {
      emg_json_read_number(c, &value);
    } else if (kind == 't' || kind == 'f') {
      bool flag;
      emg_json_read_bool(c, &flag);
    } else if (kind == '\0') {
      return fail(c);
    } else {
      // the kind of brackets, commas and colons is not checked in what is passed over
      if (!strchr(depth > 0 ? "{}[],:" : "{[", kind)) {
        return fail(c);
      }
      depth += (kind == '{' || kind == '[') - (kind == '}' || kind == ']');
      c->at++;
    }
  } while (depth > 0 && !c->is_damaged);
  c->is_first = false;
  return !c->is_damaged;
}
