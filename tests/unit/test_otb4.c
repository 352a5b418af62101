// test_otb4.c -- recordings in .otb4: tracks, signal files, scales, feedback, damage
#include "../otb_fixture.h"

#include "base/formats.h"

// --- descriptions made here ---

// A track with what is said of it beside its name, file and number of channels.
static void add_track(pile *xml, const char *title, const char *stream, int n, const char *more) {
  pile_print(xml,
             "<TrackInfo><Title>%s</Title><SignalStreamPath>%s</SignalStreamPath>"
             "<NumberOfChannels>%d</NumberOfChannels>%s</TrackInfo>",
             title, stream, n, more);
}

#define CONVERTER                                                                      \
  "<SamplingFrequency>2000</SamplingFrequency><Gain>8</Gain><ADC_Nbits>16</ADC_Nbits>" \
  "<ADC_Range>2.4</ADC_Range>"

// An archive of these tracks, freed, and one or two signal files.
static const char *write_tracks(pile *tracks, const void *a, size_t n_a, const void *b,
                                size_t n_b) {
  pile tar = {0}, xml = {0};
  pile_print(&xml, "<?xml version='1.0'?><ArrayOfTrackInfo xmlns:x='y'>");
  pile_add(&xml, tracks->bytes, tracks->n);
  pile_print(&xml, "</ArrayOfTrackInfo>");
  tar_add(&tar, "Tracks_000.xml", xml.bytes, xml.n);
  tar_add(&tar, "a.sig", a, n_a);
  if (b) {
    tar_add(&tar, "b.sig", b, n_b);
  }
  pile_free(&xml);
  pile_free(tracks);
  return tar_write(&tar, "made.otb4");
}

static bool is_near(double value, double expected) {
  return fabs(value - expected) <= 2e-6 * fabs(expected);
}

// --- what comes out ---

static void a_novecento_recording_comes_out(void **state) {
  (void)state;
  emg_recording rec = read_or_die(otb_seed("novecento.otb4"), NULL);
  const double mv = 4.8 / 65536 / 2 * 1000;

  assert_string_equal(rec.format, "OTB4");
  assert_true(has_note(&rec, "experimental reader: no real file"));
  assert_int_equal(rec.data.n_rows, 33);
  assert_int_equal(rec.data.n_cols, 6);
  assert_true(rec.rate_hz == 2048 && rec.pitch_mm == 10);
  for (int c = 0; c < 32; c++) {
    for (int k = 0; k < 6; k++) {
      assert_true(is_near(emg_row2f(&rec.data, c)[k], 1e3 * mv * (100 * k + c)));
    }
    assert_int_equal(rec.channels[c].column, c / 8);
    assert_int_equal(rec.channels[c].row, c % 8);
    assert_string_equal(rec.channels[c].group, "HD10MM0804");
  }
  // the second channel of its file, by its offset
  assert_string_equal(rec.channels[32].group, "IN2");
  assert_true(is_near(emg_row2f(&rec.data, 32)[3], 1e3 * mv * 3));

  assert_int_equal(rec.aux.n_rows, 4);
  assert_string_equal(rec.aux_channels[0].name, "AUX 1");
  assert_string_equal(rec.aux_channels[0].units, "V");
  assert_true(is_near(emg_row2f(&rec.aux, 0)[0], 7e-3 * mv));
  // counts at twice the rate: every second one
  assert_string_equal(rec.aux_channels[2].name, "Control 2");
  assert_true(emg_row2f(&rec.aux, 2)[5] == 21);
  // physical values at a quarter of the rate: linear between, the last held
  assert_string_equal(rec.aux_channels[3].name, "Feedback Performed");
  assert_string_equal(rec.aux_channels[3].units, "%");
  assert_true(emg_row2f(&rec.aux, 3)[0] == 1 && emg_row2f(&rec.aux, 3)[1] == 2);
  assert_true(emg_row2f(&rec.aux, 3)[4] == 5 && emg_row2f(&rec.aux, 3)[5] == 5);
  assert_true(has_note(&rec, "3 channels at another rate"));
  emg_recording_free(&rec);
}

// Files of the first kind: one signal file of 16 bit, tracks in their order, no sizes stated.
static void an_older_file_is_read_in_the_order_of_its_tracks(void **state) {
  (void)state;
  enum { N = 64 + 1 + 4, FRAMES = 4 };
  static int16_t samples[FRAMES * N];
  pile xml = {0};

  add_track(&xml, "Muovi", "a.sig", 64,
            "<Device>Muovi+;7</Device>" CONVERTER
            "<SubTitle>HD08MM1305</SubTitle><Muscle>Biceps</Muscle>");
  add_track(&xml, "AUX", "a.sig", 1, CONVERTER);
  add_track(&xml, "Quaternions", "a.sig", 4, CONVERTER);
  for (int k = 0; k < FRAMES * N; k++) {
    samples[k] = (int16_t)(k - 100);
  }
  emg_recording rec = read_or_die(write_tracks(&xml, samples, sizeof samples, NULL, 0), NULL);
  assert_int_equal(rec.data.n_rows, 64);
  assert_int_equal(rec.data.n_cols, FRAMES);
  assert_string_equal(rec.channels[0].group, "HD08MM1305");
  assert_int_equal(rec.channels[0].row, 1);
  assert_int_equal(rec.channels[0].column, 4);
  assert_true(has_note(&rec, "HD08MM1305 on Biceps"));
  for (int c = 0; c < 64; c++) {
    assert_true(is_near(emg_row2f(&rec.data, c)[2], 2.4e6 / 65536 / 8 * (2 * N + c - 100)));
  }
  assert_int_equal(rec.aux.n_rows, 5);
  assert_string_equal(rec.aux_channels[0].name, "AUX");
  assert_string_equal(rec.aux_channels[0].units, "mV");
  assert_string_equal(rec.aux_channels[4].name, "Quaternions 4");
  assert_true(is_near(emg_row2f(&rec.aux, 4)[3], 2.4e3 / 65536 / 8 * (3 * N + N - 1 - 100)));
  emg_recording_free(&rec);
}

static void a_novecento_file_without_sizes_has_32_bits(void **state) {
  (void)state;
  const int32_t samples[] = {70000, -70000};
  pile xml = {0};
  add_track(&xml, "IN1", "a.sig", 1,
            "<Device>Novecento+</Device>" CONVERTER "<ChannelsInBlock>1</ChannelsInBlock>");
  emg_recording rec = read_or_die(write_tracks(&xml, samples, sizeof samples, NULL, 0), NULL);
  assert_int_equal(rec.data.n_cols, 2);
  assert_true(is_near(emg_row2f(&rec.data, 0)[1], -70000 * 2.4e6 / 65536 / 8));
  emg_recording_free(&rec);
}

static void tracks_are_placed_by_what_fits(void **state) {
  (void)state;
  const int16_t samples[] = {10, 20, 30, 40};
  static const struct {
    const char *first, *second;
    float expected[2];  // counts of the two tracks
  } table[] = {
      // within the file, the second track before the first
      {"<AcquisitionChannel>3</AcquisitionChannel>",
       "<AcquisitionChannel>0</AcquisitionChannel>",
       {40, 10}},
      // all alike: by offset
      {"<ChannelOffsetInSubPacket>1</ChannelOffsetInSubPacket>",
       "<ChannelOffsetInSubPacket>2</ChannelOffsetInSubPacket>",
       {20, 30}},
      // counted through files: by offset
      {"<AcquisitionChannel>7</AcquisitionChannel>"
       "<ChannelOffsetInSubPacket>2</ChannelOffsetInSubPacket>",
       "<AcquisitionChannel>8</AcquisitionChannel>",
       {30, 10}},
      // nothing said: by order
      {"", "", {10, 20}},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    char text[2][600];
    pile xml = {0};
    snprintf(text[0], 600, CONVERTER "<TotalChannelsInFile>4</TotalChannelsInFile>%s",
             table[i].first);
    snprintf(text[1], 600, CONVERTER "<TotalChannelsInFile>4</TotalChannelsInFile>%s",
             table[i].second);
    add_track(&xml, "IN1", "a.sig", 1, text[0]);
    add_track(&xml, "IN2", "a.sig", 1, text[1]);
    emg_recording rec = read_or_die(write_tracks(&xml, samples, sizeof samples, NULL, 0), NULL);
    for (int c = 0; c < 2; c++) {
      assert_true(is_near(emg_row2f(&rec.data, c)[0], table[i].expected[c] * 2.4e6 / 65536 / 8));
    }
    emg_recording_free(&rec);
  }
}

static void units_give_the_scale(void **state) {
  (void)state;
  static const struct {
    const char *unit, *factor;
    double uv;  // per volt
  } table[] = {{"mV", "1000", 1e6}, {"\xc2\xb5V", "1000000", 1e6}, {"V", "1", 1e6}};
  const int16_t samples[] = {1000};
  for (int i = 0; i < 3; i++) {
    char text[600];
    pile xml = {0};
    snprintf(text, sizeof text,
             CONVERTER
             "<UnitOfMeasurement>%s</UnitOfMeasurement>"
             "<UnitOfMeasurementFactor>%s</UnitOfMeasurementFactor>",
             table[i].unit, table[i].factor);
    add_track(&xml, "IN1", "a.sig", 1, text);
    emg_recording rec = read_or_die(write_tracks(&xml, samples, sizeof samples, NULL, 0), NULL);
    assert_true(is_near(emg_row2f(&rec.data, 0)[0], 1000 * 2.4 / 65536 / 8 * table[i].uv));
    emg_recording_free(&rec);
  }
}

static void what_is_no_emg_is_kept_beside_it(void **state) {
  (void)state;
  static const char *const titles[] = {"AUX 2",   "Load Cell", "Buffer", "Ramp",
                                       "Control", "Trigger",   "Other"};
  const int16_t samples[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  pile xml = {0};
  add_track(&xml, "IN1", "a.sig", 1, CONVERTER);
  for (int i = 0; i < 6; i++) {
    add_track(&xml, titles[i], "a.sig", 1, CONVERTER);
  }
  add_track(&xml, "Other", "a.sig", 1, CONVERTER "<UnitOfMeasurement>N</UnitOfMeasurement>");
  emg_recording rec = read_or_die(write_tracks(&xml, samples, sizeof samples, NULL, 0), NULL);
  assert_int_equal(rec.data.n_rows, 1);
  assert_int_equal(rec.aux.n_rows, 7);
  for (int i = 0; i < 7; i++) {
    assert_string_equal(rec.aux_channels[i].name, titles[i]);
  }
  assert_string_equal(rec.aux_channels[6].units, "N");
  emg_recording_free(&rec);
}

static void emg_at_a_rate_of_its_own_is_set_aside(void **state) {
  (void)state;
  const int16_t a[8] = {0, 0, 1, 1, 2, 2, 3, 3}, b[2] = {10, 20};
  pile xml = {0};
  add_track(&xml, "IN1", "a.sig", 2, CONVERTER);
  add_track(&xml, "IN2", "b.sig", 1,
            "<SamplingFrequency>500</SamplingFrequency><Gain>8</Gain><ADC_Nbits>16</ADC_Nbits>"
            "<ADC_Range>2.4</ADC_Range>");
  emg_recording rec = read_or_die(write_tracks(&xml, a, sizeof a, b, sizeof b), NULL);
  assert_int_equal(rec.data.n_rows, 2);
  assert_true(rec.rate_hz == 2000);
  assert_int_equal(rec.aux.n_rows, 1);
  assert_string_equal(rec.aux_channels[0].name, "IN2");
  assert_string_equal(rec.aux_channels[0].units, "uV");
  assert_true(is_near(emg_row2f(&rec.aux, 0)[2], 15 * 2.4e6 / 65536 / 8));
  assert_true(has_note(&rec, "1 EMG channels have another rate than 2000 Hz"));
  emg_recording_free(&rec);
}

static void the_shortest_signal_file_gives_the_length(void **state) {
  (void)state;
  const int16_t a[8] = {0, 1, 2, 3, 4, 5, 6, 7}, b[5] = {0, 1, 2, 3, 4};
  pile xml = {0};
  add_track(&xml, "IN1", "a.sig", 1, CONVERTER);
  add_track(&xml, "IN2", "b.sig", 1, CONVERTER);
  emg_recording rec = read_or_die(write_tracks(&xml, a, sizeof a, b, sizeof b), NULL);
  assert_int_equal(rec.data.n_cols, 5);
  assert_true(has_note(&rec, "1 channels that are longer are cut"));
  emg_recording_free(&rec);
}

// One track with a piece of its description replaced, and eight bytes.
static void refuse_edited(const char *from, const char *to, const char *fragment) {
  const char original[] = CONVERTER
      "<TotalChannelsInFile>2</TotalChannelsInFile>"
      "<SampleSize>2</SampleSize>";
  const int16_t samples[4] = {0};
  char text[900];
  pile xml = {0};
  const char *at = strstr(original, from);
  assert_non_null(at);
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - original), original, to, at + strlen(from));
  add_track(&xml, "IN1", "a.sig", 2, text);
  refuse(write_tracks(&xml, samples, sizeof samples, NULL, 0), fragment);
}

static void every_value_is_checked(void **state) {
  (void)state;
  refuse_edited("<SamplingFrequency>2000", "<SamplingFrequency>x", "SamplingFrequency is 'x'");
  refuse_edited("<SamplingFrequency>2000", "<SamplingFrequency>0", "SamplingFrequency is '0'");
  refuse_edited("<Gain>8", "<Gain>0", "a gain of 0");
  refuse_edited("<Gain>8", "<Gain>-1", "a gain of -1");
  refuse_edited("<Gain>8", "<Gain>inf", "Gain is 'inf'");
  refuse_edited("<Gain>8", "<Gain>1e-300", "a scale of 3.6");
  refuse_edited("<ADC_Nbits>16", "<ADC_Nbits>99", "ADC_Nbits is '99'");
  refuse_edited("<ADC_Range>2.4", "<ADC_Range>nan", "ADC_Range is 'nan'");
  refuse_edited("<SampleSize>2", "<SampleSize>5", "SampleSize of track 'IN1' is 5");
  refuse_edited("<SampleSize>2", "<SampleSize>0", "SampleSize");
  refuse_edited("InFile>2", "InFile>1", "have 2 channels together, the file has 1");
  refuse_edited("InFile>2", "InFile>3", "no whole number of frames of 3 channels");
  refuse_edited("InFile>2", "InFile>1000000", "TotalChannelsInFile");
}

static void tracks_that_contradict_each_other_are_refused(void **state) {
  (void)state;
  const int16_t samples[8] = {0};
  pile xml = {0};
  add_track(&xml, "IN1", "a.sig", 1, CONVERTER);
  add_track(&xml, "IN2", "a.sig", 1, CONVERTER "<SampleSize>4</SampleSize>");
  refuse(write_tracks(&xml, samples, sizeof samples, NULL, 0), "differ in sample size");
  add_track(&xml, "IN1", "c.sig", 1, CONVERTER);
  refuse(write_tracks(&xml, samples, sizeof samples, NULL, 0), "'c.sig', which is not in the");
  add_track(&xml, "IN1", "a.sig", 0, CONVERTER);
  refuse(write_tracks(&xml, samples, sizeof samples, NULL, 0), "NumberOfChannels is '0'");
  pile_print(&xml, " ");
  refuse(write_tracks(&xml, samples, sizeof samples, NULL, 0), "describes no tracks");
  pile tar = {0};
  tar_add_text(&tar, "Tracks_000.xml", "<Tracks/>");
  refuse(tar_write(&tar, "other.otb4"), "does not begin with ArrayOfTrackInfo");
  tar_add_text(&tar, "Tracks_000.xml", "<ArrayOfTrackInfo>");
  refuse(tar_write(&tar, "other.otb4"), "Tracks_000.xml is not readable XML: line 1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_novecento_recording_comes_out),
      cmocka_unit_test(an_older_file_is_read_in_the_order_of_its_tracks),
      cmocka_unit_test(a_novecento_file_without_sizes_has_32_bits),
      cmocka_unit_test(tracks_are_placed_by_what_fits),
      cmocka_unit_test(units_give_the_scale),
      cmocka_unit_test(what_is_no_emg_is_kept_beside_it),
      cmocka_unit_test(emg_at_a_rate_of_its_own_is_set_aside),
      cmocka_unit_test(the_shortest_signal_file_gives_the_length),
      cmocka_unit_test(every_value_is_checked),
      cmocka_unit_test(tracks_that_contradict_each_other_are_refused),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
