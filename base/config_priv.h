// config_priv.h -- what the files of the configuration share (private to base)
#ifndef EMG_BASE_CONFIG_PRIV_H
#define EMG_BASE_CONFIG_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <emgtwin/config.h>

// Why a value was refused: a sentence without the key.
typedef struct {
  char text[400];
} emg_reason;

// One row per section, in the order of config_fields.def.
typedef struct {
  const char *name;
  bool repeatable;
  const char *doc;
  size_t offset, size;  // of its struct (the first, if repeatable) in emg_config
  int first_key;
} emg_config_section;

const emg_config_section *emg_config_sections(int *n_sections);
// NULL if there is no such section or key.
const emg_config_section *emg_config_section_find(const char *name);
const emg_config_key *emg_config_section_keys(const emg_config_section *section, int *n_keys);
const emg_config_key *emg_config_key_find(const emg_config_section *section, const char *name);
// True if its value is the path of a file.
bool emg_config_key_is_path(const emg_config_key *key);
// "; did you mean 'rows'?", or where to look if nothing is near.
typedef struct {
  char text[120];
} emg_hint;
emg_hint emg_config_section_hint(const char *written);
emg_hint emg_config_key_hint(const emg_config_section *section, const char *written);

// Values of one muscle's entry of a section; `entry` is 0 unless the section is repeatable.
void *emg_config_entry(emg_config *config, const emg_config_section *section, int entry);
const void *emg_config_entry_const(const emg_config *config, const emg_config_section *section,
                                   int entry);

// Store the value written as `text` in the section struct `values`; on refusal it is unchanged.
bool emg_config_value_parse(const emg_config_key *key, const char *text, void *values,
                            emg_reason *reason);
// Every value of the muscles in use against its range: a caller may have set it in C.
// EMG_ERR_CONFIG with a finding each.
emg_status emg_config_values_check(const emg_config *config, emg_error *err);
// Append one element to a list key. EMG_LIST_MAX elements at most.
bool emg_config_list_append(const emg_config_key *key, const char *text, emg_list *list,
                            emg_reason *reason);
// Append one line to a list of texts, blanks around it cut off. EMG_TEXTS_MAX lines at most.
bool emg_config_texts_append(const char *text, emg_texts *texts, emg_reason *reason);
// Write a value as YAML that reads back the same.
void emg_config_value_print(const emg_config_key *key, const void *values, FILE *out);

// "8 mm" to a number in `unit`.
bool emg_quantity_convert(const char *text, const char *unit, double *value, emg_reason *reason);

#endif
