// json_check.c -- exits with 0 if standard input is exactly one JSON document (RFC 8259)
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *at;

static void skip_blanks(void) {
  at += strspn(at, " \t\r\n");
}

static bool take(char c) {
  skip_blanks();
  return *at == c ? (at++, true) : false;
}

static bool read_string(void) {
  if (!take('"')) {
    return false;
  }
  for (; *at && *at != '"'; at++) {
    if ((unsigned char)*at < 0x20) {
      return false;
    }
    if (*at == '\\') {
      at++;
      if (*at == 'u') {
        for (int i = 0; i < 4; i++) {
          if (!isxdigit((unsigned char)*++at)) {
            return false;
          }
        }
      } else if (!*at || !strchr("\"\\/bfnrt", *at)) {
        return false;
      }
    }
  }
  return *at++ == '"';
}

static bool read_digits(void) {
  const char *start = at;
  at += strspn(at, "0123456789");
  return at > start;
}

static bool read_number(void) {
  at += *at == '-';
  const char *whole = at;
  if (!read_digits() || (*whole == '0' && at > whole + 1)) {
    return false;
  }
  if (*at == '.' && (at++, !read_digits())) {
    return false;
  }
  if (*at == 'e' || *at == 'E') {
    at++;
    at += *at == '+' || *at == '-';
    return read_digits();
  }
  return true;
}

static bool read_word(const char *word) {
  size_t length = strlen(word);
  return strncmp(at, word, length) == 0 ? (at += length, true) : false;
}

static bool read_value(int depth);

// members or elements up to the closing bracket
static bool read_list(char closing, int depth) {
  if (take(closing)) {
    return true;
  }
  do {
    if (closing == '}' && !(read_string() && take(':'))) {
      return false;
    }
    if (!read_value(depth + 1)) {
      return false;
    }
  } while (take(','));
  return take(closing);
}

static bool read_value(int depth) {
  skip_blanks();
  if (depth > 64) {
    return false;
  }
  if (*at == '"') {
    return read_string();
  }
  if (*at == '{' || *at == '[') {
    return read_list(*at++ == '{' ? '}' : ']', depth);
  }
  return read_word("true") || read_word("false") || read_word("null") || read_number();
}

int main(void) {
  static char text[1 << 24];
  size_t n = fread(text, 1, sizeof text - 1, stdin);

  at = text;
  if (strlen(text) != n || !read_value(0)) {
    fprintf(stderr, "no JSON from byte %td on: %.40s\n", at - text, at);
    return 1;
  }
  skip_blanks();
  if (*at) {
    fprintf(stderr, "more than one JSON document: %.40s\n", at);
    return 1;
  }
  return 0;
}
