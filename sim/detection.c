// detection.c -- averaging of the skin potential over the area of an electrode
#include <emgtwin/conductor.h>

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
