// cmd_simulate.c -- emgtwin simulate: configuration to recording with full truth
#include "cli/commands.h"

// What is said of a recording that was made.
static emg_status print_summary(const cli_args *args, const char *path, const emg_config *config,
                                const emg_simulation_summary *made, emg_error *err) {
  double duration_s = (double)made->n_samples / made->rate_hz;
  emg_json json = {0};

  if (!args->is_json) {
    printf("%s: %d channels, %g s at %g Hz, %d of %d units active, %lld discharges, SNR %.1f dB\n",
           path, made->n_channels, duration_s, made->rate_hz, made->n_active_units, made->n_units,
           (long long)made->n_discharges, made->snr_db);
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_integer(&json, "channels", made->n_channels);
  emg_json_integer(&json, "samples", made->n_samples);
  emg_json_number(&json, "sampling_rate_hz", made->rate_hz);
  emg_json_number(&json, "duration_s", duration_s);
  emg_json_integer(&json, "units", made->n_units);
  emg_json_integer(&json, "active_units", made->n_active_units);
  emg_json_integer(&json, "discharges", made->n_discharges);
  emg_json_number(&json, "snr_db", made->snr_db);
  emg_json_unsigned(&json, "seed", config->simulation.seed);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status run_simulate(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output");
  static emg_config config;
  emg_simulation_summary made;
  cli_origin origin;
  emg_monitor monitor = cli_monitor(args);

  EMG_TRY(cli_load_config(args, args->positionals[0], &config, err));
  EMG_TRY(cli_check_output(args, path, err));
  EMG_TRY(cli_origin_create(args, &config, &origin, err));
  cli_output_begin(path);
  emg_status status = emg_simulate_to_file(&config, &monitor, path, &origin.provenance,
                                           args->is_forced, &made, err);
  cli_output_end();
  cli_progress_end();
  cli_origin_free(&origin);
  return status == EMG_OK ? print_summary(args, path, &config, &made, err) : status;
}

static const cli_row positionals[] = {
    {"CONFIG",
     "a YAML file; where there is no such file, a preset of that name ('emgtwin init "
     "--list'); or a file written by emgtwin, whose own configuration is used again"},
    {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "OUT.h5", "file to write", true},
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin simulate quick -o quick.h5", "A small recording in seconds"},
    {"emgtwin simulate my.yaml --seed 7 --set pool.units=120 -o seven.h5",
     "Another seed and another pool than the file says"},
    {"emgtwin simulate seven.h5 -o again.h5", "The same recording again, from its own file"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output", "the file"},
    {"channels, samples, sampling_rate_hz, duration_s", "size of the recording"},
    {"units, active_units, discharges", "units, those with a discharge, and all discharges"},
    {"snr_db, seed", "measured signal-to-noise ratio, and the seed used"},
    {NULL, NULL},
};

const cli_command cli_simulate_command = {
    .name = "simulate",
    .doc = "makes one recording with full ground truth",
    .usage = "CONFIG -o OUT.h5",
    .about =
        "Simulates the recording that a configuration describes and writes it with everything "
        "that is true of it: electrodes, discharges, action potentials, parameters of every unit, "
        "excitation and force (docs/file-format.md). The same configuration and seed give the "
        "same bits on one type of processor, with any number of threads. Recordings may be longer "
        "than memory: an hour of 384 channels takes less than 1 GiB, and room on the disk of the "
        "output for 4 bytes per sample beside the file while it is made.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_simulate,
};
