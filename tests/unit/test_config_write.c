// test_config_write.c -- the effective configuration, the reference page and the generated files
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/config.h>

#include "base/config_priv.h"

static emg_config first, second;  // large: kept off the stack

// values of the muscles in use; entries beyond them do not count
static void assert_same(const emg_config *a, const emg_config *b) {
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);

  assert_int_equal(a->n_muscles, b->n_muscles);
  for (int s = 0; s < n_sections; s++) {
    int n_entries = sections[s].repeatable ? a->n_muscles : 1;
    for (int m = 0; m < n_entries; m++) {
      assert_memory_equal(emg_config_entry_const(a, &sections[s], m),
                          emg_config_entry_const(b, &sections[s], m), sections[s].size);
    }
  }
}

static void assert_reads_back(const emg_config *config, bool with_docs) {
  emg_error err = {0};
  char *text;

  assert_int_equal(emg_config_write(config, with_docs, "one\ntwo", &text, &err), EMG_OK);
  emg_config_defaults(&second);
  if (emg_config_parse(text, strlen(text), "written", &second, &err) != EMG_OK) {
    fail_msg("%d:%d: %s", err.items[0].line, err.items[0].column, err.items[0].message);
  }
  assert_same(config, &second);
  free(text);
}

static void every_preset_reads_back_to_itself(void **state) {
  (void)state;
  emg_error err = {0};
  const char *const *names = emg_config_preset_names();

  emg_config_defaults(&first);
  assert_reads_back(&first, false);
  for (int i = 0; names[i]; i++) {
    assert_int_equal(emg_config_preset(names[i], &first, &err), EMG_OK);
    assert_reads_back(&first, false);
    assert_reads_back(&first, true);
  }
}

static void awkward_texts_and_numbers_read_back(void **state) {
  (void)state;
  emg_config_defaults(&first);
  strcpy(first.muscle[0].name, "\"m. biceps\" \\ caput: longum # \xc2\xb5 - [1] {} & *x !y %");
  strcpy(first.drive[0].file, "~");
  first.simulation.seed = UINT64_MAX;
  first.electrodes.centre_z_mm = -0.1 - 0.2;
  first.conductor.fat_axial_s_per_m = 1.0 / 3;
  first.electrodes.missing.n = 2;
  first.electrodes.missing.values[1] = 64;
  first.drive[0].step_levels = (emg_list){0};
  assert_reads_back(&first, true);
}

static void several_muscles_are_written_as_lists(void **state) {
  (void)state;
  emg_error err = {0};
  char *text;

  assert_int_equal(emg_config_preset("forearm-ring", &first, &err), EMG_OK);
  assert_int_equal(emg_config_write(&first, false, NULL, &text, &err), EMG_OK);
  assert_non_null(strstr(text, "muscle:\n  - name: \"flexor carpi radialis\"\n    region: sector"));
  assert_memory_equal(text, "simulation:\n", 12);
  free(text);
}

static void values_set_in_c_are_checked_before_writing(void **state) {
  (void)state;
  emg_error err = {0};
  char *text;

  emg_config_defaults(&first);
  first.electrodes.montage = 17;
  first.conductor.fat_thickness_mm = -1;
  assert_int_equal(emg_config_write(&first, false, NULL, &text, &err), EMG_ERR_CONFIG);
  assert_null(text);
  assert_int_equal(err.n_items, 2);
  assert_non_null(strstr(err.items[1].message, "electrodes.montage"));
  first.n_muscles = 0;
  assert_int_equal(emg_config_write(&first, false, NULL, &text, &err), EMG_ERR_CONFIG);
}

static void every_key_has_one_comment_line(void **state) {
  (void)state;
  emg_error err = {0};
  char *text;
  int n_keys, n_comments = 0;
  emg_config_keys(&n_keys);

  emg_config_defaults(&first);
  assert_int_equal(emg_config_write(&first, true, NULL, &text, &err), EMG_OK);
  for (char *at = strstr(text, "\n  # "); at; at = strstr(at + 1, "\n  # ")) {
    n_comments++;
  }
  assert_int_equal(n_comments, n_keys);
  assert_non_null(strstr(text,
                         "  # radius of the bone in the centre, 0 for none [mm, 0 to 100; default "
                         "0; Farina et al. 2004]\n  bone_radius_mm: 0\n"));
  free(text);
}

// The file must hold `text`; with EMG_REGENERATE set it is written first.
static void assert_fresh(const char *path, const char *text) {
  size_t length = strlen(text);
  char *found = malloc(length + 2);

  if (getenv("EMG_REGENERATE")) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
  }
  FILE *in = fopen(path, "r");
  if (!in) {
    fail_msg("%s is missing; run this test with EMG_REGENERATE=1", path);
  }
  size_t n = fread(found, 1, length + 1, in);
  fclose(in);
  found[n] = '\0';
  if (strcmp(found, text) != 0) {
    fail_msg("%s is stale; run this test with EMG_REGENERATE=1", path);
  }
  free(found);
}

static void committed_configurations_are_those_of_the_presets(void **state) {
  (void)state;
  const char *const *names = emg_config_preset_names();

  for (int i = 0; names[i]; i++) {
    emg_error err = {0};
    char path[1024], heading[400], *text;
    assert_int_equal(emg_config_preset(names[i], &first, &err), EMG_OK);
    snprintf(heading, sizeof heading, "%s: %s", names[i], emg_config_preset_doc(names[i]));
    assert_int_equal(emg_config_write(&first, true, heading, &text, &err), EMG_OK);
    snprintf(path, sizeof path, "%s/configs/%s.yaml", EMG_SOURCE, names[i]);
    assert_fresh(path, text);
    free(text);
  }
}

static void reference_page_is_that_of_the_schema(void **state) {
  (void)state;
  emg_error err = {0};
  char *text;

  assert_int_equal(emg_config_reference(&text, &err), EMG_OK);
  assert_fresh(EMG_SOURCE "/docs/parameters.md", text);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_preset_reads_back_to_itself),
      cmocka_unit_test(awkward_texts_and_numbers_read_back),
      cmocka_unit_test(several_muscles_are_written_as_lists),
      cmocka_unit_test(values_set_in_c_are_checked_before_writing),
      cmocka_unit_test(every_key_has_one_comment_line),
      cmocka_unit_test(committed_configurations_are_those_of_the_presets),
      cmocka_unit_test(reference_page_is_that_of_the_schema),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
