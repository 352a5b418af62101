// commands.h -- every command there is (private to cli)
#ifndef EMG_CLI_COMMANDS_H
#define EMG_CLI_COMMANDS_H

#include "cli/cli.h"

extern const cli_command cli_init_command;
extern const cli_command cli_explain_command;
extern const cli_command cli_validate_command;
extern const cli_command cli_simulate_command;
extern const cli_command cli_decompose_command;
extern const cli_command cli_train_command;
extern const cli_command cli_invert_command;
extern const cli_command cli_edit_command;
extern const cli_command cli_score_command;
extern const cli_command cli_benchmark_command;
extern const cli_command cli_convert_command;
extern const cli_command cli_track_command;
extern const cli_command cli_report_command;
extern const cli_command cli_inspect_command;
extern const cli_command cli_doctor_command;
extern const cli_command cli_help_command;

#endif
