// edit.c -- a decomposition corrected by hand: one operation, recorded, undone and done again
#include "edit_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <emgtwin/array.h>

// --- the editor ---

static emg_status check_recording(const emg_decomposition *d, const emg_recording *rec,
                                  emg_error *err) {
  int64_t n_samples = d->spikes.n_samples > 0 ? d->spikes.n_samples : rec->data.n_cols;

  if (rec->rate_hz != d->spikes.rate_hz || rec->data.n_cols != n_samples) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording has %lld samples at %.10g Hz, and what was decomposed had %lld "
                    "at %.10g Hz; give the recording it was made from",
                    (long long)rec->data.n_cols, rec->rate_hz, (long long)n_samples,
                    d->spikes.rate_hz);
  }
  if (d->muaps.n_units > 0 && d->muaps.n_channels != rec->data.n_rows) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the recording has %d channels, and the action potentials of the decomposition "
                    "have %d; give the recording it was made from",
                    rec->data.n_rows, d->muaps.n_channels);
  }
  if (d->source.n_rows > 0 && d->source.n_cols != n_samples) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the sources of the decomposition have %lld samples, the recording %lld",
                    (long long)d->source.n_cols, (long long)n_samples);
  }
  return EMG_OK;
}

// Figures that the decomposition came without are unknown.
static emg_status ensure_figures(emg_decomposition *d, emg_error *err) {
  double **const figures[] = {&d->sil, &d->pnr_db, &d->isi_cov, &d->rate_hz};

  for (int k = 0; k < 4; k++) {
    if (*figures[k]) {
      continue;
    }
    EMG_TRY(emg_alloc((size_t)d->spikes.n_units, sizeof(double), figures[k], err));
    for (int u = 0; u < d->spikes.n_units; u++) {
      (*figures[k])[u] = NAN;
    }
  }
  return EMG_OK;
}

emg_status emg_editor_create(emg_decomposition *d, const emg_recording *rec,
                             const emg_config *config, const emg_monitor *monitor, emg_editor **out,
                             emg_error *err) {
  *out = NULL;
  EMG_TRY(emg_spikes_check(&d->spikes, err));
  if (!(d->spikes.rate_hz > 0)) {
    return emg_fail(err, EMG_ERR_DATA, "the decomposition states no sampling rate");
  }
  if (rec) {
    EMG_TRY(check_recording(d, rec, err));
    d->spikes.n_samples = rec->data.n_cols;
    EMG_TRY(emg_spikes_check(&d->spikes, err));
  }
  EMG_TRY(ensure_figures(d, err));
  EMG_TRY(emg_alloc(1, sizeof **out, out, err));
  **out = (emg_editor){.d = d, .rec = rec, .config = config, .monitor = monitor};
  if (!rec) {
    return EMG_OK;
  }
  emg_status status = emg_spike_picker_create(
      rec->data.n_cols, emg_refractory_samples(&config->decompose, rec->rate_hz), &(*out)->picker,
      err);
  if (status != EMG_OK) {
    emg_editor_free(*out);
    *out = NULL;
  }
  return status;
}

void emg_editor_free(emg_editor *editor) {
  if (editor) {
    emg_edit_workspace_free(&editor->w);
    emg_spike_picker_free(&editor->picker);
    emg_filters_learner_free(editor->learner);
  }
  free(editor);
}

// --- units that take the place of others ---

// Flags and locks, which every edited decomposition has.
static emg_status ensure_marks(emg_decomposition *d, emg_error *err) {
  size_t n = (size_t)d->spikes.n_units;

  if (!d->flags) {
    EMG_TRY(emg_alloc(n, sizeof *d->flags, &d->flags, err));
  }
  return d->locked ? EMG_OK : emg_alloc(n, sizeof *d->locked, &d->locked, err);
}

// With nothing done, the decomposition has what it came with.
static void drop_marks(emg_decomposition *d) {
  if (d->edits.n_done > 0) {
    return;
  }
  if (!d->edits.had_flags) {
    free(d->flags);
    d->flags = NULL;
  }
  if (!d->edits.had_locked) {
    free(d->locked);
    d->locked = NULL;
  }
}

static bool is_one_of(int n, const int *numbers, int number) {
  for (int i = 0; i < n; i++) {
    if (numbers[i] == number) {
      return true;
    }
  }
  return false;
}

// `d` without the units `out` and with those of `from` as the units `in`, both ascending; the
// others keep their order. The log stays with `d`.
static emg_status replace_units(const emg_decomposition *d, int n_out, const int *out, int n_in,
                                const int *in, const emg_decomposition *from,
                                emg_decomposition *result, emg_error *err) {
  int n = d->spikes.n_units - n_out + n_in, *row = NULL, next = 0;
  const emg_decomposition **source = NULL, *like = d->spikes.n_units > 0 ? d : from;
  emg_status status;

  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *source, &source, err));
  EMG_TRY_DONE(emg_alloc((size_t)n, sizeof *row, &row, err));
  for (int u = 0, k = 0; u < n; u++) {
    if (k < n_in && in[k] == u) {
      source[u] = from;
      row[u] = k++;
      continue;
    }
    while (is_one_of(n_out, out, next)) {
      next++;
    }
    source[u] = d;
    row[u] = next++;
  }
  status = emg_decomposition_gather(n, source, row, like, result, err);

done:
  free(source);
  free(row);
  return status;
}

static emg_status take_units(const emg_decomposition *d, int n, const int *numbers,
                             emg_decomposition *out, emg_error *err) {
  const emg_decomposition *from[EMG_EDIT_UNITS_MAX] = {d, d};
  return emg_decomposition_gather(n, from, numbers, d, out, err);
}

// The new state takes the place of the old one; the log stays.
static void adopt(emg_decomposition *d, emg_decomposition *next) {
  next->edits = d->edits;
  d->edits = (emg_edit_log){0};
  emg_decomposition_free(d);
  *d = *next;
  *next = (emg_decomposition){0};
}

static emg_edit_unit describe(const emg_decomposition *d, int row, int number) {
  return (emg_edit_unit){.unit = number,
                         .n_spikes = emg_spikes_count(&d->spikes, row),
                         .sil = d->sil[row],
                         .pnr_db = d->pnr_db[row],
                         .isi_cov = d->isi_cov[row],
                         .rate_hz = d->rate_hz[row],
                         .is_locked = d->locked && d->locked[row]};
}

// --- doing ---

// What an operation makes of which units.
typedef struct {
  int n_before, before[EMG_EDIT_UNITS_MAX], n_after, after[EMG_EDIT_UNITS_MAX];
  emg_edit_train made[EMG_EDIT_UNITS_MAX];
  bool is_measured;  // figures anew; not so where only a lock changes
  bool is_locked;
} plan;

static void plan_free(plan *p) {
  for (int i = 0; i < EMG_EDIT_UNITS_MAX; i++) {
    free(p->made[i].spikes);
  }
}

static emg_status check_unit(const emg_decomposition *d, int unit, bool may_be_locked,
                             emg_error *err) {
  int n = d->spikes.n_units;

  if (n == 0) {
    return emg_fail(err, EMG_ERR_ARG, "there is no unit %d: the decomposition has no units", unit);
  }
  if (unit < 0 || unit >= n) {
    return emg_fail(err, EMG_ERR_ARG, "there is no unit %d; the units are 0 to %d", unit, n - 1);
  }
  if (!may_be_locked && d->locked && d->locked[unit]) {
    return emg_fail(err, EMG_ERR_ARG, "unit %d is locked; unlock it first ('unlock %d')", unit,
                    unit);
  }
  return EMG_OK;
}

static emg_status plan_merge(emg_editor *editor, const emg_edit_operation *op, plan *p,
                             emg_error *err) {
  bool is_ascending = op->unit < op->other;

  if (op->unit == op->other) {
    return emg_fail(err, EMG_ERR_ARG, "unit %d cannot be merged with itself; name two units",
                    op->unit);
  }
  EMG_TRY(check_unit(editor->d, op->other, false, err));
  p->n_before = 2;
  p->before[0] = p->after[0] = is_ascending ? op->unit : op->other;
  p->before[1] = is_ascending ? op->other : op->unit;
  return emg_edit_merge(editor, op, &p->made[0], err);
}

static emg_status plan_lock(emg_editor *editor, const emg_edit_operation *op, plan *p,
                            emg_error *err) {
  bool was_locked = editor->d->locked && editor->d->locked[op->unit];

  p->is_locked = op->kind == EMG_EDIT_LOCK;
  p->is_measured = false;
  p->n_before = p->n_after = p->is_locked != was_locked;
  return emg_edit_train_copy(&editor->d->spikes, op->unit, 0, &p->made[0], err);
}

static emg_status make_plan(emg_editor *editor, const emg_edit_operation *op, plan *p,
                            emg_error *err) {
  bool is_lock = op->kind == EMG_EDIT_LOCK || op->kind == EMG_EDIT_UNLOCK;

  EMG_TRY(check_unit(editor->d, op->unit, is_lock, err));
  *p = (plan){.n_before = 1,
              .before = {op->unit},
              .n_after = 1,
              .after = {op->unit, editor->d->spikes.n_units},
              .is_measured = true};
  switch (op->kind) {
    case EMG_EDIT_ADD:
      return emg_edit_add(editor, op, &p->made[0], err);
    case EMG_EDIT_DELETE:
      return emg_edit_delete(editor, op, &p->made[0], err);
    case EMG_EDIT_REESTIMATE:
      return emg_edit_redetect(editor, op, &p->made[0], err);
    case EMG_EDIT_MERGE:
      return plan_merge(editor, op, p, err);
    case EMG_EDIT_SPLIT:
      p->n_after = 2;
      return emg_edit_split(editor, op, p->made, err);
    case EMG_EDIT_DELETE_UNIT:
      p->n_after = 0;
      return EMG_OK;
    case EMG_EDIT_LOCK:
    case EMG_EDIT_UNLOCK:
      return plan_lock(editor, op, p, err);
    case EMG_EDIT_REMOVE_OUTLIERS: {
      EMG_TRY(emg_edit_remove_outliers(editor, op, &p->made[0], err));
      bool is_changed = p->made[0].n != emg_spikes_count(&editor->d->spikes, op->unit);
      p->n_before = p->n_after = is_changed;
      return EMG_OK;
    }
    default:
      return emg_fail(err, EMG_ERR_ARG, "%d is not an operation of editing", (int)op->kind);
  }
}

static emg_status check_plan(const emg_edit_operation *op, const plan *p, emg_error *err) {
  const int64_t least = 2;

  for (int i = 0; i < p->n_after; i++) {
    if (p->made[i].n < least) {
      return emg_fail(err, EMG_ERR_ARG,
                      "unit %d would be left with %lld spikes, and a unit needs %lld; "
                      "'delete-unit %d' removes it",
                      op->unit, (long long)p->made[i].n, (long long)least, op->unit);
    }
  }
  return EMG_OK;
}

// The units that are made, with everything but their trains as it was in the first they replace.
static emg_status make_units(const emg_decomposition *d, const plan *p, emg_decomposition *out,
                             emg_error *err) {
  const int row[EMG_EDIT_UNITS_MAX] = {p->before[0], p->before[0]};
  int64_t counts[EMG_EDIT_UNITS_MAX] = {p->made[0].n, p->made[1].n};
  emg_spikes trains;

  EMG_TRY(take_units(d, p->n_after, row, out, err));
  EMG_TRY(
      emg_spikes_create(p->n_after, counts, d->spikes.rate_hz, d->spikes.n_samples, &trains, err));
  emg_spikes_free(&out->spikes);
  out->spikes = trains;
  for (int i = 0; i < p->n_after; i++) {
    memcpy(trains.samples + trains.offsets[i], p->made[i].spikes,
           (size_t)counts[i] * sizeof *trains.samples);
    out->locked[i] = p->is_locked;
  }
  return EMG_OK;
}

// The decomposition as it will be.
static emg_status make_next(emg_editor *editor, const plan *p, emg_decomposition *next,
                            emg_error *err) {
  const emg_decomposition *d = editor->d;
  emg_decomposition made = {0};
  emg_status status;

  EMG_TRY_DONE(make_units(d, p, &made, err));
  EMG_TRY_DONE(replace_units(d, p->n_before, p->before, p->n_after, p->after, &made, next, err));
  if (p->is_measured && p->n_after > 0) {
    for (int i = 0; i < p->n_after; i++) {
      EMG_TRY_DONE(emg_edit_measure(editor, next, p->after[i], err));
    }
    EMG_TRY_DONE(emg_edit_learn(editor, next, p->n_after, p->after, err));
  }

done:
  emg_decomposition_free(&made);
  return status;
}

// Append a step to the log; what was undone cannot be done again from here on. Takes over `kept`
// and `line`.
static emg_status append_step(emg_edit_log *log, const plan *p, emg_decomposition *kept, char *line,
                              emg_error *err) {
  emg_edit_step *steps = realloc(log->steps, ((size_t)log->n_steps + 1) * sizeof *steps);

  if (!steps) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d edits", log->n_steps + 1);
  }
  log->steps = steps;
  emg_edit_log_cut(log, log->n_done);
  emg_edit_step step = {.text = line, .n_before = p->n_before, .n_after = p->n_after, .kept = kept};
  memcpy(step.before, p->before, sizeof step.before);
  memcpy(step.after, p->after, sizeof step.after);
  log->steps[log->n_steps++] = step;
  log->n_done++;
  return EMG_OK;
}

static emg_status commit(emg_editor *editor, const emg_edit_operation *op, const plan *p,
                         emg_decomposition *next, emg_edit_change *change, emg_error *err) {
  emg_decomposition *d = editor->d, *kept = NULL;
  char *line = NULL;
  emg_status status;

  *change = (emg_edit_change){.n_before = p->n_before, .n_after = p->n_after};
  for (int i = 0; i < p->n_before; i++) {
    change->before[i] = describe(d, p->before[i], p->before[i]);
  }
  for (int i = 0; i < p->n_after; i++) {
    change->after[i] = describe(next, p->after[i], p->after[i]);
  }
  EMG_TRY_DONE(emg_alloc(1, sizeof *kept, &kept, err));
  EMG_TRY_DONE(take_units(d, p->n_before, p->before, kept, err));
  EMG_TRY_DONE(emg_edit_compose(&d->spikes, op, change, &line, err));
  EMG_TRY_DONE(append_step(&d->edits, p, kept, line, err));
  adopt(d, next);
  return EMG_OK;

done:
  if (kept) {
    emg_decomposition_free(kept);
  }
  free(kept);
  free(line);
  return status;
}

static emg_status do_operation(emg_editor *editor, const emg_edit_operation *op,
                               emg_edit_change *change, emg_error *err) {
  emg_decomposition next = {0};
  plan p = {0};
  emg_status status;

  EMG_TRY_DONE(make_plan(editor, op, &p, err));
  if (p.n_before == 0) {
    goto done;
  }
  EMG_TRY_DONE(check_plan(op, &p, err));
  EMG_TRY_DONE(make_next(editor, &p, &next, err));
  EMG_TRY_DONE(commit(editor, op, &p, &next, change, err));

done:
  plan_free(&p);
  emg_decomposition_free(&next);
  return status;
}

// --- undoing ---

// One step back, or forth again: its two sides change places.
static emg_status swap_step(emg_decomposition *d, bool is_redo, emg_edit_change *change,
                            emg_error *err) {
  emg_edit_log *log = &d->edits;
  emg_edit_step *step = &log->steps[is_redo ? log->n_done : log->n_done - 1];
  int n_out = is_redo ? step->n_before : step->n_after;
  int n_in = is_redo ? step->n_after : step->n_before;
  const int *out = is_redo ? step->before : step->after;
  const int *in = is_redo ? step->after : step->before;
  emg_decomposition next = {0}, taken = {0};
  emg_status status;

  EMG_TRY_DONE(take_units(d, n_out, out, &taken, err));
  EMG_TRY_DONE(replace_units(d, n_out, out, n_in, in, step->kept, &next, err));
  *change = (emg_edit_change){.n_before = n_out, .n_after = n_in};
  for (int i = 0; i < n_out; i++) {
    change->before[i] = describe(&taken, i, out[i]);
  }
  for (int i = 0; i < n_in; i++) {
    change->after[i] = describe(&next, in[i], in[i]);
  }
  emg_decomposition_free(step->kept);
  *step->kept = taken;
  taken = (emg_decomposition){0};
  log->n_done += is_redo ? 1 : -1;
  adopt(d, &next);

done:
  emg_decomposition_free(&taken);
  emg_decomposition_free(&next);
  return status;
}

static emg_status undo_or_redo(emg_decomposition *d, bool is_redo, emg_edit_change *change,
                               emg_error *err) {
  const emg_edit_log *log = &d->edits;

  if (!is_redo && log->n_done == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    log->n_steps > 0 ? "there is nothing to undo: all edits are undone"
                                     : "there is nothing to undo: nothing was edited");
  }
  if (is_redo && log->n_done == log->n_steps) {
    return emg_fail(err, EMG_ERR_ARG, "there is nothing to redo: no edit is undone");
  }
  return swap_step(d, is_redo, change, err);
}

emg_status emg_edit(emg_editor *editor, const emg_edit_operation *op, emg_edit_change *change,
                    emg_error *err) {
  emg_decomposition *d = editor->d;
  bool is_redo = op->kind == EMG_EDIT_REDO;

  *change = (emg_edit_change){0};
  if (d->edits.n_steps == 0) {
    d->edits.had_flags = d->flags != NULL;
    d->edits.had_locked = d->locked != NULL;
  }
  EMG_TRY(ensure_marks(d, err));
  emg_status status = is_redo || op->kind == EMG_EDIT_UNDO ? undo_or_redo(d, is_redo, change, err)
                                                           : do_operation(editor, op, change, err);
  drop_marks(d);
  return status;
}
