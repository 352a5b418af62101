// test_sha256.c -- known answers of FIPS 180-4
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/sha256.h"

static void check(const char *text, size_t times, const char *expected) {
  emg_sha256 sha;
  char hex[65];
  emg_sha256_start(&sha);
  for (size_t i = 0; i < times; i++) {
    emg_sha256_add(&sha, text, strlen(text));
  }
  emg_sha256_finish(&sha, hex);
  assert_string_equal(hex, expected);
}

static void known_messages_have_their_digests(void **state) {
  (void)state;
  check("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  check("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  check("aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_messages_have_their_digests)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
