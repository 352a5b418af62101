// survey.c -- what all units share, from the most visible units of a first search
//
// One round finds the largest units even with a grid that is turned or fat that is wrong: blind
// seeds do not look at the model, and averages keep their own shape where the model misses them.
#include "model_guide_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/guide.h>

typedef struct {
  emg_model_guide model;  // first, as its functions are handed a pointer to it
  const emg_monitor *monitor;
  emg_config *known;
  emg_profile *shared;
} survey;

typedef struct {
  double height;
  emg_fit_item item;
} visible;

static int higher_first(const void *a, const void *b) {
  const visible *x = a, *y = b;
  return (x->height < y->height) - (x->height > y->height);
}

// The units with the highest spikes that the model explains at least in part.
static emg_status choose(survey *s, const emg_guided_signal *shown, int n,
                         const emg_guided_unit *units, emg_fit_item *chosen, int *n_chosen,
                         emg_error *err) {
  const double cosine_least = 0.5;
  emg_fitted *fitted = NULL;
  visible *list = NULL;
  emg_status status;

  *n_chosen = 0;
  EMG_TRY_DONE(emg_alloc((size_t)n + 1, sizeof *fitted, &fitted, err));
  EMG_TRY_DONE(emg_alloc((size_t)n + 1, sizeof *list, &list, err));
  EMG_TRY_DONE(emg_model_guide_fit(&s->model, shown, n, units, fitted, err));
  int n_listed = 0;
  for (int i = 0; i < n; i++) {
    if (fitted[i].cosine >= cosine_least) {
      list[n_listed++] =
          (visible){fitted[i].height, {units[i].muap, fitted[i].n_spikes, fitted[i].fit}};
    }
  }
  qsort(list, (size_t)n_listed, sizeof *list, higher_first);
  while (*n_chosen < n_listed && *n_chosen < s->model.config.invert.profile_units) {
    chosen[*n_chosen] = list[*n_chosen].item;
    ++*n_chosen;
  }
done:
  free(fitted);
  free(list);
  return status;
}

static void tell(const survey *s, int n_units) {
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    const emg_profile *shared = &s->shared[p];
    if (shared->sd == 0) {
      continue;
    }
    emg_log(s->model.monitor, EMG_LOG_INFO, "invert", "%s = %.2f +- %.2f %s, by %d units",
            emg_shared_name(p), shared->value, shared->sd, emg_shared_unit(p), n_units);
    if (shared->is_at_limit) {
      emg_log(s->model.monitor, EMG_LOG_WARNING, "invert",
              "%s is estimated at the limit of what the configuration thinks possible, %.2f %s; "
              "check the configuration",
              emg_shared_name(p), shared->value, emg_shared_unit(p));
    }
  }
}

// In place of a verdict: the estimates. Nothing of this search is kept.
static emg_status estimate(void *self, const emg_guided_signal *shown, int n,
                           emg_guided_unit *units, bool *is_kept, emg_error *err) {
  const int n_iterations = 8;
  survey *s = self;
  const emg_view_source view = emg_model_guide_view(&s->model, shown);
  emg_fit_item *chosen;
  int n_chosen;
  emg_status status;

  memset(is_kept, 0, (size_t)n * sizeof *is_kept);
  EMG_TRY(emg_alloc((size_t)s->model.config.invert.profile_units, sizeof *chosen, &chosen, err));
  EMG_TRY_DONE(choose(s, shown, n, units, chosen, &n_chosen, err));
  EMG_TRY_DONE(emg_shared_estimate(s->known, &view, &s->model.metric, n_chosen, chosen,
                                   n_iterations, s->monitor, s->shared, err));
  tell(s, n_chosen);
done:
  free(chosen);
  return status;
}

static bool is_any_estimated(const emg_config *config) {
  for (int p = 0; p < EMG_SHARED_PARAMETERS; p++) {
    if (emg_shared_is_estimated(config, (emg_shared_parameter)p)) {
      return true;
    }
  }
  return false;
}

emg_status emg_survey(const emg_recording *rec, emg_config *config, const emg_monitor *monitor,
                      emg_profile out[EMG_SHARED_PARAMETERS], emg_error *err) {
  emg_invert_progress progress = {.outer = monitor, .name = "first search", .n_rounds = 1};
  const emg_monitor own = emg_invert_monitor(&progress);
  survey s = {.model = {.config = *config, .monitor = &own, .progress = &progress},
              .monitor = monitor,
              .known = config,
              .shared = out};
  emg_guide guide = emg_model_guide_as_guide(&s.model);
  emg_decomposition none;
  emg_status status;

  // what holds if no unit is found
  EMG_TRY(emg_shared_estimate(config, NULL, NULL, 0, NULL, 0, NULL, out, err));
  if (!is_any_estimated(config)) {
    return EMG_OK;
  }
  s.model.config.decompose.rounds = 1;
  guide.judge = estimate;
  status = emg_decompose_guided(rec, &s.model.config, &guide, &own, &none, err);
  emg_model_guide_free(&s.model);
  if (status == EMG_OK) {
    emg_decomposition_free(&none);
  }
  return status;
}
