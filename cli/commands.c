// commands.c -- the table of commands: adding one is one file and one row
#include <string.h>

#include "cli/commands.h"

const cli_command *const cli_commands[] = {
    &cli_init_command,
    &cli_explain_command,
    &cli_validate_command,
    &cli_simulate_command,
    &cli_decompose_command,
    &cli_train_command,
    &cli_invert_command,
    &cli_edit_command,
    &cli_score_command,
    &cli_benchmark_command,
    &cli_track_command,
    &cli_convert_command,
    &cli_report_command,
    &cli_inspect_command,
    &cli_doctor_command,
    &cli_help_command,
    NULL,
};

const cli_command *cli_command_find(const char *name) {
  for (const cli_command *const *command = cli_commands; *command; command++) {
    if (strcmp((*command)->name, name) == 0) {
      return *command;
    }
  }
  return NULL;
}
