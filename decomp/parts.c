// parts.c -- which part of a recording is decomposed: a window in time, grids together or each
// alone
#include "parts_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "match_priv.h"

// --- a window in time ---

emg_status emg_window_of(const struct emg_config_decompose *config, double rate_hz,
                         int64_t n_samples, int64_t *begin, int64_t *end, emg_error *err) {
  double n = (double)n_samples, rate = rate_hz > 0 ? rate_hz : 0;

  *end = (int64_t)(config->to_s > 0 ? fmin(ceil(config->to_s * rate - 1e-6), n) : n);
  *begin = (int64_t)fmin(floor(config->from_s * rate + 1e-6), n);
  if (*begin > 0 && *begin >= n_samples) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "decompose.from_s = %g s is not before the end of the recording at %g s",
                    config->from_s, n / rate);
  }
  return EMG_OK;
}

emg_status emg_window_cut(const emg_recording *rec, const struct emg_config_decompose *config,
                          emg_recording *out, int64_t *begin, emg_error *err) {
  int64_t n = rec->data.n_cols, end;

  EMG_TRY(emg_window_of(config, rec->rate_hz, n, begin, &end, err));
  *out = *rec;
  out->data.data = n > 0 ? rec->data.data + *begin : rec->data.data;
  out->data.n_cols = end - *begin;
  return EMG_OK;
}

emg_status emg_window_restore(int64_t begin, int64_t n_samples, emg_decomposition *d,
                              emg_error *err) {
  emg_array2f whole = {0};

  if (d->source.n_rows > 0 && d->source.n_cols < n_samples) {
    EMG_TRY(emg_array2f_create(d->source.n_rows, n_samples, &whole, err));
    for (int u = 0; u < d->source.n_rows; u++) {
      memcpy(emg_row2f(&whole, u) + begin, emg_row2f(&d->source, u),
             (size_t)d->source.n_cols * sizeof(float));
    }
    emg_array2f_free(&d->source);
    d->source = whole;
  }
  for (int64_t i = 0; d->spikes.offsets && i < d->spikes.offsets[d->spikes.n_units]; i++) {
    d->spikes.samples[i] += begin;
  }
  d->spikes.n_samples = n_samples;
  return EMG_OK;
}

// --- grids one by one ---

// The groups of a recording by their first channels; `first` of n_channels. Returns their number.
static int find_groups(const emg_recording *rec, int *first) {
  int n = 0;

  for (int c = 0; c < rec->data.n_rows; c++) {
    int g = 0;
    while (g < n && strcmp(rec->channels[first[g]].group, rec->channels[c].group) != 0) {
      g++;
    }
    if (g == n) {
      first[n++] = c;
    }
  }
  return n;
}

static bool is_of_group(const emg_recording *rec, int channel, const char *group) {
  return strcmp(rec->channels[channel].group, group) == 0;
}

// What each grid gave, and what became of all channels.
typedef struct {
  int n, capacity;
  emg_decomposition *found;
  emg_channel_finding *channels;
} grids;

static void grids_free(grids *g) {
  for (int i = 0; i < g->n; i++) {
    emg_decomposition_free(&g->found[i]);
  }
  free(g->found);
  free(g->channels);
}

static emg_status name_units(const char *group, emg_decomposition *d, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)d->spikes.n_units, sizeof *d->group, &d->group, err));
  for (int u = 0; u < d->spikes.n_units; u++) {
    snprintf(d->group[u], sizeof *d->group, "%s", group);
  }
  return EMG_OK;
}

// Decompose one grid, the channels of the others unused. A grid of which too little is left is
// passed over.
static emg_status run_grid(const emg_decompose_method *method, const emg_recording *rec,
                           const char *group, const emg_config *config, const emg_monitor *monitor,
                           grids *g, emg_error *err) {
  emg_recording part = *rec;
  emg_decomposition *found = &g->found[g->n];
  emg_error reason = {0};
  size_t n_channels = (size_t)rec->data.n_rows;

  EMG_TRY(emg_alloc(n_channels, sizeof *part.channels, &part.channels, err));
  memcpy(part.channels, rec->channels, n_channels * sizeof *part.channels);
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (!is_of_group(rec, c, group)) {
      part.channels[c].state = EMG_CHANNEL_UNUSED;
    }
  }
  emg_log(monitor, EMG_LOG_INFO, "decompose", "grid = %s", group);
  emg_status status = method->run(&part, config, monitor, found, &reason);
  free(part.channels);
  if (status == EMG_ERR_DATA) {
    emg_log(monitor, EMG_LOG_WARNING, "decompose", "grid %s is left out: %s", group,
            emg_error_message(&reason));
  } else if (status != EMG_OK) {
    return emg_fail(err, status, "%s", emg_error_message(&reason));
  } else {
    g->n++;
    EMG_TRY(name_units(group, found, err));
  }
  for (int c = 0; c < rec->data.n_rows; c++) {
    if (!is_of_group(rec, c, group)) {
      continue;
    }
    if (status == EMG_OK && found->channels) {
      g->channels[c] = found->channels[c];
    } else if (status != EMG_OK) {
      g->channels[c].state = EMG_CHANNEL_UNUSED;
      snprintf(g->channels[c].why, sizeof g->channels[c].why, "too little of its grid can be used");
    }
  }
  return EMG_OK;
}

// One unit of one grid.
typedef struct {
  const emg_decomposition *from;
  int row;
} grid_unit;

static int compare_by_silhouette(const void *a, const void *b) {
  const grid_unit *p = a, *q = b;
  double x = p->from->sil[p->row], y = q->from->sil[q->row];

  if (x != y) {
    return x > y ? -1 : 1;
  }
  return (p->from > q->from) - (p->from < q->from);
}

static int64_t first_spike(const grid_unit *unit) {
  return emg_spikes_count(&unit->from->spikes, unit->row) > 0
             ? emg_spikes_of(&unit->from->spikes, unit->row)[0]
             : INT64_MAX;
}

// In order of the first spike, then of more spikes, as in the decomposition of one grid.
static int compare_by_time(const void *a, const void *b) {
  const grid_unit *p = a, *q = b;
  int64_t x = first_spike(p), y = first_spike(q);

  if (x != y) {
    return x < y ? -1 : 1;
  }
  x = emg_spikes_count(&p->from->spikes, p->row);
  y = emg_spikes_count(&q->from->spikes, q->row);
  return (y > x) - (y < x);
}

// Of units that two grids see, the one with the highest silhouette stays; returns how many stay.
static emg_status drop_repeated(const struct emg_config_decompose *config, double rate_hz, int *n,
                                grid_unit *units, emg_error *err) {
  const double max_lag_ms = 40, tolerance_ms = 1;
  emg_matcher matcher;
  int n_kept = 0;

  EMG_TRY(emg_matcher_create(emg_samples_in_ms(max_lag_ms, rate_hz),
                             emg_samples_in_ms(tolerance_ms, rate_hz), &matcher, err));
  for (int i = 0; i < *n; i++) {
    const emg_spikes *trains = &units[i].from->spikes;
    bool is_known = false;
    for (int k = 0; k < n_kept && !is_known; k++) {
      const emg_spikes *kept = &units[k].from->spikes;
      double roa =
          emg_match_trains(&matcher, emg_spikes_of(trains, units[i].row),
                           emg_spikes_count(trains, units[i].row),
                           emg_spikes_of(kept, units[k].row), emg_spikes_count(kept, units[k].row))
              .roa;
      is_known = units[k].from != units[i].from && roa > config->duplicate_agreement;
    }
    if (!is_known) {
      units[n_kept++] = units[i];
    }
  }
  emg_matcher_free(&matcher);
  *n = n_kept;
  return EMG_OK;
}

// The units of all grids as one decomposition.
static emg_status merge_grids(const grids *g, const struct emg_config_decompose *config,
                              double rate_hz, int n_channels, const emg_monitor *monitor,
                              emg_decomposition *out, emg_error *err) {
  grid_unit *units = NULL;
  const emg_decomposition **from = NULL, *like = &g->found[0];
  int *row = NULL, n = 0, n_all = 0;
  emg_status status;

  for (int i = 0; i < g->n; i++) {
    n_all += g->found[i].spikes.n_units;
  }
  EMG_TRY_DONE(emg_alloc((size_t)n_all + 1, sizeof *units, &units, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_all + 1, sizeof *from, &from, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_all + 1, sizeof *row, &row, err));
  for (int i = 0; i < g->n; i++) {
    // parts that a method leaves out where it finds nothing must not be expected of others
    like = like->spikes.n_units > 0 ? like : &g->found[i];
    for (int u = 0; u < g->found[i].spikes.n_units; u++) {
      units[n++] = (grid_unit){&g->found[i], u};
    }
  }
  qsort(units, (size_t)n, sizeof *units, compare_by_silhouette);
  EMG_TRY_DONE(drop_repeated(config, rate_hz, &n, units, err));
  qsort(units, (size_t)n, sizeof *units, compare_by_time);
  for (int i = 0; i < n; i++) {
    from[i] = units[i].from;
    row[i] = units[i].row;
  }
  emg_log(monitor, EMG_LOG_INFO, "decompose", "grids = %d, units = %d, seen by several grids = %d",
          g->n, n, n_all - n);
  EMG_TRY_DONE(emg_decomposition_gather(n, from, row, like, out, err));
  if (out->channels) {
    memcpy(out->channels, g->channels, (size_t)n_channels * sizeof *out->channels);
  }

done:
  free(units);
  free(from);
  free(row);
  return status;
}

emg_status emg_run_grids(const emg_decompose_method *method, const emg_recording *rec,
                         const emg_config *config, const emg_monitor *monitor,
                         emg_decomposition *out, emg_error *err) {
  size_t n_channels = (size_t)rec->data.n_rows;
  int *first = NULL, n_groups = 0;
  grids g = {0};
  emg_status status;

  EMG_TRY_DONE(emg_alloc(n_channels, sizeof *first, &first, err));
  n_groups = find_groups(rec, first);
  if (config->decompose.groups == EMG_GROUPS_TOGETHER || n_groups < 2) {
    status = method->run(rec, config, monitor, out, err);
    goto done;
  }
  EMG_TRY_DONE(emg_alloc((size_t)n_groups, sizeof *g.found, &g.found, err));
  EMG_TRY_DONE(emg_alloc(n_channels, sizeof *g.channels, &g.channels, err));
  for (int i = 0; i < n_groups; i++) {
    EMG_TRY_DONE(run_grid(method, rec, rec->channels[first[i]].group, config, monitor, &g, err));
  }
  if (g.n == 0) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "none of %d grids has enough usable channels; with decompose.groups: "
                      "together they are decomposed as one",
                      n_groups);
    goto done;
  }
  status = merge_grids(&g, &config->decompose, rec->rate_hz, rec->data.n_rows, monitor, out, err);

done:
  free(first);
  grids_free(&g);
  return status;
}
