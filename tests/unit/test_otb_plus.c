// test_otb_plus.c -- recordings of OTBiolab+: the vendor's scales, grids, feedback, damage
#include "../otb_fixture.h"

#include "base/formats.h"

// --- descriptions made here ---

static void begin_device(pile *xml, const char *name, int n_channels, const char *bits) {
  pile_print(xml,
             "<?xml version=\"1.0\" encoding=\"utf-16\"?><Device Name=\"%s\" "
             "DeviceTotalChannels=\"%d\" SampleFrequency=\"2048\" ad_bits=\"%s\"><Channels>",
             name, n_channels, bits);
}

static void begin_adapter(pile *xml, const char *id, const char *gain, int index, int start) {
  pile_print(xml, "<Adapter ID=\"%s\" Gain=\"%s\" AdapterIndex=\"%d\" ChannelStartIndex=\"%d\">",
             id, gain, index, start);
}

static void add_channels(pile *xml, int n, const char *id, const char *description,
                         const char *prefix) {
  for (int k = 0; k < n; k++) {
    pile_print(xml,
               "<Channel ID=\"%s\" Prefix=\"%s\" Description=\"%s\" Gain=\"1\" Index=\"%d\" "
               "Muscle=\"\" Side=\"\"/>",
               id, prefix, description, k);
  }
}

static void end_device(pile *xml) {
  pile_print(xml, "</Channels></Device>");
}

// An adapter with all its channels.
static void add_adapter(pile *xml, const char *id, const char *gain, int index, int start, int n,
                        const char *sensor, const char *description, const char *prefix) {
  begin_adapter(xml, id, gain, index, start);
  add_channels(xml, n, sensor, description, prefix);
  pile_print(xml, "</Adapter>");
}

// An archive of this description, freed, and these samples.
static const char *write_recording(pile *xml, const void *samples, size_t n_bytes) {
  pile tar = {0};
  tar_add(&tar, "a.sig", samples, n_bytes);
  tar_add(&tar, "a.xml", xml->bytes, xml->n);
  pile_free(xml);
  return tar_write(&tar, "made.otb+");
}

static const char grid_text[] = "64 Adhesive Array 8 mm i.e.d.";

// --- what comes out ---

static void check_note(const emg_recording *rec, const char *fragment) {
  if (!has_note(rec, fragment)) {
    fail_msg("no note with '%s'; the last is '%s'", fragment,
             rec->n_notes > 0 ? rec->notes[rec->n_notes - 1] : "");
  }
}

static void a_whole_recording_comes_out(void **state) {
  (void)state;
  const char *const names[] = {"quattrocento.otb+", "gnu.otb+", "pax.otb+", "packed.otb+"};
  for (int i = 0; i < 4; i++) {
    emg_recording rec = read_or_die(otb_seed(names[i]), NULL);
    assert_string_equal(rec.format, "OTB+");
    assert_int_equal(rec.data.n_rows, 64);
    assert_int_equal(rec.data.n_cols, 5);
    assert_true(rec.rate_hz == 2048 && rec.is_physical && rec.pitch_mm == 8);
    check_note(&rec, "experimental reader: no real file");
    // sample k of channel c is 1000 k + c - 2000; 0.50863 uV per count, printed to 5 digits
    for (int c = 0; c < 64; c++) {
      for (int k = 0; k < 5; k++) {
        double counts = 1000 * k + c - 2000;
        assert_true(fabs(emg_row2f(&rec.data, c)[k] - 0.50863 * counts) <= 1e-5 * fabs(counts));
      }
      assert_string_equal(rec.channels[c].group, "GR08MM1305");
    }
    // electrodes 1 and 64 of the data sheet
    assert_int_equal(rec.channels[0].row, 1);
    assert_int_equal(rec.channels[0].column, 0);
    assert_int_equal(rec.channels[63].row, 12);
    assert_int_equal(rec.channels[63].column, 4);
    assert_true(rec.channels[63].x_mm == 32 && rec.channels[63].y_mm == 96);
    check_note(&rec, "GR08MM1305 on Tibialis Anterior Right");
    check_note(&rec, "1 markers: go at 0.0015 s");

    assert_int_equal(rec.aux.n_rows, 4);
    assert_string_equal(rec.aux_channels[0].name, "AUX  Force");
    assert_string_equal(rec.aux_channels[0].units, "mV");
    assert_true(fabs(emg_row2f(&rec.aux, 0)[0] - 0.1526 * (64 - 2000)) < 1e-4 * 2000 * 0.1526);
    assert_string_equal(rec.aux_channels[1].name, "Ramp");
    assert_true(emg_row2f(&rec.aux, 1)[4] == 4000 + 65 - 2000);  // not scaled
    // shorter than the EMG, named by its description; longer, named by its place
    assert_string_equal(rec.aux_channels[2].name, "performed");
    assert_string_equal(rec.aux_channels[2].units, "%");
    assert_true(emg_row2f(&rec.aux, 2)[2] == 2 && emg_row2f(&rec.aux, 2)[4] == 2);
    assert_string_equal(rec.aux_channels[3].name, "target");
    assert_true(emg_row2f(&rec.aux, 3)[4] == 4);
    check_note(&rec, "1 channels that are longer are cut, 1 that are shorter");
    emg_recording_free(&rec);
  }
}

// The products that the vendor's script writes out, in mV per count to five digits.
static void scales_are_the_vendors(void **state) {
  (void)state;
  static const struct {
    const char *device, *adapter, *sensor;
    double mv;
    bool is_emg;
  } table[] = {
      {"QUATTROCENTO", "AD1x64SE", "GR04MM1305", 0.00050863, true},
      {"QUATTRO;v2", "AD2x8", "CoDe2", 0.00050863, true},
      {"QUATTROCENTO", "Direct connection", "AUX  Force", 0.1526, false},
      {"QUATTROCENTO", "AdapterControl", "Ramp", 1, false},
      {"DUE+", "Due+", "CoDe1", 0.00024928, true},
      {"QUATTRO+", "Quattro+", "CoDe1", 0.00024928, true},
      {"QUATTRO+", "AdapterQuaternions", "Quaternion", 1, false},
      {"DUE", "Due", "CoDe1", 0.00038147, true},
      {"DUE", "AdapterControl", "Buffer", 1, false},
      {"SYNCSTATION", "Due+", "CoDe1", 0.00024928, true},
      {"SYNCSTATION", "Quattro+", "CoDe1", 0.00024928, true},
      {"SYNCSTATION", "Direct connection to Syncstation Input", "AUX  Force", 0.1526, false},
      {"SYNCSTATION", "AdapterLoadCell", "Load cell", 0.00037217, false},
      {"SYNCSTATION", "AdapterMuovi", "HD08MM1305", 0.00028610, true},
      {"SYNCSTATION", "AdapterControl", "Ramp", 1, false},
      {"MUOVI", "AdapterMuovi", "HD08MM1305", 0.00028610, true},
      {"MUOVI+", "AdapterMuovi", "HD08MM1305", 0.00028610, true},
      {"MUOVI", "AdapterQuaternions", "Quaternion", 1, false},
      {"SESSANTAQUATTRO", "AD1x64SE", "GR08MM1305", 0.00028610, true},
      {"SESSANTAQUATTRO+", "AD1x64SE", "GR08MM1305", 0.00028610, true},
      {"SOMETHING NEW", "AD1x64SE", "GR08MM1305", 0.00028610, true},
  };
  const emg_read_options options = {.allow_no_emg = true};

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const int16_t samples[] = {32767, -32768, 1000};
    pile xml = {0};
    begin_device(&xml, table[i].device, 1, "16");
    add_adapter(&xml, table[i].adapter, "1", 0, 0, 1, table[i].sensor, "sensor", "");
    end_device(&xml);
    emg_recording rec = read_or_die(write_recording(&xml, samples, sizeof samples), &options);
    assert_int_equal(rec.data.n_rows, table[i].is_emg);
    assert_int_equal(rec.aux.n_rows, !table[i].is_emg);
    const float *row = table[i].is_emg ? emg_row2f(&rec.data, 0) : emg_row2f(&rec.aux, 0);
    double per_count = table[i].is_emg ? 1e3 * table[i].mv : table[i].mv;
    for (int k = 0; k < 3; k++) {
      // the script's numbers have five digits, one has four
      if (fabs(row[k] / samples[k] - per_count) > 1.5e-4 * per_count) {
        fail_msg("%s, %s: %g per count, not %g", table[i].device, table[i].adapter,
                 (double)row[k] / samples[k], per_count);
      }
    }
    assert_int_equal(has_note(&rec, "not known"), strcmp(table[i].device, "SOMETHING NEW") == 0);
    emg_recording_free(&rec);
  }
}

static void the_gain_of_a_file_is_noted_and_only_used_where_it_is_chosen(void **state) {
  (void)state;
  const int16_t samples[] = {100, 200};
  pile xml = {0};
  begin_device(&xml, "QUATTROCENTO", 1, "16");
  add_adapter(&xml, "AD1x64SE", "500", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  emg_recording rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);
  check_note(&rec, "other gains than the vendor");
  assert_true(fabs(emg_row2f(&rec.data, 0)[0] - 50.863) < 1e-3);
  emg_recording_free(&rec);

  begin_device(&xml, "EMG-USB2+", 1, "12");
  add_adapter(&xml, "AD1x64SE", "1000", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);
  // 5 V, 12 bit: 1.2207 uV
  assert_true(fabs(emg_row2f(&rec.data, 0)[1] - 200 * 5e6 / 4096 / 1000) < 1e-3);
  emg_recording_free(&rec);

  begin_device(&xml, "EMG-USB2+", 1, "12");
  add_adapter(&xml, "AD1x64SE", "much", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  refuse(write_recording(&xml, samples, sizeof samples), "gain of 0");
}

static void samples_of_all_widths_are_read(void **state) {
  (void)state;
  const unsigned char three[] = {1, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0x80, 0xff, 0xff, 0x7f};
  const double expected[] = {1, -1, -8388608, 8388607};
  pile xml = {0};
  begin_device(&xml, "MUOVI", 1, "24");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  emg_recording rec = read_or_die(write_recording(&xml, three, sizeof three), NULL);
  assert_int_equal(rec.data.n_cols, 4);
  for (int k = 0; k < 4; k++) {
    double uv = 4.8e6 / 16777216 * expected[k];
    assert_true(fabs(emg_row2f(&rec.data, 0)[k] - uv) <= 1e-6 * fabs(uv));
  }
  emg_recording_free(&rec);

  const int32_t four[] = {1, -1};  // 8 bytes: no multiple of 3
  begin_device(&xml, "MUOVI", 1, "24");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  rec = read_or_die(write_recording(&xml, four, sizeof four), NULL);
  assert_int_equal(rec.data.n_cols, 2);
  check_note(&rec, "from four bytes");
  emg_recording_free(&rec);

  const int32_t wide[] = {INT32_MIN, INT32_MAX, 0};
  begin_device(&xml, "MUOVI", 1, "32");
  add_adapter(&xml, "AdapterControl", "1", 0, 0, 1, "Ramp", "s", "");
  end_device(&xml);
  rec = read_or_die(write_recording(&xml, wide, sizeof wide),
                    &(emg_read_options){.allow_no_emg = true});
  assert_true(emg_row2f(&rec.aux, 0)[0] == (float)INT32_MIN);
  assert_true(emg_row2f(&rec.aux, 0)[1] == (float)INT32_MAX);
  emg_recording_free(&rec);
}

// A grid over four inputs by a splitter, one on a multiple input, a second one of the first kind,
// and intramuscular wires.
static void several_grids_are_told_apart(void **state) {
  (void)state;
  enum { N = 64 + 64 + 64 + 16, FRAMES = 3 };
  static int16_t samples[FRAMES * N];
  pile xml = {0};

  begin_device(&xml, "QUATTROCENTO", N, "16");
  for (int k = 0; k < 4; k++) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "IN %d ", k + 1);
    add_adapter(&xml, "Splitter", "150", k, 16 * k, 16, "GR08MM1305", "Splitter 4x16", prefix);
  }
  add_adapter(&xml, "AD1x64SE", "150", 8, 64, 64, "HD04MM1305", grid_text, "MULTIPLE IN 1 ");
  add_adapter(&xml, "AD1x64SE", "150", 9, 128, 64, "GR08MM1305", grid_text, "MULTIPLE IN 2 ");
  add_adapter(&xml, "AD16", "150", 5, 192, 16, "iEMG", "16 channels iEMG", "IN 6 ");
  end_device(&xml);
  for (int k = 0; k < FRAMES * N; k++) {
    samples[k] = (int16_t)(k % N);
  }
  emg_recording rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);

  assert_int_equal(rec.data.n_rows, N);
  assert_string_equal(rec.channels[0].group, "GR08MM1305");
  assert_string_equal(rec.channels[63].group, "GR08MM1305");
  assert_int_equal(rec.channels[63].column, 4);  // electrode 64 although on the fourth input
  assert_string_equal(rec.channels[64].group, "HD04MM1305");
  assert_int_equal(rec.channels[64].column, 4);
  assert_int_equal(rec.channels[64].row, 1);
  assert_true(rec.channels[64].y_mm == 4);
  assert_string_equal(rec.channels[128].group, "GR08MM1305 (2)");
  assert_int_equal(rec.channels[128].row, 1);
  assert_string_equal(rec.channels[192].group, "iEMG");
  assert_int_equal(rec.channels[192].row, -1);
  assert_false(has_note(&rec, "no electrode positions"));
  for (int c = 0; c < N; c++) {
    assert_true(fabs(emg_row2f(&rec.data, c)[1] - 0.508626 * c) < 1e-3);
  }
  emg_recording_free(&rec);
}

static void an_unknown_grid_keeps_the_order_of_its_channels(void **state) {
  (void)state;
  const int16_t samples[32] = {0};
  pile xml = {0};
  begin_device(&xml, "MUOVI", 32, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 32, "GR10MM0804", "32 Adhesive Array", "");
  end_device(&xml);
  emg_recording rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);
  check_note(&rec, "no electrode positions for GR10MM0804 with 32 channels; --map");
  assert_int_equal(rec.channels[31].row, -1);
  assert_true(isnan(rec.channels[31].x_mm) && isnan(rec.pitch_mm));
  emg_recording_free(&rec);
  // a known one that is not whole
  begin_device(&xml, "MUOVI", 16, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 16, "GR08MM1305", "64 Adhesive Array", "");
  end_device(&xml);
  rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);
  check_note(&rec, "GR08MM1305 with 16 channels");
  assert_int_equal(rec.channels[0].row, -1);
  emg_recording_free(&rec);
}

static void lengths_that_do_not_fit_are_noted_or_refused(void **state) {
  (void)state;
  const int16_t samples[7] = {1, 2, 3, 4, 5, 6, 7};
  pile xml = {0};
  begin_device(&xml, "MUOVI", 2, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 2, "CoDe1", "s", "");
  end_device(&xml);
  emg_recording rec = read_or_die(write_recording(&xml, samples, sizeof samples), NULL);
  assert_int_equal(rec.data.n_cols, 3);
  check_note(&rec, "the last frame of a.sig is not whole (2 of 4 bytes)");
  emg_recording_free(&rec);
  // five channels of which two are described: the number may be wrong
  begin_device(&xml, "MUOVI", 5, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 2, "CoDe1", "s", "");
  end_device(&xml);
  refuse(write_recording(&xml, samples, sizeof samples), "no whole number of frames of 5 channels");
  begin_device(&xml, "MUOVI", 5, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 3, 2, "CoDe1", "s", "");
  end_device(&xml);
  rec = read_or_die(write_recording(&xml, samples, 10), NULL);
  check_note(&rec, "3 of 5 channels are not described");
  assert_true(emg_row2f(&rec.data, 0)[0] > 1.0f);  // the fourth of the frame
  emg_recording_free(&rec);
  begin_device(&xml, "MUOVI", 2, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 2, "CoDe1", "s", "");
  end_device(&xml);
  refuse(write_recording(&xml, samples, 0), "0 samples");
}

// The description with one piece of text replaced.
static void refuse_edited(const char *from, const char *to, const char *fragment) {
  const int16_t samples[8] = {0};
  pile xml = {0}, edited = {0};
  begin_device(&xml, "MUOVI", 2, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 2, "CoDe1", "s", "");
  end_device(&xml);
  char *at = strstr(xml.bytes, from);
  assert_non_null(at);
  pile_add(&edited, xml.bytes, (size_t)(at - xml.bytes));
  pile_add(&edited, to, strlen(to));
  pile_add(&edited, at + strlen(from), strlen(at + strlen(from)));
  pile_free(&xml);
  refuse(write_recording(&edited, samples, sizeof samples), fragment);
}

static void every_value_is_checked(void **state) {
  (void)state;
  refuse_edited("SampleFrequency=\"2048\"", "SampleFrequency=\"nan\"", "SampleFrequency is 'nan'");
  refuse_edited("SampleFrequency=\"2048\"", "SampleFrequency=\"0\"", "from 1 to 1e+06");
  refuse_edited("SampleFrequency=\"2048\"", "", "SampleFrequency is ''");
  refuse_edited("SampleFrequency=\"2048\"", "SampleFrequency=\"1e999\"", "from 1 to");
  refuse_edited("ad_bits=\"16\"", "ad_bits=\"64\"", "ad_bits is '64'");
  refuse_edited("ad_bits=\"16\"", "ad_bits=\"12.5\"", "not a whole number");
  refuse_edited("DeviceTotalChannels=\"2\"", "DeviceTotalChannels=\"0\"", "DeviceTotalChannels");
  refuse_edited("DeviceTotalChannels=\"2\"", "DeviceTotalChannels=\"99999999\"", "from 1 to 4096");
  refuse_edited("DeviceTotalChannels=\"2\"", "DeviceTotalChannels=\"1\"", "Index of a channel");
  refuse_edited("ChannelStartIndex=\"0\"", "ChannelStartIndex=\"-1\"", "ChannelStartIndex");
  refuse_edited("ChannelStartIndex=\"0\"", "ChannelStartIndex=\"5\"", "ChannelStartIndex");
  refuse_edited("Index=\"1\"", "Index=\"0\"", "two channels are described at place 1");
  refuse_edited("<Channels>", "<Others>", "not readable XML");
}

static void archives_that_are_no_recording_say_so(void **state) {
  (void)state;
  pile tar = {0};
  tar_add_text(&tar, "a.txt", "hello");
  refuse(tar_write(&tar, "other.tar"), "0 .sig files; it is no recording of OT Bioelettronica");
  tar_add_text(&tar, "a.sig", "1234");
  tar_add_text(&tar, "b.xml", "<Device/>");
  refuse(tar_write(&tar, "other.tar"), "no XML file of the same name");
  tar_add_text(&tar, "a.sig", "1234");
  tar_add_text(&tar, "a.xml", "<Project/>");
  refuse(tar_write(&tar, "other.tar"), "does not begin with Device");
  tar_add_text(&tar, "a.sig", "1234");
  tar_add_text(&tar, "a.xml",
               "<Device Name='x' SampleFrequency='1' ad_bits='16' DeviceTotalChannels='1'/>");
  refuse(tar_write(&tar, "other.tar"), "lists no channels");
  tar_add_text(&tar, "a.sig", "1234");
  tar_add_text(&tar, "a.xml", "<!DOCTYPE d [<!ENTITY e 'x'>]><Device Name='&e;'/>");
  refuse(tar_write(&tar, "other.tar"), "document type declaration");
  // auxiliary channels alone
  pile xml = {0};
  const int16_t samples[2] = {0};
  begin_device(&xml, "MUOVI", 1, "16");
  add_adapter(&xml, "AdapterControl", "1", 0, 0, 1, "Ramp", "s", "");
  end_device(&xml);
  refuse(write_recording(&xml, samples, sizeof samples), "holds no EMG; it holds Ramp");
}

static void feedback_has_any_length_and_rate(void **state) {
  (void)state;
  int16_t samples[16];
  double values[64];
  for (int k = 0; k < 64; k++) {
    values[k] = k;
    samples[k % 16] = (int16_t)k;
  }
  values[1] = NAN;
  pile xml = {0}, tar = {0};
  begin_device(&xml, "MUOVI", 1, "16");
  add_adapter(&xml, "AdapterMuovi", "1", 0, 0, 1, "CoDe1", "s", "");
  end_device(&xml);
  tar_add(&tar, "a.xml", xml.bytes, xml.n);
  pile_free(&xml);
  tar_add(&tar, "a.sig", samples, sizeof samples);
  tar_add(&tar, "4.sip", values, 20);  // two values and a half
  tar_add(&tar, "1.sip", values, 7);   // none
  tar_add(&tar, "2.sip", values, sizeof values);
  tar_add(&tar, "3.sip", values + 2, 64);  // 8 at half the rate
  tar_add_text(&tar, "3.pro", "<p><fsample>1024</fsample><description>slow</description></p>");
  emg_recording rec = read_or_die(tar_write(&tar, "feedback.otb+"), NULL);
  assert_int_equal(rec.aux.n_rows, 3);
  assert_string_equal(rec.aux_channels[0].name, "performed path");
  assert_true(emg_row2f(&rec.aux, 0)[1] == 0);  // not finite
  assert_true(emg_row2f(&rec.aux, 0)[15] == 15);
  assert_string_equal(rec.aux_channels[1].name, "slow");
  assert_true(emg_row2f(&rec.aux, 1)[0] == 2 && emg_row2f(&rec.aux, 1)[5] == 4.5f);
  assert_true(emg_row2f(&rec.aux, 1)[14] == 9 && emg_row2f(&rec.aux, 1)[15] == 9);
  assert_string_equal(rec.aux_channels[2].name, "feedback 4");
  assert_int_equal(rec.data.n_cols, 16);
  check_note(&rec, "1 channels at another rate");
  emg_recording_free(&rec);
}

// Wherever a file is cut or a byte is wrong, it is read or refused.
static void damaged_files_are_read_or_refused(void **state) {
  (void)state;
  const emg_read_options options = {.allow_no_emg = true};
  const char *const names[] = {"quattrocento.otb+", "novecento.otb4"};
  for (int f = 0; f < 2; f++) {
    size_t n;
    char *bytes = fixture_slurp(otb_seed(names[f]), &n);
    for (size_t i = 0; i < 300; i++) {
      emg_recording rec;
      size_t at = i * 7919 % n, length = i % 3 == 0 ? at : n;
      char kept = bytes[at];
      bytes[at] = (char)(kept ^ (1 << i % 8));
      if (emg_recording_read(fixture_write("damaged", bytes, length), &options, &rec, NULL) ==
          EMG_OK) {
        for (int c = 0; c < rec.data.n_rows; c++) {
          for (int64_t k = 0; k < rec.data.n_cols; k++) {
            assert_true(isfinite(emg_row2f(&rec.data, c)[k]));
          }
        }
        emg_recording_free(&rec);
      }
      bytes[at] = kept;
    }
    free(bytes);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_recording_comes_out),
      cmocka_unit_test(scales_are_the_vendors),
      cmocka_unit_test(the_gain_of_a_file_is_noted_and_only_used_where_it_is_chosen),
      cmocka_unit_test(samples_of_all_widths_are_read),
      cmocka_unit_test(several_grids_are_told_apart),
      cmocka_unit_test(an_unknown_grid_keeps_the_order_of_its_channels),
      cmocka_unit_test(lengths_that_do_not_fit_are_noted_or_refused),
      cmocka_unit_test(every_value_is_checked),
      cmocka_unit_test(archives_that_are_no_recording_say_so),
      cmocka_unit_test(feedback_has_any_length_and_rate),
      cmocka_unit_test(damaged_files_are_read_or_refused),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
