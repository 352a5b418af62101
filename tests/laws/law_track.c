// law_track.c -- units are found again in another recording of the same electrodes, each once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "../mixture_fixture.h"

enum { N_UNITS = 6 };
static const mixture_options first = {N_UNITS, 16, 10, 5, 8, 0},
                             second = {N_UNITS, 16, 10, 6, 8, 0};

// A recording with its decomposition: the filters of the true trains applied to it.
typedef struct {
  mixture m;
  emg_decomposition d;
} session;

static session make_session(const mixture_options *options) {
  session s = {.m = mixture_create(options)};
  emg_config config;
  emg_filters filters;

  emg_config_defaults(&config);
  assert_int_equal(emg_filters_learn(&s.m.rec, &s.m.truth, &config, NULL, &filters, NULL), EMG_OK);
  assert_int_equal(emg_online_decompose(&s.m.rec, &filters, NULL, false, NULL, &s.d, NULL), EMG_OK);
  emg_filters_free(&filters);
  return s;
}

static void free_session(session *s) {
  mixture_free(&s->m);
  emg_decomposition_free(&s->d);
}

// The same units in the order given; filters stay behind.
static emg_decomposition reorder(const emg_decomposition *d, int n, const int *row) {
  const emg_decomposition *from[N_UNITS];
  emg_decomposition out;
  for (int i = 0; i < n; i++) {
    from[i] = d;
  }
  assert_int_equal(emg_decomposition_gather(n, from, row, d, &out, NULL), EMG_OK);
  return out;
}

static emg_track_result track(const emg_decomposition *a, const emg_decomposition *b,
                              const emg_recording *rec_a, const emg_recording *rec_b) {
  emg_track_options options = emg_track_defaults();
  emg_track_result result;
  emg_error err = {0};
  if (emg_track(a, b, rec_a, rec_b, &options, NULL, &result, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return result;
}

static void every_unit_is_found_again_whatever_the_order(void **state) {
  (void)state;
  static const int row[N_UNITS] = {3, 0, 5, 1, 4, 2};
  session a = make_session(&first), b = make_session(&second);
  emg_decomposition turned = reorder(&b.d, N_UNITS, row);

  for (int with_filters = 0; with_filters < 2; with_filters++) {
    emg_track_result r =
        track(&a.d, &turned, with_filters ? &a.m.rec : NULL, with_filters ? &b.m.rec : NULL);
    assert_int_equal(r.n_matched, N_UNITS);
    assert_int_equal(r.n_channels, first.n_channels);
    for (int u = 0; u < N_UNITS; u++) {
      assert_int_equal(row[r.pairs[u].b], u);
      assert_true(r.pairs[u].similarity > 0.9 && r.pairs[u].similarity < 1 + 1e-6);
      assert_true(r.pairs[u].contrast > r.chance_contrast && r.pairs[u].margin > 0.2);
      assert_true(fabs(r.pairs[u].lag_ms) < 0.6);
      assert_true(with_filters ? r.pairs[u].roa > 0.9 : r.pairs[u].roa == -1);
    }
    emg_track_free(&r);
  }
  emg_decomposition_free(&turned);
  free_session(&a);
  free_session(&b);
}

static void a_unit_that_is_gone_has_no_partner(void **state) {
  (void)state;
  static const int left[] = {0, 1, 3, 4, 5};
  session a = make_session(&first), b = make_session(&second);
  emg_decomposition fewer = reorder(&b.d, N_UNITS - 1, left);
  emg_track_result r = track(&a.d, &fewer, NULL, NULL);

  assert_int_equal(r.n_matched, N_UNITS - 1);
  assert_int_equal(r.pairs[2].b, -1);
  assert_true(r.pairs[2].margin < 0);
  emg_track_free(&r);
  emg_decomposition_free(&fewer);
  free_session(&a);
  free_session(&b);
}

static void a_recording_tracked_to_itself_is_the_identity(void **state) {
  (void)state;
  session a = make_session(&first);
  emg_track_result r = track(&a.d, &a.d, NULL, NULL);

  assert_int_equal(r.n_matched, N_UNITS);
  for (int u = 0; u < N_UNITS; u++) {
    assert_int_equal(r.pairs[u].b, u);
    assert_float_equal(r.pairs[u].similarity, 1, 1e-5);
    assert_float_equal(r.pairs[u].contrast, 1, 1e-5);
    assert_float_equal(r.pairs[u].lag_ms, 0, 1e-12);
  }
  emg_track_free(&r);
  free_session(&a);
}

static void swapping_the_recordings_gives_the_same_pairs(void **state) {
  (void)state;
  session a = make_session(&first), b = make_session(&second);
  emg_track_result r = track(&a.d, &b.d, &a.m.rec, &b.m.rec);
  emg_track_result s = track(&b.d, &a.d, &b.m.rec, &a.m.rec);

  assert_int_equal(r.n_matched, s.n_matched);
  for (int u = 0; u < N_UNITS; u++) {
    int v = r.pairs[u].b;
    assert_int_equal(s.pairs[v].b, u);
    assert_true(r.pairs[u].similarity == s.pairs[v].similarity);
    assert_float_equal(r.pairs[u].contrast, s.pairs[v].contrast, 1e-6);
    assert_true(r.pairs[u].roa == s.pairs[v].roa);
    assert_true(r.pairs[u].lag_ms == -s.pairs[v].lag_ms);
  }
  emg_track_free(&r);
  emg_track_free(&s);
  free_session(&a);
  free_session(&b);
}

static void a_channel_left_out_of_one_is_left_out_of_both(void **state) {
  (void)state;
  session a = make_session(&first), b = make_session(&second);
  emg_channel_finding findings[16] = {{0}};
  findings[5].state = EMG_CHANNEL_NOISY;

  for (int u = 0; u < N_UNITS; u++) {  // what an unusable channel may hold
    float *row = emg_muap_row(&b.d.muaps, u, 5);
    for (int t = 0; t < b.d.muaps.n_taps; t++) {
      row[t] = (float)(1e4 * sin(t * u));
    }
  }
  b.d.n_channels = 16;
  b.d.channels = findings;
  emg_track_result r = track(&a.d, &b.d, NULL, NULL);
  assert_int_equal(r.n_channels, 15);
  assert_int_equal(r.n_matched, N_UNITS);
  for (int u = 0; u < N_UNITS; u++) {
    assert_int_equal(r.pairs[u].b, u);
  }
  b.d.n_channels = 0;
  b.d.channels = NULL;
  emg_track_free(&r);
  free_session(&a);
  free_session(&b);
}

static void nothing_to_match_is_no_error_and_other_electrodes_are(void **state) {
  (void)state;
  const mixture_options other = {N_UNITS, 12, 10, 6, 8, 0};
  session a = make_session(&first), b = make_session(&other);
  emg_decomposition none = {.spikes = {.rate_hz = mixture_rate_hz}};
  emg_track_options options = emg_track_defaults();
  emg_track_result r = track(&a.d, &none, NULL, NULL);
  emg_error err = {0};

  assert_int_equal(r.n_matched, 0);
  assert_int_equal(r.pairs[0].b, -1);
  emg_track_free(&r);
  assert_int_equal(emg_track(&a.d, &b.d, NULL, NULL, &options, NULL, &r, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "12"));
  free_session(&a);
  free_session(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_unit_is_found_again_whatever_the_order),
      cmocka_unit_test(a_unit_that_is_gone_has_no_partner),
      cmocka_unit_test(a_recording_tracked_to_itself_is_the_identity),
      cmocka_unit_test(swapping_the_recordings_gives_the_same_pairs),
      cmocka_unit_test(a_channel_left_out_of_one_is_left_out_of_both),
      cmocka_unit_test(nothing_to_match_is_no_error_and_other_electrodes_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
