// detection.c -- averaging of the skin potential over the area of an electrode
#include "sim/conductor_priv.h"

#include <math.h>

// 2 J1(x) / x
static double disc_average(double x) {
  double x2 = x * x;
  return fabs(x) < 1e-2 ? 1 - x2 / 8 * (1 - x2 / 24) : 2 * j1(x) / x;
}

static double sinc(double x) {
  double x2 = x * x;
  return fabs(x) < 1e-2 ? 1 - x2 / 6 * (1 - x2 / 20) : sin(x) / x;
}

// A cylinder unrolls without strain, so averages over areas drawn on the skin are those of the
// plane with wavenumbers n / r around and k along (Farina & Merletti 2001; Farina et al. 2004).
double emg_detection_transfer(const emg_detection *detection, int n, double k_rad_per_m,
                              double skin_radius_m) {
  double around = n / skin_radius_m, kappa = sqrt(k_rad_per_m * k_rad_per_m + around * around);
  double outer = detection->radius_m, inner = detection->inner_radius_m;

  switch (detection->shape) {
    case EMG_SHAPE_DISC:
      return disc_average(kappa * outer);
    case EMG_SHAPE_RECTANGLE:
      return sinc(around * detection->width_m / 2) * sinc(k_rad_per_m * detection->length_m / 2);
    case EMG_SHAPE_ANNULUS:
      return (outer * outer * disc_average(kappa * outer) -
              inner * inner * disc_average(kappa * inner)) /
             ((outer - inner) * (outer + inner));
    default:
      return 1;
  }
}

static bool is_length(double x_m) {
  return x_m > 0 && isfinite(x_m);
}

emg_status emg_detection_check(const emg_detection *detection, emg_error *err) {
  const emg_detection *d = detection;

  switch (d->shape) {
    case EMG_SHAPE_POINT:
      return EMG_OK;
    case EMG_SHAPE_DISC:
      return is_length(d->radius_m)
                 ? EMG_OK
                 : emg_fail(err, EMG_ERR_ARG, "a disc of radius %g mm: it must be positive",
                            d->radius_m * 1e3);
    case EMG_SHAPE_RECTANGLE:
      return is_length(d->width_m) && is_length(d->length_m)
                 ? EMG_OK
                 : emg_fail(err, EMG_ERR_ARG, "a rectangle of %g x %g mm: both must be positive",
                            d->width_m * 1e3, d->length_m * 1e3);
    case EMG_SHAPE_ANNULUS:
      return is_length(d->radius_m) && d->inner_radius_m >= 0 && d->inner_radius_m < d->radius_m
                 ? EMG_OK
                 : emg_fail(err, EMG_ERR_ARG,
                            "an annulus from radius %g to %g mm: the outer must be larger",
                            d->inner_radius_m * 1e3, d->radius_m * 1e3);
    default:
      return emg_fail(err, EMG_ERR_ARG, "%d is no shape of an electrode: use EMG_SHAPE_*",
                      d->shape);
  }
}
