// script.c -- operations of editing from the command line or from lines of text
#include "cli/script.h"

#include <stdlib.h>
#include <string.h>

#include "base/input_file.h"
#include "base/text.h"

void cli_script_free(cli_script *script) {
  for (int i = 0; i < script->n; i++) {
    free(script->lines[i].words);
  }
  free(script->lines);
  free(script->text);
  *script = (cli_script){0};
}

// --- the command line ---

static emg_status take_words(const cli_args *args, cli_script *out, emg_error *err) {
  bool is_undo = cli_flag(args, "undo"), is_redo = cli_flag(args, "redo");
  int n_words = args->n_positionals - 1;
  cli_line *line;

  if (is_undo && is_redo) {
    return emg_fail(err, EMG_ERR_ARG, "--undo and --redo cancel each other; give one of them");
  }
  EMG_TRY(emg_alloc(1, sizeof *out->lines, &out->lines, err));
  out->n = 1;
  line = out->lines;
  EMG_TRY(emg_alloc((size_t)n_words + 1, sizeof *line->words, &line->words, err));
  if (is_undo || is_redo) {
    line->words[line->n_words++] = is_undo ? "undo" : "redo";
  }
  for (int i = 0; i < n_words; i++) {
    line->words[line->n_words++] = args->positionals[i + 1];
  }
  if (line->n_words == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    "no operation given; name one, or --script, --log, --undo; see 'emgtwin help "
                    "edit'");
  }
  return EMG_OK;
}

// --- a script ---

// All of a stream, with a zero byte at the end.
static emg_status slurp(FILE *in, char **text, size_t *length, emg_error *err) {
  const size_t most = (size_t)64 << 20, step = (size_t)1 << 16;
  size_t capacity = 0, n = 1;

  *text = NULL;
  *length = 0;
  while (n > 0) {
    if (capacity < *length + step + 1) {
      capacity = 2 * capacity + step + 1;
      char *longer = realloc(*text, capacity);
      if (!longer) {
        return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for a script of %zu bytes",
                        capacity);
      }
      *text = longer;
    }
    n = fread(*text + *length, 1, step, in);
    *length += n;
    (*text)[*length] = '\0';
    if (*length > most) {
      return emg_fail(err, EMG_ERR_DATA, "a script of more than %zu MiB is no script; shorten it",
                      most >> 20);
    }
  }
  return ferror(in) ? emg_fail(err, EMG_ERR_IO, "the script cannot be read to its end") : EMG_OK;
}

static emg_status read_text(const char *path, char **text, size_t *length, emg_error *err) {
  FILE *file = stdin;

  if (strcmp(path, "-") == 0) {
    return slurp(stdin, text, length, err);
  }
  EMG_TRY(emg_open_input(path, &file, err));
  emg_status status = slurp(file, text, length, err);
  fclose(file);
  return status;
}

// Cut a line into its words, in place.
static emg_status cut_line(char *text, int number, cli_script *out, emg_error *err) {
  static const char blanks[] = " \t\r";
  cli_line *line = &out->lines[out->n];

  text[strcspn(text, "#")] = '\0';
  EMG_TRY(emg_alloc(strlen(text) / 2 + 1, sizeof *line->words, &line->words, err));
  line->number = number;
  for (char *word = strtok(text, blanks); word; word = strtok(NULL, blanks)) {
    line->words[line->n_words++] = word;
  }
  if (line->n_words == 0) {
    free(line->words);
    *line = (cli_line){0};
  } else {
    out->n++;
  }
  return EMG_OK;
}

static emg_status cut_lines(size_t length, cli_script *out, emg_error *err) {
  size_t n = 1;

  for (size_t i = 0; i < length; i++) {
    n += out->text[i] == '\n';
  }
  EMG_TRY(emg_alloc(n, sizeof *out->lines, &out->lines, err));
  char *at = out->text;
  for (size_t i = 0; i < n; i++) {
    char *end = at + strcspn(at, "\n");
    *end = '\0';
    EMG_TRY(cut_line(at, (int)i + 1, out, err));
    at = end + 1;
  }
  return out->n > 0 ? EMG_OK : emg_fail(err, EMG_ERR_ARG, "the script holds no operation");
}

static emg_status read_script(const cli_args *args, cli_script *out, emg_error *err) {
  size_t length;

  out->path = cli_value(args, "script");
  if (args->n_positionals > 1 || cli_flag(args, "undo") || cli_flag(args, "redo")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "operations come from the command line or from --script, not from both");
  }
  EMG_TRY(read_text(out->path, &out->text, &length, err));
  if (strlen(out->text) != length || emg_utf8_valid_length(out->text, length) != length) {
    return emg_fail(err, EMG_ERR_DATA, "the script is not text");
  }
  return cut_lines(length, out, err);
}

emg_status cli_script_create(const cli_args *args, cli_script *out, emg_error *err) {
  *out = (cli_script){0};
  emg_status status =
      cli_value(args, "script") ? read_script(args, out, err) : take_words(args, out, err);
  if (status != EMG_OK) {
    if (out->path) {
      emg_error_in_file(err, out->path);
    }
    cli_script_free(out);
  }
  return status;
}

const char *cli_script_needs_recording(const cli_script *script) {
  for (int i = 0; i < script->n; i++) {
    for (int w = 0; w < script->lines[i].n_words; w++) {
      const char *word = script->lines[i].words[w];
      if (emg_edit_needs_recording(word)) {
        return word;
      }
    }
  }
  return NULL;
}

void cli_script_blame(const cli_script *script, const cli_line *line, emg_error *err) {
  if (script->path) {
    emg_error_in_file(err, script->path);
    err->items[0].line = line->number;
  }
}
