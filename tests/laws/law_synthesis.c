// law_synthesis.c -- EMG is linear in its action potentials, follows its spikes, and knows no
// threads
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

enum { N_UNITS = 12, N_CHANNELS = 5, N_TAPS = 61, ORIGIN = 20, N_SAMPLES = 15000 };
static const emg_change_state resting[] = {{0, 1, 0}};

static emg_muap_bank random_bank(uint32_t stream) {
  emg_muap_bank bank;
  assert_int_equal(emg_muap_bank_create(N_UNITS, N_CHANNELS, N_TAPS, ORIGIN, 2000, &bank, NULL),
                   EMG_OK);
  emg_rng rng = emg_rng_stream(11, EMG_RNG_TEST, stream, 0);
  for (int i = 0; i < N_UNITS * N_CHANNELS * N_TAPS; i++) {
    bank.data[i] = (float)emg_rng_gaussian(&rng);
  }
  return bank;
}

// Intervals of 60 to 160 samples, from `first` on.
static emg_spikes random_trains(int64_t first) {
  int64_t counts[N_UNITS];
  emg_spikes spikes;
  for (int u = 0; u < N_UNITS; u++) {
    counts[u] = 80;
  }
  assert_int_equal(emg_spikes_create(N_UNITS, counts, 2000, 0, &spikes, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    emg_rng rng = emg_rng_stream(12, EMG_RNG_TEST, (uint32_t)u, 0);
    int64_t at = first;
    for (int64_t i = spikes.offsets[u]; i < spikes.offsets[u + 1]; i++) {
      at += 60 + emg_rng_below(&rng, 100);
      spikes.samples[i] = at;
    }
  }
  return spikes;
}

static emg_array2f synthesize(const emg_muap_bank *bank, const emg_spikes *spikes) {
  emg_array2f out;
  assert_int_equal(emg_array2f_create(N_CHANNELS, N_SAMPLES, &out, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(bank, resting, 1, spikes, &out, NULL), EMG_OK);
  return out;
}

// Largest |a - b| over the array; rounding of a sum of up to N_UNITS terms of size ~4 is ~1e-5.
static double distance(const emg_array2f *a, const emg_array2f *b) {
  double worst = 0;
  for (int c = 0; c < a->n_rows; c++) {
    for (int64_t i = 0; i < a->n_cols; i++) {
      worst = fmax(worst, fabs((double)emg_row2f(a, c)[i] - (double)emg_row2f(b, c)[i]));
    }
  }
  return worst;
}

static void emg_is_linear_in_its_action_potentials(void **state) {
  (void)state;
  emg_muap_bank a = random_bank(1), b = random_bank(2), mixed = random_bank(1);
  for (int i = 0; i < N_UNITS * N_CHANNELS * N_TAPS; i++) {
    mixed.data[i] = 2 * a.data[i] - 3 * b.data[i];
  }
  emg_spikes spikes = random_trains(0);
  emg_array2f from_a = synthesize(&a, &spikes), from_b = synthesize(&b, &spikes),
              from_mixed = synthesize(&mixed, &spikes);
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int64_t i = 0; i < N_SAMPLES; i++) {
      emg_row2f(&from_a, c)[i] = 2 * emg_row2f(&from_a, c)[i] - 3 * emg_row2f(&from_b, c)[i];
    }
  }
  assert_true(distance(&from_a, &from_mixed) < 1e-4);
  emg_array2f_free(&from_a);
  emg_array2f_free(&from_b);
  emg_array2f_free(&from_mixed);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&a);
  emg_muap_bank_free(&b);
  emg_muap_bank_free(&mixed);
}

static void a_shift_of_all_spikes_shifts_the_emg(void **state) {
  (void)state;
  const int64_t shift = 1234;
  emg_muap_bank bank = random_bank(3);
  emg_spikes early = random_trains(0), late = random_trains(shift);
  emg_array2f before = synthesize(&bank, &early), after = synthesize(&bank, &late);
  for (int c = 0; c < N_CHANNELS; c++) {
    assert_memory_equal(emg_row2f(&before, c), emg_row2f(&after, c) + shift,
                        (size_t)(N_SAMPLES - shift) * sizeof(float));
  }
  emg_array2f_free(&before);
  emg_array2f_free(&after);
  emg_spikes_free(&early);
  emg_spikes_free(&late);
  emg_muap_bank_free(&bank);
}

// One bank used as two states is no change at all.
static void equal_states_change_nothing(void **state) {
  (void)state;
  emg_muap_bank bank = random_bank(4);
  emg_spikes spikes = random_trains(0);
  const emg_muap_bank banks[3] = {bank, bank, bank};
  const emg_change_state states[3] = {{0, 1, 0}, {2, 1, 0}, {5, 1, 0}};
  emg_array2f one = synthesize(&bank, &spikes), three;
  assert_int_equal(emg_array2f_create(N_CHANNELS, N_SAMPLES, &three, NULL), EMG_OK);
  assert_int_equal(emg_synthesize(banks, states, 3, &spikes, &three, NULL), EMG_OK);
  assert_true(distance(&one, &three) < 1e-4);
  emg_array2f_free(&one);
  emg_array2f_free(&three);
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
}

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  emg_muap_bank bank = random_bank(5);
  emg_spikes spikes = random_trains(0);
  emg_array2f out[3];
  const int n_threads[3] = {1, 2, 4};
  for (int k = 0; k < 3; k++) {
    emg_set_threads(n_threads[k]);
    out[k] = synthesize(&bank, &spikes);
  }
  emg_set_threads(0);
  for (int k = 1; k < 3; k++) {
    assert_memory_equal(out[0].data, out[k].data,
                        (size_t)N_CHANNELS * (size_t)out[0].stride * sizeof(float));
  }
  for (int k = 0; k < 3; k++) {
    emg_array2f_free(&out[k]);
  }
  emg_spikes_free(&spikes);
  emg_muap_bank_free(&bank);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(emg_is_linear_in_its_action_potentials),
      cmocka_unit_test(a_shift_of_all_spikes_shifts_the_emg),
      cmocka_unit_test(equal_states_change_nothing),
      cmocka_unit_test(threads_do_not_change_a_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
