// main.c -- emgtwin: parse, run the command, say what went wrong, exit
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

#ifdef __SANITIZE_ADDRESS__
// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}
#endif

// An output file must not get the number of a closed standard stream and be printed into. Standard
// output is opened for reading, so that writing to it still fails.
static void open_standard_streams(void) {
  while (true) {
    int fd = open("/dev/null", O_RDONLY);
    if (fd < 0 || fd > STDERR_FILENO) {
      close(fd);
      return;
    }
  }
}

static emg_status print_version(bool is_json, emg_error *err) {
  if (!is_json) {
    printf("emgtwin %s\n", emg_version());
    return EMG_OK;
  }
  emg_json json = {0};
  emg_json_object(&json, NULL);
  emg_json_text(&json, "version", emg_version());
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status run(int argc, char **argv, cli_args *args, emg_error *err) {
  EMG_TRY(cli_parse(argc, argv, args, err));
  if (args->wants_version) {
    return print_version(args->is_json, err);
  }
  if (args->wants_help) {
    cli_help(args->command);
    return EMG_OK;
  }
  if (!args->command) {
    return emg_fail(err, EMG_ERR_ARG, "no command given; 'emgtwin help' lists them");
  }
  if (args->n_threads > 0) {
    emg_set_threads(args->n_threads);
  }
  return args->command->run(args, err);
}

int main(int argc, char **argv) {
  static emg_error err;
  cli_args args;

  open_standard_streams();
  cli_catch_signals();
  emg_status status = run(argc, argv, &args, &err);

  // what was found is shown also when a gate or a later file failed
  emg_error flush_error = {0};
  emg_status flushed = cli_flush_results(&flush_error);
  if (status == EMG_OK && flushed != EMG_OK) {
    status = flushed;
    err = flush_error;
  }
  if (status != EMG_OK) {
    cli_print_error(&err);
  }
  cli_progress_end();
  cli_args_free(&args);
  return emg_status_exit_code(status);
}
