// native_read.c -- reading the native file (layout in docs/file-format.md)
#include <emgtwin/file.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"
#include "native_priv.h"

emg_status emg_native_in_file(emg_status status, const char *path, emg_error *err) {
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status emg_native_open(const char *path, emg_h5 **file, emg_error *err) {
  double complete = 0;

  EMG_TRY(emg_h5_open(path, file, err));
  if (!emg_h5_attribute(*file, "", "complete", &complete) || complete != 1) {
    bool is_ours =
        emg_h5_has(*file, "emg") || emg_h5_has(*file, "truth") || emg_h5_has(*file, "units");
    emg_h5_close(*file);
    *file = NULL;
    return is_ours ? emg_fail(err, EMG_ERR_DATA,
                              "the file was not written to its end (no attribute complete = 1); "
                              "make it again")
                   : emg_fail(err, EMG_ERR_DATA,
                              "this HDF5 file is not one of emgtwin: it has neither /emg nor "
                              "/truth nor /units");
  }
  return EMG_OK;
}

static bool is_rate(double rate_hz) {
  return isfinite(rate_hz) && rate_hz > 0 && rate_hz < 1e9;
}

// Sampling rate: attribute of the dataset, else /emg/sampling_rate_hz; 0 if there is none.
static double find_rate(emg_h5 *file, const char *object) {
  double rate_hz = 0;

  if (emg_h5_attribute(file, object, "sampling_rate_hz", &rate_hz) && is_rate(rate_hz)) {
    return rate_hz;
  }
  if (emg_h5_has(file, "emg/sampling_rate_hz") &&
      emg_h5_read_scalar(file, "emg/sampling_rate_hz", &rate_hz, NULL) == EMG_OK &&
      is_rate(rate_hz)) {
    return rate_hz;
  }
  return 0;
}

// Samples of the recording, 0 if unknown.
static int64_t find_length(emg_h5 *file, const char *object) {
  double n = 0;
  int rank;
  int64_t dims[EMG_H5_RANK_MAX];

  if (emg_h5_attribute(file, object, "n_samples", &n) && n > 0 && n < 9e15) {
    return (int64_t)n;
  }
  if (emg_h5_has(file, "emg/data") && emg_h5_shape(file, "emg/data", &rank, dims, NULL) == EMG_OK &&
      rank == 2) {
    return dims[1];
  }
  return 0;
}

emg_status emg_native_read_trains(emg_h5 *file, const char *group, emg_spikes *out,
                                  emg_error *err) {
  char offsets[64], samples[64];
  int64_t n_offsets = -1, n_samples = -1;
  emg_status status;

  *out = (emg_spikes){0};
  snprintf(offsets, sizeof offsets, "%s/spike_offsets", group);
  snprintf(samples, sizeof samples, "%s/spike_samples", group);
  EMG_TRY(emg_h5_expect(file, offsets, 1, &n_offsets, err));
  EMG_TRY(emg_h5_expect(file, samples, 1, &n_samples, err));
  if (n_offsets < 1 || n_offsets > EMG_NATIVE_UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld entries; it needs one more than units",
                    offsets, (long long)n_offsets);
  }
  out->n_units = (int)n_offsets - 1;
  out->rate_hz = find_rate(file, samples);
  out->n_samples = find_length(file, samples);
  EMG_TRY_DONE(emg_alloc((size_t)n_offsets, sizeof(int64_t), &out->offsets, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_samples + 1, sizeof(int64_t), &out->samples, err));
  EMG_TRY_DONE(emg_h5_read(file, offsets, EMG_H5_I64, 1, &n_offsets, 0, out->offsets, err));
  EMG_TRY_DONE(emg_h5_read(file, samples, EMG_H5_I64, 1, &n_samples, 0, out->samples, err));

  // offsets are checked here, before anyone follows them
  bool is_ok = out->offsets[0] == 0 && out->offsets[out->n_units] == n_samples;
  for (int u = 0; u < out->n_units; u++) {
    is_ok = is_ok && out->offsets[u] <= out->offsets[u + 1];
  }
  if (!is_ok) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s does not rise from 0 to the %lld entries of /%s",
                      offsets, (long long)n_samples, samples);
  } else if (out->rate_hz == 0) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the file states no sampling rate (/emg/sampling_rate_hz) for /%s", samples);
  } else {
    status = emg_spikes_check(out, err);
  }
done:
  if (status != EMG_OK) {
    emg_spikes_free(out);
  }
  return status;
}

emg_status emg_native_read_muaps(emg_h5 *file, const char *path, int n_units, emg_muap_bank *out,
                                 emg_error *err) {
  int64_t dims[] = {n_units, -1, -1};
  double origin = 0;

  *out = (emg_muap_bank){0};
  if (!emg_h5_has(file, path)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, path, 3, dims, err));
  if (dims[1] > EMG_NATIVE_CHANNELS_MAX || dims[2] > INT_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld channels of %lld taps", path,
                    (long long)dims[1], (long long)dims[2]);
  }
  if (!emg_h5_attribute(file, path, "origin", &origin) || !(origin >= 0 && origin < INT_MAX)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "/%s has no attribute origin (the tap at the instant of discharge)", path);
  }
  EMG_TRY(emg_muap_bank_create(n_units, (int)dims[1], (int)dims[2], (int)origin,
                               find_rate(file, path), out, err));
  emg_status status = emg_h5_read(file, path, EMG_H5_F32, 3, dims, 0, out->data, err);
  if (status != EMG_OK) {
    emg_muap_bank_free(out);
  }
  return status;
}

static emg_status read_column(emg_h5 *file, const char *group, const char *name, emg_table *out,
                              emg_error *err) {
  char path[160], unit[sizeof out->columns->unit] = "";
  int64_t n = -1;
  double *values;

  snprintf(path, sizeof path, "%s/%s", group, name);
  EMG_TRY(emg_h5_expect(file, path, 1, &n, err));
  if (n > EMG_NATIVE_UNITS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld entries", path, (long long)n);
  }
  emg_h5_attribute_text(file, path, "units", unit, sizeof unit);
  EMG_TRY(emg_alloc((size_t)n, sizeof *values, &values, err));
  emg_status status = emg_h5_read(file, path, EMG_H5_F64, 1, &n, 0, values, err);
  if (status == EMG_OK) {
    status = emg_table_add(out, name, strcmp(unit, "1") == 0 ? "" : unit, values, (int)n, err);
  }
  free(values);
  return status;
}

emg_status emg_native_read_table(emg_h5 *file, const char *group, int n_rows, emg_table *out,
                                 emg_error *err) {
  char(*names)[EMG_H5_NAME_MAX];
  int n;
  emg_status status = EMG_OK;

  if (!emg_h5_has(file, group)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_list(file, group, &n, &names, err));
  for (int i = 0; status == EMG_OK && i < n; i++) {
    if (strlen(names[i]) < sizeof out->columns->name) {
      status = read_column(file, group, names[i], out, err);
    }
  }
  free(names);
  if (status == EMG_OK && out->n_columns > 0 && out->n_rows != n_rows) {
    status = emg_fail(err, EMG_ERR_DATA, "/%s has %d rows, but should have %d", group, out->n_rows,
                      n_rows);
  }
  return status;
}

static emg_status check_rows(const char *path, const int64_t dims[2], emg_error *err) {
  if (dims[0] > EMG_NATIVE_CHANNELS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "/%s has %lld rows; more than %d are not supported", path,
                    (long long)dims[0], EMG_NATIVE_CHANNELS_MAX);
  }
  return EMG_OK;
}

// Optional two-dimensional datasets; empty if absent.
emg_status emg_native_read_rows(emg_h5 *file, const char *path, emg_array2f *out, emg_error *err) {
  int64_t dims[] = {-1, -1};

  *out = (emg_array2f){0};
  if (!emg_h5_has(file, path)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, path, 2, dims, err));
  EMG_TRY(check_rows(path, dims, err));
  EMG_TRY(emg_array2f_create((int)dims[0], dims[1], out, err));
  return emg_h5_read(file, path, EMG_H5_F32, 2, dims, out->stride, out->data, err);
}

static emg_status read_rows2d(emg_h5 *file, const char *path, emg_array2d *out, emg_error *err) {
  int64_t dims[] = {-1, -1};

  *out = (emg_array2d){0};
  if (!emg_h5_has(file, path)) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, path, 2, dims, err));
  EMG_TRY(check_rows(path, dims, err));
  EMG_TRY(emg_array2d_create((int)dims[0], dims[1], out, err));
  return emg_h5_read(file, path, EMG_H5_F64, 2, dims, out->stride, out->data, err);
}

void emg_truth_free(emg_truth *truth) {
  emg_spikes_free(&truth->spikes);
  emg_muap_bank_free(&truth->muaps);
  emg_table_free(&truth->units);
  emg_array2d_free(&truth->excitation);
  emg_array2d_free(&truth->force);
  emg_array2f_free(&truth->fault);
}

emg_status emg_file_read_truth(const char *path, emg_truth *out, emg_error *err) {
  emg_h5 *file;
  emg_status status;

  *out = (emg_truth){0};
  EMG_TRY(emg_native_in_file(emg_native_open(path, &file, err), path, err));
  if (!emg_h5_has(file, "truth")) {
    status = emg_fail(err, EMG_ERR_DATA, "the file holds no ground truth (no /truth)");
    goto done;
  }
  EMG_TRY_DONE(emg_native_read_trains(file, "truth", &out->spikes, err));
  EMG_TRY_DONE(emg_native_read_muaps(file, "truth/muap", out->spikes.n_units, &out->muaps, err));
  EMG_TRY_DONE(emg_native_read_table(file, "truth/units", out->spikes.n_units, &out->units, err));
  EMG_TRY_DONE(read_rows2d(file, "truth/excitation", &out->excitation, err));
  EMG_TRY_DONE(read_rows2d(file, "truth/force", &out->force, err));
  status = emg_native_read_rows(file, "truth/fault", &out->fault, err);
done:
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_truth_free(out);
  }
  return emg_native_in_file(status, path, err);
}

emg_status emg_native_read_spikes(const char *path, bool prefer_truth, emg_spikes *out,
                                  emg_error *err) {
  emg_h5 *file;

  *out = (emg_spikes){0};
  EMG_TRY(emg_native_open(path, &file, err));
  bool has_truth = emg_h5_has(file, "truth/spike_samples");
  bool has_units = emg_h5_has(file, "units/spike_samples");
  emg_status status;
  if (has_truth || has_units) {
    bool is_truth = has_truth && (prefer_truth || !has_units);
    status = emg_native_read_trains(file, is_truth ? "truth" : "units", out, err);
  } else {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the file holds no spike trains: neither /truth nor /units has "
                      "spike_samples");
  }
  emg_h5_close(file);
  return status;
}

emg_status emg_file_read_config(const char *path, char **yaml, emg_error *err) {
  emg_h5 *file;

  *yaml = NULL;
  EMG_TRY(emg_native_in_file(emg_native_open(path, &file, err), path, err));
  emg_status status = emg_h5_read_text(file, "provenance/config_yaml", yaml, err);
  emg_h5_close(file);
  return emg_native_in_file(status, path, err);
}

// --- the recording ---

bool emg_native_probe(const emg_probe *probe) {
  static const unsigned char signature[] = "\211HDF\r\n\032\n";

  return probe->n_bytes >= 8 && memcmp(probe->bytes, signature, 8) == 0;
}

// Unit and scale: value in uV = stored * factor. Files that state neither are taken as counts.
static emg_status settle_scale(emg_h5 *file, const emg_read_options *options, emg_recording *rec,
                               double *factor, emg_error *err) {
  char units[16] = "";
  double scale = 1;

  emg_h5_attribute_text(file, "emg/data", "units", units, sizeof units);
  bool has_scale = emg_h5_attribute(file, "emg/data", "scale", &scale);
  if (has_scale && !(isfinite(scale) && scale > 0)) {
    return emg_fail(err, EMG_ERR_DATA, "attribute scale of /emg/data is %g; it must be positive",
                    scale);
  }
  double uv = emg_uv_per_unit(units);
  emg_label_copy(rec->source_units, sizeof rec->source_units, units, strlen(units));
  rec->is_physical = uv > 0;
  if (uv == 0 && options && options->scale_uv > 0) {
    uv = options->scale_uv;
    rec->is_physical = true;
  }
  if (!rec->is_physical) {
    emg_recording_note(rec, "no unit of voltage on /emg/data: values are raw counts");
  }
  *factor = scale * (uv > 0 ? uv : 1);
  return EMG_OK;
}

static emg_status read_positions(emg_h5 *file, emg_recording *rec, emg_error *err) {
  static const char *const paths[] = {"emg/electrodes/x_mm",   "emg/electrodes/y_mm",
                                      "emg/electrodes/z_mm",   "emg/electrodes/row",
                                      "emg/electrodes/column", "emg/bad_channel"};
  int64_t n = rec->data.n_rows;
  double *values;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *values, &values, err));
  for (int k = 0; k < 6; k++) {
    if (!emg_h5_has(file, paths[k])) {
      continue;
    }
    EMG_TRY_DONE(emg_h5_expect(file, paths[k], 1, &n, err));
    EMG_TRY_DONE(emg_h5_read(file, paths[k], EMG_H5_F64, 1, &n, 0, values, err));
    for (int64_t c = 0; c < n; c++) {
      emg_channel *channel = &rec->channels[c];
      double *const place[] = {&channel->x_mm, &channel->y_mm, &channel->z_mm};
      bool is_index = values[c] >= 0 && values[c] < EMG_NATIVE_CHANNELS_MAX;
      if (k < 3) {
        *place[k] = isfinite(values[c]) ? values[c] : NAN;
      } else if (k == 3) {
        channel->row = is_index ? (int)values[c] : -1;
      } else if (k == 4) {
        channel->column = is_index ? (int)values[c] : -1;
      } else if (values[c] != 0) {
        channel->state = values[c] >= 1 && values[c] <= EMG_CHANNEL_DUPLICATE
                             ? (emg_channel_state)values[c]
                             : EMG_CHANNEL_MARKED;
      }
    }
  }
done:
  free(values);
  return status;
}

// Make a name of the file safe to show.
static void clean_name(char *name, size_t size) {
  char copy[64];

  snprintf(copy, sizeof copy, "%s", name);
  emg_label_copy(name, size, copy, strlen(copy));
}

static emg_status read_names(emg_h5 *file, emg_recording *rec, emg_error *err) {
  emg_channel *channels = rec->channels;

  if (emg_h5_has(file, "emg/channel_name")) {
    EMG_TRY(emg_h5_read_names(file, "emg/channel_name", rec->data.n_rows, sizeof channels->name,
                              sizeof *channels, channels->name, err));
  }
  if (emg_h5_has(file, "emg/channel_group")) {
    EMG_TRY(emg_h5_read_names(file, "emg/channel_group", rec->data.n_rows, sizeof channels->group,
                              sizeof *channels, channels->group, err));
  }
  for (int c = 0; c < rec->data.n_rows; c++) {
    clean_name(channels[c].name, sizeof channels[c].name);
    clean_name(channels[c].group, sizeof channels[c].group);
  }
  return EMG_OK;
}

static emg_status read_aux(emg_h5 *file, emg_recording *rec, emg_error *err) {
  int64_t dims[] = {-1, rec->data.n_cols};

  if (!emg_h5_has(file, "aux/data")) {
    return EMG_OK;
  }
  EMG_TRY(emg_h5_expect(file, "aux/data", 2, dims, err));
  EMG_TRY(check_rows("aux/data", dims, err));
  EMG_TRY(emg_recording_add_aux(rec, (int)dims[0], err));
  EMG_TRY(emg_h5_read(file, "aux/data", EMG_H5_F32, 2, dims, rec->aux.stride, rec->aux.data, err));
  emg_aux_channel *aux = rec->aux_channels;
  if (dims[0] > 0 && emg_h5_has(file, "aux/name")) {
    EMG_TRY(emg_h5_read_names(file, "aux/name", (int)dims[0], sizeof aux->name, sizeof *aux,
                              aux->name, err));
  }
  if (dims[0] > 0 && emg_h5_has(file, "aux/units")) {
    EMG_TRY(emg_h5_read_names(file, "aux/units", (int)dims[0], sizeof aux->units, sizeof *aux,
                              aux->units, err));
  }
  for (int a = 0; a < rec->aux.n_rows; a++) {
    clean_name(aux[a].name, sizeof aux[a].name);
    clean_name(aux[a].units, sizeof aux[a].units);
  }
  return EMG_OK;
}

// The channels without their samples.
static emg_status describe_data(emg_h5 *file, const emg_read_options *options, emg_recording *rec,
                                double *factor, emg_error *err) {
  int64_t dims[] = {-1, -1};
  double rate_hz;

  EMG_TRY(emg_h5_expect(file, "emg/data", 2, dims, err));
  EMG_TRY(check_rows("emg/data", dims, err));
  EMG_TRY(emg_settle_rate(find_rate(file, "emg/data"), options, &rate_hz, err));
  EMG_TRY(emg_recording_create((int)dims[0], 0, rate_hz, rec, err));
  rec->data.n_cols = dims[1];
  snprintf(rec->format, sizeof rec->format, "emgtwin");
  return settle_scale(file, options, rec, factor, err);
}

static void scale_rows(double factor, int64_t n, const emg_array2f *rows) {
  for (int c = 0; factor != 1 && c < rows->n_rows; c++) {
    float *row = emg_row2f(rows, c);
    for (int64_t i = 0; i < n; i++) {
      row[i] = (float)(row[i] * factor);
    }
  }
}

static emg_status read_samples(emg_h5 *file, double factor, emg_recording *rec, emg_error *err) {
  const int64_t dims[] = {rec->data.n_rows, rec->data.n_cols};

  EMG_TRY(emg_array2f_create(rec->data.n_rows, rec->data.n_cols, &rec->data, err));
  EMG_TRY(
      emg_h5_read(file, "emg/data", EMG_H5_F32, 2, dims, rec->data.stride, rec->data.data, err));
  scale_rows(factor, rec->data.n_cols, &rec->data);
  return EMG_OK;
}

// Everything but the samples of the channels and of aux.
static emg_status describe(emg_h5 *file, const emg_read_options *options, emg_recording *out,
                           double *factor, emg_error *err) {
  bool has_truth = emg_h5_has(file, "truth/spike_samples");
  bool has_labels = has_truth || emg_h5_has(file, "units/spike_samples");

  if (emg_h5_has(file, "emg/data")) {
    EMG_TRY(describe_data(file, options, out, factor, err));
    EMG_TRY(read_positions(file, out, err));
    EMG_TRY(read_names(file, out, err));
    emg_grid_pitch(out);
  } else if (!has_labels) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the file holds no EMG (/emg/data) and no spike trains; make it again");
  } else {
    snprintf(out->format, sizeof out->format, "emgtwin");
    out->rate_hz = find_rate(file, "emg");
  }
  return has_labels ? emg_native_read_trains(file, has_truth ? "truth" : "units", &out->labels, err)
                    : EMG_OK;
}

emg_status emg_native_read(const char *path, const emg_read_options *options, emg_recording *out,
                           emg_error *err) {
  emg_h5 *file;
  double factor = 1;
  emg_status status;

  *out = (emg_recording){.pitch_mm = NAN};
  EMG_TRY(emg_native_open(path, &file, err));
  EMG_TRY_DONE(describe(file, options, out, &factor, err));
  if (emg_h5_has(file, "emg/data")) {
    EMG_TRY_DONE(read_samples(file, factor, out, err));
    EMG_TRY_DONE(read_aux(file, out, err));
  }
done:
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_recording_free(out);
  }
  return status;
}

// --- the recording in blocks ---

typedef struct {
  emg_h5 *file;
  emg_h5_columns *columns;
  double factor;
} native_blocks;

static void close_blocks(void *state) {
  native_blocks *b = state;

  emg_h5_columns_close(b->columns);
  emg_h5_close(b->file);
  free(b);
}

static emg_status read_block(void *state, int64_t begin, int64_t n, const emg_array2f *out,
                             emg_error *err) {
  native_blocks *b = state;

  EMG_TRY(emg_h5_columns_read(b->columns, begin, n, out->stride, out->data, err));
  scale_rows(b->factor, n, out);
  return EMG_OK;
}

emg_status emg_native_open_blocks(const char *path, const emg_read_options *options,
                                  emg_recording *header, emg_blocks *blocks, emg_error *err) {
  native_blocks *b;
  emg_status status;

  EMG_TRY(emg_alloc(1, sizeof *b, &b, err));
  b->factor = 1;
  EMG_TRY_DONE(emg_native_open(path, &b->file, err));
  EMG_TRY_DONE(describe(b->file, options, header, &b->factor, err));
  if (header->data.n_rows > 0 && header->data.n_cols > 0) {
    EMG_TRY_DONE(emg_h5_columns_open(b->file, "emg/data", EMG_H5_F32, &b->columns, err));
  }
  if (b->columns) {
    *blocks = (emg_blocks){b, read_block, close_blocks};
    b = NULL;
  }
done:
  if (b) {
    close_blocks(b);
  }
  return status;
}
