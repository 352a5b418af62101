// test_exchange_decomp.c -- spikes go to the like unit they fit better, and stay where they fit
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decomp/joint_priv.h"
#include <emgtwin/emgtwin.h>

// Two units whose filters answer to each other with 0.8, unit 1's a sample later; intervals of 100
// and 110 samples. The residual is 0 but for what a spike in the wrong place leaves.
enum { N_SAMPLES = 12000, HALF = 10, N_TAPS = 4, PERIOD_0 = 100, PERIOD_1 = 110, LAG = 1 };
static const float answer = 0.8F;

typedef struct {
  emg_signal residual;
  emg_units units;
  emg_config config;
  emg_joint joint;
} fixture;

// Spikes every `period` samples, one more at `extra`, none at `without`.
static void add_train(fixture *f, int64_t period, int64_t extra, int64_t without) {
  int64_t spikes[N_SAMPLES / 50], n = 0;

  for (int64_t at = period; at < N_SAMPLES - HALF; at += period) {
    if (extra >= 0 && extra < at && (n == 0 || spikes[n - 1] < extra)) {
      spikes[n++] = extra;
    }
    if (at != without) {
      spikes[n++] = at;
    }
  }
  assert_int_equal(emg_units_add(&f->units, 1, spikes, n, NULL), EMG_OK);
  f->units.items[f->units.n - 1].noise_variance = 0.05;
}

static void set_up(fixture *f, int64_t extra, int64_t without) {
  *f = (fixture){.units.half_window = HALF};
  emg_config_defaults(&f->config);
  assert_int_equal(emg_signal_create(1, N_SAMPLES, 2 * HALF + 1, 2048, &f->residual, NULL), EMG_OK);
  add_train(f, PERIOD_0, extra, -1);
  add_train(f, PERIOD_1, -1, without);
  f->joint = (emg_joint){.residual = &f->residual,
                         .units = &f->units,
                         .config = &f->config.decompose,
                         .n_taps = N_TAPS};
  assert_int_equal(emg_joint_create(&f->joint, NULL), EMG_OK);
  memset(f->joint.sources, 0, 2 * (size_t)f->joint.length * sizeof *f->joint.sources);
  for (int i = 0; i < 4; i++) {
    float *response = emg_joint_response(&f->joint, i / 2, i % 2);
    memset(response, 0, (size_t)(2 * f->joint.reach + 1) * sizeof *response);
    response[f->joint.reach + (i == 1 ? -LAG : i == 2 ? LAG : 0)] = i == 0 || i == 3 ? 1 : answer;
  }
}

static void tear_down(fixture *f) {
  emg_joint_free(&f->joint);
  emg_units_free(&f->units);
  emg_signal_free(&f->residual);
}

static bool has_spike(const emg_unit *u, int64_t at) {
  for (int64_t i = 0; i < u->n_spikes; i++) {
    if (u->spikes[i] == at) {
      return true;
    }
  }
  return false;
}

static float *source_of(fixture *f, int unit, int64_t spike) {
  return f->joint.sources + unit * f->joint.length + spike + f->units.items[unit].delay + HALF;
}

static void a_spike_of_a_like_unit_is_given_back(void **state) {
  (void)state;
  const int64_t stolen = 45 * PERIOD_1;
  fixture f;

  set_up(&f, stolen - LAG, stolen);
  // unit 0 holds what is unit 1's: too much is taken from its source, too little from the other
  *source_of(&f, 0, stolen - LAG) = answer - 1;
  *source_of(&f, 1, stolen) = 1 - answer;
  assert_int_equal(emg_joint_exchange(&f.joint, NULL), EMG_OK);
  assert_false(has_spike(&f.units.items[0], stolen - LAG));
  assert_true(has_spike(&f.units.items[1], stolen));
  // and the sources have followed
  assert_float_equal(*source_of(&f, 0, stolen - LAG), 0, 1e-6);
  assert_float_equal(*source_of(&f, 1, stolen), 0, 1e-6);
  tear_down(&f);
}

static void spikes_stay_where_they_fit(void **state) {
  (void)state;
  fixture f;

  set_up(&f, -1, -1);
  int64_t n_0 = f.units.items[0].n_spikes, n_1 = f.units.items[1].n_spikes;
  assert_int_equal(emg_joint_exchange(&f.joint, NULL), EMG_OK);
  assert_int_equal(f.units.items[0].n_spikes, n_0);
  assert_int_equal(f.units.items[1].n_spikes, n_1);
  tear_down(&f);
}

// The rhythm asks for the move, the signal says clearly that the spike is unit 0's.
static void the_signal_outweighs_the_rhythm(void **state) {
  (void)state;
  const int64_t at = 45 * PERIOD_1;
  fixture f;

  set_up(&f, at - LAG, at);
  f.units.items[0].noise_variance = f.units.items[1].noise_variance = 0.002;
  assert_int_equal(emg_joint_exchange(&f.joint, NULL), EMG_OK);
  assert_true(has_spike(&f.units.items[0], at - LAG));
  assert_false(has_spike(&f.units.items[1], at));
  tear_down(&f);
}

static void unlike_units_exchange_nothing(void **state) {
  (void)state;
  const int64_t at = 45 * PERIOD_1;
  fixture f;

  set_up(&f, at - LAG, at);
  emg_joint_response(&f.joint, 1, 0)[f.joint.reach + LAG] = 0.3F;
  emg_joint_response(&f.joint, 0, 1)[f.joint.reach - LAG] = 0.3F;
  assert_int_equal(emg_joint_exchange(&f.joint, NULL), EMG_OK);
  assert_true(has_spike(&f.units.items[0], at - LAG));
  tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_spike_of_a_like_unit_is_given_back),
      cmocka_unit_test(spikes_stay_where_they_fit),
      cmocka_unit_test(the_signal_outweighs_the_rhythm),
      cmocka_unit_test(unlike_units_exchange_nothing),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
