// network.c -- emgtwin decompose --method cnn: a trained network on a recording
#include "cli/network.h"

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
