// help.c -- help on the terminal, from the command table
#include <string.h>

#include "cli/commands.h"

enum { WIDTH = 90, COLUMN = 28 };

// words of `text` from column `at` on, continued at `indent`
static void print_wrapped(int at, int indent, const char *text) {
  while (*text) {
    text += strspn(text, " ");
    int word = (int)strcspn(text, " ");
    if (at > indent && at + 1 + word > WIDTH) {
      printf("\n%*s", indent, "");
      at = indent;
    } else if (at > indent) {
      putchar(' ');
      at++;
    }
    printf("%.*s", word, text);
    at += word;
    text += word;
  }
  putchar('\n');
}

static void print_row(const char *name, const char *doc) {
  int at = printf("  %s", name);

  if (at >= COLUMN) {
    putchar('\n');
    at = 0;
  }
  printf("%*s", COLUMN - at, "");
  print_wrapped(COLUMN, COLUMN, doc);
}

static void print_options(const cli_option *option) {
  for (; option && option->name; option++) {
    char name[80];
    char letter[8] = "    ";
    if (option->letter) {
      snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    snprintf(name, sizeof name, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    print_row(name, option->doc);
  }
}

static void print_overview(void) {
  puts(
      "emgtwin -- simulate high-density surface EMG and take it apart again\n\n"
      "usage: emgtwin COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:");
  for (const cli_command *const *command = cli_commands; *command; command++) {
    print_row((*command)->name, (*command)->doc);
  }
  puts("\noptions of every command:");
  print_options(cli_common_options);
  puts(
      "\nthe main job:\n"
      "  emgtwin simulate quick -o quick.h5\n"
      "  emgtwin decompose quick.h5 -o found.h5\n"
      "  emgtwin score found.h5 --truth quick.h5\n"
      "  emgtwin report quick.h5 found.h5 -o report.html\n\n"
      "'emgtwin help COMMAND' tells more.");
}

void cli_help(const cli_command *command) {
  if (!command) {
    print_overview();
    return;
  }
  printf("emgtwin %s -- %s\n\nusage: emgtwin %s %s\n\n", command->name, command->doc, command->name,
         command->usage);
  print_wrapped(0, 0, command->about);
  if (command->positionals) {
    puts("\narguments:");
    for (const cli_row *row = command->positionals; row->name; row++) {
      print_row(row->name, row->doc);
    }
  }
  if (command->options) {
    puts("\noptions:");
    print_options(command->options);
  }
  puts("\noptions of every command:");
  print_options(cli_common_options);
  if (command->examples) {
    puts("\nexamples:");
    for (const cli_row *row = command->examples; row->name; row++) {
      printf("  %s\n      %s\n", row->name, row->doc);
    }
  }
}

static emg_status run_help(const cli_args *args, emg_error *err) {
  if (cli_flag(args, "man")) {
    cli_write_man(stdout);
    return EMG_OK;
  }
  if (cli_flag(args, "markdown")) {
    cli_write_markdown(stdout);
    return EMG_OK;
  }
  const char *name = args->n_positionals > 0 ? args->positionals[0] : NULL;
  const cli_command *command = name ? cli_command_find(name) : NULL;
  if (name && !command) {
    return cli_refuse_command(name, err);
  }
  if (!args->is_json) {
    cli_help(command);
    return EMG_OK;
  }
  emg_json json = {0};
  emg_json_object(&json, NULL);
  emg_json_array(&json, "commands");
  for (const cli_command *const *each = cli_commands; *each; each++) {
    if (!command || command == *each) {
      emg_json_object(&json, NULL);
      emg_json_text(&json, "name", (*each)->name);
      emg_json_text(&json, "doc", (*each)->doc);
      emg_json_text(&json, "usage", (*each)->usage);
      emg_json_end(&json);
    }
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static const cli_row positionals[] = {{"COMMAND", "command to tell about; without it, the list"},
                                      {NULL, NULL}};
static const cli_option options[] = {
    {0, "man", NULL, "the man page of all commands, for man(1)", false},
    {0, "markdown", NULL, "docs/commands.md", false},
    {0, NULL, NULL, NULL, false},
};
static const cli_row json[] = {
    {"commands[].name, .doc, .usage", "the commands, or the one asked for"}, {NULL, NULL}};

const cli_command cli_help_command = {
    .name = "help",
    .doc = "tells about the commands",
    .usage = "[COMMAND]",
    .about = "The list of commands, or everything about one of them.",
    .positionals = positionals,
    .max_positionals = 1,
    .options = options,
    .json = json,
    .run = run_help,
};
