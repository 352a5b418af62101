// number.c -- decimal numbers to and from text without regard to the locale
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;

static void make_c_locale(void) {
  c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

// the locale lives as long as the process
static locale_t get_c_locale(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_c_locale);
  return c_locale;
}

static const char *skip_digits(const char *at) {
  while (*at >= '0' && *at <= '9') {
    at++;
  }
  return at;
}

// end of [+-] digits [. digits] [e [+-] digits], NULL if there is no digit
static const char *scan_decimal(const char *text) {
  const char *start = text + (*text == '+' || *text == '-');
  const char *end = skip_digits(start);
  int n_digits = (int)(end - start);

  if (*end == '.') {
    const char *fraction = end + 1;
    end = skip_digits(fraction);
    n_digits += (int)(end - fraction);
  }
  if (n_digits == 0) {
    return NULL;
  }
  if (*end == 'e' || *end == 'E') {
    const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
    const char *exponent_end = skip_digits(exponent);
    end = exponent_end > exponent ? exponent_end : end;
  }
  return end;
}

bool emg_number_scan(const char *text, const char **end, double *value) {
  *end = scan_decimal(text);
  if (!*end) {
    return false;
  }
  // "0x10" is the number 0 and a rest, but hexadecimal to strtod
  const char *digits = text + (*text == '+' || *text == '-');
  bool is_hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  *value = is_hexadecimal ? 0 : strtod_l(text, NULL, get_c_locale());
  return true;
}

emg_number emg_number_format(double value) {
  emg_number number;
  locale_t previous = uselocale(get_c_locale());

  // 17 digits always read back; most values need fewer
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(number.text, sizeof number.text, "%.*g", digits, value);
    if (strtod(number.text, NULL) == value) {
      break;
    }
  }
  uselocale(previous);
  return number;
}

// Write the digits of a decimal number, the point after `place` of them, without trailing zeros.
static char *put_digits(char *to, const char *digits, int n, int place) {
  if (place <= 0) {
    *to++ = '0';
    *to++ = '.';
    for (; place < 0; place++) {
      *to++ = '0';
    }
    memcpy(to, digits, (size_t)n);
    return to + n;
  }
  for (int i = 0; i < n || i < place; i++) {
    if (i == place) {
      *to++ = '.';
    }
    *to++ = i < n ? digits[i] : '0';
  }
  return to;
}

emg_number emg_number_format_float(double value) {
  enum { DIGITS = 9 };
  double size = fabs(value);
  emg_number number;
  char digits[DIGITS], *to = number.text;

  if (!(size > 1e-30 && size < 1e30)) {  // zero, and what no recording holds
    return emg_number_format(value);
  }
  int exponent = (int)floor(log10(size));
  int64_t whole = llround(size * pow(10, DIGITS - 1 - exponent));
  if (whole >= 1000000000) {  // rounded up, or the logarithm was
    exponent++;
    whole = llround(size * pow(10, DIGITS - 1 - exponent));
  }
  for (int i = DIGITS - 1; i >= 0; i--) {
    digits[i] = (char)('0' + whole % 10);
    whole /= 10;
  }
  int n = DIGITS;
  while (n > 1 && digits[n - 1] == '0') {
    n--;
  }
  if (value < 0) {
    *to++ = '-';
  }
  bool is_plain = exponent >= -6 && exponent < DIGITS;
  to = put_digits(to, digits, n, is_plain ? exponent + 1 : 1);
  *to = '\0';
  if (!is_plain) {
    snprintf(to, (size_t)(number.text + sizeof number.text - to), "e%d", exponent);
  }
  return number;
}
