// test_tar.c -- members of tar archives, plain and compressed, and what is refused
#include "../otb_fixture.h"

#include <zlib.h>

#include "base/formats/tar_priv.h"

static emg_tar *open_or_die(const char *path) {
  emg_tar *tar;
  emg_error err = {0};
  if (emg_tar_open(path, &tar, &err) != EMG_OK) {
    fail_msg("%s: %s", path, emg_error_message(&err));
  }
  return tar;
}

static void refuse_tar(const char *path, const char *fragment) {
  emg_tar *tar;
  emg_error err = {0};
  assert_int_equal(emg_tar_open(path, &tar, &err), EMG_ERR_DATA);
  assert_null(tar);
  if (!strstr(emg_error_message(&err), fragment)) {
    fail_msg("'%s' without '%s'", emg_error_message(&err), fragment);
  }
}

static void check_text(emg_tar *tar, const char *name, const char *text) {
  char *bytes;
  const emg_tar_member *member = emg_tar_find(tar, name);
  assert_non_null(member);
  assert_int_equal(emg_tar_slurp(tar, member, 1000, &bytes, NULL), EMG_OK);
  assert_string_equal(bytes, text);
  free(bytes);
}

// Python wrote them as ustar, GNU with long names, pax with long names in UTF-8, and gzip.
static void archives_of_all_kinds_have_the_same_members(void **state) {
  (void)state;
  const char *const names[] = {"quattrocento.otb+", "gnu.otb+", "pax.otb+", "packed.otb+"};
  for (int i = 0; i < 4; i++) {
    emg_tar *tar = open_or_die(otb_seed(names[i]));
    int n;
    const emg_tar_member *members = emg_tar_members(tar, &n);
    assert_int_equal(n, 8);
    assert_string_equal(members[0].name, "2026.xml");
    assert_string_equal(members[1].name, "2026.sig");
    assert_int_equal(members[1].n_bytes, 660);
    assert_int_equal(members[3].n_bytes, 0);
    check_text(tar, "patient.xml", "<Patient/>");
    unsigned char word[2];
    // 1000 * 4 + 65 - 2000, the last sample
    assert_int_equal(emg_tar_read(tar, &members[1], 658, 2, word, NULL), EMG_OK);
    assert_int_equal(word[0] | word[1] << 8, 2065);
    assert_int_equal(emg_tar_read(tar, &members[1], 0, 2, word, NULL), EMG_OK);  // backwards
    assert_int_equal((int16_t)(word[0] | word[1] << 8), -2000);
    emg_tar_close(tar);
  }
}

static void folders_links_and_devices_are_passed_over(void **state) {
  (void)state;
  pile tar = {0};
  tar_header(&tar, "folder/", '5', 0);
  tar_header(&tar, "link", '2', 12345);  // a size that means nothing
  tar_header(&tar, "device", '3', 0);
  tar_add_text(&tar, "../../etc/a", "one");
  tar_add_text(&tar, "C:\\b", "two");
  tar_add_text(&tar, "a", "three");  // replaces the first
  emg_tar *opened = open_or_die(tar_write(&tar, "links.tar"));
  int n;
  const emg_tar_member *members = emg_tar_members(opened, &n);
  assert_int_equal(n, 3);
  assert_string_equal(members[0].name, "a");
  assert_string_equal(members[1].name, "b");
  check_text(opened, "a", "three");
  assert_null(emg_tar_find(opened, "link"));
  emg_tar_close(opened);
}

static void sizes_may_be_binary_or_in_pax_records(void **state) {
  (void)state;
  pile tar = {0};
  tar_header(&tar, "binary", '0', 0);
  memset(tar.bytes + 124, 0, 12);
  tar.bytes[124] = (char)0x80;
  tar.bytes[135] = 5;
  tar_sign(tar.bytes);
  pile_add(&tar, "hello", 5);
  tar_pad(&tar);
  tar_add_text(&tar, "pax", "21 path=folder/named\n9 size=5\n11 other=1\n");
  tar.bytes[1024 + 156] = 'x';
  tar_sign(tar.bytes + 1024);
  tar_header(&tar, "unnamed", '0', 0);
  pile_add(&tar, "world", 5);
  tar_pad(&tar);
  emg_tar *opened = open_or_die(tar_write(&tar, "sizes.tar"));
  check_text(opened, "binary", "hello");
  check_text(opened, "named", "world");
  assert_null(emg_tar_find(opened, "unnamed"));
  emg_tar_close(opened);
}

static void broken_pax_records_are_left_out(void **state) {
  (void)state;
  const char *const records[] = {"",         "99999999999999999999 path=a\n",
                                 "5",        "0 path=a\n",
                                 "3 path=a", "x path=a\n",
                                 "8 path=",  "-7 path=a\n",
                                 "6 size="};
  for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
    pile tar = {0};
    tar_add_text(&tar, "pax", records[i]);
    tar.bytes[156] = 'x';
    tar_sign(tar.bytes);
    tar_add_text(&tar, "kept", "text");
    emg_tar *opened = open_or_die(tar_write(&tar, "pax.tar"));
    int n;
    emg_tar_members(opened, &n);
    assert_int_equal(n, 1);
    emg_tar_close(opened);
  }
}

static void claims_the_archive_cannot_hold_are_refused(void **state) {
  (void)state;
  const unsigned long long sizes[] = {4, 1000, 1ULL << 32};
  for (int i = 0; i < 3; i++) {
    pile tar = {0};
    tar_header(&tar, "claim", '0', sizes[i]);
    const char *path = fixture_write("claim.tar", tar.bytes, tar.n);
    pile_free(&tar);
    refuse_tar(path, "claim in the archive claims");
  }
  // the largest number that fits in the field
  pile tar = {0};
  tar_header(&tar, "claim", '0', 0);
  memset(tar.bytes + 124, 0xff, 12);
  tar.bytes[124] = (char)0x80;
  tar_sign(tar.bytes);
  refuse_tar(fixture_write("claim.tar", tar.bytes, tar.n), "no tar header");
  memset(tar.bytes + 124, 0, 5);
  tar.bytes[124] = (char)0x80;
  tar.bytes[128] = 0x7f;
  tar_sign(tar.bytes);
  refuse_tar(fixture_write("claim.tar", tar.bytes, tar.n), "the archive ends before");
  pile_free(&tar);
}

static void damaged_archives_are_refused(void **state) {
  (void)state;
  pile tar = {0};
  tar_add_text(&tar, "a", "text");
  tar_add_text(&tar, "b", "text");
  refuse_tar(fixture_write("cut.tar", tar.bytes, 1024 + 200), "ends inside a header");
  tar.bytes[1024 + 3] ^= 1;
  refuse_tar(fixture_write("bad.tar", tar.bytes, tar.n),
             "byte 1024 of the archive is no tar header");
  tar.bytes[1024 + 3] ^= 1;
  tar.bytes[1024 + 156] = 'S';
  tar_sign(tar.bytes + 1024);
  refuse_tar(fixture_write("sparse.tar", tar.bytes, tar.n), "sparse");
  pile_free(&tar);
  for (int i = 0; i < 10001; i++) {
    tar_header(&tar, "many", '0', 0);
  }
  refuse_tar(fixture_write("many.tar", tar.bytes, tar.n), "more than 10000 headers");
  pile_free(&tar);
}

// What is listed of a cut archive is there to its last byte.
static void cut_compressed_archives_hold_what_they_list(void **state) {
  (void)state;
  size_t n;
  int n_refused = 0;
  char *bytes = fixture_slurp(otb_seed("packed.otb+"), &n);
  for (size_t length = 20; length < n; length += 41) {
    emg_tar *tar;
    emg_status status = emg_tar_open(fixture_write("cut.gz", bytes, length), &tar, NULL);
    assert_true(status == EMG_OK || status == EMG_ERR_DATA);
    n_refused += status != EMG_OK;
    int n_members = 0;
    const emg_tar_member *members = status == EMG_OK ? emg_tar_members(tar, &n_members) : NULL;
    for (int i = 0; i < n_members; i++) {
      char *whole;
      assert_int_equal(emg_tar_slurp(tar, &members[i], 100000, &whole, NULL), EMG_OK);
      free(whole);
    }
    emg_tar_close(status == EMG_OK ? tar : NULL);
  }
  assert_true(n_refused > 20);
  free(bytes);
}

// A few kilobytes that claim, and unpack to, more than is read.
static void a_compressed_bomb_is_not_unpacked(void **state) {
  (void)state;
  pile tar = {0};
  tar_header(&tar, "bomb", '0', 3ULL << 30);
  const char *path = fixture_path("bomb.gz");
  gzFile file = gzopen(path, "wb");
  assert_true(gzwrite(file, tar.bytes, (unsigned)tar.n) > 0);
  assert_int_equal(gzclose(file), Z_OK);
  pile_free(&tar);
  refuse_tar(path, "1 GiB");
}

static void members_are_read_within_limits(void **state) {
  (void)state;
  emg_tar *tar = open_or_die(otb_seed("quattrocento.otb+"));
  char *bytes;
  assert_int_equal(emg_tar_slurp(tar, emg_tar_find(tar, "2026.sig"), 659, &bytes, NULL),
                   EMG_ERR_DATA);
  assert_null(bytes);
  emg_tar_close(tar);
  assert_int_equal(emg_tar_open("/no/such/file", &tar, NULL), EMG_ERR_IO);
  tar = open_or_die(fixture_write("empty.tar", "", 0));
  int n;
  emg_tar_members(tar, &n);
  assert_int_equal(n, 0);
  emg_tar_close(tar);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(archives_of_all_kinds_have_the_same_members),
      cmocka_unit_test(folders_links_and_devices_are_passed_over),
      cmocka_unit_test(sizes_may_be_binary_or_in_pax_records),
      cmocka_unit_test(broken_pax_records_are_left_out),
      cmocka_unit_test(claims_the_archive_cannot_hold_are_refused),
      cmocka_unit_test(damaged_archives_are_refused),
      cmocka_unit_test(cut_compressed_archives_hold_what_they_list),
      cmocka_unit_test(a_compressed_bomb_is_not_unpacked),
      cmocka_unit_test(members_are_read_within_limits),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
