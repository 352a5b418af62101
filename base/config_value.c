// config_value.c -- one value of the configuration: from text, range check, back to text
#include "base/config_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/text.h"

__attribute__((format(printf, 2, 3))) static bool refuse(emg_reason *reason, const char *format,
                                                         ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(reason->text, sizeof reason->text, format, args);
  va_end(args);
  return false;
}

static bool check_range(const emg_config_key *key, double value, emg_reason *reason) {
  if (value >= key->min && value <= key->max) {
    return true;
  }
  bool is_fraction = strcmp(key->unit, "fraction") == 0;
  const char *unit = is_fraction ? "" : key->unit, *blank = unit[0] ? " " : "";
  return refuse(reason, "%s%s%s is outside the range %s to %s%s%s%s", emg_number_format(value).text,
                blank, unit, emg_number_format(key->min).text, emg_number_format(key->max).text,
                blank, unit, is_fraction ? "; a fraction is written 0.3 or 30 %" : "");
}

static bool parse_number(const emg_config_key *key, const char *text, double *value,
                         emg_reason *reason) {
  double number;
  if (!emg_quantity_convert(text, key->unit, &number, reason) ||
      !check_range(key, number, reason)) {
    return false;
  }
  *value = number;
  return true;
}

// Whole numbers never go through a double: 2^53 + 1 stays itself and 4.7 or 1e3 is refused.
static bool scan_whole(const char *text, bool *is_negative, uint64_t *magnitude) {
  const char *at = text + strspn(text, " \t");

  *is_negative = *at == '-';
  at += *at == '-' || *at == '+';
  size_t n_digits = strspn(at, "0123456789");
  const char *rest = at + n_digits;
  if (n_digits == 0 || rest[strspn(rest, " \t")] != '\0') {
    return false;
  }
  errno = 0;
  *magnitude = strtoull(at, NULL, 10);
  return errno == 0;
}

static bool parse_i32(const emg_config_key *key, const char *text, int *value, emg_reason *reason) {
  bool is_negative;
  uint64_t magnitude;

  if (!scan_whole(text, &is_negative, &magnitude)) {
    return refuse(reason, "%s is not a whole number", emg_quote(text).text);
  }
  if (magnitude > INT_MAX) {
    return refuse(reason, "%s is outside the range %s to %s", emg_quote(text).text,
                  emg_number_format(key->min).text, emg_number_format(key->max).text);
  }
  int number = is_negative ? -(int)magnitude : (int)magnitude;
  if (!check_range(key, number, reason)) {
    return false;
  }
  *value = number;
  return true;
}

// The only such key, the seed, takes every value there is, so there is no range to check.
static bool parse_u64(const char *text, uint64_t *value, emg_reason *reason) {
  bool is_negative;
  uint64_t magnitude;

  if (!scan_whole(text, &is_negative, &magnitude) || (is_negative && magnitude > 0)) {
    return refuse(reason, "%s is not a whole number from 0 to %" PRIu64, emg_quote(text).text,
                  UINT64_MAX);
  }
  *value = magnitude;
  return true;
}

static bool parse_bool(const char *text, bool *value, emg_reason *reason) {
  static const char *const words[6] = {"true", "yes", "on", "false", "no", "off"};

  for (int i = 0; i < 6; i++) {
    if (strcasecmp(text, words[i]) == 0) {
      *value = i < 3;
      return true;
    }
  }
  return refuse(reason, "%s is neither true nor false", emg_quote(text).text);
}

static bool parse_text(const char *text, char *value, emg_reason *reason) {
  size_t length = strlen(text);

  if (length >= EMG_TEXT_MAX) {
    return refuse(reason, "the text has %zu bytes, at most %d are kept", length, EMG_TEXT_MAX - 1);
  }
  if (!emg_text_is_line(text, length)) {
    return refuse(reason, "%s is not one line of UTF-8 text", emg_quote(text).text);
  }
  // all of it is set, so that equal configurations have equal bytes
  memset(value, 0, EMG_TEXT_MAX);
  memcpy(value, text, length);
  return true;
}

// Compare `text` with each of "a|b|c"; the index, or -1 and the nearest one in `near`.
static int find_choice(const char *choices, const char *text, char near[EMG_NAME_MAX]) {
  int least = INT_MAX, index = 0;
  char name[EMG_NAME_MAX];

  near[0] = '\0';
  for (const char *at = choices; at; index++) {
    const char *bar = strchr(at, '|');
    size_t length = bar ? (size_t)(bar - at) : strlen(at);

    snprintf(name, sizeof name, "%.*s", (int)length, at);
    if (strcmp(name, text) == 0) {
      return index;
    }
    int distance = emg_edit_distance(text, name);
    if (emg_is_near(text, distance) && distance < least) {
      least = distance;
      memcpy(near, name, sizeof name);
    }
    at = bar ? bar + 1 : NULL;
  }
  return -1;
}

static bool parse_choice(const emg_config_key *key, const char *text, int *value,
                         emg_reason *reason) {
  char near[EMG_NAME_MAX], list[200] = "";
  int index = find_choice(key->choices, text, near);

  if (index >= 0) {
    *value = index;
    return true;
  }
  for (const char *at = key->choices; *at; at++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%.*s", *at == '|' ? 2 : 1, *at == '|' ? ", " : at);
  }
  return near[0] ? refuse(reason, "%s is none of %s; did you mean '%s'?", emg_quote(text).text,
                          list, near)
                 : refuse(reason, "%s is none of %s", emg_quote(text).text, list);
}

bool emg_config_list_append(const emg_config_key *key, const char *text, emg_list *list,
                            emg_reason *reason) {
  double value;

  if (list->n >= EMG_LIST_MAX) {
    return refuse(reason, "the list has more than %d numbers", EMG_LIST_MAX);
  }
  if (!parse_number(key, text, &value, reason)) {
    return false;
  }
  list->values[list->n++] = value;
  return true;
}

// "0.1, 0.2" or "[10 %, 20 %]", as given with --set and in the defaults.
static bool parse_list(const emg_config_key *key, const char *text, emg_list *value,
                       emg_reason *reason) {
  emg_list list = {0};
  char item[EMG_TEXT_MAX];
  const char *at = text + strspn(text, " \t"), *end = at + strlen(at);

  while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
    end--;
  }
  if (end - at >= 2 && at[0] == '[' && end[-1] == ']') {
    at++;
    end--;
    at += strspn(at, " \t");
    at = at > end ? end : at;
  }
  while (at < end) {
    size_t length = strcspn(at, ",");
    length = at + length > end ? (size_t)(end - at) : length;
    if (length >= sizeof item) {
      return refuse(reason, "%s is not a list of numbers", emg_quote(text).text);
    }
    memcpy(item, at, length);
    item[length] = '\0';
    if (!emg_config_list_append(key, item, &list, reason)) {
      return false;
    }
    bool is_last = at + length >= end;
    at += length + !is_last;
    if (!is_last && at >= end) {
      return refuse(reason, "%s ends with a comma", emg_quote(text).text);
    }
  }
  *value = list;
  return true;
}

bool emg_config_texts_append(const char *text, emg_texts *texts, emg_reason *reason) {
  const char *at = text + strspn(text, " \t"), *end = at + strlen(at);

  while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
    end--;
  }
  size_t length = (size_t)(end - at);
  if (texts->n >= EMG_TEXTS_MAX) {
    return refuse(reason, "the list has more than %d lines", EMG_TEXTS_MAX);
  }
  if (length == 0 || length >= EMG_ENTRY_MAX) {
    return refuse(reason, "a line has %zu bytes, 1 to %d are taken", length, EMG_ENTRY_MAX - 1);
  }
  if (memchr(at, ';', length) || !emg_text_is_line(at, length)) {
    return refuse(reason, "%s is not one line of UTF-8 text without ';'", emg_quote(at).text);
  }
  memcpy(texts->values[texts->n++], at, length);
  return true;
}

// "a = 1 | 2; b = 3", as given with --set and in the defaults.
static bool parse_texts(const char *text, emg_texts *value, emg_reason *reason) {
  emg_texts texts = {0};
  char line[EMG_ENTRY_MAX + 2];
  const char *at = text + strspn(text, " \t");

  while (*at) {
    size_t length = strcspn(at, ";"), kept = length < sizeof line ? length : sizeof line - 1;
    memcpy(line, at, kept);
    line[kept] = '\0';
    if (!emg_config_texts_append(line, &texts, reason)) {
      return false;
    }
    at += length + (at[length] == ';');
    at += strspn(at, " \t");
  }
  *value = texts;
  return true;
}

bool emg_config_value_parse(const emg_config_key *key, const char *text, void *values,
                            emg_reason *reason) {
  void *value = (char *)values + key->offset;

  switch (key->type) {
    case EMG_KEY_F64:
      return parse_number(key, text, value, reason);
    case EMG_KEY_I32:
      return parse_i32(key, text, value, reason);
    case EMG_KEY_U64:
      return parse_u64(text, value, reason);
    case EMG_KEY_BOOL:
      return parse_bool(text, value, reason);
    case EMG_KEY_TEXT:
      return parse_text(text, value, reason);
    case EMG_KEY_LIST:
      return parse_list(key, text, value, reason);
    case EMG_KEY_TEXTS:
      return parse_texts(text, value, reason);
    case EMG_KEY_CHOICE:
      return parse_choice(key, text, value, reason);
  }
  return false;
}

// --- Values a caller may have set in C ---

static int count_choices(const char *choices) {
  int n = 1;
  for (; *choices; choices++) {
    n += *choices == '|';
  }
  return n;
}

static bool check_list(const emg_config_key *key, const emg_list *list, emg_reason *reason) {
  if (list->n < 0 || list->n > EMG_LIST_MAX) {
    return refuse(reason, "a list of %d numbers, at most %d are kept", list->n, EMG_LIST_MAX);
  }
  for (int i = 0; i < list->n; i++) {
    if (!check_range(key, list->values[i], reason)) {
      return false;
    }
  }
  return true;
}

static bool is_kept_line(const char *text, size_t size) {
  const char *end = memchr(text, '\0', size);
  return end && emg_text_is_line(text, (size_t)(end - text));
}

static bool check_texts(const emg_texts *texts, emg_reason *reason) {
  if (texts->n < 0 || texts->n > EMG_TEXTS_MAX) {
    return refuse(reason, "a list of %d lines, at most %d are kept", texts->n, EMG_TEXTS_MAX);
  }
  for (int i = 0; i < texts->n; i++) {
    const char *line = texts->values[i];
    if (!is_kept_line(line, EMG_ENTRY_MAX) || line[0] == '\0' || strchr(line, ';')) {
      return refuse(reason, "line %d is not one of UTF-8 text without ';'", i + 1);
    }
  }
  return true;
}

static bool check_value(const emg_config_key *key, const void *values, emg_reason *reason) {
  const char *value = (const char *)values + key->offset;

  switch (key->type) {
    case EMG_KEY_F64:
      return check_range(key, *(const double *)value, reason);
    case EMG_KEY_I32:
      return check_range(key, *(const int *)value, reason);
    case EMG_KEY_LIST:
      return check_list(key, (const emg_list *)value, reason);
    case EMG_KEY_TEXTS:
      return check_texts((const emg_texts *)value, reason);
    case EMG_KEY_TEXT:
      return is_kept_line(value, EMG_TEXT_MAX) ||
             refuse(reason, "not one line of UTF-8 text of at most %d bytes", EMG_TEXT_MAX - 1);
    case EMG_KEY_CHOICE: {
      int index = *(const int *)value, n = count_choices(key->choices);
      return (index >= 0 && index < n) ||
             refuse(reason, "choice number %d is outside the range 0 to %d", index, n - 1);
    }
    case EMG_KEY_U64:
    case EMG_KEY_BOOL:
      return true;
  }
  return false;
}

emg_status emg_config_values_check(const emg_config *config, emg_error *err) {
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);
  emg_status status = EMG_OK;

  if (err) {
    *err = (emg_error){0};
  }
  if (config->n_muscles < 1 || config->n_muscles > EMG_MUSCLES_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG, "%d muscles are outside the range 1 to %d",
                    config->n_muscles, EMG_MUSCLES_MAX);
  }
  for (int s = 0; s < n_sections; s++) {
    int n_keys, n_entries = sections[s].repeatable ? config->n_muscles : 1;
    const emg_config_key *keys = emg_config_section_keys(&sections[s], &n_keys);

    for (int i = 0; i < n_entries * n_keys; i++) {
      const void *values = emg_config_entry_const(config, &sections[s], i / n_keys);
      const emg_config_key *key = &keys[i % n_keys];
      emg_reason reason;
      if (!check_value(key, values, &reason)) {
        status = emg_fail_more(err, EMG_ERR_CONFIG, NULL, 0, 0, "%s.%s: %s", key->section,
                               key->name, reason.text);
      }
    }
  }
  return status;
}

// --- Back to text ---

// texts are always quoted: no plain scalar can then be taken for something else
static void print_text(const char *text, FILE *out) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') {
      fputc('\\', out);
    }
    fputc(*text, out);
  }
  fputc('"', out);
}

static void print_list(const emg_list *list, FILE *out) {
  fputc('[', out);
  for (int i = 0; i < list->n; i++) {
    fprintf(out, "%s%s", i ? ", " : "", emg_number_format(list->values[i]).text);
  }
  fputc(']', out);
}

static void print_texts(const emg_texts *texts, FILE *out) {
  fputc('[', out);
  for (int i = 0; i < texts->n; i++) {
    fputs(i ? ", " : "", out);
    print_text(texts->values[i], out);
  }
  fputc(']', out);
}

static void print_choice(const char *choices, int index, FILE *out) {
  while (index-- > 0) {
    choices = strchr(choices, '|') + 1;
  }
  fprintf(out, "%.*s", (int)strcspn(choices, "|"), choices);
}

void emg_config_value_print(const emg_config_key *key, const void *values, FILE *out) {
  const void *value = (const char *)values + key->offset;

  switch (key->type) {
    case EMG_KEY_F64:
      fputs(emg_number_format(*(const double *)value).text, out);
      return;
    case EMG_KEY_I32:
      fprintf(out, "%d", *(const int *)value);
      return;
    case EMG_KEY_U64:
      fprintf(out, "%" PRIu64, *(const uint64_t *)value);
      return;
    case EMG_KEY_BOOL:
      fputs(*(const bool *)value ? "true" : "false", out);
      return;
    case EMG_KEY_TEXT:
      print_text(value, out);
      return;
    case EMG_KEY_LIST:
      print_list(value, out);
      return;
    case EMG_KEY_TEXTS:
      print_texts(value, out);
      return;
    case EMG_KEY_CHOICE:
      print_choice(key->choices, *(const int *)value, out);
      return;
  }
}
