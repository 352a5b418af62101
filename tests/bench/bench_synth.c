// bench_synth.c -- how long do synthesis and sensor take at the size of Wen et al. 2021: 110 units,
// 60 channels, 80 s at 2048 Hz, 105,600 spikes? One JSON line, CPU seconds over all threads.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <emgtwin/emgtwin.h>

enum { N_UNITS = 110, N_CHANNELS = 60, N_TAPS = 150, N_SAMPLES = 163840, N_SPIKES = 960 };
static const double rate_hz = 2048;

static void must(emg_status status) {
  if (status != EMG_OK) {
    exit(EXIT_FAILURE);
  }
}

static double cpu_s(clock_t start) {
  return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static void make_model(emg_model *model) {
  emg_config_defaults(&model->config);
  model->config.electrodes.montage = EMG_MONTAGE_SINGLE_DIFFERENTIAL;
  must(emg_conductor_from_config(&model->config, &model->conductor, NULL));
  must(emg_electrodes_create(&model->config, &model->conductor, &model->electrodes, NULL));
  must(emg_montage_create(&model->config, &model->electrodes, &model->montage, NULL));
}

static void make_bank(emg_muap_bank *bank) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 0);

  must(emg_muap_bank_create(N_UNITS, N_CHANNELS, N_TAPS, 20, rate_hz, bank, NULL));
  for (int i = 0; i < N_UNITS * N_CHANNELS * N_TAPS; i++) {
    bank->data[i] = (float)emg_rng_gaussian(&rng);
  }
}

static void make_spikes(emg_spikes *spikes) {
  int64_t counts[N_UNITS];

  for (int u = 0; u < N_UNITS; u++) {
    counts[u] = N_SPIKES;
  }
  must(emg_spikes_create(N_UNITS, counts, rate_hz, N_SAMPLES, spikes, NULL));
  for (int u = 0; u < N_UNITS; u++) {
    for (int i = 0; i < N_SPIKES; i++) {
      spikes->samples[spikes->offsets[u] + i] = 170 * i + u;
    }
  }
}

static double time_sensor(const emg_model *model, emg_array2f *clean, const emg_spikes *spikes) {
  emg_recording recording;
  emg_array2f noise, fault;
  double snr_db;

  must(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &recording, NULL));
  memcpy(recording.channels, model->montage.channels, N_CHANNELS * sizeof(emg_channel));
  clock_t start = clock();
  must(emg_sensor_apply(model, clean, spikes, &recording, &noise, &fault, &snr_db, NULL));
  double time_s = cpu_s(start);
  emg_recording_free(&recording);
  emg_array2f_free(&noise);
  emg_array2f_free(&fault);
  return time_s;
}

int main(void) {
  const emg_change_state states[2] = {{0, 1, 0}, {80, 1, 0}};
  emg_model model = {0};
  emg_muap_bank bank;
  emg_spikes spikes;
  emg_array2f clean;

  emg_init();
  make_model(&model);
  make_bank(&bank);
  make_spikes(&spikes);
  const emg_muap_bank banks[2] = {bank, bank};
  must(emg_array2f_create(N_CHANNELS, N_SAMPLES, &clean, NULL));

  clock_t start = clock();
  must(emg_synthesize(banks, states, 1, &spikes, &clean, NULL));
  printf("{\"threads\": %d, \"synthesis_cpu_s\": %.3f", emg_get_threads(), cpu_s(start));
  start = clock();
  must(emg_synthesize(banks, states, 2, &spikes, &clean, NULL));
  printf(", \"synthesis_2_states_cpu_s\": %.3f", cpu_s(start));
  printf(", \"sensor_white_cpu_s\": %.3f", time_sensor(&model, &clean, &spikes));
  model.config.sensor.noise_colour = EMG_NOISE_PINK;
  model.config.sensor.noise_correlation_mm = 20;
  printf(", \"sensor_pink_correlated_cpu_s\": %.3f}\n", time_sensor(&model, &clean, &spikes));

  emg_array2f_free(&clean);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
  emg_montage_free(&model.montage);
  emg_electrodes_free(&model.electrodes);
  return EXIT_SUCCESS;
}
