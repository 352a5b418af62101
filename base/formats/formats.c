// formats.c -- the table of file formats, and what every reader ends with
#include "base/formats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <emgtwin/file.h>

#include "base/input_file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "bids_priv.h"

static const emg_format formats[] = {
    {"emgtwin", "native HDF5 file: recording, ground truth, decomposition", emg_native_probe,
     emg_native_read, emg_native_read_spikes},
    {"openhdemg module", "folder with .openhdemg_module and manifest.json",
     emg_openhdemg_module_probe, emg_openhdemg_module_read, NULL},
    {"BIDS-EMG", "folder with *_emg.edf or .bdf and sidecars, or the recording in it",
     emg_bids_probe, emg_bids_read, NULL},
    {"BIDS events", "*_events.tsv with motor-unit spikes (onset, sample, unit_id)",
     emg_bids_events_probe, emg_bids_events_read, NULL},
    {"EDF", "EDF, EDF+, BDF, BDF+", emg_edf_probe, emg_edf_read, NULL},
    {"MATLAB 5", "MATLAB file: DEMUSE, OTBiolab+, MUedit, flexemg", emg_mat_probe,
     emg_mat_read_recording, NULL},
    {"MATLAB 7.3", "MATLAB file in HDF5: MUedit", emg_mat73_probe, emg_mat73_read, NULL},
    {"OTB4", "OT Bioelettronica .otb4 (experimental: no real file has been met)", emg_otb4_probe,
     emg_otb4_read, NULL},
    {"OTB+", "OTBiolab+ .otb+ or .otb (experimental: no real file has been met)",
     emg_otb_plus_probe, emg_otb_plus_read, NULL},
    {"openhdemg JSON", "compressed JSON file of openhdemg", emg_openhdemg_json_probe,
     emg_openhdemg_json_read, NULL},
    {"openhdemg CSV", "table with columns RAW_SIGNAL_i, MUPULSES_i", emg_custom_csv_probe,
     emg_custom_csv_read, NULL},
};

const emg_format *emg_formats(int *n) {
  *n = (int)(sizeof formats / sizeof formats[0]);
  return formats;
}

static emg_status look_at(const char *path, emg_probe *probe, emg_error *err) {
  struct stat info;
  FILE *file;

  *probe = (emg_probe){.path = path};
  probe->is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  if (probe->is_folder) {
    return EMG_OK;
  }
  EMG_TRY(emg_open_input(path, &file, err));
  probe->n_bytes = fread(probe->bytes, 1, sizeof probe->bytes - 1, file);
  fclose(file);
  return EMG_OK;
}

emg_status emg_format_of(const char *path, const emg_format **format, emg_error *err) {
  emg_probe probe;
  char names[400] = "";
  size_t n = 0;

  *format = NULL;
  EMG_TRY(look_at(path, &probe, err));
  if (!probe.is_folder && probe.n_bytes == 0) {
    return emg_fail(err, EMG_ERR_DATA, "the file is empty");
  }
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    if (formats[i].probe(&probe)) {
      *format = &formats[i];
      return EMG_OK;
    }
    snprintf(names + n, sizeof names - n, "%s%s", i > 0 ? ", " : "", formats[i].name);
    n = strlen(names);
  }
  return emg_fail(err, EMG_ERR_DATA, "a %s of no known format; known are %s",
                  probe.is_folder ? "folder" : "file", names);
}

double emg_uv_per_unit(const char *unit) {
  static const struct {
    const char *unit;
    double uv;
  } table[] = {{"uV", 1},     {"\xc2\xb5V", 1}, {"\xce\xbcV", 1}, {"\xb5V", 1},  {"microV", 1},
               {"mV", 1e3},   {"V", 1e6},       {"nV", 1e-3},     {"volt", 1e6}, {"volts", 1e6},
               {"Volt", 1e6}, {"Volts", 1e6},   {"UV", 1}};

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(unit, table[i].unit) == 0) {
      return table[i].uv;
    }
  }
  return 0;
}

void emg_label_copy(char *to, size_t size, const char *from, size_t length) {
  size_t used = 0;

  while (length > 0 && (from[length - 1] == ' ' || from[length - 1] == '\0')) {
    length--;
  }
  while (length > 0 && *from == ' ') {
    from++;
    length--;
  }
  for (size_t i = 0, step; i < length; i += step) {
    unsigned char first = (unsigned char)from[i];
    const char latin[2] = {(char)(0xc0 | first >> 6), (char)(0x80 | (first & 0x3f))};
    const char *piece = from + i;
    size_t n = step = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first < 0x20 || first == 0x7f) {
      piece = "?";
    } else if (first >= 0x80 && (n > length - i || emg_utf8_valid_length(piece, n) < n)) {
      piece = first < 0xa0 ? "?" : latin;
      n = first < 0xa0 ? 1 : 2;
      step = 1;
    }
    if (used + n >= size) {
      break;
    }
    memcpy(to + used, piece, n);
    used += n;
  }
  to[used] = '\0';
}

emg_status emg_settle_rate(double file_rate_hz, const emg_read_options *options, double *rate_hz,
                           emg_error *err) {
  double given = options ? options->rate_hz : 0;

  if (file_rate_hz != 0 && !(isfinite(file_rate_hz) && file_rate_hz > 0 && file_rate_hz < 1e9)) {
    return emg_fail(err, EMG_ERR_DATA, "the file states a sampling rate of %g Hz", file_rate_hz);
  }
  if (file_rate_hz == 0 && given == 0 && !(options && options->allow_no_rate)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the file does not state its sampling rate; give it with --rate \"2048 Hz\"");
  }
  if (file_rate_hz > 0 && given > 0 && fabs(given - file_rate_hz) > 1e-4 * file_rate_hz) {
    return emg_fail(err, EMG_ERR_ARG, "--rate says %g Hz, the file says %g Hz; leave --rate out",
                    given, file_rate_hz);
  }
  *rate_hz = file_rate_hz > 0 ? file_rate_hz : given;
  return EMG_OK;
}

int64_t emg_replace_not_finite(float *row, int64_t n) {
  int64_t n_replaced = 0;

  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(row[i])) {
      row[i] = 0;
      n_replaced++;
    }
  }
  return n_replaced;
}

// Replace values that are not finite by 0 and flag their channels.
static void replace_not_finite(emg_recording *rec) {
  int64_t n_replaced = 0;
  int n_channels = 0;

  for (int c = 0; c < rec->data.n_rows; c++) {
    int64_t n = emg_replace_not_finite(emg_row2f(&rec->data, c), rec->data.n_cols);
    if (n > 0) {
      rec->channels[c].state = EMG_CHANNEL_NOT_FINITE;
      n_channels++;
      n_replaced += n;
    }
  }
  if (n_replaced > 0) {
    emg_recording_note(rec, "%lld samples of %d channels are not finite: set to 0, channels marked",
                       (long long)n_replaced, n_channels);
  }
  for (int c = 0; c < rec->aux.n_rows; c++) {
    emg_replace_not_finite(emg_row2f(&rec->aux, c), rec->aux.n_cols);
  }
}

// What a file without EMG holds, in a few words.
static emg_status fail_no_emg(const emg_recording *rec, emg_error *err) {
  char what[240];
  size_t n = 0;

  what[0] = '\0';
  if (rec->labels.n_units > 0) {
    n += (size_t)snprintf(what + n, sizeof what - n, "spike trains of %d units",
                          rec->labels.n_units);
  }
  for (int a = 0; a < rec->aux.n_rows && n < 180; a++) {
    n += (size_t)snprintf(what + n, sizeof what - n, "%s%s", n > 0 ? ", " : "",
                          rec->aux_channels[a].name);
  }
  return emg_fail(err, EMG_ERR_DATA, "the file holds no EMG; it holds %s",
                  n > 0 ? what : "nothing");
}

emg_status emg_recording_settle(emg_recording *rec, const emg_read_options *options, int **rows,
                                emg_error *err) {
  if (rows) {
    *rows = NULL;
  }
  if (rec->rate_hz == 0 && (rec->data.n_rows > 0 || rec->aux.n_rows > 0)) {
    emg_recording_note(rec, "the file does not state its sampling rate; --rate gives it");
  }
  if (rec->data.n_rows == 0) {
    return options && options->allow_no_emg ? EMG_OK : fail_no_emg(rec, err);
  }
  if (rec->data.n_cols == 0) {
    return emg_fail(err, EMG_ERR_DATA, "the recording has %d channels but 0 samples",
                    rec->data.n_rows);
  }
  if (options && options->map) {
    EMG_TRY(emg_grid_apply_map(rec, options->map, rows, err));
  }
  return EMG_OK;
}

emg_status emg_recording_read(const char *path, const emg_read_options *options, emg_recording *out,
                              emg_error *err) {
  const emg_format *format;

  *out = (emg_recording){.pitch_mm = NAN};
  emg_status status = emg_format_of(path, &format, err);
  if (status == EMG_OK) {
    status = format->read(path, options, out, err);
  }
  if (status == EMG_OK) {
    status = emg_recording_settle(out, options, NULL, err);
  }
  if (status == EMG_OK) {
    replace_not_finite(out);
  }
  if (status != EMG_OK) {
    emg_recording_free(out);
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status emg_spikes_read(const char *path, bool prefer_truth, emg_spikes *out, emg_error *err) {
  const emg_read_options options = {.allow_no_emg = true};
  const emg_format *format;
  emg_recording rec = {0};

  *out = (emg_spikes){0};
  emg_status status = emg_format_of(path, &format, err);
  if (status == EMG_OK && format->read_spikes) {
    status = format->read_spikes(path, prefer_truth, out, err);
  } else if (status == EMG_OK) {
    status = emg_recording_read(path, &options, &rec, err);
    if (status == EMG_OK && rec.labels.n_units == 0) {
      status = emg_fail(err, EMG_ERR_DATA, "this %s file holds no spike trains", rec.format);
    } else if (status == EMG_OK) {
      *out = rec.labels;
      rec.labels = (emg_spikes){0};
    }
    emg_recording_free(&rec);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

emg_status emg_file_sha256(const char *path, char hex[65], emg_error *err) {
  unsigned char bytes[65536];
  char recording[PATH_MAX];
  const emg_probe module = {.path = path, .is_folder = true};
  emg_sha256 sha;
  size_t n;
  FILE *file;

  if (emg_openhdemg_module_probe(&module)) {  // its manifest has the checksums of its files
    emg_path_join(recording, path, "manifest.json");
  } else {
    EMG_TRY(emg_bids_resolve(path, recording, err));
  }
  EMG_TRY(emg_open_input(recording, &file, err));
  emg_sha256_start(&sha);
  while ((n = fread(bytes, 1, sizeof bytes, file)) > 0) {
    emg_sha256_add(&sha, bytes, n);
  }
  bool is_ok = !ferror(file);
  fclose(file);
  emg_sha256_finish(&sha, hex);
  return is_ok ? EMG_OK
               : emg_fail(err, EMG_ERR_IO, "cannot read %s: %s", recording, strerror(errno));
}
