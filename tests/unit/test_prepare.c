// test_prepare.c -- which channels are left out and why, and what the others become
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/ckc_priv.h>
#include <emgtwin/emgtwin.h>

enum { M = 12, N = 6000 };
static const double rate_hz = 2048;

// Four sources mixed into twelve channels, and noise 20 dB below.
static emg_recording make_recording(void) {
  emg_recording rec;
  static float sources[4][N];

  assert_int_equal(emg_recording_create(M, N, rate_hz, &rec, NULL), EMG_OK);
  for (int s = 0; s < 4; s++) {
    emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, (uint32_t)s, 0);
    for (int i = 0; i < N; i++) {
      sources[s][i] = (float)(50 * emg_rng_gaussian(&rng)) + (i > 0 ? 0.6F * sources[s][i - 1] : 0);
    }
  }
  for (int c = 0; c < M; c++) {
    emg_rng rng = emg_rng_stream(2, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int i = 0; i < N; i++) {
      double value = 5 * emg_rng_gaussian(&rng);
      for (int s = 0; s < 4; s++) {
        value += sources[s][i] * sin(1 + c * (s + 1));
      }
      emg_row2f(&rec.data, c)[i] = (float)value;
    }
  }
  return rec;
}

static void collect(emg_log_level level, const char *stage, const char *text, void *user) {
  char *all = user;
  (void)level;
  (void)stage;
  snprintf(all + strlen(all), 4096 - strlen(all), "%s\n", text);
}

static emg_status prepare(const emg_recording *rec, emg_prepared *out, char *log, emg_error *err) {
  emg_config config;
  emg_monitor monitor = {.log = collect, .user = log};
  emg_config_defaults(&config);
  log[0] = '\0';
  return emg_prepare(rec, &config, &monitor, 100, out, err);
}

// One fault in channel 5 of an otherwise good recording.
static void assert_left_out(const emg_recording *rec, const char *reason) {
  emg_prepared prepared;
  char log[4096];

  assert_int_equal(prepare(rec, &prepared, log, NULL), EMG_OK);
  assert_int_equal(prepared.signal.n_channels, M - 1);
  for (int c = 0; c < M - 1; c++) {
    assert_int_not_equal(prepared.channel[c], 5);
  }
  assert_non_null(strstr(log, "channel 6 "));
  if (!strstr(log, reason)) fail_msg("no '%s' in: %s", reason, log);
  emg_prepared_free(&prepared);
}

static void good_channels_are_all_used(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared prepared;
  char log[4096];

  assert_int_equal(prepare(&rec, &prepared, log, NULL), EMG_OK);
  assert_int_equal(prepared.signal.n_channels, M);
  assert_int_equal(prepared.signal.n_samples, N);
  assert_null(strstr(log, "left out"));
  for (int64_t i = -100; i < N + 100; i++) {
    for (int c = 0; c < M; c++) {
      float value = emg_signal_row(&prepared.signal, i)[c];
      assert_true(isfinite(value));
      assert_true((i >= 0 && i < N) || value == 0);
    }
  }
  emg_prepared_free(&prepared);
  emg_recording_free(&rec);
}

static void each_fault_is_left_out_with_its_reason(void **state) {
  (void)state;
  enum {
    FLAT,
    NOT_FINITE,
    CLIPPED,
    BROKEN,
    NOISY,
    COPY,
    MARKED,
    WEAK,
    ALONE,
    LOOSE,
    BURSTS,
    N_FAULTS
  };
  static const char *const reasons[] = {"dead",      "not finite",    "saturated", "intermittent",
                                        "noisy",     "duplicate",     "marked",    "dead",
                                        "unrelated", "neighbours do", "bursts"};

  for (int fault = 0; fault < N_FAULTS; fault++) {
    emg_recording rec = make_recording();
    emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, 0, 0);
    float *row = emg_row2f(&rec.data, 5);
    for (int i = 0; i < N; i++) {
      switch (fault) {
        case FLAT:
          row[i] = 12.5F;
          break;
        case NOT_FINITE:
          row[i] = i == 4000 ? INFINITY : row[i];
          break;
        case CLIPPED:
          row[i] = fminf(fmaxf(row[i], -60), 60);
          break;
        case BROKEN:
          row[i] = i % 2000 < 300 ? 0 : row[i];
          break;
        case NOISY:
          row[i] += (float)(300 * emg_rng_gaussian(&rng));
          break;
        case COPY:
          row[i] = 0.5F * emg_row2f(&rec.data, 1)[i];
          break;
        case MARKED:
          rec.channels[5].state = EMG_CHANNEL_MARKED;
          break;
        case WEAK:
          row[i] *= 1e-4F;
          break;
        case ALONE:  // noise of the size of the others
          row[i] = (float)(90 * emg_rng_gaussian(&rng));
          break;
        case LOOSE:  // noise of half that size in place of the signal at times
          row[i] = i % 3000 < 1200 ? (float)(40 * emg_rng_gaussian(&rng)) : row[i];
          break;
        default:
          row[i] += i % 3000 < 600 ? (float)(1500 * emg_rng_gaussian(&rng)) : 0;
      }
    }
    assert_left_out(&rec, reasons[fault]);
    emg_recording_free(&rec);
  }
}

static void drift_and_offset_are_no_fault(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared drifting;
  char log[4096];

  for (int i = 0; i < N; i++) {
    emg_row2f(&rec.data, 5)[i] += (float)(20000 + 3000 * sin(2 * M_PI * 0.3 * i / rate_hz));
  }
  assert_int_equal(prepare(&rec, &drifting, log, NULL), EMG_OK);
  assert_int_equal(drifting.signal.n_channels, M);
  assert_null(strstr(log, "left out"));
  emg_prepared_free(&drifting);
  emg_recording_free(&rec);
}

static void a_fault_that_most_channels_share_is_accepted_with_a_warning(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared prepared;
  char log[4096];

  for (int c = 0; c < M; c++) {
    for (int i = 0; i < N; i++) {
      float *value = emg_row2f(&rec.data, c) + i;
      *value = fminf(fmaxf(*value, -60), 60);
    }
  }
  assert_int_equal(prepare(&rec, &prepared, log, NULL), EMG_OK);
  assert_int_equal(prepared.signal.n_channels, M);
  assert_non_null(strstr(log, "saturated"));
  emg_prepared_free(&prepared);
  emg_recording_free(&rec);
}

static void mains_are_notched_with_their_harmonics(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_config config;
  emg_prepared before, after;
  double left = 0, power = 0;

  emg_config_defaults(&config);
  config.decompose.notch_hz = 60;
  assert_int_equal(emg_prepare(&rec, &config, NULL, 10, &before, NULL), EMG_OK);
  for (int c = 0; c < M; c++) {
    for (int i = 0; i < N; i++) {
      double phase = 2 * M_PI * 60 * i / rate_hz;
      emg_row2f(&rec.data, c)[i] += (float)(80 * (sin(phase) + 0.5 * sin(3 * phase)));
    }
  }
  assert_int_equal(emg_prepare(&rec, &config, NULL, 10, &after, NULL), EMG_OK);
  // the sizes differ by the one scale that both were divided by
  double ratio = 0;
  for (int64_t i = N / 4; i < 3 * N / 4; i++) {
    ratio += emg_signal_row(&before.signal, i)[0] * emg_signal_row(&after.signal, i)[0];
    power += pow(emg_signal_row(&after.signal, i)[0], 2);
  }
  ratio /= power;
  for (int64_t i = N / 4; i < 3 * N / 4; i++) {
    double a = ratio * emg_signal_row(&after.signal, i)[0],
           b = emg_signal_row(&before.signal, i)[0];
    left += (a - b) * (a - b);
  }
  assert_true(left < 1e-3 * ratio * ratio * power);
  emg_prepared_free(&before);
  emg_prepared_free(&after);
  emg_recording_free(&rec);
}

// Large lines in all channels are found without being asked for; what is left is the recording.
static void mains_are_found_and_subtracted(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared before, after;
  char log[4096];
  double left = 0, power = 0;

  assert_int_equal(prepare(&rec, &before, log, NULL), EMG_OK);
  assert_null(strstr(log, "mains"));
  assert_true(before.mains_hz == 0);
  for (int c = 0; c < M; c++) {
    for (int i = 0; i < N; i++) {
      double phase = 2 * M_PI * 50.03 * i / rate_hz;
      emg_row2f(&rec.data, c)[i] += (float)(400 * (sin(phase) + 0.5 * sin(3 * phase + c)));
    }
  }
  assert_int_equal(prepare(&rec, &after, log, NULL), EMG_OK);
  assert_non_null(strstr(log, "mains = 50.0"));
  assert_non_null(strstr(log, "lines subtracted = 50 150 Hz"));
  assert_float_equal(after.mains_hz, 50.03, 0.05);
  for (int c = 0; c < M; c++) {
    int other = 0;
    while (before.channel[other] != after.channel[c]) {
      other++;
    }
    for (int64_t i = N / 10; i < N - N / 10; i++) {
      double a = emg_signal_row(&after.signal, i)[c] / after.scale[c];
      double b = emg_signal_row(&before.signal, i)[other] / before.scale[other];
      left += (a - b) * (a - b);
      power += b * b;
    }
  }
  assert_true(left < 0.02 * power);  // the lines had 12 times its power
  emg_prepared_free(&before);
  emg_prepared_free(&after);
  emg_recording_free(&rec);
}

// The bits of what is prepared are those of the channels, whatever their order, sign of all, power
// of two of the scale, and copies of them.
static void order_scale_sign_and_copies_do_not_change_a_bit(void **state) {
  (void)state;
  emg_recording rec = make_recording(), other;
  emg_prepared before, after;
  char log[4096];

  assert_int_equal(prepare(&rec, &before, log, NULL), EMG_OK);
  assert_int_equal(emg_recording_create(M + 2, N, rate_hz, &other, NULL), EMG_OK);
  for (int c = 0; c < M + 2; c++) {
    for (int i = 0; i < N; i++) {
      emg_row2f(&other.data, (5 * c + 3) % (M + 2))[i] = -1024 * emg_row2f(&rec.data, c % M)[i];
    }
  }
  assert_int_equal(prepare(&other, &after, log, NULL), EMG_OK);
  assert_int_equal(after.signal.n_channels, M);
  for (int64_t i = 0; i < N; i++) {
    for (int c = 0; c < M; c++) {
      assert_true(emg_signal_row(&after.signal, i)[c] == -emg_signal_row(&before.signal, i)[c]);
    }
  }
  emg_prepared_free(&before);
  emg_prepared_free(&after);
  emg_recording_free(&other);
  emg_recording_free(&rec);
}

// Two amplifiers glued into one recording: each grid is compared with itself and scaled by itself.
static void grids_of_different_gain_are_both_used(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared prepared;
  char log[4096];

  for (int c = 0; c < M; c++) {
    snprintf(rec.channels[c].group, sizeof rec.channels[c].group, "grid %d", c % 2);
    for (int i = 0; i < N && c % 2 == 1; i++) {
      emg_row2f(&rec.data, c)[i] *= 1e-3F;
    }
  }
  assert_int_equal(prepare(&rec, &prepared, log, NULL), EMG_OK);
  assert_int_equal(prepared.signal.n_channels, M);
  for (int c = 0; c < M; c++) {
    double power = 0;
    for (int64_t i = 0; i < N; i++) {
      power += pow(emg_signal_row(&prepared.signal, i)[c], 2) / N;
    }
    assert_true(power > 0.05 && power < 20);
  }
  emg_prepared_free(&prepared);
  emg_recording_free(&rec);
}

static void too_little_is_refused_in_a_sentence(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_prepared prepared;
  emg_config config;
  emg_error err = {0};
  char log[4096];

  rec.data.n_cols = 2500;  // 1.2 s, of which 0.8 s are left
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "edge_s"));
  rec.data.n_cols = 0;
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  rec.data.n_cols = N;
  rec.rate_hz = NAN;
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  rec.rate_hz = rate_hz;

  rec.data.n_rows = 1;
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  rec.data.n_rows = 0;
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  rec.data.n_rows = M;

  emg_config_defaults(&config);
  config.decompose.band_low_hz = 600;
  assert_int_equal(emg_prepare(&rec, &config, NULL, 10, &prepared, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "band_low_hz"));

  for (int c = 0; c < M; c++) {
    emg_row2f(&rec.data, c)[77] = NAN;
  }
  assert_int_equal(prepare(&rec, &prepared, log, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "not finite"));
  assert_null(prepared.signal.memory);
  emg_recording_free(&rec);
}

// A part on its own differs from the same part of the whole by the ends of the filter alone.
static void a_part_is_prepared_like_the_whole(void **state) {
  (void)state;
  enum { BEGIN = 1500, LENGTH = 4000, ENDS = 400 };
  emg_recording rec = make_recording(), part;
  emg_config config;
  emg_prepared whole, like;

  emg_config_defaults(&config);
  memset(emg_row2f(&rec.data, 3), 0, N * sizeof(float));
  assert_int_equal(emg_prepare(&rec, &config, NULL, 10, &whole, NULL), EMG_OK);
  assert_int_equal(emg_recording_create(M, LENGTH, rate_hz, &part, NULL), EMG_OK);
  for (int c = 0; c < M; c++) {
    for (int i = 0; i < LENGTH; i++) {
      // the channel that is dead elsewhere lives here, another one dies here
      emg_row2f(&part.data, c)[i] =
          c == 7 ? 0 : emg_row2f(&rec.data, c == 3 ? 4 : c)[BEGIN + i] + (c == 3 ? i % 7 : 0);
    }
  }
  assert_int_equal(emg_prepare_like(&part, &config, &whole, 10, &like, NULL), EMG_OK);
  assert_int_equal(like.signal.n_channels, M - 1);
  assert_memory_equal(like.channel, whole.channel, (M - 1) * sizeof *whole.channel);
  for (int c = 0; c < M - 1; c++) {
    assert_int_equal(like.is_usable[c], like.channel[c] != 7);
    for (int64_t i = ENDS; i < LENGTH - ENDS; i++) {
      float expected = like.is_usable[c] ? emg_signal_row(&whole.signal, BEGIN + i)[c] : 0;
      assert_float_equal(emg_signal_row(&like.signal, i)[c], expected, 1e-4);
    }
  }
  emg_prepared_free(&whole);
  emg_prepared_free(&like);
  emg_recording_free(&part);
  emg_recording_free(&rec);
}

static void extreme_values_do_not_spread(void **state) {
  (void)state;
  emg_recording rec = make_recording();

  for (int i = 0; i < N; i++) {
    emg_row2f(&rec.data, 5)[i] *= 1e35F;
  }
  assert_left_out(&rec, "noisy");
  for (int c = 0; c < M; c++) {
    for (int i = 0; i < N && c != 5; i++) {
      emg_row2f(&rec.data, c)[i] *= 1e-30F;
    }
  }
  assert_left_out(&rec, "noisy");
  emg_recording_free(&rec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_channels_are_all_used),
      cmocka_unit_test(each_fault_is_left_out_with_its_reason),
      cmocka_unit_test(drift_and_offset_are_no_fault),
      cmocka_unit_test(a_fault_that_most_channels_share_is_accepted_with_a_warning),
      cmocka_unit_test(mains_are_notched_with_their_harmonics),
      cmocka_unit_test(mains_are_found_and_subtracted),
      cmocka_unit_test(order_scale_sign_and_copies_do_not_change_a_bit),
      cmocka_unit_test(grids_of_different_gain_are_both_used),
      cmocka_unit_test(too_little_is_refused_in_a_sentence),
      cmocka_unit_test(a_part_is_prepared_like_the_whole),
      cmocka_unit_test(extreme_values_do_not_spread),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
