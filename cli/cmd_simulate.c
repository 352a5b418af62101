// cmd_simulate.c -- emgtwin simulate: configuration to recording with full truth
#include "cli/commands.h"

// What is said of a recording that was made.
static emg_status print_summary(const cli_args *args, const char *path, const emg_config *config,
                                const emg_simulation *made, emg_error *err) {
  const emg_spikes *spikes = &made->truth.spikes;
  int n_active = 0;
  emg_json json = {0};

  for (int u = 0; u < spikes->n_units; u++) {
    n_active += emg_spikes_count(spikes, u) > 0;
  }
  double duration_s = (double)made->recording.data.n_cols / made->recording.rate_hz;
  if (!args->is_json) {
    printf("%s: %d channels, %g s at %g Hz, %d of %d units active, %lld discharges, SNR %.1f dB\n",
           path, made->recording.data.n_rows, duration_s, made->recording.rate_hz, n_active,
           spikes->n_units, (long long)spikes->offsets[spikes->n_units], made->snr_db);
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_integer(&json, "channels", made->recording.data.n_rows);
  emg_json_integer(&json, "samples", made->recording.data.n_cols);
  emg_json_number(&json, "sampling_rate_hz", made->recording.rate_hz);
  emg_json_number(&json, "duration_s", duration_s);
  emg_json_integer(&json, "units", spikes->n_units);
  emg_json_integer(&json, "active_units", n_active);
  emg_json_integer(&json, "discharges", spikes->offsets[spikes->n_units]);
  emg_json_number(&json, "snr_db", made->snr_db);
  emg_json_unsigned(&json, "seed", config->simulation.seed);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status write_simulation(const cli_args *args, const char *path, const emg_config *config,
                                   const emg_simulation *made, emg_error *err) {
  emg_file_contents contents = {
      .recording = &made->recording,
      .clean = config->output.clean ? &made->clean : NULL,
      .noise = config->output.noise ? &made->noise : NULL,
      .truth = &made->truth,
  };
  return cli_write_file(args, path, config, &contents, err);
}

static emg_status run_simulate(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output");
  static emg_config config;
  static emg_simulation made;
  emg_monitor monitor = cli_monitor(args);

  EMG_TRY(cli_load_config(args, args->positionals[0], &config, err));
  EMG_TRY(cli_check_output(args, path, err));
  EMG_TRY(emg_simulate(&config, &monitor, &made, err));
  cli_progress_end();
  emg_status status = write_simulation(args, path, &config, &made, err);
  if (status == EMG_OK) {
    status = print_summary(args, path, &config, &made, err);
  }
  emg_simulation_free(&made);
  return status;
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
        "same bits on one type of processor, with any number of threads.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_simulate,
};
