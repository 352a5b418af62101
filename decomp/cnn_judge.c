// cnn_judge.c -- answers of a network against the labels, and thresholds that suit them
#include "cnn_priv.h"

#include <stdlib.h>

static double share(int64_t part, int64_t whole) {
  return whole > 0 ? (double)part / (double)whole : 0;
}

double emg_cnn_sensitivity(const emg_cnn_count *count) {
  return share(count->n_true, count->n_true + count->n_missed);
}

double emg_cnn_precision(const emg_cnn_count *count) {
  return share(count->n_true, count->n_true + count->n_false);
}

double emg_cnn_f1(const emg_cnn_count *count) {
  return share(2 * count->n_true, 2 * count->n_true + count->n_false + count->n_missed);
}

void emg_cnn_count_windows(const emg_cnn_answers *a, int unit, double threshold,
                           emg_cnn_count *count) {
  const float logit = (float)emg_cnn_logit(threshold);

  for (int64_t i = 0; i < a->n_windows; i++) {
    bool is_there = emg_cnn_label(a->labels, unit, a->centre + i * a->shape->step) > 0.5;
    bool is_said = a->logits[i * a->shape->n_units + unit] >= logit;
    count->n_true += is_there && is_said;
    count->n_false += is_said && !is_there;
    count->n_missed += is_there && !is_said;
  }
}

// The trains of labels and answers, walked through together.
typedef struct {
  const int64_t *train;
  int64_t n, next;  // labels, and the first of them that is still free
  int64_t end;      // labels from here on do not count
  double tolerance;
  emg_cnn_count *count;
} matcher;

static void match(matcher *m, int64_t spike) {
  while (m->next < m->n && m->train[m->next] < m->end &&
         (double)m->train[m->next] < (double)spike - m->tolerance) {
    m->next++;
    m->count->n_missed++;
  }
  bool is_true = m->next < m->n && fabs((double)(m->train[m->next] - spike)) <= m->tolerance;
  m->next += is_true;
  m->count->n_true += is_true;
  m->count->n_false += !is_true;
}

void emg_cnn_count_discharges(const emg_cnn_answers *a, int unit, double threshold,
                              emg_cnn_count *count) {
  int step = a->shape->step;
  matcher m = {.train = emg_spikes_of(a->labels->spikes, unit),
               .n = emg_spikes_count(a->labels->spikes, unit),
               .end = a->centre + a->n_windows * step - step / 2,
               .tolerance = fmax(0.5 * step, 2 * a->labels->soft_samples),
               .count = count};
  emg_cnn_decider decider;
  int64_t spike;
  float height;

  while (m.next < m.n && m.train[m.next] < a->centre - step / 2) {
    m.next++;
  }
  emg_cnn_decider_start(&decider, threshold, a->refractory);
  for (int64_t i = 0; i < a->n_windows; i++) {
    if (emg_cnn_decide(&decider, a->centre + i * step, step,
                       a->logits[i * a->shape->n_units + unit], &spike, &height)) {
      match(&m, spike);
    }
  }
  if (emg_cnn_decider_end(&decider, step, &spike, &height)) {
    match(&m, spike);
  }
  while (m.next < m.n && m.train[m.next] < m.end) {
    m.next++;
    count->n_missed++;
  }
}

void emg_cnn_count_answers(const emg_cnn_answers *answers, int unit, double threshold,
                           emg_cnn_count *count) {
  if (answers->labels->soft_samples > 0) {
    emg_cnn_count_discharges(answers, unit, threshold, count);
  } else {
    emg_cnn_count_windows(answers, unit, threshold, count);
  }
}

double emg_cnn_best_threshold(int n, const emg_cnn_answers *answers, int unit) {
  enum { TRIED = 37, SPIKES_LEAST = 5 };
  const double first = 0.05, step = 0.025;
  double best = -1, sum = 0;
  int n_best = 0;

  for (int k = 0; k < TRIED; k++) {
    emg_cnn_count count = {0};
    for (int i = 0; i < n; i++) {
      emg_cnn_count_answers(&answers[i], unit, first + k * step, &count);
    }
    if (count.n_true + count.n_missed < SPIKES_LEAST) {
      return 0.5;
    }
    double f1 = emg_cnn_f1(&count);
    if (f1 > best) {
      best = f1;
      n_best = 0;
      sum = 0;
    }
    if (f1 == best) {
      n_best++;
      sum += first + k * step;
    }
  }
  return sum / n_best;
}
