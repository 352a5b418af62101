// otb.c -- recordings of OT Bioelettronica: main path, and what readers of .otb+ and .otb4 share
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <emgtwin/array.h>

#include "base/number.h"
#include "base/text.h"
#include "otb_priv.h"

// --- the layout ---

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

static emg_status note_markers(emg_tar *tar, emg_recording *out, emg_error *err) {
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

// --- the main path ---

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

// A recording of the size of the layout, its data without numbers. What is noted so far is kept.
static emg_status make_recording(const emg_otb_layout *layout, double rate_hz, int64_t n_samples,
                                 emg_recording *out, emg_error *err) {
  const emg_recording notes = *out;
  int n_emg = 0;

  for (int c = 0; c < layout->n_channels; c++) {
    n_emg += layout->channels[c].is_emg;
  }
  EMG_TRY(emg_recording_create(n_emg, 0, rate_hz, out, err));
  emg_array2f_free(&out->data);
  out->data = (emg_array2f){.n_rows = n_emg, .n_cols = n_samples};
  memcpy(out->format, notes.format, sizeof out->format);
  memcpy(out->notes, notes.notes, sizeof out->notes);
  out->n_notes = notes.n_notes;
  snprintf(out->source_units, sizeof out->source_units, "mV");
  return EMG_OK;
}

// Room for the samples, names of the channels that are not EMG, and then the samples.
static emg_status read_samples(emg_tar *tar, const emg_otb_layout *layout, emg_recording *out,
                               emg_error *err) {
  int n_emg = out->data.n_rows, n_aux = layout->n_channels - n_emg;

  EMG_TRY(emg_array2f_create(n_emg, out->data.n_cols, &out->data, err));
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
  return emg_otb_read_all(tar, layout, out, err);
}

// An archive and what is known of it, for reading in blocks.
typedef struct {
  emg_tar *tar;
  emg_otb_layout layout;
} reader;

static void close_reader(void *state) {
  reader *r = state;

  free(r->layout.streams);
  free(r->layout.channels);
  free(r->layout.grids);
  emg_tar_close(r->tar);
  free(r);
}

static emg_status read_block(void *state, int64_t begin, int64_t n, const emg_array2f *out,
                             emg_error *err) {
  const reader *r = state;
  return emg_otb_read_emg(r->tar, &r->layout, begin, n, out, err);
}

static emg_status read_archive(reader *r, const char *path, emg_otb_describe_fn describe,
                               const emg_read_options *options, bool with_samples,
                               emg_recording *out, emg_error *err) {
  double rate_hz;
  int64_t n_samples;

  EMG_TRY(emg_tar_open(path, &r->tar, err));
  EMG_TRY(describe(r->tar, &r->layout, out, err));
  find_clock(&r->layout, &rate_hz, &n_samples);
  EMG_TRY(emg_settle_rate(rate_hz, options, &rate_hz, err));
  set_aside(&r->layout, rate_hz, out);
  EMG_TRY(make_recording(&r->layout, rate_hz, n_samples, out, err));
  if (with_samples) {
    EMG_TRY(read_samples(r->tar, &r->layout, out, err));
  }
  EMG_TRY(emg_otb_place_grids(&r->layout, out, err));
  return note_markers(r->tar, out, err);
}

emg_status emg_otb_read(const char *path, const char *format, emg_otb_describe_fn describe,
                        const emg_read_options *options, emg_recording *out, emg_blocks *blocks,
                        emg_error *err) {
  reader *r;

  *out = (emg_recording){.pitch_mm = NAN};
  snprintf(out->format, sizeof out->format, "%s", format);
  emg_recording_note(out,
                     "experimental reader: no real file of this format has been met; check "
                     "amplitudes and grids");
  EMG_TRY(emg_alloc(1, sizeof *r, &r, err));
  emg_status status = read_archive(r, path, describe, options, !blocks, out, err);
  // going back in a compressed archive would unpack it from its beginning
  if (status == EMG_OK && blocks && out->data.n_rows > 0 && out->data.n_cols > 0 &&
      !emg_tar_is_compressed(r->tar)) {
    *blocks = (emg_blocks){r, read_block, close_reader};
    return EMG_OK;
  }
  close_reader(r);
  return status;
}
