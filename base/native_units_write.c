// native_units_write.c -- writing decompositions: units, their filters, and what was done by hand
#include <emgtwin/file.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native_priv.h"

// A dataset of the units of a file, or with prefix "edit/" of those that editing replaced.
typedef struct {
  char text[96];
} place;

static place place_of(const char *prefix, const char *name) {
  place p;
  snprintf(p.text, sizeof p.text, "%s%s", prefix, name);
  return p;
}

// filters/: separation filters and what turns their sources into spikes
static emg_status write_filters(emg_h5 *file, const char *prefix, const emg_filters *f,
                                emg_error *err) {
  const place weights = place_of(prefix, "filters/weights");
  const place channel = place_of(prefix, "filters/channel");
  const place delay = place_of(prefix, "filters/delay");
  const int64_t n = f->n_units, n_channels = f->n_channels;
  const int64_t dims[] = {f->n_units, f->n_taps, f->n_channels};
  const struct {
    const char *name;
    double value;
  } scalars[] = {{"sampling_rate_hz", f->rate_hz},
                 {"band_low_hz", f->band_low_hz},
                 {"band_high_hz", f->band_high_hz},
                 {"notch_hz", f->notch_hz},
                 {"refractory_ms", f->refractory_ms}};

  EMG_TRY(emg_h5_write(file, weights.text, EMG_H5_F32, 3, dims, 0, f->weights, 0, err));
  EMG_TRY(emg_h5_set_text(file, weights.text, "units", "1/uV", err));
  EMG_TRY(emg_h5_write(file, channel.text, EMG_H5_I32, 1, &n_channels, 0, f->channel, 0, err));
  EMG_TRY(emg_h5_set_i64(file, channel.text, "n_channels_recorded", f->n_channels_recorded, err));
  EMG_TRY(emg_native_write_vector(file, place_of(prefix, "filters/threshold").text, f->threshold,
                                  f->n_units, err));
  EMG_TRY(emg_native_write_vector(file, place_of(prefix, "filters/spike_centroid").text,
                                  f->spike_centroid, f->n_units, err));
  EMG_TRY(emg_native_write_vector(file, place_of(prefix, "filters/noise_centroid").text,
                                  f->noise_centroid, f->n_units, err));
  EMG_TRY(emg_h5_write(file, delay.text, EMG_H5_I32, 1, &n, 0, f->delay, 0, err));
  EMG_TRY(emg_h5_set_text(file, delay.text, "units", "samples", err));
  for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
    EMG_TRY(emg_h5_set_f64(file, weights.text, scalars[i].name, scalars[i].value, err));
  }
  return EMG_OK;
}

// channel_state and channel_why: which channels were left out; group: the grid of each unit
static emg_status write_findings(emg_h5 *file, const char *prefix, const emg_decomposition *d,
                                 emg_error *err) {
  const int64_t n = d->n_channels;
  uint8_t *state;

  if (d->group && d->spikes.n_units > 0) {
    EMG_TRY(emg_h5_write_names(file, place_of(prefix, "units/group").text, d->spikes.n_units,
                               sizeof *d->group, sizeof *d->group, *d->group, err));
  }
  if (!d->channels) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)n, sizeof *state, &state, err));
  for (int64_t c = 0; c < n; c++) {
    state[c] = (uint8_t)d->channels[c].state;
  }
  emg_status status = emg_h5_write(file, place_of(prefix, "units/channel_state").text, EMG_H5_U8, 1,
                                   &n, 0, state, 0, err);
  free(state);
  EMG_TRY(status);
  return emg_h5_write_names(file, place_of(prefix, "units/channel_why").text, d->n_channels,
                            sizeof d->channels->why, sizeof *d->channels, d->channels->why, err);
}

static emg_status write_units(emg_h5 *file, const char *prefix, const emg_decomposition *d,
                              int threads, emg_error *err) {
  const place flags = place_of(prefix, "units/flags");
  const char *const names[] = {"units/sil", "units/pnr_db", "units/isi_cov", "units/rate_hz"};
  const double *const values[] = {d->sil, d->pnr_db, d->isi_cov, d->rate_hz};
  const int64_t n = d->spikes.n_units;

  EMG_TRY(emg_native_write_trains(file, place_of(prefix, "units").text, &d->spikes, err));
  for (int i = 0; i < 4; i++) {
    if (values[i] || d->spikes.n_units == 0) {
      EMG_TRY(emg_native_write_vector(file, place_of(prefix, names[i]).text, values[i],
                                      d->spikes.n_units, err));
    }
  }
  if (d->detectability) {
    EMG_TRY(emg_native_write_vector(file, place_of(prefix, "units/detectability").text,
                                    d->detectability, d->spikes.n_units, err));
  }
  if (d->flags) {
    EMG_TRY(emg_h5_write(file, flags.text, EMG_H5_I32, 1, &n, 0, d->flags, 0, err));
    EMG_TRY(emg_h5_set_text(file, flags.text, "bits",
                            "1 may be two units, 2 hard to detect, 4 intermittent, 8 edited", err));
  }
  if (d->round) {
    EMG_TRY(emg_h5_write(file, place_of(prefix, "units/round").text, EMG_H5_I32, 1, &n, 0, d->round,
                         0, err));
  }
  if (d->locked) {
    EMG_TRY(emg_h5_write(file, place_of(prefix, "units/locked").text, EMG_H5_U8, 1, &n, 0,
                         d->locked, 0, err));
  }
  if (d->filters.n_units > 0) {
    EMG_TRY(write_filters(file, prefix, &d->filters, err));
  }
  EMG_TRY(write_findings(file, prefix, d, err));
  EMG_TRY(
      emg_native_write_muaps(file, place_of(prefix, "units/muap").text, &d->muaps, threads, err));
  return d->source.n_rows > 0 ? emg_native_write_rows(file, place_of(prefix, "units/source").text,
                                                      &d->source, threads, err)
                              : EMG_OK;
}


// --- what was done by hand ---

// Numbers of units a step replaced or made, one step after the other: <path> and <path>_offsets.
static emg_status write_numbers(emg_h5 *file, const emg_edit_log *log, bool is_after,
                                emg_error *err) {
  const char *const name = is_after ? "edit/after" : "edit/before";
  const int64_t n_steps = log->n_steps, n_offsets = n_steps + 1;
  int64_t *offsets = NULL;
  int32_t *numbers = NULL;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n_offsets, sizeof *offsets, &offsets, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_steps * EMG_EDIT_UNITS_MAX, sizeof *numbers, &numbers, err));
  for (int64_t i = 0; i < n_steps; i++) {
    const emg_edit_step *step = &log->steps[i];
    int n = is_after ? step->n_after : step->n_before;
    for (int k = 0; k < n; k++) {
      numbers[offsets[i] + k] = is_after ? step->after[k] : step->before[k];
    }
    offsets[i + 1] = offsets[i] + n;
  }
  EMG_TRY_DONE(emg_h5_write(file, name, EMG_H5_I32, 1, &offsets[n_steps], 0, numbers, 0, err));
  EMG_TRY_DONE(emg_h5_write(file, place_of(name, "_offsets").text, EMG_H5_I64, 1, &n_offsets, 0,
                            offsets, 0, err));

done:
  free(offsets);
  free(numbers);
  return status;
}

// The lines of all steps as one text.
static emg_status write_lines(emg_h5 *file, const emg_edit_log *log, emg_error *err) {
  size_t size = 1, at = 0;
  char *text;

  for (int i = 0; i < log->n_steps; i++) {
    size += strlen(log->steps[i].text) + 1;
  }
  EMG_TRY(emg_alloc(size, 1, &text, err));
  for (int i = 0; i < log->n_steps; i++) {
    at += (size_t)snprintf(text + at, size - at, "%s\n", log->steps[i].text);
  }
  emg_status status = emg_h5_write_text(file, "edit/log", text, err);
  free(text);
  return status;
}

// What all steps keep, as one decomposition under edit/.
static emg_status write_kept(emg_h5 *file, const emg_edit_log *log, int threads, emg_error *err) {
  const emg_decomposition **from = NULL, *like = log->steps[0].kept;
  emg_decomposition kept = {0};
  int *row = NULL, n = 0;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)log->n_steps * EMG_EDIT_UNITS_MAX, sizeof(void *), &from, err));
  EMG_TRY_DONE(emg_alloc((size_t)log->n_steps * EMG_EDIT_UNITS_MAX, sizeof *row, &row, err));
  for (int i = 0; i < log->n_steps; i++) {
    const emg_decomposition *of_step = log->steps[i].kept;
    like = like->spikes.n_units > 0 ? like : of_step;
    for (int k = 0; k < of_step->spikes.n_units; k++) {
      from[n] = of_step;
      row[n++] = k;
    }
  }
  EMG_TRY_DONE(emg_decomposition_gather(n, from, row, like, &kept, err));
  EMG_TRY_DONE(write_units(file, "edit/", &kept, threads, err));

done:
  free(from);
  free(row);
  emg_decomposition_free(&kept);
  return status;
}

static emg_status write_edits(emg_h5 *file, const emg_edit_log *log, int threads, emg_error *err) {
  EMG_TRY(write_lines(file, log, err));
  EMG_TRY(emg_h5_write_scalar(file, "edit/done", log->n_done, err));
  EMG_TRY(emg_h5_write_scalar(file, "edit/had_flags", log->had_flags, err));
  EMG_TRY(emg_h5_write_scalar(file, "edit/had_locked", log->had_locked, err));
  EMG_TRY(write_numbers(file, log, false, err));
  EMG_TRY(write_numbers(file, log, true, err));
  return write_kept(file, log, threads, err);
}

emg_status emg_native_write_units(emg_h5 *file, const emg_decomposition *d, int threads,
                                  emg_error *err) {
  EMG_TRY(write_units(file, "", d, threads, err));
  return d->edits.n_steps > 0 ? write_edits(file, &d->edits, threads, err) : EMG_OK;
}
