// motor_units.c -- motor units of one muscle: territories, fibres and their properties
#include <math.h>
#include <stdlib.h>

#include "pool_priv.h"

// Everything about one muscle that its units are made from.
typedef struct {
  const struct emg_config_muscle *muscle;
  const struct emg_config_pool *pool;
  uint64_t seed;
  uint32_t index;  // of the muscle: trial of its random streams
  int n_fibres;
  const double *x_m, *y_m;
} subject;

// --- territories ---

// Each centre as far as it can be from the earlier ones; then handed to the units at random,
// because the first ones lie at the edge and units are in order of size.
static emg_status farthest_centres(const subject *s, emg_rng *rng, int *centres, emg_error *err) {
  double *nearest2;
  int at = (int)emg_rng_below(rng, (uint32_t)s->n_fibres);

  EMG_TRY(emg_alloc((size_t)s->n_fibres, sizeof *nearest2, &nearest2, err));
  for (int i = 0; i < s->n_fibres; i++) {
    nearest2[i] = INFINITY;
  }
  for (int u = 0; u < s->pool->units; u++) {
    double x_m = s->x_m[at], y_m = s->y_m[at];
    int farthest = 0;

    centres[u] = at;
    for (int i = 0; i < s->n_fibres; i++) {
      double dx = s->x_m[i] - x_m, dy = s->y_m[i] - y_m;
      nearest2[i] = fmin(nearest2[i], dx * dx + dy * dy);
      farthest = nearest2[i] > nearest2[farthest] ? i : farthest;
    }
    at = farthest;
  }
  emg_indices_shuffle(rng, s->pool->units, centres);
  free(nearest2);
  return EMG_OK;
}

// Centres are positions of fibres: these are evenly spread over the muscle, whatever its shape.
static emg_status create_territories(const subject *s, double area_m2, const int *numbers,
                                     emg_territory *territories, emg_error *err) {
  emg_rng rng = emg_rng_stream(s->seed, EMG_RNG_TERRITORY, 0, s->index);
  double density_per_m2 = s->pool->territory_fibres_per_mm2 > 0
                              ? 1e6 * s->pool->territory_fibres_per_mm2
                              : s->n_fibres / area_m2 / 5;
  int *centres;

  EMG_TRY(emg_alloc((size_t)s->pool->units, sizeof *centres, &centres, err));
  if (s->pool->territory_placement == EMG_TERRITORY_FARTHEST_POINT) {
    emg_status status = farthest_centres(s, &rng, centres, err);
    if (status != EMG_OK) {
      free(centres);
      return status;
    }
  } else {
    for (int u = 0; u < s->pool->units; u++) {
      centres[u] = (int)emg_rng_below(&rng, (uint32_t)s->n_fibres);
    }
  }
  for (int u = 0; u < s->pool->units; u++) {
    territories[u] = (emg_territory){.x_m = s->x_m[centres[u]],
                                     .y_m = s->y_m[centres[u]],
                                     .radius_m = sqrt(numbers[u] / (M_PI * density_per_m2)),
                                     .n_fibres = numbers[u]};
  }
  free(centres);
  return EMG_OK;
}

static double share_outside(const subject *s, const emg_territory *territories,
                            const int *members) {
  int n_outside = 0, slot = 0;

  for (int u = 0; u < s->pool->units; u++) {
    const emg_territory *t = &territories[u];
    for (int end = slot + t->n_fibres; slot < end; slot++) {
      double dx = s->x_m[members[slot]] - t->x_m, dy = s->y_m[members[slot]] - t->y_m;
      n_outside += dx * dx + dy * dy > t->radius_m * t->radius_m;
    }
  }
  return (double)n_outside / s->n_fibres;
}

// Centres the territory on the one of its fibres that is nearest to their centroid: unlike the
// centroid itself, that is always in the muscle.
static void recentre(const subject *s, const int *members, emg_territory *t) {
  double x_m = 0, y_m = 0, least2 = INFINITY;
  int nearest = members[0];

  for (int i = 0; i < t->n_fibres; i++) {
    x_m += s->x_m[members[i]] / t->n_fibres;
    y_m += s->y_m[members[i]] / t->n_fibres;
  }
  for (int i = 0; i < t->n_fibres; i++) {
    double dx = s->x_m[members[i]] - x_m, dy = s->y_m[members[i]] - y_m;
    if (dx * dx + dy * dy < least2) {
      least2 = dx * dx + dy * dy;
      nearest = members[i];
    }
  }
  t->x_m = s->x_m[nearest];
  t->y_m = s->y_m[nearest];
}

// Where few units share a place, territories at random leave parts of the muscle uncovered, and the
// fibres there go to units from elsewhere. Then territories move to the middle of the fibres they
// were given, and fibres are shared out anew, as Lloyd's iteration evens out a mosaic.
static emg_status share_out_fibres(const subject *s, emg_territory *territories, int *members,
                                   emg_error *err) {
  const int rounds_max = 8;
  const double few = 0.01;

  for (int round = 0;; round++) {
    emg_rng rng = emg_rng_stream(s->seed, EMG_RNG_ASSIGNMENT, (uint32_t)round, s->index);
    EMG_TRY(emg_territories_fill(s->pool->units, territories, s->n_fibres, s->x_m, s->y_m, &rng,
                                 members, err));
    if (round == rounds_max || share_outside(s, territories, members) < few) {
      return EMG_OK;
    }
    for (int u = 0, begin = 0; u < s->pool->units; u++) {
      recentre(s, &members[begin], &territories[u]);
      begin += territories[u].n_fibres;
    }
  }
}

// --- properties of units and fibres ---

// Zones of units stay within so many standard deviations of the muscle's.
static const double zone_reach = 2.5;

// Gaussian redrawn until it is within `reach` standard deviations.
static double truncated_gaussian(emg_rng *rng, double reach) {
  double z;

  do {
    z = emg_rng_gaussian(rng);
  } while (fabs(z) > reach);
  return z;
}

// Velocities stay within half and twice the muscle's mean: slower fibres would not be muscle
// fibres, and their potentials would set the length of all.
static double limit_cv(double cv_m_per_s, double mean_m_per_s) {
  return fmin(fmax(cv_m_per_s, 0.5 * mean_m_per_s), 2 * mean_m_per_s);
}

// Mean velocity of unit i before its fibres' own spread.
static double unit_cv(const subject *s, int i) {
  const struct emg_config_muscle *m = s->muscle;
  int n_units = s->pool->units;

  if (m->cv_law == EMG_CV_UNIT_SIZE) {
    // linear in the rank, that is in the logarithm of size, with the asked mean and deviation over
    // units (Andreassen & Arendt-Nielsen 1987)
    double rank = n_units > 1 ? 2.0 * i / (n_units - 1) - 1 : 0;
    double scale = n_units > 1 ? sqrt(3.0 * (n_units - 1) / (n_units + 1)) : 0;
    return limit_cv(m->cv_m_per_s + m->cv_sd_m_per_s * scale * rank, m->cv_m_per_s);
  }
  emg_rng rng = emg_rng_stream(s->seed, EMG_RNG_UNIT_PROPERTIES, (uint32_t)i, s->index);
  return limit_cv(m->cv_m_per_s + m->cv_sd_m_per_s * emg_rng_gaussian(&rng), m->cv_m_per_s);
}

// Nandedkar & Stalberg 1983: v = 2.2 m/s + (d - 22 um) 3.0/63 m/s per um, for 22 to 85 um.
static double cv_of_diameter(double diameter_um) {
  double within_um = fmin(fmax(diameter_um, 22), 85);

  return 2.2 + (within_um - 22) * 3.0 / 63;
}

// Centre of a unit's own end-plates from the centre of the muscle's.
static double unit_zone_mm(const subject *s, int i) {
  emg_rng rng = emg_rng_stream(s->seed, EMG_RNG_UNIT_ZONE, (uint32_t)i, s->index);
  return s->muscle->innervation_zone_unit_sd_mm * truncated_gaussian(&rng, zone_reach);
}

static double end_plate_mm(const struct emg_config_muscle *m, emg_rng *rng) {
  double offset = m->innervation_zone_law == EMG_IZ_GAUSSIAN ? truncated_gaussian(rng, 3) / 4
                                                             : emg_rng_uniform(rng) - 0.5;

  return m->innervation_zone_mm + m->innervation_zone_width_mm * offset;
}

// One fibre. Its stream belongs to its place in the muscle, so another pool leaves the end-plates,
// tendons and diameters of the fibres as they are.
static emg_fibre create_fibre(const subject *s, int place, double cv_of_unit,
                              double zone_of_unit_mm) {
  const struct emg_config_muscle *m = s->muscle;
  emg_rng rng = emg_rng_stream(s->seed, EMG_RNG_FIBRE_PROPERTIES, (uint32_t)place, s->index);
  double diameter_um = m->fibre_diameter_um + m->fibre_diameter_sd_um * truncated_gaussian(&rng, 3);
  double end_plate = end_plate_mm(m, &rng) + zone_of_unit_mm;
  double tendon_1 = m->innervation_zone_mm + m->half_length_1_mm +
                    m->tendon_width_mm * (emg_rng_uniform(&rng) - 0.5);
  double tendon_2 = m->innervation_zone_mm - m->half_length_2_mm +
                    m->tendon_width_mm * (emg_rng_uniform(&rng) - 0.5);
  double own_cv = m->cv_fibre_sd_m_per_s * emg_rng_gaussian(&rng);
  double delay_ms = m->end_plate_delay_sd_ms * (3 + truncated_gaussian(&rng, 3));

  diameter_um = fmax(diameter_um, 5);
  return (emg_fibre){
      .radius_m = hypot(s->x_m[place], s->y_m[place]),
      .theta_rad = atan2(s->y_m[place], s->x_m[place]),
      .end_plate_m = 1e-3 * end_plate,
      .length_1_m = 1e-3 * (tendon_1 - end_plate),
      .length_2_m = 1e-3 * (end_plate - tendon_2),
      .cv_m_per_s = m->cv_law == EMG_CV_FIBRE_DIAMETER
                        ? cv_of_diameter(diameter_um)
                        : limit_cv(cv_of_unit + own_cv, m->cv_m_per_s),
      .diameter_m = 1e-6 * diameter_um,
      .delay_s = 1e-3 * delay_ms,
  };
}

// End-plates lie between the tendons, and at least a millimetre from them.
static emg_status check_lengths(const struct emg_config_muscle *m, emg_error *err) {
  double zone_mm = m->innervation_zone_law == EMG_IZ_GAUSSIAN ? 0.75 * m->innervation_zone_width_mm
                                                              : 0.5 * m->innervation_zone_width_mm;
  double spread_mm = zone_mm + zone_reach * m->innervation_zone_unit_sd_mm + m->tendon_width_mm / 2;
  double shorter_mm = fmin(m->half_length_1_mm, m->half_length_2_mm);

  if (shorter_mm < spread_mm + 1) {
    return emg_fail(err, EMG_ERR_CONFIG,
                    "muscle \"%s\": end-plates and tendons spread over %g mm of a half length of "
                    "%g mm; lower muscle.innervation_zone_width_mm, "
                    "muscle.innervation_zone_unit_sd_mm or muscle.tendon_width_mm",
                    m->name, spread_mm, shorter_mm);
  }
  return EMG_OK;
}

static void create_units(const subject *s, const emg_territory *territories, const int *members,
                         emg_motor_unit *units, emg_fibre *fibres) {
  int begin = 0;

  for (int u = 0; u < s->pool->units; u++) {
    const emg_territory *t = &territories[u];
    double cv = unit_cv(s, u), zone_mm = unit_zone_mm(s, u), sum_cv = 0;

    for (int i = begin; i < begin + t->n_fibres; i++) {
      fibres[i] = create_fibre(s, members[i], cv, zone_mm);
      sum_cv += fibres[i].cv_m_per_s;
    }
    units[u] = (emg_motor_unit){.muscle = (int)s->index,
                                .index_in_muscle = u,
                                .fibre_begin = begin,
                                .fibre_count = t->n_fibres,
                                .centre_radius_m = hypot(t->x_m, t->y_m),
                                .centre_theta_rad = atan2(t->y_m, t->x_m),
                                .territory_radius_m = t->radius_m,
                                .cv_m_per_s = sum_cv / t->n_fibres};
    begin += t->n_fibres;
  }
  emg_recruitment_assign(s->pool, units);
}

emg_status emg_pool_create(const emg_config *config, int muscle, double area_m2, int n_fibres,
                           const double *x_m, const double *y_m, emg_motor_unit *units,
                           emg_fibre *fibres, emg_error *err) {
  const subject s = {&config->muscle[muscle],
                     &config->pool[muscle],
                     config->simulation.seed,
                     (uint32_t)muscle,
                     n_fibres,
                     x_m,
                     y_m};
  int *numbers = NULL, *members = NULL;
  emg_territory *territories = NULL;
  emg_status status;

  EMG_TRY(check_lengths(s.muscle, err));
  EMG_TRY_DONE(emg_alloc((size_t)s.pool->units, sizeof *numbers, &numbers, err));
  EMG_TRY_DONE(emg_alloc((size_t)s.pool->units, sizeof *territories, &territories, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_fibres, sizeof *members, &members, err));
  EMG_TRY_DONE(emg_innervation_numbers(s.pool, n_fibres, numbers, err));
  EMG_TRY_DONE(create_territories(&s, area_m2, numbers, territories, err));
  EMG_TRY_DONE(share_out_fibres(&s, territories, members, err));
  create_units(&s, territories, members, units, fibres);
done:
  free(numbers);
  free(territories);
  free(members);
  return status;
}
