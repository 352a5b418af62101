// edit_text.c -- operations of editing from words
#include <emgtwin/edit.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>

#include "edit_priv.h"

// What follows the name of an operation.
typedef enum {
  TAKES_SPIKES,  // UNIT and TIME... [within TIME] or FROM..TO [LOW..HIGH]
  TAKES_PAIR,    // UNIT UNIT
  TAKES_PLACE,   // UNIT [at TIME]
  TAKES_UNITS,
  TAKES_WINDOW,  // UNITS [FROM..TO | keep]
  TAKES_COUNT,   // [N]
} arguments;

static const struct {
  const char *name;
  arguments takes;
  bool needs_recording;
} table[] = {
    [EMG_EDIT_ADD] = {"add", TAKES_SPIKES, true},
    [EMG_EDIT_DELETE] = {"delete", TAKES_SPIKES, true},
    [EMG_EDIT_MERGE] = {"merge", TAKES_PAIR, true},
    [EMG_EDIT_SPLIT] = {"split", TAKES_PLACE, true},
    [EMG_EDIT_DELETE_UNIT] = {"delete-unit", TAKES_UNITS, false},
    [EMG_EDIT_REMOVE_OUTLIERS] = {"remove-outliers", TAKES_UNITS, true},
    [EMG_EDIT_REESTIMATE] = {"re-estimate", TAKES_WINDOW, true},
    [EMG_EDIT_LOCK] = {"lock", TAKES_UNITS, false},
    [EMG_EDIT_UNLOCK] = {"unlock", TAKES_UNITS, false},
    [EMG_EDIT_UNDO] = {"undo", TAKES_COUNT, false},
    [EMG_EDIT_REDO] = {"redo", TAKES_COUNT, false},
};
enum { N_KINDS = sizeof table / sizeof table[0] };

const char *emg_edit_name(emg_edit_kind kind) {
  return table[kind].name;
}

static int find_kind(const char *word) {
  for (int k = 0; k < N_KINDS; k++) {
    if (strcmp(table[k].name, word) == 0) {
      return k;
    }
  }
  return -1;
}

bool emg_edit_is_name(const char *word) {
  return find_kind(word) >= 0;
}

bool emg_edit_needs_recording(const char *word) {
  return emg_edit_is_name(word) && table[find_kind(word)].needs_recording;
}

void emg_edit_operation_free(emg_edit_operation *operation) {
  free(operation->times);
  *operation = (emg_edit_operation){0};
}

void emg_edit_operations_free(emg_edit_operations *operations) {
  for (int i = 0; i < operations->n; i++) {
    emg_edit_operation_free(&operations->items[i]);
  }
  free(operations->items);
  *operations = (emg_edit_operations){0};
}

// --- reading words ---

typedef struct {
  const char *name;  // of the operation
  const char *const *words;
  int n, at;
  const emg_decomposition *d;
} reader;

// The next word if it belongs to this operation; NULL if there is none.
static const char *peek(const reader *r) {
  return r->at < r->n && !emg_edit_is_name(r->words[r->at]) ? r->words[r->at] : NULL;
}

static bool take_word(reader *r, const char *word) {
  bool is_next = peek(r) && strcmp(peek(r), word) == 0;

  r->at += is_next;
  return is_next;
}

static bool is_range(const char *word) {
  return strstr(word, "..") != NULL;
}

static emg_status parse_whole(const char *text, size_t length, int most, int *value) {
  int64_t number = 0;

  for (size_t i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9' || number > most) {
      return EMG_ERR_ARG;
    }
    number = 10 * number + (text[i] - '0');
  }
  *value = (int)number;
  return length > 0 && number <= most ? EMG_OK : EMG_ERR_ARG;
}

static emg_status parse_unit(const reader *r, const char *text, size_t length, int *unit,
                             emg_error *err) {
  if (parse_whole(text, length, INT_MAX - 1, unit) != EMG_OK) {
    return emg_fail(err, EMG_ERR_ARG, "'%s' needs the number of a unit, not %s", r->name,
                    emg_quote(text).text);
  }
  return EMG_OK;
}

static emg_status next_unit(reader *r, int *unit, emg_error *err) {
  const char *word = peek(r);

  if (!word) {
    return emg_fail(err, EMG_ERR_ARG, "'%s' needs the number of a unit; give it after the name",
                    r->name);
  }
  r->at++;
  return parse_unit(r, word, strlen(word), unit, err);
}

// Seconds, a quantity of time, or @ and a sample.
static emg_status parse_time(const reader *r, const char *text, int64_t *sample, emg_error *err) {
  const double samples_most = 9e15;
  emg_error reason = {0};
  double value;

  if (text[0] == '@') {
    const char *end;
    if (!emg_number_scan(text + 1, &end, &value) || *end || value != floor(value)) {
      return emg_fail(err, EMG_ERR_ARG, "'%s': %s is not the number of a sample", r->name,
                      emg_quote(text).text);
    }
  } else if (emg_quantity_parse(text, "s", &value, &reason) != EMG_OK) {
    return emg_fail(err, EMG_ERR_ARG, "'%s' needs a time: %s", r->name, emg_error_message(&reason));
  } else {
    value = round(value * r->d->spikes.rate_hz);
  }
  if (!(value >= 0 && value < samples_most)) {
    return emg_fail(err, EMG_ERR_ARG, "'%s': %s is outside any recording", r->name,
                    emg_quote(text).text);
  }
  *sample = (int64_t)value;
  return EMG_OK;
}

// The two ends of FROM..TO, "" where one is left out.
typedef struct {
  char from[64], to[64];
} ends;

static emg_status split_range(const reader *r, const char *word, ends *e, emg_error *err) {
  const char *dots = strstr(word, "..");
  size_t length = dots ? (size_t)(dots - word) : 0;

  if (!dots || length >= sizeof e->from || strlen(dots + 2) >= sizeof e->to) {
    return emg_fail(err, EMG_ERR_ARG, "'%s': %s is not a range FROM..TO", r->name,
                    emg_quote(word).text);
  }
  memcpy(e->from, word, length);
  e->from[length] = '\0';
  strcpy(e->to, dots + 2);
  return EMG_OK;
}

static emg_status parse_period(const reader *r, const char *word, emg_edit_range *range,
                               emg_error *err) {
  ends e;

  EMG_TRY(split_range(r, word, &e, err));
  if (e.from[0]) {
    EMG_TRY(parse_time(r, e.from, &range->begin, err));
  }
  if (e.to[0]) {
    EMG_TRY(parse_time(r, e.to, &range->end, err));
  }
  if (range->begin >= range->end) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'%s': the range %s holds no time; give the earlier end first", r->name,
                    emg_quote(word).text);
  }
  return EMG_OK;
}

static emg_status parse_heights(const reader *r, const char *word, emg_edit_range *range,
                                emg_error *err) {
  ends e;

  EMG_TRY(split_range(r, word, &e, err));
  double *const values[] = {&range->low, &range->high};
  const char *const texts[] = {e.from, e.to};
  for (int i = 0; i < 2; i++) {
    const char *end;
    if (texts[i][0] && (!emg_number_scan(texts[i], &end, values[i]) || *end)) {
      return emg_fail(err, EMG_ERR_ARG, "'%s': %s is not a height of the source", r->name,
                      emg_quote(texts[i]).text);
    }
  }
  if (!(range->low <= range->high)) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'%s': the range %s holds no height; give the lower end first", r->name,
                    emg_quote(word).text);
  }
  return EMG_OK;
}

// TIME... [within TIME]
static emg_status parse_times(reader *r, emg_edit_operation *op, emg_error *err) {
  EMG_TRY(emg_alloc((size_t)(r->n - r->at) + 1, sizeof *op->times, &op->times, err));
  while (peek(r) && strcmp(peek(r), "within") != 0) {
    EMG_TRY(parse_time(r, r->words[r->at++], &op->times[op->n_times++], err));
  }
  if (op->n_times == 0) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'%s' needs times in seconds, or a range FROM..TO, after the unit", r->name);
  }
  if (take_word(r, "within")) {
    if (!peek(r)) {
      return emg_fail(err, EMG_ERR_ARG, "'within' needs a time: 5ms");
    }
    EMG_TRY(parse_time(r, r->words[r->at++], &op->window, err));
  }
  return EMG_OK;
}

static emg_status parse_spikes(reader *r, emg_edit_operation *op, emg_error *err) {
  EMG_TRY(next_unit(r, &op->unit, err));
  if (!peek(r) || !is_range(peek(r))) {
    return parse_times(r, op, err);
  }
  EMG_TRY(parse_period(r, r->words[r->at++], &op->range, err));
  return peek(r) ? parse_heights(r, r->words[r->at++], &op->range, err) : EMG_OK;
}

static emg_status parse_place(reader *r, emg_edit_operation *op, emg_error *err) {
  EMG_TRY(next_unit(r, &op->unit, err));
  if (!take_word(r, "at")) {
    return EMG_OK;
  }
  if (!peek(r)) {
    return emg_fail(err, EMG_ERR_ARG, "'split UNIT at' needs a time: 12.5");
  }
  EMG_TRY(emg_alloc(1, sizeof *op->times, &op->times, err));
  op->n_times = 1;
  return parse_time(r, r->words[r->at++], op->times, err);
}

// --- one operation for each unit ---

static emg_status append(emg_edit_operations *list, const emg_edit_operation *operation,
                         emg_error *err) {
  emg_edit_operation *items = realloc(list->items, (size_t)(list->n + 1) * sizeof *items);

  if (!items) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d operations", list->n + 1);
  }
  list->items = items;
  list->items[list->n++] = *operation;
  return EMG_OK;
}

static int compare_operations(const void *a, const void *b) {
  int x = ((const emg_edit_operation *)a)->unit, y = ((const emg_edit_operation *)b)->unit;
  return (x > y) - (x < y);
}

// In order of units, each once; units to delete from the last on, so that the numbers hold.
static void order_units(emg_edit_operations *list) {
  int n = 0;

  qsort(list->items, (size_t)list->n, sizeof *list->items, compare_operations);
  for (int i = 0; i < list->n; i++) {
    if (n == 0 || list->items[n - 1].unit != list->items[i].unit) {
      list->items[n++] = list->items[i];
    }
  }
  list->n = n;
  for (int i = 0; list->items[0].kind == EMG_EDIT_DELETE_UNIT && i < n / 2; i++) {
    emg_edit_operation swapped = list->items[i];
    list->items[i] = list->items[n - 1 - i];
    list->items[n - 1 - i] = swapped;
  }
}

static emg_status parse_all(const reader *r, emg_edit_operation op, emg_edit_operations *list,
                            emg_error *err) {
  if (op.kind == EMG_EDIT_DELETE_UNIT) {
    return emg_fail(err, EMG_ERR_ARG, "'delete-unit all' would leave no units; name them");
  }
  for (op.unit = 0; op.unit < r->d->spikes.n_units; op.unit++) {
    bool is_locked = r->d->locked && r->d->locked[op.unit];
    if (is_locked == (op.kind == EMG_EDIT_UNLOCK)) {
      EMG_TRY(append(list, &op, err));
    }
  }
  return EMG_OK;
}

static emg_status parse_units(reader *r, emg_edit_operation op, emg_edit_operations *list,
                              emg_error *err) {
  const char *word = peek(r);

  if (!word) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'%s' needs numbers of units with commas between, or 'all', after the name",
                    r->name);
  }
  r->at++;
  if (op.kind == EMG_EDIT_REESTIMATE && peek(r) && is_range(peek(r))) {
    EMG_TRY(parse_period(r, r->words[r->at++], &op.range, err));
  } else {
    op.keep_spikes = op.kind == EMG_EDIT_REESTIMATE && take_word(r, "keep");
  }
  if (strcmp(word, "all") == 0) {
    return parse_all(r, op, list, err);
  }
  for (;;) {
    size_t length = strcspn(word, ",");
    EMG_TRY(parse_unit(r, word, length, &op.unit, err));
    EMG_TRY(append(list, &op, err));
    if (!word[length]) {
      break;
    }
    word += length + 1;
  }
  order_units(list);
  return EMG_OK;
}

static emg_status parse_count(reader *r, emg_edit_operation op, emg_edit_operations *list,
                              emg_error *err) {
  const int most = 1 << 20;
  const emg_edit_log *log = &r->d->edits;
  int n_possible = op.kind == EMG_EDIT_UNDO ? log->n_done : log->n_steps - log->n_done;
  const char *word = peek(r);
  int n = 1;

  if (word && (parse_whole(word, strlen(word), most, &n) != EMG_OK || n == 0)) {
    return emg_fail(err, EMG_ERR_ARG, "'%s' needs a number of operations from 1 on, not %s",
                    r->name, emg_quote(word).text);
  }
  if (n > 1 && n > n_possible) {
    return emg_fail(err, EMG_ERR_ARG, "there are %d operations to %s, not %d", n_possible, r->name,
                    n);
  }
  r->at += word != NULL;
  for (int i = 0; i < n; i++) {
    EMG_TRY(append(list, &op, err));
  }
  return EMG_OK;
}

// The name that a word is near to, NULL if there is none.
static const char *nearest_name(const char *word) {
  const char *nearest = NULL;
  int least = EMG_NAME_MAX;

  for (int k = 0; k < N_KINDS; k++) {
    int distance = emg_edit_distance(word, table[k].name);
    if (distance < least && emg_is_near(word, distance)) {
      least = distance;
      nearest = table[k].name;
    }
  }
  return nearest;
}

static emg_status refuse_name(const char *word, emg_error *err) {
  char names[200] = "";
  const char *nearest = nearest_name(word);

  if (nearest) {
    return emg_fail(err, EMG_ERR_ARG, "unknown operation %s; did you mean '%s'?",
                    emg_quote(word).text, nearest);
  }
  for (int k = 0; k < N_KINDS; k++) {
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", table[k].name);
  }
  return emg_fail(err, EMG_ERR_ARG, "unknown operation %s; the operations are %s",
                  emg_quote(word).text, names);
}

static emg_status refuse_rest(const reader *r, emg_error *err) {
  const char *word = peek(r), *nearest = nearest_name(word);

  return nearest ? emg_fail(err, EMG_ERR_ARG, "'%s' does not take %s; did you mean '%s'?", r->name,
                            emg_quote(word).text, nearest)
                 : emg_fail(err, EMG_ERR_ARG, "'%s' does not take %s; leave it out", r->name,
                            emg_quote(word).text);
}

static emg_status parse_arguments(reader *r, emg_edit_operation op, emg_edit_operations *list,
                                  emg_error *err) {
  arguments takes = table[op.kind].takes;

  if (takes == TAKES_UNITS || takes == TAKES_WINDOW) {
    return parse_units(r, op, list, err);
  }
  if (takes == TAKES_COUNT) {
    return parse_count(r, op, list, err);
  }
  emg_status status;
  if (takes == TAKES_SPIKES) {
    status = parse_spikes(r, &op, err);
  } else if (takes == TAKES_PLACE) {
    status = parse_place(r, &op, err);
  } else {
    status = next_unit(r, &op.unit, err);
    status = status == EMG_OK ? next_unit(r, &op.other, err) : status;
  }
  status = status == EMG_OK ? append(list, &op, err) : status;
  if (status != EMG_OK) {
    emg_edit_operation_free(&op);
  }
  return status;
}

emg_status emg_edit_parse(int n_words, const char *const *words, const emg_decomposition *d,
                          int *n_used, emg_edit_operations *out, emg_error *err) {
  const double window_s = 0.01;
  emg_edit_operation op = {.window = llround(window_s * d->spikes.rate_hz),
                           .range = {0, INT64_MAX, -INFINITY, INFINITY}};

  *out = (emg_edit_operations){0};
  int kind = n_words > 0 ? find_kind(words[0]) : -1;
  if (kind < 0) {
    return n_words > 0 ? refuse_name(words[0], err)
                       : emg_fail(err, EMG_ERR_ARG, "there is no operation; name one");
  }
  op.kind = (emg_edit_kind)kind;
  reader r = {.name = words[0], .words = words + 1, .n = n_words - 1, .d = d};
  emg_status status = parse_arguments(&r, op, out, err);
  if (status == EMG_OK && peek(&r)) {
    status = refuse_rest(&r, err);
  }
  if (status != EMG_OK) {
    emg_edit_operations_free(out);
  }
  *n_used = r.at + 1;
  return status;
}
