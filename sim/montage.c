// montage.c -- channels as linear combinations of electrodes
#include <emgtwin/electrodes.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "electrodes_priv.h"

// The electrodes by place. `wraps`: the last column of a ring is the neighbour of the first.
typedef struct {
  const emg_electrode_set *set;
  int n_rows, n_columns;
  bool wraps;
  int *index;  // [row][column], -1 where there is no electrode
} electrode_map;

static emg_status create_map(const emg_config *config, const emg_electrode_set *set,
                             electrode_map *out, emg_error *err) {
  const struct emg_config_electrodes *e = &config->electrodes;

  *out = (electrode_map){.set = set,
                         .n_rows = e->rows,
                         .n_columns = e->columns,
                         .wraps = e->layout == EMG_LAYOUT_RING && e->columns > 2};
  size_t n_places = (size_t)e->rows * (size_t)e->columns;
  EMG_TRY(emg_alloc(n_places, sizeof *out->index, &out->index, err));
  for (size_t i = 0; i < n_places; i++) {
    out->index[i] = -1;
  }
  for (int i = 0; i < set->n_electrodes; i++) {
    const emg_electrode *electrode = &set->electrodes[i];
    out->index[electrode->row * e->columns + electrode->column] = i;
  }
  return EMG_OK;
}

static int electrode_at(const electrode_map *map, int row, int column) {
  if (map->wraps) {
    column = (column + map->n_columns) % map->n_columns;
  }
  if (row < 0 || row >= map->n_rows || column < 0 || column >= map->n_columns) {
    return -1;
  }
  return map->index[row * map->n_columns + column];
}

// A montage is a stencil moved over the grid: one channel at each place where all electrodes of
// the stencil are present. Channel rows and columns count the places from 0.
enum { STENCIL_MAX = 5 };
typedef struct {
  const char *prefix;           // of channel names
  int first_row, first_column;  // of the electrode that gives channel (0, 0)
  int n_points;
  struct {
    int row, column;
    double weight;
  } points[STENCIL_MAX];
} stencil;

// Differences are taken along +z: row + 1 minus row, and the same again for the double one. The
// Laplacian is the electrode minus the mean of its four neighbours.
static const stencil stencils[] = {
    [EMG_MONTAGE_MONOPOLAR] = {"", 0, 0, 1, {{0, 0, 1}}},
    [EMG_MONTAGE_SINGLE_DIFFERENTIAL] = {"SD ", 0, 0, 2, {{0, 0, -1}, {1, 0, 1}}},
    [EMG_MONTAGE_DOUBLE_DIFFERENTIAL] = {"DD ", 1, 0, 3, {{0, 0, -2}, {-1, 0, 1}, {1, 0, 1}}},
    [EMG_MONTAGE_LAPLACIAN] =
        {"LAP ",
         1,
         1,
         5,
         {{0, 0, 1}, {-1, 0, -0.25}, {1, 0, -0.25}, {0, -1, -0.25}, {0, 1, -0.25}}},
    [EMG_MONTAGE_AVERAGE_REFERENCE] = {"AR ", 0, 0, 1, {{0, 0, 1}}},
};

static bool stencil_fits(const electrode_map *map, const stencil *s, int row, int column) {
  for (int i = 0; i < s->n_points; i++) {
    if (electrode_at(map, row + s->points[i].row, column + s->points[i].column) < 0) {
      return false;
    }
  }
  return true;
}

static const char *layout_name(int layout) {
  static const char *const names[] = {"grid", "ring", "array", "needle"};
  return names[layout];
}

// x = r cos(theta), y = r sin(theta), z along the fibres.
static void set_position(emg_channel *channel, double radius_m, double theta_rad, double z_m) {
  channel->x_mm = 1e3 * radius_m * cos(theta_rad);
  channel->y_mm = 1e3 * radius_m * sin(theta_rad);
  channel->z_mm = 1e3 * z_m;
}

// Centre of a channel: of a pair the point half-way along the skin or the wire, else the electrode
// the stencil is centred on.
static void set_centre(emg_channel *channel, const electrode_map *map, const stencil *s, int row,
                       int column) {
  const emg_electrode *a = &map->set->electrodes[electrode_at(map, row, column)];

  if (s->n_points == 2) {
    int other = electrode_at(map, row + s->points[1].row, column + s->points[1].column);
    const emg_electrode *b = &map->set->electrodes[other];
    if (map->set->is_interior) {
      emg_channel end;
      set_position(channel, a->radius_m, a->theta_rad, a->z_m);
      set_position(&end, b->radius_m, b->theta_rad, b->z_m);
      channel->x_mm = 0.5 * (channel->x_mm + end.x_mm);
      channel->y_mm = 0.5 * (channel->y_mm + end.y_mm);
      channel->z_mm = 0.5 * (channel->z_mm + end.z_mm);
    } else {
      set_position(channel, a->radius_m, 0.5 * (a->theta_rad + b->theta_rad),
                   0.5 * (a->z_m + b->z_m));
    }
  } else {
    set_position(channel, a->radius_m, a->theta_rad, a->z_m);
  }
}

static void fill_channel(emg_montage *montage, int c, const electrode_map *map, const stencil *s,
                         int row, int column, int layout) {
  emg_channel *channel = &montage->channels[c];
  double *weights = emg_row2d(&montage->weights, c);

  for (int i = 0; i < s->n_points; i++) {
    weights[electrode_at(map, row + s->points[i].row, column + s->points[i].column)] +=
        s->points[i].weight;
  }
  channel->row = row - s->first_row;
  channel->column = map->wraps ? column : column - s->first_column;
  snprintf(channel->name, sizeof channel->name, "%sR%02dC%02d", s->prefix, channel->row + 1,
           channel->column + 1);
  snprintf(channel->group, sizeof channel->group, "%s", layout_name(layout));
  set_centre(channel, map, s, row, column);
}

static emg_status allocate(emg_montage *montage, int n_channels, int n_electrodes, emg_error *err) {
  EMG_TRY(emg_array2d_create(n_channels, n_electrodes, &montage->weights, err));
  return emg_alloc((size_t)n_channels, sizeof *montage->channels, &montage->channels, err);
}

// Each electrode against the mean of all.
static void subtract_average(emg_montage *montage) {
  for (int c = 0; c < montage->weights.n_rows; c++) {
    double *weights = emg_row2d(&montage->weights, c);
    for (int64_t e = 0; e < montage->weights.n_cols; e++) {
      weights[e] -= 1.0 / (double)montage->weights.n_cols;
    }
  }
}

static emg_status create_on_map(const emg_config *config, const electrode_map *map,
                                emg_montage *out, emg_error *err) {
  const struct emg_config_electrodes *e = &config->electrodes;
  const stencil *s = &stencils[e->montage];
  int n_channels = 0;

  for (int row = 0; row < map->n_rows; row++) {
    for (int column = 0; column < map->n_columns; column++) {
      n_channels += stencil_fits(map, s, row, column);
    }
  }
  if (n_channels == 0 || (e->montage == EMG_MONTAGE_AVERAGE_REFERENCE && n_channels < 2)) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "%d x %d electrodes, %d of them present, hold no channel of this "
                    "electrodes.montage; use more rows or columns, or monopolar",
                    e->rows, e->columns, map->set->n_electrodes);
  }
  EMG_TRY(allocate(out, n_channels, map->set->n_electrodes, err));
  int c = 0;
  for (int row = 0; row < map->n_rows; row++) {
    for (int column = 0; column < map->n_columns; column++) {
      if (stencil_fits(map, s, row, column)) {
        fill_channel(out, c++, map, s, row, column, e->layout);
      }
    }
  }
  if (e->montage == EMG_MONTAGE_AVERAGE_REFERENCE) {
    subtract_average(out);
  }
  return EMG_OK;
}

// Core minus cannula: the chords of the ellipse weight the core's points, the cannula's count
// alike.
static emg_status create_needle(const emg_electrode_set *set, emg_montage *out, emg_error *err) {
  EMG_TRY(allocate(out, 1, set->n_electrodes, err));
  double *weights = emg_row2d(&out->weights, 0);
  double core = 0;

  for (int i = 0; i < EMG_NEEDLE_CORE_POINTS; i++) {
    double place = emg_needle_core_offset_m(i) / emg_needle_core_half_length_m;
    weights[i] = sqrt(1 - place * place);
    core += weights[i];
  }
  for (int i = 0; i < set->n_electrodes; i++) {
    weights[i] = i < EMG_NEEDLE_CORE_POINTS ? weights[i] / core
                                            : -1.0 / (set->n_electrodes - EMG_NEEDLE_CORE_POINTS);
  }
  const emg_electrode *centre = &set->electrodes[EMG_NEEDLE_CORE_POINTS / 2];
  out->channels[0] = (emg_channel){.name = "NEEDLE", .group = "needle"};
  set_position(&out->channels[0], centre->radius_m, centre->theta_rad, centre->z_m);
  return EMG_OK;
}

emg_status emg_montage_create(const emg_config *config, const emg_electrode_set *set,
                              emg_montage *out, emg_error *err) {
  emg_status status;

  *out = (emg_montage){0};
  if (config->electrodes.layout == EMG_LAYOUT_NEEDLE) {
    status = create_needle(set, out, err);
  } else {
    electrode_map map;
    EMG_TRY(create_map(config, set, &map, err));
    status = create_on_map(config, &map, out, err);
    free(map.index);
  }
  if (status != EMG_OK) {
    emg_montage_free(out);
  }
  return status;
}

void emg_montage_free(emg_montage *montage) {
  emg_array2d_free(&montage->weights);
  free(montage->channels);
  *montage = (emg_montage){0};
}
