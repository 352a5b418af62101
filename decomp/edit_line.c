// edit_line.c -- an operation of editing and what it changed, as a line of text
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/number.h>

#include "edit_priv.h"

// Seconds to a millionth, which is finer than any sample.
static void print_time(FILE *out, int64_t sample, double rate_hz) {
  fputs(emg_number_format(round((double)sample / rate_hz * 1e6) / 1e6).text, out);
}

static void print_range(FILE *out, const emg_edit_range *range, double rate_hz, int64_t n_samples) {
  fputc(' ', out);
  if (range->begin > 0) {
    print_time(out, range->begin, rate_hz);
  }
  fputs("..", out);
  if (range->end < INT64_MAX && (n_samples == 0 || range->end < n_samples)) {
    print_time(out, range->end, rate_hz);
  }
  if (isfinite(range->low) || isfinite(range->high)) {
    fprintf(out, " %s..", isfinite(range->low) ? emg_number_format(range->low).text : "");
    fputs(isfinite(range->high) ? emg_number_format(range->high).text : "", out);
  }
}

static void print_times(FILE *out, const emg_edit_operation *op, double rate_hz) {
  for (int i = 0; i < op->n_times; i++) {
    fputc(' ', out);
    print_time(out, op->times[i], rate_hz);
  }
  fputs(" within ", out);
  print_time(out, op->window, rate_hz);
}

emg_status emg_edit_format(const emg_edit_operation *op, double rate_hz, int64_t n_samples,
                           char **text, emg_error *err) {
  size_t size;
  FILE *out = open_memstream(text, &size);

  if (!out) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for the log of edits");
  }
  fputs(emg_edit_name(op->kind), out);
  bool is_undo = op->kind == EMG_EDIT_UNDO || op->kind == EMG_EDIT_REDO;
  bool is_on_spikes = op->kind == EMG_EDIT_ADD || op->kind == EMG_EDIT_DELETE;
  if (!is_undo) {
    fprintf(out, " %d", op->unit);
  }
  if (op->kind == EMG_EDIT_MERGE) {
    fprintf(out, " %d", op->other);
  } else if (op->kind == EMG_EDIT_SPLIT && op->n_times > 0) {
    fputs(" at ", out);
    print_time(out, op->times[0], rate_hz);
  } else if (is_on_spikes && op->n_times > 0) {
    print_times(out, op, rate_hz);
  } else if (op->keep_spikes) {
    fputs(" keep", out);
  } else if (is_on_spikes || op->kind == EMG_EDIT_REESTIMATE) {
    print_range(out, &op->range, rate_hz, n_samples);
  }
  fclose(out);
  return *text ? EMG_OK : emg_fail(err, EMG_ERR_MEMORY, "there is no memory for the log of edits");
}

// --- what it changed ---

static void print_unit(FILE *out, const emg_edit_unit *unit) {
  fprintf(out, " %d with %lld spikes, SIL ", unit->unit, (long long)unit->n_spikes);
  fputs(isfinite(unit->sil) ? emg_number_format(round(unit->sil * 1e4) / 1e4).text : "unknown",
        out);
}

static void print_side(FILE *out, const char *name, int n, const emg_edit_unit *units) {
  fprintf(out, " %s", name);
  for (int i = 0; i < n; i++) {
    fputs(i > 0 ? " and" : "", out);
    print_unit(out, &units[i]);
  }
  fputs(n == 0 ? " nothing" : "", out);
}

emg_status emg_edit_compose(const emg_spikes *spikes, const emg_edit_operation *op,
                            const emg_edit_change *change, char **line, emg_error *err) {
  char *words;
  size_t size;

  EMG_TRY(emg_edit_format(op, spikes->rate_hz, spikes->n_samples, &words, err));
  FILE *out = open_memstream(line, &size);
  if (out) {
    fprintf(out, "%s:", words);
    print_side(out, "unit", change->n_before, change->before);
    print_side(out, "became", change->n_after, change->after);
    fclose(out);
  }
  free(words);
  return out && *line ? EMG_OK
                      : emg_fail(err, EMG_ERR_MEMORY, "there is no memory for the log of edits");
}
