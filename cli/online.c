// online.c -- emgtwin decompose --filters, --stream: stored filters on a recording, filters or a
// network on a stream of samples
#include "cli/online.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

emg_status cli_online_check(const cli_args *args, emg_error *err) {
  static const char *const dependent[] = {"stream", "adapt"};
  bool is_stream = cli_flag(args, "stream");

  for (int i = 0; i < 2; i++) {
    bool is_met = cli_flag(args, "filters") || (i == 0 && cli_flag(args, "model"));
    if (cli_flag(args, dependent[i]) && !is_met) {
      return emg_fail(err, EMG_ERR_ARG,
                      "--%s needs --filters DEC.h5, a decomposition whose filters are applied",
                      dependent[i]);
    }
  }
  if (cli_flag(args, "quick") && cli_flag(args, "filters")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--quick shortens a search for units and --filters does none; leave one out");
  }
  if (cli_flag(args, "resume") && cli_flag(args, "filters")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--resume goes on with a search for units and --filters does none; leave one "
                    "out");
  }
  if (is_stream && cli_flag(args, "output")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--stream writes to standard output and takes no --output; leave one out");
  }
  if (!is_stream && !cli_flag(args, "output")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'decompose' needs -o or --output OUT.h5; usage: emgtwin %s %s",
                    args->command->name, args->command->usage);
  }
  if (!is_stream && strcmp(args->positionals[0], "-") == 0) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "standard input is read as a stream of samples: give --filters DEC.h5 --stream or --method "
        "cnn --model NET.h5 --stream");
  }
  return EMG_OK;
}

// A decomposition with filters in it.
static emg_status read_filters(const cli_args *args, emg_decomposition *out, emg_error *err) {
  const char *path = cli_value(args, "filters");
  emg_status status = emg_file_read_decomposition(path, out, err);

  if (status == EMG_OK && out->filters.n_units == 0) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "holds no filters; decompose its recording again, or with units in it");
    emg_decomposition_free(out);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status cli_online_decompose(const cli_args *args, const emg_recording *rec,
                                const emg_config *config, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err) {
  emg_online_options options = {.is_adaptive = cli_flag(args, "adapt")};
  emg_decomposition learned;

  EMG_TRY(read_filters(args, &learned, err));
  emg_status status = emg_online_decompose(rec, &learned.filters, &options,
                                           config->decompose.keep_source, monitor, out, err);
  emg_decomposition_free(&learned);
  return status;
}

// --- streams ---

// What samples go through: filters or a network.
typedef struct {
  const cli_args *args;
  double rate_hz;
  int n_channels;
  emg_online *filters;
  emg_cnn_stream *network;  // NULL: filters
} pipeline;

static void print_spike(int unit, int64_t sample, double height, void *user) {
  const pipeline *p = user;

  if (p->args->is_json) {
    printf("{\"unit\":%d,\"sample\":%lld,\"time_s\":%.6f,\"height\":%.4f}\n", unit,
           (long long)sample, (double)sample / p->rate_hz, height);
  } else {
    printf("%d %lld %.6f\n", unit, (long long)sample, (double)sample / p->rate_hz);
  }
}

static void push(pipeline *p, const float *samples, int64_t n) {
  if (p->network) {
    emg_cnn_stream_push(p->network, samples, n, NULL, print_spike, p);
  } else {
    emg_online_push(p->filters, samples, n, NULL, print_spike, p);
  }
}

// Bytes of standard input as they come: at least one whole sample, at most `size`.
static emg_status read_some(void *bytes, size_t size, size_t *n_read, emg_error *err) {
  ssize_t n;

  do {
    n = read(STDIN_FILENO, bytes, size);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    return emg_fail_at(err, EMG_ERR_IO, "standard input", 0, 0, "cannot be read: %s",
                       strerror(errno));
  }
  *n_read = (size_t)n;
  return EMG_OK;
}

static void to_host_order(float *values, size_t n) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    bits = __builtin_bswap32(bits);
    memcpy(&values[i], &bits, sizeof bits);
  }
#else
  (void)values;
  (void)n;
#endif
}

static emg_status stream_input(pipeline *p, emg_error *err) {
  enum { BLOCK = 1024 };  // samples at most at a time
  size_t row = (size_t)p->n_channels * sizeof(float);
  size_t held = 0, n;
  float *samples;
  emg_status status;

  EMG_TRY(emg_alloc_aligned(BLOCK * row, 1, &samples, err));
  do {
    EMG_TRY_DONE(read_some((char *)samples + held, BLOCK * row - held, &n, err));
    held += n;
    size_t n_rows = held / row, used = n_rows * row;
    to_host_order(samples, used / sizeof(float));
    push(p, samples, (int64_t)n_rows);
    memmove(samples, (char *)samples + used, held - used);
    held -= used;
    EMG_TRY_DONE(cli_flush_results(err));
  } while (n > 0);
  if (held > 0) {
    status = emg_fail_at(err, EMG_ERR_DATA, "standard input", 0, 0,
                         "ends %zu bytes into a sample of %zu channels; it must hold whole samples "
                         "of all recorded channels as 32-bit floats",
                         held, row / sizeof(float));
  }

done:
  free(samples);
  return status;
}

static emg_status stream_recording(pipeline *p, const emg_recording *rec, emg_error *err) {
  int n_channels = rec->data.n_rows;
  float *row;

  EMG_TRY(p->network ? emg_cnn_check(emg_cnn_stream_network(p->network), rec, err)
                     : emg_online_check(p->filters, rec, err));
  EMG_TRY(emg_alloc((size_t)n_channels, sizeof *row, &row, err));
  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    for (int c = 0; c < n_channels; c++) {
      row[c] = emg_row2f(&rec->data, c)[i];
    }
    push(p, row, 1);
  }
  free(row);
  return EMG_OK;
}

static emg_status open_filters(const cli_args *args, pipeline *p, emg_error *err) {
  emg_online_options options = {.is_adaptive = cli_flag(args, "adapt")};
  emg_decomposition learned;

  EMG_TRY(read_filters(args, &learned, err));
  emg_status status = emg_online_create(&learned.filters, &options, &p->filters, err);
  p->rate_hz = learned.filters.rate_hz;
  p->n_channels = learned.filters.n_channels_recorded;
  emg_decomposition_free(&learned);
  return status;
}

static emg_status open_network(const cli_args *args, pipeline *p, emg_error *err) {
  emg_cnn net;

  EMG_TRY(emg_cnn_read(cli_value(args, "model"), &net, err));
  emg_status status = emg_cnn_stream_create(&net, &p->network, err);
  p->rate_hz = net.rate_hz;
  p->n_channels = net.n_channels_recorded;
  emg_cnn_free(&net);
  return status;
}

// What is still pending, and what was wrong with the samples.
static void end_stream(pipeline *p) {
  int64_t n_bad;

  if (p->network) {
    emg_cnn_stream_flush(p->network, NULL, print_spike, p);
    n_bad = emg_cnn_stream_bad_values(p->network);
  } else {
    emg_online_flush(p->filters, print_spike, p);
    n_bad = emg_online_bad_values(p->filters);
  }
  if (n_bad > 0) {
    cli_say(p->args, "%lld values were not finite or out of range and were replaced",
            (long long)n_bad);
  }
}

emg_status cli_online_stream(const cli_args *args, emg_error *err) {
  const char *input = args->positionals[0];
  pipeline p = {.args = args};
  emg_recording rec = {0};
  emg_status status;

  EMG_TRY_DONE(cli_flag(args, "model") ? open_network(args, &p, err) : open_filters(args, &p, err));
  if (strcmp(input, "-") == 0) {
    EMG_TRY_DONE(stream_input(&p, err));
  } else {
    EMG_TRY_DONE(cli_load_recording(args, input, CLI_NEEDS_EMG, &rec, err));
    status = stream_recording(&p, &rec, err);
    if (status != EMG_OK) {
      emg_error_in_file(err, input);
      goto done;
    }
  }
  end_stream(&p);

done:
  emg_online_free(p.filters);
  emg_cnn_stream_free(p.network);
  emg_recording_free(&rec);
  return status;
}
