// law_decompose.c -- planted units are found, whatever does not matter changes nothing, and noise
// holds no units
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

// A convolutive mixture: units with action potentials of their own shape, place and conduction
// along 16 channels, firing at 10 to 16 Hz, in white noise 20 dB below.
enum { N_UNITS = 5, N_CHANNELS = 16, N_SAMPLES = 2048 * 10, N_TAPS = 40 };
static const double rate_hz = 2048;

typedef struct {
  emg_recording rec;
  emg_spikes truth;
} mixture;

static double action_potential(int unit, int channel, int tap) {
  double centre = 2 + 3.1 * unit, spread = 2 + 0.4 * unit;
  double weight = exp(-0.5 * pow((channel - centre) / spread, 2));
  double width = 2.5 + 0.5 * unit, at = 12 + 0.7 * fabs(channel - centre);
  double t = (tap - at) / width;
  return 100 * weight * (1 - t * t + 0.6 * t * (unit % 2 ? 1 : -1)) * exp(-0.5 * t * t);
}

static void plant_unit(mixture *m, int unit, int64_t *times, int64_t *n) {
  emg_rng rng = emg_rng_stream(3, EMG_RNG_TEST, (uint32_t)unit, 0);
  double interval = rate_hz / (10 + 1.5 * unit), at = interval * (0.3 + emg_rng_uniform(&rng));

  *n = 0;
  while (at < N_SAMPLES - N_TAPS) {
    times[*n] = (int64_t)at;
    for (int c = 0; c < N_CHANNELS; c++) {
      for (int t = 0; t < N_TAPS; t++) {
        emg_row2f(&m->rec.data, c)[times[*n] + t] += (float)action_potential(unit, c, t);
      }
    }
    ++*n;
    at += fmax(interval * (1 + 0.15 * emg_rng_gaussian(&rng)), 50);
  }
}

static void add_noise(emg_recording *rec, double sd) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    emg_rng rng = emg_rng_stream(4, EMG_RNG_TEST, (uint32_t)c, 0);
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      emg_row2f(&rec->data, c)[i] += (float)(sd * emg_rng_gaussian(&rng));
    }
  }
}

static mixture make_mixture(void) {
  mixture m;
  static int64_t times[N_UNITS][N_SAMPLES];
  int64_t counts[N_UNITS];

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &m.rec, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    plant_unit(&m, u, times[u], &counts[u]);
  }
  double power = 0;
  for (int c = 0; c < N_CHANNELS; c++) {
    for (int64_t i = 0; i < N_SAMPLES; i++) {
      power += pow(emg_row2f(&m.rec.data, c)[i], 2);
    }
  }
  add_noise(&m.rec, sqrt(power / N_CHANNELS / N_SAMPLES / 100));
  assert_int_equal(emg_spikes_create(N_UNITS, counts, rate_hz, N_SAMPLES, &m.truth, NULL), EMG_OK);
  for (int u = 0; u < N_UNITS; u++) {
    memcpy(m.truth.samples + m.truth.offsets[u], times[u], (size_t)counts[u] * sizeof(int64_t));
  }
  return m;
}

static void free_mixture(mixture *m) {
  emg_recording_free(&m->rec);
  emg_spikes_free(&m->truth);
}

// Few delays and sources: enough for a few units, and quick.
static emg_config quick_config(void) {
  emg_config config;
  emg_config_defaults(&config);
  config.decompose.extension = 8;
  config.decompose.batch = 16;
  config.decompose.rounds = 3;
  return config;
}

static emg_decomposition decompose(const emg_recording *rec, const emg_config *config) {
  emg_decomposition found;
  emg_error err = {0};
  emg_status status = emg_decompose("ckc", rec, config, NULL, &found, &err);
  if (status != EMG_OK) {
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

static void assert_all_found(const emg_decomposition *found, const emg_spikes *truth) {
  emg_score_result result = score(&found->spikes, truth);
  assert_int_equal(result.n_roa_90, N_UNITS);
  assert_int_equal(result.n_false, 0);
  assert_int_equal(result.n_duplicates, 0);
  emg_score_free(&result);
}

static void assert_same_trains(const emg_spikes *a, const emg_spikes *b) {
  assert_int_equal(a->n_units, b->n_units);
  assert_memory_equal(a->offsets, b->offsets, (size_t)(a->n_units + 1) * sizeof *a->offsets);
  assert_memory_equal(a->samples, b->samples, (size_t)a->offsets[a->n_units] * sizeof *a->samples);
}

// Rounding may move a peak by a sample or a height across the threshold: a few in a thousand.
static void assert_trains_agree(const emg_spikes *a, const emg_spikes *b) {
  emg_score_result result = score(a, b);
  assert_int_equal(a->n_units, b->n_units);
  assert_int_equal(result.n_matched, a->n_units);
  for (int u = 0; u < a->n_units; u++) {
    assert_int_equal(result.pairs[u].truth, u);  // the order is a rule, not chance
    assert_true(result.pairs[u].roa > 0.99);
  }
  emg_score_free(&result);
}

static void planted_units_are_found_with_their_figures(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  config.decompose.keep_source = true;
  emg_decomposition found = decompose(&m.rec, &config);

  assert_all_found(&found, &m.truth);
  assert_int_equal(found.source.n_rows, found.spikes.n_units);
  assert_int_equal(found.muaps.n_channels, N_CHANNELS);
  for (int u = 0; u < found.spikes.n_units; u++) {
    assert_true(found.sil[u] >= config.decompose.sil_min && found.sil[u] <= 1);
    assert_true(found.pnr_db[u] > 10 && found.pnr_db[u] < 200);
    assert_true(found.isi_cov[u] > 0.05 && found.isi_cov[u] < 0.3);
    assert_true(found.rate_hz[u] > 8 && found.rate_hz[u] < 18);

    // the source kept is the one the figures are of
    emg_source_quality quality = emg_source_quality_of(
        emg_row2f(&found.source, u), N_SAMPLES, emg_spikes_of(&found.spikes, u),
        emg_spikes_count(&found.spikes, u), (int64_t)(0.02 * rate_hz));
    assert_float_equal(quality.sil, found.sil[u], 0.02);
    assert_float_equal(quality.pnr_db, found.pnr_db[u], 0.5);
  }
  emg_decomposition_free(&found);
  free_mixture(&m);
}

static void spikes_are_near_the_onset_of_the_action_potential(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  emg_decomposition found = decompose(&m.rec, &config);
  emg_score_result result = score(&found.spikes, &m.truth);

  // planted waves start some samples after the index they are planted at and peak at 12 or later
  for (int u = 0; u < result.n_estimated; u++) {
    assert_true(result.pairs[u].lag_ms > 0 && result.pairs[u].lag_ms < 12 * 1000 / rate_hz);
  }
  emg_score_free(&result);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

static void every_contrast_and_update_finds_units_and_no_false_ones(void **state) {
  (void)state;
  static const int settings[][2] = {
      {EMG_SEPARATION_FIXED_POINT, EMG_CONTRAST_SKEWNESS},
      {EMG_SEPARATION_FIXED_POINT, EMG_CONTRAST_LOG_COSH},
      {EMG_SEPARATION_GRADIENT, EMG_CONTRAST_CLIPPED_SKEWNESS},
  };
  mixture m = make_mixture();

  for (int i = 0; i < 3; i++) {
    emg_config config = quick_config();
    config.decompose.separation = settings[i][0];
    config.decompose.contrast = settings[i][1];
    emg_decomposition found = decompose(&m.rec, &config);
    emg_score_result result = score(&found.spikes, &m.truth);
    assert_true(result.n_roa_90 >= 3);
    assert_int_equal(result.n_false + result.n_duplicates, 0);
    emg_score_free(&result);
    emg_decomposition_free(&found);
  }
  free_mixture(&m);
}

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  int before = omp_get_max_threads();
  config.decompose.keep_source = true;
  omp_set_num_threads(1);
  emg_decomposition one = decompose(&m.rec, &config);

  for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
    omp_set_num_threads(n_threads);
    emg_decomposition more = decompose(&m.rec, &config);
    size_t n_units = (size_t)one.spikes.n_units;
    assert_same_trains(&one.spikes, &more.spikes);
    assert_memory_equal(one.sil, more.sil, n_units * sizeof *one.sil);
    assert_memory_equal(one.pnr_db, more.pnr_db, n_units * sizeof *one.pnr_db);
    assert_memory_equal(one.source.data, more.source.data,
                        n_units * (size_t)one.source.stride * sizeof(float));
    assert_memory_equal(one.muaps.data, more.muaps.data,
                        n_units * N_CHANNELS * (size_t)one.muaps.n_taps * sizeof(float));
    emg_decomposition_free(&more);
  }
  omp_set_num_threads(before);
  emg_decomposition_free(&one);
  free_mixture(&m);
}

static void order_of_channels_does_not_matter(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  emg_recording turned;
  emg_decomposition found = decompose(&m.rec, &config), again;

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &turned, NULL), EMG_OK);
  for (int c = 0; c < N_CHANNELS; c++) {
    memcpy(emg_row2f(&turned.data, (5 * c + 3) % N_CHANNELS), emg_row2f(&m.rec.data, c),
           N_SAMPLES * sizeof(float));
  }
  again = decompose(&turned, &config);
  assert_trains_agree(&again.spikes, &found.spikes);
  emg_decomposition_free(&again);
  emg_decomposition_free(&found);
  emg_recording_free(&turned);
  free_mixture(&m);
}

static void scale_offset_and_polarity_do_not_matter(void **state) {
  (void)state;
  const double scales[] = {1e-6, -1, 3e4}, offsets[] = {0, 0, 2e6};
  mixture m = make_mixture();
  emg_config config = quick_config();
  emg_decomposition found = decompose(&m.rec, &config);
  emg_recording other;

  assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &other, NULL), EMG_OK);
  for (int k = 0; k < 3; k++) {
    for (int c = 0; c < N_CHANNELS; c++) {
      for (int64_t i = 0; i < N_SAMPLES; i++) {
        emg_row2f(&other.data, c)[i] =
            (float)(scales[k] * emg_row2f(&m.rec.data, c)[i] + offsets[k]);
      }
    }
    emg_decomposition again = decompose(&other, &config);
    assert_trains_agree(&again.spikes, &found.spikes);
    emg_decomposition_free(&again);
  }
  emg_decomposition_free(&found);
  emg_recording_free(&other);
  free_mixture(&m);
}

static void mains_and_bad_channels_leave_the_units(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  emg_rng rng = emg_rng_stream(8, EMG_RNG_TEST, 0, 0);
  config.decompose.notch_hz = 50;

  for (int64_t i = 0; i < N_SAMPLES; i++) {
    for (int c = 0; c < N_CHANNELS; c++) {
      emg_row2f(&m.rec.data, c)[i] += (float)(30 * sin(2 * M_PI * 50 * (double)i / rate_hz));
    }
    emg_row2f(&m.rec.data, 4)[i] = 7;                                       // flat
    emg_row2f(&m.rec.data, 9)[i] = (float)(5000 * emg_rng_gaussian(&rng));  // noise
    emg_row2f(&m.rec.data, 13)[i] = emg_row2f(&m.rec.data, 12)[i];          // a copy
  }
  emg_row2f(&m.rec.data, 6)[100] = NAN;
  emg_decomposition found = decompose(&m.rec, &config);
  emg_score_result result = score(&found.spikes, &m.truth);

  assert_true(result.n_roa_90 >= N_UNITS - 1);  // a quarter of the channels is gone
  assert_int_equal(result.n_false + result.n_duplicates, 0);
  for (ptrdiff_t i = 0; i < (ptrdiff_t)found.muaps.n_units * N_CHANNELS * found.muaps.n_taps; i++) {
    assert_true(isfinite(found.muaps.data[i]));
  }
  emg_score_free(&result);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

static void a_search_on_part_of_the_recording_decomposes_all_of_it(void **state) {
  (void)state;
  mixture m = make_mixture();
  emg_config config = quick_config();
  config.decompose.search_s = 7;
  emg_decomposition found = decompose(&m.rec, &config);

  assert_all_found(&found, &m.truth);
  emg_decomposition_free(&found);
  free_mixture(&m);
}

// 10 s each of white noise; of noise with the spectrum and the spatial correlation of muscle at
// rest; and of noise whose size changes as in contractions without decodable units.
static void noise_holds_no_units(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    emg_recording rec;
    emg_config config = quick_config();
    assert_int_equal(emg_recording_create(N_CHANNELS, N_SAMPLES, rate_hz, &rec, NULL), EMG_OK);
    add_noise(&rec, 10);
    for (int64_t i = 1; i < N_SAMPLES && kind > 0; i++) {
      double size = kind == 2 ? 1 + 4 * (i / 6000 % 2) : 1;
      for (int c = 0; c < N_CHANNELS; c++) {
        float *row = emg_row2f(&rec.data, c);
        float beside = c > 0 ? emg_row2f(&rec.data, c - 1)[i] / (float)size : 0;
        row[i] = (float)size * (0.7F * row[i - 1] / (float)size + 0.5F * beside + row[i]);
      }
    }
    emg_decomposition found = decompose(&rec, &config);
    assert_int_equal(found.spikes.n_units, 0);
    assert_int_equal(found.muaps.n_units, 0);
    emg_decomposition_free(&found);
    emg_recording_free(&rec);
  }
}

// In 3 s of 40 channels there are so many dimensions for so few samples that filters make trains of
// noise with the silhouette and the regularity of units.
static void short_noise_of_many_channels_holds_no_units(void **state) {
  (void)state;
  emg_recording rec;
  emg_config config;

  emg_config_defaults(&config);
  config.decompose.batch = 48;
  // irregular trains too, for a harder test
  config.decompose.isi_cov_max = config.decompose.isi_cov_max_weak = 0.8;
  config.decompose.rounds = 1;
  assert_int_equal(emg_recording_create(40, 3 * 2048, rate_hz, &rec, NULL), EMG_OK);
  add_noise(&rec, 10);
  emg_decomposition found = decompose(&rec, &config);
  assert_int_equal(found.spikes.n_units, 0);
  emg_decomposition_free(&found);
  config.decompose.validated_sil_min = 0;  // what else would be accepted
  found = decompose(&rec, &config);
  assert_true(found.spikes.n_units > 0);
  emg_decomposition_free(&found);
  emg_recording_free(&rec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_units_are_found_with_their_figures),
      cmocka_unit_test(spikes_are_near_the_onset_of_the_action_potential),
      cmocka_unit_test(every_contrast_and_update_finds_units_and_no_false_ones),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(order_of_channels_does_not_matter),
      cmocka_unit_test(scale_offset_and_polarity_do_not_matter),
      cmocka_unit_test(mains_and_bad_channels_leave_the_units),
      cmocka_unit_test(a_search_on_part_of_the_recording_decomposes_all_of_it),
      cmocka_unit_test(noise_holds_no_units),
      cmocka_unit_test(short_noise_of_many_channels_holds_no_units),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
