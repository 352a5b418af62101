// reference.c -- the command table as a man page and as docs/commands.md
#include <ctype.h>
#include <string.h>

#include "cli/commands.h"

// Exit codes by what they mean to a caller; the numbers are those of emg_status_exit_code.
static const cli_row exit_codes[] = {
    {"0", "done"},
    {"1", "internal error, out of memory"},
    {"2", "usage: unknown command or option, missing or malformed argument"},
    {"3", "configuration: its content"},
    {"4", "input data: its content"},
    {"5", "input/output: no such file or folder, permission, disk full, output exists"},
    {"6", "ran, but a gate failed (--min-roa)"},
    {"130", "interrupted; nothing was written"},
    {NULL, NULL},
};

// --- man page ---

// what troff would take for itself: a backslash, a dot or quote at the start of a line, a hyphen
static void put_roff(FILE *out, const char *text) {
  if (*text == '.' || *text == '\'') {
    fputs("\\&", out);
  }
  for (; *text; text++) {
    fputs(*text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, '\0'}, out);
  }
}

static void put_roff_row(FILE *out, const char *name, const char *doc) {
  fputs(".TP\n.B ", out);
  put_roff(out, name);
  fputc('\n', out);
  put_roff(out, doc);
  fputc('\n', out);
}

static void option_name(const cli_option *option, char *name, size_t size) {
  char letter[8] = "";

  if (option->letter) {
    snprintf(letter, sizeof letter, "-%c, ", option->letter);
  }
  snprintf(name, size, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
           option->argument ? option->argument : "");
}

static void put_roff_options(FILE *out, const cli_option *option) {
  for (; option && option->name; option++) {
    char name[80];
    option_name(option, name, sizeof name);
    put_roff_row(out, name, option->doc);
  }
}

static void put_roff_command(FILE *out, const cli_command *command) {
  fprintf(out, ".SS %s\n.B emgtwin %s\n", command->name, command->name);
  put_roff(out, command->usage);
  fputs("\n.PP\n", out);
  put_roff(out, command->about);
  fputc('\n', out);
  for (const cli_row *row = command->positionals; row && row->name; row++) {
    put_roff_row(out, row->name, row->doc);
  }
  put_roff_options(out, command->options);
}

void cli_write_man(FILE *out) {
  fprintf(
      out,
      ".\\\" written by 'emgtwin help --man'\n"
      ".TH EMGTWIN 1 \"\" \"emgtwin %s\" \"User Commands\"\n"
      ".SH NAME\nemgtwin \\- simulate high\\-density surface EMG and take it apart again\n"
      ".SH SYNOPSIS\n.B emgtwin\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n"
      "A generator of recordings of many surface or intramuscular electrodes over a layered\n"
      "cylindrical limb, with every motor unit, fibre and discharge known, and a decomposer that\n"
      "finds the discharges again, in simulated and in real recordings.\n"
      "Results go to standard output, talk to standard error.\n"
      ".SH COMMANDS\n",
      emg_version());
  for (const cli_command *const *command = cli_commands; *command; command++) {
    put_roff_command(out, *command);
  }
  fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
  put_roff_options(out, cli_common_options);
  fputs(".SH EXIT STATUS\n", out);
  for (const cli_row *row = exit_codes; row->name; row++) {
    put_roff_row(out, row->name, row->doc);
  }
  fputs(".SH EXAMPLES\n", out);
  for (const cli_command *const *command = cli_commands; *command; command++) {
    for (const cli_row *row = (*command)->examples; row && row->name; row++) {
      put_roff_row(out, row->name, row->doc);
    }
  }
  fputs(".SH ENVIRONMENT\n", out);
  put_roff_row(out, "NO_COLOR", "if set, no colours on standard error");
  put_roff_row(out, "OMP_NUM_THREADS", "threads to use where --threads is not given");
  put_roff_row(out, "OPENBLAS_CORETYPE", "kernels of OpenBLAS, where its own choice is not wanted");
}

// --- docs/commands.md ---

static void put_cell(FILE *out, const char *text) {
  for (; *text; text++) {
    fputs(*text == '|' ? "\\|" : (char[]){*text, '\0'}, out);
  }
}

static void put_table(FILE *out, const char *head, const cli_row *row) {
  fprintf(out, "| %s | |\n| --- | --- |\n", head);
  for (; row && row->name; row++) {
    fputs("| `", out);
    put_cell(out, row->name);
    fputs("` | ", out);
    put_cell(out, row->doc);
    fputs(" |\n", out);
  }
  fputc('\n', out);
}

static void put_option_table(FILE *out, const cli_option *option) {
  fputs("| option | |\n| --- | --- |\n", out);
  for (; option && option->name; option++) {
    char name[80];
    option_name(option, name, sizeof name);
    fputs("| `", out);
    put_cell(out, name);
    fputs("` | ", out);
    put_cell(out, option->doc);
    fprintf(out, "%s |\n", option->is_required ? " (required)" : "");
  }
  fputc('\n', out);
}

static void put_command(FILE *out, const cli_command *command) {
  fprintf(out, "## emgtwin %s\n\n%c%s.\n\n", command->name, toupper(command->doc[0]),
          command->doc + 1);
  fprintf(out, "    emgtwin %s %s\n\n%s\n\n", command->name, command->usage, command->about);
  if (command->positionals) {
    put_table(out, "argument", command->positionals);
  }
  if (command->options) {
    put_option_table(out, command->options);
  }
  for (const cli_row *row = command->examples; row && row->name; row++) {
    fprintf(out, "%s:\n\n    %s\n\n", row->doc, row->name);
  }
  if (command->json) {
    put_table(out, "with `--json`", command->json);
  }
}

void cli_write_markdown(FILE *out) {
  fputs("<!-- written by `emgtwin help --markdown` -->\n# Commands\n\n", out);
  fputs(
      "Results go to standard output, talk to standard error. With `--json` the results are one\n"
      "JSON document and nothing else is on standard output; numbers read back to the same "
      "double,\n"
      "what is not known or not finite is `null`. A configuration that is named on the command "
      "line\n"
      "is a YAML file, the name of a preset, or a file written by emgtwin, whose own "
      "configuration\n"
      "is then used. An error is one line on standard error per finding,\n"
      "`emgtwin: FILE:LINE:COL: error: what, and what to do`, and leaves no output behind.\n\n",
      out);
  fputs("## Options of every command\n\n", out);
  put_option_table(out, cli_common_options);
  fputs("## Exit codes\n\n", out);
  put_table(out, "code", exit_codes);
  for (const cli_command *const *command = cli_commands; *command; command++) {
    put_command(out, *command);
  }
}
