// ceiling.c -- upper bounds as `score --ceiling` shows them
#include "cli/ceiling.h"

#include <math.h>
#include <stdlib.h>

// The configuration the recording was made with, where it says so, with --set.
static emg_status load_config(const cli_args *args, const char *path, emg_config *config,
                              emg_error *err) {
  char *yaml = NULL;
  bool has_config = cli_is_hdf5(path) && emg_file_read_config(path, &yaml, NULL) == EMG_OK;

  free(yaml);
  return cli_load_config(args, has_config ? path : NULL, config, err);
}

emg_status cli_ceiling(const cli_args *args, const char *path, const emg_spikes *spikes,
                       const emg_score_options *options, emg_ceiling_result *out, emg_error *err) {
  static emg_config config;
  emg_recording recording = {0};
  emg_truth truth = {0};
  emg_monitor monitor = cli_monitor(args);
  emg_status status;

  EMG_TRY(load_config(args, path, &config, err));
  EMG_TRY_DONE(cli_load_recording(args, path, CLI_NEEDS_EMG, &recording, err));
  if (cli_is_hdf5(path)) {
    EMG_TRY_DONE(emg_file_read_truth(path, &truth, err));
  }
  status = emg_ceiling(&recording, spikes, &truth.muaps, &config, options, &monitor, out, err);
  cli_progress_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }

done:
  emg_recording_free(&recording);
  emg_truth_free(&truth);
  return status;
}

// Of the unit matched to a true one, NAN if there is none.
static double found_roa(const emg_score_result *result, int truth) {
  for (int i = 0; i < result->n_estimated; i++) {
    if (result->pairs[i].truth == truth) {
      return result->pairs[i].roa;
    }
  }
  return NAN;
}

void cli_ceiling_print(const emg_ceiling_result *ceiling, const emg_score_result *result) {
  puts("\ntruth  spikes  found RoA  one pass  greedy   alone  detectability");
  for (int i = 0; i < ceiling->n_units; i++) {
    const emg_ceiling_unit *unit = &ceiling->units[i];
    double found = found_roa(result, unit->truth);
    char text[16] = "-";
    if (isfinite(found)) {
      snprintf(text, sizeof text, "%.3f", found);
    }
    printf("%5d  %6lld  %9s  %8.3f  %6.3f  %6.3f  %13.1f\n", unit->truth, (long long)unit->n_spikes,
           text, unit->one_pass, unit->greedy, unit->alone, unit->detectability);
  }
  printf("\nceiling       units with RoA >= 0.9: %d one pass, %d greedy, %d alone; found %d\n",
         ceiling->roa_90.one_pass, ceiling->roa_90.greedy, ceiling->roa_90.alone, result->n_roa_90);
  printf("              units with RoA >= 0.5: %d one pass, %d greedy, %d alone; found %d\n",
         ceiling->roa_50.one_pass, ceiling->roa_50.greedy, ceiling->roa_50.alone, result->n_roa_50);
  printf("              %d predicted to be told once, with detectability %g or more\n",
         ceiling->n_predicted, EMG_DETECTABILITY_MIN);
  printf("              of linear filters made from %s action potentials\n",
         ceiling->is_fitted ? "fitted" : "the true");
}

static void write_counts(emg_json *json, const char *name, const emg_ceiling_count *n) {
  emg_json_object(json, name);
  emg_json_integer(json, "one_pass", n->one_pass);
  emg_json_integer(json, "greedy", n->greedy);
  emg_json_integer(json, "alone", n->alone);
  emg_json_end(json);
}

void cli_ceiling_json(emg_json *json, const emg_ceiling_result *ceiling,
                      const emg_score_result *result) {
  emg_json_object(json, "ceiling");
  emg_json_text(json, "action_potentials", ceiling->is_fitted ? "fitted" : "true");
  emg_json_integer(json, "n_rounds", ceiling->n_rounds);
  emg_json_integer(json, "n_predicted", ceiling->n_predicted);
  write_counts(json, "roa_90", &ceiling->roa_90);
  write_counts(json, "roa_50", &ceiling->roa_50);
  emg_json_array(json, "units");
  for (int i = 0; i < ceiling->n_units; i++) {
    const emg_ceiling_unit *unit = &ceiling->units[i];
    emg_json_object(json, NULL);
    emg_json_integer(json, "truth", unit->truth);
    emg_json_integer(json, "spikes", unit->n_spikes);
    emg_json_number(json, "found", found_roa(result, unit->truth));
    emg_json_number(json, "one_pass", unit->one_pass);
    emg_json_number(json, "greedy", unit->greedy);
    emg_json_number(json, "alone", unit->alone);
    emg_json_number(json, "detectability", unit->detectability);
    emg_json_end(json);
  }
  emg_json_end(json);
  emg_json_end(json);
}
