// cost_map.c -- the kurtosis of a unit's source over pairs of its parameters
#include <emgtwin/cost_map.h>

#include <math.h>
#include <stdlib.h>

#include <emgtwin/decompose.h>
#include <emgtwin/emgtwin.h>

#include "base/buffer.h"
#include "base/number.h"
#include "base/part_file.h"
#include "paper_priv.h"

#define STAGE "cost maps"

enum { SIDE = EMG_COST_MAP_SIDE };

const char *emg_unit_parameter_name(emg_unit_parameter parameter) {
  static const char *const names[EMG_UNIT_PARAMETERS] = {
      "depth_mm",    "arc_mm",       "zone_mm",        "cv_m_per_s", "tendon_1_mm",
      "tendon_2_mm", "territory_mm", "zone_spread_mm", "latency_ms"};
  return names[parameter];
}

typedef struct {
  emg_model_guide guide;
  int n_units, n_pairs;
  const emg_mean_unit *units;
  emg_cost_map *maps;
} mapping;

// A map's rows at once, at the delay of the unit itself.
static emg_status fill_map(const mapping *m, const emg_paper_source *source,
                           const emg_mean_unit *unit, emg_cost_map *map, emg_error *err) {
  emg_paper_point at = {.unit = *unit}, points[SIDE];

  for (int k = 0; k < 2; k++) {
    double low, high;
    emg_expected_range(&m->guide.subject.expected, map->parameter[k], &low, &high);
    map->found[k] = unit->value[map->parameter[k]];
    for (int i = 0; i < SIDE; i++) {
      map->value[k][i] = low + (high - low) * i / (SIDE - 1);
    }
  }
  EMG_TRY(emg_paper_place(source, 1, &at, err));
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      points[j] = at;
      points[j].unit.value[map->parameter[0]] = map->value[0][i];
      points[j].unit.value[map->parameter[1]] = map->value[1][j];
    }
    EMG_TRY(emg_paper_evaluate(source, false, SIDE, points, NULL, err));
    for (int j = 0; j < SIDE; j++) {
      map->kurtosis[i][j] = points[j].kurtosis;
    }
  }
  return EMG_OK;
}

// A search that finds nothing: it looks at the recording as searches do.
static emg_status look(void *self, const emg_guided_signal *shown, int round,
                       emg_guided_train **trains, int *n, emg_error *err) {
  mapping *m = self;
  emg_paper_source source = {0};
  emg_status status;

  (void)round;
  *trains = NULL;
  *n = 0;
  EMG_TRY_DONE(emg_paper_open(&m->guide, shown, &source, err));
  for (int i = 0; i < m->n_units * m->n_pairs; i++) {
    EMG_TRY_DONE(fill_map(m, &source, &m->units[i / m->n_pairs], &m->maps[i], err));
    EMG_TRY_DONE(emg_progress(m->guide.monitor, STAGE, i + 1, m->n_units * m->n_pairs, err));
  }
done:
  emg_paper_source_free(&source);
  return status;
}

static emg_status forget(void *self, int n_units, const int *number, emg_error *err) {
  (void)self;
  (void)n_units;
  (void)number;
  (void)err;
  return EMG_OK;
}

static emg_status check(const emg_inversion *inversion, int n_units, const int *units, int n_pairs,
                        const emg_unit_parameter (*pairs)[2], emg_error *err) {
  for (int u = 0; u < n_units; u++) {
    if (units[u] < 0 || units[u] >= inversion->n_units) {
      return emg_fail(err, EMG_ERR_ARG, "there is no unit %d; there are %d", units[u],
                      inversion->n_units);
    }
  }
  for (int k = 0; k < n_pairs; k++) {
    if (pairs[k][0] == pairs[k][1]) {
      return emg_fail(err, EMG_ERR_ARG, "a map needs two parameters, not %s twice",
                      emg_unit_parameter_name(pairs[k][0]));
    }
  }
  return EMG_OK;
}

emg_status emg_cost_maps(const emg_recording *rec, const emg_config *config,
                         const emg_inversion *inversion, int n_units, const int *units, int n_pairs,
                         const emg_unit_parameter (*pairs)[2], const emg_monitor *monitor,
                         emg_cost_map *maps, emg_error *err) {
  mapping m = {.guide = {.config = *config, .monitor = monitor},
               .n_units = n_units,
               .n_pairs = n_pairs,
               .maps = maps};
  const emg_searcher searcher = {.self = &m, .search = look, .report = forget};
  emg_decomposition nothing = {0};
  emg_mean_unit *at = NULL;
  emg_status status;

  emg_init();
  EMG_TRY_DONE(check(inversion, n_units, units, n_pairs, pairs, err));
  EMG_TRY_DONE(emg_check_channels(rec, config, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_units + 1, sizeof *at, &at, err));
  for (int u = 0; u < n_units; u++) {
    EMG_TRY_DONE(emg_mean_unit_of_inverted(config, &inversion->units[units[u]], &at[u], err));
    for (int k = 0; k < n_pairs; k++) {
      maps[u * n_pairs + k] =
          (emg_cost_map){.unit = units[u], .parameter = {pairs[k][0], pairs[k][1]}};
    }
  }
  m.units = at;
  EMG_TRY_DONE(emg_decompose_searched(rec, config, 1, &searcher, monitor, &nothing, err));
done:
  emg_decomposition_free(&nothing);
  emg_model_guide_free(&m.guide);
  free(at);
  return status;
}

// --- a file ---

static void add_number(emg_buffer *out, double value) {
  emg_buffer_text(out, emg_number_format(value).text);
  emg_buffer_text(out, ",");
}

// The cell of a map in which the unit lies.
static int nearest(const emg_cost_map *map, int k) {
  int best = 0;
  for (int i = 1; i < SIDE; i++) {
    if (fabs(map->value[k][i] - map->found[k]) < fabs(map->value[k][best] - map->found[k])) {
      best = i;
    }
  }
  return best;
}

static void add_map(emg_buffer *out, const emg_cost_map *map) {
  const int row = nearest(map, 0), column = nearest(map, 1);

  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      emg_buffer_print(out, "%d,%s,%s,", map->unit, emg_unit_parameter_name(map->parameter[0]),
                       emg_unit_parameter_name(map->parameter[1]));
      add_number(out, map->value[0][i]);
      add_number(out, map->value[1][j]);
      add_number(out, map->kurtosis[i][j]);
      emg_buffer_print(out, "%d\n", i == row && j == column);
    }
  }
}

emg_status emg_cost_maps_write(const char *path, int n, const emg_cost_map *maps, bool overwrite,
                               emg_error *err) {
  emg_buffer out = {0};

  emg_buffer_text(&out, "unit,parameter_1,parameter_2,value_1,value_2,kurtosis,is_found\n");
  for (int i = 0; i < n; i++) {
    add_map(&out, &maps[i]);
  }
  emg_status status = emg_buffer_check(&out, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, out.bytes, out.n, overwrite, err);
  }
  emg_buffer_free(&out);
  return status;
}
