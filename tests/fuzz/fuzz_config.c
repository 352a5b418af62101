// fuzz_config.c -- any bytes as a configuration: no crash, and what is accepted reads back
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/config.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static emg_config defaults, config, back;

// What was read can be written, and that can be read.
static void check_written(void) {
  emg_error err;
  char *text;

  if (emg_config_write(&config, false, NULL, &text, &err) != EMG_OK) {
    abort();
  }
  back = defaults;
  if (emg_config_parse(text, strlen(text), "back", &back, &err) != EMG_OK) {
    abort();
  }
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool is_ready;
  char *text = malloc(size + 1);
  emg_error err;
  double value;

  if (!text) {
    return 0;
  }
  if (!is_ready) {
    emg_config_defaults(&defaults);
    is_ready = true;
  }
  memcpy(text, data, size);
  text[size] = '\0';
  config = defaults;
  emg_quantity_parse(text, "mm", &value, &err);
  emg_config_find(text, NULL);
  bool is_changed = emg_config_set(&config, text, &err) == EMG_OK;
  is_changed = emg_config_parse(text, size, "fuzz", &config, &err) == EMG_OK || is_changed;
  if (is_changed) {
    emg_config_check(&config, &err);
    check_written();
  }
  free(text);
  return 0;
}
