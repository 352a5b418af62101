// native_units_read.c -- reading decompositions: units, their filters, and what was done by hand
#include <emgtwin/file.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native_priv.h"
#include "text.h"

// A dataset of the units of a file, or with prefix "edit/" of those that editing replaced.
typedef struct {
  char text[96];
} place;

static place place_of(const char *prefix, const char *name) {
  place p;
  snprintf(p.text, sizeof p.text, "%s%s", prefix, name);
  return p;
}

// One figure per unit; NaN where the file does not have it.
static emg_status read_figure(emg_h5 *file, const char *path, int64_t n, double **out,
                              emg_error *err) {
  EMG_TRY(emg_alloc((size_t)n, sizeof **out, out, err));
  if (emg_h5_has(file, path)) {
    EMG_TRY(emg_h5_expect(file, path, 1, &n, err));
    return emg_h5_read(file, path, EMG_H5_F64, 1, &n, 0, *out, err);
  }
  for (int64_t i = 0; i < n; i++) {
    (*out)[i] = NAN;
  }
  return EMG_OK;
}

// What a user should know of each unit; left out by other versions and by foreign writers.
static emg_status read_remarks(emg_h5 *file, const char *prefix, emg_decomposition *out,
                               emg_error *err) {
  const place detectability = place_of(prefix, "units/detectability");
  const place flags = place_of(prefix, "units/flags"), locked = place_of(prefix, "units/locked");
  const place round = place_of(prefix, "units/round");
  int64_t n = out->spikes.n_units;

  if (emg_h5_has(file, detectability.text)) {
    EMG_TRY(read_figure(file, detectability.text, n, &out->detectability, err));
  }
  if (emg_h5_has(file, flags.text)) {
    EMG_TRY(emg_alloc((size_t)n, sizeof *out->flags, &out->flags, err));
    EMG_TRY(emg_h5_expect(file, flags.text, 1, &n, err));
    EMG_TRY(emg_h5_read(file, flags.text, EMG_H5_I32, 1, &n, 0, out->flags, err));
  }
  if (emg_h5_has(file, round.text)) {
    EMG_TRY(emg_alloc((size_t)n, sizeof *out->round, &out->round, err));
    EMG_TRY(emg_h5_expect(file, round.text, 1, &n, err));
    EMG_TRY(emg_h5_read(file, round.text, EMG_H5_I32, 1, &n, 0, out->round, err));
  }
  if (emg_h5_has(file, locked.text)) {
    EMG_TRY(emg_alloc((size_t)n, sizeof *out->locked, &out->locked, err));
    EMG_TRY(emg_h5_expect(file, locked.text, 1, &n, err));
    EMG_TRY(emg_h5_read(file, locked.text, EMG_H5_U8, 1, &n, 0, out->locked, err));
  }
  return EMG_OK;
}

static bool is_finite(const double *values, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(values[i])) {
      return false;
    }
  }
  return true;
}

// Filters are used blindly on every sample that comes: nothing odd may pass.
static emg_status check_filters(const emg_filters *f, emg_error *err) {
  int64_t n_weights = (int64_t)f->n_units * f->n_taps * f->n_channels;

  for (int c = 0; c < f->n_channels; c++) {
    if (f->channel[c] < 0 || f->channel[c] >= f->n_channels_recorded ||
        (c > 0 && f->channel[c] <= f->channel[c - 1])) {
      return emg_fail(err, EMG_ERR_DATA,
                      "/filters/channel[%d] = %d is not an ascending index of %d recorded channels",
                      c, f->channel[c], f->n_channels_recorded);
    }
  }
  for (int64_t i = 0; i < n_weights; i++) {
    if (!isfinite(f->weights[i])) {
      return emg_fail(err, EMG_ERR_DATA, "/filters/weights hold values that are not finite");
    }
  }
  if (!is_finite(f->threshold, f->n_units) || !is_finite(f->spike_centroid, f->n_units) ||
      !is_finite(f->noise_centroid, f->n_units)) {
    return emg_fail(err, EMG_ERR_DATA, "/filters hold thresholds that are not finite");
  }
  double half_hz = f->rate_hz / 2;
  if (!(f->rate_hz > 0 && f->rate_hz <= 1e6) || !(f->band_low_hz >= 0) ||
      !(f->band_low_hz < half_hz) || !(f->band_high_hz >= 0 && f->band_high_hz < half_hz) ||
      !(f->notch_hz >= 0 && f->notch_hz < half_hz) ||
      !(f->refractory_ms > 0 && f->refractory_ms <= 1000)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "/filters/weights state a rate of %g Hz, a band of %g to %g Hz, a notch of %g "
                    "Hz and a refractory time of %g ms, which do not go together",
                    f->rate_hz, f->band_low_hz, f->band_high_hz, f->notch_hz, f->refractory_ms);
  }
  return EMG_OK;
}

static emg_status read_filter_arrays(emg_h5 *file, const char *prefix, emg_filters *f,
                                     emg_error *err) {
  const int64_t n = f->n_units, n_channels = f->n_channels;
  const int64_t dims[] = {f->n_units, f->n_taps, f->n_channels};
  const struct {
    const char *path;
    double *values;
  } vectors[] = {{"filters/threshold", f->threshold},
                 {"filters/spike_centroid", f->spike_centroid},
                 {"filters/noise_centroid", f->noise_centroid}};

  EMG_TRY(emg_h5_read(file, place_of(prefix, "filters/weights").text, EMG_H5_F32, 3, dims, 0,
                      f->weights, err));
  EMG_TRY(emg_h5_read(file, place_of(prefix, "filters/channel").text, EMG_H5_I32, 1, &n_channels, 0,
                      f->channel, err));
  EMG_TRY(emg_h5_read(file, place_of(prefix, "filters/delay").text, EMG_H5_I32, 1, &n, 0, f->delay,
                      err));
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    EMG_TRY(emg_h5_read(file, place_of(prefix, vectors[i].path).text, EMG_H5_F64, 1, &n, 0,
                        vectors[i].values, err));
  }
  return EMG_OK;
}

static emg_status read_filters(emg_h5 *file, const char *prefix, int n_units, emg_filters *out,
                               emg_error *err) {
  const int taps_max = 4096;
  const place at = place_of(prefix, "filters/weights");
  const char *const weights = at.text;
  int64_t dims[] = {n_units, -1, -1};
  double n_recorded = 0;

  *out = (emg_filters){0};
  if (!emg_h5_has(file, weights)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, weights, 3, dims, err));
  if (!emg_h5_attribute(file, place_of(prefix, "filters/channel").text, "n_channels_recorded",
                        &n_recorded) ||
      !(n_recorded >= 1 && n_recorded <= EMG_NATIVE_CHANNELS_MAX) || dims[1] < 1 ||
      dims[1] > taps_max || dims[2] < 1 || dims[2] > (int64_t)n_recorded) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld taps and %lld of %g channels", weights,
                    (long long)dims[1], (long long)dims[2], n_recorded);
  }
  EMG_TRY(emg_filters_create(n_units, (int)dims[1], (int)dims[2], out, err));
  out->n_channels_recorded = (int)n_recorded;
  const struct {
    const char *name;
    double *value;
  } scalars[] = {{"sampling_rate_hz", &out->rate_hz},
                 {"band_low_hz", &out->band_low_hz},
                 {"band_high_hz", &out->band_high_hz},
                 {"notch_hz", &out->notch_hz},
                 {"refractory_ms", &out->refractory_ms}};
  for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
    if (!emg_h5_attribute(file, weights, scalars[i].name, scalars[i].value)) {
      return emg_fail(err, EMG_ERR_DATA, "/%s has no attribute %s", weights, scalars[i].name);
    }
  }
  EMG_TRY(read_filter_arrays(file, prefix, out, err));
  return check_filters(out, err);
}

// Which channels were left out and why, and the grid of each unit.
static emg_status read_findings(emg_h5 *file, const char *prefix, emg_decomposition *out,
                                emg_error *err) {
  const place states = place_of(prefix, "units/channel_state"),
              whys = place_of(prefix, "units/channel_why"),
              groups = place_of(prefix, "units/group");
  int64_t n = -1, n_units = out->spikes.n_units;
  uint8_t *state;

  if (n_units > 0 && emg_h5_has(file, groups.text)) {
    EMG_TRY(emg_alloc((size_t)n_units, sizeof *out->group, &out->group, err));
    EMG_TRY(emg_h5_read_names(file, groups.text, (int)n_units, sizeof *out->group,
                              sizeof *out->group, *out->group, err));
  }
  if (!emg_h5_has(file, states.text) || !emg_h5_has(file, whys.text)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, states.text, 1, &n, err));
  if (n > EMG_NATIVE_CHANNELS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld channels", states.text, (long long)n);
  }
  EMG_TRY(emg_alloc((size_t)n, sizeof *out->channels, &out->channels, err));
  out->n_channels = (int)n;
  EMG_TRY(emg_alloc((size_t)n, sizeof *state, &state, err));
  emg_status status = emg_h5_read(file, states.text, EMG_H5_U8, 1, &n, 0, state, err);
  for (int64_t c = 0; c < n; c++) {
    out->channels[c].state =
        state[c] <= EMG_CHANNEL_UNUSED ? (emg_channel_state)state[c] : EMG_CHANNEL_MARKED;
  }
  free(state);
  EMG_TRY(status);
  return n > 0 ? emg_h5_read_names(file, whys.text, (int)n, sizeof out->channels->why,
                                   sizeof *out->channels, out->channels->why, err)
               : EMG_OK;
}

// Units, their sources and filters; `out` is freed by the caller if this fails.
static emg_status read_units(emg_h5 *file, const char *prefix, emg_decomposition *out,
                             emg_error *err) {
  EMG_TRY(emg_native_read_trains(file, place_of(prefix, "units").text, &out->spikes, err));
  int n = out->spikes.n_units;
  EMG_TRY(read_figure(file, place_of(prefix, "units/sil").text, n, &out->sil, err));
  EMG_TRY(read_figure(file, place_of(prefix, "units/pnr_db").text, n, &out->pnr_db, err));
  EMG_TRY(read_figure(file, place_of(prefix, "units/isi_cov").text, n, &out->isi_cov, err));
  EMG_TRY(read_figure(file, place_of(prefix, "units/rate_hz").text, n, &out->rate_hz, err));
  EMG_TRY(read_remarks(file, prefix, out, err));
  EMG_TRY(read_filters(file, prefix, n, &out->filters, err));
  EMG_TRY(read_findings(file, prefix, out, err));
  EMG_TRY(emg_native_read_muaps(file, place_of(prefix, "units/muap").text, n, &out->muaps, err));
  EMG_TRY(emg_native_read_rows(file, place_of(prefix, "units/source").text, &out->source, err));
  if (out->source.n_rows > 0 && out->source.n_rows != n) {
    return emg_fail(err, EMG_ERR_DATA, "/%sunits/source has %d rows for %d units", prefix,
                    out->source.n_rows, n);
  }
  return EMG_OK;
}

// --- what was done by hand ---

static emg_status fail_log(emg_error *err, const char *path) {
  return emg_fail(err, EMG_ERR_DATA, "/%s does not suit /edit/log; the log of edits is damaged",
                  path);
}

// The lines of a text, one step each.
static emg_status read_lines(emg_h5 *file, emg_edit_log *log, emg_error *err) {
  char *text;
  emg_status status = EMG_OK;
  int n = 0;

  EMG_TRY(emg_h5_read_text(file, "edit/log", &text, err));
  for (const char *c = text; *c && n <= EMG_NATIVE_UNITS_MAX; c++) {
    n += *c == '\n';
  }
  if (n > EMG_NATIVE_UNITS_MAX) {
    status = emg_fail(err, EMG_ERR_DATA, "/edit/log has more than %d lines", EMG_NATIVE_UNITS_MAX);
    goto done;
  }
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *log->steps, &log->steps, err));
  for (const char *line = text; log->n_steps < n;) {
    size_t length = strcspn(line, "\n");
    emg_edit_step *step = &log->steps[log->n_steps++];
    if (!emg_text_is_line(line, length)) {
      status = emg_fail(err, EMG_ERR_DATA, "line %d of /edit/log is not plain text", log->n_steps);
      goto done;
    }
    EMG_TRY_DONE(emg_alloc(length + 1, 1, &step->text, err));
    memcpy(step->text, line, length);
    line += length + 1;
  }

done:
  free(text);
  return status;
}

// Numbers of units each step replaced or made.
static emg_status read_numbers(emg_h5 *file, emg_edit_log *log, bool is_after, emg_error *err) {
  const char *const name = is_after ? "edit/after" : "edit/before";
  const place at = place_of(name, "_offsets");
  int64_t n_offsets = log->n_steps + 1, n_numbers = -1, *offsets = NULL;
  int32_t *numbers = NULL;
  emg_status status;

  EMG_TRY(emg_h5_expect(file, at.text, 1, &n_offsets, err));
  EMG_TRY(emg_h5_expect(file, name, 1, &n_numbers, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_offsets, sizeof *offsets, &offsets, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_numbers + 1, sizeof *numbers, &numbers, err));
  EMG_TRY_DONE(emg_h5_read(file, at.text, EMG_H5_I64, 1, &n_offsets, 0, offsets, err));
  EMG_TRY_DONE(emg_h5_read(file, name, EMG_H5_I32, 1, &n_numbers, 0, numbers, err));
  if (offsets[0] != 0 || offsets[log->n_steps] != n_numbers) {
    status = fail_log(err, at.text);
    goto done;
  }
  for (int i = 0; i < log->n_steps; i++) {
    emg_edit_step *step = &log->steps[i];
    int64_t first = offsets[i], n = offsets[i + 1] - first;
    if (n < 0 || n > EMG_EDIT_UNITS_MAX || first < 0 || first + n > n_numbers) {
      status = fail_log(err, at.text);
      goto done;
    }
    *(is_after ? &step->n_after : &step->n_before) = (int)n;
    for (int64_t k = 0; k < n; k++) {
      (is_after ? step->after : step->before)[k] = numbers[first + k];
    }
  }

done:
  free(offsets);
  free(numbers);
  return status;
}

// Hand the units that were kept to the steps they belong to.
static emg_status read_kept(emg_h5 *file, emg_edit_log *log, emg_error *err) {
  emg_decomposition kept = {0};
  int first = 0;
  emg_status status;

  EMG_TRY_DONE(read_units(file, "edit/", &kept, err));
  for (int i = 0; i < log->n_steps; i++) {
    emg_edit_step *step = &log->steps[i];
    const emg_decomposition *from[EMG_EDIT_UNITS_MAX] = {&kept, &kept};
    int n = i < log->n_done ? step->n_before : step->n_after;
    int row[EMG_EDIT_UNITS_MAX] = {first, first + 1};
    if (first + n > kept.spikes.n_units) {
      status = fail_log(err, "edit/units/spike_offsets");
      goto done;
    }
    EMG_TRY_DONE(emg_alloc(1, sizeof *step->kept, &step->kept, err));
    EMG_TRY_DONE(emg_decomposition_gather(n, from, row, &kept, step->kept, err));
    first += n;
  }
  if (first != kept.spikes.n_units) {
    status = fail_log(err, "edit/units/spike_offsets");
  }

done:
  emg_decomposition_free(&kept);
  return status;
}

// Whether units of both can stand in one decomposition.
static bool are_alike(const emg_decomposition *d, const emg_decomposition *kept) {
  const emg_muap_bank *a = &d->muaps, *b = &kept->muaps;
  const emg_filters *f = &d->filters, *g = &kept->filters;
  bool has_filters = f->n_units > 0;

  return d->source.n_cols == kept->source.n_cols && a->n_channels == b->n_channels &&
         a->n_taps == b->n_taps && !d->detectability == !kept->detectability &&
         !d->round == !kept->round && !d->group == !kept->group &&
         has_filters == (g->n_units > 0) &&
         (!has_filters || (f->n_taps == g->n_taps && f->n_channels == g->n_channels));
}

// What is kept must be able to take the place of a unit of `d`.
static emg_status check_kept(const emg_decomposition *d, emg_error *err) {
  const emg_edit_log *log = &d->edits;

  for (int i = 0; i < log->n_steps; i++) {
    const emg_decomposition *kept = log->steps[i].kept;
    if (kept->spikes.n_units == 0) {
      continue;
    }
    if (!kept->flags || !kept->locked) {
      return fail_log(err, kept->flags ? "edit/units/locked" : "edit/units/flags");
    }
    if (d->spikes.n_units > 0 && !are_alike(d, kept)) {
      return fail_log(err, "edit/units");
    }
    if (kept->spikes.rate_hz != d->spikes.rate_hz ||
        kept->spikes.n_samples != d->spikes.n_samples) {
      return fail_log(err, "edit/units/spike_samples");
    }
  }
  return emg_edit_log_check(log, d->spikes.n_units, err);
}

static emg_status read_edits(emg_h5 *file, emg_decomposition *d, emg_error *err) {
  emg_edit_log *log = &d->edits;
  double done, had_flags, had_locked;

  if (!emg_h5_has(file, "edit/log")) {
    return EMG_OK;
  }
  EMG_TRY(read_lines(file, log, err));
  EMG_TRY(emg_h5_read_scalar(file, "edit/done", &done, err));
  EMG_TRY(emg_h5_read_scalar(file, "edit/had_flags", &had_flags, err));
  EMG_TRY(emg_h5_read_scalar(file, "edit/had_locked", &had_locked, err));
  if (!(done >= 0 && done <= log->n_steps)) {
    return fail_log(err, "edit/done");
  }
  log->n_done = (int)done;
  log->had_flags = had_flags != 0;
  log->had_locked = had_locked != 0;
  EMG_TRY(read_numbers(file, log, false, err));
  EMG_TRY(read_numbers(file, log, true, err));
  EMG_TRY(read_kept(file, log, err));
  return check_kept(d, err);
}

emg_status emg_file_read_decomposition(const char *path, emg_decomposition *out, emg_error *err) {
  emg_h5 *file;
  emg_status status;

  *out = (emg_decomposition){0};
  EMG_TRY(emg_native_in_file(emg_native_open(path, &file, err), path, err));
  if (!emg_h5_has(file, "units")) {
    status = emg_fail(err, EMG_ERR_DATA, "the file holds no decomposition (no /units)");
    goto done;
  }
  EMG_TRY_DONE(read_units(file, "", out, err));
  EMG_TRY_DONE(read_edits(file, out, err));
done:
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return emg_native_in_file(status, path, err);
}
