// long_run.c -- recordings longer than memory: blocks, a checkpoint, and where to go on
#include "cli/long_run.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static void checkpoint_path(const char *path, char name[PATH_MAX]) {
  snprintf(name, PATH_MAX, "%s.checkpoint", path);
}

void cli_remove_checkpoint(const char *path) {
  char name[PATH_MAX];

  checkpoint_path(path, name);
  unlink(name);
}

static emg_status run(const cli_args *args, const char *method, emg_stream *stream,
                      const emg_config *config, const char *path, emg_decomposition *found,
                      emg_error *err) {
  static const char hint[] =
      "\nemgtwin: error: interrupted; the same command with --resume goes on from here\n";
  const emg_recording *header = emg_stream_header(stream);
  emg_monitor monitor = cli_monitor(args);
  char name[PATH_MAX], sha256[65];
  emg_checkpoint checkpoint = {
      .path = name, .resume = cli_flag(args, "resume"), .input_sha256 = sha256};

  checkpoint_path(path, name);
  for (int i = 0; i < header->n_notes; i++) {
    emg_log(&monitor, EMG_LOG_WARNING, args->positionals[0], "%s", header->notes[i]);
  }
  EMG_TRY(emg_file_sha256(args->positionals[0], sha256, err));
  cli_output_begin(name);
  cli_on_interruption(hint);
  emg_status status =
      emg_decompose_stream(method, stream, config, &checkpoint, &monitor, found, err);
  cli_on_interruption(NULL);
  cli_output_end();
  cli_progress_end();
  return status;
}

// The channels, for the report.
static emg_status copy_header(const emg_stream *stream, emg_recording *out, emg_error *err) {
  const emg_recording *header = emg_stream_header(stream);

  EMG_TRY(emg_recording_create(header->data.n_rows, 0, header->rate_hz, out, err));
  memcpy(out->channels, header->channels, (size_t)header->data.n_rows * sizeof *header->channels);
  return EMG_OK;
}

emg_status cli_decompose_long(const cli_args *args, const char *method, const emg_config *config,
                              const char *path, bool *is_long, emg_recording *recording,
                              emg_decomposition *found, emg_error *err) {
  const char *input = args->positionals[0];
  emg_stream *stream;
  emg_status status = EMG_OK;

  EMG_TRY(cli_open_stream(args, input, &stream, err));
  *is_long = !emg_decompose_fits(config, stream);
  if (*is_long) {
    status = copy_header(stream, recording, err);
    if (status == EMG_OK) {
      status = run(args, method, stream, config, path, found, err);
    }
  } else if (cli_flag(args, "resume")) {
    cli_say(args, "%s is decomposed in one go: there is nothing to resume", input);
  }
  emg_stream_close(stream);
  if (status != EMG_OK) {
    emg_error_in_file(err, input);
  }
  return status;
}
