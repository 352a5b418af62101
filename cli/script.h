// script.h -- operations of editing from the command line or from lines of text (private to cli)
#ifndef EMG_CLI_SCRIPT_H
#define EMG_CLI_SCRIPT_H

#include "cli/cli.h"

// Words of the command line, or of one line of a script.
typedef struct {
  int number;  // of the line, from 1; 0: the command line
  int n_words;
  const char **words;
} cli_line;

typedef struct {
  const char *path;  // of the script, NULL: the command line
  int n;
  cli_line *lines;
  char *text;  // what the words point into
} cli_script;

// The words after the name of the file, with --undo and --redo before them, or the lines of
// --script ("-": standard input) that hold words; # starts a comment. EMG_ERR_ARG if there is
// nothing to do, or both; EMG_ERR_DATA for what is no text.
emg_status cli_script_create(const cli_args *args, cli_script *out, emg_error *err);
void cli_script_free(cli_script *script);
// The first operation that needs the recording, NULL if none does.
const char *cli_script_needs_recording(const cli_script *script);
// Put the place of a line on an error.
void cli_script_blame(const cli_script *script, const cli_line *line, emg_error *err);

#endif
