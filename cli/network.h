// network.h -- decomposition by a trained network (private to cli)
#ifndef EMG_CLI_NETWORK_H
#define EMG_CLI_NETWORK_H

#include "cli/cli.h"

// Whether the options of `decompose --method cnn` go together.
emg_status cli_network_check(const cli_args *args, emg_error *err);
emg_status cli_network_decompose(const cli_args *args, const emg_recording *rec,
                                 const emg_config *config, const emg_monitor *monitor,
                                 emg_decomposition *out, emg_error *err);

#endif
