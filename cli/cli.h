// cli.h -- what the commands share: the tables, the arguments, talk and results (private to cli)
//
// A command is one cli_command in one file and one row in commands.c. The same table parses,
// checks, helps, and writes the man page and docs/commands.md.
#ifndef EMG_CLI_H
#define EMG_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <emgtwin/emgtwin.h>

#include "base/json.h"

#define CLI_OPTIONS_MAX 24

typedef struct {
  char letter;           // 0 if it has a long name only
  const char *name;      // "output"; NULL ends a table
  const char *argument;  // "FILE", NULL for a flag
  const char *doc;
  bool is_required;
} cli_option;

typedef struct {
  const char *name, *doc;  // name NULL ends a table
} cli_row;

typedef struct cli_args cli_args;

typedef struct {
  const char *name, *doc;
  const char *usage;           // what follows the name: "CONFIG -o OUT.h5"
  const char *about;           // a paragraph
  const cli_row *positionals;  // name as in `usage` and what it is
  int min_positionals, max_positionals;
  const cli_option *options;  // beside the common ones
  const cli_row *examples;    // command and what it does
  const cli_row *json;        // member of the --json object and what it is
  emg_status (*run)(const cli_args *args, emg_error *err);
} cli_command;

extern const cli_option cli_common_options[];

// NULL-terminated, in the order of the help.
extern const cli_command *const cli_commands[];
const cli_command *cli_command_find(const char *name);
// EMG_ERR_ARG: no such command; did you mean ...?
emg_status cli_refuse_command(const char *name, emg_error *err);

// What was given. Strings are those of argv.
struct cli_args {
  const cli_command *command;
  const char *values[CLI_OPTIONS_MAX];  // one per option of the command; "" for a flag
  int n_positionals;
  char **positionals;
  bool wants_help, wants_version;
  bool is_json, is_forced, no_progress;
  int verbosity;  // -1 quiet, 0, 1 and more
  int n_threads;  // 0: not given
  bool has_seed;
  uint64_t seed;
  int n_sets;
  const char **sets;   // "section.key=value"
  char *command_line;  // what determines the result: without outputs and without threads
};

// Value of an option of the command, NULL if not given; "" for a flag that was.
const char *cli_value(const cli_args *args, const char *name);
bool cli_flag(const cli_args *args, const char *name);
// Options before the command, the command, and its arguments. EMG_ERR_ARG with "did you mean".
emg_status cli_parse(int argc, char **argv, cli_args *args, emg_error *err);
void cli_args_free(cli_args *args);

// An option given as a quantity, converted to `unit`; EMG_ERR_ARG names the option. `value` is left
// as it is if the option was not given.
emg_status cli_quantity(const cli_args *args, const char *name, const char *unit, double min,
                        double max, double *value, emg_error *err);

// Help on stdout; `command` NULL: the list of commands.
void cli_help(const cli_command *command);
// The same tables as a man page and as docs/commands.md.
void cli_write_man(FILE *out);
void cli_write_markdown(FILE *out);

// --- talk.c: everything on stderr ---

// Findings of an error, one line each: "emgtwin: FILE:LINE:COL: error: what, and what to do".
void cli_print_error(const emg_error *err);
// "emgtwin: text" unless quiet.
void cli_say(const cli_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Log lines and a progress bar for a long call.
emg_monitor cli_monitor(const cli_args *args);
void cli_progress_end(void);

// --- output.c: files and stdout ---

// SIGINT and SIGTERM end the program at once with 130 or 143 and leave no partial file.
void cli_catch_signals(void);
// Whether `path` may be written: EMG_ERR_IO if it exists and --force was not given or its folder
// cannot be written, EMG_ERR_ARG if it is an input. Call before a long run.
emg_status cli_check_output(const cli_args *args, const char *path, emg_error *err);
// Between these two calls PATH.part.PID is being written and is removed by a signal.
void cli_output_begin(const char *path);
void cli_output_end(void);
// While several files are written that belong together, a signal is remembered, not obeyed: the
// writer asks cli_was_interrupted and cleans up.
void cli_defer_signals(bool is_wanted);
bool cli_was_interrupted(void);
// What a signal tells the user from now on in place of "nothing was written"; NULL: that again.
void cli_on_interruption(const char *hint);
// A text file, whole or not at all; cli_check_output comes first.
emg_status cli_write_text(const cli_args *args, const char *path, const char *text, size_t length,
                          emg_error *err);
// A native file with what `contents` points to; how it came to be is filled in here.
emg_status cli_write_file(const cli_args *args, const char *path, const emg_config *config,
                          emg_file_contents *contents, emg_error *err);
// A finished JSON document to stdout.
// Why a unit should be looked at: emg_unit_flag, as the end of a line and as an array.
void cli_print_flags(int32_t flags);
void cli_add_flags(emg_json *json, int32_t flags);
emg_status cli_print_json(emg_json *json, emg_error *err);
// Everything printed has arrived: EMG_ERR_IO for a full disk or a closed pipe.
emg_status cli_flush_results(emg_error *err);

// --- load.c: inputs named on the command line ---

// Configuration of a YAML file, of a preset, or of a native file (the one it was made with), then
// --set and --seed, then the check of relations. `name` NULL: the defaults.
emg_status cli_load_config(const cli_args *args, const char *name, emg_config *out, emg_error *err);
// The same overlay and check on a configuration that is already there.
emg_status cli_overlay_config(const cli_args *args, emg_config *config, emg_error *err);
// Told from the first bytes.
bool cli_is_hdf5(const char *path);
// What a file does not say and the user must.
#define CLI_READ_OPTIONS                                                                     \
  {0, "rate", "RATE", "sampling rate of a file that does not state it: '1000 Hz'", false},   \
      {0, "scale", "SCALE", "size of one count of a file without units: '0.2 uV'", false}, { \
    0, "map", "FILE", "grid of a file that has none: .mat or .csv of channel numbers", false \
  }
// What a command cannot do without in a recording; each includes those before it.
typedef enum {
  CLI_NEEDS_NOTHING,  // whatever the file says, also where it does not state its sampling rate
  CLI_NEEDS_RATE,     // spike trains or force alone will do
  CLI_NEEDS_EMG,
} cli_needs;
// A recording, with --rate, --scale and --map of the command if it has them.
emg_status cli_load_recording(const cli_args *args, const char *path, cli_needs needs,
                              emg_recording *out, emg_error *err);
// The same in blocks, for recordings longer than memory.
emg_status cli_open_stream(const cli_args *args, const char *path, emg_stream **out,
                           emg_error *err);
// SHA-256 of the input (the first argument; if it is a preset, of the configuration) and the
// effective configuration, for the provenance of an output.
typedef struct {
  char sha256[65];
  char *config_yaml;
  emg_provenance provenance;  // points into this struct and the arguments
} cli_origin;
emg_status cli_origin_create(const cli_args *args, const emg_config *config, cli_origin *out,
                             emg_error *err);
void cli_origin_free(cli_origin *origin);

#endif
