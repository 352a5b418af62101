// network.c -- trained networks: applied by `decompose --method cnn`, shown by `inspect`, written
// as ONNX by `convert`
#include "cli/network.h"

#include <string.h>

#include "base/h5.h"
#include "cli/contents.h"

emg_status cli_network_check(const cli_args *args, emg_error *err) {
  static const char *const other[] = {"filters", "adapt", "quick", "resume"};

  if (!cli_flag(args, "model")) {
    return emg_fail(err, EMG_ERR_ARG,
                    "--method cnn needs --model NET.h5, a network that 'emgtwin train' made");
  }
  for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
    if (cli_flag(args, other[i])) {
      return emg_fail(err, EMG_ERR_ARG, "--%s has no meaning with --method cnn; leave one out",
                      other[i]);
    }
  }
  return EMG_OK;
}

emg_status cli_network_decompose(const cli_args *args, const emg_recording *rec,
                                 const emg_config *config, const emg_monitor *monitor,
                                 emg_decomposition *out, emg_error *err) {
  emg_cnn net;

  EMG_TRY(emg_cnn_read(cli_value(args, "model"), &net, err));
  emg_status status = emg_cnn_decompose(rec, &net, config, monitor, out, err);
  emg_cnn_free(&net);
  return status;
}

bool cli_is_network(const char *path) {
  emg_h5 *file;

  if (!cli_is_hdf5(path) || emg_h5_open(path, &file, NULL) != EMG_OK) {
    return false;
  }
  bool is_network = emg_h5_has(file, "network");
  emg_h5_close(file);
  return is_network;
}

void cli_network_summary(const emg_cnn *net, char *text, size_t size) {
  snprintf(text, size, "%s, %d units, %d of %d channels at %g Hz, windows of %d every %d samples",
           emg_cnn_kind_name(net->shape.kind), net->shape.n_units, net->shape.n_channels,
           net->n_channels_recorded, net->rate_hz, net->shape.window, net->shape.step);
}

static emg_status print_json(const emg_cnn *net, const cli_contents *contents, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "format", "network");
  emg_json_text(&json, "network", emg_cnn_kind_name(net->shape.kind));
  emg_json_integer(&json, "n_units", net->shape.n_units);
  emg_json_integer(&json, "n_channels", net->shape.n_channels);
  emg_json_integer(&json, "n_channels_recorded", net->n_channels_recorded);
  emg_json_number(&json, "sampling_rate_hz", net->rate_hz);
  emg_json_integer(&json, "window", net->shape.window);
  emg_json_integer(&json, "step", net->shape.step);
  emg_json_number(&json, "soft_label_ms", net->soft_label_ms);
  emg_json_integer(&json, "n_weights", emg_cnn_count_weights(&net->shape));
  emg_json_text(&json, "labels_sha256", net->labels_sha256);
  if (contents->n_digests > 0) {
    emg_json_object(&json, "sha256");
    for (int i = 0; i < contents->n_digests; i++) {
      emg_json_text(&json, contents->digests[i].path, contents->digests[i].sha256);
    }
    emg_json_end(&json);
  }
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static void print_network(const emg_cnn *net, const cli_contents *contents) {
  char text[200];

  cli_network_summary(net, text, sizeof text);
  printf("network     %s\n", text);
  printf("weights     %lld, seed %llu\n", (long long)emg_cnn_count_weights(&net->shape),
         (unsigned long long)net->seed);
  printf("sees        %g to %g Hz over %.4g uV\n", net->band_low_hz, net->band_high_hz,
         net->scale_uv);
  printf("labels      SHA-256 %s\n", net->labels_sha256);
  printf("thresholds ");
  for (int u = 0; u < net->shape.n_units; u++) {
    printf(" %.2f", net->threshold[u]);
  }
  putchar('\n');
  for (int i = 0; i < contents->n_digests; i++) {
    printf("%s  %s\n", contents->digests[i].sha256, contents->digests[i].path);
  }
}

emg_status cli_network_inspect(const cli_args *args, emg_error *err) {
  const char *path = args->positionals[0];
  static cli_contents contents;
  emg_cnn net;
  emg_status status = EMG_OK;

  EMG_TRY(emg_cnn_read(path, &net, err));
  if (cli_flag(args, "hash")) {
    status = cli_contents_digest(path, &contents, err);
  }
  if (status == EMG_OK && args->is_json) {
    status = print_json(&net, &contents, err);
  } else if (status == EMG_OK) {
    print_network(&net, &contents);
  }
  cli_contents_free(&contents);
  emg_cnn_free(&net);
  return status;
}

emg_status cli_network_convert(const cli_args *args, emg_error *err) {
  const char *path = args->positionals[1], *to = cli_value(args, "to"),
             *ending = strrchr(path, '.');
  emg_json json = {0};
  emg_cnn net;

  if (to ? strcmp(to, "onnx") != 0 : !ending || strcmp(ending, ".onnx") != 0) {
    return emg_fail(err, EMG_ERR_ARG, "a network becomes ONNX alone; name the file .onnx");
  }
  EMG_TRY(cli_check_output(args, path, err));
  EMG_TRY(emg_cnn_read(args->positionals[0], &net, err));
  cli_output_begin(path);
  emg_status status = emg_cnn_write_onnx(path, &net, args->is_forced, err);
  cli_output_end();
  if (status == EMG_OK && args->is_json) {
    emg_json_object(&json, NULL);
    emg_json_text(&json, "output", path);
    emg_json_text(&json, "format", "onnx");
    emg_json_integer(&json, "units", net.shape.n_units);
    emg_json_end(&json);
    status = cli_print_json(&json, err);
  } else if (status == EMG_OK) {
    cli_say(args, "%s: a network of %d units", path, net.shape.n_units);
  }
  emg_cnn_free(&net);
  return status;
}
