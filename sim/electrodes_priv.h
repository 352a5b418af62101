// electrodes_priv.h -- the concentric needle, shared by its points and its montage
#ifndef EMG_SIM_ELECTRODES_PRIV_H
#define EMG_SIM_ELECTRODES_PRIV_H

// A standard concentric needle (Stalberg & Trontelj 1979; Nandedkar et al. 1988): the core ends in
// an ellipse of 0.58 x 0.15 mm on the bevel, and is recorded against the cannula. Both are taken
// at high impedance, as means of the potential: the core over points on the long axis of the
// ellipse, each weighted by the chord there; the cannula over its last 10 mm, as far as they are
// in the muscle.
enum { EMG_NEEDLE_CORE_POINTS = 5, EMG_NEEDLE_CANNULA_POINTS = 20 };

static const double emg_needle_core_half_length_m = 0.29e-3;

// Places along the shaft, from the centre of the core backwards.
static inline double emg_needle_core_offset_m(int i) {
  return emg_needle_core_half_length_m * (2.0 * i - (EMG_NEEDLE_CORE_POINTS - 1)) /
         EMG_NEEDLE_CORE_POINTS;
}

static inline double emg_needle_cannula_offset_m(int i) {
  return 0.5e-3 * (i + 1);
}

#endif
