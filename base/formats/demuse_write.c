// demuse_write.c -- DEMUSE: MATLAB 5 with SIG, IPTs and MUPulses, samples counted from 1
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/part_file.h"
#include "convert_priv.h"
#include "mat5_write.h"

// Where each channel stands in SIG: rows x columns cells, some of them empty.
typedef struct {
  int n_rows, n_columns;
  int *channel;  // of cell row + column * n_rows, -1 where there is none
} layout;

// Groups stand side by side; without rows and columns the channels make one column.
static emg_status make_layout(const emg_export *e, layout *out, emg_error *err) {
  const emg_recording *rec = e->rec;
  int *order, *group_of, n_groups, first = 0;
  bool has_grid = emg_export_has_grid(rec);

  *out = (layout){.n_rows = rec->data.n_rows, .n_columns = 1};
  EMG_TRY(emg_export_groups(rec, &order, &group_of, &n_groups, err));
  if (has_grid) {
    out->n_rows = out->n_columns = 0;
  } else {
    emg_export_note(e, "rows and columns of the electrodes are not known: SIG has one column");
  }
  emg_status status = EMG_OK;
  for (int pass = 0; pass < 2 && status == EMG_OK; pass++) {
    first = 0;
    for (int g = 0; has_grid && g < n_groups; g++) {
      int width = 0;
      for (int c = 0; c < rec->data.n_rows; c++) {
        const emg_channel *channel = &rec->channels[c];
        if (group_of[c] != g) {
          continue;
        }
        width = channel->column >= width ? channel->column + 1 : width;
        out->n_rows = channel->row >= out->n_rows ? channel->row + 1 : out->n_rows;
        if (pass == 1) {
          out->channel[channel->row + (first + channel->column) * out->n_rows] = c;
        }
      }
      first += width;
    }
    if (pass == 0) {
      out->n_columns = has_grid ? first : 1;
      size_t n_cells = (size_t)out->n_rows * (size_t)out->n_columns;
      status = n_cells > 1u << 20 ? emg_fail(err, EMG_ERR_DATA, "a grid of %d x %d electrodes",
                                             out->n_rows, out->n_columns)
                                  : emg_alloc(n_cells, sizeof *out->channel, &out->channel, err);
      for (size_t i = 0; status == EMG_OK && i < n_cells; i++) {
        out->channel[i] = has_grid ? -1 : (int)i;
      }
    }
  }
  if (has_grid && n_groups > 1) {
    emg_export_note(e, "DEMUSE knows one grid: the %d grids stand side by side in SIG", n_groups);
  }
  free(order);
  free(group_of);
  return status;
}

static emg_status write_signals(const emg_export *e, const layout *grid, emg_buffer *out,
                                emg_error *err) {
  int n_cells = grid->n_rows * grid->n_columns;
  double scale = emg_export_scale(e);

  size_t begin = emg_mat5_begin_cells(out, "SIG", grid->n_rows, grid->n_columns);
  for (int i = 0; i < n_cells; i++) {
    int c = grid->channel[i];
    float *to = emg_mat5_singles(out, "", c >= 0, c >= 0 ? e->n_samples : 0);
    const float *row = c >= 0 ? emg_row2f(&e->rec->data, c) : NULL;
    for (int64_t k = 0; to && row && k < e->n_samples; k++) {
      to[k] = (float)(scale * row[k]);
    }
  }
  return emg_mat5_end(out, begin, "SIG", err);
}

// 1 where a channel is bad or absent, in the shape of SIG.
static emg_status write_discarded(const emg_export *e, const layout *grid, emg_buffer *out,
                                  emg_error *err) {
  int n = grid->n_rows * grid->n_columns;
  double *marks;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *marks, &marks, err));
  for (int i = 0; i < n; i++) {
    int c = grid->channel[i];
    marks[i] = c < 0 || emg_export_state(e, c) != EMG_CHANNEL_GOOD;
  }
  emg_mat5_doubles(out, "discardChannelsVec", grid->n_rows, grid->n_columns, marks);
  free(marks);
  return EMG_OK;
}

// IPTs, N x T: column after column of all units.
static emg_status write_sources(const emg_export *e, emg_buffer *out, emg_error *err) {
  int n = e->spikes.n_units;
  float *train;
  float *to = emg_mat5_singles(out, "IPTs", n, e->n_samples);

  EMG_TRY(emg_alloc((size_t)e->n_samples, sizeof *train, &train, err));
  for (int u = 0; to && u < n; u++) {
    const float *source = emg_export_source(e, u);
    if (!source) {
      emg_export_train(e, u, train);
    }
    for (int64_t k = 0; k < e->n_samples; k++) {
      to[k * n + u] = source ? source[k] : train[k];
    }
  }
  free(train);
  if (n > 0 && !emg_export_source(e, 0)) {
    emg_export_note(e,
                    "no sources were kept (decompose.keep_source): IPTs are 0 and 1 at the "
                    "discharges, and a SIL or PNR computed from them means nothing");
  }
  return EMG_OK;
}

static emg_status write_pulses(const emg_export *e, emg_buffer *out, emg_error *err) {
  const emg_spikes *s = &e->spikes;
  int32_t *samples;

  EMG_TRY(emg_alloc((size_t)s->offsets[s->n_units] + 1, sizeof *samples, &samples, err));
  size_t begin = emg_mat5_begin_cells(out, "MUPulses", 1, s->n_units);
  for (int u = 0; u < s->n_units; u++) {
    int64_t n = emg_spikes_count(s, u);
    for (int64_t i = 0; i < n; i++) {
      samples[i] = (int32_t)(emg_spikes_of(s, u)[i] + 1);
    }
    emg_mat5_integers(out, "", 1, n, samples);
  }
  free(samples);
  return emg_mat5_end(out, begin, "MUPulses", err);
}

static emg_status write_figures(const emg_export *e, emg_buffer *out, emg_error *err) {
  double *pnr_db;

  if (!e->found || !e->found->pnr_db) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)e->spikes.n_units + 1, sizeof *pnr_db, &pnr_db, err));
  for (int u = 0; u < e->spikes.n_units; u++) {
    pnr_db[u] = e->found->pnr_db[e->unit[u]];
  }
  emg_mat5_doubles(out, "PNR", 1, e->spikes.n_units, pnr_db);
  free(pnr_db);
  return EMG_OK;
}

static emg_status write_variables(const emg_export *e, const layout *grid, emg_buffer *out,
                                  emg_error *err) {
  double length_s = (double)e->n_samples / e->rate_hz;

  emg_mat5_start(out);
  EMG_TRY(write_signals(e, grid, out, err));
  if (e->rec->is_physical) {
    emg_mat5_text(out, "SIG_units", "mV");
  }
  emg_mat5_number(out, "fsamp", e->rate_hz);
  emg_mat5_number(out, "IED", e->rec->pitch_mm);
  emg_mat5_number(out, "SIGlength", length_s);
  emg_mat5_number(out, "startSIGInt", 0);
  emg_mat5_number(out, "stopSIGInt", length_s);
  if (e->n_aux > 0) {
    float *to = emg_mat5_singles(out, "ref_signal", 1, e->n_samples);
    if (to) {
      memcpy(to, e->aux[0].values, (size_t)e->n_samples * sizeof *to);
    }
  }
  if (e->n_aux > 1) {
    emg_export_note(e, "of %d channels that are not EMG only %s is kept", e->n_aux, e->aux[0].name);
  }
  EMG_TRY(write_discarded(e, grid, out, err));
  EMG_TRY(write_sources(e, out, err));
  EMG_TRY(write_pulses(e, out, err));
  EMG_TRY(write_figures(e, out, err));
  return emg_buffer_check(out, err);
}

emg_status emg_write_demuse(const char *path, const emg_export *e, emg_error *err) {
  layout grid = {0};
  emg_buffer out = {0};

  emg_status status = make_layout(e, &grid, err);
  if (status == EMG_OK) {
    status = write_variables(e, &grid, &out, err);
  }
  if (status == EMG_OK) {
    status = emg_part_file_write(path, out.bytes, out.n, e->options->overwrite, err);
  }
  emg_buffer_free(&out);
  free(grid.channel);
  return status;
}
