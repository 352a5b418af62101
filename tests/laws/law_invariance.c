// law_invariance.c -- what does not matter to muscles changes no unit: exactly where arithmetic
// allows, else no unit is lost or won
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

#include "../mixture_fixture.h"

enum { UNITS = 6, CHANNELS = 18 };

typedef struct {
  mixture m;
  emg_config config;
  emg_decomposition found;  // in the recording as it is
} subject;
static subject s;

static emg_decomposition decompose(const emg_recording *rec) {
  emg_decomposition found;
  emg_error err = {0};

  if (emg_decompose("ckc", rec, &s.config, NULL, &found, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return found;
}

static int make_subject(void **state) {
  (void)state;
  emg_init();
  s.m = mixture_create(&(mixture_options){
      .n_units = UNITS, .n_channels = CHANNELS, .duration_s = 6, .seed = 5, .noise_uv = 6});
  emg_config_defaults(&s.config);
  s.config.decompose.extension = 8;
  s.config.decompose.batch = 16;
  s.config.decompose.rounds = 2;
  s.config.decompose.filter_ms = 0;
  s.found = decompose(&s.m.rec);
  return 0;
}

static int free_subject(void **state) {
  (void)state;
  emg_decomposition_free(&s.found);
  mixture_free(&s.m);
  return 0;
}

// The recording with `n_more` empty channels after its own, under the same names.
static emg_recording copy_recording(int n_more) {
  emg_recording rec;
  size_t n = (size_t)s.m.rec.data.n_cols;

  assert_int_equal(emg_recording_create(CHANNELS + n_more, (int64_t)n, mixture_rate_hz, &rec, NULL),
                   EMG_OK);
  for (int c = 0; c < CHANNELS; c++) {
    memcpy(emg_row2f(&rec.data, c), emg_row2f(&s.m.rec.data, c), n * sizeof(float));
  }
  return rec;
}

static void assert_same_bits(const emg_decomposition *again) {
  const emg_spikes *a = &again->spikes, *b = &s.found.spikes;
  size_t n = (size_t)b->n_units;

  assert_int_equal(a->n_units, b->n_units);
  assert_memory_equal(a->offsets, b->offsets, (n + 1) * sizeof *a->offsets);
  assert_memory_equal(a->samples, b->samples, (size_t)b->offsets[n] * sizeof *a->samples);
  assert_memory_equal(again->sil, s.found.sil, n * sizeof *again->sil);
  assert_memory_equal(again->pnr_db, s.found.pnr_db, n * sizeof *again->pnr_db);
}

static void assert_exact(emg_recording *rec) {
  emg_decomposition again = decompose(rec);
  assert_same_bits(&again);
  emg_decomposition_free(&again);
  emg_recording_free(rec);
}

// No unit lost, none won, and every train agrees to 0.9.
static void assert_same_units(emg_recording *rec) {
  emg_decomposition again = decompose(rec);
  emg_score_options options;
  emg_score_result result;

  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&again.spikes, &s.found.spikes, &options, &result, NULL), EMG_OK);
  assert_int_equal(again.spikes.n_units, s.found.spikes.n_units);
  assert_int_equal(result.n_roa_90, s.found.spikes.n_units);
  emg_score_free(&result);
  emg_decomposition_free(&again);
  emg_recording_free(rec);
}

static void the_units_are_there_to_begin_with(void **state) {
  (void)state;
  emg_score_options options;
  emg_score_result result;

  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(&s.found.spikes, &s.m.truth, &options, &result, NULL), EMG_OK);
  assert_true(result.n_roa_90 >= UNITS - 1);
  assert_int_equal(result.n_false + result.n_duplicates, 0);
  emg_score_free(&result);
}

// Channels in another order, all of them turned and of another range, one connected twice, one
// more that is dead: the same bits, with one thread and with several.
static void order_sign_range_copies_and_threads_do_not_change_a_bit(void **state) {
  (void)state;
  emg_recording rec = copy_recording(3);
  int64_t n = rec.data.n_cols;
  int before = omp_get_max_threads();

  for (int c = 0; c < CHANNELS + 3; c++) {
    const float *from = emg_row2f(&s.m.rec.data, c % CHANNELS);
    float *to = emg_row2f(&rec.data, (8 * c + 2) % (CHANNELS + 3));
    for (int64_t i = 0; i < n; i++) {
      to[i] = c == CHANNELS + 2 ? 3 : -from[i] / 1024;
    }
  }
  omp_set_num_threads(1);
  emg_decomposition one = decompose(&rec);
  assert_same_bits(&one);
  emg_decomposition_free(&one);
  omp_set_num_threads(3);
  assert_exact(&rec);
  omp_set_num_threads(before);
}

static void any_scale_and_offsets_leave_the_units(void **state) {
  (void)state;
  static const double scales[] = {1e-3, 1e3}, offsets[] = {0.02, -4e4};

  for (int k = 0; k < 2; k++) {
    emg_recording rec = copy_recording(0);
    for (int c = 0; c < CHANNELS; c++) {
      float *row = emg_row2f(&rec.data, c);
      for (int64_t i = 0; i < rec.data.n_cols; i++) {
        row[i] = (float)(scales[k] * row[i] + (c + 1) * offsets[k]);
      }
    }
    assert_same_units(&rec);
  }
}

static void polarity_of_single_channels_does_not_matter(void **state) {
  (void)state;
  emg_recording rec = copy_recording(0);

  for (int c = 0; c < CHANNELS; c += 3) {
    float *row = emg_row2f(&rec.data, c);
    for (int64_t i = 0; i < rec.data.n_cols; i++) {
      row[i] = -row[i];
    }
  }
  assert_same_units(&rec);
}

static void mains_leave_the_units(void **state) {
  (void)state;
  emg_recording rec = copy_recording(0);

  for (int c = 0; c < CHANNELS; c++) {
    float *row = emg_row2f(&rec.data, c);
    for (int64_t i = 0; i < rec.data.n_cols; i++) {
      double phase = 2 * M_PI * 50.02 * (double)i / mixture_rate_hz;
      row[i] += (float)((60 + 3 * c) * (sin(phase + 0.02 * c) + 0.3 * sin(3 * phase + c)));
    }
  }
  assert_same_units(&rec);
}

// Of eighteen channels one is lost.
static void a_dead_or_a_saturated_channel_leaves_the_units(void **state) {
  (void)state;
  for (int is_dead = 0; is_dead < 2; is_dead++) {
    emg_recording rec = copy_recording(0);
    float *row = emg_row2f(&rec.data, 9);
    for (int64_t i = 0; i < rec.data.n_cols; i++) {
      row[i] = is_dead ? 0 : fminf(fmaxf(row[i], -20), 20);
    }
    emg_decomposition again = decompose(&rec);
    assert_int_equal(again.channels[9].state, is_dead ? EMG_CHANNEL_DEAD : EMG_CHANNEL_SATURATED);
    emg_decomposition_free(&again);
    assert_same_units(&rec);
  }
}

// Nearly the same channel once more, as from two electrodes that touch.
static void a_near_copy_leaves_the_units(void **state) {
  (void)state;
  emg_recording rec = copy_recording(1);
  emg_rng rng = emg_rng_stream(9, EMG_RNG_TEST, 0, 0);

  for (int64_t i = 0; i < rec.data.n_cols; i++) {
    emg_row2f(&rec.data, CHANNELS)[i] =
        emg_row2f(&rec.data, 8)[i] + (float)(0.5 * emg_rng_gaussian(&rng));
  }
  assert_same_units(&rec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_units_are_there_to_begin_with),
      cmocka_unit_test(order_sign_range_copies_and_threads_do_not_change_a_bit),
      cmocka_unit_test(any_scale_and_offsets_leave_the_units),
      cmocka_unit_test(polarity_of_single_channels_does_not_matter),
      cmocka_unit_test(mains_leave_the_units),
      cmocka_unit_test(a_dead_or_a_saturated_channel_leaves_the_units),
      cmocka_unit_test(a_near_copy_leaves_the_units),
  };
  return cmocka_run_group_tests(tests, make_subject, free_subject);
}
