// network.h -- decomposition by a trained network (private to cli)
#ifndef EMG_CLI_NETWORK_H
#define EMG_CLI_NETWORK_H

#include "cli/cli.h"

// Whether the options of `decompose --method cnn` go together.
emg_status cli_network_check(const cli_args *args, emg_error *err);
emg_status cli_network_decompose(const cli_args *args, const emg_recording *rec,
                                 const emg_config *config, const emg_monitor *monitor,
                                 emg_decomposition *out, emg_error *err);


// An HDF5 file that holds a network, maybe a broken one.
bool cli_is_network(const char *path);
// One line about a network.
void cli_network_summary(const emg_cnn *net, char *text, size_t size);
// `inspect` of a network.
emg_status cli_network_inspect(const cli_args *args, emg_error *err);
// `convert` of a network, to ONNX.
emg_status cli_network_convert(const cli_args *args, emg_error *err);

#endif
