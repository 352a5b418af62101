// otb_plus.c -- recordings of OTBiolab+: .otb+ and .otb
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otb_priv.h"

// --- scale ---

// Reference and gain of the vendor's devices, which all convert to 16 bit or, in the case of the
// last four, to 24 bit at a 256th of the gain: OpenOTBfilesConvFact.m, where the products are
// written out (0.00050863 mV per count for the first). The gain that the file states is not used
// there, and not here.
static const struct {
  const char *name;
  double reference_v, gain;
} devices[] = {
    {"QUATTROCENTO", 5, 150},
    {"QUATTRO", 5, 150},
    {"QUATTRO+", 3.3, 202},
    {"DUE", 5, 200},
    {"DUE+", 3.3, 202},
    {"SYNCSTATION", 4.8, 256},
    {"MUOVI", 4.8, 256},
    {"MUOVI+", 4.8, 256},
    {"SESSANTAQUATTRO", 4.8, 256},
    {"SESSANTAQUATTRO+", 4.8, 256},
};

// What converts one channel, before its gain is known to be a number.
typedef struct {
  double reference_v, gain;
  int bits;
} converter;

static double uv_per_count(converter c) {
  return 1e6 * c.reference_v / ldexp(1, c.bits) / c.gain;
}

// Name of the device without what follows a semicolon.
static void device_name(const emg_xml *device, char *name, size_t size) {
  const char *text = emg_xml_attribute(device, "Name");
  emg_label_copy(name, size, text, strcspn(text, ";"));
}

// Converter of the EMG inputs of a device. EMG-USB amplifiers have a gain that is chosen and
// stated.
static converter converter_of(const char *device, int bits, double stated_gain, bool *is_known) {
  *is_known = true;
  for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
    if (emg_otb_begins(device, devices[i].name) && strlen(device) == strlen(devices[i].name)) {
      return (converter){devices[i].reference_v, devices[i].gain, 16};
    }
  }
  if (emg_otb_begins(device, "EMG-USB") || emg_otb_begins(device, "EMGUSB")) {
    return (converter){5, stated_gain, bits};
  }
  *is_known = false;
  return (converter){4.8, 256, 16};
}

// The vendor's exceptions: probes of other devices, and inputs that are not for EMG.
static converter converter_at(const char *device, const char *adapter, converter usual) {
  bool is_sync = emg_otb_begins(device, "SYNCSTATION");

  if (is_sync && (strcmp(adapter, "Due+") == 0 || strcmp(adapter, "Quattro+") == 0)) {
    return (converter){3.3, 202, 16};
  }
  if (is_sync && strcmp(adapter, "AdapterLoadCell") == 0) {
    return (converter){5, 205, 16};
  }
  if (strcmp(adapter, is_sync ? "Direct connection to Syncstation Input" : "Direct connection") ==
          0 &&
      (is_sync || emg_otb_begins(device, "QUATTROCENTO") || strcmp(device, "QUATTRO") == 0)) {
    return (converter){5, 0.5, 16};
  }
  return usual;
}

// --- channels ---

typedef struct {
  emg_tar *tar;
  emg_otb_layout *layout;
  emg_recording *notes;
  char device[48];
  int bits, n_in_frame;
  bool is_known_device, gain_differs;
} plus_reader;

static bool is_control(const char *adapter) {
  return emg_otb_begins(adapter, "AdapterControl") || emg_otb_begins(adapter, "AdapterQuaternions");
}

// Inputs and sensors that are not for EMG, by the names the vendor gives them.
static bool is_auxiliary(const char *adapter, const char *sensor) {
  static const char *const adapters[] = {"Direct connection", "AdapterLoadCell", "AdapterAux",
                                         "ISO-AUX"};
  static const char *const sensors[] = {"AUX",   "Ramp",   "Buffer",  "Quaternion", "Control",
                                        "Force", "Torque", "Trigger", "Load"};

  for (size_t i = 0; i < sizeof adapters / sizeof adapters[0]; i++) {
    if (emg_otb_begins(adapter, adapters[i])) {
      return true;
    }
  }
  for (size_t i = 0; i < sizeof sensors / sizeof sensors[0]; i++) {
    if (emg_otb_begins(sensor, sensors[i])) {
      return true;
    }
  }
  return is_control(adapter);
}

// The first number in a text, 0 if there is none.
static int first_number(const char *text) {
  while (*text && !isdigit((unsigned char)*text)) {
    text++;
  }
  return (int)(strtol(text, NULL, 10) % 10000);
}

// Which connector: a grid may be spread over four inputs of 16 of a Quattrocento by a splitter, and
// otherwise has an adapter of its own.
static int place_of(const plus_reader *r, const emg_xml *adapter, const emg_xml *channel) {
  const char *prefix = emg_xml_attribute(channel, "Prefix");
  int number = first_number(prefix);

  if (emg_otb_has_word(r->device, "QUATTROCENTO") && number > 0) {
    if (emg_otb_has_word(prefix, "MULTIPLE IN")) {
      return 2 + number;
    }
    if (emg_otb_has_word(prefix, "IN")) {
      return number < 5 ? 1 : 2;
    }
  }
  return 20000 + first_number(emg_xml_attribute(adapter, "AdapterIndex"));
}

static emg_status add_emg(plus_reader *r, const emg_xml *adapter, const emg_xml *channel,
                          emg_otb_channel *out, emg_error *err) {
  const char *sensor = emg_xml_attribute(channel, "ID");
  const char *description = emg_xml_attribute(channel, "Description");
  emg_otb_grid grid = {.place = place_of(r, adapter, channel)};
  char muscle[120];

  grid.is_grid = !emg_otb_has_word(description, "General") &&
                 !emg_otb_has_word(description, "iEMG") &&
                 (strstr(description, "64") || strstr(description, "32") ||
                  emg_otb_has_word(description, "Splitter") || emg_otb_map_of(sensor));
  emg_label_copy(grid.sensor, sizeof grid.sensor, sensor, strlen(sensor));
  snprintf(muscle, sizeof muscle, "%.60s %.50s", emg_xml_attribute(channel, "Muscle"),
           emg_xml_attribute(channel, "Side"));
  emg_label_copy(grid.muscle, sizeof grid.muscle, muscle, strlen(muscle));
  out->is_emg = true;
  return emg_otb_grid_at(r->layout, &grid, &out->grid, err);
}

static void name_auxiliary(const emg_xml *channel, int number, int n_in_adapter,
                           emg_otb_channel *out) {
  const char *name = emg_xml_attribute(channel, "ID");

  name = name[0] ? name : emg_xml_attribute(channel, "Description");
  emg_otb_name(out->name, name[0] ? name : "auxiliary", number, n_in_adapter);
}

// Channel `number` (from 1) of an adapter with so many of them.
static emg_status add_channel(plus_reader *r, const emg_xml *adapter, const emg_xml *channel,
                              int number, int n_in_adapter, emg_error *err) {
  const char *adapter_id = emg_xml_attribute(adapter, "ID");
  int64_t start, index;
  double gain;
  bool is_known;
  emg_otb_channel *out;

  EMG_TRY(emg_otb_integer(emg_xml_attribute(adapter, "ChannelStartIndex"), "ChannelStartIndex", 0,
                          r->n_in_frame - 1, &start, err));
  EMG_TRY(emg_otb_integer(emg_xml_attribute(channel, "Index"), "Index of a channel", 0,
                          r->n_in_frame - 1 - start, &index, err));
  // only some devices need it
  if (emg_otb_number(emg_xml_attribute(adapter, "Gain"), "", 0, 1e6, &gain, NULL) != EMG_OK) {
    gain = 0;
  }
  EMG_TRY(emg_otb_add_channel(r->layout, &out, err));
  out->index = (int)(start + index);
  converter usual = converter_of(r->device, r->bits, gain, &is_known);
  converter used = converter_at(r->device, adapter_id, usual);
  if (used.gain <= 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "%s states a gain of %g for the adapter '%.40s'; it must be above 0", r->device,
                    gain, emg_xml_attribute(adapter, "Description"));
  }
  r->is_known_device = is_known;
  out->scale = uv_per_count(used);
  if (!is_auxiliary(adapter_id, emg_xml_attribute(channel, "ID"))) {
    r->gain_differs |= gain > 0 && gain != 1 && gain != used.gain;
    return add_emg(r, adapter, channel, out, err);
  }
  name_auxiliary(channel, number, n_in_adapter, out);
  if (is_control(adapter_id)) {
    out->scale = 1;
  } else {
    out->scale *= 1e-3;
    memcpy(out->units, "mV", 3);
  }
  return EMG_OK;
}

static int compare_places(const void *a, const void *b) {
  const emg_otb_channel *x = a, *y = b;
  return (x->index > y->index) - (x->index < y->index);
}

static emg_status add_channels(plus_reader *r, const emg_xml *device, emg_error *err) {
  const emg_xml *channels = emg_xml_child(device, "Channels");

  for (const emg_xml *adapter = emg_xml_child(channels, "Adapter"); adapter;
       adapter = emg_xml_next(adapter, "Adapter")) {
    int n = 0, number = 0;
    for (const emg_xml *c = emg_xml_child(adapter, "Channel"); c; c = emg_xml_next(c, "Channel")) {
      n++;
    }
    for (const emg_xml *c = emg_xml_child(adapter, "Channel"); c; c = emg_xml_next(c, "Channel")) {
      EMG_TRY(add_channel(r, adapter, c, ++number, n, err));
    }
  }
  emg_otb_layout *layout = r->layout;
  if (layout->n_channels == 0) {
    return emg_fail(err, EMG_ERR_DATA, "the description of the recording lists no channels");
  }
  qsort(layout->channels, (size_t)layout->n_channels, sizeof *layout->channels, compare_places);
  for (int c = 1; c < layout->n_channels; c++) {
    if (layout->channels[c].index == layout->channels[c - 1].index) {
      return emg_fail(err, EMG_ERR_DATA, "two channels are described at place %d of %d",
                      layout->channels[c].index + 1, r->n_in_frame);
    }
  }
  return EMG_OK;
}

static void note_scale(const plus_reader *r) {
  if (!r->is_known_device) {
    emg_recording_note(r->notes,
                       "device '%s' is not known: 0.2861 uV per count, as the vendor "
                       "does for other devices",
                       r->device);
  } else if (r->gain_differs) {
    emg_recording_note(r->notes,
                       "the file states other gains than the vendor uses for %s; the "
                       "vendor's are used",
                       r->device);
  }
}

// --- the signal ---

// Bytes of a sample by the bits of the converter. 24 bits were met in three bytes and in four.
static int bytes_of_sample(const plus_reader *r, const emg_tar_member *member) {
  int n_bytes = r->bits <= 16 ? 2 : r->bits <= 24 ? 3 : 4;

  if (n_bytes == 3 && member->n_bytes % (3 * (int64_t)r->n_in_frame) != 0 &&
      member->n_bytes % (4 * (int64_t)r->n_in_frame) == 0) {
    emg_recording_note(r->notes,
                       "samples of 24 bits are taken from four bytes, as the size of the "
                       "file says");
    n_bytes = 4;
  }
  return n_bytes;
}

static emg_status read_device(plus_reader *r, const emg_xml *device, const emg_tar_member *member,
                              emg_error *err) {
  emg_otb_stream *stream;
  int64_t n, bits;
  double rate_hz;

  device_name(device, r->device, sizeof r->device);
  EMG_TRY(emg_otb_number(emg_xml_attribute(device, "SampleFrequency"), "SampleFrequency", 1, 1e6,
                         &rate_hz, err));
  EMG_TRY(emg_otb_integer(emg_xml_attribute(device, "ad_bits"), "ad_bits", 8, 32, &bits, err));
  EMG_TRY(emg_otb_integer(emg_xml_attribute(device, "DeviceTotalChannels"), "DeviceTotalChannels",
                          1, EMG_OTB_CHANNELS_MAX, &n, err));
  r->bits = (int)bits;
  r->n_in_frame = (int)n;
  EMG_TRY(add_channels(r, device, err));
  note_scale(r);
  EMG_TRY(emg_otb_add_stream(r->layout, &stream, err));
  *stream = (emg_otb_stream){.member = member,
                             .sample_bytes = bytes_of_sample(r, member),
                             .n_interleaved = r->n_in_frame,
                             .rate_hz = rate_hz};
  if (r->layout->n_channels < r->n_in_frame) {
    emg_recording_note(r->notes, "%d of %d channels are not described: left out",
                       r->n_in_frame - r->layout->n_channels, r->n_in_frame);
  }
  return emg_otb_count_frames(stream, r->layout->n_channels == r->n_in_frame, r->notes, err);
}

// --- feedback ---

static int compare_names(const void *a, const void *b) {
  const emg_tar_member *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

// Path with another extension, or NULL if there is no such member.
static const emg_tar_member *sibling(emg_tar *tar, const emg_tar_member *member,
                                     const char *extension) {
  char name[sizeof member->name + 8];

  snprintf(name, sizeof name, "%.*s%s", (int)strlen(member->name) - 4, member->name, extension);
  return emg_tar_find(tar, name);
}

// What NAME.pro says of NAME.sip. Its rate is believed where the length then fits the EMG better.
static emg_status describe_feedback(plus_reader *r, const emg_tar_member *member,
                                    emg_otb_stream *stream, emg_otb_channel *channel,
                                    emg_error *err) {
  const emg_tar_member *description = sibling(r->tar, member, ".pro");
  emg_xml_file *file;
  double rate_hz;

  if (!description) {
    return EMG_OK;
  }
  EMG_TRY(emg_otb_read_xml(r->tar, description, &file, err));
  const emg_xml *root = emg_xml_root(file);
  const char *name = emg_xml_child_text(root, "description");
  const char *units = emg_xml_child_text(root, "unity_of_measurement");
  const char *rate = emg_xml_child_text(root, "fsample");
  if (name[0]) {
    emg_label_copy(channel->name, sizeof channel->name, name, strlen(name));
  }
  emg_label_copy(channel->units, sizeof channel->units, units, strlen(units));
  if (emg_otb_number(rate, "fsample", 1e-3, 1e6, &rate_hz, NULL) == EMG_OK) {
    const emg_otb_stream *emg = &r->layout->streams[0];
    double seconds = (double)emg->n_frames / emg->rate_hz, n = (double)stream->n_frames;
    if (fabs(n / rate_hz - seconds) < fabs(n / stream->rate_hz - seconds)) {
      stream->rate_hz = rate_hz;
    }
  }
  emg_xml_free(file);
  return EMG_OK;
}

// Vectors of the feedback on a screen, as long as it ran: the second one is what was performed, the
// third what was asked for.
static emg_status add_feedback(plus_reader *r, const emg_tar_member *member, int number,
                               emg_error *err) {
  static const char *const usual[] = {"feedback 1", "performed path", "target"};
  emg_otb_channel *channel;
  emg_otb_stream *stream;

  if (member->n_bytes < (int64_t)sizeof(double)) {
    return EMG_OK;
  }
  EMG_TRY(emg_otb_add_stream(r->layout, &stream, err));
  *stream = (emg_otb_stream){.member = member,
                             .sample_bytes = sizeof(double),
                             .n_interleaved = 1,
                             .rate_hz = r->layout->streams[0].rate_hz};
  EMG_TRY(emg_otb_count_frames(stream, true, r->notes, err));
  EMG_TRY(emg_otb_add_channel(r->layout, &channel, err));
  channel->stream = r->layout->n_streams - 1;
  channel->scale = 1;
  if (number <= 3) {
    snprintf(channel->name, sizeof channel->name, "%s", usual[number - 1]);
  } else {
    snprintf(channel->name, sizeof channel->name, "feedback %d", number);
  }
  return describe_feedback(r, member, stream, channel, err);
}

static emg_status add_all_feedback(plus_reader *r, emg_error *err) {
  const emg_tar_member *found[EMG_OTB_STREAMS_MAX - 1];
  int n_members, n = 0;
  const emg_tar_member *members = emg_tar_members(r->tar, &n_members);

  for (int i = 0; i < n_members && n < EMG_OTB_STREAMS_MAX - 1; i++) {
    if (emg_otb_ends(members[i].name, ".sip")) {
      found[n++] = &members[i];
    }
  }
  qsort(found, (size_t)n, sizeof *found, compare_names);
  for (int i = 0; i < n; i++) {
    EMG_TRY(add_feedback(r, found[i], i + 1, err));
  }
  return EMG_OK;
}

// --- the file ---

// The first signal file that has a description, and the description.
static emg_status find_signal(plus_reader *r, const emg_tar_member **signal, emg_xml_file **file,
                              emg_error *err) {
  int n_members, n_signals = 0;
  const emg_tar_member *members = emg_tar_members(r->tar, &n_members), *description = NULL;

  *signal = NULL;
  for (int i = 0; i < n_members; i++) {
    if (!emg_otb_ends(members[i].name, ".sig")) {
      continue;
    }
    n_signals++;
    if (!description && (description = sibling(r->tar, &members[i], ".xml"))) {
      *signal = &members[i];
    }
  }
  if (!description) {
    return emg_fail(err, EMG_ERR_DATA,
                    n_signals > 0
                        ? "the archive has signals (%d) but no XML file of the same name"
                        : "a tar archive without Tracks_000.xml and with %d .sig files; it is no "
                          "recording of OT Bioelettronica",
                    n_signals);
  }
  if (n_signals > 1) {
    emg_recording_note(r->notes, "the archive has %d signals; %.60s is read", n_signals,
                       (*signal)->name);
  }
  return emg_otb_read_xml(r->tar, description, file, err);
}

static emg_status describe(emg_tar *tar, emg_otb_layout *layout, emg_recording *notes,
                           emg_error *err) {
  plus_reader reader = {.tar = tar, .layout = layout, .notes = notes};
  const emg_tar_member *signal;
  emg_xml_file *file;

  EMG_TRY(find_signal(&reader, &signal, &file, err));
  const emg_xml *device = emg_xml_root(file);
  emg_status status =
      strcmp(device->name, "Device") == 0
          ? read_device(&reader, device, signal, err)
          : emg_fail(err, EMG_ERR_DATA, "the description of %s does not begin with Device",
                     signal->name);
  emg_xml_free(file);
  return status == EMG_OK ? add_all_feedback(&reader, err) : status;
}

bool emg_otb_plus_probe(const emg_probe *probe) {
  return emg_tar_probe(probe);
}

emg_status emg_otb_plus_read(const char *path, const emg_read_options *options, emg_recording *out,
                             emg_error *err) {
  return emg_otb_read(path, "OTB+", describe, options, out, NULL, err);
}

emg_status emg_otb_plus_open_blocks(const char *path, const emg_read_options *options,
                                    emg_recording *header, emg_blocks *blocks, emg_error *err) {
  *blocks = (emg_blocks){0};
  return emg_otb_read(path, "OTB+", describe, options, header, blocks, err);
}
