// scoring.h -- scores as `score` and `report` show them (private to cli)
#ifndef EMG_CLI_SCORING_H
#define EMG_CLI_SCORING_H

#include "cli/cli.h"

// Spike trains of a file, with --rate of the command where the file does not state it; findings
// name the file.
emg_status cli_load_spikes(const cli_args *args, const char *path, bool prefer_truth,
                           emg_spikes *out, emg_error *err);
// The part of a recording that a configuration was run on: 0 and 0 for all of it, and if the text
// is NULL or no configuration of this version.
void cli_part_of(const char *config_yaml, double *from_s, double *to_s);
// Active units found with a rate of agreement of at least 0.5, as a fraction of active units.
double cli_score_yield(const emg_score_result *result);
// Mean over matched pairs of the rate of agreement that chance gives.
double cli_score_chance(const emg_score_result *result);
// Members "units" and "summary" of the object that is open.
void cli_score_json(emg_json *json, const emg_score_result *result);

#endif
