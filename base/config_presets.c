// config_presets.c -- named configurations as lists of what differs from the defaults
#include "base/config_priv.h"

#include <string.h>

#include "base/text.h"

// Assignments as for emg_config_set, NULL-terminated.
typedef struct {
  const char *name, *doc;
  int n_muscles;
  const char *const *assignments;
} preset_row;

static const char *const quick[] = {
    "conductor.muscle_radius_mm = 15 mm",
    "simulation.duration_s = 12 s",
    "drive.hold_s = 8 s",
    NULL,
};

static const preset_row presets[] = {
    {"quick", "a small muscle under a 13 x 5 grid: the whole way in seconds", 1, quick},
};

enum { N_PRESETS = sizeof presets / sizeof presets[0] };

static const preset_row *find_preset(const char *name) {
  for (int i = 0; i < N_PRESETS; i++) {
    if (strcmp(presets[i].name, name) == 0) {
      return &presets[i];
    }
  }
  return NULL;
}

const char *const *emg_config_preset_names(void) {
  static const char *const names[] = {"quick", NULL};
  return names;
}

const char *emg_config_preset_doc(const char *preset) {
  const preset_row *row = find_preset(preset);
  return row ? row->doc : NULL;
}

emg_status emg_config_preset(const char *preset, emg_config *config, emg_error *err) {
  const preset_row *row = find_preset(preset);
  if (!row) {
    char list[200] = "";
    for (int i = 0; i < N_PRESETS; i++) {
      size_t used = strlen(list);
      snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", presets[i].name);
    }
    return emg_fail(err, EMG_ERR_ARG, "there is no preset %s; there are %s", emg_quote(preset).text,
                    list);
  }
  emg_config_defaults(config);
  config->n_muscles = row->n_muscles;
  for (int i = 0; row->assignments[i]; i++) {
    EMG_TRY(emg_config_set(config, row->assignments[i], err));
  }
  return EMG_OK;
}
