// subject.c -- the forward model of what a configuration knows of anatomy and grid
#include "inverse_priv.h"

#include <math.h>

// Samples of potentials: from the earliest latency until the slowest fibre's end has passed, but
// not beyond the window.
static void set_samples(const emg_expected *e, emg_view_source *view) {
  const double per_ms = 1e-3 * view->rate_hz * view->oversampling;
  const double *low = e->min, *high = e->max;
  double way_mm = fmax(high[EMG_UNIT_TENDON_1] - low[EMG_UNIT_ZONE],
                       high[EMG_UNIT_ZONE] - low[EMG_UNIT_TENDON_2]);
  // the tail of the action potential: some ten times its scale
  double travel_ms = high[EMG_UNIT_LATENCY] + (way_mm + 15) / low[EMG_UNIT_CV];
  double window_ms = 1e3 * (view->n_window - view->origin + view->max_shift) / view->rate_hz;

  view->potential_origin = (int)ceil(fmax(-low[EMG_UNIT_LATENCY], 0) * per_ms) + 1;
  view->n_potential =
      view->potential_origin + (int)ceil(fmin(travel_ms, fmax(window_ms, 1)) * per_ms);
}

// Deviation of velocities within a unit, as a part of their mean.
static double cv_spread_of(const struct emg_config_muscle *m) {
  // 3/63 m/s per um of diameter (Nandedkar & Stalberg 1983)
  double sd_m_per_s = m->cv_law == EMG_CV_FIBRE_DIAMETER ? m->fibre_diameter_sd_um * 3 / 63
                                                         : m->cv_fibre_sd_m_per_s;
  return sd_m_per_s / m->cv_m_per_s;
}

static emg_mean_unit_range range_of(const emg_config *config, const emg_view_source *view,
                                    double shift_max_mm, const emg_subject *subject) {
  const emg_expected *e = &subject->expected;
  const struct emg_config_muscle *m = &config->muscle[0];
  // of an even spread
  double tendon_spread_mm = m->tendon_width_mm / sqrt(12);
  double thickness_mm = 1e3 * (emg_conductor_muscle_outer_m(&subject->conductor) -
                               emg_conductor_muscle_inner_m(&subject->conductor));

  // potentials grow with the square of the diameter, whose mean is larger than that of the mean
  double diameter_um = hypot(m->fibre_diameter_um, m->fibre_diameter_sd_um);

  return (emg_mean_unit_range){
      .rate_hz = view->rate_hz * view->oversampling,
      .n_samples = view->n_potential,
      .origin = view->potential_origin,
      .depth_max_mm = fmin(e->max[EMG_UNIT_DEPTH] + e->max[EMG_UNIT_TERRITORY], thickness_mm),
      .z_min_mm = e->min[EMG_UNIT_TENDON_2] - tendon_spread_mm,
      .z_max_mm = e->max[EMG_UNIT_TENDON_1] + tendon_spread_mm,
      .tendon_spread_mm = tendon_spread_mm,
      .cv_spread = cv_spread_of(m),
      .fibre_diameter_um = diameter_um,
      .tolerance = config->simulation.tolerance,
      .shift_max_mm = shift_max_mm,
  };
}

// All but the model and its view.
static emg_status describe(const emg_config *config, emg_subject *out, emg_error *err) {
  *out = (emg_subject){.source = emg_action_potential_from_config(config)};
  EMG_TRY(emg_conductor_from_config(config, &out->conductor, err));
  EMG_TRY(emg_electrodes_create(config, &out->conductor, &out->electrodes, err));
  EMG_TRY(emg_montage_create(config, &out->electrodes, &out->montage, err));
  out->expected = emg_expected_from_config(config, &out->conductor);
  return EMG_OK;
}

emg_status emg_subject_create(const emg_config *config, const emg_view_source *recording,
                              double shift_max_mm, emg_subject *out, emg_error *err) {
  emg_view_source seen = *recording;
  emg_status status;

  EMG_TRY_DONE(describe(config, out, err));
  set_samples(&out->expected, &seen);
  out->potential_origin = seen.potential_origin;
  emg_mean_unit_range range = range_of(config, &seen, shift_max_mm, out);
  EMG_TRY_DONE(emg_mean_model_create(&out->conductor, &out->electrodes, &out->source, &range,
                                     &out->model, err));
  seen.weights = &out->montage.weights;
  EMG_TRY_DONE(emg_view_create(&seen, &out->view, err));
done:
  if (status != EMG_OK) {
    emg_subject_free(out);
  }
  return status;
}

emg_status emg_subject_move(const emg_subject *from, const emg_config *config,
                            const emg_view_source *recording, emg_subject *out, emg_error *err) {
  emg_view_source seen = *recording;
  emg_status status;

  EMG_TRY_DONE(describe(config, out, err));
  EMG_TRY_DONE(emg_mean_model_move(from->model, &out->electrodes, &out->model, err));
  seen.n_potential = from->view.n_potential;
  seen.potential_origin = out->potential_origin = from->potential_origin;
  seen.weights = &out->montage.weights;
  EMG_TRY_DONE(emg_view_create(&seen, &out->view, err));
done:
  if (status != EMG_OK) {
    emg_subject_free(out);
  }
  return status;
}

double emg_subject_cover_mm(const emg_subject *subject) {
  return 1e3 * (emg_conductor_skin_radius_m(&subject->conductor) -
                emg_conductor_muscle_outer_m(&subject->conductor));
}

void emg_subject_free(emg_subject *subject) {
  emg_electrodes_free(&subject->electrodes);
  emg_montage_free(&subject->montage);
  emg_mean_model_free(subject->model);
  emg_view_free(&subject->view);
  *subject = (emg_subject){0};
}
