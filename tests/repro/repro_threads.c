// repro_threads.c -- one SHA-256 over all of a simulation, at 1, 2 and 4 threads
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

#include "../model_fixture.h"

static void add_rows_f(emg_sha256 *sha, const emg_array2f *x) {
  for (int row = 0; row < x->n_rows; row++) {
    emg_sha256_add(sha, emg_row2f(x, row), (size_t)x->n_cols * sizeof(float));
  }
}

static void add_rows_d(emg_sha256 *sha, const emg_array2d *x) {
  for (int row = 0; row < x->n_rows; row++) {
    emg_sha256_add(sha, emg_row2d(x, row), (size_t)x->n_cols * sizeof(double));
  }
}

enum { N_DIGESTS = 9 };
static const char *const names[N_DIGESTS] = {"spikes",    "muaps",      "units", "clean", "noise",
                                             "recording", "excitation", "force", "fault"};

static void digest(const emg_simulation *s, char digests[N_DIGESTS][65]) {
  const emg_truth *truth = &s->truth;
  const emg_muap_bank *muaps = &truth->muaps;
  emg_sha256 sha[N_DIGESTS];
  for (int i = 0; i < N_DIGESTS; i++) {
    emg_sha256_start(&sha[i]);
  }
  size_t n_units = (size_t)truth->spikes.n_units;
  emg_sha256_add(&sha[0], truth->spikes.offsets, (n_units + 1) * sizeof(int64_t));
  emg_sha256_add(&sha[0], truth->spikes.samples,
                 (size_t)truth->spikes.offsets[n_units] * sizeof(int64_t));
  emg_sha256_add(&sha[1], muaps->data,
                 n_units * (size_t)muaps->n_channels * (size_t)muaps->n_taps * sizeof(float));
  for (int c = 0; c < truth->units.n_columns; c++) {
    emg_sha256_add(&sha[2], truth->units.columns[c].values, n_units * sizeof(double));
  }
  add_rows_f(&sha[3], &s->clean);
  add_rows_f(&sha[4], &s->noise);
  add_rows_f(&sha[5], &s->recording.data);
  add_rows_d(&sha[6], &truth->excitation);
  add_rows_d(&sha[7], &truth->force);
  add_rows_f(&sha[8], &truth->fault);
  for (int i = 0; i < N_DIGESTS; i++) {
    emg_sha256_finish(&sha[i], digests[i]);
  }
}

static void simulate_with(int n_threads, char digests[N_DIGESTS][65]) {
  emg_config config = fixture_busy();
  emg_simulation s;
  emg_error err = {0};
  emg_set_threads(n_threads);
  if (emg_simulate(&config, NULL, &s, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  digest(&s, digests);
  emg_simulation_free(&s);
}

static void every_dataset_is_the_same_at_1_2_and_4_threads(void **state) {
  (void)state;
  char one[N_DIGESTS][65], many[N_DIGESTS][65];
  simulate_with(1, one);
  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    simulate_with(n_threads, many);
    for (int i = 0; i < N_DIGESTS; i++) {
      if (strcmp(one[i], many[i]) != 0) {
        fail_msg("%s differ at %d threads", names[i], n_threads);
      }
    }
  }
  // nothing is compared that is not there
  for (int i = 1; i < N_DIGESTS; i++) {
    assert_string_not_equal(one[i], one[0]);
    assert_string_not_equal(one[i],
                            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dataset_is_the_same_at_1_2_and_4_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
