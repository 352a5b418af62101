// model_guide.c -- the forward model as a guide of the joint model
#include "model_guide_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

// --- the model at hand ---

void emg_model_guide_free(emg_model_guide *g) {
  for (int i = 0; g->rooms && i < g->n_rooms; i++) {
    emg_fit_room_free(g->rooms[i]);
  }
  free(g->rooms);
  emg_metric_free(&g->metric);
  emg_metric_free(&g->search_metric);
  emg_bank_free(&g->bank);
  emg_subject_free(&g->subject);
  free(g->variance);
  free(g->results);
}

// Spikes lie in the middle of action potentials, discharges about half a length before.
emg_view_source emg_model_guide_view(const emg_model_guide *g, const emg_guided_signal *shown) {
  const double reach_s = 0.012;

  return (emg_view_source){
      .rate_hz = shown->rate_hz,
      .oversampling = 1,
      .n_window = shown->n_window,
      .origin = shown->origin - g->discharge_rows,
      .max_shift = (int)lround(reach_s * shown->rate_hz),
      .amplifier = g->amplifier.n_sections > 0 ? &g->amplifier : NULL,
      .filter = &g->filter,
      .n_channels = shown->n_channels,
      .channel = shown->channel,
      .scale = shown->scale,
  };
}

emg_status emg_model_guide_open(emg_model_guide *g, const emg_guided_signal *shown,
                                emg_error *err) {
  const double discharge_s = 0.010;
  const struct emg_config_sensor *sensor = &g->config.sensor;

  g->discharge_rows = (int)lround(discharge_s * shown->rate_hz);
  EMG_TRY(emg_filter_decomposer(&g->config.decompose, shown->rate_hz, &g->filter, err));
  EMG_TRY(emg_filter_amplifier(&g->amplifier, sensor->bandpass_low_hz, sensor->bandpass_high_hz,
                               shown->rate_hz, err));
  emg_view_source view = emg_model_guide_view(g, shown);
  EMG_TRY(emg_subject_create(&g->config, &view, 0, &g->subject, err));
  g->problem = (emg_fit_problem){.model = g->subject.model,
                                 .view = &g->subject.view,
                                 .metric = NULL,
                                 .expected = &g->subject.expected,
                                 .template_error = g->config.invert.template_error};
  return EMG_OK;
}

static emg_status start(emg_model_guide *g, const emg_guided_signal *shown, emg_error *err) {
  EMG_TRY(emg_model_guide_open(g, shown, err));
  EMG_TRY(emg_bank_create(&g->problem, g->config.invert.probes, g->monitor, &g->bank, err));
  EMG_TRY(emg_alloc((size_t)shown->n_channels, sizeof *g->variance, &g->variance, err));
  g->n_rooms = omp_get_max_threads();
  EMG_TRY(emg_alloc((size_t)g->n_rooms, sizeof *g->rooms, &g->rooms, err));
  g->has_started = true;
  return EMG_OK;
}

// The metric of the first rows of a covariance: as it does not change with time, that of fewer
// taps.
static emg_status measure_part(int n_taps, const emg_guided_signal *shown, const double *covariance,
                               emg_metric *out, emg_error *err) {
  const size_t n = (size_t)n_taps * (size_t)shown->n_channels;
  const size_t n_dimensions = (size_t)shown->n_taps * (size_t)shown->n_channels;
  double *part;

  EMG_TRY(emg_alloc(n * n, sizeof *part, &part, err));
  for (size_t i = 0; i < n; i++) {
    memcpy(part + i * n, covariance + i * n_dimensions, n * sizeof *part);
  }
  emg_status status = emg_metric_create(n_taps, shown->n_channels, part, out, err);
  free(part);
  return status;
}

// The metric of what is left now, and room for fits: in a search in that of half the taps, which
// costs half as much and finds as many units; in the end, for parameters, in all of it.
static emg_status measure(emg_model_guide *g, const emg_guided_signal *shown, bool is_search,
                          emg_error *err) {
  size_t n_dimensions = (size_t)shown->n_taps * (size_t)shown->n_channels;
  double *covariance;
  emg_status status;

  EMG_TRY(emg_alloc(n_dimensions * n_dimensions, sizeof *covariance, &covariance, err));
  EMG_TRY_DONE(emg_guided_covariance(shown, shown->n_taps, covariance, err));
  emg_metric_free(&g->search_metric);
  EMG_TRY_DONE(measure_part((shown->n_taps + 1) / 2, shown, covariance, &g->search_metric, err));
  for (int i = 0; i < g->n_rooms; i++) {
    emg_fit_room_free(g->rooms[i]);
    g->rooms[i] = NULL;
  }
  emg_metric_free(&g->metric);
  EMG_TRY_DONE(emg_metric_create(shown->n_taps, shown->n_channels, covariance, &g->metric, err));
  g->problem.metric = is_search ? &g->search_metric : &g->metric;
  for (int i = 0; i < g->n_rooms; i++) {
    EMG_TRY_DONE(emg_fit_room_create(&g->problem, &g->rooms[i], err));
  }

done:
  free(covariance);
  return status;
}

static void measure_variance(emg_model_guide *g, const emg_guided_signal *shown) {
  for (int c = 0; c < shown->n_channels; c++) {
    double sum = 0;
    for (int64_t i = 0; i < shown->n_samples; i++) {
      double x = shown->rows[i * shown->n_channels + c];
      sum += x * x;
    }
    g->variance[c] = sum / (double)shown->n_samples;
  }
}

// --- notes ---

// What a note holds: the fitted unit, its shift and amplitude, on how many spikes they rest, and
// how often they have been used since.
enum { NOTE_SHIFT = EMG_UNIT_PARAMETERS, NOTE_AMPLITUDE, NOTE_SPIKES, NOTE_RESTS, NOTE_SIZE };
_Static_assert(NOTE_SIZE <= (int)EMG_GUIDE_NOTES, "notes have room for a fit");

static void write_note(const emg_fit *fit, int64_t n_spikes, emg_guide_note *note) {
  note->is_set = true;
  memcpy(note->value, fit->unit.value, sizeof fit->unit.value);
  note->value[NOTE_SHIFT] = fit->shift;
  note->value[NOTE_AMPLITUDE] = fit->amplitude;
  note->value[NOTE_SPIKES] = (double)n_spikes;
  note->value[NOTE_RESTS] = 0;
}

static emg_fit read_note(const emg_guide_note *note) {
  emg_fit fit = {.shift = (int)note->value[NOTE_SHIFT], .amplitude = note->value[NOTE_AMPLITUDE]};

  memcpy(fit.unit.value, note->value, sizeof fit.unit.value);
  return fit;
}

// Whether a fit still serves: it rests on nearly as many spikes and has not been used for long.
static bool may_rest(emg_guide_note *note, int64_t n_spikes) {
  const double change_most = 0.02;
  const int rests_most = 3;
  double before = note->is_set ? note->value[NOTE_SPIKES] : 0;

  return fabs((double)n_spikes - before) <= change_most * before &&
         note->value[NOTE_RESTS]++ < rests_most;
}

// From the bank, or from where the last fit ended.
static emg_status fit_unit(const emg_model_guide *g, const float *estimate, double n_spikes,
                           bool has_start, emg_fit_room *room, emg_fit *fit, emg_error *err) {
  const int again = 3;
  const struct emg_config_invert *v = &g->config.invert;

  return has_start ? emg_fit_refine(&g->problem, estimate, n_spikes, again, room, fit, err)
                   : emg_fit_search(&g->problem, &g->bank, estimate, n_spikes, v->fit_starts,
                                    v->fit_iterations, room, fit, err);
}

// --- proposals ---

// Mean of the signal about the spikes, [n_window][channel]; returns how many lie inside.
int64_t emg_model_guide_average(const emg_guided_signal *shown, const int64_t *spikes, int64_t n,
                                float *out) {
  const ptrdiff_t size = (ptrdiff_t)shown->n_window * shown->n_channels;
  int64_t n_inside = 0;

  memset(out, 0, (size_t)size * sizeof *out);
  for (int64_t i = 0; i < n; i++) {
    int64_t first = spikes[i] - shown->origin;
    if (first < 0 || first + shown->n_window > shown->n_samples) {
      continue;
    }
    const float *from = shown->rows + first * shown->n_channels;
    for (ptrdiff_t k = 0; k < size; k++) {
      out[k] += from[k];
    }
    n_inside++;
  }
  for (ptrdiff_t k = 0; k < size && n_inside > 0; k++) {
    out[k] /= (float)n_inside;
  }
  return n_inside;
}

typedef struct {
  emg_guided_train train;  // spikes as in action potentials
  double cosine;
  emg_fit fit;
} proposal;

// Room of one thread for templates.
typedef struct {
  float *estimate, *model, *filter;
} workspace;

static void workspace_free(workspace *w) {
  free(w->estimate);
  free(w->model);
  free(w->filter);
}

static emg_status workspace_create(const emg_guided_signal *shown, workspace *w, emg_error *err) {
  size_t size = (size_t)shown->n_window * (size_t)shown->n_channels;

  *w = (workspace){0};
  EMG_TRY(emg_alloc_aligned(size, sizeof(float), &w->estimate, err));
  EMG_TRY(emg_alloc_aligned(size, sizeof(float), &w->model, err));
  return emg_alloc_aligned((size_t)shown->n_taps * (size_t)shown->n_channels, sizeof(float),
                           &w->filter, err);
}

// Something done to one of many items, each by one thread.
typedef emg_status (*item_fn)(const emg_model_guide *g, const emg_guided_signal *shown, void *item,
                              emg_fit_room *room, workspace *w, emg_error *err);

static emg_status for_each(const emg_model_guide *g, const emg_guided_signal *shown,
                           const char *stage, item_fn treat, int n, void *items, size_t size,
                           emg_error *err) {
  int n_done = 0;
  emg_status status = EMG_OK;

#pragma omp parallel
  {
    workspace w;
    emg_error own = {0};
    emg_status mine = workspace_create(shown, &w, &own);
#pragma omp for schedule(dynamic)
    for (int i = 0; i < n; i++) {
      if (mine == EMG_OK) {
        void *item = (char *)items + (size_t)i * size;
        mine = treat(g, shown, item, g->rooms[omp_get_thread_num()], &w, &own);
      }
      if (mine == EMG_OK) {
#pragma omp critical(emg_model_guide_progress)
        mine = emg_progress(g->monitor, stage, ++n_done, n, &own);
      }
    }
    workspace_free(&w);
#pragma omp critical(emg_model_guide)
    if (mine != EMG_OK && status == EMG_OK) {
      status = mine;
      if (err) {
        *err = own;
      }
    }
  }
  return status;
}

static void shift_train(emg_guided_train *train, int64_t shift) {
  for (int64_t i = 0; i < train->n_spikes; i++) {
    train->spikes[i] += shift;
  }
}

// Average, fit, template, spikes: up to three times, as long as the silhouette rises.
static emg_status refine(const emg_model_guide *g, const emg_guided_signal *shown, void *item,
                         emg_fit_room *room, workspace *w, emg_error *err) {
  proposal *p = item;
  const int passes = 3, spikes_least = 8;
  const double cosine_least = 0.3;
  emg_guided_train now = p->train;
  bool rises = true;
  emg_status status = EMG_OK;

  p->train = (emg_guided_train){0};
  for (int pass = 0; pass < passes && rises; pass++) {
    emg_template template;
    int64_t n = emg_model_guide_average(shown, now.spikes, now.n_spikes, w->estimate);
    if (n < spikes_least) {
      break;
    }
    EMG_TRY_DONE(fit_unit(g, w->estimate, (double)n, true, room, &p->fit, err));
    if (p->fit.cosine < cosine_least) {
      break;
    }
    EMG_TRY_DONE(emg_fit_potential(&g->problem, &p->fit, room, w->model, err));
    EMG_TRY_DONE(emg_template_create(&g->metric, shown->n_window, shown->origin, w->estimate,
                                     w->model, (double)n, w->filter, &template, err));
    free(now.spikes);
    now = (emg_guided_train){0};
    EMG_TRY_DONE(emg_guided_detect(shown, &g->config, shown->n_taps, 1, w->filter, &now, err));
    shift_train(&now, -template.delay);
    rises = now.n_spikes >= spikes_least && now.sil > p->train.sil;
    if (rises) {
      free(p->train.spikes);
      p->train = now;
      p->cosine = template.cosine;
      EMG_TRY_DONE(emg_alloc((size_t)now.n_spikes, sizeof *now.spikes, &now.spikes, err));
      memcpy(now.spikes, p->train.spikes, (size_t)now.n_spikes * sizeof *now.spikes);
    }
  }

done:
  free(now.spikes);
  return status;
}

// Trains of the filters of probes, as far as they look like units; the best first.
static emg_status list_candidates(const emg_model_guide *g, const emg_guided_signal *shown,
                                  const emg_probes *probes, proposal *list, int *n,
                                  emg_error *err) {
  const double sil_least = 0.8, cov_most = 0.8;
  const int spikes_least = 10;
  emg_guided_train *trains;
  emg_status status;

  *n = 0;
  EMG_TRY(emg_alloc((size_t)probes->n, sizeof *trains, &trains, err));
  EMG_TRY_DONE(
      emg_guided_detect(shown, &g->config, shown->n_taps, probes->n, probes->filters, trains, err));
  for (int i = 0; i < probes->n; i++) {
    emg_guided_train *t = &trains[i];
    if (t->n_spikes < spikes_least || t->sil < sil_least || t->isi_cov > cov_most) {
      continue;
    }
    proposal p = {.train = *t, .fit = {.unit = g->bank.units[probes->items[i].unit]}};
    shift_train(&p.train, shown->origin - g->bank.origin - probes->items[i].delay);
    *t = (emg_guided_train){0};
    int place = (*n)++;
    while (place > 0 && list[place - 1].train.sil < p.train.sil) {
      list[place] = list[place - 1];
      place--;
    }
    list[place] = p;
  }

done:
  for (int i = 0; i < probes->n; i++) {
    free(trains[i].spikes);
  }
  free(trains);
  return status;
}

// Whether most spikes of a train are spikes of a better one.
static bool repeats(const proposal *list, int i) {
  const int64_t near = 1;
  const emg_guided_train *a = &list[i].train;

  for (int k = 0; k < i; k++) {
    const emg_guided_train *b = &list[k].train;
    int64_t common = 0;
    for (int64_t p = 0, q = 0; p < a->n_spikes && q < b->n_spikes;) {
      int64_t distance = a->spikes[p] - b->spikes[q];
      common += llabs(distance) <= near;
      p += distance <= near;
      q += distance >= -near;
    }
    if (2 * common > a->n_spikes || 2 * common > b->n_spikes) {
      return true;
    }
  }
  return false;
}

// Averages still hold the signal of units that are not known yet, so that they agree with the model
// less than they will: what is no unit is judged in the end.
static bool is_acceptable(const proposal *p) {
  const double sil_least = 0.9, cov_most = 0.5, cosine_least = 0.6;
  const int spikes_least = 10;

  return p->train.n_spikes >= spikes_least && p->train.sil >= sil_least &&
         p->train.isi_cov <= cov_most && p->cosine >= cosine_least;
}

static emg_status hand_over(const emg_guided_signal *shown, int n, const proposal *list,
                            emg_spikes *out, emg_error *err) {
  int64_t *counts;
  int n_good = 0;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *counts, &counts, err));
  for (int i = 0; i < n; i++) {
    if (is_acceptable(&list[i])) {
      counts[n_good++] = list[i].train.n_spikes;
    }
  }
  emg_status status = emg_spikes_create(n_good, counts, shown->rate_hz, shown->n_samples, out, err);
  int unit = 0;
  for (int i = 0; i < n && status == EMG_OK; i++) {
    if (is_acceptable(&list[i])) {
      memcpy(out->samples + out->offsets[unit], list[i].train.spikes,
             (size_t)list[i].train.n_spikes * sizeof(int64_t));
      unit++;
    }
  }
  free(counts);
  return status;
}

// Whether nothing was subtracted since the last proposals: they would be the same.
static bool is_unchanged(emg_model_guide *g, const emg_guided_signal *shown) {
  double energy = 0, before = g->searched_energy;

  for (int64_t i = 0; i < shown->n_samples * shown->n_channels; i++) {
    energy += (double)shown->rows[i] * shown->rows[i];
  }
  g->searched_energy = energy;
  return energy == before;
}

static emg_status propose(void *self, const emg_guided_signal *shown, int round, emg_spikes *out,
                          emg_error *err) {
  emg_model_guide *g = self;
  emg_probes probes = {0};
  proposal *list = NULL;
  int n = 0, n_kept = 0;
  emg_status status;

  if (!g->has_started) {
    EMG_TRY(start(g, shown, err));
  }
  if (g->progress) {
    g->progress->round = round;
  }
  if (is_unchanged(g, shown)) {
    return hand_over(shown, 0, NULL, out, err);
  }
  EMG_TRY(measure(g, shown, true, err));
  emg_probe_search search = {.rows = shown->rows,
                             .begin = 0,
                             .end = shown->n_samples,
                             .ridge = g->config.invert.ridge,
                             .n_most = g->config.invert.probes_kept,
                             .cosine_max = g->config.invert.probe_cosine};
  EMG_TRY_DONE(emg_probes_create(&g->bank, &g->metric, &search, g->monitor, &probes, err));
  EMG_TRY_DONE(emg_alloc((size_t)probes.n + 1, sizeof *list, &list, err));
  EMG_TRY_DONE(list_candidates(g, shown, &probes, list, &n, err));
  for (int i = 0; i < n; i++) {
    if (n_kept < g->config.invert.candidates && !repeats(list, i)) {
      proposal p = list[i];
      list[i] = list[n_kept];
      list[n_kept++] = p;
    }
  }
  EMG_TRY_DONE(for_each(g, shown, "candidates", refine, n_kept, list, sizeof *list, err));
  EMG_TRY_DONE(hand_over(shown, n_kept, list, out, err));
  emg_log(g->monitor, EMG_LOG_INFO, "invert", "round = %d, probes = %d, candidates = %d, new = %d",
          round + 1, probes.n, n_kept, out->n_units);

done:
  for (int i = 0; list && i < n; i++) {
    free(list[i].train.spikes);
  }
  free(list);
  emg_probes_free(&probes);
  return status;
}

// --- shapes ---

// EMG_ERR_DATA without a message: there is nothing to fit.
static emg_status fit_shape(const emg_model_guide *g, const emg_guided_unit *unit,
                            emg_fit_room *room, emg_fit *fit, emg_error *err) {
  *fit = unit->note->is_set ? read_note(unit->note) : (emg_fit){0};
  if (may_rest(unit->note, unit->n_spikes)) {
    return EMG_OK;
  }
  emg_status status =
      fit_unit(g, unit->muap, (double)unit->n_spikes, unit->note->is_set, room, fit, NULL);
  if (status == EMG_OK) {
    write_note(fit, unit->n_spikes, unit->note);
  } else if (status != EMG_ERR_DATA) {
    return emg_fail(err, status, "a fit of an action potential failed");
  }
  return status;
}

static emg_status shape_one(const emg_model_guide *g, const emg_guided_signal *shown, void *item,
                            emg_fit_room *room, workspace *w, emg_error *err) {
  emg_guided_unit *unit = item;
  emg_fit fit;

  if (unit->n_spikes == 0) {
    return EMG_OK;
  }
  emg_status status = fit_shape(g, unit, room, &fit, err);
  if (status != EMG_OK) {
    return status == EMG_ERR_DATA ? EMG_OK : status;
  }
  EMG_TRY(emg_fit_potential(&g->problem, &fit, room, w->model, err));
  emg_shrink(shown->n_window, shown->n_channels, g->variance, (double)unit->n_spikes, unit->muap,
             w->model, unit->muap);
  return EMG_OK;
}

static emg_status shape(void *self, const emg_guided_signal *shown, int n, emg_guided_unit *units,
                        emg_error *err) {
  emg_model_guide *g = self;

  if (g->progress) {
    g->progress->n_units = n;
  }
  if (!g->has_started) {
    return EMG_OK;
  }
  measure_variance(g, shown);
  return for_each(g, shown, "fits", shape_one, n, units, sizeof *units, err);
}

// --- verdicts ---

typedef struct {
  const emg_guided_unit *unit;
  emg_fitted fitted;
} verdict;

static emg_status judge_one(const emg_model_guide *g, const emg_guided_signal *shown, void *item,
                            emg_fit_room *room, workspace *w, emg_error *err) {
  verdict *v = item;
  const emg_guided_unit *unit = v->unit;
  emg_fitted *out = &v->fitted;
  emg_template template;

  *out = (emg_fitted){.fit = read_note(unit->note), .n_spikes = (double)unit->n_spikes};
  EMG_TRY(fit_unit(g, unit->muap, out->n_spikes, unit->note->is_set, room, &out->fit, err));
  EMG_TRY(emg_fit_potential(&g->problem, &out->fit, room, w->model, err));
  EMG_TRY(emg_template_create(&g->metric, shown->n_window, shown->origin, unit->muap, w->model,
                              out->n_spikes, w->filter, &template, err));
  out->cosine = template.cosine;
  out->height = template.height;
  return EMG_OK;
}

emg_status emg_model_guide_fit(emg_model_guide *g, const emg_guided_signal *shown, int n,
                               const emg_guided_unit *units, emg_fitted *out, emg_error *err) {
  verdict *verdicts;
  emg_status status;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *verdicts, &verdicts, err));
  for (int i = 0; i < n; i++) {
    verdicts[i].unit = &units[i];
  }
  EMG_TRY_DONE(measure(g, shown, false, err));
  EMG_TRY_DONE(for_each(g, shown, "fits", judge_one, n, verdicts, sizeof *verdicts, err));
  for (int i = 0; i < n; i++) {
    out[i] = verdicts[i].fitted;
  }
done:
  free(verdicts);
  return status;
}

// How far the parameters of the units that are kept move with what all units share.
static emg_status spread(emg_model_guide *g, const emg_guided_signal *shown, int n,
                         const emg_guided_unit *units, const bool *is_kept, emg_error *err) {
  const emg_view_source view = emg_model_guide_view(g, shown);
  const float **estimates;
  int n_kept = 0;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *estimates, &estimates, err));
  for (int i = 0; i < n; i++) {
    if (is_kept[i]) {
      estimates[n_kept++] = units[i].muap;
    }
  }
  emg_status status = emg_shared_spread(&g->config, &view, &g->metric, &g->subject, g->shared,
                                        n_kept, estimates, g->results, err);
  free(estimates);
  return status;
}

static emg_status judge(void *self, const emg_guided_signal *shown, int n, emg_guided_unit *units,
                        bool *is_kept, emg_error *err) {
  emg_model_guide *g = self;

  EMG_TRY(emg_alloc((size_t)n + 1, sizeof *g->results, &g->results, err));
  EMG_TRY(emg_model_guide_fit(g, shown, n, units, g->results, err));
  for (int i = 0; i < n; i++) {
    is_kept[i] = g->results[i].cosine >= g->config.invert.phantom_cosine;
    if (is_kept[i]) {
      g->results[g->n_results++] = g->results[i];
    } else {
      emg_log(g->monitor, EMG_LOG_INFO, "invert",
              "left out = %lld spikes, whitened cosine %.2f with the fit (least %.2f)",
              (long long)units[i].n_spikes, g->results[i].cosine, g->config.invert.phantom_cosine);
      g->n_left_out++;
      g->left_out_cosine = fmax(g->left_out_cosine, g->results[i].cosine);
    }
  }
  return spread(g, shown, n, units, is_kept, err);
}

emg_guide emg_model_guide_as_guide(emg_model_guide *guide) {
  return (emg_guide){.self = guide, .propose = propose, .shape = shape, .judge = judge};
}
