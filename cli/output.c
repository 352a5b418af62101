// output.c -- output files, whole or not at all, and results on stdout
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/part_file.h"
#include "cli/cli.h"

// name of the partial file while one is being written, read by the signal handler
static char part_name[4096];
static volatile sig_atomic_t is_writing, is_deferred, was_interrupted;
static const char *volatile interruption_hint;

// only calls that are safe in a handler: the file is whole or gone, so there is nothing to unwind
static void on_signal(int number) {
  static const char nothing[] = "\nemgtwin: error: interrupted, nothing was written\n";
  const char *message = interruption_hint ? interruption_hint : nothing;

  if (is_deferred) {
    was_interrupted = 1;
    return;
  }
  if (is_writing) {
    unlink(part_name);
  }
  // on a terminal the line holds ^C or the progress bar
  size_t skip = isatty(STDERR_FILENO) ? 0 : 1;
  if (write(STDERR_FILENO, message + skip, strlen(message + skip)) < 0) {
    _exit(128 + number);
  }
  _exit(128 + number);
}

void cli_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};

  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  // a closed pipe or a file past its limit is an error of the write, and is reported as one
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

// an input that would be replaced by the result made from it
static bool is_input(const cli_args *args, const struct stat *output) {
  for (int i = 0; i < args->n_positionals; i++) {
    struct stat input;
    if (stat(args->positionals[i], &input) == 0 && input.st_dev == output->st_dev &&
        input.st_ino == output->st_ino) {
      return true;
    }
  }
  return false;
}

emg_status cli_check_output(const cli_args *args, const char *path, emg_error *err) {
  struct stat info;

  if (stat(path, &info) == 0 && is_input(args, &info)) {
    return emg_fail_at(err, EMG_ERR_ARG, path, 0, 0,
                       "is the input itself; give another name for the output");
  }
  emg_status status = emg_part_file_check(path, args->is_forced, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

void cli_output_begin(const char *path) {
  snprintf(part_name, sizeof part_name, "%s.part.%ld", path, (long)getpid());
  is_writing = 1;
}

void cli_output_end(void) {
  is_writing = 0;
}

void cli_defer_signals(bool is_wanted) {
  is_deferred = is_wanted;
}

bool cli_was_interrupted(void) {
  return was_interrupted;
}

void cli_on_interruption(const char *hint) {
  interruption_hint = hint;
}

emg_status cli_write_text(const cli_args *args, const char *path, const char *text, size_t length,
                          emg_error *err) {
  cli_output_begin(path);
  emg_status status = emg_part_file_write(path, text, length, args->is_forced, err);
  cli_output_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status cli_write_file(const cli_args *args, const char *path, const emg_config *config,
                          emg_file_contents *contents, emg_error *err) {
  cli_origin origin;

  EMG_TRY(cli_origin_create(args, config, &origin, err));
  contents->provenance = &origin.provenance;
  contents->compress = config->output.compress;
  contents->n_threads = emg_get_threads();
  cli_output_begin(path);
  emg_status status = emg_file_write(path, contents, args->is_forced, err);
  cli_output_end();
  cli_origin_free(&origin);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status cli_print_json(emg_json *json, emg_error *err) {
  char *text;

  EMG_TRY(emg_json_finish(json, &text, err));
  fputs(text, stdout);
  free(text);
  return EMG_OK;
}

emg_status cli_flush_results(emg_error *err) {
  if (fflush(stdout) != 0 || ferror(stdout)) {
    return emg_fail(err, EMG_ERR_IO, "standard output cannot be written: %s; send it elsewhere",
                    errno ? strerror(errno) : "write error");
  }
  return EMG_OK;
}
