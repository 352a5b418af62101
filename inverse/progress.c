// progress.c -- the steps of an inversion as one bar: round, units found, share that is done
#include <stdio.h>
#include <string.h>

#include "model_guide_priv.h"

enum { PER_ROUND = 100 };

// About what part of a round is done when a step of it begins, and by how much it brings it on.
static const struct {
  const char *stage;
  int begins, takes;
} steps[] = {{"decompose", 0, 20}, {"probes", 20, 5}, {"probing", 25, 25}, {"candidates", 50, 30}};

static bool pass_on(const char *stage, int64_t done, int64_t total, void *user) {
  emg_invert_progress *p = user;
  const int64_t rounds = p->n_rounds;
  char text[48];

  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    if (strcmp(stage, steps[i].stage) == 0 && total > 0) {
      int64_t at = (int64_t)p->round * PER_ROUND + steps[i].begins + steps[i].takes * done / total;
      p->done = at > p->done ? at : p->done;
    }
  }
  snprintf(text, sizeof text, "%s, round %d, %d units", p->name, p->round + 1, p->n_units);
  return p->outer->progress(text, p->done, rounds * PER_ROUND, p->outer->user);
}

static void log_on(emg_log_level level, const char *stage, const char *text, void *user) {
  const emg_invert_progress *p = user;
  p->outer->log(level, stage, text, p->outer->user);
}

emg_monitor emg_invert_monitor(emg_invert_progress *progress) {
  const emg_monitor *outer = progress->outer;

  return (emg_monitor){.log = outer && outer->log ? log_on : NULL,
                       .progress = outer && outer->progress ? pass_on : NULL,
                       .user = progress};
}
