// law_online.c -- filters learned from one recording find the same units in the next, whatever the
// batches it comes in
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <omp.h>

#include <emgtwin/emgtwin.h>

#include "../mixture_fixture.h"

static const mixture_options first = {6, 16, 12, 5, 6, 0}, next = {6, 16, 8, 6, 6, 0};

static emg_filters learn(const mixture *m) {
  emg_config config;
  emg_filters filters;
  emg_error err = {0};
  emg_config_defaults(&config);
  if (emg_filters_learn(&m->rec, &m->truth, &config, NULL, &filters, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return filters;
}

static emg_decomposition apply(const emg_recording *rec, const emg_filters *filters) {
  emg_decomposition found;
  emg_error err = {0};
  if (emg_online_decompose(rec, filters, NULL, true, NULL, &found, &err) != EMG_OK) {
    fail_msg("%s", emg_error_message(&err));
  }
  return found;
}

static emg_score_result score(const emg_spikes *found, const emg_spikes *truth) {
  emg_score_options options;
  emg_score_result result;
  assert_int_equal(emg_score_preset("strict", &options, NULL), EMG_OK);
  assert_int_equal(emg_score(found, truth, &options, &result, NULL), EMG_OK);
  return result;
}

static void filters_find_their_units_in_new_data(void **state) {
  (void)state;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters filters = learn(&a);
  emg_decomposition found = apply(&b.rec, &filters);
  emg_score_result result = score(&found.spikes, &b.truth);

  assert_int_equal(result.n_matched, first.n_units);
  for (int u = 0; u < first.n_units; u++) {
    assert_int_equal(result.pairs[u].truth, u);
    assert_true(result.pairs[u].roa > 0.95);
    assert_true(fabs(result.pairs[u].lag_ms) < 0.6);  // discharge times as in the trains learned
    assert_true(found.sil[u] > 0.8 && found.sil[u] <= 1);
    assert_float_equal(filters.spike_centroid[u], 1, 0.1);
    assert_true(filters.noise_centroid[u] < filters.threshold[u] &&
                filters.threshold[u] < filters.spike_centroid[u]);
  }
  emg_score_free(&result);
  emg_decomposition_free(&found);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
}

// In noise ten times as strong a filter finds anything: that is said of every unit.
static void what_a_filter_does_not_separate_is_flagged(void **state) {
  (void)state;
  mixture_options noisy = next;
  noisy.noise_uv *= 10;
  mixture a = mixture_create(&first), b = mixture_create(&next), c = mixture_create(&noisy);
  emg_filters filters = learn(&a);
  emg_decomposition clear = apply(&b.rec, &filters), lost = apply(&c.rec, &filters);

  for (int u = 0; u < first.n_units; u++) {
    assert_true(lost.flags[u] & EMG_UNIT_HARD_TO_DETECT);
    assert_true(lost.detectability[u] < clear.detectability[u]);
  }
  emg_decomposition_free(&clear);
  emg_decomposition_free(&lost);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
  mixture_free(&c);
}

// --- batches ---

typedef struct {
  int n;
  int unit[4096];
  int64_t sample[4096], decided_at[4096];
  double height[4096];
  const emg_online *online;
} record;

static void keep(int unit, int64_t sample, double height, void *user) {
  record *r = user;
  assert_true(r->n < 4096);
  r->unit[r->n] = unit;
  r->sample[r->n] = sample;
  r->height[r->n] = height;
  r->decided_at[r->n++] = emg_online_samples(r->online);
}

// All samples of a recording side by side; the caller frees.
static float *interleave(const emg_recording *rec) {
  int n_channels = rec->data.n_rows;
  float *samples = malloc((size_t)rec->data.n_cols * (size_t)n_channels * sizeof *samples);
  assert_non_null(samples);
  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    for (int c = 0; c < n_channels; c++) {
      samples[i * n_channels + c] = emg_row2f(&rec->data, c)[i];
    }
  }
  return samples;
}

// `batch` 0: sizes drawn from 0 to 99.
static void push_all(const emg_filters *filters, const float *samples, int64_t n, int64_t batch,
                     float *sources, record *r) {
  emg_rng rng = emg_rng_stream(1, EMG_RNG_TEST, 0, 9);
  emg_online *online;

  assert_int_equal(emg_online_create(filters, NULL, &online, NULL), EMG_OK);
  r->online = online;
  r->n = 0;
  for (int64_t at = 0; at < n;) {
    int64_t size = batch > 0 ? batch : (int64_t)emg_rng_below(&rng, 100);
    size = size < n - at ? size : n - at;
    emg_online_push(online, samples + at * filters->n_channels_recorded, size,
                    sources ? sources + at * filters->n_units : NULL, keep, r);
    at += size;
  }
  assert_true(emg_online_samples(online) == n);
  emg_online_flush(online, keep, r);
  emg_online_free(online);
}

static void batches_do_not_change_a_bit(void **state) {
  (void)state;
  static record one, other;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters filters = learn(&a);
  float *samples = interleave(&b.rec);
  int64_t n = b.rec.data.n_cols;
  size_t n_values = (size_t)n * (size_t)filters.n_units;
  float *sources = malloc(2 * n_values * sizeof *sources), *again = sources + n_values;
  const int64_t batches[] = {1, 3, 20, 333, 0};

  assert_non_null(sources);
  push_all(&filters, samples, n, n, sources, &one);
  assert_true(one.n > 300);
  for (int i = 0; i < 5; i++) {
    push_all(&filters, samples, n, batches[i], again, &other);
    assert_int_equal(other.n, one.n);
    assert_memory_equal(other.unit, one.unit, (size_t)one.n * sizeof *one.unit);
    assert_memory_equal(other.sample, one.sample, (size_t)one.n * sizeof *one.sample);
    assert_memory_equal(other.height, one.height, (size_t)one.n * sizeof *one.height);
    assert_memory_equal(sources, again, n_values * sizeof *sources);
  }
  free(sources);
  free(samples);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
}

static void a_discharge_is_reported_when_its_latency_has_passed(void **state) {
  (void)state;
  static record r;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters filters = learn(&a);
  float *samples = interleave(&b.rec);
  emg_online *online;

  assert_int_equal(emg_online_create(&filters, NULL, &online, NULL), EMG_OK);
  push_all(&filters, samples, b.rec.data.n_cols, 1, NULL, &r);
  for (int i = 0; i < r.n; i++) {
    // pushed one at a time, sample k is decided while there are k before it
    int64_t due = r.sample[i] + emg_online_latency(online, r.unit[i]);
    assert_true(r.decided_at[i] == due || r.decided_at[i] == b.rec.data.n_cols);
  }
  emg_online_free(online);
  free(samples);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
}

// --- adaptation ---

// Rate of agreement of all units from `from` to `to`, in s, in the mean.
static double agreement(const emg_recording *rec, const emg_spikes *truth,
                        const emg_filters *filters, bool is_adaptive, double from_s, double to_s) {
  const emg_online_options options = {.is_adaptive = is_adaptive};
  emg_decomposition found;
  emg_spikes part[2];
  int64_t counts[2][16], from = (int64_t)(from_s * mixture_rate_hz);
  int64_t to = (int64_t)(to_s * mixture_rate_hz);
  const emg_spikes *whole[2] = {&found.spikes, truth};

  assert_int_equal(emg_online_decompose(rec, filters, &options, false, NULL, &found, NULL), EMG_OK);
  for (int i = 0; i < 2; i++) {
    for (int pass = 0; pass < 2; pass++) {
      for (int u = 0; u < truth->n_units; u++) {
        int64_t n = 0;
        for (int64_t k = 0; k < emg_spikes_count(whole[i], u); k++) {
          int64_t at = emg_spikes_of(whole[i], u)[k];
          if (at >= from && at < to) {
            if (pass == 1) {
              part[i].samples[part[i].offsets[u] + n] = at;
            }
            n++;
          }
        }
        counts[i][u] = n;
      }
      if (pass == 0) {
        assert_int_equal(emg_spikes_create(truth->n_units, counts[i], mixture_rate_hz,
                                           rec->data.n_cols, &part[i], NULL),
                         EMG_OK);
      }
    }
  }
  emg_score_result result = score(&part[0], &part[1]);
  double sum = 0;
  for (int u = 0; u < truth->n_units; u++) {
    sum += result.pairs[u].truth == u ? result.pairs[u].roa / truth->n_units : 0;
  }
  emg_score_free(&result);
  emg_spikes_free(&part[0]);
  emg_spikes_free(&part[1]);
  emg_decomposition_free(&found);
  return sum;
}

// Waves that get longer for two minutes, as with falling conduction velocity, leave fixed filters
// behind (0.74 of discharges agree at the end, 0.82 with adaptation); and where nothing changes,
// nothing is lost.
static void adaptation_follows_change_and_does_no_harm_without(void **state) {
  (void)state;
  const mixture_options learned = {6, 16, 20, 5, 20, 0}, still = {6, 16, 100, 7, 20, 0};
  const mixture_options changing = {6, 16, 120, 7, 20, 0.8};
  mixture a = mixture_create(&learned), b = mixture_create(&still), c = mixture_create(&changing);
  emg_filters filters = learn(&a);

  double fixed = agreement(&c.rec, &c.truth, &filters, false, 90, 120);
  double followed = agreement(&c.rec, &c.truth, &filters, true, 90, 120);
  assert_true(fixed < 0.9 && followed > fixed + 0.05);
  fixed = agreement(&b.rec, &b.truth, &filters, false, 70, 100);
  followed = agreement(&b.rec, &b.truth, &filters, true, 70, 100);
  assert_true(followed > fixed - 0.01);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
  mixture_free(&c);
}

static void batches_do_not_change_a_bit_of_adaptation_either(void **state) {
  (void)state;
  static record r[2];
  const mixture_options longer = {3, 8, 45, 8, 6, 0.1};
  const emg_online_options options = {.is_adaptive = true};
  mixture m = mixture_create(&longer);
  emg_filters filters = learn(&m);
  float *samples = interleave(&m.rec);
  emg_online *online[2];

  for (int i = 0; i < 2; i++) {
    int64_t batch = i == 0 ? 2048 : 37;
    assert_int_equal(emg_online_create(&filters, &options, &online[i], NULL), EMG_OK);
    r[i] = (record){.online = online[i]};
    for (int64_t at = 0; at < m.rec.data.n_cols; at += batch) {
      int64_t n = m.rec.data.n_cols - at < batch ? m.rec.data.n_cols - at : batch;
      emg_online_push(online[i], samples + at * longer.n_channels, n, NULL, keep, &r[i]);
    }
  }
  const emg_filters *one = emg_online_filters(online[0]), *other = emg_online_filters(online[1]);
  size_t n_weights = (size_t)(one->n_units * one->n_taps * one->n_channels);
  assert_int_equal(r[0].n, r[1].n);
  assert_memory_equal(r[0].sample, r[1].sample, (size_t)r[0].n * sizeof *r[0].sample);
  assert_memory_equal(one->weights, other->weights, n_weights * sizeof *one->weights);
  assert_true(memcmp(one->weights, filters.weights, n_weights * sizeof *one->weights) != 0);
  for (int i = 0; i < 2; i++) {
    emg_online_free(online[i]);
  }
  free(samples);
  emg_filters_free(&filters);
  mixture_free(&m);
}

// --- the same as written down: whole rows, double sums, peaks by search ---

static int64_t spikes_as_defined(const emg_filters *f, const double *y, int64_t n, int u,
                                 int64_t *spikes) {
  int64_t refractory = (int64_t)lround(f->refractory_ms * f->rate_hz / 1000), count = 0;
  int64_t pending = -1;

  for (int64_t i = 1; i < n - 1; i++) {
    if (!(y[i] > y[i - 1] && y[i] >= y[i + 1] && y[i] > f->threshold[u])) {
      continue;
    }
    if (pending >= 0 && i - pending < refractory) {
      pending = y[i] > y[pending] ? i : pending;
      continue;
    }
    if (pending >= f->delay[u]) {
      spikes[count++] = pending - f->delay[u];
    }
    pending = i;
  }
  if (pending >= f->delay[u]) {
    spikes[count++] = pending - f->delay[u];
  }
  return count;
}

static void on_line_is_the_offline_formula(void **state) {
  (void)state;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters f = learn(&a);
  emg_decomposition found = apply(&b.rec, &f);
  int64_t n = b.rec.data.n_cols, n_spikes_all = 0;
  double *y = malloc((size_t)n * sizeof *y);
  int64_t *spikes = malloc((size_t)n * sizeof *spikes);
  float *x = calloc((size_t)n * (size_t)f.n_channels, sizeof *x);
  emg_config config;

  assert_true(y && spikes && x);
  emg_config_defaults(&config);
  for (int c = 0; c < f.n_channels; c++) {
    // high-pass and low-pass in steps of their own, from the first value as the state at rest
    float start = emg_row2f(&b.rec.data, f.channel[c])[0];
    double w_high = tan(M_PI * f.band_low_hz / f.rate_hz);
    double w_low = tan(M_PI * f.band_high_hz / f.rate_hz);
    double d_high = 1 + sqrt(2) * w_high + w_high * w_high;
    double d_low = 1 + sqrt(2) * w_low + w_low * w_low;
    double x1 = start, x2 = start, h1 = 0, h2 = 0, l1 = 0, l2 = 0;
    for (int64_t i = 0; i < n; i++) {
      double in = emg_row2f(&b.rec.data, f.channel[c])[i];
      double high = (in - 2 * x1 + x2 - 2 * (w_high * w_high - 1) * h1 -
                     (1 - sqrt(2) * w_high + w_high * w_high) * h2) /
                    d_high;
      double low = (w_low * w_low * (high + 2 * h1 + h2) - 2 * (w_low * w_low - 1) * l1 -
                    (1 - sqrt(2) * w_low + w_low * w_low) * l2) /
                   d_low;
      x2 = x1, x1 = in, h2 = h1, h1 = high, l2 = l1, l1 = low;
      x[i * f.n_channels + c] = (float)low;
    }
  }
  for (int u = 0; u < f.n_units; u++) {
    for (int64_t i = 0; i < n; i++) {
      y[i] = 0;
      for (int tap = 0; tap < f.n_taps; tap++) {
        int64_t at = i - f.n_taps + 1 + tap;
        for (int c = 0; c < f.n_channels && at >= 0; c++) {
          y[i] +=
              (double)f.weights[(u * f.n_taps + tap) * f.n_channels + c] * x[at * f.n_channels + c];
        }
      }
    }
    int64_t n_spikes = spikes_as_defined(&f, y, n, u, spikes);
    n_spikes_all += n_spikes;
    assert_int_equal(n_spikes, emg_spikes_count(&found.spikes, u));
    assert_memory_equal(spikes, emg_spikes_of(&found.spikes, u), (size_t)n_spikes * sizeof *spikes);
    for (int64_t i = 0; i + f.delay[u] < n; i++) {
      assert_true(fabs(emg_row2f(&found.source, u)[i] - y[i + f.delay[u]]) < 1e-4);
    }
  }
  assert_true(n_spikes_all > 300);
  free(x);
  free(y);
  free(spikes);
  emg_decomposition_free(&found);
  emg_filters_free(&f);
  mixture_free(&a);
  mixture_free(&b);
}

// --- what must not matter ---

static void learning_is_the_same_at_any_number_of_threads(void **state) {
  (void)state;
  mixture a = mixture_create(&first);
  int before = omp_get_max_threads();
  omp_set_num_threads(1);
  emg_filters one = learn(&a);

  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    omp_set_num_threads(n_threads);
    emg_filters more = learn(&a);
    size_t n = (size_t)one.n_units, n_weights = n * (size_t)(one.n_taps * one.n_channels);
    assert_memory_equal(one.weights, more.weights, n_weights * sizeof *one.weights);
    assert_memory_equal(one.threshold, more.threshold, n * sizeof *one.threshold);
    assert_memory_equal(one.delay, more.delay, n * sizeof *one.delay);
    emg_filters_free(&more);
  }
  omp_set_num_threads(before);
  emg_filters_free(&one);
  mixture_free(&a);
}

static void scale_and_offset_do_not_matter(void **state) {
  (void)state;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters filters = learn(&a);
  emg_decomposition found = apply(&b.rec, &filters);

  for (int64_t i = 0; i < a.rec.data.n_rows * a.rec.data.stride; i++) {
    a.rec.data.data[i] = 0.125F * a.rec.data.data[i] + 4096;
  }
  for (int64_t i = 0; i < b.rec.data.n_rows * b.rec.data.stride; i++) {
    b.rec.data.data[i] = 0.125F * b.rec.data.data[i] - 512;
  }
  emg_filters other = learn(&a);
  emg_decomposition again = apply(&b.rec, &other);
  emg_score_result result = score(&again.spikes, &found.spikes);
  // an offset rounds the samples: a spike in a hundred may move
  assert_true(result.n_matched == first.n_units && result.roa > 0.99);
  emg_score_free(&result);
  emg_filters_free(&filters);
  emg_filters_free(&other);
  emg_decomposition_free(&found);
  emg_decomposition_free(&again);
  mixture_free(&a);
  mixture_free(&b);
}

static void bad_values_pass_and_leave_nothing_behind(void **state) {
  (void)state;
  static record clean, spoiled;
  mixture a = mixture_create(&first), b = mixture_create(&next);
  emg_filters filters = learn(&a);
  float *samples = interleave(&b.rec);
  int64_t n = b.rec.data.n_cols, from = 4000, to = 4100;
  emg_online *online;

  push_all(&filters, samples, n, 100, NULL, &clean);
  for (int64_t i = from; i < to; i++) {
    samples[i * filters.n_channels_recorded + 3] = i % 3 == 0   ? NAN
                                                   : i % 3 == 1 ? -INFINITY
                                                                : 2e30F;
  }
  push_all(&filters, samples, n, 100, NULL, &spoiled);
  // the filter of 20 Hz forgets a step in some 0.1 s; a second later all is as if nothing had been
  int i = 0, j = 0, n_after = 0;
  while (i < clean.n && clean.sample[i] < to + 2048) {
    i++;
  }
  while (j < spoiled.n && spoiled.sample[j] < to + 2048) {
    j++;
  }
  for (; i < clean.n && j < spoiled.n; i++, j++, n_after++) {
    assert_int_equal(clean.sample[i], spoiled.sample[j]);
    assert_int_equal(clean.unit[i], spoiled.unit[j]);
  }
  assert_true(n_after > 200 && i == clean.n && j == spoiled.n);

  assert_int_equal(emg_online_create(&filters, NULL, &online, NULL), EMG_OK);
  emg_online_push(online, samples, n, NULL, NULL, NULL);
  assert_int_equal(emg_online_bad_values(online), to - from);
  emg_online_free(online);
  free(samples);
  emg_filters_free(&filters);
  mixture_free(&a);
  mixture_free(&b);
}

// --- bounds ---

static void units_of_few_spikes_get_no_filter_and_never_fire(void **state) {
  (void)state;
  mixture a = mixture_create(&first);
  emg_config config;
  emg_filters filters;
  const int64_t counts[] = {emg_spikes_count(&a.truth, 0), 3, 0};
  emg_spikes few;

  emg_config_defaults(&config);
  assert_int_equal(emg_spikes_create(3, counts, mixture_rate_hz, a.rec.data.n_cols, &few, NULL),
                   EMG_OK);
  memcpy(few.samples, emg_spikes_of(&a.truth, 0), (size_t)counts[0] * sizeof *few.samples);
  memcpy(few.samples + counts[0], emg_spikes_of(&a.truth, 1), 3 * sizeof *few.samples);
  assert_int_equal(emg_filters_learn(&a.rec, &few, &config, NULL, &filters, NULL), EMG_OK);
  emg_decomposition found = apply(&a.rec, &filters);
  assert_true(emg_spikes_count(&found.spikes, 0) > 50);
  assert_int_equal(emg_spikes_count(&found.spikes, 1), 0);
  assert_int_equal(emg_spikes_count(&found.spikes, 2), 0);
  emg_decomposition_free(&found);
  emg_filters_free(&filters);
  emg_spikes_free(&few);
  mixture_free(&a);
}

static void recordings_of_other_electrodes_are_refused(void **state) {
  (void)state;
  mixture a = mixture_create(&first);
  emg_filters filters = learn(&a);
  emg_recording rec;
  emg_decomposition found;
  emg_error err = {0};

  assert_int_equal(emg_recording_create(15, 4096, mixture_rate_hz, &rec, NULL), EMG_OK);
  assert_int_equal(emg_online_decompose(&rec, &filters, NULL, false, NULL, &found, &err),
                   EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "15 channels"));
  emg_recording_free(&rec);
  assert_int_equal(emg_recording_create(16, 4096, 2000, &rec, NULL), EMG_OK);
  assert_int_equal(emg_online_decompose(&rec, &filters, NULL, false, NULL, &found, &err),
                   EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "2000 Hz"));
  emg_recording_free(&rec);
  emg_online *online;
  assert_int_equal(emg_online_create(&(emg_filters){0}, NULL, &online, &err), EMG_ERR_ARG);
  emg_filters_free(&filters);
  mixture_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(filters_find_their_units_in_new_data),
      cmocka_unit_test(what_a_filter_does_not_separate_is_flagged),
      cmocka_unit_test(batches_do_not_change_a_bit),
      cmocka_unit_test(a_discharge_is_reported_when_its_latency_has_passed),
      cmocka_unit_test(adaptation_follows_change_and_does_no_harm_without),
      cmocka_unit_test(batches_do_not_change_a_bit_of_adaptation_either),
      cmocka_unit_test(on_line_is_the_offline_formula),
      cmocka_unit_test(learning_is_the_same_at_any_number_of_threads),
      cmocka_unit_test(scale_and_offset_do_not_matter),
      cmocka_unit_test(bad_values_pass_and_leave_nothing_behind),
      cmocka_unit_test(units_of_few_spikes_get_no_filter_and_never_fire),
      cmocka_unit_test(recordings_of_other_electrodes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
