// keys.c -- what determines a result, as a name for its file
#include "benchmark_priv.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/sha256.h>
#include <base/system.h>
#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

static void add_text(emg_sha256 *sha, const char *text) {
  // with its end, so that no two lists of texts run into the same bytes
  emg_sha256_add(sha, text, strlen(text) + 1);
}

emg_status emg_benchmark_program(emg_benchmark_key *out, emg_error *err) {
  static const char here = 0;  // lies in the file that is asked for
  Dl_info info;
  char hex[65];
  emg_sha256 sha;

  if (dladdr(&here, &info) == 0 || !info.dli_fname) {
    return emg_fail(err, EMG_ERR_INTERNAL, "the program's own file is not known");
  }
  EMG_TRY(emg_file_sha256(info.dli_fname, hex, err));
  emg_sha256_start(&sha);
  add_text(&sha, emg_version());
  add_text(&sha, hex);
  // results are promised per type of processor
  add_text(&sha, emg_simd_level());
  add_text(&sha, emg_blas_name());
  emg_sha256_finish(&sha, out->text);
  return EMG_OK;
}

void emg_benchmark_lengthen(const emg_benchmark_method *method, emg_config *simulated) {
  if (method->is_online) {
    simulated->simulation.duration_s += simulated->benchmark.online_s;
    for (int m = 0; m < EMG_MUSCLES_MAX; m++) {
      simulated->drive[m].hold_s += simulated->benchmark.online_s;
    }
  }
}

// The rest of `config` as by default.
static emg_status keep_sections(bool keeps_subject, emg_config *config, emg_error *err) {
  emg_config *plain;

  EMG_TRY(emg_alloc(1, sizeof *plain, &plain, err));
  emg_config_defaults(plain);
  if (keeps_subject) {
    *plain = *config;
    emg_config_defaults(config);
    plain->benchmark = config->benchmark;
    plain->output = config->output;
  } else {
    plain->decompose = config->decompose;
    plain->score = config->score;
  }
  *config = *plain;
  free(plain);
  return EMG_OK;
}

emg_status emg_benchmark_narrow(const emg_config *told, const emg_benchmark_method *method,
                                emg_config *out, emg_error *err) {
  double parameters_roa = told->benchmark.parameters_roa;

  *out = *told;
  EMG_TRY(keep_sections(method->kind == EMG_BENCHMARK_INVERT, out, err));
  if (method->kind == EMG_BENCHMARK_INVERT) {
    out->benchmark.parameters_roa = parameters_roa;
    char mode[64];
    snprintf(mode, sizeof mode, "invert.mode = %s", method->variant);
    EMG_TRY(emg_config_set(out, mode, err));
  }
  if (method->setting) {
    EMG_TRY(emg_config_set(out, method->setting, err));
  }
  if (method->is_online) {
    out->decompose.to_s = told->simulation.duration_s;
  }
  return EMG_OK;
}

static emg_status digest(const char *kind, const char *name, const emg_benchmark_key *on,
                         const emg_config *config, emg_benchmark_key *out, emg_error *err) {
  emg_sha256 sha;
  char *yaml;

  EMG_TRY(emg_config_write(config, false, NULL, &yaml, err));
  emg_sha256_start(&sha);
  add_text(&sha, kind);
  add_text(&sha, name);
  add_text(&sha, on->text);
  add_text(&sha, yaml);
  emg_sha256_finish(&sha, out->text);
  free(yaml);
  return EMG_OK;
}

emg_status emg_benchmark_recording_key(const emg_config *simulated,
                                       const emg_benchmark_key *program, emg_benchmark_key *out,
                                       emg_error *err) {
  emg_config *copy, *plain;

  EMG_TRY(emg_alloc(2, sizeof *copy, &copy, err));
  plain = copy + 1;
  *copy = *simulated;
  emg_config_defaults(plain);
  copy->decompose = plain->decompose;
  copy->score = plain->score;
  copy->invert = plain->invert;
  copy->benchmark = plain->benchmark;
  emg_status status = digest("recording", simulated->directory, program, copy, out, err);
  free(copy);
  return status;
}

emg_status emg_benchmark_cell_key(const emg_benchmark_key *recording, const emg_config *narrowed,
                                  const emg_benchmark_method *method, emg_benchmark_key *out,
                                  emg_error *err) {
  return digest("cell", method->name, recording, narrowed, out, err);
}
