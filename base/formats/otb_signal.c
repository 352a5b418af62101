// otb_signal.c -- samples of .otb+ and .otb4 recordings, and what the readers of both share
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "base/text.h"
#include "otb_priv.h"

enum { BLOCK_BYTES = 1 << 18 };

// --- the layout ---

void emg_otb_layout_free(emg_otb_layout *layout) {
  free(layout->streams);
  free(layout->channels);
  free(layout->grids);
  *layout = (emg_otb_layout){0};
}

// Room for one more item in an array that grows by doubling.
static emg_status grow(void *array, int n, size_t size, int limit, const char *what,
                       emg_error *err) {
  void **items = array;

  if (n == limit) {
    return emg_fail(err, EMG_ERR_DATA, "the recording has more than %d %s", limit, what);
  }
  if ((n & (n - 1)) == 0) {
    void *grown = realloc(*items, (n ? 2 * (size_t)n : 1) * size);
    if (!grown) {
      return emg_fail(err, EMG_ERR_MEMORY, "out of memory for %d %s", 2 * n + 1, what);
    }
    *items = grown;
  }
  return EMG_OK;
}

emg_status emg_otb_add_stream(emg_otb_layout *layout, emg_otb_stream **out, emg_error *err) {
  EMG_TRY(grow(&layout->streams, layout->n_streams, sizeof *layout->streams, EMG_OTB_STREAMS_MAX,
               "signal files", err));
  *out = &layout->streams[layout->n_streams++];
  **out = (emg_otb_stream){0};
  return EMG_OK;
}

emg_status emg_otb_add_channel(emg_otb_layout *layout, emg_otb_channel **out, emg_error *err) {
  EMG_TRY(grow(&layout->channels, layout->n_channels, sizeof *layout->channels,
               EMG_OTB_CHANNELS_MAX, "channels", err));
  *out = &layout->channels[layout->n_channels++];
  **out = (emg_otb_channel){0};
  return EMG_OK;
}

emg_status emg_otb_grid_at(emg_otb_layout *layout, const emg_otb_grid *grid, int *index,
                           emg_error *err) {
  for (*index = 0; *index < layout->n_grids; ++*index) {
    const emg_otb_grid *known = &layout->grids[*index];
    if (known->place == grid->place && strcmp(known->sensor, grid->sensor) == 0) {
      return EMG_OK;
    }
  }
  EMG_TRY(grow(&layout->grids, layout->n_grids, sizeof *layout->grids, EMG_OTB_CHANNELS_MAX,
               "grids", err));
  layout->grids[layout->n_grids++] = *grid;
  return EMG_OK;
}

emg_status emg_otb_count_frames(emg_otb_stream *stream, bool is_described, emg_recording *notes,
                                emg_error *err) {
  const emg_tar_member *member = stream->member;
  int64_t frame = (int64_t)stream->n_interleaved * stream->sample_bytes;
  int64_t rest = member->n_bytes % frame;

  stream->n_frames = member->n_bytes / frame;
  if (rest != 0 && (!is_described || stream->n_frames == 0)) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s has %lld bytes, which is no whole number of frames of %d channels of %d "
                    "bytes; it was cut, or its description belongs to another file",
                    member->name, (long long)member->n_bytes, stream->n_interleaved,
                    stream->sample_bytes);
  }
  if (rest != 0) {
    emg_recording_note(notes, "the last frame of %.60s is not whole (%lld of %lld bytes): left out",
                       member->name, (long long)rest, (long long)frame);
  }
  return EMG_OK;
}

// --- samples ---

static double sample_at(const unsigned char *p, int n_bytes) {
  switch (n_bytes) {
    case 2:
      return (int16_t)(p[0] | p[1] << 8);
    case 3:
      return (int32_t)((uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24) / 256;
    case 4:
      return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                       (uint32_t)p[3] << 24);
    default: {
      uint64_t bits = 0;
      double value;
      for (int i = 7; i >= 0; i--) {
        bits = bits << 8 | p[i];
      }
      memcpy(&value, &bits, sizeof value);
      return value;
    }
  }
}

// Where a channel of the layout goes.
static float *destination(const emg_otb_layout *layout, int channel, const emg_recording *out) {
  int n_emg = 0;

  for (int c = 0; c < channel; c++) {
    n_emg += layout->channels[c].is_emg;
  }
  return layout->channels[channel].is_emg ? emg_row2f(&out->data, n_emg)
                                          : emg_row2f(&out->aux, channel - n_emg);
}

// One channel of a stream being read: which samples, times what, to where.
typedef struct {
  int index;
  double scale;
  float *to;
} column;

static emg_status read_stream(emg_tar *tar, const emg_otb_stream *stream, const column *columns,
                              int n_columns, int64_t n_frames, emg_error *err) {
  size_t frame_bytes = (size_t)stream->n_interleaved * (size_t)stream->sample_bytes;
  int64_t frames_at_once = BLOCK_BYTES / (int64_t)frame_bytes + 1;
  unsigned char *block;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)frames_at_once, frame_bytes, &block, err));
  for (int64_t first = 0; first < n_frames && status == EMG_OK; first += frames_at_once) {
    int64_t n = n_frames - first < frames_at_once ? n_frames - first : frames_at_once;
    status = emg_tar_read(tar, stream->member, first * (int64_t)frame_bytes,
                          (size_t)n * frame_bytes, block, err);
    for (int k = 0; k < n_columns && status == EMG_OK; k++) {
      const unsigned char *from = block + (size_t)columns[k].index * (size_t)stream->sample_bytes;
      for (int64_t i = 0; i < n; i++) {
        columns[k].to[first + i] =
            (float)(columns[k].scale * sample_at(from, stream->sample_bytes));
        from += frame_bytes;
      }
    }
  }
  free(block);
  return status;
}

// Values at another rate on the clock of the EMG: linear between them, the last one held.
static void interpolate(const float *from, int64_t n_from, double rate_ratio, float *to,
                        int64_t n_to) {
  for (int64_t i = 0; i < n_to; i++) {
    double at = (double)i * rate_ratio;
    int64_t k = at < (double)(n_from - 1) ? (int64_t)at : n_from - 1;
    double part = k < n_from - 1 ? at - (double)k : 0;
    to[i] =
        part == 0 ? from[k] : (float)((1 - part) * (double)from[k] + part * (double)from[k + 1]);
  }
}

// A stream that has another rate or is shorter than the recording goes through memory of its own.
static emg_status read_aside(emg_tar *tar, const emg_otb_stream *stream, column *columns,
                             int n_columns, const emg_recording *out, emg_error *err) {
  emg_array2f aside;

  if (stream->n_frames == 0) {
    return EMG_OK;  // nothing to hold: zeros
  }
  EMG_TRY(emg_array2f_create(n_columns, stream->n_frames, &aside, err));
  column *whole;
  emg_status status = emg_alloc((size_t)n_columns, sizeof *whole, &whole, err);
  if (status == EMG_OK) {
    for (int k = 0; k < n_columns; k++) {
      whole[k] = columns[k];
      whole[k].to = emg_row2f(&aside, k);
    }
    status = read_stream(tar, stream, whole, n_columns, stream->n_frames, err);
  }
  for (int k = 0; k < n_columns && status == EMG_OK; k++) {
    interpolate(emg_row2f(&aside, k), stream->n_frames, stream->rate_hz / out->rate_hz,
                columns[k].to, out->data.n_cols);
  }
  free(whole);
  emg_array2f_free(&aside);
  return status;
}

static emg_status read_all(emg_tar *tar, const emg_otb_layout *layout, emg_recording *out,
                           emg_error *err) {
  int n_other_rate = 0, n_short = 0, n_long = 0;
  column *columns;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)layout->n_channels, sizeof *columns, &columns, err));
  for (int s = 0; s < layout->n_streams && status == EMG_OK; s++) {
    const emg_otb_stream *stream = &layout->streams[s];
    bool is_same_rate = stream->rate_hz == out->rate_hz;
    int n_columns = 0;
    for (int c = 0; c < layout->n_channels; c++) {
      const emg_otb_channel *channel = &layout->channels[c];
      if (channel->stream == s) {
        columns[n_columns++] =
            (column){channel->index, channel->scale, destination(layout, c, out)};
      }
    }
    n_other_rate += is_same_rate ? 0 : n_columns;
    n_short += is_same_rate && stream->n_frames < out->data.n_cols ? n_columns : 0;
    n_long += is_same_rate && stream->n_frames > out->data.n_cols ? n_columns : 0;
    status = n_columns == 0 ? EMG_OK
             : is_same_rate && stream->n_frames >= out->data.n_cols
                 ? read_stream(tar, stream, columns, n_columns, out->data.n_cols, err)
                 : read_aside(tar, stream, columns, n_columns, out, err);
  }
  free(columns);
  if (n_other_rate > 0) {
    emg_recording_note(out, "%d channels at another rate than %g Hz are interpolated", n_other_rate,
                       out->rate_hz);
  }
  if (n_short + n_long > 0) {
    emg_recording_note(out,
                       "the EMG has %lld samples: %d channels that are longer are cut, %d that are "
                       "shorter hold their last value",
                       (long long)out->data.n_cols, n_long, n_short);
  }
  return status;
}

// The rate most EMG channels have and, at that rate, the number of samples all of them have; those
// of any channel if there is no EMG.
static void find_clock(const emg_otb_layout *layout, double *rate_hz, int64_t *n_samples) {
  int n_most = 0;

  *rate_hz = layout->n_streams > 0 ? layout->streams[0].rate_hz : 0;
  *n_samples = layout->n_streams > 0 ? layout->streams[0].n_frames : 0;
  for (int s = 0; s < layout->n_streams; s++) {
    int n_alike = 0;
    int64_t n_least = INT64_MAX;
    for (int c = 0; c < layout->n_channels; c++) {
      const emg_otb_stream *stream = &layout->streams[layout->channels[c].stream];
      if (layout->channels[c].is_emg && stream->rate_hz == layout->streams[s].rate_hz) {
        n_alike++;
        n_least = stream->n_frames < n_least ? stream->n_frames : n_least;
      }
    }
    if (n_alike > n_most) {
      n_most = n_alike;
      *rate_hz = layout->streams[s].rate_hz;
      *n_samples = n_least;
    }
  }
}

// EMG at another rate than the rest cannot be decomposed with it: it is kept beside.
static void set_aside(emg_otb_layout *layout, double rate_hz, emg_recording *out) {
  int n = 0;

  for (int c = 0; c < layout->n_channels; c++) {
    emg_otb_channel *channel = &layout->channels[c];
    if (channel->is_emg && layout->streams[channel->stream].rate_hz != rate_hz) {
      channel->is_emg = false;
      memcpy(channel->name, layout->grids[channel->grid].sensor,
             sizeof layout->grids[channel->grid].sensor);
      memcpy(channel->units, "uV", 3);
      n++;
    }
  }
  if (n > 0) {
    emg_recording_note(out, "%d EMG channels have another rate than %g Hz: kept as auxiliary", n,
                       rate_hz);
  }
}

emg_status emg_otb_read_signals(emg_tar *tar, emg_otb_layout *layout,
                                const emg_read_options *options, emg_recording *out,
                                emg_error *err) {
  int n_emg = 0, n_aux = 0;
  double rate_hz;
  int64_t n_samples;

  find_clock(layout, &rate_hz, &n_samples);
  set_aside(layout, rate_hz, out);
  const emg_recording notes = *out;
  EMG_TRY(emg_settle_rate(rate_hz, options, &rate_hz, err));
  for (int c = 0; c < layout->n_channels; c++) {
    n_emg += layout->channels[c].is_emg;
  }
  n_aux = layout->n_channels - n_emg;
  EMG_TRY(emg_recording_create(n_emg, n_samples, rate_hz, out, err));
  memcpy(out->format, notes.format, sizeof out->format);
  memcpy(out->notes, notes.notes, sizeof out->notes);
  out->n_notes = notes.n_notes;
  snprintf(out->source_units, sizeof out->source_units, "mV");
  if (n_aux > 0) {
    EMG_TRY(emg_recording_add_aux(out, n_aux, err));
  }
  for (int c = 0, a = 0; c < layout->n_channels; c++) {
    const emg_otb_channel *channel = &layout->channels[c];
    if (!channel->is_emg) {
      memcpy(out->aux_channels[a].name, channel->name, sizeof channel->name);
      memcpy(out->aux_channels[a++].units, channel->units, sizeof channel->units);
    }
  }
  return n_samples > 0 ? read_all(tar, layout, out, err) : EMG_OK;
}

// --- XML ---

emg_status emg_otb_read_xml(emg_tar *tar, const emg_tar_member *member, emg_xml_file **out,
                            emg_error *err) {
  char *bytes;

  *out = NULL;
  EMG_TRY(emg_tar_slurp(tar, member, EMG_OTB_XML_BYTES_MAX, &bytes, err));
  emg_status status = emg_xml_parse(member->name, bytes, (size_t)member->n_bytes, out, err);
  free(bytes);
  return status;
}

emg_status emg_otb_number(const char *text, const char *what, double min, double max, double *value,
                          emg_error *err) {
  const char *end;

  if (!emg_number_scan(text, &end, value) || end[strspn(end, " \t")] != '\0') {
    return emg_fail(err, EMG_ERR_DATA, "%s is %s, which is not a number", what,
                    emg_quote(text).text);
  }
  if (!(*value >= min && *value <= max)) {
    return emg_fail(err, EMG_ERR_DATA, "%s is %s; it must be from %g to %g", what,
                    emg_quote(text).text, min, max);
  }
  return EMG_OK;
}

emg_status emg_otb_integer(const char *text, const char *what, int64_t min, int64_t max,
                           int64_t *value, emg_error *err) {
  double number;

  EMG_TRY(emg_otb_number(text, what, (double)min, (double)max, &number, err));
  if (number != floor(number)) {
    return emg_fail(err, EMG_ERR_DATA, "%s is %s, which is not a whole number", what,
                    emg_quote(text).text);
  }
  *value = (int64_t)number;
  return EMG_OK;
}

bool emg_otb_begins(const char *text, const char *word) {
  return strncasecmp(text, word, strlen(word)) == 0;
}

bool emg_otb_ends(const char *text, const char *word) {
  size_t n_text = strlen(text), n_word = strlen(word);
  return n_text >= n_word && strcasecmp(text + n_text - n_word, word) == 0;
}

bool emg_otb_has_word(const char *text, const char *word) {
  for (; *text; text++) {
    if (emg_otb_begins(text, word)) {
      return true;
    }
  }
  return false;
}

void emg_otb_name(char to[48], const char *name, int number, int n) {
  char suffix[16] = "";

  if (n > 1) {
    snprintf(suffix, sizeof suffix, " %d", number);
  }
  emg_label_copy(to, 48 - strlen(suffix), name, strlen(name));
  strcat(to, suffix);
}

void emg_otb_list(char *text, size_t size, const char *separator, const char *item) {
  size_t used = strlen(text);
  bool is_full = emg_otb_ends(text, "...");

  if (!is_full && used + strlen(separator) + strlen(item) + sizeof ", ..." <= size) {
    snprintf(text + used, size - used, "%s%s", used > 0 ? separator : "", item);
  } else if (!is_full) {
    snprintf(text + used, size - used, "%s...", separator);
  }
}

// Markers below an element, listed in `text`.
static void list_markers(const emg_xml *element, int depth, char *text, size_t size, int *n) {
  if (strcmp(element->name, "Marker") == 0) {
    double milliseconds;
    const char *end;
    if (emg_number_scan(emg_xml_child_text(element, "Milliseconds"), &end, &milliseconds)) {
      char what[40], item[80];
      const char *description = emg_xml_child_text(element, "Description");
      emg_label_copy(what, sizeof what, description, strlen(description));
      snprintf(item, sizeof item, "%s at %g s", what[0] ? what : "marker", 1e-3 * milliseconds);
      emg_otb_list(text, size, ", ", item);
    }
    ++*n;
    return;
  }
  for (const emg_xml *child = emg_xml_child(element, NULL); child && depth < 8;
       child = emg_xml_next(child, NULL)) {
    list_markers(child, depth + 1, text, size, n);
  }
}

emg_status emg_otb_note_markers(emg_tar *tar, emg_recording *out, emg_error *err) {
  enum { FILES_MAX = 16 };
  char text[150] = "";
  int n_members, n_files = 0, n = 0;
  const emg_tar_member *members = emg_tar_members(tar, &n_members);

  for (int i = 0; i < n_members && n_files < FILES_MAX; i++) {
    emg_xml_file *file;
    if (!emg_otb_begins(members[i].name, "marker") || !emg_otb_ends(members[i].name, ".xml")) {
      continue;
    }
    n_files++;
    EMG_TRY(emg_otb_read_xml(tar, &members[i], &file, err));
    list_markers(emg_xml_root(file), 0, text, sizeof text, &n);
    emg_xml_free(file);
  }
  if (n > 0) {
    emg_recording_note(out, "%d markers%s%s", n, text[0] ? ": " : "", text);
  }
  return EMG_OK;
}
