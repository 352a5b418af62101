// test_quantity.c -- numbers with units, and numbers as text in any locale
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/config.h>
#include <emgtwin/rng.h>

#include "base/number.h"

static void assert_quantity(const char *text, const char *unit, double expected) {
  emg_error err = {0};
  double value;

  if (emg_quantity_parse(text, unit, &value, &err) != EMG_OK) {
    fail_msg("'%s' in '%s': %s", text, unit, err.items[0].message);
  }
  if (value != expected) {
    fail_msg("'%s' is %.17g %s, not %.17g", text, value, unit, expected);
  }
}

static void units_of_one_dimension_convert_exactly(void **state) {
  (void)state;
  assert_quantity("2048 Hz", "Hz", 2048);
  assert_quantity("2.048 kHz", "Hz", 2048);
  assert_quantity("8mm", "mm", 8);
  assert_quantity("  8   mm  ", "mm", 8);
  assert_quantity("0.8 cm", "mm", 8);
  assert_quantity("0.3 cm", "mm", 3);
  assert_quantity("8", "mm", 8);
  assert_quantity("55 um", "mm", 0.055);
  assert_quantity("55 \xc2\xb5m", "um", 55);
  assert_quantity("55 \xce\xbcm", "um", 55);
  assert_quantity("0.5ms", "s", 0.0005);
  assert_quantity("1.5 min", "s", 90);
  assert_quantity("1 h", "s", 3600);
  assert_quantity("96 mV", "uV", 96000);
  assert_quantity("50 mS/m", "S/m", 0.05);
  assert_quantity("4 mm/ms", "m/s", 4);
  assert_quantity("20 dB", "dB", 20);
  assert_quantity("400 1/mm^2", "1/mm^2", 400);
  assert_quantity("400 /mm^2", "1/mm^2", 400);
  assert_quantity("15 pps", "Hz", 15);
  assert_quantity("0.2 Hz", "1/s", 0.2);
  assert_quantity("-1.5e1 deg", "deg", -15);
  assert_quantity("+.5", "", 0.5);
  assert_quantity("5.", "", 5);
}

static void a_half_turn_is_pi(void **state) {
  (void)state;
  double value;
  assert_int_equal(emg_quantity_parse("3.14159265358979323846 rad", "deg", &value, NULL), EMG_OK);
  assert_true(fabs(value - 180) < 1e-12);
}

static void fractions_are_written_three_ways(void **state) {
  (void)state;
  assert_quantity("30 %MVC", "fraction", 0.3);
  assert_quantity("30%", "fraction", 0.3);
  assert_quantity("30 % MVC", "fraction", 0.3);
  assert_quantity("0.3", "fraction", 0.3);
  assert_quantity("15 %", "", 0.15);
}

static void assert_refused(const char *text, const char *unit, const char *fragment) {
  emg_error err = {0};
  double value = -77;

  assert_int_equal(emg_quantity_parse(text, unit, &value, &err), EMG_ERR_CONFIG);
  if (!strstr(err.items[0].message, fragment)) {
    fail_msg("'%s': \"%s\" does not say \"%s\"", text, err.items[0].message, fragment);
  }
  assert_true(value == -77);
}

static void refusals_say_why(void **state) {
  (void)state;
  assert_refused("8 ms", "mm", "'8 ms' is a time, not a length; write it in m, cm, mm or um");
  assert_refused("8 deg", "Hz", "is an angle, not a rate");
  assert_refused("8 mm", "", "is a length, not a plain number; write a plain number or %");
  assert_refused("8 furlong", "mm", "'furlong' after the number is not a unit known here");
  assert_refused("8 mm mm", "mm", "'mm mm' after the number");
  assert_refused("4.7.1", "mm", "'.1' after the number");
  assert_refused("0x10", "mm", "'x10' after the number");
  assert_refused("1,5", "mm", "',5' after the number");
  assert_refused("nan", "mm", "'nan' is not a number");
  assert_refused("inf", "mm", "'inf' is not a number");
  assert_refused("-", "mm", "'-' is not a number");
  assert_refused("", "mm", "'' is not a number");
  assert_refused(".", "mm", "'.' is not a number");
  assert_refused("mm", "mm", "'mm' is not a number");
  assert_refused("1e999", "mm", "'1e999' is too large for a number");
  assert_refused("1e308 m", "um", "is too large for a number");
  assert_refused("30 %MVC", "Hz", "is a fraction, not a rate");
  assert_refused("1\xff\xfe", "mm", "is not a unit known here");
}

static void numbers_do_not_depend_on_the_locale(void **state) {
  (void)state;
  // a locale with a decimal comma, if the machine has one; without one there is nothing to confuse
  const char *comma = setlocale(LC_ALL, "de_DE.UTF-8");
  assert_quantity("0.25 mm", "mm", 0.25);
  assert_string_equal(emg_number_format(0.25).text, "0.25");
  assert_refused("0,25 mm", "mm", "',25 mm' after the number");
  if (comma) {
    setlocale(LC_ALL, "C");
  }
}

static void formatted_numbers_read_back_to_the_same_bits(void **state) {
  (void)state;
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);
  const double given[] = {0,    -0.0,   1,      0.1,     1e-3,  1.0 / 3,  2048,
                          1e22, 1e-300, 5e-324, 1.7e308, 36000, 125664.0, 1e5};

  for (int i = 0; i < 20000; i++) {
    double value =
        i < 14 ? given[i] : emg_rng_gaussian(&rng) * pow(10, emg_rng_gaussian(&rng) * 20);
    const char *end;
    double back;
    emg_number number = emg_number_format(value);
    assert_true(emg_number_scan(number.text, &end, &back));
    assert_true(*end == '\0');
    assert_memory_equal(&back, &value, sizeof value);
  }
  assert_string_equal(emg_number_format(0.1).text, "0.1");
  assert_string_equal(emg_number_format(2048).text, "2048");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_of_one_dimension_convert_exactly),
      cmocka_unit_test(a_half_turn_is_pi),
      cmocka_unit_test(fractions_are_written_three_ways),
      cmocka_unit_test(refusals_say_why),
      cmocka_unit_test(numbers_do_not_depend_on_the_locale),
      cmocka_unit_test(formatted_numbers_read_back_to_the_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
