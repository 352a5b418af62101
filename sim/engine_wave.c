// engine_wave.c -- when the two action potentials of a fibre travel, start and end
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>

emg_status emg_course_create(int n_samples, emg_course *out, emg_error *err) {
  emg_transient *all[3] = {&out->start, &out->stop[0], &out->stop[1]};

  *out = (emg_course){0};
  for (int i = 0; i < 3; i++) {
    emg_status status =
        emg_alloc_aligned((size_t)n_samples, sizeof *all[i]->factor, &all[i]->factor, err);
    if (status != EMG_OK) {
      emg_course_free(out);
      return status;
    }
  }
  return EMG_OK;
}

void emg_course_free(emg_course *course) {
  free(course->start.factor);
  free(course->stop[0].factor);
  free(course->stop[1].factor);
  *course = (emg_course){0};
}

double emg_course_tail(double tolerance) {
  const double peak = 27 * exp(-3);  // of e^-u u^3, at u = 3
  double u = 3;

  while (u * u * u * exp(-u) > tolerance / 20 * peak && u < 100) {
    u += 0.25;
  }
  return u;
}

// Factors from sample `first` on, where u is `u_first`; e^-u by multiplication, one exp per event.
static void fill_transient(double sign, int first, int n_samples, double u_first, double u_step,
                           double tail, emg_transient *transient) {
  const double decay = exp(-u_step);
  double e = sign * exp(-u_first);
  int count = 0;

  for (double u = u_first; u < tail && first + count < n_samples; u += u_step) {
    float *factor = transient->factor[count++];
    factor[0] = (float)e;
    factor[1] = (float)(e * u);
    factor[2] = (float)(e * u * u);
    factor[3] = (float)(e * u * u * u);
    e *= decay;
  }
  transient->first = first;
  transient->count = count;
}

// First sample at or after `time_s`.
static int sample_at(double time_s, double rate_hz, int n_samples) {
  double sample = ceil(time_s * rate_hz - 1e-9);

  return sample < 0 ? 0 : sample > n_samples ? n_samples : (int)sample;
}

void emg_course_fill(const emg_table_source *source, double tail, const emg_fibre *fibre,
                     emg_course *course) {
  const double rate_hz = source->range.rate_hz, scale_m = source->source.scale_m;
  const double cv = fibre->cv_m_per_s, length_m[2] = {fibre->length_1_m, fibre->length_2_m};
  const int n_samples = source->range.n_samples;
  const double u_step = cv / rate_hz / scale_m;

  course->first = sample_at(fibre->delay_s, rate_hz, n_samples);
  course->x_step_m = cv / rate_hz;
  course->x_first_m = cv * (course->first / rate_hz - fibre->delay_s);
  fill_transient(-1, course->first, n_samples, course->x_first_m / scale_m, u_step, tail,
                 &course->start);
  course->end = course->start.first + course->start.count;

  for (int side = 0; side < 2; side++) {
    int stop = sample_at(fibre->delay_s + length_m[side] / cv, rate_hz, n_samples);
    double u_first = (cv * (stop / rate_hz - fibre->delay_s) - length_m[side]) / scale_m;

    course->n_travel[side] = stop - course->first;
    fill_transient(1, stop, n_samples, u_first, u_step, tail, &course->stop[side]);
    int end = course->stop[side].first + course->stop[side].count;
    course->end = end > course->end ? end : course->end;
  }
}
