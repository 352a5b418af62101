// law_config.c -- writing and reading a configuration is the identity
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/config.h>
#include <emgtwin/rng.h>

#include "base/config_priv.h"

enum { N_TRIALS = 200 };

static int draw_below(emg_rng *rng, int n) {
  return (int)emg_rng_below(rng, (uint32_t)n);
}

static double draw_in_range(emg_rng *rng, const emg_config_key *key) {
  double at = key->min + emg_rng_uniform(rng) * (key->max - key->min);
  return at > key->max ? key->max : at < key->min ? key->min : at;
}

// any printable character, with those that mean something in YAML often among them
static void draw_text(emg_rng *rng, char *text) {
  static const char *const pieces[] = {"\"", "\\", ":", "#", "'", "- ", "{", "}",        "[", "]",
                                       "&",  "*",  "!", "%", "@", "`",  ",", "\xc2\xb5", " ", "~"};
  int n = draw_below(rng, 30);

  memset(text, 0, EMG_TEXT_MAX);
  for (int i = 0; i < n; i++) {
    char letter[2] = {(char)(0x20 + draw_below(rng, 0x5f)), '\0'};
    int piece = draw_below(rng, 40);
    strcat(text, piece < 20 ? pieces[piece] : letter);
  }
}

static void draw_value(emg_rng *rng, const emg_config_key *key, void *values) {
  void *value = (char *)values + key->offset;

  switch (key->type) {
    case EMG_KEY_F64:
      *(double *)value = draw_in_range(rng, key);
      return;
    case EMG_KEY_I32:
      *(int *)value = (int)draw_in_range(rng, key);
      return;
    case EMG_KEY_U64:
      *(uint64_t *)value = (uint64_t)(emg_rng_uniform(rng) * 1.8e19);
      return;
    case EMG_KEY_BOOL:
      *(bool *)value = draw_below(rng, 2) == 1;
      return;
    case EMG_KEY_TEXT:
      draw_text(rng, value);
      return;
    case EMG_KEY_LIST: {
      emg_list list = {.n = draw_below(rng, draw_below(rng, 20) == 0 ? EMG_LIST_MAX + 1 : 8)};
      for (int i = 0; i < list.n; i++) {
        list.values[i] = draw_in_range(rng, key);
      }
      memcpy(value, &list, sizeof list);
      return;
    }
    case EMG_KEY_TEXTS: {
      emg_texts texts = {.n = draw_below(rng, 5)};
      for (int i = 0; i < texts.n; i++) {
        char text[EMG_TEXT_MAX];
        draw_text(rng, text);
        for (char *at = text; *at; at++) {
          *at = *at == ';' ? ',' : *at;
        }
        // blanks at the ends are not kept
        snprintf(texts.values[i], sizeof texts.values[i], "(%s)", text);
      }
      memcpy(value, &texts, sizeof texts);
      return;
    }
    case EMG_KEY_CHOICE: {
      int n = 1;
      for (const char *at = key->choices; *at; at++) {
        n += *at == '|';
      }
      *(int *)value = draw_below(rng, n);
      return;
    }
  }
}

static void draw_config(emg_rng *rng, emg_config *config) {
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);

  emg_config_defaults(config);
  config->n_muscles = 1 + draw_below(rng, EMG_MUSCLES_MAX);
  for (int s = 0; s < n_sections; s++) {
    int n_keys, n_entries = sections[s].repeatable ? config->n_muscles : 1;
    const emg_config_key *keys = emg_config_section_keys(&sections[s], &n_keys);
    for (int i = 0; i < n_keys * n_entries; i++) {
      draw_value(rng, &keys[i % n_keys], emg_config_entry(config, &sections[s], i / n_keys));
    }
  }
}

static void read_of_write_is_the_identity(void **state) {
  (void)state;
  static emg_config config, back;
  int n_sections;
  const emg_config_section *sections = emg_config_sections(&n_sections);

  for (uint32_t trial = 0; trial < N_TRIALS; trial++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 1, trial);
    emg_error err = {0};
    char *text;
    draw_config(&rng, &config);
    assert_int_equal(emg_config_write(&config, trial % 2 == 0, "drawn", &text, &err), EMG_OK);
    emg_config_defaults(&back);
    if (emg_config_parse(text, strlen(text), "drawn", &back, &err) != EMG_OK) {
      fail_msg("trial %u, %d:%d: %s", trial, err.items[0].line, err.items[0].column,
               err.items[0].message);
    }
    assert_int_equal(back.n_muscles, config.n_muscles);
    for (int s = 0; s < n_sections; s++) {
      size_t n = sections[s].repeatable ? (size_t)config.n_muscles : 1;
      assert_memory_equal(emg_config_entry(&back, &sections[s], 0),
                          emg_config_entry(&config, &sections[s], 0), n * sections[s].size);
    }
    free(text);
  }
}

// the other way round: what is written of what was read is what was read
static void write_of_read_is_the_identity(void **state) {
  (void)state;
  static emg_config config;

  for (uint32_t trial = 0; trial < 20; trial++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 2, trial);
    emg_error err = {0};
    char *first, *second;
    draw_config(&rng, &config);
    assert_int_equal(emg_config_write(&config, true, NULL, &first, &err), EMG_OK);
    emg_config_defaults(&config);
    assert_int_equal(emg_config_parse(first, strlen(first), "drawn", &config, &err), EMG_OK);
    assert_int_equal(emg_config_write(&config, true, NULL, &second, &err), EMG_OK);
    assert_string_equal(first, second);
    free(first);
    free(second);
  }
}

// a layer laid over twice changes nothing more
static void a_layer_is_idempotent(void **state) {
  (void)state;
  static emg_config once, twice;
  static const char text[] =
      "electrodes: {rows: 9, missing: [1, 2]}\npool: {units: 12}\nmuscle: [{name: a}, {}]\n";
  emg_config_defaults(&once);
  assert_int_equal(emg_config_parse(text, strlen(text), "a", &once, NULL), EMG_OK);
  twice = once;
  assert_int_equal(emg_config_parse(text, strlen(text), "a", &twice, NULL), EMG_OK);
  assert_memory_equal(&once, &twice, sizeof once);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(read_of_write_is_the_identity),
      cmocka_unit_test(write_of_read_is_the_identity),
      cmocka_unit_test(a_layer_is_idempotent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
