// engine_lagrange.h -- weights of Lagrange interpolation on a unit grid
#ifndef EMG_SIM_ENGINE_LAGRANGE_H
#define EMG_SIM_ENGINE_LAGRANGE_H

// Four nodes -1, 0, 1, 2 at place s, best in [0, 1].
static inline void emg_lagrange4(double s, double w[4]) {
  double a = s + 1, b = s - 1, c = s - 2;

  w[0] = -s * b * c * (1.0 / 6);
  w[1] = a * b * c * 0.5;
  w[2] = -a * s * c * 0.5;
  w[3] = a * s * b * (1.0 / 6);
}

// First of four nodes in [0, n) about a place in grid units; clamped at the ends, where the
// interpolation becomes one-sided.
static inline int emg_lagrange4_first(double place, int n) {
  int first = (int)place - 1;

  first = first < 0 ? 0 : first;
  return first > n - 4 ? n - 4 : first;
}

#endif
