// test_synth.c -- what the sum of responses does at its edges and with wrong shapes
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

enum { N_TAPS = 5, ORIGIN = 2 };
static const emg_change_state resting[] = {{0, 1, 0}};

// Bank whose row (unit, channel) is first, first + 1, ... with first = 100 unit + 10 channel + 1.
static emg_muap_bank counting_bank(int n_units, int n_channels) {
  emg_muap_bank bank;
  assert_int_equal(emg_muap_bank_create(n_units, n_channels, N_TAPS, ORIGIN, 1000, &bank, NULL),
                   EMG_OK);
  for (int u = 0; u < n_units; u++) {
    for (int c = 0; c < n_channels; c++) {
      for (int t = 0; t < N_TAPS; t++) {
        emg_muap_row(&bank, u, c)[t] = (float)(100 * u + 10 * c + 1 + t);
      }
    }
  }
  return bank;
}

static emg_spikes train_of(int n_units, const int64_t *counts, const int64_t *samples) {
  emg_spikes spikes;
  assert_int_equal(emg_spikes_create(n_units, counts, 1000, 0, &spikes, NULL), EMG_OK);
  memcpy(spikes.samples, samples, (size_t)spikes.offsets[n_units] * sizeof *samples);
  return spikes;
}

static void one_spike_gives_the_action_potential_at_its_origin(void **state) {
  (void)state;
  emg_muap_bank bank = counting_bank(1, 2);
  emg_spikes spikes = train_of(1, (int64_t[]){1}, (int64_t[]){10});
  emg_array2f out;
  assert_int_equal(emg_array2f_create(2, 20, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(&bank, resting, 1, &spikes, &out, NULL), EMG_OK);
  for (int c = 0; c < 2; c++) {
    for (int i = 0; i < 20; i++) {
      int tap = i - (10 - ORIGIN);
      float expected = tap >= 0 && tap < N_TAPS ? emg_muap_row(&bank, 0, c)[tap] : 0;
      assert_true(emg_row2f(&out, c)[i] == expected);
    }
  }
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
}

static void responses_are_clipped_at_both_ends(void **state) {
  (void)state;
  emg_muap_bank bank = counting_bank(1, 1);
  emg_spikes spikes = train_of(1, (int64_t[]){2}, (int64_t[]){0, 7});
  emg_array2f out;
  assert_int_equal(emg_array2f_create(1, 8, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(&bank, resting, 1, &spikes, &out, NULL), EMG_OK);
  const float expected[8] = {3, 4, 5, 0, 0, 1, 2, 3};
  assert_memory_equal(out.data, expected, sizeof expected);
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
}

// Straight double loop over all samples, in double.
static double direct_sum(const emg_muap_bank *bank, const emg_spikes *spikes, int channel,
                         int64_t at) {
  double sum = 0;
  for (int u = 0; u < spikes->n_units; u++) {
    for (int64_t i = 0; i < emg_spikes_count(spikes, u); i++) {
      int64_t tap = at - (emg_spikes_of(spikes, u)[i] - bank->origin);
      sum += tap >= 0 && tap < bank->n_taps ? (double)emg_muap_row(bank, u, channel)[tap] : 0;
    }
  }
  return sum;
}

// Long enough for several blocks of time, with spikes on their edges.
static void a_long_recording_equals_the_direct_sum(void **state) {
  (void)state;
  enum { N_UNITS = 7, N = 20000, EVERY = 37 };
  emg_muap_bank bank = counting_bank(N_UNITS, 1);
  int64_t counts[N_UNITS], *samples = calloc(N_UNITS * (N / EVERY), sizeof *samples);
  assert_non_null(samples);
  for (int u = 0; u < N_UNITS; u++) {
    counts[u] = N / EVERY;
    for (int64_t i = 0; i < counts[u]; i++) {
      samples[u * counts[u] + i] = i * EVERY + (u * i) % EVERY / 2;
    }
  }
  emg_spikes spikes = train_of(N_UNITS, counts, samples);
  emg_array2f out;
  assert_int_equal(emg_array2f_create(1, N, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(&bank, resting, 1, &spikes, &out, NULL), EMG_OK);
  for (int i = 0; i < N; i++) {
    // integers below 2^24: exact in float
    assert_true(out.data[i] == (float)direct_sum(&bank, &spikes, 0, i));
  }
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
  free(samples);
}

static void between_two_states_the_response_is_interpolated(void **state) {
  (void)state;
  emg_muap_bank banks[3] = {counting_bank(1, 1), counting_bank(1, 1), counting_bank(1, 1)};
  const emg_change_state states[3] = {{0, 1, 0}, {0.1, 0.9, 0}, {0.2, 0.8, 0}};
  for (int k = 0; k < 3; k++) {
    for (int t = 0; t < N_TAPS; t++) {
      emg_muap_row(&banks[k], 0, 0)[t] = (float)(8 * k * k);  // 0, 8, 32
    }
  }
  emg_spikes spikes = train_of(1, (int64_t[]){5}, (int64_t[]){2, 25, 100, 150, 290});
  const float expected[5] = {8 * 0.02f, 2, 8, 20, 32};
  emg_array2f out;
  assert_int_equal(emg_array2f_create(1, 300, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(banks, states, 3, &spikes, &out, NULL), EMG_OK);
  for (int i = 0; i < 5; i++) {
    assert_true(fabsf(out.data[spikes.samples[i]] - expected[i]) < 1e-5f);
  }
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  for (int k = 0; k < 3; k++) {
    emg_muap_bank_free(&banks[k]);
  }
}

static void a_wrong_rate_names_both_rates(void **state) {
  (void)state;
  emg_muap_bank bank = counting_bank(1, 1);
  emg_spikes spikes = train_of(1, (int64_t[]){1}, (int64_t[]){3});
  spikes.rate_hz = 2048;
  emg_array2f out;
  emg_error err = {0};
  assert_int_equal(emg_array2f_create(1, 8, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(&bank, resting, 1, &spikes, &out, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "2048"));
  assert_non_null(strstr(emg_error_message(&err), "1000"));
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
}

static void wrong_shapes_are_refused(void **state) {
  (void)state;
  emg_muap_bank banks[2] = {counting_bank(1, 2), counting_bank(1, 2)};
  const emg_change_state falling[2] = {{1, 1, 0}, {0.5, 1, 0}};
  emg_spikes spikes = train_of(1, (int64_t[]){1}, (int64_t[]){3});
  emg_array2f out;
  assert_int_equal(emg_array2f_create(3, 8, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(banks, resting, 1, &spikes, &out, NULL), EMG_ERR_ARG);
  out.n_rows = 2;
  assert_int_equal(emg_synthesize(banks, resting, 0, &spikes, &out, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_synthesize(banks, falling, 2, &spikes, &out, NULL), EMG_ERR_ARG);
  assert_int_equal(emg_synthesize(banks, resting, 1, &spikes, &out, NULL), EMG_OK);
  emg_array2f_free(&out);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&banks[0]);
  emg_muap_bank_free(&banks[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_spike_gives_the_action_potential_at_its_origin),
      cmocka_unit_test(responses_are_clipped_at_both_ends),
      cmocka_unit_test(a_long_recording_equals_the_direct_sum),
      cmocka_unit_test(between_two_states_the_response_is_interpolated),
      cmocka_unit_test(a_wrong_rate_names_both_rates),
      cmocka_unit_test(wrong_shapes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
