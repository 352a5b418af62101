// cnn_decide.c -- from the answers of a network to discharges, one answer at a time
#include "cnn_priv.h"

void emg_cnn_decider_start(emg_cnn_decider *d, double threshold, int64_t refractory) {
  *d = (emg_cnn_decider){.threshold = threshold < 1 ? (float)emg_cnn_logit(threshold) : INFINITY,
                         .refractory = refractory,
                         .pending = -1};
}

// Samples from the middle one of three values `step` apart to the top of the parabola through them,
// at most half a step.
static int64_t top_of(const float height[3], int step) {
  double a = height[0], b = height[1], c = height[2], bend = 2 * b - a - c;

  if (!isfinite(a) || !isfinite(c) || !(bend > 0)) {
    return 0;
  }
  return llround(fmax(fmin(0.5 * (c - a) / bend, 0.5), -0.5) * step);
}

bool emg_cnn_decider_end(emg_cnn_decider *d, int step, int64_t *spike, float *height) {
  if (d->pending < 0) {
    return false;
  }
  int64_t at = d->pending + top_of(d->height, step);
  *spike = at > 0 ? at : 0;
  *height = d->height[1];
  d->pending = -1;
  return true;
}

bool emg_cnn_decide(emg_cnn_decider *d, int64_t sample, int step, float logit, int64_t *spike,
                    float *height) {
  bool is_certain = false;

  if (d->n_seen > 0) {
    float before = d->n_seen > 1 ? d->before : -INFINITY;
    bool is_peak = d->last >= d->threshold && d->last > before && d->last >= logit;
    if (d->pending >= 0 && d->at - d->pending >= d->refractory) {
      is_certain = emg_cnn_decider_end(d, step, spike, height);
    }
    if (is_peak && (d->pending < 0 || d->last > d->height[1])) {
      d->pending = d->at;
      d->height[0] = before;
      d->height[1] = d->last;
      d->height[2] = logit;
    }
  }
  d->before = d->last;
  d->last = logit;
  d->at = sample;
  d->n_seen += d->n_seen < 2;
  return is_certain;
}
