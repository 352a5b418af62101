// muscle.c -- fibre positions in the cross-section of one muscle
#include <math.h>
#include <stdlib.h>

#include "pool_priv.h"

enum {
  FIBRES_MAX = 5000000,
  TRIES_MAX = 1000000,    // rejected draws in a row: the region holds no fibre
  LATTICE_STEPS_MAX = 40  // bisections of the lattice constant
};

// Least distance of Poisson-disc fibres over the mean spacing sqrt(area / n). Random sequential
// packing jams at 0.83; at 0.7 a place is found in a few tens of tries.
static const double poisson_distance = 0.7;

// What a placement works on: where fibres may be, and the arrays it fills.
typedef struct {
  const struct emg_config_muscle *muscle;
  const emg_region *region;
  double inset_m;  // half a mean fibre: no fibre reaches out of its muscle
  double box[4];
  int n_fibres;
  double *x_m, *y_m;
} placement;

static emg_status fail_no_fibre_fits(const placement *p, emg_error *err) {
  return emg_fail(err, EMG_ERR_CONFIG,
                  "no fibre of %g um fits into muscle \"%s\" of %.3g mm^2; make its region larger",
                  p->muscle->fibre_diameter_um, p->muscle->name,
                  1e6 * emg_region_area_m2(p->region));
}

static emg_status draw_position(const placement *p, emg_rng *rng, double *x_m, double *y_m,
                                emg_error *err) {
  const double *box = p->box;

  for (int i = 0; i < TRIES_MAX; i++) {
    *x_m = box[0] + (box[1] - box[0]) * emg_rng_uniform(rng);
    *y_m = box[2] + (box[3] - box[2]) * emg_rng_uniform(rng);
    if (emg_region_contains(p->region, p->inset_m, *x_m, *y_m)) {
      return EMG_OK;
    }
  }
  return fail_no_fibre_fits(p, err);
}

static emg_status place_uniform(placement *p, emg_rng *rng, emg_error *err) {
  for (int i = 0; i < p->n_fibres; i++) {
    EMG_TRY(draw_position(p, rng, &p->x_m[i], &p->y_m[i], err));
  }
  return EMG_OK;
}

// --- hexagonal lattice, turned and shifted at random so that no row lines up with an electrode ---

typedef struct {
  double spacing_m, angle_rad, shift_x, shift_y;  // shifts in units of the lattice
} lattice;

// Number of lattice points in the region; their positions if `x_m` is given.
static int lattice_points(const placement *p, const lattice *lat, double *x_m, double *y_m) {
  double centre_x = (p->box[0] + p->box[1]) / 2, centre_y = (p->box[2] + p->box[3]) / 2;
  double reach_m = hypot(p->box[1] - p->box[0], p->box[3] - p->box[2]) / 2;
  double row_m = lat->spacing_m * sqrt(3) / 2;
  int n_rows = (int)ceil(reach_m / row_m) + 1, n_columns = (int)ceil(reach_m / lat->spacing_m) + 2;
  double c = cos(lat->angle_rad), s = sin(lat->angle_rad);
  int n = 0;

  for (int j = -n_rows; j <= n_rows; j++) {
    double v = (j + lat->shift_y) * row_m;
    double half = (j & 1) ? 0.5 : 0.0;

    for (int i = -n_columns; i <= n_columns; i++) {
      double u = (i + half + lat->shift_x) * lat->spacing_m;
      double x = centre_x + c * u - s * v, y = centre_y + s * u + c * v;

      if (emg_region_contains(p->region, p->inset_m, x, y)) {
        if (x_m) {
          x_m[n] = x;
          y_m[n] = y;
        }
        n++;
      }
    }
  }
  return n;
}

// Widest lattice found with at least n_fibres points, by bisection; 0 points: none fits.
static int fit_lattice(const placement *p, lattice *lat) {
  int n_low = 0;
  double low_m = sqrt(emg_region_area_m2(p->region) * 2 / (sqrt(3) * p->n_fibres)), high_m = low_m;

  // narrow spacing with enough points, then a wide one with too few
  for (int i = 0; i < LATTICE_STEPS_MAX && n_low < p->n_fibres; i++) {
    high_m = low_m;
    low_m *= i < 8 ? 0.99 : 0.8;
    lat->spacing_m = low_m;
    n_low = lattice_points(p, lat, NULL, NULL);
  }
  if (n_low < p->n_fibres) {
    return 0;
  }
  for (int i = 0; i < LATTICE_STEPS_MAX && n_low > p->n_fibres + p->n_fibres / 2000; i++) {
    lat->spacing_m = (low_m + high_m) / 2;
    int n = lattice_points(p, lat, NULL, NULL);

    if (n >= p->n_fibres) {
      low_m = lat->spacing_m;
      n_low = n;
    } else {
      high_m = lat->spacing_m;
    }
  }
  lat->spacing_m = low_m;
  return n_low;
}

static emg_status place_hexagonal(placement *p, emg_rng *rng, emg_error *err) {
  lattice lat = {.angle_rad = emg_rng_uniform(rng) * M_PI / 3,
                 .shift_x = emg_rng_uniform(rng),
                 .shift_y = emg_rng_uniform(rng)};
  int n_points = fit_lattice(p, &lat);
  double *x_m = NULL, *y_m = NULL;
  emg_status status;

  if (n_points == 0) {
    return fail_no_fibre_fits(p, err);
  }
  EMG_TRY_DONE(emg_alloc((size_t)n_points, sizeof *x_m, &x_m, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_points, sizeof *y_m, &y_m, err));
  lattice_points(p, &lat, x_m, y_m);

  // the few points too many leave holes at random
  for (; n_points > p->n_fibres; n_points--) {
    uint32_t hole = emg_rng_below(rng, (uint32_t)n_points);
    x_m[hole] = x_m[n_points - 1];
    y_m[hole] = y_m[n_points - 1];
  }
  for (int i = 0; i < p->n_fibres; i++) {
    p->x_m[i] = x_m[i];
    p->y_m[i] = y_m[i];
  }
done:
  free(x_m);
  free(y_m);
  return status;
}

// --- Poisson disc: random sequential addition over a grid of cells that hold one fibre each ---

typedef struct {
  double least_m, cell_m, origin_x_m, origin_y_m;
  int n_columns, n_rows;
  int *fibre;  // 1 + index of the fibre in each cell, 0 if none
} disc_grid;

static emg_status disc_grid_create(const placement *p, double least_m, disc_grid *grid,
                                   emg_error *err) {
  *grid = (disc_grid){.least_m = least_m,
                      .cell_m = least_m / sqrt(2),
                      .origin_x_m = p->box[0],
                      .origin_y_m = p->box[2]};
  grid->n_columns = (int)((p->box[1] - p->box[0]) / grid->cell_m) + 1;
  grid->n_rows = (int)((p->box[3] - p->box[2]) / grid->cell_m) + 1;
  return emg_alloc((size_t)grid->n_columns * (size_t)grid->n_rows, sizeof *grid->fibre,
                   &grid->fibre, err);
}

static bool is_free(const placement *p, const disc_grid *grid, int column, int row, double x_m,
                    double y_m) {
  for (int j = row - 2; j <= row + 2; j++) {
    for (int i = column - 2; i <= column + 2; i++) {
      if (i < 0 || j < 0 || i >= grid->n_columns || j >= grid->n_rows) {
        continue;
      }
      int other = grid->fibre[(ptrdiff_t)j * grid->n_columns + i] - 1;
      if (other >= 0) {
        double dx = p->x_m[other] - x_m, dy = p->y_m[other] - y_m;
        if (dx * dx + dy * dy < grid->least_m * grid->least_m) {
          return false;
        }
      }
    }
  }
  return true;
}

static emg_status place_in_grid(placement *p, disc_grid *grid, emg_rng *rng, int *n_placed,
                                emg_error *err) {
  const int tries_per_fibre = 2000;

  for (int n = 0; n < p->n_fibres; n++) {
    bool placed = false;

    for (int attempt = 0; attempt < tries_per_fibre && !placed; attempt++) {
      double x_m, y_m;
      EMG_TRY(draw_position(p, rng, &x_m, &y_m, err));
      int column = (int)((x_m - grid->origin_x_m) / grid->cell_m);
      int row = (int)((y_m - grid->origin_y_m) / grid->cell_m);

      if (is_free(p, grid, column, row, x_m, y_m)) {
        p->x_m[n] = x_m;
        p->y_m[n] = y_m;
        grid->fibre[(ptrdiff_t)row * grid->n_columns + column] = n + 1;
        placed = true;
      }
    }
    if (!placed) {
      break;
    }
    *n_placed = n + 1;
  }
  return EMG_OK;
}

// Narrow regions may jam early: then the least distance is lowered and the placement begun again.
static emg_status place_poisson_disc(placement *p, emg_rng *rng, emg_error *err) {
  double least_m = poisson_distance * sqrt(emg_region_area_m2(p->region) / p->n_fibres);

  for (int n_placed = 0; n_placed < p->n_fibres; least_m *= 0.9) {
    disc_grid grid;

    n_placed = 0;
    EMG_TRY(disc_grid_create(p, least_m, &grid, err));
    emg_status status = place_in_grid(p, &grid, rng, &n_placed, err);
    free(grid.fibre);
    EMG_TRY(status);
  }
  return EMG_OK;
}

// --- the whole ---

static emg_status count_fibres(const struct emg_config_muscle *muscle, double area_m2,
                               int *n_fibres, emg_error *err) {
  double n = muscle->fibre_count > 0 ? muscle->fibre_count
                                     : round(1e6 * area_m2 * muscle->fibre_density_per_mm2);

  if (n < 1) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "muscle \"%s\" of %.3g mm^2 holds no fibre at %g per mm^2; raise "
                    "muscle.fibre_density_per_mm2 or set muscle.fibre_count",
                    muscle->name, 1e6 * area_m2, muscle->fibre_density_per_mm2);
  }
  if (n > FIBRES_MAX) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "muscle \"%s\" of %.3g mm^2 holds %.0f fibres, more than %d; lower "
                    "muscle.fibre_density_per_mm2",
                    muscle->name, 1e6 * area_m2, n, FIBRES_MAX);
  }
  *n_fibres = (int)n;
  return EMG_OK;
}

static emg_status check_disjoint(const emg_config *config, const emg_conductor *conductor,
                                 int muscle, const placement *p, emg_error *err) {
  for (int other = 0; other < config->n_muscles; other++) {
    emg_region region;

    if (other == muscle) {
      continue;
    }
    EMG_TRY(emg_region_create(config, conductor, other, &region, err));
    for (int i = 0; i < p->n_fibres; i++) {
      if (emg_region_contains(&region, 0, p->x_m[i], p->y_m[i])) {
        return emg_fail(err, EMG_ERR_CONFIG,
                        "muscles \"%s\" and \"%s\" overlap, at %.4g mm from the axis and %.4g deg; "
                        "move or shrink one of their regions",
                        p->muscle->name, config->muscle[other].name,
                        1e3 * hypot(p->x_m[i], p->y_m[i]),
                        atan2(p->y_m[i], p->x_m[i]) * 180 / M_PI);
      }
    }
  }
  return EMG_OK;
}

static emg_status place(placement *p, emg_rng *rng, emg_error *err) {
  switch (p->muscle->placement) {
    case EMG_PLACEMENT_POISSON_DISC:
      return place_poisson_disc(p, rng, err);
    case EMG_PLACEMENT_UNIFORM:
      return place_uniform(p, rng, err);
    default:
      return place_hexagonal(p, rng, err);
  }
}

emg_status emg_muscle_place_fibres(const emg_config *config, const emg_conductor *conductor,
                                   int muscle, int *n_fibres, double **x_m, double **y_m,
                                   emg_error *err) {
  emg_region region;
  placement p = {.muscle = &config->muscle[muscle], .region = &region};
  emg_rng rng =
      emg_rng_stream(config->simulation.seed, EMG_RNG_FIBRE_PLACEMENT, 0, (uint32_t)muscle);
  emg_status status;

  EMG_TRY(emg_region_create(config, conductor, muscle, &region, err));
  EMG_TRY(count_fibres(p.muscle, emg_region_area_m2(&region), &p.n_fibres, err));
  p.inset_m = 0.5e-6 * p.muscle->fibre_diameter_um;
  emg_region_box(&region, p.box);

  EMG_TRY_DONE(emg_alloc((size_t)p.n_fibres, sizeof *p.x_m, &p.x_m, err));
  EMG_TRY_DONE(emg_alloc((size_t)p.n_fibres, sizeof *p.y_m, &p.y_m, err));
  EMG_TRY_DONE(place(&p, &rng, err));
  EMG_TRY_DONE(check_disjoint(config, conductor, muscle, &p, err));
done:
  if (status != EMG_OK) {
    free(p.x_m);
    free(p.y_m);
    return status;
  }
  *n_fibres = p.n_fibres;
  *x_m = p.x_m;
  *y_m = p.y_m;
  return EMG_OK;
}
