// decompose.c -- MAIN PATH: a recording by the name of a method to spike trains
#include <emgtwin/decompose.h>

#include <stdio.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

#include "ckc_priv.h"

const emg_decompose_method *emg_decompose_methods(int *n) {
  static const emg_decompose_method methods[] = {
      {"ckc", "blind: convolution kernel compensation with clipped contrast and peel-off",
       emg_ckc_run},
  };

  *n = (int)(sizeof methods / sizeof methods[0]);
  return methods;
}

emg_status emg_decompose(const char *method, const emg_recording *rec, const emg_config *config,
                         const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  int n;
  const emg_decompose_method *methods = emg_decompose_methods(&n);
  char names[256] = "";

  emg_init();
  *out = (emg_decomposition){0};
  for (int i = 0; i < n; i++) {
    if (strcmp(methods[i].name, method) == 0) {
      return methods[i].run(rec, config, monitor, out, err);
    }
    size_t length = strlen(names);
    snprintf(names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "", methods[i].name);
  }
  return emg_fail(err, EMG_ERR_ARG, "there is no method '%s'; choose one of: %s", method, names);
}
