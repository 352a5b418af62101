// cmd_train.c -- emgtwin train: a network that finds known units, from a recording and their trains
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

static void print_count(const emg_cnn_count *count) {
  printf("  %5.3f  %5.3f  %5.3f", emg_cnn_sensitivity(count), emg_cnn_precision(count),
         emg_cnn_f1(count));
}

static void print_result(const char *path, const emg_cnn *net, const emg_cnn_history *h) {
  bool has_held = h->n_held > 0;

  printf("                 validation         %s\n",
         has_held ? "      held out, windows      held out, discharges" : "");
  printf("unit  threshold  sens.  prec.     F1%s\n",
         has_held ? "  sens.  prec.     F1  sens.  prec.     F1" : "");
  for (int u = 0; u < h->n_units; u++) {
    printf("%4d  %9.3f", u, net->threshold[u]);
    print_count(&h->validation[u]);
    if (has_held) {
      print_count(&h->held_windows[u]);
      print_count(&h->held_discharges[u]);
    }
    putchar('\n');
  }
  printf("\n%s: network %s of %lld weights for %d units, epoch %d of %d\n", path,
         emg_cnn_kind_name(net->shape.kind), (long long)emg_cnn_count_weights(&net->shape),
         net->shape.n_units, h->best + 1, h->n_epochs);
  printf("learned from %lld windows, validated on %lld, %lld held out\n", (long long)h->n_train,
         (long long)h->n_validation, (long long)h->n_held);
}

static void add_count(emg_json *json, const char *name, const emg_cnn_count *count) {
  emg_json_object(json, name);
  emg_json_number(json, "sensitivity", emg_cnn_sensitivity(count));
  emg_json_number(json, "precision", emg_cnn_precision(count));
  emg_json_number(json, "f1", emg_cnn_f1(count));
  emg_json_end(json);
}

static emg_status print_json(const char *path, const emg_cnn *net, const emg_cnn_history *h,
                             emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_text(&json, "network", emg_cnn_kind_name(net->shape.kind));
  emg_json_integer(&json, "n_weights", emg_cnn_count_weights(&net->shape));
  emg_json_integer(&json, "n_train", h->n_train);
  emg_json_integer(&json, "n_validation", h->n_validation);
  emg_json_integer(&json, "n_held", h->n_held);
  emg_json_text(&json, "stop", h->stop == EMG_CNN_PATIENCE ? "patience" : "all_epochs");
  emg_json_integer(&json, "best_epoch", h->best + 1);
  emg_json_array(&json, "epochs");
  for (int i = 0; i < h->n_epochs; i++) {
    emg_json_object(&json, NULL);
    emg_json_number(&json, "loss", h->epochs[i].loss);
    emg_json_number(&json, "f1", h->epochs[i].f1);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_array(&json, "units");
  for (int u = 0; u < h->n_units; u++) {
    emg_json_object(&json, NULL);
    emg_json_integer(&json, "unit", u);
    emg_json_number(&json, "threshold", net->threshold[u]);
    add_count(&json, "validation", &h->validation[u]);
    if (h->n_held > 0) {
      add_count(&json, "held_windows", &h->held_windows[u]);
      add_count(&json, "held_discharges", &h->held_discharges[u]);
    }
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status load_config(const cli_args *args, emg_config *config, emg_error *err) {
  const double longest_s = 1e7;

  EMG_TRY(cli_load_config(args, cli_value(args, "config"), config, err));
  if (cli_flag(args, "paper")) {
    emg_cnn_set_paper(config);
  }
  EMG_TRY(cli_quantity(args, "from", "s", 0, longest_s, &config->decompose.from_s, err));
  EMG_TRY(cli_quantity(args, "to", "s", 0, longest_s, &config->decompose.to_s, err));
  return cli_overlay_config(args, config, err);
}

// Epochs are told as they come where somebody watches.
static void on_log(emg_log_level level, const char *stage, const char *text, void *user) {
  const cli_args *args = user;
  bool is_watched = args->verbosity > 0 || (isatty(STDERR_FILENO) && !args->no_progress);

  if (level == EMG_LOG_WARNING || (level == EMG_LOG_INFO && is_watched)) {
    cli_say(args, "%s: %s", stage, text);
  }
}

static emg_status write_network(const cli_args *args, const char *path, const emg_config *config,
                                const emg_cnn *net, emg_error *err) {
  cli_origin origin;

  EMG_TRY(cli_origin_create(args, config, &origin, err));
  cli_output_begin(path);
  emg_status status = emg_cnn_write(path, net, &origin.provenance, args->is_forced, err);
  cli_output_end();
  cli_origin_free(&origin);
  return status;
}

// Training with a checkpoint beside the output, which stays if it is interrupted.
static emg_status train(const cli_args *args, const char *path, const emg_recording *rec,
                        const emg_spikes *labels, const emg_config *config, emg_cnn *net,
                        emg_cnn_history *history, emg_error *err) {
  static const char hint[] =
      "\nemgtwin: error: interrupted; the same command with --resume goes on from the last "
      "checkpoint\n";
  char name[PATH_MAX], sha256[65];
  emg_checkpoint checkpoint = {
      .path = name, .resume = cli_flag(args, "resume"), .input_sha256 = sha256};
  emg_monitor monitor = cli_monitor(args);

  monitor.log = on_log;
  snprintf(name, sizeof name, "%s.checkpoint", path);
  EMG_TRY(emg_file_sha256(args->positionals[0], sha256, err));
  cli_output_begin(name);
  cli_on_interruption(hint);
  emg_status status = emg_cnn_train(rec, labels, config, &checkpoint, &monitor, net, history, err);
  cli_on_interruption(NULL);
  cli_output_end();
  cli_progress_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, args->positionals[0]);
    return status;
  }
  EMG_TRY(write_network(args, path, config, net, err));
  unlink(name);
  return EMG_OK;
}

static emg_status run_train(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output"), *labels_path = cli_value(args, "labels");
  static emg_config config;
  emg_recording recording = {0};
  emg_spikes labels = {0};
  emg_cnn net = {0};
  emg_cnn_history history = {0};
  emg_status status;

  EMG_TRY(load_config(args, &config, err));
  EMG_TRY(cli_check_output(args, path, err));
  EMG_TRY_DONE(cli_load_recording(args, args->positionals[0], CLI_NEEDS_EMG, &recording, err));
  status = emg_spikes_read(labels_path, cli_flag(args, "truth"), &labels, err);
  if (status != EMG_OK) {
    emg_error_in_file(err, labels_path);
    goto done;
  }
  EMG_TRY_DONE(train(args, path, &recording, &labels, &config, &net, &history, err));
  if (args->is_json) {
    status = print_json(path, &net, &history, err);
  } else {
    print_result(path, &net, &history);
  }

done:
  emg_cnn_free(&net);
  emg_cnn_history_free(&history);
  emg_spikes_free(&labels);
  emg_recording_free(&recording);
  return status;
}

static const cli_row positionals[] = {
    {"IN", "a recording: native HDF5, EDF, BDF, MATLAB 5, OTB+, OTB4, or an EMG-BIDS folder"},
    {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "NET.h5", "file to write", true},
    {0, "labels", "DECOMP",
     "spike trains that were found in the recording: a decomposition, or labels in any format that "
     "'score' reads",
     true},
    {0, "truth", NULL, "use the simulated trains if the labels hold both", false},
    {0, "config", "CONFIG", "YAML file, preset or native file whose section cnn is used", false},
    {0, "paper", NULL,
     "as Wen et al. 2021: their network mo, windows one by one, no augmentation, the best epoch by "
     "the F1 of training",
     false},
    {0, "from", "TIME", "start of the part to learn from: '10 s' (default: of the recording)",
     false},
    {0, "to", "TIME", "end of the part to learn from (default: of the recording)", false},
    {0, "resume", NULL, "go on from NET.h5.checkpoint, which an interrupted training left", false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin train quick.h5 --labels found.h5 -o net.h5",
     "From a recording and its decomposition"},
    {"emgtwin train quick.h5 --labels found.h5 -o net.h5 --set cnn.step=4 --set "
     "cnn.soft_label_ms=2",
     "A network that answers every 4 samples"},
    {"emgtwin train rec.h5 --labels found.h5 -o net.h5 --set cnn.held_from_s=20 --set "
     "cnn.held_to_s=40",
     "Judged on a part that is held out"},
    {"emgtwin train long.h5 --labels long_found.h5 -o net.h5 --paper --to '60 s' -v",
     "Their way, on the first minute, with every epoch told"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, network, n_weights", "the file, the name of the network and its size"},
    {"n_train, n_validation, n_held",
     "windows learned from, those that choose epoch and thresholds, and those of cnn.held_from_s "
     "to "
     "held_to_s"},
    {"stop, best_epoch", "patience or all_epochs; the one whose weights are kept, from 1"},
    {"epochs[].loss, .f1", "of each epoch: loss with dropout, and the F1 that chooses the best"},
    {"units[].unit, .threshold", "probability from which it discharges"},
    {"units[].validation, .held_windows, .held_discharges",
     "{sensitivity, precision, f1} at that threshold: on the validation part; on the part held "
     "out, "
     "if there is one, window by window and discharge by discharge"},
    {NULL, NULL},
};

const cli_command cli_train_command = {
    .name = "train",
    .doc = "trains a network on a recording and its spike trains",
    .usage =
        "IN --labels DECOMP -o NET.h5 [--paper] [--config CONFIG] [--from TIME] [--to TIME] "
        "[--resume] [--truth]",
    .about =
        "Trains a convolutional network (Wen et al. 2021) that finds the units of the labels in "
        "new data of the same electrodes: 'decompose --method cnn --model NET.h5'. A fifth of the "
        "recording, in blocks spread over it, is not learned from; it chooses the best epoch and "
        "the threshold of each unit. After epochs the training is kept in NET.h5.checkpoint.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_train,
};
