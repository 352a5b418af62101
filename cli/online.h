// online.h -- stored filters for `decompose` (private to cli)
#ifndef EMG_CLI_ONLINE_H
#define EMG_CLI_ONLINE_H

#include "cli/cli.h"

// Options of `decompose` that go with stored filters, checked against each other.
emg_status cli_online_check(const cli_args *args, emg_error *err);
// The filters of --filters applied to a recording.
emg_status cli_online_decompose(const cli_args *args, const emg_recording *rec,
                                const emg_config *config, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err);
// The same to raw samples on standard input, or a recording, discharges on standard output as they
// come.
emg_status cli_online_stream(const cli_args *args, emg_error *err);

#endif
