// long_run.h -- decomposition of recordings longer than memory, with a checkpoint (private to cli)
#ifndef EMG_CLI_LONG_RUN_H
#define EMG_CLI_LONG_RUN_H

#include "cli/cli.h"

// Decompose a recording that does not fit in decompose.memory_mib, with OUT.checkpoint beside the
// output `path`; `recording` becomes what is known of it beside its samples. One that fits is left
// alone: *is_long is false.
emg_status cli_decompose_long(const cli_args *args, const char *method, const emg_config *config,
                              const char *path, bool *is_long, emg_recording *recording,
                              emg_decomposition *found, emg_error *err);
// Remove the checkpoint of an output that is safe now.
void cli_remove_checkpoint(const char *path);

#endif
