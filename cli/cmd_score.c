// cmd_score.c -- emgtwin score: agreement of spike trains with the truth
#include <stdlib.h>
#include <string.h>

#include "cli/ceiling.h"
#include "cli/commands.h"
#include "cli/scoring.h"

static void print_pairs(const emg_score_result *result) {
  puts(" unit  truth  spikes   true  common   lag/ms   sens.   prec.      F1     RoA  chance RoA");
  for (int i = 0; i < result->n_estimated; i++) {
    const emg_score_pair *pair = &result->pairs[i];
    if (pair->truth < 0) {
      printf(
          "%5d      -  %6lld      -       -        -       -       -       -       -           -\n",
          pair->estimated, (long long)pair->n_estimated);
    } else {
      printf("%5d  %5d  %6lld  %5lld  %6lld  %7.2f  %6.3f  %6.3f  %6.3f  %6.3f      %6.3f\n",
             pair->estimated, pair->truth, (long long)pair->n_estimated, (long long)pair->n_truth,
             (long long)pair->n_common, pair->lag_ms, pair->sensitivity, pair->precision, pair->f1,
             pair->roa, pair->chance_roa);
    }
  }
}

static void print_summary(const emg_score_result *result, const emg_score_options *options) {
  printf("\nmatched       %d of %d found units, to %d active of %d true ones\n", result->n_matched,
         result->n_estimated, result->n_active, result->n_truth);
  printf("yield         %.1f %% of active units; %d with RoA >= 0.9, %d with RoA >= 0.5\n",
         100 * cli_score_yield(result), result->n_roa_90, result->n_roa_50);
  printf("not matched   %d false, %d repeat a matched unit\n", result->n_false,
         result->n_duplicates);
  printf("mean          sensitivity %.4f, precision %.4f, F1 %.4f, RoA %.4f\n", result->sensitivity,
         result->precision, result->f1, result->roa);
  printf("chance        RoA %.4f for unrelated trains of these rates at the best lag\n",
         cli_score_chance(result));
  printf("sum of F1     %.3f\n", result->sum_f1);
  printf("tolerance     %g ms, lag up to %g ms, a match from %s %g on\n", options->tolerance_ms,
         options->max_lag_ms, options->match_by_f1 ? "F1" : "RoA", options->match_min);
}

static emg_status print_json(const char *preset, double from_s, double to_s,
                             const emg_score_result *result, const emg_score_options *options,
                             const emg_ceiling_result *ceiling, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "preset", preset);
  emg_json_number(&json, "from_s", from_s);
  emg_json_number(&json, "to_s", to_s);
  emg_json_number(&json, "tolerance_ms", options->tolerance_ms);
  emg_json_number(&json, "max_lag_ms", options->max_lag_ms);
  emg_json_number(&json, "match_min", options->match_min);
  emg_json_text(&json, "match_by", options->match_by_f1 ? "f1" : "roa");
  cli_score_json(&json, result);
  if (ceiling) {
    cli_ceiling_json(&json, ceiling, result);
  }
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// The preset, then --set score.*, then --tol: the later wins.
static emg_status read_options(const cli_args *args, const char *preset, emg_score_options *options,
                               emg_error *err) {
  static emg_config config;

  EMG_TRY(emg_score_preset(preset, options, err));
  emg_config_defaults(&config);
  config.score.tolerance_ms = options->tolerance_ms;
  config.score.max_lag_ms = options->max_lag_ms;
  config.score.match_min = options->match_min;
  EMG_TRY(cli_overlay_config(args, &config, err));
  options->tolerance_ms = config.score.tolerance_ms;
  options->max_lag_ms = config.score.max_lag_ms;
  options->match_min = config.score.match_min;
  return cli_quantity(args, "tol", "ms", 0, 100, &options->tolerance_ms, err);
}

// --from and --to, else the part that the result is of, as far as its file says.
static emg_status find_part(const cli_args *args, double *from_s, double *to_s, emg_error *err) {
  const char *path = args->positionals[0];
  const double longest_s = 1e7;
  char *yaml = NULL;

  if (cli_is_hdf5(path)) {
    (void)emg_file_read_config(path, &yaml, NULL);
  }
  cli_part_of(yaml, from_s, to_s);
  free(yaml);
  EMG_TRY(cli_quantity(args, "from", "s", 0, longest_s, from_s, err));
  EMG_TRY(cli_quantity(args, "to", "s", 0, longest_s, to_s, err));
  if (*to_s > 0 && *from_s >= *to_s) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--from %g s is not before --to %g s; give a part that is not empty", *from_s,
                    *to_s);
  }
  return EMG_OK;
}

static void print_part(double from_s, double to_s) {
  if (to_s > 0) {
    printf("part          discharges from %g s to %g s\n", from_s, to_s);
  } else if (from_s > 0) {
    printf("part          discharges from %g s on\n", from_s);
  }
}

static emg_status check_gate(const char *path, double min_roa, const emg_score_result *result,
                             emg_error *err) {
  if (result->roa < min_roa) {
    return emg_fail_at(
        err, EMG_ERR_GATE, path, 0, 0,
        "mean rate of agreement %.4f of %d matched units is below --min-roa %g; look "
        "at the table for the units that miss it",
        result->roa, result->n_matched, min_roa);
  }
  return EMG_OK;
}

static emg_status run_score(const cli_args *args, emg_error *err) {
  const char *preset = cli_value(args, "preset") ? cli_value(args, "preset") : "strict";
  double min_roa = -1, from_s, to_s;
  emg_score_options options;
  emg_spikes found = {0}, truth = {0};
  emg_score_result result = {0};
  emg_ceiling_result ceiling = {0};
  bool has_ceiling = cli_flag(args, "ceiling");
  emg_status status;

  EMG_TRY(cli_quantity(args, "min-roa", "fraction", 0, 1, &min_roa, err));
  EMG_TRY(read_options(args, preset, &options, err));
  EMG_TRY_DONE(find_part(args, &from_s, &to_s, err));
  EMG_TRY_DONE(cli_load_spikes(args, args->positionals[0], false, &found, err));
  EMG_TRY_DONE(cli_load_spikes(args, cli_value(args, "truth"), true, &truth, err));
  EMG_TRY_DONE(emg_spikes_keep(&found, from_s, to_s, err));
  EMG_TRY_DONE(emg_spikes_keep(&truth, from_s, to_s, err));
  status = emg_score(&found, &truth, &options, &result, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, args->positionals[0]);
    goto done;
  }
  if (has_ceiling) {
    EMG_TRY_DONE(cli_ceiling(args, cli_value(args, "truth"), &truth, &options, &ceiling, err));
  }
  if (args->is_json) {
    EMG_TRY_DONE(
        print_json(preset, from_s, to_s, &result, &options, has_ceiling ? &ceiling : NULL, err));
  } else {
    print_pairs(&result);
    print_summary(&result, &options);
    print_part(from_s, to_s);
    if (has_ceiling) {
      cli_ceiling_print(&ceiling, &result);
    }
  }
  status = check_gate(args->positionals[0], min_roa, &result, err);

done:
  emg_score_free(&result);
  emg_ceiling_free(&ceiling);
  emg_spikes_free(&found);
  emg_spikes_free(&truth);
  return status;
}

static const cli_row positionals[] = {
    {"RESULT",
     "spike trains that were found: native HDF5, labels of a BIDS derivative, DEMUSE .mat"},
    {NULL, NULL}};
static const cli_option options[] = {
    {0, "truth", "TRUTH", "spike trains that are true: a simulated recording, or as RESULT", true},
    {0, "preset", "NAME",
     "strict: 0.5 ms, by rate of agreement (default); muniverse: 1 ms, by F1 >= 0.3; munitquest: "
     "the same without duplicates, by F1 >= 0.5",
     false},
    {0, "from", "TIME", "score discharges from here on (default: the part that RESULT is of)",
     false},
    {0, "to", "TIME", "and before here", false},
    {0, "tol", "TIME", "two discharges agree within this: '0.5 ms'", false},
    {0, "rate", "RATE", "sampling rate of a file that does not state it: '2048 Hz'", false},
    {0, "ceiling", NULL,
     "upper bounds beside the score: what filters that know the action potentials find in TRUTH, "
     "which must hold the recording",
     false},
    {0, "min-roa", "X", "exit with 6 if the mean rate of agreement is below X, 0 to 1", false},
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin score found.h5 --truth quick.h5", "Per unit and in sum"},
    {"emgtwin score found.h5 --truth quick.h5 --ceiling", "And what could have been found"},
    {"emgtwin score found.h5 --truth quick.h5 --tol 1ms --min-roa 0.9 --json",
     "A gate for scripts"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"from_s, to_s", "the part that is scored; to_s 0: to the end"},
    {"preset, tolerance_ms, max_lag_ms, match_min, match_by", "how it was scored"},
    {"units[].unit, .truth, .spikes, .true_spikes, .common, .lag_ms, .sensitivity, .precision, "
     ".f1, "
     ".roa, .chance_roa",
     "each found unit; truth and all after it null if it matches none"},
    {"summary.n_found, .n_true, .n_active, .n_matched, .n_false, .n_duplicates, .n_roa_90, "
     ".n_roa_50, .yield",
     "counts, and matched units with RoA >= 0.5 as a fraction of active ones"},
    {"summary.sensitivity, .precision, .f1, .roa, .chance_roa, .sum_f1",
     "means over matched units (0 if there are none) and the sum of F1"},
    {"ceiling.roa_90, .roa_50", "true units at RoA >= 0.9 and >= 0.5: one_pass, greedy, alone"},
    {"ceiling.units[].truth, .spikes, .found, .one_pass, .greedy, .alone",
     "rate of agreement of each active true unit; found null if it was not"},
    {"ceiling.units[].detectability, ceiling.n_predicted",
     "height of its spikes over the deviation of all else, predicted; units where it is enough"},
    {"ceiling.action_potentials, .n_rounds", "true or fitted, and the passes of the greedy bound"},
    {NULL, NULL},
};

const cli_command cli_score_command = {
    .name = "score",
    .doc = "scores spike trains against the truth, per unit and in sum",
    .usage =
        "RESULT --truth TRUTH [--preset NAME] [--tol TIME] [--from TIME] [--to TIME] [--ceiling] "
        "[--min-roa X]",
    .about =
        "Matches found units to true ones one-to-one (Hungarian method) after a search for the "
        "common delay of each pair, and says how their discharges agree. Labels of units play "
        "no part. Beside each rate of agreement stands that of two unrelated trains of the same "
        "rates.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_score,
};
