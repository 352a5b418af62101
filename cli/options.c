// options.c -- the arguments: getopt_long driven by our own tables
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

const cli_option cli_common_options[] = {
    {'h', "help", NULL, "show this help and stop", false},
    {0, "version", NULL, "show the version and stop", false},
    {0, "json", NULL, "results as JSON on standard output, and nothing else there", false},
    {'q', "quiet", NULL, "no talk on standard error but errors", false},
    {'v', "verbose", NULL, "say what is done; twice for details", false},
    {0, "threads", "N", "threads to use (default: all processors); results do not depend on it",
     false},
    {0, "force", NULL, "replace an output that exists", false},
    {0, "no-progress", NULL, "no progress bar", false},
    {0, "seed", "N", "seed of every random stream, in place of simulation.seed", false},
    {0, "set", "SECTION.KEY=VALUE", "change one configuration key; may be repeated", false},
    {0, NULL, NULL, NULL, false},
};

enum { COMMON_MAX = 16, ALL_MAX = CLI_OPTIONS_MAX + COMMON_MAX };

// The common options and those of one command, as getopt_long wants them.
typedef struct {
  const cli_option *all[ALL_MAX];
  int n_common, n_all;
  struct option longs[ALL_MAX + 1];
  char shorts[2 * ALL_MAX + 4];
} option_set;

static void add_option(option_set *set, const cli_option *option) {
  assert(set->n_all < ALL_MAX);
  char *end = set->shorts + strlen(set->shorts);

  // the value is an index past every letter, so that a long name is told from a letter
  set->longs[set->n_all] = (struct option){
      option->name, option->argument ? required_argument : no_argument, NULL, 256 + set->n_all};
  set->all[set->n_all++] = option;
  if (option->letter) {
    *end++ = option->letter;
    *end++ = option->argument ? ':' : '\0';
    *end = '\0';
  }
}

// `prefix`: "+" stops at the first word that is not an option
static void build_set(const char *prefix, const cli_option *own, option_set *set) {
  *set = (option_set){0};
  snprintf(set->shorts, sizeof set->shorts, "%s:", prefix);
  for (const cli_option *option = cli_common_options; option->name; option++) {
    add_option(set, option);
  }
  set->n_common = set->n_all;
  for (const cli_option *option = own; option && option->name; option++) {
    add_option(set, option);
  }
}

static int index_of(const option_set *set, int code) {
  if (code >= 256) {
    return code - 256;
  }
  for (int i = 0; i < set->n_all; i++) {
    if (set->all[i]->letter == code) {
      return i;
    }
  }
  return -1;
}

// a whole number of a common option
static emg_status parse_count(const char *name, const char *text, uint64_t min, uint64_t max,
                              uint64_t *value, emg_error *err) {
  char *end;

  errno = 0;
  *value = strtoull(text, &end, 10);
  bool is_digits = text[0] >= '0' && text[0] <= '9';
  if (!is_digits || *end || errno || *value < min || *value > max) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--%s %s is not a whole number from %" PRIu64 " to %" PRIu64 "; give one", name,
                    emg_quote(text).text, min, max);
  }
  return EMG_OK;
}

static emg_status take_common(cli_args *args, const cli_option *option, const char *value,
                              emg_error *err) {
  uint64_t count;

  if (strcmp(option->name, "help") == 0) {
    args->wants_help = true;
  } else if (strcmp(option->name, "version") == 0) {
    args->wants_version = true;
  } else if (strcmp(option->name, "json") == 0) {
    args->is_json = true;
  } else if (strcmp(option->name, "quiet") == 0) {
    args->verbosity = -1;
  } else if (strcmp(option->name, "verbose") == 0) {
    args->verbosity = args->verbosity < 0 ? 1 : args->verbosity + 1;
  } else if (strcmp(option->name, "force") == 0) {
    args->is_forced = true;
  } else if (strcmp(option->name, "no-progress") == 0) {
    args->no_progress = true;
  } else if (strcmp(option->name, "set") == 0) {
    args->sets[args->n_sets++] = value;
  } else if (strcmp(option->name, "threads") == 0) {
    EMG_TRY(parse_count("threads", value, 1, 1024, &count, err));
    args->n_threads = (int)count;
  } else {
    EMG_TRY(parse_count("seed", value, 0, UINT64_MAX, &args->seed, err));
    args->has_seed = true;
  }
  return EMG_OK;
}

// The option as it was written, for a message: "--frce" of "--frce=1". getopt leaves in optopt the
// letter of a short option, 0 for an unknown long one and our index for a known one used wrongly.
static emg_status refuse_option(const option_set *set, int code, const char *written,
                                const char *command, emg_error *err) {
  char name[EMG_NAME_MAX + 4];
  const char *nearest = NULL;
  int least = EMG_NAME_MAX;

  if (optopt > 0 && optopt < 256) {
    snprintf(name, sizeof name, "-%c", optopt);
  } else {
    snprintf(name, sizeof name, "%.*s", (int)strcspn(written, "="), written);
  }
  if (code == ':') {
    return emg_fail(err, EMG_ERR_ARG, "option %s needs a value; see 'emgtwin help%s%s'",
                    emg_quote(name).text, command[0] ? " " : "", command);
  }
  for (int i = 0; i < set->n_all && name[1] == '-'; i++) {
    int distance = emg_edit_distance(name + 2, set->all[i]->name);
    if (distance < least && emg_is_near(name + 2, distance)) {
      least = distance;
      nearest = set->all[i]->name;
    }
  }
  if (optopt >= 256 || (nearest && least == 0)) {
    return emg_fail(err, EMG_ERR_ARG, "option %s takes no value; leave it out",
                    emg_quote(name).text);
  }
  if (nearest) {
    return emg_fail(err, EMG_ERR_ARG, "unknown option %s; did you mean '--%s'?",
                    emg_quote(name).text, nearest);
  }
  return emg_fail(err, EMG_ERR_ARG, "unknown option %s; see 'emgtwin help%s%s'",
                  emg_quote(name).text, command[0] ? " " : "", command);
}

// options of argv from argv[1] on; what is left starts at argv[optind]
static emg_status parse_options(int argc, char **argv, const char *prefix, cli_args *args,
                                emg_error *err) {
  const cli_command *command = args->command;
  option_set set;
  int code;

  build_set(prefix, command ? command->options : NULL, &set);
  optind = 0;
  opterr = 0;
  while (optopt = 0, (code = getopt_long(argc, argv, set.shorts, set.longs, NULL)) != -1) {
    int index = code == '?' || code == ':' ? -1 : index_of(&set, code);
    if (index < 0) {
      return refuse_option(&set, code, argv[optind - 1], command ? command->name : "", err);
    }
    if (index < set.n_common) {
      EMG_TRY(take_common(args, set.all[index], optarg, err));
    } else {
      args->values[index - set.n_common] = set.all[index]->argument ? optarg : "";
    }
  }
  return EMG_OK;
}

emg_status cli_refuse_command(const char *name, emg_error *err) {
  const char *nearest = NULL;
  int least = EMG_NAME_MAX;
  char names[256] = "";

  for (const cli_command *const *command = cli_commands; *command; command++) {
    int distance = emg_edit_distance(name, (*command)->name);
    if (distance < least && emg_is_near(name, distance)) {
      least = distance;
      nearest = (*command)->name;
    }
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", (*command)->name);
  }
  if (nearest) {
    return emg_fail(err, EMG_ERR_ARG, "unknown command %s; did you mean '%s'?",
                    emg_quote(name).text, nearest);
  }
  return emg_fail(err, EMG_ERR_ARG, "unknown command %s; the commands are %s", emg_quote(name).text,
                  names);
}

// required options and the number of positionals
static emg_status check_complete(const cli_args *args, emg_error *err) {
  const cli_command *command = args->command;
  const cli_option *option = command->options;

  for (int i = 0; option && option[i].name; i++) {
    if (option[i].is_required && !args->values[i]) {
      char letter[8] = "";
      if (option[i].letter) {
        snprintf(letter, sizeof letter, "-%c or ", option[i].letter);
      }
      return emg_fail(err, EMG_ERR_ARG, "'%s' needs %s--%s %s; usage: emgtwin %s %s", command->name,
                      letter, option[i].name, option[i].argument, command->name, command->usage);
    }
  }
  if (args->n_positionals < command->min_positionals) {
    return emg_fail(err, EMG_ERR_ARG, "'%s' needs %s; usage: emgtwin %s %s", command->name,
                    command->positionals[args->n_positionals].name, command->name, command->usage);
  }
  if (args->n_positionals > command->max_positionals) {
    const char *extra = args->positionals[command->max_positionals];
    return emg_fail(err, EMG_ERR_ARG, "unexpected argument %s; usage: emgtwin %s %s",
                    emg_quote(extra).text, command->name, command->usage);
  }
  return EMG_OK;
}

static void write_quoted(FILE *out, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";

  if (word[0] && strspn(word, plain) == strlen(word)) {
    fprintf(out, " %s", word);
    return;
  }
  fputs(" '", out);
  for (; *word; word++) {
    fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
  }
  fputc('\'', out);
}

// Same inputs, same options that matter: the same text, whatever the output is called, however many
// threads there are and however often the run was interrupted, because the text goes into the
// output and that must be the same bits.
static emg_status compose_command_line(cli_args *args, emg_error *err) {
  size_t size;
  FILE *out = open_memstream(&args->command_line, &size);
  const cli_option *option = args->command->options;

  if (!out) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the command line; free some memory");
  }
  fprintf(out, "emgtwin %s", args->command->name);
  for (int i = 0; i < args->n_positionals; i++) {
    write_quoted(out, args->positionals[i]);
  }
  for (int i = 0; option && option[i].name; i++) {
    if (args->values[i] && strcmp(option[i].name, "output") != 0 &&
        strcmp(option[i].name, "resume") != 0) {
      fprintf(out, " --%s", option[i].name);
      if (option[i].argument) {
        write_quoted(out, args->values[i]);
      }
    }
  }
  if (args->has_seed) {
    fprintf(out, " --seed %" PRIu64, args->seed);
  }
  for (int i = 0; i < args->n_sets; i++) {
    fputs(" --set", out);
    write_quoted(out, args->sets[i]);
  }
  fclose(out);
  return args->command_line ? EMG_OK
                            : emg_fail(err, EMG_ERR_MEMORY, "out of memory; free some memory");
}

emg_status cli_parse(int argc, char **argv, cli_args *args, emg_error *err) {
  *args = (cli_args){0};
  EMG_TRY(emg_alloc((size_t)argc + 1, sizeof *args->sets, &args->sets, err));

  // options before the command
  EMG_TRY(parse_options(argc, argv, "+", args, err));
  if (optind >= argc) {
    return EMG_OK;
  }
  int at = optind;
  args->command = cli_command_find(argv[at]);
  if (!args->command) {
    return cli_refuse_command(argv[at], err);
  }

  // the command's own; getopt moves the positionals to the end
  EMG_TRY(parse_options(argc - at, argv + at, "", args, err));
  args->positionals = argv + at + optind;
  args->n_positionals = argc - at - optind;
  if (args->wants_help || args->wants_version) {
    return EMG_OK;
  }
  EMG_TRY(check_complete(args, err));
  return compose_command_line(args, err);
}

void cli_args_free(cli_args *args) {
  free(args->sets);
  free(args->command_line);
  *args = (cli_args){0};
}

const char *cli_value(const cli_args *args, const char *name) {
  const cli_option *option = args->command->options;

  for (int i = 0; option && option[i].name; i++) {
    if (strcmp(option[i].name, name) == 0) {
      return args->values[i];
    }
  }
  return NULL;
}

bool cli_flag(const cli_args *args, const char *name) {
  return cli_value(args, name) != NULL;
}

emg_status cli_quantity(const cli_args *args, const char *name, const char *unit, double min,
                        double max, double *value, emg_error *err) {
  const char *text = cli_value(args, name);
  emg_error reason = {0};
  double given;

  if (!text) {
    return EMG_OK;
  }
  if (emg_quantity_parse(text, unit, &given, &reason) != EMG_OK) {
    return emg_fail(err, EMG_ERR_ARG, "--%s: %s", name, emg_error_message(&reason));
  }
  if (!(given >= min && given <= max)) {
    return emg_fail(err, EMG_ERR_ARG, "--%s %s is outside %g to %g %s; give a value inside", name,
                    text, min, max, unit);
  }
  *value = given;
  return EMG_OK;
}
