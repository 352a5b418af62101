// quantity.c -- numbers with units: "2048 Hz", "8mm", "30 %MVC"
#include "base/config_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

typedef enum {
  DIMENSION_NONE,
  DIMENSION_LENGTH,
  DIMENSION_TIME,
  DIMENSION_RATE,
  DIMENSION_VOLTAGE,
  DIMENSION_CONDUCTIVITY,
  DIMENSION_ANGLE,
  DIMENSION_VELOCITY,
  DIMENSION_LEVEL,
  DIMENSION_DENSITY,
  DIMENSION_FRACTION,
  N_DIMENSIONS
} dimension;

static const char *const dimension_names[N_DIMENSIONS] = {
    "a plain number", "a length",          "a time",    "a rate",
    "a voltage",      "a conductivity",    "an angle",  "a velocity",
    "a level",        "a number per area", "a fraction"};

// `size` times `over` is the unit in terms of the first of its dimension; two factors, so that
// powers of ten stay exact
typedef struct {
  const char *symbol;
  dimension dimension;
  double size, over;
  bool is_alias;  // not offered in messages
} unit_row;

static const unit_row units[] = {
    {"", DIMENSION_NONE, 1, 1, true},
    {"%", DIMENSION_NONE, 1, 100, false},
    {"m", DIMENSION_LENGTH, 1, 1, false},
    {"cm", DIMENSION_LENGTH, 1, 100, false},
    {"mm", DIMENSION_LENGTH, 1, 1000, false},
    {"um", DIMENSION_LENGTH, 1, 1e6, false},
    {"\xc2\xb5m", DIMENSION_LENGTH, 1, 1e6, true},
    {"\xce\xbcm", DIMENSION_LENGTH, 1, 1e6, true},
    {"s", DIMENSION_TIME, 1, 1, false},
    {"ms", DIMENSION_TIME, 1, 1000, false},
    {"us", DIMENSION_TIME, 1, 1e6, false},
    {"\xc2\xb5s", DIMENSION_TIME, 1, 1e6, true},
    {"\xce\xbcs", DIMENSION_TIME, 1, 1e6, true},
    {"min", DIMENSION_TIME, 60, 1, false},
    {"h", DIMENSION_TIME, 3600, 1, false},
    {"Hz", DIMENSION_RATE, 1, 1, false},
    {"kHz", DIMENSION_RATE, 1000, 1, false},
    {"1/s", DIMENSION_RATE, 1, 1, false},
    {"pps", DIMENSION_RATE, 1, 1, false},
    {"1/min", DIMENSION_RATE, 1, 60, true},
    {"%/s", DIMENSION_RATE, 1, 100, true},
    {"V", DIMENSION_VOLTAGE, 1, 1, false},
    {"mV", DIMENSION_VOLTAGE, 1, 1000, false},
    {"uV", DIMENSION_VOLTAGE, 1, 1e6, false},
    {"\xc2\xb5V", DIMENSION_VOLTAGE, 1, 1e6, true},
    {"\xce\xbcV", DIMENSION_VOLTAGE, 1, 1e6, true},
    {"S/m", DIMENSION_CONDUCTIVITY, 1, 1, false},
    {"mS/m", DIMENSION_CONDUCTIVITY, 1, 1000, false},
    {"S/cm", DIMENSION_CONDUCTIVITY, 100, 1, true},
    {"mS/cm", DIMENSION_CONDUCTIVITY, 1, 10, true},
    {"deg", DIMENSION_ANGLE, 1, 1, false},
    {"\xc2\xb0", DIMENSION_ANGLE, 1, 1, true},
    {"rad", DIMENSION_ANGLE, 180, 3.14159265358979323846, false},
    {"m/s", DIMENSION_VELOCITY, 1, 1, false},
    {"mm/ms", DIMENSION_VELOCITY, 1, 1, false},
    {"cm/s", DIMENSION_VELOCITY, 1, 100, true},
    {"mm/s", DIMENSION_VELOCITY, 1, 1000, true},
    {"dB", DIMENSION_LEVEL, 1, 1, false},
    {"1/mm^2", DIMENSION_DENSITY, 1, 1, false},
    {"/mm^2", DIMENSION_DENSITY, 1, 1, true},
    {"1/mm2", DIMENSION_DENSITY, 1, 1, true},
    {"mm^-2", DIMENSION_DENSITY, 1, 1, true},
    {"1/cm^2", DIMENSION_DENSITY, 1, 100, false},
    {"%MVC", DIMENSION_FRACTION, 1, 100, false},
    {"% MVC", DIMENSION_FRACTION, 1, 100, true},
    {"fraction", DIMENSION_FRACTION, 1, 1, true},
};

enum { N_UNITS = sizeof units / sizeof units[0] };

static const unit_row *find_unit(const char *symbol) {
  for (int i = 0; i < N_UNITS; i++) {
    if (strcmp(units[i].symbol, symbol) == 0) {
      return &units[i];
    }
  }
  return NULL;
}

// a plain number or "%" is a fraction too
static bool converts(const unit_row *from, const unit_row *to) {
  return from->dimension == to->dimension ||
         (from->dimension == DIMENSION_NONE && to->dimension == DIMENSION_FRACTION);
}

// "um, mm, cm or m"
static void list_units(const unit_row *wanted, char *text, size_t size) {
  const unit_row *offered[N_UNITS];
  int n = 0;

  for (int i = 0; i < N_UNITS; i++) {
    if (!units[i].is_alias && converts(&units[i], wanted)) {
      offered[n++] = &units[i];
    }
  }
  text[0] = '\0';
  for (int i = 0; i < n; i++) {
    size_t used = strlen(text);
    const char *separator = i == 0 ? "" : i == n - 1 ? " or " : ", ";
    snprintf(text + used, size - used, "%s%s", separator, offered[i]->symbol);
  }
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// the unit written after the number, blanks around it removed; false if it is too long to be one
static bool copy_suffix(const char *from, char *suffix, size_t size) {
  while (is_blank(*from)) {
    from++;
  }
  size_t length = strlen(from);
  while (length > 0 && is_blank(from[length - 1])) {
    length--;
  }
  if (length >= size) {
    return false;
  }
  memcpy(suffix, from, length);
  suffix[length] = '\0';
  return true;
}

static bool refuse_unit(const char *text, const char *rest, const unit_row *from,
                        const unit_row *wanted, emg_reason *reason) {
  char offer[120];
  list_units(wanted, offer, sizeof offer);

  if (from) {
    snprintf(reason->text, sizeof reason->text, "%s is %s, not %s; write %s%s",
             emg_quote(text).text, dimension_names[from->dimension],
             dimension_names[wanted->dimension],
             wanted->dimension == DIMENSION_NONE ? "a plain number or " : "it in ", offer);
  } else {
    snprintf(
        reason->text, sizeof reason->text,
        "%s: %s after the number is not a unit known here; write %s%s", emg_quote(text).text,
        emg_quote(rest).text,
        wanted->dimension == DIMENSION_NONE ? "a plain number or " : "the number alone or with ",
        offer);
  }
  return false;
}

bool emg_quantity_convert(const char *text, const char *unit, double *value, emg_reason *reason) {
  enum { LONGEST = 200 };
  const unit_row *wanted = find_unit(unit);
  const char *rest;
  char suffix[16];
  double number;

  if (!wanted) {
    snprintf(reason->text, sizeof reason->text, "there is no unit '%s'", unit);
    return false;
  }
  while (is_blank(*text)) {
    text++;
  }
  if (strnlen(text, LONGEST + 1) > LONGEST || !emg_number_scan(text, &rest, &number)) {
    snprintf(reason->text, sizeof reason->text, "%s is not a number", emg_quote(text).text);
    return false;
  }
  if (!isfinite(number)) {
    snprintf(reason->text, sizeof reason->text, "%s is too large for a number",
             emg_quote(text).text);
    return false;
  }
  bool fits = copy_suffix(rest, suffix, sizeof suffix);
  const unit_row *from = fits ? find_unit(suffix) : NULL;
  if (from && suffix[0] == '\0') {
    *value = number;
    return true;
  }
  if (!from || !converts(from, wanted)) {
    return refuse_unit(text, rest + strspn(rest, " \t"), from, wanted, reason);
  }

  // one rounding for powers of ten: multiply or divide by a whole factor
  double up = from->size * wanted->over, down = from->over * wanted->size;
  double converted = up >= down ? number * (up / down) : number / (down / up);
  if (!isfinite(converted)) {
    snprintf(reason->text, sizeof reason->text, "%s is too large for a number",
             emg_quote(text).text);
    return false;
  }
  *value = converted;
  return true;
}

emg_status emg_quantity_parse(const char *text, const char *unit, double *value, emg_error *err) {
  emg_reason reason;
  if (!emg_quantity_convert(text, unit, value, &reason)) {
    return emg_fail(err, EMG_ERR_CONFIG, "%s", reason.text);
  }
  return EMG_OK;
}
