// follow.c -- MAIN PATH of recordings longer than memory: learn units, follow them block by block
#include "follow_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "parts_priv.h"

// Samples on either side of a block that are decoded with it and belong to its neighbours: where
// the band-pass and notch have not settled.
static const double margin_s = 1, half_window_ms = 20;

typedef struct {
  const emg_decompose_method *method;
  const emg_config *config;
  const emg_monitor *monitor;
  emg_stream *stream;
  emg_recording part;  // the samples looked at, data.n_cols of them; with room for the longest
  int64_t n_most, margin;
  emg_following f;
} follower;

// --- memory ---

// Bytes per sample and channel: as recorded, and three times prepared (with and without units, and
// while it is searched); bytes per sample for sources.
enum { COPIES = 5, SOURCES = 150 };

// What does not grow with the length: covariances and their inverse, sums of a search, action
// potentials and averages of 100 units, the program itself; in bytes.
static double fixed_bytes(const emg_config *config, int n_channels, double rate_hz) {
  const double dimensions_most = 1280, units = 100, program = 64 << 20;
  double n_dimensions = fmin(fmax(1000.0 / n_channels, 4) * n_channels, dimensions_most);
  if (config->decompose.extension > 0) {
    n_dimensions = (double)config->decompose.extension * n_channels;
  }
  double sums = EMG_SPANS * n_dimensions * (n_channels + config->decompose.batch) * 4;
  return program + 32 * n_dimensions * n_dimensions + sums + units * n_channels * rate_hz * 0.9;
}

static double sample_bytes(int n_channels) {
  return 4.0 * (COPIES * n_channels + SOURCES);
}

static double budget_bytes(const emg_config *config) {
  return config->decompose.memory_mib * 1048576;
}

static emg_status choose_window(const emg_config *config, const emg_stream *stream, int64_t *begin,
                                int64_t *end, emg_error *err) {
  return emg_window_of(&config->decompose, emg_stream_header(stream)->rate_hz,
                       emg_stream_length(stream), begin, end, err);
}

static bool fits(const emg_config *config, const emg_stream *stream, int64_t n_samples) {
  const emg_recording *header = emg_stream_header(stream);
  int n = header->data.n_rows;
  return fixed_bytes(config, n, header->rate_hz) + sample_bytes(n) * (double)n_samples <=
         budget_bytes(config);
}

bool emg_decompose_fits(const emg_config *config, const emg_stream *stream) {
  int64_t begin, end;
  return choose_window(config, stream, &begin, &end, NULL) != EMG_OK ||
         fits(config, stream, end - begin);
}

// --- what to look at ---

// Number of blocks and of places to search, and room for the samples of one.
static emg_status plan(follower *w, emg_error *err) {
  const struct emg_config_decompose *keys = &w->config->decompose;
  const emg_recording *header = emg_stream_header(w->stream);
  const double shortest_s = 5;
  emg_following *f = &w->f;

  f->rate_hz = header->rate_hz;
  f->n_channels = header->data.n_rows;
  f->half_window = (int64_t)lround(half_window_ms * f->rate_hz / 1000);
  f->average_origin = (int)lround(0.010 * f->rate_hz);
  f->n_average_taps = (int)lround(0.050 * f->rate_hz);
  w->margin = (int64_t)(margin_s * f->rate_hz);

  double room = (budget_bytes(w->config) - fixed_bytes(w->config, f->n_channels, f->rate_hz)) /
                sample_bytes(f->n_channels);
  double block = fmin(keys->block_s * f->rate_hz, room - 2 * (double)w->margin);
  if (block < shortest_s * f->rate_hz) {
    double needed =
        budget_bytes(w->config) + (shortest_s * f->rate_hz - block) * sample_bytes(f->n_channels);
    return emg_fail(err, EMG_ERR_CONFIG,
                    "decompose.memory_mib = %g MiB is too little to decompose %d channels block by "
                    "block: allow %.0f MiB",
                    keys->memory_mib, f->n_channels, ceil(needed / 1048576));
  }
  if (keys->keep_source) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "decompose.keep_source = true needs the whole recording in memory: raise "
                    "decompose.memory_mib = %g MiB, or leave the sources out",
                    keys->memory_mib);
  }
  f->n_blocks = (int64_t)ceil((double)(f->end - f->begin) / block);
  f->n_places = (int64_t)fmax(round(keys->learn_s * f->rate_hz / block), 1);
  f->n_places = f->n_places < f->n_blocks ? f->n_places : f->n_blocks;
  w->n_most = (f->end - f->begin) / f->n_blocks + 2 + 2 * w->margin;
  return EMG_OK;
}

// The recording without samples: channels as they are before anything was read, so that what a
// part is taken for depends on nothing but the part.
static emg_status create_part(follower *w, emg_error *err) {
  const emg_recording *header = emg_stream_header(w->stream);

  EMG_TRY(emg_recording_create(header->data.n_rows, w->n_most, header->rate_hz, &w->part, err));
  memcpy(w->part.channels, header->channels,
         (size_t)header->data.n_rows * sizeof *header->channels);
  w->part.is_physical = header->is_physical;
  w->part.pitch_mm = header->pitch_mm;
  return EMG_OK;
}

static emg_status read_part(follower *w, int64_t begin, int64_t end, emg_error *err) {
  w->part.data.n_cols = end - begin;
  return emg_stream_read(w->stream, begin, end - begin, &w->part.data, err);
}

// --- a search ---

// The first part that is searched says which channels are used and how they are scaled.
static emg_status prepare_part(follower *w, emg_prepared *out, emg_error *err) {
  emg_following *f = &w->f;
  int64_t signal_margin = 2 * f->half_window + 1;

  if (f->like.channel) {
    return emg_prepare_like(&w->part, w->config, &f->like, signal_margin, out, err);
  }
  EMG_TRY(emg_prepare(&w->part, w->config, NULL, signal_margin, out, err));
  int n = out->signal.n_channels;
  emg_status status;
  EMG_TRY_DONE(emg_following_set_channels(f, n, out->channel, out->scale, out->finding, err));
  EMG_TRY_DONE(emg_choose_taps(&w->config->decompose, n, f->rate_hz, &f->n_taps, err));
  f->n_taps = emg_choose_joint_taps(&w->config->decompose, f->n_taps, n, w->part.data.n_cols,
                                    f->half_window);

done:
  if (status != EMG_OK) {
    emg_prepared_free(out);
  }
  return status;
}

// Units of `found` that none of `known` agrees with, their spikes at the centre of energy of what
// they are in the residual.
static emg_status choose_new(const follower *w, const emg_signal *residual,
                             const emg_decomposition *found, const emg_units *known,
                             emg_units *fresh, emg_error *err) {
  double agreement_most = w->config->decompose.duplicate_agreement;

  *fresh = (emg_units){.half_window = w->f.half_window};
  for (int u = 0; u < found->spikes.n_units; u++) {
    const int64_t *spikes = emg_spikes_of(&found->spikes, u);
    int64_t n = emg_spikes_count(&found->spikes, u), shift;
    bool is_known;
    EMG_TRY(emg_is_known(known, spikes, n, w->f.rate_hz, agreement_most, &is_known, err));
    if (is_known) {
      continue;
    }
    EMG_TRY(emg_centre_of_energy(residual, spikes, n, w->f.half_window, &shift, err));
    EMG_TRY(emg_units_add(fresh, residual->n_channels, spikes, n, err));
    emg_unit *unit = &fresh->items[fresh->n - 1];
    unit->n_spikes = 0;
    for (int64_t i = 0; i < n; i++) {
      if (spikes[i] + shift >= 0 && spikes[i] + shift < residual->n_samples) {
        unit->spikes[unit->n_spikes++] = spikes[i] + shift;
      }
    }
  }
  return EMG_OK;
}

static emg_status add_new(follower *w, emg_units *fresh, emg_signal *residual, emg_error *err) {
  const int sweeps = 4;
  const double usual_interval_s = 0.1;

  EMG_TRY(emg_units_fit(residual, fresh, sweeps, err));
  for (int u = 0; u < fresh->n; u++) {
    const emg_unit *unit = &fresh->items[u];
    emg_interval_stats stats = emg_intervals_of(unit->spikes, NULL, unit->n_spikes, w->f.rate_hz);
    double weight = fmin((double)unit->n_spikes, w->config->decompose.follow_spikes);
    EMG_TRY(emg_following_add(&w->f, unit->muap, weight,
                              stats.mean_s > 0 ? stats.mean_s : usual_interval_s, err));
  }
  return EMG_OK;
}

// Look for units in the part in memory, of which `known` and its residual are decoded already.
static emg_status search_part(follower *w, emg_prepared *part, const emg_units *known,
                              emg_error *err) {
  emg_decomposition found = {.source = {0}};
  emg_units fresh = {.n = 0};
  emg_status status;

  EMG_TRY_DONE(emg_run_grids(w->method, &w->part, w->config, w->monitor, &found, err));
  EMG_TRY_DONE(choose_new(w, &part->signal, &found, known, &fresh, err));
  EMG_TRY_DONE(add_new(w, &fresh, &part->signal, err));
  w->f.searched_power = fmax(w->f.searched_power, emg_signal_power(&part->signal));

done:
  emg_units_free(&fresh);
  emg_decomposition_free(&found);
  return status;
}

// Known units in the part in memory.
static emg_status decode_part(follower *w, emg_prepared *part, emg_units *units,
                              emg_decoded *decoded, emg_error *err) {
  emg_following *f = &w->f;
  double *weight = NULL, *interval_s = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_following_units(f, units, err));
  EMG_TRY_DONE(emg_alloc((size_t)f->n, sizeof *weight, &weight, err));
  EMG_TRY_DONE(emg_alloc((size_t)f->n, sizeof *interval_s, &interval_s, err));
  for (int u = 0; u < f->n; u++) {
    weight[u] = f->units[u].weight;
    interval_s[u] = f->units[u].interval_s;
  }
  EMG_TRY_DONE(
      emg_decode(part, f->n_taps, &w->config->decompose, units, weight, interval_s, decoded, err));

done:
  free(weight);
  free(interval_s);
  return status;
}

// Search one of the places spread over the recording. What is wrong with its samples is no reason
// to give up as long as other places are left.
static emg_status search_place(follower *w, int64_t place, emg_error *err) {
  emg_following *f = &w->f;
  int64_t length = (f->end - f->begin) / f->n_blocks;
  double room = (double)(f->end - f->begin - length);
  int64_t begin = f->begin + (int64_t)(room * ((double)place + 0.5) / (double)f->n_places);
  emg_prepared part = {.channel = NULL};
  emg_units known = {.n = 0};
  emg_decoded decoded = {.n_samples = 0};
  int n_before = f->n;
  emg_status status;

  EMG_TRY_DONE(emg_progress(w->monitor, "learn", place, f->n_places, err));
  EMG_TRY_DONE(read_part(w, begin, begin + length, err));
  EMG_TRY_DONE(prepare_part(w, &part, err));
  EMG_TRY_DONE(decode_part(w, &part, &known, &decoded, err));
  EMG_TRY_DONE(search_part(w, &part, &known, err));
  emg_log(w->monitor, EMG_LOG_INFO, "decompose", "searched from %.0f s: new = %d, units = %d",
          (double)begin / f->rate_hz, f->n - n_before, f->n);

done:
  emg_decoded_free(&decoded);
  emg_units_free(&known);
  emg_prepared_free(&part);
  return status;
}

// --- a block ---

// Decode the part in memory, and search it first if known units leave too much of it.
static emg_status decode_or_search(follower *w, int64_t k, emg_prepared *part, emg_units *units,
                                   emg_decoded *decoded, emg_error *err) {
  int n_before = w->f.n;

  EMG_TRY(prepare_part(w, part, err));
  EMG_TRY(decode_part(w, part, units, decoded, err));
  if (decoded->residual_power <= w->config->decompose.learn_again * w->f.searched_power) {
    return EMG_OK;
  }
  EMG_TRY(search_part(w, part, units, err));
  emg_log(w->monitor, EMG_LOG_INFO, "decompose",
          "block %lld has more activity: new = %d, units = %d", (long long)k + 1, w->f.n - n_before,
          w->f.n);
  if (w->f.n == n_before) {
    return EMG_OK;
  }
  emg_decoded_free(decoded);
  emg_units_free(units);
  emg_prepared_free(part);
  EMG_TRY(prepare_part(w, part, err));
  return decode_part(w, part, units, decoded, err);
}

static emg_status follow_block(follower *w, int64_t k, emg_error *err) {
  emg_following *f = &w->f;
  int64_t begin = emg_block_begin(f, k), end = emg_block_begin(f, k + 1);
  int64_t origin = begin - w->margin > f->begin ? begin - w->margin : f->begin;
  int64_t last = end + w->margin < f->end ? end + w->margin : f->end;
  emg_prepared part = {.channel = NULL};
  emg_units units = {.n = 0};
  emg_decoded decoded = {.n_samples = 0};
  emg_status status;

  EMG_TRY_DONE(emg_progress(w->monitor, "follow", k, f->n_blocks, err));
  EMG_TRY_DONE(read_part(w, origin, last, err));
  status = decode_or_search(w, k, &part, &units, &decoded, err);
  if (status == EMG_ERR_DATA) {
    emg_log(w->monitor, EMG_LOG_WARNING, "decompose", "nothing is found from %.1f s to %.1f s: %s",
            (double)begin / f->rate_hz, (double)end / f->rate_hz, emg_error_message(err));
    *err = (emg_error){.status = EMG_OK};
    status = EMG_OK;
    goto done;
  }
  EMG_TRY_DONE(status);
  EMG_TRY_DONE(emg_following_take(f, &w->config->decompose, &w->part.data, origin, begin, end,
                                  &units, &decoded, err));

done:
  emg_decoded_free(&decoded);
  emg_units_free(&units);
  emg_prepared_free(&part);
  return status;
}

// --- all blocks ---

static emg_status keep(const follower *w, const char *path, const emg_identity *identity,
                       emg_error *err) {
  return path ? emg_checkpoint_write(path, &w->f, identity, err) : EMG_OK;
}

static emg_status run(follower *w, const char *path, const emg_identity *identity, emg_error *err) {
  emg_following *f = &w->f;

  while (f->n_searched < f->n_places) {
    emg_status status = search_place(w, f->n_searched, err);
    bool is_last = f->n_searched + 1 == f->n_places && !f->like.channel;
    if (status == EMG_ERR_DATA && !is_last) {
      emg_log(w->monitor, EMG_LOG_WARNING, "decompose", "a part is not searched: %s",
              emg_error_message(err));
    } else {
      EMG_TRY(status);
    }
    f->n_searched++;
    EMG_TRY(keep(w, path, identity, err));
  }
  while (f->n_done < f->n_blocks) {
    EMG_TRY(follow_block(w, f->n_done, err));
    f->n_done++;
    EMG_TRY(keep(w, path, identity, err));
  }
  return emg_progress(w->monitor, "follow", f->n_blocks, f->n_blocks, err);
}

static emg_status identify(const follower *w, const char *input_sha256, emg_identity *out,
                           emg_error *err) {
  snprintf(out->input, sizeof out->input, "%s, %d channels, %lld samples at %.17g Hz",
           input_sha256 ? input_sha256 : "", w->f.n_channels, (long long)w->f.n_samples,
           w->f.rate_hz);
  return emg_config_write(w->config, false, NULL, &out->config, err);
}

static emg_status resume(follower *w, const emg_checkpoint *checkpoint,
                         const emg_identity *identity, emg_error *err) {
  if (access(checkpoint->path, F_OK) != 0) {
    if (checkpoint->resume) {
      emg_log(w->monitor, EMG_LOG_WARNING, "decompose",
              "there is no checkpoint %s; starting from the beginning", checkpoint->path);
    }
    return EMG_OK;
  }
  if (!checkpoint->resume) {
    emg_log(w->monitor, EMG_LOG_WARNING, "decompose",
            "the checkpoint %s of an earlier run is replaced; --resume would have used it",
            checkpoint->path);
    return EMG_OK;
  }
  EMG_TRY(emg_checkpoint_read(checkpoint->path, identity, &w->f, err));
  emg_log(w->monitor, EMG_LOG_INFO, "decompose",
          "resumed: searched = %lld of %lld, blocks = %lld of %lld", (long long)w->f.n_searched,
          (long long)w->f.n_places, (long long)w->f.n_done, (long long)w->f.n_blocks);
  return EMG_OK;
}

// Filters for new data, from the block in which most units are active.
static emg_status learn_filters(follower *w, emg_decomposition *out, emg_error *err) {
  int spikes_least = w->config->decompose.spikes_min;
  int64_t k = emg_following_busiest(&w->f, &out->spikes, spikes_least);
  int64_t begin = emg_block_begin(&w->f, k), end = emg_block_begin(&w->f, k + 1);
  emg_spikes spikes;

  EMG_TRY(read_part(w, begin, end, err));
  EMG_TRY(emg_spikes_within(&out->spikes, begin, end, &spikes, err));
  emg_status status =
      emg_filters_learn(&w->part, &spikes, w->config, w->monitor, &out->filters, err);
  emg_spikes_free(&spikes);
  return status;
}

static emg_status follow(follower *w, const emg_checkpoint *checkpoint, emg_decomposition *out,
                         emg_error *err) {
  emg_identity identity = {.config = NULL};
  emg_status status;

  EMG_TRY_DONE(plan(w, err));
  emg_log(w->monitor, EMG_LOG_INFO, "decompose",
          "%.0f s of %d channels are followed in %lld blocks, units searched for in %lld places: "
          "memory = %g MiB",
          (double)(w->f.end - w->f.begin) / w->f.rate_hz, w->f.n_channels, (long long)w->f.n_blocks,
          (long long)w->f.n_places, w->config->decompose.memory_mib);
  EMG_TRY_DONE(create_part(w, err));
  if (checkpoint) {
    EMG_TRY_DONE(identify(w, checkpoint->input_sha256, &identity, err));
    EMG_TRY_DONE(resume(w, checkpoint, &identity, err));
  }
  EMG_TRY_DONE(run(w, checkpoint ? checkpoint->path : NULL, &identity, err));
  EMG_TRY_DONE(emg_following_package(&w->f, &w->config->decompose, w->monitor, out, err));
  EMG_TRY_DONE(learn_filters(w, out, err));

done:
  free(identity.config);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}

// --- recordings of any length ---

static emg_status decompose_whole(follower *w, const char *method, emg_decomposition *out,
                                  emg_error *err) {
  int64_t begin = w->f.begin;
  emg_config config = *w->config;

  config.decompose.from_s = config.decompose.to_s = 0;
  w->n_most = w->f.end - begin;
  EMG_TRY(create_part(w, err));
  EMG_TRY(read_part(w, begin, w->f.end, err));
  EMG_TRY(emg_decompose(method, &w->part, &config, w->monitor, out, err));
  emg_status status = emg_window_restore(begin, w->f.n_samples, out, err);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}

emg_status emg_decompose_stream(const char *method, emg_stream *stream, const emg_config *config,
                                const emg_checkpoint *checkpoint, const emg_monitor *monitor,
                                emg_decomposition *out, emg_error *err) {
  follower w = {.config = config, .monitor = monitor, .stream = stream};
  emg_error local = {.status = EMG_OK};
  emg_status status;

  emg_init();
  err = err ? err : &local;
  *out = (emg_decomposition){.source = {0}};
  EMG_TRY(emg_decompose_find(method, &w.method, err));
  EMG_TRY(choose_window(config, stream, &w.f.begin, &w.f.end, err));
  w.f.n_samples = emg_stream_length(stream);
  if (fits(config, stream, w.f.end - w.f.begin)) {
    status = decompose_whole(&w, method, out, err);
  } else {
    status = follow(&w, checkpoint, out, err);
  }
  emg_recording_free(&w.part);
  emg_following_free(&w.f);
  return status;
}
