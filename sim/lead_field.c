// lead_field.c -- lead field of one electrode and the four lead functions, by direct sums
#include "sim/conductor_priv.h"

#include <math.h>
#include <stdlib.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/lin.h"

#define BLOCK 128
// Sums are carried this much further than asked for: they are cheap, and off to the side potentials
// are weaker than at dtheta = 0, which the truncation looks at.
#define TOLERANCE_SHARE 1e-3

emg_status emg_spectrum_create(const emg_pair *pair, const emg_truncation *truncation, int n_angles,
                               const double *dtheta_rad, int block, emg_spectrum *out,
                               emg_error *err) {
  emg_status status = EMG_OK;
  size_t n_orders = (size_t)truncation->n_orders;

  *out =
      (emg_spectrum){.pair = pair, .truncation = truncation, .n_angles = n_angles, .block = block};
  EMG_TRY_DONE(emg_alloc((size_t)n_angles * n_orders, sizeof(double), &out->cosines, err));
  EMG_TRY_DONE(emg_alloc((size_t)block * n_orders, sizeof(double), &out->terms, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_angles * (size_t)block, sizeof(double), &out->values, err));
  for (int i = 0; i < n_angles; i++) {
    for (size_t n = 0; n < n_orders; n++) {
      out->cosines[(size_t)i * n_orders + n] = cos((double)n * dtheta_rad[i]);
    }
  }
done:
  if (status != EMG_OK) {
    emg_spectrum_free(out);
  }
  return status;
}

void emg_spectrum_free(emg_spectrum *spectrum) {
  free(spectrum->cosines);
  free(spectrum->terms);
  free(spectrum->values);
  *spectrum = (emg_spectrum){0};
}

emg_status emg_spectrum_fill(emg_spectrum *s, int first, int count, emg_error *err) {
  double dk = s->truncation->dk_rad_per_m;
  int n_orders = s->truncation->n_orders;

  EMG_TRY(emg_pair_terms(s->pair, (first + 0.5) * dk, dk, count, n_orders, s->terms, err));
  emg_dgemm(0, 1, s->n_angles, count, n_orders, dk / (2 * M_PI * M_PI), s->cosines, n_orders,
            s->terms, n_orders, 0, s->values, count);
  return EMG_OK;
}

// Largest |z|, or EMG_ERR_ARG.
static emg_status reach_of(int n_z, const double *z_m, double *reach_m, emg_error *err) {
  if (n_z < 1) {
    return emg_fail(err, EMG_ERR_ARG, "%d offsets asked for: at least 1 is needed", n_z);
  }
  *reach_m = 0;
  for (int i = 0; i < n_z; i++) {
    if (!isfinite(z_m[i])) {
      return emg_fail(err, EMG_ERR_ARG, "offset %d is %g m: give a finite one", i, z_m[i]);
    }
    *reach_m = fmax(*reach_m, fabs(z_m[i]));
  }
  return EMG_OK;
}

// The pair, how far its sums go, and its spectrum at one angle.
typedef struct {
  emg_pair pair;
  emg_truncation truncation;
  emg_spectrum spectrum;
} lead_sum;

static emg_status lead_sum_create(const emg_conductor *conductor, const emg_detection *detection,
                                  double source_m, double field_m, double dtheta_rad,
                                  double scale_m, int n_z, const double *z_m, double tolerance,
                                  lead_sum *out, emg_error *err) {
  double reach_m = 0, scale;

  emg_init();
  if (!isfinite(dtheta_rad)) {
    return emg_fail(err, EMG_ERR_ARG, "the angle is %g rad: give a finite one", dtheta_rad);
  }
  EMG_TRY(reach_of(n_z, z_m, &reach_m, err));
  EMG_TRY(emg_pair_create(conductor, detection, source_m, field_m, &out->pair, err));
  EMG_TRY(emg_pair_truncate(&out->pair, scale_m, reach_m, tolerance * TOLERANCE_SHARE,
                            &out->truncation, &scale, err));
  return emg_spectrum_create(&out->pair, &out->truncation, 1, &dtheta_rad, BLOCK, &out->spectrum,
                             err);
}

emg_status emg_lead_field(const emg_conductor *conductor, const emg_detection *detection,
                          double source_m, double field_m, double dtheta_rad, int n_z,
                          const double *z_m, double tolerance, double *lead_ohm, emg_error *err) {
  emg_status status = EMG_OK;
  lead_sum s;

  // the potential of a bare current varies over the size of the cylinder
  EMG_TRY(lead_sum_create(conductor, detection, source_m, field_m, dtheta_rad,
                          emg_conductor_skin_radius_m(conductor), n_z, z_m, tolerance, &s, err));
  const emg_truncation *t = &s.truncation;
  emg_free_space space = emg_free_space_at(&s.pair, dtheta_rad, t->period_m);

  // the images of -|z| / (2S) add P / (4S) between them
  for (int i = 0; i < n_z; i++) {
    lead_ohm[i] = (s.pair.is_split ? emg_free_space_lead(&space, z_m[i]) : 0) -
                  t->period_m / (4 * emg_conductor_axial_conductance(conductor));
  }
  for (int first = 0; first < t->n_wavenumbers; first += BLOCK) {
    int count = t->n_wavenumbers - first < BLOCK ? t->n_wavenumbers - first : BLOCK;

    EMG_TRY_DONE(emg_spectrum_fill(&s.spectrum, first, count, err));
    for (int i = 0; i < n_z; i++) {
      for (int j = 0; j < count; j++) {
        lead_ohm[i] += s.spectrum.values[j] * cos((first + j + 0.5) * t->dk_rad_per_m * z_m[i]);
      }
    }
  }
done:
  emg_spectrum_free(&s.spectrum);
  return status;
}

emg_status emg_lead_functions(const emg_conductor *conductor, const emg_detection *detection,
                              const emg_action_potential *source, double source_m, double field_m,
                              double dtheta_rad, int n_z, const double *z_m, double tolerance,
                              double *q, emg_error *err) {
  emg_status status = EMG_OK;
  emg_free_rules *rules = NULL;
  lead_sum s;

  EMG_TRY(lead_sum_create(conductor, detection, source_m, field_m, dtheta_rad, source->scale_m, n_z,
                          z_m, tolerance, &s, err));
  const emg_truncation *t = &s.truncation;
  emg_free_space space = emg_free_space_at(&s.pair, dtheta_rad, t->period_m);

  EMG_TRY_DONE(emg_free_rules_create(&rules, err));
  for (int i = 0; i < n_z; i++) {
    double at[4] = {0};

    if (s.pair.is_split) {
      emg_free_space_functions(rules, &space, source, z_m[i], at);
    }
    for (int f = 0; f < 4; f++) {
      q[(ptrdiff_t)f * n_z + i] = at[f];
    }
  }
  for (int first = 0; first < t->n_wavenumbers; first += BLOCK) {
    int count = t->n_wavenumbers - first < BLOCK ? t->n_wavenumbers - first : BLOCK;

    EMG_TRY_DONE(emg_spectrum_fill(&s.spectrum, first, count, err));
    for (int j = 0; j < count; j++) {
      double k = (first + j + 0.5) * t->dk_rad_per_m;
      double complex m[4];

      emg_lead_function_transforms(source, k, m);
      for (int i = 0; i < n_z; i++) {
        double complex wave = s.spectrum.values[j] * cexp(I * k * z_m[i]);
        for (int f = 0; f < 4; f++) {
          q[(ptrdiff_t)f * n_z + i] += creal(m[f] * wave);
        }
      }
    }
  }
done:
  emg_free_rules_free(rules);
  emg_spectrum_free(&s.spectrum);
  return status;
}
