// methods.c -- the table of methods of a benchmark: adding one is one row
#include "benchmark_priv.h"

#include <stdio.h>
#include <string.h>

#include <base/text.h>

static const emg_benchmark_method methods[] = {
    {"cbss", "convolutive blind source separation (decompose --method cbss)",
     EMG_BENCHMARK_DECOMPOSE, "cbss", NULL, false},
    {"search", "the search of decompose without its joint model", EMG_BENCHMARK_DECOMPOSE, "ckc",
     "decompose.joint_iterations = 0", false},
    {"ckc", "what decompose does", EMG_BENCHMARK_DECOMPOSE, "ckc", NULL, false},
    {"ckc_short", "the same with units kept from 10 spikes on, as invert keeps them",
     EMG_BENCHMARK_DECOMPOSE, "ckc", "decompose.spikes_min = 10", false},
    {"invert", "what invert does: the joint model guided by the forward model",
     EMG_BENCHMARK_INVERT, "joint", NULL, false},
    {"paper", "invert.mode = paper: the scheme of Halatsis et al. 2025", EMG_BENCHMARK_INVERT,
     "paper", NULL, false},
    {"oracle", "filters that know the true action potentials, once (score --ceiling)",
     EMG_BENCHMARK_ORACLE, NULL, NULL, false},
    {"ckc_online", "filters learned by decompose on the recording, used on what follows it",
     EMG_BENCHMARK_DECOMPOSE, "ckc", NULL, true},
    {"ckc_short_online", "the same with units kept from 10 spikes on", EMG_BENCHMARK_DECOMPOSE,
     "ckc", "decompose.spikes_min = 10", true},
    {"invert_online", "filters learned by invert on the recording, used on what follows it",
     EMG_BENCHMARK_INVERT, "joint", NULL, true},
};
enum { N_METHODS = sizeof methods / sizeof methods[0] };

const emg_benchmark_method *emg_benchmark_methods(int *n) {
  *n = N_METHODS;
  return methods;
}

emg_status emg_benchmark_find_method(const char *name, size_t length,
                                     const emg_benchmark_method **out, emg_error *err) {
  char names[300] = "", asked[60];

  for (int i = 0; i < N_METHODS; i++) {
    if (strlen(methods[i].name) == length && strncmp(methods[i].name, name, length) == 0) {
      *out = &methods[i];
      return EMG_OK;
    }
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", methods[i].name);
  }
  snprintf(asked, sizeof asked, "%.*s", (int)(length < sizeof asked ? length : sizeof asked - 1),
           name);
  return emg_fail(err, EMG_ERR_CONFIG, "there is no method %s; there are %s", emg_quote(asked).text,
                  names);
}

// --- figures ---

static const struct {
  const char *name, *doc;
} figures[] = {
#define ENTRY(id, name, doc) {name, doc},
    EMG_BENCHMARK_FIGURES(ENTRY)
#undef ENTRY
};

const char *emg_benchmark_figure_name(emg_benchmark_figure figure) {
  return figures[figure].name;
}

const char *emg_benchmark_figure_doc(emg_benchmark_figure figure) {
  return figures[figure].doc;
}

static const struct {
  const char *name, *unit;
} compared[EMG_COMPARED_PARAMETERS] = {
    [EMG_COMPARED_DEPTH] = {"depth_mm", "mm"},
    [EMG_COMPARED_ARC] = {"arc_mm", "mm"},
    [EMG_COMPARED_ZONE] = {"innervation_zone_mm", "mm"},
    [EMG_COMPARED_CV] = {"conduction_velocity_m_per_s", "m/s"},
    [EMG_COMPARED_HALF_LENGTH_1] = {"half_length_1_mm", "mm"},
    [EMG_COMPARED_HALF_LENGTH_2] = {"half_length_2_mm", "mm"},
    [EMG_COMPARED_TERRITORY] = {"territory_radius_mm", "mm"},
    [EMG_COMPARED_FIBRE_COUNT] = {"fibre_count", "fibres"},
};

const char *emg_compared_name(emg_compared_parameter parameter) {
  return compared[parameter].name;
}

const char *emg_compared_unit(emg_compared_parameter parameter) {
  return compared[parameter].unit;
}
