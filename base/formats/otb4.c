// otb4.c -- recordings of OT Bioelettronica in .otb4: tracks in several signal files
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "otb_priv.h"

enum { TRACKS_MAX = 4096, FILES_MAX = 16 };
static const double SCALE_MAX = 1e9;  // of a count; no converter has such steps

// One TrackInfo: neighbouring channels of a signal file.
typedef struct {
  const emg_tar_member *member;  // signal file
  char title[64], subtitle[64], sensor[32], muscle[48], units[16], device[48];
  bool is_control, is_processed, is_feedback, is_described;
  int n_channels, n_interleaved, n_in_block, acquisition_channel, offset;
  int sample_bytes, bits;
  int n_rows, n_columns;  // of the grid, 0 if not stated
  double rate_hz, range_v, gain, factor;
  int first;  // place of the first channel in a frame, settled last
} track;

typedef struct {
  emg_tar *tar;
  emg_otb_layout *layout;
  emg_recording *notes;
  track *tracks;
  int n_tracks;
} otb4_reader;

// --- reading a TrackInfo ---

static void copy_text(char *to, size_t size, const char *from) {
  emg_label_copy(to, size, from, strlen(from));
}

// A whole number that may be absent.
static emg_status optional(const emg_xml *element, const char *name, int64_t max, int absent,
                           int *value, emg_error *err) {
  const char *text = emg_xml_child_text(element, name);
  int64_t number = absent;

  if (text[0]) {
    EMG_TRY(emg_otb_integer(text, name, 0, max, &number, err));
  }
  *value = (int)number;
  return EMG_OK;
}

static emg_status optional_number(const emg_xml *element, const char *name, double absent,
                                  double *value, emg_error *err) {
  const char *text = emg_xml_child_text(element, name);

  *value = absent;
  return text[0] ? emg_otb_number(text, name, -1e12, 1e12, value, err) : EMG_OK;
}

// The code of the grid, wherever the file has it; else the name of the track.
static void find_sensor(const emg_xml *info, track *t) {
  const char *const texts[] = {
      emg_xml_child_text(emg_xml_child(info, "Description"), "Name"),
      emg_xml_child_text(emg_xml_child(info, "StringsDescriptions"), "OriginalSensor"),
      t->subtitle,
      t->title,
  };
  const char *chosen = t->title;

  for (size_t i = sizeof texts / sizeof texts[0]; i-- > 0;) {
    const emg_otb_map *map = emg_otb_map_of(texts[i]);
    if (map) {
      chosen = map->sensor;
    } else if (emg_otb_begins(texts[i], "HD") || emg_otb_begins(texts[i], "GR")) {
      chosen = texts[i];
    }
  }
  copy_text(t->sensor, sizeof t->sensor, chosen);
}

static void read_texts(const emg_xml *info, track *t) {
  copy_text(t->title, sizeof t->title, emg_xml_child_text(info, "Title"));
  copy_text(t->subtitle, sizeof t->subtitle, emg_xml_child_text(info, "SubTitle"));
  copy_text(t->muscle, sizeof t->muscle, emg_xml_child_text(info, "Muscle"));
  copy_text(t->units, sizeof t->units, emg_xml_child_text(info, "UnitOfMeasurement"));
  const char *device = emg_xml_child_text(info, "Device");
  emg_label_copy(t->device, sizeof t->device, device, strcspn(device, ";"));
  t->is_control = emg_otb_begins(emg_xml_child_text(info, "IsControl"), "true");
  t->is_processed = emg_otb_begins(emg_xml_child_text(info, "IsProcessing"), "true");
  find_sensor(info, t);
}

static emg_status read_numbers(const emg_xml *info, track *t, emg_error *err) {
  const emg_xml *grid = emg_xml_child(info, "Description");
  int64_t n;
  bool is_novecento = emg_otb_begins(t->device, "Novecento");

  EMG_TRY(emg_otb_integer(emg_xml_child_text(info, "NumberOfChannels"), "NumberOfChannels", 1,
                          EMG_OTB_CHANNELS_MAX, &n, err));
  t->n_channels = (int)n;
  EMG_TRY(emg_otb_number(emg_xml_child_text(info, "SamplingFrequency"), "SamplingFrequency", 1e-3,
                         1e6, &t->rate_hz, err));
  EMG_TRY(optional(info, "TotalChannelsInFile", EMG_OTB_CHANNELS_MAX, 0, &t->n_interleaved, err));
  EMG_TRY(optional(info, "ChannelsInBlock", EMG_OTB_CHANNELS_MAX, 0, &t->n_in_block, err));
  EMG_TRY(optional(info, "AcquisitionChannel", 1 << 20, 0, &t->acquisition_channel, err));
  EMG_TRY(optional(info, "ChannelOffsetInSubPacket", 1 << 20, 0, &t->offset, err));
  // older files do not state it: 32 bits for one device, 16 for all others
  EMG_TRY(optional(info, "SampleSize", 8, is_novecento ? 4 : 2, &t->sample_bytes, err));
  EMG_TRY(optional(info, "ADC_Nbits", 64, 0, &t->bits, err));
  EMG_TRY(optional_number(info, "ADC_Range", 1, &t->range_v, err));
  EMG_TRY(optional_number(info, "Gain", 1, &t->gain, err));
  EMG_TRY(
      optional_number(info, "UnitOfMeasurementFactor", t->units[0] ? 1 : 1000, &t->factor, err));
  EMG_TRY(optional(grid, "NRow", EMG_OTB_CHANNELS_MAX, 0, &t->n_rows, err));
  EMG_TRY(optional(grid, "NColumn", EMG_OTB_CHANNELS_MAX, 0, &t->n_columns, err));
  if (!t->units[0] && t->bits > 0) {
    memcpy(t->units, "mV", 3);
  }
  if (t->sample_bytes != 2 && t->sample_bytes != 3 && t->sample_bytes != 4 &&
      t->sample_bytes != 8) {
    return emg_fail(err, EMG_ERR_DATA, "SampleSize of track '%s' is %d; 2, 3, 4 and 8 are read",
                    t->title, t->sample_bytes);
  }
  return EMG_OK;
}

static emg_status add_track(otb4_reader *r, const emg_xml *info, bool is_feedback, emg_error *err) {
  const char *path = emg_xml_child_text(info, "SignalStreamPath");
  track t = {.is_feedback = is_feedback};
  char name[sizeof t.member->name];

  if (r->n_tracks == TRACKS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "the recording has more than %d tracks", TRACKS_MAX);
  }
  const char *slash = strrchr(path, '/');
  copy_text(name, sizeof name, slash ? slash + 1 : path);
  read_texts(info, &t);
  EMG_TRY(read_numbers(info, &t, err));
  t.member = emg_tar_find(r->tar, name);
  if (!t.member) {
    return emg_fail(err, EMG_ERR_DATA,
                    "track '%s' is in the signal file '%s', which is not in the "
                    "archive",
                    t.title, name);
  }
  if ((r->n_tracks & (r->n_tracks - 1)) == 0) {
    size_t capacity = r->n_tracks ? 2 * (size_t)r->n_tracks : 1;
    track *grown = realloc(r->tracks, capacity * sizeof *grown);
    if (!grown) {
      return emg_fail(err, EMG_ERR_MEMORY, "out of memory for %zu tracks", capacity);
    }
    r->tracks = grown;
  }
  r->tracks[r->n_tracks++] = t;
  return EMG_OK;
}

static emg_status read_tracks(otb4_reader *r, const emg_tar_member *member, bool is_feedback,
                              emg_error *err) {
  emg_xml_file *file;
  emg_status status = EMG_OK;

  EMG_TRY(emg_otb_read_xml(r->tar, member, &file, err));
  const emg_xml *root = emg_xml_root(file);
  if (strcmp(root->name, "ArrayOfTrackInfo") != 0) {
    status = emg_fail(err, EMG_ERR_DATA, "%s does not begin with ArrayOfTrackInfo", member->name);
  }
  for (const emg_xml *info = emg_xml_child(root, "TrackInfo"); info && status == EMG_OK;
       info = emg_xml_next(info, "TrackInfo")) {
    status = add_track(r, info, is_feedback, err);
  }
  emg_xml_free(file);
  return status;
}

static bool is_track_list(const char *name) {
  return (emg_otb_begins(name, "Tracks_") || emg_otb_begins(name, "TrapezoidalTracks_")) &&
         emg_otb_ends(name, ".xml");
}

static int compare_names(const void *a, const void *b) {
  const emg_tar_member *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

// Tracks_000.xml, ... and then TrapezoidalTracks_000.xml, ..., the feedback on a screen.
static emg_status read_all_tracks(otb4_reader *r, emg_error *err) {
  const emg_tar_member *found[FILES_MAX];
  int n_members, n = 0;
  const emg_tar_member *members = emg_tar_members(r->tar, &n_members);

  for (int i = 0; i < n_members && n < FILES_MAX; i++) {
    if (is_track_list(members[i].name)) {
      found[n++] = &members[i];
    }
  }
  qsort(found, (size_t)n, sizeof *found, compare_names);
  for (int i = 0; i < n; i++) {
    EMG_TRY(read_tracks(r, found[i], emg_otb_begins(found[i]->name, "Trapezoidal"), err));
  }
  return r->n_tracks > 0 ? EMG_OK : emg_fail(err, EMG_ERR_DATA, "the archive describes no tracks");
}

// --- where a track is in the frames of its signal file ---

typedef enum { BY_ACQUISITION_CHANNEL, BY_OFFSET, BY_ORDER, N_RULES } placement;

// Place the tracks of one file by a rule. False if one does not fit or two overlap.
static bool place_tracks(otb4_reader *r, const track *first, int n_interleaved, placement rule,
                         unsigned char *is_taken) {
  int next = 0;

  memset(is_taken, 0, (size_t)n_interleaved);
  for (int i = 0; i < r->n_tracks; i++) {
    track *t = &r->tracks[i];
    if (t->member != first->member) {
      continue;
    }
    t->first = rule == BY_ACQUISITION_CHANNEL ? t->acquisition_channel
               : rule == BY_OFFSET            ? t->offset
                                              : next;
    next += t->n_channels;
    if (t->first > n_interleaved - t->n_channels) {
      return false;
    }
    for (int c = t->first; c < t->first + t->n_channels; c++) {
      if (is_taken[c]++) {
        return false;
      }
    }
  }
  return true;
}

// The number of channels in a frame is stated, or that of the tracks together. Files differ in how
// they say where a track begins: the vendor's reader takes AcquisitionChannel, others met files
// where that counts through all signal files and ChannelOffsetInSubPacket fits; the oldest reader
// takes the tracks in their order.
static emg_status settle_file(otb4_reader *r, const track *first, int *n_interleaved,
                              bool *is_described, emg_error *err) {
  int64_t n_listed = 0;
  unsigned char *is_taken;
  bool fits = false;

  for (int i = 0; i < r->n_tracks; i++) {
    const track *t = &r->tracks[i];
    if (t->member == first->member) {
      n_listed += t->n_channels;
      if (t->sample_bytes != first->sample_bytes || t->rate_hz != first->rate_hz ||
          t->n_interleaved != first->n_interleaved) {
        return emg_fail(err, EMG_ERR_DATA,
                        "tracks '%s' and '%s' in %s differ in sample size, rate "
                        "or number of channels",
                        first->title, t->title, t->member->name);
      }
    }
  }
  int stated = first->n_interleaved ? first->n_interleaved : first->n_in_block;
  if (stated == 0 && n_listed > EMG_OTB_CHANNELS_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "the tracks in %s have %lld channels together",
                    first->member->name, (long long)n_listed);
  }
  *n_interleaved = stated ? stated : (int)n_listed;
  *is_described = n_listed == *n_interleaved;
  EMG_TRY(emg_alloc((size_t)*n_interleaved, 1, &is_taken, err));
  for (placement rule = BY_ACQUISITION_CHANNEL; rule < N_RULES && !fits; rule++) {
    fits = place_tracks(r, first, *n_interleaved, rule, is_taken);
  }
  free(is_taken);
  return fits ? EMG_OK
              : emg_fail(err, EMG_ERR_DATA,
                         "the tracks in %s have %lld channels together, the file has %d",
                         first->member->name, (long long)n_listed, *n_interleaved);
}

// --- channels ---

static bool is_emg_track(const track *t) {
  static const char *const words[] = {"quaternion", "buffer", "ramp",   "control", "load cell",
                                      "loadcell",   "force",  "torque", "trigger", "aux"};
  bool is_named_grid = emg_otb_map_of(t->sensor) || emg_otb_begins(t->sensor, "HD") ||
                       emg_otb_begins(t->sensor, "GR");

  if (t->is_control || t->is_processed || t->is_feedback || t->sample_bytes == 8 || t->bits == 0 ||
      emg_uv_per_unit(t->units) == 0) {
    return false;
  }
  for (size_t i = 0; i < sizeof words / sizeof words[0] && !is_named_grid; i++) {
    if (emg_otb_has_word(t->title, words[i]) || emg_otb_has_word(t->subtitle, words[i])) {
      return false;
    }
  }
  return true;
}

// OpenOTB4_v2.m: stored values of 8 bytes are physical; a gain of 0 or no converter mean counts.
static double units_per_count(const track *t) {
  if (t->sample_bytes == 8 || (t->bits > 0 && t->gain == 0)) {
    return 1;
  }
  return t->bits > 0 ? t->range_v / ldexp(1, t->bits) / t->gain * t->factor : t->factor;
}

static emg_status describe_emg(otb4_reader *r, const track *t, int place, emg_otb_channel *channel,
                               emg_error *err) {
  emg_otb_grid grid = {.place = place, .is_grid = t->n_channels > 1};

  if (t->gain <= 0 || t->range_v <= 0 || t->factor <= 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "track '%s' states a range of %g V, a gain of %g and a factor of %g; all must "
                    "be above 0",
                    t->title, t->range_v, t->gain, t->factor);
  }
  memcpy(grid.sensor, t->sensor, sizeof grid.sensor);
  memcpy(grid.muscle, t->muscle, sizeof grid.muscle);
  channel->is_emg = true;
  channel->scale = units_per_count(t) * emg_uv_per_unit(t->units);
  return emg_otb_grid_at(r->layout, &grid, &channel->grid, err);
}

static void describe_auxiliary(const track *t, int number, emg_otb_channel *channel) {
  char name[136];

  snprintf(name, sizeof name, "%s%s%s", t->title, t->title[0] && t->subtitle[0] ? " " : "",
           t->subtitle);
  emg_otb_name(channel->name, name[0] ? name : "auxiliary", number, t->n_channels);
  memcpy(channel->units, t->units, sizeof channel->units);
  channel->scale = units_per_count(t);
}

static emg_status add_channels(otb4_reader *r, int stream, emg_error *err) {
  const emg_tar_member *member = r->layout->streams[stream].member;

  for (int i = 0; i < r->n_tracks; i++) {
    const track *t = &r->tracks[i];
    bool is_emg = is_emg_track(t);
    for (int k = 0; k < t->n_channels && t->member == member; k++) {
      emg_otb_channel *channel;
      EMG_TRY(emg_otb_add_channel(r->layout, &channel, err));
      channel->stream = stream;
      channel->index = t->first + k;
      if (is_emg) {
        EMG_TRY(describe_emg(r, t, i, channel, err));
      } else {
        describe_auxiliary(t, k + 1, channel);
      }
      if (!(fabs(channel->scale) <= SCALE_MAX)) {
        return emg_fail(err, EMG_ERR_DATA, "track '%s' has a scale of %g %s per count", t->title,
                        channel->scale, is_emg ? "uV" : t->units);
      }
    }
  }
  return EMG_OK;
}

static emg_status add_file(otb4_reader *r, const track *first, emg_error *err) {
  emg_otb_stream *stream;
  int n_interleaved;
  bool is_described;

  EMG_TRY(settle_file(r, first, &n_interleaved, &is_described, err));
  EMG_TRY(emg_otb_add_stream(r->layout, &stream, err));
  *stream = (emg_otb_stream){.member = first->member,
                             .sample_bytes = first->sample_bytes,
                             .n_interleaved = n_interleaved,
                             .rate_hz = first->rate_hz};
  EMG_TRY(emg_otb_count_frames(stream, is_described, r->notes, err));
  return add_channels(r, r->layout->n_streams - 1, err);
}

static bool is_read(const otb4_reader *r, const emg_tar_member *member) {
  for (int s = 0; s < r->layout->n_streams; s++) {
    if (r->layout->streams[s].member == member) {
      return true;
    }
  }
  return false;
}

// --- the file ---

static emg_status describe_tracks(otb4_reader *r, emg_error *err) {
  EMG_TRY(read_all_tracks(r, err));
  for (int i = 0; i < r->n_tracks; i++) {
    if (!is_read(r, r->tracks[i].member)) {
      EMG_TRY(add_file(r, &r->tracks[i], err));
    }
  }
  return EMG_OK;
}

static emg_status describe(emg_tar *tar, emg_otb_layout *layout, emg_recording *notes,
                           emg_error *err) {
  otb4_reader reader = {.tar = tar, .layout = layout, .notes = notes};

  emg_status status = describe_tracks(&reader, err);
  free(reader.tracks);
  return status;
}

bool emg_otb4_probe(const emg_probe *probe) {
  bool is_found = false;
  emg_tar *tar;

  if (!emg_tar_probe(probe) || emg_tar_open(probe->path, &tar, NULL) != EMG_OK) {
    return false;
  }
  int n;
  const emg_tar_member *members = emg_tar_members(tar, &n);
  for (int i = 0; i < n && !is_found; i++) {
    is_found = is_track_list(members[i].name);
  }
  emg_tar_close(tar);
  return is_found;
}

emg_status emg_otb4_read(const char *path, const emg_read_options *options, emg_recording *out,
                         emg_error *err) {
  return emg_otb_read(path, "OTB4", describe, options, out, NULL, err);
}

emg_status emg_otb4_open_blocks(const char *path, const emg_read_options *options,
                                emg_recording *header, emg_blocks *blocks, emg_error *err) {
  *blocks = (emg_blocks){0};
  return emg_otb_read(path, "OTB4", describe, options, header, blocks, err);
}
