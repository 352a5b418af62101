// test_config_read.c -- YAML to configuration: layers, guards, and where each finding is
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <emgtwin/config.h>

static emg_config config;
static emg_error err;

static emg_status parse(const char *text) {
  return emg_config_parse(text, strlen(text), "a.yaml", &config, &err);
}

static void assert_parses(const char *text) {
  if (parse(text) != EMG_OK) {
    fail_msg("%d:%d: %s", err.items[0].line, err.items[0].column, err.items[0].message);
  }
}

// finding number `i` stands at line:column and says `fragment`
static void assert_finding(int i, int line, int column, const char *fragment) {
  if (i >= err.n_items) {
    fail_msg("only %d findings, none says \"%s\"", err.n_items, fragment);
  }
  const emg_diagnostic *item = &err.items[i];
  if (item->line != line || item->column != column || !strstr(item->message, fragment)) {
    fail_msg("%d:%d: \"%s\" is not %d:%d: \"%s\"", item->line, item->column, item->message, line,
             column, fragment);
  }
  assert_string_equal(item->file, "a.yaml");
}

// one finding only, and the configuration is as it was
static void assert_refused(const char *text, int line, int column, const char *fragment) {
  static emg_config before;
  emg_config_defaults(&config);
  before = config;
  assert_int_equal(parse(text), EMG_ERR_CONFIG);
  assert_int_equal(err.status, EMG_ERR_CONFIG);
  assert_finding(0, line, column, fragment);
  if (err.n_items != 1) {
    fail_msg("%d findings, the second \"%s\"", err.n_items, err.items[1].message);
  }
  assert_memory_equal(&config, &before, sizeof config);
}

static void values_of_every_type_are_read(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_parses(
      "# a comment\n"
      "simulation:\n"
      "  seed: 18446744073709551615\n"
      "  engine: exact\n"
      "electrodes: {rows: 8, row_pitch_mm: 1 cm, missing: [0, 7, 63]}\n"
      "drive:\n"
      "  file: \"my drive.csv\"\n"
      "  level: 30 %MVC\n"
      "  step_levels:\n    - 10 %\n    - 0.2\n"
      "output:\n"
      "  clean: yes\n");
  assert_true(config.simulation.seed == UINT64_MAX);
  assert_int_equal(config.simulation.engine, EMG_ENGINE_EXACT);
  assert_int_equal(config.electrodes.rows, 8);
  assert_true(config.electrodes.row_pitch_mm == 10);
  assert_int_equal(config.electrodes.missing.n, 3);
  assert_true(config.electrodes.missing.values[2] == 63);
  assert_string_equal(config.drive[0].file, "my drive.csv");
  assert_true(config.drive[0].level == 0.3);
  assert_int_equal(config.drive[0].step_levels.n, 2);
  assert_true(config.output.clean);
  assert_int_equal(config.electrodes.columns, 5);
}

static void json_is_read_too(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_parses(
      "{\n\t\"electrodes\": {\"rows\":7,\"missing\":[1,2]},\n"
      "\t\"drive\": [{\"level\":\"30 %\"},{\"level\":1e-1}],\n"
      "\t\"muscle\": [{\"name\":\"a\\/b\"},{\"name\":\"\\u00b5\"}]}\n");
  assert_int_equal(config.electrodes.rows, 7);
  assert_int_equal(config.n_muscles, 2);
  assert_true(config.drive[1].level == 0.1);
  assert_string_equal(config.muscle[0].name, "a/b");
  assert_string_equal(config.muscle[1].name, "\xc2\xb5");
}

static void a_byte_order_mark_and_markers_are_accepted(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_parses("\xef\xbb\xbf%YAML 1.1\n---\nelectrodes:\n  rows: 9\n...\n");
  assert_int_equal(config.electrodes.rows, 9);
  // a section whose keys are all commented out
  assert_parses("electrodes:\n  # rows: 3\nsimulation: {}\n");
  assert_int_equal(config.electrodes.rows, 9);
}

static void a_mapping_holds_for_every_muscle(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_parses("pool: {units: 31}\nmuscle:\n  - name: one\n  - name: two\n    fibre_count: 7\n");
  assert_int_equal(config.n_muscles, 2);
  assert_int_equal(config.pool[0].units, 31);
  assert_int_equal(config.pool[1].units, 31);
  assert_string_equal(config.muscle[1].name, "two");
  assert_int_equal(config.muscle[0].fibre_count, 0);
  assert_int_equal(config.muscle[1].fibre_count, 7);
  // a later layer
  assert_parses("drive: {level: 0.5}\npool: [{}, {units: 5}]\n");
  assert_int_equal(config.n_muscles, 2);
  assert_true(config.drive[0].level == 0.5 && config.drive[1].level == 0.5);
  assert_int_equal(config.pool[0].units, 31);
  assert_int_equal(config.pool[1].units, 5);
  // a list of muscles says how many there are
  assert_parses("muscle: [{}, {}, {name: three}]\n");
  assert_int_equal(config.n_muscles, 3);
  assert_int_equal(config.pool[2].units, 31);
}

static void lists_that_disagree_are_refused(void **state) {
  (void)state;
  assert_refused("muscle: [{}, {}]\npool:\n  - {}\n  - {}\n  - {}\n", 3, 3,
                 "section 'pool' has 3 entries, 'muscle' has 2; give one per muscle");
  assert_refused("pool: []\n", 1, 7, "section 'pool' is an empty list");
  assert_refused("conductor: [{}]\n", 1, 12, "section 'conductor' must be a mapping");
  assert_refused("muscle: 3\n", 1, 9, "or a list of mappings, one per muscle");
  assert_refused("muscle: [3]\n", 1, 10, "section 'muscle' must be a mapping");
  emg_config_defaults(&config);
  assert_parses("muscle: [{}, {}, {}]\n");
  assert_int_equal(parse("drive: [{}, {}]\n"), EMG_ERR_CONFIG);
  assert_finding(0, 1, 8, "section 'drive' has 2 entries for 3 muscles");
  char many[400] = "muscle: [";
  for (int i = 0; i < 18; i++) {
    strcat(many, "{}, ");
  }
  strcat(many, "]\n");
  assert_refused(many, 1, 74, "section 'muscle' has more than 16 entries");
}

static void bad_values_are_found_at_the_value(void **state) {
  (void)state;
  assert_refused("conductor:\n  fat_thickness_mm: 75\n", 2, 21,
                 "conductor.fat_thickness_mm: 75 mm is outside the range 0 to 60 mm");
  assert_refused("conductor:\n  fat_thickness_mm: 7.5 cm\n", 2, 21, "75 mm is outside");
  assert_refused("conductor:\n  fat_thickness_mm: 8 ms\n", 2, 21, "is a time, not a length");
  assert_refused("conductor:\n  fat_thickness_mm: 8 mmm\n", 2, 21, "not a unit known here");
  assert_refused("conductor:\n  fat_thickness_mm: .nan\n", 2, 21, "is not a number");
  assert_refused("conductor:\n  fat_thickness_mm: .inf\n", 2, 21, "is not a number");
  assert_refused("conductor:\n  fat_thickness_mm: 1e999\n", 2, 21, "too large");
  assert_refused("conductor:\n  fat_thickness_mm: 3x\n", 2, 21, "'x' after the number");
  assert_refused("conductor:\n  fat_thickness_mm:\n", 2, 20, "has no value");
  assert_refused("conductor:\n  fat_thickness_mm: ~\n", 2, 21, "has no value");
  assert_refused("conductor:\n  fat_thickness_mm: [3]\n", 2, 21, "a single value, not a list");
  assert_refused("conductor:\n  fat_thickness_mm: {a: 3}\n", 2, 21, "not a mapping");
  assert_refused("simulation: {seed: -3}\n", 1, 20, "'-3' is not a whole number from 0");
  assert_refused("simulation: {seed: 18446744073709551616}\n", 1, 20, "is not a whole number");
  assert_refused("electrodes: {rows: 4.7}\n", 1, 20, "'4.7' is not a whole number");
  assert_refused("electrodes: {rows: 1e1}\n", 1, 20, "'1e1' is not a whole number");
  assert_refused("electrodes: {rows: 8 mm}\n", 1, 20, "'8 mm' is not a whole number");
  assert_refused("electrodes: {rows: 0}\n", 1, 20, "0 is outside the range 1 to 512");
  assert_refused("electrodes: {rows: 99999999999}\n", 1, 20, "is outside the range 1 to 512");
  assert_refused("electrodes: {montage: bipolar}\n", 1, 23, "is none of monopolar, single_diff");
  assert_refused("electrodes: {layout: rng}\n", 1, 22, "did you mean 'ring'?");
  assert_refused("electrodes: {missing: [1, a]}\n", 1, 27, "'a' is not a number");
  assert_refused("electrodes: {missing: [1, [2]]}\n", 1, 27, "is a list of numbers");
  assert_refused("output: {clean: maybe}\n", 1, 17, "neither true nor false");
  assert_refused("drive: {level: 30}\n", 1, 16, "a fraction is written 0.3 or 30 %");
  assert_refused("muscle: {name: \"a\\nb\"}\n", 1, 16, "is not one line of UTF-8 text");
  assert_refused("muscle: {name: \"a\\0b\"}\n", 1, 16, "contains a NUL character");
}

static void a_text_that_is_too_long_is_not_cut(void **state) {
  (void)state;
  char text[400] = "muscle: {name: ";
  memset(text + strlen(text), 'a', EMG_TEXT_MAX);
  strcat(text, "}\n");
  assert_refused(text, 1, 16, "the text has 160 bytes, at most 159 are kept");
}

static void unknown_and_duplicate_names_are_found(void **state) {
  (void)state;
  assert_refused("sensr: {}\n", 1, 1, "unknown section 'sensr'; did you mean 'sensor'?");
  assert_refused("rows: 3\n", 1, 1, "did you mean 'rows' in section 'electrodes'?");
  assert_refused("pool:\n  recrutiment_ratio: 30\n", 2, 3,
                 "unknown key 'recrutiment_ratio' in section 'pool'; did you mean "
                 "'recruitment_ratio'?");
  assert_refused("electrodes:\n  fat_thickness_mm: 3\n", 2, 3, "in section 'conductor'?");
  assert_refused("pool:\n  qqqqqq: {a: [1, 2], b: {c: d}}\n", 2, 3,
                 "unknown key 'qqqqqq' in section 'pool'; 'emgtwin explain pool' lists its keys");
  assert_refused("pool:\n  units: 3\n  units: 4\n", 3, 3,
                 "duplicate key 'units' in section 'pool', first on line 2");
  assert_refused("pool: {}\nsensor: {}\npool: {}\n", 3, 1,
                 "duplicate section 'pool', first on line 1");
  assert_refused("pool:\n  ? [a]\n  : 3\n", 2, 5, "must be a name");
  assert_refused("? {a: b}\n: 3\n", 1, 3, "a section must have a name");
}

static void what_yaml_can_and_we_do_not_is_refused(void **state) {
  (void)state;
  assert_refused("pool: *a\n", 1, 7, "the alias '*a' is not supported");
  assert_refused("pool: {units: &a 3}\n", 1, 15, "the anchor '&a' is not supported");
  assert_refused("pool: {units: !!int 3}\n", 1, 15, "the tag 'tag:yaml.org,2002:int'");
  assert_refused("pool: {<<: 3}\n", 1, 8, "unknown key '<<'");
  assert_refused("pool: {}\n---\npool: {}\n", 2, 1, "a second document starts here");
  assert_refused("pool: {units: 3\n", 2, 1, "not valid YAML");
  assert_refused("pool:\n\tunits: 3\n", 2, 1, "a tab indents this line; use blanks");
  assert_refused("pool: {name: a\x01}\n", 1, 15, "a control character (0x01)");
  assert_refused("pool:\n  \xc2\xb5: 1\n  a: \xff\n", 3, 6, "byte 0xff is not UTF-8");
}

static void what_is_no_configuration_is_said_so(void **state) {
  (void)state;
  assert_refused("", 1, 1, "the configuration is empty");
  assert_refused("# nothing\n\n", 1, 1, "the configuration is empty");
  assert_refused("---\n", 1, 1, "the configuration is empty");
  assert_refused("hello world\n", 1, 1, "'hello world' is a single value");
  assert_refused("- a\n- b\n", 1, 1, "this is a list");
}

static void up_to_twenty_findings_are_reported_at_once(void **state) {
  (void)state;
  char text[2000] = "pool:\n";
  for (int i = 0; i < 30; i++) {
    sprintf(text + strlen(text), "  zzzzzz%d: 1\n", i);
  }
  emg_config_defaults(&config);
  assert_int_equal(parse(text), EMG_ERR_CONFIG);
  assert_int_equal(err.n_items, EMG_DIAGNOSTICS_MAX);
  for (int i = 0; i < EMG_DIAGNOSTICS_MAX; i++) {
    assert_finding(i, i + 2, 3, "unknown key 'zzzzzz");
  }
  // a caller without an error still learns of it
  assert_int_equal(emg_config_parse(text, strlen(text), "a", &config, NULL), EMG_ERR_CONFIG);
}

static void nesting_is_limited(void **state) {
  (void)state;
  char text[300] = "pool: {units: ";
  memset(text + strlen(text), '[', 100);
  emg_config_defaults(&config);
  assert_int_equal(parse(text), EMG_ERR_CONFIG);
  // the value itself is already wrong; what lies in it is skipped up to the limit
  assert_finding(0, 1, 15, "a single value, not a list");
  assert_finding(1, 1, 77, "nested deeper than 64 levels");
}

static double cpu_ms(void) {
  return 1e3 * (double)clock() / CLOCKS_PER_SEC;
}

// Fill 1 MiB with repetitions of a piece after a head, and read it.
static void assert_quick(const char *head, const char *piece) {
  enum { LENGTH = 1 << 20 };
  char *text = malloc(LENGTH);
  size_t at = strlen(head), step = strlen(piece);

  memcpy(text, head, at);
  for (; at + step < LENGTH; at += step) {
    memcpy(text + at, piece, step);
  }
  emg_config_defaults(&config);
  double best_ms = 1e9;
  for (int i = 0; i < 3; i++) {
    double start_ms = cpu_ms();
    emg_config_parse(text, at, "a.yaml", &config, &err);
    double taken_ms = cpu_ms() - start_ms;
    best_ms = taken_ms < best_ms ? taken_ms : best_ms;
  }
  free(text);
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
  const double limit_ms = 50;
#else
  const double limit_ms = 500;
#endif
  if (best_ms > limit_ms) {
    fail_msg("1 MiB of '%.20s' took %.0f ms", piece, best_ms);
  }
}

static void a_mebibyte_is_read_quickly_whatever_it_holds(void **state) {
  (void)state;
  assert_quick("", "# comment\n");
  assert_quick("", "\n");
  assert_quick("", "[");
  assert_quick("", "{a: ");
  assert_quick("", "- ");
  assert_quick("", "? ");
  assert_quick("", "a: b\n");
  assert_quick("pool:\n", "  units: 3\n");
  assert_quick("electrodes: {missing: [", "1,");
  assert_quick("electrodes: {missing: [", "{a: b},");
  assert_quick("muscle: [", "{},");
  assert_quick("muscle: {name: \"", "a ");
  assert_quick("muscle: {name: '", "''");
  assert_quick("muscle: {name: ", "9");
  assert_quick("muscle:\n  name: |\n", "    a\n");
  assert_quick("conductor: {bone_radius_mm: ", "9");
  assert_quick("conductor: {bone_radius_mm: ", "\xc2\xb5");
  assert_quick("x: &", "a");
  assert_quick("%", "\xc3\x81");
  assert_quick("? ", "a");
}

static void a_file_over_a_mebibyte_is_refused(void **state) {
  (void)state;
  enum { LENGTH = (1 << 20) + 1 };
  char *text = malloc(LENGTH);
  memset(text, '#', LENGTH);
  emg_config_defaults(&config);
  assert_int_equal(emg_config_parse(text, LENGTH, "a.yaml", &config, &err), EMG_ERR_CONFIG);
  assert_finding(0, 0, 0, "more than 1 MiB");
  assert_int_equal(emg_config_parse(text, LENGTH - 1, "a.yaml", &config, &err), EMG_ERR_CONFIG);
  assert_finding(0, 1, 1, "the configuration is empty");
  free(text);
}

// a file with `text` in the temporary folder
static void write_temporary(char path[], const char *text) {
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, text, strlen(text)), strlen(text));
  close(file);
}

static void files_are_read_and_name_the_folder_of_paths_in_them(void **state) {
  (void)state;
  char path[] = "/tmp/emg_config_XXXXXX", other[] = "/tmp/emg_config_XXXXXX";
  write_temporary(path, "drive: {file: a.csv}\n");
  write_temporary(other, "pool: {units: 5}\n");
  emg_config_defaults(&config);
  assert_int_equal(emg_config_read(path, &config, &err), EMG_OK);
  assert_string_equal(config.directory, "/tmp");
  assert_int_equal(emg_config_set(&config, "drive.file=b.csv", &err), EMG_OK);
  assert_string_equal(config.directory, "");
  assert_int_equal(emg_config_read(other, &config, &err), EMG_OK);
  assert_string_equal(config.directory, "");
  assert_int_equal(config.pool[0].units, 5);
  unlink(path);
  unlink(other);
}

static void files_that_cannot_be_read_are_io_errors(void **state) {
  (void)state;
  emg_config_defaults(&config);
  assert_int_equal(emg_config_read("/nowhere/a.yaml", &config, &err), EMG_ERR_IO);
  assert_string_equal(err.items[0].file, "/nowhere/a.yaml");
  assert_non_null(strstr(err.items[0].message, "No such file or directory"));
  assert_int_equal(emg_config_read("/tmp", &config, &err), EMG_ERR_IO);
  assert_non_null(strstr(err.items[0].message, "folder"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_type_are_read),
      cmocka_unit_test(json_is_read_too),
      cmocka_unit_test(a_byte_order_mark_and_markers_are_accepted),
      cmocka_unit_test(a_mapping_holds_for_every_muscle),
      cmocka_unit_test(lists_that_disagree_are_refused),
      cmocka_unit_test(bad_values_are_found_at_the_value),
      cmocka_unit_test(a_text_that_is_too_long_is_not_cut),
      cmocka_unit_test(unknown_and_duplicate_names_are_found),
      cmocka_unit_test(what_yaml_can_and_we_do_not_is_refused),
      cmocka_unit_test(what_is_no_configuration_is_said_so),
      cmocka_unit_test(up_to_twenty_findings_are_reported_at_once),
      cmocka_unit_test(nesting_is_limited),
      cmocka_unit_test(a_mebibyte_is_read_quickly_whatever_it_holds),
      cmocka_unit_test(a_file_over_a_mebibyte_is_refused),
      cmocka_unit_test(files_are_read_and_name_the_folder_of_paths_in_them),
      cmocka_unit_test(files_that_cannot_be_read_are_io_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
