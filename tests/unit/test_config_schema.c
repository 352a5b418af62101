// test_config_schema.c -- the table of keys against itself, its names and its choices
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/cnn.h>
#include <emgtwin/config.h>

#include "base/config_priv.h"

static void every_default_lies_in_its_range(void **state) {
  (void)state;
  int n_keys;
  const emg_config_key *keys = emg_config_keys(&n_keys);
  emg_config config;

  for (int i = 0; i < n_keys; i++) {
    const emg_config_section *section = emg_config_section_find(keys[i].section);
    emg_reason reason = {""};
    void *values = emg_config_entry(&config, section, 0);
    if (!emg_config_value_parse(&keys[i], keys[i].fallback, values, &reason)) {
      fail_msg("%s.%s: %s", keys[i].section, keys[i].name, reason.text);
    }
  }
}

static void defaults_are_those_of_the_table(void **state) {
  (void)state;
  emg_config config;
  emg_config_defaults(&config);
  assert_int_equal(config.n_muscles, 1);
  assert_int_equal(config.simulation.seed, 1);
  assert_true(config.simulation.tolerance == 1e-3);
  assert_int_equal(config.electrodes.shape, EMG_SHAPE_DISC);
  assert_true(config.change.bulge);
  assert_string_equal(config.muscle[EMG_MUSCLES_MAX - 1].name, "muscle");
  assert_int_equal(config.drive[0].step_levels.n, 3);
  assert_true(config.drive[0].step_levels.values[1] == 0.2);
  assert_int_equal(config.electrodes.missing.n, 0);
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static void names_end_in_their_unit(void **state) {
  (void)state;
  static const char *const endings[][2] = {
      {"_s", "s"},
      {"_ms", "ms"},
      {"_hz", "Hz"},
      {"_mm", "mm"},
      {"_um", "um"},
      {"_uv", "uV"},
      {"_mv", "mV"},
      {"_deg", "deg"},
      {"_db", "dB"},
      {"_m_per_s", "m/s"},
      {"_s_per_m", "S/m"},
      {"_per_s", "1/s"},
      {"_per_mm2", "1/mm^2"},
  };
  enum { N_ENDINGS = sizeof endings / sizeof endings[0] };
  int n_keys;
  const emg_config_key *keys = emg_config_keys(&n_keys);

  for (int i = 0; i < n_keys; i++) {
    const char *unit = keys[i].unit, *longest = "";
    const char *expected = "";
    for (int e = 0; e < N_ENDINGS; e++) {
      if (ends_with(keys[i].name, endings[e][0]) && strlen(endings[e][0]) > strlen(longest)) {
        longest = endings[e][0];
        expected = endings[e][1];
      }
    }
    if (strcmp(unit, "fraction") != 0 && strcmp(unit, expected) != 0) {
      fail_msg("%s.%s has unit '%s', its name says '%s'", keys[i].section, keys[i].name, unit,
               expected);
    }
  }
}

// each choice's last name has the last number of its enum
static void choices_count_as_their_enums(void **state) {
  (void)state;
  static const struct {
    const char *path, *last;
    int number;
  } lasts[] = {
      {"simulation.engine", "exact", EMG_ENGINE_EXACT},
      {"electrodes.layout", "needle", EMG_LAYOUT_NEEDLE},
      {"electrodes.shape", "annulus", EMG_SHAPE_ANNULUS},
      {"electrodes.montage", "average_reference", EMG_MONTAGE_AVERAGE_REFERENCE},
      {"muscle.region", "sector", EMG_REGION_SECTOR},
      {"muscle.placement", "uniform", EMG_PLACEMENT_UNIFORM},
      {"muscle.innervation_zone_law", "gaussian", EMG_IZ_GAUSSIAN},
      {"muscle.cv_law", "fibre_diameter", EMG_CV_FIBRE_DIAMETER},
      {"pool.model", "de_luca_contessa", EMG_POOL_DE_LUCA_CONTESSA},
      {"pool.territory_placement", "farthest_point", EMG_TERRITORY_FARTHEST_POINT},
      {"pool.recruitment_law", "shifted_exponential", EMG_RECRUITMENT_SHIFTED_EXPONENTIAL},
      {"pool.de_luca_muscle", "tibialis_anterior", EMG_DE_LUCA_TA},
      {"drive.profile", "file", EMG_DRIVE_FILE},
      {"sensor.noise_colour", "pink", EMG_NOISE_PINK},
      {"decompose.separation", "gradient", EMG_SEPARATION_GRADIENT},
      {"decompose.contrast", "log_cosh", EMG_CONTRAST_LOG_COSH},
      {"decompose.notch", "off", EMG_NOTCH_OFF},
      {"decompose.groups", "each", EMG_GROUPS_EACH},
      {"decompose.cbss_start", "random", EMG_CBSS_RANDOM},
      {"invert.mode", "paper", EMG_INVERT_PAPER},
      {"invert.rotation", "estimated", EMG_SHARED_ESTIMATED},
      {"invert.fat", "estimated", EMG_SHARED_ESTIMATED},
      {"invert.tendons", "estimated", EMG_SHARED_ESTIMATED},
      {"invert.offset", "estimated", EMG_SHARED_ESTIMATED},
      {"invert.anisotropy", "estimated", EMG_SHARED_ESTIMATED},
      {"cnn.network", "multilabel", EMG_CNN_MULTILABEL},
      {"cnn.batches", "windows", EMG_BATCHES_WINDOWS},
      {"cnn.select", "training", EMG_SELECT_TRAINING},
      {"cnn.scale", "largest", EMG_SCALE_LARGEST},
  };
  enum { N_LASTS = sizeof lasts / sizeof lasts[0] };
  int n_keys, n_choices = 0;
  const emg_config_key *keys = emg_config_keys(&n_keys);

  for (int i = 0; i < n_keys; i++) {
    n_choices += keys[i].type == EMG_KEY_CHOICE;
  }
  assert_int_equal(n_choices, N_LASTS);
  for (int i = 0; i < N_LASTS; i++) {
    const emg_config_key *key = emg_config_find(lasts[i].path, NULL);
    assert_non_null(key);
    assert_true(ends_with(key->choices, lasts[i].last));
    int bars = 0;
    for (const char *at = key->choices; *at; at++) {
      bars += *at == '|';
    }
    assert_int_equal(bars, lasts[i].number);
  }
}

static void every_key_has_a_doc_and_a_source_and_lies_in_its_section(void **state) {
  (void)state;
  int n_keys, n_sections, total = 0;
  const emg_config_key *keys = emg_config_keys(&n_keys);
  const emg_config_section *sections = emg_config_sections(&n_sections);

  for (int s = 0; s < n_sections; s++) {
    int n;
    const emg_config_key *row = emg_config_section_keys(&sections[s], &n);
    assert_true(n > 0 && strlen(sections[s].doc) > 10);
    for (int i = 0; i < n; i++, total++) {
      assert_string_equal(row[i].section, sections[s].name);
      assert_ptr_equal(emg_config_key_find(&sections[s], row[i].name), &keys[total]);
      assert_true(strlen(row[i].doc) > 3 && strlen(row[i].source) > 3);
      assert_int_equal(row[i].repeatable, sections[s].repeatable);
    }
  }
  assert_int_equal(total, n_keys);
  assert_null(emg_config_section_doc("nonsense"));
}

static void find_names_the_likeliest_key(void **state) {
  (void)state;
  const emg_config_key *near;
  const emg_config_key *key = emg_config_find("conductor.fat_thickness_mm", &near);
  assert_non_null(key);
  assert_null(near);
  static const char *const pairs[][3] = {
      {"conductor.fat_thicknes_mm", "conductor", "fat_thickness_mm"},
      {"conductor.fat_thickness", "conductor", "fat_thickness_mm"},
      {"fat_thickness_mm", "conductor", "fat_thickness_mm"},
      {"electrodes.fat_thickness_mm", "conductor", "fat_thickness_mm"},
      {"pools.unit", "pool", "units"},
      {"pool.recrutiment_ratio", "pool", "recruitment_ratio"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    assert_null(emg_config_find(pairs[i][0], &near));
    assert_non_null(near);
    assert_string_equal(near->section, pairs[i][1]);
    assert_string_equal(near->name, pairs[i][2]);
  }
  assert_null(emg_config_find("conductor.zzzzzzzzzz", &near));
  assert_null(near);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_default_lies_in_its_range),
      cmocka_unit_test(defaults_are_those_of_the_table),
      cmocka_unit_test(names_end_in_their_unit),
      cmocka_unit_test(choices_count_as_their_enums),
      cmocka_unit_test(every_key_has_a_doc_and_a_source_and_lies_in_its_section),
      cmocka_unit_test(find_names_the_likeliest_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
