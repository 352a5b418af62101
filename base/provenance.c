// provenance.c -- how a file came to be, as datasets of it
#include "provenance.h"

#include <emgtwin/emgtwin.h>

#include "system.h"

emg_status emg_provenance_write(emg_h5 *file, const emg_provenance *p, emg_error *err) {
  const struct {
    const char *path, *text;
  } rows[] = {{"provenance/config_yaml", p->config_yaml},
              {"provenance/command", p->command},
              {"provenance/input_sha256", p->input_sha256},
              {"provenance/version", p->version ? p->version : emg_version()},
              {"provenance/cpu", p->cpu ? p->cpu : emg_cpu_name()},
              {"provenance/blas", p->blas ? p->blas : emg_blas_name()}};

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].text) {
      EMG_TRY(emg_h5_write_text(file, rows[i].path, rows[i].text, err));
    }
  }
  return emg_h5_write_u64(file, "provenance/seed", p->seed, err);
}
