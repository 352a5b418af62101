// convert_fixture.h -- a small recording with units, and what must come back from another format
#ifndef EMG_CONVERT_FIXTURE_H
#define EMG_CONVERT_FIXTURE_H

#include <math.h>

#include <emgtwin/emgtwin.h>

#include "file_fixture.h"

// Two rows and three columns less a corner, 2 s at 2048 Hz, force, three units of which one is
// silent; sources kept.
typedef struct {
  emg_recording rec;
  emg_decomposition found;
} sample;

enum { SAMPLE_LENGTH = 4096, SAMPLE_CHANNELS = 5 };

static inline void sample_channels(emg_recording *rec) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    emg_channel *channel = &rec->channels[c];
    int place = c + 1;  // the first corner has none
    snprintf(channel->name, sizeof channel->name, "R%02dC%02d", place / 3 + 1, place % 3 + 1);
    snprintf(channel->group, sizeof channel->group, "grid");
    channel->row = place / 3;
    channel->column = place % 3;
    channel->x_mm = 8 * channel->column;
    channel->y_mm = 8 * channel->row;
    channel->z_mm = 0.125 * c;
    for (int64_t i = 0; i < rec->data.n_cols; i++) {
      emg_row2f(&rec->data, c)[i] =
          (float)(250 * sin(0.1 * (double)i * (c + 1)) + 1e-3 * (double)(i % 977));
    }
  }
}

static inline void sample_units(const int64_t *counts, int n_units, emg_decomposition *found) {
  assert_int_equal(emg_spikes_create(n_units, counts, 2048, SAMPLE_LENGTH, &found->spikes, NULL),
                   EMG_OK);
  for (int u = 0; u < n_units; u++) {
    for (int64_t i = 0; i < counts[u]; i++) {
      // the first and the last sample of the recording among them
      int64_t at = u == 0 && i == 0 ? 0 : 100 + u + 150 * i + (i * i) % 7;
      found->spikes.samples[found->spikes.offsets[u] + i] =
          u == 0 && i == counts[0] - 1 && i > 0 ? SAMPLE_LENGTH - 1 : at;
    }
  }
  assert_int_equal(emg_alloc((size_t)n_units + 1, sizeof(double), &found->sil, NULL), EMG_OK);
  assert_int_equal(emg_alloc((size_t)n_units + 1, sizeof(double), &found->pnr_db, NULL), EMG_OK);
  for (int u = 0; u < n_units; u++) {
    found->sil[u] = 0.9 + 0.01 * u;
    found->pnr_db[u] = 30 + u;
  }
}

static inline sample make_sample(const int64_t *counts, int n_units) {
  sample s = {0};
  assert_int_equal(emg_recording_create(SAMPLE_CHANNELS, SAMPLE_LENGTH, 2048, &s.rec, NULL),
                   EMG_OK);
  sample_channels(&s.rec);
  s.rec.pitch_mm = 8;
  assert_int_equal(emg_recording_add_aux(&s.rec, 1, NULL), EMG_OK);
  snprintf(s.rec.aux_channels[0].name, sizeof s.rec.aux_channels[0].name, "force");
  snprintf(s.rec.aux_channels[0].units, sizeof s.rec.aux_channels[0].units, "N");
  for (int64_t i = 0; i < SAMPLE_LENGTH; i++) {
    emg_row2f(&s.rec.aux, 0)[i] = (float)(i % 300) / 4;
  }
  sample_units(counts, n_units, &s.found);
  return s;
}

static inline void free_sample(sample *s) {
  emg_recording_free(&s->rec);
  emg_decomposition_free(&s->found);
}

// Write it; the test fails if that does.
static inline emg_conversion convert_or_die(const sample *s, const char *format, const char *path) {
  const emg_file_contents contents = {
      .recording = &s->rec, .decomposition = &s->found, .compress = true, .n_threads = 2};
  const emg_writer *writer;
  emg_conversion done;
  emg_error err = {0};
  if (emg_writer_find(format, path, &writer, &err) != EMG_OK ||
      emg_convert(path, writer, &contents, NULL, &done, &err) != EMG_OK) {
    fail_msg("%s: %s", path, emg_error_message(&err));
  }
  return done;
}

static inline bool conversion_notes(const emg_conversion *done, const char *fragment) {
  for (int i = 0; i < done->n_notes; i++) {
    if (strstr(done->notes[i], fragment)) {
      return true;
    }
  }
  return false;
}

// The same discharges, silent units aside.
static inline void assert_same_units(const emg_spikes *expected, const emg_spikes *got) {
  int n = 0;
  assert_true(expected->rate_hz == got->rate_hz);
  for (int u = 0; u < expected->n_units; u++) {
    int64_t count = emg_spikes_count(expected, u);
    if (count > 0) {
      assert_true(n < got->n_units);
      assert_int_equal(emg_spikes_count(got, n), count);
      assert_memory_equal(emg_spikes_of(got, n), emg_spikes_of(expected, u),
                          (size_t)count * sizeof(int64_t));
      n++;
    }
  }
  assert_int_equal(got->n_units, n);
}

// Channel of the same place in the grid.
static inline int find_place(const emg_recording *rec, int row, int column) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (rec->channels[c].row == row && rec->channels[c].column == column) {
      return c;
    }
  }
  fail_msg("no channel in row %d, column %d", row, column);
  return -1;
}

// The same samples within `tolerance`, by place in the grid or in order.
static inline void assert_same_signals(const emg_recording *expected, const emg_recording *got,
                                       bool has_grid, double tolerance) {
  assert_int_equal(got->data.n_rows, expected->data.n_rows);
  assert_int_equal(got->data.n_cols, expected->data.n_cols);
  assert_true(got->rate_hz == expected->rate_hz);
  assert_true(got->is_physical);
  for (int c = 0; c < expected->data.n_rows; c++) {
    const emg_channel *channel = &expected->channels[c];
    int k = has_grid ? find_place(got, channel->row, channel->column) : c;
    for (int64_t i = 0; i < expected->data.n_cols; i++) {
      double difference =
          fabs((double)emg_row2f(&got->data, k)[i] - emg_row2f(&expected->data, c)[i]);
      if (!(difference <= tolerance)) {
        fail_msg("channel %d differs by %g uV at sample %lld", c, difference, (long long)i);
      }
    }
  }
}

#endif
