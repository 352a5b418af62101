// recording.c -- allocation of recordings and their notes
#include <emgtwin/recording.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

emg_status emg_recording_create(int n_channels, int64_t n_samples, double rate_hz,
                                emg_recording *out, emg_error *err) {
  *out = (emg_recording){.rate_hz = rate_hz, .is_physical = true, .pitch_mm = NAN};

  emg_status status = emg_array2f_create(n_channels, n_samples, &out->data, err);
  if (status == EMG_OK) {
    status = emg_alloc((size_t)n_channels, sizeof *out->channels, &out->channels, err);
  }
  if (status != EMG_OK) {
    emg_recording_free(out);
    return status;
  }
  for (int c = 0; c < n_channels; c++) {
    emg_channel *channel = &out->channels[c];
    *channel = (emg_channel){.row = -1, .column = -1, .x_mm = NAN, .y_mm = NAN, .z_mm = NAN};
    snprintf(channel->name, sizeof channel->name, "EMG%03d", c + 1);
  }
  return EMG_OK;
}

emg_status emg_recording_add_aux(emg_recording *rec, int n_aux, emg_error *err) {
  EMG_TRY(emg_array2f_create(n_aux, rec->data.n_cols, &rec->aux, err));
  return emg_alloc((size_t)n_aux, sizeof *rec->aux_channels, &rec->aux_channels, err);
}

void emg_recording_free(emg_recording *rec) {
  emg_array2f_free(&rec->data);
  emg_array2f_free(&rec->aux);
  emg_spikes_free(&rec->labels);
  free(rec->channels);
  free(rec->aux_channels);
  *rec = (emg_recording){0};
}

void emg_recording_note(emg_recording *rec, const char *format, ...) {
  if (rec->n_notes >= (int)(sizeof rec->notes / sizeof rec->notes[0])) {
    return;
  }
  va_list args;

  va_start(args, format);
  vsnprintf(rec->notes[rec->n_notes], sizeof rec->notes[0], format, args);
  va_end(args);
  rec->n_notes++;
}

const char *emg_channel_state_name(emg_channel_state state) {
  static const char *const names[] = {"good",      "dead",         "noisy",
                                      "saturated", "intermittent", "not finite",
                                      "marked",    "duplicate",    "unused"};
  return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}
