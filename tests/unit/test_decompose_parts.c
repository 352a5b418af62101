// test_decompose_parts.c -- windows in time and grids one by one, around any method
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <decomp/parts_priv.h>
#include <emgtwin/emgtwin.h>

enum { M = 6, N = 20000 };
static const double rate_hz = 1000;

static emg_recording make_recording(void) {
  emg_recording rec;

  assert_int_equal(emg_recording_create(M, N, rate_hz, &rec, NULL), EMG_OK);
  for (int c = 0; c < M; c++) {
    snprintf(rec.channels[c].group, sizeof rec.channels[c].group, "grid %c", "AAABBC"[c]);
    for (int i = 0; i < N; i++) {
      emg_row2f(&rec.data, c)[i] = (float)i;
    }
  }
  return rec;
}

static int n_used(const emg_recording *rec) {
  int n = 0;
  for (int c = 0; c < rec->data.n_rows; c++) {
    n += rec->channels[c].state == EMG_CHANNEL_GOOD;
  }
  return n;
}

// A method that needs two channels and finds two units of 100 spikes: one that every grid sees, a
// sample apart, and one of its own. Silhouettes rise with the number of channels.
static emg_status run_stub(const emg_recording *rec, const emg_config *config,
                           const emg_monitor *monitor, emg_decomposition *out, emg_error *err) {
  int n_channels = n_used(rec);
  const int64_t counts[] = {100, 100};
  (void)config;
  (void)monitor;

  if (n_channels < 2) {
    return emg_fail(err, EMG_ERR_DATA, "%d channels are too few", n_channels);
  }
  *out = (emg_decomposition){.n_channels = M};
  assert_int_equal(emg_spikes_create(2, counts, rec->rate_hz, rec->data.n_cols, &out->spikes, NULL),
                   EMG_OK);
  for (int i = 0; i < 100; i++) {
    out->spikes.samples[i] = 60 + 90 * i + 7 * (i * i % 5) + n_channels;
    out->spikes.samples[100 + i] = 80 * n_channels + 70 * i + (i * i * n_channels) % 23;
  }
  double **figures[] = {&out->sil, &out->pnr_db, &out->isi_cov, &out->rate_hz};
  for (int k = 0; k < 4; k++) {
    assert_int_equal(emg_alloc(2, sizeof(double), figures[k], NULL), EMG_OK);
    (*figures[k])[0] = (*figures[k])[1] = 0.9 + 0.01 * n_channels;
  }
  assert_int_equal(emg_array2f_create(2, rec->data.n_cols, &out->source, NULL), EMG_OK);
  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    emg_row2f(&out->source, 0)[i] = rec->data.data[i];
  }
  assert_int_equal(emg_alloc(M, sizeof *out->channels, &out->channels, NULL), EMG_OK);
  for (int c = 0; c < M; c++) {
    out->channels[c].state = rec->channels[c].state;
  }
  return EMG_OK;
}

static const emg_decompose_method stub = {"stub", "", run_stub};

static void a_window_is_a_view_and_results_return_to_the_whole(void **state) {
  (void)state;
  emg_recording rec = make_recording(), window;
  emg_config config;
  emg_decomposition found;
  int64_t begin;

  emg_config_defaults(&config);
  config.decompose.from_s = 2.5;
  config.decompose.to_s = 16;
  assert_int_equal(emg_window_cut(&rec, &config.decompose, &window, &begin, NULL), EMG_OK);
  assert_int_equal(begin, 2500);
  assert_int_equal(window.data.n_cols, 13500);
  assert_true(emg_row2f(&window.data, 3)[0] == 2500);
  assert_int_equal(run_stub(&window, &config, NULL, &found, NULL), EMG_OK);
  int64_t first = found.spikes.samples[0];
  assert_int_equal(emg_window_restore(begin, N, &found, NULL), EMG_OK);
  assert_int_equal(found.spikes.samples[0], first + 2500);
  assert_int_equal(found.spikes.n_samples, N);
  assert_int_equal(emg_spikes_check(&found.spikes, NULL), EMG_OK);
  assert_int_equal(found.source.n_cols, N);
  for (int i = 0; i < N; i++) {
    float expected = i >= 2500 && i < 16000 ? (float)i : 0;
    assert_true(emg_row2f(&found.source, 0)[i] == expected);
  }
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

static void a_window_past_the_end_is_cut_or_refused(void **state) {
  (void)state;
  emg_recording rec = make_recording(), window;
  emg_config config;
  emg_error err = {0};
  int64_t begin;

  emg_config_defaults(&config);
  assert_int_equal(emg_window_cut(&rec, &config.decompose, &window, &begin, NULL), EMG_OK);
  assert_int_equal(begin, 0);
  assert_int_equal(window.data.n_cols, N);
  config.decompose.to_s = 1e6;
  assert_int_equal(emg_window_cut(&rec, &config.decompose, &window, &begin, NULL), EMG_OK);
  assert_int_equal(window.data.n_cols, N);
  config.decompose.from_s = 20;
  assert_int_equal(emg_window_cut(&rec, &config.decompose, &window, &begin, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "from_s = 20 s"));
  config.decompose.from_s = 5;
  config.decompose.to_s = 4;
  assert_int_equal(emg_config_check(&config, NULL), EMG_ERR_CONFIG);
  emg_recording_free(&rec);
}

static void grids_together_are_one_run(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_config config;
  emg_decomposition found;

  emg_config_defaults(&config);
  assert_int_equal(emg_run_grids(&stub, &rec, &config, NULL, &found, NULL), EMG_OK);
  assert_int_equal(found.spikes.n_units, 2);
  assert_null(found.group);
  assert_float_equal(found.sil[0], 0.96, 1e-9);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

static void a_unit_of_two_grids_is_kept_where_it_is_best(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_config config;
  emg_decomposition found;

  emg_config_defaults(&config);
  config.decompose.groups = EMG_GROUPS_EACH;
  assert_int_equal(emg_run_grids(&stub, &rec, &config, NULL, &found, NULL), EMG_OK);
  // the unit both see once, from grid A with three channels; one more of either; none of grid C
  assert_int_equal(found.spikes.n_units, 3);
  assert_non_null(found.group);
  int n_a = 0, n_b = 0;
  for (int u = 0; u < 3; u++) {
    bool is_a = strcmp(found.group[u], "grid A") == 0;
    n_a += is_a;
    n_b += strcmp(found.group[u], "grid B") == 0;
    assert_float_equal(found.sil[u], is_a ? 0.93 : 0.92, 1e-9);
    assert_true(u == 0 ||
                emg_spikes_of(&found.spikes, u)[0] >= emg_spikes_of(&found.spikes, u - 1)[0]);
  }
  assert_int_equal(n_a, 2);
  assert_int_equal(n_b, 1);
  assert_int_equal(found.source.n_rows, 3);
  for (int c = 0; c < M; c++) {
    assert_int_equal(found.channels[c].state, c < 5 ? EMG_CHANNEL_GOOD : EMG_CHANNEL_UNUSED);
  }
  assert_non_null(strstr(found.channels[5].why, "grid"));
  assert_int_equal(rec.channels[0].state, EMG_CHANNEL_GOOD);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

static void grids_all_too_small_are_refused(void **state) {
  (void)state;
  emg_recording rec = make_recording();
  emg_config config;
  emg_decomposition found;
  emg_error err = {0};

  emg_config_defaults(&config);
  config.decompose.groups = EMG_GROUPS_EACH;
  for (int c = 0; c < M; c++) {
    snprintf(rec.channels[c].group, sizeof rec.channels[c].group, "probe %d", c);
  }
  assert_int_equal(emg_run_grids(&stub, &rec, &config, NULL, &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "together"));
  emg_recording_free(&rec);
}

// The file keeps which grid a unit is of and why channels were left out.
static void grids_and_reasons_survive_the_file(void **state) {
  (void)state;
  const char *path = "test_decompose_parts.h5";
  emg_recording rec = make_recording();
  emg_config config;
  emg_decomposition found, again;

  emg_config_defaults(&config);
  config.decompose.groups = EMG_GROUPS_EACH;
  assert_int_equal(emg_run_grids(&stub, &rec, &config, NULL, &found, NULL), EMG_OK);
  found.channels[2] = (emg_channel_finding){EMG_CHANNEL_DUPLICATE, "a copy of channel 1"};
  assert_int_equal(emg_file_write(path, &(emg_file_contents){.decomposition = &found}, true, NULL),
                   EMG_OK);
  assert_int_equal(emg_file_read_decomposition(path, &again, NULL), EMG_OK);
  assert_int_equal(again.n_channels, M);
  for (int c = 0; c < M; c++) {
    assert_int_equal(again.channels[c].state, found.channels[c].state);
    assert_string_equal(again.channels[c].why, found.channels[c].why);
  }
  for (int u = 0; u < 3; u++) {
    assert_string_equal(again.group[u], found.group[u]);
  }
  remove(path);
  emg_decomposition_free(&again);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

static void kinds_set_the_band(void **state) {
  (void)state;
  emg_config config, defaults;
  emg_error err = {0};

  emg_config_defaults(&config);
  emg_config_defaults(&defaults);
  assert_int_equal(emg_decompose_set_kind("intramuscular", &config, NULL), EMG_OK);
  assert_true(config.decompose.band_low_hz == 100 && config.decompose.band_high_hz == 4400);
  assert_int_equal(config.decompose.band_order, 3);
  assert_int_equal(emg_config_check(&config, NULL), EMG_OK);
  assert_int_equal(emg_decompose_set_kind("surface", &config, NULL), EMG_OK);
  assert_true(config.decompose.band_low_hz == defaults.decompose.band_low_hz &&
              config.decompose.band_high_hz == defaults.decompose.band_high_hz &&
              config.decompose.band_order == defaults.decompose.band_order);
  assert_int_equal(emg_decompose_set_kind("needle", &config, &err), EMG_ERR_ARG);
  assert_non_null(strstr(emg_error_message(&err), "intramuscular"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_window_is_a_view_and_results_return_to_the_whole),
      cmocka_unit_test(a_window_past_the_end_is_cut_or_refused),
      cmocka_unit_test(grids_together_are_one_run),
      cmocka_unit_test(a_unit_of_two_grids_is_kept_where_it_is_best),
      cmocka_unit_test(grids_all_too_small_are_refused),
      cmocka_unit_test(grids_and_reasons_survive_the_file),
      cmocka_unit_test(kinds_set_the_band),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
