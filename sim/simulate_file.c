// simulate_file.c -- the way from a configuration to a file, a few channels at a time
//
// Channels are independent but for two things: the noise is scaled to the mean power of all of
// them, and it may be correlated between them. So the clean signal and the noise of a band of
// channels are made once to measure them and, unless one band holds all channels, once more to
// finish them; correlated noise that does not fit into memory is made beforehand and kept on disk.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

#include "base/native_signals.h"
#include "base/part_file.h"
#include "sensor_priv.h"
#include "simulate_priv.h"

static const double memory_for_samples = 384.0 * (1 << 20);
static const double memory_for_time_blocks = 64.0 * (1 << 20);

typedef struct {
  const emg_config *config;
  const emg_monitor *monitor;
  const char *path;
  emg_run run;
  emg_recording header;  // channels of the recording, without samples
  emg_sensor sensor;
  emg_span span;
  int n_channels;
  int64_t n_samples;

  // samples of one band of channels; `scratch` has a row of the recording and one of the mask for
  // each channel that is finished at a time
  int n_held, n_at_a_time;
  emg_array2f clean, noise, scratch;

  // rows of the whole recording, in memory or on disk
  const char *store_path;    // NULL: in memory
  emg_row_store correlated;  // noise before scaling
  emg_row_store data, kept_clean, kept_noise, fault, excitation, force;
  emg_row_look *looks;
  double *clean_energy, *noise_energy;
  bool has_fault;
  double snr_db;
} job;

// --- sizes ---

static bool wants_correlation(const emg_config *config) {
  return emg_sensor_has_noise(config) && config->sensor.noise_correlation_mm > 0;
}

// Bytes of the rows that are kept until they are written.
static double stored_bytes(const job *j) {
  const struct emg_config_output *output = &j->config->output;
  double bytes = sizeof(float) * (1.0 + output->clean + output->noise) +
                 (emg_sensor_can_fault(j->config) ? 1 : 0);
  double muscles = 2.0 * sizeof(float) * j->run.model.n_muscles;

  return (bytes * j->n_channels + muscles) * (double)j->n_samples;
}

// How many channels are held, and whether rows are kept in memory.
static void plan_memory(job *j, double memory_bytes) {
  const double row_bytes = (double)j->n_samples * sizeof(float);
  int n_threads = emg_get_threads();

  j->n_at_a_time = n_threads < j->n_channels ? n_threads : j->n_channels;
  // clean signal and noise, and for each channel at work the recording and its mask
  double n = memory_bytes / row_bytes;
  while (j->n_at_a_time > 1 && 4.0 * j->n_at_a_time > n) {
    j->n_at_a_time--;
  }
  n = (n - 2.0 * j->n_at_a_time) / 2;
  j->n_held = n >= j->n_channels ? j->n_channels : n > 1 ? (int)n : 1;
  if (j->n_held < j->n_channels && j->n_held > j->n_at_a_time) {
    j->n_held -= j->n_held % j->n_at_a_time;
  }
  j->store_path = stored_bytes(j) > memory_bytes ? j->path : NULL;
}

// Room for the rows kept meanwhile and for the file: 16-bit samples are the rule, packing makes
// them fewer.
static emg_status check_disk(const job *j, emg_error *err) {
  const struct emg_config_output *output = &j->config->output;
  double file_bytes = (2 + sizeof(float) * (0.0 + output->clean + output->noise)) *
                      (double)j->n_channels * (double)j->n_samples;
  double needed = file_bytes + (j->store_path ? stored_bytes(j) : 0);
  double free_bytes = emg_disk_free_bytes(j->path);

  if (wants_correlation(j->config) && j->n_held < j->n_channels) {
    needed += sizeof(float) * (double)j->n_channels * (double)j->n_samples;
  }
  if (needed > free_bytes) {
    return emg_fail(err, EMG_ERR_IO,
                    "cannot write %s: %d channels of %.0f s need about %.1f GB on disk while they "
                    "are made, %.1f GB are free; make room or name another disk",
                    j->path, j->n_channels, (double)j->n_samples / j->header.rate_hz, needed / 1e9,
                    free_bytes / 1e9);
  }
  return EMG_OK;
}

static emg_status create_store(const job *j, bool is_wanted, int n_rows, emg_h5_type type,
                               emg_row_store *out, emg_error *err) {
  return is_wanted ? emg_row_store_create(n_rows, j->n_samples, type, j->store_path, out, err)
                   : EMG_OK;
}

// The channels, and what they will take.
static emg_status plan(job *j, double memory_bytes, emg_error *err) {
  j->n_channels = j->run.model.montage.weights.n_rows;
  j->n_samples = j->run.n_samples;
  EMG_TRY(emg_run_recording(&j->run, 0, &j->header, err));
  EMG_TRY(emg_sensor_open(&j->run.model, &j->sensor, err));
  EMG_TRY(emg_faults_choose(j->config, j->n_channels, j->header.channels, err));
  plan_memory(j, memory_bytes);
  return check_disk(j, err);
}

static emg_status create_stores(job *j, emg_error *err) {
  const struct emg_config_output *output = &j->config->output;
  const int n = j->n_channels;

  j->span = emg_active_span(&j->run.spikes, j->n_samples);
  EMG_TRY(create_store(j, true, n, EMG_H5_F32, &j->data, err));
  EMG_TRY(create_store(j, output->clean, n, EMG_H5_F32, &j->kept_clean, err));
  EMG_TRY(create_store(j, output->noise, n, EMG_H5_F32, &j->kept_noise, err));
  EMG_TRY(create_store(j, emg_sensor_can_fault(j->config), n, EMG_H5_U8, &j->fault, err));
  EMG_TRY(create_store(j, true, j->run.model.n_muscles, EMG_H5_F32, &j->excitation, err));
  EMG_TRY(create_store(j, true, j->run.model.n_muscles, EMG_H5_F32, &j->force, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *j->looks, &j->looks, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *j->clean_energy, &j->clean_energy, err));
  EMG_TRY(emg_alloc((size_t)n, sizeof *j->noise_energy, &j->noise_energy, err));
  for (int m = 0; m < j->run.model.n_muscles; m++) {
    EMG_TRY(emg_row_store_put(&j->excitation, m, 0, j->n_samples, emg_row2f(&j->run.excitation, m),
                              err));
  }
  emg_array2f_free(&j->run.excitation);
  return EMG_OK;
}

// --- noise that is correlated between channels, where a band does not hold all of them ---

static emg_status correlate_in_time_blocks(const job *j, const float *factor, emg_error *err) {
  const double block_bytes = (double)EMG_NOISE_BLOCK * j->n_channels * sizeof(float);
  const int64_t n_blocks = (int64_t)fmax(memory_for_time_blocks / block_bytes, 1);
  const int64_t length = n_blocks * EMG_NOISE_BLOCK;
  emg_array2f block;
  emg_status status = EMG_OK;

  EMG_TRY(emg_array2f_create(j->n_channels, length < j->n_samples ? length : j->n_samples, &block,
                             err));
  for (int64_t begin = 0; begin < j->n_samples; begin += length) {
    block.n_cols = j->n_samples - begin < length ? j->n_samples - begin : length;
    EMG_TRY_DONE(emg_progress(j->monitor, "correlation", begin, j->n_samples, err));
    for (int c = 0; c < j->n_channels; c++) {
      if (!emg_row_store_get(&j->correlated, c, begin, block.n_cols, EMG_H5_F32, 1,
                             emg_row2f(&block, c))) {
        status = emg_row_store_fail_read(&j->correlated, err);
        goto done;
      }
    }
    emg_noise_correlate(factor, &block);
    for (int c = 0; c < j->n_channels; c++) {
      EMG_TRY_DONE(
          emg_row_store_put(&j->correlated, c, begin, block.n_cols, emg_row2f(&block, c), err));
    }
  }
done:
  emg_array2f_free(&block);
  return status;
}

// The band of channels from `first` on, as a view.
static emg_array2f band_of(const job *j, const emg_array2f *rows, int first) {
  emg_array2f band = *rows;

  band.n_rows = j->n_channels - first < j->n_held ? j->n_channels - first : j->n_held;
  return band;
}

static emg_status create_correlated(job *j, emg_error *err) {
  float *factor = NULL;
  emg_status status;

  EMG_TRY_DONE(
      emg_row_store_create(j->n_channels, j->n_samples, EMG_H5_F32, j->path, &j->correlated, err));
  for (int first = 0; first < j->n_channels; first += j->n_held) {
    emg_array2f band = band_of(j, &j->noise, first);
    EMG_TRY_DONE(emg_progress(j->monitor, "noise", first, j->n_channels, err));
    EMG_TRY_DONE(emg_noise_rows(j->config, first, &band, err));
    for (int r = 0; r < band.n_rows; r++) {
      EMG_TRY_DONE(
          emg_row_store_put(&j->correlated, first + r, 0, j->n_samples, emg_row2f(&band, r), err));
    }
  }
  EMG_TRY_DONE(emg_noise_factor(j->config, j->header.channels, j->n_channels, &factor, err));
  status = correlate_in_time_blocks(j, factor, err);
done:
  free(factor);
  return status;
}

static emg_status read_correlated(const job *j, int first, emg_array2f *band, emg_error *err) {
  for (int r = 0; r < band->n_rows; r++) {
    if (!emg_row_store_get(&j->correlated, first + r, 0, j->n_samples, EMG_H5_F32, 1,
                           emg_row2f(band, r))) {
      return emg_row_store_fail_read(&j->correlated, err);
    }
  }
  return EMG_OK;
}

// --- bands of channels ---

static void clear_rows(emg_array2f *x) {
#pragma omp parallel for schedule(static)
  for (int r = 0; r < x->n_rows; r++) {
    memset(emg_row2f(x, r), 0, (size_t)x->n_cols * sizeof(float));
  }
}

// Clean signal and noise of the channels from `first` on, both behind the amplifier.
static emg_status make_band(job *j, int first, emg_error *err) {
  const emg_run *r = &j->run;
  emg_array2f clean = band_of(j, &j->clean, first), noise = band_of(j, &j->noise, first);

  clear_rows(&clean);
  EMG_TRY(emg_synthesize_rows(r->banks, r->states, r->n_states, &r->spikes, first, &clean, err));
  emg_sensor_amplify(&j->sensor, &clean);
  if (!emg_sensor_has_noise(j->config)) {
    clear_rows(&noise);
    return EMG_OK;
  }
  if (j->correlated.n_rows > 0) {
    EMG_TRY(read_correlated(j, first, &noise, err));
  } else if (wants_correlation(j->config)) {
    EMG_TRY(emg_noise_create(j->config, j->header.channels, &noise, err));
  } else {
    EMG_TRY(emg_noise_rows(j->config, first, &noise, err));
  }
  emg_sensor_amplify(&j->sensor, &noise);
  return EMG_OK;
}

static void measure(const job *j, int first, const emg_array2f *rows, double *energy) {
  const emg_array2f band = band_of(j, rows, first);

#pragma omp parallel for schedule(static)
  for (int r = 0; r < band.n_rows; r++) {
    energy[first + r] = emg_row_energy(emg_row2f(&band, r), j->span);
  }
}

static double mean_power(const job *j, const double *energy) {
  return emg_mean_power(energy, j->header.channels, j->n_channels, j->span);
}

// The first pass: how strong signal and noise are.
static emg_status set_noise(job *j, emg_error *err) {
  EMG_TRY(emg_run_enter(j->monitor, "synthesis", err));
  if (wants_correlation(j->config) && j->n_held < j->n_channels) {
    EMG_TRY(create_correlated(j, err));
  }
  for (int first = 0; first < j->n_channels; first += j->n_held) {
    EMG_TRY(emg_progress(j->monitor, "synthesis", first, j->n_channels, err));
    EMG_TRY(make_band(j, first, err));
    measure(j, first, &j->clean, j->clean_energy);
    measure(j, first, &j->noise, j->noise_energy);
  }
  return emg_sensor_has_noise(j->config)
             ? emg_sensor_set_noise(&j->sensor, mean_power(j, j->clean_energy),
                                    mean_power(j, j->noise_energy), err)
             : EMG_OK;
}

// One channel through the sensor to where its rows are kept.
static emg_status finish_channel(job *j, int channel, const float *clean, float *noise, float *row,
                                 float *mask, emg_error *err) {
  const int64_t n = j->n_samples;
  const struct emg_config_output *output = &j->config->output;

  if (mask) {
    memset(mask, 0, (size_t)n * sizeof *mask);
  }
  emg_sensor_finish_row(&j->sensor, channel, j->header.channels[channel].state, n, clean, noise,
                        row, mask);
  j->noise_energy[channel] = emg_row_energy(noise, j->span);
  j->looks[channel] = emg_row_look_at(row, n);
  EMG_TRY(emg_row_store_put(&j->data, channel, 0, n, row, err));
  if (output->clean) {
    EMG_TRY(emg_row_store_put(&j->kept_clean, channel, 0, n, clean, err));
  }
  if (output->noise) {
    EMG_TRY(emg_row_store_put(&j->kept_noise, channel, 0, n, noise, err));
  }
  if (mask && emg_is_marked(mask, n)) {
#pragma omp atomic write
    j->has_fault = true;
    EMG_TRY(emg_row_store_put(&j->fault, channel, 0, n, mask, err));
  }
  return EMG_OK;
}

// As many channels at a time as there is scratch for.
static emg_status finish_band(job *j, int first, emg_error *err) {
  const emg_array2f clean = band_of(j, &j->clean, first), noise = band_of(j, &j->noise, first);
  const bool can_fault = emg_sensor_can_fault(j->config);
  emg_status failed = EMG_OK;

#pragma omp parallel for schedule(dynamic) num_threads(j->n_at_a_time)
  for (int r = 0; r < clean.n_rows; r++) {
    const int lane = omp_get_thread_num();
    float *row = emg_row2f(&j->scratch, 2 * lane);
    float *mask = can_fault ? emg_row2f(&j->scratch, 2 * lane + 1) : NULL;
    emg_error own;
    emg_status status =
        finish_channel(j, first + r, emg_row2f(&clean, r), emg_row2f(&noise, r), row, mask, &own);
    if (status != EMG_OK) {
      // the disk is all that can fail here, so it does not matter whose message is kept
#pragma omp critical
      failed = emg_fail(err, status, "%s", emg_error_message(&own));
    }
  }
  return failed;
}

// The second pass: noise to its level, interference, faults, converter.
static emg_status finish_channels(job *j, emg_error *err) {
  EMG_TRY(emg_run_enter(j->monitor, "sensor", err));
  for (int first = 0; first < j->n_channels; first += j->n_held) {
    EMG_TRY(emg_progress(j->monitor, "sensor", first, j->n_channels, err));
    if (j->n_held < j->n_channels) {
      EMG_TRY(make_band(j, first, err));
    }
    EMG_TRY(finish_band(j, first, err));
  }
  j->snr_db = emg_sensor_snr_db(mean_power(j, j->clean_energy), mean_power(j, j->noise_energy));
  emg_log(j->monitor, EMG_LOG_INFO, "sensor", "snr_db = %.4g", j->snr_db);
  return EMG_OK;
}

static emg_status make_samples(job *j, emg_error *err) {
  EMG_TRY(emg_array2f_create(j->n_held, j->n_samples, &j->clean, err));
  EMG_TRY(emg_array2f_create(j->n_held, j->n_samples, &j->noise, err));
  EMG_TRY(emg_array2f_create(2 * j->n_at_a_time, j->n_samples, &j->scratch, err));
  EMG_TRY(set_noise(j, err));
  EMG_TRY(finish_channels(j, err));
  // the memory serves what follows
  emg_array2f_free(&j->clean);
  emg_array2f_free(&j->noise);
  emg_array2f_free(&j->scratch);
  emg_row_store_close(&j->correlated);
  return EMG_OK;
}

// --- truth and file ---

static emg_status make_force(job *j, emg_error *err) {
  double *sum = NULL;
  float *row = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_run_enter(j->monitor, "truth", err));
  EMG_TRY_DONE(emg_alloc((size_t)j->n_samples, sizeof *sum, &sum, err));
  EMG_TRY_DONE(emg_alloc((size_t)j->n_samples, sizeof *row, &row, err));
  for (int m = 0; m < j->run.model.n_muscles; m++) {
    emg_muscle_force(&j->run.model, &j->run.spikes, m, sum, row);
    EMG_TRY_DONE(emg_row_store_put(&j->force, m, 0, j->n_samples, row, err));
  }
done:
  free(sum);
  free(row);
  return status;
}

static emg_status write_file(job *j, const emg_provenance *provenance, bool overwrite,
                             emg_error *err) {
  emg_truth truth = {.spikes = j->run.spikes, .muaps = j->run.banks[0]};
  const emg_native_signals signals = {.data = &j->data,
                                      .looks = j->looks,
                                      .clean = &j->kept_clean,
                                      .noise = &j->kept_noise,
                                      .fault = j->has_fault ? &j->fault : NULL,
                                      .excitation = &j->excitation,
                                      .force = &j->force};
  const emg_file_contents contents = {.recording = &j->header,
                                      .truth = &truth,
                                      .provenance = provenance,
                                      .compress = j->config->output.compress,
                                      .n_threads = emg_get_threads()};

  emg_status status = emg_model_unit_table(&j->run.model, &truth.units, err);
  if (status == EMG_OK) {
    status = emg_native_write(j->path, &contents, &signals, j->monitor, overwrite, err);
  }
  emg_table_free(&truth.units);
  return status;
}

static void summarise(const job *j, emg_simulation_summary *out) {
  const emg_spikes *spikes = &j->run.spikes;

  *out = (emg_simulation_summary){.n_channels = j->n_channels,
                                  .n_units = spikes->n_units,
                                  .n_samples = j->n_samples,
                                  .n_discharges = spikes->offsets[spikes->n_units],
                                  .rate_hz = j->header.rate_hz,
                                  .snr_db = j->snr_db};
  for (int u = 0; u < spikes->n_units; u++) {
    out->n_active_units += emg_spikes_count(spikes, u) > 0;
  }
}

static void free_job(job *j) {
  emg_row_store *const stores[] = {&j->correlated, &j->data,       &j->kept_clean, &j->kept_noise,
                                   &j->fault,      &j->excitation, &j->force};

  for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
    emg_row_store_close(stores[i]);
  }
  emg_array2f_free(&j->clean);
  emg_array2f_free(&j->noise);
  emg_array2f_free(&j->scratch);
  emg_sensor_close(&j->sensor);
  emg_recording_free(&j->header);
  emg_run_free(&j->run);
  free(j->looks);
  free(j->clean_energy);
  free(j->noise_energy);
}

emg_status emg_simulate_within(double memory_bytes, const emg_config *config,
                               const emg_monitor *monitor, const char *path,
                               const emg_provenance *provenance, bool overwrite,
                               emg_simulation_summary *out, emg_error *err) {
  job j = {.config = config, .monitor = monitor, .path = path};
  emg_status status;

  emg_init();
  *out = (emg_simulation_summary){0};
  EMG_TRY_DONE(emg_part_file_check(path, overwrite, err));
  EMG_TRY_DONE(emg_run_begin(config, monitor, &j.run, err));
  EMG_TRY_DONE(plan(&j, memory_bytes, err));
  EMG_TRY_DONE(emg_run_prepare(&j.run, monitor, err));
  EMG_TRY_DONE(create_stores(&j, err));
  EMG_TRY_DONE(make_samples(&j, err));
  EMG_TRY_DONE(make_force(&j, err));
  EMG_TRY_DONE(write_file(&j, provenance, overwrite, err));
  summarise(&j, out);

done:
  free_job(&j);
  return status;
}

emg_status emg_simulate_to_file(const emg_config *config, const emg_monitor *monitor,
                                const char *path, const emg_provenance *provenance, bool overwrite,
                                emg_simulation_summary *out, emg_error *err) {
  return emg_simulate_within(memory_for_samples, config, monitor, path, provenance, overwrite, out,
                             err);
}
