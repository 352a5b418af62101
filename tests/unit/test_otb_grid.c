// test_otb_grid.c -- electrode maps of the vendor's grids
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/formats/otb_priv.h"

static void every_map_is_a_permutation_of_its_electrodes(void **state) {
  (void)state;
  int n;
  const emg_otb_map *maps = emg_otb_maps(&n);
  assert_true(n >= 8);
  for (int i = 0; i < n; i++) {
    int n_places = maps[i].n_rows * maps[i].n_columns, seen[256] = {0};
    for (int k = 0; k < n_places; k++) {
      seen[maps[i].map[k]]++;
    }
    assert_int_equal(seen[0], n_places - maps[i].n_electrodes);
    for (int e = 1; e < 256; e++) {
      if (seen[e] != (e <= maps[i].n_electrodes)) {
        fail_msg("%s has electrode %d %d times", maps[i].sensor, e, seen[e]);
      }
    }
  }
}

// Consecutive electrodes are neighbours, or one end of a column and an end of the next.
static void maps_run_along_columns(void **state) {
  (void)state;
  int n;
  const emg_otb_map *maps = emg_otb_maps(&n);
  for (int i = 0; i < n; i++) {
    int row[65], column[65];
    for (int k = 0; k < maps[i].n_rows * maps[i].n_columns; k++) {
      row[maps[i].map[k]] = k / maps[i].n_columns;
      column[maps[i].map[k]] = k % maps[i].n_columns;
    }
    for (int e = 2; e <= maps[i].n_electrodes; e++) {
      int down = abs(row[e] - row[e - 1]), across = abs(column[e] - column[e - 1]);
      assert_true((down == 1 && across == 0) || (across == 1 && (down == 0 || down >= 7)));
    }
  }
}

// The code carries pitch in mm, rows and columns: GR08MM1305.
static void codes_agree_with_sizes(void **state) {
  (void)state;
  int n;
  const emg_otb_map *maps = emg_otb_maps(&n);
  for (int i = 0; i < n; i++) {
    const char *digits = strstr(maps[i].sensor, "MM");
    if (digits) {
      assert_int_equal(atoi(digits + 2), 100 * maps[i].n_rows + maps[i].n_columns);
      assert_true(atoi(maps[i].sensor + 2) == maps[i].pitch_mm);
    }
  }
}

static void sensors_are_found_in_longer_texts(void **state) {
  (void)state;
  assert_string_equal(emg_otb_map_of("64 channels, gr08mm1305 (left)")->sensor, "GR08MM1305");
  assert_null(emg_otb_map_of("GR10MM0804"));  // sources differ
  assert_null(emg_otb_map_of("HD10MM0808"));
  assert_null(emg_otb_map_of(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_map_is_a_permutation_of_its_electrodes),
      cmocka_unit_test(maps_run_along_columns),
      cmocka_unit_test(codes_agree_with_sizes),
      cmocka_unit_test(sensors_are_found_in_longer_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
