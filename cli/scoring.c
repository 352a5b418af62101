// scoring.c -- scores as `score` and `report` show them
#include "cli/scoring.h"

#include <math.h>
#include <string.h>

// Native files, which may hold two sets of trains, always state their rate.
static emg_status read_spikes(const cli_args *args, const char *path, bool prefer_truth,
                              emg_spikes *out, emg_error *err) {
  emg_recording recording;

  if (!cli_value(args, "rate") || cli_is_hdf5(path)) {
    return emg_spikes_read(path, prefer_truth, out, err);
  }
  *out = (emg_spikes){0};
  EMG_TRY(cli_load_recording(args, path, CLI_NEEDS_RATE, &recording, err));
  if (recording.labels.n_units == 0) {
    emg_fail(err, EMG_ERR_DATA, "this %s file holds no spike trains", recording.format);
  } else {
    *out = recording.labels;
    recording.labels = (emg_spikes){0};
  }
  emg_recording_free(&recording);
  return out->n_units > 0 ? EMG_OK : EMG_ERR_DATA;
}

emg_status cli_load_spikes(const cli_args *args, const char *path, bool prefer_truth,
                           emg_spikes *out, emg_error *err) {
  emg_status status = read_spikes(args, path, prefer_truth, out, err);

  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

void cli_part_of(const char *config_yaml, double *from_s, double *to_s) {
  static emg_config config;

  *from_s = *to_s = 0;
  if (config_yaml &&
      emg_config_parse(config_yaml, strlen(config_yaml), "config", &config, NULL) == EMG_OK) {
    *from_s = config.decompose.from_s;
    *to_s = config.decompose.to_s;
  }
}

double cli_score_yield(const emg_score_result *result) {
  return result->n_active > 0 ? (double)result->n_roa_50 / result->n_active : 0;
}

double cli_score_chance(const emg_score_result *result) {
  double sum = 0;

  for (int i = 0; i < result->n_estimated; i++) {
    sum += result->pairs[i].truth >= 0 ? result->pairs[i].chance_roa : 0;
  }
  return result->n_matched > 0 ? sum / result->n_matched : 0;
}

static void write_pair(emg_json *json, const emg_score_pair *pair) {
  bool is_matched = pair->truth >= 0;

  emg_json_object(json, NULL);
  emg_json_integer(json, "unit", pair->estimated);
  emg_json_integer(json, "spikes", pair->n_estimated);
  if (is_matched) {
    emg_json_integer(json, "truth", pair->truth);
    emg_json_integer(json, "true_spikes", pair->n_truth);
    emg_json_integer(json, "common", pair->n_common);
  } else {
    emg_json_null(json, "truth");
    emg_json_null(json, "true_spikes");
    emg_json_null(json, "common");
  }
  emg_json_number(json, "lag_ms", is_matched ? pair->lag_ms : NAN);
  emg_json_number(json, "sensitivity", is_matched ? pair->sensitivity : NAN);
  emg_json_number(json, "precision", is_matched ? pair->precision : NAN);
  emg_json_number(json, "f1", is_matched ? pair->f1 : NAN);
  emg_json_number(json, "roa", is_matched ? pair->roa : NAN);
  emg_json_number(json, "chance_roa", is_matched ? pair->chance_roa : NAN);
  emg_json_end(json);
}

void cli_score_json(emg_json *json, const emg_score_result *result) {
  emg_json_array(json, "units");
  for (int i = 0; i < result->n_estimated; i++) {
    write_pair(json, &result->pairs[i]);
  }
  emg_json_end(json);
  emg_json_object(json, "summary");
  emg_json_integer(json, "n_found", result->n_estimated);
  emg_json_integer(json, "n_true", result->n_truth);
  emg_json_integer(json, "n_active", result->n_active);
  emg_json_integer(json, "n_matched", result->n_matched);
  emg_json_integer(json, "n_false", result->n_false);
  emg_json_integer(json, "n_duplicates", result->n_duplicates);
  emg_json_integer(json, "n_roa_90", result->n_roa_90);
  emg_json_integer(json, "n_roa_50", result->n_roa_50);
  emg_json_number(json, "yield", cli_score_yield(result));
  emg_json_number(json, "sensitivity", result->sensitivity);
  emg_json_number(json, "precision", result->precision);
  emg_json_number(json, "f1", result->f1);
  emg_json_number(json, "roa", result->roa);
  emg_json_number(json, "chance_roa", cli_score_chance(result));
  emg_json_number(json, "sum_f1", result->sum_f1);
  emg_json_end(json);
}
