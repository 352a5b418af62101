// ceiling.h -- upper bounds as `score --ceiling` shows them (private to cli)
#ifndef EMG_CLI_CEILING_H
#define EMG_CLI_CEILING_H

#include "cli/cli.h"

// Upper bounds for the recording in `path`, whose true discharges are `spikes`; findings name the
// file.
emg_status cli_ceiling(const cli_args *args, const char *path, const emg_spikes *spikes,
                       const emg_score_options *options, emg_ceiling_result *out, emg_error *err);
// A table of the true units, beside what was found.
void cli_ceiling_print(const emg_ceiling_result *ceiling, const emg_score_result *result);
// Member "ceiling" of the object that is open.
void cli_ceiling_json(emg_json *json, const emg_ceiling_result *ceiling,
                      const emg_score_result *result);

#endif
