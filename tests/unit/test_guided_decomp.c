// test_guided_decomp.c -- a guide that does nothing changes nothing; one that rejects is obeyed
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/guide.h>

#include "tests/mixture_fixture.h"

static const mixture_options options = {
    .n_units = 4, .n_channels = 12, .duration_s = 12, .seed = 3, .noise_uv = 8};

static emg_decomposition run(const emg_recording *rec, const emg_guide *guide) {
  emg_decomposition found;
  emg_config config;
  emg_error err = {0};

  emg_config_defaults(&config);
  config.decompose.rounds = 2;
  emg_status status = guide ? emg_decompose_guided(rec, &config, guide, NULL, &found, &err)
                            : emg_decompose("ckc", rec, &config, NULL, &found, &err);
  if (status != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return found;
}

static void a_guide_without_advice_changes_nothing(void **state) {
  (void)state;
  const emg_guide none = {0};
  mixture m = mixture_create(&options);
  emg_decomposition blind = run(&m.rec, NULL), guided = run(&m.rec, &none);

  assert_true(blind.spikes.n_units >= 3);
  assert_int_equal(guided.spikes.n_units, blind.spikes.n_units);
  assert_memory_equal(guided.spikes.offsets, blind.spikes.offsets,
                      (size_t)(blind.spikes.n_units + 1) * sizeof *blind.spikes.offsets);
  assert_memory_equal(
      guided.spikes.samples, blind.spikes.samples,
      (size_t)blind.spikes.offsets[blind.spikes.n_units] * sizeof *blind.spikes.samples);
  emg_decomposition_free(&blind);
  emg_decomposition_free(&guided);
  mixture_free(&m);
}

// Keeps the first unit it is shown, and counts.
static emg_status keep_first(void *self, const emg_guided_signal *residual, int n,
                             emg_guided_unit *units, bool *is_kept, emg_error *err) {
  (void)residual;
  (void)units;
  (void)err;
  for (int i = 0; i < n; i++) {
    is_kept[i] = i == 0;
  }
  *(int *)self = n;
  return EMG_OK;
}

static void units_that_the_guide_rejects_are_not_reported(void **state) {
  (void)state;
  int n_shown = 0;
  const emg_guide guide = {.self = &n_shown, .judge = keep_first};
  mixture m = mixture_create(&options);
  emg_decomposition found = run(&m.rec, &guide);

  assert_true(n_shown >= 3);
  assert_int_equal(found.spikes.n_units, 1);
  emg_decomposition_free(&found);
  mixture_free(&m);
}

static emg_status give_up(void *self, const emg_guided_signal *residual, int n,
                          emg_guided_unit *units, emg_error *err) {
  (void)self;
  (void)residual;
  (void)n;
  (void)units;
  return emg_fail(err, EMG_ERR_DATA, "this guide gives up");
}

static void an_error_of_the_guide_ends_the_decomposition(void **state) {
  (void)state;
  const emg_guide guide = {.shape = give_up};
  mixture m = mixture_create(&options);
  emg_decomposition found;
  emg_config config;
  emg_error err = {0};

  emg_config_defaults(&config);
  assert_int_equal(emg_decompose_guided(&m.rec, &config, &guide, NULL, &found, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "gives up"));
  mixture_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_guide_without_advice_changes_nothing),
      cmocka_unit_test(units_that_the_guide_rejects_are_not_reported),
      cmocka_unit_test(an_error_of_the_guide_ends_the_decomposition),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
